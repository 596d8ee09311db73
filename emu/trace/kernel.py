"""The compiled half of :mod:`emu.trace.replay`: one chunk of events through an MMU, on the recorded TLBs or on others.

The rule of the replay stands in ``replay``, the layout of the state in ``layout``. A call ends early, to be continued,
when a table is nearly full.
"""

from typing import Any

import numpy as np

from emu.jit import njit, njit_entry
from emu.mmu import movec, plru, tlb, window
from emu.mmu.registers import (
    MMUDR_LK,
    MMUOR_ACC,
    MMUOR_CA,
    MMUOR_CAS,
    MMUOR_CNL,
    MMUOR_RW,
    MMUTR_ID,
    MMUTR_ID_SHIFT,
    MMUTR_SG,
    MMUTR_V,
    MMUTR_VA,
    OFFSET_MMUOR,
    OFFSET_MMUTR,
    VECTOR_ACCESS_ERROR,
)
from emu.mmu.state import DTLB, FETCH, ITLB, Mmu
from emu.trace.access import complete, decode, log_miss, memo_place, recall
from emu.trace.books import count_locked, note_load
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
from emu.trace.layout import (
    ARENA_USED,
    BOOK_USED,
    BYPASS,
    BYPASSED,
    CHECKED_ENTRIES,
    CLEAR_ALL,
    CLEAR_ASID,
    CLEARS,
    CURRENT_PHASE,
    CYCLES,
    DEPTH,
    EVENT,
    EXACT,
    EXPLAINED,
    FORCED,
    HITS,
    INSIDE,
    INSTRUCTIONS,
    KEY_ASID,
    KEY_SHARED,
    KEY_SIDE,
    LOG_USED,
    LOST_LOADS,
    MARGIN,
    MAX_DEPTH,
    MAX_REFILL_EVENTS,
    MEMO_EPOCH,
    MISS,
    MISS_NUMBER,
    PATCH_PC,
    PC,
    PENDING,
    PENDING_SIDE,
    PENDING_VA,
    POSITION,
    REFERENCES,
    REFILLS,
    SCAN_DEPTH,
    SCAN_EVENTS,
    SCAN_LOADED,
    SCAN_MISSES,
    SCAN_NUMBER,
    SCAN_PENDING,
    SCAN_TAG,
    SEEN_USED,
    SKIP_FROM,
    STALE,
    UNKNOWN,
    VIOLATION,
    VIOLATIONS,
    WRONG_ENTRIES,
    WRONG_MISSES,
    Ints,
)
from emu.trace.refills import (
    add_step,
    begin_refill,
    end_refill,
    learn,
    note_wrong,
    put_entry,
    repeat_refill,
    reset_mmu,
    store_window,
    write_control,
)

__all__ = ["add_clears", "adopt", "page_keys", "prepare", "replay_chunk", "scan"]


