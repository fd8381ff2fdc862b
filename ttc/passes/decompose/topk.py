"""The decomposition of topk of integers, which TTNN's topk does not take: each element's rank is counted."""

from __future__ import annotations

import torch

from ttc import ops
from ttc.ir import Builder, DType
from ttc.ir.permutation import inverse_of, to_last
from ttc.ops.expr import Expr, apply, constant, where

SIZE_LIMIT = 256
"""The most elements to choose from: each is compared with each."""


def decomposed_topk(op: ops.Topk, builder: Builder) -> tuple[Expr, Expr] | None:
    """Select the elements of ranks 0 to k - 1 along `dim`, and their indices; a rank counts the elements before.

    Of equal elements the first comes first, so that no two have the same rank.
    """
    rank, size = op.x.type.rank, op.x.shape[op.dim] if op.x.type.rank else 0
    if not op.x.dtype.is_integer or not 0 < size <= SIZE_LIMIT:
        return None
    order = to_last(op.dim, rank)
    x = Expr(op.x, builder).permute(*order)
    places = _ranks(x, op.largest, builder)
    wanted = constant(builder, torch.arange(op.k).reshape(op.k, 1))
    chosen = places.reshape(*x.shape[:-1], 1, size) == wanted
    elements = x.reshape(*x.shape[:-1], 1, size)
    numbers = constant(builder, torch.arange(size))
    back = inverse_of(order)
    return _picked(chosen, elements).permute(*back), _picked(chosen, numbers).permute(*back)


def _ranks(x: Expr, largest: bool, builder: Builder) -> Expr:
    """Count for each element the elements of the last dimension that come before in order (i64)."""
    size = x.shape[-1]
    mine, other = x.reshape(*x.shape, 1), x.reshape(*x.shape[:-1], 1, size)
    beats = apply(ops.Gt if largest else ops.Lt, other, mine)
    earlier = constant(builder, torch.ones(size, size, dtype=torch.bool).tril(-1))
    ties = (other == mine) & earlier
    return (beats | ties).cast(DType.i64).sum((x.rank,))


def _picked(chosen: Expr, items: Expr) -> Expr:
    """Pick the one item of each row that is chosen: the others are masked to 0 and summed."""
    return where(chosen, items, 0).sum((chosen.rank - 1,))
