"""How much heap the kernel asks for at boot: ``cache_estimate_sizes`` of the Coyotos source (kernel sheet 1.4).

The formula is the subject of the study, so it is kept as the source has it, odd constants included ("unmotivated
guesses" in its own words).  It reproduces every ColdFire row of table 1.6 of the kernel sheet.

Rounding, worked out from that table: a vector is rounded up to whole pages and then filled, except Page headers, whose
number is what is left; the object-table vector is sized from its own rounded count; the page-by-address index is not
subtracted from the pages left, although it is allocated; the heap as a whole is a bump allocation, so its page count
is that of the byte total and not the sum of the vectors' pages.
"""

from dataclasses import dataclass

from kernel_model.structures import Alignment, Sizes, sizes

__all__ = ["MEGABYTE", "PAGE_SIZE", "HeapEstimate", "Vector", "estimate", "pages_for"]

MEGABYTE = 1 << 20
PAGE_SIZE = 8192  # ColdFire port: the cache way is 8 KB and virtually indexed (kernel sheet 4.1)

PAGES_PER_PROCESS = 25  # cache_init(25, ...)
GPTS_PER_PROCESS = 6
ENDPOINTS_PER_PROCESS = 8
DEPEND_PER_PAGE = 3  # blocks; "very architecture sensitive" in the source
REVMAP_PER_PAGE = 3
FUZZ_PAGES = 4

#: Order in which ``cache_init`` allocates the vectors, hence their order in the heap (kernel sheet 1.3, step 8).
HEAP_ORDER = ("process", "gpt", "endpoint", "index", "page", "depend", "revmap", "otentry")


@dataclass(frozen=True)
class Vector:
    """One vector of kernel objects: ``count`` elements of ``size`` bytes."""

    name: str
    count: int
    size: int

    @property
    def bytes(self) -> int:
        """Bytes of the vector."""
        return self.count * self.size


@dataclass(frozen=True)
class HeapEstimate:
    """The boot-time heap: its vectors in allocation order."""

    vectors: tuple[Vector, ...]
    page_size: int

    def count(self, name: str) -> int:
        """Number of objects called ``name``; 0 when that vector was dropped."""
        return next((vector.count for vector in self.vectors if vector.name == name), 0)

    @property
    def bytes(self) -> int:
        """Bytes of all vectors together."""
        return sum(vector.bytes for vector in self.vectors)

    @property
    def pages(self) -> int:
        """Page frames that back the heap."""
        return pages_for(self.bytes, self.page_size)

    @property
    def large_maps(self) -> int:
        """1-MB mappings that cover the heap when it starts on a 1-MB boundary."""
        return pages_for(self.bytes, MEGABYTE)

    @property
    def bytes_without_tables(self) -> int:
        """Bytes without Depend and RevMap, the last column of table 1.6 (the counts are not recomputed)."""
        return sum(vector.bytes for vector in self.vectors if vector.name not in ("depend", "revmap"))


def pages_for(size: int, page_size: int) -> int:
    """Pages of ``page_size`` bytes needed for ``size`` bytes."""
    return -(-size // page_size)


def estimate(
    ram_bytes: int,
    image_bytes: int = MEGABYTE,
    *,
    struct_sizes: Sizes | None = None,
    tables: bool = True,
    page_size: int = PAGE_SIZE,
) -> HeapEstimate:
    """Size the heap for ``ram_bytes`` of RAM of which ``image_bytes`` hold the kernel image.

    ``tables=False`` drops Depend and RevMap *before* sizing, as the ColdFire plan intends for its first version (kernel
    sheet 4.1); the pages they would have used then become page frames with headers.  Raises ValueError when nothing
    is left for page frames.
    """
    size = struct_sizes or sizes(Alignment.COMPILED)
    left = ram_bytes // page_size - pages_for(image_bytes, page_size)
    counts: dict[str, int] = {}

    def use(name: str, wanted: int) -> None:
        """Give the vector whole pages, fill them, and take them off what is left."""
        nonlocal left
        pages = pages_for(max(wanted, 0) * size.of(name), page_size)
        counts[name] = pages * page_size // size.of(name)
        left -= pages

    use("process", left // PAGES_PER_PROCESS)
    use("gpt", GPTS_PER_PROCESS * counts["process"])
    use("endpoint", ENDPOINTS_PER_PROCESS * counts["process"])
    if tables:
        use("depend", DEPEND_PER_PAGE * left)
        use("revmap", REVMAP_PER_PAGE * left)
    use("otentry", 3 * (counts["process"] + counts["gpt"] + counts["endpoint"] + left) // 2)
    left += FUZZ_PAGES
    left -= pages_for(left * size.page, page_size)
    counts["page"] = counts["index"] = max(left, 0)
    heap = HeapEstimate(
        tuple(Vector(name, counts[name], size.of(name)) for name in HEAP_ORDER if name in counts), page_size
    )
    if ram_bytes < image_bytes + (heap.pages + 1) * page_size:
        raise ValueError(f"{ram_bytes} bytes of RAM leave no page frame beside a kernel of {image_bytes} bytes")
    return heap
