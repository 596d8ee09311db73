"""One running nucleus with its half of the kernel in Python: what workloads talk to."""

from dataclasses import replace
from typing import Self

from emu.counters import Counters
from emu.elf import Elf
from emu.errors import EngineError, GuestError
from emu.machine import Machine, RunResult, StopReason
from emu.options import MachineOptions
from kernel_model import abi
from kernel_model.devices import Arrival, Departure, Device, PlacedDevice, place
from kernel_model.heap import Chunk, merge_chunks
from kernel_model.kernel import Done, KernelModel, Panic, boot_chunks
from kernel_model.layout import Plan
from kernel_model.results import DevicePages
from kernel_model.scenario import Scenario, WorkloadTable
from kernel_model.sizing import pages_for
from kernel_model.workloads.base import require

__all__ = ["Session"]

INSTRUCTION_BUDGET = 200_000_000
"""A command that takes longer hangs: the longest one of the default scenario takes 5 million."""

PANIC_NAMES = {panic.value: panic.name.lower().replace("_", " ") for panic in abi.Panic}


class Session:
    """A machine that boots the nucleus of one plan.  Use as a context manager; closes the machine."""

    def __init__(self, scenario: Scenario, plan: Plan, elf: Elf, options: MachineOptions) -> None:
        self.scenario = scenario
        self.plan = plan
        self.machine = Machine(plan.board, **options.keywords)
        self.model = KernelModel(
            plan,
            scenario.bank.allocated_percent,
            retune=sum(
                item.headers(plan.page_size, recycled=scenario.workload.hot_plug_recycle)
                for item in plan.devices
                if not item.refusal
            ),
        )
        self.plugged: list[PlacedDevice] = []
        self.moved: dict[str, PlacedDevice] = {}
        self.pages_attached: dict[str, int] = {}
        self.pages_refused: dict[str, int] = {}
        self.halted = False
        self.machine.load_elf(elf)
        self.machine.write_physical(plan.ram[0] + abi.PARAMETER_OFFSET, plan.parameters.pack())
        self.machine.on_hypercall = self.model
        for item in plan.devices:
            if not item.refusal:
                size = item.pages(plan.page_size) * plan.page_size
                self.machine.attach_memory(item.base, size, item.device.name)
        for name, start, end in regions(plan):
            self.machine.regions.add(name, start, end)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.machine.close()

    @property
    def amounts(self) -> WorkloadTable:
        """How much of each operation the scenario asks for."""
        return self.scenario.workload

    @property
    def seed(self) -> int:
        """Seed of the guest's own pseudo-random choices; never 0."""
        return self.scenario.seed

    def counters(self) -> Counters:
        """Everything counted so far."""
        return self.machine.counters()

    def boot(self) -> None:
        """Run the nucleus from reset to its first request for a command; raises GuestError when it cannot boot."""
        self._run()
        if self.model.booted is None:
            raise GuestError(f"{self.plan}: the nucleus stopped before it had booted", self.machine.describe())

    def command(self, command: abi.Command, *arguments: int) -> Done | None:
        """Run one command to its end; None when the kernel halted during it (or had halted before)."""
        if self.halted:
            return None
        done = len(self.model.done)
        self.model.commands.append((command, *arguments))
        if not self._run():
            return None
        if len(self.model.done) != done + 1:
            raise EngineError(f"{self.plan}: the nucleus did not finish command {command.name}")
        return self.model.done[-1]

    def attach(self, arrival: Arrival) -> None:
        """Attach every device of the population that arrives so, page by page."""
        for item in self.plan.devices:
            if item.device.arrival is arrival:
                self._attach(item, item.device.name)

    def _attach(self, item: PlacedDevice, name: str) -> None:
        """Attach at a place the device of the population that is called so, there for the first time or again."""
        wanted = item.pages(self.plan.page_size) - self.plan.header_pages_in(item)
        attached = 0
        if not item.refusal and not self.halted:
            done = self.command(abi.Command.ATTACH, item.base, wanted)
            attached = done.figures[0] if done else wanted - self.model.refused[-1].pages_left
        self.pages_attached[name] = attached
        self.pages_refused[name] = max(wanted - attached, self.pages_refused.get(name, 0))

    def unplug(self) -> None:
        """Pull out every device of the population that leaves, as far as it was attached, in their order."""
        if self.halted:
            return
        for item, attached in self.attached():
            if item.device.departure is not Departure.NEVER and attached:
                recycle = int(self.amounts.hot_plug_recycle)
                require(self.command(abi.Command.DETACH, item.base, attached, recycle))
                self.pages_attached[item.device.name] = 0

    def plug_back(self) -> None:
        """Those that return are plugged in again, in their order: where they were, or where no device has been yet."""
        if self.halted:
            return
        for item in self.plan.devices:
            name = item.device.name
            if item.device.departure is Departure.BACK:
                self._attach(item, name)
            elif item.device.departure is Departure.ELSEWHERE and not item.refusal:
                there = self._plug(replace(item.device, name=f"{name}, plugged in elsewhere", base=None))
                self.moved[name] = there
                self._attach(there, name)

    def plug(self, size: int) -> PlacedDevice | None:
        """Plug in another card with ``size`` bytes, where no device has been yet; None when the board's window is full.

        It is none of the scenario's devices, and no figure of theirs counts its pages.
        """
        card = Device(f"hot-plug card {len(self.plugged) + 1}", size, departure=Departure.UNPLUGGED)
        placed = self._plug(card)
        return None if placed.refusal else placed

    def _plug(self, card: Device) -> PlacedDevice:
        """The card where no device has been yet, or with the reason why there is no such place."""
        if self.plan.board.device_window is None:
            return place([card], None, self.plan.page_size)[0]
        base, window = self.plan.board.device_window
        page = self.plan.page_size
        start, end = self._beyond_devices(), base + window
        placed = place([card], (start, max(end - start, 0)), page)[0]
        if placed.refusal:
            return placed
        if not self.plugged:  # one bank of memory serves all cards: its host pages appear when they are touched
            self.machine.attach_memory(start, end - start, "hot-plug cards")
        self.plugged.append(placed)
        return placed

    def pages(self, size: int) -> int:
        """Pages of ``size`` bytes."""
        return pages_for(size, self.plan.page_size)

    def release(self) -> None:
        """The device configuration is known: give back what the strategy gives back."""
        keep = self.plan.strategy.released_down_to
        if keep is not None:
            self.command(abi.Command.RELEASE, self.plan.headers_for(keep(self.plan.reserves)))

    def attached(self) -> list[tuple[PlacedDevice, int]]:
        """Devices with the number of their pages that were attached."""
        return [
            (self.moved.get(item.device.name, item), self.pages_attached.get(item.device.name, 0))
            for item in self.plan.devices
        ]

    def placed(self) -> list[PlacedDevice]:
        """Every place of a device, past ones included, and the devices that got none."""
        nowhere = [item for item in self.moved.values() if item.refusal]
        return [*self.plan.devices, *nowhere, *self.plugged]

    def device_pages(self) -> DevicePages:
        """Pages of device memory attached and refused so far."""
        return DevicePages(attached=sum(self.pages_attached.values()), refused=sum(self.pages_refused.values()))

    def console_drill(self) -> None:
        """Ask for one device page more than there are headers, so that the kernel must refuse and call for the user.

        For rows in which nothing was refused: the console must be reachable in those too.  Growth is switched off
        first, as if the bank had nothing left to give.
        """
        if self.halted or self.model.refused:
            return
        self.model.growth_allowed = False
        pages = self._free_headers() + 1
        self.command(abi.Command.ATTACH, self._no_memory(pages), pages)

    def _free_headers(self) -> int:
        """Headers left for device pages, as the guest last said."""
        for done in reversed(self.model.done):
            if done.command == abi.Command.ATTACH:
                return done.figures[5]
            if done.command == abi.Command.RELEASE:
                return done.figures[1]
            if done.command == abi.Command.DETACH:
                return done.figures[2]
        return self.model.booted.free_headers if self.model.booted else 0

    def _beyond_devices(self) -> int:
        """The first page of the board's device window after all devices."""
        base = self.plan.board.device_window[0] if self.plan.board.device_window else 0x8000_0000
        end = max([base, *(item.end for item in self.placed() if not item.refusal)])
        return pages_for(end, self.plan.page_size) * self.plan.page_size

    def _no_memory(self, pages: int) -> int:
        """Where so many pages are neither RAM nor a device's; nobody looks into them."""
        start = self._beyond_devices()
        base, size = self.plan.ram
        return base + size if start < base + size and base < start + pages * self.plan.page_size else start

    def console_reached(self) -> bool:
        """Whether, after a refusal, guest code attached the console and wrote the number to set through it."""
        if not self.model.refused or self.model.announced is None:
            return False
        operations = self.counters().operations
        wrote = f"reserve={self.model.announced}".encode() in bytes(self.machine.console)
        return wrote and abi.Operation.CONSOLE in operations

    def advance(self) -> RunResult:
        """Run the guest until it waits for a command or ends; whoever observes every instruction does it otherwise."""
        return self.machine.run(max_instructions=INSTRUCTION_BUDGET)

    def _run(self) -> bool:
        """Run until the guest wants a command; False when the kernel halted for want of headers."""
        result = self.advance()
        if result.reason is StopReason.HYPERCALL:
            return True
        panic = self.model.panic
        if panic is not None and panic.code == abi.Panic.HEADERS_EXHAUSTED:
            self.halted = True
            return False
        what = f"stopped: {result.reason.value}" if panic is None else describe_panic(panic)
        raise GuestError(f"{self.plan}: the nucleus {what} (PC {result.pc:#010x})", self.machine.describe())


