"""Running one guest in the foreground of a terminal.

The engine runs native code, which Python cannot interrupt. So the run is cut into slices of a few hundredths of a
second of host time: between two of them Ctrl-C is obeyed, keys reach the guest, its output appears, and progress can be
shown. Where the cuts fall changes no count (the engine stops at instruction boundaries only).
"""

import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from types import FrameType

from emu.board import Board, get_board
from emu.console import (
    Cancelled,
    Command,
    Keyboard,
    Pace,
    RawTerminal,
    Session,
    help_text,
    read_script,
    stdin_is_terminal,
)
from emu.counters import Counters
from emu.elf import Elf, load_elf
from emu.errors import GuestError, UsageError
from emu.machine import Machine, StopReason
from emu.options import MachineOptions
from emu.profile import Profile, make_profile
from emu.screen import Screen

__all__ = ["Budget", "RunReport", "Setup", "run_file"]

EXIT_FAILURE = 1  # the guest's time is over, or its kernel has panicked
EXIT_GUEST_ERROR = 2  # also for a guest that waits for an answer nobody gives
EXIT_INTERRUPTED = 130  # 128 + SIGINT

NO_SYMBOL = "(no symbol)"  # programs of which no file given knows anything
SLICE_SECONDS = 0.025
FIRST_SLICE = 100_000  # instructions; a tenth of a second in the slowest mode
CYCLES_PER_INSTRUCTION = 100  # more than this and a slice ends: a handler that faults at once retires no instruction

PANIC_LABEL, NO_PANIC = "panic_cpu", 0xFFFFFFFF  # Linux, kernel/panic.c: the CPU that has panicked, -1 while none has


class HostStop(Enum):
    """Why the host ended a run that the guest had not ended."""

    INTERRUPTED = "Ctrl-C"
    TIMEOUT = "time limit"
    QUIT = "quit from the keyboard"
    RESTART = "reset from the keyboard"


# What the user should be told when the guest did not end by itself.
NOTES: dict[StopReason | HostStop, str] = {
    StopReason.INSTRUCTIONS: "the instruction budget is used up; the guest had not ended",
    StopReason.CYCLES: "the cycle budget is used up; the guest had not ended",
    StopReason.STOPPED: "the guest executed STOP and no interrupt can wake it",
    StopReason.HYPERCALL: "the guest made a hypercall, which only `cfemu compare` answers",
    HostStop.INTERRUPTED: "interrupted; the counters stand as they were then",
    HostStop.TIMEOUT: "the time limit is over; the guest had not ended",
}
STATUSES: dict[StopReason | HostStop, int] = {  # where it is not 0
    StopReason.HYPERCALL: EXIT_GUEST_ERROR,
    HostStop.INTERRUPTED: EXIT_INTERRUPTED,
    HostStop.TIMEOUT: EXIT_FAILURE,
}


@dataclass(frozen=True)
class Budget:
    """How far a run may go, ``seconds`` in host time; None = without end."""

    instructions: int | None = None
    cycles: int | None = None
    seconds: float | None = None


@dataclass(frozen=True)
class Setup:
    """What to run, and on what. ``load``: files as FILE@ADDRESS; ``symbols``: ELF files that only name addresses;
    ``profile``: whether to keep what each access error cost; ``recording``: the trace file to write, if any."""

    elf: Path
    board: str
    options: MachineOptions = field(default_factory=MachineOptions)
    load: tuple[str, ...] = ()
    symbols: tuple[Path, ...] = ()
    strict: bool = False
    profile: bool = False
    recording: Path | None = None


@dataclass
class RunReport:
    """What one run came to: everything that ``cfemu run`` prints."""

    elf: Path
    board: str
    engine: str
    tlb: int
    timing: str
    clock: str
    reason: str  # a StopReason's name, a HostStop's, or ERROR
    exit_status: int
    pc: int
    symbol: str | None
    console: bytes  # all output; only the last byte of what was shown as it came
    counters: Counters
    mmu_warnings: dict[str, int] = field(default_factory=dict)  # meaning and count
    profile: Profile | None = None
    note: str | None = None
    error: GuestError | None = field(default=None, repr=False)


