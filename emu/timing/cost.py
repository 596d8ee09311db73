"""Cycles of one instruction, callable from native code.

The flat model of the hardware sheet 4.8: a number per op word, except for the instructions whose extension word
decides (register lists, FPU operations). Two facts are our reading and not a manual cell: MOVEM of an empty list costs
one cycle, and a double-precision memory operand costs one cycle more than a single one because it is two longwords.
"""

from typing import Any

from emu.jit import njit, njit_entry
from emu.timing.isa import F_FPU, F_MOVEM

__all__ = ["fpu_cycles", "instruction_cycles", "popcount16"]

# Opmodes of the FPU extension word, bits 6-0 (CFPRM; GAS). FS*/FD* forms: bit 6 set, bit 2 chooses double.
_FMOVE = 0x00
_FSQRT = 0x04
_FABS = 0x18
_FNEG = 0x1A
_FDIV = 0x20
_FTST = 0x3A
_ROUNDED = 0x40
_ROUNDED_BASE_MASK = 0x3B
_ROUNDED_FSQRT = 0x01

# Opclasses, bits 15-13 of the FPU extension word.
_MEMORY_TO_REGISTER = 2
_REGISTER_TO_MEMORY = 3
_FIRST_CONTROL_MOVE = 4
_FIRST_FMOVEM = 6

_FORMAT_DOUBLE = 5
_LONGWORDS_PER_DOUBLE = 2

# Hardware sheet 4.6, register operands: GCC cfv4 [1S].
_CYCLES_SIMPLE = 1
_CYCLES_PIPELINE = 4
_CYCLES_FDIV = 23
_CYCLES_FSQRT = 56


@njit_entry
def popcount16(value: int) -> int:
    """Number of one bits in the low 16 bits of ``value``."""
    v = value & 0xFFFF
    v = v - ((v >> 1) & 0x5555)
    v = (v & 0x3333) + ((v >> 2) & 0x3333)
    v = (v + (v >> 4)) & 0x0F0F
    return (v + (v >> 8)) & 0x1F


@njit
def _arithmetic_cycles(opmode: int) -> int:
    """Cycles of one FPU opmode with register operands (sheet 4.6)."""
    if opmode & _ROUNDED:
        opmode &= _ROUNDED_BASE_MASK
        if opmode == _ROUNDED_FSQRT:
            opmode = _FSQRT
    if opmode == _FSQRT:
        return _CYCLES_FSQRT
    if opmode == _FDIV:
        return _CYCLES_FDIV
    if opmode in (_FMOVE, _FABS, _FNEG, _FTST):
        return _CYCLES_SIMPLE
    return _CYCLES_PIPELINE


@njit_entry
def fpu_cycles(op: int, ext: int) -> int:
    """Cycles of a general FPU instruction: op word ``op`` (0xF200 group) and its extension word ``ext``."""
    opclass = (ext >> 13) & 7
    if opclass >= _FIRST_FMOVEM:
        return max(_LONGWORDS_PER_DOUBLE * popcount16(ext & 0xFF), 1)
    if opclass >= _FIRST_CONTROL_MOVE:
        return _CYCLES_SIMPLE
    second_longword = 0
    in_memory = (op & 0x38) != 0
    if opclass >= _MEMORY_TO_REGISTER and in_memory and (ext >> 10) & 7 == _FORMAT_DOUBLE:
        second_longword = 1
    if opclass == _REGISTER_TO_MEMORY:
        return _CYCLES_SIMPLE + second_longword
    return _arithmetic_cycles(ext & 0x7F) + second_longword


@njit_entry
def instruction_cycles(table: Any, op: int, ext: int) -> int:
    """Core cycles of the instruction with op word ``op`` and following word ``ext`` (both 0 to 0xFFFF).

    ``table``: :func:`emu.timing.optable.opcode_table`. 0 for illegal op words and for TRAP, whose cost is the
    exception entry that the engine charges.
    """
    flags = table[op].flags
    if flags & F_MOVEM:
        return max(popcount16(ext), 1)
    if flags & F_FPU:
        return fpu_cycles(op, ext)
    cycles: int = table[op].cycles
    return cycles
