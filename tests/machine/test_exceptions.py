"""Exceptions other than access errors: vector, stacked PC, frame and SR (548xRM 3-37 to 3-41, sheet section 3)."""

import pytest

from emu.errors import DoubleFault, GuestError, UndefinedRegister, UnhandledException
from emu.machine import StopReason
from tests.support import asm
from tests.support.asm import D0, D1, D2, at, d, imm, ind
from tests.support.guest import (
    CODE,
    DATA,
    ENGINES,
    EUSP,
    FRAMES,
    MMUAR,
    RAM,
    RAM_BYTES,
    STACK,
    SUPERVISOR_SR,
    USER_SR,
    VECTORS,
    Bench,
    Entry,
    bench,
    enter_virtual_mode,
    go_to,
    image,
    load_entry,
    read_frame,
    store_long,
    stub,
    tag,
)

ADDRESS_ERROR, ILLEGAL, ZERO_DIVIDE, PRIVILEGE, TRACE, LINE_A, LINE_F, FORMAT_ERROR, TRAP = (
    3,
    4,
    5,
    8,
    9,
    10,
    11,
    14,
    32,
)
S, T, M = 0x2000, 0x8000, 0x1000
X, N, Z, V, C = 16, 8, 4, 2, 1
USER_CODE = CODE + 0x800
FETCH_ERROR, READ_ERROR = 4, 12  # FS (548xRM 3-39)
NOWHERE = 0x20000000  # VA that no TLB entry maps


def test_trap_points_behind_itself_and_keeps_the_old_sr(guest: Bench) -> None:
    frame = guest.exception(asm.move_to_sr(imm(SUPERVISOR_SR | X | Z, "w")), asm.trap(5))
    assert (frame.vector, frame.fs, frame.pc, frame.sr) == (TRAP + 5, 0, CODE + 6, SUPERVISOR_SR | X | Z)
    assert guest.registers["sr"] == SUPERVISOR_SR | X | Z  # S set and T clear already; an exception leaves I alone


@pytest.mark.parametrize("skew", range(4))
def test_the_format_field_remembers_a_misaligned_stack(guest: Bench, skew: int) -> None:
    guest.handler(TRAP, asm.move("l", asm.a(asm.SP), d(D1)) + asm.RTE)
    guest.run(asm.lea(at(STACK - 64 + skew), asm.SP), asm.trap(0), asm.HALT)
    frame = read_frame(guest.machine, guest.registers["d1"])
    assert (frame.address, frame.form) == (STACK - 64 - 8, 4 + skew)  # CF4UM 7-5: A7-8, -9, -10, -11
    assert guest.registers["a7"] == STACK - 64 + skew


@pytest.mark.parametrize(
    "op",
    [
        asm.ILLEGAL,
        asm.words(0xB0C0),  # CMPA.W: sheet 7 item 33
        asm.words(0xD001),  # ADD.B D1,D0
        asm.words(0x51C8, 0),  # DBF D0
        asm.words(0xC140),  # EXG D0,D0
        asm.words(0x4808, 0, 0),  # LINK.L
        asm.words(0x4180),  # CHK.W D0,D0
        asm.words(0x4E70),  # RESET
        asm.words(0x4E74, 0),  # RTD
        asm.words(0x48E0, 1),  # MOVEM.L D7,-(A0)
        asm.words(0x4CD8, 1),  # MOVEM.L (A0)+,D0
        asm.words(0x50D0),  # ST (A0)
        asm.words(0xE318),  # ROL.B #1,D0
    ],
    ids=lambda code: code[:2].hex(),
)
def test_what_coldfire_does_not_have_is_an_illegal_instruction(guest: Bench, op: bytes) -> None:
    frame = guest.exception(asm.NOP, op)
    assert (frame.vector, frame.fs, frame.pc) == (ILLEGAL, 0, CODE + 2)


@pytest.mark.parametrize(("op", "vector"), [(0xA17C, LINE_A), (0xA17D, LINE_A), (0xF000, LINE_F), (0xFE00, LINE_F)])
def test_unused_lines_have_vectors_of_their_own(guest: Bench, op: int, vector: int) -> None:
    frame = guest.exception(asm.words(op, 0x4E71))
    assert (frame.vector, frame.pc) == (vector, CODE)


