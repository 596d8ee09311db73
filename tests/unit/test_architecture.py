"""The import arrows of the design, kept by reading every source file's imports (docs/architecture.md draws them).

::

    kernel_model -> emu.machine -> emu.cpu -> emu.mmu

An untyped library has one facade, and unicorn's C interface is known in ``emu.cpu`` only.
"""

import ast
import itertools
import re
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# When an import happens: with the module, when a function is called, never (for type checkers only).
LOADED, USED, TYPED = "loaded", "used", "typed"

# What the kernel model may know of the machine: its surface, never how it works inside.
MACHINE_SURFACE = {
    "emu",
    "emu.arrow",
    "emu.board",
    "emu.cli",
    "emu.counters",
    "emu.debug.command",
    "emu.debug.history",
    "emu.debug.session",
    "emu.debug.stepper.run",
    "emu.debug.target",
    "emu.debug.threads",
    "emu.doctor",
    "emu.documents",
    "emu.elf",
    "emu.errors",
    "emu.files",
    "emu.foreground",
    "emu.lazy",
    "emu.machine",
    "emu.options",
    "emu.plain_console",
    "emu.recording",
    "emu.regions",
    "emu.run_report",
    "emu.tabular",
    "emu.text",
    "emu.time_numbers",
    "emu.version",
    "emu.trace.cli",
    "emu.trace.format",
    "emu.trace.tables",
}

# package or module -> what it may import beside the standard library and itself
ALLOWED = {
    "emu.mmu": {"numpy", "numba", "emu.jit", "emu.mmu"},
    "emu.devices": {"numpy", "emu.jit", "emu.raw_memory", "emu.devices"},
    "emu.raw_memory": {"numba", "llvmlite"},
    "emu.errors": set[str](),
    "emu.jit": {"numba", "emu.object_code"},
    "emu.object_code": {"llvmlite"},
    "emu.timing": {"numpy", "numba", "emu.errors", "emu.jit", "emu.timing"},
    "emu.elf": {"elftools", "emu.errors", "emu.text"},
    # Replays run without the machine: never emu.cpu, emu.machine, unicorn.
    "emu.trace": {
        *("numpy", "msgspec", "rich", "typer", "pyarrow", "zstandard"),
        *(
            "emu.cli",
            "emu.errors",
            "emu.files",
            "emu.jit",
            "emu.mmu",
            "emu.plain_console",
            "emu.regions",
            "emu.tabular",
            "emu.trace",
        ),
    },
}

# library -> the only places that import it
FACADES = {
    "unicorn": {"emu.cpu", "benchmarks"},  # benchmarks measure raw unicorn beside the engine
    "capstone": {"emu.debug.disassembly"},
    "elftools": {"emu.elf", "emu.lines"},
    "textual": {"emu.debug.stepper.app"},
    "pyarrow": {
        *("emu.arrow", "emu.tabular", "emu.trace.exports"),
        *("emu.counters", "kernel_model.comparison", "kernel_model.sweeps.api"),  # types of their answers only
        *("kernel_model.sweeps.columns", "kernel_model.sweeps.store"),
    },
    "pandas": {"emu.tabular"},  # optional
    "duckdb": {"kernel_model.sweeps.query"},
    "distributed": {"kernel_model.sweeps.workers"},  # optional
    "zstandard": {"emu.trace.format"},
    "numba": {"emu.jit", "emu.raw_memory", "emu.cpu", "emu.mmu", "emu.timing"},
    "llvmlite": {"emu.object_code", "emu.raw_memory", "emu.cpu"},
}

