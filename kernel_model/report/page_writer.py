"""One self-contained HTML page of a sweep's rows: nothing is fetched, and it reads without its script."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2
import msgspec
from markupsafe import Markup

from emu.errors import UsageError
from emu.files import whole_file
from kernel_model.choices import Mapping
from kernel_model.comparison import versions
from kernel_model.report import figures
from kernel_model.report.entries import Entry, cells, largest_group
from kernel_model.report.figures import BILL_PARTS, REGION_GROUPS, Bar, Scatter
from kernel_model.report.verdict import verdict
from kernel_model.results import Row
from kernel_model.strategies import STRATEGIES

__all__ = ["write_page"]

PAGE = resources.files("kernel_model.report") / "page"
SHAPES = {  # a mark for each mapping, around (0, 0)
    Mapping.ACR.value: "M-5 0a5 5 0 1 0 10 0a5 5 0 1 0 -10 0z",
    Mapping.LOCKED_1M.value: "M-4.5 -4.5h9v9h-9z",
    Mapping.UNLOCKED_1M.value: "M0 -6L6 0L0 6L-6 0z",
    Mapping.PAGED_8K.value: "M0 -5.5L5.5 4.5H-5.5z",
    Mapping.PAGED_4K.value: "M0 5.5L5.5 -4.5H-5.5z",
}
OTHER_KINDS = (
    "user",
    "objects",
    "headers",
    "growth",
    "frames",
    "tables",
    "other",
    "entry",
    "handler",
    "stalls",
    "back",
    "evicted",
)
MEMORY_KEYS = (("objects", "kernel objects"), ("headers", "page headers"), ("reserve", "headers in reserve"))


@dataclass(frozen=True)
class Heading:
    """Of a column. ``text``: its cells are words."""

    name: str
    text: bool = False


@dataclass(frozen=True)
class Cell:
    """``value``: what it is sorted by."""

    shown: str
    value: float | str = ""
    text: bool = False
    code: bool = False


def write_page(entries: Sequence[Entry], out: Path, command: str) -> None:
    """Write the report of ``entries`` to ``out``, the whole file or nothing; ``command``: what made it.

    UsageError when none of the rows has figures, or the file cannot be written.
    """
    group = largest_group(entries)
    rows = [entry.row for entry in group if entry.row.cycles is not None]
    if not rows:
        raise UsageError("none of the rows has figures: there is nothing to report")
    page = _render(entries, group, rows, command)
    with whole_file(out) as part:
        part.write_text(page, encoding="utf-8", errors="backslashreplace")  # names of files need be no text


def _render(entries: Sequence[Entry], group: Sequence[Entry], rows: list[Row], command: str) -> str:
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=False)
    environment.filters["kind"] = _kind
    style = (PAGE / "page.css").read_text()
    kinds = [kind for kind in dict.fromkeys([*map(_kind, STRATEGIES), *OTHER_KINDS]) if f"--{kind}:" in style]
    css = jinja2.Environment(undefined=jinja2.StrictUndefined).from_string(style)
    others = [entry for entry in entries if entry not in group]
    map_cells = max(cells(others), cells(entries), key=len)  # of others alone, where they are a map by themselves
    scatter = figures.pareto(rows)
    scenario = group[0].inputs.scenario
    return environment.from_string((PAGE / "page.html.j2").read_text()).render(
        title="Kernel heap and device memory",
        about=scenario.summary or f"board {scenario.board}",
        version=versions()["cfemu"],
        command=command,
        css=Markup(css.render(kinds=kinds)),
        js=Markup((PAGE / "page.js").read_text()),
        ran=sum(entry.row.cycles is not None for entry in entries),
        total=len(entries),
        timing=group[0].inputs.timing.value,
        sentences=verdict([entry.row for entry in group]),
        maps=[(goal, figures.decision_map(map_cells, goal)) for goal in figures.goals()] if len(map_cells) > 1 else [],
        scatter=scatter,
        shapes=SHAPES,
        labels=_labels(scatter),
        strategy_keys=[(_kind(name), name) for name in dict.fromkeys(row.strategy for row in rows)],
        region_keys=[(kind, title) for kind, title, _ in REGION_GROUPS],
        misses=_by_mapping(figures.misses_by_region(rows)),
        bill_keys=BILL_PARTS,
        bills=_by_mapping(figures.bills(rows)),
        distributions=figures.distributions(_shown(rows)),
        memory_keys=MEMORY_KEYS,
        memory=figures.memory_strips(group),
        tlb=figures.tlb_strips(group),
        tables=_tables(group, others),
        refusals=_refusals(entries),
        scenarios=_scenarios(group),
    )


def _kind(strategy: str) -> str:
    """Class name of a strategy's colour."""
    return strategy.replace("+", "-")


def _shown(rows: Sequence[Row]) -> list[Row]:
    """The rows whose distributions are drawn: of the first mapping, and of the first that pages the heap."""
    ran = [mapping.value for mapping in Mapping if any(row.mapping == mapping.value for row in rows)]
    shown = dict.fromkeys([ran[0], next((name for name in ran if name.startswith("paged")), ran[0])])
    return [row for mapping in shown for row in rows if row.mapping == mapping]


def _by_mapping(bars: Sequence[Bar]) -> list[tuple[str, list[Bar]]]:
    names = [mapping.value for mapping in Mapping]
    found = [(name, [bar for bar in bars if bar.mapping == name]) for name in names]
    return [(name, items) for name, items in found if items]


@dataclass(frozen=True)
class Label:
    """Text beside a mark, in units of the drawing."""

    text: str
    x: float
    y: float
    anchor: str


LABEL_HEIGHT, LABEL_WIDTH, PLOT_RIGHT = 13.0, 170.0, 700.0


