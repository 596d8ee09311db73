"""The data accesses of an instruction, known before it runs.

ColdFire has no memory-indirect modes: every data address follows from registers and extension words. The public engine
asks the MMU model for the accesses of this list, in order, before it lets unicorn execute the instruction.
The list is the architecture's as unicorn executes it; ``tests/unit/cpu/test_accesses.py`` holds the two together.
"""

from emu.cpu.blocks import opcodes
from emu.cpu.operand import INDEX_FORMAT, INDEX_LONG, address_of, word
from emu.cpu.processor import A7, get_register, set_register
from emu.cpu.state import State
from emu.jit import njit
from emu.mmu.state import READ, RMW, WRITE
from emu.timing.cost import popcount16
from emu.timing.effective_address import extension_words, is_indexed, is_memory
from emu.timing.isa import F_INDEXED, FORM_MOVE, FORM_MOVEM, FORM_STACK

__all__ = ["list_accesses"]

# By the field mmmrrr of an effective address.
IN_MEMORY, INDEXED, EXTENSION_WORDS = is_memory(), is_indexed(), extension_words(0)


@njit
def note(s: State, va: int, size: int, kind: int) -> None:
    """Add an access to the list."""
    i = s.n_accesses
    s.accesses[i, 0] = va & 0xFFFFFFFF
    s.accesses[i, 1] = size
    s.accesses[i, 2] = kind
    s.n_accesses = i + 1


@njit
def note_row(s: State, va: int, size: int, kind: int, count: int, step: int) -> None:
    """Add ``count`` accesses, ``step`` bytes apart."""
    for i in range(count):
        note(s, va + i * step, size, kind)


@njit
def operand(s: State, pc: int, field: int, size: int) -> tuple[int, int, int]:
    """(VA, An to update or -1, its new value) of the operand ``field`` whose extension words start at ``pc``.

    VA is -1 where the operand is none in memory, or is indexed in a way that the V4e lacks (an address error).
    """
    if not IN_MEMORY[field] or (INDEXED[field] and word(s, pc) & INDEX_FORMAT != INDEX_LONG):
        return -1, -1, 0
    return address_of(s, pc, field, size)


@njit
def list_move(s: State, pc: int, op: int) -> None:
    """MOVE: the destination's address is computed with what the source has done to its address register."""
    row = opcodes(s)[op]
    source, destination = op & 0x3F, (op >> 9 & 7) | (op >> 3 & 0x38)
    va, update, new = operand(s, pc + 2, source, row.load)
    if va >= 0:
        note(s, va, row.load, READ)
    elif INDEXED[source]:
        return
    old = 0
    if update >= 0:
        old = get_register(s, update)
        set_register(s, update, new)
    va, _update, _new = operand(s, pc + 2 * row.words - 2 * EXTENSION_WORDS[destination], destination, row.store)
    if update >= 0:
        set_register(s, update, old)
    if va >= 0:
        note(s, va, row.store, WRITE)


@njit
def list_stack(s: State, pc: int, op: int) -> None:
    """A pop, or a push; JSR and PEA make none with an index that is an address error."""
    row = opcodes(s)[op]
    sp = get_register(s, A7)
    if row.load:
        note(s, sp, row.load, READ)
    elif not row.flags & F_INDEXED or word(s, pc + 2) & INDEX_FORMAT == INDEX_LONG:
        note(s, sp - row.store, row.store, WRITE)


@njit
def list_accesses(s: State, pc: int, op: int) -> None:
    """Put the data accesses of the instruction ``op`` at ``pc`` into ``s.accesses``, in their order."""
    s.n_accesses = 0
    row = opcodes(s)[op]
    form = row.form
    if form == FORM_MOVE:
        list_move(s, pc, op)
        return
    if form == FORM_STACK:
        list_stack(s, pc, op)
        return
    size = max(row.load, row.store)
    if size == 0 or (row.forbidden and word(s, pc + 2) & row.forbidden):
        return
    field = op & 0x3F
    va, _update, _new = operand(s, pc + 2 * row.words - 2 * EXTENSION_WORDS[field], field, size)
    if va < 0:
        return
    kind = WRITE if row.load == 0 else (RMW if row.store else READ)
    if form == FORM_MOVEM:
        note_row(s, va, size, kind, popcount16(word(s, pc + 2)), size)
    else:
        note(s, va, size, kind)
