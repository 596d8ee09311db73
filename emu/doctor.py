"""``cfemu doctor``: what works on this machine, tried out and not guessed, and how to get what is missing.

A check returns a line about what it has found, or raises :class:`Missing` with one about what is wrong. Whatever else
it raises is a defect of what it looks at, and told in the same way.
"""

import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module, metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from emu.version import DISTRIBUTION, version

__all__ = ["CHECKS", "Check", "Finding", "Missing", "examine", "print_findings", "print_findings_json", "works"]

OLDEST_PYTHON = (3, 11)
UNICORN = ((2, 1, 4), (2, 2))  # from, and below
MODULES = {"pyelftools": "elftools"}  # of distributions that are called otherwise
CROSS_COMPILER, GDB, QEMU = "m68k-linux-gnu-gcc", "gdb-multiarch", "qemu-m68k"
PATIENCE = 60  # seconds for a program
SMALLEST_TERMINAL = (80, 24)
NOPS = 10
PROGRAM = bytes.fromhex("4e71" * NOPS + "4ac8")  # NOP, HALT
PROBE = "from emu.doctor import probe_engine; probe_engine()"


class Missing(Exception):
    """What is not there, or does not do what it should; one line."""


@dataclass(frozen=True)
class Check:
    """``needed``: whether nothing runs without it. ``purpose``: what it is for. ``remedy``: how to get it."""

    name: str
    purpose: str
    look: Callable[[], str]
    remedy: str
    needed: bool = False


@dataclass(frozen=True)
class Finding:
    """What a check came to. ``found``: a line, of what is there or of what is wrong."""

    check: Check
    ok: bool
    found: str

    @property
    def state(self) -> str:
        """ok, missing, or FAILED for what is needed."""
        return "ok" if self.ok else "FAILED" if self.check.needed else "missing"


def examine(checks: Sequence[Check]) -> list[Finding]:
    """Carry the checks out, one after the other."""
    return [_finding(check) for check in checks]


def _finding(check: Check) -> Finding:
    try:
        return Finding(check, True, check.look())
    except Missing as missing:
        return Finding(check, False, str(missing))
    except Exception as error:
        return Finding(check, False, f"{type(error).__name__}: {' '.join(str(error).split())}")


def works(findings: Sequence[Finding]) -> bool:
    """Whether everything that is needed is there."""
    return all(finding.ok for finding in findings if finding.check.needed)


# --- the checks


def python() -> str:
    found = f"{platform.python_implementation()} {platform.python_version()}, {platform.system()} {platform.machine()}"
    if sys.version_info < OLDEST_PYTHON or platform.python_implementation() != "CPython":
        raise Missing(f"{found}; CPython {'.'.join(map(str, OLDEST_PYTHON))} or newer is needed")
    return found


def unicorn() -> str:
    from emu.cpu import library

    number = library.version()
    text = ".".join(map(str, number))
    oldest, below = UNICORN
    if not oldest <= number < below:
        raise Missing(
            f"{text}; from {'.'.join(map(str, oldest))} on and below {'.'.join(map(str, below))} are supported"
        )
    return text


def probe_engine() -> None:
    """Print, as JSON, which engine this process can use and what happened when it ran a program.

    Nothing is compiled for that: ``ran`` is None while the compiled code is not there.
    """
    from emu import object_code
    from emu.board import get_board
    from emu.cpu import compiled, library, native
    from emu.machine import Machine

    reason = ""
    try:
        native.locate(library.open_m68k())
    except native.NotNative as refusal:
        reason = str(refusal)
    callbacks = compiled.PUBLIC_CALLBACKS if reason else compiled.CALLBACKS
    ran = None
    if all(object_code.load(f"{module}.{name}") is not None for name, module in callbacks.items()):
        board = get_board("coyotos16")
        with Machine(board, engine="public" if reason else "native") as machine:
            machine.write_physical(board.ram[0][0], PROGRAM)
            machine.registers["pc"] = board.ram[0][0]
            machine.run(max_instructions=2 * NOPS)
            ran = machine.counters().instructions
    print(json.dumps({"reason": reason, "ran": ran}))


