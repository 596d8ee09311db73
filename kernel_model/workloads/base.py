"""What a workload is: a few commands to the guest, between two readings of the counters."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from emu.errors import GuestError
from kernel_model import abi
from kernel_model.devices import Arrival, PlacedDevice
from kernel_model.kernel import Done
from kernel_model.scenario import WorkloadTable

__all__ = ["Guest", "Workload", "require"]


class Guest(Protocol):
    """What a workload may do with the running nucleus."""

    @property
    def amounts(self) -> WorkloadTable:
        """How much of each operation the scenario asks for."""

    @property
    def seed(self) -> int:
        """Seed of the guest's own pseudo-random choices; never 0."""

    def boot(self) -> None:
        """Run the nucleus from reset to its first request for a command."""

    def command(self, command: abi.Command, *arguments: int) -> Done | None:
        """Run one command to its end; None when the kernel halted during it (or had halted before)."""

    def attach(self, arrival: Arrival) -> None:
        """Attach every device of the population that arrives so, page by page."""

    def unplug(self) -> None:
        """Pull out every device of the population that leaves."""

    def plug_back(self) -> None:
        """Those that return are plugged in again, where they were or elsewhere."""

    def release(self) -> None:
        """The device configuration is known: give back what the strategy gives back."""

    def attached(self) -> list[tuple[PlacedDevice, int]]:
        """Devices with the number of their pages that were attached."""

    def plug(self, size: int) -> PlacedDevice | None:
        """Plug in another card where no device has been yet; None when the board's window is full."""

    def pages(self, size: int) -> int:
        """Pages of ``size`` bytes."""


def require(done: Done | None) -> Done | None:
    """The command's result; raises GuestError when the nucleus could not do what it was asked to."""
    if done is not None and done.status != abi.Refusal.OK:
        command, refusal = abi.Command(done.command).name, abi.Refusal(done.status).name
        raise GuestError(f"the nucleus ended {command} with {refusal}; figures: {done.figures}")
    return done


@dataclass(frozen=True)
class Workload:
    """A named sequence of commands.

    ``device_memory`` None means the scenario's own devices, on the machine that all such workloads share, in the order
    of the registry.  A number means a machine of its own, on which that many megabytes of device memory have been
    attached (uncounted) before.
    """

    name: str
    summary: str
    run: Callable[[Guest], bool | None]
    """False says that it ended before it had done what the scenario asks for."""
    device_memory: int | None = None
    prepare: Callable[[Guest], None] | None = None
    """What happens before, uncounted."""
    always: bool = False
    """Part of every comparison, even where the scenario names other workloads only."""
    by_default: bool = True
    """Whether it runs where the scenario names no workloads."""
    processes: Callable[[WorkloadTable], int] | None = None
    """User processes that it needs; only where it has a machine of its own."""
