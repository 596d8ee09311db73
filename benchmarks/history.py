"""``python -m benchmarks.history``: what a history costs, and how long ways back take, on a long run of Linux."""

import argparse
import random
import statistics
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from emu.board import get_board
from emu.debug.catcher import Wait
from emu.debug.history import Moment
from emu.debug.session import Load, Miss, Session
from emu.elf import Elf, load_elf
from emu.machine import Machine

__all__ = ["GOAL", "VMLINUX", "HistoryCost", "measure_history"]

ROOT = Path(__file__).resolve().parents[1]
VMLINUX = ROOT / "build" / "linux" / "vmlinux"
COMMANDS = ROOT / "firmware" / "linux" / "commands.txt"
LAST_COMMAND = b"exit"
GOAL = 0.5  # seconds of one step back, anywhere in
LENGTH = 100_000_000  # instructions
WAITING = 5_000_000
MISSES = 20  # misses to go back to, one after the other


def machine(elf: Elf, timing: str) -> Machine:
    """A board whose Linux gets the commands of its tests again and again."""
    made = Machine(get_board("m5475evb"), timing=timing)
    made.load_elf(elf)
    commands = [line for line in COMMANDS.read_bytes().splitlines() if line.strip() != LAST_COMMAND]
    script = 20 * b"".join(line + b"\n" for line in commands)
    made.when_listening(lambda: script)
    return made


def seconds(what: object, *arguments: int) -> float:
    """How long a call takes."""
    assert callable(what)
    started = time.perf_counter()
    what(*arguments)
    return time.perf_counter() - started


def waiting(session: Session, wait: Wait, stops: tuple[int, ...]) -> float:
    """Seconds for some millions of instructions in the middle of the run, from event to event."""
    session.goto(LENGTH // 2)
    end = Moment(LENGTH // 2 + WAITING, 0, 0)
    started = time.perf_counter()
    while session.history.forward(end, stops=stops, wait=wait).found:
        pass
    return time.perf_counter() - started


@dataclass(frozen=True)
class HistoryCost:
    """Of a run of 100 million instructions. ``overhead``: time with a history over time without; seconds for ``there``
    (to any instruction, from anywhere), ``first`` (one step back there), ``more`` (the next steps back), ``miss`` (back
    to the miss before) and ``load`` (to the load of a TLB entry before); ``waits``: times as long while waiting."""

    instructions: int
    same_counters: bool
    overhead: float
    checkpoints: int
    megabytes: float
    there: list[float]
    first: list[float]
    more: list[float]
    miss: list[float]
    load: list[float]
    waits: dict[str, float]


def measure_history(timing: str = "flat", memory: int = 512, places: int = 40) -> HistoryCost:
    """``memory``: megabytes for checkpoints. FileNotFoundError without a Linux."""
    elf = load_elf(VMLINUX)
    with machine(elf, timing) as plain:
        alone = seconds(plain.run, LENGTH)
        counters = plain.counters()
    guest = machine(elf, timing)
    session = Session(guest, memory=memory << 20)
    history = session.history
    recorded = seconds(session.goto, LENGTH)
    same = guest.counters().to_dict() == counters.to_dict()
    kept = len(history.checkpoints), history.bytes_kept / (1 << 20)

    rng = random.Random(1)
    there, back = [], []
    for place in (rng.randrange(1, LENGTH) for _ in range(places)):
        there.append(seconds(session.goto, place))
        back.append([seconds(session.reverse_step) for _ in range(5)])
    entry = int(guest.core.state["mmu"]["dtlb_base"]) + 5
    events = [backwards(session, event) for event in (Miss(), Load(entry))]
    cheap = waiting(session, Wait(), ())
    waits = {
        "a stop address": waiting(session, Wait(), (elf.address("panic"),)) / cheap,
        "all exceptions": waiting(session, Wait(frozenset(range(256))), ()) / cheap,
    }
    session.close()
    guest.close()
    first, more = [times[0] for times in back], [t for times in back for t in times[1:]]
    to_miss, to_load = events
    return HistoryCost(
        counters.instructions, same, recorded / alone, *kept, there, first, more, to_miss, to_load, waits
    )


def backwards(session: Session, event: Miss | Load) -> list[float]:
    """Seconds of each of some moves back to the event before, from the end of the run."""
    session.goto(LENGTH)
    point = session.add_catchpoint(event)
    times = [seconds(session.reverse_continue) for _ in range(MISSES)]
    session.remove(point.number)
    return times


def line(name: str, times: list[float]) -> None:
    """Median and worst, in milliseconds."""
    print(f"{name:38} median {1000 * statistics.median(times):7.1f} ms   worst {1000 * max(times):7.1f} ms")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.history", description=__doc__)
    parser.add_argument("--timing", default="flat", help="level of the time model (default flat)")
    parser.add_argument("--memory", type=int, default=512, metavar="MB", help="for checkpoints (default 512)")
    parser.add_argument("--places", type=int, default=40, metavar="N", help="random places to go to (default 40)")
    arguments = parser.parse_args()
    if not VMLINUX.exists():
        print("not measured: there is no Linux; `make linux` builds one", file=sys.stderr)
        return 1
    cost = measure_history(arguments.timing, arguments.memory, arguments.places)
    print(f"{cost.instructions:,} instructions, timing {arguments.timing}; counters the same: {cost.same_counters}")
    print(f"with a history {cost.overhead:.2f} times as long as without")
    print(f"{cost.checkpoints} checkpoints, {cost.megabytes:.1f} MB")
    line("goto, from anywhere", cost.there)
    line(f"a step back there (goal {1000 * GOAL:.0f} ms)", cost.first)
    line("the next steps back", cost.more)
    line("back to the miss before", cost.miss)
    line("back to the load of a TLB entry before", cost.load)
    for name, ratio in cost.waits.items():
        print(f"running with {name} to wait for: {ratio:.1f} times as long as without")
    return 0 if cost.same_counters and max(cost.first) < GOAL else 1


if __name__ == "__main__":
    sys.exit(main())
