"""Workloads beside IPC of two and cold prepares: each does what it counts, and its counts are those of the kernel."""

import hashlib
import itertools
import struct
from collections import Counter
from collections.abc import Mapping

import pytest

from kernel_model import abi
from kernel_model.abi import Command, FlushPolicy, HandlerKind, MappingKind, Refusal, Vector
from tests.support.nucleus import CARD, FRAMES, SMALL, Driver

TY_GPT, TY_PAGE = 2, 4
MAPPINGS = [
    ("coyotos128", {"mapping": MappingKind.ACR}),
    ("coyotos128", {"mapping": MappingKind.UNLOCKED_1M, "handler": HandlerKind.TWO_LEVEL}),
    ("coyotos128-low", {"mapping": MappingKind.PAGED_8K}),
    ("coyotos128-low", {"mapping": MappingKind.PAGED_4K, "page_shift": 12, "handler": HandlerKind.LINEAR}),
]


def many(
    clients: int, board: str = "coyotos128", parameters: Mapping[str, int] | None = None, engine: str = "auto"
) -> Driver:
    """A nucleus with a server and ``clients`` clients."""
    counts = {Vector.USER_TABLE: clients + 1, Vector.PROCESS: max(40, clients + 1)}
    counts |= {Vector.GPT: max(240, clients + 1), Vector.ENDPOINT: max(320, clients + 1)}
    return Driver(board, counts=counts, engine=engine, parameters={"user_processes": clients + 1, **(parameters or {})})


EVERY_WORKLOAD = (
    (Command.FAN_IN, 3, 2, 4, 5),
    (Command.SPACE, 2, 20 * 8192, 3, 7),
    (Command.FAULT_STORM, 2, 60, 3),
    (Command.STRING_IPC, 10_001, 4),
    (Command.SHUFFLE, 3),
    (Command.CHURN, 5, 20, 9),
    (Command.AGE, 130),
    (Command.ATTACH, CARD, 9),
    (Command.DETACH, CARD, 9, 0),
    (Command.ATTACH, CARD, 5),
    (Command.DETACH, CARD, 5, 1),
)


def outcome(engine: str, board: str, parameters: dict[str, int]) -> dict[str, object]:
    """Everything that a run of all workloads leaves behind."""
    with many(3, board, parameters, engine) as guest:
        statuses = [guest.run(*command)[0] for command in EVERY_WORKLOAD]
        memory = guest.machine.read_physical(guest.base, 0x0100_0000)
        assert statuses == [Refusal.OK] * len(EVERY_WORKLOAD)
        return {
            "counters": guest.machine.counters().to_dict(),
            "memory": hashlib.sha256(memory).hexdigest(),
            "done": guest.done,
        }


@pytest.mark.parametrize(("board", "parameters"), [MAPPINGS[1], MAPPINGS[3]])
@pytest.mark.parametrize("engine", ["native", "public"])
def test_an_engine_counts_what_the_reference_counts(engine: str, board: str, parameters: dict[str, int]) -> None:
    assert outcome(engine, board, parameters) == outcome("reference", board, parameters)


# ---- fan-in ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("flush", list(FlushPolicy))
@pytest.mark.parametrize(("board", "parameters"), MAPPINGS)
def test_every_client_gets_the_answers_to_its_own_calls(
    board: str, parameters: dict[str, int], flush: FlushPolicy
) -> None:
    with many(20, board, {"flush": flush, **parameters}) as guest:
        guest.boot()
        before = guest.machine.counters()
        answered, received, queued = guest.run(Command.FAN_IN, 20, 10, 3, 7)[1:4]
        after = guest.machine.counters() - before
        assert (guest.done[-1][1], answered, received) == (Refusal.OK, 200, 200)
        assert queued == 19 * 10  # the first caller of each round finds the server waiting, the others queue behind it
        assert after.operations[abi.Operation.IPC].count == 400
        assert guest.machine.host_writes == 0
        for number, table in enumerate(guest.elements(Vector.USER_TABLE)):
            pte = guest.word(table + 4 * (abi.USER_DATA_VA >> guest.block["page_shift"]))
            touched = guest.machine.read_physical(pte & -guest.page, 4)
            assert int.from_bytes(touched, "big") == (10 if number else 200)


