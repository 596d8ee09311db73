"""``grow``: the status quo that the post describes."""

from kernel_model.abi import GrowthKind
from kernel_model.choices import Mapping
from kernel_model.strategies.base import GrowRequest, GrowthArea, KernelMemory, Strategy

__all__ = ["STRATEGY", "take_from_bank"]

NEXT_ADDRESS_TAKEN = (
    "grow extends one heap upwards, but in a direct map (VA = PA + constant) the address after the heap already shows"
    " another frame; growing elsewhere is the strategy hybrid"
)


def take_from_bank(request: GrowRequest, memory: KernelMemory) -> tuple[int, int]:
    """Steal frames from page space, as EROS did and as the post says Coyotos would."""
    return memory.take_promised(request.pages)


STRATEGY = Strategy(
    name="grow",
    summary="the heap grows page by page after boot, with frames taken from the space bank's promise",
    origin="post, the status quo",
    growth=GrowthKind.MAPPED,
    area=GrowthArea.AFTER_HEAP,
    on_grow=take_from_bank,
    cannot=dict.fromkeys((Mapping.ACR, Mapping.LOCKED_1M, Mapping.UNLOCKED_1M), NEXT_ADDRESS_TAKEN),
)
