"""Determinants of small matrices."""

from __future__ import annotations

from ttc import ops
from ttc.errors import Refusal
from ttc.frontend.composer import Composer, part, reshape
from ttc.ir import Value

ROW_LIMIT = 4


def determinant(b: Composer, x: Value) -> Value:
    """x [..., n, n] -> [...], by cofactors; Refusal for more than ROW_LIMIT rows."""
    if x.shape[-1] != x.shape[-2] or x.shape[-1] > ROW_LIMIT:
        raise Refusal(f"the determinant of {x.type}: square matrices of up to {ROW_LIMIT} rows are supported")
    return reshape(b, _cofactors(b, x), x.shape[:-2])


def _cofactors(b: Composer, x: Value) -> Value:
    """[..., n, n] -> [..., 1, 1], by the first row."""
    size, row, column = x.shape[-1], x.type.rank - 2, x.type.rank - 1
    if size == 1:
        return x
    below = part(b, x, row, 1, size)
    total = None
    for i in range(size):
        sides = tuple(part(b, below, column, start, end) for start, end in ((0, i), (i + 1, size)) if end > start)
        minor = sides[0] if len(sides) == 1 else b(ops.Concat(sides, column))
        head = part(b, part(b, x, row, 0, 1), column, i, i + 1)
        term = b(ops.Mul(head, _cofactors(b, minor)))
        total = term if total is None else b((ops.Sub if i % 2 else ops.Add)(total, term))
    assert total is not None
    return total
