"""Results as tables: pandas and Arrow in one call, and HTML where a notebook shows them."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property
from html import escape
from typing import TYPE_CHECKING, Any, ClassVar

from emu.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

__all__ = ["Table", "Tabular"]

MOST_ROWS = 100  # that a notebook shows
STYLE = "text-align:left;"


class Tabular(ABC):
    """A result that is a table. A class that has this gives its rows as Arrow; the rest follows."""

    shown: ClassVar[Sequence[str]] = ()
    """Columns that a notebook shows; all single values where it is empty."""

    @abstractmethod
    def to_arrow(self) -> "pa.Table":
        """The rows as a ``pyarrow.Table``; what has names of its own (regions, workloads) is a map."""

    def to_pandas(self) -> "pd.DataFrame":
        """The rows as a ``pandas.DataFrame``, maps as dicts. UsageError without pandas (``cfemu[notebook]``)."""
        try:
            import pandas as pd
        except ImportError:
            raise UsageError("to_pandas: needs pandas; install cfemu[notebook]") from None
        import pyarrow as pa

        # A missing figure leaves the others of its column the integers that they are.
        kinds = {pa.int64(): pd.Int64Dtype(), pa.bool_(): pd.BooleanDtype()}
        frame: pd.DataFrame = self.to_arrow().to_pandas(maps_as_pydicts="strict", types_mapper=kinds.get)
        return frame

    def caption(self) -> str:
        """A line about the whole, for the table's head in a notebook."""
        return ""

    def _repr_html_(self) -> str:
        """What Jupyter shows."""
        table = self.to_arrow()
        chosen = [table.schema.get_field_index(name) for name in self.shown] or _single_valued(table)
        names = [table.column_names[index] for index in chosen]
        columns = [table.column(index).slice(0, MOST_ROWS).to_pylist() for index in chosen]
        head = "".join(f"<th>{escape(name)}</th>" for name in names)
        body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in zip(*columns, strict=True))
        rest = table.num_rows - MOST_ROWS
        more = f'<tr><td colspan="{len(names)}">and {rest:,} more</td></tr>' if rest > 0 else ""
        caption = f"<caption>{escape(self.caption())}</caption>" if self.caption() else ""
        return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}{more}</tbody></table>"


def _single_valued(table: "pa.Table") -> list[int]:
    """Numbers of the columns whose values are no lists, maps or records; names may be there twice."""
    return [index for index, field in enumerate(table.schema) if field.type.num_fields == 0]


def _cell(value: object) -> str:
    if value is None:
        return "<td></td>"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return f'<td style="{STYLE}">{escape(str(value))}</td>'
    return f"<td>{value:,}</td>" if isinstance(value, int) else f"<td>{value:,.4f}</td>"


class Table(Tabular):
    """A table of its own: what Arrow holds, as a list of dicts in ``rows``."""

    def __init__(self, table: "pa.Table", caption: str = "") -> None:
        self._table = table
        self._caption = caption

    @classmethod
    def of_rows(cls, rows: Sequence[dict[str, Any]], caption: str = "") -> "Table":
        """Of dicts with the same keys."""
        import pyarrow as pa

        return cls(pa.Table.from_pylist(list(rows)), caption)

    @cached_property
    def rows(self) -> list[dict[str, Any]]:
        """One dict a row, maps as dicts."""
        found: list[dict[str, Any]] = self._table.to_pylist(maps_as_pydicts="strict")
        return found

    def to_arrow(self) -> "pa.Table":
        """The rows as a ``pyarrow.Table``."""
        return self._table

    def caption(self) -> str:
        """What the table is of."""
        return self._caption

    def __len__(self) -> int:
        return int(self._table.num_rows)

    def __repr__(self) -> str:
        return f"<Table of {len(self)} rows{': ' if self._caption else ''}{self._caption}>"
