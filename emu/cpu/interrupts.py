"""Interrupt requests, from the peripherals and from the host, as the CPU sees them between two instructions.

The interrupt controller's request is a level and lasts until its cause is gone; the host's is an edge, over with the
acknowledge. Level 7 is an edge in both (sheet 3.6).
"""

from emu.cpu.clock import now, set_limits
from emu.cpu.exceptions import deliver_interrupt
from emu.cpu.processor import get_pc, system_byte
from emu.cpu.state import ATTENTION_IRQ, NEVER, State
from emu.devices import bus, interrupt_controller, psc
from emu.jit import njit

__all__ = [
    "bring_up_to_date",
    "follow_devices",
    "interrupt_due",
    "pass_time",
    "request_from_host",
    "take_interrupt",
    "typed_input_wakes",
    "wake_time",
]


@njit
def interrupt_mask(s: State) -> int:
    """SR[I]."""
    return system_byte(s) >> 8 & 7


@njit
def bring_up_to_date(s: State) -> None:
    """Derive what the run loop looks at from the requests and from the time of the next event."""
    if s.edge_level | interrupt_controller.level_for_cpu(s.devices):
        s.attention |= ATTENTION_IRQ
    else:
        s.attention &= ~ATTENTION_IRQ
    set_limits(s, min(s.timer_cycle, s.devices.deadline))


@njit
def follow_devices(s: State) -> None:
    """A device has changed."""
    bus.settle(s.devices, now(s))
    bring_up_to_date(s)


@njit
def request_from_host(s: State, level: int, vector: int) -> None:
    """The host's request; one that waits at the same level gives way."""
    s.edge_vectors[level] = vector + 1
    s.edge_level = max(s.edge_level, level)


@njit
def acknowledge_host(s: State) -> int:
    """The vector of the host's highest request, which is over with that."""
    vector = s.edge_vectors[s.edge_level] - 1
    s.edge_vectors[s.edge_level] = 0
    while s.edge_level and s.edge_vectors[s.edge_level] == 0:
        s.edge_level -= 1
    return int(vector)


@njit
def pass_time(s: State) -> None:
    """Whatever is due by now happens: the host's scheduled request, and the devices' events."""
    if s.timer_cycle <= now(s):
        request_from_host(s, s.timer_level, s.timer_vector)
        s.timer_cycle = NEVER
    if s.devices.deadline <= now(s):
        bus.advance(s.devices, now(s))
    bring_up_to_date(s)


@njit
def interrupt_due(s: State) -> bool:
    """Whether a requested interrupt may be taken now: above the mask, or level 7 (sheet 3.6), and not before the first
    instruction of a handler, reset included, has run (548xRM 3-38), nor inside an instruction that is being begun again
    (:func:`emu.cpu.io.was_done`)."""
    if s.instructions == s.hold_instructions or s.instructions + 1 == s.done_at:
        return False
    level = max(s.edge_level, interrupt_controller.level_for_cpu(s.devices))
    return bool(level == 7 or level > interrupt_mask(s))


@njit
def take_interrupt(s: State) -> None:
    """Deliver the highest request; between equal ones, the host's."""
    level = max(s.edge_level, interrupt_controller.level_for_cpu(s.devices))
    if level == s.edge_level:
        vector = acknowledge_host(s)
    else:
        vector = interrupt_controller.acknowledge(s.devices, level)
    bring_up_to_date(s)
    s.stopped = 0
    s.block_size = 0
    deliver_interrupt(s, level, vector, get_pc(s))


@njit
def typed_input_wakes(s: State) -> bool:
    """Whether something typed on the console would end a STOP."""
    return psc.input_can_interrupt(s.devices, 0) and interrupt_controller.passes(
        s.devices, psc.source(0), interrupt_mask(s)
    )


@njit
def wake_time(s: State) -> int:
    """Time of the first event that ends a STOP, or NEVER."""
    mask = interrupt_mask(s)
    first = bus.wake_time(s.devices, mask, now(s))
    if s.timer_level > mask or s.timer_level == 7:
        first = min(first, s.timer_cycle)
    return int(first)
