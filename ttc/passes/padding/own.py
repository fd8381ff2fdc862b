"""The model's own masks, which save others once it is certain that they exclude all padding."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ttc import ops
from ttc.ir import Value

if TYPE_CHECKING:
    from ttc.passes.padding.walk import Walk


def certain_comparison(value: Value, walk: Walk) -> Value:
    """A comparison of positions with lengths of the model's own, so that it surely excludes what is no position."""
    op = value.op
    if not isinstance(op, (ops.Lt, ops.Le, ops.Gt, ops.Ge)):
        return value
    for positions, other, beyond in (
        (op.a, op.b, isinstance(op, (ops.Gt, ops.Ge))),
        (op.b, op.a, isinstance(op, (ops.Lt, ops.Le))),
    ):
        back = {value.type.rank - positions.type.rank + d for d in walk.region(positions).padded_dims}
        own = {value.type.rank - other.type.rank + d for d in walk.region(other).padded_dims}
        if not walk.constant(positions) or not back or back & own:
            continue
        walk.own = True
        if walk.certain:
            return walk.masked(value, sorted(back), float(beyond), "the model's own mask, which others rely on")
    return value


def certain_product(op: ops.Mul, walk: Walk) -> None:
    """A product with a mask of zeros excludes what is finite only."""
    for mask, value in ((op.a, op.b), (op.b, op.a)):
        zeros = [factor.fill for factor in walk.region(mask).factors if factor.length]
        if zeros and set(zeros) == {0.0} and not walk.region(value).clean and walk.region(mask).clean:
            walk.own = True
            if walk.certain:
                walk.finite(value, "the model's own mask")
