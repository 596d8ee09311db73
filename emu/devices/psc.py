"""Programmable serial controllers in UART mode: both FIFOs, status, interrupts, and the time that characters take.

Sheet 6.5 (LNX mcfuart.h, mcf.c; BAS MCF5475_PSC.h). A character takes the time that the divisor in CTUR and CTLR says,
and none while the guest has never set one. PSC0 is connected to the host: what it sends is the console, and what the
host types waits on the line until the guest has read the character before, so none is ever lost. Parity, framing
errors and breaks do not happen on such a line.
"""

from emu.devices.interrupt_controller import set_line
from emu.devices.state import FIFO, LINE, NEVER, PSCS, Devices, Psc
from emu.jit import njit
from emu.raw_memory import load8, store8

__all__ = ["advance", "advance_due", "asks_for_input", "end_silence", "input_can_interrupt", "read", "source", "write"]

MR, SR_CSR, CR, RB_TB, IPCR_ACR, ISR_IMR, CTUR, CTLR = 0x00, 0x04, 0x08, 0x0C, 0x10, 0x14, 0x18, 0x1C
OPSET, OPRESET, SICR = 0x38, 0x3C, 0x40
SR_TXEMP, SR_TXRDY, SR_OVERRUN, SR_FFULL, SR_RXRDY = 0x08, 0x04, 0x10, 0x02, 0x01
ISR_RX, ISR_TXRDY = 0x02, 0x01
MR1_INTERRUPT_WHEN_FULL = 0x40
MR2_CHANNEL, MR2_LOCAL_LOOPBACK = 0xC0, 0x80
# CR: bits 6-4 a command, 3-2 the transmitter, 1-0 the receiver (1 = on, 2 = off)
RESET_MODE, RESET_RX, RESET_TX, RESET_ERROR = 1, 2, 3, 4
ON, OFF = 1, 2
CHARACTER_BITS = 10  # start, eight data, stop
CLOCKS_PER_BIT = 32  # per unit of the divisor (LNX mcf.c)


@njit
def source(n: int) -> int:
    """Interrupt source of PSC ``n``: 35 down to 32."""
    return 35 - n


@njit
def character_cycles(d: Devices, p: Psc) -> int:
    """Core cycles that one character takes on the line."""
    return int(p.divisor * CLOCKS_PER_BIT * CHARACTER_BITS * d.bus_ratio)


