"""The pass that splits rows into heads before heads are normalised and rotated, where models do that after."""

from __future__ import annotations

from dataclasses import replace
from itertools import accumulate
from typing import cast

from ttc import ops
from ttc.ir import Builder, Graph, Op, Value
from ttc.ops.expr import Expr
from ttc.passes.normal import rebuild

SWAP = (0, 2, 1, 3)
"""The permutation that brings heads [B, S, H, D] to [B, H, S, D]."""


def heads_first(graph: Graph) -> Graph:
    """Move the permutation of heads before what is done to each head's row alone: norms, rotary embeddings, joining.

    The permutation then follows the reshape of a projection's rows, and both together are one split into heads.

    Before:
        %h: f32[1,5,2,8] = reshape(x=%x, shape=[1, 5, 2, 8])
        %n: f32[1,5,2,8] = rms_norm(x=%h, w=%w)
        %y: f32[1,2,5,8] = permute(x=%n, dims=[0, 2, 1, 3])
    After:
        %h: f32[1,5,2,8] = reshape(x=%x, shape=[1, 5, 2, 8])
        %n: f32[1,2,5,8] = permute(x=%h, dims=[0, 2, 1, 3])
        %y: f32[1,2,5,8] = rms_norm(x=%n, w=%w)
    """
    return rebuild(graph, _permute)


def _permute(op: ops.Permute, builder: Builder) -> Value | None:
    """Match the permutation of heads behind an op on rows of heads."""
    match op:
        case ops.Permute(x=x, dims=dims) if dims == SWAP and _on_rows(x.op) and _starts_with_a_split(x, builder):
            return _swapped(x, builder)
    return None


def _on_rows(op: Op) -> bool:
    """Return whether an op computes each row of the last dimension alone, or joins values [B, S, H, D] along S."""
    match op:
        case ops.RmsNorm() | ops.LayerNorm(dims=1) | ops.Rotary() | ops.Concat(dim=1):
            return True
    return False


def _starts_with_a_split(x: Value, builder: Builder) -> bool:
    """Return whether x comes by such ops, each with one reader, from reshapes of [B, S, H * D] to [B, S, H, D]."""
    match x.op:
        case ops.Reshape(x=rows):
            return rows.shape == (*x.shape[:2], x.shape[2] * x.shape[3])
        case op if _on_rows(op) and builder.uses[x] <= 1:
            return all(_starts_with_a_split(inner, builder) for inner in _rows(op))
    return False


def _rows(op: Op) -> tuple[Value, ...]:
    """Return the operands that hold rows of heads."""
    return op.xs if isinstance(op, ops.Concat) else (cast(ops.RmsNorm, op).x,)


def _swapped(x: Value, builder: Builder) -> Value:
    """Return x as [B, H, S, D], the permutation done before the ops on rows."""
    match x.op:
        # norm(x).permute = norm(x.permute)
        case (ops.RmsNorm(x=inner) | ops.LayerNorm(x=inner)) as norm:
            return builder(replace(norm, x=_swapped(inner, builder)))
        # rotary(x, cos, sin).permute = rotary(x.permute, cos.permute, sin.permute)
        case ops.Rotary(x=inner, cos=cos, sin=sin, pairs=pairs):
            return _rotated(_swapped(inner, builder), _table(cos, builder), _table(sin, builder), pairs, builder)
        # concat(xs, rows).permute = concat(xs.permute, rows)
        case ops.Concat(xs=xs):
            return builder(ops.Concat(tuple(_swapped(inner, builder) for inner in xs), SWAP.index(1)))
    return builder(ops.Permute(x, SWAP))


def _table(value: Value, builder: Builder) -> Value:
    """Return a table that broadcasts to [B, S, H, D] as one that broadcasts to [B, H, S, D]."""
    return Expr(value, builder).reshape(*(1,) * (4 - value.type.rank), *value.shape).permute(*SWAP).value


def _rotated(x: Value, cos: Value, sin: Value, pairs: bool, builder: Builder) -> Value:
    """Return the rotary embedding of x [B, H, S, D]; sequences that were put together are rotated one by one."""
    match x.op:
        # rotary(concat(xs, rows), cos, sin) = concat(rotary(x, its rows of cos, its rows of sin), rows)
        case ops.Concat(xs=xs, dim=2) if cos.shape[2] == x.shape[2]:
            ends = list(accumulate(part.shape[2] for part in xs))
            bounds = [(end - part.shape[2], end) for part, end in zip(xs, ends, strict=True)]
            tables = [[Expr(table, builder).part(2, *bound).value for bound in bounds] for table in (cos, sin)]
            parts = (ops.Rotary(part, c, s, pairs) for part, c, s in zip(xs, *tables, strict=True))
            return builder(ops.Concat(tuple(map(builder, parts)), 2))
    return builder(ops.Rotary(x, cos, sin, pairs))
