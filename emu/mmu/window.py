"""The register window behind MMUBAR: what software reads and writes there, and the operations MMUOR performs.

Register map CF4UM 10-13, 10-16. The order of the operations in one MMUOR write is item 1 of sheet section 7; the rules
for access sizes are item 15.
"""

from emu.jit import njit
from emu.mmu import plru, tlb
from emu.mmu.registers import (
    MMUOR_AA_SHIFT,
    MMUOR_ACC,
    MMUOR_ADR,
    MMUOR_CA,
    MMUOR_CAS,
    MMUOR_CNL,
    MMUOR_ITLB,
    MMUOR_RW,
    MMUOR_STLB,
    MMUOR_UAA,
    MMUTR_ID,
    MMUTR_ID_SHIFT,
    OFFSET_MMUAR,
    OFFSET_MMUCR,
    OFFSET_MMUDR,
    OFFSET_MMUOR,
    OFFSET_MMUSR,
    OFFSET_MMUTR,
    write_mask,
)
from emu.mmu.state import (
    DTLB,
    EFFECT_ALL,
    EFFECT_DTLB,
    EFFECT_ITLB,
    EFFECT_NONE,
    ITLB,
    WARN_CAS_READING,
    WARN_NO_SUCH_ENTRY,
    WARN_WINDOW_ACCESS,
    WARN_WINDOW_RESERVED,
    Mmu,
)
from emu.mmu.warn import warn

__all__ = ["EFFECT_ALL", "EFFECT_DTLB", "EFFECT_ITLB", "EFFECT_NONE", "read", "write"]

_MMUCR_BITS = write_mask("MMUCR")
_MMUOR_BITS = write_mask("MMUOR")
_MMUSR_BITS = write_mask("MMUSR")
_MMUDR_BITS = write_mask("MMUDR")
# The one hole between the registers (sheet 1.3).
_RESERVED = 0x0C


@njit
def _clear(m: Mmu, operation: int) -> int:
    """CA, CNL and CAS; returns the effect."""
    dropped = False
    if operation & MMUOR_CA:
        dropped |= tlb.clear_all(m)
    if operation & MMUOR_CNL:
        dropped |= tlb.clear_non_locked(m)
    if operation & MMUOR_CAS:
        # Item 2: the ASID register names the ASID; new_mmu(cas_uses_mmutr=True) selects MMUTR[ID] instead.
        tagged = (m.mmutr & MMUTR_ID) >> MMUTR_ID_SHIFT
        if tagged != m.asid:
            warn(m, WARN_CAS_READING)
        dropped |= tlb.clear_asid(m, tagged if m.cas_uses_mmutr else m.asid)
    return EFFECT_ALL if dropped else EFFECT_NONE


@njit
def _access_entry(m: Mmu, operation: int) -> int:
    """ACC: move one entry to or from MMUTR and MMUDR; the TLB address alone says which TLB (CF4UM 10-16, 10-20)."""
    address = m.mmuar if operation & MMUOR_ADR else m.aa
    side = tlb.side_of(m, address)
    index = tlb.index_of(m, address)
    if index >= m.entries[side]:
        # Only entry counts that no hardware has leave such addresses: writes vanish, reads give zero.
        warn(m, WARN_NO_SUCH_ENTRY)
        if operation & MMUOR_RW:
            m.mmutr = 0
            m.mmudr = 0
        return EFFECT_NONE
    if operation & MMUOR_RW:
        m.mmutr, m.mmudr = tlb.read(m, side, index)
        return EFFECT_NONE
    tlb.load(m, side, index, m.mmutr, m.mmudr)
    return EFFECT_ITLB if side == ITLB else EFFECT_DTLB


@njit
def _operate(m: Mmu, operation: int) -> int:
    """One MMUOR write, in the order clears, search, allocation, access (sheet 7 item 1); returns the effect."""
    m.mmuor = operation & _MMUOR_BITS
    effect = _clear(m, operation)
    side = ITLB if operation & MMUOR_ITLB else DTLB
    if operation & MMUOR_STLB:
        tlb.search(m, side)
    if operation & MMUOR_UAA:
        m.aa = tlb.address_of(m, side, plru.replacement(m, side))
    if operation & MMUOR_ACC:
        effect |= _access_entry(m, operation)
    # More than one entry changed: the caller has to forget everything.
    return EFFECT_ALL if effect & EFFECT_ALL else effect


@njit
def _read_register(m: Mmu, offset: int) -> int:
    """Value of the register at ``offset``; there is one, or :func:`_ignored` has turned the access away."""
    if offset == OFFSET_MMUCR:
        value: int = m.mmucr
    elif offset == OFFSET_MMUOR:
        value = m.aa << MMUOR_AA_SHIFT | m.mmuor
    elif offset == OFFSET_MMUSR:
        value = m.mmusr
    elif offset == OFFSET_MMUAR:
        value = m.mmuar
    elif offset == OFFSET_MMUTR:
        value = m.mmutr
    else:
        value = m.mmudr
    return value


@njit
def _write_register(m: Mmu, offset: int, value: int) -> int:
    """Write 32 bits to the register at ``offset``, which exists as in :func:`_read_register`; returns the effect."""
    if offset == OFFSET_MMUCR:
        before = m.mmucr
        m.mmucr = value & _MMUCR_BITS
        return EFFECT_NONE if m.mmucr == before else EFFECT_ALL
    if offset == OFFSET_MMUOR:
        return _operate(m, value)
    if offset == OFFSET_MMUSR:
        # Item 16: writable; the next data fault or search overwrites it.
        m.mmusr = value & _MMUSR_BITS
    elif offset == OFFSET_MMUAR:
        # All 32 bits exist, of MMUTR too.
        m.mmuar = value
    elif offset == OFFSET_MMUTR:
        m.mmutr = value
    else:
        m.mmudr = value & _MMUDR_BITS
    return EFFECT_NONE


@njit
def _ignored(m: Mmu, offset: int, size: int) -> bool:
    """Whether an access does nothing but leave a warning.

    Item 15: only aligned 32-bit and 16-bit accesses work (CF4UM 10-11 asks for alignment). Reserved offsets read 0.
    """
    if (size != 4 and size != 2) or offset & (size - 1):
        warn(m, WARN_WINDOW_ACCESS)
        return True
    if offset > OFFSET_MMUDR + 3 or offset & ~3 == _RESERVED:
        warn(m, WARN_WINDOW_RESERVED)
        return True
    return False


@njit
def read(m: Mmu, offset: int, size: int) -> int:
    """Value of ``size`` bytes at ``offset`` of the window; a byte or unaligned read gives 0 and a warning (item 15)."""
    if _ignored(m, offset, size):
        return 0
    value = _read_register(m, offset & ~3)
    if size == 4:
        return value
    return value & 0xFFFF if offset & 2 else value >> 16


@njit
def write(m: Mmu, offset: int, size: int, value: int) -> int:
    """Write ``size`` bytes at ``offset`` of the window and return what that did to translations: EFFECT_* bits.

    A byte or unaligned write is ignored with a warning (item 15). A 16-bit write leaves the other half of the register
    alone, so the upper half of MMUOR starts no operation.
    """
    if _ignored(m, offset, size):
        return EFFECT_NONE
    value &= 0xFFFFFFFF
    if size == 2:
        value &= 0xFFFF
        other = _read_register(m, offset & ~3)
        value = (other & 0xFFFF0000) | value if offset & 2 else value << 16 | (other & 0xFFFF)
    return _write_register(m, offset & ~3, value)
