"""Fan-in server (W2): many clients of one priority call one server, so that calls queue at it.

The server goes through the Processes and Endpoints of all callers in one address space: what is spread over the heap
competes for the TLB between two switches, and not only because of them.
"""

from kernel_model import abi
from kernel_model.workloads.base import Guest, Workload, require

__all__ = ["WORKLOAD"]


def run(guest: Guest) -> None:
    """Every client makes its calls."""
    amounts = guest.amounts
    require(
        guest.command(
            abi.Command.FAN_IN, amounts.fan_in_clients, amounts.fan_in_calls, amounts.fan_in_capabilities, guest.seed
        )
    )


WORKLOAD = Workload(
    "fan-in",
    "many clients call one server, calls queue at it",
    run,
    device_memory=0,
    by_default=False,
    processes=lambda amounts: amounts.fan_in_clients + 1,
)