@njit
def waiting(d: Devices, p: Psc, now: int) -> int:
    """Characters that are accepted and have not left."""
    cycles = character_cycles(d, p)
    if cycles == 0 or p.sent <= now:
        return 0
    return int((p.sent - now + cycles - 1) // cycles)


@njit
def status(d: Devices, p: Psc, now: int) -> int:
    """SR."""
    value = 0
    if p.transmits:
        queued = waiting(d, p, now)
        if queued < FIFO:
            value |= SR_TXRDY
        if queued == 0:
            value |= SR_TXEMP
    if p.fifo_count:
        value |= SR_RXRDY
    if p.fifo_count == FIFO:
        value |= SR_FFULL
    if p.overrun:
        value |= SR_OVERRUN
    return value


@njit
def interrupt_status(d: Devices, p: Psc, now: int) -> int:
    """ISR: levels, not edges."""
    value = status(d, p, now)
    result = ISR_TXRDY if value & SR_TXRDY else 0
    if value & (SR_FFULL if p.mode[0] & MR1_INTERRUPT_WHEN_FULL else SR_RXRDY):
        result |= ISR_RX
    return result


@njit
def loops_back(p: Psc) -> bool:
    """Whether the receiver hears the transmitter, and nobody else does."""
    return bool(p.mode[1] & MR2_CHANNEL == MR2_LOCAL_LOOPBACK)


@njit
def listens(p: Psc) -> bool:
    """Whether the receiver hears the line."""
    return bool(p.receives and not loops_back(p))


@njit
def update(d: Devices, n: int, now: int) -> None:
    """Bring line and request up to date after a change."""
    p = d.psc[n]
    idle = p.fifo_count == 0 and p.arrives >= NEVER
    if listens(p) and idle and p.line_written > p.line_read:
        p.arrives = max(now, p.quiet_until) + character_cycles(d, p)
    set_line(d, source(n), interrupt_status(d, p, now) & p.enabled != 0)


@njit
def push(p: Psc, character: int) -> None:
    """A character is complete."""
    if p.fifo_count == FIFO:
        p.overrun = 1
        return
    p.fifo[(p.fifo_head + p.fifo_count) % FIFO] = character
    p.fifo_count += 1


@njit
def pop(p: Psc) -> int:
    """RB: the oldest character; 0 from an empty FIFO."""
    if p.fifo_count == 0:
        return 0
    character = int(p.fifo[p.fifo_head])
    p.fifo_head = (p.fifo_head + 1) % FIFO
    p.fifo_count -= 1
    if p.from_line:
        p.from_line -= 1
        if p.from_line == 0:
            p.line_read += 1
    return character


@njit
def send(d: Devices, n: int, character: int, now: int) -> None:
    """TB: a full or disabled transmitter loses the character."""
    p = d.psc[n]
    if not p.transmits or waiting(d, p, now) >= FIFO:
        return
    p.sent = max(p.sent, now) + character_cycles(d, p)
    if loops_back(p):
        if p.receives:
            push(p, character)
    elif n == 0:
        store8(d.console + d.console_count, character)
        d.console_count += 1


@njit
def command(p: Psc, value: int, now: int) -> None:
    """CR. What a reset of the receiver throws away is still on the line: the host has not sent it yet."""
    what = value >> 4 & 7
    if what == RESET_MODE:
        p.mode_next = 0
    elif what == RESET_RX:
        p.receives = 0
        p.fifo_count = 0
        p.from_line = 0
        p.arrives = NEVER
        p.overrun = 0
    elif what == RESET_TX:
        p.transmits = 0
        p.sent = now
    elif what == RESET_ERROR:
        p.overrun = 0
    if value >> 2 & 3 == ON:
        p.transmits = 1
    elif value >> 2 & 3 == OFF:
        p.transmits = 0
    if value & 3 == ON:
        p.receives = 1
    elif value & 3 == OFF:
        p.receives = 0
        p.arrives = NEVER


@njit
def asks_for_input(d: Devices, at: int, size: int, value: int) -> bool:
    """Whether this store to PSC0 turns the receiver on for the first time, and the host waits for that."""
    return bool(d.psc[0].asks and at == CR and value >> 8 * (size - 1) & 3 == ON)


@njit
def read(d: Devices, n: int, at: int, size: int, now: int) -> int:
    """``size`` bytes at offset ``at``: byte registers stand in the first byte; RB gives one character a byte."""
    p = d.psc[n]
    value = 0
    if at == RB_TB:
        for _ in range(size):
            value = value << 8 | pop(p)
        update(d, n, now)
        return value
    if at == MR:
        value = int(p.mode[p.mode_next])
        p.mode_next = 1
    elif at == SR_CSR:
        value = status(d, p, now)
    elif at == ISR_IMR:
        value = interrupt_status(d, p, now)
    elif at == CTUR:
        value = int(p.divisor >> 8)
    elif at == CTLR:
        value = int(p.divisor & 0xFF)
    elif at == SICR:
        value = int(p.select)
    return value << 8 * (size - 1)


@njit
def write(d: Devices, n: int, at: int, size: int, value: int, now: int) -> None:
    """``size`` bytes at offset ``at``; see :func:`read`."""
    p = d.psc[n]
    byte = value >> 8 * (size - 1) & 0xFF
    if at == RB_TB:
        for i in range(size):
            send(d, n, value >> 8 * (size - 1 - i) & 0xFF, now)
    elif at == MR:
        p.mode[p.mode_next] = byte
        p.mode_next = 1
    elif at == SR_CSR:
        p.clock_select = byte
    elif at == CR:
        command(p, byte, now)
    elif at == IPCR_ACR:
        p.auxiliary = byte
    elif at == ISR_IMR:
        p.enabled = byte
    elif at == CTUR:
        p.divisor = byte << 8 | p.divisor & 0xFF
    elif at == CTLR:
        p.divisor = p.divisor & 0xFF00 | byte
    elif at == OPSET:
        p.outputs |= byte
    elif at == OPRESET:
        p.outputs &= ~byte
    elif at == SICR:
        p.select = byte
    update(d, n, now)


@njit
def room_at(d: Devices, p: Psc) -> int:
    """Core cycle when a full transmitter has room again."""
    return int(p.sent - (FIFO - 1) * character_cycles(d, p))


@njit
def advance_due(d: Devices, n: int, now: int) -> tuple[int, int]:
    """(core cycle when the next character is complete, core cycle when the transmitter has room again) or NEVER, where
    an interrupt waits for that."""
    p = d.psc[n]
    room = NEVER
    if p.enabled & ISR_TXRDY and p.transmits and waiting(d, p, now) >= FIFO:
        room = room_at(d, p)
    return int(p.arrives), room


@njit
def advance(d: Devices, now: int) -> None:
    """Characters that are complete by ``now``."""
    for n in range(PSCS):
        p = d.psc[n]
        if p.arrives <= now:
            if p.fifo_count < FIFO:  # else a loopback has filled it since, and the character waits on
                push(p, load8(p.line + p.line_read % LINE))
                p.from_line = p.fifo_count
            p.arrives = NEVER
        update(d, n, now)


@njit
def end_silence(d: Devices, n: int, now: int) -> None:
    """The guest waits: what the host types begins now."""
    d.psc[n].quiet_until = now
    d.psc[n].arrives = NEVER
    update(d, n, now)


@njit
def input_can_interrupt(d: Devices, n: int) -> bool:
    """Whether a character from the host would raise the PSC's request."""
    p = d.psc[n]
    return bool(listens(p) and p.enabled & ISR_RX and not p.mode[0] & MR1_INTERRUPT_WHEN_FULL)
