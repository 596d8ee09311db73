"""Readings of counters: differences, and distributions of operations."""

import math

from hypothesis import given
from hypothesis import strategies as some

from emu.counters import Counters, Operation

durations = some.dictionaries(some.integers(0, 1000), some.integers(1, 50))


@given(durations, some.floats(0.1, 100))
def test_a_percentile_is_of_nearest_rank(found: dict[int, int], percent: float) -> None:
    """Against the definition, on the list of all of them."""
    every = sorted(cycles for cycles, count in found.items() for _ in range(count))
    expected = every[math.ceil(len(every) * percent / 100) - 1] if every else 0
    assert Operation(found).percentile(percent) == expected


@given(durations, durations)
def test_a_phase_has_its_own_worst(earlier: dict[int, int], phase: dict[int, int]) -> None:
    after = {cycles: earlier.get(cycles, 0) + phase.get(cycles, 0) for cycles in {*earlier, *phase}}
    before, whole = (Counters(operations={1: Operation(some)}) for some in (earlier, after))
    assert (whole - before).operations == ({1: Operation(phase)} if phase else {})


@given(durations)
def test_count_and_cycles_are_of_all(found: dict[int, int]) -> None:
    operation = Operation(found)
    assert operation.count == sum(found.values())
    assert operation.cycles == sum(cycles for cycles, count in found.items() for _ in range(count))
    assert operation.worst == operation.percentile(100)
