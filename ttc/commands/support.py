"""Support of ops: for each op, the ONNX and aten operators whose reading uses it, and its calls.

All is recorded (`tests/support.py`): the operators from the front ends' source, the calls and element types from
programs that were compiled, as a lowering rule names more calls than one op ever becomes.
"""

from __future__ import annotations

import ast
import inspect
import json
import textwrap
import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ttc import ops
from ttc.ir import Op

RECORD = Path(__file__).with_name("supported.json")
"""Written by `python -m tests.support`: by mnemonic, the fields of `Support`."""


@dataclass(frozen=True)
class Support:
    """One op: its kind, the operators that use it, the TTNN calls of its samples, and their element types."""

    kind: type[Op]
    onnx: tuple[str, ...]
    aten: tuple[str, ...]
    calls: tuple[str, ...]
    dtypes: tuple[str, ...]


def supported() -> list[Support]:
    """Return all ops, by name; those without calls are decomposed, or known when compiling."""
    kinds = [kind for kind in Op.registry.values() if kind.__module__.startswith(ops.__name__)]
    found = [Support(kind, **{name: tuple(items) for name, items in _entry(kind).items()}) for kind in kinds]
    return sorted(found, key=lambda support: support.kind.mnemonic)


def _entry(kind: type[Op]) -> Mapping[str, list[str]]:
    return recorded().get(kind.mnemonic, {"onnx": [], "aten": [], "calls": [], "dtypes": []})


@cache
def recorded() -> Mapping[str, Mapping[str, list[str]]]:
    """Read for each op the names of operators, `onnx` and `aten`, and its programs' `calls` and `dtypes`."""
    return json.loads(RECORD.read_text())


def refusals(function: Callable) -> list[str]:
    """Return the sentences of the refusals in a function and those that it names, with expressions in braces."""
    return sorted({sentence for item in _reached(function) for sentence in _raised(item)})


def _raised(function: types.FunctionType) -> Iterator[str]:
    """Yield the messages of the refusals in a function's source."""
    for node in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(function)))):
        match node:
            case ast.Raise(exc=ast.Call(func=ast.Name(id="Refusal"), args=[ast.Constant(value=str(text))])):
                yield text
            case ast.Raise(exc=ast.Call(func=ast.Name(id="Refusal"), args=[ast.JoinedStr(values=parts)])):
                yield "".join(str(p.value) if isinstance(p, ast.Constant) else _braced(p) for p in parts)


def _braced(part: ast.expr) -> str:
    """Write what a message is filled with, in braces."""
    return "{" + ast.unparse(part.value if isinstance(part, ast.FormattedValue) else part) + "}"


def _reached(function: Callable) -> Iterator[types.FunctionType]:
    """Yield a function and the functions of its part of the package that its code and theirs name."""
    seen: set[int] = set()
    part = ".".join(function.__module__.split(".")[: 3 if "frontend" in function.__module__ else 2])
    pending: list[Any] = [function]
    while pending:
        item = pending.pop()
        if id(item) in seen:
            continue
        seen.add(id(item))
        if isinstance(item, types.FunctionType) and item.__module__.startswith(part):
            yield item
            pending.extend(_named(item))
        elif isinstance(item, (tuple, list)):
            pending.extend(item)


def _named(function: types.FunctionType) -> Iterator[Any]:
    """Yield the objects that a function's code names: globals, attributes of modules, those of the closure."""
    for code in _codes(function.__code__):
        named = [function.__globals__.get(name) for name in code.co_names]
        modules = [item for item in named if isinstance(item, types.ModuleType) and item.__name__.startswith("ttc.")]
        yield from named
        for name in code.co_names:
            yield from (getattr(holder, name, None) for holder in modules)
    for cell in function.__closure__ or ():
        yield cell.cell_contents


def _codes(code: types.CodeType) -> Iterable[types.CodeType]:
    """Yield a function's code and the code of the functions inside it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _codes(constant)
