"""A user's program over the whole public API, as mypy --strict has to accept it and as it runs (test_api.py, and
tests/release with the package installed elsewhere)."""

import sys
from pathlib import Path

from emu import (
    BOARDS,
    Board,
    Counters,
    Elf,
    Machine,
    RunResult,
    StopReason,
    Table,
    Trace,
    UsageError,
    get_board,
    load_elf,
)
from kernel_model import Comparison, Report, Row, Scenario, Sweep, compare, sweep


def run(file: Path) -> Counters:
    board: Board = get_board("m5475evb")
    program: Elf = load_elf(file)
    with Machine(board, timing="pipeline") as machine:
        machine.load_elf(program)
        before: Counters = machine.counters()
        result: RunResult = machine.run(max_instructions=100_000)
        assert result.reason is StopReason.HALT
        return machine.counters() - before


def strategies() -> Comparison:
    scenario = Scenario(board="coyotos16")
    one: Comparison = compare(scenario, strategies=["slab"], mappings=["acr"], workers=1)
    same: Comparison = compare({"board": "coyotos16", "strategies": ["slab"], "mappings": ["acr"]}, workers=1)
    report: Report = one.report
    row: Row = one.rows[0]
    assert row.misses is not None
    assert report.rows == same.rows
    return one


def sizes() -> Table:
    axes = {"scenario": {"board": "coyotos16"}, "axes": {"strategy": ["slab"], "mapping": ["acr"], "tlb": [16, 32]}}
    rows: Sweep = sweep(axes, workers=1)
    return rows.query("SELECT tlb, misses_dtlb FROM runs ORDER BY tlb")


def ask(file: Path) -> list[Table]:
    trace = Trace(file)
    return [trace.replay(entries=[16, 32]), trace.replay(), trace.sizes(), trace.explain(entries=(16, 32))]


def main(elf: Path, trace: Path | None = None) -> None:
    assert "m5475evb" in BOARDS
    counted, compared = run(elf), strategies()
    print(counted.misses.total, len(compared), [row["tlb"] for row in sizes().rows])
    for table in ask(trace) if trace else []:
        print(len(table), table.to_pandas().columns.tolist())
    try:
        get_board("none")
    except UsageError as error:
        print(error)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
