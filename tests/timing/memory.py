"""Micro-benchmarks of docs/timing-model.md, section 4: caches, store buffer and bus.

A miss is 24 for the core, and the bus is busy for 6 more; a push takes the bus for 30, a store for 5.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from tests.support import asm
from tests.support.asm import (
    A0,
    A2,
    A3,
    A7,
    D1,
    D2,
    D3,
    NOP,
    RTE,
    TPF,
    Ea,
    a,
    at,
    d,
    disp,
    imm,
    ind,
    words,
)
from tests.timing.program import (
    BEC,
    COPYBACK,
    DATA,
    DCINVA,
    DDPI,
    DEC,
    DESB,
    DHLCK,
    DNFB,
    FRAME,
    HANDLER,
    ICINVA,
    IEC,
    INHIBITED,
    NO_BUFFER,
    ON,
    SET,
    START,
    THROUGH,
    Micro,
)

COLD_DATA = asm.set_control(asm.CACR, ON | DCINVA)
PUSH_DC, PUSH_IC, PUSH_BC = 0xF468, 0xF4A8, 0xF4E8


def read(offset: int = 0, n: int = D2) -> bytes:
    """MOVE.L (offset,A0),Dn"""
    return asm.move("l", disp(A0, offset), d(n))


def write(offset: int = 0, n: int = D2) -> bytes:
    """MOVE.L Dn,(offset,A0)"""
    return asm.move("l", d(n), disp(A0, offset))


def in_set(ways: int, operation: Callable[[Ea], bytes]) -> bytes:
    """``operation`` on the line of A0 and on those of the same set, ``ways`` in all."""
    return b"".join(operation(at(DATA + SET * way)) for way in range(ways))


def load(ea: Ea) -> bytes:
    return asm.move("l", ea, d(D2))


def store(ea: Ea) -> bytes:
    return asm.move("l", d(D2), ea)


def line(way: int) -> Ea:
    """A longword of the line number ``way`` in the set of A0."""
    return at(DATA + SET * way)


def memory(
    name: str,
    parts: tuple[bytes, ...],
    flat: int,
    pipeline: int,
    full: int,
    *,
    setup: bytes = COLD_DATA,
    cacr: int = ON,
) -> Micro:
    """Instruction cache warm, data cache empty."""
    return Micro(name, "model 4", parts, flat, pipeline, full, setup=setup, cacr=cacr)


def data_cache() -> Iterator[Micro]:
    """Misses, victims, replacement."""
    yield memory("read miss", (read(),), 1, 1, 25)
    yield memory("read miss, hit in the line", (read(), read(4)), 2, 2, 26)
    yield memory("read miss, another while the bus is busy", (read(), read(16)), 2, 2, 55)
    yield memory("read miss, 4 others, another", (read(), *(TPF,) * 4, read(16)), 6, 6, 55)
    yield memory("read miss, 5 others, another", (read(), *(TPF,) * 5, read(16)), 7, 7, 55)
    yield memory("read miss, 6 others, another", (read(), *(TPF,) * 6, read(16)), 8, 8, 56)
    yield memory("read miss of a byte", (asm.move("b", ind(A0), d(D2)),), 1, 1, 25)
    yield memory("read over two lines", (read(14),), 1, 1, 55)
    yield memory("read over two longwords of a line", (read(2),), 1, 1, 25)
    yield memory("TST miss", (asm.tst("l", ind(A0)),), 1, 1, 25)
    yield memory("MOVEM of two lines", (asm.movem_load(ind(A0), range(8)),), 8, 8, 62)
    yield memory("MOVEM store of two lines", (asm.movem_store(range(8), ind(A0)),), 8, 8, 62)
    yield memory("MOVE memory to memory, two misses", (asm.move("l", ind(A0), ind(A3)),), 2, 2, 56)
    yield memory("copyback write miss", (write(),), 1, 1, 25)
    yield memory("copyback write miss, read hit", (write(), read(8)), 2, 2, 26)
    yield memory("copyback write hit", (read(), write()), 2, 2, 26)
    yield memory("copyback operand to modify", (asm.addq(1, ind(A0)),), 1, 1, 25)
    yield memory("push", (asm.pea(ind(A0)),), 1, 1, 25)
    other = asm.move("l", ind(A3), d(D3))
    clean = in_set(4, load)
    dirty = in_set(4, store)
    touched = in_set(4, load) + in_set(4, store)
    evict = (load(line(4)), other)
    yield memory("clean victim, another miss", evict, 2, 2, 55, setup=COLD_DATA + clean)
    yield memory("dirty victim, another miss", evict, 2, 2, 85, setup=COLD_DATA + dirty)
    yield memory("victim made dirty by a hit, another miss", evict, 2, 2, 85, setup=COLD_DATA + touched)
    write_evict = (store(line(4)), other)
    yield memory("dirty victim of a write miss, another miss", write_evict, 2, 2, 85, setup=COLD_DATA + dirty)
    three = in_set(3, store)
    yield memory("invalid way taken first, another miss", evict, 2, 2, 55, setup=COLD_DATA + three)
    # Replacements: pass 1 turns the counter from 0 by 5 (line 4 for 0, 0 for 1, 1 for 2, 2 for 3, 3 for 4) to 1.
    # Pass 2: 4 for 1, hit of 0, 1 for 2, 2 for 3, 3 for 0. Times: to 25; 26; 27, bus free at 31, to 55; 56, 61, to 85;
    # 86, 91, to 115.
    reads = tuple(load(line(way)) for way in (4, 0, 1, 2, 3))
    yield memory("five lines in one set", reads, 5, 5, 115, setup=COLD_DATA + clean)
    # A hit does not turn the counter nor protect a line: pass 1: line 4 for 0; hits of 1, 2, 3; counter 1. Pass 2: line
    # 4 for 1, 1 for 2, 2 for 3, 3 for 0.
    again = tuple(load(line(way)) for way in (3, 4, 1, 2, 3))
    yield memory("hits do not count", again, 5, 5, 116, setup=COLD_DATA + clean)
    # Half-lock: ways 2 and 3 only. Pass 1: 2 for 0 (way 2), 0 for 1 (way 3), 1 for 2 (way 2): counter 3.
    # Pass 2: 2 for 1 (way 3), hit of 0 in way 2, 1 for 0 (way 2).
    half = asm.set_control(asm.CACR, ON | DHLCK | DCINVA)
    locked = tuple(load(line(way)) for way in (2, 0, 1))
    yield memory("half-locked data cache", locked, 3, 3, 55, setup=half + in_set(2, load))
    # Lines in ways 0 and 1 stay and hit when the half is locked behind them.
    lock = COLD_DATA + in_set(2, load) + asm.set_control(asm.CACR, ON | DHLCK)
    kept = tuple(load(line(way)) for way in (2, 3, 4, 5, 0, 1))
    yield memory("locked lines hit", kept, 6, 6, 117, setup=lock)


def write_through() -> Iterator[Micro]:
    """Write-through mode, with and without the store buffer: 5 cycles of the bus each."""
    cold = asm.set_control(asm.CACR, THROUGH | DCINVA)

    def buffered(name: str, parts: tuple[bytes, ...], flat: int, full: int, setup: bytes = cold) -> Micro:
        return memory(name, parts, flat, flat, full, setup=setup, cacr=THROUGH)

    stores = tuple(write(16 * i) for i in range(9))
    for n, cycles in ((1, 1), (2, 2), (3, 3), (4, 4), (5, 6), (6, 11), (7, 16), (8, 21)):
        yield buffered(f"{n} stores to the store buffer", stores[:n], n, cycles)
    yield buffered("4 stores, one other, another store", (*stores[:4], TPF, stores[4]), 6, 6)
    yield buffered("store does not allocate", (write(), read()), 2, 30)
    yield buffered("store, hit", (write(), read()), 2, 2, cold + read())
    yield buffered("store, miss elsewhere", (write(), read(16)), 2, 30)
    # here the first store is 4 cycles before the load: 5 cells and 1; the bus is free at 21
    yield replace(buffered("4 stores, miss", (*stores[:4], read(80)), 5, 45), pipeline=6)
    yield buffered("operand to modify, miss elsewhere", (asm.addq(1, ind(A0)), read(16)), 2, 60)
    yield buffered("store over two longwords, 3 stores", (write(2), *stores[1:4]), 4, 6)
    # all 8 at the end, 8: the entries end at 13, 18, 23, 28; the last four wait for those
    yield buffered("MOVEM store of 8 to the store buffer", (asm.movem_store(range(8), ind(A0)),), 8, 28)
    yield memory("store, NOP", (write(), NOP), 7, 7, 12, setup=cold, cacr=THROUGH)
    yield memory("4 stores, NOP", (*stores[:4], NOP), 10, 10, 27, setup=cold, cacr=THROUGH)
    yield memory("store, 4 others, NOP", (write(), *(TPF,) * 4, NOP), 11, 11, 12, setup=cold, cacr=THROUGH)
    yield memory("store, 5 others, NOP", (write(), *(TPF,) * 5, NOP), 12, 12, 12, setup=cold, cacr=THROUGH)
    none = asm.set_control(asm.CACR, NO_BUFFER | DCINVA)
    yield memory("store without store buffer", (write(),), 1, 1, 6, setup=none, cacr=NO_BUFFER)
    yield memory("two stores without store buffer", stores[:2], 2, 2, 12, setup=none, cacr=NO_BUFFER)
    yield memory("store without store buffer, NOP", (write(), NOP), 7, 7, 12, setup=none, cacr=NO_BUFFER)
    yield memory("miss, store without store buffer", (read(), write(16)), 2, 2, 36, setup=none, cacr=NO_BUFFER)
    yield memory(
        "copyback store without store buffer",
        (write(),),
        1,
        1,
        25,
        setup=asm.set_control(asm.CACR, NO_BUFFER | COPYBACK | DCINVA),
        cacr=NO_BUFFER | COPYBACK,
    )


def beside_the_caches() -> Iterator[Micro]:
    """Inhibited memory, SRAM, caches that are off."""
    inhibited = DEC | DESB | BEC | IEC | INHIBITED
    yield memory("inhibited read", (read(),), 25, 25, 25, setup=b"", cacr=inhibited)
    yield memory("inhibited write", (write(),), 6, 6, 6, setup=b"", cacr=inhibited)
    yield memory("inhibited operand to modify", (asm.addq(1, ind(A0)),), 30, 30, 30, setup=b"", cacr=inhibited)
    yield memory("two inhibited reads", (read(), read(4)), 50, 50, 50, setup=b"", cacr=inhibited)
    base = 0x20000000
    sram = asm.set_control(asm.RAMBAR0, base | 1) + asm.lea(at(base), A0)
    yield memory("SRAM read", (read(),), 1, 1, 1, setup=sram + COLD_DATA)
    yield memory("SRAM write", (write(),), 1, 1, 1, setup=sram + asm.set_control(asm.CACR, NO_BUFFER | DCINVA))
    off = DESB | BEC | IEC | COPYBACK
    yield memory("data cache off, read", (read(),), 1, 1, 25, setup=b"", cacr=off)
    yield memory("data cache off, write", (write(),), 1, 1, 6, setup=b"", cacr=off)
    # Instruction cache off: NOP is in the longword before START, so the first one of the measured part is fetched.
    no_fetch = DEC | DESB | BEC | COPYBACK
    filled = no_fetch | DNFB
    yield memory("instruction cache off, one word", (TPF,), 1, 1, 25, setup=b"", cacr=no_fetch)
    yield memory("instruction cache off, two words in a longword", (TPF, TPF), 2, 2, 26, setup=b"", cacr=no_fetch)
    yield memory("instruction cache off, three words", (TPF, TPF, TPF), 3, 3, 51, setup=b"", cacr=no_fetch)
    six = asm.move("l", imm(3), d(D2))
    yield memory("instruction cache off, six bytes", (six,), 1, 1, 49, setup=b"", cacr=no_fetch)
    yield memory("instruction cache off, nine words", (TPF,) * 9, 9, 9, 129, setup=b"", cacr=no_fetch)
    yield memory("fill buffer, three words", (TPF,) * 3, 3, 3, 27, setup=b"", cacr=filled)
    yield memory("fill buffer, nine words", (TPF,) * 9, 9, 9, 57, setup=b"", cacr=filled)
    yield memory("fill buffer, instruction over two lines", (*(TPF,) * 7, six), 8, 8, 56, setup=b"", cacr=filled)


def instruction_cache() -> Iterator[Micro]:
    """Fetches: the first pass is measured, so the measured part is in no cache. NOP in front of it lies on another
    line, and its 6 cycles are those in which the bus was still busy."""

    def cold(name: str, parts: tuple[bytes, ...], flat: int, full: int, **more: bytes) -> Micro:
        return Micro(name, "model 4", parts, flat, flat, full, passes=1, setup=more.get("setup", b""))

    yield cold("one word, cold", (TPF,), 1, 25)
    yield cold("eight words on a line, cold", (TPF,) * 8, 8, 32)
    yield cold("nine words on two lines, cold", (TPF,) * 9, 9, 57)
    yield cold("instruction over two lines, cold", (*(TPF,) * 7, asm.move("l", imm(3), d(D2))), 8, 56)
    yield cold("fetch and read miss", (read(),), 1, 54)
    yield replace(cold("TRAP with everything cold", (asm.trap(0),), 18, 96), end=HANDLER)
    invalidate = asm.set_control(asm.CACR, ON | ICINVA)
    yield replace(cold("cold after CACR[ICINVA]", (TPF,), 1, 25, setup=invalidate), passes=2)
    touch = (words(0xF428 | A2), *(TPF,) * 8)
    yield cold("INTOUCH of the next line", touch, 27, 75, setup=asm.lea(at(START + 16), A2))
    yield replace(cold("INTOUCH of a line that is there", touch, 27, 27, setup=asm.lea(at(START + 16), A2)), passes=2)
    again = asm.lea(at(START & (SET - 1) | 16), A2)
    drop = (words(PUSH_IC | A2), *(TPF,) * 8)
    yield Micro("CPUSHL ic of the next line", "model 4", drop, 17, 17, 41, setup=again)
    yield Micro("CPUSHL bc of the next line", "model 4", (words(PUSH_BC | A2), *drop[1:]), 17, 17, 41, setup=again)
    yield Micro("CPUSHL dc leaves instructions alone", "model 4", (words(PUSH_DC | A2), *drop[1:]), 17, 17, setup=again)
    yield Micro("CPUSHL ic of another way", "model 4", drop, 17, 17, setup=again + asm.addq(1, a(A2)))


def pushes() -> Iterator[Micro]:
    """CPUSHL of data; line 0 of the set is in way 0 after an invalidation."""
    select = asm.lea(at(DATA & (SET - 1)), A2)
    cpushl = words(PUSH_DC | A2)
    code = (cpushl, read())
    yield memory("CPUSHL dc of a dirty line", code, 10, 10, 63, setup=COLD_DATA + select + write())
    yield memory("CPUSHL dc of a clean line", code, 10, 10, 34, setup=COLD_DATA + select + read())
    keep = ON | DDPI
    kept = asm.set_control(asm.CACR, keep | DCINVA) + select + write()
    yield memory("CPUSHL dc of a dirty line, CACR[DDPI]", code, 10, 10, 10, setup=kept, cacr=keep)
    busy = (cpushl, read(16))
    yield memory("CPUSHL dc, CACR[DDPI], miss", busy, 10, 10, 63, setup=kept, cacr=keep)
    twice = (cpushl, cpushl, read(16))
    yield memory("CPUSHL dc twice, CACR[DDPI], miss", twice, 19, 19, 63, setup=kept, cacr=keep)
    way = select + asm.addq(1, a(A2))
    yield memory("CPUSHL dc of another way", code, 10, 10, 10, setup=COLD_DATA + way + write())
    yield memory(
        "CPUSHL ic leaves data alone", (words(PUSH_IC | A2), read()), 10, 10, 10, setup=COLD_DATA + select + write()
    )
    frame = asm.move("l", imm(0x40002700), d(D1)) + asm.move("l", d(D1), at(FRAME))
    frame += asm.move("l", imm(START + 2), d(D1)) + asm.move("l", d(D1), at(FRAME + 4)) + asm.lea(at(FRAME), A7)
    yield memory("RTE with its frame cold", (RTE,), 15, 15, 39, setup=frame + COLD_DATA)
