"""Ops that move elements without arithmetic."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import ClassVar, Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor

from ttc.ir import Op, TensorType, Value, require
from ttc.ir.types import broadcast
from ttc.ops.facts import Exactness, Facts, Finite
from ttc.ops.rules import check_dim, check_floating, check_number, is_permutation, same_dtype
from ttc.ops.spatial import Spatial, from_rows, images, images_type, to_rows
from ttc.ops.torch_types import as_signed

__all__ = ["Concat", "Expand", "Flip", "Pad", "Permute", "Repeat", "Reshape", "Slice", "Upsample"]


@dataclass(frozen=True)
class Reshape(Op):
    """The same elements in row-major order under another shape."""

    x: Value
    shape: tuple[int, ...]
    facts: ClassVar[Facts] = Facts(Finite.ALL, Exactness.KEPT, within=("x",), moves=True)

    def infer(self) -> TensorType:
        require(prod(self.shape) == self.x.type.numel, f"{self.x.type} cannot be reshaped to {list(self.shape)}")
        require(min(self.shape, default=0) >= 0, f"sizes cannot be negative: {list(self.shape)}")
        return TensorType(self.x.dtype, self.shape)

    def eval(self, x: Tensor) -> Tensor:
        return x.reshape(self.shape)


@dataclass(frozen=True)
class Permute(Op):
    """Dimension i of the result is dimension dims[i] of x."""

    x: Value
    dims: tuple[int, ...]
    facts: ClassVar[Facts] = Facts(Finite.ALL, Exactness.KEPT, within=("x",), moves=True)

    def infer(self) -> TensorType:
        require(is_permutation(self.dims, self.x.type.rank), f"dims {list(self.dims)} do not permute {self.x.type}")
        return TensorType(self.x.dtype, tuple(self.x.shape[d] for d in self.dims))

    def eval(self, x: Tensor) -> Tensor:
        return x.permute(self.dims)


@dataclass(frozen=True)
class Slice(Op):
    """x[start:end:step] in every dimension; 0 <= start <= end <= size, step >= 1, and 1 unless given."""

    x: Value
    starts: tuple[int, ...]
    ends: tuple[int, ...]
    steps: tuple[int, ...] = ()
    facts: ClassVar[Facts] = Facts(Finite.ALL, Exactness.KEPT, within=("x",), moves=True, shrinks=True)

    def __post_init__(self) -> None:
        object.__setattr__(self, "steps", self.steps or (1,) * len(self.starts))

    def infer(self) -> TensorType:
        bounds = list(zip(self.starts, self.ends, self.steps, self.x.shape, strict=True))
        for start, end, step, size in bounds:
            inside = 0 <= start <= end <= size and step >= 1
            require(inside, f"the slice {start}:{end}:{step} is out of range for {size} elements")
        return TensorType(self.x.dtype, tuple((end - start + step - 1) // step for start, end, step, _ in bounds))

    def eval(self, x: Tensor) -> Tensor:
        return x[tuple(slice(*bounds) for bounds in zip(self.starts, self.ends, self.steps, strict=True))]


@dataclass(frozen=True)
class Flip(Op):
    """The elements along each of `dims` in reverse order."""

    x: Value
    dims: tuple[int, ...]
    facts: ClassVar[Facts] = Facts(Finite.ALL, Exactness.KEPT, within=("x",), moves=True)

    def infer(self) -> TensorType:
        require(all(0 <= dim < self.x.type.rank for dim in self.dims), f"dims {self.dims} are not in {self.x.type}")
        require(len(set(self.dims)) == len(self.dims), f"dims {self.dims} are not distinct")
        return self.x.type

    def eval(self, x: Tensor) -> Tensor:
        return as_signed(x).flip(self.dims).view(x.dtype)


@dataclass(frozen=True)
class Concat(Op):
    """The operands one after another along `dim`."""

    xs: tuple[Value, ...]
    dim: int
    facts: ClassVar[Facts] = Facts(Finite.ALL, Exactness.KEPT, within=("xs",), moves=True)

    def infer(self) -> TensorType:
        require(bool(self.xs), "needs an operand")
        first = self.xs[0]
        check_dim(self.dim, first)
        for x in self.xs:
            same = x.type.rank == first.type.rank and all(
                a == b or i == self.dim for i, (a, b) in enumerate(zip(x.shape, first.shape, strict=True))
            )
            require(same, f"{x.type} does not fit {first.type} along dimension {self.dim}")
        total = sum(x.shape[self.dim] for x in self.xs)
        shape = tuple(total if i == self.dim else size for i, size in enumerate(first.shape))
        return TensorType(same_dtype(*self.xs), shape)

    def eval(self, xs: list[Tensor]) -> Tensor:
        return torch.cat(xs, self.dim)


PadMode = Literal["constant", "reflect", "replicate"]


@dataclass(frozen=True)
class Pad(Op):
    """x with (begin, end) elements more in each dimension; mode constant, reflect or replicate."""

    x: Value
    pads: tuple[tuple[int, int], ...]
    mode: PadMode = "constant"
    value: float = 0.0
    facts: ClassVar[Facts] = Facts(Finite.ALL, Exactness.KEPT)

    def infer(self) -> TensorType:
        require(len(self.pads) == self.x.type.rank, f"needs {self.x.type.rank} pairs, got {len(self.pads)}")
        require(self.mode in get_args(PadMode), f"no mode is called {self.mode!r}")
        check_number(self.value, self.x.dtype)
        for (begin, end), size in zip(self.pads, self.x.shape, strict=True):
            require(begin >= 0 and end >= 0, "pads cannot be negative; slice instead")
            fits = max(begin, end) < size if self.mode == "reflect" else self.mode == "constant" or size > 0
            require(fits or begin == end == 0, f"cannot {self.mode} {begin}, {end} of {size} elements")
        shape = tuple(size + begin + end for (begin, end), size in zip(self.pads, self.x.shape, strict=True))
        return TensorType(self.x.dtype, shape)

    def eval(self, x: Tensor) -> Tensor:
        if self.mode == "constant":
            return F.pad(x, [size for pair in reversed(self.pads) for size in pair], value=self.value)
        for dim, (begin, end) in enumerate(self.pads):
            x = x.index_select(dim, _source_indices(x.shape[dim], begin, end, self.mode))
        return x


def _source_indices(size: int, begin: int, end: int, mode: str) -> Tensor:
    """Return the element that each position of a padded dimension repeats, as indices."""
    index = torch.arange(-begin, size + end)
    if mode == "replicate":
        return index.clamp(0, size - 1)
    index = index.abs()
    return torch.where(index >= size, 2 * (size - 1) - index, index)


@dataclass(frozen=True)
class Expand(Op):
    """x broadcast to `shape` (numpy's rule)."""

    x: Value
    shape: tuple[int, ...]
    facts: ClassVar[Facts] = Facts(Finite.ALL, Exactness.KEPT, within=("x",), moves=True, shrinks=True)

    def infer(self) -> TensorType:
        require(min(self.shape, default=0) >= 0, f"sizes cannot be negative: {list(self.shape)}")
        require(
            broadcast(self.x.shape, self.shape) == self.shape, f"{self.x.type} does not expand to {list(self.shape)}"
        )
        return TensorType(self.x.dtype, self.shape)

    def eval(self, x: Tensor) -> Tensor:
        return x.expand(self.shape)


@dataclass(frozen=True)
class Repeat(Op):
    """The whole of x repeats[i] times along dimension i (numpy's tile)."""

    x: Value
    repeats: tuple[int, ...]
    facts: ClassVar[Facts] = Facts(Finite.ALL, Exactness.KEPT, within=("x",), moves=True, shrinks=True)

    def infer(self) -> TensorType:
        require(len(self.repeats) == self.x.type.rank, f"needs {self.x.type.rank} counts, got {len(self.repeats)}")
        require(min(self.repeats, default=0) >= 0, f"counts cannot be negative: {list(self.repeats)}")
        return TensorType(self.x.dtype, tuple(size * n for size, n in zip(self.x.shape, self.repeats, strict=True)))

    def eval(self, x: Tensor) -> Tensor:
        return x.repeat(self.repeats)


@dataclass(frozen=True)
class Upsample(Spatial):
    """Spatial sizes times whole factors `scales`: nearest repeats, bilinear interpolates (half-pixel centres).

    x is [N, C, *spatial], or channels-last rows with `rows` = (N, *spatial).
    """

    x: Value
    scales: tuple[int, ...]
    mode: Literal["nearest", "linear"] = "nearest"
    rows: tuple[int, ...] = ()
    facts: ClassVar[Facts] = Facts(Finite.ALL, Exactness.KEPT, within=("x",))

    def infer(self) -> TensorType:
        require(self.mode in ("nearest", "linear"), f"no mode is called {self.mode!r}")
        require(min(self.scales, default=1) >= 1, f"scales must be at least 1, got {list(self.scales)}")
        if self.mode == "linear":
            check_floating(self.x)
        batch, channels, spatial = images(self.x, self.rows, len(self.scales))
        sizes = tuple(size * scale for size, scale in zip(spatial, self.scales, strict=True))
        return images_type(self.x, self.rows, channels, sizes, batch)

    def eval(self, x: Tensor) -> Tensor:
        y = from_rows(x, self.rows)
        if self.mode == "nearest":  # in any dtype
            for dim, scale in enumerate(self.scales):
                y = y.repeat_interleave(scale, 2 + dim)
            return to_rows(y, self.rows)
        mode = ("linear", "bilinear", "trilinear")[len(self.scales) - 1]
        scales = [float(scale) for scale in self.scales]
        return to_rows(F.interpolate(y, scale_factor=scales, mode=mode), self.rows)


def before_reshapes(value: Value) -> Value:
    """Return the value whose elements, in order, reshapes alone have brought into the shape of `value`."""
    while isinstance(value.op, Reshape):
        value = value.op.x
    return value
