"""The machine's commands: ``cfemu run``, ``boards``, ``timing``, and those of emu.trace.cli and emu.regression.cli.

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
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer.exceptions import TyperException

from emu.errors import CfemuError, GuestError, UsageError
from emu.text import printable

if TYPE_CHECKING:
    from emu.counters import Counters
    from emu.options import MachineOptions

__all__ = [
    "EXIT_ERROR",
    "ClockName",
    "ClockOption",
    "CostsOption",
    "EngineName",
    "JsonOption",
    "TimingName",
    "TimingOption",
    "TlbOption",
    "check_timeout",
    "execute",
    "machine_options",
    "new_app",
    "prepare_streams",
    "register",
    "report_error",
    "show_counters",
]

EXIT_ERROR = 2  # bad input, or a guest that cannot go on
EXIT_INTERRUPTED = 130  # 128 + SIGINT, the shells' convention
# The start makes many objects and no garbage: looking for it takes a tenth of the time.
GARBAGE_THRESHOLD = 100_000
LONGEST_TIMEOUT = 1_000_000_000  # seconds, 31 years; what is longer is more than a thread can wait


class ProfileName(StrEnum):
    """What ``cfemu run --profile`` can tell more about."""

    TLB = "tlb"


class EngineName(StrEnum):
    """The ways to run the same model; ``auto`` takes ``native`` where its self-check passes, else ``public``."""

    AUTO = "auto"
    NATIVE = "native"
    PUBLIC = "public"
    REFERENCE = "reference"


class TimingName(StrEnum):
    """Levels of the time model (docs/timing-model.md)."""

    FLAT = "flat"
    PIPELINE = "pipeline"
    FULL = "full"


class ClockName(StrEnum):
    """What devices count as time."""

    CYCLES = "cycles"
    INSTRUCTIONS = "instructions"


# Options of several commands.
TimingOption = Annotated[
    TimingName, typer.Option(help="What instructions cost: see `cfemu timing --help`. No level changes a miss.")
]
ClockOption = Annotated[
    ClockName, typer.Option(help="What devices count as time; with instructions all levels of timing run alike.")
]
CostsOption = Annotated[
    Path | None,
    typer.Option(metavar="FILE.toml", help="Numbers that replace those of the time model.", show_default=False),
]
TlbOption = Annotated[int, typer.Option(metavar="N", min=2, max=128, help="Entries of each of the two TLBs.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]

RUN_EPILOG = """\b
Examples:
  cfemu run hello.elf --board m5475evb
  cfemu run hello.elf --board m5475evb --max-instructions 1000000
  cfemu run hello.elf --board m5475evb --engine reference --json | jq .counters.misses
  cfemu run vmlinux --board m5475evb
  cfemu run vmlinux --board m5475evb --profile tlb < commands.txt
  cfemu run vmlinux --board m5475evb --timeout 60 --strict < commands.txt
  cfemu run vmlinux --board m5475evb --tlb 16 --symbols init --load disk.img@0x2000000

Input: as soon as the guest turns the receiver of its serial port (PSC0) on, a terminal becomes its keyboard, raw and in
real time; Ctrl-A h there tells the keys that are not for the guest, Ctrl-A x quits. Anything else on standard input is
a script: it is read to its end and typed as the guest reads it, at the same virtual times in every run (< /dev/null for
none). With --json a terminal is no input.

\b
Exit status:
  what the guest passes to semihosting exit;
  0 when it ends by HALT, by a reset of the board (reboot) or by a STOP that no interrupt can end, when a budget ends
    the run, and after Ctrl-A x;
  1 when --timeout ends the run, and whenever a Linux has panicked (its panic_cpu is not -1);
  2 for bad input and for a guest that cannot go on;
  130 after Ctrl-C.
"""


def new_app(summary: str, *, is_whole: bool = False) -> typer.Typer:
    """An empty command group in the house style: plain help (rich would double its start-up time), no tracebacks.

    ``is_whole``: it is the command ``cfemu`` itself, and knows ``--version``.
    """
    app = typer.Typer(
        help=summary,
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_whole if is_whole else lambda: None)  # keeps the group a group while it has one command only
    return app


def _print_version(wanted: bool) -> None:
    if wanted:
        from emu.version import version

        print(f"cfemu {version()}")
        raise typer.Exit


def _whole(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Options of ``cfemu`` without a command."""


def register(app: typer.Typer) -> None:
    """Add ``run``, ``boards``, ``timing``, ``check``, ``diff`` and the group ``trace`` to ``app``."""
    from emu.regression.cli import register as register_regression
    from emu.trace.cli import trace_app  # which is made with new_app

    app.command("run", epilog=RUN_EPILOG, help="Run any ColdFire ELF and print its counters and misses.")(run)
    app.command("boards", help="List the boards, one a line.")(boards)
    app.command("timing", epilog=TIMING_EPILOG, help="List every number of the time model, with its source.")(timing)
    app.add_typer(trace_app, name="trace")
    register_regression(app)


