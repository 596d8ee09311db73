"""Warnings: counted, never fatal."""

from emu.jit import njit
from emu.mmu.state import Mmu

__all__ = ["warn"]


@njit
def warn(m: Mmu, code: int) -> None:
    """Note that the guest relied on something the manuals leave open."""
    m.warnings = m.warnings | (1 << code)
    m.warning_count[code] += 1
