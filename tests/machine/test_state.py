"""Machines as wholes: budgets, counters, geometry, snapshots, and several machines side by side."""

import threading

import pytest

from emu.board import get_board
from emu.cpu.state import MISS_PCS
from emu.errors import BoardError, UsageError
from emu.machine import Machine, StopReason
from tests.support import asm
from tests.support.asm import A0, D0, D1, D2, D7, at, d, ind
from tests.support.guest import (
    CODE,
    DATA,
    FRAMES,
    LK,
    RAM,
    SUPERVISOR_SR,
    USER_SR,
    Bench,
    Entry,
    R,
    W,
    X,
    bench,
    enter_virtual_mode,
    go_to,
    image,
    tag,
)

USER = 0x00400000
COUNT = asm.addq(1, d(D0)) + asm.branch_b("ra", -4)  # two instructions, for ever


# --- budgets


@pytest.mark.parametrize("budget", [0, 1, 2, 3, 7, 1000, 1001])
def test_an_instruction_budget_is_exact(guest: Bench, budget: int) -> None:
    guest.start(COUNT)
    result = guest.machine.run(max_instructions=budget)
    assert result.reason is StopReason.INSTRUCTIONS
    assert guest.machine.counters().instructions == budget
    assert guest.registers["d0"] == (budget + 1) // 2
    assert result.pc == CODE + 2 * (budget % 2)


@pytest.mark.parametrize("budget", [1, 5, 6, 7, 12, 13, 14, 100])
def test_a_cycle_budget_ends_at_the_first_boundary_at_or_behind_it(guest: Bench, budget: int) -> None:
    guest.start((asm.NOP + asm.TPF) * 40 + asm.HALT)  # 6 and 1 cycles (CF4UM 6-6)
    assert guest.machine.run(max_cycles=budget).reason is StopReason.CYCLES
    boundaries = [at_ for i in range(40) for at_ in (7 * i, 7 * i + 6)]
    assert guest.machine.counters().cycles == min(b for b in boundaries if b >= budget)


def test_stop_addresses_stop_before_the_instruction_and_let_the_next_run_leave(guest: Bench) -> None:
    guest.start(COUNT)
    for round_ in range(1, 4):
        result = guest.machine.run(max_instructions=100, stop_at=(CODE + 2,))
        assert (result.reason, result.pc) == (StopReason.ADDRESS, CODE + 2)
        assert guest.registers["d0"] == round_


def test_too_many_stop_addresses_are_refused(guest: Bench) -> None:
    with pytest.raises(UsageError, match="stop addresses"):
        guest.machine.run(stop_at=range(0, 1000, 2))


# --- counters


def two_pages(guest: Bench) -> None:
    """User code at USER that reads two unmapped addresses; each miss is skipped by the handler."""
    guest.handler(2, asm.addq(6, asm.disp(asm.SP, 4)) + asm.addq(1, d(D7)) + asm.RTE)
    guest.put(FRAMES, asm.move("l", at(0x01000000), d(D1)) + asm.move("l", at(0x02000000), d(D1)) + asm.trap(0))
    code = Entry(0, tag(USER), image(FRAMES, 13, X | LK))
    guest.machine.regions.add("heap", 0x01000000, 0x01800000)
    guest.machine.regions.add("all", 0x01000000, 0x01400000)
    guest.exception(enter_virtual_mode((code,)), go_to(USER, USER_SR))


def test_misses_are_counted_by_region_privilege_and_place(guest: Bench) -> None:
    two_pages(guest)
    misses = guest.machine.counters().misses
    assert guest.registers["d7"] == 2
    assert (misses.dtlb, misses.dtlb_user, misses.dtlb_kernel, misses.itlb, misses.nested) == (2, 2, 0, 0, 0)
    assert misses.by_region == {"heap": {"itlb": 0, "dtlb": 1}, "other": {"itlb": 0, "dtlb": 1}}  # first match wins
    assert misses.by_symbol == {f"{USER:#010x}": {"itlb": 0, "dtlb": 1}, f"{USER + 6:#010x}": {"itlb": 0, "dtlb": 1}}


def test_misses_at_more_places_than_the_table_holds_are_counted_together(guest: Bench) -> None:
    places = MISS_PCS + 500
    guest.handler(2, asm.addq(6, asm.disp(asm.SP, 4)) + asm.RTE)
    guest.put(FRAMES, asm.move("l", at(0x01000000), d(D1)) * places + asm.trap(0))
    pages = range(0, 6 * places, 0x2000)
    code = tuple(Entry(i, tag(USER + at_), image(FRAMES + at_, 13, X | LK)) for i, at_ in enumerate(pages))
    guest.exception(enter_virtual_mode(code), go_to(USER, USER_SR))
    misses = guest.machine.counters().misses
    assert misses.dtlb == places
    assert sum(entry["dtlb"] for entry in misses.by_symbol.values()) == places
    assert misses.by_symbol["(more places)"]["dtlb"] >= 500


