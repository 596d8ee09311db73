"""Cycles of one instruction, callable from native code.

The flat model of the hardware sheet 4.8: a number per op word, except for the instructions whose extension word
decides (register lists, FPU operations). Two facts are our reading and not a manual cell: MOVEM of an empty list costs
one cycle, and a double-precision memory operand costs more than a single one because it is two longwords.
"""

from typing import Any

from emu.jit import njit, njit_entry
from emu.timing.isa import F_FPU, F_MOVEM

__all__ = [
    "FIRST_CONTROL_MOVE",
    "FIRST_FMOVEM",
    "FMOVEM_TO_MEMORY",
    "MEMORY_TO_REGISTER",
    "REGISTER_TO_MEMORY",
    "fpu_cycles",
    "instruction_cycles",
    "is_comparison",
    "is_dyadic",
    "is_pipelined",
    "is_test",
    "popcount16",
]

# Opmodes of the FPU extension word, bits 6-0 (CFPRM; GAS). FS*/FD* forms: bit 6 set, bit 2 chooses double.
_FMOVE = 0x00
_FINT = 0x01
_FINTRZ = 0x03
_FSQRT = 0x04
_FABS = 0x18
_FNEG = 0x1A
_FDIV = 0x20
_FCMP = 0x38
_FTST = 0x3A
_ROUNDED = 0x40
_ROUNDED_BASE_MASK = 0x3B
_ROUNDED_FSQRT = 0x01

# Opclasses, bits 15-13 of the FPU extension word.
MEMORY_TO_REGISTER = 2
REGISTER_TO_MEMORY = 3
FIRST_CONTROL_MOVE = 4
FIRST_FMOVEM = 6
FMOVEM_TO_MEMORY = 7

_FORMAT_DOUBLE = 5


@njit_entry
def popcount16(value: int) -> int:
    """Number of one bits in the low 16 bits of ``value``."""
    v = value & 0xFFFF
    v = v - ((v >> 1) & 0x5555)
    v = (v & 0x3333) + ((v >> 2) & 0x3333)
    v = (v + (v >> 4)) & 0x0F0F
    return (v + (v >> 8)) & 0x1F


@njit
def _plain(opmode: int) -> int:
    """The opmode without the choice of a rounding precision."""
    if opmode & _ROUNDED:
        opmode &= _ROUNDED_BASE_MASK
        if opmode == _ROUNDED_FSQRT:
            opmode = _FSQRT
    return opmode


@njit
def is_comparison(opmode: int) -> bool:
    """FCMP."""
    return _plain(opmode) == _FCMP


@njit
def is_test(opmode: int) -> bool:
    """FTST."""
    return _plain(opmode) == _FTST


@njit
def is_dyadic(opmode: int) -> bool:
    """Whether the destination is an operand, too: FADD, FSUB, FMUL, FDIV, FCMP."""
    return _plain(opmode) not in (_FMOVE, _FINT, _FINTRZ, _FSQRT, _FABS, _FNEG, _FTST)


@njit
def is_pipelined(opmode: int) -> bool:
    """Whether the operation takes several cycles and another may start in each of them."""
    return _plain(opmode) not in (_FMOVE, _FSQRT, _FABS, _FNEG, _FDIV, _FTST)


@njit
def _arithmetic_cycles(costs: Any, opmode: int) -> int:
    """Cycles of one FPU opmode with register operands (sheet 4.6)."""
    opmode = _plain(opmode)
    if opmode == _FSQRT:
        return int(costs.fsqrt)
    if opmode == _FDIV:
        return int(costs.fdiv)
    return int(costs.fpu_pipeline if is_pipelined(opmode) else costs.fpu_move)


@njit
def fpu_cycles(costs: Any, op: int, ext: int) -> int:
    """Cycles of a general FPU instruction: op word ``op`` (0xF200 group) and its extension word ``ext``."""
    opclass = (ext >> 13) & 7
    if opclass >= FIRST_FMOVEM:
        return int(max((costs.fpu_move + costs.fpu_second_longword) * popcount16(ext & 0xFF), costs.fpu_move))
    if opclass >= FIRST_CONTROL_MOVE:
        return int(costs.fpu_move)
    second_longword = 0
    in_memory = (op & 0x38) != 0
    if opclass >= MEMORY_TO_REGISTER and in_memory and (ext >> 10) & 7 == _FORMAT_DOUBLE:
        second_longword = costs.fpu_second_longword
    if opclass == REGISTER_TO_MEMORY:
        return int(costs.fpu_move + second_longword)
    return int(_arithmetic_cycles(costs, ext & 0x7F) + second_longword)


@njit
def instruction_cycles(costs: Any, row: Any, op: int, ext: int) -> int:
    """Core cycles of the instruction with op word ``op`` and following word ``ext`` (both 0 to 0xFFFF), flat.

    ``row``: its record of :func:`emu.timing.optable.opcode_table`. 0 for illegal op words and for TRAP, whose cost is
    the exception entry that the engine charges.
    """
    if row.flags & F_MOVEM:
        return int(row.cycles * max(popcount16(ext), 1))
    if row.flags & F_FPU:
        return fpu_cycles(costs, op, ext)
    return int(row.cycles)
