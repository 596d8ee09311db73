"""Length and legality of all 65536 op words against GNU objdump, an implementation that shares nothing with ours.

Every op word on which the two differ falls under one entry of DISAGREEMENTS, which says who is right and why.
"""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from emu.timing.optable import F_ILLEGAL, opcode_table
from tests.unit.timing.make_objdump_golden import OBJDUMP, objdump_lengths, unpack

GOLDEN = Path(__file__).with_name("objdump_lengths.json")
ILLEGAL = 0  # length of an op word that starts no instruction


@dataclass(frozen=True)
class Disagreement:
    """Op words with ``op & mask == match`` on which we say ``ours`` words and objdump ``theirs``."""

    mask: int
    match: int
    ours: int
    theirs: int
    why: str


MODE_IGNORED = "operand is a register only; objdump prints the register number and ignores the mode bits"
NO_BYTE_OF_AN = "an address register has no byte operand (GAS rejects TST.B An for it); objdump does not check"
NO_COPROCESSOR = "CP0LD, CP1ST and kin need a coprocessor; MCF547x/548x have none, so line F"

DISAGREEMENTS = (
    Disagreement(0xF1C0, 0x0080, ILLEGAL, 3, f"ORI, ANDI, SUBI, ADDI, EORI, CMPI.L: {MODE_IGNORED}"),
    Disagreement(0xFF80, 0x0C00, ILLEGAL, 2, f"CMPI.B, CMPI.W: {MODE_IGNORED}"),
    Disagreement(0xF1FF, 0x107C, ILLEGAL, 2, "MOVEA.B #imm,An does not exist in any 68k"),
    Disagreement(0xF9C0, 0x4080, ILLEGAL, 1, f"NEGX, NEG, NOT.L: {MODE_IGNORED}"),
    Disagreement(0xFDC0, 0x44C0, ILLEGAL, 1, f"MOVE to CCR and SR: {MODE_IGNORED}"),
    Disagreement(0xFFF8, 0x4AC0, ILLEGAL, 1, "TAS Dn: CFPRM lists memory modes only [UNV]; GAS takes the 68000's list"),
    Disagreement(0xFFFF, 0x4AFC, ILLEGAL, 1, "ILLEGAL is defined to be illegal"),
    Disagreement(0xFFFF, 0x4AFD, ILLEGAL, 3, "SWBEG is an assembler pseudo-operation that marks a switch table"),
    Disagreement(0xF0C0, 0x50C0, ILLEGAL, 1, f"Scc: {MODE_IGNORED}"),
    Disagreement(0xFBC0, 0xAB00, ILLEGAL, 1, f"MOVE to ACCext: {MODE_IGNORED}"),
    Disagreement(0xFBFF, 0xAB3C, 3, 1, "MOVE #imm,ACCext: GAS emits three words, objdump reads one"),
    Disagreement(0xF1F8, 0xB008, ILLEGAL, 1, f"CMP.B An: {NO_BYTE_OF_AN}"),
    Disagreement(0xFFC0, 0xF200, ILLEGAL, 2, "FPU register to register: objdump ignores the EA field, here unusable"),
    Disagreement(0xFFFF, 0xF33A, ILLEGAL, 2, "FSAVE writes, so no PC-relative mode; objdump swaps it with FRESTORE"),
    Disagreement(0xFFFF, 0xF37A, 2, ILLEGAL, "FRESTORE (d16,PC): in the CFPRM list [UNV]; objdump swaps it with FSAVE"),
    Disagreement(0xFC00, 0xFC00, ILLEGAL, 2, NO_COPROCESSOR),
    Disagreement(0xFC00, 0xFC00, ILLEGAL, 3, NO_COPROCESSOR),
)


def our_lengths() -> list[int]:
    """Words of every op word, ILLEGAL where the V4e has no such instruction."""
    table = opcode_table()
    return [int(n) for n in np.where(table["flags"] & F_ILLEGAL, ILLEGAL, table["words"])]


def explanations(op: int, ours: int, theirs: int) -> list[Disagreement]:
    return [d for d in DISAGREEMENTS if op & d.mask == d.match and (d.ours, d.theirs) == (ours, theirs)]


def test_every_difference_from_objdump_is_explained() -> None:
    # Given both opinions on every op word
    pairs = list(zip(our_lengths(), unpack(json.loads(GOLDEN.read_text())), strict=True))
    assert len(pairs) == 0x10000

    # When they differ
    differences = [(op, ours, theirs) for op, (ours, theirs) in enumerate(pairs) if ours != theirs]

    # Then somebody has written down why, and no explanation is stale
    unexplained = [f"{op:#06x}: ours {a}, objdump {b}" for op, a, b in differences if not explanations(op, a, b)]
    used = {d for op, a, b in differences for d in explanations(op, a, b)}
    assert unexplained == []
    assert used == set(DISAGREEMENTS)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which(OBJDUMP) is None, reason=f"{OBJDUMP} is not installed")
def test_the_golden_is_what_objdump_says() -> None:
    assert unpack(json.loads(GOLDEN.read_text())) == objdump_lengths()
