"""Cycles of single instructions, and the costs that are no instruction."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emu.errors import UsageError
from emu.timing.constants import Costs, cost_notes
from emu.timing.cost import popcount16
from emu.timing.optable import F_FPU, F_ILLEGAL, F_MOVEM, opcode_table
from tests.support.flat_cycles import flat_cycles

TABLE = opcode_table()
WORDS = st.integers(0, 0xFFFF)


@given(WORDS)
def test_popcount(value: int) -> None:
    assert popcount16(value) == value.bit_count()


def test_popcount_looks_at_sixteen_bits_only() -> None:
    assert popcount16(0xFFFF_0001) == 1


@given(op=WORDS, ext=WORDS)
def test_only_register_lists_and_the_fpu_depend_on_the_second_word(op: int, ext: int) -> None:
    if not TABLE["flags"][op] & (F_MOVEM | F_FPU):
        assert flat_cycles(TABLE, op, ext) == TABLE["cycles"][op]


@given(op=WORDS, ext=WORDS)
def test_a_legal_instruction_other_than_trap_costs_something(op: int, ext: int) -> None:
    free = bool(TABLE["flags"][op] & F_ILLEGAL) or op & 0xFFF0 == 0x4E40

    assert (flat_cycles(TABLE, op, ext) == 0) == free


@pytest.mark.parametrize("op", [0x48D0, 0x48E8, 0x4CD0, 0x4CE8])
@given(registers=WORDS)
def test_movem_costs_one_cycle_a_register_and_at_least_one(op: int, registers: int) -> None:
    assert flat_cycles(TABLE, op, registers) == max(1, registers.bit_count())


REGISTER, MEMORY = 0xF200, 0xF210  # FPU op word: register operands, (a0)

FPU_EXAMPLES = [
    (REGISTER, 0x0000, 1, "fmove fp0,fp0"),
    (REGISTER, 0x0018, 1, "fabs"),
    (REGISTER, 0x001A, 1, "fneg"),
    (REGISTER, 0x003A, 1, "ftst"),
    (REGISTER, 0x0040, 1, "fsmove"),
    (REGISTER, 0x005E, 1, "fdneg"),
    (REGISTER, 0x0022, 4, "fadd"),
    (REGISTER, 0x0028, 4, "fsub"),
    (REGISTER, 0x0023, 4, "fmul"),
    (REGISTER, 0x0038, 4, "fcmp"),
    (REGISTER, 0x0001, 4, "fint"),
    (REGISTER, 0x0003, 4, "fintrz"),
    (REGISTER, 0x0066, 4, "fdadd"),
    (REGISTER, 0x0020, 23, "fdiv"),
    (REGISTER, 0x0060, 23, "fsdiv"),
    (REGISTER, 0x0064, 23, "fddiv"),
    (REGISTER, 0x0004, 56, "fsqrt"),
    (REGISTER, 0x0041, 56, "fssqrt"),
    (REGISTER, 0x0045, 56, "fdsqrt"),
    (MEMORY, 0x4422, 4, "fadd.s (a0),fp0"),
    (MEMORY, 0x5422, 5, "fadd.d (a0),fp0: two longwords"),
    (MEMORY, 0x6400, 1, "fmove.s fp0,(a0)"),
    (MEMORY, 0x7400, 2, "fmove.d fp0,(a0): two longwords"),
    (MEMORY, 0x8400, 1, "fmove (a0),fpiar"),
    (MEMORY, 0xB000, 1, "fmove fpcr,(a0)"),
    (MEMORY, 0xD0FF, 16, "fmovem.d (a0),fp0-fp7"),
    (MEMORY, 0xF001, 2, "fmovem.d fp7,(a0)"),
    (MEMORY, 0xF000, 1, "fmovem.d of an empty list"),
]


@pytest.mark.parametrize(("op", "ext", "cycles", "instruction"), FPU_EXAMPLES)
def test_fpu_instruction(op: int, ext: int, cycles: int, instruction: str) -> None:
    assert flat_cycles(TABLE, op, ext) == cycles, instruction


# --- Costs that are no instruction ------------------------------------------------------------------------------------


def test_every_cost_is_printable_with_its_source() -> None:
    notes = {note.name: note for note in cost_notes(Costs())}

    assert notes["exception_entry"].cycles == 18
    assert all(note.source and note.confidence in {"2S", "1S", "INF"} for note in notes.values())


def test_an_overridden_cost_does_not_borrow_the_source_of_the_default() -> None:
    notes = {note.name: note for note in cost_notes(Costs(line_first=50))}

    assert (notes["line_first"].cycles, notes["line_first"].source) == (50, "set by the user")
    assert "sheet 4.7" in notes["inhibited_read"].source


def test_a_line_takes_what_the_sheet_says_and_its_first_longword_what_an_inhibited_read_does() -> None:
    costs = Costs()
    assert costs.line_first + costs.line_burst == 30
    assert costs.line_first == costs.inhibited_read


@pytest.mark.parametrize(("value", "complaint"), [(-1, "-1 is not between"), (10**9, "is not between"), (True, "True")])
def test_a_cost_out_of_range_is_refused_by_name(value: int, complaint: str) -> None:
    with pytest.raises(UsageError, match=rf"^costs\.inhibited_read: .*{re.escape(complaint)}"):
        Costs(inhibited_read=value)
