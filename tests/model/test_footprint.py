"""docs/footprint.md is what stepping through the nucleus gives today."""

import pytest

from benchmarks.footprint import DOCUMENT, footprint_document


@pytest.mark.slow
def test_the_document_is_regenerated_without_a_difference() -> None:
    assert footprint_document() == DOCUMENT.read_text(), "stale: run `make footprint`"
