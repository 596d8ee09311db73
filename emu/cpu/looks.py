"""Native engine: unicorn looks more than once at an operand that crosses into another page.

First whole, then (load) at its two aligned halves or (store) at the second page and byte by byte. A host PC runs once
in a block.
"""

from typing import Any

from emu.cpu.state import State
from emu.jit import njit

__all__ = ["is_first_look"]

PAGE = 4096


@njit
def is_first_look(s: State, look: Any, va: int, size: int) -> bool:
    """Whether unicorn has not looked at this part of the operand before; ``look`` (LOOK_DTYPE) is what its user
    remembers of the operand."""
    if not (look.host_pc == s.host_pc and look.block == s.instructions):
        look.host_pc, look.block = s.host_pc, s.instructions
        look.cross = (va | (PAGE - 1)) + 1 if (va & (PAGE - 1)) + size > PAGE else -1
        look.second = 0
        return True
    if look.cross >= 0 and (size == 1 or va == look.cross or va + size == look.cross):
        if va == look.cross and not look.second:
            look.second = 1
            return True
        return False
    return True
