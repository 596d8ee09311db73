"""The native way into unicorn: its structures by address, found and checked at start-up, never guessed.

The x86-64 wheel of unicorn 2.1.4 exports its internal functions. The offsets below were measured on it
(``unicorn-notes.md`` 2). Every one of them is verified on the running library before it is used: marker values are
written through the API and must appear where the offsets say, and every cross-pointer must agree. If anything differs
the public engine serves instead.
"""

import ctypes as c
import os
import secrets
import struct
import time
from dataclasses import dataclass

from emu.cpu import library

__all__ = ["NativeLayout", "NotNative", "locate"]

UC_CPU, UC_TCG = 0x1B8, 0x300
CPU_ENV_PTR, CPU_OPAQUE, CPU_CAN_DO_IO, CPU_UC, CPU_CLASS, CPU_ENV = 0x128, 0x8170, 0x819C, 0x81A8, 0x81B0, 0x8770
CLASS_TLB_FILL = 0x48
# CPUM68KState.
ENV_PC, ENV_SR, ENV_CC_OP, ENV_CACR, ENV_OPCODES = 64, 68, 88, 0x178, 0x218
ENV_CURRENT_SP, ENV_SSP, ENV_USP = 72, 76, 80
QEMU_SSP, QEMU_USP = 0, 1  # values of env.current_sp
CC_OP_FLAGS = 1
# TCGContext, and TCGOp: the operations of the block that is translated are a list, whose end is the place of the next
# operation's address.
TCG_LAST_OP, TCG_UC = 0x7390, 0x8970
OP_LINK, OP_ARGUMENT = 8, 0x20
FAST_BYTES = 16  # CPUTLBDescFast: mask, table
# CPUTLBDesc[2] ends where CPUTLBDescFast[2] begins. Its first fields: large page (none: all ones), start of the window
# of time in which use is measured, most entries used in it, entries used now.
DESC_BYTES, DESC_WINDOW, DESC_USED = 688, 8, 24
HOUR = 3600 * 10**9
OP_ILLEGAL = 0x4AFC


class NotNative(Exception):
    """Why the native engine cannot be used with this unicorn."""


@dataclass(frozen=True)
class NativeLayout:
    """Addresses inside one unicorn instance."""

    cpu: int
    env: int
    fast: int
    used: int
    tlb_fill_slot: int
    opcode_table: int
    tcg: int
    tcg_constant: int


class Reader:
    """Reads of this process's memory that fail instead of crashing when an address is wrong."""

    def __init__(self) -> None:
        self._memory = os.open("/proc/self/mem", os.O_RDONLY)

    def close(self) -> None:
        os.close(self._memory)

    def bytes(self, address: int, size: int) -> bytes:
        try:
            data = os.pread(self._memory, size, address)
        except (OSError, OverflowError) as error:
            raise NotNative(f"address {address:#x} is not readable") from error
        if len(data) != size:
            raise NotNative(f"address {address:#x} is not readable")
        return data

    def pointer(self, address: int) -> int:
        value: int = struct.unpack("<Q", self.bytes(address, 8))[0]
        return value

    def word(self, address: int) -> int:
        value: int = struct.unpack("<I", self.bytes(address, 4))[0]
        return value


def require(condition: bool, what: str) -> None:
    """Fail the self-check with the fact that did not hold."""
    if not condition:
        raise NotNative(what)


def find_fast_table(read: Reader, env: int) -> int:
    """Address of CPUTLBDescFast[2], which ends just below env: two masks of (entries - 1) << 6 beside two tables."""
    for offset in range(2 * FAST_BYTES, 0x100, 8):
        address = env - offset
        masks = [read.pointer(address + i * FAST_BYTES) for i in range(2)]
        tables = [read.pointer(address + i * FAST_BYTES + 8) for i in range(2)]
        if all(m and m & 0x3F == 0 and (m >> 6) & ((m >> 6) + 1) == 0 and m < 1 << 24 for m in masks):
            require(all(len(read.bytes(t, 64)) == 64 for t in tables), "softmmu tables are not where expected")
            return address
    raise NotNative("the softmmu tables were not found below env")


