"""Lowering of pools: max_pool2d in bf16, else maxima of strided slices; averages as sums of such slices."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor

from ttc import ops
from ttc.analysis.residency import l1_bank
from ttc.backend.lowering import Lowering, lowers
from ttc.backend.rules.batches import by_parts, equal_parts
from ttc.backend.rules.conv_plan import plane
from ttc.backend.rules.image_means import covers_images, image_means
from ttc.backend.rules.long_rows import sliced
from ttc.backend.rules.moves import padded, reshaped
from ttc.backend.rules.numbers import lowest
from ttc.backend.rules.spatial import from_rows, to_rows
from ttc.calls.binary import Add, Maximum, Multiply
from ttc.calls.pool import MaxPool2d, pool_bytes
from ttc.calls.shape import Reshape, Slice
from ttc.calls.slicing import WHOLE, Op2DSliceConfig, SliceType
from ttc.calls.target import Target
from ttc.calls.window import Window
from ttc.guard.budget import check_table
from ttc.ir import DRAM, TILE, DType, Layout, Sharding, Value
from ttc.ops.rules import window_output
from ttc.ops.spatial import images

LAYOUTS = (Sharding.HEIGHT_SHARDED, Sharding.BLOCK_SHARDED)


@lowers(ops.MaxPool)
def max_pool(op: ops.MaxPool, to: Lowering) -> Value:
    """Lower to max_pool2d where it takes the window and the dtype, else to maxima along one axis after the other."""
    x = to_rows(op.x, op.rows, to)
    call = pooling(op, x, to.target) if fits_max_pool2d(op, x) else None
    y = slice_maxima(op, x, to) if call is None else pooled(call, images(op.x, op.rows, len(op.kernel))[0], x, to)
    return from_rows(y, op.rows, op.infer().shape, to)


def pooled(call: MaxPool2d, batch: int, x: Value, to: Lowering) -> Value:
    """Compute the maxima of a batch of images, as many at a time as `call` takes, and return rows."""
    rows = 1, 1, call.window.output_pixels, call.channels
    return by_parts(
        x, batch // call.batch_size, lambda part: reshaped(to.call(replace(call, input_tensor=part)), rows, to), to
    )


def fits_max_pool2d(op: ops.MaxPool, x: Value) -> bool:
    """Return whether TTNN pools this: bf16 images, with at most half of the kernel as padding on each side."""
    small = all(2 * max(pads) <= kernel for pads, kernel in zip(op.padding, op.kernel, strict=True))
    return x.dtype is DType.bf16 and len(op.kernel) <= 2 and small


def pooling(op: ops.MaxPool, x: Value, target: Target) -> MaxPool2d | None:
    """Return the call of max_pool2d on the largest equal part of the batch that fits into L1; None if none fits."""
    batch = images(op.x, op.rows, len(op.kernel))[0]
    found = (in_l1(described(op, x, batch // parts), target) for parts in equal_parts(batch))
    return next(filter(None, found), None)


def described(op: ops.MaxPool, x: Value, batch: int) -> MaxPool2d:
    """Return the call of max_pool2d for `batch` of the images, but for its shard layout and slices."""
    _, channels, spatial = images(op.x, op.rows, len(op.kernel))
    (top, bottom), (left, right) = (*op.padding, (0, 0))[:2]
    height, width = plane(spatial)
    return MaxPool2d(
        x,
        batch,
        height,
        width,
        channels,
        plane(op.kernel),
        plane(op.stride),
        (top, bottom, left, right),
        plane(op.dilation),
        op.ceil,
        memory_config=DRAM,
        output_layout=Layout.TILE,
        reallocate_halo_output=False,
        config_tensor_in_dram=True,
    )


def in_l1(call: MaxPool2d, target: Target) -> MaxPool2d | None:
    """Return the call in the shard layout that needs the least L1 and in the fewest slices that fit.

    None where no slices fit that TTNN computes right.
    """
    for slices in (WHOLE, *sound_slices(call.window)):
        part = slices.parts(call.window)[0]
        need = {layout: pool_bytes(part, call.channels, layout, target.grid) for layout in LAYOUTS}
        best = min(need, key=need.__getitem__)
        if need[best] <= l1_bank(target):
            return replace(call, applied_shard_scheme=best, dram_slice_config=slices)
    return None


def sound_slices(window: Window) -> Iterator[Op2DSliceConfig]:
    """Yield the slices that TTNN computes right: along the height of lines that are whole tiles, else the width."""
    whole_tiles = window.size[1] % TILE == window.output[1] % TILE == 0
    kind = SliceType.DRAMSliceHeight if whole_tiles else SliceType.DRAMSliceWidth
    for count in range(2, Op2DSliceConfig(kind).most(window) + 1):
        yield Op2DSliceConfig(kind, count)


def slice_maxima(op: ops.MaxPool, x: Value, to: Lowering) -> Value:
    """Compute maxima of strided slices, one axis after the other, in ROW_MAJOR layout and any dtype; exact."""
    below_all = -math.inf if x.dtype.is_float else lowest(x.dtype)
    return as_rows(windowed(op, around(op, x, below_all, to), Maximum, to), op, to)


def around(op: ops.MaxPool | ops.AvgPool, x: Value, number: float, to: Lowering) -> Value:
    """Return rows as [N, *spatial, C] in ROW_MAJOR layout, with `number` wherever a window reaches beyond the image.

    C is left out if there is only one channel: rows of one element each would be slow. Lines that do not fit into L1
    are such rows.
    """
    batch, channels, spatial = images(op.x, op.rows, len(op.kernel))
    rows, lines = to.row_major(x), (batch, *spatial)
    whole = channels == 1 and Reshape(rows, lines).fits
    y = reshaped(rows, lines if whole else (*lines, channels), to)
    beyond = tuple(
        (begin, max(end, (count - 1) * stride + dilation * (kernel - 1) + 1 - size - begin))
        for count, (size, kernel, stride, (begin, end), dilation) in zip(
            window_counts(op), windows(op, spatial), strict=True
        )
    )
    if not any(map(any, beyond)):
        return y
    return padded(y, ((0, 0), *beyond, *((0, 0) for _ in y.shape[1 + len(spatial) :])), number, to)


def as_rows(y: Value, op: ops.MaxPool | ops.AvgPool, to: Lowering) -> Value:
    """Bring the images that `around` made back into rows."""
    batch, channels, _ = images(op.x, op.rows, len(op.kernel))
    return to.tile(to.call(Reshape(y, (1, 1, batch * math.prod(window_counts(op)), channels))))


def window_counts(op: ops.MaxPool | ops.AvgPool) -> list[int]:
    """Count the windows along each axis."""
    spatial = images(op.x, op.rows, len(op.kernel))[2]
    return [window_output(*axis, ceil=op.ceil) for axis in windows(op, spatial)]


def windows(op: ops.MaxPool | ops.AvgPool, spatial: tuple[int, ...]) -> list[tuple]:
    """Return (size, kernel, stride, pads, dilation) of each axis."""
    return list(zip(spatial, op.kernel, op.stride, op.padding, op.dilation, strict=True))


def strided(x: Value, dim: int, start: int, step: int, count: int, to: Lowering) -> Value:
    """Slice `count` elements of dimension `dim`, from `start`, every `step`; x itself where these are all."""
    if (start, count) == (0, x.shape[dim]):
        return x
    starts, ends, steps = [0] * x.type.rank, list(x.shape), [1] * x.type.rank
    starts[dim], ends[dim], steps[dim] = start, start + (count - 1) * step + 1, step
    return sliced(Slice(x, tuple(starts), tuple(ends), tuple(steps)), to)


@lowers(ops.AvgPool)
def avg_pool(op: ops.AvgPool, to: Lowering) -> Value:
    """Lower means of whole images by `image_means`; others to sums of slices in fp32, one axis after the other.

    Sums are divided by the number of elements that count. A product with a matrix would be fewer calls, but 0 times an
    infinity outside the window is NaN.
    """
    if covers_images(op):
        return from_rows(image_means(op, to), op.rows, op.infer().shape, to)
    x = to.cast(to_rows(op.x, op.rows, to), DType.f32)
    y = windowed(op, around(op, x, 0.0, to), Add, to)
    shares = element_shares(op)
    if len(shares.unique()) == 1:
        y = to.call(Multiply(y, float(shares.flatten()[0])))
    else:
        shape = (1, *shares.shape, *[1] * (y.type.rank - 1 - shares.ndim))
        y = to.call(Multiply(y, to.upload(to.constant(shares.reshape(shape)), DType.f32, Layout.ROW_MAJOR)))
    return from_rows(to.cast(as_rows(y, op, to), to.dtype), op.rows, op.infer().shape, to)


SLICED = 8
"""Longest window along an axis that takes a slice for each element; longer windows are put together by halves."""


def windowed(op: ops.MaxPool | ops.AvgPool, x: Value, call: type[Add | Maximum], to: Lowering) -> Value:
    """Return the sum or the maximum of each window, one axis after the other, of images that `around` made."""
    for axis, count in enumerate(window_counts(op)):
        kernel, stride, dilation = op.kernel[axis], op.stride[axis], op.dilation[axis]
        if kernel <= SLICED:
            taps = [strided(x, 1 + axis, tap * dilation, stride, count, to) for tap in range(kernel)]
            x = combined(taps, call, to)
        else:
            x = strided(by_halves(x, 1 + axis, kernel, dilation, call, to), 1 + axis, 0, stride, count, to)
    return x


def by_halves(x: Value, dim: int, kernel: int, dilation: int, call: type[Add | Maximum], to: Lowering) -> Value:
    """Combine each `kernel` elements of a dimension, `dilation` apart, from combinations of half as many."""
    if kernel == 1:
        return x
    # S_k[i] = S_h[i] + S_h[i + h * dilation] (+ x[i + (k - 1) * dilation] for an odd k), with h = k // 2.
    half = by_halves(x, dim, kernel // 2, dilation, call, to)
    count = x.shape[dim] - (kernel - 1) * dilation
    parts = [strided(half, dim, place * dilation, 1, count, to) for place in (0, kernel // 2)]
    if kernel % 2:
        parts.append(strided(x, dim, (kernel - 1) * dilation, 1, count, to))
    return combined(parts, call, to)


def combined(values: list[Value], call: type[Add | Maximum], to: Lowering) -> Value:
    """Add all the values, or return the maximum of each element."""
    total = values[0]
    for value in values[1:]:
        total = to.call(call(total, value))
    return total


def element_shares(op: ops.AvgPool) -> Tensor:
    """Return [windows of each axis]: 1 / the number of elements that count in a window."""
    check_table(*window_counts(op))
    shares = torch.ones((), dtype=torch.float64)
    for (size, kernel, stride, (begin, end), dilation), count in zip(
        windows(op, images(op.x, op.rows, len(op.kernel))[2]), window_counts(op), strict=True
    ):
        first, last = (-begin, size + end) if op.count_padding else (0, size)
        starts = torch.arange(count) * stride - begin
        # taps of a window before a place: ceil((place - start) / dilation), no fewer than 0, no more than all
        before = [torch.div(place - starts + dilation - 1, dilation, rounding_mode="floor") for place in (first, last)]
        outside, upto = (taps.clamp(0, kernel) for taps in before)
        shares = shares.unsqueeze(-1) / (upto - outside).clamp(min=1)
    return shares.float()
