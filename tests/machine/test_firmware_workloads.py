"""Workloads beside IPC of two and cold prepares: each does what it counts, and its counts are those of the kernel."""

import struct

import pytest

from kernel_model import abi
from kernel_model.abi import Command, FlushPolicy, HandlerKind, MappingKind, Refusal, Vector
from tests.support.nucleus import Driver

TY_PAGE = 4
MAPPINGS = [
    ("coyotos128", {"mapping": MappingKind.ACR}),
    ("coyotos128", {"mapping": MappingKind.UNLOCKED_1M, "handler": HandlerKind.TWO_LEVEL}),
    ("coyotos128-low", {"mapping": MappingKind.PAGED_8K}),
    ("coyotos128-low", {"mapping": MappingKind.PAGED_4K, "page_shift": 12, "handler": HandlerKind.LINEAR}),
]


def many(clients: int, board: str = "coyotos128", **parameters: int) -> Driver:
    """A nucleus with a server and ``clients`` clients."""
    counts = {Vector.USER_TABLE: clients + 1, Vector.PROCESS: max(40, clients + 1)}
    counts |= {Vector.GPT: max(240, clients + 1), Vector.ENDPOINT: max(320, clients + 1)}
    return Driver(board, counts=counts, parameters={"user_processes": clients + 1, **parameters})


# ---- fan-in ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("flush", list(FlushPolicy))
@pytest.mark.parametrize(("board", "parameters"), MAPPINGS)
def test_every_client_gets_the_answers_to_its_own_calls(
    board: str, parameters: dict[str, int], flush: FlushPolicy
) -> None:
    with many(20, board, flush=flush, **parameters) as guest:
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


def test_more_processes_than_asids_share_them_without_seeing_each_others_pages() -> None:
    """Processes 0 and 255 have one ASID: entries of the one must be gone when the other runs."""
    with many(256, flush=FlushPolicy.ASID) as guest:
        assert guest.run(Command.FAN_IN, 256, 3, 1, 1)[:3] == (Refusal.OK, 256 * 3, 256 * 3)
        tables = list(guest.elements(Vector.USER_TABLE))
        for number, expected in ((0, 768), (1, 3), (255, 3), (256, 3)):
            pte = guest.word(tables[number] + 4 * (abi.USER_DATA_VA >> 13))
            assert int.from_bytes(guest.machine.read_physical(pte & -guest.page, 4), "big") == expected


def test_capabilities_that_go_with_a_call_arrive_and_cost() -> None:
    cycles = []
    for capabilities in (1, 2, 3, 4):
        with many(8, mapping=MappingKind.PAGED_8K) as guest:
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
