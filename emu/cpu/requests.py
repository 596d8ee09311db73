"""What Python asks of a machine that is not running (emu.cpu.compiled names the requests)."""

from numba import carray, types

from emu.cpu import processor
from emu.cpu.clock import now
from emu.cpu.compiled import (
    BEGIN_PHASE,
    DEVICES_CHANGED,
    FLUSH,
    GET_CPU,
    GET_PC,
    GET_REGISTER,
    GET_SR,
    GET_USP,
    INTERRUPT,
    MOVE_PIN,
    MOVEC,
    RESOLVE,
    SET_PC,
    SET_REGISTER,
    SET_SR,
    VIEW,
)
from emu.cpu.control import follow_control
from emu.cpu.interrupts import bring_up_to_date, follow_devices, request_from_host
from emu.cpu.memory import flush_all, place
from emu.cpu.raw import state_pointer
from emu.cpu.recorder import record_phase
from emu.cpu.state import State
from emu.devices import bus, edge_port
from emu.jit import cfunc, njit
from emu.mmu.attributes import MISS, permits, resolve
from emu.mmu.movec import movec
from emu.mmu.state import FETCH
from emu.raw_memory import store64

__all__ = ["serve_request"]

I64 = types.int64


@njit
def view(s: State, va: int, kind: int) -> int:
    """Host address of ``va`` for a look from outside, or 0: data as the supervisor, code in the present mode."""
    supervisor = processor.in_supervisor(s) if kind == FETCH else 1
    source, _entry, pa, perms, _cm, _bits = resolve(s.mmu, va, kind, supervisor)
    if source == MISS or not permits(perms, kind):
        return 0
    _where, host, _pages = place(s, source, pa)
    return host


@njit
def list_cpu(s: State, where: int) -> None:
    """Store D0-D7, A0-A7, PC, SR and USP at the host address ``where``."""
    for i in range(16):
        store64(where + 8 * i, processor.get_register(s, i))
    store64(where + 128, processor.get_pc(s))
    store64(where + 136, processor.get_sr(s))
    store64(where + 144, processor.get_usp(s))


@njit
def list_translation(s: State, va: int, kind: int, supervisor: int, where: int) -> None:
    """Store who answers for ``va``, entry, PA, permissions, cache mode and page bits at the host address ``where``."""
    source, entry, pa, perms, mode, bits = resolve(s.mmu, va, kind, supervisor)
    store64(where, source)
    store64(where + 8, entry)
    store64(where + 16, pa)
    store64(where + 24, perms)
    store64(where + 32, mode)
    store64(where + 40, bits)


@njit
def write_control(s: State, number: int, value: int) -> None:
    """As MOVEC does, with what the engine keeps beside the register."""
    movec(s.mmu, number, value)
    follow_control(s, number, value)


@cfunc(I64(I64, I64, I64, I64))
def serve_request(record: int, request: int, first: int, second: int) -> int:
    """One request; its result, or 0."""
    s = carray(state_pointer(record), 1)[0]
    result = 0
    if request == VIEW:
        result = view(s, first, second)
    elif request == FLUSH:
        flush_all(s)
    elif request == GET_REGISTER:
        result = processor.get_register(s, first)
    elif request == SET_REGISTER:
        processor.set_register(s, first, second)
    elif request == GET_PC:
        result = processor.get_pc(s)
    elif request == SET_PC:
        processor.set_pc(s, first)
    elif request == GET_SR:
        result = processor.get_sr(s)
    elif request == SET_SR:
        processor.set_sr(s, first)
    elif request == GET_USP:
        result = processor.get_usp(s)
    elif request == GET_CPU:
        list_cpu(s, first)
    elif request == RESOLVE:
        list_translation(s, first & 0xFFFFFFFF, first >> 32 & 15, first >> 36 & 1, second)
    elif request == MOVEC:
        write_control(s, first, second)
    elif request == INTERRUPT:
        request_from_host(s, first, second)
        bring_up_to_date(s)
    elif request == MOVE_PIN:
        edge_port.move_pin(s.devices, first, second)
        follow_devices(s)
    elif request == BEGIN_PHASE:
        record_phase(s, first)
    elif request == DEVICES_CHANGED:
        bus.advance(s.devices, now(s))
        bring_up_to_date(s)
    return result
