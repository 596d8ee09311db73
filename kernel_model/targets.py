"""The two ports of the kernel, as far as sizes go: what boot asks for, and what device memory costs.

The i386 is here for contrast: smaller pages, larger structures, and page tables that growth needs frames for. Nothing
is known of its misses and cycles, and nothing is said of them.
"""

from dataclasses import dataclass

from kernel_model.sizing import MEGABYTE, PAGE_SIZE, HeapEstimate, estimate, pages_for
from kernel_model.structures import Alignment, Sizes, i386_sizes, sizes

__all__ = ["TARGETS", "BootSize", "DeviceSize", "Target", "boot_size", "device_size", "largest_ram"]

IMAGE = MEGABYTE  # kernel sheet 1.6
HEAP_LIMIT_VA, KVA = 0xFF00_0000, 0xC000_0000  # kernel sheet 1.2, both ports
GIGABYTE = 1 << 30


@dataclass(frozen=True)
class Target:
    """A port: its pages, its structures, and what else of RAM boot sets aside."""

    name: str
    page_size: int
    sizes: Sizes
    table_percent: int
    """Free pages that boot reserves for page tables (kernel sheet 1.3, step 7)."""
    table_reach: int | None
    """Bytes of heap that one page-table page maps; None where a software TLB needs none."""
    heap_start: int
    """VA of the heap: the end of the image, on the i386 of the 4 MB that table 0 maps (kernel sheet 1.2)."""

    @property
    def heap_va(self) -> int:
        """Bytes of virtual addresses for the heap."""
        return HEAP_LIMIT_VA - self.heap_start


TARGETS = {
    target.name: target
    for target in (
        Target("coldfire", PAGE_SIZE, sizes(Alignment.COMPILED), 0, None, KVA + IMAGE),
        Target("i386", 4096, i386_sizes(), 10, 4 * MEGABYTE, KVA + 4 * MEGABYTE),
    )
}


@dataclass(frozen=True)
class BootSize:
    """What boot asks for with so much RAM."""

    target: str
    ram: int
    heap: HeapEstimate
    page_tables: int
    fits: bool

    @property
    def share(self) -> float:
        """Heap as a part of RAM."""
        return self.heap.bytes / self.ram


@dataclass(frozen=True)
class DeviceSize:
    """What so much device memory costs. ``tables``: frames for page tables that map the new headers."""

    target: str
    device: int
    pages: int
    headers: int
    frames: int
    tables: int


def boot_size(target: Target, ram: int, *, tables: bool = True) -> BootSize:
    """The estimate for ``ram`` bytes; ``tables=False``: without Depend and RevMap. ValueError for too little RAM."""
    free = ram // target.page_size - pages_for(IMAGE, target.page_size)
    held_back = max(free, 0) * target.table_percent // 100
    heap = estimate(
        ram - held_back * target.page_size,
        IMAGE,
        struct_sizes=target.sizes,
        tables=tables,
        page_size=target.page_size,
    )
    return BootSize(target.name, ram, heap, held_back, heap.bytes <= target.heap_va)


def device_size(target: Target, device: int) -> DeviceSize:
    """Pages, header bytes and frames for ``device`` bytes of device memory."""
    pages = pages_for(device, target.page_size)
    headers = pages * target.sizes.page
    tables = pages_for(headers, target.table_reach) if target.table_reach else 0
    return DeviceSize(target.name, device, pages, headers, pages_for(headers, target.page_size), tables)


def largest_ram(target: Target, *, tables: bool = True) -> int:
    """The most RAM, in whole megabytes, whose heap has room in the kernel's virtual addresses."""
    low, high = 64, 64 * 1024
    while high - low > 1:
        middle = (low + high) // 2
        if boot_size(target, middle * MEGABYTE, tables=tables).fits:
            low = middle
        else:
            high = middle
    return low * MEGABYTE
