"""Lowering of look-ups: embedding for rows of bf16, gather and scatter along the last dimension."""

from __future__ import annotations

from math import inf, prod

import torch

from ttc import ops
from ttc.backend.lowering import Lowering, lowers
from ttc.backend.rules.long_rows import gathered
from ttc.backend.rules.moves import expanded, permuted, reshaped
from ttc.calls.binary import Add
from ttc.calls.index import Embedding, Gather, Scatter, ScatterAdd
from ttc.calls.layout import Typecast
from ttc.calls.logic import Eq
from ttc.calls.shape import Slice
from ttc.errors import Refusal
from ttc.guard.budget import check_table
from ttc.ir import DType, Layout, TensorType, Value
from ttc.ir.permutation import inverse_of, to_last


@lowers(ops.Embedding)
def embedding(op: ops.Embedding, to: Lowering) -> Value:
    """Lower to TTNN's embedding for tables of bf16, known or computed; other computed tables and integers are gathered.

    In an fp32 program three bf16 tables stand for a known f32 table, whose sum is the table exactly: each holds the 8
    leading bits of the remainder that the tables before it leave.
    """
    static = to.static(op.w)
    if static is None or not op.w.dtype.is_float:
        return _computed_rows(op, to)
    table = to.derive(ops.Reshape(static, (op.w.shape[0], prod(op.w.shape[1:]))))
    flat = _flat_index(op, to)
    if to.dtype is DType.bf16:
        found = _looked_up(flat, to.upload(table, DType.bf16, Layout.ROW_MAJOR), to)
    else:
        parts = (to.upload(part, DType.bf16, Layout.ROW_MAJOR) for part in _parts(table, to))
        first, second, third = (_looked_up(flat, part, to) for part in parts)
        found = to.call(Add(to.call(Add(to.call(Typecast(third, DType.f32)), second)), first))
    return reshaped(found, op.infer().shape, to)


def _index(value: Value, to: Lowering) -> Value:
    """Return an index in u32 and ROW_MAJOR layout, of rank 1 at least."""
    static = to.static(value)
    if static is not None:
        index = to.upload(static, DType.u32, Layout.ROW_MAJOR)
    else:
        index = to.row_major(to.cast(to(value), DType.u32))
    return reshaped(index, (1,), to) if index.type.rank == 0 else index


def _flat_index(op: ops.Embedding, to: Lowering) -> Value:
    """Return the index of a look-up with the rank that TTNN's embedding takes, 1 or 2."""
    index = _index(op.index, to)
    return index if index.type.rank <= 2 else reshaped(index, (prod(index.shape[:-1]), index.shape[-1]), to)


def _looked_up(index: Value, table: Value, to: Lowering) -> Value:
    """Look up rows of a bf16 table, in TILE layout: by the call itself where tiles come out whole."""
    call = Embedding(index, table, layout=Layout.TILE)
    return to.call(call) if call.fused else to.tile(to.call(Embedding(index, table)))


def _parts(table: Value, to: Lowering) -> tuple[Value, Value, Value]:
    """Split the f32 `table` into three bf16 tables whose sum is the table: 3 * 8 bits hold f32's 24.

    Bits are cut off, not rounded: the largest float32 would round to infinity. An infinity or NaN is in the first
    part alone, because a difference with infinity would be NaN.
    """
    table = to.derive(ops.Cast(table, DType.f32))
    zero, infinity = (to.derive(ops.Full(TensorType(DType.f32, ()), number)) for number in (0.0, inf))
    finite = to.derive(ops.Lt(to.derive(ops.Abs(table)), infinity))
    # first = the 8 leading bits; second = the next 8; third = the last 8, which are left without rounding.
    first = to.derive(ops.Where(finite, _leading_bits(table, to), table))
    rest = to.derive(ops.Where(finite, to.derive(ops.Sub(table, first)), zero))
    second = _leading_bits(rest, to)
    third = to.derive(ops.Sub(rest, second))
    parts = (to.derive(ops.Cast(part, DType.bf16)) for part in (first, second, third))
    return next(parts), next(parts), next(parts)


