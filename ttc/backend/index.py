"""How TTNN looks elements up: embedding for rows of bf16, gather and scatter along the last dimension."""

from __future__ import annotations

from math import inf, prod

import torch

from ttc import ops
from ttc.backend.lowering import Lowering, lowers
from ttc.backend.moves import expanded, permuted, reshaped
from ttc.calls.binary import Add, Eq
from ttc.calls.index import Embedding, Gather, Scatter, ScatterAdd
from ttc.calls.layout import Typecast
from ttc.calls.shape import Slice
from ttc.errors import Refusal
from ttc.ir import DType, Layout, TensorType, Value


@lowers(ops.Embedding)
def embedding(op: ops.Embedding, to: Lowering) -> Value:
    """Rows of a table: TTNN's embedding for floats; integers are gathered.

    The table is bf16. In an fp32 program three bf16 tables stand for it, whose sum is the table exactly: each
    holds the 8 leading bits of what the former ones leave.
    """
    static = to.static(op.w)
    if static is None or not op.w.dtype.is_float:
        return _gathered_rows(op, to)
    rows, width = op.w.shape[0], prod(op.w.shape[1:])
    table = to.derive(ops.Reshape(static, (rows, width)))
    index = _index(op.index, to)
    flat = index if index.type.rank <= 2 else reshaped(index, (prod(index.shape[:-1]), index.shape[-1]), to)
    if to.dtype is DType.bf16:
        found = _looked_up(flat, table, to)
    else:
        first, second, third = (_looked_up(flat, part, to) for part in _parts(table, to))
        found = to.call(Add(to.call(Add(to.call(Typecast(third, DType.f32)), second)), first))
    return reshaped(found, op.infer().shape, to)


def _index(value: Value, to: Lowering) -> Value:
    """An index in u32 and ROW_MAJOR layout, of rank 1 at least."""
    static = to.static(value)
    if static is not None:
        index = to.upload(static, DType.u32, Layout.ROW_MAJOR)
    else:
        index = to.row_major(to.cast(to(value), DType.u32))
    return reshaped(index, (1,), to) if index.type.rank == 0 else index


def _looked_up(index: Value, table: Value, to: Lowering) -> Value:
    """Rows of a static table, in TILE layout: by the call itself where tiles come out whole."""
    weight = to.upload(table, DType.bf16, Layout.ROW_MAJOR)
    call = Embedding(index, weight, layout=Layout.TILE)
    return to.call(call) if call.fused else to.tile(to.call(Embedding(index, weight)))


def _parts(table: Value, to: Lowering) -> tuple[Value, Value, Value]:
    """Three bf16 tables whose sum is the f32 `table`: 3 * 8 bits hold f32's 24.

    Bits are cut off, not rounded: the largest float32 rounds to infinity. An infinity or NaN is the first part's
    alone, for nothing is left of it to subtract from.
    """
    table = to.derive(ops.Cast(table, DType.f32))
    zero, infinity = (to.derive(ops.Full(TensorType(DType.f32, ()), number)) for number in (0.0, inf))
    finite = to.derive(ops.Lt(to.derive(ops.Abs(table)), infinity))
    first = to.derive(ops.Where(finite, _leading_bits(table, to), table))
    rest = to.derive(ops.Where(finite, to.derive(ops.Sub(table, first)), zero))
    second = _leading_bits(rest, to)
    third = to.derive(ops.Sub(rest, second))
    parts = (to.derive(ops.Cast(part, DType.bf16)) for part in (first, second, third))
    return next(parts), next(parts), next(parts)


def _leading_bits(x: Value, to: Lowering) -> Value:
    """f32 without the 16 bits of its mantissa for which bf16 has no room."""
    bits = to.derive(ops.BitCast(x, DType.i32))
    kept = to.derive(ops.And(bits, to.derive(ops.Full(TensorType(DType.i32, ()), -(2**16)))))
    return to.derive(ops.BitCast(kept, DType.f32))


def _gathered_rows(op: ops.Embedding, to: Lowering) -> Value:
    """Rows of a table by gathering each of its columns: exact in every dtype, and the table may be computed."""
    rows, width = op.w.shape[0], prod(op.w.shape[1:])
    columns = permuted(reshaped(to.row_major(to(op.w)), (rows, width), to), (1, 0), to)
    index = reshaped(_index(op.index, to), (1, op.index.type.numel), to)
    wide = to.row_major(expanded(index, (width, op.index.type.numel), to))
    found = to.call(Gather(columns, 1, wide))
    return reshaped(permuted(found, (1, 0), to), op.infer().shape, to)


@lowers(ops.Gather)
def gather(op: ops.Gather, to: Lowering) -> Value:
    """Along the last dimension, in rows; x is cut to the index's other sizes, which may be smaller."""
    x, index = to.row_major(to(op.x)), _index(op.index, to)
    order = _last(op.dim, op.x.type.rank)
    x = permuted(reshaped(x, op.x.shape or (1,), to), order, to)
    index = permuted(index, order, to)
    ends = (*index.shape[:-1], x.shape[-1])
    if ends != x.shape:
        x = to.call(Slice(x, (0,) * len(ends), ends, (1,) * len(ends)))
    found = to.call(Gather(x, len(order) - 1, index))
    return reshaped(permuted(found, _inverse(order), to), op.infer().shape, to)


@lowers(ops.Scatter)
def scatter(op: ops.Scatter, to: Lowering) -> Value:
    """Along the last dimension, in rows: TILE scatter refuses fp32."""
    order = _last(op.dim, op.x.type.rank)
    rest = [(op.x.shape[dim], op.index.shape[dim]) for dim in order[:-1]]
    if any(size != given for size, given in rest):
        raise Refusal(f"a scatter of {op.index.type} into part of the rows of {op.x.type}")
    x = permuted(to.row_major(to(op.x)), order, to)
    updates = permuted(to.row_major(to.cast(to(op.updates), x.dtype)), order, to)
    kind = ScatterAdd if op.reduce == "add" else Scatter
    found = to.call(kind(x, len(order) - 1, permuted(_index(op.index, to), order, to), updates))
    return permuted(found, _inverse(order), to)


@lowers(ops.OneHot)
def one_hot(op: ops.OneHot, to: Lowering) -> Value:
    """1 where the index equals a position along the new dimension: one comparison with 0, 1, 2, ..."""
    index = to(op.index)
    column = to.tile(reshaped(index, (*index.shape, 1), to))
    positions = to.upload(to.constant(torch.arange(op.depth)), index.dtype)
    return to.call(Eq(column, reshaped(positions, (1,) * index.type.rank + (op.depth,), to)))


def _last(dim: int, rank: int) -> tuple[int, ...]:
    """The order of dimensions that brings `dim` to the end."""
    return (*(d for d in range(max(rank, 1)) if d != dim), dim)


def _inverse(order: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(order.index(dim) for dim in range(len(order)))
