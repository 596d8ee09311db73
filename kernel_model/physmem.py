"""The kernel's physical memory manager: a sorted table of byte ranges, each with a class and a use.

It follows ``kern_PhysMem.c`` (kernel sheet 3): only RAM that is available can be allocated; an allocation splits a
range; equal neighbours merge, except device ranges, so that removing one cannot fail; the fitting range with the
highest base is taken, from its top downwards.  Bottom-up allocation is our addition, because it alone decides whether
VA = PA + constant can hold over the whole heap (kernel sheet 4.3).  There is no separate release: memory is given back
by re-declaring it available (``claim(..., Use.AVAILABLE)``).
"""

from bisect import bisect_right
from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Direction", "MemoryClass", "OutOfMemory", "PhysicalMemory", "Region", "Use"]


class MemoryClass(StrEnum):
    """What answers at an address."""

    RAM = "ram"
    ROM = "rom"
    DEVICE = "device"


class Use(StrEnum):
    """What a range is used for (those uses of the source that a ColdFire board can have)."""

    AVAILABLE = "available"
    KERNEL = "kernel"  # image: text, data, vectors, stack
    HEAP = "heap"
    HEADERS = "headers"  # heap held back for device page headers
    PAGES = "pages"  # page space: frames promised to the space bank
    PINNED = "pinned"  # page space too, but holds a running program: cannot be taken back
    DEVICE = "device"


NEVER_MERGED = frozenset({Use.DEVICE})


class Direction(StrEnum):
    """From which end of RAM the allocator takes."""

    TOP_DOWN = "top-down"
    BOTTOM_UP = "bottom-up"


class OutOfMemory(Exception):
    """No free run is long enough."""


@dataclass(frozen=True)
class Region:
    """Bytes ``[base, end)``."""

    base: int
    end: int
    kind: MemoryClass
    use: Use

    @property
    def size(self) -> int:
        """Bytes in the region."""
        return self.end - self.base


def _mergeable(left: Region, right: Region) -> bool:
    return (left.end, left.kind, left.use) == (right.base, right.kind, right.use) and left.use not in NEVER_MERGED


class PhysicalMemory:
    """The sorted, non-overlapping region table of one board."""

    def __init__(self, page_size: int) -> None:
        self.page_size = page_size
        self.regions: list[Region] = []

    def add(self, base: int, size: int, kind: MemoryClass, use: Use) -> None:
        """Register a range that was unknown; ValueError when it is empty, or overlaps a known one."""
        if size <= 0:
            raise ValueError(f"a region needs a positive size, not {size}")
        clash = next((region for region in self.regions if base < region.end and region.base < base + size), None)
        if clash is not None:
            raise ValueError(f"{base:#x}..{base + size:#x} overlaps {clash.use} at {clash.base:#x}..{clash.end:#x}")
        self._insert(Region(base, base + size, kind, use))

    def add_ram(self, base: int, size: int) -> None:
        """Register available RAM."""
        self.add(base, size, MemoryClass.RAM, Use.AVAILABLE)

    def claim(self, base: int, size: int, use: Use) -> None:
        """Change the use of ``[base, base + size)``, which must lie in one region (splits it, then merges)."""
        if size <= 0:
            return
        owner = self.region_at(base)
        if owner is None or base + size > owner.end:
            raise ValueError(f"{base:#x}..{base + size:#x} does not lie in one known region")
        self.regions.remove(owner)
        pieces = (
            Region(owner.base, base, owner.kind, owner.use),
            Region(base, base + size, owner.kind, use),
            Region(base + size, owner.end, owner.kind, owner.use),
        )
        for piece in pieces:
            if piece.size:
                self._insert(piece)

    def allocate(
        self, size: int, use: Use, direction: Direction = Direction.TOP_DOWN, source: Use = Use.AVAILABLE
    ) -> int:
        """Take ``size`` contiguous bytes, rounded up to pages, from RAM in use ``source`` and return their base.

        Top-down takes the top of the highest region that fits, bottom-up the bottom of the lowest.  Raises
        :class:`OutOfMemory` when no region is large enough.
        """
        size = -(-size // self.page_size) * self.page_size
        fitting = [region for region in self._ram(source) if region.size >= size]
        if not fitting:
            raise OutOfMemory(f"no run of {size} bytes is {source}; the longest has {self.longest_run(source)}")
        base = fitting[-1].end - size if direction is Direction.TOP_DOWN else fitting[0].base
        self.claim(base, size, use)
        return base

    def longest_run(self, use: Use = Use.AVAILABLE) -> int:
        """Bytes of the longest RAM region in ``use``."""
        return max((region.size for region in self._ram(use)), default=0)

    def total(self, use: Use) -> int:
        """Bytes put to ``use``."""
        return sum(region.size for region in self.regions if region.use is use)

    def region_at(self, address: int) -> Region | None:
        """The region that holds ``address``."""
        index = bisect_right(self.regions, address, key=lambda region: region.base) - 1
        if index < 0 or address >= self.regions[index].end:
            return None
        return self.regions[index]

    def _ram(self, use: Use) -> list[Region]:
        return [region for region in self.regions if region.kind is MemoryClass.RAM and region.use is use]

    def _insert(self, region: Region) -> None:
        index = bisect_right(self.regions, region.base, key=lambda other: other.base)
        if index < len(self.regions) and _mergeable(region, self.regions[index]):
            region = Region(region.base, self.regions.pop(index).end, region.kind, region.use)
        if index > 0 and _mergeable(self.regions[index - 1], region):
            index -= 1
            region = Region(self.regions.pop(index).base, region.end, region.kind, region.use)
        self.regions.insert(index, region)
