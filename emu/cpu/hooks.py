"""The native callbacks that unicorn calls. Each takes the address of the machine's record as its user data.

They only translate unicorn's calling conventions; the work is done by the functions they call.
"""

from numba import carray, types

from emu.cpu import io
from emu.cpu.boundary import boundary_event, start_block
from emu.cpu.exceptions import access_error, deliver, refuse, return_from_exception
from emu.cpu.intercept import is_trapped, is_trapped_publicly
from emu.cpu.memory import fetch16
from emu.cpu.processor import CC_OP_FLAGS, ENV_CC_OP, get_pc, in_supervisor
from emu.cpu.blocks import opcode_flags, unwind
from emu.cpu.raw import call_pointer, call_restore, load64, state_pointer, store32
from emu.cpu.state import (
    EVENT_CHARGE,
    EVENT_CODE_WRITE,
    EVENT_HALT,
    EVENT_NONE,
    EVENT_STEP,
    F_LOOP_EXIT,
    F_RESTORE,
    F_STOP,
    HALT_NONE,
    HALT_STRADDLE,
    STEP_BEGUN,
    STEP_NONE,
    State,
)
from emu.cpu.traps import emulate, illegal_vector
from emu.cpu.translate import FILL_CODE_WRITE, FILL_FAULT, FILL_OK, fill_data, fill_fetch
from emu.jit import cfunc, njit
from emu.mmu.attributes import permits, resolve
from emu.mmu.registers import VECTOR_ILLEGAL
from emu.mmu.state import FETCH, RMW, WRITE
from emu.timing.isa import F_BITOP_MEM, F_RMW

__all__ = ["mbar_read", "mbar_write", "native_fill", "native_interrupt", "on_block", "window_read", "window_write"]

CPU_OPAQUE = 0x8170  # CPUState.opaque of unicorn 2.1.4: "user data", unused by unicorn; holds the record's address
INTR_RTE, INTR_HALT, INTR_TRAP, INTR_TRAP_END = 0x100, 0x101, 32, 48

I32, I64, VOID, BOOL = types.int32, types.int64, types.void, types.boolean


@njit
def stop(s: State) -> None:
    """Ask unicorn to return to the run loop."""
    call_pointer(s.fn[F_STOP], (s.uc,))


@njit
def leave(s: State, event: int) -> None:
    """Return to the run loop from inside a softmmu fill; does not come back."""
    s.event = event
    stop(s)
    call_pointer(s.fn[F_LOOP_EXIT], (s.cpu,))


@njit
def take_fault(s: State, va: int, kind: int, user: int) -> None:
    """Native: the access faults. Deliver the access error in place and go on at the handler; does not come back."""
    pc = get_pc(s)
    if kind != FETCH:
        flags = opcode_flags(s, fetch16(s, pc, in_supervisor(s)) & 0xFFFF)
        if kind == WRITE and flags & F_BITOP_MEM:
            # BSET, BCLR and BCHG have flushed the lazy flags already; N, V and C are right only when read as plain
            # flags (unicorn-notes 5).
            store32(s.env + ENV_CC_OP, CC_OP_FLAGS)
        if flags & F_RMW and resolve(s.mmu, va, kind, 1 - user)[0] >= 0 and not write_allowed(s, va, user):
            kind = RMW  # the write half of a read-modify-write is reported as 1101 with WF (sheet 1.6)
    if not access_error(s, va, kind, 1 - user, pc) or s.halted != HALT_NONE:
        leave(s, EVENT_STEP)
    call_pointer(s.fn[F_LOOP_EXIT], (s.cpu,))


@njit
def write_allowed(s: State, va: int, user: int) -> bool:
    """Whether a store to ``va`` would be a permitted hit."""
    _source, _entry, _pa, perms, _cm, _bits = resolve(s.mmu, va, WRITE, 1 - user)
    return permits(perms, WRITE)


@njit
def boundary_due(s: State) -> int:
    """A fetch that faults is the start of an instruction: whatever is due at this boundary comes first."""
    if s.step != STEP_NONE:
        if s.step == STEP_BEGUN or s.taken != s.step_taken:
            return EVENT_STEP
        return EVENT_NONE
    return boundary_event(s, get_pc(s))


