"""One TLB of the oracle: its entries and its replacement state (sheet 1.12)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tests.oracle.entries import Entry, Side, matches

Policy = Literal["plru", "lru", "fifo"]


def next_power_of_two(n: int) -> int:
    size = 1
    while size < n:
        size *= 2
    return size


@dataclass(frozen=True)
class Group:
    """Entries `low` .. `high` under one node of the tree."""

    low: int  # lowest entry number in the group
    high: int  # highest entry number in the group

    @property
    def lower(self) -> Group:
        return Group(self.low, (self.low + self.high) // 2)

    @property
    def upper(self) -> Group:
        return Group((self.low + self.high) // 2 + 1, self.high)

    @property
    def bit_name(self) -> str:
        """The manual names a node after its upper half: rdRecent31To16 compares 31-16 against 15-0."""
        half = self.upper
        return f"rdRecent{half.high}To{half.low}" if half.low != half.high else f"rdRecent{half.high}"

    def members(self) -> range:
        return range(self.low, self.high + 1)


def all_bit_names(group: Group) -> list[str]:
    if group.low == group.high:
        return []
    return [group.bit_name, *all_bit_names(group.upper), *all_bit_names(group.lower)]


def make_recent(bits: dict[str, int], group: Group, number: int) -> None:
    """Set every bit on the path to entry `number` so that it points at it as recent (1.12)."""
    if group.low == group.high:
        return
    in_upper = number in group.upper.members()
    bits[group.bit_name] = int(in_upper)
    make_recent(bits, group.upper if in_upper else group.lower, number)


def least_recent(bits: dict[str, int], group: Group, blocked: set[int]) -> int:
    """Walk to the entry to replace: bit 1 -> lower half, bit 0 -> upper half (item 24).

    A half with nothing but blocked entries counts as recent whatever its bit says (1.12).
    """
    if group.low == group.high:
        return group.low
    if blocked.issuperset(group.upper.members()):
        go_lower = True
    elif blocked.issuperset(group.lower.members()):
        go_lower = False
    else:
        go_lower = bits[group.bit_name] == 1
    return least_recent(bits, group.lower if go_lower else group.upper, blocked)


class Tlb:
    """One of the two TLBs: its entries and its replacement state."""

    def __init__(self, side: Side, count: int, first_address: int, policy: Policy) -> None:
        self.side: Side = side
        self.count = count
        self.first_address = first_address  # TLB address of entry 0
        self.policy: Policy = policy
        self.whole = Group(0, next_power_of_two(count) - 1)
        self.entries = [Entry() for _ in range(count)]
        self.bits: dict[str, int] = {}
        self.loaded: list[int] = []  # entry numbers, oldest load first
        self.used: list[int] = []  # entry numbers, least recently loaded or hit first
        self.forget_recency()

    def forget_recency(self) -> None:
        """All bits zero (item 24)."""
        self.bits = dict.fromkeys(all_bit_names(self.whole), 0)
        self.loaded = list(range(self.count))
        self.used = list(range(self.count))

    def note_load(self, number: int) -> None:
        """Every TLB write counts, of a locked entry too (1.12)."""
        make_recent(self.bits, self.whole, number)
        self.loaded.remove(number)
        self.loaded.append(number)
        self.used.remove(number)
        self.used.append(number)

    def note_hit(self, number: int) -> None:
        """A hit of a locked entry changes nothing (1.12)."""
        if self.entries[number].lk:
            return
        make_recent(self.bits, self.whole, number)
        self.used.remove(number)
        self.used.append(number)

    def all_locked(self) -> bool:
        return all(e.valid and e.lk for e in self.entries)

    def replacement(self) -> int:
        """Entry number to allocate (1.12).

        Own choice: LK of an invalid entry means nothing, as the first rule asks only for V (and CA
        leaves such entries behind).
        """
        for number, entry in enumerate(self.entries):
            if not entry.valid:
                return number
        absent = set(self.whole.members()) - set(range(self.count))
        locked = {number for number, entry in enumerate(self.entries) if entry.lk}
        if self.all_locked():
            locked = set()  # item 10: the tree choice ignoring locks
        if self.policy == "plru":
            return least_recent(self.bits, self.whole, absent | locked)
        order = self.used if self.policy == "lru" else self.loaded
        return next(number for number in order if number not in locked)

    def hits(self, va: int, asid: int, supervisor: bool, asm: bool) -> list[int]:
        """Numbers of all matching entries, lowest first."""
        return [n for n, e in enumerate(self.entries) if e.valid and matches(e, va, asid, supervisor, asm)]
