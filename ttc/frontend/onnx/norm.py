"""ONNX normalisations and softmax."""

from __future__ import annotations

import math
from collections.abc import Callable

from ttc import ops
from ttc.errors import Refusal
from ttc.frontend.onnx.elementwise import scaled, shifted
from ttc.frontend.onnx.emitter import Emitter
from ttc.frontend.onnx.shape import axis_of
from ttc.frontend.onnx.table import Ints, onnx_op
from ttc.frontend.onnx.tensors import dtype_of
from ttc.guard.budget import within
from ttc.ir import Op, Value


def _softmax(op: type[Op]) -> Callable:
    def entry(b: Emitter, x: Value, *, axis=-1) -> Value:
        return b(op(x, axis_of(axis, x.type.rank)))  # type: ignore[call-arg]

    return entry


def _flat_softmax(op: type[Op]) -> Callable:
    """Before opset 13 all axes from `axis` on were one."""

    def entry(b: Emitter, x: Value, *, axis=1) -> Value:
        axis = axis_of(axis, x.type.rank)
        if math.prod(x.shape[axis + 1 :]) == 1:
            return b(op(x, axis))  # type: ignore[call-arg]
        flat = b.reshape(x, (math.prod(x.shape[:axis]), math.prod(x.shape[axis:])))
        return b.reshape(b(op(flat, 1)), x.shape)  # type: ignore[call-arg]

    return entry


for _name, _op in (("Softmax", ops.Softmax), ("LogSoftmax", ops.LogSoftmax)):
    onnx_op(_name, since=13)(_softmax(_op))
    onnx_op(_name)(_flat_softmax(_op))


@onnx_op()
def BatchNormalization(
    b: Emitter, x: Value, scale: Value, bias: Value, mean: Value, var: Value, *,
    epsilon=1e-5, momentum=0.9, spatial=1, is_test=0, training_mode=0,
) -> Value | list[Value]:  # fmt: skip
    if not spatial:
        raise Refusal("is not spatial")
    if training_mode or (b.opset < 7 and not is_test):
        return _trained_batch_norm(b, x, scale, bias, mean, var, epsilon, momentum)
    w, bias, mean, var = (b.cast(item, x.dtype) for item in (scale, bias, mean, var))
    return b(ops.BatchNorm(x, w, bias, mean, var, epsilon))


def _trained_batch_norm(
    b: Emitter, x: Value, scale: Value, bias: Value, mean: Value, var: Value, eps: float, momentum: float
) -> list[Value]:
    """Normalised by the batch's own statistics, and the running ones moved towards them."""
    dims = (0, *range(2, x.type.rank))
    column = (1, x.shape[1], *[1] * (x.type.rank - 2))
    own = b(ops.Mean(x, dims, True))
    centred = b(ops.Sub(x, own))
    spread = b(ops.Mean(b(ops.Mul(centred, centred)), dims, True))
    scale, bias = (b.reshape(b.cast(item, x.dtype), column) for item in (scale, bias))
    y = b(ops.Mul(centred, b(ops.Mul(b(ops.Rsqrt(shifted(b, spread, eps))), scale))))
    moved = [
        b(ops.Add(scaled(b, old, momentum), scaled(b, b.cast(b.reshape(new, old.shape), old.dtype), 1 - momentum)))
        for old, new in ((mean, own), (var, spread))
    ]
    return [b(ops.Add(y, bias)), *moved]


@onnx_op()
def InstanceNormalization(b: Emitter, x: Value, scale: Value, bias: Value, *, epsilon=1e-5) -> Value:
    return b(ops.GroupNorm(x, scale, bias, x.shape[1], epsilon))


@onnx_op(since=18)
def GroupNormalization(
    b: Emitter, x: Value, scale: Value, bias: Value, *, num_groups, epsilon=1e-5, stash_type=1
) -> Value:
    """Scale and bias are per channel from opset 21 on, per group before."""
    if b.opset < 21:
        each = x.shape[1] // num_groups
        scale, bias = (
            b.reshape(b.expand(b.reshape(item, (num_groups, 1)), (num_groups, each)), (x.shape[1],))
            for item in (scale, bias)
        )
    return b(ops.GroupNorm(x, scale, bias, num_groups, epsilon))


