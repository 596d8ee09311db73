"""One person's way through a source: what commands keep between them, and how they read what they are given."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Any

from emu.debug.history import Moment
from emu.debug.monitor import Monitor
from emu.debug.session import Breakpoint, Session
from emu.debug.stepper import tables
from emu.debug.stepper.events import SIDES, Event, Loaded
from emu.debug.stepper.live import LiveGuest
from emu.debug.stepper.source import NO_GUEST, Movement, Source
from emu.errors import UsageError
from emu.lines import SourceLines
from emu.mmu.registers import REGISTERS, register_value
from emu.mmu.state import DTLB, ITLB

__all__ = ["Result", "Stepper"]

LOG_LENGTH = 200  # events that the log shows at most
LOG_BEHIND = 100_000  # instructions behind now in which it looks for them
MOST_LINES = 10_000
LONGEST_NUMBER = 40  # characters
TERM = re.compile(r"[+-]?[^+-]+")
NUMBER = re.compile(r"[0-9][0-9_,]*|0[xX][0-9a-fA-F_]+")
OPERATORS: dict[str, Callable[[int, int], bool]] = {
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<=": lambda a, b: a <= b,
    ">=": lambda a, b: a >= b,
    "<": lambda a, b: a < b,
    ">": lambda a, b: a > b,
}


@dataclass(frozen=True)
class Result:
    """What a command answers: ``lines`` for people, ``data`` for programs; ``ended``: nothing is to come any more."""

    lines: tuple[str, ...] = ()
    data: Mapping[str, Any] = field(default_factory=dict)
    ended: bool = False


@dataclass
class _Before:
    """The moment in front of the last movement, and what there was."""

    moment: Moment
    registers: dict[str, int]
    mmu: dict[str, int]
    used: tuple[int | None, int | None]


class Stepper:
    """``source`` with points, bookmarks and a place in memory that is looked at."""

    def __init__(self, source: Source, lines: SourceLines | None = None) -> None:
        self.source = source
        self.lines = lines or SourceLines(())
        self.marks: dict[str, Moment] = {}
        self.memory: int | None = None  # address that the memory pane shows; None = the stack pointer
        self.logged: list[Moment] = []  # of the lines that the log showed last
        self.last_line = ""
        self.in_question: int | None = None  # TLB address that `why` named, or whose loads are gone through
        self._loaded: int | None = None  # that of the load behind which the last movement stopped
        self._before = self._look()

    # --- the source

    @property
    def guest(self) -> LiveGuest:
        """The source, if it is a guest. UsageError for a trace."""
        if not isinstance(self.source, LiveGuest):
            raise UsageError(NO_GUEST)
        return self.source

    @property
    def session(self) -> Session:
        """The debugging session. UsageError for a trace."""
        return self.guest.session

    def monitor(self, name: str, *arguments: str) -> str:
        """What the debugger's command answers that gdb has as ``monitor NAME``."""
        return Monitor(self.session).execute(name, *arguments)

    def _look(self) -> _Before:
        source, mmu = self.source, self.source.mmu
        used = (tables.last_used(mmu, ITLB), tables.last_used(mmu, DTLB))
        images = {row.name: register_value(mmu, row.name) for row in REGISTERS}
        return _Before(source.now, dict(source.registers()), images, used)

    def move(self, movement: Callable[[], Movement]) -> Movement:
        """Make a movement and remember what there was in front of it."""
        before = self._look()
        self.in_question = None
        loaded = None
        try:
            made = movement()
            loaded = made.loaded
            return made
        finally:
            if self.source.now != before.moment:
                self._before, self._loaded = before, loaded

    def events_of_movement(self) -> list[Event]:
        """What happened in the last movement, if it went forwards and that is known without running again."""
        start, now = self._before.moment, self.source.now
        known = start < now and self.source.timeline.known(start, now)
        return self.source.timeline.between(start, now) if known else []

    def last_loaded(self) -> int:
        """TLB address of the entry loaded last. UsageError if there is none."""
        with self.source.excursion():
            for event in self.source.timeline.backwards(self.source.now):
                if isinstance(event, Loaded):
                    return event.address
        raise UsageError("no TLB entry has been loaded before this moment")

    def breakpoints(self) -> list[int]:
        """Addresses with breakpoints."""
        if not isinstance(self.source, LiveGuest):
            return []
        return [point.va for point in self.session.points.values() if isinstance(point, Breakpoint)]

    def toggle_breakpoint(self, va: int) -> str:
        """The command that makes a breakpoint there, or forgets the one that is."""
        points = self.session.points.values()
        number = next((p.number for p in points if isinstance(p, Breakpoint) and p.va == va), None)
        return f"break {va:#x}" if number is None else f"delete {number}"

    # --- panes

    def where(self) -> str:
        """The present moment and the next instruction, in a line."""
        source, now = self.source, self.source.now
        head = f"{source.unit} {now.instructions:,}, cycle {now.cycles:,}: {source.pc:#010x}"
        name = source.symbol(source.pc)
        where = "" if name.startswith("0x") else f" {name}"
        return f"{head}{where}: {source.following}"

    def source_line(self) -> str:
        """The program's text at PC: file, line and, where the file is found, the line itself; else nothing."""
        return self.lines.at(self.source.pc)

    def tlb(self, side: int, *, raw: bool = True) -> list[tables.Line]:
        return tables.tlb_lines(self.tlb_entries(side), raw=raw)

    def tlb_entries(self, side: int) -> list[tables.Entry]:
        before = self._before.used[side]
        return tables.tlb_entries(self.source.mmu, side, self._events_to_mark(), before, self._loaded)

    def tlb_entry_to_see(self, side: int) -> int:
        """Index of the entry that matters most: the one that `why` named, the one just loaded or used, else the one
        that the next refill gets."""
        entries = self.tlb_entries(side)
        named = [i for i, entry in enumerate(entries) if entry.address == self.in_question]
        marked = [i for mark in ("load", "hit", "next") for i, entry in enumerate(entries) if entry.mark == mark]
        return [*named, *marked, 0][0]

    def _events_to_mark(self) -> list[Event]:
        """What happened in the last movement, if it went forwards; its end, if it was a long one."""
        start, now = self._before.moment, self.source.now
        if start >= now or self.source.timeline.known(start, now):
            return self.events_of_movement()
        return [event for event in self._last_events(LOG_LENGTH) if event.moment > start]

    def mmu(self) -> list[tables.Line]:
        return tables.mmu_lines(self.source.mmu, self._before.mmu)

    def registers(self) -> list[tables.Line]:
        values = self.source.registers()
        return tables.register_lines(values, self._before.registers) if values else [(tables.Cell(NO_GUEST, "dim"),)]

    def code(self, count: int) -> list[tables.Line]:
        """Instructions around PC, or events of a trace."""
        if not isinstance(self.source, LiveGuest):
            rows = self.source.around(count)
            return [(tables.Cell(("=>  " if now else "    ") + text, "now" if now else ""),) for now, text in rows]
        return tables.code_lines(self.source, count, self.breakpoints(), self.lines)

    def log(self, count: int) -> list[tables.Line]:
        """The last events up to now; those near enough that it does not take long to find them."""
        source, now = self.source, self.source.now
        events = self._last_events(count)
        self.logged = [event.moment for event in events]
        return [tables.log_line(source, event, now) for event in events]

    def _last_events(self, count: int) -> list[Event]:
        source, now = self.source, self.source.now
        limit, events = now.instructions - LOG_BEHIND, list[Event]()
        with source.excursion():
            for event in source.timeline.backwards(now):
                if len(events) == count or event.moment.instructions < limit:
                    break
                events.append(event)
        return events[::-1]

    def counters(self, width: int, patience: float = inf) -> list[tables.Line]:
        """Everything counted up to now, and misses over time as far as ``patience``, in seconds, allows."""
        rhythm = tables.rhythm_line(self.source, width, patience)
        return [(tables.Cell("misses over time", "head"),), rhythm, *tables.counter_lines(self.source)]

    def memory_pane(self, count: int) -> list[tables.Line]:
        if not isinstance(self.source, LiveGuest):
            return [(tables.Cell(NO_GUEST, "dim"),)]
        at = self.source.registers()["a7"] & ~15 if self.memory is None else self.memory
        return tables.memory_lines(self.source, at, count)

    def stack(self, count: int) -> list[tables.Line]:
        if not isinstance(self.source, LiveGuest):
            return [(tables.Cell(NO_GUEST, "dim"),)]
        return tables.stack_lines(self.source, count)

    # --- reading arguments

    def number(self, text: str) -> int:
        """A count. UsageError if it is none, or has more than 63 bits."""
        if not NUMBER.fullmatch(text):
            raise UsageError(f"{text}: not a number")
        if len(text) > LONGEST_NUMBER:
            raise UsageError(f"{text[:LONGEST_NUMBER]}...: more than 63 bits")
        try:
            value = int(text.replace(",", "").replace("_", ""), 0)
        except ValueError:  # 007, 0x_
            raise UsageError(f"{text}: not a number") from None
        if value >= 1 << 63:
            raise UsageError(f"{text}: more than 63 bits")
        return value

    def lines_wanted(self, text: str) -> int:
        """How much is to be shown. UsageError for more than anybody reads."""
        count = self.number(text)
        if count > MOST_LINES:
            raise UsageError(f"{count:,}: {MOST_LINES:,} lines at most")
        return count

    def value(self, text: str) -> int:
        """An address or a value: numbers, symbols, registers ($d0), *ADDR for the longword there, FILE:LINE; sums and
        differences of them, which wrap as the guest's do. UsageError for anything else, numbers of more than 32 bits
        too."""
        line = self.lines.address(text)
        if line is not None:
            return line
        terms = TERM.findall(text)
        if not text or "".join(terms) != text:
            raise UsageError(f"{text!r}: not an address")
        return (
            sum(-self._term(t[1:]) if t.startswith("-") else self._term(t.removeprefix("+")) for t in terms)
            & 0xFFFFFFFF
        )

    def _deref(self, va: int) -> int:
        data = self.source.read(va, 4)
        if len(data) < 4:
            raise UsageError(f"{va:#010x} is not mapped to memory now")
        return int.from_bytes(data)

    def _term(self, text: str) -> int:
        inner = text.lstrip("*")
        value = self._name_or_number(inner)
        for _ in range(len(text) - len(inner)):
            value = self._deref(value)
        return value

    def _name_or_number(self, text: str) -> int:
        if NUMBER.fullmatch(text):
            value = self.number(text)
            if value >= 1 << 32:
                raise UsageError(f"{text}: more than 32 bits")
            return value
        registers = self.source.registers()
        name = {"sp": "a7", "fp": "a6", "ps": "sr"}.get(text.removeprefix("$"), text.removeprefix("$"))
        if text.startswith("$") and name in registers:
            return registers[name]
        labels = self.labels()
        if text in labels:
            return labels[text]
        if name in registers:
            return registers[name]
        raise UsageError(f"{text}: neither a number nor a symbol nor a register")

    def labels(self) -> Mapping[str, int]:
        """All symbols."""
        return self.source.labels()

    def condition(self, text: str) -> Callable[[object], bool]:
        """VALUE OPERATOR VALUE, as a function that is asked at the guest's present moment."""
        for sign, holds in OPERATORS.items():
            left, found, right = text.partition(sign)
            if found:
                a, b = left.strip(), right.strip()
                self.value(a)
                self.value(b)
                return lambda _: holds(self.value(a), self.value(b))
        raise UsageError(f"{text}: expected a comparison like $d0 == 5")

    def side_and_region(self, words: Sequence[str]) -> tuple[str | None, str | None]:
        """[itlb|dtlb] [REGION], in any order."""
        sides = [word for word in words if word in SIDES]
        regions = [word for word in words if word not in SIDES]
        known = self.source.region_names()
        for region in regions:
            if region not in known:
                raise UsageError(f"no region {region!r}; there are {', '.join(known)}")
        if len(sides) > 1 or len(regions) > 1:
            raise UsageError("one side and one region at most")
        return next(iter(sides), None), next(iter(regions), None)
