"""The other end of the guest's serial port: a person at the terminal, or a script on standard input.

A person gets what QEMU's ``-nographic`` gives: every key goes to the guest, Ctrl-C among them, except those after
Ctrl-A, which are for the emulator (:data:`ESCAPE_KEYS`). The guest's clock then keeps to the host's while the guest
idles, and a key wakes it at once. A script is read to its end and typed in virtual time, equally in every run.
"""

import errno
import os
import select
import signal
import sys
import termios
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum, auto
from types import FrameType
from typing import Any

from emu.devices.state import LINE
from emu.errors import UsageError
from emu.machine import Machine

__all__ = [
    "ESCAPE_KEYS",
    "Command",
    "EscapeDecoder",
    "Keyboard",
    "Pace",
    "RawTerminal",
    "Session",
    "help_text",
    "read_script",
    "stdin_is_terminal",
]

STDIN = 0
CHUNK = 4096  # bytes of one read; a terminal holds no more
ESCAPE = 0x01  # Ctrl-A
LONGEST_WAIT = 0.1  # seconds until flags that signals set are looked at again
MOST_OWED = 0.1  # seconds that the guest's clock may differ from the host's and still be brought back to it


class Command(Enum):
    """What a key after Ctrl-A asks of the emulator."""

    HELP = auto()
    QUIT = auto()
    RESET = auto()
    COUNTERS = auto()


@dataclass(frozen=True)
class EscapeKey:
    """A key after Ctrl-A. ``meaning``: a command, or the bytes that the guest gets."""

    key: int
    name: str
    meaning: Command | bytes
    help: str


ESCAPE_KEYS = (
    EscapeKey(ord("h"), "h", Command.HELP, "this help"),
    EscapeKey(ord("x"), "x", Command.QUIT, "quit, with the counters"),
    EscapeKey(ord("r"), "r", Command.RESET, "reset the board; the counters start anew"),
    EscapeKey(ord("c"), "c", Command.COUNTERS, "print the counters now"),
    EscapeKey(ESCAPE, "Ctrl-A", bytes([ESCAPE]), "send Ctrl-A to the guest"),
)


def help_text() -> str:
    """The escape keys, one a line."""
    width = max(len(key.name) for key in ESCAPE_KEYS)
    return "\n".join(f"Ctrl-A {key.name:{width}}  {key.help}" for key in ESCAPE_KEYS)


class EscapeDecoder:
    """Tells the guest's keys from the emulator's; Ctrl-A and its key may come in two parts."""

    def __init__(self) -> None:
        self._meanings = {key.key: key.meaning for key in ESCAPE_KEYS}
        self._escaped = False

    def decode(self, keys: bytes) -> Iterator[bytes | Command]:
        """Text and commands in the order they were typed; a key that means nothing after Ctrl-A is dropped."""
        text = bytearray()
        for key in keys:
            if not self._escaped and key == ESCAPE:
                self._escaped = True
                continue
            meaning = self._meanings.get(key, b"") if self._escaped else bytes([key])
            self._escaped = False
            if isinstance(meaning, bytes):
                text += meaning
                continue
            if text:
                yield bytes(text)
                text.clear()
            yield meaning
        if text:
            yield bytes(text)


class RawTerminal:
    """The terminal of standard input, from :meth:`make_raw` on without echo, lines and signals, as QEMU sets it.

    As a context it restores the terminal on every way out. A signal that ends or stops the process does so too, before
    the process ends or stops as it would have by itself.
    """

    def __init__(self, fd: int = STDIN) -> None:
        self._fd = fd
        self._before: list[Any] | None = None
        self._handlers: dict[int, Any] = {}

    def __enter__(self) -> "RawTerminal":
        return self

    def __exit__(self, *_: object) -> None:
        self._restore()
        self._before = None
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._handlers.clear()

    def make_raw(self) -> None:
        """Every key arrives at once and unchanged. What was typed before is kept."""
        if self._before is None:
            self._before = termios.tcgetattr(self._fd)
            for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
                self._handlers[number] = signal.signal(number, self._end)
            self._handlers[signal.SIGTSTP] = signal.signal(signal.SIGTSTP, self._stop)
            self._handlers[signal.SIGCONT] = signal.signal(signal.SIGCONT, self._continue)
        iflag, oflag, cflag, lflag, ispeed, ospeed, cc = termios.tcgetattr(self._fd)
        iflag &= ~(termios.IGNBRK | termios.BRKINT | termios.PARMRK | termios.ISTRIP)
        iflag &= ~(termios.INLCR | termios.IGNCR | termios.ICRNL | termios.IXON)
        oflag |= termios.OPOST  # our own lines, and a guest's bare newline, begin at the left
        cflag = cflag & ~(termios.CSIZE | termios.PARENB) | termios.CS8
        lflag &= ~(termios.ECHO | termios.ECHONL | termios.ICANON | termios.IEXTEN | termios.ISIG)
        cc[termios.VMIN], cc[termios.VTIME] = 1, 0
        self._set([iflag, oflag, cflag, lflag, ispeed, ospeed, cc])

    def _restore(self) -> None:
        if self._before is not None:
            self._set(self._before)

    def _set(self, attributes: list[Any]) -> None:
        while True:
            try:
                termios.tcsetattr(self._fd, termios.TCSANOW, attributes)
            except termios.error as error:
                if error.args[0] == errno.EINTR:
                    continue  # stopped as a background job that wants the terminal, and continued
            return  # any other error: the terminal is gone

    def _end(self, number: int, frame: FrameType | None) -> None:
        self._restore()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self._restore()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)  # stops here, until SIGCONT
        signal.signal(number, self._stop)
        self.make_raw()

    def _continue(self, number: int, frame: FrameType | None) -> None:
        if self._before is not None:
            self.make_raw()  # whoever had the terminal meanwhile has left it otherwise


