"""Readings of convolutions and pools."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F

from ttc import ops
from ttc.errors import Refusal
from ttc.frontend.blocks import summed_blocks
from ttc.frontend.export import compose
from ttc.frontend.export.table import ExportBuilder, Reading, aten, full
from ttc.frontend.places import places
from ttc.ir import DType
from ttc.ops.conv import Pads
from ttc.ops.expr import Expr, apply

Sizes = list[int] | int


def _each(sizes: Sizes, rank: int) -> tuple[int, ...]:
    """Return one number for each spatial dimension."""
    sizes = [sizes] if isinstance(sizes, int) else list(sizes)
    return tuple(sizes * rank if len(sizes) == 1 else sizes)


def _pads(sizes: Sizes, rank: int) -> Pads:
    return tuple((size, size) for size in _each(sizes, rank))


def _batched(x: Expr, rank: int, read: Callable[[Expr], Expr]) -> Expr:
    """Call `read` on x with a batch dimension, which is dropped again where x had none."""
    if x.rank == rank + 2:
        return read(x)
    y = read(compose.unsqueeze(x, 0))
    return y.reshape(*y.shape[1:])


@aten("conv1d", "conv2d", "conv3d")
def conv(
    b: ExportBuilder,
    x: Expr,
    weight: Expr,
    bias: Expr | None = None,
    stride: Sizes = 1,
    padding: Sizes | str = 0,
    dilation: Sizes = 1,
    groups: int = 1,
) -> Expr:
    rank = weight.rank - 2
    steps, dilations = _each(stride, rank), _each(dilation, rank)
    pads = _named_pads(padding, weight, dilations) if isinstance(padding, str) else _pads(padding, rank)
    return _batched(x, rank, lambda x: apply(ops.Conv, x, weight, bias, steps, pads, dilations, groups))


def _named_pads(padding: str, weight: Expr, dilation: tuple[int, ...]) -> Pads:
    """Return the pads of a named padding; `same` puts the odd element at the end."""
    totals = [d * (k - 1) if padding == "same" else 0 for d, k in zip(dilation, weight.shape[2:], strict=True)]
    return tuple((total // 2, total - total // 2) for total in totals)


@aten("conv_transpose1d", "conv_transpose2d", "conv_transpose3d")
def conv_transpose(
    b: ExportBuilder,
    x: Expr,
    weight: Expr,
    bias: Expr | None = None,
    stride: Sizes = 1,
    padding: Sizes = 0,
    output_padding: Sizes = 0,
    groups: int = 1,
    dilation: Sizes = 1,
) -> Expr:
    rank = weight.rank - 2
    steps, dilations, extra = (_each(sizes, rank) for sizes in (stride, dilation, output_padding))
    pads = _pads(padding, rank)
    return _batched(x, rank, lambda x: apply(ops.ConvTranspose, x, weight, bias, steps, pads, extra, dilations, groups))


@aten("convolution", "_convolution")
def convolution(
    b: ExportBuilder,
    x: Expr,
    weight: Expr,
    bias: Expr | None,
    stride: Sizes,
    padding: Sizes,
    dilation: Sizes,
    transposed: bool,
    output_padding: Sizes,
    groups: int,
    *_: bool,
) -> Expr:
    if transposed:
        return conv_transpose(b, x, weight, bias, stride, padding, output_padding, groups, dilation)
    return conv(b, x, weight, bias, stride, padding, dilation, groups)


def _of_ranks(name: str) -> Callable[[Reading], Reading]:
    """Register a pool under its names for one, two and three dimensions: lists of one number are for all of these."""

    def register(function: Reading) -> Reading:
        for rank in (1, 2, 3):
            aten(name.format(rank))(partial(function, rank=rank))
        return function

    return register


@_of_ranks("max_pool{}d")
def max_pool(
    b: ExportBuilder,
    x: Expr,
    kernel_size: Sizes,
    stride: Sizes = (),  # type: ignore[assignment]
    padding: Sizes = 0,
    dilation: Sizes = 1,
    ceil_mode: bool = False,
    *,
    rank: int = 0,
) -> Expr:
    rank = rank or _spatial(kernel_size)
    kernel = _each(kernel_size, rank)
    steps = _strides(stride, kernel)
    op = partial(ops.MaxPool, kernel=kernel, stride=steps, padding=_pads(padding, rank))
    return _batched(x, rank, lambda x: apply(op, x, dilation=_each(dilation, rank), ceil=ceil_mode))


def _strides(stride: Sizes, kernel: tuple[int, ...]) -> tuple[int, ...]:
    """Return the strides of a pool: by default one window after another."""
    return kernel if stride in ((), []) else _each(stride, len(kernel))


def _spatial(kernel_size: Sizes) -> int:
    """Return the number of spatial dimensions: torch always lists the kernel's sizes."""
    return 1 if isinstance(kernel_size, int) else len(kernel_size)


