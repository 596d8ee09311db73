"""One CPU with its memory: the shared record, a unicorn instance, and the hooks between them."""

import ctypes as c
import logging
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emu.cpu import compiled, library
from emu.cpu.address_map import (
    MBAR_SIZE,
    SCRATCH_CODE,
    UC_ALONE,
    UC_BOUNCE,
    UC_LIMIT,
    UC_MBAR,
    UC_SCRATCH,
    UC_SRAM,
    UC_WINDOW,
)
from emu.cpu.native import CPU_CAN_DO_IO, CPU_OPAQUE, NativeLayout, NotNative, locate
from emu.cpu.state import (
    ATTENTION_RECORDS,
    DEFAULT_NAN,
    FUNCTIONS,
    MAX_BOUNCES,
    MEMO,
    MEMO_DTYPE,
    MISS_PCS,
    NEVER,
    PAGE_BYTES,
    PROFILE_RECORD,
    RESTS,
    SEEN,
    SRAM_SIZE,
    STATE_DTYPE,
)
from emu.cpu.trapped import (
    IN_MEMORY,
    MOV3Q_MASK,
    MOV3Q_MATCH,
    MVZ_MASK,
    MVZ_MATCH,
    OP_CLR_L,
    OP_MOVE_USP,
    OP_TST_L,
    intercepted_by_table,
)
from emu.devices.registers import KNOWN, access_map
from emu.devices.state import LINE
from emu.errors import BoardError, EngineError, UsageError
from emu.mmu.registers import write_mask
from emu.mmu.state import FETCH, READ, WRITE, new_mmu
from emu.timing.constants import Costs
from emu.timing.optable import Cells, opcode_table
from emu.timing.state import FLAT, LEVELS, MEMO_RECORD, new_time
from emu.trace.events import ASIDE

__all__ = ["CLOCKS", "ENGINES", "Bank", "Core"]

ENGINES = ("auto", "native", "public", "reference")
CLOCKS = ("cycles", "instructions")  # what devices count as time
CONSOLE_BYTES = 1 << 16
ENDED = 1 << 12  # operations that may end before the host must take them
PROFILE_RECORDS = 1 << 16
RECORDED_EVENTS, RECORDED_SLACK = 1 << 18, 1 << 14  # and what may come until the next instruction boundary
OP_ILLEGAL, OP_RTE = 0x4AFC, 0x4E73
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Bank:
    """Memory at a guest PA: its bytes and PAGE_BYTES of bookkeeping per 4-KB page."""

    name: str
    base: int
    data: NDArray[np.uint8]
    pages: NDArray[np.uint8]

    @property
    def end(self) -> int:
        return self.base + len(self.data)


class Fields:
    """The fields of one record by name, as numpy gives them, but found once: in a record as long as ours numpy takes
    ten times longer to find a field than to read it, and a run in short slices reads many."""

    def __init__(self, array: NDArray[Any]) -> None:
        assert array.shape == (1,)
        self._columns: dict[str, Any] = {name: array[name] for name in array.dtype.names or ()}

    def __getitem__(self, name: str) -> Any:
        return self._columns[name][0]

    def __setitem__(self, name: str, value: Any) -> None:
        self._columns[name][0] = value


def _address(array: NDArray[Any]) -> int:
    return int(array.ctypes.data)


