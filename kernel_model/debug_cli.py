"""The commands ``cfemu gdb`` and ``cfemu step``: a program, or a row of a scenario, under a debugger."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from emu.cli import (
    ClockName,
    ClockOption,
    CostsOption,
    EngineName,
    TimingName,
    TimingOption,
    TlbOption,
    check_timeout,
    machine_options,
)
from emu.errors import UsageError
from kernel_model.row_options import (
    DEFAULT_BOARD,
    BoardOption,
    ElfArgument,
    EngineOption,
    InputOption,
    LoadOption,
    MappingOption,
    Row,
    ScenarioOption,
    StrategyOption,
    StrictOption,
    SymbolsOption,
    WorkloadOption,
)

if TYPE_CHECKING:
    from emu.debug.target import Target
    from emu.options import MachineOptions

__all__ = ["register"]

EXIT_TIME_UP = 1
EXIT_INTERRUPTED = 130
MEGABYTE = 1 << 20
ANY_FREE_PORT = 0

GDB_EPILOG = """\b
Examples:
  cfemu gdb hello.elf --board m5475evb
  cfemu gdb vmlinux --board m5475evb --input commands.txt --port 1234
  cfemu gdb --scenario default --strategy grow --mapping paged-8k --workload ping-pong
and in another terminal what it prints, like
  gdb-multiarch hello.elf -ex 'target remote 127.0.0.1:1234'

Time runs backwards too: reverse-stepi, reverse-continue; watchpoints are exact and virtual; `monitor help` in gdb lists
what gdb has no command for: TLBs, misses, catchpoints, going to an instruction. docs/debugging.md walks through it.

\b
Exit status: 0 when gdb kills the guest; 2 for bad input; 130 after Ctrl-C.
"""


STEP_EPILOG = """\b
Examples:
  cfemu step hello.elf --board m5475evb
  cfemu step --scenario default --strategy reserve --mapping paged-8k --workload ping-pong
  cfemu step hello.elf --board m5475evb -x next-miss -x why
  cfemu step hello.elf --board m5475evb --script commands.txt --json
  cfemu step hello.elf --board m5475evb --timeout 60 -x 'next-load any'
  cfemu step boot.trace

On the screen: s, n, c, f as in gdb, r before them goes backwards; m goes to the next TLB miss, y says why it happened;
: is the command line, ? lists everything. --script and -x need no screen and print each command's answer.
docs/debugging.md walks through it.

