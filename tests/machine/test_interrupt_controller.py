"""The interrupt controller as the guest sees it (sheet 6.3, items 28 and 32 of section 7; 5281UM chapter 10).

Most requests here are forced through INTFRC: it is a level that stays until software takes it away.
"""

import random

import pytest

from emu.machine import StopReason
from tests.support import asm
from tests.support.asm import D1, D6, D7, at, d
from tests.support.guest import CODE, Bench, Frame, read_frame, store_long
from tests.support.peripherals import (
    EPIER,
    EPPAR,
    IACKLPR,
    IEN,
    IMRH,
    IMRL,
    INTFRCH,
    INTFRCL,
    IPRH,
    IPRL,
    IRLR,
    MASKALL,
    RUN,
    SLT,
    SPURIOUS,
    STCNT,
    SWIACK,
    TEN,
    assign,
    force,
    icr,
    level_iack,
    log,
    masked,
    note,
    sample,
    samples,
    set_mask,
    start_log,
    start_timer,
    store,
    unforce,
    unmask,
    vector,
)

ALL = 0xFFFFFFFF
SYSTEM_BYTE = 0xFF00
MIDPOINT = 8  # IACKLPR's priority of sources 1-7


def frame_of(guest: Bench) -> Frame:
    """The frame of the exception that the guest has just stopped in."""
    return read_frame(guest.machine, guest.registers["a7"])


def random_lane(rng: random.Random, sizes: str, length: int) -> tuple[str, int, int]:
    """(Size, offset, bytes) of an aligned access to a register of ``length`` bytes."""
    size = rng.choice(sizes)
    width = {"b": 1, "w": 2, "l": 4}[size]
    return size, rng.randrange(0, length, width), width


# --- registers


def test_reset_state(guest: Bench) -> None:
    """IMR masks everything; nothing is forced, pending or assigned to a level but the fixed sources 1-7."""
    reads = [("l", address) for address in (IPRH, IPRL, IMRH, IMRL, INTFRCH, INTFRCL)]
    reads += [("b", IRLR), ("b", IACKLPR)] + [("b", icr(n)) for n in range(1, 64)]
    guest.run(sample(reads), asm.HALT)
    seen = samples(guest, len(reads))
    assert seen[:8] == [0, 0, ALL, ALL, 0, 0, 0, 0]
    assert [value >> 3 & 7 for value in seen[8:15]] == list(range(1, 8))
    assert seen[15:] == [0] * 56


def test_icr1_to_7_are_read_only(guest: Bench) -> None:
    reads = [("b", icr(n)) for n in range(1, 8)]
    before = sample(reads)
    guest.run(before, asm.HALT)
    fixed = samples(guest, 7)
    writes = b"".join(store("b", 0x3F & ~fixed[n - 1], icr(n)) for n in range(1, 8))
    guest.run(writes, store_long(0, icr(4)), before, asm.HALT)
    assert samples(guest, 7) == fixed


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("address", "mask"),
    [
        (INTFRCH, b"\xff\xff\xff\xff"),
        (INTFRCL, b"\xff\xff\xff\xfe"),
        (IMRH, b"\xff\xff\xff\xff"),
        (icr(8), b"\x3f\x3f\x3f\x3f"),
        (icr(60), b"\x3f\x3f\x3f\x3f"),
        (SLT[0] + STCNT, b"\xff\xff\xff\xff"),
        (SLT[1] + STCNT, b"\xff\xff\xff\xff"),
        (EPPAR, b"\xff\xfc"),
    ],
)
def test_every_lane_of_a_register_can_be_written_and_read(guest: Bench, address: int, mask: bytes, seed: int) -> None:
    """Bytes and words are big-endian lanes of the register; what is reserved reads 0."""
    guest.handler(vector(7), asm.RTE)  # forcing source 7 interrupts whatever SR[I] says
    rng = random.Random(seed)
    sizes = "bwl" if len(mask) == 4 else "bw"
    content = bytearray(len(mask))
    expected: list[int] = []
    code = store(sizes[-1], 0, address)
    for _ in range(30):
        size, offset, width = random_lane(rng, sizes, len(mask))
        if rng.random() < 0.6:
            value = rng.getrandbits(8 * width)
            code += store(size, value, address + offset)
            lane = value.to_bytes(width, "big")
            content[offset : offset + width] = bytes(b & m for b, m in zip(lane, mask[offset : offset + width]))
        else:
            code += sample([(size, address + offset)], len(expected))
            expected.append(int.from_bytes(content[offset : offset + width], "big"))
    guest.run(code, asm.HALT)
    assert samples(guest, len(expected)) == expected


