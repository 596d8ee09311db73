"""Integer instructions that unicorn or QEMU get wrong, in plain Python from the manual (CFPRM chapter 4)."""

from __future__ import annotations

from dataclasses import dataclass

from tests.oracle.emac import as_signed

X, N, Z, V, C = 16, 8, 4, 2, 1


@dataclass(frozen=True)
class Outcome:
    """``registers``: new values by number of data register; ``ccr``: the five flags; ``vector``: 5 or None."""

    registers: dict[int, int]
    ccr: int
    vector: int | None = None


def _flags(ccr: int, value: int, width: int) -> int:
    """N and Z from a result, V and C clear, X kept."""
    return ccr & X | (N if value >> (width - 1) & 1 else 0) | (Z if value == 0 else 0)


def _divide(dividend: int, divisor: int) -> tuple[int, int]:
    """(quotient towards zero, remainder with the dividend's sign)."""
    quotient = abs(dividend) // abs(divisor)
    if (dividend < 0) != (divisor < 0):
        quotient = -quotient
    return quotient, dividend - quotient * divisor


def divide_word(signed: bool, dividend: int, divisor: int, target: int, ccr: int) -> Outcome:
    """DIVS.W, DIVU.W: 32 by 16 bits; the quotient in the low word, the remainder in the high one."""
    if divisor & 0xFFFF == 0:
        return Outcome({}, ccr, 5)
    a, b = (as_signed(dividend, 32), as_signed(divisor, 16)) if signed else (dividend, divisor & 0xFFFF)
    quotient, rest = _divide(a, b)
    fits = -0x8000 <= quotient <= 0x7FFF if signed else quotient <= 0xFFFF
    if not fits:
        return Outcome({}, ccr & X | V)
    result = (rest & 0xFFFF) << 16 | quotient & 0xFFFF
    return Outcome({target: result}, _flags(ccr, quotient & 0xFFFF, 16))


def divide_long(signed: bool, dividend: int, divisor: int, target: int, remainder_to: int, ccr: int) -> Outcome:
    """DIVx.L (``remainder_to`` == ``target``) and REMx.L."""
    if divisor == 0:
        return Outcome({}, ccr, 5)
    a, b = (as_signed(dividend, 32), as_signed(divisor, 32)) if signed else (dividend, divisor)
    quotient, rest = _divide(a, b)
    if quotient == 1 << 31 and signed:
        return Outcome({}, ccr & X | V)
    result = {remainder_to: rest % (1 << 32)} if remainder_to != target else {target: quotient % (1 << 32)}
    return Outcome(result, _flags(ccr, quotient % (1 << 32), 32))


def move_extended(signed: bool, size: int, value: int, target: int, ccr: int) -> Outcome:
    """MVS and MVZ of ``size`` bytes: N of MVZ is always clear (CFPRM 4-58)."""
    bits = value % (1 << 8 * size)
    result = as_signed(bits, 8 * size) % (1 << 32) if signed else bits
    return Outcome({target: result}, _flags(ccr, result, 32))
