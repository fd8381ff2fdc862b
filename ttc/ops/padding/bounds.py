"""What a value is at least, from the ops that made it: whether a root, a logarithm or a quotient of it is finite."""

from __future__ import annotations

from math import floor, inf, isfinite

from ttc.ir import DType, Op, Value
from ttc.ops import activation, binary, norm, reduce, shape, unary
from ttc.ops.constant import number_of

KEEPS = (
    reduce.Max, reduce.Mean, reduce.Min, shape.Expand, shape.Flip, shape.Permute, shape.Repeat, shape.Reshape,
    shape.Slice,
)  # fmt: skip
"""Ops of one operand whose results are no less than it."""

NOT_NEGATIVE = (
    activation.Relu,
    activation.Sigmoid,
    activation.Softplus,
    norm.Softmax,
    unary.Abs,
    unary.Exp,
    unary.Sqrt,
)

TINY = 1e-30
"""What is less may as well be zero: a card knows no denormal numbers."""

DEPTH = 12
"""How many ops are looked at, one before the other."""


def surely_finite(op: Op) -> bool:
    """Whether an op that may make inf or NaN of finite numbers does not, for what its operand is at least."""
    match op:
        case unary.Rsqrt(x=x) | unary.Reciprocal(x=x) | unary.Log(x=x) | binary.Div(b=x):
            return least(x) >= TINY
        case unary.Sqrt(x=x) | unary.Log1p(x=x):
            return least(x) >= 0
        case binary.Pow(b=exponent):
            return number_of(exponent) in (1, 2, 3, 4)
    return False


def least(value: Value, depth: int = DEPTH) -> float:
    """A number that no element is below unless it is NaN, in the padding as elsewhere; -inf if none is known."""
    number = number_of(value)
    if number is not None:
        return number if isfinite(number) else -inf
    if depth == 0:
        return -inf
    match value.op:
        case unary.Clamp(x=x, low=low, high=high):
            return min(least(x, depth - 1) if low is None else low, inf if high is None else high)
        case unary.Cast(x=x, dtype=dtype):
            return _cast(least(x, depth - 1), dtype)
        case op if isinstance(op, NOT_NEGATIVE):
            return 0.0
        case op if isinstance(op, KEEPS):
            return least(op.operands()[0], depth - 1)
        case reduce.Sum(x=x):
            return 0.0 if least(x, depth - 1) >= 0 else -inf
        case binary.Pow(b=b) if (number_of(b) or 1) % 2 == 0:
            return 0.0
        case binary.Mul(a=a, b=b) if a is b:
            return 0.0
        case binary.Where(a=a, b=b) | binary.Minimum(a=a, b=b):
            return min(least(a, depth - 1), least(b, depth - 1))
        case binary.Maximum(a=a, b=b):
            return max(least(a, depth - 1), least(b, depth - 1))
        case binary.Add(a=a, b=b):
            return least(a, depth - 1) + least(b, depth - 1)
        case binary.Mul(a=a, b=b):
            return 0.0 if least(a, depth - 1) >= 0 and least(b, depth - 1) >= 0 else -inf
        case binary.Div(a=a, b=b):
            return 0.0 if least(a, depth - 1) >= 0 and least(b, depth - 1) >= TINY else -inf
    return -inf


def _cast(number: float, dtype: DType) -> float:
    """The least that a cast makes of numbers that are at least this."""
    if dtype is DType.bool or not isfinite(number):
        return 0.0 if dtype is DType.bool else -inf
    return number if dtype.is_float and dtype is not DType.f16 else float(floor(number))
