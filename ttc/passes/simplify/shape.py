"""Identities of ops that only move elements: a rule of the normal form."""

from __future__ import annotations

from ttc import ops
from ttc.ir import Builder, Op, Value


def simplify_shape(op: Op, builder: Builder) -> Value | None:
    """The simpler form of an op that moves elements, or None."""
    match op:
        case ops.Reshape() | ops.Permute() | ops.Slice() | ops.Expand() | ops.Repeat() | ops.Flip():
            if isinstance(op.x.op, ops.Full):
                return builder(ops.Full(op.infer(), op.x.op.value))
    match op:
        case ops.Reshape(x=x, shape=shape):
            return _reshape(x, shape, builder)
        case ops.Permute(x=x, dims=dims):
            return _permute(x, dims, builder)
        case ops.Slice():
            return _slice(op, builder)
        case ops.Concat(xs=xs, dim=dim):
            return _concat(xs, dim, builder)
        case ops.Expand(x=x, shape=shape) if x.shape == shape:
            return x
        case ops.Expand(x=Value(ops.Expand(x=x)), shape=shape):
            return builder(ops.Expand(x, shape))
        case ops.Repeat(x=x, repeats=repeats):
            return _repeat(op, x, repeats, builder)
        case ops.Pad(x=x, pads=pads) if not any(map(any, pads)):
            return x
        case ops.Flip(x=x, dims=dims):
            long = tuple(dim for dim in dims if x.shape[dim] > 1)
            return x if not long else builder(ops.Flip(x, long)) if long != dims else None
    return None


def _reshape(x: Value, shape: tuple[int, ...], builder: Builder) -> Value | None:
    if x.shape == shape:
        return x
    if isinstance(x.op, ops.Reshape):
        return builder(ops.Reshape(x.op.x, shape))
    if isinstance(x.op, ops.Permute) and x.op.dims[0] == 0:
        return _split_first(x.op, shape, builder)
    return None


def _split_first(moved: ops.Permute, shape: tuple[int, ...], builder: Builder) -> Value | None:
    """A reshape that only splits dimension 0 of a permutation that leaves it first: splits before it."""
    rest = len(moved.dims) - 1
    extra = len(shape) - 1 - rest
    if extra < 1 or shape[1 + extra :] != moved.infer().shape[1:]:
        return None
    split = builder(ops.Reshape(moved.x, (*shape[: 1 + extra], *moved.x.shape[1:])))
    return builder(ops.Permute(split, (*range(1 + extra), *(dim + extra for dim in moved.dims[1:]))))


def _permute(x: Value, dims: tuple[int, ...], builder: Builder) -> Value | None:
    """Identity; two in a row; one that moves only dimensions of size 1, which is a reshape."""
    if dims == tuple(range(len(dims))):
        return x
    if isinstance(x.op, ops.Permute):
        return builder(ops.Permute(x.op.x, tuple(x.op.dims[dim] for dim in dims)))
    wide = [dim for dim in dims if x.shape[dim] != 1]
    if wide == sorted(wide):
        return builder(ops.Reshape(x, tuple(x.shape[dim] for dim in dims)))
    return None


def _slice(op: ops.Slice, builder: Builder) -> Value | None:
    if op.infer() == op.x.type:
        return op.x
    match op.x.op:
        case ops.Slice() as inner:
            return builder(_merged(inner, op))
        case ops.Concat(xs=xs, dim=dim):
            return _slice_of_concat(op, xs, dim, builder)
    return None


def _merged(inner: ops.Slice, outer: ops.Slice) -> ops.Slice:
    """One slice for a slice of a slice."""
    starts, ends, steps = [], [], []
    for first, step, begin, end, stride in zip(
        inner.starts, inner.steps, outer.starts, outer.ends, outer.steps, strict=True
    ):
        starts.append(first + step * begin)
        ends.append(first + step * (end - 1) + 1 if end > begin else first + step * begin)
        steps.append(step * stride)
    limit = inner.x.shape
    starts = [min(start, size) for start, size in zip(starts, limit, strict=True)]
    ends = [min(end, size) for end, size in zip(ends, limit, strict=True)]
    return ops.Slice(inner.x, tuple(starts), tuple(ends), tuple(steps))


def _slice_of_concat(op: ops.Slice, xs: tuple[Value, ...], dim: int, builder: Builder) -> Value | None:
    """A slice that stays within one operand of a concatenation reads that operand."""
    offset = 0
    for x in xs:
        size = x.shape[dim]
        if offset <= op.starts[dim] and op.ends[dim] <= offset + size:
            starts = tuple(s - offset if i == dim else s for i, s in enumerate(op.starts))
            ends = tuple(e - offset if i == dim else e for i, e in enumerate(op.ends))
            return builder(ops.Slice(x, starts, ends, op.steps))
        offset += size
    return None


def _concat(xs: tuple[Value, ...], dim: int, builder: Builder) -> Value | None:
    present = tuple(x for x in xs if x.shape[dim])
    if len(present) == 1:
        return present[0]
    if present and len(present) < len(xs):
        return builder(ops.Concat(present, dim))
    return None


def _repeat(op: ops.Repeat, x: Value, repeats: tuple[int, ...], builder: Builder) -> Value | None:
    """By 1 is nothing; of size 1 is an expansion, which a reader may do without."""
    if all(n == 1 for n in repeats):
        return x
    if all(size == 1 or n == 1 for size, n in zip(x.shape, repeats, strict=True)):
        return builder(ops.Expand(x, op.infer().shape))
    return None
