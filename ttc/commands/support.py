"""What supports what, read from the registries: for each op, the ONNX and aten names that become it, and its calls.

The tables hold functions, so what a function makes is what its code names, and what the functions of its own part
of the package make that it names, methods of its builder among them.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from ttc import backend, ops
from ttc.backend.lowering import Lowering
from ttc.calls.call import Call
from ttc.frontend import export, onnx  # noqa: F401  (registers their functions)
from ttc.frontend.export import table as aten_table
from ttc.frontend.onnx import table as onnx_table
from ttc.frontend.onnx.emitter import Emitter
from ttc.ir import DType, Op

CONVERSIONS = frozenset({"ttnn.to_layout", "ttnn.to_memory_config", "ttnn.typecast"})
"""Calls that bring operands into the form that another call wants."""


@dataclass(frozen=True)
class Support:
    """One op: its kind, the operators that become it, the TTNN calls that it may become, and what those accept."""

    kind: type[Op]
    onnx: tuple[str, ...]
    aten: tuple[str, ...]
    calls: tuple[str, ...]
    dtypes: tuple[str, ...]


def supported() -> list[Support]:
    """All ops with a meaning, by name; those without calls are decomposed, or known when compiling."""
    kinds = [kind for kind in Op.registry.values() if kind.__module__.startswith(ops.__name__)]
    of_onnx = _sources({name: entry.function for name, entry in onnx_table.entries().items()}, Emitter)
    aten = {name: function for name, function in aten_table.TABLE.items() if "::" not in name}  # no ops of our own
    of_aten = _sources(aten, aten_table.ExportBuilder)
    found = []
    for kind in kinds:
        calls = _calls(kind)
        found.append(Support(kind, of_onnx.get(kind, ()), of_aten.get(kind, ()), calls, _dtypes(calls)))
    return sorted(found, key=lambda support: support.kind.mnemonic)


def _sources(functions: dict[str, Callable], builder: type) -> dict[type[Op], tuple[str, ...]]:
    """The names whose functions make an op, by op."""
    found: dict[type[Op], tuple[str, ...]] = {}
    for name in sorted(functions):
        for kind in _made(functions[name], builder):
            found[kind] = (*found.get(kind, ()), name)
    return found


def _calls(kind: type[Op]) -> tuple[str, ...]:
    rule = backend.RULES.get(kind)
    return (
        tuple(sorted(call.mnemonic for call in _made(rule, Lowering, kind) if issubclass(call, Call))) if rule else ()
    )


def _dtypes(calls: tuple[str, ...]) -> tuple[str, ...]:
    """The element types that the type rules of these calls name, those that only convert left out."""
    found: set[DType] = set()
    for name in set(calls) - CONVERSIONS:
        found.update(_accepted(Op.registry[name]))
    return tuple(dtype.name for dtype in DType if dtype in found)


@cache
def _accepted(kind: type[Op]) -> frozenset[DType]:
    """The sets of element types that a call's class holds or its type rule names, in functions it calls too."""
    found: set[DType] = set(getattr(kind, "dtypes", ()))
    seen: set[int] = set()
    pending: list[Any] = [kind.infer]
    while pending:
        item = pending.pop()
        if id(item) in seen:
            continue
        seen.add(id(item))
        if isinstance(item, frozenset):
            found.update(part for part in item if isinstance(part, DType))
        elif isinstance(item, types.FunctionType) and item.__module__.startswith("ttc.calls"):
            pending.extend(_named(item, kind))
    return frozenset(found)


def _made(function: Callable, builder: type, kind: type[Op] | None = None) -> frozenset[type[Op]]:
    """The classes of ops or calls that a function makes.

    Of a dictionary by op that it names, only the entry for `kind` counts.
    """
    found: set[type[Op]] = set()
    seen: set[int] = set()
    part = ".".join(function.__module__.split(".")[: 3 if "frontend" in function.__module__ else 2])
    pending: list[Any] = [function]
    while pending:
        item = pending.pop()
        if id(item) in seen:
            continue
        seen.add(id(item))
        if isinstance(item, type):
            found.update({item} & _classes())
        elif isinstance(item, types.FunctionType) and item.__module__.startswith(part):
            pending.extend(_named(item, builder))
        elif isinstance(item, dict) and kind in item:
            pending.append(item[kind])
        elif isinstance(item, (tuple, list)):
            pending.extend(item)
    return frozenset(found)


def _named(function: types.FunctionType, builder: type) -> Iterator[Any]:
    """What a function's code names: globals, attributes of modules among them, its builder's, what it closes over."""
    for code in _codes(function.__code__):
        named = [function.__globals__.get(name) for name in code.co_names]
        modules = [item for item in named if isinstance(item, types.ModuleType) and item.__name__.startswith("ttc.")]
        yield from named
        for name in code.co_names:
            yield from (getattr(holder, name, None) for holder in (*modules, builder))
    for cell in function.__closure__ or ():
        yield cell.cell_contents


def _codes(code: types.CodeType) -> Iterable[types.CodeType]:
    """A function's code and that of the functions inside it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _codes(constant)


@cache
def _classes() -> frozenset[type[Op]]:
    """All ops and calls that are not abstract."""
    return frozenset(Op.registry.values())
