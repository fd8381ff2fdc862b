"""ONNX convolutions and pools."""

from __future__ import annotations

import math

import torch

from ttc import ops
from ttc.errors import Refusal
from ttc.frontend.onnx.attributes import check_word
from ttc.frontend.onnx.emitter import Emitter
from ttc.frontend.onnx.table import Ints, onnx_op
from ttc.frontend.places import places
from ttc.guard.budget import check_table
from ttc.ops.expr import Expr, apply, sqrt
from ttc.ops.rules import window_output

Pairs = tuple[tuple[int, int], ...]
AUTO_PADS = ("NOTSET", "", "VALID", "SAME_UPPER", "SAME_LOWER")


def window_pads(auto_pad: str, pads: Ints | None, sizes: Ints, kernel: Ints, stride: Ints, dilation: Ints) -> Pairs:
    """Return (begin, end) per spatial dimension; SAME_* pads so that the output has ceil(size / stride) elements."""
    check_word("auto_pad", auto_pad, *AUTO_PADS)
    rank = len(kernel)
    if not len(stride) == len(dilation) == rank or min((1, *kernel, *stride, *dilation)) < 1:
        raise Refusal(
            f"kernel {list(kernel)}, strides {list(stride)} and dilations {list(dilation)} do not fit together"
        )
    if auto_pad in ("NOTSET", ""):
        given = pads or (0,) * 2 * rank
        if len(given) != 2 * rank:
            raise Refusal(f"{len(given)} pads for {rank} spatial dimensions")
        return tuple((given[i], given[i + rank]) for i in range(rank))
    if auto_pad == "VALID":
        return ((0, 0),) * rank
    found = []
    for size, k, s, d in zip(sizes, kernel, stride, dilation, strict=True):
        total = max(0, (-(-size // s) - 1) * s + d * (k - 1) + 1 - size)
        small, large = total // 2, total - total // 2
        found.append((small, large) if auto_pad == "SAME_UPPER" else (large, small))
    return tuple(found)


def split_negative(x: Expr, pads: Pairs) -> tuple[Expr, Pairs]:
    """Cut x by negative pads, and return the pads that remain."""
    for axis, (begin, end) in enumerate(pads, start=2):
        x = x.part(axis, max(0, -begin), x.shape[axis] - max(0, -end))
    return x, tuple((max(0, begin), max(0, end)) for begin, end in pads)


@onnx_op()
def Conv(
    b: Emitter, x: Expr, w: Expr, bias: Expr | None = None, *,
    auto_pad="NOTSET", dilations=None, group=1, kernel_shape=None, pads=None, strides=None,
) -> Expr:  # fmt: skip
    kernel = w.shape[2:]
    _check_rank(x, kernel, kernel_shape)
    stride, dilation = strides or (1,) * len(kernel), dilations or (1,) * len(kernel)
    x, padding = split_negative(x, window_pads(auto_pad, pads, x.shape[2:], kernel, stride, dilation))
    return apply(ops.Conv, x, w, bias, stride, padding, dilation, group)


def _check_rank(x: Expr, kernel: Ints, kernel_shape: Ints | None) -> None:
    if kernel_shape is not None and kernel_shape != kernel:
        raise Refusal(f"its kernel_shape {list(kernel_shape)} is not that of its weight, {list(kernel)}")
    if x.rank != len(kernel) + 2:
        raise Refusal(f"needs {len(kernel) + 2} dimensions, got {x.type}")


@onnx_op()
def ConvTranspose(
    b: Emitter, x: Expr, w: Expr, bias: Expr | None = None, *, auto_pad="NOTSET", dilations=None,
    group=1, kernel_shape=None, output_padding=None, output_shape=None, pads=None, strides=None,
) -> Expr:  # fmt: skip
    kernel = w.shape[2:]
    _check_rank(x, kernel, kernel_shape)
    rank = len(kernel)
    check_word("auto_pad", auto_pad, *AUTO_PADS)
    stride, dilation = strides or (1,) * rank, dilations or (1,) * rank
    extra = output_padding or (0,) * rank
    sizes = x.shape[2:]
    full = [
        (n - 1) * s + d * (k - 1) + 1 + e for n, s, d, k, e in zip(sizes, stride, dilation, kernel, extra, strict=True)
    ]
    if output_shape is None and auto_pad.startswith("SAME"):
        # Pads only cut: a kernel smaller than its stride leaves the last steps out.
        output_shape = tuple(min(n * s, whole) for n, s, whole in zip(sizes, stride, full, strict=True))
    if output_shape is None:
        padding = window_pads(auto_pad, pads, sizes, kernel, stride, dilation)
    else:
        cuts = [whole - size for whole, size in zip(full, output_shape[-rank:], strict=True)]
        extra = tuple(e + max(0, -cut) for e, cut in zip(extra, cuts, strict=True))
        padding = tuple(_cut(max(0, cut), auto_pad) for cut in cuts)
    if any(begin < 0 or end < 0 for begin, end in padding):
        raise Refusal(f"has negative pads: {[list(pair) for pair in padding]}")
    return apply(ops.ConvTranspose, x, w, bias, stride, padding, extra, dilation, group)


def _cut(total: int, auto_pad: str) -> tuple[int, int]:
    """Divide the surplus of a transposed convolution into the elements cut off at either end."""
    half = total // 2
    return (half, total - half) if auto_pad == "SAME_UPPER" else (total - half, half)


@onnx_op()
def MaxPool(
    b: Emitter, x: Expr, *, kernel_shape, auto_pad="NOTSET", ceil_mode=0, dilations=None, pads=None,
    storage_order=0, strides=None,
) -> Expr | tuple[Expr, Expr]:  # fmt: skip
    _check_rank(x, kernel_shape, None)
    stride, dilation = strides or (1,) * len(kernel_shape), dilations or (1,) * len(kernel_shape)
    padding = window_pads(auto_pad, pads, x.shape[2:], kernel_shape, stride, dilation)
    y = apply(ops.MaxPool, x, kernel_shape, stride, padding, dilation, bool(ceil_mode))
    if not b.wants(1):
        return y
    found = places(b, x, y, kernel_shape, stride, padding, dilation, bool(storage_order))
    check_table(*x.shape[:2])
    planes = torch.arange(math.prod(x.shape[:2])) * math.prod(x.shape[2:])
    return y, found + b.constant(planes.reshape(*x.shape[:2], *[1] * len(kernel_shape)))


@onnx_op()
def AveragePool(
    b: Emitter, x: Expr, *, kernel_shape, auto_pad="NOTSET", ceil_mode=0, count_include_pad=0, dilations=None,
    pads=None, strides=None,
) -> Expr:  # fmt: skip
    _check_rank(x, kernel_shape, None)
    stride, dilation = strides or (1,) * len(kernel_shape), dilations or (1,) * len(kernel_shape)
    padding = window_pads(auto_pad, pads, x.shape[2:], kernel_shape, stride, dilation)
    counted = bool(count_include_pad) or not any(map(any, padding))
    return apply(ops.AvgPool, x, kernel_shape, stride, padding, dilation, bool(ceil_mode), counted)


@onnx_op()
def LpPool(
    b: Emitter, x: Expr, *, kernel_shape, auto_pad="NOTSET", ceil_mode=0, dilations=None, p=2, pads=None, strides=None
) -> Expr:
    """Compute (sum |x|^p)^(1/p) of each window: an average times its count, all padding explicit."""
    _check_rank(x, kernel_shape, None)
    stride, dilation = strides or (1,) * len(kernel_shape), dilations or (1,) * len(kernel_shape)
    padding = window_pads(auto_pad, pads, x.shape[2:], kernel_shape, stride, dilation)
    if ceil_mode:
        padding = _ceiled(x.shape[2:], kernel_shape, stride, padding, dilation)
    power = x * x if p == 2 else abs(x) ** p
    mean = apply(ops.AvgPool, power, kernel_shape, stride, padding, dilation)
    total = mean * math.prod(kernel_shape)
    return sqrt(total) if p == 2 else total ** (1 / p)


def _ceiled(sizes: Ints, kernel: Ints, stride: Ints, padding: Pairs, dilation: Ints) -> Pairs:
    """Return the padding with which a floor-mode window gives the output of ceil mode."""
    found = []
    for size, k, s, pads, d in zip(sizes, kernel, stride, padding, dilation, strict=True):
        count = window_output(size, k, s, pads, d, ceil=True)
        missing = (count - 1) * s + d * (k - 1) + 1 - size - sum(pads)
        found.append((pads[0], pads[1] + max(0, missing)))
    return tuple(found)
