"""How the blocks of a document are read and played."""

from pathlib import Path

import pytest

from benchmarks.sessions import Command, Done, Session, blocks, commands, is_as_shown, replayed

TEXT = """
```toml title="a/file.toml"
x = 1
```

    ```console
    $ cat a/file.toml
    x = 2
    $ echo one \\
        two
    one two
    ```

```sh
# nothing
true
```
"""


def test_blocks_and_their_commands() -> None:
    file, console, shell = blocks(TEXT)
    assert (file.title, file.body) == ("a/file.toml", "x = 1\n")
    assert commands(file) == []
    cat, echo = commands(console)
    assert (cat.line, cat.shown) == ("cat a/file.toml", ("x = 2",))
    assert (echo.line, echo.shown, echo.written) == ("echo one two", ("one two",), "$ echo one \\\n    two")
    assert [command.line for command in commands(shell)] == ["true"]


def test_a_replayed_document_shows_what_is_printed(tmp_path: Path) -> None:
    assert replayed(TEXT, tmp_path) == TEXT.replace("x = 2", "x = 1")


@pytest.mark.parametrize(
    ("shown", "printed", "same"),
    [
        (["a", "b"], ["a", "b"], True),
        (["a"], ["a", "b"], False),
        (["a", "..."], ["a", "b", "c"], True),
        (["...", "c"], ["a", "b", "c"], True),
        (["a", "...", "b", "c"], ["a", "b", "c"], True),
        (["a", "...", "c"], ["b", "c"], False),
        (["native engine"], ["public engine"], True),
        ([], [], True),
    ],
)
def test_lines_left_out(shown: list[str], printed: list[str], same: bool) -> None:
    assert is_as_shown(Done(Command("x", tuple(shown)), 0, tuple(printed))) is same


def test_a_session_is_this_tree(tmp_path: Path) -> None:
    session = Session(tmp_path)
    done = session.type(Command("cfemu boards | head -1; python -c 'import emu; print(emu.__file__)'; pwd"))
    assert done.status == 0
    board, module, place = done.printed
    assert board.startswith("coyotos128 ")
    assert Path(module).parents[1] == Path(__file__).parents[2]
    assert Path(place) == tmp_path / "cfemu"
