"""Device pages: attach, the ways to grow, refusal with the console, release."""

import pytest

from kernel_model import abi
from kernel_model.abi import (
    Command,
    Exhaustion,
    GrowKind,
    GrowthKind,
    HandlerKind,
    Hypercall,
    MappingKind,
    Refusal,
    Vector,
)
from tests.support.nucleus import CARD, FRAMES, SMALL, Driver

TY_DEVICE_PAGE, TY_HEAP_FRAME = 6, 7
SLACK = SMALL[Vector.PAGE] - FRAMES - 16
WINDOW = {"growth_va": 0xE000_0000, "growth_limit": abi.CONSOLE_VA}
MESSAGE = b"cfemu-kernel: out of device page headers: set reserve=4321 and reboot\n"


def device_headers(guest: Driver) -> list[int]:
    """Page numbers of the device pages in the hash; each must be the first of its kind from the front."""
    found = []
    for bucket in range(abi.HASH_BUCKETS):
        chain = [header.type == TY_DEVICE_PAGE for header in guest.chain(bucket)]
        assert chain == sorted(chain, reverse=True)
        found += [h.oid_low for h in guest.chain(bucket) if h.type == TY_DEVICE_PAGE]
        assert all(h.oid_high == abi.DEVICE_OID_HIGH for h in guest.chain(bucket) if h.type == TY_DEVICE_PAGE)
    return sorted(found)


def test_attach_takes_the_slack_and_puts_pages_in_front_of_their_chains() -> None:
    with Driver() as guest:
        status, attached, left, refused, grown, console, headers = guest.run(Command.ATTACH, CARD, 50)[:7]
        assert (status, attached, left, refused, grown, console, headers) == (0, 50, 0, 0, 0, 0, SLACK - 50)
        assert device_headers(guest) == [(CARD >> 13) + i for i in range(50)]
        assert guest.run(Command.ATTACH, CARD, 50)[1:7] == (50, 0, 0, 0, 0, SLACK - 50)  # found in the hash
        operation = guest.machine.counters().operations[abi.Operation.ATTACH]
        assert operation.count == 100
        assert 0 < operation.worst < operation.cycles


