"""Sampling images at the places of a grid: a product of the image with the weights of its elements, axis by axis."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ttc import ops
from ttc.errors import Refusal
from ttc.frontend.composer import Composer, full, reshape
from ttc.guard.budget import check_table
from ttc.ir import Value
from ttc.ops.torch_types import to_torch

CUBIC = -0.75
WEIGHT_LIMIT = 1 << 26
"""Elements: pixels of the image times pixels of the result."""
MODES = ("linear", "cubic", "nearest")
PADDINGS = ("zeros", "border", "reflection")
MARGIN = 2


def grid_sample(
    b: Composer, x: Value, grid: Value, mode: str, padding: str, aligned: bool, beyond: float = 0.0
) -> Value:
    """x [N, C, *sizes] at the places grid [N, *out, axes], whose last coordinate is the first axis.

    `mode` is one of MODES, `padding` one of PADDINGS; `aligned`: -1 and 1 are the middles of the outermost elements.
    With the padding "border" places are moved to within `beyond` of the outermost elements, 0 or (for cubic) 1.
    """
    sizes, batch, channels = x.shape[2:], x.shape[0], x.shape[1]
    out, pixels = grid.shape[1:-1], math.prod(grid.shape[1:-1])
    if mode not in MODES or padding not in PADDINGS:
        raise Refusal(f"no mode is called {mode!r} with {padding!r}")
    if pixels * math.prod(sizes) > WEIGHT_LIMIT:
        raise Refusal(f"samples {math.prod(sizes)} pixels at {pixels} places: more weights than fit")
    places = reshape(b, grid, (batch, pixels, len(sizes)))
    places = places if places.dtype is x.dtype else b(ops.Cast(places, x.dtype))
    weights: Value | None = None
    for axis, size in enumerate(sizes):
        first = len(sizes) - 1 - axis
        place = b(ops.Slice(places, (0, 0, first), (batch, pixels, first + 1), (1, 1, 1)))
        along = _weights(b, place, size, mode, padding, aligned, beyond)
        if weights is None:
            weights = along
            continue
        count = weights.shape[-1]
        both = b(ops.Mul(reshape(b, weights, (batch, pixels, count, 1)), reshape(b, along, (batch, pixels, 1, size))))
        weights = reshape(b, both, (batch, pixels, count * size))
    assert weights is not None
    image = reshape(b, x, (batch, channels, math.prod(sizes)))
    return reshape(b, b(ops.Matmul(image, b(ops.Permute(weights, (0, 2, 1))))), (batch, channels, *out))


def _weights(b: Composer, place: Value, size: int, mode: str, padding: str, aligned: bool, beyond: float) -> Value:
    """[N, P, 1] coordinates from -1 to 1 -> [N, P, size]: how much of each element is in each result."""
    low, high = (0.0, size - 1.0) if aligned else (-0.5, size - 0.5)
    half = (high - low) / 2
    position = b(ops.Add(b(ops.Mul(place, full(b, half, place.dtype))), full(b, half + low, place.dtype)))
    position = b(ops.Round(position)) if mode == "nearest" else position
    if padding == "border":
        position = b(ops.Clamp(position, -beyond, size - 1.0 + beyond))
    elif padding == "reflection":
        position = _reflected(b, position, low, high)
        position = b(ops.Round(position)) if mode == "nearest" else position
    elements = torch.arange(-MARGIN, size + MARGIN).to(to_torch(place.dtype)).reshape(1, 1, -1)
    distance = b(ops.Abs(b(ops.Sub(position, b.constant(elements)))))
    shares = _shares(b, distance, mode)
    fold = _fold(size, padding, low, high).to(to_torch(place.dtype))
    return b(ops.Matmul(shares, b.constant(fold)))


def _reflected(b: Composer, position: Value, low: float, high: float) -> Value:
    """Thrown back at both ends as often as it takes: a triangle wave."""
    span = high - low
    if span <= 0:
        return b(ops.Mul(position, full(b, 0.0, position.dtype)))
    dtype = position.dtype
    phase = b(ops.Remainder(b(ops.Sub(position, full(b, low, dtype))), full(b, 2 * span, dtype)))
    away = b(ops.Abs(b(ops.Sub(phase, full(b, span, dtype)))))
    return b(ops.Sub(full(b, low + span, dtype), away))


def _shares(b: Composer, distance: Value, mode: str) -> Value:
    """The interpolation kernel at a distance: a step, a tent, or Keys' cubic (1981)."""
    dtype = distance.dtype

    def number(value: float) -> Value:
        return full(b, value, dtype)

    if mode == "nearest":
        return b(ops.Cast(b(ops.Eq(distance, number(0.0))), dtype))
    if mode == "linear":
        return b(ops.Relu(b(ops.Sub(number(1.0), distance))))
    inner = _polynomial(b, distance, (CUBIC + 2, -(CUBIC + 3), 0.0, 1.0))
    outer = _polynomial(b, distance, (CUBIC, -5 * CUBIC, 8 * CUBIC, -4 * CUBIC))
    outer = b(ops.Where(b(ops.Lt(distance, number(2.0))), outer, number(0.0)))
    return b(ops.Where(b(ops.Le(distance, number(1.0))), inner, outer))


def _polynomial(b: Composer, x: Value, coefficients: tuple[float, ...]) -> Value:
    y = full(b, coefficients[0], x.dtype)
    for coefficient in coefficients[1:]:
        y = b(ops.Add(b(ops.Mul(y, x)), full(b, coefficient, x.dtype)))
    return y


def _fold(size: int, padding: str, low: float, high: float) -> Tensor:
    """[size + 2 * MARGIN, size]: which element stands for each place, those beyond the edges included."""
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
