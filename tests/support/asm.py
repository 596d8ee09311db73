"""ColdFire machine code from Python, so that machine tests need no cross compiler.

Each function returns the bytes of one instruction; operands are made by the functions of the first section.
Encodings: ColdFire Family Programmer's Reference Manual (CFPRM), chapters 4 and 8; tests/machine/test_asm.py compares
them with GNU as.
"""

import struct
from collections.abc import Iterable
from dataclasses import dataclass, field

D0, D1, D2, D3, D4, D5, D6, D7 = range(8)
A0, A1, A2, A3, A4, A5, A6, A7 = range(8)
SP = A7
CACR, ASID, ACR0, ACR1, ACR2, ACR3, MMUBAR = range(2, 9)
VBR, RAMBAR0, RAMBAR1, MBAR = 0x801, 0xC04, 0xC05, 0xC0F
_MOVE_SIZE = {"b": 1, "w": 3, "l": 2}
_SIZE = {"b": 0, "w": 1, "l": 2}
_CONDITIONS = ("ra", "sr", "hi", "ls", "cc", "cs", "ne", "eq", "vc", "vs", "pl", "mi", "ge", "lt", "gt", "le")
CONDITIONS = {name: i for i, name in enumerate(_CONDITIONS)}


def words(*values: int) -> bytes:
    """16-bit words, big-endian."""
    return b"".join(struct.pack(">H", value & 0xFFFF) for value in values)


def long(value: int) -> bytes:
    """A 32-bit word, big-endian."""
    return struct.pack(">I", value & 0xFFFFFFFF)


# --- effective addresses


@dataclass(frozen=True)
class Ea:
    """An operand: its six mode bits and its extension words."""

    mode: int
    extension: bytes = b""


def d(n: int) -> Ea:
    """Dn"""
    return Ea(n)


def a(n: int) -> Ea:
    """An"""
    return Ea(0o10 | n)


def ind(n: int) -> Ea:
    """(An)"""
    return Ea(0o20 | n)


def post(n: int) -> Ea:
    """(An)+"""
    return Ea(0o30 | n)


def pre(n: int) -> Ea:
    """-(An)"""
    return Ea(0o40 | n)


def disp(n: int, displacement: int) -> Ea:
    """(d16,An)"""
    return Ea(0o50 | n, words(displacement))


def index(n: int, xn: int, displacement: int = 0, scale: int = 1) -> Ea:
    """(d8,An,Xn.L*scale); ``xn``: 0-7 = D0-D7, 8-15 = A0-A7"""
    return Ea(0o60 | n, words(xn << 12 | 0x800 | {1: 0, 2: 1, 4: 2, 8: 3}[scale] << 9 | displacement & 0xFF))


def at(address: int) -> Ea:
    """(xxx).L"""
    return Ea(0o71, long(address))


def pc_disp(displacement: int) -> Ea:
    """(d16,PC)"""
    return Ea(0o72, words(displacement))


def imm(value: int, size: str = "l") -> Ea:
    """#value"""
    return Ea(0o74, long(value) if size == "l" else words(value & (0xFF if size == "b" else 0xFFFF)))


def one(op: int, ea: Ea, *extension: int) -> bytes:
    """An instruction with one general operand; ``extension`` stands before the operand's own words."""
    return words(op | ea.mode, *extension) + ea.extension


# --- moves


def move(size: str, source: Ea, target: Ea) -> bytes:
    """MOVE or MOVEA"""
    swapped = (target.mode & 7) << 3 | target.mode >> 3
    return words(_MOVE_SIZE[size] << 12 | swapped << 6 | source.mode) + source.extension + target.extension


def moveq(value: int, n: int) -> bytes:
    return words(0x7000 | n << 9 | value & 0xFF)


def mov3q(value: int, target: Ea) -> bytes:
    """#-1, 1..7"""
    return one(0xA140 | (0 if value == -1 else value) << 9, target)


def mvs(size: str, source: Ea, n: int) -> bytes:
    return one(0x7100 | n << 9 | _SIZE[size] << 6, source)


def mvz(size: str, source: Ea, n: int) -> bytes:
    return one(0x7180 | n << 9 | _SIZE[size] << 6, source)


def lea(source: Ea, n: int) -> bytes:
    return one(0x41C0 | n << 9, source)


def pea(source: Ea) -> bytes:
    return one(0x4840, source)


def clr(size: str, target: Ea) -> bytes:
    return one(0x4200 | _SIZE[size] << 6, target)


def register_mask(registers: Iterable[int]) -> int:
    """MOVEM list: bit 0 = D0 .. bit 15 = A7."""
    return sum(1 << n for n in registers)


