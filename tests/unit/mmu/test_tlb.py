"""Matching, loading and clearing entries: sheet 1.8-1.10 and 1.5."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emu.mmu import api
from emu.mmu.dump import dump_tlb, entry_line
from emu.mmu.state import DTLB, FETCH, ITLB, READ, WARN_OVERLAP, new_mmu
from tests.unit.mmu.build import (
    LK,
    MMUCR,
    SP,
    SUPERVISOR,
    USER,
    Mmu,
    R,
    W,
    X,
    data,
    fill,
    put,
    resident,
    tag,
    virtual_mode,
)

VA = 0x12345678
BITS = st.sampled_from([10, 12, 13, 20])
ADDRESS = st.integers(0, 2**32 - 1)


@pytest.mark.parametrize("bits", [10, 12, 13, 20])
@pytest.mark.parametrize("flipped", range(32))
def test_a_page_compares_exactly_the_bits_above_its_size(bits: int, flipped: int) -> None:
    mmu = new_mmu()
    api.load(mmu, DTLB, 7, tag(VA), data(0, bits))
    assert api.match(mmu, DTLB, VA ^ 1 << flipped, USER) == (-1 if flipped >= bits else 7)


@pytest.mark.parametrize("flipped", range(8))
def test_every_bit_of_the_asid_is_compared(flipped: int) -> None:
    mmu = new_mmu()
    api.load(mmu, DTLB, 0, tag(VA, asid=0xA5), data(0))
    api.write_control(mmu, 0x003, 0xA5)
    assert api.match(mmu, DTLB, VA, USER) == 0
    api.write_control(mmu, 0x003, 0xA5 ^ 1 << flipped)
    assert api.match(mmu, DTLB, VA, USER) == -1


@pytest.mark.parametrize(
    # CF4UM table 10-5: who sees an entry of address space ``entry_id`` while ASID = 5.
    ("asm", "privilege", "entry_id", "shared", "seen"),
    [
        (0, USER, 5, False, True),
        (0, USER, 6, False, False),
        (0, USER, 6, True, True),
        (0, SUPERVISOR, 5, False, True),
        (0, SUPERVISOR, 6, False, False),
        (0, SUPERVISOR, 6, True, True),
        (0, SUPERVISOR, 0, False, False),
        (1, USER, 5, False, True),
        (1, USER, 0, False, False),
        (1, USER, 6, True, True),
        (1, USER, 0, True, True),
        (1, SUPERVISOR, 0, False, True),
        (1, SUPERVISOR, 0, True, True),
        (1, SUPERVISOR, 5, False, False),
        (1, SUPERVISOR, 6, True, False),  # SG is not considered
    ],
)
def test_address_space_rule(asm: int, privilege: int, entry_id: int, shared: bool, seen: bool) -> None:
    mmu = virtual_mode()
    put(mmu, MMUCR, 1 | asm << 1)
    api.write_control(mmu, 0x003, 5)
    api.load(mmu, DTLB, 3, tag(VA, asid=entry_id, shared=shared), data(0))
    assert api.match(mmu, DTLB, VA, privilege) == (3 if seen else -1)


def test_an_invalid_entry_never_matches() -> None:
    mmu = new_mmu()
    api.load(mmu, DTLB, 0, tag(VA, valid=False), data(0))
    assert api.match(mmu, DTLB, VA, USER) == -1


def test_permissions_take_no_part_in_matching() -> None:
    mmu = new_mmu()
    api.load(mmu, DTLB, 0, tag(VA), data(0, flags=SP))
    assert api.match(mmu, DTLB, VA, USER) == 0


def test_lowest_of_several_matches_answers_and_the_load_warned() -> None:
    # Given (sheet 7 item 7) a 1-MB page laid over an 8-KB page of the same space
    mmu = new_mmu()
    api.load(mmu, DTLB, 9, tag(VA), data(0, 13))
    assert mmu[0]["warning_count"][WARN_OVERLAP] == 0
    # When
    api.load(mmu, DTLB, 4, tag(VA), data(0, 20))
    # Then
    assert api.match(mmu, DTLB, VA, USER) == 4
    assert mmu[0]["warning_count"][WARN_OVERLAP] == 1


@pytest.mark.parametrize(
    ("first", "second", "overlap"),
    [
        (tag(VA, asid=1), tag(VA, asid=2), False),
        (tag(VA, asid=1), tag(VA, asid=2, shared=True), True),
        (tag(VA, asid=1), tag(VA + 0x2000, asid=1), False),
        (tag(VA, asid=1), tag(VA, asid=1, valid=False), False),
        (tag(VA, asid=1, valid=False), tag(VA, asid=1), False),
        (tag(VA, asid=1, shared=True), tag(VA, asid=2), True),
        (tag(VA, asid=1, shared=True), tag(VA, asid=2, shared=True), True),
    ],
)
def test_only_entries_that_one_access_can_match_overlap(first: int, second: int, overlap: bool) -> None:
    mmu = new_mmu()
    api.load(mmu, DTLB, 0, first, data(0))
    api.load(mmu, DTLB, 1, second, data(0))
    assert bool(mmu[0]["warning_count"][WARN_OVERLAP]) == overlap


@pytest.mark.parametrize(("first", "second"), [(13, 20), (20, 13), (10, 12), (12, 10), (20, 10)])
def test_pages_of_two_sizes_overlap_if_the_smaller_lies_in_the_larger(first: int, second: int) -> None:
    larger = max(first, second)
    for inside, va in ((True, VA ^ 1 << larger - 1), (False, VA ^ 1 << larger)):
        mmu = new_mmu()
        api.load(mmu, ITLB, 30, tag(VA), data(0, first))
        api.load(mmu, ITLB, 31, tag(va), data(0, second))
        assert mmu[0]["warning_count"][WARN_OVERLAP] == inside
        assert mmu[0]["warnings"] == inside << WARN_OVERLAP


def test_the_two_tlbs_are_separate() -> None:
    mmu = virtual_mode()
    api.load(mmu, DTLB, 0, tag(VA), data(0, flags=R | W))
    assert api.match(mmu, ITLB, VA, USER) == -1
    assert api.access(mmu, VA & ~1, FETCH, USER)[0] == 0b0101
    assert api.access(mmu, VA & ~3, READ, USER)[0] == 0


def test_fields_that_a_side_has_not_read_back_zero() -> None:
    # CF4UM 10-17: no R, W, CM0 in the ITLB; no X in the DTLB (sheet 1.9). Bit 0 of MMUDR exists in neither.
    mmu = new_mmu()
    everything = 0xFFFFFFFF
    for side in (ITLB, DTLB):
        api.load(mmu, side, 0, -1, -1)  # more than 32 bits
    assert api.read_entry(mmu, ITLB, 0) == (everything, everything & ~(R | W | 0x40 | 1))
    assert api.read_entry(mmu, DTLB, 0) == (everything, everything & ~(X | 1))


def test_low_va_bits_of_a_large_page_are_kept_for_readback() -> None:
    # Sheet 7 item 20.
    mmu = new_mmu()
    api.load(mmu, DTLB, 0, tag(0x123FFC00), data(0, 20))
    assert api.read_entry(mmu, DTLB, 0)[0] == tag(0x123FFC00)
    assert api.match(mmu, DTLB, 0x12300000, USER) == 0


def test_a_load_reports_what_it_replaced() -> None:
    mmu = new_mmu()
    api.load(mmu, DTLB, 6, tag(VA), data(0x2000, flags=R))
    api.load(mmu, DTLB, 6, tag(0), data(0))
    assert mmu[0]["changed_index"] == 6
    assert mmu[0]["old_tag"] == tag(VA)
    assert mmu[0]["old_data"] == data(0x2000, flags=R)


def test_dump_shows_raw_images_fields_and_the_next_victim() -> None:
    # Given
    mmu = new_mmu()
    fill(mmu)
    api.load(mmu, DTLB, 1, tag(VA, asid=0xAB, shared=True), data(0x00400000, 20, flags=SP | R | LK, mode=2))
    before = mmu.copy()
    # When
    lines = dump_tlb(mmu, DTLB).splitlines()
    # Then
    assert lines[2] == " 33  123456AF 004000B2  VA 12345400 1M ASID AB shared -> PA 00400000 CM=2 SR--L"
    assert [line.endswith("<- next") for line in lines[1:]] == [index == 16 for index in range(32)]
    assert dump_tlb(mmu, ITLB).splitlines()[5].endswith("invalid")
    assert (mmu == before).all()


@pytest.mark.parametrize(
    ("address", "tag_", "data_", "line"),
    [
        (7, 0x12345401, 0x0040001C, "  7  12345401 0040001C  VA 12345400 1M ASID 00        -> PA 00400000 CM=0 -RWX-"),
        (7, 0x123454FD, 0x00400122, "  7  123454FD 00400122  VA 12345400 4K ASID 3F        -> PA 00400000 CM=0 S---L"),
        (63, 0xFFFFFC03, 0xFFFFFED0, " 63  FFFFFC03 FFFFFED0  VA FFFFFC00 8K ASID 00 shared -> PA FFFFFC00 CM=3 -R---"),
        (
            101,
            0x00000003,
            0x00000348,
            "101  00000003 00000348  VA 00000000 1K ASID 00 shared -> PA 00000000 CM=1 --W--",
        ),
        (7, 0x123454FC, 0x0000001C, "  7  123454FC 0000001C  invalid"),
        (101, 0x00000002, 0x12345400, "101  00000002 12345400  invalid"),
    ],
)
def test_line_of_an_entry(address: int, tag_: int, data_: int, line: str) -> None:
    assert entry_line(address, tag_, data_) == line


def test_dump_of_other_sizes_and_while_all_are_locked() -> None:
    # Given a DTLB whose addresses start at 64, and an ITLB that is locked whole
    mmu = new_mmu(itlb_entries=3, dtlb_entries=33)
    for index in range(3):
        api.load(mmu, ITLB, index, tag(VA + (index << 13)), data(0, flags=LK))
    before = mmu.copy()
    # When
    itlb, dtlb = dump_tlb(mmu, ITLB).splitlines(), dump_tlb(mmu, DTLB).splitlines()
    # Then: no warning is counted
    assert [itlb[0], dtlb[0]] == ["ITLB", "DTLB"]
    assert [line.split()[0] for line in itlb[1:]] == ["0", "1", "2"]
    assert [int(line.split()[0]) for line in dtlb[1:]] == list(range(64, 97))
    assert dtlb[1] == " 64  00000000 00000000  invalid  <- next"
    assert sum("<- next" in line for line in itlb) == 1
    assert (mmu == before).all()


ENTRY = st.tuples(
    st.sampled_from([0x10000000, 0x10002000, 0x10100000]), st.integers(0, 2), st.booleans(), BITS, st.booleans()
)


def load_all(mmu: Mmu, entries: dict[int, tuple[int, int, bool, int, bool]]) -> None:
    for index, (va, asid, shared, bits, locked) in entries.items():
        api.load(mmu, DTLB, index, tag(va, asid, shared), data(0, bits, LK if locked else 0))


@given(
    entries=st.dictionaries(st.integers(0, 31), ENTRY, max_size=8),
    target=ENTRY,
    index=st.integers(0, 31),
    offset=st.integers(0, 0x3FF),
)
def test_match_does_not_depend_on_entries_that_do_not_match(
    entries: dict[int, tuple[int, int, bool, int, bool]],
    target: tuple[int, int, bool, int, bool],
    index: int,
    offset: int,
) -> None:
    # Given one entry alone and its answer
    alone = new_mmu()
    load_all(alone, {index: target})
    va = target[0] + offset
    asid = target[1]
    api.write_control(alone, 0x003, asid)
    assert api.match(alone, DTLB, va, USER) == index
    # When others join that do not match this access
    crowd = new_mmu()
    api.write_control(crowd, 0x003, asid)
    strangers = {n: e for n, e in entries.items() if e[0] >> e[3] != va >> e[3] or (e[1] != asid and not e[2])}
    load_all(crowd, strangers | {index: target})
    # Then
    assert api.match(crowd, DTLB, va, USER) == index


@given(entries=st.dictionaries(st.integers(0, 31), ENTRY, max_size=12))
def test_the_valid_count_follows_the_entries(entries: dict[int, tuple[int, int, bool, int, bool]]) -> None:
    mmu = new_mmu()
    load_all(mmu, entries)
    assert mmu[0]["valid"][DTLB] == len(resident(mmu, DTLB)) == len(entries)