@_of_ranks("max_pool{}d_with_indices")
def max_pool_with_indices(
    b: ExportBuilder,
    x: Expr,
    kernel_size: Sizes,
    stride: Sizes = (),  # type: ignore[assignment]
    padding: Sizes = 0,
    dilation: Sizes = 1,
    ceil_mode: bool = False,
    *,
    rank: int = 0,
) -> tuple[Expr, ...]:
    """Return the largest elements, and their positions in their planes where the program reads these."""
    rank = rank or _spatial(kernel_size)
    y = max_pool(b, x, kernel_size, stride, padding, dilation, ceil_mode, rank=rank)
    if not b.wants(1):
        return (y,)
    kernel = _each(kernel_size, rank)
    steps = _strides(stride, kernel)
    flat = (math.prod(x.shape[:-rank]), 1)
    images, largest = (z.reshape(*flat, *z.shape[-rank:]) for z in (x, y))
    found = places(b, images, largest, kernel, steps, _pads(padding, rank), _each(dilation, rank), False)
    return y, found.reshape(*y.shape)


@aten("max_unpool2d", "max_unpool3d")
def max_unpool(b: ExportBuilder, x: Expr, indices: Expr, output_size: list[int], *_: list[int]) -> Expr:
    """Put each element of x at its position in its plane of zeros."""
    lead = x.shape[: -len(output_size)]
    planes = math.prod(lead)
    elements, at = (z.reshape(planes, math.prod(z.shape[len(lead) :])) for z in (x, indices))
    nothing = full(b, (planes, math.prod(output_size)), 0, x.dtype)
    return apply(ops.Scatter, nothing, at, elements, 1).reshape(*lead, *output_size)


@aten("col2im")
def col2im(
    b: ExportBuilder,
    x: Expr,
    output_size: list[int],
    kernel_size: list[int],
    dilation: list[int],
    padding: list[int],
    stride: list[int],
) -> Expr:
    rows = x if x.rank == 3 else compose.unsqueeze(x, 0)
    pads = _pads(padding, len(kernel_size))
    y = summed_blocks(b, rows, tuple(output_size), tuple(kernel_size), tuple(stride), pads, tuple(dilation))
    return y.reshape(*b.result.shape)


@_of_ranks("avg_pool{}d")
def avg_pool(
    b: ExportBuilder,
    x: Expr,
    kernel_size: Sizes,
    stride: Sizes = (),  # type: ignore[assignment]
    padding: Sizes = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
    *,
    rank: int = 0,
) -> Expr:
    rank = rank or _spatial(kernel_size)
    kernel = _each(kernel_size, rank)
    if divisor_override is not None:
        return _sum_pool(b, x, kernel, _strides(stride, kernel), _pads(padding, rank)) * (1 / divisor_override)
    op = partial(ops.AvgPool, kernel=kernel, stride=_strides(stride, kernel), dilation=(1,) * rank)
    return _batched(
        x, rank, lambda x: apply(op, x, padding=_pads(padding, rank), ceil=ceil_mode, count_padding=count_include_pad)
    )


