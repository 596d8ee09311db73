"""The engine's counters as the numbers that users see."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from emu.counters import Bill, Counters, Misses, Operation
from emu.cpu import state as st
from emu.cpu.core import Core
from emu.regions import MORE_PLACES, OTHER

__all__ = ["Durations", "add_durations", "read_bill", "read_counters"]

Durations = dict[int, dict[int, int]]
"""By number of the operation: how many of them took how many cycles."""


def read_counters(core: Core, names: Sequence[str], symbol: Callable[[int], str], durations: Durations) -> Counters:
    """All counters of ``core``; ``names``: of its regions, in their order; ``symbol``: names the code at an address;
    ``durations``: of the operations that have ended."""
    s = core.state
    places = [(OTHER, s["regions"][st.MAX_REGIONS - 1])]
    places += [(name, s["regions"][i]) for i, name in enumerate(names)]
    by_region = {
        name: {"itlb": int(record["itlb"]), "dtlb": int(record["dtlb"])}
        for name, record in places
        if record["itlb"] or record["dtlb"]
    }
    by_symbol: dict[str, dict[str, int]] = {}
    for pc, itlb, dtlb in core.misses_by_pc():
        name = symbol(int(pc)).split("+")[0]
        entry = by_symbol.setdefault(name, {"itlb": 0, "dtlb": 0})
        entry["itlb"] += int(itlb)
        entry["dtlb"] += int(dtlb)
    lost = s["miss_pc_lost"]
    if lost.any():
        by_symbol[MORE_PLACES] = {"itlb": int(lost[0]), "dtlb": int(lost[1])}
    m = s["misses"]
    return Counters(
        instructions=int(s["instructions"]),
        cycles=int(s["cycles"]),
        refill_cycles=int(s["refill_cycles"]),
        bill=read_bill(core),
        misses=Misses(
            itlb=int(m[0].sum()),
            dtlb=int(m[1].sum()),
            itlb_user=int(m[0, 0]),
            itlb_kernel=int(m[0, 1]),
            dtlb_user=int(m[1, 0]),
            dtlb_kernel=int(m[1, 1]),
            nested=int(s["nested"]),
            by_region=dict(sorted(by_region.items())),
            by_symbol=dict(sorted(by_symbol.items())),
        ),
        violations=int(s["violations"]),
        bus_errors=int(s["bus_errors"]),
        exceptions={v: int(n) for v, n in enumerate(s["exceptions"]) if n},
        inhibited_reads=int(s["inhibited_reads"]),
        inhibited_writes=int(s["inhibited_writes"]),
        operations={number: Operation(dict(found)) for number, found in sorted(durations.items())},
    )


def add_durations(durations: Durations, ended: NDArray[np.int64]) -> None:
    """Note in ``durations`` the operations of ``ended``, rows (number, cycles)."""
    rows, counts = np.unique(ended, axis=0, return_counts=True)
    for (number, cycles), count in zip(rows.tolist(), counts.tolist(), strict=True):
        found = durations.setdefault(number, {})
        found[cycles] = found.get(cycles, 0) + count


def read_bill(core: Core) -> Bill:
    """What the refills that have ended were spent on."""
    s = core.state
    time = s["time"]
    entry = int(time["misses"]) * int(time["costs"]["exception_entry"]) + int(time["entry_stalls"])
    back = int(time["returned"]) * core.return_cycles + int(time["return_stalls"])
    stalls = int(time["handler_stalls"])
    # A handler that has not returned is in none of the sums but the entries.
    handler = max(0, int(s["refill_cycles"]) - entry - stalls - back)
    return Bill(entry, handler, stalls, back, int(time["evicted_stalls"]))
