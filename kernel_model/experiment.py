"""A scenario's rows: plan, boot, workloads, books.  Rows are independent of each other and can run in parallel."""

import gc
import multiprocessing
import multiprocessing.context
import os
import signal
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from emu.board import get_board
from emu.elf import Elf, load_elf
from emu.errors import UsageError
from emu.options import MachineOptions
from firmware import Nucleus, nucleus
from kernel_model.books import frame_figures, header_figures, heap_figures, refusal_in_words
from kernel_model.choices import Mapping
from kernel_model.devices import Device, synthetic
from kernel_model.layout import Plan, PlanRefused, make_plan
from kernel_model.measure import add_cycles, add_misses, workload_result, worst_operation
from kernel_model.results import Row, WorkloadResult
from kernel_model.scenario import Scenario
from kernel_model.session import Session
from kernel_model.strategies import STRATEGIES
from kernel_model.workloads import WORKLOADS, Workload

__all__ = [
    "Job",
    "RowOutcome",
    "fork_context",
    "jobs",
    "load_nucleus",
    "nucleus_of",
    "plan_of",
    "row_without_figures",
    "run_jobs",
    "run_row",
    "wanted",
    "with_processes",
]


@dataclass(frozen=True)
class Job:
    """One row to compute."""

    scenario: Scenario
    strategy: str
    mapping: Mapping
    options: MachineOptions


@dataclass(frozen=True)
class RowOutcome:
    """A finished row, and the engine that really ran ("" where the combination was refused before any ran)."""

    row: Row
    engine: str


@dataclass(frozen=True)
class Measured:
    """``finished``: it did all that the scenario asks of it; of its devices, those that it brings itself."""

    result: WorkloadResult
    finished: bool


def nucleus_of(scenario: Scenario) -> Nucleus:
    """The guest program for the scenario's board; raises UsageError when there is none."""
    board = get_board(scenario.board)
    try:
        return nucleus(board.ram[0][0])
    except (OSError, ValueError) as error:
        raise UsageError(f"board {board.name}: {error}") from None


@cache
def load_nucleus(path: Path) -> Elf:
    """The guest program in the file ``path``."""
    return load_elf(path)


def jobs(scenario: Scenario, options: MachineOptions | None = None) -> list[Job]:
    """Every strategy under every mapping that the scenario asks for, in the registries' order."""
    options = options or MachineOptions()
    strategies = scenario.strategies or list(STRATEGIES)
    mappings = scenario.mappings or list(Mapping)
    return [
        Job(scenario, strategy, mapping, options)
        for strategy in STRATEGIES
        if strategy in strategies
        for mapping in Mapping
        if mapping in mappings
    ]


def run_jobs(work: list[Job], workers: int | None = None) -> Iterator[tuple[int, RowOutcome]]:
    """Compute rows, in parallel where there is more than one processor; yields (index, row) as they finish.

    Rows are computed in this process until one has really run: whatever the engine compiles on its first use is then
    compiled once, and the workers inherit it.
    """
    waiting = dict(enumerate(work))
    count = min(workers or os.cpu_count() or 1, len(work))
    warm = False
    while waiting and not (warm and count > 1):
        index = next(iter(waiting))
        outcome = run_row(waiting.pop(index))
        warm = warm or bool(outcome.engine)
        yield index, outcome
    if not waiting:
        return
    gc.freeze()  # the workers' collections need not look at what is imported
    with ProcessPoolExecutor(count, mp_context=fork_context(), initializer=_leave_interrupts_to_the_parent) as pool:
        futures: dict[Future[RowOutcome], int] = {pool.submit(run_row, job): index for index, job in waiting.items()}
        try:
            for future in as_completed(futures):
                yield futures[future], future.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
            gc.unfreeze()


def fork_context() -> multiprocessing.context.BaseContext:
    """Fork where there is fork: the workers then share what the parent has already imported and compiled."""
    methods = multiprocessing.get_all_start_methods()
    return multiprocessing.get_context("fork" if "fork" in methods else methods[0])


