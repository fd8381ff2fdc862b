"""ONNX operators that put elements in places that are known at run time only."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch

from ttc import ops
from ttc.errors import Refusal
from ttc.frontend.onnx.emitter import Emitter
from ttc.frontend.onnx.shape import axis_of
from ttc.frontend.onnx.table import Ints, onnx_op
from ttc.ir import DType, Op, Value

STEP_LIMIT = 64
"""Updates that may be put in place one after another, each a comparison with every position."""
REDUCTIONS: dict[str, type[Op]] = {"mul": ops.Mul, "max": ops.Maximum, "min": ops.Minimum}


def reduced_scatter(b: Emitter, x: Value, index: Value, updates: Value, axis: int, reduction: str) -> Value:
    """x with each update combined into its place, one slice of the updates after another."""
    combine = REDUCTIONS.get(reduction)
    if combine is None:
        raise Refusal(f"no reduction is called {reduction!r}")
    if any(i != axis and n != size for i, (n, size) in enumerate(zip(index.shape, x.shape, strict=True))):
        raise Refusal(f"a {reduction} of {index.type} into part of {x.type}")
    return _each(b, x, index, updates, axis, lambda old, new: b(combine(old, new)))  # type: ignore[call-arg]


def _each(
    b: Emitter, x: Value, index: Value, updates: Value, axis: int, combine: Callable[[Value, Value], Value]
) -> Value:
    """x where no index points, else what `combine` makes of it and the update."""
    count = index.shape[axis]
    if count > STEP_LIMIT:
        raise Refusal(f"puts {count} updates in place one after another, more than {STEP_LIMIT}")
    positions = b.reshape(b.arange(x.shape[axis], index.dtype), _along(x.shape[axis], axis, x.type.rank))
    for i in range(count):
        here = b(ops.Eq(positions, b.slice(index, axis, i, i + 1)))
        x = b(ops.Where(here, combine(x, b.slice(updates, axis, i, i + 1)), x))
    return x


def _along(size: int, axis: int, rank: int) -> Ints:
    return tuple(size if i == axis else 1 for i in range(rank))


@onnx_op(since=24)
def TensorScatter(
    b: Emitter, past: Value, update: Value, write_indices: Value | None = None, *, axis=-2, mode="linear"
) -> Value:
    """A cache with an update written into it, from each sample's own position on."""
    axis = axis_of(axis, past.type.rank)
    batch, count, size = past.shape[0], update.shape[axis], past.shape[axis]
    if axis == 0 or mode not in ("linear", "circular"):
        raise Refusal(f"writes along axis {axis} in the mode {mode!r}")
    start = b.full(0, DType.i64, (batch,)) if write_indices is None else write_indices
    places = b.reshape(start, (batch, *[1] * (past.type.rank - 1)))
    places = b(ops.Add(places, b.reshape(b.arange(count, start.dtype), _along(count, axis, past.type.rank))))
    if mode == "circular":
        places = b(ops.Remainder(places, b.full(size, places.dtype)))
    return _each(b, past, places, update, axis, lambda old, new: new)


@onnx_op()
def ReverseSequence(b: Emitter, x: Value, sequence_lens: Value, *, batch_axis=1, time_axis=0) -> Value:
    """The first elements of each sample in reverse order, as many as its length says."""
    if {batch_axis, time_axis} != {0, 1}:
        raise Refusal(f"reverses axis {time_axis} of batches along axis {batch_axis}")
    lengths = b.reshape(sequence_lens, _along(sequence_lens.shape[0], batch_axis, 2))
    times = b.reshape(b.arange(x.shape[time_axis], lengths.dtype), _along(x.shape[time_axis], time_axis, 2))
    mirrored = b(ops.Sub(b(ops.Sub(lengths, times)), b.full(1, times.dtype)))
    source = b(ops.Where(b(ops.Lt(times, lengths)), mirrored, times))
    source = b.reshape(source, (*x.shape[:2], *[1] * (x.type.rank - 2)))
    return b(ops.Gather(x, b.expand(source, x.shape), time_axis))


