"""An unmodified Linux as a guest of tests: built from Debian's source, run with a script, its transcript compared."""

import re
import subprocess
import sys
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from emu.board import get_board
from emu.counters import Counters
from emu.elf import Elf, load_elf
from emu.machine import Machine, StopReason
from emu.recording import record

ROOT = Path(__file__).resolve().parents[2]
LINUX = ROOT / "firmware" / "linux"
SCRIPT, TRANSCRIPT = LINUX / "commands.txt", LINUX / "transcript.txt"
MISSING = 2  # exit status of the build: packages are not installed

# What differs between compilers, versions of Debian's source, and moments; each is replaced by its name in <>.
MASKS = (
    (r"Linux version .*", "<version>"),
    (r"Linux \(none\)|Linux 6\.1\.\S+ .*", "<version>"),
    (r"[\d.]+ BogoMIPS \(lpj=\d+\)", "<BogoMIPS>"),
    (r"Memory: .*", "<memory>"),
    (r"(?m)^(\w+):\s+\d+ kB$", r"\1: <size>"),
    (r"(?m)^\d+\.\d\d \d+\.\d\d$", "<uptime>"),
    (r"(?m)^(Clocking|BogoMips|Calibration):.*", r"\1: <speed>"),
    (r"(?m)^\d+ \((?!init\)).*\n", ""),  # kernel threads: which exist, and do what, depends on the time of misses
    (r"(?m)^\d+ \(", "<number> ("),
    (r"from process \d+", "from process <number>"),
    (r"(?m)^[0-9a-f]{8}-[0-9a-f]{8} (\S+) [0-9a-f]{8} (.*)", r"<range> \1 \2"),
)


@dataclass(frozen=True)
class LinuxRun:
    """What a run came to."""

    reason: StopReason
    console: str
    counters: Counters
    errors: NDArray[np.void]


@cache
def vmlinux() -> Elf:
    """The kernel, built if that was not done before; skips the test, by name of what is missing, where it cannot be."""
    done = subprocess.run([sys.executable, LINUX / "build.py"], check=False, capture_output=True, text=True, cwd=ROOT)
    if done.returncode == MISSING and "packages are missing" in done.stderr:
        pytest.skip(f"no Linux to boot: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    return load_elf(ROOT / "build" / "linux" / "vmlinux")


def boot(
    engine: str = "native",
    entries: int = 32,
    script: bytes | None = None,
    recording: Path | None = None,
    **options: Any,
) -> LinuxRun:
    """Boot, type the script, run until the guest restarts the board; ``options``: of the machine; ``recording``: the
    trace to write."""
    elf = vmlinux()
    typed = SCRIPT.read_bytes() if script is None else script
    machine = Machine(get_board("m5475evb"), engine, itlb_entries=entries, dtlb_entries=entries, **options)
    try:
        machine.load_elf(elf)
        machine.strict = True
        machine.start_profile()
        machine.when_listening(lambda: typed)
        with nullcontext() if recording is None else record(machine, recording):
            result = machine.run(max_cycles=20 * 266_000_000)  # virtual seconds
        console = machine.console.decode(errors="backslashreplace").replace("\r", "")
        return LinuxRun(result.reason, console, machine.counters(), machine.access_errors())
    finally:
        machine.close()


def masked(console: str) -> str:
    """The transcript without what may differ."""
    for pattern, name in MASKS:
        console = re.sub(pattern, name, console)
    return console
