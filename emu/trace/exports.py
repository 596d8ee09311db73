"""A trace in the formats of other tools.

``oracleGeneral``  libCacheSim's binary records, one for each reference: the pages that one TLB, or both, were asked for
``chrome``         trace-event JSON for Perfetto and chrome://tracing: exceptions, processes, phases on a time line
``collapsed``      collapsed stacks for flame graphs: process; function; miss; region, weighted by refill cycles
``parquet``        all events as columns, for Arrow, pandas, duckdb
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import numpy.typing as npt

from emu.errors import UsageError
from emu.jit import njit_entry
from emu.mmu.registers import MOVEC_ASID, VECTOR_ACCESS_ERROR
from emu.mmu.state import DTLB, ITLB
from emu.trace.events import (
    ASIDE,
    CONTROL_WRITE,
    ENTER,
    FRAME,
    HANDLER,
    KIND,
    LEAVE,
    LOADED,
    MISSED,
    PHASE,
    RESET,
    STAMP,
    SUPERVISOR,
    VIOLATED,
    WINDOW_WRITE,
)
from emu.trace.explain import access_name, phase_namer, process_namer, region_namer, symbol_namer
from emu.trace.format import Trace
from emu.trace.imports import ORACLE_RECORD
from emu.trace.layout import KEY_SIDE
from emu.trace.pages import Numbering, page_streams

__all__ = ["FORMATS", "SIDES", "export_chrome", "export_collapsed", "export_oracle", "export_parquet"]

Ints = Any  # arrays of integers: numba sees arrays, mypy must not look inside

SIDES = {"both": -1, "instruction": ITLB, "data": DTLB}
NEVER = -1  # next access of an object that is not used again
_ASSUMED_HZ = 266_000_000  # MCF5475 (548xRM); of traces that name no clock
_BLOCK = 1 << 20
_MACHINE, _PROCESSES, _PHASES, _EXCEPTIONS = 1, 1, 2, 3  # process and tracks of the time line
ASIDE_NAMES = {
    WINDOW_WRITE: "window write",
    CONTROL_WRITE: "control write",
    RESET: "reset",
    LOADED: "loaded",
    ENTER: "enter",
    FRAME: "frame",
    LEAVE: "leave",
    STAMP: "stamp",
    PHASE: "phase",
}


# --- oracleGeneral ------------------------------------------------------------------------------------
@njit_entry
def _link_back(next_use: Ints, ids: Ints, first: int, found: Ints) -> None:
    """Fill in the next accesses of a block, from its end; ``next_use``: by object, in what follows the block."""
    for i in range(len(ids) - 1, -1, -1):
        found[i] = next_use[ids[i]]
        next_use[ids[i]] = first + i


def export_oracle(
    trace: Trace, path: Path, *, page_size: int = 4096, side: str = "both", one_per_run: bool = False
) -> int:
    """Returns the number of records. The objects are pages, numbered by first use; the size of each is 1."""
    numbering = Numbering()
    records = 0
    with path.open("wb") as file:
        for keys, counts in page_streams(trace, page_size):
            used = keys >= 0
            if side != "both":
                used &= (keys >> KEY_SIDE & 1) == SIDES[side]
            pages = numbering.number(keys[used])
            for start in range(0, len(pages), _BLOCK):
                part = pages[start : start + _BLOCK]
                ids = part if one_per_run else np.repeat(part, counts[used][start : start + _BLOCK])
                rows = np.zeros(len(ids), ORACLE_RECORD)
                rows["clock"] = np.arange(records, records + len(ids)) & 0xFFFFFFFF
                rows["id"] = ids
                rows["size"] = 1
                rows.tofile(file)
                records += len(ids)
    if records:
        mapped = np.memmap(path, ORACLE_RECORD, "r+")
        next_use = np.full(numbering.known, NEVER, np.int64)
        for first in range((records - 1) // _BLOCK * _BLOCK, -1, -_BLOCK):
            block = mapped[first : first + _BLOCK]
            found = np.zeros(len(block), np.int64)
            _link_back(next_use, block["id"].astype(np.int64), first, found)
            block["next"] = found
        mapped.flush()
    return records


# --- a walk over exceptions ---------------------------------------------------------------------------
def _asides(trace: Trace) -> Iterator[tuple[int, int, int, int, int]]:
    """(code, a, b, instructions, cycles) of every event that is not a completed access; the time is the event's."""
    for chunk in trace.chunks():
        code, a, b = chunk.events
        at = np.flatnonzero((code >= ASIDE) | ((code & (MISSED | VIOLATED)) != 0))
        stamps = code == STAMP
        instructions = chunk.instructions + np.cumsum(np.where(stamps, a, 0), dtype=np.int64)
        cycles = chunk.cycles + np.cumsum(np.where(stamps, b, 0), dtype=np.int64)
        yield from zip(
            code[at].tolist(), a[at].tolist(), b[at].tolist(), instructions[at].tolist(), cycles[at].tolist()
        )


