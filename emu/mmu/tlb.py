"""Which entry answers: match, load, read, clears and search on the two TLBs.

An entry is its MMUTR and MMUDR image; a larger page is just a shorter compare mask. Matching is architecture (CF4UM
10-13, 10-16); the compare mask kept beside each tag is ours: the tag bits that must equal the probe's.
"""

from emu.jit import njit
from emu.mmu import plru
from emu.mmu.registers import (
    MMUCR_ASM,
    MMUDR_CM0,
    MMUDR_LK,
    MMUDR_R,
    MMUDR_SZ,
    MMUDR_SZ_SHIFT,
    MMUDR_W,
    MMUDR_X,
    MMUSR_HIT,
    MMUTR_ID,
    MMUTR_ID_SHIFT,
    MMUTR_SG,
    MMUTR_V,
    MMUTR_VA,
    write_mask,
)
from emu.mmu.state import DTLB, ITLB, WARN_OVERLAP, Mmu
from emu.mmu.warn import warn

__all__ = [
    "address_of",
    "clear_all",
    "clear_asid",
    "clear_non_locked",
    "erase",
    "index_of",
    "load",
    "match",
    "page_bits",
    "read",
    "search",
    "side_of",
]

_TAG_BITS = write_mask("MMUTR")
# CF4UM 10-17: R, W and CM0 do not exist in the ITLB; by symmetry X does not exist in the DTLB (sheet 1.9).
_ITLB_DATA_BITS = write_mask("MMUDR") & ~(MMUDR_R | MMUDR_W | MMUDR_CM0)
_DTLB_DATA_BITS = write_mask("MMUDR") & ~MMUDR_X
# log2 of the page size for SZ = 3, 2, 1, 0, one byte each (CF4UM 10-17): 1 KB, 8 KB, 4 KB, 1 MB.
_PAGE_BITS = 10 << 24 | 13 << 16 | 12 << 8 | 20


@njit
def page_bits(data: int) -> int:
    """log2 of the page size of an MMUDR image: 10, 12, 13 or 20."""
    return (_PAGE_BITS >> ((data & MMUDR_SZ) >> MMUDR_SZ_SHIFT) * 8) & 0xFF


@njit
def _compare_mask(tag: int, data: int) -> int:
    """Tag bits that must equal the probe's: page address, V, and the ID unless the entry is shared."""
    bits = page_bits(data)
    mask = MMUTR_VA >> bits << bits | MMUTR_V
    return mask if tag & MMUTR_SG else mask | MMUTR_ID


@njit
def match(m: Mmu, side: int, va: int, supervisor: int) -> int:
    """Index of the entry that answers for ``va`` (sheet 1.10), or -1; permissions take no part. Pure.

    With several matching entries the lowest TLB address answers (sheet 7 item 7).
    """
    asid = m.asid
    strict = 0
    if supervisor and m.mmucr & MMUCR_ASM:
        # CF4UM 10-13, table 10-5: in this mode the supervisor sees ID 0 only, shared or not.
        asid = 0
        strict = MMUTR_ID
    probe = (va & MMUTR_VA) | asid << MMUTR_ID_SHIFT | MMUTR_V
    entries = m.entries[side]
    # All entries are always compared: without an early exit the loop becomes vector code, four times as fast.
    lowest = entries
    for index in range(entries):
        differs = (m.tag[side, index] ^ probe) & (m.compare[side, index] | strict)
        lowest = min(lowest, entries if differs else index)
    return lowest if lowest < entries else -1


@njit
def _overlaps(m: Mmu, side: int, index: int) -> bool:
    """Whether some access would match both this entry and another one: the bits both compare are equal."""
    tag = m.tag[side, index]
    compare = m.compare[side, index]
    if not tag & MMUTR_V:
        return False
    count = 0
    for other in range(m.entries[side]):
        count += ((m.tag[side, other] ^ tag) & (m.compare[side, other] & compare)) == 0
    # The entry matches itself.
    return count > 1


