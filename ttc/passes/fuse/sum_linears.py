"""The pass that multiplies the parts of a large concatenation each by the part's own columns of a weight."""

from __future__ import annotations

from itertools import accumulate

from ttc import ops
from ttc.ir import Builder, Graph, Value
from ttc.ops.expr import Expr, apply
from ttc.passes.normal import rebuild

LARGE = 1 << 22
"""Least elements of a concatenation: writing and reading so many in bf16 takes longer than starting two programs."""


def sum_linears(graph: Graph) -> Graph:
    """Replace a linear of a large concatenation by a sum of linears, which leaves the parts where they are.

    Before:
        %x: f32[4096,1536] = concat(xs=[%a, %b], dim=1)
        %y: f32[4096,64] = linear(x=%x, w=%w, bias=%c)
    After:
        %w_0: f32[64,512] = slice(x=%w, starts=[0, 0], ends=[64, 512])
        %w_1: f32[64,1024] = slice(x=%w, starts=[0, 512], ends=[64, 1536])
        %y: f32[4096,64] = linear(x=%b, w=%w_1, bias=%c)
        %y_0: f32[4096,64] = linear(x=%a, w=%w_0)
        %y_1: f32[4096,64] = add(a=%y, b=%y_0)
    """
    return rebuild(graph, _summed)


def _summed(op: ops.Linear, builder: Builder) -> Expr | None:
    """Match [a, b] @ w.T + c = (b @ w[:, A:].T + c) + a @ w[:, :A].T for constants w, and parts read once."""
    match op:
        case ops.Linear(x=Value(op=ops.Concat(xs=xs, dim=dim)) as x, w=w, bias=bias, activation=""):
            last = dim in (-1, x.type.rank - 1)
            if not last or w not in builder.constants or builder.uses[x] > 1 or not _saves(x, w, len(xs)):
                return None
            ends = accumulate(part.shape[-1] for part in xs)
            cut = [
                (part, Expr(w, builder).part(1, end - part.shape[-1], end)) for part, end in zip(xs, ends, strict=True)
            ]
            cut.sort(key=lambda piece: -piece[0].shape[-1])  # the widest first, while L1 holds no other result
            (widest, columns), *others = cut
            total = apply(ops.Linear, Expr(widest, builder), columns, None if bias is None else Expr(bias, builder))
            for part, columns in others:
                total = total + apply(ops.Linear, Expr(part, builder), columns)
            return total
    return None


def _saves(x: Value, w: Value, parts: int) -> bool:
    """Return whether a concatenation, written and read, is more than the sums, each with two operands and a result."""
    result, inner = w.shape
    return x.type.numel >= LARGE and 2 * inner > 3 * (parts - 1) * result
