"""Interrupts and STOP: levels, masks, the frame, and at which instruction boundary they are taken (sheet 3.1, 3.6)."""

import itertools

import pytest

from emu.errors import UsageError
from emu.machine import StopReason
from tests.support import asm
from tests.support.asm import D0, D1, D7, at, d, imm
from tests.support.guest import CODE, EXCEPTION_CYCLES, MBAR, Bench, bench, read_frame, store_long, stub

TRAP = 32
VECTOR = 100
CALL, STATUS = MBAR + 0x30040, MBAR + 0x30044  # the mailbox
MASTER = 0x1000


def masked(level: int) -> int:
    """A supervisor SR with that interrupt mask."""
    return 0x2000 | level << 8


def idle(sr: int, count: int = 20) -> bytes:
    """Guest code that does nothing for a while, then halts."""
    return asm.move_to_sr(imm(sr, "w")) + count * asm.TPF + asm.HALT


@pytest.mark.parametrize(
    ("level", "mask", "taken"),
    [
        (1, 0, True),
        (1, 1, False),
        (4, 3, True),
        (4, 4, False),
        (4, 5, False),
        (6, 7, False),
        (7, 6, True),
        (7, 7, True),
    ],
)
def test_a_request_must_be_above_the_mask_or_level_7(guest: Bench, level: int, mask: int, taken: bool) -> None:
    guest.start(idle(masked(mask)))
    guest.machine.run(max_instructions=5)
    guest.machine.raise_interrupt(level, VECTOR)
    guest.resume()
    assert guest.machine.counters().exceptions == ({VECTOR: 1} if taken else {})
    if taken:
        frame = read_frame(guest.machine, guest.registers["a7"])
        assert (frame.vector, frame.fs, frame.sr, frame.pc) == (VECTOR, 0, masked(mask), CODE + 4 + 2 * 4)
        assert guest.registers["sr"] == masked(level)


def test_an_interrupt_clears_m_and_an_exception_does_not(guest: Bench) -> None:
    guest.handler(TRAP, asm.move_from_sr(D1) + asm.RTE)
    guest.start(asm.move_to_sr(imm(masked(0) | MASTER, "w")) + asm.trap(0) + 20 * asm.TPF + asm.HALT)
    guest.machine.run(max_instructions=8)
    assert guest.registers["d1"] & 0xFFFF == masked(0) | MASTER
    guest.machine.raise_interrupt(3, VECTOR)
    guest.resume()
    assert read_frame(guest.machine, guest.registers["a7"]).sr == masked(0) | MASTER
    assert guest.registers["sr"] == masked(3)


def test_a_masked_request_waits_for_the_mask(guest: Bench) -> None:
    code = asm.move_to_sr(imm(masked(5), "w")) + 10 * asm.TPF + asm.move_to_sr(imm(masked(2), "w")) + 10 * asm.TPF
    guest.machine.raise_interrupt(4, VECTOR)
    guest.run(code, asm.HALT)
    assert read_frame(guest.machine, guest.registers["a7"]).pc == CODE + 4 + 20 + 4


def test_an_edge_is_delivered_once(guest: Bench) -> None:
    guest.handler(VECTOR, asm.addq(1, d(D7)) + asm.RTE)
    guest.start(idle(masked(0)))
    guest.machine.run(max_instructions=3)
    guest.machine.raise_interrupt(7, VECTOR)
    guest.resume()
    assert guest.registers["d7"] == 1


@pytest.mark.parametrize("levels", [(3, 5), (5, 3)])
def test_requests_of_several_levels_all_come(guest: Bench, levels: tuple[int, int]) -> None:
    """Masked when they are made, then the highest first; of two at one level the later stands."""
    for level in levels:
        guest.handler(VECTOR + level, asm.shift("lsl", 4, D7) + asm.addq(level, d(D7)) + asm.RTE)
    guest.start(idle(masked(6)) + idle(masked(0)))
    for level in levels:
        guest.machine.raise_interrupt(level, VECTOR)
        guest.machine.raise_interrupt(level, VECTOR + level)
    guest.resume()
    assert guest.registers["d7"] == 0
    guest.start(idle(masked(0)))
    guest.resume()
    assert guest.registers["d7"] == 0x53


def test_the_first_instruction_of_a_handler_is_not_interrupted(engine: str) -> None:
    """548xRM 3-38. Whenever the request comes, a handler that begins by raising the mask is never interrupted."""
    seen = set()
    for cycle in range(1, 75, 2):
        with bench(engine) as guest:
            guest.handler(TRAP, asm.RTE)
            guest.put(stub(TRAP), asm.move_to_sr(imm(masked(7), "w")) + asm.TPF + asm.TPF + asm.RTE)
            guest.handler(VECTOR, asm.move("l", asm.disp(asm.SP, 4), d(D0)) + asm.RTE)
            guest.machine.schedule_interrupt(6, VECTOR, cycle)
            guest.run(asm.move_to_sr(imm(masked(0), "w")), 10 * asm.TPF, asm.trap(0), 40 * asm.TPF, asm.HALT)
            assert guest.machine.counters().exceptions == {TRAP: 1, VECTOR: 1}
            seen.add(guest.registers["d0"])
    program = range(CODE, CODE + 4 + 2 * 51 + 2)
    assert all(pc in program for pc in seen)
    assert CODE + 4 + 22 in seen  # requests during the handler are taken right behind the TRAP
    assert len(seen) > 5


