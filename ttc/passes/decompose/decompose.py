"""The pass that writes ops that TTNN lacks in terms of ops that TTNN has, by exact arithmetic."""

from __future__ import annotations

import math

import torch

from ttc import ops
from ttc.guard.budget import check_table
from ttc.ir import Builder, Graph, Op
from ttc.ops.expr import Expr, apply, concat, constant, where
from ttc.ops.torch_types import to_torch
from ttc.passes.decompose.conv import decomposed_conv, decomposed_conv_transpose
from ttc.passes.decompose.framed_conv import framed_conv
from ttc.passes.decompose.lookup import lookup_in_place
from ttc.passes.decompose.recurrent import decomposed_recurrence
from ttc.passes.decompose.skew import decomposed_skew
from ttc.passes.decompose.topk import decomposed_topk
from ttc.passes.decompose.unread import without_unread_edges, without_unread_taps
from ttc.passes.decompose.upsample import decomposed_upsample
from ttc.passes.normal import rebuild

MOST_CLASSES = 1 << 24
"""The most classes of a one_hot, which compares every index with all classes at once."""
FLIP_LIMIT = 40
"""The most slices that a flip may cost; a longer prime dimension stays a flip."""
DIRECT_FLIP = 8
"""The size up to which slices alone are cheaper than fewer slices between reshapes."""


def decompose(graph: Graph) -> Graph:
    """Decompose one_hot, hard sigmoids other than torch's, products over several dimensions, flips, reflections.

    Also skews, topk of integers, scatters to one place of each line, linear upsampling by large scales, convolutions
    that TTNN has no call for, with a long kernel along a line of few channels, or of which parts of kernel or image are
    not read, recurrences with weights of run time, look-ups along a later dimension.

    Before:
        %y: i64[2,5] = one_hot(index=%i, depth=5)
    After:
        %y_0: i64[2,1] = reshape(x=%i, shape=[2, 1])
        %y_1: i64[5] = literal(data=[0, 1, 2, 3, 4])
        %y_2: bool[2,5] = eq(a=%y_0, b=%y_1)
        %y: i64[2,5] = cast(x=%y_2, dtype=i64)
    """
    return rebuild(graph, _decomposed)


def _decomposed(op: Op, builder: Builder) -> Expr | tuple[Expr, ...] | None:
    """Return an op in terms of ops that TTNN has; None for an op that stays."""
    match op:
        case ops.Conv():
            rules = (decomposed_conv, framed_conv, without_unread_taps, without_unread_edges)
            return next((found for rule in rules if (found := rule(op, builder)) is not None), None)
        case ops.ConvTranspose():
            return decomposed_conv_transpose(op, builder)
        case ops.Embedding():
            return lookup_in_place(op, builder)
        case ops.Topk():
            return decomposed_topk(op, builder)
        case ops.Upsample():
            return decomposed_upsample(op, builder)
        case ops.Skew():
            return decomposed_skew(op, builder)
        case ops.Lstm() | ops.Gru() | ops.Rnn():
            return decomposed_recurrence(op, builder)
        case ops.OneHot(index=index, depth=depth) if depth <= MOST_CLASSES:
            return _one_hot(Expr(index, builder), depth, builder)
        case ops.HardSigmoid(x=x, alpha=alpha, beta=beta) if not (math.isclose(alpha, 1 / 6) and beta == 0.5):
            return (Expr(x, builder) * alpha + beta).clamp(0.0, 1.0)
        case ops.Prod(x=x, dims=dims, keep=keep) if len(dims) > 1:
            y = Expr(x, builder)
            for dim in reversed(dims):
                y = apply(ops.Prod, y, (dim,), keep)
            return y
        case ops.Scatter(x=x, index=index, dim=dim, reduce="") if index.shape == _one_of(x.shape, dim):
            return _replaced(op, builder)
        case ops.Flip(x=x, dims=dims):
            short = [dim for dim in dims if sum(_prime_factors(x.shape[dim])) <= FLIP_LIMIT]
            return _flipped(Expr(x, builder), short, dims) if short else None
        case ops.Pad(x=x, pads=pads, mode="reflect" | "replicate" as mode):
            if mode == "reflect" and any(sum(_prime_factors(count)) > FLIP_LIMIT for pair in pads for count in pair):
                return None
            y = Expr(x, builder)
            for dim, (begin, end) in enumerate(pads):
                y = _padded(y, dim, begin, end, mode)
            return y
    return None


