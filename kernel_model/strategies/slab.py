"""``slab``: ours.  Headers are reached by pointer only, so they need no contiguous addresses (kernel sheet 5, 8)."""

from kernel_model.abi import GrowthKind
from kernel_model.choices import Mapping
from kernel_model.strategies.base import GrowthArea, Strategy
from kernel_model.strategies.grow import take_from_bank

__all__ = ["STRATEGY"]

NO_ADDRESS = "slab needs every frame to have a kernel address already, but a paged map shows the heap only"

STRATEGY = Strategy(
    name="slab",
    summary="page-sized slabs of headers in any frame, at the address that the direct map gives it",
    origin="ours",
    growth=GrowthKind.SLAB,
    area=GrowthArea.DIRECT_MAP,
    on_grow=take_from_bank,
    cannot=dict.fromkeys((Mapping.PAGED_8K, Mapping.PAGED_4K), NO_ADDRESS),
)
