"""Short-time Fourier transforms as torch spells them."""

from __future__ import annotations

import pytest
import torch

from tests.frontend.exporting import agree


class Transforms(torch.nn.Module):
    """Spectra and the signals they give back, in every form of result."""

    def __init__(self, n_fft: int, hop: int, length: int, **options):
        super().__init__()
        self.sizes, self.options = (n_fft, hop, length), options
        self.register_buffer("window", torch.hann_window(length) + 0.1)

    def forward(self, x):
        spectrum = torch.stft(x, *self.sizes, window=self.window, return_complex=True, **self.options)
        real = torch.stft(x, *self.sizes, window=torch.ones(self.sizes[2]), center=False, return_complex=False)
        turned = spectrum.abs() * torch.exp(spectrum.angle() * 1j) * (1 + 2j)
        return (
            torch.view_as_real(spectrum),
            real,
            spectrum.abs(),
            torch.istft(turned, *self.sizes, window=self.window, **self.options),
            torch.istft(spectrum, *self.sizes, window=self.window, length=95, **self.options),
        )


@pytest.mark.parametrize(
    "model",
    [
        Transforms(20, 5, 20),
        Transforms(16, 5, 12, normalized=True),
        Transforms(18, 5, 18, center=False),
        Transforms(16, 4, 16, onesided=False),
    ],
    ids=["plain", "short window", "not centred", "both sides"],
)
@pytest.mark.filterwarnings("ignore:stft with return_complex=False is deprecated")
@pytest.mark.parametrize("shape", [(2, 100), (100,)], ids=str)
def test_transforms(model: Transforms, shape: tuple[int, ...]):
    agree(model, torch.randn(shape))


def test_windows():
    class Windows(torch.nn.Module):
        def forward(self, x):
            names = ("bartlett", "blackman", "hamming", "hann", "kaiser")
            return [x * getattr(torch, f"{name}_window")(12) for name in names]

    agree(Windows(), torch.ones(12))
