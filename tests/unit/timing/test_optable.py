"""The op-word table: its shape, its internal rules, and instructions spot-checked against the manual's encodings."""

import numpy as np
import pytest

from emu.timing.effective_address import ALL, LETTER_OF_FIELD, MODE_LETTERS, allowed_fields, extension_words
from emu.timing.isa import ROWS
from emu.timing.optable import (
    F_BITOP_MEM,
    F_BRANCH,
    F_FPU,
    F_ILLEGAL,
    F_INDEXED,
    F_MOVEM,
    F_PRIVILEGED,
    F_RMW,
    OPCODE_DTYPE,
    expand,
    opcode_table,
    row_of,
)

TABLE = opcode_table()
LEGAL = (TABLE["flags"] & F_ILLEGAL) == 0
CONFIDENCE_MARKS = {"2S", "1S", "INF", "UNV"}  # hardware sheet 0.1

# TRAP is charged as exception entry by the engine, FPU op words by their extension word (at least 1).
COSTS_NOTHING = range(0x4E40, 0x4E50)


# --- The whole table ------------------------------------------------------------------------------------------------


def test_one_record_per_op_word_and_nobody_can_change_it() -> None:
    assert TABLE.shape == (0x10000,)
    assert TABLE.dtype == OPCODE_DTYPE
    with pytest.raises(ValueError, match="read-only"):
        TABLE["words"][0] = 2


def test_built_once() -> None:
    assert opcode_table() is TABLE


def test_every_legal_instruction_has_one_to_three_words() -> None:
    assert set(np.unique(TABLE["words"][LEGAL])) == {1, 2, 3}


def test_every_legal_instruction_but_trap_costs_at_least_one_cycle() -> None:
    free = np.flatnonzero(LEGAL & (TABLE["cycles"] == 0))

    assert list(free) == list(COSTS_NOTHING)


def test_illegal_op_words_are_one_word_long_cost_nothing_and_have_no_other_flag() -> None:
    illegal = TABLE[~LEGAL]

    assert set(np.unique(illegal["words"])) == {1}
    assert set(np.unique(illegal["cycles"])) == {0}
    assert set(np.unique(illegal["flags"])) == {F_ILLEGAL}


def test_an_index_costs_exactly_one_cycle_more_than_the_same_without() -> None:
    # Given every op word with a (d8,An,Xi) source, and its neighbour with (An)
    ops = np.flatnonzero(LEGAL & (TABLE["flags"] & F_INDEXED > 0) & (np.arange(0x10000) & 0x38 == 0x30))
    neighbours = ops & ~0x38 | 0x10

    # Then where the neighbour exists it is one cycle cheaper
    exists = LEGAL[neighbours]
    assert exists.sum() > 500
    assert set(np.unique(TABLE["cycles"][ops[exists]].astype(int) - TABLE["cycles"][neighbours[exists]])) == {1}


def test_bit_operations_on_memory_are_read_modify_write() -> None:
    bit_operations = TABLE["flags"] & F_BITOP_MEM > 0

    assert bit_operations.any()
    assert (TABLE["flags"][bit_operations] & F_RMW).all()


# --- The declarative rows -------------------------------------------------------------------------------------------


def test_every_row_has_a_picture_of_sixteen_bits_a_source_and_a_confidence_mark() -> None:
    for row in ROWS:
        assert len(row.picture.replace(" ", "")) == 16, row.name
        assert row.cell.source, row.name
        assert row.cell.confidence in CONFIDENCE_MARKS, row.name


def test_every_picture_that_has_an_effective_address_names_its_modes_and_the_reverse() -> None:
    for row in ROWS:
        assert ("e" in row.picture) == bool(row.ea), row.name
        assert ("E" in row.picture) == bool(row.destination), row.name


def test_every_row_owns_op_words_and_only_branches_overlap() -> None:
    # When the rows are laid over each other in order
    owner = np.full(0x10000, -1)
    overridden = set()
    for number, row in enumerate(ROWS):
        ops = expand(row)[0]
        overridden |= {ROWS[n].name for n in np.unique(owner[ops]) if n >= 0}
        owner[ops] = number

    # Then none is hidden wholly, and what is hidden in part is the general case of a branch
    assert set(np.unique(owner[LEGAL])) == set(range(len(ROWS)))
    assert overridden == {"Bcc.B", "Bcc.W", "Bcc.L", "BRA.B", "BSR.B"}


def test_row_of_finds_the_row_that_the_table_was_built_from() -> None:
    bra, nop = row_of(0x6002), row_of(0x4E71)

    assert bra is not None
    assert nop is not None
    assert (bra.name, nop.name) == ("BRA.B", "NOP")
    assert row_of(0x4AFC) is None


# --- Addressing modes -----------------------------------------------------------------------------------------------


