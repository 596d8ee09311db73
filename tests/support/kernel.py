"""A kernel of one page of guest code that refills the TLBs from a table in memory, for tests that run random programs.

It is mapped by ACRs and never misses. Everything is done by guest instructions: refills, repairs of violations, traps
by which a user program reaches the MMU registers. Table: one long per megabyte of VA (the address of a row, or of a
table of 1024 longs for its kilobytes, bit 0 set); a row is (user tag, supervisor tag, DTLB image, ITLB image).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.support import asm
from tests.support.asm import A0, A1, A2, A3, D0, D1, D2, D3, SP, Assembler, a, at, d, disp, imm, ind, index, post, pre
from tests.support.guest import ACC, CA, CODE, DATA, ITLB, UAA, WINDOW, R, W, X
from tests.support.guest import SP as SP_BIT

ROOT, ROOTS = DATA, DATA + 0x10  # the table in use; the table of each ASID
KEPT_TAG, KEPT_DATA = DATA + 0x30, DATA + 0x34  # MMUTR and MMUDR of whom the miss interrupted
VIOLATIONS, SKIPPED, INTERRUPTS, INTERRUPTED, PROBED = (DATA + 0x40 + 4 * i for i in range(5))
TABLES = DATA + 0x10000  # rows and tables grow from here

TRAP_WRITE, TRAP_SUPERVISOR, TRAP_USER, TRAP_ASID, TRAP_PROBE, TRAP_EXIT = range(6)
_SAVED = (D0, D1, D2, D3, 8 + A0, 8 + A1, 8 + A2, 8 + A3)
_HEAD, _PC = 4 * len(_SAVED), 4 * len(_SAVED) + 4  # where the frame is while they are saved
_INSTRUCTION_SIDE = 1  # FS[3:2]
_VIOLATION, _MISS = 1, 2  # FS[1:0] of a data fault; 0 = violation of a fetch
_AR, _TR, _DR, _OR = (disp(A0, offset) for offset in (0x10, 0x14, 0x18, 0x04))


def _decode_fault(k: Assembler) -> None:
    """D1 := FS[3:2], D3 := FS[1:0], D2 := faulting VA, A0 := register window."""
    k.add(asm.lea(disp(SP, -_HEAD), SP), asm.movem_store(_SAVED, ind(SP)), asm.lea(at(WINDOW), A0))
    for register, kept in ((_TR, KEPT_TAG), (_DR, KEPT_DATA)):
        k.add(asm.move("l", register, d(D0)), asm.move("l", d(D0), at(kept)))
    k.add(asm.alu_a("suba", a(A3), A3), asm.move("l", disp(SP, _HEAD), d(D1)), asm.move("l", d(D1), d(D3)))
    k.add(asm.moveq(26, D2), asm.shift_by("lsr", D2, D1), asm.moveq(3, D2))
    k.add(asm.alu("and", d(D2), D1), asm.single("swap", D3), asm.alu("and", d(D2), D3))
    k.add(asm.alu_i("cmpi", _INSTRUCTION_SIDE, D1))
    k.branch("eq", "fetch")
    k.add(asm.move("l", _AR, d(D2)))
    k.branch("ra", "lookup")
    k.label("fetch")  # the VA is the stacked PC, or PC + 4 for an extension word (sheet 3.5)
    k.add(asm.move("l", disp(SP, _PC), d(D2)), asm.alu_i("cmpi", 2, D3))
    k.branch("ne", "lookup")
    k.add(asm.addq(4, d(D2)))


def _look_up(k: Assembler) -> None:
    """A2 := row of the VA in D2, D0 := its tag for the mode that faulted."""
    k.label("lookup")
    k.add(asm.move("l", at(ROOT), a(A1)), asm.move("l", d(D2), d(D0)))
    k.add(asm.shift("lsr", 8, D0), asm.shift("lsr", 8, D0), asm.shift("lsr", 4, D0))
    k.add(asm.move("l", index(A1, D0, 0, 4), d(D0)))
    k.branch("eq", "unmapped")
    k.add(asm.bit("btst", 0, d(D0)))
    k.branch("eq", "row")
    k.add(asm.subq(1, d(D0)), asm.move("l", d(D0), a(A1)), asm.move("l", d(D2), d(D0)))
    k.add(asm.shift("lsr", 8, D0), asm.shift("lsr", 2, D0), asm.alu_i("andi", 0x3FF, D0))
    k.add(asm.move("l", index(A1, D0, 0, 4), d(D0)))
    k.branch("eq", "unmapped")
    k.label("row")
    k.add(asm.move("l", d(D0), a(A2)), asm.move("l", disp(SP, _HEAD), d(D0)), asm.bit("btst", 13, d(D0)))
    k.branch("eq", "user")
    k.add(asm.move("l", disp(A2, 4), d(D0)))
    k.branch("ra", "tagged")
    k.label("user")
    k.add(asm.move("l", ind(A2), d(D0)))
    k.label("tagged")
    k.add(asm.alu_i("cmpi", _INSTRUCTION_SIDE, D1))
    k.branch("ne", "data")


def _refill(k: Assembler) -> None:
    """Load the row, or first allow what was forbidden. A data violation is repaired in the entry that hit (AA)."""
    k.add(asm.tst("l", d(D3)))
    k.branch("eq", "forbidden fetch")
    k.add(asm.move("l", d(D0), _TR), asm.move("l", disp(A2, 12), _DR))
    k.add(asm.moveq(ITLB | ACC | UAA, D0), asm.move("l", d(D0), _OR))
    k.branch("ra", "return")
    k.label("data")
    k.add(asm.alu_i("cmpi", _MISS, D3))
    k.branch("ne", "forbidden access")
    k.add(asm.move("l", d(D0), _TR), asm.move("l", disp(A2, 8), _DR))
    k.add(asm.moveq(ACC | UAA, D0), asm.move("l", d(D0), _OR))
    k.branch("ra", "return")
    k.label("forbidden access")
    k.add(asm.alu_i("cmpi", _VIOLATION, D3))
    k.branch("ne", "panic")
    k.add(asm.addq(1, at(VIOLATIONS)), asm.move("l", disp(A2, 8), d(D3)))
    k.add(asm.alu_i("ori", R | W, D3), asm.alu_i("andi", ~SP_BIT, D3), asm.move("l", d(D3), disp(A2, 8)))
    k.add(asm.move("l", d(D0), _TR), asm.move("l", d(D3), _DR), asm.moveq(ACC, D0), asm.move("l", d(D0), _OR))
    k.label("return")
    for register, kept in ((_TR, KEPT_TAG), (_DR, KEPT_DATA)):
        k.add(asm.move("l", at(kept), d(D0)), asm.move("l", d(D0), register))
    k.add(asm.movem_load(ind(SP), _SAVED), asm.lea(disp(SP, _HEAD), SP), asm.RTE)
    # FS 4 does not say which page of the instruction is forbidden: allow both, then start with empty TLBs.
    k.label("forbidden fetch")
    k.add(asm.move("l", disp(A2, 12), d(D0)), asm.alu_i("ori", X, D0), asm.alu_i("andi", ~SP_BIT, D0))
    k.add(asm.move("l", d(D0), disp(A2, 12)), asm.move("l", a(A3), d(D0)))
    k.branch("ne", "clear")
    k.add(asm.addq(1, a(A3)), asm.addq(4, d(D2)))
    k.branch("ra", "lookup")
    k.label("unmapped")
    k.add(asm.move("l", a(A3), d(D0)))
    k.branch("eq", "panic")
    k.label("clear")
    k.add(asm.addq(1, at(VIOLATIONS)), asm.move("l", imm(CA), d(D0)), asm.move("l", d(D0), _OR))
    k.branch("ra", "return")
    k.label("panic")
    k.add(asm.HALT)


def _services(k: Assembler) -> None:
    """The traps; D0 and D1 are arguments, all registers are kept."""
    k.label("write")  # MMU register at offset D0 := D1
    k.add(asm.move("l", a(A0), pre(SP)), asm.lea(at(WINDOW), A0), asm.move("l", d(D1), index(A0, D0)))
    k.add(asm.NOP, asm.move("l", post(SP), a(A0)), asm.RTE)
    k.label("supervisor")
    k.add(asm.bit("bset", 5, disp(SP, 2)), asm.RTE)
    k.label("go user")
    k.add(asm.bit("bclr", 5, disp(SP, 2)), asm.RTE)
    k.label("asid")  # ASID := D0
    k.add(asm.lea(disp(SP, -8), SP), asm.movem_store([D0, 8 + A0], ind(SP)), asm.movec(D0, asm.ASID))
    k.add(asm.lea(at(ROOTS), A0), asm.move("l", index(A0, D0, 0, 4), d(D0)), asm.move("l", d(D0), at(ROOT)))
    k.add(asm.movem_load(ind(SP), [D0, 8 + A0]), asm.lea(disp(SP, 8), SP), asm.RTE)
    k.label("probe")  # MMUAR := D1, MMUOR := D0, then fold what the registers say into memory
    k.add(asm.lea(disp(SP, -16), SP), asm.movem_store([D0, D1, D2, 8 + A0], ind(SP)), asm.lea(at(WINDOW), A0))
    k.add(asm.move("l", d(D1), _AR), asm.move("l", d(D0), _OR), asm.move("l", at(PROBED), d(D2)))
    for source in (_OR, disp(A0, 8), _AR, _TR, _DR):
        k.add(asm.alu("add", d(D2), D2), asm.alu("add", source, D2))
    k.add(asm.move("l", d(D2), at(PROBED)))
    k.add(asm.movem_load(ind(SP), [D0, D1, D2, 8 + A0]), asm.lea(disp(SP, 16), SP), asm.RTE)
    k.label("exit")
    k.add(asm.HALT)
    k.label("skip")  # the instruction of one word that cannot be done
    k.add(asm.addq(2, disp(SP, 4)), asm.addq(1, at(SKIPPED)), asm.RTE)
    k.label("interrupt")  # where it came is folded into memory too
    k.add(asm.move("l", d(D0), pre(SP)), asm.move("l", at(INTERRUPTED), d(D0)), asm.alu("add", d(D0), D0))
    k.add(asm.alu("add", disp(SP, 8), D0), asm.move("l", d(D0), at(INTERRUPTED)), asm.addq(1, at(INTERRUPTS)))
    k.add(asm.move("l", post(SP), d(D0)), asm.RTE)


def _assemble() -> tuple[bytes, dict[str, int]]:
    k = Assembler(CODE)
    k.label("access error")
    _decode_fault(k)
    _look_up(k)
    _refill(k)
    _services(k)
    return k.finish(), k.labels


KERNEL, LABELS = _assemble()
BOOT = CODE + (len(KERNEL) + 15 & ~15)
_TRAPS = ("write", "supervisor", "go user", "asid", "probe", "exit")
_VECTORS = {
    **dict.fromkeys((4, 5, 8, 10), "skip"),
    **dict.fromkeys((*range(25, 32), *range(64, 256)), "interrupt"),
    **{32 + i: name for i, name in enumerate(_TRAPS)},
}


def vector_table() -> bytes:
    """256 handlers; what should not happen ends at "panic"."""
    names = {2: "access error", **_VECTORS}
    return b"".join(asm.long(LABELS[names.get(vector, "panic")]) for vector in range(256))


@dataclass
class Tables:
    """The memory image of the kernel's page tables."""

    roots: dict[int, dict[int, int]] = field(default_factory=dict)  # ASID -> megabyte -> first-level entry
    small: dict[int, dict[int, int]] = field(default_factory=dict)  # address of a table -> kilobyte -> row
    rows: dict[int, tuple[int, ...]] = field(default_factory=dict)
    _free: int = TABLES

    def _allocate(self, size: int) -> int:
        address = self._free
        self._free += size
        return address

    def map(self, asid: int, va: int, bits: int, row: tuple[int, int, int, int]) -> None:
        """Enter one page of 2**bits bytes for one ASID."""
        root = self.roots.setdefault(asid, {})
        address = self._allocate(16)
        self.rows[address] = row
        if bits == 20:
            root[va >> 20] = address
            return
        if va >> 20 not in root:
            self._free = self._free + 15 & ~15
            root[va >> 20] = self._allocate(4096) | 1
        table = self.small.setdefault(root[va >> 20] & ~1, {})
        for kilobyte in range(va >> 10 & 0x3FF, (va >> 10 & 0x3FF) + (1 << bits - 10)):
            table[kilobyte] = address

    def pieces(self) -> Iterable[tuple[int, bytes]]:
        """(PA, bytes) to write before the guest starts. The first ASID is the current one."""
        roots = {asid: self._allocate(4096) for asid in self.roots}
        for asid, root in self.roots.items():
            yield ROOTS + 4 * asid, asm.long(roots[asid])
            yield from ((roots[asid] + 4 * megabyte, asm.long(entry)) for megabyte, entry in root.items())
        yield ROOT, asm.long(roots[min(roots)])
        for table, entries in self.small.items():
            yield from ((table + 4 * kilobyte, asm.long(row)) for kilobyte, row in entries.items())
        for address, row in self.rows.items():
            yield address, b"".join(asm.long(value) for value in row)
