"""All numbers of the time model as a table for people and as JSON, with sources, and what a file changes of them."""

import json
import sys
from dataclasses import asdict, dataclass

from rich.table import Table

from emu.plain_console import PlainConsole
from emu.time_numbers import Numbers
from emu.timing.constants import Costs, cost_notes
from emu.timing.isa import F_FPU, ROWS, SURCHARGES

__all__ = ["Number", "all_numbers", "print_numbers", "print_numbers_json"]

USER = "set by the user"


@dataclass(frozen=True)
class Number:
    """One number of the model. ``kind``: costs or cells, as in a file that changes it; ``default``: the manuals'."""

    kind: str
    name: str
    cycles: int
    default: int
    source: str
    confidence: str


def all_numbers(numbers: Numbers) -> list[Number]:
    """Every number, in the order of the tables; rows of one name count once."""
    defaults = asdict(Costs())
    found = [
        Number("costs", note.name, note.cycles, defaults[note.name], note.source, note.confidence)
        for note in cost_notes(numbers.costs)
    ]
    changed = dict(numbers.cells)
    rows = {row.name: row.cell for row in ROWS if not row.flags & F_FPU}  # what the FPU takes are costs
    for name, cell in {**rows, **SURCHARGES}.items():
        is_changed = name in changed and changed[name] != cell.cycles
        source, confidence = (USER, "-") if is_changed else (cell.source, cell.confidence)
        found.append(Number("cells", name, changed.get(name, cell.cycles), cell.cycles, source, confidence))
    return found


def print_numbers(numbers: Numbers) -> None:
    console = PlainConsole()
    table = Table(box=None, pad_edge=False)
    for heading in ("kind", "name"):
        table.add_column(heading, no_wrap=True)
    table.add_column("cycles", justify="right", no_wrap=True)
    table.add_column("instead of", justify="right", no_wrap=True)
    table.add_column("sure", no_wrap=True)
    table.add_column("source")
    for n in all_numbers(numbers):
        instead = str(n.default) if n.cycles != n.default else ""
        table.add_row(n.kind, n.name, str(n.cycles), instead, n.confidence, n.source, style="bold" if instead else None)
    console.print(table)


def print_numbers_json(numbers: Numbers) -> None:
    result = {"schema": "cfemu-timing/1", "numbers": [asdict(n) for n in all_numbers(numbers)]}
    sys.stdout.write(json.dumps(result, indent=2) + "\n")
