"""Commands without a screen: each with its answer on standard output, for tests and bug reports."""

import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from emu.debug.stepper.commands import execute
from emu.debug.stepper.stepper import Result, Stepper
from emu.errors import CfemuError, UsageError

__all__ = ["PROMPT", "ScriptLine", "read_script", "run_script"]

PROMPT = "(cfemu) "


@dataclass(frozen=True)
class ScriptLine:
    """A command; ``place``: where it stands, for messages."""

    text: str
    place: str


def read_script(path: Path) -> list[ScriptLine]:
    """Commands of a file, or of standard input for ``-``. UsageError if it cannot be read."""
    name = "standard input" if str(path) == "-" else str(path)
    try:
        text = sys.stdin.read() if str(path) == "-" else path.read_text()
    except UnicodeDecodeError:
        raise UsageError(f"{name}: not a text file") from None
    except OSError as error:
        raise UsageError(f"{name}: {(error.strerror or str(error)).lower()}") from error
    lines = enumerate(text.splitlines(), 1)
    return [ScriptLine(line.strip(), f"{name}, line {number}") for number, line in lines if _is_command(line)]


def _is_command(line: str) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith("#")


def run_script(stepper: Stepper, lines: Iterable[ScriptLine], *, as_json: bool = False) -> None:
    """Run until the end, or `quit`. UsageError, with its place, for the first bad command."""
    for line, result in _results(stepper, lines):
        if as_json:
            print(json.dumps(_record(stepper, line, result)), flush=True)
        else:
            print("\n".join([PROMPT + line.text, *result.lines]), flush=True)


def _results(stepper: Stepper, lines: Iterable[ScriptLine]) -> Iterator[tuple[ScriptLine, Result]]:
    for line in lines:
        try:
            result = execute(stepper, line.text)
        except CfemuError as error:
            raise UsageError(f"{line.place}: {error}") from error
        yield line, result
        if result.ended:
            return


def _record(stepper: Stepper, line: ScriptLine, result: Result) -> dict[str, object]:
    source = stepper.source
    now = source.now
    return {
        "command": line.text,
        "instructions": now.instructions,
        "exceptions": now.exceptions,
        "cycles": now.cycles,
        "pc": source.pc,
        "symbol": source.symbol(source.pc),
        "lines": list(result.lines),
        **result.data,
    }
