"""The rule of the normal form for ops that compute: identities of arithmetic.

No identity changes which elements are NaN or infinite. Sums may lose the sign of a zero.
"""

from __future__ import annotations

import math
from dataclasses import replace

from ttc import ops
from ttc.errors import TypeRuleError
from ttc.ir import Builder, DType, TensorType, Value
from ttc.ir.types import broadcast
from ttc.ops.binary import Binary
from ttc.ops.expr import Expr
from ttc.ops.facts import facts_of
from ttc.ops.reduce import Reduce
from ttc.ops.unary import Unary

EXACT = {
    DType.bool: (DType.u8, DType.i8, DType.i16, DType.i32, DType.i64, DType.bf16, DType.f16, DType.f32, DType.f64),
    DType.u8: (DType.i16, DType.i32, DType.i64, DType.bf16, DType.f16, DType.f32, DType.f64),
    DType.i8: (DType.i16, DType.i32, DType.i64, DType.bf16, DType.f16, DType.f32, DType.f64),
    DType.i16: (DType.i32, DType.i64, DType.f32, DType.f64),
    DType.u16: (DType.i32, DType.i64, DType.f32, DType.f64),
    DType.i32: (DType.i64, DType.f64),
    DType.bf16: (DType.f32, DType.f64),
    DType.f16: (DType.f32, DType.f64),
    DType.f32: (DType.f64,),
}
"""For each dtype the dtypes that hold all of the dtype's numbers: a cast there and on loses nothing."""


def simplify_value(
    op: Binary | Unary | Reduce | ops.Where | ops.MaxPool | ops.AvgPool | ops.Embedding, builder: Builder
) -> Value | None:
    """Simplify an op that computes; None where no identity applies."""
    match op:
        case Binary():
            return _binary(op, builder)
        case ops.Cast(x=x, dtype=dtype) if x.dtype is dtype:
            return x
        case ops.Cast(x=Value(ops.Cast(x=x, dtype=middle)), dtype=dtype) if middle in EXACT.get(x.dtype, ()):
            return builder(ops.Cast(x, dtype))
        case ops.Cast(x=Value(ops.Reshape(x=x, shape=shape)), dtype=dtype):
            # Casts go up to where a value comes from: several readers share them, and an input is uploaded so.
            return Expr(x, builder).cast(dtype).reshape(*shape).value
        case ops.Neg(x=Value(ops.Neg(x=x))) | ops.Not(x=Value(ops.Not(x=x))):
            return x
        case ops.Relu(x=Value(ops.Relu()) as x):
            return x
        case ops.Clamp():
            return _clamp(op, builder)
        case ops.Where():
            return _where(op, builder)
        case Reduce(x=x, dims=dims) if dims and all(x.shape[dim] == 1 for dim in dims):
            return builder(ops.Reshape(x, op.infer().shape))
        case ops.MaxPool() | ops.AvgPool():
            return _pool(op, builder)
        case ops.Embedding(w=w, index=index) if (row := ops.number_of(index)) is not None and index.type.numel == 1:
            return Expr(w, builder).part(0, int(row), int(row) + 1).reshape(*op.infer().shape).value
    return None


def _binary(op: Binary, builder: Builder) -> Value | None:
    """Move a constant to the right, make a uniform constant one number, drop needless expands; then try identities."""
    type = op.infer()
    a = _unexpanded(op.a, op.b, type)
    b = _unexpanded(op.b, a, type)
    if facts_of(op).commutes and a in builder.constants and b not in builder.constants:
        a, b = b, a
    a, b = _as_number(a, b, type, builder), _as_number(b, a, type, builder)
    if a is not op.a or b is not op.b:
        return builder(replace(op, a=a, b=b))
    if isinstance(op, ops.Div) and type.dtype.is_float and b.shape == type.shape and ops.number_of(a) == 1:
        return builder(ops.Reciprocal(b))
    number = ops.number_of(b)
    return None if number is None or a.type != type else _with_number(op, a, number, builder)


def _unexpanded(x: Value, other: Value, type: TensorType) -> Value:
    """Return `x` without an expansion that broadcasting with `other` makes needless."""
    if not isinstance(x.op, ops.Expand):
        return x
    try:
        return x.op.x if broadcast(x.op.x.shape, other.shape) == type.shape else x
    except TypeRuleError:
        return x


