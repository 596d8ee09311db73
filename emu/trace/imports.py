"""Traces of other tools as traces of ours: valgrind's lackey, dinero's din, libCacheSim's oracleGeneral.

They hold references only, all taken as a user's. Addresses keep their place within a megabyte, so that every page size
can be asked for; a megabyte that lies beyond 32 bits gets another number, which the file tells. An object of
oracleGeneral is a page of 1 KB.
"""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from emu.files import whole_file
from emu.jit import njit, njit_entry
from emu.mmu.state import FETCH, READ, RMW, WRITE
from emu.trace.events import GRANULE_BITS, STAMP, Events
from emu.trace.format import Header, Names, TraceError, TraceWriter
from emu.trace.pages import Numbering

__all__ = ["FORMATS", "Imported", "import_trace"]

Ints = Any  # arrays of integers: numba sees arrays, mypy must not look inside

ORACLE_RECORD = np.dtype([("clock", "<u4"), ("id", "<u8"), ("size", "<u4"), ("next", "<i8")])
_BLOCK = 1 << 22  # bytes read at once
_RECORDS = 1 << 18
_AREA_BITS = 20
_AREAS = 1 << 32 - _AREA_BITS
_TABLE = 1 << 14  # of areas: a quarter full at most
# Scalars of an import: the open runs, and what was found.
_INSTRUCTION_PAGE, _DATA_PAGE, _INSTRUCTIONS = 0, 1, 2
_REFERENCES, _LINE, _BAD_LINE, _TOO_LARGE, _IGNORED, _AREA_COUNT = 3, 4, 5, 6, 7, 8
_LAST_AREA, _LAST_SLOT = 9, 10
_FIRST_VA = 11  # four: of the open runs, by kind
_COUNT = 15  # four
_FETCHED = 19  # since the last STAMP
_SCALARS = 20
_LONGEST_ACCESS = 64 << 10


@dataclass(frozen=True)
class Imported:
    """What an import found; ``warning`` is one line about what it had to leave out, or nothing."""

    references: int
    events: int
    warning: str = ""


@njit
def _hex_digit(byte: int) -> int:
    """Value of a hexadecimal digit, or -1."""
    if 48 <= byte <= 57:
        return byte - 48
    if 97 <= byte <= 102:
        return byte - 87
    if 65 <= byte <= 70:
        return byte - 55
    return -1


@njit
def _slot_of(s: Ints, areas: Ints, taken: Ints, area: int) -> Any:
    """Which megabyte of the 32-bit space stands for a megabyte of the foreign one; -1 when there is none left."""
    if s[_LAST_AREA] == area:
        return s[_LAST_SLOT]
    row = (area * 0x9E3779B97F4A7C1) >> 40 & (_TABLE - 1)
    while areas[row, 1] != 0 and areas[row, 0] != area:
        row = (row + 1) & (_TABLE - 1)
    if areas[row, 1] == 0:
        if s[_AREA_COUNT] == _AREAS:
            return -1
        # Its own place if it has one and that is free, else the next free one.
        slot = area & (_AREAS - 1)
        while taken[slot]:
            slot = (slot + 1) & (_AREAS - 1)
        taken[slot] = 1
        s[_AREA_COUNT] += 1
        areas[row, 0] = area
        areas[row, 1] = slot + 1
    s[_LAST_AREA] = area
    s[_LAST_SLOT] = areas[row, 1] - 1
    return s[_LAST_SLOT]


@njit
def _close(s: Ints, kind: int, code: Ints, a: Ints, b: Ints, used: int) -> int:
    """Write the open run of a kind."""
    if s[_COUNT + kind]:
        code[used] = kind
        a[used] = s[_FIRST_VA + kind]
        b[used] = s[_COUNT + kind]
        s[_COUNT + kind] = 0
        used += 1
    return used


