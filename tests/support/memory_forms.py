"""Every form of instruction that touches memory, as bytes, with the registers it needs and the accesses it makes.

The forms come from the product's table of op words (emu.timing.isa.ROWS): a row with a memory operand gives one form
for each of its addressing modes. Where operands are is chosen by the caller, so that a form can be run with any of its
accesses on any page.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from emu.mmu.state import READ, RMW, WRITE
from emu.timing.isa import F_PRIVILEGED, FORM_FPU, FORM_MAC, FORM_MOVE, FORM_MOVEM, FORM_STACK, ROWS, Row
from tests.support.asm import long, words

__all__ = ["CODE_WORD", "Access", "Built", "Form", "forms"]

SOURCE, TARGET, STACK_OPERAND = "source", "target", "stack"
A0, A1, A2, A7 = 0, 1, 2, 7
D6 = 6
INDEX = 0x10  # D6 of (d8,An,D6*4)
CODE_WORD = "jump target"  # what the operand of JSR must point at
FREE_BITS = {"d": 2, "y": 3, "a": 2, "q": 1, "c": 6, "b": 0x10, "x": 3, "w": 2}  # registers and immediates
IMMEDIATES = {"BTST #": 3, "BCHG #": 3, "BCLR #": 3, "BSET #": 3, "MULU/MULS.L": 0x2000, "DIVx/REMx.L": 0x2003}
MOVEM_LIST = 0x003C  # D2-D5
BRANCH = {"BSR.W": 0x0102, "BSR.L": 0x0102}
FORMATS = {"L": (0, 4), "S": (1, 4), "W": (4, 2), "D": (5, 8), "B": (6, 1)}
WDDATA_BYTES = {"WDDATA.B": 1, "WDDATA.W": 2, "WDDATA.L": 4}
FPU_FRAME = long(0x05000000) + bytes(12)  # 548xRM 6-24: an idle frame, of four longwords
FPU_OPERATIONS = {"FMOVE": 0x00, "FSQRT": 0x04, "FADD": 0x22, "FCMP": 0x38, "FTST": 0x3A}


@dataclass(frozen=True)
class Access:
    """``region``: SOURCE, TARGET or STACK_OPERAND; ``size`` bytes in all; ``kind`` READ, WRITE or RMW; ``unit``: bytes
    of one part of it (MOVEM and FMOVEM make several)."""

    region: str
    size: int
    kind: int
    unit: int


@dataclass
class Built:
    """An instruction at its place: its bytes and the registers that it needs."""

    code: bytes
    registers: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Form:
    """``words`` long; ``build(pc, place)`` makes it for ``pc``, with its operands at the VAs ``place[region]``."""

    name: str
    words: int
    accesses: tuple[Access, ...]
    build: Callable[[int, dict[str, int]], Built]
    privileged: bool = False
    modes: str = ""
    jumps: bool = False
    content: bytes = b""  # what the source operand must hold

    def __str__(self) -> str:
        return self.name


def fill(picture: str, fields: dict[str, int]) -> int:
    """The op word of a bit picture; every letter stands for the next bit of its field, most significant first."""
    bits = picture.replace(" ", "")
    left = {letter: bits.count(letter) for letter in set(bits)}
    op = 0
    for bit in bits:
        if bit in "01":
            op = op << 1 | int(bit)
        else:
            left[bit] -= 1
            op = op << 1 | (fields.get(bit, FREE_BITS.get(bit, 0)) >> left[bit] & 1)
    return op


def address(letter: str, register: int, va: int, size: int, pc: int) -> tuple[int, bytes, dict[str, int]]:
    """(mode field, extension words, registers) that make the addressing mode ``letter`` point at ``va``; the first
    extension word is at ``pc``."""
    an = f"a{register}"
    simple = {"I": (2, va), "+": (3, va), "-": (4, va + size), "d": (5, va - 0x18), "x": (6, va - 4 * INDEX + 4)}
    if letter in simple:
        mode, base = simple[letter]
        extension = {"d": words(0x18), "x": words(0x6C00 | -4 & 0xFF)}.get(letter, b"")
        return mode << 3 | register, extension, {an: base & 0xFFFFFFFF} | ({"d6": INDEX} if letter == "x" else {})
    table: dict[str, tuple[int, bytes, dict[str, int]]] = {
        "w": (0, words(va), {}),
        "l": (1, long(va), {}),
        "p": (2, words(va - pc), {}),
        "q": (3, words(0x6802), {"d6": va - pc - 2 & 0xFFFFFFFF}),
    }
    mode, extension, registers = table[letter]
    return 0o70 | mode, extension, registers


def plain(row: Row, letter: str, extra: bytes, count: int = 1) -> Form:
    """One memory operand in the field ``eeeeee``."""
    kind = RMW if row.load and row.store else WRITE if row.store else READ
    size = max(row.load, row.store)
    accesses = (Access(SOURCE, count * size, kind, size),)

    def build(pc: int, place: dict[str, int]) -> Built:
        mode, extension, registers = address(letter, A0, place[SOURCE], size, pc + 2 + len(extra))
        op = fill(row.picture, {"e": mode, "a": A0 if row.name == "UNLK" else A2})
        return Built(words(op) + extra + extension, registers)

    length = len(build(0, {SOURCE: 0}).code) // 2
    return Form(f"{row.name} {letter}", length, accesses, build, bool(row.flags & F_PRIVILEGED), letter)


def move(row: Row, source: str, target: str) -> Form:
    """MOVE with at least one operand in memory."""
    reads, writes = source not in "DA#", target not in "DA"
    accesses = (Access(SOURCE, row.load, READ, row.load),) * reads + (
        Access(TARGET, row.store, WRITE, row.store),
    ) * writes

    def build(pc: int, place: dict[str, int]) -> Built:
        if reads:
            mode, extension, registers = address(source, A0, place[SOURCE], row.load, pc + 2)
        else:
            immediate = long(0x12345678) if row.load == 4 else words(0x5678)
            mode, extension, registers = {"D": (2, b"", {}), "A": (0o12, b"", {}), "#": (0o74, immediate, {})}[source]
        if writes:
            to, more, others = address(target, A1, place[TARGET], row.store, pc + 2 + len(extension))
        else:
            to, more, others = {"D": 3, "A": 0o13}[target], b"", {}
        op = fill(row.picture, {"e": mode, "E": (to & 7) << 3 | to >> 3})
        return Built(words(op) + extension + more, registers | others)

    length = len(build(0, {SOURCE: 0, TARGET: 0}).code) // 2
    return Form(f"{row.name} {source},{target}", length, accesses, build, modes=source + target)


def stack(row: Row, letter: str) -> Form:
    """A push or a pop; ``letter``: the addressing mode of PEA and JSR, else empty."""
    pops = bool(row.load)
    access = Access(STACK_OPERAND, 4, READ if pops else WRITE, 4)

    def build(pc: int, place: dict[str, int]) -> Built:
        registers = {"a7": place[STACK_OPERAND] + (0 if pops else 4)}
        extension = b""
        mode = 0
        if letter:
            mode, extension, more = address(letter, A0, place[CODE_WORD], 4, pc + 2)
            registers |= more
        elif row.extra:
            value = BRANCH.get(row.name, -16)
            extension = words(value) if row.extra == 1 else long(value)
        return Built(words(fill(row.picture, {"e": mode})) + extension, registers)

    length = len(build(0, {STACK_OPERAND: 0, CODE_WORD: 0}).code) // 2
    jumps = row.name.startswith(("JSR", "BSR", "RTS"))
    return Form(f"{row.name} {letter}".strip(), length, (access,), build, modes=letter, jumps=jumps)


def fpu(row: Row, name: str, extension_word: int, letter: str, access: Access) -> Form:
    """An FPU instruction with a memory operand."""

    def build(pc: int, place: dict[str, int]) -> Built:
        mode, extension, registers = address(letter, A0, place[SOURCE], access.unit, pc + 4)
        return Built(words(fill(row.picture, {"e": mode}), extension_word) + extension, registers)

    return Form(f"{name} {letter}", len(build(0, {SOURCE: 0}).code) // 2, (access,), build, modes=letter)


def fpu_forms(row: Row) -> Iterator[Form]:
    """FMOVE and arithmetic of every size, FMOVEM, and a control register each way."""
    for size, (code, width) in FORMATS.items():
        read, write = Access(SOURCE, width, READ, width), Access(SOURCE, width, WRITE, width)
        for letter in "I+-d":
            yield fpu(row, f"FMOVE.{size} FP1,", 0x6080 | code << 10, letter, write)
        for operation, opmode in FPU_OPERATIONS.items():
            for letter in "I+-dp":
                yield fpu(row, f"{operation}.{size} ,FP1", 0x4080 | code << 10 | opmode, letter, read)
    for letter in "Id":
        yield fpu(row, "FMOVEM FP1/FP2,", 0xF060, letter, Access(SOURCE, 16, WRITE, 8))
        yield fpu(row, "FMOVEM ,FP1/FP2", 0xD060, letter, Access(SOURCE, 16, READ, 8))
        yield fpu(row, "FMOVE FPIAR,", 0xA400, letter, Access(SOURCE, 4, WRITE, 4))
        yield fpu(row, "FMOVE ,FPIAR", 0x8400, letter, Access(SOURCE, 4, READ, 4))


def row_forms(row: Row) -> Iterator[Form]:
    """The forms of one row; none if it has no data access."""
    letters = [letter for letter in row.ea if letter in "I+-dxwlpq"]
    if row.form == FORM_FPU:
        yield from fpu_forms(row)
    elif row.name in WDDATA_BYTES:  # emulated, so the table does not list its access
        for letter in letters:
            yield plain(replace(row, load=WDDATA_BYTES[row.name]), letter, b"")
    elif row.name == "FSAVE":
        for letter in letters:
            yield plain(replace(row, store=4), letter, b"", 4)
    elif row.name == "FRESTORE":
        for letter in letters:
            yield replace(plain(replace(row, load=4), letter, b"", 4), content=FPU_FRAME)
    elif not row.load and not row.store:
        return
    elif row.form == FORM_MOVE:
        for source in row.ea:
            for target in row.destination:
                if source not in "DA#" or target not in "DA":
                    yield move(row, source, target)
    elif row.form == FORM_STACK:
        for letter in row.ea or ("",):
            yield stack(row, letter)
    elif row.name == "UNLK":
        yield plain(row, "+", b"")
    elif row.form == FORM_MOVEM:
        for letter in letters:
            yield plain(row, letter, words(MOVEM_LIST), 4)
    elif row.form == FORM_MAC:
        for letter in letters:
            yield plain(row, letter, words(0x2000))
    else:
        extra = words(IMMEDIATES[row.name]) if row.extra else b""
        for letter in letters:
            yield plain(row, letter, extra)


def forms() -> tuple[Form, ...]:
    """All forms, those with the same name once."""
    found = {form.name: form for row in ROWS for form in row_forms(row)}
    return tuple(found.values())
