"""A convolution as the lowering rules pass it on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import TypeVar

from ttc.ir import Value
from ttc.ops.activation import Epilogue
from ttc.ops.conv import Pads
from ttc.ops.rules import window_output

T = TypeVar("T")


@dataclass(frozen=True)
class Layer:
    """A convolution in one or two spatial dimensions; `w` [O, I / groups, *kernel] and `b` [O] are static."""

    batch: int
    channels: int
    spatial: tuple[int, ...]
    stride: tuple[int, ...]
    padding: Pads
    dilation: tuple[int, ...]
    groups: int
    activation: Epilogue
    w: Value
    b: Value | None

    @property
    def kernel(self) -> tuple[int, ...]:
        return self.w.shape[2:]

    @property
    def counts(self) -> tuple[int, ...]:
        """Return the number of windows along each axis."""
        axes = zip(self.spatial, self.kernel, self.stride, self.padding, self.dilation, strict=True)
        return tuple(window_output(*axis) for axis in axes)

    @property
    def pointwise(self) -> bool:
        """Return whether every output pixel depends on the input pixel at its place, and on no other."""
        return {*self.kernel, *self.stride} == {1} and not any(map(any, self.padding))

    @property
    def tiles_image(self) -> bool:
        """Return whether the windows lie side by side and cover the image exactly; one of the image's size does."""
        axes = zip(self.spatial, self.kernel, self.stride, strict=True)
        whole = all(size == length or (size % length == 0 and length == stride) for size, length, stride in axes)
        return whole and not any(map(any, self.padding)) and set(self.dilation) == {1}


Convolve = Callable[[Layer, Value], Value]
"""Computes a layer on images in rows [1, 1, pixels, I]: rows [1, 1, pixels', O]."""


def around(axis: int, sizes: tuple[int, ...]) -> tuple[int, int, int]:
    """Return the elements before an axis, along the axis, and behind the axis."""
    return prod(sizes[:axis]), sizes[axis], prod(sizes[axis + 1 :])


def along(axis: int, of_axes: tuple[T, ...], here: T) -> tuple[T, ...]:
    """Replace what a tuple has for an axis."""
    return (*of_axes[:axis], here, *of_axes[axis + 1 :])
