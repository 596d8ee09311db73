"""Every access of every instruction that touches memory, refused once: after the repair nothing shows that it was.

For each form, each of its accesses (operand reads, writes, read-modify-writes, pushes and pops, both parts of an
operand that crosses a page; the op word and an extension word) the page is first missing, then protected. The handler
notes what the hardware reports, loads the right entry and returns. Registers, CCR, memory, FPU and EMAC must then be
those of the run that never faulted, and the report as sheet 1.13, 3.3 and 3.5 say.
"""

import random
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache, lru_cache

import pytest

from emu.board import Board
from emu.mmu.state import READ, RMW, WRITE
from tests.support import asm
from tests.support.asm import A0, A5, D0, D2, D3, D4, SP, Assembler, at, d, disp, post, pre, words
from tests.support.guest import (
    ACC,
    ADR,
    DATA,
    ENGINES,
    LK,
    MMUAR,
    MMUDR,
    MMUOR,
    MMUSR,
    MMUTR,
    RAM,
    SUPERVISOR_SR,
    USER_SR,
    Bench,
    Entry,
    Frame,
    R,
    W,
    X,
    enter_virtual_mode,
    image,
    read_frame,
    tag,
)
from tests.support.memory_forms import CODE_WORD, SOURCE, STACK_OPERAND, TARGET, Access, Form, forms

BOARD = Board("faults", "two megabytes behind each operand", ((RAM, 16 << 20),), (0x80000000, 1 << 28), 0xF0000000, 1)
ACCESS_ERROR, TRAP_0 = 2, 32
SETUPS_KEPT = 256  # sets of TLB entries; the cases of a form have few
PARTS = 16  # of the whole matrix, so that no core waits long for the other at the end
FS = {  # (kind, violation): fault status, sheet 3.3; a read-modify-write is refused at its read (1.11)
    (READ, False): 14,
    (RMW, False): 14,
    (WRITE, False): 10,
    (READ, True): 13,
    (RMW, True): 13,
    (WRITE, True): 9,
}
HIT, RF, WF = 0x02, 0x10, 0x08
MMUSR_AFTER = {READ: HIT | RF, WRITE: HIT | WF, RMW: HIT | WF}
DENIED = {READ: W, WRITE: R, RMW: R}  # permissions of a page that refuses the access
OPCODE_MISS, EXTENSION_MISS, FETCH_VIOLATION = 5, 6, 4

# The boundary between the two pages of each region, and the physical memory behind the megabyte before and after it.
CODE_VA = 0x004FE000  # one locked page of 8 KB, so that (d16,PC) reaches over its end
JUMP_VA = CODE_VA + 0x1000
BOUNDARY = {SOURCE: 0x00700000, TARGET: 0x00900000, STACK_OPERAND: 0x00B00000, "fetch": 0x00D00000}
PC_BOUNDARY, SHORT_BOUNDARY = 0x00500000, 0x00006000  # for the modes that reach only near PC and 0
CODE_PA = RAM + 0x100000
BASE = {SOURCE: RAM + 0x200000, TARGET: RAM + 0x400000, STACK_OPERAND: RAM + 0x600000, "fetch": RAM + 0x800000}
FILL = b"\x40"  # any size of it is a number that every instruction takes
WINDOW_BYTES = 96
FREE_ENTRY = 32  # the lowest DTLB entry, never loaded
ENTRY_NUMBERS = {SOURCE: 34, TARGET: 36, STACK_OPERAND: 38}
LOG, PARAMETERS, COUNT, DOUBLES = DATA, DATA + 0x40, DATA + 0x60, DATA + 0x200
FLAGS = {
    "compare": asm.alu("cmp", d(D2), D3),
    "add": asm.alu("add", d(D2), D4),
    "shift": asm.shift("lsl", 1, D4),
    "logic": asm.alu("and", d(D2), D4),
}
START = {f"d{i}": 0x11111111 * (i + 1) for i in range(8)} | {"d2": 7, "d3": 9, "d4": 0xC0000003}
START |= {f"a{i}": 0x20202020 + i for i in range(7)}
UNITS = (*(f"fp{i}" for i in range(8)), "fpcr", "fpsr", "fpiar", *(f"acc{i}" for i in range(4)), "macsr", "mask")
REFUSED_STORE_SETS_FLAGS = ("MOV3Q",)  # the frame holds the new CCR, as 548xRM 3-40 has it for MMU off


