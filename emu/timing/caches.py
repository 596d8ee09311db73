"""Caches, store buffer and bus, as time (docs/timing-model.md, section 4): what waits for memory, and for how long.

No data is kept: memory always holds what the program wrote. Addresses are physical; a line is named by its address.
"""

from typing import Any

from emu.jit import njit, njit_inline
from emu.timing.state import SETS, STORE_BUFFER_ENTRIES, WAYS, Time

__all__ = [
    "COPYBACK",
    "INHIBITED",
    "LINE",
    "LINE_BITS",
    "WRITE_THROUGH",
    "account",
    "buffered_until",
    "fetch_line",
    "find",
    "invalidate",
    "is_present",
    "push",
    "read",
    "write",
]

LINE = 16  # bytes
LINE_BITS = 4
WRITE_THROUGH, COPYBACK, INHIBITED = 0, 1, 2  # modes of an access, bit 1 as in MMUDR[CM] (sheet 1.9)


@njit_inline
def find(cache: Any, line: int) -> int:
    """The way that holds ``line``, or -1."""
    at = line >> LINE_BITS & (SETS - 1)
    for way in range(WAYS):
        if cache.line[at, way] == line:
            return way
    return -1


@njit
def is_present(cache: Any, line: int) -> bool:
    """Whether the cache holds ``line``."""
    return find(cache, line) >= 0


@njit
def choose(cache: Any, at: int, half_locked: bool) -> int:
    """The way to fill: the first invalid one, else whose turn it is (548xRM 7-11)."""
    first = WAYS // 2 if half_locked else 0
    for way in range(first, WAYS):
        if cache.line[at, way] < 0:
            return way
    turn = int(cache.turn)
    cache.turn = (turn + 1) & (WAYS - 1)
    return first + (turn & (WAYS - 1 - first)) if half_locked else turn


@njit
def place_line(cache: Any, line: int, half_locked: bool) -> tuple[int, bool]:
    """Allocate ``line``: (its way, whether a dirty line was thrown out)."""
    at = line >> LINE_BITS & (SETS - 1)
    way = choose(cache, at, half_locked)
    dirty = cache.line[at, way] >= 0 and cache.dirty[at, way] != 0
    cache.line[at, way] = line
    cache.dirty[at, way] = 0
    cache.changes += 1
    return way, dirty


@njit
def fill(t: Time, cache: Any, line: int, half_locked: bool, now: int) -> tuple[int, int]:
    """A miss: (its way, cycles until the critical longword is there). The bus is busy for the rest of the line and, if
    the victim was dirty, for its push."""
    way, dirty = place_line(cache, line, half_locked)
    start = max(now, t.bus_free)
    t.bus_free = start + t.costs.line_first + t.costs.line_burst
    if dirty:
        t.bus_free += t.costs.line_push
    return way, start + t.costs.line_first - now


@njit
def note_shadow(t: Time, shadow: Any, line: int, half_locked: bool) -> bool:
    """The access as if no TLB-miss handler had ever run: whether the line would have been there."""
    if t.in_handler:
        return False
    if find(shadow, line) >= 0:
        return True
    place_line(shadow, line, half_locked)
    return False


@njit
def hit(t: Time, known: bool) -> int:
    """A hit waits for nothing; without the handlers it might have: ``known`` is whether the line would have been there,
    and where it would not, a handler has brought it, or left it where it would have been thrown out."""
    if not known and not t.in_handler:
        t.evicted_stalls -= t.costs.line_first
    return 0


@njit
def account(t: Time, cycles: int, known: bool) -> None:
    """Book a wait; ``known``: without the handlers the line would have been there."""
    t.stalls += cycles
    if t.in_handler:
        t.handler_stalls += cycles
    elif known:
        t.evicted_stalls += cycles


@njit
def read(t: Time, line: int, half_locked: bool, now: int) -> int:
    """Data read of a line in a cacheable mode: cycles that the core waits."""
    known = note_shadow(t, t.dshadow, line, half_locked)
    if find(t.dcache, line) >= 0:
        return hit(t, known)
    _way, cycles = fill(t, t.dcache, line, half_locked, now)
    account(t, cycles, known)
    return cycles


@njit
def write(t: Time, line: int, mode: int, half_locked: bool, buffered: bool, now: int) -> int:
    """Data write to a line in a cacheable mode: cycles that the core waits. ``buffered``: CACR[DESB]."""
    if mode == COPYBACK:
        known = note_shadow(t, t.dshadow, line, half_locked)
        way = find(t.dcache, line)
        cycles = 0
        if way < 0:
            way, cycles = fill(t, t.dcache, line, half_locked, now)
            account(t, cycles, known)
        else:
            hit(t, known)
        t.dcache.dirty[line >> LINE_BITS & (SETS - 1), way] = 1
        return cycles
    cycles = 0
    if buffered:
        oldest = t.stores[0]
        cycles = max(0, oldest - now)
        for i in range(STORE_BUFFER_ENTRIES - 1):
            t.stores[i] = t.stores[i + 1]
        t.bus_free = max(now + cycles, t.bus_free) + t.costs.store_drain
        t.stores[STORE_BUFFER_ENTRIES - 1] = t.bus_free
    else:
        t.bus_free = max(now, t.bus_free) + t.costs.store_drain
        cycles = t.bus_free - now
    account(t, cycles, False)
    return int(cycles)


@njit
def buffered_until(t: Time) -> int:
    """Core cycle when the store buffer is empty."""
    return int(t.stores[STORE_BUFFER_ENTRIES - 1])


@njit
def fetch_line(t: Time, line: int, half_locked: bool, now: int) -> int:
    """Instruction fetch from a line in a cacheable mode: cycles that the core waits."""
    known = note_shadow(t, t.ishadow, line, half_locked)
    if find(t.icache, line) >= 0:
        return hit(t, known)
    _way, cycles = fill(t, t.icache, line, half_locked, now)
    account(t, cycles, known)
    return cycles


@njit
def invalidate(cache: Any) -> None:
    """CACR[DCINVA] or [ICINVA]: all lines go, none is pushed."""
    for at in range(SETS):
        for way in range(WAYS):
            cache.line[at, way] = -1
            cache.dirty[at, way] = 0
    cache.changes += 1


@njit
def push(t: Time, cache: Any, at: int, way: int, keep: bool, now: int) -> None:
    """CPUSHL of one line: written back if it is dirty, then invalid unless ``keep`` (CACR[DDPI], [IDPI])."""
    if cache.line[at, way] < 0:
        return
    if cache.dirty[at, way]:
        t.bus_free = max(now, t.bus_free) + t.costs.line_push
        cache.dirty[at, way] = 0
    if not keep:
        cache.line[at, way] = -1
        cache.changes += 1
