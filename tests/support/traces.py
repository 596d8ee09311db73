"""Traces for tests: written to a file and opened again, random programs for the toy machine, plain simulators."""

import random
from collections import OrderedDict, deque
from collections.abc import Iterable, Sequence
from pathlib import Path

from emu.trace.events import Row, concatenate, events
from emu.trace.format import CHUNK_EVENTS, Header, MmuSetup, Trace, TraceWriter
from tests.support.toy import CLEAN, FETCH, LOCKED_PAGE, READ, RMW, WRITE, Access, Control, Program, Toy

REGIONS = ((0x0000_0000, 12), (0x1000_0000, 13), (0x2000_0000, 20), (0x3000_0000, 10), (CLEAN, 12))


def program(seed: int, steps: int, *, lock: bool = False, preload: bool = False) -> Program:
    """Accesses to pages of all sizes with some locality, switches of ASID, clears."""
    rng = random.Random(seed)
    found: list[Access | Control] = []
    for _ in range(steps):
        chance = rng.random()
        if chance < 0.01:
            found.append(Control("asid", rng.randrange(4)))
        elif chance < 0.015:
            found.append(Control(rng.choice(("cnl", "cnl", "cnl", "cas", "cas", "ca"))))
        elif chance < 0.02 and preload:
            found.append(Control("preload", 0x1000_0000 + rng.randrange(30) * 0x2000))
        elif chance < 0.03 and lock:
            found.append(Access(LOCKED_PAGE + 4 * rng.randrange(1024), READ, rng.random() < 0.5, rng.randrange(1, 5)))
        else:
            base, bits = rng.choice(REGIONS)
            page = min(rng.randrange(12), rng.randrange(12))
            kind = rng.choice((READ, READ, WRITE, FETCH, FETCH, RMW))
            va = base + (page << bits) + 4 * rng.randrange(1 << bits - 2)
            found.append(Access(va, kind, rng.random() < 0.3, rng.randrange(1, 9)))
    return found


def write(path: Path, rows: Iterable[Row], header: Header, chunk_events: int = CHUNK_EVENTS) -> Trace:
    """A complete trace of these rows."""
    with TraceWriter(path, header, chunk_events=chunk_events) as writer:
        writer.append(*events(rows))
    return Trace(path)


def machine_header(entries: int = 32, policy: str = "plru") -> Header:
    return Header(source="machine", board="toy", mmu=MmuSetup(entries, entries, policy))


def record(path: Path, toy: Toy, entries: int = 32, policy: str = "plru") -> Trace:
    """What the toy recorded, as a file."""
    return write(path, toy.rows, machine_header(entries, policy))


def rows_of(trace: Trace) -> list[Row]:
    """All events of a trace."""
    code, a, b = concatenate(chunk.events for chunk in trace.chunks())
    return list(zip(code.tolist(), a.tolist(), b.tolist()))


def lru_misses(pages: Sequence[int], entries: int) -> int:
    """Plain LRU; a negative page clears."""
    resident: OrderedDict[int, None] = OrderedDict()
    misses = 0
    for page in pages:
        if page < 0:
            resident.clear()
        elif page in resident:
            resident.move_to_end(page)
        else:
            misses += 1
            if len(resident) == entries:
                resident.popitem(last=False)
            resident[page] = None
    return misses


def fifo_misses(pages: Sequence[int], entries: int) -> int:
    """Plain FIFO; a negative page clears."""
    queue: deque[int] = deque()
    misses = 0
    for page in pages:
        if page < 0:
            queue.clear()
        elif page not in queue:
            misses += 1
            if len(queue) == entries:
                queue.popleft()
            queue.append(page)
    return misses


__all__ = ["fifo_misses", "lru_misses", "machine_header", "program", "record", "rows_of", "write"]
