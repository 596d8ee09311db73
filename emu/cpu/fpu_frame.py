"""FSAVE and FRESTORE (CFPRM; 548xRM 6-24): a frame of four longwords that holds what the programming model does not.

The sheet gives the size and the formats. Where the rest lies is our choice: format, vector and FPCR in the first
longword, the old destination value in the next two, FPSR in the last.
"""

from emu.cpu.blocks import instruction_length, unwind
from emu.cpu.exceptions import access_error, refuse
from emu.cpu.fpu import exception_vector, pending
from emu.cpu.operand import OPERAND_FAULT, address_of, read_bytes
from emu.cpu.processor import set_pc
from emu.cpu.state import DEFAULT_NAN, FPCR_WRITABLE, FPSR_WRITABLE, State
from emu.cpu.stores import write_bytes
from emu.jit import njit
from emu.mmu.registers import VECTOR_FORMAT_ERROR
from emu.mmu.state import READ, WRITE

__all__ = ["do_fpu_frame", "reset_fpu"]

FRAME_BYTES = 16
FORMAT_NULL, FORMAT_IDLE, FORMAT_EXCP = 0x00, 0x05, 0xE5
F_RESTORE_BIT = 0x40


@njit
def reset_fpu(s: State) -> None:
    """Reset, and FRESTORE of a null frame: NaNs, and control registers clear (548xRM 6-24)."""
    for i in range(8):
        s.fp[i] = DEFAULT_NAN
    s.fpcr = s.fpsr = s.fpiar = 0
    s.fp_used = 0


@njit
def frame_word(s: State, i: int) -> int:
    """Longword ``i`` of the frame to be saved."""
    if i == 0:
        form = FORMAT_EXCP if pending(s) else (FORMAT_IDLE if s.fp_used else FORMAT_NULL)
        return form << 24 | exception_vector(pending(s)) << 16 | int(s.fpcr)
    if i == 3:
        return int(s.fpsr)
    return int(s.fp_operand >> (32 if i == 1 else 0) & 0xFFFFFFFF) if pending(s) else 0


@njit
def store_frame(s: State, va: int, pc: int) -> bool:
    """Write the frame and clear FPCR (548xRM 6-24); False when an access error was taken instead."""
    for i in range(4):
        done, at = write_bytes(s, (va + 4 * i) & 0xFFFFFFFF, 4, frame_word(s, i))
        if not done:
            unwind(s, pc)
            access_error(s, at, WRITE, 1, pc)
            return False
    s.fpcr = 0
    return True


@njit
def load_frame(s: State, va: int, pc: int) -> bool:
    """Take over a frame; False when an exception was taken instead."""
    for i in range(4):  # all of it is there, or nothing happens
        outcome, value = read_bytes(s, (va + 4 * i) & 0xFFFFFFFF, 4)
        if outcome == OPERAND_FAULT:
            unwind(s, pc)
            access_error(s, value, READ, 1, pc)
            return False
        s.fp_loaded[i] = value
    head = s.fp_loaded[0]
    form = head >> 24
    if form != FORMAT_NULL and form != FORMAT_IDLE and form != FORMAT_EXCP:
        refuse(s, VECTOR_FORMAT_ERROR, pc)
        return False
    if form == FORMAT_NULL:
        reset_fpu(s)
        return True
    s.fp_used = 1
    s.fpcr = head & FPCR_WRITABLE
    if form == FORMAT_EXCP:
        s.fp_operand = s.fp_loaded[1] << 32 | s.fp_loaded[2]
        s.fpsr = s.fp_loaded[3] & FPSR_WRITABLE
    return True


@njit
def do_fpu_frame(s: State, op: int, pc: int) -> bool:
    """FSAVE or FRESTORE at ``pc``; False when the machine halts. Privilege has been checked."""
    va, _update, _new = address_of(s, pc + 2, op & 0x3F, FRAME_BYTES)
    done = load_frame(s, va, pc) if op & F_RESTORE_BIT else store_frame(s, va, pc)
    if not done:
        return bool(s.halted == 0)
    set_pc(s, (pc + instruction_length(s, op)) & 0xFFFFFFFF)
    return True
