"""Linux as a guest, beside the same version and configuration without MMU on QEMU's mcf5208evb.

Both are started as a user would, in turn, and timed from the start of the process to a line of the kernel's. QEMU's
clock is the host's, so its kernel itself measures how long an iteration of the delay loop takes.
"""

import re
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from emu.board import get_board
from emu.elf import load_elf
from emu.machine import Machine

__all__ = ["LinuxSpeed", "NotMeasured", "measure_linux"]

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / "build" / "linux"
QEMU = "qemu-system-m68k"
READY = b"Run /init as init process"
PROMPT = b"cf# "
TIMEOUT = 60  # seconds; nothing here takes more than a few
HZ = 100  # of both kernels
LOOP_INSTRUCTIONS = 2  # SUBQ and BPL
MEASURED_INSTRUCTIONS = 10_000_000


class NotMeasured(Exception):
    """What is missing for the comparison."""


@dataclass(frozen=True)
class LinuxSpeed:
    """Seconds from the start of the process, medians; ``boot_ratio`` and ``loop_ratio``: ours / QEMU's."""

    boot_seconds: float
    prompt_seconds: float
    qemu_boot_seconds: float
    boot_ratio: float
    loop_nanoseconds: float
    qemu_loop_nanoseconds: float
    loop_ratio: float


def kernels() -> tuple[Path, Path]:
    """(With MMU, without): built if need be. Raises NotMeasured naming what is missing."""
    if shutil.which(QEMU) is None:
        raise NotMeasured("the Debian package qemu-system-misc is not installed")
    for board in ("m5475evb", "mcf5208evb"):
        build: list[str | Path] = [sys.executable, ROOT / "firmware" / "linux" / "build.py", board]
        done = subprocess.run(build, check=False, capture_output=True, text=True)
        if done.returncode:
            raise NotMeasured(done.stderr.strip().splitlines()[-1])
    return BUILD / "vmlinux", BUILD / "vmlinux-nommu"


def time_to(command: Sequence[str | Path], texts: Sequence[bytes]) -> tuple[list[float], bytes]:
    """Seconds until each of ``texts`` appears, in their order, and all output so far; the process is ended then."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout is not None
    output = b""
    times: list[float] = []
    try:
        while len(times) < len(texts):
            piece = process.stdout.read1(65536)  # type: ignore[attr-defined]  # of a BufferedReader
            if not piece or time.perf_counter() - start > TIMEOUT:
                raise NotMeasured(f"{command[0]} did not print {texts[len(times)]!r}; its last line: {output[-80:]!r}")
            output += piece
            while len(times) < len(texts) and texts[len(times)] in output:
                times.append(time.perf_counter() - start)
    finally:
        process.kill()
        process.wait()
    return times, output


def loop_seconds(vmlinux: Path) -> float:
    """Host seconds for one iteration of the delay loop here."""
    elf = load_elf(vmlinux)
    with Machine(get_board("m5475evb")) as machine:
        machine.load_elf(elf)
        machine.run(stop_at=[elf.address("calibrate_delay")])
        machine.run(max_instructions=MEASURED_INSTRUCTIONS // 4)  # into the loop, and translated
        start = time.perf_counter()
        machine.run(max_instructions=MEASURED_INSTRUCTIONS)
        return (time.perf_counter() - start) / MEASURED_INSTRUCTIONS * LOOP_INSTRUCTIONS


def measure_linux(repeats: int) -> LinuxSpeed:
    """Both sides ``repeats`` times in turn. Raises NotMeasured where the comparison cannot be made."""
    vmlinux, nommu = kernels()
    ours: list[str | Path] = [sys.executable, "-m", "emu", "run", "--board", "m5475evb", vmlinux]
    theirs: list[str | Path] = [QEMU, "-M", "mcf5208evb", "-nographic", "-no-reboot", "-kernel", nommu]
    boots, prompts, qemu_boots, loops, qemu_loops = [], [], [], [], []
    time_to(ours, [READY])  # loads compiled code
    for _ in range(repeats):
        (seconds,), output = time_to(theirs, [READY])
        qemu_boots.append(seconds)
        found = re.search(rb"lpj=(\d+)", output)
        if found is None:
            raise NotMeasured("QEMU's kernel does not tell its loops per jiffy")
        qemu_loops.append(1 / HZ / int(found[1]))
        (boot, prompt), _output = time_to(ours, [READY, PROMPT])
        boots.append(boot)
        prompts.append(prompt)
        loops.append(loop_seconds(vmlinux))
    return LinuxSpeed(
        boot_seconds=median(boots),
        prompt_seconds=median(prompts),
        qemu_boot_seconds=median(qemu_boots),
        boot_ratio=median(ours / theirs for ours, theirs in zip(boots, qemu_boots, strict=True)),
        loop_nanoseconds=median(loops) * 1e9,
        qemu_loop_nanoseconds=median(qemu_loops) * 1e9,
        loop_ratio=median(ours / theirs for ours, theirs in zip(loops, qemu_loops, strict=True)),
    )
