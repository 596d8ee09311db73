"""From a softmmu miss of unicorn to an answer of the MMU model.

unicorn's softmmu is kept a subset of the model's TLBs, so that every access whose outcome or recency the model must
see arrives here. Only the pages of one unlocked DTLB entry, the armed one, may be resident at a time: a hit on the most
recently used entry is the only hit that leaves the replacement state as it is. Pages of locked entries and of sources
in front of the TLB change no state and stay resident. A softmmu fill is never a TLB miss by itself.
"""

from emu.cpu.address_map import UC_BOUNCE
from emu.cpu.data_time import is_full, wait_for_data
from emu.cpu.memory import (
    LONGEST,
    clear_slot,
    drop_small_code,
    flush_all,
    holds_code,
    place,
    slot_of,
    swallowed_word,
    touch_data,
    uc_address,
)
from emu.cpu.memory_time import access_now
from emu.cpu.native import DESC_BYTES, ENV_PC
from emu.cpu.raw import call_restore, call_set_page, load8, load32, load64, store8, store32, store64
from emu.cpu.state import (
    BUFFER_STATE,
    CHARGE_COLUMNS,
    F_RESTORE,
    F_SET_PAGE,
    IMAGES,
    MAX_ARMED,
    MAX_BOUNCES,
    MAX_CHARGES,
    PAGE_CODE,
    PAGE_WRITE,
    State,
)
from emu.jit import njit, njit_inline
from emu.mmu.attributes import MISS, PERM_R, PERM_W, PERM_X, RAMBAR0, RAMBAR1, TLB, permits, resolve
from emu.mmu.registers import field_mask
from emu.mmu.state import FETCH, READ, WRITE
from emu.timing.caches import COPYBACK, LINE, LINE_BITS, WRITE_THROUGH, account, find
from emu.timing.state import SETS, STORE_BUFFER_ENTRIES

__all__ = [
    "CM_INHIBITED",
    "FILL_BOUNCE",
    "FILL_CHARGE",
    "FILL_CODE_WRITE",
    "FILL_FAULT",
    "FILL_OK",
    "FILL_READ_ONLY",
    "MMU_REGISTER",
    "SINGLE",
    "SMALL_PAGE_BITS",
    "WHOLE",
    "charge_accesses",
    "charge_inhibited",
    "drop_images",
    "fill_data",
    "fill_fetch",
    "grant_data",
    "hit_in_time",
    "note_charge",
    "retract_alone",
    "retract_charges",
    "swap_in",
    "time_part",
    "write_back",
]

FILL_OK, FILL_FAULT, FILL_CODE_WRITE, FILL_CHARGE, FILL_READ_ONLY, FILL_BOUNCE = 0, 1, 2, 3, 4, 5
NO_ACCESS = 0xFFFFFFFF
# Flag bits in the addresses of CPUTLBEntry, of QEMU with 4-KB pages: watched stores; looked up again at each access.
TLB_NOTDIRTY, TLB_INVALID = 0x400, 0x800
CACR_DEC = field_mask("CACR", "DEC")
SMALL_PAGE_BITS = 10  # 1-KB pages are smaller than unicorn's 4-KB page: their accesses are all looked at
CM_INHIBITED = 2
MMU_REGISTER = 4  # kinds of access, beside READ, WRITE, FETCH and RMW
MEMORY_WAIT = 5  # a wait for memory that another try would have again: how long is in the fourth column
PAGE = 4096
MOST_USED = 700  # entries; QEMU doubles the table at 70 %, so it has 1,024 at most
WHOLE, SINGLE = PAGE, 1  # a softmmu entry of size 1 is looked up again at each access


@njit
def image_index(page: int, user: int) -> int:
    """Slot of the image cache for a 4-KB page."""
    return ((page >> 12) ^ (user << 8)) & (IMAGES - 1)


@njit
def image_key(s: State, page: int, user: int) -> int:
    """What a valid image of this page is filed under; a new epoch invalidates all of them."""
    return int(page | user | (s.image_epoch << 33))


@njit
def drop_images(s: State, va: int, bits: int) -> None:
    """Forget the images of the page of ``1 << bits`` bytes at ``va``."""
    if bits > 13:
        for i in range(IMAGES):
            if (s.image_key[i] & 0xFFFFFFFF) >> bits == va >> bits:
                s.image_key[i] = -1
        return
    page = (va >> bits) << bits & 0xFFFFF000
    end = page + (1 << bits)
    while page < end:
        s.image_key[image_index(page, 0)] = -1
        s.image_key[image_index(page, 1)] = -1
        page += PAGE


