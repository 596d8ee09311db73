"""The one table of the MMU's registers and of the control registers that steer address decoding.

Write masks, field constants for the compiled code, decoding, dumps and the register page of the documentation all come
from :data:`REGISTERS`. What is architecture and what is our choice is said field by field: ``source`` names the manual
page, or the section or item of the hardware sheet where the manuals are silent. Source keys: CF4UM = ColdFire CF4e Core
User's Manual, 548xRM = MCF548x Reference Manual, 54455RM = MCF54455 Reference Manual, 5407UM = MCF5407 User's Manual,
LNX = Linux arch/m68k, BAS = FireBee BaS_gcc.
"""

from dataclasses import dataclass
from typing import Any

import numpy.typing as npt


@dataclass(frozen=True)
class BitField:
    """One bit field: ``access`` is "rw", "ro" (writes ignored) or "action" (does something when written 1, reads 0)."""

    name: str
    mask: int
    meaning: str
    access: str = "rw"
    source: str = ""

    @property
    def shift(self) -> int:
        """Position of the field's lowest bit."""
        return (self.mask & -self.mask).bit_length() - 1

    @property
    def bits(self) -> str:
        """The bit range as manuals print it, e.g. ``31-10`` or ``0``."""
        high = self.mask.bit_length() - 1
        return str(high) if high == self.shift else f"{high}-{self.shift}"


@dataclass(frozen=True)
class Register:
    """One register: ``place`` is "window" (``number`` = offset from MMUBAR) or "movec" (``number`` = MOVEC number)."""

    name: str
    place: str
    number: int
    reset: str
    meaning: str
    source: str
    fields: tuple[BitField, ...]

    @property
    def write_mask(self) -> int:
        """Bits that keep what is written to them."""
        return sum(field.mask for field in self.fields if field.access == "rw")


# CF4UM 10-17; 548xRM 5-4: one encoding of the cache mode in MMUDR, ACR and CACR.
_CACHE_MODE = "cache mode: 00 write-through, 01 copyback, 10 inhibited precise, 11 inhibited imprecise"

