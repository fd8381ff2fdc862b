"""ONNX products of integers: exact in float32, in which a card multiplies matrices."""

from __future__ import annotations

import math

from ttc.errors import Refusal
from ttc.frontend.onnx.conv import Conv
from ttc.frontend.onnx.emitter import Emitter
from ttc.frontend.onnx.matmul import matmul
from ttc.frontend.onnx.quantize import limits
from ttc.frontend.onnx.table import onnx_op
from ttc.ir import DType
from ttc.ops.expr import Expr

EXACT = 1 << 24
"""The largest integer up to which all are exact in float32."""


def centred(x: Expr, zero: Expr | None) -> Expr:
    """Compute x less its zero point, as floats: of a byte and its zero point at most 255."""
    if x.dtype.bytes != 1:
        raise Refusal(f"multiplies {x.dtype}, where bytes are exact")
    x = x.cast(DType.f32)
    return x if zero is None else x - zero.cast(DType.f32)


def column(item: Expr) -> Expr:
    """Reshape a left operand's scale or zero point, one number or one for each row."""
    return item.reshape(*item.shape, 1) if item.rank == 1 and item.shape[0] > 1 else item


def product(x: Expr, y: Expr) -> Expr:
    """Compute the i32 product of centred bytes, a part of the inner dimension at a time that float32 sums exactly."""
    size, chunk = x.shape[-1], EXACT // 255**2
    total = None
    for start in range(0, size, chunk):
        end = min(start + chunk, size)
        left = x.part(x.rank - 1, start, end)
        right = y.part(max(y.rank - 2, 0), start, end)
        part = matmul(left, right).cast(DType.i32)
        total = part if total is None else total + part
    assert total is not None
    return total


@onnx_op()
def MatMulInteger(b: Emitter, x: Expr, y: Expr, x_zero: Expr | None = None, y_zero: Expr | None = None) -> Expr:
    return product(centred(x, None if x_zero is None else column(x_zero)), centred(y, y_zero))


@onnx_op()
def QLinearMatMul(
    b: Emitter, x: Expr, x_scale: Expr, x_zero: Expr, y: Expr, y_scale: Expr, y_zero: Expr,
    scale: Expr, zero: Expr,
) -> Expr:  # fmt: skip
    total = product(centred(x, column(x_zero)), centred(y, y_zero))
    return requantised(total, column(x_scale), y_scale, scale, zero)


def requantised(total: Expr, x_scale: Expr, y_scale: Expr, scale: Expr, zero: Expr) -> Expr:
    """Compute round(total * x_scale * y_scale / scale) + zero, within the range of the zero point's dtype."""
    x_scale, y_scale, scale = (item.cast(DType.f32) for item in (x_scale, y_scale, scale))
    factor = x_scale * y_scale / scale
    factor = factor.reshape() if factor.type.numel == 1 else factor
    y = round(total.cast(DType.f32) * factor)
    y = y + (zero.reshape() if zero.type.numel == 1 else zero).cast(DType.f32)
    low, high = limits(zero.dtype)
    return y.clamp(float(low), float(high)).cast(zero.dtype)


def _convolved(b: Emitter, x: Expr, w: Expr, x_zero: Expr | None, w_zero: Expr | None, options: dict) -> Expr:
    """Compute the i32 convolution of centred bytes."""
    if math.prod(w.shape[1:]) * 255**2 > EXACT:
        raise Refusal(f"sums {math.prod(w.shape[1:])} products of bytes, which float32 does not hold exactly")
    if w_zero is not None and w_zero.type.numel > 1:
        w_zero = w_zero.reshape(w_zero.type.numel, *[1] * (w.rank - 1))
    y = Conv(b, centred(x, _single(x_zero)), centred(w, _single(w_zero)), **options)
    return y.cast(DType.i32)


def _single(zero: Expr | None) -> Expr | None:
    return zero.reshape() if zero is not None and zero.type.numel == 1 else zero


@onnx_op()
def ConvInteger(
    b: Emitter, x: Expr, w: Expr, x_zero: Expr | None = None, w_zero: Expr | None = None, *,
    auto_pad="NOTSET", dilations=None, group=1, kernel_shape=None, pads=None, strides=None,
) -> Expr:  # fmt: skip
    options = {"dilations": dilations, "kernel_shape": kernel_shape, "pads": pads, "strides": strides}
    return _convolved(b, x, w, x_zero, w_zero, {**options, "auto_pad": auto_pad, "group": group})


@onnx_op()
def QLinearConv(
    b: Emitter, x: Expr, x_scale: Expr, x_zero: Expr, w: Expr, w_scale: Expr, w_zero: Expr, scale: Expr,
    zero: Expr, bias: Expr | None = None, *,
    auto_pad="NOTSET", dilations=None, group=1, kernel_shape=None, pads=None, strides=None,
) -> Expr:  # fmt: skip
    options = {"dilations": dilations, "kernel_shape": kernel_shape, "pads": pads, "strides": strides}
    total = _convolved(b, x, w, x_zero, w_zero, {**options, "auto_pad": auto_pad, "group": group})
    channels = (-1, *[1] * (w.rank - 2))
    if bias is not None:
        total = total + bias.reshape(bias.type.numel, *channels[1:])
    if w_scale.type.numel > 1:
        w_scale = w_scale.reshape(w_scale.type.numel, *channels[1:])
    return requantised(total, x_scale, w_scale, scale, zero)
