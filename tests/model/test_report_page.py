"""The figures of the HTML report, and the page itself in a real browser."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from kernel_model.advise import GOALS
from kernel_model.report import figures
from kernel_model.report.entries import Entry, cells, largest_group, read_entries
from kernel_model.results import Row
from tests.support.sweeps import BASE, cfemu, write_sweep

AXES = """
[axes]
board = ["coyotos128", "coyotos64"]
strategy = ["reserve", "head", "slab", "grow"]
mapping = ["acr", "paged-8k"]
"device[0].kind" = ["usb", "text-console"]
[[exclude]]
board = "coyotos64"
mapping = "paged-8k"
"""
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
PHONE, SCREEN = 360, 1200


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report of a small sweep; its rows beside it."""
    directory = tmp_path_factory.mktemp("report")
    sweep = write_sweep(directory, AXES, BASE.replace('"ping-pong"]', '"ping-pong", "bring-up"]'))
    done = cfemu("report", sweep, "--out", directory / "page.html", "--json")
    made = json.loads(done.stdout)
    assert (done.returncode, made["rows"]) == (0, 24)
    return directory / "page.html"


@pytest.fixture(scope="module")
def entries(page: Path) -> list[Entry]:
    return read_entries(page.with_suffix(".rows") / "small.parquet")


@pytest.fixture(scope="module")
def rows(entries: list[Entry]) -> list[Row]:
    return [entry.row for entry in largest_group(entries) if entry.row.cycles is not None]


# --- figures


def test_the_rows_that_are_compared_differ_in_strategy_and_mapping_only(entries: list[Entry]) -> None:
    group = largest_group(entries)
    assert len(group) == 8
    assert len({(entry.row.strategy, entry.row.mapping) for entry in group}) == 8
    assert len({(entry.inputs.scenario.board, entry.device_bytes) for entry in group}) == 1


def test_every_miss_is_in_one_part_of_its_bar(rows: list[Row]) -> None:
    for row, bar in zip(rows, figures.misses_by_region(rows), strict=True):
        assert row.misses is not None
        assert sum(part.value for part in bar.parts) == row.misses.itlb + row.misses.dtlb
    assert max(sum(part.percent for part in bar.parts) for bar in figures.misses_by_region(rows)) == pytest.approx(100)


def test_the_parts_of_a_bill_are_the_refill_cycles(rows: list[Row]) -> None:
    for row, bar in zip(rows, figures.bills(rows), strict=True):
        assert row.misses is not None
        assert row.cycles is not None
        total = sum(part.value for part in bar.parts) * (row.misses.itlb + row.misses.dtlb)
        assert total == pytest.approx(row.cycles.refill + max(0, row.cycles.bill.evicted))


def test_the_best_points_are_beaten_by_none(rows: list[Row]) -> None:
    scatter = figures.pareto(rows)
    best = [point for point in scatter.points if point.best]
    assert best
    for point in scatter.points:
        assert 0 <= point.x <= 100
        assert 0 <= point.y <= 100
        if not point.failed:  # it is best, or one of the best is at least as good in both
            assert any(other.x <= point.x and other.y <= point.y for other in best)
    assert {point.strategy for point in scatter.points if point.failed} <= {"head"}


def test_a_place_of_the_map_shows_the_best_row_for_the_goal(entries: list[Entry]) -> None:
    places = cells(entries)
    assert [(place.ram >> 20, place.device >> 10) for place in places] == [(64, 4), (64, 128), (128, 4), (128, 128)]
    for goal in GOALS.values():
        lines = figures.decision_map(places, goal)
        assert [line[0].ram for line in lines] == ["64 MB", "128 MB"]
        for place, cell in zip(places, [cell for line in lines for cell in line], strict=True):
            keys = {(e.row.strategy, e.row.mapping): goal.key(e.row) for e in place.entries if e.row.cycles is not None}
            assert keys[cell.strategy, cell.mapping] == min(keys.values())


def test_distributions_are_in_order_on_their_axis(rows: list[Row]) -> None:
    found = figures.distributions(rows)
    assert {item.operation for item in found} == {"ipc", "attach"}
    for item in found:
        for one in item.ranges:
            assert 0 <= one.at_p50 <= one.at_p99 <= one.at_worst <= 100
            assert one.p50 <= one.p99 <= one.worst


