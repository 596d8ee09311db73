"""A recorded trace, as the stepper sees it: event by event, miss by miss, with the TLBs as they were.

Moments count events of the trace (:mod:`emu.trace.events`). There are no registers, no memory and no code; PC is where
the last run of fetches began, or what has missed. In a foreign trace, of accesses alone, each miss loads its page at
once, as in `cfemu trace replay`; such a miss is a moment in front of its event, and the load one behind it.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from emu.debug.history import Call, Moment
from emu.debug.stepper import player
from emu.debug.stepper.events import SIDES, Event, Loaded, Missed, Raised, Timeline
from emu.debug.stepper.source import Interrupted, Movement, Refill, Source, describe, never_loaded
from emu.debug.stepper.watcher import EntryWatcher
from emu.errors import UsageError
from emu.mmu.registers import (
    FS_FETCH_MISS,
    FS_READ_MISS,
    FS_WRITE_MISS,
    MMUBAR_V,
    MMUCR_ASM,
    MMUCR_EN,
    REGISTERS,
    VECTOR_ACCESS_ERROR,
    VECTORS,
)
from emu.mmu.state import DTLB, FETCH, ITLB, WRITE, new_mmu
from emu.trace import events as e
from emu.trace.explain import access_name, region_namer, symbol_namer
from emu.trace.format import Trace
from emu.trace.replay import PAGE_SIZES

__all__ = ["MOST_EVENTS", "RecordedTrace"]

MOST_EVENTS = 50_000_000  # which take 450 MB
SPACING = 1 << 16  # events between two kept states
NEAR = 8  # events behind a miss in which its exception stands
FOREIGN_WINDOW = 0xFFFF0000  # where no foreign trace has an address: those are below
WINDOW = {row.number: row.name for row in REGISTERS if row.place == "window"}
CONTROL = {row.number: row.name for row in REGISTERS if row.place == "movec"}


class RecordedTrace(Source):
    """The trace in ``path``. UsageError for one that cannot be read, or is too long."""

    unit = "event"
    beginning = "the trace begins"

    def __init__(self, path: Path) -> None:
        self.trace = trace = Trace(path)
        if trace.totals is not None and trace.totals.events > MOST_EVENTS:
            raise UsageError(f"{path}: {trace.totals.events:,} events; the stepper takes {MOST_EVENTS:,} at most")
        self._events = e.concatenate(chunk.events for chunk in trace.chunks())
        setup = trace.header.mmu
        self._bits = 0 if setup else PAGE_SIZES[trace.header.page_size]
        self._size = {20: 0, 12: 1, 13: 2, 10: 3}.get(self._bits, 0)
        self._mmu = setup.build() if setup else _foreign_mmu()
        self._counters = np.zeros(player.COUNTERS, np.int64)
        self._at = 0
        self._kept: list[tuple[int, npt.NDArray[Any], npt.NDArray[np.int64]]] = []
        self._keep()
        self._interrupt = False
        self._missing = False  # in a foreign trace: the next event has missed, and loads its page when it is made
        self._symbol, self._region = symbol_namer(trace), region_namer(trace)
        self.timeline = Timeline(self)
        kind = "" if setup else f", foreign, pages of {trace.header.page_size >> 10} KB"
        self.title = f"{path.name}: {self._events.length:,} events{kind}"
        self.notes = (trace.warning,) if trace.warning else ()

    # --- playing

    def _keep(self) -> None:
        self._kept.append((self._at, self._mmu.copy(), self._counters.copy()))

    def _play(self, end: int, *, stops: bool = False, anyway: bool = False) -> None:
        """On to event ``end``, or behind the first of interest; ``anyway``: whether it is interrupted or not."""
        code, a, b = self._events
        while self._at < end:
            goal = min(end, self._at + SPACING)
            self._at = player.play(self._mmu, self._counters, code, a, b, self._at, goal, stops, self._size, self._bits)
            if self._at >= self._kept[-1][0] + SPACING:
                self._keep()
            if self._interrupt and not anyway:
                raise Interrupted
            if stops and self._at < goal:
                break

    def _be_at(self, number: int, *, anyway: bool = False) -> None:
        number = min(max(number, 0), self._events.length)
        self._missing = False
        if number < self._at or self._kept[-1][0] > self._at + SPACING:
            index = bisect_right(self._kept, number, key=lambda kept: kept[0]) - 1
            at, mmu, counters = self._kept[index]
            if number < self._at or at > self._at:
                self._at = at
                self._mmu[:], self._counters[:] = mmu, counters
        self._play(number, anyway=anyway)

    # --- where we are

    @property
    def now(self) -> Moment:
        return Moment(self._at, int(self._missing), int(self._counters[player.CYCLES]))

    @property
    def first(self) -> Moment:
        return Moment(0, 0, 0)

    @property
    def last(self) -> Moment:
        return Moment(self._events.length, 0, 1 << 62)

    @property
    def horizon(self) -> int:
        return self._events.length

    @property
    def pc(self) -> int:
        """Between a miss and its handler the instruction that missed; else where the last run of fetches began."""
        for number in range(self._at - 1, max(-1, self._at - 1 - NEAR), -1):
            code = int(self._events.code[number])
            if code < e.ASIDE and code & e.MISSED:
                entered = self._entered(number)
                if entered is not None:
                    return int(self._events.a[entered])
            if code < e.ASIDE and code & e.KIND == FETCH:
                break
        return int(self._counters[player.PC])

    @property
    def following(self) -> str:
        return self.tell_event(self._at) if self._at < self._events.length else "the end"

    @property
    def calls(self) -> Sequence[Call]:
        return ()

    # --- movements

    def step(self, count: int) -> Movement:
        return self.goto(min(self._at + count, self._events.length))

    def reverse_step(self, count: int) -> Movement:
        return self.goto(max(self._at - count, 0))

    def next_miss(self, side: str | None, region: str | None) -> Movement:
        return self._seek(self.timeline.forwards(self.now, self.horizon), _is_miss(side, region))

    def previous_miss(self, side: str | None, region: str | None) -> Movement:
        return self._seek(self._past(), _is_miss(side, region))

    def next_load(self, address: int | None) -> Movement:
        return self._seek(self.timeline.forwards(self.now, self.horizon), _is_load(address))

    def previous_load(self, address: int | None) -> Movement:
        return self._seek(self._past(), _is_load(address), never_loaded(address))

    def _past(self) -> Iterable[Event]:
        now = self.now
        return (event for event in self.timeline.backwards(now) if event.moment < now)

    def _seek(
        self, events: Iterable[Event], wanted: Callable[[Event], bool], otherwise: str = "there is none"
    ) -> Movement:
        """To the first of ``events`` that is wanted; else stay."""
        with self.excursion():
            found = next((event for event in events if wanted(event)), None)
        if found is None:
            return self._here(otherwise)
        self.return_to(found.moment)
        here = self._here(": ".join(describe(self, found)))
        return replace(here, loaded=found.address) if isinstance(found, Loaded) else here

    def goto(self, number: int) -> Movement:
        if not 0 <= number <= self._events.length:
            raise UsageError(f"event {number:,} is not in the trace: 0 to {self._events.length:,}")
        self._be_at(number)
        ends = {0: "the trace begins here", self._events.length: "the trace ends here"}
        return self._here(ends.get(number, ""))

    def return_to(self, moment: Moment) -> Movement:
        self._be_at(moment.instructions, anyway=True)  # the way back from a search that was interrupted, too
        self._missing = bool(moment.exceptions)
        return self._here()

    def _here(self, text: str = "") -> Movement:
        return Movement(self.now, self.pc, text, self._at in (0, self._events.length))

    def interrupt(self) -> None:
        self._interrupt = True

    def begin(self) -> None:
        self._interrupt = False

    # --- looking

    @property
    def mmu(self) -> npt.NDArray[Any]:
        return self._mmu

    def symbol(self, va: int) -> str:
        return self._symbol(va)

    def region_of(self, va: int) -> str:
        return self._region(va)

    def region_names(self) -> list[str]:
        return list(dict.fromkeys([*(name for name, _, _ in self.trace.regions), "other"]))

    def counters(self) -> Mapping[str, int]:
        c = self._counters
        return {
            "events": self._at,
            "instructions": int(c[player.INSTRUCTIONS]),
            "cycles": int(c[player.CYCLES]),
            "ITLB misses": int(c[player.MISSES + ITLB]),
            "DTLB misses": int(c[player.MISSES + DTLB]),
        }

    def misses_by_time(self, bins: int, patience: float) -> list[int]:
        wanted = np.linspace(0, self._events.length, bins + 1).astype(int).tolist()
        sums = []
        with self.excursion():
            for at in wanted:
                self._be_at(at)
                sums.append(int(self._counters[player.MISSES :].sum()))
        return [b - a for a, b in pairwise(sums)]

    def tell_event(self, number: int) -> str:
        """An event of the trace, in words."""
        code, a, b = (int(column[number]) for column in self._events)
        if code >= e.ASIDE:
            return self._tell_aside(code, a, b)
        refused = " missed" if code & e.MISSED else " refused" if code & e.VIOLATED else ""
        return f"{access_name(code & ~e.REFUSED)} {a:#010x} x {b}{refused}"

    def _tell_aside(self, code: int, a: int, b: int) -> str:
        """An event that is no access."""
        match code:
            case e.WINDOW_WRITE:
                return f"{WINDOW.get(a & 0xFC, hex(a & 0xFF))} <- {b:08x}"
            case e.CONTROL_WRITE:
                return f"{CONTROL.get(a, hex(a))} <- {b:08x}"
            case e.LOADED:
                side, base = a >> 8, int(self._mmu[0]["dtlb_base"])
                return f"{SIDES[side]} entry {(a & 0xFF) + (base if side == DTLB else 0)} was loaded, MMUTR {b:08x}"
            case e.ENTER:
                name = VECTORS.get(b & 0xFF, f"vector {b & 0xFF}")
                return f"exception: {name}, fault status {b >> 8 & 0xFF:X}, PC {a:#010x}"
            case e.FRAME:
                return f"frame at {a:#010x}"
            case e.LEAVE:
                return f"return to {b:#010x}, frame at {a:#010x}"
            case e.STAMP:
                return f"{a:,} instructions, {b:,} cycles"
            case e.PHASE:
                phases = self.trace.names.phases
                return f"phase {phases[a] if a < len(phases) else a}"
        return "reset"

    def around(self, count: int) -> list[tuple[bool, str]]:
        start = max(0, self._at - count // 3)
        numbers = range(start, min(start + count, self._events.length))
        return [(number == self._at, f"{number:>10,} {self.tell_event(number)}") for number in numbers]

    def close(self) -> None:
        """Nothing is open."""

    # --- events

    def moment_at(self, number: int) -> Moment:
        self._be_at(number)
        return self.now

    def observe(self, start: Moment, end: Moment) -> tuple[Moment, list[Event]]:
        self._be_at(start.instructions)
        watcher = EntryWatcher(self._mmu[0])
        events: list[Event] = []
        last = min(end.instructions, self._events.length)
        while self._at < last:
            self._play(last, stops=True)
            moment, number = self.now, self._at - 1
            code, a, b = (int(column[number]) for column in self._events)
            entries = watcher.look(moment, self.pc)
            if code < e.ASIDE and (code & e.MISSED or (self._bits and any(isinstance(x, Loaded) for x in entries))):
                foreign = not code & e.MISSED
                events.append(self._missed(code, a, Moment(number, 1, moment.cycles) if foreign else moment, number))
            elif code == e.ENTER and not self._is_of_miss(number):
                events.append(Raised(moment, a, b & 0xFF, b >> 8 & 0xFF))
            events += entries
        return self.now, [event for event in events if event.moment > start]

    def _missed(self, code: int, va: int, moment: Moment, number: int) -> Missed:
        kind, supervisor = code & e.KIND, bool(code & e.SUPERVISOR)
        status = FS_FETCH_MISS if kind == FETCH else FS_WRITE_MISS if kind == WRITE else FS_READ_MISS
        strict = supervisor and bool(int(self._mmu[0]["mmucr"]) & MMUCR_ASM)
        asid = 0 if strict else int(self._mmu[0]["asid"])
        entered = self._entered(number)
        pc = self.pc if entered is None else int(self._events.a[entered])
        side = SIDES[ITLB if kind == FETCH else DTLB]
        return Missed(moment, pc, side, va, status, supervisor, asid, strict, self.region_of(va))

    def _entered(self, number: int) -> int | None:
        """The ENTER that belongs to a refused access."""
        code = self._events.code[number + 1 : number + 1 + NEAR].tolist()
        return number + 1 + code.index(e.ENTER) if e.ENTER in code else None

    def _is_of_miss(self, entered: int) -> bool:
        """Whether an ENTER is that of a miss, which is an event already."""
        if int(self._events.b[entered]) & 0xFF != VECTOR_ACCESS_ERROR:
            return False
        before = self._events.code[max(0, entered - NEAR) : entered].tolist()
        access = next((code for code in reversed(before) if code < e.ASIDE), 0)
        return bool(access & e.MISSED)

    def refill(self, miss: Missed) -> Refill:
        """From the exception's entry to the return that pops its frame."""
        if miss.moment.exceptions:
            after = Moment(miss.moment.instructions + 1, 0, miss.moment.cycles)
            return Refill(miss.moment, after, after)
        code, a, _ = self._events
        entered = self._entered(miss.moment.instructions - 1)
        if entered is None:
            return Refill(miss.moment, None, miss.moment)
        before = self.moment_at(entered)
        frame = int(a[entered + 1]) if entered + 1 < len(code) and code[entered + 1] == e.FRAME else None
        if frame is None:
            return Refill(before, None, self.last)
        leaves = np.flatnonzero((code[entered:] == e.LEAVE) & (a[entered:] == frame))
        if not len(leaves):
            return Refill(before, None, self.last)
        returned = self.moment_at(entered + int(leaves[0]) + 1)
        return Refill(before, returned, returned)


def _foreign_mmu() -> npt.NDArray[Any]:
    """The hardware's TLBs, on."""
    mmu = new_mmu()
    mmu["mmubar"], mmu["mmucr"] = FOREIGN_WINDOW | MMUBAR_V, MMUCR_EN
    return mmu


def _is_miss(side: str | None, region: str | None) -> Callable[[Event], bool]:
    return lambda event: isinstance(event, Missed) and side in (None, event.side) and region in (None, event.region)


def _is_load(address: int | None) -> Callable[[Event], bool]:
    return lambda event: isinstance(event, Loaded) and address in (None, event.address)