def test_an_fpu_instruction_is_line_f_while_the_fpu_is_disabled(guest: Bench) -> None:
    fnop = asm.words(0xF280, 0x0000)
    frame = guest.exception(fnop, asm.set_control(asm.CACR, 0x10), fnop)  # CACR[DF], 548xRM 3-41
    assert (frame.vector, frame.pc) == (LINE_F, CODE + 4 + 10)


def test_the_host_disables_the_fpu_as_movec_does(guest: Bench) -> None:
    fnop = asm.words(0xF280, 0x0000)
    guest.registers["cacr"] = 0x10
    assert guest.exception(fnop).vector == LINE_F
    guest.registers["cacr"] = 0
    assert guest.run(fnop, asm.HALT).pc == CODE + 6


NOT_THERE = 0x48E0  # bits 14, 11 and 7 to 5 of SR


@pytest.mark.parametrize("value", [imm(SUPERVISOR_SR | NOT_THERE | V, "w"), d(D2)], ids=["#x", "dn"])
@pytest.mark.parametrize("gap", [b"", asm.TPF, asm.branch_b("ra", 2) + asm.NOP])
def test_bits_of_sr_that_do_not_exist_read_0_after_a_move(guest: Bench, value: asm.Ea, gap: bytes) -> None:
    load = asm.moveq(0, D1) + asm.move("l", imm(SUPERVISOR_SR | NOT_THERE | V), d(D2))
    guest.run(load, asm.move_to_sr(value), gap, asm.move_from_sr(D1), asm.HALT)
    assert guest.registers["d1"] == guest.registers["sr"] == SUPERVISOR_SR | V


@pytest.mark.parametrize("follows", [asm.trap(0), asm.ILLEGAL, asm.move("l", at(0x40000000), d(D1))])
def test_bits_of_sr_that_do_not_exist_are_0_in_a_frame(guest: Bench, follows: bytes) -> None:
    frame = guest.exception(asm.move_to_sr(imm(SUPERVISOR_SR | NOT_THERE | X, "w")), follows)
    assert frame.sr == SUPERVISOR_SR | X


def test_bits_of_sr_that_do_not_exist_read_0_after_rte(guest: Bench) -> None:
    guest.put(USER_CODE, asm.moveq(0, D1) + asm.move_from_sr(D1) + asm.HALT)
    guest.run(go_to(USER_CODE, SUPERVISOR_SR | NOT_THERE))
    assert guest.registers["d1"] == SUPERVISOR_SR | Z


def test_bits_of_sr_that_do_not_exist_read_0_after_stop(guest: Bench) -> None:
    guest.run(asm.stop(SUPERVISOR_SR | NOT_THERE | C))
    assert guest.registers["sr"] == SUPERVISOR_SR | C


def test_bits_of_sr_that_do_not_exist_read_0_when_the_host_wrote_them(guest: Bench) -> None:
    guest.registers["sr"] = SUPERVISOR_SR | NOT_THERE | N
    guest.run(asm.move_from_sr(D1), asm.HALT)
    assert guest.registers["d1"] == SUPERVISOR_SR | N


PRIVILEGED = {
    "rte": asm.RTE,
    "stop": asm.stop(SUPERVISOR_SR),
    "halt": asm.HALT,
    "move to sr": asm.move_to_sr(imm(0, "w")),
    "move from sr": asm.move_from_sr(D0),
    "movec vbr": asm.movec(D0, asm.VBR),
    "movec mmubar": asm.movec(D0, asm.MMUBAR),
    "movec nothing": asm.movec(D0, 0x123),
    "move usp,a0": asm.move_from_usp(asm.A0),
    "move a0,usp": asm.move_to_usp(asm.A0),
    "cpushl": asm.words(0xF4E8),
    "intouch": asm.words(0xF428),
    "fsave": asm.fsave(ind(asm.A0)),
    "frestore": asm.frestore(ind(asm.A0)),
    "wdebug": asm.words(0xFBD0, 3),
}


@pytest.mark.parametrize("name", PRIVILEGED)
def test_user_mode_may_not(guest: Bench, name: str) -> None:
    guest.put(USER_CODE, asm.moveq(-1, D1) + PRIVILEGED[name])
    frame = guest.exception(asm.set_control(asm.CACR, EUSP), go_to(USER_CODE, USER_SR | C))
    assert (frame.vector, frame.fs, frame.pc, frame.sr) == (PRIVILEGE, 0, USER_CODE + 2, N)  # N: of the MOVEQ
    assert frame.address == STACK - 8
    assert guest.registers["sr"] & 0xFF00 == S


