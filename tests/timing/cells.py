"""Micro-benchmarks of the cells: every form and addressing mode of the sheet's tables 4.3 to 4.6."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tests.support import asm
from tests.support.asm import (
    A0,
    A1,
    A2,
    A3,
    A5,
    A6,
    A7,
    D0,
    D1,
    D2,
    D3,
    D6,
    D7,
    NOP,
    RTE,
    TPF,
    Ea,
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
from tests.timing.program import DATA, FRAME, HANDLER, START, Micro, one

DISPLACEMENT = 0x100
WORD_ADDRESS = Ea(0o70, words(DATA))
LONG_ADDRESS = at(DATA)
PC_RELATIVE = Ea(0o72, words(DISPLACEMENT))
PC_INDEXED = Ea(0o73, words(D6 << 12 | 0x800 | 0x40))
INDEXED = index(A0, D6, 8)
MEMORY: dict[str, Ea] = {
    "(An)": ind(A0),
    "(An)+": post(A0),
    "-(An)": pre(A0),
    "(d16,An)": disp(A0, 8),
    "xxx.W": WORD_ADDRESS,
    "xxx.L": LONG_ADDRESS,
}
FOUR = {name: MEMORY[name] for name in ("(An)", "(An)+", "-(An)", "(d16,An)")}
READABLE = MEMORY | {"(d16,PC)": PC_RELATIVE}
SCALED = {f"(d8,An,Xi*{scale})": index(A0, D6, 8, scale) for scale in (1, 2, 4, 8)}
SCALED_PC = SCALED | {"(d8,PC,Xi)": PC_INDEXED}
DATA_REGISTER = {"Dn": d(D1)}
ANY_REGISTER = DATA_REGISTER | {"An": a(A3)}
LONG_IMMEDIATE = {"#": imm(3)}
WORD_IMMEDIATE = {"#": imm(3, "w")}

CONTROL = {name: READABLE[name] for name in ("(An)", "(d16,An)", "xxx.W", "xxx.L", "(d16,PC)")}

# Columns that several rows share: (modes, cycles), or (modes, cycles in flat, cycles in the other levels).
LONG_SOURCES = ((ANY_REGISTER, 1), (LONG_IMMEDIATE, 1), (READABLE, 1), (SCALED_PC, 2))
LOGIC_SOURCES = ((DATA_REGISTER, 1), (LONG_IMMEDIATE, 1), (READABLE, 1), (SCALED_PC, 2))
WORD_SOURCES = ((ANY_REGISTER, 1), (WORD_IMMEDIATE, 1), (READABLE, 1), (SCALED_PC, 2))
BYTE_SOURCES = ((DATA_REGISTER, 1), (WORD_IMMEDIATE, 1), (READABLE, 1), (SCALED_PC, 2))
WORD_PRODUCTS = ((DATA_REGISTER, 4, 1), (WORD_IMMEDIATE, 4, 1), (READABLE, 4, 1), (SCALED_PC, 5, 2))
WORD_QUOTIENTS = ((DATA_REGISTER, 20, 20), (WORD_IMMEDIATE, 20, 20), (READABLE, 20, 20), (SCALED_PC, 21, 21))

Make = Callable[[Ea], bytes]


@dataclass(frozen=True)
class Row:
    """A row of table 4.4: modes of each column and the column's cycles (flat, pipeline)."""

    name: str
    make: Make
    columns: tuple[tuple[dict[str, Ea], int, int], ...]
    place: str = "sheet 4.4"


def row(name: str, make: Make, *columns: tuple[dict[str, Ea], int]) -> Row:
    """A row whose cells are the same in all levels."""
    return Row(name, make, tuple((modes, cycles, cycles) for modes, cycles in columns))


def _bit(name: str) -> Make:
    return lambda ea: asm.bit_by(name, D1, ea)


def _bit_number(name: str) -> Make:
    return lambda ea: asm.bit(name, 3, ea)


def _alu(name: str) -> Make:
    return lambda ea: asm.alu(name, ea, D2)


def _alu_a(name: str) -> Make:
    return lambda ea: asm.alu_a(name, ea, A2)


