"""Readings of elementwise aten ops on the parts of a number: the sign, the size, the bits, the place among others."""

from __future__ import annotations

import math

from ttc import ops
from ttc.errors import Refusal
from ttc.frontend.export import compose
from ttc.frontend.export.compose import result_as
from ttc.frontend.export.table import ExportBuilder, Number, aten, cast, together
from ttc.guard.budget import check_table
from ttc.ir import DType
from ttc.ops.expr import Expr, apply, maximum, minimum, reciprocal, sqrt, where


@aten("hypot")
def hypot(b: ExportBuilder, x: Expr, other: Expr) -> Expr:
    """Compute sqrt(x^2 + y^2) as large * sqrt(1 + (small / large)^2), whose squares stay in range; inf if either is."""
    x, y = (abs(result_as(b, operand)) for operand in (x, other))
    zero, one, infinite = (x.number(number) for number in (0, 1, math.inf))
    large, small = maximum(x, y), minimum(x, y)
    ratio = small / where(large == zero, one, large)
    size = large * sqrt(one + ratio * ratio)
    return where((x == infinite) | (y == infinite), infinite, size)


@aten("copysign")
def copysign(b: ExportBuilder, x: Expr, other: Expr | Number) -> Expr:
    size = abs(result_as(b, x))
    return where(_is_negative(result_as(b, other)), -size, size)


@aten("ldexp")
def ldexp(b: ExportBuilder, x: Expr, other: Expr) -> Expr:
    """Compute x * 2^y."""
    return result_as(b, x) * result_as(b, 2.0) ** result_as(b, other)


@aten("signbit")
def signbit(b: ExportBuilder, x: Expr) -> Expr:
    return _is_negative(x.cast(DType.i32) if x.dtype is DType.bool else x)


def _is_negative(x: Expr) -> Expr:
    """Return whether a number has a minus; so has -0.0, whose reciprocal is -inf."""
    below = x < 0
    return below | (reciprocal(x) < 0) if x.dtype.is_float else below


@aten("bitwise_left_shift", "__lshift__")
def left_shift(b: ExportBuilder, x: Expr | Number, other: Expr | Number) -> Expr:
    return result_as(b, x) << result_as(b, other)


@aten("bitwise_right_shift", "__rshift__")
def right_shift(b: ExportBuilder, x: Expr | Number, other: Expr | Number) -> Expr:
    return result_as(b, x) >> result_as(b, other)


@aten("bucketize")
def bucketize(
    b: ExportBuilder, x: Expr | Number, boundaries: Expr, out_int32: bool = False, right: bool = False
) -> Expr:
    return searchsorted(b, boundaries, x, out_int32, right)


@aten("searchsorted")
def searchsorted(
    b: ExportBuilder,
    sorted_sequence: Expr,
    x: Expr | Number,
    out_int32: bool = False,
    right: bool = False,
    side: str | None = None,
    sorter: Expr | None = None,
) -> Expr:
    """Count the elements of an ascending sequence [.., n] that lie before each of x [.., m]; NaN comes after all."""
    if sorter is not None:
        raise Refusal("a sequence that is sorted by a sorter is not supported: sort it first")
    edges, x = together(b, sorted_sequence, x)
    check_table(x.type.numel, edges.shape[-1])
    wide = compose.unsqueeze(x, -1)
    edges = edges if edges.rank == 1 else compose.unsqueeze(edges, -2)
    beyond = apply(ops.Gt if right or side == "right" else ops.Ge, edges, wide)
    before = (~beyond).cast(b.result.dtype)
    return before.sum((before.rank - 1,))


@aten("fake_quantize_per_tensor_affine_cachemask", "_fake_quantize_per_tensor_affine_cachemask_tensor_qparams")
def fake_quantize(
    b: ExportBuilder, x: Expr, scale: Expr | Number, zero_point: Expr | Number, *limits: Expr | int
) -> tuple[Expr]:
    """Compute round(x / scale) within limits, times scale; a switch precedes the limits where all are tensors."""
    y = _requantized(x, cast(b, scale, x.dtype), cast(b, zero_point, x.dtype), *limits[-2:])
    switch = limits[0] if len(limits) == 3 else None
    return (y if not isinstance(switch, Expr) else where(switch.cast(DType.bool), y, x),)


@aten("fake_quantize_per_channel_affine_cachemask")
def fake_quantize_channels(
    b: ExportBuilder, x: Expr, scale: Expr, zero_point: Expr, axis: int, quant_min: int, quant_max: int
) -> tuple[Expr]:
    shape = [-1 if i == compose.axis(x, axis) else 1 for i in range(x.rank)]
    factors = (item.view(*shape).cast(x.dtype) for item in (scale, zero_point))
    return (_requantized(x, *factors, quant_min, quant_max),)


def _requantized(x: Expr, scale: Expr, zero: Expr, *limits: Expr | int) -> Expr:
    """Compute (clamp(round(x / scale) + zero) - zero) * scale; as in torch, a product with 1 / scale decides ties."""
    low, high = (float(limit) for limit in limits)  # type: ignore[arg-type] (aten takes integers here)
    inverse = reciprocal(scale)
    level = round(x * inverse) + zero
    return (level.clamp(low, high) - zero) * scale
