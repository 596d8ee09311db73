"""The public way into unicorn: its documented API only, for a libunicorn whose internals cannot be verified.

It gives the same counts, memory and registers, slower. What the native engine does inside unicorn is done here between
two runs of it:

* A fill hook sees page addresses only. An access that the model refuses, or must see alone, is sent to an unmapped
  address; the hook for unmapped memory then has its low bits, and unicorn stops with exact state.
* Instructions are fetched from a shadow copy of each code page, in which an intercepted op word, or the place to stop
  inside a block, holds ILLEGAL; the guest's own bytes stay as they are.
"""

from numba import carray, types

from emu.cpu.boundary import boundary_event
from emu.cpu.hooks import modifies, stop
from emu.cpu.memory import UC_SCRATCH, UC_UNMAPPED, disarm, flush_all, halt, place, uc_address
from emu.cpu.processor import get_pc, in_supervisor
from emu.cpu.raw import load8, load16be, load64, state_pointer, store8, store16be, store32, store64
from emu.cpu.state import (
    EVENT_BOUNCE,
    EVENT_CODE_WRITE,
    EVENT_FAULT,
    EVENT_FETCH_FAULT,
    EVENT_NONE,
    EVENT_SERVE,
    EVENT_SINGLE,
    EVENT_STEP,
    HALT_SKEW,
    PAGE_BYTES,
    PAGE_CODE,
    PAGE_INHIBITED,
    PAGE_WRITE,
    STEP_BEGUN,
    STEP_NONE,
    State,
)
from emu.cpu.translate import (
    FILL_BOUNCE,
    FILL_CODE_WRITE,
    FILL_FAULT,
    FILL_READ_ONLY,
    SMALL_PAGE_BITS,
    grant_data,
)
from emu.jit import cfunc, njit
from emu.mmu.attributes import MISS, PERM_R, PERM_W, PERM_X, permits, resolve
from emu.mmu.state import FETCH, READ, RMW, WRITE

__all__ = [
    "patch",
    "public_access",
    "public_fill",
    "public_interrupt",
    "public_unmapped",
    "retract_accesses",
    "unpatch",
]

UC_READ, UC_WRITE, UC_FETCH = 16, 17, 18  # uc_mem_type: READ, WRITE, FETCH
OP_ILLEGAL = 0x4AFC
PAGE = 4096
I32, I64, VOID, BOOL = types.int32, types.int64, types.void, types.boolean


# --- the shadow copies of code pages


@njit
def shadow_page(s: State, host: int, where: int, pages: int) -> int:
    """unicorn's address of the fetched copy of the 4-KB page that ``host`` lies in, made if the page had no code yet.

    Core SRAM and device memory are fetched in place (``where``) and can hold nothing that must be intercepted.
    """
    for i in range(s.n_banks):
        bank = s.banks[i]
        if bank.host <= host < bank.host + bank.end - bank.base and bank.shadow_host:
            offset = (host - bank.host) & -PAGE
            if not load8(pages) & PAGE_CODE:
                for k in range(0, PAGE, 8):
                    store64(bank.shadow_host + offset + k, load64(bank.host + offset + k))
            return int(bank.shadow + offset)
    return where


@njit
def shadow_word(s: State, host: int) -> int:
    """Host address of the fetched copy of the word whose original is at ``host``; 0 if it has none."""
    for i in range(s.n_banks):
        bank = s.banks[i]
        if bank.host <= host < bank.host + bank.end - bank.base and bank.shadow_host:
            return int(bank.shadow_host + host - bank.host)
    return 0


@njit
def patch(s: State, host: int) -> bool:
    """Put ILLEGAL over the fetched copy of the word at ``host``; False if that was done before or cannot be."""
    word = shadow_word(s, host)
    if word == 0 or load16be(word) == OP_ILLEGAL:
        return False
    store16be(word, OP_ILLEGAL)
    return True


@njit
def unpatch(s: State, host: int) -> None:
    """Give the fetched copy its original word back."""
    word = shadow_word(s, host)
    if word:
        store16be(word, load16be(host))


# --- fills


@njit
def answer(result: int, where: int, perms: int) -> bool:
    """Fill unicorn's uc_tlb_entry {paddr, perms}."""
    store64(result, where & 0xFFFFF000)
    store32(result + 8, perms)
    return True


@njit
def probe(s: State, result: int, event: int, va: int, kind: int) -> bool:
    """Send the access to an unmapped address: the next hook learns its low bits."""
    s.probe_event = event
    s.probe_va = va
    s.probe_kind = kind
    return answer(result, UC_UNMAPPED, PERM_R | PERM_W)


