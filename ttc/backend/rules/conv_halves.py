"""Convolutions of which not one image fits into L1, by halves: of the windows along an axis, or of the channels."""

from __future__ import annotations

from dataclasses import replace
from math import prod

from ttc import ops
from ttc.backend.lowering import Lowering
from ttc.backend.rules.conv_layer import Convolve, Layer, along, around
from ttc.backend.rules.moves import concatenated, reshaped
from ttc.calls.shape import Slice
from ttc.ir import TILE, Value


def by_halves(layer: Layer, x: Value, convolve: Convolve, to: Lowering) -> Value | None:
    """Compute a convolution as two of half the windows or half the channels; None for one that has neither.

    Windows are halved where cores have more than a tile of them, along the longest axis: weights are then read twice.
    Of fewer windows halves would be as large, and the channels of the result are halved.
    """
    many = layer.batch * prod(layer.counts) > TILE * to.target.cores
    halves = (_by_windows, _by_channels) if many else (_by_channels, _by_windows)
    return next((found for half in halves if (found := half(layer, x, convolve, to)) is not None), None)


def _by_windows(layer: Layer, x: Value, convolve: Convolve, to: Lowering) -> Value | None:
    """Compute half of the windows along the longest axis at a time; both read pixels that windows of both reach."""
    count = max(layer.counts)
    axis = layer.counts.index(count)
    parts = [_part(layer, axis, first, last) for first, last in ((0, count // 2), (count // 2, count))]
    if count < 2 or any(start >= end for _, start, end in parts):
        return None
    before, size, after = around(axis, layer.spatial)
    images, out = layer.batch * before, layer.w.shape[0]
    lines = reshaped(to.row_major(x), (images, size, after, layer.channels), to)
    results = []
    for part, start, end in parts:
        read = to.call(Slice(lines, (0, start, 0, 0), (images, end, after, layer.channels)))
        y = convolve(part, to.tile(reshaped(read, (1, 1, images * (end - start) * after, layer.channels), to)))
        before, windows, after_them = around(axis, part.counts)
        results.append(reshaped(to.row_major(y), (layer.batch * before, windows, after_them, out), to))
    joined = concatenated(results, 1, to)
    rows = joined.shape[0] * joined.shape[1] * joined.shape[2]
    return to.tile(reshaped(joined, (1, 1, rows, out), to))


def _part(layer: Layer, axis: int, first: int, last: int) -> tuple[Layer, int, int]:
    """Return the convolution of the windows from `first` to `last`, and where the pixels that they reach start and end.

    Window i reaches from i * stride - padding on over dilation * (taps - 1) + 1 pixels; those before 0 and behind the
    image are padding.
    """
    begin, stride, reach = layer.padding[axis][0], layer.stride[axis], layer.dilation[axis] * (layer.kernel[axis] - 1)
    low, high = first * stride - begin, (last - 1) * stride - begin + reach + 1
    start, end = max(low, 0), min(high, layer.spatial[axis])
    part = replace(
        layer,
        spatial=along(axis, layer.spatial, end - start),
        padding=along(axis, layer.padding, (start - low, high - end)),
    )
    return part, start, end


def _by_channels(layer: Layer, x: Value, convolve: Convolve, to: Lowering) -> Value | None:
    """Compute half of the result's channels, in whole tiles, at a time."""
    out, *others = layer.w.shape
    middle = -(-out // (2 * TILE)) * TILE
    if layer.groups > 1 or middle >= out:
        return None
    results = []
    for first, last in ((0, middle), (middle, out)):
        w = to.derive(ops.Slice(layer.w, (first, *(0 for _ in others)), (last, *others)))
        b = None if layer.b is None else to.derive(ops.Slice(layer.b, (first,), (last,)))
        results.append(convolve(replace(layer, w=w, b=b), x))
    return concatenated(results, 3, to)
