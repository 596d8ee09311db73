"""SWEEP.toml: a base scenario, axes, and the combinations to leave out::

    scenario = "default"                      # a packaged name, a file beside this one, or a table
    timing = "full"                           # engine, timing, clock, tlb, costs: for all runs
    plugins = ["mine.py"]                     # files, from this one's directory

    [axes]
    strategy = ["reserve", "slab"]            # default: the scenario's strategies and mappings
    mapping = ["acr", "paged-8k"]
    seed = { from = 1, to = 5 }               # a range, its end included; step = N, or factor = N
    reserve.device = { from = "8 MB", to = "128 MB", factor = 2 }
    kernel.handler = ["range", "linear"]      # any key of a scenario
    "device[0].kind" = ["graphics-64", "graphics-128"]
    workload.run = [["boot"], ["ping-pong"]]
    tlb = [16, 32, 64]                        # strategy, mapping, engine, timing, clock, tlb beside the scenario's keys

    [[exclude]]                               # where all of this holds
    strategy = "slab"
    tlb = [16, 64]

Runs are numbered as a nested loop would make them, the first axis outermost. A combination that contradicts itself (a
board too small for its kernel, say) is a run that fails; a value with which every combination does is a mistake.
"""

import itertools
import math
import re
from collections.abc import Iterator
from collections.abc import Mapping as MappingOf
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, NoReturn

import msgspec
from msgspec import Meta

from emu.cli import ClockName, EngineName, TimingName
from emu.documents import Malformed, decode_toml
from emu.errors import UsageError
from emu.time_numbers import read_numbers
from kernel_model.choices import Mapping
from kernel_model.experiment import nucleus_of
from kernel_model.plugins import load_plugins
from kernel_model.scenario import (
    Scenario,
    ScenarioError,
    Strict,
    checked,
    key_and_reason,
    load_scenario,
    packaged_scenarios,
    parse_size,
)
from kernel_model.strategies import STRATEGIES
from kernel_model.sweeps.run import Inputs, Run, environment

__all__ = ["plan_run", "read_sweep"]

MOST_RUNS = 100_000
OPTIONS = ("strategy", "mapping", "engine", "timing", "clock", "tlb")
SINGULAR = {"strategies": "strategy", "mappings": "mapping"}
STEP_OF_KEY = re.compile(r"([^.\[\]]+)|\[(\d+)\]")

Table = dict[str, Any]
KeyPath = tuple[str | int, ...]


class SweepFile(Strict, frozen=True, kw_only=True):
    """The file. ``axes`` and ``exclude`` are checked by hand: their keys are those of a scenario."""

    scenario: str | Table = "default"
    engine: EngineName = EngineName.AUTO
    timing: TimingName = TimingName.FLAT
    clock: ClockName = ClockName.CYCLES
    tlb: Annotated[int, Meta(ge=2, le=128)] = 32
    costs: str | None = None
    plugins: list[str] = []
    axes: Table = {}
    exclude: list[Table] = []


class Range(Strict, frozen=True, kw_only=True):
    """Numbers or sizes from one to another."""

    first: int | str = msgspec.field(name="from")
    last: int | str = msgspec.field(name="to")
    step: int | str | None = None
    factor: int | None = None

    def values(self) -> list[int]:
        """All of them; ValueError where there is no end to them."""
        first, last = parse_size(self.first), parse_size(self.last)
        step = 1 if self.step is None else parse_size(self.step)
        if self.step is not None and self.factor is not None:
            raise ValueError("step or factor, not both")
        if step < 1 or (self.factor is not None and (self.factor < 2 or first < 1)):
            raise ValueError("a range rises: from 0 by a step of 1 or more, or from 1 by a factor of 2 or more")
        if self.factor is None:
            values: Iterator[int] = iter(range(first, last + 1, step))
        else:
            factor = self.factor
            values = itertools.takewhile(lambda value: value <= last, (first * factor**n for n in itertools.count()))
        found = list(itertools.islice(values, MOST_RUNS + 1))
        if len(found) > MOST_RUNS:
            raise ValueError(f"more than {MOST_RUNS} values")
        return found


@dataclass(frozen=True)
class Axis:
    """What is varied. ``path``: where in the inputs of a run."""

    key: str
    path: KeyPath
    values: list[Any]


def read_sweep(what: Path | MappingOf[str, Any]) -> list[Run]:
    """All runs of a sweep file, in order. ScenarioError, one line that names file and key, for anything wrong in it.

    Of a dict, which holds what a file would, files are looked for in this process's directory.
    """
    source, directory = ("sweep", Path()) if isinstance(what, MappingOf) else (str(what), what.parent)
    try:
        if isinstance(what, MappingOf):
            file = msgspec.convert(dict(what), SweepFile)
        else:
            file = decode_toml(what.read_bytes(), SweepFile)
    except OSError as error:
        raise ScenarioError(source, "", error.strerror or "cannot be read") from None
    except msgspec.ValidationError as error:
        raise ScenarioError(source, *key_and_reason(str(error))) from None
    except Malformed as error:
        raise ScenarioError(source, "", str(error)) from None
    load_plugins(directory / name for name in file.plugins)
    return _Planner(source, directory, file).runs()


