"""Readings of random ops: the numbers come in as inputs, drawn by a session where its user gives none."""

from __future__ import annotations

from ttc import ops
from ttc.frontend.export.table import ExportBuilder, Number, aten, cast, full
from ttc.ir import DType, Input, TensorType
from ttc.ir.random import NORMAL, UNIFORM, random_name
from ttc.ops.expr import Expr, apply


def _drawn(b: ExportBuilder, kind: str, dtype: DType) -> Expr:
    """Add a random input of the result's shape."""
    name = random_name(kind, b.drawn)
    b.drawn += 1
    return Expr(b(Input(TensorType(dtype, b.result.shape), name)), b)


@aten("randn", "randn_like")
def randn(b: ExportBuilder, *_: object, **__: object) -> Expr:
    return _drawn(b, NORMAL, b.result.dtype)


@aten("rand", "rand_like")
def rand(b: ExportBuilder, *_: object, **__: object) -> Expr:
    return _drawn(b, UNIFORM, b.result.dtype)


@aten("uniform")
def uniform(b: ExportBuilder, x: Expr, low: Number = 0.0, high: Number = 1.0) -> Expr:
    return _line(b, rand(b), high - low, low)


@aten("normal_functional")
def normal_functional(b: ExportBuilder, x: Expr, mean: Number = 0.0, std: Number = 1.0) -> Expr:
    return _line(b, randn(b), std, mean)


@aten("normal.float_float", "normal.Tensor_float", "normal.float_Tensor", "normal.Tensor_Tensor")
def normal(b: ExportBuilder, mean: Expr | Number = 0.0, std: Expr | Number = 1.0, *_: object, **__: object) -> Expr:
    return _line(b, randn(b), std, mean)


def _line(b: ExportBuilder, x: Expr, slope: Expr | Number, offset: Expr | Number) -> Expr:
    """Compute x * slope + offset, without a slope of 1 or an offset of 0."""
    x = x if _is_number(slope, 1) else x * cast(b, slope, x.dtype)
    return x if _is_number(offset, 0) else x + cast(b, offset, x.dtype)


def _is_number(item: object, number: int) -> bool:
    """Return whether an operand is this number, written out."""
    return isinstance(item, (int, float)) and item == number


@aten("bernoulli.p")
def bernoulli_number(b: ExportBuilder, x: Expr, p: Number = 0.5) -> Expr:
    return _coins(b, full(b, (), p, DType.f32))


@aten("bernoulli", "bernoulli.Tensor")
def bernoulli(b: ExportBuilder, x: Expr, p: Expr | None = None) -> Expr:
    """Draw 1 by each element of `p`, or of x, as a probability."""
    return _coins(b, x if p is None else p)


def _coins(b: ExportBuilder, p: Expr) -> Expr:
    """Draw 1 where a uniform number is below p."""
    return (_drawn(b, UNIFORM, p.dtype) < p).cast(b.result.dtype)


@aten("randint", "randint_like")
def randint(b: ExportBuilder, *operands: object, dtype: DType | None = None) -> Expr:
    return _whole(b, 0, next(item for item in operands if isinstance(item, int)))


@aten("randint.low")
def randint_low(b: ExportBuilder, low: int, high: int, size: list[int], dtype: DType | None = None) -> Expr:
    return _whole(b, low, high)


@aten("randint_like.low_dtype")
def randint_like_low(b: ExportBuilder, x: Expr, low: int, high: int, dtype: DType | None = None) -> Expr:
    return _whole(b, low, high)


def _whole(b: ExportBuilder, low: int, high: int) -> Expr:
    """Draw integers from `low` up to `high`: floor(uniform * (high - low)) + low, which rounding keeps below high."""
    steps = apply(ops.Floor, _line(b, _drawn(b, UNIFORM, DType.f32), high - low, 0))
    last = steps.clamp(0.0, float(high - low - 1))
    return _line(b, last.cast(b.result.dtype), 1, low)
