"""Where a sweep's rows are kept: a Parquet file, and beside it, while the sweep is not finished, a file for each run.

A run that is finished is one file in ``ROWS.parquet.runs/``, on the disk before the next one is asked for: written
under another name, synced, renamed. At the end all of them become the Parquet file, in the order of the sweep, in the
same way; only then they go. So whenever the process is killed, every finished run is in one place or the other.
"""

import fcntl
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from emu.errors import UsageError
from emu.files import check_output, whole_file
from kernel_model.sweeps.columns import FORMAT, schema, table_of
from kernel_model.sweeps.run import Record, Run, Status

__all__ = ["Store", "open_store", "read_rows"]

OF_A_RUN = re.compile(r"[0-9a-f]{64}\.json(\..*)?")  # a record, or what is left of one


@contextmanager
def open_store(path: Path, *, fresh: bool) -> Iterator["Store"]:
    """The rows that are to become ``path``, of this process alone. ``fresh``: begin with none.

    UsageError where the file cannot be written, another process is at it, or it holds something else.
    """
    check_output(path)
    directory = path.with_name(path.name + ".runs")
    directory.mkdir(exist_ok=True)
    # A lock of the process, which its children do not inherit: workers that outlive it for a moment hold nothing.
    with (directory / "lock").open("w") as lock:
        try:
            fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UsageError(f"{path}: another sweep is writing it") from None
        try:
            yield Store(path, directory, fresh=fresh)
        finally:
            if not _journal(directory):
                (directory / "lock").unlink(missing_ok=True)
                with suppress(OSError):  # there is something else in it
                    directory.rmdir()


class Store:
    """Finished runs by name."""

    def __init__(self, path: Path, directory: Path, *, fresh: bool) -> None:
        self._path, self._directory = path, directory
        self._table = read_rows(path) if path.exists() else schema().empty_table()  # nobody else's file is replaced
        if fresh:
            for file in _journal(directory):
                file.unlink()
            path.unlink(missing_ok=True)
            self._table = schema().empty_table()
        self._records: dict[str, Record] = {}
        self._read_journal()

    def finished(self) -> dict[str, Status]:
        """What became of the runs that are there."""
        table = dict(zip(self._table["run"].to_pylist(), map(Status, self._table["status"].to_pylist())))
        return table | {name: record.status for name, record in self._records.items()}

    def _read_journal(self) -> None:
        """Records that are on the disk and not known yet."""
        for file in _journal(self._directory):
            record = None if file.stem in self._records else _read_record(file)
            if record is not None:
                self._records[file.stem] = record

    def keep(self, record: Record) -> None:
        """A run is finished, and on the disk when this returns."""
        name = record.run.name
        _write(self._directory / f"{name}.json", msgspec.json.encode(record))
        self._records[name] = record

    def close(self, order: list[Run]) -> None:
        """Write the Parquet file: the runs of ``order`` that are finished, in that order."""
        self._read_journal()  # Ctrl-C may have come between the file and its entry here
        rows = pa.concat_tables([self._table, table_of(list(self._records.values()))])
        if rows.num_rows == 0:
            return
        place = {name: index for index, name in enumerate(rows["run"].to_pylist())}  # of two, the later
        chosen = [place[run.name] for run in order if run.name in place]
        rows = rows.take(pa.array(chosen, pa.int64())).combine_chunks()
        rows = rows.cast(schema())  # without what reading has added to it: the same rows are the same bytes
        sink = pa.BufferOutputStream()
        pq.write_table(rows, sink, compression="zstd")
        _write(self._path, sink.getvalue())
        for file in _journal(self._directory):
            file.unlink()


def read_rows(path: Path) -> pa.Table:
    """The table in a file that a sweep has written. UsageError for any other."""
    try:
        table = pq.read_table(pa.BufferReader(path.read_bytes()), use_threads=False)
    except OSError as error:
        raise UsageError(f"{path}: {(error.strerror or 'cannot be read').lower()}") from None
    except pa.ArrowException:
        raise UsageError(f"{path}: not a Parquet file") from None
    if (table.schema.metadata or {}).get(b"format") != FORMAT:
        raise UsageError(f"{path}: a Parquet file, but not one of `cfemu sweep`")
    return table


def _journal(directory: Path) -> list[Path]:
    """Files of finished runs, and what is left of one whose writing was cut short."""
    return sorted(path for path in directory.iterdir() if OF_A_RUN.fullmatch(path.name))


def _read_record(file: Path) -> Record | None:
    """None for a file that is not a whole record of its name: that run is made again."""
    if file.suffix == ".part":
        return None
    try:
        record = msgspec.json.decode(file.read_bytes(), type=Record)
    except msgspec.MsgspecError:
        return None
    return record if record.run.name == file.stem else None


def _write(path: Path, data: Any) -> None:
    """The whole file or nothing, and on the disk."""
    with whole_file(path) as part:
        part.write_bytes(data)
