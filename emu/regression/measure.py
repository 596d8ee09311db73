"""Measurements of what a program has at hand: machines, counters, replays of traces, rows of results."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from emu.counters import Counters, Misses
from emu.errors import UsageError
from emu.mmu.registers import MMUDR_SZ, MMUDR_SZ_SHIFT, MMUTR_V, VECTOR_ACCESS_ERROR
from emu.mmu.state import FETCH, READ, RMW, WRITE
from emu.regions import Region
from emu.regression.misses import FIGURES, LOG_LENGTH, SIDES, Measurement, Miss, MissLog
from emu.regression.results import entry_of, row_entries

if TYPE_CHECKING:
    from emu.machine import Machine
    from emu.trace.format import Trace
    from emu.trace.replay import Replay

__all__ = ["Mark", "mark", "measure"]

_KINDS = {READ: "r", WRITE: "w", FETCH: "x", RMW: "m"}
_PAGE_BITS = (20, 12, 13, 10)  # by MMUDR[SZ] (CF4UM 10-17)
_MAX_UNFINISHED = 3
_HALT = bytes.fromhex("4ac8")
_DEFAULT_PAGE_BITS = 12  # nothing is loaded that would tell


@dataclass(frozen=True)
class Mark:
    """A moment of a machine's run, from which a phase is measured."""

    counters: Counters
    misses: int  # in the log


def mark(machine: "Machine") -> Mark:
    """This moment."""
    return Mark(machine.counters(), len(_begun_misses(machine)))


def measure(thing: Any, since: Mark | None = None) -> dict[str, Measurement]:
    """Measurements of ``thing`` by name; there is one, named "", unless it is a row of `cfemu compare`.

    ``thing``: a machine (its misses one by one if it keeps a profile), counters or misses, a trace (replayed as it was
    recorded) or a replay that has not run, a row or workload of a comparison, or these as JSON values. ``since``: of a
    machine, only what came after. Raises UsageError for anything else.
    """
    from emu.machine import Machine
    from emu.trace.format import Trace
    from emu.trace.replay import Replay

    if since is not None and not isinstance(thing, Machine):
        raise UsageError("since: only a machine can be measured from a mark; subtract counters instead")
    if isinstance(thing, Machine):
        return {"": _of_machine(thing, since)}
    if isinstance(thing, Counters):
        return {"": of_counters(thing)}
    if isinstance(thing, Misses):
        return {"": of_misses(thing)}
    if isinstance(thing, (Trace, Replay)):
        return {"": _of_trace(thing)}
    values = msgspec.to_builtins(thing) if isinstance(thing, msgspec.Struct) else thing
    if isinstance(values, Mapping):
        return row_entries(values) if "workloads" in values else {"": entry_of(values)}
    raise UsageError(f"TLB misses of a {type(thing).__name__}: expected a machine, counters, a trace or a row")


def of_counters(counters: Counters) -> Measurement:
    """Of a run or a phase (the difference of two readings)."""
    found = of_misses(counters.misses)
    more = {"violations": counters.violations, "bus_errors": counters.bus_errors}
    return Measurement({**found.totals, **more}, found.by_region, found.by_symbol)


def of_misses(misses: Misses) -> Measurement:
    """Of misses alone."""
    totals = {name: getattr(misses, name) for name in FIGURES if name in Misses.__dataclass_fields__}
    return Measurement(totals, misses.by_region, misses.by_symbol)


def _of_machine(machine: "Machine", since: Mark | None) -> Measurement:
    counters = machine.counters()
    found = of_counters(counters if since is None else counters - since.counters)
    log: MissLog | None = None
    unfinished: tuple[str, ...] = ()
    if machine.profiled:
        begun = _begun_misses(machine)[0 if since is None else since.misses :][:LOG_LENGTH]
        bits = _page_bits(machine.core.state["mmu"])
        symbol = _cached(machine.symbol)
        log = MissLog(bits, tuple(_miss(error, symbol) for error in begun))
        unfinished = _unfinished(machine, bits)
    return Measurement(
        found.totals,
        found.by_region,
        found.by_symbol,
        log,
        tuple(machine.regions),
        _handler(machine),
        unfinished,
        _last_entry(machine.core.state["mmu"]),
    )


def _miss(error: Any, symbol: Callable[[int], str]) -> Miss:
    pc = int(error["pc"])
    return Miss(_KINDS[error["kind"]], bool(error["supervisor"]), int(error["va"]), pc, symbol(pc))


