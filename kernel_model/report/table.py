"""The comparison as tables, on a terminal or in a pipe: figures, verdict, and why the rest was refused."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.table import Table
from rich.text import Text

from emu.plain_console import PlainConsole
from emu.text import printable
from kernel_model.report.verdict import best, comparable, label, verdict
from kernel_model.results import Report, Row

__all__ = ["print_report", "print_rows"]

BEST_MARK = "*"
NARROWEST = 108  # of text
WIDEST = 1000
"""Of tables, which are as wide as they are: a terminal that is narrower wraps lines, it does not lose figures."""


@dataclass(frozen=True)
class Column:
    """One column: its heading, its figure (None where the row has none), its text, and whether less is better."""

    heading: str
    figure: Callable[[Row], int | None]
    show: Callable[[int, Row], str] = lambda value, row: f"{value:,}"
    ranked: bool = True
    always: bool = True
    """Whether it is there where no row has a figure other than 0."""

    def text(self, row: Row) -> str:
        """The cell of ``row``."""
        value = self.figure(row)
        return "-" if value is None else self.show(value, row)

    def rank(self, row: Row) -> int:
        """The figure by which the best row is found."""
        return self.figure(row) or 0


def _mega(value: int, row: Row) -> str:
    return f"{value / 1e6:.2f}"


def _kilobytes(value: int, row: Row) -> str:
    return f"{value / 1024:,.0f}"


def _percent(value: int, row: Row) -> str:
    return f"{value / PER_UNIT * 100:.2f}"


def _with_name(value: int, row: Row) -> str:
    name = row.worst_operation.name if row.worst_operation else ""
    return f"{value:,} {name.replace('_', ' ')}"


def _yes_or_no(value: int, row: Row) -> str:
    return "yes" if value else "NO"


def _misses_in(row: Row, regions: str) -> int | None:
    """Misses in the regions whose names begin so."""
    if row.misses is None:
        return None
    found = row.misses.by_region.items()
    return sum(sides.itlb + sides.dtlb for name, sides in found if name.startswith(regions))


def _boot_cycles(row: Row) -> int | None:
    boot = (row.workloads or {}).get("boot")
    return boot.cycles.total if boot else None


def _ipc_cycles(row: Row) -> int | None:
    """Cycles of one message of the ping-pong, its misses included."""
    ping_pong = (row.workloads or {}).get("ping-pong")
    operation = ping_pong.operations.get("ipc") if ping_pong else None
    return round(operation.cycles / operation.count) if operation else None


def _per_miss(row: Row, cycles: int) -> int | None:
    """Tenths of a cycle for each miss."""
    misses = row.misses.itlb + row.misses.dtlb if row.misses else 0
    return round(10 * cycles / misses) if misses else None


def _tenths(value: int, row: Row) -> str:
    return f"{value / 10:,.1f}"


HEAP_REGIONS, PAGE_SPACE = "heap.", "page-space"
PER_UNIT = 1_000_000
DISTRIBUTION = ("p50", "p99", "worst")

COSTS = (
    Column("boot", _boot_cycles, _mega),
    Column("IPC", _ipc_cycles),
    Column("Mcycles", lambda r: r.cycles.total if r.cycles else None, _mega),
    Column("refill%", lambda r: round(r.cycles.share * PER_UNIT) if r.cycles else None, _percent),
    Column("I-miss", lambda r: r.misses.itlb if r.misses else None),
    Column("D-miss", lambda r: r.misses.dtlb if r.misses else None),
    Column("on heap", lambda r: _misses_in(r, HEAP_REGIONS)),
    Column("on frames", lambda r: _misses_in(r, PAGE_SPACE), always=False),
    Column("nested", lambda r: r.misses.nested if r.misses else None),
    Column("worst operation", lambda r: r.worst_operation.cycles if r.worst_operation else None, _with_name),
)

MEMORY = (
    Column("heap KB", lambda r: r.heap.reserved if r.heap else None, _kilobytes),
    Column("wasted", lambda r: r.heap.wasted if r.heap else None, _kilobytes),
    Column("direct", lambda r: r.heap.direct_mapped if r.heap else None, _kilobytes, ranked=False),
    Column("promised", lambda r: r.frames.promised if r.frames else None, ranked=False),
    Column("taken", lambda r: r.frames.taken_back if r.frames else None),
    Column("lost", lambda r: r.frames.lost if r.frames else None),
    Column("attached", lambda r: r.device_pages.attached if r.device_pages else None, ranked=False),
    Column("refused", lambda r: r.device_pages.refused if r.device_pages else None, ranked=False),
    Column("leaked", lambda r: r.unplugged_headers.leaked if r.unplugged_headers else None, always=False),
    Column("reused", lambda r: r.unplugged_headers.reused if r.unplugged_headers else None, ranked=False, always=False),
    Column("console", lambda r: None if r.console is None else int(r.console), _yes_or_no, ranked=False),
)

BILL = (
    Column("a miss", lambda r: _per_miss(r, r.cycles.refill + r.cycles.bill.evicted) if r.cycles else None, _tenths),
    Column("entry", lambda r: _per_miss(r, r.cycles.bill.entry) if r.cycles else None, _tenths, ranked=False),
    Column("handler", lambda r: _per_miss(r, r.cycles.bill.handler) if r.cycles else None, _tenths, ranked=False),
    Column("stalls", lambda r: _per_miss(r, r.cycles.bill.stalls) if r.cycles else None, _tenths, ranked=False),
    Column("return", lambda r: _per_miss(r, r.cycles.bill.back) if r.cycles else None, _tenths, ranked=False),
    Column("evicted", lambda r: _per_miss(r, r.cycles.bill.evicted) if r.cycles else None, _tenths, ranked=False),
)

SECTIONS = (
    (
        "costs",
        COSTS,
        "boot: Mcycles. IPC: cycles of a message with its misses. on heap, on frames: misses. worst operation: cycles.",
    ),
    (
        "cycles of a miss",
        BILL,
        "handler: its instructions. stalls: its waits for memory. evicted: later waits for lines it threw out, net.",
    ),
    (
        "memory and devices",
        MEMORY,
        "direct: heap with VA = PA + constant. promised, taken, lost: frames of the space bank. Then device pages.",
    ),
)


def print_report(report: Report, *, operations: bool = False) -> None:
    """Tables and verdict on stdout; with ``operations`` also how long each kind of them took."""
    print_rows(report.rows, title=str(report.scenario.get("summary") or "comparison"), engine=report.engine)
    if operations:
        print_operations(report.rows)


def print_rows(rows: Sequence[Row], *, title: str, engine: str) -> None:
    """As :func:`print_report`, for rows alone."""
    console = PlainConsole()
    console.width = max(console.width if sys.stdout.isatty() else 0, NARROWEST)
    console.print(Text(printable(title), style="bold"))
    if rows:
        first = rows[0]
        console.print(
            f"board {first.board}, handler {first.handler}, flush on {first.flush}, allocation {first.allocation},"
            f" seed {first.seed}, engine {engine or 'none'}",
            markup=False,
        )
    for heading, columns, legend in SECTIONS:
        console.print()
        width, console.width = console.width, WIDEST  # no heading or figure is cut
        console.print(_figures(rows, columns))
        console.width = width
        console.print(
            Text(f"{heading}; {BEST_MARK} best of the rows that attached every device. {legend}", style="dim")
        )
    console.print()
    for sentence in verdict(rows):
        console.print(Text(f"- {sentence}"))
    refused = [row for row in rows if row.refusal]
    if refused:
        console.print()
        console.print(_reasons(refused))


def print_operations(rows: Sequence[Row]) -> None:
    """How long the kernel's operations took, one line each for every row and workload."""
    console = PlainConsole()
    console.width = max(console.width if sys.stdout.isatty() else 0, NARROWEST)
    table = Table(box=None, pad_edge=False, header_style="bold", collapse_padding=True)
    for heading in ("strategy", "mapping", "workload", "operation"):
        table.add_column(heading, no_wrap=True)
    for heading in ("count", "mean", *DISTRIBUTION):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        for workload, result in (row.workloads or {}).items():
            for name, done in result.operations.items():
                figures = (done.count, round(done.cycles / done.count), *(getattr(done, each) for each in DISTRIBUTION))
                cells = (row.strategy, row.mapping, workload, name.replace("_", " "))
                table.add_row(*cells, *(f"{figure:,}" for figure in figures))
    console.print()
    console.print(table)
    console.print(
        Text("operations; in cycles. p50, p99: what half, and 99 of 100 of them, did not exceed.", style="dim")
    )


