"""A minimal driver of the nucleus: bottom-up frames, whatever the test wants to attach, and a view of guest structures.

The product's own driver is kernel_model; this one decides nothing cleverly, so that tests of the firmware fail for
reasons of the firmware.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from emu.board import get_board
from emu.elf import load_elf
from emu.machine import Machine, RunResult
from firmware import nucleus
from kernel_model import abi
from kernel_model.abi import GrowKind, Hypercall, ParameterBlock, Refusal, Vector

BUDGET = 60_000_000
SMALL = {
    Vector.PROCESS: 40,
    Vector.GPT: 240,
    Vector.ENDPOINT: 320,
    Vector.PAGE: 1300,
    Vector.INDEX: 1300,
    Vector.OTE: 4000,
    Vector.USER_TABLE: 2,
    Vector.RESERVE: 0,
}
"""A small kernel: page space gets FRAMES of the headers, the rest is slack."""
FRAMES = 1200
CARD = 0x8000_0000


@dataclass
class Driver:
    """One machine with the nucleus loaded, and the model's half of every hypercall in its simplest form."""

    board_name: str = "coyotos128"
    counts: dict[Vector, int] = field(default_factory=dict)
    parameters: Mapping[str, int] = field(default_factory=dict)
    top_down: bool = False
    number: int = 4321
    engine: str = "auto"
    patch: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    """Symbol -> (offset, bytes): changes to the loaded image before reset."""

    def __post_init__(self) -> None:
        self.board = get_board(self.board_name)
        self.base, self.size = self.board.ram[0]
        self.page = 1 << self.parameters.get("page_shift", 13)
        counts = SMALL | self.counts
        strides = (888, 316, 80, 4, 56, 128, 188, 12, self.page, 56)
        self.block = ParameterBlock(
            ram_base=self.base,
            ram_size=self.size,
            mbar=self.board.mbar,
            console_pa=self.board.mbar,
            vector_count=[counts.get(vector, 0) for vector in Vector],
            vector_stride=strides,
            **self.parameters,
        )
        self.low, self.high = self.base + abi.IMAGE_SIZE, self.base + self.size
        self.calls: list[tuple[Hypercall, tuple[int, ...]]] = []
        self.done: list[tuple[int, ...]] = []
        self.commands: list[tuple[int, ...]] = []
        self.booted: tuple[int, ...] = ()
        self.panic: tuple[int, ...] = ()
        self.chunks: list[tuple[int, int, int]] = []
        self.frames: tuple[int, int] = (0, 0)
        self.growth_next = self.block["growth_va"]
        self.elf = load_elf(nucleus(self.base).path)
        self.machine = Machine(self.board, engine=self.engine)
        self.machine.attach_memory(CARD, 0x0800_0000, "card")
        self.machine.load_elf(self.elf)
        for symbol, (offset, data) in self.patch.items():
            self.machine.write_physical(self.physical(self.elf.address(symbol)) + offset, data)
        self.machine.write_physical(self.base + abi.PARAMETER_OFFSET, self.block.pack())
        self.machine.regions.add("heap", abi.KVA + abi.IMAGE_SIZE, abi.KVA + self.size)
        self.machine.on_hypercall = self._answer

    def __enter__(self) -> Driver:
        return self

    def __exit__(self, *exception: object) -> None:
        self.machine.close()

    # ---- the model's half --------------------------------------------------------------------------------------------
    def _answer(self, number: int, args: Sequence[int]) -> tuple[int, Sequence[int]] | None:
        call = Hypercall(number)
        self.calls.append((call, tuple(args)))
        match call:
            case Hypercall.NEXT_COMMAND:
                return (Refusal.OK, self.commands.pop(0)) if self.commands else None
            case Hypercall.DONE:
                self.done.append(tuple(args))
            case Hypercall.BOOTED:
                self.booted = tuple(args[:8])
            case Hypercall.PANIC:
                self.panic = tuple(args)
            case Hypercall.REFUSED:
                return Refusal.OK, (self.number,)
            case Hypercall.PAGE_SPACE:
                if not self.frames[1]:
                    self.frames = (self.low, FRAMES)
                    self.high = min(self.high, self.low + FRAMES * self.page)
                return Refusal.OK, self.frames if args[0] == 0 else (0, 0)
            case Hypercall.GROW:
                return self._grow(GrowKind(args[0]), args[1], args[2])
        return Refusal.OK, ()

    def _grow(self, kind: GrowKind, pages: int, subject: int) -> tuple[int, Sequence[int]]:
        size = pages * self.page
        if kind is GrowKind.ALTMAP:
            return Refusal.OK, (subject, pages)
        if kind is GrowKind.BOOT and not self.top_down:
            pa, self.low = self.low, self.low + size
        else:
            self.high -= size
            pa = self.high
        if kind is GrowKind.BOOT:
            paged = self.block["mapping"] >= abi.MappingKind.PAGED_8K
            after = self.chunks[-1][0] + self.chunks[-1][2] if self.chunks else self.block["heap_va"]
            self.chunks.append((after if paged else pa - self.base + abi.KVA, pa, size))
        elif kind is GrowKind.HEADERS:
            self.growth_next = self.growth_next or self.chunks[-1][0] + self.chunks[-1][2]
            self.chunks.append((self.growth_next, pa, size))
            self.growth_next += size
        return Refusal.OK, (pa, pages)

    # ---- running -----------------------------------------------------------------------------------------------------
    def boot(self) -> tuple[int, ...]:
        """Run to the first request for a command; returns the figures of BOOTED."""
        self.machine.run(max_instructions=BUDGET)
        assert self.booted, (self.panic, bytes(self.machine.console))
        return self.booted

    def run(self, *command: int) -> tuple[int, ...]:
        """Boot if necessary, run one command, return (status, figures...)."""
        if not self.booted:
            self.boot()
        self.commands.append(command)
        self.machine.run(max_instructions=BUDGET)
        assert self.done, (self.panic, bytes(self.machine.console))
        return self.done[-1][1:]

    def crash(self, *command: int) -> RunResult:
        """Run a command that the kernel does not survive."""
        if not self.booted:
            self.boot()
        self.commands.append(command)
        return self.machine.run(max_instructions=BUDGET)

    # ---- guest memory ------------------------------------------------------------------------------------------------
    def physical(self, va: int) -> int:
        """PA of a kernel VA: image and direct map by the constant, paged heap by its chunks."""
        for start, pa, size in self.chunks:
            if start <= va < start + size:
                return pa + va - start
        return va - abi.KVA + self.base

    def word(self, va: int) -> int:
        """The longword at a kernel VA."""
        return int(struct.unpack(">I", self.memory(va, 4))[0])

    def memory(self, va: int, size: int) -> bytes:
        """Guest memory; must not cross a page of a paged heap."""
        return bytes(self.machine.read_physical(self.physical(va), size))

    def variable(self, name: str) -> int:
        """A longword of the image by symbol."""
        return self.word(self.elf.address(name))

    def vector(self, vector: Vector) -> int:
        """VA of a vector of the boot heap."""
        return self.word(self.elf.address("vector_va") + 4 * vector)

    def elements(self, vector: Vector) -> range:
        """VAs of the elements of a vector."""
        start, stride = self.vector(vector), self.block.values["vector_stride"][vector]
        return range(start, start + stride * self.block.values["vector_count"][vector], stride)

    def header(self, va: int) -> Header:
        """The ObjectHeader at a VA."""
        words = struct.unpack(">9I6B", b"".join(self.memory(va + i, 2) for i in range(0, 42, 2)))
        return Header(va, *words[:10])

    def chain(self, bucket: int) -> Iterator[Header]:
        """The headers of one hash chain, front first."""
        va = self.word(self.elf.address("object_hash") + 8 * bucket + 4)
        while va:
            header = self.header(va)
            yield header
            va = header.chain

    def links(self, head: int) -> list[int]:
        """The members of a circular list of links, checked in both directions."""
        found, at = [], self.word(head)
        while at != head:
            assert self.word(self.word(at) + 4) == at
            found.append(at)
            at = self.word(at)
        return found


@dataclass(frozen=True)
class Header:
    """The fields of an ObjectHeader that tests look at (kernel sheet 1.5)."""

    va: int
    age_next: int
    age_previous: int
    chain: int
    oid_high: int
    oid_low: int
    alloc_count: int
    lock: int
    type: int
    ote: int
    age: int
