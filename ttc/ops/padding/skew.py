"""What a shear makes of padding: rows stay where they are, and columns beyond the end must be what the model has: 0."""

from __future__ import annotations

from dataclasses import replace

from ttc.ir import Value
from ttc.ops.padding.region import Factor, Region, single
from ttc.ops.padding.rules import Flow, transfers
from ttc.ops.skew import Skew


@transfers(Skew, varying=("size",))
def skew(op: Skew, flow: Flow) -> tuple[Value, Region]:
    """Each row reads its own; its offset counts from the first column, which all lengths have."""
    x, columns = op.x, op.x.type.rank - 1
    if columns in flow.region(x).padded_dims:
        x = flow.masked(x, [columns], 0.0, "what is beyond the length counts as zero")
    region = flow.region(x)
    rows = region.axis(columns - 1)
    rows = rows.bare(0.0 if rows.fill == 0 else None)
    new: Factor = flow.fit(tuple(variant.size for variant in flow.variants))
    return flow(replace(op, x=x)), Region((*region.dims[:-2], single(rows), single(new)), region.taint)
