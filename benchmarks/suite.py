"""The embedded suite: gcc -O2 kernels in user mode, without translation and behind two miss handlers of other kernels.

``python -m benchmarks.suite`` runs all of it and prints what each way costs. Sources: ``benchmarks/guest/suite``.
"""

import argparse
import struct
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, geometric_mean
from typing import Literal, get_args

from emu.board import get_board
from emu.counters import Counters
from emu.elf import Elf, load_elf
from emu.machine import Machine, StopReason
from emu.timing.constants import Costs
from emu.timing.state import LEVELS

__all__ = ["KERNELS", "WAYS", "Comparison", "Run", "SuiteKernel", "Way", "compare", "get_kernel", "guest", "run"]

GUEST = Path(__file__).parent / "guest" / "suite" / "suite.elf"

Way = Literal["direct", "coyotos", "linux"]
"""How memory is reached: no translation, ACRs only; 8-KB pages refilled from a range table; the same as Linux does."""

LEAST = 4  # the smallest size of every kernel
WAYS: tuple[Way, ...] = get_args(Way)  # in the order of their numbers in the guest


@dataclass(frozen=True)
class SuiteKernel:
    """``size``, ``repetitions``: defaults for a few million instructions. ``most``: the largest size; what a size is
    counted in, the kernel's source says."""

    name: str
    size: int
    repetitions: int
    most: int
    what: str
    power_of_two: bool = False  # no other size is possible

    def check(self, size: int, repetitions: int) -> None:
        """ValueError for a size or a number of repetitions that the guest cannot take."""
        if not LEAST <= size <= self.most:
            raise ValueError(f"{self.name}: size {size} is not between {LEAST} and {self.most}")
        if self.power_of_two and size & (size - 1):
            raise ValueError(f"{self.name}: size {size} is not a power of two")
        if not 1 <= repetitions < 1 << 32:
            raise ValueError(f"{self.name}: {repetitions} repetitions are not between 1 and 2^32 - 1")


KERNELS = (
    SuiteKernel("sort", 2048, 10, 131072, "quicksort and heapsort"),
    SuiteKernel("crc32", 16384, 50, 65536, "CRC-32 by table"),
    SuiteKernel("fft_fixed", 1024, 20, 4096, "FFT, 16-bit fixed point", power_of_two=True),
    SuiteKernel("fft_double", 1024, 10, 4096, "FFT in double precision, on the FPU", power_of_two=True),
    SuiteKernel("matrix", 64, 5, 128, "product of integer matrices"),
    SuiteKernel("strings", 8192, 10, 32768, "copy, search, tokens, compare"),
    SuiteKernel("records", 256, 50, 2048, "records, calls and string compares, after Dhrystone"),
    SuiteKernel("list", 4096, 10, 65536, "linked list: build, shuffle, walk, reverse"),
    SuiteKernel("hash", 4096, 10, 65536, "hash table with chains"),
    SuiteKernel("fir", 1024, 20, 8192, "FIR filter of 64 taps, on the EMAC"),
    SuiteKernel("interpreter", 1000, 1, 1_000_000, "bytecode interpreter, computed dispatch"),
    SuiteKernel("bits", 1024, 10, 4096, "population count, bit fields, prime sieve"),
    SuiteKernel("table", 8192, 50, 16384, "binary search in 64 pages: more than the DTLB holds"),
)


@dataclass(frozen=True)
class Run:
    """One kernel from its call to its return; booting is not counted."""

    kernel: SuiteKernel
    way: Way
    engine: str
    size: int
    repetitions: int
    checksum: int
    seconds: float
    counters: Counters

    @property
    def instructions(self) -> int:
        """Those of the kernel and of the miss handler."""
        return self.counters.instructions

    @property
    def cycles(self) -> int:
        return self.counters.cycles

    @property
    def misses(self) -> int:
        return self.counters.misses.total

    @property
    def cpi(self) -> float:
        """Cycles per instruction."""
        return self.cycles / self.instructions


