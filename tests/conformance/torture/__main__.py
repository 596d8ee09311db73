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
from tests.conformance.torture.sources import EXCLUDED, Source, all_sources, missing_package

T = TypeVar("T")


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.conformance.torture", description=__doc__)
    parser.add_argument("--opt", nargs="+", default=["O1", "O2"], metavar="LEVEL", help="optimisation levels: O1 O2")
    parser.add_argument("--pages", nargs="+", type=int, default=list(PAGE_SIZES), choices=PAGE_SIZES, help="page sizes in KB")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes at a time (default: cores)")
    parser.add_argument("--engine", default="auto", help="the machine's engine (default: auto)")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.add_argument("names", nargs="*", help="only these tests, for instance 20000112-1 or ieee/fp-cmp-1")
    return parser.parse_args()


def chosen(names: list[str]) -> list[Source]:
    """The sources called ``names``, or all that are not excluded."""
    sources = all_sources()
    if not names:
        return [source for source in sources if source.name not in EXCLUDED]
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


def table(summaries: list[campaign.Summary]) -> str:
    """The counts, one line per level and page size."""
    lines = ["| level | pages | programs | equal | instructions | TLB misses | violations | interrupts |"]
    lines.append("|---|---|---|---|---|---|---|---|")
    lines += [
        f"| -O{s.level} | {s.kilobytes} KB | {s.programs} | {s.equal} | {s.retired:,} | {s.misses:,} | {s.violations:,} "
        f"| {s.interrupts:,} |"
        for s in summaries
    ]
    return "\n".join(lines)


def main() -> int:
    """Exit status 0: all equal; 1: a difference, or a test that does not build; 2: a package is missing."""
    arguments = options()
    package = missing_package()
    if package:
        print(f"the Debian package {package} is not installed", file=sys.stderr)
        return 2
    start = time.monotonic()
    sources, levels = chosen(arguments.names), [level.lstrip("-O") for level in arguments.opt]
    total = len(sources) * len(levels)
    programs = list(watched(build.build_all(sources, levels, arguments.jobs), total, "building"))
    built = time.monotonic()
    failures = [f"{p.name} -O{p.level}: does not build: {p.error}" for p in programs if p.elf is None]
    runnable = [program for program in programs if program.elf is not None]
    rows = campaign.run_all(runnable, arguments.pages, arguments.jobs, arguments.engine)
    summaries = campaign.summarise(watched(rows, len(runnable), "running"), arguments.pages)
    differences = failures + [difference for summary in summaries for difference in summary.differences]
    seconds = {"build": round(built - start, 1), "run": round(time.monotonic() - built, 1)}
    if arguments.json:
        rows_of_table = [asdict(summary) for summary in summaries]
        print(json.dumps({"summaries": rows_of_table, "failures": failures, "excluded": EXCLUDED, "seconds": seconds}, indent=1))
    else:
        print(table(summaries))
        print(f"\n{len(EXCLUDED)} tests are excluded; building took {seconds['build']} s, running {seconds['run']} s")
        print("\n".join(f"  {name}: {reason}" for name, reason in EXCLUDED.items()))
        print("\n".join(differences) or "no differences")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
