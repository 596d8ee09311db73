"""``cfemu sweep``, ``query`` and ``rerun`` from the outside: interrupted, killed, resumed, asked, repeated."""

import json
import os
import random
import re
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kernel_model.sweeps.store import read_rows
from tests.support.sweeps import cfemu, command, environment, rows_of, write_sweep

# 8 runs, and 2 contradictions: on the second board the second device lies in RAM.
AXES = """
[[scenario.device]]
name = "memory"
size = "16 KB"
base = 0x90000000

[axes]
board = ["coyotos128", "coyotos128-low"]
"device[1].base" = [0x90000000, 0x00100000]
strategy = ["reserve", "grow"]
mapping = ["acr", "paged-8k"]
tlb = [16, 32]
[[exclude]]
board = "coyotos128"
"device[1].base" = 0x00100000
[[exclude]]
board = "coyotos128-low"
"device[1].base" = 0x90000000
[[exclude]]
board = "coyotos128-low"
tlb = 16
[[exclude]]
board = "coyotos128-low"
mapping = "acr"
"""
RUNS = 10


@dataclass(frozen=True)
class Undisturbed:
    """A sweep that nobody interrupted."""

    file: Path
    rows: Path
    said: str


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    directory = tmp_path_factory.mktemp("whole")
    file, rows = write_sweep(directory, AXES), directory / "rows.parquet"
    done = cfemu("sweep", file, "--out", rows, "--workers", 2)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return Undisturbed(file, rows, done.stdout)


def finished(rows: Path) -> set[str]:
    """Names of the runs that are on the disk."""
    journal = rows.with_name(rows.name + ".runs")
    names = {path.stem for path in journal.glob("*.json")} if journal.exists() else set()
    return names | (set(read_rows(rows)["run"].to_pylist()) if rows.exists() else set())


def start(whole: Undisturbed, rows: Path) -> subprocess.Popen[str]:
    """A sweep in a process group of its own."""
    return subprocess.Popen(
        command("sweep", whole.file, "--out", rows, "--workers", 2),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(), start_new_session=True,
    )  # fmt: skip


def wait_until_one_is_finished(rows: Path, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 120
    while not finished(rows) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)


