"""What an instruction is, as far as its time depends on it: a decoder of op words written from the CFPRM and the sheet.

Cells are those of the sheet, 4.3 to 4.6. Registers are numbered 0-7 = D0-D7, 8-15 = A0-A7.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal

Where = Literal["Dn", "An", "(An)", "(An)+", "-(An)", "(d16,An)", "(d8,An,Xi)", "xxx", "(d16,PC)", "(d8,PC,Xi)", "#"]
Result = Literal["early", "late", "long load", "load", "multiply", "done"]

A7 = 15
SIZES = {"B": 1, "W": 2, "L": 4, "S": 4, "D": 8}
MODES: tuple[Where, ...] = ("Dn", "An", "(An)", "(An)+", "-(An)", "(d16,An)", "(d8,An,Xi)")
LAST_MODES: tuple[Where, ...] = ("xxx", "xxx", "(d16,PC)", "(d8,PC,Xi)", "#")
INDEXED = ("(d8,An,Xi)", "(d8,PC,Xi)")


class UnknownInstruction(Exception):
    """No instruction of the V4e."""


@dataclass(frozen=True)
class Ea:
    """An effective address. ``register``: Dn or the base register; ``offset``: displacement, or absolute address."""

    where: Where
    register: int = -1
    offset: int = 0
    index: int = -1
    scale: int = 1
    words: int = 0

    @property
    def is_memory(self) -> bool:
        return self.where not in ("Dn", "An", "#")

    @property
    def is_register(self) -> bool:
        return self.where in ("Dn", "An")

    @property
    def is_indexed(self) -> bool:
        return self.where in INDEXED


@dataclass(frozen=True)
class Operand:
    """``count`` data accesses of ``size`` bytes, one behind the other."""

    ea: Ea
    kind: Literal["read", "write", "rmw"]
    size: int
    count: int = 1


@dataclass
class Form:
    """One instruction."""

    name: str
    length: int = 2  # bytes
    cell: int = 1  # cycles from its issue to the next
    latency: int | None = None  # cycles to its result, where the sheet gives both: what the flat level charges
    operands: list[Operand] = field(default_factory=list)  # in memory, in program order
    target: Ea | None = None  # of MOVE, MOV3Q, CLR: where the result goes
    source: Ea | None = None
    addressed: list[Ea] = field(default_factory=list)  # addresses computed without an access: LEA, PEA, JMP, JSR
    reads: set[int] = field(default_factory=set)  # registers read as operands
    results: dict[int, Result] = field(default_factory=dict)  # registers written
    listed: list[int] = field(default_factory=list)  # registers that MOVEM loads, in order
    fp_reads: set[int] = field(default_factory=set)
    fp_result: int = -1
    fp_sets_code: bool = False
    fp_pipelined: bool = False  # the FPU's results come `fpu` cycles after the issue
    fp_reads_code: bool = False
    fp_waits_all: bool = False
    emac_sets: bool = False
    emac_waits: bool = False

    @property
    def memory(self) -> bool:
        """Whether it has a memory operand."""
        return bool(self.operands)

    @property
    def loads(self) -> bool:
        return any(operand.kind != "write" for operand in self.operands)

    @property
    def stores(self) -> bool:
        return any(operand.kind != "read" for operand in self.operands)

    @property
    def bases(self) -> set[int]:
        """Registers that an address is computed from, without index registers."""
        eas = [operand.ea for operand in self.operands] + self.addressed
        return {ea.register for ea in eas if ea.register >= 8}

    @property
    def indices(self) -> list[tuple[int, int]]:
        """(register, scale) of each index."""
        eas = [operand.ea for operand in self.operands] + self.addressed
        return [(ea.index, ea.scale) for ea in eas if ea.index >= 0]

    @property
    def writes(self) -> set[int]:
        """Registers it writes."""
        return {*self.results, *self.listed}


PUSH = Operand(Ea("-(An)", A7), "write", 4)
POP = Operand(Ea("(An)+", A7), "read", 4)


def signed(value: int, bits: int) -> int:
    """Two's complement."""
    return value - (1 << bits) if value >> (bits - 1) & 1 else value


