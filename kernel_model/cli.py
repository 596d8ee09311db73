"""The command ``cfemu``: the machine's commands (emu.cli) and those of the kernel model.

Only typer and the standard library are imported here; each command imports what it needs, because `cfemu --help` must
answer at once.
"""

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from emu.cli import (
    EXIT_ERROR,
    ClockName,
    ClockOption,
    CostsOption,
    EngineName,
    JsonOption,
    TimingName,
    TimingOption,
    execute,
    machine_options,
    new_app,
    prepare_streams,
    register,
    report_error,
)
from emu.errors import UsageError
from emu.trace.cli import trace_app
from kernel_model.debug_cli import register as register_debuggers
from kernel_model.plugins import load_plugins, split_arguments
from kernel_model.record_cli import register as register_recorder
from kernel_model.report.cli import register as register_report
from kernel_model.sweeps.cli import register as register_sweep

__all__ = ["app", "main"]

EXIT_BROKEN = 1
EXIT_INTERRUPTED = 130
HELP = {"-h", "--help", "--version"}

COMPARE_EPILOG = """\b
Examples:
  cfemu compare
  cfemu compare --strategy reserve --strategy slab --mapping acr
  cfemu compare workloads --strategy reserve --mapping acr --operations
  cfemu compare my-board.toml --json > rows.json

\b
Exit status: 0 when every row was computed (a refused combination is a row); 2 for bad input, or when the guest could
not go on; 130 after Ctrl-C, with the finished rows printed.
"""

app = new_app(
    "Compare kernel-heap strategies on an exact ColdFire V4e with MMU, and run any ColdFire program on it. "
    "With every command: --plugin FILE.py, strategies, workloads, devices and boards of your own (docs/plugins.md).",
    is_whole=True,
)


@app.command(
    "compare", epilog=COMPARE_EPILOG, help="Compare kernel-heap strategies: misses, cycles, memory, refused devices."
)
def compare(
    scenario: Annotated[
        Path | None,
        typer.Argument(
            metavar="[SCENARIO.toml]",
            help="Board, devices and parameters: a file, or a name from `cfemu scenarios`.",
            show_default=False,
        ),
    ] = None,
    strategy: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="One of `cfemu strategies`; repeat for more.", show_default=False),
    ] = None,
    mapping: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="acr, locked-1m, unlocked-1m, paged-8k or paged-4k; repeat for more.",
            show_default=False,
        ),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(metavar="N", help="Instead of the scenario's.", show_default=False)
    ] = None,
    engine: Annotated[
        EngineName, typer.Option(help="How to run the guest; all give the same figures.")
    ] = EngineName.AUTO,
    timing: TimingOption = TimingName.FLAT,
    clock: ClockOption = ClockName.CYCLES,
    costs: CostsOption = None,
    operations: Annotated[
        bool, typer.Option("--operations", help="Also print how long the kernel's operations took: p50, p99, worst.")
    ] = False,
    json: JsonOption = False,
) -> None:
    from kernel_model.comparison import Selection, compare_scenario

    options = machine_options(engine, timing, clock, costs)
    outcome = compare_scenario(scenario, Selection(tuple(strategy or ()), tuple(mapping or ()), seed), options)
    if json:
        from kernel_model.results import encode_report

        sys.stdout.write(encode_report(outcome.report).decode())
    else:
        from kernel_model.report.table import print_report

        print_report(outcome.report, operations=operations)
    if outcome.interrupted:
        print(f"cfemu: interrupted after {len(outcome.report.rows)} of {outcome.total} rows", file=sys.stderr)
        raise typer.Exit(EXIT_INTERRUPTED)


class GoalName(StrEnum):
    """What an advice is for (kernel_model.advise.GOALS)."""

    LATENCY = "latency"
    MEMORY = "memory"
    ROBUST = "robust"


ADVISE_EPILOG = """\b
Examples:
  cfemu advise --devices graphics-128,network,usb@late
  cfemu advise --board coyotos512 --devices graphics-512,graphics-256@late --goal robust
  cfemu advise my-board.toml --goal memory --json

\b
Goals, each an order of result columns after "device pages refused":
  latency  worst operation, cycles, heap
  memory   heap, frames lost, cycles
  robust   frames lost, console unreachable, worst operation, cycles
"""


