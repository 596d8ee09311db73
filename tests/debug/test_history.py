"""Time travel is exact: wherever one has been in between, a moment is what straight execution makes of it."""

import itertools
import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emu.cpu.state import MISS_PCS
from emu.debug import history as module
from emu.debug.catcher import ExceptionTaken, Wait
from emu.debug.history import Edge, History, Moment
from emu.debug.pages import PAGE, Pages, Weight
from emu.errors import DoubleFault, UsageError
from emu.machine import Machine
from tests.machine.test_state import busy
from tests.support import asm
from tests.support.asm import D0, D1, D7, at, d
from tests.support.guest import CODE, MBAR, Bench, bench, store_long
from tests.support.peripherals import BUFFER, PSC, store
from tests.support.random_program import Program

LEVELS = ("flat", "pipeline", "full")
LENGTH = 6_000  # instructions of a random program
MAILBOX_CALL, MAILBOX_STATUS = MBAR + 0x30040, MBAR + 0x30044


def everything(machine: Machine) -> tuple[object, ...]:
    """All that a guest is, and all that was counted of it."""
    mmu = machine.core.state["mmu"]
    tlbs = [mmu[name].tolist() for name in ("tag", "data", "plru")]
    memory = [hash(machine.read_physical(bank.base, len(bank.data))) for bank in machine.core.banks]
    caches = hash(machine.core.state["time"]["dcache"].tobytes() + machine.core.state["time"]["icache"].tobytes())
    registers = dict(machine.registers)
    return registers, machine.counters().to_dict(), tlbs, memory, caches, bytes(machine.console)


@pytest.fixture(autouse=True)
def dense(monkeypatch: pytest.MonkeyPatch) -> None:
    """Checkpoints so close together that programs of tests have many."""
    monkeypatch.setattr(module, "SPACING_SECONDS", 0.0)
    monkeypatch.setattr(module, "SPACING_TIMES", 0.0)
    monkeypatch.setattr(module, "FIRST_SLICE", 700)
    monkeypatch.setattr(module, "SLICE_SECONDS", 1e-4)


@contextmanager
def straight(program: Program, engine: str, timing: str, numbers: list[int]) -> Iterator[dict[int, tuple[object, ...]]]:
    """What a machine without a history is after so many instructions."""
    machine = program.machine(engine, timing=timing)
    try:
        found = {}
        for number in sorted(set(numbers)):
            machine.run(max_instructions=number - machine.instructions)
            assert machine.instructions == number
            found[number] = everything(machine)
        yield found
    finally:
        machine.close()


@pytest.mark.parametrize("timing", LEVELS)
@pytest.mark.parametrize("engine", ["native", "public"])
@settings(max_examples=4)
@given(seed=st.integers(0, 99), numbers=st.lists(st.integers(0, LENGTH), min_size=2, max_size=8))
def test_any_way_to_an_instruction_leads_to_the_same_state(
    engine: str, timing: str, seed: int, numbers: list[int]
) -> None:
    program = Program(seed, code_pages=6, data_pages=12, loops=60)
    machine = program.machine(engine, timing=timing)
    with straight(program, engine, timing, numbers) as expected:
        history = History(machine)
        assert history.forward(Moment(LENGTH, 0, 0)).edge is None
        for number in numbers:
            history.goto_instruction(number)
            assert everything(machine) == expected[number]
    machine.close()


@pytest.mark.parametrize("timing", ["flat", "full"])
@pytest.mark.parametrize("engine", ["native", "public", "reference"])
def test_single_steps_pass_every_moment_and_any_can_be_returned_to(engine: str, timing: str) -> None:
    with bench(engine, timing=timing) as guest, bench(engine, timing=timing) as plain:
        busy(guest)
        busy(plain)
        plain.resume()
        history = History(guest.machine)
        passed: list[tuple[Moment, object]] = []
        while history.step().edge is None:
            looked_at = len(passed) % 150 < 2  # two in a row; all of it would be gigabytes to look at
            passed.append((history.now, everything(guest.machine) if looked_at else None))
        assert everything(guest.machine) == everything(plain.machine)
        assert len(passed) > 3000
        pairs = list(itertools.pairwise(passed))[::150]
        for (previous, before), (moment, state) in random.Random(1).sample(pairs, len(pairs)):
            history.goto(moment)
            assert everything(guest.machine) == state
            assert history.before(moment) == previous
            assert everything(guest.machine) == before


def test_a_step_leads_into_the_handler_of_an_exception(guest: Bench) -> None:
    guest.start(asm.trap(3) + asm.HALT)
    history = History(guest.machine)
    arrival = history.step()
    assert arrival.found == ExceptionTaken(35, CODE + 2)
    assert history.now[:2] == (1, 1)
    assert history.before(history.now) == (0, 0, 0)


