"""Rows of a scenario as traces: replayed on the recorded TLBs exactly, on others as a live machine with those TLBs."""

from pathlib import Path

import pytest

from emu.errors import UsageError
from emu.options import MachineOptions
from emu.trace.format import Trace
from emu.trace.replay import replay
from kernel_model.recording import record_scenario
from kernel_model.workloads import WORKLOADS

RECORDED, OTHERS = 32, (16, 64)
# What a handler does about a miss there depends on more than the page: it walks hash chains, or handles a page fault.
ROUGH = {"fault-storm", "string-ipc"}
QUICK = ("ping-pong", "bring-up", "cold-prepare-64", "hot-plug")
ROWS = {
    ("reserve", "paged-8k"): pytest.mark.slow,
    ("grow", "paged-4k"): pytest.mark.conformance,
    ("hybrid", "acr"): pytest.mark.conformance,
    ("slab", "unlocked-1m"): pytest.mark.conformance,
}
COMBINATIONS = [
    *(pytest.param("reserve", "paged-8k", name, id=name) for name in QUICK),
    *(
        pytest.param(*row, name, id="-".join((*row, name)), marks=mark)
        for row, mark in ROWS.items()
        for name in WORKLOADS
        if row != ("reserve", "paged-8k") or name not in QUICK
    ),
]


def recorded(folder: Path, tlb: int, strategy: str, mapping: str, workload: str) -> Trace:
    path = folder / f"{tlb}.trace"
    assert record_scenario(path, "default", strategy, mapping, workload, MachineOptions(tlb=tlb)) == ()
    return Trace(path)


@pytest.mark.parametrize(("strategy", "mapping", "workload"), COMBINATIONS)
def test_a_workload_misses_again_as_it_did_live(strategy: str, mapping: str, workload: str, tmp_path: Path) -> None:
    trace = recorded(tmp_path, RECORDED, strategy, mapping, workload)
    result = replay(trace)
    assert (result.exact, result.first_difference) == (True, None)
    assert (result.wrong_misses, result.wrong_entries) == (0, 0)
    assert trace.totals is not None
    live = trace.totals.counters
    assert (result.itlb_misses, result.dtlb_misses) == (live["itlb_misses"], live["dtlb_misses"])
    assert (result.nested, result.violations) == (live["nested_misses"], live["violations"])
    assert (result.instructions, result.cycles) == (live["instructions"], live["cycles"])
    if workload not in ROUGH:  # page faults behind a miss are none of its refill
        assert result.refill_cycles == live["refill_cycles"]
    for entries in OTHERS:
        other = replay(trace, entries=entries)
        machine = recorded(tmp_path, entries, strategy, mapping, workload).totals
        assert machine is not None
        difference = abs(other.misses - machine.itlb_misses - machine.dtlb_misses)
        assert (other.forced, other.stale, other.unexplained, other.lost_loads) == (0, 0, 0, 0)
        assert difference <= (other.approximated if workload in ROUGH else 0)
        assert other.cycles == pytest.approx(machine.cycles, rel=0.002)


def test_a_phase_for_each_workload(tmp_path: Path) -> None:
    trace = recorded(tmp_path, RECORDED, "reserve", "paged-8k", "cold-prepare-0")
    assert trace.names.phases == ("boot", "bring-up", "cold-prepare-0")


def test_what_cannot_run_leaves_no_file(tmp_path: Path) -> None:
    path = tmp_path / "t"
    with pytest.raises(UsageError, match="grow extends one heap upwards"):
        record_scenario(path, "default", "grow", "acr")
    with pytest.raises(UsageError, match="unknown name 'nope'"):
        record_scenario(path, "default", "reserve", "acr", "nope")
    assert not path.exists()
