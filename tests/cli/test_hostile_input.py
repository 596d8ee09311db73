"""What a hostile file cannot do (SECURITY.md): take much memory, write escape sequences into tables and messages, be
taken for markup."""

import json
import struct
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
import zstandard

from emu.board import get_board
from emu.elf import load_elf
from emu.errors import UsageError
from emu.machine import Machine
from emu.mmu.state import READ
from emu.text import one_line, printable
from emu.trace.format import Header, Names
from kernel_model.cli import execute_with_plugins
from tests.support import elfgen as e
from tests.support.command import Outcome, runner
from tests.support.traces import write

Cfemu = Callable[..., Outcome]

BASE = 0x10000
ESCAPES = "\x1b]0;owned\x07[/bold]\x9b2J"
SHOWN = r"\x1b]0;owned\x07[/bold]\x9b2J"
MB = 1 << 20


@pytest.fixture
def cfemu(capfdbinary: pytest.CaptureFixture[bytes]) -> Cfemu:
    return runner(capfdbinary)


def clean(outcome: Outcome) -> bool:
    """Whether no control character has reached the terminal."""
    return (outcome.stdout.decode() + outcome.stderr).replace("\n", "").isprintable()


def test_text() -> None:
    assert printable("plain\n\ttext é") == "plain\n\ttext é"
    assert printable(ESCAPES) == SHOWN
    assert one_line("a\nb\u2028\u202e") == r"a\x0ab\u2028\u202e"


def test_symbols_of_a_program(cfemu: Cfemu, tmp_path: Path) -> None:
    """In a table of misses, and in the message about a fault."""
    elf = tmp_path / "guest.elf"
    elf.write_bytes(e.make_elf([e.Segment(BASE, bytes.fromhex("203950000000"))], symbols={ESCAPES: BASE}))

    outcome = cfemu("run", elf, "--board", "m5475evb")

    assert outcome.status == 2
    assert SHOWN in outcome.stderr
    assert SHOWN in outcome.stdout.decode()
    assert clean(outcome)


def test_names_of_a_trace(cfemu: Cfemu, tmp_path: Path) -> None:
    header = Header(source=ESCAPES, board="[red]", regions=((ESCAPES, 0, 1 << 32),), symbols=((0, ESCAPES, 0),))
    file = tmp_path / "hostile.trace"
    write(file, [(READ, 0x1000, 1)], header)

    info, explained = cfemu("trace", "info", file), cfemu("trace", "explain", file)

    assert (info.status, explained.status) == (0, 0)
    assert SHOWN in info.stdout.decode()
    assert "[red]" in info.stdout.decode()
    assert SHOWN in explained.stdout.decode()
    assert clean(info)
    assert clean(explained)
    assert json.loads(cfemu("trace", "info", file, "--json").stdout)["source"] == ESCAPES


def test_keys_of_a_scenario(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "hostile.toml"
    file.write_text(r'"\u001b[2J" = 1')

    assert execute_with_plugins(["compare", str(file)]) == 2
    assert capsys.readouterr().err == rf"cfemu: {file}: \x1b[2J: unknown key" + "\n"


def test_a_segment_that_no_board_has_takes_no_memory(tmp_path: Path) -> None:
    elf = tmp_path / "guest.elf"
    elf.write_bytes(e.make_elf([e.Segment(0, e.HALT, 0xF0000000)]))

    with Machine(get_board("coyotos16")) as machine:
        tracemalloc.start()
        try:
            with pytest.raises(UsageError, match=r"segment 0x0..0xf0000000 is outside the memory of board coyotos16"):
                machine.load_elf(load_elf(elf))
            assert tracemalloc.get_traced_memory()[1] < MB
        finally:
            tracemalloc.stop()


def frame(tag: bytes, payload: bytes) -> bytes:
    return struct.pack("<4sII", tag, len(payload), zlib.crc32(payload, zlib.crc32(tag))) + payload


@pytest.mark.parametrize("tells_its_size", [True, False])
def test_a_small_frame_that_unpacks_to_much_is_refused(cfemu: Cfemu, tmp_path: Path, tells_its_size: bool) -> None:
    names = msgspec.json.encode(Names(phases=("x" * (80 * MB),)))
    bomb = zstandard.ZstdCompressor(write_content_size=tells_its_size).compress(names)
    head = zstandard.ZstdCompressor().compress(msgspec.json.encode(Header(source="test")))
    file = tmp_path / "bomb.trace"
    file.write_bytes(b"CFTRACE\n" + frame(b"HEAD", head) + frame(b"NAME", bomb))
    assert file.stat().st_size < MB

    outcome = cfemu("trace", "info", file)

    assert outcome.status == 2
    assert "a frame has the wrong size" in outcome.stderr
