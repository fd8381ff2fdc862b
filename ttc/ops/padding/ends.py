"""Transfer functions of ops that move the end of a length: elements are fetched from the places of the true length."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import isfinite

from ttc.errors import Refusal
from ttc.ir import Value
from ttc.ir.lengths import Length
from ttc.ir.symbolic import SymbolicSize, length_of
from ttc.ops import shape
from ttc.ops.binary import Add, Ge, Minimum, Sub, Where
from ttc.ops.padding.abstract import AbstractValue, Dim, Factor, dim_of, joined
from ttc.ops.padding.realign import positions, realigned
from ttc.ops.padding.transfer import Flow, transfers
from ttc.ops.padding.windows import block_width, reflected_in_windows
from ttc.ops.unary import Abs, Clamp


@transfers(shape.Concat)
def concat(op: shape.Concat, flow: Flow) -> tuple[Value, AbstractValue]:
    """Concatenate along a length: elements after the length move to the true end."""
    abstracts = [flow.abstract(x) for x in op.xs]
    abstract = abstracts[0]
    for other in abstracts[1:]:
        abstract = _join(abstract, other, op.dim, flow)
    axes = [other.axis(op.dim) for other in abstracts]
    if any(axis.sample for axis in axes):
        raise Refusal("it puts samples of the batch one after another")
    size = sum(axis.size for axis in axes)
    if not any(axis.length for axis in axes):
        whole = Factor(size)
        return flow(op), abstract.with_dim(op.dim, whole)
    total = Length.number(0)
    for axis in axes:
        total += axis.length or Length.number(axis.size)
    padded = [axis for axis in axes if axis.length]
    last_only = len(padded) == 1 and axes[-1].length is not None
    whole = Factor(size, total, padded[0].fill if last_only else None)
    if last_only:
        return flow(op), abstract.with_dim(op.dim, whole)
    y = flow(op)
    abstract = abstract.with_dim(op.dim, whole)
    index = _places(op, axes, abstract, flow)
    return realigned(y, abstract, op.dim, index, abstract.dims[op.dim][0], flow)


def _places(op: shape.Concat, axes: Sequence[Factor], abstract: AbstractValue, flow: Flow) -> Value:
    """Compute for each position of the true concatenation the element's position in the one with padding."""
    index = positions(abstract, op.dim, abstract.dims[op.dim][0].size, flow)
    place = index
    start = Length.number(0)
    offset = 0
    for axis in axes[:-1]:
        start += axis.length or Length.number(axis.size)
        offset += axis.size
        begin = flow.length(start, abstract)
        shifted = flow(Add(index, flow.length(start * -1 + offset, abstract)))
        place = flow(Where(flow(Ge(index, begin)), shifted, place))
    return place


def _join(a: AbstractValue, b: AbstractValue, dim: int, flow: Flow) -> AbstractValue:
    """Join two abstract values, keeping the facts that hold of both, in all dimensions but one."""
    dims: list[Dim] = []
    for d, (first, second) in enumerate(zip(a.dims, b.dims, strict=True)):
        if d == dim or [f.size for f in first] != [f.size for f in second]:
            if d != dim:
                raise Refusal("its operands are made of different parts")
            dims.append(first)
            continue
        dims.append(tuple(_join_factors(x, y, flow) for x, y in zip(first, second, strict=True)))
    return AbstractValue(tuple(dims), a.taint | b.taint)


def _join_factors(a: Factor, b: Factor, flow: Flow) -> Factor:
    if (a.length is None) != (b.length is None) or (a.length and b.length and not flow.same(a.length, b.length)):
        raise Refusal(f"it puts the length {a.length} beside the length {b.length}")
    return Factor(a.size, a.length, a.fill if a.fill == b.fill else None, a.sample or b.sample, a.alike and b.alike)


@transfers(shape.Slice, varying=("starts", "ends"))
def cut(op: shape.Slice, flow: Flow) -> tuple[Value, AbstractValue]:
    """Slice from a fixed position on; gather from the true position where the start follows a length."""
    y, abstract = op.x, flow.abstract(op.x)
    starts, ends, steps = list(op.starts), list(op.ends), list(op.steps)
    moved: list[tuple[int, Factor]] = []
    for dim, (start, end, step) in enumerate(zip(op.starts, op.ends, op.steps, strict=True)):
        if not _is_added(start) and step == 1 and abstract.is_whole(dim, end):
            continue
        axis, new = abstract.axis(dim), joined(dim_of(flow.results[0].shape[dim]))
        if axis.sample:
            raise Refusal("a slice takes the batch apart")
        if isinstance(start, SymbolicSize):
            moved.append((dim, new))
            starts[dim], ends[dim], steps[dim] = 0, op.x.shape[dim], 1
            continue
        abstract = abstract.with_dim(dim, _sliced(axis, end, new, abstract.is_whole(dim, end), flow))
    y = flow(shape.Slice(op.x, tuple(starts), tuple(ends), tuple(steps)))
    for dim, new in moved:
        start = length_of(op.starts[dim])
        assert start is not None
        flow.require_size(start)
        index = positions(abstract, dim, new.size, flow, start, op.steps[dim])
        y, abstract = realigned(y, abstract, dim, index, new, flow)
    return y, abstract


def _sliced(axis: Factor, end: int, new: Factor, to_the_end: bool, flow: Flow) -> Factor:
    """Give the factor of a dimension from a fixed start to an end that is fixed or follows a length."""
    if axis.length and not isinstance(end, SymbolicSize):
        flow.require(axis.length, end)
    return replace(new, fill=axis.fill) if axis.length and to_the_end else new


