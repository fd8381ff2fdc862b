"""The largest integers, which TTNN's topk does not take: by counting what stands before each."""

from __future__ import annotations

import torch

from ttc import ops
from ttc.ir import Builder, DType, TensorType, Value

SIZE_LIMIT = 256
"""Elements to choose from: each is compared with each."""


def decomposed_topk(op: ops.Topk, builder: Builder) -> tuple[Value, Value] | None:
    """Values and indices along the last dimension: the k-th is the one that k others stand before.

    Of equals, the first stands before the others; so no two have the same rank.
    """
    rank, size = op.x.type.rank, op.x.shape[op.dim] if op.x.type.rank else 0
    if not op.x.dtype.is_integer or not 0 < size <= SIZE_LIMIT:
        return None
    order = (*(i for i in range(rank) if i != op.dim), op.dim)
    x = builder(ops.Permute(op.x, order))
    places = _ranks(x, op.largest, builder)
    wanted = ops.constant(builder, torch.arange(op.k).reshape(op.k, 1))
    chosen = builder(ops.Eq(builder(ops.Reshape(places, (*x.shape[:-1], 1, size))), wanted))
    elements = builder(ops.Reshape(x, (*x.shape[:-1], 1, size)))
    numbers = ops.constant(builder, torch.arange(size))
    back = tuple(order.index(i) for i in range(rank))
    values, indices = (builder(ops.Permute(_picked(chosen, items, builder), back)) for items in (elements, numbers))
    return values, indices


def _ranks(x: Value, largest: bool, builder: Builder) -> Value:
    """How many elements of the last dimension stand before each (i64)."""
    size = x.shape[-1]
    mine = builder(ops.Reshape(x, (*x.shape, 1)))
    other = builder(ops.Reshape(x, (*x.shape[:-1], 1, size)))
    beats = builder((ops.Gt if largest else ops.Lt)(other, mine))
    earlier = ops.constant(builder, torch.ones(size, size, dtype=torch.bool).tril(-1))
    ties = builder(ops.And(builder(ops.Eq(other, mine)), earlier))
    before = builder(ops.Cast(builder(ops.Or(beats, ties)), DType.i64))
    return builder(ops.Sum(before, (x.type.rank,)))


def _picked(chosen: Value, items: Value, builder: Builder) -> Value:
    """The one item of each row that is chosen."""
    nothing = builder(ops.Full(TensorType(items.dtype, ()), 0))
    return builder(ops.Sum(builder(ops.Where(chosen, items, nothing)), (chosen.type.rank - 1,)))
