"""Every peripheral register that is modelled, in one table: where it is, what may be done with it, what an access does.

Offsets are from MBAR (sheet 6.2 to 6.6). From the table comes the map of the window that decides about each access.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emu.devices.state import GPTS, MAILBOX_ARGS, PINS, PSCS, SLICE_TIMERS

__all__ = ["REGISTERS", "WINDOW_BYTES", "DeviceRegister", "access_map", "register_at"]

WINDOW_BYTES = 0x40000  # of the peripheral window (sheet 2.4)

INTC, GPT, SLICE, PIN, EPORT, PSC, MAILBOX = 0x700, 0x800, 0x900, 0xA00, 0xF00, 0x8600, 0x30000
GPT_STRIDE, SLICE_STRIDE, PSC_STRIDE = 0x10, 0x10, 0x100

# Bits of the map.
READABLE, WRITABLE = 1, 2
ACTS_READ, ACTS_WRITE = 4, 8  # the access changes what devices do: its instruction runs alone, so that all is exact
TIMED_READ = 16  # the value depends on the time
KNOWN = 64  # not modelled, and that was said already


@dataclass(frozen=True)
class DeviceRegister:
    """One register. ``access``, ``acts``: r, w or rw; ``timed``: r or none; ``rights``: bits of its bytes in the map.

    What must not happen twice has to act: an instruction whose later access comes behind a limit is begun again.
    """

    name: str
    offset: int
    size: int
    access: str
    acts: str = ""  # r, w or rw
    timed: str = ""

    @property
    def rights(self) -> int:
        pairs = (
            (self.access, READABLE, WRITABLE),
            (self.acts, ACTS_READ, ACTS_WRITE),
            (self.timed, TIMED_READ, 0),
        )
        return sum(("r" in letters) * read | ("w" in letters) * write for letters, read, write in pairs)


def _interrupt_controller() -> list[DeviceRegister]:
    rows = [
        DeviceRegister("IPRH", INTC + 0x00, 4, "r"),
        DeviceRegister("IPRL", INTC + 0x04, 4, "r"),
        DeviceRegister("IMRH", INTC + 0x08, 4, "rw", "w"),
        DeviceRegister("IMRL", INTC + 0x0C, 4, "rw", "w"),
        DeviceRegister("INTFRCH", INTC + 0x10, 4, "rw", "w"),
        DeviceRegister("INTFRCL", INTC + 0x14, 4, "rw", "w"),
        DeviceRegister("IRLR", INTC + 0x18, 1, "r"),
        DeviceRegister("IACKLPR", INTC + 0x19, 1, "r"),
        DeviceRegister("SWIACK", INTC + 0xE0, 1, "r", "r"),
    ]
    rows += [DeviceRegister(f"ICR{n}", INTC + 0x40 + n, 1, "rw", "w") for n in range(1, 64)]
    rows += [DeviceRegister(f"L{n}IACK", INTC + 0xE0 + 4 * n, 1, "r", "r") for n in range(1, 8)]
    return rows


def _slice_timer(n: int) -> list[DeviceRegister]:
    base = SLICE + SLICE_STRIDE * n
    return [
        DeviceRegister(f"STCNT{n}", base + 0x0, 4, "rw", "w"),
        DeviceRegister(f"SCR{n}", base + 0x4, 4, "rw", "w"),
        DeviceRegister(f"SCNT{n}", base + 0x8, 4, "r", "", "r"),
        DeviceRegister(f"SSR{n}", base + 0xC, 4, "rw", "w"),
    ]


def _psc(n: int) -> list[DeviceRegister]:
    """The byte registers stand in the high byte of a longword; BAS and Linux reach them as bytes (sheet 6.5)."""
    base = PSC + PSC_STRIDE * n
    rows = [
        ("MR", 0x00, "rw", "rw", ""),
        ("SR/CSR", 0x04, "rw", "w", "r"),
        ("CR", 0x08, "rw", "w", ""),
        ("RB/TB", 0x0C, "rw", "rw", ""),
        ("IPCR/ACR", 0x10, "rw", "", ""),
        ("ISR/IMR", 0x14, "rw", "w", "r"),
        ("CTUR", 0x18, "rw", "w", ""),
        ("CTLR", 0x1C, "rw", "w", ""),
        ("IP", 0x34, "r", "", ""),
        ("OPSET", 0x38, "w", "", ""),
        ("OPRESET", 0x3C, "w", "", ""),
        ("SICR", 0x40, "rw", "", ""),
    ]
    table = [
        DeviceRegister(f"PSC{n} {name}", base + at, 4, access, acts, timed) for name, at, access, acts, timed in rows
    ]
    # Counts, status and control of the FIFOs: accepted and ignored, as the sheet advises.
    return [*table, DeviceRegister(f"PSC{n} FIFO control", base + 0x58, 0x48, "rw")]


def _registers() -> tuple[DeviceRegister, ...]:
    rows = _interrupt_controller()
    rows += [row for n in range(SLICE_TIMERS) for row in _slice_timer(n)]
    rows += [row for n in range(PSCS) for row in _psc(n)]
    for n in range(GPTS):
        rows += [
            DeviceRegister(f"{name}{n}", GPT + GPT_STRIDE * n + at, 4, "rw") for name, at in (("GMS", 0), ("GCIR", 4))
        ]
    rows.append(DeviceRegister("GPIO and pin assignment", PIN, PINS, "rw"))
    rows += [
        DeviceRegister("EPPAR", EPORT + 0x0, 2, "rw", "w"),
        DeviceRegister("EPDDR", EPORT + 0x4, 1, "rw", "w"),
        DeviceRegister("EPIER", EPORT + 0x5, 1, "rw", "w"),
        DeviceRegister("EPDR", EPORT + 0x8, 1, "rw", "w"),
        DeviceRegister("EPPDR", EPORT + 0x9, 1, "r"),
        DeviceRegister("EPFR", EPORT + 0xC, 1, "rw", "w"),
    ]
    rows += [
        DeviceRegister("mailbox arguments", MAILBOX, 4 * MAILBOX_ARGS, "rw"),
        DeviceRegister("mailbox call", MAILBOX + 0x40, 4, "w"),
        DeviceRegister("mailbox status", MAILBOX + 0x44, 4, "r"),
        DeviceRegister("mailbox begin", MAILBOX + 0x48, 4, "w", "w"),
        DeviceRegister("mailbox end", MAILBOX + 0x4C, 4, "w", "w"),
    ]
    return tuple(rows)


REGISTERS = _registers()


def access_map() -> NDArray[np.uint8]:
    """The rights of each byte of the window, for one machine."""
    rights = np.zeros(WINDOW_BYTES, np.uint8)
    for register in REGISTERS:
        rights[register.offset : register.offset + register.size] = register.rights
    return rights


def register_at(offset: int) -> DeviceRegister | None:
    """The register that holds the byte at ``offset``."""
    return next((r for r in REGISTERS if r.offset <= offset < r.offset + r.size), None)
