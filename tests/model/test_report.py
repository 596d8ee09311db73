"""The verdict and the tables, on invented rows (nothing of the product ever sees these)."""

import json

import jsonschema
import msgspec
import pytest

from kernel_model.report.table import print_rows
from kernel_model.report.verdict import comparable, dominators, verdict
from kernel_model.results import (
    SCHEMA_NAME,
    Bill,
    Cycles,
    DevicePages,
    Frames,
    HeapBytes,
    Misses,
    Operation,
    Report,
    Row,
    SideMisses,
    WorkloadResult,
    WorstOperation,
    encode_report,
)
from kernel_model.schema import SCHEMA_FILE, report_schema, schema_text

BILL = Bill(entry=1, handler=2, stalls=3, back=4, evicted=5)


def fake(strategy: str, total: int, *, taken: int = 0, refused: int = 0, reserved: int = 1000, worst: int = 10) -> Row:
    return Row(
        strategy=strategy,
        mapping="acr",
        handler="range",
        board="b",
        flush="switch",
        allocation="bottom-up",
        seed=1,
        firmware="0" * 64,
        refusal="card: 3 of 9 pages refused" if refused else None,
        instructions=total // 2,
        cycles=Cycles(total=total, refill=total // 10, share=0.1, bill=BILL),
        misses=Misses(itlb=1, dtlb=2, user=1, kernel=2, nested=0, by_region={"heap.page": SideMisses(itlb=0, dtlb=2)}),
        heap=HeapBytes(reserved=reserved, used=900, wasted=reserved - 900, direct_mapped=reserved),
        frames=Frames(promised=100, taken_back=taken, lost=taken),
        device_pages=DevicePages(attached=9 - refused, refused=refused),
        console=True,
        worst_operation=WorstOperation(name="attach", cycles=worst),
        workloads={},
    )


def impossible(strategy: str) -> Row:
    return Row(
        strategy=strategy, mapping="locked-1m", handler="range", board="b", flush="switch", allocation="bottom-up",
        seed=1, firmware=None, refusal="needs more entries than there are",
    )  # fmt: skip


def test_domination_needs_no_worse_in_all_and_better_in_one() -> None:
    cheap, dear, other = fake("cheap", 100), fake("dear", 200), fake("other", 90, taken=5)
    rows = [cheap, dear, other]
    assert dominators(dear, rows) == [cheap]
    assert dominators(cheap, rows) == []
    assert dominators(other, rows) == []
    assert dominators(cheap, [cheap, fake("twin", 100)]) == []


def test_rows_that_refused_devices_are_not_compared() -> None:
    rows = [fake("full", 100), fake("lazy", 10, refused=3), impossible("none")]
    assert comparable(rows) == [rows[0]]
    sentences = verdict(rows)
    assert sentences[0] == "1 of 3 combinations cannot work; reasons are in the last table."
    assert sentences[1].startswith("lazy refuses 3 device pages:")
    assert sentences[2] == "Only full/acr attached every device."


def test_verdict_names_dominated_and_trades() -> None:
    sentences = verdict([fake("a", 100, taken=7), fake("b", 150, worst=9), fake("c", 200, taken=7, reserved=2000)])
    assert "c is dominated under every mapping, for instance by a/acr." in sentences
    assert any(line.startswith("a/acr: fewest cycles") and "most frames taken back" in line for line in sentences)
    assert any(line.startswith("b/acr:") and "fewest frames taken back" in line for line in sentences)


def work(name: str, total: int) -> WorkloadResult:
    return WorkloadResult(
        instructions=total,
        cycles=Cycles(total=total, refill=0, share=0.0, bill=BILL),
        misses=Misses(itlb=0, dtlb=0, user=0, kernel=0, nested=0, by_region={}),
        inhibited_reads=0,
        inhibited_writes=0,
        operations={name: Operation(count=1, cycles=total, p50=total, p99=total, worst=total)},
        device_pages=DevicePages(attached=1, refused=0),
    )


def test_only_work_that_all_rows_have_done_is_compared(capsys: pytest.CaptureFixture[str]) -> None:
    # Given a row that is the fastest because one of its workloads ended early
    parts = {"lazy": {"ipc": 300, "attach": 10}, "busy": {"ipc": 200, "attach": 400}}
    lazy, busy = (
        msgspec.structs.replace(
            fake(name, sum(each.values())),
            workloads={kind: work(kind, n) for kind, n in each.items()},
            unfinished=["attach"] if name == "lazy" else [],
        )
        for name, each in parts.items()
    )
    # Then it is not praised for that
    assert [row.cycles and row.cycles.total for row in comparable([lazy, busy])] == [300, 200]
    sentences = verdict([lazy, busy])
    assert sentences == [
        "attach is in none of these figures: lazy met refused pages in it, or ended it early.",
        "lazy is dominated under every mapping, for instance by busy/acr.",
        "busy/acr is as good as any other in everything.",
    ]
    print_rows([lazy, busy], title="t", engine="native")
    lines = capsys.readouterr().out.splitlines()
    assert [next(line for line in lines if line.startswith(name)).count("*") > 0 for name in parts] == [False, True]


def test_no_complete_row() -> None:
    assert verdict([fake("a", 1, refused=1)])[-1].startswith("No row attached every device")


def test_table_marks_the_best_and_prints_reasons(capsys: pytest.CaptureFixture[str]) -> None:
    print_rows([fake("a", 100_000_000), fake("b", 200_000_000), impossible("c")], title="t", engine="native")
    lines = capsys.readouterr().out.splitlines()
    first, second = (next(line for line in lines if line.startswith(name)) for name in ("a ", "b "))
    assert "100.00*" in first
    assert "200.00*" not in second
    assert any("needs more entries" in line for line in lines)


def test_no_heading_is_cut_where_every_column_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    many = {name: SideMisses(itlb=0, dtlb=100_000) for name in ("heap.page", "page-space")}
    misses = Misses(itlb=3_002, dtlb=200_000, user=0, kernel=203_002, nested=4_502, by_region=many)
    row = msgspec.structs.replace(
        fake("reserve+release", 143_000_000, worst=343_986), mapping="unlocked-1m", misses=misses
    )
    print_rows([row], title="t", engine="native")
    assert "\u2026" not in capsys.readouterr().out


def test_committed_schema_is_generated_from_the_types() -> None:
    assert SCHEMA_FILE.read_text() == schema_text()


def test_reports_validate_and_encode_deterministically() -> None:
    report = Report(
        schema=SCHEMA_NAME,
        scenario={"board": "b"},
        versions={"cfemu": "1"},
        engine="native",
        timing="flat",
        clock="cycles",
        numbers={},
        rows=[fake("a", 100), impossible("c")],
    )
    text = encode_report(report)
    document = json.loads(text)
    jsonschema.Draft202012Validator(report_schema()).validate(document)
    assert encode_report(msgspec.json.decode(text, type=Report)) == text
    document["rows"][0]["surprise"] = 1
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(report_schema()).validate(document)
