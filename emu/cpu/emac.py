"""The EMAC (CFPRM chapter 6; 548xRM chapter 4): four 48-bit accumulators, all of its instructions emulated.

unicorn gets only the plain forms right (unicorn-notes 6). An accumulator is kept as a sign-extended 48-bit number in
the shared record. In integer mode its value is in bits 31-0 with 16 bits of extension above; in fractional mode in
bits 39-8, with 8 bits above and 8 below (ACCext).
"""

from emu.cpu.blocks import instruction_length, unwind
from emu.cpu.exceptions import access_error
from emu.cpu.operand import OPERAND_FAULT, address_of, read_bytes, read_source, word
from emu.cpu.processor import get_register, get_sr, in_supervisor, set_pc, set_register, set_sr
from emu.cpu.state import MACSR_WRITABLE, State
from emu.jit import njit
from emu.mmu.state import READ

__all__ = ["do_emac"]

# MACSR
OMC, SU, FI, RT, N, Z, V, EV = (0x80 >> i for i in range(8))
PAV0 = 0x100
NZV_EV = N | Z | V | EV
BITS48 = (1 << 48) - 1
# Extension word of MAC and MSAC
LONG, SUBTRACT, UPPER_X, UPPER_Y, MASKED = 0x800, 0x100, 0x80, 0x40, 0x20
SHIFT_LEFT, SHIFT_RIGHT = 1, 3  # scale factor, bits 10-9


@njit
def signed48(value: int) -> int:
    """The low 48 bits as a signed number."""
    return (value & BITS48 ^ 1 << 47) - (1 << 47)


@njit
def signed32(value: int) -> int:
    """The low 32 bits as a signed number."""
    return (value & 0xFFFFFFFF ^ 1 << 31) - (1 << 31)


@njit
def to_even(value: int, bits: int) -> int:
    """``value >> bits``, rounded to nearest, ties to even (548xRM 4-8)."""
    half = 1 << (bits - 1)
    lost = value & (2 * half - 1)
    kept = value >> bits
    return kept + 1 if lost > half or (lost == half and kept & 1) else kept


@njit
def factor(s: State, register: int, extension: int, upper: int) -> int:
    """An operand of the multiplier: a longword, or half of one, in the mode of MACSR."""
    value = get_register(s, register)
    if extension & LONG:
        half = value
    else:
        half = value >> 16 if extension & upper else value & 0xFFFF
        if s.macsr & FI:
            return signed32(half << 16)
        if not s.macsr & SU:
            return (half ^ 0x8000) - 0x8000
        return half
    return value if s.macsr & SU and not s.macsr & FI else signed32(value)


@njit
def product(s: State, x: int, y: int, scale: int) -> tuple[int, bool]:
    """(the product aligned to the accumulator, whether it does not fit into 40 bits)."""
    full = x * y  # an unsigned one may look negative: then it does not fit anyway
    if s.macsr & FI:  # the product is shifted left by one and bits 63-24 are used; there is no scaling
        return to_even(full, 23) if s.macsr & RT else full >> 23, False
    if s.macsr & SU:
        overflow = full >> 40 != 0
        value = full & 0xFFFFFFFFFF
    else:
        overflow = not -(1 << 39) <= full < 1 << 39
        value = (full & 0xFFFFFFFFFF ^ 1 << 39) - (1 << 39)
    if scale == SHIFT_LEFT:
        value <<= 1
    elif scale == SHIFT_RIGHT:
        value >>= 1
    return value, overflow


@njit
def saturated(s: State, up: bool) -> int:
    """What OMC puts into an accumulator that is too large (``up``) or too small."""
    if s.macsr & FI:
        return 0x007FFFFFFF00 if up else -0x008000000000
    if s.macsr & SU:
        return -1 if up else 0
    return 0x7FFFFFFF if up else -0x80000000


@njit
def fits(s: State, value: int) -> bool:
    """Whether a sum is within the 48 bits of an accumulator."""
    if s.macsr & SU and not s.macsr & FI:
        return 0 <= value <= BITS48
    return -(1 << 47) <= value < 1 << 47


@njit
def set_flags(s: State, a: int) -> None:
    """N, Z, V and EV of accumulator ``a``: V is its sticky PAV (5281UM 3.5.3)."""
    value = s.macc[a]
    flags = s.macsr & ~NZV_EV
    if value < 0:
        flags |= N
    if value == 0:
        flags |= Z
    if flags & (PAV0 << a):
        flags |= V
    width = 40 if flags & FI else 32
    if flags & SU and not flags & FI:
        extended = value & BITS48 != value & 0xFFFFFFFF
    else:
        extended = not -(1 << (width - 1)) <= value < 1 << (width - 1)
    s.macsr = flags | EV if extended else flags


@njit
def accumulate(s: State, a: int, x: int, y: int, extension: int) -> None:
    """ACC := ACC + x * y, or - for MSAC. A saturated accumulator stays until its PAV is cleared."""
    pav = PAV0 << a
    if not (s.macsr & OMC and s.macsr & pav):
        value, overflow = product(s, x, y, extension >> 9 & 3)
        subtract = extension & SUBTRACT != 0
        old = s.macc[a]
        if s.macsr & SU and not s.macsr & FI:
            old &= BITS48
        total = old - value if subtract else old + value
        up = total > 0
        if overflow:  # the direction is that of the product
            negative = s.macsr & SU == 0 and (x < 0) != (y < 0)
            up = negative == subtract
        if overflow or not fits(s, total):
            s.macsr |= pav
            if s.macsr & OMC:
                total = saturated(s, up)
        s.macc[a] = signed48(total)
    set_flags(s, a)


