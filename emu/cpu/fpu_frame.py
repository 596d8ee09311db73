"""FSAVE and FRESTORE (CFPRM; 548xRM 6-24): a frame of four longwords that says whether the FPU holds state.

unicorn implements neither. No FPU exception is ever pending here, so a saved FPU is idle, and what a frame says beside
its format is not needed to go on.
"""

from emu.cpu.blocks import unwind
from emu.cpu.exceptions import access_error, refuse
from emu.cpu.memory import write32
from emu.cpu.operand import OPERAND_FAULT, OPERAND_ILLEGAL, read_bytes, sign16, word
from emu.cpu.processor import get_register, reset_fpu, set_pc, set_register
from emu.cpu.state import State
from emu.jit import njit
from emu.mmu.registers import VECTOR_FORMAT_ERROR, VECTOR_ILLEGAL
from emu.mmu.state import READ, WRITE

__all__ = ["do_fpu_frame"]

FRAME_BYTES = 16
FORMAT_NULL, FORMAT_IDLE, FORMAT_EXCP = 0x00, 0x05, 0xE5
F_RESTORE_BIT = 0x40


@njit
def frame_address(s: State, pc: int, mode: int) -> tuple[int, int, int, int, int]:
    """(OPERAND_*, VA of the frame, An to update or -1, its new value, bytes of extension words)."""
    kind, r = mode >> 3, mode & 7
    base = get_register(s, 8 + r)
    if kind == 2:
        return 0, base, -1, 0, 0
    if kind == 3:
        return 0, base, 8 + r, (base + FRAME_BYTES) & 0xFFFFFFFF, 0
    if kind == 4:
        va = (base - FRAME_BYTES) & 0xFFFFFFFF
        return 0, va, 8 + r, va, 0
    if kind == 5:
        return 0, (base + sign16(word(s, pc + 2))) & 0xFFFFFFFF, -1, 0, 2
    if kind == 7 and r == 2:
        return 0, (pc + 2 + sign16(word(s, pc + 2))) & 0xFFFFFFFF, -1, 0, 2
    return OPERAND_ILLEGAL, 0, -1, 0, 0


@njit
def store_frame(s: State, va: int, pc: int) -> bool:
    """Write an idle frame; False when an access error was taken instead."""
    for i in range(4):
        at = (va + 4 * i) & 0xFFFFFFFF
        if not write32(s, at, FORMAT_IDLE << 24 if i == 0 else 0):
            unwind(s, pc)
            access_error(s, at, WRITE, 1, pc)
            return False
    return True


@njit
def do_fpu_frame(s: State, op: int, pc: int) -> bool:
    """FSAVE or FRESTORE at ``pc``; False when the machine halts. Privilege has been checked."""
    outcome, va, update, new, extra = frame_address(s, pc, op & 0x3F)
    if outcome == OPERAND_ILLEGAL:
        return refuse(s, VECTOR_ILLEGAL, pc)
    if op & F_RESTORE_BIT:
        outcome, head = read_bytes(s, va, 4)
        if outcome == OPERAND_FAULT:
            unwind(s, pc)
            return access_error(s, head, READ, 1, pc)
        form = head >> 24
        if form != FORMAT_NULL and form != FORMAT_IDLE and form != FORMAT_EXCP:
            return refuse(s, VECTOR_FORMAT_ERROR, pc)
        if form == FORMAT_NULL:
            reset_fpu(s)
    elif not store_frame(s, va, pc):
        return bool(s.halted == 0)
    if update >= 0:
        set_register(s, update, new)
    set_pc(s, (pc + 2 + extra) & 0xFFFFFFFF)
    return True
