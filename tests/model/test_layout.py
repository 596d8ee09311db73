"""The plan: what it puts in the parameter block, and what it refuses, with the reason in words."""

import dataclasses

import pytest

from emu.board import get_board
from kernel_model import abi
from kernel_model.choices import Mapping
from kernel_model.devices import Device, PlacedDevice
from kernel_model.layout import DIRECT_KINDS, Plan, PlanRefused, make_plan
from kernel_model.scenario import Scenario, parse_scenario
from kernel_model.strategies import STRATEGIES

MEGABYTE = 1 << 20
CARD = Device("card", 128 * MEGABYTE)
REGISTERS = Device("net", 128 << 10, memory=False)


def plan(
    strategy: str = "reserve",
    mapping: Mapping = Mapping.ACR,
    *,
    board: str = "coyotos128",
    toml: str = "",
    devices: tuple[Device, ...] = (CARD, REGISTERS),
    ram: int | None = None,
) -> Plan:
    scenario: Scenario = parse_scenario(toml.encode(), "test.toml")
    made = get_board(board)
    if ram is not None:
        made = dataclasses.replace(made, ram=((made.ram[0][0], ram),))
    return make_plan(scenario, made, STRATEGIES[strategy], mapping, devices)


def refusal(*args: str | Mapping, **options: object) -> str:
    with pytest.raises(PlanRefused) as caught:
        plan(*args, **options)  # type: ignore[arg-type]
    return str(caught.value)


def test_parameters_of_the_reserve() -> None:
    made = plan()
    counts, strides = made.parameters.values["vector_count"], made.parameters.values["vector_stride"]
    assert counts[abi.Vector.RESERVE] == 160 * MEGABYTE // 8192
    assert strides[abi.Vector.PAGE] == strides[abi.Vector.RESERVE] == 56
    assert made.parameters["growth"] == abi.GrowthKind.NONE
    assert made.parameters["console_reserve"] == 16
    assert made.locked_data_entries == 0


def test_small_pages_double_the_headers() -> None:
    made = plan(mapping=Mapping.PAGED_4K)
    assert made.parameters["page_shift"] == 12
    assert made.parameters["console_reserve"] == made.parameters["console_pages"] == 32
    assert made.parameters.values["vector_count"][abi.Vector.RESERVE] == 2 * 160 * MEGABYTE // 8192


def test_the_console_reserve_leaves_the_slack_alone() -> None:
    with_console = plan("head").parameters.values["vector_count"][abi.Vector.PAGE]
    without = plan("head", toml="[reserve]\nconsole = 0").parameters.values["vector_count"][abi.Vector.PAGE]
    assert with_console == without + 16


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("mapping", list(Mapping))
def test_every_combination_is_planned_or_refused_in_words(strategy: str, mapping: Mapping) -> None:
    if mapping in STRATEGIES[strategy].cannot:
        assert len(refusal(strategy, mapping).split()) > 5
    else:
        assert plan(strategy, mapping).direct == (mapping in DIRECT_KINDS)


def test_acr_needs_sdram_where_the_kernel_is_linked() -> None:
    assert "SDRAM lies at 0x00000000" in refusal(board="coyotos128-low")
    assert plan(mapping=Mapping.UNLOCKED_1M, board="coyotos128-low").constant == 0xC0000000


def test_acr_needs_a_power_of_two() -> None:
    assert "power of two" in refusal(ram=96 * MEGABYTE)


def test_locked_entries_run_out() -> None:
    """With Depend and RevMap the heap takes 18 MB at 128 MB, and the over-reserve 3.5 MB more; at 512 MB it is 70."""
    made = plan("reserve", Mapping.LOCKED_1M, toml="[kernel]\ntables = true")
    assert made.locked_data_entries == 1 + 19
    reason = refusal("reserve", Mapping.LOCKED_1M, toml="[kernel]\ntables = true", ram=256 * MEGABYTE)
    assert "locked 1-MB entries" in reason
    assert "27 may be locked" in reason


def test_grow_and_hybrid_exclude_each_other() -> None:
    assert "hybrid" in refusal("grow", Mapping.ACR)
    assert "grow" in refusal("hybrid", Mapping.PAGED_8K)
    assert plan("grow", Mapping.PAGED_8K).parameters["growth_va"] == 0
    assert plan("hybrid", Mapping.ACR).parameters["growth_va"] > abi.KVA + 128 * MEGABYTE


def test_slab_needs_a_direct_map() -> None:
    assert "every frame to have a kernel address" in refusal("slab", Mapping.PAGED_8K)


def test_altmap_needs_memory_not_registers() -> None:
    assert "has memory and stays" in refusal("altmap", Mapping.ACR, devices=(REGISTERS,))
    too_large = (Device("card", 512 * MEGABYTE), REGISTERS)
    assert "has memory and stays" in refusal("altmap", Mapping.UNLOCKED_1M, board="m5475evb", devices=too_large)
    assert plan("altmap", devices=()).parameters["growth"] == abi.GrowthKind.ALTMAP


def test_altmap_holds_back_whole_megabytes_at_the_end_of_the_device() -> None:
    made = plan("altmap", toml="[kernel]\naltmap_large_pages = true")
    card, registers = made.devices
    assert made.parameters["growth_shift"] == 20
    assert made.parameters["growth_pages"] == 128
    assert made.header_pages_in(card) * 8192 == MEGABYTE
    assert made.header_pages_in(registers) == 0
    assert plan("reserve").header_pages_in(card) == 0


def test_altmap_holds_back_no_more_pages_than_headers_need() -> None:
    made = plan("altmap")
    assert made.parameters["growth_shift"] == 13
    assert made.header_pages_in(made.devices[0]) == 112  # 16272 headers of 56 bytes fill 111.2 pages
    small = plan("altmap", devices=(Device("lcd", MEGABYTE),), toml="[kernel]\naltmap_large_pages = true")
    assert small.parameters["growth_shift"] == 13
    assert small.header_pages_in(small.devices[0]) == 1
    odd = Device("lcd", 5 * MEGABYTE // 2)  # whole megabytes at its end would begin in the middle of one
    assert plan("altmap", devices=(odd,), toml="[kernel]\naltmap_large_pages = true").parameters["growth_shift"] == 13


def test_altmap_holds_back_what_counting_up_would() -> None:
    made = plan("altmap")
    for size in (*range(8192, 100 * 8192, 8192), 145 * 8192, 146 * 8192, 147 * 8192, 512 * MEGABYTE, 1 << 40):
        card = PlacedDevice(Device("card", size), 0x80000000)
        held, total = made.header_pages_in(card), card.pages(8192)
        assert held in (0, -(-total * 56 // (8192 + 56)))
        assert held * 8192 >= (total - held) * 56 or total == 1
        assert (held - 1) * 8192 < (total - held + 1) * 56


def test_a_reserve_larger_than_ram_is_refused() -> None:
    assert "of 16 MB of RAM" in refusal("release", Mapping.PAGED_8K, ram=16 * MEGABYTE, toml='[reserve]\nover = "4 GB"')


def test_growth_window_must_be_free() -> None:
    reason = refusal("hybrid", Mapping.UNLOCKED_1M, board="firebee", ram=1024 * MEGABYTE)
    assert "growth window" in reason
