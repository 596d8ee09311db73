"""docs/timing.md is what its command writes."""

import pytest

from benchmarks.timing_validation import DOCUMENT, document


@pytest.mark.slow
def test_the_document_is_regenerated_without_a_difference() -> None:
    assert document() == DOCUMENT.read_text(), "stale: run `make timing-validation`"
