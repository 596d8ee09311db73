"""What has become of TLB entries and of the ASID between two looks at an MMU."""

from typing import Any

import numpy as np
import numpy.typing as npt

from emu.debug.history import Moment
from emu.debug.stepper.events import SIDES, Cleared, Event, Image, Loaded, Switched
from emu.mmu.registers import MMUTR_V
from emu.mmu.state import DTLB, ITLB

__all__ = ["EntryWatcher"]


class EntryWatcher:
    """Compares one MMU record, in place, with what it was at the last look. At most one store to MMUOR and one write of
    the ASID may lie between two looks."""

    def __init__(self, mmu: Any) -> None:
        self._mmu = mmu
        self._base = int(mmu["dtlb_base"])
        self._keep()

    def _keep(self) -> None:
        mmu = self._mmu
        self._tag, self._data = mmu["tag"].copy(), mmu["data"].copy()
        self._last_load = self._noted()
        self._asid = int(mmu["asid"])

    def _noted(self) -> tuple[int, int, int]:
        """What the MMU remembers of the last load."""
        mmu = self._mmu
        return int(mmu["changed_index"]), int(mmu["old_tag"]), int(mmu["old_data"])

    def look(self, moment: Moment, pc: int, *, loaded: bool = False) -> list[Event]:
        """What happened since the last look, which ended at ``moment``; ``loaded``: it is known that an entry was."""
        mmu = self._mmu
        events: list[Event] = []
        asid = int(mmu["asid"])
        changed = not (np.array_equal(mmu["tag"], self._tag) and np.array_equal(mmu["data"], self._data))
        if changed or loaded or self._noted() != self._last_load:
            events += self._changes(moment, pc)
        if asid != self._asid:
            events.append(Switched(moment, pc, self._asid, asid))
        if events:
            self._keep()
        return events

    def _changes(self, moment: Moment, pc: int) -> list[Event]:
        """Entries that were dropped, and the one that was loaded."""
        mmu = self._mmu
        tags, datas = mmu["tag"], mmu["data"]
        dropped = (self._tag & ~tags & MMUTR_V != 0) & (tags == self._tag & ~MMUTR_V) & (datas == self._data)
        written = ((tags != self._tag) | (datas != self._data)) & ~dropped
        loaded = None
        if self._noted() != self._last_load or written.any():
            loaded = self._loaded(moment, pc, written, dropped)
        rows = []
        for side, index in zip(*np.nonzero(dropped)):
            if loaded is None or loaded.address != self._address(side, index):
                image = Image(int(self._tag[side, index]), int(self._data[side, index]))
                rows.append((self._address(side, index), SIDES[side], image))
        events: list[Event] = [Cleared(moment, pc, tuple(rows), int(mmu["valid"].sum()))] if rows else []
        return events if loaded is None else [*events, loaded]

    def _loaded(
        self, moment: Moment, pc: int, written: npt.NDArray[np.bool_], dropped: npt.NDArray[np.bool_]
    ) -> Loaded | None:
        """The load that there was. One that takes away V and nothing else looks like a clear; one that writes what the
        entry holds changes nothing."""
        mmu = self._mmu
        index, old_tag, old_data = self._noted()
        images = [Image(int(mmu["tag"][side, index]), int(mmu["data"][side, index])) for side in (ITLB, DTLB)]
        same = [images[side] == (old_tag, old_data) for side in (ITLB, DTLB)]
        sides = [side for how in (written[:, index], dropped[:, index], same) for side in (ITLB, DTLB) if how[side]]
        if not sides:
            return None
        side = sides[0]
        old = Image(old_tag, old_data)
        return Loaded(moment, pc, SIDES[side], self._address(side, index), images[side], old)

    def _address(self, side: int, index: int) -> int:
        return int(index) + (self._base if side == DTLB else 0)
