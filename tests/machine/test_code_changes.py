"""Code that changes, by whatever address it is written, and code whose mapping goes away while it runs."""

import pytest

from emu.timing.state import LEVELS
from tests.support import asm
from tests.support.asm import A0, A1, A3, D0, D1, D2, D3, SP, at, d, imm, ind
from tests.support.guest import (
    ACC,
    ADR,
    CA,
    CNL,
    CODE,
    DATA,
    ENGINES,
    FRAMES,
    ITLB,
    KERNEL_ACR,
    LK,
    MMUCR,
    MMUOR,
    MMUTR,
    ONE_MEGABYTE,
    RAM,
    STACK,
    SUPERVISOR_SR,
    Bench,
    Entry,
    R,
    W,
    X,
    bench,
    enter_virtual_mode,
    go_to,
    image,
    load_entry,
    store_long,
    tag,
)

PAGED = 0x00400000  # VA of the code under test
ALIAS = 0x00700000  # a second VA of the same frame, for data
FETCH_MISS, EXTENSION_MISS = 5, 6
ITLB_ENTRY, DTLB_ENTRY = 3, 40


def paged(bits: int = 13, flags: int = X) -> tuple[Entry, Entry]:
    """Code at PAGED, and its frame again at ALIAS for data."""
    return (
        Entry(ITLB_ENTRY, tag(PAGED), image(FRAMES, bits, flags)),
        Entry(DTLB_ENTRY, tag(ALIAS), image(FRAMES, bits, R | W)),
    )


def test_a_store_through_another_va_changes_code_that_has_run(guest: Bench) -> None:
    """A loop whose MOVEQ counts up because each round patches it: 1 + 2 + ... + 5."""
    loop = asm.moveq(1, D0) + asm.alu("add", d(D0), D1) + asm.addq(1, d(D2)) + asm.move("b", d(D2), ind(A0))
    code = asm.lea(at(ALIAS + 6 + 4 + 1), A0) + asm.moveq(1, D2) + asm.moveq(5, D3) + loop
    guest.put(FRAMES, code + asm.subq(1, d(D3)) + asm.branch_b("ne", -len(loop) - 4) + asm.trap(0))
    guest.exception(enter_virtual_mode(paged()), go_to(PAGED, SUPERVISOR_SR))
    assert guest.registers["d1"] == 15


@pytest.mark.parametrize("distance", range(1, 5))
def test_a_store_to_code_just_ahead_is_seen(guest: Bench, distance: int) -> None:
    """As on a machine that runs one instruction after the other; the MMU is off."""
    target = CODE + 6 + 6 + 2 + 2 * (distance - 1)
    code = asm.lea(at(target), A0) + asm.move("l", imm(0x7007), d(D1)) + asm.move("w", d(D1), ind(A0))
    guest.run(code, (distance - 1) * asm.TPF, asm.moveq(1, D0), asm.HALT)
    assert guest.registers["d0"] == 7


def test_a_store_far_from_the_code_of_its_page_changes_nothing(guest: Bench) -> None:
    loop = asm.addq(1, ind(A0)) + asm.subq(1, d(D0))
    guest.run(asm.lea(at(CODE + 0x400), A0), asm.moveq(100, D0), loop, asm.branch_b("ne", -6), asm.HALT)
    assert guest.long(CODE + 0x400) == 100
    assert guest.machine.counters().instructions == 2 + 300 + 1


def test_a_host_write_changes_code_that_has_run(guest: Bench) -> None:
    guest.start(asm.moveq(1, D0) + asm.branch_b("ra", -4))
    guest.machine.run(max_instructions=100)
    assert guest.machine.host_writes == 0
    guest.put(CODE, asm.moveq(2, D1) + asm.HALT)
    guest.resume()
    assert (guest.registers["d0"], guest.registers["d1"]) == (1, 2)
    assert guest.machine.host_writes == 1


def test_an_exception_frame_may_overwrite_code(guest: Bench) -> None:
    """Stacking goes beside unicorn, and must still be seen by its translations."""
    code = asm.lea(at(CODE + 0x108), asm.SP) + asm.jmp(at(CODE + 0x100))
    guest.put(CODE + 0x100, asm.moveq(1, D0) + asm.moveq(2, D0) + asm.moveq(3, D0) + asm.trap(0))
    guest.handler(32, asm.jmp(at(CODE + 0x100)))
    # The frame 0x400C2700, PC is code: ANDI-like garbage at 0x4080... is refused as an illegal instruction or runs on;
    # what counts is that the old MOVEQs are gone.
    guest.start(code)
    guest.machine.run(max_instructions=8)
    assert guest.long(CODE + 0x100) >> 28 == 4
    assert guest.registers["pc"] != CODE + 0x106


