"""What commands and panes need of whatever is stepped through: a live guest, or a recorded trace."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

from emu.counters import Bill
from emu.debug.disassembly import Line
from emu.debug.history import Moment
from emu.debug.stepper.events import Called, Cleared, Event, Image, Loaded, Missed, Raised, Switched, Timeline
from emu.errors import CfemuError, UsageError
from emu.mmu.registers import FAULT_STATUS, VECTOR_ACCESS_ERROR, VECTORS

__all__ = ["NO_GUEST", "Interrupted", "Movement", "Refill", "Source", "describe", "never_loaded"]

NO_GUEST = "a recorded trace has no registers, no memory and no code"


class Interrupted(CfemuError):
    """The user has ended a search."""

    def __init__(self) -> None:
        super().__init__("interrupted")


@dataclass(frozen=True)
class Movement:
    """How a movement ended: ``text`` says why, and is empty where it did what it was told to; ``loaded``: TLB address
    of the entry whose load it stopped behind."""

    moment: Moment
    pc: int
    text: str = ""
    edge: bool = False
    loaded: int | None = None


@dataclass(frozen=True)
class Refill:
    """What it took from a miss to the return of its handler. ``returned``: None if it has not returned as far as was
    looked; ``bill``: None where only the sum is known."""

    before: Moment
    returned: Moment | None
    looked_to: Moment
    bill: Bill | None = None


class Source(ABC):
    """One thing to step through, and the timeline of its events. Movements may be ended by ``interrupt`` from another
    thread; nothing else may be called meanwhile."""

    title: str
    notes: tuple[str, ...] = ()
    timeline: Timeline
    unit = "instruction"  # what moments count
    beginning = "reset"  # where the history begins

    # --- where we are

    @property
    @abstractmethod
    def now(self) -> Moment:
        """The present moment."""

    @property
    @abstractmethod
    def first(self) -> Moment:
        """The start of the history."""

    @property
    @abstractmethod
    def last(self) -> Moment:
        """As far as the guest has been run, or the end of the trace."""

    @property
    @abstractmethod
    def horizon(self) -> int:
        """How far commands look ahead that search for something later."""

    @property
    @abstractmethod
    def pc(self) -> int:
        """The next instruction, or what comes closest."""

    @property
    @abstractmethod
    def following(self) -> str:
        """What happens next: an instruction, an event of a trace."""

    # --- movements

    @abstractmethod
    def step(self, count: int) -> Movement:
        """One unit of time, or exception, after the other."""

    @abstractmethod
    def reverse_step(self, count: int) -> Movement:
        """The same backwards."""

    @abstractmethod
    def next_miss(self, side: str | None, region: str | None) -> Movement:
        """Forwards to behind the next TLB miss."""

    @abstractmethod
    def previous_miss(self, side: str | None, region: str | None) -> Movement:
        """Backwards to behind the last TLB miss before now."""

    @abstractmethod
    def next_load(self, address: int | None) -> Movement:
        """Forwards to behind the next load of this TLB entry, or any."""

    @abstractmethod
    def previous_load(self, address: int | None) -> Movement:
        """Backwards to behind the last load of it before now. Where there is none, it stays and says so."""

    @abstractmethod
    def goto(self, number: int) -> Movement:
        """Be where so many units have passed."""

    @abstractmethod
    def return_to(self, moment: Moment) -> Movement:
        """Be at a moment that was passed before."""

    @abstractmethod
    def interrupt(self) -> None:
        """End the movement, or search, under way."""

    @abstractmethod
    def begin(self) -> None:
        """A new command: nobody has interrupted it yet."""

    # --- looking

    @property
    @abstractmethod
    def mmu(self) -> npt.NDArray[Any]:
        """The MMU as it is now, to read."""

    @abstractmethod
    def symbol(self, va: int) -> str:
        """``name+0x12``, or the bare address."""

    @abstractmethod
    def region_of(self, va: int) -> str:
        """Name of the region that a miss at ``va`` is charged to."""

    @abstractmethod
    def region_names(self) -> list[str]:
        """All of them."""

    @abstractmethod
    def refill(self, miss: Missed) -> Refill:
        """Follow the handler of a miss to its return; the source is left anywhere."""

    @abstractmethod
    def misses_by_time(self, bins: int, patience: float) -> Sequence[int]:
        """Misses in each of at most ``bins`` equal parts of the history; of fewer from its start on, when it takes more
        than ``patience`` seconds to find out."""

    @abstractmethod
    def counters(self) -> Mapping[str, int]:
        """What is counted up to now."""

    def tell_call(self, call: Called) -> str:
        """A hypercall in words."""
        return f"hypercall {call.call.number}"

    # --- what only one of them has

    def around(self, count: int) -> Sequence[tuple[bool, str]]:
        """About ``count`` events of a trace around now; True: it is the next one."""
        return ()

    def disassemble(self, va: int, count: int) -> list[Line]:
        """Instructions from ``va`` on."""
        raise UsageError(NO_GUEST)

    def read(self, va: int, size: int) -> bytes:
        """Memory at ``va``, as far as it can be reached."""
        raise UsageError(NO_GUEST)

    def labels(self) -> Mapping[str, int]:
        """All symbols."""
        return {}

    def registers(self) -> Mapping[str, int]:
        """All registers by name; empty for a trace."""
        return {}

    @abstractmethod
    def close(self) -> None:
        """Free what it holds."""

    # --- for all

    @contextmanager
    def excursion(self) -> Iterator[None]:
        """Whatever is run inside, the present moment is the same afterwards."""
        here = self.now
        try:
            yield
        finally:
            if self.now != here:
                self.return_to(here)

    def function(self, va: int) -> str:
        """The symbol without its offset."""
        return self.symbol(va).partition("+")[0]


def never_loaded(address: int | None) -> str:
    """That there is no load to go back to."""
    return "no TLB entry was loaded before" if address is None else f"TLB entry {address} was not loaded before"


ACCESS = {5: "fetch", 6: "fetch", 10: "write", 14: "read"}  # by fault status; FS 14 also of read-modify-writes


def describe(source: Source, event: Event) -> tuple[str, str]:
    """(Kind of the event, what happened), each short enough for a line of the log."""
    match event:
        case Missed():
            by = source.symbol(event.pc)
            kind = ACCESS[event.fault_status]
            return "miss", f"{event.side} {kind} {event.va:#010x} ({event.region}) by {by}"
        case Loaded():
            return "load", f"{event.side} {event.address}: {_load(event.new)}{_evicting(event)}"
        case Cleared():
            kept = f", {event.left} stay" if event.left else ""
            return "clear", f"{len(event.dropped)} entries by {source.function(event.pc)}{kept}"
        case Switched():
            return "asid", f"{event.old} -> {event.new} by {source.function(event.pc)}"
        case Called():
            return "call", source.tell_call(event)
        case Raised():
            return event.kind, _raised(source, event)


def _load(new: Image) -> str:
    lock = ", locked" if new.locked else ""
    return f"{new}{lock}" if new.valid else "made invalid"


def _evicting(event: Loaded) -> str:
    return "" if event.evicted is None else f"; out goes {event.evicted.va:08x}"


def _raised(source: Source, event: Raised) -> str:
    name = VECTORS.get(event.vector, f"vector {event.vector}")
    where = f" in {source.symbol(event.pc)}"
    if event.vector != VECTOR_ACCESS_ERROR:
        return name + where
    return f"{FAULT_STATUS[event.fault_status]} at {event.va:#010x} ({source.region_of(event.va)}){where}"
