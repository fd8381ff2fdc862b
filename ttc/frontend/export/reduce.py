"""Readings of reductions, sorting and prefix sums."""

from __future__ import annotations

import math
from collections.abc import Callable

from ttc import ops
from ttc.errors import Refusal
from ttc.frontend.export import compose
from ttc.frontend.export.compose import axes, axis, result_as
from ttc.frontend.export.table import ExportBuilder, Number, aten, cast, full
from ttc.frontend.log_sum_exp import log_sum_exp
from ttc.frontend.opposite import opposite
from ttc.ir import DType
from ttc.ops.expr import Expr, apply, sqrt

Dims = list[int] | int | None


@aten("sum")
def sum_(b: ExportBuilder, x: Expr, dim: Dims = None, keepdim: bool = False, dtype: DType | None = None) -> Expr:
    x = result_as(b, x)
    return x.sum(axes(x, dim), keepdim) if x.rank else x


@aten("mean")
def mean(b: ExportBuilder, x: Expr, dim: Dims = None, keepdim: bool = False, dtype: DType | None = None) -> Expr:
    x = result_as(b, x)
    return x.mean(axes(x, dim), keepdim) if x.rank else x


@aten("prod", "prod.dim_int")
def prod(b: ExportBuilder, x: Expr, dim: Dims = None, keepdim: bool = False, dtype: DType | None = None) -> Expr:
    x = result_as(b, x)
    return apply(ops.Prod, x, axes(x, dim), keepdim) if x.rank else x


@aten("amax")
def amax(b: ExportBuilder, x: Expr, dim: Dims = None, keepdim: bool = False) -> Expr:
    return x.max(axes(x, dim), keepdim) if x.rank else x


@aten("amin")
def amin(b: ExportBuilder, x: Expr, dim: Dims = None, keepdim: bool = False) -> Expr:
    return x.min(axes(x, dim), keepdim) if x.rank else x


@aten("max.default")
def max_all(b: ExportBuilder, x: Expr) -> Expr:
    return amax(b, x)


@aten("min.default")
def min_all(b: ExportBuilder, x: Expr) -> Expr:
    return amin(b, x)


@aten("max.dim")
def max_dim(b: ExportBuilder, x: Expr, dim: int, keepdim: bool = False) -> tuple[Expr, Expr]:
    return amax(b, x, dim, keepdim), argmax(b, x, dim, keepdim)


@aten("min.dim")
def min_dim(b: ExportBuilder, x: Expr, dim: int, keepdim: bool = False) -> tuple[Expr, Expr]:
    return amin(b, x, dim, keepdim), argmin(b, x, dim, keepdim)


@aten("argmax")
def argmax(b: ExportBuilder, x: Expr, dim: int | None = None, keepdim: bool = False) -> Expr:
    x = x.cast(DType.i32) if x.dtype is DType.bool else x
    if dim is None:
        flat = x.view(-1).argmax(0)
        return flat.reshape(*b.result.shape)
    if not x.rank:
        return cast(b, 0, DType.i64)
    return x.argmax(axis(x, dim), keepdim)


@aten("argmin")
def argmin(b: ExportBuilder, x: Expr, dim: int | None = None, keepdim: bool = False) -> Expr:
    return argmax(b, opposite(x), dim, keepdim)


@aten("any", "any.dim", "any.dims")
def any_(b: ExportBuilder, x: Expr, dim: Dims = None, keepdim: bool = False) -> Expr:
    return _of_flags(b, x, dim, keepdim, amax)


@aten("all", "all.dim", "all.dims")
def all_(b: ExportBuilder, x: Expr, dim: Dims = None, keepdim: bool = False) -> Expr:
    return _of_flags(b, x, dim, keepdim, amin)


def _of_flags(b: ExportBuilder, x: Expr, dim: Dims, keepdim: bool, extreme: Callable[..., Expr]) -> Expr:
    """Reduce flags to their largest or smallest; none is found among no elements, and an empty list reduces nothing."""
    if not x.type.numel:
        return full(b, b.result.shape, int(extreme is amin), b.result.dtype)
    flags = x.cast(DType.bool)
    return result_as(b, flags if dim == [] else extreme(b, flags, dim, keepdim))  # of uint8 torch gives uint8


@aten("logsumexp")
def logsumexp(b: ExportBuilder, x: Expr, dim: Dims, keepdim: bool = False) -> Expr:
    x = result_as(b, x)
    return log_sum_exp(x, axes(x, dim), keepdim)


@aten("var", "var.correction")
def var(b: ExportBuilder, x: Expr, dim: Dims = None, correction: Number | None = None, keepdim: bool = False) -> Expr:
    return compose.variance(x, axes(x, dim), 1 if correction is None else correction, keepdim)


@aten("std", "std.correction")
def std(b: ExportBuilder, x: Expr, dim: Dims = None, correction: Number | None = None, keepdim: bool = False) -> Expr:
    return sqrt(var(b, x, dim, correction, keepdim))


@aten("var.dim")
def var_dim(b: ExportBuilder, x: Expr, dim: Dims, unbiased: bool = True, keepdim: bool = False) -> Expr:
    return var(b, x, dim, int(unbiased), keepdim)


@aten("std.dim")
def std_dim(b: ExportBuilder, x: Expr, dim: Dims, unbiased: bool = True, keepdim: bool = False) -> Expr:
    return std(b, x, dim, int(unbiased), keepdim)


