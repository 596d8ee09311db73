"""The trace file: what goes in comes out; a cut file is readable to the cut; nothing else is ever read as a trace."""

import json
import zlib
from pathlib import Path

import msgspec
import numpy as np
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from emu.mmu.state import new_mmu
from emu.trace import events as e
from emu.trace.events import Row, events
from emu.trace.format import Firmware, Header, MmuSetup, Names, Trace, TraceError, TraceWriter, check_events, snapshot
from emu.trace.replay import replay
from tests.support.toy import Toy
from tests.support.traces import machine_header, program, rows_of, write

HEADER = Header(
    source="machine",
    board="toy",
    mmu=MmuSetup(seed=3),
    firmware=(Firmware("a.elf", "00" * 32),),
    regions=(("heap", 0x1000, 0x2000),),
    symbols=((0x400, "start", 16),),
    clock_hz=266_000_000,
)

numbers = st.integers(0, (1 << 32) - 1)
accesses = st.tuples(st.integers(0, 15), numbers, st.integers(1, (1 << 32) - 1))
refused = st.tuples(st.sampled_from((0x10, 0x11, 0x26, 0x1C)), numbers, st.just(1))
asides = st.tuples(st.sampled_from((e.WINDOW_WRITE, e.CONTROL_WRITE, e.ENTER, e.LEAVE, e.STAMP)), numbers, numbers)
rows_drawn = st.lists(st.one_of(accesses, accesses, refused, asides), max_size=200)


@pytest.fixture(scope="module")
def toy_rows() -> list[Row]:
    return Toy().run(program(1, 150)).rows


@pytest.fixture
def good(tmp_path: Path, toy_rows: list[Row]) -> Path:
    """A small complete trace of several chunks."""
    path = tmp_path / "good.trace"
    with TraceWriter(path, HEADER, chunk_events=300) as writer:
        writer.append(*events(toy_rows[:700]))
        writer.name(Names(phases=("boot", "work"), processes={1: "sh"}))
        writer.append(*events(toy_rows[700:]))
    return path


@given(rows_drawn, st.integers(1, 50))
@settings(max_examples=60, deadline=None)
def test_events_come_back_as_they_were(
    tmp_path_factory: pytest.TempPathFactory, rows: list[Row], chunk_events: int
) -> None:
    path = tmp_path_factory.mktemp("t") / "t"

    trace = write(path, rows, HEADER, chunk_events)

    assert rows_of(trace) == rows
    assert trace.complete
    assert trace.warning == ""


def test_header_names_and_totals_come_back(good: Path, toy_rows: list[Row]) -> None:
    trace = Trace(good)

    assert trace.header == HEADER
    assert trace.names == Names(phases=("boot", "work"), processes={1: "sh"})
    assert trace.totals is not None
    assert trace.totals.events == len(toy_rows)
    assert trace.totals.references == sum(b for code, _, b in toy_rows if code < e.ASIDE and not code & e.REFUSED)
    missed = [code & 3 == 2 for code, _, _ in toy_rows if code < e.ASIDE and code & e.MISSED]
    assert (trace.totals.itlb_misses, trace.totals.dtlb_misses) == (sum(missed), len(missed) - sum(missed))
    assert trace.totals.instructions == sum(a for code, a, _ in toy_rows if code == e.STAMP)
    assert trace.totals.cycles == sum(b for code, _, b in toy_rows if code == e.STAMP)


def test_chunks_know_when_they_begin(good: Path, toy_rows: list[Row]) -> None:
    seen = 0
    for chunk in Trace(good).chunks():
        before = toy_rows[:seen]
        assert chunk.instructions == sum(a for code, a, _ in before if code == e.STAMP)
        assert chunk.cycles == sum(b for code, _, b in before if code == e.STAMP)
        seen += chunk.events.length