# --- the entries --------------------------------------------------------------------------------------
@njit_entry
def scan(
    z: Ints,
    open_: Ints,
    refill: Ints,
    code: Ints,
    a: Ints,
    b: Ints,
) -> None:
    """Mark in ``refill`` the recorded misses whose exception is a refill and nothing else (the rule in ``replay``).

    ``z`` and ``open_`` carry on from chunk to chunk; ``refill`` is a ring. A mark comes within LOOKAHEAD events.
    """
    for i in range(len(code)):
        what: Any = np.int64(code[i])
        x: Any = np.int64(a[i])
        y: Any = np.int64(b[i])
        depth = z[SCAN_DEPTH]
        if depth:
            open_[depth - 1, SCAN_EVENTS] += 1
            if open_[depth - 1, SCAN_EVENTS] > MAX_REFILL_EVENTS:
                z[SCAN_DEPTH] = 0
        if what == STAMP or what == FRAME or what == LOADED:
            continue
        pending = z[SCAN_PENDING]
        z[SCAN_PENDING] = 0
        if what < ASIDE:
            if what & MISSED:
                refill[z[SCAN_MISSES] & (REFILLS - 1)] = 0
                z[SCAN_MISSES] += 1
                z[SCAN_PENDING] = 1
            elif what & VIOLATED or not what & HANDLER:
                z[SCAN_DEPTH] = 0
        elif what == ENTER:
            if pending and y & 0xFF == VECTOR_ACCESS_ERROR and z[SCAN_DEPTH] < MAX_DEPTH:
                depth = z[SCAN_DEPTH]
                open_[depth, SCAN_NUMBER] = z[SCAN_MISSES] - 1
                open_[depth, SCAN_EVENTS] = 0
                open_[depth, SCAN_LOADED] = 0
                z[SCAN_DEPTH] = depth + 1
            else:
                z[SCAN_DEPTH] = 0
        elif what == LEAVE:
            if z[SCAN_DEPTH]:
                depth = z[SCAN_DEPTH] - 1
                if open_[depth, SCAN_LOADED]:
                    refill[open_[depth, SCAN_NUMBER] & (REFILLS - 1)] = 1
                    z[SCAN_DEPTH] = depth
                    if depth:
                        open_[depth - 1, SCAN_EVENTS] += open_[depth, SCAN_EVENTS]
                else:
                    z[SCAN_DEPTH] = 0
        elif what == WINDOW_WRITE:
            offset, size = x & 0xFF, x >> 8
            if offset == OFFSET_MMUTR and size == 4:
                z[SCAN_TAG] = y
            if offset < OFFSET_MMUOR or (offset == OFFSET_MMUOR and y & CLEARS):
                z[SCAN_DEPTH] = 0
            elif offset // 4 == OFFSET_MMUOR // 4 and y & MMUOR_ACC and not y & MMUOR_RW and z[SCAN_DEPTH]:
                if z[SCAN_TAG] & MMUTR_V:
                    open_[z[SCAN_DEPTH] - 1, SCAN_LOADED] = 1
                else:
                    z[SCAN_DEPTH] = 0
        else:
            z[SCAN_DEPTH] = 0


@njit_entry
def prepare(mmu: Ints, s: Ints, book: Ints, seen: Ints) -> None:
    """What the TLBs hold at the start is known as if it had been loaded."""
    m = mmu[0]
    for side in range(2):
        for index in range(m.entries[side]):
            tag, data = m.tag[side, index], m.data[side, index]
            if tag & MMUTR_V:
                learn(m, s, book, side, tag, data)
                m.changed_index = index
                m.old_tag = 0
                note_load(m, s, seen, side)
    count_locked(m, s)


@njit_entry
def adopt(mmu: Ints, recorded: Ints, s: Ints, seen: Ints) -> None:
    """Load what another MMU holds: locked entries at their number, the others in their order while there is room."""
    m, r = mmu[0], recorded[0]
    for side in range(2):
        for index in range(r.entries[side]):
            tag, data = r.tag[side, index], r.data[side, index]
            if tag & MMUTR_V and data & MMUDR_LK:
                if index < m.entries[side]:
                    tlb.load(m, side, index, tag, data)
                    note_load(m, s, seen, side)
                else:
                    s[LOST_LOADS] += 1
        for index in range(r.entries[side]):
            tag, data = r.tag[side, index], r.data[side, index]
            if tag & MMUTR_V and not data & MMUDR_LK and tlb.match(m, side, tag & MMUTR_VA, 0) < 0:
                put_entry(m, s, seen, side, tag, data)
    count_locked(m, s)


