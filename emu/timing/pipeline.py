"""What one instruction costs in the V4 pipeline, given what the instructions before it have left (docs/timing-model.md,
sections 1 and 2).

Three words hold the waits. ``a``: 3 bits for each of D0-D7, A0-A7 until it can be used in an address; above them the
part that the latest instruction can play as the first of a folded pair, and the register it wrote. ``b``: 2 bits for
each register until it can be an operand, for each of FP0-FP7, for the FPU's condition code and for the EMAC; above them
one bit for each of the last 4 cycles in which a store was issued. ``c``: 2 bits for each register until an early result
can be an index.
"""

from typing import Any

from emu.jit import njit
from emu.timing.cost import (
    FIRST_CONTROL_MOVE,
    FIRST_FMOVEM,
    FMOVEM_TO_MEMORY,
    MEMORY_TO_REGISTER,
    REGISTER_TO_MEMORY,
    fpu_cycles,
    is_comparison,
    is_dyadic,
    is_pipelined,
    is_test,
    popcount16,
)
from emu.timing.isa import (
    F_FPU,
    F_INDEXED,
    F_MOVEM,
    FOLD_ADDRESS,
    FOLD_LOAD,
    FOLD_MOVE,
    FOLD_QUICK,
    FOLD_SIMPLE,
    FOLD_STORE,
    UNIT_ACC,
    UNIT_BCC,
    UNIT_DIV_L,
    UNIT_EARLY,
    UNIT_FBCC,
    UNIT_FPU,
    UNIT_FPU_ALL,
    UNIT_MAC,
    UNIT_MAC_LOAD,
    UNIT_MOVE_L,
    UNIT_MOVEC,
    UNIT_MOVEM_LOAD,
    UNIT_MOVEM_STORE,
    UNIT_MUL,
    UNIT_MUL_L,
    UNIT_RTS,
    UNIT_UNLK,
    UNIT_WHOLE,
)
from emu.timing.operands import LOADS, STORES
from emu.timing.state import Time

__all__ = ["drain", "elapse", "issue"]

ADDRESS_BITS = (1 << 48) - 1
ADDRESS_ONES = int("001" * 16, 2)
OPERAND_BITS = (1 << 52) - 1
OPERAND_ONES = int("01" * 26, 2)
INDEX_ONES = int("01" * 16, 2)
FP0, CONDITION, EMAC = 16, 24, 25  # which 2-bit field of b
FOLD_SHIFT, FOLD_REGISTER_SHIFT = 48, 51
STORE_SHIFT, STORE_BITS = 52, 0x1F
LONGEST = 7  # no wait is longer
FRESTORE_BIT = 0x40  # tells it from FSAVE


@njit
def drain(t: Time) -> None:
    """An exception or RTE: the pipeline is empty, and nothing folds."""
    t.a = t.b = t.c = 0


@njit
def elapse(t: Time, cycles: int) -> None:
    """``cycles`` have passed: all waits fall by as much, at most to 0."""
    a, b, c = t.a & ADDRESS_BITS, t.b & OPERAND_BITS, t.c + 0
    fold, stores = t.a & ~ADDRESS_BITS, t.b >> STORE_SHIFT << min(cycles, LONGEST) & STORE_BITS
    for _ in range(min(cycles, LONGEST)):
        a -= (a | a >> 1 | a >> 2) & ADDRESS_ONES
        b -= (b | b >> 1) & OPERAND_ONES
        c -= (c | c >> 1) & INDEX_ONES
    t.a, t.b, t.c = a | fold, b | stores << STORE_SHIFT, c


@njit
def longest(waits: int, bits: int, mask: int) -> int:
    """The longest of the waits, of ``bits`` bits each, that ``mask`` names."""
    found = 0
    while mask and waits:
        if mask & 1:
            found = max(found, waits & (1 << bits) - 1)
        mask >>= 1
        waits >>= bits
    return found


@njit
def longest_address(t: Time, mask: int) -> int:
    """Cycles until all registers of ``mask`` can be used in addresses."""
    return longest(t.a & ADDRESS_BITS, 3, mask)


@njit
def longest_operand(t: Time, mask: int) -> int:
    """Cycles until all fields of ``mask`` (registers, FP registers, condition code, EMAC) can be operands."""
    return longest(t.b & OPERAND_BITS, 2, mask)