def test_pieces_of_any_size_make_the_same_file(tmp_path: Path, toy_rows: list[Row]) -> None:
    files = []
    for size in (1, 7, 1000):
        path = tmp_path / str(size)
        with TraceWriter(path, HEADER, chunk_events=64) as writer:
            for start in range(0, len(toy_rows), size):
                writer.append(*events(toy_rows[start : start + size]))
        files.append(path.read_bytes())

    assert files[0] == files[1] == files[2]


def test_a_buffer_may_be_used_again_after_append(tmp_path: Path) -> None:
    code, a, b = np.zeros(4, np.uint8), np.arange(4, dtype=np.uint32), np.ones(4, np.uint32)
    with TraceWriter(tmp_path / "t", HEADER) as writer:
        writer.append(code, a, b)
        a[:] = 99
        writer.append(code, a, b)

    assert [row[1] for row in rows_of(Trace(tmp_path / "t"))] == [0, 1, 2, 3, 99, 99, 99, 99]


def test_runs_take_few_bytes(tmp_path: Path) -> None:
    rows = [
        (code, base + 64 * n, 12) for n in range(20_000) for code, base in ((2, 0x1000), (0, 0x80000), (1, 0x90000))
    ]
    trace = write(tmp_path / "t", rows, HEADER)

    assert trace.bytes < 0.5 * len(rows)


def test_what_a_crash_leaves_is_readable(tmp_path: Path, toy_rows: list[Row]) -> None:
    path = tmp_path / "t"

    def crash() -> None:
        with TraceWriter(path, HEADER, chunk_events=100) as writer:
            writer.append(*events(toy_rows[:450]))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        crash()
    trace = Trace(path)

    assert not trace.complete
    assert "cut" in trace.warning
    assert rows_of(trace) == toy_rows[:400]


def test_flush_puts_everything_into_the_file(tmp_path: Path, toy_rows: list[Row]) -> None:
    path = tmp_path / "t"
    writer = TraceWriter(path, HEADER)
    writer.append(*events(toy_rows[:450]))
    writer.flush()

    assert rows_of(Trace(path)) == toy_rows[:450]
    writer.abandon()


def test_a_trace_cut_anywhere_is_readable_to_the_cut_and_says_so(tmp_path: Path, good: Path) -> None:
    data, whole = good.read_bytes(), rows_of(Trace(good))
    header_ends = 8 + 12 + int.from_bytes(data[12:16], "little")
    path = tmp_path / "cut.trace"
    lengths = set()
    for end in range(len(data) - 1, 0, -13):
        path.write_bytes(data[:end])
        if end < header_ends:
            with pytest.raises(TraceError, match=r"truncated|not a trace"):
                Trace(path)
            continue
        trace = Trace(path)
        assert not trace.complete
        assert "cut" in trace.warning
        rows = rows_of(trace)
        lengths.add(len(rows))
        assert rows == whole[: len(rows)]
        assert replay(trace).wrong_misses == 0
    assert len(lengths) > 3


def readable_or_one_line(path: Path) -> bool:
    """Whether a file is a trace; anything but a TraceError of one line fails the test."""
    try:
        trace = Trace(path)
        replay(trace)
        replay(trace, entries=8)
    except TraceError as error:
        message = str(error)
    else:
        return True
    assert "\n" not in message
    assert message.startswith(str(path))
    return False


def test_a_changed_byte_is_noticed_wherever_it_is(tmp_path: Path, good: Path) -> None:
    """All but a length, whose change may look like a cut: then what is read is what was written."""
    data, whole = good.read_bytes(), rows_of(Trace(good))
    path = tmp_path / "bad.trace"
    unnoticed = 0
    for at in range(0, len(data), 7):
        changed = bytearray(data)
        changed[at] ^= 0x40
        path.write_bytes(changed)
        if readable_or_one_line(path):
            trace = Trace(path)
            assert not trace.complete
            rows = rows_of(trace)
            assert rows == whole[: len(rows)]
            unnoticed += 1
    assert unnoticed < 10


