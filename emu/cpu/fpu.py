"""The FPU's instructions (sheet 4.6; 548xRM chapter 6), all emulated.

unicorn computes with 80-bit numbers, takes denormal ones, keeps no exception bits, raises no FP exception and has no
FPIAR, which every arithmetic instruction writes: there is no form that it gets right as a whole. The registers live in
the shared record: FP0-FP7 as the bit patterns of doubles.
"""

import numpy as np

from emu.cpu import ieee
from emu.cpu.blocks import instruction_length, unwind
from emu.cpu.exceptions import access_error, deliver, refuse
from emu.cpu.ieee import BSUN, DZ, IDE, INAN, INEX, OPERR, OVFL, UNFL
from emu.cpu.operand import OPERAND_FAULT, address_of, read_bytes, read_source, sign16, word
from emu.cpu.processor import get_register, in_supervisor, set_pc, set_register
from emu.cpu.state import DEFAULT_NAN, FPCR_WRITABLE, FPSR_WRITABLE, State
from emu.cpu.stores import write_bytes
from emu.jit import njit
from emu.mmu.registers import VECTOR_LINE_F
from emu.mmu.state import READ, WRITE

__all__ = ["do_fpu", "exception_vector", "pending"]

MOVE, INT, INTRZ, SQRT, ABS, NEG, DIV, ADD, MUL, SUB, CMP, TST = range(12)
SINGLE, DOUBLE = 0x10, 0x20  # the opmode says it, whatever FPCR[PREC] is
_BASIC = {0x00: MOVE, 0x01: INT, 0x03: INTRZ, 0x04: SQRT, 0x18: ABS, 0x1A: NEG, 0x20: DIV, 0x22: ADD, 0x23: MUL}
_ROUNDING = {0x40: MOVE, 0x41: SQRT, 0x58: ABS, 0x5A: NEG, 0x60: DIV, 0x62: ADD, 0x63: MUL, 0x68: SUB}  # FS; FD is + 4
_OPMODES = {
    **_BASIC,
    0x28: SUB,
    0x38: CMP,
    0x3A: TST,
    **{mode: operation | SINGLE for mode, operation in _ROUNDING.items()},
    **{mode + 4: operation | DOUBLE for mode, operation in _ROUNDING.items()},
}
# By opmode, the operation and the precision it rounds to; -1 is no instruction of this FPU.
OPERATIONS = np.array([_OPMODES.get(mode, -1) for mode in range(128)])

# By source specifier L, S, X, P, W, D, B: bytes of the format; 0 is none of this FPU's.
FORMAT_BYTES = np.array([4, 4, 0, 0, 2, 8, 1, 0])
FORMAT_SINGLE, FORMAT_DOUBLE = 1, 5
DN, AN, IND, POST, PRE, DISP, PC_DISP = (1 << i for i in range(7))  # sets of addressing modes
MEMORY = IND | POST | PRE | DISP

FPSR_N, FPSR_Z, FPSR_I, FPSR_NAN = 1 << 27, 1 << 26, 1 << 25, 1 << 24
FPSR_AEXC, FPSR_EXC = 0xF8, 0xFF00
FPCR_PREC = 0x40  # set: single
IOP, ACCRUED_OVFL, ACCRUED_UNFL, ACCRUED_DZ, ACCRUED_INEX = 0x80, 0x40, 0x20, 0x10, 0x08
# In order of priority (548xRM table 6-11), each bit's vector.
PRIORITIES = (
    (BSUN, 48),
    (INAN, 54),
    (IDE, 55),
    (OPERR, 52),
    (OVFL, 53),
    (UNFL, 51),
    (DZ, 50),
    (INEX, 49),
)


