"""What a run counted: plain numbers, subtractable, so that a phase is the difference of two snapshots."""

import math
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any

from emu.tabular import Table, Tabular

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Bill", "Counters", "Misses", "Operation"]


def _minus(a: dict[Any, Any], b: dict[Any, Any]) -> dict[Any, Any]:
    """Per key ``a - b`` where ``b`` has the key; keys whose difference is all zero are dropped."""
    result = {}
    for key, value in a.items():
        if key not in b:
            result[key] = value
        elif isinstance(value, dict):
            inner = {k: v - b[key].get(k, 0) for k, v in value.items()}
            if any(inner.values()):
                result[key] = inner
        elif value != b[key]:
            result[key] = value - b[key]
    return result


def _difference(a: Any, b: Any) -> dict[str, Any]:
    """Field by field ``a - b`` of two instances of one dataclass."""
    values: dict[str, Any] = {}
    for f in fields(a):
        x, y = getattr(a, f.name), getattr(b, f.name)
        values[f.name] = _minus(x, y) if isinstance(x, dict) else x - y
    return values


@dataclass(frozen=True)
class Operation:
    """Executions of one marked kernel operation. ``durations``: how many of them took how many cycles."""

    durations: dict[int, int]

    @property
    def count(self) -> int:
        """How many there were."""
        return sum(self.durations.values())

    @property
    def cycles(self) -> int:
        """Cycles of all of them."""
        return sum(cycles * count for cycles, count in self.durations.items())

    @property
    def worst(self) -> int:
        """Cycles of the longest; 0 without any."""
        return max(self.durations, default=0)

    def percentile(self, percent: float) -> int:
        """Cycles that ``percent`` of them did not exceed, by nearest rank: always one of them; 0 without any."""
        rank = math.ceil(self.count * percent / 100)
        for cycles in sorted(self.durations):
            rank -= self.durations[cycles]
            if rank <= 0:
                return cycles
        return 0

    def __sub__(self, other: "Operation") -> "Operation":
        """Those of the phase between two readings."""
        return Operation(_minus(self.durations, other.durations))

    def to_dict(self) -> dict[str, int]:
        """JSON-ready."""
        return {
            "count": self.count,
            "cycles": self.cycles,
            "p50": self.percentile(50),
            "p99": self.percentile(99),
            "worst": self.worst,
        }


@dataclass(frozen=True)
class Misses:
    """TLB misses: accesses refused because no entry matched (FS 5, 6, 10, 14); violations are not misses."""

    itlb: int = 0
    dtlb: int = 0
    itlb_user: int = 0
    itlb_kernel: int = 0
    dtlb_user: int = 0
    dtlb_kernel: int = 0
    nested: int = 0
    by_region: dict[str, dict[str, int]] = field(default_factory=dict)
    by_symbol: dict[str, dict[str, int]] = field(default_factory=dict)

    @property
    def user(self) -> int:
        """Misses of user-mode accesses, both TLBs."""
        return self.itlb_user + self.dtlb_user

    @property
    def kernel(self) -> int:
        """Misses of supervisor-mode accesses, both TLBs."""
        return self.itlb_kernel + self.dtlb_kernel

    @property
    def total(self) -> int:
        """All misses."""
        return self.itlb + self.dtlb

    def __sub__(self, other: "Misses") -> "Misses":
        return Misses(**_difference(self, other))


@dataclass(frozen=True)
class Bill:
    """What ``refill_cycles`` were spent on, and what they cost afterwards, in cycles.

    ``entry``: exception processing, its waits for memory included. ``handler``: instructions of the handlers, with what
    the pipeline waits for between them. ``stalls``: waits for memory in handlers. ``back``: RTE and its waits.
    ``evicted``: waits outside of handlers for lines that would have been in the caches without them, less those that
    the handlers saved; not part of ``refill_cycles``. Waits for memory exist at the level full only.
    """

    entry: int = 0
    handler: int = 0
    stalls: int = 0
    back: int = 0
    evicted: int = 0

    @property
    def total(self) -> int:
        """Everything that misses have cost."""
        return self.entry + self.handler + self.stalls + self.back + self.evicted

    def __sub__(self, other: "Bill") -> "Bill":
        return Bill(**_difference(self, other))


@dataclass(frozen=True)
class Counters(Tabular):
    """One reading of all counters; subtract two for what was counted between them. Cycles are core cycles;
    ``refill_cycles`` run from a miss's exception entry to the RTE of the outermost refill, and ``bill`` says what they
    were spent on."""

    instructions: int = 0
    cycles: int = 0
    refill_cycles: int = 0
    bill: Bill = field(default_factory=Bill)
    misses: Misses = field(default_factory=Misses)
    violations: int = 0
    bus_errors: int = 0
    exceptions: dict[int, int] = field(default_factory=dict)
    inhibited_reads: int = 0
    inhibited_writes: int = 0
    operations: dict[int, Operation] = field(default_factory=dict)

    def __sub__(self, other: "Counters") -> "Counters":
        return Counters(**_difference(self, other))

    def to_arrow(self) -> "pa.Table":
        """One row: a counter stands under its path (``misses_dtlb_kernel``); regions, symbols, vectors are maps."""
        from emu.arrow import table_of

        return table_of(Counters, [self])

    def _repr_html_(self) -> str:
        """One line a counter."""
        (row,) = self.to_arrow().to_pylist()
        figures = {name: value for name, value in row.items() if isinstance(value, int)}
        return Table.of_rows([{"counter": name, "value": value} for name, value in figures.items()])._repr_html_()

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready, with string keys."""
        result = asdict(self)
        result["exceptions"] = {str(k): v for k, v in sorted(self.exceptions.items())}
        result["operations"] = {str(k): v.to_dict() for k, v in sorted(self.operations.items())}
        return result
