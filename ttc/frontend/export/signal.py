"""Readings of short-time Fourier transforms and of window functions."""

from __future__ import annotations

import torch

from ttc import ops
from ttc.errors import Refusal
from ttc.frontend.export.complex import Complex, complex_aten, view_as_real
from ttc.frontend.export.table import ExportBuilder, aten, full
from ttc.guard.budget import check_table
from ttc.ir import DType
from ttc.ops.expr import Expr, apply
from ttc.ops.torch_types import to_torch


@aten("stft", "stft.center")
@complex_aten("stft", "stft.center")
def stft(
    b: ExportBuilder, x: Expr, n_fft: int, hop_length: int | None = None, win_length: int | None = None,
    window: Expr | None = None, *rest: object, **keywords: object,
) -> Complex | Expr:  # fmt: skip
    """Compute spectra [.., bins, frames] of x [.., samples]; torch pads centred frames by an op of its own."""
    normalized, onesided, as_complex = (*rest, *[None] * 3)[:3]
    normalized, onesided = keywords.get("normalized", normalized), keywords.get("onesided", onesided)
    if "center" in keywords or keywords.get("align_to_window") or len(rest) > 3:
        raise Refusal("stft with padding or alignment of its own is not supported: call torch.stft")
    rows = x.view(-1, x.shape[-1])
    shape = _window(b, window, win_length, n_fft, x.dtype)
    found = apply(ops.Stft, rows, shape, hop_length or n_fft // 4, onesided is not False, bool(normalized))
    parts = [part.reshape(*x.shape[:-1], *part.shape[1:]) for part in found]
    whole = Complex(*parts)
    return whole if keywords.get("return_complex", as_complex) else view_as_real(b, whole)


@complex_aten("istft")
def istft(
    b: ExportBuilder, x: Complex, n_fft: int, hop_length: int | None = None, win_length: int | None = None,
    window: Expr | None = None, center: bool = True, normalized: bool = False, onesided: bool | None = None,
    length: int | None = None, return_complex: bool = False,
) -> Expr:  # fmt: skip
    """Restore the signal of spectra [.., bins, frames], from the middle of the first frame on if `center`."""
    if return_complex:
        raise Refusal("istft to a complex signal is not supported")
    leading, hop = x.real.shape[:-2], hop_length or n_fft // 4
    halves = [part.part(-2, 0, n_fft // 2 + 1) for part in (x.real, x.imag)]  # of whole spectra too
    real, imag = (part.view(-1, *part.shape[-2:]) for part in halves)
    shape = _window(b, window, win_length, n_fft, real.dtype)
    count = b.result.shape[-1]
    y = apply(ops.Istft, real, imag, shape, hop, n_fft // 2 if center else 0, count, normalized)
    return y.reshape(*leading, count)


def _window(b: ExportBuilder, window: Expr | None, length: int | None, n_fft: int, dtype: DType) -> Expr:
    """Pad the window to n_fft samples with zeros on both sides; ones if there is no window."""
    length = length or n_fft
    found = full(b, (length,), 1, dtype) if window is None else window.cast(dtype)
    before = (n_fft - length) // 2
    return found if length == n_fft else found.pad(0, before, n_fft - length - before)


def _known(function: object):
    """Make a reading of a window of known size, in the declared dtype."""

    def read(b: ExportBuilder, *args: object, dtype: DType | None = None, **keywords: object) -> Expr:
        check_table(b.result.numel)
        return b.constant(function(*args, dtype=to_torch(b.result.dtype), **keywords))  # type: ignore[operator]

    return read


for _name in ("bartlett_window", "blackman_window", "hamming_window", "hann_window", "kaiser_window"):
    aten(_name)(_known(getattr(torch, _name)))
