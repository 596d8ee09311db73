"""Access errors: fault status, MMU registers, and that a faulting instruction changes nothing (sheet 1.13, 3.3-3.5)."""

from dataclasses import dataclass

import pytest

from emu.mmu.state import ITLB, LRU
from tests.support import asm
from tests.support.asm import A0, A1, A2, D0, D1, D2, D3, SP, at, d, disp, imm, ind, post, pre
from tests.support.guest import (
    CODE,
    DATA,
    ENGINES,
    EUSP,
    FRAMES,
    KERNEL_ACR,
    LK,
    MMUOR,
    ONE_MEGABYTE,
    RAM,
    STACK,
    SUPERVISOR_SR,
    USER_SR,
    Bench,
    Entry,
    Frame,
    R,
    W,
    X,
    bench,
    enter_virtual_mode,
    go_to,
    image,
    store_long,
    stub,
    tag,
)
from tests.support.guest import SP as SP_BIT

ACCESS_ERROR = 2
FETCH_ERROR, FETCH_MISS, EXTENSION_MISS = 4, 5, 6
WRITE_ERROR, WRITE_PROTECTED, WRITE_MISS = 8, 9, 10
READ_ERROR, READ_PROTECTED, READ_MISS = 12, 13, 14
SPF, RF, WF, HIT = 0x20, 0x10, 0x08, 0x02

USER = 0x00400000  # VA of the user's code
PAGE = 0x00600000  # VA of the page under test; the next one behind it is not mapped
USER_PA, PAGE_PA = FRAMES, FRAMES + 0x4000
NOWHERE = 0x00800000
MARK = 0x11223344
LOCKED_CODE = Entry(0, tag(USER), image(USER_PA, 13, X | LK))


def page(flags: int, bits: int = 12, number: int = 40) -> Entry:
    """The page under test with the given permissions."""
    return Entry(number, tag(PAGE), image(PAGE_PA, bits, flags))


def user(guest: Bench, *code: bytes, entries: tuple[Entry, ...] = (), **mode: int) -> Frame:
    """Run ``code`` in user mode at USER, translated; the frame of its first exception."""
    guest.put(USER_PA, b"".join(code))
    return guest.exception(enter_virtual_mode((LOCKED_CODE, *entries), **mode), go_to(USER, USER_SR))


def supervisor(guest: Bench, *code: bytes, entries: tuple[Entry, ...] = ()) -> Frame:
    """Run ``code`` in supervisor mode with the page under test mapped."""
    guest.put(CODE + 0x800, b"".join(code))
    return guest.exception(enter_virtual_mode(entries), asm.jmp(at(CODE + 0x800)))


# --- fault status, MMUAR, MMUSR


@dataclass(frozen=True)
class Case:
    """An access with A0 = PAGE, A1 = NOWHERE, and what hardware says about it."""

    name: str
    code: bytes
    flags: int  # permissions of the page
    fs: int
    mmuar: int
    mmusr: int
    privileges: str = "us"


