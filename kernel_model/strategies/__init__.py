"""The registry: every strategy of design section 4, by name, in the order in which tables show them."""

from kernel_model.strategies import altmap, grow, head, hybrid, release, reserve, reserve_release, slab
from kernel_model.strategies.base import Strategy

__all__ = ["STRATEGIES", "Strategy"]

STRATEGIES: dict[str, Strategy] = {
    module.STRATEGY.name: module.STRATEGY
    for module in (grow, head, reserve, hybrid, release, reserve_release, slab, altmap)
}
