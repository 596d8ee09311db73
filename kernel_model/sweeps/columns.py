"""The columns of a sweep's table, made from the types of scenarios and result rows.

A figure of :class:`~kernel_model.results.Row` stands under its path with underscores (``cycles_bill_entry``), a key
of the scenario likewise (``reserve_device``), sizes in bytes. What has names of its own - workloads, regions,
operations - is a map of structs, so that every table has the same columns: ``workloads['ping-pong'].cycles.refill``.
"""

from functools import cache
from typing import Any, get_args, get_origin

import msgspec
import pyarrow as pa

from emu.arrow import Column, Columns, fields_of, is_record, plain
from kernel_model.devices import Device
from kernel_model.plugins import Plugin, require_plugins
from kernel_model.results import Row
from kernel_model.scenario import Scenario, parse_size
from kernel_model.sweeps.run import Inputs, Record, Status

__all__ = ["FORMAT", "PROVENANCE", "figures_of", "inputs_of", "meanings", "plugins_of", "schema", "table_of"]

FORMAT = b"cfemu-sweep/1"
#: Columns that may differ between two computations of one row.
PROVENANCE = frozenset({"run", "engine_used", "versions", "code"})
# Elsewhere in the row, or, as the scenario's lists, said by the row itself.
NOT_A_COLUMN = frozenset({"summary", "board", "seed", "strategies", "mappings", "device"})
COLUMNS = Columns({int | str: (pa.int64(), parse_size)})  # a size: bytes, or a number with a unit


@cache
def schema() -> pa.Schema:
    """Every column, in order."""
    return pa.schema([(name, COLUMNS.arrow(kind)) for name, kind, _ in _columns()], {"format": FORMAT})


def meanings() -> dict[str, str]:
    """What each column holds; "" where its name says it."""
    return {name: meaning for name, _, meaning in _columns()}


def _columns() -> list[Column]:
    """Name, type and meaning of every column, in order."""
    return [
        ("run", str, "SHA-256 of all inputs of the run"),
        ("status", Status, "done, refused (the combination makes no sense), failed, lost (its process died)"),
        ("error", str, "why it failed or was lost"),
        ("engine", str, "as asked for"),
        ("engine_used", str, "the one that ran; empty where none did"),
        ("timing", str, "level of the time model"),
        ("clock", str, "what devices count as time"),
        ("tlb", int, "entries of each of the two TLBs"),
        *COLUMNS.flat(Row),
        *(column for column in COLUMNS.flat(Scenario) if column[0] not in NOT_A_COLUMN),
        ("device_bytes", int, "of all devices that appear after boot"),
        ("devices", list[Device], "those devices, in order"),
        ("scenario", str, "JSON: the whole scenario of this run alone, with every default filled in"),
        ("numbers", str, "JSON: numbers of the time model that are not the manuals'"),
        ("versions", str, "JSON: of this product and of what computes the figures"),
        ("code", str, "SHA-256 of this product's sources"),
    ]


def table_of(records: list[Record]) -> pa.Table:
    """One row a record."""
    return pa.Table.from_pylist([_row(record) for record in records], schema())


def inputs_of(row: dict[str, Any]) -> Inputs:
    """What a row of the table was computed from."""
    raw = {name: row[name] for name in ("strategy", "mapping", "engine", "timing", "clock", "tlb")}
    for name in ("scenario", "numbers"):
        raw[name] = msgspec.json.decode(row[name])
    return msgspec.convert(raw, Inputs)


def figures_of(row: dict[str, Any]) -> Row:
    """The result row in a row of the table."""
    return msgspec.convert(_nested(Row, row), Row)


def plugins_of(row: dict[str, Any], where: str) -> list[Plugin]:
    """Those that the row was made with. UsageError, naming ``where`` it is, unless all of them are loaded."""
    return require_plugins(msgspec.json.decode(row["versions"]), where)


def _nested(kind: Any, row: dict[str, Any], prefix: str = "") -> dict[str, Any] | None:
    """The struct whose fields stand in ``row`` under longer names; None where it has none of them."""
    found: dict[str, Any] = {}
    for name, inner in fields_of(kind):
        whole = prefix + name
        found[name] = _nested(inner, row, f"{whole}_") if is_record(inner) else _from_arrow(inner, row[whole])
    return found if any(value is not None for value in found.values()) else None


def _from_arrow(kind: Any, value: Any) -> Any:
    """As :class:`Row` wants it: Arrow gives a map as a list of pairs."""
    if value is None:
        return None
    if get_origin(kind) is dict:
        inner = plain(get_args(kind)[1])
        return {name: _from_arrow(inner, one) for name, one in value}
    if is_record(kind):
        return {name: _from_arrow(inner, value[name]) for name, inner in fields_of(kind)}
    return value


def _row(record: Record) -> dict[str, Any]:
    inputs, environment = record.run.inputs, record.run.environment
    devices = inputs.scenario.devices()
    return {
        "run": record.run.name,
        "status": record.status.value,
        "error": record.error,
        "engine": inputs.engine.value,
        "engine_used": record.engine,
        "timing": inputs.timing.value,
        "clock": inputs.clock.value,
        "tlb": inputs.tlb,
        **dict(COLUMNS.values(Row, record.row)),
        **{name: value for name, value in COLUMNS.values(Scenario, inputs.scenario) if name not in NOT_A_COLUMN},
        "device_bytes": sum(device.size for device in devices),
        "devices": COLUMNS.value(list[Device], list(devices)),
        "scenario": _json(inputs.scenario),
        "numbers": _json(inputs.numbers),
        "versions": _json(environment.versions),
        "code": environment.code,
    }


def _json(value: object) -> str:
    return msgspec.json.encode(value, order="sorted").decode()
