"""``release``: answer 3 of the post.  Its precedent is the boot order of the source itself (kernel sheet 1.3)."""

from kernel_model.strategies.base import Reserves, Strategy

__all__ = ["STRATEGY", "over_reserve"]


def over_reserve(reserves: Reserves) -> int:
    """Headers for more device memory than anybody expects."""
    return reserves.over


def keep_nothing(reserves: Reserves) -> int:
    """After configuration no free header is kept."""
    return 0


STRATEGY = Strategy(
    name="release",
    summary="over-reserve at boot, give the rest back to the space bank once the devices are known",
    origin="post, 3",
    boot_memory=over_reserve,
    released_down_to=keep_nothing,
)
