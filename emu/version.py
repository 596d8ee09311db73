"""Which version of this product runs: that of the commit in a work tree, of an unpacked sdist, of what was installed.

Both count alike (hatch-vcs makes the number of wheels and sdists): a tag is a release, ``0.1.dev250+gf23564d72`` is the
250th commit of what is to become 0.1. In a work tree git is asked because an editable installation keeps for ever the
number that it had when it was made.
"""

import os
import re
import subprocess
from functools import cache
from pathlib import Path

__all__ = ["DISTRIBUTION", "version"]

ROOT = Path(__file__).resolve().parents[1]
DISTRIBUTION = "cfemu"
FIRST = "0.1"  # what commits without a tag before them lead to
UNKNOWN = "0+unknown"  # neither installed nor in a repository
DIGITS = 9  # of a commit's name
PATIENCE = 10  # seconds for git


@cache
def version() -> str:
    """As PEP 440 has it; ``.dirty`` at its end says that files differ from the commit."""
    if not is_ours(ROOT):
        return of_installation()
    return (of_work_tree(ROOT) if (ROOT / ".git").exists() else of_sdist(ROOT)) or of_installation()


def is_ours(root: Path) -> bool:
    """Whether ``root`` is a work tree of this product, and not a directory of others that it was installed into."""
    try:
        return f'name = "{DISTRIBUTION}"' in (root / "pyproject.toml").read_text()
    except OSError:
        return False


def of_sdist(root: Path) -> str | None:
    """What the sdist that was unpacked at ``root`` says of itself; None where there is none."""
    try:
        found = re.search(r"^Version: (\S+)$", (root / "PKG-INFO").read_text(), re.MULTILINE)
    except OSError:
        return None
    return found and found[1]


def of_work_tree(root: Path) -> str | None:
    """None where git cannot say."""
    described = _git(root, "describe", "--tags", "--long", f"--abbrev={DIGITS}", "--dirty", "--match", "*[0-9]*")
    if described is None:  # no tag
        count = _git(root, "rev-list", "--count", "HEAD")
        commit = _git(root, "describe", "--always", f"--abbrev={DIGITS}", "--dirty", "--exclude", "*")
        described = None if count is None or commit is None else f"v{FIRST}-{count}-g{commit}"
        return None if described is None else _numbered(described, is_tag=False)
    return _numbered(described, is_tag=True)


def _numbered(described: str, *, is_tag: bool) -> str:
    """The version of ``v1.2-3-gabc-dirty``; the number before it is that of a release if ``is_tag``."""
    text = described.removesuffix("-dirty")
    dirty = ".dirty" if text != described else ""
    base, count, commit = text.removeprefix("v").rsplit("-", 2)
    if is_tag and count == "0" and not dirty:
        return base
    return f"{_next(base) if is_tag else base}.dev{count}+{commit}{dirty}"


def _next(release: str) -> str:
    """The release that will follow, if it is the smallest that can."""
    return re.sub(r"\d+$", lambda last: str(int(last[0]) + 1), release)


def _git(root: Path, *arguments: str) -> str | None:
    # Not the repository of a hook that runs us; and git has nothing to lock only to answer.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environment["GIT_OPTIONAL_LOCKS"] = "0"
    command = ["git", "-C", str(root), *arguments]
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=PATIENCE)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def of_installation() -> str:
    """What the installed distribution says."""
    from importlib import metadata  # takes 20 ms

    try:
        return metadata.version(DISTRIBUTION)
    except metadata.PackageNotFoundError:
        return UNKNOWN
