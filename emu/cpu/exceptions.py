"""Exception processing: the frame, the vector, RTE, and which of it counts as a TLB refill.

Sheet 3.1 to 3.6. unicorn delivers nothing by itself; both engines come here.
"""

from emu.cpu.blocks import modifies, unwind
from emu.cpu.catch import catch_exception, forget_access
from emu.cpu.memory import halt, read32, write32
from emu.cpu.processor import (
    A7,
    SR_I,
    SR_M,
    SR_S,
    SR_T,
    get_register,
    get_sr,
    set_pc,
    set_register,
    set_sr,
)
from emu.cpu.profile import begin_fault, end_fault, note_access
from emu.cpu.raw import load64, store64
from emu.cpu.recorder import record_enter, record_leave, record_refusal, record_time
from emu.cpu.state import HALT_DOUBLE_FAULT, HALT_NO_HANDLER, MAX_REGIONS, MISS_PCS, State
from emu.jit import njit
from emu.mmu.attributes import MISS, fault, permits, resolve
from emu.mmu.registers import (
    FS_FETCH_ERROR,
    FS_FETCH_MISS,
    FS_FETCH_MISS_EXTENSION,
    FS_READ_ERROR,
    FS_READ_MISS,
    FS_WRITE_ERROR,
    FS_WRITE_MISS,
    VECTOR_ACCESS_ERROR,
    VECTOR_ADDRESS_ERROR,
    VECTOR_FORMAT_ERROR,
)
from emu.mmu.state import FETCH, READ, RMW, WRITE
from emu.timing.branches import NO_BRANCH
from emu.timing.pipeline import drain

__all__ = ["access_error", "deliver", "deliver_interrupt", "refuse", "return_from_exception"]


@njit
def is_miss(fs: int) -> bool:
    """FS codes that mean a TLB miss and not a violation (sheet 3.3)."""
    return fs in (FS_FETCH_MISS, FS_FETCH_MISS_EXTENSION, FS_WRITE_MISS, FS_READ_MISS)


@njit
def region_of(s: State, va: int) -> int:
    """Number of the named region that holds ``va``; the first match wins, the last one is 'other'."""
    for i in range(s.n_regions):
        if s.regions[i].start <= va < s.regions[i].end:
            return i
    return MAX_REGIONS - 1


@njit
def count_pc(s: State, pc: int, side: int) -> None:
    """Misses by PC: an open-addressed table of (pc + 1, itlb, dtlb); what finds no slot is counted together."""
    index = ((pc >> 1) * 0x9E3779B1) & (MISS_PCS - 1)
    for _ in range(64):
        slot = s.miss_pc + 24 * index
        key = load64(slot)
        if key == 0 or key == pc + 1:
            store64(slot, pc + 1)
            store64(slot + 8 + 8 * side, load64(slot + 8 + 8 * side) + 1)
            return
        index = (index + 1) & (MISS_PCS - 1)
    s.miss_pc_lost[side] += 1


@njit
def count_miss(s: State, va: int, kind: int, supervisor: int, pc: int) -> None:
    """One TLB miss, by TLB, privilege, region of the address and PC."""
    side = 0 if kind == FETCH else 1
    s.misses[side, supervisor] += 1
    if s.refill_depth > 0:
        s.nested += 1
    region = region_of(s, va)
    if side == 0:
        s.regions[region].itlb += 1
    else:
        s.regions[region].dtlb += 1
    count_pc(s, pc, side)


@njit
def enter_refill(s: State, frame: int, start: int) -> None:
    """A miss exception was taken at cycle ``start``; its frame says when it is over."""
    depth = s.refill_depth
    if depth == 0:
        s.refill_start = start
    if depth < 16:
        s.refill_sp[depth] = frame
        s.refill_depth = depth + 1
    s.time.in_handler = 1


@njit
def leave_refill(s: State, frame: int, sr: int) -> None:
    """RTE popped ``frame``: every refill at or below it on the stack has ended (a handler may drop frames). On the way
    to user mode all have: one that is still open was left for another process, on another stack."""
    depth = s.refill_depth
    while depth > 0 and (s.refill_sp[depth - 1] <= frame or not sr & SR_S):
        depth -= 1
    s.time.returned += s.refill_depth - depth
    if depth == 0 and s.refill_depth > 0:
        s.refill_cycles += s.cycles - s.refill_start
        s.time.in_handler = 0
    s.refill_depth = depth


@njit
def double_fault(s: State, vector: int, address: int) -> None:
    """A fault while an exception was processed halts the core (548xRM 3-39)."""
    halt(s, HALT_DOUBLE_FAULT, address, vector)


