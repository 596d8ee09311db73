"""One row of a scenario under a debugger: run once as `cfemu compare` runs it, then played again as often as wanted.

The kernel's half in Python cannot be stepped back, so the run is recorded first: its answers to hypercalls, the cards
that were plugged in. The debugger then moves in the recorded run, in both directions; when the guest is changed so that
it asks something else, nobody answers.
"""

from collections.abc import Callable
from pathlib import Path

from emu.debug.history import DEFAULT_MEMORY, Edge, History, Moment
from emu.debug.session import Session as DebugSession
from emu.debug.target import Target
from emu.elf import Elf
from emu.errors import GuestError, UsageError
from emu.machine import RunResult, StopReason
from emu.options import MachineOptions
from kernel_model.comparison import Selection, select
from kernel_model.devices import synthetic
from kernel_model.experiment import Job, jobs, load_nucleus, nucleus_of, plan_of, wanted, with_processes
from kernel_model.layout import Plan, PlanRefused
from kernel_model.processes import Processes
from kernel_model.scenario import Scenario, load_scenario
from kernel_model.session import INSTRUCTION_BUDGET, Session
from kernel_model.workloads import WORKLOADS, Workload

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
    names = Selection((strategy,) if strategy else (), (mapping,) if mapping else ())
    chosen = select(load_scenario(None if scenario is None else Path(scenario)), names)
    if workload is not None and workload not in WORKLOADS:
        raise UsageError(f"--workload: unknown name {workload!r}; known: {', '.join(WORKLOADS)}")
    only = None if workload is None else WORKLOADS[workload]
    job, plan = _first_possible(jobs(chosen, options), only)
    session = RecordedSession(job.scenario, plan, load_nucleus(nucleus_of(chosen).path), job.options, memory)
    note = _record(session, only)
    history = session.history
    history.end_recording()
    history.goto(history.first)
    history.show_console(on_console)
    title = (
        f"{job.strategy}, {job.mapping.value} on {chosen.board}: {history.last.instructions:,} instructions recorded"
    )
    elf = nucleus_of(chosen).path
    return Target(DebugSession(session.machine, history=history), title, (elf,), Processes(session), note)


def _first_possible(work: list[Job], workload: Workload | None) -> tuple[Job, Plan]:
    """The first row that is not refused, with its layout; UsageError with the first reason when all are."""
    reasons = []
    for job in work:
        devices = job.scenario.devices()
        if workload is not None and workload.device_memory is not None:
            job, devices = with_processes(job, workload), synthetic(workload.device_memory)
        try:
            return job, plan_of(job, devices)
        except PlanRefused as reason:
            reasons.append(f"{job.strategy}, {job.mapping.value}: {reason}")
    raise UsageError(reasons[0])


def _record(session: RecordedSession, workload: Workload | None) -> tuple[str, ...]:
    """Run it all; what its user should know of the end."""
    try:
        if workload is None:
            work = wanted(session.scenario, shared=True)
        elif workload.device_memory is None:
            work = [WORKLOADS["boot"], *([] if workload.name == "boot" else [workload])]
        else:
            session.boot()
            work = [WORKLOADS["bring-up"], workload]
        for one in work:
            if session.halted:
                break
            if one.prepare is not None:
                one.prepare(session)
            one.run(session)
    except GuestError as error:
        return (f"the run ends with an error: {error}",)
    return ("the kernel halts for want of headers",) if session.halted else ()
