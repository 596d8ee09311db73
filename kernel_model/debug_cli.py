"""The command ``cfemu gdb``: a program, or a row of a scenario, for gdb to debug."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from emu.cli import ClockName, EngineName, TimingName, machine_options
from emu.errors import UsageError

if TYPE_CHECKING:
    from emu.debug.target import Target
    from emu.options import MachineOptions

__all__ = ["register"]

EXIT_INTERRUPTED = 130
MEGABYTE = 1 << 20
ANY_FREE_PORT = 0

GDB_EPILOG = """\b
Examples:
  cfemu gdb hello.elf
  cfemu gdb vmlinux --board m5475evb --input commands.txt --port 1234
  cfemu gdb --scenario default --strategy grow --mapping paged-8k --workload ping-pong
and in another terminal what it prints, like
  gdb-multiarch hello.elf -ex 'target remote 127.0.0.1:1234'

Time runs backwards too: reverse-stepi, reverse-continue; watchpoints are exact and virtual; `monitor help` in gdb lists
what gdb has no command for: TLBs, misses, catchpoints, going to an instruction. docs/debugging.md walks through it.

\b
Exit status: 0 when gdb kills the guest; 2 for bad input; 130 after Ctrl-C.
"""


def register(app: typer.Typer) -> None:
    """Add ``gdb`` to ``app``."""
    app.command("gdb", epilog=GDB_EPILOG, help="Serve a program, or a row of a scenario, to gdb; time runs both ways.")(
        gdb
    )


def gdb(
    elf: Annotated[
        Path | None, typer.Argument(metavar="[ELF]", help="A big-endian m68k ELF file.", show_default=False)
    ] = None,
    scenario: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Instead: run a row of this scenario, file or name, and debug that.",
            show_default=False,
        ),
    ] = None,
    strategy: Annotated[
        str | None, typer.Option(metavar="NAME", help="Of the row; else the scenario's first.", show_default=False)
    ] = None,
    mapping: Annotated[
        str | None, typer.Option(metavar="NAME", help="Of the row; else the scenario's first.", show_default=False)
    ] = None,
    workload: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Run this workload only, after the boot.", show_default=False),
    ] = None,
    host: Annotated[str, typer.Option(metavar="ADDR", help="Where to listen.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(metavar="N", min=0, max=65535, help="Port; 0 takes a free one and prints it.")
    ] = ANY_FREE_PORT,
    memory: Annotated[
        int, typer.Option(metavar="MB", min=1, help="What the history may take; less makes ways back longer.")
    ] = 512,
    board: Annotated[str, typer.Option(metavar="NAME", help="Memory map and devices; see `cfemu boards`.")] = (
        "coyotos128"
    ),
    engine: Annotated[EngineName, typer.Option(help="How to run it; all give the same counts.")] = EngineName.AUTO,
    script: Annotated[
        Path | None,
        typer.Option("--input", metavar="FILE", help="Type this as soon as the guest listens.", show_default=False),
    ] = None,
    load: Annotated[
        list[str] | None,
        typer.Option(metavar="FILE@ADDR", help="As for `cfemu run`; repeatable.", show_default=False),
    ] = None,
    symbols: Annotated[
        list[Path] | None, typer.Option(metavar="ELF", help="As for `cfemu run`; repeatable.", show_default=False)
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="End at an access to a peripheral register that nothing models.")
    ] = False,
    timing: Annotated[TimingName, typer.Option(help="What instructions cost: see `cfemu timing --help`.")] = (
        TimingName.FLAT
    ),
    clock: Annotated[ClockName, typer.Option(help="What devices count as time.")] = ClockName.CYCLES,
    costs: Annotated[
        Path | None,
        typer.Option(metavar="FILE.toml", help="Numbers that replace those of the time model.", show_default=False),
    ] = None,
    tlb: Annotated[int, typer.Option(metavar="N", min=2, max=128, help="Entries of each of the two TLBs.")] = 32,
) -> None:
    options = machine_options(engine, timing, clock, costs, tlb)
    of_scenario = (strategy, mapping, workload)
    if (elf is None) == (scenario is None):
        raise UsageError("name either a program or, with --scenario, a scenario")
    if scenario is None and any(value is not None for value in of_scenario):
        raise UsageError("--strategy, --mapping and --workload are about a scenario")
    if scenario is not None and (load or symbols or script or strict):
        raise UsageError("--load, --symbols, --input and --strict are about a program")
    check_host(host)
    if elf is not None:
        target = program(elf, board, options, (load or [], symbols or [], strict), script, memory * MEGABYTE)
    else:
        from kernel_model.debugging import open_scenario

        print("cfemu: recording the run ...", file=sys.stderr)
        target = open_scenario(scenario, *of_scenario, options, memory=memory * MEGABYTE, on_console=show_output)
    from emu.debug.command import serve_gdb

    try:
        serve_gdb(target, host, port)
    except KeyboardInterrupt:
        raise typer.Exit(EXIT_INTERRUPTED) from None
    finally:
        target.close()


def program(
    elf: Path,
    board: str,
    options: "MachineOptions",
    setup: tuple[list[str], list[Path], bool],
    script: Path | None,
    memory: int,
) -> "Target":
    """The program on its board."""
    from emu.debug.target import open_elf
    from emu.foreground import Setup

    load, symbols, strict = setup
    what = Setup(elf, board, options, load=tuple(load), symbols=tuple(symbols), strict=strict)
    return open_elf(what, script, memory=memory, on_console=show_output)


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
