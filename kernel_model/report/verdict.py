"""The verdict: what the rows say, in words.  Pure functions from rows to sentences; no strategy is known by name.

Rows are compared on the figures of `CRITERIA`, less being better, only among rows that attached every device, and only
by the work that all of these have done (`comparable`). A row is dominated when another is no worse in every criterion
and better in at least one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec

from kernel_model.measure import add_cycles, add_misses, worst_operation
from kernel_model.results import Row

__all__ = ["CRITERIA", "Criterion", "best", "comparable", "dominators", "label", "verdict"]


@dataclass(frozen=True)
class Criterion:
    """One figure of a row; less is better."""

    praise: str
    blame: str
    value: Callable[[Row], int]


def _cycles(row: Row) -> int:
    return row.cycles.total if row.cycles else 0


def _refill(row: Row) -> int:
    return row.cycles.refill if row.cycles else 0


def _reserved(row: Row) -> int:
    return row.heap.reserved if row.heap else 0


def _taken(row: Row) -> int:
    return row.frames.taken_back if row.frames else 0


def _worst(row: Row) -> int:
    return row.worst_operation.cycles if row.worst_operation else 0


CRITERIA = (
    Criterion("fewest cycles", "most cycles", _cycles),
    Criterion("least time in refills", "most time in refills", _refill),
    Criterion("smallest heap", "largest heap", _reserved),
    Criterion("fewest frames taken back", "most frames taken back", _taken),
    Criterion("shortest worst operation", "longest worst operation", _worst),
)


def label(row: Row) -> str:
    """How sentences name a row."""
    return f"{row.strategy}/{row.mapping}"


def comparable(rows: Sequence[Row]) -> list[Row]:
    """Rows that ran and attached every device, with the figures of those workloads alone that all of them finished: so
    they did the same work, and their costs can be compared."""
    complete = _complete(rows)
    left_out = set(_left_out(complete))
    return [_without(row, left_out) for row in complete] if left_out else complete


def _complete(rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if row.cycles is not None and row.device_pages and not row.device_pages.refused]


def _left_out(complete: Sequence[Row]) -> list[str]:
    """Workloads that not all of the rows finished, in their order; none where there is nothing to compare."""
    return list(dict.fromkeys(name for row in complete for name in row.unfinished)) if len(complete) > 1 else []


def _without(row: Row, names: set[str]) -> Row:
    kept = {name: result for name, result in (row.workloads or {}).items() if name not in names}
    return msgspec.structs.replace(
        row,
        instructions=sum(result.instructions for result in kept.values()),
        cycles=add_cycles(result.cycles for result in kept.values()),
        misses=add_misses(result.misses for result in kept.values()),
        worst_operation=worst_operation(kept.values()),
        workloads=kept,
    )


def best(rows: Sequence[Row], value: Callable[[Row], int]) -> list[Row]:
    """The rows with the least ``value``; none when all tie."""
    values = [value(row) for row in rows]
    return [row for row in rows if value(row) == min(values) < max(values)]


def _values(row: Row) -> tuple[int, ...]:
    return tuple(criterion.value(row) for criterion in CRITERIA)


def dominators(row: Row, rows: Sequence[Row]) -> list[Row]:
    """Rows that are no worse than ``row`` in every criterion and better in one."""
    mine = _values(row)
    return [
        other
        for other in rows
        if other is not row
        and _values(other) != mine
        and all(a <= b for a, b in zip(_values(other), mine, strict=True))
    ]


def verdict(rows: Sequence[Row]) -> list[str]:
    """A few sentences: what was refused, what is dominated, and what the others trade for what."""
    return [
        *_refusals(rows),
        *_differences(_complete(rows)),
        *_costs(comparable(rows)),
        *_leaks(rows),
        *_silent(rows),
    ]


def _differences(complete: Sequence[Row]) -> list[str]:
    """Which workloads are no part of the comparison."""
    sentences = []
    for name in _left_out(complete):
        short = [row for row in complete if name in row.unfinished]
        who = ", ".join(dict.fromkeys(row.strategy for row in short)) if len(short) < len(complete) else "every row"
        sentences.append(f"{name} is in none of these figures: {who} met refused pages in it, or ended it early.")
    return sentences


def _costs(complete: Sequence[Row]) -> list[str]:
    if not complete:
        return ["No row attached every device, so costs cannot be compared."]
    if len(complete) == 1:
        return [f"Only {label(complete[0])} attached every device."]
    survivors = [row for row in complete if not dominators(row, complete)]
    if len(survivors) == 1:
        return [*_dominated(complete), f"{label(survivors[0])} is as good as any other in everything."]
    return [*_dominated(complete), *_trades(survivors)]


def _leaks(rows: Sequence[Row]) -> list[str]:
    leaked = sorted({row.unplugged_headers.leaked for row in rows if row.unplugged_headers} - {0})
    if not leaked:
        return []
    count = f"{leaked[0]}" if len(leaked) == 1 else f"{leaked[0]} to {leaked[-1]}"
    return [f"Pages that were unplugged keep {count} page headers; workload.hot_plug_recycle gives them back."]


def _silent(rows: Sequence[Row]) -> list[str]:
    silent = [label(row) for row in rows if row.console is False]
    return [f"The console could not tell the user to re-tune in: {', '.join(silent)}."] if silent else []


def _refusals(rows: Sequence[Row]) -> list[str]:
    impossible = [row for row in rows if row.cycles is None]
    partial = [row for row in rows if row.device_pages is not None and row.device_pages.refused]
    sentences = []
    if impossible:
        sentences.append(f"{len(impossible)} of {len(rows)} combinations cannot work; reasons are in the last table.")
    for strategy in dict.fromkeys(row.strategy for row in partial):
        mine = [row for row in partial if row.strategy == strategy]
        pages = sorted({row.device_pages.refused for row in mine if row.device_pages})
        count = f"{pages[0]}" if len(pages) == 1 else f"{pages[0]} to {pages[-1]}"
        whole = (
            ""
            if len(mine) == len([row for row in rows if row.strategy == strategy and row.cycles])
            else (f" (under {', '.join(row.mapping for row in mine)})")
        )
        sentences.append(f"{strategy} refuses {count} device pages{whole}: not compared with those that attach all.")
    return sentences


def _dominated(rows: Sequence[Row]) -> list[str]:
    """One sentence a strategy: dominated everywhere, or in some mappings only."""
    sentences = []
    for strategy in dict.fromkeys(row.strategy for row in rows):
        mine = [row for row in rows if row.strategy == strategy]
        beaten = {label(row): dominators(row, rows) for row in mine}
        losers = [row for row in mine if beaten[label(row)]]
        if not losers:
            continue
        example = min((other for row in losers for other in beaten[label(row)]), key=_values)
        where = "under every mapping" if len(losers) == len(mine) else f"under {', '.join(r.mapping for r in losers)}"
        sentences.append(f"{strategy} is dominated {where}, for instance by {label(example)}.")
    return sentences


def _trades(rows: Sequence[Row]) -> list[str]:
    """What each undominated row is best at, and what it costs."""
    sentences = []
    for row in rows:
        strong = [criterion for criterion in CRITERIA if row in best(rows, criterion.value)]
        weak = [criterion for criterion in CRITERIA if _is_worst(row, rows, criterion)]
        gain = ", ".join(criterion.praise for criterion in strong) or "no single best figure, a compromise"
        price = f"; price: {', '.join(criterion.blame for criterion in weak)}" if weak else ""
        sentences.append(f"{label(row)}: {gain}{price}.")
    return sentences


def _is_worst(row: Row, rows: Sequence[Row], criterion: Criterion) -> bool:
    values = [criterion.value(other) for other in rows]
    return criterion.value(row) == max(values) > min(values)
