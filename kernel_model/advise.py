"""``cfemu advise``: which strategy and which values for a board and its devices, found by running them.

Every strategy under every mapping is given the reserve that its devices need, run, and put in order by the goal. The
winner's values are then made as small as can be, and larger devices are tried until one does not fit.
"""

import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from emu.board import BOARDS
from emu.errors import UsageError
from emu.options import MachineOptions
from kernel_model.abi import Exhaustion
from kernel_model.choices import Mapping
from kernel_model.devices import CATALOGUE, Arrival, Departure, PlacedDevice, place
from kernel_model.results import Result, Row
from kernel_model.scenario import DeviceTable, Scenario, checked, load_scenario, parse_size
from kernel_model.strategies import STRATEGIES
from kernel_model.strategies.base import Reserves, Strategy

__all__ = ["GOALS", "SCHEMA_NAME", "Advice", "Goal", "Tunable", "advise", "devices_of", "tunables_of"]

SCHEMA_NAME = "cfemu-advice/1"
PAGE_SIZES = {Mapping.PAGED_4K: 4096}  # the others: 8192
PAGE_8K = 8192
ALTERNATIVES = 4
MEGABYTE = 1 << 20
LARGEST_TRIED = 512 * MEGABYTE
EXTRA = "one device more"
#: As the nucleus writes it (firmware/src/console.c), before the number.
ANNOUNCEMENT = "cfemu-kernel: out of device page headers: set reserve="
#: What may follow a device of a list after an @: the key of its table, and the value.
MARKS: dict[str, tuple[str, Arrival | Departure]] = {
    **{value.value: ("arrival", value) for value in Arrival},
    **{value.value: ("departure", value) for value in Departure if value is not Departure.NEVER},
}


@dataclass(frozen=True)
class Goal:
    """A lexicographic order of result columns, less being better; rows that refuse a device come last in all, before
    them kernels that halt at the next device."""

    name: str
    summary: str
    columns: tuple[tuple[str, Callable[[Row], int]], ...]

    def key(self, row: Row) -> tuple[int, ...]:
        """What rows are sorted by."""
        return (_refused(row), _halts(row), *(value(row) for _, value in self.columns))


def _refused(row: Row) -> int:
    return row.device_pages.refused if row.device_pages else sys.maxsize


def _halts(row: Row) -> int:
    return int(STRATEGIES[row.strategy].exhaustion is Exhaustion.HALT)


def _cycles(row: Row) -> int:
    return row.cycles.total if row.cycles else sys.maxsize


def _worst(row: Row) -> int:
    return row.worst_operation.cycles if row.worst_operation else sys.maxsize


def _heap(row: Row) -> int:
    return row.heap.reserved if row.heap else sys.maxsize


def _lost(row: Row) -> int:
    return row.frames.lost if row.frames else sys.maxsize


def _silent(row: Row) -> int:
    return 0 if row.console else 1


GOALS = {
    goal.name: goal
    for goal in (
        Goal(
            "latency",
            "the shortest worst operation, then the fewest cycles, then the smallest heap",
            (("worst operation", _worst), ("cycles", _cycles), ("heap", _heap)),
        ),
        Goal(
            "memory",
            "the smallest heap, then the fewest frames lost, then the fewest cycles",
            (("heap", _heap), ("frames lost", _lost), ("cycles", _cycles)),
        ),
        Goal(
            "robust",
            "no frame lost, a console that can be reached, then the shortest worst operation, then the fewest cycles",
            (
                ("frames lost", _lost),
                ("console unreachable", _silent),
                ("worst operation", _worst),
                ("cycles", _cycles),
            ),
        ),
    )
}


class Tunable(Result, frozen=True, kw_only=True):
    """One value to set: a key of the scenario, in bytes of device memory and in page headers."""

    key: str
    bytes: int
    headers: int


class Choice(Result, frozen=True, kw_only=True):
    """One strategy and mapping with its values, and the row that it came to."""

    strategy: str
    mapping: str
    values: list[Tunable]
    row: Row


class Advice(Result, frozen=True, kw_only=True):
    """The answer: the values are the least that do. ``largest_more``: bytes of the largest device, a power of two of
    megabytes, that could still be plugged in. ``announcement``: what the kernel prints when its headers run out."""

    schema: str
    board: str
    goal: str
    order: list[str]
    chosen: Choice
    largest_more: int
    announcement: str
    others: list[Choice]
    impossible: dict[str, str]


