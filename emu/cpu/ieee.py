"""IEEE 754 double arithmetic as the V4e's FPU does it, on bit patterns: every result says which exceptions it raised.

Sheet 4.6; 548xRM 6-5, 6-14 to 6-23. What differs from the standard: denormal operands count as zero, a result too small
to be normalised becomes zero or the smallest normalised number, and every NaN that comes out is the same one.

A finite number that is not zero travels as (sign, exponent, significand): the significand has its leading one at bit
TOP, so that a double has nine bits to spare for rounding and a sum fits into an int64. The lowest bit is sticky.
"""

from emu.cpu.state import DEFAULT_NAN
from emu.jit import njit

__all__ = [
    "BSUN",
    "DZ",
    "IDE",
    "INAN",
    "INEX",
    "OPERR",
    "OVFL",
    "UNFL",
    "add",
    "divide",
    "flush_denormal",
    "is_infinite",
    "is_nan",
    "is_zero",
    "magnitude",
    "multiply",
    "round_to_integral",
    "rounded",
    "single_bits",
    "square_root",
    "widen_integer",
    "widen_single",
]

# The bits of FPSR[EXC] and FPCR[ENABLE] (sheet 4.6).
BSUN, INAN, OPERR, OVFL, UNFL, DZ, INEX, IDE = (0x8000 >> i for i in range(8))
RN, RZ, RM, RP = range(4)  # FPCR[RND]: to nearest, to zero, to minus infinity, to plus infinity

SIGN = -(1 << 63)
FRACTION = (1 << 52) - 1
INFINITY = 0x7FF << 52
LARGEST = INFINITY - 1
TOP = 61
DOUBLE_DROP, SINGLE_DROP = TOP - 52, TOP - 23
DOUBLE_MIN, DOUBLE_MAX, SINGLE_MIN, SINGLE_MAX = -1022, 1023, -126, 127
SINGLE_LARGEST = (1023 + SINGLE_MAX) << 52 | (((1 << 23) - 1) << 29)


@njit
def magnitude(bits: int) -> int:
    """The number without its sign; patterns order as the numbers do."""
    return bits & DEFAULT_NAN


@njit
def is_nan(bits: int) -> bool:
    """Whether this is a NaN, of whatever payload."""
    return magnitude(bits) > INFINITY


@njit
def is_infinite(bits: int) -> bool:
    """Whether this is plus or minus infinity."""
    return magnitude(bits) == INFINITY


@njit
def is_zero(bits: int) -> bool:
    """Whether this is plus or minus zero."""
    return magnitude(bits) == 0


@njit
def flush_denormal(bits: int) -> tuple[int, int]:
    """(operand, exceptions): a denormal one counts as zero of its sign (548xRM 6-20)."""
    if 0 < magnitude(bits) <= FRACTION:
        return bits & SIGN, IDE | INEX
    return bits, 0


@njit
def unpack(bits: int) -> tuple[int, int, int]:
    """(sign, exponent, significand) of a normalised number."""
    significand = (bits & FRACTION | 1 << 52) << DOUBLE_DROP
    return 1 if bits < 0 else 0, (bits >> 52 & 0x7FF) - 1023, significand


@njit
def signed(sign: int, bits: int) -> int:
    """``bits`` with the given sign."""
    return bits | SIGN if sign else bits


@njit
def shift_sticky(value: int, count: int) -> int:
    """``value >> count``; the lowest bit remembers whether anything was lost."""
    if count > 62:
        return 1 if value else 0
    lost = value & ((1 << count) - 1)
    return value >> count | (1 if lost else 0)


@njit
def away_from_zero(sign: int, mode: int) -> bool:
    """Whether directed rounding makes a number of this sign larger in magnitude."""
    return mode == (RM if sign else RP)


