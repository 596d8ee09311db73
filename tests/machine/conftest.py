"""Every machine test runs on every way into unicorn: what the guest sees must not depend on it."""

from collections.abc import Iterator

import pytest

from tests.support.guest import ENGINES, Bench, bench


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