@njit_entry
def replay_chunk(
    mmu: Ints,
    s: Ints,
    refill: Ints,
    memo: Ints,
    book: Ints,
    seen: Ints,
    arena: Ints,
    open_: Ints,
    capture: Ints,
    stack: Ints,
    histogram: Ints,
    log: Ints,
    before: Ints,
    code: Ints,
    a: Ints,
    b: Ints,
) -> bool:
    """Replay a chunk, or as much of it as the tables have room for; returns whether all of it is done."""
    m = mmu[0]
    references = inside = bypassed = instruction_hits = data_hits = 0
    epoch = s[MEMO_EPOCH]
    quick = not s[EXPLAINED]
    done = True
    for i in range(s[POSITION], len(code)):
        what: Any = np.int64(code[i])
        x: Any = np.int64(a[i])
        y: Any = np.int64(b[i])
        if quick and what < MISSED and not s[DEPTH]:
            # The way of nearly all events: a completed run outside of refills that the memo knows.
            kind = what & KIND
            side = ITLB if kind == FETCH else DTLB
            row, key = memo_place(x, side, (what & SUPERVISOR) >> 2, epoch)
            index = recall(m, memo, row, key, side, kind)
            if index != UNKNOWN:
                references += y
                if what & HANDLER:
                    inside += y
                elif kind == FETCH:
                    s[PC] = x
                if index < 0:
                    bypassed += y
                else:
                    plru.touch(m, side, index)
                    if kind == FETCH:
                        instruction_hits += y
                    else:
                        data_hits += y
                continue
        if (
            s[LOG_USED] + MARGIN > log.shape[0]
            or s[ARENA_USED] + MARGIN > arena.shape[0]
            or 2 * (s[SEEN_USED] + MARGIN) > seen.shape[0]
            or 2 * (s[BOOK_USED] + MARGIN) > book.shape[0]
        ):
            s[POSITION] = i
            done = False
            break
        event = s[EVENT] + i
        if what < ASIDE:
            kind, supervisor = what & KIND, 1 if what & SUPERVISOR else 0
            if kind == FETCH and not what & HANDLER:
                s[PC] = x
            if s[SKIP_FROM]:
                if what & MISSED:
                    s[MISS_NUMBER] += 1
                    s[PENDING] = 2
                    s[PENDING_VA] = x
                    s[PENDING_SIDE] = ITLB if kind == FETCH else DTLB
                elif decode(m, s, memo, x, kind, supervisor, 0) != BYPASS:
                    add_step(open_, capture, s[DEPTH] - 1, x << 8 | what)
                continue
            outcome = decode(m, s, memo, x, kind, supervisor, 1)
            if what & MISSED:
                s[PATCH_PC] = 0
                is_refill = refill[s[MISS_NUMBER] & (REFILLS - 1)]
                s[MISS_NUMBER] += 1
                s[PENDING] = is_refill
                s[PENDING_VA] = x
                s[PENDING_SIDE] = ITLB if kind == FETCH else DTLB
                if outcome == MISS:
                    log_miss(m, s, seen, stack, log, event, x, what)
                    s[PATCH_PC] = 1
                elif s[EXACT]:
                    note_wrong(s, WRONG_MISSES, event)
                elif is_refill:
                    s[PENDING] = 2
                else:
                    s[FORCED] += 1
                continue
            if outcome == MISS:
                if s[EXACT]:
                    note_wrong(s, WRONG_MISSES, event)
                    log_miss(m, s, seen, stack, log, event, x, what)
                    continue
                repeat_refill(m, s, memo, book, seen, arena, stack, histogram, log, event, x, what)
                outcome = decode(m, s, memo, x, kind, supervisor, 1)
            if what & VIOLATED:
                s[VIOLATIONS] += 1
                if s[EXACT] and outcome != VIOLATION:
                    note_wrong(s, WRONG_MISSES, event)
                continue
            if outcome == VIOLATION:
                if s[EXACT]:
                    note_wrong(s, WRONG_MISSES, event)
                else:
                    s[STALE] += 1
            complete(m, s, stack, histogram, outcome, x, what, y)
            if s[DEPTH] and outcome != BYPASS and not s[EXACT]:
                add_step(open_, capture, s[DEPTH] - 1, x << 8 | what)
        elif what == WINDOW_WRITE:
            store_window(m, s, book, seen, before, open_, capture, x & 0xFF, x >> 8, y)
            epoch = s[MEMO_EPOCH]
        elif what == LOADED:
            if s[EXACT]:
                s[CHECKED_ENTRIES] += 1
                if (x & 0xFF) != m.changed_index or m.tag[x >> 8, x & 0xFF] != y:
                    note_wrong(s, WRONG_ENTRIES, event)
        elif what == STAMP:
            s[INSTRUCTIONS] += x
            s[CYCLES] += y
        elif what == ENTER:
            begin_refill(s, open_, log, x)
        elif what == LEAVE:
            if s[DEPTH]:
                end_refill(s, book, arena, open_, capture)
        elif what == CONTROL_WRITE:
            write_control(m, s, x, y)
            epoch = s[MEMO_EPOCH]
        elif what == RESET:
            reset_mmu(m, s, seen, before)
            epoch = s[MEMO_EPOCH]
        elif what == PHASE:
            s[CURRENT_PHASE] = x
    s[REFERENCES] += references
    s[INSIDE] += inside
    s[BYPASSED] += bypassed
    s[HITS + ITLB] += instruction_hits
    s[HITS + DTLB] += data_hits
    if done:
        s[EVENT] += len(code)
        s[POSITION] = 0
    return done