def _unfinished(machine: "Machine", page_bits: int) -> tuple[str, ...]:
    """Access errors whose handlers have not returned, in words, and where the machine stands in the last of them."""
    from emu.profile import MISS_STATUS

    errors = machine.begun_access_errors()
    texts = [
        ("" if error["fs"] in MISS_STATUS else "violation: ") + _miss(error, machine.symbol).describe(page_bits)
        for error in errors[errors["cycles"] < 0][-_MAX_UNFINISHED:]
    ]
    if texts:
        pc = machine.registers["pc"]
        if machine.core.code_at(pc - 2, 2) == _HALT:  # it leaves the PC behind itself, maybe in the next function
            pc -= 2
        texts.append(f"it stands at PC {pc:#010x} ({machine.symbol(pc)})")
    return tuple(texts)


def _begun_misses(machine: "Machine") -> NDArray[np.void]:
    from emu.profile import MISS_STATUS

    if not machine.profiled:
        return np.zeros(0, np.void)
    errors = machine.begun_access_errors()
    misses: NDArray[np.void] = errors[np.isin(errors["fs"], MISS_STATUS)]
    return misses


def _last_entry(mmu: Any) -> str:
    """The TLB entry that MMUOR allocated or accessed last, in words."""
    from emu.mmu.dump import entry_line  # with numba

    address, base = int(mmu["aa"]), int(mmu["dtlb_base"])
    side = int(address >= base)
    index = address - base * side
    if index >= int(mmu["entries"][side]):
        return ""
    tag, data = int(mmu["tag"][side][index]), int(mmu["data"][side][index])
    line = " ".join(entry_line(address, tag, data).split()[1:])
    return f"the TLB entry that MMUOR allocated or accessed last, {address}: {line}"


def _handler(machine: "Machine") -> str:
    """Symbol of the handler of access errors."""
    vector = machine.core.code_at(machine.registers["vbr"] + 4 * VECTOR_ACCESS_ERROR, 4)
    name = machine.elf.symbol(int.from_bytes(vector)) if machine.elf and len(vector) == 4 else None
    return name or ""


def _page_bits(mmu: Any) -> int:
    """Of the smallest page in the TLBs: a miss itself does not know the size of its page."""
    sizes = (mmu["data"][(mmu["tag"] & MMUTR_V) != 0] & MMUDR_SZ) >> MMUDR_SZ_SHIFT
    return min((_PAGE_BITS[size] for size in sizes.tolist()), default=_DEFAULT_PAGE_BITS)


def _of_trace(source: "Trace | Replay") -> Measurement:
    """A replay's misses: its log has the recorded symbols, so a place is a symbol without an offset."""
    from emu.trace import layout as k
    from emu.trace.events import HANDLER, KIND, SUPERVISOR
    from emu.trace.explain import region_namer, symbol_namer
    from emu.trace.format import MmuSetup
    from emu.trace.replay import Replay, geometry_of

    replay = source if isinstance(source, Replay) else Replay(source, geometry_of(source.header.mmu or MmuSetup()))
    region, symbol = _cached(region_namer(replay.trace)), _cached(symbol_namer(replay.trace))
    totals, regions, symbols = Counter[str](), Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    misses: list[Miss] = []
    for rows in replay.misses():
        for va, code, pc in rows[:, [k.LOG_VA, k.LOG_CODE, k.LOG_PC]].tolist():
            miss = Miss(_KINDS[code & KIND], bool(code & SUPERVISOR), va, pc, symbol(pc))
            totals[miss.side] += 1
            totals[f"{miss.side}_{'kernel' if miss.supervisor else 'user'}"] += 1
            totals["nested"] += bool(code & HANDLER)
            regions[region(va), miss.side] += 1
            symbols[miss.symbol, miss.side] += 1
            if len(misses) < LOG_LENGTH:
                misses.append(miss)
    names = ("itlb", "dtlb", "itlb_user", "itlb_kernel", "dtlb_user", "dtlb_kernel", "nested")
    return Measurement(
        {name: totals[name] for name in names} | {"violations": replay.result().violations},
        _table(regions),
        _table(symbols),
        MissLog(_page_bits(replay.mmu[0]), tuple(misses)),
        tuple(Region(*row) for row in replay.trace.regions),
    )


def _cached(namer: Callable[[int], str]) -> Callable[[int], str]:
    known: dict[int, str] = {}

    def name(address: int) -> str:
        if address not in known:
            known[address] = namer(address)
        return known[address]

    return name


def _table(counts: Mapping[tuple[str, str], int]) -> dict[str, dict[str, int]]:
    rows: dict[str, dict[str, int]] = {}
    for (name, side), count in counts.items():
        rows.setdefault(name, dict.fromkeys(SIDES, 0))[side] += count
    return rows
