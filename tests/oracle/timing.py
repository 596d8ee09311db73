"""How many cycles a stream of executed instructions takes: docs/timing-model.md once more, in plain Python.

Sections of that document are cited as "1" to "4". ``Timing`` is fed one executed instruction, or one exception, at a
time. Levels: "flat" (cells only), "pipeline", "full".
"""

from __future__ import annotations

import copy
from collections import deque
from dataclasses import dataclass, field
from typing import Literal

from tests.oracle.forms import Form, decode

Level = Literal["flat", "pipeline", "full"]
Mode = Literal["write-through", "copyback", "inhibited", "sram", "device"]

# CACR (sheet 2.2).
DEC, DESB, DDPI, DHLCK, DCINVA = 1 << 31, 1 << 29, 1 << 28, 1 << 27, 1 << 24
BEC, BCINVA, IEC, DNFB, IDPI, IHLCK, ICINVA = 1 << 19, 1 << 18, 1 << 15, 1 << 13, 1 << 12, 1 << 11, 1 << 8
CACR_NUMBER = 0x002

SIMPLE = {
    *("ADD.L", "SUB.L", "AND.L", "OR.L", "EOR.L", "CMP.L", "ADDA.L", "SUBA.L", "CMPA.L", "ADDQ.L", "SUBQ.L"),
    *("ADDX.L", "SUBX.L", "NEG.L", "NEGX.L", "NOT.L", "EXT.W", "EXT.L", "EXTB.L", "SWAP", "TST.L"),
    *("ASL.L", "ASR.L", "LSL.L", "LSR.L"),
}
LONG_MOVES = ("MOVE.L", "MOVEA.L")


@dataclass(frozen=True)
class Parameters:
    """Every number of the model, with the document's defaults."""

    late_address: int = 3
    long_load_address: int = 2
    load_address: int = 3
    multiply_address: int = 6
    multiply_operand: int = 3
    index_unscaled: int = 2
    index_scaled: int = 3
    fpu: int = 3
    emac: int = 3
    load_after_store_distance: int = 4
    load_after_store: int = 1
    taken_by_cache: int = 0
    taken_by_table: int = 1
    not_taken: int = 1
    mispredicted: int = 8
    static_right: int = 1
    rts_right: int = 2
    rts_unpredicted: int = 8
    rts_wrong: int = 9
    return_stack: int = 4
    branch_cache: int = 8
    prediction_table: int = 128
    counter_at_start: int = 1
    counter_of_new_entry: int = 2
    exception: int = 18
    line_first: int = 24
    line_burst: int = 6
    line_push: int = 30
    store_drain: int = 5
    store_entries: int = 4
    inhibited_read: int = 24
    inhibited_write: int = 5


@dataclass(frozen=True)
class Access:
    """One access to memory, by physical address. ``cost``: what a device register costs more than the cell."""

    kind: Literal["read", "write", "fetch"]
    address: int
    size: int
    mode: Mode = "write-through"
    cost: int = 0


@dataclass(frozen=True)
class Step:
    """One executed instruction. ``fetch``: one access for each of its words; left out, they lie at VA = PA and are
    cacheable. ``value``: what MOVEC writes, the An of CPUSHL and INTOUCH."""

    pc: int
    code: bytes
    next_pc: int
    accesses: tuple[Access, ...] = ()
    fetch: tuple[Access, ...] = ()
    value: int = 0


@dataclass(frozen=True)
class Entry:
    """An exception was taken, and control went to ``handler``; ``accesses``: its frame and its vector. ``fetch``,
    ``before``: words fetched and data accesses made by an instruction that could then not be completed. ``doubtful``:
    the part of an operand in front of the page that was refused; the model leaves open whether it was accessed, and
    takes it that it was not. ``refused``: that instruction."""

    vector: int
    handler: int
    accesses: tuple[Access, ...] = ()
    before: tuple[Access, ...] = ()
    fetch: tuple[Access, ...] = ()
    doubtful: tuple[Access, ...] = ()
    refused: Step | None = None


@dataclass
class Register:
    """Waits of one register (1): as an address, as an operand, as an index."""

    address: int = 0
    operand: int = 0
    index: int = 0

    def pass_time(self, cycles: int) -> None:
        self.address = max(0, self.address - cycles)
        self.operand = max(0, self.operand - cycles)
        self.index = max(0, self.index - cycles)


