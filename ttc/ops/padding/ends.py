"""What moves the end of a length: elements after it are fetched from where the true length puts them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import isfinite

from ttc.errors import Refusal
from ttc.ir import Value
from ttc.ir.lengths import Length
from ttc.ops import shape
from ttc.ops.binary import Add, Ge, Minimum, Sub, Where
from ttc.ops.padding.realign import positions, realigned
from ttc.ops.padding.region import Dim, Factor, Region, Sizes
from ttc.ops.padding.rules import Flow, transfers
from ttc.ops.unary import Abs, Clamp


@transfers(shape.Concat)
def concat(op: shape.Concat, flow: Flow) -> tuple[Value, Region]:
    """Along a length: what comes after it moves to its true end."""
    regions = [flow.region(x) for x in op.xs]
    region = regions[0]
    for other in regions[1:]:
        region = _together(region, other, op.dim, flow)
    axes = [other.axis(op.dim) for other in regions]
    if any(axis.sample for axis in axes):
        raise Refusal("it puts samples of the batch one after another")
    sizes = tuple(map(sum, zip(*(axis.over(flow.members) for axis in axes), strict=True)))
    if not any(axis.length for axis in axes):
        joined = Factor(sizes)
        return flow(op), region.with_dim(op.dim, joined)
    total = Length.number(0)
    for axis in axes:
        total += axis.length or Length.number(axis.over(flow.members)[0])
    padded = [axis for axis in axes if axis.length]
    last_only = len(padded) == 1 and axes[-1].length is not None
    joined = Factor(sizes, total, padded[0].fill if last_only else None)
    if last_only:
        return flow(op), region.with_dim(op.dim, joined)
    y = flow(op)
    region = region.with_dim(op.dim, joined)
    index = _places(op, axes, region, flow)
    return realigned(y, region, op.dim, index, region.dims[op.dim][0], flow)


def _places(op: shape.Concat, axes: Sequence[Factor], region: Region, flow: Flow) -> Value:
    """For each position of the true concatenation, where its element is in the concatenation with padding."""
    index = positions(region, op.dim, region.dims[op.dim][0].sizes[0], flow)
    place = index
    start = Length.number(0)
    offset = 0
    for axis in axes[:-1]:
        start += axis.length or Length.number(axis.over(flow.members)[0])
        offset += axis.over(flow.members)[0]
        begin = flow.length(start, region)
        shifted = flow(Add(index, flow.length(start * -1 + offset, region)))
        place = flow(Where(flow(Ge(index, begin)), shifted, place))
    return place


def _together(a: Region, b: Region, dim: int, flow: Flow) -> Region:
    """What holds of both in all dimensions but one."""
    dims: list[Dim] = []
    for d, (first, second) in enumerate(zip(a.dims, b.dims, strict=True)):
        if d == dim or [f.sizes for f in first] != [f.sizes for f in second]:
            if d != dim:
                raise Refusal("its operands are made of different parts")
            dims.append(first)
            continue
        dims.append(tuple(_both(x, y, flow) for x, y in zip(first, second, strict=True)))
    return Region(tuple(dims), a.taint | b.taint)


def _both(a: Factor, b: Factor, flow: Flow) -> Factor:
    if (a.length is None) != (b.length is None) or (a.length and b.length and not flow.same(a.length, b.length)):
        raise Refusal(f"it puts the length {a.length} beside the length {b.length}")
    return Factor(a.sizes, a.length, a.fill if a.fill == b.fill else None, a.sample or b.sample, a.alike and b.alike)


@transfers(shape.Slice, varying=("starts", "ends"))
def cut(op: shape.Slice, flow: Flow) -> tuple[Value, Region]:
    """From a fixed position on; what starts at a place that follows a length is fetched from the true one."""
    y, region = op.x, flow.region(op.x)
    starts, ends, steps = list(op.starts), list(op.ends), op.steps
    moved: list[tuple[int, Factor, Factor]] = []
    for dim in range(len(starts)):
        begin, end = (tuple(bounds[dim] for bounds in _attributes(flow, name)) for name in ("starts", "ends"))
        own = region.sizes(dim, flow.members)
        if begin == (0,) * flow.members and end == own and steps[dim] == 1:
            continue
        axis = region.axis(dim)
        if axis.sample:
            raise Refusal("a slice takes the batch apart")
        sizes = tuple(-(-(b - a) // steps[dim]) for a, b in zip(begin, end, strict=True))
        if len(set(begin)) > 1:
            moved.append((dim, flow.fit(begin), _new(sizes, flow)))
            continue
        region = region.with_dim(dim, _sliced(axis, begin[0], end, own, steps[dim], sizes, flow))
    for dim, _, _ in moved:
        starts[dim], ends[dim] = 0, op.x.shape[dim]
    kept = tuple(1 if any(dim == d for dim, _, _ in moved) else step for d, step in enumerate(steps))
    y = flow(shape.Slice(op.x, tuple(starts), tuple(ends), kept))
    for dim, start, new in moved:
        assert start.length is not None
        index = positions(region, dim, new.sizes[0], flow, start.length, steps[dim])
        y, region = realigned(y, region, dim, index, new, flow)
    return y, region


def _attributes(flow: Flow, name: str) -> list[Sizes]:
    return [getattr(op, name) for op in flow.variants]


def _new(sizes: Sizes, flow: Flow) -> Factor:
    """A dimension of these sizes: a length where they differ."""
    return Factor(sizes) if len(set(sizes)) == 1 else flow.fit(sizes)


def _sliced(axis: Factor, start: int, end: Sizes, own: Sizes, step: int, sizes: Sizes, flow: Flow) -> Factor:
    """A dimension from a fixed start to an end that is fixed or follows a length."""
    if axis.length is None and len(set(end)) == 1:
        return Factor(sizes)
    if len(set(end)) == 1:
        assert axis.length is not None
        flow.require(axis.length, end[0])
        return Factor(sizes)
    missing = {size - stop for size, stop in zip(own, end, strict=True)}
    if axis.length is None or len(missing) > 1:
        return flow.fit(sizes)
    cut_off = missing.pop()
    length = (axis.length + (step - 1 - start - cut_off)) // step
    fill = axis.fill if cut_off == 0 and (step == 1 or (start == 0)) else None
    return Factor(sizes, length, fill if cut_off == 0 else None)


@transfers(shape.Flip)
def flip(op: shape.Flip, flow: Flow) -> tuple[Value, Region]:
    """Along a length: from its true end."""
    x, region = op.x, flow.region(op.x)
    free = tuple(d for d in op.dims if not any(f.length for f in region.dims[d]))
    for dim in free:
        if any(f.sample for f in region.dims[dim]):
            raise Refusal("it turns the batch around")
    y = flow(shape.Flip(x, free)) if free else x
    for dim in op.dims:
        if dim in free:
            continue
        axis = region.axis(dim)
        assert axis.length is not None
        last = flow.length(axis.length - 1, region)
        index = flow(Sub(last, positions(region, dim, y.shape[dim], flow)))
        y, region = realigned(y, region, dim, index, axis.bare(), flow)
    return y, region


@transfers(shape.Pad, varying=("pads",))
def pad(op: shape.Pad, flow: Flow) -> tuple[Value, Region]:
    """What is added at a true end: by masking with the number that is added, or by fetching from the true end."""
    x, region = op.x, flow.region(op.x)
    pads: list[tuple[tuple[int, int], ...]] = list(zip(*(variant.pads for variant in flow.variants), strict=True))
    ends = [d for d in region.padded_dims if any(end for _, end in pads[d])]
    if op.mode == "constant":
        x = flow.masked(x, ends, op.value, "what is padded on starts at its true end")
        region = _beside(flow.region(x), op)
        taint = region.taint if isfinite(op.value) else region.taint | {flow.origin}
        dims = [
            _grown(region, d, pads[d], op.value, flow) if any(map(any, pads[d])) else region.dims[d]
            for d in range(len(pads))
        ]
        return flow(replace(op, x=x)), Region(tuple(dims), taint)
    return _mirrored(op, pads, flow)


def _beside(region: Region, op: shape.Pad) -> Region:
    """The region before padding: rows that are added beside a length hold the added number in its padding, too."""
    added = {d for d, pair in enumerate(op.pads) if any(pair)}
    dims = [
        tuple(f.bare(op.value if f.fill == op.value else None) for f in dim) if added - {d} else dim
        for d, dim in enumerate(region.dims)
    ]
    return replace(region, dims=tuple(dims))


def _grown(region: Region, dim: int, pads: Sequence[tuple[int, int]], value: float, flow: Flow) -> Dim:
    """A dimension with elements added before and after."""
    axis = region.axis(dim)
    own = axis.over(flow.members)
    sizes = tuple(size + begin + end for size, (begin, end) in zip(own, pads, strict=True))
    if len({begin for begin, _ in pads}) > 1:
        raise Refusal("what is padded on before it follows a length")
    if axis.sample:
        raise Refusal("it pads the batch")
    if axis.length is None or len({end for _, end in pads}) > 1:
        new = _new(sizes, flow)
        return (replace(new, fill=value if new.length and axis.length else None),)
    begin, end = pads[0]
    return (Factor(sizes, axis.length + begin + end, value if end or axis.fill == value else axis.fill),)


def _mirrored(op: shape.Pad, pads: Sequence[Sequence[tuple[int, int]]], flow: Flow) -> tuple[Value, Region]:
    """Reflecting or repeating: as the op does where no length ends, by computed positions where one does."""
    region = flow.region(op.x)
    if any(len(set(pair)) > 1 for pair in pads):
        raise Refusal(f"how much it pads by {op.mode} follows a length")
    moved = [d for d in region.padded_dims if op.pads[d][1]]
    plain = tuple((0, 0) if d in moved else pair for d, pair in enumerate(op.pads))
    y = flow(replace(op, pads=plain)) if any(map(any, plain)) else op.x
    for d, pair in enumerate(plain):
        if not any(pair):
            continue
        axis = region.axis(d)
        if axis.sample:
            raise Refusal("it pads the batch")
        if axis.length and op.mode == "reflect":
            flow.require(axis.length, pair[0] + 1)
        sizes = tuple(size + sum(pair) for size in axis.over(flow.members))
        region = region.with_dim(d, Factor(sizes, axis.length and axis.length + pair[0], axis.fill))
    for d in moved:
        y, region = _mirrored_end(y, region, d, op.pads[d], op.mode, flow)
    return y, region


def _mirrored_end(
    y: Value, region: Region, dim: int, pair: tuple[int, int], mode: str, flow: Flow
) -> tuple[Value, Region]:
    axis = region.axis(dim)
    assert axis.length is not None
    sizes = tuple(size + sum(pair) for size in axis.sizes)
    if mode == "reflect":
        flow.require(axis.length, max(pair) + 1)
    index = positions(region, dim, sizes[0], flow, Length.number(-pair[0]))
    last = flow.length(axis.length - 1, region)
    if mode == "reflect":  # i, but 2 * last - i beyond the last: the smaller of both
        index = flow(Abs(index)) if pair[0] else index
        index = flow(Minimum(index, flow(Sub(flow.length((axis.length - 1) * 2, region), index))))
    else:
        index = flow(Minimum(flow(Clamp(index, low=0)) if pair[0] else index, last))
    return realigned(y, region, dim, index, Factor(sizes, axis.length + sum(pair)), flow)