def find_use_counts(read: Reader, fast: int) -> int:
    """Address of n_used_entries of the first softmmu table; the other one is DESC_BYTES behind it."""
    for description in (fast - 2 * DESC_BYTES, fast - DESC_BYTES):
        require(read.pointer(description) == 2**64 - 1, "CPUTLBDesc is not below the softmmu tables")
        age = time.time_ns() - read.pointer(description + DESC_WINDOW)
        require(abs(age) < HOUR, "the softmmu does not measure its use since now")
        require(read.pointer(description + DESC_USED) < 1 << 18, "the use of the softmmu is not counted where expected")
    return fast - 2 * DESC_BYTES + DESC_USED


def find_constant(read: Reader, uc: int) -> tuple[int, int]:
    """(TCGContext, number of the operation that loads a constant), by having one made."""
    tcg = read.pointer(uc + UC_TCG)
    require(read.pointer(tcg + TCG_UC) == uc, "TCGContext.uc does not point back")
    marker = secrets.randbits(31)
    library.make_constant(tcg, marker)
    operation = read.pointer(tcg + TCG_LAST_OP) - OP_LINK
    require(read.pointer(operation + OP_ARGUMENT) == marker, "the operations of a block are not where expected")
    return tcg, read.bytes(operation, 1)[0]


def locate(uc: int) -> NativeLayout:
    """Verify the layout of the unicorn instance at ``uc``; raises :class:`NotNative` with the fact that failed."""
    for name in library.INTERNAL_FUNCTIONS:
        require(library.has(name), f"libunicorn does not export {name}")
    require(library.version()[:2] == (2, 1), f"unicorn {library.version()} is not 2.1")
    try:
        read = Reader()
    except OSError as error:
        raise NotNative("/proc/self/mem cannot be read") from error
    try:
        return _verify(uc, read)
    finally:
        read.close()


def _verify(uc: int, read: Reader) -> NativeLayout:
    cpu = read.pointer(uc + UC_CPU)
    env = read.pointer(cpu + CPU_ENV_PTR)
    require(env == cpu + CPU_ENV, "env is not where CPUState points")
    require(read.pointer(cpu + CPU_UC) == uc, "CPUState.uc does not point back")
    class_ = read.pointer(cpu + CPU_CLASS)
    fill = library.address("unicorn_fill_tlb_m68k")
    require(read.pointer(class_ + CLASS_TLB_FILL) == fill, "CPUClass.tlb_fill is not unicorn_fill_tlb_m68k")
    require(read.word(cpu + CPU_CAN_DO_IO) in (0, 1), "CPUState.can_do_io is neither 0 nor 1")
    require(read.pointer(cpu + CPU_OPAQUE) == 0, "CPUState.opaque is in use")

    markers = [secrets.randbits(32) for _ in range(17)]
    ids = [*range(library.REG_D0, library.REG_D0 + 8), *range(library.REG_A0, library.REG_A0 + 8), library.REG_PC]
    saved = [library.reg_read(uc, i) for i in ids]
    try:
        for register, marker in zip(ids, markers, strict=True):
            library.reg_write(uc, register, marker)
        require(read.bytes(env, 64) == struct.pack("<16I", *markers[:16]), "D0-A7 are not at the start of env")
        require(read.word(env + ENV_PC) == markers[16], "PC is not in env where expected")
    finally:  # the public engine goes on with this instance
        for register, value in zip(ids, saved, strict=True):
            library.reg_write(uc, register, value)

    get_sr = c.CFUNCTYPE(c.c_uint32, c.c_void_p)(library.address("cpu_m68k_get_sr_m68k"))
    for sr in (0x2715, 0x000A, 0x2700):
        library.reg_write(uc, library.REG_SR, sr)
        require(get_sr(env) & 0xFFFF == sr, "SR read back differs from SR written")
        require(read.word(env + ENV_SR) & 0xFF00 == sr & 0xFF00, "the system byte of SR is not in env where expected")
    require(read.word(env + ENV_CACR) == 0, "CACR is not 0 after reset")

    table = env + ENV_OPCODES
    slot = [read.pointer(table + 8 * op) for op in (OP_ILLEGAL, 0x4E73, 0x4E40, 0x4E4F, 0x7000, 0x7E55, 0x4E7B, 0x4E75)]
    require(slot[2] == slot[3] and slot[4] == slot[5], "the opcode table is not where expected")
    require(len({slot[0], slot[1], slot[2], slot[4], slot[6], slot[7]}) == 6, "the opcode table is not as expected")
    fast = find_fast_table(read, env)
    used = find_use_counts(read, fast)
    return NativeLayout(cpu, env, fast, used, class_ + CLASS_TLB_FILL, table, *find_constant(read, uc))
