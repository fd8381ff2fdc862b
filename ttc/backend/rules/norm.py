"""Lowering of normalisations and softmax."""

from __future__ import annotations

from math import prod

from ttc import ops
from ttc.backend.lowering import Lowering, lowers
from ttc.backend.rules.moves import reshaped
from ttc.calls.norm import LayerNorm, LogSoftmax, RmsNorm, Softmax
from ttc.ir import Value


@lowers(ops.LayerNorm)
def layer_norm(op: ops.LayerNorm, to: Lowering) -> Value:
    """Lower to one call over the last dimension; several normalised dimensions are joined into one."""
    x, residual = _summands(op.x, to)
    shape = (*op.x.shape[: -op.dims], prod(op.x.shape[-op.dims :]))
    y = to.call(
        LayerNorm(
            reshaped(x, shape, to),
            epsilon=op.eps,
            weight=_parameter(op.w, to),
            bias=_parameter(op.bias, to),
            residual_input_tensor=None if residual is None else reshaped(residual, shape, to),
        )
    )
    return reshaped(y, op.x.shape, to)


@lowers(ops.RmsNorm)
def rms_norm(op: ops.RmsNorm, to: Lowering) -> Value:
    """Lower to one call over the last dimension."""
    x, residual = _summands(op.x, to)
    return to.call(
        RmsNorm(
            x,
            epsilon=op.eps,
            weight=_parameter(op.w, to),
            residual_input_tensor=residual,
        )
    )


def _summands(x: Value, to: Lowering) -> tuple[Value, Value | None]:
    """Return x alone, or the two values whose sum x is if no other op reads the sum: the norm adds them itself."""
    match x.op:
        case ops.Add(a=a, b=b) if to.uses[x] == 1 and a.shape == b.shape and to.static(a) is to.static(b) is None:
            return to.tile(to(a)), to.tile(to(b))
    return to.tile(to(x)), None


def _parameter(value: Value | None, to: Lowering) -> Value | None:
    """Return a weight or bias as one row."""
    if value is None:
        return None
    static = to.static(value)
    if static is not None and value.type.rank > 1:
        return to.upload(to.derive(ops.Reshape(static, (value.type.numel,))))
    return reshaped(to.tile(to(value)), (value.type.numel,), to)


@lowers(ops.Softmax)
def softmax(op: ops.Softmax, to: Lowering) -> Value:
    """Lower to one call, along any dimension."""
    x = to.tile(to(op.x))
    return to.call(Softmax(x, op.dim))


@lowers(ops.LogSoftmax)
def log_softmax(op: ops.LogSoftmax, to: Lowering) -> Value:
    """Lower to one call of the moreh family, which subtracts the maximum first."""
    x = to.tile(to(op.x))
    return to.call(LogSoftmax(x, dim=op.dim))
