"""From a softmmu miss of unicorn to an answer of the MMU model.

unicorn's softmmu is kept a subset of the model's TLBs, so that every access whose outcome or recency the model must
see arrives here. Only the pages of one unlocked DTLB entry, the armed one, may be resident at a time: a hit on the most
recently used entry is the only hit that leaves the replacement state as it is. Pages of locked entries and of sources
in front of the TLB change no state and stay resident. A softmmu fill is never a TLB miss by itself.
"""

from emu.cpu.access_time import take_time
from emu.cpu.address_map import UC_BOUNCE
from emu.cpu.catch import catch_access, is_near_watch, is_seen_again, is_watched
from emu.cpu.charges import CM_INHIBITED, charge_inhibited, count_inhibited
from emu.cpu.data_time import is_full, sees_all
from emu.cpu.images import NO_ACCESS, arm, keep_image, keep_image_in_time
from emu.cpu.memory import (
    LONGEST,
    clear_slot,
    drop_small_code,
    flush_all,
    holds_code,
    part_end,
    place,
    slot_of,
    touch_data,
)
from emu.cpu.native import DESC_BYTES
from emu.cpu.raw import call_set_page, load8, load32, load64, store8, store32, store64
from emu.cpu.recorder import record_access, record_look
from emu.cpu.state import (
    F_SET_PAGE,
    MAX_BOUNCES,
    PAGE_CODE,
    PAGE_WRITE,
    State,
)
from emu.jit import njit
from emu.mmu.attributes import MISS, PERM_R, PERM_W, PERM_X, RAMBAR0, RAMBAR1, TLB, permits, resolve
from emu.mmu.state import FETCH, READ, WRITE

__all__ = [
    "FILL_BOUNCE",
    "FILL_CHARGE",
    "FILL_CODE_WRITE",
    "FILL_FAULT",
    "FILL_OK",
    "FILL_READ_ONLY",
    "SINGLE",
    "SMALL_PAGE_BITS",
    "WHOLE",
    "fill_data",
    "fill_fetch",
    "grant_data",
    "write_back",
]

FILL_OK, FILL_FAULT, FILL_CODE_WRITE, FILL_CHARGE, FILL_READ_ONLY, FILL_BOUNCE = 0, 1, 2, 3, 4, 5
TLB_NOTDIRTY = 0x400  # flag bit in CPUTLBEntry.addr_write of QEMU with 4-KB pages
SMALL_PAGE_BITS = 10  # 1-KB pages are smaller than unicorn's 4-KB page: their accesses are all looked at
PAGE = 4096
MOST_USED = 700  # entries; QEMU doubles the table at 70 %, so it has 1,024 at most
WHOLE, SINGLE = PAGE, 1  # a softmmu entry of size 1 is looked up again at each access


@njit
def install(s: State, va: int, where: int, perms: int, user: int, size: int) -> int:
    """Fill the softmmu entry of ``va``; returns its address. The old one must not reach the victim table."""
    page = va & 0xFFFFF000
    clear_slot(slot_of(s, page, user))
    call_set_page(s.fn[F_SET_PAGE], (s.cpu, page, where & 0xFFFFF000, perms, user, size))
    # Entries that are taken out in place stay counted. The table would double at every full flush, up to 64 MB, and all
    # of it is visited at each flush and each translation.
    used = s.used + DESC_BYTES * user
    if load64(used) > MOST_USED:
        store64(used, MOST_USED)
    slot = slot_of(s, page, user)
    writable = load32(slot + 4)
    if writable != NO_ACCESS and writable & TLB_NOTDIRTY:
        # QEMU would watch stores for code; here PAGE_CODE does (unicorn-notes 9). While the flag is set QEMU also makes
        # four stores, and four looks at the model, of one misaligned longword.
        store32(slot + 4, writable & ~TLB_NOTDIRTY)
    skew = (where & 0xC00) - (va & 0xC00)
    if skew:  # a 1-KB page may sit at another quarter of its 4-KB frame than its VA
        store64(slot + 24, load64(slot + 24) + skew)
    return slot


