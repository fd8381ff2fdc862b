"""Readings of aten ops that combine what is put in one place."""

from __future__ import annotations

import math

import torch

from ttc import ops
from ttc.errors import Refusal
from ttc.frontend.export import compose
from ttc.frontend.export.table import ExportBuilder, Number, aten, cast, full
from ttc.frontend.scatter import reduced_scatter
from ttc.ir import DType, Value
from ttc.ops.torch_types import to_torch

ONNX_NAMES = {"prod": "mul", "amax": "max", "amin": "min"}


@aten("scatter_reduce")
def scatter_reduce(
    b: ExportBuilder, x: Value, dim: int, index: Value, src: Value, reduce: str, include_self: bool = True
) -> Value:
    """x with each element of src combined into its place; without x itself where something is put."""
    at = compose.axis(x, dim)
    for axis, size in enumerate(index.shape):
        src = compose.part(b, src, axis, 0, size)
    ones = full(b, index.shape, 1, x.dtype)
    if not include_self:
        put = b(ops.Scatter(full(b, x.shape, 0, x.dtype), index, ones, at))
        touched = b(ops.Ne(put, full(b, (), 0, x.dtype)))
        x = b(ops.Where(touched, full(b, (), _neutral(reduce, x.dtype), x.dtype), x))
    if reduce in ONNX_NAMES:
        return reduced_scatter(b, x, index, src, at, ONNX_NAMES[reduce])
    if reduce not in ("sum", "mean"):
        raise Refusal(f"no reduction is called {reduce!r}")
    total = b(ops.Scatter(x, index, src, at, "add"))
    if reduce == "sum":
        return total
    count = b(ops.Scatter(full(b, x.shape, int(include_self), x.dtype), index, ones, at, "add"))
    count = count if include_self else b(ops.Maximum(count, full(b, (), 1, x.dtype)))
    return b((ops.Div if x.dtype.is_float else ops.FloorDiv)(total, count))


def _neutral(reduce: str, dtype: DType) -> Number:
    """What a reduction leaves as it is combined with."""
    if reduce not in ("amax", "amin"):
        return int(reduce == "prod")
    if dtype.is_float:
        return -math.inf if reduce == "amax" else math.inf
    limits = torch.iinfo(to_torch(dtype))
    return limits.min if reduce == "amax" else limits.max


@aten("scatter.reduce")
def scatter_combined(b: ExportBuilder, x: Value, dim: int, index: Value, src: Value, reduce: str) -> Value:
    return scatter_reduce(b, x, dim, index, src, {"add": "sum", "multiply": "prod"}[reduce])


@aten("scatter.value_reduce")
def scatter_number_combined(b: ExportBuilder, x: Value, dim: int, index: Value, value: Number, reduce: str) -> Value:
    return scatter_combined(b, x, dim, index, full(b, index.shape, value, x.dtype), reduce)


@aten("index_reduce")
def index_reduce(
    b: ExportBuilder, x: Value, dim: int, index: Value, source: Value, reduce: str, include_self: bool = True
) -> Value:
    at = compose.axis(x, dim)
    places = compose.reshape(b, index, [-1 if i == at else 1 for i in range(x.type.rank)])
    return scatter_reduce(b, x, dim, compose.expand(b, places, source.shape), source, reduce, include_self)


@aten("put")
def put(b: ExportBuilder, x: Value, index: Value, source: Value, accumulate: bool = False) -> Value:
    """x with elements of its row-major order replaced."""
    flat, places, updates = (compose.reshape(b, item, (-1,)) for item in (x, index, source))
    places = compose.wrap_index(b, places, flat.shape[0])
    y = b(ops.Scatter(flat, places, cast(b, updates, x.dtype), 0, "add" if accumulate else ""))
    return compose.reshape(b, y, x.shape)
