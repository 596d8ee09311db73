"""The slice timers to the clock (sheet 6.4): periods, the down count, status, and how STOP skips to them.

A bus clock is two core cycles. TPF costs 1 core cycle and STOP 6 (sheet 4.4); an inhibited read adds 24, a write 5.
An access happens at the boundary in front of its instruction plus the cycles of the access itself, so that differences
between two reads are differences of the boundaries.
"""

import itertools

import pytest

from emu.machine import StopReason
from tests.support import asm
from tests.support.asm import A0, D0, D1, D6, D7, at, d, disp, imm, post
from tests.support.guest import CODE, EXCEPTION_CYCLES, Bench, store_long, stub
from tests.support.peripherals import (
    BE,
    IEN,
    IMRH,
    IPRH,
    RUN,
    SAMPLES,
    SCNT,
    SCR,
    SLT,
    SLT_SOURCE,
    SSR,
    ST,
    STCNT,
    TEN,
    assign,
    change,
    clear_timer,
    log,
    masked,
    note,
    sample,
    samples,
    set_mask,
    start_log,
    start_timer,
    store,
    unmask,
    vector,
)

BUS = 2  # core cycles per bus clock
READ = 1 + 24
TIMERS = (0, 1)


def period(count: int) -> int:
    """Core cycles between two time-outs."""
    return BUS * (count + 1)


def allow(n: int, level: int, priority: int = 0) -> bytes:
    """Guest code that lets the timer interrupt at that level."""
    return assign(SLT_SOURCE[n], level, priority) + unmask(SLT_SOURCE[n])


def boundaries(guest: Bench, address: int, count: int) -> list[int]:
    """Run until the instruction at ``address`` has been next ``count`` times: the cycle of each."""
    cycles = []
    for _ in range(count):
        result = guest.machine.run(max_instructions=100_000, stop_at=(address,))
        assert result.reason is StopReason.ADDRESS, result
        cycles.append(guest.machine.counters().cycles)
    return cycles


def differences(values: list[int]) -> list[int]:
    """Between neighbours."""
    return [after - before for before, after in itertools.pairwise(values)]


# --- the count