@njit
def _refer(
    s: Ints, areas: Ints, taken: Ints, code: Ints, a: Ints, b: Ints, used: int, kind: int, address: int, size: int
) -> int:
    """One reference: join it to the open run of its kind, or close the runs of that side and open another."""
    slot = _slot_of(s, areas, taken, address >> _AREA_BITS)
    if slot < 0:
        s[_TOO_LARGE] = 1
        return used
    va = slot << _AREA_BITS | address & ((1 << _AREA_BITS) - 1)
    page = (va >> GRANULE_BITS) + 1
    side = _INSTRUCTION_PAGE if kind == FETCH else _DATA_PAGE
    if s[side] != page or s[_COUNT + kind] == 0xFFFFFFFF:
        if kind == FETCH:
            used = _close(s, FETCH, code, a, b, used)
        else:
            used = _close(s, READ, code, a, b, used)
            used = _close(s, WRITE, code, a, b, used)
            used = _close(s, RMW, code, a, b, used)
        s[side] = page
    if s[_COUNT + kind] == 0:
        s[_FIRST_VA + kind] = va
    s[_COUNT + kind] += 1
    s[_REFERENCES] += 1
    if kind == FETCH:
        s[_FETCHED] += 1
    rest = size - ((1 << GRANULE_BITS) - (address & ((1 << GRANULE_BITS) - 1)))
    if rest > 0:
        # What reaches into the next page is a reference there.
        used = _refer_rest(s, areas, taken, code, a, b, used, kind, address + size - rest)
    return used


@njit
def _refer_rest(
    s: Ints, areas: Ints, taken: Ints, code: Ints, a: Ints, b: Ints, used: int, kind: int, address: int
) -> int:
    """The second part of a reference over a page's end: as :func:`_refer`, one byte long."""
    slot = _slot_of(s, areas, taken, address >> _AREA_BITS)
    if slot < 0:
        s[_TOO_LARGE] = 1
        return used
    va = slot << _AREA_BITS | address & ((1 << _AREA_BITS) - 1)
    if kind == FETCH:
        used = _close(s, FETCH, code, a, b, used)
        s[_INSTRUCTION_PAGE] = (va >> GRANULE_BITS) + 1
    else:
        used = _close(s, READ, code, a, b, used)
        used = _close(s, WRITE, code, a, b, used)
        used = _close(s, RMW, code, a, b, used)
        s[_DATA_PAGE] = (va >> GRANULE_BITS) + 1
    s[_FIRST_VA + kind] = va
    s[_COUNT + kind] = 1
    return used


@njit
def _hexadecimal(text: Ints, at: int, end: int) -> tuple[int, int]:
    """Value and end of the hexadecimal number at ``at``; -1 if there is none, or one of more than 60 bits."""
    value = 0
    start = at
    while at < end:
        digit = _hex_digit(text[at])
        if digit < 0:
            break
        value = value << 4 | digit
        at += 1
        if at - start > 15:
            return -1, at
    return (value if at > start else -1), at


@njit_entry
def _lackey(s: Ints, areas: Ints, taken: Ints, text: Ints, code: Ints, a: Ints, b: Ints) -> int:
    """Parse whole lines ``I  addr,size``, `` L addr,size``, S, M; others are the program's output or valgrind's."""
    used = 0
    at = 0
    while at < len(text):
        end = at
        while text[end] != 10:
            end += 1
        s[_LINE] += 1
        kind = -1
        if end - at > 5 and text[at + 2] == 32:
            first, second = np.int64(text[at]), np.int64(text[at + 1])
            if first == 73 and second == 32:
                kind = FETCH
            elif first == 32 and second == 76:
                kind = READ
            elif first == 32 and second == 83:
                kind = WRITE
            elif first == 32 and second == 77:
                kind = RMW
        address, after = _hexadecimal(text, at + 3, end) if kind >= 0 else (-1, at)
        size = 0
        if address >= 0 and after < end and text[after] == 44:
            after += 1
            while after < end and 48 <= text[after] <= 57 and size < _LONGEST_ACCESS:
                digit: Any = np.int64(text[after]) - 48
                size = size * 10 + digit
                after += 1
            if after < end and text[after] == 13:
                after += 1
        if 0 < size < 1 << GRANULE_BITS and after == end:
            used = _refer(s, areas, taken, code, a, b, used, kind, address, size)
        else:
            s[_IGNORED] += 1
        at = end + 1
    return used


