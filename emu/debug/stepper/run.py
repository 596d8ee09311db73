"""The command ``cfemu step``: one target, on the screen or by a script."""

import sys
from collections.abc import Iterable
from pathlib import Path

from emu.debug.stepper.live import LiveGuest
from emu.debug.stepper.script import ScriptLine, read_script, run_script
from emu.debug.stepper.stepper import Stepper
from emu.debug.target import Target
from emu.errors import UsageError
from emu.lines import load_lines

__all__ = ["commands_of", "is_trace", "step_target", "step_trace"]

MAGIC = b"CFTRACE\n"  # as emu.trace.format writes it


def commands_of(
    script: Path | None, commands: Iterable[str], *, as_json: bool, timeout: float | None = None
) -> list[ScriptLine] | None:
    """What is to be run without a screen, the file first; None = there is a screen. UsageError where that cannot be."""
    single = [ScriptLine(text, f"--command {text!r}") for text in commands]
    if script is not None or single:
        return [*(read_script(script) if script is not None else ()), *single]
    if as_json:
        raise UsageError("--json is about --script and --command")
    if timeout is not None:
        raise UsageError("--timeout is about --script and --command; on the screen Esc interrupts")
    if not all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr)):  # Textual draws on stderr
        raise UsageError("the screen needs a terminal; --script and --command do without")
    return None


def step_target(
    target: Target, lines: list[ScriptLine] | None, *, as_json: bool = False, timeout: float | None = None
) -> bool:
    """Step through a guest until its user, or the script, ends; closes it. False if ``timeout`` ended the script."""
    guest = LiveGuest(target)
    guest.history.read_lines_from(lambda size: b"")  # standard input is the stepper's
    try:
        return _step(Stepper(guest, load_lines(*target.files)), lines, as_json=as_json, timeout=timeout)
    finally:
        guest.close()


def is_trace(path: Path) -> bool:
    """Whether a file is a recorded trace."""
    try:
        with path.open("rb") as file:
            return file.read(len(MAGIC)) == MAGIC
    except OSError:
        return False


def step_trace(
    path: Path, lines: list[ScriptLine] | None, *, as_json: bool = False, timeout: float | None = None
) -> bool:
    """The same for a recorded trace. UsageError for one that cannot be read."""
    from emu.debug.stepper.recorded import RecordedTrace  # which is compiled code of its own

    return _step(Stepper(RecordedTrace(path)), lines, as_json=as_json, timeout=timeout)


def _step(stepper: Stepper, lines: list[ScriptLine] | None, *, as_json: bool, timeout: float | None) -> bool:
    if lines is not None:
        return run_script(stepper, lines, as_json=as_json, timeout=timeout)
    from emu.debug.stepper.app import run_screen

    run_screen(stepper)
    return True
