"""Fourier transforms of torch.fft, in every form of its arguments."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, fft, nn

import ttc
from tests.frontend.exporting import agree
from ttc.errors import Refused


class Transformed(nn.Module):
    def __init__(self, transform: Callable[[Tensor], Tensor]):
        super().__init__()
        self.transform = transform

    def forward(self, x: Tensor) -> Tensor:
        y = self.transform(x)
        return torch.view_as_real(y) if y.is_complex() else y


REAL: dict[str, Callable[[Tensor], Tensor]] = {
    "fft": fft.fft,
    "rfft": fft.rfft,
    "rfft of an odd size": lambda x: fft.rfft(x, dim=0),
    "cut": lambda x: fft.rfft(x, n=5),
    "padded": lambda x: fft.rfft(x, n=12),
    "two dimensions": lambda x: fft.rfft2(x),
    "the first two": lambda x: fft.fftn(x, dim=(0, 1)),
    "by the root": lambda x: fft.rfft(x, norm="ortho"),
    "by the size": lambda x: fft.rfft(x, norm="forward"),
    "ihfft": lambda x: fft.ihfft(x).resolve_conj(),
    "FNet": lambda x: fft.fftn(x.to(torch.complex64), dim=(1, 2)).real,
    "shifted": lambda x: fft.fftshift(fft.fft(x)),
}
COMPLEX: dict[str, Callable[[Tensor], Tensor]] = {
    "fft": fft.fft,
    "ifft": fft.ifft,
    "ifft by the root": lambda z: fft.ifft(z, norm="ortho"),
    "irfft": fft.irfft,
    "irfft to an odd size": lambda z: fft.irfft(z, n=9),
    "irfft to a small size": lambda z: fft.irfft(z, n=4),
    "irfft2": lambda z: fft.irfft2(z, norm="forward"),
    "hfft": fft.hfft,
    "there and back": lambda z: fft.irfft(fft.rfft(fft.irfft(z))),
    "a filter": lambda z: fft.ifft(fft.fft(z) * torch.arange(8)),
}


@pytest.mark.parametrize("name", REAL)
def test_of_real_numbers(name: str):
    agree(Transformed(REAL[name]), torch.randn(3, 4, 8))


@pytest.mark.parametrize("name", COMPLEX)
def test_of_complex_numbers(name: str):
    transform = COMPLEX[name]
    agree(Transformed(lambda x: transform(torch.view_as_complex(x))), torch.randn(3, 4, 8, 2))


def test_a_table_that_is_too_large_is_refused():
    with pytest.raises(Refused, match="elements"):
        ttc.compile(Transformed(fft.rfft), (torch.zeros(1, 200_000),))


@pytest.mark.parametrize(("dtype", "tolerance"), [("fp32", 1e-5), ("bf16", 0.02)])
def test_a_layer_of_spectra(dtype: str, tolerance: float):
    """A convolution by spectra, compiled whole: products on the card, and no op on the host."""
    torch.manual_seed(0)
    kernel, x = torch.randn(16), torch.randn(2, 16)
    model = Transformed(lambda x: fft.irfft(fft.rfft(x) * fft.rfft(kernel)))
    compiled = ttc.compile(model, (x,), dtype=dtype)
    found = torch.from_numpy(next(iter(compiled.run({"x": x.numpy()}, "emulator").values())))
    wanted = model(x)
    assert (found - wanted).abs().max() <= tolerance * wanted.abs().max()
    assert compiled.report.to_dict()["host_ops"] == 0