@njit_entry
def _din(s: Ints, areas: Ints, taken: Ints, text: Ints, code: Ints, a: Ints, b: Ints) -> int:
    """Parse whole lines ``label address``: 0 read, 1 write, 2 fetch; 3 and 4 (escapes) and empty lines mean nothing."""
    used = 0
    at = 0
    while at < len(text):
        end = at
        while text[end] != 10:
            end += 1
        s[_LINE] += 1
        while at < end and (text[at] == 32 or text[at] == 9):
            at += 1
        if at < end and text[at] != 13:
            label: Any = np.int64(text[at]) - 48
            at += 1
            gap = at
            while at < end and (text[at] == 32 or text[at] == 9):
                at += 1
            if at + 1 < end and text[at] == 48 and (text[at + 1] == 120 or text[at + 1] == 88):
                at += 2
            address, after = _hexadecimal(text, at, end)
            ended = after == end or text[after] == 32 or text[after] == 9 or text[after] == 13
            if at == gap or address < 0 or not ended or label < 0 or label > 4:
                s[_BAD_LINE] = s[_LINE]
                return used
            if label < 3:
                used = _refer(s, areas, taken, code, a, b, used, label, address, 1)
        at = end + 1
    return used


@njit_entry
def _finish(s: Ints, code: Ints, a: Ints, b: Ints) -> int:
    """Close all runs."""
    used = 0
    for kind in range(4):
        used = _close(s, kind, code, a, b, used)
    return used


Parser = Callable[[Ints, Ints, Ints, Ints, Ints, Ints, Ints], int]


def _blocks(file: BinaryIO) -> Iterator[npt.NDArray[np.uint8]]:
    """The text in blocks of whole lines; a last line without an end gets one."""
    rest = b""
    while block := file.read(_BLOCK):
        text = rest + block
        end = text.rfind(b"\n") + 1
        rest = text[end:]
        if len(rest) > _BLOCK:
            raise ValueError("a line of more than 4 MB: this is no text")
        if end:
            yield np.frombuffer(text[:end], np.uint8)
    if rest:
        yield np.frombuffer(rest + b"\n", np.uint8)


def _import_text(name: str, file: BinaryIO, writer: TraceWriter, parse: Parser, *, strict: bool) -> Imported:
    s = np.zeros(_SCALARS, np.int64)
    s[_LAST_AREA] = -1
    areas, taken = np.zeros((_TABLE, 2), np.int64), np.zeros(_AREAS, np.uint8)
    events = 0
    blocks = _blocks(file)
    while True:
        try:
            text = next(blocks, None)
        except ValueError as error:
            raise TraceError(name, str(error)) from None
        size = 4 if text is None else len(text) + 4  # a line gives two events at most, and has four bytes at least
        code, a, b = np.empty(size, np.uint8), np.empty(size, np.uint32), np.empty(size, np.uint32)
        used = _finish(s, code, a, b) if text is None else parse(s, areas, taken, text, code, a, b)
        if s[_BAD_LINE]:
            raise TraceError(name, f"line {s[_BAD_LINE]}: not a line of this format")
        if s[_TOO_LARGE]:
            raise TraceError(name, f"line {s[_LINE]}: more than {_AREAS} megabytes of the address space are in use")
        writer.append(code[:used], a[:used], b[:used], copy=False)
        events += used + _stamp(writer, int(s[_FETCHED]))
        s[_FETCHED] = 0
        if text is None:
            break
    if not s[_REFERENCES]:
        raise TraceError(name, "not a single line of this format" if s[_LINE] else "the file is empty")
    moved = [(int(row[1] - 1) << _AREA_BITS, int(row[0]) << _AREA_BITS) for row in areas if row[1] - 1 != row[0]]
    writer.name(Names(areas=tuple(sorted(m for m in moved if m[0] >= 0))))
    ignored = int(s[_IGNORED])
    warning = f"{name}: {ignored} lines are no references and were ignored" if strict and ignored else ""
    return Imported(int(s[_REFERENCES]), events, warning)