def _holds(predicate: int, cc: int) -> bool:
    """Whether an IEEE-aware predicate (0-15) holds for the FPCC bits N Z I NAN."""
    n, z, nan = bool(cc & 8), bool(cc & 4), bool(cc & 1)
    return (
        False,  # F
        z,  # EQ
        not (nan or z or n),  # OGT
        z or not (nan or n),  # OGE
        n and not (nan or z),  # OLT
        z or (n and not nan),  # OLE
        not (nan or z),  # OGL
        not nan,  # OR
        nan,  # UN
        nan or z,  # UEQ
        nan or not (n or z),  # UGT
        nan or z or not n,  # UGE
        nan or (n and not z),  # ULT
        nan or z or n,  # ULE
        not z,  # NE
        True,  # T
    )[predicate]


# By predicate, one bit for each of the 16 values of FPCC.
PREDICATES = np.array([sum(_holds(p, cc) << cc for cc in range(16)) for p in range(16)])


@njit
def pending(s: State) -> int:
    """The exceptions that are waiting: raised and enabled, by whatever wrote FPSR or FPCR last (548xRM 6-19)."""
    return int(s.fpsr & s.fpcr & FPSR_EXC)


@njit
def exception_vector(exceptions: int) -> int:
    """Vector of the one with the highest priority."""
    for pair in PRIORITIES:
        if exceptions & pair[0]:
            return int(pair[1])
    return 0


@njit
def accrued(exceptions: int) -> int:
    """The AEXC bits that an EXC byte adds (CF4UM 4-10)."""
    bits = 0
    if exceptions & (BSUN | INAN | OPERR):
        bits |= IOP
    if exceptions & OVFL:
        bits |= ACCRUED_OVFL
    if exceptions & UNFL and exceptions & INEX:
        bits |= ACCRUED_UNFL
    if exceptions & DZ:
        bits |= ACCRUED_DZ
    if exceptions & INEX:
        bits |= ACCRUED_INEX
    return bits


@njit
def condition(a: int) -> int:
    """FPCC of a result (548xRM table 6-8)."""
    if ieee.is_nan(a):
        return FPSR_NAN
    bits = FPSR_N if a < 0 else 0
    if ieee.is_zero(a):
        bits |= FPSR_Z
    return bits | FPSR_I if ieee.is_infinite(a) else bits


@njit
def compared(a: int, b: int) -> int:
    """FPCC of FCMP: that of a - b, of which the magnitude does not matter."""
    if a == b or (ieee.is_zero(a) and ieee.is_zero(b)):
        return FPSR_Z
    less = ieee.magnitude(a) < ieee.magnitude(b) if a >= 0 and b >= 0 else ieee.magnitude(a) > ieee.magnitude(b)
    if (a ^ b) < 0:
        less = a < 0
    return FPSR_N if less else 0


@njit
def masked(s: State, from_input: int, from_result: int) -> int:
    """EXC of an operation. An enabled IDE or UNFL leaves INEX to its handler (548xRM 6-20, 6-22)."""
    if from_input & IDE and s.fpcr & IDE:
        from_input &= ~INEX
    if from_result & UNFL and s.fpcr & UNFL:
        from_result &= ~INEX
    return from_input | from_result


@njit
def calculate(s: State, operation: int, source: int, destination: int) -> tuple[int, int]:
    """(result, exceptions) of an operation whose operands are no NaNs and not denormal.

    Results are rounded once, to the precision of the opmode or, where it names none, of FPCR[PREC] (548xRM 6-12, CF4UM
    4-13).
    """
    single = 1 if operation & SINGLE or (s.fpcr & FPCR_PREC and not operation & DOUBLE) else 0
    mode = s.fpcr >> 4 & 3
    kind = operation & 0xF
    if kind == ADD:
        return ieee.add(destination, source, single, mode)
    if kind == SUB:
        return ieee.add(destination, source ^ ieee.SIGN, single, mode)
    if kind == MUL:
        return ieee.multiply(destination, source, single, mode)
    if kind == DIV:
        return ieee.divide(destination, source, single, mode)
    if kind == SQRT:
        return ieee.square_root(source, single, mode)
    if kind == INT:
        return ieee.round_to_integral(source, mode)
    if kind == INTRZ:
        return ieee.round_to_integral(source, ieee.RZ)
    if kind == ABS:
        source = ieee.magnitude(source)
    if kind == NEG:
        source ^= ieee.SIGN
    return ieee.rounded(source, single, mode)


