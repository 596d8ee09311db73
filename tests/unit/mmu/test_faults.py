"""What a refused access leaves behind: FS, MMUAR, MMUSR, AA (sheet 1.6, 1.7, 1.13, 3.3, section 7 items 3-5, 8, 12)."""

import pytest

from emu.mmu import api
from emu.mmu.state import DTLB, FETCH, ITLB, READ, RMW, WRITE, new_mmu
from tests.unit.mmu.build import (
    MMUAR,
    MMUSR,
    SP,
    SUPERVISOR,
    USER,
    Mmu,
    R,
    W,
    X,
    aa,
    data,
    fill,
    get,
    put,
    tag,
    virtual_mode,
)

VA = 0x40001236
HIT, WF, RF, SPF = 0x02, 0x08, 0x10, 0x20


def registers(mmu: Mmu) -> tuple[int, int, int]:
    return get(mmu, MMUAR), get(mmu, MMUSR), aa(mmu)


@pytest.mark.parametrize(("kind", "status"), [(READ, 0b1110), (WRITE, 0b1010), (RMW, 0b1110)])
@pytest.mark.parametrize("supervisor", [USER, SUPERVISOR])
def test_data_miss(kind: int, status: int, supervisor: int) -> None:
    # Given a full DTLB, and an old status that must go
    mmu = virtual_mode()
    fill(mmu)
    put(mmu, MMUSR, 0x3A)
    # When
    result = api.access(mmu, VA, kind, supervisor)
    # Then: AA is the replacement choice (item 3), DTLB entry 0
    assert result == (status, VA)
    assert registers(mmu) == (VA, 0, 32)


@pytest.mark.parametrize(
    ("flags", "kind", "supervisor", "status", "cause"),
    [
        (R | W | SP, READ, USER, 0b1101, SPF),
        (R | W | SP, WRITE, USER, 0b1001, SPF),
        (R | W | SP, RMW, USER, 0b1101, SPF),
        (W, READ, USER, 0b1101, RF),
        (W, READ, SUPERVISOR, 0b1101, RF),
        (R, WRITE, USER, 0b1001, WF),
        (R, WRITE, SUPERVISOR, 0b1001, WF),
        # LNX traps.c: FS 1101 together with WF is a write protection fault of a read-modify-write.
        (R, RMW, USER, 0b1101, WF),
        (W, RMW, USER, 0b1101, RF),
        (0, RMW, USER, 0b1101, RF | WF),
        (SP, WRITE, USER, 0b1001, SPF | WF),
        (SP, WRITE, SUPERVISOR, 0b1001, WF),
        (SP, RMW, SUPERVISOR, 0b1101, RF | WF),
    ],
)
def test_data_violation(flags: int, kind: int, supervisor: int, status: int, cause: int) -> None:
    # Given
    mmu = virtual_mode()
    fill(mmu)
    api.load(mmu, DTLB, 11, tag(VA), data(0, flags=flags))
    # When
    result = api.access(mmu, VA, kind, supervisor)
    # Then: AA is the entry that hit
    assert result == (status, VA)
    assert registers(mmu) == (VA, HIT | cause, 32 + 11)


@pytest.mark.parametrize(("flags", "status"), [(None, 0b0101), (0, 0b0100), (SP | X, 0b0100)])
def test_instruction_faults_change_no_register(flags: int | None, status: int) -> None:
    # Given (items 4, 5, 13)
    mmu = virtual_mode()
    if flags is not None:
        api.load(mmu, ITLB, 0, tag(VA), data(0, flags=flags))
    api.access(mmu, 0x1000, READ, USER)
    put(mmu, MMUSR, 0x3A)
    before = registers(mmu)
    # When
    result = api.access(mmu, VA, FETCH, USER)
    # Then
    assert result == (status, VA)
    assert registers(mmu) == before


@pytest.mark.parametrize(
    ("protection", "kind", "status", "cause"),
    [
        (0x8, READ, 0b1101, SPF),
        (0x8, WRITE, 0b1001, SPF),
        (0x8, RMW, 0b1101, SPF),
        (0x4, WRITE, 0b1001, WF),
        (0x4, RMW, 0b1101, WF),
        (0xC, READ, 0b1101, SPF),
        (0xC, WRITE, 0b1001, SPF | WF),
    ],
)
@pytest.mark.parametrize("translating", [True, False])
def test_acr_violation(protection: int, kind: int, status: int, cause: int, translating: bool) -> None:
    # Given (item 12)
    mmu = virtual_mode() if translating else new_mmu()
    api.write_control(mmu, 0x004, 0x00FFC000 | protection)
    # When
    result = api.access(mmu, VA, kind, USER)
    # Then: HIT stays 0, AA is not touched
    assert result == (status, VA)
    assert registers(mmu) == (VA, cause, 0)


