"""Compiled code as Python sees it: callbacks by their addresses, and functions of a machine's record.

No other Python code of a running machine reaches compiled code. The modules that hold it, and numba with them, are
imported only where something is not yet compiled.
"""

import ctypes as c
import importlib
from collections.abc import Callable
from functools import cache

from emu import object_code

__all__ = [
    "BEGIN_PHASE",
    "CPU_REGISTERS",
    "DEVICES_CHANGED",
    "FLUSH",
    "GET_CPU",
    "GET_PC",
    "GET_REGISTER",
    "GET_SR",
    "GET_USP",
    "INTERRUPT",
    "MOVEC",
    "MOVE_PIN",
    "RESOLVE",
    "SET_PC",
    "SET_REGISTER",
    "SET_SR",
    "VIEW",
    "address",
    "ask",
    "prepare",
    "run_native",
    "run_public",
]

CALLBACKS = {
    "slow": "emu.cpu.hooks",
    "emulate": "emu.cpu.traps",
    "native_fill": "emu.cpu.hooks",
    "on_block": "emu.cpu.hooks",
    "on_block_in_time": "emu.cpu.hooks",
    "native_interrupt": "emu.cpu.hooks",
    "window_read": "emu.cpu.hooks",
    "window_write": "emu.cpu.hooks",
    "mbar_read": "emu.cpu.hooks",
    "mbar_write": "emu.cpu.hooks",
    "decode_mov3q": "emu.cpu.decoders",
    "decode_mvz": "emu.cpu.decoders",
    "decode_usp": "emu.cpu.decoders",
    "run_native": "emu.cpu.run_loop",
    "serve_request": "emu.cpu.requests",
}
PUBLIC_CALLBACKS = {
    "public_fill": "emu.cpu.public",
    "public_block": "emu.cpu.public",
    "public_interrupt": "emu.cpu.public",
    "run_public": "emu.cpu.public_loop",
}

# What emu.cpu.requests serves: number, and what its two arguments are.
(
    VIEW,  # va, kind: host address for a look from outside, or 0
    FLUSH,
    GET_REGISTER,  # index: D0-D7, A0-A7
    SET_REGISTER,  # index, value
    GET_PC,
    SET_PC,  # value
    GET_SR,
    SET_SR,  # value
    GET_USP,
    MOVEC,  # register number, value
    INTERRUPT,  # level, vector: the host requests it
    MOVE_PIN,  # pin of the edge port, 1 high or 0 low
    DEVICES_CHANGED,  # from outside, or the limits of the run were: derive what follows from it
    GET_CPU,  # address of CPU_REGISTERS 64-bit integers: they become D0-D7, A0-A7, PC, SR, USP
    RESOLVE,  # va | kind << 32 | supervisor << 36, address of 6 integers: they become what the MMU says of the access
    BEGIN_PHASE,  # number of the phase of a recording, -1: only the time
) = range(16)
CPU_REGISTERS = 19


@cache
def address(name: str) -> int:
    """Entry point of a callback; compiles it, which takes a minute, if that was not done before."""
    module = {**CALLBACKS, **PUBLIC_CALLBACKS}[name]
    loaded = object_code.load(f"{module}.{name}")
    if loaded is not None:
        return loaded
    compiled: int = getattr(importlib.import_module(module), name).address
    return compiled


def prepare() -> None:
    """Compile what the native engine needs."""
    for name in CALLBACKS:
        address(name)


@cache
def _function(name: str, arguments: int) -> Callable[..., int]:
    """A callback of ``arguments`` 64-bit integers, to call from Python; the GIL is free meanwhile."""
    return c.CFUNCTYPE(c.c_int64, *[c.c_int64] * arguments)(address(name))


def run_native(record: int) -> int:
    """Run the machine whose record is at this address until something ends the run; the EVENT_* that did."""
    return _function("run_native", 1)(record)


def run_public(record: int) -> int:
    """As :func:`run_native`, by the documented API."""
    return _function("run_public", 1)(record)


def ask(record: int, request: int, first: int = 0, second: int = 0) -> int:
    """One of the requests above about the machine whose record is at this address."""
    return _function("serve_request", 4)(record, request, first, second)
