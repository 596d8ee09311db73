"""What the documents show is what the product prints today, and every command that the README names works."""

import re
from pathlib import Path

import pytest

from benchmarks.documents import DOCUMENTS, ROOT, outputs, render, run_command

README = (ROOT / "README.md").read_text()
COMMANDS = re.findall(r"^\$ (cfemu .+)$", README, re.MULTILINE)
TARGETS = re.findall(r"\bmake ([a-z-]+)", README)
LINKS = re.findall(r"\]\(([^)#:]+)\)", README)


def any_engine(text: str) -> str:
    """All engines give the same figures, so which of them ran is no difference."""
    return re.sub(r"\b(native|public)\b", "any", text)


def test_the_readme_shows_real_output_of_the_comparison() -> None:
    shown = outputs(README)

    assert any(command.startswith("cfemu compare") for command in shown)
    assert all("```console" in body for body in shown.values())


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_document_holds_what_the_product_prints(document: Path) -> None:
    text = document.read_text()

    assert any_engine(render(text)) == any_engine(text), "stale: run `make readme`"


@pytest.mark.parametrize("command", sorted(set(COMMANDS) - set(outputs(README))))
def test_a_command_named_in_the_readme_works(command: str) -> None:
    assert run_command(command).strip()


@pytest.mark.parametrize("target", sorted(set(TARGETS)))
def test_a_make_target_named_in_the_readme_exists(target: str) -> None:
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


@pytest.mark.parametrize("path", sorted(set(LINKS)))
def test_a_file_named_in_the_readme_exists(path: str) -> None:
    assert (ROOT / path).exists()
