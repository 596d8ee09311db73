"""``cfemu trace``: what a trace file holds, replay, explanations, interchange.

Only typer and the standard library are imported here (see emu.cli); each command imports what it needs.
"""

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from emu.cli import new_app
from emu.errors import UsageError
from emu.files import check_output, whole_file

if TYPE_CHECKING:
    from emu.trace.format import Trace
    from emu.trace.replay import Geometry

__all__ = ["trace_app"]

trace_app = new_app("Record what an MMU saw once, and ask a thousand questions about it.")


class Policy(StrEnum):
    """Which entry is replaced."""

    PLRU = "plru"
    LRU = "lru"
    FIFO = "fifo"
    RANDOM = "random"


class PageSize(StrEnum):
    """Page sizes of the V4e."""

    K1 = "1k"
    K4 = "4k"
    K8 = "8k"
    M1 = "1m"

    @property
    def bytes(self) -> int:
        return {"1k": 1 << 10, "4k": 1 << 12, "8k": 1 << 13, "1m": 1 << 20}[self.value]


class ImportFormat(StrEnum):
    """Whose trace it is."""

    LACKEY = "lackey"
    DIN = "din"
    ORACLE = "oracleGeneral"


class ExportFormat(StrEnum):
    """What to write."""

    ORACLE = "oracleGeneral"
    CHROME = "chrome"
    COLLAPSED = "collapsed"
    PARQUET = "parquet"


class Side(StrEnum):
    """Which TLB's references."""

    BOTH = "both"
    INSTRUCTION = "instruction"
    DATA = "data"


TracePath = Annotated[Path, typer.Argument(metavar="TRACE", help="A trace file of cfemu.", show_default=False)]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]
Entries = Annotated[
    list[str] | None,
    typer.Option(
        metavar="N[+M]",
        help="Entries of both TLBs, or instruction+data; repeat to compare. Default: as recorded.",
        show_default=False,
    ),
]
PolicyOption = Annotated[Policy | None, typer.Option(help="Default: as recorded.", show_default=False)]
PageSizeOption = Annotated[
    PageSize | None, typer.Option(help="One size for all unlocked pages. Default: as recorded.", show_default=False)
]
Seed = Annotated[int | None, typer.Option(metavar="N", help="Of the random policy.", show_default=False)]
Threads = Annotated[int, typer.Option(metavar="N", min=1, max=64, help="Replays at the same time.")]

STATUS = """
\b
Exit status: 0; 1 when a replay on the recorded TLBs differs from the recording; 2 for bad input. A trace that was cut
is used up to the cut, with a warning on stderr.
"""
INFO_EPILOG = """\b
Examples:
  cfemu trace info boot.trace
  cfemu trace info boot.trace --json | jq .totals
  cfemu trace info --check boot.trace   (is the whole file sound?)
"""
REPLAY_EPILOG = f"""\b
Examples:
  cfemu trace replay boot.trace
  cfemu trace replay boot.trace --entries 16 --entries 48 --entries 64 --threads 2
  cfemu trace replay boot.trace --entries 32+64 --policy lru --page-size 8k
  cfemu trace replay boot.trace --all-sizes --json
  cfemu trace replay boot.trace --plain --entries 32 --policy fifo --page-size 4k

\b
Without options the recorded TLBs reproduce the recorded misses, entry by entry. On other TLBs refills are moved to
where they would happen, by the rule at the top of emu/trace/replay.py; lines under the table say where that rule had to
decide against the evidence. --plain and --all-sizes are faster and simpler: pages of one size (4 KB, unless --page-size
says otherwise) in two TLBs without locked entries and without the handlers' own references.
{STATUS}"""
EXPLAIN_EPILOG = f"""\b
Examples:
  cfemu trace explain boot.trace
  cfemu trace explain boot.trace --entries 16 --what-if
  cfemu trace explain boot.trace --json | jq .by_region

\b
cold = never loaded before; flush = dropped by a clear; lock = only because locked entries take room; policy = an LRU
TLB would have kept the page; capacity = more other pages than entries were used since.
{STATUS}"""
IMPORT_EPILOG = """\b
Examples:
  valgrind --tool=lackey --trace-mem=yes --log-file=ls.lackey ls
  cfemu trace import ls.lackey ls.trace --from lackey
  zcat cc1.din.gz | cfemu trace import - cc1.trace --from din
  cfemu trace import w106.oracleGeneral w106.trace --from oracleGeneral

\b
Such traces hold references and nothing else: all are taken as a user's, in one address space.
"""
EXPORT_EPILOG = """\b
Examples:
  cfemu trace export boot.trace boot.json --to chrome            (open in ui.perfetto.dev)
  cfemu trace export boot.trace boot.folded --to collapsed       (flamegraph.pl boot.folded > boot.svg)
  cfemu trace export boot.trace boot.bin --to oracleGeneral --side data --page-size 8k
  cfemu trace export boot.trace boot.parquet --to parquet
"""


