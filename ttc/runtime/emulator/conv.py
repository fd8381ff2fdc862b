"""Numerics of convolutions.

A prepared weight is kept as [1, 1, h * w * I, O] in the plain order (h, w, I) by O: TTNN's own order of the rows, and
its padding, change no number.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ttc.calls.conv import Conv2d, PrepareConvBias, PrepareConvWeights
from ttc.calls.convolution import Convolution
from ttc.runtime.emulator.activations import fused
from ttc.runtime.emulator.native import ONEDNN, takes_native_bf16
from ttc.runtime.emulator.numerics import Mode, load, store
from ttc.runtime.emulator.passes import product
from ttc.runtime.emulator.registry import emulates


@emulates(PrepareConvWeights)
def prepare_conv_weights(call: PrepareConvWeights, mode: Mode, weight_tensor: Tensor) -> Tensor:
    """Return [O, I / groups, h, w] as [1, 1, h * w * I, O], zero outside the groups' blocks.

    In memory an output channel's numbers stay together, channels last, as convolutions on this machine read them.
    """
    weight = dense(weight_tensor, call.groups).contiguous(memory_format=torch.channels_last)
    return weight.permute(2, 3, 1, 0).reshape(1, 1, -1, call.out_channels)


@emulates(PrepareConvBias)
def prepare_conv_bias(call: PrepareConvBias, mode: Mode, bias_tensor: Tensor) -> Tensor:
    """Return the bias unchanged."""
    return bias_tensor


@emulates(Conv2d, stored=True)
def conv2d(
    call: Conv2d, mode: Mode, input_tensor: Tensor, weight_tensor: Tensor, bias_tensor: Tensor | None = None
) -> Tensor:
    """Cross-correlate in fp32, add the bias, apply the activation; round once at the end.

    Products of bf16 are computed in bf16 where the CPU can: sums are in fp32 there too.
    """
    result = call.infer()
    bias = None if bias_tensor is None else bias_tensor.reshape(-1)
    operands = (input_tensor, weight_tensor) if bias is None else (input_tensor, weight_tensor, bias)
    if mode is Mode.exact and takes_native_bf16(result, operands):
        y = in_bf16(call, input_tensor, weight_tensor, bias)
    else:
        y = in_float32(call, mode, load(input_tensor), load(weight_tensor), None if bias is None else load(bias))
    return store(y.permute(0, 2, 3, 1).reshape(1, 1, -1, call.out_channels), result)


def in_bf16(call: Conv2d, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Compute in bf16: [N, O, H', W'], rounded once."""
    top, bottom, left, right = call.padding
    even = top == bottom and left == right
    x = images(call, x) if even else F.pad(images(call, x), (left, right, top, bottom))
    fused_activation = call.conv_config.activation
    activation = None if fused_activation is None else fused_activation.op_type.lower()
    name, algorithm = ONEDNN[activation]
    window = (top, left) if even else (0, 0), call.stride, call.dilation, call.groups
    y = torch.ops.mkldnn._convolution_pointwise(x, grouped(call, weight), bias, *window, name, [], algorithm)
    return torch.relu(y) if activation == "relu" else y


def in_float32(call: Conv2d, mode: Mode, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Compute in fp32: [N, O, H', W'], not rounded."""
    top, bottom, left, right = call.padding
    x = F.pad(images(call, x), (left, right, top, bottom))
    w = grouped(call, weight)

    def correlate(x: Tensor, w: Tensor, bias: Tensor | None = None) -> Tensor:
        return F.conv2d(x, w, bias, call.stride, 0, call.dilation, call.groups)

    if mode is Mode.exact:
        return activated(call, correlate(x, w, bias))
    return activated(call, product(x, w, call.compute, correlate) + (0.0 if bias is None else bias[:, None, None]))


def images(call: Convolution, x: Tensor) -> Tensor:
    """Return rows [1, 1, N * H * W, C] as [N, C, H, W].

    A permuted view of one channel has the strides of channels-last images and is contiguous at once; from such a view
    torch 2.13 computes float32 convolutions whose output is one wide (batch and stride above 1) with memory that
    nothing has written. So rows of one channel are reshaped, with the strides of plain images.
    """
    batch, height, width = call.batch_size, call.input_height, call.input_width
    if x.shape[-1] == 1:
        return x.reshape(batch, 1, height, width)
    return x.reshape(batch, height, width, -1).permute(0, 3, 1, 2)


def grouped(call: Convolution, weight: Tensor) -> Tensor:
    """Return a prepared weight as [O, I / groups, h, w]."""
    return blocks(
        weight.reshape(*call.kernel_size, call.in_channels, call.out_channels).permute(3, 2, 0, 1), call.groups
    )


def dense(weight: Tensor, groups: int) -> Tensor:
    """Return a grouped weight [A, B / groups, h, w] as [A, B, h, w], zero outside the groups' blocks."""
    if groups == 1:
        return weight
    first, per_group, *kernel = weight.shape
    result = weight.new_zeros(groups, first // groups, groups, per_group, *kernel)
    group = torch.arange(groups)
    result[group, :, group] = weight.reshape(groups, -1, per_group, *kernel)
    return result.reshape(first, -1, *kernel)


def blocks(weight: Tensor, groups: int) -> Tensor:
    """Return the result of `dense` as [A, B / groups, h, w]."""
    if groups == 1:
        return weight
    first, second, *kernel = weight.shape
    split = weight.reshape(groups, first // groups, groups, second // groups, *kernel)
    group = torch.arange(groups)
    return split[group, :, group].reshape(first, second // groups, *kernel)


def activated(call: Convolution, y: Tensor) -> Tensor:
    """Apply the activation that the convolution ends in."""
    activation = call.conv_config.activation
    return y if activation is None else fused(y, (activation,))
