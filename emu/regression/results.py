"""Measurements in the JSON of ``cfemu run --json`` and ``cfemu compare --json``, read as plain values.

Only the keys of miss counts are looked at, so that results of different versions of this package can be compared.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from emu.documents import Malformed, decode_json
from emu.errors import UsageError
from emu.regression.misses import FIGURES, SIDES, Measurement

__all__ = ["entry_of", "is_json", "read_results", "row_entries"]

RUN, COMPARE = "cfemu-run/", "cfemu-compare/"


def is_json(path: Path) -> bool:
    """Whether a file may be a result, by its first character."""
    with path.open("rb") as file:
        return file.read(64).lstrip()[:1] == b"{"


def read_results(path: Path) -> dict[str, Measurement]:
    """Every measurement of a result file, by name; UsageError when it is none."""
    try:
        document: Any = decode_json(path.read_bytes(), Any)
    except (msgspec.ValidationError, Malformed) as error:
        raise UsageError(f"{path}: {error}") from None
    schema = document.get("schema") if isinstance(document, dict) else None
    try:
        if str(schema).startswith(RUN):
            return {_text(document["elf"], "elf"): entry_of(document["counters"])}
        if str(schema).startswith(COMPARE):
            return {name: entry for row in document["rows"] for name, entry in _named(row).items()}
    except (KeyError, TypeError, AttributeError, UsageError) as error:
        raise UsageError(f"{path}: damaged result of schema {schema}: {error}") from None
    raise UsageError(f"{path}: not a result of `cfemu run --json` or `cfemu compare --json`")


def _named(row: Mapping[str, Any]) -> dict[str, Measurement]:
    return {f"{row['strategy']}/{row['mapping']}: {name}": found for name, found in row_entries(row).items()}


def row_entries(row: Mapping[str, Any]) -> dict[str, Measurement]:
    """Of each workload of a row of a comparison; none of a refused combination."""
    return {name: entry_of(workload) for name, workload in (row["workloads"] or {}).items()}


def entry_of(counters: Mapping[str, Any]) -> Measurement:
    """Of counters, of a workload's result, or of their misses alone."""
    misses = counters.get("misses", counters)
    totals = {name: where[name] for where in (misses, counters) for name in FIGURES if name in where}
    if not totals or not all(type(value) is int for value in totals.values()):
        raise UsageError("no counts of TLB misses")
    return Measurement(totals, _rows("by_region", misses), _rows("by_symbol", misses))


def _rows(what: str, misses: Mapping[str, Any]) -> dict[str, dict[str, int]] | None:
    rows = misses.get(what)
    if rows is None:
        return None
    for name, row in rows.items():
        if not all(type(row[side]) is int for side in SIDES):
            raise UsageError(f"{what}: {name}: expected whole numbers of {', '.join(SIDES)}")
    return {name: {side: row[side] for side in SIDES} for name, row in rows.items()}


def _text(value: object, key: str) -> str:
    if not isinstance(value, str):
        raise UsageError(f"{key}: expected a name, not {value}")
    return value
