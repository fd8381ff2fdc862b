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
from ttc.ir import DType, Value
from ttc.ops.ranges import EVERYTHING, NOT_NEGATIVE, interval


def from_front(b: Emitter, index: Value, size: int | Value, trusted: bool = False) -> Value:
    """Indices counted from the front: ONNX's negative ones count from the end.

    Costs nothing where they cannot be negative. `trusted` takes run-time inputs as not negative: those that
    look rows up are token ids and positions, whose range is checked where they come in.
    """
    if interval(index, inputs=NOT_NEGATIVE if trusted else EVERYTHING).low >= 0:
        return index
    span = b.full(size, index.dtype) if isinstance(size, int) else size
    return b(ops.Where(b(ops.Lt(index, b.full(0, index.dtype))), b(ops.Add(index, span)), index))


@onnx_op()
def Gather(b: Emitter, x: Value, indices: Value, *, axis=0) -> Value:
    """Consecutive known indices slice; others look rows up, the axis moved to the front."""
    axis = axis_of(axis, x.type.rank)
    size = x.shape[axis]
    shape = (*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :])
    if (run := _run(b, indices, size)) is not None:
        return b.reshape(b.slice(x, axis, *run), shape)
    index = from_front(b, indices, size, trusted=True)
    if axis == 0:
        return b(ops.Embedding(x, index))
    rest = tuple(i for i in range(x.type.rank) if i != axis)
    y = b(ops.Embedding(b.permute(x, (axis, *rest)), index))
    count = index.type.rank
    back = (*range(count, count + axis), *range(count), *range(count + axis, y.type.rank))
    return b.permute(y, back)


def _run(b: Emitter, indices: Value, size: int) -> tuple[int, int] | None:
    """(start, end) if the indices are known and count up by one."""
    tensor = b.tensor(indices)
    if tensor is None or not tensor.numel():
        return None
    flat = tensor.flatten().long()
    flat = torch.where(flat < 0, flat + size, flat)
    start, end = int(flat[0]), int(flat[-1]) + 1
    if not 0 <= int(flat.min()) <= int(flat.max()) < size:
        raise Refusal(f"index {int(tensor.flatten().min())} or {int(tensor.max())} is not in {size} elements")
    return (start, end) if torch.equal(flat, torch.arange(start, start + len(flat))) else None


@onnx_op()
def GatherElements(b: Emitter, x: Value, indices: Value, *, axis=0) -> Value:
    """Known indices that count up along the axis slice."""
    axis = axis_of(axis, x.type.rank)
    if (run := _run_along(b, indices, x, axis)) is not None:
        return b.slice(x, axis, *run)
    return b(ops.Gather(x, from_front(b, indices, x.shape[axis]), axis))


def _run_along(b: Emitter, indices: Value, x: Value, axis: int) -> tuple[int, int] | None:
    """(start, end) if the indices are known, take all of the other axes, and count up by one along this one."""
    tensor = b.tensor(indices)
    others = all(i == axis or size == x.shape[i] for i, size in enumerate(indices.shape))
    if tensor is None or not others or not tensor.numel():
        return None
    start, count = int(tensor.flatten()[0]), indices.shape[axis]
    along = [count if i == axis else 1 for i in range(x.type.rank)]
    fits = start >= 0 and start + count <= x.shape[axis]
    same = torch.equal(tensor.long(), torch.arange(start, start + count).reshape(along).expand(indices.shape))
    return (start, start + count) if fits and same else None


@onnx_op()
def GatherND(b: Emitter, x: Value, indices: Value, *, batch_dims=0) -> Value:
    """Index tuples become row numbers of x with its indexed dimensions merged."""
    depth = indices.shape[-1]
    batch, rest = x.shape[:batch_dims], x.shape[batch_dims + depth :]
    rows = _row_numbers(b, indices, x.shape[batch_dims : batch_dims + depth])
    if batch:
        check_table(*batch)
        stride = math.prod(x.shape[batch_dims : batch_dims + depth])
        first = b.constant(
            (torch.arange(math.prod(batch)) * stride).reshape(*batch, *[1] * (rows.type.rank - batch_dims))
        )
        rows = b(ops.Add(rows, first))
    table = b.reshape(x, (math.prod(x.shape[: batch_dims + depth]), *rest))
    known = b.tensor(rows)
    if known is not None and _counts_up(known.flatten()):
        start = int(known.flatten()[0])
        return b.reshape(b.slice(table, 0, start, start + known.numel()), (*rows.shape, *rest))
    return b(ops.Embedding(table, rows))


