"""The version: git's where there is a repository, the installation's elsewhere, and the same number from both."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from setuptools_scm import get_version

from emu import version as module
from emu.version import UNKNOWN, is_ours, of_installation, of_work_tree

ROOT = Path(__file__).resolve().parents[2]
PYPROJECT = '[project]\nname = "cfemu"\n'
#: Nobody's settings, and times that do not matter.
ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if not name.startswith("GIT_")},
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
    **{f"GIT_{who}_{what}": "t@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
}


def git(root: Path, *arguments: str) -> None:
    subprocess.run(["git", "-C", str(root), *arguments], check=True, capture_output=True, env=ENVIRONMENT)


def commit(root: Path, text: str) -> None:
    (root / "pyproject.toml").write_text(PYPROJECT + text)
    git(root, "add", ".")
    git(root, "commit", "-q", "-m", text or "empty")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = tmp_path / "cfemu"
    root.mkdir()
    git(root, "init", "-q")
    commit(root, "# one\n")
    return root


def built(root: Path) -> str:
    """What a wheel of this work tree would say."""
    return get_version(root=str(root), fallback_version="0.1.dev0")


def test_commits_without_a_tag_lead_to_the_first_release(repository: Path) -> None:
    commit(repository, "# two\n")

    found = of_work_tree(repository)

    assert found is not None
    assert found.startswith("0.1.dev2+g")
    assert found == built(repository)


@pytest.mark.parametrize(
    ("tag", "next_release"),
    [("v0.1.0", "0.1.1"), ("1.9", "1.10"), ("v2.0rc1", "2.0rc2")],
    ids=["v", "bare", "candidate"],
)
def test_a_tag_is_a_release_and_what_follows_leads_to_the_next(repository: Path, tag: str, next_release: str) -> None:
    git(repository, "tag", tag)
    assert of_work_tree(repository) == tag.removeprefix("v") == built(repository)

    commit(repository, "# later\n")
    found = of_work_tree(repository)
    assert found is not None
    assert found.startswith(f"{next_release}.dev1+g")
    assert found == built(repository)


def test_changed_files_are_told(repository: Path) -> None:
    clean = of_work_tree(repository)
    (repository / "pyproject.toml").write_text(PYPROJECT + "# changed\n")
    assert of_work_tree(repository) == f"{clean}.dirty"

    git(repository, "tag", "v1.0")
    changed = of_work_tree(repository)
    assert changed is not None
    assert changed.startswith("1.1.dev0+g")
    assert changed.endswith(".dirty")


@pytest.mark.filterwarnings("ignore:.*is shallow and may cause errors")
def test_a_shallow_clone_counts_what_it_has(repository: Path, tmp_path: Path) -> None:
    commit(repository, "# two\n")
    shallow = tmp_path / "shallow"
    git(tmp_path, "clone", "-q", "--depth", "1", f"file://{repository}", str(shallow))

    found = of_work_tree(shallow)

    assert found is not None
    assert found.startswith("0.1.dev1+g")
    assert found == built(shallow)


def test_without_git_the_installation_answers(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(repository))

    assert of_work_tree(repository) is None


def test_the_repository_of_others_is_not_asked(repository: Path) -> None:
    assert is_ours(repository)

    (repository / "pyproject.toml").write_text('[project]\nname = "theirs"\n')
    assert not is_ours(repository)
    (repository / "pyproject.toml").unlink()
    assert not is_ours(repository)


def test_an_unpacked_sdist_says_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ROOT", tmp_path)
    module.version.cache_clear()
    (tmp_path / "PKG-INFO").write_text("Metadata-Version: 2.4\nName: cfemu\nVersion: 7.1\n\nVersion: 8\n")
    assert module.version() == of_installation(), "a directory of others"

    module.version.cache_clear()
    (tmp_path / "pyproject.toml").write_text(PYPROJECT)
    assert module.version() == "7.1"

    module.version.cache_clear()
    (tmp_path / "PKG-INFO").unlink()
    assert module.version() == of_installation()
    module.version.cache_clear()


def test_what_is_not_installed_has_no_number(monkeypatch: pytest.MonkeyPatch) -> None:
    assert of_installation() != UNKNOWN

    monkeypatch.setattr(module, "DISTRIBUTION", "cfemu-that-nobody-has-installed")
    assert of_installation() == UNKNOWN


def test_the_option_prints_one_line() -> None:
    for name in ("emu", "kernel_model.cli"):
        done = subprocess.run(
            [sys.executable, "-m", name, "--version"], cwd=ROOT, capture_output=True, text=True, check=True
        )
        assert done.stdout == f"cfemu {module.version()}\n"
