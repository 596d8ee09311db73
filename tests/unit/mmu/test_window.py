"""The register window: masks, sizes, and MMUOR's operations and their order (sheet 1.3-1.7, 7 items 1-2, 9, 15-19)."""

import pytest

from emu.mmu import api
from emu.mmu.state import (
    DTLB,
    EFFECT_ALL,
    EFFECT_DTLB,
    EFFECT_ITLB,
    EFFECT_NONE,
    ITLB,
    READ,
    WARN_CAS_READING,
    WARN_NO_SUCH_ENTRY,
    WARN_WINDOW_ACCESS,
    WARN_WINDOW_RESERVED,
    new_mmu,
)
from tests.unit.mmu.build import (
    LK,
    MMUAR,
    MMUCR,
    MMUDR,
    MMUOR,
    MMUSR,
    MMUTR,
    USER,
    Mmu,
    R,
    W,
    aa,
    data,
    fill,
    get,
    put,
    resident,
    tag,
    virtual_mode,
)

CA, CNL, CAS, STLB = 0x080, 0x040, 0x020, 0x100
REFILL_DATA, REFILL_CODE = 0x003, 0x013
VA = 0x40002000


def set_entry_registers(mmu: Mmu, va: int, pa: int = 0, flags: int = R | W) -> None:
    put(mmu, MMUTR, tag(va))
    put(mmu, MMUDR, data(pa, flags=flags))


@pytest.mark.parametrize(
    ("offset", "kept"),
    [(MMUCR, 0x3), (MMUSR, 0x3A), (MMUAR, 0xFFFFFFFF), (MMUTR, 0xFFFFFFFF), (MMUDR, 0xFFFFFFFE)],
)
def test_registers_keep_their_bits(offset: int, kept: int) -> None:
    mmu = new_mmu()
    put(mmu, offset, 0xFFFFFFFF)
    assert get(mmu, offset) == kept
    assert put(mmu, offset, 0) == (EFFECT_ALL if offset == MMUCR else EFFECT_NONE)
    assert get(mmu, offset) == 0


def test_mmuor_reads_aa_and_the_modifiers_only() -> None:
    mmu = new_mmu()
    put(mmu, MMUOR, 0xFFFFFFFF)
    assert get(mmu, MMUOR) & 0x01E3 == 0
    put(mmu, MMUOR, 0xFFFF0000 | 0x1C)
    assert get(mmu, MMUOR) & 0xFFFF == 0x1C


@pytest.mark.parametrize("modifiers", [0x00, 0x04, 0x08, 0x10, 0x14, 0x18, 0x1C])
def test_modifiers_are_kept_and_do_nothing(modifiers: int) -> None:
    # Given a status and an AA that a search or an allocation would change
    mmu = virtual_mode()
    fill(mmu)
    put(mmu, MMUAR, 7 << 13)
    put(mmu, MMUOR, STLB)
    put(mmu, MMUSR, 0x3A)
    set_entry_registers(mmu, VA)
    before = mmu.copy()
    # When
    assert put(mmu, MMUOR, modifiers) == EFFECT_NONE
    # Then
    assert get(mmu, MMUOR) == (32 + 7) << 16 | modifiers
    before[0]["mmuor"] = modifiers
    assert (mmu == before).all()


@pytest.mark.parametrize("side", [ITLB, DTLB])
def test_allocation_alone_changes_aa_alone(side: int) -> None:
    mmu = virtual_mode()
    fill(mmu, side)
    put(mmu, MMUSR, 0x3A)
    before = mmu.copy()
    assert put(mmu, MMUOR, 0x001 | (0x10 if side == ITLB else 0)) == EFFECT_NONE
    assert aa(mmu) == 32 * side
    before[0]["aa"], before[0]["mmuor"] = 32 * side, 0x10 if side == ITLB else 0
    assert (mmu == before).all()


@pytest.mark.parametrize("offset", [0x0C, 0x1C, 0x20, 0xFFFC])
def test_reserved_offsets_read_zero_and_ignore_writes(offset: int) -> None:
    mmu = new_mmu()
    assert put(mmu, offset, 0xFFFFFFFF) == EFFECT_NONE
    assert get(mmu, offset) == 0
    assert mmu[0]["warning_count"][WARN_WINDOW_RESERVED] == 2
    # Either half of it, too
    for half in (offset, offset + 2):
        assert api.write_window(mmu, half, 2, 0xFFFF) == EFFECT_NONE
        assert api.read_window(mmu, half, 2) == 0
    assert mmu[0]["warning_count"].tolist() == [0, 0, 0, 0, 6, 0, 0, 0]


