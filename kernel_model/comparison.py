"""One comparison from its inputs to a report: select, run rows in parallel, keep what was finished."""

import sys
from collections.abc import Mapping as MappingOf
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec

from emu.errors import UsageError
from emu.options import MachineOptions
from emu.tabular import Tabular
from emu.time_numbers import Numbers, read_numbers
from emu.version import version
from kernel_model.choices import Mapping
from kernel_model.plugins import plugin_versions
from kernel_model.results import SCHEMA_NAME, Report, Row, encode_report
from kernel_model.scenario import Scenario, load_scenario, scenario_of
from kernel_model.strategies import STRATEGIES

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Comparison", "Selection", "compare", "compare_scenario", "versions"]

LIBRARIES = ("unicorn", "numba", "numpy")


@dataclass(frozen=True)
class Selection:
    """What the command line asks for instead of what the scenario says; empty means the scenario's."""

    strategies: tuple[str, ...] = ()
    mappings: tuple[str, ...] = ()
    seed: int | None = None


@dataclass(frozen=True, repr=False)
class Comparison(Tabular):
    """Strategies beside each other, one row for each under each mapping. ``report``: everything that was counted, as
    ``cfemu compare --json`` has it; ``total``: rows that were asked for, all of which are there unless it was
    ``interrupted``."""

    report: Report
    total: int
    interrupted: bool

    shown: ClassVar[Sequence[str]] = (
        *(
            "strategy",
            "mapping",
            "cycles_total",
            "cycles_share",
            "misses_itlb",
            "misses_dtlb",
            "worst_operation_cycles",
        ),
        *("heap_reserved", "heap_wasted", "frames_taken_back", "device_pages_attached", "device_pages_refused"),
        *("console", "refusal"),
    )

    @property
    def rows(self) -> list[Row]:
        """The rows, in the order of strategies and mappings (docs/json.md)."""
        return self.report.rows

    @property
    def verdict(self) -> list[str]:
        """What the rows say of each strategy, in sentences."""
        from kernel_model.report.verdict import verdict

        return verdict(self.rows)

    def to_arrow(self) -> "pa.Table":
        """The rows as a ``pyarrow.Table``, with the columns of a sweep (docs/sweeps.md)."""
        from emu.arrow import table_of

        return table_of(Row, self.rows)

    def to_json(self) -> str:
        """What ``cfemu compare --json`` prints: the same inputs give the same bytes."""
        return encode_report(self.report).decode()

    def caption(self) -> str:
        """What was compared."""
        return str(self.report.scenario.get("summary") or "comparison")

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        missing = f" of {self.total}, interrupted" if self.interrupted else ""
        return f"<Comparison of {len(self.rows)}{missing} rows: {self.caption()}>"


def compare(
    scenario: str | Path | MappingOf[str, Any] | Scenario | None = None,
    *,
    strategies: str | Sequence[str] = (),
    mappings: str | Sequence[str] = (),
    seed: int | None = None,
    engine: str = "auto",
    timing: str = "flat",
    clock: str = "cycles",
    costs: str | Path | None = None,
    workers: int | None = None,
) -> Comparison:
    """Compare kernel-heap strategies, as ``cfemu compare`` does.

    ``scenario``: a file, a name of ``cfemu scenarios``, or a dict of the same form; default: the scenario default.
    ``strategies``, ``mappings`` (a name or several), ``seed``: instead of the scenario's; ``engine``, ``timing``,
    ``clock``, ``costs`` (a file of numbers): as for the command; ``workers``: processes, one a processor by default.
    UsageError for bad input, GuestError when the guest cannot go on. An interrupt ends it early, with the rows that
    were finished.
    """
    numbers = Numbers() if costs is None else read_numbers(Path(costs))
    options = MachineOptions(engine, timing, clock, numbers)
    selection = Selection(_names(strategies), _names(mappings), seed)
    return compare_scenario(_scenario(scenario), selection, options, workers)


def _names(given: str | Sequence[str]) -> tuple[str, ...]:
    """One name, or several."""
    return (given,) if isinstance(given, str) else tuple(given)


def _scenario(given: str | Path | MappingOf[str, Any] | Scenario | None) -> Scenario:
    if isinstance(given, Scenario | MappingOf):
        return scenario_of(given)
    return load_scenario(None if given is None else Path(given))


def compare_scenario(
    scenario: Scenario | Path | None,
    selection: Selection,
    options: MachineOptions | None = None,
    workers: int | None = None,
) -> Comparison:
    """Run the comparison.  Raises UsageError for bad input and GuestError when the guest cannot go on.

    Ctrl-C ends it early: the result then holds the rows that were finished.
    """
    options = options or MachineOptions()
    scenario = select(scenario if isinstance(scenario, Scenario) else load_scenario(scenario), selection)
    # The engine takes a second to import: bad input has been answered by now.
    from kernel_model.experiment import RowOutcome, jobs, nucleus_of, run_jobs

    nucleus_of(scenario)  # a missing guest program is found before anything runs
    work = jobs(scenario, options)
    finished: dict[int, RowOutcome] = {}
    interrupted = False
    with Progress(len(work)) as progress:
        try:
            for index, outcome in run_jobs(work, workers):
                finished[index] = outcome
                progress.step(f"{outcome.row.strategy} {outcome.row.mapping}")
        except KeyboardInterrupt:
            interrupted = True
    ordered = [finished[index] for index in sorted(finished)]
    report = Report(
        schema=SCHEMA_NAME,
        scenario=msgspec.to_builtins(scenario),
        versions=versions(),
        engine=next((outcome.engine for outcome in ordered if outcome.engine), options.engine),
        timing=options.timing,
        clock=options.clock,
        numbers=options.numbers.changed(),
        rows=[outcome.row for outcome in ordered],
    )
    return Comparison(report, len(work), interrupted)


def select(scenario: Scenario, selection: Selection) -> Scenario:
    """The scenario with what the command line overrides; UsageError for an unknown name."""
    for option, names, known in (
        ("--strategy", selection.strategies, list(STRATEGIES)),
        ("--mapping", selection.mappings, list(Mapping)),
    ):
        for name in names:
            if name not in known:
                raise UsageError(f"{option}: unknown name {name!r}; known: {', '.join(known)}")
    if selection.seed is not None and not 1 <= selection.seed < 1 << 32:
        raise UsageError(f"--seed: must be 1 to {(1 << 32) - 1}, not {selection.seed}")
    changes: dict[str, object] = {}
    if selection.strategies:
        changes["strategies"] = list(selection.strategies)
    if selection.mappings:
        changes["mappings"] = [Mapping(name) for name in selection.mappings]
    if selection.seed is not None:
        changes["seed"] = selection.seed
    return msgspec.structs.replace(scenario, **changes)


def versions() -> dict[str, str]:
    """Versions of this package and of what computes the figures; of plugins, the SHA-256 of their source."""
    return {"cfemu": version()} | {name: _version(name) for name in LIBRARIES} | plugin_versions()


@cache
def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"


class Progress:
    """A line on stderr that counts rows; silent when stderr is not a terminal."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.count = 0
        self.shown = sys.stderr.isatty()

    def __enter__(self) -> "Progress":
        self._show("booting")
        return self

    def __exit__(self, *exception: object) -> None:
        if self.shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()

    def step(self, what: str) -> None:
        """One more row is done."""
        self.count += 1
        self._show(what)

    def _show(self, what: str) -> None:
        if self.shown:
            sys.stderr.write(f"\r\x1b[K{self.count}/{self.total} rows  {what}")
            sys.stderr.flush()
