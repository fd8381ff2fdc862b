"""Readings of aten ops that look up or assign by index."""

from __future__ import annotations

import math
from typing import Literal

import torch

from ttc import ops
from ttc.errors import Refusal
from ttc.frontend.export import compose
from ttc.frontend.export.compose import result_as
from ttc.frontend.export.table import ExportBuilder, Number, aten, cast, full
from ttc.guard.budget import check_table
from ttc.ir import DType, Value
from ttc.ops.rules import broadcast


@aten("index.Tensor", "_unsafe_index.Tensor")
def index(b: ExportBuilder, x: Value, indices: list[Value | None]) -> Value:
    """x[i, j, ...] by numpy's rule: adjacent indices keep their place, separated ones come first."""
    found = _integers(b, indices)
    dims = [dim for dim, item in enumerate(found) if item is not None]
    if len(dims) == 1 and (only := found[dims[0]]) is not None:
        return compose.take(b, x, dims[0], compose.wrap_index(b, only, x.shape[dims[0]]))
    position = _flat_position(b, x, found)
    rows = b(ops.Embedding(_indexed_first(b, x, dims), position))
    adjacent = dims == list(range(dims[0], dims[0] + len(dims)))
    place, rank = dims[0] if adjacent else 0, position.type.rank
    order = [*range(rank, rank + place), *range(rank), *range(rank + place, rows.type.rank)]
    return compose.permute(b, rows, order)


@aten("index_put", "_unsafe_index_put")
def index_put(
    b: ExportBuilder, x: Value, indices: list[Value | None], values: Value, accumulate: bool = False
) -> Value:
    """x with x[i, j, ...] = values: a scatter of rows; under one mask and one value, a choice."""
    first = indices[0]
    if len(indices) == 1 and first is not None and first.dtype is DType.bool and values.type.numel == 1:
        mask = compose.reshape(b, first, first.shape + (1,) * (x.type.rank - first.type.rank))
        value = compose.reshape(b, result_as(b, values), ())
        return b(ops.Where(mask, b(ops.Add(x, value)) if accumulate else value, x))
    found = _integers(b, indices)
    dims = [dim for dim, item in enumerate(found) if item is not None]
    position = _flat_position(b, x, found)
    rows = _indexed_first(b, x, dims)
    count, width = position.type.numel, math.prod(rows.shape[1:])
    shape = (*position.shape, *rows.shape[1:])
    if dims != list(range(len(dims))) and values.type.rank > 1:
        raise Refusal("assigning a tensor by index to dimensions that are not the first is not supported")
    updates = compose.reshape(b, compose.expand(b, result_as(b, values), shape), (count, width))
    at = compose.expand(b, compose.reshape(b, position, (count, 1)), (count, width))
    flat = compose.reshape(b, rows, (rows.shape[0], width))
    flat = b(ops.Scatter(flat, at, updates, 0, "add" if accumulate else ""))
    rest = [dim for dim in range(x.type.rank) if dim not in dims]
    wide = compose.reshape(b, flat, [x.shape[dim] for dim in (*dims, *rest)])
    return compose.permute(b, wide, [(*dims, *rest).index(dim) for dim in range(x.type.rank)])


def _integers(b: ExportBuilder, indices: list[Value | None]) -> list[Value | None]:
    """The indices with known masks as the positions where they hold."""
    found: list[Value | None] = []
    for item in indices:
        if item is None or item.dtype is not DType.bool:
            found.append(item)
            continue
        mask = ops.known(item, b)
        if mask is None:
            raise Refusal("selecting by a boolean mask gives a size that depends on data")
        found.extend(ops.constant(b, places) for places in torch.nonzero(mask, as_tuple=True))
    return found


def _flat_position(b: ExportBuilder, x: Value, indices: list[Value | None]) -> Value:
    """The row-major position (i64) that several indices mean together, over the dimensions they index."""
    pairs = [(item, x.shape[dim]) for dim, item in enumerate(indices) if item is not None]
    shape = broadcast(*(item.shape for item, _ in pairs))
    total = None
    stride = 1
    for item, size in reversed(pairs):
        term = compose.wrap_index(b, item, size)
        term = term if stride == 1 else b(ops.Mul(term, cast(b, stride, DType.i64)))
        stride *= size
        if ops.number_of(term) != 0:
            total = term if total is None else b(ops.Add(total, term))
    return compose.expand(b, full(b, (), 0, DType.i64) if total is None else total, shape)