@pytest.mark.parametrize(("offset", "size"), [(0x10, 1), (0x13, 1), (0x11, 2), (0x12, 4), (0x11, 4)])
def test_byte_and_unaligned_accesses_do_nothing_but_warn(offset: int, size: int) -> None:
    # Given (item 15)
    mmu = new_mmu()
    put(mmu, MMUAR, 0x12345678)
    # When
    effect = api.write_window(mmu, offset, size, 0xFFFFFFFF)
    value = api.read_window(mmu, offset, size)
    # Then
    assert (effect, value, get(mmu, MMUAR)) == (EFFECT_NONE, 0, 0x12345678)
    assert mmu[0]["warning_count"][WARN_WINDOW_ACCESS] == 2


def test_warnings_add_up() -> None:
    mmu = new_mmu()
    for offset, size, word in ((0x10, 1, 0), (0x0C, 4, 0), (0x10, 1, 0), (MMUTR, 4, 1 << 2), (MMUOR, 4, CAS)):
        api.write_window(mmu, offset, size, word)
    assert mmu[0]["warnings"] == 1 << WARN_WINDOW_ACCESS | 1 << WARN_WINDOW_RESERVED | 1 << WARN_CAS_READING
    assert mmu[0]["warning_count"].tolist() == [1, 0, 0, 2, 1, 0, 0, 0]


@pytest.mark.parametrize("offset", [MMUAR, MMUTR, MMUDR])
def test_halves_of_a_register(offset: int) -> None:
    mmu = new_mmu()
    put(mmu, offset, 0x1234567A)
    assert api.read_window(mmu, offset, 2) == 0x1234
    assert api.read_window(mmu, offset + 2, 2) == 0x567A
    api.write_window(mmu, offset, 2, 0xABCD)
    assert get(mmu, offset) == 0xABCD567A
    api.write_window(mmu, offset + 2, 2, 0xEF02)
    assert get(mmu, offset) == 0xABCDEF02
    assert mmu[0]["warnings"] == 0


def test_every_bit_of_a_half_is_read_and_written() -> None:
    mmu = new_mmu()
    for bit in range(16):
        for half in (0, 2):
            put(mmu, MMUAR, 0)
            api.write_window(mmu, MMUAR + half, 2, 1 << bit)
            assert get(mmu, MMUAR) == 1 << bit + 16 - 8 * half
            assert api.read_window(mmu, MMUAR + half, 2) == 1 << bit
            assert api.read_window(mmu, MMUAR + 2 - half, 2) == 0
            put(mmu, MMUAR, 0xFFFFFFFF)
            api.write_window(mmu, MMUAR + half, 2, 0xFFFF ^ 1 << bit)
            assert get(mmu, MMUAR) == 0xFFFFFFFF ^ 1 << bit + 16 - 8 * half


@pytest.mark.parametrize(("size", "offset"), [(4, MMUAR), (2, MMUAR), (2, MMUAR + 2)])
def test_bits_beyond_the_size_of_a_write_do_not_count(size: int, offset: int) -> None:
    one, other = new_mmu(), new_mmu()
    for mmu, value in ((one, 0x5A5A5A5A & (1 << 8 * size) - 1), (other, 0x5A5A5A5A - (1 << 8 * size))):
        put(mmu, MMUAR, 0x01020304)
        api.write_window(mmu, offset, size, value)
    assert get(one, MMUAR) == get(other, MMUAR)


def test_low_half_of_mmuor_starts_operations_and_the_upper_half_none() -> None:
    # Given one toolchain header's 16-bit MMUOR at 0x006 (sheet 1.2)
    mmu = new_mmu()
    set_entry_registers(mmu, VA)
    # When / Then
    assert api.write_window(mmu, MMUOR, 2, 0xFFFF) == EFFECT_NONE
    assert resident(mmu, DTLB) == set()
    assert api.write_window(mmu, MMUOR + 2, 2, REFILL_DATA) == EFFECT_DTLB
    assert resident(mmu, DTLB) == {0}


@pytest.mark.parametrize(
    ("before", "after", "effect"), [(0, 1, EFFECT_ALL), (1, 3, EFFECT_ALL), (1, 0, EFFECT_ALL), (3, 3, EFFECT_NONE)]
)
def test_effect_of_mmucr(before: int, after: int, effect: int) -> None:
    mmu = new_mmu()
    put(mmu, MMUCR, before)
    assert put(mmu, MMUCR, after) == effect


