"""Changes of an element's dtype: by value, and by bits."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ttc.ir import DType, TensorType, require
from ttc.ops.facts import Exactness, Facts, Finite
from ttc.ops.torch_types import to_torch
from ttc.ops.unary import Unary

__all__ = ["BitCast", "Cast"]


@dataclass(frozen=True)
class Cast(Unary):
    """x in another dtype; floats to integers truncate, integers wrap, to bool tests for non-zero.

    Floats of up to 8 bits take numbers that they hold; the front end rounds to them.
    """

    dtype: DType
    facts = Facts(Finite.ORDINARY, Exactness.KEPT)

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
class BitCast(Unary):
    """The bits of x as another dtype of the same size."""

    dtype: DType
    facts = Facts(Finite.SOME, Exactness.LOST)

    def infer(self) -> TensorType:
        require(self.x.dtype.bytes == self.dtype.bytes >= 1, f"{self.x.dtype} and {self.dtype} differ in size")
        return TensorType(self.dtype, self.x.shape)

    def eval(self, x: Tensor) -> Tensor:
        return x.contiguous().view(to_torch(self.dtype))
