"""Numerics of pools."""

from __future__ import annotations

import math

import torch.nn.functional as F
from torch import Tensor

from ttc.calls.pool import AvgPool2d, MaxPool2d
from ttc.ir import DType
from ttc.runtime.emulator.numerics import Mode
from ttc.runtime.emulator.reduce import averaged
from ttc.runtime.emulator.registry import emulates


@emulates(MaxPool2d)
def max_pool2d(call: MaxPool2d, mode: Mode, input_tensor: Tensor) -> Tensor:
    """Return the maximum of each window; the last windows of ceil mode reach beyond the padding."""
    window = call.window
    x = input_tensor.reshape(window.batch, *window.size, call.channels).permute(0, 3, 1, 2)
    top, bottom, left, right = window.padding
    beyond = [
        max(0, (count - 1) * stride + dilation * (kernel - 1) + 1 - (size + begin + end))
        for count, stride, dilation, kernel, size, begin, end in zip(
            window.output,
            window.stride,
            window.dilation,
            window.kernel,
            window.size,
            (top, left),
            (bottom, right),
            strict=True,
        )
    ]
    x = F.pad(x, (left, right + beyond[1], top, bottom + beyond[0]), value=-math.inf)
    y = F.max_pool2d(x, window.kernel, window.stride, 0, window.dilation)
    height, width = window.output
    return y[:, :, :height, :width].permute(0, 2, 3, 1).reshape(call.infer().shape)


@emulates(AvgPool2d)
def avg_pool2d(call: AvgPool2d, mode: Mode, input_tensor: Tensor) -> Tensor:
    """Return the mean of each image, of which the halo makes bf16."""
    pixels = input_tensor.reshape(call.batch_size, call.input_h * call.input_w, call.channels)
    return averaged(pixels, (1,), DType.bf16, mode, call.compute).reshape(call.infer().shape)
