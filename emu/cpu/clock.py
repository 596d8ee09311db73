"""The time that devices see: core cycles, or with ``--clock instructions`` one cycle for each retired instruction.

Then a run is the same whatever instructions cost. The time that a STOP lets pass counts in both.
"""

from emu.cpu.state import State
from emu.jit import njit

__all__ = ["advance", "now", "set_limits"]


@njit
def now(s: State) -> int:
    """Devices' time at this instruction boundary."""
    return int(s.instructions + s.clock_skew if s.clock else s.cycles)


@njit
def advance(s: State, time: int) -> None:
    """Let ``time`` pass without an instruction."""
    s.cycles += time
    s.clock_skew += time


@njit
def set_limits(s: State, event: int) -> None:
    """The engine must stop at the first boundary where a budget is used up or the devices' time is ``event``."""
    if s.clock:
        s.cycle_limit = s.cycle_budget
        s.instruction_limit = min(s.instruction_budget, event - s.clock_skew)
    else:
        s.cycle_limit = min(s.cycle_budget, event)
        s.instruction_limit = s.instruction_budget