def devices_of(text: str) -> list[DeviceTable]:
    """Devices of ``graphics-128,16MB@elsewhere,usb@late@back``: kinds or sizes, when they come, whether they go.

    UsageError naming the part that is neither.
    """
    tables = []
    for number, part in enumerate(filter(None, map(str.strip, text.split(",")))):
        what, *marks = part.split("@")
        fields: dict[str, Any] = {"kind": what} if what in CATALOGUE else {"size": what}
        for mark in marks:
            if mark not in MARKS:
                raise UsageError(f"--devices {part!r}: {mark!r} is not one of {', '.join(MARKS)}")
            key, value = MARKS[mark]
            if key in fields:
                raise UsageError(f"--devices {part!r}: says its {key} twice")
            fields[key] = value
        try:
            parse_size(fields.get("size", 0))
        except ValueError:
            known = ", ".join(CATALOGUE)
            raise UsageError(f"--devices {part!r}: neither a size nor a kind of device; known: {known}") from None
        tables.append(DeviceTable(name=f"{what} {number + 1}", **fields))
    return tables


def base_scenario(path: Path | None, board: str | None, devices: str | None) -> Scenario:
    """The scenario with what the command line replaces, checked as a file would be."""
    scenario = load_scenario(path)
    changes: dict[str, Any] = {}
    if board is not None:
        if board not in BOARDS:
            raise UsageError(f"--board: unknown board {board!r}; known: {', '.join(BOARDS)}")
        changes["board"] = board
    if devices is not None:
        changes["device"] = devices_of(devices)
    return with_own_devices(checked(msgspec.structs.replace(scenario, **changes), "cfemu advise"))


def with_own_devices(scenario: Scenario) -> Scenario:
    """Without the workloads that bring devices of their own, which no reserve is tuned for here."""
    from kernel_model.experiment import wanted

    names = [workload.name for workload in wanted(scenario, shared=True)]
    return msgspec.structs.replace(scenario, workload=msgspec.structs.replace(scenario.workload, run=names))


def tunables_of(strategy: Strategy) -> list[str]:
    """The reserves that make a difference to the strategy."""
    found = []
    for name in Reserves.__dataclass_fields__:
        low, high = (
            Reserves(**{n: (value if n == name else 0) for n in Reserves.__dataclass_fields__}) for value in (0, 1)
        )
        keep = strategy.released_down_to
        if strategy.boot_memory(low) != strategy.boot_memory(high) or (keep and keep(low) != keep(high)):
            found.append(name)
    return found


def page_size(mapping: Mapping) -> int:
    """Bytes of a page under a mapping."""
    return PAGE_SIZES.get(mapping, PAGE_8K)


def fitting(scenario: Scenario, mapping: Mapping) -> list[PlacedDevice]:
    """The devices that the board has room for; the others are refused whatever is reserved."""
    placed = place(scenario.devices(), BOARDS[scenario.board].device_window, page_size(mapping))
    return [item for item in placed if not item.refusal]


def headers_of(scenario: Scenario, mapping: Mapping) -> int:
    """Headers that all devices take, those that are lost when devices move included."""
    size, recycled = page_size(mapping), scenario.workload.hot_plug_recycle
    return sum(item.headers(size, recycled=recycled) for item in fitting(scenario, mapping))


def needed(scenario: Scenario, mapping: Mapping) -> dict[str, int]:
    """Bytes of device memory that each reserve must cover, in whole pages."""
    size, headers = page_size(mapping), headers_of(scenario, mapping)
    early = [item for item in fitting(scenario, mapping) if item.device.arrival is Arrival.CONFIGURATION]
    kept = headers - sum(item.pages(size) for item in early)
    return {"device": headers * size, "over": headers * size, "keep": kept * size}


def tuned(scenario: Scenario, strategy: Strategy, mapping: Mapping, values: dict[str, int]) -> Scenario:
    """The scenario for one strategy and mapping, with these reserves."""
    used = {name: values[name] for name in tunables_of(strategy)}
    reserve = msgspec.structs.replace(scenario.reserve, **used)
    return msgspec.structs.replace(scenario, strategies=[strategy.name], mappings=[mapping], reserve=reserve)


def run_all(scenarios: Sequence[Scenario], options: MachineOptions) -> list[Row]:
    """A row for each scenario, which has one strategy and one mapping; in parallel."""
    from kernel_model.experiment import jobs, run_jobs

    work = [job for scenario in scenarios for job in jobs(scenario, options)]
    rows: dict[int, Row] = {}
    for index, outcome in run_jobs(work):
        rows[index] = outcome.row
    return [rows[index] for index in range(len(work))]


def brief(scenario: Scenario) -> Scenario:
    """Only what attaches the devices."""
    return msgspec.structs.replace(
        scenario, workload=msgspec.structs.replace(scenario.workload, run=["boot", "bring-up"])
    )