LOAD, STORE = asm.move("l", ind(A0), d(D1)), asm.move("l", d(D1), ind(A0))
MISSING_LOAD, MISSING_STORE = asm.move("l", disp(A1, 6), d(D1)), asm.move("w", d(D1), disp(A1, 6))
CASES = (
    Case("read miss", MISSING_LOAD, R | W, READ_MISS, NOWHERE + 6, 0),
    Case("write miss", MISSING_STORE, R | W, WRITE_MISS, NOWHERE + 6, 0),
    Case("rmw miss", asm.addq(1, ind(A1)), R | W, READ_MISS, NOWHERE, 0),
    Case("tas miss", asm.tas(ind(A1)), R | W, READ_MISS, NOWHERE, 0),
    Case("bset miss", asm.bit("bset", 0, ind(A1)), R | W, READ_MISS, NOWHERE, 0),
    Case("byte miss", asm.move("b", disp(A1, 3), d(D1)), R | W, READ_MISS, NOWHERE + 3, 0),
    Case("read of R=0", LOAD, W, READ_PROTECTED, PAGE, HIT | RF),
    Case("write of W=0", STORE, R, WRITE_PROTECTED, PAGE, HIT | WF),
    Case("clr of W=0", asm.clr("b", disp(A0, 5)), R, WRITE_PROTECTED, PAGE + 5, HIT | WF),
    Case("movem of W=0", asm.movem_store([1, 2, 3], disp(A0, 16)), R, WRITE_PROTECTED, PAGE + 16, HIT | WF),
    Case("rmw of W=0", asm.alu_to("add", D1, disp(A0, 8)), R, READ_PROTECTED, PAGE + 8, HIT | WF),
    Case("addq of W=0", asm.addq(3, ind(A0)), R, READ_PROTECTED, PAGE, HIT | WF),
    Case("bclr of W=0", asm.bit("bclr", 1, ind(A0)), R, READ_PROTECTED, PAGE, HIT | WF),
    Case("tas of W=0", asm.tas(ind(A0)), R, READ_PROTECTED, PAGE, HIT | WF),
    Case("user read of SP=1", LOAD, R | W | SP_BIT, READ_PROTECTED, PAGE, HIT | SPF, "u"),
    Case("user write of SP=1", STORE, R | W | SP_BIT, WRITE_PROTECTED, PAGE, HIT | SPF, "u"),
    Case("user rmw of SP=1", asm.addq(1, ind(A0)), R | W | SP_BIT, READ_PROTECTED, PAGE, HIT | SPF, "u"),
    Case("rmw of R=0", asm.addq(1, ind(A0)), W, READ_PROTECTED, PAGE, HIT | RF),
    Case("rmw of R=0 W=0", asm.addq(1, ind(A0)), 0, READ_PROTECTED, PAGE, HIT | RF | WF),
    Case("bset of R=0 W=0", asm.bit("bset", 1, disp(A0, 3)), 0, READ_PROTECTED, PAGE + 3, HIT | RF | WF),
    Case("tas of R=0 W=0", asm.tas(ind(A0)), 0, READ_PROTECTED, PAGE, HIT | RF | WF),
    Case("btst of R=0 W=0", asm.bit("btst", 1, ind(A0)), 0, READ_PROTECTED, PAGE, HIT | RF),
    Case("user rmw of SP=1 W=0", asm.addq(1, ind(A0)), R | SP_BIT, READ_PROTECTED, PAGE, HIT | SPF | WF, "u"),
    Case("user rmw of SP=1 R=0 W=0", asm.addq(1, ind(A0)), SP_BIT, READ_PROTECTED, PAGE, HIT | SPF | RF | WF, "u"),
)


