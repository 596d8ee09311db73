"""Fault storm (W4): processes touch random pages of their memory, and each miss walks a tree of GPTs.

The kernel's first version has no table that remembers a walk (kernel sheet 4.1): a user miss costs the address-space
capability, a GPT for each level and the Page header, all in the heap, where each of them may miss in its turn.
"""

from kernel_model import abi
from kernel_model.workloads.base import Guest, Workload, require

__all__ = ["WORKLOAD"]


def prepare(guest: Guest) -> None:
    """Each process gets its memory and the GPTs that lead to it."""
    amounts = guest.amounts
    require(guest.command(abi.Command.SPACE, amounts.processes, amounts.storm_bytes(), amounts.gpt_depth, guest.seed))


def run(guest: Guest) -> None:
    """Each process makes its touches."""
    require(guest.command(abi.Command.FAULT_STORM, guest.amounts.processes, guest.amounts.storm_touches, guest.seed))


WORKLOAD = Workload(
    "fault-storm", "random touches of memory behind several levels of GPTs", run, prepare=prepare, by_default=False
)
