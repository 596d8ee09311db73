"""Sweeps as a notebook has them: :func:`sweep` runs one, :class:`Sweep` is its rows."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, ClassVar

from emu.tabular import Table, Tabular
from kernel_model.sweeps.columns import table_of
from kernel_model.sweeps.command import sweep as run_sweep
from kernel_model.sweeps.query import answer_table
from kernel_model.sweeps.store import read_rows

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Sweep", "sweep"]


class Sweep(Tabular):
    """The rows of a sweep (docs/sweeps.md has its columns). ``interrupted``: some runs have no row yet."""

    shown: ClassVar[Sequence[str]] = (
        *("status", "strategy", "mapping", "timing", "tlb", "seed", "cycles_total", "cycles_share"),
        *("misses_itlb", "misses_dtlb", "heap_reserved", "device_pages_refused", "refusal", "error"),
    )

    def __init__(self, table: "pa.Table", *, interrupted: bool = False) -> None:
        self._table = table
        self.interrupted = interrupted

    @classmethod
    def read(cls, path: str | Path) -> "Sweep":
        """The rows in a file of ``cfemu sweep``. UsageError for any other."""
        return cls(read_rows(Path(path)))

    @cached_property
    def rows(self) -> list[dict[str, Any]]:
        """One dict a row, maps as dicts."""
        return Table(self._table).rows

    def query(self, sql: str) -> Table:
        """The answer to a question about the table ``runs``, in DuckDB's SQL. UsageError, one line, for bad SQL."""
        return Table(answer_table(self._table, sql), sql)

    def to_arrow(self) -> "pa.Table":
        """The rows as a ``pyarrow.Table``."""
        return self._table

    def __len__(self) -> int:
        return int(self._table.num_rows)

    def __repr__(self) -> str:
        return f"<Sweep of {len(self)} rows{', interrupted' if self.interrupted else ''}>"


def sweep(
    axes: str | Path | Mapping[str, Any],
    out: str | Path | None = None,
    *,
    workers: int | None = None,
    fresh: bool = False,
    cluster: str | None = None,
) -> Sweep:
    """Run every combination of the values on some axes, as ``cfemu sweep`` does, and give all rows.

    ``axes``: a file, or a dict of the same form (``{"scenario": ..., "axes": {...}}``). ``out``: the file of rows; with
    it a sweep that was interrupted goes on where it was, unless ``fresh``. ``workers``: processes, by default one a
    processor; ``cluster``: address of a dask scheduler instead. UsageError for bad input; what fails costs its own row.
    """
    plan = axes if isinstance(axes, Mapping) else Path(axes)
    with TemporaryDirectory(prefix="cfemu-sweep-") as scratch:
        path = Path(scratch) / "rows.parquet" if out is None else Path(out)
        summary = run_sweep(plan, path, workers=workers, fresh=fresh, cluster=cluster)
        rows = read_rows(path) if path.exists() else table_of([])  # interrupted before the first
    return Sweep(rows, interrupted=summary.interrupted)