@dataclass(frozen=True)
class Place:
    """Pages of ``2**bits`` bytes; ``crossing``: each operand lies on two of them."""

    bits: int
    crossing: bool


@dataclass(frozen=True)
class Fault:
    """TLB entry ``number`` is missing or, ``violation``, has only the permissions ``granted``; ``kind`` of access."""

    number: int
    kind: int
    violation: bool
    granted: int


@dataclass
class Outcome:
    """What a run left: how often it faulted, the first fault's report, and everything that can be seen at the end."""

    faults: int
    frame: Frame
    mmuar: int
    mmusr: int
    allocation: int  # MMUOR[AA]
    end: tuple[object, ...]


def boundary(region: str, form: Form) -> int:
    """Where the two pages of an operand of ``form`` meet."""
    if region == SOURCE and form.modes[:1] in ("p", "q"):
        return PC_BOUNDARY
    if region in (SOURCE, TARGET) and "w" in form.modes[0 if region == SOURCE else -1]:
        return SHORT_BOUNDARY
    return BOUNDARY[region]


def operand_va(access: Access, form: Form, place: Place) -> int:
    """Where the operand is: inside its low page, or in the middle of one of its parts across the boundary."""
    end = boundary(access.region, form)
    if not place.crossing:
        return end - min(1 << place.bits, 0x2000) + 0x140
    return end - access.size // 2 - (access.unit // 2 if access.size > access.unit else 0)


def parts(access: Access, form: Form, place: Place) -> list[tuple[int, int]]:
    """(page, first byte) of the pages that the operand lies on."""
    va, end = operand_va(access, form, place), boundary(access.region, form)
    return [(page, max(va, end) if page else va) for page in (0, 1) if (va + access.size > end if page else va < end)]


def region_entries(access: Access, form: Form, place: Place) -> list[Entry]:
    """The two pages of an operand, readable and writable."""
    end = boundary(access.region, form)
    size = 1 << place.bits
    pa = BASE[access.region] + 0x100000
    number = ENTRY_NUMBERS[access.region]
    pages = ((end - size, pa - size), (end, pa))
    return [Entry(number + i, tag(va), image(frame, place.bits, R | W)) for i, (va, frame) in enumerate(pages)]


def note_and_repair() -> bytes:
    """The handler of access errors: note the first report, load the entry that PARAMETERS name, return."""
    p = Assembler(0)
    p.add(asm.move("l", d(D0), pre(SP)), asm.move("l", asm.a(A0), pre(SP)))
    p.add(asm.move("l", at(COUNT), d(D0)), asm.addq(1, d(D0)), asm.move("l", d(D0), at(COUNT)), asm.subq(1, d(D0)))
    p.branch("ne", "repair")
    for i, source in enumerate((disp(SP, 8), disp(SP, 12), at(MMUAR), at(MMUSR), at(MMUOR))):
        p.add(asm.move("l", source, d(D0)), asm.move("l", d(D0), at(LOG + 4 * i)))
    p.label("repair")
    p.add(asm.lea(at(PARAMETERS), A0))
    for register in (MMUAR, MMUTR, MMUDR, MMUOR):
        p.add(asm.move("l", post(A0), d(D0)), asm.move("l", d(D0), at(register)))
    p.add(asm.move("l", post(SP), asm.a(A0)), asm.move("l", post(SP), d(D0)), asm.RTE)
    return p.finish()


