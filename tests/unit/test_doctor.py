"""`cfemu doctor` on machines that lack things: programs come from a PATH of ours, defects are put in by hand."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from emu import doctor, object_code
from emu.cpu import library
from emu.doctor import CHECKS, Check, Finding, Missing, examine, works
from firmware import manifest
from kernel_model import doctor as kernel_doctor
from kernel_model.cli import execute_with_plugins
from kernel_model.doctor import ALL_CHECKS

#: Programs that do what is asked of them, as shell scripts.
GOOD = {
    "m68k-linux-gnu-gcc": """case "$*" in
        *--version*) echo "gcc 99";;
        *) while [ $# -gt 1 ]; do shift; done; echo > "$1";;
    esac""",
    "gdb-multiarch": 'case "$*" in *--version*) echo "gdb 99";; *) echo "set to m68k";; esac',
    "qemu-m68k": 'case "$*" in *--version*) echo "qemu 99";; *) echo "  cfv4e"; exit 1;; esac',
    "valgrind": 'echo "valgrind-99"',
    "git": 'echo "git 99"',
}
CHECK_OF = dict(zip(GOOD, ("cross compiler", "gdb", "QEMU", "valgrind", "git"), strict=True))


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty directory that is all of the PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def put(folder: Path, name: str, script: str) -> None:
    file = folder / name
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)


def look(name: str) -> Finding:
    (check,) = (check for check in ALL_CHECKS if check.name == name)
    (finding,) = examine([check])
    return finding


@pytest.mark.parametrize("program", GOOD)
def test_a_program_is_found_by_what_it_does(path: Path, program: str) -> None:
    name = CHECK_OF[program]
    assert (look(name).state, look(name).found) == ("missing", f"{program} is not on the PATH")

    put(path, program, GOOD[program])
    assert look(name).state == "ok"
    assert "99" in look(name).found

    put(path, program, "echo broken library >&2; exit 3")
    assert look(name).state == "missing"
    failed = "it has no cfv4e" if program == "qemu-m68k" else f"{program} fails with status 3: broken library"
    assert look(name).found == failed

    (path / program).write_text("#!/nowhere/sh\n")
    assert look(name).state == "missing"
    assert "no such file" in look(name).found


@pytest.mark.parametrize("program", ["m68k-linux-gnu-gcc", "gdb-multiarch", "qemu-m68k"])
def test_a_program_for_other_machines_is_none(path: Path, program: str) -> None:
    put(path, program, 'echo "for x86 only"')

    finding = look(CHECK_OF[program])

    assert finding.state == "missing"
    assert "m68k" in finding.found or "MCF5475" in finding.found or "cfv4e" in finding.found


def test_a_program_that_does_not_end_is_left(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "PATIENCE", 0.2)
    put(path, "valgrind", "while :; do :; done")

    assert look("valgrind").found == "valgrind does not end"


def test_this_machine_works() -> None:
    findings = examine(ALL_CHECKS)

    assert works(findings)
    by_name = {finding.check.name: finding for finding in findings}
    assert by_name["Python"].found.startswith("CPython 3.")
    assert by_name["nucleus"].found == "2 prebuilt programs as in their manifest"
    assert all("\n" not in finding.found for finding in findings)


def test_the_engine_is_tried_in_a_process_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "PROBE", "import os; os.abort()")
    doctor.probed.cache_clear()
    finding = look("engine")
    assert (finding.state, works([finding])) == ("FAILED", False)
    assert finding.found.startswith("the trial ended with status -6")

    for answer, state, text in (
        ({"reason": "", "ran": 11}, "ok", "native, ran 11 instructions"),
        ({"reason": "", "ran": 10}, "FAILED", "native: 10 instructions were counted, not 11"),
        ({"reason": "unicorn is another", "ran": 11}, "ok", "public, ran 11"),
        ({"reason": "", "ran": None}, "ok", "native, not compiled yet"),
    ):
        monkeypatch.setattr(doctor, "PROBE", f"print({json.dumps(answer)!r})")
        doctor.probed.cache_clear()
        assert look("engine").state == state
        assert look("engine").found.startswith(text)
        assert look("native engine").ok is not bool(answer["reason"])
    doctor.probed.cache_clear()


def test_without_compiled_code_nothing_is_compiled(tmp_path: Path) -> None:
    environment = os.environ | {"XDG_CACHE_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", doctor.PROBE], env=environment, capture_output=True, text=True, check=True
    )

    assert json.loads(done.stdout)["ran"] is None
    assert list(tmp_path.rglob("*.o")) == []


@pytest.mark.parametrize(
    ("number", "fine"), [((2, 1, 3), False), ((2, 1, 4), True), ((2, 1, 9), True), ((2, 2, 0), False)]
)
def test_the_version_of_unicorn(monkeypatch: pytest.MonkeyPatch, number: tuple[int, int, int], fine: bool) -> None:
    monkeypatch.setattr(library, "version", lambda: number)

    assert look("unicorn").ok is fine
    assert ".".join(map(str, number)) in look("unicorn").found


def test_an_old_python_and_a_broken_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 10, 1))
    assert look("Python").state == "FAILED"
    assert "3.11 or newer" in look("Python").found

    monkeypatch.setitem(sys.modules, "duckdb", None)
    assert look("libraries").found == "cannot be imported: duckdb (ModuleNotFoundError)"


def test_a_cache_that_cannot_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(object_code, "cache_directory", lambda: None)

    assert look("compiled code").state == "missing"


def test_a_changed_nucleus_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    hashes = manifest.elf_hashes()
    monkeypatch.setattr(manifest, "elf_hashes", lambda: hashes | {"nucleus-00000000.elf": "0"})

    finding = look("nucleus")
    assert (finding.state, finding.found) == ("FAILED", "not there, or changed: nucleus-00000000.elf")


class Screen:
    """A stdout that is a terminal."""

    def __init__(self, encoding: str) -> None:
        self.encoding = encoding

    def isatty(self) -> bool:
        return True

    def fileno(self) -> int:
        return 1

    def write(self, text: str) -> int:
        return len(text)

    def flush(self) -> None:
        pass


@pytest.mark.parametrize(
    ("size", "encoding", "term", "problem"),
    [
        ((120, 40), "utf-8", "xterm-256color", ""),
        ((79, 40), "UTF-8", "xterm-256color", "79x40 is small"),
        ((120, 40), "ascii", "xterm-256color", "ascii, not UTF-8"),
        ((40, 10), "utf-8", "dumb", "40x10 is small; no colours"),
    ],
)
def test_terminals(
    monkeypatch: pytest.MonkeyPatch, size: tuple[int, int], encoding: str, term: str, problem: str
) -> None:
    monkeypatch.setattr(sys, "stdout", Screen(encoding))
    monkeypatch.setattr(os, "get_terminal_size", lambda *_: os.terminal_size(size))
    monkeypatch.setenv("TERM", term)
    for name in ("COLORTERM", "NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)

    finding = look("terminal")

    assert finding.state == ("missing" if problem else "ok")
    assert finding.found == problem or (not problem and finding.found.startswith("120x40, "))


def broken() -> str:
    raise RuntimeError("two\nlines")


def absent() -> str:
    raise Missing("not there")


def test_the_command_s_status_and_json(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    checks = [
        Check("one", "a", lambda: "there", "get one", needed=True),
        Check("two", "b", absent, "get two"),
        Check("three", "c", broken, "get three", needed=True),
    ]

    def run(used: list[Check], *arguments: str) -> tuple[int, str]:
        monkeypatch.setattr(kernel_doctor, "ALL_CHECKS", used)
        return execute_with_plugins(["doctor", *arguments]), capsys.readouterr().out

    status, text = run(checks, "--json")
    value: dict[str, Any] = json.loads(text)
    assert (status, value["schema"], value["works"]) == (1, "cfemu-doctor/1", False)
    assert [(one["name"], one["state"], one["found"]) for one in value["checks"]] == [
        ("one", "ok", "there"), ("two", "missing", "not there"), ("three", "FAILED", "RuntimeError: two lines"),
    ]  # fmt: skip
    status, text = run(checks)
    assert status == 1
    assert "get two (for b)" in text
    assert text.endswith("cfemu does not work here: three\n")
    status, text = run(checks[:2])
    assert (status, json.loads(run(checks[:2], "--json")[1])["works"]) == (0, True)
    assert text.endswith("cfemu works here; not there, and needed for some things only: two\n")


def test_every_check_says_what_for_and_how() -> None:
    assert len({check.name for check in ALL_CHECKS}) == len(ALL_CHECKS) > len(CHECKS)
    assert all(check.purpose and check.remedy for check in ALL_CHECKS)