_MMUCR = (
    BitField("ASM", 0x2, "address space mode: 1 = the supervisor sees only entries with ID 0"),
    BitField("EN", 0x1, "1 = virtual mode on (with MMUBAR[V], sheet 7 item 11)"),
)
_MMUOR = (
    BitField("AA", 0xFFFF0000, "allocation address: a TLB address, kept by hardware", "ro", "CF4UM 10-13, 10-20"),
    BitField("STLB", 0x100, "search for the address in MMUAR; updates MMUSR and AA", "action", "54455RM 4-6"),
    BitField("CA", 0x080, "clear all entries of both TLBs, locked ones too; reset replacement", "action"),
    BitField("CNL", 0x040, "clear all non-locked entries of both TLBs", "action"),
    BitField("CAS", 0x020, "clear the non-locked entries of one ASID (sheet 7 item 2)", "action"),
    BitField("ITLB", 0x010, "STLB and UAA work on: 1 = ITLB, 0 = DTLB"),
    BitField("ADR", 0x008, "TLB address of ACC: 1 = MMUAR, 0 = AA"),
    BitField("RW", 0x004, "ACC: 1 = read the entry, 0 = write it"),
    BitField("ACC", 0x002, "access the TLB entry", "action"),
    BitField("UAA", 0x001, "load AA with the replacement choice", "action"),
)
_MMUSR = (
    BitField("SPF", 0x20, "last data fault: user access to an entry with SP = 1"),
    BitField("RF", 0x10, "last data fault: read of an entry with R = 0"),
    BitField("WF", 0x08, "last data fault: write, or write half of a read-modify-write, with W = 0"),
    BitField("HIT", 0x02, "last data fault or last search hit in the TLB"),
)
_MMUAR = (
    BitField("FA", 0xFFFFFFFF, "faulting address; or search address [31:1] and its supervisor bit [0]; or TLB address"),
)
_MMUTR = (
    BitField("VA", 0xFFFFFC00, "virtual page address; bits below the page size: kept, not compared (sheet 7 item 20)"),
    BitField("ID", 0x000003FC, "address space identifier"),
    BitField("SG", 0x00000002, "shared global: every ASID matches"),
    BitField("V", 0x00000001, "valid"),
)
_MMUDR = (
    BitField("PA", 0xFFFFFC00, "physical page address"),
    BitField("SZ", 0x00000300, "page size: 00 = 1 MB, 01 = 4 KB, 10 = 8 KB, 11 = 1 KB"),
    BitField("CM", 0x000000C0, _CACHE_MODE + "; ITLB: only the upper bit exists"),
    BitField("SP", 0x00000020, "1 = supervisor only"),
    BitField("R", 0x00000010, "data read allowed (not in the ITLB)"),
    BitField("W", 0x00000008, "data write allowed (not in the ITLB)"),
    BitField("X", 0x00000004, "instruction fetch allowed (not in the DTLB)"),
    BitField("LK", 0x00000002, "locked: never replaced, survives CNL and CAS"),
)
_CACR = (
    BitField("DEC", 0x80000000, "data cache enable"),
    BitField("DW", 0x40000000, "data default write protect"),
    BitField("DESB", 0x20000000, "data store buffer enable"),
    BitField("DDPI", 0x10000000, "CPUSHL does not invalidate (data)"),
    BitField("DHLCK", 0x08000000, "half data cache lock"),
    BitField("DDCM", 0x06000000, "default data " + _CACHE_MODE),
    BitField("DCINVA", 0x01000000, "invalidate data cache", "action"),
    BitField("DDSP", 0x00800000, "data default supervisor protect", source="BAS cache.h"),
    BitField("IVO", 0x00100000, "invalidate only (probably MCF5445x)", source="BAS cache.h"),
    BitField("BEC", 0x00080000, "branch cache enable"),
    BitField("BCINVA", 0x00040000, "invalidate branch cache", "action"),
    BitField("IEC", 0x00008000, "instruction cache enable"),
    BitField("SPA", 0x00004000, "CPUSHL searches by physical address (MCF5445x/5441x)", source="BAS; MQX"),
    BitField("DNFB", 0x00002000, "non-cacheable instruction fill buffer", source="CF4UM 8-38; 548xRM 7-12"),
    BitField("IDPI", 0x00001000, "CPUSHL does not invalidate (instruction)"),
    BitField("IHLCK", 0x00000800, "half instruction cache lock"),
    BitField("IDCM", 0x00000400, "instruction default: 1 = inhibited"),
    BitField("ICINVA", 0x00000100, "invalidate instruction cache", "action"),
    BitField("IDSP", 0x00000080, "instruction default supervisor protect", source="BAS cache.h"),
    BitField("EUSP", 0x00000020, "separate user stack pointer", source="CF4UM 2-9"),
    BitField("DF", 0x00000010, "disable FPU: FPU opcodes take vector 11", source="548xRM 3-41"),
)
_ASID = (BitField("ID", 0xFF, "current address space identifier"),)
_ACR = (
    BitField("BA", 0xFF000000, "address base, compared with A[31:24]"),
    BitField("ADMSK", 0x00FF0000, "don't-care bits of BA; with AMM = 1: base of A[23:20], then its don't-care bits"),
    BitField("E", 0x00008000, "enable"),
    BitField("S", 0x00006000, "00 = user accesses only, 01 = supervisor only, 1x = both"),
    BitField("AMM", 0x00000400, "address mask mode: 0 = 16 MB and up, 1 = in one 16-MB block", source="MQX; BAS mmu.c"),
    BitField("CM", 0x00000060, _CACHE_MODE + "; ACR2/3: only the upper bit counts"),
    BitField("SP", 0x00000008, "user access that matches is an access error"),
    BitField("W", 0x00000004, "write that matches is an access error"),
)
_MMUBAR = (
    BitField("BA", 0xFFFF0000, "base of the 64-KB register window"),
    BitField("V", 0x00000001, "window valid"),
)
_VBR = (BitField("BA", 0xFFF00000, "vector base; bits 19-0 are not implemented (sheet 7 item 27)"),)
_RAMBAR = (
    BitField("BA", 0xFFFFF000, "base of the 4-KB core SRAM block", source="BAS bas.lk.in"),
    BitField("WP", 0x00000100, "write protect"),
    BitField("DI", 0x00000080, "bus the block is on: 0 = data, 1 = instruction", source="sheet 2.4, unverified"),
    BitField("CI", 0x00000020, "1 = CPU space and interrupt acknowledge do not match", source="CF4UM 10-10"),
    BitField("SC", 0x00000010, "1 = supervisor code does not match"),
    BitField("SD", 0x00000008, "1 = supervisor data does not match"),
    BitField("UC", 0x00000004, "1 = user code does not match"),
    BitField("UD", 0x00000002, "1 = user data does not match"),
    BitField("V", 0x00000001, "valid"),
)
_MBAR = (
    BitField("BA", 0xFFFC0000, "base of the 256-KB peripheral window"),
    BitField("V", 0x00000001, "ignored: valid from the first write on (BAS never sets it)", "ro", "BAS; LNX head.S"),
)

