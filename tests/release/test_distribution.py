"""What is published: a wheel and an sdist, looked at, installed in fresh environments outside the repository and used.

`make dist` builds them into dist/ and names that directory in CFEMU_DIST; without it they are built here. Every Python
from 3.11 to 3.13 on this machine gets an environment; the engine's compiled code is kept under the hash of its sources,
so a wheel of the same sources compiles nothing.
"""

import fcntl
import json
import os
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("emu", "kernel_model", "firmware")
SERIES = ("3.11", "3.12", "3.13")
HELLO = ROOT / "examples" / "hello.elf"
PROGRAM = ROOT / "tests" / "api" / "program.py"
#: Files that the product reads when it runs, one of each kind.
DATA = (
    *("emu/py.typed", "kernel_model/py.typed", "firmware/py.typed", "kernel_model/schema.json"),
    *("firmware/prebuilt/manifest.json", "firmware/prebuilt/nucleus-c0000000.elf", "firmware/src/start.S"),
    *("kernel_model/scenarios/default.toml", "kernel_model/report/sweeps/map.toml"),
    *("kernel_model/report/page/page.html.j2", "kernel_model/report/page/page.css", "kernel_model/report/page/page.js"),
)
SDIST = {
    *("emu", "kernel_model", "firmware", "tests", "benchmarks", "examples", "docs"),
    *("pyproject.toml", "Makefile", "README.md", "LICENSE", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"),
    *(".ci", "mkdocs.yml", "PKG-INFO", ".gitignore"),  # hatchling adds the last two
}
JUNK = (
    "__pycache__",
    ".git/",
    ".venv",
    ".mypy_cache",
    ".ruff_cache",
    ".hypothesis",
    ".pytest_cache",
    "/build/",
    ".nbi",
)
PLUGIN_TEST = """
from emu import load_elf

def test_hello(machine, tlb_misses):
    guest = machine({hello!r})
    guest.run()
    assert guest.counters().misses.dtlb == 62
"""
SWEEP = """
[axes]
strategy = ["slab"]
mapping = ["acr"]
tlb = [16, 32]
"""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of the two files: the wheel is built from the sdist, as whoever packages it would."""
    given = os.environ.get("CFEMU_DIST")
    if given:
        return Path(given).resolve()

    def build(folder: Path) -> None:
        command = [sys.executable, "-m", "build", "--outdir", str(folder), str(ROOT)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]

    return made_once(tmp_path_factory, "dist", build)


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """A directory that the processes of pytest-xdist share; the first of them fills it."""
    base = factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / name
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.lockf(lock, fcntl.LOCK_EX)
        if not folder.exists():
            folder.mkdir()
            make(folder)
    return folder


def only(folder: Path, pattern: str) -> Path:
    (found,) = folder.glob(pattern)
    return found


@cache
def tracked() -> set[str]:
    """What git has, as far as it exists in the work tree; nothing outside of a repository."""
    done = subprocess.run(["git", "-C", str(ROOT), "ls-files", "-z"], capture_output=True, text=True, check=False)
    return {name for name in done.stdout.split("\0") if name and (ROOT / name).exists()}


def test_the_wheel_has_the_packages_and_all_their_data(dist: Path) -> None:
    with zipfile.ZipFile(only(dist, "*.whl")) as wheel:
        names = {name for name in wheel.namelist() if ".dist-info/" not in name}
        assert {name.partition("/")[0] for name in names} == set(PACKAGES)
        assert set(DATA) <= names
        assert not [name for name in names for junk in JUNK if junk in name]
        ours = {name for name in tracked() if name.startswith(tuple(f"{package}/" for package in PACKAGES))}
        assert ours <= names
        assert [name for name in ours if wheel.read(name) != (ROOT / name).read_bytes()] == []


def test_the_sdist_has_the_work_tree_and_no_more(dist: Path) -> None:
    with tarfile.open(only(dist, "*.tar.gz")) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}

    assert {name.partition("/")[0] for name in names} == SDIST
    assert not [name for name in names for junk in JUNK if junk in f"/{name}"]
    missing = {name for name in tracked() if name not in names and name.partition("/")[0] in SDIST}
    assert missing == set()
    if tracked():
        assert names - tracked() <= {"PKG-INFO"}


def test_both_have_the_same_version_and_it_is_git_s(dist: Path) -> None:
    wheel, sdist = only(dist, "*.whl").name, only(dist, "*.tar.gz").name

    number = wheel.removeprefix("cfemu-").removesuffix("-py3-none-any.whl")
    assert sdist == f"cfemu-{number}.tar.gz"
    if (ROOT / ".git").exists():
        from emu.version import version

        assert number.partition(".d2")[0] == version().removesuffix(".dirty")


# --- installed


def interpreters() -> Iterator[tuple[str, Path]]:
    """The Python of these tests, and one of each other series that there is."""
    mine = f"{sys.version_info.major}.{sys.version_info.minor}"
    yield mine, Path(sys.executable)
    folders = [
        *map(Path, os.environ.get("PATH", "").split(os.pathsep)),
        *sorted(Path.home().glob(".pyenv/versions/*/bin")),
    ]
    for series in SERIES:
        if series != mine:
            candidates = (folder / f"python{series}" for folder in folders)
            yield from ((series, path) for path in [next(filter(answers, candidates), None)] if path is not None)


def answers(python: Path) -> bool:
    """Whether it is a Python that runs: pyenv has shims of those that it has not."""
    if not python.exists():
        return False
    return subprocess.run([python, "-c", "import venv"], capture_output=True, check=False).returncode == 0


class Installation:
    """An environment with the wheel in it, in a directory that knows nothing of the repository."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory / "elsewhere"
        self.bin = directory / "venv" / "bin"
        hidden = {"PYTHONPATH", "VIRTUAL_ENV", "CFEMU_PLUGINS"}
        self.environment = {name: value for name, value in os.environ.items() if name not in hidden}

    def install(self, python: Path, wheel: Path) -> None:
        self.directory.mkdir()
        self.run(str(python), "-m", "venv", str(self.bin.parent))
        self.run(str(self.bin / "python"), "-m", "pip", "install", "-q", str(wheel), "pytest")

    def run(self, *command: str, status: int = 0) -> str:
        """What a command prints in a directory of its own."""
        done = subprocess.run(
            command, cwd=self.directory, env=self.environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == status, f"{command}: status {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def cfemu(self, *arguments: str, status: int = 0) -> str:
        return self.run(str(self.bin / "cfemu"), *arguments, status=status)

    def python(self, *arguments: str) -> str:
        return self.run(str(self.bin / "python"), "-W", "error", *arguments)


@pytest.fixture(scope="module", params=list(interpreters()), ids=lambda found: str(found[0]))
def installation(request: pytest.FixtureRequest, dist: Path, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    def install(folder: Path) -> None:
        Installation(folder).install(python, only(dist, "*.whl"))

    series, python = request.param
    return Installation(made_once(tmp_path_factory, f"python{series}", install))


def test_it_is_installed_and_nothing_of_the_repository_is_used(installation: Installation, dist: Path) -> None:
    number = only(dist, "*.whl").name.removeprefix("cfemu-").removesuffix("-py3-none-any.whl")

    assert installation.cfemu("--version") == f"cfemu {number}\n"
    where = installation.python("-c", "import emu, kernel_model, firmware; print(emu.__file__, firmware.__file__)")
    assert str(ROOT) not in where
    installation.run(str(installation.bin / "python"), "-m", "pip", "check")


def test_the_doctor_is_content(installation: Installation) -> None:
    found = json.loads(installation.cfemu("doctor", "--json"))

    states = {check["name"]: check["state"] for check in found["checks"]}
    assert found["works"]
    assert {states[name] for name in ("Python", "unicorn", "libraries", "engine", "nucleus")} == {"ok"}


def test_a_program_runs(installation: Installation) -> None:
    found = json.loads(installation.cfemu("run", str(HELLO), "--board", "m5475evb", "--json"))

    assert found["console"] == "hello from the ColdFire V4e\n"
    assert found["counters"]["misses"]["dtlb"] == 62
    assert "hello.elf: segment" in installation_error(installation, "run", str(HELLO))


def installation_error(installation: Installation, *arguments: str) -> str:
    """The line about bad input."""
    done = subprocess.run(
        [installation.bin / "cfemu", *arguments],
        env=installation.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    return done.stderr


def test_strategies_are_compared_with_the_same_figures(
    installation: Installation, capsys: pytest.CaptureFixture[str]
) -> None:
    from kernel_model.cli import execute_with_plugins

    command = ["compare", "--strategy", "reserve", "--mapping", "acr", "--json"]
    assert execute_with_plugins(command) == 0

    there, here = json.loads(installation.cfemu(*command)), json.loads(capsys.readouterr().out)
    assert there["rows"] == here["rows"]
    assert there["versions"]["cfemu"] == installation.cfemu("--version").split()[1]


def test_sweeps_queries_and_the_report_find_their_files(installation: Installation) -> None:
    (installation.directory / "small.toml").write_text(SWEEP)

    assert "2 of 2 runs (2 done)" in installation.cfemu(
        "sweep", "small.toml", "--out", "rows.parquet", "--workers", "1"
    )
    assert json.loads(installation.cfemu("query", "rows.parquet", "SELECT tlb FROM runs", "--json")) == [
        {"tlb": 16}, {"tlb": 32},
    ]  # fmt: skip
    installation.cfemu("report", "rows.parquet", "--out", "page.html")
    assert "<svg" in (installation.directory / "page.html").read_text()
    assert "default" in installation.cfemu("scenarios")


def test_the_pytest_plugin_is_loaded(installation: Installation) -> None:
    folder = installation.directory / "kernel"
    folder.mkdir(exist_ok=True)
    (folder / "pytest.ini").write_text("[pytest]\ncfemu_board = m5475evb\n")
    (folder / "test_hello.py").write_text(PLUGIN_TEST.format(hello=str(HELLO)))

    assert "1 passed" in installation.python("-m", "pytest", "-q", "-p", "no:cacheprovider", str(folder))


def test_the_interface_works_and_mypy_sees_its_types(installation: Installation) -> None:
    copy = installation.directory / "program.py"
    copy.write_text(PROGRAM.read_text())

    assert installation.python(str(copy), str(HELLO)).splitlines()[0] == "62 1 [16, 32]"
    python = str(installation.bin / "python")
    installation.run(sys.executable, "-m", "mypy", "--strict", "--python-executable", python, str(copy))
    copy.write_text(PROGRAM.read_text() + "\nwrong: int = get_board('m5475evb')\n")
    said = installation.run(
        sys.executable, "-m", "mypy", "--strict", "--python-executable", python, str(copy), status=1
    )
    assert 'has type "Board"' in said
