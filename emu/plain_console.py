"""The console that all tables are printed on."""

from typing import Any

from rich.console import Console
from rich.text import Text

from emu.text import printable

__all__ = ["WIDTH_OF_A_PIPE", "PlainConsole"]

WIDTH_OF_A_PIPE = 120  # columns, where stdout is no terminal


class PlainConsole(Console):
    """Prints text as it is: what looks like markup is none, and no name in a table can command the terminal."""

    def __init__(self, *, stderr: bool = False) -> None:
        super().__init__(highlight=False, markup=False, emoji=False, stderr=stderr)
        if not self.is_terminal:
            self.width = WIDTH_OF_A_PIPE

    def render_str(self, text: str, **options: Any) -> Text:
        """As rich does it, of printable characters, whatever the options say."""
        return super().render_str(printable(text), **options | {"markup": False, "emoji": False})
