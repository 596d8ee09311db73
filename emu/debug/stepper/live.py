"""A live guest under a debugging session, as the stepper sees it, and the exact observation of what it does.

Between two stops of an observed run lies at most one of each: exception, store to MMUOR, write of the ASID. The engine
stops at exceptions and, by a watchpoint, at stores to MMUOR; the instructions that write the ASID or MMUBAR are found
in the program's code and have stop addresses. So each event is found at its own instruction. One case is out of reach:
two loads in turn that write an entry what it holds already are one event.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise, takewhile
from typing import Any

import numpy as np
import numpy.typing as npt

from emu.counters import Bill
from emu.cpu.state import MAX_STOPS
from emu.debug.catcher import ExceptionTaken, Found, TlbLoaded, Wait, Watch, caught
from emu.debug.disassembly import Line
from emu.debug.history import EVERY_VECTOR, Call, Edge, Moment
from emu.debug.session import MISSES, SUPERVISOR, Load, Miss, Session, Stop
from emu.debug.stepper.events import Called, Event, Missed, Raised, Timeline
from emu.debug.stepper.source import Interrupted, Movement, Refill, Source, never_loaded
from emu.debug.stepper.watcher import EntryWatcher
from emu.debug.target import Target
from emu.elf import Elf
from emu.errors import UsageError
from emu.machine import Machine
from emu.mmu.registers import (
    MMUBAR_BA,
    MMUBAR_V,
    MMUCR_ASM,
    MOVEC_ASID,
    MOVEC_MMUBAR,
    OFFSET_MMUOR,
    VECTOR_ACCESS_ERROR,
)
from emu.regions import OTHER

__all__ = ["LiveGuest", "Watcher", "movement_of"]

MOVEC = 0x4E7B
LOOK_AHEAD = 2_000_000  # instructions beyond what was run, for questions about the future
LOOK_BEHIND = 50_000_000  # inside what was run
HANDLER_LIMIT = 1_000_000  # instructions that a handler may take


class Watcher:
    """Compares a machine with what it was at the last look."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._mmu = machine.core.array["mmu"][0]
        self._entries = EntryWatcher(self._mmu)

    def look(self, moment: Moment, found: Found | None) -> list[Event]:
        """What happened since the last look; ``found``: what the run was ended by."""
        last_word = self._machine.registers["pc"] - 2  # of the instruction before
        events = self._entries.look(moment, last_word, loaded=isinstance(found, TlbLoaded))
        return [*events, self._exception(moment, found)] if isinstance(found, ExceptionTaken) else events

    def _exception(self, moment: Moment, taken: ExceptionTaken) -> Event:
        if taken.vector == VECTOR_ACCESS_ERROR and taken.fault_status in MISSES:
            strict = taken.supervisor and bool(int(self._mmu["mmucr"]) & MMUCR_ASM)
            regions = self._machine.regions
            region = next((r.name for r in regions if r.start <= taken.va < r.end), OTHER)
            asid = 0 if strict else int(self._mmu["asid"])
            fs, who = taken.fault_status, taken.supervisor
            return Missed(moment, taken.pc, taken.side, taken.va, fs, who, asid, strict, region)
        return Raised(moment, taken.pc, taken.vector, taken.fault_status, taken.va, taken.side)


def stop_addresses(elf: Elf | None) -> tuple[int, ...]:
    """Where the program writes ASID and MMUBAR; where it merely looks so, a stop does no harm."""
    found = []
    for segment in elf.segments if elf else ():
        words = np.frombuffer(segment.data[: len(segment.data) & ~1], ">u2")
        at = np.flatnonzero(words[:-1] == MOVEC)
        at = at[np.isin(words[at + 1] & 0xFFF, (MOVEC_ASID, MOVEC_MMUBAR))]
        found += (segment.vaddr + 2 * at).tolist()
    return tuple(found[:MAX_STOPS])