@pytest.mark.parametrize("cycle", range(10, 40))
def test_a_timer_is_taken_at_the_first_boundary_at_or_after_its_cycle(guest: Bench, cycle: int) -> None:
    """NOP costs 6 cycles and TPF 1 (CF4UM 6-6): the boundaries are known."""
    body = [(asm.NOP, 6), (asm.TPF, 1), (asm.TPF, 1), (asm.NOP, 6), (asm.TPF, 1)] * 4
    guest.start(asm.move_to_sr(imm(masked(0), "w")))
    guest.machine.run(max_instructions=1)
    now, pc = guest.machine.counters().cycles, CODE + 4
    guest.put(pc, b"".join(code for code, _ in body) + asm.HALT)
    guest.machine.schedule_interrupt(5, VECTOR, cycle)
    for code, cycles in body:
        if now >= cycle:
            break
        now, pc = now + cycles, pc + len(code)
    result = guest.machine.run(max_instructions=100, stop_at=(stub(VECTOR),))
    assert result.reason is StopReason.ADDRESS
    assert read_frame(guest.machine, guest.registers["a7"]).pc == pc
    assert guest.machine.counters().cycles == now + EXCEPTION_CYCLES


def test_stop_waits_for_the_timer(guest: Bench) -> None:
    guest.handler(VECTOR, asm.addq(1, d(D7)) + asm.RTE)
    guest.machine.schedule_interrupt(3, VECTOR, 5000)
    guest.run(asm.stop(masked(2)), asm.moveq(1, D1), asm.HALT)
    assert (guest.registers["d7"], guest.registers["d1"]) == (1, 1)
    assert 5000 + EXCEPTION_CYCLES < guest.machine.counters().cycles < 5100


def test_the_interrupt_of_a_stop_returns_behind_it(guest: Bench) -> None:
    guest.machine.schedule_interrupt(3, VECTOR, 5000)
    guest.run(asm.TPF, asm.stop(masked(2)))
    frame = read_frame(guest.machine, guest.registers["a7"])
    assert (frame.pc, frame.sr) == (CODE + 6, masked(2))


@pytest.mark.parametrize("mask", [3, 7])
def test_stop_with_nothing_to_come_ends_the_run(guest: Bench, mask: int) -> None:
    guest.machine.schedule_interrupt(3, VECTOR, 50)
    result = guest.run(asm.TPF, asm.stop(masked(mask)), asm.HALT)
    assert (result.reason, result.pc) == (StopReason.STOPPED, CODE + 6)
    assert guest.registers["sr"] == masked(mask)


def test_a_budget_ends_a_stop_before_its_timer(guest: Bench) -> None:
    guest.start(asm.stop(masked(0)) + asm.HALT)
    guest.machine.schedule_interrupt(3, VECTOR, 5000)
    assert guest.machine.run(max_cycles=1000).reason is StopReason.CYCLES
    assert guest.machine.counters().cycles == 1000
    assert guest.machine.run(max_cycles=10_000).reason is StopReason.HALT
    assert guest.machine.counters().exceptions == {VECTOR: 1}


@pytest.mark.parametrize(("level", "vector"), [(0, 64), (8, 64), (1, 256), (1, -1)])
def test_impossible_requests_are_refused(guest: Bench, level: int, vector: int) -> None:
    with pytest.raises(UsageError, match="interrupt level"):
        guest.machine.raise_interrupt(level, vector)


def test_a_hypercall_may_schedule_the_next_interrupt(guest: Bench) -> None:
    """The handler asks the host, the host schedules the next one: a chain without leaving the run."""
    machine, times = guest.machine, []

    def answer(_number: int, _arguments: tuple[int, ...]) -> tuple[int, tuple[int, ...]]:
        times.append(machine.counters().cycles)
        if len(times) < 3:
            machine.schedule_interrupt(4, VECTOR, times[-1] + 500)
        return 0, ()

    machine.on_hypercall = answer
    guest.handler(VECTOR, store_long(1, CALL) + asm.move("l", at(STATUS), d(D0)) + asm.addq(1, d(D7)) + asm.RTE)
    machine.schedule_interrupt(4, VECTOR, 100)
    guest.run(idle(masked(0), 2000))
    assert guest.registers["d7"] == 3
    assert [round((after - before) / 500) for before, after in itertools.pairwise(times)] == [1, 1]