# --- Chrome trace events ------------------------------------------------------------------------------
class _TimeLine:
    """Writes one JSON object, event by event."""

    def __init__(self, file: TextIO, hz: int) -> None:
        self.file = file
        self.microsecond = (hz or _ASSUMED_HZ) / 1e6
        self.count = 0
        file.write('{"displayTimeUnit":"ns","traceEvents":[\n')

    def event(self, **values: Any) -> None:
        self.file.write((",\n" if self.count else "") + json.dumps({"pid": _MACHINE} | values, separators=(",", ":")))
        self.count += 1

    def span(self, track: int, name: str, start: int, end: int, **arguments: Any) -> None:
        ts, dur = start / self.microsecond, (end - start) / self.microsecond
        self.event(name=name, ph="X", tid=track, ts=round(ts, 4), dur=round(dur, 4), args=arguments)

    def close(self, trace: Trace) -> None:
        self.file.write(
            f'\n],"otherData":{json.dumps({"source": trace.header.source, "board": trace.header.board})}}}\n'
        )


def export_chrome(trace: Trace, path: Path) -> int:
    """Returns the number of events on the time line."""
    symbol, region = symbol_namer(trace), region_namer(trace)
    process, phase = process_namer(trace), phase_namer(trace)
    with path.open("w") as file:
        line = _TimeLine(file, trace.header.clock_hz)
        tracks = {_PROCESSES: "processes", _PHASES: "phases", _EXCEPTIONS: "exceptions and refills"}
        line.event(name="process_name", ph="M", args={"name": trace.header.board or trace.header.source})
        for track, name in tracks.items():
            line.event(name="thread_name", ph="M", tid=track, args={"name": name})
        open_: dict[int, tuple[str, int, dict[str, Any]]] = {}  # by address of the frame
        entering: tuple[str, int, dict[str, Any]] | None = None
        refused: tuple[int, int] | None = None
        asid, asid_since = _initial_asid(trace), 0
        phase_now, phase_since = -1, 0
        cycles = 0
        for code, a, b, _, cycles in _asides(trace):
            if code < ASIDE:
                refused = code, a
            elif code == ENTER:
                arguments: dict[str, Any] = {"pc": f"{a:#010x}", "in": symbol(a)}
                name = f"vector {b & 0xFF}"
                if b & 0xFF == VECTOR_ACCESS_ERROR and refused is not None:
                    kind = "TLB miss" if refused[0] & MISSED else "violation"
                    name = f"{kind}: {access_name(refused[0])}"
                    arguments |= {"va": f"{refused[1]:#010x}", "region": region(refused[1])}
                entering, refused = (name, cycles, arguments), None
            elif code == FRAME and entering is not None:
                open_[a] = entering
            elif code == LEAVE and a in open_:
                name, start, arguments = open_.pop(a)
                line.span(_EXCEPTIONS, name, start, cycles, **arguments)
            elif code == CONTROL_WRITE and a == MOVEC_ASID:
                line.span(_PROCESSES, f"ASID {process(asid)}", asid_since, cycles)
                asid, asid_since = b & 0xFF, cycles
            elif code == PHASE:
                if phase_now >= 0:
                    line.span(_PHASES, phase(phase_now), phase_since, cycles)
                phase_now, phase_since = a, cycles
        line.span(_PROCESSES, f"ASID {process(asid)}", asid_since, cycles)
        if phase_now >= 0:
            line.span(_PHASES, phase(phase_now), phase_since, cycles)
        line.close(trace)
        return line.count


def _initial_asid(trace: Trace) -> int:
    setup = trace.header.mmu
    return int(setup.build()[0]["asid"]) if setup else 0


