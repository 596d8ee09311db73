"""The flat cycles of one instruction, for Python."""

from typing import Any

from emu.jit import njit_entry
from emu.timing import cost
from emu.timing.constants import Costs
from emu.timing.state import FLAT, new_time

__all__ = ["flat_cycles"]

TIME = new_time(FLAT, Costs())


@njit_entry
def _cycles(time: Any, table: Any, op: int, ext: int) -> int:
    """:func:`emu.timing.cost.instruction_cycles`."""
    return cost.instruction_cycles(time[0].costs, table[op], op, ext)


def flat_cycles(table: Any, op: int, ext: int) -> int:
    """Cycles of op word ``op`` and the following word ``ext`` by ``table`` and the default costs."""
    return _cycles(TIME, table, op, ext)