class Keyboard:
    """Keys as they are typed."""

    def __init__(self, fd: int = STDIN) -> None:
        self._fd = fd

    def read(self, seconds: float) -> bytes:
        """What is typed, waiting ``seconds`` for the first key. EOFError when the terminal is gone."""
        ready, _, _ = select.select([self._fd], [], [], seconds)
        if not ready:
            return b""
        try:
            keys = os.read(self._fd, CHUNK)
        except OSError:  # EIO: hung up
            keys = b""
        if not keys:
            raise EOFError
        return keys


class Pace:
    """The guest's clock beside the host's: how much time may pass while the guest idles.

    Idle time passes as on the host. What a busy guest is ahead or behind is made good in its next idle time, so that
    its clock keeps right, but never more than MOST_OWED of it: a long computation runs at the speed it runs at.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._difference = 0.0  # of the clocks when the guest's is right

    def start(self, guest: float) -> None:
        """From now on; ``guest``: its virtual seconds."""
        self._difference = self._clock() - guest

    def owed(self, guest: float) -> float:
        """Seconds that the guest's clock is behind; negative: ahead."""
        apart = self._clock() - guest
        owed = min(max(apart - self._difference, -MOST_OWED), MOST_OWED)
        self._difference = apart - owed
        return owed


class Session:
    """A person at the guest's serial port, from :meth:`begin` on."""

    def __init__(self, keyboard: Keyboard, pace: Pace) -> None:
        self.active = False
        self._keyboard = keyboard
        self._pace = pace
        self._decoder = EscapeDecoder()

    def begin(self, machine: Machine) -> None:
        """Keys go to this machine, whose clock now keeps to the host's."""
        self.active = True
        machine.paced = True
        self._pace.start(seconds_of(machine))

    def poll(self, machine: Machine) -> Iterator[Command]:
        """Pass on what was typed meanwhile; commands in their order. EOFError when the terminal is gone."""
        return self._pass_on(machine, self._keyboard.read(0))

    def idle(self, machine: Machine, most: float) -> Iterator[Command]:
        """The guest has nothing to do: wait as long as it does, at most ``most`` seconds, or until a key comes."""
        wait = machine.idle_seconds - self._pace.owed(seconds_of(machine))
        keys = self._keyboard.read(max(0.0, min(wait, most, LONGEST_WAIT)))
        passed = self._pace.owed(seconds_of(machine))
        if passed > 0:
            machine.let_time_pass(min(passed, most))  # before the key: it was typed at the end of this time
        return self._pass_on(machine, keys)

    def _pass_on(self, machine: Machine, keys: bytes) -> Iterator[Command]:
        for what in self._decoder.decode(keys):
            if isinstance(what, Command):
                yield what
                continue
            try:
                machine.type_in(what)
            except UsageError:  # pasted faster than the guest reads, and a megabyte waits: what terminals do then
                sys.stderr.write("\a")
                sys.stderr.flush()


def seconds_of(machine: Machine) -> float:
    """The machine's virtual time."""
    return machine.cycles / machine.board.core_hz


def stdin_is_terminal() -> bool:
    """Whether somebody may type there."""
    return sys.stdin is not None and os.isatty(STDIN)


def read_script(cancelled: Callable[[], bool], fd: int = STDIN) -> bytes:
    """Standard input to its end; nothing if it is closed, or once ``cancelled``. UsageError when it is too long."""
    script = bytearray()
    if sys.stdin is None:
        return b""
    while not cancelled():
        if not select.select([fd], [], [], LONGEST_WAIT)[0]:
            continue
        try:
            part = os.read(fd, LINE)
        except OSError as error:
            raise UsageError(f"standard input: {(error.strerror or str(error)).lower()}") from error
        if not part:
            return bytes(script)
        script += part
        if len(script) > LINE:
            raise UsageError(f"standard input: more than {LINE:,} bytes, which is all that can wait for the guest")
    return b""
