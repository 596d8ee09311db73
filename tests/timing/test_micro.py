"""The machine's cycle counter against cycles worked out by hand, at every level, on every engine.

Each micro-benchmark runs as a whole and, stepped, with a limit after every instruction.
"""

from __future__ import annotations

import pytest

from emu.machine import Machine
from tests.support.guest import ENGINES
from tests.timing.micro import BOARD, MICROS, Level, measure

LEVELS: tuple[Level, ...] = ("flat", "pipeline", "full")
SHARES = 8


def wrong(engine: str, level: Level, share: int, shares: int, stepped: bool) -> list[str]:
    """What is not as typed."""
    found = []
    for micro in MICROS[share::shares]:
        with Machine(BOARD, engine, timing=level) as machine:
            cycles = measure(micro, machine, stepped)
        if cycles != micro.expected(level):
            found.append(f"{micro.name} ({micro.place}): {micro.expected(level)} by hand, {cycles} by the machine")
    return found


@pytest.mark.parametrize("share", range(SHARES))
@pytest.mark.parametrize("level", LEVELS)
def test_micro_benchmarks(level: Level, share: int) -> None:
    assert wrong("native", level, share, SHARES, stepped=False) == []


@pytest.mark.slow
@pytest.mark.parametrize("stepped", [False, True], ids=["whole", "stepped"])
@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("engine", ENGINES)
def test_micro_benchmarks_on_every_engine(engine: str, level: Level, stepped: bool) -> None:
    assert wrong(engine, level, 0, 1, stepped) == []