@njit
def straddle(s: State, va: int, size: int, kind: int, user: int, pa: int) -> tuple[int, int]:
    """An operand that runs from one 1-KB page into the next within 4 KB: look the second part up too.

    Returns FILL_OK, FILL_FAULT or FILL_READ_ONLY (``s.fault_va`` is the start of the second part, sheet 7 item 6), or
    FILL_BOUNCE: unicorn makes one host access of the operand, right only while the pages are neighbours in physical
    memory too; and whether the second part is cache-inhibited memory.
    """
    second = (va | 0x3FF) + 1
    if va + size <= second or second & 0xFFF == 0:
        return FILL_OK, 0
    source, entry, pa2, perms, cm, _bits = resolve(s.mmu, second, kind, 1 - user)
    if source == MISS or not permits(perms, kind):
        s.fault_va = second
        return FILL_FAULT, 0
    if kind == READ and not perms & PERM_W and not s.read_only_checked:
        s.fault_va = second
        return FILL_READ_ONLY, 0
    if source == TLB:
        touch_data(s, entry)
    return FILL_OK if pa2 - pa == second - va else FILL_BOUNCE, (cm & CM_INHIBITED) // CM_INHIBITED


@njit
def bounce_page(s: State, va: int, size: int, kind: int, user: int) -> int:
    """Put both parts of a straddling operand side by side; unicorn's address of its first byte, or -1 if impossible."""
    i = s.n_bounces
    second = (va | 0x3FF) + 1
    source, _e, pa, _p, _c, _b = resolve(s.mmu, va, kind, 1 - user)
    source2, _e2, pa2, _p2, _c2, _b2 = resolve(s.mmu, second, kind, 1 - user)
    _where, first_host, _pages = place(s, source, pa)
    _where2, second_host, _pages2 = place(s, source2, pa2)
    if first_host == 0 or second_host == 0 or i == MAX_BOUNCES:
        return -1
    s.bounce_host[i, 0], s.bounce_host[i, 1] = first_host, second_host
    s.bounce_size[i, 0], s.bounce_size[i, 1] = second - va, va + size - second
    s.bounce_offset[i] = PAGE * i + (va & 0xFFF)
    s.bounce_write[i] = kind == WRITE
    s.n_bounces = i + 1
    copy_parts(s, i, False)
    return UC_BOUNCE + int(s.bounce_offset[i])


@njit
def copy_parts(s: State, i: int, back: bool) -> None:
    """Copy both parts of operand ``i`` to the bounce page, or ``back``."""
    at = s.bounce_buffer + s.bounce_offset[i]
    for part in range(2):
        for k in range(s.bounce_size[i, part]):
            memory = s.bounce_host[i, part] + k
            if back:
                store8(memory, load8(at))
            else:
                store8(at, load8(memory))
            at += 1


@njit
def write_back(s: State, i: int) -> None:
    """Store what was written to bounced operand ``i``; blocks translated from there are forgotten."""
    if s.bounce_write[i]:
        copy_parts(s, i, True)
        s.in_code_write = 2


@njit
def grant_data(s: State, va: int, size: int, kind: int, user: int) -> tuple[int, int, int, int, int, int]:
    """What the model allows this data access.

    Returns (FILL_*, unicorn address, perms, SINGLE or WHOLE, unlocked entry or -1, parts in cache-inhibited memory: bit
    0 the first, bit 1 the second on the next 1-KB page).
    """
    source, entry, pa, perms, cm, bits = resolve(s.mmu, va, kind, 1 - user)
    s.fault_va = va
    if source == MISS or not permits(perms, kind):
        return FILL_FAULT, 0, 0, 0, -1, 0
    where, host, pages = place(s, source, pa)
    if where < 0:
        return FILL_FAULT, 0, 0, 0, -1, 0
    extent = SINGLE if s.reference or sees_all(s) else WHOLE
    watched = is_near_watch(s, va)
    if watched:
        extent = SINGLE
        if not is_seen_again(s, va, size) and is_watched(s, va, size, kind):
            if not s.single:
                return FILL_CHARGE, 0, 0, 0, -1, 0
            catch_access(s, va, size, kind)
    if kind == READ and not perms & PERM_W and host:
        # A read-modify-write is refused at its read (sheet 1.11): whoever knows the instruction must look at each one.
        if not s.read_only_checked:
            return FILL_READ_ONLY, 0, 0, 0, -1, 0
        extent = SINGLE
    flags = 0
    if host:
        flags = load8(pages)
        if kind == WRITE and not s.in_code_write and holds_code(pages, pa & 0xFFF, size):
            return FILL_CODE_WRITE, 0, 0, 0, -1, 0  # data beside code may change, a block that ran may not
        if flags & PAGE_CODE:
            if kind == WRITE:
                extent = SINGLE
            else:
                perms &= ~PERM_W
        elif perms & PERM_W:
            store8(pages, flags | PAGE_WRITE)
    unlocked = -1
    inhibited = 1 if host and cm & CM_INHIBITED else 0
    recorded = s.recorder.on and record_look(s, va, size, min(size, part_end(va, bits) - va), kind, 1 - user)
    if source == TLB:
        if touch_data(s, entry):
            unlocked = entry
        if bits == SMALL_PAGE_BITS:
            extent = SINGLE
            outcome, second_inhibited = straddle(s, va, size, kind, user, pa)
            inhibited |= second_inhibited << 1
            if outcome == FILL_BOUNCE and s.bounce:
                where = bounce_page(s, va, size, kind, user)
                outcome = FILL_OK if where >= 0 else FILL_FAULT
            if outcome != FILL_OK:
                return outcome, 0, 0, 0, -1, 0
            second = (va | 0x3FF) + 1
            if recorded and va + size > second and second & 0xFFF:
                record_access(s, second, va + size - second, kind, 1 - user)
    s.granted_memory = 1 if host else 0
    if host and sees_all(s):
        again = perms & PERM_W and not watched and bits != SMALL_PAGE_BITS and source not in (RAMBAR0, RAMBAR1)
        again = again and not flags & PAGE_CODE  # a store may be to a block that ran
        s.granted_pa, s.granted_mode = pa if again else -1, cm
    return FILL_OK, where, perms & (PERM_R | PERM_W), SINGLE if inhibited else extent, unlocked, inhibited