# --- collapsed stacks ---------------------------------------------------------------------------------
def export_collapsed(trace: Trace, path: Path) -> int:
    """Returns the cycles of all refills: exceptions behind a miss, less those nested in them; frames inside frames."""
    symbol, region, process = symbol_namer(trace), region_namer(trace), process_namer(trace)
    weights = Counter[str]()
    open_: dict[int, tuple[str, int, int]] = {}  # by frame: stack, cycles at entry, cycles of inner exceptions so far
    order: list[int] = []
    asid = _initial_asid(trace)
    refused: tuple[int, int] | None = None
    entering: tuple[str, int] | None = None
    for code, a, b, _, cycles in _asides(trace):
        if code < ASIDE:
            refused = code, a
        elif code == ENTER:
            outer = open_[order[-1]][0] if order else f"process {_frame(process(asid))}"
            if b & 0xFF == VECTOR_ACCESS_ERROR and refused is not None and refused[0] & MISSED:
                miss = f"{_frame(symbol(a))};{access_name(refused[0])} miss;{_frame(region(refused[1]))}"
                entering = f"{outer};{miss}", cycles
            refused = None
        elif code == FRAME and entering is not None:
            open_[a] = (*entering, 0)
            order.append(a)
            entering = None
        elif code == LEAVE and a in open_:
            stack, start, inner = open_.pop(a)
            order.remove(a)
            weights[stack] += cycles - start - inner
            if order:
                outer, since, others = open_[order[-1]]
                open_[order[-1]] = outer, since, others + cycles - start
        elif code == CONTROL_WRITE and a == MOVEC_ASID:
            asid = b & 0xFF
    with path.open("w") as file:
        file.writelines(f"{stack} {weight}\n" for stack, weight in sorted(weights.items()) if weight)
    return sum(weights.values())


def _frame(name: str) -> str:
    """A name as one frame of a stack."""
    return name.replace(";", ":").replace("\n", " ")


# --- Parquet ------------------------------------------------------------------------------------------
def _columns(trace: Trace) -> Iterator[dict[str, npt.NDArray[Any]]]:
    """Each chunk as columns; ``what`` are the numbers of :func:`event_names`."""
    event, asid = 0, _initial_asid(trace)
    for chunk in trace.chunks():
        code, a, b = chunk.events
        stamps = code == STAMP
        access = code < ASIDE
        switches = np.flatnonzero((code == CONTROL_WRITE) & (a == MOVEC_ASID))
        asids = np.concatenate([[asid], b[switches] & 0xFF])
        yield {
            "event": np.arange(event, event + len(code)),
            "what": np.where(access, code & KIND, code - ASIDE + 4).astype(np.int8),
            "supervisor": access & ((code & SUPERVISOR) != 0),
            "refilling": access & ((code & HANDLER) != 0),
            "missed": access & ((code & MISSED) != 0),
            "violated": access & ((code & VIOLATED) != 0),
            "a": a,
            "b": b,
            "asid": asids[np.searchsorted(switches, np.arange(len(code)), "right")].astype(np.uint8),
            "instructions": chunk.instructions + np.cumsum(np.where(stamps, a, 0), dtype=np.int64),
            "cycles": chunk.cycles + np.cumsum(np.where(stamps, b, 0), dtype=np.int64),
        }
        event += len(code)
        asid = int(asids[-1])


def event_names() -> list[str]:
    return ["read", "write", "fetch", "read-modify-write", *ASIDE_NAMES.values()]


def export_parquet(trace: Trace, path: Path) -> int:
    """Returns the number of rows."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = pa.array(event_names())
    rows = 0
    writer = None
    try:
        for columns in _columns(trace):
            what = pa.DictionaryArray.from_arrays(pa.array(columns["what"]), names)
            table = pa.table(columns | {"what": what})
            writer = writer or pq.ParquetWriter(path, table.schema)
            writer.write_table(table)
            rows += table.num_rows
    finally:
        if writer is not None:
            writer.close()
    if writer is None:
        raise UsageError(f"{trace.path}: no events to export")
    return rows


FORMATS: dict[str, tuple[str, Callable[[Trace, Path], int]]] = {
    "oracleGeneral": ("records", export_oracle),
    "chrome": ("events", export_chrome),
    "collapsed": ("cycles", export_collapsed),
    "parquet": ("rows", export_parquet),
}
