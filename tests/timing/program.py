"""A micro-benchmark of the time model: a small guest program, and how it is run.

A program runs ``passes`` times from its setup on, and its last pass is measured: the first one warms caches and branch
structures. NOP stands in front of the measured part, so that nothing of the setup reaches into it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
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
    at,
)

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
COLD_BRANCHES = asm.set_control(asm.CACR, ON | BCINVA)
FRAME = STACK - 8


@dataclass(frozen=True)
class Micro:
    """One micro-benchmark. ``full`` is as ``pipeline`` if left out. ``end``: where the measured part ends, if that is
    not behind its last instruction; ``pieces``: what else is in memory."""

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


# --- building


def one(
    name: str,
    place: str,
    code: bytes,
    flat: int,
    pipeline: int | None = None,
    *,
    setup: bytes = b"",
    end: int | None = None,
) -> Micro:
    """One instruction."""
    return Micro(name, place, (code,), flat, flat if pipeline is None else pipeline, setup=setup, end=end)


def sequence(
    name: str, parts: tuple[bytes, ...], flat: int, pipeline: int, *, place: str = "model 1", setup: bytes = b""
) -> Iterator[Micro]:
    """The same twice: all on one page, and with its last instruction on the next."""
    micro = Micro(name, place, parts, flat, pipeline, setup=setup)
    yield micro
    yield replace(micro, name=f"{name} | page", origin=START - sum(map(len, parts[:-1])))


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