@njit
def arm(s: State, slot: int, entry: int) -> None:
    """Note a resident page of the armed entry."""
    s.armed_entry = entry
    for i in range(s.armed_count):
        if s.armed_slot[i] == slot:
            return
    if s.armed_count == MAX_ARMED:
        clear_slot(s.armed_slot[0])
        s.armed_count -= 1
        s.armed_slot[0] = s.armed_slot[s.armed_count]
    s.armed_slot[s.armed_count] = slot
    s.armed_count += 1


@njit_inline
def swap_in(s: State, va: int, kind: int, user: int) -> bool:
    """The fast way: put back the softmmu entry this page had when it was armed before (unicorn-notes 4)."""
    page = va & 0xFFFFF000
    i = image_index(page, user)
    if s.image_key[i] != image_key(s, page, user):
        return False
    image = s.image_address + 40 * i
    if load32(image + 4 * kind) != page:  # addr_read, addr_write
        return False
    s.fills += 1
    entry = load64(image + 32)
    touch_data(s, entry)
    slot = slot_of(s, va, user)
    for k in range(4):
        store64(slot + 8 * k, load64(image + 8 * k))
    arm(s, slot, entry)
    return True


@njit_inline
def hit_in_time(s: State, va: int, size: int, kind: int, user: int) -> bool:
    """Level full, the fast way: an access that the model has allowed on this page before, and that hits the data cache
    and its shadow, changes nothing but recency and the line's dirty bit."""
    page = va & 0xFFFFF000
    i = image_index(page, user)
    if s.image_key[i] != image_key(s, page, user) or (va & LINE - 1) + size > LINE:
        return False
    image = s.image_address + 40 * i
    if load32(image + 4 * kind) != page | TLB_INVALID:  # addr_read, addr_write
        return False
    t = s.time
    if kind == WRITE and s.image_mode[i] != COPYBACK:
        return False
    line = s.image_pa[i] | va & PAGE - LINE
    way = find(t.dcache, line)
    if way < 0 or not s.mmu.cacr & CACR_DEC or (not t.in_handler and find(t.dshadow, line) < 0):
        return False
    if kind == WRITE:
        t.dcache.dirty[line >> LINE_BITS & (SETS - 1), way] = 1
    entry = load64(image + 32)
    if entry >= 0 and entry != s.armed_entry:
        touch_data(s, entry)
        s.armed_entry = entry
    s.fills += 1
    slot = slot_of(s, va, user)
    if load64(slot) != load64(image) or load64(slot + 24) != load64(image + 24):
        for k in range(4):
            store64(slot + 8 * k, load64(image + 8 * k))
    return True


@njit
def keep_image_in_time(s: State, slot: int, va: int, user: int, entry: int) -> None:
    """Level full: remember a freshly filled entry for :func:`hit_in_time`; ``entry``: the unlocked one it is of, or
    -1."""
    page = va & 0xFFFFF000
    writable = load32(slot + 4)
    if load32(slot) != page | TLB_INVALID or (writable != page | TLB_INVALID and writable != NO_ACCESS):
        return
    i = image_index(page, user)
    image = s.image_address + 40 * i
    for k in range(4):
        store64(image + 8 * k, load64(slot + 8 * k))
    store64(image + 32, entry)
    s.image_pa[i], s.image_mode[i] = s.granted_pa & 0xFFFFF000, s.granted_mode
    s.image_key[i] = image_key(s, page, user)


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
def keep_image(s: State, slot: int, va: int, user: int, entry: int) -> None:
    """Remember a freshly filled entry, if it is plain memory without QEMU's slow-path flags."""
    page = va & 0xFFFFF000
    if load32(slot) != page or (load32(slot + 4) != page and load32(slot + 4) != 0xFFFFFFFF):
        return
    i = image_index(page, user)
    image = s.image_address + 40 * i
    for k in range(4):
        store64(image + 8 * k, load64(slot + 8 * k))
    store64(image + 32, entry)
    s.image_key[i] = image_key(s, page, user)


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
def continues_operand(s: State, va: int, size: int) -> bool:
    """Whether this look belongs to the operand looked at before.

    unicorn looks at an operand that crosses into the page ``operand_cross`` more than once: whole, then (load) at the
    two aligned halves or (store) at the second page and byte by byte. A host PC runs once in a block.
    """
    if s.operand_host_pc != s.host_pc or s.operand_block != s.instructions:
        return False
    return size == 1 or va == s.operand_cross or va + size == s.operand_cross


