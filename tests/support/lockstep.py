"""Instruction by instruction beside ``qemu-m68k``: the same ELF file in both, the states compared as QEMU logs them."""

import random
import shutil
import struct
import subprocess
from binascii import unhexlify
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from emu.board import Board
from emu.debug.disassembly import disassemble
from emu.elf import load_elf
from emu.machine import Machine
from tests.oracle.fpu import DEFAULT_NAN, is_nan
from tests.support import asm, elfgen
from tests.support.sequences import (
    CODE,
    CONSTANTS,
    DATA,
    RAM,
    RAM_BYTES,
    STACK,
    WINDOW,
    Step,
    constants,
    epilogue,
    prologue,
)

QEMU = shutil.which("qemu-m68k")
BOARD = Board("lockstep", "memory for user programs", ((RAM, RAM_BYTES),), None, 0xF0000000, 266_000_000)


class State(NamedTuple):
    """What is compared before each instruction; ``fp``: patterns of doubles; ``fpcc``: N Z I NAN."""

    pc: int
    d: tuple[int, ...]
    a: tuple[int, ...]
    ccr: int
    fp: tuple[int, ...]
    fpcc: int


@dataclass(frozen=True)
class Difference:
    """An instruction after which the two disagree."""

    pc: int
    code: bytes
    field: str
    qemu: str
    ours: str
    before: State

    def __str__(self) -> str:
        text = disassemble(self.code, self.pc)[0].text
        return f"{self.pc:#x} {text}: {self.field} is {self.qemu} in QEMU, {self.ours} here; before: {self.before}"


@lru_cache(1 << 16)
def as_double(register: bytes) -> int:
    """Pattern of a double for QEMU's 80-bit register, "eeee mmmmmmmmmmmmmmmm"; -1 if no double has this value."""
    exponent, mantissa = (int(part, 16) for part in register.split())
    sign, exponent = exponent >> 15, exponent & 0x7FFF
    if exponent == 0x7FFF:
        fraction = mantissa >> 11 & ((1 << 52) - 1)
        return sign << 63 | 0x7FF << 52 | fraction
    if mantissa == 0:
        return sign << 63
    exponent += 1023 - 16383
    if not 0 < exponent < 0x7FF or mantissa & 0x7FF or not mantissa >> 63:
        return -1
    return sign << 63 | exponent << 52 | mantissa >> 11 & ((1 << 52) - 1)


def qemu_states(path: Path) -> Iterator[State]:
    """The states of ``-d cpu``, one before each instruction. Its registers stand in fixed columns."""
    assert QEMU is not None
    command = [QEMU, "-cpu", "cfv4e", "-singlestep", "-d", "cpu,nochain", str(path)]
    with subprocess.Popen(command, bufsize=1 << 16, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        d = a = b""
        fp: list[int] = []
        pc = sr = 0
        for line in process.stderr:
            kind = line[:1]
            if kind == b"D":
                d += line[5:13]
                a += line[21:29]
                fp.append(as_double(line[37:58]))
            elif kind == b"P":
                pc, sr = int(line[5:13], 16), int(line[21:25], 16)
            elif kind == b"F":
                yield State(pc, longs(d), longs(a), sr & 0x1F, tuple(fp), int(line[7:15], 16) >> 24)
                d = a = b""
                fp = []
        assert process.wait() == 0, f"QEMU ended with {process.returncode} near {pc:#x}"


def longs(hexadecimal: bytes) -> tuple[int, ...]:
    """Eight registers."""
    return struct.unpack(">8I", unhexlify(hexadecimal))


def our_state(machine: Machine) -> State:
    """The state of the machine."""
    cpu = machine.core.cpu_registers()
    unit = machine.core.state
    fp = tuple([pattern & (1 << 64) - 1 for pattern in unit["fp"].tolist()])
    return State(cpu[16], tuple(cpu[:8]), tuple(cpu[8:16]), cpu[17] & 0x1F, fp, int(unit["fpsr"]) >> 24)


def adopt(machine: Machine, state: State) -> None:
    """Go on from QEMU's state, so that one difference does not make others."""
    r = machine.registers
    for i in range(8):
        r[f"d{i}"], r[f"a{i}"] = state.d[i], state.a[i]
        if state.fp[i] >= 0:
            r[f"fp{i}"] = state.fp[i]
    r["sr"] = state.ccr
    r["fpsr"] = r["fpsr"] & 0xFFFFFF | state.fpcc << 24
    r["pc"] = state.pc


def fields_that_differ(theirs: State, ours: State) -> list[str]:
    """Names of fields. Any NaN of QEMU's, with its FPCC, is our only one (548xRM 6-5)."""
    found = [field for field in ("pc", "d", "a", "ccr") if getattr(theirs, field) != getattr(ours, field)]
    pairs = [(x, y) for x, y in zip(theirs.fp, ours.fp, strict=True) if x != y]
    if any(x < 0 or not (is_nan(x) and y == DEFAULT_NAN) for x, y in pairs):
        found.append("fp")
    if theirs.fpcc != ours.fpcc and not (theirs.fpcc & 1 and ours.fpcc == 1):
        found.append("fpcc")
    return found


def build(sequences: Sequence[Sequence[Step]], seed: int) -> tuple[bytes, int]:
    """(ELF file, address at which it ends) of all sequences, one after the other."""
    rng = random.Random(seed)
    code = b"".join(prologue(rng) + b"".join(step.code for step in steps) + epilogue() for steps in sequences)
    end = CODE + len(code)
    leave = asm.moveq(1, 0) + asm.moveq(0, 1) + asm.trap(0)  # exit(0)
    if end > DATA - 16:
        raise ValueError(f"{len(sequences)} sequences take {len(code)} bytes: too many for one file")
    image = (code + leave).ljust(DATA - CODE, b"\0") + rng.randbytes(WINDOW)
    image = image.ljust(CONSTANTS - CODE, b"\0") + constants(rng)
    segments = [elfgen.Segment(CODE, image, STACK - CODE + 64)]
    return elfgen.make_elf(segments), end


def differences(image: bytes, end: int, path: Path) -> Iterator[Difference | State]:
    """Run both; a State for each instruction that agrees, a Difference for each that does not."""
    path.write_bytes(image)
    path.chmod(0o755)
    with Machine(BOARD, engine="native") as machine:
        machine.load_elf(load_elf(path))
        machine.registers["sr"] = 0
        before: State | None = None
        for theirs in qemu_states(path):
            if before is None:
                adopt(machine, theirs)
                before = theirs
                continue
            machine.run(max_instructions=1)
            ours = our_state(machine)
            if ours == theirs:
                yield theirs
            else:
                code = machine.core.code_at(before.pc, 6)
                for field in fields_that_differ(theirs, ours):
                    left, right = getattr(theirs, field), getattr(ours, field)
                    yield Difference(before.pc, code, field, show(left), show(right), before)
                adopt(machine, theirs)
            before = theirs
            if theirs.pc == end:
                return


def show(value: int | tuple[int, ...]) -> str:
    """Registers in hex."""
    values = value if isinstance(value, tuple) else (value,)
    return " ".join(f"{x:x}" for x in values)