@pytest.mark.parametrize(
    # The same rule for the CACR defaults (DDSP, DW) and a write-protected RAMBAR.
    ("number", "value", "kind", "supervisor", "status", "cause"),
    [
        (0x002, 0x00800000, READ, USER, 0b1101, SPF),
        (0x002, 0x00800000, WRITE, USER, 0b1001, SPF),
        (0x002, 0x40000000, WRITE, SUPERVISOR, 0b1001, WF),
        (0x002, 0x40000000, WRITE, USER, 0b1001, WF),
        (0x002, 0x40800000, RMW, USER, 0b1101, SPF | WF),
        (0xC04, 0x40001101, WRITE, USER, 0b1001, WF),
        (0xC05, 0x40001101, RMW, SUPERVISOR, 0b1101, WF),
    ],
)
def test_violation_of_other_physical_sources(
    number: int, value: int, kind: int, supervisor: int, status: int, cause: int
) -> None:
    mmu = new_mmu()
    api.write_control(mmu, number, value)
    assert api.access(mmu, VA, kind, supervisor) == (status, VA)
    assert registers(mmu) == (VA, cause, 0)


def test_acr_fetch_violation() -> None:
    mmu = virtual_mode()
    api.write_control(mmu, 0x006, 0x00FFC008)
    assert api.access(mmu, VA, FETCH, USER) == (0b0100, VA)
    assert registers(mmu) == (0, 0, 0)


def test_refused_hit_does_not_touch_replacement() -> None:
    # Given (item 8) entry 0 is the next victim and forbids writing
    mmu = virtual_mode()
    fill(mmu, flags=R)
    assert api.victim(mmu, DTLB) == 0
    # When / Then
    api.access(mmu, 0, WRITE, USER)
    assert api.victim(mmu, DTLB) == 0
    api.access(mmu, 0, READ, USER)
    assert api.victim(mmu, DTLB) == 16


def test_permitted_hit_translates_and_leaves_the_fault_registers_alone() -> None:
    mmu = virtual_mode()
    fill(mmu)
    put(mmu, MMUSR, 0x3A)
    assert api.access(mmu, 3 << 13 | 0x123, RMW, USER) == (0, 0x10006123)
    assert registers(mmu) == (0, 0x3A, 0)


@pytest.mark.parametrize(
    ("number", "value", "kind"),
    # Everything in front of the TLB, and no translation at all (sheet 1.15): an ACR's number is no entry's.
    [
        (0x004, 0x00FFC000, READ),
        (0x005, 0x00FFC000, READ),
        (0x006, 0x00FFC000, FETCH),
        (0x007, 0x00FFC000, FETCH),
        (0xC04, 0x40001001, READ),
        (0xC05, 0x40001081, FETCH),
        (0x008, 0x40000001, READ),
        (0x008, 0x00000000, READ),
        (0x008, 0x00000000, FETCH),
    ],
)
def test_an_access_that_needs_no_entry_touches_none(number: int, value: int, kind: int) -> None:
    # Given full TLBs, whose replacement state any touch would change
    mmu = virtual_mode()
    for side in (ITLB, DTLB):
        fill(mmu, side)
        api.load(mmu, side, 9, tag(VA), data(0))
    api.load(mmu, ITLB if kind == FETCH else DTLB, 20, tag(0), data(0))
    api.write_control(mmu, number, value)
    before = mmu.copy()
    # When
    assert api.access(mmu, VA, kind, SUPERVISOR) == (0, VA)
    # Then
    assert (mmu == before).all()


def test_fetch_hit_touches_the_itlb_only() -> None:
    mmu = virtual_mode()
    fill(mmu, ITLB)
    fill(mmu, DTLB)
    assert api.access(mmu, 0, FETCH, USER) == (0, 0x10000000)
    assert (api.victim(mmu, ITLB), api.victim(mmu, DTLB)) == (16, 0)


def test_fault_is_what_a_refused_access_does() -> None:
    one, two = virtual_mode(), virtual_mode()
    assert api.fault(one, VA, WRITE, USER) == api.access(two, VA, WRITE, USER)[0]
    assert (one == two).all()