def fpu_and_emac_from_memory() -> bytes:
    """Numbers in FP0-FP7 and the accumulators."""
    code = asm.lea(at(DOUBLES), A5) + words(0xF215, 0xD0FF) + asm.moveq(0, D0) + words(0xF200, 0x8800)
    code += asm.moveq(-1, D0) + words(0xAD00)  # MOVE D0,MASK
    for i in range(4):  # MOVE D0,ACCi
        code += asm.moveq(17 * i, D0) + words(0xA100 | i << 9)
    return code


@dataclass(frozen=True)
class Setup:
    """CPU and MMU of a machine, without the memory."""

    registers: tuple[bytes, bytes, bytes]
    sram: tuple[bytes, bytes]


class Rig:
    """One machine on which forms are run; what they use of guest memory is written anew for each run."""

    def __init__(self, engine: str) -> None:
        self.guest = Bench(engine, board=BOARD)
        self.guest.handler(ACCESS_ERROR, note_and_repair())
        self.guest.put(DOUBLES, b"".join(struct.pack(">d", 1.5 + i) for i in range(8)))
        self._reset = self._setup()
        self._virtual_mode = lru_cache(SETUPS_KEPT)(self._enter_virtual_mode)
        self.flags = {name: self._run(lead + asm.trap(0), CODE_VA, CODE_PA, [], {}).sr for name, lead in FLAGS.items()}

    def _setup(self) -> Setup:
        core = self.guest.machine.core
        return Setup(core.save(), core.save_sram())

    def _set_up(self, setup: Setup) -> None:
        self.guest.machine.core.load(*setup.registers, setup.sram)

    def _enter_virtual_mode(self, entries: tuple[Entry, ...]) -> Setup:
        """The guest loads FPU, EMAC, MMU and the given entries itself; many runs then begin where that has ended."""
        self._set_up(self._reset)
        locked = Entry(0, tag(CODE_VA), image(CODE_PA, 13, X | LK))
        self.guest.run(fpu_and_emac_from_memory(), enter_virtual_mode((locked, *entries)), asm.HALT)
        for name, value in START.items():
            self.guest.registers[name] = value
        return self._setup()

    def _run(
        self, code: bytes, va: int, pa: int, entries: list[Entry], registers: dict[str, int], sr: int = USER_SR
    ) -> Frame:
        """Run ``code`` behind the given entries, to its TRAP; the frame of that."""
        guest = self.guest
        self._set_up(self._virtual_mode(tuple(entries)))
        guest.put(pa, code)
        guest.registers["sr"] = sr
        for name, value in registers.items():
            guest.registers[name] = value
        guest.registers["pc"] = va
        guest.resume(1_000)
        frame = read_frame(guest.machine, guest.registers["a7"])
        assert frame.vector == TRAP_0, f"{frame}: not the TRAP behind the instruction"
        return frame

    def run(self, form: Form, place: Place, flags: str, fault: Fault | None, fetched: int = -1) -> Outcome:
        """Run the form once. ``fetched``: words of it on the low page of the code region, -1 for the locked page."""
        guest, lead = self.guest, FLAGS[flags]
        offset = 0x200 if fetched < 0 else 0x100000 - 2 * fetched - len(lead)
        va, pa = (CODE_VA, CODE_PA) if fetched < 0 else (BOUNDARY["fetch"] - 0x100000, BASE["fetch"])
        places = {access.region: operand_va(access, form, place) for access in form.accesses}
        built = form.build(va + offset + len(lead), places | {CODE_WORD: jump_target(form)})
        guest.put(CODE_PA + 0x1000, asm.trap(0))
        guest.put(BASE[SOURCE] + 0x100000 + 0x100, asm.trap(0))
        windows = [(physical(access, form, place) - 32, FILL * WINDOW_BYTES) for access in form.accesses]
        for at_, content in windows:
            guest.put(at_, content)
        guest.put(windows[0][0] + 32, asm.long(JUMP_VA) if form.name == "RTS" else form.content)
        entries = [entry for access in form.accesses for entry in region_entries(access, form, place)]
        entries += fetch_entries(place)
        guest.put(COUNT, bytes(4))
        guest.put(LOG, bytes(20))
        wrong = [changed(entry, fault, form) for entry in entries]
        repair = [entry for entry, used in zip(entries, wrong) if entry != used]
        for entry in repair:
            load = (entry.number, entry.tag, entry.data, ADR | ACC | entry.side)
            guest.put(PARAMETERS, b"".join(map(asm.long, load)))
        code = lead + built.code + asm.trap(0) * 0x90
        used = [entry for entry in wrong if entry]
        frame = self._run(code, va + offset, pa + offset, used, built.registers, mode(form))
        first = read_frame(guest.machine, LOG)
        units = [guest.registers[name] for name in UNITS]
        end = (frame.sr, frame.pc, *guest.machine.core.cpu_registers(), *units)
        memory = tuple(guest.machine.read_physical(at_, WINDOW_BYTES) for at_, _ in windows)
        mmu = [guest.long(LOG + at_) for at_ in (8, 12, 16)]
        return Outcome(guest.long(COUNT), first, mmu[0], mmu[1], mmu[2] >> 16, (*end, memory))


