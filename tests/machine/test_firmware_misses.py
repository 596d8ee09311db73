"""Miss handlers, IPC and panics: what is counted comes from the code that ran."""

import pytest

from kernel_model import abi
from kernel_model.abi import Command, FlushPolicy, HandlerKind, MappingKind, Panic, Refusal, Vector
from tests.support.nucleus import CARD, Driver

HANDLERS = {
    ("coyotos128", MappingKind.ACR, HandlerKind.RANGE, 13): "miss_range_8k",
    ("coyotos128", MappingKind.UNLOCKED_1M, HandlerKind.TWO_LEVEL, 13): "miss_direct_two_level_8k",
    ("coyotos128-low", MappingKind.LOCKED_1M, HandlerKind.RANGE, 12): "miss_direct_range_4k",
    ("coyotos128-low", MappingKind.PAGED_8K, HandlerKind.RANGE, 13): "miss_range_8k",
    ("coyotos128-low", MappingKind.PAGED_8K, HandlerKind.LINEAR, 13): "miss_linear_8k",
    ("coyotos128", MappingKind.PAGED_4K, HandlerKind.TWO_LEVEL, 12): "miss_two_level_4k",
    ("coyotos128", MappingKind.PAGED_4K, HandlerKind.LINEAR, 12): "miss_linear_4k",
}


def parameters(mapping: MappingKind, handler: HandlerKind, shift: int, **more: int) -> dict[str, int]:
    return {"mapping": mapping, "handler": handler, "page_shift": shift, **more}


@pytest.mark.parametrize("flush", list(FlushPolicy))
@pytest.mark.parametrize(("board", "mapping", "handler", "shift"), list(HANDLERS))
def test_ping_pong(board: str, mapping: MappingKind, handler: HandlerKind, shift: int, flush: FlushPolicy) -> None:
    with Driver(board, parameters=parameters(mapping, handler, shift, flush=flush)) as guest:
        guest.boot()
        assert guest.variable("vectors") != 0
        assert guest.word(guest.elf.address("vectors") + 8) == guest.elf.address(
            HANDLERS[board, mapping, handler, shift]
        )
        before = guest.machine.counters()
        assert guest.run(Command.PING_PONG, 100)[:2] == (Refusal.OK, 100)
        after = guest.machine.counters() - before
        assert after.operations[abi.Operation.IPC].count == 200
        assert after.exceptions[32] == 200
        if flush is FlushPolicy.FLUSH:
            assert after.misses.itlb_user >= 199
            assert after.misses.dtlb_user >= 199 * 2
        else:
            assert after.misses.itlb_user <= 4
        if mapping is MappingKind.ACR:
            assert after.misses.dtlb_kernel == after.misses.itlb_kernel == after.misses.nested == 0
        elif flush is FlushPolicy.FLUSH and mapping >= MappingKind.PAGED_8K:
            assert after.misses.nested > 0  # the user table is in the heap
        assert guest.machine.host_writes == 0


def test_user_data_is_touched_by_user_code() -> None:
    with Driver(parameters={"user_data_pages": 3}) as guest:
        guest.run(Command.PING_PONG, 20)
        for process in (0, 1):
            table = guest.elements(Vector.USER_TABLE)[process]
            for page in range(3):
                pte = guest.word(table + 4 * ((abi.USER_DATA_VA >> 13) + page))
                assert int.from_bytes(guest.machine.read_physical(pte & ~0x1FFF, 4), "big") == 20


def test_frame_buffer_driver_prepares_the_pages_of_its_card() -> None:
    with Driver() as guest:
        guest.run(Command.ATTACH, CARD, 64)
        before = guest.machine.counters()
        assert guest.run(Command.FRAME_BUFFER, 30, 5, 77, CARD, 64)[:3] == (Refusal.OK, 30, 150)
        after = guest.machine.counters() - before
        assert after.operations[abi.Operation.DEVICE_PREPARE].count == 150
        assert guest.run(Command.FRAME_BUFFER, 5, 5, 77, CARD + 0x0200_0000, 64)[0] == Refusal.NOT_ATTACHED


