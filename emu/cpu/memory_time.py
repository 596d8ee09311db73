"""Level full: when in its block a data access happens, the time of instruction fetches, and cache commands
(docs/timing-model.md, section 4). Everything is charged to the cycle counter as it happens.
"""

from emu.cpu.blocks import (
    LINES_SEEN,
    SHADOW_LINES_SEEN,
    instruction_length,
    page_mask,
    rest_of_block,
    word_at,
)
from emu.cpu.processor import get_pc, in_supervisor
from emu.cpu.raw import call_restore, load64, store64
from emu.cpu.state import F_RESTORE, RESTS, State
from emu.jit import njit
from emu.mmu.attributes import MISS, RAMBAR0, RAMBAR1, permits, resolve
from emu.mmu.registers import field_mask
from emu.mmu.state import FETCH
from emu.timing import branches, caches
from emu.timing.caches import INHIBITED, LINE, account

__all__ = [
    "access_now",
    "begin_fetch",
    "cache_command",
    "control_caches",
    "end_fetch",
    "fetch_takes",
    "note_lines",
]

DDPI = field_mask("CACR", "DDPI")
IEC, IHLCK, IDPI, DNFB = (field_mask("CACR", name) for name in ("IEC", "IHLCK", "IDPI", "DNFB"))
DCINVA, ICINVA, BCINVA = (field_mask("CACR", name) for name in ("DCINVA", "ICINVA", "BCINVA"))
OP_NOP = 0x4E71
LINE_MASK, LONG_MASK = ~(LINE - 1), ~3
DATA_CACHE, INSTRUCTION_CACHE = 1, 2  # which caches a CPUSHL works on


@njit
def access_now(s: State) -> int:
    """Native engine, inside a softmmu fill: the time of the access, which is the end of its instruction.

    Where in the block that is depends on the host PC only, and is remembered by it.
    """
    t = s.time
    if s.single or t.block_count == 1:
        return int(s.cycles)
    slot = s.rests + 24 * (s.host_pc >> 2 & (RESTS - 1))
    if t.block_serial and load64(slot) == s.host_pc and load64(slot + 8) == t.block_serial:
        return int(s.cycles - load64(slot + 16))
    call_restore(s.fn[F_RESTORE], (s.cpu, s.host_pc, 1))
    offset = get_pc(s) - s.block_pc
    rest = 0
    if 0 <= offset < s.block_size:
        offset += instruction_length(s, word_at(s, offset))
        _count, rest = rest_of_block(s, min(offset, s.block_size))
    store64(slot, s.host_pc)
    store64(slot + 8, t.block_serial)
    store64(slot + 16, rest)
    return int(s.cycles - rest)


# --- instructions


@njit
def page_takes_time(s: State) -> bool:
    """Whether fetches from the page that runs go to memory or its cache."""
    return bool(s.code_source not in (RAMBAR0, RAMBAR1))


@njit
def is_fetch_cached(s: State) -> bool:
    """Whether fetches from the page that runs go through the instruction cache."""
    return bool(s.mmu.cacr & IEC and not s.code_mode & INHIBITED)


@njit
def code_address(s: State, offset: int) -> int:
    """PA of a byte of the block that is about to run; only its last instruction may lie on another page."""
    va = s.block_pc + offset
    if (va ^ s.block_pc) & page_mask(s) and (va ^ s.second_va) & 0xFFFFFC00 == 0:
        return int(s.second_pa & ~0x3FF | va & 0x3FF)
    inside = 0x3FF if s.code_small else 0xFFF  # a 1-KB page may be at another quarter of its frame than its VA
    return int(s.code_pa & ~inside | va & inside)


@njit
def crosses_page(s: State, end: int) -> bool:
    """Whether a byte before offset ``end`` of the block lies on another page than its first one."""
    return bool((s.block_pc + end - 1 ^ s.block_pc) & page_mask(s))


@njit
def find_second_page(s: State, end: int) -> bool:
    """Where the words of the block's instruction on another page are, whose recency others see to; False if they
    cannot be fetched: then nothing of it is."""
    va = s.block_pc + end - 2 & 0xFFFFFFFF
    source, _entry, pa, perms, _mode, _bits = resolve(s.mmu, va, FETCH, in_supervisor(s))
    if source == MISS or not permits(perms, FETCH):
        return False
    s.second_va, s.second_pa = va, pa
    return True


@njit
def may_follow(s: State, line: int) -> bool:
    """Whether an instruction in ``line`` takes no time to fetch and leaves nothing, whoever looks."""
    t = s.time
    return caches.is_present(t.icache, line) and (t.in_handler != 0 or caches.is_present(t.ishadow, line))


