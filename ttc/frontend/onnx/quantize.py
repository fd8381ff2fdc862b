"""ONNX quantisation to and from integers, per tensor, per axis or per block."""

from __future__ import annotations

import math

from ttc import ops
from ttc.errors import Refusal
from ttc.frontend.onnx.emitter import Emitter
from ttc.frontend.onnx.shape import axis_of
from ttc.frontend.onnx.small_floats import to_small_float
from ttc.frontend.onnx.table import onnx_op
from ttc.frontend.onnx.tensors import dtype_of
from ttc.ir import DType, Value
from ttc.ops.torch_types import HELD


@onnx_op()
def DequantizeLinear(
    b: Emitter, x: Value, scale: Value, zero_point: Value | None = None, *, axis=1, block_size=0, output_dtype=0
) -> Value:
    """(x - zero_point) * scale."""
    dtype = dtype_of(output_dtype) if output_dtype else scale.dtype
    scale = _spread(b, scale, x, axis, block_size)
    zero = None if zero_point is None else _spread(b, zero_point, x, axis, block_size)
    y = b.cast(x, scale.dtype)
    y = y if zero is None else b(ops.Sub(y, b.cast(zero, scale.dtype)))
    return b.cast(b(ops.Mul(y, scale)), dtype)


@onnx_op()
def QuantizeLinear(
    b: Emitter, x: Value, scale: Value, zero_point: Value | None = None, *,
    axis=1, block_size=0, output_dtype=0, precision=0, saturate=1,
) -> Value:  # fmt: skip
    """round(x / scale) + zero_point, within the range of the integer type."""
    dtype = zero_point.dtype if zero_point is not None else dtype_of(output_dtype) if output_dtype else DType.u8
    if not dtype.is_integer and dtype not in HELD:
        raise Refusal(f"quantises to {dtype}")
    scale = _spread(b, scale, x, axis, block_size)
    zero = None if zero_point is None else _spread(b, zero_point, x, axis, block_size)
    y = b(ops.Div(b.cast(x, scale.dtype), scale))
    if dtype.is_float:
        return to_small_float(b, y, dtype, bool(saturate))
    y = b(ops.Round(y))
    y = y if zero is None else b(ops.Add(y, b.cast(zero, scale.dtype)))
    low, high = limits(dtype)
    return b.cast(b(ops.Clamp(y, float(low), float(high))), dtype)


def limits(dtype: DType) -> tuple[int, int]:
    """The smallest and the largest integer of a dtype."""
    bits = int(dtype.bytes * 8)
    return (0, 2**bits - 1) if dtype.kind == "uint" else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


def _spread(b: Emitter, item: Value, x: Value, axis: int, block: int) -> Value:
    """A scale or zero point in a shape that broadcasts to x."""
    if item.type.numel == 1:
        return b.reshape(item, ())
    axis = axis_of(axis, x.type.rank)
    if not block:
        return b.reshape(item, tuple(size if i == axis else 1 for i, size in enumerate(x.shape)))
    wide = (*item.shape[: axis + 1], block, *item.shape[axis + 1 :])
    y = b.expand(b.reshape(item, (*item.shape[: axis + 1], 1, *item.shape[axis + 1 :])), wide)
    y = b.reshape(y, (*item.shape[:axis], math.prod(wide[axis : axis + 2]), *item.shape[axis + 1 :]))
    return b.slice(y, axis, 0, x.shape[axis])
