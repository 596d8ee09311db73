"""``make timing-validation``: docs/timing.md, what the time model can show for itself, from runs of everything in it.

No host time is in it, so that the document is the same on every machine.
"""

import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from statistics import geometric_mean

from benchmarks.documents import ROOT
from benchmarks.suite import KERNELS, Run, Way, run
from emu.machine import Machine
from emu.options import MachineOptions
from emu.profile import PUBLISHED
from emu.time_numbers import Numbers
from emu.time_report import all_numbers
from emu.timing.state import LEVELS
from kernel_model.comparison import Selection, compare_scenario
from kernel_model.report.verdict import comparable, label
from kernel_model.results import Row
from tests.timing.micro import BOARD, MICROS, Level, measure

__all__ = ["DOCUMENT", "document"]

DOCUMENT = ROOT / "docs" / "timing.md"
TRANSLATED: tuple[Way, ...] = ("coyotos", "linux")
TABLE_SIZES = (4096, 8192)  # of the kernel "table": 32 and 64 pages of data, as many as the DTLB holds and twice that
IDEAL, REAL = "pipeline", "full"
LEVEL_NAMES: tuple[Level, ...] = ("flat", "pipeline", "full")

HEAD = """\
# What stands behind the cycles

Written by `make timing-validation`; every figure is from a run that it makes. How the model reads the manuals is in
[timing-model.md](timing-model.md); `cfemu timing` lists each number with its source.

**No hardware was at hand.** Nothing here compares with a measured V4e: the manuals publish cells, a few means and one
claim, and those are what the model is held against. A cycle count of `full` depends on SDRAM figures that are inferred
from the settings of a boot loader; use it for comparisons on the same numbers, not as a stopwatch.

The default level is `flat`. A TLB miss does not depend on time, `flat` is the fastest, and each of its cells is a
number of the manuals or GCC's. `pipeline` and `full` are for questions about cycles.
"""
"""Everything in the document that no run decides."""


