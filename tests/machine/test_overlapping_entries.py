"""Two TLB entries that match one access: the lower TLB address answers (sheet 7 item 7), wherever it is in 4 KB."""

import pytest

from tests.support import asm
from tests.support.asm import D1, D2, D3, at, d
from tests.support.guest import DTLB_BASE, FRAMES, Bench, Entry, enter_virtual_mode, image, tag

VA, SMALL, QUARTER = 0x10000000, FRAMES + 0x4000, 0x400
LARGE = 5


@pytest.mark.parametrize("bits", [12, 13, 20])
@pytest.mark.parametrize("number", [3, 7])
def test_data_of_a_small_page_over_a_large_one(guest: Bench, bits: int, number: int) -> None:
    guest.put(FRAMES, b"\x11" * 0x1000)
    guest.put(SMALL, b"\x22" * QUARTER)
    entries = [
        Entry(DTLB_BASE + LARGE, tag(VA), image(FRAMES, bits)),
        Entry(DTLB_BASE + number, tag(VA + QUARTER), image(SMALL, 10)),
    ]
    reads = (asm.move("l", at(VA + i * QUARTER - 2 * (i == 2)), d(D1 + i)) for i in range(3))
    guest.run(enter_virtual_mode(entries), *reads, asm.HALT)
    front = number < LARGE
    assert [guest.registers[f"d{D1 + i}"] for i in range(3)] == [
        0x11111111,
        0x22222222 if front else 0x11111111,
        0x22221111 if front else 0x11111111,
    ]


@pytest.mark.parametrize("bits", [12, 13, 20])
@pytest.mark.parametrize("number", [3, 7])
def test_code_of_a_small_page_over_a_large_one(guest: Bench, bits: int, number: int) -> None:
    """From the large page's first quarter on into the second, there and back again."""
    last = asm.moveq(1, D1)
    guest.put(FRAMES + QUARTER - len(last), last)
    back = asm.subq(1, d(D3)) + asm.branch_w("ne", -8) + asm.HALT
    guest.put(FRAMES + QUARTER, asm.moveq(0x11, D2) + back)
    guest.put(SMALL, asm.moveq(0x22, D2) + back)
    entries = [Entry(LARGE, tag(VA), image(FRAMES, bits)), Entry(number, tag(VA + QUARTER), image(SMALL, 10))]
    guest.run(enter_virtual_mode(entries), asm.moveq(3, D3), asm.jmp(at(VA + QUARTER - len(last))))
    assert [guest.registers[name] for name in ("d1", "d2", "d3")] == [1, 0x22 if number < LARGE else 0x11, 0]