def test_check_reads_every_event_and_misses_those_that_are_not_there(tmp_path: Path, good: Path) -> None:
    Trace(good).check()
    data = good.read_bytes()
    first = data.index(b"EVNT")
    second = data.index(b"EVNT", first + 12)
    path = tmp_path / "short.trace"
    path.write_bytes(data[:first] + data[second:])  # a whole frame is gone
    with pytest.raises(TraceError, match=r"damaged: \d+ events, where its end says \d+"):
        Trace(path).check()


BAD = {
    "empty": (b"", "empty"),
    "text": (b"#!/bin/sh\necho hello\n" * 10, "not a trace"),
    "an ELF": (b"\x7fELF" + bytes(500), "not a trace"),
    "magic only": (b"CFTRACE\n", "truncated"),
    "no header": (b"CFTRACE\nEVNT" + bytes(100), "damaged"),
    "zeros after the magic": (b"CFTRACE\n" + bytes(1000), "damaged"),
}


@pytest.mark.parametrize(("data", "word"), BAD.values(), ids=BAD)
def test_what_is_no_trace_is_one_line(tmp_path: Path, data: bytes, word: str) -> None:
    path = tmp_path / "bad.trace"
    path.write_bytes(data)

    with pytest.raises(TraceError, match=word) as raised:
        Trace(path)

    assert "\n" not in str(raised.value)


def test_a_missing_file_and_a_directory_are_one_line(tmp_path: Path) -> None:
    for path in (tmp_path / "missing", tmp_path):
        with pytest.raises(TraceError):
            Trace(path)


def frame(tag: bytes, payload: bytes) -> bytes:
    return tag + len(payload).to_bytes(4, "little") + zlib.crc32(tag + payload).to_bytes(4, "little") + payload


def compress(data: bytes) -> bytes:
    packed: bytes = zstandard.ZstdCompressor().compress(data)
    return packed


def head(header: Header = HEADER, **changes: object) -> bytes:
    values = json.loads(msgspec.json.encode(header)) | changes
    return b"CFTRACE\n" + frame(b"HEAD", compress(json.dumps(values).encode()))


LIES = {
    "another version": (head(version=2), "version 2"),
    "an unknown field": (head(colour="red"), "damaged"),
    "a policy that does not exist": (head(mmu={"policy": "clock"}), "damaged"),
    "a TLB of 1000 entries": (head(mmu={"itlb_entries": 1000}), "damaged"),
    "a state that is none": (head(mmu={"state": {"tag": [1]}}), "damaged"),
    "a state of no field": (head(mmu={"state": {"path_keep": [1]}}), "damaged"),
    "a header of no JSON": (b"CFTRACE\n" + frame(b"HEAD", compress(b"{")), "damaged"),
    "a header of no zstd": (b"CFTRACE\n" + frame(b"HEAD", b"abc"), "damaged"),
    "bytes after the end": (head() + frame(b"DONE", compress(b"{}")), "damaged"),
    "an unknown frame": (head() + frame(b"LATE", b""), "damaged"),
    "an endless chunk": (head() + b"EVNT" + b"\xff" * 40, "damaged"),
}


@pytest.mark.parametrize(("data", "word"), LIES.values(), ids=LIES)
def test_a_well_checked_file_of_nonsense_is_one_line(tmp_path: Path, data: bytes, word: str) -> None:
    path = tmp_path / "bad.trace"
    path.write_bytes(data)

    with pytest.raises(TraceError, match=word):
        Trace(path)


def chunk(count: int, columns: bytes) -> bytes:
    return frame(b"EVNT", count.to_bytes(4, "little") + bytes(16) + compress(columns))