def _row_numbers(b: Emitter, indices: Value, sizes: Ints) -> Value:
    """Index tuples [..., depth] over `sizes` as row-major numbers [...]."""
    indices = b.cast(indices, DType.i64)
    indices = from_front(b, indices, b.constant(torch.tensor(sizes, dtype=torch.int64)))
    if len(sizes) == 1:
        return b.reshape(indices, indices.shape[:-1])
    strides = [math.prod(sizes[i + 1 :]) for i in range(len(sizes))]
    weighted = b(ops.Mul(indices, b.constant(torch.tensor(strides, dtype=torch.int64))))
    return b(ops.Sum(weighted, (indices.type.rank - 1,)))


@onnx_op()
def Scatter(b: Emitter, x: Value, indices: Value, updates: Value, *, axis=0) -> Value:
    return ScatterElements(b, x, indices, updates, axis=axis)


@onnx_op()
def ScatterElements(b: Emitter, x: Value, indices: Value, updates: Value, *, axis=0, reduction="none") -> Value:
    axis = axis_of(axis, x.type.rank)
    return _scattered(b, x, from_front(b, indices, x.shape[axis]), updates, axis, reduction)


def _scattered(b: Emitter, x: Value, index: Value, updates: Value, axis: int, reduction: str) -> Value:
    if reduction not in ("none", "add"):
        return reduced_scatter(b, x, index, updates, axis, reduction)
    return b(ops.Scatter(x, index, updates, axis, "" if reduction == "none" else "add"))


@onnx_op()
def ScatterND(b: Emitter, x: Value, indices: Value, updates: Value, *, reduction="none") -> Value:
    """Scatters rows of x with its indexed dimensions merged; a known run of rows is replaced by concatenation."""
    depth = indices.shape[-1]
    rest = x.shape[depth:]
    table = b.reshape(x, (math.prod(x.shape[:depth]), math.prod(rest)))
    rows = _row_numbers(b, indices, x.shape[:depth])
    rows = b.reshape(rows, (rows.type.numel,))
    new = b.reshape(updates, (rows.type.numel, math.prod(rest)))
    known = b.tensor(rows)
    if reduction == "none" and known is not None and _counts_up(known):
        start, end = int(known[0]), int(known[-1]) + 1
        parts = [b.slice(table, 0, 0, start)] if start else []
        parts += [new, *([b.slice(table, 0, end, table.shape[0])] if end < table.shape[0] else [])]
        return b.reshape(b.concat(tuple(parts), 0), x.shape)
    index = b.expand(b.reshape(rows, (rows.type.numel, 1)), new.shape)
    return b.reshape(_scattered(b, table, index, new, 0, reduction), x.shape)


def _counts_up(rows: torch.Tensor) -> bool:
    return rows.numel() > 0 and torch.equal(rows, torch.arange(int(rows[0]), int(rows[0]) + rows.numel()))


@onnx_op()
def OneHot(b: Emitter, indices: Value, depth: Number, values: Value, *, axis=-1) -> Value:
    """values = [off, on]; an index outside -depth..depth-1 gives no on value."""
    rank = indices.type.rank + 1
    axis = axis_of(axis, rank)
    depth = int(depth)
    index = b.cast(indices, DType.i64)
    index = b(ops.Where(b(ops.Lt(index, b.full(0, DType.i64))), b(ops.Add(index, b.full(depth, DType.i64))), index))
    index = b.reshape(index, (*index.shape[:axis], 1, *index.shape[axis:]))
    positions = b.reshape(b.arange(depth), tuple(depth if i == axis else 1 for i in range(rank)))
    off, on = (b.reshape(b.slice(values, 0, i, i + 1), ()) for i in range(2))
    return b(ops.Where(b(ops.Eq(index, positions)), on, off))


@onnx_op()
def Compress(b: Emitter, x: Value, condition: Ints, *, axis=None) -> Value:
    """The elements whose condition, known when compiling, holds."""
    if axis is None:
        x, axis = b.reshape(x, (x.type.numel,)), 0
    chosen = [i for i, flag in enumerate(condition) if flag]
    return Gather(b, x, b.constant(torch.tensor(chosen, dtype=torch.int64)), axis=axis)


@onnx_op()
def NonZero(b: Emitter, x: Value) -> Value:
    tensor = b.tensor(x)
    if tensor is None:
        raise Refusal("the size of its result depends on run-time data")
    return b.constant(torch.nonzero(tensor).T.contiguous())
