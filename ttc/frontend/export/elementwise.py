"""Readings of elementwise aten ops, with torch's dtype promotion made explicit."""

from __future__ import annotations

import math
from collections.abc import Callable

from ttc import ops
from ttc.errors import Refusal
from ttc.frontend.export.compose import result_as
from ttc.frontend.export.table import ExportBuilder, Number, aten, cast, full, together
from ttc.ir import DType, Op
from ttc.ops.expr import Expr, apply, is_nan, log, maximum, minimum, sign, trunc, where

Make = Callable[..., Op]
"""A class of ops, called with its operands."""

UNARY: dict[str, Make] = {
    "abs": ops.Abs, "acos": ops.Acos, "acosh": ops.Acosh, "asin": ops.Asin, "asinh": ops.Asinh, "atan": ops.Atan,
    "atanh": ops.Atanh, "cos": ops.Cos, "cosh": ops.Cosh, "erf": ops.Erf, "exp": ops.Exp, "expm1": ops.Expm1,
    "hardswish": ops.HardSwish, "log": ops.Log, "log1p": ops.Log1p, "mish": ops.Mish, "neg": ops.Neg,
    "reciprocal": ops.Reciprocal, "relu": ops.Relu, "rsqrt": ops.Rsqrt, "sigmoid": ops.Sigmoid, "sign": ops.Sign,
    "silu": ops.Silu, "sin": ops.Sin, "sinh": ops.Sinh, "sqrt": ops.Sqrt, "tan": ops.Tan, "tanh": ops.Tanh,
    "erfc": ops.Erfc, "special_erfcx": ops.Erfcx,
}  # fmt: skip
ROUNDING: dict[str, Make] = {"ceil": ops.Ceil, "floor": ops.Floor, "round": ops.Round, "trunc": ops.Trunc}
ARITHMETIC: dict[str, Make] = {
    "mul": ops.Mul, "multiply": ops.Mul, "remainder": ops.Remainder, "fmod": ops.Fmod,
    "maximum": ops.Maximum, "minimum": ops.Minimum, "max.other": ops.Maximum, "min.other": ops.Minimum,
    "atan2": ops.Atan2, "arctan2": ops.Atan2, "gcd": ops.Gcd,
}  # fmt: skip
ON_FLAGS: dict[Make, Make] = {ops.Mul: ops.And, ops.Minimum: ops.And, ops.Maximum: ops.Or}
"""The same of booleans."""
COMPARISONS: dict[str, Make] = {
    "eq": ops.Eq, "ne": ops.Ne, "lt": ops.Lt, "le": ops.Le, "gt": ops.Gt, "ge": ops.Ge,
}  # fmt: skip
BITWISE: dict[str, Make] = {
    "bitwise_and": ops.And, "__and__": ops.And, "bitwise_or": ops.Or, "__or__": ops.Or,
    "bitwise_xor": ops.Xor, "__xor__": ops.Xor,
}  # fmt: skip
LOGICAL: dict[str, Make] = {"logical_and": ops.And, "logical_or": ops.Or, "logical_xor": ops.Xor}


def _unary(op: Make):
    return lambda b, x: apply(op, result_as(b, x))


def _rounding(op: Make):
    return lambda b, x: apply(op, x) if x.dtype.is_float else x


def _arithmetic(op: Make):
    def read(b: ExportBuilder, x: Expr | Number, other: Expr | Number) -> Expr:
        make = ON_FLAGS.get(op, op) if b.result.dtype is DType.bool else op
        return apply(make, result_as(b, x), result_as(b, other))

    return read


def _comparison(op: Make):
    return lambda b, x, other: apply(op, *together(b, x, other))


def _logical(op: Make):
    return lambda b, x, other: apply(op, cast(b, x, DType.bool), cast(b, other, DType.bool))


for _table, _read in (
    (UNARY, _unary), (ROUNDING, _rounding), (ARITHMETIC, _arithmetic), (COMPARISONS, _comparison),
    (BITWISE, _arithmetic), (LOGICAL, _logical),
):  # fmt: skip
    for _name, _op in _table.items():
        aten(_name)(_read(_op))


ROOTS: dict[float, Make] = {0.5: ops.Sqrt, -0.5: ops.Rsqrt}


