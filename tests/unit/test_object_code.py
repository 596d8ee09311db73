"""Compiled callbacks kept on disk: loaded without numba, and never when anything about them is wrong."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from emu import object_code
from emu.cpu import compiled

RUN_ONE = """
import sys
from emu.board import get_board
from emu.machine import Machine
with Machine(get_board("coyotos128")) as machine:
    machine.write_physical(0xC0000000, bytes.fromhex("C0004000 C0000008 4E71 4E71"))
    machine.registers["pc"] = 0xC0000008
    machine.run(max_instructions=2)
    assert machine.counters().instructions == 2
print("numba" in sys.modules)
"""


def test_a_machine_runs_without_numba_once_its_code_is_compiled() -> None:
    compiled.prepare()

    done = subprocess.run([sys.executable, "-c", RUN_ONE], check=True, capture_output=True, text=True)

    assert done.stdout == "False\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(object_code, "cache_directory", lambda: tmp_path)
    object_code.load.cache_clear()
    yield tmp_path
    object_code.load.cache_clear()


def an_object() -> tuple[dict[str, object], bytes]:
    """Head and code of a callback that was kept."""
    compiled.prepare()
    kept = object_code.cache_directory()
    assert kept is not None
    head, _, code = (kept / "emu.cpu.decoders.decode_mvz.o").read_bytes().partition(b"\n")
    return json.loads(head), code


HEAD, CODE = an_object()


@pytest.mark.parametrize(
    ("head", "code"),
    [
        (HEAD, CODE[:-1]),
        (HEAD | {"needed": ["a_function_that_nobody_has"]}, CODE),
        ({}, CODE),
        (HEAD, b""),
    ],
    ids=["cut", "unresolved", "headless", "empty"],
)
def test_a_file_that_cannot_be_used_is_compiled_again(head: dict[str, object], code: bytes, folder: Path) -> None:
    (folder / "it.o").write_bytes(json.dumps(head).encode() + b"\n" + code)

    assert object_code.load("it") is None


def test_what_is_not_kept_is_not_loaded(folder: Path) -> None:
    assert object_code.load("nothing") is None


def test_what_is_saved_can_be_loaded(folder: Path) -> None:
    needed = HEAD["needed"]
    assert isinstance(needed, list)

    object_code.save("saved", str(HEAD["symbol"]), needed, CODE)

    assert [path.name for path in folder.iterdir()] == ["saved.o"]
    assert object_code.load("saved")


def test_without_a_writable_cache_nothing_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(object_code, "cache_directory", lambda: None)

    object_code.save("lost", "symbol", [], b"code")

    assert object_code.load.__wrapped__("lost") is None


@pytest.mark.parametrize(("terminal", "said"), [(True, 1), (False, 0)])
def test_somebody_at_a_terminal_is_told_once_that_code_is_compiled(
    terminal: bool, said: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from emu import jit

    announcement = jit._Announcement()
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    for _ in range(2):
        announcement.on_start(None)
    assert capsys.readouterr().err.count("cfemu: compiling native code") == said
