"""The model's half of the kernel: it answers the hypercalls of the nucleus, and keeps the books.

Python only decides (which frame, or refuse) and counts frames.  It never writes guest memory after reset: whatever an
answer leads to, headers, lists, page tables and TLB entries, is stored by guest instructions.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from kernel_model import abi
from kernel_model.devices import PlacedDevice
from kernel_model.heap import Chunk
from kernel_model.layout import Plan, physical_memory
from kernel_model.physmem import OutOfMemory, Use
from kernel_model.sizing import pages_for
from kernel_model.spacebank import SpaceBank
from kernel_model.strategies.base import GrowRequest, Refused

__all__ = ["Booted", "Done", "KernelModel", "Panic", "RefusedAttach", "boot_chunks"]

Answer = tuple[int, Sequence[int]]


@dataclass(frozen=True)
class Done:
    """How a command ended: its status (`abi.Refusal`) and its figures."""

    command: int
    status: int
    figures: tuple[int, ...]


@dataclass(frozen=True)
class Booted:
    """Figures of the BOOTED hypercall."""

    heap_start: int
    heap_end: int
    heap_pages: int
    page_frames: int
    free_headers: int
    locked_entries: int
    ranges: int
    page_tables: int


@dataclass(frozen=True)
class RefusedAttach:
    """One refusal that the guest reported; ``reason`` is the model's own, empty where the guest decided."""

    code: int
    pa: int
    pages_left: int
    reason: str


@dataclass(frozen=True)
class Panic:
    """The guest gave up."""

    code: int
    va: int
    pc: int
    fault_status: int
    detail: int


