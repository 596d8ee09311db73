"""The control registers: what MOVEC writes, and what reset leaves.

Numbers from sheet 2.1 (QEMU cpu.h; GNU as): the V4e has no ROMBAR, and MOVEC reaches no other register. MOVEC only
writes on ColdFire; reading back goes through the debug port, here ``registers.register_value``.
"""

from emu.jit import njit
from emu.mmu import tlb
from emu.mmu.registers import (
    CACR_DEFAULTS,
    MOVEC_ACR0,
    MOVEC_ACR3,
    MOVEC_ASID,
    MOVEC_CACR,
    MOVEC_MBAR,
    MOVEC_MMUBAR,
    MOVEC_RAMBAR0,
    MOVEC_RAMBAR1,
    MOVEC_VBR,
    RAMBAR_V,
    write_mask,
)
from emu.mmu.state import EFFECT_ALL, EFFECT_NONE, Mmu

__all__ = ["NO_REGISTER", "movec", "reset"]

NO_REGISTER = -1

_CACR_BITS = write_mask("CACR")
_ASID_BITS = write_mask("ASID")
_ACR_BITS = write_mask("ACR0")
_MMUBAR_BITS = write_mask("MMUBAR")
_VBR_BITS = write_mask("VBR")
_RAMBAR_BITS = write_mask("RAMBAR0")
_MBAR_BITS = write_mask("MBAR")


@njit
def _changed(before: int, after: int) -> int:
    return EFFECT_NONE if before == after else EFFECT_ALL


@njit
def movec(m: Mmu, number: int, value: int) -> int:
    """MOVEC to control register ``number``: EFFECT_* bits, or NO_REGISTER when the V4e has no such register."""
    if number == MOVEC_CACR:
        before = m.cacr & CACR_DEFAULTS
        m.cacr = value & _CACR_BITS
        return _changed(before, m.cacr & CACR_DEFAULTS)
    if number == MOVEC_ASID:
        before = m.asid
        m.asid = value & _ASID_BITS
        return _changed(before, m.asid)
    if MOVEC_ACR0 <= number <= MOVEC_ACR3:
        before = m.acr[number - MOVEC_ACR0]
        m.acr[number - MOVEC_ACR0] = value & _ACR_BITS
        return _changed(before, value & _ACR_BITS)
    if number == MOVEC_MMUBAR:
        before = m.mmubar
        m.mmubar = value & _MMUBAR_BITS
        return _changed(before, m.mmubar)
    if number == MOVEC_VBR:
        # Item 27: bits 19-0 are not implemented.
        m.vbr = value & _VBR_BITS
        return EFFECT_NONE
    if MOVEC_RAMBAR0 <= number <= MOVEC_RAMBAR1:
        before = m.rambar[number - MOVEC_RAMBAR0]
        m.rambar[number - MOVEC_RAMBAR0] = value & _RAMBAR_BITS
        return _changed(before, value & _RAMBAR_BITS)
    if number == MOVEC_MBAR:
        before = m.mbar
        m.mbar = value & _MBAR_BITS
        return _changed(before, m.mbar)
    return NO_REGISTER


@njit
def reset(m: Mmu) -> None:
    """Processor reset (sheet 1.2, 2.2-2.4); what the manuals call undefined becomes 0, MBAR stays as it is."""
    m.mmubar = 0
    m.mmucr = 0
    m.mmuor = 0
    m.aa = 0
    m.mmusr = 0
    m.mmuar = 0
    m.mmutr = 0
    m.mmudr = 0
    m.cacr = 0
    m.asid = 0
    m.vbr = 0
    for number in range(4):
        m.acr[number] = 0
    for block in range(2):
        # 5407UM 4-3: reset clears V and leaves the other bits alone.
        m.rambar[block] &= ~RAMBAR_V
    tlb.erase(m)
