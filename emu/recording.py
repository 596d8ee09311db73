"""A machine's MMU recorded in a trace file: what :mod:`emu.trace` asks its questions of (docs/traces.md).

::

    with record(machine, "boot.trace"):
        machine.run()

Recording may begin at any time, the guest does not notice, and counts are the same as without. What is written is a
stream: memory does not grow with the run, and a file that was cut, by a crash too, is readable up to the cut.
"""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from emu.counters import Counters
from emu.elf import Elf
from emu.errors import EngineError, UsageError
from emu.machine import Machine
from emu.mmu.state import POLICIES, new_mmu
from emu.text import storable
from emu.trace.format import Firmware, Header, MmuSetup, Names, TraceWriter, lock, snapshot

__all__ = ["Recording", "record"]


def record(machine: Machine, path: str | Path, *, source: str = "", files: Iterable[Elf] = ()) -> "Recording":
    """Record ``machine`` in the file ``path`` until the recording is closed; what was there is ``path``.old then.

    ``source``: one line that says what ran, else the program's name; ``files``: programs beside the machine's own.
    UsageError when the machine is being recorded already, and OSError when the file cannot be written.
    """
    return Recording(machine, path, source, files)


class Recording:
    """A recording under way; leaving the ``with`` block completes the file, also after an error of the guest. Where the
    file cannot take more it stays as a cut trace."""

    def __init__(self, machine: Machine, path: str | Path, source: str, files: Iterable[Elf]) -> None:
        if machine.recorded:
            raise UsageError("the machine is being recorded already")
        self.machine = machine
        self.phases: list[str] = []
        self._failed = self._closed = False
        self._before = machine.counters()
        self._regions = _regions(machine)
        try:
            header = _header(machine, source, files)
            if Path(path).is_file():
                with Path(path).open("rb") as old:
                    lock(old)
                    Path(path).replace(f"{path}.old")
            self.writer = TraceWriter(path, header)
        except OSError as error:
            raise UsageError(f"{error.filename or path}: {(error.strerror or str(error)).lower()}") from error
        machine.start_recording(self._write)

    def _write(self, code: NDArray[np.uint8], a: NDArray[np.uint32], b: NDArray[np.uint32]) -> None:
        """Events to the file. UsageError names the file when it cannot take more; then nothing goes there any more, for
        a trace with a gap would be taken for a whole one."""
        if self._failed:
            return
        try:
            self.writer.append(code, a, b)
        except OSError as error:
            self._failed = True
            raise UsageError(f"{self.writer.path}: {(error.strerror or str(error)).lower()}") from error

    def begin_phase(self, name: str) -> None:
        """What follows is of the phase ``name``; one that was there before goes on. UsageError for a recording that has
        ended, and for a name that cannot be written."""
        if self._closed:
            raise UsageError(f"phase {name!r}: the recording has ended")
        try:
            name.encode()
        except UnicodeEncodeError:
            raise UsageError(f"phase {name!r}: not a name that can be written") from None
        if name not in self.phases:
            self.phases.append(name)
            self._name()
        self.machine.begin_phase(self.phases.index(name))

    def _name(self) -> None:
        regions = _regions(self.machine)
        named_later = regions if regions != self._regions else ()
        self.writer.name(Names(phases=tuple(self.phases), regions=named_later))

    def close(self) -> None:
        """Complete the file; once is enough."""
        if self._closed:
            return
        self._closed = True
        try:
            self.machine.stop_recording()
            if not self._failed:
                if _regions(self.machine) != self._regions:
                    self._name()
                self.writer.close(_account(self.machine.counters() - self._before))
        finally:
            self.writer.abandon()

    def __enter__(self) -> "Recording":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        try:
            self.close()
        except (UsageError, EngineError, OSError):
            if error is None:  # else that one is told
                raise


def _regions(machine: Machine) -> tuple[tuple[str, int, int], ...]:
    return tuple((region.name, region.start, region.end) for region in machine.regions)


def _header(machine: Machine, source: str, files: Iterable[Elf]) -> Header:
    """Everything that makes the file speak for itself."""
    programs = [*([machine.elf] if machine.elf else []), *files]
    symbols = {symbol.address: symbol for elf in reversed(programs) for symbol in elf.symbols}
    return Header(
        source=storable(source or (machine.elf.path.name if machine.elf else "a machine")),
        board=machine.board.name,
        mmu=_setup(machine),
        firmware=tuple(Firmware(storable(elf.path.name), _digest(elf.path)) for elf in programs),
        regions=_regions(machine),
        symbols=tuple((s.address, s.name, s.size) for s in sorted(symbols.values())),
        clock_hz=machine.board.core_hz,
    )


def _setup(machine: Machine) -> MmuSetup:
    """The MMU as it is now."""
    mmu = machine.core.array["mmu"]
    itlb, dtlb = (int(n) for n in mmu[0]["entries"])
    policy = next(name for name, number in POLICIES.items() if number == mmu[0]["policy"])
    uses_mmutr = bool(mmu[0]["cas_uses_mmutr"])
    return MmuSetup(itlb, dtlb, policy, uses_mmutr, _given_seed(int(mmu[0]["seed"])), snapshot(mmu))


def _given_seed(kept: int) -> int:
    """The seed that was given to new_mmu, which keeps another one."""
    return kept ^ int(new_mmu(seed=0)[0]["seed"])


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _account(counted: Counters) -> dict[str, int]:
    """The machine's own counts, for whoever compares."""
    misses = counted.misses
    return {
        "instructions": counted.instructions,
        "cycles": counted.cycles,
        "refill_cycles": counted.refill_cycles,
        "itlb_misses": misses.itlb,
        "dtlb_misses": misses.dtlb,
        "nested_misses": misses.nested,
        "violations": counted.violations,
    }
