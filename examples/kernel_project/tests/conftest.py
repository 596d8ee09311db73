"""The kernel as its tests see it: it runs from phase to phase, and its memory has names."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from emu.machine import Machine, StopReason
from emu.pytest_plugin import MachineFactory

ELF = Path(os.environ.get("KERNEL", Path(__file__).parents[1] / "kernel.elf")).absolute()
REGIONS = {
    "user text": (0x10000000, 0x10004000),
    "user data": (0x20000000, 0x2000C000),
    "queue": (0x40000000, 0x41000000),
    "journal": (0x50000000, 0x51000000),
}
BUDGET = 200_000  # instructions of a phase; the longest takes 30,000
CYCLES = 20 * BUDGET  # a handler that faults at its first instruction retires none


class Kernel:
    """One run of the kernel. Phases begin at the functions of their names."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.astray = ""  # where the last run ended, if not where it should

    def set(self, variable: str, value: int) -> None:
        """Set one of the kernel's words, before it runs."""
        elf = self.machine.elf
        assert elf is not None
        self.machine.write_physical(elf.address(variable), value.to_bytes(4, "big"))

    def run_to(self, phase: str = "") -> None:
        """Run until a phase begins, or (without one) until the kernel halts. Whether it came there is asked later: the
        misses say more about what went wrong, so tests look at them first."""
        elf = self.machine.elf
        assert elf is not None
        stops = [elf.address(phase)] if phase else []
        result = self.machine.run(BUDGET, CYCLES, stop_at=stops)
        wanted = StopReason.ADDRESS if phase else StopReason.HALT
        at = result.pc - 2 if result.reason is StopReason.HALT else result.pc
        self.astray = "" if result.reason is wanted else f"{result.reason.value} at {self.machine.symbol(at)}"

    def require_reached(self) -> None:
        """Fail unless the last run came to where it should."""
        if self.astray:
            pytest.fail(f"the kernel did not get there: {self.astray}", pytrace=False)


@pytest.fixture
def kernel(machine: MachineFactory) -> Callable[[], Kernel]:
    """Makes kernels at reset."""
    return lambda: Kernel(machine(ELF, regions=REGIONS))