@pytest.mark.parametrize(
    ("word", "side", "effect", "base"), [(REFILL_DATA, DTLB, EFFECT_DTLB, 32), (REFILL_CODE, ITLB, EFFECT_ITLB, 0)]
)
def test_linux_refill_words_allocate_before_they_write(word: int, side: int, effect: int, base: int) -> None:
    # Given AA still holds a DTLB address from a data miss (item 1)
    mmu = virtual_mode()
    fill(mmu, side)
    api.access(mmu, VA, READ, USER)
    # When two refills follow each other
    chosen = []
    for page in range(2):
        set_entry_registers(mmu, VA + (page << 13))
        assert put(mmu, MMUOR, word) == effect
        chosen.append(aa(mmu))
    # Then they went to the sheet's first two victims
    assert chosen == [base, base + 16]
    assert api.match(mmu, side, VA, USER) == 0
    assert api.match(mmu, side, VA + 0x2000, USER) == 16
    assert (mmu[0]["changed_index"], mmu[0]["old_tag"]) == (16, tag(16 << 13))


def test_acc_writes_the_entry_that_aa_names() -> None:
    mmu = new_mmu()
    put(mmu, MMUOR, 0x001)
    set_entry_registers(mmu, VA, 0x10000)
    assert put(mmu, MMUOR, 0x002) == EFFECT_DTLB
    assert api.read_entry(mmu, DTLB, 0) == (tag(VA), data(0x10000, flags=R | W))


@pytest.mark.parametrize(("address", "side", "index"), [(5, ITLB, 5), (31, ITLB, 31), (32, DTLB, 0), (63, DTLB, 31)])
def test_adr_takes_the_tlb_address_from_mmuar(address: int, side: int, index: int) -> None:
    # Given upper bits that are ignored (CF4UM 10-20); the ITLB modifier plays no part
    mmu = new_mmu()
    put(mmu, MMUAR, 0xFFFFFFC0 | address)
    set_entry_registers(mmu, VA)
    # When / Then
    assert put(mmu, MMUOR, 0x00A) == (EFFECT_ITLB if side == ITLB else EFFECT_DTLB)
    assert resident(mmu, side) == {index}
    put(mmu, MMUTR, 0)
    put(mmu, MMUDR, 0)
    assert put(mmu, MMUOR, 0x00E) == EFFECT_NONE
    assert get(mmu, MMUTR) == tag(VA)


def test_bas_search_and_read() -> None:
    # Given (sheet 1.5) word 0x106: search first, then read the found entry
    mmu = virtual_mode()
    fill(mmu)
    put(mmu, MMUAR, 7 << 13)
    # When
    assert put(mmu, MMUOR, 0x106) == EFFECT_NONE
    # Then
    assert (get(mmu, MMUTR), get(mmu, MMUDR)) == (tag(7 << 13), data(0x1000E000, flags=R | W))
    assert (get(mmu, MMUSR), aa(mmu)) == (0x02, 32 + 7)


def test_bas_entry_readback_also_searches() -> None:
    # Given (sheet 1.5) word 0x10E with MMUAR = TLB address 32 + 9; no entry maps that tiny address
    mmu = virtual_mode()
    for index in range(32):
        api.load(mmu, DTLB, index, tag(VA + (index << 13)), data(0))
    put(mmu, MMUAR, 32 + 9)
    # When
    put(mmu, MMUOR, 0x10E)
    # Then: read what ADR names, while the search missed and moved AA
    assert get(mmu, MMUTR) == tag(VA + (9 << 13))
    assert (get(mmu, MMUSR), aa(mmu)) == (0, 32)


@pytest.mark.parametrize(("word", "base", "side"), [(STLB, 32, DTLB), (STLB | 0x10, 0, ITLB), (0x108, 32, DTLB)])
def test_search(word: int, base: int, side: int) -> None:
    # Given a hit that would move the tree if it counted, ADR ignored (item 18)
    mmu = virtual_mode()
    fill(mmu, side)
    put(mmu, MMUAR, 0)
    put(mmu, MMUSR, 0x38)
    # When
    assert put(mmu, MMUOR, word) == EFFECT_NONE
    # Then: HIT, AA = the entry, replacement state as before
    assert (get(mmu, MMUSR), aa(mmu)) == (0x02, base)
    assert api.victim(mmu, side) == 0


@pytest.mark.parametrize("side", [ITLB, DTLB])
def test_search_names_the_entry_or_else_the_replacement_choice(side: int) -> None:
    # Given entry 0 maps VA 0, and 16 would be replaced
    mmu = virtual_mode()
    fill(mmu, side)
    api.touch(mmu, side, 0)
    for va, status, index in ((0, 0x02, 0), (1 << 13, 0x02, 1), (31 << 13, 0x02, 31), (32 << 13, 0, 16)):
        # When
        put(mmu, MMUAR, va)
        put(mmu, MMUOR, STLB | (0x10 if side == ITLB else 0))
        # Then
        assert (get(mmu, MMUSR), aa(mmu)) == (status, index + 32 * side)


