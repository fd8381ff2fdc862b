"""Elementwise ops that one call of three operands does."""

from __future__ import annotations

from ttc import ops
from ttc.backend.lowering import Lowering
from ttc.calls.ternary import Addcmul
from ttc.ir import Value


def with_gate(op: ops.Add, to: Lowering) -> Value | None:
    """Return x + gate * y, where the gate is one row of numbers of run time for all of y, by one call; None for others.

    So a block of a diffusion model adds what it computed.
    """
    for x, product in ((op.a, op.b), (op.b, op.a)):
        match product.op:
            case ops.Mul(a=a, b=b) if x.shape == product.shape and x.dtype.is_float and to.uses[product] == 1:
                for gate, y in ((a, b), (b, a)):
                    if _is_row(gate, y) and all(to.static(value) is None for value in (x, y, gate)):
                        x_, gate_, y_ = (to.tile(to(value)) for value in (x, gate, y))
                        return to.call(Addcmul(x_, gate_, y_)) if x_.dtype is gate_.dtype is y_.dtype else None
    return None


def _is_row(gate: Value, y: Value) -> bool:
    """Return whether `gate` is one row that all rows of y are multiplied with."""
    return y.type.rank > 0 and gate.shape[-1:] == y.shape[-1:] and gate.type.numel == y.shape[-1] < y.type.numel
