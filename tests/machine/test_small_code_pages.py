"""Code in 1-KB pages: unicorn's own pages are four times larger: what it keeps of one must not serve the others."""

import ctypes
import time

from tests.support import asm
from tests.support.asm import D0, D1, D2, at, d
from tests.support.guest import (
    CODE,
    FRAMES,
    USER_SR,
    Bench,
    Entry,
    X,
    bench,
    enter_virtual_mode,
    go_to,
    image,
    load_entry,
    tag,
)

USER, QUARTER = 0x10000, 0x400
ORDER = (2, 0, 3, 1)  # in which the quarters of the page are visited
PLACES = (0x5400, 0x2C00, 0x9000, 0x7800)  # where they lie in FRAMES: none in the quarter of its VA, none in order
NEW_PLACE = 0xB400
END, REMAP = 32, 33  # TRAP #0, TRAP #1


def visit(value: int, following: int) -> bytes:
    """User code: D1 gets another octal digit, then on to a quarter."""
    return asm.shift("lsl", 3, D1) + asm.alu_i("addi", value, D1) + asm.jmp(at(USER + QUARTER * following))


def tour(guest: Bench, last: bytes = b"") -> int:
    """Visit the four quarters twice; ``last``: what is done first in the last one. The digits of the visits."""
    wrong = visit(7, 0)
    for place in (*PLACES, NEW_PLACE):  # whatever lies around the right quarters
        guest.put(FRAMES + (place & ~0xFFF), 4 * (wrong + bytes(QUARTER - len(wrong))))
    guest.put(FRAMES + NEW_PLACE, visit(5, ORDER[3]))
    for i, here in enumerate(ORDER):
        lap_ends = asm.subq(1, d(D2)) + asm.branch_w("ne", 4) + asm.trap(0)
        before = (lap_ends, b"", b"", last)[i]
        guest.put(FRAMES + PLACES[here], before + visit(i + 1, ORDER[(i + 1) % 4]))
    entries = [Entry(i, tag(USER + QUARTER * i), image(FRAMES + place, 10, X)) for i, place in enumerate(PLACES)]
    begin = asm.moveq(0, D1) + asm.moveq(3, D2) + go_to(USER + QUARTER * ORDER[0], USER_SR)
    frame = guest.exception(enter_virtual_mode(entries), begin)
    assert frame.vector == END
    assert guest.machine.counters().misses.itlb == 0
    return int(guest.registers["d1"])


def test_the_quarters_of_a_page_lie_in_four_frames(guest: Bench) -> None:
    assert tour(guest) == 0o1234_1234


def test_a_quarter_is_mapped_anew_between_two_visits(guest: Bench) -> None:
    guest.handler(REMAP, load_entry(Entry(3, tag(USER + QUARTER * 3), image(FRAMES + NEW_PLACE, 10, X))) + asm.RTE)
    assert tour(guest, asm.trap(1)) == 0o1234_1254


def test_the_second_page_of_an_instruction_is_mapped_anew(guest: Bench) -> None:
    """Its first page stays, so does its op word; what it adds is now the other frame's."""
    add = asm.alu_i("addi", 0x0001_0002, D1)
    other = asm.alu_i("addi", 0x0001_0005, D1)
    onward = asm.jmp(at(USER + 2 * QUARTER))
    again = asm.subq(1, d(D2)) + asm.branch_w("ne", 4) + asm.trap(0) + asm.trap(1) + asm.jmp(at(USER + QUARTER - 4))
    guest.put(FRAMES + PLACES[0] + QUARTER - 4, add[:4])
    guest.put(FRAMES + PLACES[1], add[4:] + onward)
    guest.put(FRAMES + PLACES[2], again)
    guest.put(FRAMES + NEW_PLACE, other[4:] + onward)
    guest.handler(REMAP, load_entry(Entry(1, tag(USER + QUARTER), image(FRAMES + NEW_PLACE, 10, X))) + asm.RTE)
    entries = [Entry(i, tag(USER + QUARTER * i), image(FRAMES + PLACES[i], 10, X)) for i in range(3)]
    begin = asm.moveq(0, D1) + asm.moveq(4, D2) + go_to(USER + QUARTER - 4, USER_SR)
    assert guest.exception(enter_virtual_mode(entries), begin).vector == END
    assert guest.registers["d1"] == 0x0001_0002 + 3 * 0x0001_0005


def seconds_per_instruction(engine: str, bits: int) -> float:
    """Of a loop inside one page of that size, once it is translated."""
    with bench(engine) as guest:
        guest.put(FRAMES, 100 * asm.addq(1, d(D0)) + asm.branch_w("ra", -202))
        guest.start(enter_virtual_mode([Entry(0, tag(USER), image(FRAMES, bits))]) + asm.jmp(at(USER)), CODE)
        times = []
        for _ in range(4):
            start = time.process_time()
            guest.machine.run(max_instructions=5000)
            times.append(time.process_time() - start)
        return min(times) / 5000


def test_code_in_small_pages_is_translated_once() -> None:
    """It runs one instruction at a time, like all code of the reference engine; translating costs 90 times as much."""
    assert seconds_per_instruction("native", 10) < 10 * seconds_per_instruction("reference", 12)


def test_the_softmmu_does_not_grow_with_the_number_of_its_fills() -> None:
    """Each instruction in a 1-KB page fills an entry that was taken out in place, which unicorn goes on counting."""
    with bench("native") as guest:
        guest.put(FRAMES, 100 * asm.addq(1, d(D0)) + asm.branch_w("ra", -202))
        guest.start(enter_virtual_mode([Entry(0, tag(USER), image(FRAMES, 10))]) + asm.jmp(at(USER)))
        for _ in range(10):
            guest.machine.run(max_instructions=2000)
            guest.machine.core.flush()
        tables = int(guest.machine.core.state["fast"])
        masks = [ctypes.c_uint64.from_address(tables + 16 * user).value for user in (0, 1)]
        assert max(mask >> 6 for mask in masks) < 1024
