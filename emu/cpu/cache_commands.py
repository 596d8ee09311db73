"""What software tells the caches: the commands of CACR, CPUSHL, INTOUCH (docs/timing-model.md, section 4)."""

from emu.cpu.state import State
from emu.jit import njit
from emu.mmu.registers import field_mask
from emu.timing import branches, caches
from emu.timing.caches import LINE

__all__ = ["cache_command", "control_caches"]

DDPI, IDPI, IEC, IHLCK = (field_mask("CACR", name) for name in ("DDPI", "IDPI", "IEC", "IHLCK"))
DCINVA, ICINVA, BCINVA = (field_mask("CACR", name) for name in ("DCINVA", "ICINVA", "BCINVA"))
LINE_MASK = ~(LINE - 1)
DATA_CACHE, INSTRUCTION_CACHE = 1, 2  # which caches a CPUSHL works on


@njit
def control_caches(s: State, value: int) -> None:
    """CACR was written: its commands, at the end of the MOVEC. What is known of blocks is looked at again."""
    t = s.time
    t.icache.changes += 1
    t.ishadow.changes += 1
    if value & DCINVA:
        caches.invalidate(t.dcache)
        caches.invalidate(t.dshadow)
    if value & ICINVA:
        caches.invalidate(t.icache)
        caches.invalidate(t.ishadow)
    if value & BCINVA:
        branches.forget_branches(t)


@njit
def cache_command(s: State, op: int, address: int) -> None:
    """CPUSHL (F468 dc, F4A8 ic, F4E8 bc) or INTOUCH (F428) with An = ``address``, at its end."""
    t = s.time
    which = op >> 6 & 3
    if which == 0:
        if s.mmu.cacr & IEC:
            s.cycles += caches.fetch_line(t, address & LINE_MASK, s.mmu.cacr & IHLCK != 0, s.cycles)
        return
    at, way = address >> 4 & 0x1FF, address & 3
    if which & DATA_CACHE:
        caches.push(t, t.dcache, at, way, s.mmu.cacr & DDPI != 0, s.cycles)
        if not t.in_handler:
            caches.push(t, t.dshadow, at, way, s.mmu.cacr & DDPI != 0, s.cycles)
    if which & INSTRUCTION_CACHE:
        caches.push(t, t.icache, at, way, s.mmu.cacr & IDPI != 0, s.cycles)
        if not t.in_handler:
            caches.push(t, t.ishadow, at, way, s.mmu.cacr & IDPI != 0, s.cycles)
