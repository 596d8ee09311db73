"""The loop around ``uc_emu_start``: compiled, without the GIL, left only when Python has something to decide.

Each turn settles what is due at this instruction boundary, starts unicorn, and then does what the hooks could not do
inside it.
"""

from collections.abc import Callable

from numba import carray, types

from emu.cpu.blocks import forget_blocks, measure, unwind
from emu.cpu.boundary import boundary_event
from emu.cpu.clock import advance, now
from emu.cpu.exceptions import access_error, deliver
from emu.cpu.interrupts import follow_devices, interrupt_due, pass_time, take_interrupt, typed_input_wakes, wake_time
from emu.cpu.memory import drop_small_code, flush_all, flush_page, halt
from emu.cpu.processor import SR_T, get_pc, get_register, in_supervisor, set_register, system_byte
from emu.cpu.raw import call_ctl, call_start, load8, load64, state_pointer, store32, store64
from emu.cpu.state import (
    EVENT_BOUNCE,
    EVENT_CHARGE,
    EVENT_CODE_WRITE,
    EVENT_CUT,
    EVENT_FAIL,
    EVENT_FETCH_FAULT,
    EVENT_HALT,
    EVENT_IDLE,
    EVENT_IRQ,
    EVENT_LIMIT,
    EVENT_NONE,
    EVENT_ODD,
    EVENT_SINGLE,
    EVENT_STALE,
    EVENT_STOPPED,
    EVENT_TRACE,
    F_CTL,
    F_START,
    HALT_ENGINE,
    HALT_NONE,
    NEVER,
    PAGE_BYTES,
    STEP_NONE,
    STEP_WAITING,
    State,
)
from emu.cpu.translate import write_back
from emu.devices import psc
from emu.jit import cfunc, njit
from emu.mmu.registers import FS_FETCH_ERROR, VECTOR_ADDRESS_ERROR, VECTOR_TRACE
from emu.mmu.state import FETCH

__all__ = ["CTL_TB_FLUSH", "build_loop", "enter_unicorn", "run_native"]

Enter = Callable[[State], None]
Step = Callable[[State, int], None]

CPU_CFLAGS_NEXT_TB = 24  # CPUState.cflags_next_tb of unicorn 2.1.4: instruction count of the next block
CTL_TB_FLUSH = 10 | (1 << 30)  # UC_CTL_WRITE(UC_CTL_TB_FLUSH, 0)
OP_RTS = 0x4E75


@njit
def enter_unicorn(s: State) -> None:
    """Run until a hook stops the guest."""
    s.event = EVENT_NONE
    error = call_start(s.fn[F_START], (s.uc, get_pc(s), 0, 0, 0))
    drop_small_code(s)
    if error and s.event == EVENT_NONE:
        halt(s, HALT_ENGINE, get_pc(s), error)


@njit
def native_step(s: State, count: int) -> None:
    """Run the next ``count`` instructions, or fewer if a branch or an exception comes first."""
    s.step = STEP_WAITING
    s.step_taken = s.taken
    s.single = 1 if count == 1 else 0
    s.n_charged = 0
    store32(s.cpu + CPU_CFLAGS_NEXT_TB, count)
    enter_unicorn(s)
    store32(s.cpu + CPU_CFLAGS_NEXT_TB, -1)
    s.step = STEP_NONE
    s.single = 0


@njit
def forget_code(s: State) -> None:
    """Code was written: drop translated blocks, what was learned about them, and every softmmu entry."""
    call_ctl(s.fn[F_CTL], (s.uc, CTL_TB_FLUSH))
    forget_blocks(s)
    flush_all(s)
    for i in range(s.n_banks):
        bank = s.banks[i]
        for page in range((bank.end - bank.base) >> 12):
            at = bank.pages + PAGE_BYTES * page
            if load64(at):
                store64(at, 0)
    for i in range(2):
        store64(s.sram[i].pages, 0)
    s.in_code_write = 0
    s.block_size = 0


@njit
def last_instruction(s: State) -> int:
    """PC of the last instruction of the block that ran before: the one that jumped."""
    at = 0
    last = 0
    while at < s.block_size:
        last = at
        _count, _cycles, at = measure(s, at, s.block_size, 1)
    return int(s.block_pc + last)


@njit
def address_error(s: State) -> None:
    """Control went to an odd address (sheet 3.6): the jump has not retired; RTS leaves its return address stacked.

    FS: item 36.
    """
    pc = get_pc(s)
    if s.block_size:
        jump = last_instruction(s)
        op = word_of(s, jump)
        unwind(s, jump)
        if op == OP_RTS:
            set_register(s, 15, get_register(s, 15) - 4)
        pc = jump
    deliver(s, VECTOR_ADDRESS_ERROR, FS_FETCH_ERROR, pc)


@njit
def word_of(s: State, pc: int) -> int:
    """Op word at ``pc`` in the block that ran last."""
    offset = pc - s.block_pc
    return load8(s.block_host + offset) << 8 | load8(s.block_host + offset + 1)


