"""What the trace commands print, as tables for people and as JSON for programs."""

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table

from emu.plain_console import PlainConsole
from emu.trace.explain import CLASSES, Explanation
from emu.trace.format import Trace
from emu.trace.replay import Result

__all__ = [
    "print_explanation",
    "print_info",
    "print_json",
    "print_plain",
    "print_recorded",
    "print_results",
    "print_sizes",
    "trace_to_dict",
]

MAX_ROWS = 12
HISTOGRAM_STEPS = (0, 1, 2, 4, 8, 16, 24, 32, 48, 64, 96, 128)

JsonObject = dict[str, Any]


def print_json(what: str, values: JsonObject) -> None:
    """One JSON object; ``what`` is the command."""
    sys.stdout.write(json.dumps({"schema": f"cfemu-trace-{what}/1"} | values, indent=2) + "\n")
    sys.stdout.flush()


def trace_to_dict(trace: Trace) -> JsonObject:
    """What a file says about itself, without the symbols, which are many."""
    header, totals = trace.header, trace.totals
    setup = header.mmu
    return {
        "trace": trace.path.name,
        "bytes": trace.bytes,
        "version": header.version,
        "complete": trace.complete,
        "source": header.source,
        "board": header.board,
        "clock_hz": header.clock_hz,
        "firmware": [{"name": f.name, "sha256": f.sha256} for f in header.firmware],
        "mmu": setup
        and {
            "itlb_entries": setup.itlb_entries,
            "dtlb_entries": setup.dtlb_entries,
            "policy": setup.policy,
            "seed": setup.seed,
        },
        "regions": [{"name": name, "start": start, "end": end} for name, start, end in trace.regions],
        "symbols": len(header.symbols),
        "phases": list(trace.names.phases),
        "processes": {str(asid): name for asid, name in trace.names.processes.items()},
        "totals": totals
        and {
            "events": totals.events,
            "references": totals.references,
            "itlb_misses": totals.itlb_misses,
            "dtlb_misses": totals.dtlb_misses,
            "instructions": totals.instructions,
            "cycles": totals.cycles,
            "counters": totals.counters,
        },
    }


def print_info(trace: Trace) -> None:
    found, console = trace_to_dict(trace), PlainConsole()
    totals, mmu = found["totals"], found["mmu"]
    table = _plain()
    rows: list[tuple[str, str]] = [
        ("source", found["source"]),
        *([("board", found["board"])] if found["board"] else []),
        *(("firmware", f"{f['name']}  sha256 {f['sha256'][:16]}") for f in found["firmware"]),
    ]
    if mmu:
        rows.append(("TLBs", f"{mmu['itlb_entries']} + {mmu['dtlb_entries']} entries, {mmu['policy']}"))
    else:
        rows.append(("TLBs", "none: references only"))
    if totals:
        names = ("events", "references", "instructions", "cycles", "itlb_misses", "dtlb_misses")
        rows += [(name.replace("_", " "), f"{totals[name]:,}") for name in names]
        rows.append(("bytes an event", f"{found['bytes'] / max(1, totals['events']):.2f}"))
    else:
        rows.append(("complete", "no: it was cut"))
    rows += [("bytes", f"{found['bytes']:,}"), ("symbols", f"{found['symbols']:,}")]
    rows += [("region", f"{r['name']}  {r['start']:#010x} to {r['end']:#010x}") for r in found["regions"]]
    rows += [("phase", name) for name in found["phases"]]
    rows += [(f"process, ASID {asid}", name) for asid, name in found["processes"].items()]
    for row in rows:
        table.add_row(*row)
    console.print(table)


def print_recorded(trace: Trace, reason: str, json: bool) -> None:
    """What was recorded, in a line or as JSON; ``reason``: why the run ended."""
    totals = trace.totals
    if json:
        print_json("record", {"reason": reason} | trace_to_dict(trace))
    elif totals:
        misses = totals.itlb_misses + totals.dtlb_misses
        print(
            f"{trace.path}: {totals.instructions:,} instructions, {totals.references:,} references, {misses:,} misses"
        )


def print_results(results: Sequence[Result]) -> None:
    """One row each; under it what a rule had to decide, or whether the recording was reproduced."""
    console = PlainConsole()
    console.print(_results_table(results))
    for result in results:
        for line in _remarks(result):
            console.print(line)


def _results_table(results: Sequence[Result], title: str = "") -> Table:
    table = _titled(title)
    table.add_column("TLBs", no_wrap=True)
    timed = any(r.recorded_cycles for r in results)
    columns = ["misses", "instruction", "data", "nested", "per 1000 instr."]
    for name in (*columns, *(("refill cycles", "of all cycles") if timed else ())):
        table.add_column(name, justify="right", no_wrap=True)
    for r in results:
        figures = [f"{n:,}" for n in (r.misses, r.itlb_misses, r.dtlb_misses, r.nested)]
        figures.append(f"{r.per_1000_instructions:.3f}" if r.instructions else "-")
        if timed:
            share = 100 * r.refill_cycles / r.cycles if r.cycles else 0.0
            figures += [f"{r.refill_cycles:,}", f"{share:.2f} %"]
        table.add_row(str(r.geometry), *figures)
    return table


