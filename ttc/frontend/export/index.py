"""Readings of aten ops that look up or assign by index."""

from __future__ import annotations

import math
from typing import Literal

import torch

from ttc import ops
from ttc.errors import Refusal
from ttc.frontend.export import compose
from ttc.frontend.export.compose import result_as
from ttc.frontend.export.table import ExportBuilder, Number, aten, full
from ttc.guard.budget import check_table
from ttc.ir import DType
from ttc.ir.permutation import inverse_of
from ttc.ir.types import broadcast
from ttc.ops.expr import Expr, apply, where


@aten("index.Tensor", "_unsafe_index.Tensor")
def index(b: ExportBuilder, x: Expr, indices: list[Expr | None]) -> Expr:
    """Read x[i, j, ...] by numpy's rule: adjacent indices keep their place, separated ones come first."""
    found = _integers(b, indices)
    dims = [dim for dim, item in enumerate(found) if item is not None]
    if len(dims) == 1 and (only := found[dims[0]]) is not None:
        return compose.take(x, dims[0], compose.wrap_index(b, only, x.shape[dims[0]]))
    position = _flat_position(b, x, found)
    rows = apply(ops.Embedding, _indexed_first(x, dims), position)
    return rows.permute(*_order(dims, position.rank, rows.rank))


def _order(dims: list[int], rank: int, whole: int) -> list[int]:
    """Return the permutation of [indexed by `rank` dimensions, rest] that numpy's rule asks for, of `whole` dimensions.

    The indexed ones stay where `dims` are if these are adjacent, else they come first.
    """
    adjacent = dims == list(range(dims[0], dims[0] + len(dims)))
    place = dims[0] if adjacent else 0
    return [*range(rank, rank + place), *range(rank), *range(rank + place, whole)]


@aten("index_put", "_unsafe_index_put")
def index_put(b: ExportBuilder, x: Expr, indices: list[Expr | None], values: Expr, accumulate: bool = False) -> Expr:
    """Set x[i, j, ...] = values: a scatter of rows; under one mask and values alike in each place, a choice."""
    chosen = _under_mask(b, x, indices, values, accumulate)
    if chosen is not None:
        return chosen
    found = _integers(b, indices)
    dims = [dim for dim, item in enumerate(found) if item is not None]
    if len(dims) == 1 and dims[0] > 0 and (only := found[dims[0]]) is not None:
        at, size = dims[0], x.shape[dims[0]]
        updates = result_as(b, values).expand(*x.shape[:at], *only.shape, *x.shape[at + 1 :])
        lines = updates.reshape(*x.shape[:at], only.type.numel, *x.shape[at + 1 :])
        return _scatter_lines(x, at, compose.wrap_index(b, only, size), lines, "add" if accumulate else "")
    position = _flat_position(b, x, found)
    rows = _indexed_first(x, dims)
    count, width = position.type.numel, math.prod(rows.shape[1:])
    shape = (*position.shape, *rows.shape[1:])
    order = _order(dims, position.rank, len(shape))
    wide = result_as(b, values).expand(*[shape[dim] for dim in order])
    updates = wide.permute(*inverse_of(order)).reshape(count, width)
    at = position.reshape(count, 1).expand(count, width)
    flat = rows.reshape(rows.shape[0], width)
    flat = apply(ops.Scatter, flat, at, updates, 0, "add" if accumulate else "")
    rest = [dim for dim in range(x.rank) if dim not in dims]
    wide = flat.reshape(*[x.shape[dim] for dim in (*dims, *rest)])
    return wide.permute(*inverse_of((*dims, *rest)))


def _under_mask(b: ExportBuilder, x: Expr, indices: list[Expr | None], values: Expr, accumulate: bool) -> Expr | None:
    """Return x with `values` where the only index, a mask, holds; None for other indices.

    x[:, mask] has the shape [lead, n, rest], n the count of what holds: values that have no n, or 1 of it, are alike in
    each place. None is given for others.
    """
    *lead, mask = indices
    if mask is None or mask.dtype is not DType.bool or any(item is not None for item in lead):
        return None
    rest = x.rank - len(lead) - mask.rank
    before, after = values.shape[: max(values.rank - rest, 0)], values.shape[max(values.rank - rest, 0) :]
    if before and before[-1] != 1:
        return None
    value = result_as(b, values).reshape(*before[:-1], *(1,) * (mask.rank if before else 0), *after)
    places = mask.reshape(*mask.shape, *(1,) * rest)
    return where(places, x + value if accumulate else value, x)


def _integers(b: ExportBuilder, indices: list[Expr | None]) -> list[Expr | None]:
    """Return the indices with known masks as the positions where they hold."""
    found: list[Expr | None] = []
    for item in indices:
        if item is None or item.dtype is not DType.bool:
            found.append(item)
            continue
        mask = ops.known(item.value, b)
        if mask is None:
            raise Refusal("selecting by a boolean mask gives a size that depends on data")
        found.extend(b.constant(places) for places in torch.nonzero(mask, as_tuple=True))
    return found


def _flat_position(b: ExportBuilder, x: Expr, indices: list[Expr | None]) -> Expr:
    """Return the row-major position (i64) that several indices mean together, over the dimensions they index."""
    pairs = [(item, x.shape[dim]) for dim, item in enumerate(indices) if item is not None]
    shape = broadcast(*(item.shape for item, _ in pairs))
    total = None
    stride = 1
    for item, size in reversed(pairs):
        term = compose.wrap_index(b, item, size)
        term = term if stride == 1 else term * stride
        stride *= size
        if ops.number_of(term.value) != 0:
            total = term if total is None else total + term
    return (full(b, (), 0, DType.i64) if total is None else total).expand(*shape)