@cfunc(BOOL(I64, I64, I32, I32, I32, BOOL, I64))
def native_fill(cpu: int, address: int, size: int, kind: int, user: int, probe: bool, host_pc: int) -> bool:
    """Replaces CPUClass.tlb_fill: the exact address, size and host PC of every softmmu miss."""
    s = carray(state_pointer(load64(cpu + CPU_OPAQUE)), 1)[0]
    va = address & 0xFFFFFFFF
    if kind == FETCH:
        if fill_fetch(s, va, user) == FILL_OK:
            return True
        s.fault_va = va
        outcome = FILL_FAULT
    else:
        outcome = fill_data(s, va, size, kind, user)
    if outcome == FILL_OK and s.halted != HALT_STRADDLE:
        return True
    if probe:
        return False
    if host_pc:
        call_restore(s.fn[F_RESTORE], (s.cpu, host_pc, 1))
        unwind(s, get_pc(s))
    if s.halted != HALT_NONE:
        leave(s, EVENT_STEP)
    if outcome == FILL_FAULT:
        if kind == FETCH:
            due = boundary_due(s)
            if due != EVENT_NONE:
                leave(s, due)
        take_fault(s, s.fault_va, kind, user)
    leave(s, EVENT_CODE_WRITE if outcome == FILL_CODE_WRITE else EVENT_CHARGE)
    return False


@cfunc(VOID(I64, I64, I32, I64))
def on_block(_uc: int, address: int, size: int, state: int) -> None:
    """UC_HOOK_BLOCK."""
    s = carray(state_pointer(state), 1)[0]
    if s.scratch_run:
        return
    event = start_block(s, address & 0xFFFFFFFF, size)
    if event != EVENT_NONE:
        s.event = event
        stop(s)


@njit
def serve(s: State, number: int) -> bool:
    """What unicorn reports by UC_HOOK_INTR; False when the machine must be left."""
    pc = get_pc(s)
    if number == INTR_RTE:
        return return_from_exception(s, pc)
    if INTR_TRAP <= number < INTR_TRAP_END:
        return deliver(s, number, 0, (pc + 2) & 0xFFFFFFFF)
    if number == INTR_HALT:
        s.event = EVENT_HALT
        return False
    if number == VECTOR_ILLEGAL:
        op = fetch16(s, pc, in_supervisor(s)) & 0xFFFF
        if is_trapped(op) or (not s.native and is_trapped_publicly(op, opcode_flags(s, op))):
            return emulate(s, pc, op)
        return refuse(s, illegal_vector(op), pc)
    return refuse(s, number & 0xFF, pc)


@cfunc(VOID(I64, I32, I64))
def native_interrupt(_uc: int, number: int, state: int) -> None:
    """UC_HOOK_INTR, served in place."""
    s = carray(state_pointer(state), 1)[0]
    if not serve(s, number) or s.stopped or s.in_code_write == 2:
        if s.event == EVENT_NONE:
            s.event = EVENT_STEP
        stop(s)


@cfunc(I64(I64, I64, I32, I64))
def window_read(_uc: int, offset: int, size: int, state: int) -> int:
    """uc_mmio_map read callback of the MMU register window."""
    return io.window_read(carray(state_pointer(state), 1)[0], offset, size)


@cfunc(VOID(I64, I64, I32, I64, I64))
def window_write(_uc: int, offset: int, size: int, value: int, state: int) -> None:
    """uc_mmio_map write callback of the MMU register window."""
    io.window_write(carray(state_pointer(state), 1)[0], offset, size, value)


@cfunc(I64(I64, I64, I32, I64))
def mbar_read(_uc: int, offset: int, size: int, state: int) -> int:
    """uc_mmio_map read callback of the peripheral window."""
    return io.mbar_read(carray(state_pointer(state), 1)[0], offset, size)


@cfunc(VOID(I64, I64, I32, I64, I64))
def mbar_write(_uc: int, offset: int, size: int, value: int, state: int) -> None:
    """uc_mmio_map write callback of the peripheral window."""
    io.mbar_write(carray(state_pointer(state), 1)[0], offset, size, value)

