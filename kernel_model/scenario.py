"""Scenario files: what is compared, on which board, with which devices.

A scenario is TOML.  Every key has a default (those of ``scenarios/default.toml``), an unknown key is an error that
names the file and the path of the key, and sizes are written as a number of bytes or with a unit ("128 MB").
"""

import re
from collections.abc import Callable, Collection
from collections.abc import Mapping as MappingOf
from pathlib import Path
from typing import Annotated, Any, NoReturn

import msgspec
from msgspec import Meta

from emu.board import BOARDS, Board
from emu.documents import Malformed, decode_toml
from emu.errors import UsageError
from kernel_model import abi
from kernel_model.choices import Flush, Handler, Mapping
from kernel_model.devices import CATALOGUE, Arrival, Departure, Device
from kernel_model.physmem import Direction
from kernel_model.plugins import load_plugins
from kernel_model.sizing import PAGE_SIZE, estimate
from kernel_model.strategies.base import Reserves
from kernel_model.structures import Alignment, sizes

__all__ = [
    "Scenario",
    "ScenarioError",
    "Strict",
    "changed",
    "checked",
    "key_and_reason",
    "load_scenario",
    "packaged_scenarios",
    "parse_scenario",
    "parse_size",
    "scenario_of",
]

SCENARIO_DIRECTORY = Path(__file__).parent / "scenarios"
UNITS = {"": 1, "B": 1, "KB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30}
SIZE_PATTERN = re.compile(r"\s*(-?\d{1,40})\s*([KMG]?B?)\s*")
ADDRESS_SPACE = 1 << 32
LARGEST_DEVICE = 1 << 40
"""Some that no board has room for are of interest, but their sum is a column of 63 bits."""
MANY = 1_000_000
GPT_SLOTS = 16
WORKLOAD_LIMITS = {
    "processes": (2, abi.MAX_USER_PROCESSES),
    "ipc_round_trips": (1, MANY),
    "prepares": (1, MANY),
    "frame_buffer_rounds": (1, MANY),
    "frame_buffer_prepares": (1, MANY),
    "fan_in_clients": (1, abi.MAX_USER_PROCESSES - 1),
    "fan_in_calls": (1, MANY),
    "fan_in_capabilities": (1, 4),
    "storm_touches": (1, MANY),
    "gpt_depth": (1, 5),
    "string_round_trips": (1, MANY),
    "churn_live": (1, MANY),
    "churn_exchanges": (1, MANY),
    "aging_allocations": (1, MANY),
    "hot_plug_cycles": (1, MANY),
}

Fail = Callable[[str, str], NoReturn]


class ScenarioError(UsageError):
    """A scenario says something that cannot be meant; ``str()`` is one line: file, key, reason."""

    def __init__(self, source: str, key: str, why: str) -> None:
        super().__init__(f"{source}: {key}: {why}" if key else f"{source}: {why}")
        self.source, self.key, self.why = source, key, why


class Strict(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Base of every table of the file."""


class KernelTable(Strict, frozen=True, kw_only=True):
    """``[kernel]``: how the kernel is built."""

    tables: Annotated[
        bool,
        Meta(description="with the tables Depend and RevMap, as in the source: 18 MB of heap at 128 MB, not 4"),
    ] = False
    alignment: Annotated[
        Alignment,
        Meta(
            description="`aligned`: a 56-byte Page header; `compiled`: 54 bytes, which RevMap's pointer tags cannot use"
        ),
    ] = Alignment.ALIGNED
    handler: Annotated[
        Handler, Meta(description="the TLB-miss handler: a scan of 32 ranges, a two-level table, or a linear one")
    ] = Handler.RANGE
    flush: Annotated[
        Flush,
        Meta(
            description="at a switch of address spaces: clear all unlocked entries, or nothing (entries carry the ASID)"
        ),
    ] = Flush.SWITCH
    allocation: Annotated[
        Direction,
        Meta(description="from which end of RAM frames are taken; `bottom-up` gives the whole heap one constant"),
    ] = Direction.BOTTOM_UP
    altmap_large_pages: Annotated[bool, Meta(description="map headers in device memory by 1-MB pages")] = False


class ReserveTable(Strict, frozen=True, kw_only=True):
    """``[reserve]``: for how much device memory headers are set aside at boot."""

    console: Annotated[
        int | str, Meta(description="protected, for the console alone, so that the user can be told to re-tune")
    ] = "128 KB"
    device: Annotated[int | str, Meta(description="what strategy reserve holds headers for")] = "160 MB"
    over: Annotated[
        int | str, Meta(description="what release and reserve+release hold before the configuration is known")
    ] = "512 MB"
    keep: Annotated[int | str, Meta(description="what reserve+release keeps afterwards")] = "8 MB"

    def amounts(self) -> Reserves:
        """The tunable amounts in bytes."""
        return Reserves(parse_size(self.device), parse_size(self.over), parse_size(self.keep))

    def console_bytes(self) -> int:
        """Device memory of the protected console reserve, in bytes."""
        return parse_size(self.console)


class BankTable(Strict, frozen=True, kw_only=True):
    """``[bank]``: how much of what it was promised the space bank has handed out."""

    allocated_percent: Annotated[
        float, Meta(description="of the promised frames; at 100 every frame taken back loses content")
    ] = 100.0


class WorkloadTable(Strict, frozen=True, kw_only=True):
    """``[workload]``: how much of each operation a workload does."""

    run: Annotated[
        list[str] | None, Meta(description="workloads, by name; default: those that need not be asked for")
    ] = None
    processes: Annotated[int, Meta(description="user processes")] = 2
    ipc_round_trips: Annotated[int, Meta(description="ping-pong")] = 1000
    prepares: Annotated[int, Meta(description="cold-prepare-*")] = 2000
    frame_buffer_rounds: Annotated[int, Meta(description="frame-buffer")] = 500
    frame_buffer_prepares: Annotated[int, Meta(description="frame-buffer: in each round")] = 4
    fan_in_clients: Annotated[
        int, Meta(description="fan-in: processes that call one server, with a machine of their own")
    ] = 50
    fan_in_calls: Annotated[int, Meta(description="fan-in: of each client")] = 20
    fan_in_capabilities: Annotated[
        int, Meta(description="fan-in: that go with a call, the reply capability included")
    ] = 2
    string_size: Annotated[
        int | str, Meta(description="string-ipc: sent with a call and copied to another process's memory, up to 64 KB")
    ] = "16 KB"
    string_round_trips: Annotated[int, Meta(description="string-ipc")] = 200
    storm_touches: Annotated[int, Meta(description="fault-storm: of random pages, by each of the processes")] = 2000
    storm_memory: Annotated[int | str, Meta(description="fault-storm: of each process")] = "4 MB"
    gpt_depth: Annotated[
        int, Meta(description="string-ipc, fault-storm: levels of GPTs that lead to the memory; enough to reach it")
    ] = 3
    churn_live: Annotated[int, Meta(description="churn: pages in use")] = 64
    churn_exchanges: Annotated[
        int, Meta(description="churn: so many times a random page is rescinded and another allocated")
    ] = 1000
    aging_allocations: Annotated[int, Meta(description="aging: of pages that stay in use, in a cache that is full")] = (
        3000
    )
    hot_plug_cycles: Annotated[
        int, Meta(description="hot-plug: a card is attached, detached and comes back at another address")
    ] = 20
    hot_plug_size: Annotated[int | str, Meta(description="hot-plug: of the card")] = "128 KB"
    hot_plug_recycle: Annotated[
        bool, Meta(description="headers of detached pages serve again; false: they are lost, as in the source")
    ] = False

    def hot_plug_bytes(self) -> int:
        """Memory of a card that comes and goes, in bytes."""
        return parse_size(self.hot_plug_size)

    def string_bytes(self) -> int:
        """Length of a string, in bytes."""
        return parse_size(self.string_size)

    def storm_bytes(self) -> int:
        """Memory of each process of the fault storm, in bytes."""
        return parse_size(self.storm_memory)


class DeviceTable(Strict, frozen=True, kw_only=True):
    """``[[device]]``: one device; ``kind`` gives size and memory (rather than registers) where they are not given."""

    name: Annotated[str | None, Meta(description="in messages and rows; default: device and its number")] = None
    kind: Annotated[str | None, Meta(description="a kind below; gives size and memory where they are not given")] = None
    size: Annotated[int | str | None, Meta(description="of the aperture")] = None
    base: Annotated[
        int | None, Meta(description="physical address; default: the board chooses, in its device window")
    ] = None
    memory: Annotated[
        bool | None,
        Meta(description="whether the aperture is memory, which could hold page headers, and not registers"),
    ] = None
    arrival: Annotated[
        Arrival, Meta(description="found at start-up, or plugged in when the configuration was believed known")
    ] = Arrival.CONFIGURATION
    departure: Annotated[
        Departure,
        Meta(description="when all have come: stays, pulled out, back where it was, or back at another address"),
    ] = Departure.NEVER


class Scenario(Strict, frozen=True, kw_only=True):
    """A whole scenario file."""

    summary: Annotated[str, Meta(description="one line, for `cfemu scenarios` and the head of a report")] = ""
    board: Annotated[str, Meta(description="one of `cfemu boards`")] = "coyotos128"
    seed: Annotated[int, Meta(description="of the guest's own pseudo-random choices")] = 1
    strategies: Annotated[list[str] | None, Meta(description="default: all")] = None
    mappings: Annotated[list[Mapping] | None, Meta(description="default: all")] = None
    kernel: KernelTable = KernelTable()
    reserve: ReserveTable = ReserveTable()
    bank: BankTable = BankTable()
    workload: WorkloadTable = WorkloadTable()
    device: list[DeviceTable] = []

    def devices(self) -> tuple[Device, ...]:
        """The population that is attached after boot, in order."""
        return tuple(_device(index, table) for index, table in enumerate(self.device))


class ScenarioFile(Scenario, frozen=True, kw_only=True):
    """And what is of the file alone: plugins, from its directory. What they define is named by the rest."""

    plugins: Annotated[
        list[str],
        Meta(description="files with strategies, workloads, boards and kinds of devices, from this file's directory"),
    ] = []

    def scenario(self) -> Scenario:
        """The file's content."""
        return Scenario(**{name: getattr(self, name) for name in Scenario.__struct_fields__})


def parse_size(value: int | str) -> int:
    """Bytes of ``4096``, ``"128 MB"``, ``"4KB"``; ValueError for anything else."""
    if isinstance(value, int):
        return value
    match = SIZE_PATTERN.fullmatch(value)
    unit = match[2] if match else None
    unit = f"{unit}B" if unit in ("K", "M", "G") else unit
    if match is None or unit not in UNITS:
        raise ValueError(f"{value!r} is not a size; write bytes, or a number with KB, MB or GB")
    return int(match[1]) * UNITS[unit]


def _device(index: int, table: DeviceTable) -> Device:
    kind = CATALOGUE.get(table.kind or "")
    size = kind.size if table.size is None and kind else parse_size(table.size or 0)
    memory = table.memory if table.memory is not None else (kind.memory if kind else True)
    return Device(table.name or f"device {index}", size, table.arrival, table.base, memory, table.departure)


def packaged_scenarios() -> dict[str, Path]:
    """Scenarios that come with the product: name -> file."""
    return {path.stem: path for path in sorted(SCENARIO_DIRECTORY.glob("*.toml"))}


def load_scenario(path: Path | None = None) -> Scenario:
    """Read a scenario file, by path or by the name of a packaged one; None is the default scenario.

    Raises :class:`ScenarioError` for a file that is missing, is not TOML, or says what cannot be meant.
    """
    packaged = packaged_scenarios()
    file = packaged["default"] if path is None else path
    if not file.exists() and str(file) in packaged:
        file = packaged[str(file)]
    try:
        text = file.read_bytes()
    except FileNotFoundError:
        known = ", ".join(packaged)
        raise ScenarioError(str(file), "", f"no such file, and no scenario of that name; known: {known}") from None
    except OSError as error:
        raise ScenarioError(str(file), "", (error.strerror or "cannot be read").lower()) from None
    return parse_scenario(text, str(path if path is not None else file.name), file.parent)


def parse_scenario(text: bytes, source: str, directory: Path = Path()) -> Scenario:
    """Decode and check one scenario; ``source`` names it in errors, ``directory`` is where its plugins are."""
    try:
        file = decode_toml(text, ScenarioFile)
    except msgspec.ValidationError as error:
        raise ScenarioError(source, *key_and_reason(str(error))) from None
    except Malformed as error:
        raise ScenarioError(source, "", str(error)) from None
    load_plugins(directory / name for name in file.plugins)
    return checked(file.scenario(), source)


def scenario_of(table: Scenario | MappingOf[str, Any], source: str = "scenario") -> Scenario:
    """A scenario from what a file would hold, checked as one; plugins are looked for in this process's directory."""
    if isinstance(table, Scenario):
        load_plugins()  # of the environment, whose names it may hold
        return checked(table, source)
    try:
        file = msgspec.convert(dict(table), ScenarioFile)
    except msgspec.ValidationError as error:
        raise ScenarioError(source, *key_and_reason(str(error))) from None
    load_plugins(Path(name) for name in file.plugins)
    return checked(file.scenario(), source)


def changed(scenario: Scenario, changes: dict[str, Any], source: str) -> Scenario:
    """The scenario with other values, in the form of the file: a table changes the keys that it has."""
    values: dict[str, Any] = msgspec.to_builtins(scenario)
    for key, value in changes.items():
        values[key] = values[key] | value if isinstance(value, dict) and isinstance(values.get(key), dict) else value
    try:
        found = msgspec.convert(values, Scenario)
    except msgspec.ValidationError as error:
        raise ScenarioError(source, *key_and_reason(str(error))) from None
    return checked(found, source)


def checked(scenario: Scenario, source: str) -> Scenario:
    """The scenario, if it says what can be meant; ``source`` names where it is from in errors."""
    _check(scenario, source)
    return scenario


def key_and_reason(message: str) -> tuple[str, str]:
    """Split msgspec's "what - at `$.path`" into our key path and reason."""
    what, _, path = message.partition(" - at `$")
    path = path.rstrip("`").removeprefix(".")
    unknown = re.fullmatch(r"Object contains unknown field `(.*)`", what)
    if unknown:
        return ".".join(filter(None, (path, unknown[1]))), "unknown key"
    return path, what[:1].lower() + what[1:]


def _check(scenario: Scenario, source: str) -> None:
    """Everything that types cannot say; raises :class:`ScenarioError` at the first contradiction."""
    from kernel_model.strategies import STRATEGIES
    from kernel_model.workloads import WORKLOADS

    def fail(key: str, why: str) -> NoReturn:
        raise ScenarioError(source, key, why)

    def known(key: str, what: str, value: str, names: Collection[str]) -> None:
        if value not in names:
            fail(key, f"unknown {what} {value!r}; known: {', '.join(names)}")

    known("board", "board", scenario.board, BOARDS)
    for index, name in enumerate(scenario.strategies or ()):
        known(f"strategies[{index}]", "strategy", name, STRATEGIES)
    for index, name in enumerate(scenario.workload.run or ()):
        known(f"workload.run[{index}]", "workload", name, WORKLOADS)
    for key, (low, high) in WORKLOAD_LIMITS.items():
        value = getattr(scenario.workload, key)
        if not low <= value <= high:
            fail(f"workload.{key}", f"must be {low} to {high}, not {value}")
    if not 1 <= scenario.seed < ADDRESS_SPACE:
        fail("seed", f"must be 1 to {ADDRESS_SPACE - 1}, not {scenario.seed}")
    if not 0 <= scenario.bank.allocated_percent <= 100:
        fail("bank.allocated_percent", f"must be 0 to 100, not {scenario.bank.allocated_percent}")
    board = BOARDS[scenario.board]
    _check_reserve(scenario, fail)
    _check_kernel(scenario, board, fail)
    _check_amounts(scenario, board, fail)
    _check_devices(scenario, board, fail)


def _check_reserve(scenario: Scenario, fail: Fail) -> None:
    for key, value in msgspec.structs.asdict(scenario.reserve).items():
        try:
            size = parse_size(value)
        except ValueError as error:
            fail(f"reserve.{key}", str(error))
        if not 0 <= size <= ADDRESS_SPACE:
            fail(f"reserve.{key}", f"must be 0 to 4 GB of device memory, not {size} bytes")


def _check_kernel(scenario: Scenario, board: Board, fail: Fail) -> None:
    struct_sizes = sizes(scenario.kernel.alignment)
    try:
        heap = estimate(board.ram[0][1], abi.IMAGE_SIZE, struct_sizes=struct_sizes, tables=scenario.kernel.tables)
    except ValueError as error:
        fail("board", f"{scenario.board} is too small for its kernel: {error}")
    workload, run = scenario.workload, scenario.workload.run or ()
    if workload.processes > heap.count("process"):
        fail("workload.processes", f"the kernel of {scenario.board} has {heap.count('process')} processes")
    # Every page that is allocated takes an entry of the object table, and nothing gives it back (kernel sheet 5).
    new = (workload.churn_live + workload.churn_exchanges) * ("churn" in run)
    for key, count in (("churn_exchanges", new), ("aging_allocations", new + workload.aging_allocations)):
        if key.partition("_")[0] in run and count > heap.count("otentry") // 2:
            fail(f"workload.{key}", f"{count} new pages take more than half of {heap.count('otentry')} table entries")
    if "fan-in" in run and workload.fan_in_clients + 1 > heap.count("process"):
        fail("workload.fan_in_clients", f"the kernel of {scenario.board} has {heap.count('process')} processes")


def _check_amounts(scenario: Scenario, board: Board, fail: Fail) -> None:
    """Sizes of strings, of a storm's memory and of hot-plug cards, and whether the levels of GPTs reach so far."""
    workload = scenario.workload
    amounts = {}
    for key, amount in (
        ("string_size", workload.string_bytes),
        ("storm_memory", workload.storm_bytes),
        ("hot_plug_size", workload.hot_plug_bytes),
    ):
        try:
            amounts[key] = amount()
        except ValueError as error:
            fail(f"workload.{key}", str(error))
    if not 1 <= amounts["string_size"] <= abi.MAX_STRING:
        fail("workload.string_size", f"must be 1 to {abi.MAX_STRING} bytes, not {amounts['string_size']}")
    if not 1 <= amounts["hot_plug_size"] <= ADDRESS_SPACE // 2:
        fail("workload.hot_plug_size", f"must be 1 byte to 2 GB, not {amounts['hot_plug_size']} bytes")
    if not 0 <= amounts["storm_memory"] <= ADDRESS_SPACE:
        fail("workload.storm_memory", f"must be 0 to 4 GB, not {amounts['storm_memory']} bytes")
    if "fault-storm" not in (workload.run or ()):
        return
    size, ram = amounts["storm_memory"], board.ram[0][1]
    if not 1 <= size * workload.processes <= ram // 2:
        fail("workload.storm_memory", f"{workload.processes} processes may have up to half of {ram >> 20} MB of RAM")
    page = 4096 if Mapping.PAGED_4K in (scenario.mappings or Mapping) else PAGE_SIZE
    reach = page * GPT_SLOTS**workload.gpt_depth
    if size > reach:
        fail("workload.gpt_depth", f"{workload.gpt_depth} levels of GPTs reach {reach} bytes of {page}-byte pages")


def _check_devices(scenario: Scenario, board: Board, fail: Fail) -> None:
    names: set[str] = set()
    placed: list[tuple[int, int, str]] = [(base, base + size, "RAM") for base, size in board.ram]
    for index, table in enumerate(scenario.device):
        key = f"device[{index}]"
        if table.kind is not None and table.kind not in CATALOGUE:
            fail(f"{key}.kind", f"unknown kind {table.kind!r}; known: {', '.join(CATALOGUE)}")
        if table.kind is None and table.size is None:
            fail(key, "needs a size or a kind")
        try:
            device = _device(index, table)
        except ValueError as error:
            fail(f"{key}.size", str(error))
        if device.size <= 0:
            fail(f"{key}.size", f"must be positive, not {device.size}")
        if device.size > LARGEST_DEVICE:
            fail(f"{key}.size", f"must be at most 1024 GB, not {device.size} bytes")
        if device.name in names:
            fail(f"{key}.name", f"{device.name!r} is another device's name already")
        names.add(device.name)
        if device.base is None:
            continue
        if device.base < 0 or device.base % PAGE_SIZE or device.base + device.size > ADDRESS_SPACE:
            fail(f"{key}.base", f"{device.base:#x} is not a page address with room for {device.size} bytes above it")
        for low, high, owner in placed:
            if device.base < high and low < device.base + device.size:
                fail(f"{key}.base", f"{device.base:#x}..{device.base + device.size - 1:#x} overlaps {owner}")
        placed.append((device.base, device.base + device.size, device.name))
