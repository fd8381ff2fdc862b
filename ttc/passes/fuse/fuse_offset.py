"""The pass that adds a number behind a linear to the linear's bias."""

from __future__ import annotations

from dataclasses import replace

from ttc import ops
from ttc.ir import Builder, Graph, Value
from ttc.ops.expr import Expr
from ttc.passes.normal import rebuild


def fuse_offset(graph: Graph) -> Graph:
    """Fuse a number added to a linear's result into the bias: the 1 of the factor 1 + scale that modulates a norm.

    Before:
        %p: f32[1,16] = linear(x=%x, w=%w, bias=%b)
        %r: f32[1,1,16] = reshape(x=%p, shape=[1, 1, 16])
        %y: f32[1,1,16] = add(a=%r, b=%one)
    After:
        %b_0: f32[16] = add(a=%b, b=%one)
        %p: f32[1,16] = linear(x=%x, w=%w, bias=%b_0)
        %y: f32[1,1,16] = reshape(x=%p, shape=[1, 1, 16])
    """
    return rebuild(graph, _offset)


def _offset(op: ops.Add, builder: Builder) -> Expr | None:
    """Match (x @ w.T + b) + c = x @ w.T + (b + c), where c is a number and a reshape may stand before the sum."""
    match op:
        case ops.Add(a=value, b=c) if builder.uses[value] <= 1 and op.infer() == value.type:
            number = ops.number_of(c)
            product = value.op.x if isinstance(value.op, ops.Reshape) else value
            if number is not None and builder.uses[product] <= 1:
                moved = _with_offset(product, number, builder)
                return None if moved is None else moved.reshape(*value.shape)
    return None


def _with_offset(product: Value, number: float, builder: Builder) -> Expr | None:
    """Return the linear whose results are larger by `number`; None for a linear without bias or other ops."""
    match product.op:
        case ops.Linear(bias=Value() as bias, activation="") as linear if bias in builder.constants:
            return Expr(builder(replace(linear, bias=(Expr(bias, builder) + number).value)), builder)
    return None
