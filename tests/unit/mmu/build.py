"""Given: the MMU states that the tests of this folder start from. Images are spelled out, not taken from the table."""

from typing import Any, Final

import numpy.typing as npt

from emu.mmu import api
from emu.mmu.state import DTLB, new_mmu

USER: Final = 0
SUPERVISOR: Final = 1

# MMUDR bits (CF4UM 10-17), written down a second time on purpose: the table under test must not test itself.
SP: Final = 0x20
R: Final = 0x10
W: Final = 0x08
X: Final = 0x04
LK: Final = 0x02
SIZE_CODE: Final = {20: 0, 12: 1, 13: 2, 10: 3}

MMUCR: Final = 0x00
MMUOR: Final = 0x04
MMUSR: Final = 0x08
MMUAR: Final = 0x10
MMUTR: Final = 0x14
MMUDR: Final = 0x18

MMUBAR_BASE: Final = 0xFE000000

Mmu = npt.NDArray[Any]


def tag(va: int, asid: int = 0, shared: bool = False, valid: bool = True) -> int:
    """An MMUTR image."""
    return va & 0xFFFFFC00 | asid << 2 | shared << 1 | valid


def data(pa: int, bits: int = 13, flags: int = R | W | X, mode: int = 0) -> int:
    """An MMUDR image for a page of 2**bits bytes."""
    return pa & 0xFFFFFC00 | SIZE_CODE[bits] << 8 | mode << 6 | flags


def virtual_mode(**options: Any) -> Mmu:
    """An MMU whose window is at 0xFE000000, translating, both TLBs empty."""
    mmu = new_mmu(**options)
    api.write_control(mmu, 0x008, MMUBAR_BASE | 1)
    put(mmu, MMUCR, 1)
    return mmu


def put(mmu: Mmu, offset: int, value: int) -> int:
    """A 32-bit write to the register window; returns its effect."""
    return api.write_window(mmu, offset, 4, value)


def get(mmu: Mmu, offset: int) -> int:
    """A 32-bit read of the register window."""
    return api.read_window(mmu, offset, 4)


def aa(mmu: Mmu) -> int:
    """MMUOR[AA]: a TLB address."""
    return get(mmu, MMUOR) >> 16


def fill(mmu: Mmu, side: int = DTLB, flags: int = R | W | X) -> None:
    """Load every entry in order: entry n maps the n-th 8-KB page to PA 0x10000000 + its address, ASID 0."""
    for index in range(int(mmu[0]["entries"][side])):
        api.load(mmu, side, index, tag(index << 13), data(0x10000000 | index << 13, flags=flags))


def resident(mmu: Mmu, side: int) -> set[int]:
    """Numbers of the valid entries, by ACC's own way of reading them."""
    entries = int(mmu[0]["entries"][side])
    return {index for index in range(entries) if api.read_entry(mmu, side, index)[0] & 1}
