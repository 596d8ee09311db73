"""The ways in that a stranger and CI use: the Makefile, its environment on odd machines, and `.ci/run`.

No package is installed here: a stand-in for python3 records what make asks of it.
"""

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TARGETS = ("compare", "test", "test-slow", "mutation", "bench", "firmware", "docs", "lint", "clean", "help")

# What the stand-in does for `-m venv`: a Python with ensurepip, Debian's without, and one that can do nothing.
WHOLE = 'case "$*" in *"-m venv"*) make_venv;; esac'
WITHOUT_ENSUREPIP = """case "$*" in
    *--without-pip*) make_venv;;
    *"-m venv"*) echo "ensurepip is not available" >&2; exit 1;;
esac"""
WITHOUT_ANY = """case "$*" in
    *"-m venv"* | *"-m pip"* | *"-m virtualenv"*) echo "No module named it" >&2; exit 1;;
esac"""
STAND_IN = """#!/bin/sh
echo "$*" >> "{log}"
make_venv() {{
    mkdir -p .venv/bin
    printf '#!/bin/sh\\necho "venv $*" >> "{log}"\\n' > .venv/bin/python
    printf '#!/bin/sh\\necho "cfemu $*"\\n' > .venv/bin/cfemu
    chmod +x .venv/bin/python .venv/bin/cfemu
}}
case "$*" in *version_info*) exit {old};; esac
{behaviour}
"""


class Workplace:
    """A directory with our Makefile and a stand-in python3."""

    def __init__(self, directory: Path, behaviour: str, *, old: bool = False) -> None:
        self.directory = directory
        self.log = directory / "log"
        shutil.copy(ROOT / "Makefile", directory)
        shutil.copy(ROOT / "pyproject.toml", directory)
        self.python = directory / "python3"
        self.python.write_text(STAND_IN.format(log=self.log, behaviour=behaviour, old=int(old)))
        self.python.chmod(0o755)

    def make(self, target: str) -> subprocess.CompletedProcess[str]:
        self.log.write_text("")
        environment = {key: value for key, value in os.environ.items() if not key.startswith("MAKE")}
        command = ["make", target, f"PYTHON={self.python}"]
        return subprocess.run(command, cwd=self.directory, env=environment, capture_output=True, text=True, check=False)

    @property
    def calls(self) -> str:
        return self.log.read_text()


def test_make_alone_lists_every_target() -> None:
    listing = subprocess.run(["make", "-s"], cwd=ROOT, capture_output=True, text=True, check=True).stdout

    assert {line.split()[1] for line in listing.splitlines()} >= set(TARGETS)


@pytest.mark.parametrize("behaviour", [WHOLE, WITHOUT_ENSUREPIP], ids=["venv", "venv without ensurepip"])
def test_compare_sets_up_its_environment_once(tmp_path: Path, behaviour: str) -> None:
    place = Workplace(tmp_path, behaviour)

    first = place.make("compare")
    assert first.returncode == 0, first.stderr
    assert "cfemu compare" in first.stdout
    assert re.search(r"^venv -m pip .*install .*-e \.", place.calls, re.MULTILINE)

    again = place.make("compare")
    assert again.returncode == 0
    assert place.calls == ""


def test_a_changed_pyproject_installs_again(tmp_path: Path) -> None:
    place = Workplace(tmp_path, WHOLE)
    place.make("compare")
    later = (tmp_path / ".venv" / ".installed").stat().st_mtime + 5
    os.utime(tmp_path / "pyproject.toml", (later, later))

    place.make("compare")

    assert "install" in place.calls
    assert "-m venv" not in place.calls


def test_a_python_without_venv_gets_pip_from_outside(tmp_path: Path) -> None:
    place = Workplace(tmp_path, WITHOUT_ENSUREPIP)

    place.make("compare")

    assert "-m pip --python .venv/bin/python install" in place.calls


def test_a_python_with_nothing_names_the_one_package(tmp_path: Path) -> None:
    outcome = Workplace(tmp_path, WITHOUT_ANY).make("test")

    assert outcome.returncode != 0
    assert "install the package python3-venv" in outcome.stderr
    assert not (tmp_path / ".venv").exists()


def test_an_old_python_is_refused_with_the_way_out(tmp_path: Path) -> None:
    outcome = Workplace(tmp_path, WHOLE, old=True).make("compare")

    assert outcome.returncode != 0
    assert "Python 3.11" in outcome.stderr
    assert "make PYTHON=" in outcome.stderr


def test_ci_runs_the_readme_s_test_command() -> None:
    script = (ROOT / ".ci" / "run").read_text()

    assert re.search(r"^make test$", script, re.MULTILINE)
    assert "make test " in (ROOT / "README.md").read_text()
    assert subprocess.run(["bash", "-n", str(ROOT / ".ci" / "run")], check=False).returncode == 0


def test_the_project_file_names_what_the_code_needs() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    assert project["scripts"] == {"cfemu": "kernel_model.start:main"}
    assert "unicorn>=2.1.4,<2.2" in project["dependencies"]
    assert set(project["optional-dependencies"]) == {"cluster", "docs", "notebook", "dev"}
