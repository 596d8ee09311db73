"""The fast ways back into the softmmu: entries that were taken out, kept as images (unicorn-notes 4).

At the level of time that models caches nothing stays in the softmmu, because each access must be seen; there an image
says what the model has allowed before.
"""

from emu.cpu.memory import clear_slot, slot_of, touch_data
from emu.cpu.raw import load32, load64, store64
from emu.cpu.recorder import record_look
from emu.cpu.state import IMAGES, MAX_ARMED, State
from emu.jit import njit, njit_inline
from emu.mmu.registers import field_mask
from emu.mmu.state import WRITE
from emu.timing.caches import COPYBACK, LINE, LINE_BITS, find
from emu.timing.state import FULL, SETS

__all__ = [
    "NO_ACCESS",
    "arm",
    "drop_images",
    "hit_in_time",
    "hit_recorded",
    "keep_image",
    "keep_image_in_time",
    "swap_in",
]

NO_ACCESS = 0xFFFFFFFF
TLB_INVALID = 0x800  # flag bit in the addresses of CPUTLBEntry, of QEMU with 4-KB pages: looked up again at each access
CACR_DEC = field_mask("CACR", "DEC")
PAGE = 4096


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
    hit_image(s, va, user, image)
    return True


@njit_inline
def hit_image(s: State, va: int, user: int, image: int) -> None:
    """The access goes on by an entry that was kept."""
    entry = load64(image + 32)
    if entry >= 0 and entry != s.armed_entry:
        touch_data(s, entry)
        s.armed_entry = entry
    s.fills += 1
    slot = slot_of(s, va, user)
    if load64(slot) != load64(image) or load64(slot + 24) != load64(image + 24):
        for k in range(4):
            store64(slot + 8 * k, load64(image + 8 * k))


@njit_inline
def hit_recorded(s: State, va: int, size: int, kind: int, user: int) -> bool:
    """While recording, the fast way: an access that the model has allowed on this page before."""
    page = va & 0xFFFFF000
    i = image_index(page, user)
    if s.image_key[i] != image_key(s, page, user) or (va & PAGE - 1) + size > PAGE:
        return False
    image = s.image_address + 40 * i
    if load32(image + 4 * kind) != page | TLB_INVALID:  # addr_read, addr_write
        return False
    if s.time.level == FULL:
        if not hit_in_time(s, va, size, kind, user):
            return False
    else:
        hit_image(s, va, user, image)
    record_look(s, va, size, size, kind, 1 - user)
    return True


@njit
def keep_image_in_time(s: State, slot: int, va: int, user: int, entry: int) -> None:
    """Remember a freshly filled entry for :func:`hit_in_time` or :func:`hit_recorded`; ``entry``: the unlocked one it
    is of, or -1."""
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