@cache
def probed() -> dict[str, Any]:
    """What :func:`probe_engine` says in a process of its own, which may die of a foreign unicorn."""
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[1])}
    command = [sys.executable, "-c", PROBE]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=PATIENCE)
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or ["it said nothing"]
        raise Missing(f"the trial ended with status {done.returncode}: {last[0]}")
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def engine() -> str:
    answer = probed()
    name = "public" if answer["reason"] else "native"
    if answer["ran"] is None:
        return f"{name}, not compiled yet: the first run does that, in a minute or two"
    if answer["ran"] != NOPS + 1:
        raise Missing(f"{name}: {answer['ran']} instructions were counted, not {NOPS + 1}")
    return f"{name}, ran {answer['ran']} instructions"


def native_engine() -> str:
    reason = probed()["reason"]
    if reason:
        raise Missing(f"{reason}; the public engine serves, with the same counts, more slowly")
    return "its self-check passes"


def compiled_code() -> str:
    from emu.object_code import cache_directory

    folder = cache_directory()
    if folder is None:
        raise Missing("the directory for compiled code cannot be written: each process compiles the engine again")
    with tempfile.TemporaryFile(dir=folder):
        return str(folder.parent)


def libraries() -> str:
    """All that the installed distribution says it needs."""
    needed = [text for text in metadata.requires(DISTRIBUTION) or () if "extra ==" not in text]
    names = [re.split(r"[^\w.-]", text, maxsplit=1)[0] for text in needed]
    wrong = []
    for name in names:
        try:
            import_module(MODULES.get(name, name))
        except Exception as error:
            wrong.append(f"{name} ({type(error).__name__})")
    if wrong:
        raise Missing(f"cannot be imported: {', '.join(wrong)}")
    return f"all {len(names)} can be imported"


def disassembler() -> str:
    from emu.debug.disassembly import disassemble

    text = disassemble(PROGRAM[-2:], 0)[0].text
    if text != "halt":
        raise Missing(f"capstone takes HALT of the ColdFire for {text!r}")
    return "capstone knows the ColdFire V4e"


def cross_compiler() -> str:
    with tempfile.TemporaryDirectory() as scratch:
        target = Path(scratch) / "probe.o"
        run(CROSS_COMPILER, "-mcpu=5475", "-ffreestanding", "-c", "-x", "c", "-", "-o", str(target), text="int f;\n")
        if not target.exists():
            raise Missing("it compiles nothing for the MCF5475")
    return first_line(run(CROSS_COMPILER, "--version"))


def gdb() -> str:
    if "m68k" not in run(GDB, "-nx", "-batch", "-ex", "set architecture m68k", "-ex", "show architecture"):
        raise Missing("it does not know the architecture m68k")
    return first_line(run(GDB, "--version"))


def qemu() -> str:
    if "cfv4e" not in run(QEMU, "-cpu", "help", status=None):
        raise Missing("it has no cfv4e")
    return first_line(run(QEMU, "--version"))


def valgrind() -> str:
    return first_line(run("valgrind", "--version"))


def git() -> str:
    return first_line(run("git", "--version"))


def terminal() -> str:
    if not sys.stdout.isatty():
        return "none: output goes to a file or a pipe"
    from rich.console import Console

    columns, lines = os.get_terminal_size(sys.stdout.fileno())
    colours = Console().color_system
    encoding = sys.stdout.encoding
    wrong = []
    if columns < SMALLEST_TERMINAL[0] or lines < SMALLEST_TERMINAL[1]:
        wrong.append(f"{columns}x{lines} is small")
    if colours is None:
        wrong.append("no colours")
    if encoding.lower().replace("-", "") != "utf8":
        wrong.append(f"{encoding}, not UTF-8")
    if wrong:
        raise Missing("; ".join(wrong))
    return f"{columns}x{lines}, {colours} colours, {encoding}"


def optional_library(name: str, distribution: str | None = None) -> Callable[[], str]:
    """A check of a library that is installed, without importing it: some take seconds."""

    def look() -> str:
        if find_spec(name) is None:
            raise Missing("not installed")
        return metadata.version(distribution or name)

    return look


