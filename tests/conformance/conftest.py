"""Marks the conformance tests whose engine defect is known."""

import pytest

from tests.support.known_defects import mark_known_defects


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is known to be wrong."""
    mark_known_defects(items)
