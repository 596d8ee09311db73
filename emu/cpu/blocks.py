"""Retired instructions and cycles, exact although unicorn runs whole blocks.

A block is charged when it starts. When it ends early, because an access faulted or a device stopped the machine, what
was not executed is taken back. So the two counters always say what has retired, and no per-instruction hook is needed.
"""

from typing import Any

import numba

from emu.cpu.intercept import aborts
from emu.cpu.memory import fetch16
from emu.cpu.processor import in_supervisor
from emu.cpu.raw import load16be, load64, opcode_pointer, store64
from emu.cpu.state import MEMO, State
from emu.jit import njit
from emu.timing.cost import instruction_cycles

__all__ = [
    "block_cost",
    "forget_blocks",
    "has_hidden_word",
    "instruction_length",
    "is_known",
    "measure",
    "opcode_flags",
    "opcodes",
    "unwind",
]

NO_LIMIT = 1 << 62


@njit
def opcodes(s: State) -> Any:
    """The table of :mod:`emu.timing.optable` as an array."""
    return numba.carray(opcode_pointer(s.opcodes), 65536)


@njit
def instruction_length(s: State, op: int) -> int:
    """Bytes of the instruction that starts with the word ``op``."""
    return int(2 * opcodes(s)[op].words)


@njit
def opcode_flags(s: State, op: int) -> int:
    """F_* of :mod:`emu.timing.isa`."""
    return int(opcodes(s)[op].flags)


@njit
def has_hidden_word(s: State, pc: int, op: int) -> bool:
    """Whether a word behind the op word of the instruction at ``pc`` may not stand in what unicorn translates."""
    for k in range(2, instruction_length(s, op), 2):
        if aborts(fetch16(s, (pc + k) & 0xFFFFFFFF, in_supervisor(s)) & 0xFFFF):
            return True
    return False


@njit
def page_mask(s: State) -> int:
    """Addresses that agree in these bits are fetched from one page as the current block is."""
    return 0xFFFFFC00 if s.code_small else 0xFFFFF000


@njit
def word_at(s: State, offset: int) -> int:
    """Instruction word of the current block; a word behind the page end lives wherever that page is mapped."""
    address = s.block_pc + offset
    if (address ^ s.block_pc) & page_mask(s) == 0:
        return load16be(s.block_host + offset)
    word = fetch16(s, address, in_supervisor(s))
    return max(word, 0)


@njit
def measure(s: State, start: int, end: int, most: int) -> tuple[int, int, int]:
    """Walk instructions of the current block from byte ``start``: (instructions, cycles, offset reached).

    Stops at ``end`` (offset in bytes) or after ``most`` instructions.
    """
    table = opcodes(s)
    count = 0
    cycles = 0
    at = start
    while at < end and count < most:
        op = word_at(s, at)
        size = 2 * table[op].words
        ext = word_at(s, at + 2) if size > 2 else 0
        cycles += instruction_cycles(table, op, ext)
        count += 1
        at += size
    return count, cycles, at


@njit
def memo_of(s: State) -> int:
    """Address of the record that the cost of the current block is remembered in."""
    return int(s.memo + 32 * ((s.block_host >> 1) & (MEMO - 1)))


@njit
def is_known(s: State) -> bool:
    """Whether the cost of the current block is remembered: it has been met before."""
    record = memo_of(s)
    return bool(load64(record) == s.block_host and load64(record + 8) == s.block_size)


@njit
def block_cost(s: State) -> tuple[int, int]:
    """(instructions, cycles) of the whole current block, remembered by the address of its bytes."""
    record = memo_of(s)
    if is_known(s):
        return load64(record + 16), load64(record + 24)
    count, cycles, _ = measure(s, 0, s.block_size, NO_LIMIT)
    if (s.block_pc ^ (s.block_pc + s.block_size - 1)) & page_mask(s) == 0:  # its second page may be remapped
        store64(record, s.block_host)
        store64(record + 8, s.block_size)
        store64(record + 16, count)
        store64(record + 24, cycles)
    return count, cycles


@njit
def forget_blocks(s: State) -> None:
    """Drop all remembered costs: code was changed."""
    for i in range(MEMO):
        store64(s.memo + 32 * i, 0)


@njit
def unwind(s: State, pc: int) -> None:
    """The current block was left before the instruction at ``pc`` retired."""
    offset = pc - s.block_pc
    if 0 <= offset < s.block_size:
        count, cycles, _ = measure(s, offset, s.block_size, NO_LIMIT)
        s.instructions -= count
        s.cycles -= cycles
    s.block_size = 0
