"""Guest code in exact mode, cycles counted, against the same bytes on bare unicorn; and what one TLB miss costs."""

import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.raw import run_raw
from emu.board import get_board
from emu.counters import Counters
from emu.elf import Elf, load_elf
from emu.machine import Machine, StopReason

__all__ = [
    "KERNELS",
    "MISSING",
    "Exact",
    "Kernel",
    "MissCost",
    "Speed",
    "guest",
    "measure_miss",
    "measure_speed",
    "prepared",
    "run_exact",
]

GUEST = Path(__file__).parent / "guest" / "kernels.elf"


@dataclass(frozen=True)
class Kernel:
    name: str
    repetitions: int  # about a tenth of a second on bare unicorn
    what: str


KERNELS = (
    Kernel("mix", 30, "gcc -O2: sort, hash, lists, matrix, strings"),
    Kernel("alu", 10_000_000, "registers only"),
    Kernel("calls", 150, "recursion: stack traffic"),
    Kernel("chase16", 2_000_000, "a new page at every load, all in the TLB"),
    Kernel("copy", 1_000, "one page to another"),
    Kernel("fill", 1_000, "stores to one page"),
)
MISSING = Kernel("chase64", 100_000, "a TLB miss at every load")
PYTHON_SHARE = 200  # Python hooks run this much less: they are that slow


@dataclass(frozen=True)
class Exact:
    """One run of a kernel in exact mode."""

    seconds: float
    checksum: int
    counters: Counters
    engine: str


@dataclass(frozen=True)
class Speed:
    """Medians over interleaved repeats; ratios are raw time / exact time, so 1.0 = as fast as bare unicorn."""

    kernel: str
    what: str
    raw_seconds: float
    exact_seconds: float
    ratio: float
    guest_mips: float
    against_python_hooks: float


@dataclass(frozen=True)
class MissCost:
    """Host time of one guest miss, from the fault to the completion of the instruction that missed."""

    misses: int
    handler_instructions: float  # instructions run per miss, the missing one included
    microseconds: float


def guest() -> Elf:
    return load_elf(GUEST)


def prepared(elf: Elf, kernel: str, repetitions: int, engine: str = "auto") -> Machine:
    """A machine that will boot the kernel in user mode behind 8-KB pages and run it to its end."""
    machine = Machine(get_board("coyotos128"), engine=engine)
    machine.load_elf(elf)
    parameters = struct.pack(">II", elf.address(f"k_{kernel}"), repetitions)
    machine.write_physical(elf.address("parameters"), parameters)
    return machine


def run_exact(elf: Elf, kernel: str, repetitions: int, engine: str = "auto") -> Exact:
    """Run the kernel."""
    machine = prepared(elf, kernel, repetitions, engine)
    try:
        start = time.perf_counter()
        result = machine.run()
        seconds = time.perf_counter() - start
        if result.reason is not StopReason.HALT or not 0 <= result.pc - elf.address("finished") <= 2:
            raise RuntimeError(f"kernel {kernel} ended by {result.reason.name} at {elf.symbol(result.pc)}")
        return Exact(seconds, int(machine.registers["d0"]), machine.counters(), machine.engine)
    finally:
        machine.close()


def measure_speed(elf: Elf, repeats: int) -> Iterator[Speed]:
    """Each kernel ``repeats`` times on both sides in turn. Raises RuntimeError where the two disagree on the result."""
    for kernel in KERNELS:
        run_exact(elf, kernel.name, 1)  # loads compiled code
        raw_times, exact_times, ratios = [], [], []
        exact = None
        for _ in range(repeats):
            raw = run_raw(elf, f"k_{kernel.name}", kernel.repetitions)
            exact = run_exact(elf, kernel.name, kernel.repetitions)
            if raw.checksum != exact.checksum:
                raise RuntimeError(f"{kernel.name}: unicorn computes {raw.checksum:#x}, the engine {exact.checksum:#x}")
            raw_times.append(raw.seconds)
            exact_times.append(exact.seconds)
            ratios.append(raw.seconds / exact.seconds)
        assert exact is not None
        share = max(1, kernel.repetitions // PYTHON_SHARE)
        in_python = run_raw(elf, f"k_{kernel.name}", share, python_hooks=True).seconds * kernel.repetitions / share
        seconds = median(exact_times)
        yield Speed(
            kernel=kernel.name,
            what=kernel.what,
            raw_seconds=median(raw_times),
            exact_seconds=seconds,
            ratio=median(ratios),
            guest_mips=exact.counters.instructions / seconds / 1e6,
            against_python_hooks=in_python / seconds,
        )


def measure_miss(elf: Elf, repeats: int) -> MissCost:
    """Pointer chasing over 64 pages: every load misses the 32 entries, so the time is nothing but misses."""
    run_exact(elf, MISSING.name, 1)
    costs = []
    misses = instructions = 0
    for _ in range(repeats):
        run = run_exact(elf, MISSING.name, MISSING.repetitions)
        misses, instructions = run.counters.misses.dtlb, run.counters.instructions
        costs.append(run.seconds / misses * 1e6)
    return MissCost(misses, instructions / misses, median(costs))
