"""A plain second implementation of the ColdFire V4e MMU, written from the facts sheet alone.

The sheet is the project's coldfire-v4e.md ("sheet" below); "item N" is a row of its section 7, "1.12" one of
its sections. Nothing here is fast: entries are records, the replacement tree is a dictionary of the
manual's named bits, and every operation is spelled out in the order the sheet recommends.

Where the sheet is silent the choice made here is marked "own choice", so that a disagreement with
another model can be told apart from an error.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tests.oracle.decodes import (
    FS_NONE,
    acr_faults,
    acr_matches,
    default_faults,
    miss_fs,
    rambar_faults,
    rambar_matches,
    violation_fs,
    window_matches,
)
from tests.oracle.entries import (
    PAGE_BYTES,
    SR_BITS,
    SR_HIT,
    Access,
    Kind,
    Side,
    cleared_all,
    cleared_asid,
    cleared_non_locked,
    entry_allows,
    entry_faults,
    entry_from_images,
    translated,
)
from tests.oracle.tlb import Policy, Tlb, next_power_of_two

Source = Literal["miss", "physical", "window", "rambar0", "rambar1", "acr", "tlb"]

# Offsets in the register window (1.3).
MMUCR, MMUOR, MMUSR, MMUAR, MMUTR, MMUDR = 0x00, 0x04, 0x08, 0x10, 0x14, 0x18

# MMUOR (1.5): six actions, three modifiers that read back as written.
OR_STLB, OR_CA, OR_CNL, OR_CAS = 0x100, 0x080, 0x040, 0x020
OR_ITLB, OR_ADR, OR_RW, OR_ACC, OR_UAA = 0x010, 0x008, 0x004, 0x002, 0x001
OR_MODIFIERS = OR_ITLB | OR_ADR | OR_RW


@dataclass(frozen=True)
class Resolution:
    """How one address is decoded, without doing anything about it."""

    source: Source  # which decode answers
    index: int  # ACR number, RAMBAR number or TLB address; -1 where the source has no number
    pa: int | None  # the address on the bus; None on a miss
    allowed: bool  # False on a miss and on a violation


class OracleMMU:
    """The MMU as software sees it: register window, MOVEC registers, address resolution."""

    def __init__(
        self,
        itlb_entries: int = 32,
        dtlb_entries: int = 32,
        cas_uses_mmutr: bool = False,
        policy: Policy = "plru",
    ) -> None:
        for count in (itlb_entries, dtlb_entries):
            if not 2 <= count <= 128:
                raise ValueError(f"{count} entries: must be 2..128")
        self.itlb_entries = itlb_entries
        self.dtlb_entries = dtlb_entries
        self.cas_uses_mmutr = cas_uses_mmutr
        self.policy: Policy = policy
        # TLB addresses: ITLB from 0, DTLB from 32, or from the (larger) tree size above 32 entries.
        self.dtlb_base = max(32, next_power_of_two(itlb_entries), next_power_of_two(dtlb_entries))
        self.rambar = [0, 0]
        self.reset()

    def reset(self) -> None:
        """Reset (1.2, 1.3, 2.2-2.4); whatever the sheet calls undefined is zero here."""
        self.mmubar = 0  # register: base and V of the window
        self.mmucr = 0  # register: ASM, EN
        self.mmusr = 0  # register: SPF, RF, WF, HIT
        self.mmuar = 0  # register: address
        self.mmutr = 0  # register: tag image
        self.mmudr = 0  # register: data image
        self.aa = 0  # MMUOR[AA]: a TLB address
        self.modifiers = 0  # MMUOR[ITLB, ADR, R/W] as last written
        self.asid = 0  # register: address space in force
        self.acr = [0, 0, 0, 0]  # registers: ACR0, ACR1 data, ACR2, ACR3 instruction
        self.rambar = [value & ~1 for value in self.rambar]  # only V goes (2.4)
        self.mbar = 0  # register: peripheral base, not part of this resolution (1.15)
        self.cacr = 0  # register: only the default attributes matter here
        self.vbr = 0  # register: vector base
        self.itlb = Tlb("itlb", self.itlb_entries, 0, self.policy)
        self.dtlb = Tlb("dtlb", self.dtlb_entries, self.dtlb_base, self.policy)
        self.warnings: list[str] = []
        self.cas_warned = False

    # -- registers --

    @property
    def mmuor(self) -> int:
        """AA and the modifiers; action bits read 0 (1.5)."""
        return self.aa << 16 | self.modifiers

    @property
    def asm(self) -> bool:
        return bool(self.mmucr & 2)

    @property
    def translating(self) -> bool:
        """EN && V (item 11). When a change of EN takes hold (item 21) is the CPU's business."""
        return bool(self.mmucr & 1) and bool(self.mmubar & 1)

    def movec(self, number: int, value: int) -> bool:
        """Write a control register (2.1); False if V4e has none of that number."""
        value &= 0xFFFF_FFFF
        if number == 0x002:
            self.cacr = value
        elif number == 0x003:
            self.asid = value & 0xFF
        elif 0x004 <= number <= 0x007:
            self.acr[number - 0x004] = value
        elif number == 0x008:
            self.mmubar = value & 0xFFFF_0001
        elif number == 0x801:
            self.vbr = value & 0xFFF0_0000  # item 27
        elif number in (0xC04, 0xC05):
            self.rambar[number - 0xC04] = value
        elif number == 0xC0F:
            self.mbar = value
        else:
            return False
        return True

    def register_value(self, offset: int) -> int:
        """One 32-bit register of the window; reserved places read 0."""
        return {
            MMUCR: self.mmucr,
            MMUOR: self.mmuor,
            MMUSR: self.mmusr,
            MMUAR: self.mmuar,
            MMUTR: self.mmutr,
            MMUDR: self.mmudr,
        }.get(offset, 0)

    def window_size_ok(self, offset: int, size: int, what: str) -> bool:
        """32-bit and 16-bit are served; byte and unaligned accesses are not, with a warning (item 15)."""
        if size in (2, 4) and offset % size == 0:
            return True
        self.warnings.append(f"{what} of {size} bytes at window offset {offset:#x}")
        return False

    def window_read(self, offset: int, size: int) -> int:
        if not self.window_size_ok(offset, size, "read"):
            return 0
        value = self.register_value(offset & ~3)
        if size == 4:
            return value
        return value & 0xFFFF if offset & 2 else value >> 16

    def window_write(self, offset: int, size: int, value: int) -> None:
        if not self.window_size_ok(offset, size, "write"):
            return
        register = offset & ~3
        if register == MMUOR:
            # The upper half holds nothing but AA, which ignores writes: no operation from there alone.
            if size == 4 or offset & 2:
                self.operate(value & 0xFFFF)
            return
        if size == 2:
            old = self.register_value(register)
            half = value & 0xFFFF
            value = old & 0xFFFF_0000 | half if offset & 2 else old & 0xFFFF | half << 16
        value &= 0xFFFF_FFFF
        if register == MMUCR:
            self.mmucr = value & 3
        elif register == MMUSR:
            self.mmusr = value & SR_BITS  # item 16: writable
        elif register == MMUAR:
            self.mmuar = value
        elif register == MMUTR:
            self.mmutr = value
        elif register == MMUDR:
            self.mmudr = value & 0xFFFF_FFFE

    # -- operations --

    def operate(self, word: int) -> None:
        """One write of MMUOR: clears, then search, then allocate, then access (item 1)."""
        self.modifiers = word & OR_MODIFIERS
        side: Side = "itlb" if word & OR_ITLB else "dtlb"
        if word & OR_CA:
            self.clear_all()
        if word & OR_CNL:
            self.clear_non_locked()
        if word & OR_CAS:
            self.clear_asid()
        if word & OR_STLB:
            self.search(side)  # ADR plays no part in it (item 18)
        if word & OR_UAA:
            self.allocate(side)
        if word & OR_ACC:
            # ITLB plays no part: the TLB address alone says which TLB.
            address = self.mmuar & (2 * self.dtlb_base - 1) if word & OR_ADR else self.aa
            if word & OR_RW:
                self.read_entry(address)
            else:
                self.write_entry(address)

    def clear_all(self) -> None:
        """Both TLBs, locked entries too; replacement state reset (1.5)."""
        for tlb in (self.itlb, self.dtlb):
            tlb.entries = cleared_all(tlb.entries)
            tlb.forget_recency()

    def clear_non_locked(self) -> None:
        """Replacement state untouched (item 9)."""
        for tlb in (self.itlb, self.dtlb):
            tlb.entries = cleared_non_locked(tlb.entries)

    def clear_asid(self) -> None:
        """Which ASID: item 2. Replacement state untouched (item 9)."""
        in_mmutr = self.mmutr >> 2 & 0xFF
        if in_mmutr != self.asid and not self.cas_warned:
            self.cas_warned = True
            self.warnings.append(f"CAS with MMUTR[ID] {in_mmutr:#x} and ASID {self.asid:#x}")
        asid = in_mmutr if self.cas_uses_mmutr else self.asid
        for tlb in (self.itlb, self.dtlb):
            tlb.entries = cleared_asid(tlb.entries, asid)

    def search(self, side: Side) -> None:
        """STLB: address and S from MMUAR, ASID from its register (item 19); no recency (1.5)."""
        tlb = self.tlb_of(side)
        hits = tlb.hits(self.mmuar, self.asid, bool(self.mmuar & 1), self.asm)
        self.warn_multiple(hits)
        if hits:
            self.mmusr = SR_HIT  # item 16: overwritten, the cause bits go
            self.aa = tlb.first_address + hits[0]
        else:
            self.mmusr = 0
            self.allocate(side)

    def locate(self, address: int) -> tuple[Tlb, int] | None:
        """The TLB and entry number behind a TLB address, if there is one."""
        tlb = self.dtlb if address >= self.dtlb_base else self.itlb
        number = address - tlb.first_address
        return (tlb, number) if number < tlb.count else None

    def write_entry(self, address: int) -> None:
        place = self.locate(address)
        if place is None:  # own choice: a write to an absent entry is lost
            return
        tlb, number = place
        tlb.entries[number] = entry_from_images(self.mmutr, self.mmudr, tlb.side)
        tlb.note_load(number)

    def read_entry(self, address: int) -> None:
        """No recency update (item 9)."""
        place = self.locate(address)
        if place is None:  # own choice: an absent entry reads as zero
            self.mmutr, self.mmudr = 0, 0
            return
        tlb, number = place
        self.mmutr, self.mmudr = tlb.entries[number].tag_image(), tlb.entries[number].data_image()

    def tlb_of(self, side: Side) -> Tlb:
        return self.itlb if side == "itlb" else self.dtlb

    def replacement(self, side: Side) -> int:
        """TLB address that UAA would put into AA; changes nothing."""
        tlb = self.tlb_of(side)
        return tlb.first_address + tlb.replacement()

    def allocate(self, side: Side) -> None:
        """Put the replacement choice into AA."""
        if self.tlb_of(side).all_locked():
            self.warnings.append(f"{side}: replacement wanted, all entries locked")  # item 10
        self.aa = self.replacement(side)

    def warn_multiple(self, hits: list[int]) -> None:
        """Item 7: the lowest address wins, with a warning."""
        if len(hits) > 1:
            self.warnings.append(f"{len(hits)} entries match one access")

    # -- accesses --

    def hits_of(self, access: Access) -> list[int]:
        tlb = self.itlb if access.is_fetch else self.dtlb
        return tlb.hits(access.va, self.asid, access.supervisor, self.asm)

    def physical_decode(self, access: Access) -> tuple[Source, int, int] | None:
        """The decodes ahead of the TLB (1.15): source, index and MMUSR cause bits of a violation."""
        if window_matches(self.mmubar, access):
            return "window", -1, 0
        if rambar_matches(self.rambar[0], access):
            return "rambar0", 0, rambar_faults(self.rambar[0], access)
        if rambar_matches(self.rambar[1], access):
            return "rambar1", 1, rambar_faults(self.rambar[1], access)
        for number in (2, 3) if access.is_fetch else (0, 1):
            if acr_matches(self.acr[number], access):
                return "acr", number, acr_faults(self.acr[number], access)
        if not self.translating:
            return "physical", -1, default_faults(self.cacr, access)
        return None

    def resolve(self, va: int, kind: Kind, supervisor: bool) -> Resolution:
        """Decode one address (1.15) and change nothing."""
        access = Access(va, kind, supervisor)
        decoded = self.physical_decode(access)
        if decoded is not None:
            source, index, faults = decoded
            return Resolution(source, index, va, faults == 0)
        hits = self.hits_of(access)
        if not hits:
            return Resolution("miss", -1, None, False)
        tlb = self.itlb if access.is_fetch else self.dtlb
        entry = tlb.entries[hits[0]]  # item 7: the lowest TLB address
        return Resolution("tlb", tlb.first_address + hits[0], translated(entry, va), entry_allows(entry, access))

    def access(self, va: int, kind: Kind, supervisor: bool) -> tuple[int, int | None]:
        """Do one access: (0, pa), or (FS, None) with the fault registers set (1.13).

        A misaligned access is one call for each aligned part, so MMUAR gets the part that failed (item 6).
        """
        access = Access(va, kind, supervisor)
        found = self.resolve(va, kind, supervisor)
        if found.source in ("miss", "tlb"):
            self.warn_multiple(self.hits_of(access))
        if found.source == "miss":
            if not access.is_fetch:  # items 4 and 5: a fetch leaves MMUAR, MMUSR and AA alone
                self.mmuar, self.mmusr = va, 0
                self.allocate("dtlb")  # item 3
            return miss_fs(access), None
        if not found.allowed:  # item 8: a violation does not count as a use
            if not access.is_fetch:
                self.data_violation(access, found)
            return violation_fs(access), None
        if found.source == "tlb":
            tlb = self.itlb if access.is_fetch else self.dtlb
            tlb.note_hit(found.index - tlb.first_address)
        return FS_NONE, found.pa

    def data_violation(self, access: Access, found: Resolution) -> None:
        self.mmuar = access.va
        if found.source == "tlb":
            entry = self.dtlb.entries[found.index - self.dtlb.first_address]
            self.mmusr = SR_HIT | entry_faults(entry, access)
            self.aa = found.index
            return
        # Item 12; AA stays, as no TLB entry is connected with the error (1.5).
        decoded = self.physical_decode(access)
        assert decoded is not None
        self.mmusr = decoded[2]

    # -- inspection --

    def images(self, side: Side) -> list[tuple[int, int]]:
        """(MMUTR, MMUDR) image of every entry."""
        return [(e.tag_image(), e.data_image()) for e in self.tlb_of(side).entries]

    def dump(self) -> str:
        """Registers, valid entries and set tree bits as text."""
        lines = [
            f"MMUBAR {self.mmubar:08x} MMUCR {self.mmucr:08x} MMUOR {self.mmuor:08x} MMUSR {self.mmusr:08x}",
            f"MMUAR {self.mmuar:08x} MMUTR {self.mmutr:08x} MMUDR {self.mmudr:08x} ASID {self.asid:02x}",
            "ACR " + " ".join(f"{v:08x}" for v in self.acr) + f" CACR {self.cacr:08x} VBR {self.vbr:08x}",
            "RAMBAR " + " ".join(f"{v:08x}" for v in self.rambar) + f" MBAR {self.mbar:08x}",
        ]
        for tlb in (self.itlb, self.dtlb):
            set_bits = " ".join(name for name, bit in tlb.bits.items() if bit) or "-"
            lines.append(f"{tlb.side}: {tlb.count} entries, next {tlb.first_address + tlb.replacement()}")
            lines.append(f"  recent: {set_bits}")
            for number, entry in enumerate(tlb.entries):
                if entry.valid:
                    images = f"{entry.tag_image():08x} {entry.data_image():08x}"
                    lines.append(f"  {tlb.first_address + number:3} {images} {PAGE_BYTES[entry.sz] >> 10}K")
        return "\n".join(lines)
