"""``python -m benchmarks``: miss counts against what was accepted, then every speed; docs/benchmarks.md is the result.

Exit status 1 when a count differs from benchmarks/misses.toml, or when a ratio costs more than a tenth more than in the
earlier runs on this machine (.benchmarks, which pytest-benchmark reads).
"""

import argparse
import json
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.counts import compare_counts
from benchmarks.figures import GROUPS, Figure
from benchmarks.linux import NotMeasured
from benchmarks.runs import ALLOWED, COMPARED, ENOUGH, STORAGE, Regression, earlier_costs, regressions, save
from emu.regression.compare import Comparison, print_comparison

ROOT = Path(__file__).resolve().parents[1]
DOCUMENT = ROOT / "docs" / "benchmarks.md"
COUNTS = "counts"
PACKAGES = ("unicorn", "numba", "numpy", "llvmlite")
UNITS = {"x": "{:.2f}", "s": "{:.3f} s", "us": "{:.2f} us", "M/s": "{:.0f} million/s"}

Figures = Mapping[str, Sequence[Figure]]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    names = [COUNTS, *(group.name for group in GROUPS)]
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    parser.add_argument("--repeats", type=int, default=5, metavar="N", help="interleaved repeats (default 5)")
    parser.add_argument("--only", action="append", choices=names, help="this part; repeatable; nothing is written")
    parser.add_argument("--update", action="store_true", help="accept today's counts: benchmarks/misses.toml")
    arguments = parser.parse_args()
    wanted = arguments.only or names
    machine = describe_machine()

    comparison = None
    if COUNTS in wanted:
        say("counting the misses of all workloads ...")
        comparison = compare_counts(arguments.update)
    figures: dict[str, Sequence[Figure]] = {}
    missing: dict[str, str] = {}
    for group in GROUPS:
        if group.name in wanted:
            say(f"{group.title} ...")
            try:
                figures[group.name] = list(group.measure(max(1, arguments.repeats)))
            except NotMeasured as reason:
                missing[group.name] = str(reason)
    worse = regressions(figures, earlier_costs())
    machine["load average at the end"] = load_average()
    whole = arguments.only is None
    if whole:
        save(figures)
        DOCUMENT.write_text(document(machine, comparison, figures, missing))
    if arguments.json:
        print_json(machine, comparison, figures, missing, worse)
    else:
        print_tables(comparison, figures, missing, worse)
        if whole:
            say(f"written: {DOCUMENT.relative_to(ROOT)}; kept in {STORAGE.relative_to(ROOT)}")
    return 1 if worse or (comparison is not None and not comparison.same) else 0


def say(text: str) -> None:
    """Progress, for a person who waits."""
    if sys.stderr.isatty():
        print(text, file=sys.stderr)


# --- the machine


def describe_machine() -> dict[str, str]:
    """What the figures depend on."""
    from importlib import metadata

    found = {
        "processor": processor(),
        "cores": str(os.cpu_count()),
        "system": f"{platform.system()} {platform.machine()}",
    }
    found["Python"] = platform.python_version()
    found |= {name: metadata.version(name) for name in PACKAGES}
    return found | {"load average at the beginning": load_average()}


def processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown"


def load_average() -> str:
    return f"{os.getloadavg()[0]:.1f}"


# --- results


def shown(figure: Figure) -> str:
    return UNITS[figure.unit].format(figure.value)


def goal(figure: Figure) -> str:
    if figure.goal is None:
        return ""
    number = UNITS[figure.unit].format(figure.goal)
    return f"{'at most' if figure.less else 'at least'} {number}{'' if figure.reached else ' (missed)'}"


def print_tables(
    comparison: Comparison | None, figures: Figures, missing: dict[str, str], worse: Sequence[Regression]
) -> None:
    if comparison is not None:
        if comparison.same:
            print(f"{len(comparison.entries)} miss counts are as accepted\n")
        else:
            print_comparison(comparison, "benchmarks/misses.toml", json=False, junit=None)
    for group in GROUPS:
        if group.name in figures or group.name in missing:
            print(group.title)
        for figure in figures.get(group.name, ()):
            note = f" ({figure.note})" if figure.note else ""
            print(f"  {shown(figure):>16}  {figure.what}{note}  {goal(figure)}".rstrip())
        if group.name in missing:
            print(f"  not measured: {missing[group.name]}")
    for name, before, now in worse:
        print(f"worse by {100 * (now / before - 1):.0f} %: {name}")


def print_json(
    machine: dict[str, str],
    comparison: Comparison | None,
    figures: Figures,
    missing: dict[str, str],
    worse: Sequence[Regression],
) -> None:
    found: dict[str, Any] = {"schema": "cfemu-bench/2", "machine": machine}
    if comparison is not None:
        found["counts"] = {"entries": len(comparison.entries), "same": comparison.same}
    found["figures"] = {
        name: [asdict(figure) | {"reached": figure.reached} for figure in members] for name, members in figures.items()
    }
    found |= {"not_measured": missing, "worse": [dict(zip(("name", "before", "now"), row)) for row in worse]}
    json.dump(found, sys.stdout, indent=2)
    print()


def document(machine: dict[str, str], comparison: Comparison | None, figures: Figures, missing: dict[str, str]) -> str:
    """docs/benchmarks.md."""
    lines = ["# Benchmarks", "", *INTRODUCTION, "", "| | |", "|---|---|"]
    lines += [f"| {name} | {value} |" for name, value in machine.items()]
    if comparison is not None:
        lines += ["", "## Miss counts", "", *counts_text(comparison)]
    for group in GROUPS:
        lines += ["", f"## {group.title}", ""]
        if group.name in missing:
            lines.append(f"Not measured: {missing[group.name]}.")
            continue
        lines += ["| | | goal | |", "|---|---:|---|---|"]
        lines += [f"| {f.what} | {shown(f)} | {goal(f)} | {f.note} |" for f in figures.get(group.name, ())]
    return "\n".join([*lines, "", "## Regressions", "", *REGRESSIONS, ""])


def counts_text(comparison: Comparison) -> list[str]:
    """What the miss-count suite says."""
    total = sum(entry.after.totals["itlb"] + entry.after.totals["dtlb"] for entry in comparison.entries if entry.after)
    same = "all as accepted" if comparison.same else "NOT as accepted"
    return [
        f"{len(comparison.entries)} workloads of the scenario `workloads`, every strategy under every mapping:",
        f"{total:,} misses, {same} in `benchmarks/misses.toml`, by region.",
    ]


INTRODUCTION = (
    "Written by `make bench`: one run, medians of interleaved repeats. Ratios compare what was timed in turn on the",
    "same machine: times as fast where more is better, times as long where less is.",
)
REGRESSIONS = (
    f"`make bench` fails when a ratio is more than {100 * ALLOWED - 100:.0f} % worse than in the worst of the latest",
    f"{COMPARED} runs on the same machine, once there are {ENOUGH}. They are kept in `.benchmarks` as costs (less is",
    "better), where `pytest-benchmark --storage .benchmarks compare` finds them. `make bench ARGS='--only counts'`",
    "runs the miss counts alone, which are exact on every machine; `--update` accepts new ones.",
)


if __name__ == "__main__":
    sys.exit(main())
