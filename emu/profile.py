"""What access errors cost: their causes, how long each kind took, who had them, and what translation costs altogether.

The engine keeps one record for each access error, from exception entry to the RTE that pops its frame
(:mod:`emu.cpu.profile`). Everything here is arithmetic on those records.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emu.counters import Counters
from emu.mmu.registers import (
    FS_FETCH_MISS,
    FS_FETCH_MISS_EXTENSION,
    FS_READ_MISS,
    FS_WRITE_MISS,
)
from emu.mmu.state import FETCH, RMW, WRITE

__all__ = [
    "ACCESS_ERROR_DTYPE",
    "MISS_STATUS",
    "PUBLISHED",
    "Distribution",
    "Profile",
    "Share",
    "decode_open",
    "decode_records",
    "in_order_of_beginnings",
    "make_profile",
]

ACCESS_ERROR_DTYPE = np.dtype(
    [
        ("va", "i8"),
        ("pc", "i8"),  # of the instruction that was refused
        ("kind", "i8"),  # emu.mmu.state: READ, WRITE, FETCH, RMW
        ("supervisor", "i8"),
        ("fs", "i8"),  # fault status (548xRM 3-39)
        ("asid", "i8"),
        ("depth", "i8"),  # access errors that were open when it began
        ("switched", "i8"),  # another address space was current at its end
        ("cycles", "i8"),  # from exception entry to RTE
        ("instructions", "i8"),
        ("frame_before", "i8"),  # PA of the page that refused the access, -1 if none was mapped
        ("frame_after", "i8"),  # PA of the page that answers now, -1 if none does
    ]
)
PAGE_BITS = 13  # of the guests that change pages under a violation: Linux, Coyotos
CLEAN_PAGE, PAGE_FAULT = "first write to a clean page", ", page fault"
MISS_STATUS = (FS_FETCH_MISS, FS_FETCH_MISS_EXTENSION, FS_WRITE_MISS, FS_READ_MISS)

# What is published about software-managed TLBs, in cycles per instruction or as a share of time.
PUBLISHED = (
    ("Jacob & Mudge 1997, software-managed design, cycles per instruction", "0.05"),
    ("the same, measured on OSF/1 and Mach, cycles per instruction", "0.10 to 0.28"),
    ("CF4UM 10-1: 97 % of baseline performance, share of the time", "3 %"),
)


@dataclass(frozen=True)
class Distribution:
    """``count`` access errors; cycles from exception entry to RTE, and instructions retired meanwhile. The errors that
    ended in another process than they began in are in ``count`` but in none of the other figures."""

    count: int
    cycles: int
    minimum: int
    median: int
    p99: int
    maximum: int
    instructions: int  # median
    switched: int


@dataclass(frozen=True)
class Share:
    """Access errors of one process, or at one symbol: TLB misses, violations, and cycles of both."""

    misses: int
    violations: int
    cycles: int


@dataclass(frozen=True)
class Profile:
    """``translation_cycles``: of all refills and of first writes to clean pages, each cycle once; ``per_instruction``:
    those divided by the instructions that are not part of them; ``share``: their part of all cycles."""

    causes: dict[str, Distribution]
    processes: dict[int, Share]
    symbols: dict[str, Share]
    cycles: int
    instructions: int
    translation_cycles: int
    translation_instructions: int
    per_instruction: float
    share: float

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        result = asdict(self)
        result["processes"] = {str(asid): asdict(share) for asid, share in self.processes.items()}
        result["published"] = [{"source": source, "value": value} for source, value in PUBLISHED]
        return result


def decode_records(records: NDArray[np.int64]) -> NDArray[np.void]:
    """The engine's records, shape (n, 7), as ACCESS_ERROR_DTYPE, shape (n,)."""
    result = np.zeros(len(records), ACCESS_ERROR_DTYPE)
    what = records[:, 2]
    columns: dict[str, NDArray[np.int64]] = {
        "va": records[:, 0],
        "pc": records[:, 1],
        "kind": what & 0xF,
        "supervisor": what >> 4 & 1,
        "fs": what >> 8 & 0xF,
        "asid": what >> 16 & 0xFF,
        "depth": what >> 24 & 0xFF,
        "switched": what >> 32,
        "cycles": records[:, 3],
        "instructions": records[:, 4],
        "frame_before": records[:, 5],
        "frame_after": records[:, 6],
    }
    for name, column in columns.items():
        result[name] = column
    return result


def decode_open(faults: NDArray[np.void]) -> NDArray[np.void]:
    """Access errors that have not ended, in the engine's own records (FAULT_DTYPE), as ACCESS_ERROR_DTYPE."""
    result = np.zeros(len(faults), ACCESS_ERROR_DTYPE)
    for name in ("va", "pc", "kind", "supervisor", "fs", "asid", "depth", "frame_before"):
        result[name] = faults[name]
    for name in ("cycles", "instructions", "frame_after"):
        result[name] = -1
    return result


def in_order_of_beginnings(errors: NDArray[np.void]) -> NDArray[np.void]:
    """The order in which ``errors`` began, from that in which they ended: one that ends has begun before all that
    ended just before it at a greater depth. (Errors of processes that take turns may share a depth; then they stay in
    the order of their ends.)"""
    if not errors["depth"].any():
        return errors
    groups: list[tuple[int, list[int]]] = []  # depth of the first, which began first; indices
    for i, depth in enumerate(errors["depth"].tolist()):
        inner: list[list[int]] = []
        while groups and groups[-1][0] > depth:
            inner.append(groups.pop()[1])
        groups.append((depth, [i, *(j for group in reversed(inner) for j in group)]))
    return errors[[i for _, group in groups for i in group]]


