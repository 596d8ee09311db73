"""Random programs that strain caches, store buffer, bus and branch structures: reproducible from a seed.

Data lies in a few sets of the data cache and in more lines than these have ways; code is long enough to leave its
lines now and then; CACR changes while the program runs.
"""

import random

from emu.board import Board
from emu.machine import Machine
from tests.support import asm
from tests.support.asm import (
    A0,
    A1,
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
    RTS,
    TPF,
    Assembler,
    at,
    d,
    disp,
    imm,
    ind,
    post,
    pre,
)

RAM_BYTES = 1 << 20
BOARD = Board("caches", "memory for programs that strain caches", ((0, RAM_BYTES),), None, 0xF0000000, 266_000_000)
CODE, DATA, STACK = 0x2000, 0x40000, 0x20000
SET = 0x2000  # bytes from one line to the next in the same set
LINES, SETS = 7, 3
SRAM = 0x20000000
# CACR (sheet 2.2)
DEC, DESB, DDPI, DHLCK, DCINVA = 1 << 31, 1 << 29, 1 << 28, 1 << 27, 1 << 24
BEC, BCINVA, IEC, DNFB, IDPI, IHLCK, ICINVA = 1 << 19, 1 << 18, 1 << 15, 1 << 13, 1 << 12, 1 << 11, 1 << 8
MODES = (0, 0, 1 << 25, 1 << 25, 1 << 25, 2 << 25)  # CACR[DDCM]: write-through, copyback, inhibited
CPUSHL = (0xF468, 0xF4A8, 0xF4E8)
INTOUCH = 0xF428


def cacr(rng: random.Random) -> int:
    """A value of CACR: most often with both caches on."""
    value = rng.choice(MODES)
    for bit, probability in (
        (DEC, 0.9),
        (DESB, 0.7),
        (DDPI, 0.3),
        (DHLCK, 0.2),
        (DCINVA, 0.2),
        (BEC, 0.8),
        (BCINVA, 0.2),
        (IEC, 0.9),
        (DNFB, 0.5),
        (IDPI, 0.3),
        (IHLCK, 0.2),
        (ICINVA, 0.2),
    ):
        if rng.random() < probability:
            value |= bit
    return value


