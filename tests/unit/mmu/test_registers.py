"""The table against the values that Linux and BAS write, and against itself."""

import pytest

from emu.mmu import api
from emu.mmu.registers import (
    FAULT_STATUS,
    REGISTERS,
    VECTORS,
    Register,
    decode,
    dump,
    field_mask,
    register,
    register_page,
    register_value,
    write_mask,
)
from emu.mmu.state import new_mmu

BY_NAME = pytest.mark.parametrize("row", REGISTERS, ids=lambda row: row.name)


@BY_NAME
def test_fields_do_not_overlap(row: Register) -> None:
    assert sum(field.mask for field in row.fields).bit_count() == sum(field.mask.bit_count() for field in row.fields)


@BY_NAME
def test_fields_are_contiguous_and_listed_from_the_top(row: Register) -> None:
    for field in row.fields:
        assert (field.mask >> field.shift) + 1 == 1 << field.mask.bit_count()
    masks = [field.mask for field in row.fields]
    assert masks == sorted(masks, reverse=True)


def test_places_are_unique() -> None:
    assert len({(row.place, row.number) for row in REGISTERS}) == len(REGISTERS)


@pytest.mark.parametrize(
    ("name", "mask"),
    [
        ("MMUCR", 0x00000003),
        ("MMUOR", 0x0000001C),  # only the modifiers keep what is written
        ("MMUSR", 0x0000003A),
        ("MMUAR", 0xFFFFFFFF),
        ("MMUTR", 0xFFFFFFFF),
        ("MMUDR", 0xFFFFFFFE),
        ("ASID", 0x000000FF),
        ("MMUBAR", 0xFFFF0001),
        ("VBR", 0xFFF00000),  # sheet 7 item 27
    ],
)
def test_write_masks(name: str, mask: int) -> None:
    assert write_mask(name) == mask


def test_decode_of_linux_acr_values() -> None:
    # LNX m54xxacr.h, sheet 2.3: devices, supervisor only, inhibited precise, SP.
    assert decode("ACR0", 0xFF00A048) == {
        "BA": 0xFF,
        "ADMSK": 0,
        "E": 1,
        "S": 1,
        "AMM": 0,
        "CM": 2,
        "SP": 1,
        "W": 0,
    }
    # RAM, copyback: 32 MB at 0.
    assert decode("ACR1", 0x0001A028)["ADMSK"] == 1
    assert decode("ACR1", 0x0001A028)["CM"] == 1


@pytest.mark.parametrize(
    ("word", "bits"),
    [
        (0x003, {"UAA", "ACC"}),  # Linux data refill (sheet 1.5)
        (0x013, {"UAA", "ACC", "ITLB"}),  # Linux instruction refill
        (0x040, {"CNL"}),
        (0x080, {"CA"}),
        (0x108, {"STLB", "ADR"}),  # Linux stack probe
        (0x10E, {"STLB", "ADR", "RW", "ACC"}),  # BAS entry readback
        (0x106, {"STLB", "RW", "ACC"}),  # BAS search and read
    ],
)
def test_decode_of_command_words(word: int, bits: set[str]) -> None:
    assert {name for name, value in decode("MMUOR", word).items() if value} == bits


def test_unknown_register_or_field_is_named() -> None:
    names = ", ".join(row.name for row in REGISTERS)
    with pytest.raises(KeyError) as no_register:
        register("ROMBAR0")
    assert no_register.value.args == (f"no register 'ROMBAR0'; there are {names}",)
    with pytest.raises(KeyError) as no_field:
        field_mask("MMUCR", "SAL")
    assert no_field.value.args == ("register MMUCR has no field 'SAL'",)


def test_register_value_of_each_register() -> None:
    # Given a value of its own in each
    mmu = new_mmu()
    mmu[0]["aa"] = 0x2B
    for number, row in enumerate(REGISTERS):
        if row.name[-1].isdigit():
            mmu[0][row.name[:-1].lower()][int(row.name[-1])] = number + 1
        else:
            mmu[0][row.name.lower()] = number + 1
    # When / Then
    for number, row in enumerate(REGISTERS):
        assert register_value(mmu, row.name) == (0x2B0000 if row.name == "MMUOR" else 0) + number + 1
        assert type(register_value(mmu, row.name)) is int


def test_dump_line_by_line() -> None:
    mmu = new_mmu()
    mmu[0]["aa"], mmu[0]["mmuor"], mmu[0]["acr"][3] = 0x2B, 0x14, 0x0001A008
    lines = dump(mmu).splitlines()
    assert lines[0] == "MMUCR   00000000  ASM=0 EN=0"
    assert lines[1] == "MMUOR   002B0014  AA=2B STLB=0 CA=0 CNL=0 CAS=0 ITLB=1 ADR=0 RW=1 ACC=0 UAA=0"
    assert lines[11] == "ACR3    0001A008  BA=0 ADMSK=1 E=1 S=1 AMM=0 CM=0 SP=1 W=0"
    assert len(lines) == len(REGISTERS)


def test_dump_shows_raw_and_decoded_without_side_effects() -> None:
    # Given
    mmu = new_mmu()
    api.write_control(mmu, 0x004, 0xFF00A048)
    before = mmu.copy()
    # When
    lines = {line.split()[0]: line for line in dump(mmu).splitlines()}
    # Then
    assert set(lines) == {row.name for row in REGISTERS}
    assert "FF00A048" in lines["ACR0"]
    assert "BA=FF" in lines["ACR0"]
    assert (mmu == before).all()


def test_register_page_names_every_register_field_status_and_vector() -> None:
    page = register_page()
    for row in REGISTERS:
        assert f"## {row.name}\n" in page
        for field in row.fields:
            assert f"| {field.bits} | {field.name} | 0x{field.mask:08X} |" in page
    for code, meaning in FAULT_STATUS.items():
        assert f"| {code:04b} | {meaning} |" in page
    for number, use in VECTORS.items():
        assert f"| {number} | {use} |" in page