class Interruption:
    """Ctrl-C as a flag, so that it never tears the engine; a second Ctrl-C does what it always does."""

    def __init__(self) -> None:
        self.requested = False

    def handle(self, signum: int, frame: FrameType | None) -> None:
        self.requested = True
        signal.signal(signal.SIGINT, signal.default_int_handler)


@contextmanager
def interruption() -> Iterator[Interruption]:
    flag = Interruption()
    before = signal.signal(signal.SIGINT, flag.handle)
    try:
        yield flag
    finally:
        signal.signal(signal.SIGINT, before)


@dataclass(frozen=True)
class Program:
    """The files of a run, read and checked, ready to be loaded as often as the board is reset."""

    elf: Elf
    names: Elf  # the same with all symbols
    raw: tuple[tuple[str, int, bytes], ...]  # name, physical address, content


def read_program(setup: Setup) -> Program:
    """Read every file. UsageError for what is missing, unreadable or badly written."""
    elf = names = load_elf(setup.elf)
    for path in setup.symbols:
        names = names.with_symbols(load_elf(path))
    return Program(elf, names, tuple(read_raw(text) for text in setup.load))


def read_raw(text: str) -> tuple[str, int, bytes]:
    """(file name, physical address, content) of ``FILE@ADDRESS``."""
    name, at, address = text.rpartition("@")
    digits = address.removeprefix("0x")
    base = 10 if digits == address else 16
    try:
        if not (at and name and digits.isalnum() and digits.isascii()):
            raise ValueError
        pa = int(digits, base)
    except ValueError:
        raise UsageError(f"--load {text}: expected FILE@ADDRESS, with a physical address like 0x100000") from None
    try:
        return name, pa, Path(name).read_bytes()
    except OSError as error:
        raise UsageError(f"--load {text}: {(error.strerror or str(error)).lower()}") from error


def build_machine(setup: Setup, program: Program) -> Machine:
    """A board with everything loaded, at reset."""
    board = get_board(setup.board)
    machine = Machine(board, **setup.options.keywords)
    try:
        machine.strict = setup.strict
        machine.load_elf(program.elf)
        machine.elf = program.names
        for name, pa, data in program.raw:
            try:
                machine.write_physical(pa, data)
            except UsageError as error:
                raise UsageError(f"--load {name}@{pa:#x}: {error}") from None
        name_regions(machine, program.elf, board)
        if setup.profile:
            machine.start_profile()
    except BaseException:
        machine.close()
        raise
    return machine


# What Linux/m68k for ColdFire maps for itself (arch/m68k/include/asm/pgtable_mm.h); its miss handler tells that a guest
# is that kernel.
LINUX_MISS_HANDLER = "cf_tlb_miss"
LINUX_RANGES = {"vmalloc": range(0xD0000000, 0xE0000000), "kmap": range(0xE0000000, 0xF0000000)}


def kernel_ranges(elf: Elf) -> dict[str, range]:
    """Virtual addresses that the kernel in ``elf`` maps for itself, by name."""
    return LINUX_RANGES if LINUX_MISS_HANDLER in elf.labels else {}


def profile_of(machine: Machine, elf: Elf, counters: Counters) -> Profile:
    """What the access errors of a run cost."""
    ranges = kernel_ranges(elf)

    def region_of(va: int) -> str | None:
        return next((name for name, addresses in ranges.items() if va in addresses), None)

    def code_at(pc: int) -> str:
        return (elf.symbol(pc) or NO_SYMBOL).split("+")[0]

    return make_profile(machine.access_errors(), counters, region_of, code_at)


def name_regions(machine: Machine, elf: Elf, board: Board) -> None:
    """Charge misses to what a kernel maps for itself, then to the file's segments, then to the board's memory."""
    for name, addresses in kernel_ranges(elf).items():
        machine.regions.add(name, addresses.start, addresses.stop)
    for number, segment in enumerate(elf.segments):
        machine.regions.add(f"segment {number}", segment.vaddr, segment.vaddr + segment.memsz)
    for number, (base, size) in enumerate(board.ram):
        machine.regions.add(f"ram {number}" if len(board.ram) > 1 else "ram", base, base + size)
    machine.regions.add("mbar", board.mbar, board.mbar + 0x40000)
    if board.device_window is not None:
        base, size = board.device_window
        machine.regions.add("devices", base, base + size)


