"""ONNX operators that look up, choose or place elements by index."""

from __future__ import annotations

import math

import torch

from ttc import ops
from ttc.errors import Refusal
from ttc.frontend.onnx.emitter import Emitter
from ttc.frontend.onnx.shape import axis_of
from ttc.frontend.onnx.table import Ints, Number, onnx_op
from ttc.frontend.scatter import reduced_scatter
from ttc.guard.budget import check_table
from ttc.ir import DType
from ttc.ops.expr import Expr, apply, concat, where
from ttc.ops.ranges import EVERYTHING, NOT_NEGATIVE, interval


def from_front(b: Emitter, index: Expr, sizes: int | Ints, trusted: bool = False) -> Expr:
    """Count indices into one size, or [..., n] into n sizes, from the front: ONNX's negative ones count from the end.

    Indices that cannot be negative cost nothing. `trusted` takes run-time inputs as not negative: those that
    look rows up are token ids and positions, whose range is checked where they come in. Refusal if an index is known
    and names no element.
    """
    _check_known(b, index, sizes)
    size = sizes if isinstance(sizes, int) else b.constant(torch.tensor(sizes, dtype=torch.int64))
    if interval(index.value, inputs=NOT_NEGATIVE if trusted else EVERYTHING).low >= 0:
        return index
    return where(index < 0, index + size, index)


def _check_known(b: Emitter, index: Expr, sizes: int | Ints) -> None:
    """Refuse indices that are known and beyond either end."""
    if (found := b.tensor(index)) is None:
        return
    limits = torch.tensor(sizes, dtype=torch.int64)
    wrong = (found.long() < -limits) | (found.long() >= limits)
    if bool(wrong.any()):
        size = int(limits.expand(found.shape)[wrong][0])
        raise Refusal(f"index {int(found[wrong][0])} is not in {size} elements")


@onnx_op()
def Gather(b: Emitter, x: Expr, indices: Expr, *, axis=0) -> Expr:
    """Gather elements: consecutive known indices slice; others look rows up, the axis moved to the front."""
    axis = axis_of(axis, x.rank)
    size = x.shape[axis]
    shape = (*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :])
    _check_known(b, indices, size)
    if (run := _run(b, indices, size)) is not None:
        return x.part(axis, *run).reshape(*shape)
    index = from_front(b, indices, size, trusted=True)
    if axis == 0:
        return apply(ops.Embedding, x, index)
    rest = tuple(i for i in range(x.rank) if i != axis)
    y = apply(ops.Embedding, x.permute(axis, *rest), index)
    count = index.rank
    back = (*range(count, count + axis), *range(count), *range(count + axis, y.rank))
    return y.permute(*back)


def _run(b: Emitter, indices: Expr, size: int) -> tuple[int, int] | None:
    """Return (start, end) if the indices are known and count up by one."""
    tensor = b.tensor(indices)
    if tensor is None or not tensor.numel():
        return None
    flat = tensor.flatten().long()
    flat = torch.where(flat < 0, flat + size, flat)
    start, end = int(flat[0]), int(flat[-1]) + 1
    return (start, end) if torch.equal(flat, torch.arange(start, start + len(flat))) else None


@onnx_op()
def GatherElements(b: Emitter, x: Expr, indices: Expr, *, axis=0) -> Expr:
    """Gather elements: known indices that count up along the axis slice."""
    axis = axis_of(axis, x.rank)
    if (run := _run_along(b, indices, x, axis)) is not None:
        return x.part(axis, *run)
    return apply(ops.Gather, x, from_front(b, indices, x.shape[axis]), axis)


def _run_along(b: Emitter, indices: Expr, x: Expr, axis: int) -> tuple[int, int] | None:
    """Return (start, end) if the indices are known, take all of the other axes, and count up by one along this one."""
    tensor = b.tensor(indices)
    others = all(i == axis or size == x.shape[i] for i, size in enumerate(indices.shape))
    if tensor is None or not others or not tensor.numel():
        return None
    start, count = int(tensor.flatten()[0]), indices.shape[axis]
    along = [count if i == axis else 1 for i in range(x.rank)]
    fits = start >= 0 and start + count <= x.shape[axis]
    same = torch.equal(tensor.long(), torch.arange(start, start + count).reshape(along).expand(indices.shape))
    return (start, start + count) if fits and same else None


