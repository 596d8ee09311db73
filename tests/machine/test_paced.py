"""A machine whose host keeps real time: a STOP is reported before its time is skipped, and the count stays exact."""

import math

import pytest

from emu.errors import UsageError
from emu.machine import StopReason
from tests.support import asm
from tests.support.asm import A1, D0, D1, D7, at, d, imm, post
from tests.support.guest import BOARD, DATA, Bench, store_long, stub
from tests.support.peripherals import (
    BUFFER,
    CHARACTER,
    IEN,
    INT_RX,
    LOOPBACK,
    PSC,
    PSC_SOURCE,
    RUN,
    SCR,
    SLT,
    TEN,
    assign,
    clear_timer,
    masked,
    start_psc,
    start_timer,
    unmask,
    vector,
)

COUNT = 49_999
PERIOD = 2 * (COUNT + 1)
COM = vector(PSC_SOURCE[0])
HEARD = DATA + 0x3000


def seconds(cycles: int) -> float:
    """Core cycles as seconds of the board."""
    return cycles / BOARD.core_hz


def cycles(guest: Bench) -> int:
    """Virtual time."""
    return guest.machine.counters().cycles


def ticking(level: int = 4, control: int = RUN | IEN | TEN) -> bytes:
    """Guest code: slice timer 0 with COUNT."""
    return assign(54, level) + unmask(54) + start_timer(0, COUNT, control)


def listening(divisor: int = 0, mr2: int = 7) -> bytes:
    """Guest code: PSC0 interrupts for each character."""
    return assign(PSC_SOURCE[0], 3) + unmask(PSC_SOURCE[0]) + start_psc(divisor=divisor, mr2=mr2, imr=INT_RX)


def tick_handlers(guest: Bench) -> None:
    """Count ticks in D7, store characters through A1."""
    guest.handler(vector(54), asm.addq(1, d(D7)) + clear_timer(0) + asm.RTE)
    guest.handler(COM, asm.move("b", at(PSC[0] + BUFFER), post(A1)) + asm.RTE)


def test_a_paced_run_takes_the_same_cycles(guest: Bench) -> None:
    """Whatever slices the host lets pass, and however often it asks."""
    tick_handlers(guest)
    guest.start(ticking() + 4 * asm.stop(masked(0)) + asm.HALT)
    start = guest.machine.snapshot()
    assert guest.resume().reason is StopReason.HALT
    expected = guest.machine.counters(), guest.data_registers()
    for share in (1.0, 0.3, 5.0):
        guest.machine.restore(start)
        guest.machine.paced = True
        waits = 0
        while (result := guest.machine.run()).reason is StopReason.IDLE:
            left = guest.machine.idle_seconds
            assert 0 < left <= seconds(PERIOD)
            guest.machine.let_time_pass(left * share)
            waits += 1
        assert result.reason is StopReason.HALT
        assert (guest.machine.counters(), guest.data_registers()) == expected
        assert (waits >= 4) == (share <= 1)


def test_idle_seconds_shrink_by_what_passes(guest: Bench) -> None:
    tick_handlers(guest)
    guest.machine.paced = True
    guest.start(ticking() + asm.stop(masked(0)) + asm.HALT)
    assert guest.machine.run().reason is StopReason.IDLE
    whole, now = guest.machine.idle_seconds, cycles(guest)
    assert guest.machine.run().reason is StopReason.IDLE  # nothing has passed: nothing changes
    assert (guest.machine.idle_seconds, cycles(guest)) == (whole, now)
    guest.machine.let_time_pass(seconds(1000))
    assert cycles(guest) == now + 1000
    assert guest.machine.run().reason is StopReason.IDLE
    assert guest.machine.idle_seconds == pytest.approx(whole - seconds(1000))
    guest.machine.let_time_pass(10)
    assert cycles(guest) == now + round(whole * BOARD.core_hz)
    assert guest.machine.run().reason is StopReason.HALT
    assert guest.registers["d7"] == 1


def test_time_that_came_too_late_is_no_debt(guest: Bench) -> None:
    """A time-out that is due while STOP itself runs needs no waiting, and time never goes back."""
    tick_handlers(guest)
    guest.machine.paced = True
    for gap in range(14):
        code = assign(54, 4) + unmask(54) + start_timer(0, 9, IEN | TEN)
        guest.start(code + gap * asm.TPF + asm.stop(masked(0)) + store_long(0, SLT[0] + SCR) + asm.HALT)
        before = cycles(guest)
        for _ in range(10):
            result = guest.machine.run(max_instructions=1000)
            assert cycles(guest) >= before
            before = cycles(guest)
            if result.reason is not StopReason.IDLE:
                break
            guest.machine.let_time_pass(guest.machine.idle_seconds)
            assert cycles(guest) >= before
        assert result.reason is StopReason.HALT
    assert guest.registers["d7"] >= 14


