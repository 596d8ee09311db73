"""The oracle's TLB entries: images, the hit rule, permissions, the three clears (sheet 1.5, 1.8-1.11)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

Kind = Literal["read", "write", "fetch", "rmw"]
Side = Literal["itlb", "dtlb"]

# MMUSR (1.6).
SR_SPF, SR_RF, SR_WF, SR_HIT = 0x20, 0x10, 0x08, 0x02
SR_BITS = SR_SPF | SR_RF | SR_WF | SR_HIT

# MMUDR[SZ] -> bytes in the page (1.9).
PAGE_BYTES = {0b00: 1 << 20, 0b01: 4 << 10, 0b10: 8 << 10, 0b11: 1 << 10}


@dataclass(frozen=True)
class Access:
    """What is asked of the MMU."""

    va: int  # virtual address
    kind: Kind  # what is done there
    supervisor: bool  # SR[S] of the access

    @property
    def is_fetch(self) -> bool:
        return self.kind == "fetch"

    @property
    def reads(self) -> bool:
        return self.kind in ("read", "rmw")

    @property
    def writes(self) -> bool:
        return self.kind in ("write", "rmw")


@dataclass(frozen=True)
class Entry:
    """One TLB entry (1.8, 1.9)."""

    va: int = 0  # virtual page address, bits 31-10 kept in place; bits below the page size kept too (item 20)
    id: int = 0  # the ASID this mapping belongs to
    sg: bool = False  # shared global
    valid: bool = False  # takes part in matching
    pa: int = 0  # physical page address, bits 31-10 kept in place
    sz: int = 0  # page size code, a key of PAGE_BYTES
    cm: int = 0  # cache mode, two bits
    sp: bool = False  # supervisor only
    r: bool = False  # data read allowed
    w: bool = False  # data write allowed
    x: bool = False  # instruction fetch allowed
    lk: bool = False  # locked: not replaced, not cleared by CNL and CAS

    def tag_image(self) -> int:
        """What MMUTR shows of this entry."""
        return self.va | self.id << 2 | self.sg << 1 | self.valid

    def data_image(self) -> int:
        """What MMUDR shows of this entry."""
        rights = self.sp << 5 | self.r << 4 | self.w << 3 | self.x << 2 | self.lk << 1
        return self.pa | self.sz << 8 | self.cm << 6 | rights


def entry_from_images(tag: int, data: int, side: Side) -> Entry:
    """The entry a TLB write stores (1.8, 1.9); any V is accepted (item 17).

    1.9: the ITLB has no R, W and CM0, the DTLB has no X; unimplemented bits read 0.
    """
    full = Entry(
        va=tag & 0xFFFF_FC00,
        id=tag >> 2 & 0xFF,
        sg=bool(tag & 2),
        valid=bool(tag & 1),
        pa=data & 0xFFFF_FC00,
        sz=data >> 8 & 3,
        cm=data >> 6 & 3,
        sp=bool(data & 0x20),
        r=bool(data & 0x10),
        w=bool(data & 0x08),
        x=bool(data & 0x04),
        lk=bool(data & 0x02),
    )
    if side == "itlb":
        return replace(full, r=False, w=False, cm=full.cm & 0b10)
    return replace(full, x=False)


def same_page(entry: Entry, va: int) -> bool:
    size = PAGE_BYTES[entry.sz]
    return va // size == entry.va // size


def id_agrees(entry: Entry, asid: int, supervisor: bool, asm: bool) -> bool:
    """The ID part of the hit rule (1.10)."""
    if supervisor and asm:
        return entry.id == 0
    return entry.sg or entry.id == asid


def matches(entry: Entry, va: int, asid: int, supervisor: bool, asm: bool) -> bool:
    """The hit rule (1.10): rights take no part in it."""
    return entry.valid and same_page(entry, va) and id_agrees(entry, asid, supervisor, asm)


def translated(entry: Entry, va: int) -> int:
    """PA bits below the page size come from the VA (1.9)."""
    size = PAGE_BYTES[entry.sz]
    return entry.pa // size * size + va % size


def invalidated(entry: Entry) -> Entry:
    """Own choice: V alone goes, the rest stays for readback."""
    return replace(entry, valid=False)


def cleared_all(entries: list[Entry]) -> list[Entry]:
    return [invalidated(e) for e in entries]


def cleared_non_locked(entries: list[Entry]) -> list[Entry]:
    return [e if e.lk else invalidated(e) for e in entries]


def cleared_asid(entries: list[Entry], asid: int) -> list[Entry]:
    """Own choice: the ID field alone decides, SG does not."""
    return [invalidated(e) if e.id == asid and not e.lk else e for e in entries]


def entry_faults(entry: Entry, access: Access) -> int:
    """The MMUSR cause bits of a permission violation, 0 if allowed (1.6, 1.11); data accesses only."""
    faults = 0
    if entry.sp and not access.supervisor:
        faults |= SR_SPF
    if access.reads and not entry.r:
        faults |= SR_RF
    if access.writes and not entry.w:
        faults |= SR_WF
    return faults


def entry_allows(entry: Entry, access: Access) -> bool:
    """Permission rules (1.11)."""
    if access.is_fetch:
        return entry.x and (access.supervisor or not entry.sp)
    return entry_faults(entry, access) == 0
