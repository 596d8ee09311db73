"""What `emu` and `kernel_model` offer by name: complete, documented, typed, cheap to import, and tables in one call."""

import ast
import importlib
import inspect
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any, get_args, get_type_hints

import pytest

import emu
import kernel_model
from emu import Counters, Machine, Table, Trace, UsageError, get_board, load_elf
from emu.tabular import MOST_ROWS
from kernel_model import Comparison, Sweep, compare, sweep
from kernel_model.sweeps.store import read_rows
from tests.api import program
from tests.support.sweeps import write_sweep
from tests.support.toy import Toy
from tests.support.traces import program as random_program
from tests.support.traces import record

ROOT = Path(__file__).resolve().parents[2]
HELLO = ROOT / "examples" / "hello.elf"
PACKAGES = (emu, kernel_model)
EXPORTS = [(package, name) for package in PACKAGES for name in package.__all__]
NAMES = [f"{package.__name__}.{name}" for package, name in EXPORTS]
OURS = ("emu.", "kernel_model.")


# --- the names


@pytest.mark.parametrize("package", PACKAGES, ids=["emu", "kernel_model"])
def test_the_list_of_names_is_complete(package: ModuleType) -> None:
    """What type checkers see, what is imported when it is used and what is announced are the same."""
    source = ast.parse(Path(str(package.__file__)).read_text())
    guarded = next(node for node in source.body if isinstance(node, ast.If) and not isinstance(node.test, ast.UnaryOp))
    seen = {alias.name for node in guarded.body if isinstance(node, ast.ImportFrom) for alias in node.names}

    assert sorted(package.__all__) == sorted(seen) == sorted(package._HOMES)
    assert set(package.__all__) <= set(dir(package))


@pytest.mark.parametrize(("package", "name"), EXPORTS, ids=NAMES)
def test_a_name_is_public_where_it_stands_and_documented(package: ModuleType, name: str) -> None:
    home = importlib.import_module(package._HOMES[name])
    found = getattr(package, name)

    assert found is getattr(home, name)
    assert name in home.__all__
    undocumented = [where for where, item in described(name, found) if not inspect.getdoc(item)]
    assert undocumented == []


@pytest.mark.parametrize(("package", "name"), EXPORTS, ids=NAMES)
def test_a_name_is_typed_with_public_types(package: ModuleType, name: str) -> None:
    for where, item in described(name, getattr(package, name)):
        function = item.fget if isinstance(item, property) else item
        if not isinstance(function, FunctionType):
            continue
        parameters = list(inspect.signature(function).parameters)
        hints = get_type_hints(function, localns=known_types())
        untyped = [parameter for parameter in parameters if parameter not in hints and parameter not in ("self", "cls")]
        assert not untyped, f"{where}: {untyped}"
        assert "return" in hints, where
        private = {
            f"{kind.__module__}.{kind.__name__}"
            for hint in hints.values()
            for kind in classes(hint)
            if kind.__module__.startswith(OURS) and kind.__name__ not in sys.modules[kind.__module__].__all__
        }
        assert not private, f"{where}: {private} are in no __all__"


def test_docs_name_everything() -> None:
    text = (ROOT / "docs" / "api.md").read_text()

    assert [name for _, name in EXPORTS if f"`{name}`" not in text] == []


def test_another_name_is_an_attribute_error() -> None:
    for package in PACKAGES:
        with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
            _ = package.nothing


def test_importing_the_packages_loads_nothing_heavy() -> None:
    heavy = {"numba", "numpy", "pyarrow", "pandas", "unicorn", "msgspec", "rich", "duckdb"}
    probe = f"import sys, emu, kernel_model; emu.UsageError, emu.get_board; print(*({heavy} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", probe], cwd=ROOT, capture_output=True, text=True, check=True)

    assert done.stdout == "\n"


