"""Guest memory as the engine itself reaches it: where a PA lives, and accesses that go through the MMU model.

Exception frames, vector fetches and RTE are accesses like any other (sheet 1.15): they are resolved, they may fault,
and their hits count for replacement.
"""

from emu.cpu.address_map import MBAR_SIZE, UC_MBAR, UC_WINDOW
from emu.cpu.catch import catch_access
from emu.cpu.data_time import is_full, wait_for_data
from emu.cpu.raw import (
    call_ctl,
    call_flush_page,
    call_pointer,
    load8,
    load16be,
    load32,
    load32be,
    load64,
    store32,
    store32be,
    store64,
)
from emu.cpu.recorder import record_access
from emu.cpu.shadow import follow
from emu.cpu.state import F_CTL, F_FLUSH, F_FLUSH_PAGE, HALT_NONE, PAGE_BYTES, PAGE_CODE, State
from emu.jit import njit, njit_inline
from emu.mmu.attributes import RAMBAR0, RAMBAR1, TLB, WINDOW, permits, resolve
from emu.mmu.plru import touch
from emu.mmu.registers import MMUDR_LK
from emu.mmu.state import DTLB, FETCH, READ, WRITE

__all__ = [
    "code_host",
    "disarm",
    "drop_small_code",
    "empty_softmmu",
    "fetch16",
    "find_bank",
    "flush_all",
    "flush_page",
    "halt",
    "make_room",
    "part_end",
    "place",
    "read32",
    "slot_of",
    "touch_data",
    "write32",
]

LONGEST = 6  # bytes of the longest instruction
UC_PAGE_BITS = 12  # unicorn's pages
CTL_TLB_FLUSH = 11 | (1 << 30)  # UC_CTL_WRITE(UC_CTL_TLB_FLUSH, 0)


@njit
def halt(s: State, reason: int, address: int, value: int) -> None:
    """The machine cannot go on; the first reason is the one that is reported."""
    if s.halted == HALT_NONE:
        s.halted = reason
        s.halt_address = address
        s.halt_value = value


@njit
def find_bank(s: State, pa: int) -> int:
    """Index of the bank of memory that holds ``pa``, or -1."""
    for i in range(s.n_banks):
        bank = s.banks[i]
        if bank.base <= pa < bank.end:
            return i
    return -1


@njit
def place(s: State, source: int, pa: int) -> tuple[int, int, int]:
    """Where ``pa`` lives: (unicorn address, host address or 0, address of its page flags or 0); -1 if nowhere."""
    if source == WINDOW:
        return UC_WINDOW + (pa & 0xFFFF), 0, 0
    if source in (RAMBAR0, RAMBAR1):
        sram = s.sram[source - RAMBAR0]
        offset = pa & 0xFFF
        return sram.uc + offset, sram.host + offset, sram.pages
    peripheral = pa - s.mmu.mbar
    if 0 <= peripheral < MBAR_SIZE:
        return UC_MBAR + peripheral, 0, 0
    i = find_bank(s, pa)
    if i < 0:
        return -1, 0, 0
    bank = s.banks[i]
    offset = pa - bank.base
    return bank.uc + offset, bank.host + offset, bank.pages + PAGE_BYTES * (offset >> 12)


@njit_inline
def slot_of(s: State, va: int, user: int) -> int:
    """Address of the softmmu entry for ``va``. The table moves at every full flush, so it is looked up each time."""
    fast = s.fast + 16 * user
    return load64(fast + 8) + (((va & 0xFFFFF000) >> 6) & load64(fast))


@njit_inline
def clear_slot(slot: int) -> None:
    """Invalidate one softmmu entry in place, so that unicorn does not keep a copy in its victim table."""
    store64(slot, -1)
    store32(slot + 8, -1)


@njit
def drop_small_code(s: State) -> None:
    """Take back the softmmu entry of a 1-KB code page: it covers the 4 KB around, which other pages own."""
    if s.small_va >= 0:
        clear_slot(slot_of(s, s.small_va, s.small_va & 1))
        s.small_va = -1


@njit_inline
def disarm(s: State) -> None:
    """Take the armed pages out of the softmmu: the next access to them is seen by the model again."""
    if s.armed_count:
        if s.native:
            for i in range(s.armed_count):
                clear_slot(s.armed_slot[i])
        else:
            call_ctl(s.fn[F_CTL], (s.uc, CTL_TLB_FLUSH))
        s.armed_count = 0
    s.armed_entry = -1


@njit_inline
def touch_data(s: State, entry: int) -> bool:
    """Record a hit of a DTLB entry; False if it is a locked one, whose hits change nothing.

    Pages of another entry leave the softmmu, because their next hit counts again.
    """
    if s.mmu.data[DTLB, entry] & MMUDR_LK:
        return False
    if entry != s.armed_entry:
        disarm(s)
    touch(s.mmu, DTLB, entry)
    return True


