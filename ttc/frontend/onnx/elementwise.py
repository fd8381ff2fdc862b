"""ONNX operators that work element by element."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import reduce

import torch
from onnx import TensorProto

from ttc import ops
from ttc.errors import Refusal
from ttc.frontend.onnx.emitter import Emitter
from ttc.frontend.onnx.small_floats import to_small_float
from ttc.frontend.onnx.table import Ints, Number, onnx_op
from ttc.frontend.onnx.tensors import Store, dtype_of, tensor_data, weight
from ttc.guard.budget import check_table
from ttc.ir import DType, Op, Value
from ttc.ops.torch_types import HELD, to_torch

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
    def entry(b: Emitter, x: Value) -> Value:
        return b(op(x))  # type: ignore[call-arg]

    return entry


def _binary(op: type[Op]) -> Callable:
    def entry(b: Emitter, a: Value, c: Value) -> Value:
        return b(op(a, c))  # type: ignore[call-arg]

    return entry


def _binary_by_axis(op: type[Op]) -> Callable:
    """Before opset 7 the second operand was broadcast only when asked, its dimensions beginning at `axis`."""

    def entry(b: Emitter, a: Value, c: Value, *, broadcast=0, axis=None) -> Value:
        return b(op(a, _from_axis(b, c, a, axis) if broadcast else c))  # type: ignore[call-arg]

    return entry


def _from_axis(b: Emitter, c: Value, like: Value, axis: int | None) -> Value:
    if axis is None or c.type.rank == 0:
        return c
    after = like.type.rank - axis % like.type.rank - c.type.rank
    if after < 0:
        raise Refusal(f"{c.type} does not fit {like.type} from axis {axis} on")
    return b.reshape(c, (*c.shape, *[1] * after))


def _variadic(op: type[Op]) -> Callable:
    def entry(b: Emitter, x: Value, *others: Value) -> Value:
        return reduce(lambda a, c: b(op(a, c)), others, x)  # type: ignore[call-arg]

    return entry


for _name, _op in UNARY.items():
    onnx_op(_name)(_unary(_op))
for _name, _op in BINARY.items():
    onnx_op(_name, since=7)(_binary(_op))
    onnx_op(_name)(_binary_by_axis(_op))
for _name, _op in VARIADIC.items():
    onnx_op(_name)(_variadic(_op))


def scaled(b: Emitter, x: Value, factor: float) -> Value:
    """x times a number."""
    return x if factor == 1 else b(ops.Mul(x, b.full(factor, x.dtype)))


def shifted(b: Emitter, x: Value, term: float) -> Value:
    """x plus a number."""
    return x if term == 0 else b(ops.Add(x, b.full(term, x.dtype)))


@onnx_op()
def Mean(b: Emitter, x: Value, *others: Value) -> Value:
    total = reduce(lambda a, c: b(ops.Add(a, c)), others, x)
    return b(ops.Div(total, b.full(1 + len(others), x.dtype))) if others else x


@onnx_op()
def Identity(b: Emitter, x: Value) -> Value:
    return x


@onnx_op()
def Dropout(b: Emitter, x: Value, ratio: Number = 0.5, training_mode: Number = 0, *, seed=0, is_test=0) -> list[Value]:
    if (training_mode or (b.opset < 7 and not is_test)) and ratio:
        raise Refusal("drops at random in training mode")
    dtype = DType.bool if b.opset >= 10 else x.dtype
    return [x, *([b.full(1, dtype, x.shape)] if b.wants(1) else [])]


@onnx_op()
def Cast(b: Emitter, x: Value, *, to, saturate=1, round_mode="up") -> Value:
    return cast(b, x, dtype_of(to), bool(saturate), round_mode)


def cast(b: Emitter, x: Value, dtype: DType, saturate: bool = True, round_mode: str = "up") -> Value:
    """x in another dtype; floats of up to 8 bits are rounded to first."""
    if dtype.is_float and dtype in HELD:
        return to_small_float(b, x, dtype, saturate, round_mode)
    return b.cast(x, dtype)


@onnx_op()
def CastLike(b: Emitter, x: Value, like: Value, *, saturate=1, round_mode="up") -> Value:
    return cast(b, x, like.dtype, bool(saturate), round_mode)


@onnx_op()
def BitCast(b: Emitter, x: Value, *, to) -> Value:
    dtype = dtype_of(to)
    if not x.dtype.is_float and not dtype.is_float:  # integers of one size wrap
        return b.cast(x, dtype)
    return b(ops.BitCast(x, dtype))


@onnx_op()
def BitShift(b: Emitter, x: Value, y: Value, *, direction) -> Value:
    if direction not in ("LEFT", "RIGHT"):
        raise Refusal(f"no direction is called {direction!r}")
    return b((ops.ShiftLeft if direction == "LEFT" else ops.ShiftRight)(x, y))


@onnx_op()
def Clip(b: Emitter, x: Value, min: Value | None = None, max: Value | None = None) -> Value:
    """Bounds as numbers where they are known; run-time ones become maximum and minimum."""
    low, high = (_bound(b, bound, x.dtype) for bound in (min, max))
    if not isinstance(low, Value) and not isinstance(high, Value):
        low, high = _unless_infinite(low), _unless_infinite(high)
        return x if low is None and high is None else b(ops.Clamp(x, low, high))
    x = x if min is None else b(ops.Maximum(x, min))
    return x if max is None else b(ops.Minimum(x, max))


def _unless_infinite(bound: float | None) -> float | None:
    return None if bound in (-math.inf, math.inf) else bound


def _bound(b: Emitter, bound: Value | float | None, dtype: DType) -> Value | float | None:
    """A bound as a number if it is known; older opsets give the whole float range for none."""
    if isinstance(bound, Value):
        tensor = b.tensor(bound)
        return bound if tensor is None else tensor.item()
    if bound is None or (dtype.is_float and abs(bound) >= torch.finfo(torch.float32).max):
        return None
    return float(bound) if dtype.is_float else int(bound)


@onnx_op()
def Pow(b: Emitter, x: Value, exponent: Value, *, broadcast=0, axis=None) -> Value:
    """The result has the base's dtype; an integer base with a floating exponent computes in floats."""
    exponent = _from_axis(b, exponent, x, axis) if broadcast else exponent
    if x.dtype.is_integer and exponent.dtype.is_integer and b.tensor(exponent) is None:
        return _integer_power(b, x, b.cast(exponent, x.dtype))
    if x.dtype is exponent.dtype:
        return b(ops.Pow(x, exponent))
    if x.dtype.is_float or exponent.dtype.is_integer:
        return b(ops.Pow(x, b.cast(exponent, x.dtype)))
    return b.cast(b(ops.Pow(b.cast(x, exponent.dtype), exponent)), x.dtype)


