"""Retired instructions and cycles, exact although unicorn runs whole blocks.

A block is charged when it starts. When it ends early, because an access faulted or a device stopped the machine, what
was not executed is taken back. So the two counters always say what has retired, and no per-instruction hook is needed.
"""

from typing import Any

import numba

from emu.cpu.intercept import aborts
from emu.cpu.memory import code_host, fetch16
from emu.cpu.processor import in_supervisor
from emu.cpu.raw import load16be, load64, opcode_pointer, store64
from emu.cpu.recorder import add_to, fetch_run
from emu.cpu.shadow import is_hidden
from emu.cpu.state import MEMO, RESTS, State
from emu.jit import njit
from emu.timing import branches, pipeline
from emu.timing.cost import instruction_cycles
from emu.timing.isa import F_RMW, UNIT_BCC, UNIT_CALL, UNIT_RTS
from emu.timing.state import FLAT, MEMO_RECORD

__all__ = [
    "COUNT",
    "CYCLES",
    "END",
    "LINES_SEEN",
    "SHADOW_LINES_SEEN",
    "block_cost",
    "charge_block",
    "charge_pipeline",
    "forget_block",
    "forget_blocks",
    "forget_blocks_around",
    "has_hidden_word",
    "instruction_length",
    "is_known",
    "is_remembered",
    "measure",
    "modifies",
    "opcode_flags",
    "opcodes",
    "page_mask",
    "pipelined_memo",
    "record_block",
    "rest_of_block",
    "unwind",
    "word_at",
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
def modifies(s: State, pc: int) -> bool:
    """Whether the instruction at ``pc`` reads its operand in order to write it."""
    return opcode_flags(s, fetch16(s, pc, in_supervisor(s)) & 0xFFFF) & F_RMW != 0


@njit
def has_hidden_word(s: State, pc: int, op: int) -> bool:
    """Whether a word behind the op word of the instruction at ``pc`` may not stand in what unicorn translates, or is
    ILLEGAL there because it has been run as an instruction of its own."""
    for k in range(2, instruction_length(s, op), 2):
        host = code_host(s, (pc + k) & 0xFFFFFFFF, in_supervisor(s))
        if host and (aborts(load16be(host)) or is_hidden(s, host)):
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

    Stops at ``end`` (offset in bytes) or after ``most`` instructions. With a pipeline the waits in ``s.time`` must be
    those in front of the first instruction, and become those behind the last.
    """
    table = opcodes(s)
    t = s.time
    count = 0
    cycles = 0
    at = start
    while at < end and count < most:
        op = word_at(s, at)
        row = table[op]
        size = 2 * row.words
        ext = word_at(s, at + 2) if size > 2 else 0
        if t.level == FLAT:
            cycles += instruction_cycles(t.costs, row, op, ext)
        else:
            cycles += pipeline.issue(t, row, op, ext)
            t.last_op, t.last_ext, t.last_at, t.last_end = op, ext, at, at + size
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
    if s.time.level != FLAT:
        return is_remembered(s, pipelined_memo(s, s.block_host), s.block_host, s.block_size)
    record = memo_of(s)
    return bool(load64(record) == s.block_host and load64(record + 8) == s.block_size)


@njit
def block_cost(s: State) -> tuple[int, int]:
    """(instructions, cycles) of the whole current block, remembered by the address of its bytes, and with a pipeline by
    the waits in front of it."""
    if s.time.level != FLAT:
        return pipelined_cost(s)
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


# --- blocks with a pipeline

# Offsets in a remembered block: what it was found by, what it costs, the waits that it leaves, the branch it ends with.
(
    KEY_HOST,
    KEY_SIZE,
    KEY_A,
    KEY_B,
    KEY_C,
    COUNT,
    CYCLES,
    LEFT_A,
    LEFT_B,
    LEFT_C,
    PENDING,
    PENDING_AT,
    PENDING_BACKWARD,
    SERIAL,
    END,  # offset behind the last instruction: of one that the engine does itself unicorn sees the op word only
    SPARE,
    LINES_SEEN,  # changes of the instruction cache, and of its shadow, when the block had all its lines in them
    SHADOW_LINES_SEEN,
) = range(0, MEMO_RECORD, 8)
NEVER_SEEN = -1


@njit
def pipelined_memo(s: State, host: int) -> int:
    """Address of the record of a block at ``host`` with the present waits in front of it."""
    t = s.time
    waits = (t.a ^ t.b * 0x9E3779B1 ^ t.c * 0x85EBCA6B) * 0x27D4EB2F
    return int(t.memo + MEMO_RECORD * ((host >> 1 ^ waits >> 8 ^ waits >> 23) & (MEMO - 1)))


@njit
def is_remembered(s: State, record: int, host: int, size: int) -> bool:
    """Whether ``record`` is of this block and these waits."""
    t = s.time
    return bool(
        load64(record + KEY_HOST) == host
        and load64(record + KEY_SIZE) == size
        and load64(record + KEY_A) == t.a
        and load64(record + KEY_B) == t.b
        and load64(record + KEY_C) == t.c
    )


@njit
def note_end(s: State, record: int) -> None:
    """Where the block that was measured last ends, and with what kind of branch."""
    t = s.time
    unit = opcodes(s)[t.last_op].unit
    kind = branches.NO_BRANCH
    if unit == UNIT_BCC:
        kind = branches.BRANCH
    elif unit == UNIT_CALL:
        kind = branches.CALL
    elif unit == UNIT_RTS:
        kind = branches.RETURN
    short = t.last_op & 0xFF
    negative = t.last_ext >> 15 & 1 if short in (0, 0xFF) else short >> 7
    store64(record + PENDING, kind)
    store64(record + PENDING_AT, t.last_at)
    store64(record + END, t.last_end)
    store64(record + PENDING_BACKWARD, negative)


@njit
def pipelined_cost(s: State) -> tuple[int, int]:
    """As :func:`block_cost`. What else is known of the block stands in the record at ``s.time_record``."""
    t = s.time
    record = pipelined_memo(s, s.block_host)
    s.time_record = record
    if not is_remembered(s, record, s.block_host, s.block_size):
        a, b, c = t.a + 0, t.b + 0, t.c + 0
        count, cycles, _at = measure(s, 0, s.block_size, NO_LIMIT)
        t.serial += 1
        known = (s.block_pc ^ (s.block_pc + s.block_size - 1)) & page_mask(s) == 0
        store64(record + KEY_HOST, s.block_host if known else 0)
        store64(record + KEY_SIZE, s.block_size)
        store64(record + KEY_A, a)
        store64(record + KEY_B, b)
        store64(record + KEY_C, c)
        store64(record + COUNT, count)
        store64(record + CYCLES, cycles)
        store64(record + LEFT_A, t.a)
        store64(record + LEFT_B, t.b)
        store64(record + LEFT_C, t.c)
        note_end(s, record)
        store64(record + SERIAL, t.serial)
        store64(record + LINES_SEEN, NEVER_SEEN)
        store64(record + SHADOW_LINES_SEEN, NEVER_SEEN)
        t.a, t.b, t.c = a, b, c
    return load64(record + COUNT), load64(record + CYCLES)


@njit
def charge_block(s: State, count: int, cycles: int) -> None:
    """The current block, whose cost was just found, runs now."""
    s.instructions += count
    s.cycles += cycles
    if s.time.level != FLAT:
        charge_pipeline(s, s.time_record)


@njit
def charge_pipeline(s: State, record: int) -> None:
    """The block of ``record`` runs: its waits are behind it, and its branch is pending."""
    t = s.time
    t.begin_a, t.begin_b, t.begin_c = t.a, t.b, t.c
    t.a, t.b, t.c = load64(record + LEFT_A), load64(record + LEFT_B), load64(record + LEFT_C)
    t.block_count, t.block_cycles = load64(record + COUNT), load64(record + CYCLES)
    t.block_serial = load64(record + SERIAL)
    t.pending = load64(record + PENDING)
    if t.pending:
        t.pending_pc = s.block_pc + load64(record + PENDING_AT)
        t.pending_next = s.block_pc + s.block_size
        t.pending_backward = load64(record + PENDING_BACKWARD)


@njit
def rest_of_block(s: State, offset: int) -> tuple[int, int]:
    """(instructions, cycles) of the current block from byte ``offset`` on, as they were charged."""
    t = s.time
    if t.level == FLAT:
        count, cycles, _at = measure(s, offset, s.block_size, NO_LIMIT)
        return count, cycles
    a, b, c = t.a + 0, t.b + 0, t.c + 0
    t.a, t.b, t.c = t.begin_a, t.begin_b, t.begin_c
    count, cycles, _at = measure(s, 0, offset, NO_LIMIT)
    t.a, t.b, t.c = a, b, c
    return t.block_count - count, t.block_cycles - cycles


@njit
def forget_blocks(s: State) -> None:
    """Drop all remembered costs: code was changed."""
    if s.time.level != FLAT:
        for i in range(MEMO):
            store64(s.time.memo + MEMO_RECORD * i, 0)
        for i in range(RESTS):  # translations get new addresses, and a restored machine the serials of its past
            store64(s.rests + 24 * i, 0)
        s.time.block_serial = 0
        return
    for i in range(MEMO):
        store64(s.memo + 32 * i, 0)


@njit
def forget_block(s: State) -> None:
    """Drop the cost of the current block, which was just found."""
    if s.time.level != FLAT:
        store64(s.time_record + KEY_HOST, 0)
    elif is_known(s):
        store64(memo_of(s), 0)


@njit
def forget_blocks_around(s: State, host: int) -> None:
    """Drop what is remembered of the blocks that the word at ``host`` is in."""
    in_time = s.time.level != FLAT
    first, step = (s.time.memo, MEMO_RECORD) if in_time else (s.memo, 32)
    for i in range(MEMO):
        record = first + step * i
        if load64(record) <= host < load64(record) + load64(record + 8):
            store64(record, 0)


# --- what the recorder sees of a block (emu.cpu.recorder)

GRANULE_MASK = 0xFFFFFC00


@njit
def record_block(s: State, count: int) -> None:
    """The current block, of ``count`` instructions, is fetched as a whole: one reference for each instruction, and one
    more where it ends on another 1-KB granule."""
    r = s.recorder
    r.n_looks = 0
    supervisor = in_supervisor(s)
    if (s.block_pc ^ (s.block_pc + s.block_size - 1)) & GRANULE_MASK == 0:
        r.block[0] = fetch_run(s, s.block_pc, count, supervisor)
        return
    at = 0
    while at < s.block_size:
        va = s.block_pc + at
        size = min(instruction_length(s, word_at(s, at)), s.block_size - at)
        r.block[granule_of_block(s, at)] = fetch_run(s, va, 1, supervisor)
        end = va + size - 2
        if (va ^ end) & GRANULE_MASK:
            r.block[granule_of_block(s, at + size - 2)] = fetch_run(s, end, 1, supervisor)
        at += size


@njit
def granule_of_block(s: State, offset: int) -> int:
    """Number of the granule, from the one that the current block begins on, of its byte at ``offset``."""
    return int(((s.block_pc & ~GRANULE_MASK) + offset) >> 10)


@njit
def retract_fetches(s: State, offset: int, count: int) -> None:
    """The current block was left at byte ``offset``, with ``count`` instructions to go. The first of them was fetched,
    and is fetched once more after its exception; where it is begun again for another reason, it counts but once."""
    r = s.recorder
    again = r.again == s.block_pc + offset
    r.again = -1
    if not r.on:
        return
    if (s.block_pc ^ (s.block_pc + s.block_size - 1)) & GRANULE_MASK == 0:
        add_to(s, r.block[0], (0 if again else 1) - count)
        return
    at = offset
    while at < s.block_size:
        size = min(instruction_length(s, word_at(s, at)), s.block_size - at)
        if at > offset or again:
            first, last = granule_of_block(s, at), granule_of_block(s, at + size - 2)
            add_to(s, r.block[first], -1)
            if last != first:
                add_to(s, r.block[last], -1)
        at += size


@njit
def unwind(s: State, pc: int) -> None:
    """The current block was left before the instruction at ``pc`` retired."""
    t = s.time
    offset = pc - s.block_pc
    if 0 <= offset < s.block_size:
        count, cycles = rest_of_block(s, offset)
        retract_fetches(s, offset, count)
        s.instructions -= count
        s.cycles -= cycles
        if t.level != FLAT:
            t.a, t.b, t.c = t.begin_a, t.begin_b, t.begin_c
            measure(s, 0, offset, NO_LIMIT)
            t.pending = branches.NO_BRANCH
    s.block_size = 0
