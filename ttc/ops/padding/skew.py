"""The transfer function of shears: rows stay in their places, and columns beyond the end must be 0, as in the model."""

from __future__ import annotations

from dataclasses import replace

from ttc.ir import Value
from ttc.ops.padding.abstract import AbstractValue, dim_of, single
from ttc.ops.padding.transfer import Flow, transfers
from ttc.ops.skew import Skew


@transfers(Skew, varying=("size",))
def skew(op: Skew, flow: Flow) -> tuple[Value, AbstractValue]:
    """Mask columns beyond the length with zeros; the offset counts from the first column, which all lengths have."""
    x, columns = op.x, op.x.type.rank - 1
    if columns in flow.abstract(x).padded_dims:
        x = flow.masked(x, [columns], 0.0, "what is beyond the length counts as zero")
    abstract = flow.abstract(x)
    rows = abstract.axis(columns - 1)
    rows = rows.bare(0.0 if rows.fill == 0 else None)
    new = dim_of(flow.results[0].shape[columns])
    return flow(replace(op, x=x)), AbstractValue((*abstract.dims[:-2], single(rows), new), abstract.taint)