def page_after(errors: NDArray[np.void]) -> NDArray[np.int64]:
    """PA of the page that served each access in the end, -1 if unknown: after a violation that is often what the next
    miss of the same page brought. Errors must be in the order in which they ended."""
    known: dict[tuple[int, int], int] = {}
    after: NDArray[np.int64] = errors["frame_after"].copy()
    for i in range(len(errors) - 1, -1, -1):
        key = (int(errors["asid"][i]), int(errors["va"][i]) >> PAGE_BITS)
        if after[i] < 0:
            after[i] = known.get(key, -1)
        if errors["frame_before"][i] < 0:  # a miss: it brought what it ends with
            known[key] = int(after[i])
    return after


def cause_of(error: Any, after: int, region: str | None) -> str:
    """Name of the cause of one access error; ``after``: see :func:`page_after`; ``region``: a kernel's own range.

    A miss whose handler ends without an entry for the page was no refill: the page had to be made first (page fault),
    and the access misses once more.
    """
    fetch, write = error["kind"] == FETCH, error["kind"] in (WRITE, RMW)
    what = "fetch" if fetch else ("write" if write else "read")
    if error["fs"] in MISS_STATUS:
        who = region or ("kernel" if error["supervisor"] else "user")
        return f"{who} {what}" + (PAGE_FAULT if error["frame_after"] < 0 else "")
    if error["frame_before"] < 0:
        return "bus error"
    if write and after == error["frame_before"]:
        return CLEAN_PAGE
    if write and after >= 0:
        return "write to a page that is copied"
    return f"refused {what}"


def make_profile(
    errors: NDArray[np.void],
    counters: Counters,
    region_of: Callable[[int], str | None],
    symbol_of: Callable[[int], str],
) -> Profile:
    """Sort ``errors``, in the order of their ends, by cause, process and symbol.

    ``counters``: of the same run. ``region_of``: name of a kernel's own range that holds a VA (vmalloc), or None.
    ``symbol_of``: name of the code at a PC.
    """
    after = page_after(errors)
    regions = {page: region_of(page << PAGE_BITS) for page in map(int, np.unique(errors["va"] >> PAGE_BITS))}
    causes = np.array(
        [cause_of(e, int(pa), regions[int(e["va"]) >> PAGE_BITS]) for e, pa in zip(errors, after, strict=True)],
        dtype=object,
    )
    names = {pc: symbol_of(pc) for pc in map(int, np.unique(errors["pc"]))}
    symbols = np.array([names[int(pc)] for pc in errors["pc"]], dtype=object)
    missed = np.isin(errors["fs"], MISS_STATUS)
    # Translation: what a machine without an MMU would not do. Errors inside others are part of those already.
    refills = missed & (errors["frame_after"] >= 0)
    translation = (errors["depth"] == 0) & (errors["switched"] == 0) & (refills | (causes == CLEAN_PAGE))
    cycles = int(errors["cycles"][translation].sum())
    instructions = int(errors["instructions"][translation].sum())
    return Profile(
        causes=dict(_ranked({cause: distribution(errors[causes == cause]) for cause in set(causes)})),
        processes={int(asid): share(errors, missed, errors["asid"] == asid) for asid in np.unique(errors["asid"])},
        symbols=dict(_ranked({name: share(errors, missed, symbols == name) for name in set(symbols)})),
        cycles=counters.cycles,
        instructions=counters.instructions,
        translation_cycles=cycles,
        translation_instructions=instructions,
        per_instruction=cycles / max(1, counters.instructions - instructions),
        share=cycles / max(1, counters.cycles),
    )


def _ranked(rows: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """The dearest first, then by name."""
    return sorted(rows.items(), key=lambda row: (-row[1].cycles, row[0]))


def distribution(errors: NDArray[np.void]) -> Distribution:
    """Of the errors of one cause; nearest-rank percentiles, so each figure is one that occurred."""
    whole = errors[errors["switched"] == 0]
    cycles = np.sort(whole["cycles"])

    def at(values: NDArray[np.int64], share: float) -> int:
        return int(values[max(0, math.ceil(share * len(values)) - 1)]) if len(values) else 0

    return Distribution(
        count=len(errors),
        cycles=int(cycles.sum()),
        minimum=at(cycles, 0),
        median=at(cycles, 0.5),
        p99=at(cycles, 0.99),
        maximum=at(cycles, 1),
        instructions=at(np.sort(whole["instructions"]), 0.5),
        switched=len(errors) - len(whole),
    )


def share(errors: NDArray[np.void], missed: NDArray[np.bool_], which: NDArray[np.bool_]) -> Share:
    """Of the errors ``which``. Cycles of errors inside others count once, with the outermost."""
    outermost = which & (errors["depth"] == 0) & (errors["switched"] == 0)
    return Share(
        misses=int((which & missed).sum()),
        violations=int((which & ~missed).sum()),
        cycles=int(errors["cycles"][outermost].sum()),
    )
