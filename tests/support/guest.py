"""A small supervisor environment for machine tests: memory map, vectors, and ways to set the MMU up by guest code.

The kernel lives at PA 0xC0000000 and is mapped one to one by ACR0 and ACR2, so that it never misses; every other
address goes through the TLBs. Every vector leads to a HALT of its own, so a test runs up to an exception and looks at
its frame.
"""

import struct
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from emu.board import Board
from emu.machine import Machine, RunResult, StopReason
from tests.support import asm
from tests.support.asm import Assembler, at, d, imm

ENGINES = ("native", "public", "reference")

RAM, RAM_BYTES = 0xC0000000, 4 << 20
MBAR = 0xF0000000
WINDOW = 0xFE000000
BOARD = Board("bench", "memory for tests", ((RAM, RAM_BYTES),), (0x80000000, 1 << 28), MBAR, 266_000_000)

VECTORS = RAM  # VBR ignores its low 20 bits
STUBS = RAM + 0x400  # 16 bytes per vector: HALT, then whatever a test puts there
HANDLERS = RAM + 0x1400  # code that a test puts behind a vector
CODE = RAM + 0x2000
DATA = RAM + 0x6000  # page tables, variables and the like of a test
STACK = RAM + 0x10000  # grows down
FRAMES = RAM + 0x100000  # physical memory for pages that go through the TLBs

MMUCR, MMUOR, MMUSR, MMUAR, MMUTR, MMUDR = (WINDOW + offset for offset in (0x00, 0x04, 0x08, 0x10, 0x14, 0x18))
# MMUOR bits (CF4UM 10-13)
STLB, CA, CNL, CAS, ITLB, ADR, READ, ACC, UAA = 0x100, 0x80, 0x40, 0x20, 0x10, 0x08, 0x04, 0x02, 0x01
# MMUDR bits (CF4UM 10-17)
SP, R, W, X, LK = 0x20, 0x10, 0x08, 0x04, 0x02
CM_INHIBITED = 0x80
SIZE_CODE = {20: 0, 12: 1, 13: 2, 10: 3}
DTLB_BASE = 32

KERNEL_ACR = RAM & 0xFF000000 | 0x0000A000  # 16 MB from RAM on, supervisor only
MBAR_ACR = MBAR & 0xFF000000 | 0x0000A040  # the same for the peripherals, inhibited
ONE_MEGABYTE = 0x400  # ACR[AMM]: compare A[23:20] too
EUSP = 0x20
SUPERVISOR_SR, USER_SR = 0x2700, 0x0000
EXCEPTION_CYCLES = 18


def tag(va: int, asid: int = 0, shared: bool = False, valid: bool = True) -> int:
    """An MMUTR image."""
    return va & 0xFFFFFC00 | asid << 2 | shared << 1 | valid


def image(pa: int, bits: int = 13, flags: int = R | W | X) -> int:
    """An MMUDR image for a page of 2**bits bytes."""
    return pa & 0xFFFFFC00 | SIZE_CODE[bits] << 8 | flags


@dataclass(frozen=True)
class Entry:
    """A TLB entry to load at TLB address ``number`` (ITLB 0-31, DTLB 32-63 in the hardware's geometry)."""

    number: int
    tag: int
    data: int

    @property
    def side(self) -> int:
        """MMUOR[ITLB] for this entry."""
        return ITLB if self.number < DTLB_BASE else 0


def store_long(value: int, address: int, scratch: int = asm.D0) -> bytes:
    """``value`` to the absolute ``address`` by way of Dscratch."""
    return asm.move("l", imm(value), d(scratch)) + asm.move("l", d(scratch), at(address))


def load_entry(entry: Entry) -> bytes:
    """Guest code that loads one TLB entry by number."""
    return b"".join(
        store_long(value, address)
        for address, value in (
            (MMUAR, entry.number),
            (MMUTR, entry.tag),
            (MMUDR, entry.data),
            (MMUOR, ADR | ACC | entry.side),
        )
    )


def enter_virtual_mode(
    entries: Iterable[Entry] = (),
    *,
    cacr: int = EUSP,
    asid: int = 0,
    mmucr: int = 1,
    acr0: int = KERNEL_ACR,
    acr1: int = MBAR_ACR,
) -> bytes:
    """Guest code: ACRs, CACR, MMUBAR, empty TLBs, the given entries, then MMUCR. Uses D0."""
    control = (
        (asm.ACR0, acr0),
        (asm.ACR1, acr1),
        (asm.ACR2, KERNEL_ACR),
        (asm.ACR3, 0),
        (asm.CACR, cacr),
        (asm.VBR, VECTORS),
        (asm.MMUBAR, WINDOW | 1),
        (asm.ASID, asid),
    )
    code = b"".join(asm.set_control(number, value) for number, value in control)
    code += store_long(CA, MMUOR) + b"".join(load_entry(entry) for entry in entries)
    return code + store_long(mmucr, MMUCR) + asm.NOP


