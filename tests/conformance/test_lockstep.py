"""Random legal sequences, instruction by instruction beside QEMU. It shares ancestors with unicorn: where it is wrong
the oracles judge, and tests/support/qemu_errors.py keeps the list."""

import random
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.lockstep import QEMU, Difference, build, differences
from tests.support.qemu_errors import QEMU_ERRORS, QemuError, excuse
from tests.support.sequences import KINDS, Step, random_steps

pytestmark = pytest.mark.skipif(QEMU is None, reason="qemu-m68k is not installed (Debian: qemu-user)")

steps = st.builds(Step, st.sampled_from(sorted(KINDS)), st.integers(0, 1 << 32))


def compare(
    sequences: list[list[Step]], seed: int, directory: Path
) -> tuple[int, list[Difference], Counter[QemuError]]:
    """(instructions compared, differences that nothing excuses, uses of each excuse)."""
    image, end = build(sequences, seed)
    count = 0
    unexplained: list[Difference] = []
    excused: Counter[QemuError] = Counter()
    for result in differences(image, end, directory / "sequences.elf"):
        count += 1
        if isinstance(result, Difference):
            row = excuse(result)
            if row is None:
                unexplained.append(result)
            else:
                excused[row] += 1
    return count, unexplained, excused


def report(unexplained: list[Difference]) -> str:
    """The first few, readable."""
    return "\n".join(str(difference) for difference in unexplained[:5])


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(steps, min_size=1, max_size=40), st.integers(0, 1 << 32))
def test_a_sequence(tmp_path: Path, sequence: list[Step], seed: int) -> None:
    """Hypothesis shrinks a failing sequence to the steps that matter."""
    _count, unexplained, _excused = compare([sequence], seed, tmp_path)
    assert not unexplained, report(unexplained)


@pytest.mark.parametrize("seed", [1, 2])
def test_a_batch(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    count, unexplained, _excused = compare([random_steps(rng, 25) for _ in range(40)], seed, tmp_path)
    assert not unexplained, report(unexplained)
    assert count > 2000


@pytest.mark.conformance
def test_a_million_instructions(tmp_path: Path) -> None:
    """Full evidence; every excuse that the sequences can meet must have been met, or it is stale."""
    total = 0
    excused: Counter[QemuError] = Counter()
    start = time.monotonic()
    for seed in range(100, 120):
        rng = random.Random(seed)
        count, unexplained, more = compare([random_steps(rng, 25) for _ in range(800)], seed, tmp_path)
        assert not unexplained, report(unexplained)
        total += count
        excused += more
        print(f"lockstep: {total:,} instructions, {time.monotonic() - start:.0f} s", file=sys.stderr, flush=True)
    assert total > 1_000_000
    assert set(excused) == {row for row in QEMU_ERRORS if row.generated}
