"""Level full: the time of data accesses to memory (docs/timing-model.md, section 4), charged as it happens."""

from emu.cpu.state import State
from emu.jit import njit
from emu.mmu.attributes import RAMBAR0, RAMBAR1
from emu.mmu.registers import field_mask
from emu.mmu.state import READ
from emu.timing import caches
from emu.timing.caches import INHIBITED, LINE
from emu.timing.state import FULL

__all__ = ["is_full", "sees_all", "wait_for_data"]

DEC, DESB, DHLCK = (field_mask("CACR", name) for name in ("DEC", "DESB", "DHLCK"))
LINE_MASK = ~(LINE - 1)


@njit
def is_full(s: State) -> bool:
    """Whether memory takes time."""
    return bool(s.time.level == FULL)


@njit
def sees_all(s: State) -> bool:
    """Whether each data access is looked at, so that none may be left to unicorn's softmmu."""
    return bool(s.time.level == FULL or s.recorder.on)


@njit
def wait_for_data(s: State, source: int, pa: int, size: int, kind: int, mode: int, now: int) -> None:
    """A data access of ``size`` bytes of memory at ``pa``, in one page, at time ``now``: charge what the core waits."""
    if source in (RAMBAR0, RAMBAR1) or mode & INHIBITED:
        return
    t = s.time
    cacr = s.mmu.cacr
    if not cacr & DEC:  # as inhibited memory, which is charged once for a part
        cycles = t.costs.inhibited_read if kind == READ else t.costs.inhibited_write
        caches.account(t, cycles, False)
        s.cycles += cycles
        return
    end = pa + size
    at = pa
    while at < end:
        if kind == READ:
            cycles = caches.read(t, at & LINE_MASK, cacr & DHLCK != 0, now)
        else:
            cycles = caches.write(t, at & LINE_MASK, mode, cacr & DHLCK != 0, cacr & DESB != 0, now)
        now += cycles
        s.cycles += cycles
        at = (at | 3) + 1
