"""The compiled half of :mod:`emu.trace.replay`: one chunk of events through an MMU, on the recorded TLBs or on others.

The rule of the replay stands in ``replay``. All compiled code of it is in this file, because numba notices changes of
the file that a cached function stands in, and of ``emu.mmu`` (emu.jit), but of no third one; the codes of events that
it uses are the file format and do not change.

The state between two chunks is kept in arrays: ``s`` (scalars by the numbers below), two hash tables (rows of ``book``
and ``seen``, column 0 the key, 0 = free), the templates of refills (``arena``), the handlers open at the moment
(``open_``, ``capture``), a memo of decodes, the LRU stacks and the log of misses. Nothing grows with the length of the
trace, only with the number of translations in it. A call ends early, to be continued, when a table is nearly full.
"""

from typing import Any

import numpy as np

from emu.jit import njit, njit_entry, njit_inline
from emu.mmu import attributes, movec, plru, tlb, window
from emu.mmu.registers import (
    MMUCR_ASM,
    MMUDR_LK,
    MMUDR_PA,
    MMUDR_R,
    MMUDR_SP,
    MMUDR_SZ,
    MMUDR_SZ_SHIFT,
    MMUDR_W,
    MMUDR_X,
    MMUOR_ACC,
    MMUOR_ADR,
    MMUOR_CA,
    MMUOR_CAS,
    MMUOR_CNL,
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
    OFFSET_MMUTR,
    VECTOR_ACCESS_ERROR,
)
from emu.mmu.state import DTLB, FETCH, ITLB, WARN_OVERLAP, Mmu
from emu.trace.events import (
    ASIDE,
    CONTROL_WRITE,
    ENTER,
    FRAME,
    GRANULE_BITS,
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

# Arrays of int64, and the columns of events: numba sees arrays, mypy must not look inside.
Ints = Any

# --- scalars ------------------------------------------------------------------------------------------
POSITION = 0  # of the next event in the chunk
EVENT = 1  # events before this chunk
INSTRUCTIONS = 2
CYCLES = 3
CURRENT_PHASE = 4
PC = 5  # the last fetch, at the granule's precision
HITS = 6  # two: per side
MISSES = 8  # two: per side
NESTED = 10  # misses of refill handlers' own references
BYPASSED = 11  # references that MMUBAR, a RAMBAR, an ACR or a switched-off MMU answered for
VIOLATIONS = 12
# What differs between the recording and this replay, on the recorded geometry.
WRONG_MISSES = 13
WRONG_ENTRIES = 14
CHECKED_ENTRIES = 15
FIRST_WRONG = 16  # number of the event, -1 = none
# What no rule explains, on other geometries.
FORCED = 17  # kernel work behind a recorded miss that did not miss here: executed all the same
STALE = 18  # an access that completed was refused here by an older translation's rights
UNEXPLAINED = 19  # a miss on a page that nobody ever loaded
LOST_LOADS = 20  # loads of entry numbers that this TLB has not
# Costs in cycles.
IN_PLACE_CYCLES = 21
SKIPPED_CYCLES = 22
SYNTHESISED_CYCLES = 23
SYNTHESISED = 24
SKIPPED = 25
COSTED = 26  # two: recorded refills per side ...
COSTS = 28  # two: ... and their cycles, inner ones not included
# Progress inside handlers.
DEPTH = 30  # recorded refills open
SKIP_FROM = 31  # the one of them that is left out, and all inside it; 0 = events are executed
MISS_NUMBER = 32  # recorded misses so far
PENDING = 33  # the last event was a recorded miss that begins a refill: 1 = executed, 2 = left out; else 0
PENDING_VA = 34
PENDING_SIDE = 35
PATCH_PC = 36  # the newest row of the log still waits for the PC in ENTER
# Tables.
BOOK_USED = 37
SEEN_USED = 38
ARENA_USED = 39
LOG_USED = 40
CLOCK = 41  # orders loads in time
MEMO_EPOCH = 42
# Configuration.
EXACT = 43
FOREIGN = 44
FORCED_BITS = 45  # log2 of the page size of every unlocked entry, 0 = as recorded
RECORDED_BASE = 46  # first TLB address of the recorded DTLB
EXPLAINED = 47  # classify misses, measure reuse distances
REFERENCES = 48  # completed, HANDLER ones included
INSIDE = 49  # HANDLER references among them
LOCKED = 50  # two: locked valid entries per side, kept for the classification
SHAPES = 52  # bits SZ << 1 | SG that occurred among the loads
APPROXIMATED = 53  # synthesised refills that may not be what a handler would do: see the rule
SCALARS = 54

# Columns of the tables.
KEY, TAG, DATA, WHEN, START, LENGTH, COST, OWN_ID, VARIES = range(9)
BOOK_COLUMNS = 9
FATE, SEEN_WHEN = 1, 2
SEEN_COLUMNS = 3
FATE_RESIDENT, FATE_REPLACED, FATE_FLUSHED = 1, 2, 3
LOG_EVENT, LOG_VA, LOG_CODE, LOG_ASID, LOG_PC, LOG_CLASS, LOG_PHASE, LOG_INSTRUCTIONS, LOG_CYCLES = range(9)
LOG_COLUMNS = 9
COLD, CAPACITY, FLUSH, LOCK, POLICY, UNCLASSIFIED = range(6)

# Open refills: deeper nests, longer refills and more of a handler's references are nowhere in sight.
MAX_DEPTH = 8
MAX_REFILL_EVENTS = 256
OPEN_KEY, OPEN_LENGTH, OPEN_CYCLES, OPEN_INNER, OPEN_VA, OPEN_SIDE = range(6)
OPEN_COLUMNS = 6
SCAN_NUMBER, SCAN_EVENTS, SCAN_LOADED = range(3)
SCAN_COLUMNS = 3
SCAN_DEPTH, SCAN_MISSES, SCAN_PENDING, SCAN_TAG = range(4)
SCAN_SCALARS = 4
MARGIN = 4 * MAX_REFILL_EVENTS  # rows that one event can add to any table
LOOKAHEAD = MAX_DEPTH * (MAX_REFILL_EVENTS + 1)
REFILLS = 1 << 18  # more than there are misses in two chunks and LOOKAHEAD
STACK = 128
MEMO = 1024
MEMO_KEY, MEMO_RIGHTS, MEMO_INDEX, MEMO_TAG, MEMO_DATA = range(5)
MEMO_COLUMNS = 5

_HIT, _BYPASS, _MISS, _VIOLATION = 0, 1, 2, 3
_UNKNOWN = -2
_SIZES = 4
_RIGHTS = MMUDR_R | MMUDR_W | MMUDR_X
_CLEARS = MMUOR_CA | MMUOR_CNL | MMUOR_CAS
_OVERLAPS = 1 << WARN_OVERLAP


# --- tables -------------------------------------------------------------------------------------------
@njit
def _slot(table: Ints, key: int) -> Any:
    """Row of ``key``, or the free row where it belongs."""
    mask = table.shape[0] - 1
    row = (key * 0x9E3779B97F4A7C1) >> 20 & mask
    while table[row, KEY] != 0 and table[row, KEY] != key:
        row = (row + 1) & mask
    return row


@njit_entry
def rehash(table: Ints, larger: Ints) -> None:
    """Move every row of a table to an empty larger one."""
    for row in range(table.shape[0]):
        if table[row, KEY]:
            larger[_slot(larger, table[row, KEY]), :] = table[row, :]


@njit
def _sz(bits: int) -> int:
    """SZ of a page size."""
    if bits == 20:
        return 0
    if bits == 12:
        return 1
    return 2 if bits == 13 else 3


@njit
def _key(side: int, sz: int, va: int, asid: int, shared: int) -> int:
    """Never 0. A shared entry is the same whatever its ID."""
    page = va >> tlb.page_bits(sz << MMUDR_SZ_SHIFT)
    return 1 + (page | sz << 22 | (0 if shared else asid) << 24 | (1 if shared else 0) << 32 | side << 33)


@njit
def _key_of(side: int, tag: int, data: int) -> int:
    """Key of an entry."""
    return _key(
        side, (data & MMUDR_SZ) >> MMUDR_SZ_SHIFT, tag & MMUTR_VA, (tag & MMUTR_ID) >> MMUTR_ID_SHIFT, tag & MMUTR_SG
    )


@njit
def _newest(m: Mmu, s: Ints, table: Ints, when: int, check_tag: int, side: int, va: int, supervisor: int) -> int:
    """Row of the newest translation in ``table`` that an access would match (tlb.match), or -1.

    ``when`` is the table's column of times; ``check_tag``: the table has tags, to see the ID of shared entries.
    """
    best = -1
    strict = supervisor and m.mmucr & MMUCR_ASM
    asid = 0 if strict else m.asid
    for sz in range(_SIZES):
        for shared in range(2):
            if not s[SHAPES] >> (sz << 1 | shared) & 1:
                continue
            row = _slot(table, _key(side, sz, va, asid, shared))
            if table[row, KEY] == 0:
                continue
            if check_tag and strict and table[row, TAG] & MMUTR_ID:
                continue
            if best < 0 or table[row, when] > table[best, when]:
                best = row
    return best


@njit
def _note_shape(s: Ints, tag: int, data: int) -> None:
    s[SHAPES] |= 1 << ((data & MMUDR_SZ) >> MMUDR_SZ_SHIFT << 1 | (1 if tag & MMUTR_SG else 0))


# --- reuse ------------------------------------------------------------------------------------------
@njit
def _distance(stack: Ints, side: int, key: int) -> int:
    """Number of other pages used since ``key``; STACK if it is not among the last STACK pages."""
    for depth in range(STACK):
        if stack[side, depth] == key:
            return depth
    return STACK


@njit
def _use(stack: Ints, histogram: Ints, side: int, key: int, count: int) -> None:
    """A run of ``count`` references to one page: count their reuse distances, make the page the most recent."""
    depth = 0
    if stack[side, 0] != key:
        depth = _distance(stack, side, key)
        for i in range(min(depth, STACK - 1), 0, -1):
            stack[side, i] = stack[side, i - 1]
        stack[side, 0] = key
    histogram[side, depth] += 1
    histogram[side, 0] += count - 1


@njit
def _classify(m: Mmu, s: Ints, seen: Ints, stack: Ints, side: int, va: int, supervisor: int) -> int:
    """Why an access misses: see ``emu.trace.explain``."""
    row = _newest(m, s, seen, SEEN_WHEN, 0, side, va, supervisor)
    if row < 0:
        return COLD
    if seen[row, FATE] == FATE_FLUSHED:
        return FLUSH
    distance = _distance(stack, side, seen[row, KEY])
    if distance >= m.entries[side]:
        return CAPACITY
    return LOCK if distance >= m.entries[side] - s[LOCKED + side] else POLICY


@njit
def _count_locked(m: Mmu, s: Ints) -> None:
    for side in range(2):
        locked = 0
        for index in range(m.entries[side]):
            locked += (m.tag[side, index] & MMUTR_V) != 0 and (m.data[side, index] & MMUDR_LK) != 0
        s[LOCKED + side] = locked


@njit
def _note_load(m: Mmu, s: Ints, seen: Ints, side: int) -> None:
    """After tlb.load: what became of the translation that stood there, and that there is a new one."""
    index = m.changed_index
    s[CLOCK] += 1
    _note_shape(s, m.tag[side, index], m.data[side, index])
    if not s[EXPLAINED]:
        return
    tag = m.tag[side, index]
    if m.old_tag & MMUTR_V:
        row = _slot(seen, _key_of(side, m.old_tag, m.old_data))
        if seen[row, KEY]:
            # Writing V = 0 is the way to drop one entry (sheet 7 item 17).
            seen[row, FATE] = FATE_REPLACED if tag & MMUTR_V else FATE_FLUSHED
    if tag & MMUTR_V:
        key = _key_of(side, tag, m.data[side, index])
        row = _slot(seen, key)
        if seen[row, KEY] == 0:
            s[SEEN_USED] += 1
            seen[row, KEY] = key
        seen[row, FATE] = FATE_RESIDENT
        seen[row, SEEN_WHEN] = s[CLOCK]
    if (m.data[side, index] | m.old_data) & MMUDR_LK:
        _count_locked(m, s)


@njit
def _keep_images(m: Mmu, before: Ints) -> None:
    for side in range(2):
        for index in range(m.entries[side]):
            before[0, side, index] = m.tag[side, index]
            before[1, side, index] = m.data[side, index]


@njit
def _note_clear(m: Mmu, s: Ints, seen: Ints, before: Ints) -> None:
    """After a clear: which entries it dropped."""
    for side in range(2):
        for index in range(m.entries[side]):
            tag = before[0, side, index]
            if tag & MMUTR_V and not m.tag[side, index] & MMUTR_V:
                row = _slot(seen, _key_of(side, tag, before[1, side, index]))
                if seen[row, KEY]:
                    seen[row, FATE] = FATE_FLUSHED
    _count_locked(m, s)


# --- one access ---------------------------------------------------------------------------------------
@njit_inline
def _memo_place(va: int, side: int, supervisor: int, epoch: int) -> tuple[int, int]:
    """Row and key of what the memo knows of an access."""
    granule = va >> GRANULE_BITS
    row = (granule ^ granule >> 10 ^ side << 9 ^ supervisor << 8) & (MEMO - 1)
    return row, granule | side << 22 | supervisor << 23 | epoch << 24


@njit_inline
def _recall(m: Mmu, memo: Ints, row: int, key: int, side: int, kind: int) -> Any:
    """The entry that answers, -1 if no entry has to, or _UNKNOWN."""
    index = _UNKNOWN
    if memo[row, MEMO_KEY] == key and attributes.permits(memo[row, MEMO_RIGHTS], kind):
        known = memo[row, MEMO_INDEX]
        if known < 0 or (
            m.tag[side, known] == memo[row, MEMO_TAG]
            and m.data[side, known] == memo[row, MEMO_DATA]
            and not m.warnings & _OVERLAPS
        ):
            index = known
    return index


@njit
def _decode(m: Mmu, s: Ints, memo: Ints, va: int, kind: int, supervisor: int, touch: int) -> int:
    """_HIT, _BYPASS, _MISS or _VIOLATION: attributes.access with a memo in front; ``touch`` 0 leaves no trace at all.

    The memo holds what decoded before: it is right as long as no control register was written (the epoch) and the
    entry has the same images, unless entries overlap, which the MMU counts as warnings.
    """
    side = ITLB if kind == FETCH else DTLB
    row, key = _memo_place(va, side, supervisor, s[MEMO_EPOCH])
    index = _recall(m, memo, row, key, side, kind)
    if index != _UNKNOWN:
        if index < 0:
            return _BYPASS
        if touch:
            plru.touch(m, side, index)
        return _HIT
    source, index, _, perms, _, _ = attributes.resolve(m, va, kind, supervisor)
    if not attributes.permits(perms, kind):
        if touch:
            attributes.fault(m, va, kind, supervisor)
        return _MISS if source == attributes.MISS else _VIOLATION
    memo[row, MEMO_KEY] = key
    memo[row, MEMO_RIGHTS] = perms
    if source != attributes.TLB:
        memo[row, MEMO_INDEX] = -1
        return _BYPASS
    memo[row, MEMO_INDEX] = index
    memo[row, MEMO_TAG] = m.tag[side, index]
    memo[row, MEMO_DATA] = m.data[side, index]
    if touch:
        plru.touch(m, side, index)
    return _HIT


@njit
def _count_use(m: Mmu, stack: Ints, histogram: Ints, va: int, code: int, count: int) -> None:
    """The reuse distance of a run that the TLB served; locked entries have none."""
    side = ITLB if code & KIND == FETCH else DTLB
    index = tlb.match(m, side, va, 1 if code & SUPERVISOR else 0)
    if index >= 0 and not m.data[side, index] & MMUDR_LK:
        _use(stack, histogram, side, _key_of(side, m.tag[side, index], m.data[side, index]), count)


@njit
def _complete(m: Mmu, s: Ints, stack: Ints, histogram: Ints, outcome: int, va: int, code: int, count: int) -> None:
    """A run that was not refused: its counts and its reuse distance."""
    s[REFERENCES] += count
    if code & HANDLER:
        s[INSIDE] += count
    if outcome == _BYPASS:
        s[BYPASSED] += count
        return
    side = ITLB if code & KIND == FETCH else DTLB
    s[HITS + side] += count
    if s[EXPLAINED]:
        _count_use(m, stack, histogram, va, code, count)


@njit
def _log_miss(m: Mmu, s: Ints, seen: Ints, stack: Ints, log: Ints, event: int, va: int, code: int) -> None:
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
        log[row, LOG_CLASS] = _classify(m, s, seen, stack, side, va, 1 if code & SUPERVISOR else 0)
    log[row, LOG_PHASE] = s[CURRENT_PHASE]
    log[row, LOG_INSTRUCTIONS] = s[INSTRUCTIONS]
    log[row, LOG_CYCLES] = s[CYCLES]


# --- what other geometries need -----------------------------------------------------------------------
@njit
def _resized(s: Ints, tag: int, data: int) -> int:
    """MMUDR of an entry in this replay: another page size if one is asked for, and then every right (the rule)."""
    if s[FORCED_BITS] == 0 or data & MMUDR_LK or not tag & MMUTR_V:
        return data
    return (data & ~(MMUDR_SZ | MMUDR_SP)) | _RIGHTS | _sz(s[FORCED_BITS]) << MMUDR_SZ_SHIFT


@njit
def _put(m: Mmu, s: Ints, seen: Ints, side: int, tag: int, data: int) -> None:
    """What UAA and ACC do, with these images."""
    index = plru.replacement(m, side)
    m.aa = tlb.address_of(m, side, index)
    tlb.load(m, side, index, tag, _resized(s, tag, data))
    _note_load(m, s, seen, side)


@njit
def _learn(m: Mmu, s: Ints, book: Ints, side: int, tag: int, data: int) -> Any:
    """Enter a recorded load into the book; returns its row, or -1 for one of an invalid entry."""
    if not tag & MMUTR_V:
        return -1
    key = _key_of(side, tag, data)
    row = _slot(book, key)
    if book[row, KEY] == 0:
        s[BOOK_USED] += 1
        book[row, KEY] = key
        book[row, START] = 0
        book[row, LENGTH] = 0
        book[row, COST] = -1
        book[row, VARIES] = 0
    _note_shape(s, tag, data)
    book[row, TAG] = tag
    book[row, DATA] = data
    s[CLOCK] += 1
    book[row, OWN_ID] = (tag & MMUTR_ID) >> MMUTR_ID_SHIFT == m.asid
    book[row, WHEN] = s[CLOCK]
    return row


@njit
def _load_known(m: Mmu, s: Ints, seen: Ints, book: Ints, row: int, side: int, va: int) -> None:
    """Load what the book says, unlocked; without a book, in a foreign trace, a page that everybody may use."""
    if row >= 0:
        tag = book[row, TAG]
        if book[row, OWN_ID]:
            # For CAS drops shared entries by their ID, too.
            tag = (tag & ~MMUTR_ID) | m.asid << MMUTR_ID_SHIFT
        _put(m, s, seen, side, tag, book[row, DATA] & ~MMUDR_LK)
    else:
        _put(m, s, seen, side, (va & MMUTR_VA) | MMUTR_SG | MMUTR_V, (va & MMUDR_PA) | _RIGHTS)


@njit
def _refill(
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
    _log_miss(m, s, seen, stack, log, event, va, code)
    s[SYNTHESISED] += 1
    row = _newest(m, s, book, WHEN, 1, side, va, 1 if code & SUPERVISOR else 0)
    if row < 0 and not s[FOREIGN]:
        s[UNEXPLAINED] += 1
        return
    if not s[FOREIGN] and (book[row, LENGTH] == 0 or book[row, VARIES]):
        s[APPROXIMATED] += 1
    # Software that runs between two stores to the MMU does not see a synthesised handler.
    mmutr, mmudr, mmuar, mmusr = m.mmutr, m.mmudr, m.mmuar, m.mmusr
    if row < 0 or book[row, LENGTH] == 0:
        _load_known(m, s, seen, book, row, side, va)
    else:
        for i in range(book[row, START], book[row, START] + book[row, LENGTH]):
            step = arena[i]
            if step < 0:
                other = _slot(book, -step)
                _load_known(m, s, seen, book, other, (-step - 1) >> 33, va)
                continue
            inner, inner_code = step >> 8, step & 0xFF
            kind, supervisor = inner_code & KIND, 1 if inner_code & SUPERVISOR else 0
            outcome = _decode(m, s, memo, inner, kind, supervisor, 1)
            if outcome == _MISS:
                _log_miss(m, s, seen, stack, log, event, inner, inner_code | HANDLER)
                inner_side = ITLB if kind == FETCH else DTLB
                known = _newest(m, s, book, WHEN, 1, inner_side, inner, supervisor)
                if known >= 0:
                    s[SYNTHESISED] += 1
                    s[SYNTHESISED_CYCLES] += _cost(s, book, known, inner_side)
                    _load_known(m, s, seen, book, known, inner_side, inner)
                    _decode(m, s, memo, inner, kind, supervisor, 1)
                else:
                    s[UNEXPLAINED] += 1
            if s[EXPLAINED] and outcome != _BYPASS:
                _count_use(m, stack, histogram, inner, inner_code, 1)
    m.mmutr, m.mmudr, m.mmuar, m.mmusr = mmutr, mmudr, mmuar, mmusr
    if row >= 0:
        s[SYNTHESISED_CYCLES] += _cost(s, book, row, side)


@njit
def _cost(s: Ints, book: Ints, row: int, side: int) -> Any:
    """Cycles of this page's last recorded refill, or the side's mean so far, or of either side."""
    if book[row, COST] >= 0:
        return book[row, COST]
    if s[COSTED + side]:
        return s[COSTS + side] // s[COSTED + side]
    other = 1 - side
    return s[COSTS + other] // s[COSTED + other] if s[COSTED + other] else 0


@njit
def _step(open_: Ints, capture: Ints, level: int, step: int) -> None:
    """Add a reference (VA << 8 | code) or a load (-key) to the template of an open refill."""
    length = open_[level, OPEN_LENGTH]
    if length < MAX_REFILL_EVENTS:
        capture[level, length] = step
        open_[level, OPEN_LENGTH] = length + 1


@njit
def _loaded_side(m: Mmu, s: Ints, operation: int) -> int:
    """Which TLB a recorded load goes to."""
    if operation & MMUOR_ADR:
        return DTLB if m.mmuar & s[RECORDED_BASE] else ITLB
    if operation & (MMUOR_UAA | MMUOR_STLB):
        return ITLB if operation & MMUOR_ITLB else DTLB
    return tlb.side_of(m, m.aa)


@njit
def _store_window(
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
        side = _loaded_side(m, s, operation)
        if not s[EXACT]:
            row = _learn(m, s, book, side, m.mmutr, m.mmudr)
            if row >= 0 and s[DEPTH]:
                level = s[DEPTH] - 1
                _step(open_, capture, level, -book[row, KEY])
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
        m.mmudr = _resized(s, m.mmutr, mmudr)
    if operation & _CLEARS and s[EXPLAINED]:
        _keep_images(m, before)
    window.write(m, offset, size, value)
    if operation & MMUOR_ACC:
        m.mmuar = mmuar
    if operation & _CLEARS and s[EXPLAINED]:
        _note_clear(m, s, seen, before)
    if loads:
        m.mmudr = mmudr
        _note_load(m, s, seen, side)


@njit
def _enter(s: Ints, open_: Ints, log: Ints, pc: int) -> None:
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
def _leave(s: Ints, book: Ints, arena: Ints, open_: Ints, capture: Ints) -> None:
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
        row = _slot(book, key)
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
def _control(m: Mmu, s: Ints, number: int, value: int) -> None:
    if number != MOVEC_VBR and number != MOVEC_MBAR:
        s[MEMO_EPOCH] += 1
    movec.movec(m, number, value)


@njit
def _reset(m: Mmu, s: Ints, seen: Ints, before: Ints) -> None:
    s[MEMO_EPOCH] += 1
    _keep_images(m, before)
    movec.reset(m)
    _note_clear(m, s, seen, before)


@njit
def _wrong(s: Ints, which: int, event: int) -> None:
    """Something differs from the recording."""
    s[which] += 1
    if s[FIRST_WRONG] < 0:
        s[FIRST_WRONG] = event


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
            if offset < OFFSET_MMUOR or (offset == OFFSET_MMUOR and y & _CLEARS):
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
                _learn(m, s, book, side, tag, data)
                m.changed_index = index
                m.old_tag = 0
                _note_load(m, s, seen, side)
    _count_locked(m, s)


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
                    _note_load(m, s, seen, side)
                else:
                    s[LOST_LOADS] += 1
        for index in range(r.entries[side]):
            tag, data = r.tag[side, index], r.data[side, index]
            if tag & MMUTR_V and not data & MMUDR_LK and tlb.match(m, side, tag & MMUTR_VA, 0) < 0:
                _put(m, s, seen, side, tag, data)
    _count_locked(m, s)


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
            row, key = _memo_place(x, side, (what & SUPERVISOR) >> 2, epoch)
            index = _recall(m, memo, row, key, side, kind)
            if index != _UNKNOWN:
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
                elif _decode(m, s, memo, x, kind, supervisor, 0) != _BYPASS:
                    _step(open_, capture, s[DEPTH] - 1, x << 8 | what)
                continue
            outcome = _decode(m, s, memo, x, kind, supervisor, 1)
            if what & MISSED:
                s[PATCH_PC] = 0
                is_refill = refill[s[MISS_NUMBER] & (REFILLS - 1)]
                s[MISS_NUMBER] += 1
                s[PENDING] = is_refill
                s[PENDING_VA] = x
                s[PENDING_SIDE] = ITLB if kind == FETCH else DTLB
                if outcome == _MISS:
                    _log_miss(m, s, seen, stack, log, event, x, what)
                    s[PATCH_PC] = 1
                elif s[EXACT]:
                    _wrong(s, WRONG_MISSES, event)
                elif is_refill:
                    s[PENDING] = 2
                else:
                    s[FORCED] += 1
                continue
            if outcome == _MISS:
                if s[EXACT]:
                    _wrong(s, WRONG_MISSES, event)
                    _log_miss(m, s, seen, stack, log, event, x, what)
                    continue
                _refill(m, s, memo, book, seen, arena, stack, histogram, log, event, x, what)
                outcome = _decode(m, s, memo, x, kind, supervisor, 1)
            if what & VIOLATED:
                s[VIOLATIONS] += 1
                if s[EXACT] and outcome != _VIOLATION:
                    _wrong(s, WRONG_MISSES, event)
                continue
            if outcome == _VIOLATION:
                if s[EXACT]:
                    _wrong(s, WRONG_MISSES, event)
                else:
                    s[STALE] += 1
            _complete(m, s, stack, histogram, outcome, x, what, y)
            if s[DEPTH] and outcome != _BYPASS and not s[EXACT]:
                _step(open_, capture, s[DEPTH] - 1, x << 8 | what)
        elif what == WINDOW_WRITE:
            _store_window(m, s, book, seen, before, open_, capture, x & 0xFF, x >> 8, y)
            epoch = s[MEMO_EPOCH]
        elif what == LOADED:
            if s[EXACT]:
                s[CHECKED_ENTRIES] += 1
                if (x & 0xFF) != m.changed_index or m.tag[x >> 8, x & 0xFF] != y:
                    _wrong(s, WRONG_ENTRIES, event)
        elif what == STAMP:
            s[INSTRUCTIONS] += x
            s[CYCLES] += y
        elif what == ENTER:
            _enter(s, open_, log, x)
        elif what == LEAVE:
            if s[DEPTH]:
                _leave(s, book, arena, open_, capture)
        elif what == CONTROL_WRITE:
            _control(m, s, x, y)
            epoch = s[MEMO_EPOCH]
        elif what == RESET:
            _reset(m, s, seen, before)
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


CLEAR_ALL, CLEAR_ASID = -1, -2  # keys of page_keys; the second is less by the ASID
KEY_SIDE, KEY_SHARED, KEY_ASID = 31, 30, 22  # bits of a page's key


@njit
def _clears(m: Mmu, keys: Ints, used: int, operation: int) -> int:
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
            outcome = _decode(m, s, memo, x, kind, supervisor, 1)
            if outcome == _BYPASS or what & (MISSED | VIOLATED | HANDLER):
                continue
            shared = 0
            if outcome != _MISS:
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
                used = _clears(m, keys, used, y)
            window.write(m, offset, size, y)
        elif what == CONTROL_WRITE:
            _control(m, s, x, y)
        elif what == RESET:
            s[MEMO_EPOCH] += 1
            movec.reset(m)
            keys[used] = CLEAR_ALL
            counts[used] = 0
            used += 1
    return used
