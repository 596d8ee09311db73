"""Cycle costs that are no instruction: exception entry, cache lines, inhibited accesses, MMU registers.

Most of these have no published number, so each is a named, overridable default with the reason for its value.
``Costs`` is what the user overrides; the module constants are its defaults.
"""

from dataclasses import dataclass, field, fields
from typing import Any

from emu.errors import UsageError

__all__ = [
    "EXCEPTION_ENTRY",
    "INHIBITED_READ",
    "INHIBITED_WRITE",
    "LINE_FILL",
    "MMU_REGISTER_ACCESS",
    "CostNote",
    "Costs",
    "cost_notes",
]

EXCEPTION_ENTRY = 18
LINE_FILL = 30
MMU_REGISTER_ACCESS = 2
INHIBITED_READ = 24
INHIBITED_WRITE = 5

_MAX_COST = 1_000_000  # keeps any sum of costs far inside 64 bits; no hardware access is this slow


def _cost(default: int, source: str, confidence: str) -> Any:
    """A dataclass field for one cost: its default in core cycles, where that comes from and how sure it is."""
    return field(default=default, metadata={"source": source, "confidence": confidence})


@dataclass(frozen=True, slots=True)
class Costs:
    """Core cycles charged on top of the instruction's own; every value 0 to 1,000,000.

    Raises :class:`~emu.errors.UsageError` naming the cost that is out of range or no integer.
    """

    exception_entry: int = _cost(
        EXCEPTION_ENTRY,
        "TRAP #n is 18(1/2): one vector read, two stack writes, pipeline refill (5407UM T2-16); "
        "taken for every exception (sheet 4.8)",
        "INF",
    )
    line_fill: int = _cost(
        LINE_FILL,
        "first longword 20-28 core cycles, whole line 6-8 more (sheet 4.7, from SDRAM settings of BaS_gcc sysinit.c); "
        "the flat model has no caches and never charges it",
        "INF",
    )
    mmu_register_access: int = _cost(
        MMU_REGISTER_ACCESS,
        "on-core register window: 1-2, the upper end taken (sheet 4.8)",
        "INF",
    )
    inhibited_read: int = _cost(
        INHIBITED_READ,
        "middle of 20-28 core cycles to the first longword (sheet 4.7); with the rest of the line it gives line_fill",
        "INF",
    )
    inhibited_write: int = _cost(
        INHIBITED_WRITE,
        "inhibited precise write, or store buffer off: pipeline stalls 5 cycles (548xRM 7-16)",
        "1S",
    )

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            if isinstance(value, bool) or not isinstance(value, int):
                raise UsageError(f"costs.{item.name}: {value!r} is not a number of cycles")
            if not 0 <= value <= _MAX_COST:
                raise UsageError(f"costs.{item.name}: {value} is not between 0 and {_MAX_COST} cycles")


@dataclass(frozen=True, slots=True)
class CostNote:
    """One cost with its source, for printing."""

    name: str
    cycles: int
    source: str
    confidence: str


def cost_notes(costs: Costs) -> list[CostNote]:
    """Every cost in declaration order. An overridden value keeps no source: it is the user's."""
    return [_note(item, getattr(costs, item.name)) for item in fields(costs)]


def _note(item: Any, cycles: int) -> CostNote:
    if cycles != item.default:
        return CostNote(item.name, cycles, "set by the user", "-")
    return CostNote(item.name, cycles, item.metadata["source"], item.metadata["confidence"])
