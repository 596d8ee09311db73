"""What each op word means for the pipeline: which registers it uses and how, and its part in folded pairs.

Everything is an array over the op words of one row of :mod:`emu.timing.isa`; the rules are docs/timing-model.md's.
Bit n of a mask is register n: D0-D7, A0-A7.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emu.timing.effective_address import LETTER_OF_FIELD, is_indexed, is_memory, swap_destination
from emu.timing.isa import (
    FOLD_ADDRESS,
    FOLD_LOAD,
    FOLD_MOVE,
    FOLD_QUICK,
    FOLD_SIMPLE,
    FOLD_STORE,
    FORM_MOVE,
    FORM_STACK,
    UNIT_EARLY,
    UNIT_LATE,
    UNIT_MOVE_L,
    Row,
)

__all__ = ["LOADS", "STORES", "Operands", "operands_of"]

LOADS, STORES = 1, 2

Array = NDArray[np.int64]

A7 = 1 << 15
NONE, REGISTER, MEMORY, IMMEDIATE = 0, 1, 2, 3  # kinds of an effective address
_REGISTER_MODES, _UPDATING_MODES, _BASED_MODES = "DA", "+-", "I+-dx"


@dataclass(frozen=True)
class Operands:
    """Masks of registers, arrays of shape (n,): used as operands, written by the unit, used for addresses, updated by
    the address ALU; the unit of the result (a memory operand makes it late); FOLD_* bits; LOADS and STORES."""

    reads: Array
    writes: Array
    address: Array
    updates: Array
    unit: Array
    fold: Array
    moves: Array


def _by_field(letters: str) -> NDArray[np.bool_]:
    """Shape (64,): whether the EA field is of one of the modes."""
    return np.array([letter in letters for letter in LETTER_OF_FIELD])


def _kinds() -> Array:
    """Shape (64,): NONE, REGISTER, MEMORY or IMMEDIATE for each EA field."""
    immediate = _by_field("#")
    return np.select([_by_field(_REGISTER_MODES), is_memory(), immediate], [REGISTER, MEMORY, IMMEDIATE], NONE)


_KIND = _kinds()
_FIELD = np.arange(64)
_ITSELF = np.where(_KIND == REGISTER, 1 << (_FIELD & 15), 0)  # fields 0-15 are D0-D7, A0-A7
_BASE = np.where(_by_field(_BASED_MODES), 1 << (8 + (_FIELD & 7)), 0)
_UPDATED = np.where(_by_field(_UPDATING_MODES), 1 << (8 + (_FIELD & 7)), 0)


def _register(picture: str, letter: str, ops: Array) -> Array:
    """Masks of the register that the run of ``letter`` in the picture names: a is An; r and e say which file."""
    bits = picture.replace(" ", "")
    low = len(bits) - 1 - bits.rindex(letter)
    width = bits.count(letter)
    number = ops >> low & (1 << width) - 1
    if letter == "e":
        register: Array = _ITSELF[number]
        return register
    mask: Array = 1 << (number + (8 if letter == "a" else 0))
    return mask


def operands_of(row: Row, ops: Array) -> Operands:
    """The operands of a row's op words ``ops``."""
    zero = np.zeros(ops.shape, dtype=np.int64)
    reads, writes, address, updates = zero.copy(), zero.copy(), zero.copy(), zero.copy()
    for part in row.regs.split():
        letter, use = part.split("=")
        register = _register(row.picture, letter, ops)
        if use == "i":  # a count in a register, or in the op word
            register = np.where(ops & 0x20, register, 0)
        if use in "rmil":
            reads |= register
        if use in "wmu":
            writes |= register
        if use in "au":
            address |= register
        if use == "l":
            updates |= register
    source, destination = zero, zero
    if row.ea:
        source = ops & 0x3F
        kind = _KIND[source]
        address |= np.where(kind == MEMORY, _BASE[source], 0)
        updates |= np.where(kind == MEMORY, _UPDATED[source], 0)
        if row.form != FORM_STACK and row.load:
            reads |= _ITSELF[source]
        if row.form != FORM_STACK and row.store and row.form != FORM_MOVE:
            writes |= _ITSELF[source]
    if row.destination:
        destination = swap_destination(ops >> 6 & 0x3F)
        memory = _KIND[destination] == MEMORY
        address |= np.where(memory, _BASE[destination], 0)
        updates |= np.where(memory, _UPDATED[destination], 0)
        writes |= _ITSELF[destination]
    if row.form == FORM_STACK or row.name in ("UNLK", "LINK.W"):
        address |= A7 if row.name != "UNLK" else 0
        updates |= A7
    moves = _moves(row, source, destination)
    unit = np.where((moves & LOADS > 0) & (row.unit == UNIT_EARLY), UNIT_LATE, row.unit)
    return Operands(reads, writes, address, updates, unit, _fold(row, source, destination), moves)


def _moves(row: Row, source: Array, destination: Array) -> Array:
    """LOADS and STORES where the operands are in memory."""
    if row.form == FORM_STACK or not row.ea:
        return np.full(source.shape, LOADS * (row.load > 0) | STORES * (row.store > 0), dtype=np.int64)
    in_memory = _KIND[source] == MEMORY
    writes = _KIND[destination] == MEMORY if row.destination else in_memory
    loads, stores = in_memory & (row.load > 0), writes & (row.store > 0)
    moves: Array = loads.astype(np.int64) * LOADS + stores.astype(np.int64) * STORES
    return moves


def _fold(row: Row, source: Array, destination: Array) -> Array:
    """FOLD_* bits, from the letters of ``row.fold`` and the operands: a part is played only with operands that suit.

    s: a simple operation. l, w: MOVE.L, MOVE of another size. 2: a store. 3: an address result. q, m: second of case 3,
    of case 2 as well. All but l, w and 2 mean registers.
    """
    in_register = _KIND[source] == REGISTER if row.ea else np.ones(source.shape, dtype=np.bool_)
    in_memory = _KIND[source] == MEMORY
    fold = np.zeros(source.shape, dtype=np.int64)
    for letter in row.fold:
        if letter == "s":
            fold |= np.where(in_register, FOLD_SIMPLE, 0)
        elif letter == "2":
            fold |= np.where(in_memory, FOLD_STORE, 0)
        elif letter == "3":
            fold |= np.where(in_register | (row.name == "LEA"), FOLD_ADDRESS, 0)
        elif letter == "q":
            fold |= np.where(in_register, FOLD_QUICK, 0)
        elif letter == "m":
            fold |= FOLD_MOVE
        else:
            fold |= _fold_move(row, source, destination, in_register, in_memory)
    return fold


def _fold_move(
    row: Row, source: Array, destination: Array, in_register: NDArray[np.bool_], in_memory: NDArray[np.bool_]
) -> Array:
    """FOLD_* bits of MOVE."""
    to_register = _KIND[destination] == REGISTER
    fold: Array = np.where(in_register & (_KIND[destination] == MEMORY), FOLD_STORE, 0)
    if row.unit != UNIT_MOVE_L:
        return fold
    loads = to_register & (in_register | (in_memory & ~is_indexed()[source]))
    fold |= np.where(loads, FOLD_LOAD, 0) | np.where(to_register & in_register, FOLD_MOVE, 0)
    fold |= np.where(to_register & (_KIND[source] == IMMEDIATE), FOLD_ADDRESS, 0)
    return fold
