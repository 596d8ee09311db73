"""A machine that is nothing but a program of accesses, the oracle MMU and miss handlers in Python, and that records.

Its kernel maps a few regions with pages of all sizes; page tables are themselves mapped, so refills miss too; first
writes to clean pages are violations; one entry is locked. Run twice with different TLBs it is the live machine that a
replay has to equal.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from emu.trace import events as e
from tests.oracle.entries import Kind
from tests.oracle.mmu import (
    MMUAR,
    MMUCR,
    MMUDR,
    MMUOR,
    MMUTR,
    OR_ACC,
    OR_ADR,
    OR_CA,
    OR_CAS,
    OR_CNL,
    OR_ITLB,
    OR_STLB,
    OR_UAA,
    OracleMMU,
)
from tests.oracle.tlb import Policy

WINDOW = 0xFE00_0000
STACK = 0xC000_8000  # under ACR0
HANDLER_CODE = 0xC000_0400  # under ACR2
TABLES = 0x8000_0000
KINDS: tuple[Kind, ...] = ("read", "write", "fetch", "rmw")
READ, WRITE, FETCH, RMW = range(4)
ONE_MB, FOUR_KB, EIGHT_KB, ONE_KB = range(4)
PAGE_BITS = (20, 12, 13, 10)
MISS_CODES = (5, 10, 14)
# (first address, SZ, shared)
MAPPED = (
    (0x0000_0000, FOUR_KB, False),
    (0x1000_0000, EIGHT_KB, True),
    (0x2000_0000, ONE_MB, True),
    (0x3000_0000, ONE_KB, False),
    (0x4000_0000, FOUR_KB, True),  # one page of it is locked, until the first clear of all
    (0x5000_0000, FOUR_KB, False),  # clean until written
    (TABLES, EIGHT_KB, True),
)
CLEAN = 0x5000_0000
LOCKED_PAGE = 0x4000_0000
LOCKED_NUMBER = 1  # of the entry, in both TLBs


class Access(NamedTuple):
    va: int
    kind: int = READ
    supervisor: bool = False
    references: int = 1


class Control(NamedTuple):
    """``what``: asid, cnl, ca, cas, preload, phase; ``value``: the ASID, address or number."""

    what: str
    value: int = 0


Program = Sequence[Access | Control]


class Toy:
    """``rows``: the trace so far. ``misses``: (side, VA) of each, in order."""

    def __init__(self, entries: int = 32, policy: Policy = "plru", *, lock: bool = False) -> None:
        self.mmu = OracleMMU(entries, entries, policy=policy)
        self.rows: list[e.Row] = []
        self.misses: list[tuple[int, int]] = []
        self.nested = 0
        self.violations = 0
        self.references = 0
        self.instructions = self.cycles = 0
        self._stamped = (0, 0)
        self._dirty: set[tuple[int, int]] = set()
        self._depth = 0
        self._stack = STACK
        self.control(0x008, WINDOW | 1)
        self.control(0x004, 0xC00F_A000 | 0x00)  # ACR0: 0xC0000000 and up, supervisor data
        self.control(0x006, 0xC00F_A000)  # ACR2: the same, instructions
        self.window(MMUCR, 1)
        if lock:
            for base, number in ((0, LOCKED_NUMBER), (self.mmu.dtlb_base, LOCKED_NUMBER)):
                self.window(MMUTR, LOCKED_PAGE | 3)
                self.window(MMUDR, LOCKED_PAGE | FOUR_KB << 8 | 0x1E)
                self.window(MMUAR, base + number)
                self.window(MMUOR, OR_ADR | OR_ACC)

    def run(self, program: Program) -> "Toy":
        for step in program:
            if isinstance(step, Access):
                self.access(*step)
            else:
                self._kernel(step)
        self._stamp()
        return self

    def access(self, va: int, kind: int, supervisor: bool, count: int = 1) -> None:
        code = kind | (e.SUPERVISOR if supervisor else 0) | (e.HANDLER if self._depth else 0)
        while True:
            fs, _ = self.mmu.access(va, KINDS[kind], supervisor)
            if fs == 0:
                break
            missed = fs in MISS_CODES
            self.rows.append((code | (e.MISSED if missed else e.VIOLATED), va, 1))
            if missed:
                self.misses.append((0 if kind == FETCH else 1, va))
                self.nested += self._depth > 0
            else:
                self.violations += 1
            self._exception(va, kind, supervisor, fs, missed)
        for _ in range(count - 1):
            assert self.mmu.access(va, KINDS[kind], supervisor)[0] == 0
        self.cycles += count
        self.instructions += count if kind == FETCH else 0
        self.references += count
        self.rows.append((code, va, count))

    def control(self, number: int, value: int) -> None:
        if number == 0x003:
            self._stamp()
        self.mmu.movec(number, value)
        self.rows.append((e.CONTROL_WRITE, number, value))

    def window(self, offset: int, value: int) -> None:
        self.mmu.window_write(offset, 4, value)
        self.rows.append(e.window_row(offset, value))

    def translation(self, va: int, kind: int) -> tuple[int, int]:
        """MMUTR and MMUDR of the page around ``va``."""
        base, size, shared = next(m for m in MAPPED if m[0] == va & 0xF000_0000)
        page = va >> PAGE_BITS[size] << PAGE_BITS[size]
        rights = 0x1C
        if base == CLEAN and (self.mmu.asid, page) not in self._dirty:
            rights = 0x14
        if base == TABLES:
            rights |= 0x20
        if kind == FETCH:
            rights |= 0x04
        return page | self.mmu.asid << 2 | shared << 1 | 1, (page ^ 0x0800_0000) | size << 8 | rights

    def _stamp(self) -> None:
        passed = self.instructions - self._stamped[0], self.cycles - self._stamped[1]
        self._stamped = self.instructions, self.cycles
        self.rows.append((e.STAMP, *passed))

    def _exception(self, va: int, kind: int, supervisor: bool, fs: int, missed: bool) -> None:
        self._stamp()
        self.rows.append((e.ENTER, 0x1234, 2 | fs << 8 | supervisor << 16))
        self._stack -= 8
        self.rows.append((e.FRAME, self._stack, 0))
        self._depth += 1
        self.cycles += 20
        self.access(self._stack, WRITE, True, 2)
        self.access(HANDLER_CODE, FETCH, True, 12)
        self._refill(va, kind) if missed else self._first_write(va, supervisor)
        self.access(self._stack, READ, True, 2)
        self._depth -= 1
        self._stamp()
        self.rows.append((e.LEAVE, self._stack, 0x1234))
        self._stack += 8

    def _refill(self, va: int, kind: int) -> None:
        tag, data = self.translation(va, kind)
        if va & 0xF000_0000 != TABLES:
            self.access(TABLES + (tag >> 12) * 4, READ, True)  # the page table entry
        self.window(MMUTR, tag)
        self.window(MMUDR, data)
        self.window(MMUOR, OR_UAA | OR_ACC | (OR_ITLB if kind == FETCH else 0))
        side = self.mmu.itlb if kind == FETCH else self.mmu.dtlb
        index = self.mmu.aa - side.first_address
        self.rows.append((e.LOADED, (0 if kind == FETCH else 1) << 8 | index, side.entries[index].tag_image()))

    def _first_write(self, va: int, supervisor: bool) -> None:
        """Mark the page dirty and drop the entry: search, then store V = 0 to it."""
        page = va >> 12 << 12
        self._dirty.add((self.mmu.asid, page))
        self.access(HANDLER_CODE + 0x400, FETCH, True, 100)
        self.window(MMUAR, va & ~1 | supervisor)
        self.window(MMUOR, OR_STLB)
        self.window(MMUTR, 0)
        self.window(MMUOR, OR_ACC)

    def _kernel(self, step: Control) -> None:
        operations: dict[str, Callable[[], None]] = {
            "asid": lambda: self.control(0x003, step.value),
            "cnl": lambda: self.window(MMUOR, OR_CNL),
            "ca": lambda: self.window(MMUOR, OR_CA),
            "cas": lambda: self.window(MMUOR, OR_CAS),
            "preload": lambda: self._preload(step.value),
            "phase": lambda: self.rows.append((e.PHASE, step.value, 0)),
        }
        operations[step.what]()

    def _preload(self, va: int) -> None:
        """As a context switch does with the new stack: search, and load what is not there."""
        self.window(MMUAR, va & ~1)
        self.window(MMUOR, OR_STLB)
        if not self.mmu.mmusr & 2:
            tag, data = self.translation(va, READ)
            self.window(MMUTR, tag)
            self.window(MMUDR, data)
            self.window(MMUOR, OR_UAA | OR_ACC)
