"""Scenario files: what they may say, and one clear line for what they may not."""

import itertools
from pathlib import Path

import pytest

from kernel_model.choices import Flush, Handler, Mapping
from kernel_model.devices import CATALOGUE, Arrival, Device, place
from kernel_model.scenario import Scenario, ScenarioError, load_scenario, packaged_scenarios, parse_scenario, parse_size

MEGABYTE = 1 << 20


def test_default_scenario() -> None:
    scenario = load_scenario()
    assert scenario.board == "coyotos128"
    devices = {device.name: device for device in scenario.devices()}
    assert devices["graphics card"].size == 128 * MEGABYTE
    assert devices["USB controller"].arrival is Arrival.LATE
    assert not devices["network card"].memory


def test_default_file_states_every_default() -> None:
    """The file documents the defaults, so it must not differ from them."""
    scenario, empty = load_scenario(), Scenario()
    assert scenario.kernel == empty.kernel
    assert scenario.bank == empty.bank
    assert scenario.workload == empty.workload
    assert scenario.reserve.amounts() == empty.reserve.amounts()
    text = packaged_scenarios()["default"].read_text()
    for table in (scenario.kernel, scenario.reserve, scenario.bank):
        for key in table.__struct_fields__:
            assert f"\n{key} = " in text, key


@pytest.mark.parametrize("name", packaged_scenarios())
def test_packaged_scenarios_load_by_name(name: str) -> None:
    assert load_scenario(Path(name)).summary


def test_choices_are_enumerations() -> None:
    scenario = parse_scenario(
        b'mappings = ["acr"]\nstrategies = ["slab"]\n[kernel]\nhandler = "linear"\nflush = "asid"', "t.toml"
    )
    assert scenario.mappings == [Mapping.ACR]
    assert (scenario.kernel.handler, scenario.kernel.flush) == (Handler.LINEAR, Flush.ASID)


@pytest.mark.parametrize(
    ("value", "size"), [(4096, 4096), ("128 MB", 128 * MEGABYTE), ("4KB", 4096), ("1 G", 1 << 30), ("12", 12)]
)
def test_sizes(value: int | str, size: int) -> None:
    assert parse_size(value) == size