@njit
def read_accumulator(s: State, a: int) -> int:
    """The 32 bits that MOVE ACCx,Rx stores: rounded and saturated as MACSR says (548xRM table 4-2)."""
    value = int(s.macc[a])
    if s.macsr & FI:
        bits = 16 if s.macsr & SU else 32
        if s.macsr & SU:
            value = to_even(value, 24)
        else:
            value = to_even(value, 8) if s.macsr & RT else value >> 8
        most = (1 << (bits - 1)) - 1
        if s.macsr & OMC:
            value = most if value > most else (-most - 1 if value < -most - 1 else value)
        return value & ((1 << bits) - 1)
    if s.macsr & OMC:
        if s.macsr & SU:
            return 0xFFFFFFFF if value & BITS48 > 0xFFFFFFFF else value & 0xFFFFFFFF
        return min(max(value, -0x80000000), 0x7FFFFFFF) & 0xFFFFFFFF
    return value & 0xFFFFFFFF


@njit
def write_accumulator(s: State, a: int, value: int) -> None:
    """MOVE Rx,ACCx: the extension becomes the sign, or zero in unsigned mode; the overflow is forgotten."""
    if s.macsr & FI:
        value = signed32(value) << 8
    elif not s.macsr & SU:
        value = signed32(value)
    s.macc[a] = value
    s.macsr &= ~(PAV0 << a)
    set_flags(s, a)


@njit
def extension_of(s: State, a: int) -> int:
    """The 16 bits of accumulator ``a`` that are in ACCext."""
    value = int(s.macc[a])
    if s.macsr & FI:
        return value >> 32 & 0xFF00 | value & 0xFF
    return value >> 32 & 0xFFFF


@njit
def write_extension(s: State, a: int, bits: int) -> None:
    """Replace those 16 bits."""
    value = s.macc[a]
    if s.macsr & FI:
        value = value & 0xFFFFFFFF00 | (bits & 0xFF00) << 32 | bits & 0xFF
    else:
        value = value & 0xFFFFFFFF | (bits & 0xFFFF) << 32
    s.macc[a] = signed48(value)


@njit
def do_mac(s: State, op: int, pc: int) -> bool:
    """MAC or MSAC, with or without a load in parallel, which the multiplication does not see."""
    extension = word(s, pc + 2)
    loads = op & 0x30 != 0
    a = op >> 7 & 1 | extension >> 3 & 2
    target = op >> 9 & 7 | op >> 3 & 8
    x, y = target, op & 0xF
    value = update = new = 0
    if loads:
        a ^= 1  # the low bit of the accumulator's number is inverted in this form (GAS)
        x, y = extension >> 12 & 0xF, extension & 0xF
        va, update, new = address_of(s, pc + 4, op & 0x3F, 4)
        if extension & MASKED:
            mask = 0xFFFF0000 | s.mac_mask
            if op & 0x38 != 0x18:  # (An)+ is read before the mask is applied (CFPRM 6)
                va &= mask
            new &= mask
        outcome, value = read_bytes(s, va, 4)
        if outcome == OPERAND_FAULT:
            unwind(s, pc)
            return access_error(s, value, READ, in_supervisor(s), pc)
    accumulate(s, a, factor(s, x, extension, UPPER_X), factor(s, y, extension, UPPER_Y), extension)
    if loads:
        if update >= 0:
            set_register(s, update, new)
        set_register(s, target, value)
    return finish(s, op, pc)


@njit
def do_move_to(s: State, op: int, pc: int) -> bool:
    """MOVE of a register, an immediate value or an accumulator to ACCx, ACCext, MASK or MACSR."""
    which = op >> 9 & 7
    if op & 0x0800 == 0 and op & 0x30 == 0x10:
        a, source = which & 3, op & 3
        s.macc[a] = s.macc[source]
        pav = PAV0 << a
        s.macsr = s.macsr | pav if s.macsr & (PAV0 << source) else s.macsr & ~pav
        set_flags(s, a)
        return finish(s, op, pc)
    _outcome, value, _update, _new = read_source(s, pc + 2, op & 0x3F, 4)
    if which < 4:
        write_accumulator(s, which, value)
    elif which == 4:
        s.macsr = value & MACSR_WRITABLE
    elif which == 6:
        s.mac_mask = value & 0xFFFF
    else:
        a = 0 if which == 5 else 2
        write_extension(s, a, value)
        write_extension(s, a + 1, value >> 16)
    return finish(s, op, pc)


@njit
def do_move_from(s: State, op: int, pc: int) -> bool:
    """MOVE of ACCx, ACCext, MASK or MACSR to a register, MOVCLR, and MOVE MACSR,CCR."""
    which = op >> 9 & 7
    if which == 4 and op & 0x40:  # C is EV, X is cleared (CFPRM)
        set_sr(s, get_sr(s) & 0xFFE0 | s.macsr & NZV_EV)
        return finish(s, op, pc)
    if which < 4:
        value = read_accumulator(s, which)
        if op & 0x40:
            s.macc[which] = 0
            s.macsr &= ~(PAV0 << which)
    elif which == 4:
        value = s.macsr
    elif which == 6:
        value = 0xFFFF0000 | s.mac_mask
    else:
        a = 0 if which == 5 else 2
        value = extension_of(s, a) | extension_of(s, a + 1) << 16
    set_register(s, op & 0xF, value)
    return finish(s, op, pc)


@njit
def finish(s: State, op: int, pc: int) -> bool:
    """The instruction has retired."""
    set_pc(s, (pc + instruction_length(s, op)) & 0xFFFFFFFF)
    return True


@njit
def do_emac(s: State, op: int, pc: int) -> bool:
    """Any EMAC instruction; False when the machine halts."""
    if not op & 0x100:
        return do_mac(s, op, pc)
    if op & 0x80:
        return do_move_from(s, op, pc)
    return do_move_to(s, op, pc)
