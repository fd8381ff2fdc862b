"""Interpolation matrices: the weights of the original's elements in each element of a resized axis (ONNX Resize)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ttc.errors import Refusal
from ttc.guard.budget import check_table, within


@dataclass(frozen=True)
class Sampling:
    """The mapping of positions and the mixing of values, in ONNX's words."""

    mode: str  # nearest, linear or cubic
    coordinates: str
    nearest: str = "round_prefer_floor"
    cubic: float = -0.75
    exclude_outside: bool = False
    antialias: bool = False


AXIS = 1 << 18
"""The largest size of a resized axis, whose positions are computed one by one."""


def matrix(size: int, count: int, scale: float, sampling: Sampling, crop: tuple[float, float]) -> tuple[Tensor, Tensor]:
    """Return [count, size] weights in f64, and a mask of results outside the original (cropping only)."""
    within(count, AXIS, "elements of a resized axis")
    check_table(size, count)
    positions = [_position(i, size, count, scale, sampling.coordinates, crop) for i in range(count)]
    taps = [(row, *tap) for row, position in enumerate(positions) for tap in _shares(position, size, scale, sampling)]
    rows, columns, shares = zip(*taps, strict=True) if taps else ((), (), ())
    place = (torch.tensor(rows, dtype=torch.long), torch.tensor(columns, dtype=torch.long))
    found = torch.zeros(count, size, dtype=torch.float64)
    found.index_put_(place, torch.tensor(shares, dtype=torch.float64), accumulate=True)
    cropping = sampling.coordinates == "tf_crop_and_resize"
    outside = [cropping and not 0 <= position <= size - 1 for position in positions]
    return found, torch.tensor(outside, dtype=torch.bool)


def _position(i: int, size: int, count: int, scale: float, how: str, crop: tuple[float, float]) -> float:
    """Return the position in the original that element i of the result is taken from."""
    match how:
        case "half_pixel":
            return (i + 0.5) / scale - 0.5
        case "pytorch_half_pixel":
            return (i + 0.5) / scale - 0.5 if count > 1 else 0.0
        case "half_pixel_symmetric":
            shrunk = count / (scale * size)
            return size / 2 * (1 - shrunk) + (i + 0.5) / scale - 0.5
        case "align_corners":
            return i * (size - 1) / (count - 1) if count > 1 else 0.0
        case "asymmetric":
            return i / scale
        case "tf_half_pixel_for_nn":
            return (i + 0.5) / scale
        case "tf_crop_and_resize":
            start, end = crop
            if count == 1:
                return 0.5 * (start + end) * (size - 1)
            return start * (size - 1) + i * (end - start) * (size - 1) / (count - 1)
    raise Refusal(f"no coordinate transformation is called {how!r}")


def _shares(position: float, size: int, scale: float, sampling: Sampling) -> list[tuple[int, float]]:
    """Return (index, weight) of the elements that make up the value at a position; the edge repeats outwards."""
    if sampling.mode == "nearest":
        return [(_clamped(_rounded(position, sampling.nearest), size), 1.0)]
    reach = {"linear": 1, "cubic": 2}.get(sampling.mode)
    if reach is None:
        raise Refusal(f"no mode is called {sampling.mode!r}")
    # Antialiasing widens the kernel by as much as the axis shrinks.
    stretch = min(scale, 1.0) if sampling.antialias else 1.0
    base = math.floor(position)
    first = base + math.floor(-reach / stretch) + 1
    last = base - math.floor(-reach / stretch)
    taps = [(i, _kernel((i - position) * stretch, sampling)) for i in range(first, last + 1)]
    if sampling.exclude_outside:
        taps = [(i, share) for i, share in taps if 0 <= i < size]
    # Shares sum to 1, also where elements outside were left out.
    total = sum(share for _, share in taps)
    return [(_clamped(i, size), share / total) for i, share in taps if share]


def _kernel(distance: float, sampling: Sampling) -> float:
    """Evaluate the tent, or the cubic convolution kernel (Keys 1981) with coefficient a."""
    x, a = abs(distance), sampling.cubic
    if sampling.mode == "linear":
        return max(0.0, 1.0 - x)
    if x <= 1:
        return ((a + 2) * x - (a + 3)) * x * x + 1
    return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a if x < 2 else 0.0


def _rounded(position: float, how: str) -> int:
    match how:
        case "round_prefer_floor":
            return math.ceil(position - 0.5)
        case "round_prefer_ceil":
            return math.floor(position + 0.5)
        case "floor":
            return math.floor(position)
        case "ceil":
            return math.ceil(position)
    raise Refusal(f"no rounding is called {how!r}")


def _clamped(index: int, size: int) -> int:
    return min(max(index, 0), size - 1)
