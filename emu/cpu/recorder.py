"""What the MMU sees, recorded as events for :mod:`emu.trace`, in the order in which the model is asked.

While recording, no page of data stays in the softmmu (as at the level of time that models caches), so each data access
is looked at and recorded where the model touches its entry; the fetches of a block are recorded where the block is
charged (:mod:`emu.cpu.blocks`). An instruction that is begun again only because of how an engine works takes back what
it recorded. So all engines record the same events, up to where runs are cut.

Rules: docs/traces.md. The codes are the file format's (:mod:`emu.trace.events`).
"""

from emu.cpu.looks import is_first_look
from emu.cpu.native import ENV_PC
from emu.cpu.raw import call_restore, load32, store8, store32
from emu.cpu.state import ATTENTION_RECORDS, F_RESTORE, RECORDED_LOOKS, State
from emu.jit import njit, njit_inline
from emu.mmu.registers import MMUOR_ACC, MMUOR_RW, MOVEC_ASID, OFFSET_MMUOR
from emu.mmu.state import DTLB, EFFECT_DTLB, EFFECT_ITLB, ITLB
from emu.trace.events import (
    CONTROL_WRITE,
    ENTER,
    FRAME,
    GRANULE_BITS,
    HANDLER,
    LEAVE,
    LOADED,
    MISSED,
    PHASE,
    STAMP,
    SUPERVISOR,
    VIOLATED,
    WINDOW_WRITE,
)

__all__ = [
    "add_to",
    "begin_again",
    "fetch_run",
    "record_access",
    "record_control",
    "record_enter",
    "record_fetch",
    "record_leave",
    "record_look",
    "record_phase",
    "record_refusal",
    "record_store",
    "record_time",
    "retract_looks",
    "retract_since",
]

FETCHED = 2  # the access kind in a code
MOST = 0xFFFFFFFF
LONGEST_RUN = 1 << 31
GRANULE = 1 << GRANULE_BITS


# --- the buffer


@njit
def put(s: State, code: int, a: int, b: int) -> int:
    """Add an event; its number in the buffer."""
    r = s.recorder
    i: int = r.count + 0
    if i == r.size:  # nothing runs: the host writes registers, say, and does not ask for the events
        r.lost += 1
        return i - 1
    store8(r.code + i, code)
    store32(r.a + 4 * i, a)
    store32(r.b + 4 * i, b)
    r.count = i + 1
    if i >= r.full:
        s.attention |= ATTENTION_RECORDS
    return i


@njit
def close_runs(s: State) -> None:
    """What follows belongs to new runs."""
    r = s.recorder
    r.fetch = r.data[0] = r.data[1] = -1
    r.fetch_key = r.data_key = -1


@njit
def put_event(s: State, code: int, a: int, b: int) -> None:
    """Add an event that is no run."""
    close_runs(s)
    put(s, code, a, b)


@njit_inline
def add_to(s: State, run: int, count: int) -> None:
    """Change the number of references of a run."""
    where = s.recorder.b + 4 * run
    store32(where, load32(where) + count)


@njit_inline
def is_full(s: State, run: int) -> bool:
    """Whether a run should get no more references; what is taken back leaves it long enough."""
    return bool(load32(s.recorder.b + 4 * run) >= LONGEST_RUN)


@njit_inline
def flags_of(s: State, supervisor: int) -> int:
    """What the code of an access has beside its kind."""
    return (SUPERVISOR if supervisor else 0) | (HANDLER if s.time.in_handler else 0)


# --- accesses


@njit_inline
def fetch_run(s: State, va: int, count: int, supervisor: int) -> int:
    """``count`` instructions fetched from the 1-KB granule of ``va``; their run."""
    r = s.recorder
    flags = flags_of(s, supervisor)
    key = va >> GRANULE_BITS << 8 | flags
    if key == r.fetch_key and not is_full(s, r.fetch):
        add_to(s, r.fetch, count)
        return int(r.fetch)
    r.fetch = put(s, FETCHED | flags, va, count)
    r.fetch_key = key
    return int(r.fetch)


@njit
def record_fetch(s: State, va: int, supervisor: int) -> None:
    """An instruction, or the rest of one, was fetched from ``va`` by the engine itself."""
    if s.recorder.on:
        fetch_run(s, va, 1, supervisor)


@njit_inline
def data_run(s: State, va: int, kind: int, supervisor: int) -> int:
    """A read or a write of the 1-KB granule of ``va``; its run."""
    r = s.recorder
    flags = flags_of(s, supervisor)
    key = va >> GRANULE_BITS << 8 | flags
    if key != r.data_key:
        r.data_key = key
        r.data[1 - kind] = -1
    elif r.data[kind] >= 0 and not is_full(s, r.data[kind]):
        add_to(s, r.data[kind], 1)
        return int(r.data[kind])
    run = put(s, kind | flags, va, 1)
    r.data[kind] = run
    return run


