"""Bad input to `cfemu run`: one clear line and status 2; a guest that cannot go on also shows its state."""

import errno
import json
import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from emu.errors import UsageError
from emu.files import whole_file
from kernel_model.cli import execute_with_plugins
from tests.support import elfgen as e
from tests.support.command import Outcome, runner
from tests.support.sweeps import BASE, FOUR, write_sweep

RAM = 0xC0010000
EVB_RAM = 0x00010000
NOWHERE = 0x50000000  # no memory and no device on the default board
RAM_TOP = 0xC8000000

Cfemu = Callable[..., Outcome]


@pytest.fixture
def cfemu(capfdbinary: pytest.CaptureFixture[bytes]) -> Cfemu:
    return runner(capfdbinary)


def good_elf() -> bytes:
    return e.make_elf([e.Segment(RAM, e.HALT)], symbols={"start": RAM})


BAD_FILES = {
    "empty": (b"", "ELF"),
    "text": (b"#!/bin/sh\necho hello, this is not a program for a ColdFire at all\n", "ELF"),
    "cut in the header": (good_elf()[:40], "truncated"),
    "cut in the program headers": (good_elf()[:60], "truncated"),
    "cut in a segment": (e.make_elf([e.Segment(RAM, e.NOP * 1000)])[:500], "truncated"),
    "another machine": (e.make_elf([e.Segment(RAM, e.HALT)], machine=e.EM_386), "another machine"),
    "little-endian": (e.make_elf([e.Segment(RAM, e.HALT)], big_endian=False), "endian"),
    "no segment": (e.make_elf([]), "segment"),
    "64-bit": (b"\x7fELF\x02\x02\x01" + bytes(200), "32-bit"),
}


@pytest.mark.parametrize(("data", "word"), BAD_FILES.values(), ids=BAD_FILES)
def test_a_bad_file_is_one_line_that_names_it(cfemu: Cfemu, tmp_path: Path, data: bytes, word: str) -> None:
    path = tmp_path / "bad.elf"
    path.write_bytes(data)

    outcome = cfemu("run", path)

    assert outcome.status == 2
    assert outcome.stdout == b""
    assert len(outcome.stderr.splitlines()) == 1
    assert "bad.elf" in outcome.stderr
    assert word in outcome.stderr


def test_a_missing_file_and_a_directory_are_one_line(cfemu: Cfemu, tmp_path: Path) -> None:
    for path in (tmp_path / "missing.elf", tmp_path):
        outcome = cfemu("run", path)

        assert outcome.status == 2
        assert len(outcome.stderr.splitlines()) == 1
        assert path.name in outcome.stderr


def test_a_program_that_does_not_fit_the_board_is_one_line(cfemu: Cfemu, tmp_path: Path) -> None:
    for address in (NOWHERE, RAM_TOP - 2):
        path = tmp_path / "misfit.elf"
        path.write_bytes(e.make_elf([e.Segment(address, e.NOP * 4)]))
        outcome = cfemu("run", path)

        assert outcome.status == 2
        assert len(outcome.stderr.splitlines()) == 1
        assert f"0x{address:08x}" in outcome.stderr.lower()


def test_an_unknown_board_names_the_known_ones(cfemu: Cfemu, tmp_path: Path) -> None:
    path = tmp_path / "good.elf"
    path.write_bytes(good_elf())
    outcome = cfemu("run", path, "--board", "amiga")

    assert outcome.status == 2
    assert len(outcome.stderr.splitlines()) == 1
    assert "amiga" in outcome.stderr
    assert "m5475evb" in outcome.stderr


@pytest.mark.parametrize(
    "options",
    [("--engine", "fast"), ("--max-instructions", "0"), ("--max-cycles", "-1"), ("--max-cycles", "many"), ("--bogus",)],
)
def test_a_bad_option_is_a_usage_error(cfemu: Cfemu, tmp_path: Path, options: tuple[str, ...]) -> None:
    outcome = cfemu("run", tmp_path / "any.elf", *options)

    assert outcome.status == 2
    assert len(outcome.stderr.splitlines()) == 1
    assert options[0] in outcome.stderr
    assert "Traceback" not in outcome.stderr


