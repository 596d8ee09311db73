"""`cfemu trace`: tables, JSON, exit status, and one line for everything that goes wrong."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from emu.trace import events as e
from emu.trace.format import Header, MmuSetup, Names, TraceWriter
from tests.cli.test_startup import loaded_by
from tests.support.command import Outcome, runner
from tests.support.toy import Toy
from tests.support.traces import machine_header, program, write

Cfemu = Callable[..., Outcome]
COMMANDS = ("info", "replay", "explain", "import", "export")


@pytest.fixture
def cfemu(capfdbinary: pytest.CaptureFixture[bytes]) -> Cfemu:
    return runner(capfdbinary)


@pytest.fixture
def toy() -> Toy:
    return Toy().run(program(1, 400))


@pytest.fixture
def trace(tmp_path: Path, toy: Toy) -> Path:
    path = tmp_path / "toy.trace"
    header = Header(source="machine", board="toy", mmu=MmuSetup(), regions=(("low", 0, 0x1000_0000),))
    with TraceWriter(path, header) as writer:
        writer.append(*e.events(toy.rows))
        writer.name(Names(phases=("boot",), processes={1: "sh"}))
    return path


def document(outcome: Outcome) -> dict[str, Any]:
    assert outcome.status == 0, outcome.stderr
    assert outcome.stderr == ""
    found: dict[str, Any] = json.loads(outcome.stdout)
    return found


def test_info_tells_what_was_recorded(cfemu: Cfemu, trace: Path, toy: Toy) -> None:
    found = document(cfemu("trace", "info", trace, "--json"))
    text = cfemu("trace", "info", trace).stdout.decode()

    assert found["schema"] == "cfemu-trace-info/1"
    assert found["complete"] is True
    assert found["mmu"]["policy"] == "plru"
    assert found["totals"]["references"] == toy.references
    assert found["totals"]["itlb_misses"] + found["totals"]["dtlb_misses"] == len(toy.misses)
    assert found["processes"] == {"1": "sh"}
    assert f"{toy.references:,}" in text
    assert "low" in text
    assert "process, ASID 1" in text


def test_replay_reproduces_the_recording(cfemu: Cfemu, trace: Path, toy: Toy) -> None:
    outcome = cfemu("trace", "replay", trace)

    assert outcome.status == 0
    assert f"as recorded, every miss and {len(toy.misses):,} loaded entries" in outcome.stdout.decode()
    assert document(cfemu("trace", "replay", trace, "--json"))["results"][0]["misses"] == len(toy.misses)


def test_replay_compares_geometries(cfemu: Cfemu, trace: Path) -> None:
    arguments = ("--entries", "8", "--entries", "16+64", "--policy", "lru", "--page-size", "8k", "--threads", "2")
    found = document(cfemu("trace", "replay", trace, *arguments, "--json"))["results"]
    text = cfemu("trace", "replay", trace, *arguments).stdout.decode()

    assert [r["geometry"]["itlb_entries"] for r in found] == [8, 16]
    assert [r["geometry"]["dtlb_entries"] for r in found] == [8, 64]
    assert {r["geometry"]["page_size"] for r in found} == {8192}
    assert found[0]["misses"] > found[1]["misses"]
    assert "16+64 entries, lru, 8-KB pages" in text
    assert f"{found[1]['misses']:,}" in text


def test_a_recording_that_does_not_reproduce_is_status_1(cfemu: Cfemu, tmp_path: Path, toy: Toy) -> None:
    rows = [(code & ~e.MISSED if code < e.ASIDE else code, a, b) for code, a, b in toy.rows]
    write(tmp_path / "wrong.trace", rows, machine_header())

    outcome = cfemu("trace", "replay", tmp_path / "wrong.trace")

    assert outcome.status == 1
    assert "differ from the recording, first at event" in outcome.stdout.decode()


def test_all_sizes_and_plain_agree(cfemu: Cfemu, trace: Path) -> None:
    sizes = document(cfemu("trace", "replay", trace, "--all-sizes", "--json"))
    plain = document(cfemu("trace", "replay", trace, "--plain", "--entries", "8", "--entries", "32", "--json"))

    assert [row["entries"] for row in sizes["sizes"]] == list(range(1, 129))
    for row in plain["results"]:
        same = sizes["sizes"][row["itlb_entries"] - 1]
        assert (same["itlb_misses"], same["dtlb_misses"]) == (row["itlb_misses"], row["dtlb_misses"])
        assert row["references"] == sizes["references"]
    assert "Misses of an LRU TLB by its size" in cfemu("trace", "replay", trace, "--all-sizes").stdout.decode()
    assert "plain TLBs, fifo" in cfemu("trace", "replay", trace, "--plain", "--policy", "fifo").stdout.decode()


def test_explain_shows_causes_and_what_if(cfemu: Cfemu, trace: Path, toy: Toy) -> None:
    found = document(cfemu("trace", "explain", trace, "--json"))
    text = cfemu("trace", "explain", trace, "--entries", "16", "--what-if", "--threads", "2").stdout.decode()

    assert sum(found["by_class"].values()) == len(toy.misses)
    assert sum(sum(row.values()) for row in found["by_region"].values()) == len(toy.misses)
    assert sum(found["by_process"]["1 sh"].values()) > 0
    for title in ("by cause", "by region", "by process (ASID)", "by phase", "reuse distance", "What if"):
        assert title in text
    assert "128 entries, plru" in text


def test_import_and_export(cfemu: Cfemu, tmp_path: Path, trace: Path) -> None:
    (tmp_path / "a.din").write_text("0 1000\n2 2000\n1 1004\n")
    outcome = cfemu("trace", "import", tmp_path / "a.din", tmp_path / "a.trace", "--from", "din")
    assert outcome.status == 0
    assert "3 references" in outcome.stdout.decode()
    found = document(cfemu("trace", "replay", tmp_path / "a.trace", "--json"))["results"][0]
    assert (found["itlb_misses"], found["dtlb_misses"], found["foreign"]) == (1, 1, True)
    for kind in ("oracleGeneral", "chrome", "collapsed"):
        target = tmp_path / f"out.{kind}"
        outcome = cfemu("trace", "export", trace, target, "--to", kind)
        assert outcome.status == 0
        assert outcome.stdout.decode().startswith(f"{target}: ")
        assert target.stat().st_size > 1000


def test_a_cut_trace_is_used_with_a_warning(cfemu: Cfemu, trace: Path) -> None:
    data = trace.read_bytes()
    trace.write_bytes(data[:-30])

    outcome = cfemu("trace", "replay", trace, "--json")

    assert outcome.status == 0
    assert json.loads(outcome.stdout)["trace"]["complete"] is False
    assert outcome.stderr.splitlines() == [outcome.first_error]
    assert outcome.first_error.startswith(f"cfemu: warning: {trace}: the trace was cut")


def damaged(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]


@pytest.mark.parametrize("command", ["info", "check", "replay", "explain", "export"])
@pytest.mark.parametrize("what", ["empty", "foreign", "missing", "damaged", "directory"])
def test_a_bad_file_is_one_line_and_status_2(
    cfemu: Cfemu, tmp_path: Path, trace: Path, command: str, what: str
) -> None:
    path = tmp_path / "bad.trace"
    if what == "directory":
        path.mkdir()
    elif what != "missing":
        path.write_bytes({"empty": b"", "foreign": b"PK\x03\x04" * 50, "damaged": damaged(trace.read_bytes())}[what])
    arguments = ["trace", command, path]
    if command == "check":
        arguments = ["trace", "info", "--check", path]
    if command == "export":
        arguments += [tmp_path / "out", "--to", "chrome"]

    outcome = cfemu(*arguments)

    if what == "damaged" and command == "info":
        # The damage is in the events, which it does not read.
        assert outcome.status == 0
        return
    assert outcome.status == 2
    assert outcome.stdout == b""
    assert len(outcome.stderr.splitlines()) == 1
    assert "bad.trace" in outcome.stderr


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("--entries", "1"), "2 to 128"),
        (("--entries", "200"), "2 to 128"),
        (("--entries", "a+b"), "expected a number"),
        (("--entries", "1+2+3"), "expected a number"),
        (("--all-sizes", "--entries", "8"), "--all-sizes"),
        (("--policy", "clock"), "clock"),
        (("--page-size", "2k"), "2k"),
        (("--plain", "--entries", "0"), "1 to 128"),
    ],
)
def test_a_bad_option_is_one_line_and_status_2(
    cfemu: Cfemu, trace: Path, arguments: tuple[str, ...], word: str
) -> None:
    outcome = cfemu("trace", "replay", trace, *arguments)

    assert outcome.status == 2
    assert outcome.stdout == b""
    assert len(outcome.stderr.splitlines()) == 1
    assert word in outcome.stderr


@pytest.mark.parametrize("arguments", [("trace", "--help"), *(("trace", c, "--help") for c in COMMANDS)], ids=" ".join)
def test_help_answers_at_once(arguments: tuple[str, ...]) -> None:
    assert loaded_by(*arguments) == []


def test_help_shows_examples(cfemu: Cfemu) -> None:
    for command in COMMANDS:
        assert f"cfemu trace {command} " in cfemu("trace", command, "--help").stdout.decode()