def _remarks(r: Result) -> list[str]:
    if r.exact:
        if r.first_difference is None:
            return [f"{r.geometry}: as recorded, every miss and {r.checked_entries:,} loaded entries"]
        wrong = f"{r.wrong_misses:,} accesses and {r.wrong_entries:,} loaded entries differ from the recording"
        return [f"{r.geometry}: {wrong}, first at event {r.first_difference:,}"]
    decided = {
        "kernel work behind a recorded miss that hits here, executed all the same": r.forced,
        "accesses that an older translation would refuse": r.stale,
        "misses on pages that no load is known of": r.unexplained,
        "repeated refills of pages that were refilled in different ways, or never by a refill alone": r.approximated,
        "loads of entries that this TLB has not": r.lost_loads,
    }
    return [f"{r.geometry}: {count:,} {what}" for what, count in decided.items() if count]


def print_explanation(found: Explanation) -> None:
    console = PlainConsole()
    result = found.result
    console.print(_results_table([result]))
    for line in _remarks(result):
        console.print(line)
    shown = {
        "access": found.by_access,
        "region": found.by_region,
        "code": found.by_symbol,
        "process (ASID)": found.by_process,
        "phase": found.by_phase,
    }
    console.print()
    console.print(_cause_table(found))
    for title, rows in shown.items():
        if title != "phase" or list(rows) != ["0"]:  # a trace without phases has a nameless one
            console.print()
            console.print(_class_table(title, rows))
    console.print()
    console.print(_histogram_table(found.histogram))
    if found.what_if:
        console.print()
        console.print(_results_table([result, *found.what_if], "What if"))


def _cause_table(found: Explanation) -> Table:
    table = _titled("TLB misses by cause")
    table.add_column("cause", no_wrap=True)
    for name in ("misses", "of all"):
        table.add_column(name, justify="right", no_wrap=True)
    for name, count in found.by_class.items():
        table.add_row(name, f"{count:,}", f"{100 * count / max(1, found.result.misses):.1f} %")
    return table


def _class_table(title: str, rows: Mapping[str, Mapping[str, int]]) -> Table:
    table = _titled(f"TLB misses by {title}")
    used = [name for name in CLASSES if any(row.get(name) for row in rows.values())]
    table.add_column(title, no_wrap=True)
    for name in ("misses", *used):
        table.add_column(name, justify="right", no_wrap=True)
    listed = list(rows.items())
    shown = [(name, dict(row)) for name, row in listed[:MAX_ROWS]]
    if rest := listed[MAX_ROWS:]:
        shown.append((f"{len(rest)} more", {c: sum(row.get(c, 0) for _, row in rest) for c in used}))
    for name, row in shown:
        table.add_row(name, f"{sum(row.values()):,}", *(f"{row.get(c, 0):,}" for c in used))
    return table


def _histogram_table(histogram: Mapping[str, Sequence[int]]) -> Table:
    table = _titled("References by reuse distance: other pages used since")
    table.add_column("distance", no_wrap=True)
    names = {"itlb": "instruction", "dtlb": "data"}
    for side in histogram:
        table.add_column(names[side], justify="right", no_wrap=True)
        table.add_column("up to here", justify="right", no_wrap=True)
    sums = dict.fromkeys(histogram, 0)
    for start, end in zip(HISTOGRAM_STEPS, (*HISTOGRAM_STEPS[1:], None)):
        row = [
            f"{start}" if end == start + 1 else f"{start} and more, or none" if end is None else f"{start}-{end - 1}"
        ]
        for side, counts in histogram.items():
            count = sum(counts[start:end])
            sums[side] += count
            row += [f"{count:,}", f"{100 * sums[side] / max(1, sum(counts)):.2f} %"]
        table.add_row(*row)
    return table


def print_sizes(sizes: Sequence[int], instruction: Sequence[int], data: Sequence[int], references: int) -> None:
    """LRU misses by size."""
    table = _titled("Misses of an LRU TLB by its size")
    for name in ("entries", "instruction", "data", "both", "of all references"):
        table.add_column(name, justify="right", no_wrap=True)
    for size, i, d in zip(sizes, instruction, data):
        share = 100 * (i + d) / references if references else 0.0
        table.add_row(f"{size}", f"{i:,}", f"{d:,}", f"{i + d:,}", f"{share:.3f} %")
    PlainConsole().print(table)


def print_plain(rows: Sequence[Mapping[str, int]], policy: str, page_size: int) -> None:
    """Misses of plain TLBs."""
    table = _titled(f"Misses of plain TLBs, {policy}, pages of {page_size >> 10} KB")
    for name in ("instruction entries", "data entries", "instruction", "data", "both", "references"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        i, d = row["itlb_misses"], row["dtlb_misses"]
        figures = (row["itlb_entries"], row["dtlb_entries"], i, d, i + d, row["references"])
        table.add_row(*(f"{n:,}" for n in figures))
    PlainConsole().print(table)


def _titled(title: str) -> Table:
    return Table(box=None, pad_edge=False, title=title or None, title_justify="left")


def _plain() -> Table:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    return table
