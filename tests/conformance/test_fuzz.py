"""No instruction word, whatever the guest executes, ends or hangs the host process."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def fuzz(words: int, seed: int, engine: str, timeout: int) -> None:
    """Run the fuzzer in a process of its own: all words must be reported, in time."""
    command = [sys.executable, "-m", "tests.support.fuzz"]
    command += ["--words", str(words), "--seed", str(seed), "--engine", engine]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, timeout=timeout, check=False)
    assert done.returncode == 0, f"status {done.returncode}: {done.stdout}"
    found = re.search(r"total=(\d+)", done.stdout)
    assert found is not None
    assert int(found[1]) == words
    for outcome in ("illegal instruction", "privilege violation", "line-A", "line-F", "no exception"):
        assert outcome in done.stdout  # the words do reach what they are meant for


@pytest.mark.parametrize("engine", ["native", "public"])
def test_random_words(engine: str) -> None:
    fuzz({"native": 60_000, "public": 5_000}[engine], 1, engine, 300)


@pytest.mark.slow
def test_more_random_words() -> None:
    fuzz(200_000, 2, "native", 600)  # make conformance runs ten million