def plan_run(inputs: Inputs) -> Run:
    """The run with these inputs, in this process's environment."""
    found, firmware = contradiction(inputs.scenario), None
    problem = ": ".join(found) if found else None
    if problem is None:
        try:
            firmware = _firmware(inputs.scenario.board)
        except UsageError as error:
            problem = str(error)
    return Run(inputs=inputs, environment=environment(), firmware=firmware, problem=problem)


def contradiction(scenario: Scenario) -> tuple[str, str] | None:
    """Key and reason, where a scenario cannot be meant."""
    try:
        checked(scenario, "")
    except ScenarioError as error:
        return error.key.replace("strategies[0]", "strategy"), error.why
    return None


class _Planner:
    def __init__(self, source: str, directory: Path, file: SweepFile) -> None:
        self.source = source
        self.directory = directory
        self.file = file
        self.scenario = self._scenario()
        self.base: Table = msgspec.to_builtins(
            Inputs(
                scenario=self.scenario,
                strategy=next(iter(STRATEGIES)),
                mapping=Mapping.ACR,
                engine=file.engine,
                timing=file.timing,
                clock=file.clock,
                tlb=file.tlb,
                numbers=self._numbers(),
            )
        )

    def fail(self, key: str, why: str) -> NoReturn:
        raise ScenarioError(self.source, key, why)

    def runs(self) -> list[Run]:
        axes = self._axes()
        excluded = [self._exclusion(index, table, axes) for index, table in enumerate(self.file.exclude)]
        if math.prod(len(axis.values) for axis in axes) > MOST_RUNS:
            self.fail("axes", f"more than {MOST_RUNS} combinations")
        found: list[Run] = []
        sound: set[tuple[int, int]] = set()  # (number of an axis, place on it)
        for places in itertools.product(*(range(len(axis.values)) for axis in axes)):
            if any(all(places[number] in chosen for number, chosen in rule.items()) for rule in excluded):
                continue
            run = self._run(axes, places)
            found.append(run)
            if run.problem is None:
                sound.update(enumerate(places))
        if not found:
            self.fail("exclude", "no combination is left")
        for number, axis in enumerate(axes):
            for place, value in enumerate(axis.values):
                if (number, place) not in sound:
                    self._check_alone(axis, value)
        return found

    def _check_alone(self, axis: Axis, value: object) -> None:
        """A value that no combination could do with is a mistake where the base scenario cannot, either."""
        problem = contradiction(_one_row(self._convert(axis.key, [(axis.path, value)])).scenario)
        if problem is not None:
            key, why = problem
            self.fail(f"axes.{axis.key}", why if key.startswith(axis.key) else f"{value!r}: {key}: {why}")

    def _scenario(self) -> Scenario:
        what = self.file.scenario
        if isinstance(what, str):
            beside = self.directory / what
            if not beside.exists() and what not in packaged_scenarios():
                self.fail("scenario", f"no file {what!r}, nor is it one of {', '.join(packaged_scenarios())}")
            return load_scenario(beside if beside.exists() else packaged_scenarios()[what])
        try:
            scenario = msgspec.convert(what, Scenario)
            checked(scenario, self.source)
        except msgspec.ValidationError as error:
            key, why = key_and_reason(str(error))
            self.fail(f"scenario.{key}", why)
        except ScenarioError as error:
            self.fail(f"scenario.{error.key}", error.why)
        return scenario

    def _numbers(self) -> dict[str, dict[str, int]]:
        if self.file.costs is None:
            return {}
        changed = read_numbers(self.directory / self.file.costs).changed()
        return {name: table for name, table in changed.items() if table}

    def _axes(self) -> list[Axis]:
        axes = [self._axis(key, value) for key, value in _flatten(self.file.axes)]
        given = {axis.key for axis in axes}
        strategies = self.scenario.strategies or list(STRATEGIES)
        mappings = [mapping.value for mapping in self.scenario.mappings or Mapping]
        for key, values in (("strategy", strategies), ("mapping", mappings)):
            if key not in given:
                axes.append(self._axis(key, values))
        for one, other in itertools.permutations(axes, 2):
            if one.path == other.path[: len(one.path)]:
                self.fail(f"axes.{other.key}", f"axis {one.key} sets this, too")
        return axes

    def _axis(self, key: str, value: object) -> Axis:
        name = f"axes.{key}"
        if key in SINGULAR:
            self.fail(name, f"an axis has one value a run: write {SINGULAR[key]}")
        if key == "summary":
            self.fail(name, "says nothing about a run")
        path: KeyPath = (key,) if key in OPTIONS else ("scenario", *self._steps(name, key))
        if isinstance(value, dict):
            try:
                values: list[Any] = list(msgspec.convert(value, Range).values())
            except msgspec.ValidationError as error:
                inner, why = key_and_reason(str(error))
                self.fail(f"{name}.{inner}" if inner else name, why)
            except ValueError as error:
                self.fail(name, str(error))
        elif isinstance(value, list):
            values = value
        else:
            self.fail(name, "neither a list of values nor a range { from = ..., to = ... }")
        if not values:
            self.fail(name, "no values")
        seen: set[str] = set()
        for value in values:
            if (meant := repr(_meant(value))) in seen:
                self.fail(name, f"{value!r} is there twice")
            seen.add(meant)
            self._convert(name, [(path, value)])
        return Axis(key, path, values)

    def _steps(self, name: str, key: str) -> KeyPath:
        """``device[0].kind`` as a path, every step but the last of which exists in the base scenario."""
        steps = tuple(int(index) if index else word for word, index in STEP_OF_KEY.findall(key))
        text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps).removeprefix(".")
        if not steps or text != key:
            self.fail(name, "not a key")
        table: Any = self.base["scenario"]
        for number, step in enumerate(steps):
            known = range(len(table)) if isinstance(table, list) else table if isinstance(table, dict) else ()
            if step not in known:
                is_index = isinstance(step, int)
                self.fail(name, f"the base scenario has no number {step} there" if is_index else "unknown key")
            if number + 1 < len(steps):
                table = table[step]
        return steps

    def _exclusion(self, index: int, table: Table, axes: list[Axis]) -> dict[int, set[int]]:
        """Number of an axis -> the places on it that are excluded together."""
        rule: dict[int, set[int]] = {}
        numbers = {axis.key: number for number, axis in enumerate(axes)}
        for key, value in _flatten(table):
            name = f"exclude[{index}].{key}"
            if key not in numbers:
                self.fail(name, f"not an axis; there are {', '.join(numbers)}")
            known = [_meant(value) for value in axes[numbers[key]].values]
            wanted = value if isinstance(value, list) and _meant(value) not in known else [value]
            for one in wanted:
                if _meant(one) not in known:
                    self.fail(name, f"{one!r} is no value of that axis")
            rule[numbers[key]] = {known.index(_meant(one)) for one in wanted}
        if not rule:
            self.fail(f"exclude[{index}]", "names no axis")
        return rule

    def _run(self, axes: list[Axis], places: tuple[int, ...]) -> Run:
        chosen = [(axis.path, axis.values[place]) for axis, place in zip(axes, places)]
        return plan_run(_one_row(self._convert("axes", chosen)))

    def _convert(self, name: str, chosen: list[tuple[KeyPath, Any]]) -> Inputs:
        """The base with these values in it."""
        raw: Any = self.base
        for path, value in chosen:
            raw = _with(raw, path, value)
        try:
            return msgspec.convert(raw, Inputs)
        except msgspec.ValidationError as error:
            key, why = key_and_reason(str(error))
            ((_, value),) = chosen if len(chosen) == 1 else [((), None)]
            inner = key.removeprefix("scenario.")
            self.fail(name, f"{value!r}: {why}" if name.endswith(inner) else f"{value!r}: {inner}: {why}")


