"""How long a person waits: for `--help`, and until the first guest instruction of `compare`."""

import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

__all__ = ["Startup", "measure_startup"]

RUN_COMMAND = "import sys; from kernel_model.cli import main; sys.argv = ['cfemu', *sys.argv[1:]]; main()"

# The first run() executes one guest instruction, so loading the compiled engine is included; then the process ends.
FIRST_INSTRUCTION = """
import os, sys
from emu.machine import Machine
run = Machine.run
def first(machine, *args, **options):
    result = run(machine, max_instructions=1)
    os._exit(0 if machine.counters().instructions == 1 else 3)
Machine.run = first
from kernel_model.cli import main
sys.argv = ["cfemu", "compare"]
main()
sys.exit(4)
"""


@dataclass(frozen=True)
class Startup:
    what: str
    seconds: float
    goal: float


def measure_startup(repeats: int) -> list[Startup]:
    """Wall time of whole processes; medians, after one warm-up each."""
    cases = (
        ("cfemu --help", [RUN_COMMAND, "--help"], 0.3),
        ("cfemu run --help", [RUN_COMMAND, "run", "--help"], 0.3),
        ("cfemu compare, to the first guest instruction", [FIRST_INSTRUCTION], 1.0),
    )
    return [Startup(what, timed(arguments, repeats), goal) for what, arguments, goal in cases]


def timed(arguments: Sequence[str], repeats: int) -> float:
    """Median seconds of a Python process; raises CalledProcessError if it fails."""
    seconds = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", *arguments], check=True, stdout=subprocess.DEVNULL)
        seconds.append(time.perf_counter() - start)
    return median(seconds[1:])
