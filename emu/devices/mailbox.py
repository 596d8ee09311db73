"""The mailbox: our own device, in space that the MCF547x leaves unused. Hypercalls, and a recorder of operations.

A guest stores arguments, stores the number of a call, and reads the status: that read waits until the host has
answered. Two more registers mark begin and end of an operation, whose cycles are recorded.
"""

from emu.devices.state import MAILBOX_ARGS, MAX_OPERATIONS, Devices
from emu.jit import njit
from emu.raw_memory import store64

__all__ = ["awaits_answer", "is_full", "read", "write"]

CALL, STATUS, BEGIN, END = 0x40, 0x44, 0x48, 0x4C
ENDED_BYTES = 16


@njit
def is_full(d: Devices, at: int) -> bool:
    """Whether the host must take the operations that have ended before the longword at ``at`` is written."""
    return at == END and d.ended_count >= d.ended_size


@njit
def awaits_answer(d: Devices, at: int) -> bool:
    """Whether a read at offset ``at`` must wait for the host."""
    return at == STATUS and d.call_pending == 1


@njit
def read(d: Devices, at: int) -> int:
    """The longword at offset ``at``."""
    if at < 4 * MAILBOX_ARGS:
        return int(d.arguments[at >> 2])
    d.call_pending = 0
    return int(d.call_status)


@njit
def write(d: Devices, at: int, value: int, now: int) -> None:
    """Store a longword: an argument, the call, or a mark of the recorder."""
    if at < 4 * MAILBOX_ARGS:
        d.arguments[at >> 2] = value
    elif at == CALL:
        d.call_number = value
        d.call_pending = 1
    elif value < MAX_OPERATIONS:
        if at == BEGIN:
            d.operation_start[value] = now
        else:
            record = d.ended + ENDED_BYTES * d.ended_count
            store64(record, value)
            store64(record + 8, now - d.operation_start[value])
            d.ended_count += 1
