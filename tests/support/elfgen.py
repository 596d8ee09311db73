"""ELF files and ColdFire machine code made from bytes, so that tests of bad and good input need no cross compiler.

Encodings: ColdFire Family Programmer's Reference Manual (CFPRM), chapter 4; ELF: System V ABI, chapters 4 and 5.
"""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

EM_68K = 4
EM_386 = 3

# instructions without operands
NOP = bytes.fromhex("4e71")
HALT = bytes.fromhex("4ac8")
RTE = bytes.fromhex("4e73")
LOOP_FOREVER = bytes.fromhex("60fe")  # bra .
SEMIHOSTING = NOP + HALT + bytes.fromhex("4e7bf000")  # QEMU's m68k semihosting call: D0 = number, D1 = argument
HOSTED_EXIT, HOSTED_WRITE = 0, 5


def move_l(value: int, d: int) -> bytes:
    """move.l #value,Dd"""
    return struct.pack(">HI", 0x203C | d << 9, value & 0xFFFFFFFF)


def movea_l(value: int, a: int) -> bytes:
    """movea.l #value,Aa"""
    return struct.pack(">HI", 0x207C | a << 9, value & 0xFFFFFFFF)


def store_l(value: int, a: int) -> bytes:
    """move.l #value,(Aa)"""
    return struct.pack(">HI", 0x20BC | a << 9, value & 0xFFFFFFFF)


def store_b(value: int, a: int) -> bytes:
    """move.b #value,(Aa)"""
    return struct.pack(">HH", 0x10BC | a << 9, value & 0xFF)


def load_l(a: int, d: int) -> bytes:
    """move.l (Aa),Dd"""
    return struct.pack(">H", 0x2010 | d << 9 | a)


def add_l(value: int, d: int) -> bytes:
    """addi.l #value,Dd"""
    return struct.pack(">HI", 0x0680 | d, value & 0xFFFFFFFF)


def subq_l(value: int, d: int) -> bytes:
    """subq.l #value,Dd (1..8)"""
    return struct.pack(">H", 0x5180 | (value & 7) << 9 | d)


def bne(displacement: int) -> bytes:
    """bne.b, relative to the end of its own two bytes"""
    return struct.pack(">Bb", 0x66, displacement)


def jmp(address: int) -> bytes:
    """jmp address.l"""
    return struct.pack(">HI", 0x4EF9, address)


def trap(number: int) -> bytes:
    return struct.pack(">H", 0x4E40 | number)


def movec(d: int, number: int) -> bytes:
    """movec Dd,Rc"""
    return struct.pack(">HH", 0x4E7B, d << 12 | number)


def semihosting_exit(status: int) -> bytes:
    return move_l(HOSTED_EXIT, 0) + move_l(status, 1) + SEMIHOSTING


def semihosting_write(block: int) -> bytes:
    """Write what the three longs at ``block`` describe: file number, address, length."""
    return move_l(HOSTED_WRITE, 0) + move_l(block, 1) + SEMIHOSTING


@dataclass(frozen=True)
class Segment:
    address: int  # virtual = physical
    data: bytes
    memory_size: int | None = None  # default: len(data)


def make_elf(
    segments: Sequence[Segment],
    *,
    entry: int | None = None,
    symbols: Mapping[str, int] | None = None,
    machine: int = EM_68K,
    big_endian: bool = True,
) -> bytes:
    """An executable ELF32 file, entered at ``entry`` or else at its first segment; ``symbols``: functions by name."""
    order = ">" if big_endian else "<"
    first = segments[0].address if segments else 0
    program_offset = 52
    data_offset = program_offset + 32 * len(segments)
    programs, body = b"", b""
    for segment in segments:
        size = len(segment.data) if segment.memory_size is None else segment.memory_size
        programs += struct.pack(
            order + "8I", 1, data_offset + len(body), segment.address, segment.address, len(segment.data), size, 7, 4
        )
        body += segment.data + bytes(-len(segment.data) % 4)
    sections, tables, count = _symbol_sections(symbols or {}, first, data_offset + len(body), order)
    header = b"\x7fELF" + bytes([1, 2 if big_endian else 1, 1]) + bytes(9)
    header += struct.pack(
        order + "HHIIIIIHHHHHH",
        2,  # ET_EXEC
        machine,
        1,
        first if entry is None else entry,
        program_offset,
        data_offset + len(body) + len(tables),
        0,
        52,
        32,
        len(segments),
        40,
        count,
        count - 1,
    )
    return header + programs + body + tables + sections


def _symbol_sections(symbols: Mapping[str, int], text: int, offset: int, order: str) -> tuple[bytes, bytes, int]:
    """(section headers, the tables they describe, number of headers): null, .text, .symtab, .strtab, .shstrtab."""
    names = b"\0.text\0.symtab\0.strtab\0.shstrtab\0"
    strings, table = b"\0", bytes(16)
    for name, address in symbols.items():
        table += struct.pack(order + "IIIBBH", len(strings), address, 0, 0x12, 0, 1)  # global function in section 1
        strings += name.encode() + b"\0"
    tables = table + strings + names
    tables += bytes(-len(tables) % 4)

    def section(name: bytes, kind: int, start: int, size: int, link: int = 0, info: int = 0, entsize: int = 0) -> bytes:
        flags, address = (6, text) if kind == 1 else (0, 0)
        return struct.pack(
            order + "10I", names.index(name + b"\0"), kind, flags, address, start, size, link, info, 4, entsize
        )

    headers = bytes(40)
    headers += section(b".text", 1, offset, 0)
    headers += section(b".symtab", 2, offset, len(table), link=3, info=1, entsize=16)
    headers += section(b".strtab", 3, offset + len(table), len(strings))
    headers += section(b".shstrtab", 3, offset + len(table) + len(strings), len(names))
    return headers, tables, 5
