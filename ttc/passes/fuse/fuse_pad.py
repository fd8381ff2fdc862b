"""The pass that makes zero padding part of the convolution or average pool that reads the padded value."""

from __future__ import annotations

from dataclasses import replace

from ttc import ops
from ttc.ir import Builder, Graph, Value
from ttc.passes.normal import rebuild


def fuse_pad(graph: Graph) -> Graph:
    """Fuse a pad with zeros into a convolution or average pool, both of which pad with zeros themselves.

    Before:
        %p: f32[1,3,6,6] = pad(x=%x, pads=[[0, 0], [0, 0], [1, 1], [1, 1]])
        %y: f32[1,8,4,4] = conv(x=%p, w=%w, stride=[1, 1], padding=[[0, 0], [0, 0]], dilation=[1, 1])
    After:
        %y: f32[1,8,4,4] = conv(x=%x, w=%w, stride=[1, 1], padding=[[1, 1], [1, 1]], dilation=[1, 1])
    """
    return rebuild(graph, _into_window)


def _into_window(op: ops.Conv | ops.AvgPool, builder: Builder) -> Value | None:
    """Match a window over a padded x: pads of spatial dimensions add up."""
    match op:
        case ops.Conv(x=Value(ops.Pad(x=x, pads=pads, mode="constant", value=0)), rows=()):
            pass
        # an average that counts padding divides by the whole window, as over an x that is padded already
        case ops.AvgPool(
            x=Value(ops.Pad(x=x, pads=pads, mode="constant", value=0)), count_padding=True, ceil=False, rows=()
        ):
            pass
        case _:
            return None
    if any(map(any, pads[:2])):
        return None
    padding = tuple((a + c, b + d) for (a, b), (c, d) in zip(pads[2:], op.padding, strict=True))
    return builder(replace(op, x=x, padding=padding))