def _one_row(inputs: Inputs) -> Inputs:
    """With the scenario as it stands in the row: the run and nothing else, so that `cfemu compare` repeats it."""
    scenario = msgspec.structs.replace(
        inputs.scenario, strategies=[inputs.strategy], mappings=[inputs.mapping], summary=""
    )
    return msgspec.structs.replace(inputs, scenario=scenario)


@cache
def _firmware(board: str) -> str:
    return nucleus_of(Scenario(board=board)).sha256


def _with(raw: Any, path: KeyPath, value: Any) -> Any:
    """``raw`` with ``value`` at ``path``; tables on the way are copied, not changed."""
    if not path:
        return value
    copy: Any = list(raw) if isinstance(raw, list) else dict(raw)
    copy[path[0]] = _with(raw[path[0]], path[1:], value)
    return copy


def _flatten(table: Table, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted keys of TOML are tables in tables; a range is a table, too, and the only one with a key "from" or "to"."""
    for name, value in table.items():
        if isinstance(value, dict) and not {"from", "to"} & set(value):
            yield from _flatten(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def _meant(value: Any) -> Any:
    """Sizes as bytes, so that "8 MB" is the same as 8388608; true is not the number 1."""
    if isinstance(value, bool):
        return ("bool", value)
    try:
        return parse_size(value) if isinstance(value, str) else value
    except ValueError:
        return value