def stub(vector: int) -> int:
    """Address of the handler of ``vector``."""
    return STUBS + 16 * vector


@dataclass(frozen=True)
class Frame:
    """An exception frame (548xRM 3-38) and where it stands."""

    address: int
    form: int
    fs: int
    vector: int
    sr: int
    pc: int


def read_frame(machine: Machine, address: int) -> Frame:
    """The frame at physical ``address``."""
    head, pc = struct.unpack(">II", machine.read_physical(address, 8))
    fs = head >> 24 & 0xC | head >> 16 & 3
    return Frame(address, head >> 28, fs, head >> 18 & 0xFF, head & 0xFFFF, pc)


class Bench:
    """A machine with the environment in place. ``run`` starts at CODE in supervisor mode with the MMU off."""

    def __init__(self, engine: str, *, board: Board = BOARD, **options: Any) -> None:
        self.machine = Machine(board, engine=engine, **options)
        self._free = HANDLERS
        table = b"".join(struct.pack(">I", stub(vector)) for vector in range(256))
        self.machine.write_physical(VECTORS, table)
        for vector in range(256):
            self.machine.write_physical(stub(vector), asm.HALT)
        self.machine.registers["vbr"] = VECTORS
        self.machine.registers["sr"] = SUPERVISOR_SR
        self.machine.registers["a7"] = STACK

    @property
    def registers(self) -> Any:
        """The machine's registers."""
        return self.machine.registers

    def put(self, address: int, code: bytes) -> None:
        """Host write, for use before the guest runs."""
        self.machine.write_physical(address, code)

    def handler(self, vector: int, code: bytes) -> None:
        """Replace the HALT of one vector by ``code``."""
        self.put(stub(vector), asm.jmp(at(self._free)))
        self.put(self._free, code)
        self._free += len(code) + 15 & ~15

    def start(self, code: bytes, address: int = CODE) -> None:
        """Load ``code`` and make it the next to run."""
        self.put(address, code)
        self.registers["pc"] = address

    def run(self, *code: bytes, budget: int = 20_000) -> RunResult:
        """Run the instructions at CODE until something stops them; the budget must not be used up."""
        self.start(b"".join(code))
        return self.resume(budget)

    def resume(self, budget: int = 20_000) -> RunResult:
        """Go on until something but the budget stops the guest."""
        result = self.machine.run(max_instructions=budget)
        assert result.reason is not StopReason.INSTRUCTIONS, self.machine.describe()
        return result

    def exception(self, *code: bytes) -> Frame:
        """Run the instructions up to the first exception that has no handler; its frame."""
        result = self.run(*code)
        vector, offset = divmod(result.pc - STUBS, 16)
        assert result.reason is StopReason.HALT, result
        assert offset == len(asm.HALT), f"stopped at {result.pc:#x}, which is no exception handler"
        frame = read_frame(self.machine, self.registers["a7"])
        assert frame.vector == vector
        return frame

    def long(self, address: int) -> int:
        """A longword of physical memory."""
        value: int = struct.unpack(">I", self.machine.read_physical(address, 4))[0]
        return value

    def data_registers(self) -> list[int]:
        """D0 to D7."""
        return [self.registers[f"d{i}"] for i in range(8)]


@contextmanager
def bench(engine: str, **options: Any) -> Iterator[Bench]:
    """A Bench that is closed afterwards."""
    guest = Bench(engine, **options)
    try:
        yield guest
    finally:
        guest.machine.close()


def go_to(address: int, sr: int, frame_at: int = STACK) -> bytes:
    """Guest code: RTE to ``address`` with ``sr``; the frame stands below ``frame_at``. Uses D0, sets SSP."""
    return (
        asm.lea(at(frame_at - 8), asm.SP)
        + store_long(0x40000000 | sr, frame_at - 8)
        + store_long(address, frame_at - 4)
        + asm.RTE
    )


def program(parts: Sequence[bytes], origin: int = CODE) -> Assembler:
    """An assembler that already holds ``parts``."""
    assembler = Assembler(origin)
    assembler.add(*parts)
    return assembler
