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


DEFECTS: tuple[Defect, ...] = ()


def mark_known_defects(items: list[pytest.Item]) -> None:
    """Mark the tests of the table as expected failures."""
    for item in items:
        for defect in DEFECTS:
            if defect.concerns(item.name):
                item.add_marker(pytest.mark.xfail(strict=False, run=defect.run, reason=defect.reason))
