"""The command ``cfemu trace record``: a program, or a row of a scenario, as a trace."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from emu.cli import (
    ClockName,
    ClockOption,
    CostsOption,
    EngineName,
    JsonOption,
    TimingName,
    TimingOption,
    TlbOption,
    check_timeout,
    machine_options,
    report_error,
    show_counters,
)
from emu.errors import UsageError
from emu.files import check_output
from kernel_model.row_options import (
    DEFAULT_BOARD,
    BoardOption,
    ElfArgument,
    EngineOption,
    LoadOption,
    MappingOption,
    Row,
    ScenarioOption,
    StrategyOption,
    SymbolsOption,
    WorkloadOption,
)

if TYPE_CHECKING:
    from emu.options import MachineOptions

__all__ = ["register"]

RECORD_EPILOG = """\b
Examples:
  cfemu trace record examples/hello.elf --board m5475evb
  cfemu trace record vmlinux --board m5475evb -o boot.trace < commands.txt
  cfemu trace record --scenario default --strategy grow --mapping paged-8k --workload ping-pong -o ping-pong.trace
and then
  cfemu trace replay ping-pong.trace --entries 16 --entries 64

The counts are those of a run without a recording; input and Ctrl-C as for `cfemu run`. The file is a stream: of a run
that was killed everything is readable up to the kill. A file that was there before is kept as FILE.old.

\b
Exit status: as for `cfemu run`; of a scenario 0, 2 for bad input.
"""


def register(trace_app: typer.Typer) -> None:
    """Add ``record`` to the group ``trace``."""
    command = trace_app.command(
        "record", epilog=RECORD_EPILOG, help="Run a program, or a row of a scenario, and record it."
    )
    command(record)
    commands = trace_app.registered_commands
    commands.insert(0, commands.pop())  # the first thing that anybody does


def record(
    elf: ElfArgument = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="Default: the program's or the scenario's name with .trace."
        ),
    ] = None,
    scenario: ScenarioOption = None,
    strategy: StrategyOption = None,
    mapping: MappingOption = None,
    workload: WorkloadOption = None,
    board: BoardOption = None,
    engine: EngineOption = EngineName.AUTO,
    max_instructions: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Of a program: stop after N.", show_default=False)
    ] = None,
    timeout: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", help="Of a program: stop after so much time of the host.", show_default=False),
    ] = None,
    load: LoadOption = None,
    symbols: SymbolsOption = None,
    timing: TimingOption = TimingName.FLAT,
    clock: ClockOption = ClockName.CYCLES,
    costs: CostsOption = None,
    tlb: TlbOption = 32,
    json: JsonOption = False,
) -> None:
    options = machine_options(engine, timing, clock, costs, tlb)
    row = Row(scenario, strategy, mapping, workload)
    if row.is_wanted(elf) and any((board, max_instructions, timeout, load, symbols)):
        raise UsageError("--board, --max-instructions, --timeout, --load and --symbols are about a program")
    check_timeout(timeout)
    read = [elf, costs, *(symbols or ()), *(Path(text.rpartition("@")[0]) for text in load or ())]
    if elf is not None:
        path = output or Path(f"{elf.stem}.trace")
        check_output(path, *read)
        how = (load, symbols, max_instructions, timeout)
        status, reason = program((elf, board or DEFAULT_BOARD), options, path, how, json)
    else:
        from kernel_model.recording import record_scenario

        path = output or Path(f"{Path(scenario or '').stem}.trace")
        check_output(path, *read, Path(scenario or ""))
        try:
            notes = record_scenario(path, scenario, strategy, mapping, workload, options)
        except KeyboardInterrupt as error:
            for note in getattr(error, "__notes__", ()):
                print(f"cfemu: interrupted; {note}", file=sys.stderr)
            raise
        for note in notes:
            print(f"cfemu: {note}", file=sys.stderr)
        status, reason = 0, "; ".join(notes) or "the scenario has run"
    from emu.trace.format import Trace
    from emu.trace.tables import print_recorded

    print_recorded(Trace(path), reason, json)
    raise typer.Exit(status)


def program(
    what: tuple[Path, str],
    options: "MachineOptions",
    path: Path,
    how: tuple[list[str] | None, list[Path] | None, int | None, float | None],
    json: bool,
) -> tuple[int, str]:
    """Run a program as `cfemu run` does, recording; its exit status, and why it ended."""
    from emu.foreground import Budget, Setup, run_file

    load, symbols, instructions, seconds = how
    setup = Setup(*what, options, load=tuple(load or ()), symbols=tuple(symbols or ()), recording=path)
    report = run_file(setup, Budget(instructions, None, seconds), echo=not json, show_counters=show_counters)
    if report.error is not None:
        report_error(report.error)
    if report.note:
        print(f"cfemu: {report.note}", file=sys.stderr)
    return report.exit_status, report.reason
