"""Tests that show a defect of the engine that is not mended yet: expected to fail, with what is wrong.

The expectations stay as the hardware has them. Whoever mends a defect deletes its row: the table must end empty.
"""

from dataclasses import dataclass

import pytest

__all__ = ["mark_known_defects"]


@dataclass(frozen=True)
class Defect:
    """``tests``: test functions; ``parts``: one of them is in the parameters; ``run``: False if it may hang."""

    tests: tuple[str, ...]
    parts: tuple[str, ...]
    reason: str
    run: bool = True

    def concerns(self, name: str) -> bool:
        """Whether this is about the test item called ``name``."""
        function, _, parameters = name.partition("[")
        return function in self.tests and any(part in parameters for part in self.parts)


_CONFORMANCE = (
    "test_an_engine_agrees_with_the_reference",
    "test_slicing_a_run_changes_nothing",
    "test_interrupts_come_at_the_same_instruction",
    "test_an_engine_agrees_with_the_reference_on_many_programs",
)
DEFECTS = (
    Defect(
        ("test_isa_b_moves",), ("-128-0", "-32768-0"), "MVZ sets N from the source's top bit instead of clearing it"
    ),
    Defect(
        ("test_an_evicting_instruction_may_cross_into_the_next_page",),
        ("",),
        "a store that evicts its own page and lies on two pages is repeated",
    ),
    Defect(
        _CONFORMANCE,
        ("22-48c8d", "112-32c128d", "133-64c8d"),
        "native charges a few reads of inhibited memory more than the reference does",
        run=False,
    ),
    Defect(_CONFORMANCE, ("from1kb",), "native miscounts some accesses to 1-KB pages", run=False),
)


def mark_known_defects(items: list[pytest.Item]) -> None:
    """Mark the tests of the table as expected failures."""
    for item in items:
        for defect in DEFECTS:
            if defect.concerns(item.name):
                item.add_marker(pytest.mark.xfail(strict=False, run=defect.run, reason=defect.reason))
