"""Level full: the time of instruction fetches (docs/timing-model.md, section 4), charged as it happens.

A block runs whole while its lines are in the instruction cache; the first instruction that would wait begins a block of
its own.
"""

from emu.cpu.blocks import LINES_SEEN, SHADOW_LINES_SEEN, instruction_length, page_mask, word_at
from emu.cpu.processor import in_supervisor
from emu.cpu.raw import store64
from emu.cpu.state import State
from emu.jit import njit
from emu.mmu.attributes import MISS, RAMBAR0, RAMBAR1, permits, resolve
from emu.mmu.registers import field_mask
from emu.mmu.state import FETCH
from emu.timing import caches
from emu.timing.caches import INHIBITED, LINE, account

__all__ = ["begin_fetch", "end_fetch", "fetch_takes", "note_lines"]

IEC, IHLCK, DNFB = (field_mask("CACR", name) for name in ("IEC", "IHLCK", "DNFB"))
OP_NOP = 0x4E71
LINE_MASK, LONG_MASK = ~(LINE - 1), ~3


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
