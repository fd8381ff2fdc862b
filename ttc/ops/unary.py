"""Elementwise ops of one operand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf, pi
from typing import ClassVar

import torch
from torch import Tensor

from ttc.ir import DType, Op, TensorType, Value, require
from ttc.ops.facts import Exactness, Facts, Finite

__all__ = [
    "Abs", "Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "Ceil", "Clamp", "Cos", "Cosh",
    "Erf", "Erfc", "Erfcx", "Exp", "Expm1", "Floor", "IsNan", "Log", "Log1p", "Neg", "Not", "Reciprocal", "Round",
    "Rsqrt", "Sign", "Sin", "Sinh", "Sqrt", "Tan", "Tanh", "Trunc",
]  # fmt: skip


@dataclass(frozen=True)
class Unary(Op, abstract=True):
    """y[i] = f(x[i]): all elementwise ops of one operand."""

    x: Value
    function: ClassVar[Callable[[Tensor], Tensor]]
    floating: ClassVar[bool] = True  # whether f is defined for floating dtypes only

    def infer(self) -> TensorType:
        require(self.x.dtype.is_float or not self.floating, f"needs a floating dtype, got {self.x.type}")
        return self.x.type

    def eval(self, x: Tensor) -> Tensor:
        return type(self).function(x)


class Abs(Unary):
    """|x|."""

    facts = Facts(Finite.ALL, Exactness.KEPT, span=(0.0, inf), overflows=True)
    function = torch.abs
    floating = False


class Acos(Unary):
    """Inverse cosine."""

    facts = Facts(Finite.SOME, Exactness.LOST, span=(0.0, pi), slope=-1)
    function = torch.acos


class Acosh(Unary):
    """Inverse hyperbolic cosine."""

    facts = Facts(Finite.SOME, Exactness.LOST, span=(0.0, inf), slope=1)
    function = torch.acosh


class Asin(Unary):
    """Inverse sine."""

    facts = Facts(Finite.SOME, Exactness.LOST, span=(-pi / 2, pi / 2), slope=1)
    function = torch.asin


class Asinh(Unary):
    """Inverse hyperbolic sine."""

    facts = Facts(Finite.ALL, Exactness.LOST, slope=1)
    function = torch.asinh


class Atan(Unary):
    """Inverse tangent."""

    facts = Facts(Finite.ALL, Exactness.KEPT, span=(-pi / 2, pi / 2), slope=1)
    function = torch.atan


class Atanh(Unary):
    """Inverse hyperbolic tangent."""

    facts = Facts(Finite.SOME, Exactness.LOST, slope=1)
    function = torch.atanh


class Ceil(Unary):
    """Smallest integer not below x."""

    facts = Facts(Finite.ALL, Exactness.KEPT, slope=1, decides=True)
    function = torch.ceil


class Cos(Unary):
    """Cosine of x, in radians."""

    facts = Facts(Finite.ALL, Exactness.SIGNAL, span=(-1.0, 1.0), decides=True)
    function = torch.cos


class Cosh(Unary):
    """Hyperbolic cosine."""

    facts = Facts(Finite.SOME, Exactness.LOST, span=(1.0, inf))
    function = torch.cosh


class Erf(Unary):
    """Error function."""

    facts = Facts(Finite.ALL, Exactness.LOST, span=(-1.0, 1.0), slope=1)
    function = torch.erf


class Erfc(Unary):
    """1 - erf(x), accurate where that is small."""

    facts = Facts(Finite.ALL, Exactness.LOST, span=(0.0, 2.0), slope=-1)
    function = torch.erfc


def _erfcx(x: Tensor) -> Tensor:
    """Compute erfcx in float32 for dtypes for which torch has none."""
    return torch.special.erfcx(x if x.dtype is torch.float64 else x.float()).to(x.dtype)


class Erfcx(Unary):
    """exp(x^2) * erfc(x)."""

    facts = Facts(Finite.SOME, Exactness.LOST, span=(0.0, inf), slope=-1)
    function = _erfcx


class Exp(Unary):
    """e to the x."""

    facts = Facts(Finite.SOME, Exactness.KEPT, span=(0.0, inf), slope=1)
    function = torch.exp


class Expm1(Unary):
    """e to the x, minus 1, accurate near 0."""

    facts = Facts(Finite.SOME, Exactness.LOST, span=(-1.0, inf), slope=1)
    function = torch.expm1


class Floor(Unary):
    """Largest integer not above x."""

    facts = Facts(Finite.ALL, Exactness.KEPT, slope=1, decides=True)
    function = torch.floor


class Log(Unary):
    """Natural logarithm."""

    facts = Facts(Finite.SOME, Exactness.KEPT, slope=1)
    function = torch.log


class Log1p(Unary):
    """log(1 + x), accurate near 0."""

    facts = Facts(Finite.SOME, Exactness.KEPT, slope=1)
    function = torch.log1p


class Neg(Unary):
    """-x."""

    facts = Facts(Finite.ALL, Exactness.KEPT, slope=-1, overflows=True)
    function = torch.neg
    floating = False


class Reciprocal(Unary):
    """1 / x."""

    facts = Facts(Finite.SOME, Exactness.KEPT)
    function = torch.reciprocal


class Round(Unary):
    """Nearest integer, halves to even."""

    facts = Facts(Finite.ALL, Exactness.KEPT, slope=1, decides=True)
    function = torch.round


class Rsqrt(Unary):
    """1 / sqrt(x)."""

    facts = Facts(Finite.SOME, Exactness.KEPT, slope=-1)
    function = torch.rsqrt


class Sign(Unary):
    """-1, 0 or 1."""

    facts = Facts(Finite.ALL, Exactness.KEPT, span=(-1.0, 1.0), slope=1)
    function = torch.sign
    floating = False


class Sin(Unary):
    """Sine of x, in radians."""

    facts = Facts(Finite.ALL, Exactness.SIGNAL, span=(-1.0, 1.0), decides=True)
    function = torch.sin


class Sinh(Unary):
    """Hyperbolic sine."""

    facts = Facts(Finite.SOME, Exactness.LOST, slope=1)
    function = torch.sinh


class Sqrt(Unary):
    """Square root."""

    facts = Facts(Finite.SOME, Exactness.KEPT, span=(0.0, inf), slope=1)
    function = torch.sqrt


class Tan(Unary):
    """Tangent of x, in radians."""

    facts = Facts(Finite.ALL, Exactness.LOST)
    function = torch.tan


class Tanh(Unary):
    """Hyperbolic tangent."""

    facts = Facts(Finite.ALL, Exactness.SIGNAL, span=(-1.0, 1.0), slope=1)
    function = torch.tanh


class Trunc(Unary):
    """x without its fraction."""

    facts = Facts(Finite.ALL, Exactness.KEPT, slope=1, decides=True)
    function = torch.trunc


@dataclass(frozen=True)
class Clamp(Unary):
    """min(max(x, low), high); an absent bound does not bind."""

    low: float | None = None
    high: float | None = None
    facts = Facts(Finite.ALL, Exactness.KEPT, slope=1)

    def infer(self) -> TensorType:
        require(self.low is not None or self.high is not None, "needs a bound")
        return self.x.type

    def eval(self, x: Tensor) -> Tensor:
        if not x.is_floating_point():
            return torch.clamp(x, self.low, self.high)
        return torch.clamp(x.double(), self.low, self.high).to(x.dtype)  # bounds may be beyond the range of x's dtype


class Not(Unary):
    """Not x, for booleans."""

    facts = Facts(Finite.ALL, Exactness.KEPT, span=(0.0, 1.0))
    function = torch.logical_not

    def infer(self) -> TensorType:
        require(self.x.dtype is DType.bool, f"needs bool, got {self.x.type}")
        return self.x.type


class IsNan(Unary):
    """True where x is NaN."""

    facts = Facts(Finite.ALL, Exactness.LOST, span=(0.0, 1.0))
    function = torch.isnan

    def infer(self) -> TensorType:
        return TensorType(DType.bool, super().infer().shape)
