"""Convolutions of narrow images, on the image with height and width changed over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import prod
from typing import TypeVar

from ttc import ops
from ttc.backend.lowering import Lowering
from ttc.backend.rules.conv_layer import Convolve, Layer
from ttc.backend.rules.moves import permuted, reshaped
from ttc.ir import Value

NARROW = 2
"""The widest results of whose windows TTNN's index takes more bytes, 4 a run and 4 more, than its room, 2 a row."""

T = TypeVar("T")


def turned(layer: Layer, x: Value, convolve: Convolve, to: Lowering) -> Value | None:
    """Compute a convolution whose results are narrow lines of an image that is high on the turned image, else None."""
    if len(layer.counts) != 2 or not layer.counts[1] <= NARROW < layer.counts[0]:
        return None
    part = replace(
        layer,
        spatial=_swapped(layer.spatial),
        stride=_swapped(layer.stride),
        padding=_swapped(layer.padding),
        dilation=_swapped(layer.dilation),
        w=to.derive(ops.Permute(layer.w, (0, 1, 3, 2))),
    )
    return _turned(convolve(part, _turned(x, layer.batch, layer.spatial, to)), layer.batch, part.counts, to)


def _turned(rows: Value, batch: int, sizes: tuple[int, ...], to: Lowering) -> Value:
    """Turn images [N, H, W, C] in rows [1, 1, pixels, C]: [N, W, H, C] in rows."""
    channels = rows.shape[-1]
    images = permuted(reshaped(to.row_major(rows), (batch, *sizes, channels), to), (0, 2, 1, 3), to)
    return to.tile(reshaped(images, (1, 1, batch * prod(sizes), channels), to))


def _swapped(pair: Sequence[T]) -> tuple[T, ...]:
    height, width = pair
    return width, height