def _indexed_first(b: ExportBuilder, x: Value, dims: list[int]) -> Value:
    """x with the dimensions `dims` merged into the first."""
    rest = [dim for dim in range(x.type.rank) if dim not in dims]
    rows = compose.permute(b, x, (*dims, *rest))
    return compose.reshape(b, rows, (math.prod(x.shape[dim] for dim in dims), *(x.shape[dim] for dim in rest)))


@aten("index_select")
def index_select(b: ExportBuilder, x: Value, dim: int, index: Value) -> Value:
    return compose.take(b, x, dim, compose.reshape(b, index, (-1,)))


@aten("gather")
def gather(b: ExportBuilder, x: Value, dim: int, index: Value, sparse_grad: bool = False) -> Value:
    return b(ops.Gather(x, index, compose.axis(x, dim)))


@aten("scatter.src")
def scatter(b: ExportBuilder, x: Value, dim: int, index: Value, src: Value) -> Value:
    return _scatter(b, x, dim, index, src, "")


@aten("scatter.value")
def scatter_value(b: ExportBuilder, x: Value, dim: int, index: Value, value: Number) -> Value:
    return b(ops.Scatter(x, index, full(b, index.shape, value, x.dtype), compose.axis(x, dim)))


@aten("scatter_add")
def scatter_add(b: ExportBuilder, x: Value, dim: int, index: Value, src: Value) -> Value:
    return _scatter(b, x, dim, index, src, "add")


def _scatter(b: ExportBuilder, x: Value, dim: int, index: Value, src: Value, reduce: Literal["", "add"]) -> Value:
    """torch reads as much of `src` as the index is large."""
    for axis, size in enumerate(index.shape):
        src = compose.part(b, src, axis, 0, size)
    return b(ops.Scatter(x, index, src, compose.axis(x, dim), reduce))


@aten("index_add")
def index_add(b: ExportBuilder, x: Value, dim: int, index: Value, source: Value, alpha: Number = 1) -> Value:
    source = source if alpha == 1 else b(ops.Mul(source, cast(b, alpha, x.dtype)))
    return _scatter_lines(b, x, dim, index, source, "add")


@aten("index_copy")
def index_copy(b: ExportBuilder, x: Value, dim: int, index: Value, source: Value) -> Value:
    return _scatter_lines(b, x, dim, index, source, "")


def _scatter_lines(
    b: ExportBuilder, x: Value, dim: int, index: Value, source: Value, reduce: Literal["", "add"]
) -> Value:
    """x with whole lines of `source` put at `index` [n] along `dim`."""
    at = compose.axis(x, dim)
    places = compose.reshape(b, index, [-1 if i == at else 1 for i in range(x.type.rank)])
    return b(ops.Scatter(x, compose.expand(b, places, source.shape), source, at, reduce))


@aten("diagonal", "diagonal_copy")
def diagonal(b: ExportBuilder, x: Value, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Value:
    """A diagonal of two dimensions, as a new last one: every column + 1-st element of the matrices' rows."""
    first, second = compose.axis(x, dim1), compose.axis(x, dim2)
    rest = [dim for dim in range(x.type.rank) if dim not in (first, second)]
    count, columns = b.result.shape[-1], x.shape[second]
    matrices = compose.permute(b, x, (*rest, first, second))
    rows = compose.reshape(b, matrices, (*matrices.shape[:-2], x.shape[first] * columns))
    if not count:
        return compose.part(b, rows, -1, 0, 0)
    start = offset if offset >= 0 else -offset * columns
    return compose.part(b, rows, -1, start, start + (count - 1) * (columns + 1) + 1, columns + 1)


@aten("unfold")
def unfold(b: ExportBuilder, x: Value, dimension: int, size: int, step: int) -> Value:
    """Windows of `size` every `step` along a dimension; their elements form a new last dimension."""
    at = compose.axis(x, dimension)
    check_table(b.result.shape[at], size)
    starts = torch.arange(0, x.shape[at] - size + 1, step)
    windows = compose.take(b, x, at, ops.constant(b, starts[:, None] + torch.arange(size)[None]))
    return compose.move(b, windows, at + 1, -1)
