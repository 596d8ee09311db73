"""The EMAC, written from the manual in plain Python, without a look at emu.cpu.

Sheet 4.5 and its EMAC sources: 548xRM chapter 4 (modes: table 4-2; rounding: 4-8), 5281UM 3.5.3 (sticky overflow
flags), CFPRM chapter 6 (MAC, MSAC and the moves). Numbers are exact Python integers: an accumulator is the number that
its 48 bits mean, in units of its own least significant bit.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

# MACSR bits
OMC, SU, FI, RT, N, Z, V, EV = 0x80, 0x40, 0x20, 0x10, 0x08, 0x04, 0x02, 0x01


def nearest_even(value: Fraction) -> int:
    """Round to nearest, ties to even; Python's round does exactly this for fractions."""
    return round(value)


def as_signed(bits: int, width: int) -> int:
    """Two's complement number in ``width`` bits."""
    bits %= 1 << width
    return bits - (1 << width) if bits >> (width - 1) else bits


@dataclass
class Emac:
    """Accumulators, MACSR and MASK. ``acc`` holds raw 48-bit patterns."""

    acc: list[int] = field(default_factory=lambda: [0, 0, 0, 0])
    macsr: int = 0
    mask: int = 0xFFFF

    # --- modes

    @property
    def fractional(self) -> bool:
        """MACSR[F/I]."""
        return bool(self.macsr & FI)

    @property
    def unsigned(self) -> bool:
        """Unsigned integers: in fractional mode S/U means something else."""
        return bool(self.macsr & SU) and not self.fractional

    @property
    def saturating(self) -> bool:
        """MACSR[OMC]."""
        return bool(self.macsr & OMC)

    def number(self, i: int) -> int:
        """What the 48 bits of an accumulator mean."""
        return self.acc[i] if self.unsigned else as_signed(self.acc[i], 48)

    def overflowed(self, i: int) -> bool:
        """PAVi."""
        return bool(self.macsr >> (8 + i) & 1)

    def _set_overflowed(self, i: int, value: bool) -> None:
        self.macsr = self.macsr & ~(0x100 << i) | (0x100 << i if value else 0)

    def _update_flags(self, i: int) -> None:
        number = self.number(i)
        if self.unsigned:
            extended = number >= 1 << 32
        else:
            limit = 1 << (39 if self.fractional else 31)
            extended = not -limit <= number < limit
        flags = {
            N: bool(self.acc[i] >> 47),
            Z: self.acc[i] == 0,
            V: self.overflowed(i),
            EV: extended,
        }
        self.macsr &= ~0xF
        self.macsr |= sum(bit for bit, is_set in flags.items() if is_set)

    # --- MAC and MSAC

    def operand(self, register: int, long: bool, upper: bool) -> int:
        """A factor as a number: an integer, or a fraction in units of 2**-31."""
        bits, width = register, 32
        if not long:
            bits, width = (register >> 16 if upper else register & 0xFFFF), 16
            if self.fractional:
                bits, width = bits << 16, 32
        return bits if self.unsigned else as_signed(bits, width)

    def accumulate(
        self,
        i: int,
        x: int,
        y: int,
        *,
        subtract: bool = False,
        long: bool = True,
        scale: int = 0,
        upper_x: bool = False,
        upper_y: bool = False,
    ) -> None:
        """ACCi +/- x * y, ``x`` and ``y`` register values; ``scale``: 1 = << 1, 3 = >> 1."""
        if self.saturating and self.overflowed(i):
            self._update_flags(i)
            return
        product = self.operand(x, long, upper_x) * self.operand(y, long, upper_y)
        if self.fractional:
            # The product is in units of 2**-62, the accumulator in units of 2**-39.
            exact = Fraction(product, 1 << 23)
            product = nearest_even(exact) if self.macsr & RT else exact.__floor__()
            too_large = False
        else:
            too_large = not self._is_40_bit(product)
            upwards = (product > 0) != subtract
            product = product % (1 << 40) if self.unsigned else as_signed(product, 40)
            product = {1: product * 2, 3: product // 2}.get(scale, product)
        total = self.number(i) - product if subtract else self.number(i) + product
        if not too_large:
            upwards = total > 0
        if too_large or not self._is_48_bit(total):
            self._set_overflowed(i, True)
            if self.saturating:
                total = self._limit(upwards)
        self.acc[i] = total % (1 << 48)
        self._update_flags(i)

    def _is_40_bit(self, product: int) -> bool:
        if self.unsigned:
            return product < 1 << 40
        return -(1 << 39) <= product < 1 << 39

    def _is_48_bit(self, total: int) -> bool:
        if self.unsigned:
            return 0 <= total < 1 << 48
        return -(1 << 47) <= total < 1 << 47

    def _limit(self, upwards: bool) -> int:
        if self.fractional:
            return 0x007F_FFFF_FF00 if upwards else -0x0080_0000_0000
        if self.unsigned:
            return 0xFFFF_FFFF_FFFF if upwards else 0
        return 0x7FFF_FFFF if upwards else -0x8000_0000

    # --- moves

    def store(self, i: int) -> int:
        """MOVE.L ACCi,Rx."""
        number = self.number(i)
        if not self.fractional:
            if not self.saturating:
                return number % (1 << 32)
            low, high = (0, 0xFFFF_FFFF) if self.unsigned else (-0x8000_0000, 0x7FFF_FFFF)
            return min(max(number, low), high) % (1 << 32)
        if self.macsr & SU:
            width, value = 16, nearest_even(Fraction(number, 1 << 24))
        elif self.macsr & RT:
            width, value = 32, nearest_even(Fraction(number, 1 << 8))
        else:
            width, value = 32, number // (1 << 8)
        if self.saturating:
            limit = 1 << (width - 1)
            value = min(max(value, -limit), limit - 1)
        return value % (1 << width)

    def store_and_clear(self, i: int) -> int:
        """MOVCLR.L ACCi,Rx."""
        value = self.store(i)
        self.acc[i] = 0
        self._set_overflowed(i, False)
        return value

    def load(self, i: int, value: int) -> None:
        """MOVE.L Rx,ACCi."""
        if self.fractional:
            self.acc[i] = (as_signed(value, 32) << 8) % (1 << 48)
        elif self.unsigned:
            self.acc[i] = value
        else:
            self.acc[i] = as_signed(value, 32) % (1 << 48)
        self._set_overflowed(i, False)
        self._update_flags(i)

    def copy(self, source: int, target: int) -> None:
        """MOVE.L ACCsource,ACCtarget."""
        self.acc[target] = self.acc[source]
        self._set_overflowed(target, self.overflowed(source))
        self._update_flags(target)

    def store_extension(self, pair: int) -> int:
        """MOVE.L ACCext01 (pair 0) or ACCext23 (pair 1),Rx."""
        halves = []
        for i in (2 * pair, 2 * pair + 1):
            bits = f"{self.acc[i]:048b}"
            halves.append(int(bits[:8] + bits[40:], 2) if self.fractional else int(bits[:16], 2))
        return halves[1] << 16 | halves[0]

    def load_extension(self, pair: int, value: int) -> None:
        """MOVE.L Rx,ACCext01 or ACCext23."""
        for i, half in ((2 * pair, value & 0xFFFF), (2 * pair + 1, value >> 16)):
            old, new = f"{self.acc[i]:048b}", f"{half:016b}"
            self.acc[i] = int(new[:8] + old[8:40] + new[8:], 2) if self.fractional else int(new + old[16:], 2)

    def ccr(self) -> int:
        """MOVE.L MACSR,CCR: X is clear, C is EV."""
        return self.macsr & 0xF

    # --- the load in parallel

    def masked_address(self, mode: str, an: int, displacement: int = 0) -> tuple[int, int]:
        """(operand address, An afterwards) of a load with ``&`` for mode "(An)", "(An)+", "-(An)" or "(d16,An)"."""
        mask = 0xFFFF0000 | self.mask
        if mode == "(An)":
            return an & mask, an
        if mode == "(An)+":
            return an, (an + 4) & mask
        if mode == "-(An)":
            return (an - 4) & mask, (an - 4) & mask
        return (an + displacement) & mask, an
