"""The parts of a session without a terminal: escape keys, the two clocks, waiting, and what appears on the screen."""

import io
import math
import sys
from collections.abc import Iterator

import pytest

from emu.console import ESCAPE_KEYS, MOST_OWED, Command, EscapeDecoder, Keyboard, Pace, Session, help_text
from emu.machine import StopReason
from emu.screen import Screen
from tests.support import asm
from tests.support.asm import D0, at, d
from tests.support.guest import BOARD, Bench, bench
from tests.support.peripherals import (
    BUFFER,
    IEN,
    INT_RX,
    PSC,
    PSC_SOURCE,
    RUN,
    TEN,
    assign,
    clear_timer,
    masked,
    start_psc,
    start_timer,
    unmask,
    vector,
)

TICK = 0.01  # seconds
TICK_COUNT = round(TICK * BOARD.core_hz / BOARD.bus_ratio) - 1
A_CYCLE = 1 / BOARD.core_hz


def decoded(*typed: bytes) -> list[bytes | Command]:
    """What comes out of a decoder that gets those parts."""
    decoder = EscapeDecoder()
    return [what for part in typed for what in decoder.decode(part)]


@pytest.mark.parametrize("typed", [b"", b"abc", b"\x00\x03\x1a\x1b[A\r\x7f\xff"])
def test_keys_pass_unchanged(typed: bytes) -> None:
    assert b"".join(what for what in decoded(typed) if isinstance(what, bytes)) == typed


@pytest.mark.parametrize("key", ESCAPE_KEYS, ids=lambda key: key.name)
def test_a_command_comes_between_the_text_around_it(key: object) -> None:
    for row in ESCAPE_KEYS:
        pressed = bytes([row.key])
        whole = decoded(b"ab\x01" + pressed + b"cd")
        in_parts = decoded(b"ab\x01", pressed, b"cd")
        if isinstance(row.meaning, Command):
            assert whole == in_parts == [b"ab", row.meaning, b"cd"]
        else:
            assert whole == [b"ab" + row.meaning + b"cd"]
            assert b"".join(part for part in in_parts if isinstance(part, bytes)) == whole[0]


def test_an_unknown_key_after_ctrl_a_is_dropped_and_the_next_one_is_not() -> None:
    assert decoded(b"a\x01zx") == [b"ax"]
    assert decoded(b"\x01z\x01x") == [Command.QUIT]


def test_ctrl_a_ctrl_a_does_not_escape_what_follows() -> None:
    assert decoded(b"\x01\x01x") == [b"\x01x"]


def test_every_command_has_one_key_and_a_line_of_help() -> None:
    assert len({row.key for row in ESCAPE_KEYS}) == len(ESCAPE_KEYS)
    assert {row.meaning for row in ESCAPE_KEYS} >= set(Command)
    assert [line.split()[1] for line in help_text().splitlines()] == [row.name for row in ESCAPE_KEYS]


# --- time


class World(Keyboard):
    """A clock that moves only when somebody waits on the keyboard, and a person who types at certain times."""

    def __init__(self, *typed: tuple[float, bytes]) -> None:
        super().__init__()
        self.now = 1000.0
        self.waits: list[float] = []
        self._typed = [(self.now + after, keys) for after, keys in typed]

    def clock(self) -> float:
        return self.now

    def read(self, seconds: float) -> bytes:
        assert seconds >= 0
        until = self.now + seconds
        if self._typed and self._typed[0][0] <= until:
            when, keys = self._typed.pop(0)
            until = max(self.now, when)
        else:
            keys = b""
        self.waits.append(until - self.now)
        self.now = until
        return keys

    def session(self, guest: Bench) -> Session:
        """A session that has begun."""

        session = Session(self, Pace(self.clock))
        session.begin(guest.machine)
        return session


@pytest.fixture
def guest() -> Iterator[Bench]:
    """Waits in STOP, for ever; a tick each 10 ms is counted in D7, a character is kept in D5, and then it halts."""
    with bench("native") as made:
        made.handler(vector(54), asm.addq(1, d(asm.D7)) + clear_timer(0) + asm.RTE)
        made.handler(vector(PSC_SOURCE[0]), asm.mvz("b", at(PSC[0] + BUFFER), asm.D5) + asm.HALT)
        yield made


def idling(*, ticks: bool = True) -> bytes:
    """Guest code for that."""
    code = assign(PSC_SOURCE[0], 3) + unmask(PSC_SOURCE[0]) + start_psc(imr=INT_RX)
    if ticks:
        code += assign(54, 4) + unmask(54) + start_timer(0, TICK_COUNT, RUN | IEN | TEN)
    return code + asm.moveq(0, asm.D7) + asm.stop(masked(0)) + asm.branch_b("ra", -6)


def seconds(guest: Bench) -> float:
    """Virtual time."""
    return guest.machine.cycles / BOARD.core_hz


def test_an_idle_guest_asks_for_host_time_and_its_clock_never_runs_ahead(guest: Bench) -> None:
    world = World()
    session = world.session(guest)
    guest.start(idling())
    start = world.now
    while world.now < start + 1.0:
        assert guest.machine.run().reason is StopReason.IDLE
        assert list(session.idle(guest.machine, math.inf)) == []
        assert seconds(guest) <= world.now - start + A_CYCLE

    assert sum(world.waits) == pytest.approx(1.0, abs=TICK)
    assert guest.registers["d7"] in (99, 100)
    assert len(world.waits) <= 105  # once a tick: it does not look again and again
    assert seconds(guest) == pytest.approx(world.now - start, abs=1e-5)


