"""What a debugger waits for: exceptions, TLB loads, accesses to watched addresses.

Each ends the run at the first instruction boundary behind it, with a note of what it was (``caught``); several of one
instruction: the first is noted. It takes effect as a stop address does, so it changes no count. An instruction that
may do one of these in the middle of a block runs by itself. Nothing is asked for while nothing is waited for: watched
pages stay out of the softmmu, so that each access to them comes to :func:`emu.cpu.translate.grant_data`; the others do
not notice.
"""

from emu.cpu.state import ATTENTION_CATCH, CAUGHT_ACCESS, CAUGHT_EXCEPTION, CAUGHT_LOAD, State
from emu.jit import njit
from emu.mmu.registers import MMUOR_ACC, MMUOR_ADR, MMUOR_RW, OFFSET_MMUOR, VECTOR_ACCESS_ERROR

__all__ = [
    "catch_access",
    "catch_exception",
    "catch_load",
    "forget_access",
    "is_near_watch",
    "is_watched",
    "waits_for_load",
]

PAGE = 4096
LONGEST_OPERAND = 8


@njit
def catch(s: State, what: int, number: int, va: int, kind: int) -> None:
    """Note the event, unless one is noted already."""
    if not s.attention & ATTENTION_CATCH:
        s.attention |= ATTENTION_CATCH
        s.caught, s.caught_number, s.caught_va, s.caught_kind = what, number, va, kind


# --- accesses


@njit
def is_near_watch(s: State, va: int) -> bool:
    """Whether an operand that begins on the 4-KB page of ``va`` may reach a watched address."""
    page = va & 0xFFFFF000
    for i in range(s.n_watches):
        if s.watches[i, 0] < page + PAGE + LONGEST_OPERAND and page < s.watches[i, 1]:
            return True
    return False


@njit
def is_watched(s: State, va: int, size: int, kind: int) -> bool:
    """Whether somebody waits for this data access (READ or WRITE), in the present address space."""
    for i in range(s.n_watches):
        asid = s.watches[i, 3]
        if va < s.watches[i, 1] and s.watches[i, 0] < va + size and s.watches[i, 2] >> kind & 1:
            if asid < 0 or asid == s.mmu.asid:
                return True
    return False


@njit
def is_seen_again(s: State, va: int, size: int) -> bool:
    """Native: whether this look, inside a softmmu fill, is one more at an operand that was looked at as a whole.

    unicorn looks at an operand that crosses into another page whole first, then at parts of it that may be larger than
    what it accesses there. A host PC runs once in a block.
    """
    if s.watch_host_pc == s.host_pc and s.watch_block == s.instructions:
        return True
    if (va & PAGE - 1) + size > PAGE:
        s.watch_host_pc, s.watch_block = s.host_pc, s.instructions
    return False


@njit
def catch_access(s: State, va: int, size: int, kind: int) -> None:
    """A data access is made."""
    if s.n_watches and is_watched(s, va, size, kind):
        catch(s, CAUGHT_ACCESS, size, va, kind)


@njit
def forget_access(s: State) -> None:
    """The instruction does not retire: what it accessed it will access again."""
    if s.attention & ATTENTION_CATCH and s.caught == CAUGHT_ACCESS:
        s.attention &= ~ATTENTION_CATCH


# --- exceptions and TLB loads


@njit
def catch_exception(s: State, vector: int, fs: int, pc: int) -> None:
    """An exception has been taken; its handler is next."""
    if s.catch_vectors[vector]:
        s.caught_pc, s.caught_fs = pc, fs
        if vector == VECTOR_ACCESS_ERROR:
            catch(s, CAUGHT_EXCEPTION, vector, s.refused_va, s.refused_kind)
        else:
            catch(s, CAUGHT_EXCEPTION, vector, 0, 0)


@njit
def waits_for_load(s: State, offset: int) -> bool:
    """Whether a store at ``offset`` of the MMU's window may load an entry that somebody waits for, and does not run by
    itself yet."""
    return bool(s.catch_loads and not s.single and offset & ~3 == OFFSET_MMUOR)


@njit
def catch_load(s: State, offset: int, size: int, operation: int) -> None:
    """A store of ``size`` bytes at ``offset`` of the window has changed translations: was it a load of an entry?"""
    starts = offset == OFFSET_MMUOR + 4 - size  # the operations are in the lower half
    if s.catch_loads and starts and operation & MMUOR_ACC and not operation & MMUOR_RW:
        catch(s, CAUGHT_LOAD, s.mmu.mmuar if operation & MMUOR_ADR else s.mmu.aa, 0, 0)
