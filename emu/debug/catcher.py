"""What a run waits for beside stop addresses: exceptions, TLB loads, watched accesses; and what it found.

The engine's side is :mod:`emu.cpu.catch`. It filters coarsely (by vector, any load); whoever asks decides the rest by
what :func:`caught` tells.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from emu.cpu import state as st
from emu.errors import UsageError
from emu.machine import Machine
from emu.mmu.registers import VECTOR_ACCESS_ERROR
from emu.mmu.state import FETCH, WRITE

__all__ = ["MAX_WATCHES", "Accessed", "ExceptionTaken", "Found", "TlbLoaded", "Wait", "Watch", "apply", "caught"]

MAX_WATCHES = st.MAX_WATCHES


@dataclass(frozen=True)
class Watch:
    """Data accesses to VA [``start``, ``end``): READ, WRITE or both; in one address space, or in all."""

    start: int
    end: int
    reads: bool
    writes: bool
    asid: int | None = None


@dataclass(frozen=True)
class Wait:
    """What ends a run: exceptions by vector, any load of a TLB entry, accesses."""

    vectors: frozenset[int] = frozenset()
    loads: bool = False
    watches: tuple[Watch, ...] = ()


@dataclass(frozen=True)
class ExceptionTaken:
    """The handler of an exception is next. ``pc``: in its frame; of an access error also what was refused, and the
    fault status (548xRM 3-38); ``side``: itlb or dtlb."""

    vector: int
    pc: int
    fault_status: int = 0
    va: int = 0
    side: str = ""
    supervisor: bool = True


@dataclass(frozen=True)
class TlbLoaded:
    """The instruction before has loaded the entry with this TLB address (ITLB from 0, DTLB behind it)."""

    address: int


@dataclass(frozen=True)
class Accessed:
    """The instruction before has accessed watched memory."""

    va: int
    size: int
    write: bool


Found = ExceptionTaken | TlbLoaded | Accessed


def apply(machine: Machine, wait: Wait) -> None:
    """From the next run on, wait for this and nothing else. UsageError for more watches than there can be."""
    if len(wait.watches) > MAX_WATCHES:
        raise UsageError(f"{len(wait.watches)} watchpoints: at most {MAX_WATCHES} are possible")
    s = machine.core.state
    s["catch_vectors"][:] = 0
    s["catch_vectors"][sorted(wait.vectors)] = 1
    s["catch_loads"] = wait.loads
    rows = _rows(wait.watches)
    if rows == s["watches"][: int(s["n_watches"])].tolist():
        return
    s["watches"][: len(rows)] = rows or 0
    s["n_watches"] = len(rows)
    machine.core.flush()  # pages that are watched now may be in the softmmu


def _rows(watches: Sequence[Watch]) -> list[list[int]]:
    return [[w.start, w.end, int(w.reads) | int(w.writes) << 1, -1 if w.asid is None else w.asid] for w in watches]


def caught(machine: Machine) -> Found:
    """After StopReason.CAUGHT: what it was."""
    s = machine.core.state
    number, va, kind = int(s["caught_number"]), int(s["caught_va"]), int(s["caught_kind"])
    if s["caught"] == st.CAUGHT_LOAD:
        return TlbLoaded(number)
    if s["caught"] == st.CAUGHT_ACCESS:
        return Accessed(va, number, kind == WRITE)
    pc, fs = int(s["caught_pc"]), int(s["caught_fs"])
    if number != VECTOR_ACCESS_ERROR:
        return ExceptionTaken(number, pc)
    side = "itlb" if kind == FETCH else "dtlb"
    return ExceptionTaken(number, pc, fs, va, side, bool(s["refused_supervisor"]))
