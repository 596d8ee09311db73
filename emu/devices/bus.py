"""The peripheral window as a whole: which device answers, what an access needs, and what time brings.

An access is first asked about (:func:`before`), because some must not begin: the machine is then left in front of its
instruction. Whatever changes a device, by access or by time, ends in :func:`settle`, which derives the request to the
CPU and the time of the next event.
"""

from emu.devices import edge_port, interrupt_controller, mailbox, psc, slice_timer
from emu.devices.registers import (
    ACTS_READ,
    ACTS_WRITE,
    EPORT,
    GPT,
    GPT_STRIDE,
    INTC,
    KNOWN,
    MAILBOX,
    PIN,
    PSC,
    PSC_STRIDE,
    READABLE,
    SLICE,
    SLICE_STRIDE,
    TIMED_READ,
    WRITABLE,
)
from emu.devices.state import NEVER, PSCS, SLICE_TIMERS, Devices
from emu.jit import njit
from emu.raw_memory import load8

__all__ = ["GO", "acts", "advance", "before", "is_steady", "is_timed", "read", "settle", "wake_time", "write"]

# What an access needs.
(
    GO,
    ALONE,  # its instruction must run by itself
    FULL,  # the host must take what was sent, or which operations have ended, first
    RESET,  # it resets the board
    CALL,  # the host must answer a hypercall first
    UNMODELLED,  # nothing models this register: said once
    INPUT,  # the host must type what it has for the guest first
) = range(7)

GPT_WATCHDOG, GPT_ENABLE, GPT_MODE, GPT_MODE_TIMER = 0x8000, 0x1000, 0x7, 4  # WDEN, CE, TMS (LNX m54xxgpt.h)
EXPIRES = GPT_WATCHDOG | GPT_ENABLE | GPT_MODE_TIMER
LONG = 0xFFFFFFFF
MAILBOX_ACCESS = 4  # bytes


@njit
def rights(d: Devices, offset: int, size: int) -> int:
    """What may be done with the bytes; 0 if there are none or they are misaligned. The mailbox takes longwords only."""
    if offset & (size - 1) or (offset >= MAILBOX and size != MAILBOX_ACCESS):
        return 0
    return load8(d.map + offset)


@njit
def before(d: Devices, offset: int, size: int, value: int, is_write: int) -> int:
    """What the access needs first: GO or one of the others."""
    allowed = rights(d, offset, size)
    if not allowed & (WRITABLE if is_write else READABLE):
        if load8(d.map + offset) & KNOWN:
            return GO
        d.unmodelled, d.unmodelled_write = offset, is_write
        return UNMODELLED
    if is_write:
        if offset == PSC + psc.RB_TB and d.console_count >= d.console_size:
            return FULL
        if offset >= MAILBOX and mailbox.is_full(d, offset - MAILBOX):
            return FULL
        mode = merged(d.gpt_mode[0], offset, size, value) if offset & ~3 == GPT else 0
        if mode & (GPT_WATCHDOG | GPT_ENABLE | GPT_MODE) == EXPIRES:
            return RESET  # the shortest time-out is what every known user sets (sheet 6.6)
        if PSC <= offset < PSC + PSC_STRIDE and psc.asks_for_input(d, offset - PSC, size, value):
            return INPUT
        return ALONE if allowed & ACTS_WRITE else GO
    if offset >= MAILBOX and mailbox.awaits_answer(d, offset - MAILBOX):
        return CALL
    return ALONE if allowed & ACTS_READ else GO


@njit
def acts(d: Devices, offset: int, size: int, is_write: int) -> bool:
    """Whether the access has an effect that it must not have twice."""
    return rights(d, offset, size) & (ACTS_WRITE if is_write else ACTS_READ) != 0


@njit
def is_timed(d: Devices, offset: int, size: int, is_write: int) -> bool:
    """Whether the outcome of the access depends on when it happens."""
    return rights(d, offset, size) & (ACTS_WRITE if is_write else ACTS_READ | TIMED_READ) != 0


