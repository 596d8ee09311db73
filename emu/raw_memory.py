"""Loads and stores through plain addresses, for code that numba compiles.

unicorn's structures, guest memory and buffers of the host are reached by address. Everything travels as int64, the one
integer type the compiled code uses; widths exist only in the instruction that touches memory.
"""

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

__all__ = [
    "load8",
    "load16be",
    "load32",
    "load32be",
    "load64",
    "store8",
    "store16",
    "store16be",
    "store32",
    "store32be",
    "store64",
]

Address = int
I64 = ir.IntType(64)


def _load(bits: int, swap: bool) -> Callable[[Address], int]:
    @intrinsic  # type: ignore[untyped-decorator]  # numba has no types
    def load(_context: Any, address: Any) -> Any:
        def generate(_ctx: Any, builder: Any, _signature: Any, args: Any) -> Any:
            kind = ir.IntType(bits)
            value = builder.load(builder.inttoptr(args[0], kind.as_pointer()), align=1)
            if swap:
                value = builder.bswap(value)
            return value if bits == 64 else builder.zext(value, I64)

        return types.int64(types.int64), generate

    typed: Callable[[Address], int] = load
    return typed


def _store(bits: int, swap: bool) -> Callable[[Address, int], None]:
    @intrinsic  # type: ignore[untyped-decorator]  # numba has no types
    def store(_context: Any, address: Any, value: Any) -> Any:
        def generate(ctx: Any, builder: Any, _signature: Any, args: Any) -> Any:
            kind = ir.IntType(bits)
            narrow = args[1] if bits == 64 else builder.trunc(args[1], kind)
            if swap:
                narrow = builder.bswap(narrow)
            builder.store(narrow, builder.inttoptr(args[0], kind.as_pointer()), align=1)
            return ctx.get_dummy_value()

        return types.none(types.int64, types.int64), generate

    typed: Callable[[Address, int], None] = store
    return typed


load8, load16be, load32, load32be, load64 = (
    _load(8, False),
    _load(16, True),
    _load(32, False),
    _load(32, True),
    _load(64, False),
)
store8, store16, store16be, store32, store32be, store64 = (
    _store(8, False),
    _store(16, False),
    _store(16, True),
    _store(32, False),
    _store(32, True),
    _store(64, False),
)