def _stamp(writer: TraceWriter, instructions: int) -> int:
    """The time so far; returns the number of events."""
    if not instructions:
        return 0
    code, a, b = np.array([STAMP], np.uint8), np.array([instructions], np.uint32), np.zeros(1, np.uint32)
    writer.append(code, a, b, copy=False)
    return 1


def _import_lackey(name: str, file: BinaryIO, writer: TraceWriter) -> Imported:
    return _import_text(name, file, writer, _lackey, strict=False)


def _import_din(name: str, file: BinaryIO, writer: TraceWriter) -> Imported:
    return _import_text(name, file, writer, _din, strict=True)


def _import_oracle(name: str, file: BinaryIO, writer: TraceWriter) -> Imported:
    numbering = Numbering()
    references = events = lost = 0
    while data := file.read(_RECORDS * ORACLE_RECORD.itemsize):
        if not references and data.startswith(b"\x28\xb5\x2f\xfd"):
            raise TraceError(name, "compressed with zstd: unpack it first")
        whole = len(data) // ORACLE_RECORD.itemsize
        lost = len(data) - whole * ORACLE_RECORD.itemsize
        ids = np.frombuffer(data, ORACLE_RECORD, whole)["id"].astype(np.uint64).view(np.int64)
        if bool((ids < 0).any()):
            raise TraceError(name, "an object of more than 63 bits: not an oracleGeneral trace")
        pages = numbering.number(ids)
        if numbering.known > 1 << 32 - GRANULE_BITS:
            raise TraceError(name, f"more than {1 << 32 - GRANULE_BITS} different objects")
        runs = _runs(pages)
        writer.append(*runs, copy=False)
        references += whole
        events += runs.length
    if not references:
        raise TraceError(name, "shorter than one record" if lost else "the file is empty")
    warning = f"{name}: truncated; {lost} bytes at the end are part of a record" if lost else ""
    return Imported(references, events, warning)


def _runs(pages: npt.NDArray[np.int64]) -> Events:
    """Reads of consecutive equal pages as runs."""
    starts = np.flatnonzero(np.diff(pages, prepend=-1))
    counts = np.diff(starts, append=len(pages))
    va = (pages[starts] << GRANULE_BITS).astype(np.uint32)
    return Events(np.full(len(starts), READ, np.uint8), va, counts.astype(np.uint32))


FORMATS: dict[str, tuple[str, Callable[[str, BinaryIO, TraceWriter], Imported]]] = {
    "lackey": ("valgrind --tool=lackey --trace-mem=yes", _import_lackey),
    "din": ("dinero's din: label and hexadecimal address", _import_din),
    "oracleGeneral": ("libCacheSim: 24-byte records", _import_oracle),
}


def import_trace(source: Path, target: Path, kind: str) -> Imported:
    """Read ``source`` ("-" = standard input) as ``kind``, one of FORMATS, and write a trace."""
    page_size = 1 << GRANULE_BITS if kind == "oracleGeneral" else 4096
    header = Header(source=kind, page_size=page_size)
    standard = str(source) == "-"
    if not standard and not source.is_file():
        raise TraceError(source, "not a file" if source.exists() else "no such file")
    file: BinaryIO = sys.stdin.buffer if standard else source.open("rb")
    try:
        with whole_file(target) as part:  # a file that cannot be read leaves no half of a trace behind
            writer = TraceWriter(part, header)
            try:
                found = FORMATS[kind][1](str(source), file, writer)
                writer.close({"references": found.references})
            finally:
                writer.abandon()
    finally:
        if not standard:
            file.close()
    return found
