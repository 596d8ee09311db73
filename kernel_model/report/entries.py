"""A sweep's rows as a report needs them: inputs, figures, and which of them belong together."""

import shlex
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from emu.board import get_board
from kernel_model.plugins import Plugin
from kernel_model.results import Row
from kernel_model.sweeps.columns import figures_of, inputs_of, plugins_of
from kernel_model.sweeps.run import Inputs
from kernel_model.sweeps.store import read_rows

__all__ = ["Cell", "Entry", "cells", "largest_group", "read_entries"]


@dataclass(frozen=True)
class Entry:
    """One row of a table, and the command that makes it again."""

    file: Path
    number: int
    status: str
    error: str | None
    inputs: Inputs
    row: Row
    device_bytes: int
    plugins: tuple[Plugin, ...] = ()

    @property
    def command(self) -> str:
        """What a reader can type."""
        files = [text for plugin in self.plugins if plugin.file for text in ("--plugin", str(plugin.file))]
        return shlex.join(["cfemu", "rerun", str(self.file), "--row", str(self.number), *files])

    @property
    def ram_bytes(self) -> int:
        """RAM of the row's board."""
        return get_board(self.inputs.scenario.board).ram_bytes


@dataclass(frozen=True)
class Cell:
    """Rows that differ in strategy and mapping alone, with RAM and device memory in bytes."""

    ram: int
    device: int
    entries: tuple[Entry, ...]


def read_entries(path: Path) -> list[Entry]:
    """All rows of a table that a sweep has written. UsageError for any other file, and for rows of a plugin that is not
    loaded."""
    return [
        Entry(
            path,
            number,
            row["status"],
            row["error"],
            inputs_of(row),
            figures_of(row),
            row["device_bytes"],
            tuple(plugins_of(row, f"{path}: row {number}")),
        )
        for number, row in enumerate(read_rows(path).to_pylist())
    ]


def _circumstances(entry: Entry) -> bytes:
    """Everything but strategy and mapping, as a key."""
    scenario = msgspec.structs.replace(entry.inputs.scenario, strategies=None, mappings=None)
    rest = msgspec.structs.replace(
        entry.inputs, scenario=scenario, strategy="", mapping=entry.inputs.mapping.__class__.ACR
    )
    return msgspec.json.encode(rest, order="sorted")


def _groups(entries: Sequence[Entry]) -> list[list[Entry]]:
    groups: dict[bytes, list[Entry]] = defaultdict(list)
    for entry in entries:
        groups[_circumstances(entry)].append(entry)
    return list(groups.values())


def largest_group(entries: Sequence[Entry]) -> list[Entry]:
    """The rows, equal in all but strategy and mapping, that compare the most combinations; of equals, the first."""
    return max(_groups(entries), key=lambda group: sum(entry.row.cycles is not None for entry in group), default=[])


def cells(entries: Sequence[Entry]) -> list[Cell]:
    """Comparisons for a map: one a pair of RAM and device memory, of several the largest; in order."""
    best: dict[tuple[int, int], list[Entry]] = {}
    for group in _groups(entries):
        place = (group[0].ram_bytes, group[0].device_bytes)
        if len(group) > len(best.get(place, [])):
            best[place] = group
    return [Cell(ram, device, tuple(group)) for (ram, device), group in sorted(best.items()) if len(group) > 1]