@onnx_op()
def LayerNormalization(
    b: Emitter, x: Value, scale: Value, bias: Value | None = None, *, axis=-1, epsilon=1e-5, stash_type=1
) -> list[Value]:
    axis = axis_of(axis, x.type.rank)
    y = layer_norm(b, x, scale, bias, axis, epsilon)
    return [y, *_statistics(b, x, axis, epsilon, stash_type)] if b.wants(1) or b.wants(2) else [y]


def layer_norm(b: Emitter, x: Value, scale: Value, bias: Value | None, axis: int, eps: float) -> Value:
    """A layer norm whose scale and bias may be any that broadcast to x."""
    shape, dims = x.shape[axis:], x.type.rank - axis
    scale, bias = _fitted(b, scale, shape), None if bias is None else _fitted(b, bias, shape)
    if all(item is None or item.shape == shape for item in (scale, bias)):
        return b(ops.LayerNorm(x, scale, bias, dims, eps))
    y = b(ops.Mul(b(ops.LayerNorm(x, None, None, dims, eps)), scale))
    return y if bias is None else b(ops.Add(y, bias))


def _fitted(b: Emitter, item: Value, shape: Ints) -> Value:
    """A scale as one of the normalised shape, where it only lacks or adds leading ones."""
    if item.type.numel != math.prod(shape):
        return item
    return b.reshape(item, shape) if tuple(s for s in item.shape if s > 1) == tuple(s for s in shape if s > 1) else item


def _statistics(b: Emitter, x: Value, axis: int, eps: float, stash_type: int) -> tuple[Value, Value]:
    """Mean and 1 / sqrt(var + eps), the second and third output of a layer norm."""
    dims = tuple(range(axis, x.type.rank))
    x = b.cast(x, dtype_of(stash_type))
    mean = b(ops.Mean(x, dims, True))
    centred = b(ops.Sub(x, mean))
    var = b(ops.Mean(b(ops.Mul(centred, centred)), dims, True))
    return mean, b(ops.Rsqrt(shifted(b, var, eps)))


@onnx_op("SimplifiedLayerNormalization")
@onnx_op(since=23)
def RMSNormalization(b: Emitter, x: Value, scale: Value, *, axis=-1, epsilon=1e-5, stash_type=1) -> Value:
    return rms_norm(b, x, scale, axis_of(axis, x.type.rank), epsilon)


def rms_norm(b: Emitter, x: Value, scale: Value, axis: int, eps: float) -> Value:
    """An RMS norm over the dimensions from `axis` on, which are merged into one."""
    flat = b.reshape(x, (*x.shape[:axis], math.prod(x.shape[axis:])))
    scale = _fitted(b, scale, x.shape[axis:])
    if scale.shape == x.shape[axis:] and scale.dtype is x.dtype:
        return b.reshape(b(ops.RmsNorm(flat, b.reshape(scale, flat.shape[-1:]), eps)), x.shape)
    y = b.reshape(b(ops.RmsNorm(flat, None, eps)), x.shape)
    return b(ops.Mul(b.cast(y, scale.dtype), scale))


NEIGHBOURS = 4096
"""Channels that one normalised channel looks at: each is a slice."""


@onnx_op()
def LRN(b: Emitter, x: Value, *, size, alpha=1e-4, beta=0.75, bias=1.0) -> Value:
    """x / (bias + alpha / size * sum of x^2 over `size` neighbouring channels)^beta (Krizhevsky et al. 2012).

    The sum is one of shifted squares: a product with a banded matrix would multiply infinities of others by 0.
    """
    if x.type.rank < 3:
        raise Refusal(f"needs spatial dimensions, got {x.type}")
    channels = x.shape[1]
    within(size, NEIGHBOURS, "neighbouring channels")
    around = ((0, 0), ((size - 1) // 2, size // 2), *((0, 0) for _ in x.shape[2:]))
    squares = b(ops.Pad(b(ops.Mul(x, x)), around))
    total = b.slice(squares, 1, 0, channels)
    for offset in range(1, size):
        total = b(ops.Add(total, b.slice(squares, 1, offset, offset + channels)))
    divisor = shifted(b, scaled(b, total, alpha / size), bias)
    return b(ops.Mul(x, b(ops.Pow(divisor, b.full(-beta, x.dtype)))))
