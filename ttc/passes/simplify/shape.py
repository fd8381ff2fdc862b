"""The rule of the normal form for ops that only move elements: identities of data movement."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

from ttc import ops
from ttc.ir import Builder, Value


def simplify_shape(
    op: ops.Reshape | ops.Permute | ops.Slice | ops.Concat | ops.Expand | ops.Repeat | ops.Pad | ops.Flip,
    builder: Builder,
) -> Value | None:
    """Simplify an op that moves elements; None where no identity applies."""
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
    """Drop a reshape to the same shape, merge two in a row, or move a split of dimension 0 before a permute."""
    if x.shape == shape:
        return x
    if isinstance(x.op, ops.Reshape):
        return builder(ops.Reshape(x.op.x, shape))
    if isinstance(x.op, ops.Permute) and x.op.dims[0] == 0:
        return _split_first(x.op, shape, builder)
    return None


def _split_first(moved: ops.Permute, shape: tuple[int, ...], builder: Builder) -> Value | None:
    """Move a reshape that only splits dimension 0 before a permutation that leaves dimension 0 first."""
    rest = len(moved.dims) - 1
    extra = len(shape) - 1 - rest
    if extra < 1 or shape[1 + extra :] != moved.infer().shape[1:]:
        return None
    split = builder(ops.Reshape(moved.x, (*shape[: 1 + extra], *moved.x.shape[1:])))
    return builder(ops.Permute(split, (*range(1 + extra), *(dim + extra for dim in moved.dims[1:]))))


def _permute(x: Value, dims: tuple[int, ...], builder: Builder) -> Value | None:
    """Drop an identity, merge two permutes in a row, or reshape where only dimensions of size 1 move."""
    if dims == tuple(range(len(dims))):
        return x
    if isinstance(x.op, ops.Permute):
        return builder(ops.Permute(x.op.x, tuple(x.op.dims[dim] for dim in dims)))
    wide = [dim for dim in dims if x.shape[dim] != 1]
    if wide == sorted(wide):
        return builder(ops.Reshape(x, tuple(x.shape[dim] for dim in dims)))
    return None


def _slice(op: ops.Slice, builder: Builder) -> Value | None:
    """Drop a slice of everything, merge two slices in a row, or slice one operand of a concatenation."""
    if op.infer() == op.x.type:
        return op.x
    match op.x.op:
        case ops.Slice() as inner:
            return builder(_merged(inner, op))
        case ops.Concat(xs=xs, dim=dim):
            return _slice_of_concat(op, xs, dim, builder)
    return None


def _merged(inner: ops.Slice, outer: ops.Slice) -> ops.Slice:
    """Merge a slice of a slice into one slice."""
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
    """Slice the one operand of a concatenation along `dim` that holds the whole slice, if there is one."""
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
    """Drop empty operands of a concatenation, the concatenation of one operand, and that of slices side by side."""
    present = tuple(x for x in xs if x.shape[dim])
    if len(present) == 1:
        return present[0]
    if present and len(present) < len(xs):
        return builder(ops.Concat(present, dim))
    whole = _joined_slices(xs, dim)
    return whole and builder(whole)


def _joined_slices(xs: tuple[Value, ...], dim: int) -> ops.Slice | None:
    """Return the slice that is the concatenation of slices of one tensor, each beginning where the one before ends.

    So blocks of a model hand two sequences on that the next block puts together again.
    """
    parts = [x.op for x in xs if isinstance(x.op, ops.Slice)]
    if not xs or len(parts) < len(xs):
        return None
    for before, part in pairwise(parts):
        follows = (*before.starts[:dim], before.ends[dim], *before.starts[dim + 1 :])
        if part.x is not before.x or part.starts != follows or part.steps != before.steps or part.steps[dim] != 1:
            return None
    return replace(parts[0], ends=(*parts[0].ends[:dim], parts[-1].ends[dim], *parts[0].ends[dim + 1 :]))


def _repeat(op: ops.Repeat, x: Value, repeats: tuple[int, ...], builder: Builder) -> Value | None:
    """Drop a repeat by 1, or expand where only dimensions of size 1 repeat, as broadcasting readers need no expand."""
    if all(n == 1 for n in repeats):
        return x
    if all(size == 1 or n == 1 for size, n in zip(x.shape, repeats, strict=True)):
        return builder(ops.Expand(x, op.infer().shape))
    return None