@dataclass(frozen=True)
class Comparison:
    """One kernel in two ways: what translation costs it."""

    direct: Run
    translated: Run

    @property
    def speed(self) -> float:
        """Of the translated run; 1 = that of the run without translation."""
        return self.direct.cycles / self.translated.cycles

    @property
    def cycles_per_instruction(self) -> float:
        """Cycles of refills for each instruction of the kernel."""
        return (self.translated.cycles - self.direct.cycles) / self.direct.instructions

    @property
    def refill_instructions(self) -> float:
        """Instructions of the handler for each miss; 0 without a miss."""
        more = self.translated.instructions - self.direct.instructions
        return more / self.translated.misses if self.translated.misses else 0.0


def get_kernel(name: str) -> SuiteKernel:
    """The kernel called ``name``; ValueError naming the ones there are."""
    for kernel in KERNELS:
        if kernel.name == name:
            return kernel
    raise ValueError(f"kernel {name!r} is unknown; there are {', '.join(kernel.name for kernel in KERNELS)}")


def guest() -> Elf:
    return load_elf(GUEST)


def run(
    kernel: SuiteKernel,
    way: Way,
    engine: str = "auto",
    *,
    size: int | None = None,
    repetitions: int | None = None,
    timing: str = "flat",
    costs: Costs | None = None,
    elf: Elf | None = None,
) -> Run:
    """Boot into user mode and run ``kernel`` to its end.

    ValueError for a size or a number of repetitions that the guest cannot take; RuntimeError if the guest ends anywhere
    but behind the kernel.
    """
    elf = elf or guest()
    size = kernel.size if size is None else size
    repetitions = kernel.repetitions if repetitions is None else repetitions
    kernel.check(size, repetitions)
    with machine(engine, timing, costs) as m:
        m.load_elf(elf)
        parameters = struct.pack(">4I", elf.address(f"k_{kernel.name}"), size, repetitions, WAYS.index(way))
        m.write_physical(elf.address("parameters"), parameters)
        m.run(stop_at=[elf.address("user_start")])
        before = m.counters()
        start = time.perf_counter()
        result = m.run()
        seconds = time.perf_counter() - start
        if result.reason is not StopReason.HALT or not 0 <= result.pc - elf.address("finished") <= 2:
            raise RuntimeError(f"{kernel.name}, {way}: ended by {result.reason.name} at {elf.symbol(result.pc)}")
        counters = m.counters() - before
        return Run(kernel, way, m.engine, size, repetitions, int(m.registers["d0"]), seconds, counters)


def machine(engine: str, timing: str, costs: Costs | None) -> Machine:
    """The machine that every run has: what changes its timing is handed over here, and nowhere else."""
    return Machine(get_board("coyotos128"), engine=engine, timing=timing, costs=costs)


def compare(
    kernel: SuiteKernel,
    engine: str = "auto",
    *,
    size: int | None = None,
    repetitions: int | None = None,
    timing: str = "flat",
    costs: Costs | None = None,
) -> dict[Way, Comparison]:
    """``kernel`` behind each miss handler, beside one run without translation."""
    elf = guest()

    def one(way: Way) -> Run:
        return run(kernel, way, engine, size=size, repetitions=repetitions, timing=timing, costs=costs, elf=elf)

    direct = one("direct")
    return {way: Comparison(direct, one(way)) for way in WAYS if way != "direct"}


def lines(engine: str, timing: str) -> Iterator[str]:
    """The table, a line for each kernel as soon as it has run."""
    heads = "".join(f" {way + ' speed':>14} {'misses':>7} {'i/miss':>6}" for way in WAYS if way != "direct")
    yield f"{'kernel':12} {'instructions':>12} {'cycles/i':>8}{heads}"
    cpis = []
    for kernel in KERNELS:
        comparisons = compare(kernel, engine, timing=timing)
        direct = comparisons["linux"].direct
        cpis.append(direct.cpi)
        cells = "".join(
            f" {c.speed:14.2%} {c.translated.misses:7,} {c.refill_instructions:6.1f}" for c in comparisons.values()
        )
        yield f"{kernel.name:12} {direct.instructions:12,} {direct.cpi:8.3f}{cells}  {kernel.what}"
    yield f"cycles per instruction: mean {fmean(cpis):.3f}, geometric mean {geometric_mean(cpis):.3f}"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.suite", description=__doc__)
    parser.add_argument("--engine", default="auto", help="auto (default), native, public or reference")
    parser.add_argument("--timing", choices=LEVELS, default="flat", help="how exactly time is modelled")
    arguments = parser.parse_args()
    for text in lines(arguments.engine, arguments.timing):
        print(text, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
