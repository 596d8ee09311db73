"""Level full: an allowed data access takes its time, part by part (docs/timing-model.md, section 4)."""

from emu.cpu.blocks import instruction_length, rest_of_block, word_at
from emu.cpu.charges import CM_INHIBITED, charge_accesses, keep_buffer, note_charge, note_wait
from emu.cpu.data_time import wait_for_data
from emu.cpu.looks import is_first_look
from emu.cpu.processor import get_pc
from emu.cpu.raw import call_restore, load64, store64
from emu.cpu.state import F_RESTORE, RESTS, State
from emu.jit import njit
from emu.mmu.attributes import resolve
from emu.mmu.registers import field_mask
from emu.mmu.state import WRITE
from emu.timing.caches import WRITE_THROUGH

__all__ = ["take_time", "time_part"]

CACR_DEC = field_mask("CACR", "DEC")
PAGE = 4096
UC_PAGE_BITS = 12  # unicorn's pages


@njit
def access_now(s: State) -> int:
    """Native engine, inside a softmmu fill: the time of the access, which is the end of its instruction.

    Where in the block that is depends on the host PC only, and is remembered by it.
    """
    t = s.time
    if s.single or t.block_count == 1:
        return int(s.cycles)
    slot = s.rests + 24 * (s.host_pc >> 2 & (RESTS - 1))
    if t.block_serial and load64(slot) == s.host_pc and load64(slot + 8) == t.block_serial:
        return int(s.cycles - load64(slot + 16))
    call_restore(s.fn[F_RESTORE], (s.cpu, s.host_pc, 1))
    offset = get_pc(s) - s.block_pc
    rest = 0
    if 0 <= offset < s.block_size:
        offset += instruction_length(s, word_at(s, offset))
        _count, rest = rest_of_block(s, min(offset, s.block_size))
    store64(slot, s.host_pc)
    store64(slot + 8, t.block_serial)
    store64(slot + 16, rest)
    return int(s.cycles - rest)


@njit
def is_repeated(s: State, kind: int, mode: int) -> bool:
    """Whether another try of an access would take its time again: a line that was filled is there, but not so what goes
    to memory each time."""
    return bool(not s.mmu.cacr & CACR_DEC or (kind == WRITE and mode == WRITE_THROUGH))


@njit
def take_time(s: State, va: int, size: int, kind: int, user: int) -> None:
    """Level full: an allowed access to memory takes its time, each 4-KB page of it when unicorn comes to that.

    unicorn looks more than once at an operand that crosses into another page: each part of it counts once.
    """
    if not is_first_look(s, s.look, va, size):
        return
    now = access_now(s) - s.cycles
    end = min(va + size, (va | (PAGE - 1)) + 1)
    at = va
    while at < end:
        source, _entry, pa, _perms, cm, bits = resolve(s.mmu, at, kind, 1 - user)
        part = min(end, (at | (1 << min(bits, UC_PAGE_BITS)) - 1) + 1)
        time_part(s, source, pa, part - at, kind, cm, s.cycles + now)
        at = part


@njit
def time_part(s: State, source: int, pa: int, size: int, kind: int, mode: int, now: int) -> None:
    """Level full: the part of an operand that is in one page takes its time, and may have to give it back."""
    if mode & CM_INHIBITED:
        charge_accesses(s, 1, kind)
        note_charge(s, 1, kind)
        return
    before = s.cycles + 0
    keep_buffer(s)
    wait_for_data(s, source, pa, size, kind, mode, now)
    if is_repeated(s, kind, mode):
        note_wait(s, before)
