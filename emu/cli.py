"""The machine's commands: ``cfemu run`` and ``cfemu boards``.

``kernel_model.cli`` mounts them beside its own with :func:`register` and starts everything with :func:`execute`, so
that every command reports an error in the same way: one line on stderr and status 2, never a traceback.
Only typer and the standard library are imported here, for ``--help`` must answer at once; whatever needs numpy, numba,
unicorn or rich is imported by the command that uses it.
"""

import gc
import os
import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from typer.exceptions import TyperException

from emu.errors import CfemuError, GuestError

__all__ = ["EXIT_ERROR", "EngineName", "execute", "new_app", "register"]

EXIT_ERROR = 2  # bad input, or a guest that cannot go on
EXIT_INTERRUPTED = 130  # 128 + SIGINT, the shells' convention
# The start makes many objects and no garbage: looking for it takes a tenth of the time.
GARBAGE_THRESHOLD = 100_000


class ProfileName(StrEnum):
    """What ``cfemu run --profile`` can tell more about."""

    TLB = "tlb"


class EngineName(StrEnum):
    """The ways to run the same model; ``auto`` takes ``native`` where its self-check passes, else ``public``."""

    AUTO = "auto"
    NATIVE = "native"
    PUBLIC = "public"
    REFERENCE = "reference"


RUN_EPILOG = """\b
Examples:
  cfemu run hello.elf
  cfemu run hello.elf --board m5475evb --max-instructions 1000000
  cfemu run hello.elf --engine reference --json | jq .counters.misses
  cfemu run --board m5475evb build/linux/vmlinux --profile tlb

\b
Exit status: what the guest passes to semihosting exit; 0 when it ends by HALT or a board reset, or when a budget
ends the run; 2 for bad input and for a guest that cannot go on; 130 after Ctrl-C.
"""


def new_app(summary: str) -> typer.Typer:
    """An empty command group in the house style: plain help (rich would double its start-up time), no tracebacks."""
    app = typer.Typer(
        help=summary,
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(lambda: None)  # keeps the group a group while it has one command only
    return app


def register(app: typer.Typer) -> None:
    """Add ``run`` and ``boards`` to ``app``."""
    app.command("run", epilog=RUN_EPILOG, help="Run any ColdFire ELF and print its counters and misses.")(run)
    app.command("boards", help="List the boards, one a line.")(boards)


def execute(app: typer.Typer, arguments: Sequence[str] | None = None) -> int:
    """Run one command line (default: the process's) and return its exit status; reports every expected error."""
    gc.set_threshold(GARBAGE_THRESHOLD)
    try:
        status = app(args=arguments, prog_name="cfemu", standalone_mode=False)
    except TyperException as error:
        message = error.format_message()
        is_help = message.startswith("Usage:")  # of a command without arguments
        print(message if is_help else f"cfemu: {message}", file=sys.stderr)
        return EXIT_ERROR
    except BrokenPipeError:  # the reader of our stdout (head, less) has gone: nothing left to say, nor to flush
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except (CfemuError, OSError) as error:
        report_error(error)
        return EXIT_ERROR
    return status if isinstance(status, int) else 0


def report_error(error: Exception) -> None:
    """One line on stderr, and under it the guest's state where the guest is to blame."""
    print(f"cfemu: {error}", file=sys.stderr)
    if isinstance(error, GuestError) and error.state:
        print(error.state, file=sys.stderr)


def run(
    elf: Annotated[Path, typer.Argument(metavar="ELF", help="A big-endian m68k ELF file.", show_default=False)],
    board: Annotated[str, typer.Option(metavar="NAME", help="Memory map and devices; see `cfemu boards`.")] = (
        "coyotos128"
    ),
    engine: Annotated[EngineName, typer.Option(help="How to run it; all give the same counts.")] = EngineName.AUTO,
    max_instructions: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Stop after N instructions.", show_default=False)
    ] = None,
    max_cycles: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Stop at the first boundary at N cycles or after.", show_default=False),
    ] = None,
    profile: Annotated[
        ProfileName | None,
        typer.Option(help="tlb: causes, times and processes of all TLB misses and violations.", show_default=False),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
) -> None:
    from emu.foreground import Budget, run_file

    budget = Budget(max_instructions, max_cycles)
    report = run_file(elf, board, engine.value, budget, echo=not json, profile=profile is not None)
    from emu.run_report import print_json, print_tables

    (print_json if json else print_tables)(report)
    if report.error is not None:
        report_error(report.error)
    elif report.note:
        print(f"cfemu: {report.note}", file=sys.stderr)
    raise typer.Exit(report.exit_status)


def boards() -> None:
    from emu.board import BOARDS

    width = max(map(len, BOARDS))
    for name, board in BOARDS.items():
        typer.echo(f"{name:{width}}  {board.summary}")
