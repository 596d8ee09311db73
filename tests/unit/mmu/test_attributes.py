"""Who answers for an address, and with which attributes: sheet 1.9, 1.11, 1.15, 2.2-2.4."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emu.mmu import api, attributes
from emu.mmu.attributes import ACR, MISS, PERM_R, PERM_W, PERM_X, PHYSICAL, RAMBAR0, RAMBAR1, TLB, WINDOW
from emu.mmu.state import DTLB, FETCH, ITLB, READ, RMW, WRITE, new_mmu
from tests.unit.mmu.build import (
    MMUBAR_BASE,
    MMUCR,
    SP,
    SUPERVISOR,
    USER,
    Mmu,
    R,
    W,
    X,
    data,
    put,
    tag,
    virtual_mode,
)

CACR, ACR0, MMUBAR, RAMBAR = 0x002, 0x004, 0x008, 0xC04
SOURCE, INDEX, PA, PERMS, MODE, PAGE = range(6)


def source(mmu: Mmu, va: int, kind: int = READ, supervisor: int = SUPERVISOR) -> int:
    return api.resolve(mmu, va, kind, supervisor)[SOURCE]


def test_numbers_of_sources_and_permissions() -> None:
    # The engine and traces use them: a block of SRAM is RAMBAR0 + its number, a miss is negative.
    assert (MISS, PHYSICAL, WINDOW, RAMBAR0, RAMBAR1, ACR, TLB) == (-1, 0, 1, 2, 3, 4, 5)
    assert (PERM_R, PERM_W, PERM_X) == (1, 2, 4)


def acr_answers(value: int, va: int, supervisor: int = SUPERVISOR) -> bool:
    mmu = new_mmu()
    api.write_control(mmu, ACR0, value)
    return source(mmu, va, READ, supervisor) == ACR


@pytest.mark.parametrize(
    # Sheet 2.3: the values Linux writes on m5475evb.
    ("value", "va", "supervisor", "answers"),
    [
        (0xFF00A048, 0xFF000000, SUPERVISOR, True),
        (0xFF00A048, 0xFFFFFFFF, SUPERVISOR, True),
        (0xFF00A048, 0xFEFFFFFF, SUPERVISOR, False),
        (0xFF00A048, 0xFF000000, USER, False),
        (0x0001A028, 0x00000000, SUPERVISOR, True),
        (0x0001A028, 0x01FFFFFF, SUPERVISOR, True),
        (0x0001A028, 0x02000000, SUPERVISOR, False),
        (0x0001A028, 0x00001000, USER, False),
        (0x00000000, 0x00000000, SUPERVISOR, False),
        # BAS: the 8-MB flash at 0xE0000000, AMM = 1, ADMSK 0x07.
        (0xE007C400, 0xE0000000, USER, True),
        (0xE007C400, 0xE07FFFFF, USER, True),
        (0xE007C400, 0xE0800000, USER, False),
        (0xE007C400, 0xE1000000, USER, False),
    ],
)
def test_acr_values_of_linux_and_bas(value: int, va: int, supervisor: int, answers: bool) -> None:
    assert acr_answers(value, va, supervisor) == answers


def test_acr_mask_with_a_hole_is_literal() -> None:
    # Sheet 2.3 and 7 item 34: AMM = 1 with ADMSK 0x0D is not "13 MB".
    matched = [mb for mb in range(16) if acr_answers(0xE00DC400, 0xE0000000 | mb << 20)]
    assert matched == [0, 1, 4, 5, 8, 9, 12, 13]


@given(base=st.integers(0, 255), mask=st.integers(0, 255), upper=st.integers(0, 255), rest=st.integers(0, 2**24 - 1))
def test_acr_mask_mode_0_bit_by_bit(base: int, mask: int, upper: int, rest: int) -> None:
    # AMM = 0: A[31:24] against BA wherever ADMSK has a 0.
    expected = all(mask >> bit & 1 or (base >> bit & 1) == (upper >> bit & 1) for bit in range(8))
    assert acr_answers(base << 24 | mask << 16 | 0xC000, upper << 24 | rest) == expected


@given(
    base=st.integers(0, 255),
    megabytes=st.integers(0, 15),
    mask=st.integers(0, 15),
    flip=st.integers(0, 7).map(lambda bit: 1 << bit) | st.just(0),
    address=st.integers(0, 15),
    rest=st.integers(0, 2**20 - 1),
)
def test_acr_mask_mode_1_bit_by_bit(base: int, megabytes: int, mask: int, flip: int, address: int, rest: int) -> None:
    # AMM = 1: A[31:24] exactly, A[23:20] against ACR[23:20] wherever ACR[19:16] has a 0.
    inside = all(mask >> bit & 1 or (megabytes >> bit & 1) == (address >> bit & 1) for bit in range(4))
    value = base << 24 | megabytes << 20 | mask << 16 | 0xC400
    assert acr_answers(value, (base ^ flip) << 24 | address << 20 | rest) == (inside and flip == 0)


@pytest.mark.parametrize(
    ("s_field", "user", "supervisor"),
    [(0b00, True, False), (0b01, False, True), (0b10, True, True), (0b11, True, True)],
)
def test_acr_mode_field(s_field: int, user: bool, supervisor: bool) -> None:
    value = 0x00FF8000 | s_field << 13
    assert (acr_answers(value, 0, USER), acr_answers(value, 0, SUPERVISOR)) == (user, supervisor)


def test_lower_numbered_acr_of_a_pair_wins_and_pairs_are_separate() -> None:
    # Given all four match everything, with different modes
    mmu = new_mmu()
    for number, mode in enumerate((0, 1, 2, 3)):
        api.write_control(mmu, ACR0 + number, 0x00FFC000 | mode << 5)
    # When / Then
    assert api.resolve(mmu, 0, READ, USER)[:2] == (ACR, 0)
    assert api.resolve(mmu, 0, FETCH, USER)[:2] == (ACR, 2)
    api.write_control(mmu, ACR0, 0)
    api.write_control(mmu, ACR0 + 2, 0)
    assert api.resolve(mmu, 0, WRITE, USER)[:2] == (ACR, 1)
    assert api.resolve(mmu, 0, FETCH, USER)[:2] == (ACR, 3)


@pytest.mark.parametrize(("mode", "data_mode", "fetch_mode"), [(0, 0, 0), (1, 1, 0), (2, 2, 2), (3, 3, 2)])
def test_cache_mode_of_acrs(mode: int, data_mode: int, fetch_mode: int) -> None:
    # Of an instruction ACR only the upper bit of CM counts (sheet 2.3).
    mmu = new_mmu()
    for number in range(4):
        api.write_control(mmu, ACR0 + number, 0x00FFC000 | mode << 5)
    assert api.resolve(mmu, 0, READ, USER)[MODE] == data_mode
    assert api.resolve(mmu, 0, FETCH, USER)[MODE] == fetch_mode


@pytest.mark.parametrize(
    ("protection", "supervisor", "read_write", "execute"),
    [
        (0, USER, PERM_R | PERM_W, PERM_X),
        (4, USER, PERM_R, PERM_X),
        (4, SUPERVISOR, PERM_R, PERM_X),
        (8, USER, 0, 0),
        (8, SUPERVISOR, PERM_R | PERM_W, PERM_X),
    ],
)
def test_acr_protection(protection: int, supervisor: int, read_write: int, execute: int) -> None:
    mmu = new_mmu()
    for number in range(4):
        api.write_control(mmu, ACR0 + number, 0x00FFC000 | protection)
    assert api.resolve(mmu, 0, READ, supervisor)[PERMS] == read_write
    assert api.resolve(mmu, 0, FETCH, supervisor)[PERMS] == execute


def test_resolution_order() -> None:
    """Sheet 1.15: each source, taken away, uncovers the next one."""
    # Given everything answers for the window's first page
    mmu = virtual_mode()
    va = MMUBAR_BASE
    api.load(mmu, DTLB, 0, tag(va), data(0))
    api.write_control(mmu, ACR0, 0x00FFC000)
    api.write_control(mmu, ACR0 + 1, 0x00FFC000)
    api.write_control(mmu, RAMBAR, va | 1)
    api.write_control(mmu, RAMBAR + 1, va | 1)
    # When / Then: item 14, a user access does not see the window
    assert source(mmu, va) == WINDOW
    assert source(mmu, va, READ, USER) == RAMBAR0
    assert source(mmu, va, FETCH) == MISS
    api.write_control(mmu, MMUBAR, 0xFD000001)
    assert source(mmu, va) == RAMBAR0
    api.write_control(mmu, RAMBAR, va)
    assert source(mmu, va) == RAMBAR1
    api.write_control(mmu, RAMBAR + 1, va)
    assert api.resolve(mmu, va, READ, SUPERVISOR)[:2] == (ACR, 0)
    api.write_control(mmu, ACR0, 0)
    assert api.resolve(mmu, va, READ, SUPERVISOR)[:2] == (ACR, 1)
    api.write_control(mmu, ACR0 + 1, 0)
    assert source(mmu, va) == TLB
    api.load(mmu, DTLB, 0, 0, 0)
    assert source(mmu, va) == MISS
    put(mmu, MMUCR, 0)
    assert source(mmu, va) == PHYSICAL


def test_window_is_64_kb_of_supervisor_data() -> None:
    mmu = new_mmu()
    api.write_control(mmu, MMUBAR, MMUBAR_BASE | 1)
    assert source(mmu, MMUBAR_BASE + 0xFFFF) == WINDOW
    assert source(mmu, MMUBAR_BASE + 0x10000) == PHYSICAL
    assert source(mmu, MMUBAR_BASE - 1) == PHYSICAL
    assert api.resolve(mmu, MMUBAR_BASE + 4, WRITE, SUPERVISOR) == (
        WINDOW,
        0,
        MMUBAR_BASE + 4,
        PERM_R | PERM_W,
        attributes.CM_INHIBITED_PRECISE,
        12,
    )


def test_enable_without_a_valid_window_does_not_translate() -> None:
    # Sheet 7 item 11.
    mmu = virtual_mode()
    api.write_control(mmu, MMUBAR, MMUBAR_BASE)
    assert source(mmu, 0x1000) == PHYSICAL


def test_only_en_translates() -> None:
    # CF4UM 10-13: ASM alone is no virtual mode.
    mmu = virtual_mode()
    put(mmu, MMUCR, 2)
    assert source(mmu, 0x1000) == PHYSICAL


def test_a_base_without_its_valid_bit_answers_for_nothing() -> None:
    # Sheet 1.2, 2.3, 2.4: V of MMUBAR and RAMBAR, E of an ACR.
    mmu = new_mmu()
    api.write_control(mmu, MMUBAR, MMUBAR_BASE)
    api.write_control(mmu, RAMBAR, MMUBAR_BASE)
    api.write_control(mmu, ACR0, 0x00FF6000)
    assert source(mmu, MMUBAR_BASE) == PHYSICAL


@pytest.mark.parametrize(
    ("rambar", "kind", "perms"),
    [(0x01, READ, PERM_R | PERM_W), (0x01, WRITE, PERM_R | PERM_W), (0x101, RMW, PERM_R), (0x81, FETCH, PERM_X)],
)
@pytest.mark.parametrize("block", [0, 1])
def test_core_sram_is_physical_and_not_cached(rambar: int, kind: int, perms: int, block: int) -> None:
    mmu = new_mmu()
    api.write_control(mmu, RAMBAR + block, 0x20000000 | rambar)
    assert api.resolve(mmu, 0x20000123, kind, USER) == (RAMBAR0 + block, 0, 0x20000123, perms, 0, 12)


def test_core_sram_is_on_one_bus() -> None:
    # Sheet 2.4: D/I.
    mmu = new_mmu()
    api.write_control(mmu, RAMBAR, 0x20000081)
    assert [source(mmu, 0x20000000, kind) for kind in (READ, WRITE, FETCH)] == [PHYSICAL, PHYSICAL, RAMBAR0]
    api.write_control(mmu, RAMBAR, 0x20000001)
    assert [source(mmu, 0x20000000, kind) for kind in (READ, WRITE, FETCH)] == [RAMBAR0, RAMBAR0, PHYSICAL]


@pytest.mark.parametrize("kind", [READ, WRITE, FETCH, RMW])
def test_a_miss_permits_nothing(kind: int) -> None:
    assert api.resolve(virtual_mode(), 0x1234, kind, SUPERVISOR) == (MISS, 0, 0x1234, 0, 0, 12)


@pytest.mark.parametrize(
    ("mask", "kind", "supervisor"),
    [(0x02, READ, USER), (0x04, FETCH, USER), (0x08, WRITE, SUPERVISOR), (0x10, FETCH, SUPERVISOR)],
)
def test_rambar_mask_bit_hides_one_kind_of_access(mask: int, kind: int, supervisor: int) -> None:
    # Given a block on the bus of this kind of access
    bus = 0x80 if kind == FETCH else 0
    mmu = new_mmu()
    api.write_control(mmu, RAMBAR, 0x20000000 | bus | 1)
    assert source(mmu, 0x20000FFC, kind, supervisor) == RAMBAR0
    # When only the others are masked, then it still answers; with its own bit it does not
    api.write_control(mmu, RAMBAR, 0x20000000 | bus | 0x3E & ~mask | 1)
    assert source(mmu, 0x20000FFC, kind, supervisor) == RAMBAR0
    api.write_control(mmu, RAMBAR, 0x20000000 | bus | mask | 1)
    assert source(mmu, 0x20000FFC, kind, supervisor) == PHYSICAL


def test_rambar_of_bas_is_supervisor_data_only_and_4_kb() -> None:
    # BAS bas.lk.in and startcf: 0xFF100000 + 7.
    mmu = new_mmu()
    api.write_control(mmu, RAMBAR, 0xFF100007)
    assert source(mmu, 0xFF100FFF, WRITE, SUPERVISOR) == RAMBAR0
    assert source(mmu, 0xFF101000, WRITE, SUPERVISOR) == PHYSICAL
    assert source(mmu, 0xFF100000, WRITE, USER) == PHYSICAL
    assert source(mmu, 0xFF100000, FETCH, SUPERVISOR) == PHYSICAL


def test_rambar_write_protect() -> None:
    mmu = new_mmu()
    api.write_control(mmu, RAMBAR + 1, 0x20000101)
    assert api.resolve(mmu, 0x20000000, READ, USER)[PERMS] == PERM_R


@pytest.mark.parametrize(
    ("cacr", "kind", "supervisor", "perms", "mode"),
    [
        (0, READ, USER, PERM_R | PERM_W, 0),
        (0x06000000, READ, USER, PERM_R | PERM_W, 3),
        (0x40000000, READ, SUPERVISOR, PERM_R, 0),
        (0x00800000, WRITE, USER, 0, 0),
        (0x00800000, WRITE, SUPERVISOR, PERM_R | PERM_W, 0),
        (0x00000400, FETCH, USER, PERM_X, 2),
        (0x00000080, FETCH, USER, 0, 0),
        (0x00000080, FETCH, SUPERVISOR, PERM_X, 0),
        (0xA4088020, READ, SUPERVISOR, PERM_R | PERM_W, 2),  # Linux: DDCM = 10
    ],
)
def test_cacr_defaults_while_the_mmu_is_off(cacr: int, kind: int, supervisor: int, perms: int, mode: int) -> None:
    mmu = new_mmu()
    api.write_control(mmu, CACR, cacr)
    assert api.resolve(mmu, 0x1000, kind, supervisor) == (PHYSICAL, 0, 0x1000, perms, mode, 12)


def test_cacr_defaults_are_never_used_while_the_mmu_is_on() -> None:
    mmu = virtual_mode()
    api.write_control(mmu, CACR, 0x46000000)
    api.load(mmu, DTLB, 0, tag(0), data(0, flags=R | W, mode=1))
    assert api.resolve(mmu, 0, READ, USER)[PERMS:PAGE] == (PERM_R | PERM_W, 1)


@pytest.mark.parametrize("bits", [10, 12, 13, 20])
def test_physical_address_takes_the_bits_below_the_page_size_from_the_va(bits: int) -> None:
    # Given PA bits below the page size that must be ignored (sheet 1.9)
    mmu = virtual_mode()
    api.load(mmu, DTLB, 5, tag(0x12345C00), data(0xABCDEC00, bits))
    offset = (1 << bits) - 1
    va = 0x12345C00 & ~offset | 0x9ABCDEF3 & offset
    # When / Then
    expected = 0xABCDEC00 & ~offset | va & offset
    assert api.resolve(mmu, va, READ, USER) == (TLB, 5, expected, PERM_R | PERM_W, 0, bits)


@pytest.mark.parametrize("quarter", range(4))
@pytest.mark.parametrize("bits", [12, 13, 20])
@pytest.mark.parametrize("va", [0x12341000, 0x12342000])
def test_a_page_holds_only_where_no_entry_lies_in_front_of_it(va: int, bits: int, quarter: int) -> None:
    # Given (sheet 7 item 7) a 1-KB page over a part of a larger one: in front of it, then behind it
    for number, found, page in ((4, 4, 10), (12, 9, bits)):
        mmu = virtual_mode()
        api.load(mmu, DTLB, 9, tag(va), data(0, bits))
        api.load(mmu, DTLB, number, tag(va | quarter << 10), data(0, 10))
        # When / Then: the quarters of 4 KB are answered for one by one, or all of the page at once
        for other in range(4):
            resolved = api.resolve(mmu, va | other << 10 | 0x155, READ, USER)
            assert (resolved[INDEX], resolved[PAGE]) == (found if other == quarter else 9, page)
        if bits > 12:
            assert api.resolve(mmu, va ^ 1 << 12, READ, USER)[PAGE] == bits


@pytest.mark.parametrize("flags", [R, W, R | W, SP | R, SP | W, SP | R | W, 0, SP])
@pytest.mark.parametrize("supervisor", [USER, SUPERVISOR])
def test_permissions_of_a_data_entry(flags: int, supervisor: int) -> None:
    mmu = virtual_mode()
    api.load(mmu, DTLB, 0, tag(0), data(0, flags=flags))
    allowed = supervisor or not flags & SP
    expected = (PERM_R if flags & R and allowed else 0) | (PERM_W if flags & W and allowed else 0)
    assert api.resolve(mmu, 0, READ, supervisor)[PERMS] == expected


@pytest.mark.parametrize("flags", [0, X, SP, SP | X])
@pytest.mark.parametrize("supervisor", [USER, SUPERVISOR])
def test_permissions_of_an_instruction_entry(flags: int, supervisor: int) -> None:
    mmu = virtual_mode()
    api.load(mmu, ITLB, 0, tag(0), data(0, flags=flags | R | W))
    allowed = flags & X and (supervisor or not flags & SP)
    assert api.resolve(mmu, 0, FETCH, supervisor)[PERMS] == (PERM_X if allowed else 0)


@pytest.mark.parametrize(("mode", "fetch_mode"), [(0, 0), (1, 0), (2, 2), (3, 2)])
def test_cache_mode_of_entries(mode: int, fetch_mode: int) -> None:
    mmu = virtual_mode()
    for side in (ITLB, DTLB):
        api.load(mmu, side, 0, tag(0), data(0, mode=mode))
    assert api.resolve(mmu, 0, READ, USER)[MODE] == mode
    assert api.resolve(mmu, 0, FETCH, USER)[MODE] == fetch_mode


@pytest.mark.parametrize(
    ("kind", "sufficient"),
    [
        (READ, {1, 3, 5, 7}),
        (WRITE, {2, 3, 6, 7}),
        (FETCH, {4, 5, 6, 7}),
        (RMW, {3, 7}),  # R=0 or W=0, detected at the read (sheet 1.11)
    ],
)
def test_permits(kind: int, sufficient: set[int]) -> None:
    assert {perms for perms in range(8) if api.permits(perms, kind)} == sufficient


@given(va=st.integers(0, 2**32 - 1), kind=st.sampled_from([READ, WRITE, FETCH, RMW]), supervisor=st.integers(0, 1))
def test_resolve_is_pure(va: int, kind: int, supervisor: int) -> None:
    mmu = virtual_mode()
    api.write_control(mmu, ACR0, 0x007FA000)
    api.load(mmu, DTLB, 0, tag(0x80000000), data(0, 20))
    before = mmu.copy()
    api.resolve(mmu, va, kind, supervisor)
    assert (mmu == before).all()
