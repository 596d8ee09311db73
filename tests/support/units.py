"""One instruction at a time on the engine, from given registers: how the oracles' answers are compared with it."""

from collections.abc import Mapping
from dataclasses import dataclass

from tests.support import asm
from tests.support.guest import FRAMES, RAM, RAM_BYTES, STACK, STUBS, Bench, Frame, read_frame

SLOT = 16  # room for an instruction and the HALT behind it


@dataclass
class Unit:
    """A bench whose instructions are placed once and run many times."""

    bench: Bench

    def __post_init__(self) -> None:
        self._placed: dict[bytes, int] = {}

    def place(self, code: bytes) -> int:
        """Where the instruction stands; one that is new gets the next free slot."""
        address = self._placed.get(code)
        if address is None:
            if FRAMES + SLOT * (len(self._placed) + 1) > RAM + RAM_BYTES:
                self._placed.clear()
            address = self._placed[code] = FRAMES + SLOT * len(self._placed)
            self.bench.put(address, code + asm.HALT)
        return address

    def run(self, code: bytes, registers: Mapping[str, int]) -> Frame | None:
        """Set registers and execute one instruction; the frame if it raised an exception instead."""
        names = self.bench.registers
        names["a7"] = STACK
        for name, value in registers.items():
            names[name] = value
        names["pc"] = self.place(code)
        result = self.bench.machine.run(max_instructions=1)
        if STUBS <= result.pc < STUBS + 0x1000:  # before the handler's HALT, or behind it
            return read_frame(self.bench.machine, names["a7"])
        return None

    def read(self, *names: str) -> tuple[int, ...]:
        """Registers now."""
        return tuple(self.bench.registers[name] for name in names)
