"""Docstrings as the reference shows them: what Sphinx would read, roles and ``::`` before an example, as Markdown."""

import re
from typing import Any

import griffe

__all__ = ["ROLE", "PlainDocstrings", "as_markdown"]

ROLE = re.compile(r":[a-z]+:`~?(?P<name>[^`]+)`")
EXAMPLE = re.compile(r"^::$|(?<=:):$", re.MULTILINE)


def as_markdown(text: str) -> str:
    """A docstring in Markdown: :func:`emu.board.get_board` becomes plain code."""
    return EXAMPLE.sub("", ROLE.sub(r"`\g<name>`", text).replace("``", "`"))


class PlainDocstrings(griffe.Extension):
    """Rewrites every docstring that is shown."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Called for each module, class, function and attribute."""
        if obj.docstring is not None:
            obj.docstring.value = as_markdown(obj.docstring.value)
