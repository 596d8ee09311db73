"""``make mutation``: does a test notice every small change of ``emu/mmu``? Writes docs/mutation.md.

Exit status 1 if a mutant survives that ``equivalents.toml`` does not explain, if it explains one that a test kills or
that does not exist, or if a function has no mutant.
"""

import argparse
import os
import sys
import time
from pathlib import Path

os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # before pytest looks: nothing of this environment takes part

from tests.mutation.operators import TABLES, Mutant, mutants_of
from tests.mutation.plain import ROOT, load_trees
from tests.mutation.report import Judgement, document, functions_of, load_equivalents
from tests.mutation.trial import Trials, Verdict

DOCUMENT = ROOT / "docs" / "mutation.md"
EQUIVALENTS = Path(__file__).with_name("equivalents.toml")


class Progress:
    """One line on a terminal, or a line now and then."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.done = 0
        self.survived = 0
        self.start = time.monotonic()

    def __call__(self, verdict: Verdict) -> None:
        self.done += 1
        self.survived += verdict.survived
        terminal = sys.stderr.isatty()
        if terminal or self.done % 250 == 0 or self.done == self.count:
            minutes = (time.monotonic() - self.start) / 60
            line = f"{self.done} of {self.count} mutants, {self.survived} survived, {minutes:.1f} minutes"
            print(line, end="\r" if terminal and self.done < self.count else "\n", file=sys.stderr, flush=True)


def chosen(mutants: list[Mutant], names: list[str]) -> list[Mutant]:
    """Those of the named modules (``tlb``) and functions (``tlb.match``); all of them if nothing is named."""
    return [m for m in mutants if not names or {m.module, f"{m.module}.{m.function}"} & set(names)]


def main() -> int:
    """Run, say what is wrong, and write the document if all mutants were tried."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("names", nargs="*", help="modules (tlb) or functions (tlb.match); without: all, and docs/")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes (default: one per processor)")
    arguments = parser.parse_args()
    trees = load_trees()
    mutants = [mutant for module, tree in trees.items() for mutant in mutants_of(module, tree)]
    selected = chosen(mutants, arguments.names)
    if not selected:
        parser.error(f"no mutants of {', '.join(arguments.names)}")
    verdicts = Trials(trees, arguments.jobs, Progress(len(selected))).run(selected)
    judgement = Judgement(verdicts, load_equivalents(EQUIVALENTS))
    untouched = functions_of(trees) - {(m.module, m.function) for m in mutants if m.function != TABLES}
    problems = [
        *(f"survives: {name}" for name in judgement.survivors),
        *(f"called equivalent, but killed: {name}" for name in judgement.refuted),
        *(f"called equivalent, but does not exist: {name}" for name in judgement.gone(mutants)),
        *(f"has no mutant: {module}.{function}" for module, function in sorted(untouched)),
    ]
    if arguments.names:
        print("\n".join(judgement.table()))
    else:
        DOCUMENT.write_text(document(judgement))
        print(f"wrote {DOCUMENT.relative_to(ROOT)}")
    for problem in problems:
        print(problem, file=sys.stderr)
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main())
