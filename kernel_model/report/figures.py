"""The report's figures as plain numbers: pure functions from rows to what a page draws."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from emu.board import get_board
from kernel_model import abi
from kernel_model.advise import GOALS, Goal
from kernel_model.choices import Mapping
from kernel_model.kernel import boot_chunks
from kernel_model.layout import DTLB_ENTRIES, Plan, PlanRefused, make_plan
from kernel_model.measure import STEADY_OPERATIONS
from kernel_model.report.entries import Cell, Entry
from kernel_model.report.verdict import comparable, label
from kernel_model.results import Row
from kernel_model.strategies import STRATEGIES

__all__ = [
    "Bar",
    "Distribution",
    "MapCell",
    "MemoryStrip",
    "Part",
    "Point",
    "Range",
    "Scatter",
    "TlbStrip",
    "bills",
    "decision_map",
    "distributions",
    "memory_strips",
    "misses_by_region",
    "pareto",
    "tlb_strips",
]

KILOBYTE, MEGABYTE = 1 << 10, 1 << 20
OBJECTS = ("process", "gpt", "endpoint", "ote", "depend", "revmap")
# Regions of a result row by the first part of their name, in the order of the bars.
REGION_GROUPS = (
    ("user", "user", ("user",)),
    (
        "objects",
        "kernel objects",
        ("heap.process", "heap.gpt", "heap.endpoint", "heap.ote", "heap.depend", "heap.revmap"),
    ),
    ("headers", "page headers", ("heap.page", "heap.reserve", "heap.index")),
    ("growth", "grown heap", ("heap.growth",)),
    ("frames", "frames of page space, slabs among them", ("page-space",)),
    ("tables", "user tables", ("heap.user_table",)),
    ("other", "image, transmap, other", ("",)),
)
BILL_PARTS = (
    ("entry", "exception entry"),
    ("handler", "handler's instructions"),
    ("stalls", "handler waiting for memory"),
    ("back", "return"),
    ("evicted", "lines thrown out, paid later"),
)
VECTOR_GROUPS = {abi.Vector.PAGE: "headers", abi.Vector.INDEX: "headers", abi.Vector.RESERVE: "reserve"}


@dataclass(frozen=True)
class Part:
    """A piece of a bar: what it is, its number, and its share of the longest bar in percent."""

    kind: str
    title: str
    value: float
    percent: float


@dataclass(frozen=True)
class Bar:
    """A stacked bar; ``total`` in words of the figure's unit."""

    label: str
    mapping: str
    parts: tuple[Part, ...]
    total: str


def _bars(rows: Sequence[tuple[Row, list[tuple[str, str, float]]]], unit: str) -> list[Bar]:
    longest = max((sum(value for *_, value in parts) for _, parts in rows), default=0) or 1
    return [
        Bar(
            row.strategy,
            row.mapping,
            tuple(Part(kind, title, value, 100 * value / longest) for kind, title, value in parts if value > 0),
            f"{sum(value for *_, value in parts):,.0f} {unit}",
        )
        for row, parts in rows
    ]


def misses_by_region(rows: Iterable[Row]) -> list[Bar]:
    """TLB misses of each row, by what was missed."""
    return _bars([(row, _region_parts(row)) for row in rows if row.misses is not None], "misses")


def _region_parts(row: Row) -> list[tuple[str, str, float]]:
    assert row.misses is not None
    counts = dict.fromkeys((kind for kind, *_ in REGION_GROUPS), 0)
    for name, sides in row.misses.by_region.items():
        kind = next(kind for kind, _, prefixes in REGION_GROUPS if name.startswith(prefixes))
        counts[kind] += sides.itlb + sides.dtlb
    return [(kind, title, counts[kind]) for kind, title, _ in REGION_GROUPS]


def bills(rows: Iterable[Row]) -> list[Bar]:
    """What one miss of each row cost on average, by what the cycles were spent on."""
    found = []
    for row in rows:
        misses = row.misses.itlb + row.misses.dtlb if row.misses else 0
        if row.cycles is not None and misses:
            bill = row.cycles.bill
            found.append((row, [(kind, title, max(0, getattr(bill, kind)) / misses) for kind, title in BILL_PARTS]))
    return _bars(found, "cycles a miss")


@dataclass(frozen=True)
class Point:
    """A row in the scatter plot; x and y in percent of the plot, from the lower left corner."""

    label: str
    strategy: str
    mapping: str
    x: float
    y: float
    failed: bool
    best: bool
    text: str


@dataclass(frozen=True)
class Scatter:
    """Refill share against reserved memory. Ticks: (percent, text)."""

    points: tuple[Point, ...]
    x_ticks: tuple[tuple[float, str], ...]
    y_ticks: tuple[tuple[float, str], ...]


