"""ONNX operators that work element by element."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import reduce

import torch

from ttc import ops
from ttc.errors import Refusal
from ttc.frontend.onnx.attributes import check_word
from ttc.frontend.onnx.emitter import Emitter
from ttc.frontend.onnx.small_floats import to_small_float
from ttc.frontend.onnx.table import Number, onnx_op
from ttc.frontend.onnx.tensors import dtype_of
from ttc.ir import DType, Op
from ttc.ops.expr import Expr, apply, maximum, minimum, sigmoid, silu, where
from ttc.ops.torch_types import HELD

UNARY: dict[str, type[Op]] = {
    "Abs": ops.Abs, "Acos": ops.Acos, "Acosh": ops.Acosh, "Asin": ops.Asin, "Asinh": ops.Asinh, "Atan": ops.Atan,
    "Atanh": ops.Atanh, "Ceil": ops.Ceil, "Cos": ops.Cos, "Cosh": ops.Cosh, "Erf": ops.Erf, "Exp": ops.Exp,
    "Floor": ops.Floor, "HardSwish": ops.HardSwish, "IsNaN": ops.IsNan, "Log": ops.Log, "Mish": ops.Mish,
    "Neg": ops.Neg, "Not": ops.Not, "Reciprocal": ops.Reciprocal, "Relu": ops.Relu, "Round": ops.Round,
    "Sigmoid": ops.Sigmoid, "Sign": ops.Sign, "Sin": ops.Sin, "Sinh": ops.Sinh, "Softplus": ops.Softplus,
    "Softsign": ops.Softsign, "Sqrt": ops.Sqrt, "Tan": ops.Tan, "Tanh": ops.Tanh,
}  # fmt: skip
BINARY: dict[str, type[Op]] = {
    "Add": ops.Add, "And": ops.And, "BitwiseAnd": ops.And, "BitwiseOr": ops.Or, "BitwiseXor": ops.Xor,
    "Div": ops.Div, "Equal": ops.Eq, "Greater": ops.Gt, "GreaterOrEqual": ops.Ge, "Less": ops.Lt,
    "LessOrEqual": ops.Le, "Mul": ops.Mul, "Or": ops.Or, "Sub": ops.Sub, "Xor": ops.Xor,
}  # fmt: skip
VARIADIC: dict[str, type[Op]] = {"Max": ops.Maximum, "Min": ops.Minimum, "Sum": ops.Add}


def _unary(op: type[Op]) -> Callable:
    def entry(b: Emitter, x: Expr) -> Expr:
        return apply(op, x)

    return entry


def _binary(op: type[Op]) -> Callable:
    def entry(b: Emitter, a: Expr, c: Expr) -> Expr:
        return apply(op, a, c)

    return entry


def _binary_by_axis(op: type[Op]) -> Callable:
    """Make a reading for opsets before 7, where the second operand's dimensions began at `axis`, if broadcast."""

    def entry(b: Emitter, a: Expr, c: Expr, *, broadcast=0, axis=None) -> Expr:
        return apply(op, a, _from_axis(c, a, axis) if broadcast else c)

    return entry


def _from_axis(c: Expr, like: Expr, axis: int | None) -> Expr:
    if axis is None or c.rank == 0:
        return c
    after = like.rank - axis % like.rank - c.rank
    if after < 0:
        raise Refusal(f"{c.type} does not fit {like.type} from axis {axis} on")
    return c.reshape(*c.shape, *[1] * after)


def _variadic(op: type[Op]) -> Callable:
    def entry(b: Emitter, x: Expr, *others: Expr) -> Expr:
        return reduce(lambda a, c: apply(op, a, c), others, x)

    return entry


for _name, _op in UNARY.items():
    onnx_op(_name)(_unary(_op))
for _name, _op in BINARY.items():
    onnx_op(_name, since=7)(_binary(_op))
    onnx_op(_name)(_binary_by_axis(_op))
for _name, _op in VARIADIC.items():
    onnx_op(_name)(_variadic(_op))


def scaled(x: Expr, factor: float) -> Expr:
    """Multiply x by a number; integers take the number without its fraction."""
    return x if factor == 1 else x * x.number(factor)


def shifted(x: Expr, term: float) -> Expr:
    """Add a number to x; integers take the number without its fraction."""
    return x if term == 0 else x + x.number(term)


