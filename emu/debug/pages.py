"""Many states of the same memory, which share the pages they have in common.

The memory is compared with a copy of itself, so nothing has to be tracked while the guest runs. What is kept of it is
bounded by whoever drops states; beside that there is one copy of all memory that was ever used.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["PAGE", "Image", "Pages", "Weight"]

PAGE = 4096
CHUNK = 1 << 20  # compared at once: the result stays in the host's cache

Image = tuple[dict[int, bytes], ...]
"""Of each area its pages that are not all zero, by number. Images are never changed and share dicts and pages."""


class _Area:
    """One piece of memory, and a copy of it as it was when its pages were last looked at."""

    def __init__(self, live: NDArray[np.uint8]) -> None:
        self.page = PAGE if len(live) % PAGE == 0 else len(live)
        self.live = live.reshape(-1, self.page)
        self.copy = np.zeros(self.live.shape, np.uint8)
        self.pages: dict[int, bytes] = {}

    def changed(self) -> list[int]:
        """Numbers of the pages that are not as in the copy."""
        found: list[int] = []
        step = max(1, CHUNK // self.page)
        for first in range(0, len(self.live), step):
            live, copy = (
                self.live[first : first + step].view(np.uint64),
                self.copy[first : first + step].view(np.uint64),
            )
            different = live != copy
            if different.any():
                found += (np.flatnonzero(different.any(axis=1)) + first).tolist()
        return found

    def take(self) -> dict[int, bytes]:
        """The pages as they are now."""
        changed = self.changed()
        if changed:
            self.pages = dict(self.pages)
            for number in changed:
                self.copy[number] = self.live[number]
                if self.live[number].any():
                    self.pages[number] = self.live[number].tobytes()
                else:
                    self.pages.pop(number, None)
        return self.pages

    def put(self, pages: dict[int, bytes]) -> None:
        """Make memory what it was when ``pages`` were taken."""
        before = self.pages
        numbers = set(self.changed())
        if pages is not before:
            numbers.update(n for n, data in pages.items() if before.get(n) is not data)
            numbers.update(n for n in before if n not in pages)
        for number in numbers:
            data = pages.get(number)
            self.live[number] = 0 if data is None else np.frombuffer(data, np.uint8)
            self.copy[number] = self.live[number]
        self.pages = pages


class Pages:
    """The areas of one machine; more may come, none goes."""

    def __init__(self) -> None:
        self._areas: list[_Area] = []

    def take(self, areas: Sequence[NDArray[np.uint8]]) -> Image:
        """The state of ``areas``, the first of which are those of the call before."""
        self._areas += [_Area(live) for live in areas[len(self._areas) :]]
        return tuple(area.take() for area in self._areas)

    def put(self, image: Image) -> None:
        """Make memory what it was; areas that were not there yet become zero."""
        for number, area in enumerate(self._areas):
            area.put(image[number] if number < len(image) else {})


class Weight:
    """Bytes that the pages of some images take together; what they share counts once."""

    def __init__(self) -> None:
        self.bytes = 0
        self._holders: dict[int, int] = {}  # of pages, by id: whoever holds one keeps it alive

    def add(self, image: Image) -> None:
        """One more image."""
        holders = self._holders
        for pages in image:
            for page in pages.values():
                count = holders.get(id(page), 0)
                holders[id(page)] = count + 1
                if not count:
                    self.bytes += len(page)

    def remove(self, image: Image) -> None:
        """One of the images goes."""
        holders = self._holders
        for pages in image:
            for page in pages.values():
                count = holders.pop(id(page)) - 1
                if count:
                    holders[id(page)] = count
                else:
                    self.bytes -= len(page)
