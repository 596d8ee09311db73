"""Events to the bytes of a chunk and back, compiled: see ``format`` for what the bytes are."""

from typing import Any

import numpy as np
import numpy.typing as npt

from emu.jit import njit, njit_entry
from emu.trace.events import ASIDE, LOADED, MISSED, PHASE, VIOLATED, Events

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
def _find_starts(code: Columns, starts: Columns) -> None:
    """Where each code's events begin once all are sorted by code."""
    for i in range(257):
        starts[i] = 0
    for i in range(len(code)):
        starts[code[i] + 1] += 1
    for i in range(256):
        starts[i + 1] += starts[i]


@njit_entry
def _pack(code: Columns, a: Columns, b: Columns, packed: Columns, starts: Columns, sorted_a: Columns) -> None:
    n = len(code)
    _find_starts(code, starts)
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
def _unpack(packed: Columns, code: Columns, a: Columns, b: Columns, starts: Columns, sorted_a: Columns) -> None:
    n = len(code)
    for i in range(n):
        code[i] = packed[i]
    value = np.int64(0)
    for i in range(n):
        difference = np.int64(packed[n + i]) | np.int64(packed[2 * n + i]) << 8
        difference |= np.int64(packed[3 * n + i]) << 16 | np.int64(packed[4 * n + i]) << 24
        value = (value + difference) & 0xFFFFFFFF
        sorted_a[i] = value
    _find_starts(code, starts)
    for i in range(n):
        at = starts[code[i]]
        starts[code[i]] = at + 1
        a[i] = sorted_a[at]
        number = np.int64(packed[5 * n + at]) | np.int64(packed[6 * n + at]) << 8
        b[i] = number | np.int64(packed[7 * n + at]) << 16 | np.int64(packed[8 * n + at]) << 24


def pack(chunk: Events) -> npt.NDArray[np.uint8]:
    """Nine bytes an event: the codes, then four planes of the differences of a, and four of b, sorted by code."""
    packed = np.empty(9 * chunk.length, np.uint8)
    _pack(*chunk, packed, np.empty(257, np.int64), np.empty(chunk.length, np.int64))
    return packed


def unpack(packed: npt.NDArray[np.uint8]) -> Events:
    """The reverse of :func:`pack`."""
    count = len(packed) // 9
    found = Events(np.empty(count, np.uint8), np.empty(count, np.uint32), np.empty(count, np.uint32))
    _unpack(packed, *found, np.empty(257, np.int64), np.empty(count, np.int64))
    return found
