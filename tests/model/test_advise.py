"""Advice: the right order, values that are tight, answers for boards and devices that cannot work."""

import msgspec
import pytest

from emu.errors import UsageError
from emu.options import MachineOptions
from kernel_model.advise import (
    ANNOUNCEMENT,
    GOALS,
    Advice,
    advise,
    attaches_all,
    devices_of,
    largest_more,
    least,
    needed,
    smallest,
    tunables_of,
    tuned,
)
from kernel_model.choices import Mapping
from kernel_model.devices import Arrival, Departure
from kernel_model.experiment import nucleus_of
from kernel_model.scenario import DeviceTable, Scenario, load_scenario
from kernel_model.strategies import STRATEGIES

DEVICES = "graphics-8,network,usb@late"


@pytest.fixture(scope="module")
def robust() -> Advice:
    return advise(None, "coyotos32", DEVICES, GOALS["robust"])


def test_the_advised_value_completes_the_scenario_and_one_header_less_refuses(robust: Advice) -> None:
    chosen = robust.chosen
    assert chosen.row.device_pages is not None
    assert chosen.row.device_pages.refused == 0
    (value,) = chosen.values
    scenario = msgspec.structs.replace(load_scenario(), board="coyotos32", device=devices_of(DEVICES))
    strategy, mapping = STRATEGIES[chosen.strategy], Mapping(chosen.mapping)
    name, page = value.key.removeprefix("reserve."), value.bytes // value.headers
    enough, less = ({"device": 0, "over": 0, "keep": 0, name: value.bytes - n * page} for n in (0, 1))
    assert attaches_all(tuned(scenario, strategy, mapping, enough), MachineOptions())
    assert not attaches_all(tuned(scenario, strategy, mapping, less), MachineOptions())


def test_rows_come_in_the_order_of_the_goal(robust: Advice) -> None:
    rows = [robust.chosen.row, *(other.row for other in robust.others)]
    keys = [GOALS["robust"].key(row) for row in rows]
    assert keys[1:] == sorted(keys[1:])
    assert keys[0][:2] == min(key[:2] for key in keys)
    assert robust.announcement.endswith("set reserve=1041 and reboot")  # 1024 + 16 + 1 pages of 8 KB


@pytest.mark.slow
def test_memory_is_the_smallest_heap_of_all_that_attach_everything() -> None:
    answer = advise(None, "coyotos32", DEVICES, GOALS["memory"])
    heaps = [item.row.heap.reserved for item in (answer.chosen, *answer.others) if item.row.heap]
    assert heaps[0] == min(heaps)


def test_a_strategy_that_grows_takes_a_larger_device_and_a_tight_reserve_none(robust: Advice) -> None:
    assert robust.chosen.strategy == "reserve"
    assert robust.largest_more == 0
    scenario = msgspec.structs.replace(load_scenario(), board="coyotos32", device=devices_of(DEVICES))
    slab = tuned(scenario, STRATEGIES["slab"], Mapping.ACR, {})
    assert largest_more(slab, MachineOptions()) >= 16 << 20


def test_what_a_board_cannot_have_is_said() -> None:
    answer = advise(None, "coyotos32", "network,rebar-16384", GOALS["latency"])
    assert answer.chosen.row.refusal is not None
    assert "do not fit the board's device window" in answer.chosen.row.refusal
    assert answer.largest_more == 0
    assert answer.announcement.endswith("set reserve=16 and reboot")  # no number helps the card


@pytest.mark.parametrize("enough", [0, 1, 7, 146, 16401])
@pytest.mark.parametrize("slack", [0, 1, 2, 3, 100, 20000])
def test_the_least_number_that_works(enough: int, slack: int) -> None:
    limit = max(0, enough - slack)
    assert least(enough, lambda n: n >= limit) == limit


def test_devices_of_a_list() -> None:
    assert devices_of("network, 16 MB@late") == [
        DeviceTable(name="network 1", kind="network"),
        DeviceTable(name="16 MB 2", size="16 MB", arrival=Arrival.LATE),
    ]
    assert devices_of("usb@late@back") == [
        DeviceTable(name="usb 1", kind="usb", arrival=Arrival.LATE, departure=Departure.BACK)
    ]


@pytest.mark.slow
def test_the_reserve_covers_the_headers_that_a_move_leaves_behind() -> None:
    """A header for each page at both addresses; what moves after a release must have been kept."""
    scenario = msgspec.structs.replace(load_scenario(), board="coyotos32", device=devices_of("1MB@elsewhere,usb@late"))
    assert needed(scenario, Mapping.ACR) == {"device": 257 << 13, "over": 257 << 13, "keep": 129 << 13}
    options, strategy = MachineOptions(), STRATEGIES["reserve+release"]
    values = smallest(scenario, strategy, Mapping.ACR, needed(scenario, Mapping.ACR), options)
    assert attaches_all(tuned(scenario, strategy, Mapping.ACR, values), options)
    for name in ("over", "keep"):
        assert not attaches_all(tuned(scenario, strategy, Mapping.ACR, {**values, name: values[name] - 8192}), options)


@pytest.mark.parametrize(
    ("board", "devices", "complaint"),
    [
        ("nope", None, "--board: unknown board 'nope'"),
        (None, "gpu", "--devices 'gpu': neither a size nor a kind of device"),
        (None, "usb@noon", "--devices 'usb@noon': 'noon' is not one of configuration, late, unplugged, back"),
        (None, "usb@back@elsewhere", "--devices 'usb@back@elsewhere': says its departure twice"),
        (None, "0", "device[0].size: must be positive, not 0"),
    ],
)
def test_bad_input_is_named(board: str | None, devices: str | None, complaint: str) -> None:
    with pytest.raises(UsageError) as error:
        advise(None, board, devices, GOALS["latency"])
    assert complaint in str(error.value)


def test_which_values_a_strategy_has() -> None:
    expected = {"reserve": ["device"], "release": ["over"], "reserve+release": ["over", "keep"], "slab": [], "grow": []}
    assert {name: tunables_of(STRATEGIES[name]) for name in expected} == expected


def test_the_announcement_is_what_the_nucleus_writes() -> None:
    assert ANNOUNCEMENT.encode() in nucleus_of(Scenario()).path.read_bytes()


def test_a_kernel_that_halts_at_the_next_device_is_no_advice(robust: Advice) -> None:
    """Without a card the kernel that reserves nothing and halts would be as fast as any, and the smallest."""
    row = robust.chosen.row
    halts = msgspec.structs.replace(row, strategy="head")
    assert all(goal.key(row) < goal.key(halts) for goal in GOALS.values())
