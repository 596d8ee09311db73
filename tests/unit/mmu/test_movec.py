"""MOVEC writes and reset: sheet 2.1-2.4."""

import pytest

from emu.mmu import api
from emu.mmu.movec import NO_REGISTER
from emu.mmu.registers import REGISTERS, register, register_value
from emu.mmu.state import DTLB, EFFECT_ALL, EFFECT_NONE, new_mmu
from tests.unit.mmu.build import MMUAR, MMUCR, MMUDR, MMUOR, MMUSR, MMUTR, fill, get, put, resident, virtual_mode


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("CACR", 0xFE98FCB0),
        ("ASID", 0xFF),
        ("ACR0", 0xFFFFE46C),
        ("ACR3", 0xFFFFE46C),
        ("MMUBAR", 0xFFFF0001),
        ("VBR", 0xFFF00000),
        ("RAMBAR0", 0xFFFFF1BF),
        ("RAMBAR1", 0xFFFFF1BF),
        ("MBAR", 0xFFFC0000),
    ],
)
def test_each_register_keeps_its_bits(name: str, kept: int) -> None:
    # Given / When
    mmu = new_mmu()
    api.write_control(mmu, register(name).number, 0xFFFFFFFF)
    # Then this one register has them, and no other changed
    changed = {row.name: register_value(mmu, row.name) for row in REGISTERS if register_value(mmu, row.name)}
    assert changed == {name: kept}


@pytest.mark.parametrize(
    ("name", "value", "kept"),
    [
        ("CACR", 0xA5A5A5A5, 0xA480A4A0),
        ("ASID", 0x1A5, 0xA5),
        ("ACR0", 0xA5A5A5A5, 0xA5A5A424),
        ("ACR1", 0x5A5A5A5A, 0x5A5A4048),
        ("ACR2", 0xA5A5A5A5, 0xA5A5A424),
        ("ACR3", 0x5A5A5A5A, 0x5A5A4048),
        ("MMUBAR", 0xA5A5A5A4, 0xA5A50000),
        ("VBR", 0xA5A5A5A5, 0xA5A00000),
        ("RAMBAR0", 0xA5A5A5A5, 0xA5A5A1A5),
        ("RAMBAR1", 0x5A5A5A5A, 0x5A5A501A),
        ("MBAR", 0xA5A5A5A5, 0xA5A40000),
    ],
)
def test_each_register_takes_the_value_that_is_written(name: str, value: int, kept: int) -> None:
    mmu = new_mmu()
    api.write_control(mmu, register(name).number, ~value & 0xFFFFFFFF)
    api.write_control(mmu, register(name).number, value)
    assert {row.name: register_value(mmu, row.name) for row in REGISTERS if register_value(mmu, row.name)} == {
        name: kept
    }


def test_cache_commands_read_back_zero() -> None:
    # LNX: 0x01040100 invalidates everything (sheet 2.2).
    mmu = new_mmu()
    api.write_control(mmu, 0x002, 0x01040100)
    assert register_value(mmu, "CACR") == 0
    api.write_control(mmu, 0x002, 0xA4088020)
    assert register_value(mmu, "CACR") == 0xA4088020


@pytest.mark.parametrize("number", [0x000, 0x001, 0x009, 0x800, 0x80F, 0xC00, 0xC01, 0xC03, 0xC06, 0xC0E, 0xFFF])
def test_numbers_that_the_v4e_has_not(number: int) -> None:
    mmu = new_mmu()
    before = mmu.copy()
    assert api.write_control(mmu, number, 0xFFFFFFFF) == NO_REGISTER
    assert (mmu == before).all()


@pytest.mark.parametrize(
    ("name", "value", "effect"),
    [
        ("CACR", 0x04000000, EFFECT_ALL),  # default cache mode
        ("CACR", 0x80080020, EFFECT_NONE),  # enables and EUSP translate nothing
        ("ASID", 1, EFFECT_ALL),
        ("ACR2", 0x0001A008, EFFECT_ALL),
        ("MMUBAR", 0xFE000001, EFFECT_ALL),
        ("VBR", 0x00100000, EFFECT_NONE),
        ("RAMBAR1", 0xFF101007, EFFECT_ALL),
        ("MBAR", 0xFF000001, EFFECT_ALL),
        # Bits that do not exist are no change.
        ("CACR", 0x05040140, EFFECT_ALL),
        ("ASID", 0x101, EFFECT_ALL),
        ("ACR1", 0x0001BBFF, EFFECT_ALL),
        ("MMUBAR", 0xFE00FFFF, EFFECT_ALL),
        ("RAMBAR0", 0x20000E41, EFFECT_ALL),
    ],
)
def test_effect_is_reported_once(name: str, value: int, effect: int) -> None:
    mmu = new_mmu()
    assert api.write_control(mmu, register(name).number, value) == effect
    assert api.write_control(mmu, register(name).number, value) == EFFECT_NONE


def test_mbar_is_a_base_whatever_its_low_bits() -> None:
    # LNX writes base + 1, BAS the bare base (sheet 2.4).
    mmu = new_mmu()
    for value in (0xFF000001, 0xFF000000):
        api.write_control(mmu, 0xC0F, value)
        assert mmu[0]["mbar"] == 0xFF000000


def test_reset() -> None:
    # Given a machine in use
    mmu = virtual_mode(seed=7)
    fresh = new_mmu(seed=7)
    fill(mmu)
    for offset, value in ((MMUAR, 0x1234), (MMUTR, 0x1234), (MMUDR, 0x1234), (MMUOR, 0x1D), (MMUSR, 0x3A)):
        put(mmu, offset, value)
    mmu[0]["aa"] = 0x2B
    for row in REGISTERS:
        if row.place == "movec":
            api.write_control(mmu, row.number, 0xFFFFFFFF)
    # When
    api.reset(mmu)
    # Then: RAMBAR keeps all but V, MBAR stays, the rest is as new
    assert (get(mmu, MMUCR), get(mmu, MMUAR), resident(mmu, DTLB)) == (0, 0, set())
    left = {row.name: register_value(mmu, row.name) for row in REGISTERS if register_value(mmu, row.name)}
    assert left == {"RAMBAR0": 0xFFFFF1BE, "RAMBAR1": 0xFFFFF1BE, "MBAR": 0xFFFC0000}
    for field in ("tag", "data", "plru", "barred", "valid", "rng", "stamp", "clock"):
        assert (mmu[field] == fresh[field]).all(), field


def test_reset_takes_from_a_rambar_its_valid_bit_only() -> None:
    # 5407UM 4-3.
    mmu = new_mmu()
    for number, value in ((0xC04, 0xA5A5A1A5), (0xC05, 0x5A5A501A)):
        api.write_control(mmu, number, value)
    api.reset(mmu)
    assert mmu[0]["rambar"].tolist() == [0xA5A5A1A4, 0x5A5A501A]