class LiveGuest(Source):
    """The guest of ``target``."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.session: Session = target.session
        self.machine = self.session.machine
        self.title, self.notes = target.title, target.notes
        self.history = self.session.history
        self.timeline = Timeline(self)
        self._stops = stop_addresses(self.machine.elf)
        self._samples: dict[int, int] = {self.first.instructions: self._misses()}
        self.history.on_fork = self._forget

    def close(self) -> None:
        self.target.close()

    def _forget(self, moment: Moment) -> None:
        self.timeline.forget(moment)
        self._samples = {at: misses for at, misses in self._samples.items() if at <= moment.instructions}

    # --- where we are

    @property
    def now(self) -> Moment:
        return self.history.now

    @property
    def first(self) -> Moment:
        return self.history.first

    @property
    def last(self) -> Moment:
        return self.history.last

    @property
    def horizon(self) -> int:
        now, last = self.now.instructions, self.last.instructions
        return min(max(now + LOOK_AHEAD, last), now + LOOK_BEHIND)

    @property
    def pc(self) -> int:
        return self.session.registers["pc"]

    @property
    def following(self) -> str:
        code = self.disassemble(self.pc, 1)
        return code[0].text if code else "no instruction can be fetched here"

    @property
    def calls(self) -> Sequence[Call]:
        return self.history.calls

    # --- movements

    def step(self, count: int) -> Movement:
        """Few steps are observed on the way, so that the log need not run them again."""
        session = self.session
        stop = self._here()
        for _ in range(count):
            watcher, before = Watcher(self.machine), self.now
            stop = session.step()
            if not self.timeline.known(before, self.now):
                found = caught(self.machine) if self.now.exceptions > before.exceptions else None
                self.timeline.add(before, self.now, watcher.look(self.now, found))
            if session.interrupted and not (stop.hits or stop.edge):
                stop = replace(stop, edge=Edge.INTERRUPTED, text=Edge.INTERRUPTED.value)
            if stop.hits or stop.edge:
                break
        return movement_of(stop)

    def reverse_step(self, count: int) -> Movement:
        return movement_of(self.session.reverse_step(count))

    def next_miss(self, side: str | None, region: str | None) -> Movement:
        return movement_of(self.session.continue_to(Miss(side, region)))

    def previous_miss(self, side: str | None, region: str | None) -> Movement:
        return movement_of(self.session.reverse_to(Miss(side, region)))

    def next_load(self, address: int | None) -> Movement:
        return movement_of(self.session.continue_to(Load(address)))

    def previous_load(self, address: int | None) -> Movement:
        origin = self.now
        stop = self.session.reverse_to(Load(address))
        if stop.edge is Edge.START:
            stop = replace(self.session.return_to(origin), edge=Edge.START, text=never_loaded(address))
        return movement_of(stop)

    def goto(self, number: int) -> Movement:
        return movement_of(self.session.goto(number))

    def return_to(self, moment: Moment) -> Movement:
        return movement_of(self.session.return_to(moment))

    def interrupt(self) -> None:
        self.session.interrupt()

    def begin(self) -> None:
        self.session.forget_interrupt()

    def _here(self) -> Stop:
        return Stop(self.now, self.pc)

    # --- looking

    @property
    def mmu(self) -> npt.NDArray[Any]:
        return np.ascontiguousarray(self.machine.core.array["mmu"])

    def symbol(self, va: int) -> str:
        return self.machine.symbol(va)

    def region_of(self, va: int) -> str:
        return self.session.region_of(va) or OTHER

    def region_names(self) -> list[str]:
        return [*(region.name for region in self.machine.regions), OTHER]

    def tell_call(self, call: Called) -> str:
        return self.target.tell_call(call.call)

    def disassemble(self, va: int, count: int) -> list[Line]:
        return self.session.disassemble(va, count)

    def read(self, va: int, size: int) -> bytes:
        return self.session.read_memory(va, size)

    def registers(self) -> Mapping[str, int]:
        return self.session.registers

    def labels(self) -> Mapping[str, int]:
        return self.machine.elf.labels if self.machine.elf else {}

    def counters(self) -> Mapping[str, int]:
        c = self.machine.counters()
        return {
            "instructions": c.instructions,
            "cycles": c.cycles,
            "refill cycles": c.refill_cycles,
            "ITLB misses": c.misses.itlb,
            "DTLB misses": c.misses.dtlb,
            "user misses": c.misses.user,
            "kernel misses": c.misses.kernel,
            "nested misses": c.misses.nested,
            "violations": c.violations,
            "exceptions": sum(c.exceptions.values()),
        }

    # --- running again

    def moment_at(self, number: int) -> Moment:
        self.history.goto_instruction(number)
        return self.now

    def observe(self, start: Moment, end: Moment) -> tuple[Moment, list[Event]]:
        history, registers = self.history, self.session.registers
        history.goto(start)
        frontier = history.last
        watcher = Watcher(self.machine)
        events: list[Event] = []
        while (before := history.now) < end:
            wait = self._everything()
            if registers["pc"] in self._stops:
                arrival = history.step(wait)
            else:
                arrival = history.forward(end, stops=self._stops, wait=wait)
            events += watcher.look(history.now, arrival.found)
            if arrival.edge is Edge.INTERRUPTED:
                raise Interrupted
            if arrival.edge is not None and (history.now >= frontier or history.now == before):
                break
        return history.now, events

    def _everything(self) -> Wait:
        mmubar = self.session.registers["mmubar"]
        window = mmubar & MMUBAR_BA
        place = window + OFFSET_MMUOR
        watches = (Watch(place, place + 4, reads=False, writes=True),) if mmubar & MMUBAR_V else ()
        return Wait(EVERY_VECTOR, loads=True, watches=watches)

    def refill(self, miss: Missed) -> Refill:
        history = self.history
        before = history.before(miss.moment)
        if before is None:
            raise UsageError("the history begins behind this miss")
        level, start = self._level(), self.machine.counters().bill
        history.goto(miss.moment)
        limit = Moment(miss.moment.instructions + HANDLER_LIMIT, 0, 0)
        while history.now < limit:
            here = history.now
            arrival = history.forward(limit, stops=(miss.pc,))
            if arrival.edge is Edge.INTERRUPTED:
                raise Interrupted
            if arrival.at_stop and self._level() == level:
                bill: Bill = self.machine.counters().bill - start
                return Refill(before, history.now, history.now, bill)
            if arrival.edge is not None and history.now == here:
                break
        return Refill(before, None, history.now)

    def _level(self) -> tuple[int, int, int]:
        registers = self.session.registers
        return registers["sr"] & SUPERVISOR, registers["asid"], registers["a7"]

    def _misses(self) -> int:
        return int(self.machine.core.state["misses"].sum())

    def misses_by_time(self, bins: int, patience: float) -> list[int]:
        first, last = self.first.instructions, self.last.instructions
        width = 1 << max(0, (max(1, last - first) // bins)).bit_length()
        wanted = [*range(first, last, width), last]
        until = time.monotonic() + patience
        with self.excursion():
            for at in wanted:
                if at not in self._samples and time.monotonic() < until:
                    self.history.goto_instruction(at)
                    self._samples[at] = self._misses()
        found = list(takewhile(lambda at: at in self._samples, wanted))
        return [max(0, self._samples[b] - self._samples[a]) for a, b in pairwise(found)]


def movement_of(stop: Stop) -> Movement:
    """The stop that ended a movement, as the stepper has it."""
    loaded = stop.found.address if isinstance(stop.found, TlbLoaded) else None
    return Movement(stop.moment, stop.pc, stop.text, stop.edge is not None, loaded)
