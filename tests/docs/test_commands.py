"""Every command and every program that the documents show is run here, as a reader would, or is covered elsewhere."""

import ast
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from benchmarks.documents import COVERED as TABLE
from benchmarks.documents import DOCUMENTS, PLAYED, ROOT, outputs
from benchmarks.sessions import Block, Session, blocks, commands, is_as_shown, shows_output

PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
SLOW = {  # seconds, on two cores that others used, too
    "README.md": 60,
    "docs/tour.md": 34,
    "docs/api.md": 20,
    "docs/howto/counts-under-test.md": 26,
    "docs/howto/replay-a-trace.md": 18,
    "docs/howto/board-or-device.md": 18,
    "docs/howto/miss-handler.md": 14,
}
COMPILER = "m68k-linux-gnu-gcc"
LANGUAGES = {"console", "sh", "python", "gdb", "text", "toml", "sql", "c", "gas", "diff", "json", "yaml", "ini"}
Covered = dict[str, dict[str, list[str]]]
COVERED: Covered = tomllib.loads(TABLE.read_text())
REASON = re.compile(r"\w+")


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def typed(block: Block) -> list[str]:
    """What a block makes a reader run: command lines, or a program by its first line."""
    if block.language == "python" and not block.title:
        return [block.first_line]
    return [command.line for command in commands(block)]


def of_the_page(page: Path) -> list[str]:
    return [line for block in blocks(page.read_text()) for line in typed(block)]


def shown_by_documents(page: Path) -> set[str]:
    """Commands in marked places, which tests/cli/test_readme.py runs."""
    if page not in DOCUMENTS:
        return set()
    return {command for commands in outputs(page.read_text()) for command in commands.split(" && ")}


def marks(page: Path) -> list[pytest.MarkDecorator]:
    return [pytest.mark.slow] if name_of(page) in SLOW else []


@pytest.mark.parametrize("page", [pytest.param(page, id=name_of(page), marks=marks(page)) for page in PAGES])
def test_the_commands_of_a_page_work(page: Path, tmp_path: Path) -> None:
    skipped = shown_by_documents(page) | set(COVERED.get(name_of(page), {}))
    if any(COMPILER in line for line in of_the_page(page)) and shutil.which(COMPILER) is None:
        pytest.skip(f"{COMPILER} is not installed (Debian's package gcc-m68k-linux-gnu)")
    session = Session(tmp_path)
    for block in blocks(page.read_text()):
        for done in session.play(block, skipped):
            printed = "\n".join(done.printed)
            assert done.status == 0, f"{done.command.line}\n{printed}"
            if shows_output(block):
                assert is_as_shown(done), f"{done.command.line}\nstale: run `make readme`; it prints now\n{printed}"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_blocks_say_what_they_are(page: Path) -> None:
    """So that no command hides in a block that nobody runs."""
    for block in blocks(page.read_text()):
        assert block.language in LANGUAGES, f"a block without a known language: {block.first_line}"
        if block.language in {"text", "gdb"}:
            assert not re.match(r"(\$ )?(cfemu|make|pytest|pip) ", block.first_line), block.first_line


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_file_that_a_page_shows_is_used(page: Path) -> None:
    """By a command behind it, or by pytest, which finds its files itself: so what is in it is tried, too."""
    found = list(blocks(page.read_text()))
    for number, block in enumerate(found):
        if block.title and not Path(block.title).name.startswith(("test_", "pytest.")):
            later = "\n".join([*of_the_page(page), *(other.body for other in found[number + 1 :] if other.title)])
            assert Path(block.title).name in later, f"nothing uses {block.title}"


def test_pages_that_show_output_are_regenerated() -> None:
    regenerated = {*DOCUMENTS, *PLAYED}
    for page in PAGES:
        skipped = COVERED.get(name_of(page), {})
        for block in blocks(page.read_text()):
            if shows_output(block) and not all(line in skipped for line in typed(block)):
                assert page in regenerated, f"{name_of(page)}: nobody regenerates {block.first_line}"


@pytest.mark.parametrize(("page", "line"), [(page, line) for page, rows in COVERED.items() for line in rows])
def test_what_is_covered_elsewhere_is_there_and_covered(page: str, line: str) -> None:
    assert line in of_the_page(ROOT / page), "a stale row: the document does not show this command"
    test, reason = COVERED[page][line]
    file, _, function = test.partition("::")
    names = {node.name for node in ast.walk(ast.parse((ROOT / file).read_text())) if isinstance(node, ast.FunctionDef)}
    assert function in names, f"there is no test {test}"
    assert REASON.search(reason)


def test_make_targets_that_documents_name_exist() -> None:
    listing = subprocess.run(["make", "-s"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    known = {line.split()[1] for line in listing.splitlines()}
    named = {
        found
        for page in PAGES
        for span in re.findall(r"`(make [^`\n]+)`", page.read_text())
        for found in re.findall(r"^make ([a-z-]+)$", span)
    }
    assert named
    assert named <= known


def test_no_slow_page_is_stale() -> None:
    assert set(SLOW) <= {name_of(page) for page in PAGES}
