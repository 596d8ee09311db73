"""`cfemu run`: how a bare ELF ends, what it prints, and that no count depends on how the run is cut."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from emu import foreground
from emu.board import get_board
from emu.console import Keyboard, Pace, RawTerminal, Session
from emu.elf import load_elf
from emu.machine import Machine
from emu.mmu.state import WARN_WINDOW_ACCESS, WARNINGS
from emu.screen import Screen
from tests.support import elfgen as e
from tests.support.command import Outcome, runner

RAM = 0xC0010000  # in the default board's SDRAM
EVB_RAM = 0x00010000
NOWHERE = 0x50000000
MMUBAR = 0x008  # control register (sheet 2.1)
EVB_MBAR = 0xFF000000
PSC0_TRANSMIT = EVB_MBAR + 0x860C
GPT0_MODE = EVB_MBAR + 0x800
GPT0_COUNT = EVB_MBAR + 0x804
WATCHDOG_RESET = 0x00009004  # WDEN | CE | TMS = GPIO: what Linux writes to reboot

Cfemu = Callable[..., Outcome]


@pytest.fixture
def cfemu(capfdbinary: pytest.CaptureFixture[bytes]) -> Cfemu:
    return runner(capfdbinary)


@pytest.fixture
def guest(tmp_path: Path) -> Callable[..., Path]:
    """Writes an ELF of the given code and returns its path."""

    def write(code: bytes, address: int = RAM, name: str = "guest.elf") -> Path:
        path = tmp_path / name
        path.write_bytes(e.make_elf([e.Segment(address, code + e.NOP)], symbols={"start": address}))
        return path

    return write


def countdown(turns: int) -> bytes:
    """A loop of two instructions, ``turns`` times, then HALT: 2 * turns + 2 instructions."""
    return e.move_l(turns, 0) + e.subq_l(1, 0) + e.bne(-4) + e.HALT


def counters(outcome: Outcome) -> dict[str, int]:
    found: dict[str, int] = json.loads(outcome.stdout)["counters"]
    return found


def test_halt_ends_with_status_0_and_prints_counters_and_where(cfemu: Cfemu, guest: Callable[..., Path]) -> None:
    outcome = cfemu("run", guest(countdown(50)))

    assert outcome.status == 0
    text = outcome.stdout.decode()
    assert "guest.elf on coyotos128" in text
    assert "HALT" in text
    assert "start+0x" in text
    assert any(line.split()[:2] == ["instructions", "102"] for line in text.splitlines())
    assert outcome.stderr == ""


def test_semihosting_exit_sets_the_exit_status(cfemu: Cfemu, guest: Callable[..., Path]) -> None:
    outcome = cfemu("run", guest(e.semihosting_exit(7)))

    assert outcome.status == 7
    assert b"EXIT" in outcome.stdout


def test_semihosting_write_reaches_stdout_before_the_tables(cfemu: Cfemu, guest: Callable[..., Path]) -> None:
    text = b"hello\n"
    block, message = RAM + 0x100, RAM + 0x200
    code = (e.semihosting_write(block) + e.semihosting_exit(0)).ljust(0x100, b"\0")
    code += b"".join(n.to_bytes(4, "big") for n in (1, message, len(text)))
    outcome = cfemu("run", guest(code.ljust(0x200, b"\0") + text))

    assert outcome.status == 0
    assert outcome.stdout.startswith(b"hello\nguest.elf on ")


def test_what_the_guest_transmits_through_psc0_is_stdout(cfemu: Cfemu, guest: Callable[..., Path]) -> None:
    send = b"".join(e.store_b(byte, 0) for byte in b"Hi\n")
    outcome = cfemu("run", guest(e.movea_l(PSC0_TRANSMIT, 0) + send + e.HALT, EVB_RAM), "--board", "m5475evb")

    assert outcome.status == 0
    assert outcome.stdout.startswith(b"Hi\nguest.elf on m5475evb")


def test_output_that_was_shown_is_not_kept(
    capfdbinary: pytest.CaptureFixture[bytes], guest: Callable[..., Path]
) -> None:
    """A guest may print for ever."""
    path = guest(e.movea_l(PSC0_TRANSMIT, 0) + b"".join(e.store_b(byte, 0) for byte in b"Hi") + e.HALT, EVB_RAM)
    reports = [
        foreground.run_file(
            foreground.Setup(path, "m5475evb"), foreground.Budget(), echo=echo, show_counters=lambda counters: None
        )
        for echo in (True, False)
    ]
    assert capfdbinary.readouterr().out == b"Hi"
    assert [report.console for report in reports] == [b"i", b"Hi"]


@pytest.mark.parametrize(("times", "said"), [(1, "1 time"), (3, "3 times")])
def test_what_the_manuals_leave_open_for_the_mmu_is_said_once(
    cfemu: Cfemu, guest: Callable[..., Path], times: int, said: str
) -> None:
    # Given bytes written to the MMU's registers, which are longwords (sheet 7 item 15)
    window = 0xE000_0000
    code = e.move_l(window | 1, 0) + e.movec(0, MMUBAR) + e.movea_l(window, 0) + times * e.store_b(0, 0) + e.HALT
    path = guest(code)
    # When
    outcome, as_json = cfemu("run", path), cfemu("run", path, "--json")
    # Then
    meaning = WARNINGS[WARN_WINDOW_ACCESS]
    assert (outcome.status, outcome.stderr) == (0, f"cfemu: MMU, {said}: {meaning}\n")
    assert json.loads(as_json.stdout)["mmu_warnings"] == {meaning: times}


def test_the_watchdog_resets_the_board_and_ends_the_run(cfemu: Cfemu, guest: Callable[..., Path]) -> None:
    arm = e.movea_l(GPT0_MODE, 0) + e.store_l(0, 0) + e.movea_l(GPT0_COUNT, 1) + e.store_l(1, 1)
    code = arm + e.store_l(WATCHDOG_RESET, 0) + e.LOOP_FOREVER
    outcome = cfemu("run", guest(code, EVB_RAM), "--board", "m5475evb", "--max-instructions", 1_000_000)

    assert outcome.status == 0
    assert b"RESET" in outcome.stdout
    assert outcome.stderr == ""


@pytest.mark.parametrize(
    ("option", "counter", "slack"), [("--max-instructions", "instructions", 0), ("--max-cycles", "cycles", 100)]
)
def test_a_budget_ends_the_run_and_stderr_says_so(
    cfemu: Cfemu, guest: Callable[..., Path], option: str, counter: str, slack: int
) -> None:
    outcome = cfemu("run", guest(e.NOP * 8 + e.LOOP_FOREVER), option, 5000, "--json")

    assert outcome.status == 0
    assert "budget" in outcome.stderr
    assert 5000 <= counters(outcome)[counter] <= 5000 + slack


def test_json_is_one_object_with_the_console_inside(cfemu: Cfemu, guest: Callable[..., Path]) -> None:
    code = e.movea_l(PSC0_TRANSMIT, 0) + e.store_b(ord("x"), 0) + e.HALT
    outcome = cfemu("run", guest(code, EVB_RAM), "--board", "m5475evb", "--json")

    report = json.loads(outcome.stdout)
    assert report["schema"] == "cfemu-run/2"
    assert report["console"] == "x"
    assert report["board"] == "m5475evb"
    assert report["reason"] == "HALT"
    assert report["exit_status"] == 0
    assert report["error"] is None
    assert report["counters"]["instructions"] == 3


@pytest.mark.parametrize("engine", ["native", "public", "reference"])
def test_every_engine_counts_the_same(cfemu: Cfemu, guest: Callable[..., Path], engine: str) -> None:
    path = guest(countdown(300))
    default, other = cfemu("run", path, "--json"), cfemu("run", path, "--json", "--engine", engine)

    assert counters(other) == counters(default)
    assert json.loads(other.stdout)["engine"] == engine


def test_the_length_of_the_slices_changes_no_count(
    cfemu: Cfemu, guest: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = guest(countdown(400))
    whole = cfemu("run", path, "--json")
    monkeypatch.setattr(foreground, "FIRST_SLICE", 7)
    monkeypatch.setattr(foreground, "next_slice", lambda length, seconds: length)
    sliced = cfemu("run", path, "--json")

    assert sliced.stdout == whole.stdout


def test_ctrl_c_prints_what_was_counted_so_far(guest: Callable[..., Path]) -> None:
    code = e.movea_l(PSC0_TRANSMIT, 0) + e.store_b(ord("!"), 0) + e.LOOP_FOREVER
    command = [sys.executable, "-m", "emu", "run", str(guest(code, EVB_RAM)), "--board", "m5475evb"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        first = process.stdout.read(1)  # unbuffered: arrives while the guest still runs
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=60)

    assert first == b"!"
    assert process.returncode == 130
    assert b"INTERRUPTED" in stdout
    assert b"instructions" in stdout
    assert b"Traceback" not in stderr
    assert len(stderr.splitlines()) == 1


def test_a_guest_that_only_faults_can_be_interrupted_too(guest: Callable[..., Path]) -> None:
    """Its handler faults at once, so that no instruction retires and the stack alone bounds the run."""
    interrupted = foreground.Interruption()

    class Impatient(Screen):
        def show_progress(self, instructions: int) -> None:
            interrupted.requested = True

    session = Session(Keyboard(), Pace())
    host = foreground.Host(Impatient(echo=False), interrupted, RawTerminal(), session, print)
    elf = load_elf(guest(e.movea_l(NOWHERE, 0) + e.load_l(0, 0), EVB_RAM))
    with Machine(get_board("m5475evb")) as machine:
        machine.load_elf(elf)
        machine.write_physical(4 * 2, NOWHERE.to_bytes(4))
        ending = foreground.run_slices(machine, foreground.Budget(), host)
        faults = machine.counters().exceptions[2]

    assert ending == (foreground.HostStop.INTERRUPTED, 130)
    assert 1000 < faults < 2_000_000


def test_a_reader_that_goes_away_is_no_error(guest: Callable[..., Path]) -> None:
    code = e.movea_l(PSC0_TRANSMIT, 0) + e.store_b(ord("!"), 0) + bytes.fromhex("60fa")  # bra to the store: for ever
    command = [sys.executable, "-m", "emu", "run", str(guest(code, EVB_RAM)), "--board", "m5475evb"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.read(1) == b"!"
        process.stdout.close()
        assert process.stderr is not None
        stderr = process.stderr.read()
        process.wait(timeout=60)

    assert stderr == b""
    assert process.returncode == 1


def test_boards_lists_one_board_a_line(cfemu: Cfemu) -> None:
    from emu.board import BOARDS

    outcome = cfemu("boards")

    assert outcome.status == 0
    assert [line.split()[0] for line in outcome.stdout.decode().splitlines()] == list(BOARDS)
