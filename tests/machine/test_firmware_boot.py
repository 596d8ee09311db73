"""Boot construction: whatever the mapping, guest code builds the same kernel, and only guest code."""

from collections import Counter

import pytest

from kernel_model.abi import CAP_PAGE_DIVISOR, HASH_BUCKETS, MAX_RANGES, HandlerKind, MappingKind, Vector
from tests.support.nucleus import FRAMES, SMALL, Driver

TY_PROCESS, TY_GPT, TY_ENDPOINT, TY_PAGE, TY_CAP_PAGE = 1, 2, 3, 4, 5
AGE_ACTIVE, AGE_CHECK, AGE_RECLAIM = 1, 2, 3

COMBINATIONS = [
    ("coyotos128", MappingKind.ACR, HandlerKind.RANGE, 13),
    ("coyotos128", MappingKind.ACR, HandlerKind.LINEAR, 12),
    ("coyotos128", MappingKind.LOCKED_1M, HandlerKind.TWO_LEVEL, 13),
    ("coyotos128", MappingKind.UNLOCKED_1M, HandlerKind.RANGE, 13),
    ("coyotos128-low", MappingKind.LOCKED_1M, HandlerKind.LINEAR, 12),
    ("coyotos128-low", MappingKind.UNLOCKED_1M, HandlerKind.TWO_LEVEL, 12),
    ("coyotos128-low", MappingKind.UNLOCKED_1M, HandlerKind.LINEAR, 13),
    ("m5475evb", MappingKind.UNLOCKED_1M, HandlerKind.RANGE, 12),
    *(("coyotos128-low", MappingKind.PAGED_8K, handler, 13) for handler in HandlerKind),
    *(("coyotos128", MappingKind.PAGED_4K, handler, 12) for handler in HandlerKind),
]


@pytest.mark.parametrize(("board", "mapping", "handler", "shift"), COMBINATIONS)
def test_boot_builds_the_kernel(board: str, mapping: MappingKind, handler: HandlerKind, shift: int) -> None:
    with Driver(board, parameters={"mapping": mapping, "handler": handler, "page_shift": shift}) as guest:
        start, end, pages, frames, headers, locked, ranges, tables = guest.boot()
        assert guest.machine.host_writes == 0
        assert (start, frames) == (guest.chunks[0][0], FRAMES)
        assert end > guest.vector(Vector.USER_TABLE)
        assert pages * guest.page == sum(size for _, _, size in guest.chunks)
        assert headers == SMALL[Vector.PAGE] - FRAMES - 16
        assert locked == {MappingKind.ACR: 0, MappingKind.LOCKED_1M: 2}.get(mapping, 1)
        assert (0 < ranges < MAX_RANGES) == (mapping >= MappingKind.PAGED_8K and handler == HandlerKind.RANGE)
        assert (tables > 0) == (handler == HandlerKind.TWO_LEVEL)
        check_hash(guest)
        check_age_lists(guest)
        check_free_lists(guest)


def check_hash(guest: Driver) -> None:
    """Every object is in the bucket of its OID, exactly once."""
    seen: Counter[int] = Counter()
    for bucket in range(HASH_BUCKETS):
        for header in guest.chain(bucket):
            assert header.oid_low % HASH_BUCKETS == bucket
            assert header.oid_high == 0
            seen[header.type] += 1
    caps = FRAMES // CAP_PAGE_DIVISOR
    assert seen == {
        TY_PROCESS: SMALL[Vector.PROCESS],
        TY_GPT: SMALL[Vector.GPT],
        TY_ENDPOINT: SMALL[Vector.ENDPOINT],
        TY_PAGE: FRAMES - caps,
        TY_CAP_PAGE: caps,
    }


def check_age_lists(guest: Driver) -> None:
    """Reclaim list n/7, check list n/10, the rest active; only the frames of user processes are off the lists."""
    caches = guest.elf.address("caches")
    pinned = 2 * 4  # text, two data pages and stack of two processes
    for type_, n in ((TY_PROCESS, 40), (TY_GPT, 240), (TY_ENDPOINT, 320), (TY_PAGE, FRAMES)):
        lists = {age: guest.links(caches + 32 * type_ + 8 * age) for age in (AGE_ACTIVE, AGE_CHECK, AGE_RECLAIM)}
        on_lists = sum(map(len, lists.values()))
        assert on_lists == n - (pinned if type_ == TY_PAGE else 0)
        assert all(guest.header(va).age == age for age, members in lists.items() for va in members)
        if type_ != TY_PAGE:
            assert (len(lists[AGE_RECLAIM]), len(lists[AGE_CHECK])) == (n // 7, n // 10)


def check_free_lists(guest: Driver) -> None:
    """Free headers in address order, console reserve first in the vector; object-table entries all free."""
    stride = 56
    page_vector = guest.vector(Vector.PAGE)

    def pool(name: str) -> list[int]:
        members, at = [], guest.variable(name)
        while at:
            members.append(at)
            at = guest.word(at)
        return members

    assert pool("console_headers") == [page_vector + stride * i for i in range(16)]
    assert pool("free_headers") == [page_vector + stride * i for i in range(16 + FRAMES, SMALL[Vector.PAGE])]
    otes, at = 0, guest.variable("free_otes")
    while at:
        otes, at = otes + 1, guest.word(at)
    assert otes == SMALL[Vector.OTE]


def test_the_structures_have_the_strides_of_the_parameter_block() -> None:
    with Driver() as guest:
        guest.boot()
        for i, va in enumerate(guest.elements(Vector.PROCESS)):
            assert (guest.header(va).oid_low, guest.header(va).type) == (i, TY_PROCESS)
        index = guest.elements(Vector.INDEX)
        low = guest.frames[0]
        for i in (0, 1, FRAMES // 2, FRAMES - 1):
            page = guest.word(index[i])
            assert guest.memory(page + 50, 2) + guest.memory(page + 52, 2) == (low + i * 8192).to_bytes(4, "big")


def test_top_down_frames_leave_one_constant_a_vector_and_a_range_each() -> None:
    """Kernel sheet 0.6: VA goes up while frames come from the top of RAM downwards."""
    parameters = {"mapping": MappingKind.PAGED_8K, "handler": HandlerKind.RANGE}
    with Driver("coyotos128-low", top_down=True, parameters=parameters) as guest:
        ranges = guest.boot()[6]
        assert ranges == len(guest.chunks) == 7
        assert len({va - pa for va, pa, _ in guest.chunks}) == 7


def test_top_down_frames_under_the_direct_map() -> None:
    with Driver(top_down=True, parameters={"mapping": MappingKind.LOCKED_1M}) as guest:
        guest.boot()
        assert {va - pa for va, pa, _ in guest.chunks} == {0}
        check_hash(guest)


def test_a_missing_parameter_block_halts_with_the_code_in_d0() -> None:
    with Driver(parameters={"magic": 0}) as guest:
        result = guest.machine.run(max_instructions=1000)
        assert (result.reason.name, guest.machine.registers["d0"]) == ("HALT", 1)


def test_bad_parameters_are_a_panic() -> None:
    with Driver(parameters={"mapping": 9}) as guest:
        result = guest.machine.run(max_instructions=100_000)
        assert (result.reason.name, guest.panic[0], guest.machine.registers["d0"]) == ("HALT", 1, 1)
        assert b"panic: bad boot parameters" in bytes(guest.machine.console)