def test_the_field_has_twelve_modes_and_three_holes() -> None:
    assert len(LETTER_OF_FIELD) == 64
    assert LETTER_OF_FIELD[0o75:] == "???"
    assert set(LETTER_OF_FIELD) - {"?"} == set(MODE_LETTERS)
    assert int(allowed_fields(ALL).sum()) == 7 * 8 + 5


@pytest.mark.parametrize(
    ("field", "words"),
    [(0o00, 0), (0o17, 0), (0o20, 0), (0o37, 0), (0o40, 0), (0o51, 1), (0o62, 1), (0o70, 1), (0o71, 2), (0o72, 1)],
)
def test_extension_words_of_a_mode(field: int, words: int) -> None:
    assert extension_words(2)[field] == words


def test_an_immediate_is_as_long_as_its_operand() -> None:
    assert extension_words(1)[0o74] == 1
    assert extension_words(2)[0o74] == 2


# --- Single instructions (CFPRM encodings; cycles: hardware sheet 4.3-4.6) --------------------------------------------

EXAMPLES = [
    # op, words, cycles, flags, instruction
    (0x2200, 1, 1, 0, "move.l d0,d1"),
    (0x203C, 3, 1, 0, "move.l #imm,d0"),
    (0x303C, 2, 1, 0, "move.w #imm,d0"),
    (0x117C, 3, 1, 0, "move.b #imm,(d16,a0): ISA_B"),
    (0x2290, 1, 2, 0, "move.l (a0),(a1): memory to memory"),
    (0x2368, 3, 2, 0, "move.l (d16,a0),(d16,a1)"),
    (0x22B0, 2, 3, F_INDEXED, "move.l (d8,a0,xi),(a1)"),
    (0x2180, 2, 2, F_INDEXED, "move.l d0,(d8,a0,xi)"),
    (0x23C0, 3, 1, 0, "move.l d0,xxx.l"),
    (0x2039, 3, 1, 0, "move.l xxx.l,d0"),
    (0xD080, 1, 1, 0, "add.l d0,d0"),
    (0xD1A8, 2, 1, F_RMW, "add.l d0,(d16,a0)"),
    (0x5280, 1, 1, 0, "addq.l #1,d0"),
    (0x5290, 1, 1, F_RMW, "addq.l #1,(a0)"),
    (0x52B9, 3, 1, F_RMW, "addq.l #1,xxx.l"),
    (0xB190, 1, 1, F_RMW, "eor.l d0,(a0)"),
    (0x0680, 3, 1, 0, "addi.l #imm,d0"),
    (0x0C00, 2, 1, 0, "cmpi.b #imm,d0"),
    (0x0828, 3, 1, 0, "btst #n,(d16,a0)"),
    (0x08E8, 3, 1, F_RMW | F_BITOP_MEM, "bset #n,(d16,a0)"),
    (0x08C0, 2, 1, 0, "bset #n,d0"),
    (0x0190, 1, 1, F_RMW | F_BITOP_MEM, "bclr d0,(a0)"),
    (0x4AD0, 1, 1, F_RMW, "tas (a0)"),
    (0x41F0, 2, 2, F_INDEXED, "lea (d8,a0,xi),a0"),
    (0x4878, 2, 1, 0, "pea xxx.w"),
    (0x48D0, 2, 1, F_MOVEM, "movem.l list,(a0)"),
    (0x4CE8, 3, 1, F_MOVEM, "movem.l (d16,a0),list"),
    (0x4C00, 2, 4, 0, "mulu.l d0,d0"),
    (0xC0F0, 2, 5, F_INDEXED, "mulu.w (d8,a0,xi),d0"),
    (0x4C68, 3, 35, 0, "divu.l (d16,a0),d0"),
    (0x81FC, 2, 20, 0, "divs.w #imm,d0"),
    (0x80F0, 2, 21, F_INDEXED, "divu.w (d8,a0,xi),d0"),
    (0x4E56, 2, 2, 0, "link.w a6,#d"),
    (0x4E5E, 1, 1, 0, "unlk a6"),
    (0x6602, 1, 1, F_BRANCH, "bne.b"),
    (0x6600, 2, 1, F_BRANCH, "bne.w"),
    (0x66FF, 3, 1, F_BRANCH, "bne.l"),
    (0x60FF, 3, 1, F_BRANCH, "bra.l"),
    (0x6100, 2, 1, F_BRANCH, "bsr.w"),
    (0x4E90, 1, 5, F_BRANCH, "jsr (a0)"),
    (0x4EF0, 2, 6, F_BRANCH | F_INDEXED, "jmp (d8,a0,xi)"),
    (0x4EB9, 3, 1, F_BRANCH, "jsr xxx.l"),
    (0x4E75, 1, 2, F_BRANCH, "rts"),
    (0x4E73, 1, 15, F_BRANCH | F_PRIVILEGED, "rte"),
    (0x4E4F, 1, 0, F_BRANCH, "trap #15"),
    (0x4E71, 1, 6, 0, "nop"),
    (0x4E72, 2, 6, F_BRANCH | F_PRIVILEGED, "stop #sr"),
    (0x4E7B, 2, 20, F_PRIVILEGED, "movec"),
    (0x4E60, 1, 1, F_PRIVILEGED, "move a0,usp"),
    (0x40C0, 1, 1, F_PRIVILEGED, "move sr,d0"),
    (0x46FC, 2, 9, F_PRIVILEGED, "move #imm,sr"),
    (0x44FC, 2, 1, 0, "move #imm,ccr"),
    (0x4AC8, 1, 1, F_BRANCH | F_PRIVILEGED, "halt"),
    (0x51FA, 2, 1, 0, "tpf.w #imm"),
    (0x51FB, 3, 1, 0, "tpf.l #imm"),
    (0x51FC, 1, 1, 0, "tpf"),
    (0xA140, 1, 1, 0, "mov3q #-1,d0"),
    (0x7140, 1, 1, 0, "mvs.w d0,d0"),
    (0x71F9, 3, 1, 0, "mvz.w xxx.l,d0"),
    (0x4C80, 1, 1, 0, "sats d0"),
    (0xA005, 2, 1, 0, "mac d5,d0"),
    (0xA068, 3, 1, 0, "mac with load (d16,a0)"),
    (0xA13C, 3, 1, 0, "move.l #imm,acc0"),
    (0xAB3C, 3, 1, 0, "move.l #imm,accext01"),
    (0xA180, 1, 1, 0, "move.l acc0,d0"),
    (0xF200, 2, 1, F_FPU, "fpu, register"),
    (0xF22E, 3, 1, F_FPU, "fpu, (d16,a6)"),
    (0xF280, 2, 2, F_BRANCH, "fnop"),
    (0xF2C1, 3, 2, F_BRANCH, "fbeq.l"),
    (0xF32F, 2, 4, F_PRIVILEGED, "fsave (d16,a7)"),
    (0xF468, 1, 9, F_PRIVILEGED, "cpushl dc,(a0)"),
    (0xF428, 1, 19, F_PRIVILEGED, "intouch (a0)"),
    (0xFBD0, 2, 1, F_PRIVILEGED, "wdebug (a0)"),
    (0xFB90, 1, 1, 0, "wddata.l (a0)"),
]