def _as_number(x: Value, other: Value, type: TensorType, builder: Builder) -> Value:
    """Return a uniform constant as a scalar, if the constant adds nothing to the result's shape; else `x`."""
    match x.op:
        case ops.Full(type=own, value=value) if own.shape and other.shape == type.shape:
            return builder(ops.Full(TensorType(own.dtype, ()), value), x.name)
    return x


def _with_number(op: Binary, x: Value, number: float, builder: Builder) -> Value | None:
    """Simplify x op number, where the result has x's shape (and x's dtype, for arithmetic)."""
    floating = x.dtype.is_float
    match op:
        case ops.Add() | ops.Sub() if number == 0:
            return x
        case ops.Mul() | ops.Div() | ops.Pow() if number == 1:
            return x
        case ops.Mul() if number == -1:
            return builder(ops.Neg(x))
        case ops.Pow() if number == 2:
            return builder(ops.Mul(x, x))
        case ops.Pow() if number == -1 and floating:
            return builder(ops.Reciprocal(x))
        case ops.Div() if floating and _power_of_two(number):
            return builder(ops.Mul(x, builder(replace(op.b.op, value=1 / number))))
        case ops.Maximum() if number == 0:
            return builder(ops.Relu(x))
        case ops.Maximum() if floating and math.isfinite(number):
            return builder(ops.Clamp(x, low=number))
        case ops.Minimum() if floating and math.isfinite(number):
            return builder(ops.Clamp(x, high=number))
    return None


def _power_of_two(number: float) -> bool:
    """Return whether 1 / number is exact (and far from the ends of any dtype's range)."""
    return math.isfinite(number) and abs(math.frexp(number)[0]) == 0.5 and 2.0**-14 <= abs(number) <= 2.0**14


def _clamp(op: ops.Clamp, builder: Builder) -> Value | None:
    """Replace clamp(x, 0) by relu(x), and merge a clamp with the relu or the other clamp before."""
    match op:
        case ops.Clamp(x=x, low=low, high=None) if low == 0:
            return builder(ops.Relu(x))
        case ops.Clamp(x=Value(ops.Relu(x=x)), low=low, high=high) if high is None or high >= 0:
            return builder(ops.Clamp(x, max(low or 0.0, 0.0), high))
        case ops.Clamp(x=Value(ops.Clamp(x=x, low=low, high=None)), low=None, high=high) if (low or 0) <= (high or 0):
            return builder(ops.Clamp(x, low, high))
        case ops.Clamp(x=Value(ops.Clamp(x=x, low=None, high=high)), low=low, high=None) if (low or 0) <= (high or 0):
            return builder(ops.Clamp(x, low, high))
    return None


def _where(op: ops.Where, builder: Builder) -> Value | None:
    """Replace where() of a known condition or of equal branches, and make uniform branches scalars."""
    type = op.infer()
    holds = ops.number_of(op.condition)
    if holds is not None:
        return builder(ops.Expand(op.a if holds else op.b, type.shape))
    if op.a is op.b:
        return builder(ops.Expand(op.a, type.shape))
    a = _as_number(op.a, op.condition if op.condition.shape == type.shape else op.b, type, builder)
    b = _as_number(op.b, op.condition if op.condition.shape == type.shape else a, type, builder)
    return builder(ops.Where(op.condition, a, b)) if a is not op.a or b is not op.b else None


def _pool(op: ops.MaxPool | ops.AvgPool, builder: Builder) -> Value | None:
    """Drop a pool whose window is one element, or reduce where the window covers all spatial positions."""
    if op.rows or any(map(any, op.padding)) or any(d != 1 for d in op.dilation):
        return None
    if all(k == 1 for k in op.kernel) and op.infer() == op.x.type:
        return op.x
    if op.kernel != op.x.shape[2:]:
        return None
    reduction = ops.Max if isinstance(op, ops.MaxPool) else ops.Mean
    return builder(reduction(op.x, tuple(range(2, op.x.type.rank)), keep=True))
