"""Instructions that unicorn gets wrong and the engine therefore does itself: results, flags, no host crash (CFPRM)."""

import pytest

from tests.support import asm
from tests.support.asm import A0, D0, D1, D2, D3, a, at, d, disp, imm, ind, post
from tests.support.guest import CODE, DATA, FRAMES, SUPERVISOR_SR, USER_SR, Bench, go_to

X, N, Z, V, C = 16, 8, 4, 2, 1
INT_MIN = 0x80000000
ACCESS_ERROR, ADDRESS_ERROR, LINE_A, FORMAT_ERROR = 2, 3, 10, 14


def flags_after(guest: Bench, *code: bytes, ccr: int = 0) -> int:
    """CCR after ``code``, which starts with the given CCR and must not disturb D7."""
    guest.run(asm.move_to_ccr(imm(ccr, "w")), *code, asm.move_from_ccr(7), asm.HALT)
    return int(guest.registers["d7"]) & 0x1F


def values(d0: int, d1: int, d2: int = 0x55) -> bytes:
    """D0, D1, D2 := values, CCR kept as it was before."""
    load = b"".join(asm.move("l", imm(value), d(n)) for n, value in enumerate((d0, d1, d2)))
    return asm.move_from_ccr(6) + load + asm.move_to_ccr(d(6))


DIVISIONS = [
    # instruction, dividend D0, divisor D1, D0 and D2 afterwards, NZVC
    ("divs.l", asm.div_l(True, d(D1), D0), 100, 7, 14, 0x55, 0),
    ("divs.l", asm.div_l(True, d(D1), D0), -100, 7, -14, 0x55, N),
    ("divs.l", asm.div_l(True, d(D1), D0), 3, -7, 0, 0x55, Z),
    ("divs.l INT_MIN/-1", asm.div_l(True, d(D1), D0), INT_MIN, -1, INT_MIN, 0x55, V),
    ("divu.l", asm.div_l(False, d(D1), D0), INT_MIN, 0xFFFFFFFF, 0, 0x55, Z),
    ("divu.l", asm.div_l(False, d(D1), D0), 0xFFFFFFFF, 1, 0xFFFFFFFF, 0x55, N),
    ("rems.l", asm.rem_l(True, d(D1), D0, D2), -100, 7, -100, -2, N),
    ("rems.l", asm.rem_l(True, d(D1), D0, D2), 100, -7, 100, 2, N),
    ("rems.l INT_MIN/-1", asm.rem_l(True, d(D1), D0, D2), INT_MIN, -1, INT_MIN, 0x55, V),
    ("remu.l", asm.rem_l(False, d(D1), D0, D2), 0xFFFFFFFF, 10, 0xFFFFFFFF, 5, 0),
    ("divs.w", asm.div_w(True, d(D1), D0), 100, 7, 2 << 16 | 14, 0x55, 0),
    ("divs.w", asm.div_w(True, d(D1), D0), -100, 7, 0xFFFE0000 | -14 & 0xFFFF, 0x55, N),
    ("divs.w overflow", asm.div_w(True, d(D1), D0), 0x40000000, 2, 0x40000000, 0x55, V),
    ("divs.w INT_MIN/-1", asm.div_w(True, d(D1), D0), INT_MIN, -1, INT_MIN, 0x55, V),
    ("divs.w -32768", asm.div_w(True, d(D1), D0), -32768, 1, 0x8000, 0x55, N),
    ("divs.w 32768", asm.div_w(True, d(D1), D0), 32768, 1, 32768, 0x55, V),
    ("divu.w", asm.div_w(False, d(D1), D0), 0x10000, 2, 0x8000, 0x55, N),
    ("divu.w overflow", asm.div_w(False, d(D1), D0), 0x10000, 1, 0x10000, 0x55, V),
]


@pytest.mark.parametrize("ccr", [0, X | C])
@pytest.mark.parametrize(
    ("name", "code", "dividend", "divisor", "quotient", "remainder", "nzvc"),
    DIVISIONS,
    ids=[f"{row[0]} {row[2]}/{row[3]}" for row in DIVISIONS],
)
def test_division(
    guest: Bench,
    name: str,
    code: bytes,
    dividend: int,
    divisor: int,
    quotient: int,
    remainder: int,
    nzvc: int,
    ccr: int,
) -> None:
    flags = flags_after(guest, values(dividend, divisor), code, ccr=ccr)
    result = guest.data_registers()
    assert (result[0], result[1], result[2]) == tuple(v & 0xFFFFFFFF for v in (quotient, divisor, remainder)), name
    assert flags == nzvc | ccr & X  # C is cleared, X is kept; on overflow N and Z are cleared too
    assert guest.machine.counters().exceptions == {}


