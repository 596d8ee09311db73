"""Earlier runs of the benchmarks on this machine, in pytest-benchmark's storage (``.benchmarks``), to compare with.

A ratio is stored as a cost, so that less is better as with times: `pytest-benchmark compare` shows them.
"""

import datetime as dt
import json
import logging
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.figures import Figure

__all__ = ["ALLOWED", "STORAGE", "Regression", "cost_of", "earlier_costs", "regressions", "save"]

STORAGE = Path(__file__).resolve().parents[1] / ".benchmarks"
ALLOWED = 1.10  # of what a ratio cost before
COMPARED, ENOUGH = 5, 3  # earlier runs at most, and at least

Regression = tuple[str, float, float]  # name, cost before, cost now


def storage(path: Path) -> Any:
    from pytest_benchmark import utils
    from pytest_benchmark.storage import file

    machine = utils.get_machine_id()  # type: ignore[no-untyped-call]
    return file.FileStorage(str(path), logging.getLogger(__name__), machine)  # type: ignore[no-untyped-call]


def cost_of(figure: Figure) -> float:
    """Less is better."""
    return figure.value if figure.less else 1 / figure.value


def earlier_costs(path: Path = STORAGE) -> dict[str, list[float]]:
    """Costs of each ratio in the latest runs on this machine, by name."""
    found: dict[str, list[float]] = {}
    for _, run in list(storage(path).load())[-COMPARED:]:
        for benchmark in run["benchmarks"]:
            found.setdefault(benchmark["fullname"], []).append(benchmark["stats"]["median"])
    return found


def regressions(figures: Mapping[str, Sequence[Figure]], earlier: dict[str, list[float]]) -> list[Regression]:
    """Ratios that cost more than a tenth more than in the worst of the earlier runs: the machines are shared, so that
    one or two runs say little."""
    found = []
    for name, cost in named_costs(figures).items():
        before = earlier.get(name, [])
        if len(before) >= ENOUGH and cost > ALLOWED * max(before):
            found.append((name, max(before), cost))
    return found


def named_costs(figures: Mapping[str, Sequence[Figure]]) -> dict[str, float]:
    """Costs of the ratios by group and name."""
    return {
        f"{group}: {figure.what}": cost_of(figure)
        for group, members in figures.items()
        for figure in members
        if figure.unit == "x"
    }


def save(figures: Mapping[str, Sequence[Figure]], path: Path = STORAGE) -> None:
    """Keep this run."""
    from pytest_benchmark import utils

    commit: dict[str, Any] = utils.get_commit_info()  # type: ignore[no-untyped-call]
    run = {
        "version": "5.0.0",
        "datetime": dt.datetime.now(dt.UTC).isoformat(),
        "machine_info": {"node": platform.node(), "python_version": platform.python_version()},
        "commit_info": commit,
        "benchmarks": [benchmark(name, cost) for name, cost in named_costs(figures).items()],
    }
    storage(path).save(json.loads(json.dumps(run)), str(commit.get("id", "unversioned"))[:12])


def benchmark(name: str, cost: float) -> dict[str, Any]:
    """One entry as pytest-benchmark has it: a single round."""
    same = ("min", "max", "mean", "median", "q1", "q3", "total", "ld15iqr", "hd15iqr")
    stats: dict[str, Any] = dict.fromkeys(same, cost) | {"rounds": 1, "iterations": 1, "ops": 1 / cost}
    stats |= dict.fromkeys(("stddev", "iqr", "stddev_outliers", "iqr_outliers"), 0) | {"outliers": "0;0"}
    found = {"group": name.partition(":")[0], "name": name, "fullname": name, "stats": stats}
    return found | {"params": None, "param": None, "extra_info": {}, "options": {}}
