"""Disassembly: the op-word table decides legality and length, capstone writes the text, ColdFire names on top."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emu.debug.disassembly import CONTROL_REGISTERS, Line, disassemble
from emu.timing.optable import F_ILLEGAL, opcode_table

TABLE = opcode_table()
LEGAL_OPS = [int(op) for op in np.flatnonzero((TABLE["flags"] & F_ILLEGAL) == 0)]
# Second words of which one makes any two-word form complete (MULU.L, MULS.L, WDEBUG, FMOVE in and out, FMOVEM and
# FMOVE to FPIAR).
SECOND_WORDS = (0x0000, 0x0800, 0x0003, 0x4400, 0x6400, 0xD001, 0x8400)


def text(code: str) -> str:
    """Text of the first instruction of hexadecimal ``code`` at address 0x1000."""
    return disassemble(bytes.fromhex(code), 0x1000)[0].text


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("4e71", "nop"),
        ("203c12345678", "move.l #$12345678, d0"),
        ("7140", "mvs.w d0, d0"),
        ("4ac8", "halt"),
        ("60fe", "bra $1000"),
        ("f22e54220010", "fadd.d $10(a6), fp0"),
        ("a0050800", "mac.l d5, d0, acc0"),
    ],
)
def test_common_instructions(code: str, expected: str) -> None:
    assert text(code).replace("bra.b", "bra") == expected


@pytest.mark.parametrize(("number", "name"), CONTROL_REGISTERS.items())
def test_movec_names_every_control_register(number: int, name: str) -> None:
    assert text(f"4e7b9{number:03x}") == f"movec a1, {name}"


def test_movec_to_a_register_that_does_not_exist_shows_the_number() -> None:
    assert text("4e7b0123") == "movec d0, #$123"


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("4a48", "tst.w a0"),
        ("4a7a0010", "tst.w $1012(pc)"),
        ("4abc00000005", "tst.l #$5"),
        ("4ab81234", "tst.l $1234.w"),
        ("4a00", "tst.b d0"),
        ("7309", "mvs.b a1, d1"),
        ("758a", "mvz.b a2, d2"),
    ],
)
def test_the_modes_that_capstone_refuses(code: str, expected: str) -> None:
    assert text(code) == expected


@pytest.mark.parametrize("code", ["0000", "4afc", "ffff", "d000", "48e7", "40e7", "f240"])
def test_what_no_v4e_has_is_data_even_where_the_68000_has_it(code: str) -> None:
    lines = disassemble(bytes.fromhex(code + "4e71"), 0)

    assert lines == [Line(0, bytes.fromhex(code), f".short 0x{code}")]


def test_every_legal_op_word_is_as_long_as_the_table_says_and_has_a_text() -> None:
    unreadable = []
    for op in LEGAL_OPS:
        for second in SECOND_WORDS:
            (line,) = disassemble(op.to_bytes(2, "big") + second.to_bytes(2, "big") + bytes(2), 0x1000)
            assert len(line.bytes) == 2 * TABLE["words"][op], hex(op)
            if not line.text.startswith(".short"):
                break
        else:
            unreadable.append(hex(op))

    assert unreadable == []


@given(code=st.binary(max_size=64), va=st.integers(0, 0xFFFFFFFF))
def test_no_byte_is_lost_or_shown_twice(code: bytes, va: int) -> None:
    lines = disassemble(code, va, count=100)

    assert b"".join(line.bytes for line in lines) == code
    assert all(line.text for line in lines)
    offsets = np.cumsum([0] + [len(line.bytes) for line in lines])
    assert [line.va for line in lines] == [(va + int(offset)) & 0xFFFFFFFF for offset in offsets[:-1]]


def test_at_most_count_lines() -> None:
    assert len(disassemble(bytes.fromhex("4e71") * 10, 0, count=3)) == 3


def test_an_instruction_that_is_cut_off_is_data() -> None:
    assert disassemble(bytes.fromhex("203c1234"), 0)[0].text == ".short 0x203c"
    assert disassemble(b"\x4e", 8) == [Line(8, b"\x4e", ".byte 0x4e")]
    assert disassemble(b"", 0) == []
