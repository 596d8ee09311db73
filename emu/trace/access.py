"""One access of a replay: looked up through :mod:`emu.mmu`, counted, logged."""

from typing import Any

from emu.jit import njit, njit_inline
from emu.mmu import attributes, plru, tlb
from emu.mmu.registers import (
    MMUDR_LK,
)
from emu.mmu.state import DTLB, FETCH, ITLB, Mmu
from emu.trace.books import classify, key_of_entry, use_page
from emu.trace.events import (
    GRANULE_BITS,
    HANDLER,
    KIND,
    SUPERVISOR,
)
from emu.trace.layout import (
    BYPASS,
    BYPASSED,
    CURRENT_PHASE,
    CYCLES,
    EXPLAINED,
    HIT,
    HITS,
    INSIDE,
    INSTRUCTIONS,
    LOG_ASID,
    LOG_CLASS,
    LOG_CODE,
    LOG_CYCLES,
    LOG_EVENT,
    LOG_INSTRUCTIONS,
    LOG_PC,
    LOG_PHASE,
    LOG_USED,
    LOG_VA,
    MEMO,
    MEMO_DATA,
    MEMO_EPOCH,
    MEMO_INDEX,
    MEMO_KEY,
    MEMO_RIGHTS,
    MEMO_TAG,
    MISS,
    MISSES,
    NESTED,
    OVERLAPS,
    PC,
    REFERENCES,
    UNCLASSIFIED,
    UNKNOWN,
    VIOLATION,
    Ints,
)

__all__ = ["complete", "count_use", "decode", "log_miss", "memo_place", "recall"]


# --- one access ---------------------------------------------------------------------------------------
@njit_inline
def memo_place(va: int, side: int, supervisor: int, epoch: int) -> tuple[int, int]:
    """Row and key of what the memo knows of an access."""
    granule = va >> GRANULE_BITS
    row = (granule ^ granule >> 10 ^ side << 9 ^ supervisor << 8) & (MEMO - 1)
    return row, granule | side << 22 | supervisor << 23 | epoch << 24


@njit_inline
def recall(m: Mmu, memo: Ints, row: int, key: int, side: int, kind: int) -> Any:
    """The entry that answers, -1 if no entry has to, or UNKNOWN."""
    index = UNKNOWN
    if memo[row, MEMO_KEY] == key and attributes.permits(memo[row, MEMO_RIGHTS], kind):
        known = memo[row, MEMO_INDEX]
        if known < 0 or (
            m.tag[side, known] == memo[row, MEMO_TAG]
            and m.data[side, known] == memo[row, MEMO_DATA]
            and not m.warnings & OVERLAPS
        ):
            index = known
    return index


@njit
def decode(m: Mmu, s: Ints, memo: Ints, va: int, kind: int, supervisor: int, touch: int) -> int:
    """HIT, BYPASS, MISS or VIOLATION: attributes.access with a memo in front; ``touch`` 0 leaves no trace at all.

    The memo holds what decoded before: it is right as long as no control register was written (the epoch) and the
    entry has the same images, unless entries overlap, which the MMU counts as warnings.
    """
    side = ITLB if kind == FETCH else DTLB
    row, key = memo_place(va, side, supervisor, s[MEMO_EPOCH])
    index = recall(m, memo, row, key, side, kind)
    if index != UNKNOWN:
        if index < 0:
            return BYPASS
        if touch:
            plru.touch(m, side, index)
        return HIT
    source, index, _, perms, _, _ = attributes.resolve(m, va, kind, supervisor)
    if not attributes.permits(perms, kind):
        if touch:
            attributes.fault(m, va, kind, supervisor)
        return MISS if source == attributes.MISS else VIOLATION
    memo[row, MEMO_KEY] = key
    memo[row, MEMO_RIGHTS] = perms
    if source != attributes.TLB:
        memo[row, MEMO_INDEX] = -1
        return BYPASS
    memo[row, MEMO_INDEX] = index
    memo[row, MEMO_TAG] = m.tag[side, index]
    memo[row, MEMO_DATA] = m.data[side, index]
    if touch:
        plru.touch(m, side, index)
    return HIT


@njit
def count_use(m: Mmu, stack: Ints, histogram: Ints, va: int, code: int, count: int) -> None:
    """The reuse distance of a run that the TLB served; locked entries have none."""
    side = ITLB if code & KIND == FETCH else DTLB
    index = tlb.match(m, side, va, 1 if code & SUPERVISOR else 0)
    if index >= 0 and not m.data[side, index] & MMUDR_LK:
        use_page(stack, histogram, side, key_of_entry(side, m.tag[side, index], m.data[side, index]), count)


@njit
def complete(m: Mmu, s: Ints, stack: Ints, histogram: Ints, outcome: int, va: int, code: int, count: int) -> None:
    """A run that was not refused: its counts and its reuse distance."""
    s[REFERENCES] += count
    if code & HANDLER:
        s[INSIDE] += count
    if outcome == BYPASS:
        s[BYPASSED] += count
        return
    side = ITLB if code & KIND == FETCH else DTLB
    s[HITS + side] += count
    if s[EXPLAINED]:
        count_use(m, stack, histogram, va, code, count)


@njit
def log_miss(m: Mmu, s: Ints, seen: Ints, stack: Ints, log: Ints, event: int, va: int, code: int) -> None:
    """Count and log one miss."""
    side = ITLB if code & KIND == FETCH else DTLB
    s[MISSES + side] += 1
    if code & HANDLER:
        s[NESTED] += 1
    row = s[LOG_USED]
    s[LOG_USED] += 1
    log[row, LOG_EVENT] = event
    log[row, LOG_VA] = va
    log[row, LOG_CODE] = code
    log[row, LOG_ASID] = m.asid
    log[row, LOG_PC] = va if side == ITLB else s[PC]
    log[row, LOG_CLASS] = UNCLASSIFIED
    if s[EXPLAINED]:
        log[row, LOG_CLASS] = classify(m, s, seen, stack, side, va, 1 if code & SUPERVISOR else 0)
    log[row, LOG_PHASE] = s[CURRENT_PHASE]
    log[row, LOG_INSTRUCTIONS] = s[INSTRUCTIONS]
    log[row, LOG_CYCLES] = s[CYCLES]