@dataclass
class Line:
    """One line of a cache."""

    tag: int
    dirty: bool = False


class Cache:
    """4: 512 sets of 4 ways, lines of 16 bytes; contents are nobody's business here."""

    SETS, WAYS = 512, 4

    def __init__(self) -> None:
        self.lines: dict[tuple[int, int], Line] = {}
        self.counter = 0

    def find(self, address: int) -> Line | None:
        """The line that holds ``address``."""
        index = address >> 4 & (self.SETS - 1)
        for way in range(self.WAYS):
            line = self.lines.get((index, way))
            if line is not None and line.tag == address >> 13:
                return line
        return None

    def allocate(self, address: int, half_locked: bool) -> tuple[Line, bool]:
        """(a new line for ``address``, whether a dirty one had to leave)."""
        index = address >> 4 & (self.SETS - 1)
        ways = range(2, 4) if half_locked else range(4)
        invalid = [way for way in ways if (index, way) not in self.lines]
        if invalid:
            way = invalid[0]
        else:
            way = 2 + (self.counter & 1) if half_locked else self.counter
            self.counter = (self.counter + 1) % 4
        victim = self.lines.get((index, way))
        line = Line(address >> 13)
        self.lines[index, way] = line
        return line, victim is not None and victim.dirty

    def push(self, selector: int, keep: bool) -> bool:
        """CPUSHL with An = ``selector``; whether the line was dirty."""
        place = (selector >> 4 & (self.SETS - 1), selector & 3)
        line = self.lines.get(place)
        if line is None:
            return False
        dirty = line.dirty
        line.dirty = False
        if not keep:
            del self.lines[place]
        return dirty


class Branches:
    """3: branch cache, prediction table and return stack."""

    def __init__(self, parameters: Parameters) -> None:
        self.p = parameters
        self.stack: list[int] = []
        self.invalidate()

    def invalidate(self) -> None:
        """CACR[BCINVA]"""
        self.cache: dict[int, tuple[int, int]] = {}  # index: (address, counter)
        self.table = [self.p.counter_at_start] * self.p.prediction_table

    def conditional(self, pc: int, taken: bool) -> int:
        """Cycles of a Bcc."""
        entry = (pc >> 2) % self.p.branch_cache
        place = (pc >> 9 ^ pc >> 2) % self.p.prediction_table
        address, counter = self.cache.get(entry, (-1, 0))
        known = address == pc
        predicted = counter >= 2 if known else self.table[place] >= 2
        if predicted != taken:
            cycles = self.p.mispredicted
        elif not taken:
            cycles = self.p.not_taken
        else:
            cycles = self.p.taken_by_cache if known else self.p.taken_by_table
        move = 1 if taken else -1
        self.table[place] = min(3, max(0, self.table[place] + move))
        if known:
            self.cache[entry] = pc, min(3, max(0, counter + move))
        elif taken:
            self.cache[entry] = pc, self.p.counter_of_new_entry
        return cycles

    def push(self, address: int) -> None:
        """BSR, JSR"""
        self.stack.append(address)
        del self.stack[: -self.p.return_stack]

    def pop(self, target: int) -> int:
        """Cycles of an RTS that goes to ``target``."""
        if not self.stack:
            return self.p.rts_unpredicted
        return self.p.rts_right if self.stack.pop() == target else self.p.rts_wrong


@dataclass
class Pipeline:
    """1: the waits."""

    registers: list[Register] = field(default_factory=lambda: [Register() for _ in range(16)])
    fp: list[int] = field(default_factory=lambda: [0] * 8)
    code: int = 0  # the FPU's condition code
    emac: int = 0
    stores: list[int] = field(default_factory=list)  # cycles since the issue of each store not long ago

    def pass_time(self, cycles: int) -> None:
        """An instruction cost ``cycles``."""
        for register in self.registers:
            register.pass_time(cycles)
        self.fp = [max(0, wait - cycles) for wait in self.fp]
        self.code = max(0, self.code - cycles)
        self.emac = max(0, self.emac - cycles)


def in_long_words(access: Access) -> list[Access]:
    """The aligned longwords that an access touches."""
    first, last = access.address & ~3, (access.address + access.size - 1) & ~3
    return [Access(access.kind, at, 4, access.mode, access.cost) for at in range(first, last + 4, 4)]


