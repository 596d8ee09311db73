"""From sweeps, or from their rows, to a page."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emu.errors import UsageError
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


def make_report(sources: Sequence[Path], out: Path, workers: int | None = None, *, fresh: bool = False) -> Made:
    """Make the sweeps among ``sources`` (default: ours), read the rows of all, and write the page.

    Rows of sweeps are kept in ``<out>.rows/``; ``fresh``: those that are there are thrown away. UsageError for bad
    input; Ctrl-C ends it without loss.
    """
    directory = out.with_suffix(".rows")
    if directory == out:
        raise UsageError(f"{out}: the rows of sweeps are kept in a directory of that name; name another page")
    tables = _tables(sources or DEFAULT_SWEEPS, directory)
    for number, (table, source) in enumerate(tables.items(), 1):
        if source.suffix == ".toml":
            table.parent.mkdir(exist_ok=True)
            done = sweep(source, table, workers=workers, fresh=fresh)
            if done.interrupted:
                return Made(None, tuple(tables)[:number], sum(done.statuses.values()), 0, True)
    entries: list[Entry] = [entry for table in tables for entry in read_entries(table)]
    names = [str(source) for source in sources]
    write_page(entries, out, shlex.join(["cfemu", "report", *names, "--out", str(out)]))
    return Made(out, tuple(tables), len(entries), sum(entry.row.cycles is not None for entry in entries), False)


def _tables(sources: Sequence[Path], directory: Path) -> dict[Path, Path]:
    """The table of each source, and the source: of a sweep in ``directory``. UsageError for two of one table."""
    found: dict[Path, Path] = {}
    seen: dict[Path, Path] = {}
    for source in sources:
        table = directory / f"{source.stem}.parquet" if source.suffix == ".toml" else source
        if (known := seen.get(table.resolve())) is not None:
            again = (
                "it is given twice" if known.resolve() == source.resolve() else f"its rows would be those of {known}"
            )
            raise UsageError(f"{source}: {again}; give each table once, and sweeps of different names")
        found[table] = seen[table.resolve()] = source
    return found