class Host:
    """What the guest has around it: the screen, a keyboard or a script, a time limit, somebody who presses Ctrl-C.

    ``show_counters`` prints them in the middle of a session.
    """

    def __init__(
        self,
        screen: Screen,
        interrupted: Interruption,
        terminal: RawTerminal,
        session: Session,
        show_counters: Callable[[Counters], None],
        seconds: float | None = None,
    ) -> None:
        self.screen = screen
        self.interrupted = interrupted
        self.terminal = terminal
        self.session = session
        self.show_counters = show_counters
        self.deadline = None if seconds is None else time.monotonic() + seconds

    def attach(self, machine: Machine) -> None:
        """Connect a new machine."""
        if self.screen.echo:
            machine.on_console = lambda data: self._show(machine, data)
        if self.session.active:
            self.session.begin(machine)
        else:
            machine.when_listening(lambda: self._meet_guest(machine))

    def _show(self, machine: Machine, data: bytes) -> None:
        self.screen.show_output(data)
        del machine.console[:-1]  # a guest that prints for ever must not fill our memory

    def _meet_guest(self, machine: Machine) -> bytes:
        """The guest listens: what is typed without a person, or a session with one."""
        if not stdin_is_terminal():
            return read_script(lambda: self._stop() is not None)
        if self.screen.echo:  # else nobody would see what he does
            self.terminal.make_raw()
            self.session.begin(machine)
            self.screen.progress = False
            self.screen.say("cfemu: the guest has the keyboard; Ctrl-A h for help, Ctrl-A x to quit")
        return b""

    def attend(self, machine: Machine, idle: float = 0.0) -> HostStop | None:
        """Between two slices: whether the host ends the run. ``idle``: seconds that the guest need not run."""
        stop = self._stop()
        if stop is not None or not self.session.active:
            return stop
        try:
            most = max(0.0, min(idle, self._seconds_left()))
            for command in self.session.idle(machine, most) if idle else self.session.poll(machine):
                stop = self._obey(command, machine)
                if stop is not None:
                    return stop
        except EOFError:
            return HostStop.QUIT  # the terminal is gone
        return None

    def _stop(self) -> HostStop | None:
        if self.interrupted.requested:
            return HostStop.INTERRUPTED
        return HostStop.TIMEOUT if self._seconds_left() <= 0 else None

    def _seconds_left(self) -> float:
        return float("inf") if self.deadline is None else self.deadline - time.monotonic()

    def _obey(self, command: Command, machine: Machine) -> HostStop | None:
        match command:
            case Command.HELP:
                self.screen.say(help_text())
            case Command.COUNTERS:
                self.screen.start_line()
                self.show_counters(machine.counters())
            case Command.QUIT:
                return HostStop.QUIT
            case Command.RESET:
                self.screen.say("cfemu: board reset; the counters start anew")
                return HostStop.RESTART
        return None


def run_file(setup: Setup, budget: Budget, *, echo: bool, show_counters: Callable[[Counters], None]) -> RunReport:
    """Run an ELF file on a board until it ends, a budget is used up, Ctrl-C, or a person at the terminal quits.

    ``echo``: pass what the guest transmits on to stdout as it comes; ``show_counters``: how to print counters in the
    middle of a session. Raises UsageError (bad file, unknown board); what the guest does wrong is in the report.
    """
    screen = Screen(echo=echo)
    sys.stdout.flush()
    program = read_program(setup)
    machine = build_machine(setup, program)
    with interruption() as interrupted, RawTerminal() as terminal, screen.warnings():
        session = Session(Keyboard(), Pace())
        host = Host(screen, interrupted, terminal, session, show_counters, budget.seconds)
        while True:
            try:
                host.attach(machine)
                with recording_of(machine, setup):
                    report = run_machine(machine, setup, program, budget, host)
            finally:
                machine.close()
            if report.reason != HostStop.RESTART.name:
                return report
            machine = build_machine(setup, program)


