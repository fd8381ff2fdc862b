"""ONNX quantisation to and from integers, per tensor, per axis or per block."""

from __future__ import annotations

import math

from ttc.errors import Refusal
from ttc.frontend.onnx.emitter import Emitter
from ttc.frontend.onnx.matmul import matmul, swapped
from ttc.frontend.onnx.shape import axis_of
from ttc.frontend.onnx.small_floats import to_small_float
from ttc.frontend.onnx.table import MICROSOFT, onnx_op
from ttc.frontend.onnx.tensors import dtype_of
from ttc.ir import DType
from ttc.ops.expr import Expr, concat
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


@onnx_op(domain=MICROSOFT)
def MatMulNBits(
    b: Emitter, x: Expr, packed: Expr, scales: Expr, zero_points: Expr | None = None, g_idx: Expr | None = None,
    bias: Expr | None = None, *, K: int, N: int, block_size: int, bits=4, accuracy_level=0,
) -> Expr:  # fmt: skip
    """Multiply x [.., K] by the rows of a matrix [N, K]: by (q - zero_point) * scale, with one of each for a block.

    `packed` [N, blocks, block_size * bits / 8] has several numbers in a byte, the first in the lowest bits, and so have
    zero points of uint8; without any they are the middle of the range. x is as accurate as is asked for, or more.
    """
    if g_idx is not None:
        raise Refusal("its g_idx input is not supported: quantise rows in their own order")
    if bits not in (2, 4, 8):
        raise Refusal(f"numbers of {bits} bits are not supported: there are 2, 4 and 8")
    if min(K, N, block_size) < 1:
        raise Refusal(f"a matrix [{N}, {K}] in blocks of {block_size} numbers has nothing to multiply by")
    blocks = -(-K // block_size)
    numbers = _unpacked(packed, bits).reshape(N, blocks, block_size).cast(scales.dtype)
    if zero_points is None:
        zero = numbers.number(1 << (bits - 1))
    elif zero_points.dtype is DType.u8:
        rows = _unpacked(zero_points.reshape(N, -(-blocks * bits // 8)), bits)
        zero = rows.part(1, 0, blocks).reshape(N, blocks, 1).cast(scales.dtype)
    else:
        zero = zero_points.reshape(N, blocks, 1)
    matrix = ((numbers - zero) * scales.reshape(N, blocks, 1)).reshape(N, blocks * block_size).part(1, 0, K)
    y = matmul(x, swapped(matrix.cast(x.dtype)))
    return y if bias is None else y + bias


def _unpacked(packed: Expr, bits: int) -> Expr:
    """Return the numbers of so many bits in each byte, the lowest first: [.., n] -> [.., n * 8 / bits]."""
    wide = packed.cast(DType.i32).reshape(*packed.shape, 1)
    parts = [(wide >> shift) & ((1 << bits) - 1) for shift in range(0, 8, bits)]
    return concat(parts, packed.rank).reshape(*packed.shape[:-1], packed.shape[-1] * len(parts))


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
