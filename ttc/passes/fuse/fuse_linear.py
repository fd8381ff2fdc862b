"""The pass that makes one op of a matrix product with a weight, and of the bias added to the product."""

from __future__ import annotations

from dataclasses import replace

from ttc import ops
from ttc.ir import Builder, Graph, Op, Value
from ttc.ops.expr import Expr, apply
from ttc.passes.normal import rebuild


def fuse_linear(graph: Graph) -> Graph:
    """Fuse a matmul by a weight [K, N], and the bias [N] added to the result, into one linear.

    Before:
        %p: f32[4,16] = matmul(a=%x, b=%w)
        %y: f32[4,16] = add(a=%p, b=%bias)
    After:
        %w_0: f32[16,8] = permute(x=%w, dims=[1, 0])
        %y: f32[4,16] = linear(x=%x, w=%w_0, bias=%bias)
    """
    return rebuild(graph, _product, _bias)


def _product(op: ops.Matmul, builder: Builder) -> Value | None:
    """Match x @ w as a linear, whose weight is w.T [N, K]: a derived weight, so no work at run time."""
    match op:
        case ops.Matmul(a=x, b=w) if w.type.rank == 2 and w in builder.constants and x not in builder.constants:
            return apply(ops.Linear, Expr(x, builder), Expr(w, builder).permute(1, 0)).value
    return None


def _bias(op: ops.Add | ops.Sub, builder: Builder) -> Value | None:
    """Match a constant added to, or subtracted from, a linear that has no bias."""
    match op:
        # x @ w.T + bias
        case ops.Add(a=Value(ops.Linear(bias=None, activation="") as product) as x, b=bias) if (
            bias in builder.constants
        ):
            return _with_bias(product, x, bias, op, builder)
        # bias + x @ w.T
        case ops.Add(a=bias, b=Value(ops.Linear(bias=None, activation="") as product) as x) if (
            bias in builder.constants
        ):
            return _with_bias(product, x, bias, op, builder)
        # x @ w.T - bias = x @ w.T + (-bias)
        case ops.Sub(a=Value(ops.Linear(bias=None, activation="") as product) as x, b=bias) if (
            bias in builder.constants
        ):
            return _with_bias(product, x, builder(ops.Neg(bias)), op, builder)
    return None


def _with_bias(product: ops.Linear, x: Value, bias: Value, op: Op, builder: Builder) -> Value | None:
    """Return the linear with the bias as [N], if the bias is of size 1 in all dimensions but the last."""
    if builder.uses[x] > 1 or op.infer() != x.type or any(size != 1 for size in bias.shape[:-1]):
        return None
    size = x.shape[-1:]
    shift = Expr(bias, builder).reshape(*bias.shape[-1:] or (1,)).expand(*size)
    return builder(replace(product, bias=shift.value))
