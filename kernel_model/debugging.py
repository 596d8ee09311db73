"""One row of a scenario under a debugger: run once as `cfemu compare` runs it, then played again as often as wanted.

The kernel's half in Python cannot be stepped back, so the run is recorded first: its answers to hypercalls, the cards
that were plugged in. The debugger then moves in the recorded run, in both directions; when the guest is changed so that
it asks something else, nobody answers.
"""

from collections.abc import Callable

from emu.debug.history import DEFAULT_MEMORY, Edge, History, Moment
from emu.debug.session import Session as DebugSession
from emu.debug.target import Target
from emu.elf import Elf
from emu.errors import GuestError
from emu.machine import RunResult, StopReason
from emu.options import MachineOptions
from kernel_model.experiment import load_nucleus, nucleus_of
from kernel_model.layout import Plan
from kernel_model.one_row import choose_row, play
from kernel_model.processes import Processes
from kernel_model.questions import tell_call
from kernel_model.scenario import Scenario
from kernel_model.session import INSTRUCTION_BUDGET, Session

__all__ = ["open_scenario"]

REASONS = {
    Edge.HALT: StopReason.HALT,
    Edge.STOPPED: StopReason.STOPPED,
    Edge.RESET: StopReason.RESET,
    Edge.HYPERCALL: StopReason.HYPERCALL,
    Edge.EXIT: StopReason.EXIT,
}


class RecordedSession(Session):
    """A nucleus whose run goes into a history."""

    def __init__(self, scenario: Scenario, plan: Plan, elf: Elf, options: MachineOptions, memory: int) -> None:
        super().__init__(scenario, plan, elf, options)
        self.history = History(self.machine, memory=memory)

    def advance(self) -> RunResult:
        """As the history runs it."""
        limit = Moment(self.history.now.instructions + INSTRUCTION_BUDGET, 0, 0)
        arrival = self.history.forward(limit)
        if arrival.edge is Edge.ERROR:
            raise GuestError(arrival.text, self.machine.describe())
        reason = StopReason.INSTRUCTIONS if arrival.edge is None else REASONS[arrival.edge]
        return RunResult(reason, self.machine.registers["pc"])


def open_scenario(
    scenario: str | None,
    strategy: str | None = None,
    mapping: str | None = None,
    workload: str | None = None,
    options: MachineOptions | None = None,
    *,
    memory: int = DEFAULT_MEMORY,
    on_console: Callable[[bytes], None] | None = None,
) -> Target:
    """Record the first row that is asked for, and be at its reset. ``workload``: only this one, after bring-up.

    UsageError for unknown names and for a combination that cannot work.
    """
    row = choose_row(scenario, strategy, mapping, workload, options)
    elf = nucleus_of(row.job.scenario).path
    session = RecordedSession(row.job.scenario, row.plan, load_nucleus(elf), row.job.options, memory)
    note = play(session, row.workload)
    history = session.history
    history.end_recording()
    history.goto(history.first)
    history.show_console(on_console)
    title = f"{row}: {history.last.instructions:,} instructions recorded"
    debugged = DebugSession(session.machine, history=history)
    return Target(debugged, title, (elf,), Processes(session), note, tell_call)