def test_one_entry_replaced_by_another_frame_runs_the_other_code(guest: Bench) -> None:
    second = FRAMES + 0x4000
    guest.put(FRAMES, asm.moveq(1, D1) + asm.RTS)
    guest.put(second, asm.moveq(2, D1) + asm.RTS)
    other = Entry(ITLB_ENTRY, tag(PAGED), image(second, 13, X))
    load = b"".join(
        store_long(v, a) for a, v in ((0xFE000010, ITLB_ENTRY), (MMUTR, other.tag), (0xFE000018, other.data))
    )
    call = asm.jsr(at(PAGED))
    body = call + asm.move("l", d(D1), d(D2)) + load + store_long(ADR | ACC | ITLB, MMUOR) + call + asm.HALT
    guest.put(CODE + 0x800, body)
    guest.run(enter_virtual_mode(paged()), asm.jmp(at(CODE + 0x800)))
    assert (guest.registers["d2"], guest.registers["d1"]) == (1, 2)


@pytest.mark.parametrize("word", [0x80C1, 0xA180, 0x7181, 0xA740], ids=["divu.w", "move.l acc0", "mvz.b", "mov3q"])
@pytest.mark.parametrize("before", [0, 2, 4])
@pytest.mark.parametrize("first", ["operand", "instruction"])
def test_a_word_may_be_an_operand_and_an_instruction(guest: Bench, word: int, before: int, first: str) -> None:
    """MOVE.L #x,D3, across two pages or not; its last word is jumped to."""
    start = FRAMES + 0x1000 - before
    guest.put(start, asm.words(0x263C, 0x1234, word) + asm.RTS)
    operand = asm.jsr(at(start)) + asm.move("l", d(D3), d(D2)) + asm.moveq(0, D3)
    instruction = asm.moveq(100, D0) + asm.moveq(7, D1) + asm.jsr(at(start + 4))
    order = operand + instruction if first == "operand" else instruction + operand
    guest.run(order, asm.jsr(at(start)), asm.HALT)
    assert (guest.registers["d2"], guest.registers["d3"]) == (0x12340000 | word, 0x12340000 | word)
    assert guest.machine.counters().exceptions == {}


NOPS, ADDS = 0x4E714E71, 0x52865286  # two words: NOP, ADDQ.L #1,D6


@pytest.mark.parametrize("timing", LEVELS)
@pytest.mark.parametrize("bits", [10, 12])
def test_changed_code_costs_what_it_is_now(bits: int, timing: str) -> None:
    """Six cycles for a NOP, one for an ADDQ; the page runs from the ITLB and is written through the DTLB."""
    code = Entry(ITLB_ENTRY, tag(PAGED), image(FRAMES, bits, X))
    data = Entry(DTLB_ENTRY, tag(ALIAS), image(FRAMES, bits, R | W))
    call = asm.jsr(at(PAGED))
    change = asm.move("l", imm(ADDS), d(D1)) + asm.move("l", d(D1), at(ALIAS)) + asm.move("l", d(D1), at(ALIAS + 4))
    check_costs(timing, enter_virtual_mode((code, data)), call + change + call)


@pytest.mark.parametrize("timing", LEVELS)
def test_changed_code_in_core_sram_costs_what_it_is_now(timing: str) -> None:
    """It is written while it is data memory and runs while it is instruction memory."""
    sram = 0x61000000

    def fill(value: int) -> bytes:
        stores = store_long(value, sram) + store_long(value, sram + 4) + store_long(0x4E754E75, sram + 8)
        return asm.set_control(asm.RAMBAR0, sram | 1) + stores + asm.set_control(asm.RAMBAR0, sram | 0x81)

    call = asm.jsr(at(sram))
    check_costs(timing, enter_virtual_mode(), fill(NOPS) + call + fill(ADDS) + call)


