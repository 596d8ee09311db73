"""One comparison from the command line to a report: select, run rows in parallel, keep what was finished."""

import sys
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path

import msgspec

from emu.errors import UsageError
from emu.options import MachineOptions
from emu.version import version
from kernel_model.choices import Mapping
from kernel_model.plugins import plugin_versions
from kernel_model.results import SCHEMA_NAME, Report
from kernel_model.scenario import Scenario, load_scenario
from kernel_model.strategies import STRATEGIES

__all__ = ["Outcome", "Selection", "compare_scenario", "versions"]

LIBRARIES = ("unicorn", "numba", "numpy")


@dataclass(frozen=True)
class Selection:
    """What the command line asks for instead of what the scenario says; empty means the scenario's."""

    strategies: tuple[str, ...] = ()
    mappings: tuple[str, ...] = ()
    seed: int | None = None


@dataclass(frozen=True)
class Outcome:
    """A report, and whether it is all that was asked for."""

    report: Report
    total: int
    interrupted: bool


def compare_scenario(
    path: Path | None, selection: Selection, options: MachineOptions | None = None, workers: int | None = None
) -> Outcome:
    """Run the comparison.  Raises UsageError for bad input and GuestError when the guest cannot go on.

    Ctrl-C ends it early: the outcome then holds the rows that were finished.
    """
    options = options or MachineOptions()
    scenario = select(load_scenario(path), selection)
    # The engine takes a second to import: bad input has been answered by now.
    from kernel_model.experiment import RowOutcome, jobs, nucleus_of, run_jobs

    nucleus_of(scenario)  # a missing guest program is found before anything runs
    work = jobs(scenario, options)
    finished: dict[int, RowOutcome] = {}
    interrupted = False
    with Progress(len(work)) as progress:
        try:
            for index, outcome in run_jobs(work, workers):
                finished[index] = outcome
                progress.step(f"{outcome.row.strategy} {outcome.row.mapping}")
        except KeyboardInterrupt:
            interrupted = True
    ordered = [finished[index] for index in sorted(finished)]
    report = Report(
        schema=SCHEMA_NAME,
        scenario=msgspec.to_builtins(scenario),
        versions=versions(),
        engine=next((outcome.engine for outcome in ordered if outcome.engine), options.engine),
        timing=options.timing,
        clock=options.clock,
        numbers=options.numbers.changed(),
        rows=[outcome.row for outcome in ordered],
    )
    return Outcome(report, len(work), interrupted)


def select(scenario: Scenario, selection: Selection) -> Scenario:
    """The scenario with what the command line overrides; UsageError for an unknown name."""
    for option, names, known in (
        ("--strategy", selection.strategies, list(STRATEGIES)),
        ("--mapping", selection.mappings, list(Mapping)),
    ):
        for name in names:
            if name not in known:
                raise UsageError(f"{option}: unknown name {name!r}; known: {', '.join(known)}")
    if selection.seed is not None and not 1 <= selection.seed < 1 << 32:
        raise UsageError(f"--seed: must be 1 to {(1 << 32) - 1}, not {selection.seed}")
    changes: dict[str, object] = {}
    if selection.strategies:
        changes["strategies"] = list(selection.strategies)
    if selection.mappings:
        changes["mappings"] = [Mapping(name) for name in selection.mappings]
    if selection.seed is not None:
        changes["seed"] = selection.seed
    return msgspec.structs.replace(scenario, **changes)


def versions() -> dict[str, str]:
    """Versions of this package and of what computes the figures; of plugins, the SHA-256 of their source."""
    return {"cfemu": version()} | {name: _version(name) for name in LIBRARIES} | plugin_versions()


@cache
def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"


class Progress:
    """A line on stderr that counts rows; silent when stderr is not a terminal."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.count = 0
        self.shown = sys.stderr.isatty()

    def __enter__(self) -> "Progress":
        self._show("booting")
        return self

    def __exit__(self, *exception: object) -> None:
        if self.shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()

    def step(self, what: str) -> None:
        """One more row is done."""
        self.count += 1
        self._show(what)

    def _show(self, what: str) -> None:
        if self.shown:
            sys.stderr.write(f"\r\x1b[K{self.count}/{self.total} rows  {what}")
            sys.stderr.flush()
