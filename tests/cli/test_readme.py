"""What README.md shows is what the commands print today, and every command that it names works."""

import re

import pytest

from benchmarks.readme import ROOT, outputs, render, run_command

README = (ROOT / "README.md").read_text()
COMMANDS = re.findall(r"^\$ (cfemu .+)$", README, re.MULTILINE)
TARGETS = re.findall(r"\bmake ([a-z-]+)", README)
LINKS = re.findall(r"\]\(([^)#:]+)\)", README)


def test_the_readme_shows_real_output_of_the_comparison() -> None:
    shown = outputs(README)

    assert "cfemu compare" in shown
    assert all("```console" in body for body in shown.values())


def test_every_figure_is_what_the_command_prints() -> None:
    assert render(README) == README


@pytest.mark.parametrize("command", sorted(set(COMMANDS) - set(outputs(README))))
def test_a_command_named_in_the_readme_works(command: str) -> None:
    assert run_command(command).strip()


@pytest.mark.parametrize("target", sorted(set(TARGETS)))
def test_a_make_target_named_in_the_readme_exists(target: str) -> None:
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


@pytest.mark.parametrize("path", sorted(set(LINKS)))
def test_a_file_named_in_the_readme_exists(path: str) -> None:
    assert (ROOT / path).exists()