class Memory:
    """4: caches, store buffer and bus. Times are absolute."""

    def __init__(self, parameters: Parameters) -> None:
        self.p = parameters
        self.data, self.instructions = Cache(), Cache()
        self.bus_free = 0
        self.stores: deque[int] = deque()  # when each entry of the store buffer will have ended
        self.last_word = -1  # longword of the last word fetched
        self.fill_buffer = -1  # its line

    def fill(self, cache: Cache, address: int, half_locked: bool, now: int) -> tuple[Line, int]:
        """Bring a line in: (the line, when the core goes on)."""
        start = max(now, self.bus_free)
        self.bus_free = start + self.p.line_first + self.p.line_burst
        line, dirty = cache.allocate(address, half_locked)
        if dirty:
            self.bus_free += self.p.line_push
        return line, start + self.p.line_first

    def fetch(self, word: Access, cacr: int, now: int) -> int:
        """One word of an instruction; the time afterwards."""
        longword, line = word.address & ~3, word.address >> 4
        before, self.last_word = self.last_word, longword
        if word.mode == "sram":
            return now
        if word.mode != "inhibited" and cacr & IEC:
            if before >> 4 == line or self.instructions.find(word.address):
                return now
            return self.fill(self.instructions, word.address, bool(cacr & IHLCK), now)[1]
        if cacr & DNFB:
            if self.fill_buffer == line:
                return now
            self.fill_buffer = line
            return now + self.p.inhibited_read
        return now if before == longword else now + self.p.inhibited_read

    def access(self, access: Access, cacr: int, now: int) -> int:
        """One data access; the time afterwards."""
        if access.mode == "device":
            return now + access.cost
        if access.mode == "sram":
            return now
        if access.mode == "inhibited" or not cacr & DEC:
            return now + self.uncached(access)
        for part in in_long_words(access):
            now = self.read(part, cacr, now) if part.kind == "read" else self.write(part, cacr, now)
        return now

    def uncached(self, access: Access) -> int:
        """What an access takes that no cache serves."""
        return self.p.inhibited_read if access.kind == "read" else self.p.inhibited_write

    def read(self, part: Access, cacr: int, now: int) -> int:
        if self.data.find(part.address):
            return now
        return self.fill(self.data, part.address, bool(cacr & DHLCK), now)[1]

    def write(self, part: Access, cacr: int, now: int) -> int:
        if part.mode == "write-through":
            return self.store(cacr, now)
        line = self.data.find(part.address)
        if line is None:
            line, now = self.fill(self.data, part.address, bool(cacr & DHLCK), now)
        line.dirty = True
        return now

    def store(self, cacr: int, now: int) -> int:
        """A store in write-through mode."""
        if not cacr & DESB:
            self.bus_free = max(now, self.bus_free) + self.p.store_drain
            return self.bus_free
        while self.stores and self.stores[0] <= now:
            self.stores.popleft()
        if len(self.stores) == self.p.store_entries:
            now = self.stores.popleft()
        self.bus_free = max(now, self.bus_free) + self.p.store_drain
        self.stores.append(self.bus_free)
        return now

    def drained(self, now: int) -> int:
        """When the store buffer is empty."""
        return max(now, self.stores[-1]) if self.stores else now

    def push(self, opcode: int, selector: int, cacr: int, now: int) -> None:
        """CPUSHL"""
        if opcode & 0x40 and self.data.push(selector, bool(cacr & DDPI)):
            self.bus_free = max(now, self.bus_free) + self.p.line_push
        if opcode & 0x80:
            self.instructions.push(selector, bool(cacr & IDPI))

    def touch(self, address: int, cacr: int, now: int) -> int:
        """INTOUCH; the time afterwards."""
        if not cacr & IEC or self.instructions.find(address):
            return now
        return self.fill(self.instructions, address, bool(cacr & IHLCK), now)[1]