def movem_store(registers: Iterable[int], target: Ea) -> bytes:
    return one(0x48C0, target, register_mask(registers))


def movem_load(source: Ea, registers: Iterable[int]) -> bytes:
    return one(0x4CC0, source, register_mask(registers))


def link(n: int, displacement: int) -> bytes:
    return words(0x4E50 | n, displacement)


def unlk(n: int) -> bytes:
    return words(0x4E58 | n)


# --- arithmetic and logic

_TO_REGISTER = {"add": 0xD080, "sub": 0x9080, "and": 0xC080, "or": 0x8080, "cmp": 0xB080}
_TO_ADDRESS = {"adda": 0xD1C0, "suba": 0x91C0, "cmpa": 0xB1C0}
_TO_MEMORY = {"add": 0xD180, "sub": 0x9180, "and": 0xC180, "or": 0x8180, "eor": 0xB180}
_IMMEDIATE = {"addi": 0x0680, "subi": 0x0480, "andi": 0x0280, "ori": 0x0080, "eori": 0x0A80, "cmpi": 0x0C80}
_ONE_REGISTER = {
    "swap": 0x4840,
    "ext.w": 0x4880,
    "ext.l": 0x48C0,
    "extb.l": 0x49C0,
    "neg.l": 0x4480,
    "negx.l": 0x4080,
    "not.l": 0x4680,
    "sats.l": 0x4C80,
}
_SHIFTS = {"asr": 0xE080, "lsr": 0xE088, "asl": 0xE180, "lsl": 0xE188}
_BITS = {"btst": 0x00, "bchg": 0x40, "bclr": 0x80, "bset": 0xC0}


def alu(name: str, source: Ea, n: int) -> bytes:
    """add, sub, and, or, cmp .L <ea>,Dn"""
    return one(_TO_REGISTER[name] | n << 9, source)


def alu_a(name: str, source: Ea, n: int) -> bytes:
    """adda, suba, cmpa .L <ea>,An"""
    return one(_TO_ADDRESS[name] | n << 9, source)


def alu_to(name: str, n: int, target: Ea) -> bytes:
    """add, sub, and, or, eor .L Dn,<ea>"""
    return one(_TO_MEMORY[name] | n << 9, target)


def alu_i(name: str, value: int, n: int) -> bytes:
    """addi, subi, andi, ori, eori, cmpi .L #value,Dn"""
    return words(_IMMEDIATE[name] | n) + long(value)


def addq(value: int, target: Ea) -> bytes:
    return one(0x5080 | (value & 7) << 9, target)


def subq(value: int, target: Ea) -> bytes:
    return one(0x5180 | (value & 7) << 9, target)


def addx(source: int, target: int) -> bytes:
    return words(0xD180 | target << 9 | source)


def tst(size: str, source: Ea) -> bytes:
    return one(0x4A00 | _SIZE[size] << 6, source)


def single(name: str, n: int) -> bytes:
    """swap, ext.w, ext.l, extb.l, neg.l, negx.l, not.l, sats.l Dn"""
    return words(_ONE_REGISTER[name] | n)


def shift(name: str, count: int, n: int) -> bytes:
    """asr, lsr, asl, lsl .L #count,Dn (1..8)"""
    return words(_SHIFTS[name] | (count & 7) << 9 | n)


def shift_by(name: str, counter: int, n: int) -> bytes:
    """asr, lsr, asl, lsl .L Dcounter,Dn"""
    return words(_SHIFTS[name] | 0x20 | counter << 9 | n)


def bit(name: str, number: int, target: Ea) -> bytes:
    """btst, bchg, bclr, bset #number,<ea>"""
    return one(0x0800 | _BITS[name], target, number)


def bit_by(name: str, n: int, target: Ea) -> bytes:
    """btst, bchg, bclr, bset Dn,<ea>"""
    return one(0x0100 | _BITS[name] | n << 9, target)


def tas(target: Ea) -> bytes:
    return one(0x4AC0, target)


def mul_w(signed: bool, source: Ea, n: int) -> bytes:
    return one((0xC1C0 if signed else 0xC0C0) | n << 9, source)


def mul_l(signed: bool, source: Ea, n: int) -> bytes:
    return one(0x4C00, source, n << 12 | signed << 11)


def div_w(signed: bool, source: Ea, n: int) -> bytes:
    return one((0x81C0 if signed else 0x80C0) | n << 9, source)


def div_l(signed: bool, source: Ea, n: int) -> bytes:
    return one(0x4C40, source, n << 12 | signed << 11 | n)


