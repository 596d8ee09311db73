"""A measurement: TLB misses by side, privilege, region and symbol, and the first of them one by one."""

import base64
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from emu.errors import UsageError
from emu.regions import OTHER, Region

__all__ = ["FIGURES", "LOG_LENGTH", "SIDES", "Measurement", "Miss", "MissLog", "Table"]

LOG_LENGTH = 4096  # misses that are kept one by one: the text of any program's stays below some 20 KB

# Totals that a measurement may have: a machine's counters have all but the last two, rows of `cfemu compare` these.
FIGURES = {
    "itlb": "instruction misses",
    "dtlb": "data misses",
    "itlb_user": "instruction misses in user mode",
    "itlb_kernel": "instruction misses in supervisor mode",
    "dtlb_user": "data misses in user mode",
    "dtlb_kernel": "data misses in supervisor mode",
    "nested": "misses during another refill",
    "violations": "access violations",
    "bus_errors": "bus errors",
    "user": "misses in user mode",
    "kernel": "misses in supervisor mode",
}
SIDES = {"itlb": "instruction", "dtlb": "data"}

_KINDS = {"r": "read", "w": "write", "x": "fetch", "m": "read-modify-write"}  # in the text of a log
_FETCH = "x"
_LINE = re.compile(r"([su])([rwxm]) ([0-9a-f]{8}) ([0-9a-f]{8}) (\S.*)")
_TEXT_WIDTH = 100
_MAX_TEXT = 1 << 20  # unpacked: a damaged or hostile file must not fill the memory

Table = Mapping[str, Mapping[str, int]]
"""Name of a region or symbol -> side (itlb, dtlb) -> misses; sides without misses may be missing."""


@dataclass(frozen=True)
class Miss:
    """One refused access. ``kind``: r, w, x (fetch) or m (read-modify-write); ``place``: symbol, offset of ``pc``."""

    kind: str
    supervisor: bool
    va: int
    pc: int
    place: str

    @property
    def side(self) -> str:
        """The TLB that missed: itlb or dtlb."""
        return "itlb" if self.kind == _FETCH else "dtlb"

    @property
    def symbol(self) -> str:
        """Of the instruction."""
        return self.place.partition("+")[0]

    def describe(self, page_bits: int) -> str:
        """In words: who did what, to which page, and where."""
        who = "supervisor" if self.supervisor else "user"
        page = self.va >> page_bits << page_bits
        return f"{who} {_KINDS[self.kind]} of page {page:#010x} at PC {self.pc:#010x} ({self.place})"


@dataclass(frozen=True)
class MissLog:
    """The first LOG_LENGTH misses, in the order in which they happened. ``page_bits``: of the guest's smallest page."""

    page_bits: int
    misses: tuple[Miss, ...]

    def kept(self) -> "MissLog":
        """What a file keeps: the pages of the addresses."""
        bits = self.page_bits
        return MissLog(bits, tuple(replace(miss, va=miss.va >> bits << bits) for miss in self.misses))

    def to_text(self) -> list[str]:
        """For a file: packed, in lines of text."""
        lines = (f"{'s' if m.supervisor else 'u'}{m.kind} {m.va:08x} {m.pc:08x} {m.place}" for m in self.misses)
        packed = base64.b64encode(zlib.compress("\n".join(lines).encode(), 9)).decode()
        return [packed[i : i + _TEXT_WIDTH] for i in range(0, len(packed), _TEXT_WIDTH)]

    @classmethod
    def from_text(cls, page_bits: int, text: list[str]) -> "MissLog":
        """Raises UsageError for what :meth:`to_text` cannot have written."""
        try:
            unpack = zlib.decompressobj()
            lines = unpack.decompress(base64.b64decode("".join(text), validate=True), _MAX_TEXT).decode().splitlines()
            if not unpack.eof:
                raise ValueError("it has no end")
        except (ValueError, zlib.error) as error:
            raise UsageError(f"the log of misses is damaged: {error}") from None
        return cls(page_bits, tuple(map(_miss, lines)))


def _miss(line: str) -> Miss:
    found = _LINE.fullmatch(line)
    if found is None:
        raise UsageError(f"the log of misses is damaged: {line[:60]!r}")
    who, kind, va, pc, place = found.groups()
    return Miss(kind, who == "s", int(va, 16), int(pc, 16), place)


@dataclass(frozen=True)
class Measurement:
    """Counts of one run or phase. ``totals``: some of FIGURES; a table that was not counted is None.

    ``regions``, ``handler`` (symbol of the miss handler), ``unfinished`` (in words, access errors whose handlers have
    not returned) and ``entry`` (in words, the TLB entry accessed last) serve explanations, and are in no baseline;
    ``run``: how `cfemu check` repeats it.
    """

    totals: Mapping[str, int]
    by_region: Table | None = None
    by_symbol: Table | None = None
    log: MissLog | None = None
    regions: tuple[Region, ...] = field(default=(), compare=False)
    handler: str = field(default="", compare=False)
    unfinished: tuple[str, ...] = field(default=(), compare=False)
    entry: str = field(default="", compare=False)
    run: Mapping[str, str | int] = field(default_factory=dict)

    def kept(self) -> "Measurement":
        """What a baseline keeps of it."""
        log = None if self.log is None else self.log.kept()
        return Measurement(dict(self.totals), _kept(self.by_region), _kept(self.by_symbol), log, run=dict(self.run))

    def region_of(self, va: int) -> str:
        """The first region that holds ``va``; empty where regions are unknown."""
        if not self.regions:
            return ""
        return next((region.name for region in self.regions if region.start <= va < region.end), OTHER)


def _kept(rows: Table | None) -> Table | None:
    """Without names that have no miss, every side given."""
    if rows is None:
        return None
    return {name: {side: row.get(side, 0) for side in SIDES} for name, row in rows.items() if any(row.values())}