@onnx_op()
def Mean(b: Emitter, x: Expr, *others: Expr) -> Expr:
    total = reduce(lambda a, c: a + c, others, x)
    return total / (1 + len(others)) if others else x


@onnx_op()
def Identity(b: Emitter, x: Expr) -> Expr:
    return x


@onnx_op()
def Dropout(b: Emitter, x: Expr, ratio: Number = 0.5, training_mode: Number = 0, *, seed=0, is_test=0) -> list[Expr]:
    if (training_mode or (b.opset < 7 and not is_test)) and ratio:
        raise Refusal("drops at random in training mode")
    dtype = DType.bool if b.opset >= 10 else x.dtype
    return [x, *([b.full(1, dtype, x.shape)] if b.wants(1) else [])]


@onnx_op()
def Cast(b: Emitter, x: Expr, *, to, saturate=1, round_mode="up") -> Expr:
    return cast(x, dtype_of(to), bool(saturate), round_mode)


def cast(x: Expr, dtype: DType, saturate: bool = True, round_mode: str = "up") -> Expr:
    """Convert x to another dtype; floats of up to 8 bits are rounded to first."""
    if dtype.is_float and dtype in HELD:
        return to_small_float(x, dtype, saturate, round_mode)
    return x.cast(dtype)


@onnx_op()
def CastLike(b: Emitter, x: Expr, like: Expr, *, saturate=1, round_mode="up") -> Expr:
    return cast(x, like.dtype, bool(saturate), round_mode)


@onnx_op()
def BitCast(b: Emitter, x: Expr, *, to) -> Expr:
    dtype = dtype_of(to)
    if not x.dtype.is_float and not dtype.is_float:  # integers of one size wrap
        return x.cast(dtype)
    return apply(ops.BitCast, x, dtype)


@onnx_op()
def BitShift(b: Emitter, x: Expr, y: Expr, *, direction) -> Expr:
    check_word("direction", direction, "LEFT", "RIGHT")
    return apply(ops.ShiftLeft if direction == "LEFT" else ops.ShiftRight, x, y)


@onnx_op()
def Clip(b: Emitter, x: Expr, min: Expr | None = None, max: Expr | None = None) -> Expr:
    """Clip to bounds, which are numbers where they are known; run-time ones become maximum and minimum."""
    low, high = (_bound(b, bound, x.dtype) for bound in (min, max))
    if not isinstance(low, Expr) and not isinstance(high, Expr):
        low, high = _unless_infinite(low), _unless_infinite(high)
        return x if low is None and high is None else x.clamp(low, high)
    x = x if min is None else maximum(x, min)
    return x if max is None else minimum(x, max)


def _unless_infinite(bound: float | None) -> float | None:
    return None if bound in (-math.inf, math.inf) else bound


def _bound(b: Emitter, bound: Expr | float | None, dtype: DType) -> Expr | float | None:
    """Return a bound as a number if known; older opsets give the whole float range for none."""
    if isinstance(bound, Expr):
        tensor = b.tensor(bound)
        return bound if tensor is None else tensor.item()
    return None if bound is None else _written_bound(bound, dtype)


def _written_bound(bound: float, dtype: DType) -> float | None:
    if not dtype.is_float:
        return int(bound)
    return None if abs(bound) >= torch.finfo(torch.float32).max else float(bound)


@onnx_op()
def Pow(b: Emitter, x: Expr, exponent: Expr, *, broadcast=0, axis=None) -> Expr:
    """Raise x to a power in the base's dtype; an integer base with a floating exponent computes in floats."""
    exponent = _from_axis(exponent, x, axis) if broadcast else exponent
    if x.dtype.is_integer and exponent.dtype.is_integer and b.tensor(exponent) is None:
        return _integer_power(x, exponent.cast(x.dtype))
    if x.dtype is exponent.dtype:
        return x**exponent
    if x.dtype.is_float or exponent.dtype.is_integer:
        return x ** exponent.cast(x.dtype)
    return (x.cast(exponent.dtype) ** exponent).cast(x.dtype)