@njit
def granted(s: State, page: int) -> int:
    """Number of the grant that lets the step now running access ``page``, or -1."""
    for i in range(s.n_grants):
        if s.grants[i] & 0xFFFFF000 == page:
            return i
    return -1


@njit
def must_be_alone(s: State, va: int, kind: int, user: int) -> bool:
    """Whether the model has to see each access to this page by itself: 1-KB pages, and stores to code."""
    if s.reference:
        return True
    source, _entry, pa, _perms, _cm, bits = resolve(s.mmu, va, kind, 1 - user)
    if bits == SMALL_PAGE_BITS:
        return True
    for piece in range(0, PAGE, 1024):  # another quarter of the page may be mapped by a 1-KB entry
        _s, _e, _p, _r, _c, piece_bits = resolve(s.mmu, va + piece, kind, 1 - user)
        if _s != MISS and piece_bits == SMALL_PAGE_BITS:
            return True
    _where, host, pages = place(s, source, pa)
    return host != 0 and kind == WRITE and load8(pages) & PAGE_CODE != 0


@njit
def fill_data(s: State, page: int, kind: int, user: int, result: int) -> bool:
    """Answer a data fill for ``page``."""
    i = granted(s, page)
    if i < 0 and must_be_alone(s, page, kind, user):
        return probe(s, result, EVENT_SINGLE, page, kind)
    va = page if i < 0 else s.grants[i]
    size = 1 if i < 0 else s.grant_size[i]
    outcome, where, perms, _extent, entry, inhibited = grant_data(s, va, size, kind, user)
    if outcome == FILL_READ_ONLY:
        if modifies(s, get_pc(s)):
            return probe(s, result, EVENT_FAULT, page, RMW)
        if i < 0:
            return probe(s, result, EVENT_SINGLE, page, kind)
        s.read_only_checked = 1
        outcome, where, perms, _extent, entry, inhibited = grant_data(s, va, size, kind, user)
        s.read_only_checked = 0
    if outcome == FILL_FAULT:
        # The start of a second part (straddle) is exact already; else the probe finds the low bits.
        s.probe_exact = 1 if s.fault_va != va else 0
        return probe(s, result, EVENT_FAULT, s.fault_va if s.probe_exact else page, kind)
    if outcome == FILL_BOUNCE:
        return probe(s, result, EVENT_BOUNCE, page, kind)
    if outcome == FILL_CODE_WRITE:
        return probe(s, result, EVENT_CODE_WRITE, page, kind)
    if s.armed_entry >= 0 and entry >= 0 and entry != s.armed_entry:
        disarm(s)
    if entry >= 0:
        s.armed_entry = entry
        s.armed_count = 1
    if i >= 0:
        s.grant_where[i] = where
        if (where ^ va) & 0xC00:
            halt(s, HALT_SKEW, va, where)
        perms = PERM_W if kind == WRITE else PERM_R
    note_inhibited(s, where, inhibited != 0)
    return answer(result, where, perms)


@njit
def page_record(s: State, where: int) -> int:
    """Address of the record of the page that unicorn has at ``where``, 0 if it is no memory of the guest."""
    for i in range(s.n_banks):
        bank = s.banks[i]
        offset = where - bank.uc
        if 0 <= offset < bank.end - bank.base:
            return int(bank.pages + PAGE_BYTES * (offset >> 12))
    return 0


@njit
def note_inhibited(s: State, where: int, inhibited: bool) -> None:
    """Remember how the page at ``where`` is mapped: the hook of each access sees its physical address only."""
    if not inhibited and not s.inhibited_seen:
        return
    record = page_record(s, where)
    if record:
        flags = load8(record) & ~PAGE_INHIBITED
        store8(record, flags | PAGE_INHIBITED if inhibited else flags)
    if inhibited:
        s.inhibited_seen = 1


@njit
def charge_access(s: State, reads: int, writes: int) -> None:
    """Charge inhibited accesses, or take them back."""
    s.inhibited_reads += reads
    s.inhibited_writes += writes
    s.cycles += reads * s.cost_inhibited_read + writes * s.cost_inhibited_write


@njit
def note_access(s: State, reads: int, writes: int) -> None:
    """Charge accesses of the instruction at PC, and remember them in case it is begun again."""
    pc = get_pc(s)
    if pc != s.access_pc or s.instructions != s.access_block:
        s.access_pc, s.access_block = pc, s.instructions
        s.access_reads = 0
        s.access_writes = 0
    s.access_reads += reads
    s.access_writes += writes
    charge_access(s, reads, writes)


