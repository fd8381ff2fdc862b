"""What moving elements makes of padding that stays where it is; `ends` has the ops that move the end of a length."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ttc.errors import Refusal
from ttc.ir import Value
from ttc.ops import shape
from ttc.ops.binary import Minimum
from ttc.ops.padding.realign import positions, realigned
from ttc.ops.padding.region import Dim, Factor, Region, Sizes
from ttc.ops.padding.rules import Flow, transfers


@transfers(shape.Reshape, varying=("shape",))
def reshape(op: shape.Reshape, flow: Flow) -> tuple[Value, Region]:
    """Factors are merged and taken apart; the valid elements stay where they are."""
    x = flow.region(op.x)
    wanted = _shapes(flow, "shape")
    return flow(op), Region(regrouped(x.factors, wanted), x.taint)


def _shapes(flow: Flow, name: str) -> list[Sizes]:
    """The sizes of each dimension of an attribute that is a shape."""
    return list(zip(*(getattr(op, name) for op in flow.variants), strict=True))


def regrouped(factors: Sequence[Factor], wanted: Sequence[Sizes]) -> tuple[Dim, ...]:
    """The factors of dimensions of these sizes that hold the same elements in row-major order."""
    left = [factor for factor in factors if any(size != 1 for size in factor.sizes)]
    dims: list[Dim] = []
    for sizes in wanted:
        dim: list[Factor] = []
        while any(size != 1 for size in sizes):
            if not left:
                raise Refusal(f"its elements do not fit a dimension of {sizes[0]}")
            first = left.pop(0)
            if not _divides(first.sizes, sizes):
                first, rest = _taken(first, sizes)
                left.insert(0, rest)
            dim.append(first)
            sizes = tuple(a // b for a, b in zip(sizes, first.sizes, strict=True))
        dims.append(tuple(dim))
    return tuple(dims)


def _divides(inner: Sizes, outer: Sizes) -> bool:
    return all(b % a == 0 for a, b in zip(inner, outer, strict=True))


def _taken(factor: Factor, outer: Sizes) -> tuple[Factor, Factor]:
    """A factor as an outer one of these sizes and the rest."""
    if not _divides(outer, factor.sizes):
        raise Refusal(f"a reshape divides {factor.sizes[0]} elements into parts of {outer[0]}")
    inner = tuple(a // b for a, b in zip(factor.sizes, outer, strict=True))
    if factor.sample:
        raise Refusal("a reshape takes the batch apart")
    if factor.length is None:
        return Factor(outer), Factor(inner)
    if len(set(inner)) > 1:
        raise Refusal(f"a reshape cuts the length {factor.length} into parts that follow it")
    # A true length that is no multiple would leave half a part: the model itself takes only multiples.
    return Factor(outer, factor.length // inner[0], factor.fill), Factor(inner)


@transfers(shape.Permute)
def permute(op: shape.Permute, flow: Flow) -> tuple[Value, Region]:
    """Dimensions with their padding in another order."""
    x = flow.region(op.x)
    return flow(op), Region(tuple(x.dims[d] for d in op.dims), x.taint)


@transfers(shape.Expand, varying=("shape",))
def expand(op: shape.Expand, flow: Flow) -> tuple[Value, Region]:
    """A dimension that is repeated to a length has valid elements only: what is beyond is as finite as they are."""
    x = flow.region(op.x)
    wanted = _shapes(flow, "shape")
    dims = [()] * (len(wanted) - len(x.dims)) + list(x.dims)
    new = [
        dim if dim or all(size == 1 for size in sizes) else (replace(flow.fit(sizes), alike=True),)
        for dim, sizes in zip(dims, wanted, strict=True)
    ]
    return flow(op), Region(tuple(new), x.taint)


@transfers(shape.Repeat)
def repeat(op: shape.Repeat, flow: Flow) -> tuple[Value, Region]:
    """A length is repeated from its true end; the rest as it is."""
    region = flow.region(op.x)
    dims: list[Dim] = []
    for dim, times in zip(region.dims, op.repeats, strict=True):
        if times == 1:
            dims.append(dim)
        elif any(factor.length or factor.sample for factor in dim):
            raise Refusal("it repeats a length several times")
        else:
            dims.append((Factor((times,) * flow.members), *dim))
    return flow(op), Region(tuple(dims), region.taint)


@transfers(shape.Upsample)
def upsample(op: shape.Upsample, flow: Flow) -> tuple[Value, Region]:
    """Nearest repeats padding as it is; interpolation would mix it in, so that it repeats the true last element."""
    if op.rows:
        raise Refusal("rows are not known here")
    x, region = op.x, flow.region(op.x)
    dims = [2 + axis for axis, scale in enumerate(op.scales) if scale != 1]
    if op.mode != "nearest":
        for dim in dims:
            axis = region.axis(dim)
            if axis.length is None:
                continue
            index = flow(Minimum(positions(region, dim, x.shape[dim], flow), flow.length(axis.length - 1, region)))
            x, region = realigned(x, region, dim, index, axis.bare(), flow)
    for axis_number, scale in enumerate(op.scales):
        axis = region.axis(2 + axis_number)
        if scale != 1:
            sizes = tuple(size * scale for size in axis.over(flow.members))
            region = region.with_dim(2 + axis_number, Factor(sizes, axis.length and axis.length * scale, axis.fill))
    return flow(replace(op, x=x)), region