_MMU = "CF4UM 10-13, 10-16; LNX mcfmmu.h"
_ACR_SOURCE = "LNX m54xxacr.h; BAS mmu.h"
_UNDEFINED = "undefined (0 here)"
_UNSTATED = "not stated (0 here)"

REGISTERS: tuple[Register, ...] = (
    Register("MMUCR", "window", 0x00, "0", "control", _MMU, _MMUCR),
    Register("MMUOR", "window", 0x04, "0", "operation", _MMU, _MMUOR),
    Register("MMUSR", "window", 0x08, _UNSTATED, "last data fault or search", "LNX mcfmmu.h; BAS", _MMUSR),
    Register("MMUAR", "window", 0x10, _UNSTATED, "fault, search or TLB address", "CF4UM 10-20", _MMUAR),
    Register("MMUTR", "window", 0x14, _UNDEFINED, "tag half of a TLB entry", "CF4UM 10-16", _MMUTR),
    Register("MMUDR", "window", 0x18, _UNDEFINED, "data half of a TLB entry", "CF4UM 10-16, 10-17", _MMUDR),
    Register("CACR", "movec", 0x002, "0", "cache control and default attributes", "LNX m54xxacr.h; BAS cache.h", _CACR),
    Register("ASID", "movec", 0x003, "0", "address space identifier", "548xRM 5-7", _ASID),
    Register("ACR0", "movec", 0x004, "E = 0", "data access control, first", _ACR_SOURCE, _ACR),
    Register("ACR1", "movec", 0x005, "E = 0", "data access control, second", _ACR_SOURCE, _ACR),
    Register("ACR2", "movec", 0x006, "E = 0", "instruction access control, first", _ACR_SOURCE, _ACR),
    Register("ACR3", "movec", 0x007, "E = 0", "instruction access control, second", _ACR_SOURCE, _ACR),
    Register("MMUBAR", "movec", 0x008, "V = 0", "MMU register window", "CF4UM 10-11", _MMUBAR),
    Register("VBR", "movec", 0x801, "0", "vector base", "CF4UM 7-2; 548xRM 3-37", _VBR),
    Register("RAMBAR0", "movec", 0xC04, "V = 0, rest kept", "core SRAM 0", "5407UM 4-3; RTEMS; BAS", _RAMBAR),
    Register("RAMBAR1", "movec", 0xC05, "V = 0, rest kept", "core SRAM 1", "5407UM 4-3; RTEMS; BAS", _RAMBAR),
    Register("MBAR", "movec", 0xC0F, "set by the board", "peripheral window", "LNX head.S; BAS", _MBAR),
)

_BY_NAME = {entry.name: entry for entry in REGISTERS}


def register(name: str) -> Register:
    """The table row of ``name``; raises KeyError with one clear line for an unknown register."""
    try:
        return _BY_NAME[name]
    except KeyError:
        raise KeyError(f"no register {name!r}; there are {', '.join(_BY_NAME)}") from None


def bit_field(name: str, field: str) -> BitField:
    """One bit field; raises KeyError with one clear line for an unknown register or field."""
    for candidate in register(name).fields:
        if candidate.name == field:
            return candidate
    raise KeyError(f"register {name} has no field {field!r}")


def field_mask(name: str, field: str) -> int:
    """Mask of one bit field, in place; errors as :func:`bit_field`."""
    return bit_field(name, field).mask


