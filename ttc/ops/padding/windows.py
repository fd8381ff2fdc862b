"""Positions near each element's own, gathered by blocks: a row of a whole sound does not fit into a core's L1."""

from __future__ import annotations

from math import gcd

from ttc.ir import DType, TensorType, Value
from ttc.ops.binary import Minimum, Sub
from ttc.ops.index import Gather
from ttc.ops.padding.abstract import AbstractValue, Factor
from ttc.ops.padding.transfer import Flow
from ttc.ops.shape import Concat, Expand, Pad, Reshape, Slice
from ttc.ops.signal import LONGEST_ROW
from ttc.ops.unary import Clamp

WIDEST = 1024
"""Elements of the widest block; a window is a block, and what lies around the block."""


def block_width(axis: Factor, least: int) -> int:
    """Return the width, from `least` on, of the widest equal blocks of a long row; 0 for a row that needs none.

    Where it can be, the length grows by whole blocks: so do the hops of transforms that read the row.
    """
    if axis.length is None or axis.size <= LONGEST_ROW:
        return 0
    step = gcd(axis.size, *(factor for _, factor in axis.length.terms))
    for size in (step, axis.size):
        widths = (width for width in range(min(WIDEST, size), least - 1, -1) if size % width == 0)
        if width := next(widths, 0):
            return width
    return 0


def reflected_in_windows(
    y: Value, abstract: AbstractValue, pair: tuple[int, int], width: int, flow: Flow
) -> tuple[Value, AbstractValue]:
    """Reflect both edges of the last dimension at the true end, `pair` elements before and after.

    Element p is y[a] with a = |p - begin|, or beyond the last element y[2 * last - a], the smaller of both. That place
    is no more than begin + 2 * end before p and begin after p, so each block is gathered from its window.
    """
    (begin, end), dim = pair, y.type.rank - 1
    axis = abstract.axis(dim)
    assert axis.length is not None
    size = axis.size + begin + end
    count, reach = -(-size // width), begin + 2 * end
    windows = _windows(y, width, count, reach, begin, flow)
    distances = [abs(p - begin) for p in range(count * width)]
    first = [p // width * width - reach for p in range(count * width)]
    shape = TensorType(DType.i64, (*(1 for _ in y.shape[:-1]), count, width))
    rising = flow.known([a - base for a, base in zip(distances, first, strict=True)], shape)
    falling = flow.known([a + base for a, base in zip(distances, first, strict=True)], shape)
    twice = flow.length((axis.length - 1) * 2, abstract)
    index = flow(Minimum(rising, flow(Sub(flow(Reshape(twice, (*twice.shape, 1))), falling))))
    index = flow(Clamp(index, low=0, high=windows.shape[-1] - 1))  # far beyond the end is padding, whatever it holds
    index = flow(Expand(index, (*y.shape[:-1], count, width)))
    line = flow(Reshape(flow(Gather(windows, index, dim + 1)), (*y.shape[:-1], count * width)))
    new = Factor(size, axis.length + begin + end)
    return _part(line, dim, 0, size, flow), abstract.with_dim(dim, new.bare())


def _windows(y: Value, width: int, count: int, before: int, after: int, flow: Flow) -> Value:
    """Return `count` windows of y: blocks of `width`, with elements before and after them, zeros beyond the edges."""
    *lead, size = y.shape
    rows, columns = len(lead), len(lead) + 1
    blocks = flow(Reshape(y, (*lead, size // width, width)))
    edges = (*((0, 0) for _ in lead), (1, count + 1 - size // width), (0, 0))
    blocks = flow(Pad(blocks, edges))
    parts = [_part(blocks, rows, start, start + count, flow) for start in range(3)]
    parts = [_part(parts[0], columns, width - before, width, flow), parts[1], _part(parts[2], columns, 0, after, flow)]
    return flow(Concat(tuple(part for part in parts if part.shape[-1]), columns))


def _part(x: Value, dim: int, start: int, end: int, flow: Flow) -> Value:
    """Slice x[start:end] along one dimension."""
    bounds = [(start, end) if d == dim else (0, size) for d, size in enumerate(x.shape)]
    return flow(Slice(x, tuple(a for a, _ in bounds), tuple(b for _, b in bounds), (1,) * len(bounds)))
