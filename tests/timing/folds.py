"""Micro-benchmarks of docs/timing-model.md, section 2: pairs of which the second costs nothing, and near misses."""

from __future__ import annotations

from collections.abc import Iterator

from tests.support import asm
from tests.support.asm import (
    A0,
    A1,
    A2,
    A3,
    A5,
    D0,
    D1,
    D2,
    D3,
    D6,
    TPF,
    a,
    d,
    disp,
    imm,
    ind,
    index,
    post,
    pre,
    words,
)
from tests.timing.cells import INDEXED, LONG_ADDRESS, READABLE, WORD_ADDRESS
from tests.timing.program import DATA, Micro, sequence
from tests.timing.waits import scaled


def folds() -> Iterator[Micro]:
    """Pairs of which the second costs nothing, and pairs that nearly are."""
    yield from embedded_loads()
    yield from stores_with_moves()
    yield from address_results()


def pair(name: str, first: bytes, second: bytes, flat: int, pipeline: int, setup: bytes = b"") -> Iterator[Micro]:
    """Two instructions, on one page and on two."""
    yield from sequence(name, (first, second), flat, pipeline, place="model 2", setup=setup)


def embedded_loads() -> Iterator[Micro]:
    """Case 1."""
    load = asm.move("l", ind(A0), d(D0))
    add = asm.alu("add", d(D1), D0)
    seconds = {
        "ADD.L": add,
        "SUB.L": asm.alu("sub", d(D1), D0),
        "AND.L": asm.alu("and", d(D1), D0),
        "OR.L": asm.alu("or", d(D1), D0),
        "EOR.L": asm.alu_to("eor", D1, d(D0)),
        "CMP.L": asm.alu("cmp", d(D1), D0),
        "CMP.L to it": asm.alu("cmp", d(D0), D1),
        "ADD.L of itself": asm.alu("add", d(D0), D0),
        "ADD.L of An": asm.alu("add", a(A3), D0),
        "ADDQ": asm.addq(1, d(D0)),
        "SUBQ": asm.subq(1, d(D0)),
        "ADDX": asm.addx(D1, D0),
        "SUBX": words(0x9180 | D0 << 9 | D1),
        "NEG": asm.single("neg.l", D0),
        "NEGX": asm.single("negx.l", D0),
        "NOT": asm.single("not.l", D0),
        "EXT.W": asm.single("ext.w", D0),
        "EXT.L": asm.single("ext.l", D0),
        "EXTB.L": asm.single("extb.l", D0),
        "SWAP": asm.single("swap", D0),
        "ASL #": asm.shift("asl", 2, D0),
        "ASR #": asm.shift("asr", 2, D0),
        "LSL Dn": asm.shift_by("lsl", D1, D0),
        "LSR Dn": asm.shift_by("lsr", D1, D0),
        "TST.L": asm.tst("l", d(D0)),
    }
    for name, second in seconds.items():
        yield from pair(f"load, {name}", load, second, 2, 1)
    pointer = asm.move("l", ind(A1), a(A2))
    for name, second in {
        "ADDA.L": asm.alu_a("adda", d(D6), A2),
        "SUBA.L": asm.alu_a("suba", d(D6), A2),
        "CMPA.L": asm.alu_a("cmpa", d(D6), A2),
        "ADDQ": asm.addq(4, a(A2)),
        "SUBQ": asm.subq(4, a(A2)),
    }.items():
        yield from pair(f"load of An, {name}", pointer, second, 2, 1)
    for mode, ea in ({"Dn": d(D2), "An": a(A3)} | READABLE).items():
        yield from pair(f"MOVE.L {mode},Dn, ADD.L", asm.move("l", ea, d(D0)), add, 2, 1)
    for name, second in {
        "of another register": asm.alu("add", d(D1), D2),
        "that only reads it": asm.alu("add", d(D0), D2),
        "of four bytes": asm.alu_i("addi", 4, D0),
        "from memory": asm.alu("add", ind(A0), D0),
        "to memory": asm.alu_to("add", D0, ind(A3)),
        "that multiplies": asm.mvz("b", d(D0), D0),
        "MOVEQ": asm.moveq(1, D0),
        "MOVE.L": asm.move("l", d(D0), d(D1)),
        "MOV3Q": asm.mov3q(1, d(D0)),
        "CLR.L": asm.clr("l", d(D0)),
        "TST.W": asm.tst("w", d(D0)),
        "CMP of others": asm.alu("cmp", d(D1), D2),
        "SATS": asm.single("sats.l", D0),
        "Scc": words(0x57C0 | D0),
        "TPF": TPF,
    }.items():
        yield from pair(f"load, no fold: {name}", load, second, 2, 2)
    yield from pair("no fold: load indexed, ADD.L", asm.move("l", index(A0, D6), d(D0)), add, 3, 3)
    yield from pair("no fold: MOVE.W load, ADD.L", asm.move("w", ind(A0), d(D0)), add, 2, 2)
    yield from pair("no fold: MVZ load, ADD.L", asm.mvz("w", ind(A0), D0), add, 2, 2)
    yield from pair("no fold: MOVE.L #, ADD.L", asm.move("l", imm(3), d(D0)), add, 2, 2)
    yield from pair("no fold: MOVE.L to memory, ADD.L", asm.move("l", d(D0), ind(A0)), add, 2, 2)
    multiply = asm.mul_l(False, d(D2), D1)
    wait = (multiply, load, add)
    yield from sequence("no fold: MULU.L, load, ADD.L of it", wait, 6, 5, place="model 2")
    yield from sequence(
        "MULU.L, 3 others, load, ADD.L of it", (multiply, TPF, TPF, TPF, *wait[1:]), 9, 5, place="model 2"
    )
    late = asm.move("l", ind(A2), d(D2))
    for name, first, second in (
        ("load", pointer, asm.addq(4, a(A2))),
        ("MOVEA.L", asm.move("l", a(A3), a(A2)), asm.addq(4, a(A2))),
        ("load, CMPA", pointer, asm.alu_a("cmpa", d(D6), A2)),
    ):
        yield from sequence(f"folded {name}, then as address", (first, second, late), 3, 5, place="model 2")
    yield from sequence("folded load, third of the same", (load, add, add), 3, 2, place="model 2")
    yield from sequence("two folded loads", (load, add, load, add), 4, 2, place="model 2")
    yield Micro("no fold: load, BRA, ADD.L", "model 2", (load, asm.branch_w("ra", 2), add), 3, 3)
    behind = (asm.branch_b("ra", 2), TPF, load, add)
    yield Micro("BRA, load, ADD.L", "model 2", behind, 3, 2)
    folded_bcc = (load, asm.branch_b("ne", 2), TPF, add)
    yield Micro("no fold: load, folded Bcc, ADD.L", "model 2", folded_bcc, 3, 2, setup=asm.move("l", imm(1), ind(A0)))