def test_only_input_can_end_the_wait(guest: Bench) -> None:
    tick_handlers(guest)
    guest.machine.paced = True
    guest.start(asm.lea(at(HEARD), A1) + listening(divisor=5) + 2 * asm.stop(masked(0)) + asm.HALT)
    assert guest.machine.run().reason is StopReason.IDLE
    assert guest.machine.idle_seconds == math.inf
    now = cycles(guest)
    guest.machine.let_time_pass(seconds(12_345))
    assert cycles(guest) == now + 12_345
    assert guest.machine.run().reason is StopReason.IDLE
    guest.machine.type_in(b"yn")
    for spent in (0, 100):  # the second one's time began when the first was read, a little before the second STOP
        assert guest.machine.run().reason is StopReason.IDLE
        assert seconds(5 * CHARACTER - spent) <= guest.machine.idle_seconds <= seconds(5 * CHARACTER)
        guest.machine.let_time_pass(guest.machine.idle_seconds)
    assert guest.machine.run().reason is StopReason.HALT
    assert guest.machine.read_physical(HEARD, 2) == b"yn"


def test_time_that_the_host_lets_pass_does_not_pass_by_what_was_typed(guest: Bench) -> None:
    """Typed in a wait for the timer, the character comes at its time, not with the timer."""
    tick_handlers(guest)
    guest.handler(COM, asm.move("b", at(PSC[0] + BUFFER), post(A1)) + asm.HALT)
    guest.machine.paced = True
    guest.start(asm.lea(at(HEARD), A1) + ticking() + listening(divisor=1) + asm.stop(masked(0)) + asm.HALT)
    assert guest.machine.run().reason is StopReason.IDLE
    now = cycles(guest)
    guest.machine.type_in(b"c")
    guest.machine.let_time_pass(1)
    assert guest.machine.run().reason is StopReason.HALT
    assert guest.registers["d7"] == 0
    assert now + CHARACTER < cycles(guest) < now + CHARACTER + 100


@pytest.mark.parametrize(
    "code",
    [
        pytest.param(b"", id="nothing runs"),
        pytest.param(ticking(2), id="masked in SR"),
        pytest.param(ticking(4, RUN | TEN), id="IEN off"),
        pytest.param(start_psc(imr=INT_RX), id="PSC masked in IMR"),
        pytest.param(listening(mr2=LOOPBACK), id="PSC hears itself only"),
    ],
)
def test_a_stop_that_nothing_can_end_is_no_wait(guest: Bench, code: bytes) -> None:
    guest.machine.paced = True
    assert guest.run(code, asm.stop(masked(2)), asm.HALT).reason is StopReason.STOPPED


def test_a_cycle_budget_holds_in_a_paced_run(guest: Bench) -> None:
    tick_handlers(guest)
    guest.machine.paced = True
    guest.start(ticking() + asm.stop(masked(0)) + asm.HALT)
    assert guest.machine.run(max_cycles=10_000).reason is StopReason.IDLE
    guest.machine.let_time_pass(seconds(1000))
    now = cycles(guest)
    assert guest.machine.run(max_cycles=10_000).reason is StopReason.IDLE
    assert cycles(guest) == now
    guest.machine.let_time_pass(seconds(200_000))
    assert guest.machine.run(max_cycles=10_000).reason is StopReason.HALT


def test_running_code_is_not_paced(guest: Bench) -> None:
    guest.machine.paced = True
    loop = asm.subq(1, d(D1)) + asm.branch_b("ne", -4)
    guest.start(asm.move("l", imm(100_000), d(D1)) + loop + asm.moveq(1, D0) + asm.HALT)
    assert guest.resume(300_000).reason is StopReason.HALT


def test_a_pin_or_a_host_interrupt_ends_the_wait(guest: Bench) -> None:
    tick_handlers(guest)
    guest.machine.paced = True
    guest.start(ticking() + asm.stop(masked(0)) + asm.HALT)
    assert guest.machine.run().reason is StopReason.IDLE
    guest.machine.raise_interrupt(5, 200)
    assert guest.resume().pc == stub(200) + 2


def test_time_passes_only_forwards_and_only_in_a_stop(guest: Bench) -> None:
    with pytest.raises(UsageError, match="time passes"):
        guest.machine.let_time_pass(1)
    guest.machine.paced = True
    guest.start(ticking() + asm.stop(masked(0)) + asm.HALT)
    assert guest.machine.run().reason is StopReason.IDLE
    with pytest.raises(UsageError, match="time passes"):
        guest.machine.let_time_pass(-1)


def test_a_snapshot_of_a_wait(guest: Bench) -> None:
    tick_handlers(guest)
    guest.machine.paced = True
    guest.start(ticking() + 2 * asm.stop(masked(0)) + asm.HALT)
    assert guest.machine.run().reason is StopReason.IDLE
    guest.machine.let_time_pass(seconds(500))
    snapshot, left = guest.machine.snapshot(), guest.machine.idle_seconds
    ends = []
    for _ in range(2):
        assert guest.machine.idle_seconds == left
        while (result := guest.machine.run()).reason is StopReason.IDLE:
            guest.machine.let_time_pass(guest.machine.idle_seconds)
        ends.append((result, guest.machine.counters()))
        guest.machine.restore(snapshot)
    assert ends[0] == ends[1]
