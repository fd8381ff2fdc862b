"""Readings of special functions that are composed of others to a float32's precision."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

from ttc.frontend.export.compose import result_as
from ttc.frontend.export.table import ExportBuilder, aten
from ttc.ops.expr import Expr, log, sqrt, where

CENTRAL = (
    2.81022636e-08, 3.43273939e-07, -3.5233877e-06, -4.39150654e-06, 0.00021858087, -0.00125372503, -0.00417768164,
    0.246640727, 1.50140941,
)  # fmt: skip
"""erfinv(x) / x as a polynomial in w - 2.5 where w = -log(1 - x²) is below 5, the highest power first.

From M. Giles, "Approximating the erfinv function", GPU Computing Gems Jade Edition, 2011: single precision.
"""
TAIL = (
    -0.000200214257, 0.000100950558, 0.00134934322, -0.00367342844, 0.00573950773, -0.0076224613, 0.00943887047,
    1.00167406, 2.83297682,
)  # fmt: skip
"""The same in sqrt(w) - 3 where w is 5 or more."""


@aten("erfinv", "special_erfinv")
def erfinv(b: ExportBuilder, x: Expr) -> Expr:
    """Compute the inverse of the error function: infinite at -1 and 1, NaN beyond."""
    x = result_as(b, x)
    w = -log((1.0 - x) * (1.0 + x))
    central = _polynomial(w - 2.5, CENTRAL)
    tail = _polynomial(sqrt(w) - 3.0, TAIL)
    inside = where(w < 5.0, central, tail) * x
    return where(abs(x) == 1.0, x * inf, inside)


def _polynomial(x: Expr, coefficients: Sequence[float]) -> Expr:
    """Evaluate a polynomial by Horner's rule, the highest power's coefficient first."""
    y = x * coefficients[0] + coefficients[1]
    for coefficient in coefficients[2:]:
        y = y * x + coefficient
    return y