@njit
def is_steady(d: Devices, offset: int, first: int, last: int) -> bool:
    """Whether a read gives the same at all times from ``first`` to ``last``, between which no event is due."""
    if not PSC <= offset < PSC + PSCS * PSC_STRIDE or offset & PSC_STRIDE - 1 == psc.RB_TB:
        return False
    p = d.psc[(offset - PSC) // PSC_STRIDE]
    return psc.status(d, p, first) == psc.status(d, p, last)


@njit
def lane(longword: int, offset: int, size: int) -> int:
    """The ``size`` bytes at ``offset`` of the big-endian longword around them."""
    return longword >> 8 * (4 - (offset & 3) - size) & (1 << 8 * size) - 1


@njit
def merged(longword: int, offset: int, size: int, value: int) -> int:
    """The longword with those bytes replaced."""
    shift = 8 * (4 - (offset & 3) - size)
    bits = (1 << 8 * size) - 1
    return longword & ~(bits << shift) | (value & bits) << shift


@njit
def read_long(d: Devices, offset: int, now: int) -> int:
    """A longword register."""
    if INTC <= offset < GPT:
        return interrupt_controller.read(d, offset - INTC)
    if SLICE <= offset < PIN:
        n = (offset - SLICE) // SLICE_STRIDE
        return slice_timer.read(d, n, offset & SLICE_STRIDE - 1, now)
    if offset >= MAILBOX:
        return mailbox.read(d, offset - MAILBOX)
    if GPT <= offset < SLICE:
        n = (offset - GPT) // GPT_STRIDE
        return int(d.gpt_count[n] if offset & 4 else d.gpt_mode[n])
    if EPORT <= offset < PSC:
        return edge_port.read(d, offset - EPORT)
    value = 0
    for i in range(4):
        value = value << 8 | d.pins[offset - PIN + i]
    return int(value)


@njit
def read(d: Devices, offset: int, size: int, now: int) -> int:
    """A read of ``size`` bytes; 0 where nothing is modelled."""
    if not rights(d, offset, size) & READABLE:
        return 0
    if PSC <= offset < PSC + PSCS * PSC_STRIDE:
        n = (offset - PSC) // PSC_STRIDE
        return psc.read(d, n, offset & PSC_STRIDE - 1, size, now)
    return lane(read_long(d, offset & ~3, now), offset, size)


@njit
def write(d: Devices, offset: int, size: int, value: int, now: int) -> None:
    """A write of ``size`` bytes; without effect where nothing is modelled."""
    if not rights(d, offset, size) & WRITABLE:
        return
    around = offset & ~3
    if PSC <= offset < PSC + PSCS * PSC_STRIDE:
        psc.write(d, (offset - PSC) // PSC_STRIDE, offset & PSC_STRIDE - 1, size, value, now)
    elif INTC <= offset < GPT:
        at = around - INTC
        interrupt_controller.write(d, at, merged(interrupt_controller.kept(d, at), offset, size, value))
    elif SLICE <= offset < PIN:
        n, at = (offset - SLICE) // SLICE_STRIDE, around & SLICE_STRIDE - 1
        old = 0 if at == slice_timer.SSR else slice_timer.read(d, n, at, now)  # ones clear SSR
        slice_timer.write(d, n, at, merged(old, offset, size, value), now)
    elif offset >= MAILBOX:
        mailbox.write(d, offset - MAILBOX, value, now)
    elif GPT <= offset < SLICE:
        n = (offset - GPT) // GPT_STRIDE
        if offset & 4:
            d.gpt_count[n] = merged(d.gpt_count[n], offset, size, value)
        else:
            d.gpt_mode[n] = merged(d.gpt_mode[n], offset, size, value)
    elif EPORT <= offset < PSC:
        edge_port.write(d, offset - EPORT, size, value)
    else:
        for i in range(size):
            d.pins[offset - PIN + i] = value >> 8 * (size - 1 - i) & 0xFF


@njit
def settle(d: Devices, now: int) -> None:
    """Derive the request to the CPU and the next event after a change."""
    interrupt_controller.update(d)
    next_event = NEVER
    for n in range(SLICE_TIMERS):
        next_event = min(next_event, d.slice[n].due)
    for n in range(PSCS):
        arrives, room = psc.advance_due(d, n, now)
        next_event = min(next_event, arrives, room)
    d.deadline = next_event


@njit
def advance(d: Devices, now: int) -> None:
    """What time has brought up to ``now``."""
    slice_timer.advance(d, now)
    psc.advance(d, now)
    settle(d, now)


@njit
def wake_time(d: Devices, mask: int, now: int) -> int:
    """Core cycle of the first event whose interrupt a CPU with this mask would take, or NEVER."""
    first = NEVER
    for n in range(SLICE_TIMERS):
        timer = d.slice[n]
        if timer.control & slice_timer.IEN and interrupt_controller.passes(d, slice_timer.source(n), mask):
            first = min(first, timer.due)
    for n in range(PSCS):
        if interrupt_controller.passes(d, psc.source(n), mask):
            arrives, room = psc.advance_due(d, n, now)
            first = min(first, room)
            if psc.input_can_interrupt(d, n):
                first = min(first, arrives)
    return first
