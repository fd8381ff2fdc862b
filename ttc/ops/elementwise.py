"""Elementwise ops: one element in, one element out; binary ones broadcast as numpy does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from ttc.ir import DType, Op, TensorType, Value, require
from ttc.ops.rules import broadcast, same_dtype
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

    function = torch.abs
    floating = False


class Acos(Unary):
    """Inverse cosine."""

    function = torch.acos


class Acosh(Unary):
    """Inverse hyperbolic cosine."""

    function = torch.acosh


class Asin(Unary):
    """Inverse sine."""

    function = torch.asin


class Asinh(Unary):
    """Inverse hyperbolic sine."""

    function = torch.asinh


class Atan(Unary):
    """Inverse tangent."""

    function = torch.atan


class Atanh(Unary):
    """Inverse hyperbolic tangent."""

    function = torch.atanh


class Ceil(Unary):
    """Smallest integer not below x."""

    function = torch.ceil


class Cos(Unary):
    """Cosine of radians."""

    function = torch.cos


class Cosh(Unary):
    """Hyperbolic cosine."""

    function = torch.cosh


class Erf(Unary):
    """Error function."""

    function = torch.erf


class Exp(Unary):
    """e to the x."""

    function = torch.exp


class Expm1(Unary):
    """e to the x, minus 1, accurate near 0."""

    function = torch.expm1


class Floor(Unary):
    """Largest integer not above x."""

    function = torch.floor


class HardSwish(Unary):
    """x * relu6(x + 3) / 6 (Howard et al. 2019)."""

    function = F.hardswish


class Log(Unary):
    """Natural logarithm."""

    function = torch.log


class Log1p(Unary):
    """log(1 + x), accurate near 0."""

    function = torch.log1p


class Mish(Unary):
    """x * tanh(softplus(x)) (Misra 2019)."""

    function = F.mish


class Neg(Unary):
    """-x."""

    function = torch.neg
    floating = False


class Reciprocal(Unary):
    """1 / x."""

    function = torch.reciprocal


class Relu(Unary):
    """max(x, 0)."""

    function = torch.relu
    floating = False


class Round(Unary):
    """Nearest integer, halves to even."""

    function = torch.round


class Rsqrt(Unary):
    """1 / sqrt(x)."""

    function = torch.rsqrt


class Sigmoid(Unary):
    """1 / (1 + exp(-x))."""

    function = torch.sigmoid


class Sign(Unary):
    """-1, 0 or 1."""

    function = torch.sign
    floating = False


class Silu(Unary):
    """x * sigmoid(x)."""

    function = F.silu


class Sin(Unary):
    """Sine of radians."""

    function = torch.sin


class Sinh(Unary):
    """Hyperbolic sine."""

    function = torch.sinh


class Softsign(Unary):
    """x / (1 + |x|)."""

    function = F.softsign


class Sqrt(Unary):
    """Square root."""

    function = torch.sqrt


class Tan(Unary):
    """Tangent of radians."""

    function = torch.tan


class Tanh(Unary):
    """Hyperbolic tangent."""

    function = torch.tanh


class Trunc(Unary):
    """x without its fraction."""

    function = torch.trunc


@dataclass(frozen=True)
class Gelu(Op):
    """x * Phi(x); `approximate` uses the tanh form (Hendrycks & Gimpel 2016)."""

    x: Value
    approximate: bool = False

    def infer(self) -> TensorType:
        require(self.x.dtype.is_float, f"needs a floating dtype, got {self.x.type}")
        return self.x.type

    def eval(self, x: Tensor) -> Tensor:
        return F.gelu(x, approximate="tanh" if self.approximate else "none")


@dataclass(frozen=True)
class LeakyRelu(Op):
    """x where x > 0, else slope * x."""

    x: Value
    slope: float = 0.01

    def infer(self) -> TensorType:
        return self.x.type

    def eval(self, x: Tensor) -> Tensor:
        return F.leaky_relu(x, self.slope)


@dataclass(frozen=True)
class Elu(Op):
    """x where x > 0, else alpha * (exp(x) - 1)."""

    x: Value
    alpha: float = 1.0

    def infer(self) -> TensorType:
        return self.x.type

    def eval(self, x: Tensor) -> Tensor:
        return torch.where(x > 0, x, self.alpha * torch.expm1(x))


@dataclass(frozen=True)
class Softplus(Op):
    """log(1 + exp(beta * x)) / beta, and x itself where beta * x > threshold (torch's rule)."""

    x: Value
    beta: float = 1.0
    threshold: float = 20.0

    def infer(self) -> TensorType:
        return self.x.type

    def eval(self, x: Tensor) -> Tensor:
        return F.softplus(x, self.beta, self.threshold)


@dataclass(frozen=True)
class HardSigmoid(Op):
    """max(0, min(1, alpha * x + beta)); torch's has alpha = 1/6, beta = 1/2."""

    x: Value
    alpha: float = 1 / 6
    beta: float = 0.5

    def infer(self) -> TensorType:
        return self.x.type

    def eval(self, x: Tensor) -> Tensor:
        return torch.clamp(self.alpha * x + self.beta, 0, 1)


@dataclass(frozen=True)
class Clamp(Op):
    """min(max(x, low), high); an absent bound does not bind."""

    x: Value
    low: float | None = None
    high: float | None = None

    def infer(self) -> TensorType:
        require(self.low is not None or self.high is not None, "needs a bound")
        return self.x.type

    def eval(self, x: Tensor) -> Tensor:
        return torch.clamp(x, self.low, self.high)


@dataclass(frozen=True)
class Binary(Op, abstract=True):
    """y[i] = f(a[i], b[i]), shapes broadcast, dtypes equal."""

    a: Value
    b: Value
    function: ClassVar[Callable[[Tensor, Tensor], Tensor]]
    result: ClassVar[DType | None] = None  # None: the operands' dtype
    kinds: ClassVar[tuple[str, ...]] = ("float", "int", "uint", "complex")

    def infer(self) -> TensorType:
        dtype = same_dtype(self.a, self.b)
        require(dtype.kind in self.kinds, f"is not defined for {dtype}")
        return TensorType(self.result or dtype, broadcast(self.a.shape, self.b.shape))

    def eval(self, a: Tensor, b: Tensor) -> Tensor:
        return type(self).function(a, b)


def _divide(a: Tensor, b: Tensor) -> Tensor:
    """True division for floats, division rounded towards zero for integers (ONNX Div)."""
    return torch.div(a, b, rounding_mode=None if a.is_floating_point() or a.is_complex() else "trunc")


_ORDERED = ("float", "int", "uint", "bool")
_WHOLE = ("int", "uint", "bool")


class Add(Binary):
    """a + b."""

    function = torch.add


class Sub(Binary):
    """a - b."""

    function = torch.sub


class Mul(Binary):
    """a * b."""

    function = torch.mul


class Div(Binary):
    """a / b; integers round towards zero."""

    function = _divide


class Pow(Binary):
    """a to the b."""

    function = torch.pow


class Maximum(Binary):
    """The larger; NaN wins."""

    function = torch.maximum
    kinds = _ORDERED


class Minimum(Binary):
    """The smaller; NaN wins."""

    function = torch.minimum
    kinds = _ORDERED


class Remainder(Binary):
    """a - b * floor(a / b): the sign of b (Python's %)."""

    function = torch.remainder


class Fmod(Binary):
    """a - b * trunc(a / b): the sign of a (C's fmod)."""

    function = torch.fmod


class FloorDiv(Binary):
    """floor(a / b)."""

    function = torch.floor_divide


class Atan2(Binary):
    """Angle of (b, a) in radians."""

    function = torch.atan2
    kinds = ("float",)


class Eq(Binary):
    """a == b."""

    function = torch.eq
    result = DType.bool
    kinds = _ORDERED


class Ne(Binary):
    """a != b."""

    function = torch.ne
    result = DType.bool
    kinds = _ORDERED


class Lt(Binary):
    """a < b."""

    function = torch.lt
    result = DType.bool
    kinds = _ORDERED


class Le(Binary):
    """a <= b."""

    function = torch.le
    result = DType.bool
    kinds = _ORDERED


class Gt(Binary):
    """a > b."""

    function = torch.gt
    result = DType.bool
    kinds = _ORDERED


class Ge(Binary):
    """a >= b."""

    function = torch.ge
    result = DType.bool
    kinds = _ORDERED


class And(Binary):
    """a and b; bitwise for integers."""

    function = torch.bitwise_and
    kinds = _WHOLE


class Or(Binary):
    """a or b; bitwise for integers."""

    function = torch.bitwise_or
    kinds = _WHOLE


class Xor(Binary):
    """a xor b; bitwise for integers."""

    function = torch.bitwise_xor
    kinds = _WHOLE


@dataclass(frozen=True)
class Not(Op):
    """Not x, for booleans."""

    x: Value

    def infer(self) -> TensorType:
        require(self.x.dtype is DType.bool, f"needs bool, got {self.x.type}")
        return self.x.type

    def eval(self, x: Tensor) -> Tensor:
        return torch.logical_not(x)


@dataclass(frozen=True)
class IsNan(Op):
    """Whether x is not a number."""

    x: Value

    def infer(self) -> TensorType:
        require(self.x.dtype.is_float, f"needs a floating dtype, got {self.x.type}")
        return TensorType(DType.bool, self.x.shape)

    def eval(self, x: Tensor) -> Tensor:
        return torch.isnan(x)


@dataclass(frozen=True)
class Where(Op):
    """a where the condition holds, else b; all three broadcast."""

    condition: Value
    a: Value
    b: Value

    def infer(self) -> TensorType:
        require(self.condition.dtype is DType.bool, f"the condition must be bool, got {self.condition.type}")
        shape = broadcast(self.condition.shape, self.a.shape, self.b.shape)
        return TensorType(same_dtype(self.a, self.b), shape)

    def eval(self, condition: Tensor, a: Tensor, b: Tensor) -> Tensor:
        return torch.where(condition, a, b)


@dataclass(frozen=True)
class Cast(Op):
    """x in another dtype; floats to integers truncate, to bool tests for non-zero."""

    x: Value
    dtype: DType

    def infer(self) -> TensorType:
        return TensorType(self.dtype, self.x.shape)

    def eval(self, x: Tensor) -> Tensor:
        return x.to(to_torch(self.dtype))
