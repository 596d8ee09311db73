"""The stepper on recorded traces: what it shows is what the recorder, and the replay, know."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest

from emu.debug.stepper import why
from emu.debug.stepper.commands import execute
from emu.debug.stepper.events import Event, Loaded, Missed, Raised, Switched
from emu.debug.stepper.live import LiveGuest
from emu.debug.stepper.recorded import RecordedTrace
from emu.debug.stepper.run import is_trace
from emu.debug.stepper.source import Interrupted, describe
from emu.debug.stepper.stepper import Stepper
from emu.debug.target import open_elf
from emu.errors import UsageError
from emu.foreground import Setup, build_machine, read_program
from emu.mmu.state import DTLB, ITLB
from emu.trace import events as e
from emu.trace import layout as k
from emu.trace.format import Header, MmuSetup, Trace, TraceWriter
from emu.trace.replay import Replay, geometry_of
from tests.support.recordings import recorded
from tests.support.toy import Toy
from tests.support.traces import program

PAGE = 4096
HELLO = Path(__file__).resolve().parents[2] / "examples" / "hello.elf"


def write(path: Path, rows: Iterable[e.Row], header: Header) -> Path:
    with TraceWriter(path, header) as writer:
        writer.append(*e.events(rows))
    return path


@pytest.fixture(scope="module")
def toy_trace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four address spaces with pages of all sizes, and handlers, recorded."""
    header = Header(source="machine", board="toy", mmu=MmuSetup(), regions=(("low", 0, 0x1000_0000),))
    return write(tmp_path_factory.mktemp("traces") / "toy.trace", Toy().run(program(1, 400)).rows, header)


@pytest.fixture(scope="module")
def toy(toy_trace: Path) -> Stepper:
    return Stepper(RecordedTrace(toy_trace))


@pytest.fixture
def foreign(tmp_path: Path) -> Stepper:
    """Reads of 40 pages, twice."""
    rows = [(0, PAGE * n, 3) for n in range(40)] * 2
    return Stepper(RecordedTrace(write(tmp_path / "foreign.trace", rows, Header(source="foreign", page_size=PAGE))))


def everything(stepper: Stepper) -> list[Event]:
    source = stepper.source
    return list(source.timeline.forwards(source.first, source.horizon))


def say(stepper: Stepper, *lines: str) -> str:
    return ["\n".join(execute(stepper, line).lines) for line in lines][-1]


def test_misses_are_those_of_the_replay(toy: Stepper, toy_trace: Path) -> None:
    trace = Trace(toy_trace)
    assert trace.header.mmu is not None
    log = [
        tuple(row) for piece in Replay(trace, geometry_of(trace.header.mmu), explained=True).misses() for row in piece
    ]
    found = [event for event in everything(toy) if isinstance(event, Missed)]
    assert [(m.moment.instructions - 1, m.va) for m in found] == [(row[k.LOG_EVENT], row[k.LOG_VA]) for row in log]
    assert [m.asid for m in found if not m.strict] == [row[k.LOG_ASID] for row, m in zip(log, found) if not m.strict]


def test_loads_are_those_that_were_recorded(toy: Stepper, toy_trace: Path) -> None:
    events = e.concatenate(chunk.events for chunk in Trace(toy_trace).chunks())
    noted = {int(i): (int(events.a[i]), int(events.b[i])) for i in np.flatnonzero(events.code == e.LOADED)}
    sides = {"itlb": ITLB << 8, "dtlb": DTLB << 8}
    loads = [event for event in everything(toy) if isinstance(event, Loaded)]
    found = {x.moment.instructions: (sides[x.side] + (x.address & 31), x.new.tag) for x in loads}
    assert len(noted) > 300
    assert {at: found[at] for at in noted} == noted
    assert {type(event) for event in everything(toy)} >= {Missed, Loaded, Switched, Raised}


def test_any_moment_is_the_same_from_both_sides(toy: Stepper) -> None:
    source = toy.source
    source.goto(3000)
    forwards = source.mmu.copy()
    source.goto(4500)
    source.reverse_step(1500)
    assert source.now.instructions == 3000
    assert source.mmu.tobytes() == forwards.tobytes()
    there = source.now
    source.next_miss(None, None)
    source.previous_miss(None, None)
    source.next_miss("dtlb", None)
    source.previous_miss("dtlb", None)
    assert source.now <= there


def test_a_recording_of_a_program_is_what_the_program_does(tmp_path: Path) -> None:
    """The same events, live and recorded, and the same explanation of the last miss, but for the unit of time."""
    setup = Setup(HELLO, "m5475evb")
    machine = build_machine(setup, read_program(setup))
    recorded(machine, tmp_path / "hello.trace", lambda machine: machine.run())
    machine.close()
    guest = LiveGuest(open_elf(setup))
    guest.session.continue_()
    told, causes = [], []
    for stepper in (Stepper(guest), Stepper(RecordedTrace(tmp_path / "hello.trace"))):
        source = stepper.source
        told.append([describe(source, event) for event in everything(stepper) if isinstance(event, Loaded)])
        source.goto(source.last.instructions)
        source.previous_miss(None, None)
        found = why.explain(source, why.last_miss(source))
        assert found.load is not None
        assert found.refill.returned is not None
        cycles = found.refill.returned.cycles - found.refill.before.cycles
        causes.append((found.cause, found.load.address, found.victim, source.function(found.load.pc), cycles))
    guest.close()
    assert told[0] == told[1]
    assert len(told[0]) == 62
    assert causes[0] == causes[1]


