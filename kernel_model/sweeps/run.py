"""One run of a sweep: its complete inputs, the name that they give it, and what became of it."""

import hashlib
import threading
from dataclasses import replace
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from emu.cli import ClockName, EngineName, TimingName
from emu.errors import CfemuError
from emu.options import MachineOptions
from emu.time_numbers import Numbers
from kernel_model.choices import Mapping
from kernel_model.comparison import versions
from kernel_model.experiment import Job, row_without_figures, run_row
from kernel_model.plugins import load_plugins
from kernel_model.results import Row
from kernel_model.scenario import Scenario, Strict

__all__ = ["Environment", "Inputs", "Record", "Run", "Status", "environment", "execute", "failed", "lost"]

SOURCES = Path(__file__).resolve().parents[2]
PACKAGES = ("emu", "firmware", "kernel_model")
OWN_VERSION = "cfemu"  # among the versions

# A worker of a cluster may have several threads, and machines are not made to share a process.
_one_at_a_time = threading.Lock()


class Status(StrEnum):
    """What became of a run."""

    DONE = "done"
    REFUSED = "refused"
    """The combination itself makes no sense; ``refusal`` says why. (A refused device is a figure of a run done.)"""
    FAILED = "failed"
    """The guest or the model could not go on, and would not another time; ``error`` says why."""
    LOST = "lost"
    """The process that computed it died, for want of memory for instance. A resumed sweep tries again."""


class Inputs(Strict, frozen=True, kw_only=True):
    """Everything that the user chooses of a run. ``numbers``: those of the time model that are not the manuals'."""

    scenario: Scenario
    strategy: str
    mapping: Mapping
    engine: EngineName = EngineName.AUTO
    timing: TimingName = TimingName.FLAT
    clock: ClockName = ClockName.CYCLES
    tlb: Annotated[int, Meta(ge=2, le=128)] = 32
    numbers: dict[str, dict[str, int]] = {}

    def job(self) -> Job:
        """The same for the experiment."""
        costs, cells = self.numbers.get("costs", {}), self.numbers.get("cells", {})
        numbers = Numbers(replace(Numbers().costs, **costs), tuple(sorted(cells.items())))
        options = MachineOptions(self.engine.value, self.timing.value, self.clock.value, numbers, self.tlb)
        return Job(self.scenario, self.strategy, self.mapping, options)


class Environment(Strict, frozen=True, kw_only=True):
    """What a run depends on beside its inputs. ``code``: SHA-256 of this product's sources, which says more than its
    version: that changes with every commit. Sources of plugins are among the versions."""

    versions: dict[str, str]
    code: str

    @property
    def decisive(self) -> dict[str, str]:
        """What figures depend on: all but the number of our own version."""
        return self.versions | {OWN_VERSION: self.code}


def environment() -> Environment:
    """That of this process."""
    load_plugins()  # a worker of a cluster has no command line that would
    return Environment(versions=versions(), code=_code())


@cache
def _code() -> str:
    digest = hashlib.sha256()
    for path in sorted(path for package in PACKAGES for path in (SOURCES / package).rglob("*.py")):
        digest.update(path.relative_to(SOURCES).as_posix().encode() + b"\0")
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


class Run(Strict, frozen=True, kw_only=True):
    """A run to be made. ``problem``: why these inputs contradict each other, where they do."""

    inputs: Inputs
    environment: Environment
    firmware: str | None
    problem: str | None = None

    @property
    def name(self) -> str:
        """SHA-256 of all inputs: runs of one name have the same figures."""
        what = {"inputs": self.inputs, "environment": self.environment.decisive, "firmware": self.firmware}
        return hashlib.sha256(msgspec.json.encode(what, order="sorted")).hexdigest()


class Record(Strict, frozen=True, kw_only=True):
    """A finished run. ``engine``: the one that ran, "" where none did."""

    run: Run
    status: Status
    engine: str
    row: Row
    error: str | None = None


def failed(run: Run, error: str, status: Status = Status.FAILED) -> Record:
    """The record of a run without figures."""
    row = msgspec.structs.replace(row_without_figures(run.inputs.job(), None), firmware=run.firmware)
    return Record(run=run, status=status, engine="", row=row, error=" ".join(error.split()))


def lost(run: Run, error: str) -> Record:
    """The record of a run that the host did not bring to its end."""
    return failed(run, error, Status.LOST)


def execute(run: Run) -> Record:
    """Compute a run, here and now. Whatever goes wrong becomes its record."""
    if run.problem is not None:
        return failed(run, run.problem)
    if environment().decisive != run.environment.decisive:
        return lost(run, "this worker has other sources or versions than the process that planned the sweep")
    try:
        with _one_at_a_time:
            outcome = run_row(run.inputs.job())
    except CfemuError as error:
        return failed(run, str(error))
    except MemoryError:
        return lost(run, "out of memory")
    except Exception as error:  # a defect of ours costs its row, not the sweep
        return failed(run, f"{type(error).__name__}: {error}")
    status = Status.REFUSED if outcome.row.cycles is None else Status.DONE
    return Record(run=run, status=status, engine=outcome.engine, row=outcome.row)