@app.command("advise", epilog=ADVISE_EPILOG, help="Recommend a strategy and its values for a board and its devices.")
def advise(
    scenario: Annotated[
        Path | None,
        typer.Argument(metavar="[SCENARIO.toml]", help="As for `cfemu compare`.", show_default=False),
    ] = None,
    board: Annotated[
        str | None, typer.Option(metavar="NAME", help="One of `cfemu boards`.", show_default=False)
    ] = None,
    devices: Annotated[
        str | None,
        typer.Option(
            metavar="LIST",
            help="Kinds or sizes, with commas; @late: plugged in; @unplugged, @back, @elsewhere: pulled out, and back.",
            show_default=False,
        ),
    ] = None,
    goal: Annotated[GoalName, typer.Option(help="What matters most.")] = GoalName.LATENCY,
    json: JsonOption = False,
) -> None:
    from kernel_model.advise import GOALS
    from kernel_model.advise import advise as find

    advice = find(scenario, board, devices, GOALS[goal.value])
    if json:
        import msgspec

        sys.stdout.write(msgspec.json.format(msgspec.json.encode(advice, order="sorted"), indent=2).decode() + "\n")
    else:
        from kernel_model.report.advice import print_advice

        print_advice(advice)


SIZING_EPILOG = """\b
Examples:
  cfemu sizing
  cfemu sizing --ram "512 MB" --ram "2 GB" --device "16 GB"
  cfemu sizing --no-tables --json
"""


@app.command(
    "sizing",
    epilog=SIZING_EPILOG,
    help="The kernel's heap estimate at boot and the headers of device memory, for ColdFire and, in contrast, i386.",
)
def sizing(
    ram: Annotated[
        list[str] | None, typer.Option(metavar="SIZE", help='As "512 MB"; repeat for more.', show_default=False)
    ] = None,
    device: Annotated[
        list[str] | None,
        typer.Option(metavar="SIZE", help="Device memory; repeat for more.", show_default=False),
    ] = None,
    tables: Annotated[bool, typer.Option(help="With the tables Depend and RevMap, most of the heap.")] = True,
    json: JsonOption = False,
) -> None:
    from kernel_model.report.sizing import print_sizes, print_sizes_json
    from kernel_model.scenario import parse_size

    def sizes(option: str, texts: list[str]) -> list[int]:
        try:
            found = [parse_size(text) for text in texts]
        except ValueError as error:
            raise UsageError(f"{option}: {error}") from None
        if min(found) <= 0:
            raise UsageError(f"{option}: a size must be more than 0")
        return found

    rams = sizes("--ram", ram or ["128 MB", "512 MB", "2 GB", "4 GB"])
    devices = sizes("--device", device or ["1 MB", "64 MB", "256 MB", "1 GB", "16 GB"])
    try:
        (print_sizes_json if json else print_sizes)(rams, devices, tables=tables)
    except ValueError as error:
        raise UsageError(f"--ram: {error}") from None


DOCTOR_EPILOG = """\b
Examples:
  cfemu doctor
  cfemu doctor --json | jq '.checks[] | select(.state != "ok")'

\b
Exit status: 0 when everything that cfemu needs works; 1 when something of it does not.
"""


@app.command("doctor", epilog=DOCTOR_EPILOG, help="Try out what works on this machine; tell how to get the rest.")
def doctor(
    json: JsonOption = False,
) -> None:
    from emu.doctor import examine, print_findings, print_findings_json, works
    from kernel_model.doctor import ALL_CHECKS

    findings = examine(ALL_CHECKS)
    (print_findings_json if json else print_findings)(findings)
    if not works(findings):
        raise typer.Exit(EXIT_BROKEN)


@app.command("strategies", help="List the strategies, one a line.")
def strategies() -> None:
    from kernel_model.strategies import STRATEGIES

    _print_table({name: f"{item.summary} ({item.origin})" for name, item in STRATEGIES.items()})


@app.command("workloads", help="List the workloads, one a line.")
def workloads() -> None:
    from kernel_model.workloads import WORKLOADS

    _print_table({name: workload.summary for name, workload in WORKLOADS.items()})


@app.command("scenarios", help="List the scenarios that come with cfemu, one a line.")
def scenarios() -> None:
    from kernel_model.scenario import load_scenario, packaged_scenarios

    _print_table({name: load_scenario(path).summary for name, path in packaged_scenarios().items()})


def _print_table(lines: dict[str, str]) -> None:
    width = max(map(len, lines), default=0)
    for name, text in lines.items():
        typer.echo(f"{name:{width}}  {text}")


register(app)
register_debuggers(app)
register_recorder(trace_app)
register_sweep(app)
register_report(app)


def main() -> None:
    """Entry point of the command ``cfemu``."""
    prepare_streams()
    sys.exit(execute_with_plugins(sys.argv[1:]))


def execute_with_plugins(arguments: list[str]) -> int:
    """As :func:`emu.cli.execute`, with the plugins that the command line and the environment name."""
    try:
        arguments, files = split_arguments(arguments)
        if arguments and not HELP.intersection(arguments):  # help needs no registry
            load_plugins(files)
    except UsageError as error:
        report_error(error)
        return EXIT_ERROR
    return execute(app, arguments)


if __name__ == "__main__":
    main()
