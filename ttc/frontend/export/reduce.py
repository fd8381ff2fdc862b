"""Readings of reductions, sorting and prefix sums."""

from __future__ import annotations

import math

from ttc import ops
from ttc.errors import Refusal
from ttc.frontend.export import compose
from ttc.frontend.export.compose import axes, axis, result_as
from ttc.frontend.export.table import ExportBuilder, Number, aten, cast
from ttc.ir import DType, Value

Dims = list[int] | int | None


@aten("sum")
def sum_(b: ExportBuilder, x: Value, dim: Dims = None, keepdim: bool = False, dtype: DType | None = None) -> Value:
    x = result_as(b, x)
    return b(ops.Sum(x, axes(x, dim), keepdim)) if x.type.rank else x


@aten("mean")
def mean(b: ExportBuilder, x: Value, dim: Dims = None, keepdim: bool = False, dtype: DType | None = None) -> Value:
    x = result_as(b, x)
    return b(ops.Mean(x, axes(x, dim), keepdim)) if x.type.rank else x


@aten("prod", "prod.dim_int")
def prod(b: ExportBuilder, x: Value, dim: Dims = None, keepdim: bool = False, dtype: DType | None = None) -> Value:
    x = result_as(b, x)
    return b(ops.Prod(x, axes(x, dim), keepdim)) if x.type.rank else x


@aten("amax")
def amax(b: ExportBuilder, x: Value, dim: Dims = None, keepdim: bool = False) -> Value:
    return b(ops.Max(x, axes(x, dim), keepdim)) if x.type.rank else x


@aten("amin")
def amin(b: ExportBuilder, x: Value, dim: Dims = None, keepdim: bool = False) -> Value:
    return b(ops.Min(x, axes(x, dim), keepdim)) if x.type.rank else x


@aten("max.default")
def max_all(b: ExportBuilder, x: Value) -> Value:
    return amax(b, x)


@aten("min.default")
def min_all(b: ExportBuilder, x: Value) -> Value:
    return amin(b, x)


@aten("max.dim")
def max_dim(b: ExportBuilder, x: Value, dim: int, keepdim: bool = False) -> tuple[Value, Value]:
    return amax(b, x, dim, keepdim), argmax(b, x, dim, keepdim)


@aten("min.dim")
def min_dim(b: ExportBuilder, x: Value, dim: int, keepdim: bool = False) -> tuple[Value, Value]:
    return amin(b, x, dim, keepdim), argmin(b, x, dim, keepdim)


@aten("argmax")
def argmax(b: ExportBuilder, x: Value, dim: int | None = None, keepdim: bool = False) -> Value:
    if dim is None:
        flat = b(ops.Argmax(compose.reshape(b, x, (-1,)), 0))
        return compose.reshape(b, flat, (1,) * x.type.rank if keepdim else ())
    if not x.type.rank:
        return cast(b, 0, DType.i64)
    return b(ops.Argmax(x, axis(x, dim), keepdim))


@aten("argmin")
def argmin(b: ExportBuilder, x: Value, dim: int | None = None, keepdim: bool = False) -> Value:
    return argmax(b, b(ops.Neg(x)), dim, keepdim)


@aten("any", "any.dim", "any.dims")
def any_(b: ExportBuilder, x: Value, dim: Dims = None, keepdim: bool = False) -> Value:
    return amax(b, cast(b, x, DType.bool), dim, keepdim)


@aten("all", "all.dim", "all.dims")
def all_(b: ExportBuilder, x: Value, dim: Dims = None, keepdim: bool = False) -> Value:
    return amin(b, cast(b, x, DType.bool), dim, keepdim)


@aten("logsumexp")
def logsumexp(b: ExportBuilder, x: Value, dim: Dims, keepdim: bool = False) -> Value:
    """max + log(sum(exp(x - max)))."""
    x = result_as(b, x)
    top = amax(b, x, dim, True)
    total = sum_(b, b(ops.Exp(b(ops.Sub(x, top)))), dim, True)
    return compose.reshape(b, b(ops.Add(b(ops.Log(total)), top)), b.result.shape)


@aten("var", "var.correction")
def var(b: ExportBuilder, x: Value, dim: Dims = None, correction: Number | None = None, keepdim: bool = False) -> Value:
    return compose.variance(b, x, axes(x, dim), 1 if correction is None else correction, keepdim)


@aten("std", "std.correction")
def std(b: ExportBuilder, x: Value, dim: Dims = None, correction: Number | None = None, keepdim: bool = False) -> Value:
    return b(ops.Sqrt(var(b, x, dim, correction, keepdim)))


@aten("var.dim")
def var_dim(b: ExportBuilder, x: Value, dim: Dims, unbiased: bool = True, keepdim: bool = False) -> Value:
    return var(b, x, dim, int(unbiased), keepdim)


@aten("std.dim")
def std_dim(b: ExportBuilder, x: Value, dim: Dims, unbiased: bool = True, keepdim: bool = False) -> Value:
    return std(b, x, dim, int(unbiased), keepdim)


@aten("var.default")
def var_all(b: ExportBuilder, x: Value, unbiased: bool = True) -> Value:
    return var(b, x, None, int(unbiased))


