"""The profile of access errors: one record for each, from exception entry to the RTE that pops its frame.

Only kept while ``profile_size`` is not 0. The host takes the records when the buffer is nearly full; what becomes of
them (causes, distributions) is :mod:`emu.profile`'s business.
"""

from emu.cpu.raw import store64
from emu.cpu.state import ATTENTION_RECORDS, MAX_OPEN, PROFILE_RECORD, PROFILE_SLACK, State
from emu.jit import njit
from emu.mmu.attributes import TLB, resolve
from emu.mmu.registers import MMUDR_PA
from emu.mmu.state import DTLB, FETCH, ITLB

__all__ = ["begin_fault", "end_fault", "note_access"]


@njit
def page_frame(s: State, va: int, kind: int, supervisor: int) -> int:
    """PA of the TLB entry that answers for ``va``; -1 if none does."""
    source, entry, _pa, _perms, _cm, _bits = resolve(s.mmu, va, kind, supervisor)
    if source != TLB:
        return -1
    return int(s.mmu.data[ITLB if kind == FETCH else DTLB, entry] & MMUDR_PA)


@njit
def note_access(s: State, va: int, kind: int, supervisor: int, pc: int, fs: int) -> None:
    """An access is refused with fault status ``fs``; its exception is about to be taken."""
    if s.profile_size == 0:
        return
    fault = s.fault_now
    fault.va, fault.kind, fault.supervisor, fault.pc, fault.fs = va, kind, supervisor, pc, fs
    fault.asid = s.mmu.asid
    fault.frame_before = page_frame(s, va, kind, supervisor)
    fault.cycles, fault.instructions = s.cycles, s.instructions


@njit
def begin_fault(s: State, frame: int) -> None:
    """The access error that was noted has been taken with its exception frame at ``frame``."""
    if s.profile_size == 0:
        return
    if s.n_open == MAX_OPEN:  # the oldest one will never end
        for i in range(1, MAX_OPEN):
            s.open_faults[i - 1] = s.open_faults[i]
        s.n_open = MAX_OPEN - 1
        s.profile_lost += 1
    i = s.n_open
    s.open_faults[i] = s.fault_now
    s.open_faults[i].frame = frame
    s.open_faults[i].depth = i
    s.n_open = i + 1


@njit
def end_fault(s: State, frame: int) -> None:
    """RTE pops ``frame``: the access error it belongs to, if any, is over. Others may be open on other stacks."""
    i = s.n_open - 1
    while i >= 0 and s.open_faults[i].frame != frame:
        i -= 1
    if i < 0:
        return
    f = s.open_faults[i]
    record = s.profile + PROFILE_RECORD * s.profile_count
    s.profile_count += 1
    switched = 1 if f.asid != s.mmu.asid else 0
    store64(record, f.va)
    store64(record + 8, f.pc)
    store64(record + 16, f.kind | f.supervisor << 4 | f.fs << 8 | f.asid << 16 | f.depth << 24 | switched << 32)
    store64(record + 24, s.cycles - f.cycles)
    store64(record + 32, s.instructions - f.instructions)
    store64(record + 40, f.frame_before)
    store64(record + 48, page_frame(s, f.va, f.kind, f.supervisor))
    for later in range(i + 1, s.n_open):
        s.open_faults[later - 1] = s.open_faults[later]
    s.n_open -= 1
    if s.profile_count >= s.profile_size - PROFILE_SLACK:
        s.attention |= ATTENTION_RECORDS