def run(*command: str, text: str = "", status: int | None = 0) -> str:
    """What a program prints; Missing where there is none, or it ends with another status (None: any will do)."""
    name = command[0]
    where = shutil.which(name)
    if where is None:
        raise Missing(f"{name} is not on the PATH")
    try:
        done = subprocess.run(
            [where, *command[1:]], input=text, capture_output=True, text=True, check=False, timeout=PATIENCE
        )
    except subprocess.TimeoutExpired:
        raise Missing(f"{name} does not end") from None
    except OSError as error:
        raise Missing(f"{where}: {(error.strerror or 'cannot be run').lower()}") from None
    if status is not None and done.returncode != status:
        said = first_line(done.stderr) or "it said nothing"
        raise Missing(f"{name} fails with status {done.returncode}: {said}")
    return done.stdout


def first_line(text: str) -> str:
    """Of what a program prints."""
    return next(iter(text.strip().splitlines()), "")


CHECKS = (
    Check("Python", "everything", python, "install Python 3.11, 3.12 or 3.13", needed=True),
    Check("unicorn", "everything", unicorn, "pip install 'unicorn>=2.1.4,<2.2'", needed=True),
    Check("libraries", "everything", libraries, "pip install --force-reinstall cfemu", needed=True),
    Check("engine", "everything", engine, "pip install --force-reinstall cfemu unicorn", needed=True),
    Check("native engine", "speed", native_engine, "Linux on x86-64 with the wheel of unicorn 2.1.4 from PyPI"),
    Check("compiled code", "fast starts", compiled_code, "make ~/.cache writable, or set XDG_CACHE_HOME"),
    Check("disassembler", "debuggers, messages", disassembler, "pip install 'capstone>=6.0.0a11'", needed=True),
    Check("terminal", "tables, debuggers", terminal, "at least 80x24; TERM=xterm-256color, LANG=C.UTF-8"),
    Check("gdb", "cfemu gdb", gdb, "apt install gdb-multiarch"),
    Check("cross compiler", "programs and firmware of your own", cross_compiler, "apt install gcc-m68k-linux-gnu"),
    Check("QEMU", "conformance tests", qemu, "apt install qemu-user"),
    Check("valgrind", "traces of lackey", valgrind, "apt install valgrind"),
    Check("libCacheSim", "tests and benchmarks of traces", optional_library("libcachesim"), "pip install libcachesim"),
    Check("pandas", "to_pandas", optional_library("pandas"), "pip install 'cfemu[notebook]'"),
    Check("dask", "sweeps on a cluster", optional_library("distributed"), "pip install 'cfemu[cluster]'"),
    Check("git", "the version in a work tree", git, "apt install git"),
)


# --- what is printed


def print_findings(findings: Sequence[Finding]) -> None:
    """A table, and what it comes to."""
    from rich.table import Table
    from rich.text import Text

    from emu.plain_console import PlainConsole

    console = PlainConsole()
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("what", "state"):
        table.add_column(heading, no_wrap=True)
    table.add_column("found", overflow="fold")
    table.add_column("how to get it", overflow="fold")
    for finding in findings:
        style = {"ok": "green", "missing": "yellow", "FAILED": "bold red"}[finding.state]
        wanted = "" if finding.ok else f"{finding.check.remedy} (for {finding.check.purpose})"
        table.add_row(Text(finding.check.name), Text(finding.state, style=style), Text(finding.found), Text(wanted))
    console.print(Text(f"cfemu {version()}", style="bold"))
    console.print(table)
    console.print(Text(_summary(findings)))


def _summary(findings: Sequence[Finding]) -> str:
    failed = [finding.check.name for finding in findings if finding.state == "FAILED"]
    missing = [finding.check.name for finding in findings if finding.state == "missing"]
    if failed:
        return f"cfemu does not work here: {', '.join(failed)}"
    return "cfemu works here" + (
        f"; not there, and needed for some things only: {', '.join(missing)}" if missing else ""
    )


def print_findings_json(findings: Sequence[Finding]) -> None:
    """One JSON object (docs/json.md)."""
    checks = [
        {
            "name": finding.check.name,
            "needed": finding.check.needed,
            "state": finding.state,
            "found": finding.found,
            "purpose": finding.check.purpose,
            "remedy": finding.check.remedy,
        }
        for finding in findings
    ]
    value = {"schema": "cfemu-doctor/1", "version": version(), "works": works(findings), "checks": checks}
    sys.stdout.write(json.dumps(value, indent=2) + "\n")
