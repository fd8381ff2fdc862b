"""What looking up by index makes of padding: no index beyond the length may lead astray."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from ttc.errors import Refusal
from ttc.ir import Input, Value
from ttc.ops import index
from ttc.ops.padding.region import Factor, Region, single
from ttc.ops.padding.rules import Flow, transfers


@transfers(index.Embedding, known=("index",))
def embedding(op: index.Embedding, flow: Flow) -> tuple[Value, Region]:
    """Rows for all indices; those of padding, unless inputs, are masked so that they are some row's."""
    places = flow.tensors("index")
    if places is not None and (found := _picked(op, places, flow)):
        return flow(op), found
    if why := flow.why_unknown("index"):
        raise Refusal(why)
    table = flow.region(op.w)
    table.axis(0)  # places in merged dimensions would be others at each length
    if any(factor.sample for dim in table.dims for factor in dim):
        raise Refusal("its table has a row for each sample")
    at = _safe(op.index, flow)
    region = flow.region(at).without_fills()
    rest = Region(table.dims[1:]).without_fills()
    return flow(replace(op, index=at)), Region((*region.dims, *rest.dims), table.taint)


def _picked(op: index.Embedding, places: list[Tensor], flow: Flow) -> Region | None:
    """The region of rows picked at known places, if at all lengths they are the same ones; None if they are not.

    Places are taken apart along the factors of the table's first dimension: where one follows a dimension of the
    index step by step, that dimension is as valid as the table, and holds what the table holds (unless it follows
    several at once, as on a diagonal).
    """
    table = flow.region(op.w)
    rows = table.dims[0] or (Factor((1,) * flow.members),)
    steps = [_taken_apart(tensor, [f.sizes[member] for f in rows]) for member, tensor in enumerate(places)]
    dims = [single(flow.fit(sizes)) for sizes in zip(*(tensor.shape for tensor in places), strict=True)]
    followed: set[int] = set()
    for number, factor in enumerate(rows):
        columns = [parts[number] for parts in steps]
        if not all(torch.equal(common(columns[0], other), common(other, columns[0])) for other in columns):
            return None
        along = _follows(columns[0])
        if along is not None and dims[along] and dims[along][0].sizes == factor.sizes:
            dims[along] = (factor.bare() if along in followed else factor,)
            followed.add(along)
        elif factor.sample:
            return None
        elif factor.length and not any(f.length for dim in dims for f in dim):
            flow.require(factor.length, int(columns[0].max()) + 1)
    rest = Region(table.dims[1:]).without_fills()
    return Region((*dims, *rest.dims), table.taint)


def _taken_apart(places: Tensor, sizes: list[int]) -> list[Tensor]:
    """Row-major places as one coordinate for each of these sizes."""
    parts: list[Tensor] = []
    for size in reversed(sizes):
        parts.insert(0, places % size)
        places = places // size
    return parts


def common(tensor: Tensor, other: Tensor) -> Tensor:
    """The part of a tensor that another of its rank has too."""
    return tensor[tuple(slice(min(a, b)) for a, b in zip(tensor.shape, other.shape, strict=True))]


def _follows(column: Tensor) -> int | None:
    """The dimension along which a coordinate counts 0, 1, 2, ..., being the same along all others."""
    for dim, size in enumerate(column.shape):
        count = torch.arange(size).reshape([size if d == dim else 1 for d in range(column.ndim)])
        if size > 1 and torch.equal(column, count.expand(column.shape)):
            return dim
    return None


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
    x.axis(op.dim)  # as with a table
    at = _safe(op.index, flow)
    region = flow.region(at)
    dims = []
    for d, (own, other) in enumerate(zip(x.dims, region.dims, strict=True)):
        merged = tuple(f.bare() for f in other)
        if d != op.dim and any(f.sample for f in own):
            merged = tuple(replace(f, sample=True) for f in merged)
        if d != op.dim and [f.length for f in own] != [f.length for f in other]:
            raise Refusal("its index and its operand differ in a length")
        dims.append(merged)
    return flow(replace(op, index=at)), Region(tuple(dims), x.taint)


@transfers(index.Scatter)
def scatter(op: index.Scatter, flow: Flow) -> tuple[Value, Region]:
    """Padding is written nowhere: sums add zeros of it at the first place, anything else is refused.

    Places along a length are the model's own, which are valid ones.
    """
    at, updates, x = flow.region(op.index), flow.region(op.updates), flow.region(op.x)
    if any(f.sample for region in (at, updates, x) for f in region.dims[op.dim]):
        raise Refusal("it writes to places along the batch")
    x.axis(op.dim)  # or places would count what merged dimensions have in the bucket
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
    kept = x if not at.padded else x.without_fills()
    return flow(replace(op, index=new, updates=added)), replace(kept, taint=taint)


@transfers(index.OneHot)
def one_hot(op: index.OneHot, flow: Flow) -> tuple[Value, Region]:
    """A new last dimension."""
    region = flow.region(op.index).without_fills()
    if any(variant.depth != op.depth for variant in flow.variants):
        raise Refusal("its depth follows a length")
    return flow(op), Region((*region.dims, (Factor((op.depth,) * flow.members),)))
