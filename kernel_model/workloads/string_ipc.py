"""String IPC (W3): a call takes a string along, from the caller's memory into the server's.

For each page of the destination the kernel walks the server's GPTs and opens a slot of the transmap; the source is the
caller's own memory, where the copy misses like the caller itself.
"""

from kernel_model import abi
from kernel_model.workloads.base import Guest, Workload, require

__all__ = ["WORKLOAD"]


def prepare(guest: Guest) -> None:
    """Caller and server get memory for one string each."""
    amounts = guest.amounts
    require(guest.command(abi.Command.SPACE, 2, amounts.string_bytes(), amounts.gpt_depth, guest.seed))


def run(guest: Guest) -> None:
    """Process 0 sends strings, process 1 answers without one."""
    require(guest.command(abi.Command.STRING_IPC, guest.amounts.string_bytes(), guest.amounts.string_round_trips))


WORKLOAD = Workload("string-ipc", "calls that take a string along", run, prepare=prepare, by_default=False)