@aten("pow", "float_power")
def power(b: ExportBuilder, x: Expr | Number, exponent: Expr | Number) -> Expr:
    """Compute x^exponent; 1/2 and -1/2 are roots, as in torch's own kernel, which gives -0 for -0, NaN for -inf."""
    if not isinstance(exponent, Expr) and exponent in ROOTS:
        return apply(ROOTS[exponent], result_as(b, x))
    return result_as(b, x) ** result_as(b, exponent)


@aten("fmax")
def fmax(b: ExportBuilder, x: Expr | Number, other: Expr | Number) -> Expr:
    return maximum(*_without_nan(result_as(b, x), result_as(b, other)))


@aten("fmin")
def fmin(b: ExportBuilder, x: Expr | Number, other: Expr | Number) -> Expr:
    return minimum(*_without_nan(result_as(b, x), result_as(b, other)))


def _without_nan(x: Expr, y: Expr) -> tuple[Expr, Expr]:
    """Replace NaN in either of two operands by the other, for fmax and fmin to choose from."""
    if not x.dtype.is_float:
        return x, y
    return where(is_nan(x), y, x), where(is_nan(y), x, y)


@aten("add")
def add(b: ExportBuilder, x: Expr | Number, other: Expr | Number, alpha: Number = 1) -> Expr:
    return _sum(b, ops.Add, x, other, alpha)


@aten("sub", "subtract")
def sub(b: ExportBuilder, x: Expr | Number, other: Expr | Number, alpha: Number = 1) -> Expr:
    return _sum(b, ops.Sub, x, other, alpha)


@aten("rsub")
def rsub(b: ExportBuilder, x: Expr, other: Expr | Number, alpha: Number = 1) -> Expr:
    return _sum(b, ops.Sub, other, x, alpha)


def _sum(b: ExportBuilder, op: Make, x: Expr | Number, y: Expr | Number, alpha: Number) -> Expr:
    """Compute x + alpha * y or x - alpha * y; booleans add as `or`, and multiply as `and`."""
    if b.result.dtype is DType.bool:
        return result_as(b, x) | (result_as(b, y) & result_as(b, bool(alpha)))
    x, y = result_as(b, x), result_as(b, y)
    return apply(op, x, y if alpha == 1 else y * alpha)


@aten("div", "true_divide", "divide")
def div(b: ExportBuilder, x: Expr | Number, other: Expr | Number, rounding_mode: str | None = None) -> Expr:
    x, other = result_as(b, x), result_as(b, other)
    if rounding_mode == "floor":
        return x // other
    quotient = x / other
    return trunc(quotient) if rounding_mode == "trunc" and quotient.dtype.is_float else quotient


@aten("floor_divide")
def floor_divide(b: ExportBuilder, x: Expr | Number, other: Expr | Number) -> Expr:
    return result_as(b, x) // result_as(b, other)


@aten("square")
def square(b: ExportBuilder, x: Expr) -> Expr:
    return x * x


@aten("round.decimals")
def round_decimals(b: ExportBuilder, x: Expr, decimals: int = 0) -> Expr:
    scale = x.number(10.0**decimals)
    return round(x * scale) / scale


@aten("frac")
def frac(b: ExportBuilder, x: Expr) -> Expr:
    return x - trunc(x)


@aten("sgn")
def sgn(b: ExportBuilder, x: Expr) -> Expr:
    return sign(x)


@aten("angle")
def angle(b: ExportBuilder, x: Expr) -> Expr:
    """Return the angle of real numbers in the complex plane: pi for negative ones, 0 for others; NaN stays."""
    x = result_as(b, x)
    angles = where(x < 0, math.pi, x.number(0))
    return where(is_nan(x), x, angles)


@aten("exp2")
def exp2(b: ExportBuilder, x: Expr) -> Expr:
    return result_as(b, 2.0) ** result_as(b, x)


@aten("log2")
def log2(b: ExportBuilder, x: Expr) -> Expr:
    return log(result_as(b, x)) * (1 / math.log(2))


@aten("log10")
def log10(b: ExportBuilder, x: Expr) -> Expr:
    return log(result_as(b, x)) * (1 / math.log(10))