def _alu_to(name: str) -> Make:
    return lambda ea: asm.alu_to(name, D2, ea)


def _alu_i(name: str) -> Make:
    return lambda ea: asm.alu_i(name, 3, ea.mode)


def _single(name: str) -> Make:
    return lambda ea: asm.single(name, ea.mode)


def _shift(name: str) -> Make:
    return lambda ea: asm.shift(name, 3, ea.mode)


def _shift_by(name: str) -> Make:
    return lambda ea: asm.shift_by(name, D2, ea.mode)


def _compare(size: str) -> Make:
    return lambda ea: asm.one(0xB000 | D2 << 9 | {"b": 0x00, "w": 0x40}[size], ea)


def _compare_i(size: str) -> Make:
    return lambda ea: words(0x0C00 | {"b": 0x00, "w": 0x40}[size] | ea.mode, 3)


def _pair(op: int) -> Make:
    """ADDX, SUBX Dy,Dx"""
    return lambda ea: words(op | D2 << 9 | ea.mode)


def _divide_words(signed: bool) -> Make:
    return lambda ea: asm.div_w(signed, ea, D2)


def _divide(signed: bool) -> Make:
    return lambda ea: asm.div_l(signed, ea, D2)


def _remainder(signed: bool) -> Make:
    return lambda ea: asm.rem_l(signed, ea, D2, D3)


