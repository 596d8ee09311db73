"""How `cfemu run` cuts a run into slices and prints what it counted; no machine runs here."""

import io
import json
import re
from pathlib import Path

import pytest
from rich.console import Console

from emu.counters import Counters, Misses, Operation
from emu.errors import GuestError
from emu.foreground import SLICE_SECONDS, RunReport, next_slice, remaining
from emu.run_report import MAX_SYMBOLS, counter_rows, miss_table, print_tables, to_dict

DOCUMENT = (Path(__file__).resolve().parents[2] / "docs" / "json.md").read_text()

COUNTERS = Counters(
    instructions=2000,
    cycles=3000,
    refill_cycles=300,
    misses=Misses(itlb=1, dtlb=3, itlb_user=1, dtlb_kernel=3, by_region={"heap": {"itlb": 1, "dtlb": 3}}),
    exceptions={2: 4, 33: 1},
    operations={5: Operation({30: 1, 60: 1})},
)


def report(**changes: object) -> RunReport:
    values = {
        "elf": Path("some/where/a.elf"),
        "board": "m5475evb",
        "engine": "native",
        "tlb": 32,
        "timing": "flat",
        "clock": "cycles",
        "reason": "HALT",
        "exit_status": 0,
        "pc": 0x1000,
        "symbol": "start",
        "console": b"ok\xff",
        "counters": COUNTERS,
        **changes,
    }
    return RunReport(**values)  # type: ignore[arg-type]


def rendered(rows: dict[str, dict[str, int]]) -> list[list[str]]:
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(miss_table("symbol", rows))
    return [line.split() for line in console.export_text().splitlines()]


@pytest.mark.parametrize(("budget", "used", "left"), [(None, 7, None), (10, 0, 10), (10, 7, 3), (10, 12, 0)])
def test_what_is_left_of_a_budget(budget: int | None, used: int, left: int | None) -> None:
    assert remaining(budget, used) == left


def test_slices_grow_while_short_and_shrink_when_long() -> None:
    assert next_slice(1000, SLICE_SECONDS / 10) == 2000
    assert next_slice(1000, SLICE_SECONDS) == 1000
    assert next_slice(1000, SLICE_SECONDS * 10) == 500
    assert next_slice(1, SLICE_SECONDS * 10) == 1


def test_the_rows_carry_rates_and_shares() -> None:
    rows = {name.strip(): (value, remark) for name, value, remark in counter_rows(COUNTERS)}

    assert rows["cycles"] == (3000, "1.50 per instruction")
    assert rows["in TLB refills"] == (300, "10.00 % of the cycles")
    assert rows["TLB misses"] == (4, "2.000 per 1000 instructions")
    assert rows["data side"] == (3, "0 user, 3 kernel")
    assert rows["exceptions, vector 33"] == (1, "")
    assert "bus errors" not in rows


def test_nothing_run_divides_nothing_by_nothing() -> None:
    assert ("cycles", 0, "0.00 per instruction") in counter_rows(Counters())


def test_misses_are_ranked_and_the_tail_is_summed() -> None:
    rows = {f"s{i:02}": {"itlb": 1, "dtlb": i} for i in range(MAX_SYMBOLS + 3)}
    lines = rendered(rows)

    assert lines[2] == [f"s{MAX_SYMBOLS + 2}", "1", str(MAX_SYMBOLS + 2), str(MAX_SYMBOLS + 3)]
    assert lines[-1] == ["3", "more", "3", "3", "6"]


def test_the_json_is_plain_and_keeps_every_console_byte() -> None:
    values = json.loads(json.dumps(to_dict(report(error=GuestError("lost", "pc 0")))))

    assert values["elf"] == "a.elf"
    assert values["console"] == "ok\\xff"
    assert values["error"] == {"message": "lost", "state": "pc 0"}
    assert values["counters"]["misses"]["by_region"] == {"heap": {"itlb": 1, "dtlb": 3}}


def test_every_key_of_the_json_is_documented() -> None:
    documented = set(re.findall(r"`(\w+)`", DOCUMENT))
    values = to_dict(report())

    assert set(values) <= documented
    assert set(values["counters"]) <= documented
    assert {"itlb", "dtlb", "nested", "by_region", "by_symbol"} <= documented


def test_the_tables_start_on_a_line_of_their_own(capsys: pytest.CaptureFixture[str]) -> None:
    print_tables(report(console=b"no newline"))

    first, second, *_ = capsys.readouterr().out.splitlines()
    assert first == ""
    assert second == "a.elf on m5475evb, native engine: HALT at 0x00001000 (start)"