def test_a_stop_address_holds_at_the_end_of_a_slice_and_in_a_loop_of_one_instruction(
    guest: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FIRST_SLICE", 2)
    guest.start(asm.TPF + asm.TPF + asm.branch_b("ra", -2))
    history = History(guest.machine)
    history._slice = 2
    for number in (2, 3, 4):
        assert history.forward(stops=(CODE + 4,)).at_stop
        assert history.now.instructions == number


def test_memory_is_bounded_and_the_present_is_close(monkeypatch: pytest.MonkeyPatch) -> None:
    program = Program(3, code_pages=6, data_pages=12, loops=100)
    machine = program.machine("native")
    history = History(machine, memory=4 << 20)
    history.forward(Moment(60_000, 0, 0))
    unbounded = History(machine)
    assert history.bytes_kept <= 4 << 20
    assert len(history.checkpoints) > 4
    assert history.checkpoints[0].instructions == 0
    gaps = np.diff([moment.instructions for moment in history.checkpoints])
    assert gaps[0] > gaps[-1]
    assert unbounded.first.instructions == 60_000
    machine.close()


# --- what comes from outside


def test_hypercalls_are_asked_once_and_answered_again(guest: Bench) -> None:
    answers = iter(range(100, 200))
    asked: list[int] = []

    def answer(number: int, arguments: tuple[int, ...]) -> tuple[int, list[int]]:
        asked.append(number)
        return next(answers), []

    guest.machine.on_hypercall = answer
    call = store_long(7, MAILBOX_CALL) + asm.move("l", at(MAILBOX_STATUS), d(D1)) + asm.alu("add", d(D1), D7)
    guest.start(asm.moveq(0, D7) + 5 * call + asm.HALT)
    history = History(guest.machine)
    assert history.forward().edge is Edge.HALT
    end = everything(guest.machine)
    assert guest.registers["d7"] == sum(range(100, 105))
    history.goto(history.first)
    history.end_recording()
    assert history.forward().edge in (Edge.HALT, Edge.END)
    assert everything(guest.machine) == end
    assert asked == 5 * [7]
    history.close()
    assert guest.machine.on_hypercall is answer


def test_a_guest_that_was_changed_and_asks_something_else_is_told_so(guest: Bench) -> None:
    guest.machine.on_hypercall = lambda number, arguments: (0, [])
    code = asm.move("l", d(D1), at(MAILBOX_CALL)) + asm.move("l", at(MAILBOX_STATUS), d(D0))
    guest.start(asm.moveq(5, D1) + code + asm.TPF + code + asm.HALT)
    history = History(guest.machine)
    assert history.forward().edge is Edge.HALT
    history.end_recording()
    history.goto_instruction(4)
    history.write(lambda machine: machine.registers.__setitem__("d1", 6))
    assert history.forward().edge is Edge.DIVERGED
    history.goto_instruction(4)
    history.write(lambda machine: machine.registers.__setitem__("d1", 5))
    assert history.forward().edge is Edge.HALT


def test_memory_attached_meanwhile_is_not_there_before(guest: Bench) -> None:
    read = asm.move("l", at(0x80000000), d(D1))
    ready: list[bool] = []
    guest.machine.on_hypercall = lambda number, arguments: (0, []) if ready else None
    call = asm.move("l", d(D0), at(MAILBOX_CALL)) + asm.move("l", at(MAILBOX_STATUS), d(D0))
    guest.start(asm.TPF + call + read + asm.HALT)
    history = History(guest.machine)
    assert history.forward().edge is Edge.HYPERCALL
    guest.machine.attach_memory(0x80000000, 0x10000, "card")
    guest.machine.write_physical(0x80000000, b"card")
    ready.append(True)
    assert history.forward().edge is Edge.HALT
    assert guest.registers["d1"] == int.from_bytes(b"card")
    end = everything(guest.machine)
    history.goto(history.first)
    assert int(guest.machine.core.state["n_banks"]) == 1
    history.goto(history.last)
    assert everything(guest.machine) == end


def test_what_a_debugger_wrote_is_written_again_and_ends_the_future(guest: Bench) -> None:
    guest.start(8 * asm.addq(1, d(D0)) + asm.HALT)
    history = History(guest.machine)
    history.forward()
    history.goto_instruction(3)
    history.write(lambda machine: machine.registers.__setitem__("d0", 100))
    assert history.last == history.now
    history.forward()
    assert guest.registers["d0"] == 105
    history.goto_instruction(2)
    assert guest.registers["d0"] == 2
    history.goto_instruction(4)
    assert guest.registers["d0"] == 101
    history.goto_instruction(3)
    assert guest.registers["d0"] == 100


def test_a_moment_outside_the_history_is_refused(guest: Bench) -> None:
    guest.start(asm.TPF + asm.HALT)
    history = History(guest.machine)
    history.forward()
    for number in (-1, 100):
        with pytest.raises(UsageError, match="not in the history"):
            history.goto_instruction(number)


def test_one_can_go_back_from_where_the_guest_cannot_go_on(guest: Bench) -> None:
    guest.start(asm.moveq(1, D0) + asm.lea(at(0x40000000), asm.SP) + asm.trap(0))  # no memory for the frame
    history = History(guest.machine)
    arrival = history.forward()
    assert (arrival.edge, "double fault" in arrival.text) == (Edge.ERROR, True)
    assert history.forward() == arrival
    history.goto_instruction(1)
    assert guest.registers["d0"] == 1
    history.close()
    with pytest.raises(DoubleFault):
        guest.machine.run()


STOP = (0x4E72, 0x2700)  # with all interrupts masked


def words(*values: int) -> bytes:
    return b"".join(value.to_bytes(2) for value in values)


@pytest.mark.parametrize(("code", "edge"), [(asm.HALT, Edge.HALT), (words(*STOP), Edge.STOPPED)])
def test_the_end_of_the_run_stays_the_end(guest: Bench, code: bytes, edge: Edge) -> None:
    guest.start(asm.moveq(1, D0) + code + 5 * asm.addq(1, d(D0)) + asm.HALT)
    history = History(guest.machine)
    arrival = history.forward()
    end = history.now
    assert arrival.edge is edge
    for _ in range(2):
        assert history.step() == arrival
        assert history.forward(Moment(99, 0, 0)) == arrival
        assert history.now == history.last == end
        history.goto_instruction(1)
        assert history.forward().edge is edge
    assert guest.registers["d0"] == 1


def test_a_write_at_the_end_makes_another_future_that_can_be_played_again(guest: Bench) -> None:
    guest.start(asm.moveq(1, D0) + asm.HALT + 5 * asm.addq(1, d(D0)) + asm.HALT)
    history = History(guest.machine)
    history.forward()
    end = history.now
    history.write(lambda machine: machine.registers.__setitem__("pc", CODE + 6))
    for _ in range(2):  # the write has not been followed by anything: coming back, it holds
        history.goto_instruction(1)
        history.goto(end)
        assert guest.registers["pc"] == CODE + 6
    assert history.forward().edge is Edge.HALT
    last = history.now
    assert (guest.registers["d0"], last.instructions) == (5, end.instructions + 5)
    assert history.forward().edge is Edge.HALT
    assert history.now == last
    history.goto_instruction(1)
    assert history.forward().edge is Edge.HALT  # the first one, which was let go on
    assert history.now == end
    assert history.forward().edge is Edge.HALT
    assert (history.now, guest.registers["d0"]) == (last, 5)


def test_output_appears_once(guest: Bench) -> None:
    shown = bytearray()
    guest.machine.on_console = shown.extend
    guest.start(b"".join(store("b", letter, PSC[0] + BUFFER) for letter in b"abc") + asm.HALT)
    history = History(guest.machine)
    history.forward()
    history.goto(history.first)
    assert guest.machine.console == b""
    history.forward()
    assert (bytes(guest.machine.console), bytes(shown)) == (b"abc", b"abc")


# --- pages


@given(writes=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 255)), max_size=30), back=st.integers(0, 29))
def test_images_give_back_what_was_there_and_share_the_rest(writes: list[tuple[int, int]], back: int) -> None:
    areas = [np.zeros(10 * PAGE, np.uint8), np.zeros(MISS_PCS, np.uint8)]
    pages, weight = Pages(), Weight()
    states = [(pages.take(areas), areas[0].copy())]
    weight.add(states[0][0])
    for page, value in writes:
        areas[0][page * PAGE + value] = value
        states.append((pages.take(areas), areas[0].copy()))
        weight.add(states[-1][0])
    kept = {id(page): len(page) for image, _ in states for area in image for page in area.values()}
    assert weight.bytes == sum(kept.values())
    image, memory = states[min(back, len(states) - 1)]
    pages.put(image)
    assert (areas[0] == memory).all()
    for image, _ in states:
        weight.remove(image)
    assert weight.bytes == 0


def test_waiting_for_everything_changes_no_count(guest: Bench) -> None:
    """All events caught on the way, and none: the same machine."""
    busy(guest)
    start = guest.machine.snapshot()
    guest.resume()
    expected = everything(guest.machine)
    guest.machine.restore(start)
    history = History(guest.machine)
    wait = Wait(frozenset(range(256)), loads=True)
    found = []
    while (arrival := history.forward(wait=wait)).edge is None:
        found.append(arrival.found)
    assert everything(guest.machine) == expected
    assert sum(isinstance(f, ExceptionTaken) for f in found) == 150
    assert len(found) == 300  # each miss is followed by one load


@pytest.fixture(params=["native", "public"])
def guest(request: pytest.FixtureRequest) -> Iterator[Bench]:
    with bench(request.param) as made:
        yield made