def _integer_power(b: Emitter, x: Value, exponent: Value) -> Value:
    """By the bits of the exponent; beyond 31 it says only whether it is odd: all else overflows.

    To a negative power 1 and -1 are what their bits say, and all others are 0, as fractions towards zero.
    """
    one, zero = b.full(1, x.dtype), b.full(0, x.dtype)
    vanishes = b(ops.And(b(ops.Lt(exponent, zero)), b(ops.Ne(b(ops.Abs(x)), one))))
    parity = b(ops.Add(b(ops.And(exponent, one)), b.full(30, x.dtype)))
    exponent = b(ops.Where(b(ops.Gt(exponent, b.full(31, x.dtype))), parity, exponent))
    y = b.expand(one, x.shape)
    for bit in range(5):
        chosen = b(ops.Ne(b(ops.And(exponent, b.full(1 << bit, x.dtype))), zero))
        y = b(ops.Where(chosen, b(ops.Mul(y, x)), y))
        x = b(ops.Mul(x, x)) if bit < 4 else x
    return b(ops.Where(vanishes, zero, y))


@onnx_op()
def Mod(b: Emitter, a: Value, c: Value, *, fmod=0) -> Value:
    return b((ops.Fmod if fmod else ops.Remainder)(a, c))


@onnx_op()
def Where(b: Emitter, condition: Value, x: Value, y: Value) -> Value:
    return b(ops.Where(condition, x, y))


