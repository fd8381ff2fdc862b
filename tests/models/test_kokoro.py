"""Kokoro's decoder as the package has it, its source of sines and its noise included."""

from __future__ import annotations

import math
from functools import cache
from unittest import mock

import numpy as np
import pytest
import torch

import ttc
from tests.cards import CARD_AND_DTYPE
from tests.mock_cards import check_many
from tests.models.spectrum import log_spectrum
from ttc.calls.target import TARGETS
from ttc.compiled.compiled import Compiled
from ttc.models.kokoro import FRAMES, HIDDEN, HOP, STYLE, VOCODER, whole_decoder
from ttc.validation.accuracy import pcc

HARMONICS = 9
pytestmark = pytest.mark.filterwarnings("ignore:.*weight_norm` is deprecated:FutureWarning")  # the package's own


@cache
def decoder(size: str) -> torch.nn.Module:
    """The decoder, without a choice that is rounding's: a mirrored end's spectrum is real, its phases pi or -pi."""
    torch.manual_seed(0)
    made = whole_decoder(size).eval()
    own = made.generator.stft.transform

    def transform(signal: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        magnitude, phase = own(signal)
        return magnitude, torch.cat([phase[..., :1].abs(), phase[..., 1:-1], phase[..., -1:].abs()], -1)

    made.generator.stft.transform = transform
    return made


@cache
def inputs(size: str) -> dict[str, torch.Tensor]:
    torch.manual_seed(1)
    frames = FRAMES[size]
    pitch = torch.rand(1, 2 * frames) * 200 + 50
    pitch[:, 3:7] = 0  # unvoiced
    style = torch.randn(1, STYLE[size])
    return {"asr": torch.randn(1, HIDDEN, frames), "F0_curve": pitch, "N": torch.randn(1, 2 * frames), "s": style}


@pytest.fixture(params=["tiny", pytest.param("real", marks=pytest.mark.sweep)])
def size(request: pytest.FixtureRequest) -> str:
    return request.param


@cache
def noise(size: str) -> tuple[torch.Tensor, torch.Tensor]:
    """The random numbers of a run: where the harmonics start, and what is added to each sample of each."""
    torch.manual_seed(2)
    samples = 2 * FRAMES[size] * math.prod(VOCODER[size]["upsample_rates"]) * HOP
    return torch.rand(1, HARMONICS), torch.randn(1, samples, HARMONICS)


@cache
def reference(size: str, shift: float = 0.0) -> np.ndarray:
    """The package's own samples from this noise; for a pitch that is off by this part of it."""
    starts, added = noise(size)
    args = inputs(size)
    args = {**args, "F0_curve": args["F0_curve"] * (1 + shift)}
    own = torch.randn_like
    with (
        torch.no_grad(),
        mock.patch.object(torch, "rand", return_value=starts.clone()),
        mock.patch.object(torch, "randn_like", lambda x: added.clone() if x.shape == added.shape else own(x)),
    ):
        return decoder(size)(*args.values()).numpy()


@cache
def compiled(size: str, dtype: str, target: str = "n150") -> Compiled:
    return exported(size).variant(dtype=dtype, target=target)


@cache
def exported(size: str) -> Compiled:
    return ttc.compile(decoder(size), kwargs=inputs(size), dtype="fp32")


def closeness(found: np.ndarray, size: str) -> tuple[float, float]:
    """PCC with the package's samples, and of the logarithmic spectra."""
    return pcc(found, reference(size)), pcc(log_spectrum(found), log_spectrum(reference(size)))


@pytest.mark.parametrize(("dtype", "least"), [("fp32", (0.99999, 0.999)), ("bf16", (0.99, 0.98))])
def test_samples_are_those_of_the_package(size: str, dtype: str, least: tuple[float, float]):
    """A hand-written port published a PCC of 0.98 between logarithmic spectra.

    Long sounds hang on the last bits of their phase: there no more is asked than the package gives for a pitch that
    is off by a millionth.
    """
    drawn = dict(zip(("random.uniform.0", "random.normal.1"), noise(size), strict=True))
    given = {name: x.numpy() for name, x in {**inputs(size), **drawn}.items()}
    (found,) = compiled(size, dtype).run(given).values()
    limits = map(min, least, closeness(reference(size, 1e-6), size))
    assert all(pcc >= limit for pcc, limit in zip(closeness(found, size), limits, strict=True))


@pytest.mark.parametrize(("target", "dtype"), CARD_AND_DTYPE)
def test_accepted_by_the_real_ttnn(size: str, target: str, dtype: str, ttnn_python: str):
    (report,) = check_many([str(compiled(size, dtype, target).build.program.graph)], TARGETS[target])
    assert report.ok, report.faults