def test_refill_cycles_are_those_between_entry_and_rte(guest: Bench) -> None:
    two_pages(guest)
    # JMP abs 1, ADDQ to memory 1, ADDQ 1, RTE 15 (5407UM T2-15, T2-17) and the entry's 18, twice.
    assert guest.machine.counters().refill_cycles == 2 * (18 + 1 + 1 + 1 + 15)


def test_a_miss_inside_a_refill_is_nested(guest: Bench) -> None:
    guest.handler(2, asm.addq(6, asm.disp(asm.SP, 4)) + asm.move("l", at(0x03000000), d(D1)) + asm.TPF + asm.RTE)
    guest.put(FRAMES, asm.move("l", at(0x01000000), d(D1)) + asm.trap(0))
    code = Entry(0, tag(USER), image(FRAMES, 13, X | LK))
    guest.start(enter_virtual_mode((code,)) + go_to(USER, USER_SR))
    guest.machine.run(max_instructions=150)
    misses = guest.machine.counters().misses
    assert misses.dtlb_user == 1
    assert misses.dtlb_kernel == misses.nested > 3  # the handler misses in itself, for ever


def test_counters_can_be_subtracted(guest: Bench) -> None:
    guest.start(COUNT)
    guest.machine.run(max_instructions=10)
    before = guest.machine.counters()
    guest.machine.run(max_instructions=32)
    assert (guest.machine.counters() - before).instructions == 32


# --- geometry (issue section 2)


@pytest.mark.parametrize("entries", [2, 8, 31, 32, 48, 128])
def test_the_number_of_entries_decides_what_fits(engine: str, entries: int) -> None:
    """Reading n pages twice misses n times if they fit, more if one is too many. The handler loads by UAA|ACC."""
    handler = (
        asm.move("l", at(0xFE000010), d(D2))
        + asm.alu_i("andi", -8192, D2)
        + asm.addq(1, d(D2))
        + asm.move("l", d(D2), at(0xFE000014))
        + asm.move("l", asm.imm(image(FRAMES, 13, R | W)), d(D2))
        + asm.move("l", d(D2), at(0xFE000018))
        + asm.moveq(3, D2)
        + asm.move("l", d(D2), at(0xFE000004))
        + asm.RTE
    )
    for pages, misses in ((entries, entries), (entries + 1, None)):
        loop = asm.move("l", ind(A0), d(D1)) + asm.alu_a("adda", asm.imm(8192), A0) + asm.subq(1, d(D0))
        once = (
            asm.lea(at(0x01000000), A0)
            + asm.move("l", asm.imm(pages), d(D0))
            + loop
            + asm.branch_b("ne", -len(loop) - 2)
        )
        with bench(engine, dtlb_entries=entries) as guest:
            guest.handler(2, handler)
            guest.run(enter_virtual_mode(), once, once, asm.HALT)
            counted = guest.machine.counters().misses.dtlb
            if misses is None:
                assert pages < counted <= 2 * pages
            else:
                assert counted == misses


@pytest.mark.parametrize("engine", ["nothing", "Native"])
def test_an_unknown_engine_is_refused(engine: str) -> None:
    with pytest.raises(BoardError, match="choose one of"):
        Machine(get_board("m5475evb"), engine=engine)


def test_memory_may_not_overlap(guest: Bench) -> None:
    with pytest.raises(BoardError, match="overlaps"):
        guest.machine.attach_memory(RAM + 0x1000, 0x1000, "card")
    with pytest.raises(BoardError, match="whole 4-KB pages"):
        guest.machine.attach_memory(0x80000000, -4096, "card")
    with pytest.raises(UsageError, match="is not memory"):
        guest.machine.read_physical(0x70000000, 4)


def test_an_attached_aperture_is_memory(guest: Bench) -> None:
    guest.machine.attach_memory(0x80000000, 0x10000, "card")
    guest.run(asm.moveq(-2, D0), asm.move("l", d(D0), at(0x8000FFFC)), asm.move("l", at(0x8000FFFC), d(D1)), asm.HALT)
    assert guest.machine.read_physical(0x8000FFFC, 4) == b"\xff\xff\xff\xfe"
    assert guest.registers["d1"] == 0xFFFFFFFE


def test_memory_that_comes_while_the_guest_runs_leaves_nothing_noted_of_the_softmmu() -> None:
    """unicorn flushes its softmmu when memory is mapped, and may free the table: nothing may be written there later."""
    page = Entry(40, tag(USER + 0x2000), image(FRAMES + 0x2000))
    code = Entry(1, tag(USER), image(FRAMES, 13, X | LK))
    loop = asm.move("l", at(USER + 0x2000), d(D0)) + asm.branch_b("ra", -8)
    with bench("native") as guest:
        guest.put(FRAMES, loop)
        guest.start(enter_virtual_mode([code, page]) + go_to(USER, USER_SR))
        guest.machine.run(max_instructions=200)
        assert guest.machine.core.state["armed_count"] == 1
        guest.machine.attach_memory(0x80000000, 0x10000, "card")
        assert guest.machine.core.state["armed_count"] == 0
        guest.machine.run(max_instructions=200)
        assert guest.machine.core.state["armed_count"] == 1


# --- snapshots


