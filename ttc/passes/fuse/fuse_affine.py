"""The pass that makes one scale and one shift of several, where each holds numbers for a whole dimension."""

from __future__ import annotations

from math import prod

from ttc import ops
from ttc.ir import Builder, Graph, Value
from ttc.ir.types import broadcast
from ttc.ops.expr import Expr
from ttc.passes.normal import rebuild


def fuse_affine(graph: Graph) -> Graph:
    """Fuse scales and shifts in a row, as an adaptive norm's own and the style's: vectors are combined, not tensors.

    Before:
        %s: f32[1,8,50] = mul(a=%x, b=%r)
        %t: f32[1,8,50] = mul(a=%s, b=%w)
        %u: f32[1,8,50] = add(a=%t, b=%c)
        %v: f32[1,8,50] = mul(a=%u, b=%g)
        %y: f32[1,8,50] = add(a=%v, b=%h)
    After:
        %v: f32[1,8,1] = mul(a=%g, b=%w)
        %v_0: f32[1,8,1] = mul(a=%r, b=%v)
        %v_1: f32[1,8,50] = mul(a=%x, b=%v_0)
        %v_2: f32[1,8,1] = mul(a=%g, b=%c)
        %y: f32[1,8,1] = add(a=%v_2, b=%h)
        %y_0: f32[1,8,50] = add(a=%v_1, b=%y)
    """
    return rebuild(graph, _scaled, _shifted)


def _scaled(op: ops.Mul, builder: Builder) -> Expr | None:
    """Match (x * a) * b = x * (a * b) and (x * a + c) * b = x * (a * b) + c * b."""
    if (parts := _vector_beside(op)) is None or builder.uses[parts[0]] > 1:
        return None
    whole, b = parts
    match whole.op:
        case ops.Mul():
            return _rescaled(whole.op, b, builder)
        case ops.Add() if (summed := _vector_beside(whole.op)) is not None and _combine(summed[1], b):
            scaled, c = summed
            if isinstance(scaled.op, ops.Mul) and builder.uses[scaled] <= 1:
                made = _rescaled(scaled.op, b, builder)
                return None if made is None else made + Expr(c, builder) * Expr(b, builder)
    return None


def _rescaled(inner: ops.Mul, b: Value, builder: Builder) -> Expr | None:
    """Return x * (a * b) for the product x * a, with b beside what a ends in: constants stay with constants."""
    if (parts := _vector_beside(inner)) is None or not _combine(parts[1], b):
        return None
    x, a = parts
    other = Expr(b, builder)
    match a.op:
        case ops.Mul(a=first, b=last) if not _constant(a, builder) and _combine(last, b):
            return Expr(x, builder) * (Expr(first, builder) * (Expr(last, builder) * other))
    return Expr(x, builder) * (Expr(a, builder) * other)


def _shifted(op: ops.Add, builder: Builder) -> Expr | None:
    """Match (x + a) + b = x + (a + b)."""
    match _vector_beside(op):
        case (Value(ops.Add() as inner) as whole, b) if builder.uses[whole] <= 1:
            if (parts := _vector_beside(inner)) is not None and _combine(parts[1], b):
                return Expr(parts[0], builder) + (Expr(parts[1], builder) + Expr(b, builder))
    return None


def _vector_beside(op: ops.Mul | ops.Add) -> tuple[Value, Value] | None:
    """Return the operand of the result's shape, and the other one, which holds fewer numbers than that, and several."""
    shape = op.infer().shape
    for whole, vector in ((op.a, op.b), (op.b, op.a)):
        if whole.shape == shape and 1 < vector.type.numel < whole.type.numel and whole.dtype.is_float:
            return whole, vector
    return None


def _combine(a: Value, b: Value) -> bool:
    """Return whether two vectors together hold no more numbers than the larger one."""
    return prod(broadcast(a.shape, b.shape)) == max(a.type.numel, b.type.numel)


def _constant(value: Value, builder: Builder) -> bool:
    return value in builder.constants
