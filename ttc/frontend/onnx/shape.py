"""ONNX operators that move elements or tell sizes."""

from __future__ import annotations

import math
from itertools import accumulate

import torch

from ttc import ops
from ttc.errors import Refusal
from ttc.frontend.onnx.attributes import check_word
from ttc.frontend.onnx.emitter import Emitter
from ttc.frontend.onnx.table import Int, Ints, Number, onnx_op
from ttc.guard.budget import check_table
from ttc.ir import DType
from ttc.ir.types import broadcast
from ttc.ops.expr import Expr, apply, concat, where
from ttc.ops.shape import PadMode


def axis_of(axis: int, rank: int) -> int:
    """Count an axis from the front; Refusal if there is no such axis."""
    if not -rank <= axis < max(rank, 1):
        raise Refusal(f"axis {axis} is not in a tensor of rank {rank}")
    return axis % rank if rank else 0


def axes_of(axes: Ints, rank: int) -> Ints:
    """Count axes from the front, ascending; Refusal if one is missing or named twice."""
    found = tuple(sorted(axis_of(axis, rank) for axis in axes))
    if len(set(found)) != len(found):
        raise Refusal(f"axes {list(axes)} name one axis twice")
    return found


@onnx_op()
def Shape(b: Emitter, x: Expr, *, start=0, end=None) -> Expr:
    return b.constant(torch.tensor(x.shape[start:end], dtype=torch.int64))


@onnx_op()
def Size(b: Emitter, x: Expr) -> Expr:
    return b.full(x.type.numel, DType.i64)