def field_shift(name: str, field: str) -> int:
    """Position of the lowest bit of one bit field; errors as :func:`bit_field`."""
    return bit_field(name, field).shift


def write_mask(name: str) -> int:
    """Bits of ``name`` that keep what software writes."""
    return register(name).write_mask


def decode(name: str, value: int) -> dict[str, int]:
    """Fields of a register image, most significant first, each shifted down to bit 0."""
    return {field.name: (value & field.mask) >> field.shift for field in register(name).fields}


def register_value(mmu: npt.NDArray[Any], name: str) -> int:
    """Current image of a register in a state block of shape (1,), as a debugger reads it: no side effect."""
    row = register(name)
    state = mmu[0]
    if row.name == "MMUOR":
        return int(state["aa"]) << field_shift("MMUOR", "AA") | int(state["mmuor"])
    if row.name[-1].isdigit():
        return int(state[row.name[:-1].lower()][int(row.name[-1])])
    return int(state[row.name.lower()])


def dump(mmu: npt.NDArray[Any]) -> str:
    """All registers of a state block of shape (1,), one line each: raw hexadecimal, then the decoded fields."""
    lines = []
    for row in REGISTERS:
        value = register_value(mmu, row.name)
        decoded = " ".join(f"{field}={content:X}" for field, content in decode(row.name, value).items())
        lines.append(f"{row.name:<8}{value:08X}  {decoded}")
    return "\n".join(lines)


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    return [f"| {' | '.join(cells)} |" for cells in (head, ("---",) * len(head), *rows)]


def register_page() -> str:
    """The register page of the documentation, as Markdown: every register, field, fault status and vector."""
    lines = ["# MMU registers, fault status and vectors", "", "Generated from `emu/mmu/registers.py`."]
    for row in REGISTERS:
        where = f"window offset 0x{row.number:02X}" if row.place == "window" else f"MOVEC 0x{row.number:03X}"
        lines += ["", f"## {row.name}", "", f"{row.meaning}; {where}; reset: {row.reset}. Source: {row.source}.", ""]
        lines += _table(
            ("bits", "field", "mask", "access", "meaning", "source"),
            [(f.bits, f.name, f"0x{f.mask:08X}", f.access, f.meaning, f.source or row.source) for f in row.fields],
        )
    lines += ["", "## FS[3:0]", "", "Source: CF4UM 7-5, 10-8/10-9; 548xRM 3-39, 5-8.", ""]
    lines += _table(("FS", "meaning"), [(f"{code:04b}", meaning) for code, meaning in FAULT_STATUS.items()])
    lines += ["", "## Vectors", "", "Source: CF4UM 7-2; 548xRM 3-38; 5407UM 2-31.", ""]
    lines += _table(("vector", "use"), [(str(number), use) for number, use in VECTORS.items()])
    return "\n".join(lines) + "\n"


