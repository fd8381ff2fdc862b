"""Small compositions of ops that readings share. Dimensions may be negative, as in torch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate

import torch

from ttc import ops
from ttc.errors import Refusal
from ttc.frontend.export.table import ExportBuilder, cast
from ttc.ir import DType
from ttc.ir.types import broadcast
from ttc.ops.expr import Expr, apply, concat, sqrt, where


def axis(x: Expr, dim: int) -> int:
    return dim % max(x.rank, 1)


def axes(x: Expr, dims: int | list[int] | None) -> tuple[int, ...]:
    """Return distinct ascending dimensions; none given means all."""
    if dims is None or dims == []:
        return tuple(range(x.rank))
    return tuple(sorted({axis(x, dim) for dim in ([dims] if isinstance(dims, int) else dims)}))


def unsqueeze(x: Expr, dim: int) -> Expr:
    at = dim % (x.rank + 1)
    return x.reshape(*x.shape[:at], 1, *x.shape[at:])


def transpose(x: Expr, first: int, second: int) -> Expr:
    if x.rank < 2:
        return x
    dims = list(range(x.rank))
    first, second = axis(x, first), axis(x, second)
    dims[first], dims[second] = second, first
    return x.permute(*dims)


def move(x: Expr, source: int, target: int) -> Expr:
    """Move one dimension of x to another place."""
    dims = [dim for dim in range(x.rank) if dim != axis(x, source)]
    dims.insert(axis(x, target), axis(x, source))
    return x.permute(*dims)


def parts(x: Expr, sizes: list[int], dim: int) -> tuple[Expr, ...]:
    """Split x into consecutive parts of the given sizes along one dimension."""
    ends = accumulate(sizes)
    return tuple(x.part(dim, end - size, end) for size, end in zip(sizes, ends, strict=True))


def select(x: Expr, dim: int, index: int) -> Expr:
    """Select x[index] along one dimension, which is dropped."""
    dim = axis(x, dim)
    index %= x.shape[dim]
    return x.part(dim, index, index + 1).reshape(*x.shape[:dim] + x.shape[dim + 1 :])


def cat(xs: Sequence[Expr], dim: int) -> Expr:
    """Concatenate as torch.cat does: operands that are empty along `dim` are left out."""
    return concat([x for x in xs if x.shape[axis(xs[0], dim)]] or xs[:1], dim)


def take(x: Expr, dim: int, index: Expr) -> Expr:
    """Take x at integer indices (any shape, not negative) along `dim`, which the index's dimensions replace."""
    dim = axis(x, dim)
    rows = apply(ops.Embedding, move(x, dim, 0), index)
    rank = index.rank
    order = [*range(rank, rank + dim), *range(rank), *range(rank + dim, rows.rank)]
    return rows.permute(*order)


def wrap_index(b: ExportBuilder, index: Expr, size: int) -> Expr:
    """Convert an index whose negative elements count from the end to a non-negative index."""
    index = index.cast(DType.i64)
    known = ops.known(index.value, b)
    if known is not None:
        return b.constant(torch.where(known < 0, known + size, known))
    zero, total = index.number(0), index.number(size)
    return where(index < zero, index + total, index)


def along(b: ExportBuilder, x: Expr, dim: int, matrix: torch.Tensor) -> Expr:
    """Multiply every line of x along `dim` by `matrix` [out, in]."""
    if x.rank == 1:
        return along(b, unsqueeze(x, 0), 1, matrix).view(matrix.shape[0])
    w = b.constant(matrix.to(torch.float32)).cast(x.dtype)
    rows = move(x, dim, -1)
    return move(rows @ w.permute(1, 0), -1, dim)


def matmul(x: Expr, y: Expr) -> Expr:
    """Multiply as torch.matmul does: a vector on either side is a row or column, whose dimension is dropped again."""
    left = unsqueeze(x, 0) if x.rank == 1 else x
    right = unsqueeze(y, 1) if y.rank == 1 else y
    z = left @ right
    shape = z.shape if x.rank > 1 else (*z.shape[:-2], *z.shape[-1:])
    return z.reshape(*(shape if y.rank > 1 else shape[:-1]))


def variance(x: Expr, dims: tuple[int, ...], correction: float, keep: bool) -> Expr:
    """Compute mean((x - mean)^2) * n / (n - correction)."""
    count = math.prod(x.shape[dim] for dim in dims)
    if min(count, count - correction) <= 0:
        raise Refusal(f"the variance of {count} elements with correction {correction} is not a number")
    centred = x - x.mean(dims, keep=True)
    total = (centred * centred).sum(dims, keep)
    return total / (count - correction)


def norm(x: Expr, order: float, dims: tuple[int, ...], keep: bool) -> Expr:
    """Compute (sum |x|^order)^(1 / order); inf, -inf and 0 as their limits."""
    size = abs(x) if order else (x != 0).cast(x.dtype)
    if not dims:
        return size
    if order == math.inf:
        return size.max(dims, keep)
    if order == -math.inf:
        return size.min(dims, keep)
    if order in (0, 1):
        return size.sum(dims, keep)
    if order == 2:
        return sqrt((x * x).sum(dims, keep))
    powers = (size**order).sum(dims, keep)
    return powers ** (1 / order)


def same_shape(*xs: Expr) -> tuple[Expr, ...]:
    """Broadcast all operands to their common shape."""
    shape = broadcast(*(x.shape for x in xs))
    return tuple(x.expand(*shape) for x in xs)


def put(x: Expr, src: Expr, dim: int, start: int, end: int) -> Expr:
    """Replace positions start to end of x along `dim` by `src`; a part of one number everywhere is padded with that."""
    if isinstance(x.op, ops.Full):
        at = axis(x, dim)
        pads = tuple((start, size - end) if i == at else (0, 0) for i, size in enumerate(x.shape))
        return apply(ops.Pad, src, pads, value=x.op.value)
    return cat([x.part(dim, 0, start), src, x.part(dim, end)], dim)


def put_every(x: Expr, src: Expr, dim: int, start: int, step: int) -> Expr:
    """Replace every `step`-th position of x from `start` along `dim` by `src`: one column of rows of `step`."""
    count = src.shape[dim]
    begin, end = start - start % step, start - start % step + count * step
    if end > x.shape[dim]:  # the last row is cut: fill it up, and cut the result
        pads = tuple((0, end - size if axis == dim else 0) for axis, size in enumerate(x.shape))
        whole = put_every(apply(ops.Pad, x, pads), src, dim, start, step)
        return whole.part(dim, 0, x.shape[dim])
    rows = (*x.shape[:dim], count, step, *x.shape[dim + 1 :])
    middle = x.part(dim, begin, end).reshape(*rows)
    at = start % step
    middle = put(middle, unsqueeze(src, dim + 1), dim + 1, at, at + 1)
    merged = middle.reshape(*x.shape[:dim], count * step, *x.shape[dim + 1 :])
    return put(x, merged, dim, begin, end)


def result_as(b: ExportBuilder, x: Expr | bool | int | float) -> Expr:
    """Convert x to the dtype that torch declares for the result."""
    return cast(b, x, b.result.dtype)
