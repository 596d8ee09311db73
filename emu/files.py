"""Files that a command writes: checked before it begins, and written as a whole or not at all."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from emu.errors import UsageError

__all__ = ["check_output", "whole_file", "why"]


def check_output(target: Path, *sources: Path | None) -> None:
    """UsageError when no file can be written there: it is one of those that are read, or no regular file."""
    for source in sources:
        if source is not None and source.exists() and target.exists() and source.samefile(target):
            raise UsageError(f"{target}: it is read, too; name another file to write")
    if target.is_dir():
        raise UsageError(f"{target}: is a directory")
    if target.exists() and not target.is_file():
        raise UsageError(f"{target}: a device or a pipe, not a file; name another one to write")
    if not target.parent.is_dir():
        raise UsageError(f"{target}: there is no directory {target.parent}")


@contextmanager
def whole_file(target: Path) -> Iterator[Path]:
    """Where to write, so that ``target`` is there as a whole, and on the disk, or as it was. A link stays a link.

    UsageError, naming ``target``, where that cannot be written.
    """
    check_output(target)
    real = Path(os.path.realpath(target))
    part = real.with_name(f"{real.name}.{os.getpid()}.part")  # two processes may write one file at a time
    try:
        try:
            yield part
            if real.exists():
                part.chmod(stat.S_IMODE(real.stat().st_mode))
            _sync(part)
            part.replace(real)
            _sync(real.parent)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        if error.filename is not None and str(error.filename) != str(part):
            raise  # of another file
        raise UsageError(f"{target}: {why(error)}") from error


def why(error: OSError) -> str:
    """The reason, without number and file."""
    return (error.strerror or str(error)).lower()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
