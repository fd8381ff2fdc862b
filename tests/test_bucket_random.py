"""Random ops in buckets: numbers given at the true length, or drawn for it, so that a run equals the exact one."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import ttc
from ttc.errors import InputError


class Noisy(nn.Module):
    """Noise before a convolution, and shares of time that are drawn."""

    def __init__(self):
        super().__init__()
        self.part = nn.Conv1d(4, 4, 3, padding=1)

    def forward(self, x):
        y = x.transpose(1, 2)
        y = self.part(y + torch.randn_like(y) * 0.5) * torch.rand(y.shape[0], 1, y.shape[2])
        return {"y": y, "mean": y.mean(2)}


def compiled(sizes, batch=2):
    torch.manual_seed(0)
    model, x = Noisy().eval(), torch.zeros(batch, sizes[0], 4)
    return ttc.compile(model, (x,), dynamic_shapes={"x": {1: "T"}}, lengths={"T": sizes}, dtype="fp32")


@pytest.fixture(scope="module")
def buckets():
    return compiled([16, 32])


X = np.random.default_rng(0).normal(size=(2, 21, 4)).astype(np.float32)


def noise(length: int) -> dict[str, np.ndarray]:
    source = np.random.default_rng(1)
    normal, uniform = source.normal(size=(2, 4, length)), source.uniform(size=(2, 1, length))
    return {"random.normal.0": normal.astype(np.float32), "random.uniform.1": uniform.astype(np.float32)}


def equal(found, wanted):
    for name, array in wanted.items():
        np.testing.assert_allclose(found[name], array, atol=1e-6, err_msg=name)


def test_given_noise_is_as_long_as_the_inputs(buckets):
    equal(buckets.run({"x": X, **noise(21)}), compiled([21]).run({"x": X, **noise(21)}))
    with pytest.raises(InputError, match=r"'random.normal.0' has size 20 in dimension 2, where T is 21"):
        buckets.run({"x": X, **noise(20)})


def test_a_seed_draws_what_it_draws_for_the_exact_length(buckets):
    exact = compiled([21])
    equal(buckets.run({"x": X}, seed=3), exact.run({"x": X}, seed=3))
    assert not np.array_equal(buckets.run({"x": X}, seed=3)["y"], buckets.run({"x": X}, seed=4)["y"])


def test_each_sample_has_noise_of_its_own_length(buckets):
    found = buckets.run({"x": X, "T": [21, 9], **noise(21)})
    alone = {name: array[1:, :, :9] for name, array in noise(21).items()}
    wanted = compiled([9], batch=1).run({"x": X[1:, :9], **alone})
    equal({"y": found["y"][1:, :, :9], "mean": found["mean"][1:]}, wanted)
    assert (found["y"][1, :, 9:] == 0).all()


class NoisyFrames(nn.Module):
    """Noise for each sample and for each whole frame of 8, of which the later one is read first."""

    def forward(self, x):
        frames = nn.functional.avg_pool1d(x, 8)
        early, late = torch.randn_like(x), torch.randn_like(frames)
        return frames + late + nn.functional.avg_pool1d(early, 8)


def test_noise_follows_the_length_of_what_it_is_added_to():
    """A quotient that was guessed from the noise's own sizes would need eight readings more."""
    told: list[str] = []
    named = {"dynamic_shapes": ({2: "N"},), "dtype": "fp32"}
    x = np.random.default_rng(0).normal(size=(1, 4, 100)).astype(np.float32)
    buckets = ttc.compile(
        NoisyFrames(), (torch.zeros(1, 4, 64),), lengths={"N": [64, 128]}, progress=told.append, **named
    )
    assert sum(what.startswith("reading the model at") for what in told) == 4
    exact = ttc.compile(NoisyFrames(), (torch.zeros(1, 4, 100),), **named)
    equal(buckets.run({"x": x}, seed=3), exact.run({"x": x}, seed=3))
