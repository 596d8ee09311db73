"""Named ranges of virtual addresses that misses are charged to."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from emu.errors import UsageError

__all__ = ["MORE_PLACES", "OTHER", "Region", "Regions"]

OTHER = "other"
MORE_PLACES = "(more places)"  # misses by symbol: what found no room in the table of places
MAX_NAMED = 63  # the engine's table has 64 places, the last of them for everything else


@dataclass(frozen=True)
class Region:
    """VA [start, end)."""

    name: str
    start: int
    end: int


class Regions:
    """Ordered, first match wins; addresses outside all of them are charged to ``other``."""

    def __init__(self) -> None:
        self._regions: list[Region] = []

    def add(self, name: str, start: int, end: int) -> Region:
        """Add VA [start, end). Raises UsageError for an empty range, a name used twice, or too many regions."""
        if not 0 <= start < end <= 1 << 32:
            raise UsageError(f"region {name!r}: {start:#x}..{end:#x} is not a range of 32-bit addresses")
        if name == OTHER or any(r.name == name for r in self._regions):
            raise UsageError(f"region {name!r} exists already")
        if len(self._regions) == MAX_NAMED:
            raise UsageError(f"region {name!r}: at most {MAX_NAMED} regions can be named")
        region = Region(name, start, end)
        self._regions.append(region)
        return region

    def replace(self, regions: Iterable[Region]) -> None:
        """Name these regions and no others; they were named together before."""
        self._regions = list(regions)

    def __iter__(self) -> Iterator[Region]:
        return iter(self._regions)

    def __len__(self) -> int:
        return len(self._regions)
