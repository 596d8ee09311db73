"""The run loop of the public engine: what its hooks could only note is done here, between two runs of unicorn."""

from typing import Any

from emu.cpu.blocks import instruction_length, opcode_flags, unwind
from emu.cpu.exceptions import access_error
from emu.cpu.hooks import serve, settle_flags
from emu.cpu.memory import fetch16, flush_all, halt, place
from emu.cpu.processor import get_pc, in_supervisor
from emu.cpu.public import patch, retract_accesses, unpatch
from emu.cpu.raw import call_ctl
from emu.cpu.run_loop import CTL_TB_FLUSH, build_loop, enter_unicorn
from emu.cpu.state import (
    EVENT_BOUNCE,
    EVENT_CHARGE,
    EVENT_CODE_WRITE,
    EVENT_CONSOLE,
    EVENT_FAULT,
    EVENT_HYPERCALL,
    EVENT_NONE,
    EVENT_PATCH,
    EVENT_REFETCH,
    EVENT_RESET,
    EVENT_SERVE,
    EVENT_SINGLE,
    EVENT_STEP,
    EVENT_SWALLOW,
    F_CTL,
    HALT_UNSUPPORTED,
    MAX_GRANTS,
    STEP_NONE,
    STEP_WAITING,
    State,
)
from emu.jit import njit, njit_entry
from emu.mmu.attributes import MISS, resolve
from emu.mmu.registers import VECTOR_ILLEGAL
from emu.mmu.state import FETCH, WRITE
from emu.timing.isa import F_BRANCH

__all__ = ["run_public"]


@njit
def drop_blocks(s: State) -> None:
    """The fetched copy of some code was changed: translate anew."""
    call_ctl(s.fn[F_CTL], (s.uc, CTL_TB_FLUSH))


@njit
def code_host(s: State, pc: int) -> int:
    """Host address of the guest's own word at ``pc``, 0 if it cannot be fetched."""
    source, _entry, pa, _perms, _cm, _bits = resolve(s.mmu, pc, FETCH, in_supervisor(s))
    if source == MISS:
        return 0
    _where, host, _pages = place(s, source, pa)
    return host


@njit
def step_end(s: State, pc: int, count: int) -> int:
    """Where ``count`` instructions from ``pc`` end, if they end inside a block; -1 if unicorn's block ends first."""
    at = pc
    for _ in range(count):
        op = fetch16(s, at, in_supervisor(s))
        if op < 0 or opcode_flags(s, op) & F_BRANCH:
            return -1
        at += instruction_length(s, op)
        if (at ^ pc) & 0xFFFFF000:
            return -1
    return at


@njit
def refused(s: State) -> None:
    """A data access that the model refused: the access error."""
    pc = get_pc(s)
    unwind(s, pc)
    if s.probe_kind == WRITE:
        settle_flags(s, pc)
    access_error(s, s.fault_va, s.probe_kind, in_supervisor(s), pc)


@njit
def reported(s: State) -> None:
    """An exception that unicorn reported, an intercepted instruction, or the end of a step."""
    pc = get_pc(s)
    if s.event_vector == VECTOR_ILLEGAL and pc == s.patch_pc:
        unwind(s, pc)
        return
    number = s.event_vector
    s.event = EVENT_NONE
    serve(s, number)


@njit
def intercept(s: State) -> None:
    """The block about to start holds an instruction to intercept: put ILLEGAL over its fetched copy."""
    if not patch(s, s.patch_host):
        halt(s, HALT_UNSUPPORTED, get_pc(s), 0)
    drop_blocks(s)


@njit
def grant(s: State) -> bool:
    """Let the instruction at PC make the access that was probed; False when it needs more pages than any can."""
    if s.n_grants == MAX_GRANTS:
        return False
    s.grants[s.n_grants] = s.fault_va
    s.grant_size[s.n_grants] = s.fault_size
    s.grant_where[s.n_grants] = -1
    s.n_grants += 1
    return True


@njit
def conclude(s: State) -> None:
    """Turn what the public hooks noted into what the common loop knows."""
    event = s.event
    if event == EVENT_FAULT:
        refused(s)
        s.event = EVENT_STEP
    elif event == EVENT_SERVE:
        reported(s)
        if s.event == EVENT_NONE or s.event == EVENT_SERVE:
            s.event = EVENT_STEP
    elif event == EVENT_PATCH:
        intercept(s)
        s.event = EVENT_STEP
    elif event == EVENT_REFETCH:
        flush_all(s)
        drop_blocks(s)
        s.event = EVENT_STEP
    elif event in (
        EVENT_CODE_WRITE,
        EVENT_BOUNCE,
        EVENT_BOUNCE,
        EVENT_CHARGE,
        EVENT_SWALLOW,
        EVENT_HYPERCALL,
        EVENT_RESET,
        EVENT_CONSOLE,
    ):
        unwind(s, get_pc(s))


@njit
def raw_step(s: State, count: int) -> None:
    """Run the next ``count`` instructions, or fewer if a branch or an exception comes first."""
    s.step = STEP_WAITING
    s.step_taken = s.taken
    s.single = 1 if count == 1 else 0
    end = step_end(s, get_pc(s), count)
    patched = False
    s.patch_pc = -1
    if end >= 0:
        s.patch_pc = end
        host = code_host(s, end)
        patched = host != 0 and patch(s, host)
        if patched:
            drop_blocks(s)
    enter_unicorn(s)
    s.step = STEP_NONE
    s.single = 0
    if patched:
        unpatch(s, host)
        drop_blocks(s)


@njit
def public_step(s: State, count: int) -> None:
    """As the native step. An access that must be seen by itself turns it into one granted instruction."""
    while True:
        if s.n_grants:
            flush_all(s)
        raw_step(s, count)
        if s.event == EVENT_SINGLE:
            retract_accesses(s)
            unwind(s, get_pc(s))
            if count > 1 or not grant(s):
                s.n_grants = 0
                s.event = EVENT_CHARGE if count > 1 else EVENT_STEP
                return
        elif s.event == EVENT_PATCH or s.event == EVENT_REFETCH:
            conclude(s)
        else:
            break
    if s.n_grants:
        s.n_grants = 0
        flush_all(s)
    conclude(s)
    s.patch_pc = -1


@njit
def public_enter(s: State) -> None:
    """Run until a hook stops the guest; an access that must be seen by itself is left to a step."""
    enter_unicorn(s)
    if s.event == EVENT_SINGLE:
        retract_accesses(s)
        unwind(s, get_pc(s))
        s.event = EVENT_CHARGE
    conclude(s)


public_loop = build_loop(public_enter, public_step)


@njit_entry
def run_public(states: Any) -> int:
    """As :func:`emu.cpu.run_loop.run_native`, by the documented API."""
    return public_loop(states[0])
