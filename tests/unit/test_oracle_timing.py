"""The time oracle against cycles worked out by hand: every micro-benchmark, at every level.

The executed streams come from the reference engine, which says what is executed and not how long it takes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path

import pytest

from emu.machine import Machine
from tests.oracle.forms import UnknownInstruction, decode, references
from tests.oracle.timing import Access, Entry, Parameters, Step, Timing
from tests.support import asm
from tests.support.asm import A0, A7, D0, D1, D6, a, d, disp, imm, ind, index, post, pre
from tests.support.timing_stream import Event, NotRecordable, Recorder, feed, first_difference, outcomes
from tests.timing.micro import BOARD, MICROS, START, Level, Micro, prepare, start
from tests.unit.timing.make_objdump_golden import unpack

LEVELS: tuple[Level, ...] = ("flat", "pipeline", "full")
BY_NAME = {micro.name: micro for micro in MICROS}
ONE_PAGE = [micro for micro in MICROS if not micro.name.endswith("| page")]  # what the oracle does not see
SHARES = 16
OBJDUMP = Path(__file__).parent / "timing" / "objdump_lengths.json"

# For each parameter: a micro-benchmark, and how its cycles in level full change when the parameter is one more.
CHANGES: dict[str, tuple[str, int]] = {
    "late_address": ("MOVEA.W, then as address", 1),
    "long_load_address": ("MOVEA.L from memory, then as address", 1),
    "load_address": ("MOVEA.W from memory, then as address", 1),
    "multiply_address": ("MULU.L, then as index", 1),
    "multiply_operand": ("MULU.L, then as operand", 1),
    "index_unscaled": ("MOVEQ, then as index", 1),
    "index_scaled": ("MOVEQ, then as index*4", 1),
    "fpu": ("FADD, then its register", 1),
    "emac": ("MAC, then MOVE ACC", 1),
    "load_after_store_distance": ("store, 3 others, load", -1),
    "load_after_store": ("store, 3 others, load", 1),
    "taken_by_cache": ("Bcc taken, second time", 1),
    "taken_by_table": ("two branches in one entry of the branch cache, second time", 2),
    "not_taken": ("Bcc not taken, second time", 1),
    "mispredicted": ("Bcc taken, cold", 1),
    "static_right": ("BEC off, forward not taken", 1),
    "rts_right": ("BSR, RTS", 1),
    "rts_unpredicted": ("RTS, stack empty", 1),
    "rts_wrong": ("BSR, other return address, RTS", 1),
    "return_stack": ("5 calls, 5 returns", -6),  # the last RTS is predicted: 2 and not 8
    "branch_cache": ("two branches in one entry of the branch cache, second time", -2),  # they do not share it now
    "prediction_table": ("two branches with one counter of the table, cold", 7),  # they have two counters now
    "counter_at_start": ("Bcc taken, cold", -7),  # predicted taken
    "counter_of_new_entry": ("outcomes T N T, cold", -8),  # the last one is predicted taken
    "exception": ("TRAP", 1),
    "line_first": ("read miss", 1),
    "line_burst": ("read miss, another while the bus is busy", 1),
    "line_push": ("dirty victim, another miss", 1),
    "store_drain": ("store without store buffer", 1),
    "store_entries": ("5 stores to the store buffer", -1),
    "inhibited_read": ("inhibited read", 1),
    "inhibited_write": ("inhibited write", 1),
}


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    """One machine for all streams: they do not depend on time."""
    with Machine(BOARD, engine="reference") as made:
        yield made


def stream(micro: Micro, machine: Machine) -> tuple[list[Event], list[Event]]:
    """(events before the measured part of the last pass, events of the measured part)."""
    prepare(micro, machine)
    before: list[Event] = []
    measured: list[Event] = []
    for _ in range(micro.passes):
        before += measured
        start(machine)
        events = Recorder(machine).events()
        before += until(micro.origin, events)
        measured = until(micro.ends_at, events)
    return before, measured


def until(address: int, events: Iterator[Event]) -> list[Event]:
    """Events up to where the instruction at ``address`` is next."""
    found: list[Event] = []
    for event in events:
        found.append(event)
        if isinstance(event, Step) and event.next_pc == address:
            return found
        if isinstance(event, Entry) and event.handler == address:
            return found
    raise AssertionError(f"{address:#x} was not reached")


def cycles(before: list[Event], measured: list[Event], level: Level, parameters: Parameters, cacr: int) -> int:
    """What the oracle says of the measured part."""
    timing = Timing(level, parameters, cacr)
    for event in before:
        feed(timing, event)
    start_of_part = timing.cycles
    for event in measured:
        feed(timing, event)
    return timing.cycles - start_of_part


@pytest.mark.parametrize("share", range(SHARES))
def test_every_micro_benchmark(share: int, machine: Machine) -> None:
    wrong = []
    for micro in ONE_PAGE[share::SHARES]:
        before, measured = stream(micro, machine)
        for level in LEVELS:
            found = cycles(before, measured, level, Parameters(), micro.cacr)
            if found != micro.expected(level):
                wrong.append(f"{micro.name}, {level}: {micro.expected(level)} by hand, {found} by the oracle")
    assert wrong == []


@pytest.mark.parametrize("parameter", [field.name for field in fields(Parameters)])
def test_each_parameter_changes_what_names_it(parameter: str, machine: Machine) -> None:
    name, change = CHANGES[parameter]
    micro = BY_NAME[name]
    more = replace(Parameters(), **{parameter: getattr(Parameters(), parameter) + 1})
    before, measured = stream(micro, machine)
    assert cycles(before, measured, "full", more, micro.cacr) == micro.expected("full") + change


def test_names_are_unique() -> None:
    assert len(BY_NAME) == len(MICROS)


def test_lengths_are_those_of_objdump() -> None:
    """All op words that objdump and the oracle both know. FPU operations between registers have no EA; with the zero
    extension word used here objdump reads one."""
    lengths = unpack(json.loads(OBJDUMP.read_text()))
    both = wrong = 0
    for op, words in enumerate(lengths):
        try:
            length = decode(0, op.to_bytes(2, "big") + bytes(4)).length
        except UnknownInstruction:
            continue
        if words and op != 0xAB3C and op != 0xAF3C and op & 0xFFC0 != 0xF200:
            both += 1
            wrong += length != 2 * words
    assert wrong == 0
    assert both > 30_000


REGISTERS = [0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70, 0x80, *(0x1000 * n for n in range(1, 9))]
REFERENCES = [
    (asm.move("l", ind(A0), d(D0)), [("read", 0x1000, 4)]),
    (asm.move("w", post(A0), pre(A7)), [("read", 0x1000, 2), ("write", 0x7FFE, 2)]),
    (asm.move("b", post(A0), post(A0)), [("read", 0x1000, 1), ("write", 0x1001, 1)]),
    (asm.move("l", a(A0), pre(A0)), [("write", 0xFFC, 4)]),
    (asm.move("l", index(A0, D6, -4, 8), d(D0)), [("read", 0x1000 - 4 + 8 * 0x70, 4)]),
    (asm.move("l", asm.Ea(0o70, asm.words(0x8000)), d(D0)), [("read", 0xFFFF8000, 4)]),
    (asm.move("l", asm.pc_disp(0x20), d(D0)), [("read", START + 2 + 0x20, 4)]),
    (asm.addq(1, disp(A0, -2)), [("read", 0xFFE, 4), ("write", 0xFFE, 4)]),
    (asm.bit("btst", 1, ind(A0)), [("read", 0x1000, 1)]),
    (asm.bit("bset", 1, disp(A0, 3)), [("read", 0x1003, 1), ("write", 0x1003, 1)]),
    (asm.tas(ind(A0)), [("read", 0x1000, 1), ("write", 0x1000, 1)]),
    (asm.movem_store((D0, D1, 8 + A7), disp(A0, 8)), [("write", 0x1008 + 4 * i, 4) for i in range(3)]),
    (asm.movem_load(ind(A0), (D0,)), [("read", 0x1000, 4)]),
    (asm.pea(ind(A0)), [("write", 0x7FFC, 4)]),
    (asm.jsr(ind(A0)), [("write", 0x7FFC, 4)]),
    (asm.branch_w("sr", 4), [("write", 0x7FFC, 4)]),
    (asm.RTS, [("read", 0x8000, 4)]),
    (asm.RTE, [("read", 0x8000, 4), ("read", 0x8004, 4)]),
    (asm.link(A0, -8), [("write", 0x7FFC, 4)]),
    (asm.unlk(A0), [("read", 0x1000, 4)]),
    (asm.div_l(True, post(A0), D0), [("read", 0x1000, 4)]),
    (asm.fp_from("add", "d", pre(A0), 1), [("read", 0xFF8, 8)]),
    (asm.fp_to("s", 1, ind(A0)), [("write", 0x1000, 4)]),
    (asm.fmovem_store((0, 7), ind(A0)), [("write", 0x1000, 8), ("write", 0x1008, 8)]),
    (asm.fsave(ind(A0)), [("write", 0x1000 + 4 * i, 4) for i in range(4)]),
    (asm.mac_load(asm.Mac(D0, D1, 0), post(A0), D0), [("read", 0x1000, 4)]),
    (asm.wddata("b", ind(A0)), [("read", 0x1000, 1)]),
    (asm.lea(ind(A0), A0), []),
    (asm.move("l", imm(5), d(D0)), []),
]


@pytest.mark.parametrize(("code", "expected"), REFERENCES, ids=[code.hex() for code, _ in REFERENCES])
def test_addresses_of_operands(code: bytes, expected: list[tuple[str, int, int]]) -> None:
    found = references(decode(START, code), REGISTERS)
    assert [(reference.kind, reference.address, reference.size) for reference in found] == expected


def test_a_difference_is_found_where_it_is(machine: Machine) -> None:
    """A wrong parameter shows at the instruction that it concerns, and not before."""
    micro = BY_NAME["DIVU.L, then as operand"]
    prepare(micro, machine)
    start(machine)
    assert first_difference(machine, Timing("flat"), 10) is None
    prepare(replace(micro, setup=asm.trap(1)), machine)
    start(machine)
    found = first_difference(machine, Timing("flat", Parameters(exception=17)), 100)
    assert found is not None
    assert isinstance(found.event, Entry)
    assert (found.event.vector, found.machine - found.oracle) == (33, 1)


def test_what_the_model_leaves_open_is_followed_both_ways() -> None:
    """An operand over two pages, the second refused: its first part may have been read, or not."""
    part = Access("read", 0xFFE, 2, "inhibited")
    both = outcomes(Timing("flat"), Entry(2, 0x5000, doubtful=(part,)))
    assert [timing.cycles for timing in both] == [18, 42]
    assert [timing.cycles for timing in outcomes(Timing("flat"), Entry(2, 0x5000, before=(part,)))] == [42]


def test_only_the_reference_engine_is_recorded() -> None:
    with Machine(BOARD, engine="native") as other, pytest.raises(NotRecordable, match="native"):
        Recorder(other)