def test_cold_prepare_walks_chains_and_device_pages_make_them_longer() -> None:
    with Driver(counts={Vector.PAGE: 9000}, parameters={"mapping": MappingKind.PAGED_8K}) as guest:
        status, found, walked, otes = guest.run(Command.COLD_PREPARE, 1000, 1)[:4]
        assert (status, found) == (Refusal.OK, 1000)
        assert walked >= 1000
        assert 0 < otes <= 1000
        before = guest.machine.counters()
        guest.run(Command.ATTACH, CARD, 4096)
        attach = guest.machine.counters() - before
        longer = guest.run(Command.COLD_PREPARE, 1000, 1)
        assert longer[1] == 1000
        assert longer[2] == walked + 1000  # 4096 pages in 4096 buckets, in front: one more header for each lookup
        assert attach.misses.dtlb_kernel > 4096 // 1024


def test_same_run_same_counts() -> None:
    def counts() -> object:
        with Driver("coyotos128-low", parameters={"mapping": MappingKind.PAGED_8K}) as guest:
            guest.run(Command.COLD_PREPARE, 300, 5)
            return guest.machine.counters().to_dict()

    assert counts() == counts()


@pytest.mark.parametrize(("combination", "handler"), list(HANDLERS.items()))
def test_one_changed_byte_of_the_handler_changes_what_a_miss_costs(
    combination: tuple[str, MappingKind, HandlerKind, int], handler: str
) -> None:
    """The last NOP before the registers are restored (6 cycles) becomes TPF (1 cycle)."""
    board, mapping, kind, shift = combination
    options = parameters(mapping, kind, shift)

    def cost(patch: dict[str, tuple[int, bytes]]) -> tuple[int, int, bytes]:
        with Driver(board, parameters=options, patch=patch) as guest:
            guest.run(Command.PING_PONG, 50)
            counters = guest.machine.counters()
            start = guest.elf.address(handler)
            code = guest.memory(start, 0x180)
            return counters.refill_cycles, counters.misses.total, code

    cycles, misses, code = cost({})
    offset = code.index(b"\x4e\x71\x4c\xd7\x03\x03", code.index(b"\x23\xc9"))  # user path: after the store to MMUOR
    faster, same, _ = cost({handler: (offset, b"\x51\xfc")})
    assert same == misses
    assert cycles - faster > 0
    assert (cycles - faster) % 5 == 0


@pytest.mark.parametrize(
    ("kind", "code", "va"),
    [
        (abi.CRASH_UNKNOWN_READ, Panic.UNKNOWN_ADDRESS, abi.TRANSMAP_VA - 4),
        (abi.CRASH_WRITE_PROTECTED, Panic.VIOLATION, abi.USER_TEXT_VA),
        (abi.CRASH_ILLEGAL, Panic.UNEXPECTED_VECTOR, 0),
        (abi.CRASH_JUMP, Panic.UNKNOWN_ADDRESS, abi.TRANSMAP_VA - 16),
    ],
)
@pytest.mark.parametrize("mapping", [MappingKind.ACR, MappingKind.PAGED_8K])
def test_fatal_accesses_panic(kind: int, code: Panic, va: int, mapping: MappingKind) -> None:
    with Driver(parameters={"mapping": mapping}) as guest:
        result = guest.crash(Command.CRASH, kind)
        assert result.reason.name == "HALT"
        assert guest.panic[:2] == (code, va)
        assert guest.machine.registers["d0"] == code
        assert guest.machine.registers["d1"] == va
        assert bytes(guest.machine.console).startswith(b"cfemu-kernel: panic: ")


def test_stop_halts_with_zero() -> None:
    with Driver() as guest:
        assert guest.crash(Command.STOP).reason.name == "HALT"
        assert guest.machine.registers["d0"] == 0


def test_acr_heap_never_misses() -> None:
    with Driver() as guest:
        guest.run(Command.COLD_PREPARE, 2000, 11)
        guest.run(Command.ATTACH, CARD, 60)
        counters = guest.machine.counters()
        assert counters.misses.by_region.get("heap", {"itlb": 0, "dtlb": 0}) == {"itlb": 0, "dtlb": 0}
        assert counters.misses.dtlb_kernel == 0
