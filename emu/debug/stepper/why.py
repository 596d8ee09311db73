"""Why an access missed, which entry its refill took, who had to go, and what all of it cost."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from emu.debug.history import Moment
from emu.debug.stepper.events import Cleared, Event, Image, Loaded, Missed
from emu.debug.stepper.source import ACCESS, Refill, Source
from emu.errors import UsageError

__all__ = ["Cause", "Explanation", "explain", "last_miss", "next_miss_of"]


class Cause(Enum):
    """Why the entry was not there."""

    COLD = "cold"
    EVICTED = "evicted"
    CLEARED = "cleared"
    REMOVED = "removed"
    OTHER_SPACE = "other address space"
    LOADED = "loaded"


@dataclass(frozen=True)
class Explanation:
    """Of one miss. ``culprit``: the event that took its page out of the TLB; ``loaded``: the load that had brought it;
    ``load``: the entry that the refill wrote; ``nested``: other misses on the way; ``missed_again``: the next miss of
    the page that had to go, as far as ``looked_to``."""

    miss: Missed
    cause: Cause
    culprit: Event | None
    loaded: Loaded | None
    refill: Refill
    load: Loaded | None
    nested: int
    victim: Image | None
    missed_again: Missed | None
    looked_to: Moment


def last_miss(source: Source, hint: str = "`next-miss` goes to one") -> Missed:
    """The last miss up to now. UsageError, with ``hint``, when there is none."""
    for event in source.timeline.backwards(source.now):
        if isinstance(event, Missed):
            return event
    raise UsageError(f"no TLB miss before this moment; {hint}")


def explain(source: Source, miss: Missed) -> Explanation:
    """Look back for the cause of ``miss``, and ahead for what its handler does."""
    with source.excursion():
        cause, culprit, loaded = _cause(source, miss)
        refill = source.refill(miss)
        inside = source.timeline.between(miss.moment, refill.returned or refill.looked_to)
        load = next((e for e in inside if isinstance(e, Loaded) and _answers(e.new, miss, e.side)), None)
        nested = sum(isinstance(event, Missed) for event in inside) if refill.returned else 0
        victim = None if load is None else load.evicted
        again, looked_to = None, refill.looked_to
        if load is not None and victim is not None:
            again, looked_to = next_miss_of(source, victim, load.side, load.moment)
    return Explanation(miss, cause, culprit, loaded, refill, load, nested, victim, again, looked_to)


def next_miss_of(source: Source, page: Image, side: str, start: Moment) -> tuple[Missed | None, Moment]:
    """The first miss of a page after ``start``, and how far was looked for it. The source is left anywhere."""
    at = start
    for event in source.timeline.forwards(start, source.horizon):
        at = event.moment
        if isinstance(event, Missed) and event.side == side and page.covers(event.va, event.asid, strict=event.strict):
            return event, at
    return None, max(at, source.timeline.known_to(start))


def _answers(image: Image, miss: Missed, side: str) -> bool:
    return side == miss.side and image.valid and image.covers(miss.va, miss.asid, strict=miss.strict)


def _cause(source: Source, miss: Missed) -> tuple[Cause, Event | None, Loaded | None]:
    """(Why, the event that took the page away, the load that brought it)."""
    elsewhere: Loaded | None = None
    past = (event for event in source.timeline.backwards(miss.moment) if event.moment < miss.moment)
    for event in past:
        if isinstance(event, Loaded) and event.side == miss.side:
            if event.old.valid and _answers(event.old, miss, event.side):
                return (Cause.EVICTED if event.new.valid else Cause.REMOVED), event, _bringer(past, miss)
            if _answers(event.new, miss, event.side):
                return Cause.LOADED, event, event
            if elsewhere is None and event.new.valid and event.new.covers(miss.va):
                elsewhere = event
        elif isinstance(event, Cleared):
            if any(_answers(image, miss, side) for _, side, image in event.dropped):
                return Cause.CLEARED, event, _bringer(past, miss)
    return (Cause.COLD if elsewhere is None else Cause.OTHER_SPACE), elsewhere, None


def _bringer(past: Iterator[Event], miss: Missed) -> Loaded | None:
    return next((e for e in past if isinstance(e, Loaded) and _answers(e.new, miss, e.side)), None)


# --- in words


def tell(source: Source, found: Explanation) -> list[str]:
    """Lines of at most 78 characters, as far as names allow."""
    rows = {
        "what": _what(source, found),
        "why": _why(source, found),
        "entry": _entry(source, found),
        "out": _out(source, found),
        "cost": _cost(found),
    }
    return [f"{name if i == 0 else '':6}{line}" for name, lines in rows.items() for i, line in enumerate(lines)]


def _what(source: Source, found: Explanation) -> list[str]:
    miss = found.miss
    mode = "supervisor" if miss.supervisor else "user"
    what = f"{ACCESS[miss.fault_status]} of {miss.va:#010x} ({miss.region})"
    return [
        f"{what}, {mode}, ASID {miss.asid}: not in the {miss.side.upper()}",
        f"by {source.symbol(miss.pc)}{_code(source, miss.pc)}, {_at(source, miss.moment)}",
    ]


def _code(source: Source, pc: int) -> str:
    """The instruction there, if it can be told."""
    try:
        code = source.disassemble(pc, 1)
    except UsageError:
        return ""
    return f": {code[0].text}" if code else ""


def _why(source: Source, found: Explanation) -> list[str]:
    miss, culprit = found.miss, found.culprit
    loaded = found.loaded
    since = [] if loaded is None else [f"it had been loaded into entry {loaded.address}, {_at(source, loaded.moment)}"]
    match found.cause, culprit:
        case Cause.EVICTED, Loaded():
            ago = _distance(source, culprit.moment, miss.moment)
            head = f"evicted: entry {culprit.address} was given to {culprit.new.va:#010x} ({_region(source, culprit)})"
            return [head, f"{_at(source, culprit.moment)}, {ago} before", *since]
        case Cause.REMOVED, Loaded():
            who = source.function(culprit.pc)
            return [f"removed: {who} made entry {culprit.address} invalid, {_at(source, culprit.moment)}", *since]
        case Cause.CLEARED, Cleared():
            who, ago = source.function(culprit.pc), _distance(source, culprit.moment, miss.moment)
            head = f"cleared: {who} dropped it with {len(culprit.dropped) - 1} other entries"
            return [head, f"{_at(source, culprit.moment)}, {ago} before", *since]
        case Cause.OTHER_SPACE, Loaded():
            return [f"cold in this address space: only ASID {culprit.new.asid} has loaded the page before"]
        case Cause.LOADED, Loaded():
            return [f"entry {culprit.address} was loaded for it, {_at(source, culprit.moment)}, but did not answer"]
    return [f"cold: the page has not been loaded since {source.beginning}"]


def _entry(source: Source, found: Explanation) -> list[str]:
    if found.load is None:
        return [
            "none: the handler returned without one, so the access misses again" if found.refill.returned else "none"
        ]
    load = found.load
    after = _distance(source, found.miss.moment, load.moment)
    return [f"{load.address} <- {load.new}", f"by {source.function(load.pc)}, {after} after the miss"]


def _out(source: Source, found: Explanation) -> list[str]:
    load, victim = found.load, found.victim
    if load is None:
        return ["nobody"]
    if victim is None:
        was = "held the same page" if load.old.valid else "was invalid"
        return [f"nobody: the entry {was}"]
    who = f"{victim} ({source.region_of(victim.va)})"
    again = found.missed_again
    if again is None:
        return [who, f"not missed again up to {source.unit} {found.looked_to.instructions:,}"]
    when = f"{_at(source, again.moment)}, {_distance(source, load.moment, again.moment)} later"
    return [who, f"missed again by {source.symbol(again.pc)}, {when}"]


def _cost(found: Explanation) -> list[str]:
    refill = found.refill
    if refill.returned is None:
        return [f"the handler has not returned up to instruction {refill.looked_to.instructions:,}"]
    cycles = refill.returned.cycles - refill.before.cycles
    nested = f", with {found.nested} nested miss{'es' * (found.nested > 1)}" if found.nested else ""
    if refill.bill is None:
        return [f"{cycles:,} cycles{nested}"]
    bill = refill.bill
    stalls = f", waiting for memory {bill.stalls:,}" if bill.stalls else ""
    parts = f"entry {bill.entry:,}, handler {bill.handler:,}{stalls}, return {bill.back:,}"
    count = refill.returned.instructions - refill.before.instructions
    return [f"{cycles:,} cycles: {parts}; {count:,} instructions{nested}"]


def _at(source: Source, moment: Moment) -> str:
    return f"{source.unit} {moment.instructions:,}"


def _distance(source: Source, start: Moment, end: Moment) -> str:
    return f"{end.instructions - start.instructions:,} {source.unit}s"


def _region(source: Source, event: Loaded) -> str:
    return source.region_of(event.new.va)
