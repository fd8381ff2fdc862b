"""ONNX reductions, prefix sums, and choices along an axis."""

from __future__ import annotations

import math
from collections.abc import Callable

from ttc import ops
from ttc.errors import Refusal
from ttc.frontend.log_sum_exp import log_sum_exp
from ttc.frontend.onnx.emitter import Emitter
from ttc.frontend.onnx.shape import axes_of, axis_of
from ttc.frontend.onnx.table import Int, Ints, onnx_op
from ttc.frontend.opposite import opposite
from ttc.ir import DType
from ttc.ops.expr import Expr, apply, concat, log, sqrt, where
from ttc.ops.reduce import reduced

Form = Callable[[Expr, Ints, bool], Expr]


def _mean(x: Expr, dims: Ints, keep: bool) -> Expr:
    if x.dtype.is_float:
        return x.mean(dims, keep)
    return x.sum(dims, keep) / math.prod(x.shape[d] for d in dims)


def _sum_square(x: Expr, dims: Ints, keep: bool) -> Expr:
    return (x * x).sum(dims, keep)


def _log_sum_exp(x: Expr, dims: Ints, keep: bool) -> Expr:
    if not x.dtype.is_float:
        return log_sum_exp(x.cast(DType.f32), dims, keep).cast(x.dtype)
    return log_sum_exp(x, dims, keep)


REDUCTIONS: dict[str, Form] = {
    "ReduceSum": Expr.sum,
    "ReduceMean": _mean,
    "ReduceMax": Expr.max,
    "ReduceMin": Expr.min,
    "ReduceProd": lambda x, dims, keep: apply(ops.Prod, x, dims, keep),
    "ReduceL1": lambda x, dims, keep: abs(x).sum(dims, keep),
    "ReduceL2": lambda x, dims, keep: _floating(sqrt, _sum_square(x, dims, keep)),
    "ReduceSumSquare": _sum_square,
    "ReduceLogSum": lambda x, dims, keep: _floating(log, x.sum(dims, keep)),
    "ReduceLogSumExp": _log_sum_exp,
}
EMPTY = {"ReduceMax": -math.inf, "ReduceMin": math.inf, "ReduceProd": 1, "ReduceLogSum": -math.inf}
EMPTY["ReduceLogSumExp"] = -math.inf


def _floating(function: Callable[[Expr], Expr], x: Expr) -> Expr:
    """Compute a floating function of an integer result in f32."""
    return function(x) if x.dtype.is_float else function(x.cast(DType.f32)).cast(x.dtype)


def _reduction(name: str, form: Form) -> Callable:
    def entry(b: Emitter, x: Expr, axes: Ints | None = None, *, keepdims=1, noop_with_empty_axes=0) -> Expr:
        everything = () if noop_with_empty_axes else tuple(range(x.rank))
        dims = axes_of(axes or everything, x.rank)
        if not x.type.numel:
            return b.full(_of_nothing(x.dtype, name), x.dtype, reduced(x.value, dims, bool(keepdims)))
        if not dims and x.rank:
            return _pointwise(x, form)
        return form(x, dims, bool(keepdims))

    return entry


def _pointwise(x: Expr, form: Form) -> Expr:
    """Compute a reduction over no axes: of each element by itself."""
    return form(x.reshape(*x.shape, 1), (x.rank,), False).reshape(*x.shape)


def _of_nothing(dtype: DType, name: str) -> float:
    """Return the result of a reduction of no elements."""
    number = EMPTY.get(name, math.nan if name == "ReduceMean" else 0)
    if dtype.is_float or not math.isinf(number):
        return number
    lowest, largest = (False, True) if dtype is DType.bool else dtype.limits
    return lowest if number < 0 else largest


for _name, _form in REDUCTIONS.items():
    onnx_op(_name)(_reduction(_name, _form))


@onnx_op()
def ArgMax(b: Emitter, x: Expr, *, axis=0, keepdims=1, select_last_index=0) -> Expr:
    axis = axis_of(axis, x.rank)
    if not select_last_index:
        return x.argmax(axis, bool(keepdims))
    first = x.flip(axis).argmax(axis, bool(keepdims))
    return x.shape[axis] - 1 - first


