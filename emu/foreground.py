"""Running one guest in the foreground of a terminal.

The engine runs native code, which Python cannot interrupt. So the run is cut into slices of about a tenth of a second
of host time: between two of them Ctrl-C is obeyed, what was counted so far is kept, and progress can be shown. Where
the cuts fall changes no count (the engine stops at instruction boundaries only).
"""

import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from emu.board import Board, get_board
from emu.counters import Counters
from emu.elf import Elf, load_elf
from emu.errors import GuestError
from emu.machine import Machine, StopReason
from emu.profile import Profile, make_profile

__all__ = ["Budget", "RunReport", "run_file"]

EXIT_GUEST_ERROR = 2  # also for a guest that waits for an answer nobody gives
EXIT_INTERRUPTED = 130  # 128 + SIGINT

NO_SYMBOL = "(no symbol)"  # programs of which the ELF file knows nothing
SLICE_SECONDS = 0.1
FIRST_SLICE = 100_000  # instructions; a tenth of a second in the slowest mode
CYCLES_PER_INSTRUCTION = 100  # more than this and a slice ends: a handler that faults at once retires no instruction

# What the user should be told when the guest did not end by itself.
NOTES = {
    StopReason.INSTRUCTIONS: "the instruction budget is used up; the guest had not ended",
    StopReason.CYCLES: "the cycle budget is used up; the guest had not ended",
    StopReason.STOPPED: "the guest executed STOP and no interrupt can wake it",
    StopReason.HYPERCALL: "the guest made a hypercall, which only `cfemu compare` answers",
}


@dataclass(frozen=True)
class Budget:
    """How far a run may go; None = without end."""

    instructions: int | None = None
    cycles: int | None = None


@dataclass
class RunReport:
    """What one run came to: everything that ``cfemu run`` prints."""

    elf: Path
    board: str
    engine: str
    reason: str  # a StopReason's name, or ERROR, or INTERRUPTED
    exit_status: int
    pc: int
    symbol: str | None
    console: bytes
    counters: Counters
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


class Progress:
    """One line on stderr, rewritten; nothing at all where stderr is not a terminal."""

    def __init__(self) -> None:
        self.shown = False
        self.wanted = sys.stderr.isatty()
        self.start = time.perf_counter()

    def show(self, instructions: int) -> None:
        seconds = time.perf_counter() - self.start
        if self.wanted and seconds > 1:
            rate = instructions / seconds / 1e6
            sys.stderr.write(f"\r\x1b[K{instructions / 1e6:,.1f} M instructions, {rate:,.1f} M/s, Ctrl-C ends the run")
            sys.stderr.flush()
            self.shown = True

    def clear(self) -> None:
        if self.shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
            self.shown = False


def run_file(
    path: Path, board_name: str, engine: str, budget: Budget, *, echo: bool, profile: bool = False
) -> RunReport:
    """Run the ELF file ``path`` on a board until it ends, a budget is used up or Ctrl-C.

    ``echo``: pass what the guest transmits on to stdout as it comes. ``profile``: keep what every access error
    cost. Raises UsageError (bad file, unknown board); what the guest does wrong is in the report.
    """
    board = get_board(board_name)
    elf = load_elf(path)
    machine = Machine(board, engine=engine)
    try:
        machine.load_elf(elf)
        name_regions(machine, elf, board)
        if profile:
            machine.start_profile()
        report = run_machine(machine, path, elf, budget, echo=echo)
        if profile:
            report.profile = profile_of(machine, elf, report.counters)
        return report
    finally:
        machine.close()


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


def run_machine(machine: Machine, path: Path, elf: Elf, budget: Budget, *, echo: bool) -> RunReport:
    progress = Progress()

    def forward(data: bytes) -> None:
        progress.clear()
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()

    if echo:
        sys.stdout.flush()
        machine.on_console = forward
    error: GuestError | None = None
    status, note = 0, None
    try:
        with interruption() as interrupted:
            reason, status = run_slices(machine, budget, interrupted, progress)
        name = reason.name if reason is not None else "INTERRUPTED"
        note = NOTES.get(reason) if reason is not None else "interrupted; the counters stand as they were then"
    except GuestError as raised:
        name, status, error = "ERROR", EXIT_GUEST_ERROR, raised
    finally:
        progress.clear()
    pc = int(machine.registers["pc"])
    return RunReport(
        elf=path,
        board=machine.board.name,
        engine=machine.engine,
        reason=name,
        exit_status=status,
        pc=pc,
        symbol=elf.symbol(pc),
        console=bytes(machine.console),
        counters=machine.counters(),
        note=note,
        error=error,
    )


def run_slices(
    machine: Machine, budget: Budget, interrupted: Interruption, progress: Progress
) -> tuple[StopReason | None, int]:
    """Run in slices until something other than a slice's end stops the machine: (reason, exit status).

    The reason is None after Ctrl-C.
    """
    slice_length = FIRST_SLICE
    while not interrupted.requested:
        done = machine.counters()
        instructions_left = remaining(budget.instructions, done.instructions)
        cycles_left = remaining(budget.cycles, done.cycles)
        if instructions_left == 0:
            return StopReason.INSTRUCTIONS, 0
        length = slice_length if instructions_left is None else min(slice_length, instructions_left)
        cycles = slice_length * CYCLES_PER_INSTRUCTION
        start = time.perf_counter()
        result = machine.run(
            max_instructions=length, max_cycles=cycles if cycles_left is None else min(cycles, cycles_left)
        )
        over = result.reason is StopReason.CYCLES and cycles_left is not None and cycles_left <= cycles
        if over or result.reason not in (StopReason.INSTRUCTIONS, StopReason.CYCLES):
            status = EXIT_GUEST_ERROR if result.reason is StopReason.HYPERCALL else 0
            return result.reason, result.exit_status or status
        slice_length = next_slice(slice_length, time.perf_counter() - start)
        progress.show(done.instructions + length)
    return None, EXIT_INTERRUPTED


def remaining(budget: int | None, used: int) -> int | None:
    return None if budget is None else max(0, budget - used)


def next_slice(length: int, seconds: float) -> int:
    """Twice as long while slices are short, half as long when they are long: Ctrl-C must feel immediate."""
    if seconds < SLICE_SECONDS / 2:
        return length * 2
    return max(1, length // 2) if seconds > SLICE_SECONDS * 2 else length
