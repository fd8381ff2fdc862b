"""Constants of a family: the same at all lengths, the beginning of one, or computed from a length."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from ttc import ops
from ttc.errors import Refusal
from ttc.ir import Builder, DType, TensorType, Value
from ttc.ir.lengths import Length
from ttc.ops.padding import Region
from ttc.ops.padding.index import common
from ttc.ops.padding.region import single
from ttc.passes.padding.family import Family, Row
from ttc.passes.padding.fit import Fits
from ttc.passes.padding.masks import Masks

UNKNOWN = "its numbers follow a length in a way that is not known"
FUNCTIONS = {"reciprocal": ops.Reciprocal, "sqrt": ops.Sqrt, "rsqrt": ops.Rsqrt}


@dataclass(frozen=True)
class Constants:
    """Adds what a family knows without inputs and weights to a program."""

    family: Family
    builder: Builder
    fits: Fits
    masks: Masks
    unexplained: dict[Row, str] = field(default_factory=dict)
    """Why constants are no function of a length, as far as that is known."""

    def value(self, row: Row, beside: Region | None = None) -> tuple[Value, Region]:
        """A known row as a value and its region; Refusal if no length explains how its members differ.

        What follows a length that each sample has for itself is made in a shape that broadcasts to what is `beside` it.
        """
        tensors = self.family.tensors(row)
        base = tensors[0]
        if not all(torch.equal(common(base, other), common(other, base)) for other in tensors):
            return self._computed(tensors, row[0].dtype, beside)
        value = ops.constant(self.builder, base.contiguous(), row[0].name)
        number = ops.number_of(value)
        region = self._region(tensors)
        alike = [bool((base == base.narrow(dim, 0, 1)).all()) for dim in range(base.ndim)]
        filled = [
            tuple(replace(f, fill=number, alike=same) if f.length else f for f in dim)
            for dim, same in zip(region.dims, alike, strict=True)
        ]
        infinite = number is None and base.is_floating_point() and not bool(base.isfinite().all())
        region = Region(tuple(filled))
        return value, replace(region, taint=frozenset((row[0].name,) if infinite and region.padded else ()))

    def known(self, row: Row) -> tuple[Value, Region]:
        """As `value`; one that no length explains is as it is for the first member, for rules that look closer."""
        try:
            return self.value(row)
        except Refusal as refusal:
            self.unexplained[row] = f"%{row[0].name}: {refusal}"
            return self.first(row)

    def refuse_unexplained(self, rows: Iterable[Row]) -> None:
        """Refusal if one of these is such a constant."""
        for row in rows:
            if row in self.unexplained:
                raise Refusal(self.unexplained[row])

    def first(self, row: Row) -> tuple[Value, Region]:
        """A known row as it is in the first member."""
        tensors = self.family.tensors(row)
        return ops.constant(self.builder, tensors[0].contiguous(), row[0].name), self._region(tensors)

    def _region(self, tensors: Sequence[Tensor]) -> Region:
        sizes = zip(*(tensor.shape for tensor in tensors), strict=True)
        return Region(tuple(single(self.fits.factor(each)) for each in sizes))

    def _computed(self, tensors: Sequence[Tensor], dtype: DType, beside: Region | None) -> tuple[Value, Region]:
        """f(length) added to a constant that does not follow it, or times one."""
        region = self._region(tensors)
        if beside is not None:
            region = _with_batch(region, beside)
        if not dtype.is_float:
            return self._shifted(tensors, region, dtype), region
        shared = tuple(slice(min(sizes)) for sizes in zip(*(tensor.shape for tensor in tensors), strict=True))
        base = tensors[0]
        sizes = base[shared].abs().flatten()
        place = torch.where(sizes > 0, sizes, float("inf")).argmin()  # the first step of arange(T) / T is 1 / T
        leading = [tensor[shared].flatten()[place].item() for tensor in tensors]
        pairs = zip(tensors, leading, strict=True)
        if 0.0 in leading or not all(_proportional(other, base, number / leading[0]) for other, number in pairs):
            raise Refusal(UNKNOWN)
        found = self.fits.real(leading)
        if found is None:
            raise Refusal(UNKNOWN)
        pattern = ops.constant(self.builder, (base / leading[0]).contiguous())
        return self.builder(ops.Mul(pattern, self._function(*found, region, dtype))), region

    def _shifted(self, tensors: Sequence[Tensor], region: Region, dtype: DType) -> Value:
        """A length added to a constant, or to some elements of one that is as large at all lengths: [0, T - 1]."""
        base = tensors[0]
        if dtype is DType.bool:
            raise Refusal(UNKNOWN)
        shifts = [common(other, base) - common(base, other) for other in tensors]
        moved = torch.stack([shift != 0 for shift in shifts]).any(0) if _as_large(tensors) else torch.tensor(True)
        offsets = [_number(shift[moved.expand_as(shift)]) for shift in shifts]
        if any(offset is None for offset in offsets):
            raise Refusal(UNKNOWN)
        length = self.fits.length([int(offset) for offset in offsets if offset is not None])
        number = self.builder(ops.Cast(self.masks.length(length, region), dtype))
        if not moved.all():
            number = self.builder(ops.Mul(number, ops.constant(self.builder, moved.to(base.dtype))))
        return self.builder(ops.Add(ops.constant(self.builder, base.contiguous()), number))

    def _function(self, function: str, length: Length, divisor: int, region: Region, dtype: DType) -> Value:
        """function(length / divisor), broadcasting to a region."""
        value = self.builder(ops.Cast(self.masks.length(length, region), dtype))
        if divisor != 1:
            value = self.builder(ops.Div(value, self.builder(ops.Full(TensorType(dtype, ()), divisor))))
        return self.builder(FUNCTIONS[function](value)) if function else value


def _with_batch(region: Region, beside: Region) -> Region:
    """A region with the batch of another that it broadcasts to."""
    dims = [*[()] * (len(beside.dims) - len(region.dims)), *region.dims]
    for d, dim in enumerate(beside.dims):
        if any(factor.sample for factor in dim):
            if len(dims) != len(beside.dims) or dims[d]:
                raise Refusal("its numbers follow a length that each sample has for itself")
            dims[d] = dim
    return Region(tuple(dims))


def _as_large(tensors: Sequence[Tensor]) -> bool:
    return len({tensor.shape for tensor in tensors}) == 1


def _number(tensor: Tensor) -> float | None:
    """The one number in a tensor, if it is one."""
    numbers = tensor.unique()
    return numbers.item() if numbers.numel() == 1 else None


def _proportional(tensor: Tensor, other: Tensor, factor: float) -> bool:
    """Whether a tensor is a multiple of another where both have elements."""
    return torch.allclose(common(tensor, other), common(other, tensor) * factor, rtol=1e-5, atol=1e-7)
