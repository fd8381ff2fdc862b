"""Questions that patterns ask of values: numbers, factors, terms."""

from __future__ import annotations

import math

from ttc import ops
from ttc.ir import DType, Value

ROUNDING = {DType.f64: 2e-6, DType.f32: 2e-6, DType.f16: 5e-4, DType.bf16: 4e-3}
"""How far a written constant may be from the number meant: its dtype's rounding (and float32's at least)."""


def is_number(value: Value, number: float) -> bool:
    """Whether `value` is `number` everywhere, as well as its dtype can tell."""
    known = ops.number_of(value)
    return known is not None and math.isclose(known, number, rel_tol=ROUNDING.get(value.dtype, 0.0))


def factors(value: Value, depth: int = 4) -> tuple[float, list[Value]]:
    """A product however it is associated: its constant number, and its other factors.

    Division by a number counts as multiplication by its reciprocal, pow(x, 3) as three factors.
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
    """Whether a product of written constants is the number meant."""
    return math.isclose(number, wanted, rel_tol=2 * ROUNDING.get(dtype, 0.0))


def addend(value: Value, number: float) -> Value | None:
    """x where `value` is x + number (constants stand on the right)."""
    match value.op:
        case ops.Add(a=a, b=b) if is_number(b, number):
            return a
    return None
