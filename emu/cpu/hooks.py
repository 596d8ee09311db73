"""The native callbacks that unicorn calls. Each takes the address of the machine's record as its user data.

They only translate unicorn's calling conventions; the work is done by the functions they call.
"""

from numba import carray, types

from emu.cpu import io
from emu.cpu.blocks import instruction_length, modifies, opcode_flags, unwind
from emu.cpu.boundary import (
    boundary_event,
    note_translation,
    start_block,
    start_known_block,
    start_known_block_in_time,
)
from emu.cpu.charges import retract_charges
from emu.cpu.exceptions import access_error, deliver, refuse, return_from_exception
from emu.cpu.fetch import fetch
from emu.cpu.images import hit_in_time, hit_recorded, swap_in
from emu.cpu.intercept import is_trapped, is_trapped_publicly, stores_quick
from emu.cpu.memory import fetch16
from emu.cpu.native import CC_OP_FLAGS, CPU_OPAQUE, ENV_CC_OP
from emu.cpu.processor import SR_N, SR_Z, get_pc, get_sr, in_supervisor, set_sr
from emu.cpu.raw import call_emulate, call_pointer, call_restore, call_slow, load64, state_pointer, store32
from emu.cpu.recorder import begin_again, retract_since
from emu.cpu.state import (
    EVENT_BOUNCE,
    EVENT_CHARGE,
    EVENT_CODE_WRITE,
    EVENT_CUT,
    EVENT_HALT,
    EVENT_NONE,
    EVENT_ODD,
    EVENT_STEP,
    F_LOOP_EXIT,
    F_RESTORE,
    F_STOP,
    HALT_NONE,
    STEP_BEGUN,
    STEP_NONE,
    State,
)
from emu.cpu.translate import FILL_BOUNCE, FILL_CODE_WRITE, FILL_FAULT, FILL_OK, FILL_READ_ONLY, fill_data, fill_fetch
from emu.cpu.trapped import OP_CLR
from emu.cpu.traps import illegal_vector
from emu.jit import cfunc, njit
from emu.mmu.attributes import enabled
from emu.mmu.registers import VECTOR_ILLEGAL
from emu.mmu.state import FETCH, WRITE
from emu.timing.isa import F_BITOP_MEM, F_ILLEGAL
from emu.timing.state import FULL

__all__ = [
    "mbar_read",
    "mbar_write",
    "native_fill",
    "native_interrupt",
    "on_block",
    "on_block_in_time",
    "slow",
    "window_read",
    "window_write",
]

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
def to_instruction(s: State, host_pc: int, located: bool) -> bool:
    """Bring PC and the kind of flags back to the instruction that is at ``host_pc``; True.

    A block of one instruction may be one that unicorn does not keep (1-KB code pages): it forgets it when it is asked
    where it is, so it must not be asked again (``located``).
    """
    if not (located and s.single):
        call_restore(s.fn[F_RESTORE], (s.cpu, host_pc, 1))
    return True


@njit
def take_fault(s: State, va: int, kind: int, user: int) -> None:
    """Native: the access faults. Deliver the access error in place and go on at the handler; does not come back."""
    pc = get_pc(s)
    if kind == WRITE:
        settle_flags(s, pc)
    if not access_error(s, va, kind, 1 - user, pc) or s.halted != HALT_NONE or s.in_code_write == 2:
        leave(s, EVENT_STEP)
    call_pointer(s.fn[F_LOOP_EXIT], (s.cpu,))


@njit
def settle_flags(s: State, pc: int) -> None:
    """CCR when the store of CLR or MOV3Q at ``pc`` faults: with the MMU off it has been updated (548xRM 3-40), with the
    MMU on it has not (sheet 7 item 23)."""
    if enabled(s.mmu):
        return
    op = fetch16(s, pc, in_supervisor(s)) & 0xFFFF
    if op & 0xFF00 == OP_CLR:
        set_sr(s, get_sr(s) & ~0xF | SR_Z)
    elif stores_quick(op):
        set_sr(s, get_sr(s) & ~0xF | (0 if op & 0x0E00 else SR_N))  # MOV3Q #-1 is coded as 0


@njit
def keep_flags(s: State, pc: int) -> None:
    """BSET, BCLR and BCHG have flushed the lazy flags when their store is refused; N, V and C are right only when read
    as plain flags (unicorn-notes 5)."""
    if opcode_flags(s, fetch16(s, pc, in_supervisor(s)) & 0xFFFF) & F_BITOP_MEM:
        store32(s.env + ENV_CC_OP, CC_OP_FLAGS)