@onnx_op()
def Reshape(b: Emitter, x: Expr, shape: Ints, *, allowzero=0) -> Expr:
    """Reshape x: 0 keeps a size (unless `allowzero`), one -1 takes the remaining elements."""
    if not allowzero:
        if any(size == 0 and i >= x.rank for i, size in enumerate(shape)):
            raise Refusal(f"the shape {list(shape)} keeps a dimension that {x.type} has not")
        shape = tuple(x.shape[i] if size == 0 else size for i, size in enumerate(shape))
    if shape.count(-1) == 1:
        known = math.prod(size for size in shape if size != -1)
        if not known or x.type.numel % known:
            raise Refusal(f"{x.type} does not reshape to {list(shape)}")
        shape = tuple(x.type.numel // known if size == -1 else size for size in shape)
    return x.reshape(*shape)


@onnx_op()
def Flatten(b: Emitter, x: Expr, *, axis=1) -> Expr:
    axis = axis if axis == x.rank else axis_of(axis, x.rank)
    return x.reshape(math.prod(x.shape[:axis]), math.prod(x.shape[axis:]))


@onnx_op()
def Squeeze(b: Emitter, x: Expr, axes: Ints | None = None) -> Expr:
    if axes is None:
        axes = tuple(i for i, size in enumerate(x.shape) if size == 1)
    axes = axes_of(axes, x.rank)
    if any(x.shape[axis] != 1 for axis in axes):
        raise Refusal(f"axes {list(axes)} of {x.type} are not all 1")
    return x.reshape(*(size for i, size in enumerate(x.shape) if i not in axes))


@onnx_op()
def Unsqueeze(b: Emitter, x: Expr, axes: Ints) -> Expr:
    rank = x.rank + len(axes)
    chosen = set(axes_of(axes, rank))
    sizes = iter(x.shape)
    return x.reshape(*(1 if i in chosen else next(sizes) for i in range(rank)))


@onnx_op()
def Transpose(b: Emitter, x: Expr, *, perm=None) -> Expr:
    perm = tuple(reversed(range(x.rank))) if perm is None else perm
    return x if perm == tuple(range(x.rank)) else apply(ops.Permute, x, perm)


@onnx_op(since=4)
def Concat(b: Emitter, *xs: Expr, axis) -> Expr:
    if not xs:
        raise Refusal("has no inputs")
    return concat(xs, axis_of(axis, xs[0].rank))


@onnx_op("Concat")
def _concat_1(b: Emitter, *xs: Expr, axis=1) -> Expr:
    return Concat(b, *xs, axis=axis)


@onnx_op()
def Split(b: Emitter, x: Expr, split: Ints | None = None, *, axis=0, num_outputs=None) -> list[Expr]:
    """Split x into chunks of the given sizes, or equal ones (the last may be smaller)."""
    axis = axis_of(axis, x.rank)
    count = len(b.outputs)
    if num_outputs not in (None, count):
        raise Refusal(f"has {count} outputs, but its num_outputs is {num_outputs}")
    if split is None:
        chunk = -(-x.shape[axis] // count)
        split = tuple(max(0, min(chunk, x.shape[axis] - i * chunk)) for i in range(count))
    if sum(split) != x.shape[axis]:
        raise Refusal(f"the sizes {list(split)} do not add up to {x.shape[axis]}")
    ends = accumulate(split)
    return [x.part(axis, end - size, end) for size, end in zip(split, ends, strict=True)]


@onnx_op()
def Slice(b: Emitter, x: Expr, starts: Ints, ends: Ints, axes: Ints | None = None, steps: Ints | None = None) -> Expr:
    """Slice x as numpy does; a negative step slices forwards and flips."""
    axes = tuple(range(len(starts))) if axes is None else tuple(axis_of(axis, x.rank) for axis in axes)
    steps = (1,) * len(axes) if steps is None else steps
    if not len(starts) == len(ends) == len(axes) == len(steps) or 0 in steps:
        raise Refusal(f"starts {starts}, ends {ends}, axes {axes} and steps {steps} do not fit together")
    bounds = [(0, size, 1) for size in x.shape]
    flipped = []
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        chosen = range(*slice(start, end, step).indices(x.shape[axis]))
        if step < 0:
            flipped.append(axis)
            chosen = chosen[::-1]
        bounds[axis] = (chosen.start, chosen.stop, chosen.step) if chosen else (0, 0, 1)
    if any((0, size, 1) != bound for bound, size in zip(bounds, x.shape, strict=True)):
        limits = [(start, min(end, size), step) for (start, end, step), size in zip(bounds, x.shape, strict=True)]
        x = apply(ops.Slice, x, *map(tuple, zip(*limits, strict=True)))
    return x.flip(*sorted(flipped)) if flipped else x


@onnx_op()
def Expand(b: Emitter, x: Expr, shape: Ints) -> Expr:
    return x.expand(*broadcast(x.shape, shape))


@onnx_op()
def Tile(b: Emitter, x: Expr, repeats: Ints) -> Expr:
    return x if set(repeats) <= {1} else apply(ops.Repeat, x, repeats)


@onnx_op()
def Pad(
    b: Emitter,
    x: Expr,
    pads: Ints,
    constant_value: Number = 0.0,
    axes: Ints | None = None,
    *,
    mode="constant",
    value=0.0,
) -> Expr:
    """Pad x: negative pads slice; wrapped ones are slices of the other end."""
    rank = x.rank
    chosen = tuple(range(rank)) if axes is None else tuple(axis_of(axis, rank) for axis in axes)
    if len(pads) != 2 * len(chosen):
        raise Refusal(f"{len(pads)} pads for {len(chosen)} dimensions")
    pairs = [(0, 0)] * rank
    for i, axis in enumerate(chosen):
        pairs[axis] = (pads[i], pads[i + len(chosen)])
    for axis, (begin, end) in enumerate(pairs):
        x = x.part(axis, max(0, -begin), x.shape[axis] - max(0, -end))
    pairs = [(max(0, begin), max(0, end)) for begin, end in pairs]
    names: dict[str, PadMode] = {"constant": "constant", "reflect": "reflect", "edge": "replicate"}
    check_word("mode", mode, *names, "wrap")
    if not any(map(any, pairs)):
        return x
    if mode == "wrap":
        return _wrapped(x, pairs)
    filling = _filling(x, constant_value or value) if mode == "constant" else 0.0
    return apply(ops.Pad, x, tuple(pairs), names[mode], filling)


def _filling(x: Expr, number: float) -> float:
    return float(number) if x.dtype.is_float else int(number)


def _wrapped(x: Expr, pairs: list[tuple[int, int]]) -> Expr:
    for axis, (begin, end) in enumerate(pairs):
        size = x.shape[axis]
        if max(begin, end) > size:
            raise Refusal(f"cannot wrap {begin}, {end} of {size} elements")
        parts = [x.part(axis, size - begin, size)] if begin else []
        parts += [x, *([x.part(axis, 0, end)] if end else [])]
        x = concat(parts, axis)
    return x


BLOCK_ORDERS = ("DCR", "CRD")
"""Orders of the channels in which blocks lie: by block, depth within it; or by depth, blocks within it."""


@onnx_op()
def DepthToSpace(b: Emitter, x: Expr, *, blocksize, mode="DCR") -> Expr:
    check_word("mode", mode, *BLOCK_ORDERS)
    n, channels, h, w = x.shape
    s, depth = blocksize, channels // blocksize**2
    if mode == "DCR":
        y = x.reshape(n, s, s, depth, h, w).permute(0, 3, 4, 1, 5, 2)
    else:
        y = x.reshape(n, depth, s, s, h, w).permute(0, 1, 4, 2, 5, 3)
    return y.reshape(n, depth, h * s, w * s)


@onnx_op()
def SpaceToDepth(b: Emitter, x: Expr, *, blocksize, mode="DCR") -> Expr:
    check_word("mode", mode, *BLOCK_ORDERS)
    n, c, h, w = x.shape
    s = blocksize
    blocks = x.reshape(n, c, h // s, s, w // s, s)
    y = blocks.permute(0, 3, 5, 1, 2, 4) if mode == "DCR" else blocks.permute(0, 1, 3, 5, 2, 4)
    return y.reshape(n, c * s * s, h // s, w // s)


@onnx_op()
def Trilu(b: Emitter, x: Expr, k: Int = 0, *, upper=1) -> Expr:
    """Keep one triangle by a mask that is known when compiling."""
    rows, columns = x.shape[-2:]
    check_table(rows, columns)
    ones = torch.ones(rows, columns, dtype=torch.bool)
    mask = b.constant(ones.triu(k) if upper else ones.tril(k))
    if x.dtype is DType.bool:
        return x & mask
    return where(mask, x, 0)


@onnx_op()
def Range(b: Emitter, start: Expr, limit: Expr, delta: Expr) -> Expr:
    known = [b.known(item, "Number", name) for item, name in ((start, "start"), (limit, "limit"), (delta, "delta"))]
    tensor = b.tensor(start)
    assert tensor is not None
    count = max(0, math.ceil((known[1] - known[0]) / known[2]))
    check_table(count)
    return b.constant((torch.arange(count, dtype=torch.float64) * known[2] + known[0]).to(tensor.dtype))
