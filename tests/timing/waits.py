"""Micro-benchmarks of docs/timing-model.md, section 1: waits for results. Every sequence is timed again with a page
boundary before its last instruction."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from tests.support import asm
from tests.support.asm import (
    A0,
    A1,
    A2,
    A3,
    A4,
    A5,
    A6,
    A7,
    D0,
    D1,
    D2,
    D3,
    D4,
    D6,
    NOP,
    TPF,
    a,
    at,
    d,
    disp,
    imm,
    ind,
    index,
    post,
    pre,
    words,
)
from tests.timing.program import COLD_BRANCHES, DATA, HANDLER, IPRH, START, Micro, one, sequence

LOAD_A0 = asm.move("l", ind(A0), d(D2))
LOAD_A2 = asm.move("l", ind(A2), d(D2))
ADDRESS = asm.move("l", imm(DATA), d(D1))  # D1 holds an address, which MOVEA.W keeps


def scaled(scale: int) -> bytes:
    """A load with D6 as index: 2 cycles by itself."""
    return asm.move("l", index(A0, D6, 0, scale), d(D2))


def early_results() -> Iterator[Micro]:
    """EARLY results: no wait as an address; as an index 2 or 3 cycles."""
    address_results = {
        "LEA": asm.lea(at(DATA), A2),
        "LEA (d16,An)": asm.lea(disp(A0, 4), A2),
        "MOVEA.L Rx": asm.move("l", a(A3), a(A2)),
        "MOVEA.L #": asm.move("l", imm(DATA), a(A2)),
        "ADDA.L Rx": asm.alu_a("adda", d(D6), A2),
        "ADDA.L #": asm.alu_a("adda", imm(8), A2),
        "SUBA.L Rx": asm.alu_a("suba", d(D6), A2),
        "SUBA.L #": asm.alu_a("suba", imm(8), A2),
        "ADDQ An": asm.addq(4, a(A2)),
        "SUBQ An": asm.subq(4, a(A2)),
        "MOV3Q An": asm.mov3q(4, a(A2)),
    }
    for name, code in address_results.items():
        yield from sequence(f"{name}, then as address", (code, LOAD_A2), 2, 2)
    index_results = {
        "MOVEQ": asm.moveq(4, D6),
        "MOV3Q": asm.mov3q(4, d(D6)),
        "CLR.L": asm.clr("l", d(D6)),
        "MOVE.L Rx": asm.move("l", d(D4), d(D6)),
        "MOVE.L #": asm.move("l", imm(4), d(D6)),
        "ADD.L": asm.alu("add", d(D4), D6),
        "SUB.L": asm.alu("sub", d(D4), D6),
        "AND.L": asm.alu("and", d(D4), D6),
        "OR.L": asm.alu("or", d(D4), D6),
        "EOR.L": asm.alu_to("eor", D4, d(D6)),
        "ADDI": asm.alu_i("addi", 4, D6),
        "SUBI": asm.alu_i("subi", 4, D6),
        "ANDI": asm.alu_i("andi", 4, D6),
        "ORI": asm.alu_i("ori", 4, D6),
        "EORI": asm.alu_i("eori", 4, D6),
        "ADDQ": asm.addq(4, d(D6)),
        "SUBQ": asm.subq(4, d(D6)),
        "NOT": asm.single("not.l", D6),
        "NEG": asm.single("neg.l", D6),
    }
    for name, code in index_results.items():
        wild = asm.moveq(-1, D6) if name == "NOT" else asm.moveq(0, D6) if name == "NEG" else b""
        yield from sequence(f"{name}, then as index", (code, scaled(1)), 3, 5, setup=wild)
        yield from sequence(f"{name}, then as index*4", (code, scaled(4)), 3, 6, setup=wild)
    quick = asm.moveq(4, D6)
    yield from sequence("MOVEQ, then as index*2", (quick, scaled(2)), 3, 6)
    yield from sequence("MOVEQ, then as index*8", (quick, scaled(8)), 3, 6)
    yield from sequence("MOVEQ, one other, then as index", (quick, TPF, scaled(1)), 4, 5)
    yield from sequence("MOVEQ, one other, then as index*4", (quick, TPF, scaled(4)), 4, 6)
    yield from sequence("MOVEQ, two others, then as index", (quick, TPF, TPF, scaled(1)), 5, 5)
    yield from sequence("MOVEQ, two others, then as index*4", (quick, TPF, TPF, scaled(4)), 5, 6)
    yield from sequence("MOVEQ, three others, then as index*4", (quick, TPF, TPF, TPF, scaled(4)), 6, 6)
    yield from sequence("MOVEQ, then index of LEA", (quick, asm.lea(index(A0, D6, 0, 4), A2)), 3, 6)
    yield from sequence("MOVEQ, then index of a store", (quick, asm.move("l", d(D3), index(A0, D6))), 3, 5)
    yield from sequence("MOVEQ, then index of PEA", (quick, asm.pea(index(A0, D6))), 3, 5)
    yield from sequence("LEA, then An as index", (asm.lea(at(4), A2), asm.move("l", index(A0, 8 + A2), d(D2))), 3, 5)
    increment = (asm.move("l", post(A2), d(D2)), asm.move("l", index(A2, D6), d(D3)))
    yield from sequence("(An)+, then as base", increment, 3, 3)
    yield from sequence("(An)+ twice", (asm.move("l", post(A2), d(D2)), asm.move("l", post(A2), d(D3))), 2, 2)
    yield from sequence("-(An) twice", (asm.move("l", pre(A2), d(D2)), asm.move("l", pre(A2), d(D3))), 2, 2)
    yield from sequence("push and pop", (asm.pea(ind(A0)), asm.move("l", post(A7), d(D2))), 2, 2)
    yield from sequence("LINK, then its register", (asm.link(A5, -16), asm.move("l", ind(A5), d(D2))), 3, 3)
    yield from sequence("LINK, then A7", (asm.link(A5, -16), asm.move("l", ind(A7), d(D2))), 3, 3)
    yield from sequence("UNLK, then A7", (asm.unlk(A6), asm.move("l", ind(A7), d(D2))), 2, 2)


def late_results() -> Iterator[Micro]:
    """LATE results: 3 cycles as an address or index, none as an operand."""
    word = asm.move("w", d(D1), a(A2))
    yield from sequence("MOVEA.W, then as address", (word, LOAD_A2), 2, 5, setup=ADDRESS)
    yield from sequence("MOVEA.W, one other, then as address", (word, TPF, LOAD_A2), 3, 5, setup=ADDRESS)
    yield from sequence("MOVEA.W, two others, then as address", (word, TPF, TPF, LOAD_A2), 4, 5, setup=ADDRESS)
    yield from sequence("MOVEA.W, three others, then as address", (word, TPF, TPF, TPF, LOAD_A2), 5, 5, setup=ADDRESS)
    yield from sequence("MOVEA.W, then as operand", (word, asm.move("l", a(A2), d(D2))), 2, 2, setup=ADDRESS)
    yield from sequence("MOVEA.W, then stored", (word, asm.move("l", a(A2), ind(A0))), 2, 2, setup=ADDRESS)
    users = {
        "a store": asm.move("l", d(D3), ind(A2)),
        "LEA": asm.lea(disp(A2, 4), A3),
        "PEA": asm.pea(ind(A2)),
        "(An)+": asm.move("l", post(A2), d(D2)),
        "-(An)": asm.move("l", pre(A2), d(D2)),
        "an operand to modify": asm.addq(1, ind(A2)),
        "MOVEM": asm.movem_load(ind(A2), (D2,)),
    }
    for name, code in users.items():
        yield from sequence(f"MOVEA.W, then as address of {name}", (word, code), 2, 5, setup=ADDRESS)
    jump = Micro("MOVEA.W, then JMP (An)", "model 1", (word, asm.jmp(ind(A2))), 6, 9)
    yield replace(jump, setup=asm.move("l", imm(START + 4), d(D1)))
    yield from sequence("MOVEA.W, then UNLK", (asm.move("w", d(D1), a(A5)), asm.unlk(A5)), 2, 5, setup=ADDRESS)
    stack = asm.move("w", d(D1), a(A7))
    yield from sequence("MOVEA.W to A7, then a push", (stack, asm.pea(ind(A0))), 2, 5, setup=ADDRESS)
    index_results = {
        "MOVE.B": asm.move("b", d(D4), d(D6)),
        "MOVE.W": asm.move("w", d(D4), d(D6)),
        "MVS.B": asm.mvs("b", d(D4), D6),
        "MVZ.W": asm.mvz("w", d(D4), D6),
        "CLR.B": asm.clr("b", d(D6)),
        "CLR.W": asm.clr("w", d(D6)),
        "EXT.W": asm.single("ext.w", D6),
        "EXT.L": asm.single("ext.l", D6),
        "EXTB.L": asm.single("extb.l", D6),
        "ASL.L": asm.shift("asl", 1, D6),
        "LSR.L": asm.shift("lsr", 1, D6),
        "ADDX": asm.addx(D4, D6),
        "SUBX": words(0x9180 | D6 << 9 | D4),
        "SATS": asm.single("sats.l", D6),
        "Scc": words(0x51C0 | D6),
        "BSET": asm.bit("bset", 2, d(D6)),
        "BCHG": asm.bit_by("bchg", D4, d(D6)),
        "MOVE CCR": asm.move_from_ccr(D6),
    }
    for name, code in index_results.items():
        yield from sequence(f"{name}, then as index", (code, scaled(1)), 3, 6)
        yield from sequence(f"{name}, then as index*4", (code, scaled(4)), 3, 6)
    swap = asm.single("swap", D6)
    yield from sequence("SWAP, then as index", (swap, scaled(1)), 3, 6, setup=asm.clr("l", d(D6)))
    usp = asm.move_from_usp(A2)
    yield from sequence("MOVE USP, then as address", (usp, LOAD_A2), 2, 5, setup=asm.move_to_usp(A3))
    # an EARLY operation on a register that is not ready as an address runs in EX itself
    add = asm.alu_a("adda", d(D6), A2)
    yield from sequence("ADDA.L behind MOVEA.W, then as address", (word, add, LOAD_A2), 3, 6, setup=ADDRESS)
    yield from sequence("ADDA.L 3 cycles behind MOVEA.W", (word, TPF, TPF, TPF, add, LOAD_A2), 6, 6, setup=ADDRESS)
    yield from sequence("ADDA.L 2 cycles behind MOVEA.W", (word, TPF, TPF, add, LOAD_A2), 5, 8, setup=ADDRESS)
    copy = asm.move("l", a(A2), a(A3))
    load_a3 = asm.move("l", ind(A3), d(D2))
    yield from sequence("MOVEA.L of a late register", (word, copy, load_a3), 3, 6, setup=ADDRESS)


def loads() -> Iterator[Micro]:
    """Registers that come from memory."""
    pointer = asm.move("l", ind(A1), a(A2))
    yield from sequence("MOVEA.L from memory, then as address", (pointer, LOAD_A2), 2, 4)
    yield from sequence("MOVEA.L from memory, one other, then as address", (pointer, TPF, LOAD_A2), 3, 4)
    yield from sequence("MOVEA.L from memory, two others, then as address", (pointer, TPF, TPF, LOAD_A2), 4, 4)
    yield from sequence("MOVEA.L (An)+, then as address", (asm.move("l", post(A1), a(A2)), LOAD_A2), 2, 4)
    indexed = asm.move("l", index(A1, D6), a(A2))
    yield from sequence("MOVEA.L indexed, then as address", (indexed, LOAD_A2), 3, 5)
    yield from sequence(
        "pointers in a row",
        (pointer, asm.move("l", ind(A2), a(A3)), asm.move("l", ind(A3), d(D2))),
        3,
        7,
        setup=asm.move("l", a(A2), ind(A2)),
    )
    yield from sequence("MOVE.L from memory, then as index", (asm.move("l", ind(A1), d(D6)), scaled(1)), 3, 5)
    yield from sequence("MOVE.L from memory, then as index*4", (asm.move("l", ind(A1), d(D6)), scaled(4)), 3, 5)
    yield from sequence(
        "MOVE.L from memory, then stored", (asm.move("l", ind(A1), d(D3)), asm.move("l", d(D3), ind(A0))), 2, 2
    )
    yield from sequence(
        "MOVE.L from memory, then to a late result",
        (pointer, asm.alu_a("adda", d(D6), A3), asm.alu_a("adda", a(A2), A3), asm.move("l", ind(A3), d(D2))),
        4,
        7,
    )
    late = {
        "MOVEA.W": asm.move("w", disp(A1, 2), a(A2)),
        "ADDA.L": asm.alu_a("adda", ind(A0), A2),
        "SUBA.L": asm.alu_a("suba", ind(A0), A2),
    }
    for name, code in late.items():
        small = asm.clr("l", ind(A0))
        yield from sequence(f"{name} from memory, then as address", (code, LOAD_A2), 2, 5, setup=small)
    for name, code in {
        "MOVE.W": asm.move("w", ind(A3), d(D6)),
        "MVZ.W": asm.mvz("w", ind(A3), D6),
        "MVS.B": asm.mvs("b", ind(A3), D6),
        "ADD.L": asm.alu("add", ind(A3), D6),
        "OR.L": asm.alu("or", ind(A3), D6),
    }.items():
        yield from sequence(f"{name} from memory, then as index", (code, scaled(1)), 3, 6, setup=asm.clr("l", ind(A3)))
    several = asm.movem_load(ind(A1), (8 + A2, 8 + A3, 8 + A4))
    for n, cycles in ((A2, 4), (A3, 5), (A4, 6)):
        use = asm.move("l", ind(n), d(D2))
        yield from sequence(f"MOVEM of A2-A4, then A{n} as address", (several, use), 4, cycles)
    yield from sequence("MOVEM of one, then as address", (asm.movem_load(ind(A1), (8 + A2,)), LOAD_A2), 2, 4)
    yield from sequence("UNLK, then its register as address", (asm.unlk(A6), asm.move("l", ind(A6), d(D2))), 2, 4)


def products() -> Iterator[Micro]:
    """Multiplication and division."""
    multiply = asm.mul_l(False, d(D1), D0)
    word = asm.mul_w(True, d(D1), D0)
    add = asm.alu("add", d(D0), D2)
    store = asm.move("l", d(D0), ind(A0))
    yield from sequence("MULU.L, then as operand", (multiply, add), 5, 5)
    yield from sequence("MULS.W, then as operand", (word, add), 5, 5)
    yield from sequence("MULU.L, one other, then as operand", (multiply, TPF, add), 6, 5)
    yield from sequence("MULU.L, two others, then as operand", (multiply, TPF, TPF, add), 7, 5)
    yield from sequence("MULU.L, three others, then as operand", (multiply, TPF, TPF, TPF, add), 8, 5)
    yield from sequence("MULU.L, then stored", (multiply, store), 5, 5)
    yield from sequence("MULU.L, then stored by MOVEM", (multiply, asm.movem_store((D0, D1), ind(A0))), 6, 6)
    yield from sequence("MULU.L, then its register overwritten", (multiply, asm.moveq(1, D0)), 5, 2)
    yield from sequence("MULU.L, then tested", (multiply, asm.tst("l", d(D0))), 5, 5)
    yield from sequence("MULU.L, then shifts by it", (multiply, asm.shift_by("lsl", D0, D2)), 5, 5)
    yield from sequence("MULU.L twice, independent", (multiply, asm.mul_l(False, d(D1), D2)), 8, 2)
    yield from sequence(
        "MULU.L three times, independent", (multiply, asm.mul_l(False, d(D1), D2), asm.mul_l(True, d(D1), D3)), 12, 3
    )
    yield from sequence("MULU.L twice, dependent", (multiply, multiply), 8, 5)
    yield from sequence("MULU.L beside ADD.L", (multiply, asm.alu("add", d(D3), D2)), 5, 2)
    yield from sequence("MULU.L from memory, then as operand", (asm.mul_l(False, ind(A0), D0), add), 5, 5)
    yield from sequence("MULU.W indexed, then as operand", (asm.mul_w(False, index(A0, D6), D0), add), 6, 6)
    index_product = asm.mul_l(False, d(D3), D6)
    yield from sequence("MULU.L, then as index", (index_product, scaled(1)), 6, 9)
    yield from sequence("MULU.L, then as index*4", (index_product, scaled(4)), 6, 9)
    yield from sequence("MULU.L, two others, then as index", (index_product, TPF, TPF, scaled(1)), 8, 9)
    yield from sequence("MULU.L, NOP, then as operand", (multiply, NOP, add), 11, 8)
    yield from sequence("MULU.L, then DIVU.L by it", (multiply, asm.div_l(False, d(D0), D2)), 39, 39)
    yield from sequence("DIVU.L, then as operand", (asm.div_l(False, d(D1), D0), add), 36, 36)
    yield from sequence("DIVU.W, then as operand", (asm.div_w(False, d(D1), D0), add), 21, 21)
    yield from sequence("DIVU.L, then as index", (asm.div_l(False, d(D1), D6), scaled(4)), 37, 37)
    yield from sequence("REMU.L, then as index", (asm.rem_l(False, d(D1), D0, D6), scaled(1)), 37, 37)
    yield from sequence(
        "MULU.L, DIVU.W of others, then as index", (index_product, asm.div_w(False, d(D1), D0), scaled(1)), 26, 23
    )


def fpu() -> Iterator[Micro]:
    """Results of the FPU and its condition code."""
    setup = b"".join(asm.fp_from("move", "l", d(D6), n) for n in range(4))
    add = asm.fp("add", 0, 1)
    use = asm.fp("add", 1, 2)
    branch = asm.fp_branch(0x0F, 2)

    def fp(name: str, parts: tuple[bytes, ...], flat: int, pipeline: int) -> Iterator[Micro]:
        return sequence(name, parts, flat, pipeline, setup=setup)

    for name in ("add", "sub", "mul", "int", "intrz"):
        yield from fp(f"F{name.upper()}, then its register", (asm.fp(name, 0, 1), use), 8, 5)
    for name in ("add", "sub", "mul"):
        yield from fp(f"FS{name.upper()}, then its register", (asm.fp(name, 0, 1, "s"), use), 8, 5)
        yield from fp(f"FD{name.upper()}, then its register", (asm.fp(name, 0, 1, "d"), use), 8, 5)
    yield from fp("FADD, one other, then its register", (add, TPF, use), 9, 5)
    yield from fp("FADD, three others, then its register", (add, TPF, TPF, TPF, use), 11, 5)
    yield from fp("FADD twice, independent", (add, asm.fp("add", 0, 2)), 8, 2)
    yield from fp("FADD three times, independent", (add, asm.fp("mul", 0, 2), asm.fp("sub", 0, 3)), 12, 3)
    yield from fp("FADD twice to one register", (add, add), 8, 5)
    yield from fp("FADD beside ADD.L", (add, asm.alu("add", d(D0), D1)), 5, 2)
    yield from fp("FADD, then FMOVE.S to memory", (add, asm.fp_to("s", 1, ind(A0))), 5, 5)
    yield from fp("FADD, then FMOVE.L to Dn", (add, asm.fp_to("l", 1, d(D2))), 5, 5)
    yield from fp("FADD, then FMOVE of its register", (add, asm.fp("move", 1, 2)), 5, 5)
    yield from fp("FADD, then FTST of its register", (add, asm.fp("tst", 1, 1)), 5, 5)
    yield from fp("FADD, then FDIV of its register", (add, asm.fp("div", 1, 2)), 27, 27)
    yield from fp("FADD, then FMOVE FPCR", (add, asm.fp_from_control(asm.FPCR, d(D2))), 5, 5)
    yield from fp("FADD, then FMOVE to FPSR", (add, asm.fp_to_control(d(D6), asm.FPSR)), 5, 5)
    yield from fp("FADD, then FBcc", (add, branch), 6, 6)
    yield from fp("FCMP, then FBcc", (asm.fp("cmp", 0, 1), branch), 6, 6)
    yield from fp("FCMP, one other, then FBcc", (asm.fp("cmp", 0, 1), TPF, branch), 7, 6)
    yield from fp("FCMP, then its register", (asm.fp("cmp", 0, 1), use), 8, 2)
    yield from fp("FTST, then FBcc", (asm.fp("tst", 0, 1), branch), 3, 3)
    yield from fp("FADD, FTST of another, then FBcc", (add, asm.fp("tst", 0, 0), branch), 7, 4)
    yield from fp("FMOVE, then FBcc", (asm.fp("move", 0, 1), branch), 3, 3)
    for name in ("move", "neg", "abs"):
        yield from fp(f"F{name.upper()}, then its register", (asm.fp(name, 0, 1), use), 5, 2)
    yield from fp("FDIV, then its register", (asm.fp("div", 0, 1), use), 27, 24)
    yield from fp("FSQRT, then its register", (asm.fp("sqrt", 0, 1), use), 60, 57)
    yield from fp("FADD, FDIV of others, then its register", (add, asm.fp("div", 0, 2), asm.fp("add", 1, 3)), 31, 25)
    yield from fp("FMOVE.L to Dn, then as index", (asm.fp_to("l", 0, d(D6)), scaled(1)), 3, 6)
    yield from fp(
        "MULU.L, then FMOVE.L from Dn", (asm.mul_l(False, d(D1), D0), asm.fp_from("move", "l", d(D0), 1)), 5, 5
    )
    yield from fp("MOVEA.W, then FADD.S (An)", (asm.move("w", d(D1), a(A2)), asm.fp_from("add", "s", ind(A2), 1)), 5, 5)


def emac() -> Iterator[Micro]:
    """The accumulators."""
    mac = asm.mac(asm.Mac(D0, D1, 0))
    read = asm.move_from_emac(asm.ACC0, D2)
    yield from sequence("MAC, then MOVE ACC", (mac, read), 2, 5)
    yield from sequence("MAC twice", (mac, mac), 2, 2)
    yield from sequence("MAC, MSAC of another accumulator", (mac, asm.mac(asm.Mac(D0, D1, 2, subtract=True))), 2, 2)
    yield from sequence("MAC twice, then MOVE ACC", (mac, mac, read), 3, 6)
    yield from sequence("MAC, one other, then MOVE ACC", (mac, TPF, read), 3, 5)
    yield from sequence("MAC, three others, then MOVE ACC", (mac, TPF, TPF, TPF, read), 5, 5)
    yield from sequence("MAC, then MOVE of another accumulator", (mac, asm.move_from_emac(asm.ACC2, D2)), 2, 5)
    yield from sequence("MAC, then MOVCLR", (mac, asm.movclr(0, D2)), 2, 5)
    yield from sequence("MAC, then MOVE ACCext", (mac, asm.move_from_emac(asm.ACCEXT01, D2)), 2, 5)
    yield from sequence("MAC, then MOVE ACC,ACC", (mac, asm.move_acc(0, 1)), 2, 5)
    yield from sequence("MAC, then MOVE MACSR", (mac, asm.move_from_emac(asm.MACSR, D2)), 2, 2)
    yield from sequence("MAC, then MULU.L", (mac, asm.mul_l(False, d(D1), D2)), 5, 2)
    yield from sequence("MULU.L, then MAC of it", (asm.mul_l(False, d(D1), D0), mac), 5, 5)
    yield from sequence("MULU.L, then MAC of others", (asm.mul_l(False, d(D1), D2), mac), 5, 2)
    yield from sequence("MOVE ACC, then as index", (asm.move_from_emac(asm.ACC1, D6), scaled(1)), 3, 6)
    yield from sequence("MOVE MACSR, then as index", (asm.move_from_emac(asm.MACSR, D6), scaled(1)), 3, 6)
    load = asm.mac_load(asm.Mac(D0, D1, 0), ind(A1), 8 + A2)
    yield from sequence("MAC with load, then as address", (load, LOAD_A2), 2, 5)
    walk = asm.mac_load(asm.Mac(D0, D1, 0), post(A1), D2)
    yield from sequence("MAC with load, then its (An)+", (walk, walk), 2, 2)


def stores_and_loads() -> Iterator[Micro]:
    """A load that is issued exactly 4 cycles after a store: 1 cycle more."""
    store = asm.move("l", d(D0), ind(A0))
    load = asm.move("l", ind(A3), d(D2))
    gap = {n: (TPF,) * n for n in range(6)}
    for n, pipeline in ((0, 2), (1, 3), (2, 4), (3, 6), (4, 6), (5, 7)):
        yield from sequence(f"store, {n} others, load", (store, *gap[n], load), 2 + n, pipeline)
    yield from sequence("store, 3 others, load of the same", (store, *gap[3], LOAD_A0), 5, 6)
    yield from sequence("two stores, 2 others, load", (store, store, *gap[2], load), 5, 6)
    yield from sequence("two stores, 3 others, load", (store, store, *gap[3], load), 6, 7)
    yield from sequence("store, 3 others, an operand to modify", (store, *gap[3], asm.addq(1, ind(A3))), 5, 6)
    yield from sequence("store, 3 others, another store", (store, *gap[3], asm.move("l", d(D1), ind(A3))), 5, 5)
    yield from sequence("store, 3 others, LEA", (store, *gap[3], asm.lea(ind(A3), A2)), 5, 5)
    yield from sequence("operand to modify, 3 others, load", (asm.addq(1, ind(A0)), *gap[3], load), 5, 6)
    yield from sequence("push, 3 others, load", (asm.pea(ind(A0)), *gap[3], load), 5, 6)
    yield from sequence("store, 3 others, pop", (store, *gap[3], asm.move("l", post(A7), d(D2))), 5, 6)
    yield from sequence("store, 3 others, UNLK", (store, *gap[3], asm.unlk(A6)), 5, 6)
    yield from sequence("store, 3 others, MOVEM load", (store, *gap[3], asm.movem_load(ind(A3), (D2, D3))), 6, 7)
    yield from sequence("LINK, 2 others, load", (asm.link(A5, -16), *gap[2], load), 5, 6)
    yield from sequence("indexed store, 2 others, load", (asm.move("l", d(D0), index(A0, D6)), *gap[2], load), 5, 6)
    late = (asm.mul_l(False, d(D1), D0), store, *gap[3], load)
    yield from sequence("store after stalls, 3 others, load", late, 9, 10)
    stalled = (store, asm.move("l", ind(A1), a(A2)), LOAD_A2)
    yield from sequence("store, load that stalls until then", stalled, 3, 6)
    stalled = (store, asm.move("w", d(D1), a(A2)), LOAD_A2)
    yield from sequence("store, load that stalls past then", stalled, 3, 6, setup=ADDRESS)
    yield from sequence("store, NOP, load", (store, NOP, load), 8, 8)
    device = (store, *gap[3], asm.move("l", ind(A3), d(D2)))
    yield from sequence("store, 3 others, load of a device", device, 29, 30, setup=asm.lea(at(IPRH), A3))


def barriers() -> Iterator[Micro]:
    """NOP and exceptions."""
    multiply = asm.mul_l(False, d(D1), D0)
    add = asm.alu("add", d(D0), D2)
    yield one("NOP twice", "model 1", NOP + NOP, 12)
    trap = Micro("MULU.L, TRAP, its operand", "model 1", (multiply, asm.trap(0)), 23, 20)
    yield replace(trap, pieces={HANDLER: add + NOP}, end=HANDLER + len(add))
    store = asm.move("l", d(D0), ind(A0))
    folded = Micro("store, TRAP, MOVEQ", "model 2", (store, asm.trap(0)), 20, 20)
    yield replace(folded, pieces={HANDLER: asm.moveq(1, D2) + NOP}, end=HANDLER + 2)
    late = Micro("late result, TRAP, as address", "model 1", (asm.move("w", d(D1), a(A2)), asm.trap(0)), 20, 20)
    yield replace(late, setup=ADDRESS, pieces={HANDLER: LOAD_A2 + NOP}, end=HANDLER + len(LOAD_A2))
    branch = (multiply, asm.branch_w("ra", 2), add)
    yield Micro("MULU.L, BRA, its operand", "model 1", branch, 6, 5)
    yield Micro(
        "late result, BRA, as address",
        "model 1",
        (asm.move("w", d(D1), a(A2)), asm.branch_w("ra", 2), LOAD_A2),
        3,
        5,
        setup=ADDRESS,
    )
    warm = (multiply, asm.branch_b("ne", 2), TPF, add)
    yield Micro("MULU.L, folded Bcc, its operand", "model 1", warm, 6, 5)
    yield Micro("MULU.L, mispredicted Bcc, its operand", "model 1", warm, 6, 10, setup=COLD_BRANCHES)