def described(name: str, found: Any) -> Iterator[tuple[str, Any]]:
    """An exported thing and, of a class, what is public in it: where it stands, and itself. Not data: that has no
    documentation of its own."""
    if callable(found):
        yield name, found
    if not inspect.isclass(found):
        return
    for base in found.__mro__:
        if base.__module__.startswith(OURS):
            for member, raw in vars(base).items():
                item = raw.__func__ if isinstance(raw, classmethod | staticmethod) else raw
                if not member.startswith("_") and isinstance(item, FunctionType | property):
                    yield f"{name}.{member}", item


def classes(hint: Any) -> Iterator[type]:
    """All classes in a type."""
    if isinstance(hint, type):
        yield hint
    for inner in get_args(hint):
        yield from classes(inner)


def known_types() -> dict[str, Any]:
    """Names that are imported for type checkers only."""
    import pandas as pd
    import pyarrow as pa

    return {"pd": pd, "pa": pa}


# --- what they do


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    scenario = {"board": "coyotos16", "strategies": ["slab", "grow"], "mappings": ["acr"]}
    return compare(scenario, workers=1)


@pytest.fixture(scope="module")
def trace_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    toy = Toy().run(random_program(1, 2000))
    return record(tmp_path_factory.mktemp("trace") / "toy.trace", toy).path


def test_the_user_s_program_runs(capsys: pytest.CaptureFixture[str], trace_file: Path) -> None:
    program.main(HELLO, trace_file)

    out = capsys.readouterr().out.splitlines()
    assert out[0] == "62 1 [16, 32]"
    assert "board 'none' is unknown" in out[-1]


def test_a_comparison_is_a_table(comparison: Comparison) -> None:
    frame = comparison.to_pandas()

    assert len(comparison) == comparison.to_arrow().num_rows == len(frame) == 2
    by_strategy = {row["strategy"]: row for row in frame.to_dict("records")}
    (row,) = (row for row in comparison.rows if row.strategy == "slab")
    assert row.cycles is not None
    assert by_strategy["slab"]["cycles_total"] == row.cycles.total
    assert str(frame["cycles_total"].dtype) == "Int64", "a refused row must not make floats of the others"
    assert by_strategy["slab"]["workloads"]["boot"]["instructions"] > 0
    assert "grow extends one heap" in by_strategy["grow"]["refusal"]
    assert comparison.verdict[0].startswith("1 of 2 combinations")
    assert repr(comparison).startswith("<Comparison of 2 rows")


