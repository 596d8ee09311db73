"""Disassembly of V4e code: capstone for the text, our own op-word table for what is legal and how long it is.

capstone's ColdFire mode prints 68000 forms that no ColdFire has, knows neither ASID nor MMUBAR as names, and rejects
TST of an address register. The op-word table decides all three, so that what the debugger shows as one instruction is
what the engine counts as one.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from typing import Protocol, cast

from emu.timing.optable import F_ILLEGAL, F_INDEXED, opcode_table

__all__ = ["CONTROL_REGISTERS", "FPU_OPMODES", "Line", "disassemble"]

# MOVEC numbers of the V4e (hardware sheet 2.1).
CONTROL_REGISTERS = {
    0x002: "cacr",
    0x003: "asid",
    0x004: "acr0",
    0x005: "acr1",
    0x006: "acr2",
    0x007: "acr3",
    0x008: "mmubar",
    0x801: "vbr",
    0xC04: "rambar0",
    0xC05: "rambar1",
    0xC0F: "mbar",
}

_MOVEC = 0x4E7B
_TST_MASK, _TST = 0xFF00, 0x4A00
_MOVE_BYTE_OF_AN_MASK, _MOVE_BYTE_OF_AN, _WORD_BIT = 0xF178, 0x7108, 0x40
_MOVES, _INDEXED, _PC_INDEXED, _FULL_FORMAT = (1, 2, 3), 6, 0o73, 0x100
# FPU: by the upper three bits of the extension word what is done; opmodes and source formats (548xRM 6.6): no X, no P.
_FPU_MASK, _FPU = 0xFFC0, 0xF200
_FPU_REGISTERS, _FPU_LOAD, _FPU_STORE, _FPU_CONTROL, _FPU_MULTIPLE = 0, 2, 3, (4, 5), (6, 7)
_FPU_FORMATS, _FPU_DOUBLE = (0, 1, 4, 5, 6), 5
FPU_OPMODES = frozenset(
    {0x00, 0x01, 0x03, 0x04, 0x18, 0x1A, 0x20, 0x22, 0x23, 0x28, 0x38, 0x3A}
    | {mode + double for mode in (0x40, 0x41, 0x58, 0x5A, 0x60, 0x62, 0x63, 0x68) for double in (0, 4)}
)
# MOVE.B/W/L <ea>,D0 has the same effective address, and the same extension words, as TST.B/W/L <ea>.
_MOVE_FOR_TST_SIZE = {0x00: (0x1000, "b"), 0x40: (0x3000, "w"), 0x80: (0x2000, "l")}


@dataclass(frozen=True, slots=True)
class Line:
    """One disassembled instruction, or data: its address, its bytes (1 to 6) and its text."""

    va: int
    bytes: bytes
    text: str


class _Instruction(Protocol):
    """What we use of capstone's CsInsn."""

    size: int
    mnemonic: str
    op_str: str


class _Disassembler(Protocol):
    """What we use of capstone's Cs."""

    def disasm(self, code: bytes, offset: int, count: int) -> Iterator[_Instruction]:
        """Decode up to ``count`` instructions of ``code``, which lies at address ``offset``."""


class _Capstone(Protocol):
    """The typed facade of the capstone module, which ships no annotations."""

    CS_ARCH_M68K: int
    CS_MODE_BIG_ENDIAN: int
    CS_MODE_M68K_CFV4E: int

    def Cs(self, arch: int, mode: int) -> _Disassembler:
        """Open a disassembler."""


@lru_cache(maxsize=1)
def _disassembler() -> _Disassembler:
    """The one capstone handle; loaded on first use because importing capstone takes longer than `cfemu --help` may."""
    capstone = cast(_Capstone, import_module("capstone"))
    return capstone.Cs(capstone.CS_ARCH_M68K, capstone.CS_MODE_BIG_ENDIAN | capstone.CS_MODE_M68K_CFV4E)


def disassemble(code: bytes, va: int, count: int = 1) -> list[Line]:
    """At most ``count`` lines from ``code``, whose first byte lies at ``va``; fewer only if ``code`` ends.

    Never raises on any bytes: what is no V4e instruction, or is cut off, becomes ``.short 0x....`` (``.byte`` for a
    last odd byte).
    """
    lines: list[Line] = []
    offset = 0
    while offset < len(code) and len(lines) < count:
        line = _one(code[offset : offset + 6], (va + offset) & 0xFFFFFFFF)
        lines.append(line)
        offset += len(line.bytes)
    return lines


def _one(window: bytes, va: int) -> Line:
    """The line of the first instruction in ``window`` (1 to 6 bytes)."""
    if len(window) < 2:
        return Line(va, window, f".byte {window[0]:#04x}")
    op = _word(window, 0)
    entry = opcode_table()[op]
    size = 2 * int(entry["words"])
    if entry["flags"] & F_ILLEGAL or size > len(window):
        return Line(va, window[:2], _as_data(window[:2]))
    code = window[:size]
    if size > 2 and not _completes(op, int(entry["forbidden"]), code):
        return Line(va, code, _as_data(code))
    return Line(va, code, _text(op, code, va) or _as_data(code))