@pytest.fixture
def hello_trace(tmp_path: Path) -> Stepper:
    """hello.elf, recorded."""
    setup = Setup(HELLO, "m5475evb")
    machine = build_machine(setup, read_program(setup))
    recorded(machine, tmp_path / "hello.trace", lambda machine: machine.run())
    machine.close()
    return Stepper(RecordedTrace(tmp_path / "hello.trace"))


def test_an_entry_has_one_number_everywhere(hello_trace: Stepper) -> None:
    text = say(hello_trace, "next-miss", "next-load any")
    assert "load: dtlb 32: " in text
    assert "dtlb entry 32 was loaded" in text
    assert "entry 32 <- " in say(hello_trace, "why")
    assert hello_trace.last_loaded() == 32


def test_loads_of_a_trace_both_ways(hello_trace: Stepper) -> None:
    say(hello_trace, "next-miss")
    there = hello_trace.source.now
    assert say(hello_trace, "previous-load any").startswith("no TLB entry was loaded before\n")
    assert hello_trace.source.now == there
    text = say(hello_trace, "why", "next-load")
    assert "load: dtlb 32: " in text
    assert [x.address for x in hello_trace.tlb_entries(DTLB) if x.mark == "load"] == [32]
    assert say(hello_trace, "previous-load").startswith("TLB entry 32 was not loaded before\n")


def test_an_interrupted_search_ends_where_it_began(hello_trace: Stepper) -> None:
    source = hello_trace.source
    source.goto(50)
    source.interrupt()
    with pytest.raises(Interrupted):
        source.next_load(63)
    assert source.now.instructions == 50


def test_a_miss_is_told_with_the_function_that_missed(hello_trace: Stepper) -> None:
    lines = say(hello_trace, "next-miss").splitlines()
    assert "by walk" in lines[0]
    assert " walk: " in lines[1]
    assert " walk: " in say(hello_trace, "step 4")  # the exception's frame is written
    assert " access_error: " in say(hello_trace, "step 2")


def test_why_in_a_trace(toy: Stepper) -> None:
    say(toy, "goto end", "previous-miss")
    found = why.explain(toy.source, why.last_miss(toy.source))
    assert found.cause is why.Cause.EVICTED
    assert isinstance(found.culprit, Loaded)
    assert found.load is not None
    assert found.load.new.covers(found.miss.va, found.miss.asid)
    assert found.refill.returned is not None
    assert 0 < found.refill.returned.cycles - found.refill.before.cycles < 200
    assert say(toy, "why").splitlines()[-1].startswith("cost  ")


def test_a_trace_has_no_registers(toy: Stepper) -> None:
    for line in ("registers", "x 0", "break 0", "set d0 1", "continue", "stack"):
        with pytest.raises(UsageError, match="a recorded trace has no registers"):
            execute(toy, line)


def test_its_ends(toy: Stepper) -> None:
    assert "the trace ends here" in say(toy, "goto end")
    assert "there is none" in say(toy, "next-miss")
    assert "the trace begins here" in say(toy, "goto start")
    with pytest.raises(UsageError, match="is not in the trace"):
        say(toy, "goto 1,000,000")


def test_events_are_told_in_words(toy: Stepper) -> None:
    text = say(toy, "goto 10", "disassemble")
    assert "=>" in text
    assert "kernel read while refilling 0x80000004 x 1 missed" in text
    assert "exception: access error, fault status 5, PC 0x00001234" in text
    assert "12 instructions, 34 cycles" in text
    assert "MMUTR <- 80000003" in text
    assert "DTLB misses" in say(toy, "counters")


def test_a_foreign_trace_loads_by_itself(foreign: Stepper) -> None:
    events = everything(foreign)
    assert [type(event) for event in events[:4]] == [Missed, Loaded, Missed, Loaded]
    say(foreign, "goto start", "next-miss")
    assert foreign.source.now.instructions == 0  # the access is next
    assert "cold: the page has not been loaded since the trace begins" in say(foreign, "why")
    say(foreign, "goto 41", "next-miss", "why")
    found = why.explain(foreign.source, why.last_miss(foreign.source))
    assert found.cause is why.Cause.EVICTED
    assert found.load is not None
    assert found.load.new.size == "4K"


def test_a_trace_is_known_by_its_first_bytes(toy_trace: Path, tmp_path: Path) -> None:
    assert is_trace(toy_trace)
    assert not is_trace(Path(__file__))
    assert not is_trace(tmp_path / "nothing")
