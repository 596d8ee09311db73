"""``python -m benchmarks``: every measurement, one table each (or one JSON object with --json)."""

import argparse
import json
import sys
from dataclasses import asdict

from benchmarks.levels import mean_ratios, measure_levels
from benchmarks.linux import LinuxSpeed, NotMeasured, measure_linux
from benchmarks.speed import Speed, guest, measure_miss, measure_speed
from benchmarks.startup import measure_startup

GOALS = {
    "mix ratio": 1.0,
    "mix floor": 0.8,
    "against Python hooks": 50.0,
    "full timing against flat": 0.25,
    "microseconds per miss": 1.0,
    "Linux boot against QEMU": 1.5,
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    parser.add_argument("--repeats", type=int, default=5, metavar="N", help="interleaved repeats (default 5)")
    arguments = parser.parse_args()
    repeats = max(1, arguments.repeats)
    elf = guest()

    speeds = []
    show = (lambda *_: None) if arguments.json else print
    show("Exact mode, cycles counted, against bare unicorn on the same code (1.00 = as fast)")
    show(f"{'kernel':8} {'ratio':>6} {'raw ms':>8} {'exact ms':>9} {'guest MIPS':>11} {'vs Python hooks':>16}")
    for speed in measure_speed(elf, repeats):
        speeds.append(speed)
        show(line(speed))
    show(f"goal: mix {GOALS['mix ratio']:.2f}, floor {GOALS['mix floor']:.2f}; more than 50x hooks in Python\n")

    show("Levels of the time model: speed as a share of the flat level's, and guest MIPS")
    levels = []
    for level in measure_levels(repeats):
        levels.append(level)
        figures = (f"{name} {level.ratio[name]:5.2f} {level.guest_mips[name]:6.0f}" for name in level.ratio)
        show(f"{level.kernel:12} {'   '.join(figures)}")
    means = mean_ratios(levels)
    show(f"geometric mean: {', '.join(f'{name} {ratio:.2f}' for name, ratio in means.items())}; goal: full 0.25\n")

    miss = measure_miss(elf, repeats)
    show("One TLB miss, from the fault to the completion of the instruction")
    show(f"{miss.microseconds:.2f} us of host time, {miss.handler_instructions:.0f} guest instructions; goal: 1.0 us\n")

    starts = measure_startup(repeats)
    show("Start-up")
    for start in starts:
        show(f"{start.seconds:5.2f} s  (goal {start.goal:.1f} s)  {start.what}")

    show("\nLinux 6.1, from the start of the process; beside it the same without MMU on qemu-system-m68k -M mcf5208evb")
    linux = None
    try:
        linux = measure_linux(repeats)
        for text in linux_lines(linux):
            show(text)
    except NotMeasured as missing:
        show(f"not measured: {missing}")

    if arguments.json:
        result: dict[str, object] = {"linux": None if linux is None else asdict(linux)}
        result |= {"levels": [asdict(s) for s in levels], "level means": means}
        result |= {"speed": [asdict(s) for s in speeds], "miss": asdict(miss), "startup": [asdict(s) for s in starts]}
        json.dump({"schema": "cfemu-bench/1", "goals": GOALS, **result}, sys.stdout, indent=2)
        print()
    return 0


def linux_lines(linux: LinuxSpeed) -> list[str]:
    ratio, goal = f"{linux.boot_ratio:.2f}x", GOALS["Linux boot against QEMU"]
    loop, qemu_loop = linux.loop_nanoseconds, linux.qemu_loop_nanoseconds
    return [
        f"{linux.boot_seconds:5.2f} s   to 'Run /init'; QEMU {linux.qemu_boot_seconds:.2f} s; {ratio} (goal {goal})",
        f"{linux.prompt_seconds:5.2f} s   to the prompt of the shell (goal 2 s)",
        f"{loop:5.2f} ns  an iteration of the delay loop; QEMU {qemu_loop:.2f} ns; {linux.loop_ratio:.1f}x",
    ]


def line(speed: Speed) -> str:
    return (
        f"{speed.kernel:8} {speed.ratio:6.2f} {speed.raw_seconds * 1e3:8.1f} {speed.exact_seconds * 1e3:9.1f} "
        f"{speed.guest_mips:11.0f} {speed.against_python_hooks:15.0f}x  {speed.what}"
    )


if __name__ == "__main__":
    sys.exit(main())
