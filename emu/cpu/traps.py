"""Instructions that unicorn gets wrong, done right.

Each is intercepted before unicorn executes it (native: its slot in unicorn's opcode table points to the illegal
instruction; public: the fetched copy of the code holds ILLEGAL), raises vector 4 at its exact PC, and is emulated here.
"""

from numba import carray, types

from emu.cpu.blocks import instruction_length, unwind
from emu.cpu.cache_commands import cache_command
from emu.cpu.control import follow_control
from emu.cpu.data_time import is_full
from emu.cpu.effects import apply_effect
from emu.cpu.emac import do_emac
from emu.cpu.exceptions import access_error, refuse
from emu.cpu.fetch import fetch_rest
from emu.cpu.fpu import do_fpu
from emu.cpu.fpu_frame import do_fpu_frame
from emu.cpu.memory import halt
from emu.cpu.operand import OPERAND_FAULT, OPERAND_ILLEGAL, read_source, word
from emu.cpu.processor import (
    SR_N,
    SR_V,
    SR_Z,
    get_register,
    get_sr,
    get_usp,
    in_supervisor,
    set_other,
    set_pc,
    set_register,
    set_sr,
)
from emu.cpu.raw import state_pointer
from emu.cpu.state import HALT_NONE, HALT_UNDEFINED_REGISTER, HALT_UNSUPPORTED, State
from emu.cpu.trapped import CACHE_COMMAND, CACHE_COMMAND_MASK, MOVE_USP_MASK, OP_MOVE_USP
from emu.jit import cfunc, njit
from emu.mmu.movec import NO_REGISTER, movec
from emu.mmu.registers import (
    VECTOR_ADDRESS_ERROR,
    VECTOR_DIVIDE_BY_ZERO,
    VECTOR_ILLEGAL,
    VECTOR_LINE_A,
    VECTOR_LINE_F,
    VECTOR_PRIVILEGE,
)
from emu.mmu.state import READ, WARN_OVERLAP

__all__ = ["emulate", "illegal_vector"]


@njit
def finish(s: State, pc: int) -> bool:
    """The emulated instruction has retired; the next one is at ``pc``."""
    set_pc(s, pc & 0xFFFFFFFF)
    return True


@njit
def do_movec(s: State, pc: int) -> bool:
    """MOVEC Rn,Rc: the only way to the control registers (sheet 2.1)."""
    extension = word(s, pc + 2)
    number = extension & 0xFFF
    value = get_register(s, extension >> 12)
    overlaps = s.mmu.warning_count[WARN_OVERLAP] + 0
    effect = movec(s.mmu, number, value)
    if effect == NO_REGISTER:
        unwind(s, pc)
        set_pc(s, pc)
        halt(s, HALT_UNDEFINED_REGISTER, pc, number)
        return False
    follow_control(s, number, value)
    if effect:
        apply_effect(s, effect, overlaps)
    return finish(s, pc + 4)


@njit
def divide_flags(s: State, quotient: int, overflow: bool, sign: int) -> None:
    """CCR of a division: N, Z from the quotient, V on overflow, C clear, X kept (CFPRM DIVS)."""
    sr = get_sr(s) & 0xFFF0
    if overflow:
        sr |= SR_V
    else:
        if quotient & sign:
            sr |= SR_N
        if quotient == 0:
            sr |= SR_Z
    set_sr(s, sr)


@njit
def signed(value: int, bits: int) -> int:
    """Two's complement value of the low ``bits`` bits."""
    sign = 1 << (bits - 1)
    return (value & ((1 << bits) - 1) ^ sign) - sign


@njit
def truncated(dividend: int, divisor: int) -> int:
    """Quotient rounded towards zero, as hardware divides; Python's // rounds down."""
    quotient = abs(dividend) // abs(divisor)
    return -quotient if (dividend < 0) != (divisor < 0) else quotient


@njit
def do_divide(s: State, op: int, pc: int) -> bool:
    """DIVS and DIVU of both sizes, REMS and REMU."""
    long = op & 0xFFC0 == 0x4C40
    size = 4 if long else 2
    extension = word(s, pc + 2) if long else 0
    outcome, value, update, new = read_source(s, pc + (4 if long else 2), op & 0x3F, size)
    if outcome == OPERAND_ILLEGAL:
        return refuse(s, VECTOR_ADDRESS_ERROR, pc)
    if outcome == OPERAND_FAULT:
        unwind(s, pc)
        return access_error(s, value, READ, in_supervisor(s), pc)
    if value == 0:
        return refuse(s, VECTOR_DIVIDE_BY_ZERO, pc)
    if long:
        target = extension >> 12 & 7
        remainder_to = extension & 7
        is_signed = extension & 0x0800 != 0
        dividend = get_register(s, target)
        divisor = value
        if is_signed:
            dividend, divisor = signed(dividend, 32), signed(value, 32)
        quotient = truncated(dividend, divisor)
        overflow = is_signed and quotient == 0x80000000
        if not overflow:
            if remainder_to == target:
                set_register(s, target, quotient & 0xFFFFFFFF)
            else:
                set_register(s, remainder_to, (dividend - quotient * divisor) & 0xFFFFFFFF)
        divide_flags(s, quotient & 0xFFFFFFFF, overflow, 0x80000000)
    else:
        target = op >> 9 & 7
        dividend, divisor = get_register(s, target), value
        if op & 0x100:
            dividend, divisor = signed(dividend, 32), signed(divisor, 16)
        quotient = truncated(dividend, divisor)
        overflow = not -0x8000 <= quotient <= 0x7FFF if op & 0x100 else quotient > 0xFFFF
        if not overflow:
            remainder = dividend - quotient * divisor
            set_register(s, target, (remainder & 0xFFFF) << 16 | quotient & 0xFFFF)
        divide_flags(s, quotient & 0xFFFF, overflow, 0x8000)
    if update >= 0:
        set_register(s, update, new)
    return finish(s, pc + instruction_length(s, op))


