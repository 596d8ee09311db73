"""Exact time travel: states of a deterministic machine, and running again from them.

A machine with a history runs in slices, and now and then its state is kept, as a checkpoint. Any former moment is
reached from the checkpoint before it by running again. What came from outside - answers to hypercalls, memory attached
meanwhile, typed text, what a debugger wrote - is logged the first time and given again at the same moments, so the
second run is the first one. Nothing of this changes a count: the engine stops at instruction boundaries only, wherever
the slices end.

Checkpoints share the pages that did not change between them. They come about a twentieth of a second of running apart,
which bounds how long a way back takes, and are thinned out when they take too much memory: far from the present first.
A way back leaves new ones behind where they are missing, and one near its end, so the next step back is short.

What a debugger writes makes another future: everything later than the write is forgotten, except answers to
hypercalls, which hold as long as the guest asks the same questions.
"""

import time
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

from emu.debug.catcher import ExceptionTaken, Found, Wait, apply, caught
from emu.debug.pages import Image, Pages, Weight
from emu.errors import EngineError, GuestError, UsageError
from emu.machine import Machine, Outside, RunResult, StopReason
from emu.regions import Region

__all__ = ["DEFAULT_MEMORY", "EVERY_VECTOR", "Arrival", "Call", "Edge", "History", "Moment"]

DEFAULT_MEMORY = 512 << 20
SLICE_SECONDS = 0.025
FIRST_SLICE = 20_000  # instructions
LONGEST_SLICE = 50_000_000
CYCLES_PER_INSTRUCTION = 100  # more than this and a slice ends: a handler that faults at once retires no instruction
SPACING_SECONDS = 0.05  # of running between two checkpoints, at least,
SPACING_TIMES = 4  # and so many times what taking one takes
NEAR_SECONDS = 0.01  # of running; the end of a way longer than that is kept,
NEAR = 20_000  # so many instructions before it, for the next step back
EVERY_VECTOR = frozenset(range(256))


class Moment(NamedTuple):
    """A point of the guest's time, between two instructions: instructions retired, exceptions taken, cycles.

    The first two name it; the cycles tell apart the moments of a STOP that waits.
    """

    instructions: int
    exceptions: int
    cycles: int


class Edge(Enum):
    """Where a run ends by itself."""

    START = "the history begins here"
    END = "the recorded run ends here"
    HALT = StopReason.HALT.value
    STOPPED = StopReason.STOPPED.value
    RESET = StopReason.RESET.value
    HYPERCALL = StopReason.HYPERCALL.value
    EXIT = StopReason.EXIT.value
    ERROR = "the guest cannot go on"
    DIVERGED = "the guest has left the recorded run, so nobody can answer its hypercall"
    INTERRUPTED = "interrupted"


EDGES = {
    StopReason.HALT: Edge.HALT,
    StopReason.STOPPED: Edge.STOPPED,
    StopReason.RESET: Edge.RESET,
    StopReason.HYPERCALL: Edge.HYPERCALL,
    StopReason.EXIT: Edge.EXIT,
}


@dataclass(frozen=True)
class Arrival:
    """Why a run ended: ``edge``; or ``found``; or a stop address was reached (``at_stop``); or, with none of them, the
    moment it was to go to, or one step. ``text``: of an error, or the guest's exit status."""

    edge: Edge | None = None
    found: Found | None = None
    at_stop: bool = False
    text: str = ""


@dataclass(eq=False)
class _Checkpoint:
    moment: Moment
    image: Image
    outside: Outside
    inputs: int  # how much of the log lies before it
    calls: int
    lines: int
    seconds: float  # of running since the one before


@dataclass(frozen=True)
class _Input:
    """Something from outside at a moment: typed text, a debugger's write."""

    moment: Moment
    apply: Callable[[Machine], None]


@dataclass(frozen=True)
class _Call:
    """A hypercall with its answer, and what the guest's world had become by then."""

    number: int
    arguments: tuple[int, ...]
    answer: tuple[int, tuple[int, ...]]
    banks: int
    regions: tuple[Region, ...]
    moment: Moment  # at which it was answered first


