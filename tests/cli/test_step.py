"""`cfemu step` as a command: scripts, exit status, one line for what goes wrong; and the screen in a real terminal."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.test_startup import loaded_by

ROOT = Path(__file__).resolve().parents[2]
HELLO = "examples/hello.elf"
ON_BOARD = (HELLO, "--board", "m5475evb")
START = "from kernel_model.cli import main; main()"
TMUX = shutil.which("tmux")
PATIENCE = 30.0  # seconds for something to appear


def cfemu(*arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", START, "step", *arguments]
    return subprocess.run(command, cwd=ROOT, input=text, capture_output=True, text=True, check=False)


def test_help_needs_no_textual() -> None:
    assert loaded_by("step", "--help") == []


def test_commands_without_a_screen() -> None:
    done = cfemu(*ON_BOARD, "-x", "next-miss", "--command", "why")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("(cfemu) next-miss\naccess error: TLB miss, data read")
    assert "\nwhy   cold: the page has not been loaded since reset\n" in done.stdout


def test_a_script_from_standard_input_in_json() -> None:
    done = cfemu(*ON_BOARD, "--script", "-", "--json", text="# to the first miss\nnext-miss\nwhere\n")
    assert done.returncode == 0
    records = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(r["command"], r["instructions"]) for r in records] == [("next-miss", 135), ("where", 135)]


def test_time_is_up() -> None:
    done = cfemu(*ON_BOARD, "--timeout", "0.5", "-x", "set *end 0x60fe60fe", "-x", "continue", "-x", "where")
    assert done.returncode == 1
    assert re.fullmatch(r"cfemu: interrupted after 0\.5 s; --command 'continue': at instruction [0-9,]+\n", done.stderr)
    assert done.stdout.count("(cfemu) ") == 2
    assert "\ninterrupted\n" in done.stdout


def test_a_row_of_a_scenario() -> None:
    row = ("--scenario", "default", "--strategy", "reserve", "--mapping", "paged-8k", "--workload", "ping-pong")
    done = cfemu(*row, "-x", "goto 5300000", "-x", "next-miss dtlb", "-x", "why", "-x", "threads")
    assert done.returncode == 0
    assert "why   cleared: switch_to dropped it with 10 other entries" in done.stdout
    assert "ASID 1" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "text", "message"),
    [
        (ON_BOARD, "", "the screen needs a terminal; --script and --command do without"),
        ((*ON_BOARD, "--json"), "", "--json is about --script and --command"),
        ((*ON_BOARD, "--timeout", "5"), "", "--timeout is about --script and --command"),
        ((*ON_BOARD, "-x", "where", "--timeout", "0"), "", "--timeout 0: expected a number of seconds above 0"),
        (
            (*ON_BOARD, "-x", "where", "--timeout", "inf"),
            "",
            "--timeout inf: expected a number of seconds above 0, 1000000000",
        ),
        ((*ON_BOARD, "-x", "where", "--timeout", "1e300"), "", "1000000000 at most"),
        ((*ON_BOARD, "-x", "x 0 99999999999"), "", "99,999,999,999: 10,000 lines at most"),
        ((*ON_BOARD, "-x", "disassemble 0 99999999999"), "", "99,999,999,999: 10,000 lines at most"),
        ((*ON_BOARD, "-x", "stack 99999999999"), "", "99,999,999,999: 10,000 lines at most"),
        ((*ON_BOARD, "-x", "print 0x100000000"), "", "0x100000000: more than 32 bits"),
        ((*ON_BOARD, "-x", "translate 0x100000000"), "", "0x100000000: more than 32 bits"),
        ((*ON_BOARD, "-x", "goto 9223372036854775808"), "", "9223372036854775808: more than 63 bits"),
        ((*ON_BOARD, "-x", f"print {'9' * 5000}"), "", f"{'9' * 40}...: more than 63 bits"),
        ((*ON_BOARD, "-x", "print 007"), "", "007: not a number"),
        ((*ON_BOARD, "-x", f"print {'*' * 3000}0x50000000"), "", "0x50000000 is not mapped to memory now"),
        ((*ON_BOARD, "--script", "-"), "step\nnonsense\n", "standard input, line 2: nonsense: no such command"),
        ((*ON_BOARD, "-x", "until nowhere"), "", "--command 'until nowhere': nowhere: neither a number nor a symbol"),
        ((*ON_BOARD, "--script", "no/such/file"), "", "no/such/file: no such file or directory"),
        (("no/such.elf", "-x", "where"), "", "no/such.elf: no such file or directory"),
        (("-x", "where"), "", "name either a program or, with --scenario, a scenario"),
        (
            (*ON_BOARD, "--mapping", "acr", "-x", "where"),
            "",
            "--strategy, --mapping and --workload are about a scenario",
        ),
        (("--scenario", "default", "--strict", "-x", "where"), "", "--strict are about a program"),
    ],
)
def test_bad_input_is_one_line(arguments: tuple[str, ...], text: str, message: str) -> None:
    done = cfemu(*arguments, text=text)
    assert done.returncode == 2
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1


# --- in a terminal


class Terminal:
    """A screen of 80 by 24 with the stepper on it."""

    def __init__(self, socket: Path) -> None:
        self._tmux = [str(TMUX), "-S", str(socket), "-f", os.devnull]
        command = [sys.executable, "-c", START, "step", *ON_BOARD]
        self.run("new-session", "-d", "-x", "80", "-y", "24", "-c", str(ROOT), *command)
        self.run("set-option", "-g", "remain-on-exit", "on")

    def run(self, *arguments: str) -> str:
        return subprocess.run([*self._tmux, *arguments], check=True, capture_output=True, text=True).stdout

    def wait_for(self, text: str) -> str:
        """The screen, as soon as ``text`` is on it."""
        until = time.monotonic() + PATIENCE
        while text not in (screen := self.run("capture-pane", "-p")):
            assert time.monotonic() < until, f"{text!r} is not on the screen:\n{screen}"
            time.sleep(0.1)
        return screen


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    made = Terminal(tmp_path / "tmux")
    yield made
    made.run("kill-server")


@pytest.mark.slow
@pytest.mark.skipif(TMUX is None, reason="tmux is not installed")
def test_the_screen_in_tmux(terminal: Terminal) -> None:
    screen = terminal.wait_for("instruction 0, cycle 0: 0x00000400 _start")
    assert "hello.elf on m5475evb" in screen
    terminal.run("send-keys", "s")
    terminal.wait_for("instruction 1, cycle 1:")
    terminal.run("send-keys", "m")
    screen = terminal.wait_for("instruction 135, cycle 379:")
    assert "access error: TLB miss, data read or read-modify-write at 0x40000000" in screen
    terminal.run("send-keys", "y")
    screen = terminal.wait_for("cost  54 cycles: entry 18, handler 21, return 15")
    assert max(map(len, screen.splitlines())) <= 80
    terminal.run("send-keys", "3")
    terminal.wait_for("DTLB 0 of 32")
    terminal.run("send-keys", ":", "previous-miss", "Enter")
    terminal.wait_for("the history begins here")
    terminal.run("send-keys", "q")
    terminal.wait_for("Pane is dead (status 0")
