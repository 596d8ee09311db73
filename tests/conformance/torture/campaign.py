"""All programs everywhere, one process per core, and what came of it."""

import multiprocessing
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field

from emu.elf import load_elf
from tests.conformance.torture.build import Program, kernel
from tests.conformance.torture.hostile import Outcome, Rig, run_qemu
from tests.conformance.torture.sources import EXPLAINED, Explanation

__all__ = ["Row", "Summary", "judge", "run_all", "run_program", "summarise"]


@dataclass(frozen=True)
class Row:
    """One program everywhere. ``hostile``: kilobytes of a page -> outcome."""

    name: str
    level: str
    flat: Outcome
    qemu: Outcome
    hostile: dict[int, Outcome]


@dataclass
class Summary:
    """Counts over programs at one optimisation level and one page size."""

    level: str
    kilobytes: int
    programs: int = 0
    equal: int = 0
    retired: int = 0
    misses: int = 0
    violations: int = 0
    interrupts: int = 0
    differences: list[str] = field(default_factory=list)


def run_program(rig: Rig, program: Program, page_sizes: Sequence[int]) -> Row:
    """One program without MMU, under QEMU, and with pages of each size (kilobytes)."""
    assert program.elf is not None
    elf = load_elf(program.elf)
    flat = rig.flat(elf)
    seeds = {kb: f"{program.name} O{program.level} {kb} KB" for kb in page_sizes}
    hostile = {kb: rig.hostile(elf, kb, seeds[kb], flat.retired) for kb in page_sizes}
    return Row(program.name, program.level, flat, run_qemu(program.elf), hostile)


_rig: Rig | None = None  # of this worker process


def _start(engine: str) -> None:
    global _rig
    _rig = Rig(engine)


def _work(task: tuple[Program, tuple[int, ...]]) -> Row:
    assert _rig is not None
    return run_program(_rig, *task)


def run_all(programs: Iterable[Program], page_sizes: Sequence[int], jobs: int, engine: str = "auto") -> Iterator[Row]:
    """A row for every program, in their order; a program's rows do not depend on ``jobs``."""
    for kilobytes in page_sizes:
        kernel(kilobytes)  # here, so that the workers find it
    tasks = [(program, tuple(page_sizes)) for program in programs]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, context, _start, (engine,)) as pool:
        yield from pool.map(_work, tasks, chunksize=4)


def _describe(outcome: Outcome) -> str:
    note = f" ({outcome.note})" if outcome.note else ""
    return f"{outcome.status}{note}"


def judge(row: Row, kilobytes: int) -> str | None:
    """What is wrong with a row at one page size, or None.

    The run behind the MMU must be the undisturbed one, output and status; both must be QEMU's, and end with status 0,
    unless the test has an explanation, which then must be the whole truth.
    """
    hostile, flat, qemu = row.hostile[kilobytes], row.flat, row.qemu
    explained = EXPLAINED.get(row.name, Explanation(0, 0, ""))
    statuses = (hostile.status, flat.status, qemu.status)
    if statuses != (explained.machine, explained.machine, explained.qemu):
        told = f"hostile {_describe(hostile)}, undisturbed {_describe(flat)}, qemu {_describe(qemu)}"
    elif hostile.output != flat.output:
        told = "the output differs from the undisturbed run's"
    elif flat.output != qemu.output and row.name not in EXPLAINED:
        told = "the output differs from QEMU's"
    else:
        return None
    return f"{row.name} -O{row.level} {kilobytes} KB: {told}"


def summarise(rows: Iterable[Row], page_sizes: Sequence[int]) -> list[Summary]:
    """One summary per level and page size."""
    found: dict[tuple[str, int], Summary] = {}
    for row in rows:
        for kilobytes in page_sizes:
            summary = found.setdefault((row.level, kilobytes), Summary(row.level, kilobytes))
            outcome, difference = row.hostile[kilobytes], judge(row, kilobytes)
            summary.programs += 1
            summary.equal += difference is None
            summary.retired += outcome.retired
            summary.misses += outcome.misses
            summary.violations += outcome.violations
            summary.interrupts += outcome.interrupts
            summary.differences += [difference] if difference else []
    return [found[key] for key in sorted(found)]