@pytest.mark.parametrize("privilege", ["u", "s"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_data_fault_says_what_and_where(guest: Bench, case: Case, privilege: str) -> None:
    if privilege not in case.privileges:
        return
    guest.put(PAGE_PA, asm.long(MARK) * 8)
    code = asm.lea(at(PAGE), A0) + asm.lea(at(NOWHERE), A1) + asm.moveq(-1, D1)
    run = user if privilege == "u" else supervisor
    start = USER if privilege == "u" else CODE + 0x800
    frame = run(guest, code, case.code, entries=(page(case.flags),))
    sr = (SUPERVISOR_SR if privilege == "s" else USER_SR) | 8  # N, of the MOVEQ
    assert (frame.vector, frame.fs, frame.pc, frame.sr) == (ACCESS_ERROR, case.fs, start + len(code), sr)
    assert guest.registers["mmuar"] == case.mmuar
    assert guest.registers["mmusr"] == case.mmusr
    assert guest.registers["d1"] == 0xFFFFFFFF
    assert guest.long(PAGE_PA) == MARK
    counters = guest.machine.counters()
    misses = case.fs in (READ_MISS, WRITE_MISS)
    assert (counters.misses.dtlb, counters.violations) == (int(misses), int(not misses))
    assert counters.misses.itlb == 0
    allocated = guest.machine.core.state["mmu"]["aa"]
    assert allocated == (32 if misses else 40)  # the replacement choice; the entry that hit (sheet 1.13)


@pytest.mark.parametrize("privilege", ["u", "s"])
def test_a_fetch_miss_of_the_op_word(guest: Bench, privilege: str) -> None:
    run = user if privilege == "u" else supervisor
    frame = run(guest, asm.jmp(at(NOWHERE)))
    assert (frame.vector, frame.fs, frame.pc) == (ACCESS_ERROR, FETCH_MISS, NOWHERE)
    misses = guest.machine.counters().misses
    assert (misses.itlb_user, misses.itlb_kernel) == ((1, 0) if privilege == "u" else (0, 1))
    assert (guest.registers["mmuar"], guest.registers["mmusr"]) == (0, 0)  # a fetch fault leaves them (sheet 1.7)


@pytest.mark.parametrize(("bits", "before"), [(bits, before) for bits in (10, 12, 13) for before in (2, 4)])
def test_a_miss_of_an_extension_word(guest: Bench, bits: int, before: int) -> None:
    """A 6-byte instruction with its first one or two words on the last mapped page."""
    start = (1 << bits) - before
    guest.put(USER_PA + start, asm.alu_i("addi", 5, D1))
    code = Entry(0, tag(USER), image(USER_PA, bits, X))
    frame = guest.exception(enter_virtual_mode((code,)), go_to(USER + start, USER_SR))
    assert (frame.vector, frame.fs, frame.pc) == (ACCESS_ERROR, EXTENSION_MISS, USER + start)
    assert guest.registers["d1"] == 0
    assert guest.machine.counters().misses.itlb_user == 1


@pytest.mark.parametrize("bits", [10, 12, 13])
def test_a_page_that_ends_behind_the_instruction_is_not_missed(guest: Bench, bits: int) -> None:
    """Instruction faults are reported only when the word is needed (V2UM, sheet 3.5)."""
    start = (1 << bits) - 8
    guest.put(USER_PA + start, asm.alu_i("addi", 5, D1) + asm.trap(0))
    code = Entry(0, tag(USER), image(USER_PA, bits, X))
    frame = guest.exception(enter_virtual_mode((code,)), go_to(USER + start, USER_SR))
    assert (frame.vector, frame.pc) == (32, USER + (1 << bits))
    assert guest.registers["d1"] == 5
    assert guest.machine.counters().misses.itlb == 0


@pytest.mark.parametrize(("flags", "name"), [(0, "X=0"), (X | SP_BIT, "SP=1")])
def test_a_forbidden_fetch(guest: Bench, flags: int, name: str) -> None:
    guest.put(PAGE_PA, asm.trap(1))
    entry = Entry(5, tag(PAGE), image(PAGE_PA, 13, flags))
    frame = user(guest, asm.jmp(at(PAGE)), entries=(entry,))
    assert (frame.vector, frame.fs, frame.pc) == (ACCESS_ERROR, FETCH_ERROR, PAGE), name
    assert guest.machine.counters().violations == 1
    assert guest.machine.counters().misses.itlb == 0


def test_an_entry_of_another_asid_misses(guest: Bench) -> None:
    other = Entry(40, tag(PAGE, asid=3), image(PAGE_PA, 12, R | W))
    frame = user(guest, asm.move("l", at(PAGE), d(D1)), entries=(other,), asid=0)
    assert frame.fs == READ_MISS


# --- no memory, ACRs, CACR


@pytest.mark.parametrize(
    ("code", "fs"),
    [(asm.move("l", at(0x40000000), d(D1)), READ_ERROR), (asm.move("l", d(D1), at(0x40000000)), WRITE_ERROR)],
)
def test_a_bus_error_with_the_mmu_off(guest: Bench, code: bytes, fs: int) -> None:
    frame = guest.exception(asm.NOP, code)
    assert (frame.vector, frame.fs, frame.pc) == (ACCESS_ERROR, fs, CODE + 2)
    assert guest.machine.counters().bus_errors == 1


def test_a_fetch_from_no_memory(guest: Bench) -> None:
    frame = guest.exception(asm.jmp(at(0x40000000)))
    assert (frame.vector, frame.fs, frame.pc) == (ACCESS_ERROR, FETCH_ERROR, 0x40000000)


@pytest.mark.parametrize(
    ("code", "fs", "mmusr"),
    [
        (asm.move("l", d(D1), at(DATA)), WRITE_PROTECTED, WF),
        (asm.addq(1, at(DATA)), READ_PROTECTED, WF),
    ],
)
def test_a_write_protected_acr(guest: Bench, code: bytes, fs: int, mmusr: int) -> None:
    """Sheet 7 item 12. The stack stays writable through ACR0, which covers only its own megabyte."""
    stack = 0x00500000  # SSP in TLB-mapped memory, so that the ACR may forbid writes to all of RAM
    entries = (Entry(33, tag(stack), image(PAGE_PA, 13, R | W | LK)),)
    guest.put(CODE + 0x800, asm.set_control(asm.ACR0, KERNEL_ACR | 0x4) + asm.lea(at(stack + 0x100), SP) + code)
    guest.run(enter_virtual_mode(entries), asm.jmp(at(CODE + 0x800)))
    head = guest.long(PAGE_PA + 0x100 - 8)
    assert head >> 18 & 0xFF == ACCESS_ERROR
    assert (head >> 24 & 0xC | head >> 16 & 3) == fs
    assert guest.registers["mmuar"] == DATA
    assert guest.registers["mmusr"] & (WF | RF | SPF) == mmusr


@pytest.mark.parametrize(
    ("code", "fs"),
    [
        (asm.move("l", at(DATA), d(D1)), READ_PROTECTED),
        (asm.move("l", d(D1), at(DATA)), WRITE_PROTECTED),
        (asm.jmp(at(DATA)), FETCH_ERROR),
    ],
)
def test_a_supervisor_protected_acr(guest: Bench, code: bytes, fs: int) -> None:
    both_modes_sp = KERNEL_ACR & ~0x6000 | 0x4000 | 0x8
    guest.put(CODE + 0x800, asm.set_control(asm.ACR0, both_modes_sp) + asm.set_control(asm.ACR2, both_modes_sp))
    guest.put(CODE + 0x800 + 20, go_to(USER, USER_SR))
    guest.put(USER_PA, code)
    frame = guest.exception(enter_virtual_mode((LOCKED_CODE,)), asm.jmp(at(CODE + 0x800)))
    assert (frame.vector, frame.fs) == (ACCESS_ERROR, fs)
    assert guest.machine.counters().violations == 1


def test_cacr_write_protects_memory_while_the_mmu_is_off(guest: Bench) -> None:
    """DW, CACR bit 30: the only access error there is without an MMU (548xRM 3-40). ACR0 keeps the stack writable."""
    code = asm.set_control(asm.ACR0, 0xC0008000 | 0x2000 | 0x400) + asm.set_control(asm.CACR, 0x40000000)
    frame = guest.exception(code, asm.moveq(0, D1), asm.move("l", d(D1), at(FRAMES)))
    assert (frame.vector, frame.fs, frame.pc) == (ACCESS_ERROR, WRITE_PROTECTED, CODE + len(code) + 2)


STACK_ACR = RAM | 0x00300000 | ONE_MEGABYTE | 0xA000  # ACR0 for the last megabyte of RAM, which stays writable
STACK_THERE = RAM + 0x308000


def write_protect(with_mmu: bool) -> bytes:
    """Guest code: all of RAM is write-protected, its code included, but for a megabyte that the stack moves to."""
    code = asm.lea(at(STACK_THERE), SP)
    if with_mmu:
        return code + enter_virtual_mode(acr0=STACK_ACR, acr1=KERNEL_ACR | 0x4)
    return code + asm.set_control(asm.ACR0, STACK_ACR) + asm.set_control(asm.CACR, 0x40000000)


READ_MODIFY_WRITE = {
    "addq": asm.addq(1, ind(A0)),
    "add": asm.alu_to("add", D1, ind(A0)),
    "tas": asm.tas(ind(A0)),
    "bset": asm.bit("bset", 0, ind(A0)),
}


@pytest.mark.parametrize("with_mmu", [True, False], ids=["ACR", "CACR"])
@pytest.mark.parametrize("name", READ_MODIFY_WRITE)
def test_a_read_modify_write_of_the_write_protected_page_that_runs_is_refused_at_its_read(
    guest: Bench, name: str, with_mmu: bool
) -> None:
    """Sheet 1.11, 7 item 12: CCR is what it was."""
    code = write_protect(with_mmu) + asm.lea(at(CODE + 0x400), A0) + asm.move_to_ccr(imm(0x1B, "w"))
    guest.put(CODE + 0x400, asm.long(MARK))
    frame = guest.exception(code, READ_MODIFY_WRITE[name])
    assert (frame.vector, frame.fs, frame.pc) == (ACCESS_ERROR, READ_PROTECTED, CODE + len(code))
    assert frame.sr == SUPERVISOR_SR | 0x1B
    assert (guest.registers["mmuar"], guest.registers["mmusr"]) == (CODE + 0x400, WF)
    assert guest.long(CODE + 0x400) == MARK


@pytest.mark.parametrize("with_mmu", [True, False], ids=["MMU on", "MMU off"])
@pytest.mark.parametrize(
    ("store", "updated"),
    [
        (asm.clr("b", ind(A0)), 0x14),
        (asm.clr("w", post(A0)), 0x14),
        (asm.clr("l", pre(A0)), 0x14),
        (asm.mov3q(-1, ind(A0)), 0x18),
        (asm.mov3q(3, disp(A0, 8)), 0x10),
        (asm.move("l", d(D1), ind(A0)), 0x1F),
    ],
    ids=["clr.b", "clr.w", "clr.l", "mov3q #-1", "mov3q #3", "move"],
)
def test_clr_and_mov3q_update_ccr_though_their_store_is_refused_if_the_mmu_is_off(
    guest: Bench, store: bytes, updated: int, with_mmu: bool
) -> None:
    """548xRM 3-40; with the MMU on the instruction has changed nothing (sheet 7 item 23)."""
    code = write_protect(with_mmu) + asm.lea(at(FRAMES), A0) + asm.moveq(-1, D1) + asm.move_to_ccr(imm(0x1F, "w"))
    frame = guest.exception(code, store)
    assert (frame.vector, frame.fs, frame.pc) == (ACCESS_ERROR, WRITE_PROTECTED, CODE + len(code))
    assert frame.sr == SUPERVISOR_SR | (0x1F if with_mmu else updated)
    assert guest.registers["a0"] == FRAMES


@pytest.mark.parametrize(
    ("before", "flags"),
    [
        (asm.alu("add", d(D1), D1), 0x17),
        (asm.alu("cmp", d(D1), D2), 0x1B),
        (asm.tst("l", d(D1)), 0x18),
        (asm.tst("b", d(D1)), 0x14),
    ],
    ids=["add", "cmp", "tst.l", "tst.b"],
)
def test_mov3q_that_is_refused_keeps_the_flags_of_the_instruction_before(
    guest: Bench, before: bytes, flags: int
) -> None:
    """They are not computed when they are set, but when they are looked at."""
    values = asm.move("l", imm(0x80000000), d(D1)) + asm.moveq(1, D2) + asm.move_to_ccr(imm(0x1F, "w"))
    frame = user(guest, asm.lea(at(PAGE), A0), values, before, asm.mov3q(5, ind(A0)), entries=(page(R),))
    assert (frame.fs, frame.sr) == (WRITE_PROTECTED, USER_SR | flags)


def test_the_user_does_not_see_the_register_window(guest: Bench) -> None:
    frame = user(guest, asm.move("l", at(MMUOR), d(D1)))  # sheet 7 item 14: falls through to the TLB
    assert frame.fs == READ_MISS
    assert guest.registers["mmuar"] == MMUOR


# --- misaligned operands


@pytest.mark.parametrize("bits", [10, 12, 13])
@pytest.mark.parametrize(("size", "before"), [("w", 1), ("l", 1), ("l", 2), ("l", 3)])
@pytest.mark.parametrize("store", [False, True])
def test_the_second_part_of_an_operand_misses_on_its_own(
    guest: Bench, bits: int, size: str, before: int, store: bool
) -> None:
    end = PAGE + (1 << bits)
    access = asm.move(size, d(D1), ind(A0)) if store else asm.move(size, ind(A0), d(D1))
    frame = user(guest, asm.lea(at(end - before), A0), access, entries=(page(R | W, bits),))
    assert frame.fs == (WRITE_MISS if store else READ_MISS)
    assert guest.registers["mmuar"] == end  # sheet 7 item 6: the first byte in the missing page
    assert guest.machine.counters().misses.dtlb == 1


@pytest.mark.parametrize("first", [10, 12, 13])
@pytest.mark.parametrize("second", [10, 12])
@pytest.mark.parametrize("before", [1, 2, 3])
def test_an_operand_may_lie_on_two_pages_far_apart(guest: Bench, first: int, second: int, before: int) -> None:
    """The parts come from, and go to, frames that are no neighbours in physical memory."""
    end = PAGE + 0x2000
    entries = (
        Entry(40, tag(end - (1 << first)), image(PAGE_PA, first, R | W)),
        Entry(41, tag(end), image(PAGE_PA + 0x9C00 & -(1 << second), second, R | W)),
    )
    low, high = PAGE_PA + (1 << first), PAGE_PA + 0x9C00 & -(1 << second)
    guest.put(low - 4, bytes.fromhex("01020304"))
    guest.put(high, bytes.fromhex("11121314"))
    load = asm.lea(at(end - before), A0) + asm.move("l", ind(A0), d(D1))
    user(
        guest, load, asm.move("l", imm(0xA1A2A3A4), d(D2)), asm.move("l", d(D2), ind(A0)), asm.trap(0), entries=entries
    )
    both = bytes.fromhex("0102030411121314")
    assert guest.registers["d1"] == int.from_bytes(both[4 - before : 8 - before], "big")
    written = bytearray(both)
    written[4 - before : 8 - before] = bytes.fromhex("a1a2a3a4")
    assert guest.machine.read_physical(low - 4, 4) == written[:4]
    assert guest.machine.read_physical(high, 4) == written[4:]
    assert guest.machine.counters().misses.dtlb == 0


@pytest.mark.parametrize("offset", [0x801, 0x802, 0x803, 0x8FD, 0xBFC])
@pytest.mark.parametrize(
    "access",
    [
        asm.move("l", d(D1), ind(A0)),
        asm.move("w", d(D1), disp(A0, 1)),
        asm.movem_store(range(4), disp(A0, -8)),
        asm.addq(1, ind(A0)),
        asm.move("l", ind(A0), d(D1)),
    ],
    ids=["move.l", "move.w", "movem", "addq", "load"],
)
def test_an_access_inside_a_1kb_page_needs_no_other(guest: Bench, offset: int, access: bytes) -> None:
    """The other three 1-KB pages of the same 4 KB are not mapped; both neighbours in VA order are."""
    entries = tuple(
        Entry(number, tag(PAGE + at_), image(PAGE_PA + 0x1000 * number, 10, R | W))
        for number, at_ in ((40, 0x800), (41, 0x400), (42, 0xC00))
    )
    user(guest, asm.lea(at(PAGE + offset), A0), access, asm.trap(0), entries=entries)
    assert guest.machine.counters().misses.dtlb == 0
    assert guest.machine.counters().violations == 0
    assert guest.machine.counters().exceptions == {32: 1}


@pytest.mark.parametrize("before", [2, 4])
@pytest.mark.parametrize("bits", [10, 12])
def test_an_instruction_may_lie_on_two_pages_far_apart(guest: Bench, before: int, bits: int) -> None:
    start, code = (1 << bits) - before, asm.alu_i("addi", 0x01020304, D1) + asm.trap(0)
    far = USER_PA + 0x9400 & -(1 << bits)
    guest.put(USER_PA + start, code[:before])
    guest.put(far, code[before:])
    entries = (
        Entry(0, tag(USER), image(USER_PA, bits, X)),
        Entry(1, tag(USER + (1 << bits)), image(far, bits, X)),
    )
    frame = guest.exception(enter_virtual_mode(entries), go_to(USER + start, USER_SR))
    assert (frame.vector, frame.pc) == (32, USER + start + 8)
    assert guest.registers["d1"] == 0x01020304
    assert guest.machine.counters().misses.itlb == 0


# --- restart


REGISTERS = {"d0": 0x10, "d1": 0x21, "d2": 0x32, "d3": 0x43, "a0": PAGE + 0xFFC, "a1": NOWHERE, "a2": PAGE + 0x100}
FAULTING = {
    "read (An)+": asm.move("l", post(A1), d(D1)),
    "read -(An)": asm.move("l", pre(A1), d(D1)),
    "write (An)+": asm.move("l", d(D1), post(A1)),
    "write -(An)": asm.move("b", d(D1), pre(A1)),
    "memory to memory": asm.move("l", post(A2), post(A1)),
    "memory to memory, same register": asm.move("w", post(A2), pre(A1)),
    "movea": asm.move("l", ind(A1), asm.a(A1)),
    "movem with its base in the list": asm.movem_load(ind(A0), [D1, 8 + A0, 8 + A2]),
    "movem store": asm.movem_store([D0, D1, D2, D3], ind(A0)),
    "alu": asm.alu("add", post(A1), D1),
    "clr": asm.clr("l", pre(A1)),
    "mov3q": asm.mov3q(-1, post(A1)),
    "mvs": asm.mvs("w", post(A1), D1),
    "mvz": asm.mvz("b", post(A1), D1),
    "mul": asm.mul_l(True, post(A1), D1),
    "divs.l": asm.div_l(True, post(A1), D1),
    "divu.w": asm.div_w(False, post(A1), D1),
    "remu.l": asm.rem_l(False, pre(A1), D1, D2),
    "second page of a long": asm.move("l", disp(A0, 2), d(D1)),
    "tst": asm.tst("l", post(A1)),
    "cmp": asm.alu("cmp", pre(A1), D1),
}


@pytest.mark.parametrize("name", FAULTING)
def test_a_faulting_instruction_changes_no_register(guest: Bench, name: str) -> None:
    setup = b"".join(
        asm.move("l", imm(value), d(int(r[1])) if r[0] == "d" else asm.a(int(r[1]))) for r, value in REGISTERS.items()
    )
    setup += asm.move_to_ccr(imm(0x1F, "w"))
    frame = user(guest, setup, FAULTING[name], entries=(page(R | W),))
    assert (frame.vector, frame.pc) == (ACCESS_ERROR, USER + len(setup))
    assert frame.fs in (READ_MISS, WRITE_MISS)
    assert {r: guest.registers[r] for r in REGISTERS} == REGISTERS
    assert frame.sr == USER_SR | 0x1F


@pytest.mark.parametrize(
    "push",
    [asm.pea(ind(A0)), asm.link(6, -8), asm.jsr(at(USER)), asm.branch_w("sr", 8), asm.move("l", d(D0), pre(SP))],
    ids=["pea", "link", "jsr", "bsr", "move"],
)
def test_a_push_that_faults_leaves_the_user_stack(guest: Bench, push: bytes) -> None:
    setup = asm.lea(at(NOWHERE), SP) + asm.move("l", imm(0x77777777), asm.a(6))
    frame = user(guest, setup, push)
    assert (frame.fs, frame.pc, guest.registers["mmuar"]) == (WRITE_MISS, USER + len(setup), NOWHERE - 4)
    assert (guest.registers["usp"], guest.registers["a6"]) == (NOWHERE, 0x77777777)


@pytest.mark.parametrize("pop", [asm.RTS, asm.unlk(6), asm.move("l", post(SP), d(D1))], ids=["rts", "unlk", "move"])
def test_a_pop_that_faults_leaves_the_user_stack(guest: Bench, pop: bytes) -> None:
    setup = asm.lea(at(NOWHERE), SP) + asm.lea(at(NOWHERE), 6)
    frame = user(guest, setup, pop)
    assert (frame.fs, frame.pc, guest.registers["mmuar"]) == (READ_MISS, USER + len(setup), NOWHERE)
    assert (guest.registers["usp"], guest.registers["a6"]) == (NOWHERE, NOWHERE)


FLAGS = [
    (asm.bit("bset", 7, ind(A0)), 0x80, 0x00, 0x1B, 0x1F),
    (asm.bit("bset", 7, ind(A0)), 0x80, 0x80, 0x1B, 0x1B),
    (asm.bit("bclr", 0, ind(A0)), 0xFE, 0xFF, 0x0A, 0x0A),
    (asm.bit("bchg", 0, ind(A0)), 0x01, 0x00, 0x11, 0x15),
    (asm.tas(ind(A0)), 0x80, 0x00, 0x1F, 0x14),
    (asm.addq(1, ind(A0)), 0x00, 0x00, 0x1F, 0x00),
    (asm.alu_to("sub", D1, ind(A0)), 0xFE, 0x00, 0x00, 0x19),
    (asm.alu_to("eor", D1, ind(A0)), 0x01, 0x00, 0x1F, 0x10),
    (asm.mov3q(-1, ind(A0)), 0xFF, 0x00, 0x17, 0x18),
    (asm.clr("b", ind(A0)), 0x00, 0x55, 0x1B, 0x14),
    (asm.move("w", d(D1), ind(A0)), 0x01, 0x55, 0x1F, 0x10),
]


@pytest.mark.parametrize(("code", "stored", "before", "ccr", "after"), FLAGS)
def test_a_write_fault_restarts_with_the_right_flags(
    guest: Bench, code: bytes, stored: int, before: int, ccr: int, after: int
) -> None:
    """W=0, then the handler allows the write and returns. Condition codes: CFPRM, each instruction's page."""
    fix = page(R | W)
    repair = asm.move("l", ind(SP), d(D2)) + b"".join(
        store_long(value, address, D3)
        for address, value in ((0xFE000010, fix.number), (0xFE000014, fix.tag), (0xFE000018, fix.data), (MMUOR, 0xA))
    )
    guest.handler(ACCESS_ERROR, repair + asm.RTE)
    guest.put(PAGE_PA, bytes([before]) * 4)
    setup = asm.move("l", imm(0x01010101), d(D1)) + asm.lea(at(PAGE), A0) + asm.move_to_ccr(imm(ccr, "w"))
    user(guest, setup, code, asm.move_from_ccr(D0), asm.trap(0), entries=(page(R),))
    assert guest.registers["d2"] & 0x1F == ccr  # as the frame has it: the fault came before any change
    assert guest.machine.read_physical(PAGE_PA, 1)[0] == stored
    assert guest.registers["d0"] & 0x1F == after
    assert guest.machine.counters().violations == 1


def test_a_miss_costs_one_exception_and_retires_nothing(guest: Bench) -> None:
    before = enter_virtual_mode((LOCKED_CODE,), cacr=EUSP) + go_to(USER, USER_SR)
    guest.put(USER_PA, asm.moveq(1, D1) + asm.move("l", at(NOWHERE), d(D2)))
    guest.start(before)
    guest.machine.run(max_instructions=10_000, stop_at=(USER,))
    start = guest.machine.counters()
    guest.machine.run(max_instructions=10_000, stop_at=(stub(ACCESS_ERROR),))
    spent = guest.machine.counters() - start
    assert (spent.instructions, spent.cycles) == (1, 1 + 18)
    assert guest.registers["a7"] == STACK - 8


@pytest.mark.parametrize("bits", [10, 12, 13])
@pytest.mark.parametrize("engine", ENGINES)
def test_an_instruction_whose_second_page_misses_has_used_its_first(engine: str, bits: int) -> None:
    """A jump to the last word of a page: its entry is the most recent one when the rest of the instruction misses."""
    size = 1 << bits
    last = PAGE + size - 2
    entries = (
        Entry(1, tag(PAGE), image(PAGE_PA, bits, X)),
        Entry(0, tag(USER), image(USER_PA, bits, X)),
    )
    with bench(engine, policy=LRU) as guest:
        guest.put(USER_PA, asm.jmp(at(last)))
        guest.put(PAGE_PA + size - 2, asm.lea(disp(A0, 4), A0)[:2])
        frame = guest.exception(enter_virtual_mode(entries), go_to(USER, USER_SR))
        assert (frame.fs, frame.pc) == (EXTENSION_MISS, last)
        stamp = guest.machine.core.state["mmu"]["stamp"]
        assert stamp[ITLB, 1] > stamp[ITLB, 0]