def test_irlr_and_iacklpr_are_two_bytes_of_a_word(guest: Bench) -> None:
    code = assign(40, 3, 5) + force(40) + sample([("b", level_iack(3)), ("w", IRLR), ("b", IRLR), ("b", IACKLPR)])
    guest.run(code, asm.HALT)
    assert samples(guest, 4) == [vector(40), 0x0835, 0x08, 0x35]


# --- IMR and MASKALL (item 28)


def masks(high: int, low: int) -> tuple[int, int]:
    """What IMRH and IMRL read with these 63 mask bits: bit 0 of IMRL is 1 while all of them are set."""
    return high, low & ~1 | int(high == ALL and low | 1 == ALL)


@pytest.mark.parametrize("seed", range(6))
def test_maskall_is_an_action_and_a_summary(guest: Bench, seed: int) -> None:
    """Writing 1 sets all 63 mask bits; the bit reads 1 while all are set. A write that leaves bit 0's byte out
    is no such action."""
    rng = random.Random(seed)
    bits, code = bytearray(b"\xff" * 8), b""
    expected: list[int] = []
    for i in range(24):
        size, offset, width = random_lane(rng, "bwl", 8)
        value = rng.choice((rng.getrandbits(8 * width), rng.getrandbits(8 * width) & ~1, 1, (1 << 8 * width) - 1))
        code += store(size, value, IMRH + offset)
        bits[offset : offset + width] = value.to_bytes(width, "big")
        if offset + width == 8 and value & MASKALL:
            bits[:] = b"\xff" * 8
        code += sample([("l", IMRH), ("l", IMRL)], 2 * i)
        expected += masks(int.from_bytes(bits[:4], "big"), int.from_bytes(bits[4:], "big"))
        bits[7] &= ~MASKALL
    guest.run(code, asm.HALT)
    assert samples(guest, 48) == expected


def test_linux_masks_all_and_unmasks_one_source_above_32(guest: Bench) -> None:
    """LNX intc-2.c: IMRL = 1 at boot, then only IMRH is touched: no gate stays closed."""
    code = store_long(MASKALL, IMRL) + assign(40, 6, 6) + force(40)
    guest.run(code, set_mask(7), sample([("l", IMRH), ("l", IMRL), ("b", IRLR)]), asm.HALT)
    assert samples(guest, 3) == [ALL, ALL, 1 << 6]  # a forced request passes the mask (item 32)


def low_pin(pin: int, extra: bytes = b"") -> bytes:
    """Guest code: the edge port's pin is level sensitive and enabled; the host holds it low."""
    return store("b", 1 << pin, EPIER) + extra


def test_a_masked_source_is_pending_but_requests_nothing(guest: Bench) -> None:
    """IPR shows the source's line whatever IMR says (5281UM 10-7)."""
    guest.machine.move_pin(3, False)
    look = [("l", IPRL), ("b", IRLR)]
    guest.run(low_pin(3), set_mask(0), 3 * asm.TPF, sample(look), asm.HALT)
    assert samples(guest, 2) == [1 << 3, 0]
    assert guest.machine.counters().exceptions == {}
    guest.run(set_mask(7), unmask(3), sample(look), asm.HALT)
    assert samples(guest, 2) == [1 << 3, 1 << 3]


def test_masking_a_source_takes_its_request_away(guest: Bench) -> None:
    """The request is there while SR masks it; then IMR masks it, SR lets everything in, and the IACK finds nothing."""
    guest.machine.move_pin(3, False)
    code = set_mask(7) + low_pin(3) + unmask(3) + sample([("b", IRLR)]) + store_long(ALL & ~1, IMRL)
    guest.run(code, set_mask(0), 5 * asm.TPF, asm.moveq(0, D7), asm.move("b", at(level_iack(3)), d(D7)), asm.HALT)
    assert samples(guest, 1) == [1 << 3]
    assert guest.registers["d7"] == SPURIOUS
    assert guest.machine.counters().exceptions == {}


