"""What happens between two instructions: limits, interrupts, stop addresses, and the start of a block.

Everything that may stop the guest takes effect at the first instruction boundary at or after its cycle or instruction,
however unicorn cuts its blocks: a block that would run past the boundary is not started but cut.
"""

from emu.cpu.blocks import (
    COUNT,
    CYCLES,
    END,
    LINES_SEEN,
    SHADOW_LINES_SEEN,
    block_cost,
    charge_block,
    charge_pipeline,
    has_hidden_word,
    instruction_length,
    is_known,
    is_remembered,
    measure,
    opcode_flags,
    pipelined_memo,
    record_block,
)
from emu.cpu.data_time import is_full
from emu.cpu.fetch_time import begin_fetch, end_fetch, fetch_takes, note_lines
from emu.cpu.intercept import intercepted_by_patch
from emu.cpu.interrupts import interrupt_due
from emu.cpu.memory import note_code, place
from emu.cpu.native import ENV_SR
from emu.cpu.processor import SR_IMPLEMENTED, SR_S, SR_T, drop_missing_bits, system_byte
from emu.cpu.raw import load16be, load32, load64
from emu.cpu.recorder import record_fetch
from emu.cpu.shadow import is_patched
from emu.cpu.state import (
    ATTENTION_CATCH,
    ATTENTION_IRQ,
    ATTENTION_RECORDS,
    ATTENTION_STOPS,
    EVENT_ADDRESS,
    EVENT_CAUGHT,
    EVENT_CUT,
    EVENT_FETCH_FAULT,
    EVENT_IRQ,
    EVENT_LIMIT,
    EVENT_NONE,
    EVENT_ODD,
    EVENT_PATCH,
    EVENT_RECORDS,
    EVENT_STALE,
    EVENT_STEP,
    EVENT_TRACE,
    HALT_NONE,
    MEMO,
    STEP_BEGUN,
    STEP_NONE,
    State,
)
from emu.jit import njit, njit_inline
from emu.mmu.attributes import MISS, TLB, permits, resolve
from emu.mmu.plru import touch
from emu.mmu.registers import field_mask
from emu.mmu.state import FETCH, ITLB
from emu.timing.branches import resolve_branch
from emu.timing.state import FULL

__all__ = [
    "boundary_event",
    "note_translation",
    "settle_branch",
    "start_block",
    "start_known_block",
    "start_known_block_in_time",
]

CACR_BEC = field_mask("CACR", "BEC")

SMALL_PAGE_BITS = 10
SR_MISSING = 0xFFE0 & ~SR_IMPLEMENTED


@njit
def is_stop(s: State, pc: int) -> bool:
    """Whether the user asked to stop at ``pc``."""
    found = False
    for i in range(s.n_stops):
        found |= s.stops[i] == pc
    return found


@njit
def settle_branch(s: State, pc: int) -> None:
    """The branch before the instruction at ``pc`` is over: charge it. A jump to an odd address will be taken back."""
    if s.time.pending and not pc & 1:
        s.cycles += resolve_branch(s.time, pc, s.mmu.cacr & CACR_BEC != 0)


@njit
def boundary_event(s: State, pc: int) -> int:
    """What is due before the instruction at ``pc``; EVENT_NONE if it may start.

    The jump to an odd address has not completed, so its exception comes before all that is due behind it; so does the
    trace exception of the instruction before an interrupt (item 37).
    """
    if pc & 1:
        return EVENT_ODD
    settle_branch(s, pc)
    if s.attention & ATTENTION_CATCH:
        return EVENT_CAUGHT
    if s.instructions >= s.instruction_limit or s.cycles >= s.cycle_limit:
        return EVENT_LIMIT
    if s.attention & ATTENTION_RECORDS:
        return EVENT_RECORDS
    if s.attention & ATTENTION_IRQ and not s.trace_pending and interrupt_due(s):
        return EVENT_IRQ
    if s.attention & ATTENTION_STOPS and pc != s.stop_skip and is_stop(s, pc):
        return EVENT_ADDRESS
    if s.trace_pending:
        return EVENT_TRACE
    return EVENT_NONE


@njit
def allowed_instructions(s: State, count: int, cycles: int) -> int:
    """How many of the ``count`` instructions of the current block may run before the next boundary event."""
    most = count
    if system_byte(s) & SR_T or s.code_small:
        most = 1
    if s.attention & ATTENTION_IRQ and s.instructions == s.hold_instructions:
        most = 1
    if s.instructions + count <= s.instruction_limit and s.cycles + cycles < s.cycle_limit:
        if not s.attention & ATTENTION_STOPS:
            return most
    t = s.time
    a, b, c = t.a + 0, t.b + 0, t.c + 0
    done = 0
    spent = 0
    at = 0
    while done < most:
        if s.instructions + done >= s.instruction_limit or s.cycles + spent >= s.cycle_limit:
            break
        if done and s.attention & ATTENTION_STOPS and is_stop(s, s.block_pc + at):
            break
        _one, cost, at = measure(s, at, s.block_size, 1)
        spent += cost
        done += 1
    t.a, t.b, t.c = a, b, c
    return done


