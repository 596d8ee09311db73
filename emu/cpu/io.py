"""Devices as unicorn's MMIO callbacks see them: the MMU register window and the peripherals behind MBAR.

Both engines share these functions; only leaving the machine in the middle of an access differs.
"""

from emu.cpu.blocks import measure, unwind
from emu.cpu.effects import apply_effect, code_still_mapped
from emu.cpu.processor import get_pc
from emu.cpu.raw import call_pointer, call_restore, load64, store8
from emu.cpu.state import (
    EVENT_CHARGE,
    EVENT_CONSOLE,
    EVENT_HYPERCALL,
    EVENT_RESET,
    EVENT_SWALLOW,
    F_LOOP_EXIT,
    F_RESTORE,
    F_STOP,
    MAILBOX_ARGS,
    MAX_OPERATIONS,
    State,
)
from emu.cpu.translate import retract_charges
from emu.jit import njit
from emu.mmu import window
from emu.mmu.state import WARN_OVERLAP

__all__ = ["mbar_read", "mbar_write", "window_read", "window_write"]

CPU_MEM_IO_PC = 0x8178  # CPUState.mem_io_pc of unicorn 2.1.4: the host PC of the running I/O access

# Peripheral offsets from MBAR (sheet 6.2 to 6.6); the mailbox is ours, in space that the MCF547x leaves unused.
GPT0_GMS, GPT0_GCIR = 0x800, 0x804
GPT_WATCHDOG, GPT_ENABLE, GPT_MODE = 0x8000, 0x1000, 0x7  # WDEN, CE, TMS (LNX m54xxgpt.h)
GPT_MODE_TIMER = 4
PSC0, PSC_STATUS, PSC_TRANSMIT = 0x8600, 0x04, 0x0C
PSC_END = 0x8A00
PSC_READY = 0x0C  # TXRDY | TXEMP: the transmitter is infinitely fast
MAILBOX = 0x30000
MAILBOX_CALL, MAILBOX_STATUS, MAILBOX_BEGIN, MAILBOX_END, MAILBOX_LIMIT = 0x40, 0x44, 0x48, 0x4C, 0x50


@njit
def stop_here(s: State, event: int) -> None:
    """Leave unicorn at the instruction that makes the current I/O access, as if it had not begun.

    The native engine does not come back from here; the public engine lets the instruction end and then undoes it.
    """
    s.event = event
    if s.native:
        call_restore(s.fn[F_RESTORE], (s.cpu, load64(s.cpu + CPU_MEM_IO_PC), 1))
        retract_charges(s, get_pc(s))
        call_restore(s.fn[F_RESTORE], (s.cpu, load64(s.cpu + CPU_MEM_IO_PC), 1))
        unwind(s, get_pc(s))
        call_pointer(s.fn[F_STOP], (s.uc,))
        call_pointer(s.fn[F_LOOP_EXIT], (s.cpu,))


@njit
def io_pc(s: State) -> int:
    """PC of the instruction that makes the current I/O access."""
    if not s.native:
        return int(s.block_pc)
    call_restore(s.fn[F_RESTORE], (s.cpu, load64(s.cpu + CPU_MEM_IO_PC), 1))
    return get_pc(s)


@njit
def cycles_now(s: State) -> int:
    """Virtual time at the current I/O access: the block was charged as a whole, its rest has not run yet."""
    offset = io_pc(s) - s.block_pc
    if 0 <= offset < s.block_size:
        _count, rest, _at = measure(s, offset, s.block_size, 1 << 62)
        return int(s.cycles - rest)
    return int(s.cycles)


@njit
def charge(s: State, cycles: int) -> bool:
    """Charge an I/O access; False when the limit lies inside the block (then the access is repeated single-stepped)."""
    if not s.single and s.cycles + cycles >= s.cycle_limit:  # what follows in the block may cost nothing (TRAP)
        stop_here(s, EVENT_CHARGE)
        return False
    s.cycles += cycles
    return True


@njit
def window_read(s: State, offset: int, size: int) -> int:
    """A read of the MMU register window."""
    if not charge(s, s.cost_mmu_register):
        return 0
    return window.read(s.mmu, offset, size)


