"""The twelve ColdFire addressing modes and their extension words.

Every op-word row in :mod:`emu.timing.isa` names the modes it allows as a string of mode letters; this module turns
such a string into look-up arrays over the 6-bit effective-address field ``mmmrrr``.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "ALL",
    "ALTERABLE",
    "CONTROL",
    "DATA",
    "DATA_ALTERABLE",
    "LETTER_OF_FIELD",
    "MEMORY_ALTERABLE",
    "MODE_LETTERS",
    "allowed_fields",
    "extension_words",
    "is_indexed",
    "is_memory",
    "swap_destination",
]

# One letter per mode, in the order of the field mmm (0-6), then mmm = 7 with rrr = 0-4.
# Source: ColdFire has exactly these twelve; no memory indirect and no full-format index (hardware sheet 4.1, GAS).
MODE_LETTERS = "DAI+-dxwlpq#"
#                |||||||||||+-- #imm
#                ||||||||||+--- (d8,PC,Xi)
#                |||||||||+---- (d16,PC)
#                ||||||||+----- xxx.L
#                |||||||+------ xxx.W
#                ||||||+------- (d8,An,Xi)
#                |||||+-------- (d16,An)
#                ||||+--------- -(An)
#                |||+---------- (An)+
#                ||+----------- (An)
#                |+------------ An
#                +------------- Dn

ALL = MODE_LETTERS
DATA = "DI+-dxwlpq#"  # all but An
ALTERABLE = "DAI+-dxwl"  # what can be written
DATA_ALTERABLE = "DI+-dxwl"
MEMORY_ALTERABLE = "I+-dxwl"
CONTROL = "Idxwlpq"  # addresses, no operand fetch with update

_EXTENSION_WORDS = {"d": 1, "x": 1, "w": 1, "l": 2, "p": 1, "q": 1}
_UNUSED = "?"  # mmm = 7, rrr = 5-7: no mode

# LETTER_OF_FIELD[mmmrrr] = mode letter, or "?".
LETTER_OF_FIELD = "".join(letter * 8 for letter in MODE_LETTERS[:7]) + MODE_LETTERS[7:] + _UNUSED * 3


def _per_field(values: dict[str, int]) -> NDArray[np.int64]:
    """Array of shape (64,): ``values[letter]`` for each EA field, 0 where the letter is not named."""
    return np.array([values.get(letter, 0) for letter in LETTER_OF_FIELD], dtype=np.int64)


@lru_cache
def allowed_fields(letters: str) -> NDArray[np.bool_]:
    """Boolean array of shape (64,): is the EA field ``mmmrrr`` one of the modes in ``letters``?"""
    return _per_field(dict.fromkeys(letters, 1)).astype(np.bool_)


@lru_cache
def extension_words(immediate_words: int) -> NDArray[np.int64]:
    """Array of shape (64,): extension words of each EA field; an immediate takes ``immediate_words``."""
    return _per_field(_EXTENSION_WORDS | {"#": immediate_words})


@lru_cache
def is_memory() -> NDArray[np.bool_]:
    """Boolean array of shape (64,): does the EA field name an operand in memory?"""
    return allowed_fields("I+-dxwlpq")


@lru_cache
def is_indexed() -> NDArray[np.bool_]:
    """Boolean array of shape (64,): does the EA field use an index register?"""
    return allowed_fields("xq")


def swap_destination(field: NDArray[np.int64]) -> NDArray[np.int64]:
    """MOVE stores its destination as ``rrrmmm``; return the usual ``mmmrrr``."""
    return ((field & 7) << 3) | (field >> 3)