@onnx_op()
def ArgMin(b: Emitter, x: Expr, *, axis=0, keepdims=1, select_last_index=0) -> Expr:
    return ArgMax(b, opposite(x), axis=axis, keepdims=keepdims, select_last_index=select_last_index)


@onnx_op()
def CumSum(b: Emitter, x: Expr, axis: Int, *, exclusive=0, reverse=0) -> Expr:
    return apply(ops.Cumsum, x, axis_of(axis, x.rank), bool(reverse), bool(exclusive))


@onnx_op()
def CumProd(b: Emitter, x: Expr, axis: Int, *, exclusive=0, reverse=0) -> Expr:
    """Compute products in log n steps: each multiplies by those that end where its own begin (Hillis & Steele 1986)."""
    axis = axis_of(axis, x.rank)
    size = x.shape[axis]
    x = x.flip(axis) if reverse else x
    x = _shifted_by(b, x, axis, 1) if exclusive else x
    step = 1
    while step < size:
        x = x * _shifted_by(b, x, axis, step)
        step *= 2
    return x.flip(axis) if reverse else x


def _shifted_by(b: Emitter, x: Expr, axis: int, count: int) -> Expr:
    """Move x towards the end, ones before it."""
    size = x.shape[axis]
    ones = b.full(1, x.dtype, tuple(min(count, size) if i == axis else n for i, n in enumerate(x.shape)))
    return concat((ones, x.part(axis, 0, size - count)), axis) if count < size else ones


@onnx_op()
def TopK(b: Emitter, x: Expr, k: Int | None = None, *, axis=-1, largest=1, sorted=1) -> tuple[Expr, Expr]:
    if k is None:
        raise Refusal("lacks its k")
    return apply(ops.Topk, x, k, axis_of(axis, x.rank), bool(largest))


@onnx_op(since=13)
def Hardmax(b: Emitter, x: Expr, *, axis=-1) -> Expr:
    """Return 1 at the first largest element along the axis, else 0."""
    return _hardmax(b, x, axis_of(axis, x.rank))


@onnx_op("Hardmax")
def _flat_hardmax(b: Emitter, x: Expr, *, axis=1) -> Expr:
    """Return 1 at the first largest element of all axes from `axis` on, as opsets before 13 do."""
    return _hardmax(b, _coerced(x, axis), 1).reshape(*x.shape)


def _coerced(x: Expr, axis: int) -> Expr:
    axis = axis_of(axis, x.rank)
    return x.reshape(math.prod(x.shape[:axis]), math.prod(x.shape[axis:]))


def _hardmax(b: Emitter, x: Expr, axis: int) -> Expr:
    along = tuple(size if i == axis else 1 for i, size in enumerate(x.shape))
    positions = b.arange(x.shape[axis]).reshape(*along)
    return (positions == x.argmax(axis, True)).cast(x.dtype)


def _global(x: Expr) -> Ints:
    return tuple(range(2, x.rank))


@onnx_op()
def GlobalAveragePool(b: Emitter, x: Expr) -> Expr:
    return x.mean(_global(x), True)


@onnx_op()
def GlobalMaxPool(b: Emitter, x: Expr) -> Expr:
    return x.max(_global(x), True)


@onnx_op()
def GlobalLpPool(b: Emitter, x: Expr, *, p=2) -> Expr:
    return lp_norm(x, _global(x), float(p))


def lp_norm(x: Expr, dims: Ints, p: float) -> Expr:
    """Compute (sum |x|^p)^(1/p) over dims, kept as size 1."""
    if p == 1:
        return abs(x).sum(dims, True)
    if p == 2:
        return sqrt(_sum_square(x, dims, True))
    return (abs(x) ** p).sum(dims, True) ** (1 / p)


@onnx_op()
def LpNormalization(b: Emitter, x: Expr, *, axis=-1, p=2) -> Expr:
    """Divide x by its norm along the axis; 0 where the norm is 0."""
    norm = lp_norm(x, (axis_of(axis, x.rank),), float(p))
    return x / where(norm == 0, 1, norm)