class CacheProgram:
    """One random program of about ``length`` operations, run ``loops`` times."""

    def __init__(self, seed: int, length: int = 250, loops: int = 3) -> None:
        self.rng = random.Random(seed)
        self.cacr = cacr(self.rng)
        self._labels = 0
        p = Assembler(CODE)
        p.add(asm.set_control(asm.RAMBAR0, SRAM | 1), asm.lea(at(STACK), A7), asm.moveq(loops, D7))
        p.label("loop")
        for _ in range(length):
            self.operation(p)
        p.add(asm.subq(1, d(D7)))
        p.branch("ne", "loop")
        p.add(asm.HALT)
        self.code = p.finish()

    def address(self) -> int:
        """A place in the data, unaligned at times; SRAM now and then."""
        rng = self.rng
        if rng.random() < 0.05:
            return SRAM + 4 * rng.randrange(64)
        at_line = DATA + SET * rng.randrange(LINES) + 16 * rng.randrange(SETS)
        return at_line + (rng.randrange(16) if rng.random() < 0.2 else 4 * rng.randrange(4))

    def operand(self, p: Assembler) -> asm.Ea:
        """A memory operand; its address register is set before."""
        rng, n = self.rng, self.rng.randrange(6)
        address = self.address()
        if rng.random() < 0.2:
            return at(address)
        offset = rng.randrange(-64, 64)
        form, base = rng.choice(
            ((ind(n), address), (post(n), address), (pre(n), address + 4), (disp(n, offset), address - offset))
        )
        p.add(asm.lea(at(base), n))
        return form

    def register(self) -> int:
        """A data register, but not the loop's counter."""
        return self.rng.randrange(7)

    def operation(self, p: Assembler) -> None:
        """One operation: one or a few instructions."""
        rng = self.rng
        kind = rng.randrange(24)
        size = rng.choice("bwll")
        if kind < 6:
            p.add(asm.move(size, self.operand(p), d(self.register())))
        elif kind < 11:
            target = self.operand(p)
            p.add(asm.move(size, d(self.register()), target))
        elif kind == 11:
            target = self.operand(p)
            p.add(asm.alu_to(rng.choice(("add", "or", "eor")), self.register(), target))
        elif kind == 12:
            p.add(asm.lea(at(self.address()), A0))
            chosen = sorted(rng.sample(range(7), rng.randrange(1, 7)))
            p.add(rng.choice((asm.movem_load(disp(A0, 4), chosen), asm.movem_store(chosen, disp(A0, 4)))))
        elif kind == 13:
            p.add(asm.lea(at(self.address()), A0), asm.lea(at(self.address()), A1), asm.move("l", ind(A0), post(A1)))
        elif kind == 14:
            p.add(NOP)
        elif kind == 15:
            p.add(asm.moveq(rng.randrange(100), self.register()), asm.moveq(rng.randrange(100), self.register()))
        elif kind == 16:
            p.add(asm.alu("add", d(self.register()), self.register()), asm.mul_l(False, d(self.register()), D0))
        elif kind == 17:
            selector = self.address() & 0x1FF0 | rng.randrange(4)
            p.add(asm.lea(at(selector), A0), asm.words(rng.choice(CPUSHL) | A0))
        elif kind == 18:
            p.add(asm.lea(at(CODE + 16 * rng.randrange(64)), A0), asm.words(INTOUCH | A0))
        elif kind == 19:
            if rng.random() < 0.3:
                p.add(asm.set_control(asm.CACR, cacr(rng)))
        elif kind == 20:
            self.skip(p)
        elif kind == 21:
            self.call(p)
        elif kind == 22:
            p.add(asm.pea(ind(A0)), *(TPF,) * rng.randrange(4), asm.move("l", post(A7), d(D1)))
        else:
            self.inner_loop(p)

    def new_label(self) -> str:
        self._labels += 1
        return f"label {self._labels}"

    def skip(self, p: Assembler) -> None:
        """A branch over an instruction or, to leave the line of the cache, over many."""
        label = self.new_label()
        p.add(asm.tst("l", d(self.register())))
        p.branch(self.rng.choice(("eq", "ne", "pl", "mi", "ra")), label)
        p.add(*(asm.addq(1, d(D2)),) * self.rng.choice((1, 1, 2, 20)))
        p.label(label)

    def call(self, p: Assembler) -> None:
        """A subroutine behind a jump; its return address may be changed."""
        over, routine = self.new_label(), self.new_label()
        p.branch("ra", over)
        p.label(routine)
        for _ in range(self.rng.randrange(3)):
            p.add(asm.move("l", d(D3), disp(A7, -64)))
        p.add(RTS)
        p.label(over)
        for _ in range(self.rng.randrange(1, 3)):
            p.branch("sr", routine)
        if self.rng.random() < 0.2:
            back = self.new_label()
            p.address(asm.pea(at(0))[:2], back)
            p.add(RTS)
            p.label(back)

    def inner_loop(self, p: Assembler) -> None:
        """A few rounds, with a branch inside whose outcomes follow a pattern."""
        rng = self.rng
        loop, label = self.new_label(), self.new_label()
        p.add(asm.move("l", imm(rng.getrandbits(32)), d(D4)), asm.moveq(rng.randrange(1, 9), D5))
        p.label(loop)
        p.add(asm.shift("lsr", 1, D4))
        p.branch(rng.choice(("cs", "cc")), label)
        p.add(asm.move("l", at(self.address()), d(D6)))
        p.label(label)
        p.add(asm.subq(1, d(D5)))
        p.branch("ne", loop)

    def machine(self, engine: str, **options: object) -> Machine:
        """A machine that is about to run this program."""
        machine = Machine(BOARD, engine, **options)  # type: ignore[arg-type]
        machine.write_physical(CODE, self.code)
        machine.registers["sr"] = 0x2700
        machine.registers["pc"] = CODE
        machine.registers["cacr"] = self.cacr
        return machine
