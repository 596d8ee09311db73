"""Hot-plug cycle (W10): a card is attached, detached, and comes back at another address.

In the source a detached page keeps its header, so every cycle takes new ones: with a reserve the cycles end when it is
used up, with growth the heap swallows frames for ever (kernel sheet 2.1). ``hot_plug_recycle`` is the repair. A card
that can be pulled out is no place for headers, so the strategy altmap has no memory to grow into here.
"""

from kernel_model import abi
from kernel_model.workloads.base import Guest, Workload, require

__all__ = ["WORKLOAD"]


def run(guest: Guest) -> bool:
    """Cycles until the number is reached, a page is refused, or the board's device window is used up."""
    amounts = guest.amounts
    pages = guest.pages(amounts.hot_plug_bytes())
    for _ in range(amounts.hot_plug_cycles):
        card = guest.plug(amounts.hot_plug_bytes())
        done = guest.command(abi.Command.ATTACH, card.base, pages) if card else None
        if card is None or done is None:
            return False
        attached = done.figures[0]
        if attached:
            require(guest.command(abi.Command.DETACH, card.base, attached, int(amounts.hot_plug_recycle)))
        if attached < pages:
            return False
    return True


WORKLOAD = Workload("hot-plug", "a card is attached, detached and comes back elsewhere", run, by_default=False)