def start_order(clients: int, seed: int) -> list[int]:
    """The shuffle of the nucleus."""
    order: list[int] = []
    for number in range(clients):
        seed = xorshift(seed)
        at = seed % (number + 1)
        order.append(order[at] if at < number else 0)
        order[at] = number + 1
    return order


def test_more_processes_than_asids_share_them_without_seeing_each_others_pages() -> None:
    """Processes 0 and 255 have one ASID: entries of the one must be gone when the other runs, here right after it."""
    seed = next(seed for seed in itertools.count(1) if start_order(256, seed)[-1] == 255)
    with many(256, parameters={"flush": FlushPolicy.ASID}) as guest:
        assert guest.run(Command.FAN_IN, 256, 3, 1, seed)[:3] == (Refusal.OK, 256 * 3, 256 * 3)
        order = guest.memory(guest.elf.address("order"), 512)
        assert list(struct.unpack(">256H", order)) == start_order(256, seed)
        tables = list(guest.elements(Vector.USER_TABLE))
        for number, expected in ((0, 768), (1, 3), (255, 3), (256, 3)):
            pte = guest.word(tables[number] + 4 * (abi.USER_DATA_VA >> 13))
            assert int.from_bytes(guest.machine.read_physical(pte & -guest.page, 4), "big") == expected


def test_capabilities_that_go_with_a_call_arrive_and_cost() -> None:
    cycles = []
    for capabilities in (1, 2, 3, 4):
        with many(8, parameters={"mapping": MappingKind.PAGED_8K}) as guest:
            assert guest.run(Command.FAN_IN, 8, 5, capabilities, 1)[0] == Refusal.OK
            cycles.append(guest.machine.counters().operations[abi.Operation.IPC].cycles)
            server = guest.elements(Vector.PROCESS)[0]
            types = [guest.word(server + 224 + 16 * (4 + i)) & 0xF for i in range(3)]
            assert types == [2, 1, TY_PAGE][: capabilities - 1] + [0] * (4 - capabilities)
    assert cycles == sorted(set(cycles))


def test_the_seed_decides_the_order_of_the_clients() -> None:
    def order(seed: int) -> list[int]:
        with many(8) as guest:
            guest.run(Command.FAN_IN, 8, 2, 1, seed)
            return list(struct.unpack(">8H", guest.memory(guest.elf.address("order"), 16)))

    assert sorted(order(1)) == list(range(1, 9))
    assert order(1) == order(1) != order(2)


@pytest.mark.parametrize(
    "arguments", [(0, 1, 1, 1), (9, 1, 1, 1), (8, 0, 1, 1), (8, 1, 0, 1), (8, 1, 5, 1), (8, 1, 1, 0)]
)
def test_fan_in_refuses_what_it_cannot_do(arguments: tuple[int, ...]) -> None:
    with many(8) as guest:
        assert guest.run(Command.FAN_IN, *arguments)[0] == Refusal.BAD_COMMAND


# ---- address spaces of GPTs ------------------------------------------------------------------------------------------
GPT_L2V, GPT_SLOTS, PROCESS_SPACE, PAGE_PA = 50, 58, 144, 50
PREPARED = 0x8000_0000


def longword(guest: Driver, va: int) -> int:
    """A longword that may cross a page."""
    return int.from_bytes(guest.memory(va, 2) + guest.memory(va + 2, 2), "big")


def pages_of_space(guest: Driver, process: int, pages: int) -> dict[int, int]:
    """Number -> PA of those pages of a space whose walk has been made, found as the manual of the kernel says."""
    shift = guest.block["page_shift"]
    per_process = guest.block.values["vector_count"][Vector.PROCESS] // guest.block["user_processes"]
    space = guest.elements(Vector.PROCESS)[process * per_process] + PROCESS_SPACE
    found = {}
    for number in range(pages):
        capability, va = space, abi.USER_SPACE_VA + (number << shift)
        while longword(guest, capability) == PREPARED | TY_GPT:
            gpt = longword(guest, capability + 12)
            l2v = longword(guest, gpt + GPT_L2V)
            assert l2v + 4 >= 32 or va >> l2v + 4 == longword(guest, capability + 4)
            capability = gpt + GPT_SLOTS + 16 * (va >> l2v & 15)
            va &= (1 << l2v) - 1
        if longword(guest, capability) == PREPARED | TY_PAGE:
            assert va == 0
            found[number] = longword(guest, longword(guest, capability + 12) + PAGE_PA)
    return found


