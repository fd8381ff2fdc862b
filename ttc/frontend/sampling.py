"""Sampling images at the places of a grid: a product of the image with the weights of its elements, axis by axis."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ttc.errors import Refusal
from ttc.frontend.composer import Composer
from ttc.guard.budget import check_table
from ttc.ops.expr import Expr, relu, where
from ttc.ops.torch_types import to_torch

CUBIC = -0.75
WEIGHT_LIMIT = 1 << 26
"""The largest number of weights: pixels of the image times pixels of the result."""
MODES = ("linear", "cubic", "nearest")
PADDINGS = ("zeros", "border", "reflection")
MARGIN = 2


def grid_sample(b: Composer, x: Expr, grid: Expr, mode: str, padding: str, aligned: bool, beyond: float = 0.0) -> Expr:
    """Sample x [N, C, *sizes] at the places grid [N, *out, axes], whose last coordinate is the first axis.

    `mode` is one of MODES, `padding` one of PADDINGS; `aligned`: -1 and 1 are the middles of the outermost elements.
    With the padding "border" places are moved to within `beyond` of the outermost elements, 0 or (for cubic) 1.
    """
    sizes, batch, channels = x.shape[2:], x.shape[0], x.shape[1]
    out, pixels = grid.shape[1:-1], math.prod(grid.shape[1:-1])
    if mode not in MODES or padding not in PADDINGS:
        raise Refusal(f"no mode is called {mode!r} with {padding!r}")
    if pixels * math.prod(sizes) > WEIGHT_LIMIT:
        raise Refusal(f"samples {math.prod(sizes)} pixels at {pixels} places: more weights than fit")
    places = grid.reshape(batch, pixels, len(sizes)).cast(x.dtype)
    weights: Expr | None = None
    for axis, size in enumerate(sizes):
        first = len(sizes) - 1 - axis
        place = places.part(2, first, first + 1)
        along = _weights(b, place, size, mode, padding, aligned, beyond)
        if weights is None:
            weights = along
            continue
        count = weights.shape[-1]
        both = weights.reshape(batch, pixels, count, 1) * along.reshape(batch, pixels, 1, size)
        weights = both.reshape(batch, pixels, count * size)
    assert weights is not None
    image = x.reshape(batch, channels, math.prod(sizes))
    return (image @ weights.permute(0, 2, 1)).reshape(batch, channels, *out)


def _weights(b: Composer, place: Expr, size: int, mode: str, padding: str, aligned: bool, beyond: float) -> Expr:
    """Compute each element's weight in each result: [N, P, 1] coordinates from -1 to 1 -> [N, P, size]."""
    low, high = (0.0, size - 1.0) if aligned else (-0.5, size - 0.5)
    half = (high - low) / 2
    # From -1..1 to positions low..high, in elements.
    position = place * half + (half + low)
    position = round(position) if mode == "nearest" else position
    if padding == "border":
        position = position.clamp(-beyond, size - 1.0 + beyond)
    elif padding == "reflection":
        position = _reflected(position, low, high)
        position = round(position) if mode == "nearest" else position
    # The kernel's value at the distance to every element, those in the margin included.
    elements = torch.arange(-MARGIN, size + MARGIN).to(to_torch(place.dtype)).reshape(1, 1, -1)
    distance = abs(position - b.constant(elements))
    shares = _shares(distance, mode)
    # Shares of places beyond the edges go to the elements that the padding repeats, with zeros nowhere.
    fold = _fold(size, padding, low, high).to(to_torch(place.dtype))
    return shares @ b.constant(fold)


def _reflected(position: Expr, low: float, high: float) -> Expr:
    """Reflect positions at both ends until they lie between: a triangle wave."""
    span = high - low
    if span <= 0:
        return position * 0.0
    # The phase within a period of two spans, the distance to its middle, that distance from the far end.
    phase = (position - low) % (2 * span)
    away = abs(phase - span)
    return low + span - away


def _shares(distance: Expr, mode: str) -> Expr:
    """Evaluate the interpolation kernel at a distance: a step, a tent, or Keys' cubic (1981)."""
    if mode == "nearest":
        return (distance == 0.0).cast(distance.dtype)
    if mode == "linear":
        return relu(1.0 - distance)
    inner = _polynomial(distance, (CUBIC + 2, -(CUBIC + 3), 0.0, 1.0))
    outer = _polynomial(distance, (CUBIC, -5 * CUBIC, 8 * CUBIC, -4 * CUBIC))
    outer = where(distance < 2.0, outer, 0.0)
    return where(distance <= 1.0, inner, outer)


def _polynomial(x: Expr, coefficients: tuple[float, ...]) -> Expr:
    y = x.number(coefficients[0])
    for coefficient in coefficients[1:]:
        y = y * x + coefficient
    return y


def _fold(size: int, padding: str, low: float, high: float) -> Tensor:
    """Map each place, those beyond the edges included, to its element: one-hot [size + 2 * MARGIN, size]."""
    check_table(size + 2 * MARGIN, size)
    found = torch.zeros(size + 2 * MARGIN, size, dtype=torch.float64)
    for row, place in enumerate(range(-MARGIN, size + MARGIN)):
        if padding == "zeros" and not 0 <= place < size:
            continue
        element = place
        if padding == "reflection" and high > low:
            span = high - low
            element = round(high - abs((place - low) % (2 * span) - span))
        found[row, min(max(element, 0), size - 1)] = 1
    return found
