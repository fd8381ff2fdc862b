"""Operators of onnxruntime's quantiser: on bytes with a scale and a zero point each, and on packed weights."""

from __future__ import annotations

from collections.abc import Sequence

from ttc import ops
from ttc.errors import Refusal
from ttc.frontend.onnx.conv import AveragePool
from ttc.frontend.onnx.elementwise import scaled
from ttc.frontend.onnx.emitter import Emitter
from ttc.frontend.onnx.integer import centred, column, product, requantised
from ttc.frontend.onnx.matmul import matmul, swapped
from ttc.frontend.onnx.quantize import DequantizeLinear, QuantizeLinear
from ttc.frontend.onnx.shape import axis_of
from ttc.frontend.onnx.table import MICROSOFT, Ints, onnx_op
from ttc.ir import DType
from ttc.ops.expr import Expr, apply, concat, maximum, minimum, sigmoid, where


@onnx_op(domain=MICROSOFT)
def QLinearAdd(
    b: Emitter, x: Expr, x_scale: Expr, x_zero: Expr | None, y: Expr, y_scale: Expr, y_zero: Expr | None,
    scale: Expr, zero: Expr | None = None,
) -> Expr:  # fmt: skip
    total = DequantizeLinear(b, x, x_scale, x_zero) + DequantizeLinear(b, y, y_scale, y_zero)
    return _quantised(b, total, scale, zero, x.dtype)


@onnx_op(domain=MICROSOFT)
def QLinearMul(
    b: Emitter, x: Expr, x_scale: Expr, x_zero: Expr | None, y: Expr, y_scale: Expr, y_zero: Expr | None,
    scale: Expr, zero: Expr | None = None,
) -> Expr:  # fmt: skip
    made = DequantizeLinear(b, x, x_scale, x_zero) * DequantizeLinear(b, y, y_scale, y_zero)
    return _quantised(b, made, scale, zero, x.dtype)


@onnx_op(domain=MICROSOFT)
def QLinearWhere(
    b: Emitter, condition: Expr, x: Expr, x_scale: Expr, x_zero: Expr, y: Expr, y_scale: Expr, y_zero: Expr,
    scale: Expr, zero: Expr,
) -> Expr:  # fmt: skip
    """Choose from bytes that are brought to the result's scale first."""
    x, y = (_rescaled(b, given, scale, zero) for given in ((x, x_scale, x_zero), (y, y_scale, y_zero)))
    return where(condition, x, y)


@onnx_op(domain=MICROSOFT)
def QLinearSigmoid(
    b: Emitter, x: Expr, x_scale: Expr, x_zero: Expr | None, scale: Expr, zero: Expr | None = None
) -> Expr:
    return _quantised(b, sigmoid(DequantizeLinear(b, x, x_scale, x_zero)), scale, zero, x.dtype)


@onnx_op(domain=MICROSOFT)
def QLinearLeakyRelu(
    b: Emitter, x: Expr, x_scale: Expr, x_zero: Expr | None, scale: Expr, zero: Expr | None = None, *, alpha=0.01
) -> Expr:
    made = apply(ops.LeakyRelu, DequantizeLinear(b, x, x_scale, x_zero), alpha)
    return _quantised(b, made, scale, zero, x.dtype)


@onnx_op(domain=MICROSOFT)
def QLinearSoftmax(
    b: Emitter, x: Expr, x_scale: Expr, x_zero: Expr | None, scale: Expr, zero: Expr, *, axis=-1, opset=13
) -> Expr:
    if opset < 13:
        raise Refusal(f"is the softmax of opset {opset}: that of opset 13 is read")
    made = apply(ops.Softmax, DequantizeLinear(b, x, x_scale, x_zero), axis_of(axis, x.rank))
    return _quantised(b, made, scale, zero, x.dtype)


@onnx_op(domain=MICROSOFT)
def QLinearConcat(b: Emitter, scale: Expr, zero: Expr, *parts: Expr, axis: int) -> Expr:
    """Join bytes, each with a scale and a zero point behind."""
    if not parts or len(parts) % 3:
        raise Refusal(f"needs a scale and a zero point for each part, got {len(parts)} inputs")
    triples = (parts[i : i + 3] for i in range(0, len(parts), 3))
    return concat([_rescaled(b, triple, scale, zero) for triple in triples], axis_of(axis, parts[0].rank))


