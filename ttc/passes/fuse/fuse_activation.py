"""The pass that makes one op of an activation written out by hand."""

from __future__ import annotations

import math

from ttc import ops
from ttc.ir import Builder, Graph, Op, Value
from ttc.passes.fuse.match import addend, close, factors, is_number
from ttc.passes.normal import rebuild


def fuse_activation(graph: Graph) -> Graph:
    """Fuse gelu (erf and tanh forms), silu, hard swish, mish and sigmoid, however the products are associated.

    Also fuse 1 - erf(x), which cancels to 0 beyond x = 3.9, to erfc.

    Before:
        %a: f32[8] = div(a=%x, b=%root_two)
        %b: f32[8] = erf(x=%a)
        %c: f32[8] = add(a=%b, b=%one)
        %d: f32[8] = mul(a=%x, b=%c)
        %y: f32[8] = mul(a=%d, b=%half)
    After:
        %y: f32[8] = gelu(x=%x)
    """
    return rebuild(graph, _product, _sigmoid, _erfc)


def _sigmoid(op: ops.Reciprocal, builder: Builder) -> Value | None:
    """Match sigmoid(x) = 1 / (1 + exp(-x))."""
    match op:
        # 1 / total, where total = power + 1
        case ops.Reciprocal(x=total) if isinstance(power := addend(total, 1.0), Value):
            # power = exp(-x)
            if isinstance(power.op, ops.Exp) and isinstance(power.op.x.op, ops.Neg):
                return builder(ops.Sigmoid(power.op.x.op.x))
    return None


def _erfc(op: ops.Sub, builder: Builder) -> Value | None:
    """Match erfc(x) = 1 - erf(x)."""
    match op:
        case ops.Sub(a=one, b=Value(ops.Erf(x=x)) as rest) if is_number(one, 1.0) and rest.type == op.infer():
            return builder(ops.Erfc(x))
    return None


def _product(op: ops.Mul | ops.Div, builder: Builder) -> Value | None:
    if not isinstance(op, (ops.Mul, ops.Div)) or not op.a.dtype.is_float:
        return None
    # number * parts[0] * parts[1], flattened from any order of multiplications and divisions by a number
    number, parts = _factors_of(op)
    if len(parts) != 2:
        return None
    dtype = op.a.dtype
    for x, gate in (parts, parts[::-1]):  # either factor may be x, the other is the gate f(x)
        if x.type != op.infer() or gate.type != x.type:
            continue
        made = _gated(number, x, gate, dtype)
        if made is not None:
            return builder(made)
    return None


def _factors_of(op: ops.Mul | ops.Div) -> tuple[float, list[Value]]:
    """Return a product's constant factor and other factors; no factors where a tensor divides."""
    first, left = factors(op.a)
    second, right = factors(op.b)
    if isinstance(op, ops.Mul):
        return first * second, left + right
    return (first / second, left) if not right and second else (1.0, [])


def _gated(number: float, x: Value, gate: Value, dtype) -> Op | None:
    """Match number * x * gate, where gate = f(x), as one op."""
    match gate.op:
        # gelu(x) = 1/2 * x * (1 + inner)
        case ops.Add() if close(number, 0.5, dtype) and (inner := addend(gate, 1.0)) is not None:
            return _gelu(x, inner)
        # gelu(x) = 1/2 * x * erfc(-x / sqrt(2))
        case ops.Erfc(x=scaled) if close(number, 0.5, dtype):
            factor, parts = factors(scaled)
            return ops.Gelu(x) if parts == [x] and close(factor, -math.sqrt(0.5), dtype) else None
        # silu(x) = x * sigmoid(x)
        case ops.Sigmoid(x=same) if same is x and number == 1:
            return ops.Silu(x)
        # hard_swish(x) = x * clamp(x / 6 + 1/2, 0, 1) = 1/6 * x * clamp(x + 3, 0, 6)
        case ops.HardSigmoid(x=same, alpha=alpha, beta=0.5) if same is x and number == 1 and math.isclose(alpha, 1 / 6):
            return ops.HardSwish(x)
        case ops.Clamp(x=raised, low=0.0, high=6.0) if addend(raised, 3.0) is x and close(number, 1 / 6, dtype):
            return ops.HardSwish(x)
        # mish(x) = x * tanh(softplus(x))
        case ops.Tanh(x=Value(ops.Softplus(x=same, beta=1.0))) if same is x and number == 1:
            return ops.Mish(x)
    return None


def _gelu(x: Value, inner: Value) -> Op | None:
    """Match gelu(x) = x * (1 + inner) / 2, where inner is erf(x / sqrt(2)) or the tanh that approximates that erf."""
    match inner.op:
        # inner = erf(x * sqrt(1/2))
        case ops.Erf(x=scaled):
            number, parts = factors(scaled)
            return ops.Gelu(x) if parts == [x] and close(number, math.sqrt(0.5), x.dtype) else None
        # inner = tanh(sqrt(2 / pi) * (x + 0.044715 x^3))
        case ops.Tanh(x=scaled):
            return ops.Gelu(x, approximate=True) if _is_tanh_argument(scaled, x) else None
    return None


def _is_tanh_argument(scaled: Value, x: Value) -> bool:
    """Return whether `scaled` is sqrt(2 / pi) * (x + 0.044715 x^3), or that with x factored out."""
    number, parts = factors(scaled)
    if not close(number, math.sqrt(2 / math.pi), x.dtype):
        return False
    # sqrt(2 / pi) * x * (1 + 0.044715 x^2)
    if len(parts) == 2 and x in parts:
        other = parts[1] if parts[0] is x else parts[0]
        square = addend(other, 1.0)
        return square is not None and _is_power(square, x, 2)
    # sqrt(2 / pi) * (x + 0.044715 x^3), the sum in either order
    if len(parts) == 1 and isinstance(parts[0].op, ops.Add):
        a, b = parts[0].op.a, parts[0].op.b
        return (a is x and _is_power(b, x, 3)) or (b is x and _is_power(a, x, 3))
    return False


def _is_power(value: Value, x: Value, power: int) -> bool:
    """Return whether `value` is 0.044715 * x ** power, the power written as a product."""
    number, parts = factors(value)
    return close(number, 0.044715, x.dtype) and parts == [x] * power
