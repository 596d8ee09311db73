"""`cfemu --help` answers at once: it imports nothing that is only needed to run a guest.

The time itself is measured by `make bench`; what makes it long is tested here, where the load of the machine does not
matter.
"""

import os
import signal
import subprocess
import sys
from io import BytesIO, TextIOWrapper
from pathlib import Path

import pytest

from emu.cli import prepare_streams
from tests.support.sweeps import ROOT, command, environment

HEAVY = (
    *("capstone", "distributed", "duckdb", "elftools", "llvmlite", "msgspec", "numba", "numpy", "pyarrow", "pydantic"),
    *("rich", "textual", "unicorn", "zstandard"),
)
PROBE = """
import sys
from kernel_model.cli import main
sys.argv = ["cfemu", *sys.argv[1:]]
try:
    main()
except SystemExit as stop:
    assert not stop.code, stop.code
print("loaded:", *(name for name in {heavy!r} if name in sys.modules))
"""


def loaded_by(*arguments: str) -> list[str]:
    """The heavy libraries that are loaded once `cfemu ARGUMENTS` has printed."""
    done = subprocess.run(
        [sys.executable, "-c", PROBE.format(heavy=HEAVY), *arguments], capture_output=True, text=True, check=True
    )
    assert "Usage: cfemu" in done.stdout
    return done.stdout.splitlines()[-1].split()[1:]


@pytest.mark.parametrize(
    "arguments", [("--help",), *((name, "--help") for name in ("run", "compare", "sweep", "gdb", "step"))], ids=" ".join
)
def test_help_loads_nothing_heavy(arguments: tuple[str, ...]) -> None:
    assert loaded_by(*arguments) == []


def test_help_shows_examples() -> None:
    done = subprocess.run([sys.executable, "-m", "emu", "run", "--help"], capture_output=True, text=True, check=True)

    assert "cfemu run hello.elf --board m5475evb" in done.stdout
    assert "Exit status" in done.stdout


def shell(line: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """``cfemu`` in front of a shell's redirections."""
    whole = f'exec "$0" -m kernel_model.cli {line}'
    return subprocess.run(
        ["sh", "-c", whole, sys.executable], env=environment() | variables, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("line", ["boards >&-", "boards --json >&-", "timing --json >&-", "boards <&- >&- 2>&-"])
def test_a_closed_stream_is_no_error(line: str) -> None:
    done = shell(line)

    assert (done.returncode, done.stdout) == (2 if "boards --json" in line else 0, "")
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="makes a device node")
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_output_that_cannot_be_written_is_one_line(tmp_path: Path, unbuffered: str) -> None:
    full = tmp_path / "full"  # as /dev/full
    os.mknod(full, 0o600 | 0o020000, os.makedev(1, 7))

    done = shell(f"boards > {full}", PYTHONUNBUFFERED=unbuffered)

    assert done.returncode == 2
    assert done.stderr in ("cfemu: no space left on device\n", "cfemu: standard output cannot be written\n")


def test_a_name_that_cannot_be_shown_is_escaped(tmp_path: Path) -> None:
    for name in (b"bad\xff.parquet", "\u00fc\u2603.parquet".encode()):
        for more in ({}, {"PYTHONIOENCODING": "ascii"}):
            done = subprocess.run(
                command("report", os.fsdecode(tmp_path / os.fsdecode(name))),
                env=environment() | more, capture_output=True, check=False,
            )  # fmt: skip

            assert done.returncode == 2
            assert done.stderr.count(b"\n") == 1
            assert b"no such file or directory" in done.stderr


def test_text_that_cannot_be_shown_is_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = BytesIO()
    monkeypatch.setattr("sys.stdout", TextIOWrapper(shown, "ascii"))

    prepare_streams()
    print("snow \u2603", flush=True)

    assert shown.getvalue() == rb"snow \u2603" + b"\n"


INTERRUPTED = """
import os, signal, sys
module = sys.argv.pop(1)
class Interrupt:
    def find_spec(self, name, path, target=None):
        if name == module:
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Interrupt())
signal.signal(signal.SIGINT, signal.default_int_handler)  # in the background it is ignored
from kernel_model.start import main
main()
"""


@pytest.mark.parametrize("module", ["emu.cli", "typer", "kernel_model.cli", "kernel_model.comparison", "numpy"])
def test_ctrl_c_during_the_start_is_silent(module: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED, module, "compare"],
        cwd=ROOT, env=environment(), capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip

    assert done.returncode in (-signal.SIGINT, 130)
    assert (done.stdout, done.stderr) == ("", "")