def _rescaled(b: Emitter, given: Sequence[Expr], scale: Expr, zero: Expr) -> Expr:
    """Bring bytes, given with a scale and a zero point, to others."""
    return QuantizeLinear(b, DequantizeLinear(b, *given), scale, zero)


@onnx_op(domain=MICROSOFT)
def QLinearGlobalAveragePool(
    b: Emitter, x: Expr, x_scale: Expr, x_zero: Expr, scale: Expr, zero: Expr, *, channels_last=0
) -> Expr:
    dims = tuple(range(1, x.rank - 1)) if channels_last else tuple(range(2, x.rank))
    return _quantised(b, DequantizeLinear(b, x, x_scale, x_zero).mean(dims, True), scale, zero, x.dtype)


@onnx_op(domain=MICROSOFT)
def QLinearAveragePool(
    b: Emitter, x: Expr, x_scale: Expr, x_zero: Expr | None, scale: Expr, zero: Expr | None = None, *,
    kernel_shape: Ints, auto_pad="NOTSET", ceil_mode=0, channels_last=0, count_include_pad=0,
    pads: Ints | None = None, strides: Ints | None = None,
) -> Expr:  # fmt: skip
    y, last = DequantizeLinear(b, x, x_scale, x_zero), x.rank - 1
    y = y.permute(0, last, *range(1, last)) if channels_last else y
    y = AveragePool(
        b, y, kernel_shape=kernel_shape, auto_pad=auto_pad, ceil_mode=ceil_mode, count_include_pad=count_include_pad,
        pads=pads, strides=strides,
    )  # fmt: skip
    y = y.permute(0, *range(2, x.rank), 1) if channels_last else y
    return _quantised(b, y, scale, zero, x.dtype)


def _quantised(b: Emitter, y: Expr, scale: Expr, zero: Expr | None, dtype: DType) -> Expr:
    return QuantizeLinear(b, y, scale, b.full(0, dtype) if zero is None else zero)


@onnx_op(domain=MICROSOFT)
def QGemm(
    b: Emitter, x: Expr, x_scale: Expr, x_zero: Expr, w: Expr, w_scale: Expr, w_zero: Expr, c: Expr | None = None,
    scale: Expr | None = None, zero: Expr | None = None, *, alpha=1.0, transA=0, transB=0,
) -> Expr:  # fmt: skip
    """Compute alpha * (x @ w + c) of bytes and i32, as bytes if a scale is given, else as floats."""
    left, right = centred(x, x_zero), centred(w, _along(w_zero, transB))
    total = product(swapped(left) if transA else left, swapped(right) if transB else right)
    total = total if c is None else total + c
    x_scale = scaled(x_scale, alpha)
    if scale is None or zero is None:
        return total.cast(DType.f32) * (x_scale * w_scale)
    return requantised(total, x_scale, w_scale, scale, zero)


def _along(zero: Expr, transposed: int) -> Expr:
    """Reshape the zero points of columns where these are rows."""
    return column(zero) if transposed else zero


@onnx_op(domain=MICROSOFT)
def MatMulIntegerToFloat(
    b: Emitter, x: Expr, w: Expr, x_scale: Expr, w_scale: Expr, x_zero: Expr | None = None, w_zero: Expr | None = None,
    bias: Expr | None = None,
) -> Expr:  # fmt: skip
    y = product(centred(x, x_zero), centred(w, w_zero)).cast(DType.f32) * (column(x_scale) * w_scale)
    return y if bias is None else y + bias


@onnx_op(domain=MICROSOFT)
def DynamicQuantizeMatMul(
    b: Emitter, x: Expr, w: Expr, w_scale: Expr, w_zero: Expr | None = None, bias: Expr | None = None
) -> Expr:
    """Multiply x, as bytes by its own range, by weights of bytes."""
    dims = tuple(range(x.rank))
    low, high = minimum(x.min(dims), 0.0), maximum(x.max(dims), 0.0)
    scale = (high - low) / 255.0
    scale = where(scale == 0.0, 1.0, scale)
    zero = round((-low / scale).clamp(0.0, 255.0)).cast(DType.u8)
    return MatMulIntegerToFloat(b, QuantizeLinear(b, x, scale, zero), w, scale, w_scale, zero, w_zero, bias)


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
