"""The decomposition of skews: rows are written at one width and read at a width of one more or less."""

from __future__ import annotations

from ttc import ops
from ttc.ir import Builder
from ttc.ops.expr import Expr, concat

LONGEST_LINE = 160 << 10
"""Elements of all rows in one line: TTNN reshapes rows of up to 640 KiB, and an element may take four bytes."""

ODD = 4
"""Elements whose multiples TTNN reads off a line only if the line lies in L1 four times instead of twice."""

TILE = 32


def decomposed_skew(op: ops.Skew, builder: Builder) -> Expr:
    """Decompose y[i, j] = x[i, j + slope * i + offset] into pads, reshapes and a slice, by halves of many rows."""
    return _skewed(Expr(op.x, builder), op.slope, op.offset, op.size)


def _skewed(x: Expr, slope: int, offset: int, size: int) -> Expr:
    """Move all rows in one line; more than a line holds by halves: row i of those from `half` on is row i + half."""
    rows, columns = x.shape[-2:]
    before = max(0, -offset)
    width = _width(rows, columns, before, slope, offset + before, size)
    if rows > TILE and rows * (width + 1) > LONGEST_LINE:
        half = -(-rows // (2 * TILE)) * TILE
        parts = x.part(-2, 0, half), x.part(-2, half, rows)
        return concat(
            [_skewed(parts[0], slope, offset, size), _skewed(parts[1], slope, offset + slope * half, size)], -2
        )
    return _in_one_line(x, slope, before, offset + before, size, width)


def _width(rows: int, columns: int, before: int, slope: int, offset: int, size: int) -> int:
    """Return the width of rows in which each column that x does not have meets zeros; one more for a long line."""
    if slope < 0:
        width = max(before + columns + max(0, rows - 1 - offset), offset + size + 1)
    else:
        width = max(before + columns, offset + size + rows - 1)
    long = rows * (width + slope) > LONGEST_LINE // 2
    return width + 1 if long and (width + slope) % ODD == 0 else width


def _in_one_line(x: Expr, slope: int, before: int, offset: int, size: int, width: int) -> Expr:
    """Move rows that are written at `width` after each other, with `before` zeros before each.

    There y[i, j] is element i * width + (j + slope * i + offset) = i * (width + slope) + (j + offset), which is column
    j + offset in rows of width + slope. Columns before a row's beginning are the end of the row before.
    """
    *lead, rows, columns = x.shape
    flat = x.pad(-1, before, width - before - columns).reshape(*lead, rows * width)
    flat = flat.part(-1, 0, rows * (width - 1)) if slope < 0 else flat.pad(-1, 0, rows)
    return flat.reshape(*lead, rows, width + slope).part(-1, offset, offset + size)
