"""Stores to the MMU in a replay, and the refills that are left out or repeated (the rule is in ``replay``)."""

from typing import Any

from emu.jit import njit
from emu.mmu import movec, plru, tlb, window
from emu.mmu.registers import (
    MMUDR_LK,
    MMUDR_PA,
    MMUDR_SP,
    MMUDR_SZ,
    MMUDR_SZ_SHIFT,
    MMUOR_ACC,
    MMUOR_ADR,
    MMUOR_ITLB,
    MMUOR_RW,
    MMUOR_STLB,
    MMUOR_UAA,
    MMUTR_ID,
    MMUTR_ID_SHIFT,
    MMUTR_SG,
    MMUTR_V,
    MMUTR_VA,
    MOVEC_MBAR,
    MOVEC_VBR,
    OFFSET_MMUOR,
)
from emu.mmu.state import DTLB, FETCH, ITLB, Mmu
from emu.trace.access import count_use, decode, log_miss
from emu.trace.books import find_slot, keep_images, key_of_entry, newest, note_clear, note_load, note_shape, size_field
from emu.trace.events import (
    GRANULE_BITS,
    HANDLER,
    KIND,
    SUPERVISOR,
)
from emu.trace.layout import (
    APPROXIMATED,
    ARENA_USED,
    BOOK_USED,
    BYPASS,
    CLEARS,
    CLOCK,
    COST,
    COSTED,
    COSTS,
    CYCLES,
    DATA,
    DEPTH,
    EXACT,
    EXPLAINED,
    FIRST_WRONG,
    FORCED_BITS,
    FOREIGN,
    IN_PLACE_CYCLES,
    KEY,
    LENGTH,
    LOG_PC,
    LOG_USED,
    LOST_LOADS,
    MAX_REFILL_EVENTS,
    MEMO_EPOCH,
    MISS,
    OPEN_CYCLES,
    OPEN_INNER,
    OPEN_KEY,
    OPEN_LENGTH,
    OPEN_SIDE,
    OPEN_VA,
    OWN_ID,
    PATCH_PC,
    PENDING,
    PENDING_SIDE,
    PENDING_VA,
    RECORDED_BASE,
    RIGHTS,
    SKIP_FROM,
    SKIPPED,
    SKIPPED_CYCLES,
    START,
    SYNTHESISED,
    SYNTHESISED_CYCLES,
    TAG,
    UNEXPLAINED,
    VARIES,
    WHEN,
    Ints,
)

__all__ = [
    "add_step",
    "begin_refill",
    "end_refill",
    "learn",
    "load_known",
    "loaded_side",
    "note_wrong",
    "put_entry",
    "refill_cost",
    "repeat_refill",
    "reset_mmu",
    "resized",
    "store_window",
    "write_control",
]


# --- what other geometries need -----------------------------------------------------------------------
@njit
def resized(s: Ints, tag: int, data: int) -> int:
    """MMUDR of an entry in this replay: another page size if one is asked for, and then every right (the rule)."""
    if s[FORCED_BITS] == 0 or data & MMUDR_LK or not tag & MMUTR_V:
        return data
    return (data & ~(MMUDR_SZ | MMUDR_SP)) | RIGHTS | size_field(s[FORCED_BITS]) << MMUDR_SZ_SHIFT


@njit
def put_entry(m: Mmu, s: Ints, seen: Ints, side: int, tag: int, data: int) -> None:
    """What UAA and ACC do, with these images."""
    index = plru.replacement(m, side)
    m.aa = tlb.address_of(m, side, index)
    tlb.load(m, side, index, tag, resized(s, tag, data))
    note_load(m, s, seen, side)


@njit
def learn(m: Mmu, s: Ints, book: Ints, side: int, tag: int, data: int) -> Any:
    """Enter a recorded load into the book; returns its row, or -1 for one of an invalid entry."""
    if not tag & MMUTR_V:
        return -1
    key = key_of_entry(side, tag, data)
    row = find_slot(book, key)
    if book[row, KEY] == 0:
        s[BOOK_USED] += 1
        book[row, KEY] = key
        book[row, START] = 0
        book[row, LENGTH] = 0
        book[row, COST] = -1
        book[row, VARIES] = 0
    note_shape(s, tag, data)
    book[row, TAG] = tag
    book[row, DATA] = data
    s[CLOCK] += 1
    book[row, OWN_ID] = (tag & MMUTR_ID) >> MMUTR_ID_SHIFT == m.asid
    book[row, WHEN] = s[CLOCK]
    return row


@njit
def load_known(m: Mmu, s: Ints, seen: Ints, book: Ints, row: int, side: int, va: int) -> None:
    """Load what the book says, unlocked; without a book, in a foreign trace, a page that everybody may use."""
    if row >= 0:
        tag = book[row, TAG]
        if book[row, OWN_ID]:
            # For CAS drops shared entries by their ID, too.
            tag = (tag & ~MMUTR_ID) | m.asid << MMUTR_ID_SHIFT
        put_entry(m, s, seen, side, tag, book[row, DATA] & ~MMUDR_LK)
    else:
        put_entry(m, s, seen, side, (va & MMUTR_VA) | MMUTR_SG | MMUTR_V, (va & MMUDR_PA) | RIGHTS)


