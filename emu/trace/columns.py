"""Events to the bytes of a chunk and back, compiled: see ``format`` for what the bytes are."""

from typing import Any

import numpy as np

from emu.jit import njit, njit_entry
from emu.trace.events import ASIDE, LOADED, MISSED, PHASE, VIOLATED

__all__ = ["CORRECT", "FAULTS", "check", "pack", "unpack"]

Columns = Any  # arrays: numba sees arrays, mypy must not look inside

CORRECT = 0
FAULTS = (
    "",
    "an event of an unknown kind",
    "an access event with a wrong number of references",
    "an access that is a miss and a violation",
    "an entry number that no TLB has",
)
_MAX_ENTRY = 127


@njit_entry
def check(code: Columns, a: Columns, b: Columns) -> int:
    """What a replay relies on without looking: CORRECT, or which of FAULTS."""
    for i in range(len(code)):
        what = code[i]
        if what > PHASE:
            return 1
        if what < ASIDE:
            refused = what & (MISSED | VIOLATED)
            if b[i] == 0 or (refused and b[i] != 1):
                return 2
            if refused == MISSED | VIOLATED:
                return 3
        elif what == LOADED and (a[i] >> 8 > 1 or a[i] & 0xFF > _MAX_ENTRY):
            return 4
    return CORRECT


@njit
def _starts(code: Columns) -> Any:
    """Where each code's events begin once all are sorted by code."""
    starts = np.zeros(257, np.int64)
    for i in range(len(code)):
        starts[code[i] + 1] += 1
    for i in range(256):
        starts[i + 1] += starts[i]
    return starts


@njit_entry
def pack(code: Columns, a: Columns, b: Columns, packed: Columns) -> None:
    """Fill ``packed``, nine bytes an event: the codes, then four planes of the differences of a, and four of b."""
    n = len(code)
    starts = _starts(code)
    sorted_a = np.empty(n, np.int64)
    for i in range(n):
        packed[i] = code[i]
        to = starts[code[i]]
        starts[code[i]] += 1
        sorted_a[to] = a[i]
        for plane in range(4):
            packed[(5 + plane) * n + to] = b[i] >> 8 * plane & 0xFF
    before = np.int64(0)
    for i in range(n):
        difference = sorted_a[i] - before
        before = sorted_a[i]
        for plane in range(4):
            packed[(1 + plane) * n + i] = difference >> 8 * plane & 0xFF


@njit_entry
def unpack(packed: Columns, code: Columns, a: Columns, b: Columns) -> None:
    """The reverse of :func:`pack`."""
    n = len(code)
    for i in range(n):
        code[i] = packed[i]
    sorted_a = np.empty(n, np.uint32)
    value = np.int64(0)
    for i in range(n):
        difference = np.int64(packed[n + i]) | np.int64(packed[2 * n + i]) << 8
        difference |= np.int64(packed[3 * n + i]) << 16 | np.int64(packed[4 * n + i]) << 24
        value = (value + difference) & 0xFFFFFFFF
        sorted_a[i] = value
    starts = _starts(code)
    for i in range(n):
        at = starts[code[i]]
        starts[code[i]] = at + 1
        a[i] = sorted_a[at]
        number = np.int64(packed[5 * n + at]) | np.int64(packed[6 * n + at]) << 8
        b[i] = number | np.int64(packed[7 * n + at]) << 16 | np.int64(packed[8 * n + at]) << 24
