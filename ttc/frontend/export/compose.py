"""Small compositions of ops that readings share. Dimensions may be negative, as in torch."""

from __future__ import annotations

import math
from itertools import accumulate

import torch

from ttc import ops
from ttc.errors import Refusal
from ttc.frontend.export.table import ExportBuilder, cast
from ttc.ir import Builder, DType, Value
from ttc.ops.rules import broadcast

END = 1 << 62
"""A slice end beyond any size."""


def axis(x: Value, dim: int) -> int:
    return dim % max(x.type.rank, 1)


def axes(x: Value, dims: int | list[int] | None) -> tuple[int, ...]:
    """Distinct ascending dimensions; none given means all."""
    if dims is None or dims == []:
        return tuple(range(x.type.rank))
    return tuple(sorted({axis(x, dim) for dim in ([dims] if isinstance(dims, int) else dims)}))


def reshape(b: Builder, x: Value, shape: list[int] | tuple[int, ...]) -> Value:
    """x under another shape, in which one size may be -1."""
    shape = tuple(shape)
    if -1 in shape:
        rest = -math.prod(shape)
        shape = tuple((x.type.numel // rest if rest else 0) if size == -1 else size for size in shape)
    return x if shape == x.shape else b(ops.Reshape(x, shape))


def unsqueeze(b: Builder, x: Value, dim: int) -> Value:
    at = dim % (x.type.rank + 1)
    return reshape(b, x, (*x.shape[:at], 1, *x.shape[at:]))


def permute(b: Builder, x: Value, dims: list[int] | tuple[int, ...]) -> Value:
    dims = tuple(axis(x, dim) for dim in dims)
    return x if dims == tuple(range(x.type.rank)) else b(ops.Permute(x, dims))


def transpose(b: Builder, x: Value, first: int, second: int) -> Value:
    if x.type.rank < 2:
        return x
    dims = list(range(x.type.rank))
    first, second = axis(x, first), axis(x, second)
    dims[first], dims[second] = second, first
    return permute(b, x, dims)


def move(b: Builder, x: Value, source: int, target: int) -> Value:
    """x with one dimension moved to another place."""
    dims = [dim for dim in range(x.type.rank) if dim != axis(x, source)]
    dims.insert(axis(x, target), axis(x, source))
    return permute(b, x, dims)


def expand(b: Builder, x: Value, shape: list[int] | tuple[int, ...]) -> Value:
    """x broadcast to `shape`; -1 keeps a size."""
    sizes = (1,) * (len(shape) - x.type.rank) + x.shape
    shape = tuple(old if new == -1 else new for old, new in zip(sizes, shape, strict=True))
    return x if shape == x.shape else b(ops.Expand(x, shape))


def part(b: Builder, x: Value, dim: int, start: int, end: int, step: int = 1) -> Value:
    """x[start:end:step] along one dimension, with Python's meaning of negative and too large bounds."""
    dim = axis(x, dim)
    start, end, step = slice(start, end, step).indices(x.shape[dim])
    if (start, step) == (0, 1) and end == x.shape[dim]:
        return x
    starts, ends, steps = [0] * x.type.rank, list(x.shape), [1] * x.type.rank
    starts[dim], ends[dim], steps[dim] = start, max(start, end), step
    return b(ops.Slice(x, tuple(starts), tuple(ends), tuple(steps)))


def parts(b: Builder, x: Value, sizes: list[int], dim: int) -> tuple[Value, ...]:
    """Consecutive parts of the given sizes along one dimension."""
    ends = accumulate(sizes)
    return tuple(part(b, x, dim, end - size, end) for size, end in zip(sizes, ends, strict=True))


def select(b: Builder, x: Value, dim: int, index: int) -> Value:
    """x[index] along one dimension, which goes."""
    dim = axis(x, dim)
    index %= x.shape[dim]
    return reshape(b, part(b, x, dim, index, index + 1), x.shape[:dim] + x.shape[dim + 1 :])


def concat(b: Builder, xs: list[Value] | tuple[Value, ...], dim: int) -> Value:
    xs = [x for x in xs if x.shape[axis(xs[0], dim)]] or list(xs[:1])
    return xs[0] if len(xs) == 1 else b(ops.Concat(tuple(xs), axis(xs[0], dim)))


def take(b: Builder, x: Value, dim: int, index: Value) -> Value:
    """x at integer indices (any shape, not negative) along `dim`, whose place the index's dimensions take."""
    dim = axis(x, dim)
    rows = b(ops.Embedding(move(b, x, dim, 0), index))
    rank = index.type.rank
    order = [*range(rank, rank + dim), *range(rank), *range(rank + dim, rows.type.rank)]
    return permute(b, rows, order)


def wrap_index(b: Builder, index: Value, size: int) -> Value:
    """An index from which negative ones count from the end, as a non-negative one."""
    index = cast(b, index, DType.i64)
    known = ops.known(index, b)  # type: ignore[arg-type]
    if known is not None:
        return ops.constant(b, torch.where(known < 0, known + size, known))
    zero, total = cast(b, 0, DType.i64), cast(b, size, DType.i64)
    return b(ops.Where(b(ops.Lt(index, zero)), b(ops.Add(index, total)), index))


def along(b: Builder, x: Value, dim: int, matrix: torch.Tensor) -> Value:
    """Every line of x along `dim` multiplied by `matrix` [out, in]."""
    w = cast(b, ops.constant(b, matrix.to(torch.float32)), x.dtype)
    rows = move(b, x, dim, -1)
    return move(b, b(ops.Matmul(rows, b(ops.Permute(w, (1, 0))))), -1, dim)


def matmul(b: Builder, x: Value, y: Value) -> Value:
    """torch.matmul: vectors on either side are rows or columns that go again."""
    left = unsqueeze(b, x, 0) if x.type.rank == 1 else x
    right = unsqueeze(b, y, 1) if y.type.rank == 1 else y
    z = b(ops.Matmul(left, right))
    shape = z.shape if x.type.rank > 1 else (*z.shape[:-2], *z.shape[-1:])
    return reshape(b, z, shape if y.type.rank > 1 else shape[:-1])


def variance(b: Builder, x: Value, dims: tuple[int, ...], correction: float, keep: bool) -> Value:
    """mean((x - mean)^2) * n / (n - correction)."""
    count = math.prod(x.shape[dim] for dim in dims)
    if count - correction <= 0:
        raise Refusal(f"the variance of {count} elements with correction {correction} is not a number")
    centred = b(ops.Sub(x, b(ops.Mean(x, dims, keep=True))))
    total = b(ops.Sum(b(ops.Mul(centred, centred)), dims, keep))
    return b(ops.Div(total, cast(b, count - correction, x.dtype)))


def norm(b: Builder, x: Value, order: float, dims: tuple[int, ...], keep: bool) -> Value:
    """(sum |x|^order)^(1 / order); inf, -inf and 0 as their limits."""
    if not dims:
        return b(ops.Abs(x))
    size = b(ops.Abs(x))
    if order == math.inf:
        return b(ops.Max(size, dims, keep))
    if order == -math.inf:
        return b(ops.Min(size, dims, keep))
    if order == 0:
        return b(ops.Sum(cast(b, b(ops.Ne(x, cast(b, 0, x.dtype))), x.dtype), dims, keep))
    if order == 1:
        return b(ops.Sum(size, dims, keep))
    if order == 2:
        return b(ops.Sqrt(b(ops.Sum(b(ops.Mul(x, x)), dims, keep))))
    powers = b(ops.Sum(b(ops.Pow(size, cast(b, order, x.dtype))), dims, keep))
    return b(ops.Pow(powers, cast(b, 1 / order, x.dtype)))


def same_shape(b: Builder, *xs: Value) -> tuple[Value, ...]:
    """All operands broadcast to their common shape."""
    shape = broadcast(*(x.shape for x in xs))
    return tuple(expand(b, x, shape) for x in xs)


def put(b: Builder, x: Value, src: Value, dim: int, start: int, end: int) -> Value:
    """x with positions start to end along `dim` replaced by `src`."""
    return concat(b, [part(b, x, dim, 0, start), src, part(b, x, dim, end, END)], dim)


def put_every(b: Builder, x: Value, src: Value, dim: int, start: int, step: int) -> Value:
    """x with every `step`-th position from `start` along `dim` replaced by `src`: one column of rows of `step`."""
    count = src.shape[dim]
    begin, end = start - start % step, start - start % step + count * step
    if end > x.shape[dim]:  # the last row is cut: fill it up, and cut the result
        pads = tuple((0, end - size if axis == dim else 0) for axis, size in enumerate(x.shape))
        whole = put_every(b, b(ops.Pad(x, pads)), src, dim, start, step)
        return part(b, whole, dim, 0, x.shape[dim])
    rows = (*x.shape[:dim], count, step, *x.shape[dim + 1 :])
    middle = reshape(b, part(b, x, dim, begin, end), rows)
    at = start % step
    middle = put(b, middle, unsqueeze(b, src, dim + 1), dim + 1, at, at + 1)
    merged = reshape(b, middle, (*x.shape[:dim], count * step, *x.shape[dim + 1 :]))
    return put(b, x, merged, dim, begin, end)


def result_as(b: ExportBuilder, x: Value | bool | int | float) -> Value:
    """x in the dtype that torch declares for the result."""
    return cast(b, x, b.result.dtype)
