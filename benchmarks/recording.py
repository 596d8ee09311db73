"""What recording a trace costs: the same guest with and without, as a ratio within one run."""

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.speed import KERNELS, prepared
from emu.elf import Elf
from emu.machine import Machine
from emu.options import MachineOptions
from emu.recording import record
from emu.trace.format import Trace
from kernel_model.experiment import load_nucleus, nucleus_of
from kernel_model.one_row import choose_row, play
from kernel_model.session import Session

__all__ = ["RecordingCost", "measure_recording"]

RECORDED = ("mix", "chase16")  # kernels of benchmarks.speed
ROWS = (("reserve", "paged-8k", "churn"), ("reserve", "paged-8k", "ping-pong"))


@dataclass(frozen=True)
class RecordingCost:
    """``ratio``: speed while recording, as a share of exact mode's; ``bits``: of the file, a reference."""

    what: str
    ratio: float
    references: int
    bits: float


Run = Callable[[Path | None], float]  # seconds, of a run that is recorded in this file


def kernel_run(elf: Elf, name: str, repetitions: int) -> Run:
    def run(path: Path | None) -> float:
        machine = prepared(elf, name, repetitions)
        with machine:
            return timed(machine, path, machine.run)

    return run


def row_run(strategy: str, mapping: str, workload: str) -> Run:
    row = choose_row("default", strategy, mapping, workload, MachineOptions())
    elf = load_nucleus(nucleus_of(row.job.scenario).path)

    def run(path: Path | None) -> float:
        with Session(row.job.scenario, row.plan, elf, row.job.options) as session:
            return timed(session.machine, path, lambda: play(session, row.workload))

    return run


def timed(machine: Machine, path: Path | None, work: Callable[[], object]) -> float:
    start = time.perf_counter()
    with nullcontext() if path is None else record(machine, path):
        work()
    return time.perf_counter() - start


def measure_recording(elf: Elf, repeats: int) -> Iterator[RecordingCost]:
    """Each guest ``repeats`` times in both ways in turn."""
    kernels = {kernel.name: kernel.repetitions for kernel in KERNELS}
    runs = {f"kernel {name}": kernel_run(elf, name, kernels[name] // 2) for name in RECORDED}
    runs |= {", ".join(row): row_run(*row) for row in ROWS}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trace"
        for what, run in runs.items():
            run(path)  # loads compiled code
            ratios = [run(None) / run(path) for _ in range(repeats)]
            trace = Trace(path)
            references = trace.totals.references if trace.totals else 0
            yield RecordingCost(what, median(ratios), references, 8 * trace.bytes / references)
