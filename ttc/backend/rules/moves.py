"""Moves of elements by the fewest calls, for the lowering rules of all families."""

from __future__ import annotations

from math import prod

from ttc import ops
from ttc.backend.lowering import Lowering
from ttc.backend.rules.long_rows import joined_rows
from ttc.backend.rules.numbers import held
from ttc.calls.call import spec_of
from ttc.calls.concat import MERGED, Concat
from ttc.calls.pad import Pad
from ttc.calls.repeat import Expand
from ttc.calls.shape import Permute, Reshape, Slice
from ttc.ir import Layout, TensorType, Value

DEEPEST = 6
"""Highest rank that TTNN's permute and slice were tried with in all layouts."""


def reshaped(x: Value, shape: tuple[int, ...], to: Lowering) -> Value:
    """Return x under another shape; lines too long for L1 that become whole rows are cut, and the rows joined."""
    if x.shape == shape:
        return x
    call = Reshape(x, shape)
    if call.is_view or call.fits or x.shape[-1] % shape[-1]:
        return to.call(call)
    # [.., rows * width] -> [.., rows, width], by halves
    lead, width = x.shape[:-1], shape[-1]
    rows = x.shape[-1] // width
    parts = []
    for first, last in ((0, rows // 2), (rows // 2, rows)):
        part = to.call(Slice(x, (*(0 for _ in lead), first * width), (*lead, last * width)))
        parts.append(reshaped(part, (*lead, last - first, width), to))
    return reshaped(concatenated(parts, len(lead), to), shape, to)


def permuted(x: Value, dims: tuple[int, ...], to: Lowering) -> Value:
    """Return x with its dimensions in another order."""
    result = tuple(x.shape[dim] for dim in dims)
    moved = [dim for dim in dims if x.shape[dim] != 1]
    if moved == sorted(moved):
        return reshaped(x, result, to)
    if len(dims) <= DEEPEST:
        return to.call(Permute(x, dims))
    shape, order = joined(x.shape, dims)
    while len(order) > DEEPEST:
        x, shape, order = less_deep(x, shape, order, to)
    return reshaped(to.call(Permute(reshaped(x, shape, to), order)), result, to)


def less_deep(
    x: Value, shape: tuple[int, ...], order: tuple[int, ...], to: Lowering
) -> tuple[Value, tuple[int, ...], tuple[int, ...]]:
    """Move the dimension that `order` has last behind the one before it; return x and the rest of the permutation.

    Both are then one dimension, so that the rest has one dimension less.
    """
    *_, before, last = order
    between = [dim for dim in range(len(order)) if dim != last]
    between.insert(between.index(before) + 1, last)
    blocks, moves = joined(shape, tuple(between))
    moved = to.call(Permute(reshaped(x, blocks, to), moves))
    return (moved, *joined(tuple(shape[dim] for dim in between), tuple(between.index(dim) for dim in order)))


def joined(shape: tuple[int, ...], dims: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the same permutation on fewer dimensions: those of size 1 left out, those that stay together joined."""
    groups: list[list[int]] = []
    for dim in (dim for dim in dims if shape[dim] != 1):
        follows = groups and all(shape[between] == 1 for between in range(groups[-1][-1] + 1, dim))
        if follows and dim > groups[-1][-1]:
            groups[-1].append(dim)
        else:
            groups.append([dim])
    sources = sorted(groups)
    return tuple(prod(shape[dim] for dim in group) for group in sources), tuple(map(sources.index, groups))


def concatenated(values: list[Value], dim: int, to: Lowering) -> Value:
    """Concatenate the values along `dim`, all brought into one layout; many rows inside tiles in groups."""
    if len(values) == 1:
        return values[0]
    if all(spec_of(value).layout is Layout.ROW_MAJOR for value in values):
        return joined_rows(Concat(tuple(values), dim), to)
    call = Concat(tuple(to.tile(value) for value in values), dim)
    if call.cuts_tiles and not call.merges_rows:
        groups = [call.tensors[first : first + MERGED] for first in range(0, len(values), MERGED)]
        if len(groups) > 1 and all(Concat(group, dim).merges_rows for group in groups):
            return concatenated([concatenated(list(group), dim, to) for group in groups], dim, to)
        return joined_rows(Concat(tuple(to.row_major(value) for value in values), dim), to)
    return to.call(call)


def padded(x: Value, pads: tuple[tuple[int, int], ...], number: float, to: Lowering) -> Value:
    """Pad x with a constant; rows that are too long for TTNN's pad are concatenated with what they are padded with."""
    number = held(number, x.dtype)
    if x.type.rank and Pad(x, pads, number).buffered_rows > to.target.l1_bytes:
        for dim, sizes in enumerate(pads):
            types = [TensorType(x.dtype, (*x.shape[:dim], size, *x.shape[dim + 1 :])) for size in sizes]
            begin, end = ([_filled(type, number, to)] if type.numel else [] for type in types)
            x = concatenated([*begin, x, *end], dim, to)
        return x
    call = Pad(x, pads, number)
    return to.call(call if call.flexible else Pad(to.row_major(x), pads, number))


def _filled(type: TensorType, number: float, to: Lowering) -> Value:
    return to.upload(to.derive(ops.Full(type, number)), type.dtype, Layout.ROW_MAJOR)


def expanded(x: Value, shape: tuple[int, ...], to: Lowering) -> Value:
    """Broadcast x to `shape`."""
    if prod(x.shape) == prod(shape):
        return reshaped(x, shape, to)
    call = Expand(x, shape)
    return to.call(call if call.flexible else Expand(to.row_major(x), shape))
