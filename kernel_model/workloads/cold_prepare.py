"""Cold prepare (W5): capabilities to random objects, with 0, 64 and 256 MB of device memory attached.

Device pages go to the front of the object-hash chains and lengthen them: 256 MB at 8 KB pages add 8 headers to each of
4096 buckets (kernel sheet 0.10), so looking up RAM objects walks through device headers.
"""

from kernel_model import abi
from kernel_model.workloads.base import Guest, Workload

__all__ = ["WORKLOADS"]


def run(guest: Guest) -> None:
    """Prepare capabilities to objects of all types at random."""
    guest.command(abi.Command.COLD_PREPARE, guest.amounts.prepares, guest.seed)


WORKLOADS = tuple(
    Workload(f"cold-prepare-{megabytes}", f"random prepares with {megabytes} MB of device memory", run, megabytes)
    for megabytes in (0, 64, 256)
)
