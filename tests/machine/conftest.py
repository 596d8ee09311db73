"""Every machine test runs on every way into unicorn: what the guest sees must not depend on it."""

from collections.abc import Iterator

import pytest

from tests.support.guest import ENGINES, Bench, bench
from tests.support.known_defects import mark_known_defects


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    """native, public and reference."""
    name: str = request.param
    return name


@pytest.fixture
def guest(engine: str) -> Iterator[Bench]:
    """A fresh machine with the small supervisor environment."""
    with bench(engine) as made:
        yield made


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is known to be wrong."""
    mark_known_defects(items)
