"""The stepper without a screen: what it observes, how it explains a miss, and its commands."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy.typing as npt
import pytest

from emu.debug.catcher import caught
from emu.debug.history import Moment
from emu.debug.monitor import Monitor
from emu.debug.stepper import tables, why
from emu.debug.stepper.commands import COMMANDS, complete, execute, find
from emu.debug.stepper.events import Called, Cleared, Event, Image, Loaded, Missed, Raised, Switched
from emu.debug.stepper.live import LiveGuest, Watcher
from emu.debug.stepper.script import ScriptLine, read_script, run_script
from emu.debug.stepper.source import describe
from emu.debug.stepper.stepper import Stepper
from emu.debug.stepper.watcher import EntryWatcher
from emu.debug.target import open_elf
from emu.errors import UsageError
from emu.foreground import Setup
from emu.lines import load_lines
from emu.mmu import api
from emu.mmu.registers import MMUDR_LK, MMUOR_ACC, MMUOR_CA, MMUOR_CNL, MMUOR_RW, MMUOR_UAA, OFFSET_MMUOR
from emu.mmu.state import DTLB, ITLB, new_mmu
from emu.options import MachineOptions
from kernel_model.debugging import open_scenario

ROOT = Path(__file__).resolve().parents[2]
HELLO = ROOT / "examples" / "hello.elf"
LINES = ROOT / "tests" / "debug" / "lines" / "lines.elf"
MISSES, PAGES, ENTRIES = 62, 40, 32  # of hello.elf


def hello_on(engine: str = "auto") -> LiveGuest:
    return LiveGuest(open_elf(Setup(HELLO, "m5475evb", MachineOptions(engine=engine))))


@pytest.fixture
def hello() -> Iterator[Stepper]:
    """hello.elf at reset: it walks twice over 40 pages with 32 TLB entries."""
    guest = hello_on()
    yield Stepper(guest, load_lines(HELLO))
    guest.close()


@pytest.fixture
def lines() -> Iterator[Stepper]:
    """A program in C with DWARF."""
    guest = LiveGuest(open_elf(Setup(LINES, "m5475evb")))
    yield Stepper(guest, load_lines(LINES))
    guest.close()


@pytest.fixture(scope="module")
def row() -> Iterator[Stepper]:
    """Two processes of the nucleus that call each other, recorded, somewhere in the middle."""
    guest = LiveGuest(open_scenario("default", "reserve", "paged-8k", "ping-pong"))
    yield Stepper(guest)
    guest.close()


def say(stepper: Stepper, *lines: str) -> str:
    """What the last of these commands answers."""
    return [("\n".join(execute(stepper, line).lines)) for line in lines][-1]


def everything(guest: LiveGuest) -> list[Event]:
    return guest.timeline.between(guest.first, guest.last)


def step_by_step(guest: LiveGuest, count: int) -> list[Event]:
    """What happens in so many single steps, looked for after each of them."""
    events: list[Event] = []
    for _ in range(count):
        watcher, before = Watcher(guest.machine), guest.now
        guest.session.step()
        found = caught(guest.machine) if guest.now.exceptions > before.exceptions else None
        events += watcher.look(guest.now, found)
    return events


# --- what is observed


@pytest.mark.parametrize("engine", ["native", "public", "reference"])
def test_a_program_seen_as_a_whole(engine: str) -> None:
    guest = hello_on(engine)
    guest.session.continue_()
    end = guest.now
    counted = guest.machine.counters()
    events = everything(guest)
    kinds = [type(event) for event in events]
    assert kinds == MISSES * [Missed, Loaded]
    assert counted.misses.dtlb == MISSES
    evicted = [event.evicted for event in events if isinstance(event, Loaded)]
    assert evicted[:ENTRIES] == ENTRIES * [None]
    assert all(image is not None for image in evicted[ENTRIES:])
    guest.return_to(end)
    assert guest.machine.counters() == counted
    guest.close()


def test_what_is_observed_at_once_is_what_steps_see(row: Stepper) -> None:
    """A switch of processes is on the way: a clear, a write of the ASID, misses, refills, TRAPs."""
    guest = row.guest
    start = guest.moment_at(5_298_000)
    single = step_by_step(guest, 3000)
    end = guest.now
    guest.timeline.forget(guest.first)
    assert guest.timeline.between(start, end) == single
    assert {type(event) for event in single} == {Missed, Loaded, Cleared, Switched, Raised}


def images(entries: dict[int, tuple[int, int]]) -> npt.NDArray[Any]:
    """An MMU whose DTLB holds these entries."""
    mmu = new_mmu()
    for index, (tag, data) in entries.items():
        api.load(mmu, DTLB, index, tag, data)
    return mmu


VALID, PAGE = 0x40000001, 0x01000258


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda mmu: api.load(mmu, DTLB, 3, VALID, PAGE), [(Loaded, 35, True, True)]),  # what it holds
        (lambda mmu: api.load(mmu, DTLB, 3, VALID - 1, PAGE), [(Loaded, 35, False, True)]),  # V alone is taken away
        (lambda mmu: api.load(mmu, DTLB, 9, VALID + 0x2000, PAGE), [(Loaded, 41, True, False)]),
        (lambda mmu: api.load(mmu, ITLB, 3, VALID, PAGE), [(Loaded, 3, True, False)]),
        (lambda mmu: operate(mmu, MMUOR_CNL), [(Cleared, 35)]),
        (lambda mmu: operate(mmu, MMUOR_CA), [(Cleared, 35, 36)]),
        (lambda mmu: operate(mmu, MMUOR_CNL | MMUOR_UAA | MMUOR_ACC), [(Cleared, 35), (Loaded, 32, True, False)]),
        (lambda mmu: operate(mmu, MMUOR_ACC | MMUOR_RW), []),
        (lambda mmu: mmu.__setitem__("asid", 7), [(Switched, 0, 7)]),
    ],
)
def test_what_becomes_of_entries(change: Callable[[npt.NDArray[Any]], object], expected: list[tuple[Any, ...]]) -> None:
    mmu = images({3: (VALID, PAGE), 4: (VALID + 0x4000, PAGE | MMUDR_LK)})
    watcher = EntryWatcher(mmu[0])
    change(mmu)
    assert [summary(event) for event in watcher.look(Moment(1, 0, 0), 0)] == expected
    assert watcher.look(Moment(2, 0, 0), 0) == []


def operate(mmu: npt.NDArray[Any], operation: int) -> None:
    mmu["mmutr"], mmu["mmudr"] = VALID + 0x8000, PAGE
    api.write_window(mmu, OFFSET_MMUOR, 4, operation)


def summary(event: Event) -> tuple[Any, ...]:
    match event:
        case Loaded():
            return Loaded, event.address, event.new.valid, event.old.valid
        case Cleared():
            return Cleared, *(address for address, _, _ in event.dropped)
        case Switched():
            return Switched, event.old, event.new
    raise AssertionError(event)


def test_parts_in_any_order_are_the_whole(row: Stepper) -> None:
    guest = row.guest
    guest.timeline.forget(guest.first)
    moments = [guest.moment_at(5_298_000 + 250 * i) for i in range(9)]
    whole = guest.timeline.between(moments[0], moments[-1])
    guest.timeline.forget(guest.first)
    for i in (4, 1, 6, 3):
        guest.timeline.between(moments[i], moments[i + 2])
    assert guest.timeline.between(moments[0], moments[-1]) == whole
    late = [event for event in whole if event.moment > moments[3]]
    guest.timeline.forget(guest.first)
    backwards = guest.timeline.backwards(moments[-1])
    assert [next(backwards) for _ in late] == late[::-1]
    assert [e for e in guest.timeline.forwards(moments[3], 5_300_000) if e.moment <= moments[-1]] == late


def test_misses_of_a_row_are_all_observed(row: Stepper) -> None:
    guest = row.guest
    start = guest.moment_at(4_000_000)
    before = guest.machine.counters().misses.total
    end = guest.moment_at(4_400_000)
    after = guest.machine.counters().misses.total
    found = [event for event in guest.timeline.between(start, end) if isinstance(event, Missed)]
    assert len(found) == after - before > 1000


def test_the_kernel_s_questions_are_events(row: Stepper) -> None:
    guest = row.guest
    asked = [call for call in guest.calls if call.moment.instructions < 4_000_000]  # those of the boot
    end = guest.moment_at(asked[-1].moment.instructions + 1)
    calls = [event for event in guest.timeline.between(guest.first, end) if isinstance(event, Called)]
    assert [event.call for event in calls] == asked != []
    assert describe(guest, calls[0]) == ("call", "grow 71 pages for process: granted 71 at PA 0xc0100000")
    texts = [guest.target.tell_call(call) for call in guest.calls]
    assert "next command: ping pong 0x3e8" in texts
    assert "done: ping pong, ok; 1,000" in texts
    assert any(text.startswith("booted: heap 0xc0100000 to ") for text in texts)


def test_a_fork_is_another_future(hello: Stepper) -> None:
    guest = hello.guest
    guest.session.continue_()
    assert len(everything(guest)) == 2 * MISSES
    guest.goto(700)
    known = len(guest.timeline.between(guest.first, guest.now))
    say(hello, "set $d1 1")  # of the 40 pages one is left
    assert everything(guest) == guest.timeline.between(guest.first, guest.now)
    guest.session.continue_()
    assert known < len(everything(guest)) < 2 * MISSES


# --- why


def explanation(stepper: Stepper) -> why.Explanation:
    return why.explain(stepper.source, why.last_miss(stepper.source))


def test_why_each_page_of_the_walk_missed(hello: Stepper) -> None:
    """The first round is cold; in the second each page was evicted, by the load that its TLB entry says."""
    causes = []
    page_of_entry: dict[int, int] = {}
    evicted_by: dict[int, int] = {}
    while not hello.source.next_miss(None, None).edge:
        found = explanation(hello)
        page = found.miss.va
        causes.append(found.cause)
        assert found.load is not None
        if found.cause is why.Cause.EVICTED:
            assert isinstance(found.culprit, Loaded)
            assert evicted_by[page] == found.culprit.new.va
            assert found.loaded is not None
            assert found.loaded.new.va == page
        if found.victim is not None:
            assert page_of_entry[found.load.address] == found.victim.va
            evicted_by[found.victim.va] = page
        page_of_entry[found.load.address] = page
    assert causes == PAGES * [why.Cause.COLD] + (MISSES - PAGES) * [why.Cause.EVICTED]


def test_why_in_words(hello: Stepper) -> None:
    assert say(hello, "goto 1090", "next-miss", "why").splitlines() == [
        "what  read of 0x40030000 (other), supervisor, ASID 0: not in the DTLB",
        "      by walk+0x8: addq.l #$1, (a0), instruction 1,095",
        "why   evicted: entry 56 was given to 0x40046000 (other)",
        "      instruction 776, 319 instructions before",
        "      it had been loaded into entry 56, instruction 578",
        "entry 44 <- VA 40030000 8K ASID 0 -> PA 01030000",
        "      by access_error, 11 instructions after the miss",
        "out   VA 4004c000 8K ASID 0 -> PA 0104c000 (other)",
        "      missed again by walk+0x8, instruction 1,305, 199 instructions later",
        "cost  54 cycles: entry 18, handler 21, return 15; 14 instructions",
    ]


def test_why_changes_nothing(hello: Stepper) -> None:
    say(hello, "next-miss")
    before = hello.source.now, hello.guest.machine.counters(), dict(hello.session.registers)
    say(hello, "why")
    assert (hello.source.now, hello.guest.machine.counters(), dict(hello.session.registers)) == before


def test_the_parts_of_the_cost_are_its_sum(hello: Stepper) -> None:
    say(hello, "next-miss")
    refill = explanation(hello).refill
    assert refill.returned is not None
    assert refill.bill is not None
    assert refill.bill.total == refill.returned.cycles - refill.before.cycles == 54


def test_an_eviction_that_is_never_missed_again_says_how_far_was_looked(hello: Stepper) -> None:
    text = say(hello, "continue", "previous-miss", "why")
    assert "not missed again up to instruction 1,329" in text


def test_a_handler_that_loads_nothing(hello: Stepper) -> None:
    """As one that ends in a page fault."""
    say(hello, "next-miss")
    found = replace(explanation(hello), load=None)
    lines = why.tell(hello.source, found)
    assert "entry none: the handler returned without one, so the access misses again" in lines
    assert "out   nobody" in lines
    open_end = replace(found, refill=replace(found.refill, returned=None))
    assert why.tell(hello.source, open_end)[-1] == "cost  the handler has not returned up to instruction 149"


def test_why_a_page_missed_after_a_clear(row: Stepper) -> None:
    say(row, "goto 5300000", "next-miss dtlb")
    found = explanation(row)
    assert found.cause is why.Cause.CLEARED
    assert isinstance(found.culprit, Cleared)
    assert row.source.function(found.culprit.pc) == "switch_to"
    assert any(image.covers(found.miss.va) for _, _, image in found.culprit.dropped)
    assert found.loaded is not None
    assert found.loaded.moment < found.culprit.moment < found.miss.moment
    row.source.return_to(found.culprit.moment)  # it is that moment, and not only one near it
    assert not any(e.image.valid and e.image.covers(found.miss.va) for e in row.tlb_entries(DTLB))
    row.source.reverse_step(1)
    assert any(e.image.valid and e.image.covers(found.miss.va) for e in row.tlb_entries(DTLB))


def test_numbers_of_a_monitor_command_are_not_cut(hello: Stepper) -> None:
    monitor = Monitor(hello.session)
    assert monitor.run("translate 0x100000000") == "0x100000000: not an address of 32 bits\n"
    assert monitor.run("translate -1") == "-1: not an address of 32 bits\n"
    for words in ("goto", "delete", "catch load", "catch exception"):
        for number in (str(1 << 63), "9" * 5_000, "-" + "9" * 30):
            assert "Traceback" not in monitor.run(f"{words} {number}")
    assert hello.session.points == {}


def test_gdb_is_told_the_same(hello: Stepper) -> None:
    say(hello, "goto 1090", "next-miss")
    before = hello.source.now
    expected = say(hello, "why")
    monitor = Monitor(hello.session)
    hello.session.interrupt()  # an old Ctrl-C
    for _ in range(2):
        assert monitor.run("why") == expected + "\n"
        assert hello.source.now == before
    hello.session.write_register("d1", 1)  # another future: the loop ends here
    assert "not missed again" in monitor.run("why")
    hello.source.goto(0)
    assert monitor.run("why") == "no TLB miss before this moment; `monitor catch miss` stops at one\n"


def test_without_a_miss_there_is_nothing_to_explain(hello: Stepper) -> None:
    with pytest.raises(UsageError, match="no TLB miss before this moment"):
        say(hello, "why")


# --- movements


def test_misses_and_loads_both_ways(hello: Stepper) -> None:
    say(hello, "goto 1090", "next-miss", "next-load any")
    loaded = hello.source.now
    assert hello.last_loaded() == 44
    text = say(hello, "previous-load")
    assert "TLB entry 44 was loaded" in text
    assert hello.source.now < loaded
    assert "TLB entry 44 was loaded" in say(hello, "next-load")
    assert hello.source.now == loaded


@pytest.mark.parametrize(
    "lines",
    [
        ("continue", "continue", "next-miss"),
        ("goto 99999", "goto 99999"),
        ("goto 1090", "next-miss", "why", "goto 99999", "step"),
        ("continue", "goto 1090", "continue", "next-load any", "next", "finish"),
    ],
)
def test_nobody_runs_past_the_end(hello: Stepper, lines: tuple[str, ...]) -> None:
    assert "HALT instruction" in say(hello, *lines)
    assert hello.source.now.instructions == hello.source.last.instructions == 1329


def test_an_instruction_beyond_the_end_does_not_exist(hello: Stepper) -> None:
    text = say(hello, "goto 99999").splitlines()[0]
    assert text == "instruction 99,999 does not exist, the run ends at 1,329: HALT instruction"


def test_from_the_end_a_change_leads_on(hello: Stepper) -> None:
    say(hello, "continue", "set $pc walk", "step")
    assert hello.source.symbol(hello.source.pc).startswith("walk+")


def test_the_next_load_behind_why_is_that_of_the_entry_it_named(hello: Stepper) -> None:
    text = say(hello, "goto 1090", "next-miss", "why", "next-load")
    assert text.startswith("TLB entry 44 was loaded\ninstruction 1,106,")
    assert say(hello, "previous-load").startswith("TLB entry 44 was loaded\ninstruction 830,")
    assert say(hello, "next-load").startswith("TLB entry 44 was loaded\ninstruction 1,106,")
    last = hello.guest.timeline.between(hello.guest.first, hello.guest.moment_at(1090))[-1]
    assert isinstance(last, Loaded)
    text = say(hello, "goto 1090", "why", "next-miss", "previous-load")  # moved on: the entry loaded last is meant
    assert text.startswith(f"TLB entry {last.address} was loaded")
    assert last.address != 44


def test_an_entry_that_was_not_loaded_before(hello: Stepper) -> None:
    say(hello, "goto 200")
    assert say(hello, "previous-load 63").startswith("TLB entry 63 was not loaded before\ninstruction 200,")
    say(hello, "goto start", "next-load any")
    there = hello.source.now
    assert say(hello, "previous-load any").startswith("no TLB entry was loaded before\n")
    assert say(hello, "previous-load").startswith("TLB entry 32 was not loaded before\n")
    assert hello.source.now == there


def test_reverse_continue_finds_the_previous_load_of_an_entry(hello: Stepper) -> None:
    text = say(hello, "goto 1090", "next-miss", "catch load 44", "continue", "reverse-continue")
    assert text.startswith("1: TLB entry 44 was loaded")
    assert Image(*_entry(hello, 44)).va == 0x4004C000


def _entry(stepper: Stepper, address: int) -> Image:
    return next(e.image for e in stepper.tlb_entries(DTLB) if e.address == address)


def test_the_next_miss_of_a_region(row: Stepper) -> None:
    text = say(row, "goto 5300000", "next-miss heap.endpoint")
    assert "(heap.endpoint)" in text
    there = row.source.now
    say(row, "next-miss heap.endpoint", "previous-miss heap.endpoint")
    assert row.source.now == there
    with pytest.raises(UsageError, match=r"no region 'nowhere'; there are .*heap\.endpoint"):
        say(row, "next-miss nowhere")


def test_search_bookmarks_and_back(row: Stepper) -> None:
    say(row, "goto 5300000", "mark middle")
    assert "clear" in say(row, "search clear")
    assert "heap.gpt" in say(row, "rsearch heap.gpt")
    say(row, "goto middle")
    assert row.source.now.instructions == 5_300_000
    assert "middle" in say(row, "marks")
    with pytest.raises(UsageError, match="no event with 'nothing like it'"):
        say(row, "search nothing like it")


def test_a_condition(hello: Stepper) -> None:
    say(hello, "break walk+0x8 if $d1 == 38", "continue")
    assert hello.session.registers["d1"] == 38
    with pytest.raises(UsageError, match="expected a comparison"):
        say(hello, "break walk if $d1")


def test_watchpoints(hello: Stepper) -> None:
    text = say(hello, "watch 0x40002000", "continue")
    assert "write of 4 bytes at 0x40002000" in text
    assert say(hello, "x 0x40002000 1").split()[1] == "00000001"
    say(hello, "reverse-continue")
    assert say(hello, "x 0x40002000 1").split()[1] == "00000000"


# --- panes


def test_the_marks_of_a_tlb(hello: Stepper) -> None:
    say(hello, "goto 770", "next-miss")
    victim = next(e for e in hello.tlb_entries(DTLB) if e.mark == "next")
    say(hello, "next-load any")
    entries = {entry.address: entry for entry in hello.tlb_entries(DTLB)}
    assert victim.age == ENTRIES - 1
    assert entries[victim.address].age == 0
    assert sorted(entry.age for entry in entries.values() if entry.age is not None) == list(range(ENTRIES))
    say(hello, "step 6")  # the handler returns, the access is made
    assert next(e.address for e in hello.tlb_entries(DTLB) if e.age == 0) == victim.address


def test_a_step_marks_what_it_loaded_and_changed(hello: Stepper) -> None:
    say(hello, "next-miss", "step 11")
    assert [e.address for e in hello.tlb_entries(DTLB) if e.mark == "load"] == [32]
    lines = tables.plain(hello.mmu())
    assert any(line.startswith("MMUTR") and "*" in line for line in lines)
    assert "pc" in next(line for line in tables.plain(hello.registers()) if "*" in line and "pc" in line)


@pytest.mark.parametrize(
    ("lines", "entry"),
    [
        (("goto 1090", "next-load any"), 44),
        (("goto 1090", "next-load any", "previous-load"), 44),
        (("goto 1090", "catch load 44", "continue"), 44),
        (("goto 1090", "next-load any", "step"), None),
    ],
)
def test_the_entry_loaded_last_is_marked(hello: Stepper, lines: tuple[str, ...], entry: int | None) -> None:
    say(hello, *lines)
    marked = [e.address for e in hello.tlb_entries(DTLB) if e.mark == "load"]
    assert marked == ([] if entry is None else [entry])
    assert [e.address for e in hello.tlb_entries(ITLB) if e.mark == "load"] == []


def test_entries_that_a_longer_movement_loaded_are_marked(hello: Stepper) -> None:
    say(hello, "goto 150", "goto 200")  # 32 was loaded before that
    events = hello.guest.timeline.between(hello.guest.moment_at(150), hello.guest.moment_at(200))
    expected = [e.address for e in events if isinstance(e, Loaded)]
    assert len(expected) > 1
    marks = {mark: [e.address for e in hello.tlb_entries(DTLB) if e.mark == mark] for mark in ("load", "+")}
    assert marks == {"load": expected[-1:], "+": sorted(expected[:-1])}


def test_the_entry_to_see(hello: Stepper) -> None:
    say(hello, "goto 1090", "next-miss")
    entries = hello.tlb_entries(DTLB)
    assert entries[hello.tlb_entry_to_see(DTLB)].mark in ("hit", "next")
    say(hello, "why")
    assert entries[hello.tlb_entry_to_see(DTLB)].address == 44
    say(hello, "next-load any")
    assert hello.tlb_entries(DTLB)[hello.tlb_entry_to_see(DTLB)].mark == "load"


def test_code_around_the_present_instruction(hello: Stepper) -> None:
    lines = say(hello, "break walk+0x8", "continue", "disassemble").splitlines()
    now = next(i for i, line in enumerate(lines) if line.startswith("=>"))
    assert lines[now] == "=>b 0000048a 5290         addq.l #$1, (a0)"
    assert lines[0] == "walk:"
    assert now > 1  # those in front of it are there


def test_memory_stack_and_translation(hello: Stepper) -> None:
    say(hello, "next-miss", "finish")
    assert say(hello, "x message 2").splitlines()[0].endswith("hello from the C")
    assert say(hello, "stack 2").splitlines()[0].endswith("  00000446  _start+0x46")
    assert "by DTLB entry 32" in say(hello, "translate 0x40000000")


def test_misses_over_time(hello: Stepper) -> None:
    say(hello, "continue")
    parts = hello.source.misses_by_time(20, 1e9)
    assert sum(parts) == MISSES
    assert 10 <= len(parts) <= 20


# --- the command language


def test_every_command_has_help_and_a_name_of_its_own() -> None:
    names = [name for command in COMMANDS for name in (command.name, *command.aliases)]
    assert len(set(names)) == len(names)
    assert all(command.help and find(command.name) is command for command in COMMANDS)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("nonsense", "nonsense: no such command; `help` lists them"),
        ("re", "re: one of reverse-step, reverse-next, reverse-continue, reverse-finish, registers"),
        ("until", "usage: until ADDR"),
        ("step x", "x: not a number"),
        ("step 1 2", "usage: step [N]"),
        ("break nowhere", "nowhere: neither a number nor a symbol nor a register"),
        ("delete 9", "no breakpoint, watchpoint or catchpoint has number 9"),
        ("registers q9", "no register 'q9'"),
        ("x *0x40000000", "0x40000000 is not mapped to memory now"),
        ("catch nothing", "usage: catch"),
        ('type "', "no closing quotation"),
        ("set $mmuar 1", "register mmuar can only be written by the guest"),
        ("mark 1", "1: a bookmark's name begins with a letter"),
    ],
)
def test_a_mistake_is_one_line(hello: Stepper, line: str, message: str) -> None:
    with pytest.raises(UsageError) as caught_error:
        execute(hello, line)
    assert message in str(caught_error.value)
    assert "\n" not in str(caught_error.value)


def test_an_empty_line_repeats(hello: Stepper) -> None:
    say(hello, "step 2", "", "")
    assert hello.source.now.instructions == 6


def test_values(hello: Stepper) -> None:
    assert hello.value("walk+0x8") == hello.value("walk") + 8
    assert hello.value("walk-2") == hello.value("walk") - 2
    assert hello.value("$pc") == hello.source.pc
    assert hello.value("*0") == 0x00010000
    assert hello.value("1,000") == 1000


def test_what_gdb_calls_otherwise(hello: Stepper) -> None:
    say(hello, "break walk", "continue")
    assert say(hello, "info b") == "1: breakpoint at 0x00000482 (walk)" == say(hello, "points")
    assert say(hello, "i r d1") == "d1      00000000"
    assert say(hello, "p $pc") == "0x00000482  1,154  walk"
    assert say(hello, "print *0 + 4").split()[0] == "0x00010004"
    with pytest.raises(UsageError, match="info x: one of breakpoints, registers, threads"):
        say(hello, "info x")


def test_completion(hello: Stepper) -> None:
    assert complete(hello, "reverse-") == ["reverse-continue", "reverse-finish", "reverse-next", "reverse-step"]
    assert complete(hello, "break wal") == ["break walk"]
    assert complete(hello, "next-miss dt") == ["next-miss dtlb"]
    assert complete(hello, "catch m") == ["catch miss"]
    assert complete(hello, "nonsense x") == []


# --- source lines


def test_source_lines(lines: Stepper) -> None:
    text = say(lines, "break lines.c:16", "continue")
    assert "lines.c:16  total += square(n);" in text.splitlines()
    shown = say(lines, "disassemble").splitlines()
    assert "     lines.c:14  {" in shown
    assert sum("lines.c:16" in line for line in shown) == 1
    assert complete(lines, "break lines.c:1") == [f"break lines.c:{n}" for n in (10, 11, 14, 16, 17, 18)]


def test_source_lines_without_the_source(tmp_path: Path) -> None:
    program = tmp_path / "lines.elf"
    program.write_bytes(LINES.read_bytes())
    known = load_lines(program)
    assert known.at(0x422) == "lines.c:16"
    assert known.at(0x40A) == "lines.c:8"
    assert known.at(0x100) == ""
    assert known.at(0x44A) == ""  # behind the last line's code
    assert known.address("lines.c:99") is None


def test_no_source_lines_in_a_program_without_them(tmp_path: Path) -> None:
    assert list(load_lines(HELLO)) == []
    program = tmp_path / "damaged.elf"
    program.write_bytes(LINES.read_bytes()[:0x200] + b"\xff" * 0x200 + LINES.read_bytes()[0x400:])
    assert list(load_lines(program)) == []


# --- scripts


def test_a_script_prints_each_command_with_its_answer(hello: Stepper, capsys: pytest.CaptureFixture[str]) -> None:
    run_script(hello, [ScriptLine("step", "1"), ScriptLine("mark here", "2"), ScriptLine("quit", "3")])
    assert capsys.readouterr().out.splitlines() == [
        "(cfemu) step",
        "instruction 1, cycle 1: 0x00000406 _start+0x6: move.l #$ff00a040, d0",
        "(cfemu) mark here",
        "here: instruction 1; `goto here` comes back",
        "(cfemu) quit",
    ]


def test_a_script_in_json(hello: Stepper, capsys: pytest.CaptureFixture[str]) -> None:
    lines = [
        ScriptLine(text, "") for text in ("next-miss", "why", "tlb dtlb", "step 12", "registers", "counters", "log")
    ]
    run_script(hello, lines, as_json=True)
    records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [record["command"] for record in records] == [line.text for line in lines]
    miss, answer, tlb, step, registers, counters, _log = records
    assert (miss["instructions"], miss["symbol"]) == (135, "access_error")
    assert (answer["cause"], answer["load"]["address"], answer["victim"]) == ("cold", 32, None)
    assert len(tlb["dtlb"]) == ENTRIES
    assert [event["kind"] for event in step["events"]] == ["load"]
    assert registers["registers"]["pc"] == step["pc"]
    assert counters["counters"]["DTLB misses"] == 1


@pytest.mark.parametrize("line", ["continue", "next-load any", "step 1000000000", "search nothing like it"])
def test_a_script_ends_when_time_is_up(hello: Stepper, capsys: pytest.CaptureFixture[str], line: str) -> None:
    """A guest whose misses are never answered: its handler returns at once."""
    say(hello, "goto 1090")
    hello.session.write_memory(hello.value("access_error"), b"\x4e\x73")  # rte
    lines = [ScriptLine(text, text) for text in ("where", line, "where")]
    assert not run_script(hello, lines, timeout=0.3)
    out, err = capsys.readouterr()
    assert out.count("(cfemu) ") == 2
    assert "interrupted" in out
    now = hello.source.now.instructions
    assert err == f"cfemu: interrupted after 0.3 s; {line}: at instruction {now:,}\n"


def test_a_script_that_ends_in_time(hello: Stepper, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_script(hello, [ScriptLine("continue", "1"), ScriptLine("why", "2")], timeout=300)
    assert capsys.readouterr().err == ""


def test_a_bad_command_ends_a_script_with_its_line(hello: Stepper, tmp_path: Path) -> None:
    script = tmp_path / "commands.txt"
    script.write_text("# two\nstep\n\nbreak nowhere\nstep\n")
    with pytest.raises(UsageError, match=rf"{re.escape(str(script))}, line 4: nowhere: neither"):
        run_script(hello, read_script(script))
    assert hello.source.now.instructions == 1


@pytest.mark.parametrize(
    ("content", "message"), [(None, "no such file or directory"), (b"\xff\xfe", "not a text file")]
)
def test_a_script_that_cannot_be_read(tmp_path: Path, content: bytes | None, message: str) -> None:
    script = tmp_path / "script"
    if content is not None:
        script.write_bytes(content)
    with pytest.raises(UsageError, match=message):
        read_script(script)
