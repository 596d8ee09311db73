"""Numbers of the time model from a TOML file, in place of the manuals'::

    [costs]
    line_first = 40          # a field of emu.timing.constants.Costs

    [cells]
    "MOVEC" = 12             # a row of emu.timing.isa

Nothing else is allowed in it; ``cfemu timing FILE`` shows what it changes.
"""

from dataclasses import asdict, dataclass, field
from pathlib import Path

import msgspec

from emu.documents import Malformed, decode_toml
from emu.errors import UsageError
from emu.files import why
from emu.timing.constants import Costs
from emu.timing.optable import Cells, check_cells

__all__ = ["Numbers", "read_numbers"]


class _File(msgspec.Struct, forbid_unknown_fields=True):
    costs: dict[str, int] = {}
    cells: dict[str, int] = {}


@dataclass(frozen=True)
class Numbers:
    """All numbers of the time model."""

    costs: Costs = field(default_factory=Costs)
    cells: Cells = ()

    def changed(self) -> dict[str, dict[str, int]]:
        """What differs from the manuals' numbers, by table and name, as in the file."""
        own = asdict(Costs())
        costs = {name: value for name, value in asdict(self.costs).items() if value != own[name]}
        return {"costs": costs, "cells": dict(self.cells)}


def read_numbers(path: str | Path) -> Numbers:
    """The numbers of a file; UsageError, one line that names the file and the key, for anything wrong in it."""
    try:
        text = Path(path).read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: {why(error)}") from error
    try:
        file = decode_toml(text, _File)
    except (msgspec.ValidationError, Malformed) as error:
        raise UsageError(f"{path}: {error}") from error
    known = set(Costs.__dataclass_fields__)
    for name in file.costs:
        if name not in known:
            raise UsageError(f"{path}: costs.{name}: no such cost; the names are those of `cfemu timing`")
    cells = tuple(sorted(file.cells.items()))
    try:
        check_cells(cells)
        return Numbers(Costs(**file.costs), cells)
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from error
