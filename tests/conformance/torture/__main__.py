"""``python -m tests.conformance.torture``: build what is missing, run everything, print a table."""

import argparse
import json
import os
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import TypeVar

from tests.conformance.torture import build, campaign
from tests.conformance.torture.layout import PAGE_SIZES
from tests.conformance.torture.sources import EXCLUDED, EXPLAINED, Source, all_sources, excluded, missing_package

T = TypeVar("T")


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.conformance.torture", description=__doc__)
    parser.add_argument("--opt", nargs="+", default=["O1", "O2"], metavar="LEVEL", help="optimisation levels: O1 O2")
    parser.add_argument(
        "--pages", nargs="+", type=int, default=list(PAGE_SIZES), choices=PAGE_SIZES, help="page sizes in KB"
    )
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes at a time (default: cores)")
    parser.add_argument("--engine", default="auto", help="the machine's engine (default: auto)")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.add_argument("names", nargs="*", help="only these tests, for instance 20000112-1 or ieee/fp-cmp-1")
    return parser.parse_args()


def chosen(names: list[str]) -> list[Source]:
    """The sources called ``names``, or all."""
    sources = all_sources()
    if not names:
        return sources
    unknown = set(names) - {source.name for source in sources}
    if unknown:
        raise SystemExit(f"no such test: {', '.join(sorted(unknown))}")
    return [source for source in sources if source.name in names]


def watched(items: Iterable[T], total: int, what: str) -> Iterator[T]:
    """The items, with a count on stderr while it is a terminal."""
    shown = sys.stderr.isatty()
    for count, item in enumerate(items, 1):
        if shown:
            print(f"\r{what} {count}/{total} ", end="", file=sys.stderr, flush=True)
        yield item
    if shown:
        print("\r\033[K", end="", file=sys.stderr, flush=True)


COLUMNS = ("level", "page", "programs", "as expected", "instructions", "TLB misses", "first writes", "interrupts")


def table(summaries: list[campaign.Summary]) -> str:
    """The counts, one line per level and page size."""
    lines = [f"| {' | '.join(COLUMNS)} |", "|---" * 2 + "|---:" * (len(COLUMNS) - 2) + "|"]
    for s in summaries:
        counts = (s.programs, s.equal, s.retired, s.misses, s.violations, s.interrupts)
        lines.append(f"| -O{s.level} | {s.kilobytes} KB | " + " | ".join(f"{count:,}" for count in counts) + " |")
    return "\n".join(lines)


def remarks(levels: list[str]) -> str:
    """Which tests are left out at these levels or end with an explanation, and why."""
    left_out = [(name, why.reason) for name, why in EXCLUDED.items() if any(excluded(name, level) for level in levels)]
    lines = [f"{len(left_out)} tests are excluded:", "", *(f"- {name}: {reason}" for name, reason in left_out)]
    lines += ["", f"{len(EXPLAINED)} tests do not end with status 0, for a reason:", ""]
    lines += [f"- {name}: {e.machine}, QEMU {e.qemu}: {e.reason}" for name, e in EXPLAINED.items()]
    return "\n".join(lines)


def main() -> int:
    """Exit status 0: all as expected; 1: a difference, or a test that does not build; 2: a package is missing."""
    arguments = options()
    package = missing_package()
    if package:
        print(f"the Debian package {package} is not installed", file=sys.stderr)
        return 2
    start = time.monotonic()
    sources, levels = chosen(arguments.names), [level.lstrip("-O") for level in arguments.opt]
    wanted = sum(not excluded(source.name, level) for level in levels for source in sources)
    programs = list(watched(build.build_all(sources, levels, arguments.jobs), wanted, "building"))
    built = time.monotonic()
    failures = [f"{p.name} -O{p.level}: does not build: {p.error}" for p in programs if p.elf is None]
    runnable = [program for program in programs if program.elf is not None]
    rows = campaign.run_all(runnable, arguments.pages, arguments.jobs, arguments.engine)
    summaries = campaign.summarise(watched(rows, len(runnable), "running"), arguments.pages)
    differences = failures + [difference for summary in summaries for difference in summary.differences]
    seconds = {"build": round(built - start, 1), "run": round(time.monotonic() - built, 1)}
    if arguments.json:
        result = {"summaries": [asdict(s) for s in summaries], "failures": failures, "seconds": seconds}
        print(json.dumps(result, indent=1))
    else:
        print(f"{table(summaries)}\n\n{remarks(levels)}\n")
        print(f"{len(differences)} differences{':' if differences else '.'}")
        print("".join(f"- {difference}\n" for difference in differences), end="")
        print(f"Building took {seconds['build']} s, running {seconds['run']} s.")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
