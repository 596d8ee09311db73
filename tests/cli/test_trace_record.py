"""`cfemu trace record`: what it writes, what it says, and that nothing is lost."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from emu.trace.format import MAGIC, Header, Trace, TraceWriter
from emu.trace.replay import replay
from kernel_model.cli import execute_with_plugins
from tests.support import asm
from tests.support.elfgen import Segment, make_elf

ROOT = Path(__file__).resolve().parents[2]
HELLO = ROOT / "examples" / "hello.elf"


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def cfemu(*arguments: object) -> int:
    return execute_with_plugins([str(argument) for argument in arguments])


def test_a_program_is_run_and_recorded(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert cfemu("trace", "record", HELLO, "--board", "m5475evb") == 0
    output = capfd.readouterr()
    trace = Trace(tmp_path / "hello.trace")
    assert output.out.splitlines() == [
        "hello from the ColdFire V4e",
        "hello.trace: 1,329 instructions, 2,422 references, 62 misses",
    ]
    assert output.err == ""
    assert trace.header.source == "hello.elf"
    assert "walk" in {name for _, name, _ in trace.header.symbols}
    assert replay(trace).refill_cycles == 3348  # as `cfemu run` counts


def test_a_row_of_a_scenario_is_one_json_object(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    arguments = ("--strategy", "reserve", "--mapping", "paged-8k", "--workload", "boot", "--tlb", 16)
    assert cfemu("trace", "record", "--scenario", "default", *arguments, "-o", "boot.trace", "--json") == 0
    found = json.loads(capfd.readouterr().out)
    assert found["schema"] == "cfemu-trace-record/1"
    assert found["source"] == "reserve, paged-8k, boot"
    assert found["mmu"]["itlb_entries"] == 16
    assert found["phases"] == ["boot"]
    totals = found["totals"]
    assert totals["itlb_misses"] + totals["dtlb_misses"] > 1000
    assert replay(Trace(tmp_path / "boot.trace")).misses == totals["itlb_misses"] + totals["dtlb_misses"]


def test_a_guest_that_fails_leaves_a_complete_trace(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    elf = tmp_path / "bad.elf"
    elf.write_bytes(make_elf([Segment(0x1000, asm.moveq(1, asm.D0) + asm.ILLEGAL)]))
    assert cfemu("trace", "record", elf, "--board", "m5475evb") == 2
    assert "its vector is 0" in capfd.readouterr().err
    trace = Trace(tmp_path / "bad.trace")
    assert trace.complete
    assert trace.totals is not None
    assert trace.totals.references >= 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "name either a program or, with --scenario, a scenario"),
        ((HELLO, "--scenario", "default"), "a program and a scenario: name one of them"),
        ((HELLO, "--strategy", "grow"), "--strategy, --mapping and --workload are about a scenario"),
        (("--scenario", "default", "--timeout", "9"), "--board, --max-instructions, --timeout, --load and"),
        (("--scenario", "default", "--board", "m5475evb"), "--board, --max-instructions, --timeout, --load and"),
        (("--scenario", "nope"), "nope: no such file, and no scenario of that name; known: as-at-head, default"),
        (("--scenario", "default", "--strategy", "grow", "--mapping", "acr"), "grow, acr: grow extends one heap"),
        (("--scenario", "default", "--workload", "nope"), "--workload: unknown name 'nope'"),
        (("missing.elf",), "missing.elf: no such file"),
        ((HELLO, "--board", "nope"), "board 'nope' is unknown"),
        ((HELLO, "--timeout", "0"), "--timeout 0: expected a number of seconds above 0"),
        (
            (HELLO, "--board", "m5475evb", "-o", "no/such/folder.trace"),
            "no/such/folder.trace: there is no directory no/such",
        ),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(
    arguments: tuple[object, ...], message: str, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert cfemu("trace", "record", *arguments) == 2
    error = capfd.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_of_a_killed_recording_everything_is_readable_up_to_the_kill(tmp_path: Path) -> None:
    elf = tmp_path / "loop.elf"  # between two pages, without end
    walk = asm.tst("l", asm.at(0x100000)) + asm.tst("l", asm.at(0x200000))
    elf.write_bytes(make_elf([Segment(0x1000, walk + asm.branch_b("ra", -2 - len(walk)))]))
    path = tmp_path / "t.trace"
    command = [sys.executable, "-m", "kernel_model.cli", "trace", "record", str(elf), "--board", "m5475evb"]
    command += ["-o", str(path)]
    child = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while not (path.exists() and path.stat().st_size > 100_000) and time.monotonic() < deadline:
            time.sleep(0.05)
    finally:
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
    trace = Trace(path)
    assert not trace.complete
    assert "the trace was cut" in trace.warning
    result = replay(trace)
    assert result.references > 100_000
    assert result.first_difference is None


def test_what_is_read_is_not_written(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    elf = tmp_path / "h.elf"
    elf.write_bytes(HELLO.read_bytes())
    assert cfemu("trace", "record", elf, "--board", "m5475evb", "-o", elf) == 2
    assert cfemu("trace", "record", elf, "--board", "m5475evb") == 0
    trace = tmp_path / "h.trace"
    before = trace.read_bytes()
    capfd.readouterr()
    assert cfemu("trace", "export", trace, trace, "--to", "chrome") == 2
    assert cfemu("trace", "import", trace, trace, "--from", "din") == 2
    assert capfd.readouterr().err.count("it is read, too; name another file to write") == 2
    assert (elf.read_bytes(), trace.read_bytes()) == (HELLO.read_bytes(), before)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["h.elf", "h.trace"]


def test_why_a_run_ended_is_in_the_json(capfd: pytest.CaptureFixture[str]) -> None:
    options = ("--board", "m5475evb", "--max-instructions", 100, "--json")
    assert cfemu("trace", "record", HELLO, *options) == 0
    assert json.loads(capfd.readouterr().out)["reason"] == "INSTRUCTIONS"


def test_an_older_trace_is_kept(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for _ in range(2):
        assert cfemu("trace", "record", HELLO, "--board", "m5475evb", "-o", "t.trace") == 0
    assert (tmp_path / "t.trace.old").read_bytes() == (tmp_path / "t.trace").read_bytes()


def test_a_trace_that_is_being_written_is_left_alone(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "t.trace"
    with TraceWriter(path, Header(source="the first")):
        before = path.read_bytes()
        assert before.startswith(MAGIC)  # from the first moment
        assert cfemu("trace", "record", HELLO, "--board", "m5475evb", "-o", path) == 2
        assert capfd.readouterr().err == f"cfemu: {path}: another process is writing it\n"
        with pytest.raises(BlockingIOError):
            TraceWriter(path, Header(source="the second"))
        assert path.read_bytes() == before
    assert cfemu("trace", "record", HELLO, "--board", "m5475evb", "-o", path) == 0
    assert Trace(tmp_path / "t.trace.old").header.source == "the first"


@pytest.mark.parametrize("recorded", [False, True])
def test_an_interrupted_recording_says_what_there_is(
    recorded: bool, capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where it had not begun, an older file of that name is not taken for it."""

    def interrupt(*_: object, **options: object) -> None:
        raise KeyboardInterrupt

    path = tmp_path / "t.trace"
    path.write_bytes(b"")
    monkeypatch.setattr(f"kernel_model.recording.{'play' if recorded else 'record'}", interrupt)
    arguments = ("--scenario", "default", "--strategy", "reserve", "--mapping", "acr", "-o", path)
    assert cfemu("trace", "record", *arguments) == 130
    assert capfd.readouterr().err == f"cfemu: interrupted; {path} has what was recorded\n" * recorded
    if recorded:
        assert Trace(path).complete


def test_a_program_s_name_need_be_no_text(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    elf = tmp_path / os.fsdecode(b"h\xff.elf")
    elf.write_bytes(HELLO.read_bytes())
    assert cfemu("trace", "record", elf, "--board", "m5475evb", "-o", "t.trace") == 0
    assert Trace(tmp_path / "t.trace").header.source == r"h\udcff.elf"
    capfd.readouterr()
    assert cfemu("check", "base.toml", elf, "--board", "m5475evb", "--update") == 2
    assert capfd.readouterr().err.endswith(": a name that is no text cannot be kept; rename the file\n")
    assert not (tmp_path / "base.toml").exists()