def recording_of(machine: Machine, setup: Setup) -> AbstractContextManager[object]:
    """Write the trace that is asked for; a board reset from the keyboard begins it anew."""
    if setup.recording is None:
        return nullcontext()
    from emu.recording import record

    return record(machine, setup.recording)


def run_machine(machine: Machine, setup: Setup, program: Program, budget: Budget, host: Host) -> RunReport:
    error: GuestError | None = None
    notes = []
    try:
        reason, status = run_slices(machine, budget, host)
        name = reason.name
        notes += [NOTES[reason]] if reason in NOTES else []
    except GuestError as raised:
        name, status, error = "ERROR", EXIT_GUEST_ERROR, raised
    if has_panicked(machine, program.elf):
        status = status or EXIT_FAILURE
        notes.append(f"the kernel has panicked ({PANIC_LABEL} is set)")
    pc = int(machine.registers["pc"])
    counters = machine.counters()
    return RunReport(
        elf=setup.elf,
        board=machine.board.name,
        engine=machine.engine,
        tlb=setup.options.tlb,
        timing=setup.options.timing,
        clock=setup.options.clock,
        reason=name,
        exit_status=status,
        pc=pc,
        symbol=program.names.symbol(pc),
        console=bytes(machine.console),
        counters=counters,
        mmu_warnings=machine.mmu_warnings(),
        profile=profile_of(machine, program.names, counters) if setup.profile else None,
        note="; ".join(notes) or None,
        error=error,
    )


def has_panicked(machine: Machine, elf: Elf) -> bool:
    """Whether the guest is a Linux that says so of itself."""
    pa = elf.physical(elf.labels[PANIC_LABEL]) if PANIC_LABEL in elf.labels else None
    return pa is not None and int.from_bytes(machine.read_physical(pa, 4)) != NO_PANIC


def run_slices(machine: Machine, budget: Budget, host: Host) -> tuple[StopReason | HostStop, int]:
    """Run in slices until something other than a slice's end stops the machine: (reason, exit status)."""
    slice_length = FIRST_SLICE
    idle = 0.0
    while (stop := host.attend(machine, idle)) is None:
        instructions_left = remaining(budget.instructions, machine.instructions)
        cycles_left = remaining(budget.cycles, machine.cycles)
        if instructions_left == 0:
            return StopReason.INSTRUCTIONS, 0
        length = slice_length if instructions_left is None else min(slice_length, instructions_left)
        cycles = slice_length * CYCLES_PER_INSTRUCTION
        start = time.perf_counter()
        try:
            result = machine.run(length, cycles if cycles_left is None else min(cycles, cycles_left))
        except Cancelled:
            continue  # there is a reason to stop
        seconds = time.perf_counter() - start
        over = result.reason is StopReason.CYCLES and cycles_left is not None and cycles_left <= cycles
        idle = 0.0
        if result.reason is StopReason.IDLE:
            left = remaining(budget.cycles, machine.cycles)
            idle = float("inf") if left is None else left / machine.board.core_hz
        elif over or result.reason not in (StopReason.INSTRUCTIONS, StopReason.CYCLES):
            return result.reason, result.exit_status or STATUSES.get(result.reason, 0)
        # Cycles that were skipped in a STOP say nothing about how long busy code takes.
        elif result.reason is StopReason.INSTRUCTIONS or seconds > SLICE_SECONDS:
            slice_length = next_slice(slice_length, seconds)
        host.screen.show_progress(machine.instructions)
    return stop, STATUSES.get(stop, 0)


def remaining(budget: int | None, used: int) -> int | None:
    return None if budget is None else max(0, budget - used)


def next_slice(length: int, seconds: float) -> int:
    """Twice as long while slices are short, half as long when they are long: Ctrl-C must feel immediate."""
    if seconds < SLICE_SECONDS / 2:
        return length * 2
    return max(1, length // 2) if seconds > SLICE_SECONDS * 2 else length
