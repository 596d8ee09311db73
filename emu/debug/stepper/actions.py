"""What the stepper's commands do. Each acts on a :class:`~emu.debug.stepper.stepper.Stepper` with the words behind its
name, and answers with a :class:`~emu.debug.stepper.stepper.Result`; what is wrong with the words is a UsageError of one
line."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import is_dataclass
from enum import Enum
from typing import Any

from emu.debug.history import Moment
from emu.debug.session import Breakpoint, Catchpoint, Stop, Watchpoint
from emu.debug.stepper import tables, why
from emu.debug.stepper.events import SIDES, Event, Image
from emu.debug.stepper.live import movement_of
from emu.debug.stepper.source import Movement, Source, describe
from emu.debug.stepper.stepper import LOG_LENGTH, Result, Stepper
from emu.errors import UsageError
from emu.mmu.state import DTLB, ITLB

__all__ = [
    "SPARK_WIDTH",
    "Action",
    "Words",
    "break_at",
    "by_session",
    "catch",
    "change",
    "console",
    "counters",
    "delete",
    "disassemble",
    "goto",
    "history",
    "info",
    "log",
    "mark",
    "marks",
    "misses",
    "next_load",
    "next_miss",
    "points",
    "previous_load",
    "previous_miss",
    "print_value",
    "registers",
    "return_to",
    "reverse_step",
    "search",
    "search_backwards",
    "show_memory",
    "show_mmu",
    "show_tlb",
    "stack",
    "step",
    "threads",
    "translate",
    "type_text",
    "until",
    "watch",
    "where",
    "why",
]

SPARK_WIDTH = 60
SHOWN_EVENTS = 6  # of one step
ANY = "any"

Words = Sequence[str]
Action = Callable[[Stepper, Words], Result]


# --- answers


def _moved(stepper: Stepper, movement: Movement, events: Sequence[Event] = ()) -> Result:
    """Why it stopped, what happened on the way, and where we are."""
    source = stepper.source
    now = source.now
    shown = [tables.log_line(source, event, now) for event in events[-SHOWN_EVENTS:]]
    more = [f"({len(events) - SHOWN_EVENTS} events before)"] if len(events) > SHOWN_EVENTS else []
    line = stepper.source_line()
    text = [movement.text] if movement.text else []
    lines = [*more, *tables.plain(shown), *text, stepper.where(), *([line] if line else [])]
    data = {"text": movement.text, "events": [_event_data(source, event) for event in events], "source": line}
    return Result(tuple(lines), data)


def _text(text: str) -> Result:
    return Result(tuple(text.splitlines()))


def _lines(lines: Iterable[tables.Line], **data: Any) -> Result:
    return Result(tuple(tables.plain(lines)), data)


def _data(value: Any) -> Any:
    """JSON-ready."""
    if isinstance(value, Image):
        return {"tag": value.tag, "data": value.data, "text": str(value), "valid": value.valid}
    if isinstance(value, Enum):
        return value.value
    if is_dataclass(value) and not isinstance(value, type):
        return {name: _data(getattr(value, name)) for name in value.__dataclass_fields__}
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return {name: _data(item) for name, item in value._asdict().items()}
    if isinstance(value, list | tuple):
        return [_data(item) for item in value]
    return value


def _event_data(source: Source, event: Event) -> dict[str, Any]:
    kind, text = describe(source, event)
    return {"kind": kind, "text": text, **_data(event)}


# --- movements


def _count(stepper: Stepper, words: Words) -> int:
    return stepper.number(words[0]) if words else 1


def step(stepper: Stepper, words: Words) -> Result:
    count = _count(stepper, words)
    movement = stepper.move(lambda: stepper.source.step(count))
    return _moved(stepper, movement, stepper.events_of_movement())


def reverse_step(stepper: Stepper, words: Words) -> Result:
    count = _count(stepper, words)
    return _moved(stepper, stepper.move(lambda: stepper.source.reverse_step(count)))


def by_session(name: str) -> Callable[[Stepper, Words], Result]:
    """A movement that the session makes, repeated as often as is said."""

    def run(stepper: Stepper, words: Words) -> Result:
        count = _count(stepper, words)
        session = stepper.session

        def movement() -> Movement:
            stop: Stop | None = None
            for _ in range(count):
                stop = getattr(session, name)()
                if stop.edge is not None or session.interrupted:
                    break
            assert stop is not None
            return movement_of(stop)

        if not count:
            return where(stepper, ())
        return _moved(stepper, stepper.move(movement))

    return run


def until(stepper: Stepper, words: Words) -> Result:
    va, session = stepper.value(words[0]), stepper.session

    return _moved(stepper, stepper.move(lambda: movement_of(session.until(va))))


def next_miss(stepper: Stepper, words: Words) -> Result:
    side, region = stepper.side_and_region(words)
    return _moved(stepper, stepper.move(lambda: stepper.source.next_miss(side, region)))


def previous_miss(stepper: Stepper, words: Words) -> Result:
    side, region = stepper.side_and_region(words)
    return _moved(stepper, stepper.move(lambda: stepper.source.previous_miss(side, region)))


def _entry(stepper: Stepper, words: Words) -> int | None:
    """The TLB address that is meant: without one the entry in question, else that of the last load."""
    if words and words[0] == ANY:
        return None
    if words:
        return stepper.number(words[0])
    return stepper.last_loaded() if stepper.in_question is None else stepper.in_question


def next_load(stepper: Stepper, words: Words) -> Result:
    entry = _entry(stepper, words)
    return _at_load(stepper, entry, stepper.move(lambda: stepper.source.next_load(entry)))


def previous_load(stepper: Stepper, words: Words) -> Result:
    entry = _entry(stepper, words)
    return _at_load(stepper, entry, stepper.move(lambda: stepper.source.previous_load(entry)))


def _at_load(stepper: Stepper, entry: int | None, movement: Movement) -> Result:
    """It is still about this entry."""
    stepper.in_question = entry
    return _moved(stepper, movement)


def goto(stepper: Stepper, words: Words) -> Result:
    source, place = stepper.source, words[0]
    if place in stepper.marks:
        return _moved(stepper, stepper.move(lambda: source.return_to(stepper.marks[place])))
    number = {"start": source.first.instructions, "end": source.last.instructions}.get(place)
    if number is None:
        number = stepper.number(place)
    return _moved(stepper, stepper.move(lambda: source.goto(number)))


def return_to(stepper: Stepper, moment: Moment) -> Result:
    """Be at a moment that the log showed."""
    return _moved(stepper, stepper.move(lambda: stepper.source.return_to(moment)))


def search(stepper: Stepper, words: Words) -> Result:
    """Forwards in the log."""
    source = stepper.source
    return _found(stepper, words, source.timeline.forwards(source.now, source.horizon))


def search_backwards(stepper: Stepper, words: Words) -> Result:
    source, now = stepper.source, stepper.source.now
    return _found(stepper, words, (e for e in source.timeline.backwards(now) if e.moment < now))


def _found(stepper: Stepper, words: Words, events: Iterable[Event]) -> Result:
    source, wanted = stepper.source, " ".join(words).lower()
    with source.excursion():
        found = next((event for event in events if wanted in " ".join(describe(source, event)).lower()), None)
    if found is None:
        raise UsageError(f"no event with {' '.join(words)!r} was found")
    stepper.move(lambda: source.return_to(found.moment))
    return _moved(stepper, Movement(source.now, source.pc), [found])


# --- what stops a movement


def break_at(stepper: Stepper, words: Words) -> Result:
    session = stepper.session
    va = stepper.value(words[0]) if words else stepper.source.pc
    condition = None
    if len(words) > 1:
        if words[1] != "if" or len(words) == 2:
            raise UsageError("usage: break [ADDR [if CONDITION]]")
        condition = stepper.condition(" ".join(words[2:]))
    point = session.add_breakpoint(va, condition)
    return Result(
        (f"{point.number}: breakpoint at {va:#010x} ({stepper.source.symbol(va)})",), {"number": point.number}
    )


def watch(*, reads: bool, writes: bool) -> Callable[[Stepper, Words], Result]:
    def run(stepper: Stepper, words: Words) -> Result:
        size = stepper.number(words[1]) if len(words) > 1 else 4
        va = stepper.value(words[0])
        point = stepper.session.add_watchpoint(va, size, reads=reads, writes=writes)
        return Result((_point_line(stepper, point),), {"number": point.number})

    return run


def _point_line(stepper: Stepper, point: Breakpoint | Watchpoint | Catchpoint) -> str:
    lines = stepper.monitor("points").splitlines()
    return next(line for line in lines if line.startswith(f"{point.number}: "))


def catch(stepper: Stepper, words: Words) -> Result:
    text = stepper.monitor("catch", *words)
    return Result((text,), {"number": int(text.partition(":")[0])})


def points(stepper: Stepper, words: Words) -> Result:
    return _text(stepper.monitor("points"))


def info(stepper: Stepper, words: Words) -> Result:
    """gdb's name for several questions."""
    topics = {"breakpoints": points, "registers": registers, "threads": threads}
    found = [action for name, action in topics.items() if name.startswith(words[0])]
    if len(found) != 1:
        raise UsageError(f"info {words[0]}: one of {', '.join(topics)}")
    return found[0](stepper, words[1:])


