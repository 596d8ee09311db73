"""Text from files that somebody else has made, before it meets a terminal."""

import re

__all__ = ["one_line", "printable", "storable"]

# Controls but for tabs and line ends, and what turns the direction of writing.
_UNSAFE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_SPACES = re.compile(r"[\t\n\u2028\u2029]")


def printable(text: str) -> str:
    r"""With escape sequences and the like as ``\x1b``: names must not command the terminal that they appear in."""
    return _UNSAFE.sub(_as_number, text)


def one_line(text: str) -> str:
    """As :func:`printable`, line ends and tabs, too."""
    return _SPACES.sub(_as_number, printable(text))


def storable(text: str) -> str:
    r"""What is no Unicode, in a file's name for instance, as ``\udcff``: files of ours hold text."""
    return text.encode(errors="backslashreplace").decode()


def _as_number(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