@njit
def pack(sign: int, exponent: int, significand: int, single: int, mode: int) -> tuple[int, int]:
    """(bits, exceptions): check for underflow, round, check for overflow, in this order (548xRM 6-15)."""
    smallest, largest, drop = DOUBLE_MIN, DOUBLE_MAX, DOUBLE_DROP
    if single:
        smallest, largest, drop = SINGLE_MIN, SINGLE_MAX, SINGLE_DROP
    if exponent < smallest:  # 548xRM 6-22: the FPU never makes a denormal number
        return signed(sign, (smallest + 1023) << 52 if away_from_zero(sign, mode) else 0), UNFL | INEX
    lost = significand & ((1 << drop) - 1)
    half = 1 << (drop - 1)
    kept = significand >> drop
    exceptions = 0
    if lost:
        exceptions = INEX
        if mode == RN:
            kept += 1 if lost > half or (lost == half and kept & 1) else 0
        elif away_from_zero(sign, mode):
            kept += 1
    if kept >> (TOP - drop + 1):
        kept >>= 1
        exponent += 1
    if exponent > largest:  # 548xRM table 6-17
        bits = INFINITY
        if mode != RN and not away_from_zero(sign, mode):
            bits = SINGLE_LARGEST if single else LARGEST
        return signed(sign, bits), OVFL | INEX
    fraction = kept << (drop - DOUBLE_DROP) & FRACTION
    return signed(sign, (exponent + 1023) << 52 | fraction), exceptions


@njit
def normalised(sign: int, exponent: int, significand: int, single: int, mode: int) -> tuple[int, int]:
    """:func:`pack` of a significand whose leading one is anywhere."""
    while significand >> TOP == 0:
        significand <<= 1
        exponent -= 1
    if significand >> (TOP + 1):
        significand = shift_sticky(significand, 1)
        exponent += 1
    return pack(sign, exponent, significand, single, mode)


@njit
def rounded(a: int, single: int, mode: int) -> tuple[int, int]:
    """A number that is no NaN at the wanted precision."""
    if not single or is_zero(a) or is_infinite(a):
        return a, 0
    sign, exponent, significand = unpack(a)
    return pack(sign, exponent, significand, single, mode)


@njit
def add(a: int, b: int, single: int, mode: int) -> tuple[int, int]:
    """a + b; no operand is a NaN or denormal (so for all operations below)."""
    if is_infinite(a) or is_infinite(b):
        if is_infinite(a) and is_infinite(b) and a != b:
            return DEFAULT_NAN, OPERR
        return a if is_infinite(a) else b, 0
    if is_zero(a) and is_zero(b):
        if a == b:
            return a, 0
        return signed(1 if mode == RM else 0, 0), 0
    if is_zero(a) or is_zero(b):
        return rounded(b if is_zero(a) else a, single, mode)
    if magnitude(a) < magnitude(b):
        a, b = b, a
    sign, exponent, larger = unpack(a)
    other, low, smaller = unpack(b)
    smaller = shift_sticky(smaller, exponent - low)
    total = larger + smaller if sign == other else larger - smaller
    if total == 0:
        return signed(1 if mode == RM else 0, 0), 0
    return normalised(sign, exponent, total, single, mode)


@njit
def multiply(a: int, b: int, single: int, mode: int) -> tuple[int, int]:
    """a * b."""
    sign = 1 if (a ^ b) < 0 else 0
    if is_infinite(a) or is_infinite(b):
        if is_zero(a) or is_zero(b):
            return DEFAULT_NAN, OPERR
        return signed(sign, INFINITY), 0
    if is_zero(a) or is_zero(b):
        return signed(sign, 0), 0
    _sign, exponent_a, x = unpack(a)
    _sign, exponent_b, y = unpack(b)
    x, y = x >> DOUBLE_DROP, y >> DOUBLE_DROP
    # 53 by 53 bits in halves of 27: the product is high * 2**54 + low.
    half = (1 << 27) - 1
    bottom = (x & half) * (y & half)
    middle = (x >> 27) * (y & half) + (x & half) * (y >> 27) + (bottom >> 27)
    low = (middle & half) << 27 | bottom & half
    high = (x >> 27) * (y >> 27) + (middle >> 27)  # the leading one of the product is at bit 104 or 105
    significand = high << 11 | shift_sticky(low, 43)
    return normalised(sign, exponent_a + exponent_b, significand, single, mode)


