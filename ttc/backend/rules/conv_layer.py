"""A convolution as the lowering rules pass it on."""

from __future__ import annotations

from dataclasses import dataclass

from ttc.ir import Value
from ttc.ops.activation import Epilogue
from ttc.ops.conv import Pads


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
    def pointwise(self) -> bool:
        """Return whether every output pixel depends on the input pixel at its place, and on no other."""
        return {*self.kernel, *self.stride} == {1} and not any(map(any, self.padding))

    @property
    def tiles_image(self) -> bool:
        """Return whether the windows lie side by side and cover the image exactly."""
        whole = all(size % length == 0 for size, length in zip(self.spatial, self.kernel, strict=True))
        return whole and self.kernel == self.stride and not any(map(any, self.padding)) and set(self.dilation) == {1}
