"""What a change of the MMU model means for unicorn's softmmu, which must stay a subset of it."""

from emu.cpu.images import drop_images
from emu.cpu.memory import disarm, flush_all, flush_page
from emu.cpu.state import State
from emu.jit import njit
from emu.mmu.attributes import TLB
from emu.mmu.registers import (
    MMUDR_LK,
    MMUOR_ACC,
    MMUOR_ADR,
    MMUOR_CA,
    MMUOR_CAS,
    MMUOR_CNL,
    MMUOR_ITLB,
    MMUOR_RW,
    MMUOR_STLB,
    MMUOR_UAA,
    MMUTR_V,
    OFFSET_MMUOR,
)
from emu.mmu.state import EFFECT_ALL, EFFECT_DTLB, EFFECT_ITLB, ITLB, WARN_OVERLAP
from emu.mmu.tlb import page_bits, side_of

__all__ = ["apply_effect", "may_move_code"]

PAGE = 4096
MANY_PAGES_BITS = 13


@njit
def flush_range(s: State, va: int, bits: int) -> None:
    """Drop the softmmu pages of a page of ``1 << bits`` bytes at ``va``; a full flush beats 256 small ones."""
    if bits > MANY_PAGES_BITS:
        flush_all(s)
        return
    page = (va >> bits) << bits & 0xFFFFF000
    end = page + (1 << bits)
    while page < end:
        flush_page(s, page)
        page += PAGE


@njit
def apply_effect(s: State, effect: int, overlaps: int) -> None:
    """Follow a write that returned ``effect``; ``overlaps`` = count of WARN_OVERLAP before it.

    Only what may be resident has to go: pages of the armed entry, of locked entries and of the ITLB. A new entry hides
    nothing that was resident, because its pages missed, unless it overlaps another entry.
    """
    m = s.mmu
    s.small_epoch += 1
    if effect & EFFECT_ALL or m.warning_count[WARN_OVERLAP] != overlaps:
        flush_all(s)
        return
    old_valid = m.old_tag & MMUTR_V
    if effect & EFFECT_DTLB:
        disarm(s)  # the entry written is the most recent one now (54455RM 4-6)
        if old_valid:
            drop_images(s, m.old_tag & 0xFFFFFC00, page_bits(m.old_data))
            if m.old_data & MMUDR_LK:
                flush_range(s, m.old_tag & 0xFFFFFC00, page_bits(m.old_data))
    if effect & EFFECT_ITLB:
        s.code_key = -1
        if old_valid:
            flush_range(s, m.old_tag & 0xFFFFFC00, page_bits(m.old_data))


@njit
def may_move_code(s: State, offset: int, size: int, value: int) -> bool:
    """Whether a store to the MMU's window may change how the code that makes it is mapped, or which ITLB entry is the
    most recent one: its instruction must run by itself, for what follows is another fetch."""
    if offset < OFFSET_MMUOR:
        return True
    if offset + size != OFFSET_MMUOR + 4 or s.code_source != TLB:  # the operations are in the lower half
        return False
    if value & (MMUOR_CA | MMUOR_CNL | MMUOR_CAS):
        return True
    if not value & MMUOR_ACC or value & MMUOR_RW:
        return False
    if value & MMUOR_ADR:
        return bool(side_of(s.mmu, s.mmu.mmuar) == ITLB)
    if value & (MMUOR_UAA | MMUOR_STLB):
        return value & MMUOR_ITLB != 0
    return bool(side_of(s.mmu, s.mmu.aa) == ITLB)
