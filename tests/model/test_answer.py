"""docs/answer.md is what the rows say today."""

import pytest

from benchmarks.answer import DOCUMENT, answer_document, must, wrapped


@pytest.mark.slow
def test_the_document_is_regenerated_without_a_difference() -> None:
    assert answer_document() == DOCUMENT.read_text(), "stale: run `make answer`"


def test_a_claim_that_the_rows_do_not_bear_out_is_an_error() -> None:
    assert must(True, "so it is") == "so it is"
    with pytest.raises(RuntimeError, match="no longer say: so it is"):
        must(False, "so it is")


def test_prose_is_wrapped_and_tables_are_not() -> None:
    row = "| " + "x" * 200 + " |"
    item = "- " + "word " * 40
    lines = wrapped(f"{row}\n{item}\n").splitlines()
    assert lines[0] == row
    assert len(lines) == 3
    assert lines[2].startswith("  word")
    assert max(map(len, lines[1:])) <= 120