@pytest.mark.parametrize("board", ["coyotos128", "coyotos128-low", "m5475evb"])
@pytest.mark.parametrize("handler", list(HandlerKind))
def test_a_refusal_attaches_the_console_and_tells_what_to_set(board: str, handler: HandlerKind) -> None:
    with Driver(board, parameters={"mapping": MappingKind.UNLOCKED_1M, "handler": handler}) as guest:
        figures = guest.run(Command.ATTACH, CARD, SLACK + 7)
        assert figures[:7] == (Refusal.RESERVE_EMPTY, SLACK, 7, CARD + SLACK * 8192, 0, 1, 0)
        call = next(args for name, args in guest.calls if name is Hypercall.REFUSED)
        assert call[:4] == (Refusal.RESERVE_EMPTY, CARD + SLACK * 8192, 7, SLACK)
        assert bytes(guest.machine.console) == MESSAGE
        console = [guest.board.mbar // 8192 + i for i in range(16)]
        assert sorted(set(device_headers(guest)) - {(CARD >> 13) + i for i in range(SLACK)}) == console
        assert guest.variable("console_headers") == 0
        assert guest.machine.host_writes == 0


def test_without_a_protected_reserve_nothing_reaches_the_console() -> None:
    with Driver(parameters={"console_reserve": 15}) as guest:
        figures = guest.run(Command.ATTACH, CARD, SLACK + 2)
        assert (figures[0], figures[5]) == (Refusal.RESERVE_EMPTY, 0)
        assert bytes(guest.machine.console) == b""
        assert guest.run(Command.ANNOUNCE, 9)[:3] == (Refusal.CONSOLE_RESERVE_EMPTY, 15, 0)


def test_the_console_is_written_through_the_mapping_that_the_attach_made() -> None:
    with Driver() as guest:
        before = guest.machine.counters()
        assert guest.run(Command.ANNOUNCE, 4321)[:3] == (Refusal.OK, 16, len(MESSAGE))
        after = guest.machine.counters() - before
        assert bytes(guest.machine.console) == MESSAGE
        assert after.misses.dtlb_kernel == 1  # PSC0's page, mapped by one range: the only kernel miss under ACR


def test_head_halts_after_the_announcement() -> None:
    with Driver(parameters={"exhaustion": Exhaustion.HALT}) as guest:
        result = guest.crash(Command.ATTACH, CARD, SLACK + 1)
        assert result.reason.name == "HALT"
        assert guest.panic[0] == guest.machine.registers["d0"] == abi.Panic.HEADERS_EXHAUSTED
        assert bytes(guest.machine.console).startswith(MESSAGE + b"cfemu-kernel: panic: out of device page headers")


@pytest.mark.parametrize("top_down", [False, True])
@pytest.mark.parametrize("handler", list(HandlerKind))
def test_mapped_growth_takes_promised_frames_back(handler: HandlerKind, *, top_down: bool) -> None:
    with Driver(top_down=top_down, parameters={"growth": GrowthKind.MAPPED, "handler": handler, **WINDOW}) as guest:
        status, attached, _, _, grown, _, headers = guest.run(Command.ATTACH, CARD, SLACK + 600)[:7]
        assert (status, attached, grown) == (Refusal.OK, SLACK + 600, 5)
        assert headers == 5 * 8192 // 56 - 600
        asked = [args for call, args in guest.calls if call is Hypercall.GROW and args[0] == GrowKind.HEADERS]
        assert len(asked) == 5
        assert sum(h.type == TY_HEAP_FRAME for b in range(4096) for h in guest.chain(b)) == 0
        assert sum(guest.header(va).type == TY_HEAP_FRAME for va in guest.elements(Vector.PAGE)) == 5
        assert guest.machine.counters().operations[abi.Operation.GROW].count == 5


def test_mapped_growth_continues_a_paged_heap() -> None:
    parameters = {"mapping": MappingKind.PAGED_8K, "growth": GrowthKind.MAPPED, "growth_limit": 0xD000_0000}
    with Driver("coyotos128-low", parameters=parameters) as guest:
        assert guest.run(Command.ATTACH, CARD, SLACK + 300)[:2] == (Refusal.OK, SLACK + 300)
        assert guest.variable("growth_backed") == guest.booted[0] + (guest.booted[2] + 3) * 8192


def test_descending_frames_fill_the_range_table_but_leave_the_console_its_range() -> None:
    parameters = {"mapping": MappingKind.PAGED_8K, "growth": GrowthKind.MAPPED, **WINDOW}
    with Driver("coyotos128-low", top_down=True, parameters=parameters) as guest:
        figures = guest.run(Command.ATTACH, CARD, 16_000)
        assert figures[0] == Refusal.RANGES_FULL
        assert figures[4] == abi.MAX_RANGES - 1 - 7  # every frame needs a range of its own beside the seven at boot
        assert figures[5] == 1
        assert bytes(guest.machine.console) == MESSAGE
        calls = [call for call, _ in guest.calls]
        refused = calls.index(Hypercall.REFUSED)  # the frame that could not be mapped has gone back by then
        assert calls[refused - 2 : refused] == [Hypercall.GROW, Hypercall.RELEASE]


def test_growth_stops_at_the_end_of_its_area() -> None:
    window = {"growth_va": 0xE000_0000, "growth_limit": 0xE000_4000}
    with Driver(parameters={"growth": GrowthKind.MAPPED, **window}) as guest:
        figures = guest.run(Command.ATTACH, CARD, 1000)
        assert (figures[0], figures[1], figures[4]) == (Refusal.GROWTH_AREA_FULL, SLACK + 2 * 8192 // 56, 2)


def test_slabs_need_no_tlb_entry_under_acr() -> None:
    with Driver(parameters={"growth": GrowthKind.SLAB}) as guest:
        guest.boot()
        before = guest.machine.counters()
        assert guest.run(Command.ATTACH, CARD, SLACK + 300)[:5] == (Refusal.OK, SLACK + 300, 0, 0, 3)
        after = guest.machine.counters() - before
        assert after.misses.dtlb_kernel == after.misses.itlb_kernel == 0


def test_altmap_headers_lie_in_the_device_and_cost_inhibited_accesses() -> None:
    parameters = {"growth": GrowthKind.ALTMAP, "growth_pages": 128, "growth_shift": 20, **WINDOW}
    with Driver(parameters=parameters) as guest:
        guest.run(Command.ATTACH, CARD, SLACK)
        before = guest.machine.counters()
        assert guest.run(Command.ATTACH, CARD + 0x0100_0000, 500)[:2] == (Refusal.OK, 500)
        after = guest.machine.counters() - before
        assert after.inhibited_writes > 500 * 8
        header = guest.machine.read_physical(CARD + 0x0100_0000, 56)
        assert int.from_bytes(header[16:20], "big") == (CARD + 0x0100_0000) >> 13


@pytest.mark.parametrize("mapping", [MappingKind.ACR, MappingKind.PAGED_8K])
def test_release_gives_back_whole_frames_and_describes_them(mapping: MappingKind) -> None:
    with Driver(counts={Vector.RESERVE: 3000, Vector.INDEX: 1400}, parameters={"mapping": mapping}) as guest:
        guest.run(Command.ATTACH, CARD, SLACK + 100)
        status, released, headers, end = guest.run(Command.RELEASE, 200)[:4]
        assert status == 0
        # 2900 headers of 56 B are left: 200 stay for devices and one for each frame released
        assert released == (3000 * 56 + 8191) // 8192 - ((100 + 200 + released) * 56 + 8191) // 8192 == 18
        assert 200 <= headers < 200 + 8192 // 56
        assert end == guest.vector(Vector.RESERVE) + ((3000 * 56 + 8191) // 8192 - released) * 8192
        index = [guest.word(va) for va in guest.elements(Vector.INDEX)[: FRAMES + released]]
        pas = [int.from_bytes(guest.memory(va + 50, 2) + guest.memory(va + 52, 2), "big") for va in index]
        assert pas == sorted(pas)
        assert guest.run(Command.COLD_PREPARE, 500, 3)[:2] == (Refusal.OK, 500)
        assert guest.run(Command.ATTACH, CARD + 0x0100_0000, headers)[:2] == (Refusal.OK, headers)


def test_ram_is_no_device() -> None:
    with Driver() as guest:
        assert guest.run(Command.ATTACH, guest.base, 1)[0] == Refusal.BAD_COMMAND
        assert guest.run(99)[0] == Refusal.BAD_COMMAND