@njit
def arithmetic(s: State, pc: int, operation: int, register: int, source: int, input_exceptions: int) -> None:
    """An operation on FP ``register``: result, FPCC, EXC, AEXC, FPIAR."""
    kind = operation & 0xF
    dyadic = kind >= DIV and kind != TST
    source, exceptions = ieee.flush_denormal(source)
    exceptions |= input_exceptions
    destination = s.fp[register]
    old = destination
    if dyadic:
        destination, more = ieee.flush_denormal(destination)
        exceptions |= more
    result_exceptions = 0
    result = DEFAULT_NAN
    if ieee.is_nan(source) or (dyadic and ieee.is_nan(destination)):
        result_exceptions = INAN
    elif kind < CMP:
        result, result_exceptions = calculate(s, operation, source, destination)
    else:
        result = source
    cc = condition(result)
    if kind == CMP and not result_exceptions & INAN:
        cc = compared(destination, source)
    if kind < CMP:
        s.fp[register] = result
    exceptions = masked(s, exceptions, result_exceptions)
    s.fpsr = s.fpsr & FPSR_AEXC | cc | exceptions | accrued(exceptions)
    s.fpiar = pc
    if pending(s):
        s.fp_operand = old  # the handler finds the old value in the frame of FSAVE (548xRM 6-19)


@njit
def names(mode: int, allowed: int) -> bool:
    """Whether the 6-bit EA ``mode`` is one of the set."""
    kind = mode >> 3
    if kind == 7:
        return mode == 0o72 and allowed & PC_DISP != 0
    return kind < 6 and allowed & (1 << kind) != 0


@njit
def widened(value: int, form: int) -> tuple[int, int]:
    """(double, exceptions) of a source operand of the given format."""
    if form == FORMAT_DOUBLE:
        return value, 0
    if form == FORMAT_SINGLE:
        return ieee.widen_single(value)
    bits = 8 * FORMAT_BYTES[form]
    sign = 1 << (bits - 1)
    return ieee.widen_integer((value ^ sign) - sign), 0


@njit
def do_load(s: State, op: int, pc: int, extension: int, operation: int) -> bool:
    """An operation whose source is memory or a data register."""
    form = extension >> 10 & 7
    size = FORMAT_BYTES[form]
    allowed = MEMORY | PC_DISP | (0 if form == FORMAT_DOUBLE else DN)
    if size == 0 or not names(op & 0x3F, allowed):
        return refuse(s, VECTOR_LINE_F, pc)
    if pending(s):
        return refuse(s, exception_vector(pending(s)), pc)
    outcome, value, update, new = read_source(s, pc + 4, op & 0x3F, size)
    if outcome == OPERAND_FAULT:
        unwind(s, pc)
        return access_error(s, value, READ, in_supervisor(s), pc)
    source, exceptions = widened(value, form)
    if update >= 0:
        set_register(s, update, new)
    arithmetic(s, pc, operation, extension >> 7 & 7, source, exceptions)
    return finish(s, op, pc)