def print_value(stepper: Stepper, words: Words) -> Result:
    """An expression's value."""
    value = stepper.value("".join(words))
    name = stepper.source.symbol(value)
    where = "" if name.startswith("0x") else f"  {name}"
    return Result((f"{value:#010x}  {value:,}{where}",), {"value": value})


def delete(stepper: Stepper, words: Words) -> Result:
    session = stepper.session
    numbers = [stepper.number(word) for word in words] or list(session.points)
    for number in numbers:
        session.remove(number)
    return Result((f"{', '.join(map(str, numbers)) or 'nothing'} deleted",))


# --- questions


def why_missed(stepper: Stepper, words: Words) -> Result:
    source = stepper.source
    with source.excursion():
        miss = why.last_miss(source)
    found = why.explain(source, miss)
    stepper.in_question = None if found.load is None else found.load.address
    return Result(tuple(why.tell(source, found)), _data(found))


def where(stepper: Stepper, words: Words) -> Result:
    return _moved(stepper, Movement(stepper.source.now, stepper.source.pc))


def registers(stepper: Stepper, words: Words) -> Result:
    values = dict(stepper.session.registers)
    if not words:
        return _lines(stepper.registers(), registers=values)
    names = [word.removeprefix("$").lower() for word in words]
    if names == ["all"]:
        names = list(values)
    for name in names:
        if name not in values:
            raise UsageError(f"no register {name!r}")
    return Result(tuple(f"{name:8}{values[name]:08x}" for name in names), {"registers": {n: values[n] for n in names}})


