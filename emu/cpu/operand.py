"""Source operands of intercepted instructions: the effective address computed and read through the MMU model.

Only what the intercepted instructions can name (CFPRM 2.2): data addressing modes without writes.
"""

from emu.cpu.catch import catch_access
from emu.cpu.charges import CM_INHIBITED, charge_accesses
from emu.cpu.data_time import is_full, wait_for_data
from emu.cpu.device_operand import read_device
from emu.cpu.memory import fetch16, part_end, place, touch_data
from emu.cpu.processor import get_register, in_supervisor
from emu.cpu.raw import load8
from emu.cpu.recorder import record_access
from emu.cpu.state import State
from emu.jit import njit
from emu.mmu.attributes import MISS, TLB, permits, resolve
from emu.mmu.state import READ

__all__ = [
    "INDEX_FORMAT",
    "INDEX_LONG",
    "OPERAND_FAULT",
    "OPERAND_ILLEGAL",
    "OPERAND_OK",
    "address_of",
    "note_part",
    "read_bytes",
    "read_source",
    "time_parts",
    "word",
]

OPERAND_OK, OPERAND_FAULT, OPERAND_ILLEGAL = 0, 1, 2  # the last: an index that is an address error (sheet 3.6)
INDEX_FORMAT, INDEX_LONG = 0x900, 0x800  # brief format, long index: the only one that the V4e has


@njit
def sign16(value: int) -> int:
    """Sign-extended word."""
    return (value & 0xFFFF ^ 0x8000) - 0x8000


@njit
def word(s: State, pc: int) -> int:
    """Instruction word; its page has been fetched before the instruction was intercepted."""
    value = fetch16(s, pc & 0xFFFFFFFF, in_supervisor(s))
    return max(value, 0)


@njit
def index_term(s: State, extension: int) -> int:
    """Xi * scale + d8 of a brief extension word."""
    scale = 1 << (extension >> 9 & 3)
    d8 = (extension & 0xFF ^ 0x80) - 0x80
    return get_register(s, extension >> 12 & 15) * scale + d8


@njit
def note_part(s: State, source: int, pa: int, size: int, mode: int) -> None:
    """A part of the operand, in one page, that is allowed."""
    part = s.timed[s.n_timed]
    part.source, part.pa, part.size, part.mode = source, pa, size, mode
    s.n_timed += 1


@njit
def time_parts(s: State, kind: int) -> None:
    """All parts are allowed: the access takes its time."""
    for i in range(s.n_timed):
        part = s.timed[i]
        if part.mode & CM_INHIBITED:
            charge_accesses(s, 1, kind)
        elif is_full(s):
            wait_for_data(s, part.source, part.pa, part.size, kind, part.mode, s.cycles)


@njit
def read_bytes(s: State, va: int, size: int) -> tuple[int, int]:
    """Big-endian read of ``size`` bytes: (OPERAND_OK, value), or (OPERAND_FAULT, faulting VA)."""
    supervisor = in_supervisor(s)
    value = 0
    s.n_timed = 0
    next_part = va
    for i in range(size):
        at = (va + i) & 0xFFFFFFFF
        source, entry, pa, perms, cm, bits = resolve(s.mmu, at, READ, supervisor)
        if source == MISS or not permits(perms, READ):
            return OPERAND_FAULT, at
        where, host, _pages = place(s, source, pa)
        if host == 0:
            if i == 0 and where >= 0:
                if source == TLB:
                    touch_data(s, entry)
                done, value = read_device(s, where, size)
                if done:
                    record_access(s, va, size, READ, supervisor)
                catch_access(s, va, size, READ)
                return OPERAND_OK if done else OPERAND_FAULT, value
            return OPERAND_FAULT, at
        if va + i == next_part:
            if source == TLB:
                touch_data(s, entry)
            end = part_end(next_part, bits)
            note_part(s, source, pa, min(end, va + size) - next_part, cm)
            record_access(s, at, min(end, va + size) - next_part, READ, supervisor)
            next_part = end
        value = value << 8 | load8(host)
    time_parts(s, READ)
    catch_access(s, va, size, READ)
    return OPERAND_OK, value


@njit
def address_of(s: State, pc: int, mode: int, size: int) -> tuple[int, int, int]:
    """(VA, An to update or -1, its new value) of the 6-bit memory EA ``mode``; extension words start at ``pc``."""
    kind, r = mode >> 3, mode & 7
    base = get_register(s, 8 + r)
    update = -1
    new = 0
    if kind == 3:
        update, new = 8 + r, base + size
        va = base
    elif kind == 4:
        va = base - size
        update, new = 8 + r, va
    elif kind == 5:
        va = base + sign16(word(s, pc))
    elif kind == 6:
        va = base + index_term(s, word(s, pc))
    elif kind == 7 and r == 0:
        va = sign16(word(s, pc))
    elif kind == 7 and r == 1:
        va = word(s, pc) << 16 | word(s, pc + 2)
    elif kind == 7 and r == 2:
        va = pc + sign16(word(s, pc))
    elif kind == 7 and r == 3:
        va = pc + index_term(s, word(s, pc))
    else:
        va = base
    return va & 0xFFFFFFFF, update, new & 0xFFFFFFFF


@njit
def read_source(s: State, pc: int, mode: int, size: int) -> tuple[int, int, int, int]:
    """Operand of ``size`` bytes with the 6-bit EA ``mode`` whose extension words start at ``pc``.

    Returns (OPERAND_*, value or faulting VA, An to update or -1, its new value). Nothing is written, so that an
    instruction that faults leaves all registers as they were (sheet 3.5).
    """
    kind, r = mode >> 3, mode & 7
    if kind <= 1:
        return OPERAND_OK, get_register(s, mode) & ((1 << 8 * size) - 1), -1, 0
    if kind == 7 and r == 4:
        value = word(s, pc) << 16 | word(s, pc + 2) if size == 4 else word(s, pc)
        return OPERAND_OK, value, -1, 0
    if (kind == 6 or (kind == 7 and r == 3)) and word(s, pc) & INDEX_FORMAT != INDEX_LONG:
        return OPERAND_ILLEGAL, 0, -1, 0
    va, update, new = address_of(s, pc, mode, size)
    outcome, value = read_bytes(s, va, size)
    return outcome, value, update, new
