"""ONNX products of integers: exact in float32, in which a card multiplies matrices."""

from __future__ import annotations

import math

from ttc import ops
from ttc.errors import Refusal
from ttc.frontend.onnx.conv import Conv
from ttc.frontend.onnx.emitter import Emitter
from ttc.frontend.onnx.matmul import matmul
from ttc.frontend.onnx.quantize import limits
from ttc.frontend.onnx.table import onnx_op
from ttc.ir import DType, Value

EXACT = 1 << 24
"""Integers up to this are exact in float32."""


def _centred(b: Emitter, x: Value, zero: Value | None) -> Value:
    """x less its zero point, as floats: of a byte and its zero point at most 255."""
    if x.dtype.bytes != 1:
        raise Refusal(f"multiplies {x.dtype}, where bytes are exact")
    x = b.cast(x, DType.f32)
    return x if zero is None else b(ops.Sub(x, b.cast(zero, DType.f32)))


def _column(b: Emitter, zero: Value | None) -> Value | None:
    """A left operand's zero point, one number or one for each row."""
    return b.reshape(zero, (*zero.shape, 1)) if zero is not None and zero.type.rank == 1 and zero.shape[0] > 1 else zero


def _product(b: Emitter, x: Value, y: Value) -> Value:
    """The i32 product of centred bytes, a part of the inner dimension at a time that float32 sums exactly."""
    size, chunk = x.shape[-1], EXACT // 255**2
    total = None
    for start in range(0, size, chunk):
        end = min(start + chunk, size)
        left = b.slice(x, x.type.rank - 1, start, end)
        right = b.slice(y, max(y.type.rank - 2, 0), start, end)
        part = b.cast(matmul(b, left, right), DType.i32)
        total = part if total is None else b(ops.Add(total, part))
    assert total is not None
    return total


@onnx_op()
def MatMulInteger(b: Emitter, x: Value, y: Value, x_zero: Value | None = None, y_zero: Value | None = None) -> Value:
    return _product(b, _centred(b, x, _column(b, x_zero)), _centred(b, y, y_zero))


@onnx_op()
def QLinearMatMul(
    b: Emitter, x: Value, x_scale: Value, x_zero: Value, y: Value, y_scale: Value, y_zero: Value,
    scale: Value, zero: Value,
) -> Value:  # fmt: skip
    total = _product(b, _centred(b, x, _column(b, x_zero)), _centred(b, y, y_zero))
    return _requantised(b, total, _column(b, x_scale) or x_scale, y_scale, scale, zero)


def _requantised(b: Emitter, total: Value, x_scale: Value, y_scale: Value, scale: Value, zero: Value) -> Value:
    """round(total * x_scale * y_scale / scale) + zero, within the range of the zero point's dtype."""
    x_scale, y_scale, scale = (b.cast(item, DType.f32) for item in (x_scale, y_scale, scale))
    factor = b(ops.Div(b(ops.Mul(x_scale, y_scale)), scale))
    factor = b.reshape(factor, ()) if factor.type.numel == 1 else factor
    y = b(ops.Round(b(ops.Mul(b.cast(total, DType.f32), factor))))
    y = b(ops.Add(y, b.cast(b.reshape(zero, ()) if zero.type.numel == 1 else zero, DType.f32)))
    low, high = limits(zero.dtype)
    return b.cast(b(ops.Clamp(y, float(low), float(high))), zero.dtype)


def _convolved(b: Emitter, x: Value, w: Value, x_zero: Value | None, w_zero: Value | None, options: dict) -> Value:
    """The i32 convolution of centred bytes."""
    if math.prod(w.shape[1:]) * 255**2 > EXACT:
        raise Refusal(f"sums {math.prod(w.shape[1:])} products of bytes, which float32 does not hold exactly")
    if w_zero is not None and w_zero.type.numel > 1:
        w_zero = b.reshape(w_zero, (w_zero.type.numel, *[1] * (w.type.rank - 1)))
    y = Conv(b, _centred(b, x, _single(b, x_zero)), _centred(b, w, _single(b, w_zero)), **options)
    return b.cast(y, DType.i32)


def _single(b: Emitter, zero: Value | None) -> Value | None:
    return b.reshape(zero, ()) if zero is not None and zero.type.numel == 1 else zero


@onnx_op()
def ConvInteger(
    b: Emitter, x: Value, w: Value, x_zero: Value | None = None, w_zero: Value | None = None, *,
    auto_pad="NOTSET", dilations=None, group=1, kernel_shape=None, pads=None, strides=None,
) -> Value:  # fmt: skip
    options = {"dilations": dilations, "kernel_shape": kernel_shape, "pads": pads, "strides": strides}
    return _convolved(b, x, w, x_zero, w_zero, {**options, "auto_pad": auto_pad, "group": group})


@onnx_op()
def QLinearConv(
    b: Emitter, x: Value, x_scale: Value, x_zero: Value, w: Value, w_scale: Value, w_zero: Value, scale: Value,
    zero: Value, bias: Value | None = None, *,
    auto_pad="NOTSET", dilations=None, group=1, kernel_shape=None, pads=None, strides=None,
) -> Value:  # fmt: skip
    options = {"dilations": dilations, "kernel_shape": kernel_shape, "pads": pads, "strides": strides}
    total = _convolved(b, x, w, x_zero, w_zero, {**options, "auto_pad": auto_pad, "group": group})
    channels = (-1, *[1] * (w.type.rank - 2))
    if bias is not None:
        total = b(ops.Add(total, b.reshape(bias, (bias.type.numel, *channels[1:]))))
    if w_scale.type.numel > 1:
        w_scale = b.reshape(w_scale, (w_scale.type.numel, *channels[1:]))
    return _requantised(b, total, x_scale, w_scale, scale, zero)
