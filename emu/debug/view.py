"""A look at a guest that changes nothing: no TLB entry, no recency, no cache, no counter, no device.

Addresses are virtual, translated as the MMU would at this moment: as a supervisor's data access or, where that has no
translation, as a fetch in the present mode. Where neither has one, an address inside the loaded program is read from
where the file was loaded: so a debugger can show code before the guest has mapped it, or while its entry is evicted.
"""

import ctypes as c
from dataclasses import dataclass

from emu.errors import UsageError
from emu.machine import Machine
from emu.mmu import attributes
from emu.mmu.state import DTLB, FETCH, ITLB, READ

__all__ = ["Translation", "View"]

SMALLEST_PAGE = 1024
SOURCES = {
    attributes.PHYSICAL: "physical: the MMU is off",
    attributes.WINDOW: "the MMU's registers (MMUBAR)",
    attributes.RAMBAR0: "core SRAM (RAMBAR0)",
    attributes.RAMBAR1: "core SRAM (RAMBAR1)",
    attributes.ACR: "an ACR",
}
CACHE_MODES = ("write-through", "copyback", "inhibited, precise", "inhibited, imprecise")


@dataclass(frozen=True)
class Translation:
    """Who answers for an access. ``source``: in words; ``entry``: TLB address, if it is a TLB entry; ``permissions``:
    of R, W and X those that there are, for the mode asked for; ``page``: its size in bytes."""

    va: int
    pa: int
    source: str
    entry: int | None
    permissions: str
    cache_mode: str
    page: int


class View:
    """The memory of ``machine`` as it is now."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def translate(self, va: int, kind: int = READ, *, supervisor: bool = True) -> Translation | None:
        """Who would answer for an access of this kind (READ, WRITE, FETCH); None for a TLB miss."""
        source, entry, pa, perms, mode, bits = self._machine.core.resolve(va & 0xFFFFFFFF, kind, supervisor)
        if source == attributes.MISS:
            return None
        letters = ((attributes.PERM_R, "R"), (attributes.PERM_W, "W"), (attributes.PERM_X, "X"))
        permissions = "".join(letter for bit, letter in letters if perms & bit)
        name, number = SOURCES.get(source, ""), None
        if source == attributes.TLB:
            side = ITLB if kind == FETCH else DTLB
            base = int(self._machine.core.state["mmu"]["dtlb_base"]) if side == DTLB else 0
            number = base + entry
            name = f"{'ITLB' if side == ITLB else 'DTLB'} entry {number}"
        return Translation(va, pa, name, number, permissions, CACHE_MODES[mode], 1 << bits)

    def read(self, va: int, size: int) -> bytes:
        """Bytes at ``va``; as many as can be reached. Addresses wrap around at 4 GB."""
        return self._gather(va, size, (READ, FETCH))

    def code(self, va: int, size: int) -> bytes:
        """The same, as instructions: fetches come first."""
        return self._gather(va, size, (FETCH, READ))

    def check_writable(self, va: int, size: int) -> None:
        """UsageError if not all of it is memory that is translated now."""
        for at, _length in _pieces(va, size):
            if self._host(at, (READ, FETCH)) == 0:
                raise UsageError(f"{at:#010x} is not translated to memory now")

    def write(self, va: int, data: bytes) -> None:
        """Change memory, write-protected or not. UsageError, with nothing changed, where there is none."""
        self.check_writable(va, len(data))
        done = 0
        for at, length in _pieces(va, len(data)):
            c.memmove(self._host(at, (READ, FETCH)), data[done : done + length], length)
            done += length
        self._machine.core.state["in_code_write"] = 2  # translated code may be stale

    def _gather(self, va: int, size: int, kinds: tuple[int, ...]) -> bytes:
        found = bytearray()
        for at, length in _pieces(va, size):
            host = self._host(at, kinds)
            part = c.string_at(host, length) if host else self._in_file(at, length)
            found += part
            if len(part) < length:
                break
        return bytes(found)

    def _host(self, va: int, kinds: tuple[int, ...]) -> int:
        """Where the byte at ``va`` is in this process; 0 if it is not memory."""
        return next(filter(None, (self._machine.core.host_address(va, kind) for kind in kinds)), 0)

    def _in_file(self, va: int, size: int) -> bytes:
        """Bytes of the loaded program, where nothing is translated at all."""
        if any(self.translate(va, kind) is not None for kind in (READ, FETCH)) or self._machine.elf is None:
            return b""
        pa = self._machine.elf.physical(va)
        return b"" if pa is None else self._machine.read_physical(pa, size)


def _pieces(va: int, size: int) -> list[tuple[int, int]]:
    """(Address, bytes) of the parts of a range, none of which crosses into another page of any size."""
    pieces = []
    while size > 0:
        va &= 0xFFFFFFFF
        length = min(size, SMALLEST_PAGE - va % SMALLEST_PAGE)
        pieces.append((va, length))
        va += length
        size -= length
    return pieces
