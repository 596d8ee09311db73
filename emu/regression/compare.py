"""Two sets of measurements, entry by entry: a table for people, JSON for programs, JUnit XML for CI."""

import json as json_module
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from emu.files import whole_file
from emu.regression.explain import Explanation, explain
from emu.regression.misses import SIDES, Measurement

__all__ = ["Comparison", "Entry", "compare_all", "print_comparison", "to_dict", "to_junit"]

SCHEMA = "cfemu-diff/1"
SAME, DIFFERENT, NEW, GONE = "same", "differs", "only now", "only before"


@dataclass(frozen=True)
class Entry:
    """One measurement before and now; None where there was none."""

    name: str
    before: Measurement | None
    after: Measurement | None
    explanation: Explanation | None

    @property
    def outcome(self) -> str:
        """same, differs, only before or only now."""
        if self.explanation is None:
            return NEW if self.before is None else GONE
        return SAME if self.explanation.same else DIFFERENT

    def words(self) -> list[str]:
        """What has changed; empty where nothing has."""
        if self.explanation is not None:
            return self.explanation.words()
        return ["not measured before" if self.before is None else "measured before, but not now"]


@dataclass(frozen=True)
class Comparison:
    """All entries of both sets, by name."""

    entries: tuple[Entry, ...]

    @property
    def same(self) -> bool:
        """Whether both have the same entries with the same counts."""
        return all(entry.outcome == SAME for entry in self.entries)


def compare_all(before: Mapping[str, Measurement], after: Mapping[str, Measurement]) -> Comparison:
    """Entry by entry, in the order of their names."""
    entries = []
    for name in sorted({*before, *after}):
        old, new = before.get(name), after.get(name)
        entries.append(Entry(name, old, new, explain(old, new) if old is not None and new is not None else None))
    return Comparison(tuple(entries))


def to_dict(comparison: Comparison) -> dict[str, Any]:
    """JSON-ready (documented in docs/json.md)."""
    return {
        "schema": SCHEMA,
        "same": comparison.same,
        "entries": {
            entry.name: {
                "outcome": entry.outcome,
                "before": None if entry.before is None else dict(entry.before.totals),
                "after": None if entry.after is None else dict(entry.after.totals),
                "explanation": None if entry.explanation is None else entry.explanation.to_dict(),
            }
            for entry in comparison.entries
        },
    }


def to_junit(comparison: Comparison, title: str) -> bytes:
    """One test case an entry."""
    failures = sum(entry.outcome != SAME for entry in comparison.entries)
    suite = ET.Element("testsuite", name=f"cfemu {title}", tests=str(len(comparison.entries)), failures=str(failures))
    for entry in comparison.entries:
        case = ET.SubElement(suite, "testcase", classname="tlb-misses", name=entry.name)
        if entry.outcome != SAME:
            ET.SubElement(case, "failure", message=entry.outcome).text = "\n".join(entry.words())
    root = ET.Element("testsuites")
    root.append(suite)
    ET.indent(root)
    return bytes(ET.tostring(root, encoding="utf-8", xml_declaration=True)) + b"\n"


def print_comparison(comparison: Comparison, title: str, *, json: bool, junit: Path | None) -> None:
    """The whole outcome, on stdout and in ``junit``."""
    if junit is not None:
        with whole_file(junit) as part:
            part.write_bytes(to_junit(comparison, title))
    if json:
        sys.stdout.write(json_module.dumps(to_dict(comparison), indent=2) + "\n")
    else:
        _print_table(comparison)


def _print_table(comparison: Comparison) -> None:
    from rich.table import Table

    from emu.run_report import new_console

    console = new_console()
    table = Table(box=None, pad_edge=False)
    table.add_column("entry", no_wrap=True)
    for side in SIDES.values():
        table.add_column(f"{side} misses", justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for entry in comparison.entries:
        table.add_row(entry.name, *(_figures(entry, side) for side in SIDES), entry.outcome)
    console.print(table)
    for entry in comparison.entries:
        if entry.outcome != SAME:
            console.print()
            for line in (f"{entry.name}:", *(f"  {line}" for line in entry.words())):
                console.print(line, markup=False, soft_wrap=True)


def _figures(entry: Entry, side: str) -> str:
    """The total of a side before and now, once where it is the same."""
    found = [f"{each.totals.get(side, 0):,}" for each in (entry.before, entry.after) if each is not None]
    return " -> ".join(dict.fromkeys(found))
