"""Every speed that the project promises, measured in one run: ratios within the run, and some absolute times.

A ratio compares two things that were timed in turn on the same machine, so it can be compared with the ratio of an
earlier run; seconds cannot.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import median

from benchmarks.history import GOAL as STEP_BACK_GOAL
from benchmarks.history import VMLINUX, measure_history
from benchmarks.levels import mean_ratios, measure_levels
from benchmarks.linux import NotMeasured, measure_linux
from benchmarks.recording import measure_recording
from benchmarks.speed import guest, measure_miss, measure_speed
from benchmarks.startup import measure_startup
from benchmarks.trace import GOALS as TRACE_GOALS
from benchmarks.trace import LINEAR, measure_trace

__all__ = ["GROUPS", "Figure", "Group"]


@dataclass(frozen=True)
class Figure:
    """``unit`` "x": a ratio, the only figures that are compared with earlier runs. ``goal``: at least that, or with
    ``less`` at most."""

    what: str
    value: float
    unit: str = "x"
    goal: float | None = None
    less: bool = False
    note: str = ""

    @property
    def reached(self) -> bool:
        if self.goal is None:
            return True
        return self.value <= self.goal if self.less else self.value >= self.goal


@dataclass(frozen=True)
class Group:
    """Figures with a common title; ``measure`` takes the number of repeats and may raise NotMeasured."""

    name: str
    title: str
    measure: Callable[[int], Iterator[Figure]]


def engine(repeats: int) -> Iterator[Figure]:
    goals = {"mix": 1.0}
    for speed in measure_speed(guest(), repeats):
        note = f"{speed.guest_mips:.0f} guest MIPS; {speed.against_python_hooks:.0f} times hooks in Python"
        yield Figure(f"{speed.kernel}: {speed.what}", speed.ratio, goal=goals.get(speed.kernel), note=note)
    miss = measure_miss(guest(), repeats)
    note = f"{miss.handler_instructions:.0f} guest instructions"
    yield Figure("one TLB miss, from the fault to the completion", miss.microseconds, "us", 1.0, True, note)


def levels(repeats: int) -> Iterator[Figure]:
    goals = {"full": 0.25}
    for level, ratio in mean_ratios(list(measure_levels(repeats))).items():
        if level != "flat":
            yield Figure(f"{level}, geometric mean over the suite", ratio, goal=goals.get(level))


def starts(repeats: int) -> Iterator[Figure]:
    for start in measure_startup(repeats):
        yield Figure(start.what, start.seconds, "s", start.goal, True)


def linux(repeats: int) -> Iterator[Figure]:
    found = measure_linux(repeats)
    note = f"{found.boot_seconds:.2f} s; QEMU {found.qemu_boot_seconds:.2f} s, most of ours is Python's start"
    yield Figure("time to 'Run /init', of QEMU's", found.boot_ratio, "x", 1.5, True, note)
    yield Figure("an iteration of the delay loop, of QEMU's", found.loop_ratio, "x", None, True)
    yield Figure("time to the shell's prompt", found.prompt_seconds, "s", 2.0, True)


def recording(repeats: int) -> Iterator[Figure]:
    for cost in measure_recording(guest(), repeats):
        note = f"{cost.references:,} references in {cost.bits:.2f} bits each"
        yield Figure(cost.what, cost.ratio, goal=0.5, note=note)


def traces(repeats: int) -> Iterator[Figure]:
    speed = measure_trace(repeats, LINEAR)
    kinds = {"random": "random pages", "runs": "runs of 12"}
    for comparison in speed.lru:
        for peer, ratio in comparison.ratios.items():
            goal = TRACE_GOALS.get(f"LRU at 32 entries against {peer}, {comparison.trace}")
            note = f"{comparison.ours:.0f} million references a second; {peer} {comparison.peers[peer]:.1f}"
            yield Figure(f"LRU, 32 entries, {kinds[comparison.trace]}, against {peer}", ratio, goal=goal, note=note)
    if speed.six_passes_ratio is not None:
        note = f"{speed.all_sizes_speed:.0f} million references a second"
        yield Figure(
            "LRU at 1 to 128 entries in one pass, against six passes", speed.six_passes_ratio, "x", 1.0, note=note
        )
    yield Figure("two replays on two threads, against one after the other", speed.two_threads, goal=1.7)
    for geometry, value in speed.full_speed.items():
        note = f"PLRU, four page sizes, ASIDs, locked entries; {speed.full_misses_per_1000:.1f} misses per 1000"
        yield Figure(f"full semantics, {geometry}", value, "M/s", 100.0, note=note)
    shortest, longest = speed.scaling[0], speed.scaling[-1]
    times = (longest.seconds / longest.references) / (shortest.seconds / shortest.references)
    note = f"{shortest.megabytes:.0f} and {longest.megabytes:.0f} MB"
    what = f"time of a reference, {longest.references:,} against {shortest.references:,} of them"
    yield Figure(what, times, "x", 1.3, True, note)
    if speed.lackey is not None:
        note = f"{speed.lackey.references:,} references of /bin/true"
        ratio = speed.lackey.valgrind_seconds / speed.lackey.replay_seconds
        yield Figure("a replay against the run under valgrind's lackey that made the trace", ratio, note=note)


def history(repeats: int) -> Iterator[Figure]:
    if not VMLINUX.exists():
        raise NotMeasured("there is no Linux; `make linux` builds one")
    cost = measure_history(places=4 * repeats)
    note = f"{cost.checkpoints} checkpoints, {cost.megabytes:.0f} MB"
    yield Figure("a run of 100 million instructions, with a history", cost.overhead, "x", 1.5, True, note)
    steps = f"worst {1000 * max(cost.first):.0f} ms"
    yield Figure("a step back, anywhere in it", median(cost.first), "s", STEP_BACK_GOAL, True, steps)
    yield Figure("back to the miss before", median(cost.miss), "s", None, True)
    yield Figure("back to the load of a TLB entry before", median(cost.load), "s", None, True)


GROUPS = (
    Group("engine", "Exact mode, cycles counted, against bare unicorn on the same code (1.00 = as fast)", engine),
    Group("levels", "Levels of the time model, as a share of the flat level's speed", levels),
    Group("recording", "Recording a trace, as a share of exact mode's speed", recording),
    Group("traces", "Replay of traces beside cache simulators on the same traces", traces),
    Group("history", "Time travel on Linux", history),
    Group("linux", "Linux 6.1, beside the same without MMU on qemu-system-m68k -M mcf5208evb", linux),
    Group("starts", "Start-up", starts),
)