# (importer, imported, when) -> why the only cycles there are may be; each of them ends where it is taken out.
CYCLES = {
    ("emu.cli", "emu.trace.cli", USED): "mounts commands that are made with its own helpers",
    ("emu.cli", "emu.regression.cli", USED): "likewise",
    ("kernel_model.scenario", "kernel_model.workloads", USED): "names are checked against the registry, plugins' too",
    ("kernel_model.plugins", "kernel_model.workloads", USED): "fills the registries, and scenarios load plugins",
    ("emu.cpu.semihosting", "emu.machine", TYPED): "a part of the machine that is told which machine",
}


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def sources(*packages: str) -> list[Path]:
    return sorted(path for package in packages for path in (ROOT / package).rglob("*.py"))


@cache
def imports(path: Path) -> tuple[str, ...]:
    """Every module a file imports, anywhere in it; `from a.b import c` gives a.b, or a.b.c where that is a module."""
    return tuple(_imports(path))


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(), str(path))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            for alias in node.names:
                yield resolve(node.module or "", alias.name)


def resolve(module: str, name: str) -> str:
    """`from emu import board` means emu.board."""
    inner = ROOT.joinpath(*module.split("."), name)
    return f"{module}.{name}" if inner.with_suffix(".py").exists() or (inner / "__init__.py").exists() else module


def timed_imports(path: Path) -> set[tuple[str, str]]:
    """As :func:`imports`, with the moment of each."""
    return {found for node in ast.parse(path.read_text(), str(path)).body for found in _timed(node, LOADED)}


