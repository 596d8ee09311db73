"""``make footprint``: docs/footprint.md, which cache lines and pages the kernel's operations touch.

The public engine runs instructions one at a time and lists each one's accesses before it runs (emu.cpu.accesses), so
the nucleus is stepped through its workloads and every address is put down to the operations that have begun and not
ended. Of what the firmware does not mark, calls of two functions are followed from their first instruction to their
return. The heap is mapped by an ACR: no handler of misses adds accesses of its own.
"""

import sys
from collections import defaultdict
from dataclasses import dataclass, field
from statistics import median_low
from typing import Any

import msgspec
import numpy as np

from benchmarks.documents import ROOT
from emu.board import get_board
from emu.elf import load_elf
from emu.machine import RunResult, StopReason
from emu.options import MachineOptions
from kernel_model import abi
from kernel_model.choices import Mapping
from kernel_model.devices import Arrival
from kernel_model.experiment import nucleus_of
from kernel_model.layout import make_plan
from kernel_model.scenario import Scenario, load_scenario, packaged_scenarios
from kernel_model.session import Session
from kernel_model.strategies import STRATEGIES
from kernel_model.workloads import WORKLOADS

__all__ = ["DOCUMENT", "footprint_document"]

DOCUMENT = ROOT / "docs" / "footprint.md"
STEP = 20  # allocations between two looks at the reclaim list
LINE_BITS, PAGE_BITS = 4, 13  # 16-byte cache lines, 8-KB pages
MAILBOX = 0x30000  # behind MBAR (emu.devices.registers)
BEGIN, END = 0x48, 0x4C
STRATEGY = "reserve"  # all headers lie in the heap

# Calls that are followed, and what they are called in the table (firmware/src/objects.c, ipc.c).
PREPARE, SWITCH = "prepare", "switch_to"
READY, LISTED = "prepare, already prepared", "prepare, on the check list"
CAP_TARGET, CAP_PREPARED = 12, 0x8000_0000  # struct capability of firmware/include/kernel.h
HEADER_AGE, AGE_ACTIVE, AGE_CHECK = 36, 1, 2  # its struct header

WATCHED = ("ping-pong", "frame-buffer", "cold-prepare-0", "fault-storm", "string-ipc", "churn", "aging", "hot-plug")
AMOUNTS = {
    "ipc_round_trips": 20,
    "prepares": 200,
    "frame_buffer_rounds": 20,
    "storm_touches": 100,
    "string_round_trips": 2,
    "churn_live": 16,
    "churn_exchanges": 10,
    "aging_allocations": 40,
    "hot_plug_cycles": 2,
}
TEXT = """\
# What kernel operations touch

Written by `make footprint`. The nucleus is stepped through its workloads on a 128-MB board with 160 MB of device
memory attached, strategy reserve, heap mapped by an ACR; each access of each instruction is put down to the operations
that have begun and not ended. Prepares of prepared capabilities and switches, which the nucleus does not mark, are
calls of `prepare` and `switch_to` in marked operations. Estimates are those that section 5 of the kernel sheet read off
Coyotos's source; no estimate where there is none. Lines have 16 bytes, pages 8 KB. Figures are least / median / most of
all executions.

| operation | times | data lines, estimate | data lines | in the heap | heap pages, estimate | heap pages | code lines |
|---|--:|---|--:|--:|---|--:|--:|
{table}

A prepare of a prepared capability writes the stack and the number of the operation besides what was estimated. None
met an object on the check list: what these workloads have prepared is in use. A switch writes one register to clear the
TLB, and prepares the address space of the process; what it costs comes later, as misses.

Where more pages are touched than was estimated, lists are the reason: an object that comes into use moves to the front
of its age list, and so writes to the headers of two neighbours there and two where it came from, each of which may lie
on a page of its own. The 512 lines of allocate, rescind and detach are those of the page that is cleared. The first IPC
between two processes prepares all their capabilities, hence its maximum.
"""


@dataclass
class Footprint:
    """What one execution of an operation touched: numbers of lines and pages."""

    lines: set[int] = field(default_factory=set)
    heap_lines: set[int] = field(default_factory=set)
    heap_pages: set[int] = field(default_factory=set)
    code_lines: set[int] = field(default_factory=set)


Execution = tuple[Footprint, set[abi.Operation]]
"""And the operations that ran inside it."""


