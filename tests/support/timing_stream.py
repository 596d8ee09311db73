"""Runs a machine one instruction at a time and records what was executed, in the form that the timing oracle reads.

The machine must be one of the "reference" engine. Everything about an instruction is found out before it runs - its
words, its data addresses, who answers for them - because afterwards registers and TLBs may have changed.
"""

import copy
import itertools
import pickle
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from emu.machine import Machine, StopReason
from emu.mmu import api
from emu.mmu.attributes import CM_COPYBACK, CM_INHIBITED_PRECISE, MISS, RAMBAR0, RAMBAR1, WINDOW
from emu.mmu.state import FETCH, READ, RMW, WRITE
from tests.oracle.forms import Form, UnknownInstruction, decode, references
from tests.oracle.timing import Access, Entry, Mode, Parameters, Step, Timing

MBAR_BYTES = 256 << 10
SR_S = 0x2000
ACCESS_ERROR = 2
BETWEEN = (9, *range(24, 32))  # trace and autovectors come between instructions
FIRST_INTERRUPT = 64
KINDS = {"read": READ, "write": WRITE, "rmw": RMW, "fetch": FETCH}
MOST_WAYS = 16
MMU_REGISTER = 2  # an access to the MMU's registers: 1 or 2 cycles (sheet 4.8)
ENDS = (StopReason.HALT, StopReason.STOPPED, StopReason.EXIT, StopReason.RESET, StopReason.HYPERCALL, StopReason.IDLE)


Event = Step | Entry


@dataclass(frozen=True)
class Difference:
    """Where the machine's cycle counter and the oracle's part."""

    number: int
    event: Event
    machine: int
    oracle: int

    def __str__(self) -> str:
        what = f"{self.event.pc:#x} {self.event.code.hex()}" if isinstance(self.event, Step) else self.event
        return f"event {self.number}, {what}: {self.machine} cycles since the start, {self.oracle} by the oracle"


@dataclass(frozen=True)
class Prepared:
    """An instruction before it runs: its words, what it would access; no form if it cannot be decoded or fetched.
    ``doubtful``: what it can reach of the operand that is refused."""

    code: bytes
    fetch: tuple[Access, ...]
    form: Form | None = None
    accesses: tuple[Access, ...] = ()
    doubtful: tuple[Access, ...] = ()
    value: int = 0


class NotRecordable(Exception):
    """The machine did something that the recorder cannot tell apart."""


