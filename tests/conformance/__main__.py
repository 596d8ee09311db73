"""``make conformance``: the full evidence, section by section, and its summary in docs/conformance.md.

A section is a set of pytest files run with their slow tests, or a program of its own. Each has an independent judge,
which the summary names. Exit status 1 if anything differs; a section whose tools are missing is skipped and says so.
"""

import argparse
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from xml.etree import ElementTree as ET

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs" / "conformance.md"
PASSED, NO_TESTS, TOOLS_MISSING = 0, 5, 2
WORKERS = ("-n", "auto", "--dist", "worksteal")  # one test at a time on each core


@dataclass(frozen=True)
class Section:
    """``arguments``: of pytest, or of ``python -m`` for a ``program``; ``judge``: what says what is right."""

    title: str
    judge: str
    arguments: tuple[str, ...]
    program: bool = False


@dataclass(frozen=True)
class Result:
    section: Section
    checks: str
    failures: int
    skipped: int
    seconds: float
    detail: str = ""


SECTIONS = (
    Section(
        "MMU model against an independent one",
        "tests/oracle, written from the hardware sheet alone",
        ("tests/unit/mmu", "tests/unit/test_oracle.py", "tests/conformance/test_mmu_against_oracle.py"),
    ),
    Section(
        "Engines agree on random programs",
        "the reference engine: one instruction at a time, every access looked at",
        ("tests/conformance/test_engines_agree.py", "tests/unit/cpu"),
    ),
    Section(
        "Precise faults: every access of every memory instruction",
        "the same program without a fault, and sheet 1.13, 3.3, 3.5",
        ("tests/conformance/test_precise_faults.py",),
    ),
    Section(
        "Instructions",
        "QEMU in lockstep; oracles from the sheet and the host's IEEE doubles",
        (
            "tests/conformance/test_lockstep.py",
            "tests/conformance/test_emac_against_oracle.py",
            "tests/conformance/test_fpu_against_oracle.py",
            "tests/conformance/test_integer_against_oracle.py",
            "tests/conformance/test_fuzz.py",
            "tests/machine/test_instructions.py",
        ),
    ),
    Section(
        "Exceptions and interrupts",
        "the manual, section by section; an interrupt at every position",
        (
            "tests/machine/test_exceptions.py",
            "tests/machine/test_access_errors.py",
            "tests/machine/test_interrupts.py",
            "tests/machine/test_interrupt_positions.py",
            "tests/machine/test_code_changes.py",
        ),
    ),
    Section(
        "Cycles",
        "numbers worked out by hand; an independent model, instruction by instruction",
        ("tests/timing", "tests/unit/test_oracle_timing.py", "tests/machine/test_time_levels.py"),
    ),
    Section(
        "Traces: recorded, replayed, on other TLBs",
        "the live machine with those TLBs; every engine; libCacheSim; an oracle of its own",
        ("tests/conformance/test_recordings.py", "tests/model/test_recordings.py", "tests/unit/trace"),
    ),
    Section("Robustness of the native way in", "equal counts of both ways", ("tests/machine/test_way_in.py",)),
    Section(
        "GCC's torture suite under a hostile MMU",
        "the undisturbed run, and qemu-m68k",
        ("tests.conformance.torture",),
        program=True,
    ),
    Section(
        "Random instruction words",
        "the host process survives",
        ("tests.support.fuzz", "--words", "10000000", "--jobs", "2"),
        program=True,
    ),
)


def run_pytest(section: Section) -> Result:
    """A section of tests, the slow ones too."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [sys.executable, "-m", "pytest", "-q", "-m", "", "-p", "no:cacheprovider", "--durations=5", *WORKERS]
        start = time.monotonic()
        # What pytest prints is progress here; the summary is our output.
        done = subprocess.run(
            [*command, f"--junitxml={report}", *section.arguments], check=False, cwd=ROOT, stdout=sys.stderr
        )
        seconds = time.monotonic() - start
        if not report.exists():
            return Result(section, "0", 1, 0, seconds)
        suite = ET.parse(report).getroot()[0].attrib
    failures = int(suite["failures"]) + int(suite["errors"])
    if not failures and done.returncode not in (PASSED, NO_TESTS):
        failures = 1  # pytest itself
    skipped = int(suite["skipped"])
    passed = int(suite["tests"]) - skipped - failures
    return Result(section, f"{passed:,} tests", failures, skipped, seconds)


def run_program(section: Section) -> Result:
    """A section that is a program; its output is part of the document."""
    start = time.monotonic()
    command = [sys.executable, "-m", *section.arguments]
    done = subprocess.run(command, check=False, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    missing = done.returncode == TOOLS_MISSING
    failed = done.returncode not in (PASSED, TOOLS_MISSING)
    checks = "tools missing" if missing else "see below"
    return Result(section, checks, int(failed), int(missing), time.monotonic() - start, done.stdout)


def summary(results: Sequence[Result]) -> str:
    """The table, one row per section."""
    lines = ["| section | judge | checks | failures | skipped | minutes |", "|---|---|---:|---:|---:|---:|"]
    lines += [
        f"| {r.section.title} | {r.section.judge} | {r.checks} | {r.failures} | {r.skipped} | {r.seconds / 60:.1f} |"
        for r in results
    ]
    return "\n".join(lines)


def document(results: Sequence[Result]) -> str:
    """docs/conformance.md."""
    parts = [
        "# Conformance",
        "Written by `make conformance`; every figure is of that run.",
        f"Python {platform.python_version()}, unicorn {version('unicorn')}, numba {version('numba')}.",
        summary(results),
    ]
    parts += [f"## {r.section.title}\n\n{r.detail.strip()}" for r in results if r.detail and r.section.program]
    return "\n\n".join(parts) + "\n"


def main() -> int:
    """Run the sections that match the words given, or all; only a full run is written to the document."""
    parser = argparse.ArgumentParser(prog="python -m tests.conformance", description=__doc__)
    parser.add_argument("words", nargs="*", help="only sections with one of these words in their titles")
    words = [word.lower() for word in parser.parse_args().words]
    chosen = [s for s in SECTIONS if not words or any(word in s.title.lower() for word in words)]
    if not chosen:
        parser.error(f"no section is about {' or '.join(words)}; there are: {', '.join(s.title for s in SECTIONS)}")
    results = []
    for number, section in enumerate(chosen, 1):
        print(f"[{number}/{len(chosen)}] {section.title} ...", file=sys.stderr, flush=True)
        result = run_program(section) if section.program else run_pytest(section)
        results.append(result)
        if result.failures and result.detail:
            print(result.detail, file=sys.stderr)
    print(summary(results))
    if not words:
        DOCUMENT.write_text(document(results))
    return 1 if any(r.failures for r in results) else 0


if __name__ == "__main__":
    sys.exit(main())