def alive_in_group(group: int) -> list[str]:
    """Processes of a group that are not zombies."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, its_group = stat.read_text().rpartition(")")[2].split()[:3]
        except OSError:  # it has ended
            continue
        if int(its_group) == group and state != "Z":
            found.append(stat.parent.name)
    return found


def kill_and_resume(whole: Undisturbed, rows: Path, kills: int, seed: int) -> None:
    """Kill a sweep at random moments, then let it end; no run is lost, and the file is that of an undisturbed sweep."""
    chance = random.Random(seed)
    known: set[str] = set()
    for _ in range(kills):
        with start(whole, rows) as process:
            if chance.random() < 0.7:  # into the runs; else into start-up
                wait_until_one_is_finished(rows, process)
            time.sleep(chance.uniform(0, 1.0))
            process.kill()
        now = finished(rows)
        assert known <= now
        known = now
    done = cfemu("sweep", whole.file, "--out", rows, "--workers", 2)
    assert done.returncode == 0, done.stderr
    assert f"{RUNS - len(known)} of them new" in done.stdout
    assert rows.read_bytes() == whole.rows.read_bytes()
    assert not rows.with_name(rows.name + ".runs").exists()


def test_a_sweep_says_what_became_of_its_runs(whole: Undisturbed) -> None:
    assert whole.said == f"{whole.rows}: {RUNS} of {RUNS} runs (6 done, 2 refused, 2 failed), {RUNS} of them new\n"
    rows = rows_of(whole.rows)
    assert [(row["status"], row["strategy"], row["mapping"], row["tlb"]) for row in rows] == [
        *(("done", "reserve", mapping, tlb) for mapping in ("acr", "paged-8k") for tlb in (16, 32)),
        *(("refused", "grow", "acr", tlb) for tlb in (16, 32)),
        *(("done", "grow", "paged-8k", tlb) for tlb in (16, 32)),
        ("failed", "reserve", "paged-8k", 32),
        ("failed", "grow", "paged-8k", 32),
    ]
    for row in rows:
        assert (row["error"] is not None) == (row["status"] == "failed")
        assert (row["cycles_total"] is not None) == (row["status"] == "done")
    assert "overlaps RAM" in rows[-1]["error"]
    assert "grow extends one heap" in rows[4]["refusal"]
    sixteen, thirty_two = rows[2], rows[3]
    assert sixteen["misses_dtlb"] > thirty_two["misses_dtlb"] > 0


def test_a_finished_sweep_is_not_run_again(whole: Undisturbed) -> None:
    before = whole.rows.read_bytes()
    done = cfemu("sweep", whole.file, "--out", whole.rows)

    assert done.returncode == 0, done.stderr
    assert ", 0 of them new" in done.stdout
    assert whole.rows.read_bytes() == before


def test_a_killed_sweep_goes_on_and_gives_the_same_file(whole: Undisturbed, tmp_path: Path) -> None:
    kill_and_resume(whole, tmp_path / "rows.parquet", kills=2, seed=1)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2, 8))
def test_a_sweep_killed_many_times_gives_the_same_file(whole: Undisturbed, tmp_path: Path, seed: int) -> None:
    kill_and_resume(whole, tmp_path / "rows.parquet", kills=6, seed=seed)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_workers_end_with_a_killed_sweep(whole: Undisturbed, tmp_path: Path) -> None:
    rows = tmp_path / "rows.parquet"
    with start(whole, rows) as process:
        wait_until_one_is_finished(rows, process)
        assert len(alive_in_group(process.pid)) == 3
        process.kill()
    deadline = time.monotonic() + 30
    while alive_in_group(process.pid) and time.monotonic() < deadline:
        time.sleep(0.05)

    assert alive_in_group(process.pid) == []


def test_ctrl_c_keeps_what_was_finished(whole: Undisturbed, tmp_path: Path) -> None:
    rows = tmp_path / "rows.parquet"
    with start(whole, rows) as process:
        wait_until_one_is_finished(rows, process)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does
        said, complaint = process.communicate(timeout=60)

    assert process.returncode == 130, complaint
    assert complaint == "cfemu: interrupted; the same command goes on from here\n"
    count = int(re.findall(r": (\d+) of 10 runs", said)[0])
    assert 0 < count < RUNS
    assert len(rows_of(rows)) == count
    assert not rows.with_name(rows.name + ".runs").exists()
    assert cfemu("sweep", whole.file, "--out", rows).returncode == 0
    assert rows.read_bytes() == whole.rows.read_bytes()


def test_a_table_of_another_sweep_is_not_overwritten_unless_asked(whole: Undisturbed, tmp_path: Path) -> None:
    rows = tmp_path / "rows.parquet"
    shutil.copy(whole.rows, rows)
    other = write_sweep(tmp_path, "[axes]\nstrategy = ['slab']\nmapping = ['acr']")
    refused = cfemu("sweep", other, "--out", rows)

    assert refused.returncode == 2
    assert f"holds {RUNS} runs that are not of this sweep" in refused.stderr
    assert rows.read_bytes() == whole.rows.read_bytes()
    done = cfemu("sweep", other, "--out", rows, "--fresh")
    assert done.returncode == 0, done.stderr
    assert [row["strategy"] for row in rows_of(rows)] == ["slab"]


def test_rows_made_again_are_the_same(whole: Undisturbed) -> None:
    done = cfemu("rerun", whole.rows, "--row", RUNS - 1, "--random", 4)

    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 5
    assert all(re.fullmatch(r"row \d+ \(.*\): figures: \d{2,} same", line) for line in lines)


def test_rows_made_again_by_another_engine_are_the_same(whole: Undisturbed) -> None:
    done = cfemu("rerun", whole.rows, "--row", 2, "--engine", "public")

    assert done.returncode == 0, done.stdout + done.stderr


def test_a_figure_that_is_not_what_it_was_is_named(whole: Undisturbed, tmp_path: Path) -> None:
    table = read_rows(whole.rows)
    column = table.schema.get_field_index("misses_dtlb")
    values = table["misses_dtlb"].to_pylist()
    changed = [None if value is None else value + 1 for value in values]
    rows = tmp_path / "rows.parquet"
    pq.write_table(table.set_column(column, table.schema.field(column), pa.array(changed, pa.int64())), rows)
    done = cfemu("rerun", rows, "--row", 2)

    assert done.returncode == 1
    assert f"misses_dtlb: {values[2] + 1} -> {values[2]}" in done.stdout
    assert "figures: 1 of " in done.stdout


def test_sql_asks_the_rows(whole: Undisturbed) -> None:
    sql = (
        "SELECT strategy, tlb, workloads['ping-pong'].misses.dtlb AS dtlb, refusal FROM runs"
        " WHERE mapping = 'paged-8k' AND status = 'done' ORDER BY strategy, tlb"
    )
    as_json = cfemu("query", whole.rows, sql, "--json")
    as_table = cfemu("query", whole.rows, sql)

    assert as_json.returncode == as_table.returncode == 0, as_json.stderr + as_table.stderr
    expected = [
        {
            "strategy": row["strategy"],
            "tlb": row["tlb"],
            "dtlb": dict(row["workloads"])["ping-pong"]["misses"]["dtlb"],
            "refusal": None,
        }
        for row in rows_of(whole.rows)
        if (row["mapping"], row["status"]) == ("paged-8k", "done")
    ]
    answer = json.loads(as_json.stdout)
    assert answer == sorted(expected, key=lambda row: (row["strategy"], row["tlb"]))
    lines = as_table.stdout.splitlines()
    assert lines[0].split() == ["strategy", "tlb", "dtlb", "refusal"]
    assert [line.split() for line in lines[1:]] == [
        [row["strategy"], str(row["tlb"]), str(row["dtlb"]), "-"] for row in answer
    ]


def test_the_columns_can_be_asked_for(whole: Undisturbed) -> None:
    done = cfemu("query", whole.rows, "SELECT column_name, column_type FROM (DESCRIBE runs)", "--json")

    assert [column["column_name"] for column in json.loads(done.stdout)] == read_rows(whole.rows).column_names


def test_any_value_of_sql_is_json(whole: Undisturbed) -> None:
    sql = "SELECT 'nan'::DOUBLE AS a, 1.5 AS b, DATE '2007-08-01' AS c, INTERVAL 1 DAY AS d, [1, NULL] AS e"
    done = cfemu("query", whole.rows, sql, "--json")

    assert json.loads(done.stdout) == [{"a": None, "b": 1.5, "c": "2007-08-01", "d": "P1D", "e": [1, None]}]


def test_sql_without_an_answer_prints_nothing(whole: Undisturbed, tmp_path: Path) -> None:
    done = cfemu("query", whole.rows, f"COPY (SELECT strategy FROM runs) TO '{tmp_path / 'names.csv'}'")

    assert done.returncode == 0, done.stderr
    assert (tmp_path / "names.csv").read_text().splitlines()[:2] == ["strategy", "reserve"]


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("SELEC 1", 'syntax error at or near "SELEC" (at: SELEC 1)'),
        ("SELECT colour FROM runs", '"colour" not found'),
        ("SELECT 1 FROM sweeps", "sweeps does not exist"),
        ("SELECT CAST('x' AS INTEGER)", "Could not convert"),
    ],
)
def test_bad_sql_is_one_line(whole: Undisturbed, sql: str, message: str) -> None:
    done = cfemu("query", whole.rows, sql)

    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert message in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("sweep", "none.toml"), "none.toml: No such file"),
        (("sweep", "{bad}"), "bad.toml: axes.colour: unknown key"),
        (("sweep", "{good}", "--out", "no/such/rows.parquet"), "there is no directory no/such"),
        (("sweep", "{good}", "--out", "{bad}"), "bad.toml: not a Parquet file"),
        (("sweep", "{good}", "--workers", "0"), "--workers"),
        (("sweep", "{good}", "--workers", "2", "--cluster", "tcp://127.0.0.1:1"), "a cluster has its own"),
        (("query", "none.parquet", "SELECT 1"), "none.parquet: no such file"),
        (("query", "{bad}", "SELECT 1"), "bad.toml: not a Parquet file"),
        (("query", "{rows}", ""), "SQL: there is no question"),
        (("rerun", "{rows}"), "give --row N or --random N"),
        (("rerun", "{rows}", "--row", "10"), "--row 10: "),
        (("rerun", "{rows}", "--random", "11"), "--random 11: "),
    ],
)
def test_bad_input_is_one_line(whole: Undisturbed, tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    bad = tmp_path / "bad.toml"
    bad.write_text("[axes]\ncolour = [1]")
    names = {"bad": bad, "good": whole.file, "rows": whole.rows}
    done = cfemu(*(argument.format(**names) for argument in arguments))

    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert message in done.stderr
    assert bad.read_text() == "[axes]\ncolour = [1]"
    assert [path.name for path in tmp_path.iterdir()] == ["bad.toml"]


@pytest.mark.slow
def test_ten_random_rows_of_all_strategies_mappings_and_levels_made_again(tmp_path: Path) -> None:
    rows = tmp_path / "rows.parquet"
    file = write_sweep(tmp_path, "[axes]\ntiming = ['flat', 'pipeline', 'full']")
    swept = cfemu("sweep", file, "--out", rows)
    again = cfemu("rerun", rows, "--random", 10, "--seed", 3)

    assert swept.returncode == again.returncode == 0, swept.stderr + again.stdout + again.stderr
    assert "120 of 120 runs" in swept.stdout
    assert again.stdout.count(" same\n") == 10
    done = [row for row in rows_of(rows) if row["status"] == "done"]
    misses: dict[tuple[str, str], set[int]] = {}
    for row in done:
        misses.setdefault((row["strategy"], row["mapping"]), set()).add(row["misses_dtlb"])
    assert len(done) == 3 * len(misses) > 60
    assert all(len(counts) == 1 for counts in misses.values())  # no level of time changes a miss


@pytest.mark.slow
def test_a_cluster_gives_the_same_file(whole: Undisturbed, tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed", reason="cfemu[cluster] is not installed")
    rows = tmp_path / "rows.parquet"
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, scheduler_port=0) as local:
        done = cfemu("sweep", whole.file, "--out", rows, "--cluster", local.scheduler_address)

    assert done.returncode == 0, done.stderr
    assert rows.read_bytes() == whole.rows.read_bytes()


@pytest.mark.slow
def test_a_cluster_that_is_not_there_is_one_line(whole: Undisturbed, tmp_path: Path) -> None:
    pytest.importorskip("distributed", reason="cfemu[cluster] is not installed")
    rows = tmp_path / "rows.parquet"
    done = cfemu("sweep", whole.file, "--out", rows, "--cluster", "tcp://127.0.0.1:1")

    assert done.returncode == 2
    assert done.stderr == "cfemu: --cluster tcp://127.0.0.1:1: no scheduler answers there (OSError)\n"
    assert not rows.exists()


def test_json_has_no_two_columns_of_one_name(whole: Undisturbed) -> None:
    sql = "SELECT a.strategy, b.strategy FROM runs a, runs b LIMIT 1"
    assert cfemu("query", whole.rows, sql).stdout.split()[:2] == ["strategy", "strategy"]
    done = cfemu("query", whole.rows, sql, "--json")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "cfemu: SQL: --json: several columns are called strategy; rename them with AS\n"
    done = cfemu("query", whole.rows, sql.replace("b.strategy", "b.strategy AS other"), "--json")
    assert [set(row) for row in json.loads(done.stdout)] == [{"strategy", "other"}]


def test_fresh_throws_away_the_rows_of_another_sweep_only(whole: Undisturbed, tmp_path: Path) -> None:
    rows = tmp_path / "rows.parquet"
    shutil.copy(whole.rows, rows)
    one = write_sweep(tmp_path, '[axes]\nstrategy = ["grow"]\nmapping = ["paged-8k"]\n')
    page = tmp_path / "page.html"
    assert "not of this sweep" in cfemu("sweep", one, "--out", rows).stderr
    assert cfemu("sweep", one, "--out", rows, "--fresh").returncode == 0
    assert len(rows_of(rows)) == 1
    kept = tmp_path / "page.rows" / "small.parquet"
    kept.parent.mkdir()
    shutil.copy(whole.rows, kept)
    assert "throw them away with --fresh" in cfemu("report", one, "--out", page).stderr
    assert cfemu("report", one, "--out", page, "--fresh").returncode == 0
    assert len(rows_of(kept)) == 1
