"""What happened to a guest's address translation between two moments: events, in order, and where they are kept.

A :class:`Timeline` finds events by having its guest run again, piece by piece and only where somebody asks, and keeps
them. It asks its :class:`Observer` for each gap once.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from emu.debug.history import Call, Moment
from emu.mmu.registers import (
    MMUDR_LK,
    MMUDR_PA,
    MMUDR_SZ,
    MMUDR_SZ_SHIFT,
    MMUTR_ID,
    MMUTR_ID_SHIFT,
    MMUTR_SG,
    MMUTR_V,
    MMUTR_VA,
    VECTOR_SPURIOUS,
    VECTOR_TRAP_0,
)

__all__ = [
    "SIDES",
    "Called",
    "Cleared",
    "Event",
    "Image",
    "Loaded",
    "Missed",
    "Observer",
    "Raised",
    "Switched",
    "Timeline",
]

SIDES = ("itlb", "dtlb")
PAGE_BITS = (20, 12, 13, 10)  # log2 of the page size by MMUDR[SZ]
SIZE_NAMES = ("1M", "4K", "8K", "1K")
TRAPS = 16
FIRST_USER_VECTOR = 64  # of the interrupt controllers
FIRST_PIECE, LARGEST_PIECE = 20_000, 2_000_000  # instructions that are observed at once


class Image(NamedTuple):
    """A TLB entry, as MMUTR and MMUDR show it."""

    tag: int
    data: int

    @property
    def valid(self) -> bool:
        return bool(self.tag & MMUTR_V)

    @property
    def locked(self) -> bool:
        return bool(self.data & MMUDR_LK)

    @property
    def bits(self) -> int:
        """log2 of the page size."""
        return PAGE_BITS[(self.data & MMUDR_SZ) >> MMUDR_SZ_SHIFT]

    @property
    def size(self) -> str:
        return SIZE_NAMES[(self.data & MMUDR_SZ) >> MMUDR_SZ_SHIFT]

    @property
    def va(self) -> int:
        """First address of the page."""
        return (self.tag & MMUTR_VA) >> self.bits << self.bits

    @property
    def pa(self) -> int:
        return (self.data & MMUDR_PA) >> self.bits << self.bits

    @property
    def asid(self) -> int:
        return (self.tag & MMUTR_ID) >> MMUTR_ID_SHIFT

    @property
    def shared(self) -> bool:
        return bool(self.tag & MMUTR_SG)

    def covers(self, va: int, asid: int | None = None, *, strict: bool = False) -> bool:
        """Whether the page is that of ``va``, in the address space ``asid`` (None: in any). ``strict``: as a supervisor
        sees it under MMUCR[ASM], to whom shared entries are not shared."""
        if va >> self.bits != self.va >> self.bits:
            return False
        return asid is None or self.asid == asid or (self.shared and not strict)

    def __str__(self) -> str:
        space = "shared" if self.shared else f"ASID {self.asid}"
        return f"VA {self.va:08x} {self.size} {space} -> PA {self.pa:08x}"


@dataclass(frozen=True, slots=True)
class Missed:
    """A TLB miss; its handler is next. ``pc``: of the instruction that was refused; ``asid``: the address space that
    was looked for, ``strict``: and no shared entry."""

    moment: Moment
    pc: int
    side: str
    va: int
    fault_status: int
    supervisor: bool
    asid: int
    strict: bool
    region: str


@dataclass(frozen=True, slots=True)
class Raised:
    """Any other exception; ``va``, ``side`` and ``fault_status`` are about access errors."""

    moment: Moment
    pc: int
    vector: int
    fault_status: int = 0
    va: int = 0
    side: str = ""

    @property
    def kind(self) -> str:
        """exception, trap or interrupt."""
        if VECTOR_TRAP_0 <= self.vector < VECTOR_TRAP_0 + TRAPS:
            return "trap"
        interrupt = VECTOR_SPURIOUS <= self.vector < VECTOR_TRAP_0 or self.vector >= FIRST_USER_VECTOR
        return "interrupt" if interrupt else "exception"


@dataclass(frozen=True, slots=True)
class Loaded:
    """A TLB entry was written. ``address``: its TLB address; ``pc``: somewhere in the code that did it; ``old``: what
    the entry held."""

    moment: Moment
    pc: int
    side: str
    address: int
    new: Image
    old: Image

    @property
    def evicted(self) -> Image | None:
        """The page that had to go: none if the entry was invalid, or held the same page."""
        same = self.new.valid and self.old.va == self.new.va and self.old.asid == self.new.asid
        return self.old if self.old.valid and not same else None


@dataclass(frozen=True, slots=True)
class Cleared:
    """A clear has dropped entries (TLB address, side, image); ``pc``: somewhere in the code that did it; ``left``:
    valid entries that stayed."""

    moment: Moment
    pc: int
    dropped: tuple[tuple[int, str, Image], ...]
    left: int


@dataclass(frozen=True, slots=True)
class Switched:
    """Another address space is current; ``pc``: somewhere in the code that did it."""

    moment: Moment
    pc: int
    old: int
    new: int


@dataclass(frozen=True, slots=True)
class Called:
    """The guest asked the host; ``moment`` is in front of the instruction."""

    moment: Moment
    pc: int
    call: Call


Event = Missed | Raised | Loaded | Cleared | Switched | Called


class Observer(Protocol):
    """What can run again and tell what happens."""

    def observe(self, start: Moment, end: Moment) -> tuple[Moment, list[Event]]:
        """Events after ``start`` up to ``end``, which is a moment of the guest or lies beyond what was run; and where
        the guest was then: before ``end`` if it ends there."""

    def moment_at(self, number: int) -> Moment:
        """The first moment at which ``number`` instructions have retired, or the first of all."""

    @property
    def first(self) -> Moment:
        """Where the history begins."""

    @property
    def last(self) -> Moment:
        """As far as the guest has been run."""

    @property
    def calls(self) -> Sequence[Call]:
        """All hypercalls, in order."""


@dataclass
class _Span:
    """A part of the past of which all events are known."""

    start: Moment
    end: Moment
    events: list[Event] = field(default_factory=list)


class Timeline:
    """The events of one guest. It leaves the guest anywhere; who asks goes back to where it was."""

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self._spans: list[_Span] = []

    def between(self, start: Moment, end: Moment) -> list[Event]:
        """All events after ``start``, up to ``end``; as far as the guest goes."""
        if start >= end:
            return []
        reached = self._cover(start, end)
        if reached <= start:
            return []
        span = self._spans[bisect_right(self._spans, start, key=lambda s: s.start) - 1]
        low = bisect_right(span.events, start, key=_when)
        high = bisect_right(span.events, end, key=_when)
        calls = [Called(c.moment, 0, c) for c in self._observer.calls if start <= c.moment < reached]
        return sorted([*span.events[low:high], *calls], key=_when) if calls else span.events[low:high]

    def backwards(self, end: Moment) -> Iterator[Event]:
        """Events up to ``end``, the latest first, back to the start of the history."""
        piece = FIRST_PIECE
        first = self._observer.first
        while end > first:
            start = self._known_from(end)
            if start is None:
                start = self._observer.moment_at(max(first.instructions, end.instructions - piece))
                if start >= end:  # a guest that waits, or faults at once
                    start = first
                piece = min(2 * piece, LARGEST_PIECE)
            yield from reversed(self.between(start, end))
            end = start

    def forwards(self, start: Moment, limit: int) -> Iterator[Event]:
        """Events after ``start``, until ``limit`` instructions have retired since reset, or the guest ends."""
        piece = FIRST_PIECE
        while start.instructions < limit:
            end = Moment(min(limit, start.instructions + piece), 0, 0)
            reached = self._cover(start, end)
            yield from self.between(start, reached)
            if reached < end:
                return
            start, piece = reached, min(2 * piece, LARGEST_PIECE)

    def known(self, start: Moment, end: Moment) -> bool:
        """Whether all events of this part of the past are known already."""
        return any(span.start <= start and end <= span.end for span in self._spans)

    def known_to(self, start: Moment) -> Moment:
        """How far the events after ``start`` are known without a gap."""
        return next((s.end for s in self._spans if s.start <= start <= s.end), start)

    def add(self, start: Moment, end: Moment, events: Sequence[Event]) -> None:
        """All that happened after ``start``, up to ``end``; nothing of it is known yet."""
        self._spans.insert(bisect_left(self._spans, start, key=lambda s: s.start), _Span(start, end, list(events)))
        self._merge()

    def forget(self, moment: Moment) -> None:
        """What is later than ``moment`` has not happened."""
        self._spans = [span for span in self._spans if span.start < moment]
        for span in self._spans:
            if span.end > moment:
                span.end = moment
                del span.events[bisect_right(span.events, moment, key=_when) :]

    def _known_from(self, end: Moment) -> Moment | None:
        """Where the known part begins that reaches to ``end``."""
        return next((s.start for s in self._spans if s.start < end <= s.end), None)

    def _cover(self, start: Moment, end: Moment) -> Moment:
        """Observe what is not known yet; returns how far the guest went."""
        at = start
        while at < end:
            at = self.known_to(at)
            if at >= end:
                break
            following = next((s.start for s in self._spans if s.start > at), end)
            goal = min(end, following)
            reached, events = self._observer.observe(at, goal)
            if reached > at:
                self.add(at, reached, events)
            at = max(at, reached)
            if reached < goal:  # the guest ends there
                break
        return at

    def _merge(self) -> None:
        """Neighbours become one."""
        merged: list[_Span] = []
        for span in self._spans:
            if merged and merged[-1].end >= span.start:
                merged[-1].events += span.events
                merged[-1].end = max(merged[-1].end, span.end)
            else:
                merged.append(span)
        self._spans = merged


def _when(event: Event) -> Moment:
    return event.moment
