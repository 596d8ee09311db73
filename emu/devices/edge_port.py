"""Edge port: the pins IRQ7 to IRQ1 as levels or edges (sheet 6.3: sources 1 to 7; LNX m54xxsim.h).

All pins are high until the host moves one; nothing is connected to the port's outputs.
"""

from emu.devices.interrupt_controller import set_line
from emu.devices.state import Devices
from emu.jit import njit

__all__ = ["move_pin", "read", "write"]

PAR, DDR, IER, DR, FR = range(5)  # fields of ``eport``: pin assignment (16 bits), then byte registers
LEVEL, RISING, FALLING = 0, 1, 2  # EPPAR: two bits a pin; both bits: either edge
PAR_BITS, PIN_BITS = 0xFFFC, 0xFE


@njit
def update(d: Devices) -> None:
    """Requests of sources 1 to 7: a flag, or a low pin where the level counts."""
    for pin in range(1, 8):
        kind = d.eport[PAR] >> 2 * pin & 3
        asserted = d.pin_levels >> pin & 1 == 0 if kind == LEVEL else d.eport[FR] >> pin & 1 != 0
        set_line(d, pin, asserted and d.eport[IER] >> pin & 1 != 0)


@njit
def move_pin(d: Devices, pin: int, high: int) -> None:
    """Drive a pin from outside; an edge that its assignment names is flagged."""
    before = d.pin_levels >> pin & 1
    kind = d.eport[PAR] >> 2 * pin & 3
    if before != high and kind & (RISING if high else FALLING):
        d.eport[FR] |= 1 << pin
    d.pin_levels = d.pin_levels & ~(1 << pin) | high << pin
    update(d)


@njit
def read(d: Devices, at: int) -> int:
    """The longword at offset 0, 4, 8 or 12."""
    if at == 0:
        return int(d.eport[PAR] << 16)
    if at == 4:
        return int(d.eport[DDR] << 24 | d.eport[IER] << 16)
    if at == 8:
        return int(d.eport[DR] << 24 | d.pin_levels << 16)
    return int(d.eport[FR] << 24)


@njit
def write(d: Devices, at: int, size: int, value: int) -> None:
    """``size`` bytes at offset ``at``; EPFR is cleared by ones."""
    for i in range(size):
        byte = value >> 8 * (size - 1 - i) & 0xFF
        place = at + i
        if place == 0:
            d.eport[PAR] = d.eport[PAR] & 0xFF | byte << 8
        elif place == 1:
            d.eport[PAR] = d.eport[PAR] & 0xFF00 | byte & PAR_BITS
        elif place == 4:
            d.eport[DDR] = byte & PIN_BITS
        elif place == 5:
            d.eport[IER] = byte & PIN_BITS
        elif place == 8:
            d.eport[DR] = byte & PIN_BITS
        elif place == 12:
            d.eport[FR] &= ~byte
    update(d)