@njit
def boundary_due(s: State) -> int:
    """A fetch that faults is the start of an instruction: whatever is due at this boundary comes first."""
    if s.step != STEP_NONE:
        if s.step == STEP_BEGUN or s.taken != s.step_taken:
            return EVENT_STEP
        return EVENT_NONE
    return boundary_event(s, get_pc(s))


@njit
def fetched_ahead(s: State, va: int) -> bool:
    """Whether the translator wants ``va``, on the next 1-KB page, for a later instruction than the one at PC."""
    pc = get_pc(s)
    if (va ^ pc) & 0xFFFFF000 or (va ^ pc) & 0xFFFFFC00 == 0:
        return False
    op = fetch16(s, pc, in_supervisor(s))
    return op >= 0 and pc + instruction_length(s, op) <= va


@njit
def fill(s: State, va: int, size: int, kind: int, user: int, probe: int, host_pc: int) -> int:
    """Any softmmu miss: 1 when the access may go on, 0 when a probe may not; a refused access does not come back."""
    located = False
    if kind == FETCH:
        if get_pc(s) & 1:  # nothing is fetched from an odd address (sheet 3.6)
            leave(s, EVENT_ODD)
        if fill_fetch(s, va, user) == FILL_OK:
            return 1
        s.fault_va = va
        outcome = FILL_FAULT
    else:
        s.host_pc = host_pc
        looks = s.recorder.n_looks + 0
        outcome = fill_data(s, va, size, kind, user)
        if outcome == FILL_READ_ONLY:
            located = to_instruction(s, host_pc, False)
            if modifies(s, get_pc(s)):
                outcome = FILL_FAULT
            else:
                retract_since(s, looks)
                s.read_only_checked = 1
                outcome = fill_data(s, va, size, kind, user)
                s.read_only_checked = 0
    if outcome == FILL_OK:
        return 1
    if probe:
        return 0
    if host_pc:
        located = to_instruction(s, host_pc, located)
        if outcome != FILL_FAULT:
            begin_again(s, get_pc(s))
            retract_charges(s, get_pc(s))
            to_instruction(s, host_pc, located)
        unwind(s, get_pc(s))
    if s.halted != HALT_NONE:
        leave(s, EVENT_STEP)
    if outcome == FILL_FAULT:
        if kind == FETCH:
            due = boundary_due(s)
            if due != EVENT_NONE:
                leave(s, due)
            if fetched_ahead(s, va):
                s.cut = 1
                leave(s, EVENT_CUT)
            if (s.fault_va ^ get_pc(s)) & 0xFFFFFC00:  # the instruction begins on a page that is there
                fetch(s, get_pc(s))
        take_fault(s, s.fault_va, kind, user)
    if kind == WRITE:
        keep_flags(s, get_pc(s))
    if outcome == FILL_BOUNCE:
        leave(s, EVENT_BOUNCE)
    leave(s, EVENT_CODE_WRITE if outcome == FILL_CODE_WRITE else EVENT_CHARGE)
    return 0


@njit
def block(s: State, pc: int, size: int) -> None:
    """Any block that is about to run."""
    event = start_block(s, pc, size)
    if event != EVENT_NONE:
        note_translation(s, pc, size)
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
        flags = opcode_flags(s, op)
        if not flags & F_ILLEGAL and (is_trapped(op) or is_trapped_publicly(op)):
            return call_emulate(s.emulate, (s.address, pc, op)) != 0
        return refuse(s, illegal_vector(op), pc)
    return refuse(s, number & 0xFF, pc)


@njit
def interrupt(s: State, number: int) -> None:
    """What unicorn reports by UC_HOOK_INTR, served in place."""
    if (not serve(s, number) or s.stopped or s.in_code_write == 2) and s.event == EVENT_NONE:
        s.event = EVENT_STEP
    if s.event != EVENT_NONE:
        stop(s)


# --- the callbacks. Whatever is not the common case goes through `slow`: compiled and loaded once for all of them, and
# behind a pointer, so that LLVM cannot inline it and the common case keeps a small stack frame.

FILL, BLOCK, INTERRUPT, WINDOW_READ, WINDOW_WRITE, MBAR_READ, MBAR_WRITE = range(7)