@njit
def repeat_refill(
    m: Mmu,
    s: Ints,
    memo: Ints,
    book: Ints,
    seen: Ints,
    arena: Ints,
    stack: Ints,
    histogram: Ints,
    log: Ints,
    event: int,
    va: int,
    code: int,
) -> None:
    """Synthesise the refill for a miss that was not recorded, by the rule in ``replay``."""
    side = ITLB if code & KIND == FETCH else DTLB
    log_miss(m, s, seen, stack, log, event, va, code)
    s[SYNTHESISED] += 1
    row = newest(m, s, book, WHEN, 1, side, va, 1 if code & SUPERVISOR else 0)
    if row < 0 and not s[FOREIGN]:
        s[UNEXPLAINED] += 1
        return
    if not s[FOREIGN] and (book[row, LENGTH] == 0 or book[row, VARIES]):
        s[APPROXIMATED] += 1
    # Software that runs between two stores to the MMU does not see a synthesised handler.
    mmutr, mmudr, mmuar, mmusr = m.mmutr, m.mmudr, m.mmuar, m.mmusr
    if row < 0 or book[row, LENGTH] == 0:
        load_known(m, s, seen, book, row, side, va)
    else:
        for i in range(book[row, START], book[row, START] + book[row, LENGTH]):
            step = arena[i]
            if step < 0:
                other = find_slot(book, -step)
                load_known(m, s, seen, book, other, (-step - 1) >> 33, va)
                continue
            inner, inner_code = step >> 8, step & 0xFF
            kind, supervisor = inner_code & KIND, 1 if inner_code & SUPERVISOR else 0
            outcome = decode(m, s, memo, inner, kind, supervisor, 1)
            if outcome == MISS:
                log_miss(m, s, seen, stack, log, event, inner, inner_code | HANDLER)
                inner_side = ITLB if kind == FETCH else DTLB
                known = newest(m, s, book, WHEN, 1, inner_side, inner, supervisor)
                if known >= 0:
                    s[SYNTHESISED] += 1
                    s[SYNTHESISED_CYCLES] += refill_cost(s, book, known, inner_side)
                    load_known(m, s, seen, book, known, inner_side, inner)
                    decode(m, s, memo, inner, kind, supervisor, 1)
                else:
                    s[UNEXPLAINED] += 1
            if s[EXPLAINED] and outcome != BYPASS:
                count_use(m, stack, histogram, inner, inner_code, 1)
    m.mmutr, m.mmudr, m.mmuar, m.mmusr = mmutr, mmudr, mmuar, mmusr
    if row >= 0:
        s[SYNTHESISED_CYCLES] += refill_cost(s, book, row, side)


@njit
def refill_cost(s: Ints, book: Ints, row: int, side: int) -> Any:
    """Cycles of this page's last recorded refill, or the side's mean so far, or of either side."""
    if book[row, COST] >= 0:
        return book[row, COST]
    if s[COSTED + side]:
        return s[COSTS + side] // s[COSTED + side]
    other = 1 - side
    return s[COSTS + other] // s[COSTED + other] if s[COSTED + other] else 0


@njit
def add_step(open_: Ints, capture: Ints, level: int, step: int) -> None:
    """Add a reference (VA << 8 | code) or a load (-key) to the template of an open refill."""
    length = open_[level, OPEN_LENGTH]
    if length < MAX_REFILL_EVENTS:
        capture[level, length] = step
        open_[level, OPEN_LENGTH] = length + 1


@njit
def loaded_side(m: Mmu, s: Ints, operation: int) -> int:
    """Which TLB a recorded load goes to."""
    if operation & MMUOR_ADR:
        return DTLB if m.mmuar & s[RECORDED_BASE] else ITLB
    if operation & (MMUOR_UAA | MMUOR_STLB):
        return ITLB if operation & MMUOR_ITLB else DTLB
    return tlb.side_of(m, m.aa)