ROWS: tuple[Row, ...] = (
    row("MOVE.B <ea>,Dn", lambda ea: asm.move("b", ea, d(D2)), *BYTE_SOURCES),
    row("MOVE.W <ea>,Dn", lambda ea: asm.move("w", ea, d(D2)), *WORD_SOURCES),
    row("MOVE.L <ea>,Dn", lambda ea: asm.move("l", ea, d(D2)), *LONG_SOURCES),
    row("MOVEA.W <ea>,An", lambda ea: asm.move("w", ea, a(A2)), *WORD_SOURCES),
    row("MOVEA.L <ea>,An", lambda ea: asm.move("l", ea, a(A2)), *LONG_SOURCES),
    row("MVS.B <ea>,Dn", lambda ea: asm.mvs("b", ea, D2), (DATA_REGISTER, 1), (READABLE, 1), (SCALED_PC, 2)),
    row("MVS.W <ea>,Dn", lambda ea: asm.mvs("w", ea, D2), (ANY_REGISTER, 1), (READABLE, 1), (SCALED_PC, 2)),
    row("MVZ.B <ea>,Dn", lambda ea: asm.mvz("b", ea, D2), (DATA_REGISTER, 1), (READABLE, 1), (SCALED_PC, 2)),
    row("MVZ.W <ea>,Dn", lambda ea: asm.mvz("w", ea, D2), (ANY_REGISTER, 1), (READABLE, 1), (SCALED_PC, 2)),
    row("MOVE.B Dn,<mem>", lambda ea: asm.move("b", d(D2), ea), (MEMORY, 1), (SCALED, 2)),
    row("MOVE.W Dn,<mem>", lambda ea: asm.move("w", d(D2), ea), (MEMORY, 1), (SCALED, 2)),
    row("MOVE.L Dn,<mem>", lambda ea: asm.move("l", d(D2), ea), (MEMORY, 1), (SCALED, 2)),
    row("MOVE.W An,<mem>", lambda ea: asm.move("w", a(A3), ea), (MEMORY, 1), (SCALED, 2)),
    row("MOVE.L An,<mem>", lambda ea: asm.move("l", a(A3), ea), (MEMORY, 1), (SCALED, 2)),
    row("MOVE.B #,<mem>", lambda ea: asm.move("b", imm(3, "b"), ea), (FOUR, 1)),
    row("MOVE.W #,<mem>", lambda ea: asm.move("w", imm(3, "w"), ea), (FOUR, 1)),
    row("MOVE.L #,<mem>", lambda ea: asm.move("l", imm(3), ea), ({k: FOUR[k] for k in ("(An)", "(An)+", "-(An)")}, 1)),
    row("MOVE.B <mem>,(An)", lambda ea: asm.move("b", ea, ind(A3)), (READABLE, 2), (SCALED_PC, 3)),
    row("MOVE.W <mem>,(An)+", lambda ea: asm.move("w", ea, post(A3)), (READABLE, 2), (SCALED_PC, 3)),
    row("MOVE.L <mem>,-(An)", lambda ea: asm.move("l", ea, pre(A3)), (READABLE, 2), (SCALED_PC, 3)),
    row("MOVE.L <mem>,(d16,An)", lambda ea: asm.move("l", ea, disp(A3, 8)), (FOUR, 2)),
    row("MOVE.L (An),<mem>", lambda ea: asm.move("l", ind(A3), ea), (MEMORY, 2), (SCALED, 3)),
    row("TST.B", lambda ea: asm.tst("b", ea), (DATA_REGISTER, 1), (MEMORY, 1), (SCALED, 2)),
    row("TST.W", lambda ea: asm.tst("w", ea), (DATA_REGISTER, 1), (MEMORY, 1), (SCALED, 2)),
    row("TST.L", lambda ea: asm.tst("l", ea), (DATA_REGISTER, 1), (MEMORY, 1), (SCALED, 2)),
    row("CMP.B", _compare("b"), (DATA_REGISTER, 1), (READABLE, 1), (SCALED_PC, 2)),
    row("CMP.W", _compare("w"), (ANY_REGISTER, 1), (READABLE, 1), (SCALED_PC, 2)),
    row("CMP.L", _alu("cmp"), *LONG_SOURCES),
    row("ADD.L <ea>,Dn", _alu("add"), *LONG_SOURCES),
    row("SUB.L <ea>,Dn", _alu("sub"), *LONG_SOURCES),
    row("AND.L <ea>,Dn", _alu("and"), *LOGIC_SOURCES),
    row("OR.L <ea>,Dn", _alu("or"), *LOGIC_SOURCES),
    row("ADDA.L", _alu_a("adda"), *LONG_SOURCES),
    row("SUBA.L", _alu_a("suba"), *LONG_SOURCES),
    row("CMPA.L", _alu_a("cmpa"), *LONG_SOURCES),
    row("ADD.L Dn,<mem>", _alu_to("add"), (MEMORY, 1), (SCALED, 2)),
    row("SUB.L Dn,<mem>", _alu_to("sub"), (MEMORY, 1), (SCALED, 2)),
    row("AND.L Dn,<mem>", _alu_to("and"), (MEMORY, 1), (SCALED, 2)),
    row("OR.L Dn,<mem>", _alu_to("or"), (MEMORY, 1), (SCALED, 2)),
    row("EOR.L Dn,<ea>", _alu_to("eor"), (DATA_REGISTER, 1), (MEMORY, 1), (SCALED, 2)),
    row("ADDQ.L", lambda ea: asm.addq(4, ea), (ANY_REGISTER, 1), (MEMORY, 1), (SCALED, 2)),
    row("SUBQ.L", lambda ea: asm.subq(4, ea), (ANY_REGISTER, 1), (MEMORY, 1), (SCALED, 2)),
    row("CMPI.B", _compare_i("b"), (DATA_REGISTER, 1)),
    row("CMPI.W", _compare_i("w"), (DATA_REGISTER, 1)),
    row("CMPI.L", _alu_i("cmpi"), (DATA_REGISTER, 1)),
    row("ADDI.L", _alu_i("addi"), (DATA_REGISTER, 1)),
    row("SUBI.L", _alu_i("subi"), (DATA_REGISTER, 1)),
    row("ANDI.L", _alu_i("andi"), (DATA_REGISTER, 1)),
    row("ORI.L", _alu_i("ori"), (DATA_REGISTER, 1)),
    row("EORI.L", _alu_i("eori"), (DATA_REGISTER, 1)),
    row("ADDX.L", _pair(0xD180), (DATA_REGISTER, 1)),
    row("SUBX.L", _pair(0x9180), (DATA_REGISTER, 1)),
    row("ASL.L #", _shift("asl"), (DATA_REGISTER, 1)),
    row("ASR.L #", _shift("asr"), (DATA_REGISTER, 1)),
    row("LSL.L #", _shift("lsl"), (DATA_REGISTER, 1)),
    row("LSR.L #", _shift("lsr"), (DATA_REGISTER, 1)),
    row("ASL.L Dn", _shift_by("asl"), (DATA_REGISTER, 1)),
    row("ASR.L Dn", _shift_by("asr"), (DATA_REGISTER, 1)),
    row("LSL.L Dn", _shift_by("lsl"), (DATA_REGISTER, 1)),
    row("LSR.L Dn", _shift_by("lsr"), (DATA_REGISTER, 1)),
    row("NEG.L", _single("neg.l"), (DATA_REGISTER, 1)),
    row("NEGX.L", _single("negx.l"), (DATA_REGISTER, 1)),
    row("NOT.L", _single("not.l"), (DATA_REGISTER, 1)),
    row("EXT.W", _single("ext.w"), (DATA_REGISTER, 1)),
    row("EXT.L", _single("ext.l"), (DATA_REGISTER, 1)),
    row("EXTB.L", _single("extb.l"), (DATA_REGISTER, 1)),
    row("SWAP", _single("swap"), (DATA_REGISTER, 1)),
    row("Scc", lambda ea: words(0x57C0 | ea.mode), (DATA_REGISTER, 1)),
    row("CLR.B", lambda ea: asm.clr("b", ea), (DATA_REGISTER, 1), (MEMORY, 1), (SCALED, 2)),
    row("CLR.W", lambda ea: asm.clr("w", ea), (DATA_REGISTER, 1), (MEMORY, 1), (SCALED, 2)),
    row("CLR.L", lambda ea: asm.clr("l", ea), (DATA_REGISTER, 1), (MEMORY, 1), (SCALED, 2)),
    row("MOVEQ", lambda ea: asm.moveq(3, ea.mode), (DATA_REGISTER, 1)),
    row("MOV3Q", lambda ea: asm.mov3q(3, ea), (ANY_REGISTER, 1), (MEMORY, 1), (SCALED, 2)),
    row("BTST Dn", _bit("btst"), (DATA_REGISTER, 1), (MEMORY, 1), (SCALED, 2)),
    row("BCHG Dn", _bit("bchg"), (DATA_REGISTER, 1), (MEMORY, 1), (SCALED, 2)),
    row("BCLR Dn", _bit("bclr"), (DATA_REGISTER, 1), (MEMORY, 1), (SCALED, 2)),
    row("BSET Dn", _bit("bset"), (DATA_REGISTER, 1), (MEMORY, 1), (SCALED, 2)),
    row("BTST #", _bit_number("btst"), (DATA_REGISTER, 1), (FOUR, 1)),
    row("BCHG #", _bit_number("bchg"), (DATA_REGISTER, 1), (FOUR, 1)),
    row("BCLR #", _bit_number("bclr"), (DATA_REGISTER, 1), (FOUR, 1)),
    row("BSET #", _bit_number("bset"), (DATA_REGISTER, 1), (FOUR, 1)),
    row("LEA", lambda ea: asm.lea(ea, A2), (CONTROL, 1), (SCALED_PC, 2)),
    row("PEA", asm.pea, (CONTROL, 1), (SCALED_PC, 2)),
    Row("MULU.W", lambda ea: asm.mul_w(False, ea, D2), WORD_PRODUCTS, "sheet 4.5, model 1"),
    Row("MULS.W", lambda ea: asm.mul_w(True, ea, D2), WORD_PRODUCTS, "sheet 4.5, model 1"),
    Row("MULU.L", lambda ea: asm.mul_l(False, ea, D2), ((DATA_REGISTER, 4, 1), (FOUR, 4, 1)), "sheet 4.5, model 1"),
    Row("MULS.L", lambda ea: asm.mul_l(True, ea, D2), ((DATA_REGISTER, 4, 1), (FOUR, 4, 1)), "sheet 4.5, model 1"),
    Row("DIVU.W", _divide_words(False), WORD_QUOTIENTS, "sheet 4.5"),
    Row("DIVS.W", _divide_words(True), WORD_QUOTIENTS, "sheet 4.5"),
    Row("DIVU.L", _divide(False), ((DATA_REGISTER, 35, 35), (FOUR, 35, 35)), "sheet 4.5"),
    Row("DIVS.L", _divide(True), ((DATA_REGISTER, 35, 35), (FOUR, 35, 35)), "sheet 4.5"),
    Row("REMU.L", _remainder(False), ((DATA_REGISTER, 35, 35), (FOUR, 35, 35)), "sheet 4.5"),
    Row("REMS.L", _remainder(True), ((DATA_REGISTER, 35, 35), (FOUR, 35, 35)), "sheet 4.5"),
)