@cfunc(I64(I64, I64, I64, I64, I64, I64, I64, I64))
def slow(state: int, what: int, a: int, b: int, c: int, d: int, e: int, f: int) -> int:
    """Serve the callback ``what``, whose arguments follow; its result."""
    s = carray(state_pointer(state), 1)[0]
    result = 0
    if what == FILL:
        result = fill(s, a, b, c, d, e, f)
    elif what == BLOCK:
        block(s, a, b)
    elif what == INTERRUPT:
        interrupt(s, a)
    elif what == WINDOW_READ:
        result = io.window_read(s, a, b)
    elif what == WINDOW_WRITE:
        io.window_write(s, a, b, c)
    elif what == MBAR_READ:
        result = io.mbar_read(s, a, b)
    else:
        io.mbar_write(s, a, b, c)
    return result


@cfunc(BOOL(I64, I64, I32, I32, I32, BOOL, I64))
def native_fill(cpu: int, address: int, size: int, kind: int, user: int, probe: bool, host_pc: int) -> bool:
    """Replaces CPUClass.tlb_fill: the exact address, size and host PC of every softmmu miss."""
    s = carray(state_pointer(load64(cpu + CPU_OPAQUE)), 1)[0]
    va = address & 0xFFFFFFFF
    if kind != FETCH:
        if s.recorder.on:
            s.host_pc = host_pc
            if hit_recorded(s, va, size, kind, user):
                return True
        elif s.time.level == FULL:
            if hit_in_time(s, va, size, kind, user):
                return True
        elif swap_in(s, va, kind, user):
            return True
    ask = 1 if probe else 0
    return call_slow(s.slow, (s.address, FILL, va, int(size), int(kind), int(user), ask, host_pc)) != 0


@cfunc(VOID(I64, I64, I32, I64))
def on_block(_uc: int, address: int, size: int, state: int) -> None:
    """UC_HOOK_BLOCK of the native engine."""
    s = carray(state_pointer(state), 1)[0]
    va = address & 0xFFFFFFFF
    if not start_known_block(s, va, size):
        call_slow(s.slow, (state, BLOCK, va, int(size), 0, 0, 0, 0))


@cfunc(VOID(I64, I64, I32, I64))
def on_block_in_time(_uc: int, address: int, size: int, state: int) -> None:
    """UC_HOOK_BLOCK of the native engine, where what an instruction costs depends on those before it."""
    s = carray(state_pointer(state), 1)[0]
    va = address & 0xFFFFFFFF
    if not start_known_block_in_time(s, va, size):
        call_slow(s.slow, (state, BLOCK, va, int(size), 0, 0, 0, 0))


@cfunc(VOID(I64, I32, I64))
def native_interrupt(_uc: int, number: int, state: int) -> None:
    """UC_HOOK_INTR."""
    s = carray(state_pointer(state), 1)[0]
    call_slow(s.slow, (state, INTERRUPT, int(number), 0, 0, 0, 0, 0))


@cfunc(I64(I64, I64, I32, I64))
def window_read(_uc: int, offset: int, size: int, state: int) -> int:
    """uc_mmio_map read callback of the MMU register window."""
    s = carray(state_pointer(state), 1)[0]
    return call_slow(s.slow, (state, WINDOW_READ, offset, int(size), 0, 0, 0, 0))


@cfunc(VOID(I64, I64, I32, I64, I64))
def window_write(_uc: int, offset: int, size: int, value: int, state: int) -> None:
    """uc_mmio_map write callback of the MMU register window."""
    s = carray(state_pointer(state), 1)[0]
    call_slow(s.slow, (state, WINDOW_WRITE, offset, int(size), value, 0, 0, 0))


@cfunc(I64(I64, I64, I32, I64))
def mbar_read(_uc: int, offset: int, size: int, state: int) -> int:
    """uc_mmio_map read callback of the peripheral window."""
    s = carray(state_pointer(state), 1)[0]
    return call_slow(s.slow, (state, MBAR_READ, offset, int(size), 0, 0, 0, 0))


@cfunc(VOID(I64, I64, I32, I64, I64))
def mbar_write(_uc: int, offset: int, size: int, value: int, state: int) -> None:
    """uc_mmio_map write callback of the peripheral window."""
    s = carray(state_pointer(state), 1)[0]
    call_slow(s.slow, (state, MBAR_WRITE, offset, int(size), value, 0, 0, 0))