# Constants for the compiled code, all out of the table: numba freezes module-level integers.
OFFSET_MMUCR = register("MMUCR").number
OFFSET_MMUOR = register("MMUOR").number
OFFSET_MMUSR = register("MMUSR").number
OFFSET_MMUAR = register("MMUAR").number
OFFSET_MMUTR = register("MMUTR").number
OFFSET_MMUDR = register("MMUDR").number
MOVEC_CACR = register("CACR").number
MOVEC_ASID = register("ASID").number
MOVEC_ACR0 = register("ACR0").number
MOVEC_ACR3 = register("ACR3").number
MOVEC_MMUBAR = register("MMUBAR").number
MOVEC_VBR = register("VBR").number
MOVEC_RAMBAR0 = register("RAMBAR0").number
MOVEC_RAMBAR1 = register("RAMBAR1").number
MOVEC_MBAR = register("MBAR").number
MMUCR_EN = field_mask("MMUCR", "EN")
MMUCR_ASM = field_mask("MMUCR", "ASM")
MMUOR_AA_SHIFT = field_shift("MMUOR", "AA")
MMUOR_STLB = field_mask("MMUOR", "STLB")
MMUOR_CA = field_mask("MMUOR", "CA")
MMUOR_CNL = field_mask("MMUOR", "CNL")
MMUOR_CAS = field_mask("MMUOR", "CAS")
MMUOR_ITLB = field_mask("MMUOR", "ITLB")
MMUOR_ADR = field_mask("MMUOR", "ADR")
MMUOR_RW = field_mask("MMUOR", "RW")
MMUOR_ACC = field_mask("MMUOR", "ACC")
MMUOR_UAA = field_mask("MMUOR", "UAA")
MMUSR_SPF = field_mask("MMUSR", "SPF")
MMUSR_RF = field_mask("MMUSR", "RF")
MMUSR_WF = field_mask("MMUSR", "WF")
MMUSR_HIT = field_mask("MMUSR", "HIT")
MMUTR_VA = field_mask("MMUTR", "VA")
MMUTR_ID = field_mask("MMUTR", "ID")
MMUTR_ID_SHIFT = field_shift("MMUTR", "ID")
MMUTR_SG = field_mask("MMUTR", "SG")
MMUTR_V = field_mask("MMUTR", "V")
MMUDR_PA = field_mask("MMUDR", "PA")
MMUDR_SZ = field_mask("MMUDR", "SZ")
MMUDR_SZ_SHIFT = field_shift("MMUDR", "SZ")
MMUDR_CM = field_mask("MMUDR", "CM")
MMUDR_CM_SHIFT = field_shift("MMUDR", "CM")
MMUDR_CM0 = MMUDR_CM & -MMUDR_CM
MMUDR_SP = field_mask("MMUDR", "SP")
MMUDR_R = field_mask("MMUDR", "R")
MMUDR_W = field_mask("MMUDR", "W")
MMUDR_X = field_mask("MMUDR", "X")
MMUDR_LK = field_mask("MMUDR", "LK")
CACR_DW = field_mask("CACR", "DW")
CACR_DDCM = field_mask("CACR", "DDCM")
CACR_DDCM_SHIFT = field_shift("CACR", "DDCM")
CACR_DDSP = field_mask("CACR", "DDSP")
CACR_IDCM = field_mask("CACR", "IDCM")
CACR_IDSP = field_mask("CACR", "IDSP")
CACR_EUSP = field_mask("CACR", "EUSP")
CACR_DF = field_mask("CACR", "DF")
# The CACR bits that attributes.resolve looks at.
CACR_DEFAULTS = CACR_DW | CACR_DDCM | CACR_DDSP | CACR_IDCM | CACR_IDSP
ACR_E = field_mask("ACR0", "E")
ACR_S = field_mask("ACR0", "S")
ACR_S_SHIFT = field_shift("ACR0", "S")
ACR_AMM = field_mask("ACR0", "AMM")
ACR_CM = field_mask("ACR0", "CM")
ACR_CM_SHIFT = field_shift("ACR0", "CM")
ACR_SP = field_mask("ACR0", "SP")
ACR_W = field_mask("ACR0", "W")
MMUBAR_BA = field_mask("MMUBAR", "BA")
MMUBAR_V = field_mask("MMUBAR", "V")
RAMBAR_BA = field_mask("RAMBAR0", "BA")
RAMBAR_WP = field_mask("RAMBAR0", "WP")
RAMBAR_DI = field_mask("RAMBAR0", "DI")
RAMBAR_SC = field_mask("RAMBAR0", "SC")
RAMBAR_SD = field_mask("RAMBAR0", "SD")
RAMBAR_UC = field_mask("RAMBAR0", "UC")
RAMBAR_UD = field_mask("RAMBAR0", "UD")
RAMBAR_V = field_mask("RAMBAR0", "V")

# FS[3:0] of the exception frame (CF4UM 7-5; 548xRM 3-39).
FS_NONE = 0b0000
FS_DEBUG_SERVICE = 0b0010
FS_FETCH_ERROR = 0b0100
FS_FETCH_MISS = 0b0101
FS_FETCH_MISS_EXTENSION = 0b0110
FS_FETCH_EMULATOR = 0b0111
FS_WRITE_ERROR = 0b1000
FS_WRITE_PROTECTED = 0b1001
FS_WRITE_MISS = 0b1010
FS_READ_ERROR = 0b1100
FS_READ_PROTECTED = 0b1101
FS_READ_MISS = 0b1110
FS_DATA_EMULATOR = 0b1111

