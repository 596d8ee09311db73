"""Properties of the physical memory manager, the heap on it, and the promise to the space bank."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel_model.heap import Chunk, Heap, merge_chunks
from kernel_model.physmem import Direction, MemoryClass, OutOfMemory, PhysicalMemory, Use
from kernel_model.spacebank import SpaceBank

PAGE = 8192
DIRECTIONS = st.sampled_from(list(Direction))
REQUESTS = st.lists(
    st.tuples(st.integers(1, 40 * PAGE), st.sampled_from([Use.HEAP, Use.PAGES, Use.PINNED]), DIRECTIONS)
)


def board() -> PhysicalMemory:
    memory = PhysicalMemory(PAGE)
    memory.add_ram(0, 64 * PAGE)
    memory.add_ram(0x1000000, 128 * PAGE)
    memory.add(0x80000000, 16 * PAGE, MemoryClass.DEVICE, Use.DEVICE)
    return memory


@given(REQUESTS)
def test_regions_never_overlap_and_bytes_are_conserved(requests: list[tuple[int, Use, Direction]]) -> None:
    memory = board()
    total = sum(region.size for region in memory.regions)
    for size, use, direction in requests:
        try:
            base = memory.allocate(size, use, direction)
        except OutOfMemory:
            assert memory.longest_run() < size
            continue
        owner = memory.region_at(base)
        assert owner is not None
        assert owner.use is use
        assert base + size <= owner.end
        ordered = memory.regions
        assert all(left.end <= right.base for left, right in itertools.pairwise(ordered))
        assert sum(region.size for region in ordered) == total
        assert sum(memory.total(kind) for kind in Use) == total


@given(REQUESTS)
def test_redeclaring_everything_available_restores_the_table(requests: list[tuple[int, Use, Direction]]) -> None:
    memory = board()
    fresh = list(memory.regions)
    taken = []
    for size, use, direction in requests:
        try:
            taken.append((memory.allocate(size, use, direction), -(-size // PAGE) * PAGE))
        except OutOfMemory:
            continue
    for base, size in taken:
        memory.claim(base, size, Use.AVAILABLE)
    assert memory.regions == fresh


def test_the_highest_base_is_taken_from_the_top() -> None:
    assert board().allocate(PAGE, Use.HEAP) == 0x1000000 + 127 * PAGE
    assert board().allocate(PAGE, Use.HEAP, Direction.BOTTOM_UP) == 0
    assert board().allocate(100 * PAGE, Use.HEAP, Direction.BOTTOM_UP) == 0x1000000


def test_device_neighbours_do_not_merge() -> None:
    memory = board()
    memory.add(0x80000000 + 16 * PAGE, PAGE, MemoryClass.DEVICE, Use.DEVICE)
    assert len([region for region in memory.regions if region.use is Use.DEVICE]) == 2


@pytest.mark.parametrize(("base", "size", "message"), [(0, PAGE, "overlaps"), (0x9000000, 0, "positive size")])
def test_bad_regions_are_refused(base: int, size: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        board().add_ram(base, size)


def test_claim_must_lie_in_one_region() -> None:
    with pytest.raises(ValueError, match="one known region"):
        board().claim(63 * PAGE, 2 * PAGE, Use.HEAP)


@given(st.lists(st.tuples(st.integers(1, 900), st.integers(1, 300))), DIRECTIONS)
def test_heap_chunks_back_the_heap_exactly(requests: list[tuple[int, int]], direction: Direction) -> None:
    memory = board()
    heap = Heap(0xC0100000, 0xFF000000, memory, direction)
    try:
        for size, count in requests:
            va = heap.calloc(size, count)
            assert va % 4 == 0
            assert va + size * count == heap.end
    except OutOfMemory:
        pass
    assert sum(chunk.size for chunk in heap.chunks) == heap.backed - heap.start == memory.total(Use.HEAP)
    assert heap.end <= heap.backed
    position = heap.start
    for chunk in heap.ranges():
        assert chunk.va == position
        position += chunk.size
    assert position == heap.backed


def test_bottom_up_gives_one_constant() -> None:
    memory = PhysicalMemory(PAGE)
    memory.add_ram(0, 64 * PAGE)
    heap = Heap(0xC0000000, 0xFF000000, memory, Direction.BOTTOM_UP)
    for _ in range(5):
        heap.calloc(PAGE, 3)
    assert heap.ranges() == [Chunk(0xC0000000, 0, 15 * PAGE)]


def test_merge_ignores_the_order_of_taking() -> None:
    assert merge_chunks([Chunk(0x4000, 0x2000, 0x2000), Chunk(0x2000, 0, 0x2000)]) == [Chunk(0x2000, 0, 0x4000)]


def test_heap_limit() -> None:
    heap = Heap(0xC0000000, 0xC0000000 + PAGE, board(), Direction.TOP_DOWN)
    heap.calloc(PAGE, 1)
    with pytest.raises(OutOfMemory, match="past its limit"):
        heap.calloc(1, 1)


@given(st.integers(0, 500), st.lists(st.tuples(st.booleans(), st.integers(0, 60))))
def test_bank_conserves_frames(promised: int, events: list[tuple[bool, int]]) -> None:
    bank = SpaceBank(promised)
    for allocating, frames in events:
        before = bank.lost
        try:
            bank.allocate(frames) if allocating else bank.take_back(frames)
        except ValueError:
            continue
        assert bank.resident + bank.taken_back == bank.promised
        assert bank.lost == max(before, bank.allocated - bank.resident, 0)
    assert sum(bank.promise.values()) == promised


def test_promise_broken_is_not_yet_content_lost() -> None:
    bank = SpaceBank(100)
    bank.allocate(80)
    bank.take_back(20)
    assert (bank.taken_back, bank.lost) == (20, 0)
    bank.take_back(5)
    assert (bank.taken_back, bank.lost) == (25, 5)
    bank.allocate(20)
    assert bank.lost == 25