def pareto(rows: Sequence[Row]) -> Scatter:
    """Refill share against reserved memory; best: no complete row is as good in one and better in the other, by the
    work that all of them did."""
    same_work = {label(row): row for row in comparable(rows)}
    rows = [same_work.get(label(row), row) for row in rows]
    found = [
        (row, row.heap.reserved / KILOBYTE, 100 * row.cycles.share)
        for row in rows
        if row.heap is not None and row.cycles is not None
    ]
    x_ticks, y_ticks = _ticks([x for _, x, _ in found]), _ticks([0.0, *(y for *_, y in found)])
    complete = [(x, y) for row, x, y in found if _complete(row)]

    def is_best(row: Row, x: float, y: float) -> bool:
        return _complete(row) and not any(a <= x and b <= y and (a, b) != (x, y) for a, b in complete)

    points = tuple(
        Point(
            f"{row.strategy} {row.mapping}",
            row.strategy,
            row.mapping,
            _position(x, x_ticks),
            _position(y, y_ticks),
            not _complete(row),
            is_best(row, x, y),
            f"{row.strategy} / {row.mapping}: {x:,.0f} KB of heap, {y:.2f} % of the cycles in refills"
            + (
                ""
                if _complete(row)
                else f"; {row.device_pages.refused if row.device_pages else 0:,} device pages refused"
            ),
        )
        for row, x, y in found
    )
    return Scatter(
        points,
        tuple((_position(tick, x_ticks), f"{tick:,.0f}") for tick in x_ticks),
        tuple((_position(tick, y_ticks), f"{tick:g}") for tick in y_ticks),
    )


def _refused(row: Row) -> str:
    return "" if _complete(row) or not row.device_pages else f"; {row.device_pages.refused:,} device pages refused"


def _complete(row: Row) -> bool:
    return row.device_pages is not None and row.device_pages.refused == 0


def _ticks(values: Sequence[float]) -> list[float]:
    """Round numbers around the values: 4 to 8 steps of 1, 2 or 5 times a power of ten."""
    low, high = min(values, default=0.0), max(values, default=1.0)
    rough = max(high - low, 1e-9) / 5
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough)
    first, last = math.floor(low / step), math.ceil(high / step)
    return [step * n for n in range(first, max(last, first + 1) + 1)]


def _position(value: float, ticks: Sequence[float]) -> float:
    return 100 * (value - ticks[0]) / (ticks[-1] - ticks[0])


@dataclass(frozen=True)
class MapCell:
    """The best row for a goal at one place of the map; ``text``: its figures of the goal's order."""

    ram: str
    device: str
    strategy: str
    mapping: str
    text: str


def decision_map(cells: Sequence[Cell], goal: Goal) -> list[list[MapCell]]:
    """A row for each amount of RAM, a cell for each amount of device memory."""
    lines: dict[int, list[MapCell]] = {}
    for cell in cells:
        ran = [entry for entry in cell.entries if entry.row.cycles is not None]
        if not ran:
            continue
        winner = min(ran, key=lambda entry: goal.key(entry.row)).row
        refused = winner.device_pages.refused if winner.device_pages else 0
        text = f"{refused:,} pages refused" if refused else _goal_text(goal, winner)
        lines.setdefault(cell.ram, []).append(
            MapCell(_size(cell.ram), _size(cell.device), winner.strategy, winner.mapping, text)
        )
    return list(lines.values())


def _goal_text(goal: Goal, row: Row) -> str:
    """The first figures of the goal's order that say something."""
    shown = {"worst operation": "{:,} cycles at worst", "heap": "{:,} bytes of heap", "cycles": "{:,} cycles"}
    name, value = next((name, value(row)) for name, value in goal.columns if name in shown)
    return f"{value // KILOBYTE:,} KB of heap" if name == "heap" else shown[name].format(value)


def _size(value: int) -> str:
    return f"{value / MEGABYTE:,.0f} MB"


@dataclass(frozen=True)
class Range:
    """One strategy's distribution; positions in percent of a logarithmic axis."""

    strategy: str
    mapping: str
    p50: int
    p99: int
    worst: int
    at_p50: float
    at_p99: float
    at_worst: float


@dataclass(frozen=True)
class Distribution:
    """One operation in one workload, for every row. ``ticks``: (percent, cycles)."""

    operation: str
    workload: str
    ranges: tuple[Range, ...]
    ticks: tuple[tuple[float, str], ...]


def distributions(rows: Sequence[Row]) -> list[Distribution]:
    """Of the operations that happen while the system serves its users."""
    names = dict.fromkeys(
        (workload, operation)
        for row in rows
        for workload, result in (row.workloads or {}).items()
        for operation in result.operations
        if operation in STEADY_OPERATIONS
    )
    return [_distribution(rows, workload, operation) for workload, operation in names]