CHUNKS = {
    "no events": chunk(0, b""),
    "too many events": chunk(1 << 20, bytes(9 << 20)),
    "too few bytes": chunk(5, bytes(44)),
    "too many bytes": chunk(5, bytes(46)),
    "an unknown code": chunk(1, b"\x77" + bytes(8)),
    "no reference": chunk(1, bytes(9)),
    "an entry that no TLB has": chunk(1, bytes([e.LOADED, 0, 9]) + bytes(6)),
    "a miss of two references": chunk(1, bytes([e.MISSED, 0, 0, 0, 0, 2, 0, 0, 0])),
    "no header of a chunk": frame(b"EVNT", b"abc"),
    "no zstd": frame(b"EVNT", (1).to_bytes(4, "little") + bytes(16) + b"abc"),
}


@pytest.mark.parametrize("data", CHUNKS.values(), ids=CHUNKS)
def test_a_well_checked_chunk_of_nonsense_is_one_line(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "bad.trace"
    path.write_bytes(head() + data)
    trace = Trace(path)

    with pytest.raises(TraceError, match="damaged"):
        list(trace.chunks())


def plainly_packed(columns: e.Events) -> bytes:
    """The columns of a chunk as ``emu.trace.format`` describes them, made with numpy."""
    order = np.argsort(columns.code, kind="stable")
    a = np.diff(columns.a[order], prepend=np.uint32(0)).astype("<u4")
    planes = [column.view(np.uint8).reshape(-1, 4).T.tobytes() for column in (a, columns.b[order].astype("<u4"))]
    return b"".join([columns.code.tobytes(), *planes])


def test_a_chunk_is_what_the_format_says(tmp_path: Path, toy_rows: list[Row]) -> None:
    columns = events(toy_rows)
    write(tmp_path / "t", toy_rows, HEADER)
    data = (tmp_path / "t").read_bytes()
    start = data.index(b"EVNT") + 12

    assert zstandard.ZstdDecompressor().decompress(data[start + 20 :]) == plainly_packed(columns)


@given(st.lists(st.tuples(st.integers(0, 255), numbers, numbers), max_size=60))
@settings(max_examples=150, deadline=None)
def test_no_events_whatever_upset_a_replay(tmp_path_factory: pytest.TempPathFactory, rows: list[Row]) -> None:
    """Any numbers at all under a right checksum: refused, or replayed as if a machine could have done it."""
    path = tmp_path_factory.mktemp("t") / "t"
    columns = events(rows)
    packed = plainly_packed(columns)
    path.write_bytes(head() + (chunk(len(rows), packed) if rows else b""))

    possible = True
    try:
        check_events(columns)
    except ValueError:
        possible = False
    assert readable_or_one_line(path) == possible


def test_a_writer_refuses_what_a_reader_would(tmp_path: Path) -> None:
    writer = TraceWriter(tmp_path / "t", HEADER)
    writer.append(*events([(0, 0x1000, 0)]))
    with pytest.raises(ValueError, match="number of references"):
        writer.flush()
    with pytest.raises(ValueError, match="differ in length"):
        writer.append(np.zeros(2, np.uint8), np.zeros(1, np.uint32), np.zeros(2, np.uint32))
    writer.abandon()


def test_the_state_of_an_mmu_survives_the_header() -> None:
    mmu = new_mmu(8, 16)
    mmu[0]["tag"][1, 3] = 0x1001
    mmu[0]["asid"] = 7

    again = MmuSetup(8, 16, state=snapshot(mmu)).build()

    assert again.tobytes() == mmu.tobytes()


def test_memory_does_not_grow_with_the_trace(tmp_path: Path) -> None:
    import tracemalloc

    rng = np.random.default_rng(1)
    piece = events([(0, int(va) << 12, 5) for va in rng.integers(0, 500, 50_000)])
    peaks = []
    for pieces in (6, 36):
        path = tmp_path / str(pieces)
        tracemalloc.start()
        with TraceWriter(path, machine_header()) as writer:
            for _ in range(pieces):
                writer.append(*piece)
        for _ in Trace(path).chunks():
            pass
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()

    assert peaks[1] < 1.5 * peaks[0]
