"""Plugins: everything that they define is in every command, and what is wrong with one is said in one line."""

import json
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from emu.errors import UsageError
from kernel_model.plugins import VARIABLE, load_plugins, split_arguments
from tests.support.sweeps import BASE, ROOT, command, environment, rows_of, write_sweep

EXAMPLE = ROOT / "examples" / "plugin_half.py"
TEXT = (ROOT / "docs" / "plugins.md").read_text()
COMMANDS = re.findall(r"^cfemu .+$", TEXT, re.MULTILINE)
AXES = '[axes]\nstrategy = ["half", "slab"]\nmapping = ["acr"]\n'
OWN_BASE = BASE.replace('kind = "usb"', 'kind = "camera"').replace('"ping-pong"', '"short-calls"')
BROKEN = (
    ("x = (", "line 1: '(' was never closed"),
    ("x = 1\nimport nowhere_at_all", "line 2: ModuleNotFoundError: No module named 'nowhere_at_all'"),
    ("import sys\nsys.exit(0)", "line 2: SystemExit: 0"),
    ("x = 1", "defines none of STRATEGIES, WORKLOADS, BOARDS, DEVICES"),
    ("STRATEGIES = []", "defines none of STRATEGIES, WORKLOADS, BOARDS, DEVICES"),
    ("STRATEGIES = 5", "STRATEGIES: 5 is no list of Strategy"),
    ("DEVICES = [5]", "DEVICES: [5] is no dict of Kind"),
    ("STRATEGIES = [1]", "STRATEGIES: 1 is no Strategy"),
    (
        "from kernel_model.strategies import STRATEGIES as s\nSTRATEGIES = list(s.values())",
        "STRATEGIES: the name 'grow' is taken",
    ),
    (
        "from kernel_model.strategies import Strategy\nSTRATEGIES = 2 * [Strategy('x', '', '')]",
        "STRATEGIES: the name 'x' is taken",
    ),
    (
        "from kernel_model.strategies import Strategy\nSTRATEGIES = [Strategy(7, '', '')]",
        "STRATEGIES: 7 is no name of Strategy",
    ),
    (
        (
            "from dataclasses import replace\nfrom emu.board import BOARDS as b\n"
            "BOARDS = [replace(b['firebee'], name='x', ram=())]"
        ),
        "line 3: BoardError: board 'x' has no RAM",
    ),
    (
        (
            "from dataclasses import replace\nfrom emu.board import BOARDS as b\n"
            "BOARDS = [replace(b['firebee'], name='x', ram=((0, 1 << 40),))]"
        ),
        "line 3: BoardError: board 'x': no 1099511627776 bytes at 0x0 in 32 bits of addresses",
    ),
    (
        "from kernel_model.strategies import Strategy\nSTRATEGIES = [Strategy('x', '', '', cannot=5)]",
        "STRATEGIES: 5 is no cannot of Strategy",
    ),
    (
        "from kernel_model.devices import Kind\nDEVICES = {'x': Kind('1 MB', True, '')}",
        "DEVICES: '1 MB' is no size of Kind",
    ),
    (
        "from kernel_model.devices import CATALOGUE as c\nDEVICES = {'usb': c['usb']}",
        "DEVICES: the name 'usb' is taken",
    ),
)


def cfemu(*arguments: object, **variables: str) -> subprocess.CompletedProcess[str]:
    """A process of its own, for a plugin stays loaded."""
    return subprocess.run(
        command(*arguments), cwd=ROOT, env=environment() | variables, capture_output=True, text=True, check=False,
        timeout=120,
    )  # fmt: skip


def error_of(done: subprocess.CompletedProcess[str]) -> str:
    """The one line of a command that could not begin."""
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    return done.stderr


def words(text: str) -> set[str]:
    return set(re.findall(r"[\w-]+", text))


def without_plugins(text: str) -> str:
    return re.sub(r"--plugin[ =]\S+ ?", "", text)


@pytest.mark.parametrize("line", COMMANDS)
def test_the_commands_of_the_document_need_the_plugin_and_work(line: str) -> None:
    done = cfemu(*shlex.split(line)[1:])
    assert done.returncode == 0, done.stderr
    assert {"half", "mine"} & words(done.stdout)
    other = cfemu(*shlex.split(without_plugins(line))[1:])
    assert other.returncode == 2 or not {"half", "mine"} & words(other.stdout)


