"""What the kernel promised the space bank, and what taking a frame back does to that promise (kernel sheet 3).

At its start the bank asks once, per type, which objects exist, and treats every later failure to get one as fatal.  The
promise has no slack: data and capability pages together are exactly the page frames.  Nothing is written back, so all
promised objects must be resident.  A frame taken for the heap after that moment therefore breaks the promise (counted
as ``taken_back``); content is lost only when the bank has allocated every frame that is left (``lost``).
"""

from dataclasses import dataclass

__all__ = ["CAPABILITY_PAGE_SHARE", "SpaceBank"]

CAPABILITY_PAGE_SHARE = 10  # max_oid: nPage / 10 are capability pages, the rest data pages


@dataclass
class SpaceBank:
    """Frames promised at the bank's start, and their fate; all figures are page frames."""

    promised: int
    allocated: int = 0
    taken_back: int = 0
    lost: int = 0

    @property
    def promise(self) -> dict[str, int]:
        """The answer to the bank's question: frames by type."""
        capability_pages = self.promised // CAPABILITY_PAGE_SHARE
        return {"page": self.promised - capability_pages, "capability_page": capability_pages}

    @property
    def resident(self) -> int:
        """Promised frames that still exist."""
        return self.promised - self.taken_back

    def allocate(self, frames: int) -> None:
        """Programs allocate ``frames`` of what was promised; ValueError beyond the promise.

        Allocating more than is resident succeeds, silently: the frame of another object is reused (``lost``).
        """
        if frames < 0 or self.allocated + frames > self.promised:
            raise ValueError(f"cannot allocate {frames} of {self.promised - self.allocated} promised frames left")
        self.allocated += frames
        self._settle()

    def take_back(self, frames: int) -> None:
        """The kernel takes ``frames`` for itself; ValueError when there are not so many."""
        if frames < 0 or frames > self.resident:
            raise ValueError(f"cannot take {frames} of {self.resident} resident frames")
        self.taken_back += frames
        self._settle()

    def return_unused(self, frames: int) -> None:
        """The kernel did not use the last ``frames`` it took: their objects are where they were."""
        if frames > self.taken_back:
            raise ValueError(f"only {self.taken_back} frames were taken")
        self.lost -= min(self.lost, frames)
        self.taken_back -= frames

    def extend(self, frames: int) -> None:
        """Raise the promise by ``frames`` given back by the kernel.

        The bank of the time had no call for this (kernel sheet 3, "For strategy [3]"); it could hold another extent.
        """
        if frames < 0:
            raise ValueError("a promise cannot be lowered")
        self.promised += frames

    def _settle(self) -> None:
        # An object that lost its frame stays lost, even if frames come back later.
        self.lost = max(self.lost, self.allocated - self.resident)
