"""`cfemu run` at a terminal: keys go to the guest, Ctrl-A commands to the emulator, and the terminal is left as it was.

The guest is a program that echoes in capitals (tests/support/echo.py).
"""

import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import elfgen as e
from tests.support.echo import echo_elf
from tests.support.terminal import Terminal, on_terminal

READY = rb"Ctrl-A h for help, Ctrl-A x to quit\r\n> "


@pytest.fixture
def echo(tmp_path: Path) -> Path:
    path = tmp_path / "echo.elf"
    path.write_bytes(echo_elf())
    return path


@pytest.fixture
def terminal(echo: Path) -> Iterator[Terminal]:
    """The echo program, ready."""
    with on_terminal("run", echo) as started:
        started.expect(READY)
        yield started


def count(text: bytes, name: str) -> int:
    """A counter of the tables."""
    found = re.search(rb"%s +([\d,]+)" % name.encode(), text)
    assert found, text
    return int(found[1].replace(b",", b""))


@pytest.mark.parametrize("polling", [False, True], ids=["STOP", "polling"])
def test_keys_reach_the_guest_and_its_answer_appears(tmp_path: Path, polling: bool) -> None:
    path = tmp_path / "echo.elf"
    path.write_bytes(echo_elf(polling=polling))
    with on_terminal("run", path) as terminal:
        terminal.expect(READY)
        terminal.type(b"h")
        assert terminal.expect(b"H") == b"H"  # and nothing else: the terminal itself does not echo
        terminal.type(b"i\r")
        assert terminal.expect(b"I\r") == b"I\r"
        terminal.type(b"q")
        text, status = terminal.finish()
    assert status == 0
    assert b"HALT" in text
    assert count(text, "instructions") > 100


def test_the_terminal_is_raw_and_restored_after_quit(terminal: Terminal) -> None:
    assert terminal.is_raw
    terminal.type(b"\x01x")
    text, status = terminal.finish()

    assert status == 0
    assert b"QUIT" in text
    assert b"instructions" in text
    assert terminal.attributes() == terminal.settings


def test_ctrl_c_and_ctrl_z_are_keys_of_the_guest(terminal: Terminal) -> None:
    for key in (b"\x03", b"\x1a", b"\x1c", b"\x11", b"\x04"):
        terminal.type(key)
        assert terminal.expect(re.escape(key)) == key


def test_ctrl_a_twice_is_ctrl_a(terminal: Terminal) -> None:
    terminal.type(b"\x01\x01")
    assert terminal.expect(b"\x01") == b"\x01"


def test_help_lists_the_keys_on_lines_of_their_own(terminal: Terminal) -> None:
    terminal.type(b"\x01")
    terminal.type(b"h")  # a person's second key comes later
    lines = terminal.expect(rb"Ctrl-A Ctrl-A .*\r\n").decode().split("\r\n")

    assert lines[0] == ""  # the prompt was there
    assert [line.split()[:2] for line in lines[1:6]] == [["Ctrl-A", key] for key in ("h", "x", "r", "c", "Ctrl-A")]


def test_counters_are_printed_while_the_guest_goes_on(terminal: Terminal) -> None:
    terminal.type(b"abc")
    terminal.expect(b"ABC")
    terminal.type(b"\x01c")
    first = terminal.expect(rb"exceptions, vector 99 +\d+")
    terminal.type(b"d")
    terminal.expect(b"D")
    terminal.type(b"\x01c")
    second = terminal.expect(rb"exceptions, vector 99 +\d+")

    assert count(first, "exceptions, vector 99") == 3
    assert count(second, "exceptions, vector 99") == 4


def test_reset_starts_the_board_and_its_counters_anew(terminal: Terminal) -> None:
    terminal.type(b"abc")
    terminal.expect(b"ABC")
    terminal.type(b"\x01r")
    terminal.expect(b"the counters start anew\r\n> ")
    assert terminal.is_raw
    terminal.type(b"d")
    assert terminal.expect(b"D") == b"D"
    terminal.type(b"\x01x")
    text, status = terminal.finish()

    assert status == 0
    assert count(text, "exceptions, vector 99") == 1
    assert terminal.attributes() == terminal.settings


