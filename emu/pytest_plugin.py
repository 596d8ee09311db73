"""The pytest plugin: machines, traces and TLB misses under test (docs/regression.md).

pytest loads this module wherever the package is installed, so it imports nothing but pytest: what runs a guest is
imported by the fixture that needs it.
"""

import shlex
from collections.abc import Callable, Generator, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from emu.board import Board
    from emu.counters import Counters
    from emu.machine import Machine
    from emu.regression.measure import Mark
    from emu.regression.misses import Measurement
    from emu.trace.format import Trace

__all__ = ["MachineFactory", "TlbMisses"]

BASELINES = "tlb-baselines"  # directory beside the tests
ACCEPTED = "cfemu-accepted"  # user property of a report: workers send it to the process that prints
BUDGETS = ("itlb", "dtlb", "misses", "nested", "instructions", "cycles", "refill_cycles")
MAX_NAMES = 3  # regions and symbols named where a budget is exceeded

_machines = pytest.StashKey[list["Machine"]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("cfemu", "TLB misses under test")
    group.addoption(
        "--tlb-update", action="store_true", help="accept the TLB misses of the tests that run as their baselines"
    )
    parser.addini("cfemu_board", "board of the fixture `machine`; see `cfemu boards`", default="coyotos128")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        f"tlb_budget({', '.join(f'{name}=N' for name in BUDGETS)}): most that all machines of the test may count",
    )


# --- fixtures


@pytest.fixture
def board(pytestconfig: pytest.Config) -> "Board":
    """The board of ``machine``: the ini option ``cfemu_board``. Override it for another one."""
    from emu.board import get_board

    return get_board(pytestconfig.getini("cfemu_board"))


class MachineFactory:
    """``machine(elf)``: a machine at reset, with the program loaded; each is closed when the test is over."""

    def __init__(self, board: "Board", directory: Path, made: "list[Machine]") -> None:
        self.board = board
        self.directory = directory
        self._made = made

    def __call__(
        self,
        elf: str | Path | None = None,
        *,
        board: "Board | str | None" = None,
        regions: Mapping[str, tuple[int, int]] | None = None,
        **options: Any,
    ) -> "Machine":
        """``elf``: relative to the test's file. ``regions``: name -> VA from, VA to (exclusive), first match wins;
        None = as `cfemu run`. ``options``: as for :class:`emu.machine.Machine`."""
        from emu.board import get_board
        from emu.elf import load_elf
        from emu.foreground import name_regions
        from emu.machine import Machine

        chosen = get_board(board) if isinstance(board, str) else board or self.board
        program = None if elf is None else load_elf(self.directory / elf)
        machine = Machine(chosen, **options)
        self._made.append(machine)
        machine.start_profile()
        if program is not None:
            machine.load_elf(program)
        if regions is not None:
            for name, (start, end) in regions.items():
                machine.regions.add(name, start, end)
        elif program is not None:
            name_regions(machine, program, chosen)
        return machine


@pytest.fixture
def machine(board: "Board", request: pytest.FixtureRequest) -> Iterator[MachineFactory]:
    """Makes machines: ``machine("kernel.elf")``."""
    made: list[Machine] = []
    request.node.stash[_machines] = made
    yield MachineFactory(board, request.path.parent, made)
    for each in made:
        each.close()


@pytest.fixture
def trace(request: pytest.FixtureRequest) -> "Callable[[str | Path], Trace]":
    """Opens traces: ``trace("boot.cft")``, relative to the test's file."""

    def opened(path: str | Path) -> "Trace":
        from emu.trace.format import Trace

        return Trace(request.path.parent / path)

    return opened


class TlbMisses:
    """``tlb_misses.check(machine)``: its TLB misses are those of the baseline, exactly."""

    def __init__(self, node: pytest.Item, *, update: bool) -> None:
        self._node = node
        self._update = update
        self._checked: set[str] = set()
        self._accepted: dict[str, Measurement] = {}

    @property
    def path(self) -> Path:
        """The file with the baselines of this test's module."""
        module = self._node.path
        return module.parent / BASELINES / f"{module.stem}.toml"

    def mark(self, machine: "Machine") -> "Mark":
        """This moment: ``check(machine, since=mark)`` looks at what came after it."""
        from emu.regression.measure import mark

        return mark(machine)

    def check(self, thing: Any, name: str = "", *, since: "Mark | None" = None) -> None:
        """Compare with the baseline, or accept (``--tlb-update``). ``name``: for tests that check more than once.

        ``thing``: a machine, counters, a trace or a replay, a row of a comparison.
        """
        __tracebackhide__ = True
        from emu.regression.measure import measure

        found = {self._key(name, part): entry for part, entry in measure(thing, since).items()}
        for key in found:
            if key in self._checked:
                pytest.fail(f"{key} is checked twice: give each check of a test its own name=", pytrace=False)
            self._checked.add(key)
        if self._update:
            self._accepted |= found
        else:
            self._compare(found, self._key(name))

    def _key(self, *names: str) -> str:
        """The test's name inside its module, and what is checked."""
        test = self._node.nodeid.partition("::")[2]
        return ": ".join(filter(None, (test, *names)))

    def accept(self) -> None:
        """The test is over: write what it measured, all at once."""
        if self._accepted:
            from emu.regression.baseline import accept

            changed = accept(self.path, self._accepted)
            self._node.user_properties += [(ACCEPTED, f"{self._shown}: {key}") for key in changed]

    def _compare(self, found: "Mapping[str, Measurement]", prefix: str) -> None:
        __tracebackhide__ = True
        from emu.regression.baseline import read
        from emu.regression.explain import explain

        before = read(self.path) if self.path.exists() else {}
        lines: list[str] = []
        for key, now in found.items():
            if key not in before:
                lines += [f"{key} has no baseline in {self._shown}"]
                continue
            words = explain(before[key], now).words()
            lines += [f"TLB misses of {key} differ from {self._shown}:", *(f"  {line}" for line in words)] * bool(words)
        if prefix not in found:  # of a row: parts that it had
            gone = [key for key in before if key.startswith(f"{prefix}: ") and key not in found]
            lines += [f"{key} is in {self._shown}, but was not measured" for key in gone]
        if lines:
            command = f"pytest {shlex.quote(self._node.nodeid)} --tlb-update"
            pytest.fail("\n".join([*lines, f"to accept what was measured now: {command}"]), pytrace=False)

    @property
    def _shown(self) -> str:
        root = self._node.config.rootpath
        return str(self.path.relative_to(root) if self.path.is_relative_to(root) else self.path)