def stores_with_moves() -> Iterator[Micro]:
    """Case 2."""
    store = asm.move("l", d(D0), ind(A0))
    quick = asm.moveq(1, D1)
    copy = asm.move("l", d(D2), d(D3))
    for name, first, cell in (
        ("MOVE.B Dn,(An)", asm.move("b", d(D0), ind(A0)), 1),
        ("MOVE.W Dn,(An)", asm.move("w", d(D0), ind(A0)), 1),
        ("MOVE.L Dn,(An)", store, 1),
        ("MOVE.L An,(An)", asm.move("l", a(A3), ind(A0)), 1),
        ("MOVE.L Dn,(An)+", asm.move("l", d(D0), post(A0)), 1),
        ("MOVE.L Dn,-(An)", asm.move("l", d(D0), pre(A0)), 1),
        ("MOVE.L Dn,(d16,An)", asm.move("l", d(D0), disp(A0, 8)), 1),
        ("MOVE.L Dn,xxx.W", asm.move("l", d(D0), WORD_ADDRESS), 1),
        ("MOVE.L Dn,xxx.L", asm.move("l", d(D0), LONG_ADDRESS), 1),
        ("MOVE.L Dn,(d8,An,Xi)", asm.move("l", d(D0), INDEXED), 2),
        ("CLR.B", asm.clr("b", ind(A0)), 1),
        ("CLR.W", asm.clr("w", ind(A0)), 1),
        ("CLR.L", asm.clr("l", ind(A0)), 1),
        ("CLR.L indexed", asm.clr("l", INDEXED), 2),
        ("MOV3Q", asm.mov3q(3, ind(A0)), 1),
        ("PEA", asm.pea(ind(A0)), 1),
        ("PEA (d16,An)", asm.pea(disp(A0, 8)), 1),
        ("PEA indexed", asm.pea(INDEXED), 2),
    ):
        yield from pair(f"{name}, MOVEQ", first, quick, cell + 1, cell)
        yield from pair(f"{name}, MOVE.L Dw,Dz", first, copy, cell + 1, cell)
    yield from pair("store, MOVEA.L Dw,Az", store, asm.move("l", d(D2), a(A3)), 2, 1)
    yield from pair("store, MOVE.L Aw,Dz", store, asm.move("l", a(A3), d(D2)), 2, 1)
    yield from pair("store, MOVE.L of what it stores", store, asm.move("l", d(D0), d(D2)), 2, 1)
    yield from pair("store, MOVEQ to what it stores", store, asm.moveq(1, D0), 2, 1)
    for name, second in {
        "ADD.L": asm.alu("add", d(D1), D2),
        "MOVE.W": asm.move("w", d(D1), d(D2)),
        "MOVE.L #": asm.move("l", imm(3), d(D2)),
        "MOVE.L from memory": asm.move("l", ind(A3), d(D2)),
        "MOVE.L to memory": asm.move("l", d(D2), ind(A3)),
        "MOV3Q": asm.mov3q(1, d(D2)),
        "CLR.L": asm.clr("l", d(D2)),
        "LEA": asm.lea(ind(A3), A2),
        "MVZ": asm.mvz("w", d(D1), D2),
    }.items():
        yield from pair(f"store, no fold: {name}", store, second, 2, 2)
    for name, first, cell in (
        ("MOVE.W #,(An)", asm.move("w", imm(3, "w"), ind(A0)), 1),
        ("MOVE.L (An),(An)", asm.move("l", ind(A1), ind(A0)), 2),
        ("ADD.L Dn,(An)", asm.alu_to("add", D0, ind(A0)), 1),
        ("ADDQ (An)", asm.addq(1, ind(A0)), 1),
        ("MOVEM of one", asm.movem_store((D0,), ind(A0)), 1),
        ("LINK", asm.link(A5, -16), 2),
        ("TST.L (An)", asm.tst("l", ind(A0)), 1),
    ):
        yield from pair(f"no fold: {name}, MOVEQ", first, quick, cell + 1, cell + 1)
    wait = (asm.mul_l(False, d(D1), D2), store, copy)
    yield from sequence("no fold: MULU.L, store, MOVE.L of it", wait, 6, 5, place="model 2")
    yield Micro("no fold: store, BRA, MOVEQ", "model 2", (store, asm.branch_w("ra", 2), quick), 3, 3)
    chain = (store, quick, asm.alu("add", d(D2), D3))
    yield from sequence("store, folded MOVEQ, which folds nothing", chain, 3, 2, place="model 2")
    two = (store, quick, store, quick)
    yield from sequence("two stores with MOVEQ", two, 4, 2, place="model 2")