@njit
def code_key(pc: int, sr: int) -> int:
    """What the fetch page of ``pc`` is remembered under: its VA and the mode. With SR[T] set, or a bit of SR that does
    not exist, nothing matches."""
    return pc & 0xFFFFF000 | (sr & (SR_S | SR_T | SR_MISSING)) >> 5


@njit
def is_only_stops(s: State, pc: int, size: int) -> bool:
    """Whether all there is to look for are stop addresses, none of them in this block."""
    if s.attention != ATTENTION_STOPS or s.step | s.halted | s.trace_pending | (pc & 1):
        return False
    for i in range(s.n_stops):
        if pc <= s.stops[i] < pc + size:
            return False
    return True


@njit_inline
def start_known_block(s: State, pc: int, size: int) -> bool:
    """Native engine, the common case of :func:`start_block`: a block met before on the page that runs, and nothing due
    inside it. False leaves everything to the full version."""
    if s.attention | s.step | s.halted | s.trace_pending | s.scratch_run | (pc & 1):
        if s.scratch_run or not is_only_stops(s, pc, size):
            return False
    if code_key(pc, load32(s.env + ENV_SR)) != s.code_key:
        return False
    host = s.code_host + (pc & 0xFFF)
    record = s.memo + 32 * ((host >> 1) & (MEMO - 1))
    if load64(record) != host or load64(record + 8) != size:
        return False
    count = load64(record + 16)
    instructions = s.instructions + count
    cycles = s.cycles + load64(record + 24)
    if instructions > s.instruction_limit or cycles >= s.cycle_limit:
        return False
    if s.code_entry >= 0 and not s.code_touched:
        touch(s.mmu, ITLB, s.code_entry)
        s.code_touched = 1
    s.block_pc = pc
    s.block_size = size
    s.block_host = host
    s.instructions = instructions
    s.cycles = cycles
    if s.recorder.on:
        record_block(s, count)
    return True


@njit
def start_known_block_in_time(s: State, pc: int, size: int) -> bool:
    """As :func:`start_known_block`, for the levels of time that look at the neighbours of an instruction."""
    if s.scratch_run:
        return False
    t = s.time
    if t.pending:
        settle_branch(s, pc)
    if s.attention | s.step | s.halted | s.trace_pending | (pc & 1):
        if not is_only_stops(s, pc, size):
            return False
    if code_key(pc, load32(s.env + ENV_SR)) != s.code_key:
        return False
    host = s.code_host + (pc & 0xFFF)
    record = pipelined_memo(s, host)
    if not is_remembered(s, record, host, size):
        return False
    count = load64(record + COUNT)
    instructions = s.instructions + count
    cycles = s.cycles + load64(record + CYCLES)
    slack = 0
    if t.level == FULL:
        if load64(record + LINES_SEEN) != t.icache.changes:
            return False
        if load64(record + SHADOW_LINES_SEEN) != t.ishadow.changes and not t.in_handler:
            return False
        slack = count * t.memory_slack
    if instructions > s.instruction_limit or cycles + slack >= s.cycle_limit:
        return False
    if s.code_entry >= 0 and not s.code_touched:
        touch(s.mmu, ITLB, s.code_entry)
        s.code_touched = 1
    s.block_pc = pc
    s.block_size = size
    s.block_host = host
    s.instructions = instructions
    s.cycles = cycles
    charge_pipeline(s, record)
    if t.level == FULL:
        end_fetch(s, load64(record + END))
    if s.recorder.on:
        record_block(s, count)
    return True


@njit
def enter_page(s: State, pc: int, mode: int) -> bool:
    """Find the bytes behind the fetch page of ``pc`` and its ITLB entry; False when it cannot be fetched."""
    source, entry, pa, perms, cm, bits = resolve(s.mmu, pc, FETCH, mode)
    s.code_source, s.code_mode = source, cm
    s.code_touched = 0
    s.code_key = -1
    if source == MISS or not permits(perms, FETCH):
        return False
    _where, host, pages = place(s, source, pa)
    if host == 0:
        return False
    s.code_host = host - (pc & 0xFFF)
    s.code_pages = pages
    s.code_small = 1 if bits == SMALL_PAGE_BITS else 0
    s.code_pa = pa
    s.code_entry = entry if source == TLB else -1
    if bits != SMALL_PAGE_BITS and not s.reference:
        s.code_key = code_key(pc, mode << 13)
    return True


@njit
def touch_second_page(s: State, va: int, mode: int) -> bool:
    """The one instruction of this block ends on another page (sheet 1.12: two ITLB entries); False when that misses."""
    source, entry, pa, perms, _cm, _bits = resolve(s.mmu, va, FETCH, mode)
    if source == MISS or not permits(perms, FETCH):
        s.fault_va = va
        return False
    if source == TLB:
        touch(s.mmu, ITLB, entry)
    _where, _host, pages = place(s, source, pa)
    s.second_va, s.second_pa = va, pa
    if pages:
        note_code(pages, 0, (pa & 0xFFF) + 2)
    s.code_key = -1
    return True


