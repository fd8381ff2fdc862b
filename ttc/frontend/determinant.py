"""Determinants of small matrices."""

from __future__ import annotations

from ttc.errors import Refusal
from ttc.ops.expr import Expr, concat

ROW_LIMIT = 4


def determinant(x: Expr) -> Expr:
    """Compute determinants of x [..., n, n] -> [...], by cofactors; Refusal for more than ROW_LIMIT rows."""
    if x.shape[-1] != x.shape[-2] or x.shape[-1] > ROW_LIMIT:
        raise Refusal(f"the determinant of {x.type}: square matrices of up to {ROW_LIMIT} rows are supported")
    return _cofactors(x).reshape(*x.shape[:-2])


def _cofactors(x: Expr) -> Expr:
    """Expand determinants [..., n, n] -> [..., 1, 1] by the first row."""
    size, row, column = x.shape[-1], x.rank - 2, x.rank - 1
    if size == 1:
        return x
    below = x.part(row, 1, size)
    total = None
    for i in range(size):
        minor = concat([below.part(column, *side) for side in ((0, i), (i + 1, size)) if side[1] > side[0]], column)
        head = x.part(row, 0, 1).part(column, i, i + 1)
        term = head * _cofactors(minor)
        total = term if total is None else total - term if i % 2 else total + term
    assert total is not None
    return total
