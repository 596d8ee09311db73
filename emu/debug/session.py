"""One debugging session: what a debugger can ask of a guest, whoever asks (gdb, a screen, a script).

A session owns a :class:`~emu.debug.history.History`, so every movement exists in both directions and any moment can be
returned to. It keeps the points to stop at, and answers each movement with a :class:`Stop` that says why it ended::

    session = Session(machine)
    session.add_breakpoint(elf.address("main"))
    session.add_watchpoint(0x80001000, 4, writes=True, reads=False)
    session.add_catchpoint(Miss(side="dtlb", region="heap"))
    stop = session.continue_()
    print(stop.text, stop.moment.instructions, session.registers["pc"])
    session.reverse_continue()

**Moving.** ``step`` retires one instruction, or enters the handler of the exception it takes (so stepping leads through
a TLB-miss handler); ``next`` runs over calls, and over the exceptions on the way; ``finish`` runs to the caller;
``until`` to an address; ``continue_`` to the next point; ``continue_to`` to an event, too. ``reverse_step``,
``reverse_next``, ``reverse_finish``, ``reverse_continue`` and ``reverse_to`` undo them; ``goto`` goes to an instruction
by number. The guest's own stops (HALT, a hypercall that nobody answers, an error) and both ends of the history end a
movement too; ``Stop.edge`` names them. Whoever goes on from the end of the run stays there and is told again why, until
something is changed there.

**Where points stop.** A breakpoint: in front of the instruction, in both directions. A watchpoint: behind the
instruction that made the access; going back, in front of it, where the value is still the old one. A catchpoint
(exception, TLB miss, load of a TLB entry): behind the event, in both directions: the handler is next, the entry is
loaded. ``Stop.hits`` has the points that were hit, ``Stop.found`` the event with all that is known of it.

**Looking** (:mod:`emu.debug.view`) changes nothing: no TLB entry, no recency, no counter. **Changing** (by
``write_memory``, ``write_register``, ``type_in``) is logged, and forgets everything later than the present moment.

Numbers of points count from 1 as in gdb. Nothing here is safe for threads; ``interrupt`` alone may be called from
another one, or from a signal handler, and ends the movement under way.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from emu.cpu.state import MAX_STOPS
from emu.debug.catcher import MAX_WATCHES, Accessed, ExceptionTaken, Found, TlbLoaded, Wait, Watch
from emu.debug.disassembly import Line, disassemble
from emu.debug.history import DEFAULT_MEMORY, EVERY_VECTOR, Arrival, Edge, History, Moment
from emu.debug.view import View
from emu.errors import UsageError
from emu.machine import Machine
from emu.mmu.registers import (
    FAULT_STATUS,
    FS_FETCH_MISS,
    FS_FETCH_MISS_EXTENSION,
    FS_READ_MISS,
    FS_WRITE_MISS,
    VECTOR_ACCESS_ERROR,
    VECTORS,
)
from emu.regions import OTHER

__all__ = [
    "Breakpoint",
    "Catchpoint",
    "Event",
    "ExceptionEvent",
    "Load",
    "Miss",
    "Point",
    "Session",
    "Stop",
    "Watchpoint",
]

MISSES = frozenset({FS_FETCH_MISS, FS_FETCH_MISS_EXTENSION, FS_READ_MISS, FS_WRITE_MISS})
LONGEST_INSTRUCTION = 6
CALL_LENGTHS = (2, 4, 6)
JSR, BSR, TRAP = (0xFFC0, 0x4E80), (0xFF00, 0x6100), (0xFFF0, 0x4E40)  # mask, op word
RTS, RTE = 0x4E75, 0x4E73
SUPERVISOR = 0x2000  # SR[S]
GOAL = 0  # number of the point that is where one movement goes to; those of the user count from 1


# --- what can be waited for


@dataclass(frozen=True)
class Miss:
    """A TLB miss: of one side (itlb, dtlb), of one named region (``machine.regions``) or ``other``, or any."""

    side: str | None = None
    region: str | None = None

    def __str__(self) -> str:
        return f"{f'{self.side} miss' if self.side else 'TLB miss'}{f' in {self.region}' if self.region else ''}"


@dataclass(frozen=True)
class ExceptionEvent:
    """An exception is taken: with one vector, or any (interrupts and TLB misses among them)."""

    vector: int | None = None

    def __str__(self) -> str:
        return "exception" if self.vector is None else f"exception with vector {self.vector}"


@dataclass(frozen=True)
class Load:
    """A store to MMUOR loads the TLB entry with this TLB address (ITLB from 0, DTLB behind it), or any."""

    address: int | None = None

    def __str__(self) -> str:
        return "load of a TLB entry" if self.address is None else f"load of TLB entry {self.address}"


Event = Miss | ExceptionEvent | Load


@dataclass(frozen=True)
class Breakpoint:
    """Stop in front of the instruction at ``va``, where ``condition`` holds."""

    number: int
    va: int
    condition: Callable[[Machine], bool] | None = None


@dataclass(frozen=True)
class Watchpoint:
    """Stop at accesses to VA [``va``, ``va`` + ``size``), as the guest's own translation leads there: whatever ASID is
    in force, or only with ``asid``."""

    number: int
    va: int
    size: int
    reads: bool
    writes: bool
    asid: int | None = None


@dataclass(frozen=True)
class Catchpoint:
    """Stop at an event."""

    number: int
    event: Event


Point = Breakpoint | Watchpoint | Catchpoint


@dataclass(frozen=True)
class Stop:
    """Why a movement ended, and where. With no ``hits`` and no ``edge`` it did what it was told to.

    ``text`` is one line for people; ``moment``: now; ``found``: the exception, load or access that was waited for.
    """

    moment: Moment
    pc: int
    hits: tuple[Point, ...] = ()
    found: Found | None = None
    edge: Edge | None = None
    text: str = ""


@dataclass(frozen=True)
class _Goals:
    """What one movement stops at beside the points: an address where ``reached`` holds, an exception."""

    stops: frozenset[int] = frozenset()
    reached: Callable[[], bool] = lambda: True
    taken: Callable[[ExceptionTaken], bool] | None = None


class Session:
    """A guest under a debugger; see the module's text. ``memory``: bytes that the history may take."""

    def __init__(self, machine: Machine, *, memory: int = DEFAULT_MEMORY, history: History | None = None) -> None:
        self.machine = machine
        self._interrupt = False
        self.history = history or History(machine, memory=memory)
        self.history.interrupted = self._is_interrupted
        self.poll: Callable[[], None] = lambda: None  # called now and then while the guest runs; may call interrupt
        self.view = View(machine)
        self.registers = machine.registers  # to read; write_register writes
        self.points: dict[int, Point] = {}
        self._next_number = 1

    def close(self) -> None:
        """Leave the machine at the present moment, to be run without a debugger."""
        self.history.close()

    def interrupt(self) -> None:
        """End the movement under way as soon as possible; its Stop says Edge.INTERRUPTED."""
        self._interrupt = True

    @property
    def interrupted(self) -> bool:
        """Whether somebody has asked to end the last movement."""
        return self._interrupt

    def forget_interrupt(self) -> None:
        """Nobody has asked: for runs of the history that are no movement."""
        self._interrupt = False

    def _is_interrupted(self) -> bool:
        self.poll()
        return self._interrupt

    # --- points

    def add_breakpoint(self, va: int, condition: Callable[[Machine], bool] | None = None) -> Breakpoint:
        """Stop in front of the instruction at ``va``. UsageError when there are too many."""
        others = {p.va for p in self.points.values() if isinstance(p, Breakpoint)}
        if len(others | {va}) > MAX_STOPS - 2:  # next and finish need some
            raise UsageError(f"at most {MAX_STOPS - 2} addresses can have breakpoints")
        point = Breakpoint(self._next_number, va, condition)
        self._add(point)
        return point

    def add_watchpoint(
        self, va: int, size: int, *, reads: bool = False, writes: bool = True, asid: int | None = None
    ) -> Watchpoint:
        """Stop at data accesses to VA [``va``, ``va`` + ``size``). UsageError for none, or when there are too many."""
        if size < 1 or not (reads or writes) or not 0 <= va <= va + size <= 1 << 32:
            raise UsageError(f"watchpoint at {va:#x}, {size} bytes: nothing to watch")
        if sum(isinstance(p, Watchpoint) for p in self.points.values()) == MAX_WATCHES:
            raise UsageError(f"at most {MAX_WATCHES} watchpoints are possible")
        point = Watchpoint(self._next_number, va, size, reads, writes, asid)
        self._add(point)
        return point

    def add_catchpoint(self, event: Event) -> Catchpoint:
        """Stop at an event. UsageError for a region, side, vector or entry that does not exist."""
        self._check(event)
        point = Catchpoint(self._next_number, event)
        self._add(point)
        return point

    def remove(self, number: int) -> None:
        """Forget a point. UsageError when there is none with this number."""
        if self.points.pop(number, None) is None:
            raise UsageError(f"no breakpoint, watchpoint or catchpoint has number {number}")

    def _add(self, point: Point) -> None:
        self.points[point.number] = point
        self._next_number += 1

    def _check(self, event: Event) -> None:
        match event:
            case Miss(side, region):
                names = [*(r.name for r in self.machine.regions), OTHER]
                if side not in (None, "itlb", "dtlb"):
                    raise UsageError(f"side {side!r}: itlb or dtlb")
                if region is not None and region not in names:
                    raise UsageError(f"no region {region!r}; there are {', '.join(names)}")
            case ExceptionEvent(vector):
                if vector is not None and not 0 <= vector <= 255:
                    raise UsageError(f"vector {vector}: 0 to 255")
            case Load(address):
                entries = sum(self.machine.core.state["mmu"]["entries"].tolist())
                if address is not None and not 0 <= address < entries:
                    raise UsageError(f"TLB address {address}: 0 to {entries - 1}")

    # --- movements

    def step(self, count: int = 1) -> Stop:
        """``count`` instructions or exceptions forwards; ends early at points and edges."""
        self._interrupt = False
        stop = self._here()
        for _ in range(count):
            arrival = self.history.step(self._wait())
            stop = self._stop(arrival)
            if stop.hits or stop.edge or self._interrupt:
                break
        return stop

    def reverse_step(self, count: int = 1) -> Stop:
        """``count`` instructions or exceptions backwards; ends early at breakpoints and at the start."""
        self._interrupt = False
        stop = self._here()
        for _ in range(count):
            if self.history.before(self.history.now) is None:
                return self._here(Edge.START)
            stop = self._stop(Arrival(at_stop=True))
            if stop.hits or self._interrupt:
                break
        return stop

    def continue_(self) -> Stop:
        """Forwards to the next point."""
        return self._forward(_Goals())

    def continue_to(self, event: Event) -> Stop:
        """Forwards to an event, or the next point. UsageError for an event that cannot be."""
        return self._towards(event, self.continue_)

    def reverse_to(self, event: Event) -> Stop:
        """Backwards to an event, or the last point. UsageError for an event that cannot be."""
        return self._towards(event, self.reverse_continue)

    def _towards(self, event: Event, move: Callable[[], Stop]) -> Stop:
        self._check(event)
        self.points[GOAL] = Catchpoint(GOAL, event)
        try:
            return move()
        finally:
            del self.points[GOAL]

    def until(self, va: int) -> Stop:
        """Forwards to the instruction at ``va``, or the next point."""
        return self._forward(_Goals(frozenset({va})))

    def next(self) -> Stop:
        """As ``step``, but over a call, a TRAP and any exception, as if each were a part of the instruction."""
        self._interrupt = False
        here, level = self.registers["pc"], self._level()
        length = self._call_length(here)
        if length:
            return self._forward(_Goals(frozenset({here + length}), lambda: self._is_back(level)))
        while True:
            arrival = self.history.step(self._wait())
            stop = self._stop(arrival)
            if stop.hits or stop.edge or not isinstance(arrival.found, ExceptionTaken):
                return stop
            stop = self._forward(_Goals(frozenset({arrival.found.pc}), lambda: self._level() == level))
            if stop.hits or stop.edge or stop.pc != here:  # else the instruction is begun again
                return stop

    def finish(self) -> Stop:
        """Forwards to where the present function, or handler, returns to. UsageError where no function is known."""
        origin = self.history.now
        entered, by_exception = self._entry()
        if by_exception:
            target, level = entered.pc, self._level()
            goals = _Goals(frozenset({target}), lambda: self._level() == level)
        else:
            sp = self._sp()
            target = int.from_bytes(self.view.read(sp, 4))
            goals = _Goals(frozenset({target}), lambda: self._sp() > sp)
        self.history.goto(origin)
        return self._forward(goals)

    def reverse_continue(self) -> Stop:
        """Backwards to the last point before now, or to the start of the history."""
        return self._backward(_Goals())

    def reverse_next(self) -> Stop:
        """Undo ``next``: backwards over a call, or an exception, as a whole."""
        origin, here, level = self.history.now, self.registers["pc"], self._level()
        stop = self.reverse_step()
        if stop.hits or stop.edge:
            return stop
        op = self._op(stop.pc)
        if op == RTS:
            calls = frozenset(here - length for length in CALL_LENGTHS)
            goals = _Goals(calls, lambda: self._level() == level and self._call_length(self.registers["pc"]) > 0)
            found = self._backward(goals)
        elif op == RTE:
            frame = self._sp()
            self.history.goto(origin)
            found = self._backward(_Goals(taken=lambda taken: taken.pc == here and self._sp() == frame))
            if not found.hits and not found.edge:
                return self.reverse_step()
        else:
            return stop
        return self.return_to(stop.moment) if found.edge is Edge.START else found

    def reverse_finish(self) -> Stop:
        """Backwards to the call of the present function, or to the instruction whose handler this is.

        UsageError where no function is known.
        """
        return self._entry(stay=True)[0]

    def goto(self, instruction: int) -> Stop:
        """Be where ``instruction`` instructions have retired since reset. Beyond the last moment the guest runs on.

        UsageError before the start of the history.
        """
        self._interrupt = False
        if instruction > self.history.last.instructions:
            self.history.goto(self.history.last)
            stop = self._stop(self.history.forward(Moment(instruction, 0, 0)))
            if stop.edge is None or stop.edge is Edge.INTERRUPTED:
                return stop
            end = stop.moment.instructions
            text = f"instruction {instruction:,} does not exist, the run ends at {end:,}: {stop.text}"
            return replace(stop, text=text)
        self.history.goto_instruction(instruction)
        return self._here()

    def return_to(self, moment: Moment) -> Stop:
        """Be at a moment that was passed before, as ``Stop.moment`` gave it."""
        self.history.goto(moment)
        return self._here()

    # --- looking and changing

    def disassemble(self, va: int, count: int = 1) -> list[Line]:
        """Instructions from ``va`` on, as the guest would fetch them now; fewer where memory ends."""
        return disassemble(self.view.code(va, LONGEST_INSTRUCTION * count), va, count)

    def read_memory(self, va: int, size: int) -> bytes:
        """Bytes at ``va`` (see :meth:`emu.debug.view.View.read`); as many as can be reached."""
        return self.view.read(va, size)

    def write_memory(self, va: int, data: bytes) -> None:
        """Change memory that is translated now, write-protected or not. UsageError where there is none."""
        self.view.check_writable(va, len(data))
        self.history.write(lambda machine: View(machine).write(va, data))

    def write_register(self, name: str, value: int) -> None:
        """Change a register. UsageError for one that only the guest can write, or that does not exist."""
        if name not in self.registers:
            raise UsageError(f"no register {name!r}")

        def change(machine: Machine) -> None:
            machine.registers[name] = value

        self.history.write(change)

    def type_in(self, text: bytes) -> None:
        """Type on the guest's console, now."""
        self.history.type_in(text)

    # --- how movements find their end

    def _wait(self) -> Wait:
        """What the engine must tell us of."""
        vectors: set[int] = set()
        loads = False
        watches = []
        for point in self.points.values():
            match point:
                case Catchpoint(event=Miss()):
                    vectors.add(VECTOR_ACCESS_ERROR)
                case Catchpoint(event=ExceptionEvent(vector)):
                    vectors.update(range(256) if vector is None else (vector,))
                case Catchpoint(event=Load()):
                    loads = True
                case Watchpoint():
                    watches.append(Watch(point.va, point.va + point.size, point.reads, point.writes, point.asid))
        return Wait(frozenset(vectors), loads, tuple(watches))

    def _stops(self) -> frozenset[int]:
        return frozenset(p.va for p in self.points.values() if isinstance(p, Breakpoint))

    def _forward(self, goals: _Goals) -> Stop:
        self._interrupt = False
        stops, wait = tuple(self._stops() | goals.stops), self._wait()
        while True:
            arrival = self.history.forward(stops=stops, wait=wait)
            stop = self._stop(arrival)
            if stop.hits or stop.edge or self._is_reached(goals, arrival):
                return stop

    def _is_reached(self, goals: _Goals, arrival: Arrival) -> bool:
        if goals.taken is not None and isinstance(arrival.found, ExceptionTaken) and goals.taken(arrival.found):
            return True
        return self.registers["pc"] in goals.stops and goals.reached()

    def _backward(self, goals: _Goals, *, with_points: bool = True) -> Stop:
        """The last stop before now: the checkpoints before it, latest first, each searched to where the search before
        began."""
        self._interrupt = False
        points = self.points
        if not with_points:
            self.points = {}
        origin = end = self.history.now
        try:
            for start in reversed([moment for moment in self.history.checkpoints if moment < origin]):
                last = self._last_stop(start, end, origin, goals)
                if self._interrupt:
                    self.history.goto(origin)
                    return self._here(Edge.INTERRUPTED)
                if last is not None:
                    return self._arrive(last)
                end = start
        finally:
            self.points = points
        self.history.goto(self.history.first)
        return self._here(Edge.START)

    def _last_stop(self, start: Moment, end: Moment, origin: Moment, goals: _Goals) -> Stop | None:
        """The last stop from ``start`` to ``end``, but before ``origin``."""
        stops, wait = tuple(self._stops() | goals.stops), self._wait()
        if goals.taken is not None:
            wait = Wait(EVERY_VECTOR, wait.loads, wait.watches)
        self.history.goto(start)
        last: Stop | None = None
        arrival = Arrival(at_stop=True)
        while not self._interrupt:
            stop = self._stop(arrival)
            earlier = stop.moment < origin or isinstance(stop.found, Accessed)  # which stops one instruction before
            if earlier and (stop.hits or self._is_reached(goals, arrival)):
                last = stop
            if stop.moment >= end:
                break
            arrival = self.history.forward(end, stops=stops, wait=wait)
        return last

    def _arrive(self, stop: Stop) -> Stop:
        """Be at a stop that was found on a search backwards."""
        if isinstance(stop.found, Accessed):
            moment = self.history.before(stop.moment)
            assert moment is not None  # an instruction made the access
            return Stop(moment, self.registers["pc"], stop.hits, stop.found, None, stop.text)
        self.history.goto(stop.moment)
        return stop

    def _here(self, edge: Edge | None = None) -> Stop:
        return Stop(self.history.now, self.registers["pc"], edge=edge, text="" if edge is None else edge.value)

    def _stop(self, arrival: Arrival) -> Stop:
        """What an arrival means: which points it hits."""
        pc = self.registers["pc"]
        hits = tuple(p for p in self.points.values() if self._is_hit(p, pc, arrival))
        text = self._tell(pc, hits, arrival)
        return Stop(self.history.now, pc, hits, arrival.found if hits else None, arrival.edge, text)

    def _is_hit(self, point: Point, pc: int, arrival: Arrival) -> bool:
        found = arrival.found
        match point:
            case Breakpoint():
                return (
                    point.va == pc and arrival.edge is None and (not point.condition or point.condition(self.machine))
                )
            case Watchpoint() if isinstance(found, Accessed):
                kind = point.writes if found.write else point.reads
                asid = point.asid is None or point.asid == self.registers["asid"]
                return kind and asid and found.va < point.va + point.size and point.va < found.va + found.size
            case Catchpoint(event=Miss(side, region)) if isinstance(found, ExceptionTaken):
                is_miss = found.vector == VECTOR_ACCESS_ERROR and found.fault_status in MISSES
                return is_miss and side in (None, found.side) and region in (None, self.region_of(found.va) or OTHER)
            case Catchpoint(event=ExceptionEvent(vector)) if isinstance(found, ExceptionTaken):
                return vector in (None, found.vector)
            case Catchpoint(event=Load(address)) if isinstance(found, TlbLoaded):
                return address in (None, found.address)
        return False

    def region_of(self, va: int) -> str | None:
        """Name of the region that a miss at ``va`` is charged to; None for none."""
        return next((r.name for r in self.machine.regions if r.start <= va < r.end), None)

    def _tell(self, pc: int, hits: tuple[Point, ...], arrival: Arrival) -> str:
        if arrival.edge is not None:
            return f"{arrival.edge.value}: {arrival.text}" if arrival.text else arrival.edge.value
        if not hits:
            return ""
        numbers = ", ".join(str(point.number) for point in hits if point.number != GOAL)
        prefix = f"{numbers}: " if numbers else ""
        match arrival.found:
            case ExceptionTaken() as taken:
                return prefix + self.describe_exception(taken)
            case TlbLoaded(address):
                return f"{prefix}TLB entry {address} was loaded"
            case Accessed(va, size, write):
                what = "write" if write else "read"
                return f"{prefix}{what} of {size} bytes at {va:#010x} ({self.machine.symbol(va)})"
        return f"{prefix}at {pc:#010x} ({self.machine.symbol(pc)})"

    def describe_exception(self, taken: ExceptionTaken) -> str:
        """One line: what was taken, where, and of an access error what was refused."""
        where = f"PC {taken.pc:#010x} ({self.machine.symbol(taken.pc)})"
        name = VECTORS.get(taken.vector, f"vector {taken.vector}")
        if taken.vector != VECTOR_ACCESS_ERROR:
            return f"{name}, {where}"
        region = self.region_of(taken.va) or OTHER
        return f"{name}: {FAULT_STATUS[taken.fault_status]} at {taken.va:#010x} ({region}), {where}"

    # --- about calls

    def _op(self, va: int) -> int:
        """The instruction word at ``va``; 0 if there is none."""
        return int.from_bytes(self.view.code(va, 2))

    def _call_length(self, va: int) -> int:
        """Bytes of the call or TRAP at ``va``; 0 if it is something else."""
        op = self._op(va)
        if not any(op & mask == value for mask, value in (JSR, BSR, TRAP)):
            return 0
        return len(self.disassemble(va)[0].bytes)

    def _sp(self) -> int:
        return int(self.registers["a7"])

    def _level(self) -> tuple[int, int, int]:
        """(Mode, ASID, stack pointer): tells a function from those it calls, and from handlers."""
        return self.registers["sr"] & SUPERVISOR, self.registers["asid"], self._sp()

    def _is_back(self, level: tuple[int, int, int]) -> bool:
        """Whether the call made at this level has returned."""
        now = self._level()
        return now[:2] == level[:2] and now[2] >= level[2]

    def _entry(self, *, stay: bool = False) -> tuple[Stop, bool]:
        """Backwards to where the present function was called, or the exception taken whose handler it is: (the stop in
        front of that, whether it was an exception). Unless ``stay``, the machine is at the function's first instruction
        or, for an exception, in front of it."""
        elf, pc, sp = self.machine.elf, self.registers["pc"], self._sp()
        start = None if elf is None else elf.start(pc)
        if start is None:
            raise UsageError(f"no function is known at {pc:#010x}")
        if pc != start:
            stop = self._backward(_Goals(frozenset({start}), lambda: self._sp() >= sp), with_points=False)
            if stop.edge is not None:
                raise UsageError(f"{stop.edge.value}: the function was entered before")
        first = self.history.now
        moment = self.history.before(first)
        if moment is None:
            raise UsageError(f"{Edge.START.value}: the function was entered before")
        entered = self._here()
        by_exception = first.exceptions > moment.exceptions
        if not stay and not by_exception:
            self.history.goto(first)
        return entered, by_exception
