"""Other tools' traces in, other tools' formats out."""

import json
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emu.trace import events as e
from emu.trace.exports import (
    NEVER,
    event_names,
    export_chrome,
    export_collapsed,
    export_oracle,
    export_parquet,
)
from emu.trace.format import Firmware, Header, MmuSetup, Names, Trace, TraceError, TraceWriter
from emu.trace.imports import FORMATS, ORACLE_RECORD, Imported, import_trace
from emu.trace.replay import replay
from tests.support.toy import FETCH, READ, RMW, WRITE, Access, Control, Toy
from tests.support.traces import lru_misses, program, record, rows_of, write

LACKEY = """==7== Lackey, an example Valgrind tool
==7== Command: ls
I  04016b80,3
I  04016b83,5
 S 1ffefffe78,8
I  04cb0b80,3
hello from the program
 L 1ffefffe7c,4
 M 00421c7c0,4
I  04016b88,2
==7==
==7== Counted 1 call to main()
"""


def imported(tmp_path: Path, data: bytes, kind: str) -> tuple[Trace, Imported]:
    source = tmp_path / "theirs"
    source.write_bytes(data)
    found = import_trace(source, tmp_path / "ours", kind)
    return Trace(tmp_path / "ours"), found


def references(trace: Trace) -> dict[int, list[int]]:
    """Granules in order, one for each reference, per side."""
    found: dict[int, list[int]] = {0: [], 1: []}
    for code, a, b in rows_of(trace):
        if code < e.ASIDE:
            found[0 if code == FETCH else 1] += [a >> 10] * b
    return found


def test_lackey_is_read_line_by_line_and_other_lines_are_ignored(tmp_path: Path) -> None:
    trace, found = imported(tmp_path, LACKEY.encode(), "lackey")

    assert found.references == 7
    assert trace.header.mmu is None
    rows = rows_of(trace)
    assert [row for row in rows if row[0] == FETCH] == [
        (FETCH, 0x04016B80, 2),
        (FETCH, 0x04CB0B80, 1),
        (FETCH, 0x04016B88, 1),
    ]
    # Beyond 32 bits: 0x1ffefffe78 keeps its place in its megabyte and gets a free one.
    stack = [row for row in rows if row[0] in (READ, WRITE)]
    assert [(kind, va & 0xFFFFF, count) for kind, va, count in stack] == [(READ, 0xFFE7C, 1), (WRITE, 0xFFE78, 1)]
    assert trace.names.areas == ((stack[0][1] & 0xFFF0_0000, 0x1FFEF00000),)
    assert (RMW, 0x0421C7C0, 1) in rows
    assert trace.totals is not None
    assert trace.totals.instructions == 4


def test_a_reference_over_the_end_of_a_page_is_one_in_each(tmp_path: Path) -> None:
    trace, found = imported(tmp_path, b" L 000013fe,4\n S 000017ff,1\n I\n", "lackey")

    assert rows_of(trace) == [(READ, 0x13FE, 1), (READ, 0x1400, 1), (WRITE, 0x17FF, 1)]
    assert found.references == 2


def test_din_is_read_with_and_without_prefix(tmp_path: Path) -> None:
    trace, found = imported(
        tmp_path, b"2 408ed4\n0 10019d94\r\n2 0x408ed8\n\n1 10019d88\n4 0\n  0  10019d90 7\n", "din"
    )

    assert found == Imported(5, 4)
    assert sorted(row for row in rows_of(trace) if row[0] < e.ASIDE) == [
        (READ, 0x10019D94, 2),
        (WRITE, 0x10019D88, 1),
        (FETCH, 0x408ED4, 2),
    ]


def oracle(ids: Sequence[int]) -> bytes:
    rows = np.zeros(len(ids), ORACLE_RECORD)
    rows["id"], rows["size"], rows["next"] = ids, 1, NEVER
    return rows.tobytes()


def test_oracle_general_objects_become_pages(tmp_path: Path) -> None:
    ids = [7, 7, 1 << 40, 7, 3, 3, 3]
    trace, found = imported(tmp_path, oracle(ids), "oracleGeneral")

    assert found.references == 7
    assert rows_of(trace) == [(READ, 0, 2), (READ, 1 << 10, 1), (READ, 0, 1), (READ, 2 << 10, 3)]
    for entries in (2, 3):
        assert replay(trace, entries=entries, policy="lru").misses == lru_misses(ids, entries)


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, (1 << 44) - 1) | st.integers(0, 1 << 14)), min_size=1))
@settings(max_examples=60, deadline=None)
def test_page_changes_survive_an_import(tmp_path_factory: pytest.TempPathFactory, found: list[tuple[int, int]]) -> None:
    """Whatever the addresses: pages of each size are the same pages afterwards, in the same order on each side."""
    text = "".join(f"{label} {address:x}\n" for label, address in found).encode()
    trace, _ = imported(tmp_path_factory.mktemp("t"), text, "din")
    areas = dict(trace.names.areas)

    for side, granules in references(trace).items():
        theirs = [address >> 10 for label, address in found if (label == 2) == (side == 0)]
        back = [areas.get(g >> 10 << 20, g >> 10 << 20) >> 10 | g & 0x3FF for g in granules]
        assert changes(back) == changes(theirs)
        assert sorted(back) == sorted(theirs)


