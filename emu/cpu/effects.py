"""What a change of the MMU model means for unicorn's softmmu, which must stay a subset of it."""

from emu.cpu.images import drop_images
from emu.cpu.memory import disarm, flush_all, flush_page, place
from emu.cpu.processor import in_supervisor
from emu.cpu.state import State
from emu.jit import njit
from emu.mmu.attributes import MISS, permits, resolve
from emu.mmu.registers import MMUDR_LK, MMUTR_V
from emu.mmu.state import EFFECT_ALL, EFFECT_DTLB, EFFECT_ITLB, FETCH, WARN_OVERLAP
from emu.mmu.tlb import page_bits

__all__ = ["apply_effect", "code_still_mapped"]

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
def fetches_from(s: State, va: int, host: int) -> bool:
    """Whether an instruction fetch at ``va`` still comes from ``host``."""
    source, _entry, pa, perms, _cm, _bits = resolve(s.mmu, va, FETCH, in_supervisor(s))
    if source == MISS or not permits(perms, FETCH):
        return False
    _where, now, _pages = place(s, source, pa)
    return now == host


@njit
def code_still_mapped(s: State) -> bool:
    """Whether the rest of the running block may be executed after a change of translations."""
    if not fetches_from(s, s.block_pc, s.block_host):
        return False
    last = s.block_pc + s.block_size - 2
    if (last ^ s.block_pc) & 0xFFFFF000 == 0:
        return True
    source, _entry, _pa, perms, _cm, _bits = resolve(s.mmu, last, FETCH, in_supervisor(s))
    return source != MISS and permits(perms, FETCH)
