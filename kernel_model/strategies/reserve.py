"""``reserve``: answer 1 of the post."""

from kernel_model.strategies.base import Reserves, Strategy

__all__ = ["STRATEGY"]


def boot_memory(reserves: Reserves) -> int:
    """Headers for exactly the tunable amount of device memory."""
    return reserves.device


STRATEGY = Strategy(
    name="reserve",
    summary="a tunable number of device page headers is made at boot; when they run out: re-tune and reboot",
    origin="post, 1",
    boot_memory=boot_memory,
)