@njit
def wait(s: State) -> int:
    """STOP: let time pass until something wakes the CPU; an event that ends the run, or EVENT_NONE to look again."""
    time = now(s)
    if s.devices.psc[0].quiet_until > time and typed_input_wakes(s):
        psc.end_silence(s.devices, 0, time)
        follow_devices(s)
    wake = wake_time(s)
    if wake >= NEVER and not (s.paced and typed_input_wakes(s)):
        return EVENT_STOPPED
    horizon = time + s.cycle_budget - s.cycles
    if s.paced:
        horizon = min(horizon, s.idle_granted)
    advance(s, max(0, min(wake, horizon) - time))
    if wake <= now(s):
        pass_time(s)
        return EVENT_NONE
    if s.cycles >= s.cycle_budget:
        return EVENT_LIMIT
    s.idle_until = wake
    return EVENT_IDLE


@njit
def settle(s: State) -> int:
    """Do what is due at this boundary; an event that ends the run, or EVENT_NONE."""
    while True:
        if s.halted != HALT_NONE:
            return EVENT_FAIL
        if get_pc(s) & 1:  # while the block that jumped is known
            address_error(s)
            continue
        if s.in_code_write:
            forget_code(s)
        if s.stopped and not interrupt_due(s):
            event = wait(s)
            if event != EVENT_NONE:
                return event
            continue
        due = boundary_event(s, get_pc(s))
        if due == EVENT_LIMIT and now(s) >= min(s.timer_cycle, s.devices.deadline):
            pass_time(s)
        elif due == EVENT_IRQ:
            take_interrupt(s)
        elif due == EVENT_TRACE:
            s.trace_pending = 0
            deliver(s, VECTOR_TRACE, 0, get_pc(s))
        else:
            return due


def build_loop(enter: Enter, step: Step) -> Callable[[State], int]:
    """The run loop over one way to run (``enter``: until a hook stops the guest) and to step (``step``: so many
    instructions, or fewer if a branch or an exception comes first). Compiled code cannot take them as arguments and be
    cached, so the loop is made once for each engine."""

    @njit
    def step_one(s: State) -> None:
        """One instruction; a trace exception after it if SR[T] was set before it (sheet 3.6)."""
        traced = system_byte(s) & SR_T
        taken = s.taken
        step(s, 1)
        if traced and s.taken == taken and not s.stopped:
            s.trace_pending = 1

    @njit
    def write_code(s: State) -> None:
        """The next instruction stores to a page that has translated blocks: let it, alone, then forget them."""
        s.in_code_write = 1
        step_one(s)
        if get_pc(s) & 1:  # a JSR: first its exception, then settle() forgets them
            return
        event = s.event
        forget_code(s)
        s.event = event

    @njit
    def bounce_operands(s: State) -> None:
        """Run the next instruction alone on a copy of its operand, whose two 1-KB pages are far apart physically."""
        s.bounce = 1
        s.n_bounces = 0
        step_one(s)
        for i in range(s.n_bounces):
            write_back(s, i)
        s.bounce = 0
        s.n_bounces = 0
        event = s.event
        flush_all(s)
        s.event = event

    @njit
    def cut_block(s: State) -> None:
        """Run the instructions that may still run before the boundary inside this block."""
        if s.cut <= 1 or system_byte(s) & SR_T:
            step_one(s)
        else:
            step(s, s.cut)

    @njit
    def handle(s: State) -> int:
        """Do what the hooks asked for; an event that ends the run, or EVENT_NONE."""
        while True:
            if s.event == EVENT_CUT:
                cut_block(s)
            elif s.event == EVENT_CHARGE or s.event == EVENT_SINGLE:
                step_one(s)
            elif s.event == EVENT_CODE_WRITE:
                write_code(s)
            elif s.event == EVENT_STALE:
                flush_page(s, get_pc(s))  # with it goes the cache by VA, the only place that keeps this translation
                step_one(s)
            elif s.event == EVENT_BOUNCE:
                bounce_operands(s)
            else:
                break
        if s.event == EVENT_FETCH_FAULT:
            access_error(s, s.fault_va, FETCH, in_supervisor(s), get_pc(s))
        elif s.event == EVENT_ODD:
            address_error(s)
        elif s.event >= EVENT_HALT:
            return int(s.event)
        return EVENT_NONE

    @njit
    def loop(s: State) -> int:
        """Run until something ends it; the EVENT_* that did."""
        while True:
            event = settle(s)
            if event != EVENT_NONE:
                return event
            if s.reference or s.code_small:
                step_one(s)
            else:
                enter(s)
            event = handle(s)
            s.stop_skip = -1
            if event != EVENT_NONE:
                return event

    return loop


native_loop = build_loop(enter_unicorn, native_step)


@cfunc(types.int64(types.int64))
def run_native(record: int) -> int:
    """Run the machine until something ends the run; the EVENT_* that did."""
    return native_loop(carray(state_pointer(record), 1)[0])