class Core:
    """CPU, MMU and memory. Everything the guest can change is in ``state`` and the banks.

    ``engine``: ``native``, ``public``, ``reference`` (native, one instruction at a time, every access looked at), or
    ``auto`` (native where its self-check passes). Raises BoardError for overlapping banks.
    """

    def __init__(
        self,
        engine: str = "auto",
        *,
        mbar: int,
        bus_ratio: int = 2,
        itlb_entries: int = 32,
        dtlb_entries: int = 32,
        policy: int = 0,
        cas_uses_mmutr: bool = False,
        seed: int = 0,
        costs: Costs | None = None,
        cells: Cells | None = None,
        timing: str = "flat",
        clock: str = "cycles",
    ) -> None:
        if clock not in CLOCKS:
            raise UsageError(f"clock {clock!r}: choose one of {', '.join(CLOCKS)}")
        if timing not in LEVELS:
            raise UsageError(f"timing {timing!r}: choose one of {', '.join(LEVELS)}")
        self.array = np.zeros(1, STATE_DTYPE)
        self._record = _address(self.array)  # once: numpy takes longer to tell it than most requests take
        self.state = Fields(self.array)
        self.devices = Fields(self.array["devices"])
        self.state["mmu"] = new_mmu(itlb_entries, dtlb_entries, policy, cas_uses_mmutr, seed)[0]
        self.banks: list[Bank] = []
        self._bank_records: list[Any] = []  # as the shared record has them
        self._held: list[NDArray[Any]] = []  # what only unicorn and compiled code look at, until the machine is closed
        self._miss_pc = np.zeros((MISS_PCS, 3), np.int64)
        self._console = np.zeros(CONSOLE_BYTES, np.uint8)
        self._ended = np.zeros((ENDED, 2), np.int64)
        self._codes, self._events = np.zeros(0, np.uint8), np.zeros((2, 0), np.uint32)
        self._profile = np.zeros((0, PROFILE_RECORD // 8), np.int64)
        self._line = np.zeros(LINE, np.uint8)
        self._access_map = access_map()
        self._opcodes = opcode_table(cells or ())
        self._sram = [(np.zeros(SRAM_SIZE, np.uint8), np.zeros(PAGE_BYTES, np.uint8)) for _ in range(2)]
        self._cpu = np.zeros(compiled.CPU_REGISTERS, np.int64)
        self._cpu_address = _address(self._cpu)
        self._next_uc = 0
        self.uc = library.open_m68k()
        self.engine = self._choose(engine)
        self._fill_state(mbar, costs or Costs(), LEVELS[timing])
        self.state["clock"] = CLOCKS.index(clock)
        self._fill_devices(bus_ratio)
        self._map_windows()
        self._add_hooks()

    # --- construction

    def _choose(self, engine: str) -> str:
        if engine not in ENGINES:
            raise BoardError(f"engine {engine!r}: choose one of {', '.join(ENGINES)}")
        self.layout: NativeLayout | None = None
        if engine == "public":
            return engine
        try:
            self.layout = locate(self.uc)
        except NotNative as reason:
            if engine != "auto":
                raise BoardError(f"engine {engine!r} is not available with this unicorn: {reason}") from None
            log.warning("native engine unavailable (%s); using the public one", reason)
            return "public"
        return "native" if engine == "auto" else engine

    def _fill_state(self, mbar: int, costs: Costs, level: int) -> None:
        s = self.state
        s["uc"] = self.uc
        s["native"] = self.layout is not None
        s["reference"] = self.engine == "reference"
        for i, name in enumerate(FUNCTIONS):
            s["fn"][i] = library.address(name) if library.has(name) else 0
        base = self._record
        offsets = STATE_DTYPE.fields
        assert offsets is not None
        s["address"] = base
        s["slow"], s["emulate"] = compiled.address("slow"), compiled.address("emulate")
        s["scratch_address"] = base + offsets["scratch"][1]
        s["image_address"] = base + offsets["image"][1]
        s["memo"] = _address(self._hold(np.zeros(MEMO, MEMO_DTYPE)))
        s["miss_pc"] = _address(self._miss_pc)
        s["opcodes"] = _address(self._opcodes)
        s["mmu"]["mbar"] = mbar & write_mask("MBAR")
        s["time"] = new_time(level, costs)[0]
        self._in_time = level != FLAT
        if self._in_time:
            s["time"]["memo"] = _address(self._hold(np.zeros(MEMO * MEMO_RECORD, np.uint8)))
            s["rests"] = _address(self._hold(np.zeros((RESTS, 3), np.int64)))
        s["armed_entry"] = s["code_key"] = s["stop_skip"] = s["operand_block"] = s["small_va"] = -1
        s["begun_again"] = s["done_at"] = -1
        s["image_key"] = -1
        s["shadow_sr"] = 0x2700
        s["fp"] = DEFAULT_NAN
        s["mac_mask"] = 0xFFFF
        s["instruction_budget"] = s["instruction_limit"] = s["cycle_limit"] = s["cycle_budget"] = s["timer_cycle"] = (
            NEVER
        )
        if self.layout:
            s["cpu"], s["env"], s["fast"] = self.layout.cpu, self.layout.env, self.layout.fast
            s["used"] = self.layout.used
            s["tcg"], s["tcg_constant"] = self.layout.tcg, self.layout.tcg_constant
        library.reg_write(self.uc, library.REG_SR, 0x2700)

    def _fill_devices(self, bus_ratio: int) -> None:
        """The peripherals after reset; only the transmitters are on, as the board's boot monitor leaves its console."""
        d = self.devices
        d["bus_ratio"] = bus_ratio
        d["map"] = _address(self._access_map)
        d["console"] = _address(self._console)
        d["console_size"] = CONSOLE_BYTES - 4
        d["ended"] = _address(self._ended)
        d["ended_size"] = ENDED
        d["psc"]["line"] = _address(self._line)
        d["mask"] = 0xFFFFFFFF
        d["deadline"] = d["slice"]["due"] = d["psc"]["arrives"] = NEVER
        d["psc"]["transmits"] = 1
        d["pin_levels"] = 0xFE

    def _map_windows(self) -> None:
        base = self._record
        for where, size, name in ((UC_WINDOW, 0x10000, "window"), (UC_MBAR, MBAR_SIZE, "mbar")):
            read, write = compiled.address(f"{name}_read"), compiled.address(f"{name}_write")
            library.map_io(self.uc, where, size, read, write, base)
        self.state["bounce_buffer"] = self._map_own(UC_BOUNCE, np.zeros(4096 * MAX_BOUNCES, np.uint8))
        for i, (data, pages) in enumerate(self._sram):
            where = UC_SRAM + i * SRAM_SIZE
            library.map_memory(self.uc, where, SRAM_SIZE, _address(data))
            self._describe(self.state["sram"][i], 0, len(data), where, data, pages)

    def _add_hooks(self) -> None:
        base = self._record
        if self.layout is None:
            self._add_public_hooks(base)
            return
        block = "on_block_in_time" if self._in_time else "on_block"
        library.add_hook(self.uc, library.HOOK_BLOCK, compiled.address(block), base)
        library.add_hook(self.uc, library.HOOK_INTR, compiled.address("native_interrupt"), base)
        # Until a first block has run unicorn thinks that I/O may not be done inside a block, and runs the block again.
        c.c_uint32.from_address(self.layout.cpu + CPU_CAN_DO_IO).value = 1
        c.c_int64.from_address(self.layout.cpu + CPU_OPAQUE).value = base
        c.c_int64.from_address(self.layout.tlb_fill_slot).value = compiled.address("native_fill")
        self._intercept(self.layout.opcode_table)

    def _add_public_hooks(self, base: int) -> None:
        library.add_hook(self.uc, library.HOOK_TLB_FILL, compiled.address("public_fill"), base)
        library.add_hook(self.uc, library.HOOK_BLOCK, compiled.address("public_block"), base)
        library.add_hook(self.uc, library.HOOK_INTR, compiled.address("public_interrupt"), base)
        scratch = np.zeros(4096, np.uint8)
        scratch[: len(SCRATCH_CODE)] = np.frombuffer(SCRATCH_CODE, np.uint8)
        self._map_own(UC_SCRATCH, scratch)
        self.state["alone_code"] = self._map_own(UC_ALONE, np.zeros(4096 * (2048 + 1), np.uint8))
        self.state["seen"] = _address(self._hold(np.zeros((SEEN, 2), np.int64)))
        self.state["context"] = library.context_new(self.uc)

    def _intercept(self, table_address: int) -> None:
        """Point every op word that unicorn must not execute to its illegal-instruction handler."""
        table = np.ctypeslib.as_array((c.c_int64 * 65536).from_address(table_address))
        table[intercepted_by_table(self._opcodes)] = table[OP_ILLEGAL]
        words = np.arange(len(table))
        mvz = (words & MVZ_MASK) == MVZ_MATCH
        self.state["mvz_decoder"], self.state["tst_decoder"] = table[MVZ_MATCH], table[OP_TST_L]
        table[mvz & (table != table[OP_ILLEGAL])] = compiled.address("decode_mvz")
        self.state["clr_decoder"] = table[OP_CLR_L | IN_MEMORY]
        quick = ((words & MOV3Q_MASK) == MOV3Q_MATCH) & ((words & 0x3F) >= IN_MEMORY)
        table[quick & (table != table[OP_ILLEGAL])] = compiled.address("decode_mov3q")
        self.state["illegal_decoder"] = table[OP_ILLEGAL]
        self.state["usp_decoder"] = table[OP_MOVE_USP], table[OP_MOVE_USP | 8]
        table[OP_MOVE_USP : OP_MOVE_USP + 16] = compiled.address("decode_usp")

    # --- memory

    @staticmethod
    def _describe(
        record: Any, base: int, size: int, where: int, data: NDArray[np.uint8], pages: NDArray[np.uint8]
    ) -> None:
        record["base"], record["end"], record["uc"] = base, base + size, where
        record["host"], record["pages"] = _address(data), _address(pages)

    def add_bank(self, name: str, base: int, size: int, executable: bool = True) -> Bank:
        """Attach ``size`` bytes of zeroed memory (a multiple of 4 KB) at guest PA ``base``.

        ``executable``: whether code of any kind may run there in the public engine, which needs a second copy for it.

        The host pages behind it appear when they are first touched. Raises BoardError for a bad size or an overlap.
        """
        if size <= 0 or size % 4096 or base % 4096 or base < 0 or base + size > 1 << 32:
            raise BoardError(f"{name}: {size:#x} bytes at {base:#x} are not whole 4-KB pages inside 4 GB")
        for other in self.banks:
            if base < other.end and other.base < base + size:
                raise BoardError(f"{name}: {base:#x}..{base + size:#x} overlaps {other.name} at {other.base:#x}")
        if self._next_uc + size * (2 if executable and not self.layout else 1) > UC_LIMIT:
            raise BoardError(f"{name}: {size:#x} bytes do not fit beside the other memory of the board")
        if len(self.banks) == len(self.state["banks"]):
            raise BoardError(f"{name}: a board has at most {len(self.banks)} banks of memory")
        bank = Bank(name, base, np.zeros(size, np.uint8), np.zeros(size // 4096 * PAGE_BYTES, np.uint8))
        if self.state["armed_count"]:
            self.flush()  # unicorn flushes its softmmu now, and may free the table that armed pages are noted in
        library.map_memory(self.uc, self._next_uc, size, _address(bank.data))
        record = self.state["banks"][len(self.banks)]
        self._describe(record, base, size, self._next_uc, bank.data, bank.pages)
        self._next_uc += size
        if executable and self.layout is None:
            self._add_shadow(record, size)
        self.banks.append(bank)
        self._bank_records.append(record.copy())
        self.state["n_banks"] = len(self.banks)
        return bank

    def _hold(self, buffer: NDArray[Any]) -> NDArray[Any]:
        """Keep ``buffer`` alive as long as unicorn and compiled code may use it."""
        self._held.append(buffer)
        return buffer

    def _map_own(self, where: int, buffer: NDArray[np.uint8]) -> int:
        """Map ``buffer`` at unicorn's address ``where``, which is none of the guest's; its host address."""
        library.map_memory(self.uc, where, len(buffer), _address(self._hold(buffer)))
        return _address(buffer)

    def _add_shadow(self, record: Any, size: int) -> None:
        """Public engine: room for the fetched copies of code pages; host pages appear when touched."""
        record["shadow"] = self._next_uc
        record["shadow_host"] = self._map_own(self._next_uc, np.zeros(size, np.uint8))
        self._next_uc += size

    def run(self) -> int:
        """Run until something ends it; an EVENT_* number."""
        if self.layout is not None:
            return compiled.run_native(self._record)
        return compiled.run_public(self._record)

    def ask(self, request: int, first: int = 0, second: int = 0) -> int:
        """See :func:`emu.cpu.compiled.ask`."""
        return compiled.ask(self._record, request, first, second)

    def cpu_registers(self) -> list[int]:
        """D0-D7, A0-A7, PC, SR, USP, in one request."""
        self.ask(compiled.GET_CPU, self._cpu_address)
        values: list[int] = self._cpu.tolist()
        return values

    def console_take(self) -> bytes:
        """Bytes that the guest transmitted since the last call."""
        count = int(self.devices["console_count"])
        if count == 0:
            return b""
        self.devices["console_count"] = 0
        return self._console[:count].tobytes()

    def operations_take(self) -> NDArray[np.int64]:
        """Rows (number, cycles), shape (n, 2): the operations that have ended since the last call, in their order."""
        count = int(self.devices["ended_count"])
        self.devices["ended_count"] = 0
        return self._ended[:count].copy()

    def type_in(self, text: bytes) -> None:
        """Put bytes on the line to PSC0's receiver. UsageError when more than LINE would wait there unread."""
        psc = self.devices["psc"][0]
        first, last = int(psc["line_written"]), int(psc["line_written"]) + len(text)
        if last - int(psc["line_read"]) > LINE:
            raise UsageError(f"{len(text)} bytes of input: at most {LINE} can wait for the guest to read them")
        self._line[np.arange(first, last) % LINE] = np.frombuffer(text, np.uint8)
        psc["line_written"] = last
        self.ask(compiled.DEVICES_CHANGED)

    def accept_unmodelled(self) -> tuple[int, bool]:
        """(Offset from MBAR, whether a write) of the access that stopped the machine; from now on it is let pass."""
        offset = int(self.devices["unmodelled"])
        self._access_map[offset] |= KNOWN
        return offset, bool(self.devices["unmodelled_write"])

    def start_profile(self) -> None:
        """From now on keep a record of each access error."""
        self._profile = self._hold(np.zeros((PROFILE_RECORDS, PROFILE_RECORD // 8), np.int64))
        self.state["profile"] = _address(self._profile)
        self.state["profile_size"] = PROFILE_RECORDS

    def profile_take(self) -> NDArray[np.int64]:
        """Records (see emu.cpu.profile) since the last call, shape (n, 7)."""
        s = self.state
        taken: NDArray[np.int64] = self._profile[: int(s["profile_count"])].copy()
        s["profile_count"] = 0
        s["attention"] = int(s["attention"]) & ~ATTENTION_RECORDS
        return taken

    def start_recording(self) -> None:
        """From now on keep what the MMU sees as events of :mod:`emu.trace.events`, for :meth:`recording_take`."""
        size = RECORDED_EVENTS + RECORDED_SLACK
        if len(self._codes) == 0:
            self._codes, self._events = np.zeros(size, np.uint8), np.zeros((2, size), np.uint32)
        r = self.state["recorder"]
        r["code"], r["a"], r["b"] = _address(self._codes), _address(self._events[0]), _address(self._events[1])
        r["full"], r["size"], r["lost"] = RECORDED_EVENTS, size, 0
        r["instructions"], r["cycles"] = self.state["instructions"], self.state["cycles"]
        r["on"] = 1
        self._close_runs()
        self.flush()

    def stop_recording(self) -> None:
        """No more events; what was not taken is lost."""
        self._forget_recording()
        if self.uc:
            self.flush()

    def _forget_recording(self) -> None:
        self.state["recorder"]["on"] = 0
        self._close_runs()
        self.state["attention"] = int(self.state["attention"]) & ~ATTENTION_RECORDS

    def recording_take(self) -> tuple[NDArray[np.uint8], NDArray[np.uint32], NDArray[np.uint32]]:
        """Events since the last call, as the three columns of :class:`emu.trace.events.Events`. At an instruction
        boundary only."""
        count = int(self.state["recorder"]["count"])
        code, (a, b) = self._codes[:count], self._events[:, :count]
        kept = (code >= ASIDE) | (b > 0)  # runs of instructions that were begun again
        if lost := int(self.state["recorder"]["lost"]):
            raise EngineError(f"{lost} events of the recording were lost: too many while the guest did not run")
        self._close_runs()
        self.state["attention"] = int(self.state["attention"]) & ~ATTENTION_RECORDS
        return code[kept], a[kept], b[kept]

    def _close_runs(self) -> None:
        r = self.state["recorder"]
        r["count"] = r["n_looks"] = 0
        r["fetch"] = r["fetch_key"] = r["data"] = r["data_key"] = r["again"] = r["look"]["block"] = -1

    def misses_by_pc(self) -> NDArray[np.int64]:
        """Rows (pc, ITLB misses, DTLB misses), shape (n, 3), in order of PC."""
        used = self._miss_pc[self._miss_pc[:, 0] > 0]
        rows = used - np.array([1, 0, 0])
        ordered: NDArray[np.int64] = rows[np.argsort(rows[:, 0])]
        return ordered

    def close(self) -> None:
        """Free unicorn's instance and the memory; the counters stay readable."""
        if self.uc:
            if self.layout is None:
                library.context_free(int(self.state["context"]))
            library.close(self.uc)
            self.uc = 0
            self.banks.clear()
            self._held.clear()
            # A machine is part of a cycle, so the collector frees the rest of it, some time.
            self._line = self._access_map = self._console = np.zeros(0, np.uint8)
            self._ended = self._ended[: int(self.devices["ended_count"])].copy()

    # --- looks from outside, without effect on the guest

    def peek(self, va: int, size: int) -> bytes:
        """Bytes at ``va`` as a supervisor read would see them; as many as can be reached."""
        return self._look(va, size, READ)

    def code_at(self, va: int, size: int) -> bytes:
        """Bytes at ``va`` as an instruction fetch in the present mode would see them; as many as can be reached."""
        return self._look(va, size, FETCH)

    def poke(self, va: int, data: bytes) -> None:
        """Store bytes at ``va`` as a supervisor write would; BoardError where it cannot be done."""
        for i, byte in enumerate(data):
            host = self.ask(compiled.VIEW, (va + i) & 0xFFFFFFFF, WRITE)
            if host == 0:
                raise BoardError(f"virtual address {va + i:#010x} cannot be written")
            c.c_uint8.from_address(host).value = byte
        self.state["in_code_write"] = 2

    def host_address(self, va: int, kind: int) -> int:
        """Where the byte at ``va`` is in this process, and those behind it on its 1-KB page; 0 if it is no memory that
        a supervisor access, or a fetch in the present mode, could reach."""
        return self.ask(compiled.VIEW, va, kind)

    def resolve(self, va: int, kind: int, supervisor: bool) -> tuple[int, int, int, int, int, int]:
        """What :func:`emu.mmu.attributes.resolve` says of an access: source, entry, PA, permissions, cache mode, page
        bits. Changes nothing."""
        found = np.zeros(6, np.int64)
        self.ask(compiled.RESOLVE, va | kind << 32 | int(supervisor) << 36, _address(found))
        source, entry, pa, perms, mode, bits = found.tolist()
        return source, entry, pa, perms, mode, bits

    def _look(self, va: int, size: int, kind: int) -> bytes:
        found = bytearray()
        for i in range(size):
            host = self.ask(compiled.VIEW, (va + i) & 0xFFFFFFFF, kind)
            if host == 0:
                break
            found.append(c.c_uint8.from_address(host).value)
        return bytes(found)

    def flush(self) -> None:
        """Forget what was derived from translations: a register that decides them was written from outside."""
        self.ask(compiled.FLUSH)

    @property
    def return_cycles(self) -> int:
        """Cycles of RTE."""
        return int(self._opcodes["cycles"][OP_RTE])

    # --- whole state

    def save(self) -> tuple[bytes, bytes, bytes]:
        """(record, unicorn's CPU context, misses by PC)."""
        return self.array.tobytes(), library.context_save(self.uc), self._miss_pc.tobytes()

    def save_sram(self) -> tuple[bytes, bytes]:
        """Both core SRAM blocks."""
        return self._sram[0][0].tobytes(), self._sram[1][0].tobytes()

    def load(self, record: bytes, context: bytes, miss_pc: bytes, sram: tuple[bytes, bytes]) -> None:
        """Undo to what :meth:`save` returned on this core; caches of translations start empty."""
        self.array.view(np.uint8)[:] = np.frombuffer(record, np.uint8)  # numpy would copy a record field by field
        self._miss_pc[:] = np.frombuffer(miss_pc, np.int64).reshape(-1, 3)
        for (data, _pages), saved in zip(self._sram, sram, strict=True):
            data[:] = np.frombuffer(saved, np.uint8)
        self._resume(context)

    def _resume(self, context: bytes) -> None:
        library.context_restore(self.uc, context)
        self.state["armed_count"] = 0
        self.state["in_code_write"] = 2
        self._forget_recording()  # of the past; Machine sees to it that there is none now

    def areas(self) -> list[NDArray[np.uint8]]:
        """Everything that the guest can change, in place: the record, misses by PC, core SRAM, the banks of memory.

        With :meth:`context` and :meth:`unread`, which are no memory of ours, it is the state of the machine.
        """
        own = [self.array.view(np.uint8), self._miss_pc.reshape(-1).view(np.uint8)]
        return [*own, *(data for data, _pages in self._sram), *(bank.data for bank in self.banks)]

    def context(self) -> bytes:
        """unicorn's registers."""
        return library.context_save(self.uc)

    def unread(self) -> bytes:
        """What waits on the line to PSC0's receiver."""
        psc = self.devices["psc"][0]
        data: bytes = self._line[np.arange(int(psc["line_read"]), int(psc["line_written"])) % LINE].tobytes()
        return data

    def resume_at(self, context: bytes, unread: bytes) -> None:
        """The :meth:`areas` have been put back to what they were once; so are the other parts now."""
        psc = self.devices["psc"][0]
        first = int(psc["line_read"])
        self._line[np.arange(first, first + len(unread)) % LINE] = np.frombuffer(unread, np.uint8)
        self._resume(context)

    def show_banks(self, count: int) -> None:
        """Let the guest see the first ``count`` banks only: the others are attached later."""
        for i in range(int(self.state["n_banks"]), count):
            self.state["banks"][i] = self._bank_records[i]
        self.state["n_banks"] = count
