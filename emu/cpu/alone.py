"""Public engine: one instruction by itself, with every access of it shown to the MMU model first.

unicorn executes a copy of the instruction with ILLEGAL behind it, and its operands are copies too: they are fetched
from guest memory before it runs and what it wrote goes back afterwards. So unicorn needs no translation of the guest's,
pages may be of any size, and nothing behind the instruction can run, whatever it does to its own mapping. Devices are
reached in place.
"""

from emu.cpu.access_time import time_part
from emu.cpu.accesses import list_accesses
from emu.cpu.address_map import UC_ALONE, UC_BOUNCE
from emu.cpu.blocks import block_cost, charge_block, forget_block, instruction_length, is_known, opcode_flags, unwind
from emu.cpu.boundary import settle_branch
from emu.cpu.catch import catch_access
from emu.cpu.charges import CM_INHIBITED, charge_accesses, note_charge, retract_alone
from emu.cpu.data_time import is_full
from emu.cpu.exceptions import access_error
from emu.cpu.fetch import enter_code, fetch, fetch_rest
from emu.cpu.fetch_time import begin_fetch, end_fetch
from emu.cpu.hooks import serve, settle_flags
from emu.cpu.intercept import clears_n, intercepted_by_patch, runs_alone
from emu.cpu.memory import empty_softmmu, holds_code, make_room, part_end, place, touch_data
from emu.cpu.operand import word
from emu.cpu.processor import SR_N, get_pc, get_sr, in_supervisor, set_sr
from emu.cpu.raw import call_ctl, call_pointer2, load8, load16be, load64, store8, store16be, store64
from emu.cpu.recorder import record_access
from emu.cpu.run_loop import CTL_TB_FLUSH, enter_unicorn
from emu.cpu.shadow import OP_ILLEGAL, PAGE, follow
from emu.cpu.state import (
    ALONE_NO,
    ALONE_WAITING,
    EVENT_HALT,
    EVENT_NONE,
    EVENT_SERVE,
    EVENT_STEP,
    F_CONTEXT_RESTORE,
    F_CONTEXT_SAVE,
    F_CTL,
    SEEN,
    State,
)
from emu.cpu.translate import SMALL_PAGE_BITS
from emu.jit import njit
from emu.mmu.attributes import MISS, PERM_W, TLB, permits, resolve
from emu.mmu.registers import VECTOR_ILLEGAL
from emu.mmu.state import FETCH, READ, RMW, WRITE

__all__ = ["run_alone"]

SECOND_PAGE = PAGE // 2  # number of the page of code that holds what follows on the next one
DID_WRITE, DID_DEVICE = 1, 2  # what the allowed accesses do that another try would do again


# --- the model's view


@njit
def cover(s: State, va: int, where: int) -> int:
    """Number of the page that unicorn gets for the VA: one of the copies, or the device's at ``where`` if not 0."""
    page = va & 0xFFFFF000
    for i in range(s.n_covers):
        if s.covers[i, 0] == page:
            return i
    i = s.n_covers
    s.covers[i, 0] = page
    s.covers[i, 1] = where & 0xFFFFF000 if where else UC_BOUNCE + PAGE * i
    s.n_covers = i + 1
    return int(i)


@njit
def ask_part(s: State, at: int, end: int, kind: int, modifies: bool) -> int:
    """Show the model an operand from ``at`` to the end of its page, or to ``end``; where that is, or -1 if refused."""
    va = at & 0xFFFFFFFF
    source, entry, pa, perms, cm, bits = resolve(s.mmu, va, kind, in_supervisor(s))
    s.fault_va = va
    s.fault_kind = kind
    if source == MISS or not permits(perms, kind):
        return -1
    where, host, pages = place(s, source, pa)
    if where < 0:
        return -1
    if modifies and host and not perms & PERM_W:
        return -1  # refused at its read (sheet 1.11)
    if source == TLB:
        touch_data(s, entry)
    end = min(end, part_end(at, bits))
    record_access(s, va, end - at, kind, in_supervisor(s))
    if host == 0:
        cover(s, va, where)
        s.alone_effects |= DID_DEVICE
        return end
    if cm & CM_INHIBITED:
        s.inhibited_parts += 1
    if kind == WRITE:
        s.alone_effects |= DID_WRITE
    part = s.parts[s.n_parts]
    part.host, part.size, part.write = host, end - at, kind == WRITE
    part.copy = s.bounce_buffer + PAGE * cover(s, va, 0) + (va & PAGE - 1)
    part.pages, part.offset = pages, pa & PAGE - 1
    part.pa, part.source, part.mode = pa, source, cm
    s.n_parts += 1
    return end