@onnx_op()
def BitwiseNot(b: Emitter, x: Value) -> Value:
    ones = (1 << int(x.dtype.bytes * 8)) - 1 if x.dtype.kind == "uint" else -1
    return b(ops.Xor(x, b.full(ones, x.dtype)))


@onnx_op()
def IsInf(b: Emitter, x: Value, *, detect_negative=1, detect_positive=1) -> Value:
    if not detect_negative and not detect_positive:
        return b.full(False, DType.bool, x.shape)
    if detect_negative and detect_positive:
        return b(ops.Eq(b(ops.Abs(x)), b.full(math.inf, x.dtype)))
    return b(ops.Eq(x, b.full(math.inf if detect_positive else -math.inf, x.dtype)))


@onnx_op()
def LeakyRelu(b: Emitter, x: Value, *, alpha=0.01) -> Value:
    return b(ops.LeakyRelu(x, alpha))


@onnx_op()
def PRelu(b: Emitter, x: Value, slope: Value) -> Value:
    """Before opset 7 a slope has one number a channel, the second dimension."""
    if b.opset < 7 and slope.type.numel > 1:
        slope = b.reshape(slope, (slope.type.numel, *[1] * (x.type.rank - 2)))
    number = ops.number_of(slope)
    if number is not None and x.dtype.is_float:
        return b(ops.LeakyRelu(x, number))
    return b(ops.Where(b(ops.Lt(x, b.full(0, x.dtype))), b(ops.Mul(x, slope)), x))


@onnx_op()
def Elu(b: Emitter, x: Value, *, alpha=1.0) -> Value:
    return b(ops.Elu(x, alpha))


@onnx_op()
def Celu(b: Emitter, x: Value, *, alpha=1.0) -> Value:
    """alpha * elu(x / alpha)."""
    if alpha == 1:
        return b(ops.Elu(x))
    return scaled(b, b(ops.Elu(b(ops.Div(x, b.full(alpha, x.dtype))))), alpha)


@onnx_op()
def Selu(b: Emitter, x: Value, *, alpha=1.6732632, gamma=1.050701) -> Value:
    return scaled(b, b(ops.Elu(x, alpha)), gamma)


@onnx_op()
def ThresholdedRelu(b: Emitter, x: Value, *, alpha=1.0) -> Value:
    return b(ops.Where(b(ops.Gt(x, b.full(alpha, x.dtype))), x, b.full(0, x.dtype)))


@onnx_op()
def Shrink(b: Emitter, x: Value, *, bias=0.0, lambd=0.5) -> Value:
    above = b(ops.Gt(x, b.full(lambd, x.dtype)))
    below = b(ops.Lt(x, b.full(-lambd, x.dtype)))
    inner = b(ops.Where(below, shifted(b, x, bias), b.full(0, x.dtype)))
    return b(ops.Where(above, shifted(b, x, -bias), inner))


@onnx_op()
def HardSigmoid(b: Emitter, x: Value, *, alpha=0.2, beta=0.5) -> Value:
    return b(ops.HardSigmoid(x, alpha, beta))


@onnx_op()
def Gelu(b: Emitter, x: Value, *, approximate="none") -> Value:
    return b(ops.Gelu(x, approximate == "tanh"))


@onnx_op()
def Swish(b: Emitter, x: Value, *, alpha=1.0) -> Value:
    return b(ops.Silu(x)) if alpha == 1 else b(ops.Mul(x, b(ops.Sigmoid(scaled(b, x, alpha)))))


@onnx_op()
def ConstantOfShape(b: Emitter, shape: Ints, *, value: TensorProto | None = None) -> Value:
    if value is None:
        return b.full(0.0, DType.f32, shape)
    tensor = tensor_data(weight(value, Store(None)))
    return b.full(tensor.flatten()[0].item(), dtype_of(value.data_type), shape)


@onnx_op()
def EyeLike(b: Emitter, x: Value, *, dtype=None, k=0) -> Value:
    rows, columns = x.shape
    check_table(rows, columns)
    kind = x.dtype if dtype is None else dtype_of(dtype)
    offsets = torch.arange(columns)[None, :] - torch.arange(rows)[:, None]
    return b.constant((offsets == k).to(to_torch(kind)))
