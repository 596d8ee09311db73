"""The plan: board + strategy + mapping + scenario -> boot parameters of the nucleus, or the reason why it cannot work.

Nothing here touches a machine.  A combination that cannot work is found out before anything runs, so that the user
reads a sentence and not a register dump.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from emu.board import Board
from kernel_model import abi
from kernel_model.choices import Flush, Handler, Mapping
from kernel_model.devices import Device, PlacedDevice, place
from kernel_model.heap import Heap
from kernel_model.physmem import Direction, OutOfMemory, PhysicalMemory, Use
from kernel_model.scenario import Scenario
from kernel_model.sizing import MEGABYTE, estimate, pages_for
from kernel_model.strategies.base import GrowthArea, Reserves, Strategy
from kernel_model.structures import sizes

__all__ = ["DIRECT_KINDS", "Plan", "PlanRefused", "make_plan", "physical_memory"]

#: Mappings under which kernel VA = PA + constant for all RAM; the others map the heap page by page.
DIRECT_KINDS = frozenset({Mapping.ACR, Mapping.LOCKED_1M, Mapping.UNLOCKED_1M})

KINDS = {
    Mapping.ACR: abi.MappingKind.ACR,
    Mapping.LOCKED_1M: abi.MappingKind.LOCKED_1M,
    Mapping.UNLOCKED_1M: abi.MappingKind.UNLOCKED_1M,
    Mapping.PAGED_8K: abi.MappingKind.PAGED_8K,
    Mapping.PAGED_4K: abi.MappingKind.PAGED_4K,
}
HANDLER_KINDS = {
    Handler.RANGE: abi.HandlerKind.RANGE,
    Handler.TWO_LEVEL: abi.HandlerKind.TWO_LEVEL,
    Handler.LINEAR: abi.HandlerKind.LINEAR,
}
FLUSH_POLICIES = {Flush.SWITCH: abi.FlushPolicy.FLUSH, Flush.ASID: abi.FlushPolicy.ASID}
VECTOR_NAMES = {
    abi.Vector.PROCESS: "process",
    abi.Vector.GPT: "gpt",
    abi.Vector.ENDPOINT: "endpoint",
    abi.Vector.INDEX: "index",
    abi.Vector.PAGE: "page",
    abi.Vector.DEPEND: "depend",
    abi.Vector.REVMAP: "revmap",
    abi.Vector.OTE: "otentry",
}

GROWTH_VA = 0xE000_0000
"""Growth window: above any direct map of up to 512 MB of RAM from KVA ..."""
GROWTH_LIMIT = abi.CONSOLE_VA
"""... and below the console and the transmap."""
LARGE_SHIFT = 20
ACR_SMALLEST = 16 * MEGABYTE
"""With AMM = 0 an ACR matches the top 8 address bits only (hardware sheet 2.3)."""
DTLB_ENTRIES = 32
DATA_MINIMUM = 4
"""Unlocked data entries that one instruction can need at once: a memory-to-memory move with both operands misaligned
across pages (hardware sheet 1.12)."""
CONSOLE_BYTES = 128 << 10
"""Protected console reserve: 16 pages at 8 KB, 32 at 4 KB (kernel sheet 8.9)."""


class PlanRefused(Exception):
    """The combination cannot work; ``str()`` is the reason in words."""


@dataclass(frozen=True)
class Plan:
    """Everything that is decided before the machine starts.  Addresses and sizes in bytes."""

    board: Board
    strategy: Strategy
    mapping: Mapping
    direction: Direction
    page_size: int
    reserves: Reserves
    devices: tuple[PlacedDevice, ...]
    parameters: abi.ParameterBlock
    heap_pages: int
    locked_data_entries: int

    def __str__(self) -> str:
        return f"{self.strategy.name}/{self.mapping}"

    @property
    def ram(self) -> tuple[int, int]:
        """(base, size) of the RAM the kernel manages."""
        base, size = self.board.ram[0]
        return base, size

    @property
    def constant(self) -> int:
        """VA - PA of the direct map."""
        return abi.KVA - self.ram[0]

    @property
    def direct(self) -> bool:
        """Whether the boot heap is reached through the direct map."""
        return self.mapping in DIRECT_KINDS

    def headers_for(self, size: int) -> int:
        """Page headers that ``size`` bytes of device memory need."""
        return pages_for(size, self.page_size)

    def header_pages_in(self, device: PlacedDevice) -> int:
        """Pages at the end of ``device`` that hold headers and are therefore not its driver's (strategy altmap)."""
        if self.strategy.growth is not abi.GrowthKind.ALTMAP or not device.device.may_hold_headers:
            return 0
        unit = (1 << self.parameters["growth_shift"]) // self.page_size
        stride = self.parameters.values["vector_stride"][abi.Vector.RESERVE]
        total = device.pages(self.page_size)
        held = unit * pages_for(total * stride, unit * (self.page_size + stride))  # headers of the others fit in them
        return held if held < total else 0


