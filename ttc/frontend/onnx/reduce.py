"""ONNX reductions, prefix sums, and choices along an axis."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch

from ttc import ops
from ttc.errors import Refusal
from ttc.frontend.onnx.emitter import Emitter
from ttc.frontend.onnx.shape import axes_of, axis_of
from ttc.frontend.onnx.table import Int, Ints, onnx_op
from ttc.ir import DType, Value
from ttc.ops.reduce import reduced
from ttc.ops.torch_types import to_torch

Form = Callable[[Emitter, Value, Ints, bool], Value]


def _sum(b: Emitter, x: Value, dims: Ints, keep: bool) -> Value:
    return b(ops.Sum(x, dims, keep))


def _mean(b: Emitter, x: Value, dims: Ints, keep: bool) -> Value:
    if x.dtype.is_float:
        return b(ops.Mean(x, dims, keep))
    return b(ops.Div(_sum(b, x, dims, keep), b.full(math.prod(x.shape[d] for d in dims), x.dtype)))


def _sum_square(b: Emitter, x: Value, dims: Ints, keep: bool) -> Value:
    return _sum(b, b(ops.Mul(x, x)), dims, keep)


def _log_sum_exp(b: Emitter, x: Value, dims: Ints, keep: bool) -> Value:
    """max + log(sum(exp(x - max))), the maximum kept finite so that an empty sum stays -inf."""
    if not x.dtype.is_float:
        return b.cast(_log_sum_exp(b, b.cast(x, DType.f32), dims, keep), x.dtype)
    top = b(ops.Max(x, dims, True))
    limit = torch.finfo(to_torch(x.dtype)).max
    top = b(ops.Clamp(top, -limit, limit))
    total = b(ops.Log(_sum(b, b(ops.Exp(b(ops.Sub(x, top)))), dims, True)))
    return b.reshape(b(ops.Add(total, top)), reduced(x, dims, keep))


REDUCTIONS: dict[str, Form] = {
    "ReduceSum": _sum,
    "ReduceMean": _mean,
    "ReduceMax": lambda b, x, dims, keep: b(ops.Max(x, dims, keep)),
    "ReduceMin": lambda b, x, dims, keep: b(ops.Min(x, dims, keep)),
    "ReduceProd": lambda b, x, dims, keep: b(ops.Prod(x, dims, keep)),
    "ReduceL1": lambda b, x, dims, keep: _sum(b, b(ops.Abs(x)), dims, keep),
    "ReduceL2": lambda b, x, dims, keep: _root(b, _sum_square(b, x, dims, keep)),
    "ReduceSumSquare": _sum_square,
    "ReduceLogSum": lambda b, x, dims, keep: _log(b, _sum(b, x, dims, keep)),
    "ReduceLogSumExp": _log_sum_exp,
}
EMPTY = {"ReduceMax": -math.inf, "ReduceMin": math.inf, "ReduceProd": 1, "ReduceLogSum": -math.inf}
EMPTY["ReduceLogSumExp"] = -math.inf


def _floating(b: Emitter, x: Value, function: Callable[[Value], Value]) -> Value:
    """A floating function of an integer result, computed in f32."""
    return function(x) if x.dtype.is_float else b.cast(function(b.cast(x, DType.f32)), x.dtype)


def _root(b: Emitter, x: Value) -> Value:
    return _floating(b, x, lambda y: b(ops.Sqrt(y)))


def _log(b: Emitter, x: Value) -> Value:
    return _floating(b, x, lambda y: b(ops.Log(y)))


def _reduction(name: str, form: Form) -> Callable:
    def entry(b: Emitter, x: Value, axes: Ints | None = None, *, keepdims=1, noop_with_empty_axes=0) -> Value:
        everything = () if noop_with_empty_axes else tuple(range(x.type.rank))
        dims = axes_of(axes or everything, x.type.rank)
        if not x.type.numel:
            return _of_nothing(b, x, name, reduced(x, dims, bool(keepdims)))
        if not dims and x.type.rank:
            return _pointwise(b, x, name, form)
        return form(b, x, dims, bool(keepdims))

    return entry


def _pointwise(b: Emitter, x: Value, name: str, form: Form) -> Value:
    """A reduction over no axes: of each element by itself."""
    column = b.reshape(x, (*x.shape, 1))
    return b.reshape(form(b, column, (x.type.rank,), False), x.shape)


def _of_nothing(b: Emitter, x: Value, name: str, shape: Ints) -> Value:
    number = EMPTY.get(name, math.nan if name == "ReduceMean" else 0)
    if not x.dtype.is_float and math.isinf(number):
        info = (False, True) if x.dtype is DType.bool else _range(x.dtype)
        number = info[0] if number < 0 else info[1]
    return b.full(number, x.dtype, shape)


def _range(dtype: DType) -> tuple[int, int]:
    info = torch.iinfo(to_torch(dtype))
    return info.min, info.max


for _name, _form in REDUCTIONS.items():
    onnx_op(_name)(_reduction(_name, _form))


@onnx_op()
def ArgMax(b: Emitter, x: Value, *, axis=0, keepdims=1, select_last_index=0) -> Value:
    axis = axis_of(axis, x.type.rank)
    if not select_last_index:
        return b(ops.Argmax(x, axis, bool(keepdims)))
    first = b(ops.Argmax(b(ops.Flip(x, (axis,))), axis, bool(keepdims)))
    return b(ops.Sub(b.full(x.shape[axis] - 1, DType.i64), first))


@onnx_op()
def ArgMin(b: Emitter, x: Value, *, axis=0, keepdims=1, select_last_index=0) -> Value:
    x = b.cast(x, DType.i64) if x.dtype.kind == "uint" else x
    return ArgMax(b, b(ops.Neg(x)), axis=axis, keepdims=keepdims, select_last_index=select_last_index)


@onnx_op()
def CumSum(b: Emitter, x: Value, axis: Int, *, exclusive=0, reverse=0) -> Value:
    return b(ops.Cumsum(x, axis_of(axis, x.type.rank), bool(reverse), bool(exclusive)))


@onnx_op()
def CumProd(b: Emitter, x: Value, axis: Int, *, exclusive=0, reverse=0) -> Value:
    """In log n steps: each multiplies by the products that end where its own begin (Hillis & Steele 1986)."""
    axis = axis_of(axis, x.type.rank)
    size = x.shape[axis]
    x = b(ops.Flip(x, (axis,))) if reverse else x
    x = _shifted_by(b, x, axis, 1) if exclusive else x
    step = 1
    while step < size:
        x = b(ops.Mul(x, _shifted_by(b, x, axis, step)))
        step *= 2
    return b(ops.Flip(x, (axis,))) if reverse else x


def _shifted_by(b: Emitter, x: Value, axis: int, count: int) -> Value:
    """x moved towards the end, ones before it."""
    size = x.shape[axis]
    ones = b.full(1, x.dtype, tuple(min(count, size) if i == axis else n for i, n in enumerate(x.shape)))
    return b.concat((ones, b.slice(x, axis, 0, size - count)), axis) if count < size else ones


@onnx_op()
def TopK(b: Emitter, x: Value, k: Int | None = None, *, axis=-1, largest=1, sorted=1) -> tuple[Value, Value]:
    if k is None:
        raise Refusal("lacks its k")
    return b(ops.Topk(x, k, axis_of(axis, x.type.rank), bool(largest)))


@onnx_op()
def Hardmax(b: Emitter, x: Value, *, axis=-1) -> Value:
    """1 at the first largest element along the axis, else 0."""
    if b.opset < 13:
        return b.reshape(_hardmax(b, _coerced(b, x, 1 if axis == -1 else axis), 1), x.shape)
    return _hardmax(b, x, axis_of(axis, x.type.rank))


def _coerced(b: Emitter, x: Value, axis: int) -> Value:
    axis = axis_of(axis, x.type.rank)
    return b.reshape(x, (math.prod(x.shape[:axis]), math.prod(x.shape[axis:])))


def _hardmax(b: Emitter, x: Value, axis: int) -> Value:
    along = tuple(size if i == axis else 1 for i, size in enumerate(x.shape))
    positions = b.reshape(b.arange(x.shape[axis]), along)
    return b.cast(b(ops.Eq(positions, b(ops.Argmax(x, axis, True)))), x.dtype)


def _global(b: Emitter, x: Value) -> Ints:
    return tuple(range(2, x.type.rank))


@onnx_op()
def GlobalAveragePool(b: Emitter, x: Value) -> Value:
    return b(ops.Mean(x, _global(b, x), True))


@onnx_op()
def GlobalMaxPool(b: Emitter, x: Value) -> Value:
    return b(ops.Max(x, _global(b, x), True))


@onnx_op()
def GlobalLpPool(b: Emitter, x: Value, *, p=2) -> Value:
    return lp_norm(b, x, _global(b, x), float(p))


def lp_norm(b: Emitter, x: Value, dims: Ints, p: float) -> Value:
    """(sum |x|^p)^(1/p) over dims, kept as size 1."""
    if p == 1:
        return b(ops.Sum(b(ops.Abs(x)), dims, True))
    if p == 2:
        return b(ops.Sqrt(_sum_square(b, x, dims, True)))
    total = b(ops.Sum(b(ops.Pow(b(ops.Abs(x)), b.full(p, x.dtype))), dims, True))
    return b(ops.Pow(total, b.full(1 / p, x.dtype)))


@onnx_op()
def LpNormalization(b: Emitter, x: Value, *, axis=-1, p=2) -> Value:
    """x over its norm along the axis; 0 where the norm is 0."""
    norm = lp_norm(b, x, (axis_of(axis, x.type.rank),), float(p))
    zero = b(ops.Eq(norm, b.full(0, x.dtype)))
    return b(ops.Div(x, b(ops.Where(zero, b.full(1, x.dtype), norm))))
