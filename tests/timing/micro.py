"""Micro-benchmarks of the time model: small guest programs whose cycles were worked out by hand.

Each has its place in the hardware sheet ("sheet 4.4") or in docs/timing-model.md ("model 2"), and the cycles of its
measured part at each level, typed as numbers from those two texts; no table of the product or of the oracle is behind
them. A program runs ``passes`` times from its setup on, and its last pass is measured: the first one warms caches and
branch structures. NOP stands in front of the measured part, so that nothing of the setup reaches into it.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Literal

from emu.board import Board
from emu.machine import Machine
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
    D5,
    D6,
    D7,
    NOP,
    RTE,
    RTS,
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

__all__ = ["BOARD", "MICROS", "Level", "Micro", "measure", "prepare", "start"]

Level = Literal["flat", "pipeline", "full"]

RAM_BYTES = 1 << 20
MBAR = 0xF0000000
BOARD = Board("micro", "memory for micro-benchmarks", ((0, RAM_BYTES),), None, MBAR, 266_000_000)
SETUP = 0x2000
START = 0x3000  # of the measured part, unless it says otherwise: the first bytes of a page
DATA = 0x6000
POINTERS = DATA + 0x100  # longwords that point at TARGET
TARGET = DATA + 0x200
STACK = 0x8000
HANDLER = 0x5000
SET = 0x2000  # bytes from one line to the next in the same set of a cache
IPRH = MBAR + 0x700  # a device register that may be read

DEC, DESB, DDPI, DHLCK, DCINVA, BEC, BCINVA, IEC = (1 << n for n in (31, 29, 28, 27, 24, 19, 18, 15))
DNFB, ICINVA = 1 << 13, 1 << 8
COPYBACK, INHIBITED = 1 << 25, 2 << 25  # CACR[DDCM]
ON = DEC | DESB | COPYBACK | BEC | IEC
THROUGH = DEC | DESB | BEC | IEC
NO_BUFFER = DEC | BEC | IEC


@dataclass(frozen=True)
class Micro:
    """One micro-benchmark. ``full`` is as ``pipeline`` if left out. ``end``: where the measured part ends, if that is not
    behind its last instruction; ``pieces``: what else is in memory."""

    name: str
    place: str
    parts: tuple[bytes, ...]
    flat: int
    pipeline: int
    full: int | None = None
    setup: bytes = b""
    passes: int = 2
    cacr: int = ON
    origin: int = START
    end: int | None = None
    pieces: dict[int, bytes] = field(default_factory=dict)

    def expected(self, level: Level) -> int:
        """Cycles of the measured part."""
        if level == "flat":
            return self.flat
        return self.full if level == "full" and self.full is not None else self.pipeline

    @property
    def code(self) -> bytes:
        """The measured part."""
        return b"".join(self.parts)

    @property
    def ends_at(self) -> int:
        """Address behind the measured part."""
        return self.origin + len(self.code) if self.end is None else self.end

    def __str__(self) -> str:
        return self.name


# --- running


def registers() -> bytes:
    """What every setup begins with: small numbers in D0-D7, addresses in A0-A7; leaves Z clear."""
    numbers = ((D0, 7), (D1, 3), (D2, 5), (D3, 1), (D4, 2), (D5, 6), (D6, 4), (D7, 9))
    pointers = ((A0, DATA), (A1, POINTERS), (A2, TARGET), (A3, DATA + 0x300), (A4, DATA + 0x400), (A5, DATA + 0x500))
    code = b"".join(asm.lea(at(address), n) for n, address in (*pointers, (A6, POINTERS), (A7, STACK)))
    return code + b"".join(asm.moveq(value, n) for n, value in numbers)


def prepare(micro: Micro, machine: Machine) -> None:
    """Load the program."""
    machine.write_physical(0, struct.pack(">256I", *[HANDLER] * 256))
    machine.write_physical(START, struct.pack(">I", 0x00030003) * ((STACK + 0x1000 - START) // 4))
    machine.write_physical(POINTERS, struct.pack(">I", TARGET) * 16)
    machine.write_physical(HANDLER, NOP + asm.HALT)
    setup = registers() + micro.setup + asm.jmp(at(micro.origin - len(NOP)))
    machine.write_physical(SETUP, setup)
    machine.write_physical(micro.origin - len(NOP), NOP + micro.code + NOP + asm.HALT)
    for address, piece in micro.pieces.items():
        machine.write_physical(address, piece)
    for name in ("vbr", "rambar0", "rambar1"):
        machine.registers[name] = 0
    machine.registers["cacr"] = micro.cacr


def start(machine: Machine) -> None:
    """Go to the setup, as supervisor."""
    machine.registers["sr"] = 0x2700
    machine.registers["pc"] = SETUP


def go_to(machine: Machine, address: int, stepped: bool) -> None:
    """Run until the instruction at ``address`` is next; ``stepped``: with a limit after each instruction."""
    for _ in range(1000):
        if machine.registers["pc"] == address:
            return
        machine.run(max_instructions=1 if stepped else 10_000, stop_at=[address])
    raise AssertionError(f"{address:#x} was not reached: {machine.describe()}")


def measure(micro: Micro, machine: Machine, stepped: bool = False) -> int:
    """Cycles of the measured part in the last pass, by the machine's counter."""
    prepare(micro, machine)
    cycles = 0
    for _ in range(micro.passes):
        start(machine)
        go_to(machine, micro.origin, stepped)
        before = machine.cycles
        go_to(machine, micro.ends_at, stepped)
        cycles = machine.cycles - before
    return cycles