@aten("bitwise_not")
def bitwise_not(b: ExportBuilder, x: Expr) -> Expr:
    if x.dtype is DType.bool:
        return ~x
    return -x - 1


@aten("logical_not")
def logical_not(b: ExportBuilder, x: Expr) -> Expr:
    return ~x.cast(DType.bool)


@aten("isnan")
def isnan(b: ExportBuilder, x: Expr) -> Expr:
    return is_nan(x) if x.dtype.is_float else full(b, x.shape, False, DType.bool)


@aten("isinf")
def isinf(b: ExportBuilder, x: Expr) -> Expr:
    if not x.dtype.is_float:
        return full(b, x.shape, False, DType.bool)
    return abs(x) == math.inf


@aten("isfinite")
def isfinite(b: ExportBuilder, x: Expr) -> Expr:
    if not x.dtype.is_float:
        return full(b, x.shape, True, DType.bool)
    return abs(x) < math.inf


@aten("where")
def where_(b: ExportBuilder, condition: Expr, x: Expr | Number, other: Expr | Number) -> Expr:
    return where(condition.cast(DType.bool), result_as(b, x), result_as(b, other))


@aten("masked_fill")
def masked_fill(b: ExportBuilder, x: Expr, mask: Expr, value: Expr | Number) -> Expr:
    return where(mask, result_as(b, value), x)


@aten("clamp", "clip")
def clamp(b: ExportBuilder, x: Expr, min: Expr | Number | None = None, max: Expr | Number | None = None) -> Expr:
    x = result_as(b, x)
    if isinstance(min, Expr) or isinstance(max, Expr):
        x = x if min is None else maximum(x, result_as(b, min))
        return x if max is None else minimum(x, result_as(b, max))
    return x.clamp(min, max)


@aten("clamp_min")
def clamp_min(b: ExportBuilder, x: Expr, min: Expr | Number) -> Expr:
    return clamp(b, x, min)


@aten("clamp_max")
def clamp_max(b: ExportBuilder, x: Expr, max: Expr | Number) -> Expr:
    return clamp(b, x, None, max)


@aten("addcmul")
def addcmul(b: ExportBuilder, x: Expr, tensor1: Expr, tensor2: Expr, value: Number = 1) -> Expr:
    product = result_as(b, tensor1) * result_as(b, tensor2)
    return _sum(b, ops.Add, x, product, value)


@aten("addcdiv")
def addcdiv(b: ExportBuilder, x: Expr, tensor1: Expr, tensor2: Expr, value: Number = 1) -> Expr:
    quotient = result_as(b, tensor1) / result_as(b, tensor2)
    return _sum(b, ops.Add, x, quotient, value)


@aten("lerp")
def lerp(b: ExportBuilder, x: Expr, end: Expr, weight: Expr | Number) -> Expr:
    """Interpolate from the nearer end, as torch does: exactly `end` at 1."""
    step = end - x
    if not isinstance(weight, Expr):
        near_x = abs(weight) < 0.5
        part = (weight if near_x else 1 - weight) * step
        return x + part if near_x else end - part
    weight = result_as(b, weight)
    from_x = x + weight * step
    from_end = end - (1 - weight) * step
    return where(abs(weight) < 0.5, from_x, from_end)


@aten("_to_copy", "to", "type_as", "clone", "detach", "contiguous", "lift_fresh_copy", "lift_fresh")
def to_copy(b: ExportBuilder, x: Expr, *_: object, **__: object) -> Expr:
    """Copy a tensor, perhaps in another dtype (the declared one); devices and memory formats mean nothing here."""
    return result_as(b, x)


@aten("dropout", "feature_dropout", "alpha_dropout", "feature_alpha_dropout")
def dropout(b: ExportBuilder, x: Expr, p: float, train: bool) -> Expr:
    if train and p:
        raise Refusal("dropout is on: export the model in eval mode (model.eval())")
    return x


@aten("native_dropout")
def native_dropout(b: ExportBuilder, x: Expr, p: float, train: bool | None) -> tuple[Expr, Expr]:
    return dropout(b, x, p, bool(train)), full(b, x.shape, True, DType.bool)


@aten("copy")
def copy(b: ExportBuilder, x: Expr, src: Expr, non_blocking: bool = False) -> Expr:
    return src.cast(x.dtype).expand(*x.shape)
