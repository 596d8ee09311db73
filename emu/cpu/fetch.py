"""Instruction words that the engine fetches itself: accesses like any other, with recency and faults."""

from emu.cpu.blocks import instruction_length, unwind
from emu.cpu.exceptions import access_error
from emu.cpu.memory import place
from emu.cpu.processor import in_supervisor
from emu.cpu.recorder import record_fetch
from emu.cpu.state import State
from emu.jit import njit
from emu.mmu.attributes import MISS, TLB, permits, resolve
from emu.mmu.plru import touch
from emu.mmu.state import FETCH, ITLB

__all__ = ["enter_code", "fetch", "fetch_rest"]


@njit
def fetch(s: State, va: int) -> tuple[int, int]:
    """(Host address of the instruction word at ``va``, log2 of its page's size), with the recency of the page.

    The address is 0 when the word cannot be fetched.
    """
    source, entry, pa, perms, _cm, bits = resolve(s.mmu, va, FETCH, in_supervisor(s))
    if source == MISS or not permits(perms, FETCH):
        return 0, bits
    _where, host, _pages = place(s, source, pa)
    if host:
        record_fetch(s, va, in_supervisor(s))
        if source == TLB:
            touch(s.mmu, ITLB, entry)
            s.code_key = -1  # the next block is another hit of its page
    return host, bits


@njit
def enter_code(s: State, va: int) -> None:
    """The instruction at ``va``, which can be fetched, runs alone: note where its page is. The next block asks anew."""
    s.code_key = -1
    source, _entry, pa, _perms, cm, _bits = resolve(s.mmu, va, FETCH, in_supervisor(s))
    s.code_source, s.code_pa, s.code_mode = source, pa, cm


@njit
def fetch_rest(s: State, pc: int, op: int) -> bool:
    """Fetch what the instruction ``op`` at ``pc`` has on another page; False when its access error was taken."""
    second = (pc + instruction_length(s, op) - 1) & 0xFFFFFC00
    if second == pc & 0xFFFFFC00 or fetch(s, second)[0]:
        return True
    unwind(s, pc)
    access_error(s, second, FETCH, in_supervisor(s), pc)
    return False