@dataclass
class Decoder:
    """Takes one instruction apart; ``at`` is the next word to read."""

    pc: int
    code: bytes
    at: int = 2

    def word(self) -> int:
        value = int.from_bytes(self.code[self.at : self.at + 2], "big")
        self.at += 2
        return value

    def long(self) -> int:
        return self.word() << 16 | self.word()

    def ea(self, bits: int, size: int = 4) -> Ea:
        """The operand of six mode bits; its extension words are next."""
        mode, number = bits >> 3 & 7, bits & 7
        where = MODES[mode] if mode < 7 else LAST_MODES[number] if number < 5 else None
        if where is None:
            raise UnknownInstruction(self.code.hex())
        start = self.at
        if where == "xxx":
            address = signed(self.word(), 16) & 0xFFFFFFFF if number == 0 else self.long()
            return Ea(where, offset=address, words=(self.at - start) // 2)
        if where == "#":
            value = self.long() if size == 4 else self.word()
            return Ea(where, offset=value, words=(self.at - start) // 2)
        if where == "(d16,PC)":
            return Ea(where, offset=start + self.pc + signed(self.word(), 16), words=1)
        if where in INDEXED:
            extension = self.word()
            offset = signed(extension & 0xFF, 8) + (start + self.pc if mode == 7 else 0)
            base = -1 if mode == 7 else 8 + number
            return Ea(where, base, offset, extension >> 12, 1 << (extension >> 9 & 3), 1)
        if where == "(d16,An)":
            return Ea(where, 8 + number, signed(self.word(), 16), words=1)
        return Ea(where, number if mode == 0 else 8 + number)

    def form(self) -> Form:
        """The whole instruction."""
        op = int.from_bytes(self.code[:2], "big")
        line = op >> 12
        if line in (1, 2, 3):
            form = self.move(op)
        else:
            form = {
                0: self.line_0,
                4: self.line_4,
                5: self.line_5,
                6: self.line_6,
                7: self.line_7,
                8: self.arithmetic,
                9: self.arithmetic,
                10: self.line_a,
                11: self.arithmetic,
                12: self.arithmetic,
                13: self.arithmetic,
                14: self.shifts,
                15: self.line_f,
            }[line](op)
        form.length = self.at
        for operand in form.operands:
            if not operand.ea.is_memory or (operand.kind != "read" and operand.ea.where in ("(d16,PC)", "(d8,PC,Xi)")):
                raise UnknownInstruction(f"{op:04x}")
            if operand.ea.where in ("(An)+", "-(An)"):
                form.results.setdefault(operand.ea.register, "done")
        if -1 in form.results or 0x4AFC == op:  # an immediate is written; ILLEGAL
            raise UnknownInstruction(f"{op:04x}")
        if any(operand.ea.is_indexed for operand in form.operands) or any(ea.is_indexed for ea in form.addressed):
            form.cell += 1
            if form.latency is not None:
                form.latency += 1
        return form

    # --- pieces

    def read(self, form: Form, ea: Ea, size: int) -> None:
        """An operand that is only read."""
        if ea.is_memory:
            form.operands.append(Operand(ea, "read", size))
        elif ea.is_register:
            form.reads.add(ea.register)

    def operation(self, name: str, ea: Ea, size: int, target: int | None, register_result: Result) -> Form:
        """``name`` <ea>,``target``: reads both, writes the target, or nothing if it is None."""
        form = Form(name, source=ea)
        self.read(form, ea, size)
        if target is not None:
            form.results[target] = "load" if ea.is_memory else register_result
        return form

    # --- lines

    def move(self, op: int) -> Form:
        letter = {1: "B", 3: "W", 2: "L"}[op >> 12]
        size = SIZES[letter]
        source = self.ea(op & 0x3F, size)
        target = self.ea(op >> 3 & 0x38 | op >> 9 & 7, size)
        form = Form(f"MOVEA.{letter}" if target.where == "An" else f"MOVE.{letter}", source=source, target=target)
        self.read(form, source, size)
        if target.is_memory:
            form.operands.append(Operand(target, "write", size))
            form.cell = 2 if source.is_memory else 1
        elif source.is_memory:
            form.results[target.register] = "long load" if letter == "L" else "load"
        else:
            form.results[target.register] = "early" if letter == "L" else "late"
        return form

    def line_0(self, op: int) -> Form:
        names = {0x00: "OR.L", 0x02: "AND.L", 0x04: "SUB.L", 0x06: "ADD.L", 0x0A: "EOR.L", 0x0C: "CMP"}
        kind = op >> 8
        if kind in names and op >> 3 & 7 == 0 and (op >> 6 & 3 == 2 or (kind == 0x0C and op >> 6 & 3 < 2)):
            self.ea(0o74, 4 if op >> 6 & 3 == 2 else 2)
            form = Form(names[kind] + "I", reads={op & 7})
            if kind != 0x0C:
                form.results[op & 7] = "early"
            return form
        if kind == 0x08 or op & 0x100:
            name = ("BTST", "BCHG", "BCLR", "BSET")[op >> 6 & 3]
            form = Form(name)
            if kind == 0x08:
                self.word()
            else:
                form.reads.add(op >> 9 & 7)
            ea = self.ea(op & 0x3F, 2)
            if ea.is_memory:
                form.operands.append(Operand(ea, "read" if name == "BTST" else "rmw", 1))
            elif ea.where == "Dn":
                form.reads.add(ea.register)
                if name != "BTST":
                    form.results[ea.register] = "late"
            return form
        raise UnknownInstruction(f"{op:04x}")

    def line_4(self, op: int) -> Form:
        n = op & 7
        exact = {
            0x4E71: Form("NOP", cell=6),
            0x4E72: Form("STOP", cell=6),
            0x4E73: Form("RTE", cell=15, operands=[Operand(Ea("(An)+", A7), "read", 4, 2)]),
            0x4E75: Form("RTS", cell=2, operands=[POP]),
            0x4AC8: Form("HALT"),
            0x4ACC: Form("PULSE"),
        }
        if op in exact:
            if op == 0x4E72:
                self.word()
            return exact[op]
        if op & 0xFFF0 == 0x4E40:
            return Form("TRAP", cell=0)  # its 18 cycles are those of the exception
        if op & 0xFFF8 == 0x4E50:
            self.word()
            return Form("LINK", cell=2, operands=[PUSH], reads={8 + n}, results={8 + n: "done", A7: "done"})
        if op & 0xFFF8 == 0x4E58:
            pop = Operand(Ea("(An)", 8 + n), "read", 4)
            return Form("UNLK", operands=[pop], results={A7: "done", 8 + n: "long load"})
        if op & 0xFFF8 == 0x4E60:
            return Form("MOVE USP", reads={8 + n})
        if op & 0xFFF8 == 0x4E68:
            return Form("MOVE USP", results={8 + n: "late"})
        if op == 0x4E7B:
            return Form("MOVEC", cell=20, reads={self.word() >> 12})
        if op & 0xFFC0 in (0x4E80, 0x4EC0):
            ea = self.ea(op & 0x3F)
            form = Form("JSR" if op & 0xFFC0 == 0x4E80 else "JMP", addressed=[ea])
            form.cell = 1 if ea.where == "xxx" else 5
            if form.name == "JSR":
                form.operands.append(PUSH)
            return form
        if op & 0xF1C0 == 0x41C0:
            ea = self.ea(op & 0x3F)
            if op & 0xFFF8 == 0x49C0:
                return Form("EXTB.L", reads={n}, results={n: "late"})
            return Form("LEA", addressed=[ea], results={8 + (op >> 9 & 7): "early"})
        if op & 0xFFC0 == 0x4840 and op & 0x38:
            return Form("PEA", addressed=[self.ea(op & 0x3F)], operands=[PUSH])
        if op & 0xFB80 == 0x4880 and op & 0x38:
            return self.movem(op)
        if op & 0xFFC0 in (0x4C00, 0x4C40):
            return self.long_multiply(op)
        ones: dict[int, tuple[str, Result]] = {
            0x4080: ("NEGX.L", "late"),
            0x4480: ("NEG.L", "early"),
            0x4680: ("NOT.L", "early"),
            0x4840: ("SWAP", "late"),
            0x4880: ("EXT.W", "late"),
            0x48C0: ("EXT.L", "late"),
            0x4C80: ("SATS", "late"),
        }
        if op & 0xFFF8 in ones:
            name, result = ones[op & 0xFFF8]
            return Form(name, reads={n}, results={n: result})
        if op & 0xFFF8 in (0x40C0, 0x42C0):
            return Form("MOVE from SR" if op & 0xFFF8 == 0x40C0 else "MOVE from CCR", results={n: "late"})
        if op & 0xFFC0 in (0x44C0, 0x46C0):
            name = "MOVE to CCR" if op & 0xFFC0 == 0x44C0 else "MOVE to SR"
            form = self.operation(name, self.ea(op & 0x3F, 2), 2, None, "late")
            if form.memory:
                raise UnknownInstruction(f"{op:04x}")
            form.cell = 9 if name == "MOVE to SR" else 1
            return form
        if op & 0xFFC0 == 0x4AC0:
            return Form("TAS", operands=[Operand(self.ea(op & 0x3F), "rmw", 1)])
        letter = "BWL?"[op >> 6 & 3]
        if letter != "?" and op & 0xFF00 == 0x4200:
            ea = self.ea(op & 0x3F)
            form = Form(f"CLR.{letter}", target=ea)
            if ea.is_memory:
                form.operands.append(Operand(ea, "write", SIZES[letter]))
            else:
                form.results[ea.register] = "early" if letter == "L" else "late"
            return form
        if letter != "?" and op & 0xFF00 == 0x4A00:
            size = SIZES[letter]
            return self.operation(f"TST.{letter}", self.ea(op & 0x3F, size), size, None, "late")
        raise UnknownInstruction(f"{op:04x}")

    def movem(self, op: int) -> Form:
        chosen = self.word()
        registers = [i for i in range(16) if chosen >> i & 1]
        ea = self.ea(op & 0x3F)
        load = bool(op & 0x0400)
        form = Form("MOVEM", cell=max(1, len(registers)))
        form.operands.append(Operand(ea, "read" if load else "write", 4, len(registers)))
        if load:
            form.listed = registers
        else:
            form.reads |= set(registers)
        return form

    def long_multiply(self, op: int) -> Form:
        """MULx.L, DIVx.L, REMx.L"""
        extension = self.word()
        ea = self.ea(op & 0x3F)
        q, r = extension >> 12 & 7, extension & 7
        if op & 0xFFC0 == 0x4C00:
            form = self.operation("MUL.L", ea, 4, None, "late")
            form.latency = 4
            form.results[q] = "multiply"
        else:
            form = self.operation("DIV.L", ea, 4, None, "late")
            form.cell = 35
            form.results[r] = "done"  # DIV has the quotient's register here too, REM only the remainder's
        form.reads.add(q)
        return form

    def line_5(self, op: int) -> Form:
        if op & 0xC0 == 0xC0:
            if op in (0x51FA, 0x51FB, 0x51FC):
                self.at += {0x51FA: 2, 0x51FB: 4, 0x51FC: 0}[op]
                return Form("TPF")
            if op & 0x38:
                raise UnknownInstruction(f"{op:04x}")
            return Form("Scc", results={op & 7: "late"})
        ea = self.ea(op & 0x3F)
        form = Form("SUBQ.L" if op & 0x100 else "ADDQ.L", source=Ea("#"), target=ea)
        if ea.is_memory:
            form.operands.append(Operand(ea, "rmw", 4))
        else:
            form.reads.add(ea.register)
            form.results[ea.register] = "early"
        return form

    def line_6(self, op: int) -> Form:
        self.at += {0x00: 2, 0xFF: 4}.get(op & 0xFF, 0)
        condition = op >> 8 & 0xF
        if condition == 1:
            return Form("BSR", operands=[PUSH])
        return Form("BRA" if condition == 0 else "Bcc")

    def line_7(self, op: int) -> Form:
        n = op >> 9 & 7
        if not op & 0x100:
            return Form("MOVEQ", results={n: "early"})
        size = 2 if op & 0x40 else 1
        return self.operation("MVZ" if op & 0x80 else "MVS", self.ea(op & 0x3F, size), size, n, "late")

    def arithmetic(self, op: int) -> Form:
        """OR, SUB, CMP, EOR, AND, ADD and what shares their lines."""
        base = {8: "OR", 9: "SUB", 11: "CMP", 12: "AND", 13: "ADD"}[op >> 12]
        n, mode = op >> 9 & 7, op >> 6 & 7
        if mode in (3, 7) and base in ("OR", "AND"):  # word divide and multiply
            ea = self.ea(op & 0x3F, 2)
            form = self.operation("DIV.W" if base == "OR" else "MUL.W", ea, 2, None, "late")
            form.reads.add(n)
            if base == "OR":
                form.cell = 20
                form.results[n] = "done"
            else:
                form.latency = 4
                form.results[n] = "multiply"
            return form
        if mode == 7:
            form = self.operation(f"{base}A.L", self.ea(op & 0x3F), 4, None if base == "CMP" else 8 + n, "early")
            form.reads.add(8 + n)
            return form
        if mode == 6 and base in ("ADD", "SUB") and op >> 3 & 7 == 0:
            return Form(f"{base}X.L", reads={n, op & 7}, results={n: "late"})
        if mode == 6:
            ea = self.ea(op & 0x3F)
            form = Form("EOR.L" if base == "CMP" else f"{base}.L", source=Ea("Dn", n), target=ea, reads={n})
            if ea.is_memory:
                form.operands.append(Operand(ea, "rmw", 4))
            else:
                form.reads.add(ea.register)
                form.results[ea.register] = "early"
            return form
        if mode == 2 or (base == "CMP" and mode < 2):
            size = (1, 2, 4)[mode]
            target = None if base == "CMP" else n
            form = self.operation(f"{base}.{'BWL'[mode]}", self.ea(op & 0x3F, size), size, target, "early")
            form.reads.add(n)
            return form
        raise UnknownInstruction(f"{op:04x}")

    def shifts(self, op: int) -> Form:
        if op & 0xD0 != 0x80:
            raise UnknownInstruction(f"{op:04x}")
        form = Form(("AS" if not op & 8 else "LS") + ("L.L" if op & 0x100 else "R.L"), reads={op & 7})
        form.results[op & 7] = "late"
        if op & 0x20:
            form.reads.add(op >> 9 & 7)
        return form

    def line_a(self, op: int) -> Form:
        kind = op >> 6 & 7
        if kind == 5:
            ea = self.ea(op & 0x3F)
            form = Form("MOV3Q", target=ea)
            if ea.is_memory:
                form.operands.append(Operand(ea, "write", 4))
            else:
                form.results[ea.register] = "early"
            return form
        if not kind & 4:
            return self.mac(op)
        which = op >> 9 & 7
        if kind == 4:
            if op & 0x38 == 0x10:
                return Form("MOVE ACC,ACC", emac_waits=True)
            form = self.operation("MOVE to EMAC", self.ea(op & 0x3F), 4, None, "late")
            if form.memory:
                raise UnknownInstruction(f"{op:04x}")
            return form
        if op == 0xA9C0:
            return Form("MOVE MACSR,CCR")
        accumulator = which < 4 or (kind == 6 and which in (5, 7))
        return Form("MOVE from EMAC", results={op & 0xF: "late"}, emac_waits=accumulator)

    def mac(self, op: int) -> Form:
        extension = self.word()
        named = op >> 9 & 7 | (op & 0x40) >> 3
        if not op & 0x30:
            return Form("MAC", reads={named, op & 0xF}, emac_sets=True)
        form = Form("MAC with load", reads={extension >> 12, extension & 0xF}, emac_sets=True)
        form.operands.append(Operand(self.ea(op & 0x3F), "read", 4))
        form.results[named] = "load"
        return form

    def line_f(self, op: int) -> Form:
        if op & 0xFFF8 == 0xF428:
            return Form("INTOUCH", cell=19, reads={8 + (op & 7)})
        if op & 0xFF38 == 0xF428:
            return Form("CPUSHL", cell=9, reads={8 + (op & 7)})
        if op & 0xFFC0 in (0xF300, 0xF340):
            ea = self.ea(op & 0x3F)
            save = op & 0xFFC0 == 0xF300
            operand = Operand(ea, "write" if save else "read", 4, 4)
            return Form("FSAVE" if save else "FRESTORE", cell=4, operands=[operand], fp_waits_all=True)
        if op & 0xFF80 == 0xF280:
            self.at += 4 if op & 0x40 else 2
            return Form("FBcc", cell=2, fp_reads_code=True)
        if op & 0xFF00 == 0xFB00 and op >> 6 & 3 < 3:
            size = (1, 2, 4)[op >> 6 & 3]
            return Form("WDDATA", operands=[Operand(self.ea(op & 0x3F), "read", size)])
        if op & 0xFFC0 == 0xF200:
            return self.fpu(op)
        raise UnknownInstruction(f"{op:04x}")

    def fpu(self, op: int) -> Form:
        extension = self.word()
        kind = extension >> 13
        if kind in (6, 7):
            count = (extension & 0xFF).bit_count()
            operand = Operand(self.ea(op & 0x3F), "read" if kind == 6 else "write", 8, count)
            return Form("FMOVEM", cell=max(1, 2 * count), operands=[operand], fp_waits_all=True)
        if kind in (4, 5):
            ea = self.ea(op & 0x3F)
            form = Form("FMOVE control", fp_waits_all=True)
            if ea.is_memory:
                form.operands.append(Operand(ea, "read" if kind == 4 else "write", 4))
            elif kind == 4:
                form.reads.add(ea.register)
            else:
                form.results[ea.register] = "late"
            return form
        letter = "LS??WDB?"[extension >> 10 & 7]
        register = extension >> 7 & 7
        if kind == 3:
            return self.fpu_store(op, letter, register)
        form = self.fpu_operation(extension & 0x7F, register)
        if kind == 0:
            form.fp_reads.add(extension >> 10 & 7)
        else:
            ea = self.ea(op & 0x3F, SIZES[letter])
            self.read(form, ea, SIZES[letter])
            if letter == "D":  # two longwords
                form.cell += 1
                form.latency = None if form.latency is None else form.latency + 1
        return form

    def fpu_store(self, op: int, letter: str, register: int) -> Form:
        """FMOVE FPn,<ea>"""
        ea = self.ea(op & 0x3F, SIZES[letter])
        form = Form("FMOVE out", fp_reads={register}, cell=2 if letter == "D" else 1)
        if ea.is_memory:
            form.operands.append(Operand(ea, "write", SIZES[letter]))
        else:
            form.results[ea.register] = "late"
        return form

    def fpu_operation(self, opmode: int, register: int) -> Form:
        """The part of an FPU operation that does not depend on its source."""
        plain = 0x04 if opmode in (0x41, 0x45) else opmode & ~0x44 if opmode & 0x40 else opmode
        names = {
            0x00: "FMOVE",
            0x01: "FINT",
            0x03: "FINTRZ",
            0x04: "FSQRT",
            0x18: "FABS",
            0x1A: "FNEG",
            0x20: "FDIV",
            0x22: "FADD",
            0x23: "FMUL",
            0x28: "FSUB",
            0x38: "FCMP",
            0x3A: "FTST",
        }
        if plain not in names:
            raise UnknownInstruction(f"opmode {opmode:02x}")
        form = Form(names[plain], fp_sets_code=True)
        if form.name in ("FADD", "FSUB", "FMUL", "FDIV", "FCMP"):
            form.fp_reads.add(register)
        if form.name not in ("FCMP", "FTST"):
            form.fp_result = register
        if form.name in ("FADD", "FSUB", "FMUL", "FCMP", "FINT", "FINTRZ"):
            form.fp_pipelined = True
            form.latency = 4
        form.cell = {"FDIV": 23, "FSQRT": 56}.get(form.name, 1)
        return form


@lru_cache(1 << 16)
def decode(pc: int, code: bytes) -> Form:
    """The instruction that ``code`` begins with. Forms are shared: they are for reading."""
    return Decoder(pc, code).form()


@dataclass(frozen=True)
class Reference:
    """One data access by virtual address; ``modifies``: of a read-modify-write, which is refused as a whole."""

    kind: Literal["read", "write"]
    address: int
    size: int
    modifies: bool = False


def references(form: Form, registers: list[int]) -> list[Reference]:
    """The data accesses in program order, from the 16 registers before the instruction."""
    values = list(registers)
    found: list[Reference] = []
    for operand in form.operands:
        ea = operand.ea
        step = operand.size * operand.count
        if ea.where == "-(An)":
            values[ea.register] -= step
        at = ea.offset + (values[ea.register] if ea.register >= 0 else 0)
        at += values[ea.index] * ea.scale if ea.index >= 0 else 0
        if ea.where == "(An)+":
            values[ea.register] += step
        for i in range(operand.count):
            address = at + i * operand.size & 0xFFFFFFFF
            if operand.kind != "write":
                found.append(Reference("read", address, operand.size, operand.kind == "rmw"))
            if operand.kind != "read":
                found.append(Reference("write", address, operand.size))
    return found