# --- sheet 4.4: cells of moves, arithmetic and logic

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
    row("MOVE.B <ea>,Dn", lambda ea: asm.move("b", ea, d(D2)), (DATA_REGISTER, 1), (WORD_IMMEDIATE, 1), (READABLE, 1), (SCALED_PC, 2)),
    row("MOVE.W <ea>,Dn", lambda ea: asm.move("w", ea, d(D2)), (ANY_REGISTER, 1), (WORD_IMMEDIATE, 1), (READABLE, 1), (SCALED_PC, 2)),
    row("MOVE.L <ea>,Dn", lambda ea: asm.move("l", ea, d(D2)), (ANY_REGISTER, 1), (LONG_IMMEDIATE, 1), (READABLE, 1), (SCALED_PC, 2)),
    row("MOVEA.W <ea>,An", lambda ea: asm.move("w", ea, a(A2)), (ANY_REGISTER, 1), (WORD_IMMEDIATE, 1), (READABLE, 1), (SCALED_PC, 2)),
    row("MOVEA.L <ea>,An", lambda ea: asm.move("l", ea, a(A2)), (ANY_REGISTER, 1), (LONG_IMMEDIATE, 1), (READABLE, 1), (SCALED_PC, 2)),
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
    row("CMP.L", _alu("cmp"), (ANY_REGISTER, 1), (LONG_IMMEDIATE, 1), (READABLE, 1), (SCALED_PC, 2)),
    row("ADD.L <ea>,Dn", _alu("add"), (ANY_REGISTER, 1), (LONG_IMMEDIATE, 1), (READABLE, 1), (SCALED_PC, 2)),
    row("SUB.L <ea>,Dn", _alu("sub"), (ANY_REGISTER, 1), (LONG_IMMEDIATE, 1), (READABLE, 1), (SCALED_PC, 2)),
    row("AND.L <ea>,Dn", _alu("and"), (DATA_REGISTER, 1), (LONG_IMMEDIATE, 1), (READABLE, 1), (SCALED_PC, 2)),
    row("OR.L <ea>,Dn", _alu("or"), (DATA_REGISTER, 1), (LONG_IMMEDIATE, 1), (READABLE, 1), (SCALED_PC, 2)),
    row("ADDA.L", _alu_a("adda"), (ANY_REGISTER, 1), (LONG_IMMEDIATE, 1), (READABLE, 1), (SCALED_PC, 2)),
    row("SUBA.L", _alu_a("suba"), (ANY_REGISTER, 1), (LONG_IMMEDIATE, 1), (READABLE, 1), (SCALED_PC, 2)),
    row("CMPA.L", _alu_a("cmpa"), (ANY_REGISTER, 1), (LONG_IMMEDIATE, 1), (READABLE, 1), (SCALED_PC, 2)),
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
    row("LEA", lambda ea: asm.lea(ea, A2), ({k: READABLE[k] for k in ("(An)", "(d16,An)", "xxx.W", "xxx.L", "(d16,PC)")}, 1), (SCALED_PC, 2)),
    row("PEA", asm.pea, ({k: READABLE[k] for k in ("(An)", "(d16,An)", "xxx.W", "xxx.L", "(d16,PC)")}, 1), (SCALED_PC, 2)),
    Row("MULU.W", lambda ea: asm.mul_w(False, ea, D2), ((DATA_REGISTER, 4, 1), (WORD_IMMEDIATE, 4, 1), (READABLE, 4, 1), (SCALED_PC, 5, 2)), "sheet 4.5, model 1"),
    Row("MULS.W", lambda ea: asm.mul_w(True, ea, D2), ((DATA_REGISTER, 4, 1), (WORD_IMMEDIATE, 4, 1), (READABLE, 4, 1), (SCALED_PC, 5, 2)), "sheet 4.5, model 1"),
    Row("MULU.L", lambda ea: asm.mul_l(False, ea, D2), ((DATA_REGISTER, 4, 1), (FOUR, 4, 1)), "sheet 4.5, model 1"),
    Row("MULS.L", lambda ea: asm.mul_l(True, ea, D2), ((DATA_REGISTER, 4, 1), (FOUR, 4, 1)), "sheet 4.5, model 1"),
    Row("DIVU.W", _divide_words(False), ((DATA_REGISTER, 20, 20), (WORD_IMMEDIATE, 20, 20), (READABLE, 20, 20), (SCALED_PC, 21, 21)), "sheet 4.5"),
    Row("DIVS.W", _divide_words(True), ((DATA_REGISTER, 20, 20), (WORD_IMMEDIATE, 20, 20), (READABLE, 20, 20), (SCALED_PC, 21, 21)), "sheet 4.5"),
    Row("DIVU.L", _divide(False), ((DATA_REGISTER, 35, 35), (FOUR, 35, 35)), "sheet 4.5"),
    Row("DIVS.L", _divide(True), ((DATA_REGISTER, 35, 35), (FOUR, 35, 35)), "sheet 4.5"),
    Row("REMU.L", _remainder(False), ((DATA_REGISTER, 35, 35), (FOUR, 35, 35)), "sheet 4.5"),
    Row("REMS.L", _remainder(True), ((DATA_REGISTER, 35, 35), (FOUR, 35, 35)), "sheet 4.5"),
)  # fmt: skip


