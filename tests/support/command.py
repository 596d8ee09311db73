"""Run a command line of the machine inside the test process: compiled code is loaded once for all tests."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from emu.cli import execute, new_app, register


@dataclass(frozen=True)
class Outcome:
    status: int
    stdout: bytes
    stderr: str

    @property
    def first_error(self) -> str:
        return self.stderr.splitlines()[0]


def runner(capture: pytest.CaptureFixture[bytes]) -> Callable[..., Outcome]:
    """A function that runs ``cfemu ARGUMENTS`` and returns status and output."""

    def run(*arguments: object) -> Outcome:
        app = new_app("test")
        register(app)
        capture.readouterr()
        status = execute(app, [str(a) for a in arguments])
        output = capture.readouterr()
        return Outcome(status, output.out, output.err.decode())

    return run
