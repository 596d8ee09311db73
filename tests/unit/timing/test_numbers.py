"""Numbers of the time model from a file, and the list of all numbers."""

from pathlib import Path

import numpy as np
import pytest

from emu.errors import UsageError
from emu.time_numbers import Numbers, read_numbers
from emu.time_report import all_numbers
from emu.timing.constants import Costs
from emu.timing.isa import ROWS, SURCHARGES
from emu.timing.optable import opcode_table
from tests.support.flat_cycles import flat_cycles

NOT_A_CELL = {"FPU general"}  # costs instead: fpu_move, fdiv, ...
MOVEC, RTE, MOVE_INDEXED, MOVE_MEMORY = 0x4E7B, 0x4E73, 0x2030, 0x22D8


def file(folder: Path, text: str) -> Path:
    path = folder / "numbers.toml"
    path.write_text(text)
    return path


def test_a_file_changes_what_it_names_and_nothing_else(tmp_path: Path) -> None:
    numbers = read_numbers(file(tmp_path, "[costs]\nline_first = 40\n[cells]\nMOVEC = 12\nindexed = 3\n"))
    assert numbers.costs == Costs(line_first=40)
    table, own = opcode_table(numbers.cells)["cycles"], opcode_table()["cycles"]
    assert (table[MOVEC], own[MOVEC]) == (12, 20)
    assert (table[MOVE_INDEXED], own[MOVE_INDEXED]) == (4, 2)
    assert (table[RTE], table[MOVE_MEMORY]) == (own[RTE], own[MOVE_MEMORY])


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[costs]\nline_frist = 1\n", "costs.line_frist: no such cost"),
        ("[costs]\nline_first = -1\n", "costs.line_first: -1 is not between 0 and"),
        ("[costs]\nmultiply_operand = 4\n", "costs.multiply_operand: 4 is not between 0 and 3"),
        ("[costs]\nearly_index = 3\nearly_index_scaled = 2\n", "costs.early_index: 3 is more than"),
        ('[cells]\n"MOVEX" = 1\n', "cells.MOVEX: no such instruction"),
        ('[cells]\n"MOVEC" = 1001\n', "cells.MOVEC: 1001 is not between 0 and 1000"),
        ('[cells]\n"MOVEC" = "many"\n', "Expected `int`, got `str` - at `$.cells[...]`"),
        ("[prices]\n", "unknown field `prices`"),
        ("[costs\n", "expected ']'"),
    ],
)
def test_a_bad_file_is_one_line_that_names_it_and_the_key(tmp_path: Path, text: str, complaint: str) -> None:
    path = file(tmp_path, text)
    with pytest.raises(UsageError) as error:
        read_numbers(path)
    assert str(error.value).startswith(f"{path}: ")
    assert complaint.lower() in str(error.value).lower()
    assert "\n" not in str(error.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"nothing\.toml: no such file"):
        read_numbers(tmp_path / "nothing.toml")


def test_every_number_has_a_source() -> None:
    numbers = all_numbers(Numbers())
    assert {n.name for n in numbers if n.kind == "cells"} == ({row.name for row in ROWS} - NOT_A_CELL) | set(SURCHARGES)
    assert all(n.source and n.confidence in {"2S", "1S", "INF", "UNV"} and n.cycles == n.default for n in numbers)


def test_a_changed_number_is_the_users() -> None:
    changed = {
        n.name: n for n in all_numbers(Numbers(Costs(fdiv=20), (("MOVEC", 12),))) if n.source == "set by the user"
    }
    assert {name: (n.cycles, n.default) for name, n in changed.items()} == {"fdiv": (20, 23), "MOVEC": (12, 20)}


@pytest.mark.parametrize("name", sorted({row.name for row in ROWS} - NOT_A_CELL | set(SURCHARGES)))
def test_every_cell_that_can_be_changed_changes_what_an_instruction_costs(name: str) -> None:
    cell = next((row.cell for row in ROWS if row.name == name), SURCHARGES.get(name))
    assert cell is not None
    own, changed = opcode_table(), opcode_table(((name, cell.cycles + 7),))
    ops = np.flatnonzero(own["cycles"] != changed["cycles"])
    assert len(ops)
    one_register = 0x0001  # the list of a MOVEM
    assert all(flat_cycles(changed, op, one_register) > flat_cycles(own, op, one_register) for op in ops[:64])


def test_a_cell_that_nothing_reads_cannot_be_changed() -> None:
    with pytest.raises(UsageError, match=r"cells\.FPU general: no such instruction"):
        opcode_table((("FPU general", 2),))