@onnx_op()
def MaxUnpool(
    b: Emitter, x: Value, indices: Value, output_shape: Ints | None = None, *, kernel_shape, pads=None, strides=None
) -> Value:
    """Zeros, but the elements of x where their indices (into the whole tensor) say; padded at the ends if asked."""
    rank = len(kernel_shape)
    strides, pads = strides or (1,) * rank, pads or (0,) * 2 * rank
    spatial = [
        (size - 1) * step + kernel - pads[i] - pads[i + rank]
        for i, (size, step, kernel) in enumerate(zip(x.shape[2:], strides, kernel_shape, strict=True))
    ]
    shape = (*x.shape[:2], *spatial)
    flat, index = (b.reshape(item, (x.type.numel,)) for item in (x, indices))
    y = b.reshape(b(ops.Scatter(b.full(0, x.dtype, (math.prod(shape),)), index, flat, 0)), shape)
    if output_shape is None or output_shape == shape:
        return y
    return b(ops.Pad(y, tuple((0, wanted - size) for wanted, size in zip(output_shape, shape, strict=True))))


@onnx_op(domain="ai.onnx.ml")
def ArrayFeatureExtractor(b: Emitter, x: Value, indices: Value) -> Value:
    """Columns of x by number."""
    x = b.reshape(x, (1, *x.shape)) if x.type.rank == 1 else x
    index = b.reshape(indices, (*[1] * (x.type.rank - 1), indices.type.numel))
    return b(ops.Gather(x, b.expand(index, (*x.shape[:-1], indices.type.numel)), x.type.rank - 1))


@onnx_op(domain="ai.onnx.ml")
def Binarizer(b: Emitter, x: Value, *, threshold=0.0) -> Value:
    return b.cast(b(ops.Gt(x, b.full(threshold, x.dtype))), x.dtype)


@onnx_op()
def Det(b: Emitter, x: Value) -> Value:
    """The determinant of small matrices, by cofactors."""
    if x.shape[-1] != x.shape[-2] or x.shape[-1] > 4:
        raise Refusal(f"the determinant of {x.type}: square matrices of up to 4 rows are supported")
    return b.reshape(_determinant(b, x), x.shape[:-2])


def _determinant(b: Emitter, x: Value) -> Value:
    """[..., n, n] -> [..., 1, 1], by the first row."""
    size, rank = x.shape[-1], x.type.rank
    if size == 1:
        return x
    below = b.slice(x, rank - 2, 1, size)
    total = None
    for i in range(size):
        sides = [b.slice(below, rank - 1, start, end) for start, end in ((0, i), (i + 1, size)) if end > start]
        head = b.slice(b.slice(x, rank - 2, 0, 1), rank - 1, i, i + 1)
        term = b(ops.Mul(head, _determinant(b, b.concat(tuple(sides), rank - 1))))
        total = term if total is None else b((ops.Sub if i % 2 else ops.Add)(total, term))
    assert total is not None
    return total


@onnx_op()
def Col2Im(
    b: Emitter, x: Value, image_shape: Ints, block_shape: Ints, *, dilations=None, pads=None, strides=None
) -> Value:
    """Blocks summed back into their image: a transposed convolution with ones."""
    rank, taps = len(block_shape), math.prod(block_shape)
    strides, dilations = strides or (1,) * rank, dilations or (1,) * rank
    pads = pads or (0,) * 2 * rank
    sides = tuple((pads[i], pads[i + rank]) for i in range(rank))
    reach = [d * (k - 1) + 1 for d, k in zip(dilations, block_shape, strict=True)]
    padded = [size + sum(side) for size, side in zip(image_shape, sides, strict=True)]
    counts = [(size - span) // step + 1 for size, span, step in zip(padded, reach, strides, strict=True)]
    extra = [
        size - ((count - 1) * step + span)
        for size, count, step, span in zip(padded, counts, strides, reach, strict=True)
    ]
    channels = x.shape[1] // taps
    ones = torch.eye(taps).reshape(taps, 1, *block_shape).repeat(channels, 1, *[1] * rank)
    blocks = b.reshape(x, (x.shape[0], x.shape[1], *counts))
    conv = ops.ConvTranspose(blocks, b.constant(ones), None, strides, sides, tuple(extra), dilations, channels)
    return b(conv)