def address_results() -> Iterator[Micro]:
    """Case 3."""
    quick = asm.moveq(1, D0)
    add = asm.alu("add", d(D1), D2)
    for name, first, cell in (
        ("LEA (An)", asm.lea(ind(A0), A2), 1),
        ("LEA (d16,An)", asm.lea(disp(A0, 8), A2), 1),
        ("LEA xxx.L", asm.lea(LONG_ADDRESS, A2), 1),
        ("LEA indexed", asm.lea(INDEXED, A2), 2),
        ("MOVEQ", quick, 1),
        ("MOV3Q Dn", asm.mov3q(3, d(D0)), 1),
        ("MOV3Q An", asm.mov3q(3, a(A2)), 1),
        ("CLR.L Dn", asm.clr("l", d(D0)), 1),
        ("MOVE.L #,Dn", asm.move("l", imm(3), d(D0)), 1),
        ("MOVEA.L #,An", asm.move("l", imm(DATA), a(A2)), 1),
    ):
        yield from pair(f"{name}, ADD.L", first, add, cell + 1, cell)
        yield from pair(f"{name}, MOVEQ", first, asm.moveq(1, D3), cell + 1, cell)
    for name, second in {
        "SUB.L": asm.alu("sub", d(D1), D2),
        "AND.L": asm.alu("and", d(D1), D2),
        "OR.L": asm.alu("or", d(D1), D2),
        "EOR.L": asm.alu_to("eor", D1, d(D2)),
        "CMP.L": asm.alu("cmp", d(D1), D2),
        "ADDA.L": asm.alu_a("adda", d(D1), A2),
        "SUBA.L": asm.alu_a("suba", a(A3), A2),
        "CMPA.L": asm.alu_a("cmpa", d(D1), A2),
        "ADDQ": asm.addq(1, d(D2)),
        "SUBQ An": asm.subq(1, a(A2)),
        "ADDX": asm.addx(D1, D2),
        "SUBX": words(0x9180 | D2 << 9 | D1),
        "NEG": asm.single("neg.l", D2),
        "NEGX": asm.single("negx.l", D2),
        "NOT": asm.single("not.l", D2),
        "EXT.W": asm.single("ext.w", D2),
        "EXT.L": asm.single("ext.l", D2),
        "EXTB.L": asm.single("extb.l", D2),
        "SWAP": asm.single("swap", D2),
        "ASL": asm.shift("asl", 1, D2),
        "ASR": asm.shift("asr", 1, D2),
        "LSL": asm.shift_by("lsl", D1, D2),
        "LSR": asm.shift("lsr", 1, D2),
        "TST.L": asm.tst("l", d(D2)),
        "MOVEQ": asm.moveq(1, D2),
        "MOV3Q": asm.mov3q(1, d(D2)),
        "CLR.L": asm.clr("l", d(D2)),
    }.items():
        yield from pair(f"MOVEQ, {name} of others", quick, second, 2, 1)
    for name, second in {
        "ADD.L of it": asm.alu("add", d(D0), D2),
        "ADD.L to it": asm.alu("add", d(D1), D0),
        "MOVEQ to it": asm.moveq(2, D0),
        "CLR.L of it": asm.clr("l", d(D0)),
        "TST.L of it": asm.tst("l", d(D0)),
        "shift by it": asm.shift_by("lsl", D0, D2),
        "MOVE.L": asm.move("l", d(D1), d(D2)),
        "CLR.W": asm.clr("w", d(D2)),
        "MVZ": asm.mvz("w", d(D1), D2),
        "ADDI": asm.alu_i("addi", 4, D2),
        "ADD.L from memory": asm.alu("add", ind(A0), D2),
        "LEA": asm.lea(ind(A0), A2),
        "SATS": asm.single("sats.l", D2),
        "BSET": asm.bit("bset", 1, d(D2)),
        "MOVE CCR": asm.move_from_ccr(D2),
        "TPF": TPF,
    }.items():
        yield from pair(f"MOVEQ, no fold: {name}", quick, second, 2, 2)
    lea = asm.lea(ind(A0), A2)
    yield from pair("LEA, no fold: ADDA.L of it", lea, asm.alu_a("adda", a(A2), A3), 2, 2)
    yield from pair("LEA, no fold: ADDQ to it", lea, asm.addq(4, a(A2)), 2, 2)
    for name, first in {
        "CLR.W Dn": asm.clr("w", d(D0)),
        "MOVE.W #,Dn": asm.move("w", imm(3, "w"), d(D0)),
        "ADDQ": asm.addq(1, d(D0)),
        "ADDI": asm.alu_i("addi", 4, D0),
        "ADD.L": asm.alu("add", d(D1), D0),
        "NOT": asm.single("not.l", D0),
        "MVZ": asm.mvz("w", d(D1), D0),
    }.items():
        yield from pair(f"no fold: {name}, ADD.L of others", first, add, 2, 2)
    multiply = asm.mul_l(False, d(D1), D2)
    yield from sequence("no fold: MULU.L, MOVEQ, ADD.L to it", (multiply, quick, add), 6, 5, place="model 2")
    quicks = tuple(asm.moveq(1, n) for n in range(5))
    for n, cycles in ((2, 1), (3, 2), (4, 2), (5, 3)):
        yield from sequence(f"{n} MOVEQ", quicks[:n], n, cycles, place="model 2")
    yield Micro("no fold: MOVEQ, BRA, ADD.L", "model 2", (quick, asm.branch_w("ra", 2), add), 3, 3)
    index_set = (asm.lea(ind(A0), A2), asm.moveq(4, D6), scaled(4))
    yield from sequence("folded MOVEQ, then as index*4", index_set, 4, 6, place="model 2")
