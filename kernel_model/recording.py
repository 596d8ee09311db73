"""One row of a scenario recorded as a trace (docs/traces.md)."""

from pathlib import Path

from emu.options import MachineOptions
from emu.recording import record
from kernel_model.experiment import load_nucleus, nucleus_of
from kernel_model.one_row import choose_row, play
from kernel_model.session import Session

__all__ = ["record_scenario"]


def record_scenario(
    path: Path,
    scenario: str | None = None,
    strategy: str | None = None,
    mapping: str | None = None,
    workload: str | None = None,
    options: MachineOptions | None = None,
) -> tuple[str, ...]:
    """Run the first row that is asked for and write what its MMU sees to ``path``: a phase for each workload.

    What the user should know of the end of the run; KeyboardInterrupt has a note about it. UsageError for unknown names
    and for a combination that cannot work.
    """
    row = choose_row(scenario, strategy, mapping, workload, options)
    elf = load_nucleus(nucleus_of(row.job.scenario).path)
    with (
        Session(row.job.scenario, row.plan, elf, row.job.options) as session,
        record(session.machine, path, source=row.name) as recording,
    ):
        try:
            return play(session, row.workload, recording.begin_phase)
        except KeyboardInterrupt as error:
            error.add_note(f"{path} has what was recorded")
            raise
