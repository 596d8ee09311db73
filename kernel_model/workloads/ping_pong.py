"""Ping-pong IPC between two processes: the switch is what a flush policy and a mapped heap cost most in (W1)."""

from kernel_model import abi
from kernel_model.workloads.base import Guest, Workload

__all__ = ["WORKLOAD"]


def run(guest: Guest) -> None:
    """Calls and replies between process 0 and process 1."""
    guest.command(abi.Command.PING_PONG, guest.amounts.ipc_round_trips)


WORKLOAD = Workload("ping-pong", "two processes call and reply, two switches a round trip", run)