def execute(app: typer.Typer, arguments: Sequence[str] | None = None) -> int:
    """Run one command line (default: the process's) and return its exit status; reports every expected error."""
    gc.set_threshold(GARBAGE_THRESHOLD)
    try:
        status = app(args=arguments, prog_name="cfemu", standalone_mode=False)
        sys.stdout.flush()
    except TyperException as error:
        message = error.format_message()
        is_help = message.startswith("Usage:")  # of a command without arguments
        print(message if is_help else f"cfemu: {message}", file=sys.stderr)
        return EXIT_ERROR
    except BrokenPipeError:  # the reader of our stdout (head, less) has gone: nothing left to say, nor to flush
        _forget_output()
        return 1
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except (CfemuError, OSError) as error:
        report_error(error if _is_flushed() else OSError("standard output cannot be written"))
        return EXIT_ERROR
    return status if isinstance(status, int) else 0


def prepare_streams() -> None:
    """What cannot be shown on stdout is escaped, as on stderr; a stream that was closed leads nowhere."""
    for descriptor, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # the lowest number that is free: this one
            setattr(sys, name, os.fdopen(descriptor, "w" if descriptor else "r", closefd=False))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _is_flushed() -> bool:
    """Whether everything printed has got out; else the rest is forgotten."""
    try:
        sys.stdout.flush()
    except OSError:
        _forget_output()
        return False
    return True


def _forget_output() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def report_error(error: Exception) -> None:
    """One line on stderr, and under it the guest's state where the guest is to blame."""
    text = str(error)
    if isinstance(error, OSError) and error.strerror:  # without its number
        text = f"{error.filename}: {error.strerror.lower()}" if error.filename else error.strerror.lower()
    print(f"cfemu: {printable(text)}", file=sys.stderr)
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
    timeout: Annotated[
        float | None,
        typer.Option(metavar="SECONDS", help="Stop after so much time of the host; exit status 1.", show_default=False),
    ] = None,
    load: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FILE@ADDR",
            help="Copy a file as it is to a physical address, 0x... or decimal; repeatable.",
            show_default=False,
        ),
    ] = None,
    symbols: Annotated[
        list[Path] | None,
        typer.Option(metavar="ELF", help="Take names for reports from this file, too; repeatable.", show_default=False),
    ] = None,
    append: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT", help="Refused: Linux for ColdFire has its command line built in.", show_default=False
        ),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="End at an access to a peripheral register that nothing models.")
    ] = False,
    timing: TimingOption = TimingName.FLAT,
    clock: ClockOption = ClockName.CYCLES,
    costs: CostsOption = None,
    tlb: TlbOption = 32,
    json: JsonOption = False,
) -> None:
    if append is not None:
        raise UsageError(
            "--append: Linux for ColdFire takes no command line from its loader, it is compiled in; "
            "set CONFIG_BOOTPARAM_STRING and build the kernel again"
        )
    check_timeout(timeout)
    from emu.foreground import Budget, Setup, run_file

    setup = Setup(
        elf,
        board,
        machine_options(engine, timing, clock, costs, tlb),
        load=tuple(load or ()),
        symbols=tuple(symbols or ()),
        strict=strict,
        profile=profile is not None,
    )
    budget = Budget(max_instructions, max_cycles, timeout)
    report = run_file(setup, budget, echo=not json, show_counters=show_counters)
    from emu.run_report import print_json, print_tables, warning_lines

    (print_json if json else print_tables)(report)
    for line in warning_lines(report.mmu_warnings):
        print(f"cfemu: {line}", file=sys.stderr)
    if report.error is not None:
        report_error(report.error)
    if report.note:
        print(f"cfemu: {report.note}", file=sys.stderr)
    raise typer.Exit(report.exit_status)


def machine_options(
    engine: EngineName, timing: TimingName, clock: ClockName, costs: Path | None, tlb: int = 32
) -> "MachineOptions":
    """What the command line says of the model. UsageError for a bad file of numbers."""
    from emu.options import MachineOptions
    from emu.time_numbers import Numbers, read_numbers

    numbers = Numbers() if costs is None else read_numbers(costs)
    return MachineOptions(engine.value, timing.value, clock.value, numbers, tlb)


def check_timeout(seconds: float | None) -> None:
    """UsageError for what is no time that can pass."""
    if seconds is None or 0 < seconds <= LONGEST_TIMEOUT:
        return
    most = "" if seconds <= 0 or seconds != seconds else f", {LONGEST_TIMEOUT} at most"
    raise UsageError(f"--timeout {seconds:g}: expected a number of seconds above 0{most}")


def show_counters(counters: "Counters") -> None:
    from emu.run_report import print_counters

    print_counters(counters)


TIMING_EPILOG = """\b
Levels, for --timing of `run` and `compare`:
  flat      each instruction costs the manual's cell; nothing depends on its neighbours. The default: the fastest, and
            misses are the same in all levels
  pipeline  and waits for results, folded pairs, predicted branches; memory is ideal
  full      and caches, store buffer, SDRAM

\b
Examples:
  cfemu timing
  cfemu timing my-numbers.toml          what a file changes
  cfemu run hello.elf --board m5475evb --timing full --costs my-numbers.toml
"""


def timing(
    numbers: Annotated[
        Path | None,
        typer.Argument(metavar="[FILE.toml]", help="[costs] and [cells] that replace numbers.", show_default=False),
    ] = None,
    json: JsonOption = False,
) -> None:
    from emu.time_numbers import Numbers, read_numbers
    from emu.time_report import print_numbers, print_numbers_json

    (print_numbers_json if json else print_numbers)(Numbers() if numbers is None else read_numbers(numbers))


def boards() -> None:
    from emu.board import BOARDS

    width = max(map(len, BOARDS))
    for name, board in BOARDS.items():
        typer.echo(f"{name:{width}}  {board.summary}")