def attaches_all(scenario: Scenario, options: MachineOptions) -> bool:
    """Whether every device of the scenario comes up."""
    (row,) = run_all([brief(scenario)], options)
    return _refused(row) == 0


def with_one_more(scenario: Scenario, size: int) -> Scenario:
    """The scenario with another device of ``size`` bytes plugged in late."""
    more = DeviceTable(name=EXTRA, size=size, arrival=Arrival.LATE)
    return msgspec.structs.replace(scenario, device=[*scenario.device, more])


def largest_more(scenario: Scenario, options: MachineOptions) -> int:
    """The largest device that could still be plugged in; 0 if not even one of a megabyte."""
    size, found = MEGABYTE, 0
    while size <= LARGEST_TRIED and attaches_all(with_one_more(scenario, size), options):
        found, size = size, 2 * size
    return found


def smallest(
    scenario: Scenario, strategy: Strategy, mapping: Mapping, values: dict[str, int], options: MachineOptions
) -> dict[str, int]:
    """The least values, in whole headers, with which every device still comes up: heap comes in whole pages, so a few
    headers fewer than there are device pages may do."""
    size = page_size(mapping)
    best = dict(values)
    for name in tunables_of(strategy):

        def works(headers: int, name: str = name) -> bool:
            return attaches_all(tuned(scenario, strategy, mapping, {**best, name: headers * size}), options)

        best[name] = least(best[name] // size, works) * size
    return best


def least(enough: int, works: Callable[[int], bool]) -> int:
    """The least number that works, where ``enough`` does and every larger one; it is looked for near ``enough``."""
    step, refused = 1, -1
    while enough > 0:
        tried = max(0, enough - step)
        if not works(tried):
            refused = tried
            break
        enough, step = tried, 2 * step
    while enough - refused > 1:
        middle = (enough + refused) // 2
        if works(middle):
            enough = middle
        else:
            refused = middle
    return max(0, enough)


def advise(
    path: Path | None, board: str | None, devices: str | None, goal: Goal, options: MachineOptions | None = None
) -> Advice:
    """Run every strategy with what it needs and choose by ``goal``. UsageError for bad input."""
    options = options or MachineOptions()
    scenario = base_scenario(path, board, devices)
    pairs = [(strategy, mapping) for strategy in STRATEGIES.values() for mapping in Mapping]
    scenarios = [tuned(scenario, s, m, needed(scenario, m)) for s, m in pairs]
    rows = run_all(scenarios, options)
    ran = [(pair, row) for pair, row in zip(pairs, rows, strict=True) if row.cycles is not None]
    if not ran:
        raise UsageError(f"board {scenario.board}: no strategy can work there; `cfemu compare` tells why")
    ordered = sorted(ran, key=lambda item: goal.key(item[1]))
    (strategy, mapping), row = ordered[0]
    values = needed(scenario, mapping)
    works = _refused(row) == 0
    if works and tunables_of(strategy):
        values = smallest(scenario, strategy, mapping, values, options)
        (row,) = run_all([tuned(scenario, strategy, mapping, values)], options)
    best = tuned(scenario, strategy, mapping, values)
    return Advice(
        schema=SCHEMA_NAME,
        board=scenario.board,
        goal=goal.name,
        order=["device pages refused", "halts at the next device", *(name for name, _ in goal.columns)],
        chosen=choice(strategy, mapping, values, row),
        largest_more=largest_more(best, options) if works else 0,
        announcement=announcement(scenario, mapping),
        others=[choice(s, m, needed(scenario, m), r) for (s, m), r in ordered[1 : 1 + ALTERNATIVES]],
        impossible=dict(impossible(zip(pairs, rows, strict=True))),
    )


def impossible(found: Iterable[tuple[tuple[Strategy, Mapping], Row]]) -> Iterable[tuple[str, str]]:
    """Combinations that cannot work at all, with their reason."""
    for (strategy, mapping), row in found:
        if row.cycles is None:
            yield f"{strategy.name}/{mapping.value}", row.refusal or ""


def announcement(scenario: Scenario, mapping: Mapping) -> str:
    """What a kernel must print when its headers run out: how many all devices take that the board has room for."""
    headers = headers_of(scenario, mapping)
    return f"{ANNOUNCEMENT}{headers} and reboot"


def choice(strategy: Strategy, mapping: Mapping, values: dict[str, int], row: Row) -> Choice:
    tunables = [
        Tunable(key=f"reserve.{name}", bytes=values[name], headers=values[name] // page_size(mapping))
        for name in tunables_of(strategy)
    ]
    return Choice(strategy=strategy.name, mapping=mapping.value, values=tunables, row=row)
