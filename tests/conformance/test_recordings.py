"""What is recorded of random programs: the same by every engine, replayed exactly, and without effect on the run.

The programs and the ways to run them are those of ``test_engines_agree``.
"""

from pathlib import Path

import pytest

from emu.trace.replay import replay
from tests.conformance.test_engines_agree import (
    DEEP,
    QUICK,
    SLICED,
    TIMED,
    Case,
    Driver,
    assert_equal,
    by_instructions,
    finished,
    interrupted,
    straight,
)
from tests.support.guest import ENGINES
from tests.support.recordings import assert_replays_exactly, canonical, recorded


def check(case: Case, drive: Driver, folder: Path) -> None:
    """Record the program in every engine."""
    recordings = {}
    for engine in ENGINES:
        plain = finished(case, engine, drive)
        machine = case.program.machine(engine, **case.options)
        trace = recorded(machine, folder / engine, drive)
        assert_equal(plain, machine)
        result = assert_replays_exactly(trace, machine)
        if drive is straight:  # an interrupt that a refill lets in makes it more than a refill
            assert result.refill_cycles == machine.counters().refill_cycles
        recordings[engine] = canonical(trace)
        plain.close()
        machine.close()
    for engine in ENGINES:
        assert recordings[engine] == recordings["reference"], engine


@pytest.mark.parametrize("case", [*QUICK[:3], QUICK[5], QUICK[7], *SLICED[:1], *TIMED[:8:2]], ids=str)
def test_every_engine_records_the_same(case: Case, tmp_path: Path) -> None:
    check(case, straight, tmp_path)


@pytest.mark.parametrize("case", SLICED, ids=str)
def test_interrupts_and_slices_are_recorded_alike(case: Case, tmp_path: Path) -> None:
    check(case, interrupted(case.seed, None), tmp_path)
    check(case, by_instructions, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("case", [*QUICK[3::2], *TIMED[1::4], *DEEP[:2]], ids=str)
def test_many_programs_are_recorded_alike(case: Case, tmp_path: Path) -> None:
    check(case, interrupted(case.seed, 7), tmp_path)
    check(case, straight, tmp_path)


@pytest.mark.parametrize("entries", [16, 64])
def test_a_replay_on_other_tlbs_comes_close_to_a_live_machine(entries: int, tmp_path: Path) -> None:
    """These programs probe the TLBs and drop their own pages, so no rule can be exact here; the firmware's are."""
    case = QUICK[3]
    machine = case.program.machine("native")
    trace = recorded(machine, tmp_path / "t", straight)
    live = case.program.machine("native", itlb_entries=entries, dtlb_entries=entries)
    straight(live)
    misses = live.counters().misses
    assert replay(trace, entries=entries).misses == pytest.approx(misses.itlb + misses.dtlb, rel=0.05)
    machine.close()
    live.close()
