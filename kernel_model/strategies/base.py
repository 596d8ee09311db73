"""What a strategy is: a few decisions, made in Python, about memory that guest code then uses.

A strategy decides three things: how many headers for device pages are made at boot, what happens when the guest has
none left, and what is given back once the devices are known.  Everything else (constructing headers, mapping them,
walking lists) is ColdFire code.  In every strategy the nucleus also holds a protected reserve for the console, so that
the user can be told to re-tune and reboot (kernel sheet 8.9).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from kernel_model.abi import Exhaustion, GrowthKind
from kernel_model.choices import Mapping
from kernel_model.devices import PlacedDevice

__all__ = ["GrowRequest", "GrowthArea", "KernelMemory", "Refused", "Reserves", "Strategy", "never_grow"]


@dataclass(frozen=True)
class Reserves:
    """The tunable amounts, in bytes of device memory that headers must exist for."""

    device: int
    over: int
    keep: int


@dataclass(frozen=True)
class GrowRequest:
    """The guest has no header left for a page of ``device`` and asks for up to ``pages`` pages of memory."""

    device: PlacedDevice | None
    pages: int


class Refused(Exception):
    """The model gives nothing; ``str()`` says why, in words for the user."""


class KernelMemory(Protocol):
    """What a strategy may take memory from.  Each method returns (PA, pages) or raises :class:`Refused`."""

    def take_promised(self, pages: int) -> tuple[int, int]:
        """Frames of page space, taken back from the space bank's promise."""

    def take_device(self, device: PlacedDevice | None, pages: int) -> tuple[int, int]:
        """Pages of the device's own memory, held back from its driver."""


class GrowthArea(StrEnum):
    """Which virtual addresses growth uses."""

    NONE = "none"
    AFTER_HEAP = "after the heap"
    WINDOW = "a window of its own"
    DIRECT_MAP = "the direct map"


def never_grow(request: GrowRequest, memory: KernelMemory) -> tuple[int, int]:
    """The answer of strategies that do not grow; their nucleus does not even ask."""
    raise Refused("this strategy never takes memory after boot")


def no_headers(reserves: Reserves) -> int:
    """The boot plan of strategies that make no device headers beforehand."""
    return 0


@dataclass(frozen=True)
class Strategy:
    """One answer to "what happens when a device with a lot of memory appears after boot?"."""

    name: str
    summary: str
    origin: str
    growth: GrowthKind = GrowthKind.NONE
    area: GrowthArea = GrowthArea.NONE
    boot_memory: Callable[[Reserves], int] = no_headers
    on_grow: Callable[[GrowRequest, KernelMemory], tuple[int, int]] = never_grow
    released_down_to: Callable[[Reserves], int] | None = None
    exhaustion: Exhaustion = Exhaustion.REFUSE
    cannot: dict[Mapping, str] = field(default_factory=dict)
    """Mappings under which the strategy makes no sense, with the reason."""