def _indexed_first(x: Expr, dims: list[int]) -> Expr:
    """Merge the dimensions `dims` of x into the first."""
    rest = [dim for dim in range(x.rank) if dim not in dims]
    rows = x.permute(*dims, *rest)
    return rows.reshape(math.prod(x.shape[dim] for dim in dims), *(x.shape[dim] for dim in rest))


@aten("index_select")
def index_select(b: ExportBuilder, x: Expr, dim: int, index: Expr) -> Expr:
    return compose.take(x, dim, index.view(-1))


@aten("gather")
def gather(b: ExportBuilder, x: Expr, dim: int, index: Expr, sparse_grad: bool = False) -> Expr:
    return apply(ops.Gather, x, index, compose.axis(x, dim))


@aten("scatter.src")
def scatter(b: ExportBuilder, x: Expr, dim: int, index: Expr, src: Expr) -> Expr:
    return _scatter(x, dim, index, src, "")


@aten("scatter.value")
def scatter_value(b: ExportBuilder, x: Expr, dim: int, index: Expr, value: Number) -> Expr:
    return apply(ops.Scatter, x, index, full(b, index.shape, value, x.dtype), compose.axis(x, dim))


@aten("scatter_add")
def scatter_add(b: ExportBuilder, x: Expr, dim: int, index: Expr, src: Expr) -> Expr:
    return _scatter(x, dim, index, src, "add")


def _scatter(x: Expr, dim: int, index: Expr, src: Expr, reduce: Literal["", "add"]) -> Expr:
    return apply(ops.Scatter, x, index, indexed_part(x, index, src), compose.axis(x, dim), reduce)


def indexed_part(x: Expr, index: Expr, src: Expr) -> Expr:
    """Return as much of `src` as the index is large: torch scatters no more of `src` into x."""
    if not x.rank == index.rank == src.rank:
        raise Refusal(f"index {index.type}, x {x.type} and {src.type} differ in rank")
    for axis, size in enumerate(index.shape):
        src = src.part(axis, 0, size)
    return src


@aten("index_add")
def index_add(b: ExportBuilder, x: Expr, dim: int, index: Expr, source: Expr, alpha: Number = 1) -> Expr:
    source = source if alpha == 1 else source * alpha
    return _scatter_lines(x, dim, index, source, "add")


@aten("index_copy")
def index_copy(b: ExportBuilder, x: Expr, dim: int, index: Expr, source: Expr) -> Expr:
    return _scatter_lines(x, dim, index, source, "")


def _scatter_lines(x: Expr, dim: int, index: Expr, source: Expr, reduce: Literal["", "add"]) -> Expr:
    """Put whole lines of `source` into x at `index` [n] along `dim`."""
    at = compose.axis(x, dim)
    places = index.view(*[-1 if i == at else 1 for i in range(x.rank)])
    return apply(ops.Scatter, x, places.expand(*source.shape), source, at, reduce)


@aten("diagonal", "diagonal_copy")
def diagonal(b: ExportBuilder, x: Expr, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Expr:
    """Take a diagonal of two dimensions, as a new last one: every (columns + 1)-st element of the matrices' rows."""
    first, second = compose.axis(x, dim1), compose.axis(x, dim2)
    rest = [dim for dim in range(x.rank) if dim not in (first, second)]
    count, columns = b.result.shape[-1], x.shape[second]
    matrices = x.permute(*rest, first, second)
    rows = matrices.reshape(*matrices.shape[:-2], x.shape[first] * columns)
    if not count:
        return rows.part(-1, 0, 0)
    start = offset if offset >= 0 else -offset * columns
    return rows.part(-1, start, start + (count - 1) * (columns + 1) + 1, columns + 1)


@aten("diagonal_scatter")
def diagonal_scatter(b: ExportBuilder, x: Expr, src: Expr, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Expr:
    """Replace a diagonal of two dimensions by src: element k stands in row k, or in column k below the main one."""
    first, second = compose.axis(x, dim1), compose.axis(x, dim2)
    order = [*(dim for dim in range(x.rank) if dim not in (first, second)), first, second]
    matrices = x.permute(*order)
    rows, columns = matrices.shape[-2:]
    at = -2 if offset >= 0 else -1
    missing = matrices.shape[at] - src.shape[-1]
    lines = apply(ops.Pad, result_as(b, src), (*((0, 0),) * (src.rank - 1), (0, missing)), "constant", 0.0)
    here = torch.ones(rows, columns, dtype=torch.bool).tril(offset).triu(offset)
    return where(b.constant(here), compose.unsqueeze(lines, -3 - at), matrices).permute(*inverse_of(order))


@aten("unfold")
def unfold(b: ExportBuilder, x: Expr, dimension: int, size: int, step: int) -> Expr:
    """Take windows of `size` every `step` along a dimension; their elements form a new last dimension."""
    at = compose.axis(x, dimension)
    check_table(b.result.shape[at], size)
    starts = torch.arange(0, x.shape[at] - size + 1, step)
    windows = compose.take(x, at, b.constant(starts[:, None] + torch.arange(size)[None]))
    return compose.move(windows, at + 1, -1)
