"""JSON as records of torch's own schema, every value of the type that the schema declares."""

from __future__ import annotations

import math
import types
import typing
from dataclasses import MISSING, fields, is_dataclass
from enum import IntEnum
from functools import cache
from typing import Any, TypeVar

from torch._export.serde import schema
from torch._export.serde.union import _Union as Union

from ttc.errors import InputError

Record = TypeVar("Record")

FLOAT_WORDS = {"Infinity", "-Infinity", "NaN"}
"""Words that torch writes for floats that JSON does not have."""


class _Wrong(Exception):
    """A value that departs from the schema; `path` leads to the value, innermost first."""

    def __init__(self, expected: str):
        super().__init__(expected)
        self.path: list[str] = []


def record(kind: type[Record], data: Any, name: str) -> Record:
    """Read the record of a schema class; InputError that leads to the first value of another type."""
    try:
        return _read(kind, data)
    except _Wrong as wrong:
        raise InputError(f"{name}: {'.'.join(reversed(wrong.path)) or 'it'} is no {wrong}") from None


def _read(kind: Any, data: Any) -> Any:
    origin = typing.get_origin(kind)
    if origin in (typing.Union, types.UnionType):
        return None if data is None else _read(typing.get_args(kind)[0], data)
    if origin is list:
        return [_part(typing.get_args(kind)[0], item, number) for number, item in enumerate(_as(list, data))]
    if origin is dict:
        return {key: _part(typing.get_args(kind)[1], item, key) for key, item in _as(dict, data).items()}
    if issubclass(kind, Union):
        return _union(kind, _as(dict, data))
    if is_dataclass(kind):
        return _fields(kind, _as(dict, data))
    return _plain(kind, data)


def _part(kind: Any, data: Any, name: Any) -> Any:
    try:
        return _read(kind, data)
    except _Wrong as wrong:
        wrong.path.append(str(name))
        raise


def _as(kind: type, data: Any) -> Any:
    if not isinstance(data, kind):
        raise _Wrong("list" if kind is list else "JSON object")
    return data


def _union(kind: Any, data: dict[str, Any]) -> Any:
    choices = _types(kind)
    if len(data) != 1 or next(iter(data)) not in choices:
        raise _Wrong(kind.__name__)
    ((name, item),) = data.items()
    return kind.create(**{name: _part(choices[name], item, name)})


def _fields(kind: Any, data: dict[str, Any]) -> Any:
    """Read a record; names that the schema does not know are passed over, as in torch."""
    found = {}
    for name, (declared, has_default) in _declared(kind).items():
        if name in data:
            found[name] = _part(declared, data[name], name)
        elif not has_default:
            raise _Wrong(f"{kind.__name__} with {name}")
    return kind(**found)


def _plain(kind: type, data: Any) -> Any:
    if kind is float and (isinstance(data, (int, float)) or data in FLOAT_WORDS) and not isinstance(data, bool):
        return float(data) if not isinstance(data, int) or abs(data) < 2**1000 else math.copysign(math.inf, data)
    if issubclass(kind, IntEnum) and type(data) is int and data in kind._value2member_map_:
        return kind(data)
    if type(data) is not kind:
        raise _Wrong(kind.__name__)
    if kind is int and not -(2**63) <= data < 2**63:
        raise _Wrong("int of 64 bits")
    return data


@cache
def _types(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind, globalns=dict(vars(schema)))


@cache
def _declared(kind: Any) -> dict[str, tuple[Any, bool]]:
    """Return each field's type, and whether the field has a default."""
    hints = _types(kind)
    return {f.name: (hints[f.name], f.default is not MISSING or f.default_factory is not MISSING) for f in fields(kind)}
