"""Elementwise ops of one operand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf, pi
from typing import ClassVar

import torch
from torch import Tensor

from ttc.ir import DType, Op, TensorType, Value, require
from ttc.ops.facts import Facts, Finite
from ttc.ops.rules import check_floating
from ttc.ops.torch_types import to_torch


@dataclass(frozen=True)
class Unary(Op, abstract=True):
    """y[i] = f(x[i])."""

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

    facts = Facts(Finite.ALL, span=(0.0, inf))
    function = torch.abs
    floating = False


class Acos(Unary):
    """Inverse cosine."""

    facts = Facts(Finite.SOME, span=(0.0, pi), slope=-1)
    function = torch.acos


class Acosh(Unary):
    """Inverse hyperbolic cosine."""

    facts = Facts(Finite.SOME, span=(0.0, inf), slope=1)
    function = torch.acosh


class Asin(Unary):
    """Inverse sine."""

    facts = Facts(Finite.SOME, span=(-pi / 2, pi / 2), slope=1)
    function = torch.asin


class Asinh(Unary):
    """Inverse hyperbolic sine."""

    facts = Facts(Finite.ALL, slope=1)
    function = torch.asinh


class Atan(Unary):
    """Inverse tangent."""

    facts = Facts(Finite.ALL, span=(-pi / 2, pi / 2), slope=1)
    function = torch.atan


class Atanh(Unary):
    """Inverse hyperbolic tangent."""

    facts = Facts(Finite.SOME, slope=1)
    function = torch.atanh


class Ceil(Unary):
    """Smallest integer not below x."""

    facts = Facts(Finite.ALL, slope=1)
    function = torch.ceil


class Cos(Unary):
    """Cosine of x, in radians."""

    facts = Facts(Finite.ALL, span=(-1.0, 1.0))
    function = torch.cos


class Cosh(Unary):
    """Hyperbolic cosine."""

    facts = Facts(Finite.SOME, span=(1.0, inf))
    function = torch.cosh


class Erf(Unary):
    """Error function."""

    facts = Facts(Finite.ALL, span=(-1.0, 1.0), slope=1)
    function = torch.erf


class Erfc(Unary):
    """1 - erf(x), accurate where that is small."""

    facts = Facts(Finite.ALL, span=(0.0, 2.0), slope=-1)
    function = torch.erfc


def _erfcx(x: Tensor) -> Tensor:
    """Compute erfcx in float32 for dtypes for which torch has none."""
    return torch.special.erfcx(x if x.dtype is torch.float64 else x.float()).to(x.dtype)


class Erfcx(Unary):
    """exp(x^2) * erfc(x)."""

    facts = Facts(Finite.SOME, span=(0.0, inf), slope=-1)
    function = _erfcx


class Exp(Unary):
    """e to the x."""

    facts = Facts(Finite.SOME, span=(0.0, inf), slope=1)
    function = torch.exp


class Expm1(Unary):
    """e to the x, minus 1, accurate near 0."""

    facts = Facts(Finite.SOME, span=(-1.0, inf), slope=1)
    function = torch.expm1


class Floor(Unary):
    """Largest integer not above x."""

    facts = Facts(Finite.ALL, slope=1)
    function = torch.floor


class Log(Unary):
    """Natural logarithm."""

    facts = Facts(Finite.SOME, slope=1)
    function = torch.log


class Log1p(Unary):
    """log(1 + x), accurate near 0."""

    facts = Facts(Finite.SOME, slope=1)
    function = torch.log1p


class Neg(Unary):
    """-x."""

    facts = Facts(Finite.ALL, slope=-1)
    function = torch.neg
    floating = False


class Reciprocal(Unary):
    """1 / x."""

    facts = Facts(Finite.SOME)
    function = torch.reciprocal


class Round(Unary):
    """Nearest integer, halves to even."""

    facts = Facts(Finite.ALL, slope=1)
    function = torch.round


class Rsqrt(Unary):
    """1 / sqrt(x)."""

    facts = Facts(Finite.SOME, slope=-1)
    function = torch.rsqrt


class Sign(Unary):
    """-1, 0 or 1."""

    facts = Facts(Finite.ALL, span=(-1.0, 1.0), slope=1)
    function = torch.sign
    floating = False


class Sin(Unary):
    """Sine of x, in radians."""

    facts = Facts(Finite.ALL, span=(-1.0, 1.0))
    function = torch.sin


class Sinh(Unary):
    """Hyperbolic sine."""

    facts = Facts(Finite.SOME, slope=1)
    function = torch.sinh


class Sqrt(Unary):
    """Square root."""

    facts = Facts(Finite.SOME, span=(0.0, inf), slope=1)
    function = torch.sqrt


class Tan(Unary):
    """Tangent of x, in radians."""

    facts = Facts(Finite.ALL)
    function = torch.tan


class Tanh(Unary):
    """Hyperbolic tangent."""

    facts = Facts(Finite.ALL, span=(-1.0, 1.0), slope=1)
    function = torch.tanh


class Trunc(Unary):
    """x without its fraction."""

    facts = Facts(Finite.ALL, slope=1)
    function = torch.trunc


@dataclass(frozen=True)
class Clamp(Op):
    """min(max(x, low), high); an absent bound does not bind."""

    x: Value
    low: float | None = None
    high: float | None = None
    facts: ClassVar[Facts] = Facts(Finite.ALL, slope=1)

    def infer(self) -> TensorType:
        require(self.low is not None or self.high is not None, "needs a bound")
        return self.x.type

    def eval(self, x: Tensor) -> Tensor:
        if not x.is_floating_point():
            return torch.clamp(x, self.low, self.high)
        return torch.clamp(x.double(), self.low, self.high).to(x.dtype)  # bounds may be beyond the range of x's dtype


@dataclass(frozen=True)
class Not(Op):
    """Not x, for booleans."""

    x: Value
    facts: ClassVar[Facts] = Facts(Finite.ALL, span=(0.0, 1.0))

    def infer(self) -> TensorType:
        require(self.x.dtype is DType.bool, f"needs bool, got {self.x.type}")
        return self.x.type

    def eval(self, x: Tensor) -> Tensor:
        return torch.logical_not(x)


@dataclass(frozen=True)
class IsNan(Op):
    """True where x is NaN."""

    x: Value
    facts: ClassVar[Facts] = Facts(Finite.ALL, span=(0.0, 1.0))

    def infer(self) -> TensorType:
        check_floating(self.x)
        return TensorType(DType.bool, self.x.shape)

    def eval(self, x: Tensor) -> Tensor:
        return torch.isnan(x)


@dataclass(frozen=True)
class Cast(Op):
    """x in another dtype; floats to integers truncate, integers wrap, to bool tests for non-zero.

    Floats of up to 8 bits take numbers that they hold; the front end rounds to them.
    """

    x: Value
    dtype: DType
    facts: ClassVar[Facts] = Facts(Finite.ORDINARY)

    def infer(self) -> TensorType:
        return TensorType(self.dtype, self.x.shape)

    def eval(self, x: Tensor) -> Tensor:
        y = x.to(to_torch(self.dtype))
        if not self.dtype.is_integer or self.dtype.bytes >= 1:
            return y
        size = 2 ** int(self.dtype.bytes * 8)
        low = size // 2 if self.dtype.kind == "int" else 0
        return torch.remainder(y.to(torch.int16) + low, size).to(y.dtype) - low


@dataclass(frozen=True)
class BitCast(Op):
    """The bits of x as another dtype of the same size."""

    x: Value
    dtype: DType
    facts: ClassVar[Facts] = Facts(Finite.SOME)

    def infer(self) -> TensorType:
        require(self.x.dtype.bytes == self.dtype.bytes >= 1, f"{self.x.dtype} and {self.dtype} differ in size")
        return TensorType(self.dtype, self.x.shape)

    def eval(self, x: Tensor) -> Tensor:
        return x.contiguous().view(to_torch(self.dtype))
