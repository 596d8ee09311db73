"""Operands of intercepted instructions in device registers or the MMU window.

No access of unicorn's is under way then, so the machine is left by way of the instruction's own outcome: whoever gets
OPERAND_FAULT or False hands it to ``access_error``, which takes no exception while ``postponed`` is set.
"""

from emu.cpu import io
from emu.cpu.address_map import UC_MBAR, UC_WINDOW
from emu.cpu.state import EVENT_CHARGE, State
from emu.jit import njit

__all__ = ["read_device", "write_device"]


@njit
def aligned_part(va: int, left: int) -> int:
    """Bytes of the next bus access of an operand: what its address and its length allow, a longword at most."""
    size = 4
    while size > 1 and (va & (size - 1) or size > left):
        size >>= 1
    return size


@njit
def may_access(s: State) -> bool:
    """Device accesses are exact only where their instruction runs by itself."""
    s.emulating = 1
    if not s.single:
        io.stop_here(s, EVENT_CHARGE)
    return bool(s.postponed == 0)


@njit
def read_device(s: State, where: int, size: int) -> tuple[bool, int]:
    """Big-endian read of ``size`` bytes at unicorn's address ``where``: (True, value), or False if it must wait."""
    value = 0
    done = 0
    allowed = may_access(s)
    while allowed and done < size:
        at = where + done
        part = aligned_part(at, size - done)
        if at >= UC_WINDOW:
            new = io.window_read(s, at - UC_WINDOW, part)
        else:
            new = io.mbar_read(s, at - UC_MBAR, part)
        value = value << 8 * part | new
        done += part
        allowed = s.postponed == 0
    s.emulating = 0
    return allowed, value


@njit
def write_device(s: State, where: int, size: int, value: int) -> bool:
    """Big-endian store of ``size`` bytes at unicorn's address ``where``; False if it must wait."""
    done = 0
    allowed = may_access(s)
    while allowed and done < size:
        at = where + done
        part = aligned_part(at, size - done)
        new = value >> 8 * (size - done - part) & (1 << 8 * part) - 1
        if at >= UC_WINDOW:
            io.window_write(s, at - UC_WINDOW, part, new)
        else:
            io.mbar_write(s, at - UC_MBAR, part, new)
        done += part
        allowed = s.postponed == 0
    s.emulating = 0
    return allowed