@aten("var.default")
def var_all(b: ExportBuilder, x: Expr, unbiased: bool = True) -> Expr:
    return var(b, x, None, int(unbiased))


@aten("std.default")
def std_all(b: ExportBuilder, x: Expr, unbiased: bool = True) -> Expr:
    return std(b, x, None, int(unbiased))


@aten("var_mean.correction")
def var_mean(
    b: ExportBuilder, x: Expr, dim: Dims = None, correction: Number | None = None, keepdim: bool = False
) -> tuple[Expr, Expr]:
    return var(b, x, dim, correction, keepdim), mean(b, x, dim, keepdim)


@aten("linalg_vector_norm")
def vector_norm(
    b: ExportBuilder, x: Expr, ord: Number = 2, dim: Dims = None, keepdim: bool = False, dtype: DType | None = None
) -> Expr:
    x = result_as(b, x)
    return compose.norm(x, float(ord), axes(x, dim), keepdim)


@aten("norm.Scalar", "norm.ScalarOpt_dim", "norm.ScalarOpt_dtype", "norm.ScalarOpt_dim_dtype")
def norm(
    b: ExportBuilder,
    x: Expr,
    p: Number | None = 2,
    dim: Dims = None,
    keepdim: bool = False,
    dtype: DType | None = None,
) -> Expr:
    return vector_norm(b, x, 2 if p is None else p, dim, keepdim)


@aten("linalg_norm")
def linalg_norm(
    b: ExportBuilder,
    x: Expr,
    ord: Number | None = None,
    dim: Dims = None,
    keepdim: bool = False,
    dtype: DType | None = None,
) -> Expr:
    """Compute the vector norm; without an order, the 2-norm of everything; of matrices the extreme sum of a line."""
    dims = [dim] if isinstance(dim, int) else dim or list(range(x.rank))
    if len(dims) != 2 or ord is None:
        return vector_norm(b, x, 2 if ord is None else ord, dim, keepdim)
    if abs(ord) not in (1, math.inf):
        raise Refusal(f"the matrix norm {ord} is not supported: it needs singular values")
    along = dims if abs(ord) == 1 else dims[::-1]
    lines = abs(result_as(b, x)).sum(axes(x, along[0]), keep=True)
    if not lines.type.numel:  # the largest of no sums is 0, as sums are not negative
        return full(b, b.result.shape, 0, b.result.dtype)
    y = apply(ops.Max if ord > 0 else ops.Min, lines, axes(x, along[1]), True)
    return y.reshape(*b.result.shape)


@aten("linalg_norm.ord_str")
def linalg_norm_by_name(
    b: ExportBuilder, x: Expr, ord: str, dim: Dims = None, keepdim: bool = False, dtype: DType | None = None
) -> Expr:
    if ord != "fro":
        raise Refusal(f"the matrix norm {ord!r} is not supported: it needs singular values")
    return vector_norm(b, x, 2, dim, keepdim)


@aten("dist")
def dist(b: ExportBuilder, x: Expr, other: Expr, p: Number = 2) -> Expr:
    """Compute the norm of the difference."""
    x, other = compose.same_shape(result_as(b, x), result_as(b, other))
    return vector_norm(b, x - other, p)


@aten("cumsum")
def cumsum(b: ExportBuilder, x: Expr, dim: int, dtype: DType | None = None) -> Expr:
    x = result_as(b, x)
    return apply(ops.Cumsum, x, axis(x, dim)) if x.rank else x


@aten("cumprod")
def cumprod(b: ExportBuilder, x: Expr, dim: int, dtype: DType | None = None) -> Expr:
    x = result_as(b, x)
    return apply(ops.Cumprod, x, axis(x, dim)) if x.rank else x


@aten("topk")
def topk(
    b: ExportBuilder, x: Expr, k: int, dim: int = -1, largest: bool = True, sorted: bool = True
) -> tuple[Expr, Expr]:
    return apply(ops.Topk, x, k, axis(x, dim), largest)


@aten("sort")
def sort(b: ExportBuilder, x: Expr, dim: int = -1, descending: bool = False) -> tuple[Expr, Expr]:
    return apply(ops.Topk, x, x.shape[dim], axis(x, dim), descending)


@aten("sort.stable")
def sort_stable(
    b: ExportBuilder, x: Expr, stable: bool | None = None, dim: int = -1, descending: bool = False
) -> tuple[Expr, Expr]:
    if stable:
        raise Refusal("a stable sort is not supported (TTNN's sort is not)")
    return sort(b, x, dim, descending)


@aten("argsort")
def argsort(b: ExportBuilder, x: Expr, dim: int = -1, descending: bool = False) -> Expr:
    return sort(b, x, dim, descending)[1]


@aten("argsort.stable")
def argsort_stable(b: ExportBuilder, x: Expr, *, stable: bool, dim: int = -1, descending: bool = False) -> Expr:
    return sort_stable(b, x, stable, dim, descending)[1]


@aten("cosine_similarity")
def cosine_similarity(b: ExportBuilder, x1: Expr, x2: Expr, dim: int = 1, eps: float = 1e-8) -> Expr:
    """Compute x1 . x2 / (max(|x1|, eps) * max(|x2|, eps))."""
    x1, x2 = compose.same_shape(result_as(b, x1), result_as(b, x2))
    dims = axes(x1, dim)
    lengths = [compose.norm(x, 2, dims, True).clamp(float(eps)) for x in (x1, x2)]
    return (x1 / lengths[0] * (x2 / lengths[1])).sum(dims)
