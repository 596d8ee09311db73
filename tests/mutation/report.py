"""What a run means: survivors that nobody has explained, explanations that are no longer true, and the document."""

import ast
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.mutation.operators import Mutant
from tests.mutation.trial import Verdict

__all__ = ["Judgement", "document", "functions_of", "load_equivalents"]

Row = tuple[str, str]  # module, function

HEAD = """# Mutation testing of the MMU

`make mutation` changes `emu/mmu` in every small way that a test should notice, one change at a time, and runs the tests
of the MMU against each change (`tests/mutation`). It writes this document, and fails if a change survives that is not
explained below, or if an explanation no longer holds. `make mutation ARGS="tlb.match window"` tries a part and prints.

Changed are: arithmetic, bit, shift, comparison and boolean operators (replaced; either operand alone), conditions
(negated, always, never), numbers (one more, one less, 0), texts that are names or formats, statements (dropped),
returned values, `break` and `continue`, `min` and `max`. Not changed are annotations, imports, docstrings, and texts
for readers only (meanings and sources in the tables of registers). "Tables and constants" is what a module makes while
it is imported: bit fields, register numbers, masks, the layout of the record.

The tests are those of `tests/unit/mmu`, and the comparison with the independent model of `tests/oracle`. Both run as
plain Python, without numba, on fixed examples.
"""


@dataclass(frozen=True)
class Judgement:
    """Verdicts seen against the explanations: ``equivalents`` gives the reason for each mutant that must survive."""

    verdicts: Sequence[Verdict]
    equivalents: Mapping[str, str]

    @property
    def survivors(self) -> list[str]:
        """Mutants that no test notices and nobody has explained."""
        return [v.mutant.name for v in self.verdicts if v.survived and v.mutant.name not in self.equivalents]

    @property
    def refuted(self) -> list[str]:
        """Mutants called equivalent that a test tells apart."""
        return [f"{v.mutant.name} ({v.killer})" for v in self.verdicts if self._is_refuted(v)]

    def _is_refuted(self, verdict: Verdict) -> bool:
        return not verdict.survived and verdict.mutant.name in self.equivalents

    def gone(self, mutants: Iterable[Mutant]) -> list[str]:
        """Explanations of mutants that are not among ``mutants``, which must be all there are."""
        names = {mutant.name for mutant in mutants}
        return [name for name in self.equivalents if name not in names]

    def table(self) -> list[str]:
        """A row per function, and their sum."""
        made, killed, explained = Counter[Row](), Counter[Row](), Counter[Row]()
        for verdict in self.verdicts:
            row = verdict.mutant.module, verdict.mutant.function
            made[row] += 1
            killed[row] += not verdict.survived
            explained[row] += verdict.survived and verdict.mutant.name in self.equivalents
        lines = ["| module | function | mutants | killed | survivors | equivalent |", "|---|---|---:|---:|---:|---:|"]
        for module, function in made:
            row = module, function
            lines.append(_cells(module, f"`{function}`", made[row], killed[row], explained[row]))
        return [*lines, _cells("**all**", "", made.total(), killed.total(), explained.total())]


def _cells(module: str, function: str, made: int, killed: int, explained: int) -> str:
    return f"| {module} | {function} | {made} | {killed} | {made - killed - explained} | {explained} |"


def functions_of(trees: Mapping[str, ast.Module]) -> set[Row]:
    """Every function of the modules, methods as ``Class.method``."""
    found = set()
    for module, tree in trees.items():
        for node in tree.body:
            inner = node.body if isinstance(node, ast.ClassDef) else [node]
            outer = f"{node.name}." if isinstance(node, ast.ClassDef) else ""
            found |= {(module, outer + item.name) for item in inner if isinstance(item, ast.FunctionDef)}
    return found


def load_equivalents(path: Path) -> dict[str, str]:
    """Mutant -> reason; ValueError for a mutant named twice."""
    equivalents: dict[str, str] = {}
    for group in tomllib.loads(path.read_text())["equivalent"]:
        for name in group["mutants"]:
            if name in equivalents:
                raise ValueError(f"{path.name}: named twice: {name}")
            equivalents[name] = group["reason"]
    return equivalents


def document(judgement: Judgement) -> str:
    """docs/mutation.md, the same for the same sources and tests."""
    lines = [HEAD, "## By function", "", *judgement.table()]
    if judgement.survivors:
        lines += ["", "## Survivors", "", *(f"- `{name}`" for name in judgement.survivors)]
    by_reason: dict[str, list[str]] = {}
    for name, reason in judgement.equivalents.items():
        by_reason.setdefault(reason, []).append(name)
    lines += ["", "## Equivalent mutants", "", "Changes that no test can notice, and why."]
    for reason, names in by_reason.items():
        lines += ["", reason, "", *(f"- `{name}`" for name in names)]
    return "\n".join(lines) + "\n"
