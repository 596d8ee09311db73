"""Who answers for an address, with which attributes, and what a refused access leaves behind.

Architecture: the order MMUBAR window, RAMBAR0/1, ACR pair, TLB or CACR defaults (CF4UM 10-4, 10-10; 548xRM 5-4,
5-9), and the registers after a fault (sheet 1.6, 1.7, 1.13). Our choices are the items of sheet section 7 named below.
A source in front of the TLB makes the access physical: address unchanged, TLB not consulted.
"""

from emu.jit import njit
from emu.mmu import plru, tlb
from emu.mmu.registers import (
    ACR_AMM,
    ACR_CM,
    ACR_CM_SHIFT,
    ACR_E,
    ACR_S,
    ACR_S_SHIFT,
    ACR_SP,
    ACR_W,
    CACR_DDCM,
    CACR_DDCM_SHIFT,
    CACR_DDSP,
    CACR_DW,
    CACR_IDCM,
    CACR_IDSP,
    FS_FETCH_ERROR,
    FS_FETCH_MISS,
    FS_NONE,
    FS_READ_MISS,
    FS_READ_PROTECTED,
    FS_WRITE_MISS,
    FS_WRITE_PROTECTED,
    MMUBAR_BA,
    MMUBAR_V,
    MMUCR_EN,
    MMUDR_CM,
    MMUDR_CM_SHIFT,
    MMUDR_R,
    MMUDR_SP,
    MMUDR_W,
    MMUDR_X,
    MMUSR_HIT,
    MMUSR_RF,
    MMUSR_SPF,
    MMUSR_WF,
    RAMBAR_BA,
    RAMBAR_DI,
    RAMBAR_SC,
    RAMBAR_SD,
    RAMBAR_UC,
    RAMBAR_UD,
    RAMBAR_V,
    RAMBAR_WP,
)
from emu.mmu.state import DTLB, FETCH, ITLB, READ, RMW, WARN_OVERLAP, WRITE, Mmu

__all__ = [
    "ACR",
    "CM_COPYBACK",
    "CM_INHIBITED_IMPRECISE",
    "CM_INHIBITED_PRECISE",
    "CM_WRITE_THROUGH",
    "MISS",
    "PERM_R",
    "PERM_W",
    "PERM_X",
    "PHYSICAL",
    "RAMBAR0",
    "RAMBAR1",
    "TLB",
    "WINDOW",
    "access",
    "acr_matches",
    "enabled",
    "fault",
    "permits",
    "resolve",
]

MISS = -1
PHYSICAL = 0
WINDOW = 1
RAMBAR0 = 2
RAMBAR1 = 3
ACR = 4
TLB = 5

PERM_R = 1
PERM_W = 2
PERM_X = 4

CM_WRITE_THROUGH = 0
CM_COPYBACK = 1
CM_INHIBITED_PRECISE = 2
CM_INHIBITED_IMPRECISE = 3

# Sources other than the TLB decide on A[31:12] at the finest.
_PHYSICAL_PAGE_BITS = 12
_SMALLEST_PAGE_BITS = 10

# Permissions that each access kind needs, four bits per kind; a read-modify-write is checked whole at its read (1.11).
_NEEDS = PERM_R << 4 * READ | PERM_W << 4 * WRITE | PERM_X << 4 * FETCH | (PERM_R | PERM_W) << 4 * RMW


@njit
def permits(perms: int, kind: int) -> bool:
    """Whether permissions (PERM_* bits) suffice for an access kind."""
    needs = (_NEEDS >> 4 * kind) & 0xF
    return perms & needs == needs


@njit
def enabled(m: Mmu) -> bool:
    """Whether the TLBs translate: MMUCR[EN] and MMUBAR[V] (sheet 7 item 11).

    A change holds from the next access on. After a store to MMUCR that is the next fetch, as in item 21.
    """
    translates: bool = (m.mmucr & MMUCR_EN) != 0 and (m.mmubar & MMUBAR_V) != 0
    return translates


@njit
def _in_window(m: Mmu, va: int, kind: int, supervisor: int) -> bool:
    """The register window: supervisor data only; for others it does not exist (CF4UM 10-10; sheet 7 item 14)."""
    if kind == FETCH or not supervisor or not m.mmubar & MMUBAR_V:
        return False
    inside: bool = ((m.mmubar ^ va) & MMUBAR_BA) == 0
    return inside


@njit
def _rambar_matches(rambar: int, va: int, kind: int, supervisor: int) -> bool:
    """Whether a core SRAM block answers: valid, on this bus, kind of access not masked out (sheet 2.4)."""
    if not rambar & RAMBAR_V or ((rambar ^ va) & RAMBAR_BA) != 0:
        return False
    if kind == FETCH:
        return (rambar & RAMBAR_DI) != 0 and (rambar & (RAMBAR_SC if supervisor else RAMBAR_UC)) == 0
    return (rambar & RAMBAR_DI) == 0 and (rambar & (RAMBAR_SD if supervisor else RAMBAR_UD)) == 0


