"""Readings of elementwise aten ops, with torch's dtype promotion made explicit."""

from __future__ import annotations

import math
from collections.abc import Callable

from ttc import ops
from ttc.errors import Refusal
from ttc.frontend.export import compose
from ttc.frontend.export.compose import result_as
from ttc.frontend.export.table import ExportBuilder, Number, aten, cast, full, together
from ttc.ir import DType, Op, Value

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
    "atan2": ops.Atan2, "arctan2": ops.Atan2,
}  # fmt: skip
COMPARISONS: dict[str, Make] = {
    "eq": ops.Eq, "ne": ops.Ne, "lt": ops.Lt, "le": ops.Le, "gt": ops.Gt, "ge": ops.Ge,
}  # fmt: skip
BITWISE: dict[str, Make] = {
    "bitwise_and": ops.And, "__and__": ops.And, "bitwise_or": ops.Or, "__or__": ops.Or,
    "bitwise_xor": ops.Xor, "__xor__": ops.Xor,
}  # fmt: skip
LOGICAL: dict[str, Make] = {"logical_and": ops.And, "logical_or": ops.Or, "logical_xor": ops.Xor}


def _unary(op: Make):
    return lambda b, x: b(op(result_as(b, x)))


def _rounding(op: Make):
    return lambda b, x: b(op(x)) if x.dtype.is_float else x


def _arithmetic(op: Make):
    def read(b: ExportBuilder, x: Value | Number, other: Value | Number) -> Value:
        return b(op(result_as(b, x), result_as(b, other)))

    return read


def _comparison(op: Make):
    return lambda b, x, other: b(op(*together(b, x, other)))


def _logical(op: Make):
    return lambda b, x, other: b(op(cast(b, x, DType.bool), cast(b, other, DType.bool)))


for _table, _read in (
    (UNARY, _unary), (ROUNDING, _rounding), (ARITHMETIC, _arithmetic), (COMPARISONS, _comparison),
    (BITWISE, _arithmetic), (LOGICAL, _logical),
):  # fmt: skip
    for _name, _op in _table.items():
        aten(_name)(_read(_op))


ROOTS: dict[float, Make] = {0.5: ops.Sqrt, -0.5: ops.Rsqrt}


@aten("pow", "float_power")
def power(b: ExportBuilder, x: Value | Number, exponent: Value | Number) -> Value:
    """x^exponent; the numbers 1/2 and -1/2 are roots, as in torch's own kernel, which gives -0 for -0, NaN for -inf."""
    if not isinstance(exponent, Value) and exponent in ROOTS:
        return b(ROOTS[exponent](result_as(b, x)))
    return b(ops.Pow(result_as(b, x), result_as(b, exponent)))


@aten("fmax")
def fmax(b: ExportBuilder, x: Value | Number, other: Value | Number) -> Value:
    return b(ops.Maximum(*_without_nan(b, result_as(b, x), result_as(b, other))))


@aten("fmin")
def fmin(b: ExportBuilder, x: Value | Number, other: Value | Number) -> Value:
    return b(ops.Minimum(*_without_nan(b, result_as(b, x), result_as(b, other))))


def _without_nan(b: ExportBuilder, x: Value, y: Value) -> tuple[Value, Value]:
    """Two operands, NaN in one of them replaced by the other: what fmax and fmin choose from."""
    if not x.dtype.is_float:
        return x, y
    return b(ops.Where(b(ops.IsNan(x)), y, x)), b(ops.Where(b(ops.IsNan(y)), x, y))


@aten("add")
def add(b: ExportBuilder, x: Value | Number, other: Value | Number, alpha: Number = 1) -> Value:
    return _sum(b, ops.Add, x, other, alpha)


@aten("sub", "subtract")
def sub(b: ExportBuilder, x: Value | Number, other: Value | Number, alpha: Number = 1) -> Value:
    return _sum(b, ops.Sub, x, other, alpha)


@aten("rsub")
def rsub(b: ExportBuilder, x: Value, other: Value | Number, alpha: Number = 1) -> Value:
    return _sum(b, ops.Sub, other, x, alpha)


def _sum(b: ExportBuilder, op: Make, x: Value | Number, y: Value | Number, alpha: Number) -> Value:
    """x + alpha * y or x - alpha * y; booleans add as `or`."""
    if b.result.dtype is DType.bool:
        return b(ops.Or(result_as(b, x), result_as(b, y)))
    x, y = result_as(b, x), result_as(b, y)
    return b(op(x, y if alpha == 1 else b(ops.Mul(y, result_as(b, alpha)))))


@aten("div", "true_divide", "divide")
def div(b: ExportBuilder, x: Value | Number, other: Value | Number, rounding_mode: str | None = None) -> Value:
    x, other = result_as(b, x), result_as(b, other)
    if rounding_mode == "floor":
        return b(ops.FloorDiv(x, other))
    quotient = b(ops.Div(x, other))
    return b(ops.Trunc(quotient)) if rounding_mode == "trunc" and quotient.dtype.is_float else quotient


@aten("floor_divide")
def floor_divide(b: ExportBuilder, x: Value | Number, other: Value | Number) -> Value:
    return b(ops.FloorDiv(result_as(b, x), result_as(b, other)))


@aten("square")
def square(b: ExportBuilder, x: Value) -> Value:
    return b(ops.Mul(x, x))


@aten("round.decimals")
def round_decimals(b: ExportBuilder, x: Value, decimals: int = 0) -> Value:
    scale = result_as(b, 10.0**decimals)
    return b(ops.Div(b(ops.Round(b(ops.Mul(x, scale)))), scale))