def describe_panic(panic: Panic) -> str:
    """Why the guest gave up, in one line."""
    what = PANIC_NAMES.get(panic.code, f"code {panic.code}")
    where = f"VA {panic.va:#010x}, PC {panic.pc:#010x}, FS {panic.fault_status:#x}, detail {panic.detail:#x}"
    return f"panicked: {what}, {where}"


def regions(plan: Plan) -> list[tuple[str, int, int]]:
    """Names for VA ranges [start, end), in the order in which they match: every vector of the heap has its own."""
    named = [
        ("user", 0, 0x8000_0000),
        ("image", abi.KVA, abi.KVA + abi.IMAGE_SIZE),
        ("console", abi.CONSOLE_VA, abi.TRANSMAP_VA),
        ("transmap", abi.TRANSMAP_VA, abi.SUPERVISOR_LIMIT),
    ]
    pieces: dict[abi.Vector, list[Chunk]] = {}
    for vector, chunk in boot_chunks(plan):
        pieces.setdefault(vector, []).append(chunk)
    for vector, chunks in pieces.items():
        for number, chunk in enumerate(merge_chunks(chunks)):
            name = f"heap.{vector.name.lower()}" + (f".{number}" if number else "")
            named.append((name, chunk.va, chunk.va + chunk.size))
    base, size = plan.ram
    if plan.direct:  # what is left of RAM, reached through the direct map
        named.append(("page-space", base + plan.constant, base + plan.constant + size))
    growth = plan.parameters["growth_va"] or max((end for name, _, end in named if name.startswith("heap.")))
    if plan.parameters["growth_limit"]:
        named.append(("heap.growth", growth, plan.parameters["growth_limit"]))
    return named
