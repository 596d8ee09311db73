"""The table bit by bit, against the hardware sheet (1.2-1.9, 2.1-2.4, 3.3, 3.4) written down a second time."""

import pytest

from emu.mmu import attributes, registers
from emu.mmu.registers import FAULT_STATUS, REGISTERS, VECTORS, bit_field, field_shift, register, register_page

# Sheet 1.3 and 2.1: where each register is, and its fields from the top.
WINDOW = {"MMUCR": 0x00, "MMUOR": 0x04, "MMUSR": 0x08, "MMUAR": 0x10, "MMUTR": 0x14, "MMUDR": 0x18}
MOVEC = {
    "CACR": 0x002,
    "ASID": 0x003,
    "ACR0": 0x004,
    "ACR1": 0x005,
    "ACR2": 0x006,
    "ACR3": 0x007,
    "MMUBAR": 0x008,
    "VBR": 0x801,
    "RAMBAR0": 0xC04,
    "RAMBAR1": 0xC05,
    "MBAR": 0xC0F,
}
ACR = {
    "BA": 0xFF000000,
    "ADMSK": 0x00FF0000,
    "E": 1 << 15,
    "S": 3 << 13,
    "AMM": 1 << 10,
    "CM": 3 << 5,
    "SP": 1 << 3,
    "W": 1 << 2,
}
RAMBAR = {"BA": 0xFFFFF000, "WP": 0x100, "DI": 0x80, "CI": 0x20, "SC": 0x10, "SD": 0x08, "UC": 0x04, "UD": 0x02, "V": 1}
FIELDS = {
    "MMUCR": {"ASM": 2, "EN": 1},
    "MMUOR": {
        "AA": 0xFFFF0000,
        "STLB": 0x100,
        "CA": 0x080,
        "CNL": 0x040,
        "CAS": 0x020,
        "ITLB": 0x010,
        "ADR": 0x008,
        "RW": 0x004,
        "ACC": 0x002,
        "UAA": 0x001,
    },
    "MMUSR": {"SPF": 0x20, "RF": 0x10, "WF": 0x08, "HIT": 0x02},
    "MMUAR": {"FA": 0xFFFFFFFF},
    "MMUTR": {"VA": 0xFFFFFC00, "ID": 0xFF << 2, "SG": 2, "V": 1},
    "MMUDR": {"PA": 0xFFFFFC00, "SZ": 3 << 8, "CM": 3 << 6, "SP": 0x20, "R": 0x10, "W": 0x08, "X": 0x04, "LK": 0x02},
    "CACR": {
        "DEC": 1 << 31,
        "DW": 1 << 30,
        "DESB": 1 << 29,
        "DDPI": 1 << 28,
        "DHLCK": 1 << 27,
        "DDCM": 3 << 25,
        "DCINVA": 1 << 24,
        "DDSP": 1 << 23,
        "IVO": 1 << 20,
        "BEC": 1 << 19,
        "BCINVA": 1 << 18,
        "IEC": 1 << 15,
        "SPA": 1 << 14,
        "DNFB": 1 << 13,
        "IDPI": 1 << 12,
        "IHLCK": 1 << 11,
        "IDCM": 1 << 10,
        "ICINVA": 1 << 8,
        "IDSP": 1 << 7,
        "EUSP": 1 << 5,
        "DF": 1 << 4,
    },
    "ASID": {"ID": 0xFF},
    **{f"ACR{number}": ACR for number in range(4)},
    "MMUBAR": {"BA": 0xFFFF0000, "V": 1},
    "VBR": {"BA": 0xFFF00000},
    "RAMBAR0": RAMBAR,
    "RAMBAR1": RAMBAR,
    "MBAR": {"BA": 0xFFFC0000, "V": 1},
}
# Fields that do not keep what is written (sheet 1.5, 2.2, 2.4).
NOT_KEPT = {("MMUOR", "AA"): "ro", ("MBAR", "V"): "ro"}
NOT_KEPT |= {("MMUOR", name): "action" for name in ("STLB", "CA", "CNL", "CAS", "ACC", "UAA")}
NOT_KEPT |= {("CACR", name): "action" for name in ("DCINVA", "BCINVA", "ICINVA")}

