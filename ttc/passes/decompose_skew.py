"""Skews: rows are written at one width and read at a width of one more or less."""

from __future__ import annotations

from ttc import ops
from ttc.ir import Builder, Value
from ttc.passes.compose import part, with_zeros


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
    lead, last = op.x.shape[:-2], op.x.type.rank - 1
    x = with_zeros(op.x, last, before, width - before - columns, builder)
    flat = builder(ops.Reshape(x, (*lead, rows * width)))
    if op.slope < 0:
        flat = part(flat, last - 1, 0, rows * (width - 1), builder)
    else:
        flat = with_zeros(flat, last - 1, 0, rows, builder)
    read = builder(ops.Reshape(flat, (*lead, rows, width + op.slope)))
    return part(read, last, offset, offset + op.size, builder)
