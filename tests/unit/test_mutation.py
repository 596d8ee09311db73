"""The mutation run itself: what it changes, that a test which fails kills, and what the report says."""

import ast
import json
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.mutation.operators import TABLES, Mutant, mutants_of
from tests.mutation.plain import ROOT, load_trees
from tests.mutation.report import Judgement, document, functions_of, load_equivalents
from tests.mutation.trial import Verdict, forked


def changes(source: str) -> set[str]:
    """What ``x``, the function or the table of a one-line module, may become."""
    return {mutant.change.partition(" -> ")[2] for mutant in mutants_of("m", ast.parse(source))}


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("return a & b", {"a", "b", "a | b", "a ^ b", "0"}),
        ("return a << b", {"a", "b", "a >> b", "0"}),
        ("return a and b and c", {"b and c", "a and c", "a and b", "a or b or c", "0"}),
        ("return a < b", {"a <= b", "a >= b", "0"}),
        ("return not a", {"a", "0"}),
        ("return a[7]", {"a[8]", "a[6]", "a[0]", "0"}),
        ("return min(a)", {"max(a)", "0"}),
        ("return True", {"False"}),
        ("return 'name'", {"'XXname'"}),
    ],
)
def test_expressions(statement: str, expected: set[str]) -> None:
    found = changes(f"def f(a, b, c):\n    {statement}\n    d()")
    assert found == {f"return {value}" for value in expected} | {"pass"}


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("a = b", {"pass"}),
        ("a += b", {"pass", "a -= b"}),
        ("if a:\n        b()", {"if not a:", "if True:", "if False:", "pass"}),
        ("while a:\n        break", {"while not a:", "pass", "continue"}),
        ("for a in b:\n        continue", {"pass", "break"}),
    ],
)
def test_statements(statement: str, expected: set[str]) -> None:
    assert changes(f"def f(a, b):\n    {statement}\n    d()") == expected | {"pass"}


def test_what_is_no_behaviour_stays() -> None:
    source = '''"""Text."""
from typing import Final
__all__ = ["f"]
@dataclass(frozen=True)
class C:
    """Text."""
    a: Literal["x"]
F = BitField("V", 1, "valid", "ro", "page 1")
TEXTS: dict[int, str] = {one: "text"}
MANUAL = "page 1"
def f(a: "int") -> "int":
    """Text."""
'''
    tables = [mutant.change for mutant in mutants_of("m", ast.parse(source))]
    assert [change.partition(" -> ")[2] for change in tables] == [
        "F = BitField('XXV', 1, 'valid', 'ro', 'page 1')",
        "F = BitField('V', 2, 'valid', 'ro', 'page 1')",
        "F = BitField('V', 0, 'valid', 'ro', 'page 1')",
        "F = BitField('V', 1, 'valid', 'XXro', 'page 1')",
    ]


def test_the_same_change_in_two_places_has_two_names() -> None:
    mutants = mutants_of("m", ast.parse("def f(a):\n    a = 1\n    a = 1\n"))
    assert [m.name for m in mutants if m.change.startswith("a = 1 -> a = 2")] == [
        "m.f: a = 1 -> a = 2",
        "m.f: a = 1 -> a = 2 (2)",
    ]


@pytest.fixture(scope="module")
def all_mutants() -> list[Mutant]:
    return [mutant for module, tree in load_trees().items() for mutant in mutants_of(module, tree)]


def test_every_function_and_table_of_the_mmu_has_mutants_with_names_of_their_own(all_mutants: list[Mutant]) -> None:
    assert len({mutant.name for mutant in all_mutants}) == len(all_mutants)
    rows = {(mutant.module, mutant.function) for mutant in all_mutants}
    assert {row for row in rows if row[1] != TABLES} == functions_of(load_trees())
    assert {module for module, function in rows if function == TABLES} >= {"registers", "state", "attributes", "tlb"}


