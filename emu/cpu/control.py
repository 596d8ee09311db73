"""What the engine keeps beside a control register: the same after a MOVEC and after a write from the host."""

from emu.cpu.cache_commands import control_caches
from emu.cpu.processor import CACR_EUSP, set_eusp
from emu.cpu.recorder import record_control
from emu.cpu.state import State
from emu.jit import njit
from emu.mmu.registers import field_mask

__all__ = ["follow_control"]

CACR = 0x002  # number of the register (sheet 2.1)
DF = field_mask("CACR", "DF")


@njit
def follow_control(s: State, number: int, value: int) -> None:
    """Control register ``number`` was written."""
    record_control(s, number, value)
    if number == CACR:
        control_caches(s, value)
        set_eusp(s, value & CACR_EUSP)
        s.fpu_disabled = 1 if value & DF else 0