def physical_memory(plan_ram: tuple[int, int], page_size: int) -> PhysicalMemory:
    """The region table at boot: RAM, of which the first megabyte is the kernel image."""
    base, size = plan_ram
    memory = PhysicalMemory(page_size)
    memory.add_ram(base, size)
    memory.claim(base, abi.IMAGE_SIZE, Use.KERNEL)
    return memory


def make_plan(
    scenario: Scenario, board: Board, strategy: Strategy, mapping: Mapping, devices: tuple[Device, ...]
) -> Plan:
    """Work out the plan; raises :class:`PlanRefused` with the reason when the combination cannot work."""
    page_size = 4096 if mapping is Mapping.PAGED_4K else 8192
    reserves = scenario.reserve.amounts()
    placed = place(devices, board.device_window, page_size)
    counts, strides = _vectors(scenario, board, strategy, page_size)
    # The nucleus starts each vector on a page, so that every mapping kind has the same layout.
    heap_pages = sum(pages_for(count * stride, page_size) for count, stride in zip(counts, strides, strict=True))
    plan = Plan(
        board=board,
        strategy=strategy,
        mapping=mapping,
        direction=scenario.kernel.allocation,
        page_size=page_size,
        reserves=reserves,
        devices=placed,
        parameters=_parameters(scenario, board, strategy, mapping, page_size, placed, counts, strides),
        heap_pages=heap_pages,
        locked_data_entries=_locked_entries(board, mapping, scenario.kernel.allocation, heap_pages * page_size),
    )
    for reason in _objections(plan):
        raise PlanRefused(reason)
    return plan