@pytest.mark.parametrize(("op", "words", "cycles", "flags", "instruction"), EXAMPLES)
def test_instruction(op: int, words: int, cycles: int, flags: int, instruction: str) -> None:
    assert TABLE[op][["words", "cycles", "flags"]].tolist() == (words, cycles, flags), instruction


# Hardware sheet 4.1: "Not in any ColdFire", and what only other ColdFires have.
ABSENT = [
    (0x0000, "ori.b"),
    (0xD000, "add.b"),
    (0xD040, "add.w"),
    (0x9050, "sub.w"),
    (0x4440, "neg.w"),
    (0xE040, "asr.w"),
    (0xE098, "ror.l"),
    (0xE090, "roxr.l"),
    (0x51C8, "dbf"),
    (0xC140, "exg"),
    (0x4E74, "rtd"),
    (0x4180, "chk.w"),
    (0x4E70, "reset"),
    (0x4E77, "rtr"),
    (0x4808, "link.l"),
    (0xB0C0, "cmpa.w: sheet 7 item 33"),
    (0x48E7, "movem.l list,-(a7)"),
    (0x4CDF, "movem.l (a7)+,list"),
    (0x50D0, "scc (a0)"),
    (0x217C, "move.l #imm,(d16,a0)"),
    (0x11BC, "move.b #imm,(d8,a0,xi)"),
    (0x23F9, "move.l xxx.l,xxx.l"),
    (0x2170, "move.l (d8,a0,xi),(d16,a0)"),
    (0x107C, "movea.b"),
    (0x1008, "move.b a0,d0"),
    (0x4C30, "mulu.l (d8,a0,xi)"),
    (0x08F0, "bset #n,(d8,a0,xi)"),
    (0x00C0, "bitrev: ISA_C"),
    (0x02C0, "byterev: ISA_C"),
    (0x04C0, "ff1: ISA_C"),
    (0x40E7, "strldsr: ISA_C"),
    (0xF230, "fadd (d8,a0,xi)"),
    (0xF239, "fadd xxx.l"),
    (0xF240, "fscc"),
    (0xF320, "fsave -(a0)"),
    (0x4AFC, "illegal"),
    (0xA190, "maaac: EMAC_B"),
    (0x4E7A, "movec rc,rx: write only, sheet 2.1"),
    (0xAFFF, "line A"),
    (0xFFFF, "line F"),
]


@pytest.mark.parametrize(("op", "instruction"), ABSENT)
def test_instruction_that_the_v4e_lacks(op: int, instruction: str) -> None:
    assert TABLE["flags"][op] == F_ILLEGAL, instruction