@njit
def index_wait(t: Time, register: int, scale: int) -> int:
    """Cycles until ``register`` can be an index; an early result comes to the register file later (GCC cfv4)."""
    wait = t.c >> 2 * register & 3
    if scale == 0 and wait:
        wait = max(0, wait - (t.costs.early_index_scaled - t.costs.early_index))
    return int(max(wait, t.a >> 3 * register & 7))


@njit
def set_waits(t: Time, mask: int, address: int, operand: int, index: int) -> None:
    """The waits of the registers of ``mask``."""
    for r in range(16):
        if mask >> r & 1:
            t.a = t.a & ~(7 << 3 * r) | address << 3 * r
            t.b = t.b & ~(3 << 2 * r) | operand << 2 * r
            t.c = t.c & ~(3 << 2 * r) | index << 2 * r


@njit
def set_operand(t: Time, field: int, wait: int) -> None:
    """The wait of one field of ``b``."""
    t.b = t.b & ~(3 << 2 * field) | wait << 2 * field


@njit
def dynamic_registers(row: Any, op: int, ext: int) -> tuple[int, int]:
    """(operand uses, results) that the extension word names."""
    unit = row.unit
    first, last = 1 << (ext >> 12 & 15), 1 << (ext & 15)
    if unit == UNIT_MUL_L:
        return 1 << (ext >> 12 & 7), 1 << (ext >> 12 & 7)
    if unit == UNIT_DIV_L:
        return 1 << (ext >> 12 & 7), 1 << (ext >> 12 & 7) | 1 << (ext & 7)
    if unit == UNIT_MOVEM_STORE:
        return ext, 0
    if unit == UNIT_MOVEC:
        return first, 0
    rx = (op >> 9 & 7) | (op >> 3 & 8)
    if unit == UNIT_MAC:
        return 1 << rx | 1 << (op & 15), 0
    if unit == UNIT_MAC_LOAD:
        return first | last, 1 << rx
    return 0, 0


@njit
def fpu_uses(op: int, ext: int) -> tuple[int, int, int, int, int]:
    """(fields of b used, registers written, FP registers written, whether the condition code is, LOADS and STORES)."""
    opclass = ext >> 13 & 7
    in_memory = op & 0x30 != 0
    field = op & 0x3F
    if opclass >= FIRST_CONTROL_MOVE:
        everything = 0x1FF << FP0
        out = opclass == FMOVEM_TO_MEMORY or (opclass < FIRST_FMOVEM and ext & 0x2000 != 0)
        if in_memory:
            return everything, 0, 0, 0, STORES if out else LOADS
        return everything | (0 if out else 1 << field), (1 << field) if out else 0, 0, 0, 0
    target = ext >> 7 & 7
    if opclass == REGISTER_TO_MEMORY:
        if in_memory:
            return 1 << FP0 + target, 0, 0, 0, STORES
        return 1 << FP0 + target, 1 << (op & 7), 0, 0, 0
    uses = 0
    if opclass != MEMORY_TO_REGISTER:
        uses = 1 << FP0 + (ext >> 10 & 7)
    elif not in_memory:
        uses = 1 << (op & 7)
    opmode = ext & 0x7F
    if is_dyadic(opmode):
        uses |= 1 << FP0 + target
    writes = 0 if is_comparison(opmode) or is_test(opmode) else 1 << target
    return uses, 0, writes, 1, LOADS if opclass == MEMORY_TO_REGISTER and in_memory else 0


@njit
def cell(t: Time, row: Any, op: int, ext: int) -> int:
    """Cycles of the issue: the table's, but 1 for what is pipelined; the branches' are charged with their outcome."""
    unit = row.unit
    if row.flags & F_MOVEM:
        return int(row.cycles * max(popcount16(ext), 1))
    if row.flags & F_FPU:
        flat = fpu_cycles(t.costs, op, ext)
        if ext >> 13 & 7 < REGISTER_TO_MEMORY and is_pipelined(ext & 0x7F):
            return int(flat - t.costs.fpu_pipeline + t.costs.fpu_issue)
        return flat
    if unit == UNIT_MUL or unit == UNIT_MUL_L:
        return int(t.costs.multiply_issue + row.indexed)
    if unit == UNIT_BCC or unit == UNIT_RTS:
        return 0
    return int(row.cycles)