def xorshift(state: int) -> int:
    """The generator of the nucleus."""
    state ^= state << 13 & 0xFFFF_FFFF
    state ^= state >> 17
    return state ^ (state << 5 & 0xFFFF_FFFF)


@pytest.mark.parametrize("depth", [2, 3, 5])
@pytest.mark.parametrize(("board", "parameters"), MAPPINGS)
def test_a_storm_increments_the_pages_that_its_random_numbers_name(
    board: str, parameters: dict[str, int], depth: int
) -> None:
    with Driver(board, parameters=parameters) as guest:
        pages = 200
        guest.boot()
        assert guest.run(Command.SPACE, 2, pages * guest.page, depth, 7)[:2] == (Refusal.OK, 2 * pages)
        assert guest.done[-1][3] == 2 * (13 + depth - 1)  # 200 pages need 13 GPTs of 16 slots, and one at each level
        before = guest.machine.counters()
        status, touches, walks, visited = guest.run(Command.FAULT_STORM, 2, 500, 3)[:4]
        after = guest.machine.counters() - before
        assert (status, touches, visited) == (Refusal.OK, 1000, walks * depth)
        assert walks == after.operations[abi.Operation.WALK].count == after.misses.dtlb_user > 500
        if parameters["mapping"] >= MappingKind.PAGED_8K:
            assert after.misses.nested > 0  # the walk goes through the heap
        state, frames = 3, set()
        for process in (0, 1):
            state = number = xorshift(state)
            expected = Counter[int]()
            for _ in range(500):
                number = xorshift(number)
                expected[number % pages] += 1
            space = pages_of_space(guest, process, pages)
            assert space.keys() == expected.keys()
            for page, count in expected.items():
                assert int.from_bytes(guest.machine.read_physical(space[page], 4), "big") == count
            frames |= set(space.values())
            assert len(space) == len(set(space.values()))
        assert len(frames) == sum(len(pages_of_space(guest, process, pages)) for process in (0, 1))
        assert guest.machine.host_writes == 0


def test_a_new_space_takes_the_old_one_back() -> None:
    with Driver() as guest:
        for seed in range(1, 12):  # 11 x 200 pages and 28 GPTs do not fit 1200 pages and 240 GPTs at once
            assert guest.run(Command.SPACE, 2, 100 * 8192, 2, seed)[:2] == (Refusal.OK, 200)
        gpts = guest.elements(Vector.GPT)
        assert sum(longword(guest, gpt + GPT_L2V) != 0 for gpt in gpts) == guest.done[-1][3] == 2 * (7 + 1)


def test_a_space_larger_than_the_system_is_refused() -> None:
    with Driver() as guest:
        assert guest.run(Command.SPACE, 2, 600 * 8192, 3, 1)[0] == Refusal.NO_OBJECT
        assert guest.run(Command.FAULT_STORM, 2, 10, 1)[0] == Refusal.NO_OBJECT
        assert guest.run(Command.SPACE, 1, 257 * 8192, 2, 1)[0] == Refusal.BAD_COMMAND
        assert guest.run(Command.SPACE, 1, 8192, 6, 1)[0] == Refusal.BAD_COMMAND


def test_a_guard_that_does_not_match_leads_nowhere() -> None:
    with Driver() as guest:
        guest.run(Command.SPACE, 1, 100 * 8192, 2, 1)
        capability = guest.elements(Vector.PROCESS)[0] + PROCESS_SPACE
        assert longword(guest, capability + 4) == abi.USER_SPACE_VA >> 13 + 2 * 4
        guest.machine.write_physical(guest.physical(capability) + 4, bytes(4))
        assert guest.crash(Command.FAULT_STORM, 1, 1, 1).reason.name == "HALT"
        assert guest.panic[0] == abi.Panic.UNKNOWN_ADDRESS


def test_a_touch_behind_the_end_of_a_space_is_a_panic() -> None:
    """The walk finds an empty slot: the handler reports the address instead of loading an entry."""
    with Driver() as guest:
        guest.run(Command.SPACE, 1, 100 * 8192, 2, 1)
        result = guest.crash(Command.FAULT_STORM, 2, 100, 1)  # process 1 has no space
        assert (result.reason.name, guest.panic[0]) == ("HALT", abi.Panic.UNKNOWN_ADDRESS)
        assert guest.panic[1] >> 20 == abi.USER_SPACE_VA >> 20


