"""The trace file: frames, each with its length and checksum, so that a cut file is readable up to the cut.

::

    file    = magic, HEAD, (EVNT | NAME)*, DONE
    frame   = tag (4 bytes), length of the payload (u32), CRC-32 of tag and payload (u32), payload; little-endian
    HEAD    = zstd of a JSON object: :class:`Header`
    NAME    = zstd of a JSON object: :class:`Names`, which replaces the one before
    EVNT    = number of events (u32), instructions and cycles before them (u64 each), zstd of the three columns
    DONE    = zstd of a JSON object: :class:`Totals`; only a recording that was ended in order has it

The columns of a chunk are sorted by code (stably: the codes themselves tell the order back), then ``a`` is replaced by
its differences and ``a`` and ``b`` are stored byte plane by byte plane. So one stream of addresses stands together, the
upper planes are mostly zero. zstd because at the same size it writes 4 to 8 times and reads 5 to 8 times as fast as
zlib, which would take longer than the replay.

Reading keeps one chunk in memory, writing three.
"""

import errno
import fcntl
import io
import struct
import zlib
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, TypeVar

import msgspec
import numpy as np
import numpy.typing as npt
import zstandard

from emu.errors import UsageError
from emu.mmu.state import MMU_DTYPE, POLICIES, new_mmu
from emu.trace.events import ASIDE, MISSED, REFUSED, STAMP, Events, concatenate

__all__ = [
    "CHUNK_EVENTS",
    "Chunk",
    "Firmware",
    "Header",
    "MmuSetup",
    "Names",
    "Totals",
    "Trace",
    "TraceError",
    "TraceWriter",
    "check_events",
    "lock",
    "snapshot",
]

MAGIC = b"CFTRACE\n"
VERSION = 1
CHUNK_EVENTS = 1 << 16  # a chunk is at most so long
_FRAME = struct.Struct("<4sII")
_CHUNK = struct.Struct("<IQQ")
_BYTES_PER_EVENT = 9
_MAX_CHUNK = _CHUNK.size + CHUNK_EVENTS * 10  # what does not compress grows by less than a tenth
_LEVEL = 1
_MAX_JSON = 16 << 20  # unpacked; the symbols of a Linux take 3 MB
# Derived from the configuration, so new_mmu makes them again.
_DERIVED = ("path_keep", "path_mark", "entries", "tree", "dtlb_base", "policy", "seed", "cas_uses_mmutr")
_STATE_FIELDS = tuple(name for name in MMU_DTYPE.names or () if name not in _DERIVED)

T = TypeVar("T", bound=msgspec.Struct)


class TraceError(UsageError):
    """The file is no trace that can be read; ``str()`` is one line that starts with the path."""

    def __init__(self, path: str | Path, why: str) -> None:
        super().__init__(f"{path}: {why}")
        self.path = Path(path)
        self.why = why