def test_a_key_ends_the_wait_at_once(guest: Bench) -> None:
    world = World((0.0333, b"k"))
    session = world.session(guest)
    guest.start(idling())
    while (reason := guest.machine.run().reason) is StopReason.IDLE:
        assert list(session.idle(guest.machine, math.inf)) == []

    assert reason is StopReason.HALT
    assert guest.registers["d5"] == ord("k")
    assert guest.registers["d7"] == 3
    assert seconds(guest) == pytest.approx(0.0333, abs=1e-5)


def test_a_guest_that_only_input_can_wake_lets_flags_be_looked_at(guest: Bench) -> None:
    """The signal handlers set flags, and select() goes on after them."""
    world = World((5.0, b"k"))
    session = world.session(guest)
    guest.start(idling(ticks=False))
    while guest.machine.run().reason is StopReason.IDLE:
        list(session.idle(guest.machine, math.inf))

    assert max(world.waits) < 0.101
    assert seconds(guest) == pytest.approx(5.0, abs=1e-5)


def test_a_wait_is_no_longer_than_it_may_be(guest: Bench) -> None:
    world = World()
    session = world.session(guest)
    guest.start(idling(ticks=False))
    guest.machine.run()
    before = guest.machine.cycles
    world.now += 0.05  # it was late
    list(session.idle(guest.machine, 0.001))

    assert world.waits == [pytest.approx(0.001)]
    assert guest.machine.cycles == before + 266_000


def test_commands_come_out_and_keys_go_in(guest: Bench) -> None:
    world = World((0, b"\x01c\x01xk"))
    session = world.session(guest)
    guest.start(idling())
    assert guest.machine.run().reason is StopReason.IDLE

    assert list(session.poll(guest.machine)) == [Command.COUNTERS, Command.QUIT]
    assert guest.machine.run().reason is StopReason.HALT
    assert guest.registers["d5"] == ord("k")


def test_what_a_full_line_cannot_take_is_told_by_the_bell(
    guest: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from emu.devices.state import LINE

    world = World((0, b"k"))
    session = world.session(guest)
    guest.machine.type_in(bytes(LINE))

    assert list(session.poll(guest.machine)) == []
    assert capsys.readouterr().err == "\a"


def test_a_small_difference_of_the_clocks_is_made_good_and_a_large_one_is_forgotten() -> None:
    now = 50.0
    pace = Pace(lambda: now)
    pace.start(3.0)
    assert pace.owed(3.0) == 0
    now += 0.03
    assert pace.owed(3.0) == pytest.approx(0.03)
    assert pace.owed(3.03) == pytest.approx(0)
    assert pace.owed(3.05) == pytest.approx(-0.02)
    now += 60  # a long computation, slower than the hardware
    assert pace.owed(4.0) == pytest.approx(MOST_OWED)
    assert pace.owed(4.0 + MOST_OWED) == pytest.approx(0)
    assert pace.owed(90.0) == pytest.approx(-MOST_OWED)  # and one faster
    now += MOST_OWED
    assert pace.owed(90.0) == pytest.approx(0)


# --- the screen


class FakeTerminal(io.TextIOWrapper):
    """Shows what a terminal was sent, from both outputs."""

    def __init__(self) -> None:
        self.sent = io.BytesIO()
        super().__init__(self.sent, write_through=True)

    def isatty(self) -> bool:
        return True

    def take(self) -> bytes:
        """Everything since the last time."""
        data = self.sent.getvalue()
        self.sent.seek(0)
        self.sent.truncate()
        return data


def show_terminal(monkeypatch: pytest.MonkeyPatch) -> FakeTerminal:
    """Both outputs are this terminal until the test's end. (Around a test pytest's capture replaces them itself.)"""
    terminal = FakeTerminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setattr(sys, "stderr", terminal)
    return terminal


def screen_with_progress(monkeypatch: pytest.MonkeyPatch) -> Screen:
    """A screen that shows its progress."""
    monkeypatch.setattr("emu.screen.PROGRESS_AFTER", -1.0)
    monkeypatch.setattr("emu.screen.PROGRESS_EVERY", -1.0)
    screen = Screen(echo=True)
    screen.show_progress(5_000_000)
    return screen


@pytest.mark.parametrize("kind", ["output", "message"])
def test_output_and_messages_clear_the_progress_line(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    shown = show_terminal(monkeypatch)
    screen = screen_with_progress(monkeypatch)
    progress = shown.take()
    if kind == "output":
        screen.show_output(b"text\n")
    else:
        screen.say("text")

    assert progress.startswith(b"\r\x1b[K5.0 M instructions")
    assert progress.endswith(b"Ctrl-C ends the run")
    assert shown.take() == b"\r\x1b[Ktext\n"


def test_a_message_does_not_tear_a_line_of_the_guest(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = show_terminal(monkeypatch)
    screen = Screen(echo=True)
    screen.show_output(b"prompt> ")
    screen.say("first")
    screen.say("second")
    screen.show_output(b"line\n")
    screen.say("third")

    assert shown.take() == b"prompt> \nfirst\nsecond\nline\nthird\n"


def test_progress_does_not_overwrite_a_line_of_the_guest(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = show_terminal(monkeypatch)
    screen = screen_with_progress(monkeypatch)
    screen.show_output(b"half a line")
    shown.take()
    screen.show_progress(6_000_000)

    assert shown.take() == b""


def test_warnings_of_the_machine_are_messages(monkeypatch: pytest.MonkeyPatch, guest: Bench) -> None:
    shown = show_terminal(monkeypatch)
    screen = Screen(echo=True)
    with screen.warnings():
        screen.show_output(b"> ")
        guest.run(asm.move("l", at(PSC[0] - 0x100), d(D0)), asm.HALT)

    text = shown.take()
    assert text.startswith(b"> \ncfemu: read of the unmodelled register MBAR+0x8500 at PC ")
    assert text.count(b"\n") == 2
