"""The model's own masks, which save other masks once made certain to exclude all padding."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ttc import ops
from ttc.ir import Value

if TYPE_CHECKING:
    from ttc.passes.padding.analysis import PaddingAnalysis


def certain_comparison(value: Value, analysis: PaddingAnalysis) -> Value:
    """Mask a comparison of positions with the model's own lengths, so that the comparison surely excludes padding."""
    op = value.op
    if not isinstance(op, (ops.Lt, ops.Le, ops.Gt, ops.Ge)):
        return value
    for positions, other, beyond in (
        (op.a, op.b, isinstance(op, (ops.Gt, ops.Ge))),
        (op.b, op.a, isinstance(op, (ops.Lt, ops.Le))),
    ):
        back = {value.type.rank - positions.type.rank + d for d in analysis.abstract(positions).padded_dims}
        own = {value.type.rank - other.type.rank + d for d in analysis.abstract(other).padded_dims}
        if not analysis.constant(positions) or not back or back & own:
            continue
        analysis.own = True
        if analysis.certain:
            return analysis.masked(value, sorted(back), float(beyond), "the model's own mask, which others rely on")
    return value


def certain_product(op: ops.Mul, analysis: PaddingAnalysis) -> None:
    """Make the other factor of a product with a mask of zeros finite, as inf or NaN times 0 would be NaN."""
    for mask, value in ((op.a, op.b), (op.b, op.a)):
        zeros = [factor.fill for factor in analysis.abstract(mask).factors if factor.length]
        if zeros and set(zeros) == {0.0} and not analysis.abstract(value).finite and analysis.abstract(mask).finite:
            analysis.own = True
            if analysis.certain:
                analysis.finite(value, "the model's own mask")
