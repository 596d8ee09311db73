"""The blocks of a document that a reader would type, played in their order: in one directory, as in one session.

What counts:

- ```` ```console ````: lines after ``$ `` are commands, the lines under one are what it prints; a block that shows
  nothing of any command shows what to type only. A line ``...`` stands for lines left out;
- ```` ```sh ````: each line is a command;
- a block with ``title="FILE"``: the file, written before what follows it;
- ```` ```python ````: a program.

``cfemu``, ``python`` and ``pytest`` are those of this tree. The directory holds copies of what a clone has and commands
name: examples, firmware, sweeps. A command must end with status 0; where another status is the point, the command says
so: ``cfemu diff a b; echo "exit status $?"``.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

__all__ = ["Block", "Command", "Done", "Session", "blocks", "commands", "is_as_shown", "replayed"]

ROOT = Path(__file__).resolve().parents[1]
COPIED = ("examples", "firmware", "benchmarks/answer")
SHIMS = {"cfemu": "-m kernel_model.cli", "python": "", "pytest": "-m pytest"}
NOT_COPIED = shutil.ignore_patterns("__pycache__", "build", ".pytest_cache")
LONGEST = 300  # seconds of one command
FENCE = re.compile(
    r"^(?P<indent> *)(?P<fence>`{3,})(?P<language>[\w+-]*)(?P<options>[^\n`]*)\n(?P<body>.*?)^(?P=indent)(?P=fence) *$",
    re.MULTILINE | re.DOTALL,
)
TITLE = re.compile(r'title="([^"]+)"')
PROMPTS = {"console": "$ ", "sh": ""}
LEFT_OUT = "..."


@dataclass(frozen=True)
class Block:
    """A fenced block: its body without the indentation of the fence; ``start`` and ``end`` of the body in the text."""

    language: str
    title: str
    body: str
    indent: str
    start: int
    end: int

    @property
    def first_line(self) -> str:
        """What the block is known by."""
        return self.body.partition("\n")[0].strip()


@dataclass(frozen=True)
class Command:
    """A command line, the lines of output that the document shows, and the line as it is written, with its breaks."""

    line: str
    shown: tuple[str, ...] = ()
    written: str = ""


@dataclass(frozen=True)
class Done:
    """What a command, or a program, ended with and printed on both streams."""

    command: Command
    status: int
    printed: tuple[str, ...]


def blocks(text: str) -> Iterator[Block]:
    """Every fenced block of a document."""
    for found in FENCE.finditer(text):
        title = TITLE.search(found["options"])
        body = re.sub(f"^{found['indent']}", "", found["body"], flags=re.MULTILINE)
        yield Block(found["language"], title[1] if title else "", body, found["indent"], *found.span("body"))


def commands(block: Block) -> list[Command]:
    """What a block tells to type; empty for a block of another kind."""
    prompt = PROMPTS.get(block.language)
    if prompt is None or block.title:
        return []
    found: list[Command] = []
    waiting = block.body.splitlines()
    while waiting:
        line = waiting.pop(0)
        if not line.startswith(prompt) or not line.strip() or line.startswith("#"):
            continue
        written = line
        while line.endswith("\\"):
            written += "\n" + waiting[0]
            line = line[:-1] + waiting.pop(0).lstrip()
        shown = list(takewhile(lambda one: not one.startswith("$ "), waiting)) if prompt else []
        del waiting[: len(shown)]
        found.append(Command(line.removeprefix(prompt).strip(), tuple(shown), written))
    return found


def shows_output(block: Block) -> bool:
    """Whether the block shows what its commands print, and not only what to type."""
    return any(command.shown for command in commands(block))


class Session:
    """A reader's directory, and what is typed in it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory / "cfemu"
        self.directory.mkdir()
        for name in COPIED:
            shutil.copytree(ROOT / name, self.directory / name, ignore=NOT_COPIED)
        programs = directory / "bin"
        programs.mkdir()
        for name, arguments in SHIMS.items():
            shim = programs / name
            shim.write_text(f'#!/bin/sh\nexec "{sys.executable}" {arguments} "$@"\n')
            shim.chmod(0o755)
        self.environment = {
            **{
                name: value for name, value in os.environ.items() if not name.startswith(("COLUMNS", "PYTEST", "CFEMU"))
            },
            "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
        }

    def type(self, command: Command) -> Done:
        """Run a command line in a shell."""
        return self._run(["sh", "-c", command.line], command, None)

    def execute(self, block: Block) -> Done:
        """Run a block of Python as a program."""
        return self._run(["python", "-"], Command(block.first_line), block.body)

    def write(self, block: Block) -> None:
        """Make the file that a block shows."""
        file = self.directory / block.title
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(block.body)

    def _run(self, arguments: list[str], command: Command, text: str | None) -> Done:
        process = subprocess.Popen(
            arguments,
            cwd=self.directory,
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        try:
            printed, _ = process.communicate(text or "", LONGEST)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)  # the shell, and what it has started
            process.communicate()
            raise
        return Done(command, process.returncode, tuple(line.rstrip() for line in printed.rstrip().splitlines()))

    def play(self, block: Block, skipped: Collection[str] = ()) -> list[Done]:
        """Everything that a block asks for, but commands, and programs by their first lines, that are ``skipped``."""
        if block.title:
            self.write(block)
            return []
        if block.language == "python":
            return [] if block.first_line in skipped else [self.execute(block)]
        return [self.type(command) for command in commands(block) if command.line not in skipped]


def is_as_shown(done: Done) -> bool:
    """Whether a command printed what the document shows, whichever engine ran."""
    shown, printed = ([any_engine(line.rstrip()) for line in lines] for lines in (done.command.shown, done.printed))
    pattern = "".join("(?:.*\n)*?" if line == LEFT_OUT else re.escape(line) + "\n" for line in shown)
    return re.fullmatch(pattern, "".join(line + "\n" for line in printed)) is not None


def any_engine(text: str) -> str:
    """All engines give the same figures, so which of them ran is no difference."""
    return re.sub(r"\b(native|public)\b", "any", text)


def replayed(text: str, directory: Path, skipped: Collection[str] = ()) -> str:
    """The document with what its commands print today; a block that leaves lines out and is right stays as it is."""
    session = Session(directory)
    new, at = "", 0
    for block in blocks(text):
        done = session.play(block, skipped)
        if not shows_output(block) or len(done) != len(commands(block)) or all(map(is_as_shown, done)):
            continue
        lines = [line for one in done for line in (*one.command.written.split("\n"), *one.printed)]
        new += text[at : block.start] + "".join(f"{block.indent}{line}".rstrip() + "\n" for line in lines)
        at = block.end
    return new + text[at:]