@aten("frac")
def frac(b: ExportBuilder, x: Value) -> Value:
    return b(ops.Sub(x, b(ops.Trunc(x))))


@aten("sgn")
def sgn(b: ExportBuilder, x: Value) -> Value:
    return b(ops.Sign(x))


@aten("exp2")
def exp2(b: ExportBuilder, x: Value) -> Value:
    return b(ops.Pow(result_as(b, 2.0), result_as(b, x)))


@aten("log2")
def log2(b: ExportBuilder, x: Value) -> Value:
    return b(ops.Mul(b(ops.Log(result_as(b, x))), result_as(b, 1 / math.log(2))))


@aten("log10")
def log10(b: ExportBuilder, x: Value) -> Value:
    return b(ops.Mul(b(ops.Log(result_as(b, x))), result_as(b, 1 / math.log(10))))


@aten("bitwise_not")
def bitwise_not(b: ExportBuilder, x: Value) -> Value:
    if x.dtype is DType.bool:
        return b(ops.Not(x))
    return b(ops.Sub(b(ops.Neg(x)), result_as(b, 1)))


@aten("logical_not")
def logical_not(b: ExportBuilder, x: Value) -> Value:
    return b(ops.Not(cast(b, x, DType.bool)))


@aten("isnan")
def isnan(b: ExportBuilder, x: Value) -> Value:
    return b(ops.IsNan(x)) if x.dtype.is_float else full(b, x.shape, False, DType.bool)


@aten("isinf")
def isinf(b: ExportBuilder, x: Value) -> Value:
    if not x.dtype.is_float:
        return full(b, x.shape, False, DType.bool)
    return b(ops.Eq(b(ops.Abs(x)), cast(b, math.inf, x.dtype)))


@aten("isfinite")
def isfinite(b: ExportBuilder, x: Value) -> Value:
    if not x.dtype.is_float:
        return full(b, x.shape, True, DType.bool)
    return b(ops.Lt(b(ops.Abs(x)), cast(b, math.inf, x.dtype)))


@aten("where")
def where(b: ExportBuilder, condition: Value, x: Value | Number, other: Value | Number) -> Value:
    return b(ops.Where(cast(b, condition, DType.bool), result_as(b, x), result_as(b, other)))


@aten("masked_fill")
def masked_fill(b: ExportBuilder, x: Value, mask: Value, value: Value | Number) -> Value:
    return b(ops.Where(mask, result_as(b, value), x))


@aten("clamp", "clip")
def clamp(b: ExportBuilder, x: Value, min: Value | Number | None = None, max: Value | Number | None = None) -> Value:
    x = result_as(b, x)
    if isinstance(min, Value) or isinstance(max, Value):
        x = x if min is None else b(ops.Maximum(x, result_as(b, min)))
        return x if max is None else b(ops.Minimum(x, result_as(b, max)))
    return b(ops.Clamp(x, min, max))


@aten("clamp_min")
def clamp_min(b: ExportBuilder, x: Value, min: Value | Number) -> Value:
    return clamp(b, x, min)


@aten("clamp_max")
def clamp_max(b: ExportBuilder, x: Value, max: Value | Number) -> Value:
    return clamp(b, x, None, max)


@aten("addcmul")
def addcmul(b: ExportBuilder, x: Value, tensor1: Value, tensor2: Value, value: Number = 1) -> Value:
    product = b(ops.Mul(result_as(b, tensor1), result_as(b, tensor2)))
    return _sum(b, ops.Add, x, product, value)


@aten("addcdiv")
def addcdiv(b: ExportBuilder, x: Value, tensor1: Value, tensor2: Value, value: Number = 1) -> Value:
    quotient = b(ops.Div(result_as(b, tensor1), result_as(b, tensor2)))
    return _sum(b, ops.Add, x, quotient, value)


@aten("lerp")
def lerp(b: ExportBuilder, x: Value, end: Value, weight: Value | Number) -> Value:
    """From the nearer end, as torch: exactly `end` at 1."""
    step = b(ops.Sub(end, x))
    if not isinstance(weight, Value):
        near_x = abs(weight) < 0.5
        part = b(ops.Mul(result_as(b, weight if near_x else 1 - weight), step))
        return b(ops.Add(x, part)) if near_x else b(ops.Sub(end, part))
    weight = result_as(b, weight)
    from_x = b(ops.Add(x, b(ops.Mul(weight, step))))
    from_end = b(ops.Sub(end, b(ops.Mul(b(ops.Sub(result_as(b, 1), weight)), step))))
    return b(ops.Where(b(ops.Lt(b(ops.Abs(weight)), result_as(b, 0.5))), from_x, from_end))


@aten("_to_copy", "to", "type_as", "clone", "alias", "detach", "contiguous", "lift_fresh_copy", "lift_fresh")
def to_copy(b: ExportBuilder, x: Value, *_: object, **__: object) -> Value:
    """A tensor again, perhaps in another dtype (the declared one); devices and memory formats mean nothing here."""
    return result_as(b, x)


@aten("dropout", "feature_dropout", "alpha_dropout", "feature_alpha_dropout")
def dropout(b: ExportBuilder, x: Value, p: float, train: bool) -> Value:
    if train and p:
        raise Refusal("dropout is on: export the model in eval mode (model.eval())")
    return x


@aten("native_dropout")
def native_dropout(b: ExportBuilder, x: Value, p: float, train: bool | None) -> tuple[Value, Value]:
    return dropout(b, x, p, bool(train)), full(b, x.shape, True, DType.bool)


@aten("copy")
def copy(b: ExportBuilder, x: Value, src: Value, non_blocking: bool = False) -> Value:
    return compose.expand(b, cast(b, src, x.dtype), x.shape)
