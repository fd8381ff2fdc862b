"""Convolutions of a few channels with long kernels along a line, as one product of frames.

TTNN stores each sample in a whole tile of channels, and multiplies a tile of samples for each element of the kernel.
Here the line is cut into blocks of B = m * stride samples; a frame is as many blocks in a row as m windows, each a
stride after the other, reach over. The frame times a matrix that has the kernel m times, a stride further down each
time, gives m results of all output channels.
"""

from __future__ import annotations

import math

from ttc import ops
from ttc.ir import TILE, Builder
from ttc.ops.expr import Expr, apply, concat

SHORTEST = 2 * TILE
"""Fewest elements of a long kernel: by the cost model one of 80 costs the same in both forms, one of 251 half."""
MOST_CHANNELS = 2
"""Most channels that count as a few: with 4 the convolution itself is faster."""


def framed_conv(op: ops.Conv, builder: Builder) -> Expr | None:
    """Decompose a convolution [N, C, L] by [O, C, K] of a long kernel; None for others.

    Before:
        %y: f32[1,8,3] = conv(x=%x, w=%w, stride=[64], padding=[[0, 0]], dilation=[1])     (%x: f32[1,1,255])
    After:
        %blocks: f32[1,4,64] = reshape(x=%padded, shape=[1, 4, 64])
        %frames: f32[1,3,128] = concat(xs=[%blocks_0, %blocks_1], dim=2)
        %rows: f32[1,3,8] = linear(x=%frames, w=%matrix)           (then permuted)
    """
    if op.rows or len(op.stride) != 1 or op.groups > 1 or op.dilation != (1,):
        return None
    (out, channels, taps), (stride,) = op.w.shape, op.stride
    if channels > MOST_CHANNELS or taps < SHORTEST or op.x.shape[0] == 0:
        return None
    windows = -(-TILE // stride)
    block = windows * stride
    reach = -(-(taps + (windows - 1) * stride) // block)
    results = op.infer().shape[2]
    groups = -(-results // windows)
    frames = _frames(_padded(Expr(op.x, builder), op.padding[0]), groups, reach, block)
    bias = None if op.bias is None else concat([Expr(op.bias, builder)] * windows, 0).value
    matrix = _matrix(Expr(op.w, builder), windows, stride, reach, block)
    rows = apply(ops.Linear, frames, matrix, bias, op.activation)
    batch = op.x.shape[0]
    return rows.reshape(batch, groups * windows, out).part(1, 0, results).permute(0, 2, 1)


def _padded(x: Expr, pads: tuple[int, int]) -> Expr:
    """Pad the lines of x with zeros; a negative pad cuts."""
    begin, end = pads
    kept = x.part(2, max(0, -begin), x.shape[2] - max(0, -end))
    return kept.pad(2, max(0, begin), max(0, end))


def _frames(x: Expr, groups: int, reach: int, block: int) -> Expr:
    """Return the frames [N, groups, reach * C * block] of lines [N, C, L], which zeros or a cut fit to whole blocks."""
    batch, channels, size = x.shape
    blocks = groups + reach - 1
    whole = x.part(2, 0, min(size, blocks * block)).pad(2, 0, max(0, blocks * block - size))
    cut = whole.reshape(batch, channels, blocks, block).permute(0, 2, 1, 3).reshape(batch, blocks, channels * block)
    return concat([cut.part(1, start, start + groups) for start in range(reach)], 2)


def _matrix(w: Expr, windows: int, stride: int, reach: int, block: int) -> Expr:
    """Return the weight [windows * O, reach * C * block] of a product with frames: each window a stride further on."""
    out, channels, taps = w.shape
    spans = [w.pad(2, step * stride, reach * block - taps - step * stride) for step in range(windows)]
    lines = concat(spans, 0).reshape(windows * out, channels, reach, block).permute(0, 2, 1, 3)
    return lines.reshape(windows * out, math.prod(lines.shape[1:]))