def check_costs(timing: str, setup: bytes, code: bytes) -> None:
    """Four NOPs have run in ``code``, then four ADDQ where they were: all engines count the same."""
    seen = []
    for engine in ENGINES:
        with bench(engine, timing=timing) as guest:
            guest.put(FRAMES, asm.long(NOPS) * 2 + asm.RTS)
            guest.run(setup, asm.moveq(0, 6), code, asm.HALT)
            assert guest.registers["d6"] == 4
            seen.append(guest.machine.counters())
    assert seen[0] == seen[1] == seen[2]


# --- the page that runs is taken away (unicorn-notes 4)


EVICTIONS = {
    "clear non-locked": store_long(CNL, MMUOR),
    "clear all": store_long(CA, MMUOR),
    "overwritten": store_long(tag(0x00F00000), MMUTR) + store_long(ADR | ACC | ITLB, MMUOR),
}


@pytest.mark.parametrize("bits", [10, 12, 13, 20])
@pytest.mark.parametrize("how", EVICTIONS)
def test_nothing_runs_behind_the_store_that_evicts_its_own_page(guest: Bench, how: str, bits: int) -> None:
    code = store_long(ITLB_ENTRY, 0xFE000010) + EVICTIONS[how]
    guest.put(FRAMES, asm.moveq(0, D1) + code + asm.moveq(1, D1) + asm.moveq(2, D1) + asm.trap(0))
    frame = guest.exception(enter_virtual_mode(paged(bits)), go_to(PAGED, SUPERVISOR_SR))
    assert (frame.vector, frame.fs, frame.pc) == (2, FETCH_MISS, PAGED + 2 + len(code))
    assert guest.registers["d1"] == 0
    assert guest.machine.counters().misses.itlb_kernel == 1


def test_a_locked_page_survives_clear_non_locked_but_not_clear_all(guest: Bench) -> None:
    guest.put(FRAMES, store_long(CNL, MMUOR) + asm.moveq(1, D1) + store_long(CA, MMUOR) + asm.moveq(2, D1))
    frame = guest.exception(enter_virtual_mode(paged(13, X | LK)), go_to(PAGED, SUPERVISOR_SR))
    assert (frame.fs, guest.registers["d1"]) == (FETCH_MISS, 1)


def test_an_evicting_instruction_may_cross_into_the_next_page(guest: Bench) -> None:
    """MOVE.L D0,MMUOR is six bytes: its last words lie on a page of their own, and both pages go away."""
    store = asm.move("l", d(D0), at(MMUOR))
    start = 0x2000 - 4
    guest.put(FRAMES + start, store + asm.moveq(1, D1))
    second = Entry(4, tag(PAGED + 0x2000), image(FRAMES + 0x2000, 13, X))
    setup = asm.moveq(0, D1) + asm.move("l", imm(CNL), d(D0)) + asm.jmp(at(PAGED + start))
    guest.put(CODE + 0x800, setup)
    frame = guest.exception(enter_virtual_mode((*paged(), second)), asm.jmp(at(CODE + 0x800)))
    assert (frame.fs, frame.pc) == (FETCH_MISS, PAGED + 0x2002)
    assert guest.registers["d1"] == 0


def test_switching_the_mmu_on_takes_effect_at_the_next_fetch(guest: Bench) -> None:
    """Without ACR2 for it, the megabyte that runs is mapped only while addresses are physical (sheet 7 item 21)."""
    far = RAM + 0x200000
    code = enter_virtual_mode(mmucr=0) + asm.set_control(asm.ACR2, KERNEL_ACR | ONE_MEGABYTE)
    code += asm.moveq(1, D0) + asm.move("l", d(D0), at(MMUCR))
    guest.put(far, code + asm.moveq(9, D0))
    frame = guest.exception(asm.jmp(at(far)))
    assert (frame.fs, frame.pc, guest.registers["d0"]) == (FETCH_MISS, far + len(code), 1)


def test_an_asid_switch_takes_private_code_away(guest: Bench) -> None:
    private = Entry(ITLB_ENTRY, tag(PAGED, asid=5), image(FRAMES, 13, X))
    code = asm.set_control(asm.ASID, 6)
    guest.put(FRAMES, code + asm.moveq(1, D1))
    frame = guest.exception(enter_virtual_mode((private,), asid=5), go_to(PAGED, SUPERVISOR_SR))
    assert (frame.fs, frame.pc) == (FETCH_MISS, PAGED + len(code))


