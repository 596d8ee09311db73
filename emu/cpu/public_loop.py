"""The run loop of the public engine: what its hooks could only note is done here, between two runs of unicorn."""

from numba import carray, types

from emu.cpu.alone import run_alone
from emu.cpu.blocks import forget_blocks_around, opcode_flags, unwind
from emu.cpu.hooks import serve
from emu.cpu.intercept import intercepted_by_patch, runs_alone
from emu.cpu.memory import fetch16
from emu.cpu.processor import get_pc, in_supervisor
from emu.cpu.raw import call_ctl, state_pointer
from emu.cpu.recorder import begin_again
from emu.cpu.run_loop import CTL_TB_FLUSH, build_loop, enter_unicorn
from emu.cpu.shadow import patch
from emu.cpu.state import EVENT_PATCH, EVENT_SERVE, EVENT_SINGLE, EVENT_STEP, F_CTL, State
from emu.jit import cfunc, njit
from emu.mmu.registers import VECTOR_ILLEGAL

__all__ = ["run_public"]


@njit
def report(s: State) -> None:
    """An exception that unicorn reported, or an intercepted instruction."""
    pc, number = get_pc(s), s.event_vector
    s.event = EVENT_STEP
    op = fetch16(s, pc, in_supervisor(s)) & 0xFFFF
    flags = opcode_flags(s, op)
    if number == VECTOR_ILLEGAL and (runs_alone(op, flags) or not intercepted_by_patch(op, flags)):
        begin_again(s, pc)
        unwind(s, pc)
        s.event = EVENT_SINGLE
    else:
        serve(s, number)


@njit
def public_enter(s: State) -> None:
    """Run until a hook stops the guest."""
    enter_unicorn(s)
    if s.event == EVENT_SERVE:
        report(s)
    elif s.event == EVENT_PATCH:
        patch(s, s.patch_host)
        forget_blocks_around(s, s.patch_host)
        call_ctl(s.fn[F_CTL], (s.uc, CTL_TB_FLUSH))


@njit
def public_step(s: State, _count: int) -> None:
    """As the native step, but always of one instruction."""
    run_alone(s)


public_loop = build_loop(public_enter, public_step)


@cfunc(types.int64(types.int64))
def run_public(record: int) -> int:
    """As :func:`emu.cpu.run_loop.run_native`, by the documented API."""
    return public_loop(carray(state_pointer(record), 1)[0])
