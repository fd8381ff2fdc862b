"""Short-time Fourier transforms: spectra of windowed frames, and the signal that overlapping frames add up to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from ttc.ir import Op, TensorType, Value, require
from ttc.ops.facts import Exactness, Facts, Finite
from ttc.ops.rules import check_floating, same_dtype

__all__ = ["Istft", "Stft"]

LONGEST_ROW = 64 << 10
"""Elements of the longest row that is moved whole: a slice holds four rows of f32 in L1, 1 MiB of these."""


def bins(n_fft: int, onesided: bool) -> int:
    """Count the frequencies that a spectrum of n_fft samples keeps."""
    return n_fft // 2 + 1 if onesided else n_fft


@dataclass(frozen=True)
class Stft(Op):
    """Real and imaginary parts [N, bins, frames] of x [N, samples], a frame every `hop` samples, none padded.

    A frame has as many samples as `window` [n_fft], which multiplies it. `normalized` divides by sqrt(n_fft).
    """

    x: Value
    window: Value
    hop: int
    onesided: bool = True
    normalized: bool = False
    facts: ClassVar[Facts] = Facts(Finite.ORDINARY, Exactness.LOST)

    def infer(self) -> tuple[TensorType, TensorType]:
        check_floating(self.x)
        require(self.x.type.rank == 2 and self.window.type.rank == 1, "needs x [N, samples] and a window [n_fft]")
        require(self.hop > 0, f"a hop of {self.hop}")
        n_fft, samples = self.window.shape[0], self.x.shape[1]
        require(0 < n_fft <= samples, f"a frame of {n_fft} does not fit {samples} samples")
        shape = (self.x.shape[0], bins(n_fft, self.onesided), 1 + (samples - n_fft) // self.hop)
        type = TensorType(same_dtype(self.x, self.window), shape)
        return type, type

    def eval(self, x: Tensor, window: Tensor) -> tuple[Tensor, Tensor]:
        frames = x.unfold(-1, len(window), self.hop) * window
        transform = torch.fft.rfft if self.onesided else torch.fft.fft
        spectrum = transform(frames, norm="ortho" if self.normalized else "backward").mT
        return spectrum.real.contiguous(), spectrum.imag.contiguous()


@dataclass(frozen=True)
class Istft(Op):
    """The signal [N, length] from sample `start` of the overlap-added inverse transforms of [N, bins, frames].

    `real` and `imag` are halves of spectra. Each frame is multiplied by `window` [n_fft] again, and each sample
    divided by the sum of the squared windows that meet there, which must not be 0; past the last frame samples are 0.
    """

    real: Value
    imag: Value
    window: Value
    hop: int
    start: int
    length: int
    normalized: bool = False
    facts: ClassVar[Facts] = Facts(Finite.ORDINARY, Exactness.LOST)

    def infer(self) -> TensorType:
        dtype = same_dtype(self.real, self.imag, self.window)
        require(dtype.is_float, f"needs a floating dtype, got {self.real.type}")
        require(self.real.type == self.imag.type, f"real {self.real.type} and imaginary {self.imag.type} differ")
        require(self.real.type.rank == 3 and self.window.type.rank == 1, "needs [N, bins, frames] and a window [n_fft]")
        n_fft, (batch, count, frames) = self.window.shape[0], self.real.shape
        require(count == bins(n_fft, True), f"{count} bins for frames of {n_fft} samples")
        require(0 < self.hop <= n_fft and frames > 0, f"a hop of {self.hop} between {frames} frames of {n_fft} samples")
        require(0 <= self.start < self.whole and self.length > 0, f"{self.length} samples from {self.start}")
        return TensorType(dtype, (batch, self.length))

    @property
    def whole(self) -> int:
        """Count the samples from the first of the first frame to the last of the last frame."""
        return self.window.shape[0] + self.hop * (self.real.shape[2] - 1)

    def eval(self, real: Tensor, imag: Tensor, window: Tensor) -> Tensor:
        size, norm = len(window), "ortho" if self.normalized else "backward"
        frames = torch.fft.irfft(torch.complex(real, imag).mT, size, norm=norm)
        signal = self._added(frames * window)
        # Least squares (Griffin & Lim 1984): x = sum of w * frame / sum of w^2 at each sample.
        envelope = self._added((window * window).expand(1, frames.shape[1], size))
        kept = slice(self.start, min(self.start + self.length, self.whole))
        found = signal[:, kept] / envelope[:, kept]
        return torch.nn.functional.pad(found, (0, self.length - found.shape[1]))

    def _added(self, frames: Tensor) -> Tensor:
        """Add frames [N, frames, n_fft] where they overlap: [N, whole]."""
        places = torch.arange(frames.shape[1])[:, None] * self.hop + torch.arange(frames.shape[2])
        return frames.new_zeros(len(frames), self.whole).index_add(1, places.flatten(), frames.flatten(1))
