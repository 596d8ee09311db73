"""native = public = reference = any slicing of a run: every count, register, TLB entry and byte of memory.

The programs are random but reproducible (tests.support.random_program); the reference engine runs one instruction at a
time and shows the MMU model every single access. Interrupts come at random virtual cycles.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from itertools import product
from typing import Any

import numpy as np
import pytest

from emu.machine import Machine, RunResult, StopReason
from emu.mmu.state import FIFO, LRU, RANDOM
from emu.timing.state import LEVELS
from tests.support import kernel
from tests.support.guest import ENGINES, EUSP
from tests.support.random_program import Program

CACHES = EUSP | 0xA0088000 | 0x01040100  # CACR: both caches, store buffer, branch cache on; invalidate all of them
WRITE_THROUGH, COPYBACK = 0x00, 0x40  # MMUDR[CM]
BUDGET = 1_500_000  # instructions; a program that needs more is lost in an endless refill
FAST_ENGINES = tuple(engine for engine in ENGINES if engine != "reference")
MMU_FIELDS = (
    *("mmucr", "mmuor", "aa", "mmusr", "mmuar", "mmutr", "mmudr", "mmubar", "asid", "cacr", "vbr", "mbar", "acr"),
    *("rambar", "tag", "data", "plru", "rng", "valid", "warning_count"),
)

Driver = Callable[[Machine], RunResult]


@dataclass(frozen=True)
class Case:
    """A program and the machine it runs on."""

    seed: int
    code_pages: int
    data_pages: int
    loops: int = 2
    asm_mode: int = 0
    scattered: bool = True
    smallest: int = 10
    options: dict[str, Any] = field(default_factory=dict)
    cached: bool = False

    def __str__(self) -> str:
        options = "".join(f"-{key}-{value}" for key, value in self.options.items())
        kind = f"asm{self.asm_mode}" if self.scattered else f"asm{self.asm_mode}-neighbours"
        caches = "-cached" if self.cached else ""
        return (
            f"{self.seed}-{self.code_pages}c{self.data_pages}d-{kind}-from{1 << self.smallest - 10}kb{options}{caches}"
        )

    @cached_property
    def program(self) -> Program:
        """The program, which takes longer to generate than some engines take to run it."""
        return Program(
            self.seed,
            self.code_pages,
            self.data_pages,
            self.loops,
            self.asm_mode,
            self.scattered,
            self.smallest,
            *((CACHES, (WRITE_THROUGH, COPYBACK)) if self.cached else ()),
        )


QUICK = (
    Case(0, 8, 8, loops=3),
    Case(1, 8, 128, loops=1),
    Case(2, 48, 8, loops=2),
    Case(3, 64, 64, loops=1),
    Case(4, 128, 128, loops=1),
    Case(5, 24, 40, asm_mode=1),
    Case(6, 24, 40, scattered=False),
    Case(7, 32, 32, options={"itlb_entries": 16, "dtlb_entries": 48, "policy": LRU}),
    Case(20, 8, 8, loops=3, smallest=12),
    Case(21, 8, 128, loops=1, smallest=12),
    Case(22, 48, 8, loops=1, smallest=12),
    Case(23, 64, 64, loops=1, smallest=12),
    Case(24, 24, 40, asm_mode=1, smallest=12),
    Case(25, 32, 32, smallest=12, options={"itlb_entries": 16, "dtlb_entries": 48, "policy": LRU}),
    Case(302, 24, 24, loops=1, options={"itlb_entries": 4, "dtlb_entries": 5}),
    Case(307, 24, 24, loops=1, options={"itlb_entries": 3, "dtlb_entries": 4}),
    Case(311, 24, 24, loops=1, options={"policy": RANDOM, "seed": 311}),
)
SLICED = (
    Case(10, 8, 16, loops=1),
    Case(11, 24, 24, loops=1, asm_mode=1),
    Case(12, 16, 48, loops=1, scattered=False),
    Case(13, 16, 24, loops=1, smallest=12),
    Case(14, 16, 24, loops=1, asm_mode=1, smallest=12),
)
TIMED = tuple(
    Case(
        40 + i,
        *sizes,
        loops=1,
        asm_mode=i & 1,
        smallest=12 if i & 2 else 10,
        options={"timing": timing, "clock": clock},
        cached=cached,
    )
    for i, (sizes, timing, clock, cached) in enumerate(
        product(
            ((8, 16), (24, 40)),
            ("pipeline", "full"),
            ("cycles", "instructions"),
            (True, False),
        )
    )
)
DEEP = tuple(
    Case(
        seed,
        code_pages=(8, 16, 32, 64, 128)[seed % 5],
        data_pages=(128, 8, 64, 24)[seed % 4],
        loops=2,
        asm_mode=seed // 2 % 2,
        scattered=seed % 3 > 0,
        smallest=12 if seed % 7 == 0 else 10,
        options=(
            {},
            {"itlb_entries": 32, "dtlb_entries": 64},
            {"itlb_entries": 17, "dtlb_entries": 21},
            {"policy": FIFO},
            {"policy": RANDOM, "seed": seed},
        )[seed // 4 % 5 if seed % 2 else 0],
    )
    for seed in range(100, 140)
)


# --- what must be equal


def observed(machine: Machine) -> dict[str, Any]:
    """Everything but memory that a guest or a user of the emulator can see."""
    mmu = machine.core.state["mmu"]
    seen: dict[str, Any] = {"counters": machine.counters().to_dict(), "registers": dict(machine.registers)}
    seen |= {f"mmu.{name}": np.array(mmu[name]).tolist() for name in MMU_FIELDS}
    # LRU: only the order of use means something; a repeated hit on the latest entry is not seen by a fast engine.
    seen["mmu.order of use"] = np.argsort(mmu["stamp"], axis=1, kind="stable").tolist()
    return seen


def assert_equal(one: Machine, other: Machine) -> None:
    """Compare two machines that have run the same program."""
    a, b = observed(one), observed(other)
    for key in a:
        assert a[key] == b[key], key
    for mine, theirs in zip(one.core.banks, other.core.banks):
        if not np.array_equal(mine.data.view(np.uint64), theirs.data.view(np.uint64)):
            different = np.flatnonzero(mine.data != theirs.data)
            pytest.fail(f"{len(different)} bytes of memory differ, the first at {mine.base + int(different[0]):#x}")


# --- ways to run


def executed(machine: Machine) -> int:
    """Retired instructions, without the cost of reading all counters."""
    return int(machine.core.state["instructions"])


def devices_time(machine: Machine) -> int:
    """What schedule_interrupt counts in."""
    state = machine.core.state
    return executed(machine) + int(state["clock_skew"]) if state["clock"] else int(state["cycles"])


def straight(machine: Machine) -> RunResult:
    """In one go."""
    return machine.run(max_instructions=BUDGET)


def by_instructions(machine: Machine) -> RunResult:
    """One to seven instructions at a time."""
    rng = random.Random(1)
    while True:
        result = machine.run(max_instructions=rng.randint(1, 7))
        if result.reason is not StopReason.INSTRUCTIONS or executed(machine) > BUDGET:
            return result


def by_cycles(machine: Machine) -> RunResult:
    """One to fifty cycles at a time."""
    rng = random.Random(2)
    while True:
        result = machine.run(max_cycles=rng.randint(1, 50))
        if result.reason is not StopReason.CYCLES or executed(machine) > BUDGET:
            return result


def interrupted(plan_seed: int, slices: int | None) -> Driver:
    """A run with an interrupt of random level every few hundred cycles; ``slices``: instructions at a time, at most."""

    def drive(machine: Machine) -> RunResult:
        rng = random.Random(plan_seed)
        cut = random.Random(3)
        due = 200
        while True:
            machine.schedule_interrupt(rng.randint(1, 7), 64 + rng.randrange(128), due)
            end = due + rng.randint(1, 500)
            while (left := end - devices_time(machine)) > 0:
                most = BUDGET if slices is None else cut.randint(1, slices)
                by_count = bool(machine.core.state["clock"])
                result = machine.run(
                    max_instructions=min(most, left) if by_count else most, max_cycles=None if by_count else left
                )
                if result.reason not in (StopReason.INSTRUCTIONS, StopReason.CYCLES):
                    return result
                if executed(machine) > BUDGET:
                    return result
            due = devices_time(machine) + rng.randint(1, 500)

    return drive


def finished(case: Case, engine: str, drive: Driver) -> Machine:
    """Run the program to its end; a program that ends anywhere else than at its exit is a failure."""
    machine = case.program.machine(engine, **case.options)
    result = drive(machine)
    assert (result.reason, result.pc) == (StopReason.HALT, kernel.LABELS["exit"] + 2), machine.describe()
    return machine


def agree(case: Case, *ways: tuple[str, Driver]) -> Machine:
    """All ways of running the program give what the first one gives; its machine, for more questions."""
    first = finished(case, *ways[0])
    try:
        for way in ways[1:]:
            other = finished(case, *way)
            try:
                assert_equal(first, other)
            finally:
                other.close()
    finally:
        first.close()
    return first


# --- the tests


@pytest.mark.parametrize("engine", FAST_ENGINES)
@pytest.mark.parametrize("case", QUICK, ids=str)
def test_an_engine_agrees_with_the_reference(case: Case, engine: str) -> None:
    counters = agree(case, (engine, straight), ("reference", straight)).counters()
    # The program did strain the TLBs: it did not just agree about nothing.
    assert counters.misses.itlb > case.code_pages
    assert counters.misses.dtlb > case.data_pages
    assert counters.misses.user > 0
    assert counters.misses.kernel > 0


@pytest.mark.parametrize("drive", [by_instructions, by_cycles], ids=["instructions", "cycles"])
@pytest.mark.parametrize("case", SLICED, ids=str)
@pytest.mark.parametrize("engine", FAST_ENGINES)
def test_slicing_a_run_changes_nothing(case: Case, engine: str, drive: Driver) -> None:
    agree(case, (engine, drive), (engine, straight))


@pytest.mark.parametrize("case", SLICED, ids=str)
@pytest.mark.parametrize("engine", FAST_ENGINES)
def test_interrupts_come_at_the_same_instruction(case: Case, engine: str) -> None:
    drive = interrupted(case.seed, None)
    counters = agree(case, (engine, drive), ("reference", drive), (engine, interrupted(case.seed, 5))).counters()
    assert sum(count for vector, count in counters.exceptions.items() if vector >= 64) > 20


@pytest.mark.parametrize(
    "case", [pytest.param(case, marks=[pytest.mark.slow] if n % 3 else []) for n, case in enumerate(TIMED)], ids=str
)
@pytest.mark.parametrize("engine", FAST_ENGINES)
def test_time_passes_alike(case: Case, engine: str) -> None:
    """The levels that look at neighbours and caches, with interrupts, cut and whole."""
    drive = interrupted(case.seed, None)
    agree(case, (engine, drive), ("reference", drive), (engine, interrupted(case.seed, 5)))
    agree(case, (engine, straight), (engine, by_cycles), (engine, by_instructions))


@pytest.mark.parametrize("case", TIMED[::4], ids=str)
def test_no_level_of_time_changes_a_miss(case: Case) -> None:
    """Without interrupts, and with them where instructions are the clock."""
    runs = []
    for timing in LEVELS:
        options = {"timing": timing, "clock": "instructions"}
        machine = case.program.machine("native", **options)
        by_the_clock(machine, case.seed)
        counters = machine.counters()
        runs.append((counters.instructions, counters.misses, counters.exceptions, dict(machine.registers)))
        machine.close()
    assert runs[0] == runs[1] == runs[2]


def by_the_clock(machine: Machine, seed: int) -> None:
    """Run to the end with an interrupt every few hundred instructions."""
    rng = random.Random(seed)
    while True:
        at = executed(machine) + int(machine.core.state["clock_skew"]) + rng.randint(1, 300)
        machine.schedule_interrupt(rng.randint(1, 7), 64 + rng.randrange(128), at)
        result = machine.run(max_instructions=rng.randint(200, 400))
        if result.reason is not StopReason.INSTRUCTIONS:
            assert result.reason is StopReason.HALT, machine.describe()
            return


@pytest.mark.parametrize("engine", FAST_ENGINES)
@pytest.mark.parametrize(
    "case",
    [pytest.param(case, marks=pytest.mark.slow if n < 6 else pytest.mark.conformance) for n, case in enumerate(DEEP)],
    ids=str,
)
def test_an_engine_agrees_with_the_reference_on_many_programs(case: Case, engine: str) -> None:
    drive = interrupted(case.seed, None)
    agree(case, (engine, drive), ("reference", drive), (engine, interrupted(case.seed, 7)))
    agree(case, (engine, straight), (engine, by_cycles))
