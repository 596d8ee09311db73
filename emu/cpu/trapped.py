"""The op words that unicorn must not execute, or whose translation is put right."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from emu.timing.isa import F_ILLEGAL

__all__ = [
    "CACHE_COMMAND",
    "CACHE_COMMAND_MASK",
    "IN_MEMORY",
    "MOV3Q_MASK",
    "MOV3Q_MATCH",
    "MOVE_USP_MASK",
    "MVZ_MASK",
    "MVZ_MATCH",
    "OP_CLR",
    "OP_CLR_L",
    "OP_MOVE_USP",
    "OP_TST_L",
    "READ_ONLY",
    "TRAPPED",
    "TRAPPED_PUBLICLY",
    "intercepted_by_table",
]

CACHE_COMMAND_MASK, CACHE_COMMAND = 0xFF38, 0xF428  # INTOUCH (bits 7-6 = 0), CPUSHL dc, ic, bc
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
    (CACHE_COMMAND_MASK, CACHE_COMMAND),  # INTOUCH is decoded as CPUSHL; both take time (emu.timing.caches)
    (0xFF00, 0xFB00),  # WDDATA raises 8 always, WDEBUG aborts the process
)
OP_MOVE_USP, MOVE_USP_MASK = 0x4E60, 0xFFF0
# The public engine cannot see SR after the guest writes it.
TRAPPED_PUBLICLY = (
    (0xFFF8, 0x46C0),  # MOVE Dn,SR
    (0xFFFF, 0x46FC),  # MOVE #,SR
    (MOVE_USP_MASK, OP_MOVE_USP),  # the native engine intercepts it only while CACR[EUSP] is clear
)
MVZ_MASK, MVZ_MATCH = 0xF180, 0x7180  # MVZ.B and MVZ.W: N is wrong (emu.cpu.decoders)
OP_TST_L = 0x4A80  # TST.L D0
MOV3Q_MASK, MOV3Q_MATCH = 0xF1C0, 0xA140  # MOV3Q: its flags are set before its store (emu.cpu.decoders)
OP_CLR, OP_CLR_L = 0x4200, 0x4280  # CLR.B D0, CLR.L D0
IN_MEMORY, READ_ONLY = 0x10, 0x3A  # effective addresses below and from there on are registers, and not written


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