def markdown(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """A table; the first column is text, the others are figures."""
    yield "| " + " | ".join(heads) + " |"
    yield "|---" + "|--:" * (len(heads) - 1) + "|"
    for row in rows:
        yield "| " + " | ".join(row) + " |"


def sources() -> Iterator[str]:
    """How sure the numbers are."""
    numbers = all_numbers(Numbers())
    counts = Counter(number.confidence for number in numbers)
    yield "## Numbers"
    yield ""
    yield f"{len(numbers)} numbers: costs that are no instruction, and the cell of each instruction of the table."
    yield ""
    meaning = {"2S": "two sources", "1S": "one source", "INF": "inferred", "UNV": "unverified"}
    yield from markdown(("confidence", "numbers"), ((f"{k}: {meaning[k]}", str(counts[k])) for k in meaning))


def micro_benchmarks() -> Iterator[str]:
    """Guest programs with cycles worked out by hand, by the place in the sheet or the model's document."""
    yield "## Micro-benchmarks"
    yield ""
    yield "Guest programs whose cycles were worked out by hand from the sheet and the model's document, by somebody who"
    yield "had not seen the tables; hazards and folding are measured across block boundaries and single steps, too"
    yield "(`tests/timing`). Each is timed end to end by the machine's cycle counter."
    yield ""
    programs: Counter[str] = Counter()
    differences: Counter[tuple[str, Level]] = Counter()
    for micro in MICROS:
        programs[micro.place] += 1
        for level in LEVEL_NAMES:
            with Machine(BOARD, "native", timing=level) as machine:
                differences[micro.place, level] += measure(micro, machine) != micro.expected(level)
    rows = [
        (place, str(count), *(str(differences[place, level]) for level in LEVEL_NAMES))
        for place, count in sorted(programs.items())
    ]
    totals = (sum(differences[place, level] for place in programs) for level in LEVEL_NAMES)
    total = ("all", str(len(MICROS)), *map(str, totals))
    yield from markdown(("place", "programs", *(f"differences, {level}" for level in LEVEL_NAMES)), [*rows, total])


Suite = dict[tuple[str, Way, str], Run]


def run_suite() -> Suite:
    """Every kernel in every way at the two levels with a pipeline."""
    ways: tuple[Way, ...] = ("direct", *TRANSLATED)
    return {(k.name, way, level): run(k, way, timing=level) for k in KERNELS for way in ways for level in (IDEAL, REAL)}


def suite(runs: Suite) -> Iterator[str]:
    """Cycles per instruction beside the published ones."""
    yield "## Cycles per instruction"
    yield ""
    yield "Embedded kernels, gcc -O2 (`benchmarks/guest/suite`), user mode, no translation. Published for Motorola's"
    yield "own suite with ideal memory (CF4UM 6-16): 0.75 to 2.16, geometric mean 1.34."
    yield ""
    ideal = [runs[k.name, "direct", IDEAL].cpi for k in KERNELS]
    real = [runs[k.name, "direct", REAL].cpi for k in KERNELS]
    rows = [
        (k.what, f"{runs[k.name, 'direct', IDEAL].instructions:,}", f"{a:.2f}", f"{b:.2f}")
        for k, a, b in zip(KERNELS, ideal, real, strict=True)
    ]
    mean = ("geometric mean", "", f"{geometric_mean(ideal):.2f}", f"{geometric_mean(real):.2f}")
    yield from markdown(("kernel", "instructions", "ideal memory (pipeline)", "full"), [*rows, mean])


def baseline(runs: Suite) -> Iterator[str]:
    """The 97 % claim."""
    yield "## 97 % of baseline?"
    yield ""
    yield "CF4UM 10-1 says that the MMU keeps 97 % of the speed of the same core without it, on large embedded"
    yield "applications. Here: speed behind two software miss handlers, 8-KB pages, as a share of the speed without"
    yield "translation."
    yield ""
    rows = []
    for k in KERNELS:
        shares = [
            f"{runs[k.name, 'direct', level].cycles / runs[k.name, way, level].cycles:.2%}"
            for level in (IDEAL, REAL)
            for way in TRANSLATED
        ]
        rows.append((k.what, f"{runs[k.name, 'linux', REAL].misses:,}", *shares))
    heads = [f"{way}, {level}" for level in (IDEAL, REAL) for way in TRANSLATED]
    yield from markdown(("kernel", "misses", *heads), rows)
    fitting = [k for k in KERNELS if runs[k.name, "linux", REAL].misses < FEW_MISSES]
    worst = min(runs[k.name, "direct", REAL].cycles / runs[k.name, "linux", REAL].cycles for k in fitting)
    yield ""
    yield f"The claim holds for the {len(fitting)} kernels that fit into 32 entries: {worst:.2%} at worst. It does not"
    yield "hold for one that does not fit: it is a claim about the working set, not about the handler."


FEW_MISSES = 1000
BILL_PARTS = ("entry", "handler", "stalls", "return", "evicted")


def bill(runs: Suite) -> Iterator[str]:
    """Where a miss's cycles go, and translation per instruction beside the published figures."""
    yield "## The bill of a miss"
    yield ""
    yield "Kernel `table`, data of 32 and 64 pages, level full. *Evicted*: waits outside of the handler for lines that"
    yield "would be in the caches without it, less those it saved, found by caches that never see it. Cycles a miss;"
    yield "*measured*: the whole run's cycles less those of the run without translation, which is what the parts should"
    yield "add up to; *memory*: stalls and evicted as a share; then what translation costs each instruction."
    yield ""
    kernel = next(k for k in KERNELS if k.name == "table")
    rows = []
    for size in TABLE_SIZES:
        direct = run(kernel, "direct", timing=REAL, size=size)
        for way in TRANSLATED:
            one = run(kernel, way, timing=REAL, size=size)
            parts, misses = one.counters.bill, one.misses
            figures = (parts.entry, parts.handler, parts.stalls, parts.back, parts.evicted, parts.total)
            memory = (parts.stalls + parts.evicted) / parts.total
            per_instruction = (one.cycles - direct.cycles) / direct.instructions
            rows.append(
                (
                    f"{way}, {size // 128} pages",
                    f"{misses:,}",
                    *(f"{cycles / misses:.1f}" for cycles in (*figures, one.cycles - direct.cycles)),
                    f"{memory:.1%}",
                    f"{per_instruction:.3f}",
                )
            )
    heads = ("", "misses", *BILL_PARTS, "sum", "measured", "memory", "per instruction")
    yield from markdown(heads, rows)
    yield ""
    yield "Published beside it:"
    yield ""
    for source, value in PUBLISHED:
        yield f"- {source}: {value}"
    yield "- Jacob & Mudge: caches add 10 to 20 % to the cost of translation"


def ranking() -> Iterator[str]:
    """The strategies of the default scenario at each level."""
    rows: dict[str, list[Row]] = {}
    for level in LEVELS:
        options = MachineOptions(timing=level, clock="instructions")
        rows[level] = comparable(compare_scenario(None, Selection(), options).report.rows)
    if any([row.misses for row in rows[level]] != [row.misses for row in rows["flat"]] for level in LEVELS):
        raise RuntimeError("a level of time has changed a miss")
    yield "## Does the level change the answer?"
    yield ""
    yield "The default comparison at the three levels, `--clock instructions` so that all do the same: Mcycles, and in"
    yield "parentheses the place among the rows that attached every device; both by the workloads that all of them"
    yield "finished. Misses are equal at all levels."
    yield ""
    places: dict[str, dict[str, int]] = {}
    for level, found in rows.items():
        ordered = sorted(found, key=lambda r: (r.cycles.total if r.cycles else 0, label(r)))
        places[level] = {label(row): place for place, row in enumerate(ordered, 1)}
    table = []
    for row in rows["flat"]:
        name = label(row)
        cells = []
        for level in LEVELS:
            mine = next(r for r in rows[level] if label(r) == name)
            assert mine.cycles is not None
            cells.append(f"{mine.cycles.total / 1e6:.2f} ({places[level][name]})")
        misses = row.misses
        assert misses is not None
        table.append((name, f"{misses.itlb + misses.dtlb:,}", *cells))
    yield from markdown(("strategy/mapping", "misses", *LEVELS), table)
    yield ""
    for level in list(LEVELS)[1:]:
        moved = sum(places[level][name] != place for name, place in places["flat"].items())
        first, now = (sorted(places[x], key=places[x].__getitem__)[:BEST] for x in ("flat", level))
        change = "the same rows lead" if first == now else f"{', '.join(now)} lead instead of {', '.join(first)}"
        yield f"- {level}: {change}; {moved} of {len(table)} rows change their place."


BEST = 3


def document() -> str:
    """The whole of docs/timing.md."""
    runs = run_suite()
    sections = (sources(), micro_benchmarks(), suite(runs), baseline(runs), bill(runs), ranking())
    return HEAD + "".join("\n" + "\n".join(section) + "\n" for section in sections)


def main() -> int:
    DOCUMENT.write_text(document())
    print(f"{DOCUMENT.relative_to(ROOT)} is written", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