@trace_app.command("info", epilog=INFO_EPILOG, help="What a trace file says about itself.")
def info(
    trace: TracePath,
    check: Annotated[bool, typer.Option("--check", help="Read all events, too; damage is an error.")] = False,
    json: Json = False,
) -> None:
    from emu.trace.tables import print_info, print_json, trace_to_dict

    found = _open(trace)
    if check:
        found.check()
    if json:
        print_json("info", trace_to_dict(found))
    else:
        print_info(found)


@trace_app.command("replay", epilog=REPLAY_EPILOG, help="Count the misses on the recorded TLBs, or on any others.")
def replay(
    trace: TracePath,
    entries: Entries = None,
    policy: PolicyOption = None,
    page_size: PageSizeOption = None,
    seed: Seed = None,
    plain: Annotated[bool, typer.Option("--plain", help="Pages of one size, without the V4e's particulars.")] = False,
    all_sizes: Annotated[bool, typer.Option("--all-sizes", help="LRU at every size up to 128, in one pass.")] = False,
    threads: Threads = 1,
    json: Json = False,
) -> None:
    if all_sizes and (entries or policy not in (None, Policy.LRU)):
        raise UsageError("--all-sizes is LRU at every size: leave --entries and --policy out")
    found = _open(trace)
    if all_sizes:
        _all_sizes(found, page_size or PageSize.K4, json)
        return
    if plain:
        _plain(found, [_entries(text) for text in entries or ["32"]], policy or Policy.LRU, page_size, seed or 0, json)
        return
    from emu.trace.replay import replay_all
    from emu.trace.tables import print_json, print_results, trace_to_dict

    results = replay_all(found, _geometries(found, entries, policy, page_size, seed), threads=threads)
    if json:
        print_json("replay", {"trace": trace_to_dict(found), "results": [r.to_dict() for r in results]})
    else:
        print_results(results)
    if any(r.first_difference is not None for r in results):
        raise typer.Exit(1)


@trace_app.command("explain", epilog=EXPLAIN_EPILOG, help="Misses by cause, region, code, process and phase.")
def explain(
    trace: TracePath,
    entries: Entries = None,
    policy: PolicyOption = None,
    page_size: PageSizeOption = None,
    seed: Seed = None,
    what_if: Annotated[bool, typer.Option("--what-if", help="Beside it, other sizes and other policies.")] = False,
    threads: Threads = 1,
    json: Json = False,
) -> None:
    if entries and len(entries) > 1:
        raise UsageError("explain takes one --entries; --what-if shows others beside it")
    from emu.trace.explain import explain as explain_trace
    from emu.trace.explain import what_if_geometries
    from emu.trace.tables import print_explanation, print_json, trace_to_dict

    found = _open(trace)
    geometry = _geometries(found, entries, policy, page_size, seed)[0]
    others = what_if_geometries(geometry) if what_if else []
    explanation = explain_trace(found, geometry, what_if=others, threads=threads)
    if json:
        print_json("explain", {"trace": trace_to_dict(found)} | explanation.to_dict())
    else:
        print_explanation(explanation)
    if explanation.result.first_difference is not None:
        raise typer.Exit(1)


@trace_app.command("import", epilog=IMPORT_EPILOG, help="Make a trace of another tool's.")
def import_(
    source: Annotated[Path, typer.Argument(metavar="FILE", help="Their trace; - = standard input.")],
    target: Annotated[Path, typer.Argument(metavar="TRACE", help="Our trace, to be written.")],
    kind: Annotated[ImportFormat, typer.Option("--from", help="The format of FILE.", show_default=False)],
    json: Json = False,
) -> None:
    from emu.trace.imports import import_trace
    from emu.trace.tables import print_json

    check_output(target, source)
    found = import_trace(source, target, kind.value)
    _warn(found.warning)
    if json:
        print_json("import", {"references": found.references, "events": found.events, "warning": found.warning})
    else:
        print(f"{target}: {found.references:,} references, {found.events:,} events, {target.stat().st_size:,} bytes")


