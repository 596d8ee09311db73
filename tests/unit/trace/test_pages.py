"""Plain page streams against plain Python, against the full replay, and against libCacheSim where it is installed."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emu.errors import UsageError
from emu.trace import layout
from emu.trace.exports import export_oracle
from emu.trace.format import Header
from emu.trace.pages import (
    MARKED,
    DistanceStream,
    MarkedStream,
    Numbering,
    PolicyStream,
    all_sizes,
    count_misses,
    feed,
    marked_sizes,
    page_streams,
)
from emu.trace.replay import replay
from tests.support.toy import Control, Toy
from tests.support.traces import fifo_misses, lru_misses, program, record, write

quick = settings(max_examples=80, deadline=None)
pages_drawn = st.lists(st.one_of(st.integers(0, 12), st.integers(0, 200)), max_size=400)
with_clears = st.lists(st.one_of(st.integers(0, 40), st.integers(0, 200), st.just(-1)), max_size=400)


def stream(pages: list[int]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.array(pages, np.int64)


@given(with_clears, st.integers(1, 128))
@quick
def test_lru_and_fifo_equal_plain_python(pages: list[int], entries: int) -> None:
    found = count_misses(stream(pages), entries=entries)

    assert found.misses == lru_misses(pages, entries)
    assert found.references == sum(page >= 0 for page in pages)
    assert count_misses(stream(pages), entries=entries, policy="fifo").misses == fifo_misses(pages, entries)


@given(with_clears)
@quick
def test_one_pass_over_all_sizes_equals_a_pass_for_each(pages: list[int]) -> None:
    misses = all_sizes(stream(pages))
    marked = marked_sizes(stream(pages))

    for entries in (1, 2, 3, 4, 5, 8, 16, 17, 31, 32, 33, 64, 100, 127, 128):
        assert misses[entries] == lru_misses(pages, entries)
    assert marked == {size: misses[size] for size in MARKED}
    assert misses[0] == sum(page >= 0 for page in pages)


def test_long_streams_push_the_tape_together_often() -> None:
    pages = np.random.default_rng(1).zipf(1.2, 60_000).astype(np.int64) % 300

    misses, marked = all_sizes(pages), marked_sizes(pages)

    for entries in (1, 4, 8, 32, 77, 128):
        assert misses[entries] == lru_misses(pages.tolist(), entries)
    assert marked == {size: misses[size] for size in MARKED}


@given(pages_drawn, st.data())
@quick
def test_the_histogram_equals_direct_simulation(pages: list[int], data: st.DataObject) -> None:
    """A reuse distance is the number of different pages since; runs add their repetitions at distance 0."""
    counts = [data.draw(st.integers(1, 5)) for _ in pages]
    found = DistanceStream()
    found.feed(stream(pages), stream(counts))
    expected = np.zeros(129, np.int64)
    for i, page in enumerate(pages):
        before = pages[:i]
        if page in before:
            since = before[len(before) - 1 - before[::-1].index(page) + 1 :]
            expected[min(128, len(set(since)))] += 1
        else:
            expected[128] += 1
        expected[0] += counts[i] - 1

    assert np.array_equal(found.histogram, expected)


@given(pages_drawn, st.lists(st.integers(0, 400), max_size=5), st.sampled_from(["lru", "fifo", "random", "plru"]))
@quick
def test_pieces_and_runs_change_nothing(pages: list[int], cuts: list[int], policy: str) -> None:
    whole = count_misses(stream(pages), entries=8, policy=policy)
    pieces = PolicyStream(8, policy)
    sizes, marked = DistanceStream(), MarkedStream()
    for part in np.split(stream(pages), sorted(min(c, len(pages)) for c in cuts)):
        starts = np.flatnonzero(np.diff(part, prepend=-1))
        counts = np.diff(starts, append=len(part))
        for one in (pieces, sizes, marked):
            one.feed(part[starts], counts)

    assert pieces.result == whole
    assert np.array_equal(sizes.misses, all_sizes(stream(pages)))
    assert marked.misses == marked_sizes(stream(pages))


@pytest.mark.parametrize("policy", ["lru", "fifo", "random", "plru"])
@pytest.mark.parametrize("entries", [2, 3, 8, 31, 32, 48, 64, 128])
def test_each_policy_equals_the_one_of_the_mmu(tmp_path: Path, policy: str, entries: int) -> None:
    """The same references through emu.mmu, as a foreign trace."""
    pages = np.random.default_rng(entries).zipf(1.15, 6000).astype(np.int64) % 250
    trace = write(tmp_path / "t", [(0, int(page) << 12, 1) for page in pages], Header(source="test"))

    result = replay(trace, entries=entries, policy=policy, seed=9)

    assert count_misses(pages, entries=entries, policy=policy, seed=9).misses == result.dtlb_misses


def test_large_keys_are_numbered() -> None:
    rng = np.random.default_rng(2)
    pages = rng.integers(0, 90, 5000)
    names = rng.integers(0, 1 << 62, 90)

    assert count_misses(names[pages], entries=32) == count_misses(pages, entries=32)
    numbering = Numbering()
    first, second = numbering.number(names[pages][:100]), numbering.number(names[pages][100:])
    assert np.array_equal(numbering.originals[np.concatenate([first, second])], names[pages])
    assert set(np.concatenate([first, second])) == set(range(90))


def test_a_clear_of_an_asid_drops_its_pages_and_no_shared_ones() -> None:
    asid = 1 << layout.KEY_ASID
    keys = [3 * asid | 1, 4 * asid | 1, 1 << layout.KEY_SHARED | 1]
    numbering = Numbering()
    found = PolicyStream(8)
    found.feed(numbering.number(stream(keys)))
    found.owners = numbering.owners
    found.feed(numbering.number(stream([layout.CLEAR_ASID - 3, *keys])))

    assert found.result.misses == 4


def test_a_machines_trace_as_page_streams_leaves_out_what_no_tlb_served(tmp_path: Path) -> None:
    """Without handlers' references, locked pages and windows in front of the TLB it is the program's own accesses."""
    steps = [step for step in program(3, 600) if not isinstance(step, Control) or step.what in ("cnl", "asid")]
    trace = record(tmp_path / "t", Toy().run(steps))
    pair = PolicyStream(32), PolicyStream(32)
    feed(trace, 4096, [pair])
    expected: tuple[list[int], list[int]] = ([], [])
    asid = references = 0
    for step in steps:
        if isinstance(step, Control):
            asid = step.value if step.what == "asid" else asid
            if step.what == "cnl":
                expected[0].append(-1)
                expected[1].append(-1)
        else:
            shared = step.va >> 28 in (1, 2)
            expected[0 if step.kind == 2 else 1].append(step.va >> 12 | (99 if shared else asid) << 20)
            references += step.references

    assert [s.result.misses for s in pair] == [lru_misses(pages, 32) for pages in expected]
    assert sum(s.references for s in pair) == references
    assert sum(int(counts.sum()) for _, counts in page_streams(trace, 4096)) == references


def test_a_plain_tlb_has_1_to_128_entries() -> None:
    for entries, policy in ((0, "lru"), (129, "lru"), (8, "clock")):
        with pytest.raises(UsageError):
            PolicyStream(entries, policy)


@pytest.mark.parametrize("entries", [1, 8, 32, 128])
@pytest.mark.parametrize("kind", ["generated", "recorded"])
def test_lru_and_fifo_equal_libcachesim(tmp_path: Path, kind: str, entries: int) -> None:
    libcachesim = pytest.importorskip("libcachesim", exc_type=ImportError)
    if kind == "generated":
        pages = np.random.default_rng(entries).zipf(1.2, 40_000).astype(np.int64) % 500
        trace = write(tmp_path / "t", [(0, int(page) << 12, 2) for page in pages], Header(source="test"))
    else:
        steps = [step for step in program(9, 1000) if not isinstance(step, Control)]
        trace = record(tmp_path / "t", Toy().run(steps))
    records = export_oracle(trace, tmp_path / "t.bin", side="data")
    pairs = {policy: (PolicyStream(entries, policy), PolicyStream(entries, policy)) for policy in ("lru", "fifo")}
    feed(trace, 4096, list(pairs.values()))

    for policy, cache in (("lru", libcachesim.LRU), ("fifo", libcachesim.FIFO)):
        options = libcachesim.ReaderInitParam(ignore_obj_size=True)
        reader = libcachesim.TraceReader(str(tmp_path / "t.bin"), libcachesim.TraceType.ORACLE_GENERAL_TRACE, options)
        ratio, _ = cache(entries).process_trace(reader)
        assert round(ratio * records) == pairs[policy][1].result.misses
        assert records == pairs[policy][1].references > 1000
