"""The real command on a pseudo-terminal, started as a shell starts a job: it can be typed to, stopped and continued."""

import os
import re
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

PATIENCE = 60.0  # seconds until something that should appear is missing

# What a shell does for a job, in a session of its own: foreground, wait, and take the terminal back.
SHELL = """
import fcntl, os, signal, subprocess, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
job = subprocess.Popen(sys.argv[1:], process_group=0)
signal.signal(signal.SIGTTOU, signal.SIG_IGN)
os.tcsetpgrp(0, job.pid)
print(f"[job {job.pid}]", flush=True)
status = None
while status is None or os.WIFSTOPPED(status):
    status = os.waitpid(job.pid, os.WUNTRACED)[1]
    if os.WIFSTOPPED(status):
        print("[stopped]", flush=True)
print(f"[exit {os.waitstatus_to_exitcode(status)}]", flush=True)
"""


class Terminal:
    """One job on a terminal. Text from both of its outputs comes here."""

    def __init__(self, master: int, slave: int) -> None:
        self._master, self._slave = master, slave
        self._text = b""
        self.settings = self.attributes()  # as they were before
        self.job = 0

    def attributes(self) -> list[Any]:
        """The terminal's settings now."""
        return termios.tcgetattr(self._slave)

    @property
    def is_raw(self) -> bool:
        """Whether keys arrive one by one and unseen."""
        local: int = self.attributes()[3]
        return not local & (termios.ICANON | termios.ECHO | termios.ISIG)

    def type(self, keys: bytes) -> None:
        """Press keys."""
        os.write(self._master, keys)

    def expect(self, pattern: bytes) -> bytes:
        """Wait for the pattern; everything that came since the last one, up to its end."""
        deadline = time.monotonic() + PATIENCE
        while not (found := re.search(pattern, self._text)):
            left = deadline - time.monotonic()
            assert left > 0, f"{pattern!r} does not come after {self._text!r}"
            if select.select([self._master], [], [], left)[0]:
                self._text += os.read(self._master, 1 << 16)
        text, self._text = self._text[: found.end()], self._text[found.end() :]
        return text

    def finish(self) -> tuple[bytes, int]:
        """Wait for the job's end: (what came until then, its exit status, -n after signal n)."""
        text = self.expect(rb"\[exit (-?\d+)\]")
        start = text.rindex(b"[exit ")
        self.job = 0
        return text[:start], int(text[start + 6 : -1])

    def send(self, number: signal.Signals) -> None:
        """A signal to the job."""
        os.kill(self.job, number)


@contextmanager
def on_terminal(*arguments: object) -> Iterator[Terminal]:
    """``cfemu ARGUMENTS`` on a terminal; killed afterwards if it has not ended."""
    master, slave = os.openpty()
    terminal = Terminal(master, slave)
    command = [sys.executable, "-c", SHELL, sys.executable, "-m", "emu", *map(str, arguments)]
    shell = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, start_new_session=True)
    try:
        terminal.job = int(terminal.expect(rb"\[job \d+\]").split()[-1][:-1])
        yield terminal
    finally:
        if terminal.job:
            terminal.send(signal.SIGKILL)
        shell.wait(timeout=PATIENCE)
        os.close(master)
        os.close(slave)
