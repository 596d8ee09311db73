"""Which entry is replaced: the hardware's tree with hit recency, and three other policies for the trace tools.

Architecture (CF4UM 10-20; 548xRM 5-21; 54455RM 4-21): the lowest invalid entry first; otherwise a binary tree whose
bit ``rdRecentHHToLL`` is 1 when the upper half of a group was used more recently; hits of locked entries change
nothing; a half whose entries are all locked counts as recent, so it is never chosen. Our choice: LRU, FIFO and RANDOM,
entry counts other than 32, and finding the locked halves in ``barred`` during the walk, so that a touch need not know
them. Forcing the tree bits instead would be indistinguishable: an entry is unlocked only by a load of that entry, which
marks its half as recent anyway.
"""

from emu.jit import njit
from emu.mmu.registers import MMUDR_LK, MMUTR_V
from emu.mmu.state import FIFO, LRU, PLRU, RANDOM, WARN_ALL_LOCKED, Mmu
from emu.mmu.warn import warn

__all__ = ["note_load", "replacement", "reset", "set_locked", "touch", "victim"]


@njit
def _mark(m: Mmu, side: int, index: int) -> None:
    """Make every tree bit on the path of an entry point at it as recent."""
    m.plru[side, 0] = (m.plru[side, 0] & m.path_keep[side, index, 0]) | m.path_mark[side, index, 0]
    # Nodes 32 and up exist only in trees that hardware has not.
    if m.tree[side] > 32:
        for word in range(1, 4):
            m.plru[side, word] = (m.plru[side, word] & m.path_keep[side, index, word]) | m.path_mark[side, index, word]


@njit
def _stamp(m: Mmu, side: int, index: int) -> None:
    m.clock[side] += 1
    m.stamp[side, index] = m.clock[side]


@njit
def touch(m: Mmu, side: int, index: int) -> None:
    """Record a completed hit; a locked entry's hit changes nothing (CF4UM 10-20; 54455RM 4-6; 548xRM 5-21)."""
    if m.data[side, index] & MMUDR_LK:
        return
    if m.policy == PLRU:
        _mark(m, side, index)
    elif m.policy == LRU:
        _stamp(m, side, index)


@njit
def note_load(m: Mmu, side: int, index: int) -> None:
    """Record a TLB write: every one updates the replacement state (54455RM 4-6), of a locked or dropped entry too."""
    if m.policy == PLRU:
        _mark(m, side, index)
    elif m.policy == RANDOM:
        # Xorshift32 (Marsaglia 2003). It advances on loads only: a victim may be asked for any number of times.
        x = m.rng[side]
        x ^= (x << 13) & 0xFFFFFFFF
        x ^= x >> 17
        m.rng[side] = x ^ ((x << 5) & 0xFFFFFFFF)
    else:
        _stamp(m, side, index)


@njit
def set_locked(m: Mmu, side: int, index: int, locked: int) -> None:
    """Bar (1) or free (0) the leaf of an entry, and every group that this makes wholly locked or no longer so."""
    node = m.tree[side] + index
    m.barred[side, node] = locked
    while node > 1:
        node >>= 1
        m.barred[side, node] = m.barred[side, 2 * node] & m.barred[side, 2 * node + 1]


@njit
def reset(m: Mmu, side: int) -> None:
    """The state after reset and CA: all zero (sheet 7 item 24: the value is our choice)."""
    m.plru[side, :] = 0
    m.stamp[side, :] = 0
    m.clock[side] = 0
    m.rng[side] = m.seed


@njit
def _tree_choice(m: Mmu, side: int) -> int:
    """Walk to the less recent half at each node: bit 1 -> lower, bit 0 -> upper (sheet 7 item 24)."""
    leaves = m.tree[side]
    # Item 10: with every entry locked the walk ignores locks; leaves that do not exist stay out of reach.
    ignore_locks = m.barred[side, 1] != 0
    node = 1
    reach = leaves
    while node < leaves:
        reach >>= 1
        recent_upper = (m.plru[side, node >> 5] >> (node & 31)) & 1
        child = 2 * node + 1 - recent_upper
        if ignore_locks:
            closed = child * reach - leaves >= m.entries[side]
        else:
            closed = m.barred[side, child] != 0
        node = child ^ 1 if closed else child
    index: int = node - leaves
    return index


@njit
def _oldest(m: Mmu, side: int) -> int:
    """The entry with the smallest stamp, lowest first, among the unlocked ones; among all when all are locked."""
    ignore_locks = m.barred[side, 1] != 0
    best = -1
    for index in range(m.entries[side]):
        if not ignore_locks and m.data[side, index] & MMUDR_LK:
            continue
        if best < 0 or m.stamp[side, index] < m.stamp[side, best]:
            best = index
    return best


@njit
def _random_choice(m: Mmu, side: int) -> int:
    """The n-th unlocked entry, n from the generator; among all when all are locked."""
    ignore_locks = m.barred[side, 1] != 0
    candidates = 0
    for index in range(m.entries[side]):
        if ignore_locks or not m.data[side, index] & MMUDR_LK:
            candidates += 1
    remaining = m.rng[side] % candidates
    for index in range(m.entries[side]):
        if ignore_locks or not m.data[side, index] & MMUDR_LK:
            if remaining == 0:
                return index
            remaining -= 1
    return 0


@njit
def victim(m: Mmu, side: int) -> int:
    """The entry that the policy would replace if all were valid; pure, and never a locked one while any is free."""
    if m.policy == PLRU:
        return _tree_choice(m, side)
    if m.policy == LRU or m.policy == FIFO:
        return _oldest(m, side)
    return _random_choice(m, side)


@njit
def replacement(m: Mmu, side: int) -> int:
    """The entry to allocate: the lowest-numbered invalid one, otherwise the policy's victim (CF4UM 10-20)."""
    if m.valid[side] < m.entries[side]:
        for index in range(m.entries[side]):
            if not m.tag[side, index] & MMUTR_V:
                return index
    if m.barred[side, 1]:
        warn(m, WARN_ALL_LOCKED)
    return victim(m, side)
