"""Rows on disk: columns that cannot collide, nothing lost between a run and its row, no half of a row."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from emu.errors import UsageError
from kernel_model.sweeps import store as store_module
from kernel_model.sweeps.columns import inputs_of, schema, table_of
from kernel_model.sweeps.plan import read_sweep
from kernel_model.sweeps.run import Record, Run, Status, execute, failed, lost
from kernel_model.sweeps.store import open_store, read_rows
from tests.support.sweeps import environment, write_sweep

WAIT_WITH_LOCK = """
import sys
from pathlib import Path
from kernel_model.sweeps.store import open_store
with open_store(Path(sys.argv[1]), fresh=False):
    print("locked", flush=True)
    sys.stdin.read()
"""


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    return read_sweep(write_sweep(tmp_path_factory.mktemp("plan")))


@pytest.fixture(scope="module")
def done(runs: list[Run]) -> Record:
    return execute(runs[0])


def test_every_column_has_a_name_of_its_own() -> None:
    names = Counter(schema().names)

    assert [name for name, count in names.items() if count > 1] == []
    assert all(name.isidentifier() for name in names)


def test_a_row_holds_every_figure_and_all_inputs(done: Record) -> None:
    (row,) = table_of([done]).to_pylist()

    assert row["status"] == "done"
    assert done.row.cycles is not None
    assert done.row.heap is not None
    assert row["cycles_bill_handler"] == done.row.cycles.bill.handler
    assert row["unplugged_headers_leaked"] == 0
    assert row["heap_direct_mapped"] == done.row.heap.direct_mapped
    assert row["reserve_device"] == 160 << 20
    assert row["workload_run"] == ["boot", "ping-pong"]
    assert row["devices"] == [
        {
            "name": "card",
            "size": row["device_bytes"],
            "arrival": "configuration",
            "base": None,
            "memory": False,
            "departure": "never",
        }
    ]
    workloads = dict(row["workloads"])
    assert done.row.workloads is not None
    assert workloads["ping-pong"]["misses"]["dtlb"] == done.row.workloads["ping-pong"].misses.dtlb
    operations = dict(workloads["ping-pong"]["operations"])
    assert operations["ipc"]["count"] == done.row.workloads["ping-pong"].operations["ipc"].count > 0
    assert inputs_of(row) == done.run.inputs


def test_the_order_of_the_table_is_that_of_the_sweep_not_of_the_finish(tmp_path: Path, runs: list[Run]) -> None:
    out = tmp_path / "rows.parquet"
    with open_store(out, fresh=False) as store:
        for run in reversed(runs):
            store.keep(failed(run, "a test"))
        store.close(runs)

    assert read_rows(out)["run"].to_pylist() == [run.name for run in runs]
    assert [path.name for path in tmp_path.iterdir()] == ["rows.parquet"]


def test_rows_come_from_the_table_and_from_the_journal(tmp_path: Path, runs: list[Run], done: Record) -> None:
    out = tmp_path / "rows.parquet"
    with open_store(out, fresh=False) as store:
        store.keep(done)
        store.keep(lost(runs[1], "a test"))
        store.close(runs)
    with open_store(out, fresh=False) as store:  # as if it was killed before it could close
        store.keep(failed(runs[1], "another test"))
        store.keep(failed(runs[2], "a third"))

    with open_store(out, fresh=False) as store:
        assert store.finished() == {
            runs[0].name: Status.DONE,
            runs[1].name: Status.FAILED,
            runs[2].name: Status.FAILED,
        }
        store.close(runs)
    assert read_rows(out)["error"].to_pylist() == [None, "another test", "a third"]


def test_what_is_half_written_is_no_row(tmp_path: Path, runs: list[Run], done: Record) -> None:
    out = tmp_path / "rows.parquet"
    with open_store(out, fresh=False) as store:
        store.keep(done)
    journal = tmp_path / "rows.parquet.runs"
    (whole,) = journal.glob("*.json")
    data = whole.read_bytes()
    (journal / f"{runs[1].name}.json").write_bytes(data[: len(data) // 2])
    (journal / f"{runs[2].name}.json").write_bytes(data)  # of another run
    (journal / f"{runs[3].name}.json.part").write_bytes(data)

    with open_store(out, fresh=False) as store:
        assert list(store.finished()) == [done.run.name]
        store.close(runs)
    assert read_rows(out).num_rows == 1
    assert not journal.exists()


def test_a_run_interrupted_while_it_was_kept_is_kept(
    tmp_path: Path, runs: list[Run], done: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "rows.parquet"
    write = store_module._write

    def write_and_be_interrupted(path: Path, data: object) -> None:
        write(path, data)
        raise KeyboardInterrupt

    with open_store(out, fresh=False) as store:
        monkeypatch.setattr(store_module, "_write", write_and_be_interrupted)
        with pytest.raises(KeyboardInterrupt):
            store.keep(done)
        monkeypatch.undo()
        store.close(runs)

    assert read_rows(out)["run"].to_pylist() == [done.run.name]


def test_fresh_begins_with_nothing(tmp_path: Path, runs: list[Run], done: Record) -> None:
    out = tmp_path / "rows.parquet"
    with open_store(out, fresh=False) as store:
        store.keep(done)
        store.close(runs)
    with open_store(out, fresh=False) as store:
        store.keep(failed(runs[1], "a test"))
    with open_store(out, fresh=True) as store:
        assert store.finished() == {}


def test_two_sweeps_do_not_share_a_file(tmp_path: Path) -> None:
    out = tmp_path / "rows.parquet"
    with subprocess.Popen(
        [sys.executable, "-c", WAIT_WITH_LOCK, str(out)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment(),
    ) as other:  # fmt: skip
        assert other.stdout is not None
        assert other.stdout.readline() == "locked\n"
        with pytest.raises(UsageError, match="another sweep is writing it"), open_store(out, fresh=False):
            pass
        other.communicate("")
    with open_store(out, fresh=False):
        pass


def test_other_files_are_refused(tmp_path: Path) -> None:
    text, table = tmp_path / "text.parquet", tmp_path / "table.parquet"
    text.write_text("not a table")
    pq.write_table(pa.table({"run": ["a"]}), table)

    for path, why in (
        (text, "not a Parquet file"),
        (table, "not one of `cfemu sweep`"),
        (tmp_path / "none.parquet", "no such file"),
    ):
        with pytest.raises(UsageError, match=why):
            read_rows(path)
    with pytest.raises(UsageError, match="is a directory"), open_store(tmp_path, fresh=False):
        pass
    with pytest.raises(UsageError, match="there is no directory"), open_store(tmp_path / "no" / "rows", fresh=False):
        pass


def test_a_record_survives_json(done: Record) -> None:
    assert msgspec.json.decode(msgspec.json.encode(done), type=Record) == done
