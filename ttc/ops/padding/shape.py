"""Transfer functions of ops that move elements and leave padding where it is; `ends` has those that move an end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ttc.errors import Refusal
from ttc.ir import Value
from ttc.ir.symbolic import SymbolicSize
from ttc.ops import shape
from ttc.ops.binary import Minimum
from ttc.ops.padding.abstract import AbstractValue, Dim, Factor, dim_of
from ttc.ops.padding.realign import positions, realigned
from ttc.ops.padding.transfer import Flow, transfers


@transfers(shape.Reshape, varying=("shape",))
def reshape(op: shape.Reshape, flow: Flow) -> tuple[Value, AbstractValue]:
    """Merge and split factors; valid elements keep the row-major order."""
    x = flow.abstract(op.x)
    return flow(op), AbstractValue(regrouped(x.factors, op.shape), x.taint)


def regrouped(factors: Sequence[Factor], wanted: Sequence[int]) -> tuple[Dim, ...]:
    """Give the factors of dimensions of these (symbolic) sizes that hold the same elements in row-major order."""
    left = [factor for factor in factors if factor.size != 1 or factor.length]
    return tuple(_next_dim(left, size) for size in wanted)


def _next_dim(left: list[Factor], size: int) -> Dim:
    """Take from the factors that are left those that make up a dimension, the last of them split if need be."""
    follows, rest = isinstance(size, SymbolicSize), int(size)
    dim: list[Factor] = []
    while rest != 1 or (follows and left and left[0].size == 1):
        if not left:
            raise Refusal(f"its elements do not fit a dimension of {size}")
        first = left.pop(0)
        if rest % first.size or (first.length and not follows):
            first, inner = _taken(first, rest, follows)
            left.insert(0, inner)
        dim.append(first)
        rest //= first.size
    return tuple(dim)


def _taken(factor: Factor, outer: int, follows: bool) -> tuple[Factor, Factor]:
    """Split a factor into an outer one of this size, which follows a length or not, and the rest."""
    if factor.size % outer:
        raise Refusal(f"a reshape divides {factor.size} elements into parts of {outer}")
    if factor.sample:
        raise Refusal("a reshape takes the batch apart")
    inner = factor.size // outer
    if factor.length is None:
        return Factor(outer), Factor(inner)
    if not follows:
        raise Refusal(f"a reshape cuts the length {factor.length} into parts that follow it")
    # A true length that is no multiple would leave half a part: the model itself takes only multiples.
    return Factor(outer, factor.length // inner, factor.fill), Factor(inner)


@transfers(shape.Permute)
def permute(op: shape.Permute, flow: Flow) -> tuple[Value, AbstractValue]:
    """Order the dimensions, each with its padding, as the op does."""
    x = flow.abstract(op.x)
    return flow(op), AbstractValue(tuple(x.dims[d] for d in op.dims), x.taint)


@transfers(shape.Expand, varying=("shape",))
def expand(op: shape.Expand, flow: Flow) -> tuple[Value, AbstractValue]:
    """Expand dimensions: one repeated to a length holds the same elements in the padding as in the valid part."""
    x = flow.abstract(op.x)
    dims = [()] * (len(op.shape) - len(x.dims)) + list(x.dims)
    new = [
        dim or tuple(replace(factor, alike=True) for factor in dim_of(size))
        for dim, size in zip(dims, flow.results[0].shape, strict=True)
    ]
    return flow(op), AbstractValue(tuple(new), x.taint)


@transfers(shape.Repeat)
def repeat(op: shape.Repeat, flow: Flow) -> tuple[Value, AbstractValue]:
    """Repeat dimensions without a length; repeating a length is refused."""
    abstract = flow.abstract(op.x)
    dims: list[Dim] = []
    for dim, times in zip(abstract.dims, op.repeats, strict=True):
        if times == 1:
            dims.append(dim)
        elif any(factor.length or factor.sample for factor in dim):
            raise Refusal("it repeats a length several times")
        else:
            dims.append((Factor(times), *dim))
    return flow(op), AbstractValue(tuple(dims), abstract.taint)


@transfers(shape.Upsample)
def upsample(op: shape.Upsample, flow: Flow) -> tuple[Value, AbstractValue]:
    """Repeat padding for nearest; before interpolation, replace padding by the last valid element."""
    if op.rows:
        raise Refusal("rows are not known here")
    x, abstract = op.x, flow.abstract(op.x)
    dims = [2 + axis for axis, scale in enumerate(op.scales) if scale != 1]
    if op.mode != "nearest":
        for dim in dims:
            axis = abstract.axis(dim)
            if axis.length is None:
                continue
            index = flow(Minimum(positions(abstract, dim, x.shape[dim], flow), flow.length(axis.length - 1, abstract)))
            x, abstract = realigned(x, abstract, dim, index, axis.bare(), flow)
    for axis_number, scale in enumerate(op.scales):
        axis = abstract.axis(2 + axis_number)
        if scale != 1:
            wide = Factor(axis.size * scale, axis.length and axis.length * scale, axis.fill)
            abstract = abstract.with_dim(2 + axis_number, wide)
    return flow(replace(op, x=x)), abstract