@njit
def fetch_takes(s: State, count: int) -> int:
    """How many of the ``count`` instructions of the block may run in one go.

    The first waits for its own fetch; the next one that would wait, or is a NOP, begins a block of its own.
    """
    if not page_takes_time(s):
        return count
    if not is_fetch_cached(s):
        return 1
    at = instruction_length(s, word_at(s, 0))
    line = code_address(s, at - 2) & LINE_MASK
    done = 1
    while done < count:
        op = word_at(s, at)
        if op == OP_NOP:
            return done
        length = instruction_length(s, op)
        if crosses_page(s, at + length):
            return done
        for k in range(0, length, 2):
            new = code_address(s, at + k) & LINE_MASK
            if new != line:
                if not may_follow(s, new):
                    return done
                line = new
        at += length
        done += 1
    return done


@njit
def begin_fetch(s: State) -> None:
    """Fetch the first instruction of the block that is about to run, and wait for it; NOP waits for stores as well.

    One that is begun again only because of how this engine works has been fetched already.
    """
    t = s.time
    op = word_at(s, 0)
    length = instruction_length(s, op)
    if crosses_page(s, length) and not find_second_page(s, length):
        return
    cached = is_fetch_cached(s)
    buffered = s.mmu.cacr & DNFB != 0
    again = s.begun_again == s.block_pc
    s.begun_again = -1
    if page_takes_time(s) and not again:
        for k in range(0, length, 2):
            pa = code_address(s, k)
            line = pa & LINE_MASK
            cycles = 0
            if cached:
                if line != t.last_line:
                    cycles = caches.fetch_line(t, line, s.mmu.cacr & IHLCK != 0, s.cycles)
            elif (line != t.fetch_line) if buffered else (pa & LONG_MASK != t.last_long):
                cycles = t.costs.inhibited_read
                account(t, cycles, False)
                if buffered:
                    t.fetch_line = line
            s.cycles += cycles
            t.last_line, t.last_long = line, pa & LONG_MASK
    if op == OP_NOP:
        cycles = max(0, caches.buffered_until(t) - s.cycles)
        account(t, cycles, False)
        s.cycles += cycles


@njit
def end_fetch(s: State, end: int) -> None:
    """The words of the block that is about to run, up to offset ``end``, have been fetched: note where the last is."""
    pa = code_address(s, end - 2)
    s.time.last_line, s.time.last_long = pa & LINE_MASK, pa & LONG_MASK


@njit
def note_lines(s: State, record: int) -> None:
    """Remember with a block whether the next time it can run without a look at the instruction cache: all its lines are
    there, and in the shadow, too, and no NOP in it waits for stores."""
    t = s.time
    if page_takes_time(s) and not is_fetch_cached(s):
        return
    at = 0
    while at < s.block_size:
        op = word_at(s, at)
        if op == OP_NOP:
            return
        at += instruction_length(s, op)
    if crosses_page(s, at):
        return
    present = in_shadow = True
    if page_takes_time(s):
        for k in range(0, at, 2):
            line = code_address(s, k) & LINE_MASK
            present = present and caches.is_present(t.icache, line)
            in_shadow = in_shadow and caches.is_present(t.ishadow, line)
    if present:
        store64(record + LINES_SEEN, t.icache.changes)
    if present and in_shadow:
        store64(record + SHADOW_LINES_SEEN, t.ishadow.changes)


# --- control


@njit
def control_caches(s: State, value: int) -> None:
    """CACR was written: its commands, at the end of the MOVEC. What is known of blocks is looked at again."""
    t = s.time
    t.icache.changes += 1
    t.ishadow.changes += 1
    if value & DCINVA:
        caches.invalidate(t.dcache)
        caches.invalidate(t.dshadow)
    if value & ICINVA:
        caches.invalidate(t.icache)
        caches.invalidate(t.ishadow)
    if value & BCINVA:
        branches.forget_branches(t)


@njit
def cache_command(s: State, op: int, address: int) -> None:
    """CPUSHL (F468 dc, F4A8 ic, F4E8 bc) or INTOUCH (F428) with An = ``address``, at its end."""
    t = s.time
    which = op >> 6 & 3
    if which == 0:
        if s.mmu.cacr & IEC:
            s.cycles += caches.fetch_line(t, address & LINE_MASK, s.mmu.cacr & IHLCK != 0, s.cycles)
        return
    at, way = address >> 4 & 0x1FF, address & 3
    if which & DATA_CACHE:
        caches.push(t, t.dcache, at, way, s.mmu.cacr & DDPI != 0, s.cycles)
        if not t.in_handler:
            caches.push(t, t.dshadow, at, way, s.mmu.cacr & DDPI != 0, s.cycles)
    if which & INSTRUCTION_CACHE:
        caches.push(t, t.icache, at, way, s.mmu.cacr & IDPI != 0, s.cycles)
        if not t.in_handler:
            caches.push(t, t.ishadow, at, way, s.mmu.cacr & IDPI != 0, s.cycles)
