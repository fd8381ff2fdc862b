"""Readings of Fourier transforms: a product with the transform's matrix for each dimension."""

from __future__ import annotations

from collections.abc import Sequence

from ttc import ops
from ttc.frontend.export.complex import Complex, Operand, as_complex, complex_aten
from ttc.frontend.export.compose import along
from ttc.frontend.export.table import ExportBuilder
from ttc.ops.expr import Expr
from ttc.ops.waves import inverse_of_half, waves

UNSCALED, BY_ROOT, BY_SIZE = 0, 1, 2
"""torch's numbers for the scale of a transform of n elements: 1, 1 / sqrt(n), 1 / n."""


@complex_aten("_fft_c2c")
def fft_c2c(b: ExportBuilder, x: Operand, dim: Sequence[int], normalization: int, forward: bool) -> Complex:
    """Transform each dimension: X[k] = sum over n of x[n] exp(-2 pi i n k / size), with +i backward."""
    found = as_complex(b, x)
    for axis in dim:
        found = _along(b, found, axis, normalization, forward)
    return found


@complex_aten("_fft_r2c")
def fft_r2c(b: ExportBuilder, x: Expr, dim: Sequence[int], normalization: int, onesided: bool) -> Complex:
    """Transform real numbers, of the last dimension named one half where the other half are conjugates."""
    *others, last = dim
    size = x.shape[last]
    found = _along(b, as_complex(b, x), last, normalization, True, size // 2 + 1 if onesided else size)
    return fft_c2c(b, found, others, normalization, True)


@complex_aten("_fft_c2r")
def fft_c2r(b: ExportBuilder, x: Complex, dim: Sequence[int], normalization: int, last_dim_size: int) -> Expr:
    """Transform back to real numbers, given one half of the spectrum along the last dimension named."""
    *others, last = dim
    found = fft_c2c(b, x, others, normalization, False)
    count = last_dim_size // 2 + 1
    scale = _scale(last_dim_size, normalization)
    halves = (part.part(last, 0, count) for part in (found.real, found.imag))
    real, imag = (
        along(b, part, last, wave.T * scale)
        for part, wave in zip(halves, inverse_of_half(last_dim_size, count), strict=True)
    )
    return real + imag


def _along(
    b: ExportBuilder, x: Complex, axis: int, normalization: int, forward: bool, count: int | None = None
) -> Complex:
    """Transform one dimension; return the first `count` elements of the result, by default all."""
    size = x.real.shape[axis]
    cosines, sines = (wave * _scale(size, normalization) for wave in waves(size, count or size))
    sines = sines if forward else -sines  # exp(-i t) = cos t + i * -sin t
    real, imag = (along(b, x.real, axis, wave.T) for wave in (cosines, sines))
    if ops.number_of(x.imag.value) == 0:
        return Complex(real, imag)
    # (a + i b) (c + i s) = (a c - b s) + i (a s + b c)
    return Complex(real - along(b, x.imag, axis, sines.T), imag + along(b, x.imag, axis, cosines.T))


def _scale(size: int, normalization: int) -> float:
    return {UNSCALED: 1.0, BY_ROOT: size**-0.5, BY_SIZE: 1 / size}[normalization]