@njit
def acr_matches(acr: int, va: int, supervisor: int) -> bool:
    """Whether an access control register answers for an address (sheet 2.3).

    The masks apply bit by bit and may have holes (sheet 7 item 34).
    """
    if not acr & ACR_E:
        return False
    # S: 00 = user only, 01 = supervisor only, 1x = both.
    mode = (acr & ACR_S) >> ACR_S_SHIFT
    if mode < 2 and mode != (1 if supervisor else 0):
        return False
    if acr & ACR_AMM:
        compared = 0xFF000000 | (~(acr << 4) & 0x00F00000)
    else:
        compared = ~(acr << 8) & 0xFF000000
    return ((acr ^ va) & compared) == 0


@njit
def _data_perms(supervisor_only: int, write_protected: int, supervisor: int) -> int:
    if supervisor_only and not supervisor:
        return 0
    return PERM_R if write_protected else PERM_R | PERM_W


@njit
def _acr_attributes(acr: int, kind: int, supervisor: int) -> tuple[int, int]:
    """Permissions and cache mode of a matching ACR; of an instruction ACR only the upper bit of CM counts."""
    mode = (acr & ACR_CM) >> ACR_CM_SHIFT
    if kind == FETCH:
        return (0 if acr & ACR_SP and not supervisor else PERM_X), mode & CM_INHIBITED_PRECISE
    return _data_perms(acr & ACR_SP, acr & ACR_W, supervisor), mode


@njit
def _default_attributes(m: Mmu, kind: int, supervisor: int) -> tuple[int, int]:
    """Permissions and cache mode from CACR, in force only while the MMU is off (CF4UM 10-4; 548xRM 5-4)."""
    if kind == FETCH:
        perms = 0 if m.cacr & CACR_IDSP and not supervisor else PERM_X
        return perms, CM_INHIBITED_PRECISE if m.cacr & CACR_IDCM else CM_WRITE_THROUGH
    return _data_perms(m.cacr & CACR_DDSP, m.cacr & CACR_DW, supervisor), (m.cacr & CACR_DDCM) >> CACR_DDCM_SHIFT


@njit
def _entry_perms(data: int, supervisor: int) -> int:
    """PERM_* bits of an entry; R, W and X bind the supervisor too (sheet 1.11). An ITLB entry has no R and W."""
    if data & MMUDR_SP and not supervisor:
        return 0
    return (PERM_R if data & MMUDR_R else 0) | (PERM_W if data & MMUDR_W else 0) | (PERM_X if data & MMUDR_X else 0)


@njit
def _answers_in_pieces(m: Mmu, side: int, index: int, va: int, supervisor: int) -> bool:
    """Whether an entry answers for a part of the 4 KB around ``va`` only: 1-KB pages in front of it have the rest."""
    for quarter in range(4):
        at = va >> _PHYSICAL_PAGE_BITS << _PHYSICAL_PAGE_BITS | quarter << _SMALLEST_PAGE_BITS
        if tlb.match(m, side, at, supervisor) != index:
            return True
    return False


@njit
def resolve(m: Mmu, va: int, kind: int, supervisor: int) -> tuple[int, int, int, int, int, int]:
    """Who answers for ``va``: (source, index, pa, perms, cache mode, log2 of the page size). Pure.

    Everything returned holds for the whole page around ``va``, or for the 4 KB around it if the page is larger: another
    source or entry may lie in front of the rest. ``index`` is the ACR or TLB entry number, else 0.
    ``perms`` is what this privilege may do there through the same side: PERM_R and PERM_W for data, PERM_X for a fetch;
    0 on a MISS.
    """
    if _in_window(m, va, kind, supervisor):
        return WINDOW, 0, va, PERM_R | PERM_W, CM_INHIBITED_PRECISE, _PHYSICAL_PAGE_BITS
    for block in range(2):
        rambar = m.rambar[block]
        if _rambar_matches(rambar, va, kind, supervisor):
            # Core SRAM stands beside the caches: its accesses are neither cached nor inhibited bus cycles.
            perms = PERM_X if kind == FETCH else _data_perms(0, rambar & RAMBAR_WP, supervisor)
            return RAMBAR0 + block, 0, va, perms, CM_WRITE_THROUGH, _PHYSICAL_PAGE_BITS
    # The lower-numbered one of the pair wins (CF4UM 8-38; 548xRM 7-12).
    pair = 2 if kind == FETCH else 0
    for number in range(pair, pair + 2):
        acr = m.acr[number]
        if acr_matches(acr, va, supervisor):
            perms, mode = _acr_attributes(acr, kind, supervisor)
            return ACR, number, va, perms, mode, _PHYSICAL_PAGE_BITS
    if not enabled(m):
        perms, mode = _default_attributes(m, kind, supervisor)
        return PHYSICAL, 0, va, perms, mode, _PHYSICAL_PAGE_BITS
    side = ITLB if kind == FETCH else DTLB
    index = tlb.match(m, side, va, supervisor)
    if index < 0:
        return MISS, 0, va, 0, 0, _PHYSICAL_PAGE_BITS
    data = m.data[side, index]
    bits = tlb.page_bits(data)
    offset = (1 << bits) - 1
    # Bits of PA below the page size are replaced by VA bits (sheet 1.9); the other fields lie below any page size.
    pa = (data & ~offset) | (va & offset)
    if m.warning_count[WARN_OVERLAP] and _answers_in_pieces(m, side, index, va, supervisor):
        # Item 7: another entry, with a lower TLB address, matches a part of what this one does.
        bits = _SMALLEST_PAGE_BITS
    return TLB, index, pa, _entry_perms(data, supervisor), (data & MMUDR_CM) >> MMUDR_CM_SHIFT, bits