@pytest.mark.parametrize("source", [1, 7, 8, 31, 32, 63])
def test_a_forced_request_bypasses_imr(guest: Bench, source: int) -> None:
    level = source if source < 8 else 4
    before = store_long(MASKALL, IMRL) + (assign(source, level) if source > 7 else b"") + set_mask(0) + force(source)
    frame = guest.exception(before, asm.TPF)
    assert (frame.vector, frame.fs, frame.pc) == (vector(source), 0, CODE + len(before))
    assert frame.sr & SYSTEM_BYTE == masked(0)
    assert guest.registers["sr"] & SYSTEM_BYTE == masked(level)


# --- levels and priorities


@pytest.mark.parametrize("level", range(8))
@pytest.mark.parametrize("mask", [0, 3, 6, 7])
def test_a_level_must_be_above_the_mask(guest: Bench, level: int, mask: int) -> None:
    """Level 0 is a source that is off; level 7 is held off by nothing."""
    before = assign(20, level, 3) + set_mask(mask) + force(20)
    guest.run(before, 4 * asm.TPF, asm.HALT)
    taken = level > mask or level == 7
    assert guest.machine.counters().exceptions == ({vector(20): 1} if taken else {})
    if taken:
        frame = frame_of(guest)
        assert frame.pc == CODE + len(before)  # the first boundary behind the store
        assert frame.sr & SYSTEM_BYTE == masked(mask)
        assert guest.registers["sr"] & SYSTEM_BYTE == masked(level)


def test_irlr_shows_every_level_that_requests(guest: Bench) -> None:
    code = set_mask(7) + b"".join(
        assign(*each) for each in ((10, 1, 3), (40, 4, 0), (41, 4, 1), (63, 6, 7), (50, 0, 2))
    )
    steps = [force(10), force(40), force(41), force(63), force(2), force(50), unforce(40), unforce(41), unforce(10, 63)]
    expected = [0b10, 0b10010, 0b10010, 0b1010010, 0b1010110, 0b1010110, 0b1010110, 0b1000110, 0b100]
    code += b"".join(step + sample([("b", IRLR)], i) for i, step in enumerate(steps))
    guest.run(code, asm.HALT)
    assert samples(guest, len(steps)) == expected


@pytest.mark.parametrize("sources", [(10, 60), (60, 10), (33, 34)])
@pytest.mark.parametrize("priorities", [(0, 1), (6, 7), (7, 0), (3, 4)])
def test_the_higher_priority_of_a_level_comes_first(
    guest: Bench, sources: tuple[int, int], priorities: tuple[int, int]
) -> None:
    code = b"".join(assign(source, 5, priority) for source, priority in zip(sources, priorities))
    guest.run(set_mask(7), code, force(*sources), set_mask(0), asm.HALT)
    winner = max(zip(priorities, sources))
    assert frame_of(guest).vector == vector(winner[1])
    guest.run(asm.moveq(0, D7), asm.move("b", at(IACKLPR), d(D7)), asm.HALT)
    assert guest.registers["d7"] == 5 << 4 | winner[0]


@pytest.mark.parametrize("fixed", [1, 4, 6])
@pytest.mark.parametrize("priority", range(8))
def test_sources_1_to_7_stand_in_the_middle_of_their_level(guest: Bench, fixed: int, priority: int) -> None:
    """Priorities 4 to 7 are above the mid point, 0 to 3 below (52211RM chapter 14: the same block)."""
    guest.run(set_mask(7), assign(45, fixed, priority), force(fixed, 45), set_mask(0), asm.HALT)
    winner, shown = (45, priority) if priority >= 4 else (fixed, MIDPOINT)
    assert frame_of(guest).vector == vector(winner)
    guest.run(asm.moveq(0, D7), asm.move("b", at(IACKLPR), d(D7)), asm.HALT)
    assert guest.registers["d7"] == fixed << 4 | shown


def test_the_higher_level_comes_first_whatever_the_priorities(guest: Bench) -> None:
    guest.run(set_mask(7), assign(10, 3, 7), assign(11, 4, 0), force(10, 11), set_mask(0), asm.HALT)
    assert frame_of(guest).vector == vector(11)


