"""ONNX operators that put elements in places known at run time only."""

from __future__ import annotations

import math

from ttc import ops
from ttc.errors import Refusal
from ttc.frontend.blocks import summed_blocks
from ttc.frontend.determinant import determinant
from ttc.frontend.onnx.attributes import check_word
from ttc.frontend.onnx.emitter import Emitter
from ttc.frontend.onnx.shape import axis_of
from ttc.frontend.onnx.table import Ints, onnx_op
from ttc.frontend.scatter import put_each
from ttc.ir import DType
from ttc.ops.expr import Expr, apply, where


def _along(size: int, axis: int, rank: int) -> Ints:
    return tuple(size if i == axis else 1 for i in range(rank))


@onnx_op(since=24)
def TensorScatter(
    b: Emitter, past: Expr, update: Expr, write_indices: Expr | None = None, *, axis=-2, mode="linear"
) -> Expr:
    """Write an update into a cache, from each sample's own position on."""
    axis = axis_of(axis, past.rank)
    batch, count, size = past.shape[0], update.shape[axis], past.shape[axis]
    check_word("mode", mode, "linear", "circular")
    if axis == 0:
        raise Refusal("writes along axis 0, of samples")
    start = b.full(0, DType.i64, (batch,)) if write_indices is None else write_indices
    places = start.reshape(batch, *[1] * (past.rank - 1))
    places = places + b.arange(count, start.dtype).reshape(*_along(count, axis, past.rank))
    if mode == "circular":
        places = places % size
    return put_each(b, past, places, update, axis, lambda old, new: new)


@onnx_op()
def ReverseSequence(b: Emitter, x: Expr, sequence_lens: Expr, *, batch_axis=1, time_axis=0) -> Expr:
    """Reverse the first elements of each sample, as many as the sample's length."""
    if {batch_axis, time_axis} != {0, 1}:
        raise Refusal(f"reverses axis {time_axis} of batches along axis {batch_axis}")
    lengths = sequence_lens.reshape(*_along(sequence_lens.shape[0], batch_axis, 2))
    times = b.arange(x.shape[time_axis], lengths.dtype).reshape(*_along(x.shape[time_axis], time_axis, 2))
    mirrored = lengths - times - 1
    source = where(times < lengths, mirrored, times)
    source = source.reshape(*x.shape[:2], *[1] * (x.rank - 2))
    return apply(ops.Gather, x, source.expand(*x.shape), time_axis)


@onnx_op()
def MaxUnpool(
    b: Emitter, x: Expr, indices: Expr, output_shape: Ints | None = None, *, kernel_shape, pads=None, strides=None
) -> Expr:
    """Put the elements of x in zeros at their indices (into the whole tensor); pad at the ends if asked."""
    rank = len(kernel_shape)
    strides, pads = strides or (1,) * rank, pads or (0,) * 2 * rank
    spatial = [
        (size - 1) * step + kernel - pads[i] - pads[i + rank]
        for i, (size, step, kernel) in enumerate(zip(x.shape[2:], strides, kernel_shape, strict=True))
    ]
    shape = (*x.shape[:2], *spatial)
    flat, index = (item.reshape(x.type.numel) for item in (x, indices))
    y = apply(ops.Scatter, b.full(0, x.dtype, (math.prod(shape),)), index, flat, 0).reshape(*shape)
    if output_shape is None or output_shape == shape:
        return y
    return apply(ops.Pad, y, tuple((0, wanted - size) for wanted, size in zip(output_shape, shape, strict=True)))


@onnx_op(domain="ai.onnx.ml")
def ArrayFeatureExtractor(b: Emitter, x: Expr, indices: Expr) -> Expr:
    """Select columns of x by number."""
    x = x.reshape(1, *x.shape) if x.rank == 1 else x
    index = indices.reshape(*[1] * (x.rank - 1), indices.type.numel)
    return apply(ops.Gather, x, index.expand(*x.shape[:-1], indices.type.numel), x.rank - 1)


@onnx_op(domain="ai.onnx.ml")
def Binarizer(b: Emitter, x: Expr, *, threshold=0.0) -> Expr:
    return (x > x.number(threshold)).cast(x.dtype)


@onnx_op()
def Det(b: Emitter, x: Expr) -> Expr:
    return determinant(x)


@onnx_op()
def Col2Im(
    b: Emitter, x: Expr, image_shape: Ints, block_shape: Ints, *, dilations=None, pads=None, strides=None
) -> Expr:
    rank = len(block_shape)
    pads = pads or (0,) * 2 * rank
    sides = tuple((pads[i], pads[i + rank]) for i in range(rank))
    ones = (1,) * rank
    return summed_blocks(b, x, image_shape, block_shape, strides or ones, sides, dilations or ones)