LOST_GUESTS = {
    "jumps to nowhere": (e.NOP + e.jmp(NOWHERE), "50000000"),
    "reads from nowhere": (e.movea_l(NOWHERE, 0) + e.load_l(0, 0), "50000000"),
    "writes an undefined register": (e.NOP + e.movec(0, 0x123), "123"),
    "faults while faulting": (e.movea_l(NOWHERE, 7) + e.trap(0), "fault"),
}


@pytest.mark.parametrize("engine", ["auto", "public", "reference"])
@pytest.mark.parametrize(("code", "word"), LOST_GUESTS.values(), ids=LOST_GUESTS)
def test_a_lost_guest_shows_one_line_and_its_state(
    cfemu: Cfemu, tmp_path: Path, code: bytes, word: str, engine: str
) -> None:
    path = tmp_path / "lost.elf"
    path.write_bytes(e.make_elf([e.Segment(RAM, code)], symbols={"lost_function": RAM}))

    outcome = cfemu("run", path, "--engine", engine, "--max-instructions", 100_000)

    assert outcome.status == 2
    assert outcome.first_error.startswith("cfemu: ")
    assert word in outcome.first_error.lower()
    state = "\n".join(outcome.stderr.splitlines()[1:]).lower()
    for register in ("pc", "sr", "d0", "a7"):
        assert register in state
    assert "Traceback" not in outcome.stderr


@pytest.mark.parametrize("engine", ["auto", "public", "reference"])
@pytest.mark.parametrize("seed", range(12))
def test_a_program_of_random_bytes_ends_in_an_orderly_report(
    cfemu: Cfemu, tmp_path: Path, seed: int, engine: str
) -> None:
    noise = random.Random(seed)
    size = 1 << 15
    vectors = b"".join((EVB_RAM + noise.randrange(0, size, 2)).to_bytes(4) for _ in range(256))  # it must live on
    path = tmp_path / "random.elf"
    code = e.movea_l(EVB_RAM, 7) + noise.randbytes(size)  # a small stack, for handlers that fault at once
    path.write_bytes(e.make_elf([e.Segment(EVB_RAM, code), e.Segment(0, vectors)]))

    outcome = cfemu("run", path, "--board", "m5475evb", "--engine", engine, "--max-instructions", 20_000, "--json")

    report = json.loads(outcome.stdout)
    assert report["counters"]["instructions"] <= 20_000
    assert (outcome.status == 2) == (report["reason"] in ("ERROR", "HYPERCALL"))
    assert outcome.first_error.startswith("cfemu: ")
    assert "Traceback" not in outcome.stderr


