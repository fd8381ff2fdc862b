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
from ttc.ir import Op
from ttc.ops.expr import Expr, apply, rsqrt


def _softmax(op: type[Op]) -> Callable:
    def entry(b: Emitter, x: Expr, *, axis=-1) -> Expr:
        return apply(op, x, axis_of(axis, x.rank))

    return entry


def _flat_softmax(op: type[Op]) -> Callable:
    """Make a softmax for opsets before 13, where all axes from `axis` on were one."""

    def entry(b: Emitter, x: Expr, *, axis=1) -> Expr:
        axis = axis_of(axis, x.rank)
        if math.prod(x.shape[axis + 1 :]) == 1:
            return apply(op, x, axis)
        flat = x.reshape(math.prod(x.shape[:axis]), math.prod(x.shape[axis:]))
        return apply(op, flat, 1).reshape(*x.shape)

    return entry


for _name, _op in (("Softmax", ops.Softmax), ("LogSoftmax", ops.LogSoftmax)):
    onnx_op(_name, since=13)(_softmax(_op))
    onnx_op(_name)(_flat_softmax(_op))


@onnx_op()
def BatchNormalization(
    b: Emitter, x: Expr, scale: Expr, bias: Expr, mean: Expr, var: Expr, *,
    epsilon=1e-5, momentum=0.9, spatial=1, is_test=0, training_mode=0,
) -> Expr | list[Expr]:  # fmt: skip
    if not spatial:
        raise Refusal("is not spatial")
    if training_mode or (b.opset < 7 and not is_test):
        return _trained_batch_norm(x, scale, bias, mean, var, epsilon, momentum)
    w, bias, mean, var = (item.cast(x.dtype) for item in (scale, bias, mean, var))
    return apply(ops.BatchNorm, x, w, bias, mean, var, epsilon)


def _trained_batch_norm(
    x: Expr, scale: Expr, bias: Expr, mean: Expr, var: Expr, eps: float, momentum: float
) -> list[Expr]:
    """Normalise by the batch's own statistics, and move the running ones towards them."""
    dims = (0, *range(2, x.rank))
    column = (1, x.shape[1], *[1] * (x.rank - 2))
    own = x.mean(dims, True)
    centred = x - own
    spread = (centred * centred).mean(dims, True)
    scale, bias = (item.cast(x.dtype).reshape(*column) for item in (scale, bias))
    y = centred * (rsqrt(shifted(spread, eps)) * scale)
    moved = [
        scaled(old, momentum) + scaled(new.reshape(*old.shape).cast(old.dtype), 1 - momentum)
        for old, new in ((mean, own), (var, spread))
    ]
    return [y + bias, *moved]


@onnx_op()
def InstanceNormalization(b: Emitter, x: Expr, scale: Expr, bias: Expr, *, epsilon=1e-5) -> Expr:
    return apply(ops.GroupNorm, x, scale, bias, x.shape[1], epsilon)


@onnx_op(since=18)
def GroupNormalization(b: Emitter, x: Expr, scale: Expr, bias: Expr, *, num_groups, epsilon=1e-5, stash_type=1) -> Expr:
    """Normalise groups; scale and bias are per channel from opset 21 on, per group before."""
    if b.opset < 21:
        each = x.shape[1] // num_groups
        scale, bias = (
            item.reshape(num_groups, 1).expand(num_groups, each).reshape(x.shape[1]) for item in (scale, bias)
        )
    return apply(ops.GroupNorm, x, scale, bias, num_groups, epsilon)


@onnx_op()
def LayerNormalization(
    b: Emitter, x: Expr, scale: Expr, bias: Expr | None = None, *, axis=-1, epsilon=1e-5, stash_type=1
) -> list[Expr]:
    axis = axis_of(axis, x.rank)
    y = layer_norm(x, scale, bias, axis, epsilon)
    return [y, *_statistics(x, axis, epsilon, stash_type)] if b.wants(1) or b.wants(2) else [y]


def layer_norm(x: Expr, scale: Expr, bias: Expr | None, axis: int, eps: float) -> Expr:
    """Compute a layer norm whose scale and bias may be any that broadcast to x."""
    shape, dims = x.shape[axis:], x.rank - axis
    scale, bias = _fitted(scale, shape), None if bias is None else _fitted(bias, shape)
    if all(item is None or item.shape == shape for item in (scale, bias)):
        return apply(ops.LayerNorm, x, scale, bias, dims, eps)
    y = apply(ops.LayerNorm, x, None, None, dims, eps) * scale
    return y if bias is None else y + bias


def _fitted(item: Expr, shape: Ints) -> Expr:
    """Reshape a scale to the normalised shape, where only leading ones are missing or too many."""
    if item.type.numel != math.prod(shape):
        return item
    return item.reshape(*shape) if tuple(s for s in item.shape if s > 1) == tuple(s for s in shape if s > 1) else item


def _statistics(x: Expr, axis: int, eps: float, stash_type: int) -> tuple[Expr, Expr]:
    """Compute mean and 1 / sqrt(var + eps), the second and third output of a layer norm."""
    dims = tuple(range(axis, x.rank))
    x = x.cast(dtype_of(stash_type))
    mean = x.mean(dims, True)
    centred = x - mean
    var = (centred * centred).mean(dims, True)
    return mean, rsqrt(shifted(var, eps))


@onnx_op("SimplifiedLayerNormalization")
@onnx_op(since=23)
def RMSNormalization(b: Emitter, x: Expr, scale: Expr, *, axis=-1, epsilon=1e-5, stash_type=1) -> Expr:
    return rms_norm(x, scale, axis_of(axis, x.rank), epsilon)


def rms_norm(x: Expr, scale: Expr, axis: int, eps: float) -> Expr:
    """Compute an RMS norm over the dimensions from `axis` on, which are merged into one."""
    flat = x.reshape(*x.shape[:axis], math.prod(x.shape[axis:]))
    scale = _fitted(scale, x.shape[axis:])
    if scale.shape == x.shape[axis:] and scale.dtype is x.dtype:
        return apply(ops.RmsNorm, flat, scale.reshape(*flat.shape[-1:]), eps).reshape(*x.shape)
    y = apply(ops.RmsNorm, flat, None, eps).reshape(*x.shape)
    return y.cast(scale.dtype) * scale


NEIGHBOURS = 4096
"""The largest number of neighbouring channels in a normalisation: each is a slice."""


@onnx_op()
def LRN(b: Emitter, x: Expr, *, size, alpha=1e-4, beta=0.75, bias=1.0) -> Expr:
    """Compute x / (bias + alpha / size * sum of x^2 over `size` neighbouring channels)^beta (Krizhevsky et al. 2012).

    The sum is one of shifted squares: a product with a banded matrix would multiply infinities of others by 0.
    """
    if x.rank < 3:
        raise Refusal(f"needs spatial dimensions, got {x.type}")
    channels = x.shape[1]
    within(size, NEIGHBOURS, "neighbouring channels")
    around = ((0, 0), ((size - 1) // 2, size // 2), *((0, 0) for _ in x.shape[2:]))
    squares = apply(ops.Pad, x * x, around)
    total = squares.part(1, 0, channels)
    for offset in range(1, size):
        total = total + squares.part(1, offset, offset + channels)
    divisor = shifted(scaled(total, alpha / size), bias)
    return x * divisor**-beta
