"""Accesses to cache-inhibited memory cost what the sheet says, one for each page of an operand, whoever executes them.

unicorn makes the accesses of most instructions, the engine itself those of the instructions that it emulates.
"""

from dataclasses import dataclass

import pytest

from tests.support import asm
from tests.support.asm import A0, D0, D1, D2, at, d, disp, imm, ind, words
from tests.support.guest import (
    CM_INHIBITED,
    CODE,
    FRAMES,
    MBAR,
    MMUAR,
    Bench,
    Entry,
    R,
    W,
    enter_virtual_mode,
    image,
    tag,
)

PAGE, PAGE_END = 0x00600000, 0x00601000
VECTOR = 70
NOP_CYCLES = 6  # CF4UM 6-6
READ_CYCLES, WRITE_CYCLES = 24, 5  # 548xRM 7-16, emu.timing.constants


@dataclass(frozen=True)
class Case:
    """``code`` works on the operand at A0, ``offset`` bytes into the first page; ``reads`` and ``writes`` it makes."""

    name: str
    code: bytes
    reads: int
    writes: int = 0
    offset: int = 0x100

    def __str__(self) -> str:
        return self.name


CASES = (
    Case("move.l load", asm.move("l", ind(A0), d(D1)), 1),
    Case("move.l load across", asm.move("l", ind(A0), d(D1)), 2, 0, 0xFFD),
    Case("move.l store across", asm.move("l", d(D1), ind(A0)), 0, 2, 0xFFD),
    Case("add to memory", asm.alu_to("add", D1, ind(A0)), 1, 1),
    Case("movem load", asm.movem_load(disp(A0, 0), [D0, D1, D2]), 3),
    Case("divu.l", asm.div_l(False, ind(A0), D1), 1),
    Case("divs.l across", asm.div_l(True, ind(A0), D1), 2, 0, 0xFFE),
    Case("fmove.d load", asm.fp_from("move", "d", ind(A0), 1), 1),
    Case("fadd.s load across", asm.fp_from("add", "s", ind(A0), 1), 2, 0, 0xFFF),
    Case("fmove.d store", asm.fp_to("d", 1, ind(A0)), 0, 1),
    Case("fmove.d store across", asm.fp_to("d", 1, ind(A0)), 0, 2, 0xFFC),
    Case("fmovem load", asm.fmovem_load(ind(A0), [0, 1, 2]), 3),
    Case("fmovem store", asm.fmovem_store([0, 1, 2], ind(A0)), 0, 3),
    Case("fsave", words(0xF310), 0, 4),
    Case("frestore", words(0xF350), 4, 0, 0x40),  # zeros: a null frame
    Case("mac with load", words(0xA410, 0x0000), 1),
    Case("wddata.l", asm.wddata("l", ind(A0)), 1),
)


def run(guest: Bench, case: Case, first: int, second: int) -> tuple[int, int, int]:
    """Run the case with its two pages of these cache modes: (reads, writes, cycles)."""
    entries = (
        Entry(40, tag(PAGE), image(FRAMES, 12, R | W | first)),
        Entry(41, tag(PAGE_END), image(FRAMES + 0x1000, 12, R | W | second)),
    )
    guest.put(FRAMES, bytes(0x100) + b"\x00\x00\x00\x03" * 0x7C0)
    mask = asm.moveq(-1, D0) + words(0xAD00)  # MOVE D0,MASK
    lead = mask + asm.moveq(9, D1) + asm.lea(asm.at(PAGE + case.offset), A0)
    guest.run(enter_virtual_mode(entries), lead, asm.HALT)
    before = guest.machine.counters()
    guest.run(case.code, asm.HALT)
    spent = guest.machine.counters() - before
    return spent.inhibited_reads, spent.inhibited_writes, spent.cycles


@pytest.mark.parametrize("case", CASES, ids=str)
def test_inhibited_operands_are_charged(guest: Bench, case: Case) -> None:
    plain = run(guest, case, 0, 0)
    inhibited = run(guest, case, CM_INHIBITED, CM_INHIBITED)
    assert plain[:2] == (0, 0)
    assert inhibited[:2] == (case.reads, case.writes)
    assert inhibited[2] - plain[2] == case.reads * READ_CYCLES + case.writes * WRITE_CYCLES


@pytest.mark.parametrize("case", [case for case in CASES if "across" in case.name], ids=str)
def test_only_the_inhibited_part_of_an_operand_is_charged(guest: Bench, case: Case) -> None:
    half = (case.reads // 2, case.writes // 2)
    assert run(guest, case, CM_INHIBITED, 0)[:2] == half
    assert run(guest, case, 0, CM_INHIBITED)[:2] == half


@pytest.mark.parametrize("address", [PAGE, MBAR + 0x804, MMUAR], ids=["page", "peripheral", "MMU register"])
def test_an_interrupt_due_behind_an_inhibited_access_comes_before_a_trap(guest: Bench, address: int) -> None:
    """TRAP costs nothing itself, so the boundary before it is as late as the end of its block."""
    entry = Entry(40, tag(PAGE), image(FRAMES, 12, R | W | CM_INHIBITED))
    setup = enter_virtual_mode([entry]) + asm.move_to_sr(imm(0x2000, "w"))
    load = asm.move("l", at(address), d(D1))
    code = asm.NOP + load + asm.trap(4)
    guest.run(setup, asm.HALT)
    guest.start(asm.NOP + load)
    guest.machine.run(max_instructions=1)
    before = guest.machine.counters().cycles
    guest.machine.run(max_instructions=1)
    now = guest.machine.counters().cycles

    guest.machine.schedule_interrupt(5, VECTOR, now + NOP_CYCLES + now - before)
    frame = guest.exception(code)

    assert (frame.vector, frame.pc) == (VECTOR, CODE + len(asm.NOP + load))
