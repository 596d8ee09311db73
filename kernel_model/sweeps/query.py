"""``cfemu query``: SQL on a sweep's rows. DuckDB answers; the table is called ``runs``."""

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import msgspec

from emu.errors import UsageError
from emu.text import printable
from kernel_model.sweeps.store import read_rows

__all__ = ["Answer", "answer_table", "ask", "ask_table", "print_answer", "print_answer_json"]

WIDEST = 100_000


@dataclass(frozen=True)
class Answer:
    """A result of SQL."""

    names: list[str]
    rows: list[tuple[Any, ...]]


def ask(path: Path, sql: str) -> Answer:
    """The answer to a question. UsageError, one line, for bad SQL and for a file that no sweep has written."""
    return ask_table(read_rows(path), sql)


def ask_table(runs: Any, sql: str) -> Answer:
    """The same of a table in memory (``pyarrow.Table``)."""
    with _connection(runs) as connection:
        result: Any = connection.execute(sql)  # None where there is nothing to do, whatever its type says
        if result is None:
            raise UsageError("SQL: there is no question")
        names = [column[0] for column in result.description or ()]
        return Answer(names, result.fetchall() if names else [])


def answer_table(runs: Any, sql: str) -> Any:
    """The same as a ``pyarrow.Table``."""
    with _connection(runs) as connection:
        answer: Any = connection.sql(sql)  # None where there is nothing to answer, whatever its type says
        return runs.slice(0, 0).select([]) if answer is None else answer.to_arrow_table()


@contextmanager
def _connection(runs: Any) -> Iterator[duckdb.DuckDBPyConnection]:
    """A database that has this table only; what goes wrong with its SQL is a UsageError."""
    with duckdb.connect(":memory:") as connection:
        connection.register("runs", runs)
        try:
            yield connection
        except duckdb.Error as error:
            raise UsageError(f"SQL: {_one_line(str(error))}") from None


def _one_line(message: str) -> str:
    """DuckDB's message up to the picture of the place, with the place in words."""
    text, _, picture = message.partition("\n\nLINE ")
    place = ""
    if picture:
        line, _, marker = picture.partition("\n")
        shown = f"LINE {line}"
        place = f" (at: {shown[max(marker.find('^'), 0) :].strip()[:40]})"
    return " ".join(text.split()) + place


def print_answer(answer: Answer) -> None:
    """As a table, never squeezed: a line that is too long for a terminal wraps."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    numeric = [all(isinstance(row[i], int | float | None) for row in answer.rows) for i in range(len(answer.names))]
    for name, is_number in zip(answer.names, numeric):
        table.add_column(Text(name), justify="right" if is_number else "left", no_wrap=True)
    for row in answer.rows:
        table.add_row(*(Text("-" if value is None else printable(str(value))) for value in row))
    if answer.names:
        console = Console(highlight=False, width=WIDEST)
        console.width = console.measure(table).maximum
        console.print(table)


def print_answer_json(answer: Answer) -> None:
    """As a JSON list of objects, one a row; what JSON has no word for is null (not a number) or text (a date)."""
    twice = [name for name, count in Counter(answer.names).items() if count > 1]
    if twice:
        raise UsageError(f"SQL: --json: several columns are called {twice[0]}; rename them with AS")
    rows = [dict(zip(answer.names, row)) for row in answer.rows]
    encoded = msgspec.json.Encoder(decimal_format="number", enc_hook=str).encode(rows)
    sys.stdout.write(msgspec.json.format(encoded, indent=2).decode() + "\n")