@njit
def folds(t: Time, row: Any, reads: int, writes: int) -> int:
    """Which case of folding joins this instruction to the one before it, 0 none."""
    first = t.a >> FOLD_SHIFT & 7
    if first == 0 or row.words != 1:
        return 0
    register = t.a >> FOLD_REGISTER_SHIFT & 15
    fold = row.fold
    if first & FOLD_LOAD and fold & FOLD_SIMPLE:
        if writes == 1 << register or (writes == 0 and reads >> register & 1):
            return FOLD_LOAD
    if first & FOLD_STORE and fold & FOLD_MOVE:
        return FOLD_STORE
    if first & FOLD_ADDRESS and fold & (FOLD_SIMPLE | FOLD_QUICK) and not (reads | writes) >> register & 1:
        return FOLD_ADDRESS
    return 0


@njit
def lowest(mask: int) -> int:
    """Number of the lowest register of ``mask``; 0 for none."""
    r = 0
    while mask > 1 and not mask & 1:
        mask >>= 1
        r += 1
    return r


@njit
def finish(t: Time, row: Any, ext: int, reads: int, writes: int, moves: int, late: bool) -> None:
    """The waits that the results of an instruction leave."""
    unit = row.unit
    costs = t.costs
    address, operand, index = costs.late_address, 0, 0
    if (unit == UNIT_MOVE_L and moves & LOADS) or unit == UNIT_UNLK:
        address = costs.load_address
    elif (unit == UNIT_EARLY or unit == UNIT_MOVE_L) and not late:
        address, index = 0, costs.early_index_scaled
    elif unit == UNIT_WHOLE or unit == UNIT_DIV_L:
        address = 0
    elif unit == UNIT_MUL or unit == UNIT_MUL_L:
        address, operand = costs.multiply_address, costs.multiply_operand
    if row.updates:
        set_waits(t, row.updates, 0, 0, 0)
    if unit == UNIT_MOVEM_LOAD:
        left = popcount16(ext)
        for r in range(16):
            if ext >> r & 1:
                left -= 1
                set_waits(t, 1 << r, max(0, costs.load_address - left), 0, 0)
    elif writes:
        set_waits(t, writes, address, operand, index)
    if unit == UNIT_MAC or unit == UNIT_MAC_LOAD:
        set_operand(t, EMAC, costs.mac_accumulator)


@njit
def issue(t: Time, row: Any, op: int, ext: int) -> int:
    """Cycles of the instruction with op word ``op`` and following word ``ext``, whose row of the table is ``row``.

    The waits in ``t`` become those behind it.
    """
    unit = row.unit
    more_reads, more_writes = dynamic_registers(row, op, ext)
    uses, writes, moves = row.reads | more_reads, row.writes | more_writes, row.moves
    fp_writes, sets_condition = 0, 0
    if unit == UNIT_FPU:
        more_reads, writes, fp_writes, sets_condition, moves = fpu_uses(op, ext)
        uses |= more_reads
    elif unit == UNIT_FPU_ALL:
        uses |= 0x1FF << FP0
        moves = LOADS if op & FRESTORE_BIT else STORES
    elif unit == UNIT_FBCC:
        uses |= 1 << CONDITION
    elif unit == UNIT_ACC:
        uses |= 1 << EMAC
    stall = max(longest_address(t, row.address), longest_operand(t, uses))
    if row.flags & F_INDEXED:
        stall = max(stall, index_wait(t, ext >> 12 & 15, ext >> 9 & 3))
    pair = folds(t, row, uses, writes) if stall == 0 else 0
    if stall:
        elapse(t, stall)
    if moves & LOADS and t.b >> STORE_SHIFT >> t.costs.load_after_store_distance & 1:
        stall += t.costs.load_after_store
        elapse(t, t.costs.load_after_store)
    late = longest_address(t, uses & 0xFFFF) > 0
    cycles = 0 if pair else cell(t, row, op, ext)
    if moves & STORES:
        t.b |= 1 << STORE_SHIFT
    if cycles:
        elapse(t, cycles)
    first = t.a >> FOLD_REGISTER_SHIFT & 15
    finish(t, row, ext, uses & 0xFFFF, writes, moves, late)
    if fp_writes or sets_condition:
        wait = t.costs.fpu_operand if is_pipelined(ext & 0x7F) else 0
        for r in range(8):
            if fp_writes >> r & 1:
                set_operand(t, FP0 + r, wait)
        set_operand(t, CONDITION, wait)
    t.a &= ADDRESS_BITS
    if pair == FOLD_LOAD:
        set_waits(t, 1 << first, t.costs.late_address, 0, 0)
    elif pair == 0:
        part = row.fold & (FOLD_LOAD | FOLD_STORE | FOLD_ADDRESS)
        t.a |= part << FOLD_SHIFT | lowest(writes) << FOLD_REGISTER_SHIFT
    return stall + cycles