def rem_l(signed: bool, source: Ea, n: int, remainder: int) -> bytes:
    """remx.l <ea>,Dremainder:Dn"""
    return one(0x4C40, source, n << 12 | signed << 11 | remainder)


# --- control

NOP, TPF, RTS, RTE, HALT, ILLEGAL = (words(op) for op in (0x4E71, 0x51FC, 0x4E75, 0x4E73, 0x4AC8, 0x4AFC))


def branch_w(condition: str, displacement: int) -> bytes:
    """Bcc.W, BRA.W, BSR.W: ``displacement`` from the instruction's address + 2"""
    return words(0x6000 | CONDITIONS[condition] << 8, displacement)


def branch_b(condition: str, displacement: int) -> bytes:
    """Bcc.B, BRA.B, BSR.B"""
    return words(0x6000 | CONDITIONS[condition] << 8 | displacement & 0xFF)


def jmp(target: Ea) -> bytes:
    return one(0x4EC0, target)


def jsr(target: Ea) -> bytes:
    return one(0x4E80, target)


def trap(number: int) -> bytes:
    return words(0x4E40 | number)


def stop(sr: int) -> bytes:
    return words(0x4E72, sr)


def movec(register: int, control: int) -> bytes:
    """MOVEC; ``register``: 0-7 = D0-D7, 8-15 = A0-A7"""
    return words(0x4E7B, register << 12 | control)


def move_to_sr(source: Ea) -> bytes:
    """MOVE.W Dn,SR or #imm,SR"""
    return one(0x46C0, source)


def move_from_sr(n: int) -> bytes:
    return words(0x40C0 | n)


def move_to_ccr(source: Ea) -> bytes:
    return one(0x44C0, source)


def move_from_ccr(n: int) -> bytes:
    return words(0x42C0 | n)


def move_to_usp(n: int) -> bytes:
    return words(0x4E60 | n)


def move_from_usp(n: int) -> bytes:
    return words(0x4E68 | n)


def fsave(target: Ea) -> bytes:
    return one(0xF300, target)


def frestore(source: Ea) -> bytes:
    return one(0xF340, source)


# --- EMAC (CFPRM chapter 6); registers: 0-7 = D0-D7, 8-15 = A0-A7

ACC0, ACC1, ACC2, ACC3, MACSR, ACCEXT01, MASK, ACCEXT23 = range(8)
MACSR_TO_CCR = words(0xA9C0)


@dataclass(frozen=True)
class Mac:
    """The fields that all forms of MAC and MSAC share. ``scale``: 0, 1 = << 1, 3 = >> 1."""

    x: int
    y: int
    acc: int
    long: bool = True
    subtract: bool = False
    scale: int = 0
    upper_x: bool = False
    upper_y: bool = False

    @property
    def extension(self) -> int:
        """The extension word without the fields of a load."""
        return (
            self.long << 11
            | self.scale << 9
            | self.subtract << 8
            | self.upper_x << 7
            | self.upper_y << 6
            | (self.acc & 2) << 3
        )


def mac(fields: Mac) -> bytes:
    """MAC, MSAC"""
    op = 0xA000 | (fields.x & 7) << 9 | (fields.x & 8) << 3 | (fields.acc & 1) << 7 | fields.y
    return words(op, fields.extension)


def mac_load(fields: Mac, source: Ea, target: int, masked: bool = False) -> bytes:
    """MAC, MSAC with a load; ``masked``: the & of the operand"""
    op = 0xA000 | (target & 7) << 9 | (target & 8) << 3 | (~fields.acc & 1) << 7
    return one(op, source, fields.extension | fields.x << 12 | masked << 5 | fields.y)


def move_to_emac(source: Ea, which: int) -> bytes:
    """MOVE.L <ea>,ACCx / MACSR / ACCext / MASK"""
    return one(0xA100 | which << 9, source)


def move_from_emac(which: int, register: int) -> bytes:
    """MOVE.L ACCx / MACSR / ACCext / MASK,Rx"""
    return words(0xA180 | which << 9 | register)


def movclr(acc: int, register: int) -> bytes:
    return words(0xA1C0 | acc << 9 | register)


def move_acc(source: int, target: int) -> bytes:
    """MOVE.L ACCy,ACCx"""
    return words(0xA110 | target << 9 | source)


# --- FPU (CFPRM chapter 7)

