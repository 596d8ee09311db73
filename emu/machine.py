"""The machine: a board, its CPU and MMU, and what a run of it counted. The way in for everybody outside ``emu``."""

import logging
import math
import sys
from collections.abc import Callable, Iterable, Iterator, MutableMapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emu.board import Board
from emu.counters import Counters
from emu.cpu import compiled
from emu.cpu import state as st
from emu.cpu.core import Core
from emu.cpu.registers import read_register, register_names, write_register
from emu.cpu.semihosting import Semihosting
from emu.elf import Elf
from emu.errors import (
    DoubleFault,
    EngineError,
    UndefinedRegister,
    UnhandledException,
    UnmodelledRegister,
    UnsupportedFeature,
    UsageError,
)
from emu.mmu.registers import (
    FAULT_STATUS,
    FS_FETCH_ERROR,
    FS_FETCH_MISS,
    FS_FETCH_MISS_EXTENSION,
    FS_READ_ERROR,
    FS_WRITE_ERROR,
    VECTOR_ACCESS_ERROR,
    VECTORS,
)
from emu.mmu.state import WARNINGS
from emu.profile import decode_open, decode_records, in_order_of_beginnings
from emu.readings import Durations, add_durations, read_counters
from emu.regions import Region, Regions
from emu.timing.constants import Costs
from emu.timing.optable import Cells

__all__ = ["HypercallHandler", "Machine", "Outside", "RunResult", "Snapshot", "StopReason"]

log = logging.getLogger(__name__)
TYPING_STARTS = 1  # virtual seconds after the guest has begun to listen, if it does not wait for input before

EventSink = Callable[[NDArray[np.uint8], NDArray[np.uint32], NDArray[np.uint32]], None]
HypercallHandler = Callable[[int, tuple[int, ...]], tuple[int, Sequence[int]] | None]


class StopReason(Enum):
    """Why :meth:`Machine.run` returned."""

    INSTRUCTIONS = "instruction budget used up"
    CYCLES = "cycle budget used up"
    ADDRESS = "stop address reached"
    HALT = "HALT instruction"
    STOPPED = "STOP with no interrupt to come"
    RESET = "board reset by the GPT0 watchdog"
    HYPERCALL = "hypercall without an answer"
    EXIT = "semihosting exit"
    CAUGHT = "what the debugger waits for has happened"
    IDLE = "waits for time to pass, which the host must let"


_REASONS = {
    st.EVENT_ADDRESS: StopReason.ADDRESS,
    st.EVENT_CAUGHT: StopReason.CAUGHT,
    st.EVENT_HALT: StopReason.HALT,
    st.EVENT_STOPPED: StopReason.STOPPED,
    st.EVENT_RESET: StopReason.RESET,
    st.EVENT_HYPERCALL: StopReason.HYPERCALL,
    st.EVENT_IDLE: StopReason.IDLE,
}


@dataclass(frozen=True)
class RunResult:
    """``pc``: the next instruction. ``exit_status``: the guest's, when it exited by semihosting."""

    reason: StopReason
    pc: int
    exit_status: int | None = None


@dataclass(frozen=True)
class Outside:
    """What a machine is beside its memory areas (:meth:`Machine.areas`). ``context``: unicorn's registers; ``unread``:
    typed and not received; ``transmitted``: bytes of console output; ``banks``: of memory that the guest sees."""

    context: bytes
    unread: bytes
    transmitted: int
    durations: Durations
    regions: tuple[Region, ...]
    banks: int


@dataclass(frozen=True)
class Snapshot:
    """Everything a machine is: restore it on a machine with the same memory map."""

    record: bytes
    registers: bytes
    banks: tuple[tuple[str, dict[int, bytes]], ...]
    console: bytes
    durations: Durations
    miss_pc: bytes
    sram: tuple[bytes, bytes]


