"""Explanations: each cause by a small program that has no other, names, sums, reuse distances."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from emu.trace import events as e
from emu.trace.explain import CLASSES, Explanation, explain, what_if_geometries
from emu.trace.format import Header, MmuSetup, Names, Trace, TraceWriter
from emu.trace.pages import DistanceStream
from emu.trace.replay import changed, replay
from tests.support.toy import FETCH, LOCKED_PAGE, READ, Access, Control, Toy
from tests.support.traces import program, record, write


def pages(numbers: Sequence[int], base: int = 0) -> list[Access | Control]:
    return [Access(base + (n << 12), READ) for n in numbers]


def explained(
    tmp_path: Path, steps: Sequence[Access | Control], entries: int = 8, *, lock: bool = False, policy: str = "lru"
) -> Explanation:
    """On TLBs of ``entries``; the page table takes one entry of the data TLB, used at each refill."""
    trace = record(tmp_path / "t", Toy(lock=lock).run(steps))
    return explain(trace, changed(trace, entries=entries, policy=policy))


def causes(found: Explanation) -> dict[str, int]:
    return {name: count for name, count in found.by_class.items() if count}


def test_first_uses_are_cold(tmp_path: Path) -> None:
    found = explained(tmp_path, pages(range(5)) * 3)

    assert causes(found) == {"cold": 5 + 1}


def test_more_pages_than_entries_are_capacity(tmp_path: Path) -> None:
    found = explained(tmp_path, pages(range(20)) * 3)

    assert causes(found) == {"cold": 20 + 1, "capacity": 2 * 20}


@pytest.mark.parametrize("clear", ["cnl", "ca", "cas"])
def test_what_a_clear_dropped_is_flush(tmp_path: Path, clear: str) -> None:
    found = explained(tmp_path, [*pages(range(5)), Control(clear), *pages(range(5))])

    assert causes(found) == {"cold": 5 + 1, "flush": 5 + 1}


def test_what_software_dropped_by_storing_an_invalid_entry_is_flush(tmp_path: Path) -> None:
    """The first write to a clean page drops its entry."""
    found = explained(tmp_path, [Access(0x5000_0000, READ), Access(0x5000_0000, 1)])

    assert causes(found) == {"cold": 1 + 1, "flush": 1}


def test_what_locked_entries_leave_no_room_for_is_lock(tmp_path: Path) -> None:
    """Seven pages in turn and the page table, which every refill uses, in seven entries: the eighth is locked."""
    turn = pages(range(7))

    assert causes(explained(tmp_path, turn * 4, lock=True)) == {"cold": 8, "lock": 7 * 3}
    assert causes(explained(tmp_path, turn * 4)) == {"cold": 8}
    assert causes(explained(tmp_path, pages(range(6)) * 4, lock=True)) == {"cold": 7}


def test_what_lru_would_have_kept_is_policy(tmp_path: Path) -> None:
    """FIFO drops the page that is always in use when enough others have come."""
    steps = [step for n in range(1, 30) for step in pages((0, n))]

    assert causes(explained(tmp_path, steps, policy="lru")) == {"cold": 31}
    found = causes(explained(tmp_path, steps, policy="fifo"))
    assert set(found) == {"cold", "policy"}
    assert found["policy"] > 3


def test_random_programs_add_up_in_every_table(tmp_path: Path) -> None:
    trace = record(tmp_path / "t", Toy(lock=True).run(program(2, 800, lock=True)))
    for geometry in (changed(trace), changed(trace, entries=6)):
        found = explain(trace, geometry)
        misses = found.result.misses
        assert sum(found.by_class.values()) == misses > 100
        for rows in (found.by_region, found.by_symbol, found.by_process, found.by_phase, found.by_access):
            assert sum(sum(row.values()) for row in rows.values()) == misses
            assert {name for row in rows.values() for name in row} <= set(CLASSES)
        assert found.result == replay(trace, entries=geometry.itlb_entries)


def test_an_lru_tlb_has_no_policy_misses_and_its_hits_are_the_near_reuses(tmp_path: Path) -> None:
    """Without clears: what misses is what has a reuse distance of at least the number of entries."""
    steps = [step for step in program(4, 800) if not isinstance(step, Control) and step.va >> 28 != 5]
    for entries in (4, 16):
        found = explained(tmp_path, steps, entries, policy="lru")
        assert set(causes(found)) == {"cold", "capacity"}
        for side, misses in (("itlb", found.result.itlb_misses), ("dtlb", found.result.dtlb_misses)):
            assert sum(found.histogram[side][entries:]) == misses


def test_the_histogram_equals_the_one_of_plain_page_streams(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    numbers = rng.zipf(1.2, 3000).astype(np.int64) % 200
    counts = rng.integers(1, 4, 3000)
    trace = write(
        tmp_path / "t", [(READ, int(n) << 12, int(c)) for n, c in zip(numbers, counts)], Header(source="test")
    )
    plain = DistanceStream()
    plain.feed(numbers, counts)

    assert explain(trace, changed(trace, entries=8)).histogram["dtlb"] == plain.histogram.tolist()


def test_misses_are_charged_to_region_code_process_phase_and_access(tmp_path: Path) -> None:
    toy = Toy().run(
        [
            Control("phase", 0),
            Access(0x0000_0400, FETCH),
            Control("asid", 5),
            Control("phase", 1),
            Access(0x1000_0000, READ, True),
        ]
    )
    # Stacked PCs are the toy's constant 0x1234.
    header = Header(
        source="machine",
        mmu=MmuSetup(),
        regions=(("text", 0, 0x1000), ("heap", 0x1000_0000, 0x1000_2000), ("all", 0, 1 << 32)),
        symbols=((0x1000, "start", 0x100), (0x1200, "work", 0)),
    )
    with TraceWriter(tmp_path / "t", header) as writer:
        writer.append(*e.events(toy.rows))
        writer.name(Names(phases=("boot", "run"), processes={5: "sh"}))
    trace = Trace(tmp_path / "t")

    found = explain(trace, changed(trace))

    assert found.by_region == {"all": {"cold": 2}, "heap": {"cold": 1}, "text": {"cold": 1}}
    assert found.by_symbol == {"work": {"cold": 4}}
    assert found.by_process == {"0": {"cold": 2}, "5 sh": {"cold": 2}}
    assert found.by_phase == {"boot": {"cold": 2}, "run": {"cold": 2}}
    assert found.by_access == {
        "kernel read while refilling": {"cold": 2},
        "kernel read": {"cold": 1},
        "user fetch": {"cold": 1},
    }


def test_an_address_outside_all_symbols_is_named_by_its_granule(tmp_path: Path) -> None:
    toy = Toy().run([Access(LOCKED_PAGE + 0x10000, FETCH)])
    header = Header(source="machine", mmu=MmuSetup(), symbols=((0x1000, "start", 0x100),))
    trace = write(tmp_path / "t", toy.rows, header)

    assert set(explain(trace, changed(trace)).by_symbol) == {"0x00001000"}


def test_what_if_has_other_sizes_and_other_policies(tmp_path: Path) -> None:
    trace = record(tmp_path / "t", Toy().run(program(1, 300)))
    geometry = changed(trace)
    others = what_if_geometries(geometry)

    found = explain(trace, geometry, what_if=others, threads=2)

    assert geometry not in others
    assert {g.policy for g in others} == {"plru", "lru", "fifo", "random"}
    assert found.what_if[0] == replay(trace, entries=8)
    assert found.to_dict()["what_if"][0]["misses"] == found.what_if[0].misses
