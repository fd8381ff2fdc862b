"""Transfer functions of lookups by index: indices in the padding must lie within the table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from ttc.errors import Refusal
from ttc.ir import Input, Value
from ttc.ops import index
from ttc.ops.padding.abstract import AbstractValue, Factor, dim_of
from ttc.ops.padding.transfer import Flow, transfers


@transfers(index.Embedding, known=("index",))
def embedding(op: index.Embedding, flow: Flow) -> tuple[Value, AbstractValue]:
    """Look up rows for all indices; indices in the padding, unless inputs, are masked with 0."""
    places = flow.picked()
    if places is not None and (found := _picked(op, places, flow)):
        return flow(op), found
    if why := flow.why_unknown("index"):
        raise Refusal(why)
    table = flow.abstract(op.w)
    table.axis(0)  # places in merged dimensions would be others at each length
    if any(factor.sample for dim in table.dims for factor in dim):
        raise Refusal("its table has a row for each sample")
    at = _safe(op.index, flow)
    abstract = flow.abstract(at).without_fills()
    rest = AbstractValue(table.dims[1:]).without_fills()
    return flow(replace(op, index=at)), AbstractValue((*abstract.dims, *rest.dims), table.taint)


def _picked(op: index.Embedding, places: Tensor, flow: Flow) -> AbstractValue | None:
    """Give the abstract value of known rows, the same at all lengths; None if samples have rows of their own.

    Places are taken apart along the factors of the table's first dimension: where one follows a dimension of the
    index step by step, that dimension is as valid as the table, and holds what the table holds (unless it follows
    several at once, as on a diagonal).
    """
    table = flow.abstract(op.w)
    rows = table.dims[0] or (Factor(1),)
    dims = list(map(dim_of, flow.results[0].shape[: places.ndim]))
    followed: set[int] = set()
    for factor, column in zip(rows, taken_apart(places, [factor.size for factor in rows]), strict=True):
        along = _follows(column)
        if along is not None and dims[along] and _as_long(dims[along][0], factor, flow):
            dims[along] = (factor.bare() if along in followed else factor,)
            followed.add(along)
        elif factor.sample:
            return None
        elif factor.length and not any(f.length for dim in dims for f in dim):
            flow.require(factor.length, int(column.max()) + 1)
    rest = AbstractValue(table.dims[1:]).without_fills()
    return AbstractValue((*dims, *rest.dims), table.taint)


def _as_long(a: Factor, b: Factor, flow: Flow) -> bool:
    """Return whether two factors have the same size at all lengths."""
    if a.length is None or b.length is None:
        return a.length is b.length and a.size == b.size
    return flow.same(a.length, b.length)


def taken_apart(places: Tensor, sizes: Sequence[int]) -> list[Tensor]:
    """Split row-major places into one coordinate for each of these sizes."""
    parts: list[Tensor] = []
    for size in reversed(sizes):
        parts.insert(0, places % size)
        places = places // size
    return parts


def common(tensor: Tensor, other: Tensor) -> Tensor:
    """Slice the part of a tensor that another tensor of equal rank has too."""
    return tensor[tuple(slice(min(a, b)) for a, b in zip(tensor.shape, other.shape, strict=True))]


def _follows(column: Tensor) -> int | None:
    """Return the dimension along which a coordinate counts 0, 1, 2, ..., being the same along all others."""
    for dim, size in enumerate(column.shape):
        count = torch.arange(size).reshape([size if d == dim else 1 for d in range(column.ndim)])
        if size > 1 and torch.equal(column, count.expand(column.shape)):
            return dim
    return None


def _safe(at: Value, flow: Flow) -> Value:
    """Mask an index so that the index lies within the table in the padding too, where any row does."""
    abstract = flow.abstract(at)
    if isinstance(at.op, Input) or not abstract.padded or flow.constant(at):
        return at
    return flow.masked(at, abstract.padded_dims, 0, "an index computed from the padding may lie outside its table")


@transfers(index.Gather)
def gather(op: index.Gather, flow: Flow) -> tuple[Value, AbstractValue]:
    """Gather elements of x for all indices; x and index agree in their other dimensions."""
    x = flow.abstract(op.x)
    x.axis(op.dim)  # as with a table
    at = _safe(op.index, flow)
    abstract = flow.abstract(at)
    dims = []
    for d, (own, other) in enumerate(zip(x.dims, abstract.dims, strict=True)):
        merged = tuple(f.bare() for f in other)
        if d != op.dim and any(f.sample for f in own):
            merged = tuple(replace(f, sample=True) for f in merged)
        if d != op.dim and [f.length for f in own] != [f.length for f in other]:
            raise Refusal("its index and its operand differ in a length")
        dims.append(merged)
    return flow(replace(op, index=at)), AbstractValue(tuple(dims), x.taint)


@transfers(index.Scatter)
def scatter(op: index.Scatter, flow: Flow) -> tuple[Value, AbstractValue]:
    """Scatter without padding: a sum adds zeros at the first place instead, any other reduction is refused.

    Places along a length are the model's own, which are valid ones.
    """
    at, updates, x = flow.abstract(op.index), flow.abstract(op.updates), flow.abstract(op.x)
    if any(f.sample for abstract in (at, updates, x) for f in abstract.dims[op.dim]):
        raise Refusal("it writes to places along the batch")
    x.axis(op.dim)  # or places would count what merged dimensions have in the bucket
    for d in range(len(x.dims)):
        lengths = {factor.length for abstract in (at, updates, x) for factor in abstract.dims[d]}
        if d != op.dim and len(lengths) > 1:
            raise Refusal("what it writes and where differ in a length")
    along = [op.dim] if op.dim in (*at.padded_dims, *updates.padded_dims) else []
    if along and op.reduce != "add":
        raise Refusal("it writes as much as a length is long")
    why = "what is added beyond the length"
    new = flow.masked(_safe(op.index, flow), along, 0, why)
    added = flow.masked(op.updates, along, 0, why)
    taint = x.taint | flow.abstract(added).taint
    kept = x if not at.padded else x.without_fills()
    return flow(replace(op, index=new, updates=added)), replace(kept, taint=taint)


@transfers(index.OneHot)
def one_hot(op: index.OneHot, flow: Flow) -> tuple[Value, AbstractValue]:
    """Add a new last dimension, which has no padding."""
    abstract = flow.abstract(op.index).without_fills()
    return flow(op), AbstractValue((*abstract.dims, (Factor(op.depth),)))