def _sum_pool(b: ExportBuilder, x: Expr, kernel: tuple[int, ...], steps: tuple[int, ...], pads: Pads) -> Expr:
    """Sum windows as means of whole ones, so pad with zeros up to the end of the last window."""
    rank = len(kernel)
    spans = [(out - 1) * step + k for out, step, k in zip(b.result.shape[-rank:], steps, kernel, strict=True)]
    ends = [span - size - begin for span, size, (begin, _) in zip(spans, x.shape[-rank:], pads, strict=True)]
    whole = tuple((begin, max(end, given)) for end, (begin, given) in zip(ends, pads, strict=True))
    op = partial(ops.AvgPool, kernel=kernel, stride=steps, dilation=(1,) * rank, padding=whole, count_padding=True)
    return _batched(x, rank, lambda x: apply(op, x)) * math.prod(kernel)


@aten(
    "adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d", "_adaptive_avg_pool2d", "_adaptive_avg_pool3d"
)
def adaptive_avg_pool(b: ExportBuilder, x: Expr, output_size: list[int]) -> Expr:
    """Take a mean for one output per dimension, windows where sizes divide, else a product along each dimension."""
    if 0 in output_size:
        return full(b, b.result.shape, 0, b.result.dtype)
    rank = len(output_size)
    sizes = x.shape[-rank:]
    if set(output_size) == {1}:
        dims = tuple(range(x.rank - rank, x.rank))
        return x.mean(dims, keep=True)
    kernel = _divided(sizes, output_size)
    if kernel:
        return avg_pool(b, x, list(kernel))
    for dim, (size, out) in enumerate(zip(sizes, output_size, strict=True), start=x.rank - rank):
        matrix = F.adaptive_avg_pool1d(torch.eye(size)[None], out)[0].T
        x = compose.along(b, x, dim, matrix)
    return x


@aten("adaptive_max_pool1d", "adaptive_max_pool2d", "adaptive_max_pool3d")
def adaptive_max_pool(b: ExportBuilder, x: Expr, output_size: list[int]) -> tuple[Expr, ...]:
    """Take the largest of each window: windows of one size where sizes divide, else of each dimension by itself."""
    if 0 in output_size:
        return tuple(full(b, b.result.shape, 0, dtype) for dtype in (b.result.dtype, DType.i64))
    kernel = _divided(x.shape[-len(output_size) :], output_size)
    if kernel:
        return max_pool_with_indices(b, x, list(kernel))
    if b.wants(1):
        raise Refusal("adaptive max pooling with indices needs output sizes that divide those of the input")
    for dim, out in enumerate(output_size, start=x.rank - len(output_size)):
        x = _largest_of_windows(b, x, dim, out)
    return (x,)


def _largest_of_windows(b: ExportBuilder, x: Expr, dim: int, count: int) -> Expr:
    """Reduce one dimension to `count` windows: window i is from floor(i n / count) to ceil((i + 1) n / count).

    A shorter window repeats its last element, so that all are of one size.
    """
    size = x.shape[dim]
    ends = [-(-(i + 1) * size // count) for i in range(count)]
    starts = [i * size // count for i in range(count)]
    longest = max(end - start for start, end in zip(starts, ends, strict=True))
    windows = [[min(start + k, end - 1) for k in range(longest)] for start, end in zip(starts, ends, strict=True)]
    return compose.take(x, dim, b.constant(torch.tensor(windows))).max((dim + 1,))


def _divided(sizes: tuple[int, ...], output_size: list[int]) -> tuple[int, ...]:
    """Return equal windows that give the output sizes, or () where there are none."""
    if any(size % out for size, out in zip(sizes, output_size, strict=True)):
        return ()
    return tuple(size // out for size, out in zip(sizes, output_size, strict=True))
