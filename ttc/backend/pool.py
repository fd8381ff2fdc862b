"""How TTNN pools: max_pool2d in bf16, else maxima of strided slices; averages as matrix products."""

from __future__ import annotations

import math
from dataclasses import replace

from ttc import ops
from ttc.backend.conv_plan import SMALL_BYTES, WHOLE, plane
from ttc.backend.lowering import Lowering, lowers
from ttc.backend.numbers import lowest
from ttc.backend.resample import resampled, window_means
from ttc.backend.spatial import from_rows, to_rows
from ttc.calls.binary import Maximum
from ttc.calls.pool import MaxPool2d, pool_bytes
from ttc.calls.shape import Pad, Reshape, Slice
from ttc.ir import DRAM, DType, Layout, Sharding, Value
from ttc.ops.rules import images, window_output


@lowers(ops.MaxPool)
def max_pool(op: ops.MaxPool, to: Lowering) -> Value:
    """max_pool2d where it takes the window and the dtype, else maxima along one axis after the other."""
    x = to_rows(op.x, op.rows, to)
    y = pooled(op, x, to) if fits_max_pool2d(op, x) else slice_maxima(op, x, to)
    return from_rows(y, op.rows, op.infer().shape, to)


def fits_max_pool2d(op: ops.MaxPool, x: Value) -> bool:
    """TTNN pools bf16 images, with at most half of the kernel as padding on each side."""
    small = all(2 * max(pads) <= kernel for pads, kernel in zip(op.padding, op.kernel, strict=True))
    return x.dtype is DType.bf16 and len(op.kernel) <= 2 and small


def pooled(op: ops.MaxPool, x: Value, to: Lowering) -> Value:
    """max_pool2d in the shard layout that needs the least L1, cut into slices only where that does not fit."""
    batch, channels, spatial = images(op.x, op.rows, len(op.kernel))
    (top, bottom), (left, right) = (*op.padding, (0, 0))[:2]
    height, width = plane(spatial)
    call = MaxPool2d(
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
        config_tensor_in_dram=True,
    )
    need = {
        layout: pool_bytes(call.window, channels, layout, to.target)
        for layout in (Sharding.HEIGHT_SHARDED, Sharding.BLOCK_SHARDED)
    }
    best = min(need, key=need.__getitem__)
    whole = WHOLE if need[best] <= to.target.l1_bytes - SMALL_BYTES else None
    return to.call(replace(call, applied_shard_scheme=best, dram_slice_config=whole))


def slice_maxima(op: ops.MaxPool, x: Value, to: Lowering) -> Value:
    """Maxima of strided slices, one axis after the other, in ROW_MAJOR layout and any dtype; exact."""
    batch, channels, spatial = images(op.x, op.rows, len(op.kernel))
    y = to.call(Reshape(to.row_major(x), (batch, *spatial, channels)))
    counts = [window_output(*axis, ceil=op.ceil) for axis in windows(op, spatial)]
    beyond = tuple(
        (begin, max(end, (count - 1) * stride + dilation * (kernel - 1) + 1 - size - begin))
        for count, (size, kernel, stride, (begin, end), dilation) in zip(counts, windows(op, spatial), strict=True)
    )
    if any(map(any, beyond)):
        below_all = -math.inf if y.dtype.is_float else lowest(y.dtype)
        y = to.call(Pad(y, ((0, 0), *beyond, (0, 0)), below_all))
    for axis, count in enumerate(counts):
        taps = [
            strided(y, 1 + axis, tap * op.dilation[axis], op.stride[axis], count, to) for tap in range(op.kernel[axis])
        ]
        y = taps[0]
        for tap in taps[1:]:
            y = to.call(Maximum(y, tap))
    return to.tile(to.call(Reshape(y, (1, 1, batch * math.prod(counts), channels))))


def windows(op: ops.MaxPool | ops.AvgPool, spatial: tuple[int, ...]) -> list[tuple]:
    """(size, kernel, stride, pads, dilation) of each axis."""
    return list(zip(spatial, op.kernel, op.stride, op.padding, op.dilation, strict=True))


def strided(x: Value, dim: int, start: int, step: int, count: int, to: Lowering) -> Value:
    """`count` elements of dimension `dim`, from `start`, every `step`; x itself where that is all of it."""
    if (start, step, count) == (0, 1, x.shape[dim]):
        return x
    starts, ends, steps = [0] * x.type.rank, list(x.shape), [1] * x.type.rank
    starts[dim], ends[dim], steps[dim] = start, start + (count - 1) * step + 1, step
    return to.call(Slice(x, tuple(starts), tuple(ends), tuple(steps)))


@lowers(ops.AvgPool)
def avg_pool(op: ops.AvgPool, to: Lowering) -> Value:
    """Products with the matrices that average along each axis: the counts of a window are products of its axes'."""
    batch, _, spatial = images(op.x, op.rows, len(op.kernel))
    axes = []
    for size, kernel, stride, pads, dilation in windows(op, spatial):
        begin, end = pads
        count = window_output(size, kernel, stride, pads, dilation, op.ceil)
        counted = (-begin, size + end) if op.count_padding else (0, size)
        axes.append(window_means(size, kernel, stride, begin, dilation, count, counted))
    return from_rows(resampled(to_rows(op.x, op.rows, to), batch, axes, to), op.rows, op.infer().shape, to)