@njit
def ask(s: State, va: int, size: int, kind: int, modifies: bool) -> bool:
    """Show the model one operand, each page of it on its own (sheet 3.5); False when a part is refused."""
    parts, effects = s.n_parts + 0, s.alone_effects + 0
    s.inhibited_parts = 0
    at = va
    while 0 <= at < va + size:
        at = ask_part(s, at, va + size, kind, modifies)
    # All parts are translated before one is accessed; but by the time that a second 4-KB page is looked at, the native
    # engine has charged the first.
    if at >= 0 or s.fault_va & PAGE - 1 == 0:
        if is_full(s):
            for i in range(parts, s.n_parts):
                part = s.parts[i]
                time_part(s, part.source, part.pa, part.size, kind, part.mode, s.cycles)
        elif s.inhibited_parts:
            charge_accesses(s, s.inhibited_parts, kind)
            note_charge(s, s.inhibited_parts, kind)
    if at < 0:
        s.n_parts, s.alone_effects = parts, effects
    else:
        catch_access(s, va, size, kind)
    return at >= 0


@njit
def ask_all(s: State) -> int:
    """Show the model the accesses of the list in their order; how many of them are allowed."""
    s.n_parts = 0
    s.n_covers = 0
    s.alone_effects = 0
    for i in range(s.n_accesses):
        va, size, kind = s.accesses[i, 0], s.accesses[i, 1], s.accesses[i, 2]
        if kind == RMW:
            allowed = ask(s, va, size, READ, True) and ask(s, va, size, WRITE, False)
        else:
            allowed = ask(s, va, size, kind, False)
        if not allowed:
            return i
    return int(s.n_accesses)


@njit
def cover_rest(s: State, first: int) -> None:
    """Give unicorn pages for the accesses from ``first`` on, which the model has refused: they lead nowhere."""
    for i in range(first, s.n_accesses):
        va, size = s.accesses[i, 0], s.accesses[i, 1]
        cover(s, va, 0)
        cover(s, va + size - 1 & 0xFFFFFFFF, 0)


# --- unicorn's view


@njit
def copy_parts(s: State, back: bool) -> None:
    """Copy operands to where unicorn finds them, or what it wrote ``back`` to memory."""
    for i in range(s.n_parts):
        part = s.parts[i]
        if back and part.write:
            for k in range(part.size):
                store8(part.host + k, load8(part.copy + k))
            if holds_code(part.pages, part.offset, part.size):
                s.in_code_write = 2
            follow(s, part.host, part.size)
        elif not back and not part.write:
            for k in range(part.size):
                store8(part.copy + k, load8(part.host + k))


@njit
def remember(s: State, pc: int, words: int) -> None:
    """Drop unicorn's translations if it may have one of other words at ``pc``.

    There is a page of code for each offset in a page, so a translation at ``pc`` from that page is of an instruction
    that ran alone there.
    """
    record = s.seen + 16 * (pc >> 1 & SEEN - 1)
    if load64(record) == pc + 1 and load64(record + 8) == words:
        return
    if load64(record):
        call_ctl(s.fn[F_CTL], (s.uc, CTL_TB_FLUSH))
    store64(record, pc + 1)
    store64(record + 8, words)