@transfers(shape.Flip)
def flip(op: shape.Flip, flow: Flow) -> tuple[Value, AbstractValue]:
    """Reverse along a length by gathering from the true end."""
    x, abstract = op.x, flow.abstract(op.x)
    free = tuple(d for d in op.dims if not any(f.length for f in abstract.dims[d]))
    for dim in free:
        if any(f.sample for f in abstract.dims[dim]):
            raise Refusal("it turns the batch around")
    y = flow(shape.Flip(x, free)) if free else x
    for dim in op.dims:
        if dim in free:
            continue
        axis = abstract.axis(dim)
        assert axis.length is not None
        last = flow.length(axis.length - 1, abstract)
        index = flow(Sub(last, positions(abstract, dim, y.shape[dim], flow)))
        y, abstract = realigned(y, abstract, dim, index, axis.bare(), flow)
    return y, abstract


@transfers(shape.Pad, varying=("pads",))
def pad(op: shape.Pad, flow: Flow) -> tuple[Value, AbstractValue]:
    """Add elements at a true end: by masking with the number that is added, or by fetching from the true end."""
    x, abstract = op.x, flow.abstract(op.x)
    ends = [d for d in abstract.padded_dims if _is_added(op.pads[d][1])]
    if op.mode == "constant":
        x = flow.masked(x, ends, op.value, "what is padded on starts at its true end")
        abstract = _beside(flow.abstract(x), op)
        taint = abstract.taint if isfinite(op.value) else abstract.taint | {flow.origin}
        dims = [
            _grown(abstract, d, op, flow) if any(map(_is_added, op.pads[d])) else abstract.dims[d]
            for d in range(len(op.pads))
        ]
        return flow(replace(op, x=x)), AbstractValue(tuple(dims), taint)
    return _mirrored(op, flow)


def _is_added(count: int) -> bool:
    """Return whether elements are added, at some length at least."""
    return count != 0 or isinstance(count, SymbolicSize)


def _beside(abstract: AbstractValue, op: shape.Pad) -> AbstractValue:
    """Join x with the rows added beside a length, which hold the added number in the padding of that length, too."""
    added = {d for d, pair in enumerate(op.pads) if any(pair)}
    dims = [
        tuple(f.bare(op.value if f.fill == op.value else None) for f in dim) if added - {d} else dim
        for d, dim in enumerate(abstract.dims)
    ]
    return replace(abstract, dims=tuple(dims))


def _grown(abstract: AbstractValue, dim: int, op: shape.Pad, flow: Flow) -> Dim:
    """Give the factors of a dimension with elements added before and after."""
    axis, (begin, end) = abstract.axis(dim), op.pads[dim]
    if isinstance(begin, SymbolicSize):
        raise Refusal("what is padded on before it follows a length")
    if axis.sample:
        raise Refusal("it pads the batch")
    new = joined(dim_of(flow.results[0].shape[dim]))
    if axis.length is None or isinstance(end, SymbolicSize):
        return (replace(new, fill=op.value if new.length and axis.length else None),)
    return (replace(new, fill=op.value if end else axis.fill),)


def _mirrored(op: shape.Pad, flow: Flow) -> tuple[Value, AbstractValue]:
    """Reflect or repeat edges: by the op itself where no length ends, by computed positions where a length ends."""
    abstract = flow.abstract(op.x)
    if any(isinstance(count, SymbolicSize) for pair in op.pads for count in pair):
        raise Refusal(f"how much it pads by {op.mode} follows a length")
    moved = [d for d in abstract.padded_dims if op.pads[d][1]]
    plain = tuple((0, 0) if d in moved else pair for d, pair in enumerate(op.pads))
    y = flow(replace(op, pads=plain)) if any(map(any, plain)) else op.x
    for d, pair in enumerate(plain):
        if not any(pair):
            continue
        axis = abstract.axis(d)
        if axis.sample:
            raise Refusal("it pads the batch")
        if axis.length and op.mode == "reflect":
            flow.require(axis.length, pair[0] + 1)
        wide = Factor(axis.size + sum(pair), axis.length and axis.length + pair[0], axis.fill)
        abstract = abstract.with_dim(d, wide)
    for d in moved:
        y, abstract = _mirrored_end(y, abstract, d, op.pads[d], op.mode, flow)
    return y, abstract


def _mirrored_end(
    y: Value, abstract: AbstractValue, dim: int, pair: tuple[int, int], mode: str, flow: Flow
) -> tuple[Value, AbstractValue]:
    axis = abstract.axis(dim)
    assert axis.length is not None
    size = axis.size + sum(pair)
    if mode == "reflect":
        flow.require(axis.length, max(pair) + 1)
        width = block_width(axis, pair[0] + 2 * pair[1]) if dim == y.type.rank - 1 else 0
        if width:
            return reflected_in_windows(y, abstract, pair, width, flow)
    index = positions(abstract, dim, size, flow, Length.number(-pair[0]))
    last = flow.length(axis.length - 1, abstract)
    if mode == "reflect":  # i, but 2 * last - i beyond the last: the smaller of both
        index = flow(Abs(index)) if pair[0] else index
        index = flow(Minimum(index, flow(Sub(flow.length((axis.length - 1) * 2, abstract), index))))
    else:
        index = flow(Minimum(flow(Clamp(index, low=0)) if pair[0] else index, last))
    return realigned(y, abstract, dim, index, Factor(size, axis.length + sum(pair)), flow)