def test_the_example_is_what_it_says() -> None:
    """Half of the reserve is made at boot, and slabs are taken for the rest of the devices."""
    names = ("half", "reserve", "slab")
    strategies = [word for name in names for word in ("--strategy", name)]
    done = cfemu("compare", "--plugin", EXAMPLE, "--mapping", "acr", *strategies, "--json")
    rows = {row["strategy"]: row for row in json.loads(done.stdout)["rows"]}
    assert all(row["device_pages"]["refused"] == 0 for row in rows.values())
    taken = {name: row["frames"]["taken_back"] for name, row in rows.items()}
    assert taken["reserve"] == 0 < taken["half"] < taken["slab"]
    # The reserve is 160 MB of device memory: 80 of it, 10240 headers, are there; 56 bytes each, 146 to a slab.
    assert taken["slab"] - taken["half"] in (10240 // 146, 10240 // 146 + 1)


def test_a_board_of_a_plugin_has_a_kernel(tmp_path: Path) -> None:
    scenario = tmp_path / "mine.toml"
    scenario.write_text('plugins = ["mine.py"]\nboard = "mine"\nstrategies = ["half"]\nmappings = ["locked-1m"]\n')
    (tmp_path / "mine.py").write_text(EXAMPLE.read_text())
    done = cfemu("compare", scenario, "--json")
    assert done.returncode == 0, done.stderr
    (row,) = json.loads(done.stdout)["rows"]
    assert (row["board"], row["strategy"], row["refusal"]) == ("mine", "half", None)


@pytest.mark.parametrize(("name", "word"), [("workloads", "short-calls"), ("strategies", "half"), ("boards", "mine")])
def test_a_plugin_is_in_the_lists(name: str, word: str) -> None:
    assert word in cfemu(name, f"--plugin={EXAMPLE}").stdout.split()
    assert word in cfemu(name, **{VARIABLE: str(EXAMPLE)}).stdout.split()
    assert word not in cfemu(name).stdout.split()


def test_advice_tries_the_strategies_of_a_plugin(tmp_path: Path) -> None:
    """And says of this one where it cannot work."""
    scenario = tmp_path / "short.toml"
    scenario.write_text('workload.run = ["boot"]\n')
    done = cfemu("advise", scenario, "--plugin", EXAMPLE, "--devices", "camera", "--goal", "memory", "--json")
    assert done.returncode == 0, done.stderr
    assert "half/paged-8k" in json.loads(done.stdout)["impossible"]


def test_rows_depend_on_the_source_of_the_plugin(tmp_path: Path) -> None:
    """A sweep of a plugin's strategy, workload and device; a plugin that has changed has other runs."""
    plugin, table = tmp_path / "mine.py", tmp_path / "rows.parquet"
    plugin.write_text(EXAMPLE.read_text())
    sweep = write_sweep(tmp_path, AXES, OWN_BASE)
    names = []
    for change in ("", "# changed\n"):
        plugin.write_text(EXAMPLE.read_text() + change)
        done = cfemu("--plugin", plugin, "sweep", sweep, "--out", table, "--fresh")
        assert done.returncode == 0, done.stderr
        rows = rows_of(table)
        assert [(row["strategy"], row["status"]) for row in rows] == [("half", "done"), ("slab", "done")]
        assert [name for name, _ in rows[0]["workloads"]] == ["boot", "bring-up", "short-calls"]
        names.append({row["run"] for row in rows})
    assert not names[0] & names[1]
    again = cfemu("rerun", table, "--row", 0, "--plugin", plugin)
    assert again.returncode == 0, again.stdout + again.stderr
    assert "made with the plugin mine.py, which is not loaded" in error_of(cfemu("rerun", table, "--row", 0))
    assert "made with the plugin mine.py, which is not loaded" in error_of(
        cfemu("report", table, "--out", tmp_path / "page.html")
    )


def test_a_sweep_names_its_plugins_and_its_report_says_how_to_make_the_rows_again(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(EXAMPLE.read_text())
    sweep = write_sweep(tmp_path, AXES, 'plugins = ["mine.py"]\n' + OWN_BASE)
    page = tmp_path / "page.html"
    done = cfemu("report", sweep, "--out", page)
    assert done.returncode == 0, done.stderr
    line = re.search(r"cfemu rerun (.*? --row 0 --plugin .*?)<", page.read_text())
    assert line is not None
    again = cfemu("rerun", *shlex.split(line[1]))
    assert again.returncode == 0, again.stdout + again.stderr
    assert "(half, acr)" in again.stdout


@pytest.mark.parametrize(("text", "message"), BROKEN, ids=[message for _, message in BROKEN])
def test_a_broken_plugin_is_one_line(tmp_path: Path, text: str, message: str) -> None:
    plugin = tmp_path / "broken.py"
    plugin.write_text(text)
    assert error_of(cfemu("strategies", "--plugin", plugin)) == f"cfemu: plugin {plugin}: {message}\n"


def test_a_broken_plugin_of_a_sweep_is_one_line(tmp_path: Path) -> None:
    sweep = write_sweep(tmp_path, AXES, 'plugins = ["broken.py"]\n' + OWN_BASE)
    assert f"plugin {tmp_path / 'broken.py'}: no such file or directory" in error_of(cfemu("sweep", sweep))


def test_plugins_that_cannot_be_loaded(tmp_path: Path) -> None:
    assert "plugin nowhere.py: no such file or directory" in error_of(cfemu("strategies", "--plugin", "nowhere.py"))
    text = tmp_path / "plugin.txt"
    text.write_text("x = 1\n")
    assert f"plugin {text}: not a Python file (.py)" in error_of(cfemu("strategies", "--plugin", text))
    with pytest.raises(UsageError, match="no such file or directory"):
        load_plugins([Path("a\0b")])
    other = tmp_path / EXAMPLE.name
    other.write_text(EXAMPLE.read_text())
    twice = cfemu("strategies", "--plugin", EXAMPLE, "--plugin", other)
    assert f"another plugin is called {EXAMPLE.name}: {EXAMPLE}" in error_of(twice)
    assert cfemu("strategies", "--plugin", EXAMPLE, "--plugin", EXAMPLE).returncode == 0


def test_an_installed_distribution_brings_a_plugin(tmp_path: Path) -> None:
    (tmp_path / "half_plugin.py").write_text(EXAMPLE.read_text())
    info = tmp_path / "half-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: half\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[cfemu.plugins]\nhalf = half_plugin\n")
    path = f"{tmp_path}:{ROOT}"
    assert "an example" in cfemu("strategies", PYTHONPATH=path).stdout
    (tmp_path / "half_plugin.py").write_text("1 / 0\n")
    error = error_of(cfemu("strategies", PYTHONPATH=path))
    assert error == "cfemu: plugin half (half_plugin): ZeroDivisionError: division by zero\n"


def test_options_may_stand_anywhere() -> None:
    files = [Path("a.py"), Path("b.py")]
    assert split_arguments(["--plugin", "a.py", "run", "x", "--plugin=b.py", "--json"]) == (
        ["run", "x", "--json"],
        files,
    )
    assert split_arguments(["run", "--", "--plugin", "c.py"]) == (["run", "--", "--plugin", "c.py"], [])
    with pytest.raises(UsageError, match="--plugin: names no file"):
        split_arguments(["run", "--plugin"])


FAILING = """
from dataclasses import replace
from kernel_model.strategies import STRATEGIES as s
STRATEGIES = [replace(s["grow"], name="bad", {function})]
"""
FUNCTIONS = (
    ("boot_memory=lambda reserves: 1 / 0", "line 4: boot_memory of bad: ZeroDivisionError: division by zero"),
    ("boot_memory=lambda reserves: 'much'", "boot_memory of bad: 'much' is no answer"),
    ("boot_memory=lambda reserves: -1", "boot_memory of bad: -1 is no answer"),
    ("on_grow=lambda request, memory: 1 / 0", "line 4: on_grow of bad: ZeroDivisionError: division by zero"),
    ("on_grow=lambda request, memory: None", "on_grow of bad: None is no answer"),
    ("on_grow=lambda request, memory: ('a', 1 << 99)", f"on_grow of bad: ('a', {1 << 99}) is no answer"),
)


@pytest.mark.parametrize(("function", "message"), FUNCTIONS, ids=[message for _, message in FUNCTIONS])
def test_a_function_that_fails_is_one_line(tmp_path: Path, function: str, message: str) -> None:
    plugin = tmp_path / "broken.py"
    plugin.write_text(FAILING.format(function=function))
    done = cfemu("compare", "--plugin", plugin, "--strategy", "bad", "--mapping", "paged-8k")
    assert error_of(done) == f"cfemu: plugin {plugin}: {message}\n"


def test_a_workload_that_fails_is_one_line(tmp_path: Path) -> None:
    plugin, scenario = tmp_path / "broken.py", tmp_path / "x.toml"
    plugin.write_text(
        "from kernel_model.workloads import Workload\nWORKLOADS = [Workload('w', '', lambda guest: 1 / 0)]\n"
    )
    scenario.write_text('workload.run = ["w"]\n')
    done = cfemu("compare", scenario, "--plugin", plugin, "--strategy", "grow", "--mapping", "paged-8k")
    assert error_of(done) == f"cfemu: plugin {plugin}: line 2: run of w: ZeroDivisionError: division by zero\n"
