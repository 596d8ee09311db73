"""The fixtures that docs/regression.md names; its commands are run by tests/docs/test_commands.py."""

import re

import pytest

from tests.support.sweeps import ROOT

TEXT = (ROOT / "docs" / "regression.md").read_text()


@pytest.mark.parametrize("name", re.findall(r"^\| `(\w+)` \| ", TEXT, re.MULTILINE))
def test_a_fixture_that_the_document_names_exists(request: pytest.FixtureRequest, name: str) -> None:
    assert request.getfixturevalue(name) is not None
