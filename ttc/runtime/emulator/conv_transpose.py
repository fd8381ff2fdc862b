"""Numerics of transposed convolutions; prepared weights are kept in the plain order (h, w, I) by O."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ttc.calls.conv_transpose import ConvTranspose2d, PrepareConvTranspose2dBias, PrepareConvTranspose2dWeights
from ttc.runtime.emulator.conv import blocks, dense, images
from ttc.runtime.emulator.numerics import Mode
from ttc.runtime.emulator.passes import product
from ttc.runtime.emulator.registry import emulates


@emulates(PrepareConvTranspose2dWeights)
def prepare_conv_transpose2d_weights(call: PrepareConvTranspose2dWeights, mode: Mode, weight_tensor: Tensor) -> Tensor:
    """Return [I, O / groups, h, w] as [1, 1, h * w * I, O], zero outside the groups' blocks."""
    return dense(weight_tensor, call.groups).permute(2, 3, 0, 1).reshape(1, 1, -1, call.out_channels)


@emulates(PrepareConvTranspose2dBias)
def prepare_conv_transpose2d_bias(call: PrepareConvTranspose2dBias, mode: Mode, bias_tensor: Tensor) -> Tensor:
    """Return the bias unchanged."""
    return bias_tensor


@emulates(ConvTranspose2d)
def conv_transpose2d(
    call: ConvTranspose2d, mode: Mode, input_tensor: Tensor, weight_tensor: Tensor, bias_tensor: Tensor | None = None
) -> Tensor:
    """Convolve transposed in fp32, cut the borders off, add the bias; round once at the end."""
    x = images(call, input_tensor)
    weight = weight_tensor.reshape(*call.kernel_size, call.in_channels, -1).permute(2, 3, 0, 1)
    w = blocks(weight, call.groups)

    def convolve(x: Tensor, w: Tensor) -> Tensor:
        return F.conv_transpose2d(x, w, None, call.stride, 0, 0, groups=call.groups, dilation=call.dilation)

    full = convolve(x, w) if mode is Mode.exact else product(x, w, call.compute, convolve)
    full = F.pad(full, (0, call.output_padding[1], 0, call.output_padding[0]))
    top, bottom, left, right = call.padding
    y = full[:, :, top : full.shape[2] - bottom, left : full.shape[3] - right]
    y = y.permute(0, 2, 3, 1).reshape(1, 1, -1, call.out_channels)
    return y if bias_tensor is None else y + torch.reshape(bias_tensor, (-1,))
