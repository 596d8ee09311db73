"""What a replay knows of translations: tables by page, when each was loaded, what became of it, reuse distances."""

from typing import Any

from emu.jit import njit, njit_entry
from emu.mmu import tlb
from emu.mmu.registers import (
    MMUCR_ASM,
    MMUDR_LK,
    MMUDR_SZ,
    MMUDR_SZ_SHIFT,
    MMUTR_ID,
    MMUTR_ID_SHIFT,
    MMUTR_SG,
    MMUTR_V,
    MMUTR_VA,
)
from emu.mmu.state import Mmu
from emu.trace.layout import (
    CAPACITY,
    CLOCK,
    COLD,
    EXPLAINED,
    FATE,
    FATE_FLUSHED,
    FATE_REPLACED,
    FATE_RESIDENT,
    FLUSH,
    KEY,
    LOCK,
    LOCKED,
    POLICY,
    SEEN_USED,
    SEEN_WHEN,
    SHAPES,
    SIZES,
    STACK,
    TAG,
    Ints,
)

__all__ = [
    "classify",
    "count_locked",
    "find_slot",
    "keep_images",
    "key_of_entry",
    "newest",
    "note_clear",
    "note_load",
    "note_shape",
    "rehash",
    "reuse_distance",
    "size_field",
    "translation_key",
    "use_page",
]


# --- tables -------------------------------------------------------------------------------------------
@njit
def find_slot(table: Ints, key: int) -> Any:
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
            larger[find_slot(larger, table[row, KEY]), :] = table[row, :]


@njit
def size_field(bits: int) -> int:
    """SZ of a page size."""
    if bits == 20:
        return 0
    if bits == 12:
        return 1
    return 2 if bits == 13 else 3


@njit
def translation_key(side: int, sz: int, va: int, asid: int, shared: int) -> int:
    """Never 0. A shared entry is the same whatever its ID."""
    page = va >> tlb.page_bits(sz << MMUDR_SZ_SHIFT)
    return 1 + (page | sz << 22 | (0 if shared else asid) << 24 | (1 if shared else 0) << 32 | side << 33)


@njit
def key_of_entry(side: int, tag: int, data: int) -> int:
    """Key of an entry."""
    return translation_key(
        side, (data & MMUDR_SZ) >> MMUDR_SZ_SHIFT, tag & MMUTR_VA, (tag & MMUTR_ID) >> MMUTR_ID_SHIFT, tag & MMUTR_SG
    )


@njit
def newest(m: Mmu, s: Ints, table: Ints, when: int, check_tag: int, side: int, va: int, supervisor: int) -> int:
    """Row of the newest translation in ``table`` that an access would match (tlb.match), or -1.

    ``when`` is the table's column of times; ``check_tag``: the table has tags, to see the ID of shared entries.
    """
    best = -1
    strict = supervisor and m.mmucr & MMUCR_ASM
    asid = 0 if strict else m.asid
    for sz in range(SIZES):
        for shared in range(2):
            if not s[SHAPES] >> (sz << 1 | shared) & 1:
                continue
            row = find_slot(table, translation_key(side, sz, va, asid, shared))
            if table[row, KEY] == 0:
                continue
            if check_tag and strict and table[row, TAG] & MMUTR_ID:
                continue
            if best < 0 or table[row, when] > table[best, when]:
                best = row
    return best


@njit
def note_shape(s: Ints, tag: int, data: int) -> None:
    s[SHAPES] |= 1 << ((data & MMUDR_SZ) >> MMUDR_SZ_SHIFT << 1 | (1 if tag & MMUTR_SG else 0))


# --- reuse ------------------------------------------------------------------------------------------
@njit
def reuse_distance(stack: Ints, side: int, key: int) -> int:
    """Number of other pages used since ``key``; STACK if it is not among the last STACK pages."""
    for depth in range(STACK):
        if stack[side, depth] == key:
            return depth
    return STACK


@njit
def use_page(stack: Ints, histogram: Ints, side: int, key: int, count: int) -> None:
    """A run of ``count`` references to one page: count their reuse distances, make the page the most recent."""
    depth = 0
    if stack[side, 0] != key:
        depth = reuse_distance(stack, side, key)
        for i in range(min(depth, STACK - 1), 0, -1):
            stack[side, i] = stack[side, i - 1]
        stack[side, 0] = key
    histogram[side, depth] += 1
    histogram[side, 0] += count - 1


@njit
def classify(m: Mmu, s: Ints, seen: Ints, stack: Ints, side: int, va: int, supervisor: int) -> int:
    """Why an access misses: see ``emu.trace.explain``."""
    row = newest(m, s, seen, SEEN_WHEN, 0, side, va, supervisor)
    if row < 0:
        return COLD
    if seen[row, FATE] == FATE_FLUSHED:
        return FLUSH
    distance = reuse_distance(stack, side, seen[row, KEY])
    if distance >= m.entries[side]:
        return CAPACITY
    return LOCK if distance >= m.entries[side] - s[LOCKED + side] else POLICY


@njit
def count_locked(m: Mmu, s: Ints) -> None:
    for side in range(2):
        locked = 0
        for index in range(m.entries[side]):
            locked += (m.tag[side, index] & MMUTR_V) != 0 and (m.data[side, index] & MMUDR_LK) != 0
        s[LOCKED + side] = locked


@njit
def note_load(m: Mmu, s: Ints, seen: Ints, side: int) -> None:
    """After tlb.load: what became of the translation that stood there, and that there is a new one."""
    index = m.changed_index
    s[CLOCK] += 1
    note_shape(s, m.tag[side, index], m.data[side, index])
    if not s[EXPLAINED]:
        return
    tag = m.tag[side, index]
    if m.old_tag & MMUTR_V:
        row = find_slot(seen, key_of_entry(side, m.old_tag, m.old_data))
        if seen[row, KEY]:
            # Writing V = 0 is the way to drop one entry (sheet 7 item 17).
            seen[row, FATE] = FATE_REPLACED if tag & MMUTR_V else FATE_FLUSHED
    if tag & MMUTR_V:
        key = key_of_entry(side, tag, m.data[side, index])
        row = find_slot(seen, key)
        if seen[row, KEY] == 0:
            s[SEEN_USED] += 1
            seen[row, KEY] = key
        seen[row, FATE] = FATE_RESIDENT
        seen[row, SEEN_WHEN] = s[CLOCK]
    if (m.data[side, index] | m.old_data) & MMUDR_LK:
        count_locked(m, s)


@njit
def keep_images(m: Mmu, before: Ints) -> None:
    for side in range(2):
        for index in range(m.entries[side]):
            before[0, side, index] = m.tag[side, index]
            before[1, side, index] = m.data[side, index]


@njit
def note_clear(m: Mmu, s: Ints, seen: Ints, before: Ints) -> None:
    """After a clear: which entries it dropped."""
    for side in range(2):
        for index in range(m.entries[side]):
            tag = before[0, side, index]
            if tag & MMUTR_V and not m.tag[side, index] & MMUTR_V:
                row = find_slot(seen, key_of_entry(side, tag, before[1, side, index]))
                if seen[row, KEY]:
                    seen[row, FATE] = FATE_FLUSHED
    count_locked(m, s)
