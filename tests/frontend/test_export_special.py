"""Special functions, beside eager torch."""

from __future__ import annotations

import torch

import ttc
from tests.frontend.exporting import each_agrees

NEAR = 1 - 2.0**-24
"""The largest float32 below 1."""


def inverse_error_function(x: torch.Tensor) -> torch.Tensor:
    class Model(torch.nn.Module):
        def forward(self, x):
            return torch.erfinv(x)

    return ttc.compile(Model(), (x,), dtype="fp32")(x)


def test_the_inverse_error_function_is_right_to_a_few_roundings():
    """Both polynomials, the point where the second takes over (w = 5), and the last number below 1."""
    border = (1 - torch.exp(torch.tensor(-5.0, dtype=torch.float64))).sqrt().float()
    x = torch.cat([torch.linspace(-1, 1, 4001), torch.stack([border, -border]), torch.tensor([NEAR, -NEAR, 1e-20])])
    found, wanted = inverse_error_function(x), torch.erfinv(x)
    inside = wanted.isfinite() & (x != 0)
    assert ((found - wanted) / wanted)[inside].abs().max() < 1e-6
    assert found[x == 0].eq(0).all()


def test_the_inverse_error_function_is_infinite_at_one_and_nothing_beyond():
    found = inverse_error_function(torch.tensor([1.0, -1, 1.5, -2, torch.nan, torch.inf]))
    assert found[:2].tolist() == [torch.inf, -torch.inf]
    assert found[2:].isnan().all()


def test_integers_become_floats():
    each_agrees("torch.erfinv(x)", x=torch.tensor([0, 0]))