@pytest.mark.parametrize("move", [asm.move_from_usp(asm.A0), asm.move_to_usp(asm.A0)], ids=["from", "to"])
def test_user_mode_may_not_move_usp_without_eusp_either(guest: Bench, move: bytes) -> None:
    guest.put(USER_CODE, move)
    frame = guest.exception(go_to(USER_CODE, USER_SR))
    assert (frame.vector, frame.pc) == (PRIVILEGE, USER_CODE)


@pytest.mark.parametrize(
    "divide",
    [
        asm.div_w(False, d(D1), D0),
        asm.div_w(True, d(D1), D0),
        asm.div_l(False, d(D1), D0),
        asm.div_l(True, d(D1), D0),
        asm.rem_l(False, d(D1), D0, D2),
        asm.rem_l(True, d(D1), D0, D2),
        asm.div_w(False, imm(0, "w"), D0),
    ],
    ids=["divu.w", "divs.w", "divu.l", "divs.l", "remu.l", "rems.l", "divu.w #0"],
)
def test_division_by_zero_points_at_the_division(guest: Bench, divide: bytes) -> None:
    frame = guest.exception(asm.moveq(77, D0), asm.moveq(0, D1), asm.moveq(5, D2), divide)
    assert (frame.vector, frame.pc) == (ZERO_DIVIDE, CODE + 6)
    assert guest.data_registers()[:3] == [77, 0, 5]


@pytest.mark.parametrize("form", [0, 3, 8, 15])
def test_rte_refuses_a_bad_format_and_leaves_the_frame(guest: Bench, form: int) -> None:
    head = form << 28 | SUPERVISOR_SR
    code = asm.lea(at(STACK - 8), asm.SP) + store_long(head, STACK - 8) + store_long(CODE, STACK - 4)
    frame = guest.exception(code, asm.RTE)
    assert (frame.vector, frame.pc, frame.address) == (FORMAT_ERROR, CODE + len(code), STACK - 16)
    assert guest.long(STACK - 8) == head


@pytest.mark.parametrize("skew", range(4))
def test_rte_undoes_the_alignment(guest: Bench, skew: int) -> None:
    code = asm.lea(at(STACK - 8), asm.SP) + store_long((4 + skew) << 28 | SUPERVISOR_SR | V, STACK - 8)
    guest.put(USER_CODE, asm.move_from_sr(D1) + asm.HALT)
    guest.run(code, store_long(USER_CODE, STACK - 4), asm.RTE)
    assert guest.registers["a7"] == STACK + skew
    assert guest.registers["d1"] & 0xFFFF == SUPERVISOR_SR | V


# --- odd targets (548xRM 3-40)


@pytest.mark.parametrize(
    ("name", "jump"),
    [("jmp", asm.jmp(ind(asm.A0))), ("jmp abs", asm.jmp(at(CODE + 0x101))), ("bra", asm.branch_w("ra", 0x101))],
)
def test_a_jump_to_an_odd_address_does_not_retire(guest: Bench, name: str, jump: bytes) -> None:
    frame = guest.exception(asm.lea(at(CODE + 0x101), asm.A0), asm.moveq(0, D0), jump)
    assert (frame.vector, frame.fs, frame.pc) == (ADDRESS_ERROR, FETCH_ERROR, CODE + 8), name
    assert frame.sr == SUPERVISOR_SR | Z
    assert guest.machine.counters().instructions == 2 + 1  # LEA, MOVEQ and the HALT of the handler


def test_jsr_to_an_odd_address_has_pushed_its_return_address(guest: Bench) -> None:
    frame = guest.exception(asm.lea(at(CODE + 0x101), asm.A0), asm.jsr(ind(asm.A0)))
    assert (frame.vector, frame.pc, frame.address) == (ADDRESS_ERROR, CODE + 6, STACK - 4 - 8)
    assert guest.long(STACK - 4) == CODE + 8


def test_rts_to_an_odd_address_leaves_it_on_the_stack(guest: Bench) -> None:
    frame = guest.exception(asm.pea(at(CODE + 0x101)), asm.RTS)
    assert (frame.vector, frame.pc, frame.address) == (ADDRESS_ERROR, CODE + 6, STACK - 4 - 8)
    assert guest.long(STACK - 4) == CODE + 0x101


