"""``cfemu report``. Only typer and the standard library are imported here (see emu.cli)."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from emu.cli import JsonOption
from emu.files import check_output

__all__ = ["register"]

EXIT_INTERRUPTED = 130

EPILOG = """\b
Examples:
  cfemu report
  cfemu report my-sweep.toml --out my-report.html
  cfemu report rows.parquet more-rows.parquet --out report.html

\b
Without an argument it makes two sweeps: every strategy under every mapping with all workloads at --timing full, and
every strategy for 6 sizes of RAM and 4 of device memory. Rows are kept beside the page (report.rows/): a report that
was interrupted goes on where it was, and `cfemu rerun` and `cfemu query` take them.

\b
Exit status: 0; 2 for bad input; 130 after Ctrl-C, with the finished rows kept.
"""


def register(app: typer.Typer) -> None:
    """Add ``report`` to ``app``."""
    app.command("report", epilog=EPILOG, help="Write one self-contained HTML page about a sweep's rows.")(report)


def report(
    sources: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[SWEEP.toml|ROWS.parquet]...", help="Sweeps to make, or rows that there are.", show_default=False
        ),
    ] = None,
    out: Annotated[Path, typer.Option(metavar="FILE.html", help="The page to write.")] = Path("report.html"),
    workers: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Processes; default: one a processor.", show_default=False),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume/--fresh", help="Of sweeps: keep the rows that there are, or throw them away.")
    ] = True,
    json: JsonOption = False,
) -> None:
    check_output(out, *(sources or ()))
    from kernel_model.report.make import make_report

    made = make_report(sources or [], out, workers, fresh=not resume)
    if json:
        from json import dumps

        print(dumps(made.to_dict(), indent=2))
    else:
        print(f"{out}: {made}")
    if made.interrupted:
        print("cfemu: interrupted; the same command goes on from here", file=sys.stderr)
        raise typer.Exit(EXIT_INTERRUPTED)
