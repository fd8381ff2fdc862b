"""The forms on channels-last rows of ops that are not elementwise; each function returns whether there is one."""

from __future__ import annotations

from dataclasses import replace
from math import prod

import torch

from ttc import ops
from ttc.ir import TILE, Value
from ttc.ops.expr import Expr
from ttc.ops.reduce import Reduce
from ttc.ops.spatial import Spatial
from ttc.ops.torch_types import to_torch
from ttc.passes.channels_last.fold_strides import folded
from ttc.passes.channels_last.forms import Forms, to_first, to_last


def spatial(op: Spatial, result: Value, forms: Forms) -> bool:
    """Compute a convolution, pool, resizing or group norm on rows, by the op's own form for rows."""
    x = op.x
    if op.rows or x.type.rank < 3:
        return False
    if isinstance(op, ops.Conv) and folded(op, result, forms):
        return True
    moved = op.with_operands(lambda value: forms.rows_of(x) if value is x else forms.plain_of(value))
    forms.rows[result] = forms.builder(replace(moved, rows=(x.shape[0], *x.shape[2:])))
    return True


def reshaped(op: ops.Reshape | ops.Permute | ops.Linear, result: Value, forms: Forms) -> bool:
    """Keep rows under a reshape of spatial dimensions; view rows where a permute moves channels last or first."""
    builder, x = forms.builder, op.x
    match op:
        case ops.Reshape(shape=shape) if x in forms.rows and shape[:2] == x.shape[:2] and len(shape) > 2:
            forms.rows[result] = forms.rows[x]
        case ops.Reshape() if (shuffle := _shuffle(op, forms)) is not None:
            forms.rows[result] = shuffle
        case ops.Permute(dims=dims) if x in forms.rows and dims == to_last(x.type.rank):
            forms.plain[result] = builder(ops.Reshape(forms.rows[x], result.shape))
        case ops.Permute(dims=dims) if result in forms.wanted and dims == to_first(x.type.rank):
            forms.set_images(result, forms.plain_of(x))
        case ops.Linear(x=Value(ops.Reshape(x=source))) if source in forms.rows and forms.constant(op.w):
            return _flattened(op, source, result, forms)
        case _:
            return False
    return True


def _shuffle(op: ops.Reshape, forms: Forms) -> Value | None:
    """Match a channel shuffle, [N, C, ..] -> [N, g, k, ..] -> [N, k, g, ..] -> [N, C, ..], and compute it on rows."""
    match op.x.op:
        case ops.Permute(x=Value(ops.Reshape(x=source, shape=(n, groups, each, *sizes))), dims=(0, 2, 1, *rest)):
            same = op.shape == source.shape == (n, groups * each, *sizes)
            if source not in forms.rows or not same or rest != list(range(3, 3 + len(sizes))):
                return None
        case _:
            return None
    rows = forms.rows[source]
    split = Expr(rows, forms.builder).reshape(1, rows.shape[2], groups, each)
    return split.permute(0, 1, 3, 2).reshape(*rows.shape).value


def _flattened(op: ops.Linear, source: Value, result: Value, forms: Forms) -> bool:
    """Compute a linear over [N, C * prod(spatial)] on rows, with the weight permuted to the order of rows.

    Rows of one position an image are read as they are, unless they are a view, which a view back is none of.
    """
    batch, channels, *sizes = source.shape
    if op.x.shape != (batch, channels * forms.positions(source.shape)):
        return False
    builder, outputs = forms.builder, op.w.shape[0]
    images = Expr(forms.plain_of(op.w), builder).reshape(outputs, channels, *sizes)
    w = images.permute(*to_last(images.rank)).reshape(outputs, op.x.shape[1])
    rows = forms.rows[source]
    one = prod(sizes) == 1 and not isinstance(rows.op, ops.Reshape)
    x = Expr(rows, builder).reshape(*((1, 1) if one else ()), *op.x.shape)
    bias = None if op.bias is None else forms.plain_of(op.bias)
    y = builder(replace(op, x=x.value, w=w.value, bias=bias))
    forms.plain[result] = builder(ops.Reshape(y, result.shape)) if one else y
    return True


def _last(dim: int, rank: int) -> int:
    """Return the dimension of [N, *spatial, C] that is dimension `dim` of [N, C, *spatial]."""
    return to_last(rank).index(dim)


