"""docs/limits.md: every choice that the code names is in the table, with the file that makes it."""

import re
from pathlib import Path

import pytest

from benchmarks.documents import ROOT

TEXT = (ROOT / "docs" / "limits.md").read_text()
ROWS = {int(row[1]): row[2] for row in re.finditer(r'^\| <a id="item-\d+"></a>(\d+) \|(.*)\|$', TEXT, re.MULTILINE)}
ITEM = re.compile(r"\b[Ii]tems? (\d+)(?: and (\d+))?|\bsheet 7, (\d+)")
FOLDERS = ("cpu", "devices", "mmu", "timing")
SOURCES = sorted(file for folder in FOLDERS for file in (ROOT / "emu" / folder).glob("*.py"))
NAMED = [
    (int(number), str(file.relative_to(ROOT)))
    for file in SOURCES
    for found in ITEM.finditer(file.read_text())
    for number in filter(None, found.groups())
]


def test_the_rows_are_numbered_without_a_gap() -> None:
    assert list(ROWS) == list(range(1, 38))


@pytest.mark.parametrize(("item", "file"), sorted(set(NAMED)))
def test_a_choice_that_the_code_names_is_listed_with_its_file(item: int, file: str) -> None:
    assert f"`{file}`" in ROWS[item]


@pytest.mark.parametrize("path", sorted(set(re.findall(r"`([\w/]+(?:\.\w+)?)`", TEXT))))
def test_a_path_that_is_named_exists(path: str) -> None:
    if path.startswith(("emu/", "kernel_model/", "firmware/", "tests/")):
        assert (ROOT / path).exists()


def test_the_code_names_items() -> None:
    assert len({item for item, _ in NAMED}) > 20
    assert Path(NAMED[0][1]).suffix == ".py"