class Recorder:
    """Steps ``machine`` and says what it did."""

    def __init__(self, machine: Machine, parameters: Parameters | None = None) -> None:
        if machine.engine != "reference":
            raise NotRecordable(f"the {machine.engine} engine does not run instruction by instruction")
        self.machine = machine
        self.parameters = parameters or Parameters()
        self.ended = False

    # --- looking

    def where(
        self, va: int, kind: Literal["read", "write", "fetch"], size: int, supervisor: int, needs: str = ""
    ) -> Iterator[Access]:
        """The accesses that ``size`` bytes at ``va`` make, one for each page, up to the first that is refused."""
        mmu = np.atleast_1d(self.machine.core.state["mmu"])
        end = va + size
        while va < end:
            source, _index, pa, perms, mode, bits = api.resolve(mmu, va & 0xFFFFFFFF, KINDS[kind], supervisor)
            if source == MISS or not api.permits(perms, KINDS[needs or kind]):
                return
            part = min(end, (va >> bits) + 1 << bits) - va
            yield Access(kind, pa, part, *self.cost(source, pa, mode, kind))
            va += part

    def cost(self, source: int, pa: int, mode: int, kind: str) -> tuple[Mode, int]:
        """(mode, what a device takes) of an access."""
        if source in (RAMBAR0, RAMBAR1):
            return "sram", 0
        if source == WINDOW:
            return "device", MMU_REGISTER
        mbar = self.machine.registers["mbar"] & ~(MBAR_BYTES - 1)
        if mbar <= pa < mbar + MBAR_BYTES:
            return "device", self.parameters.inhibited_write if kind == "write" else self.parameters.inhibited_read
        if mode >= CM_INHIBITED_PRECISE:
            return "inhibited", 0
        return ("copyback" if mode == CM_COPYBACK else "write-through"), 0

    def words(self, pc: int, supervisor: int) -> list[tuple[Access, bytes]]:
        """The three words from ``pc`` on, as far as they can be fetched."""
        found: list[tuple[Access, bytes]] = []
        for at in range(pc, pc + 6, 2):
            word = self.machine.core.code_at(at & 0xFFFFFFFF, 2)
            found += [(access, word) for access in self.where(at, "fetch", 2, supervisor)]
        return found

    def prepare(self, pc: int, registers: list[int]) -> Prepared:
        """What the instruction at ``pc`` is about to do."""
        supervisor = int(registers[17] & SR_S != 0)
        words = self.words(pc, supervisor)
        code = b"".join(word for _access, word in words)
        fetch = tuple(access for access, _ in words)
        try:
            form = decode(pc, code.ljust(6, b"\0"))
        except UnknownInstruction:
            return Prepared(code[:2], fetch[:1])
        if form.length > len(code):
            return Prepared(code, ())  # a refused fetch leaves nothing
        accesses: list[Access] = []
        doubtful: list[Access] = []
        for reference in references(form, registers[:16]):
            needs = "rmw" if reference.modifies else ""
            parts = list(self.where(reference.address, reference.kind, reference.size, supervisor, needs))
            if sum(part.size for part in parts) < reference.size:
                doubtful = parts
                break
            accesses += parts
        value = 0
        if form.name in ("MOVEC", "CPUSHL", "INTOUCH"):
            (register,) = form.reads
            value = registers[register]
        return Prepared(code[: form.length], fetch[: form.length // 2], form, tuple(accesses), tuple(doubtful), value)

    # --- running

    def entry(self) -> tuple[Entry, int]:
        """The exception that has just been taken, and the PC in its frame."""
        frame = self.machine.registers["a7"]
        head, pc = struct.unpack(">II", self.machine.core.peek(frame, 8))
        vector = head >> 18 & 0xFF
        accesses: list[Access] = []
        accesses += self.where(frame + 4, "write", 4, 1)
        accesses += self.where(frame, "write", 4, 1)
        accesses += self.where(self.machine.registers["vbr"] + 4 * vector, "read", 4, 1)
        return Entry(vector, self.machine.registers["pc"], tuple(accesses)), pc

    def events(self) -> Iterator[Event]:
        """What happens until the machine stops; the machine stands behind each event when it is handed out."""
        state = self.machine.core.state
        while not self.ended:
            registers = self.machine.core.cpu_registers()
            pc = registers[16]
            prepared = self.prepare(pc, registers)
            instructions, taken = int(state["instructions"]), int(state["taken"])
            # An exception costs more than one cycle, so the run ends behind it at the latest.
            result = self.machine.run(max_instructions=1, max_cycles=1)
            self.ended = result.reason in ENDS
            retired, exceptions = int(state["instructions"]) - instructions, int(state["taken"]) - taken
            if exceptions > 1 or retired > 1:
                raise NotRecordable(f"{retired} instructions and {exceptions} exceptions at {pc:#x}")
            entry, stacked = self.entry() if exceptions else (None, result.pc)
            if retired:
                if prepared.form is None:
                    raise NotRecordable(f"the oracle does not know {prepared.code.hex()} at {pc:#x}")
                yield Step(pc, prepared.code, stacked, prepared.accesses, prepared.fetch, prepared.value)
            elif entry is not None and entry.vector < FIRST_INTERRUPT and entry.vector not in BETWEEN:
                entry = replace(entry, fetch=prepared.fetch)
                if entry.vector == ACCESS_ERROR:
                    refused = None if prepared.form is None else Step(pc, prepared.code, stacked)
                    entry = replace(entry, before=prepared.accesses, doubtful=prepared.doubtful, refused=refused)
            if entry is not None:
                yield entry
            if not retired and not exceptions and not self.ended:
                raise NotRecordable(f"nothing happened at {pc:#x}")


def feed(timing: Timing, event: Event) -> int:
    """Hand one event to the oracle; its cycles afterwards."""
    return timing.execute(event) if isinstance(event, Step) else timing.exception(event)


def outcomes(timing: Timing, event: Event) -> list[Timing]:
    """The model after ``event``, in each way that it leaves open."""
    events: list[Event] = [event]
    if isinstance(event, Entry) and event.doubtful:
        events.append(replace(event, before=event.before + event.doubtful))
    found = []
    for one in events[1:]:
        other = copy.deepcopy(timing)
        feed(other, one)
        found.append(other)
    feed(timing, event)
    return [timing, *found]


def first_difference(machine: Machine, timing: Timing, most: int) -> Difference | None:
    """Run up to ``most`` events in the machine and in the oracle; the first after which their cycles differ.

    An instruction that ends in an exception (TRAP) gives two events behind which the machine stands once. Where the
    model leaves something open, every way is followed until the machine's counter rules it out.
    """
    start = machine.cycles - timing.cycles
    models = [timing]
    for number, event in enumerate(itertools.islice(Recorder(machine, timing.p).events(), most)):
        models = [model for before in models for model in outcomes(before, event)]
        if isinstance(event, Step) and machine.registers["pc"] != event.next_pc:
            continue
        cycles = machine.cycles - start
        possible = [model for model in models if model.cycles == cycles]
        if not possible:
            return Difference(number, event, cycles, models[0].cycles)
        if len(possible) > 1:  # ways that lead to the same state are one
            possible = list({pickle.dumps(model): model for model in possible}.values())[-MOST_WAYS:]
        models = possible
    return None