def test_a_busy_guest_can_be_left(terminal: Terminal) -> None:
    terminal.type(b"al")
    terminal.expect(b"A")
    terminal.type(b"\x01x")
    text, status = terminal.finish()

    assert status == 0
    assert b"QUIT" in text
    assert count(text, "instructions") > 10_000


def test_the_terminal_is_restored_after_an_error_of_the_guest(echo: Path) -> None:
    with on_terminal("run", echo, "--strict") as terminal:
        terminal.expect(READY)
        terminal.type(b"u")
        text, status = terminal.finish()

        assert status == 2
        assert b"unmodelled register" in text
        assert terminal.attributes() == terminal.settings


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT], ids=lambda number: number.name)
def test_the_terminal_is_restored_when_a_signal_ends_the_run(terminal: Terminal, number: signal.Signals) -> None:
    terminal.send(number)
    _, status = terminal.finish()

    assert status == -number
    assert terminal.attributes() == terminal.settings


def test_an_interrupt_from_outside_prints_the_counters(terminal: Terminal) -> None:
    terminal.send(signal.SIGINT)
    text, status = terminal.finish()

    assert status == 130
    assert b"INTERRUPTED" in text
    assert terminal.attributes() == terminal.settings


def test_a_stopped_run_gives_the_terminal_back_and_takes_it_again(terminal: Terminal) -> None:
    terminal.send(signal.SIGTSTP)
    terminal.expect(rb"\[stopped\]")
    assert terminal.attributes() == terminal.settings
    terminal.send(signal.SIGCONT)
    terminal.type(b"a")
    terminal.expect(b"A")
    assert terminal.is_raw
    terminal.type(b"\x01x")
    assert terminal.finish()[1] == 0
    assert terminal.attributes() == terminal.settings


def test_a_warning_begins_a_line(terminal: Terminal) -> None:
    terminal.type(b"u")
    text = terminal.expect(b"U")

    assert text.startswith(b"\r\ncfemu: read of the unmodelled register MBAR+0x100 at PC ")
    assert text.endswith(b"it reads 0\r\nU")


def test_a_stop_that_nothing_ends_ends_the_session(terminal: Terminal) -> None:
    terminal.type(b"s")
    text, status = terminal.finish()

    assert status == 0
    assert b"STOPPED" in text
    assert b"no interrupt can wake it" in text


def test_a_time_limit_ends_an_idle_session(echo: Path) -> None:
    with on_terminal("run", echo, "--timeout", 1) as terminal:
        terminal.expect(READY)
        text, status = terminal.finish()

        assert status == 1
        assert b"TIMEOUT" in text
        assert terminal.attributes() == terminal.settings


def test_a_cycle_budget_ends_an_idle_session_exactly(echo: Path) -> None:
    with on_terminal("run", echo, "--max-cycles", 100_000_000) as terminal:
        text, status = terminal.finish()

    assert status == 0
    assert count(text, "cycles") == 100_000_000


def test_a_program_that_never_listens_leaves_the_terminal_alone(tmp_path: Path) -> None:
    path = tmp_path / "loop.elf"
    path.write_bytes(e.make_elf([e.Segment(0xC0010000, e.NOP + e.LOOP_FOREVER)]))
    with on_terminal("run", path) as terminal:
        terminal.expect(rb"M instructions, .* Ctrl-C ends the run")
        assert terminal.attributes() == terminal.settings
        terminal.type(b"\x03")
        text, status = terminal.finish()

    assert status == 130
    assert b"INTERRUPTED" in text
    assert b"\x1b[K" in text  # the progress line is gone


def test_in_json_mode_a_terminal_is_no_keyboard(echo: Path) -> None:
    with on_terminal("run", echo, "--json") as terminal:
        text, status = terminal.finish()

    assert status == 0
    assert b'"reason": "STOPPED"' in text
    assert b'"console": "> "' in text
    assert b"Ctrl-A" not in text
