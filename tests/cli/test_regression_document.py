"""The commands of docs/regression.md, in their order, and the fixtures that it names."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.sweeps import ROOT, environment

TEXT = (ROOT / "docs" / "regression.md").read_text()


def test_the_commands_of_the_document_work(tmp_path: Path) -> None:
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    commands = re.findall(r"^cfemu .+$", TEXT, re.MULTILINE)
    assert len(commands) == 5
    for command in commands:
        line = command.replace("cfemu", f"{sys.executable} -m kernel_model.cli", 1)
        subprocess.run(line, shell=True, cwd=tmp_path, env=environment(), check=True)


@pytest.mark.parametrize("name", re.findall(r"^\| `(\w+)` \| ", TEXT, re.MULTILINE))
def test_a_fixture_that_the_document_names_exists(request: pytest.FixtureRequest, name: str) -> None:
    assert request.getfixturevalue(name) is not None