def _labels(scatter: Scatter) -> list[Label]:
    """Names of the best points, moved down until none covers another."""
    placed: list[Label] = []
    for point in sorted((point for point in scatter.points if point.best), key=lambda point: -point.y):
        x, y = 50 + 6.5 * point.x, 370 - 3.5 * point.y
        anchor = "end" if x > PLOT_RIGHT - 150 else "start"
        label_y = y + 4
        while any(
            other.anchor == anchor and abs(other.y - label_y) < LABEL_HEIGHT and abs(other.x - x) < 170
            for other in placed
        ):
            label_y += LABEL_HEIGHT
        placed.append(Label(point.label, round(x + (-9 if anchor == "end" else 9), 1), round(label_y, 1), anchor))
    return placed


def _covers(label: Label, x: float, y: float, anchor: str) -> bool:
    return label.anchor == anchor and abs(label.y - y) < LABEL_HEIGHT and abs(label.x - x) < LABEL_WIDTH


# Heading, path in a row, what its figure is divided by, format.
COLUMNS = (
    ("instructions", "instructions", 1, "{:,}"),
    ("cycles", "cycles.total", 1, "{:,}"),
    ("refill %", "cycles.share", 0.01, "{:.2f}"),
    ("I-misses", "misses.itlb", 1, "{:,}"),
    ("D-misses", "misses.dtlb", 1, "{:,}"),
    ("kernel", "misses.kernel", 1, "{:,}"),
    ("nested", "misses.nested", 1, "{:,}"),
    ("heap KB", "heap.reserved", 1024, "{:,.0f}"),
    ("wasted KB", "heap.wasted", 1024, "{:,.0f}"),
    ("direct KB", "heap.direct_mapped", 1024, "{:,.0f}"),
    ("promised", "frames.promised", 1, "{:,}"),
    ("taken back", "frames.taken_back", 1, "{:,}"),
    ("lost", "frames.lost", 1, "{:,}"),
    ("attached", "device_pages.attached", 1, "{:,}"),
    ("refused", "device_pages.refused", 1, "{:,}"),
    ("console", "console", 1, "{:d}"),
    ("worst cycles", "worst_operation.cycles", 1, "{:,}"),
)


def _figure(row: Row, path: str, unit: float) -> float | None:
    """The figure at a path; None where the row has none."""
    value: Any = row
    for name in path.split("."):
        value = None if value is None else getattr(value, name)
    return None if value is None else float(value / unit) if unit != 1 else int(value)


def _tables(group: Sequence[Entry], others: Sequence[Entry]) -> list[tuple[str, list[Heading], list[list[Cell]]]]:
    tables = [
        ("Strategies and mappings", *_rows_table(group, ())),
        ("Operations, in cycles", *_operations_table(group)),
    ]
    if others:
        extra = (("RAM MB", lambda e: e.ram_bytes >> 20), ("device MB", lambda e: e.device_bytes >> 20))
        tables.append(("The other rows", *_rows_table(others, extra)))
    return tables


def _rows_table(
    entries: Sequence[Entry], extra: Iterable[tuple[str, Callable[[Entry], int]]]
) -> tuple[list[Heading], list[list[Cell]]]:
    extra = tuple(extra)
    headings = [Heading("strategy", True), Heading("mapping", True), *(Heading(name) for name, _ in extra)]
    headings += [Heading(name) for name, *_ in COLUMNS] + [Heading("again", True)]
    lines = []
    for entry in entries:
        if entry.row.cycles is None:
            continue
        line = [Cell(entry.row.strategy, text=True), Cell(entry.row.mapping, text=True)]
        line += [_number(value(entry), "{:,}") for _, value in extra]
        line += [_number(_figure(entry.row, path, unit), shown) for _, path, unit, shown in COLUMNS]
        lines.append([*line, Cell(entry.command, text=True, code=True)])
    return headings, lines


def _operations_table(entries: Sequence[Entry]) -> tuple[list[Heading], list[list[Cell]]]:
    words, numbers = ("strategy", "mapping", "workload", "operation"), ("count", "mean", "p50", "p99", "worst")
    headings = [*(Heading(name, True) for name in words), *map(Heading, numbers), Heading("again", True)]
    lines = [
        [
            *(Cell(word, text=True) for word in (entry.row.strategy, entry.row.mapping, workload, name)),
            _number(done.count, "{:,}"),
            _number(done.cycles / done.count, "{:,.0f}"),
            *(_number(value, "{:,}") for value in (done.p50, done.p99, done.worst)),
            Cell(entry.command, text=True, code=True),
        ]
        for entry in entries
        for workload, result in (entry.row.workloads or {}).items()
        for name, done in result.operations.items()
    ]
    return headings, lines


def _number(value: float | None, shown: str) -> Cell:
    return Cell("") if value is None else Cell(shown.format(value), round(value, 4))


def _refusals(entries: Sequence[Entry]) -> list[tuple[str, str]]:
    """Reasons in words, each with the combinations that it holds for."""
    reasons: dict[str, list[str]] = {}
    for entry in entries:
        why = entry.row.refusal or entry.error
        if why:
            board = entry.inputs.scenario.board
            reasons.setdefault(why, []).append(f"{entry.row.strategy} / {entry.row.mapping} on {board}")
    return [(", ".join(dict.fromkeys(who)), why) for why, who in reasons.items()]


def _scenarios(group: Sequence[Entry]) -> list[tuple[str, str]]:
    scenario: Any = msgspec.json.encode(group[0].inputs.scenario, order="sorted")
    return [("The scenario of the first comparison", msgspec.json.format(scenario, indent=2).decode())]
