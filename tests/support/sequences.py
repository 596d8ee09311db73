"""Random legal instruction sequences for user mode, made of steps that can be left out one by one.

A step is a kind and a seed: the same two give the same bytes everywhere, and Hypothesis shrinks a list of them. A step
that touches memory sets its own address register first, so that every operand lies in the data window.
"""

import random
import struct
from collections.abc import Callable
from dataclasses import dataclass

from tests.support import asm
from tests.support.asm import at, d, disp, imm, ind, index, post, pre

RAM, RAM_BYTES = 0x40000000, 2 << 20
CODE = RAM + 84  # where the ELF file's only segment starts in the file: QEMU wants both equal within a page
DATA, CONSTANTS, STACK = RAM + 0x100000, RAM + 0x110000, RAM + 0x180000
WINDOW = 128  # bytes of data that steps read and write
CORNERS = (
    0,
    1,
    2,
    0x7F,
    0x80,
    0xFF,
    0x7FFF,
    0x8000,
    0xFFFF,
    0x7FFFFFFF,
    0x80000000,
    0xFFFFFFFF,
    0xFFFFFF80,
    0x12345678,
)
SIZES = {"b": 1, "w": 2, "l": 4}
_ALU = ("add", "sub", "and", "or", "cmp")
_ALU_TO = ("add", "sub", "and", "or", "eor")
_IMMEDIATE = ("addi", "subi", "andi", "ori", "eori", "cmpi")
_UNARY = ("swap", "ext.w", "ext.l", "extb.l", "neg.l", "negx.l", "not.l", "sats.l")
_SHIFTS = ("asr", "lsr", "asl", "lsl")
_BITS = ("btst", "bchg", "bclr", "bset")
_FPU_ONE = ("move", "abs", "neg", "int", "intrz", "sqrt", "tst")
_FPU_TWO = ("add", "sub", "mul", "div", "cmp")

Rng = random.Random


def value(rng: Rng) -> int:
    """A longword: often a corner."""
    return rng.choice(CORNERS) if rng.random() < 0.4 else rng.getrandbits(32)


def data(rng: Rng) -> int:
    """A data register."""
    return rng.randrange(8)


def memory(rng: Rng, size: int, simple: bool = False) -> tuple[bytes, asm.Ea]:
    """(setup, operand) in the data window, with an address register that the operand uses; unaligned at times."""
    n = rng.randrange(6)
    address = DATA + 16 + rng.randrange(WINDOW - 32 - size)
    forms: list[tuple[int, asm.Ea]] = [(address, ind(n)), (address, post(n)), (address + size, pre(n))]
    offset = rng.randint(-60, 60)
    forms.append((address - offset, disp(n, offset)))
    if not simple:
        forms.append((0, at(address)))
        x, scale = rng.randrange(1, 8), rng.choice((1, 2, 4))
        times = rng.randrange(8)
        indexed = asm.moveq(times, x) + asm.lea(at(address - offset - times * scale), n)
        if rng.random() < 0.2:
            return indexed, index(n, x, offset, scale)
    base, ea = rng.choice(forms)
    return (asm.lea(at(base), n) if base else b""), ea


def source(rng: Rng, size: str, simple: bool = False) -> tuple[bytes, asm.Ea]:
    """(setup, operand): a data register or memory."""
    return (b"", d(data(rng))) if rng.random() < 0.5 else memory(rng, SIZES[size], simple)


# --- one function per kind


def _load(rng: Rng) -> bytes:
    return asm.move("l", imm(value(rng)), d(data(rng)))


def _move(rng: Rng) -> bytes:
    size = rng.choice("bwl")
    setup, ea = source(rng, size, simple=True)
    if rng.random() < 0.5 or ea.extension:
        return setup + asm.move(size, ea, d(data(rng)))
    n = 6
    address = DATA + 16 + rng.randrange(WINDOW - 32)
    target = rng.choice((ind(n), post(n), pre(n)))
    return setup + asm.lea(at(address), n) + asm.move(size, ea, target)


def _extended(rng: Rng) -> bytes:
    size = rng.choice("bw")
    setup, ea = source(rng, size)
    return setup + rng.choice((asm.mvs, asm.mvz))(size, ea, data(rng))


def _small(rng: Rng) -> bytes:
    setup, ea = source(rng, "l")
    kind = rng.randrange(4)
    if kind == 0:
        return asm.moveq(rng.randint(-128, 127), data(rng))
    if kind == 1:
        return setup + asm.mov3q(rng.choice((-1, 1, 2, 3, 4, 5, 6, 7)), ea)
    size = rng.choice("bwl")
    setup, ea = source(rng, size)
    return setup + (asm.clr(size, ea) if kind == 2 else asm.tst(size, ea))


def _alu(rng: Rng) -> bytes:
    setup, ea = source(rng, "l")
    return setup + asm.alu(rng.choice(_ALU), ea, data(rng))


