"""Results of intercepted instructions: written through the MMU model, all of them or nothing."""

from emu.cpu.catch import catch_access
from emu.cpu.device_operand import write_device
from emu.cpu.memory import holds_code, part_end, place, touch_data
from emu.cpu.operand import note_part, time_parts
from emu.cpu.processor import in_supervisor
from emu.cpu.raw import store8
from emu.cpu.recorder import record_access
from emu.cpu.shadow import follow
from emu.cpu.state import State
from emu.jit import njit
from emu.mmu.attributes import MISS, TLB, permits, resolve
from emu.mmu.state import WRITE

__all__ = ["write_bytes"]


@njit
def write_bytes(s: State, va: int, size: int, value: int) -> tuple[bool, int]:
    """Big-endian store of ``size`` bytes in the present mode: (True, 0), or (False, faulting VA) and nothing stored."""
    supervisor = in_supervisor(s)
    for i in range(size):
        at = (va + i) & 0xFFFFFFFF
        source, entry, pa, perms, _cm, _bits = resolve(s.mmu, at, WRITE, supervisor)
        if source == MISS or not permits(perms, WRITE):
            return False, at
        where, host, _pages = place(s, source, pa)
        if host == 0:
            if i == 0 and where >= 0:
                if source == TLB:
                    touch_data(s, entry)
                done = write_device(s, where, size, value)
                if done:
                    record_access(s, va, size, WRITE, supervisor)
                catch_access(s, va, size, WRITE)
                return done, at
            return False, at
    s.n_timed = 0
    next_part = va
    for i in range(size):
        at = (va + i) & 0xFFFFFFFF
        source, entry, pa, _perms, cm, bits = resolve(s.mmu, at, WRITE, supervisor)
        _where, host, pages = place(s, source, pa)
        if va + i == next_part:
            if source == TLB:
                touch_data(s, entry)
            end = part_end(next_part, bits)
            note_part(s, source, pa, min(end, va + size) - next_part, cm)
            record_access(s, at, min(end, va + size) - next_part, WRITE, supervisor)
            next_part = end
        if pages and holds_code(pages, pa & 0xFFF, 1):
            s.in_code_write = 2
        store8(host, value >> 8 * (size - 1 - i) & 0xFF)
        if not s.native:
            follow(s, host, 1)
    time_parts(s, WRITE)
    catch_access(s, va, size, WRITE)
    return True, 0
