"""Frame-buffer driver mixed with IPC (W9): headers of device pages are hot, not cold."""

from kernel_model import abi
from kernel_model.workloads.base import Guest, Workload

__all__ = ["WORKLOAD"]


def run(guest: Guest) -> None:
    """A driver has its kernel prepare random pages of the largest attached device between round trips."""
    device, pages = max(guest.attached(), key=lambda item: item[1], default=(None, 0))
    if device is not None and pages:
        amounts = guest.amounts
        guest.command(
            abi.Command.FRAME_BUFFER,
            amounts.frame_buffer_rounds,
            amounts.frame_buffer_prepares,
            guest.seed,
            device.base,
            pages,
        )


WORKLOAD = Workload("frame-buffer", "random prepares of device pages, mixed with IPC", run)
