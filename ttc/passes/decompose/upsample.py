"""The decomposition of linear upsampling of signals: each element becomes a block of `scale` elements."""

from __future__ import annotations

import torch

from ttc import ops
from ttc.ir import Builder
from ttc.ops.expr import Expr, concat, constant
from ttc.ops.torch_types import to_torch

LEAST_SCALE = 32
"""The least scale of blocks, the width of a tile: below it a matrix product has fewer calls and wastes nothing."""


def decomposed_upsample(op: ops.Upsample, builder: Builder) -> Expr | None:
    """Interpolate x [N, C, n] by a large scale, in fp32 where x is: a matrix engine would round x; None for others.

    Element r of a block lies t = (r + 1/2) / scale - 1/2 of the way to the next element of x where t > 0, and -t of the
    way to the element before where t < 0; an edge's missing neighbour is the edge.
    """
    if op.mode != "linear" or op.rows or len(op.scales) != 1 or op.scales[0] < LEAST_SCALE:
        return None
    x, (scale,) = Expr(op.x, builder), op.scales
    *lead, size = x.shape
    way = (torch.arange(scale, dtype=torch.float64) + 0.5) / scale - 0.5
    before, after = (constant(builder, part.clamp(min=0).to(to_torch(x.dtype))) for part in (-way, way))
    previous = concat([x.part(-1, 0, 1), x.part(-1, 0, size - 1)], -1 % x.rank) if size > 1 else x
    following = concat([x.part(-1, 1, size), x.part(-1, size - 1, size)], -1 % x.rank) if size > 1 else x
    down, up = ((y - x).reshape(*lead, size, 1) for y in (previous, following))
    blocks = x.reshape(*lead, size, 1) + down * before + up * after
    return blocks.reshape(*lead, size * scale)