@njit
def narrowed(s: State, a: int, form: int) -> tuple[int, int]:
    """(value, EXC) of FMOVE FPn to the given format."""
    a, from_input = ieee.flush_denormal(a)
    mode = s.fpcr >> 4 & 3
    if form in (FORMAT_SINGLE, FORMAT_DOUBLE):
        if ieee.is_nan(a):
            exceptions = masked(s, from_input, INAN)
            return (DEFAULT_NAN if form == FORMAT_DOUBLE else 0x7FFFFFFF), exceptions
        single = 1 if form == FORMAT_SINGLE else 0
        a, from_result = ieee.rounded(a, single, mode)
        return (ieee.single_bits(a) if single else a), masked(s, from_input, from_result)
    bits = 8 * FORMAT_BYTES[form]
    most = (1 << (bits - 1)) - 1
    if ieee.is_nan(a):
        return -1, masked(s, from_input, OPERR)  # all ones (CFPRM FMOVE)
    rounded, from_result = ieee.round_to_integral(a, mode)
    exponent = (ieee.magnitude(rounded) >> 52) - 1023
    value = 0
    if exponent >= 31:
        value = 1 << 40
    elif exponent >= 0:
        value = (rounded & ieee.FRACTION | 1 << 52) >> (52 - exponent)
    if rounded < 0:
        value = -value
    if value > most:
        return most, masked(s, from_input, OPERR)
    if value < -most - 1:
        if bits == 32 and rounded == ieee.widen_integer(-0x80000000):
            return -0x80000000, masked(s, from_input, from_result)
        return -most - 1, masked(s, from_input, OPERR)
    return value, masked(s, from_input, from_result)


@njit
def put(s: State, pc: int, mode: int, size: int, value: int) -> bool:
    """Write a result to a data register or memory; False when an access error was taken instead."""
    if mode < 8:
        keep = ~((1 << 8 * size) - 1)
        set_register(s, mode, get_register(s, mode) & keep & 0xFFFFFFFF | value & ~keep)
        return True
    if mode < 16:
        set_register(s, mode, value)
        return True
    va, update, new = address_of(s, pc + 4, mode, size)
    done, at = write_bytes(s, va, size, value)
    if not done:
        unwind(s, pc)
        access_error(s, at, WRITE, in_supervisor(s), pc)
        return False
    if update >= 0:
        set_register(s, update, new)
    return True


@njit
def do_store(s: State, op: int, pc: int, extension: int) -> bool:
    """FMOVE FPn,<ea>: its exceptions are taken at once and keep the destination as it is (548xRM 6-18)."""
    form = extension >> 10 & 7
    size = FORMAT_BYTES[form]
    if size == 0 or not names(op & 0x3F, MEMORY | (0 if form == FORMAT_DOUBLE else DN)):
        return refuse(s, VECTOR_LINE_F, pc)
    if pending(s):
        return refuse(s, exception_vector(pending(s)), pc)
    value, exceptions = narrowed(s, s.fp[extension >> 7 & 7], form)
    enabled = exceptions & s.fpcr & FPSR_EXC
    if not enabled and not put(s, pc, op & 0x3F, size, value):
        return bool(s.halted == 0)
    s.fpsr = s.fpsr & ~FPSR_EXC | exceptions | accrued(exceptions)  # FPCC is not affected (548xRM 6-9)
    s.fpiar = pc
    if enabled:
        s.fp_operand = s.fp[extension >> 7 & 7]
        return deliver(s, exception_vector(enabled), 0, (pc + instruction_length(s, op)) & 0xFFFFFFFF)
    return finish(s, op, pc)


@njit
def do_control(s: State, op: int, pc: int, extension: int) -> bool:
    """FMOVE to or from FPCR, FPSR or FPIAR: one of them (GAS: no lists)."""
    which = extension >> 10 & 7
    stores = extension & 0x2000
    allowed = MEMORY | DN | (AN if which == 1 else 0) | (0 if stores else PC_DISP)
    if which not in (1, 2, 4) or not names(op & 0x3F, allowed):
        return refuse(s, VECTOR_LINE_F, pc)
    if stores:
        value = s.fpcr if which == 4 else (s.fpsr if which == 2 else s.fpiar)
        if not put(s, pc, op & 0x3F, 4, value):
            return bool(s.halted == 0)
        return finish(s, op, pc)
    outcome, value, update, new = read_source(s, pc + 4, op & 0x3F, 4)
    if outcome == OPERAND_FAULT:
        unwind(s, pc)
        return access_error(s, value, READ, in_supervisor(s), pc)
    if update >= 0:
        set_register(s, update, new)
    if which == 4:
        s.fpcr = value & FPCR_WRITABLE
    elif which == 2:
        s.fpsr = value & FPSR_WRITABLE
    else:
        s.fpiar = value
    return finish(s, op, pc)


