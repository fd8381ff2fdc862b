"""Images of overlapping blocks."""

from __future__ import annotations

import math

import torch

from ttc import ops
from ttc.frontend.composer import Composer
from ttc.ops.expr import Expr, apply

Sizes = tuple[int, ...]
Pairs = tuple[tuple[int, int], ...]


def summed_blocks(
    b: Composer, x: Expr, image: Sizes, block: Sizes, stride: Sizes, padding: Pairs, dilation: Sizes
) -> Expr:
    """Sum blocks x [N, C * prod(block), count] into [N, C, *image]: a transposed convolution with ones."""
    taps = math.prod(block)
    reach = [d * (k - 1) + 1 for d, k in zip(dilation, block, strict=True)]
    padded = [size + sum(side) for size, side in zip(image, padding, strict=True)]
    counts = [(size - span) // step + 1 for size, span, step in zip(padded, reach, stride, strict=True)]
    extra = tuple(
        size - ((count - 1) * step + span)
        for size, count, step, span in zip(padded, counts, stride, reach, strict=True)
    )
    channels = x.shape[1] // taps
    ones = torch.eye(taps).reshape(taps, 1, *block).repeat(channels, 1, *[1] * len(block))
    weight = b.constant(ones).cast(x.dtype)
    blocks = x.reshape(*x.shape[:2], *counts)
    return apply(ops.ConvTranspose, blocks, weight, None, stride, padding, extra, dilation, channels)
