"""Elementwise calls with one operand: TILE or ROW_MAJOR, the result in the operand's dtype, layout and memory."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, replace
from enum import Enum
from typing import ClassVar

from ttc.calls.call import FLOATS, INTEGERS, Call, Workspace, accept, accept_number, spec_of
from ttc.calls.sizes import tile_bytes
from ttc.calls.target import Target
from ttc.errors import Refusal
from ttc.ir import DType, MemoryConfig, Spec, Value

SIGNED = FLOATS | {DType.i32}
NUMBERS = FLOATS | INTEGERS
ALL_DTYPES = NUMBERS | {DType.u8}


def tiles(count: int, spec: Spec) -> int:
    """Count the bytes of `count` tiles of a spec's dtype; in ROW_MAJOR, too, pages are as large as tiles."""
    return count * tile_bytes(spec.dtype)


@dataclass(frozen=True)
class UnaryCall(Call, abstract=True):
    """A function of each element: y[i] = f(x[i])."""

    input_tensor: Value
    _: KW_ONLY
    memory_config: MemoryConfig | None = None
    dtypes: ClassVar[frozenset[DType]] = FLOATS
    flexible: ClassVar[bool] = True

    def infer(self) -> Spec:
        accept(self.input_tensor, None, self.dtypes, "input_tensor")
        spec = spec_of(self.input_tensor)
        return replace(spec, memory=self.memory_config or spec.memory)

    def workspace(self, target: Target) -> Workspace:
        """Return two pages in and two out."""
        return Workspace(circular_buffers=tiles(4, spec_of(self.input_tensor)))


class Abs(UnaryCall, name="ttnn.abs"):
    """|x|."""

    dtypes = ALL_DTYPES


class Acos(UnaryCall, name="ttnn.acos"):
    """Inverse cosine."""


class Acosh(UnaryCall, name="ttnn.acosh"):
    """Inverse hyperbolic cosine."""


class Asin(UnaryCall, name="ttnn.asin"):
    """Inverse sine."""


class Asinh(UnaryCall, name="ttnn.asinh"):
    """Inverse hyperbolic sine."""


class Atan(UnaryCall, name="ttnn.atan"):
    """Inverse tangent."""


class Atanh(UnaryCall, name="ttnn.atanh"):
    """Inverse hyperbolic tangent."""


class Ceil(UnaryCall, name="ttnn.ceil"):
    """Smallest integer not below x."""


class Cos(UnaryCall, name="ttnn.cos"):
    """Cosine."""


class Cosh(UnaryCall, name="ttnn.cosh"):
    """Hyperbolic cosine."""


class Erf(UnaryCall, name="ttnn.erf"):
    """Error function."""


class Exp(UnaryCall, name="ttnn.exp"):
    """e to the x."""


class Expm1(UnaryCall, name="ttnn.expm1"):
    """e to the x, minus 1."""


class Floor(UnaryCall, name="ttnn.floor"):
    """Largest integer not above x."""


class Hardsigmoid(UnaryCall, name="ttnn.hardsigmoid"):
    """max(0, min(1, x / 6 + 1 / 2))."""


class Hardswish(UnaryCall, name="ttnn.hardswish"):
    """x * hardsigmoid(x)."""


class Isnan(UnaryCall, name="ttnn.isnan"):
    """1 where x is NaN, else 0."""


class Log(UnaryCall, name="ttnn.log"):
    """Natural logarithm."""


class Log1p(UnaryCall, name="ttnn.log1p"):
    """log(1 + x)."""


class LogicalNot(UnaryCall, name="ttnn.logical_not"):
    """1 where x is 0, else 0."""

    dtypes = NUMBERS


class Mish(UnaryCall, name="ttnn.mish"):
    """x * tanh(softplus(x))."""


class Neg(UnaryCall, name="ttnn.neg"):
    """-x."""

    dtypes = SIGNED


class Nez(UnaryCall, name="ttnn.nez"):
    """1 where x is not 0, else 0."""

    dtypes = NUMBERS


class Reciprocal(UnaryCall, name="ttnn.reciprocal"):
    """1 / x."""


class Relu(UnaryCall, name="ttnn.relu"):
    """max(x, 0)."""

    dtypes = ALL_DTYPES


class Round(UnaryCall, name="ttnn.round"):
    """Nearest integer, halves to even."""


class Rsqrt(UnaryCall, name="ttnn.rsqrt"):
    """1 / sqrt(x)."""


class Sigmoid(UnaryCall, name="ttnn.sigmoid"):
    """1 / (1 + exp(-x)), in TTNN's accurate mode."""


class Sign(UnaryCall, name="ttnn.sign"):
    """Sign of x: -1, 0 or 1."""


class Silu(UnaryCall, name="ttnn.silu"):
    """x * sigmoid(x)."""


class Sin(UnaryCall, name="ttnn.sin"):
    """Sine."""


class Sinh(UnaryCall, name="ttnn.sinh"):
    """Hyperbolic sine."""


class Softsign(UnaryCall, name="ttnn.softsign"):
    """x / (1 + |x|)."""


class Sqrt(UnaryCall, name="ttnn.sqrt"):
    """Square root."""


class Square(UnaryCall, name="ttnn.square"):
    """x * x."""

    dtypes = NUMBERS


class Tan(UnaryCall, name="ttnn.tan"):
    """Tangent."""


class Tanh(UnaryCall, name="ttnn.tanh"):
    """Hyperbolic tangent."""


class Trunc(UnaryCall, name="ttnn.trunc"):
    """x without its fraction."""


class GeluVariant(Enum):
    """Form of gelu: `Accurate` is x * Phi(x), Phi the normal CDF; `Tanh` is the approximation by tanh."""

    Accurate = 0
    Tanh = 2


@dataclass(frozen=True)
class Gelu(UnaryCall, name="ttnn.gelu"):
    """x * Phi(x), or its approximation by tanh."""

    _: KW_ONLY
    variant: GeluVariant = GeluVariant.Accurate


@dataclass(frozen=True)
class Elu(UnaryCall, name="ttnn.elu"):
    """x where x > 0, else alpha * (exp(x) - 1)."""

    _: KW_ONLY
    alpha: float = 1.0


@dataclass(frozen=True)
class LeakyRelu(UnaryCall, name="ttnn.leaky_relu"):
    """x where x > 0, else negative_slope * x."""

    negative_slope: float


@dataclass(frozen=True)
class Softplus(UnaryCall, name="ttnn.softplus"):
    """log(1 + exp(beta * x)) / beta; x itself where beta * x > threshold."""

    _: KW_ONLY
    beta: float = 1.0
    threshold: float = 20.0


@dataclass(frozen=True)
class Clamp(UnaryCall, name="ttnn.clamp"):
    """min(max(x, min), max); integers take integer bounds."""

    _: KW_ONLY
    min: float | None = None
    max: float | None = None
    dtypes: ClassVar[frozenset[DType]] = SIGNED

    def infer(self) -> Spec:
        for bound in (self.min, self.max):
            if bound is not None:
                accept_number(bound, self.input_tensor.dtype)
            if isinstance(bound, float) and self.input_tensor.dtype.is_integer:
                raise Refusal("integers are clamped by integers: TTNN makes floats of them otherwise")
        return super().infer()


@dataclass(frozen=True)
class Rpow(UnaryCall, name="ttnn.rpow"):
    """exponent to the x: a number raised to a tensor."""

    exponent: float
