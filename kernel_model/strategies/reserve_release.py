"""``reserve+release``: answers 1 and 3 of the post together, its author's preference."""

from kernel_model.strategies.base import Reserves, Strategy
from kernel_model.strategies.release import over_reserve

__all__ = ["STRATEGY"]


def keep_some(reserves: Reserves) -> int:
    """After configuration a tunable number of headers stays, for devices that come later."""
    return reserves.keep


STRATEGY = Strategy(
    name="reserve+release",
    summary="over-reserve, give back once the devices are known, but keep a tunable reserve for later ones",
    origin="post, the author's preference",
    boot_memory=over_reserve,
    released_down_to=keep_some,
)
