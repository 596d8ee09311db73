"""Public engine: the copies of code pages that unicorn fetches instructions from.

In a copy an intercepted op word can be replaced by ILLEGAL; the guest's own bytes stay as they are. Words that unicorn
cannot translate without aborting the process are ILLEGAL from the start, wherever they stand: it translates a block
before any hook has seen it. An instruction that has such a word behind its op word runs alone.
Core SRAM and device memory have no copy: all code there runs alone.
"""

from emu.cpu.intercept import aborts
from emu.cpu.raw import load8, load16be, load64, store16be, store64
from emu.cpu.state import PAGE_BYTES, PAGE_CODE, State
from emu.jit import njit

__all__ = ["follow", "is_hidden", "is_patched", "patch", "shadow_page", "shadow_word"]

OP_ILLEGAL = 0x4AFC
PAGE = 4096


@njit
def shadow_bank(s: State, host: int) -> int:
    """Number of the bank of memory that ``host`` lies in, if it has copies of its pages; else -1."""
    for i in range(s.n_banks):
        bank = s.banks[i]
        if bank.host <= host < bank.host + bank.end - bank.base and bank.shadow_host:
            return i
    return -1


@njit
def hide_aborting(copy: int, size: int) -> None:
    """Replace the words that unicorn must not translate in ``size`` bytes of a copy."""
    for k in range(0, size, 2):
        if aborts(load16be(copy + k)):
            store16be(copy + k, OP_ILLEGAL)


@njit
def shadow_page(s: State, host: int, pages: int) -> int:
    """unicorn's address of the copy of the 4-KB page that ``host`` lies in, made if the page had no code yet; -1 if it
    has none."""
    i = shadow_bank(s, host)
    if i < 0:
        return -1
    bank = s.banks[i]
    offset = (host - bank.host) & -PAGE
    if not load8(pages) & PAGE_CODE:
        for k in range(0, PAGE, 8):
            store64(bank.shadow_host + offset + k, load64(bank.host + offset + k))
        hide_aborting(bank.shadow_host + offset, PAGE)
    return int(bank.shadow + offset)


@njit
def shadow_word(s: State, host: int) -> int:
    """Host address of the copy of the byte at ``host``; 0 if it has none."""
    i = shadow_bank(s, host)
    return 0 if i < 0 else int(s.banks[i].shadow_host + host - s.banks[i].host)


@njit
def is_patched(s: State, host: int) -> bool:
    """Whether ILLEGAL stands in the copy of the word at ``host``."""
    word = shadow_word(s, host)
    return word != 0 and load16be(word) == OP_ILLEGAL


@njit
def is_hidden(s: State, host: int) -> bool:
    """Whether unicorn sees ILLEGAL in the copy of the word at ``host`` and the guest does not."""
    return is_patched(s, host) and load16be(host) != OP_ILLEGAL


@njit
def patch(s: State, host: int) -> None:
    """Put ILLEGAL over the copy of the word at ``host``."""
    store16be(shadow_word(s, host), OP_ILLEGAL)


@njit
def follow(s: State, host: int, size: int) -> None:
    """The engine has written ``size`` bytes at ``host``: a copy of their page must not stay behind."""
    i = shadow_bank(s, host)
    if i < 0:
        return
    bank = s.banks[i]
    offset = host - bank.host
    if load8(bank.pages + PAGE_BYTES * (offset >> 12)) & PAGE_CODE:
        first = offset & -2
        for k in range(first, offset + size, 2):
            store16be(bank.shadow_host + k, load16be(bank.host + k))
        hide_aborting(bank.shadow_host + first, offset + size - first)
