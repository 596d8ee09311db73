"""Our disassembly beside GNU objdump's, which shares nothing with it: the same instructions, or a reason is listed."""

import struct
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from emu.cpu.fpu import OPERATIONS
from emu.debug.disassembly import FPU_OPMODES, disassemble
from emu.elf import Elf, load_elf
from emu.timing.optable import F_ILLEGAL, F_INDEXED, opcode_table
from firmware import nucleus
from kernel_model import abi
from tests.support.linux import vmlinux
from tests.support.objdump import MISSING, OBJDUMP, disassemble_units, from_objdump, from_ours, listing

pytestmark = pytest.mark.skipif(OBJDUMP is None, reason=MISSING)

TABLE = opcode_table()
LEGAL = [int(op) for op in np.flatnonzero((TABLE["flags"] & F_ILLEGAL) == 0)]
# Between them they complete every two-word form, and set bits that are reserved.
EXTENSIONS = (0x0000, 0x0800, 0x0003, 0x4400, 0x6400, 0x8400, 0xD001, 0x0900, 0x0002, 0x1234, 0x8ABC)
UNIT = 24


@dataclass(frozen=True)
class Reason:
    """Why the two differ where ``holds(op, extension, our text, their text)``."""

    why: str
    holds: Callable[[int, int, str, str], bool]


def is_fpu(op: int) -> bool:
    return op & 0xFFC0 == 0xF200


REASONS = (
    Reason(
        "bits 15-8 of a bit number must be zero, else the instruction is illegal; objdump ignores them",
        lambda op, ext, ours, theirs: op & 0xFF00 == 0x0800 and ext & 0xFF00 != 0 and ours.startswith(".short"),
    ),
    Reason(
        "CCR has five bits; objdump prints the whole immediate",
        lambda op, ext, ours, theirs: op == 0x44FC,
    ),
    Reason(
        "with one register for both results it is DIVU or DIVS (CFPRM 4-36, 4-40); objdump calls it REM",
        lambda op, ext, ours, theirs: op & 0xFFC0 == 0x4C40 and ours.startswith("div") and theirs.startswith("rem"),
    ),
    Reason(
        "a reserved bit of the extension word of DIV is set",
        lambda op, ext, ours, theirs: op & 0xFFC0 == 0x4C40 and ext & 0x0400 != 0,
    ),
    Reason(
        "objdump names control registers of other processors",
        lambda op, ext, ours, theirs: op == 0x4E7B and ours.split(", ")[1].startswith("#"),
    ),
    Reason(
        "reserved bits of the extension word of MAC are set: objdump ignores them, capstone does not",
        lambda op, ext, ours, theirs: op & 0xF100 == 0xA000 and ext & 0x01FF & 0xF != 0 and ours.startswith(".short"),
    ),
    Reason(
        "a scale factor of MAC that is reserved; objdump prints data",
        lambda op, ext, ours, theirs: op & 0xF100 == 0xA000 and ext >> 9 & 3 == 2,
    ),
    Reason(
        "objdump takes the immediate of a move to an accumulator extension for A4",
        lambda op, ext, ours, theirs: op & 0xFBFF == 0xAB3C and "%a4" in theirs,
    ),
    Reason(
        "an FPU operation between registers has no effective address; the engine refuses one, objdump ignores it",
        lambda op, ext, ours, theirs: is_fpu(op) and op & 0x3F != 0 and ext >> 13 == 0 and ours.startswith(".short"),
    ),
    Reason(
        "reserved bits of a move to or from an FPU control register are set; objdump prints data",
        lambda op, ext, ours, theirs: is_fpu(op) and ext >> 13 in (4, 5) and ext & 0x3FF != 0,
    ),
    Reason(
        "FMOVE An,FPIAR (548xRM 6-27), which objdump does not know",
        lambda op, ext, ours, theirs: is_fpu(op) and op >> 3 & 7 == 1 and ext >> 13 in (4, 5) and ext >> 10 & 7 == 1,
    ),
    Reason(
        "an index in the full format of the 68020, an address error here (sheet 3.6)",
        lambda op, ext, ours, theirs: TABLE["flags"][op] & F_INDEXED != 0 and ext & 0x100 != 0 and ours[0] == ".",
    ),
    Reason(
        "FRESTORE relative to PC (CFPRM 7-29), which objdump does not know",
        lambda op, ext, ours, theirs: op == 0xF37A,
    ),
    Reason(
        "INTOUCH (CFPRM 8-8), which objdump takes for CPUSHL",
        lambda op, ext, ours, theirs: op & 0xFFF8 == 0xF428,
    ),
)


def same(ours: str, theirs: str) -> bool:
    return from_ours(ours) == from_objdump(theirs)


@pytest.mark.slow
def test_every_legal_op_word() -> None:
    cases = [(op, ext) for op in LEGAL for ext in (EXTENSIONS if TABLE["words"][op] > 1 else EXTENSIONS[:1])]
    units = [struct.pack(">HHI", op, ext, 0x12345678) for op, ext in cases]
    unexplained = []
    used: set[str] = set()
    for i, ((op, ext), unit, (words, theirs)) in enumerate(
        zip(cases, units, disassemble_units(units, UNIT), strict=True)
    ):
        (line,) = disassemble(unit, i * UNIT)
        if same(line.text, theirs):
            assert len(line.bytes) == 2 * words or line.text.startswith(".short"), (hex(op), hex(ext))
            continue
        reason = next((r for r in REASONS if r.holds(op, ext, line.text, theirs)), None)
        if reason is None:
            unexplained.append((hex(op), hex(ext), line.text, theirs))
        else:
            used.add(reason.why)
    assert unexplained == []
    assert used == {reason.why for reason in REASONS}  # none is left over


def test_the_operations_of_the_fpu_are_the_engines() -> None:
    assert {mode for mode in range(128) if OPERATIONS[mode] >= 0} == FPU_OPMODES


def compare_program(elf: Elf) -> None:
    """All of the code of a program, from its first byte to its last."""
    segment = next(s for s in elf.segments if s.vaddr <= elf.entry < s.vaddr + s.memsz)
    theirs = dict(listing(segment.data, segment.vaddr))
    lines = disassemble(segment.data, segment.vaddr, len(segment.data))
    met = [(line, theirs[line.va][1]) for line in lines if line.va in theirs]
    assert len(met) > 0.99 * len(lines)  # both read one after the other, and meet again after data
    different = [
        (hex(line.va), line.text, text)
        for line, text in met
        if not same(line.text, text) and not explained(line.bytes, line.text, text)
    ]
    assert different == []


def explained(code: bytes, ours: str, theirs: str) -> bool:
    op, ext = int.from_bytes(code[:2]), int.from_bytes(code[2:4])
    if ours.startswith(".short") and TABLE["flags"][op] & F_ILLEGAL:
        return True  # objdump ignores bits of the op word: tests/unit/timing/test_objdump.py lists them
    second = int.from_bytes(code[-2:])  # of MOVE: the destination's index
    return any(reason.holds(op, ext, ours, theirs) or reason.holds(op, second, ours, theirs) for reason in REASONS)


def test_the_firmware() -> None:
    compare_program(load_elf(nucleus(abi.KVA).path))


@pytest.mark.slow
def test_linux() -> None:
    compare_program(vmlinux())
