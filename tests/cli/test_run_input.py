"""`cfemu run` with a script on standard input, and its options: what is loaded, named, limited or refused."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from emu.devices.state import LINE
from tests.support import asm
from tests.support import elfgen as e
from tests.support.asm import D0, at, d
from tests.support.command import Outcome, runner
from tests.support.echo import GPT0_COUNT, GPT0_MODE, UNMODELLED, WATCHDOG_RESET, echo_elf
from tests.support.guest import CODE, MBAR
from tests.support.peripherals import BUFFER, PSC, start_psc, store

Cfemu = Callable[..., Outcome]
RESET = store("l", 1, GPT0_COUNT) + store("l", WATCHDOG_RESET, GPT0_MODE)
DATA = CODE + 0x1000


@pytest.fixture
def cfemu(capfdbinary: pytest.CaptureFixture[bytes]) -> Cfemu:
    return runner(capfdbinary)


@pytest.fixture
def echo(tmp_path: Path) -> Path:
    path = tmp_path / "echo.elf"
    path.write_bytes(echo_elf())
    return path


@pytest.fixture
def program(tmp_path: Path) -> Callable[..., Path]:
    """Writes an ELF of the given code and returns its path."""

    def write(code: bytes, name: str = "guest.elf", symbols: dict[str, int] | None = None, data: bytes = b"") -> Path:
        path = tmp_path / name
        segments = [e.Segment(CODE, code + e.NOP)] + ([e.Segment(DATA, data)] if data else [])
        path.write_bytes(e.make_elf(segments, symbols=symbols))
        return path

    return write


def command(*arguments: object) -> list[str]:
    """The real command line."""
    return [sys.executable, "-m", "emu", "run", *map(str, arguments)]


def scripted(script: bytes, *arguments: object) -> subprocess.CompletedProcess[bytes]:
    """Run it with the script on standard input."""
    return subprocess.run(command(*arguments), input=script, capture_output=True, check=False, timeout=60)


# --- a script


SCRIPT = bytes(range(0x20)) + b"the 1st script.\rQ"  # Ctrl-A and Ctrl-C too are the guest's
ANSWER = "> " + bytes(range(0x20)).decode() + "THE 1ST SCRIPT.\r"


def test_two_runs_of_a_script_are_equal_and_so_are_the_engines(echo: Path) -> None:
    runs = [scripted(SCRIPT, echo, "--json", "--engine", engine) for engine in ("native", "native", "public")]
    reports = [json.loads(run.stdout) for run in runs]

    assert runs[0].stdout == runs[1].stdout
    assert [run.returncode for run in runs] == [0, 0, 0]
    assert [report["console"] for report in reports] == [ANSWER] * 3
    assert reports[0]["counters"] == reports[2]["counters"]


def test_two_runs_of_a_script_for_a_guest_that_polls_are_equal(tmp_path: Path) -> None:
    path = tmp_path / "polling.elf"
    path.write_bytes(echo_elf(polling=True))
    runs = [scripted(SCRIPT, path, "--json") for _ in range(2)]

    assert runs[0].stdout == runs[1].stdout
    assert json.loads(runs[0].stdout)["console"] == ANSWER


def test_the_output_comes_before_the_tables(echo: Path) -> None:
    done = scripted(b"hi\nQ", echo)

    assert done.stdout.startswith(b"> HI\necho.elf on coyotos128")
    assert done.stderr == b""


def test_a_guest_that_waits_after_the_script_has_ended_is_told_of(echo: Path) -> None:
    done = scripted(b"hi", echo)

    assert done.returncode == 0
    assert b"STOPPED" in done.stdout
    assert done.stderr == b"cfemu: the guest executed STOP and no interrupt can wake it\n"


def test_a_script_of_a_megabyte_is_taken_and_a_longer_one_is_refused(echo: Path) -> None:
    assert scripted(b"Q".ljust(LINE), echo).returncode == 0
    done = scripted(bytes(LINE + 1), echo)

    assert done.returncode == 2
    assert (
        done.stderr == b"cfemu: standard input: more than 1,048,576 bytes, which is all that can wait for the guest\n"
    )
    with open("/dev/zero", "rb") as endless:  # noqa: PTH123
        assert subprocess.run(command(echo), stdin=endless, capture_output=True, check=False).returncode == 2


def test_a_closed_standard_input_types_nothing(echo: Path) -> None:
    shell = ["sh", "-c", '"$@" <&-', "sh", *command(echo)]
    done = subprocess.run(shell, capture_output=True, check=False, timeout=60)

    assert done.returncode == 0
    assert b"STOPPED" in done.stdout


def test_a_guest_that_does_not_listen_does_not_wait_for_a_script(program: Callable[..., Path]) -> None:
    with subprocess.Popen(command(program(e.HALT)), stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.wait(timeout=60) == 0  # nobody has closed the pipe


LATE = store("b", ord("!"), PSC[0] + BUFFER) + start_psc() + asm.HALT  # listens after an output


def test_waiting_for_a_script_can_be_interrupted(program: Callable[..., Path]) -> None:
    path = program(LATE)
    with subprocess.Popen(command(path), stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.read(1) == b"!"  # although the guest does not go on
        process.send_signal(signal.SIGINT)
        output = process.stdout.read()
        assert process.wait(timeout=60) == 130

    assert b"INTERRUPTED" in output


def test_the_time_limit_holds_while_a_script_is_awaited(program: Callable[..., Path]) -> None:
    arguments = command(program(LATE), "--timeout", "0.2")
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        output = process.stdout.read()
        assert process.wait(timeout=60) == 1

    assert b"TIMEOUT" in output


# --- limits


def test_the_time_limit_ends_the_run_with_counters_and_status_1(cfemu: Cfemu, program: Callable[..., Path]) -> None:
    path = program(e.NOP + e.LOOP_FOREVER)
    outcome = cfemu("run", path, "--timeout", "0.2")
    report = json.loads(cfemu("run", path, "--timeout", "0.2", "--json").stdout)

    assert outcome.status == 1
    assert outcome.stderr == "cfemu: the time limit is over; the guest had not ended\n"
    assert b"instructions" in outcome.stdout
    assert (report["reason"], report["exit_status"]) == ("TIMEOUT", 1)
    assert report["counters"]["instructions"] > 1000


@pytest.mark.parametrize("seconds", ["0", "-1", "nan", "soon"])
def test_a_bad_time_limit_is_a_usage_error(cfemu: Cfemu, program: Callable[..., Path], seconds: str) -> None:
    outcome = cfemu("run", program(e.HALT), "--timeout", seconds)

    assert outcome.status == 2
    assert len(outcome.stderr.splitlines()) == 1
    assert "--timeout" in outcome.stderr
    assert seconds in outcome.stderr


# --- what is loaded


@pytest.mark.parametrize("write", [hex, str], ids=["hexadecimal", "decimal"])
def test_files_are_loaded_at_physical_addresses(
    cfemu: Cfemu, program: Callable[..., Path], tmp_path: Path, write: Callable[[int], str]
) -> None:
    files = [tmp_path / "at@sign", tmp_path / "second"]
    files[0].write_bytes(b"AB")
    files[1].write_bytes(b"z\0")
    code = b"".join(
        asm.move("b", at(DATA + i), d(D0)) + asm.move("b", d(D0), at(PSC[0] + BUFFER)) for i in (0, 1, 0x100)
    )
    loads = ["--load", f"{files[0]}@{write(DATA)}", "--load", f"{files[1]}@{write(DATA + 0x100)}"]
    outcome = cfemu("run", program(code + e.HALT), *loads, "--json")

    assert json.loads(outcome.stdout)["console"] == "ABz"


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        ("{file}", ["FILE@ADDRESS"]),
        ("{file}@", ["FILE@ADDRESS"]),
        ("@0xc0000000", ["FILE@ADDRESS"]),
        ("{file}@0x", ["FILE@ADDRESS"]),
        ("{file}@0xC000000G", ["0xC000000G"]),
        ("{file}@-4096", ["-4096"]),
        ("{file}@1_000", ["1_000"]),
        ("{file}@c0000000", ["c0000000"]),
        ("/nowhere/raw.bin@0xc0000000", ["/nowhere/raw.bin", "0xc0000000", "no such file"]),
        ("{folder}@0xc0000000", ["0xc0000000", "directory"]),
        ("{file}@0x50000000", ["raw.bin", "0x50000000", "coyotos128"]),
        ("{file}@0xc7ffffff", ["raw.bin", "0xc7ffffff", "coyotos128"]),
        ("{file}@0x123456789a", ["raw.bin", "0x123456789a", "coyotos128"]),
    ],
)
def test_a_bad_load_is_one_line_that_names_it(
    cfemu: Cfemu, program: Callable[..., Path], tmp_path: Path, argument: str, words: Sequence[str]
) -> None:
    file = tmp_path / "raw.bin"
    file.write_bytes(b"raw!")
    outcome = cfemu("run", program(e.HALT), "--load", argument.format(file=file, folder=tmp_path))

    assert outcome.status == 2
    assert outcome.stdout == b""
    assert len(outcome.stderr.splitlines()) == 1
    assert outcome.stderr.startswith("cfemu: --load ")
    assert all(word in outcome.stderr for word in words)


def test_symbols_of_other_files_name_places_in_reports(cfemu: Cfemu, program: Callable[..., Path]) -> None:
    path = program(e.NOP * 4 + e.HALT, symbols={"start": CODE})
    others = [
        program(e.NOP, name="first", symbols={"inner": CODE + 4, "other_start": CODE}),
        program(e.NOP, name="second", symbols={"innermost": CODE + 8}),
    ]
    options = [option for other in others for option in ("--symbols", other)]

    assert json.loads(cfemu("run", path, "--json").stdout)["symbol"] == "start+0xa"
    assert json.loads(cfemu("run", path, *options[:2], "--json").stdout)["symbol"] == "inner+0x6"
    assert json.loads(cfemu("run", path, *options, "--json").stdout)["symbol"] == "innermost+0x2"
    assert json.loads(cfemu("run", path, *options, "--max-instructions", 1, "--json").stdout)["symbol"] == "start+0x2"


def test_a_bad_symbol_file_is_one_line_that_names_it(
    cfemu: Cfemu, program: Callable[..., Path], tmp_path: Path
) -> None:
    (tmp_path / "notes.txt").write_text("no ELF")
    for name in ("notes.txt", "missing"):
        outcome = cfemu("run", program(e.HALT), "--symbols", tmp_path / name)

        assert outcome.status == 2
        assert len(outcome.stderr.splitlines()) == 1
        assert name in outcome.stderr


def test_append_is_refused_with_the_reason(cfemu: Cfemu, program: Callable[..., Path]) -> None:
    outcome = cfemu("run", program(e.HALT), "--append", "root=/dev/ram")

    assert outcome.status == 2
    assert len(outcome.stderr.splitlines()) == 1
    assert "--append" in outcome.stderr
    assert "CONFIG_BOOTPARAM_STRING" in outcome.stderr


# --- the machine


def test_an_unmodelled_register_is_one_warning_and_in_a_strict_run_an_error(
    cfemu: Cfemu, program: Callable[..., Path]
) -> None:
    path = program(asm.move("l", at(UNMODELLED), d(D0)) * 2 + e.HALT, symbols={"probe": CODE})
    lax, strict = cfemu("run", path), cfemu("run", path, "--strict")
    where = f"read of the unmodelled register MBAR+{UNMODELLED - MBAR:#x} at PC {CODE:#010x} (probe)"

    assert lax.status == 0
    assert lax.stderr == f"cfemu: {where}: it reads 0\n"
    assert strict.status == 2
    assert strict.first_error == f"cfemu: {where}"
    assert len(strict.stderr.splitlines()) > 5  # the state


def test_the_tlbs_have_the_entries_that_are_asked_for(cfemu: Cfemu) -> None:
    """hello.elf walks twice over 40 pages."""
    hello = Path(__file__).resolve().parents[2] / "examples" / "hello.elf"
    misses = {}
    for entries in (2, 32, 64):
        outcome = cfemu("run", hello, "--board", "m5475evb", "--tlb", entries, "--json")
        report = json.loads(outcome.stdout)
        assert report["tlb"] == entries
        misses[entries] = report["counters"]["misses"]["dtlb"]

    assert misses[2] == 80
    assert 40 < misses[32] < 80
    assert misses[64] == 40
    table = cfemu("run", hello, "--board", "m5475evb", "--tlb", 64).stdout.decode()
    assert "hello.elf on m5475evb, native engine, TLBs of 64 entries: HALT" in table


@pytest.mark.parametrize("entries", ["1", "129", "many"])
def test_an_impossible_tlb_is_a_usage_error(cfemu: Cfemu, program: Callable[..., Path], entries: str) -> None:
    outcome = cfemu("run", program(e.HALT), "--tlb", entries)

    assert outcome.status == 2
    assert len(outcome.stderr.splitlines()) == 1
    assert "--tlb" in outcome.stderr


# --- a Linux that panics


@pytest.mark.parametrize(("panic_cpu", "status"), [(0xFFFFFFFF, 0), (0, 1), (3, 1)])
@pytest.mark.parametrize("end", [RESET + e.LOOP_FOREVER, e.HALT, asm.stop(0x2700)], ids=["reset", "halt", "stop"])
def test_the_status_after_a_panic_is_1(
    cfemu: Cfemu, program: Callable[..., Path], panic_cpu: int, status: int, end: bytes
) -> None:
    code = store("l", panic_cpu, DATA) + end
    outcome = cfemu("run", program(code, symbols={"panic_cpu": DATA}, data=b"\xff" * 4))

    assert outcome.status == status
    assert ("the kernel has panicked" in outcome.stderr) == (status == 1)


def test_a_label_of_that_name_outside_the_program_means_nothing(cfemu: Cfemu, program: Callable[..., Path]) -> None:
    outcome = cfemu("run", program(RESET + e.LOOP_FOREVER, symbols={"panic_cpu": 0x1234}))

    assert (outcome.status, outcome.stderr) == (0, "")


def test_an_exit_status_of_the_guest_stays_after_a_panic(cfemu: Cfemu, program: Callable[..., Path]) -> None:
    path = program(e.semihosting_exit(7), symbols={"panic_cpu": DATA}, data=bytes(4))

    assert cfemu("run", path).status == 7
