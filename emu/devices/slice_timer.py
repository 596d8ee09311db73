"""Slice timers: a 32-bit down counter of bus clocks that times out once in STCNT + 1 of them (sheet 6.4)."""

from emu.devices.interrupt_controller import set_line
from emu.devices.state import NEVER, SLICE_TIMERS, Devices
from emu.jit import njit

__all__ = ["advance", "read", "source", "write"]

STCNT, SCR, SCNT, SSR = 0x0, 0x4, 0x8, 0xC
RUN, IEN, TEN = 0x04000000, 0x02000000, 0x01000000
BE, ST = 0x02000000, 0x01000000


@njit
def source(n: int) -> int:
    """Interrupt source of timer ``n``: 54 and 53."""
    return 54 - n


@njit
def period(d: Devices, n: int) -> int:
    """Core cycles from load to time-out."""
    return int((d.slice[n].terminal + 1) * d.bus_ratio)


@njit
def update(d: Devices, n: int) -> None:
    """The interrupt request follows status and enable."""
    timer = d.slice[n]
    set_line(d, source(n), timer.status & ST != 0 and timer.control & IEN != 0)


@njit
def read(d: Devices, n: int, at: int, now: int) -> int:
    """The longword at offset ``at`` of timer ``n``."""
    timer = d.slice[n]
    if at == STCNT:
        return int(timer.terminal)
    if at == SCR:
        return int(timer.control)
    if at == SSR:
        return int(timer.status)
    if timer.due >= NEVER:  # waits behind a time-out, or was never started
        return 0 if timer.status & ST else int(timer.terminal)
    return int((timer.due - now - 1) // d.bus_ratio)


@njit
def write(d: Devices, n: int, at: int, value: int, now: int) -> None:
    """Store a longword. A new STCNT counts from the next load on; enabling loads the counter."""
    timer = d.slice[n]
    if at == STCNT:
        timer.terminal = value
    elif at == SCR:
        if value & TEN and not timer.control & TEN:
            timer.due = now + period(d, n)
        if not value & TEN:
            timer.due = NEVER
        timer.control = value & (RUN | IEN | TEN)
    elif at == SSR:
        if value & ST and timer.status & ST and timer.control & TEN and timer.due >= NEVER:
            timer.due = now + period(d, n)  # RUN = 0: it has waited for this
        timer.status &= ~value & (BE | ST)
    update(d, n)


@njit
def advance(d: Devices, now: int) -> None:
    """Time-outs up to ``now``."""
    for n in range(SLICE_TIMERS):
        timer = d.slice[n]
        if timer.due <= now:
            timer.status |= ST
            if timer.control & RUN:
                timer.due += ((now - timer.due) // period(d, n) + 1) * period(d, n)
            else:
                timer.due = NEVER
            update(d, n)