@pytest.mark.parametrize(
    ("text", "key", "why"),
    [
        ("colour = 1", "colour", "unknown key"),
        ("[kernel]\nheap = 1", "kernel.heap", "unknown key"),
        ('[[device]]\nsize = 4096\nspeed = "fast"', "device[0].speed", "unknown key"),
        ("seed = 'x'", "seed", "expected `int`, got `str`"),
        ("seed = 0", "seed", "must be 1 to"),
        ('board = "amiga"', "board", "unknown board 'amiga'; known: "),
        ('strategies = ["hope"]', "strategies[0]", "unknown strategy 'hope'"),
        ('mappings = ["acr", "segments"]', "mappings[1]", "invalid enum value 'segments'"),
        ("[[device]]\nsize = -4096", "device[0].size", "must be positive, not -4096"),
        ('[[device]]\nsize = "-8 MB"', "device[0].size", "must be positive"),
        ('[[device]]\nsize = "many"', "device[0].size", "is not a size"),
        ('[[device]]\nsize = "99999999999 GB"', "device[0].size", "must be at most 1024 GB"),
        ('[workload]\nstorm_memory = "99999999999 GB"', "workload.storm_memory", "must be 0 to 4 GB"),
        ('[[device]]\nkind = "toaster"', "device[0].kind", "unknown kind 'toaster'"),
        ('[[device]]\nname = "x"', "device[0]", "needs a size or a kind"),
        (
            '[[device]]\nname = "x"\nsize = 1\n[[device]]\nname = "x"\nsize = 1',
            "device[1].name",
            "another device's name",
        ),
        ("[[device]]\nsize = 8192\nbase = 0xC0000000", "device[0].base", "overlaps RAM"),
        ("[[device]]\nsize = 8192\nbase = 0x80000001", "device[0].base", "is not a page address"),
        (
            "[[device]]\nsize = 16384\nbase = 0x80000000\n[[device]]\nsize = 8192\nbase = 0x80002000",
            "device[1].base",
            "overlaps device",
        ),
        ("[reserve]\ndevice = -1", "reserve.device", "must be 0 to 4 GB"),
        ("[workload]\nprocesses = 1", "workload.processes", "must be 2 to 301"),
        ("[workload]\nfan_in_clients = 301", "workload.fan_in_clients", "must be 1 to 300"),
        ("[workload]\nfan_in_capabilities = 5", "workload.fan_in_capabilities", "must be 1 to 4"),
        ('[workload]\nrun = ["fault-storm"]\nstorm_memory = "33 MB"', "workload.storm_memory", "up to half of 128 MB"),
        ('[workload]\nrun = ["fault-storm"]\nstorm_memory = "much"', "workload.storm_memory", "is not a size"),
        ('[workload]\nrun = ["fault-storm"]\ngpt_depth = 2', "workload.gpt_depth", "reach 1048576 bytes"),
        ('[workload]\nrun = ["churn"]\nchurn_exchanges = 20000', "workload.churn_exchanges", "table entries"),
        (
            '[workload]\nrun = ["churn", "aging"]\nchurn_exchanges = 9000\naging_allocations = 12000',
            "workload.aging_allocations",
            "table entries",
        ),
        ('[workload]\nstring_size = "65 KB"', "workload.string_size", "must be 1 to 65536 bytes"),
        ('[workload]\nstring_size = "long"', "workload.string_size", "is not a size"),
        ('[workload]\nhot_plug_size = "0 KB"', "workload.hot_plug_size", "must be 1 byte to 2 GB"),
        ("[workload]\nhot_plug_recycle = 1", "workload.hot_plug_recycle", "expected `bool`, got `int`"),
        ('[workload]\nrun = ["sleep"]', "workload.run[0]", "unknown workload 'sleep'"),
        ("[bank]\nallocated_percent = 101.0", "bank.allocated_percent", "must be 0 to 100"),
    ],
)
def test_bad_scenarios_name_file_and_key(text: str, key: str, why: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        parse_scenario(text.encode(), "bad.toml")
    message = str(caught.value)
    assert message.startswith(f"bad.toml: {key}: ")
    assert why in message
    assert "\n" not in message


def test_not_toml() -> None:
    with pytest.raises(ScenarioError, match=r"^bad\.toml: not a TOML file"):
        parse_scenario(b"[kernel", "bad.toml")


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="no such file"):
        load_scenario(tmp_path / "none.toml")


def test_a_device_too_large_for_the_window_is_refused_not_bad_input() -> None:
    scenario = parse_scenario(b'board = "m5475evb"\n[[device]]\nkind = "graphics-512"', "t.toml")
    (placed,) = place(scenario.devices(), (0x80000000, 256 * MEGABYTE), 8192)
    assert "do not fit the board's device window" in placed.refusal


def test_placing_aligns_like_base_address_registers_and_never_overlaps() -> None:
    devices = [Device(kind, CATALOGUE[kind].size) for kind in ("usb", "graphics-128", "network", "usb", "graphics-64")]
    placed = place(devices, (0x80000000, 1 << 30), 8192)
    assert not any(item.refusal for item in placed)
    for item in placed:
        assert item.base % max(item.device.size, 8192) == 0
    spans = sorted((item.base, item.end) for item in placed)
    assert all(left[1] <= right[0] for left, right in itertools.pairwise(spans))


def test_a_fixed_base_is_kept_and_others_go_round_it() -> None:
    devices = [Device("a", 8192), Device("b", 8192, base=0x80000000)]
    placed = place(devices, (0x80000000, 1 << 20), 8192)
    assert [item.base for item in placed] == [0x80002000, 0x80000000]


def test_no_window() -> None:
    (placed,) = place([Device("a", 8192)], None, 8192)
    assert placed.refusal == "the board has no device window"
