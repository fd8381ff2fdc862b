"""Gathers of elements from positions that follow the true length."""

from __future__ import annotations

from ttc.errors import Refusal
from ttc.ir import DType, TensorType, Value
from ttc.ir.lengths import Length
from ttc.ops.binary import Add
from ttc.ops.index import Gather
from ttc.ops.padding.abstract import AbstractValue, Factor
from ttc.ops.padding.transfer import Flow
from ttc.ops.shape import Expand
from ttc.ops.unary import Clamp


def positions(
    abstract: AbstractValue, dim: int, count: int, flow: Flow, start: Length | None = None, step: int = 1
) -> Value:
    """Compute `count` positions start, start + step, ... (i64) along a dimension, of size 1 in all others."""
    start = start or Length.number(0)
    shape = tuple(count if d == dim else 1 for d in range(len(abstract.dims)))
    offset = 0 if start.terms else start.constant
    index = flow.known([offset + step * i for i in range(count)], TensorType(DType.i64, shape))
    return flow(Add(index, flow.length(start, abstract))) if start.terms else index


def realigned(
    y: Value, abstract: AbstractValue, dim: int, index: Value, new: Factor, flow: Flow
) -> tuple[Value, AbstractValue]:
    """Gather y[.., index, ..] along a dimension, which becomes `new`; positions are clamped to the ends."""
    for other, factors in enumerate(abstract.dims):
        if other != dim and index.shape[other] != 1 and not any(factor.sample for factor in factors):
            raise Refusal("its batch is merged with another dimension")
    index = flow(Clamp(index, low=0, high=y.shape[dim] - 1))
    shape = tuple(index.shape[dim] if d == dim else size for d, size in enumerate(y.shape))
    found = flow(Gather(y, flow(Expand(index, shape)), dim))
    return found, abstract.with_dim(dim, new.bare())