# --- acknowledge


def test_software_acknowledge_reads_vectors_without_taking_anything(guest: Bench) -> None:
    code = set_mask(7) + assign(10, 2, 1) + assign(11, 2, 6) + assign(40, 5, 3) + force(10, 11, 40)
    reads = [("b", SWIACK), ("b", IACKLPR), ("b", level_iack(2)), ("b", IACKLPR)]
    reads += [("b", level_iack(n)) for n in (1, 3, 4, 5, 6, 7)] + [("b", IRLR)]
    guest.run(code, sample(reads), asm.HALT)
    seen = samples(guest, len(reads))
    assert seen[:4] == [vector(40), 0x53, vector(11), 0x26]
    assert seen[4:10] == [SPURIOUS, SPURIOUS, SPURIOUS, vector(40), SPURIOUS, SPURIOUS]
    assert seen[10] == 1 << 2 | 1 << 5
    assert guest.machine.counters().exceptions == {}


def test_iacklpr_keeps_the_last_acknowledge(guest: Bench) -> None:
    guest.handler(vector(10), unforce(10, scratch=D6) + asm.RTE)
    code = assign(10, 2, 4) + set_mask(0) + force(10) + sample([("b", IACKLPR), ("b", IRLR)])
    guest.run(code, asm.HALT)
    assert samples(guest, 2) == [0x24, 0]


# --- time: what is taken again, and when


def test_a_level_request_is_taken_again_until_it_goes_away(guest: Bench) -> None:
    handler = asm.addq(1, d(D7)) + asm.moveq(3, D6) + asm.alu("cmp", d(D7), D6)
    gone = unforce(20, scratch=D6)
    guest.handler(vector(20), handler + asm.branch_b("ne", len(gone)) + gone + asm.RTE)
    before = assign(20, 4) + set_mask(0) + force(20)
    guest.run(before, asm.HALT)
    assert guest.registers["d7"] == 3
    assert guest.machine.counters().exceptions == {vector(20): 3}


def test_a_level_7_request_that_stays_is_taken_once(guest: Bench) -> None:
    guest.handler(vector(20), asm.addq(1, d(D7)) + asm.RTE)
    guest.run(assign(20, 7), set_mask(0), force(20), 10 * asm.TPF, set_mask(6), set_mask(7), set_mask(0), asm.HALT)
    assert guest.registers["d7"] == 1


def test_a_level_7_request_that_went_away_is_taken_again(guest: Bench) -> None:
    guest.handler(vector(20), asm.addq(1, d(D7)) + asm.RTE)
    code = assign(20, 7) + set_mask(0) + force(20) + asm.TPF + unforce(20) + asm.TPF + force(20) + 5 * asm.TPF
    guest.run(code, asm.HALT)
    assert guest.registers["d7"] == 2


def test_a_level_7_edge_interrupts_its_own_handler(guest: Bench) -> None:
    """The mask of 7 holds off levels, but no edge: a second edge nests (sheet 3.6)."""
    again = unforce(20, scratch=D6) + force(20, scratch=D6)
    first = asm.moveq(1, D6) + asm.alu("cmp", d(D7), D6) + asm.branch_b("ne", len(again)) + again
    guest.handler(vector(20), asm.addq(1, d(D7)) + note("<") + first + note(">") + asm.RTE)
    guest.run(start_log(), assign(20, 7), set_mask(0), force(20), 3 * asm.TPF, asm.HALT)
    assert log(guest) == "<<>>"


def test_a_lower_request_waits_behind_level_7(guest: Bench) -> None:
    guest.handler(vector(20), note("7") + force(21, scratch=D6) + unforce(20, scratch=D6) + note(".") + asm.RTE)
    guest.handler(vector(21), note("6") + unforce(21, scratch=D6) + asm.RTE)
    guest.run(start_log(), assign(20, 7), assign(21, 6), set_mask(0), force(20), note("m"), asm.HALT)
    assert log(guest) == "7.6m"