def cells() -> Iterator[Micro]:
    """One for each form and addressing mode of the rows."""
    for line in ROWS:
        for modes, flat, pipeline in line.columns:
            for mode, ea in modes.items():
                yield Micro(f"{line.name} {mode}", line.place, (line.make(ea),), flat, pipeline)


def one(
    name: str, place: str, code: bytes, flat: int, pipeline: int | None = None, *, setup: bytes = b"", **more: int
) -> Micro:
    """One instruction."""
    return Micro(name, place, (code,), flat, flat if pipeline is None else pipeline, setup=setup, **more)


FRAME = STACK - 8
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


# --- model 1: waits. Every sequence is timed again with a page boundary before its last instruction.


def sequence(
    name: str, parts: tuple[bytes, ...], flat: int, pipeline: int, *, place: str = "model 1", setup: bytes = b""
) -> Iterator[Micro]:
    """The same twice: all on one page, and with its last instruction on the next."""
    micro = Micro(name, place, parts, flat, pipeline, setup=setup)
    yield micro
    yield replace(micro, name=f"{name} | page", origin=START - sum(map(len, parts[:-1])))


LOAD_A0 = asm.move("l", ind(A0), d(D2))
LOAD_A2 = asm.move("l", ind(A2), d(D2))
ADDRESS = asm.move("l", imm(DATA), d(D1))  # D1 holds an address, which MOVEA.W keeps


def scaled(scale: int) -> bytes:
    """A load with D6 as index: 2 cycles by itself."""
    return asm.move("l", index(A0, D6, 0, scale), d(D2))


COLD_BRANCHES = asm.set_control(asm.CACR, ON | BCINVA)


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


# --- model 2: folding


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


# --- model 3: branches


