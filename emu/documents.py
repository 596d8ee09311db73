"""TOML and JSON that somebody else has written, as values: the one place that decodes them."""

from collections.abc import Iterator
from typing import Any, TypeVar

import msgspec

__all__ = ["Malformed", "decode_json", "decode_toml"]

DEEPEST = 100  # tables in tables
TOO_DEEP = "nested too deep"

T = TypeVar("T")


class Malformed(Exception):
    """The text cannot be read; ``str()`` says why, in a line."""


def decode_toml(text: bytes, kind: type[T]) -> T:
    """Malformed for what is no TOML; msgspec.ValidationError for what is no ``kind``."""
    try:
        values = msgspec.toml.decode(text)
        for path, name in _texts(values):
            if "\0" in name:
                raise Malformed(f"{path}: \\u0000 in a text")
        return msgspec.convert(values, kind)
    except RecursionError:
        raise Malformed(TOO_DEEP) from None
    except msgspec.ValidationError:
        raise
    except ValueError as error:  # int()'s, too
        raise Malformed(f"not a TOML file: {_reason(error)}") from None


def decode_json(text: bytes, kind: type[T]) -> T:
    """Malformed for what is no JSON, lone surrogates too; msgspec.ValidationError for what is no ``kind``."""
    try:
        return msgspec.json.decode(text, type=kind)
    except RecursionError:
        raise Malformed(TOO_DEEP) from None
    except msgspec.ValidationError:
        raise
    except ValueError as error:
        raise Malformed(f"not a JSON file: {_reason(error)}") from None


def _reason(error: ValueError) -> str:
    text = str(error)
    return "a number of thousands of digits" if "integer string conversion" in text else text


def _texts(value: Any, path: str = "", depth: int = 0) -> Iterator[tuple[str, str]]:
    """All texts and keys, each with the path of its key."""
    if depth > DEEPEST:
        raise Malformed(TOO_DEEP)
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, inner in value.items():
            inside = f"{path}.{key}".removeprefix(".")
            yield inside, key
            yield from _texts(inner, inside, depth + 1)
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _texts(inner, f"{path}[{number}]", depth + 1)
