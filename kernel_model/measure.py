"""From the machine's counters to the figures of a result."""

from collections.abc import Iterable
from dataclasses import asdict

from emu.counters import Counters
from kernel_model import abi
from kernel_model.results import (
    Bill,
    Cycles,
    DevicePages,
    Misses,
    Operation,
    SideMisses,
    WorkloadResult,
    WorstOperation,
)

__all__ = ["STEADY_OPERATIONS", "add_cycles", "add_misses", "workload_result", "worst_operation"]

SHARE_DIGITS = 6

#: Operations that happen while the system serves its users; those of boot and of the announcement happen once.
STEADY_OPERATIONS = frozenset(
    {"attach", "grow", "prepare", "device_prepare", "ipc", "release", "walk", "allocate", "rescind", "detach"}
)


def workload_result(counted: Counters, pages: DevicePages) -> WorkloadResult:
    """The figures of one workload from ``counted``, the difference of two snapshots."""
    misses = counted.misses
    return WorkloadResult(
        instructions=counted.instructions,
        cycles=cycles(counted.cycles, counted.refill_cycles, Bill(**asdict(counted.bill))),
        misses=Misses(
            itlb=misses.itlb,
            dtlb=misses.dtlb,
            user=misses.itlb_user + misses.dtlb_user,
            kernel=misses.itlb_kernel + misses.dtlb_kernel,
            nested=misses.nested,
            by_region={
                name: SideMisses(itlb=sides["itlb"], dtlb=sides["dtlb"])
                for name, sides in misses.by_region.items()
                if sides["itlb"] or sides["dtlb"]
            },
        ),
        inhibited_reads=counted.inhibited_reads,
        inhibited_writes=counted.inhibited_writes,
        operations={
            operation_name(number): Operation(**done.to_dict())
            for number, done in counted.operations.items()
            if done.count
        },
        device_pages=pages,
    )


def operation_name(number: int) -> str:
    """The name of an operation id of the mailbox."""
    return abi.Operation(number).name.lower() if number in set(abi.Operation) else f"operation-{number}"


def cycles(total: int, refill: int, bill: Bill) -> Cycles:
    """Cycles with the share of refills."""
    share = round(refill / total, SHARE_DIGITS) if total else 0.0
    return Cycles(total=total, refill=refill, share=share, bill=bill)


def add_bills(bills: Iterable[Bill]) -> Bill:
    """Bills of several workloads together."""
    items = list(bills)
    return Bill(**{name: sum(getattr(item, name) for item in items) for name in Bill.__struct_fields__})


def add_cycles(parts: Iterable[Cycles]) -> Cycles:
    """Cycles of several workloads together."""
    items = list(parts)
    bill = add_bills(item.bill for item in items)
    return cycles(sum(item.total for item in items), sum(item.refill for item in items), bill)


def add_misses(parts: Iterable[Misses]) -> Misses:
    """Misses of several workloads together."""
    items = list(parts)
    regions = sorted({name for item in items for name in item.by_region})
    none = SideMisses(itlb=0, dtlb=0)
    return Misses(
        itlb=sum(item.itlb for item in items),
        dtlb=sum(item.dtlb for item in items),
        user=sum(item.user for item in items),
        kernel=sum(item.kernel for item in items),
        nested=sum(item.nested for item in items),
        by_region={
            name: SideMisses(
                itlb=sum(item.by_region.get(name, none).itlb for item in items),
                dtlb=sum(item.by_region.get(name, none).dtlb for item in items),
            )
            for name in regions
        },
    )


def worst_operation(results: Iterable[WorkloadResult]) -> WorstOperation | None:
    """The longest steady-state operation of all workloads; of equals, the first by name."""
    worst = [
        (operation.worst, name)
        for result in results
        for name, operation in result.operations.items()
        if name in STEADY_OPERATIONS
    ]
    if not worst:
        return None
    cycles_, name = min(worst, key=lambda item: (-item[0], item[1]))
    return WorstOperation(name=name, cycles=cycles_)
