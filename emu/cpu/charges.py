"""Charges beside the blocks' own: accesses to inhibited memory, devices and MMU registers, and waits for memory.

They are noted for the instruction that makes them, because one that is begun again only for how this engine works gives
them back.
"""

from emu.cpu.native import ENV_PC
from emu.cpu.raw import call_restore, load32
from emu.cpu.recorder import retract_looks
from emu.cpu.state import BUFFER_STATE, CHARGE_COLUMNS, F_RESTORE, MAX_CHARGES, State
from emu.jit import njit
from emu.mmu.state import WRITE
from emu.timing.caches import account
from emu.timing.state import STORE_BUFFER_ENTRIES

__all__ = [
    "CM_INHIBITED",
    "MMU_REGISTER",
    "charge_accesses",
    "charge_inhibited",
    "cost_of",
    "count_inhibited",
    "keep_buffer",
    "note_charge",
    "note_wait",
    "retract_alone",
    "retract_charges",
]

SMALL_PAGE_BITS = 10
CM_INHIBITED = 2
MMU_REGISTER = 4  # kinds of access, beside READ, WRITE, FETCH and RMW
MEMORY_WAIT = 5  # a wait for memory that another try would have again: how long is in the fourth column
PAGE = 4096


@njit
def continues_operand(s: State, va: int, size: int) -> bool:
    """Whether this look belongs to the operand looked at before.

    unicorn looks at an operand that crosses into the page ``operand_cross`` more than once: whole, then (load) at the
    two aligned halves or (store) at the second page and byte by byte. A host PC runs once in a block.
    """
    if s.operand_host_pc != s.host_pc or s.operand_block != s.instructions:
        return False
    return size == 1 or va == s.operand_cross or va + size == s.operand_cross


@njit
def count_inhibited(s: State, va: int, size: int, parts: int) -> int:
    """Bus accesses that this look at an operand stands for: one for each of its ``parts`` on an inhibited page."""
    if not continues_operand(s, va, size):
        s.operand_host_pc, s.operand_block = s.host_pc, s.instructions
        s.operand_cross = (va | (PAGE - 1)) + 1 if (va & (PAGE - 1)) + size > PAGE else -1
        s.operand_counted[0] = s.operand_counted[1] = -1
    granule = va >> SMALL_PAGE_BITS
    accesses = 0
    for part in range(2):
        known = s.operand_counted[0] == granule + part or s.operand_counted[1] == granule + part
        if parts >> part & 1 and not known:
            s.operand_counted[0], s.operand_counted[1] = s.operand_counted[1], granule + part
            accesses += 1
    return accesses


@njit
def charge_inhibited(s: State, accesses: int, kind: int) -> bool:
    """Charge accesses to inhibited memory or devices; False when the charge would run past a limit inside a block.

    Then nothing was charged: the engine must single-step up to here, because the limit takes effect at the first
    instruction boundary behind it and not at the end of the block.
    """
    if not s.single and s.cycles + accesses * cost_of(s, kind) >= s.cycle_limit:  # what follows may cost nothing (TRAP)
        s.operand_block = -1
        return False
    charge_accesses(s, accesses, kind)
    note_charge(s, accesses, kind)
    return True


@njit
def note_charge(s: State, accesses: int, kind: int) -> None:
    """Remember a charge, in case the instruction is begun again."""
    if s.charged_block != s.instructions:
        s.charged_block = s.instructions
        s.n_charged = 0
    if s.n_charged == MAX_CHARGES:  # the older half belongs to instructions that are over
        s.n_charged = MAX_CHARGES // 2
        for i in range(MAX_CHARGES // 2):
            for k in range(CHARGE_COLUMNS):
                s.charged[i, k] = s.charged[i + MAX_CHARGES // 2, k]
    i = s.n_charged
    s.charged[i, 0], s.charged[i, 1], s.charged[i, 2] = s.host_pc, accesses, kind
    s.n_charged = i + 1


@njit
def note_wait(s: State, before: int) -> None:
    """Remember an access that began at cycle ``before``, with the bus as :func:`keep_buffer` kept it."""
    note_charge(s, 1, MEMORY_WAIT)
    i = s.n_charged - 1
    s.charged[i, 3] = s.cycles - before
    for k in range(BUFFER_STATE):
        s.charged[i, 4 + k] = s.buffer_before[k]


@njit
def keep_buffer(s: State) -> None:
    """Note the state of the bus and the store buffer in front of an access."""
    s.buffer_before[0] = s.time.bus_free
    for k in range(STORE_BUFFER_ENTRIES):
        s.buffer_before[1 + k] = s.time.stores[k]


@njit
def retract(s: State, i: int) -> None:
    """Take one charge back. The first one of an instruction comes last, and with it the buffer is as it was."""
    if s.charged[i, 2] != MEMORY_WAIT:
        charge_accesses(s, -s.charged[i, 1], s.charged[i, 2])
        return
    s.cycles -= s.charged[i, 3]
    account(s.time, -s.charged[i, 3], False)
    s.time.bus_free = s.charged[i, 4]
    for k in range(STORE_BUFFER_ENTRIES):
        s.time.stores[k] = s.charged[i, 5 + k]


@njit
def cost_of(s: State, kind: int) -> int:
    """Cycles of one access on top of its instruction's."""
    if kind == MMU_REGISTER:
        return int(s.time.costs.mmu_register_access)
    return int(s.time.costs.inhibited_write if kind == WRITE else s.time.costs.inhibited_read)


@njit
def charge_accesses(s: State, accesses: int, kind: int) -> None:
    """Charge accesses to inhibited memory or the MMU's registers; a negative number takes them back."""
    s.cycles += accesses * cost_of(s, kind)
    if kind == WRITE:
        s.inhibited_writes += accesses
    elif kind != MMU_REGISTER:
        s.inhibited_reads += accesses


@njit
def retract_charges(s: State, pc: int) -> None:
    """Native: the instruction at ``pc``, in the block that runs, is begun again: take back what it was charged."""
    if s.single:
        retract_alone(s)
        return
    retract_looks(s, pc)
    if s.charged_block == s.instructions:
        for i in range(s.n_charged - 1, -1, -1):
            call_restore(s.fn[F_RESTORE], (s.cpu, s.charged[i, 0], 1))
            if load32(s.env + ENV_PC) == pc:
                retract(s, i)
    s.n_charged = 0
    s.operand_block = -1


@njit
def retract_alone(s: State) -> None:
    """The instruction that runs alone is begun again: take back what it was charged."""
    retract_looks(s, -1)
    if s.charged_block == s.instructions:
        for i in range(s.n_charged - 1, -1, -1):
            retract(s, i)
    s.n_charged = 0
    s.operand_block = -1
