"""What has changed between two measurements, as data and in words. Pure functions."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import Any

from emu.regression.misses import FIGURES, LOG_LENGTH, SIDES, Measurement, Miss, MissLog, Table

__all__ = ["Change", "Explanation", "FirstDifference", "PageChange", "Repetition", "explain"]

MAX_NAMES = 8  # regions, symbols or groups of pages in the words; the data has all
STUCK = 3  # the same access so often in a row: a refill that serves it would have ended that


@dataclass(frozen=True)
class Change:
    """One figure. ``table``: totals, region or symbol; ``name``: in it; ``side``: itlb, dtlb, or empty for totals."""

    table: str
    name: str
    side: str
    before: int
    after: int


@dataclass(frozen=True)
class PageChange:
    """Misses of one page among those that the logs hold."""

    page: int
    region: str
    side: str
    before: int
    after: int


@dataclass(frozen=True)
class FirstDifference:
    """The first miss (counted from 1) that is another than before: other code, page, side or privilege."""

    number: int
    before: Miss | None
    after: Miss | None


@dataclass(frozen=True)
class Repetition:
    """One access that missed ``count`` times in a row."""

    miss: Miss
    count: int


@dataclass(frozen=True)
class Explanation:
    """``changes`` and ``uncounted`` (tables that only one measurement has) decide; the rest tells why."""

    changes: tuple[Change, ...]
    uncounted: tuple[str, ...]
    pages: tuple[PageChange, ...]
    first: FirstDifference | None
    repeated: Repetition | None
    page_bits: int
    partial: bool  # there were more misses than the logs hold
    handler: str
    unfinished: tuple[str, ...]
    regions: tuple[str, str] = ("", "")  # of the two misses of ``first``
    entry: str = ""

    @property
    def same(self) -> bool:
        """Whether every count is as it was."""
        return not self.changes and not self.uncounted

    def words(self) -> list[str]:
        """Lines for a person, what matters most first; empty when nothing has changed."""
        if self.same:
            return []
        lines = [
            *_totals(self.changes),
            *_names(self.changes, "region"),
            *_names(self.changes, "symbol"),
            *(f"not comparable: {what}" for what in self.uncounted),
            *_pages(self.pages, 1 << self.page_bits, partial=self.partial),
        ]
        if self.repeated is not None:
            by = f" by {self.handler}" if self.handler else ""
            lines.append(f"one access misses again and again: the refill{by} does not serve it")
            lines.append(f"  {self.repeated.count:,} times in a row: {self.repeated.miss.describe(self.page_bits)}")
            if self.entry:
                lines.append(f"  {self.entry}")
        if self.unfinished:
            by = f" {self.handler}" if self.handler else ""
            lines.append(f"the handler{by} has not returned from:")
            lines += [f"  {what}" for what in self.unfinished]
        if self.first is not None:
            lines.append(f"first difference: miss {self.first.number:,}")
            lines += [
                f"  {when} {self._miss(miss, region)}"
                for when, miss, region in zip(
                    ("before:", "now:   "), (self.first.before, self.first.after), self.regions, strict=True
                )
            ]
        elif self.changes and self.partial:
            lines.append(f"the first {LOG_LENGTH:,} misses are as before: what differs comes after them")
        return lines

    def _miss(self, miss: Miss | None, region: str) -> str:
        if miss is None:
            return "there is none, the misses end here"
        return miss.describe(self.page_bits) + (f", region {region}" if region else "")

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {"same": self.same, **asdict(self), "words": self.words()}


def explain(before: Measurement, after: Measurement) -> Explanation:
    """Compare every count that either has; what both logs hold tells which pages and which miss."""
    changes, uncounted = [], []
    for name in FIGURES:
        old, new = before.totals.get(name), after.totals.get(name)
        if old is None or new is None:
            uncounted += [] if old is new else [_only(FIGURES[name], old is None)]
        elif old != new:
            changes.append(Change("totals", name, "", old, new))
    for table, old_rows, new_rows in (
        ("region", before.by_region, after.by_region),
        ("symbol", before.by_symbol, after.by_symbol),
    ):
        if old_rows is None or new_rows is None:
            uncounted += [] if old_rows is new_rows else [_only(f"misses by {table}", old_rows is None)]
        else:
            changes += _rows(table, old_rows, new_rows)
    return _with_logs(tuple(changes), tuple(uncounted), before, after)


def _only(what: str, new: bool) -> str:
    return f"{what}: counted now, but not before" if new else f"{what}: counted before, but not now"


def _rows(table: str, before: Table, after: Table) -> Iterator[Change]:
    for name in sorted({*before, *after}):
        for side in SIDES:
            old, new = before.get(name, {}).get(side, 0), after.get(name, {}).get(side, 0)
            if old != new:
                yield Change(table, name, side, old, new)


def _with_logs(
    changes: tuple[Change, ...], uncounted: tuple[str, ...], before: Measurement, after: Measurement
) -> Explanation:
    old, new = before.log, after.log
    pages: tuple[PageChange, ...] = ()
    first = repeated = None
    regions = ("", "")
    bits = old.page_bits if old is not None else (new.page_bits if new is not None else 0)
    if new is not None:
        repeated = _repetition(new, bits)
        was = _repetition(old, bits) if old is not None else None
        repeated = None if was is not None and repeated is not None and was.count >= repeated.count else repeated
    if old is not None and new is not None:
        pages = tuple(_page_changes(old, new, bits, after.region_of))
        first = _first_difference(old.misses, new.misses, bits)
    if first is not None:
        regions = (
            after.region_of(first.before.va) if first.before else "",
            after.region_of(first.after.va) if first.after else "",
        )
    partial = any(log is not None and len(log.misses) >= LOG_LENGTH for log in (old, new))
    return Explanation(
        changes, uncounted, pages, first, repeated, bits, partial, after.handler, after.unfinished, regions, after.entry
    )


def _key(miss: Miss, bits: int) -> tuple[str, bool, str, int]:
    """What makes two misses the same one: not the PC, which every change of code before it moves."""
    return miss.side, miss.supervisor, miss.symbol, miss.va >> bits


def _first_difference(before: Sequence[Miss], after: Sequence[Miss], bits: int) -> FirstDifference | None:
    for i in range(max(len(before), len(after))):
        old, new = (before[i] if i < len(before) else None), (after[i] if i < len(after) else None)
        if old is None or new is None or _key(old, bits) != _key(new, bits):
            return FirstDifference(i + 1, old, new)
    return None


def _page_changes(before: MissLog, after: MissLog, bits: int, region_of: Callable[[int], str]) -> Iterator[PageChange]:
    old, new = (Counter((m.side, m.va >> bits) for m in log.misses) for log in (before, after))
    for side, page in sorted({*old, *new}):
        if old[side, page] != new[side, page]:
            va = page << bits
            yield PageChange(va, region_of(va), side, old[side, page], new[side, page])


def _repetition(log: MissLog, bits: int) -> Repetition | None:
    """The access that missed most often in a row, if it looks as if its refills did not serve it."""
    runs = [list(run) for _, run in groupby(log.misses, key=lambda m: (m.pc, m.kind, m.supervisor, m.va >> bits))]
    longest = max(runs, key=len, default=[])
    return Repetition(longest[0], len(longest)) if len(longest) >= STUCK else None


# --- in words


def _totals(changes: Sequence[Change]) -> Iterator[str]:
    for change in changes:
        if change.table == "totals":
            yield f"{FIGURES[change.name]}: {_step(change)}"


def _names(changes: Sequence[Change], table: str) -> Iterator[str]:
    """A line for each region or symbol, those with the largest change first."""
    found: dict[str, list[Change]] = {}
    for change in changes:
        if change.table == table:
            found.setdefault(change.name, []).append(change)
    ranked = sorted(found.items(), key=lambda item: (-sum(abs(c.after - c.before) for c in item[1]), item[0]))
    for name, sides in ranked[:MAX_NAMES]:
        yield f"{table} {name}: " + ", ".join(f"{SIDES[c.side]} misses {_step(c)}" for c in sides)
    if len(ranked) > MAX_NAMES:
        yield f"{len(ranked) - MAX_NAMES} more {table}s differ"


def _step(change: Change) -> str:
    return f"{change.before:,} -> {change.after:,} ({change.after - change.before:+,})"


def _pages(pages: Sequence[PageChange], size: int, *, partial: bool) -> Iterator[str]:
    """A line for each group of pages of one region that changed in the same way."""
    groups: dict[tuple[str, str, str], list[PageChange]] = {}
    for page in pages:
        groups.setdefault((_fate(page), page.region, page.side), []).append(page)
    among = f" (among the first {LOG_LENGTH:,} misses)" if partial else ""
    ranked = sorted(groups.items(), key=lambda item: (-sum(abs(p.after - p.before) for p in item[1]), item[0]))
    for (fate, region, side), members in ranked[:MAX_NAMES]:
        where = f" of region {region}" if region else ""
        what = f"{len(members)} {SIDES[side]} page{'s' if len(members) > 1 else ''}{where} {fate}"
        yield f"{what}{among}: {_addresses(members, size)}"
    if len(ranked) > MAX_NAMES:
        yield f"{len(ranked) - MAX_NAMES} more groups of pages differ"


def _fate(page: PageChange) -> str:
    if not page.before:
        return "missed now, but never before"
    if not page.after:
        return "missed before, but never now"
    return "missed more often" if page.after > page.before else "missed less often"


def _addresses(pages: Sequence[PageChange], size: int) -> str:
    """Ranges of neighbours, with their misses before and now."""
    ranges: list[list[PageChange]] = []
    for page in pages:
        if ranges and ranges[-1][-1].page + size == page.page:
            ranges[-1].append(page)
        else:
            ranges.append([page])
    texts = []
    for members in ranges[:MAX_NAMES]:
        first, last = members[0].page, members[-1].page + size - 1
        before, after = sum(p.before for p in members), sum(p.after for p in members)
        texts.append(f"{first:#010x}-{last:#010x} ({before:,} -> {after:,})")
    if len(ranges) > MAX_NAMES:
        texts.append(f"{len(ranges) - MAX_NAMES} more")
    return ", ".join(texts)