def _leave_interrupts_to_the_parent() -> None:
    """Ctrl-C reaches every process of the terminal; the parent alone decides what becomes of the rows."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def run_row(job: Job) -> RowOutcome:
    """Compute one row, and let go of the memory of its machines."""
    try:
        return _compute(job)
    finally:
        gc.collect()  # a machine is part of reference cycles; its RAM would pile up until the collector feels like it


def _compute(job: Job) -> RowOutcome:
    scenario = job.scenario
    try:
        plan = plan_of(job, scenario.devices())
    except PlanRefused as reason:
        return RowOutcome(row_without_figures(job, str(reason)), "")
    firmware = nucleus_of(scenario)
    results: dict[str, Measured | None] = {}
    with Session(scenario, plan, load_nucleus(firmware.path), job.options) as session:
        for workload in wanted(scenario, shared=True):
            results[workload.name] = None if session.halted else measure(session, workload)
        heap, frames, pages = heap_figures(session), frame_figures(session.model), session.device_pages()
        refusal, headers = refusal_in_words(session), header_figures(session.model)
        session.console_drill()
        console, engine = session.console_reached(), session.machine.engine
    for workload in wanted(scenario, shared=False):
        results[workload.name] = _alone(job, workload)
    done = {name: measured.result for name, measured in results.items() if measured is not None}
    row = Row(
        **_identity(job),
        firmware=firmware.sha256,
        refusal=refusal,
        instructions=sum(result.instructions for result in done.values()),
        cycles=add_cycles(result.cycles for result in done.values()),
        misses=add_misses(result.misses for result in done.values()),
        heap=heap,
        frames=frames,
        device_pages=pages,
        unplugged_headers=headers,
        console=console,
        worst_operation=worst_operation(done.values()),
        unfinished=[name for name, measured in results.items() if measured is None or not measured.finished],
        workloads=done,
    )
    return RowOutcome(row, engine)


def plan_of(job: Job, devices: tuple[Device, ...]) -> Plan:
    """The job's layout with these devices; PlanRefused where the combination cannot work."""
    return make_plan(job.scenario, get_board(job.scenario.board), STRATEGIES[job.strategy], job.mapping, devices)


def wanted(scenario: Scenario, *, shared: bool) -> list[Workload]:
    """The workloads that share the scenario's machine, or those that have one of their own."""
    names = scenario.workload.run
    return [
        workload
        for workload in WORKLOADS.values()
        if (workload.device_memory is None) is shared and _chosen(workload, names)
    ]


def _chosen(workload: Workload, names: list[str] | None) -> bool:
    return workload.always or (workload.by_default if names is None else workload.name in names)


def measure(session: Session, workload: Workload) -> Measured:
    """Run one workload between two readings of the counters."""
    if workload.prepare is not None:
        workload.prepare(session)
    before = session.counters()
    did_all = workload.run(session) is not False and not session.halted
    result = workload_result(session.counters() - before, session.device_pages())
    return Measured(result, did_all and (workload.device_memory is None or not result.device_pages.refused))


def _alone(job: Job, workload: Workload) -> Measured | None:
    """Run a workload on a machine of its own, with its own device memory attached before the counting begins.

    None when the kernel halted while the devices were attached, or when the strategy cannot work with them.
    """
    elf = load_nucleus(nucleus_of(job.scenario).path)
    job = with_processes(job, workload)
    try:
        plan = plan_of(job, synthetic(workload.device_memory or 0))
    except PlanRefused:
        return None
    with Session(job.scenario, plan, elf, job.options) as session:
        session.boot()
        WORKLOADS["bring-up"].run(session)
        return None if session.halted else measure(session, workload)


def with_processes(job: Job, workload: Workload) -> Job:
    """The job with as many user processes as the workload needs."""
    if workload.processes is None:
        return job
    table = msgspec.structs.replace(job.scenario.workload, processes=workload.processes(job.scenario.workload))
    return replace(job, scenario=msgspec.structs.replace(job.scenario, workload=table))


def row_without_figures(job: Job, reason: str | None) -> Row:
    """The row of a combination that is refused for ``reason``, or (None) that could not be computed."""
    return Row(**_identity(job), firmware=None, refusal=reason)


def _identity(job: Job) -> dict[str, Any]:
    kernel = job.scenario.kernel
    return {
        "strategy": job.strategy,
        "mapping": job.mapping.value,
        "handler": kernel.handler.value,
        "board": job.scenario.board,
        "flush": kernel.flush.value,
        "allocation": kernel.allocation.value,
        "seed": job.scenario.seed,
    }
