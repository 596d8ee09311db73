"""Plans against the nucleus that really boots on them, and rows that do not depend on who computes them."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

from emu.board import get_board
from emu.elf import Elf, load_elf
from emu.options import MachineOptions
from firmware import nucleus
from kernel_model import abi
from kernel_model.choices import Mapping
from kernel_model.comparison import Selection, compare_scenario
from kernel_model.devices import Device
from kernel_model.layout import make_plan
from kernel_model.results import encode_report
from kernel_model.scenario import Scenario, parse_scenario
from kernel_model.session import Session, regions
from kernel_model.strategies import STRATEGIES
from kernel_model.workloads import WORKLOADS

SMALL = """
[workload]
run = ["ping-pong"]
ipc_round_trips = 10
[[device]]
name = "card"
kind = "lcd"
"""
DEVICES = (Device("card", 1 << 20),)


NOP_THEN_MOVEQ = bytes.fromhex("4e717003")
MOVEQ_TWICE = bytes.fromhex("70717003")  # the first D0 is overwritten by the second: same effect, other cycles


def with_one_byte_changed(elf: Elf) -> Elf:
    """The nucleus with one NOP of its 8-KB range handler turned into a MOVEQ."""
    start = elf.address("miss_range_8k")
    (text,) = (segment for segment in elf.segments if segment.vaddr <= start < segment.vaddr + len(segment.data))
    at = text.data.index(NOP_THEN_MOVEQ, start - text.vaddr)
    data = text.data[:at] + MOVEQ_TWICE + text.data[at + 4 :]
    assert sum(old != new for old, new in zip(text.data, data, strict=True)) == 1
    segments = tuple(dataclasses.replace(text, data=data) if item is text else item for item in elf.segments)
    return dataclasses.replace(elf, segments=segments)


def session(
    strategy: str,
    mapping: Mapping,
    toml: str = "",
    board: str = "coyotos128",
    patch: Callable[[Elf], Elf] = lambda elf: elf,
) -> Session:
    scenario: Scenario = parse_scenario(toml.encode(), "test.toml")
    made = get_board(board)
    plan = make_plan(scenario, made, STRATEGIES[strategy], mapping, DEVICES)
    return Session(scenario, plan, patch(load_elf(nucleus(made.ram[0][0]).path)), MachineOptions())


@pytest.mark.parametrize("mapping", list(Mapping))
@pytest.mark.parametrize("direction", ["bottom-up", "top-down"])
def test_the_nucleus_boots_exactly_as_planned(mapping: Mapping, direction: str) -> None:
    with session("reserve", mapping, f'[kernel]\nallocation = "{direction}"') as running:
        running.boot()
        plan, model = running.plan, running.model
        assert model.booted is not None
        assert model.booted.heap_pages == plan.heap_pages == model.heap_bytes() // plan.page_size
        assert model.booted.locked_entries == plan.locked_data_entries
        assert model.booted.page_frames == model.bank.promised
        planned = {(start, end) for name, start, end in regions(plan) if name.startswith("heap.")}
        assert {(chunk.va, chunk.va + chunk.size) for chunk in model.chunks} == planned
        assert running.machine.host_writes == 0


@pytest.mark.parametrize("mapping", list(Mapping))
def test_the_nucleus_relies_on_nothing_that_the_manuals_leave_open(mapping: Mapping) -> None:
    """Else its misses would be those of our reading of them."""
    with session("reserve", mapping) as running:
        running.boot()
        for name in ("bring-up", "ping-pong", "churn"):
            WORKLOADS[name].run(running)
        assert running.machine.mmu_warnings() == {}


def test_one_byte_of_a_miss_handler_changes_its_measured_cost() -> None:
    """The figures come from code that ran: same misses, same instructions, other refill cycles."""
    counted = []
    for patch in (lambda elf: elf, with_one_byte_changed):
        with session("grow", Mapping.PAGED_8K, patch=patch) as running:
            running.boot()
            counted.append(running.counters())
    original, changed = counted
    assert original.misses.dtlb == changed.misses.dtlb > 1000
    assert original.instructions == changed.instructions
    difference = original.refill_cycles - changed.refill_cycles
    assert difference != 0
    assert difference % original.misses.dtlb_kernel == 0  # so many cycles in each of the kernel's refills


def test_sdram_at_zero() -> None:
    with session("reserve", Mapping.LOCKED_1M, board="coyotos128-low") as running:
        running.boot()
        assert running.model.direct_mapped_bytes() == running.model.heap_bytes() > 0


def test_cards_are_plugged_in_behind_all_others_until_the_window_is_full() -> None:
    with session(
        "reserve", Mapping.PAGED_8K, "[workload]\nhot_plug_cycles = 9\nhot_plug_size = 524288", board="m5475evb"
    ) as running:
        cards = [running.plug(64 << 20) for _ in range(2)]
        low, size = running.plan.board.device_window or (0, 0)
        assert [card.base for card in cards if card] == [low + (64 << 20), low + (128 << 20)]  # the LCD is in the first
        running.boot()
        assert running.plug((64 << 20) - (1 << 20)) is not None
        WORKLOADS["hot-plug"].run(running)
        assert [card.base for card in running.plugged[3:]] == [low + size - (1 << 20), low + size - (1 << 19)]
        assert running.plug(4096) is None
        operations = running.counters().operations
        assert operations[abi.Operation.ATTACH].count == operations[abi.Operation.DETACH].count == 2 * 64


@pytest.fixture
def scenario_file(tmp_path: Path) -> Path:
    file = tmp_path / "small.toml"
    file.write_text(SMALL)
    return file


def test_top_down_growth_overflows_the_range_table(scenario_file: Path) -> None:
    """Kernel sheet 4.3: each growth adds a range, because the next frame lies lower in memory."""
    scenario_file.write_text(SMALL.replace("lcd", "graphics-64") + '[kernel]\nallocation = "top-down"')
    (row,) = compare_scenario(scenario_file, Selection(("grow",), ("paged-8k",))).report.rows
    assert "the miss handler's table holds 32" in (row.refusal or "")
    assert row.console is True
    assert row.device_pages is not None
    assert row.device_pages.refused > 0
    assert row.frames is not None
    assert 15 <= row.frames.taken_back <= 24


def test_rows_do_not_depend_on_the_number_of_workers(scenario_file: Path) -> None:
    selection = Selection(("grow", "reserve", "slab"), ("acr", "paged-8k"))
    alone, together = (compare_scenario(scenario_file, selection, workers=workers).report for workers in (1, 2))
    assert encode_report(alone) == encode_report(together)
    assert [(row.strategy, row.mapping) for row in alone.rows][:2] == [("grow", "acr"), ("grow", "paged-8k")]


def test_another_seed_is_another_run(scenario_file: Path) -> None:
    scenario_file.write_text(SMALL.replace("ping-pong", "cold-prepare-0"))
    first, second = (
        compare_scenario(scenario_file, Selection(("reserve",), ("acr",), seed)).report.rows[0] for seed in (1, 2)
    )
    assert first.cycles != second.cycles
    assert (first.seed, second.seed) == (1, 2)


@pytest.mark.parametrize("allocation", ["bottom-up", "top-down"])
@pytest.mark.parametrize("mapping", ["acr", "locked-1m", "paged-8k"])
def test_everything_can_be_released_when_no_device_came(scenario_file: Path, mapping: str, allocation: str) -> None:
    scenario_file.write_text(f'[kernel]\nallocation = "{allocation}"\n[workload]\nrun = ["ping-pong"]')
    released, none = (
        compare_scenario(scenario_file, Selection((strategy,), (mapping,))).report.rows[0]
        for strategy in ("release", "head")
    )
    assert released.frames is not None
    assert none.frames is not None
    # Some frames stay: their headers describe the frames that were given back.
    assert none.frames.promised - 6 <= released.frames.promised <= none.frames.promised


@pytest.mark.parametrize("handler", ["range", "two-level", "linear"])
@pytest.mark.parametrize(("strategy", "mapping"), [("grow", "paged-8k"), ("hybrid", "acr"), ("altmap", "paged-4k")])
def test_every_miss_handler_serves_every_kind_of_growth(
    scenario_file: Path, handler: str, strategy: str, mapping: str
) -> None:
    scenario_file.write_text(SMALL + f'[kernel]\nhandler = "{handler}"')
    (row,) = compare_scenario(scenario_file, Selection((strategy,), (mapping,))).report.rows
    assert row.handler == handler
    assert row.refusal is None
    assert row.misses is not None
    assert row.misses.by_region["heap.growth"].dtlb > 0


def test_keeping_the_tlb_over_switches_makes_ipc_cheaper(scenario_file: Path) -> None:
    cycles = {}
    for flush in ("switch", "asid"):
        scenario_file.write_text(SMALL + f'[kernel]\nflush = "{flush}"')
        (row,) = compare_scenario(scenario_file, Selection(("reserve",), ("paged-8k",))).report.rows
        assert row.workloads is not None
        cycles[flush] = row.workloads["ping-pong"].operations["ipc"].cycles
    assert cycles["asid"] < cycles["switch"]


def test_structures_as_compiled_take_less_heap(scenario_file: Path) -> None:
    reserved = {}
    for alignment in ("compiled", "aligned"):
        scenario_file.write_text(SMALL + f'[kernel]\nalignment = "{alignment}"')
        (row,) = compare_scenario(scenario_file, Selection(("reserve",), ("acr",))).report.rows
        assert row.heap is not None
        reserved[alignment] = row.heap.reserved
    assert reserved["compiled"] < reserved["aligned"]


def test_the_console_is_reached_although_devices_fill_the_window_up_to_ram(scenario_file: Path) -> None:
    """The page one too many is looked for beside the devices, and must not be RAM, which nobody could attach."""
    scenario_file.write_text(
        'board = "coyotos16"\n[workload]\nrun = ["boot"]\n[[device]]\nname = "all"\nsize = "1 GB"\n'
    )
    (row,) = compare_scenario(scenario_file, Selection(("slab",), ("acr",))).report.rows
    assert row.console is True
