"""An interrupt at any instruction of a program never changes its result: one run per position."""

import pytest

from tests.support import asm
from tests.support.asm import A0, A1, A2, D0, D1, D2, D3, D4, D5, D6, SP, at, d, disp, imm, ind, index, post, pre, words
from tests.support.guest import (
    ENGINES,
    FRAMES,
    LK,
    STACK,
    USER_SR,
    Bench,
    Entry,
    R,
    W,
    X,
    enter_virtual_mode,
    go_to,
    image,
    tag,
)

USER, PAGE, USER_STACK = 0x00400000, 0x00600000, 0x00800000
VECTOR, LEVEL = 70, 5
RESULT_BYTES = 0x2000

PROGRAM = b"".join(
    (
        asm.lea(at(PAGE + 0xFF0), A0),  # operands across the end of a 4-KB page
        asm.lea(at(PAGE + 0x20), A1),
        asm.move("l", imm(0x12345678), d(D0)),
        asm.move("l", d(D0), disp(A0, 14)),
        asm.alu("add", disp(A0, 14), D0),
        asm.alu_to("sub", D0, disp(A0, 13)),
        asm.addx(D0, D1),
        asm.move("w", disp(A0, 15), post(A1)),
        asm.move("l", pre(A1), d(D2)),
        asm.moveq(-3, D3),
        asm.shift("asr", 1, D3),
        asm.bit("bset", 3, ind(A1)),
        asm.bit_by("bchg", D3, disp(A1, 1)),
        asm.tas(disp(A1, 2)),
        asm.mov3q(5, post(A1)),
        asm.mvz("b", disp(A0, 14), D4),
        asm.mvs("w", disp(A0, 14), D5),
        asm.movem_store(range(6), disp(A0, 4)),
        asm.movem_load(disp(A0, 5), [1, 2, 8 + A2]),
        asm.mul_l(True, disp(A0, 4), D2),
        asm.moveq(7, D6),
        asm.move("l", d(D6), ind(A1)),
        asm.div_l(True, ind(A1), D2),
        asm.pea(index(A0, D6, 2)),
        asm.link(5, -16),
        asm.move("l", d(D2), disp(5, -6)),
        asm.unlk(5),
        asm.move("l", post(SP), d(D6)),
        words(0xF229, 0x4480, 0x0040),  # FMOVE.S (0x40,A1),FP1
        words(0xF200, 0x0422),  # FADD.D FP1,FP0
        words(0xF229, 0x7400, 0x0048),  # FMOVE.D FP0,(0x48,A1)
        words(0xA100),  # MOVE.L D0,ACC0
        words(0xA041, 0x0000),  # MAC.L
        words(0xA183),  # MOVE.L ACC0,D3
        asm.branch_b("eq", 2),
        asm.addq(1, d(D4)),
        asm.trap(0),
    )
)


def prepared(engine: str) -> Bench:
    """The program in user mode, its pages loaded by number, about to start; a handler that uses the registers."""
    guest = Bench(engine)
    entries = (
        Entry(0, tag(USER), image(FRAMES, 13, X | LK)),
        Entry(40, tag(PAGE), image(FRAMES + 0x2000, 12, R | W)),
        Entry(41, tag(PAGE + 0x1000), image(FRAMES + 0x3000, 12, R | W)),
        Entry(42, tag(USER_STACK), image(FRAMES + 0x4000, 13, R | W)),
    )
    save = asm.lea(disp(SP, -60), SP) + asm.movem_store(range(15), ind(SP))
    spoil = b"".join(asm.moveq(i, i) for i in range(8)) + asm.alu("add", d(D1), D0) + asm.addq(1, at(STACK + 0x100))
    restore = asm.movem_load(ind(SP), range(15)) + asm.lea(disp(SP, 60), SP)
    guest.handler(VECTOR, save + spoil + restore + asm.RTE)
    guest.put(FRAMES, PROGRAM)
    guest.put(FRAMES + 0x2000, bytes(range(256)) * (RESULT_BYTES // 256))
    boot = enter_virtual_mode(entries) + asm.lea(at(USER_STACK + 0x1000), A0) + asm.move_to_usp(A0)
    guest.start(boot + go_to(USER, USER_SR))
    result = guest.machine.run(stop_at=(USER,), max_instructions=1_000)
    assert result.pc == USER
    return guest


def outcome(guest: Bench) -> tuple[object, ...]:
    """Run to the TRAP: registers, memory and misses."""
    guest.resume()
    misses = guest.machine.counters().misses
    memory = guest.machine.read_physical(FRAMES + 0x2000, 0x4000)
    return dict(guest.registers), memory, (misses.itlb, misses.dtlb)


@pytest.mark.parametrize("engine", ENGINES)
def test_an_interrupt_at_any_position_changes_nothing(engine: str) -> None:
    guest = prepared(engine)
    ready = guest.machine.snapshot()
    begin = guest.machine.counters()
    expected = outcome(guest)
    whole = guest.machine.counters() - begin
    assert whole.instructions > 30
    for position in range(whole.cycles - 20):
        guest.machine.restore(ready)
        guest.machine.schedule_interrupt(LEVEL, VECTOR, begin.cycles + position)
        assert outcome(guest) == expected, f"interrupt {position} cycles after the start"
        taken = guest.machine.counters().exceptions.get(VECTOR, 0)
        assert taken == 1, f"interrupt {position} cycles after the start"
    guest.machine.close()
