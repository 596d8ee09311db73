"""A recording's life: what ends it, what it refuses, and that nothing is lost quietly."""

import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from emu.cpu import compiled
from emu.debug.history import History
from emu.errors import EngineError, GuestError, UsageError
from emu.machine import Machine
from emu.mmu.state import RANDOM
from emu.recording import record
from emu.trace import events as e
from emu.trace.format import Trace
from emu.trace.replay import replay
from tests.support import asm
from tests.support.asm import A0, D0, D1, at, d, ind
from tests.support.guest import BOARD, CODE, DATA

ENOUGH = 300_000  # more events than there is room for
LOOP = asm.move("l", d(D0), ind(A0)) + asm.addq(1, d(D1)) + asm.branch_b("ra", -6)


@pytest.fixture
def machine() -> Iterator[Machine]:
    with Machine(BOARD) as made:
        made.write_physical(CODE, asm.lea(at(DATA), A0) + LOOP)
        made.registers.update({"sr": 0x2700, "pc": CODE})
        yield made


def rows(path: Path) -> list[e.Row]:
    return [row for chunk in Trace(path).chunks() for row in zip(*(column.tolist() for column in chunk.events))]


def test_phases_without_a_run_are_all_there(machine: Machine, tmp_path: Path) -> None:
    path = tmp_path / "t"
    with record(machine, path) as recording:
        for _ in range(ENOUGH):
            recording.begin_phase("x")
    assert sum(code == e.PHASE for code, _, _ in rows(path)) == ENOUGH


def test_events_without_room_are_an_error(machine: Machine, tmp_path: Path) -> None:
    recording = record(machine, tmp_path / "t")
    for i in range(ENOUGH):
        machine.core.ask(compiled.MOVEC, 3, i & 0xFF)
    with pytest.raises(EngineError, match=r"^\d+ events of the recording were lost"):
        recording.close()
    assert not machine.recorded
    machine.run(max_instructions=100)
    assert machine.instructions == 100


def test_a_machine_that_is_closed_completes_its_trace(tmp_path: Path) -> None:
    made = Machine(BOARD)
    made.write_physical(CODE, asm.lea(at(DATA), A0) + LOOP)
    made.registers.update({"sr": 0x2700, "pc": CODE})
    with record(made, tmp_path / "t"):
        made.run(max_instructions=100)
        made.close()
    trace = Trace(tmp_path / "t")
    assert trace.totals is not None
    assert trace.totals.instructions == 100


def test_a_recorded_machine_does_not_go_back_in_time(machine: Machine, tmp_path: Path) -> None:
    before = machine.snapshot()
    with record(machine, tmp_path / "t"):
        machine.run(max_instructions=100)
        with pytest.raises(UsageError, match="cannot go back in time"):
            machine.restore(before)
        with pytest.raises(UsageError, match="cannot go back in time"):
            History(machine)
        machine.run(max_instructions=100)
        during = machine.snapshot()
    trace = Trace(tmp_path / "t")
    assert trace.totals is not None
    assert trace.totals.instructions == 200
    machine.restore(during)  # a moment at which it was recorded
    machine.run(max_instructions=2 * ENOUGH)
    assert machine.instructions == 200 + 2 * ENOUGH


def test_time_does_not_go_back(machine: Machine, tmp_path: Path) -> None:
    """The exception of a jump to an odd address takes the jump back: no run ends between the two."""
    machine.write_physical(CODE, asm.NOP * 3 + asm.jmp(at(CODE + 0x101)))
    with record(machine, tmp_path / "t") as recording:
        machine.run(max_instructions=3)
        recording.begin_phase("the jump")
        with pytest.raises(GuestError):  # no vectors
            machine.run(max_instructions=1)
    trace = Trace(tmp_path / "t")
    assert trace.totals is not None
    assert trace.totals.instructions == machine.instructions == 3


def test_a_run_of_references_never_wraps(machine: Machine, tmp_path: Path) -> None:
    """2**32 references of one run: an open run is made that long, as if the guest had looped for a minute."""
    with record(machine, tmp_path / "t"):
        machine.run(max_instructions=100)
        open_run = int(machine.core.state["recorder"]["fetch"])
        machine.core._events[1][open_run] = (1 << 32) - 20
        machine.run(max_instructions=100)
    assert (
        sum(b for code, _, b in rows(tmp_path / "t") if code & e.KIND == 2 and code < e.ASIDE) >= (1 << 32) - 20 + 100
    )


def test_a_second_recording_is_its_own(machine: Machine, tmp_path: Path) -> None:
    first = record(machine, tmp_path / "1")
    with pytest.raises(UsageError, match="being recorded already"):
        record(machine, tmp_path / "2")
    machine.run(max_instructions=10)
    first.close()
    with record(machine, tmp_path / "2"):
        machine.run(max_instructions=50)
        first.close()
        machine.run(max_instructions=50)
    totals = [Trace(tmp_path / name).totals for name in "12"]
    assert [found and found.instructions for found in totals] == [10, 100]
    with pytest.raises(UsageError, match="the recording has ended"):
        first.begin_phase("late")
    assert first.phases == []


def test_an_error_of_somebody_else_completes_the_trace(machine: Machine, tmp_path: Path) -> None:

    def fail() -> None:
        with record(machine, tmp_path / "t"):
            machine.run(max_instructions=100)
            (tmp_path / "missing").read_bytes()

    with pytest.raises(FileNotFoundError):
        fail()
    assert Trace(tmp_path / "t").complete


def test_a_file_that_cannot_grow_is_one_line_and_a_cut_trace(machine: Machine, tmp_path: Path) -> None:
    path = tmp_path / "t"
    flip = asm.tst("l", at(DATA)) + asm.tst("l", at(DATA + 0x1000))
    machine.write_physical(CODE, flip + asm.branch_b("ra", -2 - len(flip)))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
        with pytest.raises(UsageError, match=rf"^{path}: file too large$"), record(machine, path):
            machine.run(max_instructions=20_000_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not machine.recorded
    assert not Trace(path).complete
    before = machine.instructions
    machine.run(max_instructions=1000)
    assert machine.instructions == before + 1000


def test_a_gap_is_never_taken_for_a_whole_trace(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full for a moment."""
    recording = record(machine, tmp_path / "t")
    append = recording.writer.append
    failures = [OSError(28, "No space left on device")]

    def fail_once(*columns: Any) -> None:
        if failures:
            raise failures.pop()
        append(*columns)

    monkeypatch.setattr(recording.writer, "append", fail_once)
    with pytest.raises(UsageError, match=r"t: no space left on device$"):
        recording.begin_phase("full")
    machine.run(max_instructions=100)
    recording.close()
    assert not Trace(tmp_path / "t").complete


def test_the_seed_of_the_random_policy_is_the_one_that_was_given(tmp_path: Path) -> None:
    with Machine(BOARD, policy=RANDOM, seed=7) as made:
        record(made, tmp_path / "t").close()
    setup = Trace(tmp_path / "t").header.mmu
    assert setup is not None
    assert (setup.policy, setup.seed) == ("random", 7)


def test_regions_that_are_named_on_the_way_are_in_the_trace(machine: Machine, tmp_path: Path) -> None:
    with record(machine, tmp_path / "t"):
        machine.run(max_instructions=10)
        machine.regions.add("data", DATA, DATA + 0x1000)
        machine.run(max_instructions=10)
    trace = Trace(tmp_path / "t")
    assert trace.header.regions == ()
    assert trace.regions == (("data", DATA, DATA + 0x1000),)
    assert replay(trace).first_difference is None
