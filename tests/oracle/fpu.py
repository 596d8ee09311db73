"""The FPU, written from the hardware sheet in plain Python, without a look at emu.cpu.

Sheet 4.6; 548xRM 6-5 to 6-23. Exact results are Fractions; rounding them is the one thing done here by hand, and
tests/unit/test_oracle_fpu.py holds it against the host's own IEEE arithmetic.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache, cached_property

BSUN, INAN, OPERR, OVFL, UNFL, DZ, INEX, IDE = (0x8000 >> i for i in range(8))
IOP, ACC_OVFL, ACC_UNFL, ACC_DZ, ACC_INEX = 0x80, 0x40, 0x20, 0x10, 0x08
NEAREST, TO_ZERO, DOWN, UP = range(4)
CC_N, CC_Z, CC_I, CC_NAN = 8, 4, 2, 1
# (priority order, vector): 548xRM table 6-11 and 6-10
VECTORS = ((BSUN, 48), (INAN, 54), (IDE, 55), (OPERR, 52), (OVFL, 53), (UNFL, 51), (DZ, 50), (INEX, 49))

DEFAULT_NAN = 0x7FFF_FFFF_FFFF_FFFF
INFINITY = 0x7FF0_0000_0000_0000
NEGATIVE = 1 << 63


def to_bits(value: float) -> int:
    """Pattern of a host double."""
    bits: int = struct.unpack(">Q", struct.pack(">d", value))[0]
    return bits


def to_float(bits: int) -> float:
    """Host double of a pattern."""
    value: float = struct.unpack(">d", struct.pack(">Q", bits))[0]
    return value


@cache
def power(exponent: int) -> Fraction:
    """2**exponent."""
    return Fraction(2) ** exponent


@dataclass(frozen=True)
class Format:
    """A binary format: bits of the fraction and exponents of normalised numbers."""

    fraction: int
    lowest: int
    highest: int

    @cached_property
    def largest(self) -> Fraction:
        """The largest finite number."""
        return (2 - Fraction(1, 1 << self.fraction)) * power(self.highest)


SINGLE, DOUBLE = Format(23, -126, 127), Format(52, -1022, 1023)


def exponent_of(value: Fraction) -> int:
    """e with 2**e <= value < 2**(e+1)."""
    guess = value.numerator.bit_length() - value.denominator.bit_length()
    return guess if power(guess) <= value else guess - 1


def integer_part(value: Fraction, mode: int) -> int:
    """An exact number rounded to an integer."""
    if mode == NEAREST:
        return round(value)
    if mode == TO_ZERO:
        return math.trunc(value)
    return math.floor(value) if mode == DOWN else math.ceil(value)


def round_exact(value: Fraction, form: Format, mode: int) -> tuple[int, int]:
    """(pattern of a double, exceptions) of a number that is not 0: check underflow, round, check overflow (6-15)."""
    sign = NEGATIVE if value < 0 else 0
    outwards = (mode == DOWN) if sign else (mode == UP)
    exponent = exponent_of(abs(value))
    if exponent < form.lowest:
        return sign | (to_bits(math.ldexp(1.0, form.lowest)) if outwards else 0), UNFL | INEX
    ulp = power(exponent - form.fraction)
    result = integer_part(value / ulp, mode) * ulp
    exceptions = 0 if result == value else INEX
    if abs(result) > form.largest:
        infinite = mode == NEAREST or outwards
        return sign | (INFINITY if infinite else to_bits(float(form.largest))), OVFL | INEX
    return to_bits(float(result)), exceptions


def square_root(value: Fraction) -> Fraction:
    """A number that rounds as the root of ``value`` does: 80 bits of it, and a last bit for what is left."""
    shift = 2 * (120 - exponent_of(value) // 2)
    scaled = value * power(shift)
    whole = math.isqrt(scaled.numerator // scaled.denominator)
    exact = whole * whole == scaled
    return Fraction(2 * whole + (0 if exact else 1), 2) / power(shift // 2)


class Nan(Exception):
    """The result is the default NaN; the argument says which exception it raises."""


def is_nan(bits: int) -> bool:
    return math.isnan(to_float(bits))


def is_inf(bits: int) -> bool:
    return math.isinf(to_float(bits))


@dataclass
class Fpu:
    """FP0-FP7 as patterns, FPCR, FPSR and FPIAR."""

    fp: list[int] = field(default_factory=lambda: [DEFAULT_NAN] * 8)
    fpcr: int = 0
    fpsr: int = 0
    fpiar: int = 0

    @property
    def mode(self) -> int:
        """Rounding mode."""
        return self.fpcr >> 4 & 3

    @property
    def precision(self) -> Format:
        """What results are rounded to where the instruction does not say it: PREC, bit 6 (548xRM 6-12, CF4UM 4-13)."""
        return SINGLE if self.fpcr & 0x40 else DOUBLE

    @property
    def pending(self) -> int:
        """Vector that the next arithmetic instruction takes first, or 0."""
        waiting = self.fpsr & self.fpcr & 0xFF00
        return next((vector for bit, vector in VECTORS if waiting & bit), 0)

    def _operand(self, bits: int) -> tuple[int, int]:
        """A denormal operand is zero and inexact; its own handler decides about INEX when it is enabled (6-20)."""
        value = to_float(bits)
        if value != 0 and abs(value) < 2.0**-1022:
            return bits & NEGATIVE, IDE | (0 if self.fpcr & IDE else INEX)
        return bits, 0

    def _finish(self, pc: int, exceptions: int, cc: int | None) -> None:
        old_cc = self.fpsr >> 24 & 0xF
        accrued = self.fpsr & 0xF8
        accrued |= IOP if exceptions & (BSUN | INAN | OPERR) else 0
        accrued |= ACC_OVFL if exceptions & OVFL else 0
        accrued |= ACC_UNFL if exceptions & UNFL and exceptions & INEX else 0
        accrued |= ACC_DZ if exceptions & DZ else 0
        accrued |= ACC_INEX if exceptions & INEX else 0
        self.fpsr = (old_cc if cc is None else cc) << 24 | exceptions | accrued
        self.fpiar = pc

    @staticmethod
    def _condition(bits: int) -> int:
        if is_nan(bits):
            return CC_NAN
        cc = CC_N if bits & NEGATIVE else 0
        cc |= CC_Z if to_float(bits) == 0 else 0
        return cc | (CC_I if is_inf(bits) else 0)

    # --- operations

    def operate(
        self, pc: int, name: str, n: int, source: int, form: Format | None = None, from_source: int = 0
    ) -> None:
        """An arithmetic instruction on FPn; ``source``: pattern of a double; ``form``: what the instruction names.

        ``from_source``: exceptions that converting the operand to double raised.
        """
        a, more = self._operand(source)
        exceptions = from_source | more
        dyadic = name in ("add", "sub", "mul", "div", "cmp")
        b = self.fp[n]
        if dyadic:
            b, more = self._operand(b)
            exceptions |= more
        cc = None
        try:
            if is_nan(a) or (dyadic and is_nan(b)):
                raise Nan(INAN)
            if name == "tst":
                result, raised = a, 0
            elif name == "cmp":
                result, raised = a, 0
                cc = self._compare(to_float(b), to_float(a))
            else:
                result, raised = self._calculate(name, a, b, form or self.precision)
        except Nan as why:
            result, raised = DEFAULT_NAN, why.args[0]
        if raised & UNFL and self.fpcr & UNFL:
            raised &= ~INEX
        if name not in ("tst", "cmp"):
            self.fp[n] = result
        self._finish(pc, exceptions | raised, self._condition(result) if cc is None else cc)

    @staticmethod
    def _compare(left: float, right: float) -> int:
        if left == right:
            return CC_Z
        return CC_N if left < right else 0

    def _calculate(self, name: str, a: int, b: int, form: Format) -> tuple[int, int]:
        if name in ("move", "abs", "neg"):
            bits = {"move": a, "abs": a & ~NEGATIVE, "neg": a ^ NEGATIVE}[name]
            return self._round(bits, form)
        if name in ("int", "intrz"):
            return self._integral(a, TO_ZERO if name == "intrz" else self.mode)
        if name == "sqrt":
            return self._sqrt(a, form)
        if name == "sub":
            return self._add(b, a ^ NEGATIVE, form)
        return {"add": self._add, "mul": self._mul, "div": self._div}[name](b, a, form)

    def _round(self, bits: int, form: Format) -> tuple[int, int]:
        if is_inf(bits) or to_float(bits) == 0:
            return bits, 0
        return round_exact(Fraction(to_float(bits)), form, self.mode)

    def _integral(self, bits: int, mode: int) -> tuple[int, int]:
        if is_inf(bits):
            return bits, 0
        exact = Fraction(to_float(bits))
        whole = integer_part(exact, mode)
        return to_bits(math.copysign(float(whole), to_float(bits))), 0 if whole == exact else INEX

    def _sqrt(self, bits: int, form: Format) -> tuple[int, int]:
        value = to_float(bits)
        if value == 0:
            return bits, 0
        if value < 0:
            raise Nan(OPERR)
        if is_inf(bits):
            return bits, 0
        return round_exact(square_root(Fraction(value)), form, self.mode)

    def _add(self, x: int, y: int, form: Format) -> tuple[int, int]:
        if is_inf(x) or is_inf(y):
            if is_inf(x) and is_inf(y) and x != y:
                raise Nan(OPERR)
            return (x if is_inf(x) else y), 0
        left, right = to_float(x), to_float(y)
        if left == right == 0 and x == y:
            return x, 0
        total = Fraction(left) + Fraction(right)
        if total == 0:
            return (NEGATIVE if self.mode == DOWN else 0), 0
        return round_exact(total, form, self.mode)

    def _mul(self, x: int, y: int, form: Format) -> tuple[int, int]:
        sign = (x ^ y) & NEGATIVE
        left, right = to_float(x), to_float(y)
        if is_inf(x) or is_inf(y):
            if left == 0 or right == 0:
                raise Nan(OPERR)
            return sign | INFINITY, 0
        if left == 0 or right == 0:
            return sign, 0
        return round_exact(Fraction(left) * Fraction(right), form, self.mode)

    def _div(self, x: int, y: int, form: Format) -> tuple[int, int]:
        sign = (x ^ y) & NEGATIVE
        left, right = to_float(x), to_float(y)
        if (is_inf(x) and is_inf(y)) or (left == 0 and right == 0):
            raise Nan(OPERR)
        if is_inf(x):
            return sign | INFINITY, 0
        if is_inf(y) or left == 0:
            return sign, 0
        if right == 0:
            return sign | INFINITY, DZ
        return round_exact(Fraction(left) / Fraction(right), form, self.mode)

    # --- conversions

    def from_single(self, bits: int) -> tuple[int, int]:
        """(pattern of a double, exceptions) of a single operand."""
        value: float = struct.unpack(">f", struct.pack(">I", bits))[0]
        if math.isnan(value):
            return DEFAULT_NAN, 0
        if value != 0 and abs(value) < 2.0**-126:
            return to_bits(math.copysign(0.0, value)), IDE | (0 if self.fpcr & IDE else INEX)
        return to_bits(value), 0

    def store(self, pc: int, n: int, size: str) -> int | None:
        """FMOVE FPn to "b", "w", "l", "s" or "d": its bits, or None when an enabled exception keeps them back."""
        bits, exceptions = self._operand(self.fp[n])
        value: int
        if size in ("b", "w", "l"):
            value, raised = self._to_integer(bits, {"b": 8, "w": 16, "l": 32}[size])
        elif is_nan(bits):
            value, raised = (DEFAULT_NAN if size == "d" else 0x7FFF_FFFF), INAN
        else:
            rounded, raised = self._round(bits, SINGLE if size == "s" else DOUBLE)
            value = rounded
            if size == "s":
                value = struct.unpack(">I", struct.pack(">f", to_float(rounded)))[0]
        if raised & UNFL and self.fpcr & UNFL:
            raised &= ~INEX
        exceptions |= raised
        self._finish(pc, exceptions, None)
        return None if exceptions & self.fpcr & 0xFF00 else value

    def _to_integer(self, bits: int, width: int) -> tuple[int, int]:
        """The OPERR defaults are all ones for a NaN, else the integer next to the number (CFPRM FMOVE)."""
        least, most = -(1 << (width - 1)), (1 << (width - 1)) - 1
        if is_nan(bits):
            return (1 << width) - 1, OPERR
        if is_inf(bits):
            return (least if bits & NEGATIVE else most) % (1 << width), OPERR
        exact = Fraction(to_float(bits))
        whole = integer_part(exact, self.mode)
        if not least <= whole <= most:
            return (least if whole < 0 else most) % (1 << width), OPERR
        return whole % (1 << width), 0 if whole == exact else INEX

    # --- FBcc

    def branch(self, pc: int, predicate: int) -> bool | None:
        """Whether FBcc is taken; None when it takes vector 48 instead."""
        cc = self.fpsr >> 24 & 0xF
        n, z, nan = bool(cc & CC_N), bool(cc & CC_Z), bool(cc & CC_NAN)
        if predicate >= 16:
            self.fpsr &= ~BSUN
            if nan:
                self.fpsr |= BSUN | IOP
                self.fpiar = pc
                if self.fpcr & BSUN:
                    return None
        conditions = (
            ("F", False),
            ("EQ", z),
            ("OGT", not (nan or z or n)),
            ("OGE", z or not (nan or n)),
            ("OLT", n and not (nan or z)),
            ("OLE", z or (n and not nan)),
            ("OGL", not (nan or z)),
            ("OR", not nan),
            ("UN", nan),
            ("UEQ", nan or z),
            ("UGT", nan or not (n or z)),
            ("UGE", nan or z or not n),
            ("ULT", nan or (n and not z)),
            ("ULE", nan or z or n),
            ("NE", not z),
            ("T", True),
        )
        return conditions[predicate & 15][1]