def _alu_to(rng: Rng) -> bytes:
    setup, ea = memory(rng, 4)
    kind = rng.randrange(3)
    if kind == 0:
        return setup + asm.alu_to(rng.choice(_ALU_TO), data(rng), ea)
    quick = rng.choice((asm.addq, asm.subq))
    return setup + quick(rng.randint(1, 8), ea) if kind == 1 else quick(rng.randint(1, 8), d(data(rng)))


def _alu_a(rng: Rng) -> bytes:
    setup, ea = source(rng, "l")
    return setup + asm.alu_a(rng.choice(("adda", "suba", "cmpa")), ea, 6)


def _immediate(rng: Rng) -> bytes:
    return asm.alu_i(rng.choice(_IMMEDIATE), value(rng), data(rng))


def _compare(rng: Rng) -> bytes:
    """CMP.B, CMP.W, CMPI.B, CMPI.W (ISA_B)"""
    size = rng.choice("bw")
    code = "bw".index(size) << 6
    if rng.random() < 0.4:
        return asm.words(0x0C00 | code | data(rng), value(rng) & (0xFF if size == "b" else 0xFFFF))
    setup, ea = source(rng, size)
    return setup + asm.one(0xB000 | data(rng) << 9 | code, ea)


def _unary(rng: Rng) -> bytes:
    if rng.random() < 0.2:
        return asm.words(0x50C0 | rng.randrange(16) << 8 | data(rng))  # Scc
    return asm.single(rng.choice(_UNARY), data(rng))


def _shift(rng: Rng) -> bytes:
    if rng.random() < 0.5:
        return asm.shift(rng.choice(_SHIFTS), rng.randint(1, 8), data(rng))
    counter = data(rng)
    count = asm.moveq(rng.randrange(70), counter) if rng.random() < 0.7 else b""
    return count + asm.shift_by(rng.choice(_SHIFTS), counter, data(rng))


def _bit(rng: Rng) -> bytes:
    name = rng.choice(_BITS)
    setup, ea = memory(rng, 1, simple=True) if rng.random() < 0.5 else (b"", d(data(rng)))
    if rng.random() < 0.5:
        return setup + asm.bit(name, rng.randrange(8 if setup else 32), ea)
    return setup + asm.bit_by(name, data(rng), ea)


def _multiply(rng: Rng) -> bytes:
    if rng.random() < 0.5:
        setup, ea = source(rng, "w")
        return setup + asm.mul_w(rng.random() < 0.5, ea, data(rng))
    setup, ea = source(rng, "l", simple=True)
    return setup + asm.mul_l(rng.random() < 0.5, ea, data(rng))


def _divide(rng: Rng) -> bytes:
    """By a register that is neither 0 nor -1: QEMU dies of the one and maybe of the other."""
    by, to, rest = rng.sample(range(8), 3)
    divisor = rng.choice((2, 3, 7, 10, 0x7F, 0x7FFF, 0x7FFE, 5))
    setup = asm.move("l", imm(divisor), d(by)) + asm.move_to_ccr(imm(rng.getrandbits(5), "w"))
    signed = rng.random() < 0.5
    return setup + rng.choice(
        (asm.div_w(signed, d(by), to), asm.div_l(signed, d(by), to), asm.rem_l(signed, d(by), to, rest))
    )


def _extend(rng: Rng) -> bytes:
    x, y = data(rng), data(rng)
    return asm.addx(x, y) if rng.random() < 0.5 else asm.words(0x9180 | y << 9 | x)


def _flags(rng: Rng) -> bytes:
    if rng.random() < 0.5:
        return asm.move_to_ccr(imm(rng.getrandbits(5), "w"))
    return asm.move_from_ccr(data(rng))


def _stack(rng: Rng) -> bytes:
    n = rng.randrange(6)
    registers = [i for i in range(14) if rng.random() < 0.3]
    move = asm.lea(at(DATA + 16), n) + rng.choice(
        (
            asm.movem_store(registers, ind(n)),
            asm.movem_load(disp(n, 4), registers),
        )
    )
    pushes = asm.pea(rng.choice((ind(n), disp(n, -4), at(value(rng)))))
    return rng.choice((move, pushes, asm.link(6, -8), asm.link(6, -8) + asm.unlk(6)))


def _test_and_set(rng: Rng) -> bytes:
    setup, ea = memory(rng, 1)
    return setup + asm.tas(ea)


def _branch(rng: Rng) -> bytes:
    """Over one MOVEQ, in one of the three lengths, or a subroutine call to the next instruction."""
    condition = rng.choice(list(asm.CONDITIONS))
    skipped = asm.moveq(rng.randrange(100), data(rng))
    cc = 0x6000 | asm.CONDITIONS[condition] << 8
    return rng.choice(
        (
            asm.branch_b(condition, len(skipped)) + skipped,
            asm.branch_w(condition, 2 + len(skipped)) + skipped,
            asm.words(cc | 0xFF, 0, 4 + len(skipped)) + skipped,
            asm.TPF,
            asm.words(0x51FA, 0x1234),
            asm.words(0x51FB, 0x1234, 0x5678),
        )
    )


def _double(rng: Rng) -> float:
    """A number of moderate size, in which all digits or only a few are used."""
    return rng.choice((1, -1)) * rng.choice((rng.random() * 8, rng.randrange(64) / 8, 2.0 ** rng.randint(-20, 20)))


