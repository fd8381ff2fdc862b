"""Lowering of elementwise ops with one operand."""

from __future__ import annotations

from math import ceil, floor, inf

from ttc import ops
from ttc.backend.lowering import Lowering, lowers
from ttc.backend.rules.binary import CALLS as BINARY
from ttc.backend.rules.binary import combine
from ttc.backend.rules.numbers import held
from ttc.calls import binary as binary_calls
from ttc.calls import logic
from ttc.calls import unary as calls
from ttc.calls.call import FUSED
from ttc.calls.layout import Bitcast
from ttc.errors import Refusal
from ttc.ir import DType, Op, Value

CALLS: dict[type[Op], type[calls.UnaryCall]] = {
    ops.Abs: calls.Abs,
    ops.Acos: calls.Acos,
    ops.Acosh: calls.Acosh,
    ops.Asin: calls.Asin,
    ops.Asinh: calls.Asinh,
    ops.Atan: calls.Atan,
    ops.Atanh: calls.Atanh,
    ops.Ceil: calls.Ceil,
    ops.Cos: calls.Cos,
    ops.Cosh: calls.Cosh,
    ops.Erf: calls.Erf,
    ops.Exp: calls.Exp,
    ops.Expm1: calls.Expm1,
    ops.Floor: calls.Floor,
    ops.HardSwish: calls.Hardswish,
    ops.IsNan: calls.Isnan,
    ops.Log: calls.Log,
    ops.Log1p: calls.Log1p,
    ops.Mish: calls.Mish,
    ops.Neg: calls.Neg,
    ops.Not: calls.LogicalNot,
    ops.Reciprocal: calls.Reciprocal,
    ops.Relu: calls.Relu,
    ops.Round: calls.Round,
    ops.Rsqrt: calls.Rsqrt,
    ops.Sigmoid: calls.Sigmoid,
    ops.Silu: calls.Silu,
    ops.Sin: calls.Sin,
    ops.Sinh: calls.Sinh,
    ops.Softsign: calls.Softsign,
    ops.Sqrt: calls.Sqrt,
    ops.Tan: calls.Tan,
    ops.Tanh: calls.Tanh,
    ops.Trunc: calls.Trunc,
}
"""Call of each op that one TTNN call without attributes does."""


@lowers(*CALLS)
def unary(op: Op, to: Lowering) -> Value:
    """Lower to the call of the same meaning; the relu or inverse root of a sum, difference or product is part of it."""
    match op:
        case (
            ops.Relu(x=Value(ops.Add() | ops.Sub() | ops.Mul()) as x)
            | ops.Rsqrt(x=Value(ops.Add() | ops.Sub() | ops.Mul()) as x)
        ) if to.uses[x] == 1 and x.dtype.is_float:
            alike = to.float_of(x) is to.dtype and to.static(x) is None
            if x.op.a is not x.op.b and alike and isinstance(to(x).op, binary_calls.BinaryCall):  # type: ignore[attr-defined]
                after = (FUSED[op.mnemonic],)
                return combine(BINARY[type(x.op)], x.op, to, activations=after)  # type: ignore[arg-type]
    return to.call(CALLS[type(op)](to(op.x)))  # type: ignore[attr-defined]


@lowers(ops.Sign)
def sign(op: ops.Sign, to: Lowering) -> Value:
    """Lower to TTNN's sign for floats; an integer's sign is (x > 0) - (x < 0)."""
    x = to(op.x)
    if op.x.dtype.is_float:
        return to.call(calls.Sign(x))
    # 1 - 0, 0 - 0 or 0 - 1
    return to.call(binary_calls.Subtract(to.call(logic.Gt(x, 0)), to.call(logic.Lt(x, 0))))


@lowers(ops.Gelu)
def gelu(op: ops.Gelu, to: Lowering) -> Value:
    """Lower to the exact form, or to the approximation by tanh where the model has that."""
    variant = calls.GeluVariant.Tanh if op.approximate else calls.GeluVariant.Accurate
    return to.call(calls.Gelu(to(op.x), variant=variant))


