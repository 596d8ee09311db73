"""Runs in other processes: one record each, whatever becomes of the run or of the process."""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from emu.errors import UsageError
from kernel_model import session
from kernel_model.sweeps import run as run_module
from kernel_model.sweeps import workers
from kernel_model.sweeps.plan import read_sweep
from kernel_model.sweeps.run import Environment, Record, Run, Status, execute
from kernel_model.sweeps.workers import run_locally, run_on_cluster
from tests.support.sweeps import write_sweep


def nothing() -> None:
    """No display to refresh."""


@pytest.fixture
def runs(tmp_path: Path) -> list[Run]:
    return read_sweep(write_sweep(tmp_path))


def by_name(records: list[Record]) -> dict[str, Record]:
    found = {record.run.name: record for record in records}
    assert len(found) == len(records)
    return found


def test_processes_give_what_this_process_gives(runs: list[Run]) -> None:
    assert by_name(list(run_locally(runs, 2, nothing))) == {run.name: execute(run) for run in runs}


def test_a_guest_that_cannot_go_on_is_a_record(runs: list[Run], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "INSTRUCTION_BUDGET", 1000)  # which workers inherit
    records = list(run_locally(runs, 2, nothing))

    assert {record.status for record in records} == {Status.FAILED, Status.REFUSED}
    (refused,) = [record for record in records if record.status is Status.REFUSED]
    assert (refused.row.strategy, refused.row.mapping) == ("grow", "acr")
    for record in records:
        if record is not refused:
            assert "instruction budget used up" in str(record.error)
            assert record.row.cycles is None
            assert record.row.firmware == record.run.firmware is not None


@pytest.mark.parametrize(
    ("error", "status", "text"),
    [
        (ZeroDivisionError("a defect"), Status.FAILED, "ZeroDivisionError: a defect"),
        (MemoryError(), Status.LOST, "out of memory"),
    ],
)
def test_a_defect_and_want_of_memory_are_records(
    runs: list[Run], monkeypatch: pytest.MonkeyPatch, error: Exception, status: Status, text: str
) -> None:
    def broken(job: object) -> None:
        raise error

    monkeypatch.setattr(run_module, "run_row", broken)
    record = execute(runs[0])

    assert (record.status, record.error) == (status, text)


def test_a_worker_with_other_sources_computes_nothing(runs: list[Run]) -> None:
    other = Environment(versions={"cfemu": "0"}, code="0")
    record = execute(Run(inputs=runs[0].inputs, environment=other, firmware=runs[0].firmware))

    assert record.status is Status.LOST
    assert "other sources or versions" in str(record.error)


def deadly(victim: str, times: Path) -> Callable[[Run], Record]:
    """``execute``, but for one run, which kills the process that computes it."""

    def run(which: Run) -> Record:
        if which.name == victim:
            with times.open("a") as file:
                file.write("died\n")
            os.kill(os.getpid(), signal.SIGKILL)
        return execute(which)

    return run


def test_a_run_that_kills_its_process_is_lost_and_its_neighbours_are_not(
    runs: list[Run], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    times = tmp_path / "times"
    # Under the name of the real one, because what a pool runs is found by its name.
    fake = deadly(runs[1].name, times)
    fake.__module__, fake.__qualname__ = workers.__name__, "execute"
    monkeypatch.setattr(workers, "execute", fake)
    records = by_name(list(run_locally(runs, 2, nothing)))

    assert [records[run.name].status for run in runs] == [Status.DONE, Status.LOST, Status.REFUSED, Status.DONE]
    assert "died" in str(records[runs[1].name].error)
    assert times.read_text() == "died\n" * 2  # beside others, and alone


def test_a_cluster_gives_what_this_process_gives(runs: list[Run]) -> None:
    distributed = pytest.importorskip("distributed", reason="cfemu[cluster] is not installed")
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None, scheduler_port=0
    ) as cluster:
        records = list(run_on_cluster(runs, cluster.scheduler_address, nothing))

    assert by_name(records) == {run.name: execute(run) for run in runs}


def test_without_dask_the_extra_is_named(runs: list[Run], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)

    with pytest.raises(UsageError, match=r"install cfemu\[cluster\]"):
        list(run_on_cluster(runs, "tcp://127.0.0.1:1", nothing))