def _used_pages(data: NDArray[np.uint8]) -> list[int]:
    """Numbers of the 4-KB pages of ``data`` that are not all zero."""
    found: list[int] = np.flatnonzero(np.bitwise_or.reduce(data.view(np.uint64).reshape(-1, 512), axis=1)).tolist()
    return found


def read_standard_input(size: int) -> bytes:
    """A line, or ``size`` bytes of one."""
    return sys.stdin.buffer.readline(size)


class _Registers(MutableMapping[str, int]):
    """``machine.registers``: D0-D7, A0-A7, PC, SR, USP, the control registers, FPU and EMAC by lower-case name."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def __getitem__(self, name: str) -> int:
        return read_register(self._core, name)

    def __setitem__(self, name: str, value: int) -> None:
        write_register(self._core, name, value)

    def __delitem__(self, name: str) -> None:
        raise TypeError("a register cannot be deleted")

    def __iter__(self) -> Iterator[str]:
        return iter(register_names())

    def __len__(self) -> int:
        return len(register_names())


class Machine:
    """A board with a ColdFire V4e.

    ``engine``: auto, native, public or reference. ``itlb_entries``, ``dtlb_entries`` (2..128) and ``policy`` change the
    MMU's geometry; the defaults are the hardware. ``timing``: flat, pipeline or full (docs/timing-model.md); ``costs``
    and ``cells`` change its numbers. ``clock``: what devices count, cycles or instructions (then the guest does the
    same whatever its instructions cost). Raises BoardError for an impossible board or engine, UsageError for a timing
    or clock that does not exist.
    """

    def __init__(
        self,
        board: Board,
        engine: str = "auto",
        *,
        itlb_entries: int = 32,
        dtlb_entries: int = 32,
        policy: int = 0,
        seed: int = 0,
        costs: Costs | None = None,
        cells: Cells = (),
        timing: str = "flat",
        clock: str = "cycles",
    ) -> None:
        self.board = board
        self.core = Core(
            engine,
            mbar=board.mbar,
            bus_ratio=board.bus_ratio,
            itlb_entries=itlb_entries,
            dtlb_entries=dtlb_entries,
            policy=policy,
            seed=seed,
            costs=costs,
            cells=cells,
            timing=timing,
            clock=clock,
        )
        for i, (base, size) in enumerate(board.ram):
            self.core.add_bank(f"RAM{i}" if i else "RAM", base, size)
        self.regions = Regions()
        self._published: list[Region] | None = None  # the regions that the record has
        self.registers = _Registers(self.core)
        self.on_hypercall: HypercallHandler | None = None
        self.on_console: Callable[[bytes], None] | None = None
        self.console = bytearray()
        self._durations: Durations = {}
        self.host_writes = 0
        self.elf: Elf | None = None
        self.read_line: Callable[[int], bytes] = read_standard_input  # by semihosting
        self.strict = False  # an access to a peripheral register that nothing models is an error, and no warning
        self._started = False
        self._access_errors: list[NDArray[np.int64]] = []
        self._sink: EventSink | None = None
        self._on_listening: Callable[[], bytes] | None = None
        self._semihosting = Semihosting(self)

    # --- set-up

    @property
    def engine(self) -> str:
        """The engine in use: native, public or reference."""
        return self.core.engine

    def attach_memory(self, base: int, size: int, name: str) -> None:
        """Attach a device aperture: memory at PA ``base``, ``size`` bytes, a multiple of 4 KB.

        Raises BoardError if it overlaps other memory or has an impossible size.
        """
        self.core.add_bank(name, base, size, executable=False)

    def load_elf(self, elf: Elf) -> None:
        """Copy the segments to their physical addresses; PC := entry, SSP := end of the first RAM bank.

        Raises UsageError when a segment lies outside the board's memory.
        """
        for segment in elf.segments:
            if segment.memsz == 0:
                continue
            try:
                self._span(segment.paddr, segment.memsz)  # before so much memory is asked for
            except UsageError:
                end = segment.paddr + segment.memsz
                raise UsageError(
                    f"{elf.path}: segment {segment.paddr:#x}..{end:#x} is outside the memory of board "
                    f"{self.board.name}; `cfemu boards` lists others"
                ) from None
            self.write_physical(segment.paddr, segment.data + bytes(segment.memsz - len(segment.data)))
        self.elf = elf
        base, size = self.board.ram[0]
        self.registers["pc"] = elf.entry
        self.registers["a7"] = (base + size) & 0xFFFFFFFC

    def _span(self, pa: int, size: int) -> Any:
        for bank in self.core.banks:
            if bank.base <= pa and pa + size <= bank.end:
                return bank.data[pa - bank.base : pa - bank.base + size]
        raise UsageError(f"physical {pa:#x}..{pa + size:#x} is not memory of board {self.board.name}")

    def write_physical(self, pa: int, data: bytes) -> None:
        """Host write to guest memory; code the guest has translated there is dropped. UsageError outside memory."""
        self._span(pa, len(data))[:] = np.frombuffer(data, np.uint8)
        if self._started:
            self.host_writes += 1
            self.core.state["in_code_write"] = 2  # the run loop forgets translated code before it goes on

    def read_physical(self, pa: int, size: int) -> bytes:
        """Host read of guest memory; no effect on the guest. UsageError outside memory."""
        data: bytes = self._span(pa, size).tobytes()
        return data

    def raise_interrupt(self, level: int, vector: int) -> None:
        """Request an interrupt (an edge: the acknowledge clears it, another request of its level replaces it).

        UsageError for a bad level or vector.
        """
        self._check_interrupt(level, vector)
        self.core.ask(compiled.INTERRUPT, level, vector)

    def schedule_interrupt(self, level: int, vector: int, at_cycle: int) -> None:
        """Request an interrupt at cycle ``at_cycle`` of the devices' clock; replaces one scheduled earlier.

        A handler of hypercalls may call it too: then it holds for the run that goes on.
        """
        self._check_interrupt(level, vector)
        s = self.core.state
        s["timer_cycle"], s["timer_level"], s["timer_vector"] = at_cycle, level, vector
        self.core.ask(compiled.DEVICES_CHANGED)

    def type_in(self, text: bytes) -> None:
        """Type ``text`` on the console: PSC0 receives it character by character, each when the guest has read the one
        before. UsageError when a megabyte waits already."""
        self.core.type_in(text)

    def when_listening(self, supply: Callable[[], bytes]) -> None:
        """Call ``supply`` when the guest turns PSC0's receiver on for the first time, and type what it returns.

        Time stands still meanwhile, so a script from a pipe is delivered at the same virtual time in every run, and a
        guest that never listens never waits for it. The first character comes when the guest waits for interrupts, or
        a second later, as if somebody had waited for its prompt.
        """
        self._on_listening = supply
        self.core.devices["psc"]["asks"][0] = 1

    def move_pin(self, pin: int, high: bool) -> None:
        """Drive the edge port's pin IRQ1 to IRQ7. UsageError for another number."""
        if not 1 <= pin <= 7:
            raise UsageError(f"edge port pin {pin}: pins are 1 to 7")
        self.core.ask(compiled.MOVE_PIN, pin, int(high))

    @property
    def paced(self) -> bool:
        """Whether a STOP ends the run (StopReason.IDLE) before its time is skipped, for a host that keeps real time."""
        return bool(self.core.state["paced"])

    @paced.setter
    def paced(self, value: bool) -> None:
        self.core.state["paced"] = value

    @property
    def idle_seconds(self) -> float:
        """After StopReason.IDLE: virtual seconds until something ends the STOP; inf if only typed input can."""
        s = self.core.state
        if s["idle_until"] >= st.NEVER:
            return math.inf
        return max(0, int(s["idle_until"]) - self._now()) / self.board.core_hz

    def _now(self) -> int:
        """Time as the devices see it."""
        s = self.core.state
        return int(s["instructions"]) + int(s["clock_skew"]) if s["clock"] else int(s["cycles"])

    def let_time_pass(self, seconds: float) -> None:
        """After StopReason.IDLE: the virtual time of the STOP goes on by ``seconds``, at most to what it waits for.

        UsageError for a negative time, and without a STOP that waits.
        """
        s = self.core.state
        if seconds < 0 or not s["stopped"]:
            raise UsageError(f"{seconds} seconds: time passes forwards only, and by itself while the guest runs")
        now = self._now()
        granted = now + math.ceil(seconds * self.board.core_hz)
        s["idle_granted"] = granted
        # Not beyond what the host has caused since, as by typing; the rest passes when the run goes on.
        passed = max(0, min(granted, int(s["idle_until"]), int(self.core.devices["deadline"])) - now)
        s["cycles"] += passed
        s["clock_skew"] += passed
        self.core.ask(compiled.DEVICES_CHANGED)

    @staticmethod
    def _check_interrupt(level: int, vector: int) -> None:
        if not 1 <= level <= 7 or not 0 <= vector <= 255:
            raise UsageError(f"interrupt level {level} vector {vector}: levels are 1 to 7, vectors 0 to 255")

    # --- running

    def run(
        self,
        max_instructions: int | None = None,
        max_cycles: int | None = None,
        stop_at: Iterable[int] = (),
    ) -> RunResult:
        """Run until a budget is used up, the guest ends, or the instruction at an address of ``stop_at`` is next.

        Budgets count from here. Raises GuestError when the guest cannot go on, EngineError when the engine cannot.
        """
        s = self.core.state
        self._publish_regions()
        stops = sorted(set(stop_at))
        if len(stops) > st.MAX_STOPS:
            raise UsageError(f"{len(stops)} stop addresses: at most {st.MAX_STOPS} are possible")
        if stops:
            s["stops"][: len(stops)] = stops
        s["n_stops"] = len(stops)
        attention = int(s["attention"]) & ~(st.ATTENTION_STOPS | st.ATTENTION_CATCH)
        s["attention"] = attention | (st.ATTENTION_STOPS if stops else 0)
        s["stop_skip"] = self.registers["pc"]
        last_instruction = st.NEVER if max_instructions is None else int(s["instructions"]) + max_instructions
        last_cycle = st.NEVER if max_cycles is None else int(s["cycles"]) + max_cycles
        s["instruction_budget"] = last_instruction
        s["cycle_budget"] = last_cycle
        self.core.ask(compiled.DEVICES_CHANGED)
        self._started = True
        try:
            while True:
                result = self._serve(self.core.run())
                if result is not None:
                    return result
        finally:
            self._drain_console()

    def step(self) -> RunResult:
        """Run one instruction."""
        return self.run(max_instructions=1)

    def _serve(self, event: int) -> RunResult | None:
        """Answer an event; None = go on."""
        s, d = self.core.state, self.core.devices
        pc = self.registers["pc"]
        if event == st.EVENT_FAIL:
            raise self._failure()
        if event == st.EVENT_FULL:
            self._drain_console()
            self._take_operations()
            return None
        if event == st.EVENT_RECORDS:
            if self.profiled:
                self._access_errors.append(self.core.profile_take())
            self._hand_over_events()
            return None
        if event == st.EVENT_INPUT:
            d["psc"]["asks"][0] = 0
            self._drain_console()  # the host may take its time now
            text = self._on_listening() if self._on_listening is not None else b""
            if text:  # and nobody types by himself, who would have to wait
                d["psc"]["quiet_until"][0] = self._now() + TYPING_STARTS * self.board.core_hz
                self.type_in(text)
            return None
        if event == st.EVENT_UNMODELLED:
            self._drain_console()
            self._note_unmodelled(pc)
            return None
        if event == st.EVENT_LIMIT:
            used = s["instructions"] >= s["instruction_budget"]
            return RunResult(StopReason.INSTRUCTIONS if used else StopReason.CYCLES, pc)
        if event == st.EVENT_HYPERCALL and self.on_hypercall is not None:
            self._drain_console()
            answer = self.on_hypercall(int(d["call_number"]), tuple(int(a) for a in d["arguments"]))
            if answer is not None:
                status, results = answer
                d["arguments"][: len(results)] = np.array(results, np.int64) & 0xFFFFFFFF
                d["call_status"] = status & 0xFFFFFFFF
                d["call_pending"] = 2
                self._publish_regions()  # the handler may have named some
                return None
        if event == st.EVENT_HALT and self._semihosting.requested(pc):
            self._drain_console()
            exit_status = self._semihosting.serve(pc)
            return None if exit_status is None else RunResult(StopReason.EXIT, self.registers["pc"], exit_status)
        return RunResult(_REASONS[event], pc)

    def _note_unmodelled(self, pc: int) -> None:
        """A peripheral register that nothing models is accessed for the first time."""
        offset, is_write = self.core.accept_unmodelled()
        access, outcome = ("write to", "it is ignored") if is_write else ("read of", "it reads 0")
        where = f"MBAR+{offset:#x} at PC {pc:#010x} ({self.symbol(pc)})"
        if self.strict:
            raise UnmodelledRegister(f"{access} the unmodelled register {where}", self.describe())
        log.warning("%s the unmodelled register %s: %s", access, where, outcome)

    def transmit(self, data: bytes) -> None:
        """Bytes the guest wrote to its console, whichever way."""
        self.console += data
        if self.on_console and data:
            self.on_console(data)

    def _drain_console(self) -> None:
        self.transmit(self.core.console_take())

    def _take_operations(self) -> None:
        add_durations(self._durations, self.core.operations_take())

    def symbol(self, va: int) -> str:
        """``name+0x12``, or the bare address."""
        name = self.elf.symbol(va) if self.elf else None
        return name or f"{va:#010x}"

    def _failure(self) -> Exception:
        """The typed error behind a machine that cannot go on."""
        s = self.core.state
        pc = self.registers["pc"]
        where = f"at PC {pc:#010x} ({self.symbol(pc)})"
        address, value = int(s["halt_address"]), int(s["halt_value"])
        state = self.describe()
        match int(s["halted"]):
            case st.HALT_DOUBLE_FAULT:
                text = f"double fault {where}: vector {value} could not be taken, address {address:#010x} faulted"
                if s["bus_errors"]:
                    text += f" (nothing answers at physical {int(s['bus_error_pa']):#010x})"
                return DoubleFault(text, state)
            case st.HALT_NO_HANDLER:
                vector, fs = value >> 4, value & 15
                name = VECTORS.get(vector, f"vector {vector}")
                if vector == VECTOR_ACCESS_ERROR:
                    name += f" ({FAULT_STATUS[fs]}{self._fault_address(fs)})"
                return UnhandledException(f"{name} {where}, and its vector is 0", state)
            case st.HALT_UNDEFINED_REGISTER:
                text = f"MOVEC to control register {value:#05x}, which the V4e does not have, {where}"
                return UndefinedRegister(text, state)
            case st.HALT_UNSUPPORTED:
                return UnsupportedFeature(f"instruction {value:#06x} is not modelled {where}", state)
        return EngineError(f"unicorn error {value} {where}; state:\n{state}")

    def _fault_address(self, fs: int) -> str:
        """Where an access error happened, as far as its kind says."""
        s = self.core.state
        if fs in (FS_FETCH_ERROR, FS_WRITE_ERROR, FS_READ_ERROR) and s["bus_errors"]:
            return f": nothing answers at physical {int(s['bus_error_pa']):#010x}"
        if fs in (FS_FETCH_MISS, FS_FETCH_MISS_EXTENSION, FS_FETCH_ERROR):
            return ""
        return f": address {self.registers['mmuar']:#010x}"

    def describe(self) -> str:
        """Registers and the instruction at PC, for messages."""
        from emu.debug.disassembly import disassemble

        r = self.registers
        rows = []
        rows += ["  ".join(f"{kind}{i} {r[f'{kind}{i}']:08x}" for i in range(8)) for kind in "da"]
        rows.append(f"pc {r['pc']:08x}  sr {r['sr']:04x}  usp {r['usp']:08x}  vbr {r['vbr']:08x}  cacr {r['cacr']:08x}")
        rows.append(f"asid {r['asid']:02x}  mmubar {r['mmubar']:08x}  mmucr {r['mmucr']:x}  mmuar {r['mmuar']:08x}")
        rows.append("  ".join(f"acr{i} {r[f'acr{i}']:08x}" for i in range(4)))
        code = self.core.code_at(r["pc"], 6)
        if code:
            line = disassemble(code, r["pc"])[0]
            rows.append(f"{line.va:#010x} {self.symbol(line.va)}: {line.text}")
        else:
            rows.append(f"{r['pc']:#010x}: no instruction can be fetched here")
        return "\n".join(rows)

    # --- results

    @property
    def instructions(self) -> int:
        """Retired instructions since the machine was made."""
        return int(self.core.state["instructions"])

    @property
    def cycles(self) -> int:
        """Virtual time since the machine was made, in core cycles."""
        return int(self.core.state["cycles"])

    def _publish_regions(self) -> None:
        regions = list(self.regions)
        if regions == self._published:
            return
        records = self.core.state["regions"]
        for i, region in enumerate(regions):
            records[i]["start"], records[i]["end"] = region.start, region.end
        self.core.state["n_regions"] = len(regions)
        self._published = regions

    def counters(self) -> Counters:
        """All counters since the machine was made."""
        self._take_operations()
        return read_counters(self.core, [region.name for region in self.regions], self.symbol, self._durations)

    def mmu_warnings(self) -> dict[str, int]:
        """What the guest did, and how often, that the manuals leave open for the MMU: the counts do not depend on the
        engine, but another V4e may do something else there. In words of :data:`emu.mmu.state.WARNINGS`."""
        counts = self.core.array["mmu"]["warning_count"][0]
        return {meaning: int(counts[code]) for code, meaning in WARNINGS.items() if counts[code]}

    def start_profile(self) -> None:
        """From now on keep a record of each access error, for :meth:`access_errors`."""
        self.core.start_profile()

    def access_errors(self) -> NDArray[np.void]:
        """Every access error that has ended since :meth:`start_profile`, in the order of their ends, shape (n,);
        ACCESS_ERROR_DTYPE of :mod:`emu.profile` says what is known of each."""
        self._access_errors.append(self.core.profile_take())
        records = np.concatenate(self._access_errors)
        self._access_errors = [records]
        return decode_records(records)

    @property
    def profiled(self) -> bool:
        """Whether access errors are recorded, since :meth:`start_profile`."""
        return bool(self.core.state["profile_size"])

    def begun_access_errors(self) -> NDArray[np.void]:
        """Every access error since :meth:`start_profile`, in the order of their beginnings. Of those that have not
        ended, ``cycles`` and ``instructions`` are -1."""
        s = self.core.state
        still_open = decode_open(s["open_faults"][: int(s["n_open"])])
        return in_order_of_beginnings(np.concatenate([self.access_errors(), still_open[::-1]]))

    # --- what the MMU sees

    def start_recording(self, sink: EventSink) -> None:
        """From now on hand what the MMU sees to ``sink``, piece by piece, as the columns of
        :class:`emu.trace.events.Events` (docs/traces.md). :mod:`emu.recording` writes them to a file. Counts stay the
        same; a run takes longer. UsageError while another one is under way."""
        if self._sink is not None:
            raise UsageError("the machine is being recorded already")
        self._sink = sink
        self.core.start_recording()

    @property
    def recorded(self) -> bool:
        """Whether a recording is under way."""
        return self._sink is not None

    def begin_phase(self, number: int) -> None:
        """While recording: what follows belongs to the phase of this number, from 0."""
        self.core.ask(compiled.BEGIN_PHASE, number)
        self._hand_over_events()

    def stop_recording(self) -> None:
        """Hand over what is left, and the time; nothing more is recorded. Nothing happens where nothing is."""
        if self._sink is not None:
            try:
                self.core.ask(compiled.BEGIN_PHASE, -1)
                self._hand_over_events()
            finally:
                self._sink = None
                self.core.stop_recording()

    def _hand_over_events(self) -> None:
        if self._sink is not None:
            self._sink(*self.core.recording_take())

    # --- whole-machine state

    def snapshot(self) -> Snapshot:
        """Registers, MMU, memory, devices, counters. Only pages that are not all zero are stored."""
        self._take_operations()
        record, registers, miss_pc = self.core.save()
        banks = []
        for bank in self.core.banks:
            pages = bank.data.reshape(-1, 4096)
            banks.append((bank.name, {i: pages[i].tobytes() for i in _used_pages(bank.data)}))
        durations = {number: dict(found) for number, found in self._durations.items()}
        sram = self.core.save_sram()
        return Snapshot(record, registers, tuple(banks), bytes(self.console), durations, miss_pc, sram)

    def restore(self, snapshot: Snapshot) -> None:
        """Back to ``snapshot``, taken on this machine. UsageError when the memory map has changed since, and while the
        machine is being recorded."""
        self._refuse_while_recorded()
        if [name for name, _ in snapshot.banks] != [bank.name for bank in self.core.banks]:
            raise UsageError("the snapshot was taken with other memory attached")
        for bank, (_, stored) in zip(self.core.banks, snapshot.banks, strict=True):
            pages = bank.data.reshape(-1, 4096)
            for used in _used_pages(bank.data):
                if used not in stored:
                    pages[used] = 0
            for i, data in stored.items():
                pages[i] = np.frombuffer(data, np.uint8)
        self.core.load(snapshot.record, snapshot.registers, snapshot.miss_pc, snapshot.sram)
        self._published = None
        self.console = bytearray(snapshot.console)
        self._durations = {number: dict(found) for number, found in snapshot.durations.items()}

    # --- the same in parts, for a history that keeps many states and shares what they have in common

    def areas(self) -> list[NDArray[np.uint8]]:
        """All memory that makes up the state, in place; more at the end when memory is attached. UsageError while the
        machine is being recorded: a trace goes forwards only."""
        self._refuse_while_recorded()
        return self.core.areas()

    def outside(self) -> Outside:
        """What else makes up the state."""
        self._take_operations()
        durations = {number: dict(found) for number, found in self._durations.items()}
        banks = int(self.core.state["n_banks"])
        context, unread = self.core.context(), self.core.unread()
        return Outside(context, unread, len(self.console), durations, tuple(self.regions), banks)

    def resume_at(self, outside: Outside, console: bytes) -> None:
        """The areas have been put back to a former state; so is the rest now. ``console``: all output up to then."""
        self.core.resume_at(outside.context, outside.unread)
        self._durations = {number: dict(found) for number, found in outside.durations.items()}
        self.regions.replace(outside.regions)
        self._published = None
        self.console = bytearray(console)

    def _refuse_while_recorded(self) -> None:
        if self.recorded:
            raise UsageError("a machine that is being recorded cannot go back in time")

    def close(self) -> None:
        """Free the CPU core; a recording ends here."""
        self.stop_recording()
        self.core.close()

    def __enter__(self) -> "Machine":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
