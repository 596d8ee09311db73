"""The oracle's decodes outside the TLBs, and the fault status codes (sheet 1.2, 1.15, 2.2-2.4, 3.3)."""

from __future__ import annotations

from tests.oracle.entries import SR_SPF, SR_WF, Access

# Fault status (3.3).
FS_NONE = 0b0000
FS_FETCH_PROTECTED = 0b0100
FS_FETCH_MISS = 0b0101  # the opword form; telling an extension word apart is the CPU's business
FS_WRITE_PROTECTED = 0b1001
FS_WRITE_MISS = 0b1010
FS_READ_PROTECTED = 0b1101
FS_READ_MISS = 0b1110


def window_matches(mmubar: int, access: Access) -> bool:
    """1.2; a user access or a fetch does not see the window and falls through (item 14)."""
    return bool(mmubar & 1) and not access.is_fetch and access.supervisor and access.va >> 16 == mmubar >> 16


def rambar_matches(rambar: int, access: Access) -> bool:
    """2.4: a 4-KB block.

    Own choice, as the sheet gives no polarity: D/I = 0 puts the block on the data bus, 1 on the
    instruction bus, and an access on the other bus does not see it.
    """
    if not rambar & 1 or access.va >> 12 != rambar >> 12:
        return False
    on_instruction_bus = bool(rambar & 0x80)
    if on_instruction_bus != access.is_fetch:
        return False
    excluded = {
        (True, True): 0x10,  # SC: supervisor code
        (True, False): 0x08,  # SD: supervisor data
        (False, True): 0x04,  # UC: user code
        (False, False): 0x02,  # UD: user data
    }[access.supervisor, access.is_fetch]
    return not rambar & excluded


def rambar_faults(rambar: int, access: Access) -> int:
    """2.4 bit 8 (WP); own choice: reported like an ACR write protection (item 12)."""
    return SR_WF if rambar & 0x100 and access.writes else 0


def acr_matches(acr: int, access: Access) -> bool:
    """2.3; the mask is applied bit by bit (item 34)."""
    if not acr & 0x8000:
        return False
    who = acr >> 13 & 3
    if (who == 0b00 and access.supervisor) or (who == 0b01 and not access.supervisor):
        return False
    base, mask = acr >> 24 & 0xFF, acr >> 16 & 0xFF
    if not acr & 0x400:  # AMM = 0
        return (access.va >> 24 | mask) == (base | mask)
    megabyte, wanted, dont_care = access.va >> 20 & 0xF, acr >> 20 & 0xF, acr >> 16 & 0xF
    return access.va >> 24 == base and megabyte | dont_care == wanted | dont_care


def acr_faults(acr: int, access: Access) -> int:
    """SP (bit 3) and W (bit 2) of an ACR as MMUSR bits (item 12)."""
    faults = 0
    if acr & 0x8 and not access.supervisor:
        faults |= SR_SPF
    if acr & 0x4 and access.writes:
        faults |= SR_WF
    return faults


def default_faults(cacr: int, access: Access) -> int:
    """CACR default attributes, which hold while nothing translates (1.15, 2.2)."""
    protect = 0x80 if access.is_fetch else 0x0080_0000  # IDSP, DDSP
    faults = 0
    if cacr & protect and not access.supervisor:
        faults |= SR_SPF
    if cacr & 0x4000_0000 and access.writes:  # DW
        faults |= SR_WF
    return faults


def violation_fs(access: Access) -> int:
    """3.3, items 12 and 13."""
    return {
        "fetch": FS_FETCH_PROTECTED,
        "write": FS_WRITE_PROTECTED,
        "read": FS_READ_PROTECTED,
        "rmw": FS_READ_PROTECTED,
    }[access.kind]


def miss_fs(access: Access) -> int:
    """3.3."""
    return {"fetch": FS_FETCH_MISS, "write": FS_WRITE_MISS, "read": FS_READ_MISS, "rmw": FS_READ_MISS}[access.kind]
