"""``cfemu check`` and ``cfemu diff``: TLB misses under test without pytest.

Like :mod:`emu.cli`, this imports only typer and the standard library before a command runs.
"""

from pathlib import Path
from typing import Annotated

import typer

from emu.cli import EngineName, JsonOption
from emu.errors import UsageError
from emu.files import check_output

__all__ = ["register"]

EXIT_DIFFERENT = 1

CHECK_EPILOG = """\b
Examples:
  cfemu check tlb.toml kernel.elf --board m5475evb --max-instructions 5000000 --update
  cfemu check tlb.toml
  cfemu check tlb.toml kernel.elf --json
  cfemu check tlb.toml rows.json --junit misses.xml

An ELF is run as `cfemu run` does, without input; board, TLB size and budget are those with which it was accepted, and
without a file every ELF that was accepted is run again. A result file, of `run --json` or `compare --json`, must have
every entry of the baseline.

\b
Exit status: 0 when all misses are as accepted; 1 when any differs; 2 for bad input, and for a guest that cannot go on.
"""
DIFF_EPILOG = """\b
Examples:
  cfemu compare --json > after.json
  cfemu diff before.json after.json
  cfemu diff before.json after.json --json | jq .entries

Each file is a result of `run --json` or `compare --json`, or a baseline. Misses are compared, not cycles.

\b
Exit status: 0 when both have the same misses; 1 when they differ; 2 for bad input.
"""

Junit = Annotated[
    Path | None, typer.Option(metavar="FILE.xml", help="Also write the outcome as JUnit XML.", show_default=False)
]


def register(app: typer.Typer) -> None:
    """Add ``check`` and ``diff`` to ``app``."""
    app.command("check", epilog=CHECK_EPILOG, help="Compare the TLB misses of a run with those that were accepted.")(
        check
    )
    app.command("diff", epilog=DIFF_EPILOG, help="Compare the TLB misses of two result files.")(diff)


def check(
    baseline: Annotated[Path, typer.Argument(metavar="BASELINE.toml", help="What was accepted.", show_default=False)],
    files: Annotated[
        list[Path] | None, typer.Argument(metavar="[ELF|RESULT.json]...", help="What to compare.", show_default=False)
    ] = None,
    update: Annotated[bool, typer.Option("--update", help="Accept what was measured.")] = False,
    board: Annotated[
        str | None, typer.Option(metavar="NAME", help="Instead of the accepted board.", show_default=False)
    ] = None,
    tlb: Annotated[
        int | None,
        typer.Option(metavar="N", min=2, max=128, help="Instead of the accepted entries.", show_default=False),
    ] = None,
    max_instructions: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Instead of the accepted budget.", show_default=False)
    ] = None,
    engine: Annotated[EngineName, typer.Option(help="How to run an ELF; all give the same counts.")] = EngineName.AUTO,
    junit: Junit = None,
    json: JsonOption = False,
) -> None:
    from emu.regression.baseline import accept, read
    from emu.regression.compare import compare_all, print_comparison
    from emu.regression.programs import Conditions, measure_files

    if junit is not None:
        check_output(junit, baseline, *(files or ()))
    if update and baseline.parent.exists():  # else it will be made
        check_output(baseline, *(files or ()))
    accepted = read(baseline) if baseline.exists() else {}
    if not update and not accepted:
        what = "is empty" if baseline.exists() else "does not exist"
        raise UsageError(f"{baseline}: {what}; make it with: cfemu check {baseline} ELF --update")
    conditions = Conditions(board, tlb, max_instructions, engine.value)
    found, whole = measure_files(baseline, accepted, files or [], conditions)
    if update:
        accepted = accepted | {name: entry.kept() for name, entry in found.items()}
    if not whole:  # what was not asked for is not missing
        accepted = {name: entry for name, entry in accepted.items() if name in found}
    comparison = compare_all(accepted, found)
    print_comparison(comparison, str(baseline), json=json, junit=junit)
    if update:  # when nothing can go wrong any more
        changed = accept(baseline, found)
        typer.echo(f"{baseline}: {len(changed)} of {len(found)} entries accepted anew", err=True)
    if not comparison.same:
        raise typer.Exit(EXIT_DIFFERENT)


def diff(
    before: Annotated[Path, typer.Argument(metavar="A", help="Result or baseline.", show_default=False)],
    after: Annotated[Path, typer.Argument(metavar="B", help="Result or baseline.", show_default=False)],
    junit: Junit = None,
    json: JsonOption = False,
) -> None:
    from emu.regression.baseline import read
    from emu.regression.compare import compare_all, print_comparison
    from emu.regression.results import is_json, read_results

    if junit is not None:
        check_output(junit, before, after)
    entries = [read_results(path) if is_json(path) else read(path) for path in (before, after)]
    comparison = compare_all(*entries)
    print_comparison(comparison, f"{before} -> {after}", json=json, junit=junit)
    if not comparison.same:
        raise typer.Exit(EXIT_DIFFERENT)
