"""The edge port: pins IRQ1 to IRQ7 as levels or edges (sheet 6.2, 6.3; LNX m54xxsim.h; 5281UM chapter 11)."""

import pytest

from emu.errors import UsageError
from emu.machine import StopReason
from tests.support import asm
from tests.support.asm import A6, D6, D7, d, imm
from tests.support.guest import MBAR, Bench, read_frame, store_long, stub
from tests.support.peripherals import (
    EPDDR,
    EPDR,
    EPFR,
    EPIER,
    EPPAR,
    EPPDR,
    IMRL,
    IPRL,
    masked,
    sample,
    samples,
    set_mask,
    store,
    vector,
)

LEVEL, RISING, FALLING, BOTH = range(4)
PINS = range(1, 8)
OFFSETS = {0xF00: "EPPAR", 0xF04: "EPDDR", 0xF05: "EPIER", 0xF08: "EPDR", 0xF09: "EPPDR", 0xF0C: "EPFR"}


def assignment(pin: int, kind: int) -> bytes:
    """Guest code: EPPAR with one pin assigned, the others level sensitive."""
    return store("w", kind << 2 * pin, EPPAR)


def enable(*pins: int) -> bytes:
    """Guest code: these pins may interrupt; IMR lets them."""
    return store("b", sum(1 << pin for pin in pins), EPIER) + store_long(0xFFFFFF00, IMRL)


def moves(guest: Bench, *levels: tuple[int, bool]) -> None:
    """Move pins one after the other, the machine stands still."""
    for pin, high in levels:
        guest.machine.move_pin(pin, high)


def flags(guest: Bench) -> int:
    """EPFR as the guest reads it."""
    guest.run(set_mask(7), sample([("b", EPFR)]), asm.HALT)
    return samples(guest, 1)[0]


def test_addresses() -> None:
    """The registers stand in four longwords, not packed as on the V2 chips."""
    assert [MBAR + offset for offset in OFFSETS] == [EPPAR, EPDDR, EPIER, EPDR, EPPDR, EPFR]


def test_registers_keep_what_they_have_bits_for(guest: Bench) -> None:
    """Pin 0 does not exist; reserved bits read 0, and the bytes between the registers are none."""
    code = store("w", 0xFFFF, EPPAR) + store("b", 0xFF, EPDDR) + store("b", 0xFF, EPIER) + store("b", 0x5B, EPDR)
    reads = [("w", EPPAR), ("b", EPPAR), ("b", EPPAR + 1), ("b", EPDDR), ("b", EPIER), ("w", EPDDR), ("b", EPDR)]
    guest.run(code, sample(reads), asm.HALT)
    assert samples(guest, len(reads)) == [0xFFFC, 0xFF, 0xFC, 0xFE, 0xFE, 0xFEFE, 0x5A]


def test_pins_are_high_until_moved_and_can_be_read(guest: Bench) -> None:
    guest.run(sample([("b", EPPDR)]), asm.HALT)
    assert samples(guest, 1) == [0xFE]
    moves(guest, (1, False), (7, False), (4, False), (1, True))
    guest.run(sample([("b", EPPDR)]), asm.HALT)
    assert samples(guest, 1) == [0b01101110]


@pytest.mark.parametrize("pin", PINS)
@pytest.mark.parametrize(
    ("kind", "falls", "rises"),
    [(LEVEL, False, False), (RISING, False, True), (FALLING, True, False), (BOTH, True, True)],
)
def test_the_edges_that_are_flagged(guest: Bench, pin: int, kind: int, falls: bool, rises: bool) -> None:
    """EPFR catches the assigned edges whether the pin is enabled or not; a level is not flagged."""
    guest.run(assignment(pin, kind), asm.HALT)
    moves(guest, (pin, True))  # no edge: it is high already
    assert flags(guest) == 0
    moves(guest, (pin, False))
    assert flags(guest) == falls << pin
    guest.run(store("b", 0xFF, EPFR), asm.HALT)
    moves(guest, (pin, False))
    assert flags(guest) == 0
    moves(guest, (pin, True))
    assert flags(guest) == rises << pin


def test_flags_are_cleared_one_by_one_by_ones(guest: Bench) -> None:
    guest.run(store("w", 0xAAA8, EPPAR), asm.HALT)
    moves(guest, *((pin, False) for pin in PINS))
    assert flags(guest) == 0xFE
    guest.run(store("b", 0, EPFR), asm.HALT)
    assert flags(guest) == 0xFE
    guest.run(store("b", 1 << 3 | 1 << 6, EPFR), asm.HALT)
    assert flags(guest) == 0xFE & ~(1 << 3 | 1 << 6)