def test_an_untaken_branch_to_an_odd_address_is_none(guest: Bench) -> None:
    guest.run(asm.moveq(0, D0), asm.branch_w("ne", 0x101), asm.HALT)
    assert guest.machine.counters().exceptions == {}


@pytest.mark.parametrize(
    ("jump", "address"),
    [
        (asm.lea(at(NOWHERE + 1), asm.A0) + asm.jmp(ind(asm.A0)), STACK - 8),
        (asm.pea(at(NOWHERE + 1)) + asm.RTS, STACK - 12),
    ],
    ids=["jmp", "rts"],
)
def test_an_odd_target_is_refused_before_it_is_translated(guest: Bench, jump: bytes, address: int) -> None:
    setup = enter_virtual_mode()
    frame = guest.exception(setup, jump)
    assert (frame.vector, frame.pc, frame.address) == (ADDRESS_ERROR, CODE + len(setup) + 6, address)
    assert guest.machine.counters().misses.itlb == 0


def test_an_odd_target_on_a_small_page_is_no_use_of_it() -> None:
    """Entry 3 was used before entry 7, and a refused jump to its 1-KB page leaves it so."""
    trees = []
    for engine in ENGINES:
        with bench(engine) as guest:
            guest.put(FRAMES, asm.RTS)
            entries = [Entry(n, tag(NOWHERE + 0x400 * n), image(FRAMES, 10)) for n in (3, 7)]
            visits = b"".join(asm.jsr(at(NOWHERE + 0x400 * n)) for n in (3, 7))
            frame = guest.exception(enter_virtual_mode(entries), visits, asm.jmp(at(NOWHERE + 0x400 * 3 + 1)))
            assert frame.vector == ADDRESS_ERROR
            after = guest.machine.core.state["mmu"]["plru"].tolist()
            guest.run(enter_virtual_mode(entries), visits, asm.HALT)
            assert guest.machine.core.state["mmu"]["plru"].tolist() == after
            trees.append(after)
    assert trees[0] == trees[1] == trees[2]


def test_an_interrupt_never_comes_between_a_jump_and_its_odd_target(guest: Bench) -> None:
    code = asm.move_to_sr(imm(S, "w")) + 3 * asm.TPF + asm.jmp(at(CODE + 0x101))
    jump = CODE + len(code) - 6
    guest.handler(ADDRESS_ERROR, asm.move("l", asm.disp(asm.SP, 4), d(D0)) + asm.move_to_sr(imm(S, "w")) + 8 * asm.TPF)
    guest.handler(100, asm.move("l", asm.disp(asm.SP, 4), d(D1)) + asm.HALT)
    guest.start(code)
    ready = guest.machine.snapshot()
    for cycle in range(1, 50):
        guest.machine.restore(ready)
        guest.machine.schedule_interrupt(3, 100, cycle)
        guest.resume()
        assert not guest.registers["d1"] & 1
        assert guest.registers["d1"] <= jump or guest.registers["d0"] == jump


def test_a_run_ends_in_front_of_a_jump_to_an_odd_address_or_behind_its_exception(guest: Bench) -> None:
    guest.start(asm.moveq(0, D0) + asm.jmp(at(CODE + 0x101)))
    guest.machine.run(max_instructions=1)
    assert guest.registers["pc"] == CODE + 2
    guest.machine.run(max_instructions=1)  # the HALT of the handler
    assert guest.registers["pc"] == stub(ADDRESS_ERROR) + len(asm.HALT)


def test_jsr_to_an_odd_address_may_push_onto_code_that_ran(guest: Bench) -> None:
    guest.put(DATA, asm.RTS + asm.ILLEGAL)
    code = asm.jsr(at(DATA)) + asm.lea(at(DATA + 4), asm.SP) + asm.jsr(at(CODE + 0x101))
    frame = guest.exception(code)
    assert (frame.vector, frame.pc, frame.address) == (ADDRESS_ERROR, CODE + 12, DATA - 8)
    assert guest.long(DATA) == CODE + 18
    assert guest.machine.counters().instructions == 3 + 1


