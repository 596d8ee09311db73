"""The MMU for callers in Python: debugger, trace replayer, tests.

Python cannot hand a numpy record to compiled code by reference, so these take the array of shape (1,) that ``new_mmu``
returns. Compiled code calls the modules behind them directly.
"""

from typing import Any

import numpy.typing as npt

from emu.jit import njit_entry
from emu.mmu import attributes, movec, plru, tlb, window

__all__ = [
    "access",
    "fault",
    "load",
    "match",
    "permits",
    "read_entry",
    "read_window",
    "replacement",
    "reset",
    "resolve",
    "touch",
    "victim",
    "write_control",
    "write_window",
]

MmuArray = npt.NDArray[Any]


@njit_entry
def match(mmu: MmuArray, side: int, va: int, supervisor: int) -> int:
    """See :func:`emu.mmu.tlb.match`."""
    return tlb.match(mmu[0], side, va, supervisor)


@njit_entry
def load(mmu: MmuArray, side: int, index: int, tag: int, data: int) -> None:
    """See :func:`emu.mmu.tlb.load`; ``index`` must exist."""
    tlb.load(mmu[0], side, index, tag, data)


@njit_entry
def read_entry(mmu: MmuArray, side: int, index: int) -> tuple[int, int]:
    """See :func:`emu.mmu.tlb.read`; ``index`` must exist."""
    return tlb.read(mmu[0], side, index)


@njit_entry
def touch(mmu: MmuArray, side: int, index: int) -> None:
    """See :func:`emu.mmu.plru.touch`."""
    plru.touch(mmu[0], side, index)


@njit_entry
def victim(mmu: MmuArray, side: int) -> int:
    """See :func:`emu.mmu.plru.victim`."""
    return plru.victim(mmu[0], side)


@njit_entry
def replacement(mmu: MmuArray, side: int) -> int:
    """See :func:`emu.mmu.plru.replacement`."""
    return plru.replacement(mmu[0], side)


@njit_entry
def resolve(mmu: MmuArray, va: int, kind: int, supervisor: int) -> tuple[int, int, int, int, int, int]:
    """See :func:`emu.mmu.attributes.resolve`."""
    return attributes.resolve(mmu[0], va, kind, supervisor)


@njit_entry
def fault(mmu: MmuArray, va: int, kind: int, supervisor: int) -> int:
    """See :func:`emu.mmu.attributes.fault`."""
    return attributes.fault(mmu[0], va, kind, supervisor)


@njit_entry
def access(mmu: MmuArray, va: int, kind: int, supervisor: int) -> tuple[int, int]:
    """See :func:`emu.mmu.attributes.access`."""
    return attributes.access(mmu[0], va, kind, supervisor)


@njit_entry
def permits(perms: int, kind: int) -> bool:
    """See :func:`emu.mmu.attributes.permits`."""
    return attributes.permits(perms, kind)


@njit_entry
def read_window(mmu: MmuArray, offset: int, size: int) -> int:
    """See :func:`emu.mmu.window.read`."""
    return window.read(mmu[0], offset, size)


@njit_entry
def write_window(mmu: MmuArray, offset: int, size: int, value: int) -> int:
    """See :func:`emu.mmu.window.write`."""
    return window.write(mmu[0], offset, size, value)


@njit_entry
def write_control(mmu: MmuArray, number: int, value: int) -> int:
    """See :func:`emu.mmu.movec.movec`."""
    return movec.movec(mmu[0], number, value)


@njit_entry
def reset(mmu: MmuArray) -> None:
    """See :func:`emu.mmu.movec.reset`."""
    movec.reset(mmu[0])
