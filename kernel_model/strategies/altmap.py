"""``altmap``: headers in the device's own memory, as Linux does for ZONE_DEVICE (kernel sheet 7).

Device memory is cache-inhibited, so every access to such a header is a bus access: the firmware makes them, the engine
counts and charges them.
"""

from kernel_model.abi import GrowthKind
from kernel_model.strategies.base import GrowRequest, GrowthArea, KernelMemory, Strategy

__all__ = ["STRATEGY"]


def take_from_device(request: GrowRequest, memory: KernelMemory) -> tuple[int, int]:
    """The device pays for its own headers."""
    return memory.take_device(request.device, request.pages)


STRATEGY = Strategy(
    name="altmap",
    summary="headers are stored in the device's own, cache-inhibited memory",
    origin="after Linux",
    growth=GrowthKind.ALTMAP,
    area=GrowthArea.WINDOW,
    on_grow=take_from_device,
)
