"""Devices that leave: the headers they leave behind, those that serve again, and what a reserve must hold for them."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from emu.options import MachineOptions
from kernel_model.comparison import Selection, compare_scenario
from kernel_model.report.table import print_rows
from kernel_model.results import Row
from kernel_model.scenario import ScenarioError, parse_scenario

HEADERS = 32  # of a card of 256 KB
CARDS = """
[[device]]
name = "card"
size = "256 KB"
departure = "{}"
[[device]]
name = "flash"
size = "512 KB"
"""
Run = Callable[..., Row]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Computes one row in which the card departs so."""

    def row(
        departure: str,
        *,
        recycle: bool = False,
        strategy: str = "reserve",
        mapping: str = "acr",
        engine: str = "auto",
        more: str = 'board = "coyotos16"',
    ) -> Row:
        workload = f"[workload]\nrun = ['boot', 'bring-up']\nhot_plug_recycle = {str(recycle).lower()}\n"
        file = tmp_path / "departures.toml"
        file.write_text(f"{more}\n{workload}{CARDS.format(departure)}")
        report = compare_scenario(file, Selection((strategy,), (mapping,)), MachineOptions(engine=engine)).report
        return report.rows[0]

    return row


def figures(row: Row) -> tuple[int, int, int, int]:
    """Pages attached and refused, headers leaked and reused."""
    assert row.device_pages is not None
    assert row.unplugged_headers is not None
    return (
        row.device_pages.attached,
        row.device_pages.refused,
        row.unplugged_headers.leaked,
        row.unplugged_headers.reused,
    )


@pytest.mark.parametrize(
    ("departure", "recycle", "expected"),
    [
        ("never", False, (96, 0, 0, 0)),
        ("unplugged", False, (64, 0, HEADERS, 0)),
        ("unplugged", True, (64, 0, 0, HEADERS)),
        ("back", False, (96, 0, 0, HEADERS)),
        ("back", True, (96, 0, 0, HEADERS)),
        ("elsewhere", False, (96, 0, HEADERS, 0)),
        ("elsewhere", True, (96, 0, 0, HEADERS)),
    ],
)
def test_headers_of_devices_that_leave(
    run: Run, departure: str, recycle: bool, expected: tuple[int, int, int, int]
) -> None:
    row = run(departure, recycle=recycle)
    assert figures(row) == expected
    assert row.workloads is not None
    operations = row.workloads["bring-up"].operations
    gone, returned = (0 if departure in none else HEADERS for none in (["never"], ["never", "unplugged"]))
    assert operations["attach"].count == 96 + returned
    assert (operations["detach"].count if gone else 0) == gone
    assert row.refusal is None


@pytest.mark.parametrize("departure", ["back", "elsewhere"])
def test_a_return_is_the_same_in_all_engines(run: Run, departure: str) -> None:
    rows = [
        run(departure, mapping="paged-8k", strategy="grow", engine=engine)
        for engine in ("native", "public", "reference")
    ]
    assert rows[0] == rows[1] == rows[2]


def test_the_number_announced_is_enough_for_a_device_that_moves(run: Run) -> None:
    """The headers of the place that was left are in it; each reserve holds what boot estimates too many, besides."""
    board, page = 'board = "coyotos16"', 8192

    def reserve(headers: int) -> Row:
        return run("elsewhere", more=f"{board}\n[reserve]\ndevice = {headers * page}")

    refused = reserve(96)  # enough if nothing moved
    assert "card, plugged in elsewhere: " in (refused.refusal or "")
    assert figures(refused)[2] == HEADERS
    assert refused.console is True
    found = re.search(r"re-tune with reserve=(\d+)", refused.refusal or "")
    assert found is not None
    assert int(found[1]) == 96 + HEADERS
    assert figures(reserve(int(found[1]))) == (96, 0, HEADERS, 0)


def test_headers_do_not_lie_in_a_device_that_leaves(run: Run) -> None:
    stays, leaves = (run(departure, strategy="altmap") for departure in ("never", "back"))
    assert "card" not in (stays.refusal or "")
    assert "card has no memory that stays" in (leaves.refusal or "")
    assert "flash" not in (leaves.refusal or "")


def test_a_window_without_another_place_refuses_the_return(run: Run) -> None:
    last = '[[device]]\nname = "last page of the window"\nsize = 8192\nbase = 0x8FFFE000\n'
    row = run("elsewhere", mapping="unlocked-1m", more=f'board = "m5475evb"\n{last}')
    assert figures(row) == (65, HEADERS, HEADERS, 0)
    assert "card, plugged in elsewhere: 262144 bytes do not fit the board's device window" in (row.refusal or "")
    assert "reserve=" not in (row.refusal or "")  # no number helps it


def test_leaks_are_in_table_and_verdict_only_where_there_are_any(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    text = []
    for departure in ("never", "elsewhere"):
        print_rows([run(departure)], title="a test", engine="native")
        text.append(capsys.readouterr().out)
    assert "leaked" not in text[0]
    assert " leaked" in text[1]
    assert f"Pages that were unplugged keep {HEADERS} page headers" in text[1]


def test_an_unknown_departure_is_named_by_its_key() -> None:
    with pytest.raises(ScenarioError) as caught:
        parse_scenario(CARDS.format("sometimes").encode(), "t")
    assert caught.value.key == "device[0].departure"
