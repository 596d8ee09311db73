"""The table of all 65536 op words, expanded once from the bit pictures of :mod:`emu.timing.isa`.

Native code indexes this array by the op word; nothing else in the product decodes instruction lengths.
"""

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emu.errors import UsageError
from emu.timing.effective_address import allowed_fields, extension_words, is_indexed, is_memory, swap_destination
from emu.timing.isa import (
    F_BITOP_MEM,
    F_BRANCH,
    F_FPU,
    F_ILLEGAL,
    F_INDEXED,
    F_MOVEM,
    F_PRIVILEGED,
    F_RMW,
    ROWS,
    SURCHARGES,
    Row,
)
from emu.timing.operands import operands_of

__all__ = [
    "F_BITOP_MEM",
    "F_BRANCH",
    "F_FPU",
    "F_ILLEGAL",
    "F_INDEXED",
    "F_MOVEM",
    "F_PRIVILEGED",
    "F_RMW",
    "OPCODE_DTYPE",
    "Cells",
    "check_cells",
    "expand",
    "opcode_table",
    "row_of",
]

# words: length of the instruction in 16-bit words, 1 to 3. cycles: flat core cycles (see emu.timing.cost for F_MOVEM
# and F_FPU). flags: the F_* bits. load, store, form, forbidden: as in Row. The others: as in emu.timing.operands.
OPCODE_DTYPE = np.dtype(
    [
        *(("words", "u1"), ("cycles", "u2"), ("flags", "u2")),
        *(("load", "u1"), ("store", "u1"), ("form", "u1"), ("forbidden", "u2")),
        *(("unit", "u1"), ("fold", "u1"), ("reads", "u2"), ("writes", "u2"), ("address", "u2"), ("updates", "u2")),
        ("moves", "u1"),
        ("indexed", "u2"),  # cycles in "cycles" for an index
    ]
)

Cells = tuple[tuple[str, int], ...]
_MAX_CELL = 1000  # fits the table with what an index and a second operand add
_LINE_SIZE = 0x1000  # every picture fixes at least its top four bits, so one line (4096 op words) is enough to search


def _mask_and_match(picture: str) -> tuple[int, int]:
    """(mask, match) of a bit picture: an op word fits when ``op & mask == match``."""
    bits = picture.replace(" ", "")
    mask = int("".join("1" if bit in "01" else "0" for bit in bits), 2)
    match = int("".join("1" if bit == "1" else "0" for bit in bits), 2)
    return mask, match


def surcharge(name: str, changed: Mapping[str, int]) -> int:
    """Cycles that an operand adds."""
    return changed.get(name, SURCHARGES[name].cycles)


def expand(
    row: Row, changed: Mapping[str, int] = MappingProxyType({})
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """The op words of one row and, for each, its words, cycles and flags: four arrays of one shape (n,)."""
    mask, match = _mask_and_match(row.picture)
    line = match & ~(_LINE_SIZE - 1)
    ops = np.arange(line, line + _LINE_SIZE, dtype=np.int64)
    ops = ops[(ops & mask) == match]

    words = np.full(ops.shape, 1 + row.extra, dtype=np.int64)
    memory_operands = np.zeros(ops.shape, dtype=np.int64)
    indexed = np.zeros(ops.shape, dtype=np.bool_)
    legal = np.ones(ops.shape, dtype=np.bool_)
    operands = ((row.ea, ops & 0x3F), (row.destination, swap_destination(ops >> 6 & 0x3F)))
    for letters, field in operands:
        if letters:
            legal &= allowed_fields(letters)[field]
            words += extension_words(row.immediate)[field]
            memory_operands += is_memory()[field]
            indexed |= is_indexed()[field]

    cycles = row.cell.cycles + indexed * surcharge("indexed", changed)
    cycles += (memory_operands == 2) * surcharge("memory to memory", changed)  # only MOVE has two
    flags = row.flags | np.where(indexed, F_INDEXED, 0)
    flags = np.where(memory_operands > 0, flags, flags & ~row.memory_only_flags)
    return ops[legal], words[legal], cycles[legal], flags[legal]


@lru_cache(maxsize=4)
def opcode_table(cells: Cells = ()) -> NDArray[Any]:
    """Read-only structured array of shape (65536,), dtype :data:`OPCODE_DTYPE`, indexed by the op word.

    ``cells``: (name of a row, cycles) pairs that replace the cells of isa.ROWS. Illegal op words have words 1, cycles 0
    and F_ILLEGAL. UsageError for a name that no row has, or an impossible number.
    """
    changed = check_cells(cells)
    table = np.zeros(0x10000, dtype=OPCODE_DTYPE)
    table["words"] = 1
    table["flags"] = F_ILLEGAL
    for row in ROWS:
        ops, words, cycles, flags = expand(row, changed)
        table["indexed"][ops] = np.where(flags & F_INDEXED, surcharge("indexed", changed), 0)
        cycles = cycles + changed.get(row.name, row.cell.cycles) - row.cell.cycles
        table["words"][ops] = words
        table["cycles"][ops] = cycles
        table["flags"][ops] = flags
        table["load"][ops] = row.load
        table["store"][ops] = row.store
        table["form"][ops] = row.form
        table["forbidden"][ops] = row.forbidden
        operands = operands_of(row, ops)
        for name in ("unit", "fold", "reads", "writes", "address", "updates", "moves"):
            table[name][ops] = getattr(operands, name)
    table.flags.writeable = False
    return table


def check_cells(cells: Cells) -> dict[str, int]:
    """The cells that are replaced, by name. UsageError for a name that no row has, or an impossible number."""
    names = {row.name for row in ROWS if not row.flags & F_FPU} | set(SURCHARGES)  # the FPU's are costs.f...
    for name, cycles in cells:
        if name not in names:
            raise UsageError(f"cells.{name}: no such instruction; the names are those of `cfemu timing`")
        if type(cycles) is not int or not 0 <= cycles <= _MAX_CELL:
            raise UsageError(f"cells.{name}: {cycles!r} is not between 0 and {_MAX_CELL} cycles")
    return dict(cells)


def row_of(op: int) -> Row | None:
    """The row that describes op word ``op`` (0 to 0xFFFF), or None when no V4e instruction starts with it."""
    return next((row for row in reversed(ROWS) if op in expand(row)[0]), None)
