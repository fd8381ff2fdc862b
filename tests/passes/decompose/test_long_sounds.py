"""A source of sines, its spectrum and the signal of that, with more samples than a row may have in L1."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import ttc
from tests.mock_cards import check
from ttc.validation.accuracy import scaled_error


class Source(nn.Module):
    """Pitches [1, 1, T], 300 samples each, as vocoders have them."""

    def __init__(self):
        super().__init__()
        self.register_buffer("window", torch.hann_window(20))
        self.mix = nn.Linear(1, 1)

    def forward(self, pitch):
        phase = F.interpolate(pitch, scale_factor=300.0, mode="linear")
        wave = torch.tanh(self.mix(torch.sin(phase).transpose(1, 2))).transpose(1, 2).squeeze(1)
        spectrum = torch.stft(wave, 20, 5, window=self.window, return_complex=True)
        return spectrum.abs(), torch.istft(spectrum, 20, 5, window=self.window)


@pytest.mark.parametrize("lengths", [None, {"T": [8, 240]}])
def test_the_real_library_takes_72000_samples(lengths: dict[str, list[int]] | None, ttnn_python: str):
    """At an exact size, and in a bucket whose true end, where the edge is reflected, comes before the row's."""
    torch.manual_seed(0)
    module, pitch = Source().eval(), torch.randn(1, 1, 240)
    shapes = {"pitch": {2: "T"}} if lengths else None
    compiled = ttc.compile(module, (pitch,), dtype="fp32", dynamic_shapes=shapes, lengths=lengths)
    report = check(compiled.buckets[-1].program)
    assert report.ok, report.faults
    for frames in (9, 240) if lengths else (240,):
        given = pitch[..., :frames]
        found = compiled.run({"pitch": given.numpy()}, "emulator")
        with torch.no_grad():
            for name, wanted in zip(found, module(given), strict=True):
                assert found[name].shape == tuple(wanted.shape)
                assert scaled_error(np.asarray(found[name]), wanted.numpy()) <= 5e-4, name