def test_strips_have_the_heap_of_the_boot_and_32_entries(entries: list[Entry]) -> None:
    group = largest_group(entries)
    heaps = {strip.strategy: sum(part.value for part in strip.parts) for strip in figures.memory_strips(group)}
    by_name = {entry.row.strategy: entry.row for entry in group if entry.row.heap is not None}
    assert heaps.keys() == by_name.keys()
    reserved = by_name["reserve"].heap
    assert reserved is not None
    assert heaps["reserve"] == reserved.reserved
    assert all(strip.locked + strip.free == 32 for strip in figures.tlb_strips(group))


# --- the page


def test_every_row_has_the_command_that_makes_it_again(page: Path) -> None:
    text = page.read_text()
    table = page.with_suffix(".rows") / "small.parquet"
    numbers = {int(number) for number in re.findall(re.escape(f"cfemu rerun {table} --row ") + r"(\d+)", text)}
    assert len(numbers) == sum(entry.row.cycles is not None for entry in read_entries(table))
    assert cfemu("rerun", table, "--row", max(numbers)).returncode == 0


def test_a_second_report_makes_no_run_again(page: Path) -> None:
    before = page.read_text()
    table = page.with_suffix(".rows") / "small.parquet"
    written = table.stat().st_mtime_ns
    assert cfemu("report", table, "--out", page.with_name("second.html")).returncode == 0
    assert table.stat().st_mtime_ns == written
    second = page.with_name("second.html").read_text()
    assert re.sub(r"Written by.*", "", second) == re.sub(r"Written by.*", "", before)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("none.parquet",), "none.parquet: no such file or directory"),
        (("none.toml",), "none.toml"),
        (("--out", "/nowhere/report.html"), "there is no directory /nowhere"),
        (("--out", "/"), "is a directory"),
    ],
)
def test_bad_input_is_one_line(tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    arguments = arguments if "--out" in arguments else (*arguments, "--out", str(tmp_path / "x.html"))
    done = cfemu("report", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "x.html").exists()


# What a browser finds, as JSON in a <pre>: the page is a copy with this script at its end.
PROBE = """
<script>
addEventListener("load", () => {
  document.body.style.cssText = "margin: 0; width: WIDTHpx";  // a window has a least width
  const wide = [...document.querySelectorAll("body *")].filter(e => !e.closest(".scroll") && !e.closest("pre")
    && e.getBoundingClientRect().right > WIDTH + 1).map(e => e.outerHTML.slice(0, 80));
  const table = document.querySelector("table.sortable");
  const column = [...table.tHead.rows[0].cells].findIndex(c => c.textContent === "cycles");
  const values = () => [...table.tBodies[0].rows].map(r => Number(r.cells[column].dataset.value));
  const orders = [values()];
  for (let press = 0; press < 2; press++) {
    table.tHead.rows[0].cells[column].querySelector("button").click();
    orders.push(values());
  }
  const pre = document.createElement("pre");
  pre.id = "probe";
  pre.textContent = JSON.stringify({
    wide, orders,
    fetched: performance.getEntriesByType("resource").map(e => e.name),
    ground: getComputedStyle(document.documentElement).backgroundColor,
  });
  document.body.append(pre);
});
</script>
"""


def look(page: Path, width: int, *options: str) -> dict[str, Any]:
    """What Chromium makes of the page at a width of the window."""
    assert CHROMIUM is not None
    probe = page.with_name("probe.html")
    probe.write_text(page.read_text().replace("</body>", PROBE.replace("WIDTH", str(width)) + "</body>"))
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", f"--window-size={width},900"]
    done = subprocess.run(
        [CHROMIUM, *flags, f"--user-data-dir={page.parent / 'profile'}", *options, "--dump-dom", probe.as_uri()],
        check=True, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert "CONSOLE" not in done.stderr
    found = re.search(r'<pre id="probe">(.*?)</pre>', done.stdout, re.DOTALL)
    assert found is not None
    result: dict[str, Any] = json.loads(found[1].replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"))
    return result


@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")
def test_in_a_browser(page: Path) -> None:
    screen = look(page, SCREEN)
    orders: list[list[int]] = screen["orders"]
    first, up, down = orders
    assert up == sorted(first)
    assert down == up[::-1] != up
    assert screen["fetched"] == []
    phone = look(page, PHONE)
    assert phone["wide"] == []
    dark = look(page, SCREEN, "--blink-settings=preferredColorScheme=0")
    assert dark["ground"] != screen["ground"]
