"""The dialogues with gdb in docs/debugging.md, typed into gdb."""

import shlex
from collections.abc import Iterator
from itertools import dropwhile

import pytest

from benchmarks.sessions import Block, blocks
from firmware import nucleus
from kernel_model import abi
from tests.support.gdb_client import GDB, MISSING, ROOT, cfemu_gdb, run_gdb

pytestmark = pytest.mark.skipif(GDB is None, reason=MISSING)

PROMPT = "(gdb) "
TEXT = (ROOT / "docs" / "debugging.md").read_text()
SERVER, *BLOCKS = dropwhile(
    lambda block: not block.first_line.startswith("$ cfemu gdb "),
    (block for block in blocks(TEXT) if block.language in {"console", "gdb"}),
)
NUCLEUS = nucleus(abi.KVA).path
FLUSH = "maintenance flush register-cache"


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """Of the server that the document starts."""
    line = SERVER.first_line.removeprefix("$ cfemu gdb ")
    with cfemu_gdb(*shlex.split(line.partition(" --port")[0])) as port:
        yield port


def typed_and_shown(dialogue: list[Block]) -> tuple[list[str], list[str]]:
    """Commands for gdb, and the lines that it prints in the document."""
    lines = [line for block in dialogue for line in block.body.splitlines() if line != "..."]
    return (
        [line.removeprefix(PROMPT) for line in lines if line.startswith(PROMPT)],
        [line for line in lines if not line.startswith(PROMPT)],
    )


def require_in_order(shown: list[str], text: str) -> None:
    """Each line that is shown is printed after the one before it."""
    rest = iter(line.strip() for line in text.splitlines())
    for line in shown:
        assert line.strip() in rest, f"the document shows {line!r}, gdb does not print it there:\n{text}"


def test_the_walk_through(port: int) -> None:
    commands, shown = typed_and_shown(BLOCKS[:5])

    require_in_order(shown, run_gdb(NUCLEUS, port, commands))


def test_back_to_the_write_that_corrupted_a_value(port: int) -> None:
    commands, shown = typed_and_shown(BLOCKS[5:6])
    before = ["monitor goto 5298800", FLUSH, "watch *(int *)&current", "continue", "continue", "delete"]

    require_in_order(shown[1:], run_gdb(NUCLEUS, port, [*before, *commands]))


def test_the_tour() -> None:
    server, dialogue = (
        block
        for block in blocks((ROOT / "docs" / "tour.md").read_text())
        if block.language == "gdb" or block.first_line.startswith("cfemu gdb ")
    )
    program = ROOT / "examples" / "hello.elf"
    options = shlex.split(server.first_line.partition(" --port")[0])[3:]
    commands, shown = typed_and_shown([dialogue])

    with cfemu_gdb(program, *options) as port:
        require_in_order(shown, run_gdb(program, port, commands))
