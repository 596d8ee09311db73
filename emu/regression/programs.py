"""What ``cfemu check`` compares: ELF files that it runs, and result files."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from emu.board import DEFAULT_BOARD
from emu.errors import UsageError
from emu.foreground import Setup, build_machine, read_program
from emu.machine import StopReason
from emu.mmu.state import HARDWARE_ENTRIES
from emu.options import MachineOptions
from emu.regression.measure import measure
from emu.regression.misses import Measurement
from emu.regression.results import is_json, read_results

__all__ = ["Conditions", "measure_files"]


@dataclass(frozen=True)
class Conditions:
    """How to run an ELF; None = as it was accepted, or the default."""

    board: str | None = None
    tlb: int | None = None
    max_instructions: int | None = None
    engine: str = "auto"


def measure_files(
    baseline: Path, accepted: Mapping[str, Measurement], files: Sequence[Path], conditions: Conditions
) -> tuple[dict[str, Measurement], bool]:
    """Measurements by name, and whether they should be all that ``accepted`` has."""
    found: dict[str, Measurement] = {}
    if not files:
        programs = {name: entry for name, entry in accepted.items() if "elf" in entry.run}
        if not programs:
            raise UsageError(f"{baseline}: no ELF was accepted, so none can be run again; name a file")
        for name, entry in programs.items():
            found[name] = _run(baseline.parent / str(entry.run["elf"]), baseline, entry, conditions)
        return found, len(programs) == len(accepted)
    results = False
    for path in files:
        if not path.is_file():
            raise UsageError(f"{path}: no such file")
        if is_json(path):
            results = True
            more = read_results(path)
        else:
            more = {path.name: _run(path, baseline, accepted.get(path.name), conditions)}
        twice = sorted({*found} & {*more})
        if twice:
            raise UsageError(f"{path}: {twice[0]} is in an earlier file, too")
        found |= more
    return found, results


def _run(elf: Path, baseline: Path, entry: Measurement | None, conditions: Conditions) -> Measurement:
    """Run one ELF to its end or its budget, without input."""
    before = entry.run if entry is not None else {}
    board = conditions.board or str(before.get("board", DEFAULT_BOARD))
    tlb = conditions.tlb or int(before.get("tlb", HARDWARE_ENTRIES))
    budget = conditions.max_instructions or int(before.get("max_instructions", 0)) or None
    setup = Setup(elf, board, MachineOptions(conditions.engine, tlb=tlb), profile=True)
    with build_machine(setup, read_program(setup)) as machine:
        result = machine.run(max_instructions=budget)
        if result.reason is StopReason.HYPERCALL:
            raise UsageError(f"{elf}: it makes a hypercall, which only `cfemu compare` answers")
        found = measure(machine)[""]
    run: dict[str, str | int] = {"elf": os.path.relpath(elf, baseline.parent), "board": board, "tlb": tlb}
    if budget is not None:
        run["max_instructions"] = budget
    return replace(found, run=run)
