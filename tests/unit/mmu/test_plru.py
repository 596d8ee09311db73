"""Replacement: the tree of sheet 1.12, its locks, its sizes, and the policies that hardware has not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emu.mmu import api
from emu.mmu.state import DTLB, FIFO, ITLB, LRU, PLRU, RANDOM, WARN_ALL_LOCKED, new_mmu, tree_size
from tests.unit.mmu.build import LK, MMUOR, Mmu, data, fill, put, tag

# Sheet 1.12: victims after filling 0..31 in order; the sequence then repeats every 32 loads.
VICTIMS_32 = [0, 16, 8, 24, 4, 20, 12, 28, 2, 18, 10, 26, 6, 22, 14, 30]
VICTIMS_32 += [index + 1 for index in VICTIMS_32]


def replace_many(mmu: Mmu, count: int, side: int = DTLB) -> list[int]:
    """Load ``count`` new pages, each where the MMU says; returns where they went."""
    chosen = []
    for page in range(count):
        index = api.replacement(mmu, side)
        api.load(mmu, side, index, tag(0x40000000 + (page << 13)), data(page << 13))
        chosen.append(index)
    return chosen


def lock(mmu: Mmu, *indices: int, side: int = DTLB) -> None:
    for index in indices:
        api.load(mmu, side, index, tag(0x80000000 + (index << 13)), data(0, flags=LK))


@pytest.mark.parametrize("side", [ITLB, DTLB])
def test_victim_order_of_a_full_tlb(side: int) -> None:
    # Given a TLB filled in order
    mmu = new_mmu()
    fill(mmu, side)
    # When only new pages arrive, then the sequence is the sheet's and repeats
    assert replace_many(mmu, 64, side) == VICTIMS_32 * 2


def test_lowest_invalid_entry_comes_first() -> None:
    # Given a full TLB in which 9 and 21 were dropped, 9 last
    mmu = new_mmu()
    fill(mmu)
    for index in (21, 9):
        api.load(mmu, DTLB, index, tag(0x5000, 0xFF, True, valid=False), 0)
    # When / Then: the lowest one, whatever the tree says
    assert api.replacement(mmu, DTLB) == 9


def test_a_hit_turns_every_node_on_its_path() -> None:
    # Given: after filling in order the tree points at 0
    mmu = new_mmu()
    fill(mmu)
    # When
    api.touch(mmu, DTLB, 0)
    # Then: the first victim of the other half
    assert api.victim(mmu, DTLB) == 16


def test_sides_are_independent() -> None:
    mmu = new_mmu()
    fill(mmu, ITLB)
    fill(mmu, DTLB)
    api.touch(mmu, ITLB, 0)
    assert (api.victim(mmu, ITLB), api.victim(mmu, DTLB)) == (16, 0)


@pytest.mark.parametrize("policy", [PLRU, LRU])
def test_hits_of_locked_entries_change_nothing(policy: int) -> None:
    # Given entry 0 locked, and others used since
    mmu = new_mmu(policy=policy)
    fill(mmu)
    lock(mmu, 0)
    for index in (17, 9):
        api.touch(mmu, DTLB, index)
    before = mmu.copy()
    # When
    api.touch(mmu, DTLB, 0)
    # Then
    assert (mmu == before).all()


def test_wholly_locked_group_counts_as_recent() -> None:
    # Given the manual's example, entries 12-15 locked (sheet 1.12), and hits that lead the tree to 15-12
    mmu = new_mmu()
    fill(mmu)
    lock(mmu, 12, 13, 14, 15)
    for index in (8, 9, 10, 11, 7, 31):
        api.touch(mmu, DTLB, index)
    # When / Then: that half is closed, so the oldest of 11-8 goes
    assert api.victim(mmu, DTLB) == 8


def test_only_unlocked_entry_is_always_the_victim() -> None:
    mmu = new_mmu()
    fill(mmu)
    lock(mmu, *range(19), *range(20, 32))
    assert replace_many(mmu, 3) == [19, 19, 19]


@pytest.mark.parametrize("locked", [range(0), range(16), range(16, 32), range(31), range(1, 32)])
def test_a_replacement_warns_only_if_all_are_locked(locked: range) -> None:
    mmu = new_mmu()
    fill(mmu)
    lock(mmu, *locked)
    assert api.replacement(mmu, DTLB) not in locked
    assert mmu[0]["warnings"] == 0


def test_unlocking_by_a_load_frees_the_entry() -> None:
    # Given all locked but 5
    mmu = new_mmu()
    fill(mmu)
    lock(mmu, *range(5), *range(6, 32))
    # When 20 is loaded without LK and 5 is used
    api.load(mmu, DTLB, 20, tag(0x1000000), data(0))
    api.touch(mmu, DTLB, 5)
    # Then
    assert api.victim(mmu, DTLB) == 20


def test_a_load_may_change_the_lock_and_nothing_else() -> None:
    # Given every entry loaded once more, now locked
    mmu = new_mmu()
    fill(mmu)
    images = [api.read_entry(mmu, DTLB, index) for index in range(32)]
    for index, (tag_, data_) in enumerate(images):
        api.load(mmu, DTLB, index, tag_, data_ | LK)
    api.replacement(mmu, DTLB)
    assert mmu[0]["warning_count"][WARN_ALL_LOCKED] == 1
    # When one is freed again, then it is the one to go
    api.load(mmu, DTLB, 5, *images[5])
    assert api.replacement(mmu, DTLB) == 5
    assert mmu[0]["warning_count"][WARN_ALL_LOCKED] == 1


def test_all_locked_falls_back_to_the_tree_and_warns() -> None:
    # Given (sheet 7 item 10)
    mmu = new_mmu()
    lock(mmu, *range(32))
    # When
    chosen = api.replacement(mmu, DTLB)
    # Then: the tree's choice after loading 0..31 in order
    assert chosen == 0
    assert mmu[0]["warnings"] & 1 << WARN_ALL_LOCKED
    assert mmu[0]["warning_count"][WARN_ALL_LOCKED] == 1


@pytest.mark.parametrize(("entries", "leaves"), [(2, 2), (3, 4), (8, 8), (9, 16), (33, 64), (128, 128)])
def test_tree_size(entries: int, leaves: int) -> None:
    assert tree_size(entries) == leaves


@pytest.mark.parametrize("entries", [2, 4, 8, 16, 64, 128])
def test_victims_of_power_of_two_trees_are_bit_reversed(entries: int) -> None:
    # Given
    mmu = new_mmu(dtlb_entries=entries)
    fill(mmu)
    # When / Then: each node alternates, so the n-th victim is n with its bits reversed
    width = entries.bit_length() - 1
    assert replace_many(mmu, entries) == [int(f"{n:0{width}b}"[::-1], 2) for n in range(entries)]


def test_missing_leaves_are_never_chosen() -> None:
    # Given 5 entries in a tree of 8
    mmu = new_mmu(dtlb_entries=5)
    fill(mmu)
    # When / Then: entry 4 stands alone in the upper half, which is every second choice
    assert replace_many(mmu, 8) == [0, 4, 2, 4, 1, 4, 3, 4]


def test_missing_leaves_stay_out_of_reach_when_all_are_locked() -> None:
    mmu = new_mmu(dtlb_entries=5)
    lock(mmu, *range(5))
    for index in range(5):
        lock(mmu, index)
        assert 0 <= api.replacement(mmu, DTLB) < 5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"itlb_entries": 1}, "itlb_entries=1: a TLB has 2 to 128 entries"),
        ({"dtlb_entries": 129}, "dtlb_entries=129: a TLB has 2 to 128 entries"),
        ({"policy": 4}, "policy=4: choose one of"),
    ],
)
def test_bad_configuration_is_named(options: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        new_mmu(**options)  # type: ignore[arg-type]


def test_fifo_ignores_hits() -> None:
    mmu = new_mmu(dtlb_entries=4, policy=FIFO)
    fill(mmu)
    api.touch(mmu, DTLB, 0)
    assert replace_many(mmu, 6) == [0, 1, 2, 3, 0, 1]


def test_lru_replaces_the_least_recently_used() -> None:
    mmu = new_mmu(dtlb_entries=4, policy=LRU)
    fill(mmu)
    for index in (0, 2, 1):
        api.touch(mmu, DTLB, index)
    assert replace_many(mmu, 4) == [3, 0, 2, 1]


def test_random_repeats_with_its_seed_and_differs_with_another() -> None:
    def run(seed: int) -> list[int]:
        mmu = new_mmu(policy=RANDOM, seed=seed)
        fill(mmu)
        return replace_many(mmu, 200)

    assert run(1) == run(1)
    assert run(1) != run(2)
    assert set(run(1)) == set(range(32))


# The first outputs of Marsaglia's xorshift32 (13, 17, 5) from his own start, 2463534242.
XORSHIFT_START = 2463534242
XORSHIFT = [723471715, 2497366906, 2064144800, 2008045182, 3532304609]


def test_random_is_xorshift32_and_advances_on_loads_only() -> None:
    mmu = new_mmu(dtlb_entries=4, policy=RANDOM, seed=XORSHIFT_START ^ 0x9E3779B9)
    fill(mmu)
    mmu[0]["rng"] = XORSHIFT_START
    for expected in XORSHIFT:
        # The victim is the n-th of the candidates, n the generator's value modulo their number
        assert api.victim(mmu, DTLB) == int(mmu[0]["rng"][DTLB]) % 4
        api.touch(mmu, DTLB, 2)
        api.load(mmu, DTLB, 1, tag(0x2000), data(0))
        assert mmu[0]["rng"].tolist() == [XORSHIFT_START, expected]


def test_random_choice_counts_unlocked_entries_only() -> None:
    # Given 1, 4 and 6 unlocked
    mmu = new_mmu(dtlb_entries=8, policy=RANDOM)
    fill(mmu)
    lock(mmu, 0, 2, 3, 5, 7)
    # When / Then
    for value, victim in ((0, 1), (1, 4), (2, 6), (3, 1), (0xFFFFFFFF, 1), (0xFFFFFFFE, 6)):
        mmu[0]["rng"][DTLB] = value
        assert api.victim(mmu, DTLB) == victim
    # When all are locked, then all are candidates
    lock(mmu, 1, 4, 6)
    for value in range(16):
        mmu[0]["rng"][DTLB] = value
        assert api.victim(mmu, DTLB) == value % 8


@pytest.mark.parametrize("locked", [range(4), range(4, 8)])
def test_random_choice_with_one_half_locked(locked: range) -> None:
    mmu = new_mmu(dtlb_entries=8, policy=RANDOM)
    fill(mmu)
    lock(mmu, *locked)
    unlocked = sorted(set(range(8)) - set(locked))
    for value in range(8):
        mmu[0]["rng"][DTLB] = value
        assert api.victim(mmu, DTLB) == unlocked[value % 4]


def test_oldest_of_all_when_all_are_locked() -> None:
    mmu = new_mmu(dtlb_entries=4, policy=FIFO)
    lock(mmu, 2, 0, 3, 1)
    assert api.victim(mmu, DTLB) == 2
    # Unlocked ones go first, however young
    api.load(mmu, DTLB, 3, tag(0x2000), data(0))
    assert api.victim(mmu, DTLB) == 3


@pytest.mark.parametrize("policy", [LRU, FIFO])
@pytest.mark.parametrize("locked", [(0, 1), (1, 0), (2, 3), (0, 2), (1, 2)])
def test_oldest_among_the_unlocked(policy: int, locked: tuple[int, int]) -> None:
    # Given locked entries that are the oldest, whole halves of the tree among them
    mmu = new_mmu(dtlb_entries=4, policy=policy)
    lock(mmu, *locked)
    younger, youngest = sorted(set(range(4)) - set(locked), reverse=True)
    for index in (younger, youngest):
        api.load(mmu, DTLB, index, tag(index << 13), data(0))
    # When / Then
    assert api.victim(mmu, DTLB) == younger


def test_lowest_of_equally_old_entries() -> None:
    assert api.victim(new_mmu(policy=LRU), DTLB) == 0


@pytest.mark.parametrize("policy", [PLRU, LRU, FIFO, RANDOM])
def test_clear_all_resets_every_policy(policy: int) -> None:
    # Given
    mmu, fresh = new_mmu(policy=policy, seed=5), new_mmu(policy=policy, seed=5)
    for side in (ITLB, DTLB):
        fill(mmu, side)
        api.touch(mmu, side, 3)
    # When
    put(mmu, MMUOR, 0x080)
    # Then
    for field in ("plru", "stamp", "clock", "rng"):
        assert (mmu[field] == fresh[field]).all(), field


POLICY = st.sampled_from([PLRU, LRU, FIFO, RANDOM])
ENTRIES = st.integers(2, 128)
ACTIONS = st.lists(st.tuples(st.sampled_from(["touch", "load", "lock"]), st.integers(0, 127)), max_size=40)


def act(mmu: Mmu, actions: list[tuple[str, int]]) -> set[int]:
    """Do ``actions`` on a full DTLB; returns the locked entries."""
    entries = int(mmu[0]["entries"][DTLB])
    locked: set[int] = set()
    for action, number in actions:
        index = number % entries
        if action == "touch":
            api.touch(mmu, DTLB, index)
        else:
            api.load(mmu, DTLB, index, tag(index << 13), data(0, flags=LK if action == "lock" else 0))
            locked = locked | {index} if action == "lock" else locked - {index}
    return locked


@given(policy=POLICY, entries=ENTRIES, actions=ACTIONS)
def test_a_locked_entry_is_never_the_victim(policy: int, entries: int, actions: list[tuple[str, int]]) -> None:
    # Given
    mmu = new_mmu(dtlb_entries=entries, policy=policy)
    fill(mmu)
    locked = act(mmu, actions)
    # When
    victim = api.victim(mmu, DTLB)
    # Then
    assert 0 <= victim < entries
    assert victim not in locked or len(locked) == entries


@given(policy=st.sampled_from([PLRU, LRU]), entries=ENTRIES, actions=ACTIONS, data_=st.data())
def test_the_entry_just_used_is_not_the_victim(
    policy: int, entries: int, actions: list[tuple[str, int]], data_: st.DataObject
) -> None:
    # Given at least two unlocked entries
    mmu = new_mmu(dtlb_entries=entries, policy=policy)
    fill(mmu)
    unlocked = sorted(set(range(entries)) - act(mmu, actions))
    if len(unlocked) < 2:
        return
    used = data_.draw(st.sampled_from(unlocked))
    # When
    api.touch(mmu, DTLB, used)
    # Then
    assert api.victim(mmu, DTLB) != used


@given(entries=ENTRIES, policy=POLICY, actions=ACTIONS)
def test_asking_for_a_replacement_changes_nothing_but_warnings(
    entries: int, policy: int, actions: list[tuple[str, int]]
) -> None:
    mmu = new_mmu(dtlb_entries=entries, policy=policy)
    fill(mmu)
    act(mmu, actions)
    before = mmu.copy()
    first = api.replacement(mmu, DTLB)
    assert api.replacement(mmu, DTLB) == first
    for field in ("plru", "stamp", "clock", "rng", "tag", "data"):
        assert (mmu[field] == before[field]).all()
