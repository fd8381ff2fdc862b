"""Systems in four regimes, with small modules whose departures are known."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

import ttc
from ttc.validation.system import REGIMES, Package, Regimes, Step, exact_transforms, spectrogram_pcc


class Noisy(nn.Module):
    """Two draws of a line's length, and how many numbers there are."""

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        noisy = (x + torch.randn_like(x)) * torch.rand(1, x.shape[1])
        return {"noisy": noisy, "count": (x > -9).long().sum(1)}


class Mean(nn.Module):
    """A mean over time, which padding must not reach."""

    def forward(self, y: torch.Tensor) -> torch.Tensor:
        return y - y.exp().mean(1, keepdim=True)


@pytest.fixture(scope="module")
def regimes() -> Iterator[Regimes]:
    built = {"noisy": (Noisy(), {"x": torch.zeros(1, 32)}), "mean": (Mean(), {"y": torch.zeros(1, 32)})}
    compiled = {
        name: ttc.compile(module, kwargs=inputs, dynamic_shapes=[{1: "N"}], lengths={"N": [32, 256]}, dtype="fp32")
        for name, (module, inputs) in built.items()
    }
    with compiled["noisy"].session("emulator") as one, compiled["mean"].session("emulator") as two:
        found = Regimes(built, compiled, {"noisy": one, "mean": two}, ("mean", "output"))
        x = np.random.default_rng(0).standard_normal((1, 150), np.float32)
        left = found.run("noisy", {"x": x}, seed=5)
        found.run("mean", {"y": left["noisy"]})
        yield found


def test_the_package_s_stages_are_those_without_padding(regimes: Regimes):
    """Random numbers are the session's in all regimes, so that all agree before padding matters."""
    assert [(step.stage, step.output) for step in regimes.steps[::3]] == [
        ("noisy", "noisy"),
        ("noisy", "count"),
        ("mean", "output"),
    ]
    noisy = [step for step in regimes.steps if step.output == "noisy"]
    assert [step.regime for step in noisy] == list(REGIMES)
    assert all(step.pcc > 0.999999 and step.scaled_error < 1e-6 and step.equal is None for step in noisy)


def test_the_first_departure_of_each_regime_is_named(regimes: Regimes):
    departures = regimes.departures(0.9999)
    assert (departures["with lengths"], departures["compiled"]) == (None, None)
    first = departures["without"]
    assert first is not None
    assert (first.stage, first.output, first.equal) == ("noisy", "count", False)


def test_sounds_are_judged_by_their_spectrograms(regimes: Regimes):
    sounds = [step for step in regimes.steps if step.stage == "mean"]
    assert [step.spectrogram is not None for step in sounds] == [True] * 3
    assert replace(sounds[0], pcc=0.0).agrees(0.9999)
    assert not replace(sounds[0], spectrogram=0.9).agrees(0.9999)
    assert not replace(sounds[0], spectrogram=None, pcc=0.9).agrees(0.9999)


def test_whole_numbers_must_be_equal():
    durations = np.array([3.0, 4.0, 100.0])
    assert Step.of(("a", "b", "compiled"), durations, durations, False).agrees(0.99)
    near = Step.of(("a", "b", "compiled"), durations + np.array([1, 0, 0]), durations, False)
    assert near.pcc > 0.99
    assert not near.agrees(0.99)


def test_spectrograms_of_other_lengths_do_not_correlate():
    tone = np.sin(np.arange(400) / 3).astype(np.float32)
    assert spectrogram_pcc(tone, -tone) == pytest.approx(1, abs=1e-6)
    assert spectrogram_pcc(tone[:-1], tone) == 0
    assert spectrogram_pcc(np.sin(2.0 * np.arange(400)), tone) < 0.9


def test_exact_transforms_are_those_of_float64_rounded_once():
    x, window = torch.randn(300, generator=torch.Generator().manual_seed(0)), torch.hann_window(20)
    wanted = torch.stft(x.double(), 20, 5, window=window.double(), return_complex=True).to(torch.complex64)
    with exact_transforms():
        assert torch.equal(torch.stft(x, 20, 5, window=window, return_complex=True), wanted)
    assert not torch.equal(torch.stft(x, 20, 5, window=window, return_complex=True), wanted)


def test_samples_of_a_batch_run_at_their_own_lengths():
    class Total(nn.Module):
        def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
            return (x.exp().sum(1) + y.sum(1))[:, None]

    built = {"total": (Total(), {"x": torch.zeros(2, 4), "y": torch.zeros(2, 3)})}
    package = Package(built, {"total": {"x": {1: "N"}}})
    x, y = np.ones((2, 4), np.float32), np.ones((2, 3), np.float32)
    found = package.run("total", {"x": x, "y": y, "N": [4, 2]})["output"]
    np.testing.assert_allclose(found, [[4 * np.e + 3], [2 * np.e + 3]], rtol=1e-6)
    np.testing.assert_allclose(package.run("total", {"x": x, "y": y})["output"], [[4 * np.e + 3]] * 2, rtol=1e-6)
