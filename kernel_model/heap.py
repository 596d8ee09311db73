"""The kernel heap: a bump allocator whose backing comes in physical chunks (kernel sheet 1.1).

The virtual address only rises.  Backing is taken as the source takes it: ask for the longest free run and take
``min(needed, run)`` pages in one contiguous block.  Which end of RAM those blocks come from therefore decides how many
VA - PA constants the heap has, and so how it can be mapped.
"""

from dataclasses import dataclass

from kernel_model.physmem import Direction, OutOfMemory, PhysicalMemory, Use
from kernel_model.sizing import pages_for

__all__ = ["Chunk", "Heap", "merge_chunks"]

POINTER_ALIGNMENT = 4  # calloc aligns to the size of a pointer


@dataclass(frozen=True)
class Chunk:
    """``size`` bytes of heap at ``va``, backed by contiguous physical memory at ``pa``."""

    va: int
    pa: int
    size: int

    @property
    def constant(self) -> int:
        """VA - PA of the chunk."""
        return self.va - self.pa

    def pages(self, page_size: int) -> int:
        """Page frames of the chunk."""
        return pages_for(self.size, page_size)


def merge_chunks(chunks: list[Chunk]) -> list[Chunk]:
    """Join chunks that continue each other in VA and PA, whatever order they were taken in."""
    merged: list[Chunk] = []
    for chunk in sorted(chunks, key=lambda item: item.va):
        last = merged[-1] if merged else None
        if last and last.va + last.size == chunk.va and last.constant == chunk.constant:
            merged[-1] = Chunk(last.va, last.pa, last.size + chunk.size)
        else:
            merged.append(chunk)
    return merged


class Heap:
    """State of the allocator: start, end of allocated, end of backed, hard limit (all virtual addresses)."""

    def __init__(
        self, start: int, limit: int, memory: PhysicalMemory, direction: Direction, use: Use = Use.HEAP
    ) -> None:
        self.start = self.end = self.backed = start
        self.limit = limit
        self.memory = memory
        self.direction = direction
        self.use = use
        self.chunks: list[Chunk] = []

    def calloc(self, size: int, count: int) -> int:
        """Allocate ``count`` elements of ``size`` bytes and return their VA.

        Raises :class:`OutOfMemory` past the hard limit or without free RAM; the source asserts in both cases.
        """
        va = -(-self.end // POINTER_ALIGNMENT) * POINTER_ALIGNMENT
        end = va + size * count
        self.back(end)
        self.end = end
        return va

    def back(self, target: int) -> None:
        """Back the heap with frames up to ``target``, rounded up to a page."""
        page = self.memory.page_size
        goal = -(-target // page) * page
        if goal > self.limit:
            raise OutOfMemory(f"heap would end at {goal:#x}, past its limit {self.limit:#x}")
        while self.backed < goal:
            run = min(goal - self.backed, self.memory.longest_run() // page * page)
            if run == 0:
                raise OutOfMemory("no free RAM left to back the heap")
            pa = self.memory.allocate(run, self.use, self.direction)
            self.chunks.append(Chunk(self.backed, pa, run))
            self.backed += run

    def ranges(self) -> list[Chunk]:
        """The fewest ranges with one constant each that map the heap."""
        return merge_chunks(self.chunks)