@aten("std.default")
def std_all(b: ExportBuilder, x: Value, unbiased: bool = True) -> Value:
    return std(b, x, None, int(unbiased))


@aten("var_mean.correction")
def var_mean(
    b: ExportBuilder, x: Value, dim: Dims = None, correction: Number | None = None, keepdim: bool = False
) -> tuple[Value, Value]:
    return var(b, x, dim, correction, keepdim), mean(b, x, dim, keepdim)


@aten("linalg_vector_norm")
def vector_norm(
    b: ExportBuilder, x: Value, ord: Number = 2, dim: Dims = None, keepdim: bool = False, dtype: DType | None = None
) -> Value:
    x = result_as(b, x)
    return compose.norm(b, x, float(ord), axes(x, dim), keepdim)


@aten("norm.Scalar", "norm.ScalarOpt_dim", "norm.ScalarOpt_dtype", "norm.ScalarOpt_dim_dtype")
def norm(
    b: ExportBuilder,
    x: Value,
    p: Number | None = 2,
    dim: Dims = None,
    keepdim: bool = False,
    dtype: DType | None = None,
) -> Value:
    return vector_norm(b, x, 2 if p is None else p, dim, keepdim)


@aten("linalg_norm")
def linalg_norm(
    b: ExportBuilder,
    x: Value,
    ord: Number | None = None,
    dim: Dims = None,
    keepdim: bool = False,
    dtype: DType | None = None,
) -> Value:
    """The vector norm; without an order, the 2-norm of everything; of matrices the extreme sum of a line."""
    dims = [dim] if isinstance(dim, int) else dim or list(range(x.type.rank))
    if len(dims) != 2 or ord is None:
        return vector_norm(b, x, 2 if ord is None else ord, dim, keepdim)
    if abs(ord) not in (1, math.inf):
        raise Refusal(f"the matrix norm {ord} is not supported: it needs singular values")
    along = dims if abs(ord) == 1 else dims[::-1]
    lines = b(ops.Sum(b(ops.Abs(result_as(b, x))), axes(x, along[0]), keep=True))
    y = b((ops.Max if ord > 0 else ops.Min)(lines, axes(x, along[1]), True))
    return compose.reshape(b, y, b.result.shape)


@aten("linalg_norm.ord_str")
def linalg_norm_by_name(
    b: ExportBuilder, x: Value, ord: str, dim: Dims = None, keepdim: bool = False, dtype: DType | None = None
) -> Value:
    if ord != "fro":
        raise Refusal(f"the matrix norm {ord!r} is not supported: it needs singular values")
    return vector_norm(b, x, 2, dim, keepdim)


@aten("dist")
def dist(b: ExportBuilder, x: Value, other: Value, p: Number = 2) -> Value:
    """The norm of the difference."""
    return vector_norm(b, b(ops.Sub(*compose.same_shape(b, result_as(b, x), result_as(b, other)))), p)


@aten("cumsum")
def cumsum(b: ExportBuilder, x: Value, dim: int, dtype: DType | None = None) -> Value:
    x = result_as(b, x)
    return b(ops.Cumsum(x, axis(x, dim))) if x.type.rank else x


@aten("cumprod")
def cumprod(b: ExportBuilder, x: Value, dim: int, dtype: DType | None = None) -> Value:
    x = result_as(b, x)
    return b(ops.Cumprod(x, axis(x, dim))) if x.type.rank else x


@aten("topk")
def topk(
    b: ExportBuilder, x: Value, k: int, dim: int = -1, largest: bool = True, sorted: bool = True
) -> tuple[Value, Value]:
    return b(ops.Topk(x, k, axis(x, dim), largest))


@aten("sort")
def sort(b: ExportBuilder, x: Value, dim: int = -1, descending: bool = False) -> tuple[Value, Value]:
    return b(ops.Topk(x, x.shape[dim], axis(x, dim), descending))


@aten("sort.stable")
def sort_stable(
    b: ExportBuilder, x: Value, stable: bool | None = None, dim: int = -1, descending: bool = False
) -> tuple[Value, Value]:
    if stable:
        raise Refusal("a stable sort is not supported (TTNN's sort is not)")
    return sort(b, x, dim, descending)


@aten("argsort")
def argsort(b: ExportBuilder, x: Value, dim: int = -1, descending: bool = False) -> Value:
    return sort(b, x, dim, descending)[1]


@aten("cosine_similarity")
def cosine_similarity(b: ExportBuilder, x1: Value, x2: Value, dim: int = 1, eps: float = 1e-8) -> Value:
    """x1 . x2 / (max(|x1|, eps) * max(|x2|, eps))."""
    x1, x2 = compose.same_shape(b, result_as(b, x1), result_as(b, x2))
    dims = axes(x1, dim)
    lengths = [b(ops.Clamp(compose.norm(b, x, 2, dims, True), float(eps))) for x in (x1, x2)]
    unit = [b(ops.Div(x, length)) for x, length in zip((x1, x2), lengths, strict=True)]
    return b(ops.Sum(b(ops.Mul(*unit)), dims))
