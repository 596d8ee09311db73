"""The time oracle against cycles worked out by hand: every micro-benchmark, at every level.

The executed streams come from the reference engine, which says what is executed and not how long it takes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace
from functools import cache

import pytest

from emu.machine import Machine
from tests.oracle.forms import decode, references
from tests.oracle.timing import Entry, Parameters, Step, Timing
from tests.support import asm
from tests.support.timing_stream import Event, NotRecordable, Recorder, feed, first_difference
from tests.timing.micro import BOARD, MICROS, Level, Micro, prepare, start

LEVELS: tuple[Level, ...] = ("flat", "pipeline", "full")
BY_NAME = {micro.name: micro for micro in MICROS}
ONE_PAGE = [micro for micro in MICROS if not micro.name.endswith("| page")]  # what the oracle does not see
SHARES = 16


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
        if isinstance(event, Entry):
            # Both ends that lie behind an exception are its handler, or an instruction in it.
            if address in (event.handler, 0):
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
