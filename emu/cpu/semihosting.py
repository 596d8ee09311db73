"""QEMU's m68k semihosting: NOP, HALT and a magic longword, with the call in D0 and its arguments at D1.

Numbers and conventions of QEMU ``target/m68k/m68k-semi.c`` and libgloss ``m68k/io-*.c``. Only what a bare program
needs for output, input and its exit status is served; every other call answers -1 with ENOSYS, as if it were absent.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from emu.machine import Machine

__all__ = ["Semihosting"]

EXIT, READ, WRITE = 0, 4, 5
MAGIC = 0x4E7BF000
NOP = 0x4E71
ENOSYS, EBADF = 88, 9
SR_S = 0x2000


class Semihosting:
    """Serves the calls of one machine."""

    def __init__(self, machine: "Machine") -> None:
        self._machine = machine

    def _word(self, va: int, size: int) -> int | None:
        data = self._machine.core.code_at(va, size)
        return int.from_bytes(data, "big") if len(data) == size else None

    def requested(self, pc: int) -> bool:
        """Whether the HALT before ``pc`` is a semihosting call."""
        in_supervisor = self._machine.registers["sr"] & SR_S
        return bool(in_supervisor) and self._word(pc - 4, 2) == NOP and self._word(pc, 4) == MAGIC

    def serve(self, pc: int) -> int | None:
        """Do the call; the exit status if it was exit, else None. D0 and the argument block get the answer."""
        m = self._machine
        m.registers["pc"] = pc + 4
        number, block = m.registers["d0"], m.registers["d1"]
        if number == EXIT:
            return block & 0xFF
        result, errno = -1, ENOSYS
        if number in (READ, WRITE):
            fd, address, length = (int.from_bytes(m.core.peek(block + 4 * i, 4), "big") for i in range(3))
            result, errno = (self._write if number == WRITE else self._read)(fd, address, length)
        m.core.poke(block, (result & 0xFFFFFFFF).to_bytes(4, "big") + errno.to_bytes(4, "big"))
        return None

    def _write(self, fd: int, address: int, length: int) -> tuple[int, int]:
        if fd not in (1, 2):
            return -1, EBADF
        self._machine.transmit(self._machine.core.peek(address, length))
        return length, 0

    def _read(self, fd: int, address: int, length: int) -> tuple[int, int]:
        if fd != 0:
            return -1, EBADF
        data = self._machine.read_line(length)
        self._machine.core.poke(address, data)
        return len(data), 0
