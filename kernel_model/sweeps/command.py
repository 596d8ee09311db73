"""``cfemu sweep``: make what is missing of a sweep's rows; ``cfemu rerun``: make rows again from what they say."""

import random
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emu.errors import UsageError
from emu.files import check_output
from kernel_model.sweeps.columns import PROVENANCE, inputs_of, plugins_of, table_of
from kernel_model.sweeps.plan import plan_run, read_sweep
from kernel_model.sweeps.run import Status, execute
from kernel_model.sweeps.store import open_store, read_rows
from kernel_model.sweeps.workers import run_locally, run_on_cluster

__all__ = ["Difference", "Rerun", "Summary", "rerun", "sweep"]


@dataclass(frozen=True)
class Summary:
    """What a sweep's table holds now. ``new``: rows that this call has added."""

    total: int
    new: int
    statuses: dict[Status, int]
    interrupted: bool

    def __str__(self) -> str:
        there = sum(self.statuses.values())
        parts = [f"{count} {status.value}" for status, count in self.statuses.items() if count]
        return f"{there} of {self.total} runs ({', '.join(parts) or 'none'}), {self.new} of them new"


def sweep(
    file: Path | Mapping[str, Any],
    out: Path,
    *,
    workers: int | None = None,
    fresh: bool = False,
    cluster: str | None = None,
) -> Summary:
    """Run what is not finished yet and write the table. UsageError for bad input; Ctrl-C ends it without loss."""
    check_output(out, file if isinstance(file, Path) else None)
    plan = read_sweep(file)
    with open_store(out, fresh=fresh) as store:
        finished = store.finished()
        strangers = len(finished.keys() - {run.name for run in plan})
        if strangers:
            raise UsageError(
                f"{out}: holds {strangers} runs that are not of this sweep (of another file, or of another version of"
                " cfemu); name another file, or throw them away with --fresh"
            )
        missing = [run for run in plan if finished.get(run.name, Status.LOST) is Status.LOST]
        interrupted = False
        try:
            with _Progress(len(plan), len(plan) - len(missing)) as progress:
                if missing:
                    records = (
                        run_on_cluster(missing, cluster, progress.refresh)
                        if cluster is not None
                        else run_locally(missing, workers, progress.refresh)
                    )
                    with closing(records):  # which ends the workers
                        for record in records:
                            store.keep(record)
                            progress.step(f"{record.row.strategy} {record.row.mapping}")
        except KeyboardInterrupt:
            interrupted = True
        finally:
            store.close(plan)
        now = store.finished()
    statuses = Counter(now.values())
    new = sum(status is not finished.get(name) for name, status in now.items())
    return Summary(len(plan), new, {status: statuses[status] for status in Status}, interrupted)


class _Progress:
    """A bar on stderr; silent when that is not a terminal. It is drawn by this thread alone, because workers fork."""

    def __init__(self, total: int, done: int) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
        from rich.progress import TimeRemainingColumn as Remaining

        columns = (
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            Remaining(),
            TextColumn("{task.description}"),
        )
        self._bar = Progress(
            *columns,
            console=Console(stderr=True),
            disable=not sys.stderr.isatty(),
            auto_refresh=False,
            transient=True,
        )
        self._task = self._bar.add_task("starting", total=total, completed=done)

    def __enter__(self) -> "_Progress":
        self._bar.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._bar.stop()

    def step(self, what: str) -> None:
        """One more run is finished."""
        self._bar.update(self._task, advance=1, description=what)

    def refresh(self) -> None:
        """Time has passed."""
        self._bar.refresh()


@dataclass(frozen=True)
class Difference:
    """One figure that is not what it was."""

    name: str
    was: Any
    now: Any

    def __str__(self) -> str:
        return f"{self.name}: {self.was} -> {self.now}"


@dataclass(frozen=True)
class Rerun:
    """A row, made again."""

    number: int
    strategy: str
    mapping: str
    compared: int
    differences: list[Difference]


def rerun(path: Path, rows: list[int], choose: int = 0, seed: int = 1, engine: str | None = None) -> Iterator[Rerun]:
    """Make rows of a table again, by number from 0 and ``choose`` more at random, and compare every figure.

    ``engine``: another one than the row's; figures are the same in all.
    """
    table = read_rows(path)
    for number in rows:
        if not 0 <= number < table.num_rows:
            raise UsageError(f"--row {number}: {path} has rows 0 to {table.num_rows - 1}")
    if choose > table.num_rows:
        raise UsageError(f"--random {choose}: {path} has {table.num_rows} rows")
    for number in [*rows, *random.Random(seed).sample(range(table.num_rows), choose)]:
        (was,) = table.slice(number, 1).to_pylist()
        plugins_of(was, f"{path}: row {number}")
        inputs = inputs_of({**was, "engine": engine or was["engine"]})
        (now,) = table_of([execute(plan_run(inputs))]).to_pylist()
        ignored = PROVENANCE | ({"engine"} if engine else set())
        names = [name for name in now if name not in ignored]
        pairs = [pair for name in names for pair in _figures(name, was.get(name), now[name])]
        different = [Difference(*pair) for pair in pairs if pair[1] != pair[2]]
        yield Rerun(number, was["strategy"], was["mapping"], len(pairs), different)


def _figures(name: str, was: Any, now: Any) -> Iterator[tuple[str, Any, Any]]:
    """Every figure in two values of one column: what is in structs and maps has a path."""
    was, now = _as_table(was), _as_table(now)
    if isinstance(was, dict) or isinstance(now, dict):
        for key in sorted((was or {}).keys() | (now or {}).keys()):
            yield from _figures(f"{name}.{key}", (was or {}).get(key), (now or {}).get(key))
    else:
        yield name, was, now


def _as_table(value: Any) -> Any:
    """Arrow gives a map as a list of pairs."""
    is_map = isinstance(value, list) and value and all(isinstance(item, tuple) for item in value)
    return dict(value) if is_map else value