def _timed(node: ast.AST, when: str) -> Iterator[tuple[str, str]]:
    if isinstance(node, ast.Import):
        yield from ((alias.name, when) for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        yield from ((resolve(node.module or "", alias.name), when) for alias in node.names)
    elif isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
        yield from (found for inner in node.body for found in _timed(inner, TYPED))
        yield from (found for inner in node.orelse for found in _timed(inner, when))
    else:
        is_function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        later = USED if is_function and when == LOADED else when
        yield from (found for inner in ast.iter_child_nodes(node) for found in _timed(inner, later))


def cycle(edges: Iterable[tuple[str, str, str]]) -> list[str]:
    """Modules each of which imports the next, the first of them again at the end; none where there is no cycle."""
    graph: dict[str, set[str]] = {}
    for importer, imported, _ in edges:
        graph.setdefault(importer, set()).add(imported)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(reversed(error.args[1]))
    return []


@cache
def all_edges() -> frozenset[tuple[str, str, str]]:
    """(importer, imported, when) between modules of ours. A module's packages are loaded before it, those that the
    importer is in excepted: they are being loaded already."""
    files = {module_name(path): path for path in sources("emu", "kernel_model", "firmware")}
    return frozenset(
        (importer, loaded, when)
        for importer, path in files.items()
        for imported, when in timed_imports(path)
        for loaded in (imported, *packages_of(imported))
        if loaded in files and (loaded == imported or not inside(importer, loaded)) and loaded != importer
    )


def packages_of(module: str) -> Iterator[str]:
    """The packages that a module is in, innermost first."""
    while "." in module:
        module = module.rpartition(".")[0]
        yield module


def inside(module: str, package: str) -> bool:
    return module == package or module.startswith(package + ".")


def is_standard(module: str) -> bool:
    return module.partition(".")[0] in sys.stdlib_module_names


def violations(paths: list[Path], forbidden: str) -> list[str]:
    return [f"{module_name(p)} imports {m}" for p in paths for m in imports(p) if inside(m, forbidden)]


def test_the_sources_are_found() -> None:
    found = {module_name(path) for path in sources("emu", "kernel_model")}

    assert {"emu", "emu.cli", "emu.errors", "kernel_model"} <= found


def test_the_machine_never_imports_the_kernel_model() -> None:
    assert violations(sources("emu"), "kernel_model") == []


def test_the_product_never_imports_tests_or_benchmarks() -> None:
    product = sources("emu", "kernel_model")

    assert violations(product, "tests") + violations(product, "benchmarks") == []


def test_the_kernel_model_knows_only_the_surface_of_the_machine() -> None:
    inner = [
        f"{module_name(path)} imports {module}"
        for path in sources("kernel_model")
        for module in imports(path)
        if inside(module, "emu") and module not in MACHINE_SURFACE
    ]

    assert inner == []


@pytest.mark.parametrize("package", ALLOWED)
def test_a_low_layer_imports_only_what_it_may(package: str) -> None:
    extra = [
        f"{module_name(path)} imports {module}"
        for path in sources("emu")
        if inside(module_name(path), package)
        for module in imports(path)
        if not is_standard(module) and not any(inside(module, allowed) for allowed in ALLOWED[package])
    ]

    assert extra == []


@pytest.mark.parametrize("library", FACADES)
def test_a_library_without_types_is_imported_by_its_facade_only(library: str) -> None:
    strangers = [
        f"{module_name(path)} imports {module}"
        for path in sources("emu", "kernel_model", "benchmarks")
        if not any(inside(module_name(path), facade) for facade in FACADES[library])
        for module in imports(path)
        if inside(module, library)
    ]

    assert strangers == []


def test_no_module_is_loaded_in_a_circle() -> None:
    assert cycle(edge for edge in all_edges() if edge[2] == LOADED) == []


def test_imports_within_functions_and_for_types_make_the_listed_circles_only() -> None:
    assert cycle(all_edges() - CYCLES.keys()) == []


@pytest.mark.parametrize("exception", CYCLES, ids=lambda edge: f"{edge[0]}-{edge[1]}")
def test_an_exception_is_there_and_is_one(exception: tuple[str, str, str]) -> None:
    assert exception in all_edges()
    assert cycle((all_edges() - CYCLES.keys()) | {exception}) != []


def test_a_circle_is_seen_whenever_it_is_imported(tmp_path: Path) -> None:
    source = tmp_path / "sly.py"
    source.write_text(
        "from typing import TYPE_CHECKING\nimport emu.elf\n"
        "if TYPE_CHECKING:\n    from emu import machine\nelse:\n    import emu.board\n"
        "class A:\n    import emu.regions\n    def f(self):\n        from emu.cpu import state\n"
    )

    assert timed_imports(source) == {
        ("typing", LOADED), ("emu.elf", LOADED), ("emu.board", LOADED), ("emu.regions", LOADED),
        ("emu.machine", TYPED), ("emu.cpu.state", USED),
    }  # fmt: skip
    assert cycle([("a", "b", LOADED), ("b", "c", USED), ("c", "d", LOADED)]) == []
    found = cycle([("a", "b", LOADED), ("b", "c", USED), ("c", "a", TYPED)])
    assert found[0] == found[-1]
    assert set(itertools.pairwise(found)) == {("a", "b"), ("b", "c"), ("c", "a")}


def test_the_oracle_shares_nothing_with_what_it_checks() -> None:
    oracle = [path for path in sources("tests/oracle") if not path.name.startswith(("test_", "conftest"))]

    assert violations(oracle, "emu") == []


def test_a_forbidden_import_is_seen(tmp_path: Path) -> None:
    source = tmp_path / "sly.py"
    source.write_text("def f():\n    from emu.cpu import state\n    import emu.mmu.tlb as t\n    return state, t\n")

    assert set(imports(source)) >= {"emu.mmu.tlb"}
    assert any(inside(module, "emu.cpu") for module in imports(source))


def test_the_reading_order_names_files_that_exist() -> None:
    table = (ROOT / "docs" / "architecture.md").read_text().partition("## Reading order")[2].partition("## One")[0]
    missing = []
    for row in (line for line in table.splitlines() if line.startswith("| ") and "`" in line):
        folder = ROOT
        for name in re.findall(r"`([^`]+)`", row.split("|")[2]):
            folder = (ROOT / name).parent if "/" in name.rstrip("/") else folder
            if not ((ROOT / name).exists() or (folder / name).exists()):
                missing.append(name)

    assert missing == []