@dataclass
class KernelModel:
    """Books of one running nucleus; call it with a hypercall (it is the machine's ``on_hypercall``)."""

    plan: Plan
    allocated_percent: float = 100.0
    retune: int = 0
    """Headers for device pages that the whole population takes: the number that the console announces."""
    growth_allowed: bool = True
    commands: list[tuple[int, ...]] = field(default_factory=list)
    done: list[Done] = field(default_factory=list)
    refused: list[RefusedAttach] = field(default_factory=list)
    chunks: list[Chunk] = field(default_factory=list)
    booted: Booted | None = None
    panic: Panic | None = None
    announced: int | None = None
    """The number given to the guest for its re-tune message, once it asked."""

    def __post_init__(self) -> None:
        self.memory = physical_memory(self.plan.ram, self.plan.page_size)
        self.bank = SpaceBank(0)
        self.page_space: list[tuple[int, int]] = []
        self.held: dict[int, int] = {}
        self.running: tuple[int, ...] = ()
        self.idle_headers: set[int] = set()
        self.reused_headers = 0
        self.reason = ""
        self.last_growth = (0, 0)
        self.next_va = self.plan.parameters["heap_va"]
        self.handlers: dict[int, Callable[[Sequence[int]], Answer | None]] = {
            abi.Hypercall.NEXT_COMMAND: self._next_command,
            abi.Hypercall.DONE: self._done,
            abi.Hypercall.BOOTED: self._booted,
            abi.Hypercall.GROW: self._grow,
            abi.Hypercall.PAGE_SPACE: self._page_space,
            abi.Hypercall.RELEASE: self._release,
            abi.Hypercall.REFUSED: self._refused,
            abi.Hypercall.PANIC: self._panic,
        }

    def __call__(self, number: int, args: Sequence[int]) -> Answer | None:
        """Answer one hypercall; None stops the machine."""
        handler = self.handlers.get(number)
        return handler(args) if handler else (abi.Refusal.BAD_COMMAND, ())

    # ---- commands ----------------------------------------------------------------------------------------------------
    def _next_command(self, args: Sequence[int]) -> Answer | None:
        if not self.commands:
            return None
        self.running = self.commands.pop(0)
        return abi.Refusal.OK, self.running

    def _done(self, args: Sequence[int]) -> Answer:
        self.done.append(Done(args[0], args[1], tuple(args[2:])))
        self._follow_headers(args[2])
        return abi.Refusal.OK, ()

    def _follow_headers(self, pages: int) -> None:
        """A detached page keeps its header, which serves nobody until the same page comes back (kernel sheet 2.1)."""
        command, *arguments = self.running
        if command == abi.Command.ATTACH:
            back = self.idle_headers.intersection(self._pages_from(arguments[0], pages))
            self.idle_headers -= back
            self.reused_headers += len(back)
        elif command == abi.Command.DETACH and not arguments[2]:
            self.idle_headers.update(self._pages_from(arguments[0], pages))
        elif command == abi.Command.DETACH:
            self.reused_headers += pages

    def _pages_from(self, pa: int, pages: int) -> range:
        return range(pa, pa + pages * self.plan.page_size, self.plan.page_size)

    def _panic(self, args: Sequence[int]) -> Answer:
        self.panic = Panic(*args[:5])
        return abi.Refusal.OK, ()

    # ---- boot --------------------------------------------------------------------------------------------------------
    def _page_space(self, args: Sequence[int]) -> Answer:
        """The free ranges, ascending; asking for them turns them into page space."""
        if not self.page_space:
            self.page_space = [
                (region.base, region.size) for region in self.memory.regions if region.use is Use.AVAILABLE
            ]
            for base, size in self.page_space:
                self.memory.claim(base, size, Use.PAGES)
        base, size = self.page_space[args[0]] if args[0] < len(self.page_space) else (0, 0)
        return abi.Refusal.OK, (base, size // self.plan.page_size)

    def _booted(self, args: Sequence[int]) -> Answer:
        self.booted = Booted(*args[:8])
        self.next_va = self.plan.parameters["growth_va"] or self.next_va
        # The bank starts now and is told what exists: every frame of page space, with no slack (kernel sheet 3).
        self.bank = SpaceBank(self._pages(Use.PAGES) + self._pages(Use.PINNED))
        self.bank.allocate(int(self.bank.promised * self.allocated_percent / 100))
        return abi.Refusal.OK, ()

    # ---- growth ------------------------------------------------------------------------------------------------------
    def _grow(self, args: Sequence[int]) -> Answer:
        kind, wanted, subject = args[:3]
        self.reason = ""
        try:
            if kind == abi.GrowKind.BOOT:
                pa, pages = self.boot_chunk(wanted, subject)
            elif kind == abi.GrowKind.USER:
                pa, pages = self._take(1, Use.PINNED, Use.PAGES), 1
            elif not self.growth_allowed:
                raise Refused("growth is switched off")
            else:
                pa, pages = self.plan.strategy.on_grow(GrowRequest(self.device_at(subject), wanted), self)
                self._count_growth(kind, pa, pages)
        except OutOfMemory as error:
            self.reason = str(error)
            return abi.Refusal.NO_FRAME, ()
        except Refused as error:
            self.reason = str(error)
            return abi.Refusal.POLICY, ()
        return abi.Refusal.OK, (pa, pages)

    def boot_chunk(self, wanted: int, vector: int) -> tuple[int, int]:
        """Up to ``wanted`` pages in one piece for a vector: (PA, pages)."""
        pages = min(wanted, self.memory.longest_run() // self.plan.page_size)
        pa = self._take(pages, Use.HEADERS if vector == abi.Vector.RESERVE else Use.HEAP, Use.AVAILABLE)
        self._add_chunk(pa, pages, direct=self.plan.direct)
        return pa, pages

    def _count_growth(self, kind: int, pa: int, pages: int) -> None:
        self.last_growth = (pa, pages)
        if kind != abi.GrowKind.ALTMAP:  # device memory is no RAM
            self._add_chunk(pa, pages, direct=kind == abi.GrowKind.SLAB)

    def _add_chunk(self, pa: int, pages: int, *, direct: bool) -> None:
        size = pages * self.plan.page_size
        va = pa + self.plan.constant if direct else self.next_va
        if not direct:
            self.next_va += size
        self.chunks.append(Chunk(va, pa, size))

    def take_promised(self, pages: int) -> tuple[int, int]:
        """Frames of page space, taken back from the space bank's promise."""
        pa = self._take(pages, Use.HEADERS, Use.PAGES)
        self.bank.take_back(pages)
        return pa, pages

    def take_device(self, device: PlacedDevice | None, pages: int) -> tuple[int, int]:
        """The next of the pages at the end of the device that its driver does not get."""
        held = self.plan.header_pages_in(device) if device else 0
        used = self.held.get(device.base, 0) if device else 0
        if device is None or used >= held:
            owner = device.device.name if device else "the page"
            raise Refused(f"{owner} has no memory that stays and could hold its headers")
        pages = min(pages, held - used)
        self.held[device.base] = used + pages
        return device.base + (device.pages(self.plan.page_size) - held + used) * self.plan.page_size, pages

    def device_at(self, pa: int) -> PlacedDevice | None:
        """The device of the population that answers at ``pa``."""
        found = (item for item in self.plan.devices if not item.refusal and item.base <= pa < item.end)
        return next(found, None)

    # ---- release and refusal -----------------------------------------------------------------------------------------
    def _release(self, args: Sequence[int]) -> Answer:
        pa, pages = args[:2]
        if (pa, pages) == self.last_growth:
            self._undo_growth(pa, pages)
            return abi.Refusal.OK, ()
        size = pages * self.plan.page_size
        owner = self.memory.region_at(pa)
        if owner is None or owner.use is not Use.HEADERS or pa + size > owner.end:
            return abi.Refusal.POLICY, ()  # only headers of device pages can be spared
        self.memory.claim(pa, size, Use.PAGES)
        self.bank.extend(pages)
        self.chunks = [piece for chunk in self.chunks for piece in _without(chunk, pa, size)]
        return abi.Refusal.OK, ()

    def _undo_growth(self, pa: int, pages: int) -> None:
        """The guest could not map what it was granted, and gives it back before it has touched it."""
        device = self.device_at(pa)
        if device is not None:
            self.held[device.base] -= pages
            return
        self.memory.claim(pa, pages * self.plan.page_size, Use.PAGES)
        self.bank.return_unused(pages)
        self.chunks.pop()

    def _refused(self, args: Sequence[int]) -> Answer:
        code, pa, left, attached = args[:4]
        self.refused.append(RefusedAttach(code, pa, left, self.reason))
        if self.announced is not None:
            return abi.Refusal.OK, (0,)
        self.announced = max(self.retune, attached + left + len(self.idle_headers))
        return abi.Refusal.OK, (self.announced,)

    # ---- books -------------------------------------------------------------------------------------------------------
    def _take(self, pages: int, use: Use, source: Use) -> int:
        if pages == 0:
            raise OutOfMemory(f"no frame is {source}")
        return self.memory.allocate(pages * self.plan.page_size, use, self.plan.direction, source)

    def _pages(self, use: Use) -> int:
        return self.memory.total(use) // self.plan.page_size

    def direct_mapped_bytes(self) -> int:
        """Bytes of heap in RAM for which VA = PA + the kernel's constant."""
        return sum(chunk.size for chunk in self.chunks if chunk.constant == self.plan.constant)

    def heap_bytes(self) -> int:
        """Bytes of RAM that back the heap, growth included."""
        return sum(chunk.size for chunk in self.chunks)


def boot_chunks(plan: Plan) -> list[tuple[abi.Vector, Chunk]]:
    """Where every vector of the boot heap will lie, found by asking a model as the nucleus will ask at boot.

    Raises :class:`OutOfMemory` when the heap does not fit.
    """
    model = KernelModel(plan)
    counts, strides = plan.parameters.values["vector_count"], plan.parameters.values["vector_stride"]
    placed = []
    for vector in abi.Vector:
        wanted = pages_for(counts[vector] * strides[vector], plan.page_size)
        while wanted:
            wanted -= model.boot_chunk(wanted, vector)[1]
            placed.append((vector, model.chunks[-1]))
    return placed


def _without(chunk: Chunk, pa: int, size: int) -> list[Chunk]:
    """What is left of ``chunk`` without the physical range."""
    low, high = max(chunk.pa, pa), min(chunk.pa + chunk.size, pa + size)
    if low >= high:
        return [chunk]
    pieces = ((chunk.pa, low), (high, chunk.pa + chunk.size))
    return [Chunk(start + chunk.constant, start, end - start) for start, end in pieces if end > start]
