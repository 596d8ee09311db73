"""The boot-time size formula against the tables of the kernel sheet."""

import pytest

from kernel_model.heap import Heap
from kernel_model.physmem import Direction, PhysicalMemory, Use
from kernel_model.sizing import MEGABYTE, PAGE_SIZE, estimate
from kernel_model.structures import Alignment, sizes

# Table 1.6: RAM MB -> nProc, nGPT, nEnd, nPage, heap MB, 8-KB pages, 1-MB maps, MB without Depend and RevMap.
TABLE_1_6 = {
    16: (83, 521, 735, 1657, 2.09, 268, 3, 0.43),
    32: (167, 1017, 1365, 3426, 4.28, 548, 5, 0.85),
    64: (325, 1956, 2625, 6966, 8.63, 1105, 9, 1.65),
    128: (650, 3913, 5251, 14044, 17.35, 2222, 18, 3.30),
    256: (1309, 7878, 10502, 28195, 34.85, 4461, 35, 6.63),
    512: (2619, 15731, 21005, 56503, 69.80, 8934, 70, 13.26),
}

# Table 4.3, in allocation order: vector -> (pages, backed VA from, PA).
TABLE_4_3 = {
    "process": (70, 0xC0100000, 0x07F74000),
    "gpt": (150, 0xC018C000, 0x07E48000),
    "endpoint": (50, 0xC02B8000, 0x07DE4000),
    "index": (7, 0xC031C000, 0x07DD6000),
    "page": (93, 0xC032A000, 0x07D1C000),
    "depend": (750, 0xC03E4000, 0x07740000),
    "revmap": (1049, 0xC09C0000, 0x06F0E000),
    "otentry": (53, 0xC11F2000, 0x06EA4000),
}


@pytest.mark.parametrize("megabytes", TABLE_1_6)
def test_table_1_6(megabytes: int) -> None:
    nproc, ngpt, nend, npage, heap_mb, pages, maps, bare_mb = TABLE_1_6[megabytes]
    heap = estimate(megabytes * MEGABYTE)
    assert [heap.count(name) for name in ("process", "gpt", "endpoint", "page")] == [nproc, ngpt, nend, npage]
    assert (heap.pages, heap.large_maps) == (pages, maps)
    assert heap.bytes / MEGABYTE == pytest.approx(heap_mb, abs=0.02)
    assert heap.bytes_without_tables / MEGABYTE == pytest.approx(bare_mb, abs=0.02)


def test_dropping_the_tables_before_sizing() -> None:
    heap = estimate(128 * MEGABYTE, tables=False)
    assert heap.count("page") == 15827
    assert heap.count("depend") == heap.count("revmap") == 0
    assert heap.bytes / MEGABYTE == pytest.approx(3.43, abs=0.02)
    assert heap.large_maps == 4


def test_four_byte_alignment() -> None:
    heap = estimate(128 * MEGABYTE, struct_sizes=sizes(Alignment.ALIGNED))
    assert heap.bytes / MEGABYTE == pytest.approx(17.42, abs=0.02)


def test_breakdown_at_128_megabytes() -> None:
    kilobytes = {vector.name: vector.bytes / 1024 for vector in estimate(128 * MEGABYTE).vectors}
    expected = {
        "revmap": 8392, "depend": 6000, "gpt": 1200, "page": 741,
        "process": 560, "otentry": 424, "endpoint": 400, "index": 55,
    }  # fmt: skip
    assert set(kilobytes) == set(expected)
    for name, size in expected.items():
        assert kilobytes[name] == pytest.approx(size, abs=0.6), name


def test_accidental_header_slack() -> None:
    """Kernel sheet 2.2: headers estimated less frames really obtained."""
    for megabytes, slack in ((64, 7), (128, 10), (512, 29)):
        heap = estimate(megabytes * MEGABYTE)
        frames = (megabytes - 1) * MEGABYTE // PAGE_SIZE - heap.pages
        assert heap.count("page") - frames == slack


def test_layout_of_table_4_3() -> None:
    """HEAD's rules: bump allocation upwards in VA, chunks from the top of RAM downwards."""
    memory = PhysicalMemory(PAGE_SIZE)
    memory.add_ram(0, 128 * MEGABYTE)
    memory.claim(0, MEGABYTE, Use.KERNEL)
    heap = Heap(0xC0100000, 0xFF000000, memory, Direction.TOP_DOWN)
    for vector in estimate(128 * MEGABYTE).vectors:
        before = len(heap.chunks)
        heap.calloc(vector.size, vector.count)
        (chunk,) = heap.chunks[before:]
        assert (chunk.pages(PAGE_SIZE), chunk.va, chunk.pa) == TABLE_4_3[vector.name]
    assert len(heap.ranges()) == 8


def test_no_room_is_an_error() -> None:
    with pytest.raises(ValueError, match="no page frame"):
        estimate(MEGABYTE)