@njit
def window_write(s: State, offset: int, size: int, value: int) -> None:
    """A write of the MMU register window, and its consequences for the softmmu and the running block."""
    if s.swallow:
        s.swallow = 0
        return
    if not charge(s, s.cost_mmu_register):
        return
    overlaps = s.mmu.warning_count[WARN_OVERLAP] + 0
    effect = window.write(s.mmu, offset, size, value)
    if effect:
        apply_effect(s, effect, overlaps)
        if s.native and not code_still_mapped(s):
            # The store has taken effect, the rest of the block must not run: finish this instruction alone, with its
            # store dropped, then fetch again (unicorn-notes 4, self-eviction).
            s.swallow = 1
            s.swallow_va = io_pc(s)
            s.swallow_host = s.block_host + (s.swallow_va - s.block_pc)
            stop_here(s, EVENT_SWALLOW)


@njit
def mbar_read(s: State, offset: int, size: int) -> int:
    """A read of the peripheral window."""
    if MAILBOX <= offset < MAILBOX + MAILBOX_LIMIT and offset - MAILBOX == MAILBOX_STATUS and s.call_pending == 1:
        stop_here(s, EVENT_HYPERCALL)
        return 0
    if not charge(s, s.cost_inhibited_read):
        return 0
    s.inhibited_reads += 1
    if offset >= MAILBOX and offset < MAILBOX + MAILBOX_LIMIT:
        at = offset - MAILBOX
        if at < 4 * MAILBOX_ARGS:
            return int(s.mailbox[at >> 2])
        if at == MAILBOX_STATUS:
            s.call_pending = 0
            return int(s.call_status)
        return 0
    if offset >= PSC0 and offset < PSC_END:
        return PSC_READY if offset & 0xFF == PSC_STATUS else 0
    if offset == GPT0_GMS:
        return int(s.gpt_mode)
    if offset == GPT0_GCIR:
        return int(s.gpt_count)
    note_unknown(s, offset)
    return 0


@njit
def note_unknown(s: State, offset: int) -> None:
    """An access to a register that nothing models: remembered, so that the guest is never lost quietly."""
    if s.unknown_io_count == 0:
        s.unknown_io = offset
    s.unknown_io_count += 1


@njit
def write_mailbox(s: State, at: int, value: int) -> None:
    """A write of the mailbox: arguments, the call, or a mark of the operation recorder."""
    if at < 4 * MAILBOX_ARGS:
        s.mailbox[at >> 2] = value
    elif at == MAILBOX_CALL:
        s.call_number = value
        s.call_pending = 1
    elif at == MAILBOX_BEGIN and value < MAX_OPERATIONS:
        s.operation_start[value] = cycles_now(s)
    elif at == MAILBOX_END and value < MAX_OPERATIONS:
        spent = cycles_now(s) - s.operation_start[value]
        s.operations[value, 0] += 1
        s.operations[value, 1] += spent
        if spent > s.operations[value, 2]:
            s.operations[value, 2] = spent


@njit
def mbar_write(s: State, offset: int, size: int, value: int) -> None:
    """A write of the peripheral window."""
    full = offset == PSC0 + PSC_TRANSMIT and s.console_count >= s.console_size
    if full:
        stop_here(s, EVENT_CONSOLE)
        return
    watchdog = GPT_WATCHDOG | GPT_ENABLE | GPT_MODE_TIMER
    if offset == GPT0_GMS and value & (GPT_WATCHDOG | GPT_ENABLE | GPT_MODE) == watchdog:
        stop_here(s, EVENT_RESET)
        return
    if not charge(s, s.cost_inhibited_write):
        return
    s.inhibited_writes += 1
    if offset >= MAILBOX and offset < MAILBOX + MAILBOX_LIMIT:
        write_mailbox(s, offset - MAILBOX, value)
    elif offset == PSC0 + PSC_TRANSMIT:
        for i in range(size):
            store8(s.console + s.console_count, value >> 8 * (size - 1 - i) & 0xFF)
            s.console_count += 1
    elif offset == GPT0_GMS:
        s.gpt_mode = value
    elif offset == GPT0_GCIR:
        s.gpt_count = value
    elif not (offset >= PSC0 and offset < PSC_END):
        note_unknown(s, offset)