def branches() -> Iterator[Micro]:
    """Bcc, RTS; flat: 1 and 2. Codes: BNE is taken, BEQ is not."""
    taken, through = asm.branch_b("ne", 2) + TPF, asm.branch_b("eq", 2)
    place = "model 3"

    def cold(name: str, code: bytes, flat: int, pipeline: int, setup: bytes = b"", **more: int) -> Micro:
        return Micro(f"{name}, cold", place, (code,), flat, pipeline, setup=COLD_BRANCHES + setup, **more)

    def warm(name: str, code: bytes, flat: int, pipeline: int, setup: bytes = b"", **more: int) -> Micro:
        return Micro(f"{name}, second time", place, (code,), flat, pipeline, setup=setup, **more)

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


# --- model 4: caches, store buffer, bus. A miss: 24 for the core, the bus is busy for 6 more.

COLD_DATA = asm.set_control(asm.CACR, ON | DCINVA)
PUSH_DC, PUSH_IC, PUSH_BC = 0xF468, 0xF4A8, 0xF4E8


def read(offset: int = 0, n: int = D2) -> bytes:
    """MOVE.L (offset,A0),Dn"""
    return asm.move("l", disp(A0, offset), d(n))


def write(offset: int = 0, n: int = D2) -> bytes:
    """MOVE.L Dn,(offset,A0)"""
    return asm.move("l", d(n), disp(A0, offset))


def in_set(ways: int, operation: Callable[[Ea], bytes]) -> bytes:
    """``operation`` on the line of A0 and on those of the same set, ``ways`` in all."""
    return b"".join(operation(at(DATA + SET * way)) for way in range(ways))


def load(ea: Ea) -> bytes:
    return asm.move("l", ea, d(D2))


def store(ea: Ea) -> bytes:
    return asm.move("l", d(D2), ea)


def line(way: int) -> Ea:
    """A longword of the line number ``way`` in the set of A0."""
    return at(DATA + SET * way)


def memory(
    name: str,
    parts: tuple[bytes, ...],
    flat: int,
    pipeline: int,
    full: int,
    *,
    setup: bytes = COLD_DATA,
    cacr: int = ON,
) -> Micro:
    """Instruction cache warm, data cache empty."""
    return Micro(name, "model 4", parts, flat, pipeline, full, setup=setup, cacr=cacr)