def _leading_bits(x: Value, to: Lowering) -> Value:
    """Cut off the 16 bits of an f32's mantissa for which bf16 has no room."""
    # -2^16 is 0xFFFF0000: the sign, the exponent and the 7 stored bits of bf16's mantissa.
    bits = to.derive(ops.BitCast(x, DType.i32))
    kept = to.derive(ops.And(bits, to.derive(ops.Full(TensorType(DType.i32, ()), -(2**16)))))
    return to.derive(ops.BitCast(kept, DType.f32))


def _computed_rows(op: ops.Embedding, to: Lowering) -> Value:
    """Look up rows of a computed table: of bf16 by one call, others by gathering each column, exact in every dtype."""
    rows, width = op.w.shape[0], prod(op.w.shape[1:])
    table = reshaped(to.row_major(to(op.w)), (rows, width), to)
    if table.dtype is DType.bf16:
        return reshaped(_looked_up(_flat_index(op, to), table, to), op.infer().shape, to)
    index = reshaped(_index(op.index, to), (1, op.index.type.numel), to)
    wide = to.row_major(expanded(index, (width, op.index.type.numel), to))
    found = gathered(Gather(permuted(table, (1, 0), to), 1, wide), to)
    return reshaped(permuted(found, (1, 0), to), op.infer().shape, to)


@lowers(ops.Gather)
def gather(op: ops.Gather, to: Lowering) -> Value:
    """Lower to a gather along the last dimension, in rows; x is cut to the index's other, perhaps smaller, sizes."""
    x, index = to.row_major(to(op.x)), _index(op.index, to)
    order = to_last(op.dim, op.x.type.rank)
    x = permuted(reshaped(x, op.x.shape or (1,), to), order, to)
    index = permuted(index, order, to)
    ends = (*index.shape[:-1], x.shape[-1])
    if ends != x.shape:
        x = to.call(Slice(x, (0,) * len(ends), ends))
    wanted = index
    if (1,) in (x.shape, index.shape):  # TTNN takes one number alone for a scalar: it gathers from a row
        x, wanted = (reshaped(each, (1, each.type.numel), to) for each in (x, index))
    found = reshaped(gathered(Gather(x, x.type.rank - 1, wanted), to), index.shape, to)
    return reshaped(permuted(found, inverse_of(order), to), op.infer().shape, to)


@lowers(ops.Scatter)
def scatter(op: ops.Scatter, to: Lowering) -> Value:
    """Lower to a scatter along the last dimension, in rows: TILE scatter refuses fp32."""
    order = to_last(op.dim, op.x.type.rank)
    rest = [(op.x.shape[dim], op.index.shape[dim]) for dim in order[:-1]]
    if any(size != given for size, given in rest):
        raise Refusal(f"cannot scatter by {op.index.type} into only some of the rows of {op.x.type}")
    x = permuted(to.row_major(to(op.x)), order, to)
    updates = permuted(to.row_major(to.cast(to(op.updates), x.dtype)), order, to)
    kind = ScatterAdd if op.reduce == "add" else Scatter
    found = to.call(kind(x, len(order) - 1, permuted(_index(op.index, to), order, to), updates))
    return permuted(found, inverse_of(order), to)


@lowers(ops.OneHot)
def one_hot(op: ops.OneHot, to: Lowering) -> Value:
    """Lower to one comparison of the index with 0, 1, 2, ... along the new dimension."""
    check_table(op.depth)
    index = to(op.index)
    column = to.tile(reshaped(index, (*index.shape, 1), to))
    positions = to.upload(to.constant(torch.arange(op.depth)), index.dtype)
    return to.call(Eq(column, reshaped(positions, (1,) * index.type.rank + (op.depth,), to)))
