"""``cfemu compare`` from the outside: real guest code, one row at a time, and one clear line for bad input."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from kernel_model.schema import report_schema

ROOT = Path(__file__).resolve().parents[2]


def cfemu(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-m", "kernel_model.cli", *map(str, arguments)],
        capture_output=True, text=True, env=environment, check=False, timeout=300,
    )  # fmt: skip


def rows(*arguments: str | Path) -> dict[str, Any]:
    """The report of one comparison, validated, as a document."""
    done = cfemu("compare", *arguments, "--json")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    document: dict[str, Any] = json.loads(done.stdout)
    jsonschema.Draft202012Validator(report_schema()).validate(document)
    return document


def small(tmp_path: Path, text: str = "") -> Path:
    """A scenario with little work: 1 MB of graphics memory, few operations."""
    file = tmp_path / "small.toml"
    file.write_text(
        text
        + "\n[workload]\nrun = ['ping-pong', 'frame-buffer', 'cold-prepare-0']\nipc_round_trips = 20\nprepares = 50\n"
        "frame_buffer_rounds = 10\n[[device]]\nname = 'card'\nkind = 'graphics-8'\n"
    )
    return file


def kernel_heap_misses(row: dict[str, Any]) -> int:
    regions = row["misses"]["by_region"]
    return sum(sides["itlb"] + sides["dtlb"] for name, sides in regions.items() if name.startswith("heap."))


def test_json_is_deterministic_whatever_the_engine(tmp_path: Path) -> None:
    file = small(tmp_path)
    options = ("--strategy", "slab", "--strategy", "grow", "--json")
    first = cfemu("compare", file, *options)
    again = cfemu("compare", file, *options)
    public = cfemu("compare", file, *options, "--engine", "public")
    assert first.returncode == 0, first.stderr
    assert first.stdout == again.stdout
    assert json.loads(public.stdout)["engine"] == "public"
    assert {**json.loads(public.stdout), "engine": ""} == {**json.loads(first.stdout), "engine": ""}
    assert str(ROOT) not in first.stdout


def test_direct_mapped_heap_by_acr_is_never_missed_and_a_growable_part_is(tmp_path: Path) -> None:
    file = small(tmp_path)
    report = rows(file, "--mapping", "acr", "--strategy", "reserve", "--strategy", "slab", "--strategy", "hybrid")
    found = {row["strategy"]: row for row in report["rows"]}
    assert kernel_heap_misses(found["reserve"]) == kernel_heap_misses(found["slab"]) == 0
    assert found["hybrid"]["misses"]["by_region"]["heap.growth"]["dtlb"] > 0
    assert found["hybrid"]["frames"]["taken_back"] == found["slab"]["frames"]["taken_back"] > 0
    assert found["reserve"]["frames"]["taken_back"] == 0


def test_grow_takes_back_promised_frames(tmp_path: Path) -> None:
    (row,) = rows(small(tmp_path), "--strategy", "grow", "--mapping", "paged-8k")["rows"]
    # 8 MB are 1024 pages; 146 headers of 56 bytes fill a frame, and the boot estimate leaves a few over.
    assert row["frames"]["taken_back"] == row["frames"]["lost"] == 7
    assert row["device_pages"] == {"attached": 1024, "refused": 0}
    assert row["misses"]["by_region"]["heap.growth"]["dtlb"] > 0


def test_a_reserve_of_nothing_refuses_the_card_and_the_console_says_so(tmp_path: Path) -> None:
    (row,) = rows(small(tmp_path, "[reserve]\ndevice = 0"), "--strategy", "reserve", "--mapping", "acr")["rows"]
    assert row["device_pages"]["refused"] > 1000
    assert row["console"] is True
    assert "re-tune with reserve=1024 and reboot" in row["refusal"]


def test_without_a_console_reserve_nobody_is_told(tmp_path: Path) -> None:
    text = "[reserve]\ndevice = 0\nconsole = 0"
    (row,) = rows(small(tmp_path, text), "--strategy", "reserve", "--mapping", "acr")["rows"]
    assert row["console"] is False


def test_head_halts(tmp_path: Path) -> None:
    (row,) = rows(small(tmp_path), "--strategy", "head", "--mapping", "paged-8k")["rows"]
    assert "halts" in row["refusal"]
    assert "frame-buffer" not in row["workloads"]
    assert row["console"] is True


def test_refused_combination_is_a_row(tmp_path: Path) -> None:
    (row,) = rows(small(tmp_path), "--strategy", "slab", "--mapping", "paged-8k")["rows"]
    assert row["cycles"] is None
    assert "kernel address" in row["refusal"]


def test_device_too_large_for_the_window_is_a_refusal_in_the_row(tmp_path: Path) -> None:
    file = small(tmp_path)
    file.write_text('board = "m5475evb"\n' + file.read_text().replace("graphics-8", "graphics-512"))
    (row,) = rows(file, "--strategy", "reserve", "--mapping", "unlocked-1m")["rows"]
    assert "do not fit the board's device window" in row["refusal"]
    assert row["device_pages"]["refused"] == 65536


def test_table_and_verdict(tmp_path: Path) -> None:
    done = cfemu("compare", small(tmp_path), "--mapping", "acr", "--strategy", "reserve", "--strategy", "hybrid")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert "\x1b" not in done.stdout
    for word in ("strategy", "reserve", "hybrid", "fewest cycles", "*"):
        assert word in done.stdout


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("colour = 1", "bad.toml: colour: unknown key"),
        ("[[device]]\nsize = -1", "bad.toml: device[0].size: must be positive"),
        ("[[device]]\nsize = 8192\nbase = 0xC0000000", "overlaps RAM"),
    ],
)
def test_bad_scenarios(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "bad.toml"
    file.write_text(text)
    done = cfemu("compare", file)
    assert done.returncode == 2
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert done.stdout == ""


@pytest.mark.parametrize(
    "arguments",
    [("no-such.toml",), ("--strategy", "hope"), ("--mapping", "segments"), ("--seed", "0")],
)
def test_bad_arguments(arguments: tuple[str, ...]) -> None:
    done = cfemu("compare", *arguments)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("strategies", ("grow", "reserve+release", "post, 3")),
        ("workloads", ("boot", "cold-prepare-256")),
        ("scenarios", ("default",)),
        ("boards", ("coyotos128",)),
    ],
)
def test_lists(command: str, words: tuple[str, ...]) -> None:
    done = cfemu(command)
    assert done.returncode == 0, done.stderr
    for word in words:
        assert word in done.stdout