@dataclass(frozen=True)
class Call:
    """A hypercall of the guest that was answered, and the moment of it: before the instruction that made it retires."""

    moment: Moment
    number: int
    arguments: tuple[int, ...]
    status: int
    results: tuple[int, ...]


@dataclass
class _Log:
    """What came from outside, and how much of it lies behind the present moment."""

    inputs: list[_Input] = field(default_factory=list)
    calls: list[_Call] = field(default_factory=list)
    lines: list[bytes] = field(default_factory=list)
    next_input: int = 0
    next_call: int = 0
    next_line: int = 0


class History:
    """The history of ``machine`` from now on. The machine must be run through it only; ``close`` gives it back.

    ``memory``: bytes that checkpoints may take (there is one more copy of the memory in use). ``interrupted``: asked
    between two slices; True ends the run there.
    """

    def __init__(
        self,
        machine: Machine,
        *,
        memory: int = DEFAULT_MEMORY,
        interrupted: Callable[[], bool] = lambda: False,
    ) -> None:
        if machine.paced:
            raise UsageError("a machine whose clock keeps to the host's has no history")
        self.machine = machine
        self.memory = memory
        self.interrupted = interrupted
        self.on_fork: Callable[[Moment], None] = lambda _: None  # told when everything later than a moment is forgotten
        self._answer, machine.on_hypercall = machine.on_hypercall, self._hypercall
        self._show, machine.on_console = machine.on_console, self._transmit
        self._read, machine.read_line = machine.read_line, self._read_line
        self._log = _Log()
        self._recorded = False  # the history ends where it ended; a fork lifts that,
        self._asks = True  # but not that nobody answers hypercalls which are not in the log
        self._diverged = False
        self._console = bytearray(machine.console)  # of the whole history
        self._shown = len(machine.console)
        self._ended: tuple[Moment, Arrival] | None = None  # what is not to be run again to find out
        self._slice = FIRST_SLICE
        self._pages = Pages()
        self._weight = Weight()
        self._cost = 0.0  # seconds that taking a checkpoint takes
        self._since = 0.0  # seconds of running since the last one
        self._checkpoints: list[_Checkpoint] = []
        self.last = self.now
        self._keep()

    def close(self) -> None:
        """The machine is run by others again, from the present moment."""
        apply(self.machine, Wait())
        self.machine.on_hypercall = self._answer
        self.machine.on_console = self._show
        self.machine.read_line = self._read

    def end_recording(self) -> None:
        """Nobody answers hypercalls any more: from now on the run up to here is replayed, and ends here."""
        self._recorded = True
        self._asks = False

    def show_console(self, show: Callable[[bytes], None] | None) -> None:
        """Pass output on to ``show``, from the present moment on."""
        self._show = show
        self._shown = len(self.machine.console)

    def read_lines_from(self, read: Callable[[int], bytes]) -> None:
        """Where the guest's input by semihosting comes from, from now on."""
        self._read = read

    # --- where we are

    @property
    def now(self) -> Moment:
        """The present moment."""
        s = self.machine.core.state
        return Moment(int(s["instructions"]), int(s["taken"]), int(s["cycles"]))

    @property
    def first(self) -> Moment:
        """The moment at which the history begins."""
        return self._checkpoints[0].moment

    @property
    def checkpoints(self) -> list[Moment]:
        """The moments that are kept, in order."""
        return [checkpoint.moment for checkpoint in self._checkpoints]

    @property
    def calls(self) -> list[Call]:
        """Every hypercall that was answered, in order."""
        return [Call(c.moment, c.number, c.arguments, c.answer[0], tuple(c.answer[1])) for c in self._log.calls]

    @property
    def bytes_kept(self) -> int:
        """Memory that the checkpoints take."""
        return self._weight.bytes

    # --- moving

    def forward(self, to: Moment | None = None, *, stops: Sequence[int] = (), wait: Wait | None = None) -> Arrival:
        """Run until ``to``, a stop address, or what ``wait`` names; or until the guest or the history ends.

        At least one instruction or exception happens unless ``to`` is reached, so a stop address at PC does not hold.
        """
        wait = wait or Wait()
        start = self.now
        arrival = None
        if stops and self.machine.registers["pc"] in stops and (to is None or start < to):
            arrival = self._wanted(self.step(wait), wait)
        while arrival is None:
            if stops and self.now != start and self.machine.registers["pc"] in stops:
                return Arrival(at_stop=True)
            if self.interrupted():
                return Arrival(Edge.INTERRUPTED)
            arrival = self._slice_towards(to, stops, wait)
        return arrival

    def step(self, wait: Wait | None = None) -> Arrival:
        """One instruction, or one exception, which is told of in any case. ``wait``: what else to tell of."""
        wait = wait or Wait()
        self._apply_inputs()
        return (
            self._is_over()
            or self._run(1, LONGEST_SLICE, (), Wait(EVERY_VECTOR, wait.loads, wait.watches))
            or Arrival()
        )

    def goto(self, moment: Moment) -> None:
        """Be at ``moment``, which lies between the first and the last one. UsageError if it does not exist."""
        if not self.first <= moment <= self.last:
            raise UsageError(f"instruction {moment.instructions:,} is not in the history")
        self._approach(moment)
        self._go(moment)
        if self.now != moment:
            raise EngineError(f"running again led to {self.now} instead of {moment}")

    def goto_instruction(self, number: int) -> None:
        """Be where ``number`` instructions have retired, before anything that happens then."""
        if not self.first.instructions <= number <= self.last.instructions:
            raise UsageError(f"instruction {number:,} is not in the history")
        target = Moment(number, 0, 0)
        self._approach(target)
        self._go(target)

    def before(self, moment: Moment) -> Moment | None:
        """The last moment before ``moment`` at which single steps stop, or None at the start of the history; the
        machine is there afterwards."""
        if moment <= self.first:
            return None
        self.goto_instruction(max(self.first.instructions, moment.instructions - 1))
        found = here = self.now
        while here < moment:
            found = here
            self.step()
            here = self.now
            if here == found:
                raise EngineError(f"running again ended at {here} before {moment}")
        self.goto(found)
        return found

    # --- from outside

    def type_in(self, text: bytes) -> None:
        """Type ``text`` on the console, now; everything later is forgotten."""
        self.write(lambda machine: machine.type_in(text))

    def write(self, action: Callable[[Machine], None]) -> None:
        """Let ``action`` change the machine, now and whenever this moment is passed again.

        Everything later is forgotten. If it raises, nothing must have changed.
        """
        self._apply_inputs()
        action(self.machine)
        self._fork()
        self._log.inputs.append(_Input(self.now, action))
        self._log.next_input += 1

    def _fork(self) -> None:
        """The present becomes the last moment."""
        now = self.now
        del self._log.inputs[self._log.next_input :]
        for checkpoint in [c for c in self._checkpoints if c.moment > now]:
            self._drop(checkpoint)
        del self._console[len(self.machine.console) :]
        self._shown = min(self._shown, len(self._console))
        self._recorded = False
        self._ended = None
        self.last = now
        self.on_fork(now)

    def _apply_inputs(self) -> None:
        """Give the guest what came at this moment."""
        log, now = self._log, self.now
        while log.next_input < len(log.inputs) and log.inputs[log.next_input].moment == now:
            log.inputs[log.next_input].apply(self.machine)
            log.next_input += 1

    def _hypercall(self, number: int, arguments: tuple[int, ...]) -> tuple[int, Sequence[int]] | None:
        """Answer as the first time, or ask whoever answers."""
        log, machine = self._log, self.machine
        self._diverged = False
        if log.next_call < len(log.calls):
            call = log.calls[log.next_call]
            if (call.number, call.arguments) != (number, arguments):
                self._diverged = True
                return None
            machine.core.show_banks(call.banks)
            machine.regions.replace(call.regions)
            log.next_call += 1
            return call.answer
        answer = self._answer(number, arguments) if self._answer is not None and self._asks else None
        if answer is not None:  # else the machine stops here, and the guest will ask again
            status, results = answer
            banks = int(machine.core.state["n_banks"])
            regions = tuple(machine.regions)
            log.calls.append(_Call(number, arguments, (status, tuple(results)), banks, regions, self.now))
            log.next_call += 1
        return answer

    def _read_line(self, size: int) -> bytes:
        """Input by semihosting."""
        log = self._log
        if log.next_line == len(log.lines):
            log.lines.append(self._read(size))
        log.next_line += 1
        return log.lines[log.next_line - 1]

    def _transmit(self, data: bytes) -> None:
        """Output appears when it comes for the first time."""
        new = len(self.machine.console) - self._shown
        if new > 0:
            self._shown += new
            if self._show is not None:
                self._show(data[-new:])

    # --- running

    def _go(self, target: Moment) -> None:
        """Run to ``target``, beyond where the guest has stopped and was let go on."""
        while self.now < target:
            before = self.now, self._log.next_input
            arrival = self._slice_towards(target, (), Wait())
            if arrival is not None and arrival.edge is not None and before == (self.now, self._log.next_input):
                raise EngineError(f"running again ended at {self.now}: {arrival.edge.value}")
            if target.instructions - self.now.instructions == NEAR and self._since > NEAR_SECONDS:
                self._keep()
        self._apply_inputs()

    def _is_over(self) -> Arrival | None:
        """Whether the guest cannot be run on from the present moment."""
        if self._ended is not None and self._ended[0] == self.now:
            return self._ended[1]
        return Arrival(Edge.END) if self._recorded and self.now >= self.last else None

    def _slice_towards(self, to: Moment | None, stops: Sequence[int], wait: Wait) -> Arrival | None:
        """Run some time towards ``to``; None = go on."""
        self._apply_inputs()
        now = self.now
        if to is not None and now >= to:
            return Arrival()
        over = self._is_over()
        if over is not None:
            return over
        budget, cycles = self._slice, self._slice * CYCLES_PER_INSTRUCTION
        goal = self._next_goal(to)
        if goal is None:
            return self._run(budget, cycles, stops, wait)
        if goal.instructions > now.instructions:
            distance = goal.instructions - now.instructions
            return self._run(min(budget, distance - NEAR if distance > 2 * NEAR else distance), cycles, stops, wait)
        if goal.exceptions > now.exceptions:
            every = Wait(EVERY_VECTOR, wait.loads, wait.watches)
            arrival = self._run(1, cycles, stops, every)
            return arrival and self._wanted(arrival, wait)
        return self._run(1, goal.cycles - now.cycles, stops, wait)

    def _next_goal(self, to: Moment | None) -> Moment | None:
        """The next moment at which there is something to do."""
        goals = [] if to is None else [to]
        if self._log.next_input < len(self._log.inputs):
            goals.append(self._log.inputs[self._log.next_input].moment)
        if self._recorded:
            goals.append(self.last)
        return min(goals, default=None)

    @staticmethod
    def _wanted(arrival: Arrival, wait: Wait) -> Arrival | None:
        """``arrival``, if it is one that ``wait`` waits for, or the end of something."""
        if isinstance(arrival.found, ExceptionTaken) and arrival.found.vector not in wait.vectors:
            return None
        return arrival if arrival != Arrival() else None

    def _run(self, budget: int, cycles: int, stops: Sequence[int], wait: Wait) -> Arrival | None:
        """Run the machine once, and do the books; None when a budget ended it."""
        apply(self.machine, wait)
        before = self.now
        started = time.perf_counter()
        arrival = self._live(budget, cycles, stops)
        seconds = time.perf_counter() - started
        if arrival is None and budget == self._slice == self.now.instructions - before.instructions:
            fitting = int(budget * SLICE_SECONDS / seconds)
            self._slice = max(FIRST_SLICE, min(fitting, 2 * budget, LONGEST_SLICE))
        self._console += self.machine.console[len(self._console) :]
        self.last = max(self.last, self.now)
        self._since += seconds
        self._keep_if_due()
        return arrival

    def _live(self, budget: int, cycles: int, stops: Sequence[int]) -> Arrival | None:
        try:
            result = self.machine.run(budget, cycles, stops)
        except GuestError as error:
            return self._note_end(Arrival(Edge.ERROR, text=str(error)))
        match result.reason:
            case StopReason.INSTRUCTIONS | StopReason.CYCLES:
                return None
            case StopReason.ADDRESS:
                return Arrival(at_stop=True)
            case StopReason.CAUGHT:
                return Arrival(found=caught(self.machine))
        return self._end(result)

    def _end(self, result: RunResult) -> Arrival:
        edge = EDGES[result.reason]
        if edge is Edge.HYPERCALL and self._diverged:
            edge = Edge.DIVERGED
        arrival = Arrival(edge, text="" if result.exit_status is None else f"exit status {result.exit_status}")
        if edge in (Edge.HYPERCALL, Edge.DIVERGED):  # the guest asks again, and somebody may have an answer then
            return arrival
        return self._note_end(arrival)

    def _note_end(self, arrival: Arrival) -> Arrival:
        """The run ends here for whoever comes here again, unless it was let go on by a write."""
        log, now = self._log, self.now
        written = log.next_input < len(log.inputs) and log.inputs[log.next_input].moment == now
        if now >= self.last and not written:
            self._ended = now, arrival
        return arrival

    # --- checkpoints

    def _approach(self, moment: Moment) -> None:
        """Be somewhere at or before ``moment``, near it."""
        best = self._checkpoints[max(0, self._index_behind(moment) - 1)]
        if not best.moment <= self.now <= moment:
            self._restore(best)

    def _index_behind(self, moment: Moment) -> int:
        """Number of the first checkpoint after ``moment``."""
        return bisect_right(self._checkpoints, moment, key=lambda c: c.moment)

    def _restore(self, checkpoint: _Checkpoint) -> None:
        self._pages.put(checkpoint.image)
        self.machine.resume_at(checkpoint.outside, bytes(self._console[: checkpoint.outside.transmitted]))
        log = self._log
        log.next_input, log.next_call, log.next_line = checkpoint.inputs, checkpoint.calls, checkpoint.lines
        self._since = 0.0

    def _keep_if_due(self) -> None:
        """Keep the present moment if the way to it from the last checkpoint has become long."""
        spacing = max(SPACING_SECONDS, SPACING_TIMES * self._cost)
        if self._since < spacing:
            return
        following = self._index_behind(self.now)
        if following < len(self._checkpoints) and self._checkpoints[following].seconds < 2 * spacing:
            return  # it is long only because the run is slowed down by what it looks for
        self._keep()

    def _keep(self) -> None:
        """Keep the present moment."""
        started = time.perf_counter()
        outside = self.machine.outside()
        image = self._pages.take(self.machine.areas())
        log, now = self._log, self.now
        checkpoint = _Checkpoint(now, image, outside, log.next_input, log.next_call, log.next_line, self._since)
        at = self._index_behind(now)
        if at and self._checkpoints[at - 1].moment == now:
            return
        if at < len(self._checkpoints):
            self._checkpoints[at].seconds = max(0.0, self._checkpoints[at].seconds - self._since)
        self._checkpoints.insert(at, checkpoint)
        self._weight.add(image)
        self._since = 0.0
        self._cost = time.perf_counter() - started
        while self._weight.bytes > self.memory and len(self._checkpoints) > 2:
            self._drop(self._least_useful())

    def _drop(self, checkpoint: _Checkpoint) -> None:
        at = self._checkpoints.index(checkpoint)
        del self._checkpoints[at]
        if at < len(self._checkpoints):
            self._checkpoints[at].seconds += checkpoint.seconds
        self._weight.remove(checkpoint.image)

    def _least_useful(self) -> _Checkpoint:
        """The one whose loss makes the smallest gap, as seen from the present; never the first or the last."""
        now = self.now.instructions
        where = [c.moment.instructions for c in self._checkpoints]

        def loss(i: int) -> float:
            return (where[i + 1] - where[i - 1]) / (abs(now - where[i]) + NEAR)

        return self._checkpoints[min(range(1, len(where) - 1), key=loss)]