@njit
def load(m: Mmu, side: int, index: int, tag: int, data: int) -> None:
    """Write one entry from an MMUTR and an MMUDR image, as given, V = 0 included (sheet 7 item 17).

    Leaves the number and the previous image in ``changed_index``, ``old_tag`` and ``old_data``.
    """
    tag &= _TAG_BITS
    data &= _ITLB_DATA_BITS if side == ITLB else _DTLB_DATA_BITS
    old_tag = m.tag[side, index]
    old_data = m.data[side, index]
    m.changed_index = index
    m.old_tag = old_tag
    m.old_data = old_data
    m.tag[side, index] = tag
    m.data[side, index] = data
    m.compare[side, index] = _compare_mask(tag, data)
    m.valid[side] += (tag & MMUTR_V) - (old_tag & MMUTR_V)
    if (data ^ old_data) & MMUDR_LK:
        plru.set_locked(m, side, index, 1 if data & MMUDR_LK else 0)
    plru.note_load(m, side, index)
    if _overlaps(m, side, index):
        warn(m, WARN_OVERLAP)


@njit
def read(m: Mmu, side: int, index: int) -> tuple[int, int]:
    """MMUTR and MMUDR image of one entry; reading does not touch the replacement state (sheet 7 item 9)."""
    return m.tag[side, index], m.data[side, index]


@njit
def _clear(m: Mmu, keep_locked: bool, asid: int) -> bool:
    """Invalidate entries of both TLBs (``asid`` -1 = any); only V changes. Returns whether there was one to drop."""
    dropped = False
    for side in range(2):
        for index in range(m.entries[side]):
            tag = m.tag[side, index]
            if not tag & MMUTR_V or (keep_locked and m.data[side, index] & MMUDR_LK):
                continue
            if asid >= 0 and (tag & MMUTR_ID) >> MMUTR_ID_SHIFT != asid:
                continue
            m.tag[side, index] = tag & ~MMUTR_V
            m.valid[side] -= 1
            dropped = True
    return dropped


@njit
def clear_all(m: Mmu) -> bool:
    """CA: invalidate all entries, locked ones too, and reset replacement (54455RM 4-6); whether it dropped any."""
    plru.reset(m, ITLB)
    plru.reset(m, DTLB)
    return _clear(m, False, -1)


@njit
def clear_non_locked(m: Mmu) -> bool:
    """CNL: invalidate all non-locked entries; replacement state stays (sheet 7 item 9); whether it dropped any."""
    return _clear(m, True, -1)


@njit
def clear_asid(m: Mmu, asid: int) -> bool:
    """CAS: invalidate the non-locked entries with this ID, shared ones too; whether it dropped any."""
    return _clear(m, True, asid)


@njit
def erase(m: Mmu) -> None:
    """Forget every entry, image and all, and the replacement state: our reading of "undefined" after reset."""
    for side in range(2):
        for index in range(m.entries[side]):
            load(m, side, index, 0, 0)
        plru.reset(m, side)


@njit
def address_of(m: Mmu, side: int, index: int) -> int:
    """TLB address of an entry: ITLB from 0, DTLB from 32, or from the tree size above 32 entries (CF4UM 10-20)."""
    address: int = m.dtlb_base + index if side == DTLB else index
    return address


@njit
def side_of(m: Mmu, address: int) -> int:
    """Which TLB a TLB address belongs to; bits above the widest address are ignored."""
    return DTLB if address & m.dtlb_base else ITLB


@njit
def index_of(m: Mmu, address: int) -> int:
    """Entry number of a TLB address within its TLB; may lie beyond ``entries`` where a TLB is not full-sized."""
    index: int = address & (m.dtlb_base - 1)
    return index


@njit
def search(m: Mmu, side: int) -> None:
    """STLB: look MMUAR up, set MMUSR[HIT] and AA (54455RM 4-6), leave the replacement state alone.

    The argument is always MMUAR, whatever ADR says (sheet 7 item 18); its bit 0 is the supervisor bit and the ASID is
    the ASID register's (sheet 7 item 19). A miss leaves the replacement choice in AA.
    """
    index = match(m, side, m.mmuar, m.mmuar & 1)
    m.mmusr = MMUSR_HIT if index >= 0 else 0
    m.aa = address_of(m, side, index if index >= 0 else plru.replacement(m, side))
