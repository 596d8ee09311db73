"""The stepper's screen, key by key, and as it looks.

After a change that is meant: ``pytest tests/debug/test_stepper_screen.py --snapshot-update``.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Static

from emu.debug.stepper.app import CommandLine, HelpScreen, Pane, StepperApp
from emu.debug.stepper.live import LiveGuest
from emu.debug.stepper.stepper import Stepper
from emu.debug.stepper.tables import plain
from emu.debug.target import open_elf
from emu.foreground import Setup
from emu.mmu.state import DTLB

ROOT = Path(__file__).resolve().parents[2]
SMALL, LARGE = (80, 24), (160, 50)

Play = Callable[[Pilot[None]], Awaitable[None]]
Compare = Callable[..., bool]


@pytest.fixture
def app() -> Iterator[StepperApp]:
    """hello.elf at reset."""
    guest = LiveGuest(open_elf(Setup(ROOT / "examples" / "hello.elf", "m5475evb")))
    guest.title = "hello.elf on m5475evb, any engine"
    yield StepperApp(Stepper(guest))
    guest.close()


async def press(pilot: Pilot[None], *keys: str) -> None:
    """Press keys, each when what the one before began has ended."""
    await pilot.app.workers.wait_for_complete()
    for key in keys:
        await pilot.press(key)
        await pilot.app.workers.wait_for_complete()
    await pilot.pause()


def pressing(*keys: str) -> Play:
    """The same, for a snapshot."""

    async def play(pilot: Pilot[None]) -> None:
        await press(pilot, *keys)

    return play


def on_screen(app: StepperApp, size: tuple[int, int], play: Play) -> None:
    """Let ``play`` use the screen."""

    async def run() -> None:
        async with app.run_test(size=size) as pilot:
            await press(pilot)
            await play(pilot)

    asyncio.run(run())


def typed(line: str) -> tuple[str, ...]:
    """The keys of a line on the command line, with Enter."""
    names = {" ": "space", "-": "minus", "_": "underscore", "*": "asterisk"}
    return ("colon", *(names.get(letter, letter) for letter in line), "enter")


def shown(app: StepperApp, pane: str) -> list[str]:
    return plain(app.query_one(f"#{pane}", Pane).lines)


def is_helping(app: StepperApp) -> bool:
    return isinstance(app.screen, HelpScreen)


def answered(app: StepperApp) -> str:
    return "\n".join(plain(app.answered))


# --- as it looks


@pytest.mark.parametrize(
    ("name", "size", "keys"),
    [
        ("small", SMALL, ("m", "y")),
        ("small-dtlb", SMALL, ("m", "s", "3")),
        ("small-log", SMALL, ("m", "m", "m", "2")),
        ("small-evicted", SMALL, (*typed("goto 1110"), "2")),
        ("small-why", SMALL, (*typed("goto 1090"), "m", "y", "3")),
        ("small-help", SMALL, ("question_mark",)),
        ("large", LARGE, (*typed("goto 770"), "m", "y")),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_screen_looks_as_it_did(
    app: StepperApp, snap_compare: Compare, name: str, size: tuple[int, int], keys: tuple[str, ...]
) -> None:
    assert snap_compare(app, terminal_size=size, run_before=pressing(*keys))


# --- keys


def test_keys_move_as_in_gdb(app: StepperApp) -> None:
    async def play(pilot: Pilot[None]) -> None:
        source = app.stepper.source
        await press(pilot, "s", "s")
        assert source.now.instructions == 2
        await press(pilot, "r", "s")
        assert source.now.instructions == 1
        await press(pilot, *typed("break walk"), "c")
        assert source.symbol(source.pc) == "walk"
        first = source.now
        await press(pilot, "c")
        assert source.now > first
        await press(pilot, "r", "c")
        assert source.now == first
        await press(pilot, "enter")  # the last command again: there is no earlier breakpoint
        assert source.now == source.first

    on_screen(app, SMALL, play)


def test_panes_follow(app: StepperApp) -> None:
    async def play(pilot: Pilot[None]) -> None:
        await press(pilot, "m", "s")
        assert any(line.startswith("=>") and "move.l a0, -(a7)" in line for line in shown(app, "code"))
        assert [line.split()[1] for line in shown(app, "log")] == ["miss"]
        await press(pilot, *typed("next-load any"))
        assert shown(app, "dtlb")[2].startswith("load  32 40000000   8K    0 01000000 -RW--")
        assert any("a7 " in line and "*" in line for line in shown(app, "registers"))

    on_screen(app, SMALL, play)


def test_one_pane_at_a_time_or_all(app: StepperApp) -> None:
    def visible() -> list[str]:
        return [pane.kind.name for pane in app.query(Pane) if pane.display and pane.region.area]

    async def play(pilot: Pilot[None]) -> None:
        assert visible() == ["code"]
        await press(pilot, "6")
        assert visible() == ["mmu"]
        await pilot.resize_terminal(*LARGE)
        await press(pilot)
        assert len(visible()) == 8

    on_screen(app, SMALL, play)


def test_the_command_line_completes_and_remembers(app: StepperApp) -> None:
    async def play(pilot: Pilot[None]) -> None:
        line = app.query_one(CommandLine)
        await press(pilot, "colon", *"prev", "tab")
        assert line.value == "previous-"
        await press(pilot, "m", "tab")
        assert line.value == "previous-miss "
        await press(pilot, "escape")
        assert not line.has_focus
        await press(pilot, *typed("break access_e"))
        assert "neither a number nor a symbol" in answered(app)
        await press(pilot, "colon", "up")
        assert line.value == "break access_e"
        await press(pilot, "tab", "enter")
        assert "1: breakpoint at 0x0000049a (access_error)" in answered(app)

    on_screen(app, SMALL, play)


def test_a_mistake_is_a_line_and_no_end(app: StepperApp) -> None:
    async def play(pilot: Pilot[None]) -> None:
        await press(pilot, "y")
        assert "no TLB miss before this moment" in answered(app)
        await press(pilot, *typed("nonsense"))
        assert "nonsense: no such command" in answered(app)
        await press(pilot, "s")
        assert app.stepper.source.now.instructions == 1

    on_screen(app, SMALL, play)


def test_help_and_quit(app: StepperApp) -> None:
    async def play(pilot: Pilot[None]) -> None:
        await press(pilot, "question_mark")
        assert is_helping(app)
        await press(pilot, "escape")
        assert not is_helping(app)
        await pilot.press("q")
        await pilot.pause()
        assert not app.is_running or app.return_code == 0

    on_screen(app, SMALL, play)


def drawn(app: StepperApp, pane: str) -> list[str]:
    """The rows of a pane that are in sight, as far as they are."""
    found = app.query_one(f"#{pane}", Pane)
    area = found.scrollable_content_region
    start = int(found.scroll_y)
    return [row[: area.width] for row in plain(found.rows)[start : start + area.height]]


@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_the_log_shows_what_was_evicted(app: StepperApp, size: tuple[int, int]) -> None:
    async def play(pilot: Pilot[None]) -> None:
        await press(pilot, *typed("goto 1110"), "2")
        rows = drawn(app, "log")
        assert rows[-2].endswith("load      dtlb 44: VA 40030000 8K ASID 0 -> PA 01030000")
        assert rows[-1].strip() == "out goes 4004c000"
        if size == SMALL:  # where there is room for it, a line is one row
            await pilot.resize_terminal(120, 24)
            await press(pilot)
            assert drawn(app, "log")[-1].endswith("-> PA 01030000; out goes 4004c000")

    on_screen(app, size, play)


@pytest.mark.slow
@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_the_entry_in_question_is_in_sight(app: StepperApp, size: tuple[int, int]) -> None:
    def numbers() -> list[str]:
        return [row[:8].split()[-1] for row in drawn(app, "dtlb") if row[5:8].strip().isdigit()]

    async def play(pilot: Pilot[None]) -> None:
        await press(pilot, "3", *typed("goto 770"))
        entries = app.stepper.tlb_entries(DTLB)
        assert str(entries[app.stepper.tlb_entry_to_see(DTLB)].address) in numbers()
        await press(pilot, *typed("goto 1090"), "m", "y")
        assert app.stepper.in_question == 44
        assert "44" in numbers()
        await press(pilot, *typed("next-load 63"))
        assert "63" in numbers()
        await press(pilot, *typed("next-load 32"))
        assert "32" in numbers()

    on_screen(app, size, play)


def test_the_status_line_says_that_a_command_runs(app: StepperApp) -> None:
    async def play(pilot: Pilot[None]) -> None:
        stepper = app.stepper
        stepper.session.write_memory(stepper.value("end"), b"\x60\xfe")
        await pilot.press("c")
        await pilot.pause()
        assert status(app) == "running continue ... Esc interrupts"
        await pilot.press("escape")
        await press(pilot)
        assert status(app).startswith("instruction ")
        await pilot.press("r")
        assert status(app) == "r: now s, n, c or f"
        await press(pilot, "escape")
        assert status(app).startswith("instruction ")

    on_screen(app, SMALL, play)


def status(app: StepperApp) -> str:
    return str(app.query_one("#where", Static).render())


# --- mouse


def test_the_mouse_chooses_panes_moments_and_breakpoints(app: StepperApp) -> None:
    async def play(pilot: Pilot[None]) -> None:
        source = app.stepper.source
        await press(pilot, "m")
        first = source.now
        await press(pilot, "m")
        await pilot.click("#tab-log")
        await press(pilot)
        assert app.query_one("#log", Pane).display
        await pilot.click("#log", offset=(20, 0))
        await press(pilot)
        assert source.now == first
        await pilot.click("#tab-code")
        await pilot.click("#code", offset=(20, 1))
        await press(pilot)
        assert app.stepper.breakpoints() == [source.pc]

    on_screen(app, SMALL, play)


@pytest.mark.slow
def test_both_rows_of_a_long_line_of_the_log_go_to_its_moment(app: StepperApp) -> None:
    async def play(pilot: Pilot[None]) -> None:
        source = app.stepper.source
        await press(pilot, *typed("goto 1110"), "2")
        last = len(drawn(app, "log")) - 1
        for row, instructions in ((last, 1106), (last - 1, 1084)):
            await pilot.click("#log", offset=(30, row))
            await press(pilot)
            assert source.now.instructions == instructions
            await press(pilot, *typed("goto 1094"))

    on_screen(app, SMALL, play)


def test_a_long_run_can_be_interrupted(app: StepperApp) -> None:
    async def play(pilot: Pilot[None]) -> None:
        stepper = app.stepper
        stepper.session.write_memory(stepper.value("end"), b"\x60\xfe")  # bra to itself where the program halts
        await pilot.press("c")
        await pilot.pause()
        assert answered(app) != "interrupted"
        await pilot.press("escape")
        await press(pilot)
        assert "interrupted" in answered(app)

    on_screen(app, SMALL, play)
