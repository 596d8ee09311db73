"""Small sweeps for tests: four runs of a fraction of a second, one of which is refused."""

import os
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

from emu.cli import execute
from kernel_model.cli import app
from kernel_model.sweeps.store import read_rows

ROOT = Path(__file__).resolve().parents[2]

BASE = """
[scenario.workload]
run = ["boot", "ping-pong"]
ipc_round_trips = 10

[[scenario.device]]
name = "card"
kind = "usb"
"""
FOUR = """
[axes]
strategy = ["reserve", "grow"]
mapping = ["acr", "paged-8k"]
"""


def write_sweep(directory: Path, axes: str = FOUR, base: str = BASE) -> Path:
    """A sweep file in ``directory``."""
    file = directory / "small.toml"
    file.write_text(base + axes)
    return file


def rows_of(path: Path) -> list[dict[str, Any]]:
    """The rows of a table."""
    rows: list[dict[str, Any]] = read_rows(path).to_pylist()
    return rows


def command(*arguments: object) -> list[str]:
    """The command line of `cfemu ARGUMENTS` with these sources."""
    return [sys.executable, "-m", "kernel_model.cli", *map(str, arguments)]


def environment() -> dict[str, str]:
    """For a process with these sources, wherever it runs."""
    return {**os.environ, "PYTHONPATH": str(ROOT)}


@dataclass(frozen=True)
class Done:
    """What a command has said."""

    returncode: int
    stdout: str
    stderr: str


def cfemu(*arguments: object) -> Done:
    """Run `cfemu ARGUMENTS` in this process, which has the engine loaded."""
    with redirect_stdout(StringIO()) as out, redirect_stderr(StringIO()) as err:
        status = execute(app, [str(argument) for argument in arguments])
    return Done(status, out.getvalue(), err.getvalue())