def _completes(op: int, forbidden: int, code: bytes) -> bool:
    """Whether the V4e has an instruction with this op word and these extension words.

    Those that it refuses the engine refuses too, after having fetched as many words as the op word asks for.
    """
    extension = _word(code, 2)
    if _has_full_index(op, code):
        return False
    if op & _FPU_MASK != _FPU:
        return not extension & forbidden
    mode, kind = op & 0x3F, extension >> 13
    if kind == _FPU_REGISTERS:
        return mode == 0 and extension & 0x7F in FPU_OPMODES
    if kind == _FPU_LOAD:
        return extension & 0x7F in FPU_OPMODES and _fpu_operand(mode, extension)
    if kind == _FPU_STORE:
        return mode >> 3 != 7 and _fpu_operand(mode, extension)
    if kind in _FPU_MULTIPLE:
        return extension & 0x1F00 == 0x1000 and mode >> 3 in (2, 5, 7)
    return kind in _FPU_CONTROL and extension >> 10 & 7 in (1, 2, 4)


def _has_full_index(op: int, code: bytes) -> bool:
    """Whether an index is in the full format of the 68020, with indirection and displacements of its own."""
    last = len(code) - 2
    found = []
    if op >> 12 in _MOVES:
        if op >> 6 & 7 == _INDEXED:
            found.append(last)
        if _is_indexed(op & 0x3F):
            found.append(2)
    elif opcode_table()[op]["flags"] & F_INDEXED:
        found.append(last)
    return any(_word(code, at) & _FULL_FORMAT for at in found)


def _is_indexed(mode: int) -> bool:
    """Whether a 6-bit effective address is (d8,An,Xi) or (d8,PC,Xi)."""
    return mode >> 3 == _INDEXED or mode == _PC_INDEXED


def _fpu_operand(mode: int, extension: int) -> bool:
    """Whether the effective address can hold a number of this format: no address register; a double no register."""
    number_format = extension >> 10 & 7
    no_double = mode >> 3 == 0
    return number_format in _FPU_FORMATS and mode >> 3 != 1 and not (no_double and number_format == _FPU_DOUBLE)


def _text(op: int, code: bytes, va: int) -> str | None:
    """Text of one legal instruction, or None if nobody can tell it."""
    if op == _MOVEC:
        return _movec(_word(code, 2))
    if op & _TST_MASK == _TST and (op & 0xC0) in _MOVE_FOR_TST_SIZE:
        return _tst(op, code, va) or _capstone(code, va)
    if op & _MOVE_BYTE_OF_AN_MASK == _MOVE_BYTE_OF_AN:
        return _move_byte_of_an(op, va)
    return _capstone(code, va)


def _movec(extension: int) -> str:
    """Text of MOVEC with the V4e's own register names; numbers it does not have stay numbers."""
    kind = "a" if extension & 0x8000 else "d"
    number = extension & 0xFFF
    return f"movec {kind}{extension >> 12 & 7}, {CONTROL_REGISTERS.get(number, f'#${number:x}')}"


def _tst(op: int, code: bytes, va: int) -> str | None:
    """Text of TST, by way of MOVE <ea>,D0: capstone refuses TST of An, PC-relative and immediate operands."""
    move, size = _MOVE_FOR_TST_SIZE[op & 0xC0]
    text = _capstone((move | op & 0x3F).to_bytes(2, "big") + code[2:], va)
    return None if text is None else f"tst.{size} " + text.split(" ", 1)[1].removesuffix(", d0")


def _move_byte_of_an(op: int, va: int) -> str | None:
    """Text of MVS.B and MVZ.B with an address register, which capstone refuses, by way of the word form."""
    text = _capstone((op | _WORD_BIT).to_bytes(2, "big"), va)
    return None if text is None else text.replace(".w", ".b", 1)


def _capstone(code: bytes, va: int) -> str | None:
    """capstone's text, or None if it decodes nothing or anything but exactly ``code``."""
    for instruction in _disassembler().disasm(code, va, 1):
        if instruction.size == len(code) and not instruction.mnemonic.startswith("dc."):
            return f"{instruction.mnemonic} {instruction.op_str}".strip()
    return None


def _as_data(code: bytes) -> str:
    """The words of ``code`` as assembler data."""
    return ".short " + ", ".join(f"{_word(code, i):#06x}" for i in range(0, len(code), 2))


def _word(code: bytes, offset: int) -> int:
    """The big-endian word at ``offset``."""
    return int.from_bytes(code[offset : offset + 2], "big")