def test_search_uses_the_asid_register_and_the_supervisor_bit_of_mmuar() -> None:
    # Given ASM = 1: the supervisor sees ID 0 only (item 19)
    mmu = virtual_mode()
    put(mmu, MMUCR, 3)
    api.write_control(mmu, 0x003, 5)
    api.load(mmu, DTLB, 3, tag(VA, asid=5), data(0))
    api.load(mmu, DTLB, 4, tag(VA, asid=0), data(0))
    # When / Then
    for privilege, address in ((0, 32 + 3), (1, 32 + 4)):
        put(mmu, MMUAR, VA | privilege)
        put(mmu, MMUOR, STLB)
        assert aa(mmu) == address


def prepare_clear(mmu: Mmu) -> None:
    """Entries 0 (ID 1), 1 (ID 2), 2 (ID 1, locked), 3 (ID 1, shared) in both TLBs."""
    for side in (ITLB, DTLB):
        api.load(mmu, side, 0, tag(VA, 1), data(0))
        api.load(mmu, side, 1, tag(VA + 0x2000, 2), data(0))
        api.load(mmu, side, 2, tag(VA + 0x4000, 1), data(0, flags=LK))
        api.load(mmu, side, 3, tag(VA + 0x6000, 1, shared=True), data(0))


@pytest.mark.parametrize(
    ("operation", "left"), [(CA, set()), (CNL, {2}), (CAS, {1, 2}), (CNL | CAS, {2}), (CA | CNL | CAS, set())]
)
def test_clears(operation: int, left: set[int]) -> None:
    mmu = new_mmu()
    prepare_clear(mmu)
    api.write_control(mmu, 0x003, 1)
    assert put(mmu, MMUOR, operation) == EFFECT_ALL
    assert resident(mmu, ITLB) == resident(mmu, DTLB) == left
    assert put(mmu, MMUOR, operation) == EFFECT_NONE


@pytest.mark.parametrize("operation", [CA, CNL, CAS])
def test_a_clear_changes_v_and_nothing_else(operation: int) -> None:
    # Given entries of ASID 0, one of another, one locked
    mmu = new_mmu()
    for side in (ITLB, DTLB):
        fill(mmu, side)
        api.load(mmu, side, 3, tag(VA, 7), data(0x5000))
        api.load(mmu, side, 4, tag(VA + 0x2000), data(0x6000, flags=LK))
    before = [[api.read_entry(mmu, side, index) for index in range(32)] for side in (ITLB, DTLB)]
    # When
    put(mmu, MMUOR, operation)
    # Then
    kept = {CA: set(), CNL: {4}, CAS: {3, 4}}[operation]
    for side in (ITLB, DTLB):
        assert resident(mmu, side) == kept
        assert mmu[0]["valid"][side] == len(kept)
        for index, (old_tag, old_data) in enumerate(before[side]):
            assert api.read_entry(mmu, side, index) == (old_tag & ~1 | (index in kept), old_data)


def test_clears_of_entries_here_and_there() -> None:
    # Given every second entry invalid, so that one must not end the clearing of the rest
    mmu = new_mmu(itlb_entries=5, dtlb_entries=8)
    for side, index in ((ITLB, 1), (ITLB, 3), (DTLB, 1), (DTLB, 5), (DTLB, 7)):
        api.load(mmu, side, index, tag(VA + (index << 13), index), data(0))
    # When / Then: one ASID after the other, the effect says whether anything went
    for asid, left in ((5, 4), (5, 4), (7, 3), (3, 2), (1, 0), (0, 0)):
        gone = int(mmu[0]["valid"].sum()) != left
        api.write_control(mmu, 0x003, asid)
        assert put(mmu, MMUOR, CAS) == (EFFECT_ALL if gone else EFFECT_NONE)
        assert len(resident(mmu, ITLB)) + len(resident(mmu, DTLB)) == left == mmu[0]["valid"].sum()


def test_cas_reading_is_an_option_and_the_doubt_is_noted() -> None:
    # Given (item 2) ASID = 1, MMUTR[ID] = 2
    for cas_uses_mmutr, left in ((False, {1, 2}), (True, {0, 2, 3})):
        mmu = new_mmu(cas_uses_mmutr=cas_uses_mmutr)
        prepare_clear(mmu)
        api.write_control(mmu, 0x003, 1)
        put(mmu, MMUTR, tag(VA, 2, shared=True))
        # When
        put(mmu, MMUOR, CAS)
        # Then
        assert resident(mmu, DTLB) == left
        assert mmu[0]["warning_count"][WARN_CAS_READING] == 1


