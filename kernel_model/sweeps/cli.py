"""``cfemu sweep``, ``query`` and ``rerun``.

Only typer and the standard library are imported here (see emu.cli); each command imports what it needs.
"""

import sys
from pathlib import Path
from typing import Annotated

import typer

from emu.cli import EngineName
from emu.errors import UsageError

__all__ = ["register"]

EXIT_DIFFERENT = 1
EXIT_INTERRUPTED = 130

SWEEP_EPILOG = """\b
Examples:
  cfemu sweep reserve.toml --out reserve.parquet
  cfemu sweep reserve.toml --out reserve.parquet --workers 8
  cfemu sweep reserve.toml --out reserve.parquet --cluster tcp://scheduler:8786

\b
SWEEP.toml, for instance (docs/sweeps.md tells all of it):
  scenario = "default"
  [axes]
  strategy = ["reserve", "slab"]
  reserve.device = { from = "8 MB", to = "128 MB", factor = 2 }
  tlb = [16, 32]
  [[exclude]]
  strategy = "slab"
  tlb = 16

\b
A sweep that was interrupted, even killed, goes on where it was when it is started again with the same --out.

\b
Exit status: 0 when every run has its row (one that failed has a row with its error); 2 for bad input; 130 after Ctrl-C,
with what was finished in the table.
"""
QUERY_EPILOG = """\b
Examples:
  cfemu query rows.parquet "SELECT strategy, mapping, cycles_share FROM runs ORDER BY cycles_share"
  cfemu query rows.parquet "SELECT status, count(*) AS runs, any_value(error) FROM runs GROUP BY status"
  cfemu query rows.parquet "SELECT tlb, workloads['ping-pong'].misses.dtlb FROM runs" --json
  cfemu query rows.parquet "DESCRIBE runs"

\b
The table is called runs; docs/sweeps.md lists its columns. Exit status: 0; 2 for bad SQL or a bad file.
"""
RERUN_EPILOG = """\b
Examples:
  cfemu rerun rows.parquet --row 0 --row 7
  cfemu rerun rows.parquet --random 10
  cfemu rerun rows.parquet --random 3 --engine public

\b
Exit status: 0 when every figure is what it was; 1 when one is not; 2 for bad input.
"""

RowsFile = Annotated[Path, typer.Argument(metavar="ROWS.parquet", help="Written by `cfemu sweep`.", show_default=False)]


def register(app: typer.Typer) -> None:
    """Add the three commands to ``app``."""
    app.command("sweep", epilog=SWEEP_EPILOG, help="Run the product of axes, one row of a Parquet file a run.")(sweep)
    app.command("query", epilog=QUERY_EPILOG, help="Ask a sweep's rows with SQL.")(query)
    app.command("rerun", epilog=RERUN_EPILOG, help="Make rows again from what they say, and compare.")(rerun)


def sweep(
    file: Annotated[Path, typer.Argument(metavar="SWEEP.toml", help="Base scenario and axes.", show_default=False)],
    out: Annotated[Path, typer.Option(metavar="ROWS.parquet", help="The table to write.")] = Path("rows.parquet"),
    workers: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Processes; default: one a processor.", show_default=False),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume/--fresh", help="Keep the runs that are finished, or throw them away.")
    ] = True,
    cluster: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Run on the workers of this dask scheduler.", show_default=False),
    ] = None,
) -> None:
    if cluster is not None and workers is not None:
        raise UsageError("--workers: a cluster has its own")
    from kernel_model.sweeps.command import sweep as run_sweep

    summary = run_sweep(file, out, workers=workers, fresh=not resume, cluster=cluster)
    print(f"{out}: {summary}")
    if summary.interrupted:
        print("cfemu: interrupted; the same command goes on from here", file=sys.stderr)
        raise typer.Exit(EXIT_INTERRUPTED)


def query(
    rows: RowsFile,
    sql: Annotated[str, typer.Argument(metavar="SQL", help="The question, on the table runs.", show_default=False)],
    json: Annotated[bool, typer.Option("--json", help="Print one JSON list of objects and nothing else.")] = False,
) -> None:
    from kernel_model.sweeps.query import ask, print_answer, print_answer_json

    (print_answer_json if json else print_answer)(ask(rows, sql))


def rerun(
    rows: RowsFile,
    row: Annotated[
        list[int] | None, typer.Option(metavar="N", help="Row number, from 0; repeat for more.", show_default=False)
    ] = None,
    choose: Annotated[int, typer.Option("--random", metavar="N", min=0, help="So many rows at random.")] = 0,
    seed: Annotated[int, typer.Option(metavar="N", help="Of the choice of rows.")] = 1,
    engine: Annotated[
        EngineName | None, typer.Option(help="Instead of the rows'; figures are the same.", show_default=False)
    ] = None,
) -> None:
    if not row and not choose:
        raise UsageError("nothing to make again: give --row N or --random N")
    from kernel_model.sweeps.command import rerun as rerun_rows

    different = False
    for again in rerun_rows(rows, row or [], choose, seed, engine and engine.value):
        what = f"{len(again.differences)} of {again.compared} differ" if again.differences else f"{again.compared} same"
        print(f"row {again.number} ({again.strategy}, {again.mapping}): figures: {what}")
        for difference in again.differences:
            print(f"  {difference}")
        different = different or bool(again.differences)
    if different:
        raise typer.Exit(EXIT_DIFFERENT)