@onnx_op()
def GatherND(b: Emitter, x: Expr, indices: Expr, *, batch_dims=0) -> Expr:
    """Gather rows: index tuples become row numbers of x with its indexed dimensions merged."""
    depth = indices.shape[-1]
    batch, rest = x.shape[:batch_dims], x.shape[batch_dims + depth :]
    rows = _row_numbers(b, indices, x.shape[batch_dims : batch_dims + depth])
    if batch:
        check_table(*batch)
        stride = math.prod(x.shape[batch_dims : batch_dims + depth])
        first = b.constant((torch.arange(math.prod(batch)) * stride).reshape(*batch, *[1] * (rows.rank - batch_dims)))
        rows = rows + first
    table = x.reshape(math.prod(x.shape[: batch_dims + depth]), *rest)
    known = b.tensor(rows)
    if known is not None and _counts_up(known.flatten()):
        start = int(known.flatten()[0])
        return table.part(0, start, start + known.numel()).reshape(*rows.shape, *rest)
    return apply(ops.Embedding, table, rows)


def _row_numbers(b: Emitter, indices: Expr, sizes: Ints) -> Expr:
    """Convert index tuples [..., depth] over `sizes` to row-major numbers [...]."""
    indices = indices.cast(DType.i64)
    indices = from_front(b, indices, sizes)
    if len(sizes) == 1:
        return indices.reshape(*indices.shape[:-1])
    strides = [math.prod(sizes[i + 1 :]) for i in range(len(sizes))]
    weighted = indices * b.constant(torch.tensor(strides, dtype=torch.int64))
    return weighted.sum((indices.rank - 1,))


@onnx_op()
def Scatter(b: Emitter, x: Expr, indices: Expr, updates: Expr, *, axis=0) -> Expr:
    return ScatterElements(b, x, indices, updates, axis=axis)


@onnx_op()
def ScatterElements(b: Emitter, x: Expr, indices: Expr, updates: Expr, *, axis=0, reduction="none") -> Expr:
    axis = axis_of(axis, x.rank)
    return _scattered(b, x, from_front(b, indices, x.shape[axis]), updates, axis, reduction)


def _scattered(b: Emitter, x: Expr, index: Expr, updates: Expr, axis: int, reduction: str) -> Expr:
    if reduction not in ("none", "add"):
        return reduced_scatter(b, x, index, updates, axis, reduction)
    return apply(ops.Scatter, x, index, updates, axis, "" if reduction == "none" else "add")


@onnx_op()
def ScatterND(b: Emitter, x: Expr, indices: Expr, updates: Expr, *, reduction="none") -> Expr:
    """Scatter rows of x with its indexed dimensions merged; a known run of rows is replaced by concatenation."""
    depth = indices.shape[-1]
    rest = x.shape[depth:]
    table = x.reshape(math.prod(x.shape[:depth]), math.prod(rest))
    rows = _row_numbers(b, indices, x.shape[:depth])
    rows = rows.reshape(rows.type.numel)
    new = updates.reshape(rows.type.numel, math.prod(rest))
    known = b.tensor(rows)
    if reduction == "none" and known is not None and _counts_up(known):
        start, end = int(known[0]), int(known[-1]) + 1
        parts = [table.part(0, 0, start)] if start else []
        parts += [new, *([table.part(0, end)] if end < table.shape[0] else [])]
        return concat(parts, 0).reshape(*x.shape)
    index = rows.reshape(rows.type.numel, 1).expand(*new.shape)
    return _scattered(b, table, index, new, 0, reduction).reshape(*x.shape)


def _counts_up(rows: torch.Tensor) -> bool:
    return rows.numel() > 0 and torch.equal(rows, torch.arange(int(rows[0]), int(rows[0]) + rows.numel()))


@onnx_op()
def OneHot(b: Emitter, indices: Expr, depth: Number, values: Expr, *, axis=-1) -> Expr:
    """Choose from values = [off, on]; an index outside -depth..depth-1 gives no on value."""
    rank = indices.rank + 1
    axis = axis_of(axis, rank)
    depth = int(depth)
    index = indices.cast(DType.i64)
    index = where(index < 0, index + depth, index)
    index = index.reshape(*index.shape[:axis], 1, *index.shape[axis:])
    positions = b.arange(depth).reshape(*(depth if i == axis else 1 for i in range(rank)))
    off, on = (values.part(0, i, i + 1).reshape() for i in range(2))
    return where(index == positions, on, off)


@onnx_op()
def Compress(b: Emitter, x: Expr, condition: Ints, *, axis=None) -> Expr:
    """Select the elements whose condition, known when compiling, holds."""
    if axis is None:
        x, axis = x.reshape(x.type.numel), 0
    chosen = [i for i, flag in enumerate(condition) if flag]
    return Gather(b, x, b.constant(torch.tensor(chosen, dtype=torch.int64)), axis=axis)


@onnx_op()
def NonZero(b: Emitter, x: Expr) -> Expr:
    tensor = b.tensor(x)
    if tensor is None:
        raise Refusal("the size of its result depends on run-time data")
    return b.constant(torch.nonzero(tensor).T.contiguous())
