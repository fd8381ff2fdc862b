"""Predicates and decompositions of values that patterns share: numbers, factors, terms."""

from __future__ import annotations

import math

from ttc import ops
from ttc.ir import DType, Value

ROUNDING = {DType.f64: 2e-6, DType.f32: 2e-6, DType.f16: 5e-4, DType.bf16: 4e-3}
"""The relative error that a written constant may have: the rounding of the constant's dtype, float32's at least."""


def is_number(value: Value, number: float) -> bool:
    """Return whether `value` is `number` everywhere, within the rounding of the value's dtype."""
    known = ops.number_of(value)
    return known is not None and math.isclose(known, number, rel_tol=ROUNDING.get(value.dtype, 0.0))


def factors(value: Value, depth: int = 4) -> tuple[float, list[Value]]:
    """Split a product, however associated, into the constant factor and the other factors.

    Division by a number counts as multiplication by the reciprocal, pow(x, 3) as three factors.
    """
    number = ops.number_of(value)
    if number is not None:
        return number, []
    match value.op:
        case ops.Mul(a=a, b=b) if depth:
            (first, left), (second, right) = factors(a, depth - 1), factors(b, depth - 1)
            return first * second, left + right
        case ops.Div(a=a, b=b) if depth and (divisor := ops.number_of(b)):
            first, left = factors(a, depth - 1)
            return first / divisor, left
        case ops.Pow(a=a, b=b) if ops.number_of(b) == 3:
            return 1.0, [a, a, a]
        case ops.Neg(x=x) if depth:
            first, left = factors(x, depth - 1)
            return -first, left
    return 1.0, [value]


def close(number: float, wanted: float, dtype: DType) -> bool:
    """Return whether a product of written constants is the number meant, within twice the rounding of `dtype`."""
    return math.isclose(number, wanted, rel_tol=2 * ROUNDING.get(dtype, 0.0))


def addend(value: Value, number: float) -> Value | None:
    """Return x where `value` is x + number (constants stand on the right), else None."""
    match value.op:
        case ops.Add(a=a, b=b) if is_number(b, number):
            return a
    return None