def busy(guest: Bench) -> None:
    """A program that misses, stores and computes for some 3000 instructions, then halts."""
    guest.handler(
        2,
        asm.movem_store([D0, D1], asm.disp(asm.SP, -32))
        + asm.move("l", at(0xFE000010), d(D0))
        + asm.alu_i("andi", -8192, D0)
        + asm.move("l", d(D0), d(D1))
        + asm.addq(1, d(D0))
        + asm.move("l", d(D0), at(0xFE000014))
        + asm.alu_i("andi", 0x0003E000, D1)
        + asm.alu_i("addi", image(FRAMES, 13, R | W), D1)
        + asm.move("l", d(D1), at(0xFE000018))
        + asm.moveq(3, D0)
        + asm.move("l", d(D0), at(0xFE000004))
        + asm.movem_load(asm.disp(asm.SP, -32), [D0, D1])
        + asm.RTE,
    )
    loop = (
        asm.alu_to("add", D0, ind(A0))
        + asm.alu("add", ind(A0), D2)
        + asm.alu_a("adda", asm.imm(0x2124), A0)
        + asm.subq(1, d(D0))
    )
    start = asm.lea(at(0x01000000), A0) + asm.move("l", asm.imm(150), d(D0))
    guest.start(enter_virtual_mode() + start + loop + asm.branch_b("ne", -len(loop) - 2) + asm.HALT)


def everything(guest: Bench) -> tuple[object, ...]:
    """What must come back."""
    ram = guest.machine.read_physical(RAM, 4 << 20)
    tlbs = guest.machine.core.state["mmu"]["tag"].tolist(), guest.machine.core.state["mmu"]["plru"].tolist()
    return dict(guest.registers), guest.machine.counters().to_dict(), tlbs, ram, bytes(guest.machine.console)


@pytest.mark.parametrize("after", [1, 60, 333, 1000])
def test_a_restored_machine_runs_on_as_before(guest: Bench, after: int) -> None:
    busy(guest)
    guest.machine.run(max_instructions=after)
    saved, before = guest.machine.snapshot(), everything(guest)
    guest.resume()
    end = everything(guest)
    assert end != before
    guest.machine.restore(saved)
    assert everything(guest) == before
    guest.resume()
    assert everything(guest) == end


def test_a_restore_brings_back_code_and_memory(guest: Bench) -> None:
    guest.start(asm.moveq(1, D0) + asm.lea(at(CODE), A0) + asm.move("l", d(D0), ind(A0)) + asm.HALT)
    saved = guest.machine.snapshot()
    guest.resume()
    changed = guest.long(CODE)
    guest.machine.restore(saved)
    assert guest.long(CODE) != changed
    guest.resume()
    assert (guest.registers["d0"], guest.long(CODE)) == (1, changed)


def test_a_snapshot_of_other_memory_is_refused(guest: Bench) -> None:
    saved = guest.machine.snapshot()
    guest.machine.attach_memory(0x80000000, 0x10000, "card")
    with pytest.raises(UsageError, match="other memory"):
        guest.machine.restore(saved)


@pytest.mark.parametrize("sr", [SUPERVISOR_SR, USER_SR | 0x15])
def test_the_registers_of_the_cpu_at_once_are_those_by_name(guest: Bench, sr: int) -> None:
    guest.run(enter_virtual_mode(), asm.HALT)  # with EUSP, so that USP and A7 differ
    names = [f"{kind}{i}" for kind in "da" for i in range(8)]
    for i, name in enumerate((*names, "pc")):
        guest.registers[name] = 0x91000000 + 0x111112 * i
    guest.registers["sr"] = sr
    values = guest.machine.core.cpu_registers()
    assert values == [guest.registers[name] for name in (*names, "pc", "sr", "usp")]
    assert len(set(values)) >= 18
    assert values[17] == sr


# --- several machines


def test_two_machines_take_turns(engine: str) -> None:
    with bench(engine) as one, bench(engine) as two, bench(engine) as alone:
        for guest in (one, two, alone):
            busy(guest)
        two.machine.run(max_instructions=500)
        while one.machine.run(max_instructions=97).reason is StopReason.INSTRUCTIONS:
            two.machine.run(max_instructions=3)
        two.resume()
        alone.resume()
        assert everything(one) == everything(two) == everything(alone)


def test_machines_in_threads_do_not_disturb_each_other(engine: str) -> None:
    results: dict[int, tuple[object, ...]] = {}

    def work(number: int) -> None:
        with bench(engine) as guest:
            busy(guest)
            guest.put(DATA, asm.long(number))
            guest.resume()
            results[number] = (guest.long(DATA), *everything(guest)[:3])

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [results[number][0] for number in range(4)] == [0, 1, 2, 3]
    assert all(results[number][1:] == results[0][1:] for number in range(4))


def test_sr_after_reset_is_supervisor_with_all_interrupts_masked(engine: str) -> None:
    with Machine(get_board("m5475evb"), engine=engine) as machine:
        assert machine.registers["sr"] & 0xFF00 == SUPERVISOR_SR
        assert (machine.registers["vbr"], machine.registers["cacr"], machine.registers["mmubar"]) == (0, 0, 0)
        assert machine.engine == engine
