"""Lowering of convolutions: always on channels-last rows, with weights prepared once at set-up."""

from __future__ import annotations

from dataclasses import fields, replace
from functools import partial
from typing import Any

import torch

from ttc import ops
from ttc.backend.lowering import Lowering, lowers
from ttc.backend.rules.batches import by_parts
from ttc.backend.rules.conv_halves import by_halves
from ttc.backend.rules.conv_layer import Layer
from ttc.backend.rules.conv_plan import (
    bias_config,
    bias_memory,
    geometry,
    host_dtype,
    on_width,
    plan,
    plane,
    plane_weight,
    taken_as_prepared,
    with_plain_weights,
)
from ttc.backend.rules.conv_turned import turned
from ttc.backend.rules.dilated import over_phases
from ttc.backend.rules.moves import concatenated
from ttc.backend.rules.spatial import from_rows, to_rows
from ttc.calls.call import FUSED, CoreGrid
from ttc.calls.conv import Conv2d, PrepareConvBias, PrepareConvWeights
from ttc.calls.convolution import Conv2dConfig, Convolution
from ttc.calls.matmul import Linear
from ttc.calls.pad import Pad
from ttc.calls.shape import Reshape, Slice
from ttc.calls.slicing import WHOLE
from ttc.calls.unary import Gelu, GeluVariant, Sigmoid
from ttc.errors import Refusal
from ttc.guard.budget import check_table
from ttc.ir import DRAM, Layout, Value
from ttc.ops.rules import window_output
from ttc.ops.spatial import images
from ttc.ops.torch_types import to_torch

CALLED = {"sigmoid": Sigmoid, "gelu_tanh": partial(Gelu, variant=GeluVariant.Tanh)}
"""Activations that a convolution cannot end in."""


@lowers(ops.Conv)
def conv(op: ops.Conv, to: Lowering) -> Value:
    """Lower to a matrix product where the kernel is one pixel, else to conv2d; in 3-D on stacked planes."""
    w, b = to.static(op.w), op.bias and to.static(op.bias)
    if w is None or (op.bias is not None and b is None):
        raise Refusal("a convolution's weight and bias must be known before the first run")
    batch, channels, spatial = images(op.x, op.rows, len(op.stride))
    layer = Layer(batch, channels, spatial, op.stride, op.padding, op.dilation, op.groups, op.activation, w, b)
    if layer.tiles_image:  # a single window takes any stride
        layer = replace(layer, stride=layer.kernel)
    x = to_rows(op.x, op.rows, to)
    if len(spatial) == 3 and not layer.pointwise:
        layer, x = stacked(layer, x, to)
    y = pointwise(layer, x, to) if layer.pointwise else convolution(layer, x, to)
    return from_rows(y, op.rows, op.infer().shape, to)


def pointwise(layer: Layer, x: Value, to: Lowering) -> Value:
    """Compute x [.., pixels, I] @ weight [I, O] + bias, then the activation."""
    columns, rows = to.target.grid
    matrix = to.derive(ops.Reshape(dense(layer, to), (layer.w.shape[0], layer.channels)))
    return to.call(
        Linear(
            x,
            to.upload(to.derive(ops.Permute(matrix, (1, 0))), to.weight_dtype),
            bias=None if layer.b is None else to.upload(layer.b),
            activation=layer.activation or None,
            core_grid=CoreGrid(rows, columns) if layer.activation else None,
        )
    )


