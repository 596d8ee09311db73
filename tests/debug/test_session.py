"""A session as a debugger's user sees it: where each kind of point stops, forwards and backwards."""

from collections.abc import Iterator

import pytest

from emu.debug import history as module
from emu.debug.catcher import Accessed, ExceptionTaken, TlbLoaded
from emu.debug.history import Edge
from emu.debug.session import Event, ExceptionEvent, Load, Miss, Session, Stop
from emu.errors import UsageError
from tests.debug.test_history import everything
from tests.machine.test_state import busy
from tests.support import asm
from tests.support.asm import A0, D0, D1, at, d, ind
from tests.support.guest import (
    CODE,
    DATA,
    DTLB_BASE,
    FRAMES,
    HANDLERS,
    RAM,
    STACK,
    Bench,
    Entry,
    R,
    W,
    bench,
    enter_virtual_mode,
    image,
    store_long,
    stub,
    tag,
)

PAGE = 0x01000000  # virtual
MISSES, STEP = 150, 0x2124  # of the busy program; from one of its addresses to the next


@pytest.fixture(params=["native", "public"])
def guest(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    monkeypatch.setattr(module, "SPACING_SECONDS", 0.0)
    monkeypatch.setattr(module, "SPACING_TIMES", 0.0)
    monkeypatch.setattr(module, "FIRST_SLICE", 900)
    with bench(request.param) as made:
        yield made


def forwards(session: Session) -> list[Stop]:
    """All stops up to the end."""
    stops = []
    while (stop := session.continue_()).edge is None:
        stops.append(stop)
    return stops


def backwards(session: Session) -> list[Stop]:
    """All stops back to the start, in the guest's order."""
    stops: list[Stop] = []
    while (stop := session.reverse_continue()).edge is None:
        stops.insert(0, stop)
    assert stop.edge is Edge.START
    return stops


# --- points


def test_a_breakpoint_stops_in_front_of_its_instruction_both_ways(guest: Bench) -> None:
    guest.start(asm.moveq(5, D0) + asm.TPF + asm.subq(1, d(D0)) + asm.branch_b("ne", -6) + asm.HALT)
    session = Session(guest.machine)
    point = session.add_breakpoint(CODE + 4)
    there = forwards(session)
    assert [stop.pc for stop in there] == 5 * [CODE + 4]
    assert all(stop.hits == (point,) for stop in there)
    assert [s.moment for s in backwards(session)] == [s.moment for s in there]
    session.remove(point.number)
    assert forwards(session) == []


def test_a_condition_is_asked_at_each_pass(guest: Bench) -> None:
    guest.start(asm.moveq(5, D0) + asm.TPF + asm.subq(1, d(D0)) + asm.branch_b("ne", -6) + asm.HALT)
    session = Session(guest.machine)
    session.add_breakpoint(CODE + 4, lambda machine: machine.registers["d0"] == 2)
    assert len(forwards(session)) == 1
    assert len(backwards(session)) == 1
    assert guest.registers["pc"] == CODE


@pytest.mark.parametrize(
    ("event", "count"),
    [
        (Miss(), MISSES),
        (Miss(side="dtlb"), MISSES),
        (Miss(side="itlb"), 0),
        (Miss(region="low"), 31),
        (ExceptionEvent(), MISSES),
        (ExceptionEvent(2), MISSES),
        (ExceptionEvent(3), 0),
        (Load(), MISSES),
        (Load(DTLB_BASE), 5),
    ],
    ids=str,
)
def test_catchpoints_stop_behind_each_of_their_events_both_ways(guest: Bench, event: Event, count: int) -> None:
    busy(guest)
    guest.machine.regions.add("low", PAGE, PAGE + 31 * STEP)
    session = Session(guest.machine)
    session.add_catchpoint(event)
    there = forwards(session)
    assert len(there) == count
    assert [s.moment for s in backwards(session)] == [s.moment for s in there]
    for stop in there:
        assert stop.found is not None
        if isinstance(stop.found, ExceptionTaken):
            assert stop.pc == stub(2)
            assert stop.found.va >= PAGE
        else:
            assert isinstance(stop.found, TlbLoaded)


def test_a_debugger_that_waits_for_everything_changes_no_count(guest: Bench) -> None:
    with bench(guest.machine.engine) as plain:
        busy(guest)
        busy(plain)
        plain.resume()
        session = Session(guest.machine)
        session.add_catchpoint(ExceptionEvent())
        session.add_catchpoint(Load())
        session.add_watchpoint(PAGE, 1 << 20, reads=True)
        session.add_breakpoint(stub(2))
        there = forwards(session)
        inside = len(range(0, 1 << 20, STEP))
        assert len(there) == 2 * MISSES + 2 * inside  # entry and load; at an address two instructions
        assert everything(guest.machine) == everything(plain.machine)


# --- watchpoints


def accesses() -> bytes:
    """Stores, loads and a read-modify-write around DATA."""
    return (
        asm.lea(at(DATA), A0)
        + store_long(0x01020304, DATA)
        + asm.move("b", at(DATA + 3), d(D1))
        + asm.move("w", d(D0), at(DATA + 4))
        + asm.alu_to("add", D0, ind(A0))
        + asm.move("l", at(DATA + 8), d(D1))
        + asm.HALT
    )


@pytest.mark.parametrize(
    ("va", "size", "reads", "writes", "expected"),
    [
        (DATA, 4, False, True, [(DATA, 4, True), (DATA, 4, True)]),
        (DATA + 3, 1, True, False, [(DATA + 3, 1, False), (DATA, 4, False)]),
        (DATA + 4, 2, True, True, [(DATA + 4, 2, True)]),
        (DATA + 5, 1, False, True, [(DATA + 4, 2, True)]),
        (DATA + 6, 2, True, True, []),
        (DATA + 8, 4, True, False, [(DATA + 8, 4, False)]),
        (DATA + 8, 4, False, True, []),
    ],
)
def test_a_watchpoint_stops_behind_the_access_and_backwards_in_front_of_it(
    guest: Bench, va: int, size: int, reads: bool, writes: bool, expected: list[tuple[int, int, bool]]
) -> None:
    guest.start(accesses())
    session = Session(guest.machine)
    session.add_watchpoint(va, size, reads=reads, writes=writes)
    there = forwards(session)
    assert [stop.found for stop in there] == [Accessed(*e) for e in expected]
    back = backwards(session)
    assert [stop.moment.instructions + 1 for stop in back] == [stop.moment.instructions for stop in there]
    assert [stop.found for stop in back] == [stop.found for stop in there]


@pytest.mark.parametrize("offset", [-3, -2, -1])
@pytest.mark.parametrize("store", [True, False])
def test_an_operand_across_two_pages_hits_only_what_it_touches(guest: Bench, offset: int, store: bool) -> None:
    """unicorn looks at aligned longwords of the second page; the operand ends before."""
    border = DATA & ~0xFFF | 0x1000
    operand = at(border + offset)
    access = asm.move("l", d(D0), operand) if store else asm.move("l", operand, d(D0))
    guest.start(asm.lea(at(border), A0) + 2 * access + asm.HALT)
    session = Session(guest.machine)
    session.add_watchpoint(border + offset + 4, 1, reads=not store, writes=store)  # the byte behind
    assert forwards(session) == []
    session.add_watchpoint(border + offset + 3, 1, reads=not store, writes=store)  # the last byte
    session.goto(0)
    assert [s.found for s in forwards(session)] == 2 * [Accessed(border + offset, 4, store)]


def test_watchpoints_see_frames_of_exceptions(guest: Bench) -> None:
    guest.start(asm.trap(1))
    session = Session(guest.machine)
    session.add_watchpoint(STACK - 8, 8)
    stop = session.continue_()
    assert stop.found == Accessed(STACK - 4, 4, True)
    assert stop.pc == stub(33)


def test_a_watchpoint_may_mean_one_address_space_only(guest: Bench) -> None:
    """The same VA in two ASIDs: two pages, and a store to each."""
    frames = [Entry(DTLB_BASE + asid, tag(PAGE, asid), image(FRAMES + 0x2000 * asid, 13, R | W)) for asid in (1, 2)]
    stores = b"".join(asm.set_control(asm.ASID, asid) + store_long(0x40 + asid, PAGE + 16) for asid in (1, 2, 1))
    guest.start(enter_virtual_mode(frames, asid=1) + stores + asm.HALT)
    session = Session(guest.machine)
    point = session.add_watchpoint(PAGE + 16, 4)
    assert len(forwards(session)) == 3
    session.goto(0)
    session.remove(point.number)
    session.add_watchpoint(PAGE + 16, 4, asid=2)
    (stop,) = forwards(session)
    assert guest.long(FRAMES + 0x4010) == 0x42
    back = session.reverse_continue()
    assert back.moment.instructions == stop.moment.instructions - 1
    assert guest.long(FRAMES + 0x4010) == 0
    assert session.read_memory(PAGE + 16, 4) == bytes(4)  # the old value, in the address space in force


def test_an_access_that_is_refused_is_no_hit_until_it_is_made(guest: Bench) -> None:
    busy(guest)
    session = Session(guest.machine)
    session.add_watchpoint(PAGE + 2 * STEP, 4, writes=True)
    (stop,) = forwards(session)
    assert stop.moment.exceptions == 3  # its own miss came first


# --- movements


def subroutine(guest: Bench) -> None:
    """Two calls of a routine with a loop, and a TRAP whose handler returns."""
    guest.put(HANDLERS + 0x800, asm.moveq(2, D1) + asm.subq(1, d(D1)) + asm.branch_b("ne", -4) + asm.RTS)
    guest.handler(34, asm.addq(1, d(D0)) + asm.RTE)
    call = asm.jsr(at(HANDLERS + 0x800))
    guest.start(asm.moveq(0, D0) + call + asm.trap(2) + call + asm.HALT)


def test_next_runs_over_calls_and_traps_and_back(guest: Bench) -> None:
    subroutine(guest)
    session = Session(guest.machine)
    places = [CODE]
    moments = [session.history.now]
    while (stop := session.next()).edge is None:
        places.append(stop.pc)
        moments.append(stop.moment)
    assert places == [CODE, CODE + 2, CODE + 8, CODE + 10, CODE + 16]
    session.return_to(moments[-1])
    for moment in reversed(moments[:-1]):
        assert session.reverse_next().moment == moment


def test_next_runs_over_a_miss_that_its_instruction_takes(guest: Bench) -> None:
    busy(guest)
    session = Session(guest.machine)
    session.add_catchpoint(Miss())
    first = session.continue_()
    assert isinstance(first.found, ExceptionTaken)
    session.remove(1)
    before = session.reverse_step()
    assert before.pc == first.found.pc
    over = session.next()
    assert over.moment.exceptions == before.moment.exceptions + 1
    assert over.pc == before.pc + 2
    assert session.reverse_next().pc == before.pc


def test_stepping_leads_through_the_handler(guest: Bench) -> None:
    busy(guest)
    session = Session(guest.machine)
    session.add_catchpoint(Load())
    loaded = session.continue_()
    session.remove(1)
    assert session.reverse_step(3).moment.instructions == loaded.moment.instructions - 3
    places = [session.step().pc for _ in range(6)]
    assert all(stub(2) <= pc < RAM + 0x2000 for pc in places[:4])
    assert places[5] in range(CODE, CODE + 0x1000)


def test_goto_moves_both_ways_and_beyond_what_was_run(guest: Bench) -> None:
    busy(guest)
    session = Session(guest.machine)
    for number in (1000, 10, 2000, 0):
        assert session.goto(number).moment.instructions == number
    with pytest.raises(UsageError, match="not in the history"):
        session.goto(-1)
    assert session.goto(10_000).edge is Edge.HALT


def test_an_interrupt_ends_a_run_and_a_search(guest: Bench) -> None:
    guest.start(asm.branch_b("ra", -2))
    session = Session(guest.machine)
    session.poll = session.interrupt
    assert session.continue_().edge is Edge.INTERRUPTED
    session.poll = lambda: None
    session.goto(5000)
    here = session.history.now
    session.poll = session.interrupt
    assert session.reverse_continue().edge is Edge.INTERRUPTED
    assert session.history.now == here


def test_what_cannot_be_set_is_refused(guest: Bench) -> None:
    guest.start(asm.HALT)
    session = Session(guest.machine)
    for wrong in (Miss(side="left"), Miss(region="nowhere"), ExceptionEvent(256), Load(64)):
        with pytest.raises(UsageError):
            session.add_catchpoint(wrong)
    with pytest.raises(UsageError, match="nothing to watch"):
        session.add_watchpoint(0, 0)
    with pytest.raises(UsageError, match="no breakpoint"):
        session.remove(7)
    with pytest.raises(UsageError, match="no register"):
        session.write_register("d9", 0)
    with pytest.raises(UsageError, match="not translated"):
        session.write_memory(0x40000000, b"x")
    for number in range(62):
        session.add_breakpoint(2 * number)
    with pytest.raises(UsageError, match="at most"):
        session.add_breakpoint(0x1000)


def test_looking_changes_nothing(guest: Bench) -> None:
    busy(guest)
    guest.machine.run(max_instructions=500)
    before = everything(guest.machine)
    session = Session(guest.machine)
    for va in (CODE, PAGE, PAGE + 0x10000, 0xFE000000, 0xF0000000, DATA):
        session.read_memory(va, 5000)
        for kind in (0, 1, 2):
            session.view.translate(va, kind, supervisor=True)
            session.view.translate(va, kind, supervisor=False)
    session.disassemble(guest.registers["pc"], 10)
    assert everything(guest.machine) == before