@pytest.mark.parametrize(("operation", "tagged"), [(CAS, 0), (CA, 2), (CNL, 2), (STLB, 2), (0, 2)])
def test_without_doubt_nothing_is_noted(operation: int, tagged: int) -> None:
    mmu = new_mmu()
    put(mmu, MMUTR, tag(VA, tagged))
    put(mmu, MMUOR, operation)
    assert mmu[0]["warnings"] == 0


def test_only_ca_resets_the_replacement_state() -> None:
    # Given (items 9 and 24)
    for operation, word in ((CNL, 0x6A), (CAS, 0x6A), (CA, 0)):
        mmu = new_mmu()
        mmu[0]["plru"][DTLB][0] = 0x6A
        put(mmu, MMUOR, operation)
        assert mmu[0]["plru"][DTLB][0] == word


def test_reading_an_entry_does_not_touch_replacement() -> None:
    # Given (item 9) entry 0 is the next victim
    mmu = new_mmu()
    fill(mmu)
    put(mmu, MMUAR, 32)
    put(mmu, MMUOR, 0x00E)
    assert api.victim(mmu, DTLB) == 0


def test_clear_comes_before_search_allocation_and_access() -> None:
    # Given a full DTLB that maps VA 0
    mmu = new_mmu()
    fill(mmu)
    put(mmu, MMUAR, 0)
    set_entry_registers(mmu, VA)
    # When everything is asked for at once (item 1)
    effect = put(mmu, MMUOR, CA | STLB | 0x003)
    # Then: nothing left to hit, so entry 0 is allocated and written
    assert effect == EFFECT_ALL
    assert get(mmu, MMUSR) == 0
    assert resident(mmu, DTLB) == {0}
    assert api.match(mmu, DTLB, VA, USER) == 0


def test_allocation_comes_after_search() -> None:
    # Given a search that hits entry 7 while entry 0 is the victim
    mmu = new_mmu()
    fill(mmu)
    put(mmu, MMUAR, 7 << 13)
    put(mmu, MMUOR, STLB | 0x001)
    assert (get(mmu, MMUSR), aa(mmu)) == (0x02, 32)


def test_writing_an_invalid_image_drops_one_entry() -> None:
    # Given (item 17)
    mmu = new_mmu()
    fill(mmu)
    put(mmu, MMUAR, 32 + 4)
    put(mmu, MMUTR, tag(VA, valid=False))
    assert put(mmu, MMUOR, 0x00A) == EFFECT_DTLB
    assert resident(mmu, DTLB) == set(range(32)) - {4}
    assert api.read_entry(mmu, DTLB, 4)[0] == tag(VA, valid=False)


@pytest.mark.parametrize(
    ("itlb", "dtlb", "base"), [(8, 16, 32), (32, 32, 32), (33, 8, 64), (8, 33, 64), (64, 100, 128), (128, 128, 128)]
)
def test_tlb_addresses_of_other_sizes(itlb: int, dtlb: int, base: int) -> None:
    # Given the DTLB starts at 32 or at the larger tree
    mmu = new_mmu(itlb_entries=itlb, dtlb_entries=dtlb)
    set_entry_registers(mmu, VA)
    # When / Then: the last entry of each is reachable by its address
    for side, address in ((ITLB, itlb - 1), (DTLB, base + dtlb - 1)):
        put(mmu, MMUAR, address)
        put(mmu, MMUOR, 0x00A)
        put(mmu, MMUAR, VA)
        put(mmu, MMUOR, STLB | (0x10 if side == ITLB else 0))
        assert aa(mmu) == address


def test_tlb_addresses_that_do_not_exist_are_noted_and_harmless() -> None:
    mmu = new_mmu(dtlb_entries=8)
    fill(mmu)
    before = mmu.copy()
    put(mmu, MMUAR, 32 + 8)
    set_entry_registers(mmu, VA)
    images = get(mmu, MMUTR), get(mmu, MMUDR)
    assert put(mmu, MMUOR, 0x00A) == EFFECT_NONE
    assert (get(mmu, MMUTR), get(mmu, MMUDR)) == images
    assert put(mmu, MMUOR, 0x00E) == EFFECT_NONE
    assert (get(mmu, MMUTR), get(mmu, MMUDR)) == (0, 0)
    assert mmu[0]["warning_count"][WARN_NO_SUCH_ENTRY] == 2
    assert (mmu["tag"] == before["tag"]).all()
