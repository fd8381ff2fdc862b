"""The model's own masks, which save other masks once made certain to exclude all padding."""

from __future__ import annotations

from ttc import ops
from ttc.ir import Value
from ttc.passes.padding.flow import PaddingFlow


def certain_comparison(value: Value, flow: PaddingFlow) -> Value:
    """Mask a comparison of positions with the model's own lengths, so that the comparison surely excludes padding."""
    op = value.op
    if not isinstance(op, (ops.Lt, ops.Le, ops.Gt, ops.Ge)):
        return value
    for positions, other, beyond in (
        (op.a, op.b, isinstance(op, (ops.Gt, ops.Ge))),
        (op.b, op.a, isinstance(op, (ops.Lt, ops.Le))),
    ):
        back = {value.type.rank - positions.type.rank + d for d in flow.abstract(positions).padded_dims}
        own = {value.type.rank - other.type.rank + d for d in flow.abstract(other).padded_dims}
        if not flow.constant(positions) or not back or back & own:
            continue
        flow.own = True
        if flow.certain:
            return flow.masked(value, sorted(back), float(beyond), "the model's own mask, which others rely on")
    return value


def certain_product(op: ops.Mul, flow: PaddingFlow) -> None:
    """Make the other factor of a product with a mask of zeros finite, as inf or NaN times 0 would be NaN."""
    for mask, value in ((op.a, op.b), (op.b, op.a)):
        zeros = [factor.fill for factor in flow.abstract(mask).factors if factor.length]
        if zeros and set(zeros) == {0.0} and not flow.abstract(value).finite and flow.abstract(mask).finite:
            flow.own = True
            if flow.certain:
                flow.finite(value, "the model's own mask")
