"""Both TLBs as text for the debugger: raw images and decoded fields side by side, and which entry goes next."""

from typing import Any

import numpy.typing as npt

from emu.mmu import api
from emu.mmu.registers import decode
from emu.mmu.state import DTLB

__all__ = ["dump_tlb", "entry_line"]

_SIZES = ("1M", "4K", "8K", "1K")


def entry_line(address: int, tag: int, data: int) -> str:
    """One entry: TLB address, raw MMUTR and MMUDR, then its translation and attributes."""
    t, d = decode("MMUTR", tag), decode("MMUDR", data)
    flags = "".join(name[0] if d[name] else "-" for name in ("SP", "R", "W", "X", "LK"))
    if not t["V"]:
        return f"{address:3}  {tag:08X} {data:08X}  invalid"
    shared = "shared" if t["SG"] else "      "
    return (
        f"{address:3}  {tag:08X} {data:08X}  VA {t['VA'] << 10:08X} {_SIZES[d['SZ']]} ASID {t['ID']:02X} {shared}"
        f" -> PA {d['PA'] << 10:08X} CM={d['CM']} {flags}"
    )


def dump_tlb(mmu: npt.NDArray[Any], side: int) -> str:
    """All entries of one TLB (ITLB = 0, DTLB = 1), one line each; the next one to be replaced is marked.

    Works on a copy: asking for the next victim while all entries are locked would otherwise count a warning.
    """
    copy = mmu.copy()
    base = int(copy[0]["dtlb_base"]) if side == DTLB else 0
    chosen = api.replacement(copy, side)
    lines = ["DTLB" if side == DTLB else "ITLB"]
    for index in range(int(copy[0]["entries"][side])):
        tag, data = api.read_entry(copy, side, index)
        mark = "  <- next" if index == chosen else ""
        lines.append(entry_line(base + index, tag, data) + mark)
    return "\n".join(lines)
