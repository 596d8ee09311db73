"""Which mutants the tests notice: every mutant in a forked process of its own.

The tests are collected once, with the package as plain Python (:mod:`tests.mutation.plain`). A fork changes the code of
one function and runs the tests that call it until one fails: those first that killed other mutants of this function,
then the quickest. What is made while a module is imported - tables, constants, all that ``registers`` does - is also in
the variables and parameters of the tests: for such a mutant the fork imports and collects anew, and runs all tests.

Verdicts depend neither on the order of the tests nor on the speed of the machine: properties are tried on fixed
examples, and endless loops end by a limit of CPU time.
"""

import ast
import importlib
import json
import os
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from hypothesis import Phase, settings

from tests.mutation.operators import TABLES, Mutant
from tests.mutation.plain import PACKAGE, ROOT, PlainPython, compiled, module_of

__all__ = ["Trials", "Verdict", "forked"]

LOCKSTEP = "tests/conformance/test_mmu_against_oracle.py"
TESTS = (
    "tests/unit/mmu",
    *(f"{LOCKSTEP}::test_quick[{entries}]" for entries in (3, 33)),
    f"{LOCKSTEP}::test_quick_with_the_other_reading_of_cas",
    f"{LOCKSTEP}::test_reset_from_any_state",
    f"{LOCKSTEP}::test_no_entry_answers_before_the_first_load",
)
OPTIONS = [
    "--assert=plain",
    "--import-mode=importlib",
    "--capture=no",
    "--override-ini=addopts=",
    "--pythonwarnings=ignore::pytest.PytestAssertRewriteWarning",
    f"--rootdir={ROOT}",
]
PLUGINS = ["-p", "no:terminal", "-p", "no:cacheprovider"]
EXAMPLES = 25  # of each property; a mutant that needs more luck than that needs a test of its own

# Its functions make the constants of all other modules while they are imported.
IMPORTED_FROM = "registers"

LOADED_AGAIN = ("emu", "tests.unit", "tests.conformance", "tests.conftest")

LEAST_LIMIT = 2.0  # CPU seconds that a test may take; ten times what it usually takes if that is more
MEMORY = 8 << 30  # bytes; a shift by a wrong count asks for any amount

SURVIVED = ""
OUT_OF_TIME = "out of time"
CANNOT_START = "the tests cannot be collected"


@dataclass(frozen=True)
class Verdict:
    """``killer``: the test that failed, or why none could; empty if the mutant survived."""

    mutant: Mutant
    killer: str

    @property
    def survived(self) -> bool:
        return self.killer == SURVIVED


@dataclass(frozen=True)
class Measured:
    """CPU seconds that a test takes, and the functions, (module, function), that it calls."""

    seconds: float
    calls: set[tuple[str, str]]


class Tests:
    """A pytest plugin that has the tests collected and then, instead of running them, calls ``use`` with itself."""

    def __init__(self, chosen: Sequence[str], use: Callable[["Tests"], None]) -> None:
        self.chosen = chosen
        self.use = use
        self.items: list[pytest.Item] = []
        self.failed = False
        self.error: BaseException | None = None

    def collect(self) -> None:
        """Start pytest; afterwards ``items`` is empty if the tests could not even be collected."""
        pytest.main([*OPTIONS, *PLUGINS, *(str(ROOT / test) for test in self.chosen)], plugins=[self])
        if self.error:
            raise self.error

    @pytest.hookimpl
    def pytest_collection(self) -> None:
        """Settings for properties, in place of those of tests/conftest.py: nobody needs small counterexamples."""
        settings.register_profile(
            "mutation",
            settings.get_profile("cfemu"),
            max_examples=EXAMPLES,
            database=None,
            report_multiple_bugs=False,
            phases=(Phase.explicit, Phase.generate),
        )
        settings.load_profile("mutation")

    @pytest.hookimpl
    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        self.failed |= report.failed

    @pytest.hookimpl
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.failed |= report.failed

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        if not self.failed:
            self.items = session.items
            try:
                self.use(self)
            except BaseException as error:  # pytest would swallow it
                self.error = error
        return True

    def passes(self, item: pytest.Item, limit: float) -> bool:
        """Run one test; the process ends if it takes more than ``limit`` seconds of CPU time."""
        self.failed = False
        signal.setitimer(signal.ITIMER_VIRTUAL, limit)
        item.ihook.pytest_runtest_protocol(item=item, nextitem=None)
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        return not self.failed