@pytest.mark.parametrize("size", [1, 4095, 8192, 20_003, 65_536])
@pytest.mark.parametrize(("board", "parameters"), MAPPINGS)
def test_strings_arrive_as_they_were_sent(board: str, parameters: dict[str, int], size: int) -> None:
    rounds = 6
    with Driver(board, parameters=parameters) as guest:
        pages = -(-size // guest.page)
        assert guest.run(Command.SPACE, 2, size, 2, 7)[:2] == (Refusal.OK, 2 * pages)
        before = guest.machine.counters()
        status, received, copied = guest.run(Command.STRING_IPC, size, rounds)[:3]
        after = guest.machine.counters() - before
        assert (status, received, copied) == (Refusal.OK, rounds, rounds * size)
        assert after.operations[abi.Operation.STRING].count == rounds
        assert after.operations[abi.Operation.IPC].count == 2 * rounds
        source, target = (pages_of_space(guest, process, pages) for process in (0, 1))
        assert source.keys() == target.keys() == set(range(pages))
        for page in range(pages):
            here = min(size - page * guest.page, guest.page)
            sent = bytes(guest.machine.read_physical(source[page], guest.page))
            received_page = bytes(guest.machine.read_physical(target[page], guest.page))
            assert sent[:4] == rounds.to_bytes(4, "big")
            assert received_page == sent[:here].ljust(guest.page, b"\0")
        assert guest.machine.host_writes == 0


def test_every_byte_of_a_string_is_copied() -> None:
    """The length is no multiple of what the copy moves at once, nor of a word."""
    with Driver() as guest:
        guest.run(Command.SPACE, 2, 4096, 2, 7)
        guest.run(Command.STRING_IPC, 4096, 1)
        source, target = (pages_of_space(guest, process, 1)[0] for process in (0, 1))
        image = bytes(range(1, 251)) * 4
        guest.machine.write_physical(source, image)
        guest.run(Command.STRING_IPC, 999, 1)
        first = int.from_bytes(image[:4], "big") + 1  # what the client did to the first word
        received = bytes(guest.machine.read_physical(target, 1000))
        assert received == first.to_bytes(4, "big") + image[4:999] + b"\0"


def test_a_string_needs_room_and_a_server_that_has_some() -> None:
    with Driver() as guest:
        assert guest.run(Command.STRING_IPC, 8192, 1)[0] == Refusal.NO_OBJECT  # no SPACE was given
        guest.run(Command.SPACE, 1, 8192, 2, 7)
        assert guest.run(Command.STRING_IPC, 8192, 3)[:3] == (Refusal.NO_OBJECT, 0, 0)  # the server has none
        assert guest.run(Command.STRING_IPC, abi.MAX_STRING + 1, 1)[0] == Refusal.BAD_COMMAND


# ---- allocation in a full cache --------------------------------------------------------------------------------------
AGE_ACTIVE, AGE_CHECK, AGE_RECLAIM = 1, 2, 3


def age_list(guest: Driver, age: int) -> list[int]:
    """Pages of an age by VA of their header, newest first."""
    return guest.links(guest.elf.address("caches") + 32 * TY_PAGE + 8 * age)


def resident(guest: Driver) -> dict[int, int]:
    """VA of a Page header -> its OID, for all pages that the object hash finds; each must be in its bucket, once."""
    found = [header for bucket in range(abi.HASH_BUCKETS) for header in guest.chain(bucket) if header.type in (4, 5)]
    oids = {header.va: header.oid_low for header in found}
    assert len(oids) == len(found) == FRAMES
    return oids


@pytest.mark.parametrize(("board", "parameters"), MAPPINGS[:3])
def test_churn_gives_back_what_it_takes(board: str, parameters: dict[str, int]) -> None:
    with Driver(board, parameters=parameters) as guest:
        guest.boot()
        reclaimable, otes = set(age_list(guest, AGE_RECLAIM)), guest.variable("otes_taken")
        status, allocated, rescinded, aged = guest.run(Command.CHURN, 40, 300, 5)[:4]
        assert (status, allocated, rescinded, aged) == (Refusal.OK, 340, 340, 0)
        operations = guest.machine.counters().operations
        assert operations[abi.Operation.ALLOCATE].count == operations[abi.Operation.RESCIND].count == 340
        assert set(age_list(guest, AGE_RECLAIM)) == reclaimable
        assert guest.variable("otes_taken") - otes == 340
        new = {va for va, oid in resident(guest).items() if oid >= abi.NEW_OID}
        assert new <= reclaimable
        assert all(guest.header(va).ote == 0 for va in new)
        assert guest.machine.host_writes == 0


def test_allocation_takes_pages_in_the_order_of_age() -> None:
    """The three lists of pages and two water marks in Python give the same lists, evictions and bursts."""
    with Driver() as guest:
        guest.boot()
        booted = [age_list(guest, age) for age in (AGE_ACTIVE, AGE_CHECK, AGE_RECLAIM)]
        assert guest.run(Command.SHUFFLE, 3)[:2] == (Refusal.OK, sum(map(len, booted)))
        active, check, reclaim = shuffled = [age_list(guest, age) for age in (AGE_ACTIVE, AGE_CHECK, AGE_RECLAIM)]
        assert [sorted(pages) for pages in shuffled] == [sorted(pages) for pages in booted]
        steps = [abs(left - right) for left, right in itertools.pairwise(active)]
        assert sum(steps) / len(steps) > len(active) * 56 / 5  # of a random order a third of the whole, on average
        oids, bursts, aged = resident(guest), 0, 0
        for number in range(700):
            if len(reclaim) <= FRAMES // 20:
                bursts += 1
                while len(reclaim) < FRAMES // 7:
                    if len(check) <= FRAMES // 30:
                        moved = FRAMES // 10 - len(check)
                        check[:0] = reversed(active[-1 : -1 - moved : -1])
                        del active[-moved:]
                        aged += moved
                    reclaim.insert(0, check.pop())
                    aged += 1
            va = reclaim.pop()
            oids[va] = abi.NEW_OID + number
            active.insert(0, va)
        assert guest.run(Command.AGE, 700)[:4] == (Refusal.OK, 700, bursts, aged)
        assert [age_list(guest, age) for age in (AGE_ACTIVE, AGE_CHECK, AGE_RECLAIM)] == [active, check, reclaim]
        assert resident(guest) == oids
        operations = guest.machine.counters().operations
        assert operations[abi.Operation.AGE].count == bursts > 3
        allocate = operations[abi.Operation.ALLOCATE]
        assert allocate.worst > 3 * allocate.cycles // allocate.count  # the one that paid for a burst


def test_a_frame_that_changes_hands_is_cleared() -> None:
    with Driver() as guest:
        guest.run(Command.SPACE, 2, 100 * 8192, 2, 1)
        guest.run(Command.FAULT_STORM, 2, 2000, 3)
        frames = [pa for process in (0, 1) for pa in pages_of_space(guest, process, 100).values()]
        assert all(guest.machine.read_physical(pa, 4) != bytes(4) for pa in frames)
        assert guest.run(Command.AGE, FRAMES)[0] == Refusal.OK
        assert not any(any(guest.machine.read_physical(pa, 8192)) for pa in frames)
        assert pages_of_space(
            guest, 0, 100
        )  # the capabilities are there still, but stale: nobody reaches the new owner
        assert guest.crash(Command.FAULT_STORM, 1, 1, 1).reason.name == "HALT"
        assert guest.panic[0] == abi.Panic.UNKNOWN_ADDRESS


def test_no_entry_of_a_tlb_survives_the_page_it_was_for() -> None:
    """Nothing else empties the TLB here: no flush on a switch, and a kernel that needs no entries of its own."""
    with Driver(parameters={"flush": FlushPolicy.ASID}) as guest:
        guest.run(Command.SPACE, 1, 8 * 8192, 2, 1)
        guest.run(Command.FAULT_STORM, 1, 200, 3)
        before = guest.machine.counters()
        assert guest.run(Command.FAULT_STORM, 1, 200, 3)[:3] == (Refusal.OK, 200, 0)
        assert (guest.machine.counters() - before).misses.dtlb == 0
        guest.run(Command.AGE, FRAMES)
        assert guest.crash(Command.FAULT_STORM, 1, 1, 1).reason.name == "HALT"
        assert guest.panic[0] == abi.Panic.UNKNOWN_ADDRESS


def test_allocation_ends_with_the_object_table() -> None:
    with Driver(counts={Vector.OTE: 100}) as guest:
        before = guest.run(Command.SHUFFLE, 1)  # boots, and takes no entry
        assert before[0] == Refusal.OK
        left = 100 - guest.variable("otes_taken")
        assert guest.run(Command.AGE, 500)[:2] == (Refusal.NO_OTE, left)
        assert guest.run(Command.CHURN, 4, 4, 1)[:3] == (Refusal.NO_OTE, 0, 0)
    with Driver(counts={Vector.OTE: 100}) as guest:
        guest.boot()
        left = 100 - guest.variable("otes_taken")
        assert guest.run(Command.CHURN, 4, 500, 1)[:3] == (Refusal.NO_OTE, left, left)


# ---- device pages that go --------------------------------------------------------------------------------------------
SLACK = SMALL[Vector.PAGE] - FRAMES - 16


@pytest.mark.parametrize("recycle", [0, 1])
@pytest.mark.parametrize(("board", "parameters"), MAPPINGS[:3])
def test_a_detached_page_keeps_its_header_unless_it_is_recycled(
    board: str, parameters: dict[str, int], recycle: int
) -> None:
    pages = 20
    with Driver(board, parameters=parameters) as guest:
        left = SLACK
        for cycle in range(8):
            pa = CARD + cycle * 0x10_0000
            status, attached = guest.run(Command.ATTACH, pa, pages)[:2]
            if left < pages:
                assert (status, attached) == (Refusal.RESERVE_EMPTY, left)
                break
            assert (status, attached) == (Refusal.OK, pages)
            left -= 0 if recycle else pages
            assert guest.run(Command.DETACH, pa, pages, recycle)[:4] == (Refusal.OK, pages, 0, left)
            assert guest.run(Command.DETACH, pa, 1, recycle)[:2] == (Refusal.NOT_ATTACHED, 0)
        assert cycle == (7 if recycle else SLACK // pages)
        counted = guest.machine.counters().operations[abi.Operation.DETACH].count
        assert counted == (cycle + bool(recycle)) * (pages + 1)


def test_a_card_that_comes_back_to_its_place_finds_its_headers() -> None:
    with Driver() as guest:
        guest.run(Command.ATTACH, CARD, SLACK)
        for _ in range(3):
            assert guest.run(Command.DETACH, CARD, SLACK, 0)[:4] == (Refusal.OK, SLACK, 0, 0)
            assert guest.run(Command.ATTACH, CARD, SLACK)[:2] == (Refusal.OK, SLACK)
            assert guest.variable("device_pages") == SLACK


@pytest.mark.parametrize(("board", "parameters"), MAPPINGS[:3])
def test_a_detached_page_is_cleared_and_its_capabilities_are_stale(board: str, parameters: dict[str, int]) -> None:
    with Driver(board, parameters=parameters) as guest:
        guest.run(Command.ATTACH, CARD, 3)
        assert guest.run(Command.FRAME_BUFFER, 4, 8, 77, CARD, 3)[2] == 32
        for page in range(3):
            guest.machine.write_physical(CARD + page * 8192, b"secret" * 1000)
        guest.run(Command.DETACH, CARD, 2, 1)
        assert not any(guest.machine.read_physical(CARD, 2 * 8192))
        assert any(guest.machine.read_physical(CARD + 2 * 8192, 8192))
        status, _, found = guest.run(Command.FRAME_BUFFER, 4, 8, 77, CARD, 3)[:3]
        assert status == Refusal.NOT_ATTACHED
        assert 0 < found < 32


def test_nothing_is_released_behind_recycled_headers() -> None:
    """They are free, but in no order of addresses: cutting the heap's tail could cut off one that is in use."""
    with Driver(counts={Vector.RESERVE: 3000, Vector.INDEX: 1400}) as guest:
        guest.run(Command.ATTACH, CARD, SLACK + 100)
        guest.run(Command.DETACH, CARD, 10, 1)
        assert guest.run(Command.RELEASE, 200)[:2] == (Refusal.OK, 0)
