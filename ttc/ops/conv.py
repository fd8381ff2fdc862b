"""Convolutions and pools in 1 to 3 spatial dimensions."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from ttc.ir import TensorType, Value, require
from ttc.ops.activation import Epilogue, accept_epilogue, epilogue
from ttc.ops.facts import Exactness, Facts, Finite
from ttc.ops.rules import check_floating, same_dtype, window_output
from ttc.ops.spatial import Spatial, from_rows, images, images_type, to_rows

__all__ = ["AvgPool", "Conv", "ConvTranspose", "MaxPool"]

Pads = tuple[tuple[int, int], ...]
"""(begin, end) for each spatial dimension."""


def pad_spatial(x: Tensor, pads: Pads, value: float = 0.0) -> Tensor:
    """Pad [N, C, *spatial] with `value`."""
    return F.pad(x, [size for pair in reversed(pads) for size in pair], value=value)


def _plain(x: Tensor) -> Tensor:
    """Return images [N, C, *spatial] that torch's convolutions cannot take for channels-last ones of one channel.

    From channels-last images of one channel torch 2.13 computes float32 results one wide with memory that nothing has
    written.
    """
    return x.clone(memory_format=torch.contiguous_format) if x.shape[1] == 1 else x


@dataclass(frozen=True)
class Conv(Spatial):
    """Cross-correlation with w [O, C / groups, *kernel], bias [O], then `activation`."""

    x: Value
    w: Value
    bias: Value | None = None
    stride: tuple[int, ...] = ()
    padding: Pads = ()
    dilation: tuple[int, ...] = ()
    groups: int = 1
    activation: Epilogue = ""
    rows: tuple[int, ...] = ()
    facts: ClassVar[Facts] = Facts(Finite.ORDINARY, Exactness.SIGNAL, overflows=True)

    def infer(self) -> TensorType:
        rank = self.w.type.rank - 2
        require(
            1 <= rank <= 3, f"the weight must be [O, C / groups, *kernel] with 1 to 3 kernel sizes, got {self.w.type}"
        )
        require(self.groups >= 1, f"{self.groups} groups")
        batch, channels, spatial = images(self.x, self.rows, rank)
        require(
            len(self.stride) == len(self.padding) == len(self.dilation) == rank,
            f"needs {rank} strides, pads, dilations",
        )
        out, per_group, *kernel = self.w.shape
        require(
            channels == per_group * self.groups,
            f"{channels} channels, but the weight takes {per_group} x {self.groups} groups",
        )
        require(out % self.groups == 0, f"{out} output channels are no multiple of {self.groups} groups")
        require(self.bias is None or self.bias.shape == (out,), f"the bias must be [{out}]")
        accept_epilogue(self.activation)
        same_dtype(self.x, self.w, self.bias)
        sizes = map(window_output, spatial, kernel, self.stride, self.padding, self.dilation)
        return images_type(self.x, self.rows, out, tuple(sizes), batch)

    def eval(self, x: Tensor, w: Tensor, bias: Tensor | None) -> Tensor:
        conv = (F.conv1d, F.conv2d, F.conv3d)[w.ndim - 3]
        padded = pad_spatial(_plain(from_rows(x, self.rows)), self.padding)
        y = conv(padded, w, bias, self.stride, 0, self.dilation, self.groups)
        return to_rows(epilogue(self.activation, y), self.rows)


@dataclass(frozen=True)
class ConvTranspose(Spatial):
    """The gradient of a convolution, w [C, O / groups, *kernel].

    `padding` is cut off the full result, `output_padding` added at its end.
    """

    x: Value
    w: Value
    bias: Value | None = None
    stride: tuple[int, ...] = ()
    padding: Pads = ()
    output_padding: tuple[int, ...] = ()
    dilation: tuple[int, ...] = ()
    groups: int = 1
    rows: tuple[int, ...] = ()
    facts: ClassVar[Facts] = Facts(Finite.ORDINARY, Exactness.LOST)

    def infer(self) -> TensorType:
        rank = self.w.type.rank - 2
        require(
            1 <= rank <= 3, f"the weight must be [C, O / groups, *kernel] with 1 to 3 kernel sizes, got {self.w.type}"
        )
        require(self.groups >= 1 and 0 not in self.w.shape, f"{self.groups} groups of {self.w.type}")
        batch, channels, spatial = images(self.x, self.rows, rank)
        require(channels == self.w.shape[0], f"{channels} channels, but the weight takes {self.w.shape[0]}")
        counts = {len(self.stride), len(self.padding), len(self.dilation), len(self.output_padding)}
        require(counts == {rank}, f"needs {rank} strides, pads, dilations, output pads")
        require(channels % self.groups == 0, f"{channels} channels are no multiple of {self.groups} groups")
        steps = (*self.stride, *self.dilation)
        require(min(steps) >= 1, f"stride {list(self.stride)}, dilation {list(self.dilation)}")
        pads = (*self.output_padding, *(size for pair in self.padding for size in pair))
        require(min(pads) >= 0, "pads cannot be negative")
        out = self.w.shape[1] * self.groups
        require(self.bias is None or self.bias.shape == (out,), f"the bias must be [{out}]")
        same_dtype(self.x, self.w, self.bias)
        sizes = []
        for i in range(rank):
            span = self.dilation[i] * (self.w.shape[2 + i] - 1) + 1
            sizes.append((spatial[i] - 1) * self.stride[i] + span - sum(self.padding[i]) + self.output_padding[i])
        require(min(sizes) > 0, f"the result would have sizes {sizes}")
        return images_type(self.x, self.rows, out, tuple(sizes), batch)

    def eval(self, x: Tensor, w: Tensor, bias: Tensor | None) -> Tensor:
        conv = (F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d)[w.ndim - 3]
        x = _plain(from_rows(x, self.rows))
        full = conv(x, w, None, self.stride, 0, 0, self.groups, self.dilation)
        full = F.pad(full, [size for extra in reversed(self.output_padding) for size in (0, extra)])
        for axis, (begin, end) in enumerate(self.padding):
            full = full.narrow(2 + axis, begin, full.shape[2 + axis] - begin - end)
        if bias is not None:
            full = full + bias.reshape(-1, *[1] * (w.ndim - 2))
        return to_rows(full, self.rows)


@dataclass(frozen=True)
class MaxPool(Spatial):
    """The largest element of each window, padding left out."""

    x: Value
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: Pads
    dilation: tuple[int, ...]
    ceil: bool = False
    rows: tuple[int, ...] = ()
    facts: ClassVar[Facts] = Facts(Finite.ALL, Exactness.LOST, within=("x",))

    def infer(self) -> TensorType:
        batch, channels, spatial = images(self.x, self.rows, len(self.kernel))
        args = zip(spatial, self.kernel, self.stride, self.padding, self.dilation, strict=True)
        return images_type(self.x, self.rows, channels, tuple(window_output(*a, self.ceil) for a in args), batch)

    def eval(self, x: Tensor) -> Tensor:
        y = _windows(
            from_rows(x, self.rows), self, fill=-math.inf if x.is_floating_point() else torch.iinfo(x.dtype).min
        )
        return to_rows(y.amax(dim=tuple(range(-len(self.kernel), 0))), self.rows)


@dataclass(frozen=True)
class AvgPool(Spatial):
    """The mean of each window; `count_padding` says whether padding counts in the denominator."""

    x: Value
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: Pads
    dilation: tuple[int, ...]
    ceil: bool = False
    count_padding: bool = True
    rows: tuple[int, ...] = ()
    facts: ClassVar[Facts] = Facts(Finite.ORDINARY, Exactness.LOST)

    def infer(self) -> TensorType:
        check_floating(self.x)
        batch, channels, spatial = images(self.x, self.rows, len(self.kernel))
        args = zip(spatial, self.kernel, self.stride, self.padding, self.dilation, strict=True)
        return images_type(self.x, self.rows, channels, tuple(window_output(*a, self.ceil) for a in args), batch)

    def eval(self, x: Tensor) -> Tensor:
        x = from_rows(x, self.rows)
        ones = torch.ones_like(x[:1, :1])
        if self.count_padding:  # padding counts, but not the elements that ceil mode adds beyond the padding
            ones = pad_spatial(ones, self.padding, value=1.0)
        dims = tuple(range(-len(self.kernel), 0))
        total = _windows(x, self, fill=0.0).sum(dim=dims)
        count = _windows(ones, self, fill=0.0, padded=self.count_padding).sum(dim=dims)
        return to_rows(total / count, self.rows)


def _windows(x: Tensor, op: MaxPool | AvgPool, fill: float, padded: bool = False) -> Tensor:
    """Return [N, C, *out, *kernel]: all windows of x, `fill` in the padding (there already if `padded`)."""
    spatial = x.shape[2:] if not padded else [s - sum(p) for s, p in zip(x.shape[2:], op.padding, strict=True)]
    if not padded:
        x = pad_spatial(x, op.padding, value=fill)
    for axis, kernel in enumerate(op.kernel):
        span = op.dilation[axis] * (kernel - 1) + 1
        count = window_output(spatial[axis], kernel, op.stride[axis], op.padding[axis], op.dilation[axis], op.ceil)
        missing = (count - 1) * op.stride[axis] + span - x.shape[2 + axis]
        if missing > 0:
            pads: Pads = tuple((0, missing if i == axis else 0) for i in range(len(op.kernel)))
            x = pad_spatial(x, pads, value=fill)
    for axis, kernel in enumerate(op.kernel):
        span = op.dilation[axis] * (kernel - 1) + 1
        x = x.unfold(2 + axis, span, op.stride[axis])[..., :: op.dilation[axis]]
        count = window_output(spatial[axis], kernel, op.stride[axis], op.padding[axis], op.dilation[axis], op.ceil)
        x = x.narrow(2 + axis, 0, count)
    return x