class Trials:
    """Tries mutants of ``trees`` with ``chosen`` tests, ``jobs`` at a time; ``progress`` hears of each verdict."""

    def __init__(
        self,
        trees: Mapping[str, ast.Module],
        jobs: int,
        progress: Callable[[Verdict], None],
        chosen: Sequence[str] = TESTS,
    ) -> None:
        self.trees = trees
        self.chosen = chosen
        self.jobs = jobs
        self.progress = progress
        self.python = PlainPython(trees)
        self.measured: dict[str, Measured] = {}  # each test, without a mutation
        self.kills: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)  # of each test, by function

    def run(self, mutants: Sequence[Mutant]) -> list[Verdict]:
        """The verdicts in the order of ``mutants``; RuntimeError if a test fails without a mutation."""
        found: dict[str, Verdict] = {}

        def use(tests: Tests) -> None:
            self.measured = self._measured(tests)
            for verdict in self._verdicts(tests, mutants):
                found[verdict.mutant.name] = verdict
                self.kills[_row(verdict.mutant)][verdict.killer] += 1
                self.progress(verdict)

        self.python.install()
        tests = Tests(self.chosen, use)
        tests.collect()
        if not tests.items:
            raise RuntimeError(CANNOT_START)
        return [found[mutant.name] for mutant in mutants]

    def _measured(self, tests: Tests) -> dict[str, Measured]:
        """What each test takes and calls; none may fail."""

        def measure() -> list[tuple[str, float, bool, list[tuple[str, str]]]]:
            found = []
            for item in tests.items:
                start = time.process_time()
                with calls() as called:
                    passed = tests.passes(item, 3600)
                found.append((item.nodeid, time.process_time() - start, passed, sorted(called)))
            return found

        ((_, found),) = forked([("", measure)], 1)
        failing = [test for test, _, passed, _ in found if not passed]
        if failing:
            raise RuntimeError(f"these tests fail without a mutation: {', '.join(failing)}")
        return {test: Measured(seconds, {(m, f) for m, f in called}) for test, seconds, _, called in found}

    def _verdicts(self, tests: Tests, mutants: Sequence[Mutant]) -> Iterator[Verdict]:
        """The verdicts as they come."""
        tasks = ((mutant, partial(self._try, tests, mutant)) for mutant in mutants)
        for mutant, killer in forked(tasks, self.jobs):
            yield Verdict(mutant, OUT_OF_TIME if killer is None else killer)

    def _try(self, tests: Tests, mutant: Mutant) -> str:
        """In a fork: make the change, and return the first test that fails."""
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        mutant.apply()
        code = compiled(mutant.module, self.trees[mutant.module])
        if mutant.function != TABLES and mutant.module != IMPORTED_FROM:
            _replace_code(f"{PACKAGE}.{mutant.module}", mutant.function, code)
            concerned = [item for item in tests.items if _row(mutant) in self.measured[item.nodeid].calls]
            return self._first_failing(tests, concerned, mutant)
        for name in list(sys.modules):
            if name.startswith(LOADED_AGAIN):
                del sys.modules[name]
        self.python.codes[mutant.module] = code
        # To collect all tests takes longer than most of these mutants live.
        own = {test.partition("::")[0] for test in self.measured if _own(mutant) in test}
        for chosen in filter(None, (sorted(own), self.chosen)):
            killer = self._collect_and_try(chosen, mutant)
            if killer != SURVIVED:
                return killer
        return SURVIVED

    def _collect_and_try(self, chosen: Sequence[str], mutant: Mutant) -> str:
        killers: list[str] = []
        Tests(chosen, lambda tests: killers.append(self._first_failing(tests, tests.items, mutant))).collect()
        return killers[0] if killers else CANNOT_START

    def _first_failing(self, tests: Tests, items: Sequence[pytest.Item], mutant: Mutant) -> str:
        kills = self.kills[_row(mutant)]

        def rank(item: pytest.Item) -> tuple[object, ...]:
            return -kills[item.nodeid], _own(mutant) not in item.nodeid, self._seconds(item)

        for item in sorted(items, key=rank):
            if not tests.passes(item, max(LEAST_LIMIT, 10 * self._seconds(item))):
                return item.nodeid
        return SURVIVED

    def _seconds(self, item: pytest.Item) -> float:
        # A mutant in a table can make tests that were not there before.
        return self.measured[item.nodeid].seconds if item.nodeid in self.measured else 0.0


@contextmanager
def calls() -> Iterator[set[tuple[str, str]]]:
    """The functions of the package, (module, function), that are called meanwhile."""
    found: set[tuple[str, str]] = set()

    def note(frame: FrameType, event: str, _: object) -> None:
        module = module_of(frame.f_code)
        if event == "call" and module is not None:
            found.add((module, frame.f_code.co_qualname))

    sys.setprofile(note)
    try:
        yield found
    finally:
        sys.setprofile(None)


def _row(mutant: Mutant) -> tuple[str, str]:
    return mutant.module, mutant.function


def _own(mutant: Mutant) -> str:
    """What the names of the tests of a module have in common."""
    return f"/test_{mutant.module.removesuffix('s')}"


def _replace_code(module: str, function: str, code: Any) -> None:
    """Give a function the code that it has in another version of its module: whoever imported it uses it."""
    namespace = {"__name__": module}
    exec(code, namespace)
    old, new = getattr(importlib.import_module(module), function), namespace[function]
    for attribute in ("__code__", "__defaults__", "__kwdefaults__"):
        setattr(old, attribute, getattr(new, attribute))


def forked(tasks: Any, jobs: int) -> Iterator[tuple[Any, Any]]:
    """(key, result) of each (key, task) as they come; None for the result of a task whose CPU time ran out."""
    waiting, running = iter(tasks), dict[int, tuple[Any, Path]]()
    with tempfile.TemporaryDirectory() as folder:
        started = 0
        while True:
            for key, task in islice(waiting, jobs - len(running)):
                started += 1
                result = Path(folder, str(started))
                running[_fork(task, result)] = key, result
            if not running:
                return
            process, status = os.wait()
            key, result = running.pop(process)
            if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGVTALRM:
                yield key, None
                continue
            answer = result.read_text() if result.exists() else ""
            if status != 0:
                raise RuntimeError(f"{key}: status {status}\n{answer}")
            result.unlink()
            yield key, json.loads(answer)


def _fork(task: Callable[[], object], result: Path) -> int:
    """Start ``task`` in a fork that writes its answer, or how it failed, to a file; returns the process."""
    sys.stdout.flush()
    sys.stderr.flush()
    process = os.fork()
    if process:
        return process
    status = 1
    try:
        nothing = os.open(os.devnull, os.O_RDWR)
        for stream in range(3):
            os.dup2(nothing, stream)
        result.write_text(json.dumps(task()))
        status = 0
    except BaseException:
        result.write_text(traceback.format_exc())
    finally:
        os._exit(status)
