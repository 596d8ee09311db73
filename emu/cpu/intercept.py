"""Which instructions unicorn must not execute, and by which of the two ways they are kept from it."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from emu.jit import njit
from emu.timing.isa import F_BITOP_MEM, F_ILLEGAL

__all__ = [
    "aborts",
    "clears_n",
    "intercepted_by_patch",
    "intercepted_by_table",
    "is_trapped",
    "is_trapped_publicly",
    "runs_alone",
]

# (mask, match) of every op word that is emulated (emu.cpu.traps), with the reason.
TRAPPED = (
    (0xFFFF, 0x4E7B),  # MOVEC: unicorn aborts the process on MMUBAR, ASID, RAMBAR, MBAR
    (0xFFC0, 0x4C40),  # DIVS.L, DIVU.L, REMS.L, REMU.L: INT_MIN / -1 raises SIGFPE in the host
    (0xF0C0, 0x80C0),  # DIVS.W: the same; DIVU.W keeps N when it overflows
    (0xFFFF, 0x4E72),  # STOP: unicorn would end the run without a hook
    (0xFF00, 0xF200),  # FPU: 80-bit numbers, denormals, no exceptions, no FPIAR (emu.cpu.fpu)
    (0xFF80, 0xF300),  # FSAVE raises 4, FRESTORE runs its own extension word
    (0xF100, 0xA000),  # MAC and MSAC: wrong sign, load not done (emu.cpu.emac)
    (0xF1C0, 0xA100),  # MOVE to the EMAC
    (0xF180, 0xA180),  # MOVE from the EMAC, MOVCLR
    (0xFFF8, 0xF428),  # INTOUCH: decoded as CPUSHL
    (0xFF00, 0xFB00),  # WDDATA raises 8 always, WDEBUG aborts the process
)
# The public engine cannot see SR after the guest writes it.
TRAPPED_PUBLICLY = ((0xFFF8, 0x46C0), (0xFFFF, 0x46FC))  # MOVE Dn,SR and MOVE #,SR
OP_MVZ, MVZ_MASK = 0x7180, 0xF180


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
    return op & MVZ_MASK == OP_MVZ


@njit
def runs_alone(op: int, flags: int) -> bool:
    """Public engine: whether unicorn may execute the instruction, but only by itself.

    MVZ has its flags mended; BSET, BCLR and BCHG of memory would spoil theirs when the write faults (unicorn-notes 5).
    """
    return clears_n(op) or flags & F_BITOP_MEM != 0


@njit
def intercepted_by_patch(op: int, flags: int) -> bool:
    """Public engine: whether ILLEGAL must stand in the fetched copy of the code instead of ``op``."""
    return flags & F_ILLEGAL != 0 or is_trapped(op) or is_trapped_publicly(op) or runs_alone(op, flags)


def intercepted_by_table(opcodes: NDArray[Any]) -> NDArray[np.bool_]:
    """Native engine: mask of shape (65536,) of op words whose slot in unicorn's table is redirected.

    Those emulated, and all that are no V4e instruction: unicorn executes thousands of them (68000 forms among them) and
    aborts on some.
    """
    mask: NDArray[np.bool_] = (opcodes["flags"] & F_ILLEGAL) != 0
    words = np.arange(65536)
    for bits, match in TRAPPED:
        mask |= (words & bits) == match
    return mask