def test_rte_to_an_odd_address_leaves_the_frame(guest: Bench) -> None:
    """As it does for a bad format (limits, item 35)."""
    code = go_to(USER_CODE + 1, USER_SR)
    frame = guest.exception(code)
    assert (frame.vector, frame.fs, frame.pc) == (ADDRESS_ERROR, FETCH_ERROR, CODE + len(code) - 2)
    assert (frame.address, frame.sr & 0xFF00) == (STACK - 16, SUPERVISOR_SR)
    assert (guest.long(STACK - 8), guest.long(STACK - 4)) == (0x40000000 | USER_SR, USER_CODE + 1)


# --- a frame on two pages

PAGES = (Entry(40, tag(NOWHERE), image(FRAMES)), Entry(41, tag(NOWHERE + 0x2000), image(FRAMES + 0x8000)))


@pytest.mark.parametrize("room", range(1, 8))
@pytest.mark.parametrize("mapped", [1, 2])
def test_rte_pops_a_frame_from_two_pages(guest: Bench, room: int, mapped: int) -> None:
    """``room`` bytes of the frame are on the first page; what follows that page physically is not the rest of it."""
    frame = asm.long(0x50000000 | SUPERVISOR_SR | V) + asm.long(USER_CODE)
    guest.put(FRAMES + 0x2000 - room, frame[:room] + b"\x7f" * 8)
    guest.put(FRAMES + 0x8000, frame[room:])
    guest.put(USER_CODE, asm.move_from_sr(D1) + asm.HALT)
    guest.handler(2, asm.move("l", at(MMUAR), d(D2)) + load_entry(PAGES[1]) + asm.RTE)
    stack = NOWHERE + 0x2000 - room
    guest.run(enter_virtual_mode(PAGES[:mapped]), asm.moveq(0, D2), asm.lea(at(stack), asm.SP), asm.RTE)
    assert (guest.registers["d1"] & 0xFFFF, guest.registers["a7"]) == (SUPERVISOR_SR | V, stack + 9)
    assert guest.machine.counters().misses.dtlb == 2 - mapped
    assert guest.registers["d2"] == (0 if mapped == 2 else NOWHERE + 0x2000)  # sheet 7 item 6


def test_rte_from_the_end_of_memory_is_an_access_error(guest: Bench) -> None:
    frame = guest.exception(asm.lea(at(RAM + RAM_BYTES - 3), asm.SP), store_long(0x4000, RAM + RAM_BYTES - 4), asm.RTE)
    assert (frame.vector, frame.fs) == (2, READ_ERROR)


# --- trace (sheet 3.6)


def traced(*instructions: bytes) -> bytes:
    """Guest code that runs ``instructions`` with SR[T] set."""
    return b"".join((asm.move_to_sr(imm(SUPERVISOR_SR | T, "w")), *instructions))


def test_every_completed_instruction_is_traced(guest: Bench) -> None:
    guest.handler(TRACE, asm.addq(1, d(7)) + asm.move("l", asm.disp(asm.SP, 4), d(6)) + asm.RTE)
    guest.put(CODE + 0x100, asm.move_to_sr(imm(SUPERVISOR_SR, "w")) + asm.HALT)
    guest.run(asm.moveq(0, 7), traced(asm.moveq(1, D0), asm.moveq(2, D1), asm.jmp(at(CODE + 0x100))))
    # Not the MOVE to SR that sets T, but the one that clears it: T counts as it was before the instruction.
    assert guest.registers["d7"] == 4
    assert guest.registers["d6"] == CODE + 0x104


def test_the_trace_frame_points_at_the_next_instruction_with_t_stacked(guest: Bench) -> None:
    frame = guest.exception(traced(asm.moveq(0, D0)))
    assert (frame.vector, frame.fs, frame.pc, frame.sr) == (TRACE, 0, CODE + 6, SUPERVISOR_SR | T | Z)
    assert not guest.registers["sr"] & T


def test_a_traced_trap_reports_only_the_trap(guest: Bench) -> None:
    frame = guest.exception(traced(asm.trap(1)))
    assert (frame.vector, frame.sr & T, frame.address) == (TRAP + 1, T, STACK - 8)
    assert guest.machine.counters().exceptions == {TRAP + 1: 1}


def test_a_traced_illegal_instruction_reports_only_that(guest: Bench) -> None:
    frame = guest.exception(traced(asm.ILLEGAL))
    assert (frame.vector, frame.pc) == (ILLEGAL, CODE + 4)
    assert guest.machine.counters().exceptions == {ILLEGAL: 1}


