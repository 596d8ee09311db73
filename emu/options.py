"""How a machine runs, as the user chooses it: nothing of the guest, only of the model."""

from dataclasses import dataclass, field
from typing import Any

from emu.time_numbers import Numbers

__all__ = ["MachineOptions"]


@dataclass(frozen=True)
class MachineOptions:
    """``engine``, ``timing``, ``clock`` as for :class:`emu.machine.Machine`; ``numbers``: of the time model; ``tlb``:
    entries of each TLB."""

    engine: str = "auto"
    timing: str = "flat"
    clock: str = "cycles"
    numbers: Numbers = field(default_factory=Numbers)
    tlb: int = 32

    @property
    def keywords(self) -> dict[str, Any]:
        """Keyword arguments of a machine."""
        costs, cells = self.numbers.costs, self.numbers.cells
        return {
            "engine": self.engine,
            "timing": self.timing,
            "clock": self.clock,
            "costs": costs,
            "cells": cells,
            "itlb_entries": self.tlb,
            "dtlb_entries": self.tlb,
        }
