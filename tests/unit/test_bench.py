"""The benchmarks' own book-keeping: what counts as worse, what is kept, what the document says."""

from pathlib import Path

import pytest

from benchmarks.__main__ import document
from benchmarks.counts import BASELINE
from benchmarks.figures import Figure
from benchmarks.runs import cost_of, earlier_costs, regressions, save
from emu.regression.baseline import read
from kernel_model.strategies import STRATEGIES
from kernel_model.workloads import WORKLOADS


def figures(fast: float, slow: float) -> dict[str, list[Figure]]:
    """A ratio of which more is better, one of which less is, and a time, which says nothing on another day."""
    return {"group": [Figure("fast", fast), Figure("slow", slow, less=True), Figure("time", 1.0, "s", 0.5, True)]}


@pytest.mark.parametrize(
    ("fast", "slow", "worse"),
    [
        (2.0, 3.0, []),
        (1.85, 3.2, []),  # within a tenth
        (1.7, 3.0, ["group: fast"]),
        (9.0, 3.4, ["group: slow"]),
        (1.0, 4.0, ["group: fast", "group: slow"]),
    ],
)
def test_a_ratio_may_get_worse_by_a_tenth(fast: float, slow: float, worse: list[str], tmp_path: Path) -> None:
    save(figures(0.5, 9.0), tmp_path)  # too long ago
    for noise in (1.0, 1.2, 1.0, 1.1, 1.3):  # the worst counts
        save(figures(2.0 * noise, 3.0), tmp_path)
    assert [name for name, _, _ in regressions(figures(fast, slow), earlier_costs(tmp_path))] == worse


def test_what_was_kept_comes_back(tmp_path: Path) -> None:
    save(figures(2.0, 3.0), tmp_path)
    save(figures(4.0, 3.0), tmp_path)
    assert earlier_costs(tmp_path) == {"group: fast": [0.5, 0.25], "group: slow": [3.0, 3.0]}
    assert cost_of(Figure("x", 4.0)) == 0.25


def test_without_enough_earlier_runs_nothing_is_worse(tmp_path: Path) -> None:
    save(figures(9.0, 1.0), tmp_path)
    save(figures(9.0, 1.0), tmp_path)
    assert regressions(figures(0.1, 9.0), earlier_costs(tmp_path)) == []
    assert regressions(figures(0.1, 9.0), earlier_costs(tmp_path / "none")) == []


def test_the_document_says_what_was_missed_and_what_was_not_measured() -> None:
    shown = {"engine": [Figure("mix", 0.9, goal=1.0, note="slow today"), Figure("alu", 2.0)]}
    text = document({"processor": "a fast one"}, None, shown, {"linux": "there is no QEMU"})
    assert "| processor | a fast one |" in text
    assert "| mix | 0.90 | at least 1.00 (missed) | slow today |" in text
    assert "| alu | 2.00 |  |  |" in text
    assert "Not measured: there is no QEMU." in text


def test_the_accepted_counts_are_of_every_workload_and_strategy() -> None:
    accepted = read(BASELINE)
    assert {name.split("/")[0] for name in accepted} == set(STRATEGIES)
    assert {name.split(": ")[1] for name in accepted} == set(WORKLOADS)
    assert sum(entry.totals["dtlb"] for entry in accepted.values()) > 1_000_000
