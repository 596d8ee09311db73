"""Replay: exactly the recording on the recorded TLBs, a live machine's misses on others."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from emu.errors import UsageError
from emu.mmu import api
from emu.mmu.registers import MMUDR_LK, MMUTR_V
from emu.mmu.state import POLICIES, new_mmu
from emu.trace import events as e
from emu.trace import layout as k
from emu.trace.format import Header, MmuSetup, Trace, snapshot
from emu.trace.replay import Geometry, Replay, changed, geometry_of, replay, replay_all
from tests.oracle.mmu import OracleMMU
from tests.oracle.tlb import Policy
from tests.support.toy import KINDS, LOCKED_NUMBER, LOCKED_PAGE, READ, Access, Control, Toy
from tests.support.traces import machine_header, program, record, rows_of, write

STEPS = 1000
SEEDS = range(2)
kept = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def misses_of(trace: Trace, geometry: Geometry) -> list[tuple[int, int]]:
    """(side, VA) of each miss, as in Toy.misses."""
    logs = [*Replay(trace, geometry).misses(), np.zeros((0, k.LOG_COLUMNS), np.int64)]
    log = np.concatenate(logs)
    return [(0 if code & 3 == 2 else 1, va) for va, code in log[:, [k.LOG_VA, k.LOG_CODE]].tolist()]


@pytest.mark.parametrize("policy", ["plru", "lru", "fifo"])
@pytest.mark.parametrize("entries", [2, 5, 32, 48])
def test_the_recorded_tlbs_reproduce_every_miss_and_every_entry(tmp_path: Path, entries: int, policy: Policy) -> None:
    toy = Toy(entries, policy).run(program(entries, STEPS, preload=True))
    trace = record(tmp_path / "t", toy, entries, policy)

    result = replay(trace)

    assert result.exact
    assert (result.wrong_misses, result.wrong_entries, result.first_difference) == (0, 0, None)
    assert result.checked_entries == len(toy.misses)
    assert misses_of(trace, geometry_of(trace.header.mmu or MmuSetup())) == toy.misses
    assert result.nested == toy.nested
    assert result.violations == toy.violations
    assert result.references == toy.references == result.bypassed + result.itlb_hits + result.dtlb_hits
    assert (result.instructions, result.cycles) == (toy.instructions, toy.cycles)


@pytest.mark.parametrize("lock", [False, True])
@pytest.mark.parametrize("entries", [8, 16, 64])
@pytest.mark.parametrize("seed", SEEDS)
def test_other_sizes_miss_as_a_live_machine_of_that_size(tmp_path: Path, seed: int, entries: int, lock: bool) -> None:
    """Entry by entry the same misses, nested ones included, and the same cycles: handlers cost what they did."""
    steps = program(seed, STEPS, lock=lock)
    trace = record(tmp_path / "t", Toy(lock=lock).run(steps))
    live = Toy(entries, lock=lock).run(steps)

    result = replay(trace, entries=entries)

    assert misses_of(trace, changed(trace, entries=entries)) == live.misses
    assert not result.exact
    assert (result.nested, result.violations) == (live.nested, live.violations)
    assert result.cycles == live.cycles
    assert (result.forced, result.stale, result.unexplained, result.lost_loads) == (0, 0, 0, 0)


@pytest.mark.parametrize("policy", ["lru", "fifo"])
def test_other_policies_miss_as_a_live_machine_with_that_policy(tmp_path: Path, policy: Policy) -> None:
    steps = program(3, STEPS)
    trace = record(tmp_path / "t", Toy().run(steps))
    live = Toy(policy=policy).run(steps)

    assert misses_of(trace, changed(trace, policy=policy)) == live.misses


def test_software_that_searches_first_may_differ_and_no_more_than_that(tmp_path: Path) -> None:
    """A preload depends on what the TLB held: the one thing that a recording cannot know of other TLBs."""
    steps = program(0, STEPS, preload=True)
    trace = record(tmp_path / "t", Toy().run(steps))
    live = Toy(16).run(steps)

    assert replay(trace, entries=16).misses == pytest.approx(len(live.misses), rel=0.02)


@pytest.mark.parametrize("seed", SEEDS)
def test_full_semantics_equal_the_api_driven_access_by_access(tmp_path: Path, seed: int) -> None:
    toy = Toy().run(program(seed, STEPS, preload=True))
    trace = record(tmp_path / "t", toy)
    mmu = new_mmu()
    misses = []
    for code, a, b in toy.rows:
        if code < e.ASIDE:
            fs, _ = api.access(mmu, a, code & e.KIND, int(code & e.SUPERVISOR != 0))
            if fs in (5, 10, 14):
                misses.append((0 if code & e.KIND == 2 else 1, a))
        elif code == e.WINDOW_WRITE:
            api.write_window(mmu, a & 0xFF, a >> 8, b)
        elif code == e.CONTROL_WRITE:
            api.write_control(mmu, a, b)

    machine = Replay(trace, geometry_of(MmuSetup()))
    machine.run()

    assert misses_of(trace, geometry_of(MmuSetup())) == misses
    for name in ("tag", "data", "plru", "aa", "mmuar", "mmusr", "mmutr", "mmudr"):
        assert np.array_equal(machine.mmu[0][name], mmu[0][name]), name


def test_full_semantics_equal_the_oracle_with_control_registers_in_play(tmp_path: Path) -> None:
    """ACR, RAMBAR, MMUBAR and MMUCR change under way: who answers, and with it what misses, must follow at once."""
    rng = np.random.default_rng(5)
    oracle = OracleMMU(4, 4)
    rows: list[e.Row] = []
    misses = 0

    def control(number: int, value: int) -> None:
        oracle.movec(number, value)
        rows.append((e.CONTROL_WRITE, number, value))

    def window(offset: int, value: int) -> None:
        oracle.window_write(offset, 4, value)
        rows.append(e.window_row(offset, value))

    control(0x008, 0xFE00_0001)
    for _ in range(4000):
        choice = rng.integers(0, 40)
        va = int(rng.integers(0, 3)) << 28 | int(rng.integers(0, 6)) << 12 | int(rng.integers(0, 1024)) * 4
        if choice == 0:
            control(int(rng.integers(4, 8)), int(rng.choice([0, 0x1000_E000, 0x2000_C000, 0x000F_E000])))
        elif choice == 1:
            control(0xC04, int(rng.choice([0, 0x2000_1201, 0x2000_1101])))
        elif choice == 2:
            window(0x00, int(rng.choice([0, 1, 1, 1, 3])))
        elif choice == 3:
            control(0x003, int(rng.integers(0, 3)))
        elif choice == 4:
            window(0x04, 0x40)
        elif choice < 12:
            window(0x14, va & ~0xFFF | oracle.asid << 2 | 1)
            window(0x18, va & ~0xFFF | int(rng.choice([0x11C, 0x11C, 0x114, 0x13C])))
            window(0x04, int(rng.choice([0x003, 0x013])))
        else:
            kind, supervisor = int(rng.integers(0, 4)), bool(rng.integers(0, 2))
            fs, _ = oracle.access(va, KINDS[kind], supervisor)
            flag = 0 if fs == 0 else e.MISSED if fs in (5, 10, 14) else e.VIOLATED
            misses += flag == e.MISSED
            rows.append((kind | (e.SUPERVISOR if supervisor else 0) | flag, va, 1))

    result = replay(write(tmp_path / "t", rows, machine_header(4)))

    assert result.misses == misses > 100
    assert result.bypassed > 100
    assert result.violations > 20
    assert result.wrong_misses == 0


@pytest.mark.parametrize("what", ["miss", "entry"])
def test_a_recording_that_is_not_what_the_mmu_does_is_noticed(tmp_path: Path, what: str) -> None:
    rows = Toy().run(program(1, 300)).rows
    at = next(i for i, row in enumerate(rows) if (row[0] == e.LOADED if what == "entry" else row[0] & e.MISSED))
    code, a, b = rows[at]
    rows[at] = (code, a ^ 1, b) if what == "entry" else (code & ~e.MISSED, a, b)

    result = replay(write(tmp_path / "t", rows, machine_header()))

    assert result.first_difference == at
    assert (result.wrong_entries, result.wrong_misses) == ((1, 0) if what == "entry" else (0, 1))


def test_recording_may_begin_with_tlbs_in_any_state(tmp_path: Path) -> None:
    """The header keeps the state; on other TLBs what was held is loaded where there is room, the locked entry first."""
    steps = program(4, 2 * STEPS, lock=True)
    toy = Toy(lock=True).run(steps[:STEPS])
    before = len(toy.rows)
    mmu = new_mmu()
    for code, a, b in toy.rows:
        if code < e.ASIDE:
            api.access(mmu, a, code & e.KIND, int(code & e.SUPERVISOR != 0))
        elif code == e.WINDOW_WRITE:
            api.write_window(mmu, a & 0xFF, a >> 8, b)
        elif code == e.CONTROL_WRITE:
            api.write_control(mmu, a, b)
    misses = len(toy.misses)
    toy.run(steps[STEPS:])
    header = Header(source="machine", mmu=MmuSetup(state=snapshot(mmu)))
    trace = write(tmp_path / "t", toy.rows[before:], header)

    exact, smaller = replay(trace), replay(trace, entries=8)

    assert exact.first_difference is None
    assert exact.misses == len(toy.misses) - misses
    assert smaller.misses > exact.misses
    assert smaller.lost_loads == smaller.unexplained == 0


def test_a_load_of_an_entry_that_a_smaller_tlb_has_not_is_lost_and_counted(tmp_path: Path) -> None:
    toy = Toy()
    toy.window(0x14, 0x4000_0003)
    toy.window(0x18, 0x4000_011E)
    toy.window(0x10, 32 + 20)
    toy.window(0x04, 0x00A)
    toy.run([Access(0x4000_0000)])
    trace = record(tmp_path / "t", toy)

    assert replay(trace).misses == 0
    result = replay(trace, entries=16)
    assert (result.lost_loads, result.misses, result.unexplained) == (1, 1, 0)


def test_locked_entries_are_never_victims(tmp_path: Path) -> None:
    steps = [step for step in program(5, STEPS, lock=True) if step != Control("ca")]
    trace = record(tmp_path / "t", Toy(lock=True).run(steps))
    for policy in POLICIES:
        machine = Replay(trace, changed(trace, entries=4, policy=policy))
        assert machine.run().misses > 100
        for side in range(2):
            tag, data = (int(machine.mmu[0][name][side, LOCKED_NUMBER]) for name in ("tag", "data"))
            assert (tag & ~0x3FF, tag & MMUTR_V, data & MMUDR_LK) == (LOCKED_PAGE, MMUTR_V, MMUDR_LK)


def test_a_locked_page_never_misses_however_small_the_tlb(tmp_path: Path) -> None:
    steps = [step for step in program(6, STEPS, lock=True) if step != Control("ca")]
    trace = record(tmp_path / "t", Toy(lock=True).run(steps))
    for policy in POLICIES:
        misses = misses_of(trace, changed(trace, entries=4, policy=policy))
        assert len(misses) > 100
        assert [va for _, va in misses if va >> 28 == 4] == []


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 3), st.integers(1, 9)), min_size=1, max_size=300))
@kept
def test_lru_misses_never_rise_with_size(
    tmp_path_factory: pytest.TempPathFactory, runs: list[tuple[int, int, int]]
) -> None:
    trace = write(
        tmp_path_factory.mktemp("t") / "t", [(kind, page << 12, n) for page, kind, n in runs], Header(source="test")
    )
    found = [replay(trace, entries=n, policy="lru") for n in (2, 3, 5, 8, 16, 33, 64)]

    misses = [r.misses for r in found]
    assert misses == sorted(misses, reverse=True)
    for r in found:
        assert r.itlb_hits + r.dtlb_hits == r.references == sum(n for _, _, n in runs)


@given(st.data())
@kept
def test_splitting_runs_or_joining_them_changes_nothing(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("t")
    rows = Toy().run(program(data.draw(st.integers(0, 50)), 200, preload=True)).rows
    split: list[e.Row] = []
    for code, a, b in rows:
        if code < e.ASIDE and b > 1:
            first = data.draw(st.integers(1, b - 1))
            split += [(code, a, first), (code, a ^ 4, b - first)]
        else:
            split.append((code, a, b))
    whole, parts = write(path / "a", rows, machine_header()), write(path / "b", split, machine_header())

    for entries in (32, 6):
        results = [replace(replay(trace, entries=entries), events=0) for trace in (whole, parts)]
        assert results[0] == results[1]


def test_chunks_may_end_anywhere(tmp_path: Path) -> None:
    """In the middle of a miss, of a refill, of a clear: what is open is carried on, the PC of a miss too."""
    rows = Toy().run(program(2, 400)).rows
    whole = write(tmp_path / "a", rows, machine_header())
    pieces = write(tmp_path / "b", rows, machine_header(), chunk_events=7)
    assert sum(1 for _ in pieces.chunks()) > 100

    for geometry in (geometry_of(MmuSetup()), changed(whole, entries=6)):
        first, second = Replay(whole, geometry), Replay(pieces, geometry)
        logs = [np.concatenate(list(r.misses())) for r in (first, second)]
        assert np.array_equal(logs[0], logs[1])
        assert first.result() == second.result()


@pytest.fixture(scope="module")
def real_rows() -> list[e.Row]:
    return Toy(lock=True).run(program(2, 200, lock=True, preload=True)).rows


@given(
    st.lists(st.tuples(st.integers(0, 9999), st.integers(0, 4), st.integers(0, 9999)), min_size=1, max_size=60),
    st.sampled_from([4, 16, 32, 100]),
)
@kept
def test_recordings_that_no_machine_made_are_replayed_all_the_same(
    tmp_path_factory: pytest.TempPathFactory, real_rows: list[e.Row], changes: list[tuple[int, int, int]], entries: int
) -> None:
    """Events dropped, doubled, swapped, altered: how the file is cut and what is explained makes no difference."""
    rows = list(real_rows)
    for where, what, other in changes:
        i, j = where % len(rows), other % len(rows)
        code, a, b = rows[i]
        if what == 0:
            del rows[i]
        elif what == 1:
            rows.insert(i, rows[j])
        elif what == 2:
            rows[i], rows[j] = rows[j], rows[i]
        elif what == 3 and code != e.LOADED:
            rows[i] = code, a ^ 1 << other % 32, b
        elif code >= e.ASIDE:
            rows[i] = code, a, b ^ 1 << other % 32
    path = tmp_path_factory.mktemp("t")
    whole = write(path / "a", rows, machine_header())
    pieces = write(path / "b", rows, machine_header(), chunk_events=9)
    geometry = changed(whole, entries=entries)

    result = Replay(whole, geometry).run()

    assert Replay(pieces, geometry).run() == result
    assert Replay(whole, geometry, explained=True).run() == result
    completed = sum(b for code, _, b in rows if code < e.ASIDE and not code & e.REFUSED)
    assert result.references <= completed


def test_tables_grow_while_replaying(tmp_path: Path) -> None:
    """More translations and misses than the first tables hold."""
    rows = [(READ, page << 12, 1) for _ in range(2) for page in range(20_000)]
    trace = write(tmp_path / "t", rows, Header(source="test"))

    result = replay(trace)

    assert result.dtlb_misses == 40_000


@pytest.mark.parametrize("page_size", [1024, 4096, 8192, 1 << 20])
def test_a_page_size_maps_more_or_less_with_one_entry(tmp_path: Path, page_size: int) -> None:
    trace = record(tmp_path / "t", Toy().run([Access(0x3000_0000 + 1024 * n) for n in range(64)]))

    result = replay(trace, page_size=page_size)

    pages = 64 * 1024 // page_size if page_size < 65536 else 1
    table_pages = 1
    assert result.misses == pages + table_pages
    assert result.stale == result.violations == 0


def test_threads_give_the_same_results(tmp_path: Path) -> None:
    trace = record(tmp_path / "t", Toy().run(program(7, STEPS)))
    geometries = [changed(trace, entries=n) for n in (4, 8, 16, 64)]

    assert replay_all(trace, geometries, threads=4) == [Replay(trace, g).run() for g in geometries]


def test_a_geometry_that_no_tlb_has_is_one_line() -> None:
    for bad in ({"itlb_entries": 1}, {"dtlb_entries": 129}, {"policy": "clock"}, {"page_size": 2048}):
        values = {"itlb_entries": 32, "dtlb_entries": 32, "policy": "plru"} | bad
        with pytest.raises(UsageError, match=r"^[^\n]+$"):
            Geometry(**values)  # type: ignore[arg-type]


def test_rows_survive_the_file(tmp_path: Path) -> None:
    toy = Toy().run(program(8, 300))

    assert rows_of(record(tmp_path / f"{os.getpid()}", toy)) == toy.rows
