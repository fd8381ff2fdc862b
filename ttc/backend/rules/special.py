"""Functions that TTNN has only to the last bits of 1, by formulas that are exact in the tails.

erfc(z) = t * exp(-z^2 + P(t)) with t = 1 / (1 + z / 2), z >= 0, and a polynomial P of degree 9 whose relative error
is below 1.2e-7 everywhere (Press et al., Numerical Recipes, section 6.2). All of the formula is computed in fp32: the
exponent's error is the result's relative error.
"""

from __future__ import annotations

from ttc import ops
from ttc.backend.lowering import Lowering, lowers
from ttc.calls.binary import Add, Multiply, Subtract
from ttc.calls.logic import Ge
from ttc.calls.ternary import Where
from ttc.calls.unary import Abs, Exp, Neg, Reciprocal, Square
from ttc.ir import DType, Value

TAIL = (
    0.17087277, -0.82215223, 1.48851587, -1.13520398, 0.27886807, -0.18628806, 0.09678418, 0.37409196, 1.00002368,
    -1.26551223,
)  # fmt: skip
"""Coefficients of P, beginning with that of t^9."""


@lowers(ops.Erfc)
def erfc(op: ops.Erfc, to: Lowering) -> Value:
    """Lower to t * exp(P(t) - z^2) of z = |x|, and for negative x to 2 minus that."""
    x = to.cast(to(op.x), DType.f32)
    z = to.call(Abs(x))
    share, exponent = _tail(z, to)
    # erfc(z) = t * exp(P(t) - z^2), and erfc(-z) = 2 - erfc(z)
    y = to.call(Multiply(share, to.call(Exp(to.call(Subtract(exponent, to.call(Square(z))))))))
    return to.cast(_mirrored(x, y, to.call(Add(to.call(Neg(y)), 2.0)), to), to.dtype)


@lowers(ops.Erfcx)
def erfcx(op: ops.Erfcx, to: Lowering) -> Value:
    """Lower to t * exp(P(t)) of z = |x|, and for negative x to 2 * exp(x^2) minus that."""
    x = to.cast(to(op.x), DType.f32)
    share, exponent = _tail(to.call(Abs(x)), to)
    # erfcx(z) = exp(z^2) * erfc(z) = t * exp(P(t)), and erfcx(-z) = 2 * exp(z^2) - erfcx(z)
    y = to.call(Multiply(share, to.call(Exp(exponent))))
    twice = to.call(Multiply(to.call(Exp(to.call(Square(x)))), 2.0))
    return to.cast(_mirrored(x, y, to.call(Subtract(twice, y)), to), to.dtype)


def _tail(z: Value, to: Lowering) -> tuple[Value, Value]:
    """Return t and P(t) of z >= 0."""
    t = to.call(Reciprocal(to.call(Add(to.call(Multiply(z, 0.5)), 1.0))))
    # P(t) by Horner's rule
    y = to.call(Add(to.call(Multiply(t, TAIL[0])), TAIL[1]))
    for coefficient in TAIL[2:]:
        y = to.call(Add(to.call(Multiply(y, t)), coefficient))
    return t, y


def _mirrored(x: Value, y: Value, other: Value, to: Lowering) -> Value:
    """Return y where x >= 0, else `other`; a NaN stays NaN, as y is NaN there too."""
    choice = (to.tile(value) for value in (to.call(Ge(x, 0.0)), y, other))
    return to.call(Where(*choice))
