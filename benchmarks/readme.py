"""``make readme``: runs the commands named in README.md and puts their output between the markers.

The test suite runs the same commands and requires the same output, so no figure in the README can be stale.
"""

import re
import shlex
import subprocess
import sys
from pathlib import Path

__all__ = ["ROOT", "outputs", "render", "run_command"]

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
BLOCK = re.compile(r"<!-- output: (?P<command>cfemu [^\n]+?) -->\n(?P<body>.*?)<!-- end -->", re.DOTALL)
START = "from kernel_model.cli import main; main()"


def run_command(command: str) -> str:
    """Standard output of a `cfemu ...` command line; raises CalledProcessError unless it ends with status 0."""
    program, *arguments = shlex.split(command)
    if program != "cfemu":
        raise ValueError(f"not a cfemu command: {command}")
    done = subprocess.run(
        [sys.executable, "-c", START, *arguments], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True
    )
    return done.stdout


def outputs(text: str) -> dict[str, str]:
    """The output shown for each marked command of the README."""
    return {match["command"]: match["body"] for match in BLOCK.finditer(text)}


def shown(command: str, output: str) -> str:
    """A console block: the command and, under it, what it printed."""
    lines = [line.rstrip() for line in output.rstrip().splitlines()]
    return "\n".join(["```console", f"$ {command}", *lines, "```", ""])


def render(text: str) -> str:
    """The README with every marked block filled anew."""

    def fill(match: re.Match[str]) -> str:
        command = match["command"]
        return f"<!-- output: {command} -->\n{shown(command, run_command(command))}<!-- end -->"

    return BLOCK.sub(fill, text)


def main() -> int:
    README.write_text(render(README.read_text()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
