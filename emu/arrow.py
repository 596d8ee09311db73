"""Records - dataclasses and structs - as columns of an Arrow table.

A field stands under its path with underscores (``cycles_bill_entry``). What has names of its own, a dict, is a map, so
that tables of one kind of record always have the same columns.
"""

import dataclasses
import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import Enum
from functools import cache
from typing import Any, Union, get_args, get_origin, get_type_hints

import pyarrow as pa

__all__ = ["Column", "Columns", "fields_of", "is_record", "plain", "table_of"]

Column = tuple[str, Any, str]  # name, type, meaning
SCALARS = {bool: pa.bool_(), int: pa.int64(), float: pa.float64(), str: pa.string()}


@cache
def is_record(kind: Any) -> bool:
    """Whether a type has fields: a dataclass, or a struct of msgspec."""
    return isinstance(kind, type) and (hasattr(kind, "__struct_fields__") or dataclasses.is_dataclass(kind))


@cache
def fields_of(kind: Any) -> list[tuple[str, Any]]:
    """Names and types, without None, of a record's fields."""
    return [(name, plain(inner)) for name, inner in _stored(kind).items()]


def _stored(kind: Any) -> dict[str, Any]:
    """Types of the fields, with what is written beside them."""
    names = getattr(kind, "__struct_fields__", None) or [field.name for field in dataclasses.fields(kind)]
    hints = get_type_hints(kind, include_extras=True)
    return {name: hints[name] for name in names}


def plain(kind: Any) -> Any:
    """A type without its None and without what is written beside it."""
    if hasattr(kind, "__metadata__"):
        return plain(kind.__origin__)
    if get_origin(kind) in (Union, types.UnionType):
        some = [plain(one) for one in get_args(kind) if one is not type(None)]
        return some[0] if len(some) == 1 else Union[tuple(some)]  # noqa: UP007  # of what is known here only
    return kind


class Columns:
    """How types become columns. ``special``: further types, each with its Arrow type and how a value becomes one."""

    def __init__(self, special: Mapping[Any, tuple[pa.DataType, Callable[[Any], Any]]] | None = None) -> None:
        self._special = dict(special or {})

    def flat(self, kind: Any, prefix: str = "") -> list[Column]:
        """Columns of a record: its own fields, and those of records in it under longer names."""
        described = _stored(kind)
        columns: list[Column] = []
        for name, inner in fields_of(kind):
            if is_record(inner):
                columns += self.flat(inner, f"{prefix}{name}_")
            else:
                columns.append((prefix + name, inner, _description(described[name])))
        return columns

    def values(self, kind: Any, value: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
        """Column and value of each field of a record; all None where there is no record."""
        for name, inner in fields_of(kind):
            one = None if value is None else getattr(value, name)
            if is_record(inner):
                yield from self.values(inner, one, f"{prefix}{name}_")
            else:
                yield prefix + name, self.value(inner, one)

    def arrow(self, kind: Any) -> pa.DataType:
        """The type of a column."""
        if kind in self._special:
            return self._special[kind][0]
        if is_record(kind):
            return pa.struct([(name, self.arrow(inner)) for name, inner in fields_of(kind)])
        arguments = [plain(one) for one in get_args(kind)]
        if get_origin(kind) is dict:
            return pa.map_(self.arrow(arguments[0]), self.arrow(arguments[1]))
        if get_origin(kind) is list:
            return pa.list_(self.arrow(arguments[0]))
        return pa.string() if issubclass(kind, Enum) else SCALARS[kind]

    def value(self, kind: Any, value: Any) -> Any:
        """A value as Arrow wants it."""
        if value is None:
            return None
        if kind in self._special:
            return self._special[kind][1](value)
        if is_record(kind):
            return {name: self.value(inner, getattr(value, name)) for name, inner in fields_of(kind)}
        if get_origin(kind) is dict:
            inner = plain(get_args(kind)[1])
            return [(name, self.value(inner, one)) for name, one in sorted(value.items())]
        if get_origin(kind) is list:
            inner = plain(get_args(kind)[0])
            return [self.value(inner, one) for one in value]
        return value.value if isinstance(value, Enum) else value


def _description(kind: Any) -> str:
    """The text of a field's ``Meta``."""
    extras = getattr(kind, "__metadata__", ())
    return next((extra.description for extra in extras if getattr(extra, "description", None)), "")


def table_of(kind: Any, records: Iterable[Any], columns: Columns | None = None) -> pa.Table:
    """One row a record, all of one kind."""
    columns = columns or Columns()
    schema = pa.schema([(name, columns.arrow(inner)) for name, inner, _ in columns.flat(kind)])
    return pa.Table.from_pylist([dict(columns.values(kind, record)) for record in records], schema)