@njit
def store_window(
    m: Mmu,
    s: Ints,
    book: Ints,
    seen: Ints,
    before: Ints,
    open_: Ints,
    capture: Ints,
    offset: int,
    size: int,
    value: int,
) -> None:
    """A recorded store to the register window.

    Executed as it was, but for its TLB address, which is carried over to this geometry; what it loads enters the book.
    Within a refill that is left out only the plain registers are written.
    """
    operation = 0
    if (size == 4 and offset == OFFSET_MMUOR) or (size == 2 and offset == OFFSET_MMUOR + 2):
        operation = value
    if offset < OFFSET_MMUOR:
        s[MEMO_EPOCH] += 1
    side = 0
    if operation & MMUOR_ACC and not operation & MMUOR_RW:
        side = loaded_side(m, s, operation)
        if not s[EXACT]:
            row = learn(m, s, book, side, m.mmutr, m.mmudr)
            if row >= 0 and s[DEPTH]:
                level = s[DEPTH] - 1
                add_step(open_, capture, level, -book[row, KEY])
                differs = (m.mmutr ^ open_[level, OPEN_VA]) >> tlb.page_bits(m.mmudr)
                if side == open_[level, OPEN_SIDE] and differs == 0:
                    open_[level, OPEN_KEY] = book[row, KEY]
    if operation and s[SKIP_FROM]:
        return
    mmuar, mmudr = m.mmuar, m.mmudr
    if operation & MMUOR_ACC and operation & MMUOR_ADR:
        index = mmuar & (s[RECORDED_BASE] - 1)
        to_side = DTLB if mmuar & s[RECORDED_BASE] else ITLB
        if index < m.entries[to_side]:
            m.mmuar = tlb.address_of(m, to_side, index)
        else:
            # This TLB has no such entry: what window.write would make of an address that is none.
            if operation & MMUOR_RW:
                m.mmutr = 0
                m.mmudr = 0
            else:
                s[LOST_LOADS] += 1
            value &= ~MMUOR_ACC
            operation &= ~MMUOR_ACC
    loads = operation & MMUOR_ACC and not operation & MMUOR_RW
    if loads:
        m.mmudr = resized(s, m.mmutr, mmudr)
    if operation & CLEARS and s[EXPLAINED]:
        keep_images(m, before)
    window.write(m, offset, size, value)
    if operation & MMUOR_ACC:
        m.mmuar = mmuar
    if operation & CLEARS and s[EXPLAINED]:
        note_clear(m, s, seen, before)
    if loads:
        m.mmudr = mmudr
        note_load(m, s, seen, side)


@njit
def begin_refill(s: Ints, open_: Ints, log: Ints, pc: int) -> None:
    """An exception: the one behind a recorded miss opens a refill, if it is one, and tells where the miss was."""
    if s[PATCH_PC]:
        log[s[LOG_USED] - 1, LOG_PC] = pc
        s[PATCH_PC] = 0
    if s[PENDING]:
        level = s[DEPTH]
        open_[level, OPEN_KEY] = 0
        open_[level, OPEN_LENGTH] = 0
        open_[level, OPEN_CYCLES] = s[CYCLES]
        open_[level, OPEN_INNER] = 0
        open_[level, OPEN_VA] = s[PENDING_VA]
        open_[level, OPEN_SIDE] = s[PENDING_SIDE]
        s[DEPTH] = level + 1
        if s[PENDING] == 2 and not s[SKIP_FROM]:
            s[SKIP_FROM] = level + 1
        s[PENDING] = 0


@njit
def end_refill(s: Ints, book: Ints, arena: Ints, open_: Ints, capture: Ints) -> None:
    """The innermost open refill returns: account for its cycles, keep its template and its cost."""
    level = s[DEPTH] - 1
    s[DEPTH] = level
    cycles = s[CYCLES] - open_[level, OPEN_CYCLES]
    own = cycles - open_[level, OPEN_INNER]
    if level:
        open_[level - 1, OPEN_INNER] += cycles
    if s[SKIP_FROM] == level + 1:
        s[SKIP_FROM] = 0
        s[SKIPPED] += 1
        s[SKIPPED_CYCLES] += cycles
        if level:
            s[IN_PLACE_CYCLES] -= cycles
    elif level == 0:
        s[IN_PLACE_CYCLES] += cycles
    side = open_[level, OPEN_SIDE]
    s[COSTED + side] += 1
    s[COSTS + side] += own
    key = open_[level, OPEN_KEY]
    if key:
        row = find_slot(book, key)
        length = open_[level, OPEN_LENGTH]
        before = book[row, LENGTH]
        if before and before != length:
            book[row, VARIES] = 1
        if length > before:
            book[row, START] = s[ARENA_USED]
            s[ARENA_USED] += length
            before = 0
        for i in range(length):
            at = book[row, START] + i
            if before and arena[at] >> GRANULE_BITS + 8 != capture[level, i] >> GRANULE_BITS + 8:
                book[row, VARIES] = 1
            arena[at] = capture[level, i]
        book[row, LENGTH] = length
        book[row, COST] = own


@njit
def write_control(m: Mmu, s: Ints, number: int, value: int) -> None:
    if number != MOVEC_VBR and number != MOVEC_MBAR:
        s[MEMO_EPOCH] += 1
    movec.movec(m, number, value)


@njit
def reset_mmu(m: Mmu, s: Ints, seen: Ints, before: Ints) -> None:
    s[MEMO_EPOCH] += 1
    keep_images(m, before)
    movec.reset(m)
    note_clear(m, s, seen, before)


@njit
def note_wrong(s: Ints, which: int, event: int) -> None:
    """Something differs from the recording."""
    s[which] += 1
    if s[FIRST_WRONG] < 0:
        s[FIRST_WRONG] = event
