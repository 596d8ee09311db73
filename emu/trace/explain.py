"""Why a trace misses: by region, symbol, ASID and phase, classified; reuse distances; what other TLBs would do.

Classes, of the page as it is loaded and of its TLB:

========  ==================================================================================================
cold      it was never loaded before
flush     a clear dropped it, or software dropped this one entry, since its last use
lock      an LRU TLB would have kept it, had the locked entries' room been free: as many other pages were used
          since as fit into all entries, but not into the unlocked ones
policy    an LRU TLB of the unlocked entries would have kept it: the replacement policy chose it too early
capacity  more other pages than entries were used since
========  ==================================================================================================

A reuse distance is the number of other unlocked pages of the same TLB used since the last use of the page, clears
notwithstanding; 128 stands for 128 and more, and for first uses.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from emu.regions import OTHER
from emu.trace import layout as k
from emu.trace.events import HANDLER, KIND, SUPERVISOR
from emu.trace.format import Trace
from emu.trace.replay import Geometry, Replay, Result, replay_all

__all__ = ["CLASSES", "Explanation", "explain", "region_namer", "symbol_namer", "what_if_geometries"]

CLASSES = ("cold", "capacity", "flush", "lock", "policy")
WHAT_IF_SIZES = (8, 16, 24, 32, 48, 64, 96, 128)
_KNOWN = 1 << 16  # names of addresses that are kept
_PRECISION = 10  # a fetch is known by its granule

Rows = dict[str, dict[str, int]]


@dataclass
class Explanation:
    """Misses of one replay, taken apart. Each row maps a class to a number."""

    result: Result
    by_class: dict[str, int] = field(default_factory=dict)
    by_region: Rows = field(default_factory=dict)
    by_symbol: Rows = field(default_factory=dict)
    by_process: Rows = field(default_factory=dict)
    by_phase: Rows = field(default_factory=dict)
    by_access: Rows = field(default_factory=dict)
    histogram: dict[str, list[int]] = field(default_factory=dict)  # per side: references by reuse distance 0 to 128
    what_if: list[Result] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        found = {name: value for name, value in asdict(self).items() if name not in ("result", "what_if")}
        return {"result": self.result.to_dict()} | found | {"what_if": [r.to_dict() for r in self.what_if]}


def explain(trace: Trace, geometry: Geometry, *, what_if: Sequence[Geometry] = (), threads: int = 1) -> Explanation:
    """Replay on ``geometry``, explaining each miss, and count the misses on each of ``what_if``."""
    names = {
        "by_region": _by(k.LOG_VA, region_namer(trace)),
        "by_symbol": _by(k.LOG_PC, symbol_namer(trace)),
        "by_process": _by(k.LOG_ASID, process_namer(trace)),
        "by_phase": _by(k.LOG_PHASE, phase_namer(trace)),
        "by_access": _by(k.LOG_CODE, access_name),
    }
    tables = {name: Counter[tuple[str, str]]() for name in names}
    replay = Replay(trace, geometry, explained=True)
    for log in replay.misses():
        classes = log[:, k.LOG_CLASS]
        for name, rows in names.items():
            rows(log, classes, tables[name])
    rows_of = {name: _ranked(table) for name, table in tables.items()}
    totals = Counter[str]()
    for row in rows_of["by_access"].values():
        totals.update(row)
    return Explanation(
        result=replay.result(),
        by_class={name: totals[name] for name in CLASSES},
        histogram={side: replay.histogram[i].tolist() for i, side in enumerate(("itlb", "dtlb"))},
        what_if=replay_all(trace, what_if, threads=threads),
        **rows_of,
    )


def what_if_geometries(geometry: Geometry) -> list[Geometry]:
    """The sizes, and the other policies at this size."""
    sizes = [replace(geometry, itlb_entries=n, dtlb_entries=n) for n in WHAT_IF_SIZES]
    policies = [replace(geometry, policy=p) for p in ("plru", "lru", "fifo", "random") if p != geometry.policy]
    return [g for g in (*sizes, *policies) if g != geometry]


def region_namer(trace: Trace) -> Callable[[int], str]:
    """The region of a VA: the first that matches."""
    regions = trace.regions

    def name(va: int) -> str:
        return next((region for region, start, end in regions if start <= va < end), OTHER)

    return name


def symbol_namer(trace: Trace) -> Callable[[int], str]:
    """The symbol in front of an address, if it reaches that far; else the granule."""
    symbols = trace.header.symbols
    starts = [address for address, _, _ in symbols]

    def name(address: int) -> str:
        at = bisect_right(starts, address) - 1
        if at >= 0:
            start, label, size = symbols[at]
            if not size or address < start + size:
                return label
        return f"{address >> _PRECISION << _PRECISION:#010x}"

    return name


def process_namer(trace: Trace) -> Callable[[int], str]:
    def name(asid: int) -> str:
        known = trace.names.processes.get(asid)
        return f"{asid} {known}" if known else str(asid)

    return name


def phase_namer(trace: Trace) -> Callable[[int], str]:
    def name(phase: int) -> str:
        phases = trace.names.phases
        return phases[phase] if phase < len(phases) else str(phase)

    return name


def access_name(code: int) -> str:
    """Of an access event's code."""
    kind = ("read", "write", "fetch", "read-modify-write")[code & KIND]
    return f"{'kernel' if code & SUPERVISOR else 'user'} {kind}{' while refilling' if code & HANDLER else ''}"


Adder = Callable[[npt.NDArray[np.int64], npt.NDArray[np.int64], Counter[tuple[str, str]]], None]


def _by(column: int, namer: Callable[[int], str]) -> Adder:
    """Adds a piece of the log to a table, by the name of a column's values; each distinct value is named once."""
    known: dict[int, str] = {}

    def add(log: npt.NDArray[np.int64], classes: npt.NDArray[np.int64], table: Counter[tuple[str, str]]) -> None:
        pairs, counts = np.unique(np.stack([log[:, column], classes], axis=1), axis=0, return_counts=True)
        for (value, kind), count in zip(pairs.tolist(), counts.tolist()):
            if value not in known:
                if len(known) == _KNOWN:
                    known.clear()
                known[value] = namer(value)
            table[known[value], CLASSES[kind]] += count

    return add


def _ranked(table: Mapping[tuple[str, str], int]) -> Rows:
    """Rows by name, most misses first."""
    rows: Rows = {}
    for (name, kind), count in table.items():
        rows.setdefault(name, {})[kind] = count
    return dict(sorted(rows.items(), key=lambda item: (-sum(item[1].values()), item[0])))