def disassemble(stepper: Stepper, words: Words) -> Result:
    count = stepper.lines_wanted(words[1]) if len(words) > 1 else 12
    if not words:
        return _lines(stepper.code(count))
    code = stepper.session.disassemble(stepper.value(words[0]), count)
    symbol = stepper.source.symbol
    return Result(tuple(f"{line.va:08x} {symbol(line.va):24} {line.text}" for line in code))


def show_memory(stepper: Stepper, words: Words) -> Result:
    stepper.session  # noqa: B018 - a trace has none
    if words:
        stepper.memory = stepper.value(words[0])
    return _lines(stepper.memory_pane(stepper.lines_wanted(words[1]) if len(words) > 1 else 4))


def stack(stepper: Stepper, words: Words) -> Result:
    stepper.session  # noqa: B018
    return _lines(stepper.stack(stepper.lines_wanted(words[0]) if words else 8))


def show_tlb(stepper: Stepper, words: Words) -> Result:
    if words and words[0] not in SIDES:
        raise UsageError("usage: tlb [itlb|dtlb]")
    sides = [side for side in (ITLB, DTLB) if not words or SIDES[side] == words[0]]
    rows = {SIDES[side]: stepper.tlb_entries(side) for side in sides}
    lines = [line for entries in rows.values() for line in tables.tlb_lines(entries)]
    return _lines(lines, **{side: [_data(entry) for entry in entries] for side, entries in rows.items()})


def show_mmu(stepper: Stepper, words: Words) -> Result:
    return _lines(stepper.mmu())


def log(stepper: Stepper, words: Words) -> Result:
    count = min(_count(stepper, words) if words else 20, LOG_LENGTH)
    return _lines(stepper.log(count)) if count else Result()


def counters(stepper: Stepper, words: Words) -> Result:
    source = stepper.source
    return _lines(stepper.counters(SPARK_WIDTH), counters=dict(source.counters()))


def misses(stepper: Stepper, words: Words) -> Result:
    return _text(stepper.monitor("misses"))


def translate(stepper: Stepper, words: Words) -> Result:
    va = stepper.value(words[0])
    return _text(stepper.monitor("translate", f"{va:#x}", *words[1:]))


def threads(stepper: Stepper, words: Words) -> Result:
    guest = stepper.guest
    rows = guest.target.threads(guest.machine)
    lines = (f"{'*' if t.running else ' '} {t.number:3} {t.name:16} {t.detail}" for t in rows)
    return Result(tuple(lines), {"threads": [_data(thread.name) for thread in rows]})


def console(stepper: Stepper, words: Words) -> Result:
    text = bytes(stepper.session.machine.console).decode(errors="replace")
    return Result(tuple(text.splitlines()), {"console": text})


def history(stepper: Stepper, words: Words) -> Result:
    return _text(stepper.monitor("history"))


# --- what is kept, and changes


def mark(stepper: Stepper, words: Words) -> Result:
    name = words[0]
    if name[0].isdigit():
        raise UsageError(f"{name}: a bookmark's name begins with a letter")
    stepper.marks[name] = stepper.source.now
    return Result((f"{name}: {stepper.source.unit} {stepper.source.now.instructions:,}; `goto {name}` comes back",))


def marks(stepper: Stepper, words: Words) -> Result:
    rows = (f"{name:16}{moment.instructions:>16,}" for name, moment in stepper.marks.items())
    return Result(tuple(rows) or ("no bookmarks; `mark NAME` makes one",), {"marks": _data(list(stepper.marks))})


def change(stepper: Stepper, words: Words) -> Result:
    session, (place, value) = stepper.session, words
    number = stepper.value(value)
    if place.startswith("*"):
        va = stepper.value(place[1:])
        session.write_memory(va, number.to_bytes(4))
    else:
        session.write_register(place.removeprefix("$").lower(), number)
    return Result((f"{place} = {number:#x}; everything later is another future",))


def type_text(stepper: Stepper, words: Words) -> Result:
    return _text(stepper.monitor("type", *words))
