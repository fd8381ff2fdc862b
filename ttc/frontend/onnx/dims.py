"""A model's inputs and their sizes, the symbolic ones among them, and the binding of these."""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Mapping
from os import PathLike
from typing import Any

from onnx import ModelProto, ValueInfoProto

from ttc.errors import InputError, Refusal
from ttc.frontend.onnx.file import Opened, open_model
from ttc.frontend.onnx.tensors import dtype_of
from ttc.ir import TensorType

Dim = int | str
"""A size, or the name of a dynamic one."""


def runtime_inputs(model: ModelProto) -> list[ValueInfoProto]:
    """List the graph's inputs without those that an initialiser gives (files of IR version 3 list weights too)."""
    weights = {tensor.name for tensor in model.graph.initializer}
    return [value for value in model.graph.input if value.name not in weights]


def dims_of(value: ValueInfoProto) -> tuple[Dim, ...] | None:
    """Return the sizes of an input; a nameless dynamic one is called `input.axis`. None if the rank is unknown."""
    if not value.type.tensor_type.HasField("shape"):
        return None
    return tuple(_dim(dim, f"{value.name}.{axis}") for axis, dim in enumerate(value.type.tensor_type.shape.dim))


def _dim(dim: Any, name: str) -> Dim:
    if dim.HasField("dim_value") and dim.dim_value >= 0:
        return dim.dim_value
    return dim.dim_param or name


def input_names(model: str | PathLike | ModelProto | Opened) -> list[str]:
    """List the names of the run-time inputs, in order."""
    return [value.name for value in runtime_inputs(open_model(model)[0])]


def dynamic_dims(model: str | PathLike | ModelProto | Opened) -> dict[str, dict[int, str]]:
    """Return the dynamic dimensions of each input that has any: `{"x": {0: "batch", 1: "T"}}`.

    The graph is read but no weights; InputError if the file is unusable.
    """
    found: dict[str, dict[int, str]] = {}
    for value in runtime_inputs(open_model(model)[0]):
        named = {axis: dim for axis, dim in enumerate(dims_of(value) or ()) if isinstance(dim, str)}
        if named:
            found[value.name] = named
    return found


def input_types(
    model: ModelProto, lengths: Mapping[str, int] | None, inputs: Mapping[str, Any] | None
) -> dict[str, TensorType]:
    """Return the static type of each run-time input, dynamic sizes bound by `lengths` or by the shapes of `inputs`.

    `inputs` holds arrays, or shapes as tuples, by name. InputError names the unbound sizes and how to bind them,
    a length that no input has, and an input whose shape disagrees.
    """
    values = {value.name: value for value in runtime_inputs(model)}
    dims = {name: dims_of(value) for name, value in values.items()}
    shapes = {name: _shape(given) for name, given in (inputs or {}).items() if name in values}
    bound = _checked_lengths(lengths or {}, dims)
    for name, shape in shapes.items():
        _bind(name, dims[name], shape, bound)
    dtypes = {name: _dtype(value) for name, value in values.items()}
    types: dict[str, TensorType] = {}
    unbound: dict[str, None] = {}
    for name in values:
        sizes = shapes.get(name) if dims[name] is None else [_size(dim, bound) for dim in dims[name] or ()]
        if sizes is None:
            raise InputError(f"the input {name!r} has no shape in the model: give example inputs")
        unbound.update({name: None for name in sizes if isinstance(name, str)})
        types[name] = TensorType(dtypes[name], tuple(size for size in sizes if isinstance(size, int)))
    if unbound:
        flags = " ".join(f"{name}=..." for name in unbound)
        plural = "s" if len(unbound) > 1 else ""
        raise InputError(f"the length{plural} {', '.join(unbound)} must be given: --length {flags}")
    return types


def _dtype(value: ValueInfoProto):
    kind = value.type.WhichOneof("value")
    if kind != "tensor_type":
        raise Refusal(f"the input {value.name!r} is no tensor: its type is {(kind or 'unknown').split('_')[0]}")
    try:
        return dtype_of(value.type.tensor_type.elem_type)
    except Refusal as refusal:
        raise Refusal(f"the input {value.name!r}: {refusal}") from None


def _shape(given: Any) -> tuple[int, ...]:
    return tuple(int(size) for size in (given if isinstance(given, (tuple, list)) else given.shape))


def check_lengths(model: str | PathLike | ModelProto | Opened, lengths: Mapping[str, int]) -> None:
    """Refuse a length that no input has, or that is no size: InputError with the names that there are."""
    _checked_lengths(lengths, {value.name: dims_of(value) for value in runtime_inputs(open_model(model)[0])})


def _checked_lengths(lengths: Mapping[str, int], dims: Mapping[str, tuple[Dim, ...] | None]) -> dict[str, int]:
    names = {dim: None for sizes in dims.values() for dim in sizes or () if isinstance(dim, str)}
    parts = {part for name in names for part in _names_in(name)} | set(names)
    for name, length in lengths.items():
        if name not in parts:
            there = f"it has {', '.join(names)}" if names else "all its sizes are fixed"
            raise InputError(f"the model has no length called {name!r}: {there}")
        if not isinstance(length, int) or length < 1:
            raise InputError(f"the length {name} must be a positive whole number, got {length!r}")
    return dict(lengths)


def _bind(name: str, dims: tuple[Dim, ...] | None, shape: tuple[int, ...], bound: dict[str, int]) -> None:
    if dims is None:
        return
    if len(dims) != len(shape):
        raise InputError(f"the input {name!r} should have {len(dims)} dimensions, got {list(shape)}")
    for axis, (dim, size) in enumerate(zip(dims, shape, strict=True)):
        wanted = dim if isinstance(dim, int) else bound.setdefault(dim, size)
        if wanted != size:
            raise InputError(f"the input {name!r} should have size {wanted} in dimension {axis} ({dim}), got {size}")


_OPERATORS = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.FloorDiv: operator.floordiv}


LONGEST_DIM = 500
"""The largest number of characters of an expression of sizes."""


def _size(dim: Dim, bound: Mapping[str, int]) -> Dim:
    """Evaluate a dim: a number, a bound name, or an expression over such names, as `2*T + 1`; else keep the dim."""
    if isinstance(dim, int) or dim in bound:
        return bound.get(dim, dim) if isinstance(dim, str) else dim
    tree = _parsed(dim)
    if tree is None:
        return dim
    try:
        size = _value(tree.body, bound)
    except (KeyError, ZeroDivisionError, ValueError):
        return dim
    return size if size >= 0 else dim


def _value(tree: ast.expr, bound: Mapping[str, int]) -> int:
    match tree:
        case ast.BinOp(left, op, right) if type(op) in _OPERATORS:
            return _OPERATORS[type(op)](_value(left, bound), _value(right, bound))
        case ast.Constant(value=int(number)):
            return number
        case ast.Name(id=name):
            return bound[name]
    raise ValueError(tree)


def _names_in(dim: str) -> set[str]:
    tree = _parsed(dim)
    return set() if tree is None else {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


def _parsed(dim: str) -> ast.Expression | None:
    """Parse a dim's name as an expression of names, numbers and operators alone, which never runs; None for others."""
    if len(dim) > LONGEST_DIM or not re.fullmatch(r"[\w\s+*/()-]*", dim, re.ASCII):
        return None
    try:
        return ast.parse(dim, mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
