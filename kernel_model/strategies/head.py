"""``head``: the source as it stood 17 days before the post (kernel sheet 2.1, 2.2)."""

from kernel_model.abi import Exhaustion
from kernel_model.strategies.base import Strategy

__all__ = ["STRATEGY"]

STRATEGY = Strategy(
    name="head",
    summary="only the headers that the boot-time estimate happens to leave over; then the kernel halts",
    origin="the source at the time",
    exhaustion=Exhaustion.HALT,
)
