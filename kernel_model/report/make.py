"""From sweeps, or from their rows, to a page."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kernel_model.report.entries import Entry, read_entries
from kernel_model.report.page_writer import write_page
from kernel_model.sweeps.command import sweep

__all__ = ["Made", "make_report"]

DEFAULT_SWEEPS = tuple(Path(__file__).parent / "sweeps" / name for name in ("strategies.toml", "map.toml"))


@dataclass(frozen=True)
class Made:
    """What a report was made of. ``page``: None when it was interrupted before."""

    page: Path | None
    tables: tuple[Path, ...]
    rows: int
    ran: int
    interrupted: bool

    def __str__(self) -> str:
        where = ", ".join(map(str, self.tables))
        return f"{self.rows} rows, {self.ran} of them with figures, from {where}"

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        page = None if self.page is None else str(self.page)
        return {"page": page, "tables": [str(table) for table in self.tables], "rows": self.rows, "ran": self.ran}


def make_report(sources: Sequence[Path], out: Path, workers: int | None = None) -> Made:
    """Make the sweeps among ``sources`` (default: ours), read the rows of all, and write the page.

    Rows of sweeps are kept in ``<out>.rows/``. UsageError for bad input; Ctrl-C ends it without loss.
    """
    tables: list[Path] = []
    for source in sources or DEFAULT_SWEEPS:
        if source.suffix != ".toml":
            tables.append(source)
            continue
        directory = out.with_suffix(".rows")
        directory.mkdir(exist_ok=True)
        table = directory / f"{source.stem}.parquet"
        done = sweep(source, table, workers=workers)
        tables.append(table)
        if done.interrupted:
            return Made(None, tuple(tables), sum(done.statuses.values()), 0, True)
    entries: list[Entry] = [entry for table in tables for entry in read_entries(table)]
    names = [str(source) for source in sources]
    write_page(entries, out, shlex.join(["cfemu", "report", *names, "--out", str(out)]))
    return Made(out, tuple(tables), len(entries), sum(entry.row.cycles is not None for entry in entries), False)
