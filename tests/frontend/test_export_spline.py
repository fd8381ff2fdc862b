"""Splines of VITS and OpenVoice while a module is traced: the packages' own bits, without sizes that depend on data."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from transformers import VitsConfig
from transformers.models.vits import modeling_vits

import ttc
from ttc.frontend.export.spline import static_splines
from ttc.validation.accuracy import scaled_error

BINS, BOUND = 10, 5.0


def parameters(inputs: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    random = torch.Generator().manual_seed(0)
    shape = inputs.shape
    widths, heights = (3 * torch.randn(*shape, BINS, generator=random) for _ in range(2))
    return inputs, widths, heights, 3 * torch.randn(*shape, BINS - 1, generator=random)


def near_and_far() -> Tensor:
    return 4 * torch.randn(1, 1, 300, generator=torch.Generator().manual_seed(1))


def at_the_ends() -> Tensor:
    beyond = np.nextafter(np.float32(BOUND), np.float32(6))
    line = torch.tensor([BOUND, -BOUND, beyond, -beyond, 0.0, -0.0, 1e30, torch.inf, -torch.inf, torch.nan])
    return line[None, None]


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("inputs", [near_and_far, at_the_ends])
def test_the_choice_gives_the_package_s_own_bits(inputs: Callable[[], Tensor], reverse: bool):
    given = parameters(inputs())
    wanted = modeling_vits._unconstrained_rational_quadratic_spline(*given, reverse=reverse, tail_bound=BOUND)
    with static_splines():
        found = modeling_vits._unconstrained_rational_quadratic_spline(*given, reverse=reverse, tail_bound=BOUND)
    for own, package in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(own.numpy(), package.numpy())


@pytest.mark.parametrize("inverse", [False, True])
@pytest.mark.parametrize("inputs", [near_and_far, at_the_ends])
@pytest.mark.parametrize("bound", [BOUND, None])
def test_the_choice_gives_openvoice_s_own_bits(inputs: Callable[[], Tensor], inverse: bool, bound: float | None):
    transforms = openvoice()
    given, kwargs = parameters(inputs()), {"inverse": inverse, "tails": "linear"}
    kwargs |= {} if bound is None else {"tail_bound": bound}
    own = transforms.unconstrained_rational_quadratic_spline
    wanted = transforms.piecewise_rational_quadratic_transform(*given, **kwargs)
    with static_splines():
        assert transforms.unconstrained_rational_quadratic_spline is not own
        found = transforms.piecewise_rational_quadratic_transform(*given, **kwargs)
    assert transforms.unconstrained_rational_quadratic_spline is own
    for ours, package in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(ours.numpy(), package.numpy())


def test_other_tails_are_openvoice_s_own_error():
    transforms, given = openvoice(), parameters(near_and_far())
    with static_splines(), pytest.raises(RuntimeError, match="round tails are not implemented"):
        transforms.unconstrained_rational_quadratic_spline(*given, tails="round")


def openvoice() -> ModuleType:
    return pytest.importorskip("openvoice_cli.transforms", reason="needs the package openvoice-cli")


def test_the_package_is_as_it_was_after_tracing():
    before = modeling_vits._unconstrained_rational_quadratic_spline, modeling_vits.torch_compilable_check
    with static_splines():
        assert modeling_vits._unconstrained_rational_quadratic_spline is not before[0]
    assert (modeling_vits._unconstrained_rational_quadratic_spline, modeling_vits.torch_compilable_check) == before


class Backwards(nn.Module):
    """A flow of the duration predictor, from noise to durations: [1, 2, T] and states [1, 16, T] to [1, 2, T]."""

    def __init__(self) -> None:
        super().__init__()
        self.flow = modeling_vits.VitsConvFlow(VitsConfig(hidden_size=16, depth_separable_num_layers=1))

    def forward(self, noise: Tensor, states: Tensor) -> Tensor:
        return self.flow(noise, torch.ones_like(noise[:, :1]), states, reverse=True)[0]


def test_a_flow_of_vits_compiles():
    torch.manual_seed(0)
    module, noise, states = Backwards().eval(), 4 * torch.randn(1, 2, 40), torch.randn(1, 16, 40)
    with torch.no_grad():
        nn.init.normal_(module.flow.conv_proj.weight, std=2)
        wanted = module(noise, states)
    assert (noise[:, 1].abs() > BOUND).any()
    assert (wanted[:, 1] != noise[:, 1]).any()
    found = ttc.compile(module, (noise, states), dtype="fp32").run({"noise": noise.numpy(), "states": states.numpy()})
    assert scaled_error(found["output"], wanted.numpy()) <= 1e-5