def _vectors(
    scenario: Scenario, board: Board, strategy: Strategy, page_size: int
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Elements and strides of every vector, in ABI order."""
    struct_sizes = sizes(scenario.kernel.alignment)
    heap = estimate(
        board.ram[0][1],
        abi.IMAGE_SIZE,
        struct_sizes=struct_sizes,
        tables=scenario.kernel.tables,
        page_size=page_size,
    )
    counts = {vector: heap.count(name) for vector, name in VECTOR_NAMES.items()}
    # The estimate knows nothing of the console's own headers; they come on top, so that its slack stays what it was.
    counts[abi.Vector.PAGE] += pages_for(scenario.reserve.console_bytes(), page_size)
    counts[abi.Vector.USER_TABLE] = scenario.workload.processes
    counts[abi.Vector.RESERVE] = pages_for(strategy.boot_memory(scenario.reserve.amounts()), page_size)
    strides = {vector: struct_sizes.of(name) for vector, name in VECTOR_NAMES.items()}
    strides[abi.Vector.USER_TABLE] = page_size
    strides[abi.Vector.RESERVE] = struct_sizes.page
    return tuple(counts[vector] for vector in abi.Vector), tuple(strides[vector] for vector in abi.Vector)


def _parameters(
    scenario: Scenario,
    board: Board,
    strategy: Strategy,
    mapping: Mapping,
    page_size: int,
    placed: tuple[PlacedDevice, ...],
    counts: tuple[int, ...],
    strides: tuple[int, ...],
) -> abi.ParameterBlock:
    shift = page_size.bit_length() - 1
    altmap = strategy.growth is abi.GrowthKind.ALTMAP
    large = altmap and scenario.kernel.altmap_large_pages and _large_pages_fit(placed)
    growth_shift = LARGE_SHIFT if large else shift
    return abi.ParameterBlock(
        ram_base=board.ram[0][0],
        ram_size=board.ram[0][1],
        mbar=board.mbar,
        page_shift=shift,
        mapping=KINDS[mapping],
        handler=HANDLER_KINDS[scenario.kernel.handler],
        flush=FLUSH_POLICIES[scenario.kernel.flush],
        growth=strategy.growth,
        growth_va=GROWTH_VA if strategy.area is GrowthArea.WINDOW else 0,
        growth_limit=GROWTH_LIMIT if strategy.area in (GrowthArea.WINDOW, GrowthArea.AFTER_HEAP) else 0,
        growth_pages=1 << (growth_shift - shift),
        growth_shift=growth_shift,
        exhaustion=strategy.exhaustion,
        console_pa=board.mbar,
        console_pages=CONSOLE_BYTES >> shift,
        console_reserve=pages_for(scenario.reserve.console_bytes(), page_size),
        user_processes=scenario.workload.processes,
        vector_count=counts,
        vector_stride=strides,
    )


def _large_pages_fit(placed: tuple[PlacedDevice, ...]) -> bool:
    """Whether every device with memory can give up whole megabytes for headers, at its end."""
    memories = [item.device.size for item in placed if item.device.may_hold_headers and not item.refusal]
    return bool(memories) and min(memories) >= 2 * MEGABYTE and not any(size % MEGABYTE for size in memories)


def _locked_entries(board: Board, mapping: Mapping, direction: Direction, span: int) -> int:
    """Locked 1-MB data entries: image, and under locked-1m every megabyte that the heap touches."""
    if mapping is Mapping.ACR:
        return 0
    if mapping is not Mapping.LOCKED_1M:
        return 1
    base, size = board.ram[0]
    start: int = base + abi.IMAGE_SIZE if direction is Direction.BOTTOM_UP else base + size - span
    return 1 + (start + span - 1) // MEGABYTE - start // MEGABYTE + 1


def _objections(plan: Plan) -> Iterator[str]:
    """Reasons why the plan cannot work, most telling first."""
    for check in CHECKS:
        reason = check(plan)
        if reason:
            yield reason


def _strategy_allows(plan: Plan) -> str:
    return plan.strategy.cannot.get(plan.mapping, "")


def _acr_reaches_ram(plan: Plan) -> str:
    if plan.mapping is not Mapping.ACR:
        return ""
    base, size = plan.ram
    if base != abi.KVA:
        return (
            f"acr passes addresses through unchanged (PA = VA), but SDRAM lies at {base:#010x} and the kernel is linked"
            f" at {abi.KVA:#010x}"
        )
    if size < ACR_SMALLEST or size & (size - 1):
        return f"an ACR matches a power of two of at least 16 MB, not {size // MEGABYTE} MB of SDRAM"
    return ""


def _locked_fit(plan: Plan) -> str:
    if plan.locked_data_entries <= abi.MAX_LOCKED:
        return ""
    return (
        f"the heap and the image need {plan.locked_data_entries} locked 1-MB entries; of {DTLB_ENTRIES} data entries"
        f" {abi.MAX_LOCKED} may be locked ({DATA_MINIMUM} must stay free for one instruction, one for growth)"
    )


def _altmap_has_memory(plan: Plan) -> str:
    if plan.strategy.growth is not abi.GrowthKind.ALTMAP or not plan.devices:
        return ""
    if any(item.device.may_hold_headers and not item.refusal for item in plan.devices):
        return ""
    return "altmap stores headers in device memory, but no device that fits this board has memory and stays"


def _heap_fits(plan: Plan) -> str:
    base, size = plan.ram
    memory = physical_memory(plan.ram, plan.page_size)
    heap = Heap(plan.constant + base + abi.IMAGE_SIZE, abi.SUPERVISOR_LIMIT, memory, plan.direction)
    try:
        heap.calloc(plan.page_size, plan.heap_pages)
    except OutOfMemory:
        wanted = plan.heap_pages * plan.page_size / MEGABYTE
        return f"the boot heap would need {wanted:.1f} MB of {size // MEGABYTE} MB of RAM"
    if plan.strategy.area is GrowthArea.WINDOW and plan.constant + base + size > GROWTH_VA:
        return f"the direct map of {size // MEGABYTE} MB of RAM reaches into the growth window at {GROWTH_VA:#010x}"
    return ""


CHECKS: tuple[Callable[[Plan], str], ...] = (
    _strategy_allows,
    _acr_reaches_ram,
    _locked_fit,
    _altmap_has_memory,
    _heap_fits,
)
