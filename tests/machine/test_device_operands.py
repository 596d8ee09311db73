"""Operands in device registers and the MMU window, of every instruction that the engines emulate themselves."""

import struct

import pytest

from emu.counters import Operation
from emu.machine import StopReason
from tests.support import asm
from tests.support.asm import A0, A1, D0, D1, D2, D3, Mac, at, d, disp, fp, imm, ind, post
from tests.support.guest import CODE, MBAR, MMUAR, MMUTR, WINDOW, Bench, enter_virtual_mode, store_long

PINS = MBAR + 0xA00  # 80 bytes that keep what is stored
STCNT = MBAR + 0x900
SLT_SCR, SCNT = MBAR + 0x904, MBAR + 0x908
CALL, STATUS, BEGIN, END = (MBAR + 0x30000 + offset for offset in (0x40, 0x44, 0x48, 0x4C))
INHIBITED_READ, INHIBITED_WRITE = 24, 5


def pattern(guest: Bench, count: int) -> bytes:
    """The first bytes of the pins, which only the guest may read: taken from the device's record."""
    return bytes(guest.machine.core.devices["pins"][:count])


@pytest.mark.parametrize("nops", [0, 3])
def test_a_division_reads_a_timer_register(guest: Bench, nops: int) -> None:
    """In the middle of a block and alone, by longword and by word."""
    guest.run(
        store_long(7, STCNT),
        asm.lea(at(STCNT), A0),
        asm.move("l", imm(100), d(D1)) + asm.move("l", imm(100), d(D2)) + nops * asm.NOP,
        asm.div_l(False, ind(A0), D1),
        asm.div_w(False, disp(A0, 2), D2),
        asm.moveq(1, D3),
        asm.HALT,
    )
    assert (guest.registers["d1"], guest.registers["d2"]) == (14, 2 << 16 | 14)
    assert guest.registers["d3"] == 1
    counters = guest.machine.counters()
    assert (counters.inhibited_reads, counters.inhibited_writes, counters.bus_errors) == (2, 1, 0)
    assert counters.instructions == 2 + 1 + 2 + nops + 4


def test_the_fpu_stores_and_loads_a_double_in_two_accesses(guest: Bench) -> None:
    guest.run(
        asm.lea(at(PINS), A0) + asm.moveq(3, D0),
        asm.fp_from("move", "l", d(D0), 0) + asm.fp_to("d", 0, ind(A0)),
        asm.fp_from("move", "d", post(A0), 1) + fp("add", 0, 1) + asm.fp_to("l", 1, d(D1)),
        asm.HALT,
    )
    assert pattern(guest, 8) == struct.pack(">d", 3.0)
    assert guest.registers["d1"] == 6
    assert guest.registers["a0"] == PINS + 8
    counters = guest.machine.counters()
    assert (counters.inhibited_reads, counters.inhibited_writes) == (2, 2)


def test_a_list_of_fpu_registers_goes_to_a_device_and_back(guest: Bench) -> None:
    guest.run(
        asm.lea(at(PINS), A0) + asm.moveq(5, D0),
        asm.fp_from("move", "l", d(D0), 2) + fp("add", 2, 2) + asm.fp_from("move", "l", d(D0), 3),
        asm.fmovem_store([2, 3], ind(A0)) + asm.fmovem_load(ind(A0), [4, 5]),
        asm.fp_to("l", 4, d(D1)) + asm.fp_to("l", 5, d(D2)),
        asm.HALT,
    )
    assert pattern(guest, 16) == struct.pack(">dd", 10.0, 5.0)
    assert (guest.registers["d1"], guest.registers["d2"]) == (10, 5)


def test_a_mac_loads_from_a_device(guest: Bench) -> None:
    guest.run(
        store_long(0x12345678, PINS),
        asm.lea(at(PINS), A1) + asm.moveq(6, D1) + asm.moveq(7, D2),
        asm.mac_load(Mac(D1, D2, 0), ind(A1), D3),
        asm.HALT,
    )
    assert guest.registers["d3"] == 0x12345678
    assert guest.registers["acc0"] == 42
    assert guest.machine.counters().inhibited_reads == 1


def test_a_division_waits_for_the_answer_of_a_hypercall(guest: Bench) -> None:
    """The status register makes the machine wait: the instruction begins again when the host has answered."""
    guest.machine.on_hypercall = lambda _number, _arguments: (20, ())
    guest.run(
        store_long(1, CALL) + asm.lea(at(STATUS), A0) + asm.move("l", imm(100), d(D1)),
        asm.div_l(False, ind(A0), D1),
        asm.HALT,
    )
    assert guest.registers["d1"] == 5
    assert guest.machine.counters().instructions == 2 + 2 + 1 + 1
    assert guest.machine.counters().exceptions == {}


def test_a_division_by_what_nobody_answers_ends_the_run_in_front_of_it(guest: Bench) -> None:
    code = store_long(1, CALL) + asm.lea(at(STATUS), A0) + asm.move("l", imm(100), d(D1))
    result = guest.run(code, asm.div_l(False, ind(A0), D1), asm.HALT)
    assert (result.reason, result.pc) == (StopReason.HYPERCALL, CODE + len(code))
    assert guest.registers["d1"] == 100


def test_a_division_reads_the_running_counter_to_the_clock(guest: Bench) -> None:
    """SCNT counts bus clocks, of two core cycles, from the store that starts the timer (sheet 6.4)."""
    start = asm.lea(at(SCNT), A0) + store_long(0xFFFF, STCNT) + asm.move("l", imm(0x05000000), d(D0))
    guest.run(
        start + asm.moveq(1, D2) + asm.moveq(1, D3) + asm.move("l", d(D0), at(SLT_SCR)) + 10 * asm.NOP,
        asm.move("l", ind(A0), d(D1)),
        asm.div_l(False, ind(A0), D2),
        asm.HALT,
    )
    between = guest.registers["d1"]
    assert guest.registers["d2"] == 0  # 1 / count
    # the store is over when its five cycles are; NOP costs 6 (CF4UM 6-6), the move's own cycles come behind its read
    assert 0xFFFF - between == (10 * 6 + 1 + INHIBITED_READ) // 2


def test_an_fpu_store_marks_an_operation(guest: Bench) -> None:
    guest.run(
        asm.moveq(4, D0) + asm.fp_from("move", "l", d(D0), 0),
        asm.lea(at(BEGIN), A0) + asm.fp_to("l", 0, ind(A0)),
        4 * asm.TPF,
        asm.fp_to("l", 0, disp(A0, END - BEGIN)),
        asm.HALT,
    )
    (operation,) = guest.machine.counters().operations.values()
    assert guest.machine.counters().operations == {4: Operation({operation.cycles: 1})}
    assert operation.cycles >= 4 + INHIBITED_WRITE


def test_the_mmu_window_takes_and_gives_operands_of_emulated_instructions(guest: Bench) -> None:
    guest.run(
        enter_virtual_mode(),
        asm.lea(at(WINDOW), A0) + asm.move("l", imm(1000), d(D0)),
        asm.fp_from("move", "l", d(D0), 0) + asm.fp_to("l", 0, disp(A0, MMUAR - WINDOW)),
        asm.move("l", imm(5000), d(D1)) + asm.div_l(False, disp(A0, MMUAR - WINDOW), D1),
        asm.move("l", at(MMUTR), d(D2)),
        asm.HALT,
    )
    assert guest.registers["mmuar"] == 1000
    assert guest.registers["d1"] == 5
    assert guest.machine.counters().exceptions == {}
