"""A trace as a notebook has it: the file, and the questions of ``cfemu trace`` as methods whose answers are tables."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from emu.errors import UsageError
from emu.tabular import Table
from emu.trace import format as file_format
from emu.trace.explain import CLASSES
from emu.trace.explain import explain as explain_trace
from emu.trace.pages import DistanceStream, feed
from emu.trace.replay import PAGE_SIZES, Result, changed, replay_all

__all__ = ["Entries", "Trace"]

Entries = int | tuple[int, int]
"""Entries of both TLBs, or of the instruction and of the data TLB."""

GROUPS = ("region", "symbol", "process", "phase", "access")


class Trace(file_format.Trace):
    """A recorded trace: ``Trace("boot.trace").replay(entries=[16, 32, 64])``.

    Opening reads the file's head; TraceError, one line, for what is no trace. ``header``, ``names`` and ``totals`` are
    what the file says of itself; ``warning`` is a line about a file that was cut, else empty.
    """

    def replay(
        self,
        entries: Entries | Sequence[Entries] | None = None,
        *,
        policy: str | None = None,
        page_size: int | None = None,
        seed: int | None = None,
        threads: int = 1,
    ) -> Table:
        """Misses on the recorded TLBs, changed by what is given; one row for each of ``entries`` (a tuple is one pair).

        ``policy``: plru, lru, fifo or random; ``page_size``: one for all unlocked pages, in bytes. docs/traces.md says
        what a replay on other TLBs can know. UsageError for TLBs that cannot be.
        """
        choices = [entries] if entries is None or isinstance(entries, int | tuple) else list(entries)
        geometries = [changed(self, entries=one, policy=policy, page_size=page_size, seed=seed) for one in choices]
        rows = [_row(result) for result in replay_all(self, geometries, threads=threads)]
        return Table.of_rows(rows, f"TLB misses of {self.path.name}")

    def sizes(self, page_size: int = 4096) -> Table:
        """LRU misses at every size from 1 to 128 entries, in one pass, with pages of one size and no locked entries."""
        if page_size not in PAGE_SIZES:
            raise UsageError(f"page size {page_size}: choose one of {', '.join(map(str, PAGE_SIZES))}")
        instruction, data = pair = DistanceStream(), DistanceStream()
        feed(self, page_size, [pair])
        misses = zip(instruction.misses.tolist()[1:], data.misses.tolist()[1:], strict=True)
        rows = [{"entries": n, "itlb_misses": i, "dtlb_misses": d} for n, (i, d) in enumerate(misses, 1)]
        return Table.of_rows(rows, f"LRU misses of {self.path.name}, pages of {page_size >> 10} KB")

    def explain(
        self,
        entries: Entries | None = None,
        *,
        policy: str | None = None,
        page_size: int | None = None,
        seed: int | None = None,
    ) -> Table:
        """Why it misses: one row for each region, symbol, process, phase and kind of access (column ``by``), with its
        misses by cause. Arguments as for :meth:`replay`."""
        found = explain_trace(self, changed(self, entries=entries, policy=policy, page_size=page_size, seed=seed))
        rows = [
            {"by": group, "name": name, "misses": sum(causes.values())}
            | {cause: causes.get(cause, 0) for cause in CLASSES}
            for group in GROUPS
            for name, causes in getattr(found, f"by_{group}").items()
        ]
        return Table.of_rows(rows, f"causes of the misses of {self.path.name}")

    def __repr__(self) -> str:
        return f"<Trace {self.path}{'' if self.complete else ', cut'}>"


def _row(result: Result) -> dict[str, Any]:
    """A result with its TLBs in front, in single values."""
    figures = result.to_dict()
    return {**asdict(result.geometry), **{name: value for name, value in figures.items() if name != "geometry"}}