def data_cache() -> Iterator[Micro]:
    """Misses, victims, replacement."""
    yield memory("read miss", (read(),), 1, 1, 25)
    yield memory("read miss, hit in the line", (read(), read(4)), 2, 2, 26)
    yield memory("read miss, another while the bus is busy", (read(), read(16)), 2, 2, 55)
    yield memory("read miss, 4 others, another", (read(), *(TPF,) * 4, read(16)), 6, 6, 55)
    yield memory("read miss, 5 others, another", (read(), *(TPF,) * 5, read(16)), 7, 7, 55)
    yield memory("read miss, 6 others, another", (read(), *(TPF,) * 6, read(16)), 8, 8, 56)
    yield memory("read miss of a byte", (asm.move("b", ind(A0), d(D2)),), 1, 1, 25)
    yield memory("read over two lines", (read(14),), 1, 1, 55)
    yield memory("read over two longwords of a line", (read(2),), 1, 1, 25)
    yield memory("TST miss", (asm.tst("l", ind(A0)),), 1, 1, 25)
    yield memory("MOVEM of two lines", (asm.movem_load(ind(A0), range(8)),), 8, 8, 62)
    yield memory("MOVEM store of two lines", (asm.movem_store(range(8), ind(A0)),), 8, 8, 62)
    yield memory("MOVE memory to memory, two misses", (asm.move("l", ind(A0), ind(A3)),), 2, 2, 56)
    yield memory("copyback write miss", (write(),), 1, 1, 25)
    yield memory("copyback write miss, read hit", (write(), read(8)), 2, 2, 26)
    yield memory("copyback write hit", (read(), write()), 2, 2, 26)
    yield memory("copyback operand to modify", (asm.addq(1, ind(A0)),), 1, 1, 25)
    yield memory("push", (asm.pea(ind(A0)),), 1, 1, 25)
    other = asm.move("l", ind(A3), d(D3))
    clean = in_set(4, load)
    dirty = in_set(4, store)
    touched = in_set(4, load) + in_set(4, store)
    evict = (load(line(4)), other)
    yield memory("clean victim, another miss", evict, 2, 2, 55, setup=COLD_DATA + clean)
    yield memory("dirty victim, another miss", evict, 2, 2, 85, setup=COLD_DATA + dirty)
    yield memory("victim made dirty by a hit, another miss", evict, 2, 2, 85, setup=COLD_DATA + touched)
    write_evict = (store(line(4)), other)
    yield memory("dirty victim of a write miss, another miss", write_evict, 2, 2, 85, setup=COLD_DATA + dirty)
    three = in_set(3, store)
    yield memory("invalid way taken first, another miss", evict, 2, 2, 55, setup=COLD_DATA + three)
    # Replacements: pass 1 turns the counter from 0 by 5 (line 4 for 0, 0 for 1, 1 for 2, 2 for 3, 3 for 4) to 1. Pass
    # 2: 4 for 1, hit of 0, 1 for 2, 2 for 3, 3 for 0: at 1+24; 26; 27, bus free at 31, to 55; 56, 61 to 85; 86, 91 to 115
    reads = tuple(load(line(way)) for way in (4, 0, 1, 2, 3))
    yield memory("five lines in one set", reads, 5, 5, 115, setup=COLD_DATA + clean)
    # A hit does not turn the counter nor protect a line: pass 1: line 4 for 0; hits of 1, 2, 3; counter 1. Pass 2: line
    # 4 for 1, 1 for 2, 2 for 3, 3 for 0.
    again = tuple(load(line(way)) for way in (3, 4, 1, 2, 3))
    yield memory("hits do not count", again, 5, 5, 116, setup=COLD_DATA + clean)
    # Half-lock: ways 2 and 3 only. Pass 1: 2 for 0 (way 2), 0 for 1 (way 3), 1 for 2 (way 2): counter 3. Pass 2: 2 for 1
    # (way 3), hit of 0 in way 2, 1 for 0 (way 2).
    half = asm.set_control(asm.CACR, ON | DHLCK | DCINVA)
    locked = tuple(load(line(way)) for way in (2, 0, 1))
    yield memory("half-locked data cache", locked, 3, 3, 55, setup=half + in_set(2, load))
    # Lines in ways 0 and 1 stay and hit when the half is locked behind them.
    lock = COLD_DATA + in_set(2, load) + asm.set_control(asm.CACR, ON | DHLCK)
    kept = tuple(load(line(way)) for way in (2, 3, 4, 5, 0, 1))
    yield memory("locked lines hit", kept, 6, 6, 117, setup=lock)


def write_through() -> Iterator[Micro]:
    """Write-through mode, with and without the store buffer: 5 cycles of the bus each."""
    cold = asm.set_control(asm.CACR, THROUGH | DCINVA)

    def buffered(name: str, parts: tuple[bytes, ...], flat: int, full: int, setup: bytes = cold) -> Micro:
        return memory(name, parts, flat, flat, full, setup=setup, cacr=THROUGH)

    stores = tuple(write(16 * i) for i in range(9))
    for n, cycles in ((1, 1), (2, 2), (3, 3), (4, 4), (5, 6), (6, 11), (7, 16), (8, 21)):
        yield buffered(f"{n} stores to the store buffer", stores[:n], n, cycles)
    yield buffered("4 stores, one other, another store", (*stores[:4], TPF, stores[4]), 6, 6)
    yield buffered("store does not allocate", (write(), read()), 2, 30)
    yield buffered("store, hit", (write(), read()), 2, 2, cold + read())
    yield buffered("store, miss elsewhere", (write(), read(16)), 2, 30)
    # here the first store is 4 cycles before the load: 5 cells and 1; the bus is free at 21
    yield replace(buffered("4 stores, miss", (*stores[:4], read(80)), 5, 45), pipeline=6)
    yield buffered("operand to modify, miss elsewhere", (asm.addq(1, ind(A0)), read(16)), 2, 60)
    yield buffered("store over two longwords, 3 stores", (write(2), *stores[1:4]), 4, 6)
    # all 8 at the end, 8: the entries end at 13, 18, 23, 28; the last four wait for those
    yield buffered("MOVEM store of 8 to the store buffer", (asm.movem_store(range(8), ind(A0)),), 8, 28)
    yield memory("store, NOP", (write(), NOP), 7, 7, 12, setup=cold, cacr=THROUGH)
    yield memory("4 stores, NOP", (*stores[:4], NOP), 10, 10, 27, setup=cold, cacr=THROUGH)
    yield memory("store, 4 others, NOP", (write(), *(TPF,) * 4, NOP), 11, 11, 12, setup=cold, cacr=THROUGH)
    yield memory("store, 5 others, NOP", (write(), *(TPF,) * 5, NOP), 12, 12, 12, setup=cold, cacr=THROUGH)
    none = asm.set_control(asm.CACR, NO_BUFFER | DCINVA)
    yield memory("store without store buffer", (write(),), 1, 1, 6, setup=none, cacr=NO_BUFFER)
    yield memory("two stores without store buffer", stores[:2], 2, 2, 12, setup=none, cacr=NO_BUFFER)
    yield memory("store without store buffer, NOP", (write(), NOP), 7, 7, 12, setup=none, cacr=NO_BUFFER)
    yield memory("miss, store without store buffer", (read(), write(16)), 2, 2, 36, setup=none, cacr=NO_BUFFER)
    yield memory(
        "copyback store without store buffer",
        (write(),),
        1,
        1,
        25,
        setup=asm.set_control(asm.CACR, NO_BUFFER | COPYBACK | DCINVA),
        cacr=NO_BUFFER | COPYBACK,
    )