@njit
def fill_data(s: State, va: int, size: int, kind: int, user: int) -> int:
    """Native engine: make one data access possible; FILL_*."""
    s.fills += 1
    outcome, where, perms, extent, entry, inhibited = grant_data(s, va, size, kind, user)
    if outcome != FILL_OK:
        return outcome
    if is_full(s):  # whatever may happen near a limit runs alone, so it is charged at once
        if s.granted_memory:
            take_time(s, va, size, kind, user)
    elif inhibited and not charge_inhibited(s, count_inhibited(s, va, size, inhibited), kind):
        return FILL_CHARGE
    if extent != WHOLE:
        slot = install(s, va, where, perms, user, SINGLE)
        if sees_all(s) and not inhibited and not s.reference and s.granted_pa >= 0:
            keep_image_in_time(s, slot, va, user, entry)
        return FILL_OK
    if perms & PERM_W == 0:
        perms |= readable_code(s, va, user)
    slot = install(s, va, where, perms, user, WHOLE)
    if entry >= 0:
        arm(s, slot, entry)
        keep_image(s, slot, va, user, entry)
    return FILL_OK


@njit
def readable_code(s: State, va: int, user: int) -> int:
    """PERM_X if this page may be fetched from without any ITLB state being involved.

    So constants beside code do not throw the code out of the softmmu.
    """
    source, _entry, pa, perms, _cm, _bits = resolve(s.mmu, va, FETCH, 1 - user)
    if source in (MISS, TLB) or not perms & PERM_X:
        return 0
    _where, _host, pages = place(s, source, pa)
    return PERM_X if pages and load8(pages) & PAGE_CODE else 0


@njit
def fill_fetch(s: State, va: int, user: int) -> int:
    """Native engine: make one instruction fetch possible; FILL_OK or FILL_FAULT. The block hook sees to recency."""
    s.fills += 1
    source, _entry, pa, perms, _cm, bits = resolve(s.mmu, va, FETCH, 1 - user)
    if source == MISS or not permits(perms, FETCH):
        return FILL_FAULT
    where, host, pages = place(s, source, pa)
    if host == 0:
        return FILL_FAULT
    flags = load8(pages)
    if flags & PAGE_WRITE:  # a store through a resident entry would not be seen: W xor X per physical page
        flush_all(s)
    store8(pages, flags & ~PAGE_WRITE | PAGE_CODE)
    perms = PERM_X
    if source != TLB:
        data_source, _e, data_pa, data_perms, data_cm, _b = resolve(s.mmu, va, READ, 1 - user)
        readable = data_source != MISS and data_source != TLB and data_pa == pa and not data_cm & CM_INHIBITED
        readable = readable and data_perms & PERM_W != 0  # else each read is looked at: it may be a read-modify-write's
        if readable and not is_near_watch(s, va) and not sees_all(s):
            perms |= data_perms & PERM_R
    drop_small_code(s)
    extent = WHOLE
    if bits == SMALL_PAGE_BITS:
        # unicorn keeps no translation of what it fetches by an entry of size 1. One instruction runs before the entry
        # is taken back (run_loop.enter_unicorn), so only one that may end on the next 1-KB page needs that.
        if va & 0x3FF > 0x400 - LONGEST:
            extent = SINGLE
        else:
            s.small_va = va & 0xFFFFFC00 | user
    install(s, va, where, perms, user, extent)
    return FILL_OK
