"""The columns of a sweep's table, made from the types of scenarios and result rows.

A figure of :class:`~kernel_model.results.Row` stands under its path with underscores (``cycles_bill_entry``), a key
of the scenario likewise (``reserve_device``), sizes in bytes. What has names of its own - workloads, regions,
operations - is a map of structs, so that every table has the same columns: ``workloads['ping-pong'].cycles.refill``.
"""

import dataclasses
import types
from collections.abc import Iterator
from enum import Enum
from functools import cache
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import msgspec
import pyarrow as pa

from kernel_model.devices import Device
from kernel_model.results import Row
from kernel_model.scenario import Scenario, parse_size
from kernel_model.sweep.run import Inputs, Record, Status

__all__ = ["FORMAT", "PROVENANCE", "inputs_of", "schema", "table_of"]

FORMAT = b"cfemu-sweep/1"
#: Columns that may differ between two computations of one row.
PROVENANCE = frozenset({"run", "engine_used", "versions", "code"})
# Elsewhere in the row, or, as the scenario's lists, said by the row itself.
NOT_A_COLUMN = frozenset({"summary", "board", "seed", "strategies", "mappings", "device"})
SCALARS = {bool: pa.bool_(), int: pa.int64(), float: pa.float64(), str: pa.string()}


@cache
def schema() -> pa.Schema:
    """Every column, in order."""
    columns: list[tuple[str, Any]] = [("run", str), ("status", Status), ("error", str)]
    columns += [("engine", str), ("engine_used", str), ("timing", str), ("clock", str), ("tlb", int)]
    columns += _flat(Row)
    columns += [column for column in _flat(Scenario) if column[0] not in NOT_A_COLUMN]
    columns += [("device_bytes", int), ("devices", list[Device])]
    columns += [("scenario", str), ("numbers", str), ("versions", str), ("code", str)]
    return pa.schema([(name, _arrow(kind)) for name, kind in columns], {"format": FORMAT})


def table_of(records: list[Record]) -> pa.Table:
    """One row a record."""
    return pa.Table.from_pylist([_row(record) for record in records], schema())


def inputs_of(row: dict[str, Any]) -> Inputs:
    """What a row of the table was computed from."""
    raw = {name: row[name] for name in ("strategy", "mapping", "engine", "timing", "clock", "tlb")}
    for name in ("scenario", "numbers"):
        raw[name] = msgspec.json.decode(row[name])
    return msgspec.convert(raw, Inputs)


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
        **dict(_flat_values(Row, record.row)),
        **{name: value for name, value in _flat_values(Scenario, inputs.scenario) if name not in NOT_A_COLUMN},
        "device_bytes": sum(device.size for device in devices),
        "devices": _value(list[Device], list(devices)),
        "scenario": _json(inputs.scenario),
        "numbers": _json(inputs.numbers),
        "versions": _json(environment.versions),
        "code": environment.code,
    }


def _json(value: object) -> str:
    return msgspec.json.encode(value, order="sorted").decode()


def _plain(kind: Any) -> Any:
    """A type without its annotations and its None; a size for what is a number or a text."""
    if get_origin(kind) is Annotated:
        return _plain(get_args(kind)[0])
    if get_origin(kind) in (Union, types.UnionType):
        some = [_plain(one) for one in get_args(kind) if one is not type(None)]
        return Size if set(some) == {int, str} else some[0]
    return kind


class Size:
    """Stands for ``int | str``: bytes, or a number with a unit."""


def _is_record(kind: Any) -> bool:
    return isinstance(kind, type) and (issubclass(kind, msgspec.Struct) or dataclasses.is_dataclass(kind))


def _fields(kind: Any) -> Iterator[tuple[str, Any]]:
    """Names and types of a struct's or dataclass's fields."""
    for name, inner in get_type_hints(kind, include_extras=True).items():
        if not name.startswith("_"):
            yield name, _plain(inner)


def _flat(kind: Any, prefix: str = "") -> list[tuple[str, Any]]:
    """Columns of a struct: its own fields, and those of structs in it under longer names."""
    columns: list[tuple[str, Any]] = []
    for name, inner in _fields(kind):
        columns += _flat(inner, f"{prefix}{name}_") if _is_record(inner) else [(prefix + name, inner)]
    return columns


def _flat_values(kind: Any, value: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, inner in _fields(kind):
        one = None if value is None else getattr(value, name)
        if _is_record(inner):
            yield from _flat_values(inner, one, f"{prefix}{name}_")
        else:
            yield prefix + name, _value(inner, one)


def _arrow(kind: Any) -> pa.DataType:
    if _is_record(kind):
        return pa.struct([(name, _arrow(inner)) for name, inner in _fields(kind)])
    if get_origin(kind) is dict:
        return pa.map_(pa.string(), _arrow(_plain(get_args(kind)[1])))
    if get_origin(kind) is list:
        return pa.list_(_arrow(_plain(get_args(kind)[0])))
    if kind is Size:
        return pa.int64()
    return pa.string() if issubclass(kind, Enum) else SCALARS[kind]


def _value(kind: Any, value: Any) -> Any:
    """As Arrow wants it."""
    if value is None:
        return None
    if _is_record(kind):
        return {name: _value(inner, getattr(value, name)) for name, inner in _fields(kind)}
    if get_origin(kind) is dict:
        inner = _plain(get_args(kind)[1])
        return [(name, _value(inner, one)) for name, one in sorted(value.items())]
    if get_origin(kind) is list:
        inner = _plain(get_args(kind)[0])
        return [_value(inner, one) for one in value]
    if kind is Size:
        return parse_size(value)
    return value.value if isinstance(value, Enum) else value
