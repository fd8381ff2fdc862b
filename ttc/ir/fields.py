"""Checks that a value read from text is of the kind that its field is annotated with.

A field that takes one of a few words lists them: `mode: Literal["constant", "reflect"]`.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Callable
from dataclasses import KW_ONLY
from functools import cache
from typing import Any

Test = Callable[[Any], bool]


def fits(cls: type, name: str, value: Any) -> bool:
    """Return whether `value` may stand in this field: `float` takes integers and booleans too, `int` no booleans."""
    return _tests(cls)[name](value)


@cache
def _tests(cls: type) -> dict[str, Test]:
    return {name: _test(hint) for name, hint in typing.get_type_hints(cls).items()}


def _test(hint: Any) -> Test:
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        tests = tuple(map(_test, parts))
        return lambda value: any(test(value) for test in tests)
    if origin is tuple:
        return _tuple_test(parts)
    if origin is typing.Literal:
        return lambda value: isinstance(value, str) and value in parts
    if hint is float:
        return lambda value: isinstance(value, (int, float))
    if hint is int:
        return lambda value: isinstance(value, int) and not isinstance(value, bool)
    if isinstance(hint, type):
        return lambda value: isinstance(value, hint)
    if hint is KW_ONLY or typing.get_origin(hint) is typing.ClassVar:  # no field
        return lambda value: False
    raise TypeError(f"no rule says which values a field of {hint} takes")


def _tuple_test(parts: tuple[Any, ...]) -> Test:
    if len(parts) == 2 and parts[1] is ...:
        every = _test(parts[0])
        return lambda value: isinstance(value, tuple) and all(map(every, value))
    tests = tuple(map(_test, parts))
    return lambda value: (
        isinstance(value, tuple)
        and len(value) == len(tests)
        and all(test(item) for test, item in zip(tests, value, strict=True))
    )