@pytest.mark.parametrize("engine", ENGINES)
def test_no_trace_is_lost_to_an_interrupt(engine: str) -> None:
    """Vector 9 after each completed instruction: the interrupt waits for the first one of the trace handler."""
    with bench(engine) as guest:
        guest.handler(TRACE, asm.addq(1, d(7)) + asm.RTE)
        guest.handler(100, asm.addq(1, d(6)) + asm.RTE)
        end = asm.move_to_sr(imm(SUPERVISOR_SR, "w")) + asm.HALT
        guest.start(asm.moveq(0, 6) + asm.moveq(0, 7) + asm.move_to_sr(imm(S | T, "w")) + 4 * asm.NOP + end)
        ready = guest.machine.snapshot()
        for cycle in range(8, 150, 2):
            guest.machine.restore(ready)
            guest.machine.schedule_interrupt(3, 100, cycle)
            guest.resume()
            assert guest.data_registers()[6:] == [1, 5]


def test_an_odd_target_is_not_traced(guest: Bench) -> None:
    frame = guest.exception(traced(asm.jmp(at(CODE + 0x101))))
    assert (frame.vector, frame.pc, frame.sr) == (ADDRESS_ERROR, CODE + 4, SUPERVISOR_SR | T)
    assert guest.machine.counters().exceptions == {ADDRESS_ERROR: 1}


def test_stop_is_not_traced(guest: Bench) -> None:
    result = guest.run(traced(asm.stop(SUPERVISOR_SR | T)))
    assert result.reason is StopReason.STOPPED
    assert guest.machine.counters().exceptions == {}


# --- EUSP (CF4UM 2-9)


def test_eusp_gives_user_mode_its_own_a7(guest: Bench) -> None:
    guest.put(USER_CODE, asm.move("l", asm.a(asm.SP), d(D1)) + asm.lea(at(DATA + 0x40), asm.SP) + asm.trap(0))
    guest.handler(TRAP, asm.move_from_usp(asm.A0) + asm.move("l", asm.a(asm.SP), d(D2)) + asm.HALT)
    guest.run(
        asm.set_control(asm.CACR, EUSP),
        asm.lea(at(DATA), asm.A0),
        asm.move_to_usp(asm.A0),
        go_to(USER_CODE, USER_SR),
    )
    assert guest.registers["d1"] == DATA
    assert guest.registers["d2"] == STACK - 8
    assert guest.registers["a0"] == guest.registers["usp"] == DATA + 0x40


def test_without_eusp_there_is_one_a7(guest: Bench) -> None:
    guest.put(USER_CODE, asm.lea(at(STACK - 0x40), asm.SP) + asm.trap(0))
    frame = guest.exception(go_to(USER_CODE, USER_SR))
    assert frame.address == STACK - 0x48


@pytest.mark.parametrize(
    "between",
    [b"", asm.move_to_sr(imm(SUPERVISOR_SR, "w")), asm.trap(0), asm.set_control(asm.CACR, EUSP) * 2],
    ids=["nothing", "a write of SR", "an exception", "EUSP set twice"],
)
@pytest.mark.parametrize("before", [0, EUSP])
def test_the_other_a7_survives_while_eusp_is_clear(guest: Bench, before: int, between: bytes) -> None:
    guest.handler(TRAP, asm.move_from_usp(asm.A2) + asm.RTE)
    guest.run(
        asm.set_control(asm.CACR, before) + asm.lea(at(DATA), asm.A0) + asm.move_to_usp(asm.A0),
        asm.set_control(asm.CACR, 0) + between + asm.move_from_usp(asm.A1),
        asm.set_control(asm.CACR, EUSP) + asm.move_from_usp(asm.A3) + asm.HALT,
    )
    assert [guest.registers[name] for name in ("a1", "a3", "usp", "a7")] == [DATA, DATA, DATA, STACK]
    if between == asm.trap(0):
        assert guest.registers["a2"] == DATA