@njit
def divide(a: int, b: int, single: int, mode: int) -> tuple[int, int]:
    """a / b."""
    sign = 1 if (a ^ b) < 0 else 0
    if is_infinite(a):
        return (DEFAULT_NAN, OPERR) if is_infinite(b) else (signed(sign, INFINITY), 0)
    if is_infinite(b):
        return signed(sign, 0), 0
    if is_zero(b):
        return (DEFAULT_NAN, OPERR) if is_zero(a) else (signed(sign, INFINITY), DZ)
    if is_zero(a):
        return signed(sign, 0), 0
    _sign, exponent_a, x = unpack(a)
    _sign, exponent_b, y = unpack(b)
    x, y = x >> DOUBLE_DROP, y >> DOUBLE_DROP
    exponent = exponent_a - exponent_b
    if x < y:
        x <<= 1
        exponent -= 1
    quotient = 1
    rest = x - y
    for _ in range(6):  # nine bits at a time fit into 63 with a remainder of 54
        rest <<= 9
        quotient = quotient << 9 | rest // y
        rest %= y
    rest <<= 7
    quotient = quotient << 7 | rest // y
    if rest % y:
        quotient |= 1
    return pack(sign, exponent, quotient, single, mode)


@njit
def square_root(a: int, single: int, mode: int) -> tuple[int, int]:
    """Square root, digit by digit."""
    if is_zero(a):
        return a, 0
    if a < 0:
        return DEFAULT_NAN, OPERR
    if is_infinite(a):
        return a, 0
    _sign, exponent, radicand = unpack(a)
    radicand >>= DOUBLE_DROP
    if exponent & 1:
        radicand <<= 1
        exponent -= 1
    root = 0
    rest = 0
    for i in range(57):  # 57 digits of the root: a double, the bit to round by, and more
        shift = 52 - 2 * i
        pair = (radicand >> shift if shift >= 0 else 0) & 3
        rest = rest << 2 | pair
        trial = root << 2 | 1
        root <<= 1
        if rest >= trial:
            rest -= trial
            root |= 1
    significand = root << (TOP - 56) | (1 if rest else 0)
    return pack(0, exponent >> 1, significand, single, mode)


@njit
def round_to_integral(a: int, mode: int) -> tuple[int, int]:
    """The integer next to ``a`` in the rounding mode, as a double of the same sign."""
    exponent = (magnitude(a) >> 52) - 1023
    if exponent >= 52 or is_zero(a):
        return a, 0
    sign = a & SIGN
    up = away_from_zero(1 if sign else 0, mode)
    if exponent < 0:
        nearest = mode == RN and magnitude(a) > 0x3FE << 52  # more than one half
        return sign | (1023 << 52 if up or nearest else 0), INEX
    unit = 1 << (52 - exponent)
    lost = a & (unit - 1)
    if lost == 0:
        return a, 0
    kept = a - lost
    half = unit >> 1
    if up or (mode == RN and (lost > half or (lost == half and kept & unit))):
        kept += unit
    return kept, INEX


@njit
def widen_integer(value: int) -> int:
    """A signed 32-bit integer as a double; always exact."""
    if value == 0:
        return 0
    sign = 1 if value < 0 else 0
    bits, _exceptions = normalised(sign, TOP, -value if sign else value, 0, RN)
    return bits


@njit
def widen_single(bits: int) -> tuple[int, int]:
    """(double, exceptions) of a single-precision pattern; a denormal one counts as zero."""
    sign = bits >> 31 & 1
    exponent = bits >> 23 & 0xFF
    fraction = bits & 0x7FFFFF
    if exponent == 0:
        return signed(sign, 0), IDE | INEX if fraction else 0
    if exponent == 0xFF:
        return signed(sign, INFINITY | fraction << 29), 0
    return signed(sign, (exponent - 127 + 1023) << 52 | fraction << 29), 0


@njit
def single_bits(a: int) -> int:
    """The single-precision pattern of a number that has been rounded to single, or is a NaN."""
    sign = 0x80000000 if a < 0 else 0
    if is_zero(a):
        return sign
    fraction = a >> 29 & 0x7FFFFF
    if is_infinite(a) or is_nan(a):
        return sign | 0x7F800000 | fraction
    return sign | ((a >> 52 & 0x7FF) - 1023 + 127) << 23 | fraction
