"""The public way into unicorn: its documented API only, for a libunicorn whose internals cannot be verified.

It gives the same counts, memory and registers, slower. unicorn runs whole blocks only on plain pages, where nothing
about an access can differ from what was found out when the page was filled. Every other fill ends the run in front of
its instruction, of which nothing has happened then, and the run loop executes that instruction alone (emu.cpu.alone).

Instructions are fetched from copies of the code pages (emu.cpu.shadow), in which intercepted op words are ILLEGAL.
"""

from numba import carray, types

from emu.cpu.address_map import UC_ALONE, UC_SCRATCH
from emu.cpu.blocks import modifies, unwind
from emu.cpu.catch import is_near_watch
from emu.cpu.charges import CM_INHIBITED
from emu.cpu.data_time import sees_all
from emu.cpu.hooks import BLOCK, boundary_due, stop
from emu.cpu.memory import flush_all, place, touch_data
from emu.cpu.processor import get_pc, in_supervisor
from emu.cpu.raw import call_slow, load8, state_pointer, store8, store32, store64
from emu.cpu.recorder import begin_again
from emu.cpu.shadow import PAGE, shadow_page
from emu.cpu.state import (
    ALONE_BEGUN,
    ALONE_WAITING,
    EVENT_NONE,
    EVENT_SERVE,
    EVENT_SINGLE,
    EVENT_STEP,
    PAGE_CODE,
    PAGE_WRITE,
    State,
)
from emu.cpu.translate import SMALL_PAGE_BITS
from emu.jit import cfunc, njit
from emu.mmu.attributes import PERM_R, PERM_W, PERM_X, TLB, permits, resolve
from emu.mmu.state import FETCH, READ, WRITE

__all__ = ["public_block", "public_fill", "public_interrupt"]

UC_WRITE, UC_FETCH = 17, 18  # uc_mem_type
UC_SECOND = UC_ALONE + PAGE // 2 * PAGE  # what follows on the next page of an instruction that runs alone
I32, I64, VOID, BOOL = types.int32, types.int64, types.void, types.boolean


@njit
def answer(result: int, where: int, perms: int) -> bool:
    """Fill unicorn's uc_tlb_entry {paddr, perms}."""
    store64(result, where & 0xFFFFF000)
    store32(result + 8, perms)
    return True


@njit
def end_with(s: State, event: int) -> bool:
    """Refuse a fill: unicorn stops in front of the instruction. The first event counts."""
    if s.event == EVENT_NONE:
        s.event = event
    return False


@njit
def fill_data(s: State, page: int, kind: int, user: int, result: int) -> bool:
    """Answer a data fill of a plain page: memory, permitted, not inhibited, no 1-KB pages, no store to code."""
    source, entry, pa, perms, cm, bits = resolve(s.mmu, page, kind, 1 - user)
    if not permits(perms, kind) or cm & CM_INHIBITED or sees_all(s) or is_near_watch(s, page):
        return False
    where, host, pages = place(s, source, pa)
    if host == 0 or bits == SMALL_PAGE_BITS:
        return False
    if not perms & PERM_W and modifies(s, get_pc(s)):
        return False
    flags = load8(pages)
    if flags & PAGE_CODE:
        if kind == WRITE:
            return False
        perms &= ~PERM_W
    elif perms & PERM_W:
        store8(pages, flags | PAGE_WRITE)
    if source == TLB and touch_data(s, entry):
        s.armed_entry = entry
        s.armed_count = 1
    return answer(result, where, perms & (PERM_R | PERM_W))


@njit
def fill_fetch(s: State, page: int, user: int, result: int) -> bool:
    """Answer a fetch fill of a plain page."""
    source, _entry, pa, perms, _cm, bits = resolve(s.mmu, page, FETCH, 1 - user)
    if not permits(perms, FETCH):
        return False
    where, host, pages = place(s, source, pa)
    if host == 0 or bits == SMALL_PAGE_BITS:
        return False
    where = shadow_page(s, host, pages)
    if where < 0:
        return False
    flags = load8(pages)
    if flags & PAGE_WRITE:
        flush_all(s)
    store8(pages, flags & ~PAGE_WRITE | PAGE_CODE)
    return answer(result, where, PERM_X)


@njit
def fill_alone(s: State, page: int, kind: int, result: int) -> bool:
    """Answer a fill for the instruction that runs alone: its own words, and what it was prepared to access."""
    if kind != UC_FETCH:
        for i in range(s.n_covers):
            if s.covers[i, 0] == page:
                return answer(result, s.covers[i, 1], PERM_R | PERM_W)
        return False
    if s.alone != ALONE_WAITING:
        return end_with(s, EVENT_STEP)
    return answer(result, s.covers_code if page == s.block_pc & 0xFFFFF000 else UC_SECOND, PERM_X)


@cfunc(BOOL(I64, I64, I32, I64, I64))
def public_fill(_uc: int, page: int, kind: int, result: int, state: int) -> bool:
    """UC_HOOK_TLB_FILL."""
    s = carray(state_pointer(state), 1)[0]
    va = page & 0xFFFFFFFF
    if s.scratch_run:
        return answer(result, UC_SCRATCH, PERM_R | PERM_X)
    if s.alone:
        return fill_alone(s, va, kind, result)
    s.fills += 1
    user = 1 - in_supervisor(s)
    if kind == UC_FETCH:
        if fill_fetch(s, va, user, result):
            return True
        due = boundary_due(s)
        return end_with(s, EVENT_SINGLE if due == EVENT_NONE else due)
    if fill_data(s, va, WRITE if kind == UC_WRITE else READ, user, result):
        return True
    begin_again(s, get_pc(s))
    unwind(s, get_pc(s))
    return end_with(s, EVENT_SINGLE)


@cfunc(VOID(I64, I64, I32, I64))
def public_block(_uc: int, address: int, size: int, state: int) -> None:
    """UC_HOOK_BLOCK."""
    s = carray(state_pointer(state), 1)[0]
    if s.scratch_run:
        return
    if s.alone == ALONE_WAITING:
        s.alone = ALONE_BEGUN
    elif s.alone == ALONE_BEGUN:
        end_with(s, EVENT_STEP)
        stop(s)
    else:
        call_slow(s.slow, (state, BLOCK, address & 0xFFFFFFFF, int(size), 0, 0, 0, 0))


@cfunc(VOID(I64, I32, I64))
def public_interrupt(_uc: int, number: int, state: int) -> None:
    """UC_HOOK_INTR: served by the run loop, outside unicorn."""
    s = carray(state_pointer(state), 1)[0]
    if not s.scratch_run and s.event == EVENT_NONE:
        s.event = EVENT_SERVE
        s.event_vector = number
    stop(s)
