"""Readings of aten ops that choose an element by its rank, and of the largest of every prefix."""

from __future__ import annotations

import math

import torch

from ttc import ops
from ttc.frontend.export import compose
from ttc.frontend.export.compose import axis
from ttc.frontend.export.table import ExportBuilder, aten, cast, full
from ttc.frontend.scan import Values, scan
from ttc.ir import DType, Op, Value


@aten("kthvalue")
def kthvalue(b: ExportBuilder, x: Value, k: int, dim: int = -1, keepdim: bool = False) -> tuple[Value, Value]:
    """The k-th smallest element of each line, and where it lies."""
    if not x.type.rank:
        return x, full(b, (), 0, DType.i64)
    at = axis(x, dim)
    values, places = b(ops.Topk(x, k, at, largest=False))
    value, place = (compose.part(b, found, at, k - 1, k) for found in (values, places))
    shape = x.shape[:at] + (1,) * keepdim + x.shape[at + 1 :]
    return compose.reshape(b, value, shape), compose.reshape(b, place, shape)


@aten("median.dim")
def median(b: ExportBuilder, x: Value, dim: int = -1, keepdim: bool = False) -> tuple[Value, Value]:
    """The middle element, of two the smaller; NaN, and the place of the first, in lines that have one."""
    if not x.type.rank:
        return kthvalue(b, x, 1)
    at = axis(x, dim)
    value, place = kthvalue(b, x, (x.shape[at] + 1) // 2, dim, keepdim)
    if not x.dtype.is_float:
        return value, place
    odd = cast(b, b(ops.IsNan(x)), x.dtype)
    some = b(ops.Gt(b(ops.Max(odd, (at,), keepdim)), full(b, (), 0, x.dtype)))
    first = b(ops.Argmax(odd, at, keepdim))
    nan = full(b, (), math.nan, x.dtype)
    return b(ops.Where(some, nan, value)), b(ops.Where(some, first, place))


@aten("median.default")
def median_all(b: ExportBuilder, x: Value) -> Value:
    return median(b, compose.reshape(b, x, (-1,)), 0)[0]


@aten("cummax")
def cummax(b: ExportBuilder, x: Value, dim: int) -> tuple[Value, ...]:
    return _extreme(b, x, dim, ops.Ge)


@aten("cummin")
def cummin(b: ExportBuilder, x: Value, dim: int) -> tuple[Value, ...]:
    return _extreme(b, x, dim, ops.Le)


def _extreme(b: ExportBuilder, x: Value, dim: int, passes: type[Op]) -> tuple[Value, ...]:
    """The largest or smallest element up to each, and the last place of it; NaN passes everything."""

    def later_if_it_passes(earlier: Values, later: Values) -> Values:
        chosen = b(passes(later[0], earlier[0]))  # type: ignore[call-arg]
        chosen = b(ops.Or(chosen, b(ops.IsNan(later[0])))) if x.dtype.is_float else chosen
        return tuple(b(ops.Where(chosen, new, old)) for old, new in zip(earlier, later, strict=True))

    if not x.type.rank:
        return x, full(b, (), 0, DType.i64)
    at = axis(x, dim)
    along = [-1 if i == at else 1 for i in range(x.type.rank)]
    places = compose.reshape(b, ops.constant(b, torch.arange(x.shape[at])), along)
    xs = (x, compose.expand(b, places, x.shape)) if b.wants(1) else (x,)
    return scan(b, xs, at, later_if_it_passes)


@aten("logcumsumexp")
def logcumsumexp(b: ExportBuilder, x: Value, dim: int) -> Value:
    """log(sum(exp(x))) of every prefix; of two: the larger + log(1 + exp(-|difference|)), which does not overflow."""
    zero = full(b, (), 0, x.dtype)

    def log_sum(earlier: Values, later: Values) -> Values:
        (x,), (y,) = earlier, later
        distance = b(ops.Where(b(ops.Eq(x, y)), zero, b(ops.Abs(b(ops.Sub(x, y))))))  # also of equal infinities
        return (b(ops.Add(b(ops.Maximum(x, y)), b(ops.Log1p(b(ops.Exp(b(ops.Neg(distance)))))))),)

    return scan(b, (x,), axis(x, dim), log_sum)[0] if x.type.rank else x
