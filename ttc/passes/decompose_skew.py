"""Skews: rows are written at one width and read at a width of one more or less."""

from __future__ import annotations

from ttc import ops
from ttc.ir import Builder, Value


def decomposed_skew(op: ops.Skew, builder: Builder) -> Value:
    """y[i, j] stands at i * width + (j + slope * i + offset), which is i * (width + slope) + (j + offset).

    Columns that x does not have must meet zeros there: those before a row's beginning are the end of the row before.
    """
    rows, columns = op.x.shape[-2:]
    before = max(0, -op.offset)
    offset = op.offset + before
    if op.slope < 0:
        width = max(before + columns + max(0, rows - 1 - offset), offset + op.size + 1)
    else:
        width = max(before + columns, offset + op.size + rows - 1)
    x = _padded(op.x, before, width - before - columns, builder)
    lead = op.x.shape[:-2]
    flat = builder(ops.Reshape(x, (*lead, rows * width)))
    flat = _cut(flat, 0, rows * (width - 1), builder) if op.slope < 0 else _padded(flat, 0, rows, builder)
    read = builder(ops.Reshape(flat, (*lead, rows, width + op.slope)))
    return _cut(read, offset, offset + op.size, builder)


def _padded(x: Value, before: int, after: int, builder: Builder) -> Value:
    """Zeros around the last dimension."""
    return builder(ops.Pad(x, (*((0, 0),) * (x.type.rank - 1), (before, after))))


def _cut(x: Value, start: int, end: int, builder: Builder) -> Value:
    """A part of the last dimension."""
    rank = x.type.rank
    return builder(ops.Slice(x, (*(0,) * (rank - 1), start), (*x.shape[:-1], end), (1,) * rank))