def cells() -> Iterator[Micro]:
    """One for each form and addressing mode of the rows."""
    for line in ROWS:
        for modes, flat, pipeline in line.columns:
            for mode, ea in modes.items():
                yield Micro(f"{line.name} {mode}", line.place, (line.make(ea),), flat, pipeline)


BEHIND = 2  # a target behind an instruction of two bytes: START + 2


def others() -> Iterator[Micro]:
    """Cells of tables 4.3 to 4.6 that do not fit rows."""
    move_in = asm.fp_from("move", "l", d(D6), 0) + asm.fp_from("move", "l", d(D6), 1)
    yield one("LINK", "sheet 4.4", asm.link(A5, -16), 2)
    yield one("UNLK", "sheet 4.4", asm.unlk(A6), 1)
    for count in (1, 2, 3, 7, 8):
        yield one(f"MOVEM load of {count}", "sheet 4.4", asm.movem_load(ind(A0), range(count)), count)
        yield one(f"MOVEM load of {count} (d16,An)", "sheet 4.4", asm.movem_load(disp(A0, 8), range(count)), count)
        yield one(f"MOVEM store of {count}", "sheet 4.4", asm.movem_store(range(count), ind(A0)), count)
        yield one(f"MOVEM store of {count} (d16,An)", "sheet 4.4", asm.movem_store(range(count), disp(A0, 8)), count)
    yield one("MOVEM load of nothing", "sheet 4.8", asm.movem_load(ind(A0), ()), 1)
    yield one("MOVEM store of nothing", "sheet 4.8", asm.movem_store((), ind(A0)), 1)
    yield one("MOVEM load of 15", "sheet 4.4", asm.movem_load(ind(A0), range(15)), 15)
    yield one("TPF", "sheet 4.4", TPF, 1)
    yield one("TPF.W", "sheet 4.4", words(0x51FA, 0x1234), 1)
    yield one("TPF.L", "sheet 4.4", words(0x51FB, 0x1234, 0x5678), 1)
    yield one("NOP", "sheet 4.4", NOP, 6)
    yield one("TRAP", "sheet 4.4", asm.trap(3), 18, end=HANDLER)
    yield one("MOVEC", "sheet 4.4", asm.movec(D3, asm.ASID), 20)
    yield one("MOVE #,SR", "sheet 4.4", asm.move_to_sr(imm(0x2700, "w")), 9)
    yield one("MOVE Dn,SR", "sheet 4.4", asm.move_to_sr(d(D7)), 9, setup=asm.move("w", imm(0x2700, "w"), d(D7)))
    yield one("CPUSHL", "sheet 4.4", words(0xF4E8 | A2), 9)
    yield one("INTOUCH", "sheet 4.4", words(0xF428 | A2), 19)
    # 4.3: JMP and JSR; the target is what follows
    yield one("JMP (An)", "sheet 4.3", asm.jmp(ind(A2)), 5, setup=asm.lea(at(START + BEHIND), A2))
    yield one("JSR (An)", "sheet 4.3", asm.jsr(ind(A2)), 5, setup=asm.lea(at(START + BEHIND), A2))
    near = asm.lea(at(START - 4), A2)
    yield one("JMP (d16,An)", "sheet 4.3", asm.jmp(disp(A2, 8)), 5, setup=near)
    yield one("JSR (d16,An)", "sheet 4.3", asm.jsr(disp(A2, 8)), 5, setup=near)
    for scale, displacement in ((1, 4), (2, 0), (4, -8), (8, -24)):  # START - 4 + 4 * scale + displacement = START + 4
        yield one(f"JMP (d8,An,Xi*{scale})", "sheet 4.3", asm.jmp(index(A2, D6, displacement, scale)), 6, setup=near)
        yield one(f"JSR (d8,An,Xi*{scale})", "sheet 4.3", asm.jsr(index(A2, D6, displacement, scale)), 6, setup=near)
    yield one("JMP xxx.W", "sheet 4.3", asm.jmp(Ea(0o70, words(START + 4))), 1)
    yield one("JSR xxx.W", "sheet 4.3", asm.jsr(Ea(0o70, words(START + 4))), 1)
    yield one("JMP xxx.L", "sheet 4.3", asm.jmp(at(START + 6)), 1)
    yield one("JSR xxx.L", "sheet 4.3", asm.jsr(at(START + 6)), 1)
    yield one("BRA.B", "sheet 4.3", asm.branch_b("ra", 2), 1, end=START + 4)
    yield one("BRA.W", "sheet 4.3", asm.branch_w("ra", 2), 1)
    yield one("BRA.L", "sheet 4.3", words(0x60FF, 0, 4), 1)
    yield one("BSR.B", "sheet 4.3", asm.branch_b("sr", 2), 1, end=START + 4)
    yield one("BSR.W", "sheet 4.3", asm.branch_w("sr", 2), 1)
    yield one("BSR.L", "sheet 4.3", words(0x61FF, 0, 4), 1)
    frame = asm.move("l", imm(0x40002700), d(D0)) + asm.move("l", d(D0), at(FRAME))
    frame += asm.move("l", imm(START + 2), d(D0)) + asm.move("l", d(D0), at(FRAME + 4)) + asm.lea(at(FRAME), A7)
    yield one("RTE", "sheet 4.3", RTE, 15, setup=frame)
    # 4.6
    for name in ("add", "sub", "mul", "cmp", "int", "intrz"):
        yield one(f"F{name.upper()} FPm,FPn", "sheet 4.6, model 1", asm.fp(name, 0, 1), 4, 1, setup=move_in)
    for name in ("add", "sub", "mul"):
        for precision in "sd":
            code = asm.fp(name, 0, 1, precision)
            yield one(f"F{precision}{name} FPm,FPn".upper(), "sheet 4.6, model 1", code, 4, 1, setup=move_in)
    for name in ("move", "neg", "abs", "tst"):
        yield one(f"F{name.upper()} FPm,FPn", "sheet 4.6", asm.fp(name, 0, 1), 1, setup=move_in)
    yield one("FDIV FPm,FPn", "sheet 4.6", asm.fp("div", 0, 1), 23, setup=move_in)
    yield one("FSDIV FPm,FPn", "sheet 4.6", asm.fp("div", 0, 1, "s"), 23, setup=move_in)
    yield one("FSQRT FPm,FPn", "sheet 4.6", asm.fp("sqrt", 0, 1), 56, setup=move_in)
    yield one("FDSQRT FPm,FPn", "sheet 4.6", asm.fp("sqrt", 0, 1, "d"), 56, setup=move_in)
    yield one("FBT", "sheet 4.6", asm.fp_branch(0x0F, 2), 2)
    yield one("FBF", "sheet 4.6", asm.fp_branch(0x00, 8), 2)
    # 4.5
    for name, fields in {
        "MAC.L": asm.Mac(D0, D1, 0),
        "MSAC.W": asm.Mac(D0, A1 + 8, 3, long=False, subtract=True),
    }.items():
        yield one(name, "sheet 4.5", asm.mac(fields), 1)
        for mode, ea in FOUR.items():
            yield one(f"{name} with load {mode}", "sheet 4.5", asm.mac_load(fields, ea, D2), 1)
    for acc in range(4):
        yield one(f"MOVE ACC{acc},Dn", "sheet 4.5", asm.move_from_emac(acc, D1), 1)