@njit
def enter(s: State, vector: int, fs: int, pc: int, new_sr: int, old_sr: int) -> bool:
    """Stack the frame and fetch the handler's address (sheet 3.1, 3.2); False when the core halts."""
    t = s.time
    start, stalls = s.cycles + 0, t.stalls + 0
    miss = vector == VECTOR_ACCESS_ERROR and is_miss(fs)
    was_in_handler = t.in_handler + 0
    record_time(s)
    if miss:
        t.in_handler = 1
    drain(t)
    t.pending = NO_BRANCH
    s.cycles += t.costs.exception_entry
    set_sr(s, new_sr)
    sp = get_register(s, A7)
    frame = (sp & 0xFFFFFFFC) - 8
    frame &= 0xFFFFFFFF
    record_enter(s, pc, vector, fs, (old_sr & SR_S) >> 13, frame)
    head = (4 + (sp & 3)) << 28 | (fs >> 2) << 26 | vector << 18 | (fs & 3) << 16 | old_sr
    if not write32(s, frame + 4, pc) or not write32(s, frame, head):
        double_fault(s, vector, frame)
        return False
    set_register(s, A7, frame)
    ok, handler = read32(s, s.mmu.vbr + 4 * vector)
    if not ok or handler & 1:  # an odd handler address is an address error inside exception processing
        double_fault(s, vector, s.mmu.vbr + 4 * vector)
        return False
    if handler == 0:  # the hardware would run the initial SSP as code; nobody means that
        halt(s, HALT_NO_HANDLER, pc, vector << 4 | fs)
        set_pc(s, pc)
        return False
    s.exceptions[vector] += 1
    s.taken += 1
    if vector == VECTOR_ACCESS_ERROR:
        if miss:
            t.misses += 1
            t.entry_stalls += t.stalls - stalls
            t.handler_stalls -= t.stalls - stalls
            t.in_handler = was_in_handler
            enter_refill(s, frame, start)
        begin_fault(s, frame)
    set_pc(s, handler)
    s.trace_pending = 0
    s.hold_instructions = s.instructions
    s.done_at = -1
    catch_exception(s, vector, fs, pc)
    return True


@njit
def deliver(s: State, vector: int, fs: int, pc: int) -> bool:
    """Take exception ``vector`` with fault status ``fs`` and stacked ``pc``; False when the core halts."""
    sr = get_sr(s)
    return enter(s, vector, fs, pc, (sr | SR_S) & ~SR_T & 0xFFFF, sr)


@njit
def deliver_interrupt(s: State, level: int, vector: int, pc: int) -> bool:
    """Take an interrupt: as :func:`deliver`, and M is cleared and the mask raised to ``level`` (sheet 3.1)."""
    sr = get_sr(s)
    return enter(s, vector, 0, pc, ((sr | SR_S) & ~(SR_T | SR_M | SR_I) & 0xFFFF) | level << 8, sr)


@njit
def access_error(s: State, va: int, kind: int, supervisor: int, pc: int) -> bool:
    """The access at ``pc`` to ``va`` cannot be done: MMU registers, counters, frame (sheet 1.13, 3.5)."""
    if s.postponed:  # it is one of a device, and the machine must be left first: the instruction has not begun
        s.postponed = 0
        return False
    forget_access(s)
    source, _entry, pa, perms, _cm, _bits = resolve(s.mmu, va, kind, supervisor)
    if kind == READ and source != MISS and not permits(perms, RMW) and modifies(s, pc):
        kind = RMW  # whatever forbids either half is found at the read (sheet 1.6, 1.11)
    s.refused_va, s.refused_kind, s.refused_supervisor = va, kind, supervisor
    if source >= 0 and permits(perms, kind):
        # Translated, but nothing answers on the bus (sheet 7 item 29).
        s.bus_errors += 1
        fs = FS_FETCH_ERROR if kind == FETCH else (FS_WRITE_ERROR if kind == WRITE else FS_READ_ERROR)
        s.bus_error_pa = pa
        note_access(s, va, kind, supervisor, pc, fs)
        return deliver(s, VECTOR_ACCESS_ERROR, fs, pc)
    fs = fault(s.mmu, va, kind, supervisor)
    if fs == FS_FETCH_MISS and (va ^ pc) & 0xFFFFFC00:  # the op word's page was there, a later word's is not
        fs = FS_FETCH_MISS_EXTENSION
    if is_miss(fs):
        count_miss(s, va, kind, supervisor, pc)
    else:
        s.violations += 1
    record_refusal(s, va, kind, supervisor, is_miss(fs))
    note_access(s, va, kind, supervisor, pc, fs)
    return deliver(s, VECTOR_ACCESS_ERROR, fs, pc)


@njit
def refuse(s: State, vector: int, pc: int) -> bool:
    """An exception that a faulting instruction causes: it does not retire, the frame points at it (sheet 3.4).

    FS of an address error: item 36.
    """
    unwind(s, pc)
    return deliver(s, vector, FS_FETCH_ERROR if vector == VECTOR_ADDRESS_ERROR else 0, pc)


@njit
def return_from_exception(s: State, pc: int) -> bool:
    """RTE at ``pc`` (548xRM 3-41): load SR and PC, or take the exception that RTE itself causes. An odd PC in the frame
    is refused as a bad format is, with nothing loaded (sheet 7 item 35)."""
    t = s.time
    stalls, was_in_handler = t.stalls + 0, t.in_handler + 0
    sp = get_register(s, A7)
    ok, head = read32(s, sp)
    if not ok:
        unwind(s, pc)
        return access_error(s, head, READ, 1, pc)
    form = head >> 28
    target = 1
    if 4 <= form <= 7:
        ok, target = read32(s, (sp + 4) & 0xFFFFFFFF)
        if not ok:
            unwind(s, pc)
            return access_error(s, target, READ, 1, pc)
    if target & 1:
        return refuse(s, VECTOR_ADDRESS_ERROR if 4 <= form <= 7 else VECTOR_FORMAT_ERROR, pc)
    set_register(s, A7, (sp + 8 + (form & 3)) & 0xFFFFFFFF)
    sr = head & 0xFFFF
    record_leave(s, sp, target)
    leave_refill(s, sp, sr)
    if was_in_handler and not t.in_handler:
        t.return_stalls += t.stalls - stalls
        t.handler_stalls -= t.stalls - stalls
    drain(t)
    if s.n_open:
        end_fault(s, sp)
    set_sr(s, sr)
    set_pc(s, target)
    return True