def test_user_mode_without_eusp_leaves_the_other_a7(guest: Bench) -> None:
    guest.put(USER_CODE, asm.lea(at(STACK - 0x40), asm.SP) + asm.trap(0))
    guest.handler(TRAP, asm.set_control(asm.CACR, EUSP) + asm.move_from_usp(asm.A1) + asm.HALT)
    guest.run(asm.lea(at(DATA), asm.A0), asm.move_to_usp(asm.A0), go_to(USER_CODE, USER_SR))
    assert (guest.registers["a1"], guest.registers["a7"]) == (DATA, STACK - 0x48)


def test_the_host_may_write_cacr_in_user_mode(guest: Bench) -> None:
    guest.put(USER_CODE, asm.moveq(-1, D1) + asm.trap(0))
    guest.handler(TRAP, asm.move_from_usp(asm.A1) + asm.HALT)
    guest.start(asm.lea(at(STACK + 0x100), asm.A0) + asm.move_to_usp(asm.A0) + go_to(USER_CODE, USER_SR | C))
    guest.machine.run(max_instructions=20, stop_at=(USER_CODE,))
    guest.registers["cacr"] = EUSP
    assert (guest.registers["pc"], guest.registers["a7"], guest.registers["sr"]) == (USER_CODE, STACK, USER_SR | C)
    guest.resume()  # the other A7 is the supervisor's now
    assert (guest.registers["a1"], guest.registers["a7"]) == (STACK, STACK + 0x100 - 8)


@pytest.mark.parametrize("value", [0, EUSP])
def test_writing_cacr_does_not_move_the_supervisors_stack(guest: Bench, value: int) -> None:
    guest.run(asm.set_control(asm.CACR, EUSP), asm.set_control(asm.CACR, value), asm.moveq(3, D1), asm.HALT)
    assert guest.registers["a7"] == STACK
    guest.run(asm.moveq(9, D0), asm.moveq(4, D1), asm.div_l(False, d(D1), D0), asm.HALT)  # sets CCR by emulation
    assert (guest.registers["a7"], guest.registers["d0"]) == (STACK, 2)


# --- fatal


def failure(guest: Bench, *code: bytes) -> GuestError:
    """The error that running ``code`` ends with; its text is one line, its state a register dump."""
    with pytest.raises(GuestError) as caught:
        guest.run(*code)
    assert "\n" not in str(caught.value)
    assert f"pc {guest.registers['pc']:08x}" in caught.value.state
    return caught.value


def test_a_stack_that_cannot_be_written_is_a_double_fault(guest: Bench) -> None:
    error = failure(guest, enter_virtual_mode(), asm.lea(at(0x00400000), asm.SP), asm.trap(0))
    assert isinstance(error, DoubleFault)
    assert "vector 32" in str(error)


def test_a_vector_that_cannot_be_read_is_a_double_fault(guest: Bench) -> None:
    error = failure(guest, enter_virtual_mode(), asm.set_control(asm.VBR, 0x12300000), asm.trap(0))
    assert isinstance(error, DoubleFault)


def test_an_odd_handler_is_a_double_fault(guest: Bench) -> None:
    guest.put(VECTORS + 4 * TRAP, asm.long(stub(TRAP) | 1))
    assert isinstance(failure(guest, asm.trap(0)), DoubleFault)


def test_a_halted_machine_stays_halted(guest: Bench) -> None:
    failure(guest, enter_virtual_mode(), asm.lea(at(0x00400000), asm.SP), asm.trap(0))
    with pytest.raises(DoubleFault):
        guest.machine.run(max_instructions=1)


def test_a_vector_of_zero_is_reported_instead_of_run(guest: Bench) -> None:
    guest.put(VECTORS + 4 * ILLEGAL, asm.long(0))
    error = failure(guest, asm.NOP, asm.ILLEGAL)
    assert isinstance(error, UnhandledException)
    assert f"{CODE + 2:#010x}" in str(error)


@pytest.mark.parametrize("number", [0x123, 0x80F, 0xC00, 0x009])
def test_movec_to_a_register_the_v4e_has_not(guest: Bench, number: int) -> None:
    error = failure(guest, asm.moveq(1, D0), asm.movec(D0, number))
    assert isinstance(error, UndefinedRegister)
    assert f"{number:#05x}" in str(error)
    assert f"{CODE + 2:#010x}" in str(error)


def test_vbr_ignores_its_low_20_bits(guest: Bench) -> None:
    frame = guest.exception(asm.set_control(asm.VBR, VECTORS | 0xFFFFF), asm.trap(2))
    assert frame.vector == TRAP + 2
