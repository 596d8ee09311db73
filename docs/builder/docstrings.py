"""Docstrings as the reference shows them: roles such as :func:`emu.board.get_board` become plain code."""

import re
from typing import Any

import griffe

__all__ = ["PlainDocstrings"]

ROLE = re.compile(r":[a-z]+:`~?(?P<name>[^`]+)`")


class PlainDocstrings(griffe.Extension):
    """Rewrites every docstring that is shown."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Called for each module, class, function and attribute."""
        if obj.docstring is not None:
            obj.docstring.value = ROLE.sub(r"`\g<name>`", obj.docstring.value).replace("``", "`")
