"""What `cfemu compare` reports: one row per strategy and mapping, and the object that holds them.

Fields are documented where they are defined; ``schema.py`` turns these definitions into the JSON schema.  A result
holds nothing that differs between two runs of the same input: no time of day, no duration, no host path.
"""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

__all__ = [
    "SCHEMA_NAME",
    "Bill",
    "Cycles",
    "DevicePages",
    "Frames",
    "HeapBytes",
    "Misses",
    "Operation",
    "Report",
    "Row",
    "SideMisses",
    "UnpluggedHeaders",
    "WorkloadResult",
    "WorstOperation",
    "encode_report",
]

SCHEMA_NAME = "cfemu-compare/3"

Count = Annotated[int, Meta(ge=0)]
Share = Annotated[float, Meta(ge=0, le=1)]


class Result(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of every part of a report."""


class Bill(Result, frozen=True, kw_only=True):
    """What TLB misses cost, in cycles, by what they were spent on."""

    entry: Annotated[Count, Meta(description="exception processing, its waits for memory included")]
    handler: Annotated[Count, Meta(description="instructions of the handlers")]
    stalls: Annotated[Count, Meta(description="waits for memory in the handlers (level full)")]
    back: Annotated[Count, Meta(description="RTE, its waits for memory included")]
    evicted: Annotated[
        int,
        Meta(
            description="waits outside of handlers for lines that would be in the caches without them, less the"
            " opposite (level full); not in refill"
        ),
    ]


class Cycles(Result, frozen=True, kw_only=True):
    """Processor cycles."""

    total: Annotated[Count, Meta(description="all cycles")]
    refill: Annotated[Count, Meta(description="from exception entry to RTE of every outermost TLB refill")]
    share: Annotated[Share, Meta(description="refill / total, rounded to six decimals")]
    bill: Annotated[Bill, Meta(description="what `refill` was spent on, and what it cost afterwards")]


class SideMisses(Result, frozen=True, kw_only=True):
    """Misses of one region, by TLB."""

    itlb: Count
    dtlb: Count


class Misses(Result, frozen=True, kw_only=True):
    """TLB misses, as the model of the MMU counted them."""

    itlb: Annotated[Count, Meta(description="instruction TLB")]
    dtlb: Annotated[Count, Meta(description="data TLB")]
    user: Annotated[Count, Meta(description="taken in user mode, both TLBs")]
    kernel: Annotated[Count, Meta(description="taken in supervisor mode, both TLBs")]
    nested: Annotated[Count, Meta(description="taken while another refill had not returned")]
    by_region: Annotated[dict[str, SideMisses], Meta(description="by region of the virtual address")]


class HeapBytes(Result, frozen=True, kw_only=True):
    """Kernel heap at the end, in bytes."""

    reserved: Annotated[Count, Meta(description="backing memory: boot-time heap, plus growth, less what was released")]
    used: Annotated[Count, Meta(description="kernel objects, and headers of attached device pages")]
    wasted: Annotated[Count, Meta(description="reserved - used")]
    direct_mapped: Annotated[Count, Meta(description="bytes of `reserved` for which VA = PA + the kernel's constant")]


class Frames(Result, frozen=True, kw_only=True):
    """The promise to the space bank, in page frames."""

    promised: Annotated[Count, Meta(description="at the bank's start, plus what was released to it")]
    taken_back: Annotated[Count, Meta(description="taken for the heap after the promise: promise broken")]
    lost: Annotated[Count, Meta(description="taken while every frame left was allocated: content lost")]


class DevicePages(Result, frozen=True, kw_only=True):
    """Pages of device memory.  Those that hold their device's own headers (strategy altmap) are in neither figure."""

    attached: Annotated[Count, Meta(description="with a header: their driver can use them")]
    refused: Annotated[Count, Meta(description="without one, or outside the board's device window")]


class UnpluggedHeaders(Result, frozen=True, kw_only=True):
    """Page headers of devices that were unplugged, those of the workload hot-plug included."""

    leaked: Annotated[
        Count, Meta(description="kept at the end by pages that are gone: of use only if the same page comes back")
    ]
    reused: Annotated[
        Count, Meta(description="found again when the same page came back, or, with hot_plug_recycle, given back")
    ]


class WorstOperation(Result, frozen=True, kw_only=True):
    """The longest kernel operation."""

    name: str
    cycles: Count


class Operation(Result, frozen=True, kw_only=True):
    """All executions of one kernel operation."""

    count: Count
    cycles: Annotated[Count, Meta(description="total")]
    p50: Annotated[Count, Meta(description="cycles that half of them did not exceed (nearest rank)")]
    p99: Annotated[Count, Meta(description="cycles that 99 of 100 did not exceed (nearest rank)")]
    worst: Annotated[Count, Meta(description="cycles of the longest")]


class WorkloadResult(Result, frozen=True, kw_only=True):
    """Counters of one workload."""

    instructions: Count
    cycles: Cycles
    misses: Misses
    inhibited_reads: Annotated[Count, Meta(description="reads of cache-inhibited memory, each one a bus access")]
    inhibited_writes: Annotated[Count, Meta(description="writes to cache-inhibited memory")]
    operations: Annotated[dict[str, Operation], Meta(description="by kernel operation")]
    device_pages: Annotated[DevicePages, Meta(description="device pages there while the workload ran, and refused")]


class Row(Result, frozen=True, kw_only=True):
    """One strategy under one mapping.  The measured fields are null where the combination itself is refused."""

    strategy: str
    mapping: str
    handler: str
    board: str
    flush: str
    allocation: str
    seed: int
    firmware: Annotated[str | None, Meta(description="SHA-256 of the guest program that ran")]
    refusal: Annotated[
        str | None, Meta(description="why the combination, or a device, was refused; null when nothing was")
    ]
    instructions: Annotated[Count | None, Meta(description="retired, all workloads")] = None
    cycles: Cycles | None = None
    misses: Misses | None = None
    heap: HeapBytes | None = None
    frames: Frames | None = None
    device_pages: Annotated[DevicePages | None, Meta(description="of the scenario's own devices")] = None
    unplugged_headers: UnpluggedHeaders | None = None
    console: Annotated[
        bool | None,
        Meta(
            description="after a refusal (of a device or, where none was refused, of one page more than there are"
            " headers for, asked for at the end and not counted) guest code attached the console device page by page"
            " and wrote the re-tune message, with the number to set, through it"
        ),
    ] = None
    worst_operation: WorstOperation | None = None
    unfinished: Annotated[
        list[str],
        Meta(
            description="workloads that did less than the scenario asks for: pages of their devices were refused, they"
            " ended early, or could not run at all"
        ),
    ] = []
    workloads: dict[str, WorkloadResult] | None = None


class Report(Result, frozen=True, kw_only=True):
    """A whole comparison."""

    schema: Annotated[str, Meta(description=f"always {SCHEMA_NAME}")]
    scenario: Annotated[dict[str, Any], Meta(description="the scenario with every default filled in")]
    versions: Annotated[dict[str, str], Meta(description="of this package and of what computes the figures")]
    engine: Annotated[str, Meta(description="native, public or reference: the only field that differs between them")]
    timing: Annotated[str, Meta(description="level of the time model: flat, pipeline or full")]
    clock: Annotated[str, Meta(description="what devices count as time: cycles or instructions")]
    numbers: Annotated[
        dict[str, dict[str, int]],
        Meta(description="numbers of the time model that the user changed, by table"),
    ]
    rows: list[Row]


def encode_report(report: Report) -> bytes:
    """The report as indented JSON with sorted keys, ending in a newline: equal input gives equal bytes."""
    return msgspec.json.format(msgspec.json.encode(report, order="sorted"), indent=2) + b"\n"