@njit
def place_code(s: State, pc: int, length: int) -> None:
    """Put the instruction at ``pc``, with ILLEGAL behind it, where unicorn fetches it from."""
    number = (pc & PAGE - 1) >> 1
    words = 0
    for k in range(0, length + 2, 2):
        value = OP_ILLEGAL
        if k < length:
            value = word(s, pc + k)
            words = words << 16 | value
        offset = (pc & PAGE - 1) + k
        page = number if offset < PAGE else SECOND_PAGE
        store16be(s.alone_code + PAGE * page + (offset & PAGE - 1), value)
    s.covers_code = UC_ALONE + PAGE * number
    remember(s, pc, words)


@njit
def execute(s: State, pc: int, length: int) -> None:
    """Let unicorn run the instruction; ``s.event`` says how that ended."""
    place_code(s, pc, length)
    copy_parts(s, False)
    make_room(s)
    s.alone = ALONE_WAITING
    s.single = 1
    enter_unicorn(s)
    s.alone = ALONE_NO
    s.single = 0
    empty_softmmu(s)
    if s.event == EVENT_NONE:
        s.event = EVENT_STEP


# --- both together


@njit
def context(s: State, function: int) -> None:
    """Save unicorn's registers, or restore them."""
    call_pointer2(s.fn[function], (s.uc, s.context))


@njit
def report(s: State, pc: int) -> None:
    """unicorn reported an exception: the ILLEGAL behind the instruction, or one of its own."""
    number = s.event_vector
    s.event = EVENT_STEP
    if number != VECTOR_ILLEGAL or get_pc(s) == pc:
        serve(s, number)


@njit
def refuse_access(s: State, pc: int) -> None:
    """The model has refused an access of the instruction at ``pc``."""
    unwind(s, pc)
    if s.fault_kind == WRITE:
        settle_flags(s, pc)
    s.event = EVENT_STEP
    access_error(s, s.fault_va, s.fault_kind, in_supervisor(s), pc)


@njit
def perform(s: State, pc: int, op: int, length: int) -> None:
    """Run the instruction at ``pc``, which has been charged."""
    taken = s.taken + 0
    list_accesses(s, pc, op)
    allowed = ask_all(s)
    complete = allowed == s.n_accesses
    if not complete:
        if s.alone_effects == 0:
            refuse_access(s, pc)
            return
        cover_rest(s, allowed)  # what it did before that access has happened (sheet 3.5)
    if not complete or s.alone_effects & DID_DEVICE:
        context(s, F_CONTEXT_SAVE)
    execute(s, pc, length)
    if s.event >= EVENT_HALT:  # a device wants to be asked again
        context(s, F_CONTEXT_RESTORE)
        retract_alone(s)
        unwind(s, pc)
        return
    copy_parts(s, True)
    if not complete:
        context(s, F_CONTEXT_RESTORE)
        refuse_access(s, pc)
    elif s.event == EVENT_SERVE:
        report(s, pc)
    if complete and s.taken == taken and clears_n(op):
        set_sr(s, get_sr(s) & ~SR_N)


@njit
def run_alone(s: State) -> None:
    """Run the instruction at PC: it retires, or its exception is taken, or ``s.event`` says what comes first."""
    pc = get_pc(s)
    s.event = EVENT_STEP
    host, bits = fetch(s, pc)
    if host == 0:
        access_error(s, pc, FETCH, in_supervisor(s), pc)
        return
    op = load16be(host)
    flags = opcode_flags(s, op)
    length = instruction_length(s, op)
    s.block_pc, s.block_size, s.block_host = pc, length, host
    s.code_small = 1 if bits == SMALL_PAGE_BITS else 0
    s.n_charged = s.recorder.n_looks = 0
    settle_branch(s, pc)
    known = is_known(s)
    count, cycles = block_cost(s)
    if not known:
        forget_block(s)  # stores to its bytes need not be noticed
    if is_full(s):
        enter_code(s, pc)
        begin_fetch(s)
        end_fetch(s, length)
    charge_block(s, count, cycles)
    if intercepted_by_patch(op, flags) and not runs_alone(op, flags):
        s.single = 1
        serve(s, VECTOR_ILLEGAL)
        s.single = 0
    elif fetch_rest(s, pc, op):
        perform(s, pc, op, length)