def changes(pages: Sequence[int]) -> list[int]:
    return [page for i, page in enumerate(pages) if i == 0 or pages[i - 1] != page]


BAD = {
    "empty lackey": (b"", "lackey", "empty"),
    "lackey without a reference": (b"==1== nothing\n", "lackey", "not a single line"),
    "an ELF as lackey": (b"\x7fELF" + bytes(100), "lackey", "not a single line"),
    "empty din": (b"", "din", "empty"),
    "din with a bad label": (b"0 10\n9 20\n", "din", "line 2"),
    "din with a bad address": (b"0 10\n1 20\n2 xyz\n", "din", "line 3"),
    "din without a space": (b"0123\n", "din", "line 1"),
    "din with too many digits": (b"0 1234567890abcdef0\n", "din", "line 1"),
    "din of too many places": (b"".join(b"0 %x\n" % (n << 20) for n in range(4097)), "din", "megabytes"),
    "one endless line": (b"0" * (9 << 20), "din", "no text"),
    "empty oracle": (b"", "oracleGeneral", "empty"),
    "a short oracle": (b"abc", "oracleGeneral", "shorter"),
    "a compressed oracle": (b"\x28\xb5\x2f\xfd" + bytes(44), "oracleGeneral", "zstd"),
    "an oracle of text": (b"\xff" * 48, "oracleGeneral", "63 bits"),
}


@pytest.mark.parametrize(("data", "kind", "word"), BAD.values(), ids=BAD)
def test_a_bad_file_is_one_line_and_leaves_nothing_behind(tmp_path: Path, data: bytes, kind: str, word: str) -> None:
    with pytest.raises(TraceError, match=word) as raised:
        imported(tmp_path, data, kind)

    assert "\n" not in str(raised.value)
    assert [path.name for path in tmp_path.iterdir()] == ["theirs"]


def test_a_cut_oracle_is_used_to_the_cut(tmp_path: Path) -> None:
    trace, found = imported(tmp_path, oracle([1, 2, 3])[:-5], "oracleGeneral")

    assert "truncated" in found.warning
    assert len(rows_of(trace)) == found.references == 2


@given(st.binary(max_size=200) | st.text("IMLS 0123af,\n", max_size=200).map(str.encode), st.sampled_from([*FORMATS]))
@settings(max_examples=200, deadline=None)
def test_any_bytes_are_a_trace_or_one_line(tmp_path_factory: pytest.TempPathFactory, data: bytes, kind: str) -> None:
    path = tmp_path_factory.mktemp("t")
    try:
        trace, found = imported(path, data, kind)
    except TraceError as error:
        message = str(error)
    else:
        assert replay(trace).references >= found.references > 0
        return
    assert "\n" not in message


# --- exports ------------------------------------------------------------------------------------------
@pytest.fixture
def toy_trace(tmp_path: Path) -> Trace:
    """A machine's trace with phases, processes, regions and nested refills."""
    steps: list[Access | Control] = [Control("phase", 0), *program(3, 400)]
    steps += [Control("phase", 1), *program(4, 400)]
    header = Header(
        source="machine",
        board="toy",
        mmu=MmuSetup(),
        firmware=(Firmware("toy.elf", "0" * 64),),
        regions=(("text;data", 0, 0x1000_0000),),
        symbols=((0x1000, "main", 0x1000),),
        clock_hz=100_000_000,
    )
    with TraceWriter(tmp_path / "toy.trace", header) as writer:
        writer.append(*e.events(Toy().run(steps).rows))
        writer.name(Names(phases=("boot", "work"), processes={2: "sh"}))
    return Trace(tmp_path / "toy.trace")