def beside_the_caches() -> Iterator[Micro]:
    """Inhibited memory, SRAM, caches that are off."""
    inhibited = DEC | DESB | BEC | IEC | INHIBITED
    yield memory("inhibited read", (read(),), 25, 25, 25, setup=b"", cacr=inhibited)
    yield memory("inhibited write", (write(),), 6, 6, 6, setup=b"", cacr=inhibited)
    yield memory("inhibited operand to modify", (asm.addq(1, ind(A0)),), 30, 30, 30, setup=b"", cacr=inhibited)
    yield memory("two inhibited reads", (read(), read(4)), 50, 50, 50, setup=b"", cacr=inhibited)
    base = 0x20000000
    sram = asm.set_control(asm.RAMBAR0, base | 1) + asm.lea(at(base), A0)
    yield memory("SRAM read", (read(),), 1, 1, 1, setup=sram + COLD_DATA)
    yield memory("SRAM write", (write(),), 1, 1, 1, setup=sram + asm.set_control(asm.CACR, NO_BUFFER | DCINVA))
    off = DESB | BEC | IEC | COPYBACK
    yield memory("data cache off, read", (read(),), 1, 1, 25, setup=b"", cacr=off)
    yield memory("data cache off, write", (write(),), 1, 1, 6, setup=b"", cacr=off)
    # Instruction cache off: NOP is in the longword before START, so the first one of the measured part is fetched.
    no_fetch = DEC | DESB | BEC | COPYBACK
    filled = no_fetch | DNFB
    yield memory("instruction cache off, one word", (TPF,), 1, 1, 25, setup=b"", cacr=no_fetch)
    yield memory("instruction cache off, two words in a longword", (TPF, TPF), 2, 2, 26, setup=b"", cacr=no_fetch)
    yield memory("instruction cache off, three words", (TPF, TPF, TPF), 3, 3, 51, setup=b"", cacr=no_fetch)
    six = asm.move("l", imm(3), d(D2))
    yield memory("instruction cache off, six bytes", (six,), 1, 1, 49, setup=b"", cacr=no_fetch)
    yield memory("instruction cache off, nine words", (TPF,) * 9, 9, 9, 129, setup=b"", cacr=no_fetch)
    yield memory("fill buffer, three words", (TPF,) * 3, 3, 3, 27, setup=b"", cacr=filled)
    yield memory("fill buffer, nine words", (TPF,) * 9, 9, 9, 57, setup=b"", cacr=filled)
    yield memory("fill buffer, instruction over two lines", (*(TPF,) * 7, six), 8, 8, 56, setup=b"", cacr=filled)