@njit
def note_translation(s: State, pc: int, size: int) -> None:
    """A block was translated and kept from running: a store to its bytes must drop it all the same."""
    source, _entry, pa, _perms, _cm, _bits = resolve(s.mmu, pc, FETCH, (system_byte(s) & SR_S) >> 13)
    if source != MISS:
        _where, _host, pages = place(s, source, pa)
        if pages:
            note_code(pages, pa & 0xFFF, size)


@njit
def public_event(s: State, pc: int, size: int) -> int:
    """Public engine: what must be done before this block, new on its page, may run."""
    at = 0
    while at < size:
        host = s.block_host + at
        if (pc + at ^ pc) & 0xFFFFF000:
            break
        op = load16be(host)
        hidden = intercepted_by_patch(op, opcode_flags(s, op)) or has_hidden_word(s, pc + at, op)
        if hidden and not is_patched(s, host):
            s.patch_host = host
            return EVENT_PATCH
        at += instruction_length(s, op)
    return EVENT_NONE


@njit
def start_block(s: State, pc: int, size: int) -> int:
    """The block hook: charge the block and let it run (EVENT_NONE), or say what keeps it from running."""
    if s.halted != HALT_NONE:
        return EVENT_STEP
    drop_missing_bits(s)
    settle_branch(s, pc)
    if s.step != STEP_NONE:
        if s.step == STEP_BEGUN or s.taken != s.step_taken:
            return EVENT_STEP
        s.step = STEP_BEGUN
    if s.step == STEP_NONE:
        event = boundary_event(s, pc)
        if event != EVENT_NONE:
            return event
    mode = (system_byte(s) & SR_S) >> 13
    if code_key(pc, mode << 13) != s.code_key:
        if not enter_page(s, pc, mode):
            s.fault_va = pc
            return EVENT_FETCH_FAULT
    last_pc, last_size, last_host = s.block_pc, s.block_size, s.block_host
    s.block_pc = pc
    s.block_size = size
    s.block_host = s.code_host + (pc & 0xFFF)
    if not s.native and not is_known(s):
        event = public_event(s, pc, size)
        if event != EVENT_NONE:
            s.block_pc, s.block_size, s.block_host = last_pc, last_size, last_host
            return event
    count, cycles = block_cost(s)
    together = in_one_go(s, count, cycles) if s.step == STEP_NONE else count
    if s.step == STEP_NONE and (together < count or needs_cut(s, count, cycles)):
        allowed = min(together, allowed_instructions(s, count, cycles))
        if allowed < count or system_byte(s) & SR_T or (s.native and s.code_small):
            s.cut = allowed
            s.block_pc, s.block_size, s.block_host = last_pc, last_size, last_host
            return EVENT_CUT
    if s.code_entry >= 0 and not s.code_touched:
        touch(s.mmu, ITLB, s.code_entry)
        s.code_touched = 1
    last = pc + size - 2
    if s.native and s.code_small and (last ^ pc) & 0xFFFFFC00 and s.small_epoch != s.small_seen:
        # The translation of an instruction on two 1-KB pages is found again by its first page alone.
        s.small_seen = s.small_epoch
        s.block_pc, s.block_size, s.block_host = last_pc, last_size, last_host
        return EVENT_STALE
    if (last ^ pc) & 0xFFFFFC00 and second_page(s, pc, last) and not touch_second_page(s, last, mode):
        record_fetch(s, pc, mode)
        s.block_size = 0
        return EVENT_FETCH_FAULT
    note_code(s.code_pages, pc & 0xFFF, size)
    if is_full(s):
        begin_fetch(s)
        end_fetch(s, load64(s.time_record + END))
        if s.step == STEP_NONE:
            note_lines(s, s.time_record)
    charge_block(s, count, cycles)
    if s.recorder.on:
        record_block(s, count)
    return EVENT_NONE


@njit
def in_one_go(s: State, count: int, cycles: int) -> int:
    """How many instructions of the current block may run without a look at the time between them: at level full not
    those that would wait for their fetch, and near a limit just one."""
    t = s.time
    if not is_full(s):
        return count
    if s.cycles + cycles + count * t.memory_slack >= s.cycle_limit:
        return 1
    return fetch_takes(s, count)


@njit
def second_page(s: State, pc: int, last: int) -> bool:
    """Whether the word at ``last`` may be mapped by another entry than the block's start."""
    return (last ^ pc) & 0xFFFFF000 != 0 or s.code_key == -1


@njit
def needs_cut(s: State, count: int, cycles: int) -> bool:
    """The fast question of every block: can anything be due inside it?"""
    return (
        s.instructions + count > s.instruction_limit
        or s.cycles + cycles >= s.cycle_limit  # the last instruction may cost nothing (TRAP) and be behind the limit
        or s.attention != 0
        or s.code_small != 0
        or system_byte(s) & SR_T != 0
    )