def moved(op: ops.Concat | ops.Slice | ops.Pad | ops.Softmax, result: Value, forms: Forms) -> bool:
    """Compute an op along dimensions: on rows if along channels, else on [N, *spatial, C]."""
    operands, rank = op.operands(), result.type.rank
    if rank < 3 or not any(x in forms.rows for x in operands):
        return False
    order = to_last(rank)
    match op:
        case ops.Concat(dim=1) | ops.Softmax(dim=1):
            forms.rows[result] = forms.builder(replace(op.with_operands(forms.rows_of), dim=3))
            return True
        case ops.Concat(dim=dim) | ops.Softmax(dim=dim):
            images = replace(op.with_operands(forms.images_of), dim=_last(dim, rank))
        case ops.Slice(starts=starts, ends=ends, steps=steps):
            starts, ends, steps = (tuple(part[dim] for dim in order) for part in (starts, ends, steps))
            if (images := _channel_slice(op, forms)) is not None:
                forms.rows[result] = images
                return True
            images = ops.Slice(forms.images_of(op.x), starts, ends, steps)
        case ops.Pad(pads=pads):
            images = replace(op, x=forms.images_of(op.x), pads=tuple(pads[dim] for dim in order))
    forms.set_images(result, forms.builder(images))
    return True


def _channel_slice(op: ops.Slice, forms: Forms) -> Value | None:
    """Slice rows, if the slice is one of channels alone; else None."""
    shape = op.infer().shape
    if shape[0] != op.x.shape[0] or shape[2:] != op.x.shape[2:]:
        return None
    rows = forms.rows_of(op.x)
    starts, ends, steps = (0, 0, 0, op.starts[1]), (*rows.shape[:3], op.ends[1]), (1, 1, 1, op.steps[1])
    return forms.builder(ops.Slice(rows, starts, ends, steps))


def reduced(op: Reduce, result: Value, forms: Forms) -> bool:
    """Reduce rows over all spatial dimensions to [N, C], or over other dimensions that stay as size 1 to rows."""
    x, builder = op.x, forms.builder
    if x not in forms.rows:
        return False
    rank = x.type.rank
    if op.dims == tuple(range(2, rank)):
        batch, channels = x.shape[:2]
        vectors = _averaged(op, forms)
        if vectors is None:
            samples = builder(ops.Reshape(forms.rows[x], (batch, forms.positions(x.shape), channels)))
            vectors = builder(replace(op, x=samples, dims=(1,), keep=False))
        forms.plain[result] = builder(ops.Reshape(vectors, result.shape))
        if op.keep:
            forms.set_images(result, vectors)
        return True
    if not op.keep:
        return False
    dims = tuple(sorted(_last(dim, rank) for dim in op.dims))
    forms.set_images(result, builder(replace(op, x=forms.images_of(x), dims=dims)))
    return True


def _averaged(op: Reduce, forms: Forms) -> Value | None:
    """Average the positions of an image alone by a product with their shares, those of several images by a pool.

    None where the positions are whole tiles: other samples leave the tiles for their means, and their padding is
    filled. In one product of several images an infinity or NaN of one would reach the others.
    """
    batch, channels, positions, sizes = *op.x.shape[:2], forms.positions(op.x.shape), op.x.shape[2:]
    if not isinstance(op, ops.Mean) or positions % TILE == 0:
        return None
    if batch > 1:
        ones, pads = (1,) * len(sizes), ((0, 0),) * len(sizes)
        return forms.builder(ops.AvgPool(forms.rows[op.x], sizes, sizes, pads, ones, rows=(batch, *sizes)))
    rows = forms.builder(ops.Reshape(forms.rows[op.x], (positions, channels)))
    shares = torch.full((1, positions), 1 / positions, dtype=to_torch(op.x.dtype))
    return forms.builder(ops.Matmul(ops.constant(forms.builder, shares), rows))


def weighted(op: ops.Matmul, result: Value, forms: Forms) -> bool:
    """Sum the positions of rows [N, C, T] with weights [N or 1, T, 1], the same for all channels: [N, C, 1]."""
    x, weights, builder = op.a, op.b, forms.builder
    if x not in forms.rows or x.type.rank != 3 or weights.type.rank != 3 or weights.shape[2] != 1:
        return False
    batch, positions, _ = weights.shape
    row = builder(ops.Reshape(forms.plain_of(weights), (batch, 1, positions)))
    forms.set_images(result, builder(ops.Matmul(row, forms.images_of(x))))
    return True