def test_explanations_name_mutants_that_exist(all_mutants: list[Mutant]) -> None:
    equivalents = load_equivalents(ROOT / "tests" / "mutation" / "equivalents.toml")
    assert Judgement([], equivalents).gone(all_mutants) == []
    assert all(len(reason.split()) > 2 for reason in equivalents.values())


# In a process of its own: this one has compiled the package, and numba cannot be undone.
TRY = """
import json, sys
from tests.mutation.operators import mutants_of
from tests.mutation.plain import load_trees
from tests.mutation.trial import Trials
trees, names = load_trees(), sys.argv[1:]
mutants = [m for module in ("movec", "registers") for m in mutants_of(module, trees[module]) if m.name in names]
verdicts = Trials(trees, 2, lambda verdict: None, ["tests/unit/mmu/test_movec.py"]).run(mutants)
print(json.dumps({v.mutant.name: v.killer for v in verdicts}))
"""


def test_a_wrong_change_is_killed_and_one_that_is_not_tested_survives() -> None:
    function = "movec._changed: return EFFECT_NONE if before == after else EFFECT_ALL -> return 0"
    table = "registers._VBR: BitField('BA', 4293918720, 'vector base; bits 19-0 are not implemented (sheet 7 item 27)')"
    table += " -> BitField('BA', 0, 'vector base; bits 19-0 are not implemented (sheet 7 item 27)')"
    untested = "registers.FS_NONE: FS_NONE = 0 -> FS_NONE = 1"
    command = [sys.executable, "-c", TRY, function, table, untested]
    found = json.loads(subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout)
    assert set(found) == {function, table, untested}
    assert all(found[name].startswith("tests/unit/mmu/test_movec.py::test_") for name in (function, table))
    assert found[untested] == ""


def endless() -> str:
    signal.setitimer(signal.ITIMER_VIRTUAL, 0.01)
    while True:
        pass


def test_a_task_is_forked_and_ends_with_its_time() -> None:
    assert dict(forked([("quick", lambda: "answer"), ("endless", endless)], 2)) == {"quick": "answer", "endless": None}


def test_a_task_that_breaks_is_no_verdict() -> None:
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        list(forked([("broken", lambda: 1 // 0)], 1))


def verdicts(killers: Sequence[str]) -> list[Verdict]:
    found = mutants_of("m", ast.parse("def f(a):\n    return a + 1\n"))
    return [Verdict(mutant, killer) for mutant, killer in zip(found, killers)]


def test_report() -> None:
    # Given six mutants of one function: four killed, two not, one of these explained
    seen = verdicts(["test_1", "test_1", "", "", "test_2", "test_2"])
    judgement = Judgement(seen, {seen[2].mutant.name: "For a reason."})
    # When / Then
    text = document(judgement)
    assert "| m | `f` | 6 | 4 | 1 | 1 |" in text
    assert "| **all** |  | 6 | 4 | 1 | 1 |" in text
    assert judgement.survivors == [seen[3].mutant.name]
    assert f"## Survivors\n\n- `{seen[3].mutant.name}`\n" in text
    assert f"For a reason.\n\n- `{seen[2].mutant.name}`\n" in text


def test_explanations_that_no_longer_hold_are_found() -> None:
    seen = verdicts(["test_1"] * 6)
    mutants: list[Mutant] = [verdict.mutant for verdict in seen]
    judgement = Judgement(seen, {mutants[0].name: "Wrong.", "m.g: gone -> pass": "Old."})
    assert judgement.refuted == [f"{mutants[0].name} (test_1)"]
    assert judgement.gone(mutants) == ["m.g: gone -> pass"]


def test_a_mutant_is_explained_once(tmp_path: Path) -> None:
    path = tmp_path / "equivalents.toml"
    path.write_text('[[equivalent]]\nreason = "one"\nmutants = ["a", "a"]\n')
    with pytest.raises(ValueError, match="named twice: a"):
        load_equivalents(path)