def _integer_power(x: Expr, exponent: Expr) -> Expr:
    """Raise x to a power by squaring, over the exponent's bits; beyond 31 only its parity counts: all else overflows.

    To a negative power, 1 and -1 follow from the exponent's bits, and all others are 0, as fractions towards zero.
    """
    one, zero = x.number(1), x.number(0)
    vanishes = (exponent < zero) & (abs(x) != one)
    # 31 or 30 by parity: exact for 0, 1 and -1, whereas the true power of any other number overflows.
    exponent = where(exponent > 31, (exponent & one) + 30, exponent)
    y = one.expand(*x.shape)
    # y is multiplied by x^(2^bit) for each set bit; x is squared on the way.
    for bit in range(5):
        y = where((exponent & (1 << bit)) != zero, y * x, y)
        x = x * x if bit < 4 else x
    return where(vanishes, zero, y)


@onnx_op()
def Mod(b: Emitter, a: Expr, c: Expr, *, fmod=0) -> Expr:
    return apply(ops.Fmod if fmod else ops.Remainder, a, c)


@onnx_op()
def Where(b: Emitter, condition: Expr, x: Expr, y: Expr) -> Expr:
    return where(condition, x, y)


@onnx_op()
def BitwiseNot(b: Emitter, x: Expr) -> Expr:
    ones = (1 << int(x.dtype.bytes * 8)) - 1 if x.dtype.kind == "uint" else -1
    return x ^ ones


@onnx_op()
def IsInf(b: Emitter, x: Expr, *, detect_negative=1, detect_positive=1) -> Expr:
    if not detect_negative and not detect_positive:
        return b.full(False, DType.bool, x.shape)
    if detect_negative and detect_positive:
        return abs(x) == math.inf
    return x == (math.inf if detect_positive else -math.inf)


@onnx_op()
def LeakyRelu(b: Emitter, x: Expr, *, alpha=0.01) -> Expr:
    return apply(ops.LeakyRelu, x, alpha)


@onnx_op()
def PRelu(b: Emitter, x: Expr, slope: Expr) -> Expr:
    """Apply a slope to negative numbers; before opset 7 a slope has one number a channel, the second dimension."""
    if b.opset < 7 and slope.type.numel > 1:
        slope = slope.reshape(slope.type.numel, *[1] * (x.rank - 2))
    number = ops.number_of(slope.value)
    if number is not None and x.dtype.is_float:
        return apply(ops.LeakyRelu, x, number)
    return where(x < 0, x * slope, x)


@onnx_op()
def Elu(b: Emitter, x: Expr, *, alpha=1.0) -> Expr:
    return apply(ops.Elu, x, alpha)


@onnx_op()
def Celu(b: Emitter, x: Expr, *, alpha=1.0) -> Expr:
    """Compute alpha * elu(x / alpha)."""
    if alpha == 1:
        return apply(ops.Elu, x)
    return scaled(apply(ops.Elu, x / alpha), alpha)


@onnx_op(since=6)
def Selu(b: Emitter, x: Expr, *, alpha=1.6732632, gamma=1.050701) -> Expr:
    return scaled(apply(ops.Elu, x, alpha), gamma)


@onnx_op("Selu")
def _selu_1(b: Emitter, x: Expr, *, alpha=1.6732, gamma=1.0507) -> Expr:
    return Selu(b, x, alpha=alpha, gamma=gamma)


@onnx_op()
def ThresholdedRelu(b: Emitter, x: Expr, *, alpha=1.0) -> Expr:
    return where(x > alpha, x, 0)


@onnx_op()
def Shrink(b: Emitter, x: Expr, *, bias=0.0, lambd=0.5) -> Expr:
    above, below = x > x.number(lambd), x < x.number(-lambd)
    return where(above, shifted(x, -bias), where(below, shifted(x, bias), 0))


@onnx_op()
def HardSigmoid(b: Emitter, x: Expr, *, alpha=0.2, beta=0.5) -> Expr:
    return apply(ops.HardSigmoid, x, alpha, beta)


@onnx_op()
def Gelu(b: Emitter, x: Expr, *, approximate="none") -> Expr:
    check_word("approximation", approximate, "none", "tanh")
    return apply(ops.Gelu, x, approximate == "tanh")


@onnx_op()
def Swish(b: Emitter, x: Expr, *, alpha=1.0) -> Expr:
    return silu(x) if alpha == 1 else x * sigmoid(scaled(x, alpha))
