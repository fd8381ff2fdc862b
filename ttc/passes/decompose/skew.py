"""The decomposition of skews: rows are written at one width and read at a width of one more or less."""

from __future__ import annotations

from ttc import ops
from ttc.ir import Builder
from ttc.ops.expr import Expr


def decomposed_skew(op: ops.Skew, builder: Builder) -> Expr:
    """Decompose y[i, j] = x[i, j + slope * i + offset] into pads, reshapes and a slice.

    In rows of `width`, y[i, j] is element i * width + (j + slope * i + offset) = i * (width + slope) + (j + offset),
    which is column j + offset in rows of width + slope. Columns that x does not have must meet zeros: columns before a
    row's beginning are the end of the row before.
    """
    rows, columns = op.x.shape[-2:]
    before = max(0, -op.offset)
    offset = op.offset + before
    if op.slope < 0:
        width = max(before + columns + max(0, rows - 1 - offset), offset + op.size + 1)
    else:
        width = max(before + columns, offset + op.size + rows - 1)
    lead = op.x.shape[:-2]
    flat = Expr(op.x, builder).pad(-1, before, width - before - columns).reshape(*lead, rows * width)
    flat = flat.part(-1, 0, rows * (width - 1)) if op.slope < 0 else flat.pad(-1, 0, rows)
    return flat.reshape(*lead, rows, width + op.slope).part(-1, offset, offset + op.size)