\b
Exit status: 0; 1 when --timeout ends the commands; 2 for bad input, with the line of a script that is wrong;
130 after Ctrl-C.
"""

MemoryOption = Annotated[
    int, typer.Option(metavar="MB", min=1, help="What the history may take; less makes ways back longer.")
]


def register(app: typer.Typer) -> None:
    """Add ``gdb`` and ``step`` to ``app``."""
    app.command("gdb", epilog=GDB_EPILOG, help="Serve a program, or a row of a scenario, to gdb; time runs both ways.")(
        gdb
    )
    app.command(
        "step", epilog=STEP_EPILOG, help="Step through a program, a row of a scenario or a trace; time runs both ways."
    )(step)


def gdb(
    elf: ElfArgument = None,
    scenario: ScenarioOption = None,
    strategy: StrategyOption = None,
    mapping: MappingOption = None,
    workload: WorkloadOption = None,
    host: Annotated[str, typer.Option(metavar="ADDR", help="Where to listen.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(metavar="N", min=0, max=65535, help="Port; 0 takes a free one and prints it.")
    ] = ANY_FREE_PORT,
    memory: MemoryOption = 512,
    board: BoardOption = None,
    engine: EngineOption = EngineName.AUTO,
    script: InputOption = None,
    load: LoadOption = None,
    symbols: SymbolsOption = None,
    strict: StrictOption = False,
    timing: TimingOption = TimingName.FLAT,
    clock: ClockOption = ClockName.CYCLES,
    costs: CostsOption = None,
    tlb: TlbOption = 32,
) -> None:
    check_host(host)
    program = Program(elf, board, tuple(load or ()), tuple(symbols or ()), strict, script)
    row = Row(scenario, strategy, mapping, workload)
    options = machine_options(engine, timing, clock, costs, tlb)
    target = open_target(program, row, options, memory * MEGABYTE, show_output)
    from emu.debug.command import serve_gdb

    try:
        serve_gdb(target, host, port)
    except KeyboardInterrupt:
        raise typer.Exit(EXIT_INTERRUPTED) from None
    finally:
        target.close()


def step(
    elf: ElfArgument = None,
    scenario: ScenarioOption = None,
    strategy: StrategyOption = None,
    mapping: MappingOption = None,
    workload: WorkloadOption = None,
    commands: Annotated[
        list[str] | None,
        typer.Option(
            "--command", "-x", metavar="CMD", help="Run this command, without a screen; repeatable.", show_default=False
        ),
    ] = None,
    script: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="First run the commands of a file (-: standard input).", show_default=False),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object for each command.")] = False,
    timeout: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS", help="End the commands after so long, the one under way too.", show_default=False
        ),
    ] = None,
    memory: MemoryOption = 512,
    board: BoardOption = None,
    engine: EngineOption = EngineName.AUTO,
    typed: InputOption = None,
    load: LoadOption = None,
    symbols: SymbolsOption = None,
    strict: StrictOption = False,
    timing: TimingOption = TimingName.FLAT,
    clock: ClockOption = ClockName.CYCLES,
    costs: CostsOption = None,
    tlb: TlbOption = 32,
) -> None:
    check_timeout(timeout)
    from emu.debug.stepper.run import commands_of, is_trace, step_target, step_trace

    lines = commands_of(script, commands or (), as_json=as_json, timeout=timeout)
    if elf is not None and is_trace(elf):
        _exit_by(step_trace(elf, lines, as_json=as_json, timeout=timeout))
        return
    program = Program(elf, board, tuple(load or ()), tuple(symbols or ()), strict, typed)
    row = Row(scenario, strategy, mapping, workload)
    options = machine_options(engine, timing, clock, costs, tlb)
    target = open_target(program, row, options, memory * MEGABYTE, None)
    try:
        _exit_by(step_target(target, lines, as_json=as_json, timeout=timeout))
    except KeyboardInterrupt:
        raise typer.Exit(EXIT_INTERRUPTED) from None


def _exit_by(completed: bool) -> None:
    """Exit status 1 if time was up."""
    if not completed:
        raise typer.Exit(EXIT_TIME_UP)


@dataclass(frozen=True)
class Program:
    """What was said of a program; ``typed``: a file that is typed on its console."""

    elf: Path | None
    board: str | None
    load: tuple[str, ...]
    symbols: tuple[Path, ...]
    strict: bool
    typed: Path | None


def open_target(
    program: Program,
    row: Row,
    options: "MachineOptions",
    memory: int,
    on_console: Callable[[bytes], None] | None,
) -> "Target":
    """The program on its board, or the recorded row. UsageError unless it is one of them."""
    of_program = program.board or program.load or program.symbols or program.typed or program.strict
    if row.is_wanted(program.elf) and of_program:
        raise UsageError("--board, --load, --symbols, --input and --strict are about a program")
    if program.elf is not None:
        from emu.debug.target import open_elf
        from emu.foreground import Setup

        what = Setup(
            *(program.elf, program.board or DEFAULT_BOARD, options),
            load=program.load,
            symbols=program.symbols,
            strict=program.strict,
        )
        return open_elf(what, program.typed, memory=memory, on_console=on_console)
    from kernel_model.debugging import open_scenario

    if sys.stderr.isatty():
        print("cfemu: recording the run ...", file=sys.stderr)
    return open_scenario(
        row.scenario, row.strategy, row.mapping, row.workload, options, memory=memory, on_console=on_console
    )


def check_host(host: str) -> None:
    """Only addresses: a name could mean several."""
    import ipaddress

    try:
        ipaddress.ip_address(host)
    except ValueError:
        raise UsageError(f"--host {host}: expected an address like 127.0.0.1") from None


def show_output(data: bytes) -> None:
    """What the guest transmits."""
    sys.stdout.buffer.write(data)
    sys.stdout.flush()