@njit
def flush_all(s: State) -> None:
    """Empty the softmmu and forget everything derived from translations."""
    disarm(s)
    s.image_epoch += 1
    s.code_key = -1
    if s.native:
        call_pointer(s.fn[F_FLUSH], (s.cpu,))
    else:
        call_ctl(s.fn[F_CTL], (s.uc, CTL_TLB_FLUSH))


@njit
def empty_softmmu(s: State) -> None:
    """Public engine: drop every page from unicorn's softmmu."""
    s.armed_entry = -1
    s.armed_count = 0
    s.emptied = s.fills
    call_ctl(s.fn[F_CTL], (s.uc, CTL_TLB_FLUSH))


@njit
def make_room(s: State) -> None:
    """Public engine: see that no page of the guest is in the softmmu where pages of ours will be."""
    if s.emptied != s.fills:
        empty_softmmu(s)


@njit
def flush_page(s: State, va: int) -> None:
    """Drop one 4-KB page of the softmmu."""
    if s.native:
        call_flush_page(s.fn[F_FLUSH_PAGE], (s.cpu, va & 0xFFFFF000))
    else:
        call_ctl(s.fn[F_CTL], (s.uc, CTL_TLB_FLUSH))


@njit
def code_range(pages: int) -> tuple[int, int]:
    """Offsets [first, end) of the blocks that ran in a page."""
    both = load32(pages + 4)
    return both & 0xFFFF, both >> 16


@njit
def holds_code(pages: int, offset: int, size: int) -> bool:
    """Whether a store of ``size`` bytes at ``offset`` of a page may change a block that ran there."""
    if not load8(pages) & PAGE_CODE:
        return False
    first, end = code_range(pages)
    return offset < end and offset + size > first


@njit
def note_code(pages: int, offset: int, size: int) -> None:
    """A block ran at ``offset`` of a page."""
    first, end = code_range(pages)
    if end == 0:
        first, end = offset, offset + size
    store32(pages + 4, min(first, offset) | min(max(end, offset + size), 4096) << 16)


@njit
def part_end(at: int, bits: int) -> int:
    """Where the part of an operand that begins at ``at`` ends, in a page of ``2**bits`` bytes (sheet 3.5).

    unicorn sees a larger page as several of 4 KB, and so do all engines, so that they count the same.
    """
    return (at | (1 << min(bits, UC_PAGE_BITS)) - 1) + 1


@njit
def reach(s: State, va: int, size: int, kind: int) -> tuple[int, int]:
    """A supervisor data access by the exception mechanism, as far as it is on one page, with its recency: (host
    address, bytes); (-1, 0) when it faults."""
    source, entry, pa, perms, cm, bits = resolve(s.mmu, va, kind, 1)
    if source < 0 or not permits(perms, kind):
        return -1, 0
    _uc, host, pages = place(s, source, pa)
    if host == 0:
        return -1, 0
    if source == TLB:
        touch_data(s, entry)
    size = min(size, part_end(va, bits) - va)
    record_access(s, va, size, kind, 1)
    if is_full(s):
        wait_for_data(s, source, pa, size, kind, cm, s.cycles)
    if kind != READ and holds_code(pages, pa & 0xFFF, size):
        s.in_code_write = 2  # translated code may be stale: the run loop drops it before the guest goes on
    return host, size


@njit
def read32(s: State, va: int) -> tuple[int, int]:
    """Supervisor longword read: (1, value), or (0, the first byte on the page that refuses it). SP may be misaligned at
    RTE."""
    value = 0
    done = 0
    while done < 4:
        at = (va + done) & 0xFFFFFFFF
        host, size = reach(s, at, 4 - done, READ)
        if host < 0:
            return 0, at
        if size == 4:
            value = load32be(host)
        else:
            for k in range(size):
                value = value << 8 | load8(host + k)
        done += size
    catch_access(s, va, 4, READ)
    return 1, value


@njit
def write32(s: State, va: int, value: int) -> int:
    """Supervisor longword write at an aligned address: 1, or 0 when it faults."""
    host, _size = reach(s, va, 4, WRITE)
    if host < 0:
        return 0
    catch_access(s, va, 4, WRITE)
    store32be(host, value)
    if not s.native:
        follow(s, host, 4)
    return 1


@njit
def code_host(s: State, va: int, supervisor: int) -> int:
    """Host address of the instruction word at ``va``, without any side effect on the model; 0 if it cannot be
    fetched."""
    source, _entry, pa, perms, _cm, _bits = resolve(s.mmu, va, FETCH, supervisor)
    if source < 0 or not permits(perms, FETCH):
        return 0
    _uc, host, _pages = place(s, source, pa)
    return host


@njit
def fetch16(s: State, va: int, supervisor: int) -> int:
    """The instruction word at ``va``, read without any side effect on the model; -1 when it cannot be fetched."""
    host = code_host(s, va, supervisor)
    return load16be(host) if host else -1