def mode(form: Form) -> int:
    """SR in which ``form`` runs: user mode if it may."""
    return SUPERVISOR_SR if form.privileged else USER_SR


def jump_target(form: Form) -> int:
    """Where JSR and PEA point: at a TRAP on a page that ``form``'s addressing mode reaches."""
    return SHORT_BOUNDARY + 0x100 if form.modes == "w" else JUMP_VA


def physical(access: Access, form: Form, place: Place) -> int:
    """PA of an operand."""
    return BASE[access.region] + 0x100000 + operand_va(access, form, place) - boundary(access.region, form)


def fetch_entries(place: Place) -> list[Entry]:
    """The pages of the code region, and the one that (xxx).W can jump to."""
    size, end, pa = 1 << place.bits, BOUNDARY["fetch"], BASE["fetch"] + 0x100000
    return [
        Entry(2, tag(SHORT_BOUNDARY), image(BASE[SOURCE] + 0x100000, 13, X)),
        Entry(4, tag(end - size), image(pa - size, place.bits, X)),
        Entry(5, tag(end), image(pa, place.bits, X)),
    ]


def changed(entry: Entry, fault: Fault | None, form: Form) -> Entry | None:
    """The entry as the fault has it: missing, without the permission, or as it should be."""
    if fault is None or entry.number != fault.number:
        return entry
    if not fault.violation:
        return None
    return replace(entry, data=entry.data & ~(R | W | X) | fault.granted)


def data_faults(form: Form, place: Place) -> Iterator[tuple[Fault, int]]:
    """(fault, expected MMUAR) for each page of each access."""
    for access in form.accesses:
        for page, first in parts(access, form, place):
            for violation in (False, True):
                number = ENTRY_NUMBERS[access.region] + page
                yield Fault(number, access.kind, violation, DENIED[access.kind]), first


def check(rig: Rig, form: Form, place: Place, flags: str) -> list[str]:
    """All faults of one form at one place; what is not as it should be, in words."""
    clean = rig.run(form, place, flags, None)
    wrong = [f"{clean.faults} faults in the clean run"] * (clean.faults != 0)
    pc = CODE_VA + 0x200 + len(FLAGS[flags])
    for fault, mmuar in data_faults(form, place):
        seen = rig.run(form, place, flags, fault)
        sr = seen.frame.sr if form.name.startswith(REFUSED_STORE_SETS_FLAGS) else rig.flags[flags] | mode(form)
        expected = {
            "faults": (seen.faults, 1),
            "vector": (seen.frame.vector, ACCESS_ERROR),
            "FS": (seen.frame.fs, FS[fault.kind, fault.violation]),
            "PC": (seen.frame.pc, pc),
            "SR": (seen.frame.sr, sr),
            "MMUAR": (seen.mmuar, mmuar),
            "MMUSR": (seen.mmusr, MMUSR_AFTER[fault.kind] if fault.violation else 0),
            "AA": (seen.allocation, fault.number if fault.violation else FREE_ENTRY),
            "end": (seen.end, clean.end),
        }
        wrong += [f"{fault}: {name} {a} != {b}" for name, (a, b) in expected.items() if a != b]
    return wrong