def instruction_cache() -> Iterator[Micro]:
    """Fetches: the first pass is measured, so the measured part is in no cache. NOP in front of it lies on another line,
    and its 6 cycles are those in which the bus was still busy."""

    def cold(name: str, parts: tuple[bytes, ...], flat: int, full: int, **more: bytes) -> Micro:
        return Micro(name, "model 4", parts, flat, flat, full, passes=1, setup=more.get("setup", b""))

    yield cold("one word, cold", (TPF,), 1, 25)
    yield cold("eight words on a line, cold", (TPF,) * 8, 8, 32)
    yield cold("nine words on two lines, cold", (TPF,) * 9, 9, 57)
    yield cold("instruction over two lines, cold", (*(TPF,) * 7, asm.move("l", imm(3), d(D2))), 8, 56)
    yield cold("fetch and read miss", (read(),), 1, 54)
    yield replace(cold("TRAP with everything cold", (asm.trap(0),), 18, 96), end=HANDLER)
    invalidate = asm.set_control(asm.CACR, ON | ICINVA)
    yield replace(cold("cold after CACR[ICINVA]", (TPF,), 1, 25, setup=invalidate), passes=2)
    touch = (words(0xF428 | A2), *(TPF,) * 8)
    yield cold("INTOUCH of the next line", touch, 27, 75, setup=asm.lea(at(START + 16), A2))
    yield replace(cold("INTOUCH of a line that is there", touch, 27, 27, setup=asm.lea(at(START + 16), A2)), passes=2)
    again = asm.lea(at(START & (SET - 1) | 16), A2)
    drop = (words(PUSH_IC | A2), *(TPF,) * 8)
    yield Micro("CPUSHL ic of the next line", "model 4", drop, 17, 17, 41, setup=again)
    yield Micro("CPUSHL bc of the next line", "model 4", (words(PUSH_BC | A2), *drop[1:]), 17, 17, 41, setup=again)
    yield Micro("CPUSHL dc leaves instructions alone", "model 4", (words(PUSH_DC | A2), *drop[1:]), 17, 17, setup=again)
    yield Micro("CPUSHL ic of another way", "model 4", drop, 17, 17, setup=again + asm.addq(1, a(A2)))


def pushes() -> Iterator[Micro]:
    """CPUSHL of data; line 0 of the set is in way 0 after an invalidation."""
    select = asm.lea(at(DATA & (SET - 1)), A2)
    cpushl = words(PUSH_DC | A2)
    code = (cpushl, read())
    yield memory("CPUSHL dc of a dirty line", code, 10, 10, 63, setup=COLD_DATA + select + write())
    yield memory("CPUSHL dc of a clean line", code, 10, 10, 34, setup=COLD_DATA + select + read())
    keep = ON | DDPI
    kept = asm.set_control(asm.CACR, keep | DCINVA) + select + write()
    yield memory("CPUSHL dc of a dirty line, CACR[DDPI]", code, 10, 10, 10, setup=kept, cacr=keep)
    busy = (cpushl, read(16))
    yield memory("CPUSHL dc, CACR[DDPI], miss", busy, 10, 10, 63, setup=kept, cacr=keep)
    twice = (cpushl, cpushl, read(16))
    yield memory("CPUSHL dc twice, CACR[DDPI], miss", twice, 19, 19, 63, setup=kept, cacr=keep)
    way = select + asm.addq(1, a(A2))
    yield memory("CPUSHL dc of another way", code, 10, 10, 10, setup=COLD_DATA + way + write())
    yield memory(
        "CPUSHL ic leaves data alone", (words(PUSH_IC | A2), read()), 10, 10, 10, setup=COLD_DATA + select + write()
    )
    frame = asm.move("l", imm(0x40002700), d(D1)) + asm.move("l", d(D1), at(FRAME))
    frame += asm.move("l", imm(START + 2), d(D1)) + asm.move("l", d(D1), at(FRAME + 4)) + asm.lea(at(FRAME), A7)
    yield memory("RTE with its frame cold", (RTE,), 15, 15, 39, setup=frame + COLD_DATA)


MICROS: tuple[Micro, ...] = tuple(
    micro
    for group in (
        cells,
        others,
        early_results,
        late_results,
        loads,
        products,
        fpu,
        emac,
        stores_and_loads,
        barriers,
        folds,
        branches,
        data_cache,
        write_through,
        beside_the_caches,
        instruction_cache,
        pushes,
    )
    for micro in group()
)
