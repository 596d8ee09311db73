"""Bad input to `cfemu run`: one clear line and status 2; a guest that cannot go on also shows its state."""

import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from kernel_model.cli import execute_with_plugins
from tests.support import elfgen as e
from tests.support.command import Outcome, runner

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