@njit
def add_clears(m: Mmu, keys: Ints, used: int, operation: int) -> int:
    """Add the clears of a store to MMUOR to the runs; returns their number."""
    if operation & (MMUOR_CA | MMUOR_CNL):
        keys[used] = CLEAR_ALL
        return used + 1
    if operation & MMUOR_CAS:
        keys[used] = CLEAR_ASID - ((m.mmutr & MMUTR_ID) >> MMUTR_ID_SHIFT if m.cas_uses_mmutr else m.asid)
        return used + 1
    return used


@njit_entry
def page_keys(
    mmu: Ints, s: Ints, memo: Ints, page_bits: int, code: Ints, a: Ints, b: Ints, keys: Ints, counts: Ints
) -> int:
    """The references of a chunk that a TLB served, as runs on pages of one size; returns their number.

    The key of a page is side << 31 | shared << 30 | ASID << 22 | page number. Handlers' own references, and pages that
    a locked entry maps, are left out: neither competes for the entries of a TLB that is all for the rest. Clears are in
    their place among the runs, with a count of 0.
    """
    m = mmu[0]
    used = 0
    for i in range(len(code)):
        what: Any = np.int64(code[i])
        x: Any = np.int64(a[i])
        y: Any = np.int64(b[i])
        if what < ASIDE:
            kind, supervisor = what & KIND, 1 if what & SUPERVISOR else 0
            side = ITLB if kind == FETCH else DTLB
            # All of them are executed, for the next load's choice of an entry depends on them.
            outcome = decode(m, s, memo, x, kind, supervisor, 1)
            if outcome == BYPASS or what & (MISSED | VIOLATED | HANDLER):
                continue
            shared = 0
            if outcome != MISS:
                index = tlb.match(m, side, x, supervisor)
                if m.data[side, index] & MMUDR_LK:
                    continue
                shared = 1 if m.tag[side, index] & MMUTR_SG else 0
            owner = 1 << KEY_SHARED if shared else m.asid << KEY_ASID
            keys[used] = side << KEY_SIDE | owner | x >> page_bits
            counts[used] = y
            used += 1
        elif what == WINDOW_WRITE:
            offset, size = x & 0xFF, x >> 8
            if offset < OFFSET_MMUOR:
                s[MEMO_EPOCH] += 1
            elif (size == 4 and offset == OFFSET_MMUOR) or (size == 2 and offset == OFFSET_MMUOR + 2):
                counts[used] = 0
                used = add_clears(m, keys, used, y)
            window.write(m, offset, size, y)
        elif what == CONTROL_WRITE:
            write_control(m, s, x, y)
        elif what == RESET:
            s[MEMO_EPOCH] += 1
            movec.reset(m)
            keys[used] = CLEAR_ALL
            counts[used] = 0
            used += 1
    return used
