"""Elementwise ops of two operands, and the choice between two; shapes broadcast as numpy does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf, pi
from typing import ClassVar

import torch
from torch import Tensor

from ttc.ir import DType, Op, TensorType, Value, require
from ttc.ir.types import broadcast
from ttc.ops.facts import Exactness, Facts, Finite
from ttc.ops.rules import same_dtype

__all__ = [
    "Add", "And", "Atan2", "Div", "Eq", "FloorDiv", "Fmod", "Gcd", "Ge", "Gt", "Le", "Lt", "Maximum", "Minimum", "Mul",
    "Ne", "Or", "Pow", "Remainder", "ShiftLeft", "ShiftRight", "Sub", "Where", "Xor",
]  # fmt: skip


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
    """Divide floats exactly, integers rounded towards zero (ONNX Div)."""
    return torch.div(a, b, rounding_mode=None if a.is_floating_point() or a.is_complex() else "trunc")


_ORDERED = ("float", "int", "uint", "bool")
_WHOLE = ("int", "uint", "bool")


class Add(Binary):
    """a + b."""

    facts = Facts(Finite.ORDINARY, Exactness.KEPT, commutes=True, overflows=True)
    function = torch.add


class Sub(Binary):
    """a - b."""

    facts = Facts(Finite.ORDINARY, Exactness.KEPT, overflows=True)
    function = torch.sub


class Mul(Binary):
    """a * b."""

    facts = Facts(Finite.ORDINARY, Exactness.KEPT, commutes=True, overflows=True)
    function = torch.mul


class Div(Binary):
    """a / b; integers round towards zero."""

    facts = Facts(Finite.SOME, Exactness.KEPT, overflows=True)
    function = _divide


class Pow(Binary):
    """a to the b."""

    facts = Facts(Finite.SOME, Exactness.KEPT, overflows=True)
    function = torch.pow


class Maximum(Binary):
    """The larger of a and b; NaN if either is NaN."""

    facts = Facts(Finite.ALL, Exactness.KEPT, within=("a", "b"), commutes=True)
    function = torch.maximum
    kinds = _ORDERED


class Minimum(Binary):
    """The smaller of a and b; NaN if either is NaN."""

    facts = Facts(Finite.ALL, Exactness.KEPT, within=("a", "b"), commutes=True)
    function = torch.minimum
    kinds = _ORDERED


class Remainder(Binary):
    """a - b * floor(a / b): the sign of b (Python's %)."""

    facts = Facts(Finite.SOME, Exactness.KEPT, decides=True)
    function = torch.remainder


class Fmod(Binary):
    """a - b * trunc(a / b): the sign of a (C's fmod)."""

    facts = Facts(Finite.SOME, Exactness.KEPT, decides=True)
    function = torch.fmod


class FloorDiv(Binary):
    """floor(a / b)."""

    facts = Facts(Finite.SOME, Exactness.KEPT, decides=True, overflows=True)
    function = torch.floor_divide


class Atan2(Binary):
    """Angle of (b, a) in radians."""

    facts = Facts(Finite.ALL, Exactness.KEPT, span=(-pi, pi))
    function = torch.atan2
    kinds = ("float",)


class Gcd(Binary):
    """Greatest common divisor of a and b, not negative; that of 0 and 0 is 0."""

    facts = Facts(Finite.ALL, Exactness.KEPT, span=(0.0, inf), commutes=True, overflows=True)
    function = torch.gcd
    kinds = ("int", "uint")


class Eq(Binary):
    """a == b."""

    facts = Facts(Finite.ALL, Exactness.KEPT, span=(0.0, 1.0), decides=True, commutes=True)
    function = torch.eq
    result = DType.bool
    kinds = _ORDERED


class Ne(Binary):
    """a != b."""

    facts = Facts(Finite.ALL, Exactness.KEPT, span=(0.0, 1.0), decides=True, commutes=True)
    function = torch.ne
    result = DType.bool
    kinds = _ORDERED


class Lt(Binary):
    """a < b."""

    facts = Facts(Finite.ALL, Exactness.KEPT, span=(0.0, 1.0), decides=True)
    function = torch.lt
    result = DType.bool
    kinds = _ORDERED


class Le(Binary):
    """a <= b."""

    facts = Facts(Finite.ALL, Exactness.KEPT, span=(0.0, 1.0), decides=True)
    function = torch.le
    result = DType.bool
    kinds = _ORDERED


class Gt(Binary):
    """a > b."""

    facts = Facts(Finite.ALL, Exactness.KEPT, span=(0.0, 1.0), decides=True)
    function = torch.gt
    result = DType.bool
    kinds = _ORDERED


class Ge(Binary):
    """a >= b."""

    facts = Facts(Finite.ALL, Exactness.KEPT, span=(0.0, 1.0), decides=True)
    function = torch.ge
    result = DType.bool
    kinds = _ORDERED


class And(Binary):
    """a and b; bitwise for integers."""

    facts = Facts(Finite.ALL, Exactness.KEPT, commutes=True)
    function = torch.bitwise_and
    kinds = _WHOLE


class Or(Binary):
    """a or b; bitwise for integers."""

    facts = Facts(Finite.ALL, Exactness.KEPT, commutes=True)
    function = torch.bitwise_or
    kinds = _WHOLE


class Xor(Binary):
    """a xor b; bitwise for integers."""

    facts = Facts(Finite.ALL, Exactness.KEPT, commutes=True)
    function = torch.bitwise_xor
    kinds = _WHOLE


class ShiftLeft(Binary):
    """a * 2^b, within the bits of the dtype; 0 <= b."""

    facts = Facts(Finite.ALL, Exactness.LOST, overflows=True)
    function = torch.bitwise_left_shift
    kinds = ("int", "uint")


class ShiftRight(Binary):
    """floor(a / 2^b); 0 <= b."""

    facts = Facts(Finite.ALL, Exactness.LOST)
    function = torch.bitwise_right_shift
    kinds = ("int", "uint")


@dataclass(frozen=True)
class Where(Op):
    """a where the condition holds, else b; the three broadcast."""

    condition: Value
    a: Value
    b: Value
    facts: ClassVar[Facts] = Facts(Finite.ALL, Exactness.KEPT, within=("a", "b"), moves=True)

    def infer(self) -> TensorType:
        require(self.condition.dtype is DType.bool, f"the condition must be bool, got {self.condition.type}")
        shape = broadcast(self.condition.shape, self.a.shape, self.b.shape)
        return TensorType(same_dtype(self.a, self.b), shape)

    def eval(self, condition: Tensor, a: Tensor, b: Tensor) -> Tensor:
        return torch.where(condition, a, b)