def test_a_comparison_is_the_command_s(
    comparison: Comparison, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    from kernel_model.cli import execute_with_plugins

    file = tmp_path / "one.toml"
    file.write_text('board = "coyotos16"\nstrategies = ["slab", "grow"]\nmappings = ["acr"]\n')
    assert execute_with_plugins(["compare", str(file), "--json"]) == 0

    assert capsys.readouterr().out == comparison.to_json()
    assert compare(str(file), workers=1).to_json() == comparison.to_json()


def test_a_notebook_shows_a_table(comparison: Comparison) -> None:
    html = comparison._repr_html_()

    assert html.count("<tr>") == 3
    assert "<th>cycles_total</th>" in html
    assert "workloads" not in html
    many = Table.of_rows([{"a<b": "x & y", "n": 1234567, "share": 0.5, "none": None, "yes": True}] * (MOST_ROWS + 5))
    html = many._repr_html_()
    assert "<th>a&lt;b</th>" in html
    assert '">x &amp; y</td><td>1,234,567</td><td>0.5000</td><td></td>' in html
    assert "and 5 more" in html


def test_counters_are_a_table() -> None:
    with Machine(get_board("m5475evb")) as machine:
        machine.load_elf(load_elf(HELLO))
        machine.run()
        counters: Counters = machine.counters()

    (row,) = counters.to_pandas().to_dict("records")
    assert row["misses_dtlb_kernel"] == 62
    assert row["misses_by_symbol"] == {"walk": {"itlb": 0, "dtlb": 62}}
    assert row["exceptions"] == {2: 62}
    assert '<td style="text-align:left;">misses_dtlb_kernel</td><td>62</td>' in counters._repr_html_()


def test_a_sweep_is_its_file(tmp_path: Path) -> None:
    file, out = write_sweep(tmp_path), tmp_path / "rows.parquet"

    rows = sweep(file, out, workers=1)

    assert rows.to_arrow().equals(read_rows(out))
    assert Sweep.read(out).rows == rows.rows
    assert rows.query("SELECT count(*) AS n FROM runs").rows == [{"n": len(rows)}]
    assert rows.query("SET threads = 1").rows == []
    assert rows.query("SELECT tlb, tlb FROM runs LIMIT 1")._repr_html_().count("<td>32</td>") == 2
    assert "<th>device_pages_refused</th>" in rows._repr_html_()
    with pytest.raises(UsageError, match="SQL: "):
        rows.query("SELECT nothing FROM runs")
    assert not rows.interrupted


def test_bad_input_is_one_line() -> None:
    for call, message in (
        (lambda: compare({"bord": "x"}), "scenario: bord: unknown key"),
        (lambda: compare("nowhere.toml"), "nowhere.toml: no such file"),
        (lambda: compare(strategies=["none"]), "--strategy: unknown name 'none'"),
        (lambda: compare(timing="none"), "timing 'none'"),
        (lambda: sweep({"axes": {"none": [1]}}), "sweep: axes.none: unknown key"),
        (lambda: sweep({"axis": {}}), "sweep: axis: unknown key"),
    ):
        with pytest.raises(UsageError) as raised:
            call()
        assert str(raised.value).startswith(message)
        assert "\n" not in str(raised.value)


def test_plugins_of_the_environment_and_of_the_dict() -> None:
    """In processes of their own: a plugin stays for the life of one."""
    plugin = str(ROOT / "examples" / "plugin_half.py")
    code = "from kernel_model import Scenario, compare; compare({}, strategies=['half'], mappings=['acr'], workers=1)"
    for given, environment in (
        (f"{{'board': 'coyotos16', 'plugins': [{plugin!r}]}}", {}),
        ("Scenario(board='coyotos16', strategies=['half'])", {"CFEMU_PLUGINS": plugin}),
    ):
        command = [sys.executable, "-c", code.format(given)]
        subprocess.run(command, cwd=ROOT, env=os.environ | environment, check=True)


def test_questions_of_a_trace(trace_file: Path) -> None:
    trace = Trace(trace_file)

    recorded = trace.replay().rows[0]
    assert recorded["exact"]
    assert (recorded["itlb_misses"], recorded["dtlb_misses"]) == (
        recorded["recorded_itlb_misses"],
        recorded["recorded_dtlb_misses"],
    )
    rows = trace.replay(entries=range(16, 49, 16), policy="lru").rows
    assert [(row["itlb_entries"], row["dtlb_entries"], row["policy"]) for row in rows] == [
        (n, n, "lru") for n in (16, 32, 48)
    ]
    (pair,) = trace.replay(entries=(16, 32)).rows
    assert (pair["itlb_entries"], pair["dtlb_entries"]) == (16, 32)
    sizes = trace.sizes().to_pandas()
    assert sizes["entries"].tolist() == list(range(1, 129))
    assert sizes["dtlb_misses"].is_monotonic_decreasing
    causes = trace.explain().to_pandas()
    assert causes.loc[causes["by"] == "access", "misses"].sum() == recorded["misses"]
    with pytest.raises(UsageError, match="page size 4097"):
        trace.sizes(4097)
    assert repr(trace) == f"<Trace {trace_file}>"


def test_without_pandas_it_says_what_to_install(comparison: Comparison, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)

    with pytest.raises(UsageError, match=r"install cfemu\[notebook\]"):
        comparison.to_pandas()
    assert comparison.to_arrow().num_rows == 2


def test_one_name_may_stand_without_a_list() -> None:
    from kernel_model import compare

    rows = compare("default", strategies="head", mappings="acr").rows
    assert [(row.strategy, row.mapping) for row in rows] == [("head", "acr")]
