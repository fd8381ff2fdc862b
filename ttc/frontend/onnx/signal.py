"""ONNX signal processing: Fourier transforms as products with their matrices."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ttc import ops
from ttc.errors import Refusal
from ttc.frontend.onnx.emitter import Emitter
from ttc.frontend.onnx.shape import axis_of
from ttc.frontend.onnx.table import Int, Number, onnx_op
from ttc.frontend.onnx.tensors import dtype_of
from ttc.guard.budget import LISTED, check_table, within
from ttc.ir.permutation import inverse_of, to_last
from ttc.ops.expr import Expr, apply, concat
from ttc.ops.torch_types import to_torch
from ttc.ops.waves import inverse_of_half, waves


@onnx_op("DFT", since=17)
def _dft_17(b: Emitter, x: Expr, dft_length: Int | None = None, *, axis=1, inverse=0, onesided=0) -> Expr:
    return _transformed(b, x, dft_length, axis, bool(inverse), bool(onesided))


@onnx_op(since=20)
def DFT(b: Emitter, x: Expr, dft_length: Int | None = None, axis: Int = -2, *, inverse=0, onesided=0) -> Expr:
    return _transformed(b, x, dft_length, axis, bool(inverse), bool(onesided))


def _transformed(b: Emitter, x: Expr, length: int | None, axis: int, inverse: bool, onesided: bool) -> Expr:
    """Transform x [..., n, ..., 1 or 2 (real, imaginary)] along `axis`; `length` cuts or pads with zeros."""
    rank = x.rank
    axis = axis_of(axis, rank)
    if axis == rank - 1:
        raise Refusal("transforms along the dimension of real and imaginary parts")
    halved = inverse and onesided
    if inverse and not onesided:
        raise Refusal("inverts a whole spectrum: a product's rounding near zero is not that of a fast transform")
    length = (2 * (x.shape[axis] - 1) if halved else x.shape[axis]) if length is None else int(length)
    x = _fitted(x, axis, length // 2 + 1 if halved else length)
    size, parts = x.shape[axis], x.shape[-1]
    order = (*to_last(axis, rank - 1), rank - 1)
    turned = x.permute(*order)
    rows = turned.reshape(math.prod(turned.shape[:-2]), size * parts)
    table = _half_spectrum(parts, length) if halved else _table(parts, length, inverse, onesided)
    y = rows @ b.constant(table.to(to_torch(x.dtype)))
    y = y.reshape(*turned.shape[:-2], y.shape[-1] // (1 if halved else 2), 1 if halved else 2)
    return y.permute(*inverse_of(order))


def _fitted(x: Expr, axis: int, size: int) -> Expr:
    x = x.part(axis, 0, min(size, x.shape[axis]))
    missing = size - x.shape[axis]
    return x.pad(axis, 0, missing) if missing else x


def _table(parts: int, length: int, inverse: bool, onesided: bool) -> Tensor:
    """Make the table [length * parts, count * 2] of each sample part's weight in each part of the spectrum."""
    count = length // 2 + 1 if onesided else length
    check_table(length * parts, count)
    cos, minus = waves(length, count)
    sin = minus if inverse else -minus
    # (re + i im) * exp(-i angle): real part re cos + im sin, imaginary part im cos - re sin
    of_real, of_imaginary = torch.stack((cos, -sin), -1), torch.stack((sin, cos), -1)
    found = torch.stack((of_real, of_imaginary)[:parts], 1)
    return found.reshape(length * parts, count * 2) / (length if inverse else 1)


def _half_spectrum(parts: int, length: int) -> Tensor:
    """Make the inverse [bins * parts, length] of a spectrum whose other half is the conjugate of the given half."""
    bins = length // 2 + 1
    # The real part of (re + i im) * exp(i angle); imaginary parts cancel with the conjugate's.
    found = torch.stack(inverse_of_half(length, bins)[:parts], 1)
    return found.reshape(bins * parts, length) / length


@onnx_op(since=17)
def STFT(
    b: Emitter, x: Expr, frame_step: Int, window: Expr | None = None, frame_length: Int | None = None, *, onesided=1
) -> Expr:
    """Compute spectra [N, frames, count, 2]: for complex samples, convolve along time with the windowed waves."""
    length = window.shape[0] if frame_length is None and window is not None else frame_length
    if length is None:
        raise Refusal("needs a window or a frame length")
    parts = x.shape[-1] if x.rank == 3 else 1
    if parts == 1:
        shape = b.full(1, x.dtype, (length,)) if window is None else window
        found = apply(ops.Stft, x.reshape(*x.shape[:2]), shape, int(frame_step), bool(onesided))
        pair = concat([part.reshape(*part.shape, 1) for part in found], 3)
        return pair.permute(0, 2, 1, 3)
    samples = x.reshape(*x.shape[:2], parts).permute(0, 2, 1)
    table = _table(parts, length, False, bool(onesided)).to(to_torch(x.dtype))
    waves = b.constant(table.reshape(length, parts, -1).permute(2, 1, 0).contiguous())
    if window is not None:
        waves = waves * window
    y = apply(ops.Conv, samples, waves, None, (int(frame_step),), ((0, 0),), (1,))
    y = y.permute(0, 2, 1)
    return y.reshape(*y.shape[:2], y.shape[2] // 2, 2)


@onnx_op(since=17)
def MelWeightMatrix(
    b: Emitter, num_mel_bins: Int, dft_length: Int, sample_rate: Int, lower_edge_hertz: Number,
    upper_edge_hertz: Number, *, output_datatype=1,
) -> Expr:  # fmt: skip
    """Make triangles between frequencies that are even on the mel scale, as many as there are bins."""
    within((dft_length // 2 + 1) * num_mel_bins, LISTED * 16, "elements of a table of frequencies")
    # mel = 2595 log10(1 + hertz / 700): edges at equal distances in mel, back in hertz, then as bins
    low, high = (2595 * math.log10(1 + edge / 700) for edge in (lower_edge_hertz, upper_edge_hertz))
    step = (high - low) / (num_mel_bins + 2)
    edges = [700 * (10 ** ((low + i * step) / 2595) - 1) for i in range(num_mel_bins + 2)]
    places = [int((dft_length + 1) * edge // sample_rate) for edge in edges]
    found = torch.zeros(dft_length // 2 + 1, num_mel_bins)
    for i in range(num_mel_bins):
        left, centre, right = places[i : i + 3]
        found[centre, i] = 1
        for j in range(left, centre):
            found[j, i] = (j - left) / (centre - left)
        for j in range(centre, right):
            found[j, i] = (right - j) / (right - centre)
    return b.constant(found.to(to_torch(dtype_of(output_datatype))))