class Timing:
    """The model. ``cycles`` is the time so far."""

    def __init__(self, level: Level, parameters: Parameters | None = None, cacr: int = 0) -> None:
        self.level = level
        self.p = parameters or Parameters()
        self.cacr = cacr
        self.cycles = 0
        self.pipeline = Pipeline()
        self.branches = Branches(self.p)
        self.memory = Memory(self.p)
        self.afterwards = 0  # cycles of an instruction that come behind its accesses
        self.first: tuple[Form, int] | None = None  # an instruction that may fold the next one, and where that is

    # --- what happens

    def execute(self, step: Step) -> int:
        """An instruction has been executed; the cycles after it."""
        form = decode(step.pc, step.code)
        if self.level == "full":
            for word in step.fetch or [Access("fetch", step.pc + i, 2) for i in range(0, form.length, 2)]:
                self.cycles = self.memory.fetch(word, self.cacr, self.cycles)
            if form.name == "NOP":
                self.cycles = self.memory.drained(self.cycles)
        if self.level == "flat":
            self.cycles += form.cell if form.latency is None else form.latency
        else:
            self.cycles += self.issue(form, step)
        for access in step.accesses:
            self.access(access)
        self.cycles += self.afterwards
        self.afterwards = 0
        self.control(form, step)
        return self.cycles

    def exception(self, entry: Entry) -> int:
        """An exception is taken. The cycles after it."""
        spent = self.spent_in_vain(entry)
        self.pipeline = Pipeline()
        self.first = None
        if self.level == "full":
            for word in entry.fetch:
                self.cycles = self.memory.fetch(word, self.cacr, self.cycles)
        self.cycles += spent
        for access in entry.before:
            self.access(access)
        self.cycles += self.p.exception - spent
        if self.level == "full":
            for access in entry.accesses:
                self.access(access)
        return self.cycles

    # --- parts

    def spent_in_vain(self, entry: Entry) -> int:
        """4: stalls and cell of an instruction that was refused an access: the accesses before that one came behind
        them, but they are not charged."""
        if entry.refused is None or not entry.before or self.level != "full":
            return 0
        return copy.deepcopy(self).issue(decode(entry.refused.pc, entry.refused.code), entry.refused)

    def access(self, access: Access) -> None:
        """4: the time of one data access; while memory is ideal only what leaves the core takes any."""
        if self.level == "full":
            self.cycles = self.memory.access(access, self.cacr, self.cycles)
        elif access.mode == "device":
            self.cycles += access.cost
        elif access.mode == "inhibited":
            self.cycles += self.memory.uncached(access)

    def stall(self, form: Form) -> int:
        """1: how long the instruction waits for its registers."""
        state = self.pipeline
        waits = [0]
        waits += [state.registers[n].address for n in form.bases]
        for n, scale in form.indices:
            register = state.registers[n]
            saved = self.p.index_scaled - self.p.index_unscaled if scale == 1 else 0
            waits += [register.address, register.index - saved]
        waits += [state.registers[n].operand for n in form.reads]
        waits += [state.fp[n] for n in form.fp_reads]
        if form.fp_reads_code:
            waits.append(state.code)
        if form.fp_waits_all:
            waits += [*state.fp, state.code]
        if form.emac_waits:
            waits.append(state.emac)
        return max(waits)

    def store_in_the_way(self, form: Form, stall: int) -> int:
        """1: a load that is issued exactly 4 cycles after a store."""
        if form.loads and form.name not in ("RTE", "WDDATA"):
            if self.p.load_after_store_distance in [age + stall for age in self.pipeline.stores]:
                return self.p.load_after_store
        return 0

    def issue(self, form: Form, step: Step) -> int:
        """Sections 1 to 3: the cycles of one instruction."""
        state = self.pipeline
        stall = self.stall(form)
        case = 0
        if self.first is not None and self.first[1] == step.pc and stall == 0:
            case = folds(self.first[0], form)
        if case:
            late = any(state.registers[n].address for n in form.reads)
            self.set_results(form, late)
            if case == 1:
                first = self.first[0] if self.first else form
                assert first.target is not None
                state.registers[first.target.register] = Register(self.p.late_address)
            self.first = None
            return 0
        stall += self.store_in_the_way(form, stall)
        state.pass_time(stall)
        late = any(state.registers[n].address for n in form.reads)
        cell = self.cell(form, step)
        state.pass_time(cell)
        if form.cell >= 6:
            self.pipeline = state = Pipeline(stores=state.stores)
        self.set_results(form, late)
        state.stores = [age + stall + cell for age in state.stores]
        if form.stores:
            state.stores.append(cell)
        state.stores = [age for age in state.stores if age <= self.p.load_after_store_distance]
        branch = form.name in ("Bcc", "BRA", "BSR", "FBcc", "JMP", "JSR", "RTS", "RTE")
        self.first = None if branch else (form, step.pc + form.length)
        if form.name == "RTE":
            self.pipeline = Pipeline()
        if form.name == "RTS":  # it reads where it goes before it costs what that decides
            self.afterwards = cell
            return stall
        return stall + cell

    def set_results(self, form: Form, late: bool) -> None:
        """1: the waits that an instruction leaves."""
        p, registers = self.p, self.pipeline.registers
        for n, result in form.results.items():
            if result == "early" and late:
                result = "late"
            registers[n] = {
                "early": Register(0, 0, p.index_scaled),
                "late": Register(p.late_address),
                "long load": Register(p.long_load_address),
                "load": Register(p.load_address),
                "multiply": Register(p.multiply_address, p.multiply_operand),
                "done": Register(),
            }[result]
        for place, n in enumerate(form.listed):
            behind = len(form.listed) - 1 - place
            registers[n] = Register(max(0, p.long_load_address - behind))
        wait = p.fpu if form.fp_pipelined else 0
        if form.fp_result >= 0:
            self.pipeline.fp[form.fp_result] = wait
        if form.fp_sets_code:
            self.pipeline.code = wait
        if form.emac_sets:
            self.pipeline.emac = p.emac

    def cell(self, form: Form, step: Step) -> int:
        """The cell; 3: of a branch, by what was predicted."""
        behind = step.pc + form.length
        if form.name in ("BSR", "JSR"):
            self.branches.push(behind)
        if form.name == "RTS":
            return self.branches.pop(step.next_pc)
        if form.name == "Bcc":
            taken = step.next_pc != behind
            if self.cacr & BEC:
                return self.branches.conditional(step.pc, taken)
            backwards = bool(step.code[1] & 0x80 if step.code[1] not in (0, 0xFF) else step.code[2] & 0x80)
            return self.p.static_right if backwards == taken else self.p.mispredicted
        return form.cell

    def control(self, form: Form, step: Step) -> None:
        """What MOVEC to CACR, CPUSHL and INTOUCH do."""
        if form.name == "MOVEC" and int.from_bytes(step.code[2:4], "big") & 0xFFF == CACR_NUMBER:
            self.cacr = step.value
            if self.cacr & BCINVA:
                self.branches.invalidate()
            if self.cacr & DCINVA:
                self.memory.data.lines.clear()
            if self.cacr & ICINVA:
                self.memory.instructions.lines.clear()
        if self.level == "full" and form.name == "CPUSHL":
            self.memory.push(step.code[1], step.value, self.cacr, self.cycles)
        if self.level == "full" and form.name == "INTOUCH":
            self.cycles = self.memory.touch(step.value, self.cacr, self.cycles)


