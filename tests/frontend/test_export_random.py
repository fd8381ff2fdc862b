"""Random ops: numbers come in by name or are drawn from a seed; the model does with them what torch does."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import ttc
from ttc import ops
from ttc.errors import InputError
from ttc.frontend.export import export


class Noisy(torch.nn.Module):
    def forward(self, x):
        return x + 0.5 * torch.randn_like(x), torch.rand(2, 3)


class Every(torch.nn.Module):
    def forward(self, x):
        return {
            "normal": torch.normal(2.0, 3.0, (4000,)),
            "normal_": torch.empty(4000).normal_(2.0, 3.0),
            "means": torch.normal(x, 3.0),
            "uniform_": torch.empty(4000).uniform_(-1.0, 3.0),
            "bernoulli": torch.bernoulli(x / 2),
            "bernoulli_": torch.zeros(4000).bernoulli_(0.25),
            "randint": torch.randint(-3, 5, (4000,)),
            "randint_like": torch.randint_like(x, 7),
        }


def test_random_numbers_given_by_name():
    x, normal, uniform = (np.random.default_rng(i).random((2, 3)).astype(np.float32) for i in range(3))
    compiled = ttc.compile(Noisy(), (torch.zeros(2, 3),), dtype="fp32")
    assert [name for name, _ in compiled.build.program.inputs] == ["x", "random.normal.0", "random.uniform.1"]
    found = compiled.run({"x": x, "random.normal.0": normal, "random.uniform.1": uniform}, "emulator")
    np.testing.assert_allclose(found["0"], x + 0.5 * normal, rtol=1e-6)
    np.testing.assert_array_equal(found["1"], uniform)


def test_a_seed_draws_what_is_not_given(tmp_path):
    compiled = ttc.compile(Noisy(), (torch.zeros(40, 30),), dtype="fp32")
    x = np.zeros((40, 30), np.float32)
    first, again, other = (compiled.run(x, "emulator", seed=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first["0"], again["0"])
    assert not np.array_equal(first["0"], other["0"])
    assert abs(first["0"].std() - 0.5) < 0.05
    compiled.save(tmp_path / "noisy.ttc")
    loaded = ttc.load(tmp_path / "noisy.ttc")
    np.testing.assert_array_equal(loaded.run([x], "emulator", seed=1)["0"], other["0"])


def test_runs_of_a_session_differ_until_it_is_reset():
    session = ttc.compile(Noisy(), (torch.zeros(2, 3),)).session("emulator")
    x = np.zeros((2, 3), np.float32)
    first, second = session.run(x)["0"], session.run(x)["0"]
    assert not np.array_equal(first, second)
    session.reset()
    np.testing.assert_array_equal(session.run(x)["0"], first)


def test_a_random_input_of_another_shape_is_refused():
    compiled = ttc.compile(Noisy(), (torch.zeros(2, 3),))
    with pytest.raises(InputError, match=r"random\.normal\.0"):
        compiled.run({"x": np.zeros((2, 3), np.float32), "random.normal.0": np.zeros(3, np.float32)}, "emulator")


def test_every_distribution_has_the_moments_of_torchs():
    x = torch.full((4000,), 1.5)
    exported = export(Every(), (x,))
    compiled = ttc.compile(Every(), (x,), dtype="fp32")
    found = compiled.run({"x": x.numpy()}, "emulator")
    wanted = Every()(x)
    assert found.keys() == wanted.keys() == dict(exported.graph.outputs).keys()
    for name, tensor in wanted.items():
        assert found[name].dtype == tensor.numpy().dtype
        assert abs(found[name].mean() - tensor.double().mean()) < 0.3, name
        assert abs(found[name].std() - tensor.double().std()) < 0.2, name
    assert set(found["randint"]) == set(range(-3, 5))
    assert ops.type_of(wanted["bernoulli"]) == dict(exported.graph.outputs)["bernoulli"].type
