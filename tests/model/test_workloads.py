"""Workloads that only run where a scenario names them: chosen, sized and counted as the scenario says."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from emu.board import BOARDS
from kernel_model.comparison import Selection, compare_scenario
from kernel_model.results import Row, WorkloadResult
from kernel_model.scenario import ScenarioError, parse_scenario
from kernel_model.workloads import WORKLOADS

CARD = """
[[device]]
name = "card"
kind = "lcd"
"""
Run = Callable[..., Row]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Computes one row of a scenario with the given ``[workload]`` table."""

    def row(table: str, strategy: str = "reserve", mapping: str = "paged-8k", more: str = "") -> Row:
        file = tmp_path / "workload.toml"
        file.write_text(f"{more}\n[workload]\n{table}\n{CARD}")
        (row,) = compare_scenario(file, Selection((strategy,), (mapping,))).report.rows
        return row

    return row


def result(row: Row, name: str) -> WorkloadResult:
    """The figures of one workload of a row."""
    assert row.workloads is not None
    return row.workloads[name]


def test_what_the_default_leaves_out_is_run_by_name_only(run: Run) -> None:
    extra = {name for name, workload in WORKLOADS.items() if not workload.by_default}
    assert "fan-in" in extra
    assert (
        set(run("ipc_round_trips = 1\nprepares = 1\nframe_buffer_rounds = 1").workloads or ()) == set(WORKLOADS) - extra
    )


def test_the_packaged_scenario_runs_every_workload() -> None:
    (row,) = compare_scenario(Path("workloads"), Selection(("slab",), ("acr",))).report.rows
    assert set(row.workloads or ()) == set(WORKLOADS)
    assert all(figures.operations for figures in (row.workloads or {}).values())
    assert row.refusal is None


def test_fan_in_has_as_many_clients_and_calls_as_the_scenario_says(run: Run) -> None:
    table = "run = ['fan-in', 'ping-pong']\nipc_round_trips = 10\nfan_in_clients = 12\nfan_in_calls = 5"
    row = run(table)
    assert result(row, "fan-in").operations["ipc"].count == 2 * 12 * 5
    assert result(row, "ping-pong") == result(run("run = ['ping-pong']\nipc_round_trips = 10"), "ping-pong")
    more = run(table.replace("12", "24"))
    assert result(more, "fan-in").operations["ipc"].count == 2 * 24 * 5


def test_a_storm_walks_as_deep_as_the_scenario_says(run: Run) -> None:
    table = "run = ['fault-storm']\nstorm_touches = 300\nstorm_memory = '1 MB'\ngpt_depth = {}"
    shallow, deep = (result(run(table.format(depth)), "fault-storm").operations for depth in (2, 5))
    assert set(shallow) == set(deep) == {"walk"}  # building the spaces is not counted
    assert 300 <= shallow["walk"].count <= 600
    assert deep["walk"].cycles > 1.5 * shallow["walk"].cycles


def test_strings_cost_by_their_size(run: Run) -> None:
    table = "run = ['string-ipc']\nstring_round_trips = 20\nstring_size = '{} KB'"
    short, long = (result(run(table.format(size)), "string-ipc").operations for size in (1, 64))
    assert short["ipc"].count == long["ipc"].count == 2 * short["string"].count == 40
    assert 10 * short["string"].cycles < long["string"].cycles < 64 * short["string"].cycles


def test_churn_and_aging_allocate_as_often_as_the_scenario_says(run: Run) -> None:
    row = run("run = ['churn', 'aging']\nchurn_live = 9\nchurn_exchanges = 50\naging_allocations = 1600")
    churned, aged = result(row, "churn").operations, result(row, "aging").operations
    assert {name: operation.count for name, operation in churned.items()} == {"allocate": 59, "rescind": 59}
    assert (aged["allocate"].count, aged["age"].count) == (1600, 1)
    assert row.worst_operation is not None
    assert (row.worst_operation.name, row.worst_operation.cycles) == ("allocate", aged["allocate"].worst)
    assert aged["allocate"].worst > aged["age"].worst > 50 * churned["allocate"].worst // 2


def test_an_aging_burst_suffers_from_mapped_headers(run: Run) -> None:
    """Headers come in the order of use: most lie in another page than the one before."""
    table = "run = ['aging']\naging_allocations = 1600"
    direct, mapped = (result(run(table, mapping=mapping), "aging").operations["age"] for mapping in ("acr", "paged-8k"))
    assert direct.count == mapped.count == 1
    assert mapped.worst > 1.3 * direct.worst


def test_hot_plug_leaks_headers_unless_they_are_recycled(run: Run) -> None:
    table = "run = ['hot-plug']\nhot_plug_cycles = 6\nhot_plug_size = '512 KB'\nhot_plug_recycle = {}"
    grown = {}
    for recycle in ("false", "true"):
        row = run(table.format(recycle), strategy="grow")
        counted = result(row, "hot-plug").operations
        assert (counted["attach"].count, counted["detach"].count, row.refusal) == (6 * 64, 6 * 64, None)
        assert row.frames is not None
        grown[recycle] = row.frames.taken_back
    assert grown["false"] == grown["true"] + 2  # 320 headers more, 146 to a frame

    reserve = '[reserve]\ndevice = "2 MB"\n'
    refused, enough = (run(table.format(recycle), more=reserve) for recycle in ("false", "true"))
    assert enough.refusal is None
    assert "hot-plug card 3: " in (refused.refusal or "")
    announced = re.search(r"re-tune with reserve=(\d+)", refused.refusal or "")
    assert announced is not None
    assert refused.device_pages is not None
    assert int(announced[1]) == 3 * 64 + refused.device_pages.attached  # two cards' headers are lost, the third's lack
    assert refused.console is True
    assert enough.console is True
    assert (refused.unfinished, enough.unfinished) == (["hot-plug"], [])


def test_a_workload_whose_own_devices_are_refused_is_not_finished(run: Run) -> None:
    table = "run = ['cold-prepare-64']"
    short, enough = (run(table, more=f"[reserve]\ndevice = '{size} MB'\n") for size in (8, 65))
    assert (short.unfinished, enough.unfinished) == (["cold-prepare-64"], [])
    assert result(short, "cold-prepare-64").device_pages.refused > 0


@pytest.mark.parametrize(
    ("table", "key"),
    [
        ('run = ["fan-in"]\nfan_in_clients = 83', "workload.fan_in_clients"),
        ("processes = 84", "workload.processes"),
    ],
)
def test_a_kernel_too_small_for_a_workload_is_told_by_its_key(
    monkeypatch: pytest.MonkeyPatch, table: str, key: str
) -> None:
    board = replace(BOARDS["coyotos128"], name="tiny", ram=((0xC000_0000, 16 << 20),))  # its kernel has 83 processes
    monkeypatch.setitem(BOARDS, "tiny", board)
    text = f'board = "tiny"\n[workload]\n{table}'
    parse_scenario(text.replace("83", "82").replace("84", "83").encode(), "t")
    with pytest.raises(ScenarioError) as caught:
        parse_scenario(text.encode(), "t")
    assert caught.value.key == key