def check_fetch(rig: Rig, form: Form, place: Place, flags: str) -> list[str]:
    """The op word, and an extension word, on a page that cannot be fetched from."""
    wrong = []
    for words_before in range(min(form.words, 2)):
        clean = rig.run(form, place, flags, None, words_before)
        wrong += [f"{clean.faults} faults in the clean run"] * (clean.faults != 0)
        for violation in (False, True):
            fault = Fault(5, -1, violation, R)
            seen = rig.run(form, place, flags, fault, words_before)
            miss = EXTENSION_MISS if words_before else OPCODE_MISS
            expected = {
                "faults": (seen.faults, 1),
                "FS": (seen.frame.fs, FETCH_VIOLATION if violation else miss),
                "PC": (seen.frame.pc, BOUNDARY["fetch"] - 2 * words_before),
                "SR": (seen.frame.sr, rig.flags[flags] | mode(form)),
                "end": (seen.end, clean.end),
            }
            wrong += [f"fetch {words_before} {fault}: {name} {a} != {b}" for name, (a, b) in expected.items() if a != b]
    return wrong


def possible(form: Form, place: Place) -> bool:
    """Whether the operands can be placed so: not across a page near 0 that is the first one, no byte across a page."""
    if place.bits == 20 and "w" in form.modes:
        return False
    return not place.crossing or all(access.size > 1 for access in form.accesses)


def cases() -> list[tuple[Form, Place, str]]:
    """Forms x places x what set the flags before."""
    places = [Place(bits, crossing) for bits in (10, 12, 13, 20) for crossing in (False, True)]
    return [(f, place, flags) for f in forms() for place in places if possible(f, place) for flags in FLAGS]


@cache
def rig(engine: str) -> Rig:
    """One machine for all cases of an engine."""
    return Rig(engine)


def run_all(engine: str, chosen: list[tuple[Form, Place, str]]) -> None:
    """Check the chosen cases; fail with the first few that are wrong."""
    machine = rig(engine)
    wrong = []
    for form, place, flags in chosen:
        found = check(machine, form, place, flags)
        if not set(form.modes) & set("pqw"):
            found += check_fetch(machine, form, place, flags)
        wrong += [f"{form} {place} after {flags}: {text}" for text in found]
    assert not wrong, f"{len(wrong)} differences, the first: " + "\n".join(wrong[:10])


def test_the_forms_are_all_there() -> None:
    """Every row of the table with a data access has its forms, in every addressing mode it allows."""
    assert len(forms()) > 400
    assert {"FSAVE I", "FRESTORE p", "WDDATA.L -", "MOVEM.L ,list d", "RTS"} <= {form.name for form in forms()}
    assert {form.accesses[0].kind for form in forms()} == {READ, WRITE, RMW}


@pytest.mark.parametrize("engine", ENGINES)
def test_a_fault_leaves_no_trace(engine: str) -> None:
    run_all(engine, random.Random(1).sample(cases(), 120))


@pytest.mark.conformance
@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("engine", ["native", "public"])
def test_no_fault_of_any_form_leaves_a_trace(engine: str, part: int) -> None:
    run_all(engine, cases()[part::PARTS])


@pytest.mark.conformance
@pytest.mark.parametrize("part", range(4))
def test_no_fault_of_every_fourth_leaves_a_trace_in_the_reference(part: int) -> None:
    run_all("reference", cases()[part :: 4 * 4])
