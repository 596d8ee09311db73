"""Baselines: the measurements that were accepted, in files that people read and that diffs show line by line.

A file is TOML, sorted, one figure or name a line; of the log of misses alone the text is packed. Several processes may
accept into one file at a time (pytest-xdist): each takes the file's lock, reads, changes its own entries, and replaces
the file, so none loses another's.
"""

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from json import dumps as json_dumps
from pathlib import Path
from typing import Any

from emu.documents import Malformed, decode_toml
from emu.errors import UsageError
from emu.files import whole_file
from emu.regression.misses import FIGURES, SIDES, Measurement, MissLog, Table
from emu.text import storable

__all__ = ["SCHEMA", "BaselineError", "accept", "read", "to_text"]

SCHEMA = "cfemu-baseline/1"
HEAD = f"""\
# TLB misses that were accepted: exact counts. Written by `pytest --tlb-update` or `cfemu check --update` (cfemu,
# docs/regression.md); `log` is for explanations only, packed.
schema = "{SCHEMA}"
"""
_TABLES = ("totals", "region", "symbol", "log", "run")
_RUN_KEYS = {"elf": str, "board": str, "tlb": int, "max_instructions": int}
_RUN_LIMITS = {"tlb": (2, 128), "max_instructions": (1, 1 << 62)}
_MAX_PAGE_BITS = 20


def dumps(value: str | int) -> str:
    """A value as TOML writes it: JSON's strings and numbers are TOML's, too."""
    return json_dumps(value, ensure_ascii=False)


class BaselineError(UsageError):
    """The file is no baseline that can be read; ``str()`` is one line that starts with the path."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{path}: {why}")


def read(path: Path) -> dict[str, Measurement]:
    """Every entry, by name; FileNotFoundError when there is no such file."""
    state = path.stat()
    return dict(_read(path, state.st_mtime_ns, state.st_size, state.st_ino))


@lru_cache(maxsize=4)
def _read(path: Path, *_state: int) -> dict[str, Measurement]:
    """Parsing takes a second a megabyte, and every check of a module's tests reads the same file; a file that has been
    replaced is another one."""
    try:
        document = decode_toml(path.read_bytes(), dict[str, Any])
    except Malformed as error:
        raise BaselineError(path, str(error)) from None
    if document.pop("schema", None) != SCHEMA:
        raise BaselineError(path, f"not a baseline: its schema is not {SCHEMA}")
    return {name: _entry(path, name, tables) for name, tables in document.items()}


def accept(path: Path, measurements: Mapping[str, Measurement]) -> list[str]:
    """Put ``measurements`` into the file in place of those of the same names; the names that were new or different."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with _locked(path.parent):
        entries = read(path) if path.exists() else {}
        changed = {name: found.kept() for name, found in measurements.items() if entries.get(name) != found.kept()}
        for text in (text for name, found in changed.items() for text in (name, *map(str, found.run.values()))):
            if text != storable(text):
                raise BaselineError(path, f"{storable(text)}: a name that is no text cannot be kept; rename the file")
        if changed:
            with whole_file(path) as part:
                part.write_text(to_text(entries | changed), encoding="utf-8")
    return [*changed]


def to_text(entries: Mapping[str, Measurement]) -> str:
    """The file with these entries: equal entries give equal text."""
    return HEAD + "".join(line for name in sorted(entries) for line in _lines(dumps(name), entries[name]))


def _lines(name: str, entry: Measurement) -> Iterator[str]:
    yield f"\n[{name}.totals]\n"
    yield from (f"{figure} = {entry.totals[figure]}\n" for figure in FIGURES if figure in entry.totals)
    for table, rows in (("region", entry.by_region), ("symbol", entry.by_symbol)):
        if rows is not None:
            yield f"[{name}.{table}]\n"
            for key in sorted(rows):
                sides = ", ".join(f"{side} = {rows[key][side]}" for side in SIDES)
                yield f"{dumps(key)} = {{ {sides} }}\n"
    if entry.run:
        yield f"[{name}.run]\n"
        yield from (f"{key} = {dumps(value)}\n" for key, value in sorted(entry.run.items()))
    if entry.log is not None:
        yield f"[{name}.log]\npage_bits = {entry.log.page_bits}\ntext = [\n"
        yield from (f"    {dumps(line)},\n" for line in entry.log.to_text())
        yield "]\n"


def _entry(path: Path, name: str, tables: Any) -> Measurement:
    def fail(why: str) -> BaselineError:
        return BaselineError(path, f"entry {name!r}: {why}")

    if not isinstance(tables, dict) or not all(isinstance(table, dict) for table in tables.values()):
        raise fail("not a table of tables")
    for key in tables:
        if key not in _TABLES:
            raise fail(f"unknown key {key!r}")
    totals = tables.get("totals", {})
    if not all(key in FIGURES and type(value) is int for key, value in totals.items()):
        raise fail(f"totals: expected whole numbers of {', '.join(FIGURES)}")
    run = tables.get("run", {})
    if not all(key in _RUN_KEYS and type(value) is _RUN_KEYS[key] for key, value in run.items()):
        raise fail(f"run: expected {', '.join(_RUN_KEYS)}")
    for key, (low, high) in _RUN_LIMITS.items():
        if not low <= run.get(key, low) <= high:
            raise fail(f"run: {key}: must be {low} to {high}, not {run[key]}")
    rows: dict[str, Table | None] = {}
    for table in ("region", "symbol"):
        rows[table] = found = tables.get(table)
        for sides in (found or {}).values():
            if not isinstance(sides, dict) or {*sides} != {*SIDES} or not all(type(n) is int for n in sides.values()):
                raise fail(f"{table}: expected {{ itlb = number, dtlb = number }} for each name")
    try:
        log = _log(tables["log"]) if "log" in tables else None
    except UsageError as error:
        raise fail(str(error)) from None
    return Measurement(totals, rows["region"], rows["symbol"], log, run=run)


def _log(table: Mapping[str, Any]) -> MissLog:
    bits, text = table.get("page_bits"), table.get("text")
    if type(bits) is not int or not 0 <= bits <= _MAX_PAGE_BITS or not isinstance(text, list):
        raise UsageError("log: expected page_bits and text")
    return MissLog.from_text(bits, [str(line) for line in text])


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """Hold the lock of a directory: it needs no file of its own, and ends with the process."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
