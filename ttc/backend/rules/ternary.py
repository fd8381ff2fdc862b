"""Elementwise ops that one call of three operands does."""

from __future__ import annotations

from ttc import ops
from ttc.backend.lowering import Lowering
from ttc.calls.ternary import Addcmul, SnakeBeta
from ttc.ir import Value


def summed(op: ops.Add, to: Lowering) -> Value | None:
    """Return a sum by one call of three operands; None where none takes it."""
    for rule in (snake, with_gate, scaled_and_shifted):
        if op.a.dtype.is_float and (found := rule(op, to)) is not None:
            return found
    return None


def snake(op: ops.Add, to: Lowering) -> Value | None:
    """Return x + sin(alpha * x)^2 * c as the snake of beta = 1 / c, of rows of constants; None for others."""
    for x, wave in ((op.a, op.b), (op.b, op.a)):
        match wave.op:
            # wave = sin(alpha * x)^2 * c, where c is a constant row
            case ops.Mul(a=square, b=c) if (sine := _squared(square, to)) is not None and _is_row(c, x):
                match sine.op:
                    case ops.Sin(x=Value(ops.Mul(a=same, b=alpha)) as angle) if same is x and alpha.shape == c.shape:
                        alone = all(to.uses[value] == 1 for value in (wave, square, angle))
                        alone = alone and to.float_of(angle) is to.dtype  # not the sine of a position, in fp32
                        known, scale = to.static(alpha), to.static(c)
                        if alone and x.type.rank > 1 and known is not None and scale is not None:
                            x_ = to.tile(to(x))
                            rows = [to.tile(to.upload(v, x_.dtype)) for v in (known, to.derive(ops.Reciprocal(scale)))]
                            return to.call(SnakeBeta(x_, *rows)) if to.static(x) is None else None
    return None


def _squared(square: Value, to: Lowering) -> Value | None:
    """Return s of s * s or s^2, which nothing else reads."""
    match square.op:
        case ops.Mul(a=s, b=same) if s is same and to.uses[s] <= 2:
            return s
        case ops.Pow(a=s, b=exponent) if ops.number_of(exponent) == 2 and to.uses[s] == 1:
            return s
    return None


def scaled_and_shifted(op: ops.Add, to: Lowering) -> Value | None:
    """Return x * scale + shift, both rows of numbers of run time, by one call; None for others.

    So an adaptive norm ends.
    """
    for product, shift in ((op.a, op.b), (op.b, op.a)):
        match product.op:
            case ops.Mul(a=a, b=b) if to.uses[product] == 1 and _is_row(shift, product):
                for scale, x in ((a, b), (b, a)):
                    if _is_row(scale, x) and x.shape == product.shape:
                        return _addcmul(shift, x, scale, to)
    return None


def with_gate(op: ops.Add, to: Lowering) -> Value | None:
    """Return x + gate * y, where the gate is one row of numbers of run time for all of y, by one call; None for others.

    So a block of a diffusion model adds what it computed.
    """
    for x, product in ((op.a, op.b), (op.b, op.a)):
        match product.op:
            case ops.Mul(a=a, b=b) if x.shape == product.shape and x.dtype.is_float and to.uses[product] == 1:
                for gate, y in ((a, b), (b, a)):
                    if _is_row(gate, y) and y.shape == product.shape:
                        return _addcmul(x, gate, y, to)
    return None


def _addcmul(a: Value, b: Value, c: Value, to: Lowering) -> Value | None:
    """Return a + b * c by one call, where all three are of run time and of one dtype on the card."""
    if any(to.static(value) is not None for value in (a, b, c)):
        return None
    tensors = [to.tile(to(value)) for value in (a, b, c)]
    return to.call(Addcmul(*tensors)) if len({tensor.dtype for tensor in tensors}) == 1 else None


def _is_row(gate: Value, y: Value) -> bool:
    """Return whether `gate` is one row that all rows of y are multiplied with."""
    return y.type.rank > 0 and gate.shape[-1:] == y.shape[-1:] and gate.type.numel == y.shape[-1] < y.type.numel
