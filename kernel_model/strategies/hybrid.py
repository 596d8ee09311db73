"""``hybrid``: answer 2 of the post; Linux/m68k has the same split (kernel sheet 7)."""

from kernel_model.abi import GrowthKind
from kernel_model.choices import Mapping
from kernel_model.strategies.base import GrowthArea, Strategy
from kernel_model.strategies.grow import take_from_bank

__all__ = ["STRATEGY"]

NOT_DIRECT = "hybrid is a direct-mapped heap that grows elsewhere; with a paged heap that is the strategy grow"

STRATEGY = Strategy(
    name="hybrid",
    summary="a fixed direct-mapped heap, and a growable region outside the direct map",
    origin="post, 2",
    growth=GrowthKind.MAPPED,
    area=GrowthArea.WINDOW,
    on_grow=take_from_bank,
    cannot=dict.fromkeys((Mapping.PAGED_8K, Mapping.PAGED_4K), NOT_DIRECT),
)
