"""Readings of aten ops that choose an element by its rank, and of the largest of every prefix."""

from __future__ import annotations

import math

import torch

from ttc import ops
from ttc.frontend.export.compose import axis
from ttc.frontend.export.table import ExportBuilder, aten, full
from ttc.frontend.scan import Values, scan
from ttc.ir import DType, Op
from ttc.ops.expr import Expr, apply, exp, is_nan, maximum, where


@aten("kthvalue")
def kthvalue(b: ExportBuilder, x: Expr, k: int, dim: int = -1, keepdim: bool = False) -> tuple[Expr, Expr]:
    """Return the k-th smallest element of each line, and the element's position."""
    if not x.rank:
        return x, full(b, (), 0, DType.i64)
    at = axis(x, dim)
    values, places = apply(ops.Topk, x, k, at, largest=False)
    value, place = (found.part(at, k - 1, k) for found in (values, places))
    shape = x.shape[:at] + (1,) * keepdim + x.shape[at + 1 :]
    return value.reshape(*shape), place.reshape(*shape)


@aten("median.dim")
def median(b: ExportBuilder, x: Expr, dim: int = -1, keepdim: bool = False) -> tuple[Expr, Expr]:
    """Return the middle element, of two the smaller; NaN, and the first NaN's position, in lines that have one."""
    if not x.rank:
        return kthvalue(b, x, 1)
    at = axis(x, dim)
    value, place = kthvalue(b, x, (x.shape[at] + 1) // 2, dim, keepdim)
    if not x.dtype.is_float:
        return value, place
    odd = is_nan(x).cast(x.dtype)
    some = odd.max((at,), keepdim) > 0
    first = odd.argmax(at, keepdim)
    return where(some, math.nan, value), where(some, first, place)


@aten("median.default")
def median_all(b: ExportBuilder, x: Expr) -> Expr:
    return median(b, x.view(-1), 0)[0]


@aten("cummax")
def cummax(b: ExportBuilder, x: Expr, dim: int) -> tuple[Expr, ...]:
    return _extreme(b, x, dim, ops.Ge)


@aten("cummin")
def cummin(b: ExportBuilder, x: Expr, dim: int) -> tuple[Expr, ...]:
    return _extreme(b, x, dim, ops.Le)


def _extreme(b: ExportBuilder, x: Expr, dim: int, passes: type[Op]) -> tuple[Expr, ...]:
    """Return the largest or smallest element of every prefix, and its last position there; NaN passes everything."""

    def later_if_it_passes(earlier: Values, later: Values) -> Values:
        chosen = apply(passes, later[0], earlier[0])  # type: ignore[call-arg]
        chosen = chosen | is_nan(later[0]) if x.dtype.is_float else chosen
        return tuple(where(chosen, new, old) for old, new in zip(earlier, later, strict=True))

    if not x.rank:
        return x, full(b, (), 0, DType.i64)
    at = axis(x, dim)
    along = [-1 if i == at else 1 for i in range(x.rank)]
    places = b.constant(torch.arange(x.shape[at])).view(*along)
    xs = (x, places.expand(*x.shape)) if b.wants(1) else (x,)
    return scan(xs, at, later_if_it_passes)


@aten("logcumsumexp")
def logcumsumexp(b: ExportBuilder, x: Expr, dim: int) -> Expr:
    """Compute log(sum(exp(x))) of every prefix.

    Two sums combine to the larger + log(1 + exp(-|difference|)), which does not overflow.
    """
    zero = full(b, (), 0, x.dtype)

    def log_sum(earlier: Values, later: Values) -> Values:
        (x,), (y,) = earlier, later
        distance = where(x == y, zero, abs(x - y))  # also of equal infinities
        return (maximum(x, y) + apply(ops.Log1p, exp(-distance)),)

    return scan((x,), axis(x, dim), log_sum)[0] if x.rank else x
