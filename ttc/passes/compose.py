"""What passes compose other ops of."""

from __future__ import annotations

from ttc import ops
from ttc.ir import Builder, TensorType, Value


def number(like: Value, value: float, builder: Builder) -> Value:
    """A number in the dtype of `like`."""
    return builder(ops.Full(TensorType(like.dtype, ()), value))


def part(x: Value, dim: int, start: int, end: int, builder: Builder) -> Value:
    """x[start:end] along one dimension."""
    starts = tuple(start if i == dim else 0 for i in range(x.type.rank))
    ends = tuple(end if i == dim else size for i, size in enumerate(x.shape))
    return builder(ops.Slice(x, starts, ends, (1,) * x.type.rank))


def with_zeros(x: Value, dim: int, before: int, after: int, builder: Builder) -> Value:
    """x with zeros before and after it along one dimension."""
    return builder(ops.Pad(x, tuple((before, after) if i == dim else (0, 0) for i in range(x.type.rank))))