@pytest.mark.parametrize("one_per_run", [False, True])
def test_oracle_general_out_and_in_again(tmp_path: Path, one_per_run: bool) -> None:
    pages = np.random.default_rng(1).zipf(1.3, 5000) % 100
    rows = [(READ, int(page) << 12, 1 + i % 3) for i, page in enumerate(pages)]
    trace = write(tmp_path / "t", rows, Header(source="test"))

    records = export_oracle(trace, tmp_path / "o", one_per_run=one_per_run)

    assert records == (len(rows) if one_per_run else sum(n for _, _, n in rows))
    found = np.fromfile(tmp_path / "o", ORACLE_RECORD)
    again, _ = imported(tmp_path, (tmp_path / "o").read_bytes(), "oracleGeneral")
    for entries in (4, 32):
        policy = {"entries": entries, "policy": "lru"}
        assert replay(again, entries=entries, policy="lru").misses == replay(trace, **policy).misses  # type: ignore[arg-type]
    # The next use of each object, found again the slow way.
    ids = found["id"].tolist()
    for i in range(0, records, 97):
        expected = ids.index(ids[i], i + 1) if ids[i] in ids[i + 1 :] else NEVER
        assert found["next"][i] == expected


def test_oracle_general_of_one_side_has_its_references_only(toy_trace: Trace, tmp_path: Path) -> None:
    counts = {side: export_oracle(toy_trace, tmp_path / side, side=side) for side in ("both", "instruction", "data")}

    assert counts["both"] == counts["instruction"] + counts["data"]
    assert counts["instruction"] > 100


def test_the_time_line_has_every_refill_once_and_in_its_place(toy_trace: Trace, tmp_path: Path) -> None:
    count = export_chrome(toy_trace, tmp_path / "t.json")

    found = json.loads((tmp_path / "t.json").read_text())
    events = found["traceEvents"]
    assert len(events) == count
    spans = [event for event in events if event["ph"] == "X"]
    totals = toy_trace.totals
    assert totals is not None
    end = totals.cycles / 100  # microseconds at 100 MHz
    for event in spans:
        assert {"name", "ts", "dur", "pid", "tid", "args"} <= set(event)
        assert 0 <= event["ts"] <= event["ts"] + event["dur"] <= end + 0.001
    refills = [event for event in spans if event["name"].startswith("TLB miss")]
    assert len(refills) == totals.itlb_misses + totals.dtlb_misses
    outer = sum(e["dur"] for e in refills if "while refilling" not in e["name"])
    assert outer == pytest.approx(replay(toy_trace).refill_cycles / 100, rel=1e-3)
    phases = [(event["name"], event["ts"]) for event in spans if event["tid"] == 2]
    assert [name for name, _ in phases] == ["boot", "work"]
    processes = [event for event in spans if event["tid"] == 1]
    assert sum(event["dur"] for event in processes) == pytest.approx(end)
    assert "ASID 2 sh" in {event["name"] for event in processes}


def test_collapsed_stacks_weigh_all_refill_cycles(toy_trace: Trace, tmp_path: Path) -> None:
    total = export_collapsed(toy_trace, tmp_path / "t.folded")

    lines = (tmp_path / "t.folded").read_text().splitlines()
    assert all(re.fullmatch(r"[^;]+(;[^;]+)+ \d+", line) for line in lines)
    assert total == sum(int(line.rpartition(" ")[2]) for line in lines) == replay(toy_trace).refill_cycles
    assert any(line.startswith("process 2 sh;main;user fetch miss;text:data ") for line in lines)
    assert any("miss;" in line and line.count("miss") == 2 for line in lines)  # a refill within one


def test_parquet_has_every_event(toy_trace: Trace, tmp_path: Path) -> None:
    pq = pytest.importorskip("pyarrow.parquet")

    rows = export_parquet(toy_trace, tmp_path / "t.parquet")

    table = pq.read_table(tmp_path / "t.parquet").to_pydict()
    expected = rows_of(toy_trace)
    assert rows == len(expected) == len(table["event"])
    assert list(zip(table["a"], table["b"])) == [(a, b) for _, a, b in expected]
    names = event_names()
    assert table["what"] == [names[code & 3 if code < e.ASIDE else code - e.ASIDE + 4] for code, _, _ in expected]
    totals = toy_trace.totals
    assert totals is not None
    assert sum(table["missed"]) == totals.itlb_misses + totals.dtlb_misses
    assert (table["instructions"][-1], table["cycles"][-1]) == (totals.instructions, totals.cycles)
    assert {a for a, name in zip(table["asid"], table["what"]) if name == "read"} == {0, 2, 3}


def test_a_foreign_trace_exports_too(tmp_path: Path) -> None:
    trace, _ = imported(tmp_path, LACKEY.encode(), "lackey")

    assert export_oracle(trace, tmp_path / "o") == 7
    assert export_collapsed(trace, tmp_path / "c") == 0
    export_chrome(trace, tmp_path / "j")
    assert json.loads((tmp_path / "j").read_text())["traceEvents"]


def test_a_recorded_trace_with_a_cut_exports_to_the_cut(tmp_path: Path) -> None:
    path = record(tmp_path / "t", Toy().run(program(1, 200))).path
    path.write_bytes(path.read_bytes()[:-300])

    assert export_oracle(Trace(path), tmp_path / "o") == 0
