"""Support of ops: for each op, the ONNX and aten operators whose reading uses it, and its calls.

The front ends' tables hold functions; a function makes the ops that its code names, and those made by the functions
of its own part of the package that it names, methods of its builder among them. Calls and element types are recorded
from programs that were compiled: a lowering rule names more calls than one op ever becomes.
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
from ttc.frontend import export, onnx  # noqa: F401  (registers their functions)
from ttc.frontend.export import table as aten_table
from ttc.frontend.onnx import table as onnx_table
from ttc.frontend.onnx.emitter import Emitter
from ttc.ir import Op

RECORD = Path(__file__).with_name("supported.json")
"""Record written by `python -m tests.support`: calls and element types of the programs of each op's samples."""


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
    of_onnx = _sources({name: entry.function for name, entry in onnx_table.entries().items()}, Emitter)
    aten = {name: function for name, function in aten_table.TABLE.items() if "::" not in name}  # no ops of our own
    of_aten = _sources(aten, aten_table.ExportBuilder)
    found = []
    for kind in kinds:
        lowered = recorded().get(kind.mnemonic, {"calls": [], "dtypes": []})
        calls, dtypes = tuple(lowered["calls"]), tuple(lowered["dtypes"])
        found.append(Support(kind, of_onnx.get(kind, ()), of_aten.get(kind, ()), calls, dtypes))
    return sorted(found, key=lambda support: support.kind.mnemonic)


def _sources(functions: dict[str, Callable], builder: type) -> dict[type[Op], tuple[str, ...]]:
    """Map each op to the names whose functions make it."""
    found: dict[type[Op], tuple[str, ...]] = {}
    for name in sorted(functions):
        for kind in _made(functions[name], builder):
            found[kind] = (*found.get(kind, ()), name)
    return found


@cache
def recorded() -> Mapping[str, Mapping[str, list[str]]]:
    """Read the record of the programs of each op's samples: their `calls`, and the `dtypes` of these."""
    return json.loads(RECORD.read_text())


def _made(function: Callable, builder: type) -> frozenset[type[Op]]:
    """Return the classes of ops that a function makes."""
    return _classes().intersection(item for item in _reached(function, builder) if isinstance(item, type))


def refusals(function: Callable) -> list[str]:
    """Return the sentences of the refusals in a function and those that it names, with expressions in braces."""
    reached = [item for item in _reached(function, object) if isinstance(item, types.FunctionType)]
    return sorted({sentence for item in reached for sentence in _raised(item)})


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


def _reached(function: Callable, builder: type) -> Iterator[Any]:
    """Yield the classes that a function's code names, and functions of its part of the package with what these name."""
    seen: set[int] = set()
    part = ".".join(function.__module__.split(".")[: 3 if "frontend" in function.__module__ else 2])
    pending: list[Any] = [function]
    while pending:
        item = pending.pop()
        if id(item) in seen:
            continue
        seen.add(id(item))
        if isinstance(item, type):
            yield item
        elif isinstance(item, types.FunctionType) and item.__module__.startswith(part):
            yield item
            pending.extend(_named(item, builder))
        elif isinstance(item, (tuple, list)):
            pending.extend(item)


def _named(function: types.FunctionType, builder: type) -> Iterator[Any]:
    """Yield the objects that a function's code names: globals, attributes of modules, its builder's, its closure's."""
    for code in _codes(function.__code__):
        named = [function.__globals__.get(name) for name in code.co_names]
        modules = [item for item in named if isinstance(item, types.ModuleType) and item.__name__.startswith("ttc.")]
        yield from named
        for name in code.co_names:
            yield from (getattr(holder, name, None) for holder in (*modules, builder))
    for cell in function.__closure__ or ():
        yield cell.cell_contents


def _codes(code: types.CodeType) -> Iterable[types.CodeType]:
    """Yield a function's code and the code of the functions inside it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _codes(constant)


@cache
def _classes() -> frozenset[type[Op]]:
    """Return all ops and calls that are not abstract."""
    return frozenset(Op.registry.values())