@dataclass(frozen=True)
class Estimate:
    """A line of section 5 of the kernel sheet, and the operation of the nucleus that it speaks of."""

    what: str
    lines: str
    pages: str
    operation: abi.Operation | str
    """Or the call that is followed."""
    holds: abi.Operation | None = None
    """Only executions inside of which this one ran."""
    lacks: abi.Operation | None = None
    """Only executions inside of which this one did not run."""

    def speaks_of(self, execution: Execution) -> bool:
        """Whether it is an estimate of this execution."""
        _, inside = execution
        return (self.holds is None or self.holds in inside) and self.lacks not in inside


ESTIMATES = (
    Estimate(READY, "3", "2", READY),
    Estimate(LISTED, "8", "5", LISTED),
    Estimate("prepare, unprepared", "15-30", "6-12", abi.Operation.PREPARE),
    Estimate("prepare of a device page", "15-30", "6-12", abi.Operation.DEVICE_PREPARE),
    Estimate("GPT walk, 3 levels", "12-15", "5", abi.Operation.WALK),
    Estimate("IPC, one direction", "40-70", "6-10", abi.Operation.IPC, lacks=abi.Operation.STRING),
    Estimate(
        "IPC with a string of 16 KB",
        "+",
        "+ depth + 2 a page",
        abi.Operation.IPC,
        holds=abi.Operation.STRING,
    ),
    Estimate("switch", "5", "", SWITCH),
    Estimate("page allocate", "25 + 512", "6-10", abi.Operation.ALLOCATE, lacks=abi.Operation.AGE),
    Estimate("aging burst", "", "hundreds", abi.Operation.AGE),
    Estimate("rescind a page", "20 + 512", "3-5", abi.Operation.RESCIND),
    Estimate("attach a device page", "", "", abi.Operation.ATTACH),
    Estimate("detach a device page", "20 + 512", "3-5", abi.Operation.DETACH),
)


@dataclass(frozen=True)
class Call:
    """A call that is followed: it has returned when the PC is ``back`` and the stack pointer ``sp``."""

    what: str
    back: int
    sp: int
    footprint: Footprint = field(default_factory=Footprint)


