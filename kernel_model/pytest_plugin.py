"""The kernel model's part of the pytest plugin: scenarios, their rows and their sessions (docs/regression.md).

Like :mod:`emu.pytest_plugin`, this imports nothing but pytest until a fixture is used.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from kernel_model.results import Row
    from kernel_model.scenario import Scenario
    from kernel_model.session import Session

__all__ = ["Scenarios"]


class Scenarios:
    """``scenario("default")``: a scenario by name or file; ``row`` and ``session`` run one strategy of it."""

    def __init__(self, directory: Path, stack: ExitStack) -> None:
        self._directory = directory
        self._stack = stack

    def __call__(self, source: str | Path = "default", **changes: Any) -> "Scenario":
        """``source``: a packaged scenario's name, or a file relative to the test's file. ``changes``: tables and keys
        in the form of the file, in place of its own: ``workload={"run": ["ipc"]}``."""
        from kernel_model.scenario import changed, load_scenario, packaged_scenarios

        path = packaged_scenarios().get(str(source), self._directory / source)
        return changed(load_scenario(path), changes, str(source))

    def row(self, scenario: "Scenario", strategy: str, mapping: str = "acr", engine: str = "auto") -> "Row":
        """The row of `cfemu compare`: ``tlb_misses.check(row)`` looks at each workload."""
        from emu.options import MachineOptions
        from kernel_model.choices import Mapping
        from kernel_model.experiment import Job, run_row

        return run_row(Job(scenario, strategy, Mapping(mapping), MachineOptions(engine))).row

    def session(self, scenario: "Scenario", strategy: str, mapping: str = "acr", engine: str = "auto") -> "Session":
        """A nucleus at reset; ``session.machine`` keeps its misses one by one. Closed when the test is over."""
        from emu.board import get_board
        from emu.elf import load_elf
        from emu.options import MachineOptions
        from kernel_model.choices import Mapping
        from kernel_model.experiment import nucleus_of
        from kernel_model.layout import make_plan
        from kernel_model.session import Session
        from kernel_model.strategies import STRATEGIES

        board = get_board(scenario.board)
        plan = make_plan(scenario, board, STRATEGIES[strategy], Mapping(mapping), scenario.devices())
        elf = load_elf(nucleus_of(scenario).path)
        session = self._stack.enter_context(Session(scenario, plan, elf, MachineOptions(engine)))
        session.machine.start_profile()
        return session


@pytest.fixture
def scenario(request: pytest.FixtureRequest) -> Iterator[Scenarios]:
    """Loads scenarios, and runs them."""
    with ExitStack() as stack:
        yield Scenarios(request.path.parent, stack)