@pytest.fixture
def tlb_misses(request: pytest.FixtureRequest) -> Iterator[TlbMisses]:
    """Compares TLB misses with committed baselines."""
    found = TlbMisses(request.node, update=request.config.getoption("--tlb-update"))
    yield found
    found.accept()


# --- budgets


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Iterator[None]:
    __tracebackhide__ = True
    limits = _budget(pyfuncitem)
    result = yield
    if limits:
        _require(limits, pyfuncitem.stash.get(_machines, []))
    return result


def _budget(item: pytest.Function) -> dict[str, int]:
    """Limits of all markers of a test; the closest wins."""
    limits: dict[str, int] = {}
    for marker in item.iter_markers("tlb_budget"):
        wrong = [name for name in marker.kwargs if name not in BUDGETS]
        if marker.args or wrong or not marker.kwargs:
            what = f"unknown key {wrong[0]!r}" if wrong else "expected key=number"
            pytest.fail(f"tlb_budget: {what}; known: {', '.join(BUDGETS)}", pytrace=False)
        for name, limit in marker.kwargs.items():
            if type(limit) is not int or limit < 0:
                pytest.fail(f"tlb_budget: {name}={limit!r} is no whole number from 0", pytrace=False)
        limits = {**marker.kwargs, **limits}
    return limits


def _require(limits: Mapping[str, int], machines: "list[Machine]") -> None:
    __tracebackhide__ = True
    if not machines:
        pytest.fail("tlb_budget: the test has made no machine with the fixture `machine`", pytrace=False)
    counters = [machine.counters() for machine in machines]
    lines = []
    for name, limit in limits.items():
        used = sum(_figure(each, name) for each in counters)
        if used > limit:
            lines.append(f"tlb_budget: {name} {used:,}, at most {limit:,} are allowed")
            lines += _largest(name, counters)
    if lines:
        pytest.fail("\n".join(lines), pytrace=False)


def _figure(counters: "Counters", name: str) -> int:
    misses = counters.misses
    return int(misses.total if name == "misses" else getattr(counters if hasattr(counters, name) else misses, name))


def _largest(name: str, counters: "list[Counters]") -> Iterator[str]:
    """Where the misses are that a budget of misses is about."""
    sides = {"itlb": ("itlb",), "dtlb": ("dtlb",), "misses": ("itlb", "dtlb")}.get(name, ())
    for table in ("region", "symbol") if sides else ():
        found: dict[str, int] = {}
        for each in counters:
            for key, row in getattr(each.misses, f"by_{table}").items():
                found[key] = found.get(key, 0) + sum(row[side] for side in sides)
        ranked = sorted(found.items(), key=lambda item: (-item[1], item[0]))[:MAX_NAMES]
        yield f"  most by {table}: " + ", ".join(f"{key} {count:,}" for key, count in ranked)


# --- what is reported


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A guest that cannot go on: its registers, in a section of the report."""
    report = yield
    error = call.excinfo.value if call.excinfo is not None else None
    state = getattr(error, "state", None)
    if type(error).__module__ == "emu.errors" and isinstance(state, str) and state:
        report.sections.append(("the guest", f"{error}\n{state}"))
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reports = [report for found in terminalreporter.stats.values() for report in found]
    accepted = {
        value for report in reports for name, value in getattr(report, "user_properties", ()) if name == ACCEPTED
    }
    if accepted:
        terminalreporter.section("TLB misses accepted")
        for line in sorted(accepted):
            terminalreporter.write_line(line)
    elif terminalreporter.config.getoption("--tlb-update"):
        terminalreporter.write_line("TLB misses: every baseline was as it is")