@njit
def part_runs(s: State, va: int, size: int, kind: int, supervisor: int) -> int:
    """A read or a write of ``size`` bytes in one page, which may be two granules; the run of the last of them."""
    run = data_run(s, va, kind, supervisor)
    second = (va | GRANULE - 1) + 1
    if va + size > second:
        note_look(s, run)
        run = data_run(s, second & MOST, kind, supervisor)
    return run


@njit
def record_access(s: State, va: int, size: int, kind: int, supervisor: int) -> None:
    """A read or a write, in one page, that the engine makes itself."""
    if s.recorder.on:
        note_look(s, part_runs(s, va, size, kind, supervisor))


@njit_inline
def note_look(s: State, run: int) -> None:
    """Remember where a reference was recorded, in case that its instruction is begun again."""
    r = s.recorder
    i = r.n_looks % RECORDED_LOOKS
    r.looks[i, 0], r.looks[i, 1] = s.host_pc, run
    r.n_looks += 1


@njit_inline
def record_look(s: State, va: int, size: int, part: int, kind: int, supervisor: int) -> bool:
    """Native: unicorn looks at an operand of ``size`` bytes, of which ``part`` are in the page that allows it; whether
    this was recorded."""
    if not is_first_look(s, s.recorder.look, va, size):
        return False
    note_look(s, part_runs(s, va, part, kind, supervisor))
    return True


# --- instructions that are begun again


@njit
def begin_again(s: State, pc: int) -> None:
    """The instruction at ``pc`` will be begun again, only because of how this engine works. Before blocks.unwind."""
    s.begun_again = s.recorder.again = pc


@njit
def retract_last(s: State) -> None:
    """Take back the latest look."""
    r = s.recorder
    r.n_looks -= 1
    add_to(s, r.looks[r.n_looks % RECORDED_LOOKS, 1], -1)


@njit
def retract_since(s: State, looks: int) -> None:
    """The same access is looked at once more: take back what there is beside the first ``looks`` looks."""
    r = s.recorder
    while r.n_looks > looks:
        retract_last(s)
        r.look.block = -1


@njit
def retract_looks(s: State, pc: int) -> None:
    """The instruction at ``pc`` (-1: the one that runs alone) is begun again: take back its looks, the latest ones."""
    r = s.recorder
    if r.on:
        kept = max(0, r.n_looks - RECORDED_LOOKS)
        while r.n_looks > kept:
            if pc >= 0:
                call_restore(s.fn[F_RESTORE], (s.cpu, r.looks[(r.n_looks - 1) % RECORDED_LOOKS, 0], 1))
                if load32(s.env + ENV_PC) != pc:
                    break
            retract_last(s)
    r.look.block = -1


# --- everything else


@njit
def record_time(s: State) -> None:
    """Say what time it is."""
    r = s.recorder
    if not r.on:
        return
    instructions, cycles = s.instructions - r.instructions, s.cycles - r.cycles
    r.instructions, r.cycles = s.instructions, s.cycles
    while cycles > MOST or instructions > MOST:
        put_event(s, STAMP, min(instructions, MOST), min(cycles, MOST))
        instructions -= min(instructions, MOST)
        cycles -= min(cycles, MOST)
    put_event(s, STAMP, instructions, cycles)


@njit
def record_refusal(s: State, va: int, kind: int, supervisor: int, missed: bool) -> None:
    """An access is refused; its exception comes next."""
    if s.recorder.on:
        put_event(s, kind | flags_of(s, supervisor) | (MISSED if missed else VIOLATED), va, 1)


@njit
def record_enter(s: State, pc: int, vector: int, fs: int, supervisor: int, frame: int) -> None:
    """An exception is being taken; :func:`record_time` has said when that began."""
    if s.recorder.on:
        put_event(s, ENTER, pc, vector | fs << 8 | supervisor << 16)
        put_event(s, FRAME, frame, 0)


@njit
def record_leave(s: State, frame: int, target: int) -> None:
    """RTE has read its frame."""
    if s.recorder.on:
        record_time(s)
        put_event(s, LEAVE, frame, target)


@njit
def record_store(s: State, offset: int, size: int, value: int, effect: int) -> None:
    """A store to the MMU's window has been done."""
    if not s.recorder.on:
        return
    put_event(s, WINDOW_WRITE, offset | size << 8, value & MOST)
    starts = offset == OFFSET_MMUOR + 4 - size  # the operations are in the lower half
    if starts and value & MMUOR_ACC and not value & MMUOR_RW and effect in (EFFECT_DTLB, EFFECT_ITLB):
        side = DTLB if effect == EFFECT_DTLB else ITLB
        index = s.mmu.changed_index
        put_event(s, LOADED, side << 8 | index, s.mmu.tag[side, index])


@njit
def record_control(s: State, number: int, value: int) -> None:
    """A control register of the MMU is written."""
    if s.recorder.on:
        if number == MOVEC_ASID:
            record_time(s)
        put_event(s, CONTROL_WRITE, number, value & MOST)


@njit
def record_phase(s: State, number: int) -> None:
    """A phase begins; -1: only say what time it is."""
    if s.recorder.on:
        record_time(s)
        if number >= 0:
            put_event(s, PHASE, number, 0)