def _fpu_load(rng: Rng) -> bytes:
    size = rng.choice("bwlsd")
    n = data(rng)
    if size in "bwl":
        setup, ea = source(rng, size, simple=True)
        return setup + asm.fp_from("move", size, ea, n)
    words = struct.pack(">f" if size == "s" else ">d", _double(rng))
    longs = struct.unpack(f">{len(words) // 4}I", words)
    stores = b"".join(asm.move("l", imm(x), post(0)) for x in longs)
    target = asm.lea(at(DATA + 16), 0)
    return target + stores + target + asm.fp_from("move", size, ind(0), n)


def _fpu(rng: Rng) -> bytes:
    name = rng.choice(_FPU_ONE + 2 * _FPU_TWO)
    precisions = ("", "", "s", "d") if name not in ("int", "intrz", "tst", "cmp") else ("",)
    return asm.fp(name, data(rng), data(rng), rng.choice(precisions))


def _fpu_branch(rng: Rng) -> bytes:
    skipped = asm.moveq(rng.randrange(100), data(rng))
    return asm.fp_branch(rng.randrange(32), 2 + len(skipped)) + skipped


def _fpu_store(rng: Rng) -> bytes:
    """To an integer only what fits, because QEMU stores something else where OPERR has a defined result."""
    size, n = rng.choice("bwlsd"), data(rng)
    setup = b""
    if size in "bwl":
        small = asm.moveq(rng.randint(-128, 127), 1) + asm.moveq(rng.choice((1, 2, 4, 7)), 2)
        setup = small + asm.fp_from("move", "l", d(1), n) + asm.fp_from("div", "l", d(2), n)
    if size == "d" or rng.random() < 0.5:
        target = rng.choice((ind(0), post(0), pre(0), disp(0, 8)))
        return setup + asm.lea(at(DATA + 24), 0) + asm.fp_to(size, n, target)
    return setup + asm.fp_to(size, n, d(data(rng)))


def _fpu_multiple(rng: Rng) -> bytes:
    registers = [i for i in range(8) if rng.random() < 0.4]
    setup = asm.lea(at(DATA + 16), 0)
    return setup + asm.fmovem_store(registers, disp(0, 8)) + asm.fmovem_load(disp(0, 8), registers)


KINDS: dict[str, tuple[int, Callable[[Rng], bytes]]] = {
    "load": (4, _load),
    "move": (6, _move),
    "extended": (3, _extended),
    "small": (3, _small),
    "alu": (6, _alu),
    "alu to memory": (4, _alu_to),
    "alu to An": (2, _alu_a),
    "immediate": (3, _immediate),
    "compare": (3, _compare),
    "unary": (4, _unary),
    "shift": (4, _shift),
    "bit": (4, _bit),
    "multiply": (2, _multiply),
    "divide": (2, _divide),
    "addx": (2, _extend),
    "ccr": (2, _flags),
    "stack": (2, _stack),
    "tas": (1, _test_and_set),
    "branch": (4, _branch),
    "fpu load": (4, _fpu_load),
    "fpu": (8, _fpu),
    "fpu branch": (2, _fpu_branch),
    "fpu store": (2, _fpu_store),
    "fpu multiple": (1, _fpu_multiple),
}


@dataclass(frozen=True)
class Step:
    """One step; ``code`` is a function of the two fields alone."""

    kind: str
    seed: int

    @property
    def code(self) -> bytes:
        """Its instructions."""
        return KINDS[self.kind][1](Rng(f"{self.kind}/{self.seed}"))


def random_steps(rng: Rng, count: int) -> list[Step]:
    """Steps by the weights of the table."""
    kinds = rng.choices(list(KINDS), [weight for weight, _ in KINDS.values()], k=count)
    return [Step(kind, rng.getrandbits(32)) for kind in kinds]


def prologue(rng: Rng) -> bytes:
    """All registers and the rounding mode from the seed; FPU at double precision (QEMU's default is extended)."""
    code = asm.move("l", imm(0x80 | rng.choice((0, 0, 0x10, 0x20, 0x30))), d(0)) + asm.fp_to_control(d(0), asm.FPCR)
    code += asm.lea(at(CONSTANTS), 0) + asm.fmovem_load(ind(0), range(8))
    code += b"".join(asm.move("l", imm(value(rng)), d(n)) for n in range(8))
    code += b"".join(asm.move("l", imm(value(rng)), asm.a(n)) for n in range(7))
    return code + asm.lea(at(STACK), 7) + asm.move_to_ccr(imm(rng.getrandbits(5), "w"))


def epilogue() -> bytes:
    """Every byte of the data window goes through a register, where it is compared."""
    loads = (asm.movem_load(disp(0, offset), range(8)) for offset in range(0, WINDOW, 32))
    return asm.lea(at(DATA), 0) + b"".join(loads)


def constants(rng: Rng) -> bytes:
    """What FP0-FP7 start with."""
    return struct.pack(">8d", *(_double(rng) for _ in range(8)))