@njit
def count_inhibited(s: State, va: int, size: int, parts: int) -> int:
    """Bus accesses that this look at an operand stands for: one for each of its ``parts`` on an inhibited page."""
    if not continues_operand(s, va, size):
        s.operand_host_pc, s.operand_block = s.host_pc, s.instructions
        s.operand_cross = (va | (PAGE - 1)) + 1 if (va & (PAGE - 1)) + size > PAGE else -1
        s.operand_counted[0] = s.operand_counted[1] = -1
    granule = va >> SMALL_PAGE_BITS
    accesses = 0
    for part in range(2):
        known = s.operand_counted[0] == granule + part or s.operand_counted[1] == granule + part
        if parts >> part & 1 and not known:
            s.operand_counted[0], s.operand_counted[1] = s.operand_counted[1], granule + part
            accesses += 1
    return accesses


@njit
def charge_inhibited(s: State, accesses: int, kind: int) -> bool:
    """Charge accesses to inhibited memory or devices; False when the charge would run past a limit inside a block.

    Then nothing was charged: the engine must single-step up to here, because the limit takes effect at the first
    instruction boundary behind it and not at the end of the block.
    """
    if not s.single and s.cycles + accesses * cost_of(s, kind) >= s.cycle_limit:  # what follows may cost nothing (TRAP)
        s.operand_block = -1
        return False
    charge_accesses(s, accesses, kind)
    note_charge(s, accesses, kind)
    return True


