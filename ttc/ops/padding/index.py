"""What looking up by index makes of padding: no index beyond the length may lead astray."""

from __future__ import annotations

from dataclasses import replace

from ttc.errors import Refusal
from ttc.ir import Input, Value
from ttc.ops import index
from ttc.ops.padding.region import Factor, Region
from ttc.ops.padding.rules import Flow, transfers


@transfers(index.Embedding)
def embedding(op: index.Embedding, flow: Flow) -> tuple[Value, Region]:
    """Rows for all indices; those of padding, unless inputs, are masked so that they are some row's."""
    table = flow.region(op.w)
    if any(factor.sample for dim in table.dims for factor in dim):
        raise Refusal("its table has a row for each sample")
    at = _safe(op.index, flow)
    region = flow.region(at)
    rows = tuple(tuple(replace(f, fill=None) for f in dim) for dim in region.dims)
    rest = tuple(tuple(replace(f, fill=None) for f in dim) for dim in table.dims[1:])
    return flow(replace(op, index=at)), Region((*rows, *rest), table.taint)


def _safe(at: Value, flow: Flow) -> Value:
    """An index that lies within its table in the padding too: what is looked up there does not matter."""
    region = flow.region(at)
    if isinstance(at.op, Input) or not region.padded or flow.constant(at):
        return at
    return flow.masked(at, region.padded_dims, 0, "an index computed from the padding may lie outside its table")


@transfers(index.Gather)
def gather(op: index.Gather, flow: Flow) -> tuple[Value, Region]:
    """Elements of x for all indices; x and index agree in their other dimensions."""
    x = flow.region(op.x)
    at = _safe(op.index, flow)
    region = flow.region(at)
    dims = []
    for d, (own, other) in enumerate(zip(x.dims, region.dims, strict=True)):
        merged = tuple(replace(f, fill=None) for f in other)
        if d != op.dim and any(f.sample for f in own):
            merged = tuple(replace(f, sample=True) for f in merged)
        if d != op.dim and [f.length for f in own] != [f.length for f in other]:
            raise Refusal("its index and its operand differ in a length")
        dims.append(merged)
    return flow(replace(op, index=at)), Region(tuple(dims), x.taint)


@transfers(index.Scatter)
def scatter(op: index.Scatter, flow: Flow) -> tuple[Value, Region]:
    """Padding is written nowhere: sums add zeros of it at the first place, anything else is refused."""
    at, updates, x = flow.region(op.index), flow.region(op.updates), flow.region(op.x)
    if op.dim in x.padded_dims or any(f.sample for region in (at, updates, x) for f in region.dims[op.dim]):
        raise Refusal("it writes to places along a length or the batch")
    for d in range(len(x.dims)):
        lengths = {factor.length for region in (at, updates, x) for factor in region.dims[d]}
        if d != op.dim and len(lengths) > 1:
            raise Refusal("what it writes and where differ in a length")
    along = [op.dim] if op.dim in (*at.padded_dims, *updates.padded_dims) else []
    if along and op.reduce != "add":
        raise Refusal("it writes as much as a length is long")
    why = "what is added beyond the length"
    new = flow.masked(_safe(op.index, flow), along, 0, why)
    added = flow.masked(op.updates, along, 0, why)
    taint = x.taint | flow.region(added).taint
    return flow(replace(op, index=new, updates=added)), replace(x.without_fills(), taint=taint)


@transfers(index.OneHot)
def one_hot(op: index.OneHot, flow: Flow) -> tuple[Value, Region]:
    """A new last dimension."""
    region = flow.region(op.index).without_fills()
    if any(variant.depth != op.depth for variant in flow.variants):
        raise Refusal("its depth follows a length")
    return flow(op), Region((*region.dims, (Factor((op.depth,) * flow.members),)))
