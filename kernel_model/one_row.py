"""One row of a scenario by itself, for those who look into it: a debugger, a recording."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from emu.errors import GuestError, UsageError
from emu.options import MachineOptions
from kernel_model.comparison import Selection, select
from kernel_model.devices import synthetic
from kernel_model.experiment import Job, jobs, plan_of, wanted, with_processes
from kernel_model.layout import Plan, PlanRefused
from kernel_model.scenario import load_scenario
from kernel_model.session import Session
from kernel_model.workloads import WORKLOADS, Workload

__all__ = ["ChosenRow", "choose_row", "play"]


@dataclass(frozen=True)
class ChosenRow:
    """A combination that can work, and the one workload that is wanted of it, or None for all."""

    job: Job
    plan: Plan
    workload: Workload | None

    @property
    def name(self) -> str:
        """Without the board."""
        only = f", {self.workload.name}" if self.workload else ""
        return f"{self.job.strategy}, {self.job.mapping.value}{only}"

    def __str__(self) -> str:
        return f"{self.name} on {self.job.scenario.board}"


def choose_row(
    scenario: str | None,
    strategy: str | None = None,
    mapping: str | None = None,
    workload: str | None = None,
    options: MachineOptions | None = None,
) -> ChosenRow:
    """The first row that is asked for. ``scenario``: a file or a name; ``workload``: only this one, after bring-up.

    UsageError for unknown names and for a combination that cannot work.
    """
    names = Selection((strategy,) if strategy else (), (mapping,) if mapping else ())
    chosen = select(load_scenario(None if scenario is None else Path(scenario)), names)
    if workload is not None and workload not in WORKLOADS:
        raise UsageError(f"--workload: unknown name {workload!r}; known: {', '.join(WORKLOADS)}")
    only = None if workload is None else WORKLOADS[workload]
    return ChosenRow(*_first_possible(jobs(chosen, options), only), only)


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


def play(
    session: Session, workload: Workload | None, begin: Callable[[str], object] = lambda name: None
) -> tuple[str, ...]:
    """Run it all, calling ``begin`` with the name of each workload; what its user should know of the end."""
    try:
        if workload is None:
            work = wanted(session.scenario, shared=True)
        elif workload.device_memory is None:
            work = [WORKLOADS["boot"], *([] if workload.name == "boot" else [workload])]
        else:
            begin("boot")
            session.boot()
            work = [WORKLOADS["bring-up"], workload]
        for one in work:
            if session.halted:
                break
            begin(one.name)
            if one.prepare is not None:
                one.prepare(session)
            one.run(session)
    except GuestError as error:
        return (f"the run ends with an error: {error}",)
    return ("the kernel halts for want of headers",) if session.halted else ()
