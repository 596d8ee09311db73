"""Devices as unicorn's MMIO callbacks see them: the MMU register window and the peripherals behind MBAR.

Both engines share these functions; only leaving the machine in the middle of an access differs.
"""

from emu.cpu.blocks import block_cost, is_known, rest_of_block, unwind
from emu.cpu.catch import catch_load, waits_for_load
from emu.cpu.charges import MMU_REGISTER, charge_inhibited, cost_of, retract_alone, retract_charges
from emu.cpu.clock import now
from emu.cpu.effects import apply_effect, may_move_code
from emu.cpu.interrupts import follow_devices
from emu.cpu.processor import get_pc
from emu.cpu.raw import call_pointer, call_restore, load64
from emu.cpu.recorder import begin_again, record_store
from emu.cpu.state import (
    EVENT_CHARGE,
    EVENT_FULL,
    EVENT_HALT,
    EVENT_HYPERCALL,
    EVENT_INPUT,
    EVENT_RESET,
    EVENT_UNMODELLED,
    F_LOOP_EXIT,
    F_RESTORE,
    F_STOP,
    MAX_ACCESSES,
    MAX_DONE,
    State,
)
from emu.devices import bus
from emu.devices.registers import MAILBOX
from emu.jit import njit
from emu.mmu import window
from emu.mmu.registers import OFFSET_MMUOR
from emu.mmu.state import READ, WARN_OVERLAP, WRITE
from emu.timing.state import FLAT

__all__ = ["mbar_read", "mbar_write", "stop_here", "window_read", "window_write"]

CPU_MEM_IO_PC = 0x8178  # CPUState.mem_io_pc of unicorn 2.1.4: the host PC of the running I/O access


@njit
def stop_here(s: State, event: int) -> None:
    """Leave unicorn at the instruction that makes the current I/O access, as if it had not begun.

    The native engine does not come back from here; the public engine lets the instruction end and then undoes it. An
    intercepted instruction (emu.cpu.device_operand) returns by itself.
    """
    s.event = event
    begin_again(s, io_pc(s))
    s.next_done = 0
    if s.emulating:
        s.postponed = 1
        if s.single:  # else it waits for its first access
            retract_alone(s)
        unwind(s, get_pc(s))
    elif s.native:
        call_restore(s.fn[F_RESTORE], (s.cpu, load64(s.cpu + CPU_MEM_IO_PC), 1))
        retract_charges(s, get_pc(s))
        call_restore(s.fn[F_RESTORE], (s.cpu, load64(s.cpu + CPU_MEM_IO_PC), 1))
        unwind(s, get_pc(s))
        call_pointer(s.fn[F_STOP], (s.uc,))
        call_pointer(s.fn[F_LOOP_EXIT], (s.cpu,))


@njit
def io_pc(s: State) -> int:
    """PC of the instruction that makes the current I/O access."""
    if not s.native:
        return int(s.block_pc)
    if s.emulating:
        return get_pc(s)
    call_restore(s.fn[F_RESTORE], (s.cpu, load64(s.cpu + CPU_MEM_IO_PC), 1))
    return get_pc(s)


@njit
def time_here(s: State, in_cycles: bool) -> int:
    """Devices' time, or core cycles, at the current I/O access: the block was charged as a whole, its rest has not run
    yet."""
    offset = io_pc(s) - s.block_pc
    count, cycles = 0, 0
    if 0 <= offset < s.block_size:
        count, cycles = rest_of_block(s, offset)
    if s.clock and not in_cycles:
        return int(now(s) - count)
    return int(s.cycles - cycles)


@njit
def charge(s: State, kind: int) -> bool:
    """Charge an I/O access; False when the limit lies inside the block (then the access is repeated single-stepped)."""
    if s.native and not s.emulating:
        s.host_pc = load64(s.cpu + CPU_MEM_IO_PC)
    if not charge_inhibited(s, 1, kind):
        stop_here(s, EVENT_CHARGE)
        return False
    return True


@njit
def is_over(s: State) -> bool:
    """Public engine: the machine was stopped by an earlier access of this instruction, which will be begun again; what
    it accesses until unicorn has come to its end does not happen."""
    return bool(s.event >= EVENT_HALT)


@njit
def window_read(s: State, offset: int, size: int) -> int:
    """A read of the MMU register window."""
    if is_over(s) or not charge(s, MMU_REGISTER):
        return 0
    return window.read(s.mmu, offset, size)


@njit
def must_be_alone(s: State, offset: int, size: int, value: int) -> bool:
    """Whether the instruction of a store to the MMU's window must run by itself: what it does must not be done again,
    as when the instruction (MOVEM) is begun again at a later access for a limit."""
    near = s.cycles + MAX_ACCESSES * cost_of(s, MMU_REGISTER) >= s.cycle_limit
    return (near and offset >> 2 == OFFSET_MMUOR >> 2) or may_move_code(s, offset, size, value)


