"""Recordings of a machine, in a form in which all engines must agree."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from emu.machine import Machine
from emu.recording import record
from emu.trace import events as e
from emu.trace.format import Trace
from emu.trace.replay import Result, replay

__all__ = ["assert_replays_exactly", "canonical", "recorded"]

TURNS = (e.ENTER, e.LEAVE)  # between them all fetches are of one stream


def recorded(machine: Machine, path: Path, run: Callable[[Machine], Any]) -> Trace:
    """The trace of what ``run`` does with the machine."""
    with record(machine, path):
        run(machine)
    return Trace(path)


def canonical(trace: Trace) -> tuple[list[Any], list[Any]]:
    """Fetches, and everything else, each in order and with neighbouring runs on one granule joined.

    A fast engine fetches a block as a whole, so what a block stores to the MMU may come before its last fetches or
    behind them: of everything else only exceptions and refused fetches stand among the fetches.
    """
    fetches: list[Any] = []
    others: list[Any] = []
    for chunk in trace.chunks():
        for code, a, b in zip(*(column.tolist() for column in chunk.events)):
            is_run = code < e.ASIDE and not code & e.REFUSED
            if is_run and code & e.KIND == 2:
                add_run(fetches, a >> e.GRANULE_BITS, code, 0, b)
            elif is_run:
                add_run(others, a >> e.GRANULE_BITS, code & ~e.KIND, code & e.KIND, b)
            else:
                others.append((code, a, b))
                if code in TURNS or (code < e.ASIDE and code & e.KIND == 2):
                    fetches.append((code, a, b))
    return fetches, others


def add_run(rows: list[Any], granule: int, flags: int, kind: int, count: int) -> None:
    """Add references to the last row where that is of the same granule."""
    if not rows or not isinstance(rows[-1], list) or rows[-1][:2] != [granule, flags]:
        rows.append([granule, flags, 0, 0])
    rows[-1][2 + kind] += count


def assert_replays_exactly(trace: Trace, machine: Machine) -> Result:
    """The recorded TLBs miss again as the machine has counted, entry by entry, and time adds up."""
    result = replay(trace)
    assert result.exact
    assert (result.wrong_misses, result.wrong_entries, result.first_difference) == (0, 0, None)
    counters = machine.counters()
    misses = counters.misses
    assert (result.itlb_misses, result.dtlb_misses, result.nested) == (misses.itlb, misses.dtlb, misses.nested)
    assert result.violations == counters.violations
    assert (result.instructions, result.cycles) == (counters.instructions, counters.cycles)
    assert trace.totals is not None
    assert trace.totals.counters["refill_cycles"] == counters.refill_cycles
    return result