@njit
def retract_accesses(s: State) -> None:
    """The instruction at PC is begun again only so that the model sees its accesses: they were charged too early."""
    if get_pc(s) == s.access_pc and s.instructions == s.access_block:
        charge_access(s, -s.access_reads, -s.access_writes)
    s.access_pc = -1


@njit
def fill_fetch(s: State, page: int, user: int, result: int) -> bool:
    """Answer a fetch fill for ``page``: the page of PC, or the following one of an instruction that crosses into it."""
    pc = get_pc(s)
    va = pc if pc & 0xFFFFF000 == page else page
    source, _entry, pa, perms, _cm, bits = resolve(s.mmu, va, FETCH, 1 - user)
    if source == MISS or not permits(perms, FETCH):
        if s.swallow and va == s.swallow_va:
            return answer(result, uc_address(s, s.swallow_host), PERM_X)
        due = EVENT_NONE
        if s.step == STEP_NONE:
            due = boundary_event(s, pc)
        elif s.step == STEP_BEGUN or s.taken != s.step_taken:
            due = EVENT_STEP
        s.fault_va = va
        s.event = due if due != EVENT_NONE else EVENT_FETCH_FAULT
        return False
    where, host, pages = place(s, source, pa)
    if host == 0:
        s.fault_va = va
        s.event = EVENT_FETCH_FAULT
        return False
    if (pa ^ va) & 0xC00 and bits == SMALL_PAGE_BITS:
        halt(s, HALT_SKEW, va, pa)
    where = shadow_page(s, host, where, pages)
    flags = load8(pages)
    if flags & PAGE_WRITE:
        flush_all(s)
    store8(pages, flags & ~PAGE_WRITE | PAGE_CODE)
    s.fetch_va = page
    s.fetch_pa = pa & 0xFFFFF000
    return answer(result, where, PERM_X)


@cfunc(BOOL(I64, I64, I32, I64, I64))
def public_fill(_uc: int, page: int, kind: int, result: int, state: int) -> bool:
    """UC_HOOK_TLB_FILL."""
    s = carray(state_pointer(state), 1)[0]
    va = page & 0xFFFFFFFF
    if s.scratch_run:
        return answer(result, UC_SCRATCH, PERM_R | PERM_X)
    s.fills += 1
    user = 1 - in_supervisor(s)
    if kind == UC_FETCH:
        return fill_fetch(s, va, user, result)
    return fill_data(s, va, WRITE if kind == UC_WRITE else READ, user, result)


@cfunc(BOOL(I64, I32, I64, I32, I64, I64))
def public_unmapped(_uc: int, _kind: int, address: int, size: int, _value: int, state: int) -> bool:
    """UC_HOOK_MEM_UNMAPPED: a probe. Its low 12 bits complete the address of the access; unicorn then stops."""
    s = carray(state_pointer(state), 1)[0]
    s.fault_va = s.probe_va if s.probe_exact else s.probe_va | (address & 0xFFF)
    s.probe_exact = 0
    s.fault_size = size
    s.event = s.probe_event
    return False


@cfunc(VOID(I64, I32, I64, I32, I64, I64))
def public_access(_uc: int, kind: int, address: int, size: int, _value: int, state: int) -> None:
    """UC_HOOK_MEM_READ and WRITE: count accesses to inhibited memory; check 1-KB pages during a granted step."""
    s = carray(state_pointer(state), 1)[0]
    at = address & 0xFFFFFFFF
    for i in range(s.n_grants):
        if s.grant_where[i] >> 12 == at >> 12 and (s.grant_where[i] ^ at) & 0xC00:
            halt(s, HALT_SKEW, s.grants[i], at)  # one instruction, two 1-KB pages of one 4-KB page
    if s.inhibited_seen:
        record = page_record(s, at)
        if record and load8(record) & PAGE_INHIBITED:
            parts = 2 if (at & 0xFFF) + size > PAGE else 1
            note_access(s, 0 if kind == UC_WRITE else parts, parts if kind == UC_WRITE else 0)


@cfunc(VOID(I64, I32, I64))
def public_interrupt(_uc: int, number: int, state: int) -> None:
    """UC_HOOK_INTR: served by the run loop, outside unicorn."""
    s = carray(state_pointer(state), 1)[0]
    if not s.scratch_run and s.event == EVENT_NONE:
        s.event = EVENT_SERVE
        s.event_vector = number
    stop(s)
