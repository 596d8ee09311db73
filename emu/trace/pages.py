"""Plain page streams: fixed-size pages in one fully associative TLB, without the V4e's particulars - and much faster.

A stream is an array of page numbers (from 0 up and dense: :class:`Numbering` makes them so; negative ones are clears)
and, if it is run-structured, the number of references of each run. :func:`count_misses` is one size and policy,
:func:`all_sizes` LRU at every size from 1 to 128 in one pass, :func:`marked_sizes` LRU at 4, 8 ... 128, faster still.
The policies are those of :mod:`emu.mmu.plru`, the lowest-numbered invalid entry first.

A table tells for each page in which entry it is. LRU and FIFO are one linked list. For all sizes at once each resident
page has a place on a tape in order of use: its reuse distance is the number of occupied places behind it, counted 32 at
a time, and the tape is pushed together when it is full (after Bennett & Kruskal 1975, whose tape is the whole trace).
For the marked sizes the LRU list is cut into regions, each page knows its region, and a use moves one page over each
border in front of it (after Kim, Hill & Wood 1991).
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from emu.errors import UsageError
from emu.jit import njit, njit_entry
from emu.mmu.state import FETCH, FIFO, LRU, MAX_ENTRIES, PLRU, POLICIES, RANDOM, new_mmu, tree_size
from emu.trace import kernel, layout
from emu.trace.events import ASIDE, KIND
from emu.trace.format import CHUNK_EVENTS, Trace

__all__ = [
    "MARKED",
    "DistanceStream",
    "MarkedStream",
    "Numbering",
    "PageCounts",
    "PolicyStream",
    "all_sizes",
    "count_misses",
    "feed",
    "marked_sizes",
    "page_streams",
]

Ints = Any  # arrays of integers: numba sees arrays, mypy must not look inside
Pages = npt.NDArray[np.int64]

MARKED = (4, 8, 16, 32, 64, 128)
_DIRECT = 1 << 22  # page numbers below need no renumbering
_NONE = -1
_END = MAX_ENTRIES  # the list of use is a ring through this entry, which holds no page: after it the oldest
_SHARED = -1  # owner of a page that every ASID sees
# Scalars of a simulation.
_USED, _RNG, _MISSES, _LAST, _TOP = range(5)
_SCALARS = 5
_TAPE = 512  # places; the longer, the more seldom it is pushed together
_WORD = 32


@dataclass(frozen=True)
class PageCounts:
    """What a page stream did."""

    references: int
    misses: int

    @property
    def hits(self) -> int:
        return self.references - self.misses


# --- numbering ----------------------------------------------------------------------------------------
@njit_entry
def _number(table: Ints, known: int, originals: Ints, keys: Ints, numbers: Ints) -> int:
    """Replace keys by numbers in order of first occurrence, negative ones by themselves; returns how many there are."""
    mask = table.shape[0] - 1
    for i in range(len(keys)):
        key = keys[i]
        if key < 0:
            numbers[i] = key
            continue
        row = (key * 0x9E3779B97F4A7C1) >> 24 & mask
        while table[row] != 0 and originals[table[row] - 1] != key:
            row = (row + 1) & mask
        if table[row] == 0:
            originals[known] = key
            known += 1
            table[row] = known
        numbers[i] = table[row] - 1
    return known


@njit_entry
def _enter_again(table: Ints, known: int, originals: Ints) -> None:
    """Fill an empty table."""
    mask = table.shape[0] - 1
    for number in range(known):
        row = (originals[number] * 0x9E3779B97F4A7C1) >> 24 & mask
        while table[row] != 0:
            row = (row + 1) & mask
        table[row] = number + 1


class Numbering:
    """Dense numbers for any keys from 0 up; ``originals`` leads back."""

    def __init__(self) -> None:
        self.known = 0
        self._originals = np.zeros(1024, np.int64)
        self._table = np.zeros(4096, np.int64)

    @property
    def originals(self) -> Pages:
        return self._originals[: self.known]

    def number(self, keys: Pages) -> Pages:
        """The numbers of some keys; negative ones stay as they are."""
        needed = self.known + len(keys)
        if needed > len(self._originals):
            larger = np.zeros(max(needed, 2 * len(self._originals)), np.int64)
            larger[: self.known] = self.originals
            self._originals = larger
        if 2 * needed > len(self._table):
            self._table = np.zeros(1 << (2 * needed).bit_length(), np.int64)
            _enter_again(self._table, self.known, self._originals)
        numbers = np.empty(len(keys), np.int64)
        self.known = _number(self._table, self.known, self._originals, keys, numbers)
        return numbers

    @property
    def owners(self) -> npt.NDArray[np.int16]:
        """The ASID of each page, -1 for a shared one; keys are those of ``kernel.page_keys``."""
        asid = (self.originals >> layout.KEY_ASID & 0xFF).astype(np.int16)
        asid[self.originals >> layout.KEY_SHARED & 1 == 1] = _SHARED
        return asid


# --- the list of use ----------------------------------------------------------------------------------
@njit
def _unlink(older: Ints, newer: Ints, entry: int) -> None:
    o, n = older[entry], newer[entry]
    newer[o] = n
    older[n] = o


@njit
def _push(older: Ints, newer: Ints, entry: int) -> None:
    first = older[_END]
    older[_END] = entry
    newer[entry] = _END
    older[entry] = first
    newer[first] = entry


@njit
def _dropped(owners: Ints, page: int, clear: int) -> Any:
    """Whether a clear drops a page: CNL all, CAS those of an ASID."""
    if clear == layout.CLEAR_ALL or page >= len(owners):
        return True
    return owners[page] == layout.CLEAR_ASID - clear


# --- one size, any policy -----------------------------------------------------------------------------
@njit
def _mark(tree: Ints, leaves: int, entry: int) -> None:
    """As plru.touch: every node on the path points at the half that was used."""
    node = leaves + entry
    while node > 1:
        tree[node >> 1] = node & 1
        node >>= 1


@njit
def _tree_victim(tree: Ints, leaves: int, entries: int) -> int:
    """As plru.victim, without locks."""
    node = 1
    reach = leaves
    while node < leaves:
        reach >>= 1
        child = 2 * node + 1 - tree[node]
        node = child ^ 1 if child * reach - leaves >= entries else child
    return node - leaves


@njit_entry
def _simulate(
    s: Ints,
    where: Ints,
    owners: Ints,
    keys: Ints,
    older: Ints,
    newer: Ints,
    tree: Ints,
    entries: int,
    leaves: int,
    policy: int,
    pages: Ints,
) -> None:
    misses = 0
    last = s[_LAST]
    used = s[_USED]
    rng = s[_RNG]
    listed = policy == LRU or policy == FIFO
    for i in range(len(pages)):
        page = pages[i]
        if page == last:
            continue
        last = page
        if page < 0:
            for slot in range(entries):
                if keys[slot] >= 0 and _dropped(owners, keys[slot], page):
                    where[keys[slot]] = _NONE
                    keys[slot] = _NONE
                    used -= 1
                    if listed:
                        _unlink(older, newer, slot)
            continue
        entry: Any = np.int64(where[page])
        if entry >= 0:
            if policy == LRU:
                _unlink(older, newer, entry)
                _push(older, newer, entry)
            elif policy == PLRU:
                _mark(tree, leaves, entry)
            continue
        misses += 1
        if used < entries:
            used += 1
            entry = 0
            while keys[entry] >= 0:
                entry += 1
        else:
            if listed:
                entry = newer[_END]
                _unlink(older, newer, entry)
            elif policy == PLRU:
                entry = _tree_victim(tree, leaves, entries)
            else:
                entry = rng % entries
            where[keys[entry]] = _NONE
        keys[entry] = page
        where[page] = entry
        if listed:
            _push(older, newer, entry)
        elif policy == PLRU:
            _mark(tree, leaves, entry)
        elif policy == RANDOM:
            rng ^= (rng << 13) & 0xFFFFFFFF
            rng ^= rng >> 17
            rng ^= (rng << 5) & 0xFFFFFFFF
    s[_MISSES] += misses
    s[_LAST] = last
    s[_USED] = used
    s[_RNG] = rng


# --- LRU at every size --------------------------------------------------------------------------------
@njit
def _ones(word: int) -> Any:
    """Bits set in the low 32."""
    word -= word >> 1 & 0x55555555
    word = (word & 0x33333333) + (word >> 2 & 0x33333333)
    word = (word + (word >> 4)) & 0x0F0F0F0F
    return (word * 0x01010101 & 0xFFFFFFFF) >> 24


@njit
def _push_together(tape: Ints, tenants: Ints, places: Ints) -> int:
    """Move all occupied places of the tape to its begin, in order; returns the first free one."""
    to = 0
    for place in range(_TAPE):
        if tape[place // _WORD] >> (place & (_WORD - 1)) & 1:
            entry = tenants[place]
            tenants[to] = entry
            places[entry] = to
            to += 1
    for word in range(_TAPE // _WORD):
        tape[word] = 0
    for place in range(to):
        tape[place // _WORD] |= 1 << (place & (_WORD - 1))
    return to


@njit_entry
def _distances(
    s: Ints,
    where: Ints,
    owners: Ints,
    keys: Ints,
    tape: Ints,
    tenants: Ints,
    places: Ints,
    histogram: Ints,
    pages: Ints,
) -> None:
    """Count the reuse distance of each run's first reference; the others have 0."""
    last = s[_LAST]
    used = s[_USED]
    top = s[_TOP]
    for i in range(len(pages)):
        page = pages[i]
        if page == last and page >= 0:
            histogram[0] += 1
            continue
        last = page
        if page < 0:
            for slot in range(MAX_ENTRIES):
                if keys[slot] >= 0 and _dropped(owners, keys[slot], page):
                    where[keys[slot]] = _NONE
                    keys[slot] = _NONE
                    used -= 1
                    place = places[slot]
                    tape[place // _WORD] &= ~(1 << (place & (_WORD - 1)))
            continue
        if top == _TAPE:
            top = _push_together(tape, tenants, places)
        entry: Any = np.int64(where[page])
        if entry >= 0:
            place = places[entry]
            word = place // _WORD
            distance = _ones(tape[word] >> (place & (_WORD - 1))) - 1
            for later in range(word + 1, (top + _WORD - 1) // _WORD):
                distance += _ones(tape[later])
            histogram[distance] += 1
            tape[word] &= ~(1 << (place & (_WORD - 1)))
        else:
            histogram[MAX_ENTRIES] += 1
            if used < MAX_ENTRIES:
                used += 1
                entry = 0
                while keys[entry] >= 0:
                    entry += 1
            else:
                # The oldest page is at the first occupied place.
                word = 0
                while tape[word] == 0:
                    word += 1
                lowest = tape[word] & -tape[word]
                tape[word] ^= lowest
                entry = tenants[word * _WORD + _ones(lowest - 1)]
                where[keys[entry]] = _NONE
            keys[entry] = page
            where[page] = entry
        tenants[top] = entry
        places[entry] = top
        tape[top // _WORD] |= 1 << (top & (_WORD - 1))
        top += 1
    s[_LAST] = last
    s[_USED] = used
    s[_TOP] = top


# --- LRU at a few sizes -------------------------------------------------------------------------------
_REGIONS = len(MARKED)
_SIZES = np.array(MARKED, np.int64)


@njit_entry
def _marked(
    s: Ints,
    where: Ints,
    keys: Ints,
    older: Ints,
    newer: Ints,
    region: Ints,
    border: Ints,
    histogram: Ints,
    pages: Ints,
) -> None:
    """Count uses by region: those of region n hit in TLBs of MARKED[n] entries and more. Any clear clears all."""
    last = s[_LAST]
    used = s[_USED]
    for i in range(len(pages)):
        page = pages[i]
        if page == last and page >= 0:
            histogram[0] += 1
            continue
        last = page
        if page < 0:
            for slot in range(used):
                where[keys[slot]] = _NONE
                keys[slot] = _NONE
            used = 0
            border[:] = _NONE
            older[_END] = _END
            newer[_END] = _END
            continue
        entry: Any = np.int64(where[page])
        if entry >= 0:
            within = region[entry]
            histogram[within] += 1
            if older[_END] == entry:
                continue
            if border[within] == entry:
                border[within] = newer[entry]
            _unlink(older, newer, entry)
        else:
            within = _REGIONS
            histogram[within] += 1
            if used < MAX_ENTRIES:
                entry = used
                used += 1
            else:
                entry = newer[_END]
                border[_REGIONS - 1] = newer[entry]
                _unlink(older, newer, entry)
                where[keys[entry]] = _NONE
            keys[entry] = page
            where[page] = entry
        _push(older, newer, entry)
        region[entry] = 0
        # border[n] is the oldest page of region n once regions 0 to n are full: it moves over the border.
        for n in range(min(within, _REGIONS - 1)):
            moved = border[n]
            if moved < 0:
                break
            region[moved] = n + 1
            border[n] = newer[moved]
        if within == _REGIONS:
            for n in range(_REGIONS):
                if used == _SIZES[n] and border[n] < 0:
                    border[n] = newer[_END]
    s[_LAST] = last
    s[_USED] = used


# --- for Python ---------------------------------------------------------------------------------------
class _Stream(ABC):
    """One simulation, fed piece by piece."""

    def __init__(self) -> None:
        self.references = 0
        self.s = np.zeros(_SCALARS, np.int64)
        self.s[_LAST] = _NONE
        self.where = np.full(1024, _NONE, np.int16)
        self.keys = np.full(MAX_ENTRIES, _NONE, np.int64)
        self.older, self.newer = np.zeros(MAX_ENTRIES + 1, np.int64), np.zeros(MAX_ENTRIES + 1, np.int64)
        self.older[_END] = self.newer[_END] = _END
        self.owners = np.zeros(0, np.int16)

    @abstractmethod
    def feed(self, pages: Pages, counts: Pages | None = None) -> None:
        """The next piece of the stream."""

    def take(self, pages: Pages, counts: Pages | None) -> int:
        """Make room for the pages of a piece, note its references; returns those that repeat the first of their run."""
        highest = int(pages.max(initial=0))
        if highest >= len(self.where):
            larger = np.full(max(highest + 1, 2 * len(self.where)), _NONE, np.int16)
            larger[: len(self.where)] = self.where
            self.where = larger
        runs = int((pages >= 0).sum())
        total = runs if counts is None else int(counts.sum())
        self.references += total
        return total - runs


class PolicyStream(_Stream):
    """One TLB. ``owners``: the ASID of each page, where there are clears of an ASID (:attr:`Numbering.owners`)."""

    def __init__(self, entries: int, policy: str = "lru", seed: int = 0) -> None:
        super().__init__()
        if not 1 <= entries <= MAX_ENTRIES:
            raise UsageError(f"{entries} entries: choose 1 to {MAX_ENTRIES}")
        if policy not in POLICIES:
            raise UsageError(f"policy {policy!r}: choose one of {', '.join(POLICIES)}")
        self.entries, self.policy, self.leaves = entries, POLICIES[policy], tree_size(entries)
        self.tree = np.zeros(2 * MAX_ENTRIES, np.int64)
        self.s[_RNG] = new_mmu(seed=seed)[0]["rng"][0]

    def feed(self, pages: Pages, counts: Pages | None = None) -> None:
        self.take(pages, counts)
        _simulate(
            self.s, self.where, self.owners, self.keys, self.older, self.newer, self.tree, self.entries, self.leaves,
            self.policy, pages,
        )  # fmt: skip

    @property
    def result(self) -> PageCounts:
        return PageCounts(self.references, int(self.s[_MISSES]))


class DistanceStream(_Stream):
    """LRU at every size; ``histogram[d]``: references with reuse distance d, the last: 128 and more, or never used."""

    def __init__(self) -> None:
        super().__init__()
        self.tape = np.zeros(_TAPE // _WORD, np.int64)
        self.tenants, self.places = np.zeros(_TAPE, np.int64), np.zeros(MAX_ENTRIES, np.int64)
        self.histogram = np.zeros(MAX_ENTRIES + 1, np.int64)

    def feed(self, pages: Pages, counts: Pages | None = None) -> None:
        self.histogram[0] += self.take(pages, counts)
        _distances(
            self.s, self.where, self.owners, self.keys, self.tape, self.tenants, self.places, self.histogram, pages
        )

    @property
    def misses(self) -> Pages:
        """Misses at sizes 0 to 128."""
        hits = np.concatenate([[0], np.cumsum(self.histogram[:MAX_ENTRIES])])
        return np.asarray(self.references - hits, np.int64)


class MarkedStream(_Stream):
    """LRU at the sizes :data:`MARKED`; every clear clears all."""

    def __init__(self) -> None:
        super().__init__()
        self.region = np.zeros(MAX_ENTRIES, np.int64)
        self.border = np.full(_REGIONS, _NONE, np.int64)
        self.histogram = np.zeros(_REGIONS + 1, np.int64)

    def feed(self, pages: Pages, counts: Pages | None = None) -> None:
        self.histogram[0] += self.take(pages, counts)
        _marked(self.s, self.where, self.keys, self.older, self.newer, self.region, self.border, self.histogram, pages)

    @property
    def misses(self) -> dict[int, int]:
        """Misses by size."""
        hits = np.cumsum(self.histogram[:_REGIONS])
        return {size: self.references - int(hit) for size, hit in zip(MARKED, hits)}


def _dense(pages: Pages) -> Pages:
    return pages if int(pages.max(initial=0)) < _DIRECT else Numbering().number(pages)


def count_misses(
    pages: Pages, counts: Pages | None = None, *, entries: int, policy: str = "lru", seed: int = 0
) -> PageCounts:
    """One TLB over a whole stream."""
    stream = PolicyStream(entries, policy, seed)
    stream.feed(_dense(pages), counts)
    return stream.result


def all_sizes(pages: Pages, counts: Pages | None = None) -> Pages:
    """LRU misses at sizes 0 to 128, in one pass."""
    stream = DistanceStream()
    stream.feed(_dense(pages), counts)
    return stream.misses


def marked_sizes(pages: Pages, counts: Pages | None = None) -> dict[int, int]:
    """LRU misses at 4, 8, 16, 32, 64 and 128 entries, in one pass."""
    stream = MarkedStream()
    stream.feed(_dense(pages), counts)
    return stream.misses


def page_streams(trace: Trace, page_size: int) -> Iterator[tuple[Pages, Pages]]:
    """The runs of a trace as keys and counts, piece by piece; see ``kernel.page_keys``."""
    bits = page_size.bit_length() - 1
    setup = trace.header.mmu
    mmu = setup.build() if setup else new_mmu()
    s, memo = np.zeros(layout.SCALARS, np.int64), np.full((layout.MEMO, layout.MEMO_COLUMNS), -1, np.int64)
    keys, counts = np.zeros(CHUNK_EVENTS + 1, np.int64), np.zeros(CHUNK_EVENTS + 1, np.int64)
    for chunk in trace.chunks():
        code, a, b = chunk.events
        if setup is None:
            # Without MMU events every access is one of a user, in one address space.
            accesses = code < ASIDE
            side = ((code[accesses] & KIND) != FETCH).astype(np.int64)
            yield side << layout.KEY_SIDE | a[accesses].astype(np.int64) >> bits, b[accesses].astype(np.int64)
        else:
            used = kernel.page_keys(mmu, s, memo, bits, code, a, b, keys, counts)
            yield keys[:used], counts[:used]


def feed(trace: Trace, page_size: int, streams: Sequence[tuple[_Stream, _Stream]]) -> None:
    """Feed a trace to simulations, each a pair: one for the instruction TLB, one for the data TLB."""
    numberings = Numbering(), Numbering()
    for keys, counts in page_streams(trace, page_size):
        clears = keys < 0
        side = keys >> layout.KEY_SIDE & 1
        for number, numbering in enumerate(numberings):
            mine = clears | (side == number)
            pages = numbering.number(keys[mine])
            owners = numbering.owners if bool((pages < layout.CLEAR_ALL).any()) else None
            for pair in streams:
                if owners is not None:
                    pair[number].owners = owners
                pair[number].feed(pages, counts[mine])