FAULT_STATUS: dict[int, str] = {
    FS_NONE: "not an access or address error",
    FS_DEBUG_SERVICE: "interrupt or other non-access fault during a debug service routine",
    FS_FETCH_ERROR: "error on instruction fetch, e.g. protection",
    FS_FETCH_MISS: "TLB miss, opword",
    FS_FETCH_MISS_EXTENSION: "TLB miss, extension word",
    FS_FETCH_EMULATOR: "instruction-side access error in emulator mode",
    FS_WRITE_ERROR: "error on data write",
    FS_WRITE_PROTECTED: "write to protected space",
    FS_WRITE_MISS: "TLB miss, data write",
    FS_READ_ERROR: "error on data read",
    FS_READ_PROTECTED: "read or read-modify-write of protected space",
    FS_READ_MISS: "TLB miss, data read or read-modify-write",
    FS_DATA_EMULATOR: "data-side access error in emulator mode",
}

# Exception vectors (CF4UM 7-2; 548xRM 3-38).
VECTOR_INITIAL_SSP = 0
VECTOR_INITIAL_PC = 1
VECTOR_ACCESS_ERROR = 2
VECTOR_ADDRESS_ERROR = 3
VECTOR_ILLEGAL = 4
VECTOR_DIVIDE_BY_ZERO = 5
VECTOR_PRIVILEGE = 8
VECTOR_TRACE = 9
VECTOR_LINE_A = 10
VECTOR_LINE_F = 11
VECTOR_DEBUG = 12
VECTOR_DEBUG_PC = 13
VECTOR_FORMAT_ERROR = 14
VECTOR_UNINITIALISED = 15
VECTOR_SPURIOUS = 24
VECTOR_AUTOVECTOR_1 = 25
VECTOR_TRAP_0 = 32
VECTOR_FP_UNORDERED = 48
VECTOR_FP_INEXACT = 49
VECTOR_FP_DIVIDE_BY_ZERO = 50
VECTOR_FP_UNDERFLOW = 51
VECTOR_FP_OPERAND_ERROR = 52
VECTOR_FP_OVERFLOW = 53
VECTOR_FP_INPUT_NAN = 54
VECTOR_FP_INPUT_DENORMAL = 55
VECTOR_UNSUPPORTED = 61

VECTORS: dict[int, str] = {
    VECTOR_INITIAL_SSP: "initial SSP",
    VECTOR_INITIAL_PC: "initial PC",
    VECTOR_ACCESS_ERROR: "access error",
    VECTOR_ADDRESS_ERROR: "address error",
    VECTOR_ILLEGAL: "illegal instruction",
    VECTOR_DIVIDE_BY_ZERO: "divide by zero",
    VECTOR_PRIVILEGE: "privilege violation",
    VECTOR_TRACE: "trace",
    VECTOR_LINE_A: "line-A opcode",
    VECTOR_LINE_F: "line-F opcode",
    VECTOR_DEBUG: "debug interrupt, not PC breakpoint",
    VECTOR_DEBUG_PC: "debug interrupt, PC breakpoint",
    VECTOR_FORMAT_ERROR: "format error",
    VECTOR_UNINITIALISED: "uninitialised interrupt",
    VECTOR_SPURIOUS: "spurious interrupt",
    **{VECTOR_AUTOVECTOR_1 + level: f"autovector {level + 1}" for level in range(7)},
    **{VECTOR_TRAP_0 + number: f"TRAP #{number}" for number in range(16)},
    VECTOR_FP_UNORDERED: "FP branch or set on unordered",
    VECTOR_FP_INEXACT: "FP inexact",
    VECTOR_FP_DIVIDE_BY_ZERO: "FP divide by zero",
    VECTOR_FP_UNDERFLOW: "FP underflow",
    VECTOR_FP_OPERAND_ERROR: "FP operand error",
    VECTOR_FP_OVERFLOW: "FP overflow",
    VECTOR_FP_INPUT_NAN: "FP input NaN",
    VECTOR_FP_INPUT_DENORMAL: "FP input denormal",
    VECTOR_UNSUPPORTED: "unsupported instruction",
}
