"""Look-ups along a later dimension of what a program computes, without turning all of it around.

`x.index_select(1, i)` and `x[:, i]` look up rows of x with dimension 1 in front: a permute of all x for a few rows.
"""

from __future__ import annotations

from math import prod

import torch

from ttc import ops
from ttc.ir import TILE, Builder, Const
from ttc.ops.expr import Expr, apply, constant
from ttc.ops.signal import LONGEST_ROW
from ttc.ops.torch_types import to_torch


def lookup_in_place(op: ops.Embedding, builder: Builder) -> Expr | None:
    """Look up rows of all leading dimensions as one table, or elements of lines by a gather; None for other tables.

    Before:
        %t: f32[32,3,40] = permute(x=%x, dims=[1, 0, 2])
        %y: f32[2,3,40] = embedding(w=%t, index=%i)
    After:
        %y: f32[96,40] = reshape(x=%x, shape=[96, 40])
        %y_0: i64[3,1] = literal(data=[0, 32, 64])
        %y_1: i64[3,2] = add(a=%i, b=%y_0)
        %y_2: f32[3,2,40] = embedding(w=%y, index=%y_1)
        %y_3: f32[2,3,40] = permute(x=%y_2, dims=[1, 0, 2])
    """
    match op.w.op:
        case ops.Permute(x=x, dims=(dim, *others)) if others == sorted(others) and not isinstance(x.op, Const):
            lead, size, rest = x.shape[:dim], x.shape[dim], x.shape[dim + 1 :]
        case _:
            return None
    index = Expr(op.index, builder)
    if not rest:
        found = _elements(Expr(x, builder), index)
    elif prod(rest) >= TILE and prod(lead) * size <= LONGEST_ROW:
        # row i of block b is row b * size + i of the table of all blocks
        blocks = torch.arange(prod(lead)).reshape(*lead, *(1 for _ in index.shape)) * size
        table = Expr(x, builder).reshape(prod(lead) * size, *rest)
        found = apply(ops.Embedding, table, index + constant(builder, blocks.to(to_torch(index.dtype))))
    else:
        return None
    last = len(lead) + index.rank
    return found.permute(*range(len(lead), last), *range(len(lead)), *range(last, found.rank))


def _elements(x: Expr, index: Expr) -> Expr:
    """Take the elements at `index` of each of x's lines; the index's dimensions replace the last one."""
    *lead, _ = x.shape
    places = index.reshape(*(1 for _ in lead), index.type.numel).expand(*lead, index.type.numel)
    return apply(ops.Gather, x, places, x.rank - 1).reshape(*lead, *index.shape)
