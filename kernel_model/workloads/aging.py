"""Aging burst (W6): steady allocation in a full cache, where one allocation in many pays for a sweep over headers.

About a tenth of all Page headers, in the order in which they were used last, each with its neighbours in two lists and
its entry of the object table: what a kernel with mapped headers fears most (kernel sheet 5).
"""

from kernel_model import abi
from kernel_model.workloads.base import Guest, Workload, require

__all__ = ["WORKLOAD"]


def prepare(guest: Guest) -> None:
    """The age lists are those of a system that has run for long."""
    require(guest.command(abi.Command.SHUFFLE, guest.seed))


def run(guest: Guest) -> None:
    """Pages are allocated and stay in use."""
    require(guest.command(abi.Command.AGE, guest.amounts.aging_allocations))


WORKLOAD = Workload(
    "aging", "pages are allocated in a full cache until headers must be aged", run, prepare=prepare, by_default=False
)
