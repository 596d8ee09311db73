"""Device bring-up page by page (W8): one call, one header, one chance to run out for every page of device memory."""

from kernel_model.devices import Arrival
from kernel_model.workloads.base import Guest, Workload

__all__ = ["WORKLOAD"]


def run(guest: Guest) -> None:
    """Devices found during configuration, the strategy's release, those that come late; then some go, and return."""
    guest.attach(Arrival.CONFIGURATION)
    guest.release()
    guest.attach(Arrival.LATE)
    guest.unplug()
    guest.plug_back()


WORKLOAD = Workload("bring-up", "the scenario's devices are attached page by page", run, always=True)