@njit
def note_charge(s: State, accesses: int, kind: int) -> None:
    """Remember a charge, in case the instruction is begun again."""
    if s.charged_block != s.instructions:
        s.charged_block = s.instructions
        s.n_charged = 0
    if s.n_charged == MAX_CHARGES:  # the older half belongs to instructions that are over
        s.n_charged = MAX_CHARGES // 2
        for i in range(MAX_CHARGES // 2):
            for k in range(CHARGE_COLUMNS):
                s.charged[i, k] = s.charged[i + MAX_CHARGES // 2, k]
    i = s.n_charged
    s.charged[i, 0], s.charged[i, 1], s.charged[i, 2] = s.host_pc, accesses, kind
    s.n_charged = i + 1


@njit
def note_wait(s: State, before: int) -> None:
    """Remember an access that began at cycle ``before``, with the bus as :func:`keep_buffer` kept it."""
    note_charge(s, 1, MEMORY_WAIT)
    i = s.n_charged - 1
    s.charged[i, 3] = s.cycles - before
    for k in range(BUFFER_STATE):
        s.charged[i, 4 + k] = s.buffer_before[k]


@njit
def keep_buffer(s: State) -> None:
    """Note the state of the bus and the store buffer in front of an access."""
    s.buffer_before[0] = s.time.bus_free
    for k in range(STORE_BUFFER_ENTRIES):
        s.buffer_before[1 + k] = s.time.stores[k]


@njit
def retract(s: State, i: int) -> None:
    """Take one charge back. The first one of an instruction comes last, and with it the buffer is as it was."""
    if s.charged[i, 2] != MEMORY_WAIT:
        charge_accesses(s, -s.charged[i, 1], s.charged[i, 2])
        return
    s.cycles -= s.charged[i, 3]
    account(s.time, -s.charged[i, 3], False)
    s.time.bus_free = s.charged[i, 4]
    for k in range(STORE_BUFFER_ENTRIES):
        s.time.stores[k] = s.charged[i, 5 + k]


@njit
def cost_of(s: State, kind: int) -> int:
    """Cycles of one access on top of its instruction's."""
    if kind == MMU_REGISTER:
        return int(s.time.costs.mmu_register_access)
    return int(s.time.costs.inhibited_write if kind == WRITE else s.time.costs.inhibited_read)


@njit
def charge_accesses(s: State, accesses: int, kind: int) -> None:
    """Charge accesses to inhibited memory or the MMU's registers; a negative number takes them back."""
    s.cycles += accesses * cost_of(s, kind)
    if kind == WRITE:
        s.inhibited_writes += accesses
    elif kind != MMU_REGISTER:
        s.inhibited_reads += accesses


@njit
def retract_charges(s: State, pc: int) -> None:
    """Native: the instruction at ``pc``, in the block that runs, is begun again: take back what it was charged."""
    if s.single:
        retract_alone(s)
        return
    if s.charged_block == s.instructions:
        for i in range(s.n_charged - 1, -1, -1):
            call_restore(s.fn[F_RESTORE], (s.cpu, s.charged[i, 0], 1))
            if load32(s.env + ENV_PC) == pc:
                retract(s, i)
    s.n_charged = 0
    s.operand_block = -1


@njit
def retract_alone(s: State) -> None:
    """The instruction that runs alone is begun again: take back what it was charged."""
    if s.charged_block == s.instructions:
        for i in range(s.n_charged - 1, -1, -1):
            retract(s, i)
    s.n_charged = 0
    s.operand_block = -1


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
    extent = SINGLE if s.reference or is_full(s) else WHOLE
    if kind == READ and not perms & PERM_W and host:
        # A read-modify-write is refused at its read (sheet 1.11): whoever knows the instruction must look at each one.
        if not s.read_only_checked:
            return FILL_READ_ONLY, 0, 0, 0, -1, 0
        extent = SINGLE
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
    if source == TLB:
        if touch_data(s, entry):
            unlocked = entry
        if bits == SMALL_PAGE_BITS:
            extent = SINGLE
            outcome, second = straddle(s, va, size, kind, user, pa)
            inhibited |= second << 1
            if outcome == FILL_BOUNCE and s.bounce:
                where = bounce_page(s, va, size, kind, user)
                outcome = FILL_OK if where >= 0 else FILL_FAULT
            if outcome != FILL_OK:
                return outcome, 0, 0, 0, -1, 0
    s.granted_memory = 1 if host else 0
    if host and is_full(s):
        again = perms & PERM_W and bits != SMALL_PAGE_BITS and source not in (RAMBAR0, RAMBAR1)
        s.granted_pa, s.granted_mode = pa if again else -1, cm
    return FILL_OK, where, perms & (PERM_R | PERM_W), SINGLE if inhibited else extent, unlocked, inhibited


@njit
def is_repeated(s: State, kind: int, mode: int) -> bool:
    """Whether another try of an access would take its time again: a line that was filled is there, but not so what goes
    to memory each time."""
    return bool(not s.mmu.cacr & CACR_DEC or (kind == WRITE and mode == WRITE_THROUGH))


@njit
def take_time(s: State, va: int, size: int, kind: int, user: int) -> None:
    """Level full: an allowed access to memory takes its time, each 4-KB page of it when unicorn comes to that.

    unicorn looks more than once at an operand that crosses into another page: each part of it counts once.
    """
    if not is_first_look(s, va, size):
        return
    now = access_now(s) - s.cycles
    end = min(va + size, (va | (PAGE - 1)) + 1)
    at = va
    while at < end:
        source, _entry, pa, _perms, cm, bits = resolve(s.mmu, at, kind, 1 - user)
        part = min(end, (at | (1 << min(bits, 12)) - 1) + 1)
        time_part(s, source, pa, part - at, kind, cm, s.cycles + now)
        at = part


@njit
def time_part(s: State, source: int, pa: int, size: int, kind: int, mode: int, now: int) -> None:
    """Level full: the part of an operand that is in one page takes its time, and may have to give it back."""
    if mode & CM_INHIBITED:
        charge_accesses(s, 1, kind)
        note_charge(s, 1, kind)
        return
    before = s.cycles + 0
    keep_buffer(s)
    wait_for_data(s, source, pa, size, kind, mode, now)
    if is_repeated(s, kind, mode):
        note_wait(s, before)


@njit
def is_first_look(s: State, va: int, size: int) -> bool:
    """Whether unicorn has not looked at this part of the operand before (see :func:`continues_operand`)."""
    if not (s.look_host_pc == s.host_pc and s.look_block == s.instructions):
        s.look_host_pc, s.look_block = s.host_pc, s.instructions
        s.look_cross = (va | (PAGE - 1)) + 1 if (va & (PAGE - 1)) + size > PAGE else -1
        s.look_second = 0
        return True
    if s.look_cross >= 0 and (size == 1 or va == s.look_cross or va + size == s.look_cross):
        if va == s.look_cross and not s.look_second:
            s.look_second = 1
            return True
        return False
    return True


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
        if is_full(s) and not inhibited and not s.reference and s.granted_pa >= 0:
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
        host = swallowed_word(s, va)
        if host:
            install(s, va, uc_address(s, host), PERM_X, user, SINGLE)
            return FILL_OK
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
        if data_source != MISS and data_source != TLB and data_pa == pa and not data_cm & CM_INHIBITED:
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