def _one_of(shape: tuple[int, ...], dim: int) -> tuple[int, ...]:
    """Return the shape of one element of each line along `dim`."""
    return (*shape[:dim], 1, *shape[dim + 1 :])


def _replaced(op: ops.Scatter, builder: Builder) -> Expr:
    """Replace the element of each line whose position is the index: one choice, and no way through rows."""
    rank, size = op.x.type.rank, op.x.shape[op.dim]
    check_table(size)
    place = op.index.op.x if isinstance(op.index.op, ops.Expand) else op.index
    place = place if place.type.rank == rank else op.index
    line = torch.arange(size).to(to_torch(place.dtype)).reshape((1,) * op.dim + (size,) + (1,) * (rank - op.dim - 1))
    return where(constant(builder, line) == Expr(place, builder), Expr(op.updates, builder), Expr(op.x, builder))


def _one_hot(index: Expr, depth: int, builder: Builder) -> Expr:
    """Compare index with 0, 1, .., depth - 1 along a new last dimension."""
    check_table(depth)
    column = index.reshape(*index.shape, 1)
    classes = constant(builder, torch.arange(depth).to(to_torch(index.dtype)))
    return (column == classes).cast(index.dtype)


def _flipped(x: Expr, short: list[int], dims: tuple[int, ...]) -> Expr:
    """Reverse x along `dims`: by slices along the `short` ones, by a flip along the others."""
    for dim in short:
        x = _flip(x, dim)
    rest = tuple(dim for dim in dims if dim not in short)
    return x.flip(*rest) if rest else x


def _flip(x: Expr, dim: int) -> Expr:
    """Reverse x along `dim` in log n steps instead of n slices."""
    # reversing a * b elements reverses the order of the a blocks and the b elements within each block
    size, shape = x.shape[dim], x.shape
    blocks = _prime_factors(size)
    if size <= DIRECT_FLIP or len(blocks) == 1:
        return _reversed(x, dim)
    before, inner = math.prod(shape[:dim]), math.prod(shape[dim + 1 :])
    outer = size
    for block in blocks:
        outer //= block
        x = _reversed(x.reshape(before * outer, block, inner), 1).reshape(*shape)
        inner *= block
    return x


def _reversed(x: Expr, dim: int) -> Expr:
    """Reverse x along `dim` slice by slice."""
    return concat([x.part(dim, i, i + 1) for i in reversed(range(x.shape[dim]))], dim)


def _prime_factors(size: int) -> list[int]:
    """List the prime factors of a size, ascending."""
    factors, divisor = [], 2
    while size > 1:
        while size % divisor == 0:
            factors.append(divisor)
            size //= divisor
        divisor += 1 if divisor * divisor <= size else max(size - divisor, 1)
    return factors


def _padded(x: Expr, dim: int, begin: int, end: int, mode: str) -> Expr:
    """Pad x along `dim` with the mirrored (reflect) or repeated (replicate) edges of x."""
    if not begin and not end:
        return x
    size = x.shape[dim]
    reflected = ((1, begin + 1), (size - 1 - end, size - 1))
    edges = reflected if mode == "reflect" else ((0, 1), (size - 1, size))
    sides = []
    for (start, stop), count in zip(edges, (begin, end), strict=True):
        if not count:
            continue
        edge = x.part(dim, start, stop)
        if mode == "reflect":
            sides.append(_flip(edge, dim))
        else:
            sides.append(edge.expand(*(count if i == dim else n for i, n in enumerate(x.shape))))
    left, right = sides[: bool(begin)], sides[bool(begin) :]
    return concat((*left, x, *right), dim)
