"""Numbers in the opposite order, by which the largest is found as the smallest."""

from __future__ import annotations

from ttc.ir import DType
from ttc.ops.expr import Expr


def opposite(x: Expr) -> Expr:
    """Return numbers that are ordered as those of x the other way round.

    Integers become -1 - x, which keeps the ends of their range inside: -x of the lowest is the lowest again.
    """
    if x.dtype.is_float:
        return -x
    if x.dtype is DType.bool or x.dtype.kind == "uint":
        x = x.cast(DType.i32 if x.dtype.bytes < 4 else DType.i64)
    return -1 - x
