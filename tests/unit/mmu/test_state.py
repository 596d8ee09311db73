"""The record and its configuration: what the engine, the trace tools and saved snapshots rely on."""

import numpy as np
import pytest

from emu.mmu import state
from emu.mmu.state import DTLB, ITLB, MMU_DTYPE, POLICIES, RANDOM, WARNINGS, new_mmu, tree_size

SCALARS: tuple[str, ...] = (
    "mmucr",
    "mmuor",
    "aa",
    "mmusr",
    "mmuar",
    "mmutr",
    "mmudr",
    "mmubar",
    "asid",
    "cacr",
    "vbr",
    "mbar",
)
SCALARS += ("dtlb_base", "policy", "seed", "cas_uses_mmutr", "changed_index", "old_tag", "old_data", "warnings")


def test_layout_of_the_record() -> None:
    # Given a place per side of a TLB and per entry; 128 tree nodes in four words; room for eight kinds of warning
    per_entry, per_side = (2, 128), (2,)
    shapes: dict[str, tuple[int, ...]] = dict.fromkeys(SCALARS, ())
    shapes |= dict.fromkeys(("tag", "data", "compare", "stamp"), per_entry)
    shapes |= dict.fromkeys(("clock", "rng", "entries", "tree", "valid"), per_side)
    shapes |= {"path_keep": (2, 128, 4), "path_mark": (2, 128, 4), "plru": (2, 4), "barred": (2, 256)}
    shapes |= {"acr": (4,), "rambar": (2,), "warning_count": (8,)}
    # When / Then: never u8, of which numba makes floats
    assert {name: MMU_DTYPE[name].shape for name in MMU_DTYPE.names or ()} == shapes
    assert {MMU_DTYPE[name].base for name in shapes} == {np.dtype("i8")}
    assert MMU_DTYPE.isalignedstruct


def test_numbers_that_other_packages_and_traces_use() -> None:
    assert (ITLB, DTLB) == (0, 1)
    assert (state.READ, state.WRITE, state.FETCH, state.RMW) == (0, 1, 2, 3)  # QEMU's MMUAccessType, then RMW
    assert (state.EFFECT_NONE, state.EFFECT_DTLB, state.EFFECT_ITLB, state.EFFECT_ALL) == (0, 1, 2, 4)
    assert list(POLICIES.items()) == [("plru", 0), ("lru", 1), ("fifo", 2), ("random", 3)]
    assert [(state.PLRU, state.LRU, state.FIFO, state.RANDOM), sorted(WARNINGS)] == [(0, 1, 2, 3), list(range(6))]


def test_a_new_mmu_is_the_hardware() -> None:
    # Sheet 1.1: 32 entries each; CF4UM 10-20: the DTLB's addresses start at 32.
    mmu = new_mmu()
    assert mmu.shape == (1,)
    nonzero = {name: mmu[0][name].tolist() for name in mmu.dtype.names or () if mmu[0][name].any()}
    paths = {name: nonzero.pop(name) for name in ("path_keep", "path_mark")}
    assert nonzero == {
        "entries": [32, 32],
        "tree": [32, 32],
        "dtlb_base": 32,
        "compare": [[1] * 128] * 2,  # V alone: nothing matches before the first load
        "seed": 0x9E3779B9,
        "rng": [0x9E3779B9, 0x9E3779B9],
    }
    # Then: entry 11 is 01011 from the root, so its path is the nodes 1, 2, 5, 10, 21
    for side in (ITLB, DTLB):
        assert paths["path_keep"][side][11][0] == 0xFFFFFFFF ^ (1 << 1 | 1 << 2 | 1 << 5 | 1 << 10 | 1 << 21)
        assert paths["path_mark"][side][11][0] == 1 << 2 | 1 << 10 | 1 << 21
        assert paths["path_keep"][side][11][1:] == [0xFFFFFFFF] * 3
        assert paths["path_mark"][side][11][1:] == [0] * 3


def test_paths_of_the_largest_tree() -> None:
    # Entry 127 is the upper half everywhere: nodes 1, 3, 7, 15, 31, 63, 127.
    mmu = new_mmu(dtlb_entries=128)
    mark = sum(int(word) << 32 * n for n, word in enumerate(mmu[0]["path_mark"][DTLB][127]))
    keep = sum(int(word) << 32 * n for n, word in enumerate(mmu[0]["path_keep"][DTLB][127]))
    assert mark == sum(1 << node for node in (1, 3, 7, 15, 31, 63, 127))
    assert keep == mark ^ (1 << 128) - 1


def test_missing_leaves_and_groups_are_barred() -> None:
    # Given 5 entries in a tree of 8: leaves 8-12 exist
    mmu = new_mmu(itlb_entries=5, dtlb_entries=8)
    barred = mmu[0]["barred"]
    assert [node for node in range(256) if barred[ITLB][node]] == [7, 13, 14, 15]
    assert not barred[DTLB].any()


def test_both_seeds_of_random_are_the_given_one() -> None:
    one, other = new_mmu(policy=RANDOM, seed=1), new_mmu(policy=RANDOM, seed=0x1_0000_0001)
    assert one[0]["seed"] == 0x9E3779B8
    assert (one[0]["rng"] == 0x9E3779B8).all()
    assert (one == other).all()  # 32 bits count
    assert new_mmu(seed=0x9E3779B9)[0]["seed"] == 1  # xorshift never leaves zero


@pytest.mark.parametrize("entries", [1, 0, -1, 129, 1000])
@pytest.mark.parametrize("name", ["itlb_entries", "dtlb_entries"])
def test_entry_counts_outside_2_to_128_are_refused(name: str, entries: int) -> None:
    with pytest.raises(ValueError, match=rf"^{name}={entries}: a TLB has 2 to 128 entries$"):
        new_mmu(**{name: entries})  # type: ignore[arg-type]


def test_options_reach_the_record() -> None:
    mmu = new_mmu(itlb_entries=2, dtlb_entries=128, policy=RANDOM, cas_uses_mmutr=True)
    assert mmu[0]["entries"].tolist() == [2, 128]
    assert mmu[0]["tree"].tolist() == [2, 128]
    assert [int(mmu[0][name]) for name in ("dtlb_base", "policy", "cas_uses_mmutr")] == [128, RANDOM, 1]
    with pytest.raises(ValueError, match=r"^policy=4: choose one of {'plru': 0, 'lru': 1, 'fifo': 2, 'random': 3}$"):
        new_mmu(policy=4)


@pytest.mark.parametrize(("entries", "leaves"), [(2, 2), (3, 4), (4, 4), (5, 8), (32, 32), (33, 64), (100, 128)])
def test_tree_sizes(entries: int, leaves: int) -> None:
    assert tree_size(entries) == leaves