@njit
def window_write(s: State, offset: int, size: int, value: int) -> None:
    """A write of the MMU register window, and its consequences for the softmmu and the running block."""
    if not is_over(s) and (waits_for_load(s, offset) or (not s.single and must_be_alone(s, offset, size, value))):
        stop_here(s, EVENT_CHARGE)
        return
    if is_over(s) or not charge(s, MMU_REGISTER):
        return
    overlaps = s.mmu.warning_count[WARN_OVERLAP] + 0
    effect = window.write(s.mmu, offset, size, value)
    record_store(s, offset, size, value, effect)
    if effect:
        catch_load(s, offset, size, value)
        apply_effect(s, effect, overlaps)


@njit
def may_begin(s: State, offset: int, size: int, value: int, is_write: int) -> bool:
    """Whether the peripheral access may happen now; else the machine has been stopped in front of it."""
    need = bus.before(s.devices, offset, size, value, is_write)
    if need == bus.GO or (need == bus.ALONE and s.single):
        return True
    if need == bus.ALONE:
        event = EVENT_CHARGE
    elif need == bus.FULL:
        event = EVENT_FULL
    elif need == bus.RESET:
        event = EVENT_RESET
    elif need == bus.CALL:
        event = EVENT_HYPERCALL
    elif need == bus.INPUT:
        event = EVENT_INPUT
    else:
        event = EVENT_UNMODELLED
    stop_here(s, event)
    return False


@njit
def access_time(s: State, offset: int, size: int, is_write: int) -> int:
    """When a peripheral access happens, if that matters to it: finding out takes as long as the access itself.

    It is not before the block began nor after its last instruction, and often that is all that counts. What is due
    before the access happens before it; that can only be inside an instruction that runs alone (see :func:`charge`).
    """
    if s.single and s.devices.deadline <= now(s):
        time = time_here(s, False)
        if s.devices.deadline <= time:
            bus.advance(s.devices, time)
        if offset < MAILBOX:
            return time
    if offset >= MAILBOX:  # counts what operations cost
        return time_here(s, True)
    if not bus.is_timed(s.devices, offset, size, is_write):
        return 0
    if not is_write and (s.time.level != FLAT or is_known(s)):
        count, cycles = s.time.block_count + 0, s.time.block_cycles + 0
        if s.time.level == FLAT:
            count, cycles = block_cost(s)
        last = now(s)
        if bus.is_steady(s.devices, offset, last - (count if s.clock else cycles), last):
            return last
    return time_here(s, False)


@njit
def was_done(s: State) -> bool:
    """Whether an earlier try of the running instruction has made this acting access: it must not act again.

    Such an instruction runs by itself, so no other has its count of instructions but the first one of a handler
    (emu.cpu.exceptions clears ``done_at``).
    """
    if s.done_at != s.instructions:
        s.done_at = s.instructions
        s.n_done = s.next_done = 0
    return bool(s.next_done < s.n_done)


@njit
def done_before(s: State) -> int:
    """What the acting access gave when it was made."""
    s.next_done += 1
    return int(s.done[s.next_done - 1])


@njit
def note_done(s: State, value: int) -> None:
    """An acting access has been made, and gave ``value``."""
    if s.n_done < MAX_DONE:
        s.done[s.n_done] = value
        s.n_done += 1
    s.next_done = s.n_done


@njit
def mbar_read(s: State, offset: int, size: int) -> int:
    """A read of the peripheral window."""
    if is_over(s):
        return 0
    acts = s.single != 0 and bus.acts(s.devices, offset, size, 0)
    if acts and was_done(s):
        return done_before(s) if charge(s, READ) else 0
    if not may_begin(s, offset, size, 0, 0) or not charge(s, READ):
        return 0
    value = bus.read(s.devices, offset, size, access_time(s, offset, size, 0))
    if acts:
        note_done(s, value)
    if s.single:
        follow_devices(s)
    return value


@njit
def mbar_write(s: State, offset: int, size: int, value: int) -> None:
    """A write of the peripheral window."""
    if is_over(s):
        return
    acts = s.single != 0 and bus.acts(s.devices, offset, size, 1)
    if acts and was_done(s):
        if charge(s, WRITE):
            done_before(s)
        return
    if not may_begin(s, offset, size, value, 1) or not charge(s, WRITE):
        return
    bus.write(s.devices, offset, size, value, access_time(s, offset, size, 1))
    if acts:
        note_done(s, 0)
    if s.single:
        follow_devices(s)
