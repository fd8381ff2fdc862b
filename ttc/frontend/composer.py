"""What compositions that both front ends share are written to."""

from __future__ import annotations

from typing import Any, Protocol

from torch import Tensor

from ttc import ops
from ttc.ir import DType, Op, TensorType, Value


class Composer(Protocol):
    """A builder of either front end: adds ops, and known tensors in their shortest form."""

    def __call__(self, op: Op, /) -> Any:
        """The op's result, or its results."""
        ...

    def constant(self, tensor: Tensor, /) -> Any:
        """A known tensor."""
        ...


def full(b: Composer, number: float, dtype: DType) -> Value:
    """One number [], as a number of `dtype`'s own kind."""
    kind = float if dtype.is_float else bool if dtype is DType.bool else int
    return b(ops.Full(TensorType(dtype, ()), kind(number)))


def reshape(b: Composer, x: Value, shape: tuple[int, ...]) -> Value:
    """x under another shape; nothing is added where it has that shape."""
    return x if x.shape == shape else b(ops.Reshape(x, shape))


def part(b: Composer, x: Value, axis: int, start: int, end: int) -> Value:
    """x[start:end] along one axis, both bounds within its size."""
    starts = tuple(start if i == axis else 0 for i in range(x.type.rank))
    ends = tuple(end if i == axis else size for i, size in enumerate(x.shape))
    return x if ends == x.shape and not start else b(ops.Slice(x, starts, ends, (1,) * x.type.rank))