@njit
def do_multiple(s: State, op: int, pc: int, extension: int) -> bool:
    """FMOVEM.D list: bit 7 is FP0. No exceptions, FPSR and FPIAR stay (548xRM 6-11)."""
    stores = extension & 0x2000
    if extension & 0x1F00 != 0x1000 or not names(op & 0x3F, IND | DISP | (0 if stores else PC_DISP)):
        return refuse(s, VECTOR_LINE_F, pc)
    va, _update, _new = address_of(s, pc + 4, op & 0x3F, 8)
    for n in range(8):
        if not extension >> (7 - n) & 1:
            continue
        if stores:
            done, at = write_bytes(s, va, 8, s.fp[n])
            if not done:
                unwind(s, pc)
                return access_error(s, at, WRITE, in_supervisor(s), pc)
        else:
            outcome, value = read_bytes(s, va, 8)
            if outcome == OPERAND_FAULT:
                unwind(s, pc)
                return access_error(s, value, READ, in_supervisor(s), pc)
            s.fp_loaded[n] = value  # a load reads everything before it writes a register (sheet 7 item 22)
        va = (va + 8) & 0xFFFFFFFF
    for n in range(8):
        if not stores and extension >> (7 - n) & 1:
            s.fp[n] = s.fp_loaded[n]
    return finish(s, op, pc)


@njit
def do_branch(s: State, op: int, pc: int) -> bool:
    """FBcc and FNOP. The 16 predicates that are not aware of NaNs raise BSUN when FPCC[NAN] is set (548xRM 6-16)."""
    cc = s.fpsr >> 24 & 0xF
    if op & 0x10:
        s.fpsr &= ~BSUN  # each operation clears what it may raise (CF4UM 4-10)
        if cc & 1:
            s.fpsr |= BSUN | IOP
            s.fpiar = pc
            if s.fpcr & BSUN:
                return refuse(s, exception_vector(BSUN), pc)
    if PREDICATES[op & 0xF] >> cc & 1:
        displacement = sign16(word(s, pc + 2))
        if op & 0x40:
            displacement = word(s, pc + 2) << 16 | word(s, pc + 4)
        set_pc(s, (pc + 2 + displacement) & 0xFFFFFFFF)
        return True
    return finish(s, op, pc)


@njit
def finish(s: State, op: int, pc: int) -> bool:
    """The instruction has retired."""
    s.fp_used = 1
    set_pc(s, (pc + instruction_length(s, op)) & 0xFFFFFFFF)
    return True


@njit
def do_fpu(s: State, op: int, pc: int) -> bool:
    """Any FPU instruction but FSAVE and FRESTORE; False when the machine halts."""
    if op & 0x80:
        return do_branch(s, op, pc)
    extension = word(s, pc + 2)
    opclass = extension >> 13
    if opclass in (6, 7):
        return do_multiple(s, op, pc, extension)
    if opclass in (4, 5):
        return do_control(s, op, pc, extension)
    if opclass == 3:
        return do_store(s, op, pc, extension)
    operation = OPERATIONS[extension & 0x7F]
    if operation < 0 or opclass == 1 or (opclass == 0 and op & 0x3F):
        return refuse(s, VECTOR_LINE_F, pc)
    if opclass == 2:
        return do_load(s, op, pc, extension, operation)
    if pending(s):
        return refuse(s, exception_vector(pending(s)), pc)
    arithmetic(s, pc, operation, extension >> 7 & 7, s.fp[extension >> 10 & 7], 0)
    return finish(s, op, pc)
