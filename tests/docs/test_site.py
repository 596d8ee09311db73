"""The site builds without a warning, a broken link is an error, and nothing is loaded from the network."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from docs.builder.docstrings import ROLE, as_markdown
from docs.builder.reference import reference_pages
from docs.builder.repository import ROOT, linked_pages, relink


def make_docs(directory: Path, site: Path) -> subprocess.CompletedProcess[str]:
    """What `make docs` runs, with the pages of ``directory``."""
    (recipe,) = re.findall(r"^docs:.*\n\t@(.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    line = recipe.replace("$(BIN)/python", sys.executable).replace("$(ARGS)", f"--site-dir {site}")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(line, shell=True, cwd=directory, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("site")
    done = make_docs(ROOT, directory)
    assert done.returncode == 0, done.stderr
    return directory


def pages(site: Path) -> list[Path]:
    return sorted(site.rglob("*.html"))


def test_every_page_is_there(site: Path) -> None:
    written = {path.relative_to(ROOT / "docs").with_suffix(".html") for path in (ROOT / "docs").rglob("*.md")}
    built = {page.relative_to(site) for page in pages(site)}
    assert {str(path) for path in written} <= {str(path) for path in built}
    assert {f"reference/{name}.html" for name in ("cli", "scenario", "registers", "results", "api")} <= set(
        map(str, built)
    )


def test_nothing_is_loaded_from_the_network(site: Path) -> None:
    for page in pages(site):
        text = page.read_text()
        assert not re.findall(r'<(?:script|img|link|iframe)[^>]+(?:src|href)="(?:https?:)?//[^"]+"', text), page


def test_drawings_are_part_of_their_pages(site: Path) -> None:
    drawn = [page for page in (site / "concepts").glob("*.html") if '<svg role="img"' in page.read_text()]
    assert len(drawn) == 3
    assert not any(re.search(r"<img[^>]+\.svg", page.read_text()) for page in drawn)


def test_the_api_has_docstrings_without_roles(site: Path) -> None:
    text = (site / "reference" / "api.html").read_text()
    assert "A board with a ColdFire V4e." in text
    assert not ROLE.search(re.sub(r"<[^>]+>", "", text))


def test_a_docstring_becomes_markdown() -> None:
    text = "As :func:`~emu.board.get_board` ``x``. So::\n\n    y\n\n::\n\n    z"
    assert as_markdown(text) == "As `emu.board.get_board` `x`. So:\n\n    y\n\n\n\n    z"


def test_broken_links_are_errors(tmp_path: Path) -> None:
    links = ("nothing.md", "limits.md#nothing", "../nothing.py")
    for name in ("docs/builder", "docs/styles"):
        shutil.copytree(ROOT / name, tmp_path / name)
    (tmp_path / "docs" / "limits.md").write_text("# Limits\n")
    configuration = (ROOT / "mkdocs.yml").read_text().partition("\nnav:")[0]
    configuration = configuration.replace("docs/builder/hooks.py", str(ROOT / "docs/builder/hooks.py"))
    (tmp_path / "mkdocs.yml").write_text(configuration.replace("[.]", f"[{ROOT}]"))
    (tmp_path / "docs" / "index.md").write_text("# Index\n\n" + "\n".join(f"[x]({link})" for link in links))
    done = make_docs(tmp_path, tmp_path / "site")
    assert done.returncode != 0
    told = [line for line in (done.stderr + done.stdout).splitlines() if "index.md" in line]
    assert all(any(link in line for line in told) for link in links), told


def test_links_out_of_docs_become_pages() -> None:
    text = "[a](../examples/hello.S) `[b](../examples/hello.S)` [c](tour.md#x) [d](https://example.org) [e](../nothing)"
    assert relink(text, "index.md") == text.replace("[a](../examples/hello.S)", "[a](source/examples/hello.S.md)")
    assert relink("[a](../../examples)", "howto/x.md") == "[a](../source/examples.md)"
    found = linked_pages({"index.md": text})
    assert list(found) == ["source/examples/hello.S.md"]
    assert "walk:   movea.l" in found["source/examples/hello.S.md"]


def test_a_linked_page_brings_what_it_links_to() -> None:
    found = linked_pages({"index.md": "[a](../examples/kernel_project/README.md)"})
    assert "source/examples/kernel_project/src/miss.S.md" in found


def test_the_reference_has_every_command_key_and_register() -> None:
    text = reference_pages()
    for command in ("cfemu compare", "cfemu run", "cfemu trace replay"):
        assert f"## {command} {{" in text["reference/cli.md"]
    assert "`--max-instructions N`" in text["reference/cli.md"]
    keys = text["reference/scenario.md"].partition("## Names")[0]
    assert "| `ipc_round_trips` | 1 to 1,000,000 | `1000` | ping-pong |" in keys
    assert not re.findall(r"^\| `\w+` \|.*\|  \|$", keys, re.MULTILINE), "a key without a meaning"
    assert "[item 2](../limits.md#item-2)" in text["reference/registers.md"]
    assert "| `worst_operation_cycles` | BIGINT |" in text["reference/results.md"]
