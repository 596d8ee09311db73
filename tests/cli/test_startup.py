"""`cfemu --help` answers at once: it imports nothing that is only needed to run a guest.

The time itself is measured by `make bench`; what makes it long is tested here, where the load of the machine does not
matter.
"""

import subprocess
import sys

import pytest

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