FPU_FORMATS = {"l": 0, "s": 1, "w": 4, "d": 5, "b": 6}
FPU_OPMODES = {
    "move": 0x00,
    "int": 0x01,
    "intrz": 0x03,
    "sqrt": 0x04,
    "abs": 0x18,
    "neg": 0x1A,
    "div": 0x20,
    "add": 0x22,
    "mul": 0x23,
    "sub": 0x28,
    "cmp": 0x38,
    "tst": 0x3A,
}
_FPU_ROUNDED = {"sqrt": 0x41}
FPCR, FPSR, FPIAR = 4, 2, 1


def fpu_opmode(name: str, precision: str = "") -> int:
    """``precision``: "", "s" (FSADD ...) or "d" (FDADD ...)"""
    if not precision:
        return FPU_OPMODES[name]
    return _FPU_ROUNDED.get(name, FPU_OPMODES[name] | 0x40) | (4 if precision == "d" else 0)


def fp(name: str, source: int, target: int, precision: str = "") -> bytes:
    """An FPU operation FPsource,FPtarget"""
    return words(0xF200, source << 10 | target << 7 | fpu_opmode(name, precision))


def fp_from(name: str, size: str, source: Ea, target: int, precision: str = "") -> bytes:
    """An FPU operation <ea>,FPtarget"""
    return one(0xF200, source, 0x4000 | FPU_FORMATS[size] << 10 | target << 7 | fpu_opmode(name, precision))


def fp_to(size: str, source: int, target: Ea) -> bytes:
    """FMOVE FPsource,<ea>"""
    return one(0xF200, target, 0x6000 | FPU_FORMATS[size] << 10 | source << 7)


def fp_to_control(source: Ea, register: int) -> bytes:
    """FMOVE.L <ea>,FPCR / FPSR / FPIAR"""
    return one(0xF200, source, 0x8000 | register << 10)


def fp_from_control(register: int, target: Ea) -> bytes:
    """FMOVE.L FPCR / FPSR / FPIAR,<ea>"""
    return one(0xF200, target, 0xA000 | register << 10)


def fp_list(registers: Iterable[int]) -> int:
    """FMOVEM list: bit 7 = FP0."""
    return sum(0x80 >> n for n in registers)


def fmovem_store(registers: Iterable[int], target: Ea) -> bytes:
    return one(0xF200, target, 0xF000 | fp_list(registers))


def fmovem_load(source: Ea, registers: Iterable[int]) -> bytes:
    return one(0xF200, source, 0xD000 | fp_list(registers))


def fp_branch(predicate: int, displacement: int) -> bytes:
    """FBcc.W"""
    return words(0xF280 | predicate, displacement)


def wddata(size: str, source: Ea) -> bytes:
    return one(0xFB00 | _SIZE[size] << 6, source)


def set_control(control: int, value: int, scratch: int = D0) -> bytes:
    """A control register := value, by way of Dscratch."""
    return move("l", imm(value), d(scratch)) + movec(scratch, control)


# --- programs


@dataclass
class Assembler:
    """Instructions from ``origin`` on, with labels that may be used before they are set."""

    origin: int
    code: bytearray = field(default_factory=bytearray)
    labels: dict[str, int] = field(default_factory=dict)
    _relative: list[tuple[int, str]] = field(default_factory=list)
    _absolute: list[tuple[int, str]] = field(default_factory=list)

    @property
    def here(self) -> int:
        """Address of the next instruction."""
        return self.origin + len(self.code)

    def add(self, *instructions: bytes) -> None:
        """Append instructions."""
        for instruction in instructions:
            self.code += instruction

    def label(self, name: str) -> None:
        """``name`` is the address of the next instruction."""
        if name in self.labels:
            raise ValueError(f"label {name} is set twice")
        self.labels[name] = self.here

    def branch(self, condition: str, name: str) -> None:
        """Bcc.W, BRA.W or BSR.W (condition "ra", "sr") to a label."""
        self._relative.append((len(self.code) + 2, name))
        self.add(branch_w(condition, 0))

    def address(self, op: bytes, name: str) -> None:
        """An instruction whose last extension is the label's 32-bit address, for instance ``jmp(at(0))[:2]``."""
        self.add(op)
        self._absolute.append((len(self.code), name))
        self.add(long(0))

    def finish(self) -> bytes:
        """The code with all labels filled in; KeyError for one that was never set."""
        for offset, name in self._relative:
            distance = self.labels[name] - (self.origin + offset)
            if not -0x8000 <= distance < 0x8000:
                raise ValueError(f"label {name} is {distance} bytes away: too far for a 16-bit branch")
            self.code[offset : offset + 2] = words(distance)
        for offset, name in self._absolute:
            self.code[offset : offset + 4] = long(self.labels[name])
        return bytes(self.code)
