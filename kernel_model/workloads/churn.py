"""Allocate and rescind (W7): a space bank exchanges pages, at random, as programs come and go.

The object hash, the object table and the flush that a page without a reverse map needs when it changes hands.
"""

from kernel_model import abi
from kernel_model.workloads.base import Guest, Workload, require

__all__ = ["WORKLOAD"]


def prepare(guest: Guest) -> None:
    """The age lists are those of a system that has run for long."""
    require(guest.command(abi.Command.SHUFFLE, guest.seed))


def run(guest: Guest) -> None:
    """Pages are allocated, exchanged and all rescinded."""
    require(guest.command(abi.Command.CHURN, guest.amounts.churn_live, guest.amounts.churn_exchanges, guest.seed))


WORKLOAD = Workload("churn", "pages are allocated and rescinded at random", run, prepare=prepare, by_default=False)
