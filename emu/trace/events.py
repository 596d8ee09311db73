"""What a trace holds: events in program order, three numbers each, kept as three arrays (``code``, ``a``, ``b``).

An **access** event is a run: ``b`` references of one kind and privilege to one 1-KB granule (the smallest page), the
first of them at VA ``a``. Its code is the access kind of :mod:`emu.mmu.state` with flags. Recency depends on the order
in which pages are touched and not on how often, so a run loses nothing. Two runs on different sides (fetch and data)
may change places, and so may runs on one granule, while no other event lies between them: no TLB can tell the
difference.

A refused access is an event of its own (MISSED or VIOLATED, ``b`` = 1), then comes its exception; the access that
completes after it is part of a later run. HANDLER marks what is done between the exception's entry and its RTE while
refilling a TLB. Everything else software does to the MMU is recorded as it was done, and executed again in a replay.

=============== ========================= ============================================================================
code            a                         b
=============== ========================= ============================================================================
kind | flags    VA of the first reference number of references
WINDOW_WRITE    offset | size << 8        value stored to the MMU's register window
CONTROL_WRITE   MOVEC register number     value (ASID, ACRn, RAMBARn, MMUBAR, CACR, VBR, MBAR)
RESET           0                         0: the processor was reset
LOADED          TLB side << 8 | index     MMUTR image: the entry that the last store to MMUOR loaded, to check a replay
ENTER           stacked PC                vector | fault status << 8 | supervisor before << 16
FRAME           address of the frame      0: of the ENTER before it
LEAVE           address of the frame      PC returned to
STAMP           instructions              core cycles, both since the last STAMP (more than 2**32: several)
PHASE           number of the phase       0: the phase of this number (:attr:`emu.trace.format.Names.phases`) begins
=============== ========================= ============================================================================

A STAMP stands before each ENTER, LEAVE, PHASE and write of ASID, so that handlers and processes have a time.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = [
    "ASIDE",
    "CONTROL_WRITE",
    "ENTER",
    "FRAME",
    "GRANULE_BITS",
    "HANDLER",
    "KIND",
    "LEAVE",
    "LOADED",
    "MISSED",
    "PHASE",
    "REFUSED",
    "RESET",
    "STAMP",
    "SUPERVISOR",
    "VIOLATED",
    "WINDOW_WRITE",
    "Events",
    "Row",
    "concatenate",
    "events",
    "window_row",
]

Row = tuple[int, int, int]

GRANULE_BITS = 10

KIND = 0x03
SUPERVISOR = 0x04
HANDLER = 0x08
MISSED = 0x10
VIOLATED = 0x20
REFUSED = MISSED | VIOLATED

ASIDE = 0x40  # codes from here on are no accesses
WINDOW_WRITE = 0x40
CONTROL_WRITE = 0x41
RESET = 0x42
LOADED = 0x43
ENTER = 0x44
FRAME = 0x45
LEAVE = 0x46
STAMP = 0x47
PHASE = 0x48


class Events(NamedTuple):
    """Some consecutive events."""

    code: npt.NDArray[np.uint8]
    a: npt.NDArray[np.uint32]
    b: npt.NDArray[np.uint32]

    @property
    def length(self) -> int:
        return len(self.code)

    def part(self, start: int, end: int) -> "Events":
        return Events(self.code[start:end], self.a[start:end], self.b[start:end])


def events(rows: Iterable[Row]) -> Events:
    """Events from (code, a, b) rows."""
    table = np.array(list(rows), np.int64).reshape(-1, 3)
    return Events(table[:, 0].astype(np.uint8), table[:, 1].astype(np.uint32), table[:, 2].astype(np.uint32))


def concatenate(parts: Iterable[Events]) -> Events:
    """One sequence of several."""
    found = list(parts)
    if not found:
        return events(())
    code, a, b = zip(*found)
    return Events(np.concatenate(code), np.concatenate(a), np.concatenate(b))


def window_row(offset: int, value: int, size: int = 4) -> Row:
    """A store to the register window."""
    return WINDOW_WRITE, offset | size << 8, value