@njit
def do_stop(s: State, pc: int) -> bool:
    """STOP #sr: load SR and wait for an interrupt."""
    set_sr(s, word(s, pc + 2))
    s.stopped = 1
    return finish(s, pc + 4)


@njit
def do_wddata(s: State, op: int, pc: int) -> bool:
    """WDDATA <ea>: an operand for the debug module, which is not modelled; the operand is read all the same."""
    outcome, value, update, new = read_source(s, pc + 2, op & 0x3F, 1 << (op >> 6 & 3))
    if outcome == OPERAND_ILLEGAL:
        return refuse(s, VECTOR_ADDRESS_ERROR, pc)
    if outcome == OPERAND_FAULT:
        unwind(s, pc)
        return access_error(s, value, READ, in_supervisor(s), pc)
    if update >= 0:
        set_register(s, update, new)
    return finish(s, pc + instruction_length(s, op))


@njit
def do_move_to_sr(s: State, op: int, pc: int) -> bool:
    """MOVE Dn,SR and MOVE #,SR."""
    value = word(s, pc + 2) if op == 0x46FC else get_register(s, op & 7)
    set_sr(s, value)
    return finish(s, pc + instruction_length(s, op))


@njit
def do_move_usp(s: State, op: int, pc: int) -> bool:
    """MOVE An,USP and MOVE USP,An, in supervisor mode."""
    register = 8 + (op & 7)
    if op & 8:
        set_register(s, register, get_usp(s))
    else:
        set_other(s, get_register(s, register))
    return finish(s, pc + 2)


@njit
def do(s: State, pc: int, op: int) -> bool:
    """Do the intercepted instruction at ``pc``; False when the machine halts."""
    privileged = op == 0x4E7B or op == 0x4E72 or op & 0xFF80 == 0xF300 or op & 0xFFC0 == 0xFBC0
    privileged = privileged or op & CACHE_COMMAND_MASK == CACHE_COMMAND
    privileged = privileged or op & 0xFFC0 == 0x46C0 or op & MOVE_USP_MASK == OP_MOVE_USP
    if privileged and not in_supervisor(s):
        return refuse(s, VECTOR_PRIVILEGE, pc)
    if not fetch_rest(s, pc, op):  # unicorn has looked at the op word only
        return bool(s.halted == HALT_NONE)
    if op == 0x4E7B:
        return do_movec(s, pc)
    if op & 0xFFC0 == 0x4C40 or op & 0xF0C0 == 0x80C0:
        return do_divide(s, op, pc)
    if op == 0x4E72:
        return do_stop(s, pc)
    if op & CACHE_COMMAND_MASK == CACHE_COMMAND:
        if is_full(s):
            cache_command(s, op, get_register(s, 8 + (op & 7)))
        return finish(s, pc + 2)
    if op & 0xFE00 == 0xF200:
        if s.fpu_disabled:  # 548xRM 3-41
            return refuse(s, VECTOR_LINE_F, pc)
        return do_fpu(s, op, pc) if op & 0xFF00 == 0xF200 else do_fpu_frame(s, op, pc)
    if op & 0xF000 == 0xA000:
        return do_emac(s, op, pc)
    if op & 0xFFC0 == 0xFBC0:
        unwind(s, pc)
        set_pc(s, pc)
        halt(s, HALT_UNSUPPORTED, pc, op)  # WDEBUG writes the debug module, which is not modelled
        return False
    if op & 0xFF00 == 0xFB00:
        return do_wddata(s, op, pc)
    if op & MOVE_USP_MASK == OP_MOVE_USP:
        return do_move_usp(s, op, pc)
    return do_move_to_sr(s, op, pc)


@cfunc(types.int64(types.int64, types.int64, types.int64))
def emulate(record: int, pc: int, op: int) -> int:
    """:func:`do` behind a pointer, so that FPU and EMAC are not compiled into every callback."""
    return int(do(carray(state_pointer(record), 1)[0], pc, op))


@njit
def illegal_vector(op: int) -> int:
    """Vector of an op word that is no V4e instruction (sheet 3.4)."""
    if op & 0xF000 == 0xA000:
        return VECTOR_LINE_A
    if op & 0xF000 == 0xF000:
        return VECTOR_LINE_F
    return VECTOR_ILLEGAL