class MmuSetup(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Configuration of the recorded MMU, as for :func:`emu.mmu.state.new_mmu`, and its state when recording began."""

    itlb_entries: int = 32
    dtlb_entries: int = 32
    policy: str = "plru"
    cas_uses_mmutr: bool = False
    seed: int = 0
    state: dict[str, list[int]] = {}  # empty: as after reset

    def build(self) -> npt.NDArray[Any]:
        """The MMU at the start of the trace; ValueError if this describes none."""
        if self.policy not in POLICIES:
            raise ValueError(f"unknown policy {self.policy!r}")
        mmu = new_mmu(self.itlb_entries, self.dtlb_entries, POLICIES[self.policy], self.cas_uses_mmutr, self.seed)
        for name, values in self.state.items():
            field = mmu[0][name] if name in _STATE_FIELDS else None
            if field is None or field.size != len(values) or not all(0 <= v < 1 << 62 for v in values):
                raise ValueError(f"MMU state {name!r} is none of this version")
            mmu[name][0] = np.array(values, np.int64).reshape(field.shape)
        return mmu


def snapshot(mmu: npt.NDArray[Any]) -> dict[str, list[int]]:
    """The state of an MMU for :attr:`MmuSetup.state`."""
    return {name: np.ravel(mmu[0][name]).tolist() for name in _STATE_FIELDS}


class Firmware(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file that was loaded into the recorded machine."""

    name: str
    sha256: str


class Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What was recorded. ``mmu`` is None for a foreign trace: references without any MMU event."""

    source: str
    board: str = ""
    mmu: MmuSetup | None = None
    firmware: tuple[Firmware, ...] = ()
    regions: tuple[tuple[str, int, int], ...] = ()  # name, VA from, VA to (exclusive); the first that matches
    symbols: tuple[tuple[int, str, int], ...] = ()  # address, name, size (0 = unknown); ascending
    clock_hz: int = 0
    page_size: int = 4096  # of a foreign trace, where a replay names none
    version: int = VERSION


class Names(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What became known while recording."""

    phases: tuple[str, ...] = ()
    regions: tuple[tuple[str, int, int], ...] = ()  # instead of the header's, where some were named later
    processes: dict[int, str] = {}  # by ASID
    # Foreign addresses are wider than 32 bits: (VA, address in the foreign trace) of each 1-MB area that occurs.
    areas: tuple[tuple[int, int], ...] = ()


class Totals(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a whole recording holds; references are completed ones, ``counters`` is the recorder's own account."""

    events: int
    references: int
    itlb_misses: int
    dtlb_misses: int
    instructions: int
    cycles: int
    counters: dict[str, int] = {}


@dataclass(frozen=True)
class Chunk:
    """Consecutive events and the time at which they begin."""

    events: Events
    instructions: int
    cycles: int


def _deflate(data: Any) -> bytes:
    packed: bytes = zstandard.ZstdCompressor(_LEVEL).compress(data)
    return packed


def _pack(value: msgspec.Struct) -> bytes:
    return _deflate(msgspec.json.encode(value))


def _inflate(data: bytes, most: int) -> bytes:
    """Raises ValueError for what is not zstd of at most ``most`` bytes."""
    try:
        size = zstandard.frame_content_size(data)
        if not 0 <= size <= most:
            raise ValueError("a frame has the wrong size")
        found: bytes = zstandard.ZstdDecompressor().decompress(data, max_output_size=most, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise ValueError(str(error)) from None
    return found


def _encode(chunk: Events) -> bytes:
    from emu.trace import columns  # compiled, which not every use of a file needs

    return _deflate(columns.pack(chunk).data)


def _decode(data: bytes, count: int) -> Events:
    """Raises ValueError for anything that :func:`_encode` has not written."""
    from emu.trace import columns

    packed = _inflate(data, count * _BYTES_PER_EVENT)
    if len(packed) != count * _BYTES_PER_EVENT:
        raise ValueError("a chunk of events has the wrong size")
    found = columns.unpack(np.frombuffer(packed, np.uint8))
    check_events(found)
    return found


def check_events(chunk: Events) -> None:
    """Raises ValueError for what no machine can do."""
    from emu.trace import columns

    if fault := columns.check(*chunk):
        raise ValueError(columns.FAULTS[fault])


def _framed(tag: bytes, payload: bytes) -> bytes:
    return _FRAME.pack(tag, len(payload), zlib.crc32(payload, zlib.crc32(tag))) + payload


def _open_alone(path: Path) -> BinaryIO:
    """A new file that is this writer's until it is closed. BlockingIOError while it is another's."""
    file = path.open("ab")  # which does not harm what is there
    try:
        lock(file)
        file.truncate(0)
    except BaseException:
        file.close()
        raise
    return file


def lock(file: BinaryIO) -> None:
    """BlockingIOError for a trace that is being written."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise BlockingIOError(errno.EWOULDBLOCK, "another process is writing it", file.name) from None
    except OSError:  # this file system has no locks
        return


class TraceWriter:
    """Writes a trace as it happens. Leaving the ``with`` block without an exception, or ``close``, completes the file;
    what ends in another way is a cut trace."""

    def __init__(self, path: str | Path, header: Header, *, chunk_events: int = CHUNK_EVENTS) -> None:
        if not 0 < chunk_events <= CHUNK_EVENTS:
            raise ValueError(f"chunk_events={chunk_events}: a chunk has 1 to {CHUNK_EVENTS} events")
        self.path = Path(path)
        self._chunk_events = chunk_events
        _encode(concatenate(()))  # loads the compiled code here and not in the thread
        head = MAGIC + _framed(b"HEAD", _pack(header))
        self._file = _open_alone(self.path)
        try:
            self._file.write(head)
            self._file.flush()
        except BaseException:  # a recording that is interrupted has a head, or is not there
            with suppress(OSError):
                self._file.close()
            self.path.unlink()
            raise
        self._worker = ThreadPoolExecutor(1, "trace")
        self._written: Future[None] | None = None
        self._waiting: list[Events] = []
        self._waiting_events = 0
        self._events = self._references = self._instructions = self._cycles = 0
        self._misses = [0, 0]

    def append(
        self, code: npt.NDArray[np.uint8], a: npt.NDArray[np.uint32], b: npt.NDArray[np.uint32], *, copy: bool = True
    ) -> None:
        """Events of any number. Without ``copy`` the arrays are the writer's from now on."""
        more = Events(code, a, b)
        if not len(code) == len(a) == len(b):
            raise ValueError("the three columns of events differ in length")
        self._waiting.append(Events(code.copy(), a.copy(), b.copy()) if copy else more)
        self._waiting_events += more.length
        size = self._chunk_events
        if self._waiting_events >= size:
            everything = concatenate(self._waiting)
            whole = everything.length // size * size
            for start in range(0, whole, size):
                self._submit(everything.part(start, start + size))
            self._waiting = [everything.part(whole, everything.length)]
            self._waiting_events = everything.length - whole

    def name(self, names: Names) -> None:
        """What is known now of phases and processes; holds for the whole file."""
        self._wait()
        self._frame(b"NAME", _pack(names))

    def flush(self) -> None:
        """Everything that was appended is in the file when this returns."""
        if self._waiting_events:
            self._submit(concatenate(self._waiting))
            self._waiting, self._waiting_events = [], 0
        self._wait()
        self._file.flush()

    def close(self, counters: Mapping[str, int] | None = None) -> None:
        """Complete the file. ``counters``: the recorder's own account of misses and so on."""
        if self._file.closed:
            return
        try:
            self.flush()
            totals = Totals(
                events=self._events,
                references=self._references,
                itlb_misses=self._misses[0],
                dtlb_misses=self._misses[1],
                instructions=self._instructions,
                cycles=self._cycles,
                counters=dict(counters or {}),
            )
            self._frame(b"DONE", _pack(totals))
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Stop writing; the file ends as a cut one does."""
        self._worker.shutdown()
        self._file.close()

    def __enter__(self) -> "TraceWriter":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if kind is None:
            self.close()
        else:
            self.abandon()

    def _frame(self, tag: bytes, payload: bytes) -> None:
        self._file.write(_framed(tag, payload))

    def _submit(self, chunk: Events) -> None:
        """Count a chunk and hand it to the thread that compresses, once that is done with the one before."""
        check_events(chunk)
        start = _CHUNK.pack(chunk.length, self._instructions, self._cycles)
        code, a, b = chunk
        accesses = code < ASIDE
        self._events += chunk.length
        self._references += int(b[accesses & ((code & REFUSED) == 0)].sum(dtype=np.uint64))
        missed = accesses & ((code & MISSED) != 0)
        fetches = int((code[missed] & 3 == 2).sum())
        self._misses[0] += fetches
        self._misses[1] += int(missed.sum()) - fetches
        stamps = code == STAMP
        self._instructions += int(a[stamps].sum(dtype=np.uint64))
        self._cycles += int(b[stamps].sum(dtype=np.uint64))
        self._wait()
        self._written = self._worker.submit(self._write_chunk, start, chunk)

    def _write_chunk(self, start: bytes, chunk: Events) -> None:
        self._frame(b"EVNT", start + _encode(chunk))
        self._file.flush()

    def _wait(self) -> None:
        if self._written is not None:
            written, self._written = self._written, None
            written.result()


class Trace:
    """A trace file, open for reading any number of times; ``complete`` is False for one that was cut.

    Raises :class:`TraceError` for everything that is no trace. Opening reads the frames' heads and all that is not
    events; a damaged chunk shows when it is reached.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.names = Names()
        self.totals: Totals | None = None
        self._chunks: list[tuple[int, int, int]] = []  # offset, length and checksum of a payload
        if not self.path.is_file():
            raise TraceError(path, "not a file" if self.path.exists() else "no such file")
        self.bytes = self.path.stat().st_size
        with self.path.open("rb") as file:
            self.header = self._head(file)
            self._end = self._index(file)
        if self.header.mmu is not None:
            try:
                self.header.mmu.build()
            except ValueError as error:
                raise TraceError(path, f"damaged header: {error}") from None

    @property
    def regions(self) -> tuple[tuple[str, int, int], ...]:
        """Name, VA from, VA to (exclusive); the first that matches."""
        return self.names.regions or self.header.regions

    @property
    def complete(self) -> bool:
        """Whether the recording was ended in order."""
        return self.totals is not None

    @property
    def warning(self) -> str:
        """One line about a file that was cut, else nothing."""
        if self.complete:
            return ""
        lost = self.bytes - self._end
        rest = f"the last {lost} bytes are part of a frame" if lost else "it has no end mark"
        return f"{self.path}: the trace was cut; {rest}; everything before is used"

    def chunks(self) -> Iterator[Chunk]:
        """All events, in order."""
        with self.path.open("rb") as file:
            for offset, length, checksum in self._chunks:
                file.seek(offset)
                payload = file.read(length)
                if len(payload) != length or zlib.crc32(payload, zlib.crc32(b"EVNT")) != checksum:
                    raise TraceError(self.path, f"damaged at byte {offset}: the checksum of a chunk is wrong")
                try:
                    count, instructions, cycles = _CHUNK.unpack_from(payload)
                    if not 0 < count <= CHUNK_EVENTS:
                        raise ValueError("a chunk of events has the wrong size")
                    found = _decode(payload[_CHUNK.size :], count)
                except (ValueError, struct.error) as error:
                    raise TraceError(self.path, f"damaged at byte {offset}: {error}") from None
                yield Chunk(found, instructions, cycles)

    def check(self) -> None:
        """Read everything; TraceError if a chunk is damaged or events are missing."""
        events = sum(chunk.events.length for chunk in self.chunks())
        if self.totals is not None and events != self.totals.events:
            raise TraceError(self.path, f"damaged: {events} events, where its end says {self.totals.events}")

    def _head(self, file: BinaryIO) -> Header:
        start = file.read(len(MAGIC))
        if not start:
            raise TraceError(self.path, "the file is empty")
        if start != MAGIC:
            raise TraceError(self.path, "not a trace of cfemu (see `cfemu trace import` for other tools' traces)")
        found = self._next(file)
        if found is None:
            raise TraceError(self.path, "truncated in the header")
        tag, payload, offset = found
        if tag != b"HEAD":
            raise TraceError(self.path, "damaged: the header is missing")
        header = self._json(payload, Header, offset)
        if header.version != VERSION:
            raise TraceError(self.path, f"version {header.version} of the format; this program reads {VERSION}")
        return header

    def _index(self, file: BinaryIO) -> int:
        """Find all chunks, read everything else; returns the offset at which the readable part ends."""
        end = file.tell()
        while True:
            head = file.read(_FRAME.size)
            if len(head) == _FRAME.size and head.startswith(b"EVNT"):
                _, length, checksum = _FRAME.unpack(head)
                offset = file.tell()
                if length <= _MAX_CHUNK and offset + length > self.bytes:
                    return end
                if length > _MAX_CHUNK:
                    raise TraceError(self.path, f"damaged at byte {offset}: no chunk of events is so long")
                self._chunks.append((offset, length, checksum))
                end = file.seek(length, io.SEEK_CUR)
                continue
            file.seek(end)
            found = self._next(file)
            if found is None:
                return end
            tag, payload, offset = found
            end = file.tell()
            if tag == b"NAME":
                self.names = self._json(payload, Names, offset)
            elif tag == b"DONE":
                self.totals = self._json(payload, Totals, offset)
                if end != self.bytes:
                    raise TraceError(self.path, f"damaged: {self.bytes - end} bytes follow the end of the trace")
                return end
            else:
                raise TraceError(self.path, f"damaged at byte {offset}: no frame of a trace begins here")

    def _next(self, file: BinaryIO) -> tuple[bytes, bytes, int] | None:
        """Tag, checked payload and offset of the frame that begins here; None where the file ends before the frame."""
        offset = file.tell()
        head = file.read(_FRAME.size)
        if len(head) < _FRAME.size:
            return None
        tag, length, checksum = _FRAME.unpack(head)
        if tag not in (b"HEAD", b"NAME", b"DONE"):
            raise TraceError(self.path, f"damaged at byte {offset}: no frame of a trace begins here")
        if file.tell() + length > self.bytes:
            return None
        payload = file.read(length)
        if zlib.crc32(payload, zlib.crc32(tag)) != checksum:
            raise TraceError(self.path, f"damaged at byte {offset}: a checksum is wrong")
        return tag, payload, offset

    def _json(self, payload: bytes, kind: type[T], offset: int) -> T:
        try:
            return msgspec.json.decode(_inflate(payload, _MAX_JSON), type=kind)
        except (ValueError, msgspec.DecodeError, RecursionError) as error:
            raise TraceError(self.path, f"damaged at byte {offset}: {error}") from None