def _figures(rows: Sequence[Row], columns: Sequence[Column]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", collapse_padding=True)
    table.add_column("strategy", no_wrap=True)
    table.add_column("mapping", no_wrap=True)
    candidates = comparable(rows)
    same_work = {label(row): row for row in candidates}
    ran = [same_work.get(label(row), row) for row in rows if row.cycles is not None]
    columns = [column for column in columns if column.always or any(column.figure(row) for row in ran)]
    for column in columns:
        table.add_column(column.heading, justify="right", no_wrap=True)
    winners = {
        column.heading: set(map(label, best(candidates, column.rank))) if column.ranked and len(candidates) > 1 else ()
        for column in columns
    }
    for row in ran:
        cells = [_cell(column.text(row), label(row) in winners[column.heading]) for column in columns]
        table.add_row(row.strategy, row.mapping, *cells)
    return table


def _cell(text: str, is_best: bool) -> Text:
    return Text(f"{text}{BEST_MARK}", style="bold green") if is_best else Text(f"{text} ")


def _reasons(rows: Sequence[Row]) -> Table:
    """Refusals; strategies refused under the same mappings for the same reason share a line."""
    mappings: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        mappings.setdefault((row.strategy, row.refusal or ""), []).append(row.mapping)
    strategies: dict[tuple[str, str], list[str]] = {}
    for (strategy, reason), names in mappings.items():
        strategies.setdefault((", ".join(names), reason), []).append(strategy)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading, width in (("refused", 16), ("mapping", 16), ("why", None)):
        table.add_column(heading, width=width)
    for (where, reason), names in strategies.items():
        table.add_row(Text(", ".join(names)), Text(where), Text(reason))
    return table