@pytest.mark.parametrize("pin", PINS)
@pytest.mark.parametrize("kind", [LEVEL, RISING, FALLING, BOTH])
def test_a_pin_interrupts_at_the_level_of_its_number(guest: Bench, pin: int, kind: int) -> None:
    moves(guest, (pin, kind != RISING))
    guest.start(assignment(pin, kind) + enable(pin) + set_mask(0) + 500 * asm.TPF + asm.HALT)
    guest.machine.run(max_instructions=50)
    assert guest.machine.counters().exceptions == {}
    moves(guest, (pin, kind == RISING))
    assert guest.resume().pc == stub(vector(pin)) + 2
    assert read_frame(guest.machine, guest.registers["a7"]).vector == vector(pin)
    assert guest.registers["sr"] == masked(pin)


@pytest.mark.parametrize("pin", [1, 4, 6])
def test_a_low_pin_interrupts_until_it_is_high(guest: Bench, pin: int) -> None:
    """The request follows the pin: no flag is there to be cleared."""
    guest.handler(vector(pin), store("b", 0xFF, EPFR, D6) + asm.addq(1, d(D7)) + asm.RTE)
    guest.start(assignment(pin, LEVEL) + enable(pin) + set_mask(0) + 500 * asm.TPF + asm.HALT)
    moves(guest, (pin, False))
    guest.machine.run(max_instructions=200)
    taken = guest.registers["d7"]
    assert taken > 20
    moves(guest, (pin, True))
    assert guest.resume().reason is StopReason.HALT
    assert taken <= guest.registers["d7"] <= taken + 1


@pytest.mark.parametrize("pin", [1, 4, 6, 7])
def test_an_edge_interrupts_until_its_flag_is_cleared(guest: Bench, pin: int) -> None:
    """Not while the pin stays low, and again with the next edge."""
    guest.handler(vector(pin), store("b", 1 << pin, EPFR, D6) + asm.addq(1, d(D7)) + asm.RTE)
    guest.start(assignment(pin, FALLING) + enable(pin) + set_mask(0) + 500 * asm.TPF + asm.HALT)
    for expected in (1, 2, 3):
        guest.machine.run(max_instructions=40)
        moves(guest, (pin, False), (pin, True), (pin, False))
        guest.machine.run(max_instructions=40)
        assert guest.registers["d7"] == expected


def test_a_pin_that_is_not_enabled_requests_nothing(guest: Bench) -> None:
    guest.start(assignment(2, FALLING) + enable(3) + set_mask(0) + 50 * asm.TPF + asm.HALT)
    guest.machine.run(max_instructions=20)
    moves(guest, (2, False))
    assert guest.resume().reason is StopReason.HALT
    assert guest.machine.counters().exceptions == {}
    guest.run(set_mask(7), sample([("l", IPRL)]), enable(2), sample([("l", IPRL)], 1), asm.HALT)
    assert samples(guest, 2) == [0, 1 << 2]


@pytest.mark.parametrize("kind", [LEVEL, FALLING])
def test_pin_7_low_is_taken_once(guest: Bench, kind: int) -> None:
    """Level 7 is an edge for the CPU, also where the edge port counts the level (sheet 3.6)."""
    guest.handler(vector(7), asm.addq(1, d(D7)) + asm.RTE)
    guest.start(assignment(7, kind) + enable(7) + set_mask(7) + 500 * asm.TPF + asm.HALT)
    guest.machine.run(max_instructions=50)
    moves(guest, (7, False))
    guest.machine.run(max_instructions=50)
    assert guest.registers["d7"] == 1
    moves(guest, (7, True))
    guest.machine.run(max_instructions=50)
    moves(guest, (7, False))
    guest.machine.run(max_instructions=50)
    assert guest.registers["d7"] == (2 if kind == LEVEL else 1)  # the flag has stayed


def test_pins_by_level(guest: Bench) -> None:
    """All seven at once: each handler is interrupted by nothing, the highest comes first."""
    for pin in PINS:
        code = asm.move("b", imm(0x30 + pin, "b"), asm.post(A6)) + store("b", 1 << pin, EPFR, D6) + asm.RTE
        guest.handler(vector(pin), code)
    guest.run(store("w", 0xAAA8, EPPAR), enable(*PINS), asm.lea(asm.at(0xC0008000), A6), asm.HALT)
    guest.start(set_mask(0) + 20 * asm.TPF + asm.HALT)
    moves(guest, *((pin, False) for pin in PINS))
    assert guest.resume().reason is StopReason.HALT
    assert guest.machine.read_physical(0xC0008000, 7) == b"7654321"


def test_a_pin_ends_a_stop(guest: Bench) -> None:
    """Nothing inside the machine can: the run ends, the host moves the pin, the run goes on."""
    code = assignment(5, FALLING) + enable(5)
    assert guest.run(code, asm.stop(masked(0))).reason is StopReason.STOPPED
    moves(guest, (5, False))
    assert guest.resume().pc == stub(vector(5)) + 2


@pytest.mark.parametrize("pin", [0, 8, -1])
def test_pins_that_do_not_exist(guest: Bench, pin: int) -> None:
    with pytest.raises(UsageError, match="pins are 1 to 7"):
        guest.machine.move_pin(pin, True)
