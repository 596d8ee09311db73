"""Executes the events of a recorded trace on an MMU, as compiled code, up to the next one that somebody looks for."""

from typing import Any

import numpy.typing as npt

from emu.jit import njit_entry
from emu.mmu import attributes, movec, plru, tlb, window
from emu.mmu.registers import (
    FS_NONE,
    MMUDR_R,
    MMUDR_SZ_SHIFT,
    MMUDR_W,
    MMUDR_X,
    MMUTR_SG,
    MMUTR_V,
    MOVEC_ASID,
    OFFSET_MMUOR,
)
from emu.mmu.state import DTLB, FETCH, ITLB
from emu.trace.events import ASIDE, CONTROL_WRITE, ENTER, KIND, MISSED, REFUSED, RESET, STAMP, SUPERVISOR, WINDOW_WRITE

__all__ = ["COUNTERS", "CYCLES", "INSTRUCTIONS", "MISSES", "PC", "play"]

# What is counted beside: in one array.
INSTRUCTIONS, CYCLES, PC, MISSES = 0, 1, 2, 3  # the last of both TLBs
COUNTERS = 5


@njit_entry
def play(
    mmu: npt.NDArray[Any],
    counters: npt.NDArray[Any],
    code: npt.NDArray[Any],
    a: npt.NDArray[Any],
    b: npt.NDArray[Any],
    start: int,
    end: int,
    stops: bool,
    size: int,
    bits: int,
) -> int:
    """Execute events ``start`` to ``end`` (exclusive); returns how far it came.

    ``stops``: end behind the first event that misses, enters an exception, or may change an entry or the ASID.
    ``size``, ``bits``: MMUDR[SZ] and log2 of the pages of a foreign trace, whose misses load their page at once; 0
    bits: the trace has the guest's own loads.
    """
    m = mmu[0]
    for i in range(start, end):
        what: Any = int(code[i])
        x: Any = int(a[i])
        y: Any = int(b[i])
        found = False
        if what < ASIDE:
            kind, supervisor = what & KIND, 1 if what & SUPERVISOR else 0
            side = ITLB if kind == FETCH else DTLB
            if kind == FETCH:
                counters[PC] = x
            if what & REFUSED:
                attributes.fault(m, x, kind, supervisor)
            else:
                status, _ = attributes.access(m, x, kind, supervisor)
                if bits and status != FS_NONE:
                    index = plru.replacement(m, side)
                    data = x >> bits << bits | size << MMUDR_SZ_SHIFT | MMUDR_R | MMUDR_W | MMUDR_X
                    tlb.load(m, side, index, x >> bits << bits | MMUTR_V | MMUTR_SG, data)
                    attributes.access(m, x, kind, supervisor)
                    counters[MISSES + side] += 1
                    found = True
            if what & MISSED:
                counters[MISSES + side] += 1
                found = True
        elif what == WINDOW_WRITE:
            window.write(m, x & 0xFF, x >> 8, y)
            found = x & 0xFC == OFFSET_MMUOR
        elif what == CONTROL_WRITE:
            movec.movec(m, x, y)
            found = x == MOVEC_ASID
        elif what == RESET:
            movec.reset(m)
            found = True
        elif what == ENTER:
            found = True
        elif what == STAMP:
            counters[INSTRUCTIONS] += x
            counters[CYCLES] += y
        if found and stops:
            return i + 1
    return end