def test_a_division_takes_its_divisor_from_memory(guest: Bench) -> None:
    guest.put(DATA, asm.long(6) + asm.long(5) + asm.words(4))
    load = asm.lea(at(DATA), A0) + asm.moveq(120, D0)
    guest.run(
        load, asm.div_l(True, post(A0), D0), asm.div_l(False, ind(A0), D0), asm.div_w(True, disp(A0, 4), D0), asm.HALT
    )
    assert guest.registers["d0"] == 1
    assert guest.registers["a0"] == DATA + 4


MOVES = [
    (asm.mvz("b", d(D1), D0), 0xFFFFFF80, 0x80, 0),  # N is always cleared: the result is positive
    (asm.mvz("w", d(D1), D0), 0xFFFF8000, 0x8000, 0),
    (asm.mvz("w", d(D1), D0), 0xFFFF0000, 0, Z),
    (asm.mvs("b", d(D1), D0), 0x00000080, 0xFFFFFF80, N),
    (asm.mvs("w", d(D1), D0), 0x12340001, 1, 0),
    (asm.mov3q(-1, d(D0)), 0, 0xFFFFFFFF, N),
    (asm.mov3q(7, d(D0)), 0, 7, 0),
]


@pytest.mark.parametrize(("code", "source", "result", "nz"), MOVES)
def test_isa_b_moves(guest: Bench, code: bytes, source: int, result: int, nz: int) -> None:
    assert flags_after(guest, values(0x77777777, source), code, ccr=0x1F) == nz | X
    assert guest.registers["d0"] == result


@pytest.mark.parametrize(
    ("code", "result", "nz"), [(asm.mvs("b", a(A0), D0), 0xFFFFFF89, N), (asm.mvz("b", a(A0), D0), 0x89, 0)]
)
def test_mvs_and_mvz_take_the_low_byte_of_an_address_register(guest: Bench, code: bytes, result: int, nz: int) -> None:
    """GCC -mcpu=5475 emits mvs.b %a1,%d1 (gcc.c-torture pr94524-2)."""
    assert flags_after(guest, asm.lea(at(0x12345689), A0), code, ccr=0x1F) == nz | X
    assert guest.registers["d0"] == result


@pytest.mark.parametrize(("overflow", "value", "result"), [(0, 5, 5), (V, 5, INT_MIN), (V, INT_MIN, 0x7FFFFFFF)])
def test_sats(guest: Bench, overflow: int, value: int, result: int) -> None:
    flags_after(guest, values(value, 0), asm.single("sats.l", D0), ccr=overflow)
    assert guest.registers["d0"] == result


def test_tas_sets_the_top_bit_and_tells_what_was_there(guest: Bench) -> None:
    guest.put(DATA, bytes([0x00, 0x80]))
    assert flags_after(guest, asm.lea(at(DATA), A0), asm.tas(ind(A0))) == Z
    guest.start(asm.lea(at(DATA + 1), A0) + asm.tas(ind(A0)) + asm.move_from_ccr(7) + asm.HALT)
    guest.resume()
    assert guest.registers["d7"] & 0x1F == N
    assert guest.machine.read_physical(DATA, 2) == bytes([0x80, 0x80])


# --- FSAVE, FRESTORE (548xRM 6-24)


def test_fsave_writes_four_longwords_that_frestore_takes_back(guest: Bench) -> None:
    guest.put(DATA, b"\xee" * 32)
    save = asm.lea(at(DATA + 4), A0) + asm.fsave(ind(A0)) + asm.moveq(1, D1)
    guest.run(save, asm.frestore(ind(A0)), asm.moveq(2, D2), asm.HALT)
    assert (guest.registers["d1"], guest.registers["d2"]) == (1, 2)
    frame = guest.machine.read_physical(DATA, 32)
    assert frame[:4] == frame[20:24] == b"\xee" * 4
    assert frame[4] in (0x00, 0x05)  # NULL or IDLE: nothing is pending