def dense(layer: Layer, to: Lowering) -> Value:
    """Return the weight [O, I / groups, *kernel] without groups, as [O, I, *kernel]: 0 outside the groups' blocks."""
    groups = layer.groups
    if groups == 1:
        return layer.w
    check_table(groups, groups)
    out, per_group, *kernel = layer.w.shape
    blocks = to.derive(ops.Reshape(layer.w, (groups, out // groups, 1, per_group, *kernel)))
    # w[g, o, i] times the identity [g, g'] gives the block-diagonal weight [g, o, g', i].
    place = torch.eye(groups, dtype=to_torch(layer.w.dtype)).reshape(groups, 1, groups, 1, *[1] * len(kernel))
    return to.derive(ops.Reshape(to.derive(ops.Mul(blocks, to.constant(place))), (out, groups * per_group, *kernel)))


def convolution(layer: Layer, x: Value, to: Lowering) -> Value:
    """Call conv2d, on as many images at a time as fit, with weight and bias prepared once.

    One of which not one image fits is turned where its results are narrow, goes over the phases of an axis where its
    windows are dilated and reach far, or by halves. Refusal, with the sizes of the whole, where none of it is left.
    """
    try:
        prepare = planned(layer, x, to)
    except Refusal as refusal:
        y = _in_pieces(layer, x, to)
        if y is None:
            raise refusal from None
        return y
    return by_parts(x, layer.batch // prepare.batch_size, lambda part: convolved(layer, prepare, part, to), to)


def _in_pieces(layer: Layer, x: Value, to: Lowering) -> Value | None:
    """Compute a convolution turned, over phases or by halves; None where a piece does not fit either."""

    def convolve(part: Layer, of: Value) -> Value:
        return convolution(part, of, to)

    ways = (turned, over_phases, by_halves)
    try:
        return next((y for way in ways if (y := way(layer, x, convolve, to)) is not None), None)
    except Refusal:
        return None


def convolved(layer: Layer, prepare: PrepareConvWeights, x: Value, to: Lowering) -> Value:
    """Call conv2d as its weight's preparation states."""
    shared = {field.name: getattr(prepare, field.name) for field in fields(Convolution)}
    shared["slice_config"] = prepare.slice_config
    bias = None if layer.b is None else to.call(prepared_bias(prepare, layer.b, shared, to))
    after = CALLED.get(layer.activation)
    fused = FUSED[layer.activation] if layer.activation and after is None else None
    shared["conv_config"] = replace(taken_as_prepared(prepare), activation=fused)
    call = Conv2d(input_tensor=x, weight_tensor=to.call(prepare), bias_tensor=bias, memory_config=DRAM, **shared)
    y = to.call(call)
    return y if after is None else to.call(after(y))


def prepared_bias(prepare: PrepareConvWeights, b: Value, shared: dict[str, Any], to: Lowering) -> PrepareConvBias:
    """Return the preparation of a bias that goes with the preparation of a weight."""
    where = {name: getattr(prepare, name) for name in ("input_layout", "input_dtype")}
    where["input_memory_config"] = bias_memory(prepare)
    row = to.derive(ops.Reshape(b, (1, 1, 1, prepare.out_channels)))
    shared = {**shared, "conv_config": bias_config(prepare, to)}
    return PrepareConvBias(bias_tensor=to.host(row, host_dtype(to)), **where, **shared)


def planned(layer: Layer, x: Value, to: Lowering) -> PrepareConvWeights:
    """Plan the preparation of a layer's weight: folded where the windows tile the image, else as L1 demands.

    Beside folded weights TTNN takes a bias in their dtype only, and prepares none in a block format.
    A single dimension lies on the height, where TTNN needs less L1, unless strides or slices demand the width.
    """
    wide = on_width(layer.stride)
    if layer.tiles_image:
        call = replace(described(layer, x, wide, to), slice_config=WHOLE)
        return call if layer.b is None else with_plain_weights(call, to.dtype)
    sides = (False, True) if len(layer.stride) == 1 and not wide else (wide,)

    def describe(images: int, side: bool) -> PrepareConvWeights:
        return described(replace(layer, batch=images), x, side, to)

    return plan(describe, layer.batch, sides, x.dtype, to.target)


def described(layer: Layer, x: Value, wide: bool, to: Lowering) -> PrepareConvWeights:
    """Describe the preparation of a layer's weight, but for shards and slices; `wide` is as in `geometry`.

    TTNN has a form of its own for depthwise weights of images one pixel high; written out without groups, such
    weights keep the common form.
    """
    if wide and layer.groups > 1:
        layer = replace(layer, w=dense(layer, to), groups=1)
    weight = to.derive(ops.Reshape(layer.w, plane_weight(layer.w.shape, wide)))
    config = Conv2dConfig(to.weight_dtype, config_tensors_in_dram=True, enable_kernel_stride_folding=layer.tiles_image)
    return PrepareConvWeights(
        weight_tensor=to.host(weight, host_dtype(to)),
        weights_format="OIHW",
        has_bias=layer.b is not None,
        input_memory_config=DRAM,
        input_layout=Layout.TILE,
        input_dtype=x.dtype,
        batch_size=layer.batch,
        in_channels=layer.channels,
        out_channels=layer.w.shape[0],
        dilation=plane(layer.dilation, wide),
        groups=layer.groups,
        conv_config=config,
        **geometry(layer.spatial, layer.kernel, layer.stride, layer.padding, wide),
    )


def stacked(layer: Layer, x: Value, to: Lowering) -> tuple[Layer, Value]:
    """Rewrite a 3-D convolution as a 2-D one: the planes that a window covers are stacked as channels.

    x [1, 1, N * D * H * W, I] -> [1, 1, N * D' * H * W, taps * I], in ROW_MAJOR layout, where reshapes are views.
    """
    if layer.groups > 1:
        raise Refusal("a 3-D convolution with groups has no exact form in TTNN calls")
    depth, height, width = layer.spatial
    taps, stride, dilation = layer.kernel[0], layer.stride[0], layer.dilation[0]
    count = window_output(depth, taps, stride, layer.padding[0], dilation)
    planes = to.call(Reshape(to.row_major(x), (layer.batch, depth, height * width, layer.channels)))
    if any(layer.padding[0]):
        planes = to.call(Pad(planes, ((0, 0), layer.padding[0], (0, 0), (0, 0)), 0.0))
    size = planes.shape
    parts = []  # of each tap of the depth axis, the planes that this tap reads: start, start + stride, ..
    for tap in range(taps):
        start, end = tap * dilation, tap * dilation + (count - 1) * stride + 1
        whole = (start, end, stride) == (0, size[1], 1)
        bounds = (0, start, 0, 0), (size[0], end, *size[2:]), (1, stride, 1, 1)
        parts.append(planes if whole else to.call(Slice(planes, *bounds)))
    images = layer.batch * count
    rows = to.call(Reshape(concatenated(parts, 3, to), (1, 1, images * height * width, taps * layer.channels)))
    out, _, *kernel = layer.w.shape
    # The weight [O, I, taps, h, w] becomes [O, taps * I, h, w], its channels in the order of the stacked planes.
    w = to.derive(
        ops.Reshape(to.derive(ops.Permute(layer.w, (0, 2, 1, 3, 4))), (out, taps * layer.channels, *kernel[1:]))
    )
    flat = replace(
        layer,
        batch=images,
        channels=taps * layer.channels,
        spatial=layer.spatial[1:],
        stride=layer.stride[1:],
        padding=layer.padding[1:],
        dilation=layer.dilation[1:],
        w=w,
    )
    return flat, to.tile(rows)
