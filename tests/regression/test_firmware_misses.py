"""The miss counts of the firmware's workloads, small, under every strategy, as in tlb-baselines/.

A change of the MMU model, of the nucleus or of a strategy shows here with the first miss that has become another. When
it is meant: ``pytest tests/regression --tlb-update``, and the baselines are part of the commit.
"""

import pytest

from emu.pytest_plugin import TlbMisses
from kernel_model.pytest_plugin import Scenarios
from kernel_model.scenario import Scenario
from kernel_model.strategies import STRATEGIES
from kernel_model.workloads import WORKLOADS

AMOUNTS = {
    "ipc_round_trips": 20,
    "frame_buffer_rounds": 20,
    "string_round_trips": 5,
    "storm_touches": 200,
    "churn_exchanges": 100,
    "aging_allocations": 200,
    "hot_plug_cycles": 3,
}
SHARED = [workload for workload in WORKLOADS.values() if workload.device_memory is None]
# What a strategy refuses is no business of this test (tests/model/test_layout.py); head halts at the first device.
REFUSED = {("grow", "acr"), ("hybrid", "paged-8k"), ("slab", "paged-8k")}
COMBINATIONS = [
    (strategy, mapping)
    for strategy in STRATEGIES
    for mapping in ("acr", "paged-8k")
    if (strategy, mapping) not in REFUSED and strategy != "head"
]


@pytest.fixture
def small(scenario: Scenarios) -> Scenario:
    """The default scenario with little to do and devices of a few pages."""
    return scenario(
        "default",
        workload=AMOUNTS,
        reserve={"device": "2 MB", "over": "4 MB", "keep": "1 MB"},
        device=[
            {"name": "graphics card", "size": "1 MB"},
            {"name": "USB controller", "kind": "usb", "arrival": "late"},
        ],
    )


@pytest.mark.parametrize(("strategy", "mapping"), COMBINATIONS)
def test_misses_of_the_workloads(
    strategy: str, mapping: str, small: Scenario, scenario: Scenarios, tlb_misses: TlbMisses
) -> None:
    session = scenario.session(small, strategy, mapping)
    for workload in SHARED:
        if workload.prepare is not None:
            workload.prepare(session)
        before = tlb_misses.mark(session.machine)
        workload.run(session)
        tlb_misses.check(session.machine, workload.name, since=before)

    assert not session.halted


@pytest.mark.parametrize("strategy", ["head", "reserve"])
def test_misses_of_a_row(strategy: str, small: Scenario, scenario: Scenarios, tlb_misses: TlbMisses) -> None:
    """The row of `cfemu compare`, the workloads with machines of their own among it."""
    tlb_misses.check(scenario.row(small, strategy, "acr"))