def test_level_7_hides_lower_requests_until_it_has_gone(guest: Bench) -> None:
    """The controller asks for one level, the highest; the CPU has taken that edge already."""
    guest.handler(vector(20), note("7") + asm.RTE)
    guest.handler(vector(21), note("6") + unforce(21, scratch=D6) + asm.RTE)
    code = assign(20, 7) + assign(21, 6) + set_mask(0) + force(20, 21) + note("m") + unforce(20) + note("n")
    guest.run(start_log(), code, asm.HALT)
    assert log(guest) == "7m6n"


def test_level_7_that_was_taken_does_not_hold_up_the_host(guest: Bench) -> None:
    guest.handler(vector(20), asm.addq(1, d(D7)) + asm.RTE)
    guest.handler(200, asm.addq(5, d(D7)) + asm.RTE)
    guest.start(assign(20, 7) + set_mask(0) + force(20) + asm.stop(masked(0)) + asm.HALT)
    guest.machine.schedule_interrupt(3, 200, 5000)
    assert guest.resume().reason is StopReason.HALT
    assert guest.registers["d7"] == 1 + 5


def test_a_stop_behind_a_level_7_that_stays_ends_the_run(guest: Bench) -> None:
    """The timer's own request stays at level 7, and so would nothing it does be an edge again."""
    guest.handler(vector(54), asm.addq(1, d(D7)) + asm.RTE)
    code = assign(54, 7) + unmask(54) + start_timer(0, 100, RUN | IEN | TEN) + asm.stop(masked(0)) + asm.stop(masked(0))
    assert guest.run(code, asm.HALT).reason is StopReason.STOPPED
    assert guest.registers["d7"] == 1


def test_nested_interrupts(guest: Bench) -> None:
    """A higher level interrupts a handler at once, a lower one waits for the RTE that lets it in."""
    guest.handler(vector(10), note("a") + force(20, scratch=D6) + note("b") + unforce(10, scratch=D6) + asm.RTE)
    guest.handler(vector(20), note("c") + force(12, 11, scratch=D6) + unforce(20, scratch=D6) + note("d") + asm.RTE)
    guest.handler(vector(11), note("e") + unforce(11, scratch=D6) + asm.RTE)
    guest.handler(vector(12), note("f") + unforce(12, scratch=D6) + asm.RTE)
    code = assign(10, 2) + assign(20, 5) + assign(11, 3) + assign(12, 1) + set_mask(0) + force(10)
    guest.run(start_log(), code, note("m"), asm.HALT)
    assert log(guest) == "acdebfm"
    assert guest.registers["sr"] & 0x700 == 0


def test_assigning_a_level_to_a_waiting_request_takes_it(guest: Bench) -> None:
    before = force(20) + set_mask(3) + 3 * asm.TPF + assign(20, 2) + asm.TPF + assign(20, 6)
    guest.run(before, asm.TPF, asm.HALT)
    assert (frame_of(guest).vector, frame_of(guest).pc) == (vector(20), CODE + len(before))


def test_raising_a_waiting_request_to_level_7_is_an_edge(guest: Bench) -> None:
    before = force(20) + set_mask(7) + assign(20, 6) + asm.TPF + assign(20, 7)
    guest.run(before, asm.TPF, asm.HALT)
    assert (frame_of(guest).vector, frame_of(guest).pc) == (vector(20), CODE + len(before))


def test_a_request_and_a_host_interrupt_of_one_level(guest: Bench) -> None:
    """Both are delivered, whichever is first."""
    guest.handler(vector(20), note("g") + unforce(20, scratch=D6) + asm.RTE)
    guest.handler(200, note("h") + asm.RTE)
    guest.start(start_log() + assign(20, 5) + set_mask(5) + force(20) + asm.TPF + set_mask(0) + 3 * asm.TPF + asm.HALT)
    guest.machine.raise_interrupt(5, 200)
    guest.resume()
    assert sorted(log(guest)) == ["g", "h"]


def test_an_icr_store_to_four_sources_at_once(guest: Bench) -> None:
    code = store_long(0x09121B24, icr(16)) + sample([("b", icr(16 + i)) for i in range(4)])
    guest.run(set_mask(7), code, force(16, 17, 18, 19), asm.moveq(0, D1), asm.move("b", at(IRLR), d(D1)), asm.HALT)
    assert samples(guest, 4) == [0x09, 0x12, 0x1B, 0x24]
    assert guest.registers["d1"] == 0b11110
