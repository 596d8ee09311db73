"""Boot: from reset to the first command.  Vectors, headers and links of the whole heap are built by guest code."""

from kernel_model.workloads.base import Guest, Workload

__all__ = ["WORKLOAD"]


def run(guest: Guest) -> None:
    """Start the nucleus."""
    guest.boot()


WORKLOAD = Workload("boot", "from reset to the first command: every vector built by guest code", run, always=True)
