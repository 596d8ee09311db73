"""Calls through plain addresses, for code that numba compiles; loads and stores are those of :mod:`emu.raw_memory`.

Function addresses are values, never compile-time constants, so that the compiled hooks can be cached on disk (a ctypes
function object could not).
"""

from collections.abc import Callable
from typing import Any

import numba
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from emu.cpu.state import STATE_DTYPE
from emu.raw_memory import (
    load8,
    load16be,
    load32,
    load32be,
    load64,
    store8,
    store16,
    store16be,
    store32,
    store32be,
    store64,
)
from emu.timing.optable import OPCODE_DTYPE

__all__ = [
    "call_ctl",
    "call_decoder",
    "call_emulate",
    "call_flush_page",
    "call_get_sr",
    "call_pointer",
    "call_pointer2",
    "call_reg",
    "call_restore",
    "call_set_page",
    "call_set_sr",
    "call_slow",
    "call_start",
    "load8",
    "load16be",
    "load32",
    "load32be",
    "load64",
    "opcode_pointer",
    "state_pointer",
    "store8",
    "store16",
    "store16be",
    "store32",
    "store32be",
    "store64",
]

Address = int
I8, I32, I64 = ir.IntType(8), ir.IntType(32), ir.IntType(64)


def _call(result: Any, *parameters: Any, variadic: bool = False) -> Callable[..., int]:
    """An intrinsic that calls the function at an address; ``result`` None means a C void (0 is returned)."""

    @intrinsic  # type: ignore[untyped-decorator]  # numba has no types
    def call(_context: Any, function: Any, args: Any) -> Any:
        def generate(_ctx: Any, builder: Any, _signature: Any, values: Any) -> Any:
            kind = ir.FunctionType(ir.VoidType() if result is None else result, list(parameters), variadic)
            pointer = builder.inttoptr(values[0], kind.as_pointer())
            wide = [builder.extract_value(values[1], i) for i in range(len(parameters))]
            narrow = [w if p == I64 else builder.trunc(w, p) for w, p in zip(wide, parameters, strict=True)]
            value = builder.call(pointer, narrow)
            if result is None:
                return I64(0)
            return value if result == I64 else builder.zext(value, I64)

        return types.int64(types.int64, types.UniTuple(types.int64, len(parameters))), generate

    typed: Callable[..., int] = call
    return typed


def _pointer(element: Any) -> Callable[[Address], Any]:
    """An intrinsic that turns an address into a typed pointer, for ``numba.carray``."""

    @intrinsic  # type: ignore[untyped-decorator]  # numba has no types
    def pointer(_context: Any, address: Any) -> Any:
        def generate(ctx: Any, builder: Any, signature: Any, args: Any) -> Any:
            return builder.inttoptr(args[0], ctx.get_value_type(signature.return_type))

        return types.CPointer(element)(types.int64), generate

    typed: Callable[[Address], Any] = pointer
    return typed


opcode_pointer = _pointer(numba.from_dtype(OPCODE_DTYPE))
state_pointer = _pointer(numba.from_dtype(STATE_DTYPE))

# One intrinsic per C signature that is needed; the arguments are passed as one tuple of int64.
call_pointer = _call(None, I64)  # void f(void *)
call_pointer2 = _call(I32, I64, I64)  # int f(void *, void *)
call_start = _call(I32, I64, I64, I64, I64, I64)  # uc_emu_start
call_reg = _call(I32, I64, I32, I64)  # uc_reg_read / uc_reg_write(uc, id, value *)
call_ctl = _call(I32, I64, I32, variadic=True)  # uc_ctl(uc, control) without further arguments
call_get_sr = _call(I32, I64)  # uint32_t cpu_m68k_get_sr(env)
call_set_sr = _call(None, I64, I32)  # void cpu_m68k_set_sr(env, sr)
call_emulate = _call(I64, I64, I64, I64)  # traps.emulate
call_slow = _call(I64, I64, I64, I64, I64, I64, I64, I64, I64)  # hooks.slow
call_decoder = _call(None, I64, I64, I32)  # void disas_x(env, DisasContext *, op word)
call_flush_page = _call(None, I64, I32)  # void tlb_flush_page(cpu, va)
call_set_page = _call(None, I64, I32, I64, I32, I32, I32)  # tlb_set_page(cpu, va, pa, prot, mmu_idx, size)
call_restore = _call(I8, I64, I64, I8)  # bool cpu_restore_state(cpu, host_pc, will_exit)
