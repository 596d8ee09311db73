"""What appears in the terminal while a guest runs: its output, our messages, the progress line; none tears another."""

import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["Screen"]

PROGRESS_AFTER, PROGRESS_EVERY = 1.0, 0.1  # seconds


class Screen:
    """stdout for the guest and stderr for us. ``echo``: whether the guest's output is shown at all."""

    def __init__(self, *, echo: bool) -> None:
        self.echo = echo
        self.progress = sys.stderr.isatty()
        self._progress_shown = False
        self._start = self._last = time.monotonic()
        self._one_terminal = sys.stdout.isatty() and sys.stderr.isatty()
        self._in_line = False  # the guest's output has begun a line there and not ended it

    def show_output(self, data: bytes) -> None:
        """What the guest transmits, as it comes."""
        self.clear_progress()
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        self._in_line = self._one_terminal and not data.endswith(b"\n")

    def say(self, text: str) -> None:
        """A message of ours, on lines of its own on stderr."""
        self.start_line()
        sys.stderr.write(text + "\n")
        sys.stderr.flush()

    def start_line(self) -> None:
        """The next output on stderr begins a line."""
        self.clear_progress()
        if self._in_line:
            sys.stderr.write("\n")
            sys.stderr.flush()
            self._in_line = False

    def show_progress(self, instructions: int) -> None:
        """One line on stderr, rewritten; nothing at all where stderr is not a terminal."""
        now = time.monotonic()
        seconds = now - self._start
        if not self.progress or self._in_line:
            return
        if seconds > PROGRESS_AFTER and now - self._last > PROGRESS_EVERY:
            rate = instructions / seconds / 1e6
            sys.stderr.write(f"\r\x1b[K{instructions / 1e6:,.1f} M instructions, {rate:,.1f} M/s, Ctrl-C ends the run")
            sys.stderr.flush()
            self._progress_shown = True
            self._last = now

    def clear_progress(self) -> None:
        """Nothing is left of the progress line."""
        if self._progress_shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
            self._progress_shown = False

    @contextmanager
    def warnings(self) -> Iterator[None]:
        """The machine's warnings are messages, too, while this lasts."""
        handler = _Messages(self)
        logger = logging.getLogger("emu")
        logger.addHandler(handler)
        try:
            yield
        finally:
            logger.removeHandler(handler)
            self.clear_progress()


class _Messages(logging.Handler):
    """Log records as one line each."""

    def __init__(self, screen: Screen) -> None:
        super().__init__(logging.WARNING)
        self._screen = screen

    def emit(self, record: logging.LogRecord) -> None:
        self._screen.say(f"cfemu: {record.getMessage()}")