# Sheet 3.3.
STATUS = {
    "NONE": 0b0000,
    "DEBUG_SERVICE": 0b0010,
    "FETCH_ERROR": 0b0100,
    "FETCH_MISS": 0b0101,
    "FETCH_MISS_EXTENSION": 0b0110,
    "FETCH_EMULATOR": 0b0111,
    "WRITE_ERROR": 0b1000,
    "WRITE_PROTECTED": 0b1001,
    "WRITE_MISS": 0b1010,
    "READ_ERROR": 0b1100,
    "READ_PROTECTED": 0b1101,
    "READ_MISS": 0b1110,
    "DATA_EMULATOR": 0b1111,
}
# Sheet 3.4, as byte offsets into the vector table.
VECTOR_OFFSETS = {
    "INITIAL_SSP": 0x000,
    "INITIAL_PC": 0x004,
    "ACCESS_ERROR": 0x008,
    "ADDRESS_ERROR": 0x00C,
    "ILLEGAL": 0x010,
    "DIVIDE_BY_ZERO": 0x014,
    "PRIVILEGE": 0x020,
    "TRACE": 0x024,
    "LINE_A": 0x028,
    "LINE_F": 0x02C,
    "DEBUG": 0x030,
    "DEBUG_PC": 0x034,
    "FORMAT_ERROR": 0x038,
    "UNINITIALISED": 0x03C,
    "SPURIOUS": 0x060,
    "AUTOVECTOR_1": 0x064,
    "TRAP_0": 0x080,
    "FP_UNORDERED": 0x0C0,
    "FP_INEXACT": 0x0C4,
    "FP_DIVIDE_BY_ZERO": 0x0C8,
    "FP_UNDERFLOW": 0x0CC,
    "FP_OPERAND_ERROR": 0x0D0,
    "FP_OVERFLOW": 0x0D4,
    "FP_INPUT_NAN": 0x0D8,
    "FP_INPUT_DENORMAL": 0x0DC,
    "UNSUPPORTED": 0x0F4,
}


def test_registers_and_where_they_are() -> None:
    assert {row.name: row.number for row in REGISTERS if row.place == "window"} == WINDOW
    assert {row.name: row.number for row in REGISTERS if row.place == "movec"} == MOVEC
    assert len(REGISTERS) == len(WINDOW) + len(MOVEC)


@pytest.mark.parametrize("name", FIELDS)
def test_fields(name: str) -> None:
    assert {field.name: field.mask for field in register(name).fields} == FIELDS[name]
    for field in register(name).fields:
        assert field.access == NOT_KEPT.get((name, field.name), "rw"), field.name


def test_constants_for_the_compiled_code_are_the_table_s() -> None:
    # Given every constant that is called after a register, or a register and its field; ACR is short for ACR0
    seen = set()
    for constant, value in vars(registers).items():
        first, _, rest = constant.partition("_")
        name = first + "0" if first in ("ACR", "RAMBAR") else first
        # When / Then
        if first in ("OFFSET", "MOVEC"):
            assert value == (WINDOW if first == "OFFSET" else MOVEC)[rest], constant
        elif rest.removesuffix("_SHIFT") in FIELDS.get(name, {}):
            mask = FIELDS[name][rest.removesuffix("_SHIFT")]
            lowest = next(bit for bit in range(32) if mask >> bit & 1)
            assert value == (lowest if rest.endswith("_SHIFT") else mask), constant
        else:
            continue
        seen.add(constant)
    assert len(seen) > 70
    assert registers.MMUDR_CM0 == 0x40
    assert registers.CACR_DEFAULTS == 0x40000000 | 0x06000000 | 0x00800000 | 0x400 | 0x80