def folds(first: Form, second: Form) -> int:
    """2: the case by which ``second`` folds into ``first``, or 0; waits and order are looked at elsewhere."""
    if second.length != 2 or second.memory:
        return 0
    source, target = first.source, first.target
    simple = second.name in SIMPLE
    if first.name in LONG_MOVES and source and target and target.is_register and simple:
        embedded = source.is_register or (source.is_memory and not source.is_indexed)
        result = set(second.results)
        if embedded and (result == {target.register} or (not result and target.register in second.reads)):
            return 1
    to_memory = target is not None and target.is_memory
    stored = source is not None and source.is_register and first.name in ("MOVE.B", "MOVE.W", "MOVE.L")
    cleared = first.name in ("CLR.B", "CLR.W", "CLR.L", "MOV3Q")
    plain = second.name == "MOVEQ" or (second.name in LONG_MOVES and second.source and second.source.is_register)
    if (first.name == "PEA" or (to_memory and (stored or cleared))) and plain:
        return 2
    loaded = source is not None and source.where == "#" and target is not None and target.is_register
    address_result = first.name in ("LEA", "MOVEQ") or (first.name in ("MOV3Q", "CLR.L") and not to_memory)
    if address_result or (first.name in LONG_MOVES and loaded):
        (written,) = first.results
        if simple or second.name in ("MOVEQ", "MOV3Q", "CLR.L"):
            if written not in second.reads | set(second.results):
                return 3
    return 0