def test_the_state_names_symbol_and_instruction(cfemu: Cfemu, tmp_path: Path) -> None:
    path = tmp_path / "lost.elf"
    code = e.NOP + e.movea_l(NOWHERE, 0) + e.load_l(0, 0)
    path.write_bytes(e.make_elf([e.Segment(RAM, code)], symbols={"lost_function": RAM}))

    outcome = cfemu("run", path)

    assert "lost_function+0x8" in outcome.stderr
    assert "move.l" in outcome.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("report", "a.toml", "--out", "a.toml"),
        ("check", "a.toml", "--junit", "a.toml"),
        ("diff", "a.toml", "a.toml", "--junit", "./a.toml"),
        ("trace", "export", "a.toml", "a.toml", "--to", "parquet"),
    ],
)
def test_a_file_that_is_read_is_not_written(
    arguments: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.toml").write_text("mine")
    assert execute_with_plugins(list(arguments)) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "it is read, too; name another file to write" in error
    assert (tmp_path / "a.toml").read_text() == "mine"


WRITERS = (
    ("report", "rows.parquet", "--out"),
    ("sweep", "small.toml", "--out"),
    ("sweep", "small.toml", "--fresh", "--out"),
    ("check", "x.toml", "hello.elf", "--junit"),
    ("check", "hello.elf", "--update"),
    ("diff", "x.toml", "x.toml", "--junit"),
    ("trace", "record", "hello.elf", "-o"),
    ("trace", "export", "x.trace", "--to", "parquet"),
    ("trace", "import", "x.din", "--from", "din"),
)


@pytest.mark.parametrize("arguments", WRITERS, ids=" ".join)
def test_a_device_or_a_pipe_is_not_replaced_by_a_file(
    arguments: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    os.mkfifo("out")
    Path("link").symlink_to("out")
    for name in ("out", "link"):
        where = 1 if arguments[:2] == ("check", "hello.elf") else len(arguments)  # the baseline is the first file
        assert execute_with_plugins([*arguments[:where], name, *arguments[where:]]) == 2
        assert capsys.readouterr().err == f"cfemu: {name}: a device or a pipe, not a file; name another one to write\n"
        assert Path("out").is_fifo()
    assert {path.name for path in tmp_path.iterdir()} == {"out", "link"}


@pytest.mark.parametrize(("name", "text"), [("small.toml", BASE + FOUR), ("notes.txt", "mine"), ("empty", "")])
@pytest.mark.parametrize("option", ["--fresh", "--resume"])
def test_a_sweep_replaces_nothing_but_its_rows(
    name: str,
    text: str,
    option: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    sweep = write_sweep(tmp_path)
    Path(name).write_text(text)
    before = sorted(tmp_path.iterdir())
    assert execute_with_plugins(["sweep", str(sweep), "--out", name, option]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert name in error
    assert Path(name).read_text() == text
    assert sorted(tmp_path.iterdir()) == before


def test_a_folder_of_another_s_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Which happens to be called as that of the runs under way."""
    folder = tmp_path / "rows.parquet.runs"
    folder.mkdir()
    (folder / "mine.json").write_text("{}")
    (folder / "mine.part").write_text("mine")
    sweep = write_sweep(tmp_path, '[axes]\nstrategy = ["grow"]\nmapping = ["acr"]\n')
    assert execute_with_plugins(["sweep", str(sweep), "--out", str(tmp_path / "rows.parquet"), "--fresh"]) == 0
    assert {path.name for path in folder.iterdir()} == {"mine.json", "mine.part"}


def write_half(target: Path) -> None:
    with whole_file(target) as part:
        part.write_text("half")
        full()


def test_a_file_is_written_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    target, link = tmp_path / "file", tmp_path / "link"
    target.write_text("before")
    target.chmod(0o640)
    link.symlink_to(target)
    with pytest.raises(UsageError, match=r"link: no space left"):
        write_half(link)
    assert target.read_text() == "before"
    with whole_file(link) as part:
        part.write_text("after")
    assert link.is_symlink()
    assert target.read_text() == "after"
    assert target.stat().st_mode & 0o777 == 0o640
    with pytest.raises(UsageError, match="there is no directory"), whole_file(tmp_path / "no" / "file"):
        pass
    assert sorted(tmp_path.iterdir()) == [target, link]


DEEP = "x = " + "[" * 20_000
TABLES = "x." * 2_000 + "x = 1"  # which tomllib reads
DIGITS = "x = " + "9" * 5_000
NUL = r'x = "a\u0000b"'
TOML_READERS = (("compare",), ("sweep",), ("timing",), ("check",), ("run", "hello.elf", "--costs"))


@pytest.mark.parametrize("text", [DEEP, TABLES, DIGITS, NUL], ids=["deep", "tables", "digits", "nul"])
@pytest.mark.parametrize("arguments", TOML_READERS, ids=" ".join)
def test_toml_that_cannot_be_read_is_one_line(
    arguments: tuple[str, ...], text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "bad.toml"
    file.write_text(text)
    assert execute_with_plugins([*arguments, str(file)]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"cfemu: {file}: ")
    assert error.count("\n") == 1
    assert len(error) < 300


BASELINE = 'schema = "cfemu-baseline/1"\n[x.totals]\nitlb = 1\n[x.run]\nelf = "x"\n'


@pytest.mark.parametrize("line", ["tlb = 99999999999", "tlb = 1", "max_instructions = 99999999999999999999999999",
                                  "max_instructions = -7"])  # fmt: skip
def test_a_baseline_s_conditions_are_bounded(line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "base.toml"
    file.write_text(BASELINE + line)
    assert execute_with_plugins(["check", str(file)]) == 2
    error = capsys.readouterr().err
    assert f"{file}: entry 'x': run: {line.partition(' ')[0]}: must be " in error
    assert error.count("\n") == 1


def result(elf: str = '"x"', misses: str = '{"itlb": 1, "dtlb": 2}') -> str:
    return f'{{"schema": "cfemu-run/1", "elf": {elf}, "counters": {{"misses": {misses}}}}}'


BAD_RESULTS = {
    "deep": '{"a": ' + "[" * 20_000,
    "digits": result(misses='{"itlb": ' + "1" * 5_000 + "}"),
    "number for a name": result("5"),
    "lone surrogate": result(r'"x\ud800y"'),
    "text for a count": result(misses='{"itlb": 1, "by_region": {"a": {"itlb": "z", "dtlb": 1}}}'),
    "no counts": result(misses="{}"),
}


@pytest.mark.parametrize("text", BAD_RESULTS.values(), ids=BAD_RESULTS)
def test_a_bad_result_is_one_line_and_is_not_accepted(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good, bad, baseline = tmp_path / "good.json", tmp_path / "bad.json", tmp_path / "base.toml"
    good.write_text(result())
    bad.write_text(text)
    for arguments in (("diff", good, bad), ("check", baseline, good, bad, "--update")):
        assert execute_with_plugins([str(argument) for argument in arguments]) == 2
        error = capsys.readouterr().err
        assert error.startswith(f"cfemu: {bad}: ")
        assert error.count("\n") == 1
    assert not baseline.exists()


def test_a_baseline_is_changed_when_everything_else_is_done(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    good, baseline = tmp_path / "good.json", tmp_path / "base.toml"
    good.write_text(result())
    arguments = ["check", str(baseline), str(good), "--update", "--junit", str(tmp_path / "out.xml")]
    with monkeypatch.context() as context:
        context.setattr("emu.regression.compare.to_junit", full)
        assert execute_with_plugins(arguments) == 2
    assert capsys.readouterr().err == f"cfemu: {tmp_path / 'out.xml'}: no space left on device\n"
    assert list(tmp_path.iterdir()) == [good]
    assert execute_with_plugins(arguments) == 0
    assert "1 of 1 entries accepted anew" in capsys.readouterr().err


def full(*_: object) -> bytes:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_report_counts_a_table_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = tmp_path / "other"
    other.mkdir()
    sweeps = [write_sweep(tmp_path), write_sweep(other)]
    rows, page = tmp_path / "rows.parquet", tmp_path / "page.html"
    for sources in (
        sweeps,
        [sweeps[0], sweeps[0]],
        [rows, rows],
        [sweeps[0], tmp_path / "page.rows" / "small.parquet"],
    ):
        assert execute_with_plugins(["report", *map(str, sources), "--out", str(page)]) == 2
        error = capsys.readouterr().err
        assert error.startswith(f"cfemu: {sources[1]}: ")
        assert "give each table once" in error
        assert error.count("\n") == 1
    assert execute_with_plugins(["report", str(sweeps[0]), "--out", str(tmp_path / "page.rows")]) == 2
    assert "name another page" in capsys.readouterr().err
    assert not page.exists()