class Observed(Session):
    """A session whose every access is looked at while ``watching``."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.watching = False
        self.open: dict[abi.Operation, Execution] = {}
        self.calls: list[Call] = []
        self.found: dict[abi.Operation | str, list[Execution]] = defaultdict(list)
        assert self.machine.elf is not None
        self.followed = {self.machine.elf.address(name): name for name in (PREPARE, SWITCH)}

    def watch(self) -> None:
        """Look from now on; the guest has booted."""
        self.heap = [(r.start, r.end) for r in self.machine.regions if r.name.startswith("heap.")]
        self.mailbox = range(self.machine.board.mbar + MAILBOX, self.machine.board.mbar + 2 * MAILBOX)
        self.counted = self._counted()
        self.watching = True

    def _counted(self) -> dict[int, int]:
        return {number: done.count for number, done in self.machine.counters().operations.items()}

    def advance(self) -> RunResult:
        if not self.watching:
            return super().advance()
        state, devices = self.machine.core.state, self.machine.core.devices
        while True:
            pc, started = self.machine.registers["pc"], devices["operation_start"].copy()
            if pc in self.followed and self.open:
                self._enter(self.followed[pc])
            state["n_accesses"] = 0
            result = self.machine.step()
            rows = state["accesses"][: int(state["n_accesses"])].tolist()
            for va, size, _kind in rows:
                if va == self.mailbox.start + BEGIN:
                    self._begin(abi.Operation(int(np.flatnonzero(devices["operation_start"] != started)[0])))
                elif va == self.mailbox.start + END:
                    self._end()
                elif va not in self.mailbox:
                    self._note(va, size)
            for footprint in self._footprints():
                footprint.code_lines.add(pc >> LINE_BITS)
            self._leave()
            if result.reason is not StopReason.INSTRUCTIONS:
                return result

    def _footprints(self) -> list[Footprint]:
        """Of everything that goes on now."""
        return [footprint for footprint, _inside in self.open.values()] + [call.footprint for call in self.calls]

    def _word(self, va: int) -> int:
        return int.from_bytes(self.machine.core.peek(va, 4))

    def _enter(self, function: str) -> None:
        sp = self.machine.registers["a7"]
        what = self._prepare_of(self._word(sp + 4)) if function == PREPARE else function
        if what is not None:
            self.calls.append(Call(what, self._word(sp), sp + 4))

    def _prepare_of(self, capability: int) -> str | None:
        """What preparing this capability is called; None for what the firmware marks or no estimate speaks of."""
        if not self._word(capability) & CAP_PREPARED:
            return None
        age = self.machine.core.peek(self._word(capability + CAP_TARGET) + HEADER_AGE, 1)[0]
        return {AGE_ACTIVE: READY, AGE_CHECK: LISTED}.get(age)

    def _leave(self) -> None:
        """The innermost call may have returned."""
        registers = self.machine.registers
        if self.calls and (self.calls[-1].back, self.calls[-1].sp) == (registers["pc"], registers["a7"]):
            call = self.calls.pop()
            self.found[call.what].append((call.footprint, set()))

    def _begin(self, operation: abi.Operation) -> None:
        for _footprint, inside in self.open.values():
            inside.add(operation)
        self.open[operation] = (Footprint(), set())

    def _end(self) -> None:
        """One more execution has ended than before: of which operation, the counters tell."""
        last, self.counted = self.counted, self._counted()
        operation = next(abi.Operation(n) for n, count in self.counted.items() if count != last.get(n, 0))
        self.found[operation].append(self.open.pop(operation))

    def _note(self, va: int, size: int) -> None:
        lines = range(va >> LINE_BITS, (va + size - 1 >> LINE_BITS) + 1)
        in_heap = any(start <= va < end for start, end in self.heap)
        for footprint in self._footprints():
            footprint.lines.update(lines)
            if in_heap:
                footprint.heap_lines.update(lines)
                footprint.heap_pages.add(va >> PAGE_BITS)


def observe() -> dict[abi.Operation | str, list[Execution]]:
    """Every execution of the marked operations in one session: 128 MB of RAM, 160 MB of device memory."""
    scenario = scenario_to_watch()
    plan = make_plan(scenario, get_board(scenario.board), STRATEGIES[STRATEGY], Mapping.ACR, scenario.devices())
    options = MachineOptions(engine="public")
    with Observed(scenario, plan, load_elf(nucleus_of(scenario).path), options) as session:
        session.boot()
        session.attach(Arrival.CONFIGURATION)
        for workload in (WORKLOADS[name] for name in WATCHED):
            session.watching = False
            if workload.prepare is not None:
                workload.prepare(session)
            if workload.name == "aging":
                approach_burst(session)
            session.watch()
            workload.run(session)
        session.watching = False
        return session.found


def approach_burst(session: Session) -> None:
    """Allocate until the reclaim list is about to run low: more than a thousand pages that nobody needs to watch."""
    elf = session.machine.elf
    assert elf is not None
    place = elf.address("reclaimable")
    frames = int.from_bytes(session.machine.core.peek(elf.address("page_frames"), 4))
    while int.from_bytes(session.machine.core.peek(place, 4)) >= frames // 20 + STEP:
        session.command(abi.Command.AGE, STEP)


def scenario_to_watch() -> Scenario:
    """The packaged scenario of all workloads, with as few operations as show all that they can meet."""
    scenario = load_scenario(packaged_scenarios()["workloads"])
    return msgspec.structs.replace(scenario, workload=msgspec.structs.replace(scenario.workload, **AMOUNTS))


def footprint_document() -> str:
    """The document, from a run."""
    found = observe()
    rows = []
    for estimate in ESTIMATES:
        these = [execution[0] for execution in found[estimate.operation] if estimate.speaks_of(execution)]
        cells = [estimate.what, str(len(these)), estimate.lines, spread([len(f.lines) for f in these])]
        cells += [spread([len(f.heap_lines) for f in these]), estimate.pages]
        cells += [spread([len(f.heap_pages) for f in these]), spread([len(f.code_lines) for f in these])]
        rows.append("| " + " | ".join(cells) + " |")
    return TEXT.format(table="\n".join(rows))


def spread(values: list[int]) -> str:
    """Least, median and most; one number where they are equal, none where there is none."""
    if not values:
        return ""
    low, middle, high = min(values), median_low(values), max(values)
    return f"{low:,}" if low == high else f"{low:,} / {middle:,} / {high:,}"


def main() -> int:
    DOCUMENT.write_text(footprint_document())
    print("docs/footprint.md is written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
