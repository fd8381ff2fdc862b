"""Readings of aten ops that combine several elements put in one place."""

from __future__ import annotations

import math

import torch

from ttc import ops
from ttc.errors import Refusal
from ttc.frontend.export import compose
from ttc.frontend.export.index import indexed_part
from ttc.frontend.export.table import ExportBuilder, Number, aten, full
from ttc.frontend.scatter import reduced_scatter
from ttc.ir import DType
from ttc.ops.expr import Expr, apply, maximum, where
from ttc.ops.torch_types import to_torch

ONNX_NAMES = {"prod": "mul", "amax": "max", "amin": "min"}


@aten("scatter_reduce")
def scatter_reduce(
    b: ExportBuilder, x: Expr, dim: int, index: Expr, src: Expr, reduce: str, include_self: bool = True
) -> Expr:
    """Combine each element of src into its place in x; without x itself where an element is put."""
    if not index.type.numel:
        return x
    src = indexed_part(x, index, src)
    at = compose.axis(x, dim)
    ones = full(b, index.shape, 1, x.dtype)
    if not include_self:
        put = apply(ops.Scatter, full(b, x.shape, 0, x.dtype), index, ones, at)
        touched = put != 0
        x = where(touched, _neutral(reduce, x.dtype), x)
    if reduce in ONNX_NAMES:
        return reduced_scatter(b, x, index, src, at, ONNX_NAMES[reduce])
    if reduce not in ("sum", "mean"):
        raise Refusal(f"no reduction is called {reduce!r}")
    total = apply(ops.Scatter, x, index, src, at, "add")
    if reduce == "sum":
        return total
    count = apply(ops.Scatter, full(b, x.shape, int(include_self), x.dtype), index, ones, at, "add")
    count = count if include_self else maximum(count, 1)
    return apply(ops.Div if x.dtype.is_float else ops.FloorDiv, total, count)


def _neutral(reduce: str, dtype: DType) -> Number:
    """Return the neutral element of a reduction."""
    if reduce not in ("amax", "amin"):
        return int(reduce == "prod")
    if dtype is DType.bool:
        return int(reduce == "amin")
    if dtype.is_float:
        return -math.inf if reduce == "amax" else math.inf
    limits = torch.iinfo(to_torch(dtype))
    return limits.min if reduce == "amax" else limits.max


@aten("scatter.reduce")
def scatter_combined(b: ExportBuilder, x: Expr, dim: int, index: Expr, src: Expr, reduce: str) -> Expr:
    return scatter_reduce(b, x, dim, index, src, {"add": "sum", "multiply": "prod"}[reduce])


@aten("scatter.value_reduce")
def scatter_number_combined(b: ExportBuilder, x: Expr, dim: int, index: Expr, value: Number, reduce: str) -> Expr:
    return scatter_combined(b, x, dim, index, full(b, index.shape, value, x.dtype), reduce)


@aten("index_reduce")
def index_reduce(
    b: ExportBuilder, x: Expr, dim: int, index: Expr, source: Expr, reduce: str, include_self: bool = True
) -> Expr:
    at = compose.axis(x, dim)
    places = index.view(*[-1 if i == at else 1 for i in range(x.rank)])
    return scatter_reduce(b, x, dim, places.expand(*source.shape), source, reduce, include_self)


@aten("put")
def put(b: ExportBuilder, x: Expr, index: Expr, source: Expr, accumulate: bool = False) -> Expr:
    """Replace elements of x by their row-major positions."""
    flat, places, updates = (item.view(-1) for item in (x, index, source))
    places = compose.wrap_index(b, places, flat.shape[0])
    y = apply(ops.Scatter, flat, places, updates.cast(x.dtype), 0, "add" if accumulate else "")
    return y.reshape(*x.shape)


@aten("masked_scatter")
def masked_scatter(b: ExportBuilder, x: Expr, mask: Expr, source: Expr) -> Expr:
    """Replace the elements of x where the mask holds by the elements of source, in row-major order.

    The n-th true element of the mask takes element n of source, and n is a prefix sum. Where there are more of them
    than source has elements, which torch refuses at run time, the last element is repeated.
    """
    x = x.expand(*b.result.shape)
    if source.type.numel == 0:
        return x
    inner = mask.op.x if isinstance(mask.op, ops.Expand) else mask.value
    # one flag for each row, as where embeddings of a picture replace those of tokens: whole rows of source are taken
    by_rows = inner.shape == (*x.shape[:-1], 1) and source.type.numel % x.shape[-1] == 0
    width = x.shape[-1] if by_rows else 1
    flags = Expr(inner, b) if by_rows else mask.expand(*x.shape)
    rows = source.view(-1, width)
    number = apply(ops.Cumsum, flags.view(-1).cast(DType.i64), 0) - 1
    taken = compose.take(rows, 0, number.clamp(0, rows.shape[0] - 1))
    return where(mask, taken.view(*x.shape), x)