@trace_app.command("export", epilog=EXPORT_EPILOG, help="Write a trace in another tool's format.")
def export(
    trace: TracePath,
    target: Annotated[Path, typer.Argument(metavar="FILE", help="To be written.", show_default=False)],
    kind: Annotated[ExportFormat, typer.Option("--to", help="The format of FILE.", show_default=False)],
    page_size: Annotated[PageSize, typer.Option(help="oracleGeneral: what an object is.")] = PageSize.K4,
    side: Annotated[Side, typer.Option(help="oracleGeneral: whose references.")] = Side.BOTH,
    one_per_run: Annotated[
        bool, typer.Option("--one-per-run", help="oracleGeneral: one record for each run on a page.")
    ] = False,
) -> None:
    from emu.trace.exports import FORMATS, export_oracle

    check_output(target, trace)
    found = _open(trace)
    unit, write = FORMATS[kind.value]
    with whole_file(target) as part:
        if kind is ExportFormat.ORACLE:
            count = export_oracle(found, part, page_size=page_size.bytes, side=side.value, one_per_run=one_per_run)
        else:
            count = write(found, part)
    print(f"{target}: {count:,} {unit}")


def _open(path: Path) -> "Trace":
    from emu.trace.format import Trace

    found = Trace(path)
    _warn(found.warning)
    return found


def _warn(text: str) -> None:
    if text:
        print(f"cfemu: warning: {text}", file=sys.stderr)


def _entries(text: str) -> tuple[int, int]:
    """Instruction and data entries of N or N+M."""
    try:
        numbers = [int(part) for part in text.split("+")]
    except ValueError:
        numbers = []
    if len(numbers) not in (1, 2):
        raise UsageError(f"--entries {text}: expected a number, or two with a + between them")
    return numbers[0], numbers[-1]


def _geometries(
    trace: "Trace", entries: list[str] | None, policy: Policy | None, page_size: PageSize | None, seed: int | None
) -> "list[Geometry]":
    from emu.trace.replay import changed

    sides = [_entries(text) for text in entries] if entries else [None]
    size = page_size.bytes if page_size else None
    name = policy.value if policy else None
    return [changed(trace, entries=pair, policy=name, page_size=size, seed=seed) for pair in sides]


def _all_sizes(trace: "Trace", page_size: PageSize, json: bool) -> None:
    from emu.trace.pages import DistanceStream, feed
    from emu.trace.tables import print_json, print_sizes

    pair = DistanceStream(), DistanceStream()
    feed(trace, page_size.bytes, [pair])
    instruction, data = ([int(n) for n in stream.misses] for stream in pair)
    references = pair[0].references + pair[1].references
    sizes = list(range(1, len(data)))
    if json:
        rows = [{"entries": n, "itlb_misses": instruction[n], "dtlb_misses": data[n]} for n in sizes]
        print_json("sizes", {"page_size": page_size.bytes, "references": references, "sizes": rows})
    else:
        print_sizes(sizes, instruction[1:], data[1:], references)


def _plain(
    trace: "Trace",
    entries: list[tuple[int, int]],
    policy: Policy,
    page_size: PageSize | None,
    seed: int,
    json: bool,
) -> None:
    from emu.trace.pages import PolicyStream, feed
    from emu.trace.tables import print_json, print_plain

    size = (page_size or PageSize.K4).bytes
    pairs = [(PolicyStream(i, policy.value, seed), PolicyStream(d, policy.value, seed)) for i, d in entries]
    feed(trace, size, pairs)
    rows = [
        {
            "itlb_entries": i.entries,
            "dtlb_entries": d.entries,
            "references": i.references + d.references,
            "itlb_misses": i.result.misses,
            "dtlb_misses": d.result.misses,
        }
        for i, d in pairs
    ]
    if json:
        print_json("plain", {"page_size": size, "policy": policy.value, "results": rows})
    else:
        print_plain(rows, policy.value, size)
