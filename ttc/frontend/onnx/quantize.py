"""ONNX quantisation to and from integers, per tensor, per axis or per block."""

from __future__ import annotations

import math

from ttc.errors import Refusal
from ttc.frontend.onnx.emitter import Emitter
from ttc.frontend.onnx.shape import axis_of
from ttc.frontend.onnx.small_floats import to_small_float
from ttc.frontend.onnx.table import MICROSOFT, onnx_op
from ttc.frontend.onnx.tensors import dtype_of
from ttc.ir import DType
from ttc.ops.expr import Expr
from ttc.ops.torch_types import HELD


@onnx_op(domain=MICROSOFT)
@onnx_op()
def DequantizeLinear(
    b: Emitter, x: Expr, scale: Expr, zero_point: Expr | None = None, *, axis=1, block_size=0, output_dtype=0
) -> Expr:
    """Compute (x - zero_point) * scale."""
    dtype = dtype_of(output_dtype) if output_dtype else scale.dtype
    scale = _spread(scale, x, axis, block_size)
    zero = None if zero_point is None else _spread(zero_point, x, axis, block_size)
    y = x.cast(scale.dtype)
    y = y if zero is None else y - zero.cast(scale.dtype)
    return (y * scale).cast(dtype)


@onnx_op(domain=MICROSOFT)
@onnx_op()
def QuantizeLinear(
    b: Emitter, x: Expr, scale: Expr, zero_point: Expr | None = None, *,
    axis=1, block_size=0, output_dtype=0, precision=0, saturate=1,
) -> Expr:  # fmt: skip
    """Compute round(x / scale) + zero_point, within the range of the integer type."""
    dtype = zero_point.dtype if zero_point is not None else dtype_of(output_dtype) if output_dtype else DType.u8
    if not dtype.is_integer and dtype not in HELD:
        raise Refusal(f"quantises to {dtype}")
    scale = _spread(scale, x, axis, block_size)
    zero = None if zero_point is None else _spread(zero_point, x, axis, block_size)
    y = x.cast(scale.dtype) / scale
    if dtype.is_float:
        return to_small_float(y, dtype, bool(saturate))
    y = round(y)
    y = y if zero is None else y + zero.cast(scale.dtype)
    low, high = limits(dtype)
    return y.clamp(float(low), float(high)).cast(dtype)


def limits(dtype: DType) -> tuple[int, int]:
    """Return the smallest and the largest integer of a dtype."""
    bits = int(dtype.bytes * 8)
    return (0, 2**bits - 1) if dtype.kind == "uint" else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


def _spread(item: Expr, x: Expr, axis: int, block: int) -> Expr:
    """Reshape a scale or zero point to broadcast to x."""
    if item.type.numel == 1:
        return item.reshape()
    axis = axis_of(axis, x.rank)
    if not block:
        return item.reshape(*(size if i == axis else 1 for i, size in enumerate(x.shape)))
    wide = (*item.shape[: axis + 1], block, *item.shape[axis + 1 :])
    y = item.reshape(*item.shape[: axis + 1], 1, *item.shape[axis + 1 :]).expand(*wide)
    y = y.reshape(*item.shape[:axis], math.prod(wide[axis : axis + 2]), *item.shape[axis + 1 :])
    return y.part(axis, 0, x.shape[axis])