def test_frestore_of_a_null_frame(guest: Bench) -> None:
    guest.put(DATA, bytes(16))
    guest.run(asm.lea(at(DATA), A0), asm.frestore(disp(A0, 0)), asm.moveq(3, D3), asm.HALT)
    assert guest.registers["d3"] == 3
    assert guest.machine.counters().instructions == 4


def test_frestore_of_an_unknown_frame_is_a_format_error(guest: Bench) -> None:
    guest.put(DATA, b"\x77" + bytes(15))
    frame = guest.exception(asm.lea(at(DATA), A0), asm.frestore(ind(A0)))
    assert (frame.vector, frame.pc) == (FORMAT_ERROR, CODE + 6)


# --- line A, WDDATA, index formats


def test_an_unassigned_line_a_word_takes_vector_10(guest: Bench) -> None:
    frame = guest.exception(asm.words(0xAEFF, 0))
    assert (frame.vector, frame.pc) == (LINE_A, CODE)


@pytest.mark.parametrize(("size", "step"), [("b", 1), ("w", 2), ("l", 4)])
def test_wddata_reads_its_operand_in_user_mode_too(guest: Bench, size: str, step: int) -> None:
    guest.put(FRAMES, asm.wddata(size, post(A0)) + asm.moveq(5, D1) + asm.trap(0))
    guest.run(asm.lea(at(DATA), A0), go_to(FRAMES, USER_SR))
    assert (guest.registers["a0"], guest.registers["d1"]) == (DATA + step, 5)
    frame = guest.exception(asm.lea(at(0x50000000), A0), asm.wddata(size, post(A0)))
    assert frame.vector == ACCESS_ERROR
    assert guest.registers["a0"] == 0x50000000


BAD_INDICES = (0x1000, 0x1920, 0x1100)  # a word index, full formats


@pytest.mark.parametrize("extension", BAD_INDICES)
@pytest.mark.parametrize(
    "op", [asm.div_w(True, d(0), 3), asm.div_w(False, d(0), 3), asm.wddata("w", ind(0)), asm.move("w", d(0), d(3))]
)
def test_an_index_that_the_v4e_lacks_is_an_address_error(guest: Bench, op: bytes, extension: int) -> None:
    """Sheet 3.6."""
    code = asm.words(int.from_bytes(op, "big") & 0xFFC0 | 0x30, extension)
    frame = guest.exception(asm.lea(at(DATA), A0), code)
    assert (frame.vector, frame.fs, frame.pc) == (ADDRESS_ERROR, 4, CODE + 6)


# --- SR


def test_reading_registers_from_outside_does_not_change_the_flags(guest: Bench) -> None:
    """unicorn's own way of reading SR destroys the lazy flags (unicorn issue 2380)."""
    code = asm.moveq(-1, D0) + asm.addq(1, d(D0)) + asm.move_from_ccr(D1) + asm.HALT
    guest.start(code)
    guest.machine.run(max_instructions=2)
    seen = [guest.registers["sr"] for _ in range(3)]
    guest.resume()
    assert seen == [SUPERVISOR_SR | X | Z | C] * 3
    assert guest.registers["d1"] & 0x1F == X | Z | C


@pytest.mark.parametrize("after", range(1, 6))
def test_flags_survive_a_budget_anywhere(guest: Bench, after: int) -> None:
    code = asm.moveq(-1, D0) + asm.moveq(-1, D1) + asm.alu("add", d(D0), D1) + asm.TPF + asm.addx(D0, D2)
    guest.start(code + asm.move_from_ccr(D3) + asm.HALT)
    guest.machine.run(max_instructions=after)
    guest.resume()
    assert guest.registers["d2"] == 0  # 0 + 0xFFFFFFFF + X
    assert guest.registers["d3"] & 0x1F == X | C  # Z is only ever cleared by ADDX, and was clear


def test_registers_can_be_set_from_outside(guest: Bench) -> None:
    guest.registers["sr"] = SUPERVISOR_SR | N | X
    guest.registers["d4"] = 0x1_0000_0005
    guest.registers["a3"] = DATA
    guest.run(asm.move_from_ccr(D0), asm.move("l", d(4), ind(3)), asm.HALT)
    assert guest.registers["d0"] & 0x1F == N | X
    assert guest.long(DATA) == 5
