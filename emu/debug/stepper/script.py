"""Commands without a screen: each with its answer on standard output, for tests and bug reports."""

import json
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread

from emu.debug.stepper.commands import execute
from emu.debug.stepper.source import Interrupted, Source
from emu.debug.stepper.stepper import Result, Stepper
from emu.errors import CfemuError, UsageError

__all__ = ["PROMPT", "ScriptLine", "read_script", "run_script"]

PROMPT = "(cfemu) "
INSISTING = 0.05  # seconds between two interrupts


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


class _Alarm:
    """Interrupts ``source`` after ``seconds`` (None: never), again and again: each command begins without that."""

    def __init__(self, source: Source, seconds: float | None) -> None:
        self.rang = False
        self._source, self._seconds = source, seconds
        self._over = Event()
        self._thread = Thread(target=self._ring, daemon=True)

    def __enter__(self) -> "_Alarm":
        if self._seconds is not None:
            self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._over.set()
        if self._seconds is not None:
            self._thread.join()

    def _ring(self) -> None:
        if self._over.wait(self._seconds):
            return
        self.rang = True
        while not self._over.wait(INSISTING):
            self._source.interrupt()


def run_script(
    stepper: Stepper, lines: Iterable[ScriptLine], *, as_json: bool = False, timeout: float | None = None
) -> bool:
    """Run until the end, or `quit`; or for ``timeout`` seconds, then say so on stderr. Whether it came to its end.

    UsageError, with its place, for the first bad command.
    """
    with _Alarm(stepper.source, timeout) as alarm:
        for line in lines:
            result = _answer(stepper, line, alarm)
            if as_json:
                print(json.dumps(_record(stepper, line, result)), flush=True)
            else:
                print("\n".join([PROMPT + line.text, *result.lines]), flush=True)
            if result.ended:
                break
            if alarm.rang:
                source = stepper.source
                where = f"{line.place}: at {source.unit} {source.now.instructions:,}"
                print(f"cfemu: interrupted after {timeout:g} s; {where}", file=sys.stderr, flush=True)
                return False
    return True


def _answer(stepper: Stepper, line: ScriptLine, alarm: _Alarm) -> Result:
    try:
        return execute(stepper, line.text)
    except Interrupted as error:
        if not alarm.rang:
            raise
        return Result((str(error),))
    except CfemuError as error:
        raise UsageError(f"{line.place}: {error}") from error


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