def test_an_extension_word_can_be_evicted_alone(guest: Bench) -> None:
    second = Entry(4, tag(PAGED + 0x2000), image(FRAMES + 0x2000, 13, X))
    guest.put(FRAMES + 0x1FFC, asm.alu_i("addi", 1, D1) + asm.RTS)
    call = asm.jsr(at(PAGED + 0x1FFC))
    drop = b"".join(store_long(v, a) for a, v in ((0xFE000010, 4), (MMUTR, 0), (MMUOR, ADR | ACC | ITLB)))
    guest.put(CODE + 0x800, asm.moveq(0, D1) + call + drop + call)
    frame = guest.exception(enter_virtual_mode((*paged(), second)), asm.jmp(at(CODE + 0x800)))
    assert (frame.fs, frame.pc, guest.registers["d1"]) == (EXTENSION_MISS, PAGED + 0x1FFC, 1)


def test_data_and_code_of_one_page_keep_their_own_tlbs(guest: Bench) -> None:
    """A DTLB entry does not let code be fetched, nor an ITLB entry data be read (CF4UM 10-20)."""
    guest.put(FRAMES, asm.move("l", at(PAGED + 0x100), d(D1)) + asm.trap(0))
    frame = guest.exception(enter_virtual_mode(paged()), asm.lea(at(0), A1), go_to(PAGED, SUPERVISOR_SR))
    assert (frame.fs, frame.pc) == (14, PAGED)


def test_a_frame_may_be_pushed_onto_code_that_ran(guest: Bench) -> None:
    """An access error's SR and the upper half of its PC are MOVE.L D0,-(A3) and RTS; before, NOP stood there."""
    faulting, routine = 0x4E750000, STACK - 6
    guest.put(routine, asm.NOP + asm.RTS)
    guest.put(FRAMES, asm.tst("l", at(PAGED)))
    guest.handler(2, asm.jsr(at(routine)) + asm.HALT)
    visits = asm.lea(at(DATA + 8), A3) + asm.lea(at(STACK + 64), SP) + asm.jsr(at(routine)) * 2
    entries = (Entry(ITLB_ENTRY, tag(faulting), image(FRAMES, 13, X)),)
    guest.run(enter_virtual_mode(entries), visits, asm.lea(at(STACK), SP), asm.jmp(at(faulting)))
    assert guest.long(STACK - 8) & 0xFFFF == SUPERVISOR_SR
    assert guest.registers["a3"] == DATA + 8 - 4


WHOLE = 0x50000000  # VA of the data page in the next test


@pytest.mark.parametrize(
    "code",
    [
        asm.move("l", ind(A1), ind(A0)),
        asm.move("l", asm.post(A1), ind(A0)) + asm.move("l", ind(A1), d(D3)),
        asm.moveq(1, D0)
        + asm.move("l", imm(CA), d(D1))
        + asm.moveq(0, D2)
        + asm.movem_store([D0, D1, D2], ind(asm.A3)),
        asm.move("l", imm(ACC | ITLB | 1), d(D0)) + asm.move("l", d(D0), ind(A0)) * 3,
    ],
    ids=["its source goes, too", "and the next one's", "a MOVEM over the registers", "three loads in a row"],
)
def test_a_store_that_takes_its_own_page_away_happens_once(code: bytes) -> None:
    """A store to MMUOR clears both TLBs, or loads ITLB entries, in the middle of the page that runs."""
    seen = []
    for engine in ENGINES:
        with bench(engine) as guest:
            entries = (Entry(0, tag(PAGED), image(FRAMES)), Entry(32, tag(WHOLE), image(FRAMES + 0x10000)))
            reload = b"".join(load_entry(entry) for entry in entries)
            guest.handler(2, asm.move("l", d(D0), at(DATA)) + reload + asm.move("l", at(DATA), d(D0)) + asm.RTE)
            guest.put(FRAMES, asm.NOP + code + asm.NOP + asm.moveq(3, D3) + asm.HALT)
            guest.put(FRAMES + 0x10000, asm.long(CA) * 8)
            registers = asm.lea(at(MMUOR), A0) + asm.lea(at(WHOLE), A1) + asm.lea(at(MMUCR), asm.A3)
            guest.run(enter_virtual_mode(entries), registers, asm.jmp(at(PAGED)))
            mmu = guest.machine.core.state["mmu"]
            state = [mmu[name].tolist() for name in ("tag", "data", "plru")]
            seen.append((guest.machine.counters(), dict(guest.registers), state))
    assert seen[0] == seen[1] == seen[2]
    assert seen[0][0].instructions < 200
