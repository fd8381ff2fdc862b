"""Lowering of spatial ops: on channels-last rows, with other forms brought into rows and out of them."""

from __future__ import annotations

import math

import torch

from ttc import ops
from ttc.backend.lowering import Lowering, lowers
from ttc.backend.rules.resample import linear_weights, product, resampled
from ttc.calls.binary import Add, Multiply, Subtract
from ttc.calls.matmul import Matmul
from ttc.calls.shape import Permute, Reshape
from ttc.calls.spatial import Upsample
from ttc.calls.unary import Rsqrt, Square
from ttc.errors import Refusal
from ttc.guard.budget import check_table
from ttc.ir import DRAM, DType, Op, Value
from ttc.ops.spatial import images
from ttc.ops.torch_types import to_torch


def to_rows(x: Value, rows: tuple[int, ...], to: Lowering) -> Value:
    """Bring an operand into [1, 1, N * prod(spatial), C], TILE, unless `rows` states that it is in rows."""
    value = to.tile(to(x))
    if rows:
        return value
    batch, channels, *spatial = x.shape
    planes = to.call(Reshape(value, (batch, 1, channels, math.prod(spatial))))
    turned = to.call(Permute(planes, (0, 1, 3, 2)))
    return to.call(Reshape(turned, (1, 1, batch * math.prod(spatial), channels)))


def from_rows(y: Value, rows: tuple[int, ...], shape: tuple[int, ...], to: Lowering) -> Value:
    """Bring [1, 1, N * prod(spatial), C] into `shape` [N, C, *spatial], unless `rows` states rows."""
    if rows:
        return y
    batch, channels, *spatial = shape
    pixels = to.call(Reshape(y, (batch, 1, math.prod(spatial), channels)))
    turned = to.call(Permute(pixels, (0, 1, 3, 2)))
    return to.call(Reshape(turned, shape))


@lowers(ops.Upsample)
def upsample(op: ops.Upsample, to: Lowering) -> Value:
    """Lower nearest to ttnn.upsample, exact in every dtype; linear to products with the interpolation matrices."""
    x = to_rows(op.x, op.rows, to)
    batch, channels, spatial = images(op.x, op.rows, len(op.scales))
    if op.mode == "nearest":
        y = nearest(x, batch, channels, spatial, op.scales, to)
    else:
        y = resampled(x, batch, [linear_weights(*axis) for axis in zip(spatial, op.scales, strict=True)], to)
    return from_rows(y, op.rows, op.infer().shape, to)


def nearest(
    x: Value, batch: int, channels: int, spatial: tuple[int, ...], scales: tuple[int, ...], to: Lowering
) -> Value:
    """Repeat each pixel, in ROW_MAJOR layout, where reshapes between pixels and planes are views.

    TTNN repeats along two axes: the last two at once, a third before them with both as one.
    """
    y, sizes = to.row_major(x), list(spatial)
    for last in range(len(sizes), 0, -2):
        first = max(last - 2, 0)
        before, inner = batch * math.prod(sizes[:first]), math.prod(sizes[last:])
        height, width = (sizes[first], sizes[first + 1] if last - first == 2 else inner)
        scale = (scales[first], scales[first + 1] if last - first == 2 else 1)
        if last - first == 2 and inner != 1:
            raise Refusal("upsampling takes at most three spatial dimensions")
        y = to.call(Upsample(to.call(Reshape(y, (before, height, width, channels))), scale, memory_config=DRAM))
        sizes[first:last] = [size * by for size, by in zip(sizes[first:last], scales[first:last], strict=True)]
    return to.tile(to.call(Reshape(y, (1, 1, batch * math.prod(sizes), channels))))


@lowers(ops.GroupNorm)
def group_norm(op: ops.GroupNorm, to: Lowering) -> Value:
    """Lower to two passes, mean and variance in fp32: means over pixels and a group's channels are products.

    TTNN's own group_norm counts the padding of images that are no multiple of 32 pixels, and needs masks for groups
    that are no multiple of 32 channels; these products need neither.
    """
    batch, channels, spatial = rows_of(op)
    pixels = math.prod(spatial)
    x = to_rows(op.x, op.rows, to)
    if batch > 1:
        x = to.call(Reshape(x, (1, batch, pixels, channels)))
    # x - mean, then var = mean((x - mean)^2), then y = (x - mean) / sqrt(var + eps) * w + bias
    centred = to.call(Subtract(x, group_means(x, op.groups, to)))
    variance = group_means(to.call(Square(centred)), op.groups, to)
    scale = to.call(Rsqrt(to.call(Add(variance, op.eps))))
    if op.w is not None:
        scale = to.call(Multiply(scale, channel_row(op.w, to)))
    y = to.call(Multiply(centred, scale))
    if op.bias is not None:
        y = to.call(Add(y, channel_row(op.bias, to)))
    if batch > 1:
        y = to.call(Reshape(y, (1, 1, batch * pixels, channels)))
    return from_rows(y, op.rows, op.infer().shape, to)


def rows_of(op: ops.GroupNorm) -> tuple[int, int, tuple[int, ...]]:
    """Return batch, channels and spatial sizes of the operand."""
    if op.rows:
        return op.rows[0], op.x.shape[-1], op.rows[1:]
    return op.x.shape[0], op.x.shape[1], op.x.shape[2:]


def group_means(x: Value, groups: int, to: Lowering) -> Value:
    """Average each group of channels in fp32, [1, N, pixels, C] -> [1, N, 1, C]: a group's mean at each channel."""
    pixels, channels = x.shape[-2:]
    check_table(pixels)
    means = product(torch.full((1, pixels), 1.0 / max(pixels, 1)), x, to, DType.f32)
    if groups == channels:
        return means
    check_table(channels, channels)
    members = channels // groups
    # One block of 1 / members for each group averages its channels, and gives the mean back to each of them.
    spread = torch.kron(torch.eye(groups), torch.full((members, members), 1.0 / members))
    weight = to.upload(to.constant(spread), DType.f32)
    return to.call(Matmul(means, weight))


def channel_row(x: Value, to: Lowering) -> Value:
    """Return [C] as [1, 1, 1, C]."""
    shape = (1, 1, 1, x.shape[0])
    static = to.static(x)
    return to.upload(to.derive(ops.Reshape(static, shape))) if static else to.call(Reshape(to(x), shape))


@lowers(ops.BatchNorm)
def batch_norm(op: ops.BatchNorm, to: Lowering) -> Value:
    """Lower to x * scale + shift: both follow from the statistics before the first run."""
    known = [to.static(value) for value in (op.w, op.bias, op.mean, op.var)]
    if None in known:
        raise Refusal("batch normalisation needs its statistics, weight and bias before the first run")
    w, bias, mean, var = known
    eps = to.constant(torch.full(op.var.shape, op.eps, dtype=to_torch(op.var.dtype)))
    # scale = w / sqrt(var + eps), shift = bias - mean * scale
    scale = derived(to, ops.Mul, w, derived(to, ops.Rsqrt, derived(to, ops.Add, var, eps)))
    shift = derived(to, ops.Sub, bias, derived(to, ops.Mul, mean, scale))
    shape = (1, op.x.shape[1], *[1] * (op.x.type.rank - 2))
    scale, shift = (to.upload(derived(to, ops.Reshape, value, shape)) for value in (scale, shift))
    return to.call(Add(to.call(Multiply(to(op.x), scale)), shift))


def derived(to: Lowering, kind: type[Op], *fields: object) -> Value:
    """Add one op on static values and return the derived weight."""
    return to.derive(kind(*fields))
