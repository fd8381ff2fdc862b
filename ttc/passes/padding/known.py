"""Values known when compiling, and the functions by which the values' numbers follow a length."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ttc.errors import Refusal
from ttc.ir.lengths import Length
from ttc.ops.padding.index import common
from ttc.passes.padding.fit import Fits

UNKNOWN = "its numbers follow a length in a way that is not known"


@dataclass(frozen=True)
class Shift:
    """A length added to the elements that are `moved` (a tensor of booleans that broadcasts): [0, T - 1]."""

    length: Length
    moved: Tensor


@dataclass(frozen=True)
class Scale:
    """function(length / divisor) * pattern: 1 / T, a ramp over the length."""

    function: str
    length: Length
    divisor: int
    pattern: Tensor


@dataclass(frozen=True)
class Known:
    """A value that depends on neither inputs nor weights: the value's numbers in the graph that is compiled.

    At another length the numbers are the same in the places that both tensors have, unless the numbers follow a length;
    `unexplained` is the reason where no known function gives the numbers.
    """

    tensor: Tensor
    follows: Shift | Scale | None = None
    unexplained: str = ""


def understood(tensors: Sequence[Tensor], fits: Fits) -> Known:
    """Find the function by which a known value, given as a tensor of each reading, follows a length."""
    base = tensors[0]
    if all(torch.equal(common(base, other), common(other, base)) for other in tensors):
        return Known(base)
    try:
        return Known(base, (_scale if base.is_floating_point() else _shift)(tensors, fits))
    except Refusal as refusal:
        return Known(base, unexplained=str(refusal))


def _shift(tensors: Sequence[Tensor], fits: Fits) -> Shift:
    """Find the length that all moved elements add to the first reading's; Refusal if there is none."""
    base = tensors[0]
    if base.dtype == torch.bool:
        raise Refusal(UNKNOWN)
    shifts = [common(other, base) - common(base, other) for other in tensors]
    as_large = len({tensor.shape for tensor in tensors}) == 1
    moved = torch.stack([shift != 0 for shift in shifts]).any(0) if as_large else torch.tensor(True)
    offsets = [_number(shift[moved.expand_as(shift)]) for shift in shifts]
    if any(offset is None for offset in offsets):
        raise Refusal(UNKNOWN)
    return Shift(fits.length([int(offset) for offset in offsets if offset is not None]), moved)


def _scale(tensors: Sequence[Tensor], fits: Fits) -> Scale:
    """Find the function of a length that scales the first reading's elements; Refusal if there is none."""
    shared = tuple(slice(min(sizes)) for sizes in zip(*(tensor.shape for tensor in tensors), strict=True))
    base = tensors[0]
    sizes = base[shared].abs().flatten()
    place = torch.where(sizes > 0, sizes, float("inf")).argmin()  # the first step of arange(T) / T is 1 / T
    leading = [tensor[shared].flatten()[place].item() for tensor in tensors]
    pairs = zip(tensors, leading, strict=True)
    if 0.0 in leading or not all(_proportional(other, base, number / leading[0]) for other, number in pairs):
        raise Refusal(UNKNOWN)
    found = fits.real(leading)
    if found is None:
        raise Refusal(UNKNOWN)
    return Scale(*found, (base / leading[0]).contiguous())


def _number(tensor: Tensor) -> float | None:
    """Give the number that all elements of a tensor are; None if elements differ."""
    numbers = tensor.unique()
    return numbers.item() if numbers.numel() == 1 else None


def _proportional(tensor: Tensor, other: Tensor, factor: float) -> bool:
    """Return whether a tensor is `factor` times another in the places that both have."""
    return torch.allclose(common(tensor, other), common(other, tensor) * factor, rtol=1e-5, atol=1e-7)
