"""What runs on the guest's one CPU, as far as somebody knows: threads for gdb, processes for a screen."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from emu.machine import Machine

__all__ = ["Thread", "ThreadList", "the_cpu"]


@dataclass(frozen=True)
class Thread:
    """``number``: from 1; ``running``: it has the CPU, and the machine's registers are its own; of the others
    ``registers`` has those that are known, by the names of ``machine.registers``."""

    number: int
    name: str
    running: bool
    detail: str = ""
    registers: Mapping[str, int] = field(default_factory=dict)


ThreadList = Callable[[Machine], list[Thread]]
"""All threads at this moment; exactly one is running. Looking for them changes nothing."""


def the_cpu(machine: Machine) -> list[Thread]:
    """Of a guest of which nobody knows more, as Linux: the CPU is its one thread."""
    return [Thread(1, "CPU", True, f"ASID {machine.registers['asid']}")]