@njit
def _data_protection(m: Mmu, source: int, index: int) -> tuple[int, int, int]:
    """Whether the answering register or entry is (supervisor only, unreadable, write protected); non-zero = yes."""
    if source == TLB:
        data = m.data[DTLB, index]
        return data & MMUDR_SP, ~data & MMUDR_R, ~data & MMUDR_W
    if source == ACR:
        return m.acr[index] & ACR_SP, 0, m.acr[index] & ACR_W
    if source == PHYSICAL:
        return m.cacr & CACR_DDSP, 0, m.cacr & CACR_DW
    return 0, 0, m.rambar[source - RAMBAR0] & RAMBAR_WP


@njit
def _violation_status(m: Mmu, source: int, index: int, kind: int, supervisor: int) -> int:
    """MMUSR after a data violation: every cause that applies (sheet 1.6); HIT is the TLB's alone (item 12)."""
    supervisor_only, unreadable, write_protected = _data_protection(m, source, index)
    status = MMUSR_HIT if source == TLB else 0
    if supervisor_only and not supervisor:
        status |= MMUSR_SPF
    if unreadable and kind != WRITE:
        status |= MMUSR_RF
    if write_protected and kind != READ:
        status |= MMUSR_WF
    return status


@njit
def _refuse(m: Mmu, va: int, kind: int, supervisor: int, source: int, index: int) -> int:
    """Effects of a refused access on MMUAR, MMUSR and AA (sheet 1.13); returns FS[3:0]."""
    if kind == FETCH:
        # Items 4 and 5: instruction faults change no register. Item 13: a violation is 0100.
        return FS_FETCH_MISS if source == MISS else FS_FETCH_ERROR
    m.mmuar = va
    if source == MISS:
        m.mmusr = 0
        # Item 3: no entry caused the error, so AA gets the replacement choice, as after UAA.
        m.aa = tlb.address_of(m, DTLB, plru.replacement(m, DTLB))
        return FS_WRITE_MISS if kind == WRITE else FS_READ_MISS
    m.mmusr = _violation_status(m, source, index, kind, supervisor)
    if source == TLB:
        m.aa = tlb.address_of(m, DTLB, index)
    # Item 12: the same codes for a violation found in an ACR, a RAMBAR or the CACR defaults.
    return FS_WRITE_PROTECTED if kind == WRITE else FS_READ_PROTECTED


@njit
def fault(m: Mmu, va: int, kind: int, supervisor: int) -> int:
    """FS[3:0] of an access that :func:`resolve` refuses, after its effects on the MMU registers.

    ``va`` is the first byte in the page that refuses, which for a misaligned access need not be the operand's first
    (sheet 7 item 6). A fetch miss is FS_FETCH_MISS; the caller knows whether the word was an extension word.
    """
    source, index, _, _, _, _ = resolve(m, va, kind, supervisor)
    return _refuse(m, va, kind, supervisor, source, index)


@njit
def access(m: Mmu, va: int, kind: int, supervisor: int) -> tuple[int, int]:
    """One access, complete: (FS_NONE, physical address) with the hit's recency recorded, or (fault status, va)."""
    source, index, pa, perms, _, _ = resolve(m, va, kind, supervisor)
    if not permits(perms, kind):
        # A miss, or a violation; item 8: an entry that refuses the access is not touched.
        return _refuse(m, va, kind, supervisor, source, index), va
    if source == TLB:
        plru.touch(m, ITLB if kind == FETCH else DTLB, index)
    return FS_NONE, pa
