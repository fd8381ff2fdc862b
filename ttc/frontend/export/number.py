"""Readings of elementwise aten ops on the parts of a number: its sign, its size, its bits, its place among others."""

from __future__ import annotations

import math

from ttc import ops
from ttc.errors import Refusal
from ttc.frontend.export import compose
from ttc.frontend.export.compose import result_as
from ttc.frontend.export.table import ExportBuilder, Number, aten, cast, full, together
from ttc.guard.budget import check_table
from ttc.ir import DType, Value


@aten("hypot")
def hypot(b: ExportBuilder, x: Value, other: Value) -> Value:
    """sqrt(x^2 + y^2) as large * sqrt(1 + (small / large)^2), whose squares stay in range; infinite if either is."""
    x, y = (b(ops.Abs(result_as(b, operand))) for operand in (x, other))
    zero, one, infinite = (full(b, (), number, x.dtype) for number in (0, 1, math.inf))
    large, small = b(ops.Maximum(x, y)), b(ops.Minimum(x, y))
    ratio = b(ops.Div(small, b(ops.Where(b(ops.Eq(large, zero)), one, large))))
    size = b(ops.Mul(large, b(ops.Sqrt(b(ops.Add(one, b(ops.Mul(ratio, ratio))))))))
    unbounded = b(ops.Or(b(ops.Eq(x, infinite)), b(ops.Eq(y, infinite))))
    return b(ops.Where(unbounded, infinite, size))


@aten("copysign")
def copysign(b: ExportBuilder, x: Value, other: Value | Number) -> Value:
    size = b(ops.Abs(result_as(b, x)))
    return b(ops.Where(_is_negative(b, result_as(b, other)), b(ops.Neg(size)), size))


@aten("ldexp")
def ldexp(b: ExportBuilder, x: Value, other: Value) -> Value:
    """x * 2^y."""
    return b(ops.Mul(result_as(b, x), b(ops.Pow(result_as(b, 2.0), result_as(b, other)))))


@aten("signbit")
def signbit(b: ExportBuilder, x: Value) -> Value:
    return _is_negative(b, cast(b, x, DType.i32) if x.dtype is DType.bool else x)


def _is_negative(b: ExportBuilder, x: Value) -> Value:
    """Whether a number has a minus; so has -0.0, whose reciprocal is -inf."""
    zero = cast(b, 0, x.dtype)
    below = b(ops.Lt(x, zero))
    return b(ops.Or(below, b(ops.Lt(b(ops.Reciprocal(x)), zero)))) if x.dtype.is_float else below


@aten("bitwise_left_shift", "__lshift__")
def left_shift(b: ExportBuilder, x: Value | Number, other: Value | Number) -> Value:
    return b(ops.ShiftLeft(result_as(b, x), result_as(b, other)))


@aten("bitwise_right_shift", "__rshift__")
def right_shift(b: ExportBuilder, x: Value | Number, other: Value | Number) -> Value:
    return b(ops.ShiftRight(result_as(b, x), result_as(b, other)))


@aten("bucketize")
def bucketize(
    b: ExportBuilder, x: Value | Number, boundaries: Value, out_int32: bool = False, right: bool = False
) -> Value:
    return searchsorted(b, boundaries, x, out_int32, right)


@aten("searchsorted")
def searchsorted(
    b: ExportBuilder,
    sorted_sequence: Value,
    x: Value | Number,
    out_int32: bool = False,
    right: bool = False,
    side: str | None = None,
    sorter: Value | None = None,
) -> Value:
    """How many elements of an ascending sequence [.., n] lie before each of x [.., m]; NaN comes after all."""
    if sorter is not None:
        raise Refusal("a sequence that is sorted by a sorter is not supported: sort it first")
    edges, x = together(b, sorted_sequence, x)
    check_table(x.type.numel, edges.shape[-1])
    wide = compose.unsqueeze(b, x, -1)
    edges = edges if edges.type.rank == 1 else compose.unsqueeze(b, edges, -2)
    beyond = b((ops.Gt if right or side == "right" else ops.Ge)(edges, wide))
    before = cast(b, b(ops.Not(beyond)), b.result.dtype)
    return b(ops.Sum(before, (before.type.rank - 1,)))


@aten("fake_quantize_per_tensor_affine_cachemask", "_fake_quantize_per_tensor_affine_cachemask_tensor_qparams")
def fake_quantize(
    b: ExportBuilder, x: Value, scale: Value | Number, zero_point: Value | Number, *limits: Value | int
) -> tuple[Value]:
    """round(x / scale) within limits, times scale; a switch comes before the limits where all are tensors."""
    y = _requantized(b, x, cast(b, scale, x.dtype), cast(b, zero_point, x.dtype), *limits[-2:])
    switch = limits[0] if len(limits) == 3 else None
    return (y if not isinstance(switch, Value) else b(ops.Where(cast(b, switch, DType.bool), y, x)),)


@aten("fake_quantize_per_channel_affine_cachemask")
def fake_quantize_channels(
    b: ExportBuilder, x: Value, scale: Value, zero_point: Value, axis: int, quant_min: int, quant_max: int
) -> tuple[Value]:
    shape = [-1 if i == compose.axis(x, axis) else 1 for i in range(x.type.rank)]
    factors = (cast(b, compose.reshape(b, item, shape), x.dtype) for item in (scale, zero_point))
    return (_requantized(b, x, *factors, quant_min, quant_max),)


def _requantized(b: ExportBuilder, x: Value, scale: Value, zero: Value, *limits: Value | int) -> Value:
    """(clamp(round(x / scale) + zero) - zero) * scale; torch multiplies by the reciprocal, which decides ties."""
    low, high = (float(limit) for limit in limits)  # type: ignore[arg-type] (aten takes integers here)
    inverse = b(ops.Reciprocal(scale))
    level = b(ops.Add(b(ops.Round(b(ops.Mul(x, inverse)))), zero))
    return b(ops.Mul(b(ops.Sub(b(ops.Clamp(level, low, high)), zero)), scale))