def _distribution(rows: Sequence[Row], workload: str, operation: str) -> Distribution:
    found = [
        (row, result.operations[operation])
        for row in rows
        if (result := (row.workloads or {}).get(workload)) is not None and operation in result.operations
    ]
    low = math.floor(math.log10(max(1, min(done.p50 for _, done in found))))
    high = max(low + 1, math.ceil(math.log10(max(1, *(done.worst for _, done in found)))))

    def at(cycles: int) -> float:
        return 100 * (math.log10(max(1, cycles)) - low) / (high - low)

    return Distribution(
        operation.replace("_", " "),
        workload,
        tuple(
            Range(row.strategy, row.mapping, done.p50, done.p99, done.worst, at(done.p50), at(done.p99), at(done.worst))
            for row, done in found
        ),
        tuple((at(10**n), f"{10**n:,}") for n in range(low, high + 1)),
    )


@dataclass(frozen=True)
class MemoryStrip:
    """The heap of one row at boot, drawn to scale with the others, and what became of it."""

    strategy: str
    mapping: str
    parts: tuple[Part, ...]
    boot: str
    end: str


def plan_of(entry: Entry) -> Plan | None:
    """How the row's kernel was laid out; None where the combination was refused."""
    scenario = entry.inputs.scenario
    try:
        strategy = STRATEGIES[entry.inputs.strategy]
        return make_plan(scenario, get_board(scenario.board), strategy, entry.inputs.mapping, scenario.devices())
    except PlanRefused:
        return None


def memory_strips(entries: Sequence[Entry]) -> list[MemoryStrip]:
    """One for each strategy, under the first mapping that it ran with."""
    chosen: dict[str, tuple[Entry, Plan]] = {}
    for entry in entries:
        plan = plan_of(entry)
        if plan is not None and entry.row.heap is not None:
            chosen.setdefault(entry.inputs.strategy, (entry, plan))
    heaps = {name: _heap_parts(plan) for name, (_, plan) in chosen.items()}
    longest = max((sum(parts.values()) for parts in heaps.values()), default=1)
    titles = {"objects": "kernel objects", "headers": "page headers", "reserve": "headers in reserve"}
    return [
        MemoryStrip(
            name,
            entry.row.mapping,
            tuple(Part(kind, titles[kind], size, 100 * size / longest) for kind, size in heaps[name].items() if size),
            f"{sum(heaps[name].values()) // KILOBYTE:,} KB at boot",
            _what_became(sum(heaps[name].values()), entry.row),
        )
        for name, (entry, _) in chosen.items()
    ]


def _heap_parts(plan: Plan) -> dict[str, int]:
    parts = {"objects": 0, "headers": 0, "reserve": 0}
    for vector, chunk in boot_chunks(plan):
        parts[VECTOR_GROUPS.get(vector, "objects")] += chunk.size
    return parts


def _what_became(boot: int, row: Row) -> str:
    assert row.heap is not None
    assert row.frames is not None
    change = row.heap.reserved - boot
    if change > 0:
        return f"grew by {change // KILOBYTE:,} KB out of {row.frames.taken_back:,} frames of the bank"
    if change < 0:
        return f"gave {-change // KILOBYTE:,} KB back"
    refused = row.device_pages.refused if row.device_pages else 0
    return f"never changed; {refused:,} device pages refused" if refused else "never changed"


@dataclass(frozen=True)
class TlbStrip:
    """The data TLB under one mapping: entries that are locked for the kernel, and the others."""

    mapping: str
    locked: int
    free: int
    how: str


HOW = {
    Mapping.ACR: "an ACR passes kernel addresses through: the kernel needs no entry",
    Mapping.LOCKED_1M: "1-MB entries, locked at boot: never missed, gone for everybody else",
    Mapping.UNLOCKED_1M: "1-MB entries, loaded at a miss: the kernel competes with a few",
    Mapping.PAGED_8K: "8-KB entries, loaded at a miss: the kernel competes with as many as it touches",
    Mapping.PAGED_4K: "4-KB entries: the same with half the reach",
}


def tlb_strips(entries: Sequence[Entry]) -> list[TlbStrip]:
    """One for each mapping, of the first strategy that ran with it."""
    found: dict[Mapping, TlbStrip] = {}
    for entry in entries:
        plan = plan_of(entry)
        if plan is not None and entry.inputs.mapping not in found:
            locked = plan.locked_data_entries
            found[entry.inputs.mapping] = TlbStrip(
                entry.inputs.mapping.value, locked, DTLB_ENTRIES - locked, HOW[entry.inputs.mapping]
            )
    return [found[mapping] for mapping in Mapping if mapping in found]


def goals() -> list[Goal]:
    """In the order of the report."""
    return list(GOALS.values())