@pytest.mark.parametrize("n", TIMERS)
@pytest.mark.parametrize("phase", [0, 1])
def test_the_count_goes_down_once_a_bus_clock(guest: Bench, n: int, phase: int) -> None:
    """Reads with 0 to 9 TPF between them, from either half of a bus clock on."""
    gaps = list(range(10))
    code = start_timer(n, 1_000_000, TEN) + asm.lea(at(SLT[n]), A0) + asm.lea(at(SAMPLES), 1) + phase * asm.TPF
    for gap in gaps:
        code += gap * asm.TPF + asm.move("l", disp(A0, SCNT), post(1))
    guest.run(code, asm.HALT)
    counts = samples(guest, len(gaps))
    # MOVE from memory to memory costs 2 (548xRM 3-42)
    cycles = list(itertools.accumulate(gap + 24 + 2 for gap in gaps[1:]))
    elapsed = [counts[0] - count for count in counts[1:]]
    assert elapsed in ([c // BUS for c in cycles], [(c + 1) // BUS for c in cycles])


def test_either_half_of_a_bus_clock_is_seen(guest: Bench) -> None:
    """One core cycle more between the start and the read is a bus clock more every second time."""
    seen = []
    for gap in range(8):
        code = start_timer(0, 1000, 0) + asm.move("l", imm(TEN), d(D0)) + asm.move("l", d(D0), at(SLT[0] + SCR))
        guest.run(code, gap * asm.TPF, asm.move("l", at(SLT[0] + SCNT), d(D1)), asm.HALT)
        seen.append(guest.registers["d1"])
    assert sorted(differences(seen)) == [-1] * 3 + [0] * 4 or sorted(differences(seen)) == [-1] * 4 + [0] * 3
    assert all(a - c == 1 for a, c in zip(seen, seen[2:]))


@pytest.mark.parametrize("count", [1, 2, 9, 37])
def test_a_free_running_count_passes_every_value_from_stcnt_to_0(guest: Bench, count: int) -> None:
    code = start_timer(0, count, RUN | TEN)
    reads = b"".join(asm.move("l", at(SLT[0] + SCNT), d(D0)) + asm.move("l", d(D0), post(1)) for _ in range(200))
    guest.run(code, asm.lea(at(SAMPLES), 1), reads, asm.HALT)
    seen = samples(guest, 200)  # 26 cycles apart: 13 bus clocks
    step = 13 % (count + 1)
    assert all((before - after) % (count + 1) == step for before, after in itertools.pairwise(seen))
    assert max(seen) <= count


def test_a_new_stcnt_counts_from_the_next_load_on(guest: Bench) -> None:
    """The run under way ends as it began (the sheet is silent; a reload value is no counter)."""
    code = set_mask(0) + allow(0, 3) + start_timer(0, 500, RUN | IEN | TEN) + store_long(200, SLT[0] + STCNT)
    guest.handler(vector(54), clear_timer(0) + asm.RTE)
    guest.start(code + asm.lea(at(SLT[0]), A0) + 3 * asm.stop(masked(0)) + asm.HALT)
    first, second, third = boundaries(guest, stub(vector(54)), 3)
    assert second - first == third - second == period(200)
    assert first > period(500)


# --- periods and STOP


@pytest.mark.parametrize("n", TIMERS)
@pytest.mark.parametrize("count", [99, 100, 1331, 1_000_000])
def test_stop_skips_to_each_time_out_exactly(guest: Bench, n: int, count: int) -> None:
    guest.handler(vector(SLT_SOURCE[n]), clear_timer(n) + asm.RTE)
    code = allow(n, 6) + start_timer(n, count, RUN | IEN | TEN)
    guest.start(code + asm.stop(masked(0)) + asm.branch_b("ra", -6))
    times = boundaries(guest, stub(vector(SLT_SOURCE[n])), 6)
    assert differences(times) == [period(count)] * 5
    assert guest.machine.counters().exceptions == {vector(SLT_SOURCE[n]): 6}


def test_the_first_time_out_is_a_period_behind_the_start(guest: Bench) -> None:
    """Whatever the guest does meanwhile: all is counted from the store to SCR."""
    times = []
    for count in (200, 201, 300):
        guest.start(allow(0, 6) + start_timer(0, count, IEN | TEN) + asm.stop(masked(0)))
        start = guest.machine.counters().cycles
        (end,) = boundaries(guest, stub(vector(54)), 1)
        guest.run(store_long(0, SLT[0] + SCR), clear_timer(0), asm.HALT)
        times.append(end - start - period(count))
    assert len(set(times)) == 1
    assert 0 < times[0] - EXCEPTION_CYCLES < 300  # the set-up


@pytest.mark.parametrize("gap", range(0, 40, 3))
def test_a_time_out_in_running_code_is_taken_at_the_next_boundary(guest: Bench, gap: int) -> None:
    """TPF boundaries are one cycle apart, so nothing is late."""
    code = allow(0, 6) + set_mask(0) + start_timer(0, 100, IEN | TEN)
    guest.start(code + gap * asm.TPF + 300 * asm.TPF + asm.HALT)
    running = boundaries(guest, stub(vector(54)), 1)
    guest.run(store_long(0, SLT[0] + SCR), clear_timer(0), asm.HALT)
    before = guest.machine.counters().cycles
    guest.start(code + asm.stop(masked(0)))
    stopped = boundaries(guest, stub(vector(54)), 1)
    assert running[0] == stopped[0] - before


def test_both_timers_at_once(guest: Bench) -> None:
    """Each keeps its own period; a level 7 interrupts the other's handler."""
    guest.handler(vector(54), asm.addq(1, d(D6)) + clear_timer(0, D0) + asm.RTE)
    guest.handler(vector(53), asm.addq(1, d(D7)) + clear_timer(1, D1) + asm.RTE)
    code = allow(0, 3) + allow(1, 7) + start_timer(0, 999, RUN | IEN | TEN) + start_timer(1, 1499, RUN | IEN | TEN)
    guest.start(code + asm.stop(masked(0)) + asm.branch_b("ra", -6))
    result = guest.machine.run(max_cycles=period(999) * 30 + period(999) // 2)
    assert result.reason is StopReason.CYCLES
    assert (guest.registers["d6"], guest.registers["d7"]) == (30, 20)


@pytest.mark.parametrize(("levels", "order"), [((3, 5), "10"), ((5, 3), "01"), ((4, 4), "01")])
def test_time_outs_of_one_moment_come_by_level_and_priority(guest: Bench, levels: tuple[int, int], order: str) -> None:
    for n in TIMERS:
        guest.handler(vector(SLT_SOURCE[n]), note(str(n)) + clear_timer(n) + asm.RTE)
    code = start_log() + set_mask(7) + allow(0, levels[0], 5) + allow(1, levels[1], 4)
    code += start_timer(0, 50, IEN | TEN) + start_timer(1, 50, IEN | TEN) + 500 * asm.TPF + set_mask(0)
    guest.run(code, 2 * asm.TPF, asm.HALT)
    assert log(guest) == order


def test_total_cycles_of_a_day_of_ticks(guest: Bench) -> None:
    """Linux at 100 Hz for a virtual minute: the clock neither gains nor loses."""
    count = 1_330_000 - 1
    guest.handler(vector(54), asm.addq(1, d(D7)) + clear_timer(0) + asm.RTE)
    guest.start(allow(0, 6, 6) + start_timer(0, count, RUN | IEN | TEN) + asm.stop(masked(0)) + asm.branch_b("ra", -6))
    guest.machine.run(max_cycles=6000 * period(count) + 1000)
    assert guest.registers["d7"] == 6000


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(store_long(0xFFFFFFFF, IMRH), id="masked in IMR"),
        pytest.param(store_long(RUN | TEN, SLT[0] + SCR), id="IEN off"),
        pytest.param(store_long(RUN | IEN, SLT[0] + SCR), id="TEN off"),
        pytest.param(assign(54, 0), id="level 0"),
        pytest.param(assign(54, 3), id="masked in SR"),
        pytest.param(b"", id="sound"),
    ],
)
def test_a_stop_that_nothing_can_end_is_reported_at_once(guest: Bench, spoil: bytes) -> None:
    code = allow(0, 4) + start_timer(0, 1_000_000, RUN | IEN | TEN) + spoil + asm.stop(masked(3))
    result = guest.run(code, asm.HALT)
    if spoil:
        assert (result.reason, result.pc) == (StopReason.STOPPED, CODE + len(code))
        assert guest.machine.counters().cycles < 1000
    else:
        assert (result.reason, result.pc) == (StopReason.HALT, stub(vector(54)) + 2)


def test_a_stop_waits_for_the_timer_that_can_end_it(guest: Bench) -> None:
    """The other one times out several times meanwhile, and its status shows it."""
    code = allow(0, 4) + start_timer(1, 100, RUN | IEN | TEN) + start_timer(0, 10_000, RUN | IEN | TEN)
    guest.handler(vector(54), sample([("l", SLT[1] + SSR), ("l", IPRH)]) + asm.HALT)
    guest.run(code, asm.stop(masked(0)))
    assert samples(guest, 2) == [ST, 1 << 22 | 1 << 21]
    assert guest.machine.counters().cycles > period(10_000)


# --- status and control


def test_st_is_set_without_ien_and_cleared_by_a_one(guest: Bench) -> None:
    ssr = ("l", SLT[0] + SSR)
    code = start_timer(0, 20, TEN) + sample([ssr]) + 60 * asm.TPF + sample([ssr, ("l", IPRH)], 1)
    code += store_long(0, ssr[1]) + store_long(BE, ssr[1]) + store("b", 0, ssr[1]) + store("b", 0xFF, ssr[1] + 1)
    code += sample([ssr], 3) + store_long(0, SLT[0] + SCR) + sample([ssr], 4)
    guest.run(code + store("b", ST >> 24, ssr[1]), sample([ssr], 5), asm.HALT)
    assert samples(guest, 6) == [0, ST, 0, ST, ST, 0]


@pytest.mark.parametrize("n", TIMERS)
def test_the_request_is_st_and_ien(guest: Bench, n: int) -> None:
    bit = 1 << SLT_SOURCE[n] - 32
    code = start_timer(n, 20, TEN) + 60 * asm.TPF + sample([("l", IPRH)])
    code += store_long(IEN | TEN, SLT[n] + SCR) + sample([("l", IPRH)], 1)
    code += store_long(TEN, SLT[n] + SCR) + sample([("l", IPRH)], 2)
    code += store_long(IEN | TEN, SLT[n] + SCR) + clear_timer(n) + sample([("l", IPRH)], 3)
    guest.run(code, asm.HALT)
    assert samples(guest, 4) == [0, bit, 0, 0]


def test_an_uncleared_status_interrupts_again(guest: Bench) -> None:
    guest.handler(vector(54), asm.addq(1, d(D7)) + asm.RTE)
    guest.start(allow(0, 4) + start_timer(0, 200, RUN | IEN | TEN) + asm.stop(masked(0)) + asm.branch_b("ra", -6))
    assert guest.machine.run(max_instructions=1000).reason is StopReason.INSTRUCTIONS
    assert guest.registers["d7"] > 300  # three instructions each


def test_without_run_the_timer_waits_until_st_is_cleared(guest: Bench) -> None:
    ssr, scnt = ("l", SLT[0] + SSR), ("l", SLT[0] + SCNT)
    code = start_timer(0, 50, TEN) + 200 * asm.TPF + sample([ssr, scnt, scnt])
    guest.run(code + clear_timer(0), sample([ssr, scnt, scnt], 3), 200 * asm.TPF, sample([ssr], 6), asm.HALT)
    seen = samples(guest, 7)
    assert seen[0] == ST
    assert seen[1] == seen[2]
    assert seen[3] == 0
    assert 50 > seen[4] > seen[5] > 0
    assert seen[6] == ST


def test_without_run_a_period_begins_when_st_is_cleared(guest: Bench) -> None:
    """The handler dawdles before it clears ST: that much later comes the next interrupt."""
    guest.handler(vector(54), asm.TPF + 37 * asm.NOP + clear_timer(0) + asm.RTE)
    guest.start(allow(0, 4) + start_timer(0, 1000, IEN | TEN) + asm.stop(masked(0)) + asm.branch_b("ra", -6))
    times = boundaries(guest, stub(vector(54)), 4)
    late = [difference - period(1000) - EXCEPTION_CYCLES for difference in differences(times)]
    assert len(set(late)) == 1
    assert 37 * 6 < late[0] < 37 * 6 + 20  # the way through the handler to its store


def test_with_run_a_period_does_not_wait_for_the_handler(guest: Bench) -> None:
    guest.handler(vector(54), 37 * asm.NOP + clear_timer(0) + asm.RTE)
    guest.start(allow(0, 4) + start_timer(0, 1000, RUN | IEN | TEN) + asm.stop(masked(0)) + asm.branch_b("ra", -6))
    assert differences(boundaries(guest, stub(vector(54)), 4)) == [period(1000)] * 3


def test_time_outs_that_nobody_took_are_one(guest: Bench) -> None:
    """ST is one bit: after five periods under the mask a single interrupt, and the next one on the old beat."""
    guest.handler(vector(54), asm.addq(1, d(D7)) + clear_timer(0) + asm.RTE)
    code = allow(0, 4) + set_mask(4) + start_timer(0, 1000, RUN | IEN | TEN)
    code += asm.move("l", imm(2400), d(D0)) + asm.subq(1, d(D0)) + asm.NOP + asm.branch_b("ne", -6)
    guest.start(code + asm.stop(masked(0)) + asm.branch_b("ra", -6))
    times = boundaries(guest, stub(vector(54)), 3)
    assert times[0] > 5 * period(1000)
    assert times[2] - times[1] == period(1000)
    assert times[1] - times[0] < period(1000)
    assert guest.machine.counters().exceptions == {vector(54): 3}


def test_ten_off_stops_the_timer_and_on_starts_a_whole_period(guest: Bench) -> None:
    off, on = store_long(IEN, SLT[0] + SCR), store_long(IEN | TEN, SLT[0] + SCR)
    code = allow(0, 4) + set_mask(0) + start_timer(0, 100, IEN | TEN) + off + 400 * asm.TPF
    code += sample([("l", SLT[0] + SSR)])
    start = CODE + len(code) + len(on)
    guest.start(code + on + asm.stop(masked(0)))
    (begin,) = boundaries(guest, start, 1)
    (end,) = boundaries(guest, stub(vector(54)), 1)
    assert samples(guest, 1) == [0]
    # the store's own cycles lie between the access and the boundary behind it
    assert 0 <= begin + period(100) + EXCEPTION_CYCLES - end <= 6


def test_scr_written_again_does_not_start_the_timer_again(guest: Bench) -> None:
    guest.handler(vector(54), clear_timer(0) + change(SLT[0] + SCR, put=RUN | IEN | TEN, scratch=D6) + asm.RTE)
    guest.start(allow(0, 4) + start_timer(0, 1000, RUN | IEN | TEN) + asm.stop(masked(0)) + asm.branch_b("ra", -6))
    assert differences(boundaries(guest, stub(vector(54)), 4)) == [period(1000)] * 3


def test_scr_keeps_its_three_bits(guest: Bench) -> None:
    guest.run(store_long(0xFEFFFFFF, SLT[0] + SCR), sample([("l", SLT[0] + SCR), ("b", SLT[0] + SCR)]), asm.HALT)
    assert samples(guest, 2) == [RUN | IEN, (RUN | IEN) >> 24]


def test_a_byte_store_to_scr_starts_the_timer(guest: Bench) -> None:
    code = allow(0, 4) + store_long(100, SLT[0] + STCNT) + store("b", (IEN | TEN) >> 24, SLT[0] + SCR)
    assert guest.run(code, asm.stop(masked(0))).pc == stub(vector(54)) + 2


def test_parts_of_the_count_can_be_read(guest: Bench) -> None:
    code = start_timer(0, 0x12345678, TEN) + sample(
        [("b", SLT[0] + SCNT), ("b", SLT[0] + SCNT + 1), ("w", SLT[0] + SCNT), ("w", SLT[0] + SCNT + 2)]
    )
    guest.run(code, asm.HALT)
    first, second, high, low = samples(guest, 4)
    assert (first, second, high) == (0x12, 0x34, 0x1234)
    assert 0x5678 - 200 < low < 0x5678


@pytest.mark.parametrize("control", [RUN | TEN, RUN | IEN | TEN])
def test_the_shortest_period_does_not_stop_the_machine(guest: Bench, control: int) -> None:
    """A time-out each bus clock: the guest goes on, with interrupts one instruction between two of them."""
    guest.handler(vector(54), asm.addq(1, d(D7)) + clear_timer(0) + asm.RTE)
    code = allow(0, 4) + set_mask(0) + start_timer(0, 0, control)
    guest.start(code + 50 * asm.NOP + asm.HALT)
    result = guest.machine.run(max_instructions=2000)
    assert guest.machine.counters().exceptions == ({vector(54): guest.registers["d7"]} if control & IEN else {})
    assert result.reason is (StopReason.INSTRUCTIONS if control & IEN else StopReason.HALT)


@pytest.mark.parametrize("n", TIMERS)
def test_the_longest_period(guest: Bench, n: int) -> None:
    guest.handler(vector(SLT_SOURCE[n]), clear_timer(n) + asm.RTE)
    code = allow(n, 1) + start_timer(n, 0xFFFFFFFF, RUN | IEN | TEN)
    guest.start(code + asm.stop(masked(0)) + asm.branch_b("ra", -6))
    assert differences(boundaries(guest, stub(vector(SLT_SOURCE[n])), 3)) == [1 << 33] * 2


# --- budgets and snapshots


def test_a_cycle_budget_ends_a_stop_before_its_timer(guest: Bench) -> None:
    guest.start(allow(0, 4) + start_timer(0, 100_000, IEN | TEN) + asm.stop(masked(0)))
    for spent in range(1, 10):
        assert guest.machine.run(max_cycles=10_000).reason is StopReason.CYCLES
        assert guest.machine.counters().cycles == 10_000 * spent
    assert guest.resume().pc == stub(vector(54)) + 2


def test_a_snapshot_inside_a_wait(guest: Bench) -> None:
    guest.handler(vector(54), asm.addq(1, d(D7)) + clear_timer(0) + asm.RTE)
    code = allow(0, 4) + start_timer(0, 5000, RUN | IEN | TEN) + 3 * asm.stop(masked(0)) + asm.HALT
    guest.start(code)
    guest.machine.run(max_cycles=2 * period(5000) + 3000)
    snapshot = guest.machine.snapshot()
    before = guest.machine.counters()
    assert guest.registers["d7"] == 2
    ends = []
    for _ in range(3):
        assert guest.resume().reason is StopReason.HALT
        ends.append((guest.machine.counters(), guest.data_registers()))
        guest.machine.restore(snapshot)
        assert guest.machine.counters() == before
    assert ends[0] == ends[1] == ends[2]
    assert ends[0][1][D7] == 3