def test_fault_status() -> None:
    named = {name.removeprefix("FS_"): value for name, value in vars(registers).items() if name.startswith("FS_")}
    assert named == STATUS
    assert sorted(FAULT_STATUS) == sorted(STATUS.values())


def test_vectors() -> None:
    prefix = "VECTOR_"
    named = {name.removeprefix(prefix): 4 * value for name, value in vars(registers).items() if name.startswith(prefix)}
    assert named == VECTOR_OFFSETS
    offsets = {*VECTOR_OFFSETS.values(), *range(0x064, 0x080, 4), *range(0x080, 0x0C0, 4)}
    assert sorted(4 * vector for vector in VECTORS) == sorted(offsets)
    assert [VECTORS[25], VECTORS[31], VECTORS[32], VECTORS[47]] == [
        "autovector 1",
        "autovector 7",
        "TRAP #0",
        "TRAP #15",
    ]


def test_cache_modes() -> None:
    # Sheet 1.9: 00 write-through, 01 copyback, 10 inhibited precise, 11 inhibited imprecise.
    modes = ("WRITE_THROUGH", "COPYBACK", "INHIBITED_PRECISE", "INHIBITED_IMPRECISE")
    assert [getattr(attributes, f"CM_{mode}") for mode in modes] == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("name", "field", "shift", "bits"),
    [("MMUTR", "V", 0, "0"), ("MMUTR", "ID", 2, "9-2"), ("CACR", "DEC", 31, "31"), ("MMUAR", "FA", 0, "31-0")],
)
def test_bit_ranges_as_manuals_print_them(name: str, field: str, shift: int, bits: str) -> None:
    assert field_shift(name, field) == bit_field(name, field).shift == shift
    assert bit_field(name, field).bits == bits


def test_register_page_row_by_row() -> None:
    lines = register_page().splitlines()
    start, mmusr = lines.index("## MMUSR"), register("MMUSR")
    assert lines[:3] == ["# MMU registers, fault status and vectors", "", "Generated from `emu/mmu/registers.py`."]
    assert lines[start - 1 : start + 8] == [
        "",
        "## MMUSR",
        "",
        f"{mmusr.meaning}; window offset 0x08; reset: not stated (0 here). Source: {mmusr.source}.",
        "",
        "| bits | field | mask | access | meaning | source |",
        "| --- | --- | --- | --- | --- | --- |",
        f"| 5 | SPF | 0x00000020 | rw | {bit_field('MMUSR', 'SPF').meaning} | {mmusr.source} |",
        f"| 4 | RF | 0x00000010 | rw | {bit_field('MMUSR', 'RF').meaning} | {mmusr.source} |",
    ]
    vbr = lines.index("## VBR")
    assert "; MOVEC 0x801; reset: 0. " in lines[vbr + 2]
    # A field's own source goes before its register's.
    assert f"| 5 | EUSP | 0x00000020 | rw | {bit_field('CACR', 'EUSP').meaning} | CF4UM 2-9 |" in lines
    status = lines.index("## FS[3:0]")
    assert lines[status - 1] == ""
    assert lines[status + 1 : status + 7 : 2] == ["", "", "| --- | --- |"]
    assert lines[status + 2].startswith("Source: CF4UM 7-5")
    assert lines[status + 4] == "| FS | meaning |"
    assert lines[status + 6] == "| 0000 | not an access or address error |"
    vectors = lines.index("## Vectors")
    assert [lines[vectors + n] for n in (-1, 1, 3)] == ["", "", ""]
    assert lines[vectors + 2].startswith("Source: CF4UM 7-2")
    assert lines[vectors + 4 : vectors + 7] == ["| vector | use |", "| --- | --- |", "| 0 | initial SSP |"]
    assert lines[-1] == "| 61 | unsupported instruction |"
    assert register_page().endswith("|\n")
