"""Readings of random ops: the numbers come in as inputs, drawn by a session where its user gives none."""

from __future__ import annotations

from ttc import ops
from ttc.frontend.export.table import ExportBuilder, Number, aten, cast, full
from ttc.ir import DType, Input, TensorType, Value
from ttc.ir.random import NORMAL, UNIFORM, random_name


def _drawn(b: ExportBuilder, kind: str, dtype: DType) -> Value:
    """A new random input of the result's shape."""
    name = random_name(kind, b.drawn)
    b.drawn += 1
    return b(Input(TensorType(dtype, b.result.shape), name))


@aten("randn", "randn_like")
def randn(b: ExportBuilder, *_: object, **__: object) -> Value:
    return _drawn(b, NORMAL, b.result.dtype)


@aten("rand", "rand_like")
def rand(b: ExportBuilder, *_: object, **__: object) -> Value:
    return _drawn(b, UNIFORM, b.result.dtype)


@aten("uniform")
def uniform(b: ExportBuilder, x: Value, low: Number = 0.0, high: Number = 1.0) -> Value:
    return _line(b, rand(b), high - low, low)


@aten("normal_functional")
def normal_functional(b: ExportBuilder, x: Value, mean: Number = 0.0, std: Number = 1.0) -> Value:
    return _line(b, randn(b), std, mean)


@aten("normal.float_float", "normal.Tensor_float", "normal.float_Tensor", "normal.Tensor_Tensor")
def normal(b: ExportBuilder, mean: Value | Number = 0.0, std: Value | Number = 1.0, *_: object, **__: object) -> Value:
    return _line(b, randn(b), std, mean)


def _line(b: ExportBuilder, x: Value, slope: Value | Number, offset: Value | Number) -> Value:
    """x * slope + offset, what changes nothing left out."""
    x = x if slope == 1 else b(ops.Mul(x, cast(b, slope, x.dtype)))
    return x if offset == 0 else b(ops.Add(x, cast(b, offset, x.dtype)))


@aten("bernoulli.p")
def bernoulli_number(b: ExportBuilder, x: Value, p: Number = 0.5) -> Value:
    return _coins(b, full(b, (), p, DType.f32))


@aten("bernoulli", "bernoulli.Tensor")
def bernoulli(b: ExportBuilder, x: Value, p: Value | None = None) -> Value:
    """By each element of `p`, or of x, as a probability."""
    return _coins(b, x if p is None else p)


def _coins(b: ExportBuilder, p: Value) -> Value:
    """1 where a uniform number is below p."""
    return cast(b, b(ops.Lt(_drawn(b, UNIFORM, p.dtype), p)), b.result.dtype)


@aten("randint", "randint_like")
def randint(b: ExportBuilder, *operands: object, dtype: DType | None = None) -> Value:
    return _whole(b, 0, next(item for item in operands if isinstance(item, int)))


@aten("randint.low")
def randint_low(b: ExportBuilder, low: int, high: int, size: list[int], dtype: DType | None = None) -> Value:
    return _whole(b, low, high)


@aten("randint_like.low_dtype")
def randint_like_low(b: ExportBuilder, x: Value, low: int, high: int, dtype: DType | None = None) -> Value:
    return _whole(b, low, high)


def _whole(b: ExportBuilder, low: int, high: int) -> Value:
    """Whole numbers from `low` up to `high`: floor(uniform * (high - low)) + low, which rounding keeps below high."""
    steps = b(ops.Floor(_line(b, _drawn(b, UNIFORM, DType.f32), high - low, 0)))
    last = b(ops.Clamp(steps, 0.0, float(high - low - 1)))
    return _line(b, cast(b, last, b.result.dtype), 1, low)
