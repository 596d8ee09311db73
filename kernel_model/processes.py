"""The nucleus' processes as threads of a debugger, read from its own structures."""

from dataclasses import dataclass

from emu.debug.threads import Thread
from emu.elf import Elf
from emu.machine import Machine
from kernel_model import abi
from kernel_model.heap import Chunk
from kernel_model.session import Session

__all__ = ["Processes"]

# struct process of firmware/include/kernel.h; offsets.h has PROCESS_REGISTERS, and C asserts that it is so.
RUN_STATE, ASID, REGISTERS = 64, 68, 736
FRAME, PC = REGISTERS + 64, REGISTERS + 68
SR_MASK = 0xFFFF
RUN_STATES = ("idle", "ready", "receiving", "sending")
KERNEL = 1  # number of the thread that is the kernel while no process has been given the CPU


@dataclass(frozen=True)
class Processes:
    """Finds the threads of the nucleus that ran in ``session``; physical memory is read, so no TLB plays a part."""

    session: Session

    def __call__(self, machine: Machine) -> list[Thread]:
        """The kernel, and all processes that were built, of which the last one that ran has the CPU, in the kernel
        too."""
        elf = machine.elf
        assert elf is not None  # a session has loaded it
        current = self._long(machine, elf.address("current"))
        threads = [t for n in range(self._count) if (t := self._process(machine, elf, n, current)) is not None]
        alone = not any(thread.running for thread in threads)
        return [Thread(KERNEL, "kernel", alone, "the command loop" if alone else "has started a process"), *threads]

    @property
    def _count(self) -> int:
        return self.session.plan.parameters["user_processes"]

    def _process(self, machine: Machine, elf: Elf, number: int, current: int) -> Thread | None:
        """Process ``number``; None if it has not been built."""
        values = self.session.plan.parameters.values
        vector = abi.Vector.PROCESS
        apart = values["vector_count"][vector] // self._count * values["vector_stride"][vector]
        start = self._long(machine, elf.address("vector_va") + 4 * vector)
        va = start + number * apart
        asid = self._long(machine, va + ASID)
        if not start or not asid:
            return None
        state = self._long(machine, va + RUN_STATE)
        name = RUN_STATES[state] if state < len(RUN_STATES) else f"state {state}"
        running = va == current
        saved = {} if running else self._saved(machine, va)
        return Thread(KERNEL + 1 + number, f"process {number}", running, f"ASID {asid}, {name}", saved)

    def _saved(self, machine: Machine, va: int) -> dict[str, int]:
        """Registers of a process that does not have the CPU."""
        saved = {f"d{i}": self._long(machine, va + REGISTERS + 4 * i) for i in range(8)}
        saved |= {f"a{i}": self._long(machine, va + REGISTERS + 32 + 4 * i) for i in range(8)}
        saved |= {"usp": saved["a7"], "sr": self._long(machine, va + FRAME) & SR_MASK}
        return saved | {"pc": self._long(machine, va + PC)}

    def _long(self, machine: Machine, va: int) -> int:
        """The longword at kernel address ``va``, wherever the kernel has put that; 0 where it has put nothing yet."""
        image = self.session.plan.ram[0] - abi.KVA
        places = [*self.session.model.chunks, Chunk(abi.KVA, abi.KVA + image, abi.IMAGE_SIZE)]
        for chunk in places:
            if chunk.va <= va < chunk.va + chunk.size:
                return int.from_bytes(machine.read_physical(va - chunk.constant, 4))
        return 0