@lowers(ops.LeakyRelu)
def leaky_relu(op: ops.LeakyRelu, to: Lowering) -> Value:
    """Lower with the model's slope."""
    return to.call(calls.LeakyRelu(to(op.x), op.slope))


@lowers(ops.Elu)
def elu(op: ops.Elu, to: Lowering) -> Value:
    """Lower with the model's alpha."""
    return to.call(calls.Elu(to(op.x), alpha=op.alpha))


@lowers(ops.Softplus)
def softplus(op: ops.Softplus, to: Lowering) -> Value:
    """Lower with the model's beta and threshold."""
    return to.call(calls.Softplus(to(op.x), beta=op.beta, threshold=op.threshold))


@lowers(ops.HardSigmoid)
def hard_sigmoid(op: ops.HardSigmoid, to: Lowering) -> Value:
    """Lower to one call for torch's slope and offset, to the formula for others (ONNX's default slope is 0.2)."""
    x = to(op.x)
    if (op.alpha, op.beta) == (1 / 6, 0.5):
        return to.call(calls.Hardsigmoid(x))
    # max(0, min(1, alpha * x + beta))
    line = to.call(binary_calls.Add(to.call(binary_calls.Multiply(x, op.alpha)), op.beta))
    return to.call(calls.Clamp(line, min=0.0, max=1.0))


@lowers(ops.Clamp)
def clamp(op: ops.Clamp, to: Lowering) -> Value:
    """Lower a clamp; integers take integer bounds of the same effect, and no bound that excludes no i32."""
    low, high = op.low, op.high
    if op.x.dtype.is_integer:
        low = None if low is None or low <= -(2**31) else held(ceil(low) if low < inf else low, DType.i32)
        high = None if high is None or high >= 2**31 - 1 else held(floor(high) if high > -inf else high, DType.i32)
    if op.x.dtype.is_float:
        low = None if low in (None, -inf) else held(low, to.dtype)
        high = None if high in (None, inf) else held(high, to.dtype)
    if low is None and high is None:
        return to(op.x)
    return to.call(calls.Clamp(to(op.x), min=low, max=high))


@lowers(ops.Cast)
def cast(op: ops.Cast, to: Lowering) -> Value:
    """Lower a cast: to integers floats truncate, as in TTNN; to bool is a comparison with 0; between floats is no call.

    An integer is compared as the program's float, in which no other number rounds to 0: masks are read by floats.
    """
    x, source, target = to(op.x), op.x.dtype, op.dtype
    if target is DType.bool:
        return x if source is DType.bool else to.call(calls.Nez(to.cast(x, to.dtype)))
    if target.is_float:
        return to.cast(x, to.dtype)
    if target.is_integer:
        return wrapped(to.cast(x, DType.i32), source, target, to)
    raise Refusal(f"{target} has no counterpart on the device")


def wrapped(x: Value, source: DType, target: DType, to: Lowering) -> Value:
    """Wrap i32 numbers of the model's `source` dtype modulo the size of `target`, which may hold fewer."""
    if target.bytes >= 4 or (source.kind == "bool") or (source is target):
        return x
    size = 2 ** int(target.bytes * 8)
    if target.kind == "uint":
        return to.call(logic.BitwiseAnd(x, size - 1))
    if source.is_integer and source.bytes < target.bytes:
        return x
    # ((x + size / 2) mod size) - size / 2 lies in [-size / 2, size / 2), the range of a signed integer
    low = to.call(logic.BitwiseAnd(to.call(binary_calls.Add(x, size // 2)), size - 1))
    return to.call(binary_calls.Subtract(low, size // 2))


@lowers(ops.BitCast)
def bit_cast(op: ops.BitCast, to: Lowering) -> Value:
    """Lower a change of dtype between 32-bit floats and integers, in programs that hold 32-bit floats."""
    x, source = to(op.x), op.x.dtype
    if source.bytes != 4 or to.dtype is not DType.f32:
        raise Refusal(f"the bits of {source} are not those that the device holds")
    return to.call(Bitcast(x, to.device_dtype(op.infer())))
