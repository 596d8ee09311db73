"""Which instructions unicorn must not execute, for compiled code."""

from emu.cpu.trapped import (
    IN_MEMORY,
    MOV3Q_MASK,
    MOV3Q_MATCH,
    MVZ_MASK,
    MVZ_MATCH,
    READ_ONLY,
    TRAPPED,
    TRAPPED_PUBLICLY,
)
from emu.jit import njit
from emu.timing.isa import F_BITOP_MEM, F_ILLEGAL

__all__ = [
    "aborts",
    "clears_n",
    "intercepted_by_patch",
    "is_trapped",
    "is_trapped_publicly",
    "runs_alone",
    "stores_quick",
]


@njit
def is_trapped(op: int) -> bool:
    """Whether both engines emulate the instruction with op word ``op``."""
    found = False
    for pair in TRAPPED:
        found |= op & pair[0] == pair[1]
    return found


@njit
def is_trapped_publicly(op: int) -> bool:
    """Whether the public engine emulates it as well."""
    found = False
    for pair in TRAPPED_PUBLICLY:
        found |= op & pair[0] == pair[1]
    return found


@njit
def aborts(op: int) -> bool:
    """Whether unicorn may abort the process when it translates the word as an op word: FPU instructions with operands
    that it does not know, and WDEBUG. Of all 65536 op words these are the only ones."""
    return op & 0xFF00 == 0xF200 or op & 0xFFC0 == 0xFBC0


@njit
def clears_n(op: int) -> bool:
    """MVZ: the result is positive, but unicorn sets N from the source's top bit."""
    return op & MVZ_MASK == MVZ_MATCH


@njit
def stores_quick(op: int) -> bool:
    """MOV3Q to memory: unicorn replaces the flags before it stores."""
    return op & MOV3Q_MASK == MOV3Q_MATCH and IN_MEMORY <= op & 0x3F < READ_ONLY


@njit
def runs_alone(op: int, flags: int) -> bool:
    """Public engine: whether unicorn may execute the instruction, but only by itself.

    MVZ has its flags mended; BSET, BCLR, BCHG and MOV3Q to memory would spoil theirs when the write faults
    (unicorn-notes 5).
    """
    return clears_n(op) or stores_quick(op) or flags & F_BITOP_MEM != 0


@njit
def intercepted_by_patch(op: int, flags: int) -> bool:
    """Public engine: whether ILLEGAL must stand in the fetched copy of the code instead of ``op``."""
    return flags & F_ILLEGAL != 0 or is_trapped(op) or is_trapped_publicly(op) or runs_alone(op, flags)
