"""Micro-benchmarks of docs/timing-model.md, section 3: branches and returns."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from tests.support import asm
from tests.support.asm import (
    A7,
    D0,
    D1,
    RTS,
    TPF,
    a,
    at,
    d,
    imm,
    ind,
    words,
)
from tests.timing.program import BEC, COLD_BRANCHES, ON, START, Micro


def branches() -> Iterator[Micro]:
    """Bcc, RTS; flat: 1 and 2. Codes: BNE is taken, BEQ is not."""
    taken, through = asm.branch_b("ne", 2) + TPF, asm.branch_b("eq", 2)
    place = "model 3"

    def cold(name: str, code: bytes, flat: int, pipeline: int, setup: bytes = b"") -> Micro:
        return Micro(f"{name}, cold", place, (code,), flat, pipeline, setup=COLD_BRANCHES + setup)

    def warm(name: str, code: bytes, flat: int, pipeline: int, setup: bytes = b"") -> Micro:
        return Micro(f"{name}, second time", place, (code,), flat, pipeline, setup=setup)

    for make in (cold, warm):
        first = make is cold
        yield make("Bcc taken", taken, 1, 8 if first else 0)
        yield make("Bcc not taken", through, 1, 1)
        yield make("Bcc.W taken", asm.branch_w("ne", 4) + TPF, 1, 8 if first else 0)
        yield make("Bcc.L taken", words(0x66FF, 0, 6) + TPF, 1, 8 if first else 0)
        yield make("Bcc.W not taken", asm.branch_w("eq", 4), 1, 1)
    # a loop of three: cold 8, folded, mispredicted at its end; then the counters are at 2 and predict taken
    loop = asm.moveq(3, D0) + asm.subq(1, d(D0)) + asm.branch_b("ne", -4)
    yield cold("loop of 3", loop, 7, 20)
    yield warm("loop of 3", loop, 7, 12)
    # outcomes T T N N N T of the inner branch: 8 0 8 8 1 8; its loop, taken 5 times: 8 0 0 0 0 8
    history = asm.moveq(0x23, D0) + asm.moveq(6, D1)
    history += asm.shift("lsr", 1, D0) + asm.branch_b("cs", 2) + TPF + asm.subq(1, d(D1)) + asm.branch_b("ne", -10)
    yield cold("two-bit counters", history, 29, 65)
    # second time they start at 1 (inner: cache and table, after T) and 2 (loop): 8 0 8 8 1 8 and 0 0 0 0 0 8
    yield warm("two-bit counters", history, 29, 57)
    # T N T: 8 8 8 of the inner branch, and 8 0 8; a new entry starts at 2, and one that is not taken makes it 1
    three = asm.moveq(5, D0) + asm.moveq(3, D1)
    three += asm.shift("lsr", 1, D0) + asm.branch_b("cs", 2) + TPF + asm.subq(1, d(D1)) + asm.branch_b("ne", -10)
    yield cold("outcomes T N T", three, 15, 48)
    # two branches 32 bytes apart share an entry of the branch cache: it never has the right one, the table predicts
    apart = asm.branch_b("ne", 30) + TPF * 15 + taken
    yield cold("two branches in one entry of the branch cache", apart, 2, 16)
    yield warm("two branches in one entry of the branch cache", apart, 2, 2)
    other = asm.branch_b("ne", 26) + TPF * 13 + taken
    yield cold("two branches in two entries of the branch cache", other, 2, 16)
    yield warm("two branches in two entries of the branch cache", other, 2, 0)
    # 0x3000: index 0x18 ^ 0; 0x3204: 0x19 ^ 1, the same counter; 0x3208: 0x19 ^ 2, another
    far = asm.branch_w("ne", 0x202) + TPF * 0x100 + taken
    yield cold("two branches with one counter of the table", far, 2, 9)
    yield warm("two branches with one counter of the table", far, 2, 0)
    far = asm.branch_w("ne", 0x202) + TPF * 0x100 + through
    yield cold("two branches with one counter of the table, second not taken", far, 2, 16)
    far = asm.branch_w("ne", 0x206) + TPF * 0x102 + taken
    yield cold("two branches with two counters of the table", far, 2, 16)
    # two branches in one longword share the counter of the table and the entry of the branch cache
    close = asm.branch_b("eq", 2) + asm.branch_b("ne", 2) + TPF
    yield cold("two branches in one longword", close, 2, 9)
    yield warm("two branches in one longword", close, 2, 1)
    # without the branch cache: backwards taken, forwards not
    off = ON & ~BEC
    forward = Micro("BEC off, forward taken", place, (taken,), 1, 8, cacr=off)
    yield forward
    yield replace(forward, name="BEC off, forward not taken", parts=(through,), pipeline=1)
    yield Micro("BEC off, loop of 3", place, (loop,), 7, 14, cacr=off)
    never = asm.branch_b("eq", -2)
    yield Micro("BEC off, backward not taken", place, (never,), 1, 8, cacr=off)
    away = asm.branch_b("ra", 2) + asm.branch_b("ra", 2) + asm.branch_b("ne", -4)
    yield Micro("BEC off, backward taken", place, (away,), 3, 3, cacr=off)
    wide = words(0x66FF, 0, 6) + TPF
    yield Micro("BEC off, forward .L taken", place, (wide,), 1, 8, cacr=off)
    # turned off and on, it still knows what it knew
    switch = asm.set_control(asm.CACR, off) + asm.set_control(asm.CACR, ON)
    yield Micro("BEC off and on", place, (taken,), 1, 0, setup=switch)
    yield from return_stack()


def return_stack() -> Iterator[Micro]:
    """RTS: 2 where the return stack is right, 9 where it is wrong, 8 when it is empty."""
    place = "model 3"
    call = asm.branch_b("sr", 2)  # over the next two bytes
    leave = asm.branch_b("ra", 2)  # from the return address to behind the RTS
    yield Micro("BSR, RTS", place, (call + leave + RTS,), 4, 4)
    far = asm.jsr(at(START + 8)) + leave + RTS
    yield Micro("JSR, RTS", place, (far,), 4, 4)
    empty = asm.pea(at(START + 2))
    yield Micro("RTS, stack empty", place, (RTS,), 2, 8, setup=empty)
    changed = call + leave + asm.move("l", imm(START + 12), ind(A7)) + RTS
    yield Micro("BSR, other return address, RTS", place, (changed,), 4, 11, end=START + 12)
    popped = call + leave + asm.addq(4, a(A7)) + asm.pea(at(START + 14)) + RTS
    yield Micro("BSR, return address dropped and another pushed, RTS", place, (popped,), 5, 12, end=START + 14)
    # nested calls: each routine calls the next; RTS returns to the next routine's RTS. A load 4 cycles behind a BSR
    # costs one more: with 4 calls, RTS are due at 4 (BSR at 0), 7 (BSR at 3), 10, 12; with 5 at 5 (BSR at 1), 8 (BSR
    # at 4), 11, 13 and 15, the last with nothing left to predict it.
    for depth, flat, pipeline in ((4, 12, 14), (5, 15, 23)):
        nest = call + asm.branch_b("ra", 4 * depth - 2)
        nest += (asm.branch_b("sr", 2) + RTS) * (depth - 1) + RTS
        yield Micro(
            f"{depth} calls, {depth} returns", place, (nest,), flat + 1, pipeline + 1, end=START + 4 * depth + 2
        )
